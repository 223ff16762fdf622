//! The mail accounts, and how each is.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::access::Viewer;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::Id;
use super::super::paging::List;
use super::super::state::Shared;
use super::tagged;
use crate::model::Access;
use crate::status::{AccountStatus, Snapshot};

pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
}

/// The mail accounts, and how each is: live, degraded or down, why, since when, and what to do
#[utoipa::path(
    get, path = "/api/accounts", tag = "accounts",
    responses(
        (status = 200, body = List<AccountStatus>),
        (status = 304, description = "As you have it"), (status = 401, body = ErrorBody),
    ),
)]
async fn list(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let list = List {
        items: all(&shared, &viewer).await?,
        next: None,
        mailbox: None,
    };
    tagged(&headers, &list)
}

/// One account
#[utoipa::path(
    get, path = "/api/accounts/{id}", tag = "accounts", params(("id" = i64, Path)),
    responses(
        (status = 200, body = AccountStatus), (status = 304, description = "As you have it"),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    ),
)]
async fn show(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let all = all(&shared, &viewer).await?;
    let account = all
        .iter()
        .find(|account| account.id.0 == id)
        .ok_or_else(|| ApiError::not_found("Account not found"))?;
    tagged(&headers, account)
}

/// How the accounts are concerns everybody; which folders and processes read them does not.
async fn all(shared: &Shared, viewer: &Viewer) -> Result<Vec<AccountStatus>, ApiError> {
    let mut accounts = Snapshot::take(&shared.store, &shared.settings)
        .await?
        .accounts;
    if viewer.access != Access::All {
        for account in &mut accounts {
            account.folders = Vec::new();
            account.read_by = None;
        }
    }
    Ok(accounts)
}
