//! What surrounds a session: the lease, the sign-in budget, the account's state, and what an end
//! of a session means.

use std::time::Duration;

use tracing::{error, info, warn};

use super::look::Looked;
use super::{Ended, LEASE, Listener};
use crate::credential::SignIn;
use crate::fault::{self, Fault};
use crate::faultpoint;
use crate::imap::{self, ImapError, Session};
use crate::model::{AccountState, Lease};
use crate::retry;
use crate::store::{AccountIs, LoginPermit, StoreError};
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

/// A tagged OK in the middle of a look is kept this often: well inside three intervals of a
/// second, and seldom beside the commits of a catch-up.
const HEARD_EVERY: Duration = Duration::from_secs(5);

/// The state after a look: degraded when a mailbox could not be opened, else as `way` says.
pub(super) fn looked(looked: &Looked, way: (AccountState, String, &'static str)) -> AccountIs {
    let (state, reason, fault) = if looked.closed.is_empty() {
        way
    } else {
        let names = looked.closed.join(", ");
        let why = "these mailboxes cannot be opened";
        (
            AccountState::Degraded,
            format!("{why}: {names}; check `mailboxes` in the settings"),
            Fault::MailboxMissing.code(),
        )
    };
    AccountIs {
        state,
        reason,
        fault,
    }
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
        let connected = imap::connect(imap, sign_in, &shared.roots, &shared.budget).await;
        if let Err(e) = &connected
            && e.is_before_sign_in()
        {
            // The budget is one of sign-ins: a server that was away for seconds is met again
            // within seconds, by the backoff.
            let back = shared.store.write(move |tx| tx.return_login(id, every));
            back.await.map_err(|e: StoreError| e)?;
        }
        Ok(connected?)
    }

    /// The state after a look, unless the account needs a new sign-in although its last access
    /// token still opens the mailbox: that is told at once, not when the mailbox falls silent.
    pub(super) async fn with_token_trouble(
        &self,
        looked: AccountIs,
    ) -> Result<AccountIs, StoreError> {
        let (vault, account) = (&self.shared.vault, &self.account);
        let trouble = vault.trouble(&account.name, &account.imap.credential);
        Ok(match trouble.await? {
            Some(e) => {
                let fault = fault::of_credential(&e);
                AccountIs {
                    state: AccountState::NeedsSignIn,
                    reason: fault
                        .sentence("mail is heard until the last access token ends, but", &e),
                    fault: fault.code(),
                }
            }
            None => looked,
        })
    }

    /// Whether the end of a session is the one that was to come: with its access token, or by the
    /// server's rule after it had lived. The next one opens without a pause.
    pub(super) fn expected(e: ImapError, lived: bool, token_ends: Option<UtcMs>) -> Ended {
        let token_over = token_ends.is_some_and(|at| at <= time::now().plus(TOKEN_END));
        match e {
            e if token_over && e.is_end_of_connection() => Ended::TokenExpired,
            ImapError::SessionOver { text, .. } if lived => Ended::Over(text),
            other => Ended::Imap(other),
        }
    }

    /// What an earlier session or process knew: up to when the mailbox was looked at.
    async fn remember(&self) -> Result<(), StoreError> {
        let id = self.id;
        let row = self.shared.store.read(move |r| r.account(id)).await?;
        // Before looks were kept by themselves, the two were one.
        if let Some(at) = row.looked_at.or(row.verified_at) {
            self.shared.board.looked(self.id, at);
        }
        self.shared.board.heard(self.id);
        Ok(())
    }

    pub(super) async fn take_lease(&self) -> Result<Option<Lease>, StoreError> {
        let (id, owner) = (self.id, self.shared.owner.clone());
        let lease: Option<Lease> = self
            .shared
            .store
            .write(move |tx| tx.take_lease(id, &owner, time::now(), LEASE))
            .await?;
        if lease.is_some() {
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

    /// Every mailbox was looked at, and each selected one answered OK.
    pub(super) async fn looked(&self, lease: &Lease, is: AccountIs) -> Result<(), StoreError> {
        let (at, lease, now) = (time::now(), lease.clone(), is.clone());
        self.shared.board.looked(self.id, at);
        self.shared.board.heard(self.id);
        let changed = self
            .shared
            .store
            .write(move |tx| tx.note_look(&lease, &now, at))
            .await?;
        self.tell_state(changed, &is);
        Ok(())
    }

    /// A selected mailbox answered OK, in the middle of a look that may take long.
    pub(super) async fn heard(&self, lease: &Lease) -> Result<(), StoreError> {
        let fresh = self.shared.settings.listen.fresh();
        if !self
            .shared
            .board
            .heard_due(self.id, HEARD_EVERY.min(fresh / 3))
        {
            return Ok(());
        }
        self.shared.board.heard(self.id);
        let (at, lease) = (time::now(), lease.clone());
        self.shared
            .store
            .write(move |tx| tx.note_heard(&lease, at))
            .await
    }

    async fn set_state(&self, lease: &Lease, is: AccountIs) -> Result<(), StoreError> {
        let (lease, new) = (lease.clone(), is.clone());
        let changed = self
            .shared
            .store
            .write(move |tx| tx.set_account_state(&lease, &new, time::now()))
            .await?;
        self.tell_state(changed, &is);
        Ok(())
    }

    fn tell_state(&self, changed: bool, is: &AccountIs) {
        if !changed {
            return;
        }
        let (account, state) = (self.account.name.as_str(), is.state.as_str());
        let (reason, fault) = (is.reason.as_str(), is.fault);
        let known = fault.parse::<Fault>().ok();
        let (what, remedy) = (known.map(Fault::title), known.map(Fault::remedy));
        match is.state {
            AccountState::Live => {
                info!(account, state, reason, fault, what, remedy, "account state");
            }
            // What the operator must know becomes an alert, at error level.
            AccountState::Degraded | AccountState::Down | AccountState::NeedsSignIn => {
                warn!(account, state, reason, fault, what, remedy, "account state");
            }
        }
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
            Ended::Over(text) => {
                info!(
                    account,
                    text, "the server ended the session as expected: signing in anew"
                );
                return Duration::ZERO;
            }
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
        let is = self.state_of(ended, now.plus(wait));
        if let Err(e) = self.set_state(lease, is).await {
            error!(account, "could not record the account's state: {e:#}");
        }
        wait
    }

    /// The supervisor says that this listener ended, panicked or hung: shown, and booked as a
    /// failure of this account. How long to wait before it starts again.
    pub async fn died(&self, why: &str) -> Duration {
        self.shared.board.listening(self.id, false);
        let lease = match self.take_lease().await {
            Ok(Some(lease)) => lease,
            Ok(None) => return HELD_WAIT,
            Err(e) => {
                error!(account = %self.account.name, "could not record that the listener died: {e:#}");
                return retry::RECONNECT.wait(STORE_TROUBLE);
            }
        };
        let wait = self.book_failure(false, None, &lease, time::now()).await;
        let is = AccountIs {
            state: AccountState::Down,
            reason: format!("the task that reads this account {why}; it is started again"),
            fault: Fault::Unexpected.code(),
        };
        if let Err(e) = self.set_state(&lease, is).await {
            error!(account = %self.account.name, "could not record the account's state: {e:#}");
        }
        self.release(lease).await;
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

    fn state_of(&self, ended: &Ended, next: UtcMs) -> AccountIs {
        let server = format!("{}:{}", self.account.imap.host, self.account.imap.port);
        let (state, reason, fault) = match ended {
            Ended::Imap(e) if e.is_auth() => (
                AccountState::NeedsSignIn,
                format!("{server} refuses the sign-in: {e}"),
                fault::of_imap(e).code(),
            ),
            Ended::Imap(e @ ImapError::Throttled { .. }) => (
                AccountState::Degraded,
                format!(
                    "{server}: the server asks us to wait, until {}: {e}",
                    next.rfc3339()
                ),
                fault::of_imap(e).code(),
            ),
            Ended::Imap(e) => (
                AccountState::Down,
                format!("{server}: {e}"),
                fault::of_imap(e).code(),
            ),
            Ended::Credential(e) => {
                let state = if e.is_auth() {
                    AccountState::NeedsSignIn
                } else {
                    AccountState::Down
                };
                let fault = fault::of_credential(e);
                (state, fault.sentence("", e), fault.code())
            }
            Ended::Store(e) => {
                let fault = fault::of_store(e);
                (AccountState::Down, e.to_string(), fault.code())
            }
            other => (AccountState::Down, other.to_string(), ""),
        };
        AccountIs {
            state,
            reason,
            fault,
        }
    }
}
