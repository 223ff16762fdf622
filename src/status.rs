//! One snapshot for /health, the page and `replyd status`; and the board on which listeners
//! note what they know of their account right now.

mod sending;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::config::Settings;
use crate::fault::Fault;
use crate::model::{AccountId, AccountState, FolderRole, MailboxId, OutboxState};
use crate::store::{
    AccountRow, DigestFailure, FolderRow, NoticeBounce, OutboxStatus, SetAside, Store, StoreError,
};
use crate::time::{self, UtcMs};

pub use sending::{CampaignLine, Limited, Sending};

/// Why an account is live that no process holds: cron or the timer looks at it.
pub const SINGLE_PASS: &str = "looked at by a single pass";

/// A listener that made no progress for so long, beyond what it waits for on purpose, hangs.
const STUCK: Duration = Duration::from_secs(900);

/// What the listeners of this process know right now; clones share it. Holds no fact that is
/// not also in the store or read anew at the next look.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
struct Notes {
    verified: HashMap<AccountId, UtcMs>,
    pushed: HashMap<AccountId, UtcMs>,
    states: HashMap<AccountId, (AccountState, String)>,
    gaps: HashMap<MailboxId, (u32, u8)>,
    alone: HashMap<AccountId, (MailboxId, u32)>,
    alive_until: HashMap<AccountId, Instant>,
}

impl Board {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        // A panic while holding it leaves plain data behind: go on with it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A selected mailbox of the account answered OK at `at`.
    pub fn verified(&self, account: AccountId, at: UtcMs) {
        self.notes().verified.insert(account, at);
    }

    /// When the account was last verified by this process.
    #[must_use]
    pub fn verified_at(&self, account: AccountId) -> Option<UtcMs> {
        self.notes().verified.get(&account).copied()
    }

    /// The server pushed news at `at`, which verifies the account as well.
    pub fn pushed(&self, account: AccountId, at: UtcMs) {
        let mut notes = self.notes();
        notes.pushed.insert(account, at);
        notes.verified.insert(account, at);
    }

    /// Notes state and reason; says whether they differ from what was noted before, so that
    /// the store is written only then.
    pub fn changes(&self, account: AccountId, state: AccountState, reason: &str) -> bool {
        let new = (state, reason.to_owned());
        self.notes().states.insert(account, new.clone()).as_ref() != Some(&new)
    }

    /// The state is to be written anew, whatever was noted.
    pub fn forget_state(&self, account: AccountId) {
        self.notes().states.remove(&account);
    }

    /// The listener made progress.
    pub fn alive(&self, account: AccountId) {
        self.alive_for(account, Duration::ZERO);
    }

    /// The listener waits for `wait` now, on purpose.
    pub fn alive_for(&self, account: AccountId, wait: Duration) {
        let until = Instant::now() + wait + STUCK;
        self.notes().alive_until.insert(account, until);
    }

    /// Whether the listener should have made progress since: every await of it has a deadline
    /// far shorter than this, so it hangs.
    #[must_use]
    pub fn is_stuck(&self, account: AccountId) -> bool {
        let now = Instant::now();
        self.notes()
            .alive_until
            .get(&account)
            .is_some_and(|until| now > *until)
    }

    /// Notes which message is being fetched alone, because fetching failed before.
    pub fn note_fetching_alone(&self, account: AccountId, message: Option<(MailboxId, u32)>) {
        let mut notes = self.notes();
        match message {
            Some(message) => notes.alone.insert(account, message),
            None => notes.alone.remove(&account),
        };
    }

    /// Which message was being fetched alone when the session ended.
    #[must_use]
    pub fn fetching_alone(&self, account: AccountId) -> Option<(MailboxId, u32)> {
        self.notes().alone.remove(&account)
    }

    /// Notes that UIDs from `from` on were announced but did not come, or (none) that all came.
    /// Says how many looks in a row found the same gap.
    pub fn gap(&self, mailbox: MailboxId, from: Option<u32>) -> u8 {
        let mut notes = self.notes();
        let Some(from) = from else {
            notes.gaps.remove(&mailbox);
            return 0;
        };
        let entry = notes.gaps.entry(mailbox).or_insert((from, 0));
        if entry.0 == from {
            entry.1 = entry.1.saturating_add(1);
        } else {
            *entry = (from, 1);
        }
        entry.1
    }
}

/// How one account is.
#[derive(Clone, Debug, Serialize)]
pub struct AccountStatus {
    /// Its row.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Whether it stands in the settings: one that was removed needs nobody.
    pub in_settings: bool,
    /// What holds now: a recorded `live` that was not verified for three intervals is `down`.
    pub state: AccountState,
    /// Why, in words.
    pub reason: String,
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
    /// When a sales notice came back to it last; gone when a later one was taken.
    pub notice_bounced_at: Option<UtcMs>,
}

/// Everything that `replyd status` shows.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// When it was taken.
    pub at: UtcMs,
    /// Every outgoing mail goes here instead, if set.
    pub redirect_to: Option<String>,
    /// The accounts.
    pub accounts: Vec<AccountStatus>,
    /// Messages by disposition.
    pub messages: Vec<(String, u64)>,
    /// Replies that were found in a spam folder.
    pub replies_from_spam: u64,
    /// Replies that wait for the actor.
    pub replies_pending: u32,
    /// Replies that could not be processed.
    pub replies_failed: u32,
    /// Drafts that wait for a person.
    pub drafts_open: u32,
    /// Replies that wait for the next digest.
    pub digest_open: u32,
    /// Why the digest to sales cannot be built.
    pub digest_failure: Option<DigestFailure>,
    /// Messages that could not be read and were set aside in the last days.
    pub set_aside: Vec<SetAside>,
    /// The mails that leave.
    pub outbox: OutboxStatus,
    /// What of them is held, and campaigns.
    #[serde(flatten)]
    pub sending: Sending,
}

impl Snapshot {
    /// Reads it from the store; works beside a running process and without one.
    ///
    /// # Errors
    /// What the store says.
    pub async fn take(store: &Store, settings: &Settings) -> Result<Self, StoreError> {
        let at = time::now();
        let fresh = settings.listen.interval.saturating_mul(3);
        let redirect_to = settings.redirect_to.clone();
        let names = settings.account_names.clone();
        store
            .read(move |r| {
                let replies = r.reply_counts()?;
                let bounces = r.notice_bounces()?;
                Ok(Self {
                    at,
                    redirect_to,
                    accounts: r
                        .accounts()?
                        .into_iter()
                        .map(|a| {
                            let bounce = bounces.iter().find(|b| b.account_id == a.id);
                            let in_settings = names.is_empty() || names.contains(&a.name);
                            let folders = r.folders(a.id)?.folders;
                            let mut status = account(a, in_settings, bounce, at, fresh);
                            status.folders = folders;
                            Ok(status)
                        })
                        .collect::<Result<_, StoreError>>()?,
                    messages: r.disposition_counts()?,
                    replies_from_spam: r.replies_from_spam()?,
                    replies_pending: replies.pending,
                    replies_failed: replies.failed,
                    drafts_open: replies.drafts_open,
                    digest_open: replies.digest_open,
                    digest_failure: r.digest_failure()?,
                    set_aside: r.set_aside(at.minus(SET_ASIDE_FOR), OUTBOX_LINES)?,
                    outbox: r.outbox_status(at, OUTBOX_LINES)?,
                    sending: Sending::read(r, at)?,
                })
            })
            .await
    }

    /// Whether something waits that only a person can mend or settle.
    #[must_use]
    pub fn needs_person(&self) -> bool {
        let ours = || self.accounts.iter().filter(|a| a.in_settings);
        ours().any(|a| a.state == AccountState::NeedsSignIn || a.notice_bounced_at.is_some())
            || self.outbox.paused.iter().any(|p| {
                p.state == AccountState::NeedsSignIn && ours().any(|a| a.id == p.account_id)
            })
            || !self.outbox.unknown.is_empty()
            || !self.outbox.rejected.is_empty()
            || !self.set_aside.is_empty()
            || self.digest_failure.is_some()
            || self.drafts_open > 0
            || self.replies_failed > 0
    }

    /// How many mails stand in a state that waits.
    fn depth(&self, state: OutboxState) -> u64 {
        let mut depth = self.outbox.depth.iter();
        depth.find(|(s, _)| *s == state).map_or(0, |(_, n)| *n)
    }
}

/// For how long a message that was set aside asks for a person: nothing tells that somebody
/// looked at it. Afterwards it stands in the counters only.
const SET_ASIDE_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
/// Mails listed by name in a snapshot.
const OUTBOX_LINES: u32 = 20;

fn account(
    a: AccountRow,
    in_settings: bool,
    bounce: Option<&NoticeBounce>,
    now: UtcMs,
    fresh: Duration,
) -> AccountStatus {
    let age = a.verified_at.map(|at| now.since(at));
    let held = a.lease_until > now;
    let left = !held && a.state_reason != SINGLE_PASS;
    let stale = a.state == AccountState::Live && (left || age.is_none_or(|age| age > fresh));
    let (state, reason) = match (stale, held) {
        _ if !in_settings => (AccountState::Down, NOT_IN_SETTINGS.into()),
        (true, true) => (
            AccountState::Down,
            "not verified for three intervals".into(),
        ),
        (true, false) => (
            AccountState::Down,
            "no replyd reads it now: start the service".into(),
        ),
        // A graver state keeps its own reason.
        (false, _) if bounce.is_some() && a.state == AccountState::Live => {
            (AccountState::Degraded, NOTICE_BOUNCED.into())
        }
        (false, _) => (a.state, a.state_reason),
    };
    AccountStatus {
        id: a.id,
        name: a.name,
        in_settings,
        state,
        reason,
        since: a.state_since,
        verified_at: a.verified_at,
        verified_age_s: age.map(|age| age.as_secs()),
        next_try_at: Some(a.next_attempt_at).filter(|at| in_settings && *at > now),
        read_by: a.lease_owner.filter(|_| held),
        folders: Vec::new(),
        notice_bounced_at: bounce.map(|b| b.at),
    }
}

const NOT_IN_SETTINGS: &str = "not in the settings: not read any more";
const NOTICE_BOUNCED: &str = "a sales notice bounced: check reply.sales_email";

/// What is read besides the idling mailbox, and what cannot be read.
fn folders(f: &mut fmt::Formatter<'_>, folders: &[FolderRow]) -> fmt::Result {
    let named: Vec<String> = folders
        .iter()
        .filter_map(|folder| match folder.role {
            FolderRole::Junk => Some(format!("spam folder {:?}", folder.name)),
            FolderRole::Sent => Some(format!("Sent folder {:?}", folder.name)),
            FolderRole::Watched | FolderRole::None => None,
        })
        .collect();
    if !named.is_empty() {
        writeln!(f, "{:<20} reads {}", "", named.join(", "))?;
    }
    for folder in folders.iter().filter(|folder| !folder.trouble.is_empty()) {
        let (name, trouble) = (&folder.name, &folder.trouble);
        writeln!(f, "{:<20} mailbox {name:?} cannot be read: {trouble}", "")?;
    }
    Ok(())
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(to) = &self.redirect_to {
            writeln!(f, "REDIRECT: every outgoing mail goes to {to}")?;
        }
        write!(f, "{}", self.sending)?;
        for a in &self.accounts {
            let verified = a.verified_age_s.map_or_else(
                || "never verified".to_owned(),
                |s| format!("verified {s} s ago"),
            );
            writeln!(f, "{:<20} {:<14} {verified}: {}", a.name, a.state, a.reason)?;
            folders(f, &a.folders)?;
            if let Some(at) = a.next_try_at {
                writeln!(f, "{:<20} next try at {}", "", at.rfc3339())?;
            }
            if let Some(at) = a.notice_bounced_at.filter(|_| a.reason != NOTICE_BOUNCED) {
                writeln!(f, "{:<20} {NOTICE_BOUNCED} (at {})", "", at.rfc3339())?;
            }
        }
        if self.accounts.is_empty() {
            writeln!(f, "No account was ever read.")?;
        }
        let counts: Vec<String> = self
            .messages
            .iter()
            .map(|(d, n)| format!("{d} {n}"))
            .collect();
        writeln!(
            f,
            "messages: {}",
            if counts.is_empty() {
                "none".into()
            } else {
                counts.join(", ")
            }
        )?;
        if self.replies_from_spam > 0 {
            writeln!(
                f,
                "from the spam folder: {} replies",
                self.replies_from_spam
            )?;
        }
        writeln!(
            f,
            "replies: {} pending, {} failed, {} drafts for a person, {} for the next digest",
            self.replies_pending, self.replies_failed, self.drafts_open, self.digest_open
        )?;
        let depth: Vec<String> = self
            .outbox
            .depth
            .iter()
            .map(|(state, n)| format!("{state} {n}"))
            .collect();
        writeln!(
            f,
            "outbox: {}",
            if depth.is_empty() {
                "empty".into()
            } else {
                depth.join(", ")
            }
        )?;
        for p in &self.outbox.paused {
            let (account, state) = (&p.account, p.state);
            match p.fault.parse::<Fault>() {
                Ok(fault) => writeln!(
                    f,
                    "  mails of account {account} wait ({state}): {}",
                    fault.sentence("", &p.reason)
                )?,
                Err(_) => writeln!(
                    f,
                    "  mails of account {account} wait ({state}): {}",
                    p.reason
                )?,
            }
        }
        for m in &self.outbox.unknown {
            writeln!(
                f,
                "  mail {} ({}, {}) may or may not have arrived: replyd outbox settle {} --as sent|resend|cancel",
                m.id, m.kind, m.subject, m.id
            )?;
        }
        let rejected = self.depth(OutboxState::Rejected);
        if rejected > 0 {
            writeln!(
                f,
                "mails refused for good: {rejected}: read why, then replyd outbox settle ID --as cancel"
            )?;
        }
        for m in &self.outbox.rejected {
            writeln!(
                f,
                "  mail {} ({}, {}) was refused: {}",
                m.id, m.kind, m.subject, m.smtp_text
            )?;
        }
        if !self.set_aside.is_empty() {
            writeln!(
                f,
                "messages set aside, for they could not be read: look at them in the mailbox itself"
            )?;
        }
        for m in &self.set_aside {
            writeln!(
                f,
                "  message {} (account {}, mailbox {}, UID {}) since {}",
                m.id,
                m.account,
                m.mailbox,
                m.uid,
                m.at.rfc3339()
            )?;
        }
        if let Some(failure) = &self.digest_failure {
            writeln!(
                f,
                "digest to sales: not built at {}: {}: mend the settings; it is tried again each hour",
                failure.at.rfc3339(),
                failure.reason
            )?;
        }
        if self.replies_failed > 0 {
            writeln!(
                f,
                "failed replies: mend the reason in the log, then replyd process"
            )?;
        }
        if self.drafts_open > 0 {
            writeln!(f, "drafts: replyd drafts list")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
