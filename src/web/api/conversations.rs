//! Conversations: the inbox as a list, and one with all that is known of each of its mails.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::access::Viewer;
use super::super::agent::{days_back, known};
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::{Id, Query};
use super::super::freshness::{self, Asking, Mailbox, Window};
use super::super::paging::{List, PageQuery};
use super::super::state::Shared;
use super::tagged_by;
use crate::model::{CampaignId, CampaignLeadId};
use crate::store::{InboxAsk, InboxRow, InboxState, ThreadPage, ThreadPart};
use crate::time;

pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Which: `replies` by default.
    #[param(inline)]
    state: Option<InboxState>,
    /// Of this campaign.
    campaign_id: Option<i64>,
    /// Words that stand in one line of it, or in the lead's name and address. The 500 newest lines
    /// and the 500 newest leads that fit are found.
    q: Option<String>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Waiting {
    /// Wait so many seconds for the mailbox, 20 at most, instead of `view_check_ms`.
    #[param(maximum = 20)]
    wait: Option<u32>,
}

/// Conversations by state, newest first
#[utoipa::path(
    get, path = "/api/conversations", tag = "conversations", params(PageQuery, Filter, Waiting),
    responses(
        (status = 200, body = List<InboxRow>),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    ),
)]
async fn list(
    asking: Asking,
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Query(page): Query<PageQuery>,
    Query(filter): Query<Filter>,
    Query(waiting): Query<Waiting>,
) -> Result<Json<List<InboxRow>>, ApiError> {
    let limit = page.limit()?;
    let ask = InboxAsk {
        state: filter.state.unwrap_or_default(),
        campaign: filter.campaign_id.map(CampaignId),
        after: page.after()?,
        limit,
    };
    let window = Window::waiting(waiting.wait)?;
    let words = filter.q.filter(|q| !q.trim().is_empty());
    let mailbox = freshness::look(&shared, Some(asking), window).await?;
    let rows = shared
        .read(move |r| match &words {
            None => r.inbox(&ask, &viewer.who, &viewer.access),
            Some(words) => {
                let hits = r.search(words, &viewer.access)?;
                r.inbox_hits(&hits, &ask, &viewer.who, &viewer.access)
            }
        })
        .await?;
    let list = List::page(rows, limit, |row| row.place)?;
    Ok(Json(list.with_mailbox(mailbox)))
}

/// One conversation.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Shown {
    /// What it holds.
    #[serde(flatten)]
    page: ThreadPage,
    /// How fresh it is.
    mailbox: Mailbox,
}

/// One conversation: its newest 200 mails, oldest first, each with all that is known of it, and the
/// drafts that wait
///
/// The ETag is that of the conversation alone: 304 says that nothing came, and how fresh that is stands
/// in the headers `Replyd-Mailbox-…`.
#[utoipa::path(
    get, path = "/api/conversations/{campaign_lead_id}", tag = "conversations",
    params(("campaign_lead_id" = i64, Path), Waiting),
    responses(
        (status = 200, body = Shown), (status = 304, description = "As you have it"),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
    ),
)]
async fn show(
    asking: Asking,
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
    Query(waiting): Query<Waiting>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let missing = || ApiError::not_found("Conversation not found");
    let thread = known(&shared, &viewer, id).await?.ok_or_else(missing)?;
    let window = Window {
        days: Some(days_back(thread.sent_at, time::now())),
        ..Window::waiting(waiting.wait)?
    };
    let mailbox = freshness::look(&shared, Some(asking), window).await?;
    let page = shared
        .read(move |r| r.thread_page(CampaignLeadId(id), &viewer.access, ThreadPart::default()))
        .await?
        .ok_or_else(missing)?;
    let fresh = mailbox.headers();
    let shown = Shown { page, mailbox };
    // A later look that found nothing new does not make it another conversation.
    let answer = tagged_by(&headers, &shown, &shown.page)?;
    Ok((fresh, answer).into_response())
}
