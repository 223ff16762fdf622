//! `POST /api/sent`: another program has sent a mail to a lead.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use super::state::Shared;

/// Its route.
pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
}
