//! Who is signed in to the page: sessions, and the links that open one once.

use rusqlite::{OptionalExtension, params};

use super::tokens::{TokenRow, token};
use super::{Reader, StoreError, Tx};
use crate::time::UtcMs;

/// Sessions of one token at a time; the oldest end.
const MAX_SESSIONS: i64 = 50;

/// A session with the token that it stands for.
#[derive(Clone, Debug)]
pub struct SessionRow {
    /// The row.
    pub id: i64,
    /// When it was seen last, to the minute.
    pub seen_at: UtcMs,
    /// When it ends, whatever it does.
    pub expires_at: UtcMs,
    /// The token that opened it.
    pub token: TokenRow,
}

impl Reader<'_> {
    /// The session of a cookie (its SHA-256), also one that has ended.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn session(&self, hash: &[u8; 32]) -> Result<Option<SessionRow>, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT t.id, t.name, t.scope, t.campaigns, t.created_at, t.expires_at,
                        t.revoked_at, t.last_used_at, s.id, s.seen_at, s.expires_at
                 FROM web_sessions s JOIN api_tokens t ON t.id = s.token_id WHERE s.hash = ?1",
            )?
            .query_and_then([hash.as_slice()], |row| {
                Ok(SessionRow {
                    id: row.get(8)?,
                    seen_at: UtcMs(row.get(9)?),
                    expires_at: UtcMs(row.get(10)?),
                    token: token(row)?,
                })
            })?
            .next()
            .transpose()
    }

    /// Whether a link (its SHA-256) can still be used.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn is_link_good(&self, hash: &[u8; 32], now: UtcMs) -> Result<bool, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT 1 FROM sign_in_links
                 WHERE hash = ?1 AND used_at IS NULL AND expires_at > ?2",
            )?
            .exists(params![hash.as_slice(), now.0])?)
    }
}

impl Tx<'_> {
    /// Makes a link that signs in once.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn insert_link(
        &self,
        token: i64,
        hash: &[u8; 32],
        until: UtcMs,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached("DELETE FROM sign_in_links WHERE token_id = ?1 AND expires_at <= ?2")?
            .execute(params![token, now.0])?;
        self.conn
            .prepare_cached(
                "INSERT INTO sign_in_links (token_id, hash, created_at, expires_at)
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![token, hash.as_slice(), now.0, until.0])?;
        Ok(())
    }

    /// Uses a link up. Gives its token; none: it was used, is too old, or is none of ours.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn use_link(&self, hash: &[u8; 32], now: UtcMs) -> Result<Option<i64>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "UPDATE sign_in_links SET used_at = ?2
                 WHERE hash = ?1 AND used_at IS NULL AND expires_at > ?2
                   AND EXISTS (SELECT 1 FROM api_tokens t WHERE t.id = token_id
                       AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > ?2))
                 RETURNING token_id",
            )?
            .query_row(params![hash.as_slice(), now.0], |row| row.get(0))
            .optional()?)
    }

    /// Signs in. Sessions that have ended, and the oldest beyond fifty of the token, go.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn insert_session(
        &self,
        token: i64,
        hash: &[u8; 32],
        until: UtcMs,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached("DELETE FROM web_sessions WHERE expires_at <= ?1")?
            .execute([now.0])?;
        self.conn
            .prepare_cached(
                "DELETE FROM web_sessions WHERE token_id = ?1 AND id NOT IN (
                     SELECT id FROM web_sessions WHERE token_id = ?1 ORDER BY id DESC LIMIT ?2)",
            )?
            .execute(params![token, MAX_SESSIONS.saturating_sub(1)])?;
        self.conn
            .prepare_cached(
                "INSERT INTO web_sessions (token_id, hash, created_at, seen_at, expires_at)
                 VALUES (?1, ?2, ?3, ?3, ?4)",
            )?
            .execute(params![token, hash.as_slice(), now.0, until.0])?;
        Ok(())
    }

    /// Notes that a session, and with it its token, was seen, unless that was noted since
    /// `before`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn session_seen(&self, id: i64, before: UtcMs, now: UtcMs) -> Result<(), StoreError> {
        let token: Option<i64> = self
            .conn
            .prepare_cached(
                "UPDATE web_sessions SET seen_at = ?3 WHERE id = ?1 AND seen_at < ?2
                 RETURNING token_id",
            )?
            .query_row(params![id, before.0, now.0], |row| row.get(0))
            .optional()?;
        token.map_or(Ok(()), |token| self.token_used(token, before, now))
    }

    /// Signs out.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn end_session(&self, hash: &[u8; 32]) -> Result<(), StoreError> {
        self.conn
            .prepare_cached("DELETE FROM web_sessions WHERE hash = ?1")?
            .execute([hash.as_slice()])?;
        Ok(())
    }
}
