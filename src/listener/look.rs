//! Looking at a mailbox: from the cursor on, at its first sight, behind the cursor for `check`,
//! and again at what a later import made matchable.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::{Ended, Listener};
use crate::capture::{Arrived, Capture, Origin, Report};
use crate::imap::{Examined, Fetch, FetchWhat, Fetched, Session, Watch};
use crate::mime;
use crate::model::{CaptureSource, Epoch, Lease, MailboxId};
use crate::store::{Refetch, StoreError};
use crate::time::{self, UtcMs};

/// A batch is committed when it has this many messages…
const BATCH_MESSAGES: usize = 50;
/// …or this many bytes: the bound of what one account holds in memory.
const BATCH_BYTES: usize = 2 * 1024 * 1024;
/// A text part that was cut is fetched on up to this much of the message.
const TEXT_BYTES: usize = 1024 * 1024 + 256 * 1024;
/// One piece of it.
const PIECE_BYTES: u32 = 256 * 1024;
/// Cut messages of one fetch that are fetched on; further ones are stored as they came.
const CUT_MESSAGES: usize = 8;
/// UIDs asked for in one FETCH by list: keeps the command line short.
const LIST_UIDS: usize = 50;
/// Refetches of one look.
const REFETCHES: u32 = 50;
/// Looks after which an announced message that never came is recorded as vanished.
const VANISHED_TRIES: u8 = 5;
/// At most so many rows for a gap that never came.
const VANISHED_ROWS: u32 = 1000;
/// SINCE compares dates without zone (RFC 3501 §6.4.4): ask for a day more, filter here.
const SINCE_SLACK: Duration = Duration::from_secs(24 * 3600);

/// Told how far long work is: done, total.
#[derive(Clone)]
pub struct Progress(pub Arc<dyn Fn(u64, u64) + Send + Sync>);

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

/// What a fetch brought: messages that are ready, and those whose text was cut.
#[derive(Default)]
struct Haul {
    ready: Vec<Arrived>,
    bytes: usize,
    cut: Vec<Arrived>,
    last_uid: u32,
    report: Report,
}

impl Listener {
    /// Looks at every mailbox, the idling one last so that it stays selected; gives its epoch.
    pub(super) async fn look_at_all(
        &self,
        session: &mut Session,
        lease: &Lease,
        source: CaptureSource,
    ) -> Result<(Report, Option<Epoch>), Ended> {
        let mut report = Report::default();
        let mut selected = None;
        self.refetch(session, lease).await?;
        for (name, id) in self.mailboxes.iter().rev() {
            let (looked, epoch) = self.look(session, lease, name, *id, source).await?;
            report.add(&looked);
            selected = Some(epoch);
        }
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
        Ok((report, selected))
    }

    /// One mailbox from its cursor on.
    async fn look(
        &self,
        session: &mut Session,
        lease: &Lease,
        name: &str,
        mailbox: MailboxId,
        source: CaptureSource,
    ) -> Result<(Report, Epoch), Ended> {
        let seen = session.examine(name).await?;
        let (mut report, mut epoch) = match self.epoch(mailbox, seen.uid_validity).await? {
            Some(epoch) => (Report::default(), epoch),
            None => self.first_sight(session, lease, mailbox, &seen).await?,
        };
        // Everything up to here is known to be looked at; without UIDNEXT only a fetch tells.
        if seen.exists == 0 || seen.uid_next.is_some_and(|next| next <= epoch.cursor_uid) {
            self.shared.board.gap(mailbox, None);
            return Ok((report, epoch));
        }
        let mut haul = Haul::default();
        let origin = self.origin(lease, epoch, source);
        let fetch = session
            .fetch(epoch.cursor_uid, None, FetchWhat::Prefix)
            .await?;
        self.drain(fetch, &origin, None, &mut haul).await?;
        self.finish(session, &origin, &mut haul, None).await?;
        report.add(&haul.report);
        let reached = haul.last_uid.saturating_add(1).max(epoch.cursor_uid);
        if let Some(next) = seen.uid_next {
            self.vanish(lease, epoch, reached, next).await?;
        }
        epoch.cursor_uid = reached;
        Ok((report, epoch))
    }

    /// After an announcement: what lies beyond the cursor of the idling mailbox, with IDLE up
    /// again in the same write where the server takes it.
    pub(super) async fn take_news(
        &self,
        session: &mut Session,
        watch: &mut Watch,
        lease: &Lease,
        epoch: &mut Epoch,
        announced: UtcMs,
    ) -> Result<(), Ended> {
        let origin = self.origin(lease, *epoch, CaptureSource::Live);
        let mut haul = Haul::default();
        let fetch = watch.fetch_news(session, epoch.cursor_uid).await?;
        self.drain(fetch, &origin, Some(announced), &mut haul)
            .await?;
        if !haul.cut.is_empty() {
            watch.leave(session).await?;
        }
        self.finish(session, &origin, &mut haul, Some(announced))
            .await?;
        epoch.cursor_uid = epoch.cursor_uid.max(haul.last_uid.saturating_add(1));
        if haul.report.processed > 0 {
            info!(
                account = %self.account.name,
                processed = haul.report.processed,
                new_replies = haul.report.new_replies,
                "heard"
            );
        }
        Ok(())
    }

    /// Reads a fetch to its tagged reply, committing batches as they fill, so that a backlog of
    /// any size takes bounded memory and an end in the middle loses nothing that was read.
    ///
    /// What comes without a body is no message: a server may push a message's date or size
    /// unasked, and a row made of that would keep the mail itself out.
    async fn drain(
        &self,
        mut fetch: Fetch<'_>,
        origin: &Origin,
        announced: Option<UtcMs>,
        haul: &mut Haul,
    ) -> Result<(), Ended> {
        while let Some(fetched) = fetch.next().await? {
            if fetched.body.is_none() {
                continue;
            }
            let cut = fetched_is_cut(&fetched);
            haul.last_uid = haul.last_uid.max(fetched.uid);
            let arrived = arrived(fetched, announced);
            if cut && haul.cut.len() < CUT_MESSAGES {
                haul.cut.push(arrived);
                continue;
            }
            haul.bytes = haul.bytes.saturating_add(arrived.bytes.len());
            haul.ready.push(arrived);
            if haul.ready.len() >= BATCH_MESSAGES || haul.bytes >= BATCH_BYTES {
                self.commit(origin, haul).await?;
            }
        }
        self.commit(origin, haul).await
    }

    /// Fetches cut texts on, and commits them.
    async fn finish(
        &self,
        session: &mut Session,
        origin: &Origin,
        haul: &mut Haul,
        announced: Option<UtcMs>,
    ) -> Result<(), Ended> {
        // Those that wait stay in `haul.cut`, so that no commit moves the cursor past them.
        while let Some(message) = haul.cut.first_mut() {
            while message.bytes.len() < TEXT_BYTES
                && mime::wants_more_text(&message.bytes, u64::from(message.size))
            {
                let offset = u32::try_from(message.bytes.len()).unwrap_or(u32::MAX);
                let piece = session.fetch_more(message.uid, offset, PIECE_BYTES).await?;
                if piece.is_empty() {
                    break;
                }
                message.bytes.extend_from_slice(&piece);
            }
            message.announced_at = announced;
            let message = haul.cut.remove(0);
            haul.ready.push(message);
            self.commit(origin, haul).await?;
        }
        Ok(())
    }

    /// Commits what is ready. The cursor does not pass a message that still waits for its text.
    async fn commit(&self, origin: &Origin, haul: &mut Haul) -> Result<(), Ended> {
        if haul.ready.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut haul.ready);
        haul.bytes = 0;
        let mut origin = origin.clone();
        if origin.cursor_uid.is_some() {
            let waiting = haul.cut.iter().map(|m| m.uid).min();
            let reached = haul.last_uid.saturating_add(1);
            origin.cursor_uid = Some(waiting.map_or(reached, |uid| uid.min(reached)));
        }
        let report = self.shared.capture.commit(origin, batch).await?;
        haul.report.add(&report);
        self.shared.reply_bell.ring();
        Ok(())
    }

    /// A UIDVALIDITY that was never seen: the first run, or a mailbox that was made anew. Only
    /// the window is taken in, and nothing of it is answered automatically.
    async fn first_sight(
        &self,
        session: &mut Session,
        lease: &Lease,
        mailbox: MailboxId,
        seen: &Examined,
    ) -> Result<(Report, Epoch), Ended> {
        let now = time::now();
        let days = u64::from(self.shared.settings.listen.days);
        let first_window = now.minus(Duration::from_secs(days.saturating_mul(24 * 3600)));
        let (newest, window) = self
            .shared
            .store
            .read(move |r| r.last_seen(mailbox))
            .await?;
        let (from, source) = match window {
            None => (first_window, CaptureSource::FirstRun),
            // Made anew: from a day before the last mail that was seen, at least the old window.
            Some(window) => (
                newest.map_or(window, |n| n.minus(SINCE_SLACK)).max(window),
                CaptureSource::NewEpoch,
            ),
        };
        if source == CaptureSource::NewEpoch {
            warn!(account = %self.account.name, uid_validity = seen.uid_validity, "the mailbox has a new UIDVALIDITY: looking through it again");
        }
        let mut uids = if seen.exists == 0 {
            Vec::new()
        } else {
            session.search_since(from.minus(SINCE_SLACK)).await?
        };
        uids.sort_unstable();
        uids.dedup();
        let end = match seen.uid_next {
            Some(next) => next,
            None => self.end_of(session, &mut uids, from).await?,
        };
        uids.retain(|uid| *uid < end);
        let cursor = uids.first().copied().unwrap_or(end);
        let validity = seen.uid_validity;
        let started = lease.clone();
        let epoch = self
            .shared
            .store
            .write(move |tx| {
                tx.check_lease(&started)?;
                tx.start_epoch(mailbox, validity, 1, cursor, from, now)
            })
            .await?;
        info!(account = %self.account.name, messages = uids.len(), since = %from.rfc3339(), "first look at a mailbox");
        let origin = self.origin(lease, epoch, source);
        let report = self.take_list(session, &origin, &uids, from).await?;
        let lease = lease.clone();
        let epoch = self
            .shared
            .store
            .write(move |tx| {
                tx.check_lease(&lease)?;
                tx.advance_cursor(epoch.id, end)?;
                tx.epoch(mailbox, validity)?
                    .ok_or_else(|| StoreError::NotFound("Mailbox epoch".into()))
            })
            .await?;
        Ok((report, epoch))
    }

    /// The UID behind the last one, of a server that does not say UIDNEXT. Messages outside the
    /// window count as well: they are not to be looked at, now or later. What came since the
    /// search is added to `uids`.
    async fn end_of(
        &self,
        session: &mut Session,
        uids: &mut Vec<u32>,
        from: UtcMs,
    ) -> Result<u32, Ended> {
        let mut last = uids.last().copied().unwrap_or(0);
        let mut fetch = session
            .fetch(last.saturating_add(1), None, FetchWhat::UidsAndDates)
            .await?;
        while let Some(fetched) = fetch.next().await? {
            last = last.max(fetched.uid);
            if fetched.internal_date.is_none_or(|at| at >= from) {
                uids.push(fetched.uid);
            }
        }
        uids.sort_unstable();
        uids.dedup();
        Ok(last.saturating_add(1))
    }

    /// Fetches UIDs by list in ascending order and takes in those inside the window.
    async fn take_list(
        &self,
        session: &mut Session,
        origin: &Origin,
        uids: &[u32],
        from: UtcMs,
    ) -> Result<Report, Ended> {
        let mut report = Report::default();
        let total = u64::try_from(uids.len()).unwrap_or(u64::MAX);
        let mut done = 0_u64;
        for chunk in uids.chunks(LIST_UIDS) {
            let mut haul = Haul {
                last_uid: chunk.last().copied().unwrap_or(0),
                ..Haul::default()
            };
            let mut fetch = session.fetch_list(chunk, FetchWhat::Prefix).await?;
            // Ready messages of a chunk are few and bounded (LIST_UIDS prefixes), and the
            // cursor must not pass one of them, so they are committed together.
            while let Some(fetched) = fetch.next().await? {
                if fetched.body.is_none() || fetched.internal_date.is_some_and(|at| at < from) {
                    continue;
                }
                let cut = fetched_is_cut(&fetched);
                let message = arrived(fetched, None);
                if cut && haul.cut.len() < CUT_MESSAGES {
                    haul.cut.push(message);
                } else {
                    haul.ready.push(message);
                }
            }
            self.commit(origin, &mut haul).await?;
            self.finish(session, origin, &mut haul, None).await?;
            report.add(&haul.report);
            done = done.saturating_add(u64::try_from(chunk.len()).unwrap_or(0));
            if let Some(Progress(tell)) = &self.shared.progress {
                tell(done, total);
            }
        }
        Ok(report)
    }

    /// `check`: every UID of the window that has no row, also behind the cursor.
    pub(super) async fn check_behind(
        &self,
        session: &mut Session,
        lease: Option<&Lease>,
        name: &str,
        mailbox: MailboxId,
        days: u32,
    ) -> Result<Report, Ended> {
        let from = time::now().minus(Duration::from_secs(
            u64::from(days).saturating_mul(24 * 3600),
        ));
        let seen = session.examine(name).await?;
        let Some(epoch) = self.epoch(mailbox, seen.uid_validity).await? else {
            // Never looked at, and the process that reads this account has not begun either.
            return Ok(Report::default());
        };
        if seen.exists == 0 {
            return Ok(Report::default());
        }
        let mut uids = session.search_since(from.minus(SINCE_SLACK)).await?;
        uids.retain(|uid| *uid < epoch.cursor_uid);
        uids.sort_unstable();
        uids.dedup();
        let (validity, cursor) = (seen.uid_validity, epoch.cursor_uid);
        let known = self
            .shared
            .store
            .read(move |r| r.known_uids(mailbox, validity, 1, cursor))
            .await?;
        uids.retain(|uid| !known.contains(uid));
        let origin = Origin {
            account_id: self.id,
            epoch,
            lease: lease.cloned(),
            source: CaptureSource::Check,
            cursor_uid: None,
        };
        let report = self.take_list(session, &origin, &uids, from).await?;
        self.shared
            .store
            .write(move |tx| tx.widen_window(epoch.id, from))
            .await?;
        Ok(report)
    }

    /// Takes in what a later import made matchable: from the kept raw mail, else by UID.
    async fn refetch(&self, session: &mut Session, lease: &Lease) -> Result<(), Ended> {
        let id = self.id;
        let due = self
            .shared
            .store
            .read(move |r| r.refetches(id, REFETCHES))
            .await?;
        let mut selected: Option<(String, u32)> = None;
        for item in due {
            let Some(mailbox) = self
                .mailboxes
                .iter()
                .find(|(name, _)| *name == item.mailbox)
                .map(|(_, id)| *id)
            else {
                self.end_refetch(&item).await?;
                continue;
            };
            let Some(epoch) = self.epoch(mailbox, item.uid_validity).await? else {
                self.end_refetch(&item).await?;
                continue;
            };
            let kept = item.raw.as_deref().and_then(Capture::unpack);
            let message = match kept {
                Some(bytes) => Some(Arrived {
                    uid: item.uid,
                    internal_date: Some(item.internal_date),
                    size: item.size_bytes,
                    bytes,
                    announced_at: None,
                    fetched_at: time::now(),
                }),
                None => {
                    if selected
                        .as_ref()
                        .is_none_or(|(name, _)| *name != item.mailbox)
                    {
                        let seen = session.examine(&item.mailbox).await?;
                        selected = Some((item.mailbox.clone(), seen.uid_validity));
                    }
                    if selected
                        .as_ref()
                        .is_some_and(|(_, v)| *v == item.uid_validity)
                    {
                        let mut fetch = session.fetch_list(&[item.uid], FetchWhat::Prefix).await?;
                        let mut found = None;
                        while let Some(fetched) = fetch.next().await? {
                            if fetched.body.is_some() {
                                found = Some(arrived(fetched, None));
                            }
                        }
                        found
                    } else {
                        None
                    }
                }
            };
            let Some(message) = message else {
                self.end_refetch(&item).await?;
                continue;
            };
            let mut origin = self.origin(lease, epoch, CaptureSource::LateMatch);
            origin.cursor_uid = None;
            if self
                .shared
                .capture
                .adopt(item.message_id, origin, message)
                .await?
            {
                info!(account = %self.account.name, message = item.message_id.0, "matched by a later import");
            }
            self.shared.reply_bell.ring();
        }
        Ok(())
    }

    async fn end_refetch(&self, item: &Refetch) -> Result<(), StoreError> {
        let id = item.message_id;
        warn!(account = %self.account.name, message = id.0, "matches a later import, but the server no longer has it");
        self.shared
            .store
            .write(move |tx| tx.end_refetch(id, true))
            .await
    }

    /// UIDs that the server counts but does not deliver: tried again at the next looks, then
    /// recorded and passed.
    async fn vanish(
        &self,
        lease: &Lease,
        epoch: Epoch,
        reached: u32,
        uid_next: u32,
    ) -> Result<(), StoreError> {
        if reached >= uid_next {
            self.shared.board.gap(epoch.mailbox_id, None);
            return Ok(());
        }
        if self.shared.board.gap(epoch.mailbox_id, Some(reached)) < VANISHED_TRIES {
            return Ok(());
        }
        let (id, lease) = (self.id, lease.clone());
        self.shared
            .store
            .write(move |tx| {
                tx.check_lease(&lease)?;
                for uid in (reached..uid_next).take(usize::try_from(VANISHED_ROWS).unwrap_or(0)) {
                    tx.insert_vanished(id, epoch.mailbox_id, epoch.uid_validity, uid, time::now())?;
                }
                tx.advance_cursor(epoch.id, uid_next)
            })
            .await?;
        warn!(account = %self.account.name, from = reached, to = uid_next, "announced messages never came");
        Ok(())
    }

    fn origin(&self, lease: &Lease, epoch: Epoch, source: CaptureSource) -> Origin {
        Origin {
            account_id: self.id,
            epoch,
            lease: Some(lease.clone()),
            source,
            cursor_uid: Some(epoch.cursor_uid),
        }
    }

    async fn epoch(&self, mailbox: MailboxId, validity: u32) -> Result<Option<Epoch>, StoreError> {
        self.shared
            .store
            .read(move |r| r.epoch(mailbox, validity))
            .await
    }
}

fn arrived(fetched: Fetched, announced_at: Option<UtcMs>) -> Arrived {
    let bytes = fetched.body.unwrap_or_default();
    let here = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    Arrived {
        uid: fetched.uid,
        internal_date: fetched.internal_date,
        size: fetched.size.unwrap_or(here).max(here),
        bytes,
        announced_at,
        fetched_at: time::now(),
    }
}

/// Whether more of a message exists than was fetched, and it ends inside a text that we use.
fn fetched_is_cut(fetched: &Fetched) -> bool {
    let size = u64::from(fetched.size.unwrap_or(0));
    fetched.body.as_ref().is_some_and(|body| {
        u64::try_from(body.len()).unwrap_or(u64::MAX) < size && mime::wants_more_text(body, size)
    })
}
