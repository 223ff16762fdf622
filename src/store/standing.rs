//! What stands for and against a person's mail to a lead at this moment.

use rusqlite::{OptionalExtension, params};

use super::{Reader, StoreError};
use crate::model::{
    CampaignLeadId, CampaignMode, DraftId, JobId, MailKind, MessageRowId, OutboxId, OutboxState,
};
use crate::time::UtcMs;

/// A mail that went, or goes, to the lead in answer to the same reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyMail {
    /// The mail.
    pub id: OutboxId,
    /// What it is.
    pub kind: MailKind,
    /// Its state.
    pub state: OutboxState,
}

/// The facts around a conversation, beside one reply in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Why the lead's address, or the one that is asked for, gets no mail.
    pub suppressed: Option<String>,
    /// Since when the lead's address is dead.
    pub bounced_at: Option<UtcMs>,
    /// The lead is away until then.
    pub away_until: Option<UtcMs>,
    /// The campaign's mode.
    pub mode: CampaignMode,
    /// Whether the campaign runs.
    pub active: bool,
    /// When a person of ours wrote to the lead after the reply.
    pub person_wrote_at: Option<UtcMs>,
    /// The newest reply after it, when it came, and its draft if one waits.
    pub newer: Option<(MessageRowId, UtcMs, Option<DraftId>)>,
    /// The newest mail in answer to the same reply that left or may leave.
    pub answered: Option<ReplyMail>,
}

impl Reader<'_> {
    /// Reads it for a mail to `address_key` in answer to the reply of `job`, which came at
    /// `received_at`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a conversation that is not there, or what SQLite says.
    pub fn standing(
        &self,
        thread: CampaignLeadId,
        job: JobId,
        received_at: UtcMs,
        address_key: &str,
    ) -> Result<Standing, StoreError> {
        let found = self
            .conn
            .prepare_cached(
                "SELECT (SELECT s.reason FROM suppressions s
                         WHERE s.email_key IN (?2, l.email_key) AND s.email_key <> '' LIMIT 1),
                        (SELECT max(l2.bounced_at) FROM leads l2
                         WHERE l2.email_key = l.email_key AND l2.email_key <> ''),
                        l.paused_until, c.mode, c.is_active
                 FROM campaign_leads cl
                 JOIN leads l ON l.id = cl.lead_id
                 JOIN campaigns c ON c.id = cl.campaign_id
                 WHERE cl.id = ?1",
            )?
            .query_row(params![thread.0, address_key], |row| {
                Ok((
                    Standing {
                        suppressed: row.get(0)?,
                        bounced_at: row.get::<_, Option<i64>>(1)?.map(UtcMs),
                        away_until: row.get::<_, Option<i64>>(2)?.map(UtcMs),
                        mode: CampaignMode::Off,
                        active: row.get(4)?,
                        person_wrote_at: None,
                        newer: None,
                        answered: None,
                    },
                    row.get::<_, String>(3)?,
                ))
            })
            .optional()?;
        let (mut standing, mode) =
            found.ok_or_else(|| StoreError::NotFound(format!("Conversation {thread}")))?;
        standing.mode = mode.parse()?;
        standing.person_wrote_at = self.person_wrote_after(thread, received_at)?;
        standing.newer = self.reply_after(thread, job, received_at)?;
        standing.answered = self.mail_for_reply(thread, job)?;
        Ok(standing)
    }

    /// As [`Reader::person_wrote`], but mails by way of a draft aside, and with the time.
    fn person_wrote_after(
        &self,
        thread: CampaignLeadId,
        since: UtcMs,
    ) -> Result<Option<UtcMs>, StoreError> {
        let lines: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT max(created_at) FROM conversations
                 WHERE campaign_lead_id = ?1 AND sender = 'human' AND created_at > ?2",
            )?
            .query_row(params![thread.0, since.0], |row| row.get(0))?;
        let copies: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT max(m.internal_date) FROM messages m
                 WHERE m.campaign_lead_id = ?1 AND m.disposition IN ('internal', 'own_mail')
                   AND m.internal_date >= ?2
                   AND m.nature NOT IN ('automatic', 'bounce', 'receipt', 'complaint')
                   AND NOT EXISTS (SELECT 1 FROM sent_ids WHERE id_key = m.message_key)
                   AND NOT EXISTS (SELECT 1 FROM outbox WHERE rfc_message_id = m.message_key)",
            )?
            .query_row(params![thread.0, since.0], |row| row.get(0))?;
        Ok(lines.max(copies).map(UtcMs))
    }

    fn reply_after(
        &self,
        thread: CampaignLeadId,
        job: JobId,
        since: UtcMs,
    ) -> Result<Option<(MessageRowId, UtcMs, Option<DraftId>)>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT m.id, m.internal_date,
                        (SELECT d.id FROM reply_jobs j
                         JOIN drafts d ON d.job_id = j.id AND d.state = 'open'
                         WHERE j.message_id = m.id)
                 FROM messages m
                 JOIN reply_jobs mine ON mine.id = ?3
                 JOIN messages me ON me.id = mine.message_id
                 WHERE m.campaign_lead_id = ?1
                   AND (m.internal_date > ?2 OR (m.internal_date = ?2 AND m.id > me.id))
                   AND m.message_key <> me.message_key
                   AND m.disposition IN ('reply', 'reply_unverified', 'human_uncertain', 'opt_out',
                                         'unreadable')
                 ORDER BY m.internal_date DESC LIMIT 1",
            )?
            .query_row(params![thread.0, since.0, job.0], |row| {
                Ok((
                    MessageRowId(row.get(0)?),
                    UtcMs(row.get(1)?),
                    row.get::<_, Option<i64>>(2)?.map(DraftId),
                ))
            })
            .optional()?)
    }

    /// A mail in answer to this reply, or to the same one in another mailbox.
    fn mail_for_reply(
        &self,
        thread: CampaignLeadId,
        job: JobId,
    ) -> Result<Option<ReplyMail>, StoreError> {
        let found: Option<(i64, String, String)> = self
            .conn
            .prepare_cached(
                "SELECT id, kind, state FROM outbox
                 WHERE job_id IN (
                       SELECT ?1
                       UNION SELECT j.id FROM reply_jobs mine
                       JOIN messages me ON me.id = mine.message_id
                       JOIN messages m ON m.campaign_lead_id = ?2 AND m.message_key = me.message_key
                       JOIN reply_jobs j ON j.message_id = m.id
                       WHERE mine.id = ?1)
                   AND kind IN ('acknowledgment', 'answer', 'manual')
                   AND state NOT IN ('rejected', 'cancelled') ORDER BY id DESC LIMIT 1",
            )?
            .query_row(params![job.0, thread.0], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        found
            .map(|(id, kind, state)| {
                Ok(ReplyMail {
                    id: OutboxId(id),
                    kind: kind.parse()?,
                    state: state.parse()?,
                })
            })
            .transpose()
    }

    /// The number for the next mail of a person in answer to a job's reply.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn next_manual_round(&self, job: JobId) -> Result<i64, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT coalesce(max(round) + 1, 0) FROM outbox WHERE job_id = ?1 AND kind = 'manual'",
            )?
            .query_row([job.0], |row| row.get(0))?)
    }
}
