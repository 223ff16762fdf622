//! What the reconcile needs to know and keeps: the epochs of a mailbox, the last proof of each
//! mailbox, UIDs that the server lists but does not deliver, and messages that were set aside.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{Reader, StoreError, Tx};
use crate::model::{AccountId, Epoch, EpochId, MailboxId, MessageRowId};
use crate::time::UtcMs;

/// Set-aside messages that are listed at once.
const SET_ASIDE: u32 = 500;

/// What the last reconcile of a mailbox found; under one key a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// When it ended, ms since the epoch.
    pub at: i64,
    /// The UIDVALIDITY that was compared.
    pub uid_validity: u32,
    /// UIDs of the window that the server has.
    pub on_server: u64,
    /// Those of them that have a row.
    pub accounted: u64,
    /// UIDs that were listed and not delivered, with how often: bounded by who writes it.
    pub undelivered: BTreeMap<u32, u32>,
}

/// A message that could not be read as the server sends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// Its row.
    pub id: MessageRowId,
    /// The account's name.
    pub account: String,
    /// The mailbox's name.
    pub mailbox: String,
    #[serde(skip)]
    pub(crate) mailbox_id: MailboxId,
    /// Its UIDVALIDITY.
    pub uid_validity: u32,
    /// Its UID.
    pub uid: u32,
    /// When it was set aside.
    pub at: UtcMs,
    /// Why, as JSON list.
    pub reason: String,
    /// How often it was fetched.
    pub tries: u32,
    /// Who released it, and when; none: it waits for a person.
    pub released: Option<Released>,
}

/// A person has seen a set-aside message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// When, ms since the epoch.
    pub at: i64,
    /// What they said of it.
    pub note: String,
}

fn proof_key(mailbox: MailboxId) -> String {
    format!("proof:{mailbox}")
}

fn due_key(account: AccountId) -> String {
    format!("reconcile:{account}")
}

fn released_key(id: MessageRowId) -> String {
    format!("released:{id}")
}

impl Reader<'_> {
    /// Every epoch of a mailbox, the oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn epochs(&self, mailbox: MailboxId) -> Result<Vec<Epoch>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, uid_validity, floor_uid, cursor_uid, window_from, first_until, first_source
             FROM mailbox_epochs WHERE mailbox_id = ?1 ORDER BY id",
        )?;
        let mut rows = statement.query([mailbox.0])?;
        let mut epochs = Vec::new();
        while let Some(row) = rows.next()? {
            epochs.push(Epoch {
                id: EpochId(row.get(0)?),
                mailbox_id: mailbox,
                uid_validity: row.get(1)?,
                floor_uid: row.get(2)?,
                cursor_uid: row.get(3)?,
                window_from: UtcMs(row.get(4)?),
                first_until: row.get(5)?,
                first_source: row.get::<_, String>(6)?.parse()?,
            });
        }
        Ok(epochs)
    }

    /// How many UIDs of an epoch have a row.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn rows_of_epoch(&self, mailbox: MailboxId, uid_validity: u32) -> Result<u64, StoreError> {
        let n: i64 = self
            .conn
            .prepare_cached(
                "SELECT count(*) FROM messages WHERE mailbox_id = ?1 AND uid_validity = ?2",
            )?
            .query_row(params![mailbox.0, uid_validity], |row| row.get(0))?;
        Ok(u64::try_from(n).unwrap_or(0))
    }

    /// What the last reconcile of a mailbox found.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn proof(&self, mailbox: MailboxId) -> Result<Option<Proof>, StoreError> {
        self.learned(&proof_key(mailbox))
    }

    /// When the account is to be reconciled next; none: never planned.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn reconcile_due(&self, account: AccountId) -> Result<Option<UtcMs>, StoreError> {
        Ok(self.learned::<i64>(&due_key(account))?.map(UtcMs))
    }

    /// Messages that were set aside, the newest first, the first 500.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn quarantined(&self) -> Result<Vec<Quarantined>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT m.id, a.name, b.name, m.mailbox_id, m.uid_validity, m.uid, m.stored_at, m.evidence,
                    m.fetch_tries
             FROM messages m JOIN accounts a ON a.id = m.account_id JOIN mailboxes b ON b.id = m.mailbox_id
             WHERE m.disposition = 'quarantined' ORDER BY m.id DESC LIMIT ?1",
        )?;
        let mut rows = statement.query([SET_ASIDE])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let id = MessageRowId(row.get(0)?);
            found.push(Quarantined {
                id,
                account: row.get(1)?,
                mailbox: row.get(2)?,
                mailbox_id: MailboxId(row.get(3)?),
                uid_validity: row.get(4)?,
                uid: row.get(5)?,
                at: UtcMs(row.get(6)?),
                reason: row.get(7)?,
                tries: row.get(8)?,
                released: self.learned(&released_key(id))?,
            });
        }
        Ok(found)
    }
}

impl Tx<'_> {
    /// Keeps what a reconcile found.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_proof(&self, mailbox: MailboxId, proof: &Proof) -> Result<(), StoreError> {
        self.set_record(&proof_key(mailbox), proof)
    }

    /// Plans the account's next reconcile. `false`: somebody else has it planned otherwise than
    /// `known` meanwhile, and nothing is changed.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn plan_reconcile(
        &self,
        account: AccountId,
        known: Option<UtcMs>,
        next: UtcMs,
    ) -> Result<bool, StoreError> {
        if self.reconcile_due(account)? != known {
            return Ok(false);
        }
        self.set_record(&due_key(account), &next.0)?;
        Ok(true)
    }

    /// Books an attempt to fetch a set-aside message again, before it is made.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn book_quarantined(&self, id: MessageRowId) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE messages SET fetch_tries = fetch_tries + 1
                 WHERE id = ?1 AND disposition = 'quarantined'",
            )?
            .execute([id.0])?;
        Ok(())
    }

    /// A person has seen to a set-aside message: it is asked for no more. `false`: there is no
    /// such message.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn release_quarantined(
        &self,
        id: MessageRowId,
        note: &str,
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        let there: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT id FROM messages WHERE id = ?1 AND disposition = 'quarantined'",
            )?
            .query_row([id.0], |row| row.get(0))
            .optional()?;
        if there.is_none() {
            return Ok(false);
        }
        let released = Released {
            at: now.0,
            note: note.to_owned(),
        };
        self.set_record(&released_key(id), &released)?;
        Ok(true)
    }

    /// Takes the row away that only says that a message could not be had: here it is.
    pub(super) fn give_way(&self, id: MessageRowId) -> Result<bool, StoreError> {
        let gone = self
            .conn
            .prepare_cached(
                "DELETE FROM messages WHERE id = ?1 AND disposition IN ('vanished', 'quarantined')",
            )?
            .execute([id.0])?;
        if gone > 0 {
            self.forget_fact(&released_key(id))?;
        }
        Ok(gone > 0)
    }
}
