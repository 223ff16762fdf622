//! Mail of leads that answers nothing known.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::access::Viewer;
use super::super::agent::known;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::{Body, Id, Query};
use super::super::paging::{List, PageQuery};
use super::super::state::Shared;
use super::refused;
use crate::model::{EventKind, MessageRowId, Scope};
use crate::msgid;
use crate::store::{NewEvent, StoreError, Taught, Unmatched};
use crate::time;

pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(attach))
        .routes(routes!(ignore))
}

/// Mail of leads that answers nothing known, newest first, with the threads it may belong to
#[utoipa::path(
    get, path = "/api/unmatched", tag = "unmatched", params(PageQuery),
    responses(
        (status = 200, body = List<Unmatched>),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    ),
)]
async fn list(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Query(page): Query<PageQuery>,
) -> Result<Json<List<Unmatched>>, ApiError> {
    let (limit, before) = (page.limit()?, page.after()?);
    let rows = shared
        .store
        .read(move |r| r.unmatched_page(before, limit, &viewer.access))
        .await
        .map_err(|e: StoreError| ApiError::from(e))?;
    Ok(Json(List::page(rows, limit, |row| row.id.0)?))
}

/// Where it belongs.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Attachment {
    /// The conversation.
    campaign_lead_id: i64,
    /// Learn the Message-IDs that it refers to, and its sender as an address of the lead.
    #[serde(default = "yes")]
    teach: bool,
}

fn yes() -> bool {
    true
}

/// Put an unmatched mail into a conversation
///
/// It is never answered automatically.
#[utoipa::path(
    post, path = "/api/unmatched/{id}/attach", tag = "unmatched", params(("id" = i64, Path)),
    request_body = Attachment,
    responses(
        (status = 200, body = Taught), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 413, body = ErrorBody),
    ),
)]
async fn attach(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
    Body(new): Body<Attachment>,
) -> Result<Json<Taught>, ApiError> {
    viewer.needs(Scope::Write)?;
    let id = seen(&shared, &viewer, id).await?;
    let thread = known(&shared, &viewer, new.campaign_lead_id)
        .await?
        .ok_or_else(|| ApiError::not_found("Campaign lead not found"))?
        .campaign_lead_id;
    let keys = Arc::clone(&shared.keys);
    let taught = shared
        .store
        .write(move |tx| {
            let now = time::now();
            let hashes = |id: &str| msgid::ref_hashes(&keys, id);
            let taught = tx.attach(id, thread, new.teach, hashes, now)?;
            tx.note_event(&NewEvent::changed(thread, now))?;
            Ok(taught)
        })
        .await
        .map_err(refused)?;
    Ok(Json(taught))
}

/// An unmatched mail concerns nobody: its text and addresses are dropped
#[utoipa::path(
    post, path = "/api/unmatched/{id}/ignore", tag = "unmatched", params(("id" = i64, Path)),
    responses(
        (status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    ),
)]
async fn ignore(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    viewer.needs(Scope::Write)?;
    let id = seen(&shared, &viewer, id).await?;
    shared
        .store
        .write(move |tx| {
            tx.ignore_unmatched(id)?;
            tx.note_event(&NewEvent::new(EventKind::Changed, time::now()))
        })
        .await
        .map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn seen(shared: &Shared, viewer: &Viewer, id: i64) -> Result<MessageRowId, ApiError> {
    let (id, access) = (MessageRowId(id), viewer.access.clone());
    let seen = shared
        .store
        .read(move |r| r.may_see_unmatched(id, &access))
        .await
        .map_err(|e: StoreError| ApiError::from(e))?;
    seen.then_some(id)
        .ok_or_else(|| ApiError::not_found("Unmatched message not found"))
}
