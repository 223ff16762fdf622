//! One message must not stop the mailbox: when fetching ended two sessions by something that
//! cannot be read, the third fetches one message at a time, and the one that fails alone is
//! set aside (disposition `quarantined`) while the rest goes on.

use tracing::error;

use super::haul::Haul;
use super::look::what_of;
use super::{Ended, Listener};
use crate::capture::{Origin, Report};
use crate::imap::{FetchWhat, ImapError, Session, Step};
use crate::model::Epoch;
use crate::store::{Poison, StoreError};
use crate::time;

/// Sessions that must have ended so before messages are fetched singly.
pub(super) const CAREFUL_AFTER: u32 = 2;
/// What it takes to set a message aside.
pub(super) const WEIGHT: u32 = 3;
/// Messages that are fetched singly in one look; the rest follows in the next.
const CAREFUL_MESSAGES: usize = 500;

impl Listener {
    /// Counts a session that ended because something could not be read, with the message that
    /// was being fetched alone at that moment.
    pub(super) async fn note_poison(&self, weight: u32) -> Result<(), StoreError> {
        let (id, suspect) = (self.id, self.shared.board.fetching_alone(self.id));
        self.shared
            .store
            .write(move |tx| {
                let known = tx.poison(id)?;
                let same = suspect.is_some() && suspect == known.suspect;
                let before = if same { known.weight } else { 0 };
                let poison = Poison {
                    count: known.count.saturating_add(1),
                    suspect,
                    weight: before.saturating_add(weight),
                };
                tx.set_poison(id, poison)
            })
            .await
    }

    /// Whether an error may be due to one message, and how much speaks for it: three is enough
    /// to set it aside.
    pub(super) fn poison_weight(e: &ImapError) -> Option<u32> {
        match e {
            ImapError::Guard { .. } | ImapError::Parse { .. } => Some(WEIGHT),
            ImapError::PipelineRefused
            | ImapError::Throttled { .. }
            | ImapError::Unavailable { .. } => None,
            // A server that refuses, or falls over, at one message; or merely a bad line.
            e if e.step() == Some(Step::Fetch) => Some(1),
            _ => None,
        }
    }

    /// What earlier sessions met.
    pub(super) async fn poison(&self) -> Result<Poison, StoreError> {
        let id = self.id;
        self.shared.store.read(move |r| r.poison(id)).await
    }

    /// A whole look went well: forgotten.
    pub(super) async fn forget_poison(&self, known: Poison) -> Result<(), StoreError> {
        if known == Poison::default() {
            return Ok(());
        }
        let id = self.id;
        self.shared
            .store
            .write(move |tx| tx.set_poison(id, Poison::default()))
            .await
    }

    /// Takes in what lies beyond the cursor one by one, passing the message that failed alone.
    /// Does nothing while fetching goes well.
    pub(super) async fn step_carefully(
        &self,
        session: &mut Session,
        origin: &Origin,
        known: Poison,
        report: &mut Report,
    ) -> Result<Epoch, Ended> {
        let mut epoch = origin.epoch;
        if known.count < CAREFUL_AFTER {
            return Ok(epoch);
        }
        let mut uids = Vec::new();
        let mut fetch = session
            .fetch(epoch.cursor_uid, None, FetchWhat::UidsAndDates)
            .await?;
        while let Some(found) = fetch.next().await? {
            if uids.len() < CAREFUL_MESSAGES {
                uids.push(found.uid);
            }
        }
        uids.sort_unstable();
        for uid in uids {
            if known.suspect == Some((epoch.mailbox_id, uid)) && known.weight >= WEIGHT {
                self.set_aside(origin, uid).await?;
            } else {
                let alone = Some((epoch.mailbox_id, uid));
                self.shared.board.note_fetching_alone(self.id, alone);
                let mut haul = Haul::default();
                let fetch = session.fetch_list(&[uid], what_of(origin.role)).await?;
                self.drain(fetch, origin, None, &mut haul).await?;
                self.finish(session, origin, &mut haul, None).await?;
                self.shared.board.note_fetching_alone(self.id, None);
                report.add(&haul.report);
            }
            epoch.cursor_uid = uid.saturating_add(1);
        }
        Ok(epoch)
    }

    pub(super) async fn set_aside(&self, origin: &Origin, uid: u32) -> Result<(), StoreError> {
        let (id, epoch, lease) = (self.id, origin.epoch, origin.lease.clone());
        self.shared
            .store
            .write(move |tx| {
                if let Some(lease) = &lease {
                    tx.check_lease(lease)?;
                }
                let now = time::now();
                tx.insert_quarantined(id, epoch.mailbox_id, epoch.uid_validity, uid, now)?;
                tx.advance_cursor(epoch.id, uid.saturating_add(1))
            })
            .await?;
        error!(
            account = %self.account.name,
            uid,
            "a message cannot be read as the server sends it: set aside, the rest goes on"
        );
        Ok(())
    }
}
