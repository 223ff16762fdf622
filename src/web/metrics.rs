//! `/metrics` in OpenMetrics text, for Prometheus.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::extract::State;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;
use tracing::warn;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Viewer;
use super::error::{ApiError, ErrorBody};
use super::events;
use super::hosts::Caller;
use super::state::Shared;
use crate::model::{Access, AccountState, MessageRowId, OutboxState, Scope};
use crate::status::Snapshot;
use crate::store::{Store, StoreError};
use crate::time::UtcMs;

/// Upper bounds of the capture latencies, in seconds: the measure of the product is a second.
const BUCKETS: [f64; 14] = [
    0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0,
];
/// Reads of captures in one scrape: the rest comes with the next.
const MOST_READS: usize = 20;

/// `/metrics`.
pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// What is counted from scrape to scrape, from rows of the store; one scrape at a time.
#[derive(Debug, Default)]
pub(super) struct Counted(Mutex<Captures>);

#[derive(Debug)]
struct Captures {
    /// Rows until here are counted; none: not begun yet.
    through: Option<MessageRowId>,
    latency: Family<Account, Histogram, fn() -> Histogram>,
}

impl Default for Captures {
    fn default() -> Self {
        Self {
            through: None,
            latency: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
        }
    }
}

impl Counted {
    /// Counts captures from now on.
    pub(super) async fn begin(&self, store: &Store) {
        match store.read(|r| r.newest_rows()).await {
            Ok((newest, _)) => self.0.lock().await.through = Some(newest),
            Err(e) => {
                let e: StoreError = e;
                warn!("capture latencies are counted from the first scrape on: {e}");
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Account {
    account: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateOf {
    account: String,
    state: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MailState {
    state: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: String,
}

/// Numbers for Prometheus, as OpenMetrics text
///
/// Needs a token with the scope read and without a campaign limit; with `web.open_metrics` none on
/// the same machine.
#[utoipa::path(
    get, path = "/metrics", tag = "operation",
    responses(
        (status = 200, body = String, content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    ),
)]
async fn metrics(
    State(shared): State<Arc<Shared>>,
    viewer: Result<Viewer, ApiError>,
    parts: Parts,
) -> Result<Response, ApiError> {
    let caller = Caller::of(&parts, &shared.settings.web);
    if !(shared.settings.web.open_metrics && is_here(caller.ip)) {
        let viewer = viewer?;
        viewer.needs(Scope::Read)?;
        if viewer.access != Access::All {
            return Err(ApiError::forbidden(
                "These numbers are of all campaigns: this needs a token without a campaign limit",
            ));
        }
    }
    let mut counted = shared.metrics.0.lock().await;
    counted.catch_up(&shared.store).await?;
    let snapshot = Snapshot::take(&shared.store, &shared.settings).await?;
    let pending = shared.read(|r| r.pending_line_count()).await?;
    let listening = events::CLIENTS.saturating_sub(shared.listeners.available_permits());
    let registry = registry(&snapshot, pending, listening, &counted.latency);
    drop(counted);
    let mut body = String::new();
    text::encode(&mut body, &registry).map_err(|e| ApiError::internal(&anyhow::Error::new(e)))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

fn is_here(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

impl Captures {
    async fn catch_up(&mut self, store: &Store) -> Result<(), ApiError> {
        let failed = |e: StoreError| ApiError::from(e);
        let mut at = match self.through {
            Some(at) => at,
            None => store.read(|r| r.newest_rows()).await.map_err(failed)?.0,
        };
        let accounts = store.read(|r| r.accounts()).await.map_err(failed)?;
        for _ in 0..MOST_READS {
            let (captures, through) = store
                .read(move |r| r.captures_after(at))
                .await
                .map_err(failed)?;
            for capture in captures {
                if let Some(account) = accounts.iter().find(|a| a.id == capture.account_id) {
                    let label = Account {
                        account: account.name.clone(),
                    };
                    // Two clocks are not compared: both moments are ours.
                    let seconds = std::time::Duration::from_millis(
                        u64::try_from(capture.ms).unwrap_or_default(),
                    );
                    self.latency
                        .get_or_create(&label)
                        .observe(seconds.as_secs_f64());
                }
            }
            if through == at {
                break;
            }
            at = through;
        }
        self.through = Some(at);
        Ok(())
    }
}

fn seconds(at: UtcMs) -> i64 {
    at.0.div_euclid(1000)
}

fn registry(
    s: &Snapshot,
    pending: u32,
    listening: usize,
    latency: &Family<Account, Histogram, fn() -> Histogram>,
) -> Registry {
    let mut r = Registry::with_prefix("replyd");
    let build = Family::<Build, Gauge>::default();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    build.get_or_create(&Build { version }).set(1);
    r.register("build_info", "The program", build);
    accounts(&mut r, s);
    r.register(
        "capture_latency_seconds",
        "From the server's announcement of a mail to its commit, live, since the start",
        latency.clone(),
    );
    let depth = Family::<MailState, Gauge>::default();
    for state in OutboxState::ALL {
        if matches!(state, OutboxState::Sent | OutboxState::Cancelled) {
            continue;
        }
        let count = s.outbox.depth.iter().find(|(is, _)| is == state);
        let label = MailState {
            state: state.as_str().to_owned(),
        };
        let count = count.map_or(0, |(_, n)| i64::try_from(*n).unwrap_or(i64::MAX));
        depth.get_or_create(&label).set(count);
    }
    r.register(
        "outbox_mails",
        "Mails that are not at rest, by state",
        depth,
    );
    if let Some(at) = s.outbox.oldest_due_created_at {
        r.register(
            "outbox_oldest_due_timestamp_seconds",
            "When the oldest mail that is due was queued; absent: none is",
            ConstGauge::new(seconds(at)),
        );
    }
    let numbers = [
        (
            "outbox_held_mails",
            "Mails that wait because automation is off",
            s.sending.mails_held,
        ),
        (
            "automation_off",
            "Scopes for which automation is off",
            count(s.sending.automation_off.len()),
        ),
        (
            "pending_replies",
            "Replies with auto_reply_processed = 0",
            pending,
        ),
        (
            "reply_jobs_pending",
            "Replies that wait for the actor",
            s.replies_pending,
        ),
        (
            "reply_jobs_failed",
            "Replies that could not be processed",
            s.replies_failed,
        ),
        (
            "drafts_open",
            "Drafts that wait for a person",
            s.drafts_open,
        ),
        (
            "event_clients",
            "Who listens to /api/events",
            count(listening),
        ),
    ];
    for (name, help, value) in numbers {
        r.register(name, help, ConstGauge::new(i64::from(value)));
    }
    r
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn accounts(r: &mut Registry, s: &Snapshot) {
    let states = Family::<StateOf, Gauge>::default();
    let verified = Family::<Account, Gauge>::default();
    let missed =
        Family::<Account, prometheus_client::metrics::counter::Counter<u64, AtomicU64>>::default();
    for a in s.accounts.iter().filter(|a| a.in_settings) {
        for state in AccountState::ALL {
            let label = StateOf {
                account: a.name.clone(),
                state: state.as_str().to_owned(),
            };
            states
                .get_or_create(&label)
                .set(i64::from(a.state == *state));
        }
        let label = Account {
            account: a.name.clone(),
        };
        if let Some(at) = a.verified_at {
            verified.get_or_create(&label).set(seconds(at));
        }
        missed.get_or_create(&label).inc_by(a.push_missed);
    }
    r.register("account_state", "1: the account is in this state", states);
    r.register(
        "account_verified_timestamp_seconds",
        "When the mailbox was last known to hold nothing that is not stored",
        verified,
    );
    r.register(
        "account_push_missed",
        "Mails that a poll found and no push had announced",
        missed,
    );
}
