//! A doorbell of capacity one: "sleep until rung, due, or stopped".
//!
//! A bell carries no fact (invariant I4): the fact lies in a table, and losing a ring costs at
//! most one interval. A ring that comes while its worker works is kept, so a worker that
//! looks, then sleeps, never misses one ("listen before you look").

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The bell and its ringers; clones ring the same bell.
#[derive(Clone, Debug, Default)]
pub struct Doorbell(Arc<Notify>);

/// Why a sleeper woke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Somebody rang.
    Rung,
    /// The time was up.
    Due,
    /// The process stops.
    Stopped,
}

impl Doorbell {
    /// Rings; at most one ring is kept while nobody sleeps.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Waits for a ring and consumes it. Safe to cancel.
    pub async fn rung(&self) {
        self.0.notified().await;
    }

    /// Sleeps until rung, until `limit` has passed, or until `stop` fires (which wins).
    pub async fn sleep(&self, limit: Duration, stop: &CancellationToken) -> Woken {
        tokio::select! {
            biased;
            () = stop.cancelled() => Woken::Stopped,
            () = self.0.notified() => Woken::Rung,
            () = tokio::time::sleep(limit) => Woken::Due,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_ring_before_the_sleep_is_kept_and_two_are_one() {
        let bell = Doorbell::default();
        let stop = CancellationToken::new();
        bell.ring();
        bell.ring();
        let hour = Duration::from_secs(3600);
        assert_eq!(bell.sleep(hour, &stop).await, Woken::Rung);
        assert_eq!(bell.sleep(hour, &stop).await, Woken::Due);
    }

    #[tokio::test(start_paused = true)]
    async fn stop_wins_over_a_ring() {
        let bell = Doorbell::default();
        let stop = CancellationToken::new();
        bell.ring();
        stop.cancel();
        assert_eq!(bell.sleep(Duration::ZERO, &stop).await, Woken::Stopped);
    }
}
