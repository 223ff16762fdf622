//! Rows for other programs, some at a time by their ids.

use rusqlite::types::ValueRef;
use rusqlite::{Row, params};
use serde_json::Value;

use super::{Reader, StoreError};
use crate::model::CampaignId;
use crate::time::UtcMs;

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportKind {
    /// Each line of each conversation.
    Conversations,
    /// Each lead.
    Leads,
    /// Each mail that was sent to a lead.
    Sent,
}

/// Which rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExportFilter {
    /// Only of this campaign.
    pub campaign: Option<CampaignId>,
    /// Only lines and mails from then on, and leads that changed since.
    pub since: Option<UtcMs>,
}

/// A row: its id, and its cells in the order of [`ExportKind::columns`]. Times are RFC 3339.
pub type ExportRow = (i64, Vec<Value>);

const CONVERSATIONS: &str = "SELECT v.id, v.id, v.campaign_lead_id, c.id, c.name, l.id, l.lead_id, l.name, l.email, \
     v.sender, v.message, v.agent_tool_used, j.intent, j.confidence, j.goal_type, v.email_message_id, \
     v.email_in_reply_to, v.sales_team_notified, v.auto_reply_processed, v.created_at \
     FROM conversations v JOIN campaign_leads cl ON cl.id = v.campaign_lead_id \
     JOIN campaigns c ON c.id = cl.campaign_id JOIN leads l ON l.id = cl.lead_id \
     LEFT JOIN reply_jobs j ON j.message_id = v.message_ref \
     WHERE v.id > ?1 AND (?2 IS NULL OR cl.campaign_id = ?2) AND (?3 IS NULL OR v.created_at >= ?3) \
     ORDER BY v.id LIMIT ?4";

const LEADS: &str = "SELECT l.id, l.id, l.lead_id, l.name, l.email, l.country_code, l.phone, l.project_name, \
     l.unit_type, l.budget_min, l.budget_max, l.status, l.last_conversation_date, l.last_conversation_summary, \
     EXISTS (SELECT 1 FROM suppressions s WHERE s.email_key = l.email_key), l.bounced_at, l.paused_until, \
     l.created_at, l.updated_at \
     FROM leads l \
     WHERE l.id > ?1 AND (?2 IS NULL OR EXISTS (SELECT 1 FROM campaign_leads cl \
           WHERE cl.lead_id = l.id AND cl.campaign_id = ?2)) AND (?3 IS NULL OR l.updated_at >= ?3) \
     ORDER BY l.id LIMIT ?4";

const SENT: &str = "SELECT s.id, s.id, s.campaign_lead_id, c.id, c.name, l.lead_id, l.email, s.kind, s.subject, \
     s.body, (SELECT min(i.id_key) FROM sent_ids i WHERE i.sent_id = s.id), s.sent_at \
     FROM sent_messages s JOIN campaign_leads cl ON cl.id = s.campaign_lead_id \
     JOIN campaigns c ON c.id = cl.campaign_id JOIN leads l ON l.id = cl.lead_id \
     WHERE s.id > ?1 AND (?2 IS NULL OR cl.campaign_id = ?2) AND (?3 IS NULL OR s.sent_at >= ?3) \
     ORDER BY s.id LIMIT ?4";

impl ExportKind {
    /// The columns, in order.
    #[must_use]
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Conversations => &[
                "id",
                "campaign_lead_id",
                "campaign_id",
                "campaign_name",
                "lead_row_id",
                "lead_id",
                "lead_name",
                "lead_email",
                "sender",
                "message",
                "agent_tool_used",
                "intent",
                "confidence",
                "goal_type",
                "email_message_id",
                "email_in_reply_to",
                "sales_team_notified",
                "auto_reply_processed",
                "created_at",
            ],
            Self::Leads => &[
                "id",
                "lead_id",
                "name",
                "email",
                "country_code",
                "phone",
                "project_name",
                "unit_type",
                "budget_min",
                "budget_max",
                "status",
                "last_conversation_date",
                "last_conversation_summary",
                "suppressed",
                "bounced_at",
                "paused_until",
                "created_at",
                "updated_at",
            ],
            Self::Sent => &[
                "id",
                "campaign_lead_id",
                "campaign_id",
                "campaign_name",
                "lead_id",
                "lead_email",
                "kind",
                "subject",
                "body",
                "email_message_id",
                "sent_at",
            ],
        }
    }
}

impl Reader<'_> {
    /// The next rows after the id `after`, at most `limit`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn export(
        &self,
        kind: ExportKind,
        filter: ExportFilter,
        after: i64,
        limit: u32,
    ) -> Result<Vec<ExportRow>, StoreError> {
        let sql = match kind {
            ExportKind::Conversations => CONVERSATIONS,
            ExportKind::Leads => LEADS,
            ExportKind::Sent => SENT,
        };
        let columns = kind.columns();
        let mut statement = self.conn.prepare_cached(sql)?;
        let values = params![
            after,
            filter.campaign.map(|c| c.0),
            filter.since.map(|t| t.0),
            limit
        ];
        let rows = statement.query_map(values, |row| {
            let cells = columns.iter().enumerate();
            let cells = cells.map(|(i, name)| cell(row, i + 1, name));
            Ok((row.get(0)?, cells.collect::<Result<_, _>>()?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn cell(row: &Row<'_>, index: usize, name: &str) -> rusqlite::Result<Value> {
    const FLAGS: &[&str] = &["sales_team_notified", "auto_reply_processed", "suppressed"];
    Ok(match row.get_ref(index)? {
        ValueRef::Null | ValueRef::Blob(_) => Value::Null,
        ValueRef::Integer(n) if FLAGS.contains(&name) => Value::from(n != 0),
        ValueRef::Integer(n) if name.ends_with("_at") || name.ends_with("_until") => {
            Value::from(UtcMs(n).rfc3339())
        }
        ValueRef::Integer(n) => Value::from(n),
        ValueRef::Real(x) => Value::from(x),
        ValueRef::Text(text) => Value::from(String::from_utf8_lossy(text)),
    })
}
