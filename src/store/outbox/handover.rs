//! The last moment before the body of a mail goes out: what was switched off, opted out of or
//! answered by a person since the claim still stops it.

use rusqlite::{OptionalExtension, params};

use super::gate::{Asked, Passage};
use super::{Attempt, CLAIM_LEASE, HANDOVER_LEASE, StoreError, Tx};
use crate::model::{CampaignLeadId, JobId, OutboxId};
use crate::time::UtcMs;

/// Whether the body may go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handover {
    /// It is noted: from here on a crash makes the mail `unknown`.
    Go,
    /// The gate says otherwise by now; done to the mail as to one that waits.
    Stopped(Passage),
}

impl Tx<'_> {
    /// Prolongs the claim of an attempt that is still worked on. False when it is not ours any
    /// more: another process settled it, and the handover will say so too.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn renew_claim(&self, attempt: &Attempt, now: UtcMs) -> Result<bool, StoreError> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE outbox SET next_attempt_at = ?3
                 WHERE id = ?1 AND state = 'sending' AND attempts = ?2",
            )?
            .execute(params![
                attempt.id.0,
                attempt.number,
                now.plus(CLAIM_LEASE).0
            ])?;
        Ok(changed == 1)
    }

    /// Asks the gate once more, and notes that the body goes out, before it does.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the attempt is not ours any more: the body must not go out.
    pub fn mark_handed_over(&self, attempt: &Attempt, now: UtcMs) -> Result<Handover, StoreError> {
        let passage = self.passage_of(attempt.id, now)?;
        if let Some(passage) = passage.filter(|p| *p != Passage::Leave) {
            let text = "Stopped before the mail was handed over";
            let changed = self
                .conn
                .prepare_cached(
                    "UPDATE outbox SET state = 'deferred', next_attempt_at = ?3, smtp_code = NULL,
                         smtp_text = ?4
                     WHERE id = ?1 AND state = 'sending' AND attempts = ?2
                       AND handed_over_at IS NULL",
                )?
                .execute(params![attempt.id.0, attempt.number, now.0, text])?;
            if changed != 1 {
                return Err(StoreError::Stale(format!("Mail {}", attempt.id)));
            }
            self.note_attempt(attempt, "interrupted", None, text, now)?;
            // A campaign that was paused meanwhile waits as a whole: a mail of it that was marked
            // would be forgotten when it goes on. The next claim asks the gate.
            if passage != Passage::Hold || !self.is_campaign_mail(attempt.id)? {
                self.stop(attempt.id, &passage, now)?;
            }
            return Ok(Handover::Stopped(passage));
        }
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE outbox SET handed_over_at = ?3, next_attempt_at = ?4
                 WHERE id = ?1 AND state = 'sending' AND attempts = ?2 AND handed_over_at IS NULL",
            )?
            .execute(params![
                attempt.id.0,
                attempt.number,
                now.0,
                now.plus(HANDOVER_LEASE).0
            ])?;
        if changed != 1 {
            return Err(StoreError::Stale(format!("Mail {}", attempt.id)));
        }
        self.know_campaign_mail(attempt.id, now)?;
        Ok(Handover::Go)
    }

    /// What the gate says of a mail that waits, or is tried and not handed over yet; none of any
    /// other.
    pub(in crate::store) fn passage_of(
        &self,
        id: OutboxId,
        now: UtcMs,
    ) -> Result<Option<Passage>, StoreError> {
        type Row = (String, bool, Option<i64>, Option<i64>, String, i64, bool);
        let found: Option<Row> = self
            .conn
            .prepare_cached(
                "SELECT kind, automatic, campaign_lead_id, job_id, envelope_to, not_before,
                        to_suppressed
                 FROM outbox
                 WHERE id = ?1 AND state IN ('queued', 'deferred', 'sending')
                   AND (state <> 'sending' OR handed_over_at IS NULL)",
            )?
            .query_row([id.0], |r| {
                Ok((
                    r.get(0)?,
                    r.get(1)?,
                    r.get(2)?,
                    r.get(3)?,
                    r.get(4)?,
                    r.get(5)?,
                    r.get(6)?,
                ))
            })
            .optional()?;
        let Some((kind, automatic, campaign_lead, job, envelope_to, not_before, to_suppressed)) =
            found
        else {
            return Ok(None);
        };
        let asked = Asked {
            kind: kind.parse()?,
            automatic,
            campaign_lead_id: campaign_lead.map(CampaignLeadId),
            job_id: job.map(JobId),
            not_before: (not_before > 0).then_some(UtcMs(not_before)),
            waits: Some(id),
            envelope_to: &envelope_to,
            to_suppressed,
        };
        self.passage(&asked, now).map(Some)
    }
}
