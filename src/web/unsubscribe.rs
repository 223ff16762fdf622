//! `/u/{word}`: the end of campaign mails for one lead (RFC 8058). Who has the signed word of a
//! mail needs no token. GET shows a page and changes nothing, for programs that look at every link;
//! POST suppresses the address, as often as it comes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use super::error::ApiError;
use super::hosts::Caller;
use super::state::Shared;
use crate::time;
use crate::unsubscribe;

/// A word of ours has some forty characters.
const MAX_WORD: usize = 100;
/// Why the address gets no more mail.
const REASON: &str = "unsubscribe";

/// Its route; there where people outside reach it.
pub(super) fn routes(is_public: bool) -> Router<Arc<Shared>> {
    if !is_public {
        return Router::new();
    }
    Router::new().route("/u/{word}", get(show).post(suppress))
}

/// From where a request comes.
struct From(Caller);

impl FromRequestParts<Arc<Shared>> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, Self::Rejection> {
        Ok(Self(Caller::of(parts, &shared.settings.web)))
    }
}

async fn show(
    State(shared): State<Arc<Shared>>,
    From(caller): From,
    Path(word): Path<String>,
) -> Result<Response, ApiError> {
    bounded(&shared, caller)?;
    if address(&shared, &word).await?.is_none() {
        return Ok(unknown());
    }
    Ok(page(
        StatusCode::OK,
        "<p>No more mails from us?</p><form method=\"post\"><button>Unsubscribe</button></form>",
    ))
}

/// The body of the request (`List-Unsubscribe=One-Click`) says nothing that the path does not.
async fn suppress(
    State(shared): State<Arc<Shared>>,
    From(caller): From,
    Path(word): Path<String>,
) -> Result<Response, ApiError> {
    bounded(&shared, caller)?;
    let Some(key) = address(&shared, &word).await? else {
        return Ok(unknown());
    };
    shared
        .write(move |tx| tx.suppress(&key, REASON, None, time::now()))
        .await?;
    Ok(page(
        StatusCode::OK,
        "<p>Done: you get no more mails from us.</p>",
    ))
}

fn bounded(shared: &Shared, caller: Caller) -> Result<(), ApiError> {
    shared
        .unsubscribes
        .count(caller.ip)
        .map_err(|wait| ApiError::too_many("Too many requests", wait))
}

/// The key of the address that a genuine word names.
async fn address(shared: &Shared, word: &str) -> Result<Option<String>, ApiError> {
    if word.len() > MAX_WORD {
        return Ok(None);
    }
    let Some(token) = unsubscribe::find(word) else {
        return Ok(None);
    };
    let ids = [token.campaign_lead_id];
    let targets = shared.read(move |r| r.unsubscribe_targets(&ids)).await?;
    let target = targets
        .into_iter()
        .find(|t| token.is_ours_for(&shared.keys, &t.lead_id));
    Ok(target.map(|t| t.sent.lead_email_key))
}

fn unknown() -> Response {
    page(
        StatusCode::NOT_FOUND,
        "<p>This link is not known. Reply to the mail with the word unsubscribe instead.</p>",
    )
}

fn page(status: StatusCode, body: &'static str) -> Response {
    let headers = [
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        (
            header::HeaderName::from_static("x-robots-tag"),
            HeaderValue::from_static("noindex"),
        ),
    ];
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Unsubscribe</title>\
         <meta name=\"viewport\" content=\"width=device-width\"></head><body><main>{body}</main>\
         </body></html>"
    );
    (status, headers, Html(html)).into_response()
}
