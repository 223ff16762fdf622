//! A copy of a mail of ours in the Sent folder: it proves that the server took the mail, tells
//! the Message-ID under which it left, and that the provider files what is sent.

use rusqlite::{OptionalExtension, params};

use super::outcome::Attempt;
use crate::model::{AccountId, Filed, FilesSent, IdSource, OutboxId, OutboxState, SentId};
use crate::store::{StoreError, Tx};
use crate::time::UtcMs;

/// A mail in the Sent folder that bears our signed id.
#[derive(Clone, Copy, Debug)]
pub struct OwnCopy<'a> {
    /// The signed local part of the Message-ID that we gave it.
    pub token: &'a str,
    /// The Message-ID that it bears now, canonical, and its keyed hash.
    pub bears: Option<(&'a str, &'a str)>,
    /// The account in whose Sent folder it lies.
    pub account: AccountId,
    /// That account's SMTP server.
    pub host: &'a str,
    /// Seen for the first time: tells whether the provider files what is sent.
    pub counted: bool,
}

/// What a copy told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyTold {
    /// The mail; none: not of this database.
    pub mail: Option<OutboxId>,
    /// Nobody knew whether it had arrived; now it counts as sent.
    pub settled: bool,
    /// Its Message-ID was changed on its way; replies to the new one match from now on.
    pub taught: bool,
}

impl Tx<'_> {
    /// Takes in what a copy tells. A copy is to be counted once only.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note_own_copy(&self, copy: &OwnCopy<'_>, now: UtcMs) -> Result<CopyTold, StoreError> {
        // A provider may have changed the domain of the id; "@" to "A" are neighbours.
        let (from, to) = (format!("{}@", copy.token), format!("{}A", copy.token));
        let found: Option<(i64, String, String, i64, i64, i64)> = self
            .conn
            .prepare_cached(
                "SELECT id, rfc_message_id, state, attempts, copies, file_tries FROM outbox
                 WHERE rfc_message_id >= ?1 AND rfc_message_id < ?2",
            )?
            .query_row([from, to], |r| {
                Ok((
                    r.get(0)?,
                    r.get(1)?,
                    r.get(2)?,
                    r.get(3)?,
                    r.get(4)?,
                    r.get(5)?,
                ))
            })
            .optional()?;
        let Some((id, sent_as, state, number, copies, tries)) = found else {
            return Ok(CopyTold::default());
        };
        let id = OutboxId(id);
        let mut told = CopyTold {
            mail: Some(id),
            ..CopyTold::default()
        };
        if state.parse::<OutboxState>()? == OutboxState::Unknown {
            told.settled = self.settle_by_copy(id, number, now)?;
        }
        if copy.counted {
            // Ours is one of the copies when we appended it, or died while we did.
            let ours = i64::from(tries > 0);
            if copies.saturating_add(1) > ours {
                self.set_files_sent(copy.account, FilesSent::Yes, copy.host)?;
            }
            self.conn
                .prepare_cached("UPDATE outbox SET copies = copies + 1 WHERE id = ?1")?
                .execute([id.0])?;
            let filed = if ours > 0 {
                Filed::Appended
            } else {
                Filed::Seen
            };
            self.set_filed(id, filed, now)?;
        }
        if let Some((bears, hash)) = copy.bears.filter(|(bears, _)| *bears != sent_as) {
            let sent: Option<i64> = self
                .conn
                .prepare_cached("SELECT id FROM sent_messages WHERE outbox_ref = ?1")?
                .query_row([id.0], |row| row.get(0))
                .optional()?;
            // A notice to sales has no row there, so its ids never become keys for a lead.
            if let Some(sent) = sent {
                told.taught =
                    self.add_sent_id(SentId(sent), bears, IdSource::SentFolder, hash, now)?;
            }
        }
        Ok(told)
    }

    fn settle_by_copy(&self, id: OutboxId, number: i64, now: UtcMs) -> Result<bool, StoreError> {
        let text = "Its copy lies in the Sent folder";
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE outbox SET state = 'sent', smtp_text = ?2, finished_at = ?3
                 WHERE id = ?1 AND state = 'unknown'",
            )?
            .execute(params![id.0, text, now.0])?;
        if changed == 1 {
            let attempt = Attempt {
                id,
                number,
                started_at: now,
            };
            self.note_attempt(&attempt, "found_in_sent", None, text, now)?;
            self.accepted(id, now)?;
        }
        Ok(changed == 1)
    }
}
