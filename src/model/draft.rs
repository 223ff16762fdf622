//! The words of drafts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::UnknownWord;

/// Stands in a draft where a person has to write. A draft with it is not sent.
pub const HOLE: &str = "[write the answer here]";

/// Whether a person still has to write in a text: it has the mark, also where an editor has
/// wrapped it or somebody has changed its letters.
#[must_use]
pub fn has_hole(text: &str) -> bool {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ").contains("[write the answer")
}

words! {
    /// What became of an answer that waits for a person.
    DraftState, "draft state" {
        /// It waits.
        Open => "open",
        /// A person let it go: it is a mail.
        Approved => "approved",
        /// A person wants it not to be sent.
        Rejected => "rejected",
        /// It is of no use any more: somebody answered by mail, or the lead wants no more mail.
        Superseded => "superseded",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_is_seen_also_when_it_was_wrapped_or_written_otherwise() {
        for text in [
            HOLE,
            "Dear Ann,\n\n[write the answer\nhere]\n",
            "[Write  The Answer HERE]",
            "[write the answer]",
        ] {
            assert!(has_hole(text), "{text}");
        }
        assert!(!has_hole("I write the answer here."));
    }
}
