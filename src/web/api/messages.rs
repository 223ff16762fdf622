//! Captured messages, and why what became of them.

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
use super::super::freshness::{self, Asking, Window};
use super::super::paging::{List, PageQuery};
use super::super::state::Shared;
use super::{tagged, told};
use crate::desk::Labelled;
use crate::model::{CampaignLeadId, Disposition, GoalType, Intent, MessageRowId, Scope};
use crate::store::{Explained, MessageAsk, MessageItem};
use crate::time;

pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(label))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// What became of them: `reply`, `unmatched`, `bounce`, …
    #[param(inline)]
    disposition: Option<Disposition>,
    /// Of this conversation.
    campaign_lead_id: Option<i64>,
    /// Wait so many seconds for the mailbox, 20 at most, instead of `view_check_ms`.
    #[param(maximum = 20)]
    wait: Option<u32>,
}

/// Captured messages, newest first
///
/// A token with a campaign limit sees those of its conversations.
#[utoipa::path(
    get, path = "/api/messages", tag = "messages", params(PageQuery, Filter),
    responses(
        (status = 200, body = List<MessageItem>),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    ),
)]
async fn list(
    asking: Asking,
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Query(page): Query<PageQuery>,
    Query(filter): Query<Filter>,
) -> Result<Json<List<MessageItem>>, ApiError> {
    let limit = page.limit()?;
    let ask = MessageAsk {
        disposition: filter.disposition,
        thread: filter.campaign_lead_id.map(CampaignLeadId),
        before: page.after()?,
        limit,
    };
    let mailbox = freshness::look(&shared, Some(asking), Window::waiting(filter.wait)?).await?;
    let rows = shared
        .read(move |r| r.message_page(&ask, &viewer.access))
        .await?;
    let list = List::page(rows, limit, |row| row.id.0)?;
    Ok(Json(list.with_mailbox(mailbox)))
}

/// All that is known of a message: how it was matched, what was read of it, what was sent for it
#[utoipa::path(
    get, path = "/api/messages/{id}", tag = "messages", params(("id" = i64, Path)),
    responses(
        (status = 200, body = Explained), (status = 304, description = "As you have it"),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    ),
)]
async fn show(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id = seen(&shared, &viewer, id).await?;
    let explained = shared.read(move |r| r.explain(id)).await?;
    tagged(&headers, &explained)
}

/// What the lead wants, by a person's word.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewLabel {
    /// The class.
    intent: Intent,
    /// The step, with `goal_reached` only.
    goal_type: Option<GoalType>,
}

/// Put the class of a reply right
///
/// An opt-out suppresses at once; nothing else is decided anew, and nothing is sent.
#[utoipa::path(
    post, path = "/api/messages/{id}/label", tag = "messages", params(("id" = i64, Path)),
    request_body = NewLabel,
    responses(
        (status = 200, body = Labelled), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 422, body = ErrorBody),
    ),
)]
async fn label(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
    Body(new): Body<NewLabel>,
) -> Result<Json<Labelled>, ApiError> {
    viewer.needs(Scope::Write)?;
    let id = seen(&shared, &viewer, id).await?;
    let done = shared
        .desk
        .label(id, new.intent, new.goal_type, &viewer.who, time::now())
        .await
        .map_err(told)?;
    Ok(Json(done))
}

async fn seen(shared: &Shared, viewer: &Viewer, id: i64) -> Result<MessageRowId, ApiError> {
    super::seen(shared, viewer, MessageRowId(id), "Message", |r, id, a| {
        r.may_see_message(id, a)
    })
    .await
}
