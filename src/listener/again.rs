//! Looking again: behind the cursor for `check`, and at what a later import made matchable.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use super::first::SINCE_SLACK;
use super::haul::{fetch_on, fetch_one};
use super::look::is_closed_mailbox;
use super::{Ended, Listener};
use crate::capture::{Arrived, Capture, Origin, Report};
use crate::imap::Session;
use crate::model::{CaptureSource, Epoch, Lease, MailboxId};
use crate::store::{FolderRow, Place, Poison, Refetch, StoreError};
use crate::time;

/// So long a check waits for what another process is about to store, and so often it looks.
const AHEAD_WAIT: Duration = Duration::from_secs(2);
const AHEAD_EVERY: Duration = Duration::from_millis(20);
/// Refetches of one look.
const REFETCHES: u32 = 50;
/// A message is fetched again at most so often.
const REFETCH_TRIES: u32 = 3;

impl Listener {
    /// `check`: every UID of the window that has no row, also behind the cursor.
    pub(super) async fn check_behind(
        &self,
        session: &mut Session,
        lease: Option<&Lease>,
        folder: &FolderRow,
        days: u32,
    ) -> Result<Report, Ended> {
        let (name, mailbox) = (folder.name.as_str(), folder.id);
        let window = Duration::from_secs(u64::from(days).saturating_mul(24 * 3600));
        let from = time::now().minus(window);
        let seen = session.examine(name).await?;
        let Some(epoch) = self.epoch(mailbox, seen.uid_validity).await? else {
            // Never looked at, and the process that reads this account has not begun either.
            return Ok(Report::default());
        };
        if seen.exists == 0 {
            return Ok(Report::default());
        }
        let mut uids = session.search_since(from.minus(SINCE_SLACK)).await?;
        let ahead: Vec<u32> = match lease {
            Some(_) => Vec::new(),
            None => uids
                .iter()
                .copied()
                .filter(|uid| *uid >= epoch.cursor_uid)
                .collect(),
        };
        uids.retain(|uid| *uid < epoch.cursor_uid);
        uids.sort_unstable();
        uids.dedup();
        let mut there = 0;
        if let (Some(first), Some(last)) = (uids.first().copied(), uids.last().copied()) {
            let validity = seen.uid_validity;
            let known = self
                .shared
                .store
                .read(move |r| r.known_uids(mailbox, validity, first, last))
                .await?;
            let all = uids.len();
            uids.retain(|uid| !known.contains(uid));
            there = u64::try_from(all.saturating_sub(uids.len())).unwrap_or(0);
        }
        let origin = Origin {
            account_id: self.id,
            epoch,
            lease: lease.cloned(),
            source: CaptureSource::Check,
            cursor_uid: None,
            seen_until: None,
            authserv_ids: self.account.folders.authserv_ids.clone(),
            role: folder.role,
            smtp_host: self.smtp_host.clone(),
        };
        let (mut report, _) = self
            .take_list(session, &origin, &uids, (from, None), Poison::default())
            .await?;
        report.known = there;
        report.ahead = self.still_ahead(mailbox, seen.uid_validity, &ahead).await?;
        if epoch.cursor_uid < epoch.first_until {
            // The process that reads the account goes on with the window that it knows.
            report.error(format!(
                "mailbox {name}: its first look is still under way, check again later"
            ));
            return Ok(report);
        }
        self.shared
            .store
            .write(move |tx| tx.widen_window(epoch.id, from))
            .await?;
        Ok(report)
    }

    /// What is beyond the cursor belongs to the process that reads the account: how much of it that
    /// has not stored, after a moment in which it may.
    async fn still_ahead(
        &self,
        mailbox: MailboxId,
        validity: u32,
        uids: &[u32],
    ) -> Result<u64, Ended> {
        let (Some(first), Some(last)) = (uids.iter().min(), uids.iter().max()) else {
            return Ok(0);
        };
        let (first, last) = (*first, *last);
        let until = Instant::now() + AHEAD_WAIT;
        loop {
            let known = self
                .shared
                .store
                .read(move |r| r.known_uids(mailbox, validity, first, last))
                .await?;
            let left = uids.iter().filter(|uid| !known.contains(uid)).count();
            if left == 0 || Instant::now() >= until {
                return Ok(u64::try_from(left).unwrap_or(u64::MAX));
            }
            tokio::time::sleep(AHEAD_EVERY).await;
        }
    }

    /// Takes in what a later import made matchable: from the kept raw mail, else by UID. Each
    /// try is booked before it is made, so that none can stop the account for ever. Says how
    /// many became replies.
    pub(super) async fn refetch(&self, session: &mut Session, lease: &Lease) -> Result<u64, Ended> {
        let mut became = 0_u64;
        let id = self.id;
        let due = self
            .shared
            .store
            .read(move |r| r.refetches(id, REFETCHES))
            .await?;
        for item in due {
            self.shared.board.alive(self.id);
            let booked = item.message_id;
            self.shared
                .store
                .write(move |tx| tx.book_refetch(booked))
                .await?;
            let known = match self.mailbox(&item.place.mailbox).await? {
                Some(mailbox) => self.epoch(mailbox, item.place.uid_validity).await?,
                None => None,
            };
            let found = match known {
                Some(epoch) if item.tries < REFETCH_TRIES => {
                    match self.bytes_of(session, &item).await {
                        Ok(message) => message.map(|m| (epoch, m)),
                        // Not now: its folder cannot be opened. Given up after three looks.
                        Err(Ended::Imap(e)) if is_closed_mailbox(&e) => continue,
                        Err(e) => return Err(e),
                    }
                }
                _ => None,
            };
            let Some((epoch, message)) = found else {
                self.give_up_refetch(&item).await?;
                continue;
            };
            if self.adopt(lease, epoch, &item, message).await? {
                became = became.saturating_add(1);
            }
        }
        Ok(became)
    }

    async fn adopt(
        &self,
        lease: &Lease,
        epoch: Epoch,
        item: &Refetch,
        message: Arrived,
    ) -> Result<bool, Ended> {
        let mut origin = self.origin(lease, epoch, CaptureSource::LateMatch);
        origin.cursor_uid = None;
        let became = self
            .shared
            .capture
            .adopt(item.message_id, origin, message)
            .await?;
        if became {
            info!(account = %self.account.name, message_id = item.message_id.0, "matched by a later import");
        }
        self.shared.reply_bell.ring();
        Ok(became)
    }

    /// The mail: as it was kept, else from the server, where it was seen first or under the
    /// places at which the same mail was seen again (another folder, a new UIDVALIDITY).
    async fn bytes_of(
        &self,
        session: &mut Session,
        item: &Refetch,
    ) -> Result<Option<Arrived>, Ended> {
        if let Some(bytes) = item.raw.as_deref().and_then(Capture::unpack) {
            return Ok(Some(Arrived {
                uid: item.place.uid,
                internal_date: Some(item.internal_date),
                size: item.size_bytes,
                bytes,
                announced_at: None,
                fetched_at: time::now(),
            }));
        }
        let id = item.message_id;
        let again = self
            .shared
            .store
            .read(move |r| r.places_of_duplicates(id))
            .await?;
        for place in std::iter::once(item.place.clone()).chain(again) {
            if let Some(mut message) = self.at(session, &place).await? {
                fetch_on(session, &mut message).await?;
                message.internal_date = Some(item.internal_date);
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    async fn at(&self, session: &mut Session, place: &Place) -> Result<Option<Arrived>, Ended> {
        if self.mailbox(&place.mailbox).await?.is_none() {
            return Ok(None);
        }
        let seen = session.examine(&place.mailbox).await?;
        if seen.uid_validity != place.uid_validity {
            return Ok(None);
        }
        fetch_one(session, place.uid, None).await
    }

    /// The mailbox of this name, also one that is looked at no more: a mail of it may be there.
    async fn mailbox(&self, name: &str) -> Result<Option<MailboxId>, StoreError> {
        let (id, name) = (self.id, name.to_owned());
        self.shared
            .store
            .read(move |r| r.mailbox_named(id, &name))
            .await
    }

    async fn give_up_refetch(&self, item: &Refetch) -> Result<(), StoreError> {
        let id = item.message_id;
        warn!(account = %self.account.name, message_id = id.0, "matches a later import, but the server no longer has it");
        self.shared
            .store
            .write(move |tx| tx.end_refetch(id, true))
            .await
    }
}
