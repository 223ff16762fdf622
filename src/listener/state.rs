//! What surrounds a session: the lease, the sign-in budget, the account's state, and what an end
//! of a session means.

use std::time::Duration;

use tracing::{error, info, warn};

use super::look::Looked;
use super::{Ended, LEASE, Listener};
use crate::credential::SignIn;
use crate::fault;
use crate::faultpoint;
use crate::imap::{self, ImapError, Session};
use crate::model::{AccountState, Lease, Pipelining};
use crate::retry;
use crate::store::{LoginPermit, StoreError};
use crate::time::{self, UtcMs};

/// After three refused sign-ins in a row: hourly, so that the account is not locked.
const REFUSED_WAIT: Duration = Duration::from_secs(3600);
/// Between the first refusals at least a minute.
const REFUSED_FIRST: Duration = Duration::from_secs(60);
/// How many refusals until then.
const REFUSALS: u32 = 3;
/// While another process reads the account: look again this often.
const HELD_WAIT: Duration = Duration::from_secs(15);
/// But never more often than this.
const HELD_LEAST: Duration = Duration::from_millis(200);
/// A server may end a session a little before the access token ends.
const TOKEN_END: Duration = Duration::from_secs(120);
/// Which step of the backoff is used when the store itself is in trouble.
const STORE_TROUBLE: u32 = 3;

/// The state after a look: degraded when a mailbox could not be opened.
pub(super) fn looked(looked: &Looked, way: &str) -> (AccountState, String) {
    if looked.closed.is_empty() {
        return (AccountState::Live, way.to_owned());
    }
    let names = looked.closed.join(", ");
    (
        AccountState::Degraded,
        format!("these mailboxes cannot be opened: {names}; check `mailboxes` in the settings"),
    )
}

impl Listener {
    /// A session, and when the access token that opened it ends.
    pub(super) async fn connect(&self) -> Result<(Session, Option<UtcMs>), Ended> {
        let imap = &self.account.imap;
        let vault = &self.shared.vault;
        let sign_in = vault
            .sign_in(&self.account.name, &imap.user, &imap.credential)
            .await?;
        let (session, sign_in) = match self.sign_in(&sign_in).await {
            Err(Ended::Imap(e @ ImapError::AuthRefused { .. })) => {
                let instead = vault.instead_of(&self.account.name, &imap.credential, &sign_in);
                match instead.await? {
                    Some(other) => (self.sign_in(&other).await?, other),
                    None => return Err(e.into()),
                }
            }
            other => (other?, sign_in),
        };
        let id = self.id;
        self.shared
            .store
            .write(move |tx| tx.note_signed_in(id))
            .await?;
        self.remember().await?;
        Ok((session, sign_in.expires_at()))
    }

    /// One sign-in, within the backoff and the budget.
    async fn sign_in(&self, sign_in: &SignIn) -> Result<Session, Ended> {
        let (id, every) = (self.id, self.shared.settings.listen.login_every);
        // A keyed hash: it tells whether user or secret were mended, and nothing else.
        let credentials = self.shared.keys.hash(&sign_in.identity());
        let permit = self
            .shared
            .store
            .write(move |tx| {
                tx.note_credentials(id, &credentials)?;
                tx.book_login(id, time::now(), every)
            })
            .await?;
        if let LoginPermit::NotBefore(at) = permit {
            return Err(Ended::NotBefore(at));
        }
        let (imap, shared) = (&self.account.imap, &self.shared);
        Ok(imap::connect(imap, sign_in, &shared.roots, &shared.budget).await?)
    }

    /// The state after a look, unless the account needs a new sign-in although its last access
    /// token still opens the mailbox: that is told at once, not when the mailbox falls silent.
    pub(super) async fn with_token_trouble(
        &self,
        looked: (AccountState, String),
    ) -> Result<(AccountState, String), StoreError> {
        let (vault, account) = (&self.shared.vault, &self.account);
        let trouble = vault.trouble(&account.name, &account.imap.credential);
        Ok(match trouble.await? {
            Some(e) => (
                AccountState::NeedsSignIn,
                fault::of_credential(&e)
                    .sentence("mail is heard until the last access token ends, but", &e),
            ),
            None => looked,
        })
    }

    /// A session that ends with its access token, or by the server's word for that, has not
    /// failed: the next one opens with the token that was renewed meanwhile.
    pub(super) fn token_end(ended: Ended, expires_at: Option<UtcMs>) -> Ended {
        let over = expires_at.is_some_and(|at| at <= time::now().plus(TOKEN_END));
        match ended {
            Ended::Imap(e) if e.says_token_expired() || (over && e.is_end_of_connection()) => {
                Ended::TokenExpired
            }
            other => other,
        }
    }

    /// What an earlier session or process knew: up to when the mailbox was looked at.
    async fn remember(&self) -> Result<(), StoreError> {
        let id = self.id;
        let row = self.shared.store.read(move |r| r.account(id)).await?;
        if let Some(at) = row.verified_at {
            self.shared.board.verified(self.id, at);
        }
        // Another process may have written the state meanwhile.
        self.shared.board.forget_state(self.id);
        Ok(())
    }

    /// What is known of the server's pipelining.
    pub(super) async fn begin(&self) -> Result<Pipelining, StoreError> {
        let id = self.id;
        self.shared
            .store
            .read(move |r| r.account(id).map(|a| a.pipelining))
            .await
    }

    pub(super) async fn take_lease(&self) -> Result<Option<Lease>, StoreError> {
        let (id, owner) = (self.id, self.shared.owner.clone());
        let lease: Option<Lease> = self
            .shared
            .store
            .write(move |tx| tx.take_lease(id, &owner, time::now(), LEASE))
            .await?;
        if lease.is_some() {
            // Another process may have written the state while we did not hold the account.
            self.shared.board.forget_state(self.id);
            faultpoint::hit("listener.leased");
        }
        Ok(lease)
    }

    /// How long to wait for an account that another process holds: until its lease could end.
    pub(super) async fn held_wait(&self) -> Result<Duration, StoreError> {
        let id = self.id;
        let row = self.shared.store.read(move |r| r.account(id)).await?;
        let left = row.lease_until.since(time::now());
        Ok(left.clamp(HELD_LEAST, HELD_WAIT))
    }

    pub(super) async fn release(&self, lease: Lease) {
        let released: Result<(), StoreError> = self
            .shared
            .store
            .write(move |tx| tx.release_lease(&lease))
            .await;
        if let Err(e) = released {
            warn!(account = %self.account.name, "could not give the account back, the lease runs out by itself: {e:#}");
        }
    }

    /// Every mailbox answered OK.
    pub(super) async fn verified(&self) -> Result<(), StoreError> {
        let (id, at) = (self.id, time::now());
        self.shared.board.verified(id, at);
        self.shared
            .store
            .write(move |tx| tx.note_verified(id, at))
            .await
    }

    pub(super) async fn set_state(
        &self,
        lease: &Lease,
        state: AccountState,
        reason: &str,
    ) -> Result<(), StoreError> {
        if !self.shared.board.changes(self.id, state, reason) {
            return Ok(());
        }
        let (lease, text) = (lease.clone(), reason.to_owned());
        let written: Result<bool, StoreError> = self
            .shared
            .store
            .write(move |tx| tx.set_account_state(&lease, state, &text, time::now()))
            .await;
        if written.is_err() {
            self.shared.board.forget_state(self.id);
        }
        let changed = written?;
        if changed {
            let account = self.account.name.as_str();
            if state == AccountState::Live {
                info!(account, state = state.as_str(), reason, "account state");
            } else {
                error!(account, state = state.as_str(), reason, "account state");
            }
        }
        Ok(())
    }

    /// Records why a session ended and says how long to wait. The one place that logs it.
    pub(super) async fn note_end(&self, ended: &Ended, lease: &Lease) -> Duration {
        let now = time::now();
        let account = self.account.name.as_str();
        let wait = match ended {
            Ended::NotBefore(at) => {
                info!(account, until = %at.rfc3339(), "waiting before the next sign-in: backoff, or one sign-in a minute");
                return at.since(now);
            }
            Ended::TokenExpired => {
                info!(
                    account,
                    "the access token has ended: connecting again with the next one"
                );
                return Duration::ZERO;
            }
            Ended::Held => return HELD_WAIT,
            Ended::Store(StoreError::LeaseLost(_)) => {
                info!(account, "another process took this account over");
                return HELD_WAIT;
            }
            Ended::Store(e) => {
                error!(account, "capture stopped before the cursor moved: {e:#}");
                retry::RECONNECT.wait(STORE_TROUBLE)
            }
            Ended::Imap(e) => {
                warn!(
                    account,
                    step = e.step().map(imap::Step::as_str),
                    "connection ended: {e:#}"
                );
                if let Some(weight) = Self::poison_weight(e)
                    && let Err(store) = self.note_poison(weight).await
                {
                    error!(account, "could not record a failure: {store:#}");
                }
                self.book_failure(e.is_auth(), e.wait(), lease, now).await
            }
            Ended::Credential(e) => {
                warn!(account, "nothing to sign in with: {e}");
                self.book_failure(e.is_auth(), e.wait(now), lease, now)
                    .await
            }
        };
        let (state, reason) = self.state_of(ended);
        if let Err(e) = self.set_state(lease, state, &reason).await {
            error!(account, "could not record the account's state: {e:#}");
        }
        wait
    }

    /// Books when the server may be tried again; `--once` obeys it too, as it lies in the store.
    async fn book_failure(
        &self,
        refused: bool,
        asked: Option<Duration>,
        lease: &Lease,
        now: UtcMs,
    ) -> Duration {
        match self.try_book_failure(refused, asked, lease, now).await {
            Ok(wait) => wait,
            Err(store) => {
                let account = self.account.name.as_str();
                error!(account, "could not record a failure: {store:#}");
                retry::RECONNECT.wait(STORE_TROUBLE)
            }
        }
    }

    async fn try_book_failure(
        &self,
        refused: bool,
        asked: Option<Duration>,
        lease: &Lease,
        now: UtcMs,
    ) -> Result<Duration, StoreError> {
        let id = self.id;
        let row = self.shared.store.read(move |r| r.account(id)).await?;
        let jittered = retry::RECONNECT.wait(row.failures);
        let wait = match asked {
            Some(asked) => asked.max(jittered),
            None if refused && row.auth_refusals.saturating_add(1) >= REFUSALS => REFUSED_WAIT,
            None if refused => jittered.max(REFUSED_FIRST),
            None => jittered,
        };
        let (next, lease) = (now.plus(wait), lease.clone());
        self.shared
            .store
            .write(move |tx| tx.note_failure(&lease, refused, next))
            .await?;
        Ok(wait)
    }

    fn state_of(&self, ended: &Ended) -> (AccountState, String) {
        let server = format!("{}:{}", self.account.imap.host, self.account.imap.port);
        match ended {
            Ended::Imap(e) if e.is_auth() => (
                AccountState::NeedsSignIn,
                format!(
                    "{server} refuses the sign-in; mend user and password in the settings ({e})"
                ),
            ),
            Ended::Imap(e @ ImapError::Throttled { .. }) => (
                AccountState::Degraded,
                format!("{server}: the server asks us to wait: {e}"),
            ),
            Ended::Imap(e) => (AccountState::Down, format!("{server}: {e}")),
            Ended::Credential(e) => {
                let state = if e.is_auth() {
                    AccountState::NeedsSignIn
                } else {
                    AccountState::Down
                };
                (state, fault::of_credential(e).sentence("", e))
            }
            other => (AccountState::Down, other.to_string()),
        }
    }
}
