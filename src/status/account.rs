//! How one account is: what its listener says, unless it has been silent for too long, and beside
//! it how its mails leave and whether its server pushes.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{SINGLE_PASS, remedy};
use crate::config::Settings;
use crate::fault::Fault;
use crate::model::{AccountId, AccountState, FolderRole};
use crate::store::{AccountRow, FolderRow, NoticeBounce, PushHealth, ReplyAddressTrial, SmtpPause};
use crate::time::UtcMs;

/// How one account is.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct AccountStatus {
    /// Its row.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Whether it stands in the settings: one that was removed needs nobody.
    pub in_settings: bool,
    /// What holds now: a recorded `live` that was not verified for three intervals is `down`, and
    /// an account whose mails cannot leave is not `live`.
    pub state: AccountState,
    /// Why, in words.
    pub reason: String,
    /// The code of the fault behind it; empty: none.
    pub fault: String,
    /// What to do; empty: nothing.
    pub remedy: &'static str,
    /// Since when.
    pub since: UtcMs,
    /// Last tagged OK from a selected mailbox.
    pub verified_at: Option<UtcMs>,
    /// How long ago, in seconds.
    pub verified_age_s: Option<u64>,
    /// No connection before, when it waits.
    pub next_try_at: Option<UtcMs>,
    /// Which process reads it now.
    pub read_by: Option<String>,
    /// The folders that are read besides the idling one, and what they are for.
    pub folders: Vec<FolderRow>,
    /// Why its mails wait; none: they do not, as far as is known.
    pub smtp: Option<SmtpStatus>,
    /// Mails that a poll found and no push had announced, since the account is known.
    pub push_missed: u64,
    /// Since when the server counts as one that does not push.
    pub mute_since: Option<UtcMs>,
    /// Polled instead of IDLE until then.
    pub polls_until: Option<UtcMs>,
    /// When a sales notice came back to it last; gone when a later one was taken.
    pub notice_bounced_at: Option<UtcMs>,
    /// When the operator was told of what is not over yet.
    pub told_at: Option<UtcMs>,
    /// Whether mail to an address with a token came in when that was tried last; none: never tried.
    /// A trial of another address than the account has now counts for nothing.
    pub reply_address: Option<ReplyAddressTrial>,
}

/// Why an account's mails wait.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct SmtpStatus {
    /// `needs_sign_in` when the server refuses the credentials, else `down`.
    pub state: AccountState,
    /// The code of the fault behind it; empty: none.
    pub fault: String,
    /// What the server said, or what happened instead.
    pub reason: String,
    /// Since when.
    pub since: UtcMs,
    /// The next try.
    pub next_try_at: UtcMs,
}

/// After how long an account counts as not verified.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fresh {
    /// While a running replyd reads it.
    running: Duration,
    /// Where single passes look at it.
    passes: Duration,
}

impl Fresh {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            running: settings.listen.fresh(),
            passes: settings.listen.interval.saturating_mul(3),
        }
    }
}

/// What is known of an account beside its row.
#[derive(Debug)]
pub(super) struct Beside<'r> {
    pub(super) in_settings: bool,
    pub(super) bounce: Option<&'r NoticeBounce>,
    pub(super) smtp: Option<&'r SmtpPause>,
    pub(super) push: PushHealth,
    pub(super) told_at: Option<UtcMs>,
    pub(super) reply_address: Option<ReplyAddressTrial>,
}

const NOT_IN_SETTINGS: &str = "not in the settings: not read any more";
const NOTICE_BOUNCED: &str =
    "a sales notice or an alert bounced: check reply.sales_email and reply.operator_addresses";

impl AccountStatus {
    /// What holds for a row at `now`.
    pub(super) fn of(
        a: AccountRow,
        folders: Vec<FolderRow>,
        beside: Beside<'_>,
        now: UtcMs,
        fresh: Fresh,
    ) -> Self {
        let age = a.verified_at.map(|at| now.since(at));
        let held = a.lease_until > now;
        let passes = a.state_reason == SINGLE_PASS;
        let limit = if held { fresh.running } else { fresh.passes };
        let claims = matches!(a.state, AccountState::Live | AccountState::Degraded);
        let left = a.state == AccountState::Live && !held && !passes;
        let stale = claims && age.is_none_or(|age| age > limit);
        let (state, reason) = match (left, stale) {
            _ if !beside.in_settings => (AccountState::Down, NOT_IN_SETTINGS.into()),
            (true, _) => (
                AccountState::Down,
                "no replyd reads it now: start the service".into(),
            ),
            (false, true) => (
                AccountState::Down,
                format!("not verified for three intervals: {}", a.state_reason),
            ),
            // A graver state keeps its own reason.
            (false, false) => match (beside.smtp, beside.bounce) {
                (Some(smtp), _) if a.state == AccountState::Live => (
                    AccountState::Degraded,
                    format!("hears, but its mails cannot leave: {}", smtp.reason),
                ),
                (None, Some(_)) if a.state == AccountState::Live => {
                    (AccountState::Degraded, NOTICE_BOUNCED.into())
                }
                _ => (a.state, a.state_reason),
            },
        };
        let ahead = |at: i64| Some(UtcMs(at)).filter(|at| *at > now);
        Self {
            id: a.id,
            name: a.name,
            in_settings: beside.in_settings,
            remedy: if beside.in_settings {
                remedy::of(state, &a.state_fault)
            } else {
                ""
            },
            state,
            reason,
            fault: a.state_fault,
            since: a.state_since,
            verified_at: a.verified_at,
            verified_age_s: age.map(|age| age.as_secs()),
            next_try_at: Some(a.next_attempt_at).filter(|at| beside.in_settings && *at > now),
            read_by: a.lease_owner.filter(|_| held),
            folders,
            smtp: beside
                .smtp
                .filter(|_| beside.in_settings)
                .map(|p| SmtpStatus {
                    state: p.state,
                    fault: p.fault.clone(),
                    reason: p.reason.clone(),
                    since: p.since,
                    next_try_at: p.retry_at,
                }),
            push_missed: beside.push.push_missed,
            mute_since: Some(UtcMs(beside.push.mute_since)).filter(|at| at.0 > 0),
            polls_until: ahead(beside.push.poll_until),
            notice_bounced_at: beside.bounce.map(|b| b.at),
            told_at: beside.told_at.filter(|_| beside.in_settings),
            reply_address: beside.reply_address.filter(|_| beside.in_settings),
        }
    }

    /// What is read besides the idling mailbox, and what cannot be read.
    fn folder_lines(&self) -> Vec<String> {
        let named = self.folders.iter().filter_map(|folder| match folder.role {
            FolderRole::Junk => Some(format!("spam folder {:?}", folder.name)),
            FolderRole::Sent => Some(format!("Sent folder {:?}", folder.name)),
            FolderRole::Watched | FolderRole::None => None,
        });
        let named: Vec<String> = named.collect();
        let mut lines = Vec::new();
        if !named.is_empty() {
            lines.push(format!("reads {}", named.join(", ")));
        }
        let troubled = self.folders.iter().filter(|f| !f.trouble.is_empty());
        lines.extend(
            troubled.map(|f| format!("mailbox {:?} cannot be read: {}", f.name, f.trouble)),
        );
        lines
    }

    /// The lines below the first.
    pub(super) fn details(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |text: String| writeln!(f, "{:<20} {text}", "");
        for text in self.folder_lines() {
            line(text)?;
        }
        if self.state != AccountState::Live && self.in_settings {
            line(format!("since {}", self.since.rfc3339()))?;
        }
        let known = self
            .fault
            .parse::<Fault>()
            .ok()
            .filter(|_| self.in_settings);
        if let Some(fault) = known {
            line(format!("{fault}: {}", fault.title()))?;
        }
        let asks = matches!(self.state, AccountState::Down | AccountState::NeedsSignIn);
        if (asks || known.is_some()) && !self.remedy.is_empty() {
            line(format!("do: {}", self.remedy))?;
        }
        if let Some(at) = self.next_try_at {
            line(format!("next try at {}", at.rfc3339()))?;
        }
        if let Some(smtp) = &self.smtp {
            line(format!(
                "sending: {} since {}, next try at {}: {}",
                smtp.state,
                smtp.since.rfc3339(),
                smtp.next_try_at.rfc3339(),
                smtp.reason
            ))?;
            if let Ok(fault) = smtp.fault.parse::<Fault>() {
                line(format!("{fault}: {}", fault.title()))?;
                line(format!("do: {}", fault.remedy()))?;
            }
        }
        if let Some(at) = self
            .notice_bounced_at
            .filter(|_| self.reason != NOTICE_BOUNCED)
        {
            line(format!("{NOTICE_BOUNCED} (at {})", at.rfc3339()))?;
        }
        if let Some(trial) = self.reply_address.as_ref().filter(|t| t.arrived) {
            line(format!(
                "asks for answers at an address with a token (proven at {})",
                trial.at.rfc3339()
            ))?;
        }
        if self.push_missed > 0 {
            line(format!(
                "{} mails were found by a poll that no push had announced",
                self.push_missed
            ))?;
        }
        if let Some(at) = self.told_at {
            line(format!("the operator was told at {}", at.rfc3339()))?;
        }
        Ok(())
    }
}
