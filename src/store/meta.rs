//! Single facts that outlive sessions and processes: a key, a value.

use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Reader, StoreError, Tx};

impl Reader<'_> {
    /// The value of a key.
    pub(super) fn fact(&self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
            .query_row([key], |row| row.get(0))
            .optional()?)
    }

    /// A record that only speeds things up or spares work. One that another version wrote in a form
    /// unknown here is forgotten: it is learned again, and must not stop anything.
    pub(super) fn learned<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StoreError> {
        let text = self.fact(key)?;
        Ok(text.and_then(|t| serde_json::from_str(&t).ok()))
    }
}

impl Tx<'_> {
    /// Sets the value of a key.
    pub(super) fn set_fact(&self, key: &str, value: &str) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO meta (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value
                     WHERE value <> excluded.value",
            )?
            .execute(params![key, value])?;
        Ok(())
    }

    /// Sets the value of a key to a record.
    pub(super) fn set_record<T: Serialize>(&self, key: &str, record: &T) -> Result<(), StoreError> {
        let text = serde_json::to_string(record)
            .map_err(|e| StoreError::Invalid(format!("Record {key}: {e}")))?;
        self.set_fact(key, &text)
    }

    /// Forgets a key; whether it was there.
    pub(super) fn forget_fact(&self, key: &str) -> Result<bool, StoreError> {
        let gone = self
            .conn
            .prepare_cached("DELETE FROM meta WHERE key = ?1")?
            .execute([key])?;
        Ok(gone > 0)
    }
}
