//! The folders beside the idling mailbox: which there are, how they stand, and reading those that
//! moved. All of it happens in the poll pause on the one connection of the account; the idling
//! mailbox is asked first and stays open while the others are merely asked how they stand.
//!
//! The trouble of one folder is its own: it is left alone for a while, and the account is shown
//! as degraded. None can hold up the idling mailbox for longer than a slice.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use super::look::{How, Looked};
use super::{Ended, Listener};
use crate::capture::Report;
use crate::config::FolderChoice;
use crate::imap::{Examined, GlanceError, ImapError, Session, Status};
use crate::model::{CaptureSource, FilesSent, FolderRole, Lease};
use crate::store::{FolderRow, Poison, StoreError};
use crate::time::{self, UtcMs};

/// The server is asked which folders it has this often; people make and rename them.
const FIND_EVERY: Duration = Duration::from_secs(24 * 3600);
/// And again this soon after a search that did not end well.
const FIND_AGAIN: Duration = Duration::from_secs(600);
/// Reading one folder gives way to the idling mailbox after this.
const SLICE: Duration = Duration::from_secs(2);
/// At the start of a session the Sent folder may take this long: an answer to what came meanwhile
/// must not cross a person's.
const SENT_SLICE: Duration = Duration::from_secs(20);
/// A STATUS that takes longer than this…
const SLOW_STATUS: Duration = Duration::from_secs(1);
/// …is asked for again only after so many times as long.
const SLOW_FACTOR: u32 = 30;
/// A folder of which the server tells no UIDNEXT has to be opened to be looked at.
const NO_UIDNEXT_REST: Duration = Duration::from_secs(300);
/// A folder that ended a session is left alone for so long, doubled each time…
const REST_FIRST: Duration = Duration::from_secs(60);
/// …up to this.
const REST_LONGEST: Duration = Duration::from_secs(3600);

/// The folders of an account.
#[derive(Clone, Debug)]
pub(super) struct Folders {
    /// The one that idles.
    pub(super) idle: FolderRow,
    /// The others that are looked at.
    pub(super) others: Vec<FolderRow>,
    /// Whether the provider files what is sent by the account's SMTP server.
    pub(super) files_sent: FilesSent,
}

impl Folders {
    /// The Sent folder.
    pub(super) fn sent(&self) -> Option<&FolderRow> {
        self.others.iter().find(|f| f.role == FolderRole::Sent)
    }

    /// Every folder in which replies are looked for, the idling one first.
    pub(super) fn with_replies(&self) -> impl Iterator<Item = &FolderRow> {
        let others = self.others.iter().filter(|f| f.role != FolderRole::Sent);
        std::iter::once(&self.idle).chain(others)
    }

    /// Whether a folder ended a session lately.
    pub(super) fn failing(&self) -> bool {
        self.others.iter().any(|f| f.failures > 0)
    }
}

/// What a visit found.
#[derive(Debug, Default)]
pub(super) struct Visited {
    pub(super) report: Report,
    /// Its slice was over before its end.
    pub(super) more: bool,
}

impl Listener {
    /// The account's folders: as they were found lately, else the server is asked. A search that
    /// ends the session is not made again at once.
    pub(super) async fn folders(&self, session: &mut Session) -> Result<Folders, Ended> {
        let id = self.id;
        let read = || self.shared.store.read(move |r| r.folders(id));
        let mut known = read().await?;
        let asked = self.folder_settings();
        let now = time::now();
        // A time ahead stems from a clock that was set back.
        let fresh = known.found_at <= now && now.since(known.found_at) < FIND_EVERY;
        if known.asked != asked || !fresh {
            let again = now.minus(FIND_EVERY).plus(FIND_AGAIN);
            let booked = asked.clone();
            self.shared
                .store
                .write(move |tx| tx.book_folder_search(id, &booked, again))
                .await?;
            let (junk, sent) = self.find(session).await?;
            info!(
                account = %self.account.name,
                junk = junk.as_deref().unwrap_or("none"),
                sent = sent.as_deref().unwrap_or("none"),
                "folders"
            );
            let watched = self.account.mailboxes.clone();
            self.shared
                .store
                .write(move |tx| {
                    tx.set_folders(id, &watched, junk.as_deref(), sent.as_deref())?;
                    tx.book_folder_search(id, &asked, now)
                })
                .await?;
            known = read().await?;
        }
        let (idle_id, host) = (self.idle, &self.account.smtp.host);
        let same_host = known.files_sent_host.eq_ignore_ascii_case(host);
        let (idle, others): (Vec<_>, Vec<_>) =
            known.folders.into_iter().partition(|f| f.id == idle_id);
        let idle = idle
            .into_iter()
            .next()
            .ok_or_else(|| StoreError::NotFound("Idling mailbox".into()))?;
        Ok(Folders {
            idle,
            others,
            files_sent: if same_host {
                known.files_sent
            } else {
                FilesSent::Untried
            },
        })
    }

    /// The settings that a search answers.
    fn folder_settings(&self) -> String {
        let folders = &self.account.folders;
        format!(
            "{:?} {:?} {:?}",
            self.account.mailboxes, folders.junk, folders.sent
        )
    }

    async fn find(&self, session: &mut Session) -> Result<(Option<String>, Option<String>), Ended> {
        let folders = &self.account.folders;
        let auto = [&folders.junk, &folders.sent].contains(&&FolderChoice::Auto);
        let found = if auto {
            session.find_folders().await?
        } else {
            crate::imap::Folders::default()
        };
        let pick = |choice: &FolderChoice, found: Option<String>| match choice {
            FolderChoice::Auto => found,
            FolderChoice::Off => None,
            FolderChoice::Named(name) => Some(name.clone()),
        };
        Ok((
            pick(&folders.junk, found.junk),
            pick(&folders.sent, found.sent),
        ))
    }

    /// Opens the idling mailbox and asks how the others stand, in one round trip. Gives those
    /// that have something beyond their cursor.
    pub(super) async fn glance<'f>(
        &self,
        session: &mut Session,
        folders: &'f Folders,
        looked: &mut Looked,
    ) -> Result<(Examined, Vec<&'f FolderRow>), Ended> {
        let now = time::now();
        let rests = |f: &FolderRow| {
            // A rest that is longer than any stems from a clock that was set back.
            f.rest_until > now && f.rest_until <= now.plus(REST_LONGEST)
        };
        for folder in folders.others.iter().filter(|f| rests(f)) {
            if !folder.trouble.is_empty() {
                looked.closed.push(folder.name.clone());
            }
        }
        let asked: Vec<&FolderRow> = folders.others.iter().filter(|f| !rests(f)).collect();
        let names: Vec<String> = asked.iter().map(|f| f.name.clone()).collect();
        let glance = match session.glance(&folders.idle.name, &names).await {
            Ok(glance) => glance,
            Err(GlanceError { error, asked: at }) => {
                if let Some(folder) = at.and_then(|n| asked.get(n)) {
                    self.blame(folder, &error).await?;
                }
                return Err(error.into());
            }
        };
        let seen = glance.examined?;
        let mut moved = Vec::new();
        for (folder, (status, took)) in asked.into_iter().zip(glance.statuses) {
            match status {
                Err(e) => self.closed(folder, &e, looked).await?,
                Ok(status) => {
                    if took > SLOW_STATUS {
                        self.rest(folder, took.saturating_mul(SLOW_FACTOR)).await?;
                    }
                    if self.has_news(folder, status).await? {
                        moved.push(folder);
                    } else {
                        self.shared.board.gap(folder.id, None);
                        self.fine(folder).await?;
                    }
                }
            }
        }
        Ok((seen, moved))
    }

    async fn has_news(&self, folder: &FolderRow, status: Status) -> Result<bool, StoreError> {
        let Some(validity) = status.uid_validity else {
            return Ok(true);
        };
        let Some(epoch) = self.epoch(folder.id, validity).await? else {
            return Ok(true);
        };
        if epoch.cursor_uid < epoch.first_until {
            return Ok(true);
        }
        let Some(next) = status.uid_next else {
            self.rest(folder, NO_UIDNEXT_REST).await?;
            return Ok(true);
        };
        Ok(next > epoch.cursor_uid)
    }

    /// Reads a folder from its cursor on, for one slice. A folder that cannot be read is noted
    /// in `looked`; one that ends the session is left alone for a while.
    pub(super) async fn visit(
        &self,
        session: &mut Session,
        lease: &Lease,
        folder: &FolderRow,
        (source, poison): (CaptureSource, Poison),
        looked: &mut Looked,
    ) -> Result<(), Ended> {
        let slice = if folder.role == FolderRole::Sent && source == CaptureSource::CatchUp {
            SENT_SLICE
        } else {
            SLICE
        };
        let how = How {
            source,
            poison,
            folder,
            until: Some(Instant::now() + slice),
            due_before: None,
        };
        match self.open_and_read(session, lease, how).await {
            Ok(visited) => {
                looked.report.add(&visited.report);
                looked.more |= visited.more;
                self.fine(folder).await?;
                Ok(())
            }
            Err(Ended::Imap(e)) if e.leaves_session_usable() => {
                self.closed(folder, &e, looked).await?;
                Ok(())
            }
            Err(Ended::Imap(e)) => {
                self.blame(folder, &e).await?;
                Err(e.into())
            }
            Err(e) => Err(e),
        }
    }

    async fn open_and_read(
        &self,
        session: &mut Session,
        lease: &Lease,
        how: How<'_>,
    ) -> Result<Visited, Ended> {
        let seen = session.examine(&how.folder.name).await?;
        // What lies in other folders is never announced.
        let mut missed = 0;
        let (report, _, more) = self.look(session, lease, &seen, how, &mut missed).await?;
        Ok(Visited { report, more })
    }

    async fn fine(&self, folder: &FolderRow) -> Result<(), StoreError> {
        if folder.trouble.is_empty() && folder.failures == 0 {
            return Ok(());
        }
        let id = folder.id;
        self.shared
            .store
            .write(move |tx| tx.note_folder(id, ""))
            .await
            .map(|_| ())
    }

    /// A folder that was renamed or closed to us stops no other.
    async fn closed(
        &self,
        folder: &FolderRow,
        e: &ImapError,
        looked: &mut Looked,
    ) -> Result<(), StoreError> {
        let name = &folder.name;
        looked.report.error(format!("mailbox {name}: {e}"));
        looked.closed.push(name.clone());
        let (id, why) = (folder.id, e.to_string());
        let news = self
            .shared
            .store
            .write(move |tx| tx.note_folder(id, &why))
            .await?;
        if news {
            warn!(account = %self.account.name, mailbox = %name, "cannot be opened: {e}");
            if self.was_found(folder.role) {
                self.find_anew().await?;
            }
        }
        Ok(())
    }

    /// Whether a folder of this role is one that the server named, not the settings.
    fn was_found(&self, role: FolderRole) -> bool {
        let folders = &self.account.folders;
        match role {
            FolderRole::Junk => folders.junk == FolderChoice::Auto,
            FolderRole::Sent => folders.sent == FolderChoice::Auto,
            FolderRole::Watched | FolderRole::None => false,
        }
    }

    /// The server is asked for its folders at the next look: one was renamed.
    async fn find_anew(&self) -> Result<(), StoreError> {
        let (id, asked) = (self.id, self.folder_settings());
        self.shared
            .store
            .write(move |tx| tx.book_folder_search(id, &asked, UtcMs(0)))
            .await
    }

    /// The session ends over a folder: it is left alone for a while, so that the next session
    /// reads the others. What the server says of itself as a whole is no folder's fault.
    pub(super) async fn blame(&self, folder: &FolderRow, e: &ImapError) -> Result<(), StoreError> {
        if matches!(
            e,
            ImapError::Throttled { .. } | ImapError::Unavailable { .. }
        ) {
            return Ok(());
        }
        let doubled = 1_u32.checked_shl(folder.failures).unwrap_or(u32::MAX);
        let rest = REST_FIRST.saturating_mul(doubled).min(REST_LONGEST);
        warn!(
            account = %self.account.name,
            mailbox = %folder.name,
            rest_s = rest.as_secs(),
            "the connection ended over this folder: it is left alone for a while: {e}"
        );
        let (id, why, until) = (folder.id, e.to_string(), time::now().plus(rest));
        self.shared
            .store
            .write(move |tx| tx.rest_folder(id, Some(&why), until))
            .await
    }

    async fn rest(&self, folder: &FolderRow, rest: Duration) -> Result<(), StoreError> {
        let (id, until) = (folder.id, time::now().plus(rest.min(REST_LONGEST)));
        self.shared
            .store
            .write(move |tx| tx.rest_folder(id, None, until))
            .await
    }
}
