//! Settings: order and places of the sources, the predecessor's names, secrets, errors,
//! the reference, and the real binary's exit codes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests, outside of test functions"
)]

mod accounts;
mod alerts;
mod answers;
mod binary;
mod brakes;
mod errors;
mod folders;
mod model;
mod oauth;
mod old_names;
mod reference;
mod secrets;
mod sources;
mod web;
mod webhooks;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use replyd::config::{ConfigError, Environment, Flags, Loaded, Need, Settings, Sources};

/// An account with all that is needed.
pub const ACCOUNT: &str = r#"
[[accounts]]
name = "sales"
address = "sales@example.com"
password = "hunter2"
imap.host = "imap.example.com"
smtp.host = "smtp.example.com"
"#;

/// A machine of its own: folders, files, variables and flags.
#[derive(Debug)]
pub struct World {
    pub dir: tempfile::TempDir,
    pub vars: BTreeMap<String, String>,
    pub flags: Flags,
}

impl World {
    pub fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["cwd", "etc", "home"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        Self {
            dir,
            vars: BTreeMap::new(),
            flags: Flags::default(),
        }
    }

    /// With this replyd.toml in the current folder.
    pub fn with_toml(text: &str) -> Self {
        let world = Self::empty();
        world.file("cwd/replyd.toml", text);
        world
    }

    /// With this .env in the current folder.
    pub fn with_env_file(text: &str) -> Self {
        let world = Self::empty();
        world.file("cwd/.env", text);
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file that only its owner can read.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// With this file.
    pub fn with(self, name: &str, text: &str) -> Self {
        self.file(name, text);
        self
    }

    pub fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn sources(&self) -> Sources {
        Sources {
            env: Environment {
                vars: self.vars.clone(),
                not_utf8: Vec::new(),
                cwd: self.path("cwd"),
                home: Some(self.path("home")),
                etc: self.path("etc"),
                service_state: self.path("service"),
                euid: 1000,
                drafts: std::collections::BTreeMap::new(),
            },
            flags: self.flags.clone(),
        }
    }

    pub fn load(&self) -> Result<Loaded, ConfigError> {
        Settings::load(&self.sources(), Need::Mail)
    }

    /// The settings, which must be right.
    pub fn settings(&self) -> Settings {
        self.loaded().settings
    }

    pub fn loaded(&self) -> Loaded {
        self.load().unwrap_or_else(|e| panic!("{e}"))
    }

    /// The error's text; there must be one.
    pub fn error(&self) -> String {
        match self.load() {
            Ok(_) => panic!("these settings should be refused"),
            Err(error) => error.to_string(),
        }
    }
}

/// Fails with the whole text unless every part is in it.
pub fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}
