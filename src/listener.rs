//! One mailbox account: connect, catch up, wait, repeat. Owns the connection.
//!
//! The cursor is the truth and EXISTS only a hint: every look starts at the cursor, whatever
//! woke it, so nothing is lost between EXAMINE, FETCH and IDLE. The first error drops the
//! session (invariant I2); what did not come lies beyond the cursor and comes next time.

mod again;
mod first;
mod folders;
mod haul;
mod look;
mod mail;
mod poison;
mod push;
mod reconcile;
mod scan;
mod sent;
mod state;
mod watching;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

pub use look::Progress;
pub use mail::{Enough, MailError, MailPlace, MailReader};
pub use reconcile::{MailboxProof, Reconciled};
pub use scan::ScanError;

use crate::capture::{Capture, Report};
use crate::config::{AccountSettings, Settings};
use crate::credential::{CredentialError, Vault};
use crate::imap::{ByteBudget, ImapError, News, Session, Watch};
use crate::keys::Keys;
use crate::model::{AccountId, AccountState, CaptureSource, Lease, MailboxId};
use crate::status::{Board, LookWay, SINGLE_PASS};
use crate::store::{PushHealth, Store, StoreError};
use crate::time::{self, UtcMs};
use crate::tls::TlsRoots;
use crate::wake::Doorbell;

/// How long a lease lasts; `app` renews all leases of the process every third of it.
pub const LEASE: Duration = Duration::from_secs(45);
/// A session that lived this long starts the backoff anew; a login alone does not, or a server
/// that accepts and drops would be met in a tight loop (style: backoff that gives up).
const LONG_LIFE: Duration = Duration::from_secs(300);
/// The end that a server is known for is expected after so many polls of a session, or after
/// [`LONG_LIFE`].
const EXPECTED_AFTER: u32 = 5;
/// Announcements in a row that bring nothing new (deletions, flags, a server that repeats
/// itself) and are followed at once…
const EMPTY_NEWS: u32 = 3;
/// …before each further one waits this much longer.
const EMPTY_PAUSE: Duration = Duration::from_secs(1);
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
    /// For keyed hashes.
    pub keys: Arc<Keys>,
    /// Passwords and tokens, resolved just before a sign-in.
    pub vault: Vault,
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
    /// The one that idles.
    idle: MailboxId,
    /// Its SMTP server.
    smtp_host: Arc<str>,
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
    /// There is nothing to sign in with.
    #[error("Cannot sign in: {0}")]
    Credential(#[from] CredentialError),
    /// The session ended with the access token that opened it: expected, and no failure.
    #[error("The access token has ended")]
    TokenExpired,
    /// Backoff or login budget: not to be tried before.
    #[error("Not to be tried before {}", .0.rfc3339())]
    NotBefore(UtcMs),
    /// Another process reads this account.
    #[error("Another process reads this account")]
    Held,
    /// The server ended a session that had lived, as it ends every one: nothing is wrong.
    #[error("The session's time was over: {0}")]
    Over(String),
}

impl Ended {
    /// Whether a person must sign in or mend the credentials.
    #[must_use]
    pub fn needs_sign_in(&self) -> bool {
        match self {
            Self::Imap(e) => e.is_auth(),
            Self::Credential(e) => e.is_auth(),
            _ => false,
        }
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
        let (id, idle) = shared
            .store
            .write(move |tx| {
                let row = tx.ensure_account(&name, time::now())?;
                let mut idle = None;
                for name in boxes {
                    let id = tx.ensure_mailbox(row.id, &name)?;
                    idle.get_or_insert(id);
                }
                let none = || StoreError::Invalid("The account watches no mailbox".into());
                Ok::<_, StoreError>((row.id, idle.ok_or_else(none)?))
            })
            .await?;
        Ok(Self {
            shared,
            id,
            idle,
            smtp_host: account.smtp.host.clone().into(),
            account,
            bell,
        })
    }

    /// The account's row.
    #[must_use]
    pub fn id(&self) -> AccountId {
        self.id
    }

    /// Whether it makes no progress although each of its awaits has a deadline.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.shared.board.is_stuck(self.id)
    }

    /// The account's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.account.name
    }

    /// Listens until `stop` fires. Each end of a session is recorded, shown and waited out.
    ///
    /// # Errors
    /// What the store says when not even the account can be taken.
    pub async fn run(&self, stop: &CancellationToken) -> Result<(), StoreError> {
        while !stop.is_cancelled() {
            self.shared.board.alive(self.id);
            let wait = self.session(stop).await?;
            self.shared.board.alive_for(self.id, wait);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                // Somebody signed in, or asks for a look: the pauses in the store still hold.
                () = self.bell.rung() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        Ok(())
    }

    /// One session from lease to release; says how long to wait before the next.
    async fn session(&self, stop: &CancellationToken) -> Result<Duration, StoreError> {
        let lease = self.take_lease().await?;
        self.shared.board.elsewhere(self.id, lease.is_none());
        let Some(lease) = lease else {
            info!(account = %self.account.name, "another process reads this account");
            return self.held_wait().await;
        };
        let wait = match self.live(&lease, stop).await {
            Ok(()) => Duration::ZERO,
            Err(ended) => {
                self.shared.board.listening(self.id, false);
                self.note_end(&ended, &lease).await
            }
        };
        self.release(lease).await;
        Ok(wait)
    }

    /// One look at every mailbox of the account, for `--once` and `check`. When another process
    /// reads the account, `check` still looks behind the cursor, and records no state: that is
    /// the other's.
    ///
    /// # Errors
    /// Why the account could not be looked at; with the lease it is recorded and shown already.
    pub async fn once(&self, check_days: Option<u32>) -> Result<Report, Ended> {
        let lease = self.take_lease().await?;
        let looked = match (&lease, check_days) {
            (None, None) => Err(Ended::Held),
            _ => self.look_once(lease.as_ref(), check_days).await,
        };
        if let Some(lease) = lease {
            if let Err(ended) = &looked {
                self.note_end(ended, &lease).await;
            }
            self.release(lease).await;
        }
        looked
    }

    async fn look_once(
        &self,
        lease: Option<&Lease>,
        check_days: Option<u32>,
    ) -> Result<Report, Ended> {
        let (mut session, _) = self.connect().await?;
        let mut report = Report::default();
        if let Some(lease) = lease {
            let mut looked = self
                .look_at_all(&mut session, lease, CaptureSource::CatchUp, None)
                .await?;
            while looked.more {
                let mut rest = self
                    .look_at_all(&mut session, lease, CaptureSource::CatchUp, None)
                    .await?;
                rest.report.add(&looked.report);
                looked = rest;
            }
            let way = (AccountState::Live, SINGLE_PASS.to_owned(), "");
            let is = self.with_token_trouble(state::looked(&looked, way)).await?;
            self.looked(lease, is).await?;
            self.forget_failures().await?;
            report = looked.report;
        }
        if let Some(days) = check_days {
            let folders = self.folders(&mut session).await?;
            for folder in folders.with_replies() {
                match self.check_behind(&mut session, lease, folder, days).await {
                    Ok(found) => report.add(&found),
                    Err(Ended::Imap(e)) if e.leaves_session_usable() => {
                        report.error(format!("mailbox {}: {e}", folder.name));
                    }
                    Err(e) => return Err(e),
                }
            }
        }
        session.logout().await;
        Ok(report)
    }

    /// Connects and stays until something ends it; `Ok` when the process stops.
    async fn live(&self, lease: &Lease, stop: &CancellationToken) -> Result<(), Ended> {
        let (mut session, token_ends) = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            connected = self.connect() => connected?,
        };
        let (mut watch, mut push) = self.watch(session.capabilities()).await?;
        let mut known = watch.pipelining();
        let mut age = self.age(token_ends);
        let mut reset = false;
        let mut source = CaptureSource::CatchUp;
        self.shared.board.listening(self.id, true);
        let result = loop {
            if let Err(e) = self
                .turn(&mut session, &mut watch, &mut push, lease, source, stop)
                .await
            {
                break Err(e);
            }
            if stop.is_cancelled() {
                break Ok(());
            }
            source = CaptureSource::Live;
            if !reset && age.since.elapsed() >= LONG_LIFE {
                reset = true;
                self.forget_failures().await?;
            }
            if Instant::now() >= age.renew_at {
                self.renew(&mut session, &mut watch, &push, &mut age).await;
            }
            known = self.keep_pipelining(known, &watch).await?;
        };
        self.shared.board.listening(self.id, false);
        self.keep_pipelining(known, &watch).await?;
        let result = match result {
            Err(Ended::Imap(e)) => {
                self.idle_ended(&e, &watch, &mut push).await?;
                let lived = LONG_LIFE.min(self.period(&push).saturating_mul(EXPECTED_AFTER));
                let lived = age.since.elapsed() >= lived;
                Err(Self::expected(e, lived, age.token_ends))
            }
            other => other,
        };
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
        push: &mut PushHealth,
        lease: &Lease,
        source: CaptureSource,
        stop: &CancellationToken,
    ) -> Result<(), Ended> {
        let due_before = self.should_be_announced(watch, push);
        let (began, at) = (Instant::now(), time::now());
        let asked = self.shared.board.begin(self.id);
        watch.leave(session).await?;
        let looked = self.look_at_all(session, lease, source, due_before).await?;
        if looked.closed.is_empty() && !looked.more {
            let way = if asked {
                debug!(account = %self.account.name, "looked for viewers");
                LookWay::View
            } else {
                LookWay::Poll
            };
            self.shared.board.verified(self.id, began, at, way);
        } else {
            self.shared.board.looked_in_part(self.id);
        }
        self.judge_pushes(watch, push, looked.missed).await?;
        let way = self.way(watch, push);
        let is = self.with_token_trouble(state::looked(&looked, way)).await?;
        self.looked(lease, is).await?;
        let Some(mut epoch) = looked.selected.filter(|_| !looked.more) else {
            return Ok(());
        };
        let period = self.period(push);
        let until = Instant::now() + period;
        self.shared.board.alive_for(self.id, period);
        let mut empty = 0_u32;
        // A server that announces without end must not keep the poll from its turn.
        while Instant::now() < until {
            match watch.wait(session, until, &self.bell, stop).await? {
                News::Announced { at } => {
                    let announced = time::now().minus(at.elapsed());
                    let new = self
                        .take_news(session, watch, lease, &mut epoch, announced)
                        .await?;
                    self.shared.board.looked(self.id, time::now());
                    self.shared.board.pushed(self.id, announced);
                    if new > 0 {
                        self.pushed(push).await?;
                    }
                    empty = if new == 0 { empty.saturating_add(1) } else { 0 };
                    if empty > EMPTY_NEWS {
                        let pause = EMPTY_PAUSE.saturating_mul(empty);
                        let wake = until.min(Instant::now() + pause);
                        tokio::select! {
                            () = stop.cancelled() => {}
                            () = tokio::time::sleep_until(wake) => {}
                        }
                    }
                }
                News::Trouble => {
                    if self.idle_troubled(watch, push).await? {
                        // The state says so at once.
                        return Ok(());
                    }
                }
                News::Rung if self.is_viewed(watch) => {
                    self.view(session, watch, lease, &mut epoch).await?;
                }
                News::Due | News::Rung | News::Stopped => return Ok(()),
            }
        }
        Ok(())
    }
}
