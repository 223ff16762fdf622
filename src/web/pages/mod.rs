//! The pages.

use std::sync::Arc;

use axum::Router;

use super::state::Shared;

/// All of them.
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
}
