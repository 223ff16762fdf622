//! What webhooks are told: deliveries made from events by a cursor, and how their attempts end.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use super::{Event, Reader, StoreError, Tx};
use crate::model::{Access, CampaignId, EventId, HookKind};
use crate::time::UtcMs;

/// Events of one look.
const EVENTS: u32 = 500;
/// No delivery is booked further ahead; one that is met a clock that was set back, and is due.
const FURTHEST: Duration = Duration::from_secs(13 * 3600);

/// What a webhook wants to be told.
#[derive(Clone, Debug)]
pub struct HookFilter {
    /// Its name.
    pub name: String,
    /// Kinds.
    pub kinds: Vec<HookKind>,
    /// Names of campaigns; empty: all.
    pub campaigns: Vec<String>,
}

/// A booked attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedDelivery {
    /// The delivery.
    pub id: i64,
    /// The event that it tells.
    pub event_id: EventId,
    /// What the receiver is told that it is.
    pub kind: HookKind,
    /// The number of this attempt, from 1.
    pub attempts: u32,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryEnd {
    /// The receiver has it.
    Done,
    /// To be tried again then.
    Again(UtcMs),
    /// For good.
    Failed,
}

/// A delivery, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeliveryRow {
    /// The delivery.
    pub id: i64,
    /// Which webhook.
    pub webhook: String,
    /// Which event.
    pub event_id: i64,
    /// What it is told as.
    pub kind: String,
    /// `due`, `done` or `failed`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next, while it is due.
    pub next_at: Option<UtcMs>,
    /// The HTTP status of the last answer.
    pub status: Option<u16>,
    /// Why the last attempt failed.
    pub error: String,
    /// When the event was taken.
    pub created_at: UtcMs,
}

/// How a webhook is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HookStatus {
    /// Its name.
    pub name: String,
    /// Deliveries that wait, those that were tried in vain too.
    pub due: u32,
    /// Deliveries that were tried in vain and are tried again.
    pub retrying: u32,
    /// Deliveries that failed for good: `replyd webhooks replay` tries them again.
    pub failed: u32,
    /// The last error of one that waits or failed.
    pub error: String,
}

/// What the body of a delivery says beyond its event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HookFacts {
    /// Name and project of the campaign.
    pub campaign: Option<(String, String)>,
    /// id, `lead_id`, name and address of the lead.
    pub lead: Option<(i64, String, String, String)>,
    /// Sender, subject, arrival and new text of the mail.
    pub message: Option<(String, String, UtcMs, String)>,
    /// Subject and text of the mail of ours.
    pub mail: Option<(String, String)>,
}

impl Reader<'_> {
    /// Whether a webhook has events that it wants; and up to which event was looked.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn hook_wants(
        &self,
        hook: &HookFilter,
        seen: EventId,
    ) -> Result<(bool, EventId), StoreError> {
        let Some(cursor) = self.hook_cursor(&hook.name)? else {
            return Ok((true, seen));
        };
        let from = cursor.max(seen);
        let events = self.events_after(from, &self.hook_access(hook)?, EVENTS)?;
        let wanted = events.items.iter().any(|e| wants(hook, e));
        Ok((wanted, events.through))
    }

    /// Whether a webhook of this name was there before.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn is_hook_known(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.hook_cursor(name)?.is_some())
    }

    fn hook_cursor(&self, name: &str) -> Result<Option<EventId>, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT cursor FROM webhooks WHERE name = ?1")?
            .query_row([name], |row| row.get(0).map(EventId))
            .optional()?)
    }

    /// A campaign that is not there yet has no events.
    fn hook_access(&self, hook: &HookFilter) -> Result<Access, StoreError> {
        if hook.campaigns.is_empty() {
            return Ok(Access::All);
        }
        let mut ids: Vec<CampaignId> = Vec::new();
        for name in &hook.campaigns {
            ids.extend(self.campaign_by_name(name)?);
        }
        Ok(Access::Campaigns(Arc::from(ids)))
    }

    /// When the next delivery of a webhook is due.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn next_delivery(&self, webhook: &str) -> Result<Option<UtcMs>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT min(next_at) FROM webhook_deliveries WHERE webhook = ?1 AND state = 'due'",
            )?
            .query_row([webhook], |row| row.get::<_, Option<i64>>(0))?
            .map(UtcMs))
    }

    /// How the webhooks of these names are.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn hook_status(&self, names: &[String]) -> Result<Vec<HookStatus>, StoreError> {
        let mut found = Vec::new();
        for name in names {
            let row = self
                .conn
                .prepare_cached(
                    "SELECT (SELECT count(*) FROM webhook_deliveries WHERE webhook = ?1 AND state = 'due'),
                            (SELECT count(*) FROM webhook_deliveries
                             WHERE webhook = ?1 AND state = 'due' AND attempts > 0),
                            (SELECT count(*) FROM webhook_deliveries WHERE webhook = ?1 AND state = 'failed'),
                            coalesce((SELECT error FROM webhook_deliveries
                                      WHERE webhook = ?1 AND state = 'due' AND error <> '' LIMIT 1),
                                     (SELECT error FROM webhook_deliveries
                                      WHERE webhook = ?1 AND state = 'failed' LIMIT 1), '')",
                )?
                .query_row([name], |row| {
                    Ok(HookStatus {
                        name: name.clone(),
                        due: row.get(0)?,
                        retrying: row.get(1)?,
                        failed: row.get(2)?,
                        error: row.get(3)?,
                    })
                })?;
            found.push(row);
        }
        Ok(found)
    }

    /// Deliveries, newest first, at most `limit`: all, or those of a webhook; with `state` only these.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn deliveries(
        &self,
        webhook: Option<&str>,
        state: Option<&str>,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, webhook, event_id, kind, state, attempts, next_at, status, error, created_at
             FROM webhook_deliveries WHERE id > 0 AND (?1 IS NULL OR webhook = ?1)
               AND (?2 IS NULL OR state = ?2)
             ORDER BY id DESC LIMIT ?3",
        )?;
        let rows = statement.query_map(params![webhook, state, limit], |row| {
            let state: String = row.get(4)?;
            let next_at: i64 = row.get(6)?;
            Ok(DeliveryRow {
                id: row.get(0)?,
                webhook: row.get(1)?,
                event_id: row.get(2)?,
                kind: row.get(3)?,
                next_at: (state == "due").then_some(UtcMs(next_at)),
                state,
                attempts: row.get(5)?,
                status: row.get(7)?,
                error: row.get(8)?,
                created_at: UtcMs(row.get(9)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What the body of a delivery says; texts at most `max_chars` long. What was erased meanwhile is
    /// missing.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn hook_facts(&self, event: &Event, max_chars: u32) -> Result<HookFacts, StoreError> {
        let message = event
            .data
            .get("message")
            .and_then(serde_json::Value::as_i64);
        let mut facts = HookFacts::default();
        if let Some(campaign) = event.campaign_id {
            facts.campaign = self
                .conn
                .prepare_cached("SELECT name, project_name FROM campaigns WHERE id = ?1")?
                .query_row([campaign.0], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
        }
        if let Some(lead) = event.campaign_lead_id {
            facts.lead = self
                .conn
                .prepare_cached(
                    "SELECT l.id, l.lead_id, l.name, l.email FROM campaign_leads cl
                     JOIN leads l ON l.id = cl.lead_id WHERE cl.id = ?1",
                )?
                .query_row([lead.0], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })
                .optional()?;
        }
        if let Some(message) = message {
            facts.message = self
                .conn
                .prepare_cached(
                    "SELECT from_address, subject, internal_date,
                            substr(iif(visible_text <> '', visible_text, full_text), 1, ?2)
                     FROM messages WHERE id = ?1",
                )?
                .query_row(params![message, max_chars], |row| {
                    let at: i64 = row.get(2)?;
                    Ok((row.get(0)?, row.get(1)?, UtcMs(at), row.get(3)?))
                })
                .optional()?;
        }
        if let Some(outbox) = event.outbox_id {
            facts.mail = self
                .conn
                .prepare_cached("SELECT subject, substr(body, 1, ?2) FROM outbox WHERE id = ?1")?
                .query_row(params![outbox.0, max_chars], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
        }
        Ok(facts)
    }
}

fn wants(hook: &HookFilter, event: &Event) -> bool {
    let of_reply = event.outbox_id.is_none();
    hook.kinds.contains(&HookKind::of(event.kind, of_reply))
}

impl Tx<'_> {
    /// Makes deliveries out of the events behind the webhook's cursor, and moves it. A webhook that is new
    /// begins with what happens from now on. Whether there is more.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn make_deliveries(&self, hook: &HookFilter, now: UtcMs) -> Result<bool, StoreError> {
        let Some(cursor) = self.hook_cursor(&hook.name)? else {
            self.conn
                .prepare_cached(
                    "INSERT INTO webhooks (name, cursor, added_at) VALUES (?1, ?2, ?3)
                     ON CONFLICT (name) DO NOTHING",
                )?
                .execute(params![hook.name, self.last_event()?.0, now.0])?;
            return Ok(false);
        };
        let events = self.events_after(cursor, &self.hook_access(hook)?, EVENTS)?;
        let more = self.last_event()? > events.through;
        for event in events.items.iter().filter(|e| wants(hook, e)) {
            let kind = HookKind::of(event.kind, event.outbox_id.is_none());
            self.conn
                .prepare_cached(
                    "INSERT INTO webhook_deliveries (webhook, event_id, kind, next_at, created_at)
                     VALUES (?1, ?2, ?3, ?4, ?4) ON CONFLICT (webhook, event_id) DO NOTHING",
                )?
                .execute(params![hook.name, event.id.0, kind.as_str(), now.0])?;
        }
        self.conn
            .prepare_cached("UPDATE webhooks SET cursor = ?2 WHERE name = ?1 AND cursor < ?2")?
            .execute(params![hook.name, events.through.0])?;
        Ok(more)
    }

    /// Books attempts of the deliveries that are due longest.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn claim_deliveries(
        &self,
        webhook: &str,
        limit: u32,
        lease: Duration,
        now: UtcMs,
    ) -> Result<Vec<ClaimedDelivery>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, event_id, kind, attempts FROM webhook_deliveries
             WHERE webhook = ?1 AND state = 'due' AND (next_at <= ?2 OR next_at > ?3)
             ORDER BY next_at, id LIMIT ?4",
        )?;
        let values = params![webhook, now.0, now.plus(FURTHEST).0, limit];
        let rows = statement.query_map(values, |row| {
            let attempts: u32 = row.get(3)?;
            let kind: String = row.get(2)?;
            Ok((row.get(0)?, row.get(1)?, kind, attempts))
        })?;
        let mut claimed = Vec::new();
        for row in rows {
            let (id, event_id, kind, attempts) = row?;
            claimed.push(ClaimedDelivery {
                id,
                event_id: EventId(event_id),
                kind: kind.parse()?,
                attempts: attempts.saturating_add(1),
            });
        }
        for delivery in &claimed {
            self.conn
                .prepare_cached(
                    "UPDATE webhook_deliveries SET attempts = ?2, next_at = ?3 WHERE id = ?1",
                )?
                .execute(params![delivery.id, delivery.attempts, now.plus(lease).0])?;
        }
        Ok(claimed)
    }

    /// Notes how an attempt ended. One that was too slow changes nothing (invariant I5).
    ///
    /// # Errors
    /// What SQLite says.
    pub fn end_delivery(
        &self,
        delivery: &ClaimedDelivery,
        end: &DeliveryEnd,
        status: Option<u16>,
        error: &str,
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        let (state, next_at) = match end {
            DeliveryEnd::Done => ("done", now),
            DeliveryEnd::Again(at) => ("due", *at),
            DeliveryEnd::Failed => ("failed", now),
        };
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE webhook_deliveries SET state = ?3, next_at = ?4, status = ?5, error = ?6,
                     ended_at = iif(?3 = 'due', NULL, ?7)
                 WHERE id = ?1 AND attempts = ?2 AND state = 'due'",
            )?
            .execute(params![
                delivery.id,
                delivery.attempts,
                state,
                next_at.0,
                status,
                error,
                now.0
            ])?;
        Ok(changed == 1)
    }

    /// Makes deliveries due again, their attempts counted anew: one by its id, or those of a webhook that
    /// failed, or with `since` all of its events from then on. How many.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn replay_deliveries(
        &self,
        webhook: &str,
        id: Option<i64>,
        since: Option<UtcMs>,
        now: UtcMs,
    ) -> Result<usize, StoreError> {
        // Without its event a delivery has nothing to say.
        Ok(self
            .conn
            .prepare_cached(
                "UPDATE webhook_deliveries SET state = 'due', attempts = 0, next_at = ?4, error = '',
                     status = NULL, ended_at = NULL
                 WHERE id IN (
                     SELECT id FROM webhook_deliveries WHERE webhook = ?1 AND id = ?2
                     UNION ALL
                     SELECT id FROM webhook_deliveries
                     WHERE webhook = ?1 AND state = 'failed' AND ?2 IS NULL AND ?3 IS NULL
                     UNION ALL
                     SELECT id FROM webhook_deliveries
                     WHERE created_at >= ?3 AND webhook = ?1 AND ?2 IS NULL)
                   AND event_id IN (SELECT e.id FROM events e WHERE e.id = event_id)",
            )?
            .execute(params![webhook, id, since.map(|t| t.0), now.0])?)
    }

    /// Drops deliveries that ended, made before `before`, at most `limit` a call; says how many.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn prune_deliveries(&self, before: UtcMs, limit: u32) -> Result<usize, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "DELETE FROM webhook_deliveries WHERE id IN
                 (SELECT id FROM webhook_deliveries WHERE created_at < ?1 LIMIT ?2)",
            )?
            .execute(params![before.0, limit])?)
    }
}
