//! How replyd is: its mailboxes, how fast it hears, what leaves, what a person has to do, and the
//! one switch.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Form, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use minijinja::context;
use serde::{Deserialize, Serialize};

use super::super::access::{PageViewer, Viewer};
use super::super::error::ApiError;
use super::super::state::Shared;
use super::actions::may;
use super::conversation::{Asked, span};
use super::frame::Frame;
use super::plot;
use super::render::{Problem, page};
use crate::model::{Access, Scope};
use crate::status::Snapshot;
use crate::store::{AutomationScope, CaptureTime};
use crate::time::{self, UtcMs};

/// Replies that are measured.
const MEASURED: u32 = 1000;

/// Something that a person has to do.
#[derive(Debug, Serialize)]
struct Todo {
    what: String,
    remedy: String,
    href: &'static str,
    /// It can wait.
    mild: bool,
}

pub(super) async fn state(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Problem> {
    let frame = Frame::read(&shared, &viewer, "state", "State", &asked.did).await?;
    let s = Snapshot::take(&shared.store, &shared.settings)
        .await
        .map_err(Problem::from)?;
    let times = shared.read(|r| r.capture_times(MEASURED)).await?;
    let todo = todo(&s);
    let outbox: Vec<_> = outbox(&s)
        .into_iter()
        .map(|(label, n)| context! { label, n })
        .collect();
    let latency = latency(&times, s.at);
    Ok(page(
        "state.html",
        context! { frame, s, todo, outbox, latency },
    )?)
}

fn latency(times: &[CaptureTime], now: UtcMs) -> minijinja::Value {
    let mut sorted: Vec<u64> = times.iter().map(|t| t.took_ms).collect();
    sorted.sort_unstable();
    let told = |percent| {
        let ms = plot::percentile(&sorted, percent);
        ms.map_or_else(String::new, |ms| span(Duration::from_millis(ms)))
    };
    let pushed = times.iter().filter(|t| t.pushed).count();
    let share = (pushed * 100).checked_div(times.len()).unwrap_or(0);
    context! {
        count => times.len(), p50 => told(50), p95 => told(95),
        push_share => format!("{share} %"),
        plot => plot::distribution(times), by_day => plot::by_day(times, now),
    }
}

fn outbox(s: &Snapshot) -> Vec<(&'static str, u64)> {
    use crate::model::OutboxState as O;
    let of = |state: O| {
        let found = s.outbox.depth.iter().find(|(at, _)| *at == state);
        found.map_or(0, |(_, n)| *n)
    };
    vec![
        ("Wait", of(O::Queued)),
        ("Being sent", of(O::Sending)),
        ("Tried again later", of(O::Deferred)),
        ("Held by the switch", u64::from(s.sending.mails_held)),
        ("Refused", of(O::Rejected)),
        ("Not known whether taken", of(O::Unknown)),
    ]
}

/// What is wrong, in words, with what to do.
fn todo(s: &Snapshot) -> Vec<Todo> {
    let mut all = Vec::new();
    let mut add = |what: String, remedy: &str, href: &'static str, mild: bool| {
        all.push(Todo {
            what,
            remedy: remedy.to_owned(),
            href,
            mild,
        });
    };
    for a in s.accounts.iter().filter(|a| a.in_settings) {
        if !a.remedy.is_empty() {
            add(format!("{}: {}", a.name, a.reason), a.remedy, "", false);
        } else if let Some(smtp) = &a.smtp {
            add(
                format!("{}: its mails cannot leave: {}", a.name, smtp.reason),
                "Look at the SMTP settings of the account; `replyd doctor` names what is wrong.",
                "",
                false,
            );
        }
    }
    let n = s.outbox.unknown.len();
    if n > 0 {
        let remedy = "Look into the Sent folder, then settle each with `replyd outbox`.";
        let what = format!("{n} mails were handed over and never answered for");
        add(what, remedy, "", false);
    }
    if s.replies_failed > 0 {
        add(
            format!("{} replies could not be handled", s.replies_failed),
            "Each is in the inbox under “Needs a person”; `replyd process` tries them again.",
            "/?state=person",
            false,
        );
    }
    if !s.set_aside.is_empty() {
        add(
            format!(
                "{} mails could not be read and were set aside",
                s.set_aside.len()
            ),
            "Open them in the mailbox; `replyd status` names folder and UID.",
            "",
            true,
        );
    }
    if let Some(failure) = &s.digest_failure {
        let what = format!("The digest to sales cannot be built: {}", failure.reason);
        let remedy = "Mend the template or the address; it is tried again by itself.";
        add(what, remedy, "", false);
    }
    if s.drafts_open > 0 {
        let what = match s.drafts_open {
            1 => "A draft waits for a person".to_owned(),
            n => format!("{n} drafts wait for a person"),
        };
        add(what, "", "/?state=drafts", true);
    }
    all
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SwitchForm {
    csrf: String,
    reason: String,
}

/// The switch is for whoever may see and change everything.
fn may_switch(viewer: &Viewer, csrf: &str) -> Result<(), ApiError> {
    may(viewer, csrf, Scope::Admin)?;
    if viewer.access == Access::All {
        return Ok(());
    }
    Err(ApiError::forbidden(
        "The switch holds for every campaign; your token sees some of them",
    ))
}

pub(super) async fn stop(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Form(form): Form<SwitchForm>,
) -> Result<Response, Problem> {
    may_switch(&viewer, &form.csrf)?;
    let reason: String = form.reason.trim().chars().take(200).collect();
    shared
        .write(move |tx| {
            let all = AutomationScope::All;
            tx.switch_automation_off(all, &viewer.who, &reason, time::now())
        })
        .await?;
    Ok(Redirect::to("/state?did=stopped").into_response())
}

pub(super) async fn start(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Form(form): Form<SwitchForm>,
) -> Result<Response, Problem> {
    may_switch(&viewer, &form.csrf)?;
    shared
        .write(|tx| tx.switch_automation_on(AutomationScope::All, time::now()))
        .await?;
    Ok(Redirect::to("/state?did=started").into_response())
}
