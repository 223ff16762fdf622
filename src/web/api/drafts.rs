//! Answers that wait for a person.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::access::Viewer;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::{Body, Id, Query};
use super::super::paging::{List, PageQuery};
use super::super::state::Shared;
use super::{tagged, told};
use crate::desk::{Approval, Approved, DeskError, Edit, Recipient, View};
use crate::model::{CampaignId, CampaignLeadId, DraftId, DraftState, Scope};
use crate::store::{DraftAsk, DraftItem};
use crate::time;

pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, edit))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(reopen))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Where they stand; `open` by default, `all` for all.
    #[param(value_type = Option<String>)]
    state: Option<String>,
    /// Of this campaign.
    campaign_id: Option<i64>,
    /// Of this conversation.
    campaign_lead_id: Option<i64>,
}

/// Answers that wait for a person, newest first
#[utoipa::path(
    get, path = "/api/drafts", tag = "drafts", params(PageQuery, Filter),
    responses(
        (status = 200, body = List<DraftItem>),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    ),
)]
async fn list(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Query(page): Query<PageQuery>,
    Query(filter): Query<Filter>,
) -> Result<Json<List<DraftItem>>, ApiError> {
    let limit = page.limit()?;
    let state = match filter.state.as_deref() {
        None | Some("") => Some(DraftState::Open),
        Some("all") => None,
        Some(word) => Some(word.parse().map_err(|_| {
            ApiError::bad_request("state must be open, approved, rejected, superseded or all")
        })?),
    };
    let ask = DraftAsk {
        state,
        campaign: filter.campaign_id.map(CampaignId),
        thread: filter.campaign_lead_id.map(CampaignLeadId),
        before: page.after()?,
        limit,
    };
    let rows = shared
        .read(move |r| r.draft_page(&ask, &viewer.access))
        .await?;
    Ok(Json(List::page(rows, limit, |row| row.id.0)?))
}

/// One draft, with what stands for and against sending it now
#[utoipa::path(
    get, path = "/api/drafts/{id}", tag = "drafts", params(("id" = i64, Path)),
    responses(
        (status = 200, body = View), (status = 304, description = "As you have it"),
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
    tagged(&headers, &shared.desk.view(id, time::now()).await?)
}

/// A change of the text.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct DraftEdit {
    /// The version that was looked at.
    version: i64,
    /// The new subject; null: as it is.
    subject: Option<String>,
    /// The new text; null: as it is.
    body: Option<String>,
    /// Only what the draft lacks: it goes where the draft says that a person has to write.
    answer: Option<String>,
}

/// Change the text of an open draft
///
/// 409 when somebody changed or decided it since `version`; the answer shows what is there now.
#[utoipa::path(
    put, path = "/api/drafts/{id}", tag = "drafts", params(("id" = i64, Path)),
    request_body = DraftEdit,
    responses(
        (status = 200, body = DraftItem), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = DraftConflict),
        (status = 413, body = ErrorBody), (status = 422, body = ErrorBody),
    ),
)]
async fn edit(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
    Body(new): Body<DraftEdit>,
) -> Result<Response, ApiError> {
    viewer.needs(Scope::Write)?;
    let id = seen(&shared, &viewer, id).await?;
    let edit = Edit {
        subject: new.subject,
        body: new.body,
        answer: new.answer,
    };
    let done = shared
        .desk
        .edit(id, edit, Some(new.version), &viewer.who, time::now())
        .await;
    match done {
        Ok(_) => Ok(Json(item(&shared, id).await?).into_response()),
        Err(e) => conflict(&shared, id, e).await,
    }
}

/// This is to be sent.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct DraftApproval {
    /// The version that was looked at.
    version: i64,
    /// A new subject in the same step.
    subject: Option<String>,
    /// A new text in the same step.
    body: Option<String>,
    /// What the draft lacks, in the same step.
    answer: Option<String>,
    /// To whom: `lead` or `sender`; needed when the reply came from another address.
    #[schema(value_type = Option<RecipientWord>)]
    to: Option<RecipientWord>,
    /// Overrules every objection but a suppressed address.
    #[serde(default)]
    anyway: bool,
    /// Overrules that one, for this mail alone.
    #[serde(default)]
    to_suppressed: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RecipientWord {
    Lead,
    Sender,
}

impl From<RecipientWord> for Recipient {
    fn from(word: RecipientWord) -> Self {
        match word {
            RecipientWord::Lead => Self::Lead,
            RecipientWord::Sender => Self::Sender,
        }
    }
}

/// Send a draft
///
/// It is queued at once. 422 with the objections when something stands against it.
#[utoipa::path(
    post, path = "/api/drafts/{id}/approve", tag = "drafts", params(("id" = i64, Path)),
    request_body = DraftApproval,
    responses(
        (status = 200, body = Approved), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = DraftConflict),
        (status = 413, body = ErrorBody), (status = 422, body = ErrorBody),
    ),
)]
async fn approve(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
    Body(ask): Body<DraftApproval>,
) -> Result<Response, ApiError> {
    viewer.needs(Scope::Write)?;
    let id = seen(&shared, &viewer, id).await?;
    let approval = Approval {
        draft: id,
        by: viewer.who,
        edit: Edit {
            subject: ask.subject,
            body: ask.body,
            answer: ask.answer,
        },
        version: Some(ask.version),
        to: ask.to.map(Into::into),
        anyway: ask.anyway,
        to_suppressed: ask.to_suppressed,
    };
    match shared.desk.approve(approval, time::now()).await {
        Ok(approved) => Ok(Json(approved).into_response()),
        Err(e) => conflict(&shared, id, e).await,
    }
}

/// Why it is not wanted.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct DraftRejection {
    /// One line; may be empty.
    #[serde(default)]
    reason: String,
}

/// A draft is not to be sent
#[utoipa::path(
    post, path = "/api/drafts/{id}/reject", tag = "drafts", params(("id" = i64, Path)),
    request_body = DraftRejection,
    responses(
        (status = 200, body = DraftItem), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = DraftConflict),
        (status = 413, body = ErrorBody),
    ),
)]
async fn reject(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
    Body(new): Body<DraftRejection>,
) -> Result<Response, ApiError> {
    viewer.needs(Scope::Write)?;
    let id = seen(&shared, &viewer, id).await?;
    let done = shared
        .desk
        .reject(id, &new.reason, &viewer.who, time::now())
        .await;
    match done {
        Ok(()) => Ok(Json(item(&shared, id).await?).into_response()),
        Err(e) => conflict(&shared, id, e).await,
    }
}

/// A closed draft waits again, if its mail did not leave
#[utoipa::path(
    post, path = "/api/drafts/{id}/reopen", tag = "drafts", params(("id" = i64, Path)),
    responses(
        (status = 200, body = DraftItem), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = DraftConflict), (status = 422, body = ErrorBody),
    ),
)]
async fn reopen(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
) -> Result<Response, ApiError> {
    viewer.needs(Scope::Write)?;
    let id = seen(&shared, &viewer, id).await?;
    match shared.desk.reopen(id, &viewer.who, time::now()).await {
        Ok(()) => Ok(Json(item(&shared, id).await?).into_response()),
        Err(e) => conflict(&shared, id, e).await,
    }
}

/// Somebody was first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct DraftConflict {
    /// `Conflict`.
    error: String,
    /// A sentence for people.
    message: String,
    /// The draft as it is now.
    current: DraftItem,
}

async fn conflict(shared: &Shared, id: DraftId, e: DeskError) -> Result<Response, ApiError> {
    let told = told(e);
    if told.status != axum::http::StatusCode::CONFLICT {
        return Err(told);
    }
    let body = DraftConflict {
        error: told.error,
        message: told.message,
        current: item(shared, id).await?,
    };
    Ok((told.status, Json(body)).into_response())
}

async fn seen(shared: &Shared, viewer: &Viewer, id: i64) -> Result<DraftId, ApiError> {
    super::seen(shared, viewer, DraftId(id), "Draft", |r, id, a| {
        r.may_see_draft(id, a)
    })
    .await
}

async fn item(shared: &Shared, id: DraftId) -> Result<DraftItem, ApiError> {
    shared
        .read(move |r| r.draft(id))
        .await?
        .ok_or_else(|| ApiError::not_found("Draft not found"))
}
