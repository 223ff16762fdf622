//! `GET /api/pending`: replies that were not processed yet, as the predecessor's shell asked for them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::access::Viewer;
use super::error::{ApiError, ErrorBody};
use super::state::Shared;

/// Replies that are listed.
const LISTED: u32 = 100;

/// A reply that was not processed yet.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct PendingItem {
    /// The line of the conversation.
    id: i64,
    /// Whose.
    campaign_lead_id: i64,
    /// The lead's name.
    lead_name: String,
    /// Its text.
    message: String,
    /// When it came, RFC 3339.
    created_at: String,
}

/// All of them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct PendingItems {
    /// How many there are.
    count: u32,
    /// The newest 100.
    items: Vec<PendingItem>,
}

/// How many replies were not processed yet (sender `customer`, `auto_reply_processed` false), and the newest.
#[utoipa::path(
    get, path = "/api/pending", tag = "sent",
    responses(
        (status = 200, description = "Replies that were not processed yet", body = PendingItems),
        (status = 401, description = "No token, or no good one", body = ErrorBody),
    )
)]
pub(super) async fn pending(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
) -> Result<Json<PendingItems>, ApiError> {
    let access = viewer.access.clone();
    let (count, lines) = shared
        .read(move |r| r.unprocessed_lines(&access, LISTED))
        .await?;
    let items = lines
        .into_iter()
        .map(|line| PendingItem {
            id: line.id.0,
            campaign_lead_id: line.campaign_lead_id.0,
            lead_name: line.lead_name,
            message: line.message,
            created_at: line.created_at.rfc3339(),
        })
        .collect();
    Ok(Json(PendingItems { count, items }))
}
