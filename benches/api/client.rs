//! A client that costs little: HTTP/1.1 over one kept connection, written and read by hand. It shares
//! the cores with the server.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    authorization: String,
    received: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Bytes of the body.
    pub(crate) bytes: usize,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, token: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("Connect");
        stream.set_nodelay(true).expect("Set TCP_NODELAY");
        Self {
            stream,
            authorization: format!("Authorization: Bearer {token}\r\n"),
            received: Vec::with_capacity(64 * 1024),
        }
    }

    /// Asks for `path` and reads the answer to its end.
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.ask(path, "").await;
        let (status, length, head) = loop {
            if let Some(head) = self.head() {
                break head;
            }
            self.more().await;
        };
        let end = head + length;
        while self.received.len() < end {
            self.more().await;
        }
        let body = self.received.get(head..end).unwrap_or_default().to_vec();
        self.received.drain(..end);
        Answer {
            status,
            bytes: length,
            body,
        }
    }

    /// Listens to events from now on; `heard` is told of each that is not the stream's own.
    pub(crate) async fn listen(mut self, heard: impl Fn(&str)) {
        self.ask("/api/events", "Accept: text/event-stream\r\n")
            .await;
        let mut seen = 0;
        loop {
            let text = self.received.get(seen..).unwrap_or_default();
            if let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line = text.get(..end).unwrap_or_default();
                if let Some(kind) = line.strip_prefix(b"event: ") {
                    heard(&String::from_utf8_lossy(kind));
                }
                seen += end + 1;
                continue;
            }
            self.received.drain(..seen);
            seen = 0;
            let read = self.stream.read_buf(&mut self.received).await;
            if !matches!(read, Ok(1..)) {
                return;
            }
        }
    }

    async fn ask(&mut self, path: &str, more: &str) {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\n{}{more}\r\n",
            self.authorization
        );
        let written = self.stream.write_all(request.as_bytes()).await;
        written.expect("Write a request");
    }

    async fn more(&mut self) {
        let read = self.stream.read_buf(&mut self.received).await;
        let read = read.expect("Read an answer");
        assert!(read > 0, "The server closed the connection");
    }

    /// Status, length of the body and where it begins; none: the head is not whole.
    fn head(&self) -> Option<(u16, usize, usize)> {
        let end = self.received.windows(4).position(|w| w == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(self.received.get(..end)?);
        let status = head.get(9..12)?.parse().ok()?;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is = name.eq_ignore_ascii_case("content-length");
            is.then(|| value.trim().parse().ok())?
        });
        Some((status, length.expect("An answer with a length"), end + 4))
    }
}
