//! What `setup` is going to do to the machine, as a list that can be shown or carried out.

use std::fmt::Write as _;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::layout;
use super::settings_file;
use crate::service::{self, below};

/// Whose a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// root:root
    Root,
    /// root, and the service's group may read it.
    RootAndService,
    /// The service's user and group.
    Service,
    /// Whoever runs `setup`.
    Caller,
}

impl Whose {
    fn shown(self) -> &'static str {
        match self {
            Self::Root => " root:root",
            Self::RootAndService => " root:replyd",
            Self::Service => " replyd:replyd",
            Self::Caller => "",
        }
    }
}

/// What is in a file.
#[derive(Clone, Debug)]
pub enum Content {
    /// Text that anybody who may read the file may see here.
    Text(String),
    /// Settings: shown without secrets.
    Settings(String),
    /// A secret: never shown.
    Secret(SecretString),
    /// A copy of this file.
    Copy(PathBuf),
}

/// One thing to do.
#[derive(Clone, Debug)]
pub enum Step {
    /// The service's user.
    User,
    /// A folder.
    Folder {
        /// Where, on the installed system.
        path: PathBuf,
        /// Its rights.
        mode: u32,
        /// Whose.
        whose: Whose,
    },
    /// A file, written whole or not at all.
    File {
        /// Where, on the installed system.
        path: PathBuf,
        /// What is in it.
        content: Content,
        /// Its rights.
        mode: u32,
        /// Whose.
        whose: Whose,
        /// The file that was there is kept beside it under this name.
        backup: Option<PathBuf>,
    },
    /// systemd reads its units again.
    Reload,
}

/// How a step finds the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has to be made.
    New,
    /// It is there and has to be changed.
    Changed,
    /// Its content is right, its owner or rights are not.
    Rights,
    /// It is as it should be.
    Same,
}

/// Steps in their order, on the system below a root folder.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `/`, or the folder of `--root`.
    pub root: PathBuf,
    /// The steps.
    pub steps: Vec<Step>,
}

impl Plan {
    /// How a step finds the machine.
    ///
    /// # Errors
    /// A file is there and cannot be read.
    pub fn state(&self, step: &Step) -> std::io::Result<State> {
        match step {
            Step::User => {
                let there = service::user_named(&self.root, layout::USER)?.is_some();
                Ok(if there { State::Same } else { State::New })
            }
            Step::Folder { path, mode, whose } => {
                let found = std::fs::metadata(below(&self.root, path));
                match found {
                    Ok(found) => Ok(self.rights(&found, *mode, *whose)),
                    Err(e) if e.kind() == ErrorKind::NotFound => Ok(State::New),
                    Err(e) => Err(e),
                }
            }
            Step::File {
                path,
                content,
                mode,
                whose,
                ..
            } => {
                let there = below(&self.root, path);
                match std::fs::read(&there) {
                    Ok(old) if old == content.bytes()? => {
                        Ok(self.rights(&std::fs::metadata(&there)?, *mode, *whose))
                    }
                    Ok(_) => Ok(State::Changed),
                    Err(e) if e.kind() == ErrorKind::NotFound => Ok(State::New),
                    Err(e) => Err(e),
                }
            }
            Step::Reload => Ok(State::New),
        }
    }

    fn rights(&self, found: &Metadata, mode: u32, whose: Whose) -> State {
        let same_mode = found.permissions().mode() & 0o7777 == mode;
        let same_owner = match self.ids(whose) {
            Some((uid, gid)) => (found.uid(), found.gid()) == (uid, gid),
            None => whose == Whose::Caller,
        };
        if same_mode && same_owner {
            State::Same
        } else {
            State::Rights
        }
    }

    /// User and group; none: the caller's, or the service's user is not there yet.
    pub(super) fn ids(&self, whose: Whose) -> Option<(u32, u32)> {
        let user = || service::user_named(&self.root, layout::USER).ok().flatten();
        match whose {
            Whose::Root => Some((0, 0)),
            Whose::RootAndService => user().map(|u| (0, u.gid)),
            Whose::Service => user().map(|u| (u.uid, u.gid)),
            Whose::Caller => None,
        }
    }

    /// The list for people; no secret is in it.
    ///
    /// # Errors
    /// A file is there and cannot be read.
    pub fn show(&self, contents: bool) -> std::io::Result<String> {
        let mut out = String::new();
        for step in &self.steps {
            let state = self.state(step)?;
            // Writing to a String cannot fail.
            writeln!(out, "  {:<7} {}", word(step, state), self.line(step, state))
                .unwrap_or_default();
            if let (true, Step::File { content, .. }) = (contents, step)
                && let Some(text) = content.shown()
            {
                for line in text.lines() {
                    writeln!(out, "          | {line}").unwrap_or_default();
                }
            }
        }
        Ok(out)
    }

    fn line(&self, step: &Step, state: State) -> String {
        match step {
            Step::User => format!("user and group {}", layout::USER),
            Step::Folder { path, mode, whose } => {
                let path = self.shown(path);
                format!("{path}/ ({mode:04o}{})", whose.shown())
            }
            Step::File {
                path,
                content,
                mode,
                whose,
                backup,
            } => {
                let kind = match content {
                    Content::Secret(_) => ", a secret",
                    Content::Copy(_) => ", this program",
                    Content::Text(_) | Content::Settings(_) => "",
                };
                let kept = match backup {
                    Some(backup) if state == State::Changed => {
                        format!("; the old one stays as {}", self.shown(backup))
                    }
                    _ => String::new(),
                };
                let path = self.shown(path);
                format!("{path} ({mode:04o}{}{kind}){kept}", whose.shown())
            }
            Step::Reload => "systemctl daemon-reload".to_owned(),
        }
    }

    fn shown(&self, path: &Path) -> String {
        below(&self.root, path).display().to_string()
    }
}

fn word(step: &Step, state: State) -> &'static str {
    match (step, state) {
        (Step::Reload, _) => "run",
        (_, State::New) => "make",
        (_, State::Changed) => "change",
        (_, State::Rights) => "rights",
        (_, State::Same) => "keep",
    }
}

impl Content {
    /// The bytes of the file.
    ///
    /// # Errors
    /// The file to copy cannot be read.
    pub(super) fn bytes(&self) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Text(text) | Self::Settings(text) => Ok(text.clone().into_bytes()),
            // A line end, as every editor leaves one.
            Self::Secret(secret) => Ok(format!("{}\n", secret.expose_secret()).into_bytes()),
            Self::Copy(from) => std::fs::read(from),
        }
    }

    /// What `--print` shows of it.
    fn shown(&self) -> Option<String> {
        match self {
            Self::Settings(text) => settings_file::without_secrets(text).ok(),
            Self::Text(_) | Self::Secret(_) | Self::Copy(_) => None,
        }
    }
}
