//! Copies of our own mails in the Sent folder (`save_sent`), appended in the poll pause where the
//! provider does not file what is sent. Never two: before each APPEND the folder is read to its
//! end and searched, and each attempt is booked before it is made, so that a crash between
//! APPEND and its record finds the copy there. What goes wrong here never touches the sending.

use std::time::Duration;

use tracing::{debug, info, warn};

use super::folders::Folders;
use super::look::Looked;
use super::{Ended, Listener};
use crate::config::SaveSent;
use crate::faultpoint;
use crate::imap::Session;
use crate::model::{CaptureSource, Filed, FilesSent, Lease};
use crate::msgid::OWN_ID_FIELD;
use crate::store::{FolderRow, Poison, StoreError, Unfiled};
use crate::time::{self, UtcMs};

/// A provider that files what is sent has done so by then.
const FILED_WITHIN: Duration = Duration::from_secs(300);
/// Older mails are left as they are: nobody misses their copy any more.
const FILE_WITHIN: Duration = Duration::from_secs(24 * 3600);
/// Copies of one poll pause.
const COPIES: u32 = 20;

/// SMTP servers that put a copy of each mail into the Sent folder by themselves: Gmail, and
/// Exchange Online for client submission.
const FILES: &[&str] = &[
    "smtp.gmail.com",
    "smtp.googlemail.com",
    "smtp.office365.com",
    "smtp-mail.outlook.com",
];

impl Listener {
    /// Appends copies that are due. Says whether another folder than the idling one is open now.
    pub(super) async fn file_copies(
        &self,
        session: &mut Session,
        lease: &Lease,
        folders: &Folders,
        looked: &mut Looked,
    ) -> Result<bool, Ended> {
        let Some(sent) = folders.sent().filter(|f| f.rest_until <= time::now()) else {
            return Ok(false);
        };
        // Not while the folder has yet to be read: a copy may lie where we did not look.
        if looked.more || looked.closed.contains(&sent.name) {
            return Ok(false);
        }
        let due = self.due_copies(folders.files_sent).await?;
        if due.is_empty() {
            return Ok(false);
        }
        // Whatever came into the folder meanwhile, a copy among it.
        let how = (CaptureSource::Live, Poison::default());
        self.visit(session, lease, sent, how, looked).await?;
        if looked.more || looked.closed.contains(&sent.name) {
            return Ok(true);
        }
        for mail in due {
            self.shared.board.alive(self.id);
            match self.file(session, sent, &mail).await {
                Ok(()) => {}
                Err(Ended::Imap(e)) if e.leaves_session_usable() => {
                    warn!(
                        account = %self.account.name,
                        mail = mail.id.0,
                        tries = mail.tries.saturating_add(1),
                        "a copy could not be put into the Sent folder: {e}"
                    );
                }
                Err(Ended::Imap(e)) => {
                    self.blame(sent, &e).await?;
                    return Err(e.into());
                }
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }

    /// Notes that the Sent folder was read to its end as of `asked_at`, where somebody waits for
    /// that: an automatic mail does not leave before a person's answer would have been seen.
    pub(super) async fn sent_read(
        &self,
        folders: &Folders,
        looked: &Looked,
        source: CaptureSource,
        asked_at: UtcMs,
    ) -> Result<(), StoreError> {
        let Some(sent) = folders.sent() else {
            return Ok(());
        };
        if sent.rest_until > asked_at || looked.closed.contains(&sent.name) {
            return Ok(());
        }
        // While there is more to read, nothing automatic leaves.
        let read_at = (!looked.more).then_some(asked_at);
        let id = self.id;
        let store = &self.shared.store;
        // What this session decides next needs it at once; later, only what waits.
        let wanted = source == CaptureSource::CatchUp
            || looked.more
            || store.read(move |r| r.automatic_mail_waits(id)).await?;
        if wanted {
            store
                .write(move |tx| tx.note_sent_read(id, read_at))
                .await?;
        }
        Ok(())
    }

    /// The mails whose copies we have to append now.
    async fn due_copies(&self, learned: FilesSent) -> Result<Vec<Unfiled>, StoreError> {
        let smtp = &self.account.smtp;
        // A trial: nothing went to whom the mail names.
        if smtp.console || self.shared.settings.redirect_to.is_some() {
            return Ok(Vec::new());
        }
        let decides = match self.account.folders.save_sent {
            SaveSent::Never => return Ok(Vec::new()),
            SaveSent::Always => FilesSent::No,
            SaveSent::Auto if FILES.iter().any(|h| smtp.host.eq_ignore_ascii_case(h)) => {
                FilesSent::Yes
            }
            SaveSent::Auto => learned,
        };
        if decides == FilesSent::Yes {
            return Ok(Vec::new());
        }
        let (id, now) = (self.id, time::now());
        let due = self
            .shared
            .store
            .read(move |r| r.unfiled(id, now.minus(FILE_WITHIN), COPIES))
            .await?;
        // The folder was read to its end in this pause: a copy that was to come is not there.
        let late = due.iter().any(|m| now.since(m.finished_at) >= FILED_WITHIN);
        if decides == FilesSent::Untried {
            if !late {
                return Ok(Vec::new());
            }
            let host = smtp.host.clone();
            self.shared
                .store
                .write(move |tx| tx.set_files_sent(id, FilesSent::No, &host))
                .await?;
            info!(
                account = %self.account.name,
                "the provider puts no copies into the Sent folder: replyd does"
            );
        }
        Ok(due)
    }

    /// One copy, unless it is there.
    async fn file(
        &self,
        session: &mut Session,
        sent: &FolderRow,
        mail: &Unfiled,
    ) -> Result<(), Ended> {
        let (id, now) = (mail.id, time::now());
        let there = session
            .search_id(mail.finished_at, OWN_ID_FIELD, &mail.rfc_message_id)
            .await?;
        // An id that cannot be asked for is none of ours.
        let Some(there) = there else {
            return self.filed(id, Filed::GivenUp).await;
        };
        if !there.is_empty() {
            debug!(mail = id.0, "its copy lies in the Sent folder already");
            return self.filed(id, Filed::Seen).await;
        }
        let booked = self
            .shared
            .store
            .write(move |tx| tx.book_filing(id, now))
            .await?;
        if !booked {
            return Ok(());
        }
        faultpoint::hit("file.booked");
        session
            .append_seen(&sent.name, mail.finished_at, &mail.raw)
            .await?;
        faultpoint::hit("file.appended");
        self.filed(id, Filed::Appended).await?;
        faultpoint::hit("file.recorded");
        debug!(mail = id.0, "its copy was put into the Sent folder");
        Ok(())
    }

    async fn filed(&self, id: crate::model::OutboxId, filed: Filed) -> Result<(), Ended> {
        let now = time::now();
        self.shared
            .store
            .write(move |tx| tx.set_filed(id, filed, now))
            .await?;
        Ok(())
    }
}
