//! The predecessor's question: which replies were not processed yet.

use rusqlite::params;

use super::{Reader, StoreError};
use crate::model::{Access, CampaignLeadId, ConversationId};
use crate::time::UtcMs;

/// A reply that was not processed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingLine {
    /// The line.
    pub id: ConversationId,
    /// Whose.
    pub campaign_lead_id: CampaignLeadId,
    /// The lead's name.
    pub lead_name: String,
    /// When it came.
    pub created_at: UtcMs,
    /// Its text.
    pub message: String,
}

impl Reader<'_> {
    /// How many replies were not processed yet, and the newest of them, at most `limit`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn unprocessed_lines(
        &self,
        access: &Access,
        limit: u32,
    ) -> Result<(u32, Vec<PendingLine>), StoreError> {
        let count = self
            .conn
            .prepare_cached(
                "SELECT count(*) FROM conversations v JOIN campaign_leads cl ON cl.id = v.campaign_lead_id
                 WHERE v.sender = 'customer' AND v.auto_reply_processed = 0
                   AND (?1 IS NULL OR cl.campaign_id IN (SELECT value FROM json_each(?1)))",
            )?
            .query_row([access.list()], |row| row.get(0))?;
        let mut statement = self.conn.prepare_cached(
            "SELECT v.id, v.campaign_lead_id, l.name, v.created_at, v.message
             FROM conversations v JOIN campaign_leads cl ON cl.id = v.campaign_lead_id
             JOIN leads l ON l.id = cl.lead_id
             WHERE v.sender = 'customer' AND v.auto_reply_processed = 0
               AND (?1 IS NULL OR cl.campaign_id IN (SELECT value FROM json_each(?1)))
             ORDER BY v.id DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![access.list(), limit], |row| {
            Ok(PendingLine {
                id: ConversationId(row.get(0)?),
                campaign_lead_id: CampaignLeadId(row.get(1)?),
                lead_name: row.get(2)?,
                created_at: UtcMs(row.get(3)?),
                message: row.get(4)?,
            })
        })?;
        Ok((count, rows.collect::<Result<_, _>>()?))
    }
}
