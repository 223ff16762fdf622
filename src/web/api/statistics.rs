//! What came and went in a span of days.

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
use crate::store::{Statistics, StatisticsAsk, StoreError};
use crate::time::{self, UtcMs};

/// Days when nothing is said, and at most.
const DAYS: i64 = 30;
const MAX_DAYS: i64 = 366;
/// Replies that are looked at one by one.
const MOST: u32 = 10_000;
const DAY_MS: i64 = 86_400_000;

pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new().routes(routes!(show))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// The first day (UTC), such as `2027-01-31`; none: `days` before the last one.
    #[param(format = Date)]
    from: Option<String>,
    /// The last day, which belongs to it; today by default. At most 366 days.
    #[param(format = Date)]
    to: Option<String>,
    /// So many days to the last one, where `from` is not said, 1 to 366 (default 30).
    #[param(minimum = 1, maximum = 366)]
    days: Option<i64>,
    /// Of this campaign.
    campaign_id: Option<i64>,
}

impl Filter {
    /// The first and the last day, counted from 1970-01-01.
    fn span(&self, now: UtcMs) -> Result<(i64, i64), ApiError> {
        let last = day("to", self.to.as_deref())?.unwrap_or(now.0.div_euclid(DAY_MS));
        let days = self.days.unwrap_or(DAYS);
        if !(1..=MAX_DAYS).contains(&days) {
            return Err(ApiError::bad_request(format!(
                "days must be between 1 and {MAX_DAYS}"
            )));
        }
        let first = match day("from", self.from.as_deref())? {
            Some(_) if self.days.is_some() => {
                return Err(ApiError::bad_request("Say from or days, not both"));
            }
            Some(first) => first,
            None => last.saturating_sub(days).saturating_add(1),
        };
        let span = last.saturating_sub(first).saturating_add(1);
        if !(1..=MAX_DAYS).contains(&span) {
            return Err(ApiError::bad_request(format!(
                "from must not be after to, and they span {MAX_DAYS} days at most"
            )));
        }
        Ok((first, last))
    }
}

fn day(name: &str, text: Option<&str>) -> Result<Option<i64>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let known = Some(text)
        .filter(|text| text.len() == "2027-01-31".len())
        .and_then(UtcMs::parse_day_or_time);
    match known {
        Some(at) => Ok(Some(at.0.div_euclid(DAY_MS))),
        None => Err(ApiError::bad_request(format!(
            "{name} must be a day such as 2027-01-31"
        ))),
    }
}

/// What came and went, by day: replies, what they want, what answered them and how fast
///
/// Days are those of UTC. What is not within the campaigns of the token is not counted.
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
    let now = time::now();
    let (first, last) = filter.span(now)?;
    let ask = StatisticsAsk {
        first,
        last,
        campaign: filter.campaign_id.map(CampaignId),
        most: MOST,
    };
    let found = shared
        .read(move |r| {
            if let Some(id) = ask.campaign
                && r.campaign_facts(id, &viewer.access)?.is_none()
            {
                return Err(StoreError::NotFound("Campaign".into()));
            }
            r.statistics(ask, now, &viewer.access)
        })
        .await?;
    Ok(Json(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_thirty_days_to_today_and_a_year_at_most() {
        let now = UtcMs(20_000 * DAY_MS + 5);
        let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let span = |from: &str, to: &str, days| {
            let filter = Filter {
                from: said(from),
                to: said(to),
                days,
                campaign_id: None,
            };
            filter.span(now).map_err(|e| e.status.as_u16())
        };
        assert_eq!(span("", "", None), Ok((19_971, 20_000)));
        assert_eq!(span("", "", Some(1)), Ok((20_000, 20_000)));
        assert_eq!(span("1970-01-02", "1970-01-02", None), Ok((1, 1)));
        assert_eq!(span("", "1970-01-31", None), Ok((1, 30)));
        assert_eq!(span("1970-01-01", "1971-01-01", None), Ok((0, 365)));
        for (from, to, days) in [
            ("1970-01-01", "1971-01-02", None),
            ("1970-01-02", "1970-01-01", None),
            ("2027-02-30", "", None),
            ("yesterday", "", None),
            ("2027-01-31T00:00:00Z", "", None),
            ("2024-10-01", "", Some(3)),
            ("", "", Some(0)),
            ("", "", Some(367)),
        ] {
            assert_eq!(span(from, to, days), Err(400), "{from} {to} {days:?}");
        }
    }
}
