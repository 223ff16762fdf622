//! The sources laid over each other: for every key the value of the strongest source.
//!
//! replyd.toml < `.env` < environment < flags. Within `.env` and within the environment the
//! `REPLYD_…` names are stronger than the predecessor's.

use std::collections::{BTreeMap, HashMap};

use super::dotenv;
use super::file;
use super::keys::{self, Key};
use super::nearest::nearest;
use super::old_names;
use super::problem::{Note, Origin, Problem};
use super::sources::{Files, Sources, readable_by_all};
use super::values::Raw;

/// Whose value it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Scope {
    /// Everybody's.
    All,
    /// The account with this number, from 0.
    Account(usize),
    /// The webhook with this number, from 0.
    Webhook(usize),
}

/// Strength of a source.
pub(super) type Rank = u8;
pub(super) const RANK_DEFAULT: Rank = 0;
pub(super) const RANK_FILE: Rank = 1;
pub(super) const RANK_ENV_FILE_OLD: Rank = 2;
const RANK_ENV_FILE: Rank = 3;
pub(super) const RANK_ENV_OLD: Rank = 4;
const RANK_ENV: Rank = 5;
const RANK_FLAG: Rank = 6;

/// A value and where it was found. No `Debug`: it may be a secret.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) raw: Raw,
    pub(super) origin: Origin,
    pub(super) rank: Rank,
}

/// An account, before its values are looked at.
pub(super) struct AccountSeed {
    /// Its name, also part of its environment names.
    pub(super) name: String,
    /// Where it begins.
    pub(super) origin: Origin,
    /// It is made from the predecessor's names alone.
    pub(super) old: bool,
}

/// The strongest value of each key.
#[derive(Default)]
pub(super) struct Layers {
    slots: BTreeMap<(Scope, &'static str), Found>,
    pub(super) accounts: Vec<AccountSeed>,
    pub(super) webhooks: Vec<AccountSeed>,
}

impl Layers {
    /// Takes a value unless a stronger one is there.
    pub(super) fn offer(&mut self, scope: Scope, key: &'static Key, found: Found) {
        let slot = (scope, key.path);
        if self
            .slots
            .get(&slot)
            .is_none_or(|there| there.rank <= found.rank)
        {
            self.slots.insert(slot, found);
        }
    }

    /// The strongest value.
    pub(super) fn get(&self, scope: Scope, key: &'static Key) -> Option<&Found> {
        self.slots.get(&(scope, key.path))
    }

    /// Adds an account of replyd.toml; its name is set when all its keys are known.
    pub(super) fn add_account(&mut self, origin: Origin) -> usize {
        self.accounts.push(AccountSeed {
            name: String::new(),
            origin,
            old: false,
        });
        self.accounts.len() - 1
    }

    /// Adds a webhook of replyd.toml.
    pub(super) fn add_webhook(&mut self, origin: Origin) -> usize {
        self.webhooks.push(AccountSeed {
            name: String::new(),
            origin,
            old: false,
        });
        self.webhooks.len() - 1
    }

    /// The table of a scope; none for what holds for everybody.
    pub(super) fn seed(&self, scope: Scope) -> Option<&AccountSeed> {
        match scope {
            Scope::All => None,
            Scope::Account(index) => self.accounts.get(index),
            Scope::Webhook(index) => self.webhooks.get(index),
        }
    }

    /// Text of a key, whatever is wrong with it.
    pub(super) fn peek(&self, scope: Scope, key: &'static Key) -> Option<&str> {
        match &self.get(scope, key)?.raw {
            Raw::Loose(s) | Raw::Str(s) => Some(s.trim()).filter(|s| !s.is_empty()),
            _ => None,
        }
    }
}

/// A variable of `.env` or the environment.
#[derive(Clone)]
pub(super) struct Variable {
    pub(super) value: String,
    pub(super) origin: Origin,
}

/// The variables of one source.
type Variables = BTreeMap<String, Variable>;

/// Reads all sources. Nothing when replyd.toml is not TOML: whatever else could be said would
/// follow from that.
pub(super) fn read(
    sources: &Sources,
    files: &Files,
    problems: &mut Vec<Problem>,
    notes: &mut Vec<Note>,
) -> Option<Layers> {
    let mut layers = Layers::default();
    if let Some(config) = &files.config
        && !file::read(config, &mut layers, problems)
    {
        return None;
    }
    let from_env_file = env_file_variables(sources, files, problems, notes);
    let from_env = environment_variables(sources, problems);

    let old = old_names::merge(&from_env_file, &from_env);
    old_names::apply(&old, &mut layers, problems, notes);
    name_accounts(&mut layers, problems);
    super::webhooks::name(&mut layers, problems);

    let names = known_names(&layers, problems);
    let mut secrets_in_env_file = old_names::secret_from_file(&old);
    for (variables, rank) in [(&from_env_file, RANK_ENV_FILE), (&from_env, RANK_ENV)] {
        for (name, variable) in variables {
            if !name.starts_with("REPLYD_") {
                continue;
            }
            let Some((scope, key)) = names.get(name.as_str()) else {
                unknown_variable(name, variable, rank, &names, problems);
                continue;
            };
            if variable.value.trim().is_empty() {
                continue;
            }
            secrets_in_env_file |= key.kind == keys::Kind::Secret && rank == RANK_ENV_FILE;
            let found = Found {
                raw: Raw::Loose(variable.value.clone()),
                origin: variable.origin.clone(),
                rank,
            };
            layers.offer(*scope, key, found);
        }
    }
    flags(sources, &mut layers);

    if let Some(file) = files.env_file.as_ref().filter(|f| f.world_readable)
        && secrets_in_env_file
    {
        notes.push(readable_by_all(&file.path));
    }
    if let Some(file) = files.config.as_ref().filter(|f| f.world_readable) {
        let secret = |path: &str| {
            keys::ALL
                .iter()
                .any(|k| k.path == path && k.kind == keys::Kind::Secret)
        };
        let holds =
            |(slot, found): (&(Scope, &str), &Found)| secret(slot.1) && found.rank == RANK_FILE;
        if layers.slots.iter().any(holds) {
            notes.push(readable_by_all(&file.path));
        }
    }
    Some(layers)
}

fn env_file_variables(
    sources: &Sources,
    files: &Files,
    problems: &mut Vec<Problem>,
    notes: &mut Vec<Note>,
) -> Variables {
    let Some(file) = &files.env_file else {
        return Variables::new();
    };
    let parsed = dotenv::parse(&file.text, &|name| sources.env.vars.get(name).cloned());
    for (line, remark) in &parsed.remarks {
        notes.push(Note {
            warning: true,
            text: format!("{}:{line}: {remark}", file.path.display()),
        });
    }
    let mut variables = Variables::new();
    for (name, variable) in parsed.variables {
        let origin = Origin::EnvFile {
            path: file.path.clone(),
            line: variable.line,
            name: name.clone(),
        };
        if keys::PLACE_NAMES.contains(&name.as_str()) {
            problems.push(Problem {
                place: origin.to_string(),
                key: String::new(),
                what: "it has no effect here: .env is looked for beside replyd.toml".to_owned(),
                remedy: "Set it in the environment, or give --config".to_owned(),
            });
            continue;
        }
        let value = variable.value;
        variables.insert(name, Variable { value, origin });
    }
    variables
}

fn environment_variables(sources: &Sources, problems: &mut Vec<Problem>) -> Variables {
    for name in &sources.env.not_utf8 {
        if name.starts_with("REPLYD_") || old_names::is_old(name) {
            problems.push(Problem {
                place: Origin::Env(name.clone()).to_string(),
                key: String::new(),
                what: "its value is not UTF-8 text".to_owned(),
                remedy: "Set it anew".to_owned(),
            });
        }
    }
    let ours = |name: &&String| !keys::PLACE_NAMES.contains(&name.as_str());
    sources
        .env
        .vars
        .iter()
        .filter(|(name, _)| ours(name) && !for_tests(name))
        .map(|(name, value)| {
            let variable = Variable {
                value: value.clone(),
                origin: Origin::Env(name.clone()),
            };
            (name.clone(), variable)
        })
        .collect()
}

/// The variable of `faultpoint`, which debug builds read.
fn for_tests(name: &str) -> bool {
    cfg!(debug_assertions) && name == "REPLYD_CRASH_AT"
}

/// Gives each account its name, and refuses names that are not unique.
fn name_accounts(layers: &mut Layers, problems: &mut Vec<Problem>) {
    let mut seen: HashMap<String, String> = HashMap::new();
    for index in 0..layers.accounts.len() {
        let scope = Scope::Account(index);
        let given = layers.peek(scope, &keys::ACCOUNT_NAME).map(str::to_owned);
        let name = given.or_else(|| old_names::natural_name(layers, scope));
        let Some(seed) = layers.accounts.get_mut(index) else {
            continue;
        };
        if seed.name.is_empty() {
            seed.name = name.unwrap_or_else(|| format!("#{}", index + 1));
        }
        if seed.name.chars().count() > 100 || seed.name.chars().any(char::is_control) {
            problems.push(Problem {
                place: seed.origin.to_string(),
                key: "accounts.name".to_owned(),
                what: "it is longer than 100 characters, or holds control characters".to_owned(),
                remedy: "Write a short word".to_owned(),
            });
        }
        // Compared as in environment names: two accounts must not share one.
        if let Some(other) = seen.insert(env_form(&seed.name), seed.name.clone()) {
            problems.push(Problem {
                place: seed.origin.to_string(),
                key: "accounts.name".to_owned(),
                what: format!("accounts {other:?} and {:?} have the same name", seed.name),
                remedy:
                    "Give each [[accounts]] a `name` of its own; case and punctuation do not count"
                        .to_owned(),
            });
        }
    }
}

/// A name as part of environment names: `Sales (EU)` → `SALES__EU_`.
pub(super) fn env_form(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect()
}

/// The environment name of a key.
pub(super) fn env_name(key: &Key, account: &str) -> String {
    if key.of_account() {
        format!("REPLYD_ACCOUNT_{}_{}", env_form(account), key.env)
    } else if key.of_webhook() {
        format!("REPLYD_WEBHOOK_{}_{}", env_form(account), key.env)
    } else {
        key.env.to_owned()
    }
}

/// Every `REPLYD_…` name that means something here.
fn known_names(
    layers: &Layers,
    problems: &mut Vec<Problem>,
) -> HashMap<String, (Scope, &'static Key)> {
    let mut names: HashMap<String, (Scope, &'static Key)> = HashMap::new();
    for key in keys::ALL
        .iter()
        .copied()
        .filter(|k| !k.of_account() && !k.of_webhook())
    {
        names.insert(key.env.to_owned(), (Scope::All, key));
    }
    for (index, webhook) in layers.webhooks.iter().enumerate() {
        for key in keys::ALL.iter().copied().filter(|k| k.of_webhook()) {
            if key.path != keys::WEBHOOK_NAME.path {
                names.insert(env_name(key, &webhook.name), (Scope::Webhook(index), key));
            }
        }
    }
    for (index, account) in layers.accounts.iter().enumerate() {
        let of_account = keys::ALL.iter().copied().filter(|k| k.of_account());
        // The name is what these variables are found by, so it is not one of them.
        for key in of_account.filter(|k| k.path != keys::ACCOUNT_NAME.path) {
            let name = env_name(key, &account.name);
            let scope = Scope::Account(index);
            if let Some((Scope::Account(other), _)) = names.insert(name.clone(), (scope, key)) {
                let other = layers.accounts.get(other).map_or("", |a| a.name.as_str());
                if env_form(other) != env_form(&account.name) {
                    problems.push(Problem {
                        place: account.origin.to_string(),
                        key: "accounts.name".to_owned(),
                        what: format!(
                            "{name} would belong to account {other:?} and to {:?}",
                            account.name
                        ),
                        remedy: "Rename one of them".to_owned(),
                    });
                }
            }
        }
    }
    names
}

fn unknown_variable(
    name: &str,
    variable: &Variable,
    rank: Rank,
    names: &HashMap<String, (Scope, &'static Key)>,
    problems: &mut Vec<Problem>,
) {
    let mut candidates: Vec<&str> = names.keys().map(String::as_str).collect();
    candidates.sort_unstable();
    let remedy = if let Some(near) = nearest(name, candidates) {
        format!("Did you mean {near}?")
    } else if name.starts_with("REPLYD_ACCOUNT_") {
        "No [[accounts]] of replyd.toml has such a name and key; write its `name` in capitals, \
         with _ for anything but letters and digits"
            .to_owned()
    } else if rank == RANK_ENV {
        "Unset it; `replyd config reference` lists every name".to_owned()
    } else {
        "Remove it; `replyd config reference` lists every name".to_owned()
    };
    problems.push(Problem {
        place: variable.origin.to_string(),
        key: String::new(),
        what: "unknown name".to_owned(),
        remedy,
    });
}

fn flags(sources: &Sources, layers: &mut Layers) {
    let flags = &sources.flags;
    let database = flags
        .database
        .as_ref()
        .map(|p| p.to_string_lossy().into_owned());
    for (key, value) in [
        (&keys::DATABASE, database),
        (&keys::LOG_FORMAT, flags.log_format.clone()),
        (&keys::INTERVAL, flags.interval.clone()),
        (&keys::DAYS, flags.days.clone()),
        (&keys::WEB_LISTEN, flags.listen.clone()),
    ] {
        if let (Some(value), Some(flag)) = (value, key.flag) {
            let found = Found {
                raw: Raw::Loose(value),
                origin: Origin::Flag(flag),
                rank: RANK_FLAG,
            };
            layers.offer(Scope::All, key, found);
        }
    }
}
