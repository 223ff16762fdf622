//! Accept loops: they survive errors and keep to the limit of connections.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::options::Tls;
use crate::shared::Shared;
use crate::stats::Count;
use crate::wire::{Conn, HANDSHAKE_DEADLINE, Wire};
use crate::{imap, smtp};

/// After a failed accept (no file handles left, say) the next one waits so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Imap,
    Smtp,
}

/// Accepts until the sandbox stops.
pub(crate) async fn accept_loop(
    shared: Arc<Shared>,
    listener: TcpListener,
    slots: Arc<Semaphore>,
    protocol: Protocol,
    mode: Tls,
) {
    loop {
        let accepted = tokio::select! {
            () = shared.token.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let tcp = match accepted {
            Ok((tcp, _)) => tcp,
            Err(error) => {
                tracing::warn!(%error, "Accepting a connection failed");
                tokio::select! {
                    () = shared.token.cancelled() => return,
                    () = tokio::time::sleep(ACCEPT_PAUSE) => continue,
                }
            }
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            shared.counters.add(Count::RefusedConnections);
            continue;
        };
        shared.counters.add(Count::Connections);
        let task_shared = Arc::clone(&shared);
        shared.tracker.spawn(async move {
            let _slot = slot;
            let _open = task_shared.counters.hold(Count::Open);
            // Boxed: the task itself stays small while the session waits.
            let session = Box::pin(serve(Arc::clone(&task_shared), tcp, protocol, mode));
            tokio::select! {
                () = task_shared.token.cancelled() => {}
                () = session => {}
            }
        });
    }
}

async fn serve(shared: Arc<Shared>, tcp: TcpStream, protocol: Protocol, mode: Tls) {
    let conn = match connect(&shared, tcp, mode).await {
        Ok(conn) => conn,
        Err(error) => {
            shared.counters.add(Count::TlsFailures);
            tracing::debug!(%error, "Handshake failed");
            return;
        }
    };
    match protocol {
        Protocol::Imap => {
            let wire = Wire::new(conn, shared.options.autologout);
            Box::pin(imap::serve(shared, wire, mode)).await;
        }
        Protocol::Smtp => {
            let wire = Wire::new(conn, shared.options.smtp_silence);
            Box::pin(smtp::serve(shared, wire, mode)).await;
        }
    }
}

async fn connect(shared: &Shared, tcp: TcpStream, mode: Tls) -> io::Result<Conn> {
    // Answers are small and complete: waiting for more would only add a round trip.
    tcp.set_nodelay(true)?;
    if mode != Tls::Implicit {
        return Ok(Conn::Plain(tcp));
    }
    let handshake = Box::pin(shared.tls.acceptor.accept(tcp));
    let tls = timeout(HANDSHAKE_DEADLINE, handshake).await??;
    Ok(Conn::Tls(Box::new(tls)))
}
