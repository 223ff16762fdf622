//! What a request may be, and what happens to one that fails: bounded in size and time, apart from
//! the others, and ended by its own answer even when its client has gone.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;
use tracing::error;

use super::error::ApiError;
use super::headers::{self, request_id};
use super::hosts;
use super::state::Shared;

/// Bytes of a body.
pub(super) const BODY: usize = 2 * 1024 * 1024;
/// Bytes of path and query.
const URI: usize = 8 * 1024;
/// Bytes of all headers together.
const HEADERS: usize = 32 * 1024;
/// A request is answered within this; a check of the mailboxes takes the longest.
const ANSWER: Duration = Duration::from_secs(75);

/// Lets through what fits, and answers for what fails.
pub(super) async fn wrap(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    if let Err(refused) = look_at(&request, &shared) {
        return refused.into_response();
    }
    // In a task of its own: a client that goes away does not stop a change half way, and a panic
    // ends nothing but its request.
    let task = tokio::spawn(headers::same_request(timeout(ANSWER, next.run(request))));
    match task.await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => ApiError::unavailable("The request took too long").into_response(),
        Err(join) => {
            error!(request = %request_id(), "a request failed: {join}");
            ApiError::internal(&anyhow::anyhow!("panicked")).into_response()
        }
    }
}

fn look_at(request: &Request, shared: &Shared) -> Result<(), ApiError> {
    let uri = request
        .uri()
        .path_and_query()
        .map_or(0, |p| p.as_str().len());
    if uri > URI {
        return Err(ApiError::new(
            StatusCode::URI_TOO_LONG,
            "URI Too Long",
            "The address is longer than is taken",
        ));
    }
    let headers: usize = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len().saturating_add(value.len()))
        .sum();
    if headers > HEADERS {
        return Err(ApiError::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "Request Header Fields Too Large",
            "The headers are larger than is taken",
        ));
    }
    // Where no token is asked for, the name by which one came is what tells a page elsewhere apart.
    if shared.open && !hosts::is_meant(request.headers(), &shared.settings.web) {
        return Err(ApiError::new(
            StatusCode::MISDIRECTED_REQUEST,
            "Misdirected Request",
            "Ask for it by localhost or 127.0.0.1",
        ));
    }
    Ok(())
}
