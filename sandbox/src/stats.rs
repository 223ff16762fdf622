//! Counters, and waiting for something to happen without polling.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::verbs::{SmtpVerb, Verb};

/// What was waited for did not happen before the deadline.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Waited {waited:?} in vain for {what}")]
pub struct Timeout {
    /// What was waited for.
    pub what: String,
    /// For how long.
    pub waited: Duration,
}

/// Counters since the start of the sandbox; `open` and `idling` are of this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections accepted, on all listeners.
    pub connections: u64,
    /// Connections open now.
    pub open: u64,
    /// Connections closed at once because `max_connections` was reached.
    pub refused_connections: u64,
    /// TLS handshakes that failed.
    pub tls_failures: u64,
    /// IMAP logins that succeeded.
    pub logins: u64,
    /// IMAP logins that were refused.
    pub failed_logins: u64,
    /// Sessions in IDLE now: their `+` is written and DONE has not come.
    pub idling: u64,
    /// `* n EXISTS` lines sent, but for those of SELECT and EXAMINE.
    pub announcements: u64,
    /// FETCH responses sent.
    pub fetched: u64,
    /// Mails accepted by SMTP.
    pub accepted_mails: u64,
    /// Answers of robots delivered.
    pub robot_replies: u64,
    /// IMAP commands read, by verb.
    pub imap_commands: BTreeMap<Verb, u64>,
    /// SMTP commands read, by verb.
    pub smtp_commands: BTreeMap<SmtpVerb, u64>,
}

impl Stats {
    /// How many IMAP commands of this verb were read.
    #[must_use]
    pub fn imap(&self, verb: Verb) -> u64 {
        self.imap_commands.get(&verb).copied().unwrap_or(0)
    }

    /// How many SMTP commands of this verb were read.
    #[must_use]
    pub fn smtp(&self, verb: SmtpVerb) -> u64 {
        self.smtp_commands.get(&verb).copied().unwrap_or(0)
    }
}

/// One counter of [`Counters`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Count {
    Connections,
    Open,
    RefusedConnections,
    TlsFailures,
    Logins,
    FailedLogins,
    Idling,
    Announcements,
    Fetched,
    AcceptedMails,
    RobotReplies,
}
const COUNTS: usize = Count::RobotReplies as usize + 1;

/// The live counters; each change wakes those who wait.
#[derive(Debug)]
pub(crate) struct Counters {
    plain: [AtomicU64; COUNTS],
    imap: [AtomicU64; Verb::COUNT],
    smtp: [AtomicU64; SmtpVerb::COUNT],
    changed: Notify,
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            plain: std::array::from_fn(|_| AtomicU64::new(0)),
            imap: std::array::from_fn(|_| AtomicU64::new(0)),
            smtp: std::array::from_fn(|_| AtomicU64::new(0)),
            changed: Notify::new(),
        }
    }

    pub(crate) fn add(&self, count: Count) {
        if let Some(counter) = self.plain.get(count as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        self.changed();
    }

    /// Counts up now, and down again when the guard goes.
    pub(crate) fn hold(self: &std::sync::Arc<Self>, count: Count) -> CountGuard {
        self.add(count);
        CountGuard(std::sync::Arc::clone(self), count)
    }

    fn sub(&self, count: Count) {
        if let Some(counter) = self.plain.get(count as usize) {
            counter.fetch_sub(1, Ordering::Relaxed);
        }
        self.changed();
    }

    pub(crate) fn imap(&self, verb: Verb) {
        if let Some(counter) = self.imap.get(verb as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        self.changed();
    }

    pub(crate) fn smtp(&self, verb: SmtpVerb) {
        if let Some(counter) = self.smtp.get(verb as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        self.changed();
    }

    /// Something that somebody may wait for has happened.
    pub(crate) fn changed(&self) {
        self.changed.notify_waiters();
    }

    pub(crate) fn snapshot(&self) -> Stats {
        let plain = |count: Count| {
            self.plain
                .get(count as usize)
                .map_or(0, |c| c.load(Ordering::Relaxed))
        };
        fn by_verb<V: Copy + Ord>(verbs: &[V], counters: &[AtomicU64]) -> BTreeMap<V, u64> {
            let counts = counters.iter().map(|c| c.load(Ordering::Relaxed));
            let pairs = verbs.iter().copied().zip(counts);
            pairs.filter(|(_, n)| *n > 0).collect()
        }
        Stats {
            connections: plain(Count::Connections),
            open: plain(Count::Open),
            refused_connections: plain(Count::RefusedConnections),
            tls_failures: plain(Count::TlsFailures),
            logins: plain(Count::Logins),
            failed_logins: plain(Count::FailedLogins),
            idling: plain(Count::Idling),
            announcements: plain(Count::Announcements),
            fetched: plain(Count::Fetched),
            accepted_mails: plain(Count::AcceptedMails),
            robot_replies: plain(Count::RobotReplies),
            imap_commands: by_verb(&Verb::ALL, &self.imap),
            smtp_commands: by_verb(&SmtpVerb::ALL, &self.smtp),
        }
    }

    /// Asks `probe` now and after each change, until it gives a value or the deadline passes.
    pub(crate) async fn wait<T>(
        &self,
        what: &str,
        deadline: Duration,
        mut probe: impl FnMut() -> Option<T>,
    ) -> Result<T, Timeout> {
        let search = async {
            loop {
                // Listen before looking: a change in between is not lost.
                let mut changed = std::pin::pin!(self.changed.notified());
                changed.as_mut().enable();
                if let Some(found) = probe() {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(deadline, search)
            .await
            .map_err(|_| Timeout {
                what: what.to_owned(),
                waited: deadline,
            })
    }
}

/// Counts down when dropped.
#[derive(Debug)]
pub(crate) struct CountGuard(std::sync::Arc<Counters>, Count);

impl Drop for CountGuard {
    fn drop(&mut self) {
        self.0.sub(self.1);
    }
}
