//! From layers to values that are checked, and remembered with their origin.

use std::path::PathBuf;
use std::time::Duration;

use super::keys::{Default, Key, Kind};
use super::layers::{Found, Layers, RANK_DEFAULT, Scope, env_name};
use super::problem::{Note, Origin, Problem};
use super::sources::{Files, Sources};
use super::values::{self, Raw, Value};

/// A setting as it is in effect, for `replyd config check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Its key; keys of an account carry its name, `accounts[sales].imap.host`.
    pub key: String,
    /// The value as it would be written; a secret only as "set".
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// A checked value with its origin.
pub(super) struct Got<T> {
    pub(super) value: T,
    pub(super) origin: Origin,
}

/// Takes values out of the layers and collects what is wrong with them.
pub(super) struct Resolver<'a> {
    pub(super) sources: &'a Sources,
    pub(super) files: &'a Files,
    pub(super) layers: &'a Layers,
    pub(super) problems: Vec<Problem>,
    pub(super) notes: Vec<Note>,
    pub(super) effective: Vec<Effective>,
}

impl Resolver<'_> {
    /// The key as people see it.
    pub(super) fn shown(&self, scope: Scope, key: &Key) -> String {
        match (scope, key.path.strip_prefix("accounts.")) {
            (Scope::Account(index), Some(rest)) => {
                let name = self
                    .layers
                    .accounts
                    .get(index)
                    .map_or("", |a| a.name.as_str());
                format!("accounts[{name}].{rest}")
            }
            (Scope::Webhook(_), _) => {
                let name = self.layers.seed(scope).map_or("", |a| a.name.as_str());
                format!("webhooks[{name}].{}", key.name())
            }
            _ => key.path.to_owned(),
        }
    }

    /// The names under which a missing value can be set.
    pub(super) fn ways(&self, scope: Scope, key: &Key) -> String {
        let account = self.layers.seed(scope);
        match (account, key.old.first()) {
            (Some(account), Some(old)) if account.old => {
                format!("Set {old} in .env or in the environment")
            }
            (account, _) => {
                let name = env_name(key, account.map_or("", |a| a.name.as_str()));
                let table = match scope {
                    Scope::Account(_) => "this [[accounts]] table",
                    Scope::Webhook(_) => "this [[webhooks]] table",
                    Scope::All => "replyd.toml",
                };
                let path = key.path.strip_prefix("accounts.").unwrap_or(key.path);
                let path = path.strip_prefix("webhooks.").unwrap_or(path);
                format!("Set {path} in {table}, or {name} in the environment")
            }
        }
    }

    /// A problem with the value of a key, at its origin.
    pub(super) fn fault(
        &mut self,
        scope: Scope,
        key: &Key,
        origin: &Origin,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let place = match (origin, scope) {
            (Origin::Default | Origin::From(_), _) => {
                self.layers.seed(scope).map(|a| a.origin.to_string())
            }
            (origin, _) => Some(origin.to_string()),
        };
        let key = self.shown(scope, key);
        self.problems.push(Problem {
            place: place.unwrap_or_default(),
            key,
            what: what.into(),
            remedy: remedy.into(),
        });
    }

    pub(super) fn warn(&mut self, text: impl Into<String>) {
        self.notes.push(Note {
            warning: true,
            text: text.into(),
        });
    }

    /// Remembers what is in effect.
    pub(super) fn record(
        &mut self,
        scope: Scope,
        key: &Key,
        value: impl Into<String>,
        origin: &Origin,
    ) {
        let key = self.shown(scope, key);
        self.effective.push(Effective {
            key,
            value: value.into(),
            origin: origin.clone(),
        });
    }

    /// The checked value of a key in one scope; nothing when it is not set, or wrong.
    pub(super) fn set(&mut self, scope: Scope, key: &'static Key) -> Option<Got<Value>> {
        let found = self.layers.get(scope, key)?.clone();
        self.checked(scope, key, found)
    }

    fn checked(&mut self, scope: Scope, key: &'static Key, found: Found) -> Option<Got<Value>> {
        let origin = found.origin;
        match values::check(key.kind, &found.raw) {
            Ok(value) => Some(Got { value, origin }),
            Err(fault) => {
                self.fault(scope, key, &origin, fault.what, fault.remedy);
                None
            }
        }
    }

    /// The value in effect: of this key, else of the shared one, else the default of the
    /// table, which is read like any other text.
    pub(super) fn value(
        &mut self,
        scope: Scope,
        key: &'static Key,
        shared: Option<&'static Key>,
    ) -> Option<Got<Value>> {
        if self.layers.get(scope, key).is_some() {
            return self.set(scope, key);
        }
        if let Some(shared) = shared {
            return self.value(Scope::All, shared, None);
        }
        let Default::Is(text) = key.default else {
            return None;
        };
        let found = Found {
            raw: Raw::Loose(text.to_owned()),
            origin: Origin::Default,
            rank: RANK_DEFAULT,
        };
        self.checked(scope, key, found)
    }

    /// The value in effect, recorded.
    pub(super) fn recorded(
        &mut self,
        scope: Scope,
        key: &'static Key,
        shared: Option<&'static Key>,
    ) -> Option<Got<Value>> {
        let got = self.value(scope, key, shared)?;
        let shown = if key.kind == Kind::Path {
            self.path(&got).map(|p| p.display().to_string())
        } else {
            None
        };
        let shown = shown.unwrap_or_else(|| show(key.kind, &got.value));
        self.record(scope, key, shown, &got.origin);
        Some(got)
    }

    /// A text that is set and not empty.
    pub(super) fn text(&mut self, scope: Scope, key: &'static Key) -> Option<Got<String>> {
        let got = self.set(scope, key)?;
        match got.value {
            Value::Text(text) if !text.is_empty() => Some(Got {
                value: text,
                origin: got.origin,
            }),
            _ => None,
        }
    }

    /// The value of a key for everybody, recorded.
    pub(super) fn global(&mut self, key: &'static Key) -> Option<Got<Value>> {
        self.recorded(Scope::All, key, None)
    }

    pub(super) fn duration(&mut self, key: &'static Key) -> Duration {
        match self.global(key).map(|g| g.value) {
            Some(Value::Duration(d)) => d,
            _ => Duration::ZERO,
        }
    }

    pub(super) fn integer<T: TryFrom<u64> + std::default::Default>(
        &mut self,
        key: &'static Key,
    ) -> T {
        match self.global(key).map(|g| g.value) {
            Some(Value::Integer(n)) => T::try_from(n).unwrap_or_default(),
            _ => T::default(),
        }
    }

    pub(super) fn boolean(&mut self, key: &'static Key) -> bool {
        matches!(self.global(key).map(|g| g.value), Some(Value::Bool(true)))
    }

    pub(super) fn word(&mut self, key: &'static Key) -> String {
        match self.global(key).map(|g| g.value) {
            Some(Value::Text(word)) => word,
            _ => String::new(),
        }
    }

    pub(super) fn list(&mut self, key: &'static Key) -> Vec<String> {
        match self.global(key).map(|g| g.value) {
            Some(Value::List(items)) => items,
            _ => Vec::new(),
        }
    }

    /// A path, from the folder of the source that wrote it.
    pub(super) fn path(&self, got: &Got<Value>) -> Option<PathBuf> {
        let Value::Text(written) = &got.value else {
            return None;
        };
        let file = match &got.origin {
            Origin::File { .. } => self.files.config.as_ref(),
            Origin::EnvFile { .. } => self.files.env_file.as_ref(),
            _ => None,
        };
        let env = &self.sources.env;
        let folder = file.map_or(env.cwd.as_path(), |f| f.folder.as_path());
        Some(env.resolve(folder, written))
    }
}

/// A value as `config check` shows it.
pub(super) fn show(kind: Kind, value: &Value) -> String {
    match (kind, value) {
        (Kind::Secret | Kind::SecretUrl | Kind::Command, _) => "set".to_owned(),
        (Kind::Bytes { .. }, Value::Integer(n)) => values::show_bytes(*n),
        (_, Value::Integer(n)) => n.to_string(),
        (_, Value::Fraction(x)) => x.to_string(),
        (_, Value::Bool(b)) => b.to_string(),
        (_, Value::Duration(d)) => values::show_seconds(d.as_secs()),
        (_, Value::List(items)) => items.join(", "),
        (_, Value::Address { name, addr }) if name.is_empty() => addr.clone(),
        (_, Value::Address { name, addr }) => format!("{name} <{addr}>"),
        (_, Value::Text(text)) => text.clone(),
        (_, Value::Unprotected) => "off".to_owned(),
    }
}
