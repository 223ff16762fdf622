//! A UIDVALIDITY that was never seen: the first run, or a mailbox that was made anew. Only the
//! window is taken in, and nothing of it is answered automatically. What the window is lies in
//! the epoch's row, so that an interrupted first look goes on as what it was.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use super::haul::Haul;
use super::look::{How, what_of};
use super::poison::{CAREFUL_AFTER, WEIGHT};
use super::{Ended, Listener, Progress};
use crate::capture::{Origin, Report};
use crate::faultpoint;
use crate::imap::{Examined, FetchWhat, Session};
use crate::model::{CaptureSource, Epoch, Lease, MailboxId};
use crate::store::{NewEpoch, Poison, StoreError};
use crate::time::{self, UtcMs};

/// UIDs asked for in one FETCH by list: keeps the command line short, and bounds what is held.
const LIST_UIDS: usize = 50;
/// SINCE compares dates without zone (RFC 3501 §6.4.4): ask for a day more, filter here.
pub(super) const SINCE_SLACK: Duration = Duration::from_secs(24 * 3600);

impl Listener {
    /// The epoch of a UIDVALIDITY, made when it was never seen, with its first look finished.
    pub(super) async fn epoch_looked_at(
        &self,
        session: &mut Session,
        lease: &Lease,
        seen: &Examined,
        how: How<'_>,
    ) -> Result<(Report, Epoch), Ended> {
        let mailbox = how.folder.id;
        let epoch = match self.epoch(mailbox, seen.uid_validity).await? {
            Some(epoch) => epoch,
            None => self.start_epoch(session, lease, mailbox, seen).await?,
        };
        if epoch.cursor_uid >= epoch.first_until {
            return Ok((Report::default(), epoch));
        }
        self.first_look(session, lease, epoch, how).await
    }

    async fn start_epoch(
        &self,
        session: &mut Session,
        lease: &Lease,
        mailbox: MailboxId,
        seen: &Examined,
    ) -> Result<Epoch, Ended> {
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
        let until = match seen.uid_next {
            Some(next) => next,
            // Some servers do not say it: one more than the last UID there is.
            None => self.last_uid(session).await?.saturating_add(1),
        };
        if source == CaptureSource::NewEpoch {
            warn!(
                account = %self.account.name,
                uid_validity = seen.uid_validity,
                "the mailbox has a new UIDVALIDITY: looking through it again"
            );
        }
        let new = NewEpoch {
            mailbox_id: mailbox,
            uid_validity: seen.uid_validity,
            first_until: until,
            first_source: source,
            window_from: from,
        };
        let lease = lease.clone();
        let epoch = self
            .shared
            .store
            .write(move |tx| {
                tx.check_lease(&lease)?;
                tx.start_epoch(&new, now)
            })
            .await?;
        faultpoint::hit("capture.epoch_started");
        Ok(epoch)
    }

    /// The highest UID of the open mailbox, 0 when it is empty.
    async fn last_uid(&self, session: &mut Session) -> Result<u32, Ended> {
        let mut last = 0;
        let mut fetch = session.fetch(1, None, FetchWhat::UidsAndDates).await?;
        while let Some(found) = fetch.next().await? {
            last = last.max(found.uid);
        }
        Ok(last)
    }

    /// Takes the window in, from where an interrupted look stopped; the cursor of the returned
    /// epoch says how far.
    async fn first_look(
        &self,
        session: &mut Session,
        lease: &Lease,
        epoch: Epoch,
        how: How<'_>,
    ) -> Result<(Report, Epoch), Ended> {
        let mut uids = session
            .search_since(epoch.window_from.minus(SINCE_SLACK))
            .await?;
        uids.retain(|uid| (epoch.cursor_uid..epoch.first_until).contains(uid));
        uids.sort_unstable();
        uids.dedup();
        info!(
            account = %self.account.name,
            messages = uids.len(),
            since = %epoch.window_from.rfc3339(),
            mailbox = %how.folder.name,
            "first look at a mailbox"
        );
        let origin = self.origin_in(how.folder.role, lease, epoch, epoch.first_source);
        let (report, stopped_at) = self
            .take_list(
                session,
                &origin,
                &uids,
                (epoch.window_from, how.until),
                how.poison,
            )
            .await?;
        faultpoint::hit("capture.window_taken");
        let until = stopped_at.unwrap_or(epoch.first_until);
        let lease = lease.clone();
        let epoch = self
            .shared
            .store
            .write(move |tx| {
                tx.check_lease(&lease)?;
                tx.advance_cursor(epoch.id, until)?;
                tx.epoch(epoch.mailbox_id, epoch.uid_validity)?
                    .ok_or_else(|| StoreError::NotFound("Mailbox epoch".into()))
            })
            .await?;
        Ok((report, epoch))
    }

    /// Fetches UIDs by list in ascending order and takes in those inside the window, until
    /// `until`; gives the first UID that was left when that came.
    pub(super) async fn take_list(
        &self,
        session: &mut Session,
        origin: &Origin,
        uids: &[u32],
        (from, until): (UtcMs, Option<Instant>),
        poison: Poison,
    ) -> Result<(Report, Option<u32>), Ended> {
        let mut report = Report::default();
        let what = what_of(origin.role);
        let total = u64::try_from(uids.len()).unwrap_or(u64::MAX);
        let mut done = 0_u64;
        let careful = poison.count >= CAREFUL_AFTER;
        for chunk in uids.chunks(if careful { 1 } else { LIST_UIDS }) {
            if done > 0 && until.is_some_and(|until| Instant::now() >= until) {
                return Ok((report, chunk.first().copied()));
            }
            if let (true, Some(&uid)) = (careful, chunk.first()) {
                let alone = (origin.epoch.mailbox_id, uid);
                if poison.suspect == Some(alone) && poison.weight >= WEIGHT {
                    self.set_aside(origin, uid).await?;
                    continue;
                }
                self.shared.board.note_fetching_alone(self.id, Some(alone));
            }
            let mut haul = Haul::up_to(chunk.last().copied().unwrap_or(0));
            let mut fetch = session.fetch_list(chunk, what).await?;
            // The cursor must not pass one of a chunk, so they are committed together; a chunk
            // is bounded by LIST_UIDS prefixes.
            while let Some(fetched) = fetch.next().await? {
                self.shared.board.alive(self.id);
                if fetched.internal_date.is_none_or(|at| at >= from) {
                    haul.take(fetched, None);
                }
            }
            self.commit(origin, &mut haul, true).await?;
            self.finish(session, origin, &mut haul, None).await?;
            self.shared.board.note_fetching_alone(self.id, None);
            if let Some(lease) = &origin.lease {
                self.heard(lease).await?;
            }
            report.add(&haul.report);
            done = done.saturating_add(u64::try_from(chunk.len()).unwrap_or(0));
            if let Some(Progress(tell)) = &self.shared.progress {
                tell(done, total);
            }
        }
        Ok((report, None))
    }
}
