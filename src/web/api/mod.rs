//! The endpoints besides the predecessor's.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use super::state::Shared;

/// All of them.
pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
}
