//! What is learned of a server.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::UnknownWord;

words! {
    /// Whether a server takes DONE, FETCH and IDLE in one write.
    Pipelining, "pipelining" {
        /// Not tried yet.
        Untried => "untried",
        /// It does.
        Yes => "yes",
        /// It answered BAD or not at all: two steps.
        No => "no",
    }
}
