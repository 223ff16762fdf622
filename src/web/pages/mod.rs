//! The pages: made by the server out of templates, whole without the script. What people do is a
//! form that is answered by a redirect; the script reads the page again when an event says that
//! something changed, and puts in what differs.

mod actions;
mod assets;
mod conversation;
mod desks;
mod files;
mod frame;
mod inbox;
mod mail;
mod moves;
mod plot;
mod render;
mod state;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};

use super::error::ApiError;
use super::freshness::{self, Mailbox, Window};
use super::state::Shared;

pub(in crate::web) use assets::version;
pub(in crate::web) use render::page;

/// All of them.
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(inbox::inbox))
        .route("/inbox/read", post(actions::all_read))
        .route("/conversations/{id}", get(conversation::conversation))
        .route("/conversations/{id}/drafts/{draft}", post(actions::draft))
        .route(
            "/conversations/{id}/messages/{message}/label",
            post(actions::label),
        )
        .route("/conversations/{id}/hand-over", post(moves::hand_over))
        .route("/conversations/{id}/take-back", post(moves::take_back))
        .route("/conversations/{id}/paste", post(actions::paste))
        .route("/conversations/{id}/answer", post(moves::answer))
        .route("/conversations/{id}/handled", post(moves::handled))
        .route("/conversations/{id}/snooze", post(moves::snooze))
        .route(
            "/conversations/{id}/messages/{message}/reattach",
            post(moves::reattach),
        )
        .route("/messages/{message}/html", get(mail::html))
        .route("/messages/{message}/attachments/{n}", get(files::file))
        .route(
            "/conversations/{id}/messages/{message}/files",
            post(files::look),
        )
        .route("/campaigns", get(desks::campaigns))
        .route("/campaigns/{id}", get(desks::campaign))
        .route("/leads", get(desks::leads))
        .route("/unmatched", get(desks::unmatched))
        .route("/unmatched/{message}/attach", post(desks::attach))
        .route("/unmatched/{message}/ignore", post(desks::ignore))
        .route("/suppressions", get(desks::suppressions))
        .route("/suppressions/add", post(desks::suppress))
        .route("/suppressions/remove", post(desks::unsuppress))
        .route("/state", get(state::state))
        .route("/automation/stop", post(state::stop))
        .route("/automation/start", post(state::start))
        .merge(assets::routes())
}

/// How fresh what is stored is; nobody is asked.
async fn verified(shared: &Shared) -> Result<Mailbox, ApiError> {
    let window = Window {
        days: None,
        wait: Some(Duration::ZERO),
    };
    freshness::look(shared, None, window).await
}
