//! Tells the operator when an account does not hear or does not send, and when it does again.
//!
//! The sentinel looks at the store every few seconds, from outside: a listener that hangs, or
//! that waits in its backoff, cannot tell of itself. What it finds becomes an incident in the
//! store (`judge` has the rules), and in the same transaction the mail to the operator is queued
//! and the notes for webhook and command are made. So a restart neither repeats nor loses an
//! alert, and two processes tell it once. A mail that cannot leave through the account's own
//! server is sent through another account's.

mod health;
mod judge;
mod ways;
mod words;
mod work;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

pub use self::health::{AccountHealth, Health, OutboxHealth};
use self::judge::Watch;
pub use self::words::{Facts, duration};
use self::work::{AlertError, Done};
use crate::config::Settings;
use crate::faultpoint;
use crate::keys::Keys;
use crate::model::AlertEvent;
use crate::store::{AlertNote, Store, StoreError, Told};
use crate::time::{self, UtcMs};
use crate::tls::TlsRoots;
use crate::wake::Doorbell;

/// The sentinel looks this often, or four times an interval when that is shorter.
const LOOK: Duration = Duration::from_secs(5);
/// The shortest of these.
const SHORTEST_LOOK: Duration = Duration::from_millis(250);
/// That somebody watches is kept this often.
const KEEP_WATCH: Duration = Duration::from_secs(15);
/// Nobody has watched when the last look was longer ago; at least, for short intervals.
const WATCH_GAP: Duration = Duration::from_secs(60);
/// An alert that waits so long for its account's server goes through another one.
const STRANDED: Duration = Duration::from_secs(60);
/// One try of webhook or command, which have 30 s each.
const TRY_LEASE: Duration = Duration::from_secs(90);
/// The waits between their tries; then it is given up.
const TRY_AGAIN: [Duration; 3] = [
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(300),
];
/// Webhooks and commands under way at the same time.
const AT_ONCE: usize = 4;
/// How long a pass or a stop waits for them.
const LAST_TRIES: Duration = Duration::from_secs(5);
/// A store that fails is told of this often.
const STORE_TROUBLE: Duration = Duration::from_secs(60);

/// Watches all accounts of the settings; clones share everything.
#[derive(Clone, Debug)]
pub struct Alerts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    settings: Arc<Settings>,
    keys: Arc<Keys>,
    roots: TlsRoots,
    /// Rung when an alert's mail was queued.
    outbox_bell: Doorbell,
    host: String,
}

impl Alerts {
    /// Watches the accounts of `settings`.
    #[must_use]
    pub fn new(
        store: Store,
        settings: Arc<Settings>,
        keys: Arc<Keys>,
        roots: TlsRoots,
        outbox_bell: Doorbell,
    ) -> Self {
        let host = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        Self(Arc::new(Inner {
            store,
            settings,
            keys,
            roots,
            outbox_bell,
            host,
        }))
    }

    /// Looks every few seconds until `stop` fires, and tells what is due. A store that fails is
    /// logged, and looked at again.
    ///
    /// # Errors
    /// None; the type is that of every task.
    pub async fn run(&self, stop: CancellationToken) -> anyhow::Result<()> {
        let listen = &self.0.settings.listen;
        let pause = LOOK.min(listen.period() / 4).max(SHORTEST_LOOK);
        let fresh = listen.fresh();
        let lost = self.0.settings.alerts.lost_after.min(fresh);
        let mut telling: JoinSet<()> = JoinSet::new();
        let mut watched: Option<(UtcMs, Instant)> = None;
        let mut said: Option<Instant> = None;
        while !stop.is_cancelled() {
            let now = time::now();
            let looked = async {
                let since = match watched {
                    Some((since, kept)) if kept.elapsed() < KEEP_WATCH => since,
                    _ => {
                        let since = self.0.keep_watch(now, fresh).await?;
                        watched = Some((since, Instant::now()));
                        since
                    }
                };
                self.look(Watch::Running { since, fresh, lost }, now)
                    .await?;
                self.0.start_due(&mut telling, now).await
            };
            if let Err(e) = looked.await
                && said.is_none_or(|at| at.elapsed() >= STORE_TROUBLE)
            {
                said = Some(Instant::now());
                error!("nobody can be told whether the accounts hear: {e:#}");
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                _ = telling.join_next(), if !telling.is_empty() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        settle(&mut telling).await;
        Ok(())
    }

    /// One look at the end of a single pass, and one try of what is due.
    ///
    /// # Errors
    /// What the store says.
    pub async fn after_pass(&self, now: UtcMs) -> anyhow::Result<()> {
        let fresh = self.0.settings.listen.interval.saturating_mul(3);
        self.look(Watch::Pass { fresh }, now).await?;
        let mut telling = JoinSet::new();
        self.0.start_due(&mut telling, now).await?;
        while telling.join_next().await.is_some() {}
        Ok(())
    }

    /// Judges all accounts as of `now`, and makes what follows durable.
    async fn look(&self, watch: Watch, now: UtcMs) -> anyhow::Result<()> {
        let late = now.minus(self.0.settings.alerts.outbox_late);
        let stranded_before = now.minus(STRANDED);
        let (view, stranded) = self
            .0
            .store
            .read(move |r| {
                Ok::<_, StoreError>((r.watch_view(late)?, r.stranded_alerts(stranded_before)?))
            })
            .await
            .context("Look at the accounts")?;
        // Most looks find nothing to do, and write nothing.
        if !self.0.has_work(&view, &stranded, watch, now) {
            return Ok(());
        }
        let inner = Arc::clone(&self.0);
        let done = self
            .0
            .store
            .write(move |tx| {
                let done = inner.work(tx, watch, now)?;
                faultpoint::hit("alerts.before_commit");
                Ok::<_, AlertError>(done)
            })
            .await
            .context("Tell the operator")?;
        self.0.log(&done);
        if !done.told.is_empty() || !done.rerouted.is_empty() {
            self.0.outbox_bell.ring();
        }
        Ok(())
    }
}

impl Inner {
    async fn keep_watch(&self, now: UtcMs, fresh: Duration) -> Result<UtcMs, StoreError> {
        let gap = fresh.max(WATCH_GAP);
        self.store.write(move |tx| tx.note_watched(now, gap)).await
    }

    /// Starts what is due by webhook and command, a few at a time; the rest is due again soon.
    async fn start_due(
        self: &Arc<Self>,
        telling: &mut JoinSet<()>,
        now: UtcMs,
    ) -> anyhow::Result<()> {
        while telling.try_join_next().is_some() {}
        let next = self
            .store
            .read(|r| r.next_alert_note())
            .await
            .map_err(|e: StoreError| e)?;
        if next.is_none_or(|at| at > now) {
            return Ok(());
        }
        while telling.len() < AT_ONCE {
            let note = self
                .store
                .write(move |tx| tx.claim_alert_note(now, TRY_LEASE))
                .await
                .map_err(|e: StoreError| e)?;
            let Some(note) = note else { break };
            faultpoint::hit("alerts.claimed");
            let inner = Arc::clone(self);
            telling.spawn(async move { inner.tell(note).await });
        }
        Ok(())
    }

    async fn tell(&self, note: AlertNote) {
        let told = ways::tell(&note, &self.settings.alerts, &self.roots).await;
        let now = time::now();
        let way = note.way.as_str();
        let told = match told {
            Ok(()) => Told::Done,
            Err(error) => {
                let tries = usize::try_from(note.tries).unwrap_or(usize::MAX);
                match TRY_AGAIN.get(tries.saturating_sub(1)) {
                    Some(wait) => {
                        warn!(
                            alert = note.alert_id,
                            way, "an alert was not told yet: {error}"
                        );
                        let at = now.plus(*wait);
                        Told::Again { at, error }
                    }
                    None => {
                        error!(
                            alert = note.alert_id,
                            way, "an alert could not be told: {error}"
                        );
                        Told::Failed { error }
                    }
                }
            }
        };
        let recorded = self
            .store
            .write(move |tx| tx.finish_alert_note(&note, &told, now))
            .await;
        if let Err(e) = recorded {
            let e: StoreError = e;
            error!("what became of an alert could not be recorded: {e:#}");
        }
    }

    fn log(&self, done: &Done) {
        for (account, reason) in &done.unverified {
            warn!(account, state = "down", reason, "account state");
        }
        for f in &done.told {
            let (account, topic, event) = (&f.account, f.topic.as_str(), f.event.as_str());
            let (state, since, reason) = (f.state.as_str(), f.since.rfc3339(), &f.reason);
            match f.event {
                AlertEvent::Ended => info!(
                    alert = f.alert,
                    account,
                    topic,
                    event,
                    lasted_s = f.lasted_s,
                    caught_up = f.caught_up,
                    "ALERT over: {}",
                    f.headline()
                ),
                AlertEvent::Raised | AlertEvent::Worse => error!(
                    alert = f.alert,
                    account,
                    topic,
                    event,
                    state,
                    since,
                    reason,
                    remedy = f.remedy,
                    "ALERT: {}",
                    f.headline()
                ),
            }
        }
        for (from, to) in &done.rerouted {
            warn!(%from, %to, "an alert could not leave through its account: sent through another");
        }
        for e in &done.unmailed {
            error!("an alert cannot be mailed, check reply.operator_addresses: {e}");
        }
    }
}

/// Waits a little for what is under way; what does not end is due again after its lease.
async fn settle(telling: &mut JoinSet<()>) {
    let all = async { while telling.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_TRIES, all).await.is_err() {
        warn!("stopped while an alert was being told; it is told again");
        telling.shutdown().await;
    }
}

#[cfg(test)]
mod tests;
