//! Access tokens from the store, renewed at three quarters of their life.
//!
//! One refresh at a time for each account: in this process behind a mutex, among processes behind
//! a lock that the kernel drops with its holder. It runs in a task of its own, so that nobody who
//! stops waiting for it throws a rotated refresh token away; at the end of the process it is
//! waited for ([`Renewer::close`]).
//!
//! One window stays, and no client can close it: a process that is killed after the server gave a
//! new refresh token and before the commit. The next process finds the refresh booked, asks again
//! at once (servers that rotate take the old token for some seconds more, for this very case),
//! and says so if the server refuses.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::ExposeSecret as _;
use secrecy::zeroize::Zeroizing;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::client::Tokens;
use super::refresh::Wish;
use super::seal::{Pair, Sealer};
use crate::config::{ClientSecret, OAuthSettings};
use crate::credential::CredentialError;
use crate::http::HttpClient;
use crate::keys::Keys;
use crate::model::OAuthState;
use crate::store::{NewTokens, OAuthRow, Store, StoreError};
use crate::time::{self, UtcMs};
use crate::tls::TlsRoots;

/// An access token is not used for the last minute of its life, or the last tenth of a short one.
const SPARE: Duration = Duration::from_secs(60);
/// While the access token is good, a sign-in waits no longer than this for a new one.
const PATIENCE: Duration = Duration::from_secs(5);
/// A token that a mail server refuses is replaced at most this often.
const FORCED_EVERY: Duration = Duration::from_secs(15 * 60);

/// An access token with what is known of it.
pub(crate) struct Held {
    pub(crate) access: Zeroizing<String>,
    pub(crate) mark: Mark,
}

/// Which token it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The login that it stems from.
    pub(crate) obtained_at: UtcMs,
    pub(crate) version: i64,
    pub(crate) expires_at: UtcMs,
}

/// Where an access token stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Age {
    /// It can be used.
    pub(super) good: bool,
    /// When it should be renewed; now or earlier: it is due.
    pub(super) due_at: UtcMs,
}

impl Age {
    pub(super) fn of(row: &OAuthRow, now: UtcMs) -> Self {
        let life = row.expires_at.since(row.refreshed_at);
        let spare = SPARE.min(life / 10);
        // Got in the future: the clock was set back, and nothing is known of its age.
        let due_at = if row.refreshed_at > now.plus(SPARE) {
            now
        } else {
            row.refreshed_at.plus(life.mul_f64(0.75))
        };
        Self {
            good: now.plus(spare) < row.expires_at,
            due_at,
        }
    }

    fn due(&self, now: UtcMs) -> bool {
        self.due_at <= now
    }
}

/// Hands out access tokens and renews them; clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Renewer(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) store: Store,
    keys: Arc<Keys>,
    sealer: Sealer,
    roots: TlsRoots,
    clients: Mutex<HashMap<Option<PathBuf>, HttpClient>>,
    /// One refresh at a time for each account.
    gates: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    tasks: TaskTracker,
}

impl Renewer {
    pub(crate) fn new(store: Store, keys: Arc<Keys>, roots: TlsRoots) -> Self {
        let sealer = Sealer::new(&keys);
        Self(Arc::new(Inner {
            store,
            keys,
            sealer,
            roots,
            clients: Mutex::default(),
            gates: Mutex::default(),
            tasks: TaskTracker::new(),
        }))
    }

    /// An access token that is good now, renewed when it is due. Trouble with the token server
    /// is no error while the token is good.
    pub(crate) async fn token(
        &self,
        account: &str,
        settings: &Arc<OAuthSettings>,
    ) -> Result<Held, CredentialError> {
        let mut asked = false;
        loop {
            let row = self.0.row(account, settings).await?;
            let now = time::now();
            let age = Age::of(&row, now);
            let pause = row.pause(&self.0.client_hash(settings), now);
            let no_use = asked || pause.is_some() || row.state == OAuthState::NeedsSignIn;
            if !age.due(now) || (age.good && no_use) {
                return self.0.held(&row);
            }
            if no_use {
                return Err(no_token(row, pause));
            }
            asked = true;
            let task = self.renew(account, settings, row.version, false);
            if !age.good {
                joined(task.await)?;
            } else if timeout(PATIENCE, task).await.is_err() {
                debug!(
                    account,
                    "the token server is slow; the old token is still good"
                );
            }
        }
    }

    /// Another access token than the one that a mail server refused; `None` when that must count
    /// as a refusal.
    pub(crate) async fn instead_of(
        &self,
        account: &str,
        settings: &Arc<OAuthSettings>,
        refused: Mark,
    ) -> Result<Option<Held>, CredentialError> {
        let row = self.0.row(account, settings).await?;
        if row.version == refused.version {
            let now = time::now();
            if row.state == OAuthState::NeedsSignIn {
                return Err(no_token(row, None));
            }
            if row.forced_at.plus(FORCED_EVERY) > now && row.forced_at <= now {
                return Ok(None);
            }
            info!(
                account,
                "the mail server refuses the access token: it is renewed at once"
            );
            joined(self.renew(account, settings, row.version, true).await)?;
        }
        let row = self.0.row(account, settings).await?;
        if row.version != refused.version {
            return self.0.held(&row).map(Some);
        }
        let pause = row.pause(&self.0.client_hash(settings), time::now());
        Err(no_token(row, pause))
    }

    /// Why a person must act, if one must, although the last access token may be good for a while.
    pub(crate) async fn trouble(
        &self,
        account: &str,
    ) -> Result<Option<CredentialError>, StoreError> {
        let name = account.to_owned();
        let row = self.0.store.read(move |r| r.oauth_row(&name)).await?;
        let bad = row.filter(|row| row.state != OAuthState::Good);
        Ok(bad.map(|row| no_token(row, None)))
    }

    /// All rows, for the keeper.
    pub(super) async fn rows(&self) -> Result<Vec<OAuthRow>, StoreError> {
        self.0.store.read(|r| r.oauth_rows()).await
    }

    /// Renews in a task of its own.
    fn renew(
        &self,
        account: &str,
        settings: &Arc<OAuthSettings>,
        version: i64,
        forced: bool,
    ) -> JoinHandle<Result<(), CredentialError>> {
        let wish = Wish {
            account: account.to_owned(),
            settings: Arc::clone(settings),
            version,
            forced,
        };
        let inner = Arc::clone(&self.0);
        let task = async move { inner.renew(&wish).await };
        self.0.tasks.spawn(task)
    }

    /// As [`Renewer::renew`] for tokens that are due, unless a pause forbids it.
    pub(super) fn renew_if_due(
        &self,
        row: &OAuthRow,
        settings: &Arc<OAuthSettings>,
        now: UtcMs,
    ) -> Result<JoinHandle<Result<(), CredentialError>>, UtcMs> {
        let age = Age::of(row, now);
        if !age.due(now) {
            return Err(age.due_at);
        }
        match row.pause(&self.0.client_hash(settings), now) {
            Some(until) => Err(until),
            None => Ok(self.renew(&row.account, settings, row.version, false)),
        }
    }

    /// Keeps what a login brought.
    pub(crate) async fn keep_login(
        &self,
        account: &str,
        settings: &OAuthSettings,
        tokens: &Tokens,
    ) -> Result<(), CredentialError> {
        let Some(refresh) = &tokens.refresh else {
            let why = "the token server gave no refresh token";
            return Err(CredentialError::Unusable(why.to_owned()));
        };
        let pair = Pair {
            access: tokens.access.clone(),
            refresh: refresh.clone(),
        };
        let now = time::now();
        let new = self.0.sealed(account, &pair, now.plus(tokens.life))?;
        let client = (settings.client_id.clone(), settings.token_url.clone());
        let account = account.to_owned();
        let saved: Result<(), StoreError> = self
            .0
            .store
            .write(move |tx| tx.save_login(&account, &new, (&client.0, &client.1), now))
            .await;
        Ok(saved?)
    }

    /// An HTTP client that trusts what the settings say.
    pub(crate) async fn http(&self, settings: &OAuthSettings) -> Result<HttpClient, String> {
        self.0.http(settings).await
    }

    /// Waits for refreshes that are under way, at most `limit`: an answer that is thrown away may
    /// hold the only refresh token.
    pub(crate) async fn close(&self, limit: Duration) {
        self.0.tasks.close();
        if timeout(limit, self.0.tasks.wait()).await.is_err() {
            warn!("a token refresh is still under way: the next start asks again");
        }
        self.0.tasks.reopen();
    }
}

/// Why there is no other token than the one in the row.
fn no_token(row: OAuthRow, retry_at: Option<UtcMs>) -> CredentialError {
    let reason = row.error;
    match row.state {
        OAuthState::NeedsSignIn => CredentialError::Revoked(reason),
        OAuthState::ClientRefused => CredentialError::ClientRefused { reason, retry_at },
        OAuthState::Good => CredentialError::TokenServer { reason, retry_at },
    }
}

/// A panic in the task leaves the booking behind, like a kill.
fn joined(
    ended: Result<Result<(), CredentialError>, tokio::task::JoinError>,
) -> Result<(), CredentialError> {
    ended.unwrap_or_else(|join| Err(StoreError::Panicked(format!("Token refresh: {join}")).into()))
}

impl Inner {
    /// The tokens of an account, if they are those of the settings.
    pub(super) async fn row(
        &self,
        account: &str,
        settings: &OAuthSettings,
    ) -> Result<OAuthRow, CredentialError> {
        let name = account.to_owned();
        let row: Option<OAuthRow> = self.store.read(move |r| r.oauth_row(&name)).await?;
        let needs = |why: &str| Err(CredentialError::NotSignedIn(why.to_owned()));
        match row {
            None => needs("nobody has signed in by OAuth2 yet"),
            Some(row) if row.client_id != settings.client_id => {
                needs("the stored sign-in is that of another client id than the settings name")
            }
            Some(row) if row.token_url != settings.token_url => {
                needs("the stored sign-in is that of another token server than the settings name")
            }
            Some(row) => Ok(row),
        }
    }

    pub(super) fn open(&self, row: &OAuthRow) -> Result<Pair, CredentialError> {
        self.sealer.open(&row.account, &row.sealed).ok_or_else(|| {
            let why = "the stored tokens cannot be decrypted: they were stored under other keys \
                       than those of this process (keys.json or the credential replyd.keys)";
            CredentialError::NotSignedIn(why.to_owned())
        })
    }

    fn held(&self, row: &OAuthRow) -> Result<Held, CredentialError> {
        let pair = self.open(row)?;
        Ok(Held {
            access: pair.access,
            mark: Mark {
                obtained_at: row.obtained_at,
                version: row.version,
                expires_at: row.expires_at,
            },
        })
    }

    pub(super) fn sealed(
        &self,
        account: &str,
        pair: &Pair,
        expires_at: UtcMs,
    ) -> Result<NewTokens, CredentialError> {
        let sealed = self.sealer.seal(account, pair).ok_or_else(|| {
            StoreError::Invalid("The system gave no random bytes to seal tokens".to_owned())
        })?;
        Ok(NewTokens { sealed, expires_at })
    }

    /// Tells one client of the settings from another: a mended secret is tried at once.
    pub(super) fn client_hash(&self, settings: &OAuthSettings) -> String {
        let secret = match &settings.client_secret {
            None => "",
            Some(ClientSecret::Text(text)) => text.expose_secret(),
            Some(ClientSecret::Command(_)) => "(by a command)",
        };
        let client = Zeroizing::new(format!(
            "oauth client\n{}\n{secret}\n{}\n{}",
            settings.client_id,
            settings.token_url,
            settings.scopes.join(" ")
        ));
        self.keys.hash(&client)
    }

    pub(super) async fn http(&self, settings: &OAuthSettings) -> Result<HttpClient, String> {
        let clients = || self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients().get(&settings.ca_file) {
            return Ok(client.clone());
        }
        let (roots, ca_file) = (self.roots.clone(), settings.ca_file.clone());
        // The trust store is some hundred files.
        let config = tokio::task::spawn_blocking(move || roots.client_config(ca_file.as_deref()))
            .await
            .map_err(|e| e.to_string())?
            .map_err(|e| e.to_string())?;
        let client = HttpClient::new(&config).map_err(|e| e.to_string())?;
        clients().insert(settings.ca_file.clone(), client.clone());
        Ok(client)
    }

    pub(super) fn gate(&self, account: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(account.to_owned()).or_default())
    }
}

#[cfg(test)]
#[path = "renew_tests.rs"]
mod tests;
