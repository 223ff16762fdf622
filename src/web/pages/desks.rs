//! Campaigns, leads, unmatched mail, suppressions.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Form, Path, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use minijinja::context;
use serde::Deserialize;

use super::super::access::{PageViewer, Viewer};
use super::super::api::unmatched;
use super::super::error::ApiError;
use super::super::paging;
use super::super::state::Shared;
use super::actions::may;
use super::conversation::{Asked, span};
use super::frame::Frame;
use super::inbox::form_urlencoded;
use super::plot;
use super::render::{Problem, page};
use crate::model::{Access, CampaignId, CampaignLeadId, MessageRowId, Scope, address_key};
use crate::store::{AutomationScope, InboxAsk, InboxPlace, InboxState, Statistics, StatisticsAsk};
use crate::time;

/// Rows of a list.
const ROWS: u32 = 50;
/// Unmatched mails of a page: each with the beginning of its text and a form.
const UNMATCHED: u32 = 25;
/// Days that the page of a campaign shows, and replies that it measures.
const SHOWN_DAYS: i64 = 14;
const MEASURED: u32 = 500;
/// Suppressions of a page.
const MOST: u32 = 200;

pub(super) async fn campaigns(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Problem> {
    let frame = Frame::read(&shared, &viewer, "campaigns", "Campaigns", &asked.did).await?;
    let access = viewer.access.clone();
    let rows = shared
        .read(move |r| {
            let off = r.automation_off()?;
            let all = r.all_campaign_counts()?;
            let mut rows = Vec::new();
            for c in r.campaigns()?.into_iter().filter(|c| access.allows(c.id)) {
                let counts = all.get(&c.id).copied().unwrap_or_default();
                let is_off = off
                    .iter()
                    .any(|o| o.scope == AutomationScope::Campaign(c.id));
                let paused = c.mailing.as_ref().is_some_and(|m| m.paused.is_some());
                rows.push(context! {
                    id => c.id.0, name => c.name, project => c.project_name,
                    mode => c.mode.as_str(), active => c.active, off => is_off, paused,
                    counts => context! {
                        leads => counts.leads, sent => counts.sent, replied => counts.replied,
                        opted_out => counts.opted_out, bounced => counts.bounced,
                    },
                });
            }
            Ok(rows)
        })
        .await?;
    Ok(page("campaigns.html", context! { frame, rows })?)
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Further {
    q: String,
    cursor: Option<String>,
}

impl Further {
    fn page(&self) -> paging::PageQuery {
        paging::PageQuery {
            cursor: self.cursor.clone(),
            limit: None,
        }
    }
}

pub(super) async fn campaign(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Path(id): Path<i64>,
    Query(further): Query<Further>,
) -> Result<Html<String>, Problem> {
    let id = CampaignId(id);
    if !viewer.access.allows(id) {
        return Err(Problem::not_found("This campaign"));
    }
    let ask = InboxAsk {
        state: InboxState::Replies,
        campaign: Some(id),
        after: further.page().after::<InboxPlace>()?,
        limit: ROWS,
    };
    let (who, access) = (viewer.who.clone(), viewer.access.clone());
    let now = time::now();
    let lately = StatisticsAsk::days_to(now, SHOWN_DAYS, Some(id), MEASURED);
    let (found, rows, told, total, lately) = shared
        .read(move |r| {
            let found = r.campaigns()?.into_iter().find(|c| c.id == id);
            let rows = r.inbox(&ask, &who, &access)?;
            let ids: Vec<_> = rows.iter().map(|row| row.campaign_lead_id).collect();
            let total = r.count_replied(id)?;
            let lately = r.statistics(lately, now, &access)?;
            Ok((found, rows, r.notified_of(&ids)?, total, lately))
        })
        .await?;
    let found = found.ok_or_else(|| Problem::not_found("This campaign"))?;
    let frame = Frame::read(&shared, &viewer, "campaigns", &found.name, "").await?;
    let list = paging::List::page(rows, ROWS, |row| row.place)?;
    let next = list.next.map(|cursor| {
        let query = form_urlencoded(&[("cursor", &cursor)]);
        format!("/campaigns/{id}?{query}")
    });
    let rows: Vec<_> = list
        .items
        .iter()
        .map(|row| {
            let mut value = serde_json::to_value(row).unwrap_or_default();
            if let Some(fields) = value.as_object_mut() {
                let notified = told.contains(&row.campaign_lead_id.0);
                fields.insert("notified".into(), notified.into());
            }
            value
        })
        .collect();
    let campaign = context! { id => id.0, name => found.name, project => found.project_name };
    Ok(page(
        "campaign.html",
        context! { frame, campaign, rows, next, total, lately => told_of(&lately) },
    )?)
}

/// What came and went lately, as the page of a campaign shows it.
fn told_of(s: &Statistics) -> minijinja::Value {
    let within = |ms: Option<i64>| {
        let ms = ms.map(|ms| Duration::from_millis(ms.unsigned_abs()));
        ms.map_or_else(|| "–".to_owned(), span)
    };
    let plot = (s.total.replies > 0).then(|| plot::replies_by_day(&s.days));
    context! {
        days => SHOWN_DAYS, total => s.total, plot,
        automatic => within(s.answer_ms.p50), people => within(s.person_answer_ms.p50),
        slowest => within(s.person_answer_ms.p95),
    }
}

pub(super) async fn leads(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Query(further): Query<Further>,
) -> Result<Html<String>, Problem> {
    let frame = Frame::read(&shared, &viewer, "leads", "Leads", "").await?;
    let (access, q) = (viewer.access.clone(), further.q.clone());
    let before = further.page().after::<i64>()?;
    let rows = shared
        .read(move |r| r.lead_lines(&q, before, ROWS, &access))
        .await?;
    let list = paging::List::page(rows, ROWS, |row| row.id.0)?;
    let next = list.next.map(|cursor| {
        let query = form_urlencoded(&[("q", &further.q), ("cursor", &cursor)]);
        format!("/leads?{query}")
    });
    Ok(page(
        "leads.html",
        context! { frame, rows => list.items, next, q => further.q },
    )?)
}

pub(super) async fn unmatched(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Query(asked): Query<Asked>,
    Query(further): Query<Further>,
) -> Result<Html<String>, Problem> {
    let before = further.page().after::<i64>()?;
    show_unmatched(&shared, &viewer, before, &asked.did, String::new()).await
}

async fn show_unmatched(
    shared: &Shared,
    viewer: &Viewer,
    before: Option<i64>,
    did: &str,
    trouble: String,
) -> Result<Html<String>, Problem> {
    let mut frame = Frame::read(shared, viewer, "unmatched", "Unmatched", did).await?;
    frame.trouble = trouble;
    let access = viewer.access.clone();
    let (rows, next) = shared
        .read(move |r| r.unmatched_page(before, UNMATCHED, &access))
        .await?;
    let next = next.map(|place| paging::cursor(&place)).transpose()?;
    let next = next.map(|cursor| format!("/unmatched?{}", form_urlencoded(&[("cursor", &cursor)])));
    Ok(page("unmatched.html", context! { frame, rows, next })?)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AttachForm {
    csrf: String,
    to: String,
    lead: String,
}

/// The conversation that a form names: by its number, or by the lead's key or address.
pub(super) async fn chosen(
    shared: &Shared,
    to: &str,
    lead: &str,
    access: &Access,
) -> Result<Option<CampaignLeadId>, Problem> {
    let (to, lead, access) = (to.parse::<i64>().ok(), lead.to_owned(), access.clone());
    let found = shared
        .store
        .read(move |r| match to {
            Some(id) => {
                let head = r.thread_head(CampaignLeadId(id), &access)?;
                Ok(head.map(|head| head.campaign_lead_id))
            }
            None if lead.trim().is_empty() => Ok(None),
            None => r.thread_of_key_or_address(&lead, &access),
        })
        .await;
    Ok(found?)
}

/// Whether the viewer sees this mail among the unmatched ones.
async fn sees(shared: &Shared, message: MessageRowId, viewer: &Viewer) -> Result<bool, Problem> {
    let access = viewer.access.clone();
    let seen = shared
        .read(move |r| r.may_see_unmatched(message, &access))
        .await?;
    Ok(seen)
}

pub(super) async fn attach(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Path(message): Path<i64>,
    Form(form): Form<AttachForm>,
) -> Result<Response, Problem> {
    may(&viewer, &form.csrf, Scope::Write)?;
    let message = MessageRowId(message);
    if !sees(&shared, message, &viewer).await? {
        return Err(Problem::not_found("This mail"));
    }
    let Some(thread) = chosen(&shared, &form.to, &form.lead, &viewer.access).await? else {
        let why = "No lead has this key or address.".to_owned();
        return Ok(show_unmatched(&shared, &viewer, None, "", why)
            .await?
            .into_response());
    };
    unmatched::put(&shared, message, thread, true).await?;
    Ok(Redirect::to("/unmatched?did=attached").into_response())
}

pub(super) async fn ignore(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Path(message): Path<i64>,
    Form(form): Form<AttachForm>,
) -> Result<Response, Problem> {
    may(&viewer, &form.csrf, Scope::Write)?;
    let message = MessageRowId(message);
    if !sees(&shared, message, &viewer).await? {
        return Err(Problem::not_found("This mail"));
    }
    unmatched::drop_it(&shared, message).await?;
    Ok(Redirect::to("/unmatched?did=ignored").into_response())
}

pub(super) async fn suppressions(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Problem> {
    everything(&viewer)?;
    let title = "Suppressions";
    let frame = Frame::read(&shared, &viewer, "suppressions", title, &asked.did).await?;
    let mut rows = shared
        .read(|r| r.suppressions(None, MOST.saturating_add(1)))
        .await?;
    let most = usize::try_from(MOST).unwrap_or(usize::MAX);
    let more = rows.len() > most;
    rows.truncate(most);
    Ok(page("suppressions.html", context! { frame, rows, more })?)
}

/// Suppressions hold for every campaign: whoever sees some campaigns alone does not see them.
fn everything(viewer: &Viewer) -> Result<(), ApiError> {
    if viewer.access == Access::All {
        return Ok(());
    }
    Err(ApiError::forbidden(
        "Suppressions hold for every campaign; your token sees some of them",
    ))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AddressForm {
    csrf: String,
    address: String,
}

pub(super) async fn suppress(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Form(form): Form<AddressForm>,
) -> Result<Response, Problem> {
    may(&viewer, &form.csrf, Scope::Write)?;
    everything(&viewer)?;
    let key = address_key(form.address.trim());
    if !key.contains('@') {
        return Err(ApiError::unprocessable("This is not a mail address").into());
    }
    let why = format!("by {}", viewer.who);
    shared
        .write(move |tx| tx.suppress(&key, &why, None, time::now()))
        .await?;
    Ok(Redirect::to("/suppressions?did=suppressed").into_response())
}

pub(super) async fn unsuppress(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Form(form): Form<AddressForm>,
) -> Result<Response, Problem> {
    may(&viewer, &form.csrf, Scope::Write)?;
    everything(&viewer)?;
    let key = address_key(form.address.trim());
    shared.write(move |tx| tx.unsuppress(&key)).await?;
    Ok(Redirect::to("/suppressions?did=allowed").into_response())
}
