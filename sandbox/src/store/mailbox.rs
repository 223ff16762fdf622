//! One mailbox: messages in ascending UID order, and the news of it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::DeliverError;
use super::flags::Flags;

/// A message as it lies in a mailbox.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its UID.
    pub uid: u32,
    /// Its flags, without \Recent.
    pub flags: Vec<String>,
    /// When the server took it, in Unix milliseconds.
    pub internal_date: i64,
    /// The whole message, as it was delivered.
    pub raw: Arc<[u8]>,
}

impl fmt::Debug for StoredMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredMessage")
            .field("uid", &self.uid)
            .field("flags", &self.flags)
            .field("internal_date", &self.internal_date)
            .field("bytes", &self.raw.len())
            .finish()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) uid: u32,
    pub(crate) internal_date: i64,
    pub(crate) raw: Arc<[u8]>,
    pub(crate) flags: Flags,
    /// The mailbox's `change` when the flags last changed, and the session that did it.
    pub(crate) flags_changed: (u64, u64),
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) uid_validity: u32,
    pub(crate) uid_next: u32,
    /// Ascending by UID.
    pub(crate) messages: Vec<Message>,
    /// Messages from this UID on have not been shown to a session that SELECTed.
    pub(crate) first_recent: u32,
    /// Counts flag changes.
    pub(crate) change: u64,
}

impl State {
    pub(crate) fn index_of(&self, uid: u32) -> Option<usize> {
        self.messages.binary_search_by_key(&uid, |m| m.uid).ok()
    }

    pub(crate) fn get(&self, uid: u32) -> Option<&Message> {
        self.index_of(uid).and_then(|i| self.messages.get(i))
    }

    /// Changes the flags of a message in the name of a session; tells whether it is there.
    pub(crate) fn change_flags(
        &mut self,
        uid: u32,
        session: u64,
        how: impl FnOnce(&mut Flags),
    ) -> Option<&Flags> {
        let index = self.index_of(uid)?;
        let message = self.messages.get_mut(index)?;
        let before = message.flags.clone();
        how(&mut message.flags);
        if message.flags != before {
            self.change += 1;
            message.flags_changed = (self.change, session);
        }
        Some(&message.flags)
    }

    pub(crate) fn unseen(&self) -> usize {
        self.messages.iter().filter(|m| !m.flags.is_seen()).count()
    }

    pub(crate) fn recent(&self) -> usize {
        let shown = self.messages.partition_point(|m| m.uid < self.first_recent);
        self.messages.len() - shown
    }
}

#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) name: String,
    state: Mutex<State>,
    /// Rings at each change; listen before looking at the state.
    pub(crate) changed: Notify,
}

impl Mailbox {
    pub(crate) fn new(name: &str, uid_validity: u32) -> Self {
        Self {
            name: name.to_owned(),
            state: Mutex::new(State {
                uid_validity,
                uid_next: 1,
                messages: Vec::new(),
                first_recent: 1,
                change: 0,
            }),
            changed: Notify::new(),
        }
    }

    /// The state; never held across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn append(
        &self,
        raw: Arc<[u8]>,
        internal_date: i64,
        flags: Flags,
        max_messages: usize,
    ) -> Result<u32, DeliverError> {
        let mut state = self.lock();
        if state.messages.len() >= max_messages || state.uid_next == u32::MAX {
            return Err(DeliverError::MailboxFull(self.name.clone()));
        }
        let uid = state.uid_next;
        state.uid_next += 1;
        state.messages.push(Message {
            uid,
            internal_date,
            raw,
            flags,
            flags_changed: (0, 0),
        });
        drop(state);
        self.changed.notify_waiters();
        Ok(uid)
    }

    /// Removes messages for good; the UIDs are never used again.
    pub(crate) fn expunge(&self, mut which: impl FnMut(&Message) -> bool) -> Vec<u32> {
        let mut gone = Vec::new();
        self.lock().messages.retain(|m| {
            let goes = which(m);
            if goes {
                gone.push(m.uid);
            }
            !goes
        });
        if !gone.is_empty() {
            self.changed.notify_waiters();
        }
        gone
    }

    /// Gives the mailbox a new UIDVALIDITY and its messages the UIDs 1, 2, 3 … in order.
    pub(crate) fn reset_uid_validity(&self) -> u32 {
        let mut state = self.lock();
        state.uid_validity = state.uid_validity.wrapping_add(1).max(1);
        let mut uid = 0;
        for message in &mut state.messages {
            uid += 1;
            message.uid = uid;
        }
        state.uid_next = uid + 1;
        state.first_recent = uid + 1;
        let uid_validity = state.uid_validity;
        drop(state);
        self.changed.notify_waiters();
        uid_validity
    }

    pub(crate) fn messages(&self) -> Vec<StoredMessage> {
        self.lock().messages.iter().map(stored).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().messages.len()
    }
}

pub(crate) fn stored(message: &Message) -> StoredMessage {
    StoredMessage {
        uid: message.uid,
        flags: message.flags.names(),
        internal_date: message.internal_date,
        raw: Arc::clone(&message.raw),
    }
}
