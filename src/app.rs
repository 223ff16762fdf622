//! Composition root: opens the store, builds the tasks, owns the stop token. Every mode (run,
//! once, check, process, demo) is built here from the same parts.

mod attachments;
mod once;
mod parts;
mod reconcile;
mod replay;
mod scan;
mod supervise;
mod tasks;
mod web;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use anyhow::Context;
use tokio::sync::OnceCell;
use tracing::{error, info, warn};

pub use once::{CheckReport, Outcome, problem};
pub use replay::{Change, Difference, ReplayReport};

use crate::alerts::Alerts;
use crate::assistant::Assistant;
use crate::campaign::pace::Pace;
use crate::capture::Capture;
use crate::config::{AccountSettings, Credential, Settings};
use crate::credential::Vault;
use crate::desk::Desk;
use crate::fault::Fault;
use crate::hooks::Hooks;
use crate::imap::ByteBudget;
use crate::keys::Keys;
use crate::listener::{Listener, Progress, Shared};
use crate::model::AccountId;
use crate::oauth::{Keeper, Kept};
use crate::outbox::OutboxWorker;
use crate::reply::ReplyActor;
use crate::reply::classify::Classifier;
use crate::reply::linear::Weights;
use crate::reply::templates::Templates;
use crate::smtp::{Console, Mailer};
use crate::status::Board;
use crate::store::{ReaderPresence, Store, StoreError};
use crate::time;
use crate::tls::TlsRoots;
use crate::wake::Doorbell;
use crate::web::{Web, WebError};

/// The parts of a running replyd.
#[derive(Debug)]
pub struct App {
    settings: Arc<Settings>,
    store: Store,
    keys: Arc<Keys>,
    vault: Vault,
    actor: ReplyActor,
    board: Board,
    budget: ByteBudget,
    roots: TlsRoots,
    owner: String,
    reply_bell: Doorbell,
    outbox_bell: Doorbell,
    /// One for each account; ringing makes its listener look at once.
    look_bells: Vec<Doorbell>,
    progress: Option<Progress>,
    alerts: Alerts,
    /// Bound by [`App::listen_web`], served by `run`.
    web: std::sync::Mutex<Option<Web>>,
    /// The demo: no token is asked for on loopback.
    open: bool,
    /// Held from the first listener on.
    readers: OnceCell<ReaderPresence>,
}

impl App {
    /// Opens keys, templates and store. No socket is opened here.
    ///
    /// # Errors
    /// A clear sentence of what cannot be opened and what to do.
    pub async fn open(settings: Settings) -> anyhow::Result<Self> {
        let state_dir = settings.state_dir.clone();
        let credential = settings.keys_credential.clone();
        let keys = tokio::task::spawn_blocking(move || {
            Keys::load_or_create(&state_dir, credential.as_deref())
        })
        .await
        .context("Load keys")?
        .context("Load the keys of Message-IDs")?;
        let templates = Templates::load(settings.reply.templates_dir.as_deref())
            .context("Load mail templates")?;
        let classifier = classifier(settings.reply.weights_file.as_deref())?;
        let store = Store::open(settings.database.clone())
            .await
            .with_context(|| format!("Open database {}", settings.database.display()))?;
        let budget = ByteBudget::new(settings.listen.byte_budget);
        let settings = Arc::new(settings);
        let keys = Arc::new(keys);
        let roots = TlsRoots::default();
        let vault = Vault::new(store.clone(), Arc::clone(&keys), roots.clone());
        let outbox_bell = Doorbell::default();
        let actor = ReplyActor::new(
            store.clone(),
            Arc::clone(&settings),
            Arc::clone(&keys),
            templates,
            classifier,
            outbox_bell.clone(),
        );
        let endpoint = settings.model.clone();
        let actor = actor.with_assistant(endpoint.map(|m| Assistant::new(m, roots.clone())));
        let look_bells = settings
            .accounts
            .iter()
            .map(|_| Doorbell::default())
            .collect();
        let roots = TlsRoots::default();
        let alerts = Alerts::new(
            store.clone(),
            Arc::clone(&settings),
            Arc::clone(&keys),
            roots.clone(),
            outbox_bell.clone(),
        );
        Ok(Self {
            settings,
            store,
            keys,
            vault,
            actor,
            board: Board::default(),
            budget,
            roots,
            owner: owner(),
            reply_bell: Doorbell::default(),
            outbox_bell,
            look_bells,
            progress: None,
            alerts,
            web: std::sync::Mutex::new(None),
            open: false,
            readers: OnceCell::new(),
        })
    }

    /// Reports long work to `progress`.
    #[must_use]
    pub fn with_progress(mut self, progress: Option<Progress>) -> Self {
        self.progress = progress;
        self
    }

    /// For the demo: no token is asked for, where the address is on loopback.
    #[must_use]
    pub fn without_tokens(mut self) -> Self {
        self.open = true;
        self
    }

    /// Takes the port of the settings, if they name one; [`App::run`] then answers there. Gives
    /// the address. A default address that is taken keeps no mailbox from being read: it is told,
    /// and tried again while `run` goes on.
    ///
    /// # Errors
    /// [`WebError`], with what to do: an address that somebody has chosen cannot be had.
    pub async fn listen_web(&self) -> Result<Option<SocketAddr>, WebError> {
        let Some(address) = self.settings.web.listen else {
            return Ok(None);
        };
        let web = match Web::bind(address).await {
            Err(e) if !self.settings.web.is_chosen => {
                let fault = Fault::PortInUse.code();
                error!(
                    fault,
                    "{e}. Mailboxes are read all the same, and the address is tried again"
                );
                Web::later(address)
            }
            bound => bound?,
        };
        let bound = web.address();
        let is_https = |url: &String| url.starts_with("https://");
        if !bound.ip().is_loopback() && !self.settings.web.public_url.as_ref().is_some_and(is_https)
        {
            warn!(
                %bound,
                "HTTP is served to other machines without TLS: tokens and mails can be read on the \
                 way. Put a proxy with TLS in front (docs/API.md), and set web.public_url"
            );
        }
        *self.web.lock().unwrap_or_else(PoisonError::into_inner) = Some(web);
        Ok(Some(bound))
    }

    /// The store, for commands and reports.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The keys, for imports.
    #[must_use]
    pub fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    /// Passwords and tokens, for `auth` and diagnosis.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Trust stores, for the same.
    #[must_use]
    pub fn roots(&self) -> &TlsRoots {
        &self.roots
    }

    /// A bell for each account; ringing makes its listener look at once.
    #[must_use]
    pub fn look_bells(&self) -> Vec<Doorbell> {
        self.look_bells.clone()
    }

    /// Where people work on drafts and labels.
    #[must_use]
    pub fn desk(&self) -> Desk {
        Desk::new(
            self.store.clone(),
            Arc::clone(&self.settings),
            Arc::clone(&self.keys),
            self.outbox_bell.clone(),
        )
    }

    /// Tells webhooks.
    #[must_use]
    pub fn hooks(&self) -> Hooks {
        Hooks::new(
            self.store.clone(),
            self.settings.webhooks.clone(),
            self.roots.clone(),
        )
    }

    /// Mails were queued: an outbox of this process looks at once.
    pub fn ring_outbox(&self) {
        self.outbox_bell.ring();
    }

    /// The settings in effect.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn shared(&self) -> Shared {
        Shared {
            settings: Arc::clone(&self.settings),
            store: self.store.clone(),
            capture: Capture::new(self.store.clone(), Arc::clone(&self.keys), &self.settings),
            budget: self.budget.clone(),
            keys: Arc::clone(&self.keys),
            vault: self.vault.clone(),
            roots: self.roots.clone(),
            owner: self.owner.clone(),
            board: self.board.clone(),
            reply_bell: self.reply_bell.clone(),
            progress: self.progress.clone(),
        }
    }

    /// Renews the tokens of the accounts that sign in by OAuth2.
    async fn token_keeper(&self) -> Option<Keeper> {
        let mut kept = Vec::new();
        for (account, bell) in self.settings.accounts.iter().zip(&self.look_bells) {
            let of_smtp = account.smtp.credential.as_ref();
            let all = [Some(&account.imap.credential), of_smtp];
            let oauth = all
                .into_iter()
                .flatten()
                .find_map(|credential| match credential {
                    Credential::OAuth(settings) => Some(Arc::clone(settings)),
                    _ => None,
                });
            kept.extend(oauth.map(|settings| Kept {
                account: account.name.clone(),
                settings,
                bell: bell.clone(),
            }));
        }
        let renewer = self.vault.renewer().ok().filter(|_| !kept.is_empty())?;
        Some(Keeper::new(renewer.clone(), kept, self.outbox_bell.clone()).await)
    }

    async fn listeners(&self) -> anyhow::Result<Vec<Listener>> {
        self.readers
            .get_or_try_init(|| async {
                let (presence, given_back) = self.store.join_readers().await?;
                if given_back > 0 {
                    info!(
                        accounts = given_back,
                        "an ended process left accounts behind: taken over at once"
                    );
                }
                Ok::<_, StoreError>(presence)
            })
            .await
            .context("Join those who read mailboxes")?;
        self.bare_listeners().await
    }

    /// Listeners that take no account over from anybody: for a look beside those who read.
    async fn bare_listeners(&self) -> anyhow::Result<Vec<Listener>> {
        let shared = self.shared();
        let mut listeners = Vec::new();
        for (account, bell) in self.settings.accounts.iter().zip(&self.look_bells) {
            let listener = Listener::new(shared.clone(), account.clone(), bell.clone())
                .await
                .with_context(|| format!("Prepare account {}", account.name))?;
            listeners.push(listener);
        }
        Ok(listeners)
    }

    /// The accounts with their rows, made on first mention.
    async fn accounts(&self) -> anyhow::Result<Vec<(AccountId, AccountSettings)>> {
        let names: Vec<String> = self
            .settings
            .accounts
            .iter()
            .map(|a| a.name.clone())
            .collect();
        let ids = self
            .store
            .write(move |tx| {
                names
                    .iter()
                    .map(|name| tx.ensure_account(name, time::now()).map(|row| row.id))
                    .collect::<Result<Vec<_>, crate::store::StoreError>>()
            })
            .await
            .context("Prepare accounts")?;
        Ok(ids
            .into_iter()
            .zip(self.settings.accounts.iter().cloned())
            .collect())
    }

    /// Writes down how fast each account may send campaign mails, and how old a reply may be that is
    /// answered: the claim reads it.
    async fn set_limits(&self, accounts: &[(AccountId, AccountSettings)]) -> anyhow::Result<()> {
        let paces: Vec<(AccountId, Pace)> = accounts
            .iter()
            .filter_map(|(id, account)| {
                let sender = self
                    .settings
                    .senders
                    .iter()
                    .find(|s| s.account == account.name);
                sender.map(|sender| (*id, Pace::of(sender)))
            })
            .collect();
        let settings = Arc::clone(&self.settings);
        self.store
            .write(move |tx| {
                let reply = &settings.reply;
                tx.set_answer_max_age(reply.answer_max_age)?;
                tx.set_working_hours(reply.working_hours.as_ref(), reply.zone)?;
                for (id, pace) in &paces {
                    tx.set_pace(*id, pace.gap(), pace.per_day)?;
                }
                Ok::<_, StoreError>(())
            })
            .await
            .context("Set the limits of sending")
    }

    async fn outbox(&self) -> anyhow::Result<OutboxWorker> {
        let console = Console::new(Box::new(std::io::stdout()));
        let mut mailers = HashMap::new();
        let accounts = self.accounts().await?;
        self.set_limits(&accounts).await?;
        let mut bells = HashMap::new();
        for ((id, account), bell) in accounts.into_iter().zip(&self.look_bells) {
            bells.insert(id, bell.clone());
            let mailer = Mailer::new(
                &account.name,
                &account.smtp,
                &self.vault,
                &self.roots,
                &console,
            );
            mailers.insert(id, mailer);
        }
        Ok(OutboxWorker::new(
            self.store.clone(),
            mailers,
            Arc::clone(&self.keys),
            self.settings.redirect_to.clone(),
        )
        .with_look_bells(bells))
    }
}

/// A name for this process in leases: unique, and telling for people.
fn owner() -> String {
    format!("pid {} ({:08x})", std::process::id(), fastrand::u32(..))
}

/// The classifier with the operator's own weights, if there are any.
fn classifier(weights_file: Option<&Path>) -> anyhow::Result<Classifier> {
    let Some(path) = weights_file else {
        return Ok(Classifier::default());
    };
    let bytes = std::fs::read(path).with_context(|| format!("Read weights {}", path.display()))?;
    let weights = Weights::from_bytes(&bytes)
        .with_context(|| format!("Use weights {} (reply.weights_file)", path.display()))?;
    tracing::info!(version = weights.version(), "own weights of the classifier");
    let classifier = Classifier::with_weights(weights);
    let unknown = classifier.unknown_rules()?;
    if !unknown.is_empty() {
        tracing::warn!(
            rules = unknown.len(),
            "reply.weights_file was trained with other rules than this program's, or on too few \
             texts: train it again (replyd train)"
        );
    }
    Ok(classifier)
}
