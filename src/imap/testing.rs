//! A scripted server at the other end of a pipe, for the tests of this module.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::budget::ByteBudget;
use super::capabilities::Capabilities;
use super::session::Session;
use super::wire::Wire;

/// The server's end.
#[derive(Debug)]
pub(super) struct Server {
    io: DuplexStream,
    seen: Vec<u8>,
}

impl Server {
    /// Sends bytes as they are.
    pub(super) async fn say(&mut self, text: impl AsRef<[u8]>) {
        self.io.write_all(text.as_ref()).await.unwrap();
    }

    /// Sends what the client may no longer read.
    pub(super) async fn say_anyway(&mut self, text: impl AsRef<[u8]>) -> bool {
        self.io.write_all(text.as_ref()).await.is_ok()
    }

    /// The next line of the client, without its end; empty at the end of the stream.
    pub(super) async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.seen.windows(2).position(|w| w == b"\r\n") {
                let rest = self.seen.split_off(end + 2);
                let line = std::mem::replace(&mut self.seen, rest);
                return String::from_utf8_lossy(&line[..end]).into_owned();
            }
            let mut more = [0_u8; 1024];
            match self.io.read(&mut more).await.unwrap() {
                0 => return String::new(),
                n => self.seen.extend_from_slice(&more[..n]),
            }
        }
    }

    /// Reads a line that must end in `what`, and returns its tag.
    pub(super) async fn expect(&mut self, what: &str) -> String {
        let line = self.line().await;
        let (tag, rest) = line.split_once(' ').unwrap_or((&line, ""));
        assert!(
            rest.contains(what) || line == what,
            "expected {what:?}, got {line:?}"
        );
        tag.to_owned()
    }

    /// Reads a command and answers it: `{}` stands for its tag.
    pub(super) async fn answer(&mut self, what: &str, reply: &str) {
        let tag = self.expect(what).await;
        self.say(reply.replace("{}", &tag)).await;
    }

    /// Neither speaks nor closes any more.
    pub(super) async fn hang(self) {
        let _io = self.io;
        std::future::pending::<()>().await;
    }
}

/// Both ends of a pipe.
pub(super) fn pipe() -> (DuplexStream, Server) {
    let (client, server) = duplex(1 << 20);
    let seen = Vec::new();
    (client, Server { io: server, seen })
}

/// A budget that no test meets by chance.
pub(super) fn budget() -> ByteBudget {
    ByteBudget::new(64 << 20)
}

/// A signed-in session with IDLE, and its server.
pub(super) fn session() -> (Session, Server) {
    let (client, server) = pipe();
    let caps = Capabilities {
        idle: true,
        ..Capabilities::default()
    };
    let wire = Wire::new(Box::new(client), &budget());
    (Session::new(wire, caps), server)
}
