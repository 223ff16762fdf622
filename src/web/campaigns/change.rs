//! Campaigns are made, and their mails sent: through the outbox, by templates.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::access::Viewer;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::{Body, Id};
use super::super::state::Shared;
use super::{CampaignBody, campaign, no_campaign};
use crate::campaign::template::Source;
use crate::campaign::{self, SendOptions};
use crate::config::{SenderSettings, Settings};
use crate::model::{Access, Scope};
use crate::store::{CampaignChange, Mailing, Tx};
use crate::time::{self, UtcMs};

/// Characters of a name.
const MAX_NAME: usize = 200;
/// Leads that one request puts into a campaign.
const MAX_LEADS: usize = 10_000;
/// Errors that a send tells.
const MAX_ERRORS: usize = 5;

/// All of them.
pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(send))
        .routes(routes!(generate_messages))
        .routes(routes!(regenerate))
}

/// A campaign to be made.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
struct NewCampaign {
    /// Unique.
    name: String,
    #[serde(default)]
    project_name: String,
    /// `email`.
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    offer_details: String,
    /// Who signs; the campaign's name, if it is missing.
    #[serde(default)]
    sender_name: Option<String>,
    /// A template of the mails' subject, as of `replyd campaign create`.
    #[serde(default)]
    subject: Option<String>,
    /// A template of their text; without it another program sends them.
    #[serde(default)]
    message: Option<String>,
    /// The account that sends; may be missing where there is one.
    #[serde(default)]
    account: Option<String>,
    /// The operator's keys of leads that are known.
    #[serde(default)]
    lead_ids: Vec<String>,
}

/// Make a campaign
#[utoipa::path(
    post, path = "/api/campaigns/create", tag = "predecessor", request_body = NewCampaign,
    responses(
        (status = 201, body = CampaignBody), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody),
    ),
)]
async fn create(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Body(new): Body<NewCampaign>,
) -> Result<(StatusCode, Json<CampaignBody>), ApiError> {
    viewer.needs(Scope::Write)?;
    if viewer.access != Access::All && viewer.owner.is_none() {
        return Err(ApiError::forbidden(
            "This token is limited to campaigns that are there",
        ));
    }
    let name = new.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(ApiError::bad_request(format!(
            "name must have 1 to {MAX_NAME} characters, on one line"
        )));
    }
    if new.lead_ids.len() > MAX_LEADS {
        return Err(ApiError::too_large(format!(
            "At most {MAX_LEADS} leads at once"
        )));
    }
    if new.channel.as_deref().is_some_and(|c| c != "email") {
        return Err(ApiError::unprocessable("channel can be email only"));
    }
    let mailing = mailing(&shared.settings, &new)?;
    let mode = shared.settings.reply.mode;
    let made = shared
        .store
        .write(move |tx| -> Result<_, ApiError> {
            if tx.campaign(&name)?.is_some() {
                return Err(ApiError::conflict("A campaign of this name is there"));
            }
            let now = time::now();
            let change = CampaignChange {
                project_name: Some(new.project_name.trim()),
                sender_name: new.sender_name.as_deref(),
                offer_details: Some(new.offer_details.trim()),
                mode: Some(mode),
                created_by: &viewer.who,
            };
            let (id, _) = tx.change_campaign(&name, &change, now)?;
            if viewer.owner.is_some() {
                tx.set_campaign_owner(id, viewer.owner)?;
            }
            if let Some(mailing) = &mailing {
                tx.put_mailing(id, mailing, now)?;
            }
            add_leads(tx, &viewer.access, id, &new.lead_ids, now)?;
            let facts = tx.campaign_facts(id, &Access::All)?;
            let counts = tx.campaign_counts(id)?;
            facts
                .map(|facts| CampaignBody::of(facts, &counts))
                .ok_or_else(no_campaign)
        })
        .await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Leads that a viewer cannot see are not known to them.
fn add_leads(
    tx: &Tx<'_>,
    access: &Access,
    campaign: crate::model::CampaignId,
    lead_ids: &[String],
    now: UtcMs,
) -> Result<(), ApiError> {
    for lead_id in lead_ids {
        let unknown = || ApiError::bad_request(format!("Lead {lead_id:?} not found"));
        let lead = tx.lead_by_lead_id(lead_id)?.ok_or_else(unknown)?;
        let mut seen = *access == Access::All;
        for thread in tx.campaign_leads_of(lead)? {
            seen |= tx.thread(thread, access)?.is_some();
        }
        if !seen {
            return Err(unknown());
        }
        tx.join_campaign(campaign, lead, now)?;
    }
    Ok(())
}

/// The texts of its mails, if it has any.
fn mailing(settings: &Settings, new: &NewCampaign) -> Result<Option<Mailing>, ApiError> {
    let Some(text) = new.message.as_deref().filter(|t| !t.trim().is_empty()) else {
        return Ok(None);
    };
    let wrong = |e: &dyn std::fmt::Display| ApiError::unprocessable(e.to_string());
    let source = Source::read(new.subject.as_deref(), text, "").map_err(|e| wrong(&e))?;
    let sender = sender(settings, new.account.as_deref())?;
    let mailing = Mailing {
        account: sender.account.clone(),
        subject: source.subject,
        text: source.text,
        html: source.html,
        paused: None,
    };
    campaign::compile(&mailing).map_err(|e| wrong(&e))?;
    Ok(Some(mailing))
}

/// The account that sends: the named one, or the only one.
fn sender<'a>(
    settings: &'a Settings,
    account: Option<&str>,
) -> Result<&'a SenderSettings, ApiError> {
    let found = match (account, settings.senders.as_slice()) {
        (None, [only]) => Some(only),
        (None, _) => None,
        (Some(name), all) => all.iter().find(|s| s.account == name),
    };
    found.ok_or_else(|| ApiError::unprocessable("account must name one of the settings"))
}

/// What was queued.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Sent {
    success: bool,
    /// Mails that were queued now; they leave at the account's pace.
    sent: u64,
    /// Leads for whom the templates cannot be filled: then nothing was queued.
    failed: u64,
    /// The first five of them.
    errors: Vec<String>,
    message: String,
}

/// Send the campaign's mails to leads who have none yet
#[utoipa::path(
    post, path = "/api/campaigns/{id}/send", tag = "predecessor", params(("id" = i64, Path)),
    responses(
        (status = 200, body = Sent), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 422, body = ErrorBody),
    ),
)]
async fn send(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
) -> Result<Json<Sent>, ApiError> {
    let name = campaign(&shared, &viewer, id).await?.name;
    viewer.needs(Scope::Write)?;
    let found = shared
        .read(move |r| r.campaign(&name))
        .await?
        .ok_or_else(no_campaign)?;
    let Some(account) = found.mailing.as_ref().map(|m| m.account.clone()) else {
        return Err(ApiError::unprocessable(
            "The campaign has no template: another program sends its mails",
        ));
    };
    let sender = sender(&shared.settings, Some(&account))?.clone();
    let report = campaign::send(
        &shared.store,
        &shared.keys,
        found,
        sender,
        shared.settings.redirect_to.clone(),
        SendOptions {
            public_url: shared.settings.web.public_url.clone(),
            ..SendOptions::default()
        },
        time::now(),
    )
    .await
    .map_err(|e| ApiError::internal(&e))?;
    shared.outbox.ring();
    let errors = report.faults.iter().take(MAX_ERRORS);
    Ok(Json(Sent {
        success: report.faulty == 0,
        sent: report.newly_queued,
        failed: report.faulty,
        errors: errors
            .map(|f| format!("{}: {}", f.lead_id, f.what))
            .collect(),
        message: match (report.faulty, report.newly_queued) {
            (0, 0) => "Every lead has its mail already, or gets none".to_owned(),
            (0, n) => format!("{n} mails are queued"),
            (n, _) => format!("Nothing was queued: {n} leads lack what the template needs"),
        },
    }))
}

fn by_templates() -> ApiError {
    ApiError::new(
        StatusCode::NOT_IMPLEMENTED,
        "Not Implemented",
        "Mails are made from templates, not generated: give the campaign a subject and a message \
         (POST /api/campaigns/create, or replyd campaign create), then POST \
         /api/campaigns/{id}/send",
    )
}

/// Not here: mails are made from templates
#[utoipa::path(
    post, path = "/api/campaigns/{id}/generate-messages", tag = "predecessor",
    params(("id" = i64, Path)),
    responses(
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 501, body = ErrorBody),
    ),
)]
async fn generate_messages(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
) -> Result<(), ApiError> {
    campaign(&shared, &viewer, id).await?;
    Err(by_templates())
}

/// Not here: mails are made from templates
#[utoipa::path(
    post, path = "/api/campaigns/{id}/regenerate-and-send", tag = "predecessor",
    params(("id" = i64, Path)),
    responses(
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 501, body = ErrorBody),
    ),
)]
async fn regenerate(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
) -> Result<(), ApiError> {
    campaign(&shared, &viewer, id).await?;
    Err(by_templates())
}
