//! SELECT, EXAMINE, CREATE, LIST, LSUB and STATUS.

use std::sync::Arc;

use super::command::StatusItem;
use super::view::Selected;
use super::{Session, Tagged};
use crate::faults::ImapFault;
use crate::store::flags::SYSTEM;
use crate::verbs::Verb;

/// A mailbox name as an astring of a response.
fn quoted(name: &str) -> String {
    if name.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
        return format!("\"{escaped}\"");
    }
    format!("{{{}}}\r\n{name}", name.len())
}

/// Does `name` match LIST's pattern? `*` is anything, `%` anything without `/`.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // Greedy with one step back to the last wildcard at a time: the states are positions in the
    // pattern, so the time is bounded by their product.
    let mut states = vec![false; pattern.len() + 1];
    let close = |states: &mut Vec<bool>| {
        for (at, byte) in pattern.iter().enumerate() {
            if matches!(byte, b'*' | b'%')
                && states.get(at) == Some(&true)
                && let Some(next) = states.get_mut(at + 1)
            {
                *next = true;
            }
        }
    };
    if let Some(first) = states.first_mut() {
        *first = true;
    }
    close(&mut states);
    for byte in name {
        let mut next = vec![false; pattern.len() + 1];
        for (at, wanted) in pattern.iter().enumerate() {
            if states.get(at) != Some(&true) {
                continue;
            }
            let stays = *wanted == b'*' || (*wanted == b'%' && *byte != b'/');
            let target = if stays {
                at
            } else if wanted == byte && !matches!(wanted, b'*' | b'%') {
                at + 1
            } else {
                continue;
            };
            if let Some(state) = next.get_mut(target) {
                *state = true;
            }
        }
        close(&mut next);
        states = next;
    }
    states.last() == Some(&true)
}

/// RFC 6154: what a mailbox is for, by its usual name.
fn special_use(name: &str) -> &'static str {
    match name.rsplit('/').next().unwrap_or(name) {
        "Sent" | "Sent Items" => " \\Sent",
        "Drafts" => " \\Drafts",
        "Trash" => " \\Trash",
        "Junk" | "Spam" => " \\Junk",
        "Archive" => " \\Archive",
        _ => "",
    }
}

impl Session {
    fn omits_uid_next(&self) -> bool {
        let omits = |fault: &ImapFault| matches!(fault, ImapFault::OmitUidNext).then_some(());
        self.shared
            .faults
            .imap_first(self.address(), omits)
            .is_some()
    }

    pub(super) fn select(&mut self, name: &str, read_only: bool) -> Tagged {
        // A failed SELECT leaves nothing selected (RFC 3501 §6.3.1).
        self.selected = None;
        let Some(mailbox) = self.user.as_ref().and_then(|u| u.mailbox(name)) else {
            return Tagged::no("[NONEXISTENT] No such mailbox");
        };
        let omits_uid_next = self.omits_uid_next();
        let selected = Selected::open(Arc::clone(&mailbox), read_only);
        let system = SYSTEM.join(" ");
        let permanent = if read_only {
            String::new()
        } else {
            format!("{system} \\*")
        };
        let first_unseen = {
            let state = mailbox.lock();
            let unseen = |uid: &u32| state.get(*uid).is_some_and(|m| !m.flags.is_seen());
            selected.view.iter().position(unseen)
        };
        // Of the same moment as EXISTS; what came since is announced by the next sync.
        let uid_next = selected.uid_next();
        self.data(format!("* FLAGS ({system})"));
        self.data(format!("* OK [PERMANENTFLAGS ({permanent})] Flags"));
        self.data(format!("* {} EXISTS", selected.view.len()));
        self.data(format!("* {} RECENT", selected.recent_count()));
        if let Some(first) = first_unseen {
            self.data(format!("* OK [UNSEEN {}] First unseen", first + 1));
        }
        self.data(format!(
            "* OK [UIDVALIDITY {}] UIDs valid",
            selected.uid_validity
        ));
        if !omits_uid_next {
            self.data(format!("* OK [UIDNEXT {uid_next}] Next UID"));
        }
        self.selected = Some(Box::new(selected));
        Tagged::ok(if read_only {
            "[READ-ONLY] EXAMINE completed"
        } else {
            "[READ-WRITE] SELECT completed"
        })
    }

    pub(super) fn create(&mut self, name: &str) -> Tagged {
        let Some(user) = &self.user else {
            return Tagged::bad("Log in first");
        };
        if user.mailbox(name).is_some() {
            return Tagged::no("[ALREADYEXISTS] Mailbox exists");
        }
        if name.is_empty() || name.len() > 1_000 || user.mailbox_names().len() >= 10_000 {
            return Tagged::no("[CANNOT] Not possible");
        }
        user.mailbox_or_new(name);
        Tagged::ok("CREATE completed")
    }

    pub(super) fn list(&mut self, verb: Verb, reference: &str, pattern: &str) -> Tagged {
        let names = self.user.as_ref().map(|u| u.mailbox_names());
        let verb_name = verb.name();
        if pattern.is_empty() {
            // The delimiter is asked for (RFC 3501 §6.3.8).
            self.data(format!("* {verb_name} (\\Noselect) \"/\" \"\""));
            return Tagged::ok("LIST completed");
        }
        let whole = format!("{reference}{pattern}");
        for name in names.unwrap_or_default() {
            let inbox = name == "INBOX" && matches(&upper(&whole), b"INBOX");
            if inbox || matches(whole.as_bytes(), name.as_bytes()) {
                let (special, name) = (special_use(&name), quoted(&name));
                self.data(format!(
                    "* {verb_name} (\\HasNoChildren{special}) \"/\" {name}"
                ));
            }
        }
        Tagged::ok(format!("{verb_name} completed"))
    }

    pub(super) fn status(&mut self, name: &str, items: &[StatusItem]) -> Tagged {
        let Some(mailbox) = self.user.as_ref().and_then(|u| u.mailbox(name)) else {
            return Tagged::no("[NONEXISTENT] No such mailbox");
        };
        let omits_uid_next = self.omits_uid_next();
        let mut values = Vec::new();
        {
            let state = mailbox.lock();
            for item in items {
                values.push(match item {
                    StatusItem::Messages => format!("MESSAGES {}", state.messages.len()),
                    StatusItem::Recent => format!("RECENT {}", state.recent()),
                    StatusItem::UidNext if omits_uid_next => continue,
                    StatusItem::UidNext => format!("UIDNEXT {}", state.uid_next),
                    StatusItem::UidValidity => format!("UIDVALIDITY {}", state.uid_validity),
                    StatusItem::Unseen => format!("UNSEEN {}", state.unseen()),
                });
            }
        }
        let (name, values) = (quoted(&mailbox.name), values.join(" "));
        self.data(format!("* STATUS {name} ({values})"));
        Tagged::ok("STATUS completed")
    }

    /// One whole untagged response; faults count these.
    pub(super) fn data(&mut self, line: String) {
        self.wire.line(line);
        self.response_written();
    }

    pub(super) fn response_written(&mut self) {
        if let Some(left) = &mut self.responses_left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.wire.cut_in(0);
            }
        }
    }
}

fn upper(text: &str) -> Vec<u8> {
    text.to_ascii_uppercase().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_patterns_match_as_rfc_3501_says() {
        let is = |pattern: &str, name: &str| matches(pattern.as_bytes(), name.as_bytes());
        assert!(is("*", "a/b") && is("%", "a") && !is("%", "a/b"));
        assert!(is("a/*", "a/b/c") && is("a/%", "a/b") && !is("a/%", "a/b/c"));
        assert!(is("*b*", "abc") && !is("b*", "abc") && is("", "") && !is("", "a"));
        assert!(is("%/%", "a/b") && is("**", "x") && is("a*", "a"));
    }

    #[test]
    fn names_that_do_not_fit_into_quotes_become_literals() {
        assert_eq!(quoted("a \"b\\"), "\"a \\\"b\\\\\"");
        assert_eq!(quoted("é"), "{2}\r\né");
    }
}
