//! Who asks, and what they may: `Authorization: Bearer` with a token of ours. Nobody is told
//! whether a row of somebody else is there.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use sha2::{Digest, Sha256};

use super::error::ApiError;
use super::state::Shared;
use crate::model::{Access, Scope};
use crate::store::{StoreError, TokenRow};
use crate::time;

/// What a token of ours begins with, so that it is recognised where it should not be.
pub const TOKEN_PREFIX: &str = "replyd_";
/// A longer one is none.
const MAX_TOKEN: usize = 4096;
/// The last use of a token is written so often.
const USED_EVERY: Duration = Duration::from_secs(60);

/// Somebody who was let in.
#[derive(Clone, Debug)]
pub(crate) struct Viewer {
    /// Their name, for the rows that they change.
    pub(crate) who: String,
    /// What they may do.
    pub(crate) scope: Scope,
    /// The campaigns that they may look at.
    pub(crate) access: Access,
}

impl Viewer {
    /// 403 unless they may do what needs `scope`.
    pub(crate) fn needs(&self, scope: Scope) -> Result<(), ApiError> {
        if self.scope.includes(scope) {
            return Ok(());
        }
        Err(ApiError::forbidden(format!(
            "This token may {}; this needs one that may {scope}",
            self.scope
        )))
    }
}

impl FromRequestParts<Arc<Shared>> for Viewer {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, Self::Rejection> {
        if shared.open {
            return Ok(Self {
                who: "demo".to_owned(),
                scope: Scope::Admin,
                access: Access::All,
            });
        }
        let Some(token) = bearer(parts) else {
            return Err(ApiError::unauthorized("JWT token is required"));
        };
        let row = of_token(shared, token).await?;
        row.map(Self::of)
            .ok_or_else(|| ApiError::unauthorized("Invalid or expired token"))
    }
}

impl Viewer {
    fn of(row: TokenRow) -> Self {
        Self {
            who: row.name,
            scope: row.scope,
            access: row.access,
        }
    }
}

/// The token of the Authorization header.
fn bearer(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    let fits =
        scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= MAX_TOKEN;
    fits.then_some(token)
}

/// The row of a good token; its use is noted.
async fn of_token(shared: &Shared, token: &str) -> Result<Option<TokenRow>, ApiError> {
    if !token.starts_with(TOKEN_PREFIX) {
        return Ok(None);
    }
    let (hash, now) = (hash(token), time::now());
    let row = shared
        .store
        .read(move |r| r.token(&hash))
        .await
        .map_err(|e: StoreError| ApiError::from(e))?
        .filter(|row| row.is_good(now));
    let before = now.minus(USED_EVERY);
    if let Some(row) = &row
        && row.last_used_at.is_none_or(|at| at < before)
    {
        let id = row.id;
        shared
            .store
            .book(move |tx| tx.token_used(id, before, now))
            .await
            .map_err(|e: StoreError| ApiError::from(e))?;
    }
    Ok(row)
}

/// What the store knows of a secret.
#[must_use]
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
