//! Lists of the pages: leads, the other conversations of somebody, how fast mail was captured.

use std::collections::BTreeSet;

use rusqlite::params;
use serde::Serialize;

use super::super::{Reader, StoreError};
use super::ThreadHead;
use super::search::fts_query;
use crate::model::{Access, CampaignId, CampaignLeadId, LeadRowId};
use crate::time::UtcMs;

/// Conversations that are offered for a mail that stands in the wrong one.
const OTHERS: u32 = 20;
/// Conversations that a lead is listed with.
const THREADS: u32 = 20;

/// A conversation by its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ThreadRef {
    /// The conversation.
    pub campaign_lead_id: CampaignLeadId,
    /// The operator's key of the lead.
    pub lead_id: String,
    /// The lead's name.
    pub lead_name: String,
    /// The lead's address.
    pub lead_email: String,
    /// The campaign.
    pub campaign: String,
}

/// A lead as the page lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeadLine {
    /// Its row.
    pub id: LeadRowId,
    /// The operator's key.
    pub lead_id: String,
    /// Its name.
    pub lead_name: String,
    /// Its address.
    pub lead_email: String,
    /// What it is interested in.
    pub project: String,
    /// Its address gets no mail.
    pub suppressed: bool,
    /// A mail to it came back for good.
    pub bounced_at: Option<UtcMs>,
    /// No campaign mail before.
    pub paused_until: Option<UtcMs>,
    /// Its conversations that the viewer may see.
    pub threads: Vec<ThreadRef>,
}

/// How fast one reply was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureTime {
    /// When it was stored.
    pub stored_at: UtcMs,
    /// From the announcement, or where there was none from its receipt, to that; in milliseconds.
    pub took_ms: u64,
    /// The server pushed it; otherwise a poll found it.
    pub pushed: bool,
}

fn thread_ref(row: &rusqlite::Row<'_>) -> rusqlite::Result<ThreadRef> {
    Ok(ThreadRef {
        campaign_lead_id: CampaignLeadId(row.get(0)?),
        lead_id: row.get(1)?,
        lead_name: row.get(2)?,
        lead_email: row.get(3)?,
        campaign: row.get(4)?,
    })
}

impl Reader<'_> {
    /// Where a mail of this conversation may belong instead: other conversations of the same lead,
    /// and of leads from whose address a mail in it came.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn threads_beside(
        &self,
        head: &ThreadHead,
        access: &Access,
    ) -> Result<Vec<ThreadRef>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT cl.id, l.lead_id, l.name, l.email, c.name
             FROM leads l CROSS JOIN campaign_leads cl ON cl.lead_id = l.id
             CROSS JOIN campaigns c ON c.id = cl.campaign_id
             WHERE l.id IN (SELECT ?1
                            UNION SELECT x.id FROM messages m
                                  JOIN leads x ON x.email_key = lower(m.from_address)
                                       AND x.email_key <> ''
                                  WHERE m.campaign_lead_id = ?2)
               AND cl.id <> ?2
               AND (?3 IS NULL OR cl.campaign_id IN (SELECT value FROM json_each(?3)))
             ORDER BY cl.id DESC LIMIT ?4",
        )?;
        let values = params![
            head.lead_row.0,
            head.campaign_lead_id.0,
            access.list(),
            OTHERS
        ];
        let rows = statement.query_map(values, thread_ref)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The newest conversation of the lead with this key of the operator's or this address.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn thread_of_key_or_address(
        &self,
        text: &str,
        access: &Access,
    ) -> Result<Option<CampaignLeadId>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT cl.id FROM leads l CROSS JOIN campaign_leads cl ON cl.lead_id = l.id
             WHERE l.id IN (SELECT id FROM leads WHERE lead_id = ?1
                            UNION SELECT id FROM leads WHERE email_key = ?2 AND email_key <> '')
               AND (?3 IS NULL OR cl.campaign_id IN (SELECT value FROM json_each(?3)))
             ORDER BY cl.id DESC LIMIT 1",
        )?;
        let key = crate::model::address_key(text.trim());
        let mut rows = statement.query(params![text.trim(), key, access.list()])?;
        Ok(match rows.next()? {
            Some(row) => Some(CampaignLeadId(row.get(0)?)),
            None => None,
        })
    }

    /// Leads, the newest first, beyond the row `before`; with words only those in whose name and
    /// address all of them stand. At most `limit + 1`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn lead_lines(
        &self,
        words: &str,
        before: Option<i64>,
        limit: u32,
        access: &Access,
    ) -> Result<Vec<LeadLine>, StoreError> {
        let query = fts_query(words);
        if query.is_none() && !words.trim().is_empty() {
            return Ok(Vec::new());
        }
        let sql = match &query {
            None => {
                "SELECT l.id, l.lead_id, l.name, l.email, l.project_name, s.email_key IS NOT NULL,
                        l.bounced_at, l.paused_until
                 FROM leads l LEFT JOIN suppressions s
                      ON s.email_key = l.email_key AND l.email_key <> ''
                 WHERE l.id < ?1 AND ?4 IS NULL
                   AND (?2 IS NULL OR EXISTS (SELECT 1 FROM campaign_leads cl
                        WHERE cl.lead_id = l.id
                          AND cl.campaign_id IN (SELECT value FROM json_each(?2))))
                 ORDER BY l.id DESC LIMIT ?3"
            }
            Some(_) => {
                "SELECT l.id, l.lead_id, l.name, l.email, l.project_name, s.email_key IS NOT NULL,
                        l.bounced_at, l.paused_until
                 FROM lead_fts f CROSS JOIN leads l ON l.id = f.rowid
                 LEFT JOIN suppressions s ON s.email_key = l.email_key AND l.email_key <> ''
                 WHERE f.lead_fts MATCH ?4 AND f.rowid < ?1
                   AND (?2 IS NULL OR EXISTS (SELECT 1 FROM campaign_leads cl
                        WHERE cl.lead_id = l.id
                          AND cl.campaign_id IN (SELECT value FROM json_each(?2))))
                 ORDER BY f.rowid DESC LIMIT ?3"
            }
        };
        let mut statement = self.conn.prepare_cached(sql)?;
        let values = params![
            before.unwrap_or(i64::MAX),
            access.list(),
            limit.saturating_add(1),
            query
        ];
        let rows = statement.query_map(values, |row| {
            Ok(LeadLine {
                id: LeadRowId(row.get(0)?),
                lead_id: row.get(1)?,
                lead_name: row.get(2)?,
                lead_email: row.get(3)?,
                project: row.get(4)?,
                suppressed: row.get(5)?,
                bounced_at: row.get::<_, Option<i64>>(6)?.map(UtcMs),
                paused_until: row.get::<_, Option<i64>>(7)?.map(UtcMs),
                threads: Vec::new(),
            })
        })?;
        let mut leads: Vec<LeadLine> = rows.collect::<Result<_, _>>()?;
        let mut threads = self.conn.prepare_cached(
            "SELECT cl.id, l.lead_id, l.name, l.email, c.name
             FROM campaign_leads cl CROSS JOIN leads l ON l.id = cl.lead_id
             CROSS JOIN campaigns c ON c.id = cl.campaign_id
             WHERE cl.lead_id = ?1
               AND (?2 IS NULL OR cl.campaign_id IN (SELECT value FROM json_each(?2)))
             ORDER BY cl.id DESC LIMIT ?3",
        )?;
        for lead in &mut leads {
            let values = params![lead.id.0, access.list(), THREADS];
            lead.threads = threads
                .query_map(values, thread_ref)?
                .collect::<Result<_, _>>()?;
        }
        Ok(leads)
    }

    /// Which of these conversations sales were told of.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn notified_of(&self, ids: &[CampaignLeadId]) -> Result<BTreeSet<i64>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT 1 FROM conversations WHERE campaign_lead_id = ?1 AND sales_team_notified = 1",
        )?;
        let mut told = BTreeSet::new();
        for id in ids {
            if statement.exists([id.0])? {
                told.insert(id.0);
            }
        }
        Ok(told)
    }

    /// How many conversations of a campaign have a reply.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn count_replied(&self, campaign: CampaignId) -> Result<u64, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT count(*) FROM inbox WHERE campaign_id = ?1 AND replies > 0")?
            .query_row([campaign.0], |row| row.get::<_, i64>(0))?
            .unsigned_abs())
    }

    /// How fast the newest replies that came while somebody listened were captured, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn capture_times(&self, limit: u32) -> Result<Vec<CaptureTime>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT stored_at, stored_at - coalesce(announced_at, internal_date),
                    announced_at IS NOT NULL
             FROM messages INDEXED BY messages_captured
             WHERE source = 'live' AND campaign_lead_id IS NOT NULL AND stored_at > 0
             ORDER BY stored_at DESC LIMIT ?1",
        )?;
        let rows = statement.query_map([limit], |row| {
            Ok(CaptureTime {
                stored_at: UtcMs(row.get(0)?),
                took_ms: u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
                pushed: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
