//! Misbehaviour on demand: what the server does wrong, to whom, and how often.
//!
//! A fault is added at run time and acts on the next matching moment of any session. Faults of
//! different kinds add up at one moment (an injection and a held answer, say); of two of one kind
//! (two refusals, two gates) the first added acts, and the other one at the next moment: so a script
//! of answers is simply added in order.

mod gate;
mod imap;
pub mod raw;
mod smtp;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use gate::Gate;
pub(crate) use imap::Plan;
pub use imap::{Action, AfterDone, IdleEvent, IdleMoment, ImapFault, Status};
pub use smtp::{SmtpAction, SmtpFault, SmtpPoint};

use crate::stats::{Counters, Timeout};
use crate::verbs::Verb;

/// Whom a fault meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Every session; the only choice for faults before a login.
    All,
    /// Sessions of this user. In LOGIN and AUTHENTICATE the user that is claimed; at RCPT also the
    /// recipient.
    User(String),
}

impl Who {
    /// The sessions of one user.
    #[must_use]
    pub fn user(address: &str) -> Self {
        Self::User(address.to_ascii_lowercase())
    }

    fn is_one_of(&self, users: &[&str]) -> bool {
        match self {
            Self::All => true,
            Self::User(who) => users.iter().any(|user| who.eq_ignore_ascii_case(user)),
        }
    }
}

/// How often a fault acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// At the next matching moment only.
    Once,
    /// So many times.
    N(u32),
    /// Until it is removed.
    Always,
}

/// Names a fault that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FaultId(u64);

/// A fault of either protocol.
#[derive(Clone, Debug)]
pub enum Fault {
    /// In IMAP sessions.
    Imap(ImapFault),
    /// In SMTP sessions.
    Smtp(SmtpFault),
}

impl From<ImapFault> for Fault {
    fn from(fault: ImapFault) -> Self {
        Self::Imap(fault)
    }
}

impl From<SmtpFault> for Fault {
    fn from(fault: SmtpFault) -> Self {
        Self::Smtp(fault)
    }
}

#[derive(Debug)]
struct Entry {
    id: FaultId,
    who: Who,
    /// `None`: for ever.
    left: Option<u32>,
    fired: u64,
    fault: Fault,
}

impl Entry {
    fn is_live(&self) -> bool {
        self.left != Some(0)
    }
}

/// Used up entries are kept for `fired()`, but not more than so many.
const KEPT_ENTRIES: usize = 4096;

/// The faults of one sandbox; all methods may be called at any time from any task.
#[derive(Debug)]
pub struct Faults {
    entries: Mutex<(u64, Vec<Entry>)>,
    /// Live entries: sessions skip the lock while there are none.
    live: AtomicUsize,
    counters: Arc<Counters>,
}

impl Faults {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        Self {
            entries: Mutex::new((0, Vec::new())),
            live: AtomicUsize::new(0),
            counters,
        }
    }

    fn lock(&self) -> MutexGuard<'_, (u64, Vec<Entry>)> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a fault; it acts from now on.
    pub fn add(&self, who: Who, times: Times, fault: impl Into<Fault>) -> FaultId {
        let mut entries = self.lock();
        if entries.1.len() >= KEPT_ENTRIES {
            entries.1.retain(Entry::is_live);
        }
        entries.0 += 1;
        let id = FaultId(entries.0);
        entries.1.push(Entry {
            id,
            who,
            left: match times {
                Times::Once => Some(1),
                Times::N(n) => Some(n),
                Times::Always => None,
            },
            fired: 0,
            fault: fault.into(),
        });
        self.recount(&entries.1);
        id
    }

    /// Adds an action at an IMAP command.
    pub fn at(&self, who: Who, times: Times, verb: Verb, action: Action) -> FaultId {
        self.add(who, times, ImapFault::Command { verb, action })
    }

    /// Adds an action at a point of an SMTP session.
    pub fn at_smtp(&self, who: Who, times: Times, point: SmtpPoint, action: SmtpAction) -> FaultId {
        self.add(who, times, SmtpFault::At { point, action })
    }

    /// Holds the answer of the next such command until the gate is released: the command is carried
    /// out, what it found is fixed, and nothing of the answer is written.
    pub fn hold(&self, who: Who, verb: Verb) -> Gate {
        let gate = Gate::new();
        self.at(who, Times::Once, verb, Action::Hold(gate.clone()));
        gate
    }

    /// Holds the next SMTP session that comes to this point; see [`SmtpPoint`].
    pub fn hold_smtp(&self, who: Who, point: SmtpPoint) -> Gate {
        let gate = Gate::new();
        self.at_smtp(who, Times::Once, point, SmtpAction::Hold(gate.clone()));
        gate
    }

    /// Takes a fault back. Sessions that it has already met stay as they are.
    pub fn remove(&self, id: FaultId) {
        let mut entries = self.lock();
        for entry in entries.1.iter_mut().filter(|e| e.id == id) {
            entry.left = Some(0);
        }
        self.recount(&entries.1);
    }

    /// Takes all faults back.
    pub fn clear(&self) {
        let mut entries = self.lock();
        for entry in &mut entries.1 {
            entry.left = Some(0);
        }
        self.recount(&entries.1);
    }

    /// How often this fault has acted.
    #[must_use]
    pub fn fired(&self, id: FaultId) -> u64 {
        let entries = self.lock();
        let entry = entries.1.iter().find(|e| e.id == id);
        entry.map_or(0, |e| e.fired)
    }

    /// Waits until this fault has acted `times` times.
    ///
    /// # Errors
    /// [`Timeout`] when it has not before the deadline.
    pub async fn wait_fired(
        &self,
        id: FaultId,
        times: u64,
        deadline: Duration,
    ) -> Result<(), Timeout> {
        self.counters
            .wait("a fault to act", deadline, || {
                (self.fired(id) >= times).then_some(())
            })
            .await
    }

    fn recount(&self, entries: &[Entry]) {
        let live = entries.iter().filter(|e| e.is_live()).count();
        self.live.store(live, Ordering::Release);
    }

    /// Lets each live fault that meets one of `users` be looked at; those for which `pick` gives
    /// something have acted once more. `only_first` ends the search at the first of them.
    fn take<T>(
        &self,
        users: &[&str],
        only_first: bool,
        mut pick: impl FnMut(&Fault) -> Option<T>,
    ) -> Vec<T> {
        let mut taken = Vec::new();
        if self.live.load(Ordering::Acquire) == 0 {
            return taken;
        }
        let mut entries = self.lock();
        for entry in &mut entries.1 {
            if !entry.is_live() || !entry.who.is_one_of(users) {
                continue;
            }
            if let Some(found) = pick(&entry.fault) {
                entry.left = entry.left.map(|n| n.saturating_sub(1));
                entry.fired += 1;
                taken.push(found);
                if only_first {
                    break;
                }
            }
        }
        if !taken.is_empty() {
            self.recount(&entries.1);
            drop(entries);
            self.counters.changed();
        }
        taken
    }

    /// All IMAP faults of this moment.
    pub(crate) fn imap<T>(
        &self,
        user: Option<&str>,
        mut pick: impl FnMut(&ImapFault) -> Option<T>,
    ) -> Vec<T> {
        self.take(user.as_slice(), false, |fault| match fault {
            Fault::Imap(fault) => pick(fault),
            Fault::Smtp(_) => None,
        })
    }

    /// The first IMAP fault of this moment; the others keep their count.
    pub(crate) fn imap_first<T>(
        &self,
        user: Option<&str>,
        mut pick: impl FnMut(&ImapFault) -> Option<T>,
    ) -> Option<T> {
        self.take(user.as_slice(), true, |fault| match fault {
            Fault::Imap(fault) => pick(fault),
            Fault::Smtp(_) => None,
        })
        .pop()
    }

    /// What is to go wrong at this point of an SMTP session: at most one gate, and one other action.
    pub(crate) fn smtp_actions(&self, users: &[&str], point: SmtpPoint) -> Vec<SmtpAction> {
        let (mut held, mut acted) = (false, false);
        self.take(users, false, |fault| match fault {
            Fault::Smtp(SmtpFault::At { point: p, action }) if *p == point => {
                let taken = match action {
                    SmtpAction::Hold(_) => &mut held,
                    _ => &mut acted,
                };
                (!std::mem::replace(taken, true)).then(|| action.clone())
            }
            _ => None,
        })
    }

    /// The first SMTP fault that `pick` wants; the others keep their count.
    pub(crate) fn smtp_first<T>(
        &self,
        users: &[&str],
        mut pick: impl FnMut(&SmtpFault) -> Option<T>,
    ) -> Option<T> {
        self.take(users, true, |fault| match fault {
            Fault::Smtp(fault) => pick(fault),
            Fault::Imap(_) => None,
        })
        .pop()
    }

    /// What is to go wrong with one command.
    pub(crate) fn plan(&self, user: Option<&str>, verb: Verb) -> Plan {
        let mut plan = Plan::default();
        self.imap(user, |fault| match fault {
            ImapFault::Command { verb: v, action } if *v == verb => plan.add(action).then_some(()),
            _ => None,
        });
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults() -> Faults {
        Faults::new(Arc::new(Counters::new()))
    }

    #[test]
    fn a_fault_acts_as_often_as_it_was_told_and_only_on_its_user() {
        let faults = faults();
        let id = faults.at(
            Who::user("Ann@Example.com"),
            Times::N(2),
            Verb::Noop,
            Action::Close,
        );
        assert!(faults.plan(None, Verb::Noop).close.is_none());
        assert!(
            faults
                .plan(Some("bob@example.com"), Verb::Noop)
                .close
                .is_none()
        );
        assert!(
            faults
                .plan(Some("ann@example.com"), Verb::Idle)
                .close
                .is_none()
        );
        for _ in 0..2 {
            assert!(
                faults
                    .plan(Some("ann@example.com"), Verb::Noop)
                    .close
                    .is_some()
            );
        }
        assert!(
            faults
                .plan(Some("ann@example.com"), Verb::Noop)
                .close
                .is_none()
        );
        assert_eq!(faults.fired(id), 2);
    }

    #[test]
    fn removed_and_cleared_faults_do_nothing() {
        let faults = faults();
        let id = faults.at(Who::All, Times::Always, Verb::Noop, Action::Close);
        faults.remove(id);
        faults.at(Who::All, Times::Always, Verb::Noop, Action::Close);
        faults.clear();
        assert!(faults.plan(None, Verb::Noop).close.is_none());
        assert_eq!(faults.live.load(Ordering::Acquire), 0);
    }

    #[tokio::test]
    async fn a_gate_tells_who_waits_and_lets_pass_after_release() {
        let gate = Gate::new();
        let short = Duration::from_millis(1);
        gate.reached(short).await.unwrap_err();
        let pass = tokio::spawn({
            let gate = gate.clone();
            async move { gate.pass().await }
        });
        gate.reached(Duration::from_secs(5)).await.unwrap();
        assert!(!pass.is_finished());
        gate.release();
        pass.await.unwrap();
        gate.pass().await;
    }
}
