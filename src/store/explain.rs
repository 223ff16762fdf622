//! Everything that is known of one message, for `explain`.

use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use super::{Reader, Reading, StoreError};
use crate::model::{Citation, JobId, MessageRowId};
use crate::time::UtcMs;

/// One message from its arrival to what was sent because of it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Explained {
    /// The row.
    pub message: MessageRowId,
    /// The account's name.
    pub account: String,
    /// The mailbox.
    pub mailbox: String,
    /// Its UID.
    pub uid: u32,
    /// The server's INTERNALDATE.
    pub received_at: UtcMs,
    /// When it was stored.
    pub stored_at: UtcMs,
    /// How it was captured.
    pub source: String,
    /// Canonical Message-ID, or a digest of the header.
    pub message_key: String,
    /// Sender as written; empty for what concerns nobody.
    pub from: String,
    /// Subject.
    pub subject: String,
    /// What kind of mail it is.
    pub nature: String,
    /// What became of it.
    pub disposition: String,
    /// What decided both, and every id that was looked at.
    pub evidence: Vec<String>,
    /// What was odd about it.
    pub malformed: Vec<String>,
    /// The message of which it is a copy.
    pub duplicate_of: Option<MessageRowId>,
    /// The same Message-ID came with other content.
    pub duplicate_id: bool,
    /// Its thread.
    pub thread: Option<ThreadName>,
    /// By which rung of the ladder; empty: none.
    pub match_method: String,
    /// How sure that is, 0 to 1.
    pub match_confidence: f64,
    /// Whether the sender counts as the lead.
    pub sender_verified: bool,
    /// What was newly written.
    pub visible_text: String,
    /// Whether quotes were surely cut off.
    pub visible_sure: bool,
    /// What was decided.
    pub job: Option<JobExplained>,
    /// What a person says that the lead wants.
    pub label: Option<LabelExplained>,
    /// Mails that were queued because of it.
    pub mails: Vec<MailExplained>,
    /// Drafts that were made of it.
    pub drafts: Vec<DraftExplained>,
    /// What an answer or a draft quotes of the campaign's documents, and what came near.
    pub sources: Vec<Citation>,
    /// Why it stands in a digest to sales.
    pub digest: Vec<String>,
}

/// A thread by its names.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ThreadName {
    /// `campaign_leads.id`.
    pub campaign_lead_id: i64,
    /// The operator's key of the lead.
    pub lead_id: String,
    /// The lead's name.
    pub lead_name: String,
    /// The campaign.
    pub campaign: String,
    /// Subject of the mail that it answers.
    pub answers_subject: String,
    /// When that was sent.
    pub answers_sent_at: Option<UtcMs>,
    /// No campaign mail to the lead before.
    pub paused_until: Option<UtcMs>,
    /// Why: `away`, `asked for later` or `said no`.
    pub pause_reason: String,
}

/// What the reply actor decided.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct JobExplained {
    /// `pending`, `done` or `failed`.
    pub state: String,
    /// What the lead wants.
    pub intent: String,
    /// How sure that is, 0 to 1.
    pub confidence: f64,
    /// The step, with a goal only.
    pub goal_type: String,
    /// `acknowledge`, `answer`, `suppress`, `person` or `nothing`.
    pub gate: String,
    /// Why.
    pub reasons: Vec<String>,
    /// Whether the same text twice stopped it: two machines may be talking to each other.
    pub flagged: bool,
    /// Whom a referral names; nobody was written to.
    pub contact: Option<serde_json::Value>,
    /// Attempts.
    pub attempts: u32,
    /// What went wrong.
    pub error: String,
    /// When it was decided.
    pub decided_at: Option<UtcMs>,
    /// Who read it, and who worded the answer.
    #[serde(flatten)]
    pub reading: Reading,
}

/// A person's label.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct LabelExplained {
    /// What the lead wants.
    pub intent: String,
    /// The step, with a goal only.
    pub goal_type: String,
    /// Who says so; may be empty.
    pub by: String,
    /// Since when.
    pub at: UtcMs,
}

/// A mail that was queued.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct MailExplained {
    /// The outbox row.
    pub id: i64,
    /// What it is.
    pub kind: String,
    /// Where it stands.
    pub state: String,
    /// When it was queued.
    pub queued_at: UtcMs,
    /// While it waits on purpose: when it leaves.
    pub leaves_at: Option<UtcMs>,
    /// When it was settled.
    pub finished_at: Option<UtcMs>,
    /// The server's last words.
    pub smtp_text: String,
}

/// A draft.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct DraftExplained {
    /// The row.
    pub id: i64,
    /// `open`, `approved`, `rejected` or `superseded`.
    pub state: String,
    /// Why it was not sent by itself.
    pub reason: String,
    /// Who decided about it; empty: nobody, or the course of events.
    pub decided_by: String,
    /// Why; may be empty.
    pub decision: String,
}

impl Reader<'_> {
    /// The message with this canonical Message-ID, the newest that counts.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn message_with_key(&self, key: &str) -> Result<Option<MessageRowId>, StoreError> {
        // An account at a time: the index begins with it.
        let mut statement = self.conn.prepare_cached(
            "SELECT id FROM messages WHERE account_id = ?1 AND message_key = ?2
             ORDER BY duplicate_of IS NOT NULL, id DESC LIMIT 1",
        )?;
        let mut newest: Option<i64> = None;
        for account in self.accounts()? {
            let found = statement
                .query_row(params![account.id.0, key], |row| row.get::<_, i64>(0))
                .optional()?;
            newest = newest.max(found);
        }
        Ok(newest.map(MessageRowId))
    }

    /// Everything that is known of a message.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or what SQLite says.
    pub fn explain(&self, id: MessageRowId) -> Result<Explained, StoreError> {
        let found = self
            .conn
            .prepare_cached(
                "SELECT m.id, a.name, b.name, m.uid, m.internal_date, m.stored_at, m.source,
                        m.message_key, m.from_name, m.from_address, m.subject, m.nature,
                        m.disposition, m.evidence, m.malformed, m.duplicate_of, m.duplicate_id,
                        m.match_method, m.match_confidence, m.sender_verified, m.visible_text,
                        m.visible_sure, m.campaign_lead_id, m.matched_sent_id
                 FROM messages m JOIN accounts a ON a.id = m.account_id
                 JOIN mailboxes b ON b.id = m.mailbox_id WHERE m.id = ?1",
            )?
            .query_row([id.0], |row| {
                let (name, address): (String, String) = (row.get(8)?, row.get(9)?);
                let from = match (name.is_empty(), address.is_empty()) {
                    (_, true) => name,
                    (true, false) => address,
                    (false, false) => format!("{name} <{address}>"),
                };
                let explained = Explained {
                    message: MessageRowId(row.get(0)?),
                    account: row.get(1)?,
                    mailbox: row.get(2)?,
                    uid: row.get(3)?,
                    received_at: UtcMs(row.get(4)?),
                    stored_at: UtcMs(row.get(5)?),
                    source: row.get(6)?,
                    message_key: row.get(7)?,
                    from,
                    subject: row.get(10)?,
                    nature: row.get(11)?,
                    disposition: row.get(12)?,
                    evidence: list(&row.get::<_, String>(13)?),
                    malformed: list(&row.get::<_, String>(14)?),
                    duplicate_of: row.get::<_, Option<i64>>(15)?.map(MessageRowId),
                    duplicate_id: row.get(16)?,
                    thread: None,
                    match_method: row.get(17)?,
                    match_confidence: row.get(18)?,
                    sender_verified: row.get(19)?,
                    visible_text: row.get(20)?,
                    visible_sure: row.get(21)?,
                    job: None,
                    label: None,
                    mails: Vec::new(),
                    drafts: Vec::new(),
                    sources: Vec::new(),
                    digest: Vec::new(),
                };
                Ok((
                    explained,
                    row.get::<_, Option<i64>>(22)?,
                    row.get::<_, Option<i64>>(23)?,
                ))
            })
            .optional()?;
        let (mut e, thread, sent) =
            found.ok_or_else(|| StoreError::NotFound(format!("Message {id}")))?;
        e.thread = self.thread_name(thread, sent)?;
        self.explain_job(id, &mut e)?;
        e.label = self.correction(id)?.map(|c| LabelExplained {
            intent: c.intent,
            goal_type: c.goal_type,
            by: c.made_by,
            at: c.made_at,
        });
        let mut digest = self
            .conn
            .prepare_cached("SELECT reason FROM digest_items WHERE message_id = ?1 ORDER BY id")?;
        e.digest = digest
            .query_map([id.0], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        Ok(e)
    }

    fn thread_name(
        &self,
        thread: Option<i64>,
        sent: Option<i64>,
    ) -> Result<Option<ThreadName>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT c.id, l.lead_id, l.name, k.name, coalesce(s.subject, ''), s.sent_at,
                        l.paused_until, l.pause_reason
                 FROM campaign_leads c JOIN leads l ON l.id = c.lead_id
                 JOIN campaigns k ON k.id = c.campaign_id
                 LEFT JOIN sent_messages s ON s.id = ?2 WHERE c.id = ?1",
            )?
            .query_row(params![thread, sent], |row| {
                Ok(ThreadName {
                    campaign_lead_id: row.get(0)?,
                    lead_id: row.get(1)?,
                    lead_name: row.get(2)?,
                    campaign: row.get(3)?,
                    answers_subject: row.get(4)?,
                    answers_sent_at: row.get::<_, Option<i64>>(5)?.map(UtcMs),
                    paused_until: row.get::<_, Option<i64>>(6)?.map(UtcMs),
                    pause_reason: row.get(7)?,
                })
            })
            .optional()?)
    }

    fn explain_job(&self, id: MessageRowId, e: &mut Explained) -> Result<(), StoreError> {
        let job = self
            .conn
            .prepare_cached(
                "SELECT j.id, j.state, j.intent, j.confidence, j.goal_type, j.action, j.reasons,
                        j.attempts, j.error, j.done_at, j.flagged, j.contact,
                        coalesce(r.provider, ''), coalesce(r.model_version, ''),
                        coalesce(r.opinion, ''), coalesce(r.wording, '')
                 FROM reply_jobs j LEFT JOIN readings r ON r.job_id = j.id
                 WHERE j.message_id = ?1",
            )?
            .query_row([id.0], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    JobExplained {
                        state: row.get(1)?,
                        intent: row.get(2)?,
                        confidence: row.get(3)?,
                        goal_type: row.get(4)?,
                        gate: row.get(5)?,
                        reasons: list(&row.get::<_, String>(6)?),
                        flagged: row.get(10)?,
                        contact: serde_json::from_str(&row.get::<_, String>(11)?).ok(),
                        attempts: row.get(7)?,
                        error: row.get(8)?,
                        decided_at: row.get::<_, Option<i64>>(9)?.map(UtcMs),
                        reading: Reading {
                            provider: row.get(12)?,
                            model_version: row.get(13)?,
                            opinion: row.get(14)?,
                            wording: row.get(15)?,
                        },
                    },
                ))
            })
            .optional()?;
        let Some((job_id, job)) = job else {
            return Ok(());
        };
        e.job = Some(job);
        e.sources = self.citations(JobId(job_id))?;
        let mut mails = self.conn.prepare_cached(
            "SELECT id, kind, state, created_at, finished_at, smtp_text,
                    iif(state IN ('queued', 'deferred') AND not_before > 0, not_before, NULL)
             FROM outbox
             WHERE job_id = ?1 ORDER BY id",
        )?;
        e.mails = mails
            .query_map([job_id], |row| {
                Ok(MailExplained {
                    id: row.get(0)?,
                    kind: row.get(1)?,
                    state: row.get(2)?,
                    queued_at: UtcMs(row.get(3)?),
                    finished_at: row.get::<_, Option<i64>>(4)?.map(UtcMs),
                    smtp_text: row.get(5)?,
                    leaves_at: row.get::<_, Option<i64>>(6)?.map(UtcMs),
                })
            })?
            .collect::<Result<_, _>>()?;
        let mut drafts = self.conn.prepare_cached(
            "SELECT id, state, reason, decided_by, decision FROM drafts
                 WHERE job_id = ?1 ORDER BY id",
        )?;
        e.drafts = drafts
            .query_map([job_id], |row| {
                Ok(DraftExplained {
                    id: row.get(0)?,
                    state: row.get(1)?,
                    reason: row.get(2)?,
                    decided_by: row.get(3)?,
                    decision: row.get(4)?,
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(())
    }
}

/// A JSON list of words; what is none shows as it is.
fn list(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_else(|_| vec![json.to_owned()])
}
