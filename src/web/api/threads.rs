//! What people do in a conversation: write, take it over, put it off, say that it is settled, and put
//! a reply where it belongs.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::access::Viewer;
use super::super::agent::{Answered, known, take_in};
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::{Body, Id};
use super::super::state::Shared;
use super::drafts::RecipientWord;
use super::{done, told};
use crate::desk::{Approved, Moved, OwnAnswer};
use crate::model::{CampaignLeadId, MessageRowId, Scope};
use crate::time::{self, UtcMs};

pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(answer))
        .routes(routes!(paste))
        .routes(routes!(hand_over))
        .routes(routes!(take_back))
        .routes(routes!(handled))
        .routes(routes!(snooze))
        .routes(routes!(reattach))
}

/// A mail of one's own to the lead.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAnswer {
    /// Its subject; null: that of the reply, with `Re:`.
    subject: Option<String>,
    /// The whole text.
    body: String,
    /// To whom; needed when the reply came from another address.
    to: Option<RecipientWord>,
    /// Overrules every objection but a suppressed address.
    #[serde(default)]
    anyway: bool,
    /// Overrules that one, for this mail alone.
    #[serde(default)]
    to_suppressed: bool,
}

/// Write to the lead: the mail is queued at once
#[utoipa::path(
    post, path = "/api/conversations/{campaign_lead_id}/answer", tag = "conversations",
    params(("campaign_lead_id" = i64, Path)), request_body = NewAnswer,
    responses(
        (status = 200, body = Approved), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 422, body = ErrorBody),
    ),
)]
async fn answer(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
    Body(new): Body<NewAnswer>,
) -> Result<Json<Approved>, ApiError> {
    viewer.needs(Scope::Write)?;
    let own = OwnAnswer {
        thread: CampaignLeadId(id),
        subject: new.subject,
        body: new.body,
        by: viewer.who,
        to: new.to.map(Into::into),
        anyway: new.anyway,
        to_suppressed: new.to_suppressed,
    };
    let sent = shared.desk.answer(own, viewer.access, time::now()).await;
    sent.map(Json).map_err(told)
}

/// A reply that came by another way than mail.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Pasted {
    /// What the lead wrote, 64 KiB at most.
    text: String,
}

/// Paste a reply that came by another way: a telephone note, a message of another program
///
/// It is read as a mail is, and its answer waits for a person as a draft: nothing is sent. The same text
/// again is the same reply.
#[utoipa::path(
    post, path = "/api/conversations/{campaign_lead_id}/paste", tag = "conversations",
    params(("campaign_lead_id" = i64, Path)), request_body = Pasted,
    responses(
        (status = 200, body = Answered), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 422, body = ErrorBody),
    ),
)]
async fn paste(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
    Body(new): Body<Pasted>,
) -> Result<Json<Answered>, ApiError> {
    viewer.needs(Scope::Write)?;
    let missing = || ApiError::not_found("Conversation not found");
    let thread = known(&shared, &viewer, id).await?.ok_or_else(missing)?;
    let text = new.text.trim().to_owned();
    if text.is_empty() {
        return Err(ApiError::unprocessable("There is no text"));
    }
    let taken = take_in(&shared, thread.campaign_lead_id, text).await?;
    Ok(Json(taken))
}

/// A person takes the conversation over: nothing automatic leaves to this lead
#[utoipa::path(
    post, path = "/api/conversations/{campaign_lead_id}/hand-over", tag = "conversations",
    params(("campaign_lead_id" = i64, Path)),
    responses(
        (status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    ),
)]
async fn hand_over(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    viewer.needs(Scope::Write)?;
    let (id, desk) = (CampaignLeadId(id), &shared.desk);
    done(
        desk.hand_over(id, viewer.access, &viewer.who, time::now())
            .await,
    )
}

/// The program may answer this lead again
#[utoipa::path(
    post, path = "/api/conversations/{campaign_lead_id}/take-back", tag = "conversations",
    params(("campaign_lead_id" = i64, Path)),
    responses(
        (status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    ),
)]
async fn take_back(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    viewer.needs(Scope::Write)?;
    let (id, desk) = (CampaignLeadId(id), &shared.desk);
    done(desk.take_back(id, viewer.access, time::now()).await)
}

/// What waits for a person here is settled
#[utoipa::path(
    post, path = "/api/conversations/{campaign_lead_id}/handled", tag = "conversations",
    params(("campaign_lead_id" = i64, Path)),
    responses(
        (status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    ),
)]
async fn handled(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    viewer.needs(Scope::Write)?;
    let (id, desk) = (CampaignLeadId(id), &shared.desk);
    done(
        desk.handled(id, viewer.access, &viewer.who, time::now())
            .await,
    )
}

/// Until when.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Snooze {
    /// It waits for a person again from then on.
    until: UtcMs,
}

/// Put a conversation off to a later time
#[utoipa::path(
    post, path = "/api/conversations/{campaign_lead_id}/snooze", tag = "conversations",
    params(("campaign_lead_id" = i64, Path)), request_body = Snooze,
    responses(
        (status = 204), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 422, body = ErrorBody),
    ),
)]
async fn snooze(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
    Body(new): Body<Snooze>,
) -> Result<StatusCode, ApiError> {
    viewer.needs(Scope::Write)?;
    let (id, now) = (CampaignLeadId(id), time::now());
    let snoozed = shared
        .desk
        .snooze(id, new.until, viewer.access, &viewer.who, now);
    done(snoozed.await)
}

/// Where a reply belongs.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Move {
    /// The conversation; null: none that is known, it lies with the unmatched mail again.
    campaign_lead_id: Option<i64>,
    /// Learn the Message-IDs that it refers to, and its sender as an address of the lead.
    #[serde(default)]
    teach: bool,
}

/// A reply stands in the wrong conversation: put it where it belongs
#[utoipa::path(
    post, path = "/api/messages/{id}/move", tag = "messages", params(("id" = i64, Path)),
    request_body = Move,
    responses(
        (status = 200, body = Moved), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 422, body = ErrorBody),
    ),
)]
async fn reattach(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
    Body(new): Body<Move>,
) -> Result<Json<Moved>, ApiError> {
    viewer.needs(Scope::Write)?;
    let to = new.campaign_lead_id.map(CampaignLeadId);
    let moved = shared
        .desk
        .reattach(
            MessageRowId(id),
            to,
            new.teach,
            viewer.access,
            &viewer.who,
            time::now(),
        )
        .await;
    moved.map(Json).map_err(told)
}
