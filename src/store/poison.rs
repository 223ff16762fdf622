//! Messages that break the session when they are fetched: a server that sends what the guard
//! refuses, or what the parser cannot read. Counted in the store, so that a pass from cron
//! knows of them too; after three failures the one message is set aside and the rest goes on.

use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::{Reader, StoreError, Tx};
use crate::model::{AccountId, MailboxId};
use crate::time::UtcMs;

/// What is known of an account's failing fetches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poison {
    /// Sessions in a row that such a message ended.
    pub count: u32,
    /// The message that was being fetched alone when one ended: mailbox and UID.
    pub suspect: Option<(MailboxId, u32)>,
    /// How much speaks against it: what cannot be read counts three, a broken line one.
    pub weight: u32,
}

fn key(account: AccountId) -> String {
    format!("poison:{account}")
}

impl Reader<'_> {
    /// What is known of an account's failing fetches.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn poison(&self, account: AccountId) -> Result<Poison, StoreError> {
        Ok(self.learned(&key(account))?.unwrap_or_default())
    }
}

impl Tx<'_> {
    /// Records it; the default value forgets.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_poison(&self, account: AccountId, poison: Poison) -> Result<(), StoreError> {
        if poison == Poison::default() {
            self.forget_fact(&key(account))?;
            return Ok(());
        }
        self.set_record(&key(account), &poison)
    }

    /// Sets a message aside that cannot be fetched: its UID gets a row that people see.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn insert_quarantined(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uid_validity: u32,
        uid: u32,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO messages (account_id, mailbox_id, uid_validity, uid, internal_date, stored_at,
                    size_bytes, source, disposition, evidence, message_key, content_digest, fetch_tries)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?5, 0, 'live', 'quarantined',
                    '[\"the server sends it in a form that cannot be read\"]', '', '', 3)
                 ON CONFLICT (mailbox_id, uid_validity, uid) DO NOTHING",
            )?
            .execute(params![account.0, mailbox.0, uid_validity, uid, now.0])?;
        Ok(())
    }
}
