//! Who asks, and what they may: a token of ours, a JWT of the predecessor's, or a session of the
//! page. Nobody is told whether a row of somebody else is there.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::error::ApiError;
use super::hosts;
use super::jwt;
use super::session;
use super::state::Shared;
use crate::model::{Access, Scope};
use crate::store::TokenRow;
use crate::time;

pub use super::session::hash;

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
    /// The predecessor's user, of a JWT: the owner of what they make.
    pub(crate) owner: Option<i64>,
    /// What a form of the page must bring along; none: no browser brings this access by itself.
    pub(crate) csrf: Option<String>,
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

    /// 403 unless a form brought the word of this session along.
    pub(crate) fn check_csrf(&self, word: &str) -> Result<(), ApiError> {
        match &self.csrf {
            Some(good) if !session::same(good, word) => Err(ApiError::forbidden(
                "The form is not of this session: load the page again",
            )),
            _ => Ok(()),
        }
    }

    fn of(row: TokenRow) -> Self {
        Self {
            who: row.name,
            scope: row.scope,
            access: row.access,
            owner: None,
            csrf: None,
        }
    }
}

impl FromRequestParts<Arc<Shared>> for Viewer {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, Self::Rejection> {
        if shared.open {
            from_our_page(parts, true)?;
            return Ok(Self {
                who: "demo".to_owned(),
                scope: Scope::Admin,
                access: Access::All,
                owner: None,
                csrf: None,
            });
        }
        if parts.headers.contains_key(header::AUTHORIZATION) {
            let viewer = match bearer(parts) {
                Some(token) => of_bearer(shared, token).await?,
                None => None,
            };
            return viewer.ok_or_else(|| ApiError::unauthorized("Invalid or expired token"));
        }
        if let Some(cookie) = session::cookie(&parts.headers) {
            if let Some(viewer) = of_session(shared, cookie).await? {
                from_our_page(parts, false)?;
                return Ok(viewer);
            }
            return Err(ApiError::unauthorized("The session has ended: sign in"));
        }
        Err(ApiError::unauthorized("JWT token is required"))
    }
}

impl OptionalFromRequestParts<Arc<Shared>> for Viewer {
    type Rejection = ApiError;

    /// None: nobody is signed in. Other errors stay.
    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Option<Self>, Self::Rejection> {
        match <Self as FromRequestParts<_>>::from_request_parts(parts, shared).await {
            Err(e) if e.status == StatusCode::UNAUTHORIZED => Ok(None),
            other => other.map(Some),
        }
    }
}

/// As [`Viewer`], for pages: who is not signed in is led to where they can.
#[derive(Clone, Debug)]
pub(crate) struct PageViewer(pub(crate) Viewer);

impl FromRequestParts<Arc<Shared>> for PageViewer {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, Self::Rejection> {
        match <Viewer as FromRequestParts<_>>::from_request_parts(parts, shared).await {
            Ok(viewer) => Ok(Self(viewer)),
            Err(e) if e.status == StatusCode::UNAUTHORIZED => {
                let next = match (&parts.method, parts.uri.path_and_query()) {
                    (&Method::GET, Some(path)) => session::sign_in_url(path.as_str()),
                    _ => session::SIGN_IN.to_owned(),
                };
                Err(Redirect::to(&next).into_response())
            }
            Err(e) => Err(e.into_response()),
        }
    }
}

/// 403 for a request that changes something and that a page elsewhere made the browser send.
fn from_our_page(parts: &Parts, bare: bool) -> Result<(), ApiError> {
    if hosts::is_same_origin(&parts.method, &parts.headers, bare) {
        return Ok(());
    }
    Err(ApiError::forbidden("The request comes from another site"))
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

async fn of_bearer(shared: &Shared, token: &str) -> Result<Option<Viewer>, ApiError> {
    if token.starts_with(TOKEN_PREFIX) {
        return Ok(of_token(shared, token).await?.map(Viewer::of));
    }
    let Some(settings) = &shared.settings.web.jwt else {
        return Ok(None);
    };
    let Some(user) = jwt::user(token, settings) else {
        return Ok(None);
    };
    let access = shared.read(move |r| r.campaigns_of_owner(user)).await?;
    Ok(Some(Viewer {
        who: format!("user {user}"),
        scope: Scope::Write,
        access,
        owner: Some(user),
        csrf: None,
    }))
}

/// The row of a good token; its use is noted.
pub(super) async fn of_token(shared: &Shared, token: &str) -> Result<Option<TokenRow>, ApiError> {
    let (hash, now) = (hash(token), time::now());
    let row = shared
        .read(move |r| r.token(&hash))
        .await?
        .filter(|row| row.is_good(now));
    let before = now.minus(USED_EVERY);
    if let Some(row) = &row
        && row.last_used_at.is_none_or(|at| at < before)
    {
        let id = row.id;
        shared
            .book(move |tx| tx.token_used(id, before, now))
            .await?;
    }
    Ok(row)
}

async fn of_session(shared: &Shared, cookie: &str) -> Result<Option<Viewer>, ApiError> {
    let (hash, now) = (hash(cookie), time::now());
    let row = shared.read(move |r| r.session(&hash)).await?;
    let Some(row) = row.filter(|row| session::is_good(row, now)) else {
        return Ok(None);
    };
    let before = now.minus(USED_EVERY);
    if row.seen_at < before {
        let id = row.id;
        shared
            .book(move |tx| tx.session_seen(id, before, now))
            .await?;
    }
    Ok(Some(Viewer {
        csrf: Some(session::csrf(cookie)),
        ..Viewer::of(row.token)
    }))
}
