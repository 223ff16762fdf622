//! The transport under lettre's connection.
//!
//! lettre reads replies through a `BufReader` that grows without bound on a line without end,
//! fails on text that is not UTF-8, and is not emptied by STARTTLS. This transport stands in
//! between: it hands on one line a read, bounded and cleaned, so nothing is ever buffered above
//! it, and it does the TLS upgrade itself, which refuses whatever the server sent in the clear
//! beyond its reply (CVE-2011-0411 and its kin). It also knows whether the final dot of a body
//! went out.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// A reply line is at most 512 octets (RFC 5321 §4.5.3.1.5); what is longer is cut here. lettre
/// refuses lines over 1000.
const MAX_LINE_BYTES: usize = 900;
/// A line without end: the peer is broken.
const MAX_UNFINISHED_BYTES: usize = 64 * 1024;
/// Lines of one reply: more are an attack, as lettre parses all lines again with each new one.
const MAX_REPLY_LINES: usize = 100;
/// The end of a body. It cannot stand inside one: dots are doubled, and every line ends in CRLF.
const FINAL_DOT: [u8; 5] = *b"\r\n.\r\n";

/// The two forms of a connection.
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// While the handshake runs, and after one that failed.
    Gone,
}

struct Inner {
    stream: Stream,
    peer: SocketAddr,
    /// Bytes from the peer that are not handed on yet.
    inbox: Vec<u8>,
    /// The cleaned line that is being handed on.
    line: Vec<u8>,
    /// The lines of the reply that is being read.
    reply: Vec<String>,
    /// The very first line.
    banner: Option<String>,
    tls_version: Option<&'static str>,
    body: Body,
}

/// How far a body went out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Body {
    /// Bytes that the connection took.
    pub(super) written_bytes: u64,
    /// When it took the last byte of the final dot.
    pub(super) finished_at: Option<Instant>,
    tail: [u8; 5],
}

/// The transport; clones share the connection. One is given to lettre, one kept here.
#[derive(Clone)]
pub(super) struct Wire(Arc<Mutex<Inner>>);

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("peer", &self.inner().peer)
            .finish_non_exhaustive()
    }
}

impl Wire {
    pub(super) fn plain(tcp: TcpStream) -> io::Result<Self> {
        let peer = tcp.peer_addr()?;
        Ok(Self(Arc::new(Mutex::new(Inner {
            stream: Stream::Plain(tcp),
            peer,
            inbox: Vec::new(),
            line: Vec::new(),
            reply: Vec::new(),
            banner: None,
            tls_version: None,
            body: Body::default(),
        }))))
    }

    /// Locked for the length of a poll only.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether TLS protects the connection.
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.inner().stream, Stream::Tls(_))
    }

    /// Whether the peer is this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.inner().peer.ip().is_loopback()
    }

    /// Whether the peer sent more than the reply that was read: it spoke out of turn.
    pub(super) fn has_unread(&self) -> bool {
        let inner = self.inner();
        !inner.inbox.is_empty() || !inner.line.is_empty()
    }

    /// The text lines of the last reply, codes included.
    pub(super) fn reply(&self) -> Vec<String> {
        self.inner().reply.clone()
    }

    /// The address that we are connected to.
    pub(super) fn peer(&self) -> SocketAddr {
        self.inner().peer
    }

    /// The first line of the server's greeting, code included.
    pub(super) fn banner(&self) -> Option<String> {
        self.inner().banner.clone()
    }

    /// Such as `TLS 1.3`, once it protects the connection.
    pub(super) fn tls_version(&self) -> Option<&'static str> {
        self.inner().tls_version
    }

    /// Starts to watch a body.
    pub(super) fn begin_body(&self) {
        self.inner().body = Body::default();
    }

    pub(super) fn body(&self) -> Body {
        self.inner().body
    }

    /// Does the TLS handshake on the plain connection. An error leaves no connection.
    pub(super) async fn upgrade(
        &self,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<()> {
        let tcp = {
            let mut inner = self.inner();
            if !inner.inbox.is_empty() || !inner.line.is_empty() {
                inner.stream = Stream::Gone;
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the server sent more in the clear after its reply to STARTTLS",
                ));
            }
            match std::mem::replace(&mut inner.stream, Stream::Gone) {
                Stream::Plain(tcp) => tcp,
                Stream::Tls(_) | Stream::Gone => return Err(io::ErrorKind::NotConnected.into()),
            }
        };
        let tls = TlsConnector::from(config).connect(name, tcp).await?;
        let mut inner = self.inner();
        inner.tls_version = crate::tls::version(tls.get_ref().1.protocol_version());
        inner.stream = Stream::Tls(Box::new(tls));
        inner.reply.clear();
        Ok(())
    }
}

impl Inner {
    /// Moves the next whole line from `inbox` to `line`; false when there is none.
    fn next_line(&mut self) -> io::Result<bool> {
        let Some(end) = self.inbox.iter().position(|b| *b == b'\n') else {
            if self.inbox.len() > MAX_UNFINISHED_BYTES {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the server sent a line without end",
                ));
            }
            return Ok(false);
        };
        if self.reply.len() >= MAX_REPLY_LINES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the server sent a reply without end",
            ));
        }
        let raw: Vec<u8> = self.inbox.drain(..=end).collect();
        let text = clean(&raw);
        self.line.clear();
        self.line.extend_from_slice(text.as_bytes());
        self.line.extend_from_slice(b"\r\n");
        if self.banner.is_none() {
            self.banner = Some(text.clone());
        }
        self.reply.push(text);
        Ok(true)
    }

    fn note_written(&mut self, bytes: &[u8]) {
        let body = &mut self.body;
        body.written_bytes = body.written_bytes.saturating_add(bytes.len() as u64);
        for b in bytes.iter().skip(bytes.len().saturating_sub(5)) {
            body.tail.rotate_left(1);
            if let Some(last) = body.tail.last_mut() {
                *last = *b;
            }
        }
        if body.tail == FINAL_DOT && body.finished_at.is_none() {
            body.finished_at = Some(Instant::now());
        }
    }
}

/// A reply line without its end: text in UTF-8, no control characters, bounded, and with the
/// blank after the code that RFC 5321 §4.2 allows to be left out.
fn clean(raw: &[u8]) -> String {
    let mut text = String::new();
    for c in String::from_utf8_lossy(raw)
        .trim_end_matches(['\r', '\n'])
        .chars()
    {
        if text.len() >= MAX_LINE_BYTES {
            break;
        }
        text.push(if c.is_control() { ' ' } else { c });
    }
    if text.len() == 3 {
        text.push(' ');
    }
    text
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut guard = self.inner();
        let inner = &mut *guard;
        loop {
            if !inner.line.is_empty() {
                let n = inner.line.len().min(buf.remaining());
                let rest = inner.line.split_off(n);
                buf.put_slice(&inner.line);
                inner.line = rest;
                return Poll::Ready(Ok(()));
            }
            if inner.next_line()? {
                continue;
            }
            let mut block = [0_u8; 4096];
            let mut read = ReadBuf::new(&mut block);
            match &mut inner.stream {
                Stream::Plain(s) => ready!(Pin::new(s).poll_read(cx, &mut read))?,
                Stream::Tls(s) => ready!(Pin::new(s).poll_read(cx, &mut read))?,
                Stream::Gone => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            }
            if read.filled().is_empty() {
                // End of stream: an unfinished line is no reply.
                return Poll::Ready(Ok(()));
            }
            inner.inbox.extend_from_slice(read.filled());
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut guard = self.inner();
        let inner = &mut *guard;
        let written = match &mut inner.stream {
            Stream::Plain(s) => ready!(Pin::new(s).poll_write(cx, buf))?,
            Stream::Tls(s) => ready!(Pin::new(s).poll_write(cx, buf))?,
            Stream::Gone => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        };
        inner.reply.clear();
        inner.note_written(buf.get(..written).unwrap_or(buf));
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner().stream {
            Stream::Plain(s) => Pin::new(s).poll_flush(cx),
            Stream::Tls(s) => Pin::new(s).poll_flush(cx),
            Stream::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner().stream {
            Stream::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Stream::Tls(s) => Pin::new(s).poll_shutdown(cx),
            Stream::Gone => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.inner().peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_lines_are_cleaned_and_bounded() {
        assert_eq!(clean(b"250 ok\r\n"), "250 ok");
        assert_eq!(clean(b"250\r\n"), "250 ");
        assert_eq!(
            clean(b"550 nicht verf\xfcgbar\n"),
            "550 nicht verf\u{fffd}gbar"
        );
        assert_eq!(clean(b"250 a\0b\tc\r\n"), "250 a b c");
        assert!(clean(&[b'x'; 100_000]).len() <= MAX_LINE_BYTES + 4);
    }

    #[tokio::test]
    async fn the_final_dot_is_seen_over_any_split_of_writes() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let wire = Wire::plain(tcp).unwrap();
        wire.begin_body();
        for part in [&b"text\r\n.."[..], b"\r", b"\n", b"."] {
            wire.inner().note_written(part);
            assert!(wire.body().finished_at.is_none());
        }
        wire.inner().note_written(b"\r\n");
        assert!(wire.body().finished_at.is_some());
        assert_eq!(wire.body().written_bytes, 13);
    }
}
