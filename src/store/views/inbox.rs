//! The inbox: conversations newest first, by state, campaign and words. Read from the table of the
//! same name, which triggers keep, so that a page is fifty rows of an index.

use std::collections::BTreeMap;

use rusqlite::{Row, ToSql, params, params_from_iter};
use serde::{Deserialize, Serialize};

use super::super::{Reader, StoreError};
use super::desk_mark::DeskMark;
use super::search::Hit;
use crate::model::{Access, CampaignId, CampaignLeadId};
use crate::time::UtcMs;

/// Bytes of a line that a card shows.
const EXCERPT: i64 = 240;
/// Numbers beside the filters stop here: `99+`.
const COUNT_TO: i64 = 100;
/// Campaigns of a limited viewer that are read one by one, each by its index.
const ONE_BY_ONE: usize = 50;

/// Which conversations are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InboxState {
    /// With a reply.
    #[default]
    Replies,
    /// A reply was left to people, who did not answer yet, or a draft waits.
    Person,
    /// A draft waits.
    Drafts,
    /// A reply reached the goal.
    Goal,
    /// The newest mail is the lead's.
    Unanswered,
    /// Mails of ours, and no reply.
    SentOnly,
    /// Each.
    All,
}

impl InboxState {
    /// Every one, in the order of the page.
    pub const ALL: [Self; 7] = [
        Self::Person,
        Self::Drafts,
        Self::Goal,
        Self::Unanswered,
        Self::Replies,
        Self::SentOnly,
        Self::All,
    ];

    /// The condition, word for word that of its partial index, and the column that it is sorted by.
    fn sql(self) -> (&'static str, &'static str) {
        match self {
            Self::Replies => ("i.replies > 0", "last_reply_at"),
            Self::Person => ("i.person + i.drafts > 0", "last_reply_at"),
            Self::Drafts => ("i.drafts > 0", "last_reply_at"),
            Self::Goal => ("i.goal = 1", "last_reply_at"),
            Self::Unanswered => ("i.unanswered = 1", "last_reply_at"),
            Self::SentOnly => ("i.replies = 0", "last_at"),
            Self::All => ("TRUE", "last_at"),
        }
    }

    /// Whether a campaign has few of them, so that its index does not help.
    fn is_rare(self) -> bool {
        matches!(
            self,
            Self::Person | Self::Drafts | Self::Goal | Self::Unanswered
        )
    }
}

/// Where a page of the inbox goes on: time and conversation of the last row shown.
pub type InboxPlace = (i64, i64);

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct InboxAsk {
    /// In which state.
    pub state: InboxState,
    /// Of this campaign alone.
    pub campaign: Option<CampaignId>,
    /// Beyond this row.
    pub after: Option<InboxPlace>,
    /// At most so many.
    pub limit: u32,
}

/// A conversation as a card.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct InboxRow {
    /// The conversation.
    pub campaign_lead_id: CampaignLeadId,
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Its name.
    pub campaign: String,
    /// Its project.
    pub project: String,
    /// The operator's key of the lead.
    pub lead_id: String,
    /// The lead's name.
    pub lead_name: String,
    /// The lead's address.
    pub lead_email: String,
    /// When the campaign's mail was sent.
    pub sent_at: Option<UtcMs>,
    /// The newest line of either side.
    pub last_at: UtcMs,
    /// The newest reply.
    pub last_reply_at: Option<UtcMs>,
    /// Replies.
    pub replies: u32,
    /// Drafts that wait; none as long as the conversation is snoozed.
    pub drafts: u32,
    /// A reply was left to people.
    pub person: bool,
    /// Whether a person has put it off, or dealt with it.
    #[serde(flatten)]
    pub mark: DeskMark,
    /// The goal was reached.
    pub goal: bool,
    /// The newest line is the lead's.
    pub unanswered: bool,
    /// A reply that the viewer has not seen.
    pub unread: bool,
    /// Who wrote the newest line: `customer`, `agent` or `human`.
    pub last_sender: String,
    /// Its beginning.
    pub excerpt: String,
    /// Where the words that were searched for stand; none: no search, or in the lead's name.
    pub hit: Option<String>,
    /// Its place in the list.
    #[serde(skip)]
    pub place: InboxPlace,
}

/// How many there are of each state that wants something; at most 100 is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct InboxCounts {
    /// Conversations that wait for a person.
    pub person: u32,
    /// With open drafts.
    pub drafts: u32,
    /// With a reply that the viewer has not seen.
    pub unread: u32,
}

const COLUMNS: &str = "\
SELECT i.campaign_lead_id, i.campaign_id, c.name, c.project_name, l.lead_id, l.name, l.email,
       cl.message_sent_at, i.last_at, i.last_reply_at, i.replies, i.drafts, i.person, i.goal,
       i.unanswered, v.sender, substr(v.message, 1, ?2),
       i.replies > 0
       AND i.reply_line > coalesce((SELECT line FROM read_marks
                                    WHERE viewer = ?1 AND campaign_lead_id = 0), 0)
       AND i.reply_line > coalesce((SELECT line FROM read_marks
                                    WHERE viewer = ?1 AND campaign_lead_id = i.campaign_lead_id), 0),
       k.snoozed_until, k.is_due, k.marked_by, k.marked_at,
       (SELECT max(m.id) FROM messages m WHERE m.campaign_lead_id = i.campaign_lead_id)
       > k.message_id
FROM inbox i
CROSS JOIN campaign_leads cl ON cl.id = i.campaign_lead_id
CROSS JOIN leads l ON l.id = cl.lead_id
CROSS JOIN campaigns c ON c.id = i.campaign_id
CROSS JOIN conversations v ON v.id = i.last_line
LEFT JOIN desk_marks k ON k.campaign_lead_id = i.campaign_lead_id";

fn card(row: &Row<'_>) -> rusqlite::Result<InboxRow> {
    let last_at: i64 = row.get(8)?;
    let last_reply_at: i64 = row.get(9)?;
    let id: i64 = row.get(0)?;
    Ok(InboxRow {
        campaign_lead_id: CampaignLeadId(id),
        campaign_id: CampaignId(row.get(1)?),
        campaign: row.get(2)?,
        project: row.get(3)?,
        lead_id: row.get(4)?,
        lead_name: row.get(5)?,
        lead_email: row.get(6)?,
        sent_at: row.get::<_, Option<i64>>(7)?.map(UtcMs),
        last_at: UtcMs(last_at),
        last_reply_at: (last_reply_at > 0).then_some(UtcMs(last_reply_at)),
        replies: row.get(10)?,
        drafts: row.get(11)?,
        person: row.get(12)?,
        goal: row.get(13)?,
        unanswered: row.get(14)?,
        last_sender: row.get(15)?,
        excerpt: row.get(16)?,
        unread: row.get(17)?,
        mark: DeskMark::read(row, 18)?,
        hit: None,
        place: (last_at, id),
    })
}

impl Reader<'_> {
    /// A page of the inbox: at most `limit + 1` rows, so that the caller knows whether there are
    /// more.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn inbox(
        &self,
        ask: &InboxAsk,
        viewer: &str,
        access: &Access,
    ) -> Result<Vec<InboxRow>, StoreError> {
        let one_by_one: Option<Vec<CampaignId>> = match (ask.campaign, access) {
            (Some(id), _) if !access.allows(id) => return Ok(Vec::new()),
            (Some(id), _) => Some(vec![id]),
            (None, Access::All) => None,
            (None, Access::Campaigns(ids)) => {
                (ids.len() <= ONE_BY_ONE && !ask.state.is_rare()).then(|| ids.to_vec())
            }
        };
        let Some(campaigns) = one_by_one else {
            return self.inbox_part(ask, None, viewer, access);
        };
        let mut rows = Vec::new();
        for id in campaigns {
            rows.append(&mut self.inbox_part(ask, Some(id), viewer, access)?);
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.place));
        rows.truncate(
            usize::try_from(ask.limit)
                .unwrap_or(usize::MAX)
                .saturating_add(1),
        );
        Ok(rows)
    }

    fn inbox_part(
        &self,
        ask: &InboxAsk,
        campaign: Option<CampaignId>,
        viewer: &str,
        access: &Access,
    ) -> Result<Vec<InboxRow>, StoreError> {
        let (sql, by_reply) = inbox_sql(ask.state, campaign.is_some());
        let (at, id) = ask.after.unwrap_or((i64::MAX, i64::MAX));
        let mut statement = self.conn.prepare_cached(&sql)?;
        let rows = statement.query_map(
            params![
                viewer,
                EXCERPT,
                access.list(),
                campaign.map(|c| c.0),
                at,
                id,
                ask.limit.saturating_add(1)
            ],
            card,
        )?;
        let mut rows: Vec<InboxRow> = rows.collect::<Result<_, _>>()?;
        if by_reply {
            for row in &mut rows {
                row.place.0 = row.last_reply_at.map_or(0, |at| at.0);
            }
        }
        Ok(rows)
    }

    /// A page of the cards of what a search found, newest first: at most `limit + 1`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn inbox_hits(
        &self,
        hits: &BTreeMap<CampaignLeadId, Option<Hit>>,
        ask: &InboxAsk,
        viewer: &str,
        access: &Access,
    ) -> Result<Vec<InboxRow>, StoreError> {
        let ids: Vec<String> = hits.keys().map(|id| id.0.to_string()).collect();
        let ids = format!("[{}]", ids.join(","));
        let (which, by) = ask.state.sql();
        let (at, after) = ask.after.unwrap_or((i64::MAX, i64::MAX));
        let mut statement = self.conn.prepare_cached(&format!(
            "{COLUMNS}
             WHERE i.campaign_lead_id IN (SELECT value FROM json_each(?5)) AND {which}
               AND (?3 IS NULL OR i.campaign_id IN (SELECT value FROM json_each(?3)))
               AND (?4 IS NULL OR i.campaign_id = ?4)
               AND (i.{by}, i.campaign_lead_id) < (?7, ?8)
             ORDER BY i.{by} DESC, i.campaign_lead_id DESC LIMIT ?6"
        ))?;
        let values = params![
            viewer,
            EXCERPT,
            access.list(),
            ask.campaign.map(|c| c.0),
            ids,
            ask.limit.saturating_add(1),
            at,
            after,
        ];
        let rows = statement.query_map(values, card)?;
        rows.map(|row| {
            let mut row = row?;
            let hit = hits.get(&row.campaign_lead_id).and_then(Option::as_ref);
            row.hit = hit.map(|hit| hit.excerpt.clone());
            if by == "last_reply_at" {
                row.place.0 = row.last_reply_at.map_or(0, |at| at.0);
            }
            Ok(row)
        })
        .collect()
    }

    /// One card; none: no line, or somebody else's.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn inbox_row(
        &self,
        id: CampaignLeadId,
        viewer: &str,
        access: &Access,
    ) -> Result<Option<InboxRow>, StoreError> {
        let hits = BTreeMap::from([(id, None)]);
        let ask = InboxAsk {
            state: InboxState::All,
            limit: 1,
            ..InboxAsk::default()
        };
        Ok(self.inbox_hits(&hits, &ask, viewer, access)?.pop())
    }

    /// The numbers beside the filters.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn inbox_counts(&self, viewer: &str, access: &Access) -> Result<InboxCounts, StoreError> {
        let list = access.list();
        let mut counts = [0; 3];
        let questions = [
            "SELECT count(*) FROM (SELECT 1 FROM inbox i WHERE i.person + i.drafts > 0
               AND (?1 IS NULL OR i.campaign_id IN (SELECT value FROM json_each(?1))) LIMIT ?2)",
            "SELECT count(*) FROM (SELECT 1 FROM inbox i WHERE i.drafts > 0
               AND (?1 IS NULL OR i.campaign_id IN (SELECT value FROM json_each(?1))) LIMIT ?2)",
            "SELECT count(*) FROM (SELECT 1 FROM inbox i WHERE i.replies > 0
               AND i.reply_line > coalesce((SELECT line FROM read_marks
                                            WHERE viewer = ?3 AND campaign_lead_id = 0), 0)
               AND i.reply_line > coalesce((SELECT line FROM read_marks WHERE viewer = ?3
                                              AND campaign_lead_id = i.campaign_lead_id), 0)
               AND (?1 IS NULL OR i.campaign_id IN (SELECT value FROM json_each(?1))) LIMIT ?2)",
        ];
        for (sql, count) in questions.iter().zip(&mut counts) {
            let values: [&dyn ToSql; 3] = [&list, &COUNT_TO, &viewer];
            let n = if sql.contains("?3") { 3 } else { 2 };
            *count = self
                .conn
                .prepare_cached(sql)?
                .query_row(params_from_iter(values.into_iter().take(n)), |row| {
                    row.get(0)
                })?;
        }
        let [person, drafts, unread] = counts;
        Ok(InboxCounts {
            person,
            drafts,
            unread,
        })
    }
}

/// The statement of a page, and whether it goes by the newest reply.
fn inbox_sql(state: InboxState, of_campaign: bool) -> (String, bool) {
    let (which, by) = state.sql();
    // `+`: the few of a rare state are read and those of the campaign picked.
    let campaign = match (of_campaign, state.is_rare()) {
        (false, _) => "?4 IS NULL",
        (true, true) => "+i.campaign_id = ?4",
        (true, false) => "i.campaign_id = ?4",
    };
    let sql = format!(
        "{COLUMNS}
         WHERE {which} AND {campaign}
           AND (?3 IS NULL OR +i.campaign_id IN (SELECT value FROM json_each(?3)))
           AND (i.{by}, i.campaign_lead_id) < (?5, ?6)
         ORDER BY i.{by} DESC, i.campaign_lead_id DESC LIMIT ?7"
    );
    (sql, by == "last_reply_at")
}

#[cfg(test)]
#[path = "inbox_tests.rs"]
mod tests;
