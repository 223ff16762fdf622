//! Mails of ours: what waits, left, or was refused.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::access::Viewer;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::{Body, Id, Query};
use super::super::paging::{List, PageQuery};
use super::super::state::Shared;
use super::{refused, tagged};
use crate::model::{EventKind, OutboxId, OutboxState, Scope};
use crate::store::{MailItem, NewEvent};
use crate::time;

pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(cancel))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Where they stand.
    #[param(inline)]
    state: Option<OutboxState>,
}

/// Mails of ours, newest first
///
/// A token with a campaign limit sees those to its leads.
#[utoipa::path(
    get, path = "/api/outbox", tag = "outbox", params(PageQuery, Filter),
    responses(
        (status = 200, body = List<MailItem>),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    ),
)]
async fn list(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Query(page): Query<PageQuery>,
    Query(filter): Query<Filter>,
) -> Result<Json<List<MailItem>>, ApiError> {
    let (limit, before) = (page.limit()?, page.after()?);
    let rows = shared
        .read(move |r| r.mail_page(filter.state, before, limit, &viewer.access))
        .await?;
    Ok(Json(List::page(rows, limit, |row| row.id.0)?))
}

/// One mail of ours
#[utoipa::path(
    get, path = "/api/outbox/{id}", tag = "outbox", params(("id" = i64, Path)),
    responses(
        (status = 200, body = MailItem), (status = 304, description = "As you have it"),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    ),
)]
async fn show(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    tagged(&headers, &item(&shared, &viewer, OutboxId(id)).await?)
}

/// A mail that is not to leave.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Cancellation {
    /// Keep its text as a draft, where it answers a reply.
    #[serde(default)]
    as_draft: bool,
}

/// Take back a mail that waits
#[utoipa::path(
    post, path = "/api/outbox/{id}/cancel", tag = "outbox", params(("id" = i64, Path)),
    request_body = Cancellation,
    responses(
        (status = 200, body = MailItem), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "It does not wait any more"),
        (status = 413, body = ErrorBody),
    ),
)]
async fn cancel(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
    Body(new): Body<Cancellation>,
) -> Result<Json<MailItem>, ApiError> {
    viewer.needs(Scope::Write)?;
    let id = OutboxId(id);
    let mail = item(&shared, &viewer, id).await?;
    let who = viewer.who.clone();
    shared
        .store
        .write(move |tx| {
            let now = time::now();
            tx.cancel_mail(id, &who, new.as_draft, now)?;
            tx.note_event(&NewEvent {
                campaign_lead_id: mail.campaign_lead_id,
                outbox_id: Some(id),
                ..NewEvent::new(EventKind::Changed, now)
            })
        })
        .await
        .map_err(refused)?;
    Ok(Json(item(&shared, &viewer, id).await?))
}

async fn item(shared: &Shared, viewer: &Viewer, id: OutboxId) -> Result<MailItem, ApiError> {
    let access = viewer.access.clone();
    shared
        .read(move |r| r.mail_item(id, &access))
        .await?
        .ok_or_else(|| ApiError::not_found("Mail not found"))
}
