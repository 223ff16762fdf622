//! A TCP proxy on loopback that puts a delay, round-trip counts, cuts and black holes before any
//! server.
//!
//! Each direction is a reader, a bounded queue of stamped pieces and a writer that waits for each
//! piece's time: bytes keep their order, and the delay does not limit the throughput below
//! [`QUEUE`] × [`PIECE`] bytes a delay. The client's TCP handshake ends at the proxy, so a new
//! connection gets one round trip before its first byte to make up for it.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The largest piece that is read at once.
const PIECE: usize = 16 * 1024;
/// Pieces on the way in each direction.
const QUEUE: usize = 64;
const MAX_CONNECTIONS: usize = 10_000;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a proxy has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProxyStats {
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub open: u64,
    /// How often a client spoke after it had been spoken to (its first words count too): the round
    /// trips that it waited for, as long as it sends only what depends on what it has read.
    pub turns: u64,
    /// Bytes from clients.
    pub to_server: u64,
    /// Bytes from the server.
    pub to_client: u64,
}

#[derive(Default)]
struct Counts {
    connections: AtomicU64,
    open: AtomicU64,
    turns: AtomicU64,
    to_server: AtomicU64,
    to_client: AtomicU64,
}

type Tap = Box<dyn Fn(&[u8]) + Send + Sync>;

struct Inner {
    upstream: SocketAddr,
    tap: OnceLock<Tap>,
    heard: OnceLock<Tap>,
    delay_us: AtomicU64,
    black_hole: watch::Sender<bool>,
    refuse: AtomicBool,
    /// Cancelled, and replaced, by a cut.
    cut: Mutex<CancellationToken>,
    counts: Counts,
    token: CancellationToken,
    tracker: TaskTracker,
}

impl Inner {
    fn delay(&self) -> Duration {
        Duration::from_micros(self.delay_us.load(Ordering::Relaxed))
    }

    fn connection_token(&self) -> CancellationToken {
        let cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        cut.clone()
    }
}

/// A running proxy; dropping it ends it.
pub struct DelayProxy {
    inner: Arc<Inner>,
    address: SocketAddr,
}

impl fmt::Debug for DelayProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelayProxy")
            .field("address", &self.address)
            .field("upstream", &self.inner.upstream)
            .finish_non_exhaustive()
    }
}

impl DelayProxy {
    /// Starts a proxy before `upstream`, with this delay in each direction: half a round trip.
    ///
    /// # Errors
    /// No free port.
    pub async fn start(upstream: SocketAddr, one_way: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let token = CancellationToken::new();
        let inner = Arc::new(Inner {
            upstream,
            tap: OnceLock::new(),
            heard: OnceLock::new(),
            delay_us: AtomicU64::new(0),
            black_hole: watch::Sender::new(false),
            refuse: AtomicBool::new(false),
            cut: Mutex::new(token.child_token()),
            counts: Counts::default(),
            token,
            tracker: TaskTracker::new(),
        });
        let proxy = Self { inner, address };
        proxy.set_delay(one_way);
        let accepting = accept_loop(Arc::clone(&proxy.inner), listener);
        proxy.inner.tracker.spawn(accepting);
        Ok(proxy)
    }

    /// Where clients connect to.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Changes the delay of each direction for what is read from now on.
    pub fn set_delay(&self, one_way: Duration) {
        let micros = u64::try_from(one_way.as_micros()).unwrap_or(u64::MAX);
        self.inner.delay_us.store(micros, Ordering::Relaxed);
    }

    /// Shows each piece to `tap` right before it is written to a client, so that a measurement
    /// knows when the client could first read it. The first call counts, later ones do nothing.
    pub fn watch_client(&self, tap: impl Fn(&[u8]) + Send + Sync + 'static) {
        if self.inner.tap.set(Box::new(tap)).is_err() {
            tracing::debug!("The proxy is watched already");
        }
    }

    /// Shows each piece of a client to `tap` as soon as it was read from it, before the delay.
    /// The first call counts, as with [`DelayProxy::watch_client`].
    pub fn listen_to_client(&self, tap: impl Fn(&[u8]) + Send + Sync + 'static) {
        if self.inner.heard.set(Box::new(tap)).is_err() {
            tracing::debug!("The proxy listens already");
        }
    }

    /// Closes all connections; new ones are possible.
    pub fn cut(&self) {
        let fresh = self.inner.token.child_token();
        let mut cut = self
            .inner
            .cut
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *cut, fresh).cancel();
    }

    /// Holds all bytes of both directions back, without closing anything, until it is switched off:
    /// a network that drops packets. What was held comes then, as TCP would send it again.
    pub fn set_black_hole(&self, on: bool) {
        self.inner.black_hole.send_replace(on);
    }

    /// Closes new connections at once, as long as it is on.
    pub fn set_refuse(&self, on: bool) {
        self.inner.refuse.store(on, Ordering::Relaxed);
    }

    /// The counts since the start.
    #[must_use]
    pub fn stats(&self) -> ProxyStats {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = &self.inner.counts;
        ProxyStats {
            connections: get(&counts.connections),
            open: get(&counts.open),
            turns: get(&counts.turns),
            to_server: get(&counts.to_server),
            to_client: get(&counts.to_client),
        }
    }

    /// Ends all connections and waits until every task is done.
    pub async fn stop(self) {
        self.inner.token.cancel();
        self.inner.tracker.close();
        self.inner.tracker.wait().await;
    }
}

impl Drop for DelayProxy {
    fn drop(&mut self) {
        self.inner.token.cancel();
        self.inner.tracker.close();
    }
}

/// Counts a connection as open while it lives.
struct Open(Arc<Inner>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.counts.open.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn accept_loop(inner: Arc<Inner>, listener: TcpListener) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = inner.token.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let client = match accepted {
            Ok((client, _)) => client,
            Err(error) => {
                tracing::warn!(%error, "Accepting a connection failed");
                tokio::select! {
                    () = inner.token.cancelled() => return,
                    () = sleep(ACCEPT_PAUSE) => continue,
                }
            }
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            continue;
        };
        inner.counts.connections.fetch_add(1, Ordering::Relaxed);
        if inner.refuse.load(Ordering::Relaxed) {
            continue;
        }
        inner.counts.open.fetch_add(1, Ordering::Relaxed);
        let open = Open(Arc::clone(&inner));
        let cut = inner.connection_token();
        let carried = Arc::clone(&inner);
        inner.tracker.spawn(async move {
            let _slot = slot;
            let inner = carried;
            let _open = open;
            tokio::select! {
                () = cut.cancelled() => {}
                carried = Box::pin(carry(&inner, client)) => {
                    if let Err(error) = carried {
                        tracing::debug!(%error, "A proxied connection ended");
                    }
                }
            }
        });
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// One piece of a direction; `None` is the end of the stream.
type Piece = (Instant, Option<Vec<u8>>);

async fn carry(inner: &Arc<Inner>, client: TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    // SYN and SYN-ACK, which the proxy has answered by itself.
    sleep(inner.delay() * 2).await;
    let server = TcpStream::connect(inner.upstream).await?;
    server.set_nodelay(true)?;
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    // Has the client been spoken to since it last spoke? Its first words are a turn, too.
    let spoken_to = Arc::new(AtomicBool::new(true));

    let (up, up_queue) = mpsc::channel::<Piece>(QUEUE);
    let (down, down_queue) = mpsc::channel::<Piece>(QUEUE);
    let from_client = read(inner, client_read, up, |bytes| {
        if let Some(tap) = inner.heard.get() {
            tap(bytes);
        }
        inner
            .counts
            .to_server
            .fetch_add(length(bytes), Ordering::Relaxed);
        if spoken_to.swap(false, Ordering::SeqCst) {
            inner.counts.turns.fetch_add(1, Ordering::Relaxed);
        }
    });
    let from_server = read(inner, server_read, down, |bytes| {
        inner
            .counts
            .to_client
            .fetch_add(length(bytes), Ordering::Relaxed);
    });
    let to_server = write(inner, server_write, up_queue, |_| {});
    // Before the write: a quick client answers before the write has returned.
    let to_client = write(inner, client_write, down_queue, |bytes| {
        spoken_to.store(true, Ordering::SeqCst);
        if let Some(tap) = inner.tap.get() {
            tap(bytes);
        }
    });
    tokio::try_join!(from_client, from_server, to_server, to_client).map(|_| ())
}

async fn read(
    inner: &Inner,
    mut from: OwnedReadHalf,
    queue: mpsc::Sender<Piece>,
    count: impl Fn(&[u8]),
) -> io::Result<()> {
    let mut buffer = vec![0_u8; PIECE];
    loop {
        let read = from.read(&mut buffer).await?;
        let piece = buffer.get(..read).filter(|piece| !piece.is_empty());
        if let Some(piece) = piece {
            count(piece);
        }
        let due = Instant::now() + inner.delay();
        let ended = piece.is_none();
        let sent = queue.send((due, piece.map(<[u8]>::to_vec))).await;
        if ended || sent.is_err() {
            return Ok(());
        }
    }
}

async fn write(
    inner: &Inner,
    mut to: OwnedWriteHalf,
    mut queue: mpsc::Receiver<Piece>,
    before: impl Fn(&[u8]),
) -> io::Result<()> {
    let mut black_hole = inner.black_hole.subscribe();
    while let Some((due, piece)) = queue.recv().await {
        sleep_until(due).await;
        if black_hole.wait_for(|on| !on).await.is_err() {
            return Ok(());
        }
        match piece {
            Some(bytes) => {
                before(&bytes);
                to.write_all(&bytes).await?;
            }
            None => return to.shutdown().await,
        }
    }
    Ok(())
}
