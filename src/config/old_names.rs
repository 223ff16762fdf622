//! The predecessor's environment names, from its `.env` as it is.
//!
//! Without `[[accounts]]` in replyd.toml they make one account; with one they override it;
//! with several they cannot say which is meant and are passed over with a warning, except
//! SALES_TEAM_EMAIL and EMAIL_BACKEND, which hold for all.

use std::collections::BTreeMap;

use super::keys::{self, DROPPED_NAMES, Key, OLD_ACCOUNT_NAMES, OLD_GLOBAL_NAMES};
use super::layers::{
    AccountSeed, Found, Layers, RANK_DEFAULT, RANK_ENV_FILE_OLD, RANK_ENV_OLD, Rank, Scope,
    Variable,
};
use super::problem::{Note, Origin, Problem};
use super::values::{self, Raw, Value};

/// One of the predecessor's variables that is set, from the stronger source.
pub(super) struct Old {
    value: String,
    origin: Origin,
    rank: Rank,
}

pub(super) type OldNames = BTreeMap<String, Old>;

/// Whether the predecessor has this name.
pub(super) fn is_old(name: &str) -> bool {
    OLD_ACCOUNT_NAMES.contains(&name) || OLD_GLOBAL_NAMES.contains(&name)
}

/// The predecessor's names of both sources; an empty value counts as not set.
pub(super) fn merge(
    env_file: &BTreeMap<String, Variable>,
    env: &BTreeMap<String, Variable>,
) -> OldNames {
    let mut old = OldNames::new();
    for (variables, rank) in [(env_file, RANK_ENV_FILE_OLD), (env, RANK_ENV_OLD)] {
        for (name, variable) in variables {
            let dropped = DROPPED_NAMES.iter().any(|(n, _)| n == name);
            if (is_old(name) || dropped) && !variable.value.trim().is_empty() {
                let found = Old {
                    value: variable.value.clone(),
                    origin: variable.origin.clone(),
                    rank,
                };
                old.insert(name.clone(), found);
            }
        }
    }
    old
}

/// Whether a secret among them lies in the `.env` file.
pub(super) fn secret_from_file(old: &OldNames) -> bool {
    ["IMAP_PASSWORD", "EMAIL_HOST_PASSWORD"]
        .iter()
        .filter_map(|n| old.get(*n))
        .any(|o| o.rank == RANK_ENV_FILE_OLD)
}

/// The name of an account that has none: its address or user.
pub(super) fn natural_name(layers: &Layers, scope: Scope) -> Option<String> {
    let seed_is_old = match scope {
        Scope::Account(i) => layers.accounts.get(i).is_some_and(|a| a.old),
        Scope::All | Scope::Webhook(_) => false,
    };
    let order: [&'static Key; 3] = if seed_is_old {
        // DEFAULT_FROM_EMAIL is often a no-reply address: the mailbox's user says more.
        [&keys::IMAP_USER, &keys::ACCOUNT_ADDRESS, &keys::SMTP_USER]
    } else {
        [
            &keys::ACCOUNT_ADDRESS,
            &keys::ACCOUNT_USER,
            &keys::IMAP_USER,
        ]
    };
    order.into_iter().find_map(|key| {
        let text = layers.peek(scope, key)?;
        Some(values::address(text).map_or_else(|_| text.to_owned(), |(_, addr)| addr))
    })
}

/// Puts them into the layers.
pub(super) fn apply(
    old: &OldNames,
    layers: &mut Layers,
    problems: &mut Vec<Problem>,
    notes: &mut Vec<Note>,
) {
    for (name, why) in DROPPED_NAMES {
        if let Some(found) = old.get(*name) {
            notes.push(Note {
                warning: false,
                text: format!("{}: {why}", found.origin),
            });
        }
    }
    if let Some(found) = old.get("SALES_TEAM_EMAIL") {
        layers.offer(Scope::All, &keys::SALES_EMAIL, found.loose());
    }

    let scope = match account_scope(old, layers) {
        Target::None => None,
        Target::One(index) => Some(Scope::Account(index)),
        Target::Several => {
            pass_over(old, layers, notes);
            None
        }
    };
    backend(old, scope, layers, problems);
    let Some(scope) = scope else {
        return;
    };
    let plain: [(&str, &'static Key); 9] = [
        ("IMAP_HOST", &keys::IMAP_HOST),
        ("IMAP_PORT", &keys::IMAP_PORT),
        ("IMAP_USER", &keys::IMAP_USER),
        ("IMAP_PASSWORD", &keys::IMAP_PASSWORD),
        ("EMAIL_HOST", &keys::SMTP_HOST),
        ("EMAIL_PORT", &keys::SMTP_PORT),
        ("EMAIL_HOST_USER", &keys::SMTP_USER),
        ("EMAIL_HOST_PASSWORD", &keys::SMTP_PASSWORD),
        ("DEFAULT_FROM_EMAIL", &keys::ACCOUNT_ADDRESS),
    ];
    for (name, key) in plain {
        if let Some(found) = old.get(name) {
            layers.offer(scope, key, found.loose());
        }
    }
    if let Some(found) = old.get("IMAP_MAILBOX") {
        // One name, commas and all.
        let raw = Raw::List(vec![found.value.trim().to_owned()]);
        layers.offer(scope, &keys::ACCOUNT_MAILBOXES, found.with(raw));
    }
    if let Some((on, found)) = switch(old, "IMAP_USE_SSL", problems) {
        let raw = if on {
            Raw::Loose("tls".to_owned())
        } else {
            Raw::Unprotected
        };
        layers.offer(scope, &keys::IMAP_SECURITY, found.with(raw));
    }
    smtp_security(old, scope, layers, problems);
}

impl Old {
    fn loose(&self) -> Found {
        self.with(Raw::Loose(self.value.clone()))
    }

    fn with(&self, raw: Raw) -> Found {
        Found {
            raw,
            origin: self.origin.clone(),
            rank: self.rank,
        }
    }
}

enum Target {
    None,
    One(usize),
    Several,
}

/// Which account they are about; makes one when replyd.toml has none.
fn account_scope(old: &OldNames, layers: &mut Layers) -> Target {
    match layers.accounts.len() {
        1 => Target::One(0),
        0 => {
            // Any of them asks for the account, so that a missing one is named as missing.
            let Some(first) = OLD_ACCOUNT_NAMES.iter().find_map(|n| old.get(*n)) else {
                return Target::None;
            };
            layers.accounts.push(AccountSeed {
                name: String::new(),
                origin: first.origin.clone(),
                old: true,
            });
            let scope = Scope::Account(0);
            let mut default = |key: &'static Key, text: &str| {
                let found = Found {
                    raw: Raw::Loose(text.to_owned()),
                    origin: Origin::Default,
                    rank: RANK_DEFAULT,
                };
                layers.offer(scope, key, found);
            };
            default(&keys::IMAP_HOST, "imap.gmail.com");
            default(&keys::SMTP_HOST, "smtp.gmail.com");
            if !old.contains_key("EMAIL_HOST_USER") {
                // As the predecessor: no user, no sign-in.
                default(&keys::SMTP_AUTH_KEY, "none");
            }
            Target::One(0)
        }
        _ => Target::Several,
    }
}

fn pass_over(old: &OldNames, layers: &Layers, notes: &mut Vec<Note>) {
    for name in OLD_ACCOUNT_NAMES {
        let Some(found) = old.get(*name) else {
            continue;
        };
        let key = keys::ALL
            .iter()
            .find(|k| k.of_account() && k.old.contains(name));
        notes.push(Note {
            warning: true,
            text: format!(
                "{}: passed over, because replyd.toml has {} accounts and this name does not say \
                 which; use REPLYD_ACCOUNT_<NAME>_{}",
                found.origin,
                layers.accounts.len(),
                key.map_or("…", |k| k.env),
            ),
        });
    }
}

/// EMAIL_BACKEND: console prints for every account, whatever their number; a wish not to
/// send is never passed over.
fn backend(old: &OldNames, scope: Option<Scope>, layers: &mut Layers, problems: &mut Vec<Problem>) {
    let Some(found) = old.get("EMAIL_BACKEND") else {
        return;
    };
    let written = found.value.to_ascii_lowercase();
    let console = written.contains("console");
    if !console && !written.contains("smtp") {
        problems.push(Problem {
            place: found.origin.to_string(),
            key: keys::SMTP_CONSOLE.path.to_owned(),
            what: format!("backend {:?} does not exist here", found.value.trim()),
            remedy: "Write django.core.mail.backends.smtp.EmailBackend to send, or \
                     django.core.mail.backends.console.EmailBackend to print"
                .to_owned(),
        });
        return;
    }
    let word = if console { "true" } else { "false" };
    let offer = |layers: &mut Layers, scope, key| {
        layers.offer(scope, key, found.with(Raw::Loose(word.to_owned())));
    };
    match scope {
        Some(scope) => offer(layers, scope, &keys::SMTP_CONSOLE),
        None => {
            offer(layers, Scope::All, &keys::ALL_SMTP_CONSOLE);
            for index in 0..layers.accounts.len() {
                offer(layers, Scope::Account(index), &keys::SMTP_CONSOLE);
            }
        }
    }
}

/// A boolean among them, or a problem.
fn switch<'a>(
    old: &'a OldNames,
    name: &str,
    problems: &mut Vec<Problem>,
) -> Option<(bool, &'a Old)> {
    let found = old.get(name)?;
    match values::check(keys::Kind::Bool, &Raw::Loose(found.value.clone())) {
        Ok(Value::Bool(on)) => Some((on, found)),
        Ok(_) => None,
        Err(fault) => {
            problems.push(Problem {
                place: found.origin.to_string(),
                key: name.to_owned(),
                what: fault.what,
                remedy: "Write True or False".to_owned(),
            });
            None
        }
    }
}

/// EMAIL_USE_TLS (STARTTLS, on unless said otherwise) and EMAIL_USE_SSL (TLS from the start).
fn smtp_security(old: &OldNames, scope: Scope, layers: &mut Layers, problems: &mut Vec<Problem>) {
    let tls = switch(old, "EMAIL_USE_TLS", problems);
    let ssl = switch(old, "EMAIL_USE_SSL", problems);
    let (word, found) = match (tls, ssl) {
        (Some((true, _)), Some((true, found))) => {
            problems.push(Problem {
                place: found.origin.to_string(),
                key: keys::SMTP_SECURITY.path.to_owned(),
                what: "EMAIL_USE_TLS and EMAIL_USE_SSL are both on".to_owned(),
                remedy: "Switch one off: EMAIL_USE_TLS=True with port 587, EMAIL_USE_SSL=True \
                         with port 465"
                    .to_owned(),
            });
            return;
        }
        (_, Some((true, found))) => (Raw::Loose("tls".to_owned()), found),
        (Some((true, found)), _) => (Raw::Loose("starttls".to_owned()), found),
        (Some((false, found)), _) => (Raw::Unprotected, found),
        // EMAIL_USE_SSL=False alone leaves the default.
        (None, Some((false, _)) | None) => return,
    };
    layers.offer(scope, &keys::SMTP_SECURITY, found.with(word));
}
