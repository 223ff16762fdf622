//! Who may look: tokens, and what they limit. Of a secret the store knows the SHA-256 alone.

use std::sync::Arc;

use rusqlite::{Row, params};

use super::{Reader, StoreError, Tx};
use crate::model::{Access, CampaignId, Scope};
use crate::time::UtcMs;

/// Names as a person writes them; rows shown at once.
const MAX_TOKENS: i64 = 1000;

/// A token as the store knows it.
#[derive(Clone, Debug)]
pub struct TokenRow {
    /// The row.
    pub id: i64,
    /// Its name: who uses it.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// The campaigns that it may look at.
    pub access: Access,
    /// When it was made.
    pub created_at: UtcMs,
    /// When it ends by itself; none: never.
    pub expires_at: Option<UtcMs>,
    /// When a person ended it.
    pub revoked_at: Option<UtcMs>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<UtcMs>,
}

impl TokenRow {
    /// Whether it opens anything at `now`.
    #[must_use]
    pub fn is_good(&self, now: UtcMs) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its name; one that is in use is refused.
    pub name: String,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// What it may do.
    pub scope: Scope,
    /// The campaigns that it may look at.
    pub access: Access,
    /// When it ends by itself; none: never.
    pub expires_at: Option<UtcMs>,
}

/// The columns of a [`TokenRow`].
macro_rules! columns {
    () => {
        "t.id, t.name, t.scope, t.campaigns, t.created_at, t.expires_at, t.revoked_at, t.last_used_at"
    };
}

impl Reader<'_> {
    /// The token with this SHA-256, also one that has ended.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn token(&self, hash: &[u8; 32]) -> Result<Option<TokenRow>, StoreError> {
        self.conn
            .prepare_cached(concat!(
                "SELECT ",
                columns!(),
                " FROM api_tokens t WHERE t.hash = ?1"
            ))?
            .query_and_then([hash.as_slice()], token)?
            .next()
            .transpose()
    }

    /// The token of this name that was not revoked.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn token_named(&self, name: &str) -> Result<Option<TokenRow>, StoreError> {
        self.conn
            .prepare_cached(concat!(
                "SELECT ",
                columns!(),
                " FROM api_tokens t WHERE t.name = ?1 AND t.revoked_at IS NULL"
            ))?
            .query_and_then([name], token)?
            .next()
            .transpose()
    }

    /// All tokens, the newest first; `ended` ones too.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn tokens(&self, ended: bool) -> Result<Vec<TokenRow>, StoreError> {
        self.conn
            .prepare_cached(concat!(
                "SELECT ",
                columns!(),
                " FROM api_tokens t WHERE ?1 OR t.revoked_at IS NULL ORDER BY t.id DESC LIMIT ?2"
            ))?
            .query_and_then(params![ended, MAX_TOKENS], token)?
            .collect()
    }

    /// The campaigns of a user of the predecessor.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn campaigns_of_owner(&self, owner: i64) -> Result<Access, StoreError> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT id FROM campaigns WHERE owner_id = ?1")?;
        let ids = statement.query_map([owner], |row| row.get(0).map(CampaignId))?;
        let ids: Vec<CampaignId> = ids.collect::<Result<_, _>>()?;
        Ok(Access::Campaigns(ids.into()))
    }
}

impl Tx<'_> {
    /// Makes a token. `None`: the name is in use.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn insert_token(&self, new: &NewToken, now: UtcMs) -> Result<Option<i64>, StoreError> {
        let added = self
            .conn
            .prepare_cached(
                "INSERT INTO api_tokens (name, hash, scope, campaigns, created_at, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                new.name,
                new.hash.as_slice(),
                new.scope.as_str(),
                new.access.list(),
                now.0,
                new.expires_at.map(|at| at.0),
            ])?;
        Ok((added == 1).then(|| self.conn.last_insert_rowid()))
    }

    /// Ends a token, and the sessions that were opened with it. Says whether it was good.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn revoke_token(&self, id: i64, now: UtcMs) -> Result<bool, StoreError> {
        self.conn
            .prepare_cached("DELETE FROM web_sessions WHERE token_id = ?1")?
            .execute([id])?;
        self.conn
            .prepare_cached("DELETE FROM sign_in_links WHERE token_id = ?1")?
            .execute([id])?;
        let ended = self
            .conn
            .prepare_cached(
                "UPDATE api_tokens SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
            )?
            .execute(params![id, now.0])?;
        Ok(ended == 1)
    }

    /// Notes that a token was used, unless that was noted since `before`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn token_used(&self, id: i64, before: UtcMs, now: UtcMs) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE api_tokens SET last_used_at = ?3
                 WHERE id = ?1 AND coalesce(last_used_at, 0) < ?2",
            )?
            .execute(params![id, before.0, now.0])?;
        Ok(())
    }

    /// Says whose a campaign is; none: nobody's.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_campaign_owner(
        &self,
        campaign: CampaignId,
        owner: Option<i64>,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached("UPDATE campaigns SET owner_id = ?2 WHERE id = ?1")?
            .execute(params![campaign.0, owner])?;
        Ok(())
    }
}

/// Reads the columns of [`columns`].
pub(super) fn token(row: &Row<'_>) -> Result<TokenRow, StoreError> {
    let scope: String = row.get(2)?;
    let campaigns: Option<String> = row.get(3)?;
    let at = |n: usize| row.get::<_, Option<i64>>(n).map(|at| at.map(UtcMs));
    Ok(TokenRow {
        id: row.get(0)?,
        name: row.get(1)?,
        scope: scope.parse()?,
        access: access(campaigns.as_deref())?,
        created_at: UtcMs(row.get(4)?),
        expires_at: at(5)?,
        revoked_at: at(6)?,
        last_used_at: at(7)?,
    })
}

/// The limit as [`Access::list`] wrote it.
fn access(list: Option<&str>) -> Result<Access, StoreError> {
    let Some(list) = list else {
        return Ok(Access::All);
    };
    let ids: Vec<i64> = serde_json::from_str(list)
        .map_err(|_| StoreError::Invalid("The campaigns of a token are damaged".into()))?;
    let ids: Arc<[CampaignId]> = ids.into_iter().map(CampaignId).collect();
    Ok(Access::Campaigns(ids))
}
