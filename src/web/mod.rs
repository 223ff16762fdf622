//! The HTTP server: the API, the pages, and `/health` for monitors. It listens on loopback unless
//! told otherwise.
//!
//! Nobody who connects can hold it up (invariant I8): connections are few at a time, and may
//! send little; a request is answered within seconds or not at all. Handlers are thin: what they
//! do stands in `store`, `desk` and `campaign`, and `app` gives them what looks at mailboxes.

mod access;
mod agent;
mod api;
mod attachments;
mod attempts;
mod bounded;
mod campaigns;
mod error;
mod events;
mod extract;
mod feed;
mod freshness;
mod headers;
mod health;
mod hosts;
mod jwt;
mod limits;
mod metrics;
mod openapi;
mod pages;
mod paging;
mod pending;
mod sent;
mod session;
mod sign_in_page;
mod state;
mod unsubscribe;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};
use utoipa_axum::router::OpenApiRouter;

pub use self::access::{TOKEN_PREFIX, hash};
use self::bounded::BoundedListener;
use self::hosts::Peer;
pub use self::session::{LINK_LIFE, new_secret};
pub(crate) use self::state::Shared;
pub use self::state::{Boxed, Checked, Engine, NotFetched, Parts, PastedReply};
use crate::retry;

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
    pub async fn serve(mut self, parts: Parts, stop: CancellationToken) -> anyhow::Result<()> {
        let Some(listener) = self.listener(&stop).await else {
            return Ok(());
        };
        info!(address = %self.address, "answering HTTP requests");
        let shared = Arc::new(Shared::new(parts, stop.clone()));
        shared.metrics.begin(&shared.store).await;
        let listener = BoundedListener::new(listener, self.address);
        let serving = axum::serve(
            listener,
            router(shared).into_make_service_with_connect_info::<Peer>(),
        )
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

/// Every route. Each owner's routes stand in a file of their own.
fn router(shared: Arc<Shared>) -> Router {
    let (api, document) = OpenApiRouter::new()
        .merge(agent::routes())
        .merge(campaigns::routes())
        .merge(api::routes())
        .merge(attachments::routes())
        .merge(events::routes())
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(sent::routes())
        .split_for_parts();
    let web = &shared.settings.web;
    let public = web.public_url.as_deref();
    let is_public = public.is_some_and(|url| url.starts_with("https://"));
    api.merge(openapi::routes(document))
        .merge(pages::routes())
        .merge(session::routes())
        .merge(unsubscribe::routes(is_public))
        .layer(DefaultBodyLimit::max(limits::BODY))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&shared),
            limits::wrap,
        ))
        .layer(middleware::from_fn(headers::wrap))
        .with_state(shared)
}

#[cfg(test)]
mod tests;
