//! What a session knows of its mailbox, and how it learns of changes.
//!
//! RFC 3501 §2.3.1.2, §5.2, §7.4.1: sequence numbers are the session's own; they move only by
//! EXPUNGE and EXISTS responses, and EXPUNGE never comes in an answer to FETCH, STORE or SEARCH.

use std::sync::Arc;

use crate::store::Mailbox;

/// A selected mailbox.
pub(crate) struct Selected {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) read_only: bool,
    pub(crate) uid_validity: u32,
    /// The UIDs of the messages that the client knows, by sequence number.
    pub(crate) view: Vec<u32>,
    /// Those of them that are \Recent in this session, ascending.
    recent: Vec<u32>,
    /// The highest UID that was ever announced; those below that are not in `view` are gone.
    top: u32,
    /// The mailbox's flag changes up to here are known.
    change: u64,
}

/// What a sync may and shall do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SyncRules {
    /// EXPUNGE responses are allowed now.
    pub(crate) expunge: bool,
    /// New messages enter the view without a word (a fault).
    pub(crate) mute: bool,
}

/// The mailbox is not what was selected any more: its UIDVALIDITY has changed.
#[derive(Debug)]
pub(crate) struct Reset;

impl Selected {
    /// Selects; `session` counts as the one that has seen new messages unless it only examines.
    pub(crate) fn open(mailbox: Arc<Mailbox>, read_only: bool) -> Self {
        let mut state = mailbox.lock();
        let view: Vec<u32> = state.messages.iter().map(|m| m.uid).collect();
        let first = state.first_recent;
        let recent = view.iter().copied().filter(|u| *u >= first).collect();
        if !read_only {
            state.first_recent = state.uid_next;
        }
        let (uid_validity, change) = (state.uid_validity, state.change);
        let top = state.uid_next - 1;
        drop(state);
        Self {
            mailbox,
            read_only,
            uid_validity,
            view,
            recent,
            top,
            change,
        }
    }

    pub(crate) fn is_recent(&self, uid: u32) -> bool {
        self.recent.binary_search(&uid).is_ok()
    }

    pub(crate) fn recent_count(&self) -> usize {
        self.recent.len()
    }

    /// The UID that the next message had at the time of the last sync.
    pub(crate) fn uid_next(&self) -> u32 {
        self.top + 1
    }

    /// Is there a message that was not announced yet?
    pub(crate) fn has_news(&self) -> bool {
        let state = self.mailbox.lock();
        state.uid_validity != self.uid_validity
            || state.messages.last().is_some_and(|m| m.uid > self.top)
    }

    /// Writes what has changed since the last sync to `out`; tells whether EXISTS was among it.
    pub(crate) fn sync(
        &mut self,
        session: u64,
        rules: SyncRules,
        out: &mut Vec<u8>,
    ) -> Result<bool, Reset> {
        let mut state = self.mailbox.lock();
        if state.uid_validity != self.uid_validity {
            return Err(Reset);
        }
        let known = state.messages.partition_point(|m| m.uid <= self.top);
        if rules.expunge && known < self.view.len() {
            let gone: Vec<usize> = (0..self.view.len())
                .filter(|i| self.view.get(*i).is_some_and(|u| state.get(*u).is_none()))
                .collect();
            // From the end on, so that the numbers of those before stay right.
            for index in gone.into_iter().rev() {
                let uid = self.view.remove(index);
                if let Ok(at) = self.recent.binary_search(&uid) {
                    self.recent.remove(at);
                }
                out.extend_from_slice(format!("* {} EXPUNGE\r\n", index + 1).as_bytes());
            }
        }
        let fresh: Vec<u32> = state.messages.iter().skip(known).map(|m| m.uid).collect();
        let announced = !fresh.is_empty() && !rules.mute;
        if let Some(last) = fresh.last() {
            self.top = *last;
            let first_recent = state.first_recent;
            self.recent
                .extend(fresh.iter().copied().filter(|u| *u >= first_recent));
            if !self.read_only {
                state.first_recent = state.uid_next;
            }
            self.view.extend(fresh);
        }
        if announced {
            let (exists, recent) = (self.view.len(), self.recent.len());
            out.extend_from_slice(format!("* {exists} EXISTS\r\n* {recent} RECENT\r\n").as_bytes());
        }
        if state.change > self.change {
            for (index, uid) in self.view.iter().enumerate() {
                let Some(message) = state.get(*uid) else {
                    continue;
                };
                let (when, by) = message.flags_changed;
                if when > self.change && by != session {
                    let flags = message.flags.list(self.recent.binary_search(uid).is_ok());
                    let line = format!("* {} FETCH (UID {uid} FLAGS {flags})\r\n", index + 1);
                    out.extend_from_slice(line.as_bytes());
                }
            }
            self.change = state.change;
        }
        Ok(announced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::flags::Flags;

    const ALL: SyncRules = SyncRules {
        expunge: true,
        mute: false,
    };
    const NO_EXPUNGE: SyncRules = SyncRules {
        expunge: false,
        mute: false,
    };

    fn add(mailbox: &Mailbox) -> u32 {
        let raw = Arc::from(&b"x"[..]);
        mailbox.append(raw, 0, Flags::default(), 100).unwrap()
    }

    fn sync(selected: &mut Selected, rules: SyncRules) -> String {
        let mut out = Vec::new();
        selected.sync(1, rules, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_move_only_when_expunge_may_be_said() {
        let mailbox = Arc::new(Mailbox::new("INBOX", 1));
        for _ in 0..3 {
            add(&mailbox);
        }
        let mut selected = Selected::open(Arc::clone(&mailbox), false);
        assert_eq!(selected.recent_count(), 3);
        mailbox.expunge(|m| m.uid != 2);
        add(&mailbox);
        assert_eq!(
            sync(&mut selected, NO_EXPUNGE),
            "* 4 EXISTS\r\n* 4 RECENT\r\n",
            "the gone ones still have their numbers"
        );
        assert_eq!(sync(&mut selected, ALL), "* 3 EXPUNGE\r\n* 1 EXPUNGE\r\n");
        assert_eq!(selected.view, [2, 4]);
        assert_eq!(sync(&mut selected, ALL), "");
    }

    #[test]
    fn a_message_that_came_and_went_between_two_syncs_is_never_announced() {
        let mailbox = Arc::new(Mailbox::new("INBOX", 1));
        let mut selected = Selected::open(Arc::clone(&mailbox), true);
        let uid = add(&mailbox);
        mailbox.expunge(|m| m.uid == uid);
        assert_eq!(sync(&mut selected, ALL), "");
        add(&mailbox);
        assert_eq!(sync(&mut selected, ALL), "* 1 EXISTS\r\n* 1 RECENT\r\n");
    }

    #[test]
    fn examine_leaves_recent_to_others_and_select_takes_it() {
        let mailbox = Arc::new(Mailbox::new("INBOX", 1));
        add(&mailbox);
        assert_eq!(Selected::open(Arc::clone(&mailbox), true).recent_count(), 1);
        assert_eq!(
            Selected::open(Arc::clone(&mailbox), false).recent_count(),
            1
        );
        assert_eq!(
            Selected::open(Arc::clone(&mailbox), false).recent_count(),
            0
        );
    }

    #[test]
    fn flag_changes_of_others_are_told_and_own_ones_are_not() {
        let mailbox = Arc::new(Mailbox::new("INBOX", 1));
        let uid = add(&mailbox);
        let mut selected = Selected::open(Arc::clone(&mailbox), true);
        let seen = |flags: &mut Flags| {
            flags.set_seen();
        };
        mailbox.lock().change_flags(uid, 2, seen);
        assert_eq!(
            sync(&mut selected, ALL),
            "* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent))\r\n"
        );
        mailbox.lock().change_flags(uid, 1, |f| {
            f.add("\\Flagged");
        });
        assert_eq!(sync(&mut selected, ALL), "");
    }

    #[test]
    fn a_new_uidvalidity_is_noticed() {
        let mailbox = Arc::new(Mailbox::new("INBOX", 1));
        let mut selected = Selected::open(Arc::clone(&mailbox), true);
        mailbox.reset_uid_validity();
        assert!(selected.has_news());
        selected.sync(1, ALL, &mut Vec::new()).unwrap_err();
    }
}
