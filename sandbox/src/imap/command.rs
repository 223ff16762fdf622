//! The commands as types.

use crate::store::flags::{FlagChange, Flags};
use crate::verbs::Verb;

/// A command that was understood.
pub(crate) struct Request {
    pub(crate) tag: String,
    pub(crate) verb: Verb,
    pub(crate) args: Args,
}

/// A command that was not: answered `tag BAD text`.
#[derive(Debug)]
pub(crate) struct BadCommand {
    /// `None` when not even a tag was found: answered `* BAD text`.
    pub(crate) tag: Option<String>,
    pub(crate) verb: Verb,
    pub(crate) text: &'static str,
}

pub(crate) enum Args {
    None,
    Login {
        user: String,
        password: String,
    },
    Authenticate {
        mechanism: String,
        initial: Option<String>,
    },
    Mailbox(String),
    List {
        reference: String,
        pattern: String,
    },
    Status {
        mailbox: String,
        items: Vec<StatusItem>,
    },
    Append {
        mailbox: String,
        flags: Flags,
        internal_date: Option<i64>,
        message: Vec<u8>,
    },
    Fetch {
        set: SequenceSet,
        items: Vec<FetchItem>,
    },
    Search(Vec<SearchKey>),
    Store {
        set: SequenceSet,
        how: FlagChange,
        silent: bool,
        flags: Flags,
    },
    UidExpunge(SequenceSet),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FetchItem {
    Uid,
    Flags,
    InternalDate,
    Size,
    /// `name` is what the response calls it: `BODY[..]<o>`, `RFC822`, `RFC822.HEADER`, `RFC822.TEXT`.
    Body {
        name: String,
        section: Section,
        peek: bool,
        partial: Option<(usize, usize)>,
    },
}

/// What is between the brackets of BODY[..].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    /// Part numbers; empty for the message itself.
    pub(crate) part: Vec<u32>,
    pub(crate) text: SectionText,
}

impl Section {
    /// `BODY[]`, which needs no copy.
    pub(crate) fn is_whole_message(&self) -> bool {
        self.part.is_empty() && self.text == SectionText::All
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SectionText {
    All,
    Header,
    HeaderFields(Vec<String>),
    HeaderFieldsNot(Vec<String>),
    Text,
    Mime,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SearchKey {
    All,
    Uid(SequenceSet),
    Sequence(SequenceSet),
    Header(String, String),
    /// Days since the epoch.
    Since(i64),
    Before(i64),
    On(i64),
    Flag(&'static str),
    NoFlag(&'static str),
    Keyword(String),
    NoKeyword(String),
    Recent,
    Old,
    New,
    Larger(usize),
    Smaller(usize),
    Text(String),
    Body(String),
    Not(Box<SearchKey>),
    Or(Box<SearchKey>, Box<SearchKey>),
    And(Vec<SearchKey>),
}

/// A set of sequence numbers or UIDs; `None` is `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SequenceSet(pub(crate) Vec<(Option<u32>, Option<u32>)>);

impl SequenceSet {
    /// The ranges with `*` put in, low end first: `7:*` on a mailbox whose last message is 5 means
    /// 5:7, so it always has the last message (RFC 3501 §6.4.8).
    fn ranges(&self, last: u32) -> impl Iterator<Item = (u32, u32)> {
        self.0.iter().map(move |(from, to)| {
            let (from, to) = (from.unwrap_or(last), to.unwrap_or(last));
            (from.min(to), from.max(to))
        })
    }

    /// Is this UID in the set, of a mailbox whose last UID is `last`?
    pub(crate) fn has_uid(&self, uid: u32, last: u32) -> bool {
        self.ranges(last)
            .any(|(low, high)| (low..=high).contains(&uid))
    }

    /// Is this sequence number in the set, of a mailbox with `count` messages?
    pub(crate) fn has_number(&self, number: usize, count: usize) -> bool {
        match (u32::try_from(number), u32::try_from(count)) {
            (Ok(number), Ok(count)) => self.has_uid(number, count),
            _ => false,
        }
    }

    /// Positions in `uids` (ascending) of the UIDs in the set, in order, each once.
    pub(crate) fn uid_positions(&self, uids: &[u32]) -> Vec<usize> {
        let Some(last) = uids.last() else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for (low, high) in self.ranges(*last) {
            let start = uids.partition_point(|u| *u < low);
            let end = uids.partition_point(|u| *u <= high);
            found.extend(start..end);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Positions of the sequence numbers in the set; `None` when one of them does not exist, which
    /// is an error of the client.
    pub(crate) fn positions(&self, count: usize) -> Option<Vec<usize>> {
        let last = u32::try_from(count).ok()?;
        let mut found = Vec::new();
        for (low, high) in self.ranges(last) {
            if low == 0 || high > last {
                return None;
            }
            let (low, high) = (usize::try_from(low).ok()?, usize::try_from(high).ok()?);
            found.extend(low - 1..high);
        }
        found.sort_unstable();
        found.dedup();
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(Option<u32>, Option<u32>)]) -> SequenceSet {
        SequenceSet(ranges.to_vec())
    }

    #[test]
    fn a_uid_range_to_star_always_has_the_last_message() {
        let uids = [3, 5, 9];
        assert_eq!(set(&[(Some(10), None)]).uid_positions(&uids), [2]);
        assert_eq!(set(&[(Some(9), None)]).uid_positions(&uids), [2]);
        assert_eq!(set(&[(Some(4), None)]).uid_positions(&uids), [1, 2]);
        assert_eq!(set(&[(None, Some(4))]).uid_positions(&uids), [1, 2]);
        assert_eq!(set(&[(Some(10), Some(20))]).uid_positions(&uids), []);
        assert_eq!(set(&[(Some(1), None)]).uid_positions(&[]), []);
    }

    #[test]
    fn overlapping_ranges_give_each_message_once_in_order() {
        let all = set(&[(Some(5), Some(9)), (Some(9), Some(3)), (Some(5), Some(5))]);
        assert_eq!(all.uid_positions(&[3, 5, 9]), [0, 1, 2]);
    }

    #[test]
    fn sequence_numbers_that_do_not_exist_are_an_error() {
        assert_eq!(set(&[(Some(1), None)]).positions(3), Some(vec![0, 1, 2]));
        assert_eq!(set(&[(Some(4), Some(4))]).positions(3), None);
        assert_eq!(set(&[(Some(0), Some(1))]).positions(3), None);
        assert_eq!(set(&[(Some(1), None)]).positions(0), None);
    }
}
