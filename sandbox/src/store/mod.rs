//! Users and their mailboxes, in memory.

pub(crate) mod flags;
pub(crate) mod mailbox;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::Notify;

pub(crate) use mailbox::Mailbox;
pub use mailbox::StoredMessage;

use crate::delivery::Robot;
use crate::faults::IdleEvent;

/// Why a message was not put into a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliverError {
    /// `add_user` was not called for this address.
    #[error("No such user")]
    UnknownUser,
    /// `Options::max_mailbox_messages` is reached.
    #[error("Mailbox {0} is full")]
    MailboxFull(String),
    /// The message is larger than `Options::max_message_bytes`.
    #[error("Message too large")]
    TooLarge,
}

/// What all sessions of a user are told by the test.
#[derive(Clone, Debug)]
pub(crate) enum Signal {
    /// Close the socket without another word.
    Disconnect,
    /// Do this if you are in IDLE.
    Idle(IdleEvent),
}

/// One user.
pub(crate) struct User {
    pub(crate) address: String,
    secret: Mutex<Secret>,
    mailboxes: Mutex<BTreeMap<String, Arc<Mailbox>>>,
    signal: Mutex<(u64, Option<Signal>)>,
    /// Rings when `signal` is set; listen before looking.
    pub(crate) signalled: Notify,
    robot: Mutex<Option<Robot>>,
    idling: AtomicU32,
    validity: Arc<AtomicU32>,
}

#[derive(Default)]
struct Secret {
    password: String,
    token: Option<String>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("User")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// INBOX is INBOX in any case; other names are as they are (RFC 3501 §5.1).
fn canonical(name: &str) -> &str {
    if name.eq_ignore_ascii_case("INBOX") {
        "INBOX"
    } else {
        name
    }
}

impl User {
    pub(crate) fn password_is(&self, password: &str) -> bool {
        lock(&self.secret).password == password
    }

    pub(crate) fn token_is(&self, token: &str) -> bool {
        lock(&self.secret).token.as_deref() == Some(token)
    }

    pub(crate) fn set_password(&self, password: &str) {
        password.clone_into(&mut lock(&self.secret).password);
    }

    pub(crate) fn set_token(&self, token: Option<&str>) {
        lock(&self.secret).token = token.map(str::to_owned);
    }

    pub(crate) fn mailbox(&self, name: &str) -> Option<Arc<Mailbox>> {
        lock(&self.mailboxes).get(canonical(name)).map(Arc::clone)
    }

    /// The mailbox of this name, made if it is not there.
    pub(crate) fn mailbox_or_new(&self, name: &str) -> Arc<Mailbox> {
        let name = canonical(name);
        let mut mailboxes = lock(&self.mailboxes);
        let mailbox = mailboxes.entry(name.to_owned()).or_insert_with(|| {
            let validity = self.validity.fetch_add(1, Ordering::Relaxed);
            Arc::new(Mailbox::new(name, validity))
        });
        Arc::clone(mailbox)
    }

    pub(crate) fn mailbox_names(&self) -> Vec<String> {
        lock(&self.mailboxes).keys().cloned().collect()
    }

    /// Tells all sessions of this user; only the last signal counts.
    pub(crate) fn send(&self, signal: Signal) {
        {
            let mut current = lock(&self.signal);
            current.0 += 1;
            current.1 = Some(signal);
        }
        self.signalled.notify_waiters();
    }

    /// The number of the last signal: what a session has seen when it starts.
    pub(crate) fn signal_epoch(&self) -> u64 {
        lock(&self.signal).0
    }

    /// The last signal, if it is newer than `seen`, which is moved on.
    pub(crate) fn signal_since(&self, seen: &mut u64) -> Option<Signal> {
        let current = lock(&self.signal);
        if current.0 == *seen {
            return None;
        }
        *seen = current.0;
        current.1.clone()
    }

    pub(crate) fn set_robot(&self, robot: Option<Robot>) {
        *lock(&self.robot) = robot;
    }

    pub(crate) fn robot(&self) -> Option<Robot> {
        lock(&self.robot).clone()
    }

    pub(crate) fn idling(&self) -> u32 {
        self.idling.load(Ordering::Relaxed)
    }

    /// Counts one idling session until the guard goes.
    pub(crate) fn idle(self: &Arc<Self>) -> IdleGuard {
        self.idling.fetch_add(1, Ordering::Relaxed);
        IdleGuard(Arc::clone(self))
    }
}

/// Counts down `User::idling` when dropped.
#[derive(Debug)]
pub(crate) struct IdleGuard(Arc<User>);

impl Drop for IdleGuard {
    fn drop(&mut self) {
        self.0.idling.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All users, by address in lower case.
#[derive(Debug)]
pub(crate) struct Store {
    users: RwLock<HashMap<String, Arc<User>>>,
    /// Each mailbox gets another UIDVALIDITY, so that no two are mixed up by chance.
    validity: Arc<AtomicU32>,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self {
            users: RwLock::new(HashMap::new()),
            validity: Arc::new(AtomicU32::new(1_000)),
        }
    }

    /// Adds a user with an INBOX, or changes the password of one that is there.
    pub(crate) fn add_user(&self, address: &str, password: &str) -> Arc<User> {
        let key = address.to_ascii_lowercase();
        let mut users = self.users.write().unwrap_or_else(PoisonError::into_inner);
        let user = users.entry(key.clone()).or_insert_with(|| {
            Arc::new(User {
                address: key,
                secret: Mutex::default(),
                mailboxes: Mutex::default(),
                signal: Mutex::default(),
                signalled: Notify::new(),
                robot: Mutex::default(),
                idling: AtomicU32::new(0),
                validity: Arc::clone(&self.validity),
            })
        });
        user.set_password(password);
        user.mailbox_or_new("INBOX");
        Arc::clone(user)
    }

    pub(crate) fn user(&self, address: &str) -> Option<Arc<User>> {
        let key = address.to_ascii_lowercase();
        let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
        users.get(&key).map(Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_ascend_and_are_never_used_again() {
        let store = Store::new();
        let user = store.add_user("Ann@example.com", "x");
        let inbox = user.mailbox("inbox").unwrap();
        let add = || {
            let raw: Arc<[u8]> = Arc::from(&b"x"[..]);
            inbox.append(raw, 0, flags::Flags::default(), 10).unwrap()
        };
        assert_eq!((add(), add()), (1, 2));
        assert_eq!(inbox.expunge(|m| m.uid == 2), [2]);
        assert_eq!(add(), 3);
        let validity = inbox.lock().uid_validity;
        assert_ne!(inbox.reset_uid_validity(), validity);
        let uids: Vec<u32> = inbox.messages().iter().map(|m| m.uid).collect();
        assert_eq!(uids, [1, 2]);
    }

    #[test]
    fn a_full_mailbox_refuses() {
        let mailbox = Mailbox::new("INBOX", 1);
        let raw: Arc<[u8]> = Arc::from(&b"x"[..]);
        let flags = flags::Flags::default;
        mailbox.append(Arc::clone(&raw), 0, flags(), 1).unwrap();
        mailbox.append(raw, 0, flags(), 1).unwrap_err();
    }
}
