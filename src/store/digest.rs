//! What sales are told in one digest instead of one notice each.

use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::{Reader, StoreError, Tx};
use crate::model::{AccountId, MessageRowId, OutboxId};
use crate::time::UtcMs;

/// A line of the next digest.
#[derive(Clone, Debug)]
pub struct DigestItem {
    /// The message.
    pub message_id: MessageRowId,
    /// Why it stands here.
    pub reason: String,
    /// The account that captured it, and its name in the settings.
    pub account: (AccountId, String),
    /// The lead's name; may be empty.
    pub lead_name: String,
    /// Where it was written from.
    pub from_address: String,
    /// The project; may be empty.
    pub project: String,
    /// INTERNALDATE.
    pub received: UtcMs,
    /// The class that the job found; may be empty.
    pub intent: String,
    /// The newly written text.
    pub text: String,
    /// Whether it lay in the spam folder.
    pub from_spam: bool,
}

/// What waits for a digest, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DigestWaiting {
    /// Number of items.
    pub items: u32,
    /// The oldest.
    pub oldest: UtcMs,
    /// The newest.
    pub newest: UtcMs,
}

/// Why the digest cannot be built: nothing that time mends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DigestFailure {
    /// When it was last tried.
    pub at: UtcMs,
    /// Why.
    pub reason: String,
}

/// [`DigestFailure`] as `meta` holds it.
#[derive(Serialize, Deserialize)]
struct KeptFailure {
    at: i64,
    reason: String,
}

/// The row of `meta` with the failure.
const FAILURE_KEY: &str = "digest_failed";

impl Reader<'_> {
    /// Why the last digest could not be built; `None`: it could, or none was due.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn digest_failure(&self) -> Result<Option<DigestFailure>, StoreError> {
        self.fact(FAILURE_KEY)?
            .map(|text| {
                let kept: KeptFailure = serde_json::from_str(&text).map_err(|e| {
                    StoreError::Invalid(format!("Failure of a digest in meta: {e}"))
                })?;
                Ok(DigestFailure {
                    at: UtcMs(kept.at),
                    reason: kept.reason,
                })
            })
            .transpose()
    }

    /// What waits for the reason given; `None`: nothing.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn digest_waiting(&self, reason: &str) -> Result<Option<DigestWaiting>, StoreError> {
        let waiting = self
            .conn
            .prepare_cached(
                "SELECT count(*), coalesce(min(created_at), 0), coalesce(max(created_at), 0)
                 FROM digest_items WHERE outbox_ref IS NULL AND reason = ?1",
            )?
            .query_row([reason], |row| {
                Ok(DigestWaiting {
                    items: row.get(0)?,
                    oldest: UtcMs(row.get(1)?),
                    newest: UtcMs(row.get(2)?),
                })
            })?;
        Ok((waiting.items > 0).then_some(waiting))
    }

    /// The open items by time of arrival, at most `limit`, and how many there are. A message
    /// that waits for two reasons is one item.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open_digest_items(&self, limit: u32) -> Result<(Vec<DigestItem>, u32), StoreError> {
        let total = self
            .conn
            .prepare_cached(
                "SELECT count(DISTINCT message_id) FROM digest_items WHERE outbox_ref IS NULL",
            )?
            .query_row([], |row| row.get(0))?;
        let mut statement = self.conn.prepare_cached(
            "SELECT d.message_id, d.reason, m.account_id, a.name, coalesce(l.name, m.from_name),
                    m.from_address, coalesce(nullif(c.project_name, ''), l.project_name, ''),
                    m.internal_date, coalesce(j.intent, ''), substr(m.visible_text, 1, 500),
                    m.from_spam
             FROM digest_items d
             JOIN messages m ON m.id = d.message_id
             JOIN accounts a ON a.id = m.account_id
             LEFT JOIN reply_jobs j ON j.message_id = m.id
             LEFT JOIN campaign_leads cl ON cl.id = m.campaign_lead_id
             LEFT JOIN leads l ON l.id = cl.lead_id
             LEFT JOIN campaigns c ON c.id = cl.campaign_id
             WHERE d.outbox_ref IS NULL
             GROUP BY d.message_id
             ORDER BY m.internal_date, m.id LIMIT ?1",
        )?;
        let items = statement
            .query_map([limit], |row| {
                Ok(DigestItem {
                    message_id: MessageRowId(row.get(0)?),
                    reason: row.get(1)?,
                    account: (AccountId(row.get(2)?), row.get(3)?),
                    lead_name: row.get(4)?,
                    from_address: row.get(5)?,
                    project: row.get(6)?,
                    received: UtcMs(row.get(7)?),
                    intent: row.get(8)?,
                    text: row.get(9)?,
                    from_spam: row.get(10)?,
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok((items, total))
    }
}

impl Tx<'_> {
    /// Puts a message on the next digest; once for a reason, ever.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn add_digest_item(
        &self,
        message: MessageRowId,
        reason: &str,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO digest_items (message_id, reason, created_at)
                 VALUES (?1, ?2, ?3) ON CONFLICT (message_id, reason) DO NOTHING",
            )?
            .execute(params![message.0, reason, now.0])?;
        Ok(())
    }

    /// Notes that the digest could not be built.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note_digest_failure(&self, failure: &DigestFailure) -> Result<(), StoreError> {
        let kept = KeptFailure {
            at: failure.at.0,
            reason: failure.reason.clone(),
        };
        self.set_record(FAILURE_KEY, &kept)
    }

    /// These messages were told in this mail, for whatever reasons they waited; others stay open
    /// for the next digest. In the transaction that read them.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn close_digest_items(
        &self,
        told: &[MessageRowId],
        told_in: OutboxId,
    ) -> Result<(), StoreError> {
        let mut close = self.conn.prepare_cached(
            "UPDATE digest_items SET outbox_ref = ?1 WHERE outbox_ref IS NULL AND message_id = ?2",
        )?;
        for message in told {
            close.execute([told_in.0, message.0])?;
        }
        self.forget_fact(FAILURE_KEY)?;
        Ok(())
    }
}
