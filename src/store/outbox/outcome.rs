//! How attempts end, and what a person decides where nobody knows.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::limit::{self, Limit};
use super::{GIVE_UP, StoreError, Tx, bounded, millis};
use crate::model::{AccountId, AccountState, IdSource, MailKind, OutboxId, OutboxState, SentId};
use crate::retry;
use crate::time::UtcMs;

/// How long an account rests after three refused sign-ins: more would lock it.
const SIGN_IN_REST: Duration = Duration::from_secs(3600);
/// Between the first sign-ins: the account may be locked by less than this.
const SIGN_IN_RETRY: Duration = Duration::from_secs(60);
/// Full jitter may give nothing; this is the least.
const DOWN_RETRY: Duration = Duration::from_secs(5);
/// No deferral is longer.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(2 * 3600);

/// Which attempt of which mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The mail.
    pub id: OutboxId,
    /// Its number, counted from 1: the fence against late comers.
    pub number: i64,
    /// When it was booked.
    pub started_at: UtcMs,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The server took the mail.
    Sent {
        /// 250.
        code: u16,
        /// The server's text.
        text: String,
        /// The provider's name for the mail, if its text gives one.
        provider_id: Option<String>,
        /// Canonical Message-IDs by which the provider may have replaced ours, each with its
        /// keyed hash (`Keys::hash`).
        aliases: Vec<(String, String)>,
    },
    /// To be tried again.
    Deferred {
        /// The reply code; none when there was no reply.
        code: Option<u16>,
        /// Why.
        text: String,
        /// Set when the account's server is at fault and not this mail: all mails of the
        /// account wait.
        trouble: Option<AccountState>,
        /// The code word of what is wrong with the server (`fault`), empty when nothing is.
        fault: &'static str,
    },
    /// Refused for good.
    Rejected {
        /// The reply code; none when it is our own refusal.
        code: Option<u16>,
        /// Why.
        text: String,
    },
    /// Handed over without an answer.
    Unknown {
        /// What happened instead.
        why: String,
    },
}

/// What a person says of a mail that waits for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It arrived.
    Sent,
    /// It did not: send it again, under the same Message-ID.
    Resend,
    /// It is not to be sent again.
    Cancel,
}

/// Why an account's mails wait: the value of `meta['smtp:<account>']`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Pause {
    pub(super) state: AccountState,
    pub(super) reason: String,
    #[serde(default)]
    pub(super) fault: String,
    pub(super) since: i64,
    pub(super) failures: u32,
    pub(super) retry_at: i64,
    /// A keyed hash of the sign-in that was looked at last; empty: none was.
    #[serde(default)]
    pub(super) tried: String,
}

/// The row of `meta` with the pause of an account.
pub(in crate::store) fn pause_key(account: AccountId) -> String {
    format!("smtp:{account}")
}

impl Tx<'_> {
    /// Records how an attempt ended, with all that follows from it. A definite verdict also
    /// replaces `unknown` of the same attempt (it came after the lease).
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the row is at another attempt or was settled meanwhile.
    pub fn record_outcome(
        &self,
        attempt: &Attempt,
        verdict: &Verdict,
        now: UtcMs,
    ) -> Result<OutboxState, StoreError> {
        let account = self.account_of(attempt.id)?;
        if let Some((limited, until)) = self.limited(attempt, account, verdict, now)? {
            return self.record(attempt, account, &limited, until, now);
        }
        // Whatever was taken: the limit is over.
        if matches!(verdict, Verdict::Sent { .. }) {
            self.end_pace_stop(account)?;
        }
        self.record(attempt, account, verdict, None, now)
    }

    /// A refusal that says "too many": the account's campaign mails stop, and this mail is
    /// deferred, however finally the server worded it. A campaign mail waits until the stop ends;
    /// an answer is tried again sooner: it goes before any campaign mail.
    fn limited(
        &self,
        attempt: &Attempt,
        account: AccountId,
        verdict: &Verdict,
        now: UtcMs,
    ) -> Result<Option<(Verdict, Option<UtcMs>)>, StoreError> {
        let (code, text, trouble, fault) = match verdict {
            Verdict::Deferred {
                code,
                text,
                trouble,
                fault,
            } => (*code, text, *trouble, *fault),
            Verdict::Rejected { code, text } => (*code, text, None, ""),
            Verdict::Sent { .. } | Verdict::Unknown { .. } => return Ok(None),
        };
        let Some(limit) = limit::of(code, text) else {
            return Ok(None);
        };
        let code_and_text = match code {
            Some(code) => format!("{code} {}", bounded(text)),
            None => bounded(text),
        };
        // An answer is tried every few minutes meanwhile: its refusals are no news, and must not
        // make the stop longer.
        let is_campaign_mail = self.is_campaign_mail(attempt.id)?;
        let stopped = self.pace_stopped_until(account, now)?;
        let until = match stopped.filter(|_| !is_campaign_mail) {
            Some(until) => until,
            None => self.stop_pace(account, limit == Limit::Day, &code_and_text, now)?,
        };
        let waits = is_campaign_mail.then_some(until);
        let deferred = Verdict::Deferred {
            code,
            text: text.clone(),
            trouble,
            fault,
        };
        Ok(Some((deferred, waits)))
    }

    pub(super) fn is_campaign_mail(&self, id: OutboxId) -> Result<bool, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT 1 FROM outbox WHERE id = ?1 AND kind = 'campaign'")?
            .exists([id.0])?)
    }

    /// `limited`: a campaign mail that waits for a limit of its account, until then at least; it
    /// is not given up for that.
    fn record(
        &self,
        attempt: &Attempt,
        account: AccountId,
        verdict: &Verdict,
        limited: Option<UtcMs>,
        now: UtcMs,
    ) -> Result<OutboxState, StoreError> {
        let (state, code, text) = match verdict {
            Verdict::Sent { code, text, .. } => (OutboxState::Sent, Some(*code), text.clone()),
            Verdict::Rejected { code, text } => (OutboxState::Rejected, *code, text.clone()),
            Verdict::Unknown { why } => (OutboxState::Unknown, None, why.clone()),
            Verdict::Deferred { code, text, .. } => {
                let given_up = now.since(self.first_tried_at(attempt)?) >= GIVE_UP;
                if given_up && limited.is_none() {
                    let text = format!("Given up after 5 days: {text}");
                    (OutboxState::Rejected, *code, text)
                } else {
                    (OutboxState::Deferred, *code, text.clone())
                }
            }
        };
        let text = bounded(&text);
        let retry_at = match verdict {
            Verdict::Deferred {
                trouble: Some(trouble),
                fault,
                ..
            } => {
                let retry_at = self.pause_account(account, *trouble, fault, &text, now)?;
                limited.map_or(retry_at, |until| until.max(retry_at))
            }
            Verdict::Deferred { trouble: None, .. } => {
                self.resume_account(account)?;
                limited.unwrap_or_else(|| now.plus(retry::OUTBOX.wait(failures(attempt))))
            }
            // After "unknown" nothing is known of the server either.
            Verdict::Unknown { .. } => now,
            Verdict::Sent { .. } | Verdict::Rejected { .. } => {
                self.resume_account(account)?;
                now
            }
        };
        let finished = matches!(state, OutboxState::Sent | OutboxState::Rejected);
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE outbox
                 SET state = ?3, smtp_code = ?4, smtp_text = ?5, next_attempt_at = ?6,
                     finished_at = ?7,
                     handed_over_at = CASE WHEN ?3 = 'deferred' THEN NULL ELSE handed_over_at END
                 WHERE id = ?1 AND attempts = ?2
                   AND (state = 'sending' OR (state = 'unknown' AND ?3 <> 'unknown'))",
            )?
            .execute(params![
                attempt.id.0,
                attempt.number,
                state.as_str(),
                code,
                text,
                retry_at.0,
                finished.then_some(now.0),
            ])?;
        if changed != 1 {
            return Err(StoreError::Stale(format!("Mail {}", attempt.id)));
        }
        self.note_attempt(attempt, state.as_str(), code, &text, now)?;
        if state == OutboxState::Rejected && limit::is_dead_address(code, &text) {
            self.note_dead_address(attempt.id, now)?;
        }
        if state == OutboxState::Rejected {
            self.not_delivered(attempt.id, &text, now)?;
        }
        if let Verdict::Sent {
            provider_id,
            aliases,
            ..
        } = verdict
        {
            self.accepted(attempt.id, now)?;
            self.keep_provider_id(attempt.id, provider_id.as_deref(), aliases, now)?;
        }
        Ok(state)
    }

    /// Does what a person decided about a mail that waits for one: in `unknown` any of the three,
    /// in `rejected` only [`Settlement::Cancel`]: it was seen, and stops waiting.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Invalid`] for the wrong verdict on a refused mail;
    /// or one that does not wait for a person; [`StoreError::Stale`] when that changed meanwhile.
    pub fn settle(
        &self,
        id: OutboxId,
        settlement: Settlement,
        now: UtcMs,
    ) -> Result<OutboxState, StoreError> {
        let (number, before): (i64, String) = self
            .conn
            .prepare_cached("SELECT attempts, state FROM outbox WHERE id = ?1")?
            .query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?
            .ok_or_else(|| StoreError::NotFound(format!("Mail {id}")))?;
        let before: OutboxState = before.parse()?;
        match (before, settlement) {
            (OutboxState::Unknown, _) | (OutboxState::Rejected, Settlement::Cancel) => {}
            (OutboxState::Rejected, Settlement::Sent | Settlement::Resend) => {
                return Err(StoreError::Invalid(format!(
                    "Mail {id} was refused by the server: only `--as cancel` settles it"
                )));
            }
            _ => {
                return Err(StoreError::Invalid(format!(
                    "Mail {id} is {before}: nothing to settle"
                )));
            }
        }
        let (state, word, text) = match settlement {
            Settlement::Sent => (OutboxState::Sent, "settled_sent", "A person says: sent"),
            Settlement::Resend => (OutboxState::Queued, RESEND, "A person says: send again"),
            Settlement::Cancel => (OutboxState::Cancelled, "cancelled", "A person says: cancel"),
        };
        let again = settlement == Settlement::Resend;
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE outbox SET state = ?2, smtp_text = ?3, next_attempt_at = ?4,
                     finished_at = ?5, handed_over_at = iif(?6, NULL, handed_over_at)
                 WHERE id = ?1 AND state = ?7",
            )?
            .execute(params![
                id.0,
                state.as_str(),
                text,
                now.0,
                (!again).then_some(now.0),
                again,
                before.as_str(),
            ])?;
        if changed != 1 {
            return Err(StoreError::Stale(format!("Mail {id}")));
        }
        let attempt = Attempt {
            id,
            number,
            started_at: now,
        };
        self.note_attempt(&attempt, word, None, text, now)?;
        if settlement == Settlement::Sent {
            self.accepted(id, now)?;
        }
        Ok(state)
    }

    /// One line of a mail's history.
    pub(super) fn note_attempt(
        &self,
        attempt: &Attempt,
        outcome: &str,
        code: Option<u16>,
        text: &str,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO outbox_attempts
                     (outbox_id, started_at, ended_at, outcome, smtp_code, smtp_text)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                attempt.id.0,
                attempt.started_at.0,
                now.0.max(attempt.started_at.0),
                outcome,
                code,
                text,
            ])?;
        Ok(())
    }

    /// What follows from a server's acceptance: sales were told, the campaign mail was sent.
    pub(super) fn accepted(&self, id: OutboxId, now: UtcMs) -> Result<(), StoreError> {
        let kind: String = self
            .conn
            .prepare_cached("SELECT kind FROM outbox WHERE id = ?1")?
            .query_row([id.0], |row| row.get(0))?;
        let kind = kind.parse::<MailKind>()?;
        if matches!(kind, MailKind::SalesNotice | MailKind::SalesDigest) {
            self.forget_notice_bounces(now)?;
        }
        match kind {
            MailKind::SalesNotice => {
                self.conn
                    .prepare_cached(
                        "UPDATE conversations SET sales_team_notified = 1
                         WHERE message_ref = (SELECT j.message_id
                             FROM outbox o JOIN reply_jobs j ON j.id = o.job_id WHERE o.id = ?1)",
                    )?
                    .execute([id.0])?;
            }
            // Sales were told of every reply that the digest lists.
            MailKind::SalesDigest => {
                self.conn
                    .prepare_cached(
                        "UPDATE conversations SET sales_team_notified = 1
                         WHERE message_ref IN
                             (SELECT message_id FROM digest_items WHERE outbox_ref = ?1)",
                    )?
                    .execute([id.0])?;
            }
            MailKind::Campaign => self.campaign_mail_accepted(id, now)?,
            MailKind::Acknowledgment
            | MailKind::Answer
            | MailKind::OptoutConfirmation
            | MailKind::Manual => {}
            // Its note says by itself that it was told.
            MailKind::Alert => self.alert_mail_sent(id)?,
        }
        Ok(())
    }

    /// Keeps the provider's name for the mail, and makes its ids known as ours: a reply may
    /// refer to them. Only mails to leads have a row in `sent_messages`, so a notice never
    /// becomes a key for a lead.
    fn keep_provider_id(
        &self,
        id: OutboxId,
        provider_id: Option<&str>,
        aliases: &[(String, String)],
        now: UtcMs,
    ) -> Result<(), StoreError> {
        if let Some(provider_id) = provider_id {
            self.conn
                .prepare_cached("UPDATE outbox SET provider_id = ?2 WHERE id = ?1")?
                .execute(params![id.0, bounded(provider_id)])?;
        }
        let sent: Option<i64> = self
            .conn
            .prepare_cached("SELECT id FROM sent_messages WHERE outbox_ref = ?1")?
            .query_row([id.0], |row| row.get(0))
            .optional()?;
        if let Some(sent) = sent {
            for (alias, ref_hash) in aliases {
                self.add_sent_id(SentId(sent), alias, IdSource::Provider, ref_hash, now)?;
            }
        }
        Ok(())
    }

    fn account_of(&self, id: OutboxId) -> Result<AccountId, StoreError> {
        self.conn
            .prepare_cached("SELECT account_id FROM outbox WHERE id = ?1")?
            .query_row([id.0], |row| row.get(0))
            .optional()?
            .map(AccountId)
            .ok_or_else(|| StoreError::NotFound(format!("Mail {id}")))
    }

    /// The first attempt since the mail was queued, or since a person queued it again.
    pub(super) fn first_tried_at(&self, attempt: &Attempt) -> Result<UtcMs, StoreError> {
        let first: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT min(started_at) FROM outbox_attempts
                 WHERE outbox_id = ?1 AND id > (SELECT coalesce(max(id), 0) FROM outbox_attempts
                     WHERE outbox_id = ?1 AND outcome = ?2)",
            )?
            .query_row(params![attempt.id.0, RESEND], |row| row.get(0))?;
        Ok(UtcMs(first.unwrap_or(attempt.started_at.0)))
    }

    /// All mails of the account wait; returns until when.
    fn pause_account(
        &self,
        account: AccountId,
        state: AccountState,
        fault: &str,
        reason: &str,
        now: UtcMs,
    ) -> Result<UtcMs, StoreError> {
        let before = self.smtp_pause(account)?.filter(|p| p.state == state);
        let failures = before.as_ref().map_or(0, |p| p.failures);
        let wait = match (state, failures) {
            (AccountState::NeedsSignIn, 0..2) => SIGN_IN_RETRY,
            (AccountState::NeedsSignIn, _) => SIGN_IN_REST,
            _ => retry::RECONNECT.wait(failures).max(DOWN_RETRY),
        };
        let pause = Pause {
            state,
            reason: reason.to_owned(),
            fault: fault.to_owned(),
            since: before.as_ref().map_or(now.0, |p| p.since),
            tried: before.map_or_else(String::new, |p| p.tried),
            failures: failures.saturating_add(1),
            retry_at: now.0.saturating_add(millis(wait)),
        };
        self.set_record(&pause_key(account), &pause)?;
        Ok(UtcMs(pause.retry_at))
    }

    /// The sign-in of an account whose mails wait for one, as a keyed hash. If it is another one than
    /// was refused (or the first that is noted in this pause), its mails are due again. Whether so.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note_smtp_credentials(
        &self,
        account: AccountId,
        hash: &str,
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        let Some(mut pause) = self.smtp_pause(account)? else {
            return Ok(false);
        };
        if pause.state != AccountState::NeedsSignIn || pause.tried == hash {
            return Ok(false);
        }
        // The pause stays, so that its end is told when a mail was really taken; the next refusal
        // begins the waiting anew.
        hash.clone_into(&mut pause.tried);
        pause.failures = 0;
        pause.retry_at = now.0;
        self.set_record(&pause_key(account), &pause)?;
        self.deferred_are_due(account, now)?;
        Ok(true)
    }

    /// What waits for an account's server waits no longer.
    pub(in crate::store) fn deferred_are_due(
        &self,
        account: AccountId,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE outbox SET next_attempt_at = ?2
                 WHERE state = 'deferred' AND state NOT IN ('sent', 'cancelled')
                   AND account_id = ?1 AND next_attempt_at > ?2",
            )?
            .execute(params![account.0, now.0])?;
        Ok(())
    }

    pub(in crate::store) fn resume_account(&self, account: AccountId) -> Result<(), StoreError> {
        self.forget_fact(&pause_key(account))?;
        Ok(())
    }
}

/// The word of a person's resend in `outbox_attempts`.
const RESEND: &str = "resend";

/// Failures in a row before this attempt.
fn failures(attempt: &Attempt) -> u32 {
    u32::try_from(attempt.number.saturating_sub(1)).unwrap_or(0)
}
