//! The endpoints besides the predecessor's: what people work on, as JSON. Lists are
//! `{items, next, mailbox}`; each answer holds only what the viewer's campaigns have, and what is
//! somebody else's is answered as what is not there.

mod accounts;
mod automation;
mod conversations;
mod drafts;
mod leads;
mod mails;
mod messages;
mod statistics;
mod suppressions;
mod threads;
pub(super) mod unmatched;

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa_axum::router::OpenApiRouter;

use super::access::Viewer;
use super::error::ApiError;
use super::state::Shared;
use crate::desk::DeskError;
use crate::model::Access;
use crate::store::{Reader, StoreError};

/// All of them.
pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .merge(conversations::routes())
        .merge(threads::routes())
        .merge(drafts::routes())
        .merge(unmatched::routes())
        .merge(messages::routes())
        .merge(mails::routes())
        .merge(leads::routes())
        .merge(suppressions::routes())
        .merge(automation::routes())
        .merge(accounts::routes())
        .merge(statistics::routes())
}

/// What a person asked for and the state of the row does not allow is a conflict, in its words.
fn refused(e: StoreError) -> ApiError {
    match e {
        StoreError::Invalid(why) => ApiError::conflict(why),
        e => e.into(),
    }
}

/// The same of what the desk did not do.
fn told(e: DeskError) -> ApiError {
    match e {
        DeskError::Store(e) => refused(e),
        e => e.into(),
    }
}

/// The row, if the viewer may know of it; `what` names it otherwise.
async fn seen<I: Copy + Send + 'static>(
    shared: &Shared,
    viewer: &Viewer,
    id: I,
    what: &str,
    may_see: fn(&Reader<'_>, I, &Access) -> Result<bool, StoreError>,
) -> Result<I, ApiError> {
    let access = viewer.access.clone();
    let seen = shared.read(move |r| may_see(r, id, &access)).await?;
    seen.then_some(id)
        .ok_or_else(|| ApiError::not_found(format!("{what} not found")))
}

/// What the desk did, where there is nothing to say of it.
fn done(result: Result<(), DeskError>) -> Result<StatusCode, ApiError> {
    result.map_err(told)?;
    Ok(StatusCode::NO_CONTENT)
}

/// An answer with an ETag: 304 without a body when the caller has it already (RFC 9110, section
/// 13.1.2).
fn tagged<T: Serialize>(asked: &HeaderMap, value: &T) -> Result<Response, ApiError> {
    tagged_by(asked, value, value)
}

/// The same by a part of it: the rest does not make the answer another one.
fn tagged_by<T: Serialize>(
    asked: &HeaderMap,
    value: &T,
    part: &impl Serialize,
) -> Result<Response, ApiError> {
    let failed = |e| ApiError::internal(&anyhow::Error::new(e));
    let digest = Sha256::digest(serde_json::to_vec(part).map_err(failed)?);
    let hex: String = digest.iter().take(12).map(|b| format!("{b:02x}")).collect();
    let tag = format!("\"{hex}\"");
    let has_it = asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .any(|v| v.trim().trim_start_matches("W/") == tag || v.trim() == "*");
    let mut response = if has_it {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let body = serde_json::to_vec(value).map_err(failed)?;
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    Ok(response)
}
