//! Looking at the mailboxes of an account, from each cursor on, and taking what was announced.

use std::fmt;
use std::sync::Arc;

use tracing::{info, warn};

use super::haul::Haul;
use super::{Ended, Listener};
use crate::capture::{Origin, Report};
use crate::imap::{FetchWhat, ImapError, Session, Step, Watch};
use crate::model::{CaptureSource, Epoch, Lease, MailboxId};
use crate::store::{Poison, StoreError};
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
    /// Mails of the idling mailbox that a push should have announced before.
    pub(super) missed: u64,
}

/// What holds for the look at one mailbox.
#[derive(Clone, Copy, Debug)]
struct How {
    source: CaptureSource,
    poison: Poison,
    due_before: Option<UtcMs>,
}

impl Listener {
    /// Looks at every mailbox, the idling one last so that it stays selected. What the idling one
    /// received before `due_before` should have been announced.
    pub(super) async fn look_at_all(
        &self,
        session: &mut Session,
        lease: &Lease,
        source: CaptureSource,
        due_before: Option<UtcMs>,
    ) -> Result<Looked, Ended> {
        let mut looked = Looked::default();
        self.shared.board.note_fetching_alone(self.id, None);
        // Only the first look of a session: what breaks a session is met at its next start.
        let poison = if source == CaptureSource::CatchUp {
            self.poison().await?
        } else {
            Poison::default()
        };
        looked.report.new_replies = self.refetch(session, lease).await?;
        let last = self.mailboxes.first().map(|(_, id)| *id);
        for (name, id) in self.mailboxes.iter().rev() {
            let how = How {
                source,
                poison,
                due_before: due_before.filter(|_| Some(*id) == last),
            };
            match self.look(session, lease, name, *id, how).await {
                Ok((report, epoch, missed)) => {
                    looked.report.add(&report);
                    looked.selected = Some(epoch);
                    looked.missed = looked.missed.saturating_add(missed);
                }
                // One folder that was renamed or closed to us does not stop the others; the
                // one that idles must be open.
                Err(Ended::Imap(e)) if Some(*id) != last && is_closed_mailbox(&e) => {
                    warn!(account = %self.account.name, mailbox = %name, "cannot be opened: {e}");
                    looked.report.error(format!("mailbox {name}: {e}"));
                    looked.closed.push(name.clone());
                }
                Err(e) => return Err(e),
            }
        }
        self.forget_poison(poison).await?;
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

    /// One mailbox from its cursor on. Gives the mails that a push should have announced, too.
    async fn look(
        &self,
        session: &mut Session,
        lease: &Lease,
        name: &str,
        mailbox: MailboxId,
        how: How,
    ) -> Result<(Report, Epoch, u64), Ended> {
        let seen = session.examine(name).await?;
        self.heard(lease).await?;
        let (mut report, mut epoch) = self
            .epoch_looked_at(session, lease, mailbox, &seen, how.poison)
            .await?;
        // Everything up to here is known to be looked at; without UIDNEXT only a fetch tells.
        if seen.exists == 0 || seen.uid_next.is_some_and(|next| next <= epoch.cursor_uid) {
            self.shared.board.gap(mailbox, None);
            return Ok((report, epoch, 0));
        }
        let origin = self.origin(lease, epoch, how.source);
        epoch = self
            .step_carefully(session, &origin, how.poison, &mut report)
            .await?;
        let mut missed = 0_u64;
        let mut span = SPAN;
        let mut from = epoch.cursor_uid;
        loop {
            // The last one is open-ended: what came since is taken with it.
            let to = seen
                .uid_next
                .and_then(|next| from.checked_add(span).filter(|to| *to < next));
            let mut haul = Haul::of_poll(how.due_before);
            let last = to.map(|to| to.saturating_sub(1));
            let fetch = session.fetch(from, last, FetchWhat::Prefix).await?;
            self.drain(fetch, &origin, None, &mut haul).await?;
            self.finish(session, &origin, &mut haul, None).await?;
            self.heard(lease).await?;
            report.add(&haul.report);
            missed = missed.saturating_add(haul.missed);
            epoch.cursor_uid = haul.reached().max(epoch.cursor_uid);
            let Some(to) = to else { break };
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
        Ok((report, epoch, missed))
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
        Origin {
            account_id: self.id,
            epoch,
            lease: Some(lease.clone()),
            source,
            cursor_uid: Some(epoch.cursor_uid),
            seen_until: self.shared.board.looked_at(self.id),
            authserv_ids: self.account.folders.authserv_ids.clone(),
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

/// The server refuses to open a mailbox; the session goes on.
pub(super) fn is_closed_mailbox(e: &ImapError) -> bool {
    e.leaves_session_usable() && e.step() == Some(Step::Examine)
}
