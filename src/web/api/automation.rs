//! The switch that stops automatic mail: for all, a campaign or a lead.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::access::Viewer;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::Body;
use super::super::state::Shared;
use crate::model::{Access, CampaignId, EventKind, LeadRowId, Scope};
use crate::store::{AutomationOff, AutomationScope, NewEvent, Reader, Released, StoreError};
use crate::time;

/// Characters of a reason.
const MAX_REASON: usize = 500;

pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(off))
        .routes(routes!(on))
}

/// Whether automatic mail leaves.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Automation {
    /// It leaves for everything that you may see.
    on: bool,
    /// What is switched off, the widest first.
    off: Vec<AutomationOff>,
    /// Mails that wait because of it; null with a campaign limit.
    held: Option<u32>,
}

/// What is switched off
#[utoipa::path(
    get, path = "/api/automation", tag = "automation",
    responses((status = 200, body = Automation), (status = 401, body = ErrorBody)),
)]
async fn show(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
) -> Result<Json<Automation>, ApiError> {
    let now = shared.read(move |r| state(r, &viewer.access)).await?;
    Ok(Json(now))
}

fn state(r: &Reader<'_>, access: &Access) -> Result<Automation, StoreError> {
    let mut off = Vec::new();
    for line in r.automation_off()? {
        let seen = match line.scope {
            AutomationScope::All => true,
            AutomationScope::Campaign(id) => access.allows(id),
            AutomationScope::Lead(id) => r.may_see_lead(id, access)?,
        };
        if seen {
            off.push(line);
        }
    }
    let held = match access {
        Access::All => Some(r.held_mails()?),
        Access::Campaigns(_) => None,
    };
    Ok(Automation {
        on: off.is_empty(),
        off,
        held,
    })
}

/// For what: nothing else given, for everything.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Switch {
    /// For this campaign.
    campaign_id: Option<i64>,
    /// For this lead (its integer id), in every campaign.
    lead_id: Option<i64>,
    /// Why, for the record; with `off` only.
    #[serde(default)]
    reason: String,
}

/// Stop automatic mail
///
/// For a lead with the scope write; for a campaign with admin; for everything with admin and no
/// campaign limit. Mails that wait are held from now on.
#[utoipa::path(
    post, path = "/api/automation/off", tag = "automation", request_body = Switch,
    responses(
        (status = 200, body = Automation), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 413, body = ErrorBody),
    ),
)]
async fn off(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Body(switch): Body<Switch>,
) -> Result<Json<Automation>, ApiError> {
    let scope = scope(&viewer, &switch)?;
    let reason: String = switch
        .reason
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_REASON)
        .collect();
    let now = shared
        .write(move |tx| {
            let at = time::now();
            is_there(tx, scope, &viewer.access)?;
            tx.switch_automation_off(scope, &viewer.who, reason.trim(), at)?;
            tx.note_event(&event(scope, at))?;
            state(tx, &viewer.access)
        })
        .await?;
    Ok(Json(now))
}

/// What became of the mails that were held.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct SwitchedOn {
    /// What is switched off now.
    #[serde(flatten)]
    now: Automation,
    /// What became of the mails that were held.
    done: Released,
}

/// Let automatic mail leave again
///
/// Answers to replies that are too old by now become drafts.
#[utoipa::path(
    post, path = "/api/automation/on", tag = "automation", request_body = Switch,
    responses(
        (status = 200, body = SwitchedOn), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 413, body = ErrorBody),
    ),
)]
async fn on(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Body(switch): Body<Switch>,
) -> Result<Json<SwitchedOn>, ApiError> {
    let scope = scope(&viewer, &switch)?;
    let (now, done) = shared
        .write(move |tx| {
            let at = time::now();
            is_there(tx, scope, &viewer.access)?;
            let done = tx.switch_automation_on(scope, at)?;
            tx.note_event(&event(scope, at))?;
            Ok((state(tx, &viewer.access)?, done))
        })
        .await?;
    shared.outbox.ring();
    Ok(Json(SwitchedOn { now, done }))
}

/// The scope, if the viewer may switch it.
fn scope(viewer: &Viewer, switch: &Switch) -> Result<AutomationScope, ApiError> {
    match (switch.campaign_id, switch.lead_id) {
        (Some(_), Some(_)) => Err(ApiError::bad_request(
            "Either campaign_id or lead_id, not both",
        )),
        (None, Some(id)) => {
            viewer.needs(Scope::Write)?;
            Ok(AutomationScope::Lead(LeadRowId(id)))
        }
        (Some(id), None) => {
            viewer.needs(Scope::Admin)?;
            Ok(AutomationScope::Campaign(CampaignId(id)))
        }
        (None, None) => {
            viewer.needs(Scope::Admin)?;
            if viewer.access != Access::All {
                return Err(ApiError::forbidden(
                    "This token is limited to some campaigns: it cannot switch everything",
                ));
            }
            Ok(AutomationScope::All)
        }
    }
}

fn is_there(r: &Reader<'_>, scope: AutomationScope, access: &Access) -> Result<(), StoreError> {
    let (there, what) = match scope {
        AutomationScope::All => (true, ""),
        AutomationScope::Campaign(id) => (r.campaign_facts(id, access)?.is_some(), "Campaign"),
        AutomationScope::Lead(id) => (r.may_see_lead(id, access)?, "Lead"),
    };
    if there {
        return Ok(());
    }
    Err(StoreError::NotFound(what.into()))
}

fn event(scope: AutomationScope, at: crate::time::UtcMs) -> NewEvent {
    let campaign_id = match scope {
        AutomationScope::Campaign(id) => Some(id),
        _ => None,
    };
    NewEvent {
        campaign_id,
        ..NewEvent::new(EventKind::Changed, at)
    }
}
