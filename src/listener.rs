//! One mailbox account: connect, catch up, wait, repeat. Owns the connection.
//!
//! The cursor is the truth and EXISTS only a hint: every look starts at the cursor, whatever
//! woke it, so nothing is lost between EXAMINE, FETCH and IDLE. The first error drops the
//! session (invariant I2); what did not come lies beyond the cursor and comes next time.

mod look;
mod poison;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

pub use look::Progress;

use crate::capture::{Capture, Report};
use crate::config::{AccountSettings, Settings};
use crate::faultpoint;
use crate::imap::{self, ByteBudget, ImapError, Mode, News, Session, Watch};
use crate::model::{AccountId, AccountState, CaptureSource, Lease, MailboxId, Pipelining};
use crate::retry;
use crate::status::Board;
use crate::store::{LoginPermit, Store, StoreError};
use crate::time::{self, UtcMs};
use crate::tls::TlsRoots;
use crate::wake::{Doorbell, Woken};

/// How long a lease lasts; `app` renews all leases of the process every third of it.
pub const LEASE: Duration = Duration::from_secs(45);
/// A session that lived this long starts the backoff anew; a login alone does not, or a server
/// that accepts and drops would be met in a tight loop (style: backoff that gives up).
const LONG_LIFE: Duration = Duration::from_secs(300);
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
/// Closing a session when the process stops.
const CLOSE: Duration = Duration::from_secs(5);

/// What all listeners of a process share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The settings.
    pub settings: Arc<Settings>,
    /// The store.
    pub store: Store,
    /// Parses and stores.
    pub capture: Capture,
    /// Bytes of mail in flight over all accounts.
    pub budget: ByteBudget,
    /// Trust stores, read once.
    pub roots: TlsRoots,
    /// This process's name in leases.
    pub owner: String,
    /// Freshness of each account.
    pub board: Board,
    /// Rung after each commit that made work for the reply actor.
    pub reply_bell: Doorbell,
    /// Told of long work; none when nobody watches.
    pub progress: Option<Progress>,
}

/// A listener for one account.
#[derive(Debug)]
pub struct Listener {
    shared: Shared,
    account: AccountSettings,
    id: AccountId,
    /// The first is the one that idles.
    mailboxes: Vec<(String, MailboxId)>,
    bell: Doorbell,
}

/// Why a look or a session ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The connection, or what the server said.
    #[error(transparent)]
    Imap(#[from] ImapError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Backoff or login budget: not to be tried before.
    #[error("Not to be tried before {}", .0.rfc3339())]
    NotBefore(UtcMs),
    /// Another process reads this account.
    #[error("Another process reads this account")]
    Held,
}

impl Ended {
    /// Whether a person must sign in or mend the credentials.
    #[must_use]
    pub fn needs_sign_in(&self) -> bool {
        matches!(self, Self::Imap(e) if e.is_auth())
    }
}

impl Listener {
    /// Makes the listener of one account; its rows in the store are made on first mention.
    ///
    /// # Errors
    /// What the store says.
    pub async fn new(
        shared: Shared,
        account: AccountSettings,
        bell: Doorbell,
    ) -> Result<Self, StoreError> {
        let (name, boxes) = (account.name.clone(), account.mailboxes.clone());
        let (id, mailboxes) = shared
            .store
            .write(move |tx| {
                let row = tx.ensure_account(&name, time::now())?;
                let mut ids = Vec::new();
                for name in boxes {
                    let id = tx.ensure_mailbox(row.id, &name)?;
                    ids.push((name, id));
                }
                Ok::<_, StoreError>((row.id, ids))
            })
            .await?;
        Ok(Self {
            shared,
            account,
            id,
            mailboxes,
            bell,
        })
    }

    /// The account's row.
    #[must_use]
    pub fn id(&self) -> AccountId {
        self.id
    }

    /// The account's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.account.name
    }

    /// Listens until `stop` fires. Each end of a session is recorded, shown and waited out.
    ///
    /// # Errors
    /// Only what makes going on senseless: none today; the supervisor restarts it.
    pub async fn run(&self, stop: &CancellationToken) -> Result<(), StoreError> {
        while !stop.is_cancelled() {
            let wait = match self.session(stop).await {
                Ok(()) => continue,
                Err(ended) => self.note_end(&ended).await,
            };
            if self.sleep(wait, stop).await == Woken::Stopped {
                break;
            }
        }
        Ok(())
    }

    /// One look at every mailbox of the account, for `--once` and `check`.
    ///
    /// # Errors
    /// Why the account could not be looked at; it is recorded and shown already.
    pub async fn once(&self, check_days: Option<u32>) -> Result<Report, Ended> {
        let looked = self.look_once(check_days).await;
        if let Err(ended) = &looked {
            self.note_end(ended).await;
        }
        looked
    }

    async fn look_once(&self, check_days: Option<u32>) -> Result<Report, Ended> {
        let lease = self.take_lease().await?;
        if lease.is_none() && check_days.is_none() {
            return Err(Ended::Held);
        }
        let result = async {
            let mut session = self.connect().await?;
            let mut report = Report::default();
            if let Some(lease) = &lease {
                (report, _) = self
                    .look_at_all(&mut session, lease, CaptureSource::CatchUp)
                    .await?;
            }
            if let Some(days) = check_days {
                for (name, id) in &self.mailboxes {
                    report.add(
                        &self
                            .check_behind(&mut session, lease.as_ref(), name, *id, days)
                            .await?,
                    );
                }
            }
            self.verified().await?;
            session.logout().await;
            Ok(report)
        }
        .await;
        if let Some(lease) = lease {
            self.release(lease).await;
        }
        result
    }

    /// Connects and stays until something ends it; `Ok` when the process stops.
    async fn session(&self, stop: &CancellationToken) -> Result<(), Ended> {
        let Some(lease) = self.take_lease().await? else {
            return Err(Ended::Held);
        };
        let result = self.live(&lease, stop).await;
        self.release(lease).await;
        result
    }

    async fn live(&self, lease: &Lease, stop: &CancellationToken) -> Result<(), Ended> {
        let mut session = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            connected = self.connect() => connected?,
        };
        let known = self.pipelining().await?;
        let mut watch = Watch::new(
            session.capabilities(),
            known,
            self.shared.settings.listen.silence,
        );
        let since = Instant::now();
        let mut reset = false;
        let mut source = CaptureSource::CatchUp;
        let result = loop {
            if let Err(e) = self
                .turn(&mut session, &mut watch, lease, source, stop)
                .await
            {
                break Err(e);
            }
            if stop.is_cancelled() {
                break Ok(());
            }
            source = CaptureSource::Live;
            if !reset && since.elapsed() >= LONG_LIFE {
                reset = true;
                let id = self.id;
                self.shared
                    .store
                    .write(move |tx| tx.reset_failures(id))
                    .await?;
            }
        };
        let learned = watch.pipelining();
        if learned != known {
            let id = self.id;
            self.shared
                .store
                .write(move |tx| tx.set_pipelining(id, learned))
                .await?;
        }
        if result.is_ok() {
            // The server may be silent; stopping does not wait for it longer than this.
            let close = async {
                if watch.leave(&mut session).await.is_ok() {
                    session.logout().await;
                }
            };
            if tokio::time::timeout(CLOSE, close).await.is_err() {
                debug!(account = %self.account.name, "the server did not answer LOGOUT");
            }
        }
        result
    }

    /// One look at all mailboxes, then waiting and taking news until the poll is due.
    async fn turn(
        &self,
        session: &mut Session,
        watch: &mut Watch,
        lease: &Lease,
        source: CaptureSource,
        stop: &CancellationToken,
    ) -> Result<(), Ended> {
        watch.leave(session).await?;
        let (_, mut epoch) = self.look_at_all(session, lease, source).await?;
        self.live_now(watch).await?;
        let listen = &self.shared.settings.listen;
        let until = Instant::now() + listen.interval.min(listen.idle_max);
        loop {
            match watch.wait(session, until, &self.bell, stop).await? {
                News::Announced { at } => {
                    let announced = time::now().minus(at.elapsed());
                    if let Some(epoch) = &mut epoch {
                        self.take_news(session, watch, lease, epoch, announced)
                            .await?;
                    }
                    self.shared.board.pushed(self.id, time::now());
                }
                News::Due | News::Rung | News::Stopped => return Ok(()),
            }
        }
    }

    async fn connect(&self) -> Result<Session, Ended> {
        let (id, every) = (self.id, self.shared.settings.listen.login_every);
        let permit = self
            .shared
            .store
            .write(move |tx| tx.book_login(id, time::now(), every))
            .await?;
        if let LoginPermit::NotBefore(at) = permit {
            return Err(Ended::NotBefore(at));
        }
        let session =
            imap::connect(&self.account.imap, &self.shared.roots, &self.shared.budget).await?;
        self.shared
            .store
            .write(move |tx| tx.note_signed_in(id))
            .await?;
        Ok(session)
    }

    async fn take_lease(&self) -> Result<Option<Lease>, StoreError> {
        let (id, owner) = (self.id, self.shared.owner.clone());
        let lease = self
            .shared
            .store
            .write(move |tx| tx.take_lease(id, &owner, time::now(), LEASE))
            .await?;
        if lease.is_some() {
            faultpoint::hit("listener.leased");
        }
        Ok::<_, StoreError>(lease)
    }

    async fn release(&self, lease: Lease) {
        let released = self
            .shared
            .store
            .write(move |tx| tx.release_lease(&lease))
            .await;
        if let Err(e) = released {
            let e: StoreError = e;
            warn!(account = %self.account.name, "could not give the account back, the lease runs out by itself: {e:#}");
        }
    }

    async fn pipelining(&self) -> Result<Pipelining, StoreError> {
        let id = self.id;
        self.shared
            .store
            .read(move |r| r.account(id).map(|a| a.pipelining))
            .await
    }

    /// Every mailbox answered OK: the account is live.
    async fn live_now(&self, watch: &Watch) -> Result<(), StoreError> {
        let (state, reason) = match watch.mode() {
            Mode::Idle => (AccountState::Live, "hears by push, and polls besides"),
            Mode::Poll => (AccountState::Live, "polls: this server does not push"),
        };
        self.verified().await?;
        self.set_state(state, reason).await
    }

    async fn verified(&self) -> Result<(), StoreError> {
        let (id, at) = (self.id, time::now());
        self.shared.board.verified(id, at);
        self.shared
            .store
            .write(move |tx| tx.note_verified(id, at))
            .await
    }

    async fn set_state(&self, state: AccountState, reason: &str) -> Result<(), StoreError> {
        if !self.shared.board.changes(self.id, state, reason) {
            return Ok(());
        }
        let (id, text) = (self.id, reason.to_owned());
        let changed = self
            .shared
            .store
            .write(move |tx| tx.set_account_state(id, state, &text, time::now()))
            .await?;
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
    async fn note_end(&self, ended: &Ended) -> Duration {
        let now = time::now();
        let account = self.account.name.as_str();
        if let Ended::Imap(ImapError::Guard { .. } | ImapError::Parse { .. }) = ended
            && let Err(e) = self.note_poison().await
        {
            error!(
                account,
                "could not record a message that cannot be read: {e:#}"
            );
        }
        let wait = match ended {
            Ended::NotBefore(at) => return at.since(now),
            Ended::Held => {
                info!(account, "another process reads this account");
                return self.held_wait(now).await;
            }
            Ended::Store(StoreError::LeaseLost(_)) => {
                info!(account, "another process took this account over");
                return HELD_WAIT;
            }
            Ended::Store(e) => {
                error!(account, "capture stopped before the cursor moved: {e:#}");
                retry::RECONNECT.wait(3)
            }
            Ended::Imap(e) => {
                warn!(
                    account,
                    step = e.step().map(imap::Step::as_str),
                    "connection ended: {e:#}"
                );
                match self.book_failure(e, now).await {
                    Ok(wait) => wait,
                    Err(store) => {
                        error!(account, "could not record a failure: {store:#}");
                        retry::RECONNECT.wait(3)
                    }
                }
            }
        };
        let (state, reason) = match ended {
            Ended::Imap(e) if e.is_auth() => (
                AccountState::NeedsSignIn,
                format!(
                    "the server refuses the sign-in ({e}): mend user and password in the settings"
                ),
            ),
            Ended::Imap(e) if matches!(e, ImapError::Throttled { .. }) => (
                AccountState::Degraded,
                format!("the server asks us to wait: {e}"),
            ),
            other => (AccountState::Down, other.to_string()),
        };
        if let Err(e) = self.set_state(state, &reason).await {
            error!(account, "could not record the account's state: {e:#}");
        }
        wait
    }

    /// How long to leave the account to the process that reads it: not longer than its lease
    /// runs, so that its death costs no more than that.
    async fn held_wait(&self, now: UtcMs) -> Duration {
        let id = self.id;
        let row = self.shared.store.read(move |r| r.account(id)).await;
        match row {
            Ok(row) => row.lease_until.since(now).clamp(HELD_LEAST, HELD_WAIT),
            Err(e) => {
                let e: StoreError = e;
                error!(account = %self.account.name, "could not read who holds the account: {e:#}");
                HELD_WAIT
            }
        }
    }

    /// Books when the server may be tried again; `--once` obeys it too, as it lies in the store.
    async fn book_failure(&self, e: &ImapError, now: UtcMs) -> Result<Duration, StoreError> {
        let id = self.id;
        let row = self.shared.store.read(move |r| r.account(id)).await?;
        let refused = e.is_auth();
        let jittered = retry::RECONNECT.wait(row.failures);
        let wait = match e.wait() {
            Some(asked) => asked.max(jittered),
            None if refused && row.auth_refusals.saturating_add(1) >= REFUSALS => REFUSED_WAIT,
            None if refused => jittered.max(REFUSED_FIRST),
            None => jittered,
        };
        let next = now.plus(wait);
        self.shared
            .store
            .write(move |tx| tx.note_failure(id, refused, next))
            .await?;
        Ok(wait)
    }

    /// Waits out a backoff. A ring (somebody looks at the page) does not shorten it: the login
    /// budget holds for everybody.
    async fn sleep(&self, wait: Duration, stop: &CancellationToken) -> Woken {
        tokio::select! {
            biased;
            () = stop.cancelled() => Woken::Stopped,
            () = tokio::time::sleep(wait) => Woken::Due,
        }
    }
}
