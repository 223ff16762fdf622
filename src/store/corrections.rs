//! What people say that a lead wants, where replyd read something else (or the same): shown beside
//! what was read, and rows for the next training.

use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use super::{Reader, StoreError, Tx};
use crate::model::{
    CampaignLeadId, ConversationId, Disposition, GoalType, Intent, JobId, LeadRowId, MessageRowId,
};
use crate::time::UtcMs;

/// What is known of a message that gets a label.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageFacts {
    /// The message.
    pub id: MessageRowId,
    /// Its job.
    pub job: Option<JobId>,
    /// Its conversation.
    pub thread: Option<CampaignLeadId>,
    /// The lead of that.
    pub lead: Option<LeadRowId>,
    /// The lead's address key.
    pub lead_key: String,
    /// Where it was written from.
    pub from_address: String,
    /// Whether the sender counts as the lead, or had our mail.
    pub speaks_for_lead: bool,
    /// What became of it.
    pub disposition: Disposition,
    /// Whether its text was kept.
    pub has_text: bool,
    /// The class that was read; empty: none was.
    pub intent: String,
    /// The step that was read.
    pub goal_type: String,
    /// How sure that was.
    pub confidence: f64,
}

/// A person's word.
#[derive(Clone, Copy, Debug)]
pub struct Correction<'a> {
    /// What the lead wants.
    pub intent: Intent,
    /// The step, with a goal only.
    pub goal_type: Option<GoalType>,
    /// Who says so.
    pub by: &'a str,
}

/// A reply with its right label, or an approved answer that confirms one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CorrectionRow {
    /// The reply.
    pub message: MessageRowId,
    /// The right class.
    pub intent: String,
    /// The step, with a goal only.
    pub goal_type: String,
    /// What was read; empty: nothing was.
    pub was_intent: String,
    /// The step that was read.
    pub was_goal_type: String,
    /// How sure that was, 0 to 1.
    pub was_confidence: f64,
    /// When a person said so.
    pub made_at: UtcMs,
    /// Who; may be empty.
    pub made_by: String,
    /// What the lead newly wrote.
    pub text: String,
    /// Nothing in it is new: all of it is quoted.
    pub quoted: bool,
    /// The mail of ours that it answers; may be empty.
    pub context: String,
}

/// A draft that a person wrote in before it was approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DraftEdit {
    /// The campaign.
    pub campaign: String,
    /// What the lead newly wrote.
    pub reply: String,
    /// The text as it was made.
    pub made_body: String,
    /// The text as it was sent.
    pub body: String,
}

const ROWS: &str = "SELECT k.message_id, k.intent, k.goal_type, k.was_intent, k.was_goal_type, \
     k.was_confidence, k.made_at, k.made_by, m.visible_text, m.visible_quoted, \
     coalesce(s.body, '') \
     FROM corrections k JOIN messages m ON m.id = k.message_id \
     LEFT JOIN sent_messages s ON s.id = m.matched_sent_id";

fn correction_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<CorrectionRow> {
    Ok(CorrectionRow {
        message: MessageRowId(row.get(0)?),
        intent: row.get(1)?,
        goal_type: row.get(2)?,
        was_intent: row.get(3)?,
        was_goal_type: row.get(4)?,
        was_confidence: row.get(5)?,
        made_at: UtcMs(row.get(6)?),
        made_by: row.get(7)?,
        text: row.get(8)?,
        quoted: row.get(9)?,
        context: row.get(10)?,
    })
}

impl Reader<'_> {
    /// What is known of a message.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or what SQLite says.
    pub fn message_facts(&self, id: MessageRowId) -> Result<MessageFacts, StoreError> {
        let found = self
            .conn
            .prepare_cached(
                "SELECT m.campaign_lead_id, cl.lead_id, coalesce(l.email_key, ''), m.from_address,
                        m.sender_verified OR m.carries_token, m.disposition,
                        m.visible_text <> '', j.id, coalesce(j.intent, ''),
                        coalesce(j.goal_type, ''), coalesce(j.confidence, 0.0)
                 FROM messages m
                 LEFT JOIN campaign_leads cl ON cl.id = m.campaign_lead_id
                 LEFT JOIN leads l ON l.id = cl.lead_id
                 LEFT JOIN reply_jobs j ON j.message_id = m.id
                 WHERE m.id = ?1",
            )?
            .query_row([id.0], |row| {
                Ok((
                    MessageFacts {
                        id,
                        job: row.get::<_, Option<i64>>(7)?.map(JobId),
                        thread: row.get::<_, Option<i64>>(0)?.map(CampaignLeadId),
                        lead: row.get::<_, Option<i64>>(1)?.map(LeadRowId),
                        lead_key: row.get(2)?,
                        from_address: row.get(3)?,
                        speaks_for_lead: row.get(4)?,
                        disposition: Disposition::Ignored,
                        has_text: row.get(6)?,
                        intent: row.get(8)?,
                        goal_type: row.get(9)?,
                        confidence: row.get(10)?,
                    },
                    row.get::<_, String>(5)?,
                ))
            })
            .optional()?;
        let (mut facts, disposition) =
            found.ok_or_else(|| StoreError::NotFound(format!("Message {id}")))?;
        facts.disposition = disposition.parse()?;
        Ok(facts)
    }

    /// The captured mail of a line of a conversation; none: the line is a mail of ours.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or what SQLite says.
    pub fn message_of_line(&self, id: ConversationId) -> Result<Option<MessageRowId>, StoreError> {
        self.conn
            .prepare_cached("SELECT message_ref FROM conversations WHERE id = ?1")?
            .query_row([id.0], |row| row.get::<_, Option<i64>>(0))
            .optional()?
            .map(|found| found.map(MessageRowId))
            .ok_or_else(|| StoreError::NotFound(format!("Conversation {id}")))
    }

    /// All labels that people gave, the oldest reply first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn corrections(&self) -> Result<Vec<CorrectionRow>, StoreError> {
        let mut statement = self
            .conn
            .prepare_cached(&format!("{ROWS} ORDER BY k.message_id"))?;
        let rows = statement.query_map([], correction_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The label that a person gave to a message.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn correction(&self, message: MessageRowId) -> Result<Option<CorrectionRow>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(&format!("{ROWS} WHERE k.message_id = ?1"))?
            .query_row([message.0], correction_row)
            .optional()?)
    }

    /// Replies whose class a person confirmed by letting go what was made for it: an
    /// acknowledgement, or an answer out of documents, as it was made: who rewrote it has confirmed
    /// nothing. Those with a label of their own aside.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn confirmed_by_drafts(&self) -> Result<Vec<CorrectionRow>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT m.id, j.intent, j.goal_type, j.intent, j.goal_type, j.confidence,
                    coalesce(d.decided_at, d.created_at), d.decided_by, m.visible_text,
                    m.visible_quoted, coalesce(s.body, '')
             FROM drafts d
             JOIN reply_jobs j ON j.id = d.job_id
             JOIN messages m ON m.id = d.message_id
             LEFT JOIN sent_messages s ON s.id = m.matched_sent_id
             WHERE d.outbox_ref IS NOT NULL AND d.state = 'approved' AND m.visible_text <> ''
               AND d.made_body IS NULL
               AND ((d.tool = 'acknowledgment' AND j.intent = 'goal_reached')
                    OR (d.tool = 'document_rag' AND j.intent = 'question'))
               AND NOT EXISTS (SELECT 1 FROM corrections k WHERE k.message_id = m.id)
             ORDER BY m.id",
        )?;
        let rows = statement.query_map([], correction_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Reader<'_> {
    /// Approved drafts that a person wrote in, by campaign, of this one if it is named.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn draft_edits(&self, campaign: Option<&str>) -> Result<Vec<DraftEdit>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT c.name, m.visible_text, d.made_body, d.body
             FROM drafts d
             JOIN messages m ON m.id = d.message_id
             JOIN campaign_leads cl ON cl.id = d.campaign_lead_id
             JOIN campaigns c ON c.id = cl.campaign_id
             WHERE d.outbox_ref IS NOT NULL AND d.state = 'approved' AND d.made_body IS NOT NULL
               AND (?1 IS NULL OR c.name = ?1)
             ORDER BY c.name, d.id",
        )?;
        let rows = statement.query_map([campaign], |row| {
            Ok(DraftEdit {
                campaign: row.get(0)?,
                reply: row.get(1)?,
                made_body: row.get(2)?,
                body: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Tx<'_> {
    /// Keeps a person's label of a message; again replaces it, and keeps what was read at first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_correction(
        &self,
        facts: &MessageFacts,
        correction: &Correction<'_>,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO corrections (message_id, intent, goal_type, was_intent, was_goal_type,
                     was_confidence, made_at, made_by)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (message_id) DO UPDATE SET intent = excluded.intent,
                     goal_type = excluded.goal_type, made_at = excluded.made_at,
                     made_by = excluded.made_by",
            )?
            .execute(params![
                facts.id.0,
                correction.intent.as_str(),
                correction.goal_type.map_or("", GoalType::as_str),
                facts.intent,
                facts.goal_type,
                facts.confidence,
                now.0,
                correction.by,
            ])?;
        Ok(())
    }

    /// Takes a label back; whether there was one. What it did (a suppression) stays.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn remove_correction(&self, message: MessageRowId) -> Result<bool, StoreError> {
        let removed = self
            .conn
            .prepare_cached("DELETE FROM corrections WHERE message_id = ?1")?
            .execute([message.0])?;
        Ok(removed > 0)
    }
}
