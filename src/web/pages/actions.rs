//! What people do in a conversation: each is a form, done by the desk, and leads back.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::super::access::{PageViewer, Viewer};
use super::super::agent::take_in;
use super::super::error::ApiError;
use super::super::state::Shared;
use super::conversation::{NotDone, show};
use super::render::Problem;
use crate::desk::{Approval, DeskError, Edit, Recipient};
use crate::model::{Access, CampaignLeadId, DraftId, Intent, MessageRowId, Scope};
use crate::store::ThreadHead;
use crate::time;

/// A form with nothing but the word of its session.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Plain {
    pub(super) csrf: String,
}

/// Whether a form may change something.
pub(super) fn may(viewer: &Viewer, csrf: &str, scope: Scope) -> Result<(), ApiError> {
    viewer.check_csrf(csrf)?;
    viewer.needs(scope)
}

/// To whom a mail goes, as a form says it.
pub(super) fn recipient(word: &str) -> Option<Recipient> {
    match word {
        "lead" => Some(Recipient::Lead),
        "sender" => Some(Recipient::Sender),
        _ => None,
    }
}

/// Back to the conversation, with what was done.
pub(super) fn back(id: CampaignLeadId, did: &str) -> Response {
    Redirect::to(&format!("/conversations/{id}?did={did}")).into_response()
}

/// The head of a conversation that the viewer may see.
async fn head(shared: &Shared, id: CampaignLeadId, access: &Access) -> Result<ThreadHead, Problem> {
    let access = access.clone();
    let head = shared.read(move |r| r.thread_head(id, &access)).await?;
    head.ok_or_else(|| Problem::not_found("This conversation"))
}

/// The conversation that a form is for, if the viewer may change it.
pub(super) async fn of_form(
    shared: &Shared,
    viewer: &Viewer,
    csrf: &str,
    id: i64,
) -> Result<CampaignLeadId, Problem> {
    may(viewer, csrf, Scope::Write)?;
    let id = CampaignLeadId(id);
    head(shared, id, &viewer.access).await?;
    Ok(id)
}

/// Back to the conversation with `did`, or the page again with why not.
pub(super) async fn told(
    shared: &Shared,
    viewer: &Viewer,
    id: CampaignLeadId,
    done: Result<(), DeskError>,
    did: &str,
) -> Result<Response, Problem> {
    match done {
        Ok(()) => Ok(back(id, did)),
        Err(e) => not_done(shared, viewer, id, e, NotDone::default()).await,
    }
}

/// The page again with why it was not done, or the failure.
pub(super) async fn not_done(
    shared: &Shared,
    viewer: &Viewer,
    id: CampaignLeadId,
    e: DeskError,
    kept: NotDone,
) -> Result<Response, Problem> {
    let told = NotDone {
        answer: kept.answer,
        draft: kept.draft,
        ..NotDone::of(&e)
    };
    let status = ApiError::from(e).status;
    if status.is_server_error() {
        return Err(Problem(ApiError::new(
            status,
            "Internal Server Error",
            "Something failed here; the log says what",
        )));
    }
    let mailbox = super::verified(shared).await?;
    let page = show(shared, viewer, id, "", mailbox, Some(told)).await?;
    Ok((status, page).into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DraftForm {
    csrf: String,
    r#do: String,
    version: Option<i64>,
    subject: String,
    body: String,
    to: String,
    r#override: String,
}

pub(super) async fn draft(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Path((id, draft)): Path<(i64, i64)>,
    Form(form): Form<DraftForm>,
) -> Result<Response, Problem> {
    may(&viewer, &form.csrf, Scope::Write)?;
    let (id, draft, now) = (CampaignLeadId(id), DraftId(draft), time::now());
    head(&shared, id, &viewer.access).await?;
    let of_it = shared
        .read(move |r| r.draft(draft))
        .await?
        .is_some_and(|d| d.campaign_lead_id == id);
    if !of_it {
        return Err(Problem::not_found("This draft"));
    }
    // Browsers send line ends as CR LF.
    let body = form.body.replace("\r\n", "\n");
    let edit = Edit {
        subject: Some(form.subject.clone()),
        body: Some(body.clone()),
        answer: None,
    };
    let by = viewer.who.as_str();
    let done = match form.r#do.as_str() {
        "approve" => {
            let ask = Approval {
                draft,
                by: by.to_owned(),
                edit,
                version: form.version,
                to: recipient(&form.to),
                anyway: form.r#override == "1",
                to_suppressed: false,
            };
            shared.desk.approve(ask, now).await.map(|_| "approved")
        }
        "save" => {
            let saved = shared.desk.edit(draft, edit, form.version, by, now).await;
            saved.map(|_| "saved")
        }
        "reject" => {
            let done = shared.desk.reject(draft, "", by, now).await;
            done.map(|()| "rejected")
        }
        _ => return Err(ApiError::bad_request("The form says not what to do").into()),
    };
    match done {
        Ok(did) => Ok(back(id, did)),
        Err(e) => {
            let kept = NotDone {
                draft: Some((draft.0, form.subject, body)),
                ..NotDone::default()
            };
            not_done(&shared, &viewer, id, e, kept).await
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LabelForm {
    csrf: String,
    intent: String,
}

pub(super) async fn label(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Path((id, message)): Path<(i64, i64)>,
    Form(form): Form<LabelForm>,
) -> Result<Response, Problem> {
    may(&viewer, &form.csrf, Scope::Write)?;
    let (id, message) = (CampaignLeadId(id), MessageRowId(message));
    belongs(&shared, id, message, &viewer.access).await?;
    let intent: Intent = form
        .intent
        .parse()
        .map_err(|_| ApiError::bad_request("There is no such label"))?;
    let done = shared
        .desk
        .label(message, intent, None, &viewer.who, time::now())
        .await;
    told(&shared, &viewer, id, done.map(|_| ()), "labelled").await
}

/// The mail must stand in this conversation, and the viewer may see that.
pub(super) async fn belongs(
    shared: &Shared,
    id: CampaignLeadId,
    message: MessageRowId,
    access: &Access,
) -> Result<(), Problem> {
    head(shared, id, access).await?;
    let facts = shared.read(move |r| r.message_facts(message)).await?;
    if facts.thread == Some(id) {
        return Ok(());
    }
    Err(Problem::not_found("This mail"))
}

pub(super) async fn all_read(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Form(form): Form<Plain>,
) -> Result<Response, Problem> {
    may(&viewer, &form.csrf, Scope::Read)?;
    shared
        .write(move |tx| tx.mark_all_read(&viewer.who, time::now()))
        .await?;
    Ok(Redirect::to("/?did=read").into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TextForm {
    pub(super) csrf: String,
    text: String,
}

/// Bytes of a pasted text, and of an own answer.
const MAX_TEXT: usize = 64 * 1024;

impl TextForm {
    /// The text with line ends as ours; refused when it is empty or too long.
    pub(super) fn text(&self) -> Result<String, ApiError> {
        let text = self.text.replace("\r\n", "\n");
        if text.trim().is_empty() {
            return Err(ApiError::unprocessable("There is no text"));
        }
        if text.len() > MAX_TEXT {
            return Err(ApiError::too_large("The text is longer than 64 KiB"));
        }
        Ok(text)
    }
}

pub(super) async fn paste(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Path(id): Path<i64>,
    Form(form): Form<TextForm>,
) -> Result<Response, Problem> {
    let id = of_form(&shared, &viewer, &form.csrf, id).await?;
    let text = form.text()?.trim().to_owned();
    take_in(&shared, id, text).await?;
    Ok(back(id, "pasted"))
}
