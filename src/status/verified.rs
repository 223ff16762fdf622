//! Up to when the mailboxes of each account were looked at, by which way, and who asks for a look:
//! what a viewer waits for.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Board;
use crate::model::AccountId;
use crate::time::UtcMs;

/// Why a mailbox was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LookWay {
    /// The server announced news.
    Push,
    /// The period was over, or a session began.
    #[default]
    Poll,
    /// Somebody asked for a conversation.
    View,
}

impl LookWay {
    /// The word for headers and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Poll => "poll",
            Self::View => "view",
        }
    }
}

/// A look that ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What the server had received by then is stored.
    pub at: UtcMs,
    /// Which look it was.
    pub way: LookWay,
    /// When the last look began that answers who asked before.
    pub began: Option<Instant>,
}

/// What the listeners of this process note for viewers.
#[derive(Debug, Default)]
pub(super) struct Looks {
    verified: HashMap<AccountId, Verified>,
    /// Asked for, and not begun. One request stands for all that come before it begins.
    asked: HashMap<AccountId, Instant>,
    /// Begun, and not ended.
    under_way: HashMap<AccountId, Instant>,
    listening: HashMap<AccountId, bool>,
    /// Read by another process.
    elsewhere: HashSet<AccountId>,
    /// Looks because of viewers.
    views: u64,
    changed: watch::Sender<u64>,
}

impl Looks {
    fn tell(&self) {
        self.changed.send_modify(|n| *n = n.wrapping_add(1));
    }
}

impl Board {
    /// A session of this account is there, or has ended.
    pub fn listening(&self, account: AccountId, is: bool) {
        let mut notes = self.notes();
        notes.looks.listening.insert(account, is);
        if !is {
            notes.looks.asked.remove(&account);
            notes.looks.under_way.remove(&account);
        }
        notes.looks.tell();
    }

    /// Another process reads this account, or does not any more.
    pub fn elsewhere(&self, account: AccountId, is: bool) {
        let mut notes = self.notes();
        if is {
            notes.looks.elsewhere.insert(account);
        } else {
            notes.looks.elsewhere.remove(&account);
        }
    }

    /// Whether another process was found to read this account: this one hears nothing of it.
    #[must_use]
    pub fn is_elsewhere(&self, account: AccountId) -> bool {
        self.notes().looks.elsewhere.contains(&account)
    }

    /// Whether a session of this account is there.
    #[must_use]
    pub fn is_listening(&self, account: AccountId) -> bool {
        let notes = self.notes();
        notes.looks.listening.get(&account).copied() == Some(true)
    }

    /// A viewer asks for a look that began at `since` or later. Says whether the account's bell must
    /// be rung: not, while one that was asked for has not begun, or one that will do is under way.
    #[must_use]
    pub fn ask(&self, account: AccountId, since: Instant) -> bool {
        let mut notes = self.notes();
        let begun = notes.looks.under_way.get(&account);
        if begun.is_some_and(|begun| *begun >= since) {
            return false;
        }
        let now = Instant::now();
        notes.looks.asked.insert(account, now).is_none()
    }

    /// Whether a viewer waits for a look to begin.
    #[must_use]
    pub fn is_asked(&self, account: AccountId) -> bool {
        self.notes().looks.asked.contains_key(&account)
    }

    /// A look begins; who asks from now on waits for the next. Says whether a viewer asked.
    pub fn begin(&self, account: AccountId) -> bool {
        let mut notes = self.notes();
        let asked = notes.looks.asked.remove(&account).is_some();
        notes.looks.under_way.insert(account, Instant::now());
        if asked {
            notes.looks.views = notes.looks.views.saturating_add(1);
        }
        asked
    }

    /// A look that began then, `at` on the wall, has ended, and what it found is stored.
    pub fn verified(&self, account: AccountId, began: Instant, at: UtcMs, way: LookWay) {
        let mut notes = self.notes();
        let began = Some(began);
        notes.looks.under_way.remove(&account);
        notes
            .looks
            .verified
            .insert(account, Verified { at, way, began });
        notes.looks.tell();
    }

    /// A look ended that did not see everything: it answers nobody.
    pub fn looked_in_part(&self, account: AccountId) {
        self.notes().looks.under_way.remove(&account);
    }

    /// What the server announced at `at` is stored. It answers nobody who asked for a look.
    pub fn pushed(&self, account: AccountId, at: UtcMs) {
        let mut notes = self.notes();
        let began = notes.looks.verified.get(&account).and_then(|v| v.began);
        let way = LookWay::Push;
        notes
            .looks
            .verified
            .insert(account, Verified { at, way, began });
        notes.looks.tell();
    }

    /// The newest look at an account by this process.
    #[must_use]
    pub fn last_look(&self, account: AccountId) -> Option<Verified> {
        self.notes().looks.verified.get(&account).copied()
    }

    /// Looks because of viewers, since the start.
    #[must_use]
    pub fn views(&self) -> u64 {
        self.notes().looks.views
    }

    /// Changes whenever one of the above does.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.notes().looks.changed.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_before_a_look_begins_shares_it() {
        let (board, account) = (Board::default(), AccountId(1));
        let now = Instant::now();
        let since = Instant::now();
        assert!(board.ask(account, since), "the first rings");
        assert!(
            !board.ask(account, since) && !board.ask(account, since),
            "the others do not"
        );
        assert!(board.begin(account) && !board.begin(account));
        assert_eq!(board.views(), 1);
        assert!(!board.ask(account, now), "the look under way will do");
        let later = Instant::now() + std::time::Duration::from_secs(1);
        assert!(
            board.ask(account, later),
            "too late for that look: another one"
        );
        board.listening(account, false);
        assert!(
            board.ask(account, now),
            "what a lost session was asked for is asked anew"
        );
    }

    #[tokio::test]
    async fn a_push_is_news_and_answers_nobody() {
        let (board, account) = (Board::default(), AccountId(1));
        let mut changes = board.changes();
        let began = Instant::now();
        board.verified(account, began, UtcMs(5), LookWay::View);
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        board.pushed(account, UtcMs(9));
        assert!(changes.has_changed().unwrap());
        let last = board.last_look(account).unwrap();
        assert_eq!(
            (last.at, last.way.as_str(), last.began),
            (UtcMs(9), "push", Some(began))
        );
    }
}
