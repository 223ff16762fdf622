//! Secrets: by value, from a file, from a systemd credential, or by a command, which is not run
//! here. They are never shown: a `SecretString` from here on, "set" in reports, and no error
//! quotes one.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::keys::{Key, Kind};
use super::layers::Scope;
use super::levels::{Level, Server, Wanted, Way};
use super::problem::Origin;
use super::resolve::{Got, Resolver};
use super::sources::readable_by_all;
use super::values::{self, Value};
use super::{Credential, SecretCommand};

/// A larger secret is a mistaken path, in bytes.
const MAX_SECRET_BYTES: u64 = 64 << 10;

impl Resolver<'_> {
    /// The secret for a server, or a problem that says how to give one.
    pub(super) fn credential(&mut self, wanted: &Wanted) -> Option<Credential> {
        for level in wanted.levels() {
            if let Some(way) = self.strongest(&level) {
                return self.take(wanted, &level, way);
            }
        }
        if let Some(path) = self.credential_file(&self.default_names(wanted)) {
            let origin = Origin::From(format!("systemd credential {}", path.display()));
            return self.by_default_name(wanted, wanted.shown_as(), &path, origin);
        }
        let key = wanted.shown_as();
        let ways = self.ways(wanted.scope, key);
        let file = key.path.strip_prefix("accounts.").unwrap_or(key.path);
        let names = self.default_names(wanted).join(" or ");
        self.fault(
            wanted.scope,
            key,
            &Origin::Default,
            "the secret is missing",
            format!("{ways}; better {file}_file with a file, or the systemd credential {names}"),
        );
        None
    }

    /// The way of the strongest source in a table; two of equal strength are a problem.
    pub(super) fn strongest(&mut self, level: &Level) -> Option<Way> {
        let mut best: Option<(Way, Origin)> = None;
        for way in level.ways {
            let Some(found) = self.layers.get(level.scope, way.key) else {
                continue;
            };
            let origin = found.origin.clone();
            match &best {
                Some((other, there)) if there.layer() == origin.layer() => {
                    let other = self.shown(level.scope, other.key);
                    self.fault(
                        level.scope,
                        way.key,
                        &origin,
                        format!("it is given besides {other}"),
                        "Keep one of the two",
                    );
                }
                Some((_, there)) if there.layer() > origin.layer() => {}
                _ => best = Some((*way, origin)),
            }
        }
        best.map(|(way, _)| way)
    }

    fn take(&mut self, wanted: &Wanted, level: &Level, way: Way) -> Option<Credential> {
        let (scope, key) = (level.scope, way.key);
        let got = self.set(scope, key)?;
        let shown = (wanted.scope, wanted.shown_as());
        let mismatch = if way.token {
            wanted.auth.takes_password().then_some((
                "auth is login or plain, which takes a password, not a token",
                "Give password_file, or set auth to auto",
            ))
        } else {
            wanted.auth.takes_token().then_some((
                "auth is xoauth2 or oauthbearer, which takes a token, not a password",
                "Give token_file or an oauth table, or set auth to auto",
            ))
        };
        let credential = match (key.kind, way.token) {
            (Kind::Command, token) => {
                let command = command(&got)?;
                self.record(shown.0, shown.1, "set by a command", &got.origin);
                if token {
                    Credential::TokenCommand(command)
                } else {
                    Credential::PasswordCommand(command)
                }
            }
            (Kind::Words(_), _) => {
                let settings = self.oauth(scope, &got)?;
                self.record(shown.0, shown.1, "by OAuth2", &got.origin);
                Credential::OAuth(settings)
            }
            (_, true) => {
                let (path, origin) = self.secret_file((scope, key), &got)?;
                self.secret_in((scope, key), &path, &got)?;
                self.record(shown.0, shown.1, "set", &origin);
                // Read anew at each sign-in: tokens live for an hour.
                Credential::TokenFile(path)
            }
            (_, false) => {
                let (text, origin) = self.secret_value((scope, key), &got)?;
                self.record(shown.0, shown.1, "set", &origin);
                Credential::Password(text)
            }
        };
        if let Some((what, remedy)) = mismatch {
            self.fault(scope, key, &got.origin, what, remedy);
            return None;
        }
        Some(credential)
    }

    /// A secret by value, or read from where `got` says; with the origin to be shown.
    pub(super) fn secret_value(
        &mut self,
        (scope, key): (Scope, &'static Key),
        got: &Got<Value>,
    ) -> Option<(SecretString, Origin)> {
        if key.kind == Kind::Secret {
            let Value::Text(text) = &got.value else {
                return None;
            };
            return Some((SecretString::from(text.clone()), got.origin.clone()));
        }
        let (path, origin) = self.secret_file((scope, key), got)?;
        let text = self.secret_in((scope, key), &path, got)?;
        Some((SecretString::from(text), origin))
    }

    /// The file that a path or the name of a credential means.
    fn secret_file(
        &mut self,
        (scope, key): (Scope, &'static Key),
        got: &Got<Value>,
    ) -> Option<(PathBuf, Origin)> {
        let Value::Text(text) = &got.value else {
            return None;
        };
        if key.kind != Kind::CredentialName {
            let path = self.path(got)?;
            let origin = Origin::From(format!("file {} ({})", path.display(), got.origin));
            return Some((path, origin));
        }
        let Some(folder) = self.sources.env.var("CREDENTIALS_DIRECTORY") else {
            self.fault(
                scope,
                key,
                &got.origin,
                format!("there is no systemd credential {text:?}: this process was not given any"),
                format!("Start it by a unit with LoadCredential={text}, or name a file"),
            );
            return None;
        };
        let path = self.sources.env.cwd.join(folder).join(text);
        let origin = Origin::From(format!("systemd credential {text} ({})", got.origin));
        Some((path, origin))
    }

    /// What a file holds that a source named.
    fn secret_in(
        &mut self,
        (scope, key): (Scope, &'static Key),
        path: &Path,
        got: &Got<Value>,
    ) -> Option<String> {
        match self.secret_of(path) {
            Ok(text) => Some(text),
            Err((what, remedy)) => {
                self.fault(scope, key, &got.origin, what, remedy);
                None
            }
        }
    }

    /// A secret found under one of the default names.
    fn by_default_name(
        &mut self,
        wanted: &Wanted,
        key: &'static Key,
        path: &Path,
        origin: Origin,
    ) -> Option<Credential> {
        match self.secret_of(path) {
            Ok(text) => {
                self.record(wanted.scope, key, "set", &origin);
                if wanted.auth.takes_token() {
                    return Some(Credential::TokenFile(path.to_owned()));
                }
                Some(Credential::Password(SecretString::from(text)))
            }
            Err((what, remedy)) => {
                self.fault(wanted.scope, key, &origin, what, remedy);
                None
            }
        }
    }

    /// What a secret file holds, without the line end that editors add.
    pub(super) fn secret_of(&mut self, path: &Path) -> Result<String, (String, String)> {
        let shown = path.display();
        let read = self.sources.env.read_bounded(path, MAX_SECRET_BYTES);
        let (bytes, world_readable) = read.map_err(|error| {
            (
                format!("cannot read {shown}: {error}"),
                "Name a file that is there and that this user may read".to_owned(),
            )
        })?;
        let text = String::from_utf8(bytes).map_err(|_| {
            (
                format!("{shown} is not UTF-8 text"),
                "Check that it is the right file".to_owned(),
            )
        })?;
        let text = text.trim_end_matches(['\r', '\n']);
        values::secret_text(text)
            .map_err(|fault| (format!("{shown}: {}", fault.what), fault.remedy))?;
        if world_readable {
            let note = readable_by_all(path);
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        Ok(text.to_owned())
    }

    /// Names under which a unit can give the secret without a line in replyd.toml; those
    /// without the account's name only while there is one account.
    fn default_names(&self, wanted: &Wanted) -> Vec<String> {
        let what = if wanted.auth.takes_token() {
            "token"
        } else {
            "password"
        };
        let server = if wanted.server == Server::Imap {
            "imap"
        } else {
            "smtp"
        };
        let Some(name) = self.credential_part(wanted.scope) else {
            return Vec::new();
        };
        let mut names = vec![format!("replyd.{name}.{server}-{what}")];
        if !wanted.shared_user {
            names.push(format!("replyd.{name}.{what}"));
        }
        if self.layers.accounts.len() == 1 {
            names.push(format!("replyd.{server}-{what}"));
            if !wanted.shared_user {
                names.push(format!("replyd.{what}"));
            }
        }
        names
    }

    /// An account's name as a part of a credential's name.
    pub(super) fn credential_part(&self, scope: Scope) -> Option<String> {
        let Scope::Account(index) = scope else {
            return None;
        };
        let name = self
            .layers
            .accounts
            .get(index)
            .map_or("", |a| a.name.as_str());
        let fits = |c: char| c.is_alphanumeric() || "@._-".contains(c);
        Some(
            name.chars()
                .map(|c| if fits(c) { c } else { '_' })
                .collect(),
        )
    }

    /// The first of these systemd credentials that is there.
    pub(super) fn credential_file(&self, names: &[String]) -> Option<PathBuf> {
        let folder = self.sources.env.var("CREDENTIALS_DIRECTORY")?;
        let folder = self.sources.env.cwd.join(folder);
        names
            .iter()
            .map(|name| folder.join(name))
            .find(|path| self.sources.env.has_file(path))
    }
}

/// A checked command.
pub(super) fn command(got: &Got<Value>) -> Option<SecretCommand> {
    match &got.value {
        Value::Text(line) => Some(SecretCommand::Shell(line.clone())),
        Value::List(words) => Some(SecretCommand::Program(words.clone())),
        _ => None,
    }
}
