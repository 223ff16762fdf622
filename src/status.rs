//! One snapshot for /health, the page and `replyd status`; and the board on which listeners
//! note what they know of their account right now.

mod account;
pub mod remedy;
mod sending;
mod verified;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

pub use self::account::{AccountStatus, SmtpStatus};
use self::account::{Beside, Fresh};
pub use self::verified::{LookWay, Verified};
use crate::assistant::Assistant;
use crate::config::{ReplyAddress, Settings};
use crate::fault::Fault;
use crate::model::{AccountId, AccountState, EndpointState, MailboxId, OutboxState};
use crate::store::{
    DigestFailure, HookStatus, OutboxStatus, ReplyAddressTrial, ReplyTrouble, SetAside, Store,
    StoreError,
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
    /// When all mailboxes were last known to be looked at whole.
    looked: HashMap<AccountId, UtcMs>,
    /// When a tagged OK of a selected mailbox was last kept in the store.
    heard: HashMap<AccountId, Instant>,
    gaps: HashMap<MailboxId, (u32, u8)>,
    alone: HashMap<AccountId, (MailboxId, u32)>,
    alive_until: HashMap<AccountId, Instant>,
    /// For viewers.
    looks: verified::Looks,
}

impl Board {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        // A panic while holding it leaves plain data behind: go on with it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything in the account's mailboxes that the server had received by `at` was looked at.
    pub fn looked(&self, account: AccountId, at: UtcMs) {
        self.notes().looked.insert(account, at);
    }

    /// Up to when the account's mailboxes were looked at whole.
    #[must_use]
    pub fn looked_at(&self, account: AccountId) -> Option<UtcMs> {
        self.notes().looked.get(&account).copied()
    }

    /// That the account answers was kept just now, or a session begins.
    pub fn heard(&self, account: AccountId) {
        self.notes().heard.insert(account, Instant::now());
    }

    /// Whether a tagged OK in the middle of a look is to be kept: not more often than `every`.
    #[must_use]
    pub fn heard_due(&self, account: AccountId, every: Duration) -> bool {
        let now = Instant::now();
        let kept = self.notes().heard.get(&account).copied();
        kept.is_none_or(|kept| now.saturating_duration_since(kept) >= every)
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
    /// Why they could not, and why others are tried again.
    pub replies_in_trouble: Vec<ReplyTrouble>,
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
    /// The model endpoint; none: there is none in the settings, or it was never asked.
    pub endpoint: Option<EndpointState>,
    /// Programs that are told of replies.
    pub webhooks: Vec<HookStatus>,
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
        let fresh = Fresh::of(settings);
        let redirect_to = settings.redirect_to.clone();
        let names = settings.account_names.clone();
        let senders = settings.senders.clone();
        let hooks: Vec<String> = settings.webhooks.iter().map(|w| w.name.clone()).collect();
        let endpoint = settings.model.as_ref().map(Assistant::name_of);
        store
            .read(move |r| {
                let replies = r.reply_counts()?;
                let bounces = r.notice_bounces()?;
                let pauses = r.smtp_pauses()?;
                let alerts = r.open_alerts()?;
                let mut accounts = Vec::new();
                for row in r.accounts()? {
                    let id = row.id;
                    let asks = |trial: &ReplyAddressTrial| {
                        senders.iter().any(|s| {
                            s.account == row.name
                                && s.reply_address == ReplyAddress::Auto
                                && trial.is_of(&s.address)
                        })
                    };
                    let reply_address = r.reply_address_trial(id)?.filter(asks);
                    let beside = Beside {
                        reply_address,
                        in_settings: names.is_empty() || names.contains(&row.name),
                        bounce: bounces.iter().find(|b| b.account_id == id),
                        smtp: pauses.iter().find(|p| p.account_id == id),
                        push: r.push_health(id)?,
                        told_at: alerts
                            .iter()
                            .filter(|i| i.account_id == id)
                            .map(|i| i.raised_at)
                            .min(),
                    };
                    let folders = r.folders(id)?.folders;
                    accounts.push(AccountStatus::of(row, folders, beside, at, fresh));
                }
                Ok(Self {
                    at,
                    redirect_to,
                    accounts,
                    messages: r.disposition_counts()?,
                    replies_from_spam: r.replies_from_spam()?,
                    replies_pending: replies.pending,
                    replies_failed: replies.failed,
                    replies_in_trouble: r.reply_troubles(OUTBOX_LINES)?,
                    drafts_open: replies.drafts_open,
                    digest_open: replies.digest_open,
                    digest_failure: r.digest_failure()?,
                    set_aside: r.set_aside(at.minus(SET_ASIDE_FOR), OUTBOX_LINES)?,
                    outbox: r.outbox_status(at, OUTBOX_LINES)?,
                    endpoint: match endpoint {
                        Some(name) => r.endpoint_state()?.filter(|s| s.endpoint == name),
                        None => None,
                    },
                    webhooks: r.hook_status(&hooks)?,
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

/// The model endpoint in a line.
fn endpoint_line(e: &EndpointState, at: UtcMs, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let last = e.last_ok_at.map_or_else(
        || "never answered".into(),
        |at| format!("answered {}", at.rfc3339()),
    );
    match e.open_until {
        Some(until) if until > at => writeln!(
            f,
            "model endpoint: left alone until {} after {} failures ({}), last {last}: replyd doctor",
            until.rfc3339(),
            e.failures,
            e.last_error
        ),
        Some(_) => writeln!(
            f,
            "model endpoint: {} failures ({}), the next reply tries it, last {last}: replyd doctor",
            e.failures, e.last_error
        ),
        None if e.failures > 0 => writeln!(
            f,
            "model endpoint: {} failures ({}), last {last}",
            e.failures, e.last_error
        ),
        None => writeln!(f, "model endpoint: answers by {}, last {last}", e.dialect),
    }
}

/// For how long a message that was set aside asks for a person: nothing tells that somebody
/// looked at it. Afterwards it stands in the counters only.
const SET_ASIDE_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
/// Mails listed by name in a snapshot.
const OUTBOX_LINES: u32 = 20;

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
            a.details(f)?;
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
        if let Some(endpoint) = &self.endpoint {
            endpoint_line(endpoint, self.at, f)?;
        }
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
        // Those of the settings are shown with their account.
        let shown = |id| self.accounts.iter().any(|a| a.id == id && a.smtp.is_some());
        for p in self.outbox.paused.iter().filter(|p| !shown(p.account_id)) {
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
        for reply in &self.replies_in_trouble {
            write!(f, "  reply {}", reply.message_id)?;
            if !reply.lead_id.is_empty() {
                write!(f, " of {}", reply.lead_id)?;
            }
            write!(f, ", tried {} times: {}; ", reply.tries, reply.error)?;
            match reply.next_try {
                Some(at) => writeln!(f, "again at {}", at.rfc3339())?,
                None => writeln!(f, "given up")?,
            }
        }
        for hook in self.webhooks.iter().filter(|h| h.retrying + h.failed > 0) {
            writeln!(
                f,
                "webhook {}: {} events wait, {} failed ({}): replyd webhooks deliveries",
                hook.name, hook.due, hook.failed, hook.error
            )?;
        }
        if self.replies_failed > 0 {
            writeln!(f, "failed replies: mend the reason, then replyd process")?;
        }
        if self.drafts_open > 0 {
            writeln!(f, "drafts: replyd drafts list")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
