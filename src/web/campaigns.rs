//! The predecessor's endpoints of campaigns: `/api/campaigns/…`.

mod change;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Viewer;
use super::agent::{days_back, known, tool};
use super::error::{ApiError, ErrorBody};
use super::extract::{Id, Ids, Query};
use super::freshness::{self, Asking, Window};
use super::state::Shared;
use crate::model::CampaignId;
use crate::store::{CampaignCounts, CampaignFacts};
use crate::time::{self, UtcMs};

/// What a check looks back when nobody says, and at most.
const CHECK_DAYS: u32 = 7;
const MAX_CHECK_DAYS: u32 = 90;
/// The listeners are waited for so long.
const CHECK_WAIT: Duration = Duration::from_secs(10);
/// Errors that a check tells.
const MAX_ERRORS: usize = 10;
/// Lines of one conversation that are shown: the newest.
const MAX_LINES: u32 = 2_000;

/// All of them.
pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(check_replies))
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(followups))
        .routes(routes!(conversation))
        .merge(change::routes())
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct CheckQuery {
    /// How many days to look back; what is no number from 1 to 90 is 7.
    #[param(value_type = Option<u32>)]
    days: Option<String>,
}

/// What a check found.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct CheckAnswer {
    success: bool,
    /// Messages that were new.
    processed: u64,
    /// Replies among them.
    new_replies: u64,
    /// What went wrong, account by account.
    errors: Vec<String>,
}

/// Look for replies now
///
/// The running listeners look at once; a window that was never looked through is searched by a
/// connection of its own.
#[utoipa::path(
    post, path = "/api/campaigns/check-replies", tag = "predecessor", params(CheckQuery),
    responses(
        (status = 200, body = CheckAnswer), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 500, description = "No mailbox could be looked at: `{success: false, error}`"),
    ),
)]
async fn check_replies(
    asking: Asking,
    State(shared): State<Arc<Shared>>,
    viewer: Result<Viewer, ApiError>,
    Query(query): Query<CheckQuery>,
) -> Result<Response, ApiError> {
    let viewer = viewer.map_err(|e| match e.status {
        StatusCode::UNAUTHORIZED => ApiError::new(e.status, "Authentication required", ""),
        _ => e,
    })?;
    let days = query.days.and_then(|d| d.trim().parse().ok());
    let days = days
        .filter(|d| (1..=MAX_CHECK_DAYS).contains(d))
        .unwrap_or(CHECK_DAYS);
    let before = shared.read(|r| r.newest_rows()).await?;
    let looked = freshness::check(&shared, asking, days, CHECK_WAIT).await;
    let (mut errors, failed) = match looked {
        Ok(done) => (done.errors, done.failed),
        Err(e) => return Err(ApiError::internal(&e)),
    };
    if failed {
        let error = errors.join("; ");
        let body = serde_json::json!({"success": false, "error": error});
        return Ok((StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response());
    }
    errors.truncate(MAX_ERRORS);
    let access = viewer.access;
    let (processed, new_replies) = shared.read(move |r| r.came_after(before, &access)).await?;
    let body = CheckAnswer {
        success: true,
        processed,
        new_replies,
        errors,
    };
    Ok(Json(body).into_response())
}

/// A campaign.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct CampaignBody {
    id: i64,
    name: String,
    project_name: String,
    channel: String,
    offer_details: String,
    /// How far automatic answers go: `off`, `draft`, `auto-ack` or `auto`.
    mode: String,
    is_active: bool,
    created_by: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: UtcMs,
    /// Leads in it.
    total_leads: u64,
    /// Leads whose mail was sent.
    messages_sent: u64,
    /// Mails that wait for their turn.
    messages_queued: u64,
    /// Mails refused for good.
    messages_failed: u64,
    /// Leads who replied.
    replies: u64,
    /// Leads who want no more mail.
    opted_out: u64,
    /// Leads whose address takes no mail.
    bounced: u64,
}

impl CampaignBody {
    pub(super) fn of(facts: CampaignFacts, counts: &CampaignCounts) -> Self {
        Self {
            id: facts.id.0,
            name: facts.name,
            project_name: facts.project_name,
            channel: facts.channel,
            offer_details: facts.offer_details,
            mode: facts.mode,
            is_active: facts.is_active,
            created_by: facts.created_by,
            created_at: facts.created_at,
            total_leads: counts.leads,
            messages_sent: counts.sent,
            messages_queued: counts.queued.saturating_add(counts.sending),
            messages_failed: counts.failed,
            replies: counts.replied,
            opted_out: counts.opted_out,
            bounced: counts.bounced,
        }
    }
}

/// Campaigns.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct CampaignsBody {
    campaigns: Vec<CampaignBody>,
    total_campaigns: usize,
}

/// The campaigns that may be seen, the newest first
#[utoipa::path(
    get, path = "/api/campaigns/list", tag = "predecessor",
    responses((status = 200, body = CampaignsBody), (status = 401, body = ErrorBody)),
)]
async fn list(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
) -> Result<Json<CampaignsBody>, ApiError> {
    let campaigns: Vec<CampaignBody> = shared
        .read(move |r| {
            let counts = r.all_campaign_counts()?;
            let all = r.campaign_list(&viewer.access)?.into_iter();
            let bodies = all.map(|facts| {
                let counts = counts.get(&facts.id).copied().unwrap_or_default();
                CampaignBody::of(facts, &counts)
            });
            Ok(bodies.collect())
        })
        .await?;
    Ok(Json(CampaignsBody {
        total_campaigns: campaigns.len(),
        campaigns,
    }))
}

/// What is not there, in the predecessor's words.
pub(super) fn no_campaign() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "Campaign not found", "")
}

/// A campaign, if the viewer may see it.
pub(super) async fn campaign(
    shared: &Shared,
    viewer: &Viewer,
    id: i64,
) -> Result<CampaignFacts, ApiError> {
    let access = viewer.access.clone();
    shared
        .read(move |r| r.campaign_facts(CampaignId(id), &access))
        .await?
        .ok_or_else(no_campaign)
}

/// One campaign
#[utoipa::path(
    get, path = "/api/campaigns/{id}", tag = "predecessor", params(("id" = i64, Path)),
    responses(
        (status = 200, body = CampaignBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
    ),
)]
async fn show(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
) -> Result<Json<CampaignBody>, ApiError> {
    let facts = campaign(&shared, &viewer, id).await?;
    let id = facts.id;
    let counts = shared.read(move |r| r.campaign_counts(id)).await?;
    Ok(Json(CampaignBody::of(facts, &counts)))
}

/// The leads of a campaign that have replied.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct FollowupsBody {
    campaign_id: i64,
    campaign_name: String,
    followups: Vec<FollowupBody>,
    total_followups: usize,
}

/// A lead that has replied.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct FollowupBody {
    campaign_lead_id: i64,
    /// The operator's own key of the lead.
    lead_id: String,
    lead_name: String,
    lead_email: String,
    reply_count: u64,
    #[schema(value_type = String, format = DateTime)]
    last_reply_at: UtcMs,
    sales_team_notified: bool,
}

/// The leads of a campaign that have replied, the last reply first
#[utoipa::path(
    get, path = "/api/campaigns/{id}/followups", tag = "predecessor", params(("id" = i64, Path)),
    responses(
        (status = 200, body = FollowupsBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
    ),
)]
async fn followups(
    asking: Asking,
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
) -> Result<Response, ApiError> {
    let facts = campaign(&shared, &viewer, id).await?;
    let mailbox = freshness::look(&shared, Some(asking), Window::default()).await?;
    let rows = shared.read(move |r| r.followups(facts.id)).await?;
    let followups: Vec<FollowupBody> = rows
        .into_iter()
        .map(|f| FollowupBody {
            campaign_lead_id: f.campaign_lead_id.0,
            lead_id: f.lead_id,
            lead_name: f.lead_name,
            lead_email: f.lead_email,
            reply_count: f.reply_count,
            last_reply_at: f.last_reply_at,
            sales_team_notified: f.sales_team_notified,
        })
        .collect();
    let body = FollowupsBody {
        campaign_id: facts.id.0,
        campaign_name: facts.name,
        total_followups: followups.len(),
        followups,
    };
    Ok((mailbox.headers(), Json(body)).into_response())
}

/// A conversation.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ConversationBody {
    campaign_lead_id: i64,
    lead: LeadPart,
    campaign: CampaignPart,
    conversation_thread: Vec<ThreadLine>,
    total_messages: usize,
}

/// Its lead.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct LeadPart {
    /// The operator's own key.
    lead_id: String,
    name: String,
    email: String,
    phone: String,
}

/// Its campaign.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct CampaignPart {
    id: i64,
    name: String,
    project_name: String,
}

/// One of its lines.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ThreadLine {
    id: i64,
    sender: String,
    /// `Customer`, `AI Agent`, or `Sales Team` for a mail that a person wrote.
    sender_display: &'static str,
    message: String,
    agent_tool_used: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: UtcMs,
    sales_team_notified: bool,
}

/// A conversation, oldest line first
///
/// The mailboxes are looked at first; the headers say up to when.
#[utoipa::path(
    get, path = "/api/campaigns/{id}/followups/{campaign_lead_id}/conversation",
    tag = "predecessor", params(("id" = i64, Path), ("campaign_lead_id" = i64, Path)),
    responses(
        (status = 200, body = ConversationBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
    ),
)]
async fn conversation(
    asking: Asking,
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Ids(id, lead): Ids,
) -> Result<Response, ApiError> {
    let thread = known(&shared, &viewer, lead)
        .await?
        .filter(|thread| thread.campaign_id == CampaignId(id))
        .ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "Campaign lead not found", ""))?;
    let window = Window {
        days: Some(days_back(thread.sent_at, time::now())),
        wait: None,
    };
    let mailbox = freshness::look(&shared, Some(asking), window).await?;
    let id = thread.campaign_lead_id;
    let lines = shared.read(move |r| r.lines(id, MAX_LINES)).await?;
    let lines: Vec<ThreadLine> = lines
        .into_iter()
        .rev()
        .map(|line| ThreadLine {
            id: line.id.0,
            sender_display: match line.sender.as_str() {
                "customer" => "Customer",
                "human" => "Sales Team",
                _ => "AI Agent",
            },
            sender: line.sender,
            message: line.message,
            agent_tool_used: tool(line.agent_tool_used),
            created_at: line.created_at,
            sales_team_notified: line.sales_team_notified,
        })
        .collect();
    let body = ConversationBody {
        campaign_lead_id: thread.campaign_lead_id.0,
        lead: LeadPart {
            lead_id: thread.lead_id,
            name: thread.lead_name,
            email: thread.lead_email,
            phone: thread.lead_phone,
        },
        campaign: CampaignPart {
            id: thread.campaign_id.0,
            name: thread.campaign_name,
            project_name: thread.project_name,
        },
        total_messages: lines.len(),
        conversation_thread: lines,
    };
    Ok((mailbox.headers(), Json(body)).into_response())
}
