//! From a host name to a signed-in session: TCP, TLS or STARTTLS, greeting, capabilities,
//! sign-in, ID. Each step has its deadline (`limits`).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use async_imap::imap_proto::{Response, ResponseCode, Status};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, ClientConfig};

use super::auth;
use super::budget::ByteBudget;
use super::capabilities::Capabilities;
use super::error::{ImapError, Step};
use super::limits;
use super::quote::quoted;
use super::refusal::{Refusal, Said};
use super::session::Session;
use super::wire::{Deadline, Io, Transport, Wire, io_error};
use crate::config::{ImapSettings, Security};
use crate::credential::SignIn;
use crate::tls::{self, TlsRoots};

/// What the greeting said.
#[derive(Debug)]
struct Greeting {
    /// PREAUTH: signed in already, by the transport.
    preauth: bool,
    capabilities: Option<Capabilities>,
}

/// Connects to the server of `settings` and signs in with `sign_in`.
///
/// # Errors
/// Which step failed and why; [`ImapError::is_auth`] tells whether a person must act.
pub async fn connect(
    settings: &ImapSettings,
    sign_in: &SignIn,
    roots: &TlsRoots,
    budget: &ByteBudget,
) -> Result<Session, ImapError> {
    // Boxed: the handshake's states shall not stay in the caller's future while it idles.
    Box::pin(connect_now(settings, sign_in, roots, budget)).await
}

async fn connect_now(
    settings: &ImapSettings,
    sign_in: &SignIn,
    roots: &TlsRoots,
    budget: &ByteBudget,
) -> Result<Session, ImapError> {
    let config = match settings.security {
        Security::Plain => None,
        Security::Tls | Security::StartTls => Some(tls_config(settings, roots).await?),
    };
    let addresses = resolve(settings).await?;
    let tcp: Io = Box::new(open(&addresses).await?);
    let io: Io = match (settings.security, &config) {
        (Security::Tls, Some(config)) => Box::new(handshake(tcp, &settings.host, config).await?),
        (Security::StartTls, Some(config)) => {
            let plain = start_tls(tcp, budget).await?;
            let protected = Box::new(handshake(plain, &settings.host, config).await?);
            // The greeting came before TLS; there is no second one (RFC 3501 §6.2.1), and what it
            // said about capabilities could have been forged: they are asked for anew.
            let wire = Wire::new(protected, budget);
            return begin(wire, None, settings, sign_in).await;
        }
        _ => tcp,
    };
    connect_over(io, settings, sign_in, budget).await
}

/// Signs in over a stream that is protected already (or need not be): greeting, capabilities,
/// sign-in, ID.
///
/// # Errors
/// As [`connect`].
pub async fn connect_over(
    io: impl Transport + 'static,
    settings: &ImapSettings,
    sign_in: &SignIn,
    budget: &ByteBudget,
) -> Result<Session, ImapError> {
    let mut wire = Wire::new(Box::new(io), budget);
    let greeting = greet(&mut wire).await?;
    begin(wire, Some(greeting), settings, sign_in).await
}

async fn begin(
    mut wire: Wire,
    greeting: Option<Greeting>,
    settings: &ImapSettings,
    sign_in: &SignIn,
) -> Result<Session, ImapError> {
    let (preauth, told) = greeting.map_or((false, None), |g| (g.preauth, g.capabilities));
    let mut caps = match told {
        Some(caps) => caps,
        None => capability(&mut wire).await?,
    };
    if !preauth {
        // What is offered may change with the sign-in (NOTIFY on Dovecot, for one).
        caps = match auth::sign_in(&mut wire, &caps, settings.auth, sign_in).await? {
            Some(caps) => caps,
            None => capability(&mut wire).await?,
        };
    }
    if caps.id {
        identify(&mut wire).await?;
    }
    Ok(Session::new(wire, caps))
}

/// Reads the greeting: OK, PREAUTH or BYE.
async fn greet(wire: &mut Wire) -> Result<Greeting, ImapError> {
    let step = Step::Greeting;
    let mut greeting = None;
    let see = |r: &Response<'_>, _: &[u8]| {
        let Response::Data { status, outcome } = r else {
            return;
        };
        let capabilities = match &outcome.code {
            Some(ResponseCode::Capabilities(list)) => Some(Capabilities::new(list)),
            _ => None,
        };
        greeting = match status {
            Status::Ok | Status::PreAuth => Some(Ok(Greeting {
                preauth: *status == Status::PreAuth,
                capabilities,
            })),
            Status::No => Some(Err(Said::new(outcome).refusal(step, Refusal::No))),
            _ => None,
        };
    };
    wire.next(step, Deadline::after(limits::GREETING), see)
        .await?;
    greeting.unwrap_or(Err(ImapError::Protocol {
        step,
        what: "its first line is no greeting",
    }))
}

async fn capability(wire: &mut Wire) -> Result<Capabilities, ImapError> {
    let step = Step::Capability;
    let mut told = None;
    let see = |r: &Response<'_>| {
        if let Response::Capabilities(list) = r {
            told = Some(Capabilities::new(list));
        }
    };
    simple(wire, step, "CAPABILITY", see).await?;
    told.ok_or(ImapError::Protocol {
        step,
        what: "it lists no capabilities",
    })
}

/// Some servers of 163.com and QQ refuse EXAMINE to a client that did not say who it is. A
/// refusal of ID itself matters to nobody.
async fn identify(wire: &mut Wire) -> Result<(), ImapError> {
    let version = quoted(env!("CARGO_PKG_VERSION"));
    let line = format!("ID (\"name\" \"replyd\" \"version\" {version})");
    match simple(wire, Step::Id, &line, |_| ()).await {
        Err(ImapError::No { .. } | ImapError::Bad { .. }) => Ok(()),
        other => other,
    }
}

/// One command without answers of ours, to its tagged OK.
async fn simple(
    wire: &mut Wire,
    step: Step,
    text: &str,
    see: impl FnMut(&Response<'_>),
) -> Result<(), ImapError> {
    let tag = wire.tag();
    let line = format!("{tag} {text}\r\n");
    let mut none = VecDeque::new();
    let reply = wire.exchange(step, &tag, line.as_bytes(), &mut none, limits::COMMAND, see);
    reply.await?.ok(step).map(|_| ())
}

/// Greeting and STARTTLS on a plain stream; gives it back, ready for the handshake, only if
/// nothing followed the tagged OK.
async fn start_tls(io: Io, budget: &ByteBudget) -> Result<Io, ImapError> {
    let mut wire = Wire::new(io, budget);
    let greeting = greet(&mut wire).await?;
    if greeting.preauth {
        // STARTTLS is not allowed once signed in, so this would go on in the clear: the known
        // downgrade (CVE-2020-12398 and its kin).
        let why = "the server signs us in before TLS (PREAUTH)";
        return Err(ImapError::Unprotected(why));
    }
    let caps = match greeting.capabilities {
        Some(caps) => caps,
        None => capability(&mut wire).await?,
    };
    if !caps.starttls {
        return Err(ImapError::Unprotected("the server offers no STARTTLS"));
    }
    match simple(&mut wire, Step::StartTls, "STARTTLS", |_| ()).await {
        Err(ImapError::No { .. } | ImapError::Bad { .. }) => {
            return Err(ImapError::Unprotected("the server refuses STARTTLS"));
        }
        other => other?,
    }
    wire.into_unread_stream().await
}

async fn tls_config(
    settings: &ImapSettings,
    roots: &TlsRoots,
) -> Result<Arc<ClientConfig>, ImapError> {
    let roots = roots.clone();
    let ca_file = settings.ca_file.clone();
    let failed = |reason| ImapError::Tls {
        step: Step::Tls,
        reason,
    };
    // The trust store is some hundred files.
    tokio::task::spawn_blocking(move || roots.client_config(ca_file.as_deref()))
        .await
        .map_err(|e| failed(e.to_string()))?
        .map_err(|e| failed(e.to_string()))
}

async fn handshake(
    io: Io,
    host: &str,
    config: &Arc<ClientConfig>,
) -> Result<tokio_rustls::client::TlsStream<Io>, ImapError> {
    let step = Step::Tls;
    let failed = |reason| ImapError::Tls { step, reason };
    let name = tls::server_name(host).map_err(|e| failed(e.to_string()))?;
    let connecting = TlsConnector::from(Arc::clone(config)).connect(name, io);
    let e = match timeout(limits::TLS, connecting).await {
        Ok(Ok(stream)) => return Ok(stream),
        Ok(Err(e)) => e,
        Err(_) => return Err(ImapError::Timeout { step }),
    };
    let inner = e.get_ref().and_then(|i| i.downcast_ref::<rustls::Error>());
    Err(match inner {
        Some(reason) => failed(tls::explain(reason)),
        None => io_error(step, e.kind(), e.kind().to_string()),
    })
}

async fn resolve(settings: &ImapSettings) -> Result<Vec<SocketAddr>, ImapError> {
    let step = Step::Resolve;
    let host = tls::ascii_host(&settings.host);
    let network = |kind, reason| ImapError::Network { step, kind, reason };
    let found = timeout(limits::CONNECT, lookup_host((host.as_str(), settings.port))).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(Ok(found)) => found.take(16).collect(),
        Ok(Err(e)) => return Err(network(e.kind(), "the host name is not known".into())),
        Err(_) => return Err(ImapError::Timeout { step }),
    };
    if addresses.is_empty() {
        let kind = std::io::ErrorKind::NotFound;
        return Err(network(kind, "the host name has no address".into()));
    }
    if settings.security == Security::Plain && !addresses.iter().all(|a| a.ip().is_loopback()) {
        let why = "without TLS only loopback addresses are allowed";
        return Err(ImapError::Unprotected(why));
    }
    Ok(addresses)
}

/// Tries the addresses in the resolver's order, each for 15 s, all for 45 s.
async fn open(addresses: &[SocketAddr]) -> Result<TcpStream, ImapError> {
    let step = Step::Connect;
    let all = Instant::now() + limits::CONNECT_ALL;
    let mut last = ImapError::Timeout { step };
    for address in addresses {
        let until = all.min(Instant::now() + limits::CONNECT);
        match timeout_at(until, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                let unusable = |e: std::io::Error| io_error(step, e.kind(), e.kind().to_string());
                prepare(&tcp).map_err(unusable)?;
                return Ok(tcp);
            }
            Ok(Err(e)) => {
                // Not `io_error`: a reset here is a refused connection, not a closed session.
                last = ImapError::Network {
                    step,
                    kind: e.kind(),
                    reason: e.kind().to_string(),
                };
            }
            Err(_) => last = ImapError::Timeout { step },
        }
    }
    Err(last)
}

/// Nagle off (DONE must not wait for an acknowledgement), and a dead peer noticed by the kernel
/// within two minutes, idle or not.
fn prepare(tcp: &TcpStream) -> std::io::Result<()> {
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(tcp);
    let keepalive = TcpKeepalive::new()
        .with_time(limits::KEEPALIVE_TIME)
        .with_interval(limits::KEEPALIVE_INTERVAL)
        .with_retries(limits::KEEPALIVE_RETRIES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(limits::TCP_USER_TIMEOUT))?;
    Ok(())
}

/// Tests of STARTTLS run it over a pipe.
#[cfg(test)]
pub(super) async fn start_tls_over(
    io: impl Transport + 'static,
    budget: &ByteBudget,
) -> Result<Io, ImapError> {
    start_tls(Box::new(io), budget).await
}

#[cfg(test)]
pub(super) fn prepared(tcp: &TcpStream) -> std::io::Result<()> {
    prepare(tcp)
}
