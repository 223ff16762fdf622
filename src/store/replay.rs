//! Stored raw mails for `replay`, with what was recorded of each; and recording anew.

use rusqlite::params;

use super::{NewMessage, Reader, StoreError, Tx};
use crate::model::{
    AccountId, CampaignLeadId, CaptureSource, Disposition, FolderRole, JobId, MailboxId,
    MessageRowId,
};
use crate::time::UtcMs;

/// A message whose raw mail is kept, and what was recorded of it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The row.
    pub id: MessageRowId,
    /// Whose mailbox.
    pub account_id: AccountId,
    /// The account's name.
    pub account: String,
    /// Which mailbox.
    pub mailbox_id: MailboxId,
    /// What that is watched for.
    pub role: FolderRole,
    /// Its UIDVALIDITY.
    pub uid_validity: u32,
    /// Its UID.
    pub uid: u32,
    /// INTERNALDATE.
    pub internal_date: UtcMs,
    /// When it was stored.
    pub stored_at: UtcMs,
    /// RFC822.SIZE.
    pub size_bytes: u32,
    /// How it was captured.
    pub source: CaptureSource,
    /// The raw mail, zstd.
    pub raw: Vec<u8>,
    /// What became of it.
    pub disposition: Disposition,
    /// Its thread.
    pub campaign_lead_id: Option<CampaignLeadId>,
    /// By which rung; empty: none.
    pub match_method: String,
    /// Whether the sender counted as the lead.
    pub sender_verified: bool,
    /// What was newly written.
    pub visible_text: String,
    /// Its job, when that is done.
    pub job: Option<RecordedJob>,
}

/// What was decided.
#[derive(Clone, Debug)]
pub struct RecordedJob {
    /// The job.
    pub id: JobId,
    /// The intent's word.
    pub intent: String,
    /// The gate's word.
    pub gate: String,
    /// Reasons as JSON.
    pub reasons: String,
    /// When.
    pub done_at: UtcMs,
}

/// What replaces the decision of a job.
#[derive(Clone, Debug)]
pub struct NewDecision {
    /// The intent's word.
    pub intent: &'static str,
    /// Its confidence.
    pub confidence: f64,
    /// The gate's word.
    pub gate: &'static str,
    /// Reasons.
    pub reasons: Vec<String>,
}

impl Reader<'_> {
    /// Messages with a raw mail, stored at or after `since`, behind row `after`, oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn recorded(
        &self,
        since: UtcMs,
        after: MessageRowId,
        limit: u32,
    ) -> Result<Vec<Recorded>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT m.id, m.account_id, a.name, m.mailbox_id, m.uid_validity, m.uid, m.internal_date,
                    m.stored_at, m.size_bytes, m.source, m.raw, m.disposition, m.campaign_lead_id,
                    m.match_method, m.sender_verified, m.visible_text,
                    j.id, j.intent, j.action, j.reasons, j.done_at, b.role
             FROM messages m JOIN accounts a ON a.id = m.account_id
             JOIN mailboxes b ON b.id = m.mailbox_id
             LEFT JOIN reply_jobs j ON j.message_id = m.id AND j.state = 'done'
             WHERE m.id > ?2 AND m.raw IS NOT NULL AND m.stored_at >= ?1 AND m.duplicate_of IS NULL
             ORDER BY m.id LIMIT ?3",
        )?;
        let mut rows = statement.query(params![since.0, after.0, limit])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let job = match row.get::<_, Option<i64>>(16)? {
                Some(id) => Some(RecordedJob {
                    id: JobId(id),
                    intent: row.get(17)?,
                    gate: row.get(18)?,
                    reasons: row.get(19)?,
                    done_at: UtcMs(row.get::<_, Option<i64>>(20)?.unwrap_or_default()),
                }),
                None => None,
            };
            found.push(Recorded {
                id: MessageRowId(row.get(0)?),
                account_id: AccountId(row.get(1)?),
                account: row.get(2)?,
                mailbox_id: MailboxId(row.get(3)?),
                role: row.get::<_, String>(21)?.parse()?,
                uid_validity: row.get(4)?,
                uid: row.get(5)?,
                internal_date: UtcMs(row.get(6)?),
                stored_at: UtcMs(row.get(7)?),
                size_bytes: row.get(8)?,
                source: row.get::<_, String>(9)?.parse()?,
                raw: row.get(10)?,
                disposition: row.get::<_, String>(11)?.parse()?,
                campaign_lead_id: row.get::<_, Option<i64>>(12)?.map(CampaignLeadId),
                match_method: row.get(13)?,
                sender_verified: row.get(14)?,
                visible_text: row.get(15)?,
                job,
            });
        }
        Ok(found)
    }
}

impl Tx<'_> {
    /// Records what today's rules say of a stored message. Its raw mail, its place and what was
    /// sent because of it stay; a match that a person made stays too.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn record_anew(
        &self,
        id: MessageRowId,
        disposition: Disposition,
        m: &NewMessage,
    ) -> Result<(), StoreError> {
        let content = m.content.clone().unwrap_or_default();
        let matched = m.matched.as_ref();
        let evidence = serde_json::to_string(&m.evidence).unwrap_or_else(|_| "[]".to_owned());
        self.conn
            .prepare_cached(
                "UPDATE messages SET disposition = ?2, nature = ?3, evidence = ?4,
                     campaign_lead_id = ?5, matched_sent_id = ?6, match_method = ?7,
                     match_confidence = ?8, sender_verified = ?9, carries_token = ?10,
                     from_address = ?11, from_name = ?12, to_addresses = ?13, subject = ?14,
                     in_reply_to = ?15, reference_ids = ?16, full_text = ?17, visible_text = ?18,
                     visible_sure = ?19, visible_quoted = ?20
                 WHERE id = ?1 AND match_method <> 'attached'",
            )?
            .execute(params![
                id.0,
                disposition.as_str(),
                m.nature.as_str(),
                evidence,
                matched.map(|x| x.campaign_lead_id.0),
                matched.map(|x| x.sent_id.0),
                matched.map_or("", |x| x.method.as_str()),
                matched.map_or(0.0, |x| x.confidence),
                matched.is_some_and(|x| x.sender_verified),
                matched.is_some_and(|x| x.carries_token),
                content.from_address,
                content.from_name,
                content.to_addresses,
                content.subject,
                content.in_reply_to,
                content.reference_ids,
                content.full_text,
                content.visible_text,
                content.visible_sure,
                content.visible_quoted,
            ])?;
        if let Some(matched) = matched {
            self.conn
                .prepare_cached(
                    "UPDATE conversations SET campaign_lead_id = ?2, message = ?3
                     WHERE message_ref = ?1
                       AND (SELECT match_method FROM messages WHERE id = ?1) <> 'attached'",
                )?
                .execute(params![
                    id.0,
                    matched.campaign_lead_id.0,
                    if content.visible_text.is_empty() {
                        content.full_text
                    } else {
                        content.visible_text
                    }
                ])?;
        }
        Ok(())
    }

    /// Records another decision of a job that is done. Nothing is queued by it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn replace_decision(&self, job: JobId, d: &NewDecision) -> Result<(), StoreError> {
        let reasons = serde_json::to_string(&d.reasons).unwrap_or_else(|_| "[]".to_owned());
        self.conn
            .prepare_cached(
                "UPDATE reply_jobs SET intent = ?2, confidence = ?3, action = ?4, reasons = ?5
                 WHERE id = ?1 AND state = 'done'",
            )?
            .execute(params![job.0, d.intent, d.confidence, d.gate, reasons])?;
        Ok(())
    }

    /// The job of a message that got none when it was captured, done already: a person finds it
    /// in a draft. None when it has a job.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn insert_done_job(
        &self,
        message: MessageRowId,
        d: &NewDecision,
        now: UtcMs,
    ) -> Result<Option<JobId>, StoreError> {
        let reasons = serde_json::to_string(&d.reasons).unwrap_or_else(|_| "[]".to_owned());
        let added = self
            .conn
            .prepare_cached(
                "INSERT INTO reply_jobs (message_id, state, old_mail, next_attempt_at, created_at,
                     done_at, intent, confidence, action, reasons)
                 VALUES (?1, 'done', 1, ?2, ?2, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                message.0,
                now.0,
                d.intent,
                d.confidence,
                d.gate,
                reasons
            ])?;
        Ok((added == 1).then(|| JobId(self.conn.last_insert_rowid())))
    }
}
