//! One captured mail, read from its mailbox because a person asks for it: on a connection of its
//! own beside the listener's, which goes on to wait. What is read is given to the asker and kept
//! nowhere.
//!
//! The connection is kept for a short while, so that who opens one file after another costs one
//! sign-in of the account's few.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::{Ended, Listener};
use crate::imap::{FetchWhat, ImapError, Session, Step};
use crate::mime;
use crate::msgid::MsgId;
use crate::store::StoreError;
use crate::time::{self, UtcMs};

/// An unused connection is kept so long.
const KEEP: Duration = Duration::from_secs(90);
/// A token that ends sooner opens no further mail.
const TOKEN_LEFT: Duration = Duration::from_secs(30);
/// A kept connection that does not answer within this is replaced.
const ANSWERS: Duration = Duration::from_secs(5);
/// A command of a new one, or a MiB, comes within this, or the server counts as silent: somebody
/// waits.
const SILENT: Duration = Duration::from_secs(20);
/// A mail larger than is read: still its beginning.
const BEGINNING: usize = 1024 * 1024;
/// One further fetch.
const PIECE: u32 = 1024 * 1024;
/// Folders that are searched for a mail that has moved.
const FOLDERS: usize = 6;
/// Mails with one Message-ID that are looked at.
const SAME_ID: usize = 3;

/// Where a mail lay when it was captured.
#[derive(Clone, Debug)]
pub struct MailPlace {
    /// The folder, UTF-8.
    pub mailbox: String,
    /// Its UIDVALIDITY then.
    pub uid_validity: u32,
    /// The mail's UID.
    pub uid: u32,
    /// By which it is looked for where it lies there no more.
    pub message_id: Option<MsgId>,
    /// Further folders of the account.
    pub others: Vec<String>,
}

/// Why a mail could not be read.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The connection, the sign-in or the store.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// It is in none of the folders.
    #[error("The mail is no longer in the mailbox")]
    Gone,
    /// Its size, in bytes.
    #[error("The mail has {0} bytes")]
    TooLarge(u64),
}

impl From<ImapError> for MailError {
    fn from(e: ImapError) -> Self {
        Self::Ended(e.into())
    }
}

impl From<StoreError> for MailError {
    fn from(e: StoreError) -> Self {
        Self::Ended(e.into())
    }
}

/// What is asked of the bytes that are here: the answer, or none as long as more are needed. Told
/// whether they are the whole mail. Runs where it may block.
pub type Enough<T> = Arc<dyn Fn(&[u8], bool) -> Option<T> + Send + Sync>;

/// Reads mails of one account, one after another.
#[derive(Debug)]
pub struct MailReader {
    listener: Listener,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    session: Option<(Session, Option<UtcMs>)>,
    used: Option<Instant>,
    /// Somebody waits to close it.
    is_watched: bool,
}

/// A mail that was found.
struct Found {
    uid: u32,
    size: u64,
    bytes: Vec<u8>,
}

impl MailReader {
    /// For the account of `listener`, which need not run.
    #[must_use]
    pub fn new(listener: Listener) -> Self {
        Self {
            listener,
            kept: Arc::default(),
        }
    }

    /// The account's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.listener.name()
    }

    /// Reads a mail from its beginning on until `enough` answers; none: it never did. A mail of
    /// more than `limit` bytes is not read, but for its first MiB, which may be enough. A sign-in
    /// that must wait for the account's budget is waited for up to `patience`.
    ///
    /// The caller sets the deadline: this may be dropped at any time.
    ///
    /// # Errors
    /// [`MailError`].
    pub async fn read<T: Send + 'static>(
        &self,
        place: &MailPlace,
        limit: usize,
        patience: Duration,
        enough: Enough<T>,
    ) -> Result<Option<T>, MailError> {
        let mut kept = self.kept.lock().await;
        let usable = |(session, ends): &(Session, Option<UtcMs>)| {
            !session.is_broken() && ends.is_none_or(|at| at.since(time::now()) > TOKEN_LEFT)
        };
        let (mut got, mut open) = (None, None);
        if let Some((mut session, ends)) = kept.session.take().filter(usable) {
            // A connection that nobody used for a while may have ended meanwhile.
            let lives = matches!(timeout(ANSWERS, session.noop()).await, Ok(Ok(())));
            if lives {
                let read = read_in(&mut session, place, limit, &enough).await;
                if !session.is_broken() {
                    (got, open) = (Some(read), Some((session, ends)));
                }
            }
        }
        let got = match got {
            Some(got) => got,
            None => {
                let (mut session, ends) = self.connect(patience).await?;
                let read = read_in(&mut session, place, limit, &enough).await;
                open = Some((session, ends));
                read
            }
        };
        kept.session = open.filter(|(session, _)| !session.is_broken());
        kept.used = Some(Instant::now());
        if kept.session.is_some() && !kept.is_watched {
            kept.is_watched = true;
            drop(tokio::spawn(close_unused(Arc::clone(&self.kept))));
        }
        got
    }

    async fn connect(&self, patience: Duration) -> Result<(Session, Option<UtcMs>), MailError> {
        match self.listener.connect().await {
            Err(Ended::NotBefore(at)) => {
                let wait = at.since(time::now());
                if wait > patience {
                    return Err(Ended::NotBefore(at).into());
                }
                tokio::time::sleep(wait).await;
                Ok(self.listener.connect().await?)
            }
            other => Ok(other?),
        }
    }
}

/// Says good-bye when nobody has asked for a while.
async fn close_unused(kept: Arc<Mutex<Kept>>) {
    let mut wait = KEEP;
    loop {
        tokio::time::sleep(wait).await;
        let mut kept = kept.lock().await;
        let unused = kept.used.map_or(KEEP, |at| at.elapsed());
        if unused >= KEEP || kept.session.is_none() {
            kept.is_watched = false;
            if let Some((mut session, _)) = kept.session.take() {
                session.logout().await;
            }
            return;
        }
        wait = KEEP.saturating_sub(unused);
    }
}

async fn read_in<T: Send + 'static>(
    session: &mut Session,
    place: &MailPlace,
    limit: usize,
    enough: &Enough<T>,
) -> Result<Option<T>, MailError> {
    let found = find(session, place).await?.ok_or(MailError::Gone)?;
    let is_large = found.size > u64::try_from(limit).unwrap_or(u64::MAX);
    let until = if is_large { BEGINNING } else { limit };
    let (uid, mut bytes, mut is_all) = (found.uid, found.bytes, false);
    // Asked again whenever there is four times as much: that is linear in the whole.
    let mut ask_at = bytes.len();
    loop {
        is_all |= u64::try_from(bytes.len()).unwrap_or(u64::MAX) >= found.size && !is_large;
        if bytes.len() >= ask_at || is_all || bytes.len() >= until {
            let (ask, all) = (Arc::clone(enough), is_all);
            let asked = tokio::task::spawn_blocking(move || {
                let answer = ask(&bytes, all);
                (bytes, answer)
            });
            let answer;
            (bytes, answer) = asked.await.map_err(|_| ImapError::Broken)?;
            if answer.is_some() || is_all {
                return Ok(answer);
            }
            if bytes.len() >= until {
                return Err(MailError::TooLarge(found.size.max(as_u64(bytes.len()))));
            }
            ask_at = bytes.len().saturating_mul(4);
        }
        let room = u32::try_from(until.saturating_sub(bytes.len())).unwrap_or(PIECE);
        let offset = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let piece = within(
            Step::Fetch,
            session.fetch_more(uid, offset, room.min(PIECE)),
        )
        .await?;
        // Sizes that servers tell are off by some: the end is where nothing more comes.
        is_all = piece.is_empty();
        bytes.extend_from_slice(&piece);
    }
}

fn as_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// The mail by its UID; else by its Message-ID, there and in the other folders, once each.
async fn find(session: &mut Session, place: &MailPlace) -> Result<Option<Found>, MailError> {
    if open(session, &place.mailbox).await? == Some(place.uid_validity)
        && let Some(found) = fetch(session, place.uid).await?
    {
        return Ok(Some(found));
    }
    let Some(id) = &place.message_id else {
        return Ok(None);
    };
    let others = place.others.iter().filter(|name| **name != place.mailbox);
    for folder in std::iter::once(&place.mailbox).chain(others).take(FOLDERS) {
        if open(session, folder).await?.is_none() {
            continue;
        }
        let uids = match within(Step::Search, session.search_message_id(id.as_str())).await {
            Err(e) if e.leaves_session_usable() => continue,
            uids => uids?,
        };
        for uid in uids.into_iter().rev().take(SAME_ID) {
            let found = fetch(session, uid).await?;
            if let Some(found) = found
                && mime::parse(&found.bytes).message_id.as_ref() == Some(id)
            {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

/// Its UIDVALIDITY; none: there is no such folder any more.
async fn open(session: &mut Session, folder: &str) -> Result<Option<u32>, MailError> {
    match within(Step::Examine, session.examine(folder)).await {
        Ok(examined) => Ok(Some(examined.uid_validity)),
        Err(e) if e.leaves_session_usable() => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// With a deadline of our own: the session's are made for who waits for nobody.
async fn within<T>(
    step: Step,
    command: impl Future<Output = Result<T, ImapError>>,
) -> Result<T, ImapError> {
    let ended = timeout(SILENT, command).await;
    ended.unwrap_or(Err(ImapError::Timeout { step }))
}

async fn fetch(session: &mut Session, uid: u32) -> Result<Option<Found>, MailError> {
    within(Step::Fetch, prefix(session, uid))
        .await
        .map_err(Into::into)
}

async fn prefix(session: &mut Session, uid: u32) -> Result<Option<Found>, ImapError> {
    let mut fetch = session.fetch_list(&[uid], FetchWhat::Prefix).await?;
    let mut found = None;
    while let Some(message) = fetch.next().await? {
        let size = u64::from(message.size.unwrap_or(0));
        found = message.body.map(|bytes| Found {
            uid,
            size: size.max(as_u64(bytes.len())),
            bytes,
        });
    }
    Ok(found)
}
