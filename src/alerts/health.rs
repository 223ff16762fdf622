//! The answer to "does it hear, and does it send?" for a monitor: `/health`.

use std::time::Duration;

use serde::Serialize;

use super::judge::{self, Health as Judged};
use crate::config::Settings;
use crate::model::AccountState;
use crate::status::remedy;
use crate::store::{AccountRow, Store, StoreError, WatchView};
use crate::time::UtcMs;

/// What systemd shows of a status line.
const LINE_CHARS: usize = 900;

/// How everything is, at one moment.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Health {
    /// `ok`, or `failing` when something is named in `failing`.
    pub status: &'static str,
    /// When it was looked at.
    pub at: UtcMs,
    /// Who is guilty: names of accounts, and `outbox`.
    pub failing: Vec<String>,
    /// The accounts of the settings.
    pub accounts: Vec<AccountHealth>,
    /// The mails that leave.
    pub outbox: OutboxHealth,
}

/// How one account is.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct AccountHealth {
    /// Its name.
    pub name: String,
    /// Whether a selected mailbox of it answered within three intervals, and its connection is not
    /// known to be lost.
    pub ok: bool,
    /// Its state.
    pub state: AccountState,
    /// Why.
    pub reason: String,
    /// What to do; empty: nothing.
    pub remedy: &'static str,
    /// Since when.
    pub since: Option<UtcMs>,
    /// How long ago a selected mailbox of it answered, in seconds; none: never.
    pub verified_age_s: Option<u64>,
    /// Why its mails do not leave; none: they do, as far as is known.
    pub sending: Option<String>,
}

/// From when on something fails.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Age of the last answer of a selected mailbox.
    fresh: Duration,
    /// Age of the loss of a connection.
    lost: Duration,
    /// Lateness of a mail.
    late: Duration,
}

/// How the outbox is.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct OutboxHealth {
    /// Whether no mail is later than allowed.
    pub ok: bool,
    /// How late a mail may be, in seconds.
    pub late_after_s: u64,
    /// How late the mail is that waits longest among those that are too late, in seconds.
    pub late_s: Option<u64>,
}

impl Health {
    /// Looks at the store.
    ///
    /// # Errors
    /// What the store says.
    pub async fn take(store: &Store, settings: &Settings, now: UtcMs) -> Result<Self, StoreError> {
        let late = settings.alerts.outbox_late;
        let fresh = settings.listen.fresh();
        let limits = Limits {
            fresh,
            lost: settings.alerts.lost_after.min(fresh),
            late,
        };
        let view = store.read(move |r| r.watch_view(now.minus(late))).await?;
        let names: Vec<&str> = settings.accounts.iter().map(|a| a.name.as_str()).collect();
        Ok(Self::of(&view, &names, limits, now))
    }

    /// The judgement; pure.
    fn of(view: &WatchView, names: &[&str], limits: Limits, now: UtcMs) -> Self {
        let late = limits.late;
        let rows = |name: &str| view.accounts.iter().find(|row| row.name == name);
        let accounts: Vec<AccountHealth> = names
            .iter()
            .map(|name| match rows(name) {
                Some(row) => account(row, view, limits, now),
                None => never_looked_at(name),
            })
            .collect();
        let late_s = names
            .iter()
            .filter_map(|name| rows(name))
            .filter_map(|row| match judge::sending(row.id, view, late, now) {
                Judged::Bad {
                    state: AccountState::Down,
                    since,
                    ..
                } => Some(now.since(since).as_secs()),
                _ => None,
            })
            .max();
        let mut failing: Vec<String> = accounts
            .iter()
            .filter(|a| !a.ok)
            .map(|a| a.name.clone())
            .collect();
        if late_s.is_some() {
            failing.push("outbox".into());
        }
        Self {
            status: if failing.is_empty() { "ok" } else { "failing" },
            at: now,
            failing,
            accounts,
            outbox: OutboxHealth {
                ok: late_s.is_none(),
                late_after_s: late.as_secs(),
                late_s,
            },
        }
    }

    /// One line for people, of bounded length: the states, and why where something fails.
    #[must_use]
    pub fn line(&self) -> String {
        let mut words: Vec<String> = self
            .accounts
            .iter()
            .map(|a| match (a.ok, &a.sending) {
                (true, None) => format!("{}: {}", a.name, a.state),
                (true, Some(why)) => format!("{}: {}, mails wait ({why})", a.name, a.state),
                (false, _) => format!("{}: {} ({})", a.name, a.state, a.reason),
            })
            .collect();
        // The guilty first: the line may be cut.
        words.sort_by_key(|w| w.ends_with(": live"));
        let mut line = words.join(", ");
        if let Some(late) = self.outbox.late_s {
            line = format!("outbox late by {late} s, {line}");
        }
        line.chars().take(LINE_CHARS).collect()
    }

    /// Whether nothing fails.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.failing.is_empty()
    }
}

fn account(row: &AccountRow, view: &WatchView, limits: Limits, now: UtcMs) -> AccountHealth {
    let Limits { fresh, lost, late } = limits;
    let age = row.verified_at.map(|at| now.since(at));
    let verified = age.is_some_and(|age| age <= fresh);
    let (state, reason) = if verified || row.state == AccountState::NeedsSignIn {
        (row.state, row.state_reason.clone())
    } else {
        let silent = age.unwrap_or_else(|| now.since(row.first_started_at));
        (AccountState::Down, judge::unverified(row, silent))
    };
    let sending = match judge::sending(row.id, view, late, now) {
        Judged::Bad { reason, .. } => Some(reason),
        Judged::Unsure => view
            .pauses
            .iter()
            .find(|p| p.account_id == row.id)
            .map(|p| p.reason.clone()),
        Judged::Well => None,
    };
    AccountHealth {
        name: row.name.clone(),
        ok: verified
            && state != AccountState::NeedsSignIn
            && !judge::is_lost(row, row.state_since, lost, now),
        state,
        remedy: remedy::of(state, &row.state_fault),
        reason,
        since: Some(row.state_since),
        verified_age_s: age.map(|age| age.as_secs()),
        sending,
    }
}

fn never_looked_at(name: &str) -> AccountHealth {
    AccountHealth {
        name: name.to_owned(),
        ok: false,
        state: AccountState::Down,
        reason: "never looked at".into(),
        remedy: remedy::of(AccountState::Down, ""),
        since: None,
        verified_age_s: None,
        sending: None,
    }
}
