//! `replyd doctor`: looks at everything that must be right, in the order in which one looks, and
//! says in words what is wrong and what to do. Works before the first start and beside a running
//! replyd; changes no mailbox, makes no state folder, and sends nothing unless it is told to.
//!
//! | file | duty |
//! | --- | --- |
//! | `report` | a line a check, as text and JSON; the exit code |
//! | `configured` | the settings, and who is told |
//! | `host`, `health` | state folder, disk, database, keys, limits, the running replyd |
//! | `account` | one account, put together |
//! | `way`, `reading`, `sending` | the way to a server; IMAP; SMTP |
//! | `clock` | our clock against the servers' |
//! | `endpoint` | the optional model endpoint |
//! | `send_test`, `test_mail` | a mail to itself, and what it proves |
//!
//! The connections are made by the functions that the service uses. Sign-ins are booked in the
//! store where there is one, so that no number of calls gets an account locked.

mod account;
mod clock;
mod configured;
mod endpoint;
mod health;
mod host;
mod reading;
mod report;
mod send_test;
mod sending;
mod test_mail;
mod way;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

pub use report::{Check, Group, Report, Verdict};

use self::account::Patient;
use crate::config::{ConfigError, Loaded, Settings};
use crate::credential::Vault;
use crate::fault::Fault;
use crate::imap::ByteBudget;
use crate::keys::Keys;
use crate::store::{AccountRow, Store, StoreError};
use crate::time;
use crate::tls::TlsRoots;

/// Accounts that are examined at the same time.
const AT_ONCE: usize = 8;

/// What the settings gave.
#[derive(Clone, Debug)]
pub enum Intake {
    /// All of them.
    Complete(Box<Loaded>),
    /// Problems, and what could be read all the same: enough for the state folder.
    Wrong(ConfigError, Option<Box<Settings>>),
    /// A root shell that cannot become the service's user, and why.
    NotAsService(String, Option<Box<Settings>>),
}

impl Intake {
    /// As far as they could be read.
    #[must_use]
    pub fn settings(&self) -> Option<&Settings> {
        match self {
            Self::Complete(loaded) => Some(&loaded.settings),
            Self::Wrong(_, partial) | Self::NotAsService(_, partial) => partial.as_deref(),
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only this account.
    pub account: Option<String>,
    /// Send a mail to itself.
    pub send_test: bool,
    /// How long the test mail may take.
    pub deadline: Duration,
    /// Told of each step of the test mail, for people who wait.
    pub progress: fn(&str),
}

/// Looks at all of it; `tell` is given each group as soon as it is complete, the installation
/// first.
pub async fn examine(intake: Intake, options: Options, mut tell: impl FnMut(&Group)) -> Report {
    let at = time::now();
    let mut installation = Group::new(None);
    let complete = match &intake {
        Intake::Complete(loaded) => {
            configured::settings(Ok(loaded), &mut installation);
            configured::secrets(loaded, &mut installation);
            configured::hidden(loaded, &mut installation);
            configured::told(&loaded.settings, &mut installation);
            true
        }
        Intake::Wrong(error, _) => {
            configured::settings(Err(error), &mut installation);
            false
        }
        Intake::NotAsService(why, _) => {
            installation.add(Check::fault("root_shell", Fault::StateNotOurs, why));
            false
        }
    };
    let Some(settings) = intake.settings().cloned() else {
        tell(&installation);
        return Report::new(at, vec![installation]);
    };
    let place = Place::look(&settings, &mut installation).await;
    if complete {
        endpoint::examine(&settings, &mut installation).await;
    }
    tell(&installation);
    let mut groups = vec![installation];
    if complete {
        let patients = place.patients(settings, &options).await;
        let gate = Arc::new(Semaphore::new(AT_ONCE));
        let examined: Vec<_> = patients
            .into_iter()
            .map(|patient| {
                let (gate, name) = (Arc::clone(&gate), patient.account.name.clone());
                let task = tokio::spawn(async move {
                    // The gate is never closed.
                    let _turn = gate.acquire().await;
                    Box::pin(patient.examine()).await
                });
                (name, task)
            })
            .collect();
        for (name, task) in examined {
            let group = task.await.unwrap_or_else(|join| {
                let mut group = Group::new(Some(&name));
                group.add(Check::fault("account", Fault::Unexpected, join));
                group
            });
            tell(&group);
            groups.push(group);
        }
    }
    Report::new(at, groups)
}

/// What is wrong with the state folder and its disk right now, for `status`: a full disk cannot be
/// recorded in the database that lies on it.
#[must_use]
pub fn glance(settings: &Settings) -> Vec<Check> {
    let mut group = Group::new(None);
    host::folder(settings, &mut group);
    let wrong = |check: &Check| matches!(check.verdict, Verdict::Warning | Verdict::Failed);
    group.checks.retain(wrong);
    group.checks
}

/// What the accounts need of the installation.
#[derive(Debug)]
struct Place {
    store: Option<Store>,
    keys: Option<Arc<Keys>>,
    running: bool,
}

impl Place {
    async fn look(settings: &Settings, group: &mut Group) -> Self {
        let there = host::folder(settings, group);
        let (mut usable, mut keys, mut running) = (false, None, false);
        if there {
            usable = host::database(settings, group).await;
            keys = host::keys(settings, group).map(Arc::new);
            running = host::service(settings, group);
            if running {
                health::ask(settings, group).await;
            }
        } else {
            host::files(settings, None, group);
        }
        let store = host::open_store(settings, usable).await;
        Self {
            store,
            keys,
            running,
        }
    }

    async fn patients(&self, settings: Settings, options: &Options) -> Vec<Patient> {
        let settings = Arc::new(settings);
        let roots = TlsRoots::default();
        let vault = match (&self.store, &self.keys) {
            (Some(store), Some(keys)) => Vault::new(store.clone(), Arc::clone(keys), roots),
            _ => Vault::detached(),
        };
        let rows = self.rows().await;
        let budget = ByteBudget::new(settings.listen.byte_budget);
        let wanted = |name: &str| options.account.as_deref().is_none_or(|only| only == name);
        settings
            .accounts
            .iter()
            .filter(|account| wanted(&account.name))
            .map(|account| Patient {
                account: account.clone(),
                settings: Arc::clone(&settings),
                store: self.store.clone(),
                row: rows.iter().find(|row| row.name == account.name).cloned(),
                keys: self.keys.clone(),
                vault: vault.clone(),
                budget: budget.clone(),
                options: options.clone(),
                running: self.running,
            })
            .collect()
    }

    async fn rows(&self) -> Vec<AccountRow> {
        let Some(store) = &self.store else {
            return Vec::new();
        };
        let rows: Result<Vec<AccountRow>, StoreError> = store.read(|r| r.accounts()).await;
        rows.inspect_err(|e| tracing::debug!(error = %e, "The accounts are not read"))
            .unwrap_or_default()
    }
}
