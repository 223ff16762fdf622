//! `/health`, for monitors: 200 when all is well, 503 with what is not.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tracing::warn;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::state::Shared;
use crate::alerts::Health;
use crate::time;

/// A look at the store that takes longer says by that alone that something is wrong.
const LOOK: Duration = Duration::from_secs(5);
/// Asked more often, the same answer is given: a look reads several tables.
const KEPT_FOR: Duration = Duration::from_millis(500);

/// The last answer.
#[derive(Debug, Default)]
pub(super) struct HealthKept(Mutex<Option<(Instant, StatusCode, Arc<str>)>>);

pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new().routes(routes!(health))
}

/// How everything is, for monitors
///
/// No token is asked for. 200 when all is well, 503 when something is named in `failing`, or when the
/// store does not answer.
#[utoipa::path(
    get, path = "/health", tag = "health", security(()),
    responses(
        (status = 200, body = Health),
        (status = 503, body = Health, description = "`failing` names who is guilty: accounts, `outbox`, `store`"),
    ),
)]
async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let (code, body) = match timeout(LOOK, look(&shared)).await {
        Ok(answer) => answer,
        Err(_) => unknown("the store does not answer"),
    };
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (code, headers, body.to_string()).into_response()
}

/// One look at a time; who comes meanwhile gets its answer.
async fn look(shared: &Shared) -> (StatusCode, Arc<str>) {
    let mut kept = shared.health.0.lock().await;
    if let Some((at, code, body)) = &*kept
        && at.elapsed() < KEPT_FOR
    {
        return (*code, Arc::clone(body));
    }
    let (code, body) = match Health::take(&shared.store, &shared.settings, time::now()).await {
        Ok(health) => {
            let code = if health.is_ok() {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            match serde_json::to_string(&health) {
                Ok(body) => (code, Arc::from(body)),
                Err(_) => unknown("the answer cannot be put into JSON"),
            }
        }
        Err(e) => {
            // Details stand in the log only.
            warn!("/health cannot look into the store: {e:#}");
            unknown("the store cannot be read")
        }
    };
    *kept = Some((Instant::now(), code, Arc::clone(&body)));
    (code, body)
}

fn unknown(why: &str) -> (StatusCode, Arc<str>) {
    let body = serde_json::json!({
        "status": "failing", "at": time::now(), "failing": ["store"], "reason": why, "accounts": [],
        "outbox": {"ok": false, "late_after_s": 0, "late_s": null},
    });
    (StatusCode::SERVICE_UNAVAILABLE, Arc::from(body.to_string()))
}
