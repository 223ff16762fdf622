//! The HTTP server: `/health` for monitors. It listens on loopback unless told otherwise, and
//! shows states, no mail and no secret.
//!
//! Nobody who connects can hold it up (invariant I8): connections are few at a time, live
//! shortly, and may send little; a request is answered within seconds or not at all.

mod bounded;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::bounded::BoundedListener;
use crate::alerts::Health;
use crate::config::Settings;
use crate::retry;
use crate::store::Store;
use crate::time;

/// A look at the store that takes longer says by that alone that something is wrong.
const LOOK: Duration = Duration::from_secs(5);
/// Asked more often, the same answer is given: a look reads several tables.
const KEPT_FOR: Duration = Duration::from_millis(500);
/// What is under way when the process stops has this long.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Why no server runs.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// Another program has the port.
    #[error(
        "{0} is in use by another program, perhaps another replyd: set `listen` in [web] (or \
         --listen) to another port, or switch it off with --no-web"
    )]
    InUse(SocketAddr),
    /// The address cannot be bound.
    #[error(
        "Cannot listen on {address}: {reason}; set `listen` in [web] or --listen, or switch it off with --no-web"
    )]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
}

/// A socket that listens already, or is to be had later.
#[derive(Debug)]
pub struct Web {
    listener: Option<TcpListener>,
    address: SocketAddr,
}

/// What the handlers share.
#[derive(Debug)]
struct Shared {
    store: Store,
    settings: Arc<Settings>,
    kept: Mutex<Option<(Instant, StatusCode, Arc<str>)>>,
}

impl Web {
    /// Takes the port; port 0 is any.
    ///
    /// # Errors
    /// [`WebError`], with what to do.
    pub async fn bind(address: SocketAddr) -> Result<Self, WebError> {
        let failed = |e: &io::Error| match e.kind() {
            io::ErrorKind::AddrInUse => WebError::InUse(address),
            _ => WebError::Bind {
                address,
                reason: e.to_string(),
            },
        };
        let listener = TcpListener::bind(address).await.map_err(|e| failed(&e))?;
        let address = listener.local_addr().map_err(|e| failed(&e))?;
        Ok(Self {
            listener: Some(listener),
            address,
        })
    }

    /// An address that another program has: [`Web::serve`] tries it again, with growing pauses.
    #[must_use]
    pub fn later(address: SocketAddr) -> Self {
        let listener = None;
        Self { listener, address }
    }

    /// The socket, waited for until it can be had; none: `stop` fired.
    async fn listener(&mut self, stop: &CancellationToken) -> Option<TcpListener> {
        let mut failures = 0;
        while self.listener.is_none() {
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(retry::PORT.wait(failures)) => {}
            }
            failures = failures.saturating_add(1);
            match Self::bind(self.address).await {
                Ok(bound) => *self = bound,
                Err(e) => debug!(failures, "{e}"),
            }
        }
        self.listener.take()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` fires.
    ///
    /// # Errors
    /// When the server ends by itself.
    pub async fn serve(
        mut self,
        store: Store,
        settings: Arc<Settings>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let Some(listener) = self.listener(&stop).await else {
            return Ok(());
        };
        info!(address = %self.address, "answering HTTP requests at /health");
        let shared = Arc::new(Shared {
            store,
            settings,
            kept: Mutex::new(None),
        });
        let listener = BoundedListener::new(listener, self.address);
        let serving = axum::serve(listener, router(shared))
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        let overdue = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_ANSWERS).await;
        };
        tokio::select! {
            ended = serving.into_future() => Ok(ended?),
            () = overdue => Ok(()),
        }
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/health", get(health))
        .with_state(shared)
}

/// 200 when all is well, 503 when something is named in `failing`, or when the store does not
/// answer.
async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let (code, body) = match timeout(LOOK, shared.look()).await {
        Ok(answer) => answer,
        Err(_) => unknown("the store does not answer"),
    };
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (code, headers, body.to_string()).into_response()
}

impl Shared {
    /// One look at a time; who comes meanwhile gets its answer.
    async fn look(&self) -> (StatusCode, Arc<str>) {
        let mut kept = self.kept.lock().await;
        if let Some((at, code, body)) = &*kept
            && at.elapsed() < KEPT_FOR
        {
            return (*code, Arc::clone(body));
        }
        let (code, body) = match Health::take(&self.store, &self.settings, time::now()).await {
            Ok(health) => {
                let code = if health.is_ok() {
                    StatusCode::OK
                } else {
                    StatusCode::SERVICE_UNAVAILABLE
                };
                match serde_json::to_string(&health) {
                    Ok(body) => (code, Arc::from(body)),
                    Err(_) => unknown("the answer cannot be put into JSON"),
                }
            }
            Err(e) => {
                // Details stand in the log only.
                warn!("/health cannot look into the store: {e:#}");
                unknown("the store cannot be read")
            }
        };
        *kept = Some((Instant::now(), code, Arc::clone(&body)));
        (code, body)
    }
}

fn unknown(why: &str) -> (StatusCode, Arc<str>) {
    let body = serde_json::json!({"status": "failing", "failing": ["store"], "reason": why});
    (StatusCode::SERVICE_UNAVAILABLE, Arc::from(body.to_string()))
}

#[cfg(test)]
mod tests;
