//! Requests one after another over several connections, or so many a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::host::Host;

/// The address of the next request.
pub(crate) type Next = Arc<dyn Fn(&mut Rng) -> String + Send + Sync>;

/// What was measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// Microseconds of each answer, the shortest first.
    micros: Vec<u64>,
    /// Answers that were not 200.
    pub(crate) failed: u64,
    /// The largest body.
    pub(crate) bytes: usize,
    /// How long it all took.
    pub(crate) took: Duration,
}

impl Figures {
    pub(crate) fn new(mut micros: Vec<u64>, took: Duration) -> Self {
        micros.sort_unstable();
        Self {
            micros,
            took,
            ..Self::default()
        }
    }

    fn add(&mut self, other: Self) {
        self.micros.extend(other.micros);
        self.micros.sort_unstable();
        self.failed += other.failed;
        self.bytes = self.bytes.max(other.bytes);
        self.took = self.took.max(other.took);
    }

    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        let count = u32::try_from(self.micros.len()).unwrap_or(u32::MAX);
        f64::from(count) / self.took.as_secs_f64().max(0.001)
    }

    /// The time within which so many of a thousand were answered, in milliseconds.
    pub(crate) fn within(&self, of_thousand: usize) -> f64 {
        let last = self.micros.len().saturating_sub(1);
        let at = self.micros.get((last * of_thousand).div_ceil(1000));
        let micros = at.copied().unwrap_or_default();
        f64::from(u32::try_from(micros).unwrap_or(u32::MAX)) / 1000.0
    }
}

/// Asks over `connections`, each as soon as it has its answer.
pub(crate) fn as_fast_as_it_goes(
    host: &Host,
    next: &Next,
    connections: usize,
    lasts: Duration,
) -> Figures {
    host.outside.block_on(async {
        let mut tasks = JoinSet::new();
        for seed in 0..connections {
            let mut client = Client::connect(host.address, &host.token).await;
            let (next, mut rng) = (Arc::clone(next), Rng::with_seed(seed as u64));
            tasks.spawn(async move {
                let (mut figures, began) = (Figures::default(), Instant::now());
                while began.elapsed() < lasts {
                    let asked = Instant::now();
                    let answer = client.get(&next(&mut rng)).await;
                    figures.micros.push(micros(asked.elapsed()));
                    figures.failed += u64::from(answer.status != 200);
                    figures.bytes = figures.bytes.max(answer.bytes);
                }
                figures.took = began.elapsed();
                figures
            });
        }
        let mut all = Figures::default();
        while let Some(figures) = tasks.join_next().await {
            all.add(figures.expect("A client"));
        }
        all
    })
}

/// Asks `rate` times a second, whether the answers keep up or not, until `stop`: each time counts
/// from when the request was due.
pub(crate) async fn paced(
    host: &Host,
    next: &Next,
    rate: u32,
    connections: u32,
    stop: Arc<AtomicBool>,
) -> Figures {
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    let gap = Duration::from_secs(1) * connections / rate;
    for number in 0..connections {
        let mut client = Client::connect(host.address, &host.token).await;
        let (next, mut rng) = (Arc::clone(next), Rng::with_seed(number.into()));
        let stop = Arc::clone(&stop);
        tasks.spawn(async move {
            let mut figures = Figures::default();
            let mut due = Instant::now() + gap * number / connections;
            while !stop.load(Ordering::Relaxed) {
                tokio::time::sleep_until(due.into()).await;
                let answer = client.get(&next(&mut rng)).await;
                figures.micros.push(micros(due.elapsed()));
                figures.failed += u64::from(answer.status != 200);
                figures.bytes = figures.bytes.max(answer.bytes);
                due += gap;
            }
            figures
        });
    }
    let mut all = Figures::default();
    while let Some(figures) = tasks.join_next().await {
        all.add(figures.expect("A client"));
    }
    all.took = began.elapsed();
    all
}

pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
