//! Whether an account hears and sends, and whether the operator is told: pure rules over what the
//! store says at one moment.
//!
//! Damping: what begins is told at once (a refused sign-in), within a minute (a connection that is
//! known to be lost), or after three intervals (silence, whose cause nobody knows). The end is told when the account was well for one interval; each further incident of the
//! same account and kind within a day doubles that, up to an hour. Meanwhile it is one incident:
//! an account that comes and goes is told of once, not at each turn.

use std::time::Duration;

use crate::model::{AccountId, AccountState, AlertTopic};
use crate::store::{AccountRow, Incident, SmtpPause, WatchView};
use crate::time::UtcMs;

/// Incidents of this long ago still damp.
pub(super) const DAMPED_FOR: Duration = Duration::from_secs(24 * 3600);
/// The end of an incident is told at the latest after so long of being well.
const LONGEST_CALM: Duration = Duration::from_secs(3600);
/// The least calm, for short intervals.
const LEAST_CALM: Duration = Duration::from_secs(2);
/// A single pass (cron) knows no interval: so many failed passes in a row are as much.
const FAILED_PASSES: u32 = 3;

/// What is known of an account's hearing, or sending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// Nothing is wrong.
    Well,
    /// Something is, but not for long enough to tell; or it is catching up.
    Unsure,
    /// The operator must know.
    Bad {
        /// `down` or `needs_sign_in`.
        state: AccountState,
        /// Why.
        reason: String,
        /// Since when.
        since: UtcMs,
    },
}

/// Who looks, and by which measure.
#[derive(Clone, Copy, Debug)]
pub(super) enum Watch {
    /// A running replyd, which has looked without a gap since then.
    Running {
        /// Since when.
        since: UtcMs,
        /// An account that was not verified for so long is down.
        fresh: Duration,
        /// One that says itself that it is down is told of after so long.
        lost: Duration,
    },
    /// A single pass, which has just looked.
    Pass {
        /// As above, by the interval of the settings.
        fresh: Duration,
    },
}

/// What is to be done about an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Tell that it began.
    Raise {
        /// `down` or `needs_sign_in`.
        state: AccountState,
        /// Why.
        reason: String,
        /// Since when.
        since: UtcMs,
    },
    /// Tell that a person must sign in by now.
    Worsen {
        /// Why.
        reason: String,
    },
    /// It is well again: the time begins.
    Calm,
    /// It is not well any more.
    Relapse,
    /// Tell that it is over.
    End,
}

/// How an account hears.
pub(super) fn hearing(a: &AccountRow, watch: Watch, now: UtcMs) -> Health {
    let known = a.verified_at.unwrap_or(a.first_started_at);
    // Ahead of now: the clock was set back; what is older than that is not known.
    let verified = if known > now { UtcMs(0) } else { known };
    let (fresh, from, sure) = match watch {
        Watch::Running { since, fresh, .. } => (fresh, verified.max(since), true),
        Watch::Pass { fresh } => {
            let held = a.lease_until > now;
            (fresh, verified, held || a.failures >= FAILED_PASSES)
        }
    };
    let stale = now.since(from) > fresh;
    if a.state == AccountState::NeedsSignIn {
        return Health::Bad {
            state: AccountState::NeedsSignIn,
            reason: a.state_reason.clone(),
            since: a.state_since,
        };
    }
    if let Watch::Running { since, lost, .. } = watch
        && is_lost(a, since, lost, now)
    {
        return Health::Bad {
            state: AccountState::Down,
            reason: a.state_reason.clone(),
            since: from,
        };
    }
    if stale && sure {
        return Health::Bad {
            state: AccountState::Down,
            reason: unverified(a, now.since(from)),
            since: from,
        };
    }
    let hears = matches!(a.state, AccountState::Live | AccountState::Degraded);
    let looked = a.looked_at.is_some_and(|at| now.since(at) <= fresh);
    if hears && looked && now.since(verified) <= fresh {
        Health::Well
    } else {
        Health::Unsure
    }
}

/// Whether an account has said of itself for longer than `lost` that it is down; before `from`
/// nobody watched.
pub(super) fn is_lost(a: &AccountRow, from: UtcMs, lost: Duration, now: UtcMs) -> bool {
    a.state == AccountState::Down && now.since(a.state_since.max(from)) > lost
}

/// Why an account counts as down that says something else.
pub(super) fn unverified(a: &AccountRow, silent: Duration) -> String {
    let long = silent.as_secs();
    match a.state {
        AccountState::Down | AccountState::NeedsSignIn => a.state_reason.clone(),
        AccountState::Live => {
            format!("no answer of its mailbox for {long} s: the listener or the server hangs")
        }
        AccountState::Degraded => {
            format!("no answer of its mailbox for {long} s: {}", a.state_reason)
        }
    }
}

/// How an account's mails leave; mails are late after `late`.
pub(super) fn sending(id: AccountId, view: &WatchView, late: Duration, now: UtcMs) -> Health {
    let pause: Option<&SmtpPause> = view.pauses.iter().find(|p| p.account_id == id);
    let overdue = view.overdue.iter().find(|(account, _)| *account == id);
    match (pause, overdue) {
        (Some(p), _) if p.state == AccountState::NeedsSignIn => Health::Bad {
            state: AccountState::NeedsSignIn,
            reason: p.reason.clone(),
            since: p.since,
        },
        (Some(p), _) if now.since(p.since) > late && view.waiting.contains(&id) => Health::Bad {
            state: AccountState::Down,
            reason: p.reason.clone(),
            since: p.since,
        },
        (Some(_), _) => Health::Unsure,
        (None, Some((_, due))) => Health::Bad {
            state: AccountState::Down,
            reason: format!("mails that were due at {} do not leave", due.rfc3339()),
            since: *due,
        },
        (None, None) => Health::Well,
    }
}

/// What follows for the incident of this account and topic. `recent`: incidents of them that were
/// told within [`DAMPED_FOR`], the open one included.
pub(super) fn decide(
    open: Option<&Incident>,
    health: &Health,
    recent: u32,
    interval: Duration,
    now: UtcMs,
) -> Option<Step> {
    match (open, health) {
        (
            None,
            Health::Bad {
                state,
                reason,
                since,
            },
        ) => Some(Step::Raise {
            state: *state,
            reason: reason.clone(),
            since: *since,
        }),
        (None, Health::Well | Health::Unsure) => None,
        (Some(open), Health::Bad { state, reason, .. }) => {
            if *state == AccountState::NeedsSignIn && open.state == AccountState::Down {
                return Some(Step::Worsen {
                    reason: reason.clone(),
                });
            }
            open.well_since.map(|_| Step::Relapse)
        }
        (Some(open), Health::Unsure) => open.well_since.map(|_| Step::Relapse),
        (Some(open), Health::Well) => match open.well_since {
            None => Some(Step::Calm),
            Some(since) => {
                // Ahead of now: the clock was set back.
                let odd = since > now;
                (odd || now.since(since) >= calm(interval, recent)).then_some(Step::End)
            }
        },
    }
}

/// How long an account must be well until the end of its incident is told.
pub(super) fn calm(interval: Duration, recent: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(recent.saturating_sub(1).min(16));
    interval
        .max(LEAST_CALM)
        .saturating_mul(doubled)
        .min(LONGEST_CALM)
}

/// The incident of an account and topic.
pub(super) fn incident(open: &[Incident], id: AccountId, topic: AlertTopic) -> Option<&Incident> {
    open.iter().find(|i| i.account_id == id && i.topic == topic)
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
