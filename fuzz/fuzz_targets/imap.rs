//! Any bytes as a server's: through the guard into the parser, and through a whole session.
#![no_main]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use async_imap::Client;
use libfuzzer_sys::fuzz_target;
use replyd::config::{AuthMechanism, Credential, ImapSettings, Security};
use replyd::credential::SignIn;
use replyd::imap::{ByteBudget, FetchWhat, Guard, connect_over};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// Says `bytes` in pieces, and takes whatever is written.
#[derive(Debug)]
struct Server {
    bytes: Vec<u8>,
    said: usize,
    piece: usize,
}

impl Server {
    fn new(bytes: &[u8], piece: u8) -> Self {
        Self {
            bytes: bytes.to_vec(),
            said: 0,
            piece: usize::from(piece).max(1) * 7,
        }
    }
}

impl AsyncRead for Server {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let n = self
            .piece
            .min(to.remaining())
            .min(self.bytes.len() - self.said);
        to.put_slice(&self.bytes[self.said..self.said + n]);
        self.said += n;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Server {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(from.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn settings() -> ImapSettings {
    ImapSettings {
        host: "localhost".into(),
        port: 143,
        security: Security::Plain,
        user: "u".into(),
        credential: Credential::Password("p".to_owned().into()),
        auth: AuthMechanism::Auto,
        ca_file: None,
    }
}

/// What the guard lets through is what the server said, up to a line end or inside a literal.
async fn guarded(bytes: &[u8], piece: u8) {
    let budget = ByteBudget::new(8 << 20);
    let mut guard = Guard::new(Server::new(bytes, piece), &budget);
    let mut through = Vec::new();
    let whole = guard.read_to_end(&mut through).await.is_ok();
    assert!(through.len() <= bytes.len());
    // A byte or two are changed on purpose (NIL dates), none is added.
    assert!(!whole || bytes.starts_with(b"\0") || through.len() <= bytes.len());
    drop(guard);
    assert_eq!(budget.used(), 0, "the budget leaks");

    let mut client = Client::new(Guard::new(Server::new(bytes, piece), &budget));
    // At the end of the stream, or at a refusal, it ends.
    let mut responses = 0_usize;
    while let Ok(Some(_)) = client.read_response().await {
        responses += 1;
        assert!(responses <= bytes.len(), "responses out of nothing");
    }
    drop(client);
    assert_eq!(budget.used(), 0, "the budget leaks");
}

/// A session: its commands are R1, R2 …, so the input can answer them.
async fn session(bytes: &[u8], piece: u8) {
    let budget = ByteBudget::new(8 << 20);
    let server = Server::new(bytes, piece);
    let sign_in = SignIn::password("u", "p");
    let Ok(mut session) = connect_over(server, &settings(), &sign_in, &budget).await else {
        return;
    };
    if session.examine("INBOX").await.is_ok()
        && let Ok(mut fetch) = session.fetch(1, None, FetchWhat::Prefix).await
    {
        let mut found = 0_usize;
        while let Ok(Some(_)) = fetch.next().await {
            found += 1;
            assert!(found <= bytes.len());
        }
    }
    drop(session);
    assert_eq!(budget.used(), 0, "the budget leaks");
}

fuzz_target!(init: replyd_fuzz::own_panics_only(), |data: &[u8]| {
    let [kind, piece, bytes @ ..] = data else { return };
    // The clock stands still and jumps when all wait: no deadline takes real time.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    // A panic of imap-proto, which the program catches (`imap::wire`), ends here too; any other has
    // ended the run before (`own_panics_only`).
    let caught = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            if kind & 1 == 0 {
                guarded(bytes, *piece).await;
            } else {
                session(bytes, *piece).await;
            }
        });
    }));
    drop(caught);
});
