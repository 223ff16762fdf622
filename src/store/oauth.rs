//! OAuth2 tokens, sealed: what a login brought, and one refresh after the other.
//!
//! A refresh token may be good for one use only (RFC 9700 §4.14.2): whoever uses it twice loses
//! the account. So whoever refreshes holds a lock that the kernel drops with the process
//! ([`Store::try_lock_tokens`]; a lease by time would let a process that was suspended ask again
//! with a token that another one has used meanwhile), and books the refresh in the row before it
//! asks. Every update names the version of the tokens that it replaces (invariant I5).

use std::fmt;
use std::fs::File;
use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params};

use super::outbox::pause_key;
use super::presence::lock_path;
use super::{Reader, Store, StoreError, Tx, blocking, presence};
use crate::model::{AccountId, OAuthState};
use crate::time::UtcMs;

/// A stored pause that ends later stems from a clock that was set back, and is not obeyed.
const LONGEST_PAUSE: Duration = Duration::from_secs(2 * 3600);

/// An account's tokens as the store knows them. `Debug` does not show them.
#[derive(Clone)]
pub struct OAuthRow {
    /// The row; another one after the next login that follows a logout.
    pub id: i64,
    /// The account's name in the settings.
    pub account: String,
    /// Access and refresh token, encrypted.
    pub sealed: Vec<u8>,
    /// Grows with each change of `sealed`.
    pub version: i64,
    /// Whose tokens they are.
    pub client_id: String,
    /// Of which server.
    pub token_url: String,
    /// Whether the refresh token is still taken.
    pub state: OAuthState,
    /// Why the last refresh failed; empty when it did not.
    pub error: String,
    /// When it failed.
    pub error_at: Option<UtcMs>,
    /// The last login of a person.
    pub obtained_at: UtcMs,
    /// When the access token was got.
    pub refreshed_at: UtcMs,
    /// When it ends.
    pub expires_at: UtcMs,
    /// The last refresh because a mail server refused the token; 0: never.
    pub forced_at: UtcMs,
    /// A refresh that has no answer yet, or never got one.
    pub booked_at: Option<UtcMs>,
    /// Refreshes failed in a row.
    pub failures: u32,
    /// No refresh before.
    pub next_attempt_at: UtcMs,
    /// Keyed hash of the client with which the last refresh failed.
    pub client_hash: String,
}

impl fmt::Debug for OAuthRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthRow")
            .field("account", &self.account)
            .field("version", &self.version)
            .field("state", &self.state)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl OAuthRow {
    /// Until when no refresh may be asked for with the client of this hash; none: now it may.
    #[must_use]
    pub fn pause(&self, client_hash: &str, now: UtcMs) -> Option<UtcMs> {
        let ahead = self.next_attempt_at.since(now);
        let obeyed = !ahead.is_zero() && ahead <= LONGEST_PAUSE;
        (obeyed && self.client_hash == client_hash).then_some(self.next_attempt_at)
    }
}

/// What a token server gave, sealed.
#[derive(Clone)]
pub struct NewTokens {
    /// Access and refresh token, encrypted.
    pub sealed: Vec<u8>,
    /// When the access token ends.
    pub expires_at: UtcMs,
}

impl fmt::Debug for NewTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewTokens")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A refresh that failed and may succeed later.
#[derive(Clone, Debug)]
pub struct RefreshFailure {
    /// Why, without secrets.
    pub error: String,
    /// No refresh before.
    pub next_attempt_at: UtcMs,
    /// Keyed hash of the client that asked.
    pub client_hash: String,
    /// The server may have given an answer that did not arrive.
    pub in_doubt: bool,
    /// It is the client that was refused.
    pub client_refused: bool,
}

/// Held while a refresh is under way.
#[derive(Debug)]
pub struct TokensLock {
    _lock: File,
}

impl Store {
    /// Takes the lock under which the tokens of a row are refreshed; `None` while somebody else,
    /// also in another process, holds it.
    ///
    /// # Errors
    /// The lock file cannot be opened or locked.
    pub async fn try_lock_tokens(&self, row: i64) -> Result<Option<TokensLock>, StoreError> {
        let path = lock_path(self.path(), &format!("-token-{row}.lock"));
        let (file, alone) = blocking(move || presence::open_and_try(&path)).await?;
        Ok(alone.then_some(TokensLock { _lock: file }))
    }
}

impl Reader<'_> {
    /// The tokens of an account, if it ever signed in.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn oauth_row(&self, account: &str) -> Result<Option<OAuthRow>, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT id, account, sealed, version, client_id, token_url, state, error, error_at,
                        obtained_at, refreshed_at, expires_at, forced_at, booked_at, failures,
                        next_attempt_at, client_hash
                 FROM oauth_tokens WHERE account = ?1",
            )?
            .query_row([account], |row| Ok(oauth_row(row)))
            .optional()?
            .transpose()
    }

    /// All of them, by account.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn oauth_rows(&self) -> Result<Vec<OAuthRow>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, account, sealed, version, client_id, token_url, state, error, error_at,
                    obtained_at, refreshed_at, expires_at, forced_at, booked_at, failures,
                    next_attempt_at, client_hash
             FROM oauth_tokens ORDER BY account",
        )?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(oauth_row(row)?);
        }
        Ok(found)
    }
}

impl Tx<'_> {
    /// Keeps what a login brought, in the place of all that was there. Connections and mails that
    /// waited because nobody was signed in are due at once.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn save_login(
        &self,
        account: &str,
        tokens: &NewTokens,
        client: (&str, &str),
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO oauth_tokens (account, sealed, client_id, token_url, obtained_at,
                                           refreshed_at, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)
                 ON CONFLICT (account) DO UPDATE SET
                    sealed = excluded.sealed, version = version + 1,
                    client_id = excluded.client_id, token_url = excluded.token_url,
                    state = 'good', error = '', error_at = NULL,
                    obtained_at = max(excluded.obtained_at, obtained_at + 1),
                    refreshed_at = excluded.refreshed_at, expires_at = excluded.expires_at,
                    forced_at = 0, booked_at = NULL, failures = 0, next_attempt_at = 0,
                    client_hash = ''",
            )?
            .execute(params![
                account,
                tokens.sealed,
                client.0,
                client.1,
                now.0,
                tokens.expires_at.0
            ])?;
        self.sign_in_mended(account, false, now)
    }

    /// What waited because nobody was signed in waits no longer. `was_over`: there was no good
    /// token, so every pause of the account is for lack of one; else a pause that a mail server
    /// asked for is kept.
    fn sign_in_mended(&self, account: &str, was_over: bool, now: UtcMs) -> Result<(), StoreError> {
        let id: Option<i64> = self
            .conn
            .prepare_cached("SELECT id FROM accounts WHERE name = ?1")?
            .query_row([account], |row| row.get(0))
            .optional()?;
        let Some(id) = id else {
            return Ok(());
        };
        self.conn
            .prepare_cached(
                "UPDATE accounts SET next_attempt_at = 0, auth_refusals = 0
                 WHERE id = ?1 AND (auth_refusals > 0 OR ?2)",
            )?
            .execute(params![id, was_over])?;
        let waited = self.forget_fact(&pause_key(AccountId(id)))?;
        if waited {
            self.deferred_are_due(AccountId(id), now)?;
        }
        Ok(())
    }

    /// Books a refresh of the tokens of this version: they are still the ones to be replaced, and
    /// no pause forbids it. Gives the row as it was before; `None` when there is nothing to do.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn book_refresh(
        &self,
        account: &str,
        version: i64,
        client_hash: &str,
        now: UtcMs,
    ) -> Result<Option<OAuthRow>, StoreError> {
        let Some(row) = self.oauth_row(account)? else {
            return Ok(None);
        };
        let wanted = row.version == version && row.state != OAuthState::NeedsSignIn;
        if !wanted || row.pause(client_hash, now).is_some() {
            return Ok(None);
        }
        self.conn
            .prepare_cached("UPDATE oauth_tokens SET booked_at = ?2 WHERE id = ?1")?
            .execute(params![row.id, now.0])?;
        Ok(Some(row))
    }

    /// Keeps what a refresh brought: the new access token and the refresh token that goes with
    /// it, at once. `forced`: a mail server had refused the one before. Connections and mails that
    /// waited for it are due. False when the tokens were replaced meanwhile (a login), and these
    /// are not wanted any more.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn save_refresh(
        &self,
        row: i64,
        version: i64,
        tokens: &NewTokens,
        forced: bool,
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        let before: Option<(String, bool, i64)> = self
            .conn
            .prepare_cached(
                "SELECT account, failures > 0 OR state <> 'good', expires_at FROM oauth_tokens
                 WHERE id = ?1 AND version = ?2",
            )?
            .query_row([row, version], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        if let Some((account, true, expired_at)) = before {
            self.sign_in_mended(&account, expired_at <= now.0, now)?;
        }
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE oauth_tokens SET
                    sealed = ?3, version = version + 1, state = 'good', error = '', error_at = NULL,
                    refreshed_at = ?4, expires_at = ?5,
                    forced_at = CASE WHEN ?6 THEN ?4 ELSE forced_at END,
                    booked_at = NULL, failures = 0, next_attempt_at = 0, client_hash = ''
                 WHERE id = ?1 AND version = ?2",
            )?
            .execute(params![
                row,
                version,
                tokens.sealed,
                now.0,
                tokens.expires_at.0,
                forced
            ])?;
        Ok(changed == 1)
    }

    /// A refresh failed, and may succeed later.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn refresh_failed(
        &self,
        row: i64,
        version: i64,
        failure: &RefreshFailure,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE oauth_tokens SET
                    state = CASE WHEN ?8 THEN 'client_refused' ELSE 'good' END,
                    error = ?3, error_at = ?4, failures = min(failures + 1, 1000000),
                    next_attempt_at = ?5, client_hash = ?6,
                    booked_at = CASE WHEN ?7 THEN booked_at ELSE NULL END
                 WHERE id = ?1 AND version = ?2",
            )?
            .execute(params![
                row,
                version,
                failure.error,
                now.0,
                failure.next_attempt_at.0,
                failure.client_hash,
                failure.in_doubt,
                failure.client_refused
            ])?;
        Ok(())
    }

    /// The token server refused the refresh token for good: nothing is asked until the next login.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn refresh_refused(
        &self,
        row: i64,
        version: i64,
        error: &str,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE oauth_tokens SET state = 'needs_sign_in', error = ?3, error_at = ?4,
                        booked_at = NULL
                 WHERE id = ?1 AND version = ?2",
            )?
            .execute(params![row, version, error, now.0])?;
        Ok(())
    }

    /// Forgets an account's tokens; whether there were any.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn forget_tokens(&self, account: &str) -> Result<bool, StoreError> {
        let gone = self
            .conn
            .prepare_cached("DELETE FROM oauth_tokens WHERE account = ?1")?
            .execute([account])?;
        Ok(gone == 1)
    }
}

fn oauth_row(row: &Row<'_>) -> Result<OAuthRow, StoreError> {
    Ok(OAuthRow {
        id: row.get(0)?,
        account: row.get(1)?,
        sealed: row.get(2)?,
        version: row.get(3)?,
        client_id: row.get(4)?,
        token_url: row.get(5)?,
        state: row.get::<_, String>(6)?.parse()?,
        error: row.get(7)?,
        error_at: row.get::<_, Option<i64>>(8)?.map(UtcMs),
        obtained_at: UtcMs(row.get(9)?),
        refreshed_at: UtcMs(row.get(10)?),
        expires_at: UtcMs(row.get(11)?),
        forced_at: UtcMs(row.get(12)?),
        booked_at: row.get::<_, Option<i64>>(13)?.map(UtcMs),
        failures: row.get(14)?,
        next_attempt_at: UtcMs(row.get(15)?),
        client_hash: row.get(16)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn tokens(byte: u8, expires_at: i64) -> NewTokens {
        NewTokens {
            sealed: vec![byte; 40],
            expires_at: UtcMs(expires_at),
        }
    }

    fn failure(client_refused: bool, in_doubt: bool) -> RefreshFailure {
        RefreshFailure {
            error: "later".into(),
            next_attempt_at: UtcMs(9_000),
            client_hash: "h".into(),
            in_doubt,
            client_refused,
        }
    }

    async fn with_login() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("r.db")).await.unwrap();
        let login = |tx: &Tx<'_>| tx.save_login("sales", &tokens(1, HOUR), ("c", "u"), UtcMs(1000));
        store.write(login).await.unwrap();
        (dir, store)
    }

    async fn row(store: &Store) -> OAuthRow {
        let row: Result<_, StoreError> = store.read(|r| r.oauth_row("sales")).await;
        row.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_refresh_is_booked_for_the_tokens_that_it_replaces_and_for_no_others() {
        let (_dir, store) = with_login().await;
        let first = row(&store).await;
        let id = first.id;
        let seen: Result<(), StoreError> = store
            .write(move |tx| {
                assert!(tx.book_refresh("other", 1, "", UtcMs(2))?.is_none());
                assert!(tx.book_refresh("sales", 7, "", UtcMs(2))?.is_none());
                let booked = tx.book_refresh("sales", 1, "", UtcMs(2_000))?.unwrap();
                assert_eq!(booked.booked_at, None);
                // The next one sees that this one never got its answer.
                let again = tx.book_refresh("sales", 1, "", UtcMs(3_000))?.unwrap();
                assert_eq!(again.booked_at, Some(UtcMs(2_000)));
                assert!(!tx.save_refresh(id, 7, &tokens(9, HOUR), false, UtcMs(4_000))?);
                assert!(tx.save_refresh(id, 1, &tokens(2, 2 * HOUR), true, UtcMs(4_000))?);
                assert!(!tx.save_refresh(id, 1, &tokens(3, HOUR), false, UtcMs(5_000))?);
                Ok(())
            })
            .await;
        seen.unwrap();
        let now = row(&store).await;
        assert_eq!(
            (now.version, now.sealed, now.booked_at),
            (2, vec![2; 40], None)
        );
        assert_eq!(
            (now.forced_at, now.obtained_at),
            (UtcMs(4_000), first.obtained_at)
        );
    }

    #[tokio::test]
    async fn failures_pause_and_a_refusal_ends_it_until_the_next_login() {
        let (_dir, store) = with_login().await;
        let id = row(&store).await.id;
        let write = |f: fn(&Tx<'_>, i64) -> Result<(), StoreError>| {
            let store = store.clone();
            async move { store.write(move |tx| f(tx, id)).await.unwrap() }
        };
        write(|tx, id| {
            tx.book_refresh("sales", 1, "h", UtcMs(2_000))?;
            tx.refresh_failed(id, 1, &failure(false, true), UtcMs(3_000))?;
            assert!(tx.book_refresh("sales", 1, "h", UtcMs(8_999))?.is_none());
            assert!(
                tx.book_refresh("sales", 1, "other", UtcMs(3_001))?
                    .is_some()
            );
            tx.refresh_failed(id, 1, &failure(true, false), UtcMs(4_000))
        })
        .await;
        let failed = row(&store).await;
        assert_eq!(
            (failed.state, failed.failures),
            (OAuthState::ClientRefused, 2)
        );
        assert_eq!(failed.booked_at, None, "an answer came");
        write(|tx, id| tx.refresh_refused(id, 1, "invalid_grant", UtcMs(5_000))).await;
        write(|tx, _| {
            assert!(tx.book_refresh("sales", 1, "", UtcMs(99_000))?.is_none());
            tx.save_login("sales", &tokens(4, HOUR), ("c", "u"), UtcMs(500))
        })
        .await;
        let again = row(&store).await;
        assert_eq!(
            (again.state, again.failures, again.id),
            (OAuthState::Good, 0, id)
        );
        // Also with a clock that was set back it is another login.
        assert_eq!(again.obtained_at, UtcMs(1001));
        assert!(again.error.is_empty() && again.version == 2);
    }

    #[tokio::test]
    async fn the_lock_is_held_by_one_and_freed_by_dropping_it() {
        let (_dir, store) = with_login().await;
        let held = store.try_lock_tokens(1).await.unwrap();
        assert!(held.is_some());
        assert!(store.try_lock_tokens(1).await.unwrap().is_none());
        assert!(store.try_lock_tokens(2).await.unwrap().is_some());
        drop(held);
        assert!(store.try_lock_tokens(1).await.unwrap().is_some());
    }
}
