//! Whether somebody may look at a row. What is not there and what is somebody else's are the same.

use rusqlite::params;

use super::super::{Reader, StoreError};
use crate::model::{Access, DraftId, LeadRowId, MessageRowId, OutboxId, address_key};

impl Reader<'_> {
    fn is_within(&self, sql: &str, id: i64, access: &Access) -> Result<bool, StoreError> {
        Ok(self
            .conn
            .prepare_cached(sql)?
            .exists(params![id, access.list()])?)
    }

    /// Of a draft.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn may_see_draft(&self, id: DraftId, access: &Access) -> Result<bool, StoreError> {
        self.is_within(
            "SELECT 1 FROM drafts d JOIN campaign_leads x ON x.id = d.campaign_lead_id
             WHERE d.id = ?1
               AND (?2 IS NULL OR x.campaign_id IN (SELECT value FROM json_each(?2)))",
            id.0,
            access,
        )
    }

    /// Of a lead: in one of the campaigns.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn may_see_lead(&self, id: LeadRowId, access: &Access) -> Result<bool, StoreError> {
        self.is_within(
            "SELECT 1 FROM leads l WHERE l.id = ?1
               AND (?2 IS NULL OR EXISTS (SELECT 1 FROM campaign_leads x WHERE x.lead_id = l.id
                    AND x.campaign_id IN (SELECT value FROM json_each(?2))))",
            id.0,
            access,
        )
    }

    /// Of a mail of ours; those that belong to no campaign are for the operator.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn may_see_mail(&self, id: OutboxId, access: &Access) -> Result<bool, StoreError> {
        self.is_within(
            "SELECT 1 FROM outbox o LEFT JOIN campaign_leads x ON x.id = o.campaign_lead_id
             WHERE o.id = ?1
               AND (?2 IS NULL OR x.campaign_id IN (SELECT value FROM json_each(?2)))",
            id.0,
            access,
        )
    }

    /// Of a captured message; what belongs to no conversation is for the operator.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn may_see_message(&self, id: MessageRowId, access: &Access) -> Result<bool, StoreError> {
        self.is_within(
            "SELECT 1 FROM messages m LEFT JOIN campaign_leads x ON x.id = m.campaign_lead_id
             WHERE m.id = ?1
               AND (?2 IS NULL OR x.campaign_id IN (SELECT value FROM json_each(?2)))",
            id.0,
            access,
        )
    }

    /// Of an unmatched message: its sender is a lead in one of the campaigns.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn may_see_unmatched(&self, id: MessageRowId, access: &Access) -> Result<bool, StoreError> {
        let from: Option<String> = self
            .conn
            .prepare_cached(
                "SELECT from_address FROM messages WHERE id = ?1 AND disposition = 'unmatched'",
            )?
            .query_map([id.0], |row| row.get(0))?
            .next()
            .transpose()?;
        match (from, access) {
            (None, _) => Ok(false),
            (Some(_), Access::All) => Ok(true),
            (Some(from), Access::Campaigns(_)) => self.may_see_address(&address_key(&from), access),
        }
    }

    /// Of an address (its key): a lead in one of the campaigns has it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn may_see_address(&self, key: &str, access: &Access) -> Result<bool, StoreError> {
        let Some(list) = access.list() else {
            return Ok(true);
        };
        Ok(self
            .conn
            .prepare_cached(
                "SELECT 1 FROM campaign_leads x
                 WHERE x.lead_id IN (SELECT id FROM leads WHERE email_key = ?1 AND email_key <> ''
                                     UNION SELECT lead_id FROM lead_addresses WHERE address_key = ?1)
                   AND x.campaign_id IN (SELECT value FROM json_each(?2)) LIMIT 1",
            )?
            .exists(params![key, list])?)
    }
}
