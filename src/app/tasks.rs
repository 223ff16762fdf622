//! `run`: all tasks under one stop token. Listeners are restarted when they end; when the
//! store, the outbox, the reply actor or the supervisor ends, the process ends with an error
//! and systemd restarts it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::Context;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::App;
use super::parts::{Parts, Pulse, SILENCE};
use super::supervise::supervise;
use crate::alerts::Health;
use crate::capture;
use crate::config::Settings;
use crate::listener::LEASE;
use crate::reply::classify;
use crate::store::StoreError;
use crate::time;

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
        let mut parts = Parts::default();
        let actor = self.actor.clone();
        let (token, bell) = (stop.clone(), self.reply_bell.clone());
        parts.spawn_watched(
            "reply actor",
            Box::pin(async move { actor.run(token, bell).await }),
        );
        let outbox = self.outbox().await?;
        let (token, bell) = (stop.clone(), self.outbox_bell.clone());
        parts.spawn_watched(
            "outbox",
            Box::pin(async move { outbox.run(token, bell).await }),
        );
        let (store, owner, token) = (self.store.clone(), self.owner.clone(), stop.clone());
        let (settings, pulse) = (Arc::clone(&self.settings), parts.pulse.clone());
        parts.spawn(
            "lease keeper",
            Box::pin(async move { keep_leases(store, settings, owner, token, pulse).await }),
        );
        let (alerts, token) = (self.alerts.clone(), stop.clone());
        parts.spawn("sentinel", Box::pin(async move { alerts.run(token).await }));
        let web = self
            .web
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(web) = web {
            let (of_web, token) = (self.web_parts(web.address()).await?, stop.clone());
            parts.spawn(
                "web server",
                Box::pin(async move { web.serve(of_web, token).await }),
            );
        }
        let (store, retention, token) = (
            self.store.clone(),
            self.settings.store.raw_retention,
            stop.clone(),
        );
        parts.spawn(
            "housekeeping",
            Box::pin(async move { keep_house(store, retention, token).await }),
        );
        let (store, token) = (self.store.clone(), stop.clone());
        parts.spawn(
            "alarm clock",
            Box::pin({
                let (store, token) = (self.store.clone(), stop.clone());
                async move { wake_snoozed(store, token).await }
            }),
        );
        parts.spawn(
            "ear for events",
            Box::pin(async move { hear_others(store, token).await }),
        );
        let (hooks, token) = (self.hooks(), stop.clone());
        if !hooks.is_empty() {
            hooks.register().await?;
            parts.spawn("webhooks", Box::pin(async move { hooks.run(token).await }));
        }
        // Before the listeners: it notices what changes from here on.
        if let Some(keeper) = self.token_keeper().await {
            let token = stop.clone();
            parts.spawn(
                "token keeper",
                Box::pin(async move {
                    keeper.run(token).await;
                    Ok(())
                }),
            );
        }
        let (listeners, store) = (self.bare_listeners().await?, self.store.clone());
        let (owner, token) = (self.owner.clone(), stop.clone());
        parts.spawn(
            "reconcile",
            Box::pin(Self::reconcile_daily(listeners, store, owner, token)),
        );
        for listener in self.listeners().await? {
            let token = stop.clone();
            let name = format!("account {}", listener.name());
            parts.spawn(
                &name,
                Box::pin(supervise(listener, token, parts.pulse.clone())),
            );
        }
        notify(&[sd_notify::NotifyState::Ready]);

        let mut failed = None;
        // Biased: a task that ended because of the stop has not ended too early.
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            why = parts.first_end() => {
                failed = Some(why);
                stop.cancel();
            }
        }
        notify(&[sd_notify::NotifyState::Stopping]);
        parts.drain().await;
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

/// Renews all leases of this process at once, and tells systemd how the accounts are, and that
/// all is well: the store answers, outbox and reply actor made progress, and every account was
/// looked at by its supervisor.
pub(super) async fn keep_leases(
    store: crate::store::Store,
    settings: Arc<Settings>,
    owner: String,
    stop: CancellationToken,
    pulse: Pulse,
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
            let silent = pulse.silent();
            if silent.is_empty() {
                notify(&[sd_notify::NotifyState::Watchdog]);
            } else {
                error!(
                    "no progress for {} s, the watchdog is not fed: {}",
                    SILENCE.as_secs(),
                    silent.join(", ")
                );
            }
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
