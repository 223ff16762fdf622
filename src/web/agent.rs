//! The predecessor's endpoints of conversations: `/api/agent/queries`. What is somebody else's is
//! answered as what is not there.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Viewer;
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, Id, Query};
use super::freshness::{self, Asking, Mailbox, Window};
use super::state::Shared;
use crate::model::{CampaignLeadId, ConversationId, Scope};
use crate::store::{Line, Thread};
use crate::time::{self, UtcMs};

/// Rows of a list.
const MAX_ROWS: u32 = 100;
/// A view looks back so many days at most.
const MAX_DAYS: u64 = 7;
/// Bytes of a pasted reply.
const MAX_QUERY: usize = 64 * 1024;

/// All of them.
pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(list, paste))
        .routes(routes!(show))
}

/// A line of a conversation, with whose it is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ListedLine {
    id: i64,
    /// One lead in one campaign.
    campaign_lead_id: i64,
    /// `customer`, `agent`, or `human` for a mail that a person wrote.
    sender: String,
    message: String,
    /// How the agent made it: `acknowledgment`, `document_rag`, `message_generation`, …
    agent_tool_used: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: UtcMs,
    campaign_id: i64,
    campaign_name: String,
    /// The operator's own key of the lead.
    lead_id: String,
    lead_name: String,
    lead_email: String,
    project_name: String,
}

/// A line of a conversation.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct SingleLine {
    id: i64,
    campaign_lead_id: i64,
    sender: String,
    message: String,
    agent_tool_used: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: UtcMs,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only the lines of this conversation.
    #[param(value_type = Option<i64>)]
    campaign_lead_id: Option<String>,
    /// Wait so many seconds for the mailbox, 20 at most, instead of `view_check_ms`.
    #[param(maximum = 20)]
    wait: Option<u32>,
}

/// The lines of one conversation, or of all that may be seen, the newest first, at most 100
///
/// The mailboxes are looked at first; the headers say up to when.
#[utoipa::path(
    get, path = "/api/agent/queries", tag = "predecessor", params(ListQuery),
    responses(
        (status = 200, body = [ListedLine], headers(
            ("Replyd-Mailbox-Verified-At" = String, description = "What the mailboxes had received by then is in the answer"),
            ("Replyd-Mailbox-Source" = String, description = "push, poll or view"),
            ("Replyd-Mailbox-Stale" = String, description = "true: it could not be verified now"),
        )),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    ),
)]
async fn list(
    asking: Asking,
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Response, ApiError> {
    let window = Window::waiting(query.wait)?;
    let Some(text) = query.campaign_lead_id.filter(|id| !id.is_empty()) else {
        let mailbox = freshness::look(&shared, Some(asking), window).await?;
        let rows = shared
            .read(move |r| r.newest_lines(&viewer.access, MAX_ROWS))
            .await?;
        let rows = rows.into_iter().map(|(thread, line)| listed(&thread, line));
        return Ok(with_headers(&mailbox, rows.collect()));
    };
    let invalid = || ApiError::bad_request("Invalid campaign_lead_id");
    let id: i64 = text.trim().parse().map_err(|_| invalid())?;
    if id <= 0 {
        return Err(invalid());
    }
    let thread = known(&shared, &viewer, id)
        .await?
        .ok_or_else(|| ApiError::bad_request("Campaign lead not found"))?;
    let days = days_back(thread.sent_at, time::now());
    let window = Window {
        days: Some(days),
        ..window
    };
    let mailbox = freshness::look(&shared, Some(asking), window).await?;
    let id = thread.campaign_lead_id;
    let lines = shared.read(move |r| r.lines(id, MAX_ROWS)).await?;
    let rows = lines.into_iter().map(|line| listed(&thread, line));
    Ok(with_headers(&mailbox, rows.collect()))
}

/// One line of a conversation
#[utoipa::path(
    get, path = "/api/agent/queries/{id}", tag = "predecessor",
    params(("id" = i64, Path)),
    responses(
        (status = 200, body = SingleLine), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
    ),
)]
async fn show(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
) -> Result<Json<SingleLine>, ApiError> {
    let line = shared
        .read(move |r| r.line(ConversationId(id), &viewer.access))
        .await?
        .ok_or_else(|| ApiError::not_found("Conversation not found"))?;
    Ok(Json(SingleLine {
        id: line.id.0,
        campaign_lead_id: line.campaign_lead_id.0,
        sender: line.sender,
        message: line.message,
        agent_tool_used: tool(line.agent_tool_used),
        created_at: line.created_at,
    }))
}

/// A reply that came by another way than mail.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
struct NewQuery {
    /// One lead in one campaign.
    campaign_lead_id: i64,
    /// What the lead wrote.
    query: String,
}

/// What was made of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Answered {
    /// The text that waits for a person; empty: a person has to write it.
    response: String,
    /// How it was made.
    tool_used: String,
    /// The line of the pasted reply.
    conversation_id: i64,
    #[schema(value_type = String, format = DateTime)]
    timestamp: UtcMs,
}

/// Paste a reply into a conversation
///
/// It is read as a mail is, and its answer waits for a person as a draft: nothing is sent.
#[utoipa::path(
    post, path = "/api/agent/queries", tag = "predecessor", request_body = NewQuery,
    responses(
        (status = 200, body = Answered), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 413, body = ErrorBody),
    ),
)]
async fn paste(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Body(new): Body<NewQuery>,
) -> Result<Json<Answered>, ApiError> {
    viewer.needs(Scope::Write)?;
    if new.campaign_lead_id <= 0 {
        return Err(ApiError::bad_request("Invalid campaign_lead_id"));
    }
    let text = new.query.trim().to_owned();
    if text.is_empty() {
        return Err(ApiError::bad_request("Query cannot be empty"));
    }
    let thread = known(&shared, &viewer, new.campaign_lead_id)
        .await?
        .ok_or_else(|| ApiError::not_found("Campaign lead not found"))?;
    take_in(&shared, thread.campaign_lead_id, text)
        .await
        .map(Json)
}

/// Takes in a reply that came by another way, for the API and the page.
pub(super) async fn take_in(
    shared: &Shared,
    thread: CampaignLeadId,
    text: String,
) -> Result<Answered, ApiError> {
    if text.len() > MAX_QUERY {
        return Err(ApiError::too_large("The text is longer than 64 KiB"));
    }
    let made = shared.engine.paste(thread, text).await;
    let made = made.map_err(|e| ApiError::internal(&e))?;
    Ok(Answered {
        response: made.response,
        tool_used: made.tool_used,
        conversation_id: made.conversation_id.0,
        timestamp: made.at,
    })
}

/// The conversation, if the viewer may see it.
pub(super) async fn known(
    shared: &Shared,
    viewer: &Viewer,
    id: i64,
) -> Result<Option<Thread>, ApiError> {
    let access = viewer.access.clone();
    shared
        .read(move |r| r.thread(CampaignLeadId(id), &access))
        .await
}

/// How far a view looks back: one day more than has passed since the mail left, seven at most.
pub(super) fn days_back(sent_at: Option<UtcMs>, now: UtcMs) -> u32 {
    let days = sent_at.map_or(1, |at| {
        let passed = now.since(at).as_secs() / 86_400;
        passed.saturating_add(1).min(MAX_DAYS)
    });
    u32::try_from(days).unwrap_or(1)
}

/// Empty stands for none.
pub(super) fn tool(word: String) -> Option<String> {
    Some(word).filter(|word| !word.is_empty())
}

fn listed(thread: &Thread, line: Line) -> ListedLine {
    ListedLine {
        id: line.id.0,
        campaign_lead_id: line.campaign_lead_id.0,
        sender: line.sender,
        message: line.message,
        agent_tool_used: tool(line.agent_tool_used),
        created_at: line.created_at,
        campaign_id: thread.campaign_id.0,
        campaign_name: thread.campaign_name.clone(),
        lead_id: thread.lead_id.clone(),
        lead_name: thread.lead_name.clone(),
        lead_email: thread.lead_email.clone(),
        project_name: thread.project_name.clone(),
    }
}

fn with_headers(mailbox: &Mailbox, rows: Vec<ListedLine>) -> Response {
    (mailbox.headers(), Json(rows)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_view_looks_back_to_the_mail_and_seven_days_at_most() {
        let now = UtcMs(1_800_000_000_000);
        let ago = |hours: u64| Some(now.minus(Duration::from_secs(hours * 3600)));
        for (sent, days) in [
            (None, 1),
            (ago(0), 1),
            (ago(23), 1),
            (ago(24), 2),
            (ago(24 * 6), 7),
            (ago(24 * 400), 7),
        ] {
            assert_eq!(days_back(sent, now), days, "{sent:?}");
        }
        assert_eq!(days_back(Some(now.plus(Duration::from_secs(9))), now), 1);
    }
}
