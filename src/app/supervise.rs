//! Keeps each account's listener alive: one that ends, panics or hangs is shown and restarted
//! after that account's pause, and the others go on.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::parts::Pulse;
use crate::listener::Listener;
use crate::store::StoreError;

/// Whether a listener hangs is looked at this often.
const LOOK: Duration = Duration::from_secs(30);
/// No listener is restarted faster than this.
const LEAST: Duration = Duration::from_secs(1);
/// An aborted listener ends at its next await; one that does not blocks a thread.
const ABORT: Duration = Duration::from_secs(30);

/// What is kept alive: a listener, or what a test puts in its place.
pub(super) trait Charge: Send + Sync + 'static {
    /// The account's name.
    fn name(&self) -> &str;
    /// Whether it makes no progress although each of its awaits has a deadline.
    fn is_stuck(&self) -> bool;
    /// Listens until the stop.
    fn run(
        self: Arc<Self>,
        stop: CancellationToken,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Shows that it died; how long to wait.
    fn died(&self, why: &str) -> impl Future<Output = Duration> + Send;
}

impl Charge for Listener {
    fn name(&self) -> &str {
        Self::name(self)
    }

    fn is_stuck(&self) -> bool {
        Self::is_stuck(self)
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), StoreError> {
        Self::run(&self, &stop).await
    }

    async fn died(&self, why: &str) -> Duration {
        Self::died(self, why).await
    }
}

/// Restarts `charge` until the stop; tells `pulse` that the account was looked at.
pub(super) async fn supervise<C: Charge>(
    charge: C,
    stop: CancellationToken,
    pulse: Pulse,
) -> anyhow::Result<()> {
    let charge = Arc::new(charge);
    let part = format!("account {}", charge.name());
    while !stop.is_cancelled() {
        pulse.beat(&part);
        let task = tokio::spawn(Arc::clone(&charge).run(stop.clone()));
        let why = ended_or_stuck(task, charge.as_ref(), &part, &pulse).await;
        if stop.is_cancelled() {
            break;
        }
        error!(account = charge.name(), "the listener {why}: restarting it");
        let wait = charge.died(&why).await.max(LEAST);
        let until = tokio::time::Instant::now() + wait;
        while !stop.is_cancelled() && tokio::time::Instant::now() < until {
            pulse.beat(&part);
            let wake = until.min(tokio::time::Instant::now() + LOOK);
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }
    Ok(())
}

/// Waits for a listener's task, and aborts one that makes no progress. Why it ended.
async fn ended_or_stuck<C: Charge>(
    mut task: JoinHandle<Result<(), StoreError>>,
    charge: &C,
    part: &str,
    pulse: &Pulse,
) -> String {
    loop {
        pulse.beat(part);
        tokio::select! {
            ended = &mut task => return words(ended),
            () = tokio::time::sleep(LOOK) => {}
        }
        if charge.is_stuck() {
            error!(account = charge.name(), "the listener hangs: aborting it");
            task.abort();
            if tokio::time::timeout(ABORT, &mut task).await.is_err() {
                // No second one beside it: the watchdog hears of it, as nothing beats any more.
                words((&mut task).await);
            }
            return "hung".into();
        }
    }
}

fn words(ended: Result<Result<(), StoreError>, JoinError>) -> String {
    match ended {
        Ok(Ok(())) => "ended by itself".into(),
        Ok(Err(e)) => format!("ended: {e}"),
        // The text of a panic may hold contents.
        Err(join) if join.is_panic() => "panicked".into(),
        Err(_) => "was aborted".into(),
    }
}

#[cfg(test)]
#[path = "supervise_tests.rs"]
mod tests;
