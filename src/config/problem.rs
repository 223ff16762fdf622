//! What is wrong with the settings, and where each value comes from.

use std::fmt;
use std::path::PathBuf;

use crate::cli::Exit;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// replyd.toml.
    File {
        /// The file as it was found.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
    },
    /// A `.env` file.
    EnvFile {
        /// The file as it was found.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The variable.
        name: String,
    },
    /// The environment.
    Env(String),
    /// A flag.
    Flag(&'static str),
    /// Another value; the text says which.
    From(String),
}

impl Origin {
    /// Which of the sources, later ones winning; used to see whether two values compete.
    pub(super) fn layer(&self) -> u8 {
        match self {
            Self::Default | Self::From(_) => 0,
            Self::File { .. } => 1,
            Self::EnvFile { .. } => 2,
            Self::Env(_) => 3,
            Self::Flag(_) => 4,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::EnvFile { path, line, name } => {
                write!(f, "{}:{line} {name}", path.display())
            }
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "{name}"),
            Self::From(what) => write!(f, "{what}"),
        }
    }
}

/// One thing that is wrong: where, with which key, and what to do about it. Never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File and line, environment variable or flag.
    pub place: String,
    /// The key, as it would be written in replyd.toml.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.place, &self.key] {
            if !part.is_empty() {
                write!(f, "{part}: ")?;
            }
        }
        let end = if self.remedy.ends_with('?') { "" } else { "." };
        write!(f, "{}. {}{end}", self.what, self.remedy)
    }
}

/// Something that the operator should know, but that does not stop the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Whether it is a defect (else: good to know).
    pub warning: bool,
    /// The text, with its place. Never a secret.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.warning { "warning" } else { "note" };
        write!(f, "{kind}: {}", self.text)
    }
}

/// The settings cannot be used; every reason at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// What is wrong, in the order of the sources. Never empty.
    pub problems: Vec<Problem>,
    /// Warnings, which may explain a problem: a line of `.env` that is not understood.
    pub notes: Vec<Note>,
}

impl ConfigError {
    /// The exit code of every command that meets it: 64.
    #[must_use]
    pub fn exit(&self) -> Exit {
        Exit::Usage
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [one] => write!(f, "Settings: {one}")?,
            several => {
                write!(f, "Settings: {} problems", several.len())?;
                for problem in several {
                    write!(f, "\n  {problem}")?;
                }
            }
        }
        for note in self.notes.iter().filter(|n| n.warning) {
            write!(f, "\n  {note}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
