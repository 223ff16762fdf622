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
use super::super::paging::{List, PageQuery, cursor};
use super::super::state::Shared;
use super::refused;
use crate::model::{CampaignLeadId, EventKind, MessageRowId, Scope};
use crate::msgid;
use crate::store::{NewEvent, Taught, Unmatched};
use crate::time;

pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(attach))
        .routes(routes!(ignore))
}

/// Mail of leads that answers nothing known, newest first, with the threads it may belong to
///
/// With a campaign limit, a page may hold fewer rows than `limit`: go on as long as there is a `next`.
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
    let (items, next) = shared
        .read(move |r| r.unmatched_page(before, limit, &viewer.access))
        .await?;
    Ok(Json(List {
        items,
        next: next.map(|place| cursor(&place)).transpose()?,
        mailbox: None,
    }))
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
    let taught = put(&shared, id, thread, new.teach).await?;
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
    drop_it(&shared, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn seen(shared: &Shared, viewer: &Viewer, id: i64) -> Result<MessageRowId, ApiError> {
    super::seen(
        shared,
        viewer,
        MessageRowId(id),
        "Unmatched message",
        |r, id, a| r.may_see_unmatched(id, a),
    )
    .await
}

/// Puts an unmatched mail into a conversation, for the API and the page.
pub(in crate::web) async fn put(
    shared: &Shared,
    id: MessageRowId,
    thread: CampaignLeadId,
    teach: bool,
) -> Result<Taught, ApiError> {
    let keys = Arc::clone(&shared.keys);
    let put = shared.store.write(move |tx| {
        let now = time::now();
        let hashes = |id: &str| msgid::ref_hashes(&keys, id);
        let taught = tx.attach(id, thread, teach, hashes, now)?;
        tx.note_event(&NewEvent::changed(thread, now))?;
        Ok(taught)
    });
    put.await.map_err(refused)
}

/// Drops an unmatched mail that concerns nobody.
pub(in crate::web) async fn drop_it(shared: &Shared, id: MessageRowId) -> Result<(), ApiError> {
    let dropped = shared.store.write(move |tx| {
        tx.ignore_unmatched(id)?;
        tx.note_event(&NewEvent::new(EventKind::Changed, time::now()))
    });
    dropped.await.map(drop).map_err(refused)
}
