//! What waits for people, as lists: drafts, and messages that were set aside.

use rusqlite::{OptionalExtension, params};

use super::{Reader, StoreError, Tx};
use crate::model::{DraftId, MessageRowId};
use crate::time::UtcMs;

/// A draft as people see it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct DraftItem {
    /// The row.
    pub id: DraftId,
    /// When it was made.
    pub created_at: UtcMs,
    /// The operator's key of the lead.
    pub lead_id: String,
    /// The lead's name.
    pub lead_name: String,
    /// The lead's address.
    pub lead_email: String,
    /// The campaign.
    pub campaign: String,
    /// Why it was not sent.
    pub reason: String,
    /// Subject of the answer.
    pub subject: String,
    /// Text of the answer; empty: a person writes it.
    pub body: String,
    /// What the lead newly wrote.
    pub reply: String,
    /// Whether that lay in the spam folder.
    pub from_spam: bool,
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
     d.subject, d.body, m.visible_text, m.from_spam \
     FROM drafts d JOIN messages m ON m.id = d.message_id \
     JOIN campaign_leads x ON x.id = d.campaign_lead_id \
     JOIN leads l ON l.id = x.lead_id JOIN campaigns c ON c.id = x.campaign_id";

fn item(row: &rusqlite::Row<'_>) -> rusqlite::Result<DraftItem> {
    Ok(DraftItem {
        id: DraftId(row.get(0)?),
        created_at: UtcMs(row.get(1)?),
        lead_id: row.get(2)?,
        lead_name: row.get(3)?,
        lead_email: row.get(4)?,
        campaign: row.get(5)?,
        reason: row.get(6)?,
        subject: row.get(7)?,
        body: row.get(8)?,
        reply: row.get(9)?,
        from_spam: row.get(10)?,
    })
}

impl Reader<'_> {
    /// Open drafts, oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open_drafts(&self, limit: u32) -> Result<Vec<DraftItem>, StoreError> {
        let mut statement = self.conn.prepare_cached(&format!(
            "{COLUMNS} WHERE d.state = 'open' ORDER BY d.id LIMIT ?1"
        ))?;
        let rows = statement.query_map(params![limit], item)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One draft, open or not.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn draft(&self, id: DraftId) -> Result<Option<DraftItem>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(&format!("{COLUMNS} WHERE d.id = ?1"))?
            .query_row(params![id.0], item)
            .optional()?)
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

impl Tx<'_> {
    /// A person has dealt with a draft: it no longer waits.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when no open draft has this number.
    pub fn close_draft(&self, id: DraftId) -> Result<(), StoreError> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE drafts SET state = 'rejected' WHERE id = ?1 AND state = 'open'",
            )?
            .execute([id.0])?;
        if changed == 1 {
            Ok(())
        } else {
            Err(StoreError::NotFound(format!("Open draft {id}")))
        }
    }
}
