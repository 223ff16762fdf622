//! The OpenAPI document.

use std::sync::Arc;

use axum::{Json, Router, routing::get};
use utoipa::openapi::OpenApi;

use super::state::Shared;

/// The document of what is served here.
pub(super) fn routes(document: OpenApi) -> Router<Arc<Shared>> {
    let document = Arc::new(document);
    Router::new().route(
        "/api/openapi.json",
        get(move || {
            let document = Arc::clone(&document);
            async move { Json((*document).clone()) }
        }),
    )
}
