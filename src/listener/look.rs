//! Looking at the mailboxes of an account, from each cursor on, and taking what was announced.

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;
use tracing::{error, info, warn};

use super::haul::Haul;
use super::reconcile::went_back;
use super::{Ended, Listener};
use crate::capture::{Origin, Report};
use crate::imap::{Examined, FetchWhat, ImapError, Session, Step, Watch};
use crate::model::{CaptureSource, Epoch, FolderRole, Lease, MailboxId};
use crate::store::{FolderRow, Poison, StoreError};
use crate::time::{self, UtcMs};

/// Looks after which an announced message that never came is recorded as vanished.
const VANISHED_TRIES: u8 = 5;
/// At most so many rows for a gap that never came, in one look.
const VANISHED_ROWS: u32 = 1000;

/// UIDs of one FETCH while catching up: each brings a tagged OK, so that a long catch-up is no
/// silence, also over a slow line. Doubled while nothing comes, as where a mailbox was emptied.
const SPAN: u32 = 200;

/// Told how far long work is: done, total.
#[derive(Clone)]
pub struct Progress(pub Arc<dyn Fn(u64, u64) + Send + Sync>);

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

/// What a look at all mailboxes found.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) report: Report,
    /// The epoch of the mailbox that is selected now.
    pub(super) selected: Option<Epoch>,
    /// Mailboxes that could not be opened; the others were looked at.
    pub(super) closed: Vec<String>,
    /// A folder was not read to its end: look again soon.
    pub(super) more: bool,
    /// Mails of the idling mailbox that a push should have announced before.
    pub(super) missed: u64,
}

/// What holds for the look at one mailbox.
#[derive(Clone, Copy, Debug)]
pub(super) struct How<'f> {
    pub(super) source: CaptureSource,
    pub(super) poison: Poison,
    pub(super) folder: &'f FolderRow,
    /// When to go on to the others; none for the mailbox that idles.
    pub(super) until: Option<Instant>,
    /// What the idling mailbox received before that should have been announced.
    pub(super) due_before: Option<UtcMs>,
}

impl How<'_> {
    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

impl Listener {
    /// Looks at every mailbox; the idling one is open at the end. The Sent folder goes first:
    /// what a person has answered must be known before a reply to it is.
    pub(super) async fn look_at_all(
        &self,
        session: &mut Session,
        lease: &Lease,
        source: CaptureSource,
        due_before: Option<UtcMs>,
    ) -> Result<Looked, Ended> {
        let mut looked = Looked::default();
        self.shared.board.note_fetching_alone(self.id, None);
        looked.report.new_replies = self.refetch(session, lease).await?;
        let folders = self.folders(session).await?;
        // Only the first look of a session, or at a folder that ended one: what breaks a session
        // is met at its next start.
        let poison = if source == CaptureSource::CatchUp || folders.failing() {
            self.poison().await?
        } else {
            Poison::default()
        };
        let asked_at = time::now();
        let (seen, moved) = self.glance(session, &folders, &mut looked).await?;
        let mut open = Some(seen);
        let (sent, others): (Vec<_>, Vec<_>) =
            moved.into_iter().partition(|f| f.role == FolderRole::Sent);
        for folder in sent {
            open = None;
            self.visit(session, lease, folder, (source, poison), &mut looked)
                .await?;
        }
        self.sent_read(&folders, &looked, source, asked_at).await?;
        let idle = How {
            source,
            poison,
            folder: &folders.idle,
            until: None,
            due_before,
        };
        let seen = match open {
            Some(seen) => seen,
            None => session.examine(&folders.idle.name).await?,
        };
        let (report, mut epoch, _) = self
            .look(session, lease, &seen, idle, &mut looked.missed)
            .await?;
        looked.report.add(&report);
        let mut away = !others.is_empty();
        for folder in others {
            self.visit(session, lease, folder, (source, poison), &mut looked)
                .await?;
        }
        away |= self
            .file_copies(session, lease, &folders, &mut looked)
            .await?;
        if away {
            // What came meanwhile was not announced.
            let seen = session.examine(&folders.idle.name).await?;
            let idle = How {
                due_before: None,
                ..idle
            };
            let mut none = 0;
            let (report, now_at, _) = self.look(session, lease, &seen, idle, &mut none).await?;
            looked.report.add(&report);
            epoch = now_at;
        }
        looked.selected = Some(epoch);
        if !folders.failing() {
            self.forget_poison(poison).await?;
        }
        let report = &looked.report;
        if report.processed > 0 {
            info!(
                account = %self.account.name,
                processed = report.processed,
                new_replies = report.new_replies,
                skipped_no_reply_header = report.skipped_no_reply_header,
                skipped_no_match = report.skipped_no_match,
                duplicates = report.duplicates,
                "checked"
            );
        }
        Ok(looked)
    }

    /// One open mailbox from its cursor on. Says whether its slice was over before its end.
    pub(super) async fn look(
        &self,
        session: &mut Session,
        lease: &Lease,
        seen: &Examined,
        how: How<'_>,
        missed: &mut u64,
    ) -> Result<(Report, Epoch, bool), Ended> {
        self.heard(lease).await?;
        let (mut report, mut epoch) = self.epoch_looked_at(session, lease, seen, how).await?;
        if epoch.cursor_uid < epoch.first_until {
            return Ok((report, epoch, true));
        }
        // A mailbox that was restored from a backup: the reconcile finds what lies behind the cursor.
        if let Some(next) = seen.uid_next.filter(|next| *next < epoch.cursor_uid) {
            if self.shared.board.gap(how.folder.id, Some(next)) == 1 {
                let what = went_back(next, epoch.cursor_uid);
                error!(account = %self.account.name, mailbox = %how.folder.name, "{what}");
                self.reconcile_soon().await?;
            }
            return Ok((report, epoch, false));
        }
        // Everything up to here is known to be looked at; without UIDNEXT only a fetch tells.
        if seen.exists == 0 || seen.uid_next.is_some_and(|next| next <= epoch.cursor_uid) {
            self.shared.board.gap(how.folder.id, None);
            return Ok((report, epoch, false));
        }
        let origin = self.origin_in(how.folder.role, lease, epoch, how.source);
        epoch = self
            .step_carefully(session, &origin, how.poison, &mut report)
            .await?;
        let what = what_of(how.folder.role);
        let (mut from, mut span) = (epoch.cursor_uid, SPAN);
        loop {
            // The last one is open-ended: what came since is taken with it.
            let to = seen
                .uid_next
                .and_then(|next| from.checked_add(span).filter(|to| *to < next));
            let mut haul = Haul::of_poll(how.due_before);
            let last = to.map(|to| to.saturating_sub(1));
            let fetch = session.fetch(from, last, what).await?;
            self.drain(fetch, &origin, None, &mut haul).await?;
            self.finish(session, &origin, &mut haul, None).await?;
            self.heard(lease).await?;
            report.add(&haul.report);
            *missed = missed.saturating_add(haul.missed);
            epoch.cursor_uid = haul.reached().max(epoch.cursor_uid);
            let Some(to) = to else { break };
            if how.is_over() {
                return Ok((report, epoch, true));
            }
            span = if haul.reached() <= from {
                span.saturating_mul(2)
            } else {
                SPAN
            };
            from = to;
        }
        if let Some(next) = seen.uid_next {
            self.vanish(lease, epoch, next).await?;
        }
        Ok((report, epoch, false))
    }

    /// After an announcement: what lies beyond the cursor of the idling mailbox, with IDLE up
    /// again in the same write where the server takes it. Says how many messages were new.
    pub(super) async fn take_news(
        &self,
        session: &mut Session,
        watch: &mut Watch,
        lease: &Lease,
        epoch: &mut Epoch,
        announced: UtcMs,
    ) -> Result<u64, Ended> {
        let origin = self.origin(lease, *epoch, CaptureSource::Live);
        let mut haul = Haul::default();
        let fetch = watch.fetch_news(session, epoch.cursor_uid).await?;
        self.drain(fetch, &origin, Some(announced), &mut haul)
            .await?;
        if haul.is_cut() {
            watch.leave(session).await?;
            self.finish(session, &origin, &mut haul, Some(announced))
                .await?;
        }
        epoch.cursor_uid = epoch.cursor_uid.max(haul.reached());
        if haul.report.processed > 0 {
            info!(
                account = %self.account.name,
                processed = haul.report.processed,
                new_replies = haul.report.new_replies,
                "heard"
            );
        }
        Ok(haul.report.processed)
    }

    /// UIDs that the server counts but does not deliver: tried again at the next looks, then
    /// recorded and passed.
    async fn vanish(&self, lease: &Lease, epoch: Epoch, uid_next: u32) -> Result<(), StoreError> {
        let reached = epoch.cursor_uid;
        if reached >= uid_next {
            self.shared.board.gap(epoch.mailbox_id, None);
            return Ok(());
        }
        if self.shared.board.gap(epoch.mailbox_id, Some(reached)) < VANISHED_TRIES {
            return Ok(());
        }
        let until = uid_next.min(reached.saturating_add(VANISHED_ROWS));
        let (id, lease) = (self.id, lease.clone());
        self.shared
            .store
            .write(move |tx| {
                tx.check_lease(&lease)?;
                for uid in reached..until {
                    tx.insert_vanished(id, epoch.mailbox_id, epoch.uid_validity, uid, time::now())?;
                }
                tx.advance_cursor(epoch.id, until)
            })
            .await?;
        warn!(account = %self.account.name, from = reached, to = until, "announced messages never came");
        Ok(())
    }

    pub(super) fn origin(&self, lease: &Lease, epoch: Epoch, source: CaptureSource) -> Origin {
        self.origin_in(FolderRole::Watched, lease, epoch, source)
    }

    /// As [`Listener::origin`], in a folder that is watched for something else.
    pub(super) fn origin_in(
        &self,
        role: FolderRole,
        lease: &Lease,
        epoch: Epoch,
        source: CaptureSource,
    ) -> Origin {
        Origin {
            account_id: self.id,
            epoch,
            lease: Some(lease.clone()),
            source,
            cursor_uid: Some(epoch.cursor_uid),
            seen_until: self.shared.board.looked_at(self.id),
            authserv_ids: self.account.folders.authserv_ids.clone(),
            role,
            smtp_host: self.smtp_host.clone(),
        }
    }

    pub(super) async fn epoch(
        &self,
        mailbox: MailboxId,
        validity: u32,
    ) -> Result<Option<Epoch>, StoreError> {
        self.shared
            .store
            .read(move |r| r.epoch(mailbox, validity))
            .await
    }
}

/// How much of each message is fetched in a folder of this role.
pub(super) fn what_of(role: FolderRole) -> FetchWhat {
    match role {
        FolderRole::Watched | FolderRole::None => FetchWhat::Prefix,
        FolderRole::Junk | FolderRole::Sent => FetchWhat::Start,
    }
}

/// The server refuses to open a mailbox; the session goes on.
pub(super) fn is_closed_mailbox(e: &ImapError) -> bool {
    e.leaves_session_usable() && e.step() == Some(Step::Examine)
}
