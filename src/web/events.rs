//! `GET /api/events`: what happens, as server-sent events (WHATWG HTML, section 9.2). The table of
//! events is the buffer: a client that was away goes on behind the last id that it saw, and none
//! is kept in memory for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tracing::{debug, warn};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Viewer;
use super::error::{ApiError, ErrorBody};
use super::extract::Query;
use super::state::Shared;
use crate::model::{
    Access, AccountId, CampaignId, CampaignLeadId, ConversationId, DraftId, EventId, EventKind,
    OutboxId,
};
use crate::store::Event;
use crate::time::UtcMs;

/// Who may listen at the same time; each has a connection.
pub(super) const CLIENTS: usize = 400;
/// Proxies close what is silent for longer, and a client that is gone is noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Whether the token is still good, and for which campaigns, is looked at so often.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// A client that takes nothing for so long is let go; it can come back with the last id it saw.
const SLOW: Duration = Duration::from_secs(30);
/// Pieces that wait for a client, each one batch at most.
const WAITING: usize = 2;

/// The stream.
pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new().routes(routes!(listen))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// Go on behind this event; the header Last-Event-ID, which browsers send, wins.
    #[param(minimum = 0)]
    last_event_id: Option<i64>,
}

/// The data of an event: ids and small facts; names and texts are read where the ids lead.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct EventData {
    #[schema(value_type = i64)]
    id: EventId,
    #[schema(value_type = String, format = DateTime)]
    at: UtcMs,
    /// `new_reply`, `classified`, `queued`, `sent`, `failed`, `draft`, `goal_reached`, `opt_out`,
    /// `bounce`, `account_state`, `changed`: the name of the event as well.
    #[schema(value_type = String)]
    kind: EventKind,
    #[schema(value_type = Option<i64>)]
    campaign_id: Option<CampaignId>,
    #[schema(value_type = Option<i64>)]
    campaign_lead_id: Option<CampaignLeadId>,
    #[schema(value_type = Option<i64>)]
    conversation_id: Option<ConversationId>,
    #[schema(value_type = Option<i64>)]
    draft_id: Option<DraftId>,
    #[schema(value_type = Option<i64>)]
    outbox_id: Option<OutboxId>,
    #[schema(value_type = Option<i64>)]
    account_id: Option<AccountId>,
    /// Facts of this kind.
    #[schema(value_type = Object)]
    data: serde_json::Value,
}

impl From<Event> for EventData {
    fn from(e: Event) -> Self {
        Self {
            id: e.id,
            at: e.at,
            kind: e.kind,
            campaign_id: e.campaign_id,
            campaign_lead_id: e.campaign_lead_id,
            conversation_id: e.conversation_id,
            draft_id: e.draft_id,
            outbox_id: e.outbox_id,
            account_id: e.account_id,
            data: e.data,
        }
    }
}

/// What happens, as server-sent events
///
/// The first event is `ready`, with the id from which the stream goes on. `reset` says that events
/// were missed (they are kept for 30 days): look at everything again. Every 15 seconds a comment
/// is sent. The data of the others is an EventData.
#[utoipa::path(
    get, path = "/api/events", tag = "events", params(EventsQuery),
    responses(
        (status = 200, body = EventData, content_type = "text/event-stream"),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 503, body = ErrorBody, description = "Too many listen already"),
    ),
)]
async fn listen(
    State(shared): State<Arc<Shared>>,
    viewer: Viewer,
    Query(query): Query<EventsQuery>,
    parts: Parts,
) -> Result<Response, ApiError> {
    let place = Arc::clone(&shared.listeners)
        .try_acquire_owned()
        .map_err(|_| ApiError::unavailable("Too many listen to events already"))?;
    let asked = parts
        .headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.trim().parse().ok())
        .or(query.last_event_id)
        .filter(|id| *id >= 0)
        .map(EventId);
    // Before the first look: what comes between the two rings.
    let bell = shared.store.events_bell();
    let (first, last) = shared
        .read(|r| Ok((r.first_event()?, r.last_event()?)))
        .await?;
    let missed = asked.is_some_and(|id| id > last || id.0.saturating_add(1) < first.0);
    let at = asked.filter(|_| !missed).unwrap_or(last);
    let (out, body) = mpsc::channel(WAITING);
    let client = Client {
        shared,
        parts,
        access: viewer.access,
        at,
        out,
        _place: place,
    };
    tokio::spawn(client.serve(bell, missed));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // nginx passes it on at once.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(body))).into_response())
}

/// Somebody who listens.
struct Client {
    shared: Arc<Shared>,
    /// The request, to look again whether it would still be let in.
    parts: Parts,
    access: Access,
    /// Up to here it was told.
    at: EventId,
    out: mpsc::Sender<Result<String, Infallible>>,
    _place: OwnedSemaphorePermit,
}

/// The stream is over.
struct Over;

/// An event as it is sent.
pub(super) fn words(event: Event) -> Option<String> {
    let (id, kind) = (event.id, event.kind);
    match serde_json::to_string(&EventData::from(event)) {
        Ok(data) => Some(format!(
            "id: {id}\nevent: {}\ndata: {data}\n\n",
            kind.as_str()
        )),
        Err(e) => {
            warn!("an event cannot be put into JSON: {e}");
            None
        }
    }
}

impl Client {
    async fn serve(mut self, bell: watch::Receiver<EventId>, missed: bool) {
        let (stop, out) = (self.shared.stop.clone(), self.out.clone());
        tokio::select! {
            () = stop.cancelled() => {}
            () = out.closed() => {}
            _over = self.tell(bell, missed) => {}
        }
    }

    async fn tell(&mut self, mut bell: watch::Receiver<EventId>, missed: bool) -> Over {
        let mut hello = format!(
            "retry: 2000\nid: {0}\nevent: ready\ndata: {{\"id\":{0}}}\n\n",
            self.at
        );
        if missed {
            hello.push_str(&format!(
                "id: {0}\nevent: reset\ndata: {{\"id\":{0}}}\n\n",
                self.at
            ));
        }
        if self.send(hello).await.is_err() {
            return Over;
        }
        let mut looked = Instant::now();
        // By itself, not since the last bell: events that this client may not see ring as well.
        let mut beat_at = looked + HEARTBEAT;
        loop {
            let newest = *bell.borrow_and_update();
            match self.catch_up(newest).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(over) => return over,
            }
            match timeout_at(beat_at, bell.changed()).await {
                Ok(Ok(())) => {}
                // The store is closed.
                Ok(Err(_)) => return Over,
                // With the id: it moved on past events of others.
                Err(_) => {
                    beat_at = Instant::now() + HEARTBEAT;
                    let beat = format!(": alive\nid: {}\n\n", self.at);
                    if self.send(beat).await.is_err() {
                        return Over;
                    }
                }
            }
            if looked.elapsed() >= LOOK_AGAIN {
                looked = Instant::now();
                match <Viewer as FromRequestParts<_>>::from_request_parts(
                    &mut self.parts,
                    &self.shared,
                )
                .await
                {
                    Ok(viewer) => self.access = viewer.access,
                    Err(e) => {
                        debug!(status = %e.status, "a stream of events ends: its access does");
                        return Over;
                    }
                }
            }
        }
    }

    /// One batch; whether there may be more.
    async fn catch_up(&mut self, newest: EventId) -> Result<bool, Over> {
        let shared = &self.shared;
        let next = shared
            .feed
            .after(&shared.store, self.at, &self.access, newest);
        let next = next.await.map_err(|e| {
            warn!("a stream of events ends: {e}");
            Over
        })?;
        if !next.text.is_empty() {
            self.send(next.text).await?;
        }
        self.at = next.through;
        Ok(next.more)
    }

    async fn send(&self, text: String) -> Result<(), Over> {
        match timeout(SLOW, self.out.send(Ok(text))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Over),
            Err(_) => {
                debug!("a client takes no events: its stream ends");
                Err(Over)
            }
        }
    }
}
