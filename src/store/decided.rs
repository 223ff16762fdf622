//! What has been decided of a reply, or after it: by a person, by a newer reply of the lead, by the
//! same mail in another mailbox, or by an earlier attempt.

use rusqlite::{OptionalExtension, params};

use super::{ClaimedJob, JobContext, Reader, StoreError, Tx};
use crate::model::{GoalType, Intent, JobId, MessageRowId, Newer};

/// What a person has decided of a reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByPerson {
    /// The class that a person gave it, and the step.
    pub label: Option<(Intent, Option<GoalType>)>,
    /// A person rejected a draft for it.
    pub rejected: bool,
    /// A person's mail for it is queued or has left.
    pub answered: bool,
}

impl ByPerson {
    /// In words; none: no person has decided anything.
    #[must_use]
    pub fn in_words(&self) -> Option<String> {
        if self.answered {
            Some("an answer was approved".to_owned())
        } else if self.rejected {
            Some("its draft was rejected".to_owned())
        } else {
            self.label.map(|(intent, _)| format!("labelled {intent}"))
        }
    }
}

impl Reader<'_> {
    pub(super) fn decided_by_person(
        &self,
        job: JobId,
        message: MessageRowId,
    ) -> Result<ByPerson, StoreError> {
        let label: Option<(String, String)> = self
            .conn
            .prepare_cached("SELECT intent, goal_type FROM corrections WHERE message_id = ?1")?
            .query_row([message.0], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (rejected, answered) = self
            .conn
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM drafts WHERE job_id = ?1 AND state = 'rejected'),
                        EXISTS (SELECT 1 FROM outbox WHERE job_id = ?1 AND kind = 'manual'
                                AND state NOT IN ('rejected', 'cancelled'))",
            )?
            .query_row([job.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(ByPerson {
            label: match label {
                Some((intent, step)) => Some((intent.parse()?, step.parse().ok())),
                None => None,
            },
            rejected,
            answered,
        })
    }

    /// What was decided of replies of the lead that came after this one.
    pub(super) fn newer_decided(&self, c: &JobContext) -> Result<Newer, StoreError> {
        let Some(t) = &c.thread else {
            return Ok(Newer::default());
        };
        let mut newer = Newer::default();
        // The same person in another campaign or import has the same pause.
        let mut statement = self.conn.prepare_cached(
            "SELECT m.campaign_lead_id = ?1, m.disposition = 'auto_reply', j.intent
             FROM messages m JOIN reply_jobs j ON j.message_id = m.id AND j.action <> ''
             WHERE m.campaign_lead_id IN (
                   SELECT ?1
                   UNION SELECT cl.id FROM leads l JOIN campaign_leads cl ON cl.lead_id = l.id
                   WHERE l.email_key = ?2 AND l.email_key <> '')
               AND (m.internal_date > ?3 OR (m.internal_date = ?3 AND m.id > ?4))
               AND m.message_key <> ?5
               AND ((m.sender_verified = 1
                     AND +m.disposition IN ('reply', 'human_uncertain', 'unreadable', 'opt_out'))
                    OR (+m.disposition = 'auto_reply' AND (m.sender_verified = 1 OR m.carries_token = 1)))",
        )?;
        let rows = statement.query_map(
            params![
                t.campaign_lead_id.0,
                t.lead_email_key,
                c.internal_date.0,
                c.message_id.0,
                c.message_key,
            ],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        for row in rows {
            let (here, machine, intent): (bool, bool, String) = row?;
            newer.decided |= here && !machine;
            match intent.as_str() {
                "goal_reached" | "question" => newer.wants = true,
                "not_now" | "not_interested" | "out_of_office" | "unsubscribe" => {
                    newer.waits = true;
                }
                _ => {}
            }
        }
        Ok(newer)
    }

    /// The same mail, read earlier in another mailbox, whose copy is handled or will be.
    pub(super) fn first_copy(&self, c: &JobContext) -> Result<Option<MessageRowId>, StoreError> {
        let Some(t) = &c.thread else {
            return Ok(None);
        };
        Ok(self
            .conn
            .prepare_cached(
                "SELECT min(m.id) FROM messages m
                 JOIN reply_jobs j ON j.message_id = m.id AND j.state <> 'failed'
                 JOIN messages me ON me.id = ?2
                 JOIN reply_jobs mine ON mine.message_id = me.id
                 WHERE m.campaign_lead_id = ?1 AND m.id < ?2 AND m.account_id <> me.account_id
                   AND m.message_key = me.message_key AND m.from_address = me.from_address
                   AND m.visible_text = me.visible_text AND +m.disposition = me.disposition
                   AND m.sender_verified >= me.sender_verified AND j.old_mail <= mine.old_mail",
            )?
            .query_row(params![t.campaign_lead_id.0, c.message_id.0], |row| {
                row.get::<_, Option<i64>>(0)
            })?
            .map(MessageRowId))
    }

    /// The job of a captured reply, and whether it is done.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn job_of_message(&self, id: MessageRowId) -> Result<Option<(JobId, bool)>, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT id, state = 'done' FROM reply_jobs WHERE message_id = ?1")?
            .query_row([id.0], |row| Ok((JobId(row.get(0)?), row.get(1)?)))
            .optional()?)
    }

    /// Whether this reply was decided before, and its automatic mail has left or will.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn decided_before(&self, job: JobId) -> Result<Option<bool>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM outbox WHERE job_id = ?1 AND automatic = 1
                                AND state NOT IN ('rejected', 'cancelled'))
                 FROM reply_jobs WHERE id = ?1 AND action <> ''",
            )?
            .query_row([job.0], |row| row.get(0))
            .optional()?)
    }
}

/// How a reason begins that was added to a kept decision.
const AGAIN: &str = "decided again: ";

impl Tx<'_> {
    /// Ends an attempt that changes nothing of what was decided: what was sent keeps its reasons.
    /// `found` stands beside them, instead of what an earlier such attempt found.
    ///
    /// # Errors
    /// As [`Tx::finish_job`].
    pub fn keep_decision(&self, job: &ClaimedJob, found: &str) -> Result<(), StoreError> {
        let stored: Option<String> = self
            .conn
            .prepare_cached("SELECT reasons FROM reply_jobs WHERE id = ?1")?
            .query_row([job.id.0], |row| row.get(0))
            .optional()?;
        let mut reasons: Vec<String> = serde_json::from_str(&stored.unwrap_or_default())
            .map_err(|e| StoreError::Invalid(format!("Reasons of a reply: {e}")))?;
        reasons.retain(|why| !why.starts_with(AGAIN));
        reasons.push(format!("{AGAIN}{found}"));
        let reasons =
            serde_json::to_string(&reasons).map_err(|e| StoreError::Invalid(e.to_string()))?;
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE reply_jobs SET state = 'done', reasons = ?3, error = ''
                 WHERE id = ?1 AND state = 'pending' AND attempts = ?2",
            )?
            .execute(params![job.id.0, job.attempts, reasons])?;
        if changed == 1 {
            Ok(())
        } else {
            Err(StoreError::Stale(format!("Reply job {}", job.id)))
        }
    }
}
