//! What people do with a whole conversation: answer in words of their own, settle it, put it off, and
//! move a mail that stands in the wrong one.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use axum::response::Response;
use serde::Deserialize;

use super::super::access::PageViewer;
use super::super::state::Shared;
use super::actions::{Plain, TextForm, back, belongs, may, not_done, of_form, recipient, told};
use super::conversation::NotDone;
use super::render::Problem;
use crate::desk::{DeskError, OwnAnswer};
use crate::model::{CampaignLeadId, MessageRowId, Scope};
use crate::time::{self, UtcMs};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AnswerForm {
    #[serde(flatten)]
    text: TextForm,
    to: String,
    r#override: String,
}

pub(super) async fn answer(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Path(id): Path<i64>,
    Form(form): Form<AnswerForm>,
) -> Result<Response, Problem> {
    let id = of_form(&shared, &viewer, &form.text.csrf, id).await?;
    let body = form.text.text()?;
    let own = OwnAnswer {
        thread: id,
        subject: None,
        body: body.clone(),
        by: viewer.who.clone(),
        to: recipient(&form.to),
        anyway: form.r#override == "1",
        to_suppressed: false,
    };
    let done = shared.desk.answer(own, viewer.access.clone(), time::now());
    match done.await {
        Ok(_) => Ok(back(id, "answered")),
        Err(e) => {
            let kept = NotDone {
                answer: body,
                ..NotDone::default()
            };
            not_done(&shared, &viewer, id, e, kept).await
        }
    }
}

pub(super) async fn handled(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Path(id): Path<i64>,
    Form(form): Form<Plain>,
) -> Result<Response, Problem> {
    let id = of_form(&shared, &viewer, &form.csrf, id).await?;
    let (access, who) = (viewer.access.clone(), viewer.who.as_str());
    let done = shared.desk.handled(id, access, who, time::now()).await;
    told(&shared, &viewer, id, done, "handled").await
}

pub(super) async fn hand_over(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Path(id): Path<i64>,
    Form(form): Form<Plain>,
) -> Result<Response, Problem> {
    let id = of_form(&shared, &viewer, &form.csrf, id).await?;
    let (access, who) = (viewer.access.clone(), viewer.who.as_str());
    let done = shared.desk.hand_over(id, access, who, time::now()).await;
    told(&shared, &viewer, id, done, "handed-over").await
}

pub(super) async fn take_back(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Path(id): Path<i64>,
    Form(form): Form<Plain>,
) -> Result<Response, Problem> {
    let id = of_form(&shared, &viewer, &form.csrf, id).await?;
    let access = viewer.access.clone();
    let done = shared.desk.take_back(id, access, time::now()).await;
    told(&shared, &viewer, id, done, "taken-back").await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SnoozeForm {
    csrf: String,
    until: String,
}

pub(super) async fn snooze(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Path(id): Path<i64>,
    Form(form): Form<SnoozeForm>,
) -> Result<Response, Problem> {
    let id = of_form(&shared, &viewer, &form.csrf, id).await?;
    let Some(until) = UtcMs::parse_day_or_time(form.until.trim()) else {
        let e = DeskError::Text("Write the day as 2027-01-31");
        return not_done(&shared, &viewer, id, e, NotDone::default()).await;
    };
    let (access, who) = (viewer.access.clone(), viewer.who.as_str());
    let now = time::now();
    let done = shared.desk.snooze(id, until, access, who, now).await;
    told(&shared, &viewer, id, done, "snoozed").await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MoveForm {
    csrf: String,
    to: String,
    lead: String,
    detach: String,
}

pub(super) async fn reattach(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Path((id, message)): Path<(i64, i64)>,
    Form(form): Form<MoveForm>,
) -> Result<Response, Problem> {
    may(&viewer, &form.csrf, Scope::Write)?;
    let (id, message) = (CampaignLeadId(id), MessageRowId(message));
    belongs(&shared, id, message, &viewer.access).await?;
    let detach = form.detach == "1";
    let to = if detach {
        None
    } else {
        super::desks::chosen(&shared, &form.to, &form.lead, &viewer.access).await?
    };
    if !detach && to.is_none_or(|to| to == id) {
        let e = DeskError::Text("No other lead has this key or address");
        return not_done(&shared, &viewer, id, e, NotDone::default()).await;
    }
    let (access, who) = (viewer.access.clone(), viewer.who.as_str());
    let now = time::now();
    let done = shared.desk.reattach(message, to, false, access, who, now);
    match (done.await, to) {
        (Ok(_), Some(to)) => Ok(back(to, "moved")),
        (Ok(_), None) => Ok(back(id, "detached")),
        (Err(e), _) => not_done(&shared, &viewer, id, e, NotDone::default()).await,
    }
}
