//! `run`: all tasks under one stop token. Listeners are restarted when they end; when the
//! store, the outbox, the reply actor or the supervisor ends, the process ends with an error
//! and systemd restarts it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::App;
use crate::alerts::Health;
use crate::capture;
use crate::config::Settings;
use crate::listener::{LEASE, Listener};
use crate::reply::classify;
use crate::retry;
use crate::store::StoreError;
use crate::time;

/// Everything must have ended this long after a stop.
const SHUTDOWN: Duration = Duration::from_secs(9);
/// While stopping: say what is still waited for.
const SHUTDOWN_SAY: Duration = Duration::from_secs(3);
/// Whether a listener hangs is looked at this often.
const STUCK_CHECK: Duration = Duration::from_secs(30);
/// Systemd's line of states is made anew this often.
const STATES_AGAIN: Duration = Duration::from_secs(3);
/// Raw mails beyond their retention are dropped this often, in small steps.
const HOUSEKEEPING: Duration = Duration::from_secs(3600);
/// One step of it.
const EXPIRE_ROWS: u32 = 200;
/// Events are kept this long: who listens again after it looks at everything anew.
const EVENTS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// One step of dropping them.
const EVENT_ROWS: u32 = 5000;
/// While somebody listens, events of other processes are looked for this often.
const EVENTS_LOOK: Duration = Duration::from_secs(1);
/// Conversations that were put off come back this exactly.
const SNOOZE_LOOK: Duration = Duration::from_secs(30);

/// How a task ended: its name, and why.
type Ended = (String, anyhow::Result<()>);

impl App {
    /// Runs until `stop` fires: first look at once, then push and poll.
    ///
    /// # Errors
    /// When a part that must not end has ended.
    pub async fn run(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        let listen = &self.settings.listen;
        info!(
            interval_s = listen.interval.as_secs(),
            days = listen.days,
            accounts = self.settings.accounts.len(),
            "Starting periodic email reply checker (interval: {}s, days: {})",
            listen.interval.as_secs(),
            listen.days
        );
        if let Some(to) = &self.settings.redirect_to {
            let domain = to.rsplit_once('@').map_or("?", |(_, d)| d);
            warn!(
                domain,
                "REDIRECT: every outgoing mail goes to one address instead of its recipient"
            );
        }
        // Nothing waits for it: the first look goes on, and compiles what it needs before this
        // has.
        drop(tokio::task::spawn_blocking(warm_up));
        let mut tasks: JoinSet<Ended> = JoinSet::new();
        let mut names: Vec<String> = Vec::new();
        let mut spawn = |name: &str, task: futures_task::Task| {
            names.push(name.to_owned());
            let name = name.to_owned();
            tasks.spawn(async move { (name, task.await) });
        };

        let actor = self.actor.clone();
        let (token, bell) = (stop.clone(), self.reply_bell.clone());
        spawn(
            "reply actor",
            Box::pin(async move { actor.run(token, bell).await }),
        );
        let outbox = self.outbox().await?;
        let (token, bell) = (stop.clone(), self.outbox_bell.clone());
        spawn(
            "outbox",
            Box::pin(async move { outbox.run(token, bell).await }),
        );
        let (store, owner, token) = (self.store.clone(), self.owner.clone(), stop.clone());
        let settings = Arc::clone(&self.settings);
        spawn(
            "lease keeper",
            Box::pin(async move { keep_leases(store, settings, owner, token).await }),
        );
        let (alerts, token) = (self.alerts.clone(), stop.clone());
        spawn("sentinel", Box::pin(async move { alerts.run(token).await }));
        let web = self
            .web
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(web) = web {
            let (parts, token) = (self.web_parts(web.address()).await?, stop.clone());
            spawn(
                "web server",
                Box::pin(async move { web.serve(parts, token).await }),
            );
        }
        let (store, retention, token) = (
            self.store.clone(),
            self.settings.store.raw_retention,
            stop.clone(),
        );
        spawn(
            "housekeeping",
            Box::pin(async move { keep_house(store, retention, token).await }),
        );
        let (store, token) = (self.store.clone(), stop.clone());
        spawn(
            "alarm clock",
            Box::pin({
                let (store, token) = (self.store.clone(), stop.clone());
                async move { wake_snoozed(store, token).await }
            }),
        );
        spawn(
            "ear for events",
            Box::pin(async move { hear_others(store, token).await }),
        );
        let (hooks, token) = (self.hooks(), stop.clone());
        if !hooks.is_empty() {
            hooks.register().await?;
            spawn("webhooks", Box::pin(async move { hooks.run(token).await }));
        }
        // Before the listeners: it notices what changes from here on.
        if let Some(keeper) = self.token_keeper().await {
            let token = stop.clone();
            spawn(
                "token keeper",
                Box::pin(async move {
                    keeper.run(token).await;
                    Ok(())
                }),
            );
        }
        let (listeners, store) = (self.bare_listeners().await?, self.store.clone());
        let (owner, token) = (self.owner.clone(), stop.clone());
        spawn(
            "reconcile",
            Box::pin(Self::reconcile_daily(listeners, store, owner, token)),
        );
        for listener in self.listeners().await? {
            let token = stop.clone();
            let name = format!("account {}", listener.name());
            spawn(
                &name,
                Box::pin(async move { supervise(listener, token).await }),
            );
        }
        notify(&[sd_notify::NotifyState::Ready]);

        let mut failed = None;
        // Biased: a task that ended because of the stop has not ended too early.
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            Some(ended) = tasks.join_next() => {
                failed = Some(premature(ended, &mut names));
                stop.cancel();
            }
        }
        notify(&[sd_notify::NotifyState::Stopping]);
        drain(tasks, names).await;
        info!("Stopped periodic checking");
        failed.map_or(Ok(()), Err)
    }
}

/// Everything that is compiled at its first use is compiled here, in the order in which a mail
/// needs it: patterns of bounces and automatic mail, of quotes and signatures, and the
/// classifier's rules. Blocking, up to half a second; one after another, so that on two cores one
/// stays free for the first look.
fn warm_up() {
    let began = Instant::now();
    capture::warm_up();
    classify::warm_up();
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    debug!(took_ms, "patterns are compiled");
}

/// A task as `run` holds it.
mod futures_task {
    use std::future::Future;
    use std::pin::Pin;

    pub(super) type Task = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;
}

/// A task that ended before the stop: always an error.
fn premature(
    ended: Result<Ended, tokio::task::JoinError>,
    names: &mut Vec<String>,
) -> anyhow::Error {
    match ended {
        Ok((name, result)) => {
            names.retain(|n| *n != name);
            match result {
                Ok(()) => anyhow!("The {name} ended by itself"),
                Err(e) => e.context(format!("The {name} ended")),
            }
        }
        Err(join) => anyhow!("A task failed: {join}"),
    }
}

/// Waits for all tasks, naming what it still waits for, then aborts and awaits the rest.
async fn drain(mut tasks: JoinSet<Ended>, mut names: Vec<String>) {
    let deadline = Instant::now() + SHUTDOWN;
    let mut say = Instant::now() + SHUTDOWN_SAY;
    while !tasks.is_empty() {
        match tokio::time::timeout_at(say.min(deadline), tasks.join_next()).await {
            Ok(Some(Ok((name, result)))) => {
                names.retain(|n| *n != name);
                if let Err(e) = result {
                    error!("The {name} ended with an error: {e:#}");
                }
            }
            Ok(Some(Err(join))) => error!("A task failed while stopping: {join}"),
            Ok(None) => break,
            Err(_) if Instant::now() < deadline => {
                info!("stopping, still waiting for: {}", names.join(", "));
                say = Instant::now() + SHUTDOWN_SAY;
            }
            Err(_) => {
                warn!("stopping without: {}", names.join(", "));
                tasks.shutdown().await;
            }
        }
    }
}

/// Keeps an account's listener alive: what ends or panics is restarted with growing pauses.
async fn supervise(listener: Listener, stop: CancellationToken) -> anyhow::Result<()> {
    let listener = std::sync::Arc::new(listener);
    let mut deaths = 0_u32;
    while !stop.is_cancelled() {
        let (running, token) = (std::sync::Arc::clone(&listener), stop.clone());
        let task = tokio::spawn(async move { running.run(&token).await });
        let ended = ended_or_stuck(task, &listener).await;
        if stop.is_cancelled() {
            break;
        }
        let wait = retry::RECONNECT.wait(deaths).max(Duration::from_secs(1));
        deaths = deaths.saturating_add(1);
        match ended {
            Ok(Ok(())) => error!(
                account = listener.name(),
                "the listener ended by itself: restarting"
            ),
            Ok(Err(e)) => error!(
                account = listener.name(),
                "the listener ended, restarting: {e:#}"
            ),
            Err(join) => error!(
                account = listener.name(),
                "the listener failed, restarting: {join}"
            ),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    Ok(())
}

/// Waits for a listener's task; one that makes no progress although each of its awaits has a
/// deadline is aborted.
async fn ended_or_stuck(
    mut task: tokio::task::JoinHandle<Result<(), StoreError>>,
    listener: &Listener,
) -> Result<Result<(), StoreError>, tokio::task::JoinError> {
    loop {
        tokio::select! {
            ended = &mut task => return ended,
            () = tokio::time::sleep(STUCK_CHECK) => {
                if listener.is_stuck() {
                    error!(account = listener.name(), "the listener hangs: aborting it");
                    task.abort();
                    return task.await;
                }
            }
        }
    }
}

/// Renews all leases of this process at once, and tells systemd that the store answers, and how
/// the accounts are.
pub(super) async fn keep_leases(
    store: crate::store::Store,
    settings: Arc<Settings>,
    owner: String,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut renew_at = Instant::now();
    let mut said = String::new();
    while !stop.is_cancelled() {
        if Instant::now() >= renew_at {
            renew_at = Instant::now() + LEASE / 3;
            let name = owner.clone();
            let renewed: Result<(), StoreError> = store
                .write(move |tx| tx.renew_leases(&name, time::now(), LEASE))
                .await;
            // A full or locked disk is told of and waited out: a restart would mend nothing, and lose
            // the outcomes that wait to be recorded. A store that hangs gives no answer at all.
            notify(&[sd_notify::NotifyState::Watchdog]);
            if let Err(e) = renewed {
                error!("could not renew the leases: {e:#}");
            }
        }
        let words = account_states(&store, &settings).await;
        if words != said {
            notify(&[sd_notify::NotifyState::Status(&words)]);
            said = words;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(STATES_AGAIN) => {}
        }
    }
    Ok(())
}

/// One line for `systemctl status`: the states, and why where it is not well.
async fn account_states(store: &crate::store::Store, settings: &Settings) -> String {
    match Health::take(store, settings, time::now()).await {
        Ok(health) => health.line(),
        Err(e) => format!("the store cannot be read: {e}"),
    }
}

/// Drops raw mails beyond their retention, a few at a time.
async fn keep_house(
    store: crate::store::Store,
    retention: Duration,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        let before = time::now().minus(retention);
        let dropped: usize = store
            .write(move |tx| tx.expire_raw(before, EXPIRE_ROWS))
            .await
            .map_err(|e: StoreError| e)
            .context("Drop old raw mails")
            .unwrap_or_else(|e| {
                warn!("{e:#}");
                0
            });
        let before = time::now().minus(EVENTS_KEPT);
        let pruned: usize = store
            .write(move |tx| {
                let deliveries = tx.prune_deliveries(before, EVENT_ROWS)?;
                Ok(deliveries + tx.prune_events(before, EVENT_ROWS)?)
            })
            .await
            .map_err(|e: StoreError| e)
            .context("Drop old events")
            .unwrap_or_else(|e| {
                warn!("{e:#}");
                0
            });
        let wait = if dropped > 0 || pruned > 0 {
            debug!(
                dropped,
                pruned, "raw mails and events beyond their retention"
            );
            Duration::from_secs(1)
        } else {
            HOUSEKEEPING
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    Ok(())
}

/// Brings conversations back that people put off, when their time has come.
async fn wake_snoozed(store: crate::store::Store, stop: CancellationToken) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        if let Err(e) = store.wake_due_snoozes(time::now()).await {
            warn!("could not bring back what people put off: {e:#}");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(SNOOZE_LOOK) => {}
        }
    }
    Ok(())
}

/// Looks for events that other processes noted.
async fn hear_others(store: crate::store::Store, stop: CancellationToken) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        if let Err(e) = store.look_for_events().await {
            debug!("could not look for events: {e:#}");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVENTS_LOOK) => {}
        }
    }
    Ok(())
}

/// Tells systemd; without it nothing happens.
pub(super) fn notify(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(e) = sd_notify::notify(false, state) {
        debug!("could not notify systemd: {e}");
    }
}
