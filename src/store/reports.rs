//! What machines report about our mails: who complained, and which notices did not arrive.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{Reader, StoreError, Tx};
use crate::model::{AccountId, MessageRowId};
use crate::time::UtcMs;

/// A notice that the server takes is no proof: its bounce comes a little later. One that is
/// taken this long after a bounce was sent after a person looked, or to a server that is well.
const BOUNCE_HOLDS: Duration = Duration::from_secs(600);

/// A notice to sales that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoticeBounce {
    /// Into whose mailbox the report came.
    pub account_id: AccountId,
    /// When the newest report was stored.
    pub at: UtcMs,
    /// That report.
    pub message_id: MessageRowId,
}

/// The value of `meta['notice_bounced:<account>']`.
#[derive(Serialize, Deserialize)]
struct KeptBounce {
    at: i64,
    message: i64,
}

impl Reader<'_> {
    /// The leads' addresses (as keys) among those that an abuse report names.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn complaining_leads(&self, report: MessageRowId) -> Result<Vec<String>, StoreError> {
        let named: Option<String> = self
            .conn
            .prepare_cached("SELECT complained_of FROM messages WHERE id = ?1")?
            .query_row([report.0], |row| row.get(0))
            .optional()?;
        let mut is_lead = self
            .conn
            .prepare_cached("SELECT 1 FROM leads WHERE email_key = ?1 AND email_key <> ''")?;
        let mut leads = Vec::new();
        for key in named.unwrap_or_default().split_whitespace() {
            if is_lead.exists([key])? {
                leads.push(key.to_owned());
            }
        }
        Ok(leads)
    }

    /// Accounts whose notices to sales come back, since no later one was taken.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn notice_bounces(&self) -> Result<Vec<NoticeBounce>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT CAST(substr(key, 16) AS INTEGER), value FROM meta
             WHERE key >= 'notice_bounced:' AND key < 'notice_bounced;' ORDER BY 1",
        )?;
        let rows: Vec<(i64, String)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        rows.into_iter()
            .map(|(account, value)| {
                let kept: KeptBounce = serde_json::from_str(&value)
                    .map_err(|e| StoreError::Invalid(format!("Bounced notice in meta: {e}")))?;
                Ok(NoticeBounce {
                    account_id: AccountId(account),
                    at: UtcMs(kept.at),
                    message_id: MessageRowId(kept.message),
                })
            })
            .collect()
    }
}

impl Tx<'_> {
    /// Keeps the addresses (as keys) that an abuse report names.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn keep_complained_of(
        &self,
        report: MessageRowId,
        keys: &[String],
    ) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.conn
            .prepare_cached("UPDATE messages SET complained_of = ?2 WHERE id = ?1")?
            .execute(params![report.0, keys.join(" ")])?;
        Ok(())
    }

    /// Notes that this report in the account's mailbox says: a notice to sales did not arrive.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note_notice_bounced(
        &self,
        account: AccountId,
        report: MessageRowId,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        let kept = KeptBounce {
            at: now.0,
            message: report.0,
        };
        let value = serde_json::to_string(&kept)
            .map_err(|e| StoreError::Invalid(format!("Bounced notice: {e}")))?;
        self.conn
            .prepare_cached(
                "INSERT INTO meta (key, value) VALUES ('notice_bounced:' || ?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )?
            .execute(params![account.0, value])?;
        Ok(())
    }

    /// A notice was taken: older bounces are history, of every account, because all write to
    /// the same address of sales (and the account that reads bounces may send none itself).
    pub(super) fn forget_notice_bounces(&self, now: UtcMs) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "DELETE FROM meta WHERE key >= 'notice_bounced:' AND key < 'notice_bounced;'
                   AND json_extract(value, '$.at') <= ?1",
            )?
            .execute([now.minus(BOUNCE_HOLDS).0])?;
        Ok(())
    }
}
