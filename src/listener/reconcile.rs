//! The nothing-lost proof: which UIDs of the covered window the server has, compared with the
//! rows, on a connection of its own beside the listener. What is missing is taken in as `check`
//! takes it in; what the server lists and does not deliver five times is `vanished`; what was set
//! aside is tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::first::SINCE_SLACK;
use super::{Ended, Listener};
use crate::capture::{Origin, Report};
use crate::imap::{FetchWhat, Session};
use crate::model::{CaptureSource, Epoch, FolderRole, MessageRowId};
use crate::store::{FolderRow, Poison, Proof, Quarantined, StoreError};
use crate::time::{self, UtcMs};

/// UIDs of one SEARCH: bounds its answer, and what is held.
const SPAN: u32 = 1000;
/// Doubled up to this while nothing is there.
const SPAN_MOST: u32 = 64 * 1024;
/// UIDs of one FETCH of dates.
const DATES: usize = 100;
/// Between two SEARCHes: the server has other things to do.
const PAUSE: Duration = Duration::from_millis(20);
/// All of it ends by then; what was not compared is said.
const DEADLINE: Duration = Duration::from_secs(30 * 60);
/// A UID that is listed and not delivered is given up after so many reconciles.
const TRIES: u32 = 5;
/// Such UIDs that are remembered for a mailbox.
const UNDELIVERED: usize = 1000;
/// Set-aside messages are fetched again by themselves so often in all: three sessions ended over
/// each when it was set aside.
const QUARANTINE_TRIES: u32 = 8;
/// Sign-ins are waited for up to this.
const PATIENCE: Duration = Duration::from_secs(150);

/// What comparing one mailbox found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MailboxProof {
    /// Its name.
    pub mailbox: String,
    /// The UIDVALIDITY that the server has now.
    pub uid_validity: u32,
    /// Mail received before is not looked at.
    pub since: Option<UtcMs>,
    /// UIDs of the window that the server has.
    pub on_server: u64,
    /// Those that have a row with a disposition, at the end.
    pub accounted: u64,
    /// Messages that were missing and were taken in now.
    pub taken_in: u64,
    /// Rows of mail that the server no longer has.
    pub expunged: u64,
    /// Rows under earlier UIDVALIDITYs.
    pub earlier_rows: u64,
    /// UIDs that were listed, were not delivered five times, and are given up now.
    pub vanished: u64,
    /// UIDs beyond what the listener has read: they wait for it.
    pub beyond: u32,
    /// Why it could not be compared, or not to its end; empty: it was.
    pub trouble: String,
}

impl MailboxProof {
    /// Whether everything is accounted for.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.trouble.is_empty() && self.accounted == self.on_server
    }
}

/// What a reconcile of an account found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Reconciled {
    /// Its mailboxes.
    pub mailboxes: Vec<MailboxProof>,
    /// Replies among what was taken in.
    pub new_replies: u64,
    /// Set-aside messages that could be read now.
    pub readable_again: u64,
    /// Set-aside messages that wait for a person.
    pub set_aside: u64,
}

impl Reconciled {
    /// Whether everything is accounted for, in every mailbox.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.mailboxes.iter().all(MailboxProof::is_whole)
    }
}

impl Listener {
    /// Compares every mailbox of the account with the store and takes in what is missing.
    /// `days` (24 h each): only those, and the window widens to them where it is narrower; none:
    /// the whole covered window. `waiting` is told when the sign-in has to wait.
    ///
    /// # Errors
    /// Why the account could not be looked at.
    pub async fn reconcile(
        &self,
        days: Option<u32>,
        waiting: impl Fn(Duration),
    ) -> Result<Reconciled, Ended> {
        let until = Instant::now() + DEADLINE;
        let mut session = self.connect_within(PATIENCE, waiting).await?;
        let found = self.reconcile_in(&mut session, days, until).await;
        session.logout().await;
        if let Ok(found) = &found {
            for m in &found.mailboxes {
                let (account, mailbox) = (self.account.name.as_str(), m.mailbox.as_str());
                if m.is_whole() {
                    info!(
                        account,
                        mailbox,
                        taken_in = m.taken_in,
                        "{} of {} accounted for",
                        m.accounted,
                        m.on_server
                    );
                } else {
                    warn!(
                        account,
                        mailbox,
                        taken_in = m.taken_in,
                        "{} of {} accounted for. {}",
                        m.accounted,
                        m.on_server,
                        m.trouble
                    );
                }
            }
        }
        found
    }

    /// Fetches these set-aside messages once more; says how many could be read.
    ///
    /// # Errors
    /// Why the account could not be looked at.
    pub async fn retry_set_aside(
        &self,
        ids: &[MessageRowId],
        waiting: impl Fn(Duration),
    ) -> Result<Report, Ended> {
        let mut session = self.connect_within(PATIENCE, waiting).await?;
        let mut report = Report::default();
        let mine = self.set_aside_here().await?;
        for message in mine.iter().filter(|m| ids.contains(&m.id)) {
            match self.read_again(&mut session, message).await {
                Ok(part) => report.add(&part),
                Err(Ended::Imap(e)) => {
                    report.error(format!("message {}: {e}", message.id));
                    if session.is_broken() {
                        break;
                    }
                }
                Err(e) => return Err(e),
            }
        }
        session.logout().await;
        Ok(report)
    }

    /// The service's next reconcile of this account is due now.
    pub(super) async fn reconcile_soon(&self) -> Result<(), StoreError> {
        let id = self.id;
        self.shared
            .store
            .write(move |tx| {
                let known = tx.reconcile_due(id)?;
                tx.plan_reconcile(id, known, time::now())?;
                Ok(())
            })
            .await
    }

    async fn connect_within(
        &self,
        patience: Duration,
        waiting: impl Fn(Duration),
    ) -> Result<Session, Ended> {
        match self.connect().await {
            Err(Ended::NotBefore(at)) => {
                let wait = at.since(time::now());
                if wait > patience {
                    return Err(Ended::NotBefore(at));
                }
                waiting(wait);
                tokio::time::sleep(wait).await;
                Ok(self.connect().await?.0)
            }
            other => Ok(other?.0),
        }
    }

    async fn reconcile_in(
        &self,
        session: &mut Session,
        days: Option<u32>,
        until: Instant,
    ) -> Result<Reconciled, Ended> {
        let folders = self.folders(session).await?;
        let mut found = Reconciled::default();
        for folder in std::iter::once(&folders.idle).chain(&folders.others) {
            let mut proof = MailboxProof {
                mailbox: folder.name.clone(),
                ..MailboxProof::default()
            };
            match self
                .compare(
                    session,
                    folder,
                    days,
                    until,
                    &mut proof,
                    &mut found.new_replies,
                )
                .await
            {
                Ok(()) => {}
                Err(Ended::Imap(e)) if e.leaves_session_usable() => {
                    proof.trouble = format!("It could not be compared: {e}");
                }
                Err(e) => return Err(e),
            }
            found.mailboxes.push(proof);
        }
        // Last: one of them may end the session.
        for message in self.set_aside_here().await? {
            if message.released.is_some() {
                continue;
            }
            if message.tries < QUARANTINE_TRIES && !session.is_broken() {
                match self.read_again(session, &message).await {
                    Ok(part) if part.processed > 0 => {
                        found.readable_again = found.readable_again.saturating_add(1);
                        found.new_replies = found.new_replies.saturating_add(part.new_replies);
                        continue;
                    }
                    Ok(_) => {}
                    Err(Ended::Imap(e)) => {
                        warn!(account = %self.account.name, message_id = message.id.0, "set aside, and still not readable: {e}");
                    }
                    Err(e) => return Err(e),
                }
            }
            found.set_aside = found.set_aside.saturating_add(1);
        }
        Ok(found)
    }

    async fn set_aside_here(&self) -> Result<Vec<Quarantined>, StoreError> {
        let mut all = self.shared.store.read(|r| r.quarantined()).await?;
        all.retain(|m| m.account == self.account.name);
        Ok(all)
    }

    /// Fetches a set-aside message alone. The attempt is booked first: it may end the session.
    async fn read_again(
        &self,
        session: &mut Session,
        message: &Quarantined,
    ) -> Result<Report, Ended> {
        let id = message.id;
        self.shared
            .store
            .write(move |tx| tx.book_quarantined(id))
            .await?;
        let account = self.id;
        let known = self.shared.store.read(move |r| r.folders(account)).await?;
        let role = known.folders.iter().find(|f| f.id == message.mailbox_id);
        let seen = session.examine(&message.mailbox).await?;
        let epoch = self.epoch(message.mailbox_id, seen.uid_validity).await?;
        let Some(epoch) = epoch.filter(|e| e.uid_validity == message.uid_validity) else {
            return Ok(Report::default());
        };
        let origin = self.beside(role.map_or(FolderRole::Watched, |f| f.role), epoch);
        let (report, _) = self
            .take_list(
                session,
                &origin,
                &[message.uid],
                (UtcMs(0), None),
                Poison::default(),
            )
            .await?;
        Ok(report)
    }

    /// Behind the cursor, without the lease: rows are added, and nothing else.
    fn beside(&self, role: FolderRole, epoch: Epoch) -> Origin {
        Origin {
            account_id: self.id,
            epoch,
            lease: None,
            source: CaptureSource::Check,
            cursor_uid: None,
            seen_until: None,
            authserv_ids: self.account.folders.authserv_ids.clone(),
            role,
            smtp_host: self.smtp_host.clone(),
        }
    }

    async fn compare(
        &self,
        session: &mut Session,
        folder: &FolderRow,
        days: Option<u32>,
        until: Instant,
        proof: &mut MailboxProof,
        new_replies: &mut u64,
    ) -> Result<(), Ended> {
        let mailbox = folder.id;
        // Before EXAMINE: the cursor of a running listener is not beyond the UIDNEXT that follows.
        let epochs = self.shared.store.read(move |r| r.epochs(mailbox)).await?;
        let seen = session.examine(&folder.name).await?;
        let validity = seen.uid_validity;
        proof.uid_validity = validity;
        for earlier in epochs.iter().filter(|e| e.uid_validity != validity) {
            let old = earlier.uid_validity;
            let rows = self
                .shared
                .store
                .read(move |r| r.rows_of_epoch(mailbox, old))
                .await?;
            proof.earlier_rows = proof.earlier_rows.saturating_add(rows);
        }
        let Some(epoch) = epochs.into_iter().find(|e| e.uid_validity == validity) else {
            if seen.exists > 0 {
                proof.trouble =
                    "The service has not looked at it yet under its UIDVALIDITY".to_owned();
            }
            return Ok(());
        };
        if let Some(next) = seen.uid_next {
            proof.beyond = next.saturating_sub(epoch.cursor_uid);
            if next < epoch.cursor_uid {
                proof.trouble = went_back(next, epoch.cursor_uid);
                error!(account = %self.account.name, mailbox = %folder.name, "{}", proof.trouble);
            }
        }
        if epoch.cursor_uid < epoch.first_until {
            proof.trouble = "Its first look is still under way".to_owned();
        }
        let from = days.map_or(epoch.window_from, |days| {
            let day = Duration::from_secs(24 * 3600);
            time::now().minus(day.saturating_mul(days))
        });
        proof.since = Some(from);
        let ended = self
            .compare_ranges(
                session,
                &self.beside(folder.role, epoch),
                from,
                until,
                proof,
                new_replies,
            )
            .await?;
        if !ended {
            proof.trouble = format!(
                "Not compared to its end in {} minutes",
                DEADLINE.as_secs() / 60
            );
        } else if proof.is_whole() && from < epoch.window_from {
            self.shared
                .store
                .write(move |tx| tx.widen_window(epoch.id, from))
                .await?;
        }
        Ok(())
    }

    /// Compares range by range up to the cursor; `false`: the time was over before.
    async fn compare_ranges(
        &self,
        session: &mut Session,
        origin: &Origin,
        since: UtcMs,
        until: Instant,
        proof: &mut MailboxProof,
        new_replies: &mut u64,
    ) -> Result<bool, Ended> {
        let (mailbox, validity) = (origin.epoch.mailbox_id, origin.epoch.uid_validity);
        let before = self.shared.store.read(move |r| r.proof(mailbox)).await?;
        let tried = before
            .filter(|p| p.uid_validity == validity)
            .map(|p| p.undelivered)
            .unwrap_or_default();
        let mut undelivered = BTreeMap::new();
        let (mut from, mut span) = (origin.epoch.floor_uid.max(1), SPAN);
        // Before the cursor, as it stood: what came since is the listener's.
        while from < origin.epoch.cursor_uid {
            if Instant::now() >= until {
                return Ok(false);
            }
            let to = from
                .saturating_add(span.saturating_sub(1))
                .min(origin.epoch.cursor_uid.saturating_sub(1));
            let there = self.there(session, from, to, since).await?;
            let known = self.rows(origin, from, to).await?;
            let unknown: Vec<u32> = there.difference(&known).copied().collect();
            let missing = dated(session, &unknown, since).await?;
            let (report, _) = self
                .take_list(session, origin, &missing, (since, None), Poison::default())
                .await?;
            *new_replies = new_replies.saturating_add(report.new_replies);
            let mut lost = BTreeSet::new();
            if !missing.is_empty() {
                let now = self.rows(origin, from, to).await?;
                let taken = missing.iter().filter(|uid| now.contains(uid)).count();
                proof.taken_in = proof.taken_in.saturating_add(as_u64(taken));
                lost.extend(missing.iter().copied().filter(|uid| !now.contains(uid)));
            }
            if !lost.is_empty() {
                // What was deleted meanwhile is not listed any more.
                let still = self.there(session, from, to, since).await?;
                lost.retain(|uid| still.contains(uid));
            }
            let mut given_up = 0_usize;
            for uid in &lost {
                let tries = tried.get(uid).copied().unwrap_or(0).saturating_add(1);
                if tries >= TRIES {
                    self.note_vanished(origin, *uid).await?;
                    given_up = given_up.saturating_add(1);
                } else if undelivered.len() < UNDELIVERED {
                    undelivered.insert(*uid, tries);
                }
            }
            let accounted = as_u64(there.intersection(&known).count());
            let open = as_u64(lost.len().saturating_sub(given_up));
            proof.vanished = proof.vanished.saturating_add(as_u64(given_up));
            let settled = as_u64(missing.len()).saturating_sub(open);
            proof.accounted = proof
                .accounted
                .saturating_add(accounted)
                .saturating_add(settled);
            proof.on_server = proof
                .on_server
                .saturating_add(accounted)
                .saturating_add(settled)
                .saturating_add(open);
            let gone = as_u64(known.difference(&there).count());
            proof.expunged = proof.expunged.saturating_add(gone);
            span = if there.is_empty() {
                span.saturating_mul(2).min(SPAN_MOST)
            } else {
                SPAN
            };
            from = to.saturating_add(1);
            tokio::time::sleep(PAUSE).await;
        }
        if proof.accounted < proof.on_server && proof.trouble.is_empty() {
            let open = proof.on_server.saturating_sub(proof.accounted);
            proof.trouble = format!(
                "{open} are listed by the server and not delivered: tried again, and recorded as vanished after {TRIES} times"
            );
        }
        let kept = Proof {
            at: time::now().0,
            uid_validity: validity,
            on_server: proof.on_server,
            accounted: proof.accounted,
            undelivered,
        };
        self.shared
            .store
            .write(move |tx| tx.set_proof(mailbox, &kept))
            .await?;
        Ok(true)
    }

    async fn there(
        &self,
        session: &mut Session,
        from: u32,
        to: u32,
        since: UtcMs,
    ) -> Result<BTreeSet<u32>, Ended> {
        let since = since.minus(SINCE_SLACK);
        let found = session.search_between(from, to, since).await?;
        Ok(found
            .into_iter()
            .filter(|uid| (from..=to).contains(uid))
            .collect())
    }

    async fn rows(&self, origin: &Origin, from: u32, to: u32) -> Result<BTreeSet<u32>, StoreError> {
        let (mailbox, validity) = (origin.epoch.mailbox_id, origin.epoch.uid_validity);
        let known = self
            .shared
            .store
            .read(move |r| r.known_uids(mailbox, validity, from, to))
            .await?;
        Ok(known.into_iter().collect())
    }
}

/// Of these UIDs, those that are not known to have been received before `since`.
async fn dated(session: &mut Session, uids: &[u32], since: UtcMs) -> Result<Vec<u32>, Ended> {
    let mut inside: BTreeSet<u32> = uids.iter().copied().collect();
    for chunk in uids.chunks(DATES) {
        let mut fetch = session.fetch_list(chunk, FetchWhat::UidsAndDates).await?;
        while let Some(found) = fetch.next().await? {
            if found.internal_date.is_some_and(|at| at < since) {
                inside.remove(&found.uid);
            }
        }
    }
    Ok(inside.into_iter().collect())
}

/// What it means that UIDNEXT is smaller than it was under the same UIDVALIDITY.
pub(super) fn went_back(next: u32, cursor: u32) -> String {
    format!(
        "UIDNEXT is {next} and was {cursor} before, under the same UIDVALIDITY (RFC 3501 §2.3.1.1 \
         forbids it): a mailbox that was restored from a backup. Mail may get UIDs that were used \
         before: have the server give the mailbox a new UIDVALIDITY"
    )
}

fn as_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
