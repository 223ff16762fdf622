//! The named backoff policies; the only file that uses the `backoff` crate.
//!
//! `backoff` gives the exponential growth. Its own jitter is not used: it is interval ± factor
//! and its limits read real time, while we want full jitter, a hard cap and a pausable clock.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

/// How one kind of attempt is repeated.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    first: Duration,
    cap: Duration,
    full_jitter: bool,
}

/// Reconnecting to an IMAP server: uniform in 0..min(300 s, 2 s × 2ⁿ), so that many accounts
/// of one server do not come back in step.
pub const RECONNECT: Policy = Policy {
    first: Duration::from_secs(2),
    cap: Duration::from_secs(300),
    full_jitter: true,
};

/// A mail that a server deferred: RFC 5321 §4.5.4.1 wants growing intervals; the first are
/// short because a customer waits, the cap keeps a greylisted mail moving.
pub const OUTBOX: Policy = Policy {
    first: Duration::from_secs(30),
    cap: Duration::from_secs(1800),
    full_jitter: false,
};

/// A reply job that failed for a passing reason (a full disk, a locked database).
pub const REPLY_JOB: Policy = Policy {
    first: Duration::from_secs(5),
    cap: Duration::from_secs(600),
    full_jitter: false,
};

/// A token server that gave no answer: three quarters of a token's life have passed, so a quarter
/// of an hour is left to most for trying.
pub const TOKEN: Policy = Policy {
    first: Duration::from_secs(5),
    cap: Duration::from_secs(300),
    full_jitter: false,
};

/// A token server that refuses the client of the settings: a person must mend them, which is
/// tried at once; nothing else is to be expected.
pub const CLIENT: Policy = Policy {
    first: Duration::from_secs(300),
    cap: Duration::from_secs(3600),
    full_jitter: false,
};

/// A port of this machine that another program has: it is taken as soon as that program ends.
pub const PORT: Policy = Policy {
    first: Duration::from_secs(2),
    cap: Duration::from_secs(300),
    full_jitter: false,
};

/// The second try at a model endpoint, within the time of one request.
pub const MODEL: Policy = Policy {
    first: Duration::from_millis(500),
    cap: Duration::from_secs(5),
    full_jitter: false,
};

impl Policy {
    /// The longest wait after `n` failures in a row, `n` counted from 0.
    #[must_use]
    pub fn ceiling(&self, n: u32) -> Duration {
        let mut growth = ExponentialBackoff {
            current_interval: self.first,
            initial_interval: self.first,
            randomization_factor: 0.0,
            multiplier: 2.0,
            max_interval: self.cap,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        // 2^16 times the first interval is beyond every cap here.
        let mut wait = self.first;
        for _ in 0..=n.min(16) {
            wait = growth.next_backoff().unwrap_or(self.cap);
        }
        wait.min(self.cap)
    }

    /// The wait before the next attempt, after `n` failures in a row counted from 0. With
    /// full jitter uniform in 0..=ceiling, else the ceiling with a fifth of it as spread.
    #[must_use]
    pub fn wait(&self, n: u32) -> Duration {
        let ceiling = self.ceiling(n);
        if self.full_jitter {
            ceiling.mul_f64(fastrand::f64())
        } else {
            ceiling.mul_f64(0.8 + 0.2 * fastrand::f64())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconnects_grow_to_five_minutes_and_stay_there() {
        let secs: Vec<u64> = (0..10).map(|n| RECONNECT.ceiling(n).as_secs()).collect();
        assert_eq!(secs, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(RECONNECT.ceiling(u32::MAX).as_secs(), 300);
    }

    #[test]
    fn full_jitter_uses_the_whole_range() {
        let waits: Vec<f64> = (0..2000)
            .map(|_| RECONNECT.wait(20).as_secs_f64())
            .collect();
        assert!(waits.iter().all(|w| (0.0..=300.0).contains(w)));
        assert!(waits.iter().any(|w| *w < 60.0) && waits.iter().any(|w| *w > 240.0));
    }
}
