//! Leads.

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
use super::super::extract::{Id, Query};
use super::super::paging::{List, PageQuery};
use super::super::state::Shared;
use super::tagged;
use crate::model::{CampaignId, LeadRowId};
use crate::store::{LeadAsk, LeadItem};

pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// With this key of the operator's.
    lead_id: Option<String>,
    /// With this address.
    email: Option<String>,
    /// In this campaign.
    campaign_id: Option<i64>,
}

/// Leads, newest first
#[utoipa::path(
    get, path = "/api/leads", tag = "leads", params(PageQuery, Filter),
    responses(
        (status = 200, body = List<LeadItem>),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    ),
)]
async fn list(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Query(page): Query<PageQuery>,
    Query(filter): Query<Filter>,
) -> Result<Json<List<LeadItem>>, ApiError> {
    let limit = page.limit()?;
    let ask = LeadAsk {
        lead_id: filter.lead_id,
        email: filter.email,
        campaign: filter.campaign_id.map(CampaignId),
        before: page.after()?,
        limit,
    };
    let rows = shared
        .read(move |r| r.lead_page(&ask, &viewer.access))
        .await?;
    Ok(Json(List::page(rows, limit, |row| row.id.0)?))
}

/// One lead, with its conversations
#[utoipa::path(
    get, path = "/api/leads/{id}", tag = "leads", params(("id" = i64, Path)),
    responses(
        (status = 200, body = LeadItem), (status = 304, description = "As you have it"),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    ),
)]
async fn show(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let lead = shared
        .read(move |r| r.lead_item(LeadRowId(id), &viewer.access))
        .await?
        .ok_or_else(|| ApiError::not_found("Lead not found"))?;
    tagged(&headers, &lead)
}
