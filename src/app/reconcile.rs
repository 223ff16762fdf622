//! The reconcile: once a day inside the service, and by `replyd reconcile`.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::App;
use crate::capture::Report;
use crate::listener::{Ended, Listener, Reconciled};
use crate::model::{AccountId, MessageRowId};
use crate::store::{Store, StoreError};
use crate::time::{self, UtcMs};

/// What is due is looked for this often; one account at a time.
const LOOK: Duration = Duration::from_secs(10);
/// From one to the next.
const EVERY: Duration = Duration::from_secs(24 * 3600);
/// The first one of an account, at the earliest…
const FIRST: Duration = Duration::from_secs(600);
/// …and spread over this, so that many accounts do not begin together.
const SPREAD_S: u64 = 3600;
/// After one that could not be made, or found something that is not accounted for.
const AGAIN: Duration = Duration::from_secs(1800);

impl App {
    /// Reconciles the accounts named (none: all), one after another, beside a service that may
    /// run. `waiting` is told by whom and for how long a sign-in is waited for.
    ///
    /// # Errors
    /// When the accounts cannot be prepared, or none has the name; what an account met is in its
    /// result.
    pub async fn reconcile(
        &self,
        days: Option<u32>,
        account: Option<&str>,
        waiting: impl Fn(&str, Duration),
    ) -> anyhow::Result<Vec<(String, Result<Reconciled, Ended>)>> {
        let listeners = self.named_listeners(account).await?;
        let mut done = Vec::new();
        for listener in listeners {
            let name = listener.name().to_owned();
            let found = listener.reconcile(days, |wait| waiting(&name, wait)).await;
            done.push((name.clone(), found));
        }
        Ok(done)
    }

    /// Fetches set-aside messages once more, whoseever they are.
    ///
    /// # Errors
    /// When the accounts cannot be prepared; what an account met is in its result.
    pub async fn retry_set_aside(
        &self,
        ids: &[MessageRowId],
        waiting: impl Fn(&str, Duration),
    ) -> anyhow::Result<Vec<(String, Result<Report, Ended>)>> {
        let all = self
            .store
            .read(|r| r.quarantined())
            .await
            .map_err(|e: StoreError| e)?;
        let mut done = Vec::new();
        for listener in self.named_listeners(None).await? {
            let name = listener.name().to_owned();
            let has = |m: &crate::store::Quarantined| m.account == name && ids.contains(&m.id);
            if !all.iter().any(has) {
                continue;
            }
            let report = listener
                .retry_set_aside(ids, |wait| waiting(&name, wait))
                .await;
            done.push((name.clone(), report));
        }
        Ok(done)
    }

    async fn named_listeners(&self, account: Option<&str>) -> anyhow::Result<Vec<Listener>> {
        let mut listeners = self.bare_listeners().await?;
        if let Some(account) = account {
            let known: Vec<String> = listeners.iter().map(|l| l.name().to_owned()).collect();
            listeners.retain(|l| l.name() == account);
            if listeners.is_empty() {
                anyhow::bail!(
                    "No account has this name; the settings have: {}",
                    known.join(", ")
                );
            }
        }
        Ok(listeners)
    }

    /// The daily reconcile of each account that this process reads.
    pub(super) async fn reconcile_daily(
        listeners: Vec<Listener>,
        store: Store,
        owner: String,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        while !stop.is_cancelled() {
            let due = match due(&listeners, &store, &owner).await {
                Ok(due) => due,
                Err(e) => {
                    warn!("whether a reconcile is due cannot be read: {e:#}");
                    Vec::new()
                }
            };
            for (listener, at) in due {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return Ok(()),
                    ended = one(listener, &store, at) => {
                        if let Err(e) = ended {
                            error!(account = listener.name(), "the reconcile: {e:#}");
                        }
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        Ok(())
    }
}

/// The accounts whose reconcile is due and which this process reads; plans those that have none.
async fn due<'l>(
    listeners: &'l [Listener],
    store: &Store,
    owner: &str,
) -> Result<Vec<(&'l Listener, UtcMs)>, StoreError> {
    let ids: Vec<AccountId> = listeners.iter().map(Listener::id).collect();
    let rows = store
        .read(move |r| {
            ids.iter()
                .map(|id| Ok((r.reconcile_due(*id)?, r.account(*id)?.lease_owner)))
                .collect::<Result<Vec<_>, StoreError>>()
        })
        .await?;
    let now = time::now();
    let mut found = Vec::new();
    for (listener, (planned, reader)) in listeners.iter().zip(rows) {
        let id = listener.id();
        // A time farther ahead than any stems from a clock that was set back.
        match planned.filter(|at| *at <= now.plus(EVERY)) {
            Some(at) if at <= now && reader.as_deref() == Some(owner) => found.push((listener, at)),
            Some(_) => {}
            None => {
                let spread = u64::try_from(id.0).unwrap_or(0).wrapping_mul(977) % SPREAD_S;
                let first = now.plus(FIRST + Duration::from_secs(spread));
                store
                    .write(move |tx| tx.plan_reconcile(id, planned, first))
                    .await?;
            }
        }
    }
    Ok(found)
}

/// Reconciles an account that was due at `at`, and plans the next time.
async fn one(listener: &Listener, store: &Store, at: UtcMs) -> Result<(), StoreError> {
    let (id, now) = (listener.id(), time::now());
    let again = now.plus(AGAIN);
    // Booked before it is made: one that ends the process is not made at once again.
    let booked = store
        .write(move |tx| tx.plan_reconcile(id, Some(at), again))
        .await?;
    if !booked {
        return Ok(());
    }
    match listener.reconcile(None, |_| ()).await {
        Ok(found) if found.is_whole() => {
            // A whole day from when it was due, so that it keeps its time of day.
            let next = at.plus(EVERY).max(now.plus(EVERY / 2));
            store
                .write(move |tx| tx.plan_reconcile(id, Some(again), next))
                .await?;
        }
        Ok(_) => {}
        Err(e) => warn!(
            account = listener.name(),
            "not reconciled, tried again later: {e}"
        ),
    }
    Ok(())
}
