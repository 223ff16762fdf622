//! What came and went in a span of time, and how fast mails were captured.

use std::collections::{BTreeMap, HashSet};

use rusqlite::params;
use serde::Serialize;

use super::super::{Reader, StoreError};
use crate::model::{Access, AccountId, CampaignId, MessageRowId};
use crate::time::UtcMs;

/// Captures that one look at latencies reads.
const CAPTURES: u32 = 10_000;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct StatisticsAsk {
    /// The first day (UTC), counted from 1970-01-01.
    pub first: i64,
    /// The last one, which belongs to it.
    pub last: i64,
    /// Of this campaign alone.
    pub campaign: Option<CampaignId>,
    /// Replies that are looked at one by one, at most.
    pub most: u32,
}

impl StatisticsAsk {
    /// The last `days` to today.
    #[must_use]
    pub fn days_to(now: UtcMs, days: i64, campaign: Option<CampaignId>, most: u32) -> Self {
        let last = now.0.div_euclid(DAY_MS);
        Self {
            first: last.saturating_sub(days).saturating_add(1),
            last,
            campaign,
            most,
        }
    }
}

/// What came and went.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub struct Statistics {
    /// The first day, as `2027-01-31`; days are those of UTC.
    #[schema(format = Date)]
    pub from: String,
    /// The last day, which is among them.
    #[schema(format = Date)]
    pub to: String,
    /// All of it.
    #[serde(flatten)]
    pub total: Counts,
    /// Each day, the first one first.
    pub days: Vec<DayCounts>,
    /// So many replies, 10000 at most, were looked at for what follows; the newest, where the last
    /// day is today.
    pub measured: u64,
    /// Conversations in which they stand.
    pub conversations: u64,
    /// Replies by what the lead wants; `""`: not read.
    pub intents: BTreeMap<String, u64>,
    /// Replies by what was decided: `acknowledge`, `answer`, `suppress`, `person`, `nothing`.
    pub actions: BTreeMap<String, u64>,
    /// Replies by how they were matched.
    pub matches: BTreeMap<String, u64>,
    /// From the server's announcement to the store, of replies captured live.
    pub capture_ms: Quantiles,
    /// From the arrival of a reply to the server's yes to the first automatic mail that answers it.
    pub answer_ms: Quantiles,
    /// From the arrival of a reply to the same of the first answer that a person wrote or approved.
    pub person_answer_ms: Quantiles,
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Counts {
    /// Replies of leads.
    pub replies: u64,
    /// Mails of ours in conversations, without campaign mails.
    pub answers: u64,
    /// Of them those that nobody wrote or approved.
    pub automatic_answers: u64,
    /// Campaign mails that left.
    pub campaign_mails: u64,
}

/// A day's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct DayCounts {
    /// As `2027-01-31`, UTC.
    #[schema(format = Date)]
    pub day: String,
    /// What came and went on it.
    #[serde(flatten)]
    pub counts: Counts,
}

/// A day as people write it.
fn written(day: i64) -> String {
    let mut text = UtcMs(day.saturating_mul(DAY_MS)).rfc3339();
    text.truncate("2027-01-31".len());
    text
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

impl Counts {
    fn add(&mut self, other: Self) {
        self.replies = self.replies.saturating_add(other.replies);
        self.answers = self.answers.saturating_add(other.answers);
        self.automatic_answers = self
            .automatic_answers
            .saturating_add(other.automatic_answers);
        self.campaign_mails = self.campaign_mails.saturating_add(other.campaign_mails);
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Seen {
    threads: HashSet<i64>,
    captured: Vec<i64>,
    answered: Vec<i64>,
    by_people: Vec<i64>,
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
    /// What came and went. Counts are read off the table of days; a distribution is that of a
    /// bounded number of replies.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn statistics(
        &self,
        ask: StatisticsAsk,
        now: UtcMs,
        access: &Access,
    ) -> Result<Statistics, StoreError> {
        let mut s = Statistics {
            from: written(ask.first),
            to: written(ask.last),
            ..Statistics::default()
        };
        let by_day = self.day_counts(&ask, access)?;
        for day in ask.first..=ask.last {
            let counts = by_day.get(&day).copied().unwrap_or_default();
            s.total.add(counts);
            let day = written(day);
            s.days.push(DayCounts { day, counts });
        }
        let parts: Vec<Option<CampaignId>> = match (ask.campaign, access) {
            (Some(id), _) if !access.allows(id) => Vec::new(),
            (Some(id), _) => vec![Some(id)],
            (None, Access::All) => vec![None],
            (None, Access::Campaigns(ids)) => ids.iter().copied().map(Some).collect(),
        };
        let mut seen = Seen::default();
        for campaign in parts {
            let measured = i64::try_from(s.measured).unwrap_or(i64::MAX);
            let left = i64::from(ask.most).saturating_sub(measured);
            self.look_at_replies(&ask, campaign, left, now, &mut s, &mut seen)?;
        }
        s.conversations = seen.threads.len() as u64;
        s.capture_ms = Quantiles::of(seen.captured);
        s.answer_ms = Quantiles::of(seen.answered);
        s.person_answer_ms = Quantiles::of(seen.by_people);
        Ok(s)
    }

    fn day_counts(
        &self,
        ask: &StatisticsAsk,
        access: &Access,
    ) -> Result<BTreeMap<i64, Counts>, StoreError> {
        let mut days = self.conn.prepare_cached(
            "SELECT day, sum(replies), sum(answers), sum(automatic), sum(campaign_mails)
             FROM day_counts WHERE day >= ?1 AND day <= ?2
               AND (?3 IS NULL OR campaign_id IN (SELECT value FROM json_each(?3)))
               AND (?4 IS NULL OR campaign_id = ?4)
             GROUP BY day",
        )?;
        let campaign = ask.campaign.map(|c| c.0);
        let values = params![ask.first, ask.last, access.list(), campaign];
        let rows = days.query_map(values, |row| {
            let n = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
            let counts = Counts {
                replies: n(1)?,
                answers: n(2)?,
                automatic_answers: n(3)?,
                campaign_mails: n(4)?,
            };
            Ok((row.get(0)?, counts))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Goes through at most `most` conversations that were replied to, and as many replies in them.
    fn look_at_replies(
        &self,
        ask: &StatisticsAsk,
        campaign: Option<CampaignId>,
        most: i64,
        now: UtcMs,
        s: &mut Statistics,
        seen: &mut Seen,
    ) -> Result<(), StoreError> {
        // Of a span that has passed, those first whose last reply was in it.
        let newest_first = ask.last >= now.0.div_euclid(DAY_MS);
        let sql = replies_sql(campaign.is_some(), newest_first);
        let mut lines = self.conn.prepare_cached(&sql)?;
        let mut rows = lines.query(params![
            ask.first.saturating_mul(DAY_MS),
            ask.last.saturating_add(1).saturating_mul(DAY_MS),
            campaign.map(|c| c.0),
            most,
        ])?;
        while let Some(row) = rows.next()? {
            s.measured = s.measured.saturating_add(1);
            seen.threads.insert(row.get(0)?);
            for (map, column) in [
                (&mut s.intents, 1),
                (&mut s.actions, 2),
                (&mut s.matches, 3),
            ] {
                let count = map.entry(row.get(column)?).or_insert(0_u64);
                *count = count.saturating_add(1);
            }
            seen.captured.extend(row.get::<_, Option<i64>>(4)?);
            // The server's clock may be ahead of ours.
            let took = |column| -> rusqlite::Result<Option<i64>> {
                Ok(row.get::<_, Option<i64>>(column)?.map(|ms| ms.max(0)))
            };
            seen.answered.extend(took(5)?);
            seen.by_people.extend(took(6)?);
        }
        Ok(())
    }

    /// Replies that the actor has not processed (`auto_reply_processed = 0`).
    ///
    /// # Errors
    /// What SQLite says.
    pub fn pending_line_count(&self) -> Result<u32, StoreError> {
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

/// The replies of a span: found by the last reply of their conversations, so that lines of ours are
/// not read.
fn replies_sql(of_campaign: bool, newest_first: bool) -> String {
    let which = match of_campaign {
        true => "i.campaign_id = ?3",
        false => "?3 IS NULL",
    };
    let order = match newest_first {
        true => "DESC",
        false => "ASC",
    };
    format!(
        "SELECT v.campaign_lead_id, coalesce(k.intent, j.intent, ''), coalesce(j.action, ''),
                    coalesce(m.match_method, ''),
                    iif(m.source = 'live', m.stored_at - m.announced_at, NULL),
                    (SELECT min(o.finished_at) FROM outbox o
                     WHERE o.job_id = j.id AND o.automatic = 1 AND o.state = 'sent'
                       AND o.kind IN ('acknowledgment', 'answer'))
                    - coalesce(m.announced_at, m.internal_date),
                    (SELECT min(o.finished_at) FROM outbox o
                     WHERE o.job_id = j.id AND o.automatic = 0 AND o.state = 'sent'
                       AND o.kind IN ('answer', 'manual'))
                    - coalesce(m.announced_at, m.internal_date)
             FROM (SELECT i.campaign_lead_id FROM inbox i
                   WHERE i.replies > 0 AND {which} AND i.last_reply_at >= ?1
                   ORDER BY i.last_reply_at {order} LIMIT ?4) t
             CROSS JOIN conversations v ON v.campaign_lead_id = t.campaign_lead_id
                  AND v.created_at >= ?1 AND v.created_at < ?2 AND v.sender = 'customer'
             LEFT JOIN messages m ON m.id = v.message_ref
             LEFT JOIN reply_jobs j ON j.message_id = m.id
             LEFT JOIN corrections k ON k.message_id = m.id
             LIMIT ?4"
    )
}

#[cfg(test)]
#[path = "statistics_tests.rs"]
mod tests;
