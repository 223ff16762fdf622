//! One snapshot for /health, the page and `replyd status`; and the board on which listeners
//! note what they know of their account right now.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{AccountId, AccountState, MailboxId};
use crate::time::UtcMs;

/// What the listeners of this process know right now; clones share it. Holds no fact that is
/// not also in the store or read anew at the next look.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
struct Notes {
    verified: HashMap<AccountId, UtcMs>,
    pushed: HashMap<AccountId, UtcMs>,
    states: HashMap<AccountId, (AccountState, String)>,
    gaps: HashMap<MailboxId, (u32, u8)>,
}

impl Board {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        // A panic while holding it leaves plain data behind: go on with it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A selected mailbox of the account answered OK at `at`.
    pub fn verified(&self, account: AccountId, at: UtcMs) {
        self.notes().verified.insert(account, at);
    }

    /// When the account was last verified by this process.
    #[must_use]
    pub fn verified_at(&self, account: AccountId) -> Option<UtcMs> {
        self.notes().verified.get(&account).copied()
    }

    /// The server pushed news at `at`, which verifies the account as well.
    pub fn pushed(&self, account: AccountId, at: UtcMs) {
        let mut notes = self.notes();
        notes.pushed.insert(account, at);
        notes.verified.insert(account, at);
    }

    /// Notes state and reason; says whether they differ from what was noted before, so that
    /// the store is written only then.
    pub fn changes(&self, account: AccountId, state: AccountState, reason: &str) -> bool {
        let new = (state, reason.to_owned());
        self.notes().states.insert(account, new.clone()).as_ref() != Some(&new)
    }

    /// Notes that UIDs from `from` on were announced but did not come, or (none) that all came.
    /// Says how many looks in a row found the same gap.
    pub fn gap(&self, mailbox: MailboxId, from: Option<u32>) -> u8 {
        let mut notes = self.notes();
        let Some(from) = from else {
            notes.gaps.remove(&mailbox);
            return 0;
        };
        let entry = notes.gaps.entry(mailbox).or_insert((from, 0));
        if entry.0 == from {
            entry.1 = entry.1.saturating_add(1);
        } else {
            *entry = (from, 1);
        }
        entry.1
    }
}
