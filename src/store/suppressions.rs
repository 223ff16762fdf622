//! The list of addresses that get no mail, for people.

use rusqlite::params;
use serde::Serialize;

use super::{Reader, StoreError, Tx};
use crate::time::UtcMs;

/// An address that gets no mail from any campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Suppression {
    /// The address key.
    pub address: String,
    /// Why: `unsubscribe`, `complaint`, or a person's words.
    pub reason: String,
    /// Since when.
    pub since: UtcMs,
}

impl Reader<'_> {
    /// The newest suppressions first; with `only`, that address alone.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn suppressions(
        &self,
        only: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Suppression>, StoreError> {
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Suppression {
                address: row.get(0)?,
                reason: row.get(1)?,
                since: UtcMs(row.get(2)?),
            })
        };
        let rows = match only {
            Some(key) => self
                .conn
                .prepare_cached(
                    "SELECT email_key, reason, created_at FROM suppressions WHERE email_key = ?1",
                )?
                .query_map([key], read)?
                .collect::<Result<_, _>>(),
            None => self
                .conn
                .prepare_cached(
                    "SELECT email_key, reason, created_at FROM suppressions
                     ORDER BY created_at DESC, email_key LIMIT ?1",
                )?
                .query_map(params![limit], read)?
                .collect::<Result<_, _>>(),
        };
        Ok(rows?)
    }
}

impl Tx<'_> {
    /// The address may get mail again; what its opt-out withdrew stays withdrawn. Whether it was
    /// suppressed.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn unsuppress(&self, email_key: &str) -> Result<bool, StoreError> {
        let removed = self
            .conn
            .prepare_cached("DELETE FROM suppressions WHERE email_key = ?1")?
            .execute([email_key])?;
        Ok(removed > 0)
    }
}
