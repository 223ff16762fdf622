//! What waits for people, as lists: drafts, and messages that were set aside.

use rusqlite::{OptionalExtension, params};

use super::{Reader, StoreError};
use crate::model::{
    Access, CampaignId, CampaignLeadId, DraftId, DraftState, MessageRowId, OutboxId,
};
use crate::time::UtcMs;

/// A draft as people see it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, utoipa::ToSchema)]
pub struct DraftItem {
    /// The row.
    pub id: DraftId,
    /// Where it stands.
    pub state: DraftState,
    /// When it was made.
    pub created_at: UtcMs,
    /// The conversation.
    pub campaign_lead_id: CampaignLeadId,
    /// The operator's key of the lead.
    pub lead_id: String,
    /// The lead's name.
    pub lead_name: String,
    /// The lead's address.
    pub lead_email: String,
    /// The campaign.
    pub campaign: String,
    /// Why it was not sent by itself.
    pub reason: String,
    /// Subject of the answer.
    pub subject: String,
    /// Text of the answer.
    pub body: String,
    /// Whether a person has to write in it before it can be sent.
    pub wants_text: bool,
    /// How the text was made (`agent_tool_used`).
    pub tool: String,
    /// Grows with each change of the text.
    pub version: i64,
    /// Subject as it was made; none: no person changed the text.
    pub made_subject: Option<String>,
    /// Text as it was made.
    pub made_body: Option<String>,
    /// When a person last changed the text.
    pub edited_at: Option<UtcMs>,
    /// Who; empty: nobody did.
    pub edited_by: String,
    /// Not open since.
    pub decided_at: Option<UtcMs>,
    /// Who decided; empty: the course of events.
    pub decided_by: String,
    /// Why; may be empty.
    pub decision: String,
    /// The mail that it became.
    pub mail: Option<DraftMail>,
    /// The reply that it answers.
    pub message_id: MessageRowId,
    /// When that was received.
    pub received_at: UtcMs,
    /// Where that was written from.
    pub from_address: String,
    /// Whether that sender counts as the lead.
    pub sender_verified: bool,
    /// What the lead newly wrote.
    pub reply: String,
    /// Whether that lay in the spam folder.
    pub from_spam: bool,
    /// What was read of it: its class; empty: nothing was.
    pub intent: String,
    /// How sure that is, 0 to 1.
    pub confidence: f64,
    /// The step, with a goal only.
    pub goal_type: String,
    /// The class by a person's word; none: nobody said another one.
    pub corrected_intent: Option<String>,
}

/// The mail that a draft became.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct DraftMail {
    /// Its row.
    pub id: OutboxId,
    /// Its state.
    pub state: String,
    /// Where it goes.
    pub to: String,
    /// What the server, or a person, said of it.
    pub smtp_text: String,
}

/// Which drafts are asked for.
#[derive(Clone, Debug, Default)]
pub struct DraftFilter {
    /// In this state; none: in any.
    pub state: Option<DraftState>,
    /// Of this campaign.
    pub campaign: Option<String>,
    /// Of the lead with this key of the operator's.
    pub lead: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// Which page of drafts is asked for.
#[derive(Clone, Debug, Default)]
pub struct DraftAsk {
    /// In this state; none: in any.
    pub state: Option<DraftState>,
    /// Of this campaign.
    pub campaign: Option<CampaignId>,
    /// Of this conversation.
    pub thread: Option<CampaignLeadId>,
    /// Older than this row.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// A message that could not be read and was set aside.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SetAside {
    /// The row.
    pub id: MessageRowId,
    /// The account's name.
    pub account: String,
    /// The mailbox.
    pub mailbox: String,
    /// The UID.
    pub uid: u32,
    /// When it was set aside.
    pub at: UtcMs,
}

const COLUMNS: &str = "SELECT d.id, d.created_at, l.lead_id, l.name, l.email, c.name, d.reason, \
     d.subject, d.body, m.visible_text, m.from_spam, d.state, d.wants_text, d.tool, d.version, \
     d.made_subject, d.made_body, d.edited_at, d.edited_by, d.decided_at, d.decided_by, d.decision, \
     o.id, o.state, o.envelope_to, o.smtp_text, m.id, m.internal_date, m.from_address, \
     m.sender_verified, j.intent, j.confidence, j.goal_type, k.intent, d.campaign_lead_id \
     FROM drafts d JOIN messages m ON m.id = d.message_id \
     JOIN reply_jobs j ON j.id = d.job_id \
     JOIN campaign_leads x ON x.id = d.campaign_lead_id \
     JOIN leads l ON l.id = x.lead_id JOIN campaigns c ON c.id = x.campaign_id \
     LEFT JOIN outbox o ON o.id = d.outbox_ref LEFT JOIN corrections k ON k.message_id = m.id";

fn item(row: &rusqlite::Row<'_>) -> rusqlite::Result<(DraftItem, String)> {
    let mail = match row.get::<_, Option<i64>>(22)? {
        None => None,
        Some(id) => Some(DraftMail {
            id: OutboxId(id),
            state: row.get(23)?,
            to: row.get(24)?,
            smtp_text: row.get(25)?,
        }),
    };
    let item = DraftItem {
        id: DraftId(row.get(0)?),
        state: DraftState::Open,
        created_at: UtcMs(row.get(1)?),
        campaign_lead_id: CampaignLeadId(row.get(34)?),
        lead_id: row.get(2)?,
        lead_name: row.get(3)?,
        lead_email: row.get(4)?,
        campaign: row.get(5)?,
        reason: row.get(6)?,
        subject: row.get(7)?,
        body: row.get(8)?,
        wants_text: row.get(12)?,
        tool: row.get(13)?,
        version: row.get(14)?,
        made_subject: row.get(15)?,
        made_body: row.get(16)?,
        edited_at: row.get::<_, Option<i64>>(17)?.map(UtcMs),
        edited_by: row.get(18)?,
        decided_at: row.get::<_, Option<i64>>(19)?.map(UtcMs),
        decided_by: row.get(20)?,
        decision: row.get(21)?,
        mail,
        message_id: MessageRowId(row.get(26)?),
        received_at: UtcMs(row.get(27)?),
        from_address: row.get(28)?,
        sender_verified: row.get(29)?,
        reply: row.get(9)?,
        from_spam: row.get(10)?,
        intent: row.get(30)?,
        confidence: row.get(31)?,
        goal_type: row.get(32)?,
        corrected_intent: row.get(33)?,
    };
    Ok((item, row.get(11)?))
}

fn with_state(found: (DraftItem, String)) -> Result<DraftItem, StoreError> {
    let (mut item, state) = found;
    item.state = state.parse()?;
    Ok(item)
}

impl Reader<'_> {
    /// Drafts: the open ones oldest first, all others newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn drafts(&self, filter: &DraftFilter) -> Result<Vec<DraftItem>, StoreError> {
        let (which, order) = match filter.state {
            // In words, so that the index of the open ones is used.
            Some(DraftState::Open) => ("d.state = 'open' AND ?1 IS NOT NULL", "d.id"),
            _ => ("(?1 IS NULL OR d.state = ?1)", "d.id DESC"),
        };
        let mut statement = self.conn.prepare_cached(&format!(
            "{COLUMNS} WHERE {which} AND (?2 IS NULL OR c.name = ?2)
                 AND (?3 IS NULL OR l.lead_id = ?3) ORDER BY {order} LIMIT ?4"
        ))?;
        let state = filter.state.map(DraftState::as_str);
        let values = params![state, filter.campaign, filter.lead, filter.limit];
        let rows = statement.query_map(values, item)?;
        rows.map(|row| with_state(row?)).collect()
    }

    /// Which of a filter's names nobody has, in words.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn unknown_filter(
        &self,
        campaign: Option<&str>,
        lead: Option<&str>,
    ) -> Result<Option<String>, StoreError> {
        if let Some(name) = campaign {
            let mut named = self
                .conn
                .prepare_cached("SELECT 1 FROM campaigns WHERE name = ?1")?;
            if !named.exists([name])? {
                return Ok(Some(format!("No campaign {name}")));
            }
        }
        if let Some(id) = lead {
            let mut named = self
                .conn
                .prepare_cached("SELECT 1 FROM leads WHERE lead_id = ?1")?;
            if !named.exists([id])? {
                return Ok(Some(format!("No lead {id}")));
            }
        }
        Ok(None)
    }

    /// A page of drafts, newest first: at most `limit + 1`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn draft_page(
        &self,
        ask: &DraftAsk,
        access: &Access,
    ) -> Result<Vec<DraftItem>, StoreError> {
        let which = match ask.state {
            // In words, so that the index of the open ones is used.
            Some(DraftState::Open) => "d.state = 'open' AND ?2 IS NOT NULL",
            _ => "(?2 IS NULL OR +d.state = ?2)",
        };
        let mut statement = self.conn.prepare_cached(&format!(
            "{COLUMNS} WHERE d.id < ?1 AND {which}
                 AND (?3 IS NULL OR +x.campaign_id IN (SELECT value FROM json_each(?3)))
                 AND (?4 IS NULL OR +x.campaign_id = ?4)
                 AND (?5 IS NULL OR +d.campaign_lead_id = ?5) ORDER BY d.id DESC LIMIT ?6"
        ))?;
        let values = params![
            ask.before.unwrap_or(i64::MAX),
            ask.state.map(DraftState::as_str),
            access.list(),
            ask.campaign.map(|c| c.0),
            ask.thread.map(|t| t.0),
            ask.limit.saturating_add(1),
        ];
        let rows = statement.query_map(values, item)?;
        rows.map(|row| with_state(row?)).collect()
    }

    /// One draft, open or not.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn draft(&self, id: DraftId) -> Result<Option<DraftItem>, StoreError> {
        self.conn
            .prepare_cached(&format!("{COLUMNS} WHERE d.id = ?1"))?
            .query_row(params![id.0], item)
            .optional()?
            .map(with_state)
            .transpose()
    }

    /// Messages that were set aside after `since`, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_aside(&self, since: UtcMs, limit: u32) -> Result<Vec<SetAside>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT m.id, a.name, b.name, m.uid, m.stored_at FROM messages m \
             JOIN accounts a ON a.id = m.account_id JOIN mailboxes b ON b.id = m.mailbox_id \
             WHERE m.disposition = 'quarantined' AND m.stored_at > ?1 ORDER BY m.id DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![since.0, limit], |row| {
            Ok(SetAside {
                id: MessageRowId(row.get(0)?),
                account: row.get(1)?,
                mailbox: row.get(2)?,
                uid: row.get(3)?,
                at: UtcMs(row.get(4)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
