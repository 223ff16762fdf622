//! Answers that wait for a person.

use rusqlite::{OptionalExtension, params};

use super::{StoreError, Tx};
use crate::model::{CampaignLeadId, DraftId, Inserted, JobId, MessageRowId};
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
    /// Text; empty: a person writes it.
    pub body: &'a str,
    /// Why it was not sent.
    pub reason: &'a str,
}

impl Tx<'_> {
    /// Adds a draft; a job has at most one that is open, which then stays as it is.
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
                     created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                draft.job_id.0,
                draft.campaign_lead_id.0,
                draft.message_id.0,
                draft.subject,
                draft.body,
                draft.reason,
                now.0,
            ])?;
        if added == 1 {
            return Ok(Inserted::New(DraftId(self.conn.last_insert_rowid())));
        }
        self.conn
            .prepare_cached("SELECT id FROM drafts WHERE job_id = ?1 AND state = 'open'")?
            .query_row([draft.job_id.0], |row| row.get(0))
            .optional()?
            .map(|id| Inserted::Duplicate(DraftId(id)))
            .ok_or_else(|| StoreError::NotFound("Draft".into()))
    }
}
