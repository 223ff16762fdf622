//! Message flags.

/// The system flags, in the order in which they are listed; the index is the bit.
pub(crate) const SYSTEM: [&str; 5] = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];
const DELETED: u8 = 1 << 2;
const SEEN: u8 = 1 << 3;

/// How a STORE changes flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlagChange {
    Replace,
    Add,
    Remove,
}

/// The flags of a message, without \Recent (that one belongs to a session).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    system: u8,
    keywords: Vec<Box<str>>,
}

impl Flags {
    /// Adds a flag by name; `false` for \Recent and for system flags that do not exist.
    pub(crate) fn add(&mut self, name: &str) -> bool {
        if let Some(bit) = SYSTEM.iter().position(|s| s.eq_ignore_ascii_case(name)) {
            self.system |= 1 << bit;
            return true;
        }
        if name.starts_with('\\') {
            return false;
        }
        if !self.keywords.iter().any(|k| k.eq_ignore_ascii_case(name)) {
            self.keywords.push(name.into());
        }
        true
    }

    pub(crate) fn change(&mut self, how: FlagChange, by: &Flags) {
        match how {
            FlagChange::Replace => *self = by.clone(),
            FlagChange::Add => {
                self.system |= by.system;
                for keyword in &by.keywords {
                    self.add(keyword);
                }
            }
            FlagChange::Remove => {
                self.system &= !by.system;
                let goes = |k: &str| by.keywords.iter().any(|b| b.eq_ignore_ascii_case(k));
                self.keywords.retain(|k| !goes(k));
            }
        }
    }

    /// Marks as read; `true` when it was not.
    pub(crate) fn set_seen(&mut self) -> bool {
        let new = self.system & SEEN == 0;
        self.system |= SEEN;
        new
    }

    pub(crate) fn is_seen(&self) -> bool {
        self.system & SEEN != 0
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.system & DELETED != 0
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        match SYSTEM.iter().position(|s| s.eq_ignore_ascii_case(name)) {
            Some(bit) => self.system & (1 << bit) != 0,
            None => self.keywords.iter().any(|k| k.eq_ignore_ascii_case(name)),
        }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let system = SYSTEM.iter().enumerate();
        let set = system.filter(|(bit, _)| self.system & (1 << bit) != 0);
        set.map(|(_, name)| (*name).to_owned())
            .chain(self.keywords.iter().map(|k| k.to_string()))
            .collect()
    }

    /// As a parenthesised list, with \Recent if the session has it.
    pub(crate) fn list(&self, recent: bool) -> String {
        let mut names = self.names();
        if recent {
            names.push("\\Recent".to_owned());
        }
        format!("({})", names.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_added_removed_and_replaced_in_any_case() {
        let mut flags = Flags::default();
        assert!(flags.add("\\seen") && flags.add("Junk") && flags.add("junk"));
        assert!(!flags.add("\\Recent") && !flags.add("\\Nothing"));
        assert_eq!(flags.list(true), "(\\Seen Junk \\Recent)");
        let mut by = Flags::default();
        by.add("JUNK");
        flags.change(FlagChange::Remove, &by);
        assert_eq!(flags.list(false), "(\\Seen)");
        flags.change(FlagChange::Add, &by);
        assert_eq!(flags.list(false), "(\\Seen JUNK)");
        flags.change(FlagChange::Replace, &Flags::default());
        assert_eq!(flags.list(false), "()");
        assert!(flags.set_seen() && !flags.set_seen());
    }
}
