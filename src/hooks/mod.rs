//! Webhooks: other programs are told of replies and the like, signed, at least once.
//!
//! Deliveries are made from the table `events` by a cursor for each webhook, in one transaction; their
//! attempts are booked before they are made, so that a process that dies tells again, and loses nothing.
//! Each webhook has a loop of its own, so that a slow one holds up no other, and a few requests under way
//! at most. Redirects are not followed, and of an answer only the status is read.

mod body;
mod sign;

use std::time::Duration;

use anyhow::Context;
use secrecy::ExposeSecret;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

pub use self::sign::signature;
use crate::config::WebhookSettings;
use crate::http::{HttpClient, HttpError};
use crate::model::{EventId, HookKind};
use crate::store::{ClaimedDelivery, DeliveryEnd, Event, HookFacts, HookFilter, Store, StoreError};
use crate::time::{self, UtcMs};
use crate::tls::TlsRoots;

/// Requests of one webhook under way.
const AT_ONCE: u32 = 4;
/// A receiver that has not answered by then is asked again later.
const LIMIT: Duration = Duration::from_secs(15);
/// A booked attempt of a process that died comes back after this: longer than an attempt takes.
const LEASE: Duration = Duration::from_secs(20);
/// Pauses between attempts, about a day together; then a delivery has failed.
const PAUSES_S: &[u64] = &[10, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600];
/// No pause that a receiver asks for is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(12 * 3600);
/// Without a bell the table is looked at this often.
const LOOK: Duration = Duration::from_secs(60);
/// After an error of the store.
const STORE_REST: Duration = Duration::from_secs(5);
/// `run --once` tells for at most this long.
const ONCE: Duration = Duration::from_secs(60);

/// The webhooks of the settings.
#[derive(Clone, Debug)]
pub struct Hooks {
    store: Store,
    hooks: Vec<WebhookSettings>,
    roots: TlsRoots,
    limit: Duration,
}

/// What a receiver said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The HTTP status; none: there was no answer.
    pub status: Option<u16>,
    /// Why it is no success, in words without the address; empty: it is one.
    pub error: String,
    retry_after: Option<Duration>,
}

impl Hooks {
    /// Of these settings.
    #[must_use]
    pub fn new(store: Store, hooks: Vec<WebhookSettings>, roots: TlsRoots) -> Self {
        Self {
            store,
            hooks,
            roots,
            limit: LIMIT,
        }
    }

    /// A webhook that is new begins with what happens from now on.
    ///
    /// # Errors
    /// What the store says.
    pub async fn register(&self) -> anyhow::Result<()> {
        for hook in &self.hooks {
            let (filter, now) = (filter(hook), time::now());
            let known = self
                .store
                .read(move |r| r.is_hook_known(&filter.name))
                .await
                .map_err(|e: StoreError| e)
                .context("Look for webhooks")?;
            if !known {
                let filter = self::filter(hook);
                self.store
                    .write(move |tx| tx.make_deliveries(&filter, now))
                    .await
                    .map_err(|e: StoreError| e)
                    .context("Add a webhook")?;
            }
        }
        Ok(())
    }

    /// Whether there are any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hooks.is_empty()
    }

    /// Tells until `stop` fires.
    ///
    /// # Errors
    /// When HTTP cannot be set up at all.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let client = self.client().await?;
        let mut loops = JoinSet::new();
        for hook in self.hooks.clone() {
            let teller = self.teller(&hook, &client);
            let token = stop.clone();
            loops.spawn(async move { teller.run(&token).await });
        }
        while let Some(ended) = loops.join_next().await {
            ended.context("A webhook's loop failed")?;
        }
        stop.cancelled().await;
        Ok(())
    }

    /// Tells what is due, each delivery once.
    ///
    /// # Errors
    /// What the store says, or when HTTP cannot be set up.
    pub async fn once(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        if self.hooks.is_empty() {
            return Ok(());
        }
        let client = self.client().await?;
        let all = async {
            for hook in &self.hooks {
                let teller = self.teller(hook, &client);
                let mut seen = EventId(0);
                while teller.step(&mut seen, time::now()).await? {}
            }
            Ok::<(), StoreError>(())
        };
        tokio::select! {
            done = all => done.context("Tell webhooks"),
            () = stop.cancelled() => Ok(()),
            () = tokio::time::sleep(ONCE) => Ok(()),
        }
    }

    /// Posts a sample to one webhook, outside the order of events.
    ///
    /// # Errors
    /// When there is no such webhook, or HTTP cannot be set up.
    pub async fn test(&self, name: &str) -> anyhow::Result<Outcome> {
        let hook = self.hooks.iter().find(|h| h.name == name);
        let hook = hook.with_context(|| format!("There is no webhook {name:?} in the settings"))?;
        let kind = hook.events.first().copied().unwrap_or(HookKind::Reply);
        let now = time::now();
        let body = body::sample(kind, now);
        let teller = self.teller(hook, &self.client().await?);
        Ok(teller.post("test", kind, body, now).await)
    }

    fn teller(&self, hook: &WebhookSettings, client: &HttpClient) -> Teller {
        Teller {
            store: self.store.clone(),
            hook: hook.clone(),
            client: client.clone(),
            limit: self.limit,
        }
    }

    async fn client(&self) -> anyhow::Result<HttpClient> {
        let roots = self.roots.clone();
        // The trust store is some hundred files.
        let tls = tokio::task::spawn_blocking(move || roots.client_config(None))
            .await
            .context("Read the trust store")?
            .context("Read the trust store")?;
        Ok(HttpClient::new(&tls)?)
    }
}

/// One webhook's loop.
#[derive(Clone)]
struct Teller {
    store: Store,
    hook: WebhookSettings,
    client: HttpClient,
    limit: Duration,
}

fn filter(hook: &WebhookSettings) -> HookFilter {
    HookFilter {
        name: hook.name.clone(),
        kinds: hook.events.clone(),
        campaigns: hook.campaigns.clone(),
    }
}

impl Teller {
    async fn run(&self, stop: &CancellationToken) {
        let mut bell = self.store.events_bell();
        let mut seen = EventId(0);
        while !stop.is_cancelled() {
            // Listen before you look.
            bell.borrow_and_update();
            let stepped = tokio::select! {
                biased;
                // What is under way is told again after its lease.
                () = stop.cancelled() => return,
                stepped = self.step(&mut seen, time::now()) => stepped,
            };
            let wait = match stepped {
                Ok(true) => continue,
                Ok(false) => self.wait().await,
                Err(e) => {
                    warn!(webhook = self.hook.name, "webhooks: {e:#}");
                    STORE_REST
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
                // The sender lives in the store that this task holds.
                _ = bell.changed() => {}
            }
        }
    }

    async fn wait(&self) -> Duration {
        let name = self.hook.name.clone();
        let next: Result<_, StoreError> = self.store.read(move |r| r.next_delivery(&name)).await;
        match next {
            Ok(Some(at)) => at.since(time::now()).min(LOOK),
            Ok(None) => LOOK,
            Err(_) => STORE_REST,
        }
    }

    /// Makes deliveries of what happened, and one attempt of a few that are due. Whether there was
    /// something to do.
    async fn step(&self, seen: &mut EventId, now: UtcMs) -> Result<bool, StoreError> {
        let more = self.take_events(seen, now).await?;
        let name = self.hook.name.clone();
        let claimed = self
            .store
            .book(move |tx| tx.claim_deliveries(&name, AT_ONCE, LEASE, now))
            .await?;
        let mut under_way = JoinSet::new();
        for delivery in claimed.clone() {
            let teller = self.clone();
            under_way.spawn(async move { teller.tell(&delivery, now).await });
        }
        while let Some(told) = under_way.join_next().await {
            told.map_err(|e| StoreError::Panicked(e.to_string()))??;
        }
        Ok(more || !claimed.is_empty())
    }

    async fn take_events(&self, seen: &mut EventId, now: UtcMs) -> Result<bool, StoreError> {
        let filter = filter(&self.hook);
        let (asked, from) = (filter.clone(), *seen);
        let (wanted, through) = self.store.read(move |r| r.hook_wants(&asked, from)).await?;
        if wanted {
            return self
                .store
                .book(move |tx| tx.make_deliveries(&filter, now))
                .await;
        }
        let more = through > *seen;
        *seen = through;
        Ok(more)
    }

    async fn tell(&self, delivery: &ClaimedDelivery, now: UtcMs) -> Result<(), StoreError> {
        let id = delivery.event_id;
        let found: Option<(Event, HookFacts)> = self
            .store
            .read(move |r| {
                let Some(event) = r.event(id)? else {
                    return Ok(None);
                };
                let facts = r.hook_facts(&event, body::MAX_TEXT)?;
                Ok::<_, StoreError>(Some((event, facts)))
            })
            .await?;
        let (end, outcome) = match found {
            None => {
                let error = "its event is older than events are kept".to_owned();
                let outcome = Outcome {
                    status: None,
                    error,
                    retry_after: None,
                };
                (DeliveryEnd::Failed, outcome)
            }
            Some((event, facts)) => {
                let body = body::of(delivery.kind, &event, &facts);
                let id = id.to_string();
                let outcome = self.post(&id, delivery.kind, body, now).await;
                (end_of(&outcome, delivery.attempts, now), outcome)
            }
        };
        let name = &self.hook.name;
        match &end {
            DeliveryEnd::Done => debug!(webhook = name, event = id.0, "told"),
            DeliveryEnd::Again(_) => {
                info!(
                    webhook = name,
                    event = id.0,
                    "not told, tried again: {}",
                    outcome.error
                );
            }
            DeliveryEnd::Failed => warn!(
                webhook = name,
                event = id.0,
                "not told for good: {}; `replyd webhooks replay` tries it again",
                outcome.error
            ),
        }
        let (delivery, ended) = (delivery.clone(), time::now().max(now));
        self.store
            .book(move |tx| tx.end_delivery(&delivery, &end, outcome.status, &outcome.error, ended))
            .await?;
        Ok(())
    }

    async fn post(&self, event_id: &str, kind: HookKind, body: String, now: UtcMs) -> Outcome {
        let hook = &self.hook;
        let secret = hook.secret.as_ref().map_or("", |s| s.expose_secret());
        let headers = [
            ("replyd-signature", signature(secret, now, &body)),
            ("replyd-event-id", event_id.to_owned()),
            ("replyd-event", kind.as_str().to_owned()),
        ];
        let told = self
            .client
            .tell(hook.url.expose_secret(), body, &headers, self.limit)
            .await;
        match told {
            Ok(told) if (200..300).contains(&told.status) => Outcome {
                status: Some(told.status),
                error: String::new(),
                retry_after: None,
            },
            Ok(told) => Outcome {
                status: Some(told.status),
                error: match told.status {
                    300..400 => format!("status {}: redirects are not followed", told.status),
                    status => format!("status {status}"),
                },
                retry_after: told.retry_after,
            },
            Err(e) => Outcome {
                status: None,
                error: match e {
                    HttpError::Network { reason, .. } => reason,
                    other => other.to_string(),
                },
                retry_after: None,
            },
        }
    }
}

/// What follows from an answer to attempt number `attempts`.
fn end_of(outcome: &Outcome, attempts: u32, now: UtcMs) -> DeliveryEnd {
    if outcome.error.is_empty() {
        return DeliveryEnd::Done;
    }
    // RFC 9110 §15.5.11: it is gone, and likely for good.
    if outcome.status == Some(410) {
        return DeliveryEnd::Failed;
    }
    let done = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    let Some(pause_s) = PAUSES_S.get(done) else {
        return DeliveryEnd::Failed;
    };
    // A tenth of jitter: what failed together does not come back together.
    let pause = Duration::from_secs(*pause_s).mul_f64(1.0 + fastrand::f64() / 10.0);
    let asked = outcome.retry_after.unwrap_or_default().min(LONGEST_PAUSE);
    DeliveryEnd::Again(now.plus(pause.max(asked)))
}

#[cfg(test)]
mod tests;
