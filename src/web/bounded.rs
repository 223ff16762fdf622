//! A listener whose connections are few and must make progress: nobody who connects and then says
//! nothing, sends a byte at a time, or reads nothing holds a place for long (invariant I8).

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tracing::debug;

/// Connections at the same time; further ones wait to be accepted. 200 open pages with their
/// streams of events have room.
const CONNECTIONS: usize = 1024;
/// Of one address that is not this machine (a proxy, as a rule).
const OF_ONE: usize = 256;
/// Behind its head, a request must be whole and its answer begun within this: longer than any
/// answer takes.
const REQUEST: Duration = Duration::from_secs(90);
/// The head of a request must come within this.
const HEAD: Duration = Duration::from_secs(15);
/// A connection that has answered waits so long for the next request. Events write more often.
const IDLE: Duration = Duration::from_secs(75);
/// Bytes of a head.
const HEAD_BYTES: usize = 64 * 1024;
/// Bytes of one request, and a little.
const BYTES: usize = 3 * 1024 * 1024;
/// What ends the head of a request.
const HEAD_END: &[u8] = b"\r\n\r\n";
/// After an accept that failed, such as for want of open files.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// See the file.
#[derive(Debug)]
pub(super) struct BoundedListener {
    listener: TcpListener,
    address: SocketAddr,
    slots: Arc<Semaphore>,
    peers: Peers,
}

/// How many connections each address has.
#[derive(Clone, Debug, Default)]
struct Peers(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A place among them.
#[derive(Debug)]
struct Place(Peers, IpAddr);

impl Peers {
    /// None: the address has enough.
    fn place(&self, ip: IpAddr) -> Option<Place> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(ip).or_default();
        if *count >= OF_ONE && !ip.to_canonical().is_loopback() {
            return None;
        }
        *count = count.saturating_add(1);
        Some(Place(self.clone(), ip))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = (self.0).0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.1) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                all.remove(&self.1);
            }
        }
    }
}

impl BoundedListener {
    pub(super) fn new(listener: TcpListener, address: SocketAddr) -> Self {
        Self {
            listener,
            address,
            slots: Arc::new(Semaphore::new(CONNECTIONS)),
            peers: Peers::default(),
        }
    }
}

impl Listener for BoundedListener {
    type Io = BoundedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let slot = match Arc::clone(&self.slots).acquire_owned().await {
                Ok(slot) => slot,
                // It is never closed.
                Err(_) => std::future::pending().await,
            };
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let Some(place) = self.peers.place(peer.ip()) else {
                        debug!("an address has too many connections: one more is closed");
                        continue;
                    };
                    if let Err(e) = stream.set_nodelay(true) {
                        debug!("a connection is gone already: {e}");
                    }
                    return (BoundedStream::new(stream, slot, place), peer);
                }
                Err(e) => {
                    debug!("a connection could not be accepted: {e}");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}

/// A connection that ends when it makes no progress.
#[derive(Debug)]
pub(super) struct BoundedStream {
    stream: TcpStream,
    /// Bytes read since something was written.
    read: usize,
    /// How much of the empty line that ends a head was seen; all of it: the head is whole.
    head_end: usize,
    end: Pin<Box<Sleep>>,
    _slot: OwnedSemaphorePermit,
    _place: Place,
}

impl BoundedStream {
    fn new(stream: TcpStream, slot: OwnedSemaphorePermit, place: Place) -> Self {
        Self {
            stream,
            read: 0,
            head_end: 0,
            end: Box::pin(tokio::time::sleep(HEAD)),
            _slot: slot,
            _place: place,
        }
    }

    /// Whether its time is up.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.end.as_mut().poll(cx).is_ready()
    }

    fn ends_in(&mut self, limit: Duration) {
        self.end.as_mut().reset(Instant::now() + limit);
    }

    /// These bytes came.
    fn has_read(&mut self, bytes: &[u8]) {
        if self.read == 0 && !bytes.is_empty() {
            self.ends_in(HEAD);
        }
        self.read = self.read.saturating_add(bytes.len());
        for byte in bytes {
            if self.head_end == HEAD_END.len() {
                return;
            }
            let goes_on = HEAD_END.get(self.head_end) == Some(byte);
            self.head_end = match (goes_on, byte) {
                (true, _) => self.head_end.saturating_add(1),
                (false, b'\r') => 1,
                (false, _) => 0,
            };
            if self.head_end == HEAD_END.len() {
                self.ends_in(REQUEST);
            }
        }
    }

    /// Something of an answer has left.
    fn has_written(&mut self) {
        self.read = 0;
        self.head_end = 0;
        self.ends_in(IDLE);
    }
}

fn over<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut)))
}

impl AsyncRead for BoundedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let most = if self.head_end == HEAD_END.len() {
            BYTES
        } else {
            HEAD_BYTES
        };
        if self.read > most || self.is_over(cx) {
            return over();
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let new = buf.filled().get(before..).unwrap_or_default();
        self.has_read(new);
        polled
    }
}

impl AsyncWrite for BoundedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_over(cx) {
            return over();
        }
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(n)) = &polled
            && *n > 0
        {
            self.has_written();
        }
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_over(cx) {
            return over();
        }
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        if let Poll::Ready(Ok(n)) = &polled
            && *n > 0
        {
            self.has_written();
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
