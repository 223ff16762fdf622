//! Answers that wait for a person: how they are made, edited and decided. Each move names the state
//! and the version that it expects (invariant I5).

use rusqlite::{OptionalExtension, params};

use super::{Reader, StoreError, Tx};
use crate::model::{CampaignLeadId, DraftId, DraftState, Inserted, JobId, MessageRowId, OutboxId};
use crate::time::UtcMs;

/// A draft.
#[derive(Clone, Debug)]
pub struct NewDraft<'a> {
    /// The job that made it.
    pub job_id: JobId,
    /// Whose conversation.
    pub campaign_lead_id: CampaignLeadId,
    /// The reply that it answers.
    pub message_id: MessageRowId,
    /// Subject.
    pub subject: &'a str,
    /// Text.
    pub body: &'a str,
    /// Why it was not sent.
    pub reason: &'a str,
    /// How the text was made: `agent_tool_used` of the mail that it may become (A11).
    pub tool: &'a str,
    /// Whether a person has to write in it before it can be sent.
    pub wants_text: bool,
}

/// A draft, for those who decide about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftRow {
    /// The row.
    pub id: DraftId,
    /// The job that made it.
    pub job_id: JobId,
    /// Whose conversation.
    pub campaign_lead_id: CampaignLeadId,
    /// The reply that it answers.
    pub message_id: MessageRowId,
    /// Subject as it would be sent.
    pub subject: String,
    /// Text as it would be sent.
    pub body: String,
    /// How the text was made.
    pub tool: String,
    /// Whether a person has to write in it first.
    pub wants_text: bool,
    /// Grows with each change of the text.
    pub version: i64,
    /// When the text was changed last.
    pub edited_at: Option<UtcMs>,
    /// Who did; none: replyd itself, which decided anew.
    pub edited_by: Option<String>,
    /// Where it stands.
    pub state: DraftState,
    /// Not open since.
    pub decided_at: Option<UtcMs>,
    /// Who decided; empty: the course of events.
    pub decided_by: String,
    /// Why.
    pub decision: String,
    /// The mail that it became, and that mail's state.
    pub mail: Option<(OutboxId, String)>,
}

/// Which drafts came to be of no use.
#[derive(Clone, Copy, Debug)]
pub enum Superseded<'a> {
    /// Of a job: it was answered otherwise.
    Job(JobId),
    /// Of a lead's address (its key), in every campaign.
    Address(&'a str),
    /// Of a conversation, for replies that came until then.
    Thread(CampaignLeadId, UtcMs),
}

/// How a draft ends.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// What becomes of it; not [`DraftState::Open`].
    pub state: DraftState,
    /// Who decided.
    pub by: &'a str,
    /// Why; may be empty.
    pub why: &'a str,
    /// The mail that it became.
    pub mail: Option<OutboxId>,
}

impl Reader<'_> {
    /// A draft, open or not.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn draft_row(&self, id: DraftId) -> Result<Option<DraftRow>, StoreError> {
        let found = self
            .conn
            .prepare_cached(
                "SELECT d.job_id, d.campaign_lead_id, d.message_id, d.subject, d.body, d.tool,
                        d.wants_text, d.version, d.state, d.decided_at, d.decided_by, d.decision,
                        o.id, o.state, d.edited_at, iif(d.made_body IS NULL, NULL, d.edited_by)
                 FROM drafts d LEFT JOIN outbox o ON o.id = d.outbox_ref WHERE d.id = ?1",
            )?
            .query_row([id.0], |row| {
                let state: String = row.get(8)?;
                let mail: (Option<i64>, Option<String>) = (row.get(12)?, row.get(13)?);
                Ok((
                    DraftRow {
                        id,
                        job_id: JobId(row.get(0)?),
                        campaign_lead_id: CampaignLeadId(row.get(1)?),
                        message_id: MessageRowId(row.get(2)?),
                        subject: row.get(3)?,
                        body: row.get(4)?,
                        tool: row.get(5)?,
                        wants_text: row.get(6)?,
                        version: row.get(7)?,
                        edited_at: row.get::<_, Option<i64>>(14)?.map(UtcMs),
                        edited_by: row.get(15)?,
                        state: DraftState::Open,
                        decided_at: row.get::<_, Option<i64>>(9)?.map(UtcMs),
                        decided_by: row.get(10)?,
                        decision: row.get(11)?,
                        mail: mail.0.map(|m| (OutboxId(m), mail.1.unwrap_or_default())),
                    },
                    state,
                ))
            })
            .optional()?;
        let Some((mut draft, state)) = found else {
            return Ok(None);
        };
        draft.state = state.parse()?;
        Ok(Some(draft))
    }

    /// Whether a person rejected a draft of this job whose text was made the same: it is not to be
    /// asked again.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn draft_rejected_before(
        &self,
        job: JobId,
        subject: &str,
        body: &str,
    ) -> Result<bool, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT 1 FROM drafts
                 WHERE job_id = ?1 AND state = 'rejected'
                   AND coalesce(made_subject, subject) = ?2 AND coalesce(made_body, body) = ?3",
            )?
            .exists(params![job.0, subject, body])?)
    }
}

impl Tx<'_> {
    /// Adds a draft. A job has at most one that is open: made anew it takes the new text, unless a
    /// person has edited it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn insert_draft(
        &self,
        draft: &NewDraft<'_>,
        now: UtcMs,
    ) -> Result<Inserted<DraftId>, StoreError> {
        let added = self
            .conn
            .prepare_cached(
                "INSERT INTO drafts (job_id, campaign_lead_id, message_id, subject, body, reason,
                     tool, wants_text, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                draft.job_id.0,
                draft.campaign_lead_id.0,
                draft.message_id.0,
                draft.subject,
                draft.body,
                draft.reason,
                draft.tool,
                draft.wants_text,
                now.0,
            ])?;
        if added == 1 {
            return Ok(Inserted::New(DraftId(self.conn.last_insert_rowid())));
        }
        let id: i64 = self
            .conn
            .prepare_cached("SELECT id FROM drafts WHERE job_id = ?1 AND state = 'open'")?
            .query_row([draft.job_id.0], |row| row.get(0))
            .optional()?
            .ok_or_else(|| StoreError::NotFound("Draft".into()))?;
        self.conn
            .prepare_cached(
                "UPDATE drafts SET subject = ?2, body = ?3, reason = ?4, tool = ?5, wants_text = ?6,
                     version = version + 1, edited_at = ?7
                 WHERE id = ?1 AND state = 'open' AND made_body IS NULL
                   AND (subject <> ?2 OR body <> ?3 OR reason <> ?4 OR tool <> ?5)",
            )?
            .execute(params![
                id,
                draft.subject,
                draft.body,
                draft.reason,
                draft.tool,
                draft.wants_text,
                now.0,
            ])?;
        Ok(Inserted::Duplicate(DraftId(id)))
    }

    /// Takes a person's text over. The first edit keeps what was made beside it.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it is not open any more, or was changed since `version`.
    pub fn edit_draft(
        &self,
        id: DraftId,
        version: i64,
        text: (&str, &str),
        wants_text: bool,
        by: &str,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        let (subject, body) = text;
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE drafts SET made_subject = coalesce(made_subject, subject),
                     made_body = coalesce(made_body, body), subject = ?3, body = ?4,
                     wants_text = ?5, edited_by = ?6, edited_at = ?7, version = version + 1
                 WHERE id = ?1 AND state = 'open' AND version = ?2",
            )?
            .execute(params![id.0, version, subject, body, wants_text, by, now.0])?;
        if changed == 1 {
            Ok(())
        } else {
            Err(StoreError::Stale(format!("Draft {id}")))
        }
    }

    /// Ends an open draft.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it is not open.
    pub fn decide_draft(
        &self,
        id: DraftId,
        decision: &Decision<'_>,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE drafts SET state = ?2, decided_by = ?3, decision = ?4, decided_at = ?5,
                     outbox_ref = ?6
                 WHERE id = ?1 AND state = 'open'",
            )?
            .execute(params![
                id.0,
                decision.state.as_str(),
                decision.by,
                decision.why,
                now.0,
                decision.mail.map(|m| m.0),
            ])?;
        if changed == 1 {
            Ok(())
        } else {
            Err(StoreError::Stale(format!("Draft {id}")))
        }
    }

    /// Lets a draft wait again that was closed, or whose mail did not leave.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it waits, or its mail may have left;
    /// [`StoreError::Invalid`] when another draft for the same reply waits.
    pub fn reopen_draft(&self, id: DraftId, by: &str) -> Result<(), StoreError> {
        let beside = self
            .conn
            .prepare_cached(
                "SELECT 1 FROM drafts d JOIN drafts o ON o.job_id = d.job_id AND o.state = 'open'
                 WHERE d.id = ?1 AND o.id <> d.id",
            )?
            .exists([id.0])?;
        if beside {
            return Err(StoreError::Invalid(format!(
                "Another draft for the reply of draft {id} waits"
            )));
        }
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE drafts SET state = 'open', decided_at = NULL, decided_by = '',
                     decision = 'reopened by ' || ?2, outbox_ref = NULL, version = version + 1
                 WHERE id = ?1 AND state <> 'open'
                   AND (outbox_ref IS NULL
                        OR (SELECT o.state FROM outbox o WHERE o.id = outbox_ref)
                           IN ('rejected', 'cancelled'))",
            )?
            .execute(params![id.0, by])?;
        if changed == 1 {
            Ok(())
        } else {
            Err(StoreError::Stale(format!("Draft {id}")))
        }
    }

    /// Closes open drafts that came to be of no use; how many.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn supersede_drafts(
        &self,
        which: Superseded<'_>,
        why: &str,
        now: UtcMs,
    ) -> Result<usize, StoreError> {
        Ok(match which {
            Superseded::Job(job) => self
                .conn
                .prepare_cached(
                    "UPDATE drafts SET state = 'superseded', decision = ?2, decided_at = ?3
                     WHERE state = 'open' AND job_id = ?1",
                )?
                .execute(params![job.0, why, now.0])?,
            Superseded::Address(key) => self
                .conn
                .prepare_cached(
                    "UPDATE drafts SET state = 'superseded', decision = ?2, decided_at = ?3
                     WHERE state = 'open' AND campaign_lead_id IN (
                         SELECT cl.id FROM leads l JOIN campaign_leads cl ON cl.lead_id = l.id
                         WHERE l.email_key = ?1 AND l.email_key <> '')",
                )?
                .execute(params![key, why, now.0])?,
            Superseded::Thread(thread, until) => self
                .conn
                .prepare_cached(
                    "UPDATE drafts SET state = 'superseded', decision = ?3, decided_at = ?4
                     WHERE state = 'open' AND campaign_lead_id = ?1
                       AND message_id IN (SELECT id FROM messages
                                          WHERE campaign_lead_id = ?1 AND internal_date <= ?2)",
                )?
                .execute(params![thread.0, until.0, why, now.0])?,
        })
    }
}

#[cfg(test)]
#[path = "drafts_tests.rs"]
mod tests;
