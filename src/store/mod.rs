//! The only place with SQL. Public functions take and give types of `model` and plain data; no
//! rusqlite type leaves this folder. A second backend would take the same seat.
//!
//! Two r2d2 pools: one writer (every transaction is BEGIN IMMEDIATE: a deferred one that reads,
//! then writes, fails at once on a stale snapshot, whatever the busy time-out) and several
//! readers (`query_only`). All SQLite work runs in `spawn_blocking`, and a pooled connection is
//! taken inside it, because `Pool::get` blocks its thread. A closure that was started runs on
//! when its future is dropped: so each write is idempotent or guarded by the state it expects.

mod accounts;
mod agent;
mod alerts;
mod automation;
mod backup;
mod campaigns;
mod conversations;
mod corrections;
mod counts;
mod decided;
mod desk;
mod detach;
mod digest;
mod django;
mod documents;
mod drafts;
mod endpoint;
mod erase;
mod error;
mod events;
mod examine;
mod explain;
mod export;
#[cfg(test)]
pub(crate) mod fixture;
mod folders;
mod handled;
mod hooks;
mod leads;
mod lookups;
mod messages;
mod meta;
mod migrate;
mod oauth;
mod outbox;
mod paste;
mod pauses;
mod pending;
mod person;
mod poison;
mod presence;
mod push;
mod reconcile;
mod replay;
mod reply;
mod reported;
mod reports;
mod rules;
mod sent;
mod sessions;
mod standing;
mod states;
mod suppressions;
mod thread;
mod tokens;
mod trace;
mod trials;
mod unmatched;
mod views;

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use r2d2::Pool;
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::watch;
use tracing::trace;

use crate::model::EventId;

pub use accounts::{AccountRow, LoginPermit, NewEpoch};
pub use agent::{CampaignFacts, Followup, Line, Thread};
pub use alerts::{AlertNote, Incident, NewIncident, StrandedAlert, Told, WatchView};
pub use automation::{AutomationOff, AutomationScope, Released};
pub use backup::{Restored, backup_blocking, check_after_unclean_stop_blocking, restore_blocking};
pub use campaigns::{
    Campaign, CampaignChange, CampaignCounts, Mailing, Paused, RECIPIENT_FIELDS, Recipient,
    UnsubscribeTarget,
};
pub use conversations::{NewConversation, Speaker};
pub use corrections::{Correction, CorrectionRow, DraftEdit, MessageFacts};
pub use decided::ByPerson;
pub use desk::{DraftAsk, DraftFilter, DraftItem, DraftMail, SetAside};
pub use detach::Detached;
pub use digest::{DigestFailure, DigestItem, DigestWaiting};
pub use django::{DjangoCampaign, DjangoCampaignLead, DjangoLine, DjangoRow, Taken};
pub use documents::{DocumentRow, DocumentsFolder, DocumentsStamp, NewDocument, scratch};
pub use drafts::{Decision, DraftRow, NewDraft, Superseded};
pub use endpoint::Reading;
pub use erase::{Erasable, ErasedCounts, ErasureRow};
pub use error::StoreError;
pub use events::{Event, Events, NewEvent};
pub use examine::{Examined, Integrity, examine_blocking};
pub use explain::{
    DraftExplained, Explained, JobExplained, LabelExplained, MailExplained, ThreadName,
};
pub use export::{ExportFilter, ExportKind, ExportRow};
pub use folders::{FolderRow, FoldersKnown, Unfiled};
pub use handled::{JobMail, ReplyTrouble};
pub use hooks::{ClaimedDelivery, DeliveryEnd, DeliveryRow, HookFacts, HookFilter, HookStatus};
pub use leads::{KnownCounts, LeadKey, LeadRecord, LeadUpsert};
pub use lookups::{Asked, Lookups};
pub use messages::{Content, Matched, NewMessage, Place, Refetch, Stored};
pub use oauth::{NewTokens, OAuthRow, RefreshFailure, TokensLock};
pub use outbox::Overtaken;
pub use outbox::{
    Attempt, CLAIM_LEASE, CLAIM_RENEW, Claim, ClaimedMail, Handover, OutboxItem, OutboxPresence,
    OutboxStatus, PaceStatus, Passage, Recovered, Settlement, SmtpPause, Verdict,
};
pub use outbox::{CopyTold, OwnCopy};
pub use paste::{NewPaste, Pasted};
pub use pauses::LeadPause;
pub use pending::PendingLine;
pub use person::{Continues, PersonMail, TakenOver, ThreadWith};
pub use poison::Poison;
pub use presence::ReaderPresence;
pub use push::PushHealth;
pub use reconcile::{Proof, Quarantined};
pub use replay::{NewDecision, Recorded, RecordedJob};
pub use reply::{ClaimedJob, JobOutcome, ReplyCounts};
pub use reported::{ReportedLead, ReportedSent};
pub use reports::NoticeBounce;
pub use rules::CampaignRules;
pub use sent::{Change, NewSent, SentUpsert};
pub use sessions::SessionRow;
pub use standing::{ReplyMail, Standing};
pub use states::AccountIs;
pub use suppressions::Suppression;
pub use thread::{AutomaticMails, JobContext, MatchedSent, ThreadContext, Windows, full_phone};
pub use tokens::{NewToken, TokenRow};
pub use trace::Trace;
pub use trials::ReplyAddressTrial;
pub use unmatched::{Proposal, Taught, Unmatched};
pub use views::{
    AttachmentItem, Capture, CaptureTime, Counts, DayCounts, DeskMark, Hit, InboxAsk, InboxCounts,
    InboxPlace, InboxRow, InboxState, LeadAsk, LeadItem, LeadLine, LeadThread, MOST_HITS, MailItem,
    MessageAsk, MessageItem, Quantiles, Statistics, StatisticsAsk, StoredMail, ThreadHead,
    ThreadLine, ThreadMail, ThreadOurs, ThreadPage, ThreadPart, ThreadRef, pieces,
};

/// Waiting for another process's transaction: long enough for a batch on a slow disk.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Waiting for a pooled connection of this process.
const POOL_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections for reading; SQLite readers do not block the writer in WAL mode.
const READERS: u32 = 4;
/// Prepared statements kept by each connection: more than there are. The default of 16 is less
/// than a mail's way through the tables takes.
const STATEMENTS: usize = 256;
/// 4 KiB measured best for one reply (docs/ARCHITECTURE.md); cannot change in WAL mode.
const PAGE_SIZE: u32 = 4096;

/// Handle to the database; clones share the pools.
#[derive(Clone, Debug)]
pub struct Store(Arc<Pools>);

#[derive(Debug)]
struct Pools {
    path: PathBuf,
    writer: Pool<SqliteConnectionManager>,
    readers: Pool<SqliteConnectionManager>,
    /// The newest event that is known to be committed.
    events: watch::Sender<EventId>,
}

/// A connection for reading; its methods are spread over the files of this folder.
#[derive(Debug)]
pub struct Reader<'c> {
    conn: &'c Connection,
}

/// An open write transaction: all that a [`Reader`] can, and writing. Committed when the
/// closure given to [`Store::write`] returns `Ok`, rolled back otherwise.
#[derive(Debug)]
pub struct Tx<'c> {
    reader: Reader<'c>,
}

impl<'c> Deref for Tx<'c> {
    type Target = Reader<'c>;
    fn deref(&self) -> &Reader<'c> {
        &self.reader
    }
}

impl Store {
    /// Opens the database, creates or migrates it. Blocking: SQLite and file system.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] when a newer replyd wrote it; otherwise what SQLite says.
    pub fn open_blocking(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| StoreError::folder(folder, &e))?;
        }
        private_file(path)?;
        let mut first = Connection::open(path)?;
        first.busy_timeout(BUSY_TIMEOUT)?;
        migrate::bring_up_to_date(&mut first, path)?;
        let newest = events::newest(&first)?.unwrap_or(EventId(0));
        drop(first);
        let writer = Pool::builder()
            .max_size(1)
            .connection_timeout(POOL_TIMEOUT)
            // A file does not go stale: its cache and its statements are kept.
            .max_lifetime(None)
            .idle_timeout(None)
            .build(SqliteConnectionManager::file(path).with_init(|c| {
                c.busy_timeout(BUSY_TIMEOUT)?;
                c.set_prepared_statement_cache_capacity(STATEMENTS);
                c.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
            }))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let readers = Pool::builder()
            .max_size(READERS)
            .min_idle(Some(0))
            .connection_timeout(POOL_TIMEOUT)
            .build(
                SqliteConnectionManager::file(path)
                    .with_flags(flags)
                    .with_init(|c| {
                        c.busy_timeout(BUSY_TIMEOUT)?;
                        c.set_prepared_statement_cache_capacity(STATEMENTS);
                        c.execute_batch("PRAGMA query_only = ON;")
                    }),
            )?;
        Ok(Self(Arc::new(Pools {
            path: path.to_owned(),
            writer,
            readers,
            events: watch::Sender::new(newest),
        })))
    }

    /// As [`Store::open_blocking`], off the async threads.
    ///
    /// # Errors
    /// As there.
    pub async fn open(path: PathBuf) -> Result<Self, StoreError> {
        blocking(move || Self::open_blocking(&path)).await
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Rings (changes its value) after each commit that noted an event: the newest event. Events of
    /// other processes are seen when somebody looks ([`Store::look_for_events`]).
    #[must_use]
    pub fn events_bell(&self) -> watch::Receiver<EventId> {
        self.0.events.subscribe()
    }

    /// Rings [`Store::events_bell`] when another process noted an event. Looks only while somebody
    /// listens.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn look_for_events(&self) -> Result<(), StoreError> {
        if self.0.events.receiver_count() == 0 {
            return Ok(());
        }
        let newest = self.read(|r| r.last_event()).await?;
        events::ring(&self.0.events, newest);
        Ok(())
    }

    /// Runs `f` on a reading connection.
    ///
    /// # Errors
    /// What `f` returns, or what taking the connection met.
    pub async fn read<T, E, F>(&self, f: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Reader<'_>) -> Result<T, E> + Send + 'static,
    {
        let pools = Arc::clone(&self.0);
        blocking(move || {
            let conn = pools.readers.get().map_err(StoreError::from)?;
            f(&Reader { conn: &conn })
        })
        .await
    }

    /// Runs `f` in one BEGIN IMMEDIATE transaction and commits it (synchronous=FULL: durable
    /// when this returns) if `f` returns `Ok`.
    ///
    /// # Errors
    /// What `f` returns (rolled back), or what taking the connection or the commit met. When
    /// the commit itself fails nothing was written.
    pub async fn write<T, E, F>(&self, f: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let pools = Arc::clone(&self.0);
        blocking(move || {
            let conn = pools.writer.get().map_err(StoreError::from)?;
            commit(&conn, true, &pools.events, f)
        })
        .await
    }

    /// As [`Store::write`], without waiting for the disk: other processes see it, and it outlives
    /// the process, but a loss of power may take it back, until the next [`Store::write`] takes it
    /// to the disk as well. For the booking of an attempt, after which nothing has happened yet: what
    /// is taken back is due again.
    ///
    /// # Errors
    /// As there.
    pub async fn book<T, E, F>(&self, f: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let pools = Arc::clone(&self.0);
        blocking(move || {
            let conn = pools.writer.get().map_err(StoreError::from)?;
            let _durable_again = Booking::begin(&conn)?;
            commit(&conn, false, &pools.events, f)
        })
        .await
    }
}

/// The writer does not wait for the disk while this lives.
struct Booking<'c>(&'c Connection);

impl<'c> Booking<'c> {
    fn begin(conn: &'c Connection) -> Result<Self, StoreError> {
        conn.execute_batch("PRAGMA synchronous = NORMAL")?;
        Ok(Self(conn))
    }
}

impl Drop for Booking<'_> {
    fn drop(&mut self) {
        // The statement touches no file, so it fails for want of memory at most.
        if let Err(error) = self.0.execute_batch("PRAGMA synchronous = FULL") {
            tracing::error!(%error, "The next commits may not wait for the disk");
        }
    }
}

fn commit<T, E>(
    conn: &Connection,
    durable: bool,
    bell: &watch::Sender<EventId>,
    f: impl FnOnce(&Tx<'_>) -> Result<T, E>,
) -> Result<T, E>
where
    E: From<StoreError>,
{
    let transaction = Transaction::new_unchecked(conn, TransactionBehavior::Immediate)
        .map_err(StoreError::from)?;
    let before = transaction.total_changes();
    let done = f(&Tx {
        reader: Reader { conn: &transaction },
    })?;
    // One that changes nothing waits for nothing.
    let changed = transaction.total_changes() != before;
    let durable = durable && changed;
    let newest = if changed {
        events::newest(&transaction)?
    } else {
        None
    };
    let began = Instant::now();
    transaction.commit().map_err(StoreError::from)?;
    let took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    trace!(took_us, durable, "transaction committed");
    if let Some(newest) = newest {
        events::ring(bell, newest);
    }
    Ok(done)
}

/// The database holds mail and addresses: only its owner reads it. SQLite gives its side files
/// the same mode.
fn private_file(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt;
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(_) => Ok(()),
        // SQLite would open what it cannot write for reading, and fail later with fewer words.
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            let writable = std::fs::OpenOptions::new().write(true).open(path);
            writable.map(drop).map_err(|e| StoreError::folder(path, &e))
        }
        Err(e) => Err(StoreError::folder(path, &e)),
    }
}

/// Runs blocking work; a panic inside it becomes an error, not a lost task.
async fn blocking<T, E, F>(f: F) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: FnOnce() -> Result<T, E> + Send + 'static,
{
    match tokio::task::spawn_blocking(f).await {
        Ok(result) => result,
        Err(join) => Err(StoreError::Panicked(join.to_string()).into()),
    }
}
