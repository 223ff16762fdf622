//! What a fetch brings, on its way into the store: batches are committed as they fill, so that a
//! backlog of any size takes bounded memory and an end in the middle loses nothing that was read.

use std::collections::BTreeSet;

use crate::capture::{Arrived, Origin, Report};
use crate::imap::{Fetch, FetchWhat, Fetched, Session};
use crate::mime;
use crate::store::StoreError;
use crate::time::{self, UtcMs};

use super::{Ended, Listener};

/// A batch is committed when it has this many messages…
const BATCH_MESSAGES: usize = 50;
/// …or this many bytes: the bound of what one account holds in memory.
const BATCH_BYTES: usize = 2 * 1024 * 1024;
/// A text part that was cut is fetched on up to this much of the message.
const TEXT_BYTES: usize = 1024 * 1024 + 256 * 1024;
/// One piece of it.
const PIECE_BYTES: u32 = 256 * 1024;
/// Cut messages that are kept while a fetch runs on; further ones are fetched again after it.
const CUT_MESSAGES: usize = 8;

/// Messages of one fetch between the wire and the store.
#[derive(Default)]
pub(super) struct Haul {
    ready: Vec<Arrived>,
    bytes: usize,
    /// Their text is fetched on when the fetch has ended.
    cut: Vec<Arrived>,
    /// UIDs that have no row yet although later ones may have: the cursor does not pass them.
    waiting: BTreeSet<u32>,
    last_uid: u32,
    /// UIDs did not ascend (RFC 3501 does not promise it): the cursor moves only at the end.
    disordered: bool,
    /// The cursor has yet to move although no message is ready: one turned out to be gone.
    behind: bool,
    /// What the server received before this moment should have been announced by a push…
    due_before: Option<UtcMs>,
    /// …and so much was not.
    pub(super) missed: u64,
    pub(super) report: Report,
}

impl Haul {
    /// For UIDs that are known beforehand: the cursor may pass `last_uid`.
    pub(super) fn up_to(last_uid: u32) -> Self {
        Self {
            last_uid,
            ..Self::default()
        }
    }

    /// For a look at a mailbox whose IDLE was up: mail from before `due_before` is a missed push.
    pub(super) fn of_poll(due_before: Option<UtcMs>) -> Self {
        Self {
            due_before,
            ..Self::default()
        }
    }

    /// The first UID after everything that was seen.
    pub(super) fn reached(&self) -> u32 {
        self.last_uid.saturating_add(1)
    }

    /// Whether messages still wait for their text.
    pub(super) fn is_cut(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes a message in; one whose text was cut waits until the fetch has ended, and so does
    /// one that the server answers with its size but no body (BODY[] NIL). What comes with
    /// neither is no message: a server may push a message's date unasked, and a row made of
    /// that would keep the mail itself out.
    pub(super) fn take(&mut self, fetched: Fetched, announced: Option<UtcMs>) {
        if fetched.body.is_none() {
            if fetched.size.is_some() && !self.ready.iter().any(|m| m.uid == fetched.uid) {
                self.waiting.insert(fetched.uid);
                self.last_uid = self.last_uid.max(fetched.uid);
            }
            return;
        }
        // Its body came after all.
        self.waiting.remove(&fetched.uid);
        if let (Some(due), Some(received)) = (self.due_before, fetched.internal_date)
            && received < due
        {
            self.missed = self.missed.saturating_add(1);
        }
        self.disordered |= fetched.uid < self.last_uid;
        self.last_uid = self.last_uid.max(fetched.uid);
        if is_cut(&fetched) {
            self.waiting.insert(fetched.uid);
            if self.cut.len() < CUT_MESSAGES {
                self.cut.push(arrived(fetched, announced));
            }
            return;
        }
        let message = arrived(fetched, announced);
        self.bytes = self.bytes.saturating_add(message.bytes.len());
        self.ready.push(message);
    }

    /// Where the cursor may go when everything that is ready is stored.
    fn cursor(&self, ended: bool) -> Option<u32> {
        if self.disordered && !ended {
            return None;
        }
        let waiting = self.waiting.first().copied();
        Some(waiting.map_or(self.reached(), |uid| uid.min(self.reached())))
    }
}

impl Listener {
    /// Reads a fetch to its tagged reply, committing batches as they fill.
    pub(super) async fn drain(
        &self,
        mut fetch: Fetch<'_>,
        origin: &Origin,
        announced: Option<UtcMs>,
        haul: &mut Haul,
    ) -> Result<(), Ended> {
        while let Some(fetched) = fetch.next().await? {
            self.shared.board.alive(self.id);
            haul.take(fetched, announced);
            if haul.ready.len() >= BATCH_MESSAGES || haul.bytes >= BATCH_BYTES {
                self.commit(origin, haul, false).await?;
            }
        }
        self.commit(origin, haul, true).await
    }

    /// Fetches cut texts on, and commits them one by one: each has its row before the cursor
    /// passes it.
    pub(super) async fn finish(
        &self,
        session: &mut Session,
        origin: &Origin,
        haul: &mut Haul,
        announced: Option<UtcMs>,
    ) -> Result<(), Ended> {
        let mut kept = std::mem::take(&mut haul.cut);
        while let Some(uid) = haul.waiting.first().copied() {
            let held = kept.iter().position(|m| m.uid == uid);
            let message = match held {
                Some(at) => Some(kept.swap_remove(at)),
                None => fetch_one(session, uid, announced).await?,
            };
            if let Some(mut message) = message {
                fetch_on(session, &mut message).await?;
                haul.ready.push(message);
            } else {
                // The server counts it and does not give it: its UID has a row all the same.
                self.note_vanished(origin, uid).await?;
                haul.behind = true;
            }
            haul.waiting.remove(&uid);
            self.commit(origin, haul, true).await?;
        }
        Ok(())
    }

    pub(super) async fn note_vanished(&self, origin: &Origin, uid: u32) -> Result<(), StoreError> {
        let (id, epoch, lease) = (self.id, origin.epoch, origin.lease.clone());
        self.shared
            .store
            .write(move |tx| {
                if let Some(lease) = &lease {
                    tx.check_lease(lease)?;
                }
                tx.insert_vanished(id, epoch.mailbox_id, epoch.uid_validity, uid, time::now())
            })
            .await
    }

    /// Commits what is ready, and the cursor with it.
    pub(super) async fn commit(
        &self,
        origin: &Origin,
        haul: &mut Haul,
        ended: bool,
    ) -> Result<(), Ended> {
        if haul.ready.is_empty() && !(ended && (haul.disordered || haul.behind)) {
            return Ok(());
        }
        let batch = std::mem::take(&mut haul.ready);
        haul.bytes = 0;
        let mut origin = origin.clone();
        if origin.cursor_uid.is_some() {
            origin.cursor_uid = haul.cursor(ended);
        }
        let report = self.shared.capture.commit(origin, batch).await?;
        self.shared.board.alive(self.id);
        haul.report.add(&report);
        self.shared.reply_bell.ring();
        Ok(())
    }
}

/// The first part of one message; none when the server no longer has it.
pub(super) async fn fetch_one(
    session: &mut Session,
    uid: u32,
    announced: Option<UtcMs>,
) -> Result<Option<Arrived>, Ended> {
    let mut fetch = session.fetch_list(&[uid], FetchWhat::Prefix).await?;
    let mut found = None;
    while let Some(fetched) = fetch.next().await? {
        if fetched.body.is_some() {
            found = Some(arrived(fetched, announced));
        }
    }
    Ok(found)
}

/// Fetches on while the message ends inside a text that we use.
pub(super) async fn fetch_on(session: &mut Session, message: &mut Arrived) -> Result<(), Ended> {
    while message.bytes.len() < TEXT_BYTES
        && message.bytes.len() < usize::try_from(message.size).unwrap_or(usize::MAX)
        && mime::wants_more_text(&message.bytes, u64::from(message.size))
    {
        let offset = u32::try_from(message.bytes.len()).unwrap_or(u32::MAX);
        let piece = session.fetch_more(message.uid, offset, PIECE_BYTES).await?;
        if piece.is_empty() {
            break;
        }
        message.bytes.extend_from_slice(&piece);
    }
    Ok(())
}

pub(super) fn arrived(fetched: Fetched, announced_at: Option<UtcMs>) -> Arrived {
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
fn is_cut(fetched: &Fetched) -> bool {
    let size = u64::from(fetched.size.unwrap_or(0));
    fetched.body.as_ref().is_some_and(|body| {
        u64::try_from(body.len()).unwrap_or(u64::MAX) < size && mime::wants_more_text(body, size)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(uid: u32, body: &[u8], size: u32) -> Fetched {
        Fetched {
            uid,
            internal_date: None,
            size: Some(size),
            body: Some(body.to_vec()),
        }
    }

    const CUT: &[u8] = b"Content-Type: text/plain\r\n\r\nIt goes on and";

    #[test]
    fn the_cursor_stays_before_the_first_message_that_waits_for_its_text() {
        let mut haul = Haul::default();
        for uid in 5..8 {
            haul.take(fetched(uid, b"Subject: a\r\n\r\nb", 15), None);
        }
        assert_eq!(haul.cursor(false), Some(8));
        haul.take(fetched(8, CUT, 900_000), None);
        haul.take(fetched(9, b"Subject: a\r\n\r\nb", 15), None);
        haul.take(fetched(10, CUT, 900_000), None);
        assert_eq!((haul.cursor(true), haul.reached()), (Some(8), 11));
        haul.waiting.remove(&8);
        assert_eq!(haul.cursor(true), Some(10));
    }

    #[test]
    fn of_many_cut_messages_few_are_held_and_all_are_waited_for() {
        let mut haul = Haul::default();
        for uid in 1..=20 {
            haul.take(fetched(uid, CUT, 900_000), None);
        }
        assert_eq!((haul.cut.len(), haul.waiting.len()), (CUT_MESSAGES, 20));
        assert_eq!(haul.cursor(true), Some(1));
    }

    #[test]
    fn where_uids_do_not_ascend_the_cursor_moves_only_at_the_end() {
        let mut haul = Haul::default();
        haul.take(fetched(7, b"Subject: a\r\n\r\nb", 15), None);
        haul.take(fetched(3, b"Subject: a\r\n\r\nb", 15), None);
        assert_eq!((haul.cursor(false), haul.cursor(true)), (None, Some(8)));
    }

    #[test]
    fn a_message_that_is_counted_but_not_given_is_waited_for() {
        let mut haul = Haul::default();
        let nil = |uid| Fetched {
            uid,
            size: Some(15),
            ..Fetched::default()
        };
        haul.take(fetched(5, b"Subject: a\r\n\r\nb", 15), None);
        haul.take(nil(6), None);
        haul.take(fetched(7, b"Subject: a\r\n\r\nb", 15), None);
        assert_eq!(haul.cursor(true), Some(6));
        haul.take(fetched(6, b"Subject: a\r\n\r\nb", 15), None);
        assert_eq!(haul.cursor(true), Some(8));
    }

    #[test]
    fn only_mail_that_had_time_to_be_announced_counts_as_a_missed_push() {
        let at = |uid, date| Fetched {
            internal_date: Some(UtcMs(date)),
            ..fetched(uid, b"Subject: a\r\n\r\nb", 15)
        };
        let mut haul = Haul::of_poll(Some(UtcMs(10_000)));
        haul.take(at(1, 9_000), None);
        haul.take(at(2, 10_000), None);
        haul.take(at(3, 12_000), None);
        assert_eq!(haul.missed, 1);
        // No IDLE was up: nobody promised anything.
        let mut haul = Haul::of_poll(None);
        haul.take(at(1, 9_000), None);
        assert_eq!(haul.missed, 0);
    }

    #[test]
    fn what_comes_without_a_body_is_no_message() {
        let mut haul = Haul::default();
        let pushed = Fetched {
            uid: 9,
            ..Fetched::default()
        };
        haul.take(pushed, None);
        assert_eq!((haul.reached(), haul.ready.len()), (1, 0));
    }
}
