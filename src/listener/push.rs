//! Whether a server's pushes can be relied on: the rules, as pure functions of time.
//!
//! * An IDLE that ends by itself within a minute is a death, whether the server ended the command
//!   or the connection. Three within [`DEATHS_WINDOW`], or one refusal, and the account is polled
//!   for half an hour, across reconnects; then IDLE is tried again.
//! * Mail that a poll finds although IDLE was up and had long time to announce it is a missed
//!   push. When three of the last six pieces of news within an hour were missed, the server counts
//!   as one that does not push, and is polled more often. Two hours with a push and without a
//!   miss, or a day without a miss, and it is trusted again.

use std::time::Duration;

use crate::store::PushHealth;
use crate::time::UtcMs;

/// An IDLE that lived longer died of something else.
pub(super) const SHORT_LIFE: Duration = Duration::from_secs(60);
/// So many deaths…
const DEATHS: usize = 3;
/// …within this time. Wide enough for reconnects that the login budget spaces a minute apart.
const DEATHS_WINDOW: Duration = Duration::from_secs(600);
/// How long it is polled then.
const POLL_FOR: Duration = Duration::from_secs(1800);
/// Pieces of news that are looked at…
const NEWS: usize = 6;
/// …not older than this…
const NEWS_WINDOW: Duration = Duration::from_secs(3600);
/// …of which so many were missed.
const MISSES: usize = 3;
/// How often a server is polled that does not push, at most.
pub(super) const MUTE_PERIOD: Duration = Duration::from_secs(20);
/// Trusted again after so long without a miss, if a push came meanwhile…
const CLEAN: Duration = Duration::from_secs(2 * 3600);
/// …and after so long in any case.
const CLEAN_SILENT: Duration = Duration::from_secs(24 * 3600);
/// A push has this much time before the poll counts it as missed: Dovecot waits half a second,
/// INTERNALDATE is cut to whole seconds, and the clocks of two machines differ.
const GRACE_MOST: Duration = Duration::from_secs(10);
/// With short intervals at least.
const GRACE_LEAST: Duration = Duration::from_secs(2);

/// Mail that the server received before this moment should have been announced, when a poll that
/// comes every `period` begins at `poll`.
pub(super) fn due_before(poll: UtcMs, period: Duration) -> UtcMs {
    poll.minus((period / 4).clamp(GRACE_LEAST, GRACE_MOST))
}

impl PushHealth {
    /// Whether IDLE is not to be used now. A time further ahead than the rule allows stems from
    /// a clock that was set back.
    pub(super) fn polls(&self, now: UtcMs) -> bool {
        let left = UtcMs(self.poll_until).since(now);
        !left.is_zero() && left <= POLL_FOR
    }

    /// Whether the server counts as one that does not push.
    pub(super) fn is_mute(&self) -> bool {
        self.mute_since > 0
    }

    /// An IDLE died after `life`. Says whether the account is polled from now on.
    pub(super) fn died(&mut self, life: Duration, now: UtcMs) -> bool {
        if life >= SHORT_LIFE {
            return false;
        }
        self.deaths.push(now.0);
        self.deaths.retain(|at| is_recent(*at, now, DEATHS_WINDOW));
        if self.deaths.len() < DEATHS {
            return false;
        }
        let reason = "the server ended IDLE three times in a row within a minute";
        self.poll_from(reason, now);
        true
    }

    /// The server refused IDLE although it offers it.
    pub(super) fn refused(&mut self, now: UtcMs) {
        self.poll_from("the server refuses IDLE", now);
    }

    fn poll_from(&mut self, reason: &str, now: UtcMs) {
        self.deaths.clear();
        self.poll_until = now.plus(POLL_FOR).0;
        reason.clone_into(&mut self.poll_reason);
    }

    /// A push announced mail. Says whether that is worth keeping.
    pub(super) fn pushed(&mut self, now: UtcMs) -> bool {
        let misses = self.news.iter().any(|(_, by_push)| !by_push);
        self.note(now, true);
        // Without a miss in sight it only repeats what is known.
        misses || self.is_mute()
    }

    /// A poll found `mails` that should have been announced. Says whether the server counts as
    /// mute from now on.
    pub(super) fn missed(&mut self, mails: u64, now: UtcMs) -> bool {
        self.push_missed = self.push_missed.saturating_add(mails);
        self.missed_at = now.0;
        self.note(now, false);
        let misses = self.news.iter().filter(|(_, by_push)| !by_push).count();
        if self.is_mute() || misses < MISSES {
            return false;
        }
        self.mute_since = now.0;
        true
    }

    /// Whether a mute server is trusted again by now; done when it is.
    pub(super) fn trust_again(&mut self, now: UtcMs) -> bool {
        if !self.is_mute() {
            return false;
        }
        let clean = now.since(UtcMs(self.missed_at));
        let pushes = |(at, by_push): &(i64, bool)| *by_push && *at > self.missed_at;
        let pushed = self.news.iter().any(pushes);
        // Far ahead of now: the clock was set back, nothing can be said of the time between.
        let odd = self.missed_at > now.plus(CLEAN).0;
        if !(odd || clean >= CLEAN_SILENT || (pushed && clean >= CLEAN)) {
            return false;
        }
        self.mute_since = 0;
        self.news.clear();
        true
    }

    fn note(&mut self, now: UtcMs, by_push: bool) {
        self.news.push((now.0, by_push));
        self.news.retain(|(at, _)| is_recent(*at, now, NEWS_WINDOW));
        let over = self.news.len().saturating_sub(NEWS);
        self.news.drain(..over);
    }
}

fn is_recent(at: i64, now: UtcMs, window: Duration) -> bool {
    at <= now.0 && now.since(UtcMs(at)) < window
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(seconds: i64) -> UtcMs {
        UtcMs(1_700_000_000_000 + seconds * 1000)
    }

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn three_short_idles_in_a_row_are_polled_for_half_an_hour_and_then_tried_again() {
        let mut p = PushHealth::default();
        assert!(!p.died(secs(30), at(0)));
        assert!(!p.died(secs(59), at(90)));
        assert!(!p.polls(at(90)));
        assert!(p.died(secs(10), at(180)));
        assert!(p.polls(at(181)) && p.polls(at(180 + 1799)));
        assert!(!p.polls(at(180 + 1801)));
        // Three further ones until it is polled again.
        assert!(!p.died(secs(1), at(2000)) && !p.died(secs(1), at(2001)));
        assert!(p.died(secs(1), at(2002)));
    }

    #[test]
    fn long_lives_and_deaths_far_apart_are_no_reason_to_poll() {
        let mut p = PushHealth::default();
        for n in 0..20 {
            assert!(!p.died(secs(60), at(n)));
            assert!(!p.died(secs(5), at(n * 400)));
        }
        assert!(!p.polls(at(0)));
    }

    #[test]
    fn a_time_to_poll_until_from_a_clock_that_was_set_back_does_not_hold() {
        let mut p = PushHealth::default();
        p.refused(at(1_000_000));
        assert!(!p.polls(at(0)));
    }

    #[test]
    fn three_missed_pushes_without_a_push_between_make_a_server_mute() {
        let mut p = PushHealth::default();
        assert!(!p.missed(4, at(0)));
        assert!(!p.missed(1, at(60)));
        assert!(p.missed(1, at(120)));
        assert!(p.is_mute());
        assert_eq!(p.push_missed, 6);
        assert!(!p.missed(1, at(180)), "said once");
    }

    #[test]
    fn a_race_now_and_then_on_a_server_that_pushes_is_no_defect() {
        let mut p = PushHealth::default();
        for n in 0..100 {
            for push in 0..3 {
                p.pushed(at(n * 60 + push));
            }
            assert!(!p.missed(1, at(n * 60 + 30)), "{n}");
        }
        assert!(!p.is_mute());
    }

    #[test]
    fn misses_hours_apart_do_not_add_up() {
        let mut p = PushHealth::default();
        for n in 0..10 {
            assert!(!p.missed(1, at(n * 3000)), "{n}");
        }
    }

    #[test]
    fn a_mute_server_is_trusted_after_clean_hours() {
        let mut p = PushHealth::default();
        for n in 0..3 {
            p.missed(1, at(n));
        }
        assert!(!p.trust_again(at(2).plus(3 * HOUR)), "nothing was pushed");
        p.pushed(at(100));
        assert!(!p.trust_again(at(2).plus(HOUR)));
        assert!(p.trust_again(at(2).plus(2 * HOUR)));
        assert!(!p.is_mute());
        for n in 0..3 {
            p.missed(1, at(n));
        }
        assert!(p.trust_again(at(2).plus(24 * HOUR)), "a silent day");
    }

    #[test]
    fn a_push_has_time_before_it_counts_as_missed() {
        let poll = at(600);
        let grace = |period| poll.since(due_before(poll, period));
        assert_eq!(grace(secs(60)), secs(10));
        assert_eq!(grace(secs(20)), secs(5));
        assert_eq!(grace(secs(1)), secs(2));
    }
}
