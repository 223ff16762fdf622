//! The words of drafts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::UnknownWord;

/// Stands in a draft where a person has to write. A draft with it is not sent.
pub const HOLE: &str = "[write the answer here]";

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
