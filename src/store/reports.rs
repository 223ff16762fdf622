//! What machines report about our mails: who complained.

use rusqlite::{OptionalExtension, params};

use super::{Reader, StoreError, Tx};
use crate::model::MessageRowId;

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
}
