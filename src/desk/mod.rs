//! What people do with what replyd left to them: drafts are edited, approved and rejected, and the
//! class of a reply is put right. Commands, and whoever else speaks for a person, call these
//! functions; each is one transaction, and says in words why it does not do what was asked.

mod approve;
mod labels;
mod objections;
mod text;
mod threads;

use std::sync::Arc;
use std::time::Duration;

pub use approve::{Approval, Approved, Recipient, View};
pub use labels::{Labelled, export_answers, export_rows};
pub use objections::{Objection, Remark};
pub use text::{Edit, MAX_TEXT_BYTES};
pub use threads::{Moved, OwnAnswer};

use crate::config::Settings;
use crate::keys::Keys;
use crate::model::{DraftId, DraftState};
use crate::reply::compose::ComposeError;
use crate::store::{Decision, DraftRow, NewEvent, Store, StoreError, Tx};
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
    /// Somebody changed the text a moment ago, and nothing says that it was looked at since.
    #[error(
        "Draft {draft} was changed at {} by {by}: look at it (`replyd drafts show {draft}`), then say `--version {version}`", at.rfc3339()
    )]
    Unseen {
        /// The draft.
        draft: DraftId,
        /// When it was changed.
        at: UtcMs,
        /// By whom.
        by: String,
        /// The version that stands there now.
        version: i64,
    },
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
                seen(&draft, version, &by, now)?;
                if text::apply(tx, &draft, &edit, &by, now)? {
                    tx.note_event(&NewEvent::changed(draft.campaign_lead_id, now))?;
                }
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
                let draft = open(tx, id, None)?;
                let decision = Decision {
                    state: DraftState::Rejected,
                    by: &by,
                    why: &reason,
                    mail: None,
                };
                tx.decide_draft(id, &decision, now)?;
                tx.note_event(&NewEvent::changed(draft.campaign_lead_id, now))?;
                Ok(())
            })
            .await
    }

    /// Lets a draft wait again that was closed, or whose mail did not leave, and notes who did.
    ///
    /// # Errors
    /// [`DeskError`], in words.
    pub async fn reopen(&self, id: DraftId, by: &str, now: UtcMs) -> Result<(), DeskError> {
        let by = by.to_owned();
        self.store
            .write(move |tx| {
                let draft = tx.draft_row(id)?.ok_or(DeskError::NotFound(id))?;
                if draft.state == DraftState::Open {
                    return Err(DeskError::Text("It is open: it waits already"));
                }
                match tx.reopen_draft(id, &by) {
                    Err(StoreError::Stale(_)) => return Err(DeskError::Decided(Box::new(draft))),
                    done => done?,
                }
                tx.note_event(&NewEvent::changed(draft.campaign_lead_id, now))?;
                Ok(())
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

/// What somebody else changed within this time was hardly seen by who names no version.
const FRESH: Duration = Duration::from_secs(3600);

/// Whether who speaks can have seen the text as it stands: he names its version, or nobody else
/// has changed it lately.
fn seen(draft: &DraftRow, version: Option<i64>, by: &str, now: UtcMs) -> Result<(), DeskError> {
    let Some(at) = draft.edited_at.filter(|at| now.since(*at) < FRESH) else {
        return Ok(());
    };
    if version.is_some() || draft.edited_by.as_deref() == Some(by) {
        return Ok(());
    }
    Err(DeskError::Unseen {
        draft: draft.id,
        at,
        by: match draft.edited_by.as_deref() {
            None => "replyd, which decided anew".to_owned(),
            Some("") => "somebody".to_owned(),
            Some(name) => name.to_owned(),
        },
        version: draft.version,
    })
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod threads_tests;
