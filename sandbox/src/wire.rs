//! One connection: lines in, bytes out, TLS or not, with the faults of the transport.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A client that takes no bytes for so long is given up.
const WRITE_DEADLINE: Duration = Duration::from_secs(300);
/// A TLS handshake takes no longer than this.
pub(crate) const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(15);
/// After our close, the peer's own close is waited for so long; a socket that is dropped with
/// unread bytes sends RST, which can destroy what we wrote last.
const LINGER: Duration = Duration::from_secs(2);
/// Buffers above this are freed when they are empty: thousands of connections idle.
const KEPT_CAPACITY: usize = 512;
const READ_CHUNK: usize = 16 * 1024;
/// How much output may pile up before it is written.
const OUTPUT_CHUNK: usize = 64 * 1024;

/// The transport below a session.
pub(crate) enum Conn {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// A handshake failed; nothing can be read or written.
    Gone,
}

/// Why nothing more can be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error("Closed by the client")]
    Closed,
    #[error("Line too long")]
    TooLong,
    #[error("Line ends in a bare LF")]
    BareLf,
    #[error("Client silent for too long")]
    Silent,
    /// A fault cut the answer here.
    #[error("Cut by a fault")]
    Cut,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// close_notify, FIN, and the client's own close is waited for.
    Close,
    /// The socket is dropped.
    Abort,
}

impl From<WireError> for Stop {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Cut | WireError::Silent | WireError::TooLong | WireError::BareLf => {
                Self::Close
            }
            WireError::Closed | WireError::Io(_) => Self::Abort,
        }
    }
}

/// Buffered lines over a [`Conn`].
pub(crate) struct Wire {
    conn: Conn,
    input: Vec<u8>,
    /// Bytes of `input` that are read already.
    taken: usize,
    /// How much the next read of an empty buffer asks for.
    read_size: usize,
    out: Vec<u8>,
    /// Close after so many more bytes of output.
    cut: Option<usize>,
    /// Write in pieces of so many bytes, with a pause after each.
    pace: Option<(usize, Duration)>,
    /// Nothing is written before the answer is complete (a gate holds it).
    hold: bool,
    /// The longest silence of the client.
    pub(crate) autologout: Option<Duration>,
}

impl Wire {
    pub(crate) fn new(conn: Conn, autologout: Option<Duration>) -> Self {
        Self {
            conn,
            input: Vec::new(),
            taken: 0,
            read_size: KEPT_CAPACITY,
            out: Vec::new(),
            cut: None,
            pace: None,
            hold: false,
            autologout,
        }
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self.conn, Conn::Tls(_))
    }

    /// Bytes that the client has sent ahead.
    pub(crate) fn buffered(&self) -> usize {
        self.input.len() - self.taken
    }

    /// Throws away what the client has sent ahead.
    pub(crate) fn discard(&mut self) {
        self.input = Vec::new();
        self.taken = 0;
    }

    /// Reads more bytes. Cancel-safe: what was read is kept.
    async fn fill(&mut self) -> Result<(), WireError> {
        if self.taken == self.input.len() {
            self.input.clear();
            self.taken = 0;
            // A small buffer while nothing comes: this is where idle connections sit.
            if self.input.capacity() > self.read_size {
                self.input = Vec::new();
            }
            self.input.reserve(self.read_size);
        } else {
            self.input.drain(..self.taken);
            self.taken = 0;
            self.input.reserve(READ_CHUNK);
        }
        let read = match &mut self.conn {
            Conn::Plain(tcp) => tcp.read_buf(&mut self.input).await?,
            Conn::Tls(tls) => tls.read_buf(&mut self.input).await?,
            Conn::Gone => 0,
        };
        if read == 0 {
            return Err(WireError::Closed);
        }
        // More seems to come when the buffer was filled.
        self.read_size = if read >= KEPT_CAPACITY {
            READ_CHUNK
        } else {
            KEPT_CAPACITY
        };
        Ok(())
    }

    /// The next line with its CRLF taken off; at most `max` bytes. Cancel-safe.
    pub(crate) async fn next_line(&mut self, max: usize) -> Result<Vec<u8>, WireError> {
        self.next_raw_line(max).await.and_then(|mut line| {
            if line.ends_with(b"\r\n") {
                line.truncate(line.len() - 2);
                Ok(line)
            } else {
                Err(WireError::BareLf)
            }
        })
    }

    /// The next line up to and with LF. Cancel-safe.
    async fn next_raw_line(&mut self, max: usize) -> Result<Vec<u8>, WireError> {
        let mut searched = 0;
        loop {
            let unread = self.input.get(self.taken..).unwrap_or_default();
            let fresh = unread.get(searched..).unwrap_or_default();
            if let Some(at) = fresh.iter().position(|b| *b == b'\n') {
                let line = unread.get(..=searched + at).unwrap_or_default().to_vec();
                self.taken += line.len();
                return if line.len() > max {
                    Err(WireError::TooLong)
                } else {
                    Ok(line)
                };
            }
            searched = unread.len();
            if searched > max {
                return Err(WireError::TooLong);
            }
            self.fill().await?;
        }
    }

    /// The next line under the deadline of [`Wire::autologout`].
    pub(crate) async fn read_line(&mut self, max: usize) -> Result<Vec<u8>, WireError> {
        let limit = self.autologout;
        within(limit, self.next_line(max)).await
    }

    /// The next line with its line end, whatever it is.
    pub(crate) async fn read_raw_line(&mut self, max: usize) -> Result<Vec<u8>, WireError> {
        let limit = self.autologout;
        within(limit, self.next_raw_line(max)).await
    }

    /// Appends exactly `count` bytes of input to `to`.
    pub(crate) async fn read_exact(
        &mut self,
        count: usize,
        to: &mut Vec<u8>,
    ) -> Result<(), WireError> {
        let limit = self.autologout;
        let mut left = count;
        while left > 0 {
            if self.buffered() == 0 {
                within(limit, self.fill()).await?;
            }
            let unread = self.input.get(self.taken..).unwrap_or_default();
            let take = unread.len().min(left);
            to.extend_from_slice(unread.get(..take).unwrap_or_default());
            self.taken += take;
            left -= take;
        }
        Ok(())
    }

    /// Reads and forgets until the client closes: a black hole.
    pub(crate) async fn swallow(&mut self) {
        self.out = Vec::new();
        loop {
            self.discard();
            if self.fill().await.is_err() {
                return;
            }
        }
    }

    /// Puts bytes into the output; they go out with the next flush.
    pub(crate) fn push(&mut self, bytes: impl AsRef<[u8]>) {
        self.out.extend_from_slice(bytes.as_ref());
    }

    /// Puts a line into the output.
    pub(crate) fn line(&mut self, line: impl AsRef<[u8]>) {
        self.push(line);
        self.push(b"\r\n");
    }

    /// Close after `bytes` more bytes than are in the output now.
    pub(crate) fn cut_in(&mut self, bytes: usize) {
        let at = self.out.len().saturating_add(bytes);
        self.cut = Some(self.cut.map_or(at, |cut| cut.min(at)));
    }

    /// A cut that the answer was too short for does not meet the next one.
    pub(crate) fn clear_cut(&mut self) {
        self.cut = None;
    }

    /// Sets or ends the slow pace of output.
    pub(crate) fn set_pace(&mut self, pace: Option<(usize, Duration)>) {
        self.pace = pace;
    }

    /// While set, [`Wire::flush_if_large`] keeps everything back.
    pub(crate) fn set_hold(&mut self, hold: bool) {
        self.hold = hold;
    }

    /// Writes the output when much of it has piled up.
    pub(crate) async fn flush_if_large(&mut self) -> Result<(), WireError> {
        if self.out.len() >= OUTPUT_CHUNK && !self.hold {
            self.flush().await?;
        }
        Ok(())
    }

    /// Writes the output.
    pub(crate) async fn flush(&mut self) -> Result<(), WireError> {
        let mut out = std::mem::take(&mut self.out);
        let cut = match self.cut {
            Some(at) if at <= out.len() => {
                out.truncate(at);
                true
            }
            Some(at) => {
                self.cut = Some(at - out.len());
                false
            }
            None => false,
        };
        match self.pace {
            Some((bytes, pause)) => {
                for piece in out.chunks(bytes.max(1)) {
                    self.write(piece).await?;
                    tokio::time::sleep(pause).await;
                }
            }
            None if out.is_empty() => {}
            None => self.write(&out).await?,
        }
        if cut {
            return Err(WireError::Cut);
        }
        if out.capacity() <= KEPT_CAPACITY {
            out.clear();
            self.out = out;
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let write = async {
            match &mut self.conn {
                Conn::Plain(tcp) => tcp.write_all(bytes).await,
                Conn::Tls(tls) => {
                    tls.write_all(bytes).await?;
                    tls.flush().await
                }
                Conn::Gone => Err(io::ErrorKind::NotConnected.into()),
            }
        };
        match timeout(WRITE_DEADLINE, write).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(WireError::Silent),
        }
    }

    /// The TLS handshake on a plain connection. What the client sent ahead is forgotten: it was
    /// not protected (RFC 3207 §4.2, RFC 3501 §6.2.1).
    pub(crate) async fn start_tls(&mut self, acceptor: &TlsAcceptor) -> Result<(), WireError> {
        self.discard();
        match std::mem::replace(&mut self.conn, Conn::Gone) {
            Conn::Plain(tcp) => {
                let accepted = timeout(HANDSHAKE_DEADLINE, acceptor.accept(tcp)).await;
                let tls = accepted.map_err(|_| WireError::Silent)??;
                self.conn = Conn::Tls(Box::new(tls));
                Ok(())
            }
            other => {
                self.conn = other;
                Err(WireError::Io(io::ErrorKind::InvalidInput.into()))
            }
        }
    }

    /// Ends the connection.
    pub(crate) async fn end(mut self, stop: Stop) {
        if stop == Stop::Abort {
            return;
        }
        let ending = async {
            match &mut self.conn {
                Conn::Plain(tcp) => tcp.shutdown().await?,
                Conn::Tls(tls) => tls.shutdown().await?,
                Conn::Gone => return Ok(()),
            }
            // The client's own close.
            let mut sink = [0_u8; 256];
            let tcp = match &mut self.conn {
                Conn::Plain(tcp) => tcp,
                Conn::Tls(tls) => tls.get_mut().0,
                Conn::Gone => return Ok(()),
            };
            while tcp.read(&mut sink).await? > 0 {}
            io::Result::Ok(())
        };
        match timeout(LINGER, ending).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(error)) => tracing::trace!(%error, "Closing a connection failed"),
        }
    }
}

async fn within<T>(
    limit: Option<Duration>,
    read: impl Future<Output = Result<T, WireError>>,
) -> Result<T, WireError> {
    match limit {
        Some(limit) => timeout(limit, read).await.unwrap_or(Err(WireError::Silent)),
        None => read.await,
    }
}
