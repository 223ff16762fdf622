//! What came and went in a span of time, and how fast mails were captured.

use std::collections::BTreeMap;

use rusqlite::params;
use serde::Serialize;

use super::super::{Reader, StoreError};
use crate::model::{Access, AccountId, CampaignId, MessageRowId};
use crate::time::UtcMs;

/// Captures that one look at latencies reads.
const CAPTURES: u32 = 10_000;

/// What came and went.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Statistics {
    /// From.
    pub since: UtcMs,
    /// To.
    pub until: UtcMs,
    /// Replies of leads.
    pub replies: u64,
    /// Conversations in which a lead replied.
    pub conversations: u64,
    /// Mails of ours in conversations, without campaign mails.
    pub answers: u32,
    /// Of them those that nobody wrote or approved.
    pub automatic_answers: u32,
    /// Campaign mails that left.
    pub campaign_mails: u32,
    /// Replies by what the lead wants; `""`: not read.
    pub intents: BTreeMap<String, u64>,
    /// Replies by what was decided: `acknowledge`, `answer`, `suppress`, `person`, `nothing`.
    pub actions: BTreeMap<String, u64>,
    /// Replies by how they were matched.
    pub matches: BTreeMap<String, u64>,
    /// From the server's announcement to the store, of replies captured live.
    pub capture_ms: Quantiles,
    /// From the capture of a reply to the server's yes to the automatic mail that answers it.
    pub answer_ms: Quantiles,
}

/// A distribution in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Quantiles {
    /// How many were measured.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: Option<i64>,
    /// 95 of 100 took no longer.
    pub p95: Option<i64>,
    /// The longest.
    pub max: Option<i64>,
}

impl Quantiles {
    fn of(mut values: Vec<i64>) -> Self {
        values.sort_unstable();
        let at = |percent: usize| {
            let rank = values.len().saturating_mul(percent).div_ceil(100);
            values.get(rank.saturating_sub(1)).copied()
        };
        Self {
            count: values.len() as u64,
            p50: at(50),
            p95: at(95),
            max: values.last().copied(),
        }
    }
}

/// A capture, for a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capture {
    /// The row.
    pub id: MessageRowId,
    /// Whose mailbox.
    pub account_id: AccountId,
    /// From the server's announcement to the store, in milliseconds.
    pub ms: i64,
}

impl Reader<'_> {
    /// What came and went since.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn statistics(
        &self,
        since: UtcMs,
        until: UtcMs,
        campaign: Option<CampaignId>,
        access: &Access,
    ) -> Result<Statistics, StoreError> {
        let mut s = Statistics {
            since,
            until,
            replies: 0,
            conversations: 0,
            answers: 0,
            automatic_answers: 0,
            campaign_mails: 0,
            intents: BTreeMap::new(),
            actions: BTreeMap::new(),
            matches: BTreeMap::new(),
            capture_ms: Quantiles::default(),
            answer_ms: Quantiles::default(),
        };
        let which = params![since.0, until.0, access.list(), campaign.map(|c| c.0)];
        let (mut captured, mut answered) = (Vec::new(), Vec::new());
        let mut threads = std::collections::HashSet::new();
        let mut lines = self.conn.prepare_cached(
            "SELECT v.campaign_lead_id, coalesce(j.intent, ''), coalesce(j.action, ''),
                    coalesce(m.match_method, ''),
                    iif(m.source = 'live', m.stored_at - m.announced_at, NULL),
                    (SELECT min(o.finished_at) - m.stored_at FROM outbox o
                     WHERE o.job_id = j.id AND o.automatic = 1 AND o.state = 'sent'
                       AND o.kind IN ('acknowledgment', 'answer'))
             FROM conversations v CROSS JOIN campaign_leads x ON x.id = v.campaign_lead_id
             LEFT JOIN messages m ON m.id = v.message_ref
             LEFT JOIN reply_jobs j ON j.message_id = m.id
             WHERE v.created_at >= ?1 AND v.created_at <= ?2 AND v.sender = 'customer'
               AND (?3 IS NULL OR x.campaign_id IN (SELECT value FROM json_each(?3)))
               AND (?4 IS NULL OR x.campaign_id = ?4)",
        )?;
        let mut rows = lines.query(which)?;
        while let Some(row) = rows.next()? {
            s.replies = s.replies.saturating_add(1);
            threads.insert(row.get::<_, i64>(0)?);
            for (map, column) in [
                (&mut s.intents, 1),
                (&mut s.actions, 2),
                (&mut s.matches, 3),
            ] {
                let count = map.entry(row.get(column)?).or_insert(0_u64);
                *count = count.saturating_add(1);
            }
            captured.extend(row.get::<_, Option<i64>>(4)?);
            answered.extend(row.get::<_, Option<i64>>(5)?);
        }
        s.conversations = threads.len() as u64;
        s.capture_ms = Quantiles::of(captured);
        s.answer_ms = Quantiles::of(answered);
        let mut mails = self.conn.prepare_cached(
            "SELECT coalesce(sum(o.kind <> 'campaign'), 0),
                    coalesce(sum(o.kind <> 'campaign' AND o.automatic = 1), 0),
                    coalesce(sum(o.kind = 'campaign'), 0)
             FROM outbox o CROSS JOIN campaign_leads x ON x.id = o.campaign_lead_id
             WHERE o.finished_at IS NOT NULL AND o.finished_at >= ?1 AND o.finished_at <= ?2
               AND +o.state = 'sent'
               AND o.kind IN ('acknowledgment', 'answer', 'optout_confirmation', 'campaign', 'manual')
               AND (?3 IS NULL OR x.campaign_id IN (SELECT value FROM json_each(?3)))
               AND (?4 IS NULL OR x.campaign_id = ?4)",
        )?;
        (s.answers, s.automatic_answers, s.campaign_mails) =
            mails.query_row(which, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(s)
    }

    /// Replies that the actor has not processed (`auto_reply_processed = 0`).
    ///
    /// # Errors
    /// What SQLite says.
    pub fn pending_count(&self) -> Result<u32, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT count(*) FROM conversations
                 WHERE auto_reply_processed = 0 AND sender = 'customer'",
            )?
            .query_row([], |row| row.get(0))?)
    }

    /// Live captures after a row, oldest first, and up to where was looked.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn captures_after(
        &self,
        after: MessageRowId,
    ) -> Result<(Vec<Capture>, MessageRowId), StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, account_id, iif(source = 'live', stored_at - announced_at, NULL)
             FROM messages WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?;
        let mut rows = statement.query(params![after.0, CAPTURES])?;
        let (mut found, mut through) = (Vec::new(), after);
        while let Some(row) = rows.next()? {
            let id = MessageRowId(row.get(0)?);
            through = id;
            if let Some(ms) = row.get::<_, Option<i64>>(2)? {
                found.push(Capture {
                    id,
                    account_id: AccountId(row.get(1)?),
                    ms,
                });
            }
        }
        Ok((found, through))
    }
}

#[cfg(test)]
mod tests {
    use super::Quantiles;

    #[test]
    fn quantiles_are_values_that_were_measured() {
        assert_eq!(Quantiles::of(Vec::new()), Quantiles::default());
        let q = Quantiles::of((1..=100).rev().collect());
        assert_eq!(
            (q.count, q.p50, q.p95, q.max),
            (100, Some(50), Some(95), Some(100))
        );
        let one = Quantiles::of(vec![7]);
        assert_eq!((one.p50, one.p95, one.max), (Some(7), Some(7), Some(7)));
    }
}
