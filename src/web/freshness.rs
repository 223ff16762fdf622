//! Check on view: whoever asks for a conversation gets what its mailbox holds now, or is told how
//! old it is.

use serde::Serialize;

use super::error::ApiError;
use super::state::Shared;
use crate::time::{self, UtcMs};

/// How fresh an answer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct Mailbox {
    /// Up to when all mailboxes were looked at whole; null: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) verified_at: Option<UtcMs>,
    /// Which look that was: `push`, `poll` or `view`.
    pub(crate) source: &'static str,
    /// It could not be verified now: the answer may lack what came since.
    pub(crate) stale: bool,
}

/// What is known of looks.
#[derive(Debug, Default)]
pub(crate) struct Freshness {}

/// Looks for new mail, for a view.
pub(crate) async fn look(shared: &Shared) -> Result<Mailbox, ApiError> {
    let rows = shared
        .store
        .read(|r| r.accounts())
        .await
        .map_err(|e: crate::store::StoreError| ApiError::from(e))?;
    let names = &shared.settings.account_names;
    let verified_at = rows
        .iter()
        .filter(|row| names.contains(&row.name))
        .map(|row| row.looked_at)
        .min()
        .flatten();
    let fresh = shared.settings.listen.fresh();
    Ok(Mailbox {
        verified_at,
        source: "poll",
        stale: verified_at.is_none_or(|at| time::now().since(at) > fresh),
    })
}
