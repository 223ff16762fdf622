//! What the handlers share.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::attachments;
use super::attempts::Attempts;
use super::error::ApiError;
use super::events;
use super::feed::Feed;
use super::freshness::Freshness;
use super::health::HealthKept;
use super::metrics::Counted;
use crate::config::Settings;
use crate::desk::Desk;
use crate::keys::Keys;
use crate::model::{AccountId, CampaignLeadId, ConversationId};
use crate::status::Board;
use crate::store::{AttachmentItem, Reader, Store, StoreError, StoredMail, Tx};
use crate::time::UtcMs;
use crate::wake::Doorbell;

/// A future behind a trait object.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a check of the mailboxes did: the predecessor's numbers.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Messages looked at that were new.
    pub processed: u64,
    /// Replies among them.
    pub new_replies: u64,
    /// Messages of a mailbox that another process reads, which that has not stored yet.
    pub ahead: u64,
    /// What went wrong, in words; at most ten.
    pub errors: Vec<String>,
    /// No account could be looked at.
    pub failed: bool,
}

/// What was made of a pasted reply.
#[derive(Clone, Debug)]
pub struct PastedReply {
    /// The text that waits for a person; empty: a person has to write it.
    pub response: String,
    /// How it was made.
    pub tool_used: String,
    /// The line of the pasted reply.
    pub conversation_id: ConversationId,
    /// When.
    pub at: UtcMs,
}

/// Why a file of a mail was not fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotFetched {
    /// The mail is no longer in the mailbox.
    Gone,
    /// The mail has no such file.
    Missing,
    /// The mail, or the file, in bytes.
    TooLarge(u64),
    /// The settings have no such account any more.
    NotListed,
    /// The account's sign-ins are used up for so long.
    Later(Duration),
    /// The server cannot be reached, or refuses; the log says more.
    Away,
    /// It took too long.
    Late,
    /// A failure of ours.
    Failed(String),
}

/// What the composition root does for the handlers, which know neither listeners nor the actor.
pub trait Engine: fmt::Debug + Send + Sync {
    /// Looks through the last `days` of every mailbox, as `replyd check` does.
    fn check(&self, days: u32) -> Boxed<'_, anyhow::Result<Checked>>;

    /// Takes in a text as a reply of this lead, and lets the actor read it.
    fn paste(&self, thread: CampaignLeadId, text: String)
    -> Boxed<'_, anyhow::Result<PastedReply>>;

    /// Fetches one file of a mail from its mailbox; nothing of it is stored. The caller sets the
    /// deadline.
    fn attachment(
        &self,
        mail: StoredMail,
        file: AttachmentItem,
    ) -> Boxed<'_, Result<Vec<u8>, NotFetched>>;

    /// Reads a mail to its end, and tells which files it has.
    fn attachments(&self, mail: StoredMail) -> Boxed<'_, Result<Vec<AttachmentItem>, NotFetched>>;
}

/// What a server is made of.
#[derive(Debug)]
pub struct Parts {
    /// The store.
    pub store: Store,
    /// The settings.
    pub settings: Arc<Settings>,
    /// The keys of this installation.
    pub keys: Arc<Keys>,
    /// Where people work on drafts and labels.
    pub desk: Desk,
    /// Looks at mailboxes, and answers replies.
    pub engine: Arc<dyn Engine>,
    /// What the listeners of this process know.
    pub board: Board,
    /// Each account with the bell that makes its listener look.
    pub bells: Vec<(AccountId, Doorbell)>,
    /// Rung after mails were queued.
    pub outbox: Doorbell,
    /// No token is asked for: the demo, on loopback.
    pub open: bool,
}

/// What the handlers share, as `State<Arc<Shared>>`.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The store.
    pub(crate) store: Store,
    /// The settings.
    pub(crate) settings: Arc<Settings>,
    /// The keys of this installation.
    pub(crate) keys: Arc<Keys>,
    /// Where people work on drafts and labels.
    pub(crate) desk: Desk,
    /// Looks at mailboxes, and answers replies.
    pub(crate) engine: Arc<dyn Engine>,
    /// Rings the listeners, and knows what was verified.
    pub(crate) freshness: Freshness,
    /// Rung after mails were queued.
    pub(crate) outbox: Doorbell,
    /// No token is asked for: the demo, on loopback.
    pub(crate) open: bool,
    /// Who tries to sign in.
    pub(super) sign_ins: Attempts,
    /// Who unsubscribes.
    pub(super) unsubscribes: Attempts,
    /// The last answer of /health.
    pub(super) health: HealthKept,
    /// Places for those who listen to events.
    pub(super) listeners: Arc<Semaphore>,
    /// Places for files on their way from a mailbox to who asked.
    pub(super) fetches: Arc<Semaphore>,
    /// What they are told.
    pub(super) feed: Feed,
    /// What /metrics counts.
    pub(super) metrics: Counted,
    /// The process stops.
    pub(super) stop: CancellationToken,
}

impl Shared {
    pub(super) fn new(parts: Parts, stop: CancellationToken) -> Self {
        let Parts {
            store,
            settings,
            keys,
            desk,
            engine,
            board,
            bells,
            outbox,
            open,
        } = parts;
        let feed = Feed::new(*store.events_bell().borrow(), events::words);
        let (limit, fresh) = (settings.web.view_check, settings.listen.fresh());
        Self {
            store,
            settings,
            keys,
            desk,
            engine,
            freshness: Freshness::new(board, bells, limit, fresh),
            outbox,
            open,
            // A secret of 256 bits is not guessed: this bounds the load.
            sign_ins: Attempts::new(10, 300, Duration::from_secs(600)),
            unsubscribes: Attempts::new(30, 3000, Duration::from_secs(60)),
            health: HealthKept::default(),
            listeners: Arc::new(Semaphore::new(events::CLIENTS)),
            fetches: Arc::new(Semaphore::new(attachments::AT_ONCE)),
            feed,
            metrics: Counted::default(),
            stop,
        }
    }

    /// Reads the store for a handler: what fails is what the caller is told.
    pub(super) async fn read<T, F>(&self, f: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&Reader<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        Ok(self.store.read(f).await?)
    }

    /// Writes for a handler, in one transaction, as [`Store::write`] does.
    pub(super) async fn write<T, F>(&self, f: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        Ok(self.store.write(f).await?)
    }

    /// The same for a note that a loss of power may take back: [`Store::book`].
    pub(super) async fn book<T, F>(&self, f: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        Ok(self.store.book(f).await?)
    }
}
