//! The inbox.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Html;
use minijinja::context;
use serde::{Deserialize, Serialize};

use super::super::access::PageViewer;
use super::super::paging;
use super::super::state::Shared;
use super::frame::{Frame, at_most};
use super::render::{Problem, page};
use crate::model::CampaignId;
use crate::store::{InboxAsk, InboxPlace, InboxState};

/// Cards of a page.
const CARDS: u32 = 40;

/// The filters, as they stand in the address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filters {
    state: String,
    campaign: String,
    q: String,
    cursor: Option<String>,
    did: String,
}

impl Filters {
    fn state(&self) -> InboxState {
        let word = serde_json::Value::from(self.state.as_str());
        serde_json::from_value(word).unwrap_or_default()
    }

    fn campaign(&self) -> Option<CampaignId> {
        self.campaign.parse().ok().map(CampaignId)
    }

    /// The address of the same search with another state or further on.
    fn href(&self, state: InboxState, cursor: Option<&str>) -> String {
        let mut query = form_urlencoded(&[("state", &word(state))]);
        for (name, value) in [
            ("campaign", self.campaign.as_str()),
            ("q", self.q.as_str()),
            ("cursor", cursor.unwrap_or_default()),
        ] {
            if !value.is_empty() {
                query.push('&');
                query.push_str(&form_urlencoded(&[(name, value)]));
            }
        }
        format!("/?{query}")
    }
}

/// The word of a state in addresses.
fn word(state: InboxState) -> String {
    let word = serde_json::to_value(state).unwrap_or_default();
    word.as_str().unwrap_or_default().to_owned()
}

/// `name=value&…`.
pub(super) fn form_urlencoded(pairs: &[(&str, &str)]) -> String {
    let encoded = |text: &str| {
        text.bytes().fold(String::new(), |mut out, byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
            out
        })
    };
    let pairs = pairs.iter().map(|(k, v)| format!("{k}={}", encoded(v)));
    pairs.collect::<Vec<_>>().join("&")
}

#[derive(Debug, Serialize)]
struct Tab {
    key: String,
    label: &'static str,
    href: String,
    current: bool,
    count: String,
}

pub(super) async fn inbox(
    State(shared): State<Arc<Shared>>,
    PageViewer(viewer): PageViewer,
    Query(filters): Query<Filters>,
) -> Result<Html<String>, Problem> {
    let mut frame = Frame::read(&shared, &viewer, "inbox", "Inbox", &filters.did).await?;
    frame.mailbox = Some(super::verified(&shared).await?);
    let (state, counts) = (filters.state(), frame.counts);
    let cursor = paging::PageQuery {
        cursor: filters.cursor.clone(),
        limit: None,
    };
    let ask = InboxAsk {
        state,
        campaign: filters.campaign(),
        after: cursor.after::<InboxPlace>()?,
        limit: CARDS,
    };
    let (who, access, q) = (viewer.who.clone(), viewer.access.clone(), filters.q.clone());
    let (rows, campaigns) = shared
        .read(move |r| {
            let rows = if q.trim().is_empty() {
                r.inbox(&ask, &who, &access)?
            } else {
                let hits = r.search(&q, &access)?;
                r.inbox_hits(&hits, &ask, &who, &access)?
            };
            let campaigns = r.campaigns()?.into_iter();
            let campaigns: Vec<_> = campaigns.filter(|c| access.allows(c.id)).collect();
            Ok((rows, campaigns))
        })
        .await?;
    let list = paging::List::page(rows, CARDS, |row| row.place)?;
    let next = list.next.as_deref();
    let next = next.map(|cursor| filters.href(state, Some(cursor)));
    let tabs: Vec<Tab> = InboxState::ALL
        .iter()
        .map(|tab| Tab {
            key: word(*tab),
            label: match tab {
                InboxState::Person => "Needs a person",
                InboxState::Drafts => "Drafts",
                InboxState::Goal => "Goal reached",
                InboxState::Unanswered => "Unanswered",
                InboxState::Replies => "With replies",
                InboxState::SentOnly => "Sent only",
                InboxState::All => "All",
            },
            href: filters.href(*tab, None),
            current: *tab == state,
            count: match tab {
                InboxState::Person => at_most(counts.person),
                InboxState::Drafts => at_most(counts.drafts),
                _ => String::new(),
            },
        })
        .collect();
    let campaigns: Vec<_> = campaigns
        .iter()
        .map(|c| context! { id => c.id.0, name => c.name })
        .collect();
    Ok(page(
        "inbox.html",
        context! {
            frame, tabs, campaigns, next, rows => list.items, state => word(state),
            q => filters.q, campaign => filters.campaign().map(|c| c.0),
        },
    )?)
}
