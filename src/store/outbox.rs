//! The outbox: every mail that leaves has its row and its Message-ID first (invariant I3).
//!
//! States move by guarded updates only (I5). A claim books the attempt (attempts + 1) before
//! anything is tried, and `next_attempt_at` of a row in `sending` is its lease. `attempts` is
//! also the fence: whoever comes back late with an older attempt changes nothing. When the
//! lease passes, a row whose body was not handed over is due again; one whose body was is
//! `unknown`, and only a person moves it from there.

mod campaign;
#[cfg(test)]
mod campaign_tests;
mod cancel;
mod copy;
#[cfg(test)]
mod folders_tests;
mod gate;
mod handover;
mod hours;
mod lanes;
mod limit;
mod outcome;
mod pace;
#[cfg(test)]
mod pace_tests;
mod presence;
mod status;
#[cfg(test)]
mod tests;
mod unread;

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params};

use super::{NewDraft, StoreError, Tx};
use crate::model::{
    AccountId, CampaignLeadId, Inserted, JobId, MailKind, MessageRowId, NewMail, OutboxId,
};
use crate::retry;
use crate::time::{UtcMs, millis};

pub use cancel::Overtaken;
pub use copy::{CopyTold, OwnCopy};
use gate::Asked;
pub use gate::Passage;
pub use handover::Handover;
#[cfg(test)]
use lanes::DUE_SQL;
pub(super) use outcome::pause_key;
pub use outcome::{Attempt, Settlement, Verdict};
pub use pace::PaceStatus;
pub use presence::{OutboxPresence, Recovered};
pub use status::{OutboxItem, OutboxStatus, SmtpPause};

/// How long a claimed mail belongs to its process; whoever works on it prolongs that every
/// [`CLAIM_RENEW`]. So what a dead process held is settled within a minute by another one.
pub const CLAIM_LEASE: Duration = Duration::from_secs(45);
/// How often a claim is prolonged: two prolongations may fail.
pub const CLAIM_RENEW: Duration = Duration::from_secs(15);
/// The lease from the handover on, prolonged in the same way while the final reply is waited for
/// (RFC 5321 §4.5.3.2.6: 10 minutes). A mail whose lease ends is `unknown`, never sent again.
pub(crate) const HANDOVER_LEASE: Duration = CLAIM_LEASE;
/// RFC 5321 §4.5.4.1: give up after 4 to 5 days.
pub(crate) const GIVE_UP: Duration = Duration::from_secs(5 * 24 * 3600);

/// Mails that one claim withdraws or holds before it lets others write.
const STOPPED_PER_CLAIM: usize = 100;
/// What is kept of a server's text.
const MAX_TEXT_CHARS: usize = 500;

/// A mail whose attempt is booked. `Debug` shows neither addresses nor contents.
#[derive(Clone)]
pub struct ClaimedMail {
    /// Which attempt of which row; goes back with the outcome.
    pub attempt: Attempt,
    /// Through whose SMTP server it leaves.
    pub account_id: AccountId,
    /// What it is.
    pub kind: MailKind,
    /// The conversation it belongs to.
    pub campaign_lead_id: Option<CampaignLeadId>,
    /// Canonical Message-ID.
    pub rfc_message_id: String,
    /// Envelope sender.
    pub envelope_from: String,
    /// Envelope recipient.
    pub envelope_to: String,
    /// The whole message.
    pub raw: Vec<u8>,
}

impl std::fmt::Debug for ClaimedMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClaimedMail")
            .field("attempt", &self.attempt)
            .field("account_id", &self.account_id)
            .field("kind", &self.kind)
            .field("bytes", &self.raw.len())
            .finish_non_exhaustive()
    }
}

/// What a claim found and did.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    /// The mail to be sent now, if one is due.
    pub mail: Option<ClaimedMail>,
    /// Mails that the gate did not let pass, and what became of each.
    pub stopped: Vec<(OutboxId, Passage)>,
    /// Accounts whose Sent folder has to be read before their mails leave.
    pub unread: Vec<AccountId>,
    /// Mails whose lease passed after the handover: a person decides.
    pub unknown: Vec<OutboxId>,
}

/// A due row, before the gate.
struct Due {
    mail: ClaimedMail,
    automatic: bool,
}

impl Tx<'_> {
    /// Puts a composed mail into the outbox. The same job, kind and round again, the same
    /// Message-ID of a mail without a job, or a second campaign mail to the same lead, is a
    /// duplicate and changes nothing. Automatic mail is held from the start where automation is
    /// off.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a Message-ID or an envelope that cannot be sent, a Message-ID
    /// that another mail has, or a person's mail to an address that wants none; otherwise what
    /// SQLite says.
    pub fn enqueue(&self, mail: &NewMail, now: UtcMs) -> Result<Inserted<OutboxId>, StoreError> {
        self.enqueue_as(mail, false, now)
    }

    /// As [`Tx::enqueue`]; with `to_suppressed` a person's mail goes also to an address that wants
    /// no mail, which stays so.
    ///
    /// # Errors
    /// As there.
    pub fn enqueue_as(
        &self,
        mail: &NewMail,
        to_suppressed: bool,
        now: UtcMs,
    ) -> Result<Inserted<OutboxId>, StoreError> {
        let to_suppressed = to_suppressed && !mail.automatic;
        check_id(&mail.rfc_message_id)?;
        for address in [&mail.envelope_from, &mail.envelope_to] {
            if address.chars().any(char::is_control) {
                return Err(StoreError::Invalid(
                    "An envelope address holds a control character".into(),
                ));
            }
        }
        let job = mail.job_id.map(|id| id.0);
        let passage = self.passage(&Asked::of(mail, to_suppressed), now)?;
        if let Passage::Refuse(why) = passage {
            return Err(StoreError::Invalid(why));
        }
        let inserted = self
            .conn
            .prepare_cached(
                "INSERT INTO outbox (job_id, account_id, kind, round, campaign_lead_id, automatic,
                     rfc_message_id, envelope_from, envelope_to, subject, body, body_digest, raw,
                     next_attempt_at, created_at, held, to_suppressed, campaign_id, not_before,
                     to_domain)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                     CASE WHEN ?3 = 'campaign'
                          THEN (SELECT campaign_id FROM campaign_leads WHERE id = ?5) END,
                     iif(?14 > ?15, ?14, 0),
                     CASE WHEN ?6 THEN coalesce(
                         (SELECT substr(l.email_key, instr(l.email_key, '@') + 1)
                          FROM campaign_leads cl JOIN leads l ON l.id = cl.lead_id
                          WHERE cl.id = ?5 AND instr(l.email_key, '@') > 0), '') ELSE '' END)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                job,
                mail.account_id.0,
                mail.kind.as_str(),
                mail.round,
                mail.campaign_lead_id.map(|id| id.0),
                mail.automatic,
                mail.rfc_message_id,
                mail.envelope_from,
                mail.envelope_to,
                mail.subject,
                mail.body,
                mail.body_digest,
                mail.raw,
                mail.next_attempt_at.0,
                now.0,
                // A campaign that is switched off is passed over as a whole.
                passage == Passage::Hold && mail.kind != MailKind::Campaign,
                to_suppressed,
            ])?;
        if inserted == 1 {
            let id = OutboxId(self.conn.last_insert_rowid());
            self.note_queued(id, mail, now)?;
            return Ok(Inserted::New(id));
        }
        self.conn
            .prepare_cached(
                "SELECT id FROM outbox
                 WHERE (job_id = ?1 AND kind = ?2 AND round = ?3)
                    OR (?1 IS NULL AND job_id IS NULL AND rfc_message_id = ?4)
                    OR (?2 = 'campaign' AND kind = 'campaign'
                        AND state NOT IN ('rejected', 'cancelled') AND campaign_lead_id = ?5)",
            )?
            .query_row(
                params![
                    job,
                    mail.kind.as_str(),
                    mail.round,
                    mail.rfc_message_id,
                    mail.campaign_lead_id.map(|id| id.0)
                ],
                |row| row.get(0),
            )
            .optional()?
            .map(|id| Inserted::Duplicate(OutboxId(id)))
            .ok_or_else(|| StoreError::Invalid("Another mail has this Message-ID".into()))
    }

    /// Books an attempt of the mail that goes next, of accounts that are neither `busy` nor
    /// paused. Settles leases that have passed first, and asks the gate of each mail: what may
    /// not leave is withdrawn, held or made a draft here, in the same transaction. While all mail
    /// is redirected for a trial, campaign mails that were not queued for it wait: a trial must
    /// not use up a campaign.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn claim_outbox(
        &self,
        now: UtcMs,
        lease: Duration,
        busy: &[AccountId],
        redirect: Option<&str>,
    ) -> Result<Claim, StoreError> {
        let mut claim = Claim {
            unknown: self.expire_leases(now)?,
            ..Claim::default()
        };
        let busy = serde_json::to_string(busy)
            .map_err(|e| StoreError::Invalid(format!("Account list: {e}")))?;
        while claim.stopped.len() < STOPPED_PER_CLAIM {
            let Some(due) = self.next_due_mail(now, &busy, redirect)? else {
                break;
            };
            let id = due.mail.attempt.id;
            let mut passage = self.passage_of(id, now)?.unwrap_or(Passage::Leave);
            if passage == Passage::Leave
                && due.automatic
                && let Some(unread) = self.sent_unread(id, now)?
            {
                claim.unread.push(due.mail.account_id);
                passage = unread;
            }
            if passage != Passage::Leave {
                self.stop(id, &passage, now)?;
                claim.stopped.push((id, passage));
                continue;
            }
            self.conn
                .prepare_cached(
                    "UPDATE outbox
                     SET state = 'sending', attempts = ?2, next_attempt_at = ?3, handed_over_at = NULL
                     WHERE id = ?1 AND state IN ('queued', 'deferred') AND attempts = ?2 - 1",
                )?
                .execute(params![id.0, due.mail.attempt.number, now.plus(lease).0])?;
            let mut mail = due.mail;
            let campaign = mail.kind == MailKind::Campaign;
            if campaign {
                self.take_pace(mail.account_id, now)?;
            }
            if campaign || self.waited_on_purpose(id)? {
                mail.raw = self.redate(id, mail.raw, now)?;
            }
            claim.mail = Some(mail);
            break;
        }
        Ok(claim)
    }

    /// Gives back what a dead process left in `sending`, whatever its lease. The caller knows
    /// that no other worker lives ([`super::Store::join_outbox`]).
    ///
    /// # Errors
    /// What SQLite says.
    pub fn recover_outbox(&self, now: UtcMs) -> Result<Recovered, StoreError> {
        // A clock that ran ahead once must not hold mails back for long.
        self.conn.execute(
            "UPDATE outbox SET next_attempt_at = ?1
             WHERE state NOT IN ('sent', 'cancelled') AND state = 'deferred'
               AND next_attempt_at > ?2",
            params![now.0, now.plus(outcome::LONGEST_WAIT).0],
        )?;
        self.give_back(now, i64::MAX)
    }

    fn expire_leases(&self, now: UtcMs) -> Result<Vec<OutboxId>, StoreError> {
        Ok(self.give_back(now, now.0)?.unknown)
    }

    /// Settles every row in `sending` whose lease ends until `leased_until`.
    fn give_back(&self, now: UtcMs, leased_until: i64) -> Result<Recovered, StoreError> {
        let rows: Vec<(i64, i64, Option<i64>)> = self
            .conn
            .prepare_cached(
                "SELECT id, attempts, handed_over_at FROM outbox
                 WHERE state = 'sending' AND next_attempt_at <= ?1",
            )?
            .query_map([leased_until], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?
            .collect::<Result<_, _>>()?;
        let mut recovered = Recovered::default();
        for (id, number, handed_over_at) in rows {
            let attempt = Attempt {
                id: OutboxId(id),
                number,
                started_at: UtcMs(handed_over_at.unwrap_or(now.0)),
            };
            if handed_over_at.is_some() {
                let why = "The process ended after the mail was handed over and before the server's answer was recorded";
                self.record_outcome(&attempt, &Verdict::Unknown { why: why.into() }, now)?;
                recovered.unknown.push(attempt.id);
            } else if now.since(self.first_tried_at(&attempt)?) >= GIVE_UP {
                let verdict = Verdict::Rejected {
                    code: None,
                    text: "Given up after 5 days: the process ended at each attempt".into(),
                };
                self.record_outcome(&attempt, &verdict, now)?;
            } else {
                // At once after the first attempt; later with growing waits, so that a mail
                // that brings the process down does not hold up the others.
                let wait = match u32::try_from(number.saturating_sub(2)) {
                    Ok(n) => retry::OUTBOX.wait(n),
                    Err(_) => Duration::ZERO,
                };
                self.back_to_queue(&attempt, now.plus(wait), now)?;
                recovered.due_again.push(attempt.id);
            }
        }
        Ok(recovered)
    }

    fn back_to_queue(&self, a: &Attempt, due: UtcMs, now: UtcMs) -> Result<(), StoreError> {
        let text = "The process ended before the mail was handed over";
        self.conn
            .prepare_cached(
                "UPDATE outbox SET state = 'deferred', next_attempt_at = ?3, smtp_code = NULL,
                     smtp_text = ?4
                 WHERE id = ?1 AND state = 'sending' AND attempts = ?2 AND handed_over_at IS NULL",
            )?
            .execute(params![a.id.0, a.number, due.0, text])?;
        self.note_attempt(a, "interrupted", None, text, now)
    }

    /// Does to a mail that still waits what the gate says.
    pub(super) fn stop(
        &self,
        id: OutboxId,
        passage: &Passage,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        match passage {
            Passage::Leave => Ok(()),
            Passage::Hold => self.hold(id),
            Passage::Later(until) | Passage::SentUnread(until) => self.put_off(id, *until),
            Passage::Closed(until) => self.wait_for_hours(id, *until),
            Passage::Withdraw(why) => self.end(id, "cancelled", why, now),
            Passage::Refuse(why) => self.end(id, "rejected", why, now),
            Passage::Draft(why) => {
                self.draft_of(id, why, now)?;
                self.end(id, "cancelled", &format!("Made a draft: {why}"), now)
            }
        }
    }

    fn hold(&self, id: OutboxId) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE outbox SET held = 1 WHERE id = ?1 AND state IN ('queued', 'deferred')",
            )?
            .execute([id.0])?;
        Ok(())
    }

    fn put_off(&self, id: OutboxId, until: UtcMs) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE outbox SET next_attempt_at = ?2
                 WHERE id = ?1 AND state IN ('queued', 'deferred')",
            )?
            .execute(params![id.0, until.0])?;
        Ok(())
    }

    /// The mail will not leave. People do not read it in its thread as if it had.
    pub(super) fn end(
        &self,
        id: OutboxId,
        state: &str,
        why: &str,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE outbox SET state = ?2, held = 0, smtp_text = ?3, finished_at = ?4
                 WHERE id = ?1 AND state IN ('queued', 'deferred')",
            )?
            .execute(params![id.0, state, why, now.0])?;
        if changed == 1 {
            self.conn
                .prepare_cached("DELETE FROM conversations WHERE outbox_ref = ?1")?
                .execute([id.0])?;
        }
        Ok(())
    }

    /// Keeps the text of an answer for a person. A mail that answers no reply has no draft.
    pub(super) fn draft_of(&self, id: OutboxId, why: &str, now: UtcMs) -> Result<(), StoreError> {
        let found: Option<(i64, i64, i64, String, String, String)> = self
            .conn
            .prepare_cached(
                "SELECT j.id, o.campaign_lead_id, j.message_id, o.subject, o.body, o.kind
                 FROM outbox o JOIN reply_jobs j ON j.id = o.job_id
                 WHERE o.id = ?1 AND o.campaign_lead_id IS NOT NULL",
            )?
            .query_row([id.0], |r| {
                Ok((
                    r.get(0)?,
                    r.get(1)?,
                    r.get(2)?,
                    r.get(3)?,
                    r.get(4)?,
                    r.get(5)?,
                ))
            })
            .optional()?;
        let Some((job, campaign_lead, message, subject, body, kind)) = found else {
            return Ok(());
        };
        self.insert_draft(
            &NewDraft {
                job_id: JobId(job),
                campaign_lead_id: CampaignLeadId(campaign_lead),
                message_id: MessageRowId(message),
                subject: &subject,
                body: &body,
                reason: why,
                tool: match kind.parse()? {
                    MailKind::Acknowledgment => "acknowledgment",
                    MailKind::Answer => "document_rag",
                    _ => "unknown",
                },
                // It was to be sent as it stands.
                wants_text: false,
            },
            now,
        )?;
        Ok(())
    }
}

fn due_mail(row: &Row<'_>, now: UtcMs) -> Result<Due, StoreError> {
    let kind: String = row.get(3)?;
    let attempts: i64 = row.get(1)?;
    Ok(Due {
        automatic: row.get(5)?,
        mail: ClaimedMail {
            attempt: Attempt {
                id: OutboxId(row.get(0)?),
                number: attempts.saturating_add(1),
                started_at: now,
            },
            account_id: AccountId(row.get(2)?),
            kind: kind.parse()?,
            campaign_lead_id: row.get::<_, Option<i64>>(4)?.map(CampaignLeadId),
            rfc_message_id: row.get(6)?,
            envelope_from: row.get(7)?,
            envelope_to: row.get(8)?,
            raw: row.get(9)?,
        },
    })
}

fn check_id(id: &str) -> Result<(), StoreError> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>');
    if id.is_empty() || id.contains(odd) {
        return Err(StoreError::Invalid(
            "A mail without a canonical Message-ID is not sent".into(),
        ));
    }
    Ok(())
}

/// A server's text as it is kept: bounded, one line.
fn bounded(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_TEXT_CHARS)
        .collect()
}
