//! What became of handled replies: those that could not be, and the mails of those that were.

use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

use super::{Reader, StoreError};
use crate::model::{ConversationId, JobId, MailKind, MessageRowId, OutboxId, OutboxState};
use crate::time::UtcMs;

/// A reply that could not be handled yet, or was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReplyTrouble {
    /// The reply.
    pub message_id: MessageRowId,
    /// The operator's key of the lead; empty: it is matched to none.
    pub lead_id: String,
    /// Why.
    pub error: String,
    /// Tries since it came, or since a person asked for it.
    pub tries: u32,
    /// When it is tried again; none: not by itself.
    pub next_try: Option<UtcMs>,
}

/// A mail that a handled reply caused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobMail {
    /// What it is.
    pub kind: MailKind,
    /// Its state.
    pub state: OutboxState,
    /// Its text.
    pub body: String,
    /// What the server said.
    pub smtp_text: String,
    /// How the agent made it; empty for notices.
    pub tool: String,
}

fn trouble(row: &Row<'_>) -> rusqlite::Result<ReplyTrouble> {
    Ok(ReplyTrouble {
        message_id: MessageRowId(row.get(0)?),
        lead_id: row.get(1)?,
        error: row.get(2)?,
        tries: row.get(3)?,
        next_try: row.get::<_, Option<i64>>(4)?.map(UtcMs),
    })
}

impl Reader<'_> {
    /// Replies that were given up, then those that are tried again; at most `limit` of each.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn reply_troubles(&self, limit: u32) -> Result<Vec<ReplyTrouble>, StoreError> {
        let mut found = Vec::new();
        for sql in [
            "SELECT j.message_id, coalesce(l.lead_id, ''), j.error, j.attempts - j.tries_from, NULL
             FROM reply_jobs j JOIN messages m ON m.id = j.message_id
             LEFT JOIN campaign_leads cl ON cl.id = m.campaign_lead_id
             LEFT JOIN leads l ON l.id = cl.lead_id
             WHERE j.state = 'failed' ORDER BY j.id LIMIT ?1",
            "SELECT j.message_id, coalesce(l.lead_id, ''), j.error, j.attempts - j.tries_from,
                    j.next_attempt_at
             FROM reply_jobs j JOIN messages m ON m.id = j.message_id
             LEFT JOIN campaign_leads cl ON cl.id = m.campaign_lead_id
             LEFT JOIN leads l ON l.id = cl.lead_id
             WHERE j.state = 'pending' AND j.error <> '' ORDER BY j.next_attempt_at LIMIT ?1",
        ] {
            let mut statement = self.conn.prepare_cached(sql)?;
            let rows = statement.query_map([limit], trouble)?;
            for row in rows {
                found.push(row?);
            }
        }
        Ok(found)
    }

    /// When a pending job is tried again; none: it is not pending.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn job_next_try(&self, job: JobId) -> Result<Option<UtcMs>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT next_attempt_at FROM reply_jobs WHERE id = ?1 AND state = 'pending'",
            )?
            .query_row([job.0], |row| row.get(0))
            .optional()?
            .map(UtcMs))
    }

    /// The line of a captured mail in its conversation.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn line_of_message(
        &self,
        message: MessageRowId,
    ) -> Result<Option<ConversationId>, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT id FROM conversations WHERE message_ref = ?1")?
            .query_row([message.0], |row| row.get(0))
            .optional()?
            .map(ConversationId))
    }

    /// The newest mail of the outbox; 0 when there is none.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest_mail(&self) -> Result<OutboxId, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT coalesce(max(id), 0) FROM outbox")?
            .query_row([], |row| row.get(0).map(OutboxId))?)
    }

    /// The mails that a job queued after `after`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn mails_of_job(&self, job: JobId, after: OutboxId) -> Result<Vec<JobMail>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT o.kind, o.state, o.body, o.smtp_text,
                    coalesce((SELECT c.agent_tool_used FROM conversations c
                              WHERE c.outbox_ref = o.id), '')
             FROM outbox o WHERE o.job_id = ?1 AND o.id > ?2 ORDER BY o.id",
        )?;
        let mut rows = statement.query(params![job.0, after.0])?;
        let mut mails = Vec::new();
        while let Some(row) = rows.next()? {
            mails.push(JobMail {
                kind: row.get::<_, String>(0)?.parse()?,
                state: row.get::<_, String>(1)?.parse()?,
                body: row.get(2)?,
                smtp_text: row.get(3)?,
                tool: row.get(4)?,
            });
        }
        Ok(mails)
    }
}
