//! What happened, in the order of its commit: for open pages, `/api/events` and webhooks. Facts note
//! themselves by the triggers of schema.sql; what people did is noted here.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;
use tokio::sync::watch;

use super::{NewMessage, Reader, StoreError, Tx};
use crate::model::{
    Access, AccountId, CampaignId, CampaignLeadId, ConversationId, Disposition, DraftId, EventId,
    EventKind, MailKind, MessageRowId, NewMail, OutboxId,
};
use crate::time::UtcMs;

/// An event to be noted. Only small facts belong into `data`: no names, addresses or texts.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// When.
    pub at: UtcMs,
    /// What.
    pub kind: EventKind,
    /// Whose campaign; none: taken from the campaign lead, if there is one.
    pub campaign_id: Option<CampaignId>,
    /// Whose conversation.
    pub campaign_lead_id: Option<CampaignLeadId>,
    /// Which line of it.
    pub conversation_id: Option<ConversationId>,
    /// Which draft.
    pub draft_id: Option<DraftId>,
    /// Which mail.
    pub outbox_id: Option<OutboxId>,
    /// Which account.
    pub account_id: Option<AccountId>,
    /// A JSON object.
    pub data: Value,
}

impl NewEvent {
    /// Of this kind, about nothing yet.
    #[must_use]
    pub fn new(kind: EventKind, at: UtcMs) -> Self {
        Self {
            at,
            kind,
            campaign_id: None,
            campaign_lead_id: None,
            conversation_id: None,
            draft_id: None,
            outbox_id: None,
            account_id: None,
            data: Value::Object(serde_json::Map::new()),
        }
    }

    /// A person did something in this conversation.
    #[must_use]
    pub fn changed(lead: CampaignLeadId, at: UtcMs) -> Self {
        Self {
            campaign_lead_id: Some(lead),
            ..Self::new(EventKind::Changed, at)
        }
    }
}

/// A noted event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its place in the order of commits.
    pub id: EventId,
    /// When.
    pub at: UtcMs,
    /// What.
    pub kind: EventKind,
    /// Whose campaign.
    pub campaign_id: Option<CampaignId>,
    /// Whose conversation.
    pub campaign_lead_id: Option<CampaignLeadId>,
    /// Which line of it.
    pub conversation_id: Option<ConversationId>,
    /// Which draft.
    pub draft_id: Option<DraftId>,
    /// Which mail.
    pub outbox_id: Option<OutboxId>,
    /// Which account.
    pub account_id: Option<AccountId>,
    /// A JSON object.
    pub data: Value,
}

/// Some events, and up to where was looked.
#[derive(Clone, Debug, PartialEq)]
pub struct Events {
    /// Oldest first.
    pub items: Vec<Event>,
    /// The next look begins after this one; events of others are passed over.
    pub through: EventId,
}

impl Reader<'_> {
    /// The newest event; 0 when there is none.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn last_event(&self) -> Result<EventId, StoreError> {
        Ok(newest(self.conn)?.unwrap_or(EventId(0)))
    }

    /// The events after `id` that somebody may see, oldest first, at most `limit`. Accounts belong to
    /// no campaign: how they are is seen by all.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn events_after(
        &self,
        id: EventId,
        access: &Access,
        limit: u32,
    ) -> Result<Events, StoreError> {
        let newest = self.last_event()?.max(id);
        let mut statement = self.conn.prepare_cached(
            "SELECT e.id, e.at, e.kind, e.campaign_id, e.campaign_lead_id, e.conversation_id, e.draft_id,
                    e.outbox_id, e.account_id, e.data
             FROM events e WHERE e.id > ?1 AND e.id <= ?2
               AND (?3 IS NULL OR e.kind = 'account_state'
                    OR e.campaign_id IN (SELECT value FROM json_each(?3)))
             ORDER BY e.id LIMIT ?4",
        )?;
        let values = params![id.0, newest.0, access.list(), limit];
        let items = statement
            .query_map(values, raw)?
            .map(|row| row.map_err(StoreError::from).and_then(event))
            .collect::<Result<Vec<_>, _>>()?;
        let full = items.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let through = items.last().filter(|_| full).map_or(newest, |e| e.id);
        Ok(Events { items, through })
    }

    /// The oldest event that is kept: who stopped before it has missed some.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn first_event(&self) -> Result<EventId, StoreError> {
        let first: Option<i64> = self
            .conn
            .prepare_cached("SELECT min(id) FROM events")?
            .query_row([], |row| row.get(0))?;
        Ok(EventId(first.unwrap_or(0)))
    }

    /// One event.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn event(&self, id: EventId) -> Result<Option<Event>, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT id, at, kind, campaign_id, campaign_lead_id, conversation_id, draft_id,
                        outbox_id, account_id, data
                 FROM events WHERE id = ?1",
            )?
            .query_row([id.0], raw)
            .optional()?
            .map(event)
            .transpose()
    }
}

impl Tx<'_> {
    /// Notes an event; it is seen after the commit.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note_event(&self, event: &NewEvent) -> Result<EventId, StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO events (at, kind, campaign_id, campaign_lead_id, conversation_id, draft_id,
                     outbox_id, account_id, data)
                 VALUES (?1, ?2, coalesce(?3, (SELECT campaign_id FROM campaign_leads WHERE id = ?4)),
                     ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                event.at.0,
                event.kind.as_str(),
                event.campaign_id.map(|i| i.0),
                event.campaign_lead_id.map(|i| i.0),
                event.conversation_id.map(|i| i.0),
                event.draft_id.map(|i| i.0),
                event.outbox_id.map(|i| i.0),
                event.account_id.map(|i| i.0),
                event.data.to_string(),
            ])?;
        Ok(EventId(self.conn.last_insert_rowid()))
    }

    /// A delivery report of a mail to a lead.
    pub(super) fn note_bounce(
        &self,
        id: MessageRowId,
        m: &NewMessage,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        let Some(matched) = &m.matched else {
            return Ok(());
        };
        if m.disposition == Disposition::Bounce {
            self.note_event(&NewEvent {
                campaign_lead_id: Some(matched.campaign_lead_id),
                account_id: Some(m.account_id),
                data: serde_json::json!({"message": id, "permanent": m.marks_dead}),
                ..NewEvent::new(EventKind::Bounce, now)
            })?;
        }
        Ok(())
    }

    /// A mail to a lead waits in the outbox. Campaign mails are queued by the thousand: `sent` tells
    /// of each of them.
    pub(super) fn note_queued(
        &self,
        id: OutboxId,
        mail: &NewMail,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        let Some(lead) = mail.campaign_lead_id else {
            return Ok(());
        };
        let told = [
            MailKind::Acknowledgment,
            MailKind::Answer,
            MailKind::OptoutConfirmation,
            MailKind::Manual,
        ];
        if told.contains(&mail.kind) {
            self.note_event(&NewEvent {
                campaign_lead_id: Some(lead),
                outbox_id: Some(id),
                account_id: Some(mail.account_id),
                data: serde_json::json!({"mail": mail.kind}),
                ..NewEvent::new(EventKind::Queued, now)
            })?;
        }
        Ok(())
    }

    /// Drops events from before `before`, at most `limit` a call; says how many. The newest one stays.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn prune_events(&self, before: UtcMs, limit: u32) -> Result<usize, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "DELETE FROM events WHERE id IN
                 (SELECT id FROM events WHERE at < ?1 AND id < (SELECT max(id) FROM events) LIMIT ?2)",
            )?
            .execute(params![before.0, limit])?)
    }
}

/// The newest event.
pub(super) fn newest(conn: &Connection) -> Result<Option<EventId>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT max(id) FROM events")?
        .query_row([], |row| row.get::<_, Option<i64>>(0))?
        .map(EventId))
}

/// Tells those who listen, if this one is new.
pub(super) fn ring(bell: &watch::Sender<EventId>, newest: EventId) {
    bell.send_if_modified(|known| {
        let is_new = newest > *known;
        *known = (*known).max(newest);
        is_new
    });
}

/// A row before its words are read.
type RawEvent = (Event, String, String);

fn raw(row: &Row<'_>) -> rusqlite::Result<RawEvent> {
    let event = Event {
        id: EventId(row.get(0)?),
        at: UtcMs(row.get(1)?),
        kind: EventKind::Changed,
        campaign_id: row.get::<_, Option<i64>>(3)?.map(CampaignId),
        campaign_lead_id: row.get::<_, Option<i64>>(4)?.map(CampaignLeadId),
        conversation_id: row.get::<_, Option<i64>>(5)?.map(ConversationId),
        draft_id: row.get::<_, Option<i64>>(6)?.map(DraftId),
        outbox_id: row.get::<_, Option<i64>>(7)?.map(OutboxId),
        account_id: row.get::<_, Option<i64>>(8)?.map(AccountId),
        data: Value::Null,
    };
    Ok((event, row.get(2)?, row.get(9)?))
}

fn event((event, kind, data): RawEvent) -> Result<Event, StoreError> {
    Ok(Event {
        kind: kind.parse()?,
        data: serde_json::from_str(&data).map_err(|e| StoreError::Corrupt(e.to_string()))?,
        ..event
    })
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
