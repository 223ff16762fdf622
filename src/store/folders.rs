//! The folders of an account besides the idling mailbox: what each is for, how it stands, and the
//! copies of our own mails in the Sent folder.

use rusqlite::{OptionalExtension, params};

use super::{Reader, StoreError, Tx};
use crate::model::{AccountId, Filed, FilesSent, FolderRole, MailboxId, OutboxId};
use crate::time::UtcMs;

/// How often appending one copy is tried.
pub(crate) const FILE_TRIES: u32 = 5;

/// A folder that is looked at.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct FolderRow {
    /// The row.
    #[serde(skip)]
    pub id: MailboxId,
    /// Its name in UTF-8.
    pub name: String,
    /// What it is for.
    pub role: FolderRole,
    /// Why it cannot be read now; empty: it can.
    pub trouble: String,
    /// Sessions in a row that ended because of it.
    #[serde(skip)]
    pub failures: u32,
    /// Not looked at before.
    #[serde(skip)]
    pub rest_until: UtcMs,
}

/// What is known of an account's folders.
#[derive(Clone, Debug)]
pub struct FoldersKnown {
    /// The settings that the search answered.
    pub asked: String,
    /// When the server was last asked which folders it has.
    pub found_at: UtcMs,
    /// Whether the provider files what is sent…
    pub files_sent: FilesSent,
    /// …by this SMTP server.
    pub files_sent_host: String,
    /// Those with a role, in the order of their rows.
    pub folders: Vec<FolderRow>,
}

/// A mail to a lead of whose copy in the Sent folder nothing is known. `Debug` shows no content.
#[derive(Clone)]
pub struct Unfiled {
    /// The row.
    pub id: OutboxId,
    /// Its Message-ID, canonical.
    pub rfc_message_id: String,
    /// When the server took it.
    pub finished_at: UtcMs,
    /// Attempts to append it so far.
    pub tries: u32,
    /// The whole mail.
    pub raw: Vec<u8>,
}

impl std::fmt::Debug for Unfiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unfiled")
            .field("id", &self.id)
            .field("finished_at", &self.finished_at)
            .field("tries", &self.tries)
            .finish_non_exhaustive()
    }
}

impl Reader<'_> {
    /// What is known of an account's folders.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn folders(&self, account: AccountId) -> Result<FoldersKnown, StoreError> {
        let known: Option<(String, i64, String, String)> = self
            .conn
            .prepare_cached(
                "SELECT asked, found_at, files_sent, files_sent_host FROM account_folders
                 WHERE account_id = ?1",
            )?
            .query_row([account.0], |r| {
                Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))
            })
            .optional()?;
        let (asked, found_at, files_sent, files_sent_host) = known.unwrap_or_else(|| {
            (
                String::new(),
                0,
                FilesSent::Untried.to_string(),
                String::new(),
            )
        });
        let mut statement = self.conn.prepare_cached(
            "SELECT id, name, role, trouble, failures, rest_until FROM mailboxes
             WHERE account_id = ?1 AND role <> 'none' ORDER BY id",
        )?;
        let mut rows = statement.query([account.0])?;
        let mut folders = Vec::new();
        while let Some(row) = rows.next()? {
            folders.push(FolderRow {
                id: MailboxId(row.get(0)?),
                name: row.get(1)?,
                role: row.get::<_, String>(2)?.parse()?,
                trouble: row.get(3)?,
                failures: row.get(4)?,
                rest_until: UtcMs(row.get(5)?),
            });
        }
        Ok(FoldersKnown {
            asked,
            found_at: UtcMs(found_at),
            files_sent: files_sent.parse()?,
            files_sent_host,
            folders,
        })
    }

    /// The mailbox of an account with this name, if it was ever looked at.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn mailbox_named(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Option<MailboxId>, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT id FROM mailboxes WHERE account_id = ?1 AND name = ?2")?
            .query_row(params![account.0, name], |row| row.get(0))
            .optional()?
            .map(MailboxId))
    }

    /// Mails to leads that an account's server took after `since`, of whose copy nothing is
    /// known and which were not tried too often; oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn unfiled(
        &self,
        account: AccountId,
        since: UtcMs,
        limit: u32,
    ) -> Result<Vec<Unfiled>, StoreError> {
        // The first conditions are that of the partial index outbox_unfiled.
        let mut statement = self.conn.prepare_cached(
            "SELECT id, rfc_message_id, finished_at, file_tries, raw FROM outbox
             WHERE state = 'sent' AND filed = '' AND account_id = ?1 AND finished_at > ?2
               AND kind IN ('acknowledgment', 'answer', 'optout_confirmation', 'campaign', 'manual')
             ORDER BY finished_at LIMIT ?3",
        )?;
        let rows = statement.query_map(params![account.0, since.0, limit], |row| {
            Ok(Unfiled {
                id: OutboxId(row.get(0)?),
                rfc_message_id: row.get(1)?,
                finished_at: UtcMs(row.get(2)?),
                tries: row.get(3)?,
                raw: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Messages that count as replies and were captured in the spam folder.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn replies_from_spam(&self) -> Result<u64, StoreError> {
        let n: i64 = self
            .conn
            .prepare_cached(
                "SELECT count(*) FROM messages WHERE from_spam = 1 AND disposition IN
                     ('reply', 'reply_unverified', 'human_uncertain', 'opt_out', 'unreadable')",
            )?
            .query_row([], |row| row.get(0))?;
        Ok(u64::try_from(n).unwrap_or(0))
    }
}

impl Tx<'_> {
    /// Books that the server is asked for its folders: should that end the session, it is not
    /// asked again before `found_at` is old.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn book_folder_search(
        &self,
        account: AccountId,
        asked: &str,
        found_at: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO account_folders (account_id, asked, found_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (account_id) DO UPDATE SET asked = ?2, found_at = ?3",
            )?
            .execute(params![account.0, asked, found_at.0])?;
        Ok(())
    }

    /// Gives each mailbox its role: `watched` are those of the settings, every other one without
    /// a role here is not looked at any more.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_folders(
        &self,
        account: AccountId,
        watched: &[String],
        junk: Option<&str>,
        sent: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut wanted: Vec<(MailboxId, FolderRole)> = Vec::new();
        for name in watched {
            wanted.push((self.ensure_mailbox(account, name)?, FolderRole::Watched));
        }
        for (name, role) in [(junk, FolderRole::Junk), (sent, FolderRole::Sent)] {
            let Some(name) = name else { continue };
            let id = self.ensure_mailbox(account, name)?;
            // A watched mailbox that is the spam or Sent folder as well is read as that, but for
            // the one that idles.
            match wanted.iter_mut().enumerate().find(|(_, (w, _))| *w == id) {
                Some((0, _)) => {}
                Some((_, (_, watched))) => *watched = role,
                None => wanted.push((id, role)),
            }
        }
        self.conn
            .prepare_cached("UPDATE mailboxes SET role = 'none' WHERE account_id = ?1")?
            .execute([account.0])?;
        let mut give = self
            .conn
            .prepare_cached("UPDATE mailboxes SET role = ?2 WHERE id = ?1")?;
        for (id, role) in wanted {
            give.execute(params![id.0, role.as_str()])?;
        }
        Ok(())
    }

    /// A folder could be read, or (with the reason) not. Says whether that is news.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note_folder(&self, id: MailboxId, trouble: &str) -> Result<bool, StoreError> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE mailboxes SET trouble = ?2, failures = 0 WHERE id = ?1
                 AND (trouble <> ?2 OR failures > 0)",
            )?
            .execute(params![id.0, trouble])?;
        Ok(changed == 1)
    }

    /// A folder is left alone until then; `failed`: because a session ended over it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn rest_folder(
        &self,
        id: MailboxId,
        failed: Option<&str>,
        until: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE mailboxes SET rest_until = ?2, failures = min(failures + (?3 IS NOT NULL), 1000),
                     trouble = coalesce(?3, trouble) WHERE id = ?1",
            )?
            .execute(params![id.0, until.0, failed])?;
        Ok(())
    }

    /// Keeps what was learned of the provider behind this SMTP server.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_files_sent(
        &self,
        account: AccountId,
        learned: FilesSent,
        host: &str,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO account_folders (account_id, files_sent, files_sent_host) VALUES (?1, ?2, ?3)
                 ON CONFLICT (account_id) DO UPDATE SET files_sent = ?2, files_sent_host = ?3",
            )?
            .execute(params![account.0, learned.as_str(), host])?;
        Ok(())
    }

    /// Books an attempt to append a copy, before it is made. `false`: it has its copy by now, or
    /// was tried too often, which is then recorded.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn book_filing(&self, id: OutboxId, now: UtcMs) -> Result<bool, StoreError> {
        let booked = self
            .conn
            .prepare_cached(
                "UPDATE outbox SET file_tries = file_tries + 1
                 WHERE id = ?1 AND filed = '' AND file_tries < ?2",
            )?
            .execute(params![id.0, FILE_TRIES])?;
        if booked == 0 {
            self.set_filed(id, Filed::GivenUp, now)?;
        }
        Ok(booked == 1)
    }

    /// Records where a mail's copy stands; what is known already stays.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_filed(&self, id: OutboxId, filed: Filed, now: UtcMs) -> Result<bool, StoreError> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE outbox SET filed = ?2, filed_at = ?3 WHERE id = ?1 AND filed = ''",
            )?
            .execute(params![id.0, filed.as_str(), now.0])?;
        Ok(changed == 1)
    }
}
