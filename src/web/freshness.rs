//! Check on view: whoever asks for a conversation gets what its mailbox holds now, or is told how
//! old it is. The running listeners are rung (no new sign-in), and waited for, for a bounded time.
//!
//! One look answers all who asked before it began. So that many viewers who come at once share
//! one, the first waits until those who are on their way have asked too ([`Asking`]), and in a crowd
//! a look that began a moment earlier will do.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use serde::Serialize;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{debug, warn};

use super::error::ApiError;
use super::state::{Checked, Engine, Shared};
use crate::model::AccountId;
use crate::status::{Board, LookWay, Verified};
use crate::store::StoreError;
use crate::time::{self, UtcMs};
use crate::wake::Doorbell;

/// The longest that those who come at once wait for each other.
const GATHER: Duration = Duration::from_millis(25);
/// So many viewers at the same moment are a crowd…
const CROWD: usize = 4;
/// …for whom a look will do that began so much earlier. What the server announces comes all the
/// same.
const CROWD_AGE: Duration = Duration::from_millis(100);
/// The longest `?wait=`.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(20);
/// A check of our own costs a sign-in, of which an account has few.
const OWN_EVERY: Duration = Duration::from_secs(60);
/// And ends at last.
const OWN_LIMIT: Duration = Duration::from_secs(50);
/// How far a check of our own looks back when nobody says.
const OWN_DAYS: u32 = 1;

/// How fresh an answer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct Mailbox {
    /// What the mailboxes had received by then is in the answer; null: they were never looked at.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) verified_at: Option<UtcMs>,
    /// Which look that was: `push`, `poll` or `view`.
    pub(crate) source: &'static str,
    /// It could not be verified now: the answer may lack what came since.
    pub(crate) stale: bool,
}

impl Mailbox {
    /// For answers whose body has no room for it.
    pub(crate) fn headers(&self) -> [(HeaderName, HeaderValue); 3] {
        let at = self.verified_at.map_or_else(String::new, UtcMs::rfc3339);
        let at = HeaderValue::from_str(&at).unwrap_or(HeaderValue::from_static(""));
        [
            (HeaderName::from_static("replyd-mailbox-verified-at"), at),
            (
                HeaderName::from_static("replyd-mailbox-source"),
                HeaderValue::from_static(self.source),
            ),
            (
                HeaderName::from_static("replyd-mailbox-stale"),
                HeaderValue::from_static(if self.stale { "true" } else { "false" }),
            ),
        ]
    }
}

/// What is asked of a look.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    /// How far a check of our own looks back, in days; none: one.
    pub(crate) days: Option<u32>,
    /// `?wait=`: instead of the setting, and with a check of our own also where the listener of this
    /// process is away for a while.
    pub(crate) wait: Option<Duration>,
}

impl Window {
    /// With `?wait=SECONDS`.
    pub(crate) fn waiting(seconds: Option<u32>) -> Result<Self, ApiError> {
        let wait = match seconds {
            None => None,
            Some(s) if u64::from(s) <= MAX_WAIT.as_secs() => Some(Duration::from_secs(s.into())),
            Some(_) => {
                return Err(ApiError::bad_request(format!(
                    "wait must be at most {} seconds",
                    MAX_WAIT.as_secs()
                )));
            }
        };
        Ok(Self { days: None, wait })
    }
}

/// Rings the listeners, and knows what was verified.
#[derive(Debug)]
pub(crate) struct Freshness {
    board: Board,
    accounts: Vec<(AccountId, Doorbell)>,
    limit: Duration,
    /// Older is stale where nobody waited.
    fresh: Duration,
    /// Viewers who have come and not asked yet.
    coming: Arc<Coming>,
    /// Viewers who have asked, and wait.
    waiting: AtomicUsize,
    /// When a check of our own began last.
    own: Arc<Mutex<Option<Instant>>>,
}

#[derive(Debug, Default)]
struct Coming {
    count: AtomicUsize,
    fewer: Notify,
}

/// A viewer on their way: the first argument of a handler that asks, so that it counts before the
/// token is looked up. Ended by [`look`], or with the handler.
#[derive(Debug)]
pub(crate) struct Asking(Arc<Coming>);

impl Drop for Asking {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.fewer.notify_waiters();
        }
    }
}

impl FromRequestParts<Arc<Shared>> for Asking {
    type Rejection = Infallible;

    async fn from_request_parts(
        _parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, Infallible> {
        let coming = Arc::clone(&shared.freshness.coming);
        coming.count.fetch_add(1, Ordering::AcqRel);
        Ok(Self(coming))
    }
}

/// One more, while it lives.
struct Counted<'c> {
    count: &'c AtomicUsize,
    /// How many there were with it.
    now: usize,
}

impl<'c> Counted<'c> {
    fn new(count: &'c AtomicUsize) -> Self {
        let now = count.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        Self { count, now }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Freshness {
    pub(super) fn new(
        board: Board,
        accounts: Vec<(AccountId, Doorbell)>,
        limit: Duration,
        fresh: Duration,
    ) -> Self {
        Self {
            board,
            accounts,
            limit,
            fresh,
            coming: Arc::default(),
            waiting: AtomicUsize::new(0),
            own: Arc::default(),
        }
    }

    /// Waits for those who are on their way, so that they share the look.
    async fn gather(&self, asked: Instant) {
        let until = asked + GATHER;
        loop {
            let fewer = self.coming.fewer.notified();
            tokio::pin!(fewer);
            fewer.as_mut().enable();
            if self.coming.count.load(Ordering::Acquire) == 0
                || timeout_at(until, fewer).await.is_err()
            {
                return;
            }
        }
    }

    /// Rings where nobody has, and waits until all that listen have looked. Gives the moment since
    /// when a look counts.
    async fn ring_and_wait(&self, asked: Instant, limit: Duration) -> Instant {
        let counted = Counted::new(&self.waiting);
        let coming = self.coming.count.load(Ordering::Acquire);
        let crowd = counted.now.saturating_add(coming) >= CROWD;
        self.gather(asked).await;
        let since = match asked.checked_sub(CROWD_AGE) {
            Some(earlier) if crowd => earlier,
            _ => asked,
        };
        self.wait_since(since, asked + limit).await;
        since
    }

    async fn wait_since(&self, asked: Instant, until: Instant) {
        let mut changes = self.board.changes();
        for (account, bell) in &self.accounts {
            let open = self.board.is_listening(*account) && !self.is_verified(*account, asked);
            if open && self.board.ask(*account, asked) {
                bell.ring();
            }
        }
        let open = || {
            self.accounts
                .iter()
                .any(|(a, _)| self.board.is_listening(*a) && !self.is_verified(*a, asked))
        };
        while open() {
            if !matches!(timeout_at(until, changes.changed()).await, Ok(Ok(()))) {
                return;
            }
        }
    }

    /// Whether a look that began after `asked` has ended well.
    fn is_verified(&self, account: AccountId, asked: Instant) -> bool {
        let last = self.board.last_look(account).and_then(|v| v.began);
        last.is_some_and(|began| began >= asked)
    }

    /// A check of our own, by the same capture: for an account that nobody here listens to. One at
    /// a time, and not often; who cannot wait for it is answered, and it goes on. What it verified
    /// stands on the board, for later viewers.
    async fn check(&self, engine: &Arc<dyn Engine>, days: u32, limit: Duration) {
        let until = Instant::now() + limit;
        let Ok(mut last) = timeout_at(until, Arc::clone(&self.own).lock_owned()).await else {
            return;
        };
        if last.is_some_and(|at| at.elapsed() < OWN_EVERY) {
            return;
        }
        let (engine, board) = (Arc::clone(engine), self.board.clone());
        let accounts: Vec<AccountId> = self.accounts.iter().map(|(id, _)| *id).collect();
        let task = tokio::spawn(async move {
            let (began, at) = (Instant::now(), time::now());
            *last = Some(began);
            match timeout(OWN_LIMIT, engine.check(days)).await {
                Ok(Ok(done)) if !done.failed && done.ahead == 0 && done.errors.is_empty() => {
                    for account in accounts.into_iter().filter(|id| !board.is_listening(*id)) {
                        board.verified(account, began, at, LookWay::View);
                    }
                }
                Ok(Ok(done)) => debug!(
                    errors = done.errors.len(),
                    "the check for a viewer was not whole"
                ),
                Ok(Err(e)) => warn!("the check for a viewer failed: {e:#}"),
                Err(_) => warn!("the check for a viewer took too long"),
            }
            drop(last);
        });
        if let Ok(Err(join)) = timeout_at(until, task).await {
            warn!("the check for a viewer failed: {join}");
        }
    }
}

/// Looks for new mail, for a view, and says how fresh an answer is from now on.
pub(crate) async fn look(
    shared: &Shared,
    asking: Option<Asking>,
    window: Window,
) -> Result<Mailbox, ApiError> {
    let fresh = &shared.freshness;
    let (asked, asked_at) = (Instant::now(), time::now());
    drop(asking);
    let mut since = asked;
    let limit = window.wait.unwrap_or(fresh.limit).min(MAX_WAIT);
    if limit > Duration::ZERO {
        since = fresh.ring_and_wait(asked, limit).await;
        // A listener that is about to come back is left alone, unless somebody asks to wait.
        let deaf = fresh.accounts.iter().any(|(account, _)| {
            !fresh.board.is_listening(*account)
                && (window.wait.is_some() || fresh.board.is_elsewhere(*account))
        });
        if deaf {
            let days = window.days.unwrap_or(OWN_DAYS);
            let left = limit.saturating_sub(asked.elapsed());
            fresh.check(&shared.engine, days, left).await;
        }
    }
    mailbox(
        shared,
        (limit > Duration::ZERO).then_some((since, asked_at)),
    )
    .await
}

/// Looks for replies of the last `days`, for who wants to know that they are all there: the running
/// listeners, and a connection of its own where none listens or the window is wider than theirs.
pub(crate) async fn check(
    shared: &Shared,
    asking: Asking,
    days: u32,
    limit: Duration,
) -> anyhow::Result<Checked> {
    let fresh = &shared.freshness;
    let asked = Instant::now();
    drop(asking);
    let since = fresh.ring_and_wait(asked, limit).await;
    let heard = fresh
        .accounts
        .iter()
        .filter(|(account, _)| fresh.is_verified(*account, since))
        .count();
    let from = time::now().minus(Duration::from_secs(u64::from(days).saturating_mul(86_400)));
    let covered = shared
        .store
        .read(move |r| r.is_covered_from(from))
        .await
        .map_err(|e: StoreError| e)?;
    if heard == fresh.accounts.len() && covered {
        return Ok(Checked::default());
    }
    let mut done = match timeout(OWN_LIMIT, shared.engine.check(days)).await {
        Ok(done) => done?,
        Err(_) => Checked {
            errors: vec!["The check took too long; it goes on at the next one".to_owned()],
            ..Checked::default()
        },
    };
    done.failed = heard == 0 && done.failed;
    Ok(done)
}

/// The oldest of what is known of the accounts. `asked`: stale is what was not verified since.
async fn mailbox(shared: &Shared, asked: Option<(Instant, UtcMs)>) -> Result<Mailbox, ApiError> {
    let fresh = &shared.freshness;
    let known: Vec<Option<Verified>> = fresh
        .accounts
        .iter()
        .map(|(account, _)| fresh.board.last_look(*account))
        .collect();
    // Another process may read an account, or a single pass has.
    let rows = if fresh
        .accounts
        .iter()
        .all(|(account, _)| fresh.board.is_listening(*account))
    {
        Vec::new()
    } else {
        shared.read(|r| r.accounts()).await?
    };
    let now = time::now();
    let mut oldest: Option<Mailbox> = None;
    let mut stale = fresh.accounts.is_empty();
    for ((account, _), here) in fresh.accounts.iter().zip(known) {
        let stored = rows
            .iter()
            .find(|row| row.id == *account)
            .and_then(|row| row.looked_at);
        let is_fresh = match asked {
            Some((asked, asked_at)) => {
                here.is_some_and(|v| v.began.is_some_and(|began| began >= asked))
                    || stored.is_some_and(|at| at >= asked_at)
            }
            None => {
                let at = here.map(|v| v.at).max(stored);
                at.is_some_and(|at| now.since(at) <= fresh.fresh)
            }
        };
        stale |= !is_fresh;
        let (at, way) = match (here, stored) {
            (Some(v), stored) if stored.is_none_or(|at| v.at >= at) => (Some(v.at), v.way),
            (_, stored) => (stored, LookWay::Poll),
        };
        if oldest.as_ref().is_none_or(|o| at < o.verified_at) {
            oldest = Some(Mailbox {
                verified_at: at,
                source: way.as_str(),
                stale: false,
            });
        }
    }
    let oldest = oldest.unwrap_or(Mailbox {
        verified_at: None,
        source: LookWay::Poll.as_str(),
        stale: true,
    });
    Ok(Mailbox { stale, ..oldest })
}
