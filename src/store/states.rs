//! How an account is: written by its listener, and by whoever looks from outside when it is silent.

use rusqlite::params;

use super::{StoreError, Tx};
use crate::model::{AccountId, AccountState, Lease};
use crate::time::UtcMs;

/// How an account is, as its listener says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountIs {
    /// The state.
    pub state: AccountState,
    /// Why, in words.
    pub reason: String,
    /// The code of the fault behind it; empty: none.
    pub fault: &'static str,
}

impl Tx<'_> {
    /// Sets an account's state; `state_since` moves only when the state changes. Says whether
    /// it did. Only who holds the account may say so (invariant I5).
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], or what SQLite says.
    pub fn set_account_state(
        &self,
        lease: &Lease,
        is: &AccountIs,
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        self.check_lease(lease)?;
        let account = lease.account_id;
        let before: (String, String) = self
            .conn
            .prepare_cached("SELECT state, state_fault FROM accounts WHERE id = ?1")?
            .query_row([account.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        self.conn
            .prepare_cached(
                "UPDATE accounts SET state_since = CASE WHEN state = ?2 THEN state_since ELSE ?5 END, \
                        state = ?2, state_reason = ?3, state_fault = ?4 \
                 WHERE id = ?1 AND (state <> ?2 OR state_reason <> ?3 OR state_fault <> ?4)",
            )?
            .execute(params![
                account.0,
                is.state.as_str(),
                is.reason,
                is.fault,
                now.0
            ])?;
        Ok((before.0.as_str(), before.1.as_str()) != (is.state.as_str(), is.fault))
    }

    /// All mailboxes of the account were looked at by `at`: each selected one answered OK. Sets
    /// the state as [`Tx::set_account_state`].
    ///
    /// # Errors
    /// As there.
    pub fn note_look(&self, lease: &Lease, is: &AccountIs, at: UtcMs) -> Result<bool, StoreError> {
        let changed = self.set_account_state(lease, is, at)?;
        self.conn
            .prepare_cached("UPDATE accounts SET verified_at = ?2, looked_at = ?2 WHERE id = ?1")?
            .execute(params![lease.account_id.0, at.0])?;
        Ok(changed)
    }

    /// A selected mailbox answered OK at `at`, in the middle of a look that takes its time. An
    /// account that was down is catching up then.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], or what SQLite says.
    pub fn note_heard(&self, lease: &Lease, at: UtcMs) -> Result<(), StoreError> {
        self.check_lease(lease)?;
        self.conn
            .prepare_cached("UPDATE accounts SET verified_at = ?2 WHERE id = ?1")?
            .execute(params![lease.account_id.0, at.0])?;
        self.conn
            .prepare_cached(
                "UPDATE accounts SET state = 'degraded', state_since = ?2, state_fault = '', \
                        state_reason = 'catching up on mail that came before' \
                 WHERE id = ?1 AND state IN ('down', 'needs_sign_in')",
            )?
            .execute(params![lease.account_id.0, at.0])?;
        Ok(())
    }

    /// An account that claims to hear although no mailbox of it answered OK since `before` is
    /// down. Says whether it was not already. Whoever looks from outside may say so: it is the
    /// listener itself that may hang.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_unverified(
        &self,
        account: AccountId,
        before: UtcMs,
        reason: &str,
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE accounts SET state = 'down', state_since = ?4, state_reason = ?3, state_fault = '' \
                 WHERE id = ?1 AND state IN ('live', 'degraded') \
                   AND coalesce(verified_at, 0) < ?2",
            )?
            .execute(params![account.0, before.0, reason, now.0])?;
        Ok(changed == 1)
    }
}
