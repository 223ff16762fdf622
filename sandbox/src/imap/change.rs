//! APPEND, STORE and EXPUNGE.

use std::sync::Arc;

use super::command::SequenceSet;
use super::{Session, Tagged};
use crate::store::flags::{FlagChange, Flags};
use crate::verbs::Verb;

impl Session {
    pub(super) fn append(
        &mut self,
        name: &str,
        flags: Flags,
        internal_date: Option<i64>,
        message: Vec<u8>,
    ) -> Tagged {
        let Some(mailbox) = self.user.as_ref().and_then(|u| u.mailbox(name)) else {
            return Tagged::no("[TRYCREATE] No such mailbox");
        };
        let options = &self.shared.options;
        let date = internal_date.unwrap_or_else(|| options.clock.now_ms());
        let uid_validity = mailbox.lock().uid_validity;
        let max = options.max_mailbox_messages;
        match mailbox.append(Arc::from(message), date, flags, max) {
            Ok(uid) => {
                self.shared.counters.changed();
                Tagged::ok(format!("[APPENDUID {uid_validity} {uid}] APPEND completed"))
            }
            Err(error) => Tagged::no(format!("[OVERQUOTA] {error}")),
        }
    }

    pub(super) fn store(
        &mut self,
        verb: Verb,
        set: &SequenceSet,
        how: FlagChange,
        silent: bool,
        by: &Flags,
    ) -> Tagged {
        let by_uid = verb == Verb::UidStore;
        let Some(selected) = self.selected.as_ref() else {
            return Tagged::bad("Select a mailbox first");
        };
        if selected.read_only {
            return Tagged::no("[READ-ONLY] The mailbox was examined, not selected");
        }
        let positions = if by_uid {
            set.uid_positions(&selected.view)
        } else {
            match set.positions(selected.view.len()) {
                Some(positions) => positions,
                None => return Tagged::bad("No such message number"),
            }
        };
        let mut lines = Vec::new();
        {
            let mut state = selected.mailbox.lock();
            for position in positions {
                let Some(uid) = selected.view.get(position).copied() else {
                    continue;
                };
                let flags = state.change_flags(uid, self.id, |flags| flags.change(how, by));
                let Some(flags) = flags.filter(|_| !silent) else {
                    continue;
                };
                let list = flags.list(selected.is_recent(uid));
                let uid = if by_uid {
                    format!("UID {uid} ")
                } else {
                    String::new()
                };
                lines.push(format!("* {} FETCH ({uid}FLAGS {list})", position + 1));
            }
        }
        selected.mailbox.changed.notify_waiters();
        for line in lines {
            self.data(line);
        }
        Tagged::ok(format!("{} completed", verb.name()))
    }

    /// Removes the messages with \Deleted (of the UIDs in the set, if there is one). The EXPUNGE
    /// responses come with the sync that ends the command.
    pub(super) fn expunge(&mut self, set: Option<&SequenceSet>) -> Tagged {
        let Some(selected) = self.selected.as_ref() else {
            return Tagged::bad("Select a mailbox first");
        };
        if selected.read_only {
            return Tagged::no("[READ-ONLY] The mailbox was examined, not selected");
        }
        let chosen: Option<Vec<u32>> = set.map(|set| {
            let positions = set.uid_positions(&selected.view);
            let uids = positions.iter().filter_map(|at| selected.view.get(*at));
            uids.copied().collect()
        });
        selected.mailbox.expunge(|message| {
            let listed = chosen
                .as_ref()
                .is_none_or(|uids| uids.binary_search(&message.uid).is_ok());
            message.flags.is_deleted() && listed
        });
        Tagged::ok("EXPUNGE completed")
    }
}
