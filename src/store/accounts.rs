//! Accounts and mailboxes: who reads them now (lease), when a server may be tried again
//! (backoff and login budget), how they are (state), and how far each mailbox was read (epochs).

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::{Reader, StoreError, Tx};
use crate::model::{
    AccountId, AccountState, CaptureSource, Epoch, EpochId, Lease, MailboxId, Pipelining,
};
use crate::time::{UtcMs, millis};

/// No computed wait is longer than this; a stored time further ahead is a clock that was set
/// back meanwhile, and is not obeyed.
const LONGEST_WAIT: Duration = Duration::from_secs(2 * 3600);

/// What one login costs from the bucket, and how many it holds.
const LOGIN_BURST: i64 = 2;

/// An account as the store knows it.
#[derive(Clone, Debug)]
pub struct AccountRow {
    /// The row.
    pub id: AccountId,
    /// Its name in the settings.
    pub name: String,
    /// When replyd first knew it: older replies are never answered automatically.
    pub first_started_at: UtcMs,
    /// How it is.
    pub state: AccountState,
    /// Why, in words.
    pub state_reason: String,
    /// Since when.
    pub state_since: UtcMs,
    /// The code of the fault behind the reason; empty: none.
    pub state_fault: String,
    /// Last look at all mailboxes that ended well.
    pub looked_at: Option<UtcMs>,
    /// Last tagged OK from a selected mailbox.
    pub verified_at: Option<UtcMs>,
    /// Connections lost in a row.
    pub failures: u32,
    /// Sign-ins refused in a row.
    pub auth_refusals: u32,
    /// No connection before.
    pub next_attempt_at: UtcMs,
    /// Whether the server takes pipelined IDLE.
    pub pipelining: Pipelining,
    /// Who reads it now, while `lease_until` is in the future.
    pub lease_owner: Option<String>,
    /// Until when.
    pub lease_until: UtcMs,
}

/// A UIDVALIDITY that was not seen before.
#[derive(Clone, Copy, Debug)]
pub struct NewEpoch {
    /// Whose.
    pub mailbox_id: MailboxId,
    /// The server's UIDVALIDITY.
    pub uid_validity: u32,
    /// The UIDs below are taken in by the first look.
    pub first_until: u32,
    /// Why it is looked through: `first_run` or `new_epoch`.
    pub first_source: CaptureSource,
    /// Earliest INTERNALDATE of the window.
    pub window_from: UtcMs,
}

/// Whether a sign-in may be tried now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginPermit {
    /// Yes; it is booked.
    Granted,
    /// Not before this time.
    NotBefore(UtcMs),
}

impl Reader<'_> {
    /// All accounts, by name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn accounts(&self) -> Result<Vec<AccountRow>, StoreError> {
        let mut statement = self
            .conn
            .prepare_cached(&format!("{ACCOUNT_COLUMNS} ORDER BY name"))?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(account_row(row)?);
        }
        Ok(found)
    }

    /// One account.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or what SQLite says.
    pub fn account(&self, id: AccountId) -> Result<AccountRow, StoreError> {
        let mut statement = self
            .conn
            .prepare_cached(&format!("{ACCOUNT_COLUMNS} WHERE id = ?1"))?;
        let mut rows = statement.query([id.0])?;
        let row = rows
            .next()?
            .ok_or_else(|| StoreError::NotFound(format!("Account {id}")))?;
        account_row(row)
    }

    /// The epoch of a mailbox with this UIDVALIDITY, if it was ever seen.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn epoch(
        &self,
        mailbox: MailboxId,
        uid_validity: u32,
    ) -> Result<Option<Epoch>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, floor_uid, cursor_uid, window_from, first_until, first_source \
             FROM mailbox_epochs WHERE mailbox_id = ?1 AND uid_validity = ?2",
        )?;
        let mut rows = statement.query(params![mailbox.0, uid_validity])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        Ok(Some(Epoch {
            id: EpochId(row.get(0)?),
            mailbox_id: mailbox,
            uid_validity,
            floor_uid: row.get(1)?,
            cursor_uid: row.get(2)?,
            window_from: UtcMs(row.get(3)?),
            first_until: row.get(4)?,
            first_source: row.get::<_, String>(5)?.parse()?,
        }))
    }

    /// The newest INTERNALDATE stored of a mailbox, and the widest window of its epochs: what a
    /// new UIDVALIDITY is looked through from.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn last_seen(
        &self,
        mailbox: MailboxId,
    ) -> Result<(Option<UtcMs>, Option<UtcMs>), StoreError> {
        let newest: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT max(internal_date) FROM (SELECT internal_date FROM messages \
                 WHERE mailbox_id = ?1 AND disposition <> 'vanished' ORDER BY id DESC LIMIT 1000)",
            )?
            .query_row([mailbox.0], |row| row.get(0))?;
        let window: Option<i64> = self
            .conn
            .prepare_cached("SELECT min(window_from) FROM mailbox_epochs WHERE mailbox_id = ?1")?
            .query_row([mailbox.0], |row| row.get(0))?;
        Ok((newest.map(UtcMs), window.map(UtcMs)))
    }
}

impl Tx<'_> {
    /// The account with this name, made on first mention.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn ensure_account(&self, name: &str, now: UtcMs) -> Result<AccountRow, StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO accounts (name, first_started_at, state_since, login_refilled_at) \
                 VALUES (?1, ?2, ?2, ?2) ON CONFLICT (name) DO NOTHING",
            )?
            .execute(params![name, now.0])?;
        let id = self
            .conn
            .prepare_cached("SELECT id FROM accounts WHERE name = ?1")?
            .query_row([name], |row| row.get(0))?;
        self.account(AccountId(id))
    }

    /// The mailbox of an account, made on first mention.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn ensure_mailbox(&self, account: AccountId, name: &str) -> Result<MailboxId, StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO mailboxes (account_id, name) VALUES (?1, ?2) \
                 ON CONFLICT (account_id, name) DO NOTHING",
            )?
            .execute(params![account.0, name])?;
        let id = self
            .conn
            .prepare_cached("SELECT id FROM mailboxes WHERE account_id = ?1 AND name = ?2")?
            .query_row(params![account.0, name], |row| row.get(0))?;
        Ok(MailboxId(id))
    }

    /// Takes the account for `owner` until `now + ttl`, or says who holds it. The epoch grows
    /// with each change of owner; a lease that reaches further than `ttl` stems from a clock
    /// that was set back, and counts as expired.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn take_lease(
        &self,
        account: AccountId,
        owner: &str,
        now: UtcMs,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let taken = self
            .conn
            .prepare_cached(
                "UPDATE accounts SET lease_epoch = lease_epoch + (lease_owner IS NOT ?2), \
                        lease_owner = ?2, lease_until = ?4 \
                 WHERE id = ?1 AND (lease_owner IS NULL OR lease_owner = ?2 \
                                    OR lease_until <= ?3 OR lease_until > ?4) \
                 RETURNING lease_epoch",
            )?
            .query_row(params![account.0, owner, now.0, now.plus(ttl).0], |row| {
                row.get(0)
            })
            .optional()?;
        Ok(taken.map(|epoch| Lease {
            account_id: account,
            epoch,
            owner: owner.to_owned(),
        }))
    }

    /// Prolongs all leases of `owner` at once.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn renew_leases(&self, owner: &str, now: UtcMs, ttl: Duration) -> Result<(), StoreError> {
        self.conn
            .prepare_cached("UPDATE accounts SET lease_until = ?2 WHERE lease_owner = ?1")?
            .execute(params![owner, now.plus(ttl).0])?;
        Ok(())
    }

    /// Gives back all accounts. The caller knows that nobody else lives
    /// ([`super::Store::join_readers`]). How many were held.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn give_back_accounts(&self) -> Result<usize, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "UPDATE accounts SET lease_owner = NULL, lease_until = 0 \
                 WHERE lease_owner IS NOT NULL",
            )?
            .execute([])?)
    }

    /// Gives an account back.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE accounts SET lease_owner = NULL, lease_until = 0 \
                 WHERE id = ?1 AND lease_owner = ?2 AND lease_epoch = ?3",
            )?
            .execute(params![lease.account_id.0, lease.owner, lease.epoch])?;
        Ok(())
    }

    /// Fails with [`StoreError::LeaseLost`] when another process took the account over: part
    /// of every capture transaction (invariant I5).
    ///
    /// # Errors
    /// As said.
    pub fn check_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        let held: bool = self
            .conn
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM accounts WHERE id = ?1 AND lease_owner = ?2 AND lease_epoch = ?3)",
            )?
            .query_row(params![lease.account_id.0, lease.owner, lease.epoch], |row| row.get(0))?;
        if held {
            Ok(())
        } else {
            Err(StoreError::LeaseLost(lease.account_id.0))
        }
    }

    /// Credentials that were never refused are not held back by the refusals of others: a mended
    /// password is tried at once. `hash` is a keyed hash of them. Says whether they are new.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note_credentials(&self, account: AccountId, hash: &str) -> Result<bool, StoreError> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE accounts SET credential_hash = ?2, \
                        next_attempt_at = CASE WHEN auth_refusals > 0 THEN 0 ELSE next_attempt_at END, \
                        auth_refusals = 0 \
                 WHERE id = ?1 AND credential_hash <> ?2",
            )?
            .execute(params![account.0, hash])?;
        if changed == 1 {
            // The same secret opens the SMTP server: what was refused there may go now, too.
            self.resume_account(account)?;
        }
        Ok(changed == 1)
    }

    /// Books a sign-in if the backoff and the login budget (one each `every`, burst 2) allow it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn book_login(
        &self,
        account: AccountId,
        now: UtcMs,
        every: Duration,
    ) -> Result<LoginPermit, StoreError> {
        let (next_attempt_at, stored, refilled_at): (i64, i64, i64) = self
            .conn
            .prepare_cached(
                "SELECT next_attempt_at, login_tokens_ms, login_refilled_at FROM accounts WHERE id = ?1",
            )?
            .query_row([account.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let ahead = UtcMs(next_attempt_at).since(now);
        if !ahead.is_zero() && ahead <= LONGEST_WAIT {
            return Ok(LoginPermit::NotBefore(UtcMs(next_attempt_at)));
        }
        let price = millis(every);
        let bucket = price.saturating_mul(LOGIN_BURST);
        // A time in the future stems from a clock that was set back.
        let refill = if refilled_at > now.0 {
            price
        } else {
            millis(now.since(UtcMs(refilled_at)))
        };
        let tokens = stored.saturating_add(refill).min(bucket);
        if tokens < price {
            let missing = price.saturating_sub(tokens);
            return Ok(LoginPermit::NotBefore(UtcMs(now.0.saturating_add(missing))));
        }
        self.conn
            .prepare_cached(
                "UPDATE accounts SET login_tokens_ms = ?2, login_refilled_at = ?3 WHERE id = ?1",
            )?
            .execute(params![account.0, tokens.saturating_sub(price), now.0])?;
        Ok(LoginPermit::Granted)
    }

    /// Gives a booked sign-in back: the connection ended before there was one. What limits further
    /// tries is the backoff.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn return_login(&self, account: AccountId, every: Duration) -> Result<(), StoreError> {
        let price = millis(every);
        self.conn
            .prepare_cached(
                "UPDATE accounts SET login_tokens_ms = min(login_tokens_ms + ?2, ?3) WHERE id = ?1",
            )?
            .execute(params![account.0, price, price.saturating_mul(LOGIN_BURST)])?;
        Ok(())
    }

    /// Records a lost connection or a refused sign-in, and when the next may be tried. Only
    /// who holds the account may say so (invariant I5).
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], or what SQLite says.
    pub fn note_failure(
        &self,
        lease: &Lease,
        auth_refused: bool,
        next_attempt_at: UtcMs,
    ) -> Result<(), StoreError> {
        self.check_lease(lease)?;
        self.conn
            .prepare_cached(
                "UPDATE accounts SET failures = min(failures + 1, 1000000), \
                        auth_refusals = CASE WHEN ?2 THEN min(auth_refusals + 1, 1000000) ELSE auth_refusals END, \
                        next_attempt_at = ?3 WHERE id = ?1",
            )?
            .execute(params![lease.account_id.0, auth_refused, next_attempt_at.0])?;
        Ok(())
    }

    /// The server took our credentials.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note_signed_in(&self, account: AccountId) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE accounts SET auth_refusals = 0, next_attempt_at = 0 WHERE id = ?1",
            )?
            .execute([account.0])?;
        Ok(())
    }

    /// A session lived long enough: the backoff starts anew.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn reset_failures(&self, account: AccountId) -> Result<(), StoreError> {
        self.conn
            .prepare_cached("UPDATE accounts SET failures = 0 WHERE id = ?1 AND failures > 0")?
            .execute([account.0])?;
        Ok(())
    }

    /// Remembers whether the server takes DONE, FETCH and IDLE in one write.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_pipelining(
        &self,
        account: AccountId,
        learned: Pipelining,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached("UPDATE accounts SET pipelines = ?2 WHERE id = ?1")?
            .execute(params![account.0, learned.as_str()])?;
        Ok(())
    }

    /// Starts the record of a UIDVALIDITY that was not seen before.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn start_epoch(&self, new: &NewEpoch, now: UtcMs) -> Result<Epoch, StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO mailbox_epochs (mailbox_id, uid_validity, floor_uid, cursor_uid, \
                    window_from, first_until, first_source, started_at) \
                 VALUES (?1, ?2, 1, 1, ?3, ?4, ?5, ?6) ON CONFLICT (mailbox_id, uid_validity) DO NOTHING",
            )?
            .execute(params![
                new.mailbox_id.0,
                new.uid_validity,
                new.window_from.0,
                new.first_until,
                new.first_source.as_str(),
                now.0
            ])?;
        self.epoch(new.mailbox_id, new.uid_validity)?
            .ok_or_else(|| StoreError::NotFound(format!("Epoch of mailbox {}", new.mailbox_id)))
    }

    /// Moves the cursor forward, never back.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn advance_cursor(&self, epoch: EpochId, cursor_uid: u32) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE mailbox_epochs SET cursor_uid = max(cursor_uid, ?2) WHERE id = ?1",
            )?
            .execute(params![epoch.0, cursor_uid])?;
        Ok(())
    }

    /// Widens the covered window, never narrows it (invariant I1).
    ///
    /// # Errors
    /// What SQLite says.
    pub fn widen_window(&self, epoch: EpochId, window_from: UtcMs) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE mailbox_epochs SET window_from = min(window_from, ?2), floor_uid = 1 WHERE id = ?1",
            )?
            .execute(params![epoch.0, window_from.0])?;
        Ok(())
    }
}

const ACCOUNT_COLUMNS: &str = "SELECT id, name, first_started_at, state, state_reason, state_since, \
     verified_at, failures, auth_refusals, next_attempt_at, pipelines, lease_owner, lease_until, \
     state_fault, looked_at FROM accounts";

fn account_row(row: &rusqlite::Row<'_>) -> Result<AccountRow, StoreError> {
    Ok(AccountRow {
        id: AccountId(row.get(0)?),
        name: row.get(1)?,
        first_started_at: UtcMs(row.get(2)?),
        state: row.get::<_, String>(3)?.parse()?,
        state_reason: row.get(4)?,
        state_since: UtcMs(row.get(5)?),
        verified_at: row.get::<_, Option<i64>>(6)?.map(UtcMs),
        failures: row.get(7)?,
        auth_refusals: row.get(8)?,
        next_attempt_at: UtcMs(row.get(9)?),
        pipelining: row.get::<_, String>(10)?.parse()?,
        lease_owner: row.get(11)?,
        lease_until: UtcMs(row.get(12)?),
        state_fault: row.get(13)?,
        looked_at: row.get::<_, Option<i64>>(14)?.map(UtcMs),
    })
}

#[cfg(test)]
#[path = "accounts_tests.rs"]
mod tests;
