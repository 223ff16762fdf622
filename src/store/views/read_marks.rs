//! What somebody has read.

use rusqlite::params;

use super::super::{StoreError, Tx};
use crate::model::CampaignLeadId;
use crate::time::UtcMs;

impl Tx<'_> {
    /// The viewer has seen the conversation as it stands. A mark never goes back.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn mark_read(
        &self,
        viewer: &str,
        conversation: CampaignLeadId,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO read_marks (viewer, campaign_lead_id, line, read_at)
                 SELECT ?1, i.campaign_lead_id, i.reply_line, ?3 FROM inbox i
                 WHERE i.campaign_lead_id = ?2
                 ON CONFLICT (viewer, campaign_lead_id) DO UPDATE
                     SET line = excluded.line, read_at = excluded.read_at
                     WHERE excluded.line > read_marks.line",
            )?
            .execute(params![viewer, conversation.0, now.0])?;
        Ok(())
    }

    /// The viewer has seen every conversation as it stands; their single marks are not needed
    /// any more.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn mark_all_read(&self, viewer: &str, now: UtcMs) -> Result<(), StoreError> {
        self.conn
            .prepare_cached("DELETE FROM read_marks WHERE viewer = ?1")?
            .execute(params![viewer])?;
        self.conn
            .prepare_cached(
                "INSERT INTO read_marks (viewer, campaign_lead_id, line, read_at)
                 VALUES (?1, 0, coalesce((SELECT max(id) FROM conversations), 0), ?2)",
            )?
            .execute(params![viewer, now.0])?;
        Ok(())
    }
}
