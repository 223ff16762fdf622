//! Secrets: by value, from a file, or from a systemd credential. They are never shown: a
//! `SecretString` from here on, "set" in reports, and no error quotes one.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::keys::{self, Key};
use super::layers::Scope;
use super::problem::Origin;
use super::resolve::{Got, Resolver};
use super::sources::readable_by_all;
use super::values::{self, Value};
use super::{AuthMechanism, Credential};

/// A larger secret is a mistaken path, in bytes.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// The five ways to give a secret in one table.
struct Level {
    scope: Scope,
    password: &'static Key,
    password_file: &'static Key,
    password_credential: &'static Key,
    token_file: &'static Key,
    token_credential: &'static Key,
}

impl Level {
    fn keys(&self) -> [&'static Key; 5] {
        [
            self.password,
            self.password_file,
            self.password_credential,
            self.token_file,
            self.token_credential,
        ]
    }
}

/// Which server a secret is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Imap,
    Smtp,
}

/// What is asked for.
pub(super) struct Wanted {
    pub(super) scope: Scope,
    pub(super) server: Server,
    pub(super) auth: AuthMechanism,
    /// The user is that of `[smtp]`: the account's own secret is not his.
    pub(super) shared_user: bool,
}

impl Wanted {
    /// The tables that may hold it, the most specific first.
    fn levels(&self) -> Vec<Level> {
        let account = Level {
            scope: self.scope,
            password: &keys::ACCOUNT_PASSWORD,
            password_file: &keys::ACCOUNT_PASSWORD_FILE,
            password_credential: &keys::ACCOUNT_PASSWORD_CREDENTIAL,
            token_file: &keys::ACCOUNT_TOKEN_FILE,
            token_credential: &keys::ACCOUNT_TOKEN_CREDENTIAL,
        };
        if self.server == Server::Imap {
            let imap = Level {
                scope: self.scope,
                password: &keys::IMAP_PASSWORD,
                password_file: &keys::IMAP_PASSWORD_FILE,
                password_credential: &keys::IMAP_PASSWORD_CREDENTIAL,
                token_file: &keys::IMAP_TOKEN_FILE,
                token_credential: &keys::IMAP_TOKEN_CREDENTIAL,
            };
            return vec![imap, account];
        }
        let smtp = Level {
            scope: self.scope,
            password: &keys::SMTP_PASSWORD,
            password_file: &keys::SMTP_PASSWORD_FILE,
            password_credential: &keys::SMTP_PASSWORD_CREDENTIAL,
            token_file: &keys::SMTP_TOKEN_FILE,
            token_credential: &keys::SMTP_TOKEN_CREDENTIAL,
        };
        let shared = Level {
            scope: Scope::All,
            password: &keys::ALL_SMTP_PASSWORD,
            password_file: &keys::ALL_SMTP_PASSWORD_FILE,
            password_credential: &keys::ALL_SMTP_PASSWORD_CREDENTIAL,
            token_file: &keys::ALL_SMTP_TOKEN_FILE,
            token_credential: &keys::ALL_SMTP_TOKEN_CREDENTIAL,
        };
        if self.shared_user {
            vec![smtp, shared]
        } else {
            vec![smtp, shared, account]
        }
    }

    /// The key under which it is shown and asked for.
    fn shown_as(&self) -> &'static Key {
        match (self.server, self.shared_user) {
            (Server::Imap, _) => &keys::IMAP_PASSWORD,
            (Server::Smtp, true) => &keys::ALL_SMTP_PASSWORD,
            (Server::Smtp, false) => &keys::SMTP_PASSWORD,
        }
    }
}

impl Resolver<'_> {
    /// The secret for a server, or a problem that says how to give one.
    pub(super) fn credential(&mut self, wanted: &Wanted) -> Option<Credential> {
        for level in wanted.levels() {
            if let Some(key) = self.strongest(&level) {
                return self.take(wanted, &level, key);
            }
        }
        if let Some(path) = self.default_credential(wanted) {
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

    /// The key of the strongest source in a table; two of equal strength are a problem.
    fn strongest(&mut self, level: &Level) -> Option<&'static Key> {
        let mut best: Option<(&'static Key, Origin)> = None;
        for key in level.keys() {
            let Some(found) = self.layers.get(level.scope, key) else {
                continue;
            };
            let origin = found.origin.clone();
            match &best {
                Some((other, there)) if there.layer() == origin.layer() => {
                    let other = self.shown(level.scope, other);
                    self.fault(
                        level.scope,
                        key,
                        &origin,
                        format!("it is given besides {other}"),
                        "Keep one of the two",
                    );
                }
                Some((_, there)) if there.layer() > origin.layer() => {}
                _ => best = Some((key, origin)),
            }
        }
        best.map(|(key, _)| key)
    }

    fn take(&mut self, wanted: &Wanted, level: &Level, key: &'static Key) -> Option<Credential> {
        let got = self.set(level.scope, key)?;
        let Value::Text(text) = &got.value else {
            return None;
        };
        if key.kind == keys::Kind::Secret {
            self.record(wanted.scope, wanted.shown_as(), "set", &got.origin);
            return self.password(wanted, level.scope, key, text, &got.origin);
        }
        let token = key.path == level.token_file.path || key.path == level.token_credential.path;
        let (path, origin) = if key.kind == keys::Kind::CredentialName {
            let Some(folder) = self.sources.env.var("CREDENTIALS_DIRECTORY") else {
                self.fault(
                    level.scope,
                    key,
                    &got.origin,
                    format!(
                        "there is no systemd credential {text:?}: this process was not given any"
                    ),
                    format!("Start it by a unit with LoadCredential={text}, or name a file"),
                );
                return None;
            };
            let path = self.sources.env.cwd.join(folder).join(text);
            (
                path,
                Origin::From(format!("systemd credential {text} ({})", got.origin)),
            )
        } else {
            let path = self.path(&got)?;
            (
                path.clone(),
                Origin::From(format!("file {} ({})", path.display(), got.origin)),
            )
        };
        self.file(wanted, (level.scope, key), &path, (&got, origin), token)
    }

    fn password(
        &mut self,
        wanted: &Wanted,
        scope: Scope,
        key: &'static Key,
        text: &str,
        origin: &Origin,
    ) -> Option<Credential> {
        if wanted.auth == AuthMechanism::XOAuth2 {
            self.fault(
                scope,
                key,
                origin,
                "auth is xoauth2, which takes a token, not a password",
                "Give token_file, or set auth to auto",
            );
            return None;
        }
        Some(Credential::Password(SecretString::from(text.to_owned())))
    }

    /// A secret that a source named by its file.
    fn file(
        &mut self,
        wanted: &Wanted,
        (scope, key): (Scope, &'static Key),
        path: &Path,
        (got, origin): (&Got<Value>, Origin),
        token: bool,
    ) -> Option<Credential> {
        let text = match self.secret_of(path) {
            Ok(text) => text,
            Err((what, remedy)) => {
                self.fault(scope, key, &got.origin, what, remedy);
                return None;
            }
        };
        self.record(wanted.scope, wanted.shown_as(), "set", &origin);
        if !token {
            return self.password(wanted, scope, key, &text, &got.origin);
        }
        if matches!(wanted.auth, AuthMechanism::Login | AuthMechanism::Plain) {
            self.fault(
                scope,
                key,
                &got.origin,
                "auth is login or plain, which takes a password, not a token",
                "Give password_file, or set auth to auto",
            );
            return None;
        }
        // Read anew at each sign-in: tokens live for an hour.
        Some(Credential::TokenFile(path.to_owned()))
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
                if wanted.auth == AuthMechanism::XOAuth2 {
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
    fn secret_of(&mut self, path: &Path) -> Result<String, (String, String)> {
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
        let what = if wanted.auth == AuthMechanism::XOAuth2 {
            "token"
        } else {
            "password"
        };
        let server = if wanted.server == Server::Imap {
            "imap"
        } else {
            "smtp"
        };
        let Scope::Account(index) = wanted.scope else {
            return Vec::new();
        };
        let name = self
            .layers
            .accounts
            .get(index)
            .map_or("", |a| a.name.as_str());
        let name: String = name
            .chars()
            .map(|c| {
                if c.is_alphanumeric() || "@._-".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .collect();
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

    fn default_credential(&self, wanted: &Wanted) -> Option<PathBuf> {
        let folder = self.sources.env.var("CREDENTIALS_DIRECTORY")?;
        let folder = self.sources.env.cwd.join(folder);
        self.default_names(wanted)
            .iter()
            .map(|name| folder.join(name))
            .find(|path| self.sources.env.has_file(path))
    }
}
