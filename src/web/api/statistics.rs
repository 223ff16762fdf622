//! What came and went in the last days.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::access::Viewer;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::Query;
use super::super::state::Shared;
use crate::model::CampaignId;
use crate::store::{Statistics, StoreError};
use crate::time;

/// Days when nothing is said, and at most.
const DAYS: u32 = 30;
const MAX_DAYS: u32 = 90;

pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new().routes(routes!(show))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// So many days back, 1 to 90 (default 30).
    #[param(minimum = 1, maximum = 90)]
    days: Option<u32>,
    /// Of this campaign.
    campaign_id: Option<i64>,
}

/// What came and went in the last days: replies, what they want, what answered them and how fast
#[utoipa::path(
    get, path = "/api/statistics", tag = "statistics", params(Filter),
    responses(
        (status = 200, body = Statistics), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    ),
)]
async fn show(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Query(filter): Query<Filter>,
) -> Result<Json<Statistics>, ApiError> {
    let days = filter.days.unwrap_or(DAYS);
    if !(1..=MAX_DAYS).contains(&days) {
        return Err(ApiError::bad_request(format!(
            "days must be between 1 and {MAX_DAYS}"
        )));
    }
    let campaign = filter.campaign_id.map(CampaignId);
    let now = time::now();
    let since = now.minus(std::time::Duration::from_secs(u64::from(days) * 86_400));
    let found = shared
        .read(move |r| {
            if let Some(id) = campaign
                && r.campaign_facts(id, &viewer.access)?.is_none()
            {
                return Err(StoreError::NotFound("Campaign".into()));
            }
            r.statistics(since, now, campaign, &viewer.access)
        })
        .await?;
    Ok(Json(found))
}
