//! What can go wrong with an account or an installation: one catalogue for `status`, the log,
//! `doctor`, alerts and exit codes, so that each names a fault by the same word, with the same
//! remedy. docs/OPERATIONS.md has the same table; `replyd doctor --faults` prints it.
//!
//! | file | duty |
//! | --- | --- |
//! | `table` | the catalogue: code word, class, title, remedy |
//! | `of` | from the typed errors of the edges to a fault |
//! | `provider` | what providers say, where only their text tells |

mod of;
mod provider;
mod table;

use std::fmt::{self, Display, Write as _};
use std::str::FromStr;

use crate::cli::Exit;

pub use of::{of_any, of_credential, of_imap, of_io, of_keys, of_smtp, of_store};
pub use table::Fault;

/// What follows from a fault, for exit codes and states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The sign-in waits for a person.
    SignIn,
    /// A server cannot be reached or used now; it may come back by itself.
    Server,
    /// A server cannot be used, and will not be until somebody mends it or the settings.
    Mend,
    /// The rest goes on; this part waits for a person.
    Part,
    /// It works, with a loss that the operator should know of.
    Mild,
    /// This machine: state folder, disk, ports.
    Local,
    /// The settings.
    Settings,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 7] = [
        Self::SignIn,
        Self::Server,
        Self::Mend,
        Self::Part,
        Self::Mild,
        Self::Local,
        Self::Settings,
    ];
}

impl Fault {
    /// The exit code of `run --once`, `check` and `process` when an account or the installation
    /// has this fault (docs/DECISIONS.md "Exit codes").
    #[must_use]
    pub fn exit(self) -> Exit {
        match self.class() {
            Class::SignIn => Exit::NeedsPerson,
            Class::Server | Class::Mend => Exit::TryLater,
            Class::Part | Class::Mild => Exit::Done,
            Class::Local => Exit::Failed,
            Class::Settings => Exit::Usage,
        }
    }

    /// The exit code of `doctor`: whether waiting helps, or a person is needed.
    #[must_use]
    pub fn doctor_exit(self) -> Exit {
        match self.class() {
            Class::Server => Exit::TryLater,
            Class::Mild => Exit::Done,
            Class::Settings => Exit::Usage,
            Class::SignIn | Class::Mend | Class::Part | Class::Local => Exit::NeedsPerson,
        }
    }

    /// Whether it does not heal by waiting.
    #[must_use]
    pub fn needs_person(self) -> bool {
        matches!(self.doctor_exit(), Exit::NeedsPerson | Exit::Usage)
    }

    /// One sentence for states, alerts and logs: where, what, what exactly, and what to do.
    /// `detail` is what the server or the system said; empty: nothing.
    #[must_use]
    pub fn sentence(self, place: &str, detail: impl Display) -> String {
        let detail = detail.to_string();
        let mut text = String::new();
        if !place.is_empty() {
            text.push_str(place);
            text.push_str(": ");
        }
        text.push_str(self.title());
        if !detail.is_empty() {
            // Writing to a String does not fail.
            write!(text, " ({detail})").unwrap_or_default();
        }
        text.push_str(". ");
        text.push_str(self.remedy());
        text
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A code word that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("No fault is called {0:?}")]
pub struct UnknownFault(String);

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(code: &str) -> Result<Self, UnknownFault> {
        let found = Self::ALL.iter().find(|f| f.code() == code);
        found.copied().ok_or_else(|| UnknownFault(code.to_owned()))
    }
}

/// The catalogue as a Markdown table: a part of docs/OPERATIONS.md, word by word.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "| code | what is wrong | what to do | `run --once` | `doctor` |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for fault in Fault::ALL {
        let (once, doctor) = (fault.exit().code(), fault.doctor_exit().code());
        let (code, title, remedy) = (fault.code(), fault.title(), fault.remedy());
        writeln!(
            page,
            "| `{code}` | {title} | {remedy} | {once} | {doctor} |"
        )
        .unwrap_or_default();
    }
    page
}

#[cfg(test)]
mod tests;
