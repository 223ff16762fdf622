//! FETCH and UID FETCH.

use std::sync::Arc;

use super::command::{FetchItem, SequenceSet};
use super::section::extract;
use super::{Session, Tagged};
use crate::faults::ImapFault;
use crate::stats::Count;
use crate::store::flags::Flags;
use crate::time::imap_date_time;
use crate::verbs::Verb;
use crate::wire::Stop;

/// A message of the answer.
struct Target {
    number: usize,
    uid: u32,
}

/// What is known of it at this moment.
struct Snapshot {
    raw: Arc<[u8]>,
    flags: Flags,
    internal_date: i64,
    recent: bool,
    /// This FETCH has set \Seen.
    seen_now: bool,
}

fn sets_seen(item: &FetchItem) -> bool {
    matches!(item, FetchItem::Body { peek: false, .. })
}

impl Session {
    pub(super) async fn fetch(
        &mut self,
        verb: Verb,
        set: &SequenceSet,
        mut items: Vec<FetchItem>,
    ) -> Result<Tagged, Stop> {
        let by_uid = verb == Verb::UidFetch;
        if by_uid && !items.contains(&FetchItem::Uid) {
            // RFC 3501 §6.4.8: UID is always in the answer to a UID command.
            items.insert(0, FetchItem::Uid);
        }
        let Some(targets) = self.targets(by_uid, set) else {
            return Ok(Tagged::bad("No such message number"));
        };
        for target in targets {
            let Some(snapshot) = self.snapshot(target.uid, items.iter().any(sets_seen)) else {
                // Expunged by another session: nothing to say of it (RFC 2180 §4.1.2).
                continue;
            };
            self.write_response(&target, &snapshot, &items);
            self.shared.counters.add(Count::Fetched);
            self.response_written();
            self.wire.flush_if_large().await?;
        }
        Ok(Tagged::ok(format!("{} completed", verb.name())))
    }

    /// The messages of the set in this session's view, without one that a fault hides.
    fn targets(&self, by_uid: bool, set: &SequenceSet) -> Option<Vec<Target>> {
        let view = &self.selected.as_ref()?.view;
        let positions = if by_uid {
            set.uid_positions(view)
        } else {
            set.positions(view.len())?
        };
        let target = |at: usize| {
            let uid = *view.get(at)?;
            let number = at + 1;
            Some(Target { number, uid })
        };
        let mut targets: Vec<Target> = positions.into_iter().filter_map(target).collect();
        let newest = view.last().copied();
        let hides = |fault: &ImapFault| match fault {
            ImapFault::HideMessage { uid } => {
                let hidden = uid.or(newest)?;
                targets.iter().any(|t| t.uid == hidden).then_some(hidden)
            }
            _ => None,
        };
        if let Some(hidden) = self.shared.faults.imap_first(self.address(), hides) {
            targets.retain(|t| t.uid != hidden);
        }
        Some(targets)
    }

    fn snapshot(&self, uid: u32, sets_seen: bool) -> Option<Snapshot> {
        let selected = self.selected.as_ref()?;
        let mut state = selected.mailbox.lock();
        let mut seen_now = false;
        // EXAMINE never changes a flag (RFC 3501 §6.3.2).
        if sets_seen && !selected.read_only {
            state.change_flags(uid, self.id, |flags| seen_now = flags.set_seen());
        }
        let message = state.get(uid)?;
        let snapshot = Snapshot {
            raw: Arc::clone(&message.raw),
            flags: message.flags.clone(),
            internal_date: message.internal_date,
            recent: selected.is_recent(uid),
            seen_now,
        };
        drop(state);
        if seen_now {
            selected.mailbox.changed.notify_waiters();
        }
        Some(snapshot)
    }

    fn write_response(&mut self, target: &Target, message: &Snapshot, items: &[FetchItem]) {
        self.wire.push(format!("* {} FETCH (", target.number));
        let mut first = true;
        for item in items {
            if !std::mem::take(&mut first) {
                self.wire.push(b" ");
            }
            self.write_item(target, message, item);
        }
        if message.seen_now && !items.contains(&FetchItem::Flags) {
            let flags = message.flags.list(message.recent);
            self.wire.push(format!(" FLAGS {flags}"));
        }
        self.wire.line(b")");
    }

    fn write_item(&mut self, target: &Target, message: &Snapshot, item: &FetchItem) {
        match item {
            FetchItem::Uid => self.wire.push(format!("UID {}", target.uid)),
            FetchItem::Flags => {
                let flags = message.flags.list(message.recent);
                self.wire.push(format!("FLAGS {flags}"));
            }
            FetchItem::InternalDate => {
                let date = imap_date_time(message.internal_date);
                self.wire.push(format!("INTERNALDATE \"{date}\""));
            }
            FetchItem::Size => self.wire.push(format!("RFC822.SIZE {}", message.raw.len())),
            FetchItem::Body {
                name,
                section,
                partial,
                ..
            } => {
                let spoils = |fault: &ImapFault| match fault {
                    ImapFault::SpoilMessage { uid, bytes } if *uid == target.uid => {
                        Some(bytes.clone())
                    }
                    _ => None,
                };
                if let Some(bytes) = self.shared.faults.imap_first(self.address(), spoils) {
                    self.wire.push(bytes);
                    return;
                }
                let whole;
                let bytes: &[u8] = if section.is_whole_message() {
                    &message.raw
                } else {
                    match extract(&message.raw, section) {
                        Some(bytes) => {
                            whole = bytes;
                            &whole
                        }
                        None => {
                            self.wire.push(format!("{name} NIL"));
                            return;
                        }
                    }
                };
                let bytes = match partial {
                    // Beyond the end it is the empty string, not an error (RFC 3501 §6.4.5).
                    Some((offset, count)) => {
                        let rest = bytes.get(*offset..).unwrap_or_default();
                        rest.get(..*count).unwrap_or(rest)
                    }
                    None => bytes,
                };
                self.wire.push(format!("{name} {{{}}}\r\n", bytes.len()));
                if let Some(at) = self.literal_cut.take() {
                    self.wire.cut_in(at);
                }
                self.wire.push(bytes);
            }
        }
    }
}
