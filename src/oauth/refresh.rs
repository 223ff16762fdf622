//! One refresh: booked, asked for, stored (see [`super::renew`]).

use std::sync::Arc;
use std::time::Duration;

use secrecy::zeroize::Zeroizing;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use super::causes::{self, Verdict};
use super::client::{Refusal, TokenServer, Tokens};
use super::renew::Inner;
use super::seal::Pair;
use crate::config::OAuthSettings;
use crate::credential::CredentialError;
use crate::faultpoint;
use crate::model::OAuthState;
use crate::retry;
use crate::store::{OAuthRow, RefreshFailure, StoreError, TokensLock};
use crate::time;

/// Another process renews: its request has a deadline of 30 s, and its commit one of 10 s.
const LOCK_WAIT: Duration = Duration::from_secs(45);
/// How often the lock is tried.
const LOCK_EVERY: Duration = Duration::from_millis(50);
/// New tokens that the store does not take are offered again, at first and at most.
const SAVE_AGAIN: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// What is to be renewed.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) account: String,
    pub(super) settings: Arc<OAuthSettings>,
    /// The tokens that are to be replaced.
    pub(super) version: i64,
    /// A mail server refused the access token.
    pub(super) forced: bool,
}

impl Inner {
    /// One refresh. `Ok` also when it failed and that is recorded, or when somebody else has
    /// renewed meanwhile: the row tells.
    pub(super) async fn renew(&self, wish: &Wish) -> Result<(), CredentialError> {
        let gate = self.gate(&wish.account);
        let _one = gate.lock().await;
        let Some((_lock, row)) = self.book(wish).await? else {
            return Ok(());
        };
        faultpoint::hit("oauth.booked");
        let doubt = row.booked_at.is_some();
        if doubt {
            let account = wish.account.as_str();
            warn!(
                account,
                "an earlier token refresh never got its answer; asking again"
            );
        }
        let refresh = self.open(&row)?.refresh;
        match self.ask(&wish.settings, &refresh).await {
            Ok(tokens) => {
                faultpoint::hit("oauth.answered");
                self.keep(wish, &row, tokens, refresh).await
            }
            Err(refusal) => self.failed(wish, &row, &refusal).await,
        }
    }

    /// Waits for the lock and books the refresh; `None` when it is not wanted any more.
    async fn book(&self, wish: &Wish) -> Result<Option<(TokensLock, OAuthRow)>, CredentialError> {
        let until = Instant::now() + LOCK_WAIT;
        let lock = loop {
            let row = self.row(&wish.account, &wish.settings).await?;
            if row.version != wish.version || row.state == OAuthState::NeedsSignIn {
                return Ok(None);
            }
            // Tokens of lost keys cannot be asked with: nothing is booked for them.
            self.open(&row)?;
            if let Some(lock) = self.store.try_lock_tokens(row.id).await? {
                break lock;
            }
            if Instant::now() >= until {
                let reason = "another replyd process is renewing the token".to_owned();
                let retry_at = None;
                return Err(CredentialError::TokenServer { reason, retry_at });
            }
            sleep(LOCK_EVERY).await;
        };
        let (account, version) = (wish.account.clone(), wish.version);
        let client = self.client_hash(&wish.settings);
        let booked: Option<OAuthRow> = self
            .store
            .write(move |tx| tx.book_refresh(&account, version, &client, time::now()))
            .await?;
        Ok(booked.map(|row| (lock, row)))
    }

    async fn ask(&self, settings: &OAuthSettings, refresh: &str) -> Result<Tokens, Refusal> {
        let http = self.http(settings).await.map_err(Refusal::NotAsked)?;
        let server = TokenServer {
            http: &http,
            settings,
        };
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        server.tokens(&form, &[refresh]).await
    }

    /// Stores the answer. It may hold the only refresh token there is: while the store cannot
    /// take it (a full disk), it is offered again, and the lock keeps others from asking with
    /// the old one.
    async fn keep(
        &self,
        wish: &Wish,
        row: &OAuthRow,
        tokens: Tokens,
        old: Zeroizing<String>,
    ) -> Result<(), CredentialError> {
        let now = time::now();
        let pair = Pair {
            access: tokens.access,
            refresh: tokens.refresh.unwrap_or(old),
        };
        let new = self.sealed(&wish.account, &pair, now.plus(tokens.life))?;
        let (account, life_s) = (wish.account.as_str(), tokens.life.as_secs());
        let mut wait = SAVE_AGAIN.0;
        loop {
            let (id, version, forced, new) = (row.id, row.version, wish.forced, new.clone());
            let saved: Result<bool, StoreError> = self
                .store
                .write(move |tx| {
                    let saved = tx.save_refresh(id, version, &new, forced, now)?;
                    faultpoint::hit("oauth.before_commit");
                    Ok(saved)
                })
                .await;
            match saved {
                Ok(true) => {
                    faultpoint::hit("oauth.committed");
                    info!(account, life_s, "access token renewed");
                    return Ok(());
                }
                Ok(false) => {
                    info!(account, "a login has replaced the tokens meanwhile");
                    return Ok(());
                }
                Err(e) => {
                    error!(account, "the renewed tokens cannot be stored yet: {e:#}");
                    sleep(wait).await;
                    wait = (wait * 2).min(SAVE_AGAIN.1);
                }
            }
        }
    }

    async fn failed(
        &self,
        wish: &Wish,
        row: &OAuthRow,
        refusal: &Refusal,
    ) -> Result<(), CredentialError> {
        let account = wish.account.as_str();
        let (id, version, now) = (row.id, row.version, time::now());
        let verdict = causes::verdict(refusal);
        if verdict == Verdict::Gone {
            let doubt = row.booked_at.is_some();
            let why = causes::gone(refusal, doubt);
            let (usual, remedy) = (
                causes::usual(wish.settings.provider),
                causes::remedy(account),
            );
            error!(
                account,
                "the token server refuses the stored sign-in ({why}). Usual causes: {usual}. {remedy}"
            );
            let written: Result<(), StoreError> = self
                .store
                .write(move |tx| tx.refresh_refused(id, version, &why, now))
                .await;
            return Ok(written?);
        }
        let (error, wait) = match verdict {
            Verdict::Client => (causes::client(refusal), retry::CLIENT.wait(row.failures)),
            _ => (refusal.text(), retry::TOKEN.wait(row.failures)),
        };
        let (asked, in_doubt) = match refusal {
            Refusal::Passing { wait, in_doubt, .. } => (*wait, *in_doubt),
            _ => (None, false),
        };
        let wait = asked.map_or(wait, |asked| asked.max(wait));
        warn!(
            account,
            wait_s = wait.as_secs(),
            "the access token could not be renewed: {error}"
        );
        let failure = RefreshFailure {
            error,
            next_attempt_at: now.plus(wait),
            client_hash: self.client_hash(&wish.settings),
            // What was in doubt stays so until an answer comes.
            in_doubt: in_doubt || row.booked_at.is_some(),
            client_refused: verdict == Verdict::Client,
        };
        let written: Result<(), StoreError> = self
            .store
            .write(move |tx| tx.refresh_failed(id, version, &failure, now))
            .await;
        Ok(written?)
    }
}
