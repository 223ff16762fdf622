//! What a reply asks of the campaign's documents, and why a step may fail.

use super::classify::{ClassifyError, Verdict};
use super::compose::ComposeError;
use super::policy::Grounds;
use super::templates::TemplateError;
use crate::answers::Found;
use crate::model::{CampaignId, Intent};
use crate::store::{JobContext, StoreError};
use crate::visible;

/// Why a step did not succeed. Names no address and quotes no mail.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Classify(#[from] ClassifyError),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Compose(#[from] ComposeError),
    #[error(
        "Account {0} is no longer configured: add it again, then run `replyd process`, or close the reply with `replyd process MESSAGE --close`"
    )]
    NoAccount(String),
    #[error("No random numbers: {0}")]
    Random(String),
    #[error("Given up after {0} attempts")]
    GivenUp(u32),
}

impl StepError {
    /// Whether the same step may succeed later without anybody's help.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Store(e) => {
                e.is_transient() || matches!(e, StoreError::Sqlite(_) | StoreError::Panicked(_))
            }
            Self::Random(_) => true,
            Self::Classify(_)
            | Self::Template(_)
            | Self::Compose(_)
            | Self::NoAccount(_)
            | Self::GivenUp(_) => false,
        }
    }

    /// Whether the store is in trouble, and not only this mail.
    pub(super) fn is_the_stores(&self) -> bool {
        matches!(self, Self::Store(e) if !matches!(e, StoreError::Invalid(_)))
    }
}

/// What is looked for in the campaign's documents: the newly written text of a question.
pub(super) fn asked(c: &JobContext, verdict: &Verdict) -> Option<(CampaignId, String)> {
    let t = c.thread.as_ref()?;
    let text = visible::own_words(&c.visible_text, c.visible_quoted);
    (verdict.intent == Intent::Question).then_some((t.campaign_id, text))
}

/// What the documents say, for the decision.
pub(super) fn grounds(found: Option<&Found>) -> Grounds {
    match found.map(|f| &f.answered) {
        None => Grounds::None,
        Some(a) if a.passes() => {
            let used = a.citations().into_iter().filter(|c| c.used);
            Grounds::Passed(used.map(|c| c.place()).collect())
        }
        Some(a) => Grounds::Below(a.against.clone()),
    }
}
