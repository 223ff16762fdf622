//! Addresses that get no mail.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::access::Viewer;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::{Body, Query};
use super::super::paging::{List, PageQuery};
use super::super::state::Shared;
use crate::model::{EventKind, Scope, address_key};
use crate::store::{NewEvent, StoreError, Suppression};
use crate::time;

/// Characters of a reason.
const MAX_REASON: usize = 200;

pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new().routes(routes!(list, add, remove))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// This address alone.
    address: Option<String>,
}

/// Addresses that get no mail from any campaign, newest first
///
/// A token with a campaign limit sees those of its leads.
#[utoipa::path(
    get, path = "/api/suppressions", tag = "suppressions", params(PageQuery, Filter),
    responses(
        (status = 200, body = List<Suppression>),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    ),
)]
async fn list(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Query(page): Query<PageQuery>,
    Query(filter): Query<Filter>,
) -> Result<Json<List<Suppression>>, ApiError> {
    let (limit, after) = (page.limit()?, page.after()?);
    let only = filter.address.as_deref().map(key).transpose()?;
    let rows = shared
        .read(move |r| r.suppression_page(only.as_deref(), after, limit, &viewer.access))
        .await?;
    Ok(Json(List::page(rows, limit, |row| {
        (row.since.0, row.address.clone())
    })?))
}

/// An address that is to get no mail.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSuppression {
    /// The address.
    address: String,
    /// Why; `by hand` when nothing is said.
    reason: Option<String>,
}

/// An address gets no more mail from any campaign
///
/// What waits for it is withdrawn. Again changes nothing.
#[utoipa::path(
    post, path = "/api/suppressions", tag = "suppressions", request_body = NewSuppression,
    responses(
        (status = 200, body = Suppression), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody, description = "With a campaign limit: no lead of yours"),
        (status = 413, body = ErrorBody),
    ),
)]
async fn add(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Body(new): Body<NewSuppression>,
) -> Result<Json<Suppression>, ApiError> {
    viewer.needs(Scope::Write)?;
    let key = key(&new.address)?;
    let reason: String = new
        .reason
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_REASON)
        .collect();
    let reason = match reason.trim() {
        "" => "by hand".to_owned(),
        words => words.to_owned(),
    };
    let missing = || StoreError::NotFound("Address".into());
    let known = shared
        .write(move |tx| {
            if !tx.may_see_address(&key, &viewer.access)? {
                return Err(missing());
            }
            let now = time::now();
            tx.suppress(&key, &reason, None, now)?;
            tx.note_event(&NewEvent::new(EventKind::Changed, now))?;
            tx.suppressions(Some(&key), 1)?.pop().ok_or_else(missing)
        })
        .await?;
    Ok(Json(known))
}

/// An address to look for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// The address.
    address: String,
}

/// An address may get mail again; what was withdrawn stays so
///
/// Takes back what a person may have asked for: needs the scope admin.
#[utoipa::path(
    delete, path = "/api/suppressions", tag = "suppressions", params(Which),
    responses(
        (status = 204), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    ),
)]
async fn remove(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Query(which): Query<Which>,
) -> Result<StatusCode, ApiError> {
    viewer.needs(Scope::Admin)?;
    let key = key(&which.address)?;
    shared
        .write(move |tx| {
            if !tx.may_see_address(&key, &viewer.access)? || !tx.unsuppress(&key)? {
                return Err(StoreError::NotFound("Suppression".into()));
            }
            tx.note_event(&NewEvent::new(EventKind::Changed, time::now()))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn key(address: &str) -> Result<String, ApiError> {
    let key = address_key(address);
    if key.is_empty() {
        return Err(ApiError::bad_request("address must be a mail address"));
    }
    Ok(key)
}
