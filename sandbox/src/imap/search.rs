//! SEARCH and UID SEARCH.

use super::command::SearchKey;
use super::section::{split_header, value};
use super::{Session, Tagged};
use crate::store::mailbox::Message;
use crate::time::day_number;
use crate::verbs::Verb;

/// A message and where the session sees it.
struct Candidate<'a> {
    message: &'a Message,
    number: usize,
    recent: bool,
    last_uid: u32,
    count: usize,
}

fn contains(text: &[u8], wanted: &str) -> bool {
    let text = String::from_utf8_lossy(text).to_lowercase();
    text.contains(&wanted.to_lowercase())
}

fn is_hit(key: &SearchKey, candidate: &Candidate<'_>) -> bool {
    let message = candidate.message;
    let day = || day_number(message.internal_date);
    match key {
        SearchKey::All => true,
        SearchKey::Uid(set) => set.has_uid(message.uid, candidate.last_uid),
        SearchKey::Sequence(set) => set.has_number(candidate.number, candidate.count),
        SearchKey::Header(name, wanted) => value(split_header(&message.raw).0, name)
            .is_some_and(|v| v.to_lowercase().contains(&wanted.to_lowercase())),
        // Dates compare without time and zone (RFC 3501 §6.4.4).
        SearchKey::Since(date) => day() >= *date,
        SearchKey::Before(date) => day() < *date,
        SearchKey::On(date) => day() == *date,
        SearchKey::Flag(name) => message.flags.has(name),
        SearchKey::NoFlag(name) => !message.flags.has(name),
        SearchKey::Keyword(name) => message.flags.has(name),
        SearchKey::NoKeyword(name) => !message.flags.has(name),
        SearchKey::Recent => candidate.recent,
        SearchKey::Old => !candidate.recent,
        SearchKey::New => candidate.recent && !message.flags.is_seen(),
        SearchKey::Larger(size) => message.raw.len() > *size,
        SearchKey::Smaller(size) => message.raw.len() < *size,
        SearchKey::Text(wanted) => contains(&message.raw, wanted),
        SearchKey::Body(wanted) => contains(split_header(&message.raw).1, wanted),
        SearchKey::Not(key) => !is_hit(key, candidate),
        SearchKey::Or(one, other) => is_hit(one, candidate) || is_hit(other, candidate),
        SearchKey::And(keys) => keys.iter().all(|key| is_hit(key, candidate)),
    }
}

/// Does a sequence number of the search not exist? That is the client's error.
fn has_bad_number(key: &SearchKey, count: usize) -> bool {
    match key {
        SearchKey::Sequence(set) => set.positions(count).is_none(),
        SearchKey::Not(key) => has_bad_number(key, count),
        SearchKey::Or(one, other) => has_bad_number(one, count) || has_bad_number(other, count),
        SearchKey::And(keys) => keys.iter().any(|key| has_bad_number(key, count)),
        _ => false,
    }
}

impl Session {
    pub(super) fn search(&mut self, verb: Verb, keys: &[SearchKey]) -> Tagged {
        let Some(selected) = self.selected.as_ref() else {
            return Tagged::bad("Select a mailbox first");
        };
        let view = &selected.view;
        if keys.iter().any(|key| has_bad_number(key, view.len())) {
            return Tagged::bad("No such message number");
        }
        let last_uid = view.last().copied().unwrap_or(0);
        let mut hits = String::new();
        {
            let state = selected.mailbox.lock();
            for (position, uid) in view.iter().enumerate() {
                let Some(message) = state.get(*uid) else {
                    continue;
                };
                let candidate = Candidate {
                    message,
                    number: position + 1,
                    recent: selected.is_recent(*uid),
                    last_uid,
                    count: view.len(),
                };
                if keys.iter().all(|key| is_hit(key, &candidate)) {
                    let hit = if verb == Verb::UidSearch {
                        uid.to_string()
                    } else {
                        (position + 1).to_string()
                    };
                    hits.push(' ');
                    hits.push_str(&hit);
                }
            }
        }
        self.data(format!("* SEARCH{hits}"));
        Tagged::ok(format!("{} completed", verb.name()))
    }
}
