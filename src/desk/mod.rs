//! What people do with what replyd left to them: drafts are edited, approved and rejected, and the
//! class of a reply is put right. Commands, and whoever else speaks for a person, call these
//! functions; each is one transaction, and says in words why it does not do what was asked.

mod approve;
mod labels;
mod objections;
mod text;
mod threads;

use std::sync::Arc;

pub use approve::{Approval, Approved, Recipient, View};
pub use labels::{Labelled, export_answers, export_rows};
pub use objections::{Objection, Remark};
pub use text::{Edit, MAX_TEXT_BYTES};
pub use threads::{Moved, OwnAnswer};

use crate::config::Settings;
use crate::keys::Keys;
use crate::model::{DraftId, DraftState};
use crate::reply::compose::ComposeError;
use crate::store::{Decision, DraftRow, Store, StoreError, Tx};
use crate::time::UtcMs;
use crate::wake::Doorbell;

/// Why what a person asked for was not done. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// No such draft.
    #[error("Draft {0} not found: `replyd drafts list --all` shows them")]
    NotFound(DraftId),
    /// Somebody, or the course of events, was first.
    #[error("{}", decided(.0))]
    Decided(Box<DraftRow>),
    /// The text was changed since it was looked at.
    #[error("Draft {0} was changed meanwhile: look at it again")]
    Changed(DraftId),
    /// It is only a frame.
    #[error(
        "Draft {0} wants text: a person has to write in it first (`replyd drafts edit {0}`, or --file)"
    )]
    WantsText(DraftId),
    /// An edit that cannot be a mail.
    #[error("{0}")]
    Text(&'static str),
    /// The reply came from an address that is not the lead's.
    #[error(
        "The reply came from another address than the lead's: say to whom the answer goes, `--to lead` or `--to sender`"
    )]
    WhichRecipient,
    /// Something stands against it.
    #[error("{}", against(.0))]
    Against(Vec<Objection>),
    /// The account is not in the settings.
    #[error("Account {0} is not in the settings, or wrong there: see `replyd config check`")]
    NoAccount(String),
    /// A label that makes no sense.
    #[error("{0}")]
    Label(String),
    /// The mail cannot be built.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// No random numbers for a Message-ID.
    #[error("No random numbers: {0}")]
    Random(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of a draft, in a sentence.
fn decided(d: &DraftRow) -> String {
    let mut text = format!("Draft {} is {} already", d.id, d.state);
    if !d.decided_by.is_empty() {
        text.push_str(&format!(" by {}", d.decided_by));
    }
    if let Some(at) = d.decided_at {
        text.push_str(&format!(", since {}", at.rfc3339()));
    }
    if !d.decision.is_empty() {
        text.push_str(&format!(": {}", d.decision));
    }
    if let Some((mail, state)) = &d.mail {
        text.push_str(&format!("; it is mail {mail}, {state}"));
    }
    text
}

fn against(objections: &[Objection]) -> String {
    let lines: Vec<String> = objections.iter().map(ToString::to_string).collect();
    format!("Not sent: {}", lines.join("\nNot sent: "))
}

/// The desk at which people work.
#[derive(Clone, Debug)]
pub struct Desk {
    store: Store,
    settings: Arc<Settings>,
    keys: Arc<Keys>,
    outbox: Doorbell,
}

impl Desk {
    /// A desk that rings `outbox` after a mail was queued.
    #[must_use]
    pub fn new(store: Store, settings: Arc<Settings>, keys: Arc<Keys>, outbox: Doorbell) -> Self {
        Self {
            store,
            settings,
            keys,
            outbox,
        }
    }

    /// Takes over a person's text of an open draft. With `version`, only if nobody changed it since.
    ///
    /// # Errors
    /// [`DeskError`], in words.
    pub async fn edit(
        &self,
        id: DraftId,
        edit: Edit,
        version: Option<i64>,
        by: &str,
        now: UtcMs,
    ) -> Result<DraftRow, DeskError> {
        let by = by.to_owned();
        self.store
            .write(move |tx| {
                let draft = open(tx, id, version)?;
                text::apply(tx, &draft, &edit, &by, now)?;
                tx.draft_row(id)?.ok_or(DeskError::NotFound(id))
            })
            .await
    }

    /// A person does not want it sent.
    ///
    /// # Errors
    /// [`DeskError`], in words.
    pub async fn reject(
        &self,
        id: DraftId,
        reason: &str,
        by: &str,
        now: UtcMs,
    ) -> Result<(), DeskError> {
        let (by, reason) = (by.to_owned(), text::one_line(reason));
        self.store
            .write(move |tx| {
                open(tx, id, None)?;
                let decision = Decision {
                    state: DraftState::Rejected,
                    by: &by,
                    why: &reason,
                    mail: None,
                };
                Ok(tx.decide_draft(id, &decision, now)?)
            })
            .await
    }

    /// Lets a draft wait again that was closed, or whose mail did not leave.
    ///
    /// # Errors
    /// [`DeskError`], in words.
    pub async fn reopen(&self, id: DraftId) -> Result<(), DeskError> {
        self.store
            .write(move |tx| {
                let draft = tx.draft_row(id)?.ok_or(DeskError::NotFound(id))?;
                if draft.state == DraftState::Open {
                    return Err(DeskError::Text("It is open: it waits already"));
                }
                match tx.reopen_draft(id) {
                    Err(StoreError::Stale(_)) => Err(DeskError::Decided(Box::new(draft))),
                    done => Ok(done?),
                }
            })
            .await
    }
}

/// The draft, if it waits and is as it was looked at.
fn open(tx: &Tx<'_>, id: DraftId, version: Option<i64>) -> Result<DraftRow, DeskError> {
    let draft = tx.draft_row(id)?.ok_or(DeskError::NotFound(id))?;
    if draft.state != DraftState::Open {
        return Err(DeskError::Decided(Box::new(draft)));
    }
    if version.is_some_and(|v| v != draft.version) {
        return Err(DeskError::Changed(id));
    }
    Ok(draft)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod threads_tests;
