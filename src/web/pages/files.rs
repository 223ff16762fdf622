//! Files of a mail at the page: each is a link, and what is not known yet is asked for by a form.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, State};
use axum::response::{Redirect, Response};

use super::super::access::PageViewer;
use super::super::attachments;
use super::super::state::Shared;
use super::actions::{Plain, may};
use super::render::Problem;
use crate::model::Scope;

/// The file, to be saved.
pub(super) async fn file(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Path(numbers): Path<(String, String)>,
) -> Result<Response, Problem> {
    Ok(attachments::deliver(&shared, &viewer, &numbers).await?)
}

/// Reads the mail to its end, so that all its files are listed.
pub(super) async fn look(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Path((conversation, message)): Path<(i64, i64)>,
    Form(form): Form<Plain>,
) -> Result<Redirect, Problem> {
    may(&viewer, &form.csrf, Scope::Read)?;
    let mail = attachments::mail(&shared, &viewer, message).await?;
    if !mail.is_complete {
        attachments::complete(&shared, &mail).await?;
    }
    Ok(Redirect::to(&format!(
        "/conversations/{conversation}#files-of-{message}"
    )))
}
