//! Rows of the predecessor, taken in under their own ids (`replyd import django`).

use rusqlite::{OptionalExtension, params};

use super::{Change, LeadRecord, NewSent, Reader, StoreError, Tx};
use crate::model::{
    CampaignId, CampaignLeadId, IdSource, LeadRowId, MessageRowId, SentKind, address_key,
};
use crate::time::UtcMs;

/// Own ids begin so much later than the predecessor's, which goes on making rows while both run.
const ROOM: i64 = 1_000_000;

/// A row of the predecessor, checked.
#[derive(Clone, Debug)]
pub enum DjangoRow {
    /// A lead.
    Lead {
        /// What it says.
        lead: LeadRecord,
        /// When it was made there.
        created_at: UtcMs,
    },
    /// A campaign.
    Campaign(DjangoCampaign),
    /// A lead in a campaign.
    CampaignLead(DjangoCampaignLead),
    /// A line of a conversation.
    Conversation(DjangoLine),
}

/// A campaign of the predecessor.
#[derive(Clone, Debug)]
pub struct DjangoCampaign {
    /// Its name; one that another campaign has gets the id behind it.
    pub name: String,
    /// The project.
    pub project_name: String,
    /// `email` or another word: others are never matched.
    pub channel: String,
    /// Free text.
    pub offer_details: String,
    /// Whether it runs.
    pub is_active: bool,
    /// The user whose it is.
    pub owner: Option<i64>,
    /// When it was made there.
    pub created_at: UtcMs,
}

/// A lead in a campaign of the predecessor.
#[derive(Clone, Debug)]
pub struct DjangoCampaignLead {
    /// Which campaign.
    pub campaign: CampaignId,
    /// Which lead.
    pub lead: LeadRowId,
    /// Whether a mail was sent.
    pub message_sent: bool,
    /// When.
    pub message_sent_at: Option<UtcMs>,
    /// Its text.
    pub personalized_message: String,
    /// Its canonical Message-ID; empty: none.
    pub email_message_id: String,
    /// When it was made there.
    pub created_at: UtcMs,
}

/// A line of a conversation of the predecessor.
#[derive(Clone, Debug)]
pub struct DjangoLine {
    /// Whose.
    pub campaign_lead: CampaignLeadId,
    /// Written by the lead; else by the agent.
    pub by_customer: bool,
    /// The text.
    pub message: String,
    /// How the agent made it.
    pub agent_tool_used: String,
    /// Canonical Message-ID; empty: none.
    pub email_message_id: String,
    /// Of its parent.
    pub email_in_reply_to: String,
    /// Whether sales were told.
    pub sales_team_notified: bool,
    /// Whether it was answered, or was not to be.
    pub auto_reply_processed: bool,
    /// When.
    pub created_at: UtcMs,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// As for other imports.
    pub change: Change,
    /// Stored messages that became matchable.
    pub refetch: usize,
    /// A reply that was captured here already: its line stays as it is.
    pub known_here: bool,
}

impl Taken {
    fn of(change: Change) -> Self {
        Self {
            change,
            refetch: 0,
            known_here: false,
        }
    }
}

impl DjangoRow {
    fn model(&self) -> &'static str {
        match self {
            Self::Lead { .. } => "lead",
            Self::Campaign(_) => "campaign",
            Self::CampaignLead(_) => "campaignlead",
            Self::Conversation(_) => "conversation",
        }
    }
}

impl Reader<'_> {
    /// Whether the conversation line of a captured mail came from the predecessor, and whether it was
    /// processed there.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn imported_line(&self, message: MessageRowId) -> Result<Option<bool>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT v.auto_reply_processed FROM conversations v
                 JOIN django_rows d ON d.model = 'conversation' AND d.id = v.id
                 WHERE v.message_ref = ?1",
            )?
            .query_row([message.0], |row| row.get(0))
            .optional()?)
    }

    fn digest_of(&self, model: &str, id: i64) -> Result<Option<String>, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT digest FROM django_rows WHERE model = ?1 AND id = ?2")?
            .query_row(params![model, id], |row| row.get(0))
            .optional()?)
    }
}

impl Tx<'_> {
    /// Takes a row in under its id, whole or not at all. `hashes`: keyed hashes of a lead's address,
    /// or of the ids by which a mail is referred to.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] with a sentence when it cannot go in; otherwise what SQLite says.
    pub fn take_django_row(
        &self,
        id: i64,
        row: &DjangoRow,
        digest: &str,
        hashes: &[String],
        now: UtcMs,
    ) -> Result<Taken, StoreError> {
        let before = self.digest_of(row.model(), id)?;
        // What was erased here stays so.
        if before.as_deref() == Some(digest) || before.as_deref() == Some("erased") {
            return Ok(Taken::of(Change::Unchanged));
        }
        self.conn.execute_batch("SAVEPOINT django_row")?;
        let known = before.is_some();
        let taken = match row {
            DjangoRow::Lead { lead, created_at } => {
                self.take_lead(id, lead, *created_at, known, hashes, now)
            }
            DjangoRow::Campaign(c) => self.take_campaign(id, c, known, now),
            DjangoRow::CampaignLead(cl) => self.take_campaign_lead(id, cl, known, hashes, now),
            DjangoRow::Conversation(line) => self.take_line(id, line, known, hashes, now),
        }
        .and_then(|taken| {
            if !taken.known_here {
                self.conn
                    .prepare_cached(
                        "INSERT INTO django_rows (model, id, digest) VALUES (?1, ?2, ?3)
                         ON CONFLICT (model, id) DO UPDATE SET digest = excluded.digest",
                    )?
                    .execute(params![row.model(), id, digest])?;
            }
            Ok(taken)
        });
        if taken.is_err() {
            self.conn.execute_batch("ROLLBACK TO django_row")?;
        }
        self.conn.execute_batch("RELEASE django_row")?;
        taken
    }

    /// Lets the ids of rows made here begin far behind the predecessor's.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn leave_room_for_django(&self) -> Result<(), StoreError> {
        let tables = [
            ("lead", "leads"),
            ("campaign", "campaigns"),
            ("campaignlead", "campaign_leads"),
            ("conversation", "conversations"),
        ];
        for (model, table) in tables {
            self.conn
                .prepare_cached(
                    "UPDATE sqlite_sequence SET seq = max(seq,
                         (SELECT coalesce(max(id), 0) FROM django_rows WHERE model = ?1) + ?3)
                     WHERE name = ?2 AND seq < (SELECT coalesce(max(id), 0) FROM django_rows WHERE model = ?1) + ?3 / 2",
                )?
                .execute(params![model, table, ROOM])?;
        }
        Ok(())
    }

    fn take_lead(
        &self,
        id: i64,
        lead: &LeadRecord,
        created_at: UtcMs,
        known: bool,
        hashes: &[String],
        now: UtcMs,
    ) -> Result<Taken, StoreError> {
        if let Some(at) = self.erased_at(hashes)? {
            return Err(taken(format!(
                "this lead was erased here on {}",
                at.rfc3339()
            )));
        }
        let there: Option<(i64, String)> = self
            .conn
            .prepare_cached("SELECT id, email_key FROM leads WHERE lead_id = ?1")?
            .query_row([&lead.lead_id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((other, _)) = &there
            && *other != id
        {
            return Err(taken(format!(
                "its lead_id is here with id {other}: keep its id by importing into a new database"
            )));
        }
        let key = address_key(&lead.email);
        let same_id: Option<String> = self
            .conn
            .prepare_cached("SELECT email_key FROM leads WHERE id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        let mut done = Taken::of(if same_id.is_some() {
            Change::Updated
        } else {
            Change::New
        });
        match &same_id {
            Some(_) if there.is_none() && !known => {
                return Err(taken(
                    "another lead has its id here: import into a new database",
                ));
            }
            Some(_) => {
                if there.is_none() {
                    // Its own key was changed there.
                    self.conn
                        .prepare_cached("UPDATE leads SET lead_id = ?2 WHERE id = ?1")?
                        .execute(params![id, lead.lead_id])?;
                }
                self.upsert_lead(lead, now)?;
            }
            None => {
                self.conn
                    .prepare_cached(
                        "INSERT INTO leads (id, lead_id, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)",
                    )?
                    .execute(params![id, lead.lead_id, created_at.0])?;
                self.upsert_lead(lead, now)?;
            }
        }
        if !key.is_empty() && same_id.as_deref() != Some(key.as_str()) {
            for hash in hashes {
                done.refetch += self.refetch_from_sender(hash, now)?;
            }
        }
        Ok(done)
    }

    fn take_campaign(
        &self,
        id: i64,
        c: &DjangoCampaign,
        known: bool,
        now: UtcMs,
    ) -> Result<Taken, StoreError> {
        let there: Option<String> = self
            .conn
            .prepare_cached("SELECT name FROM campaigns WHERE id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        if there.as_ref().is_some_and(|name| *name != c.name) && !known {
            return Err(taken(
                "another campaign has its id here: import into a new database",
            ));
        }
        let holder = self.campaign_by_name(&c.name)?;
        let name = match holder {
            Some(other) if other.0 != id => format!("{} ({id})", c.name),
            _ => c.name.clone(),
        };
        self.conn
            .prepare_cached(
                "INSERT INTO campaigns (id, name, project_name, channel, offer_details, is_active,
                     owner_id, created_by, created_at, updated_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'import', ?8, ?9)
                 ON CONFLICT (id) DO UPDATE SET name = excluded.name,
                     project_name = excluded.project_name, channel = excluded.channel,
                     offer_details = excluded.offer_details, is_active = excluded.is_active,
                     owner_id = coalesce(excluded.owner_id, owner_id), updated_at = excluded.updated_at",
            )?
            .execute(params![
                id,
                name,
                c.project_name,
                c.channel,
                c.offer_details,
                c.is_active,
                c.owner,
                c.created_at.0,
                now.0
            ])?;
        Ok(Taken::of(if there.is_some() {
            Change::Updated
        } else {
            Change::New
        }))
    }

    fn take_campaign_lead(
        &self,
        id: i64,
        cl: &DjangoCampaignLead,
        known: bool,
        hashes: &[String],
        now: UtcMs,
    ) -> Result<Taken, StoreError> {
        if !self
            .conn
            .prepare_cached("SELECT 1 FROM campaigns WHERE id = ?1")?
            .exists([cl.campaign.0])?
        {
            return Err(taken(format!("its campaign {} is not here", cl.campaign)));
        }
        if !self
            .conn
            .prepare_cached("SELECT 1 FROM leads WHERE id = ?1")?
            .exists([cl.lead.0])?
        {
            return Err(taken(format!("its lead {} is not here", cl.lead)));
        }
        if let Some(other) = self.campaign_lead(cl.campaign, cl.lead)?
            && other.0 != id
        {
            return Err(taken(format!(
                "this lead is in this campaign as {other} here: import into a new database"
            )));
        }
        let there: Option<(i64, i64)> = self
            .conn
            .prepare_cached("SELECT campaign_id, lead_id FROM campaign_leads WHERE id = ?1")?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if there.is_some_and(|pair| pair != (cl.campaign.0, cl.lead.0)) {
            return Err(taken(if known {
                "it was moved to another lead or campaign: replyd keeps it where its conversation is"
            } else {
                "another lead of a campaign has its id here: import into a new database"
            }));
        }
        self.conn
            .prepare_cached(
                "INSERT INTO campaign_leads (id, campaign_id, lead_id, message_sent, message_sent_at,
                     personalized_message, email_message_id, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (id) DO UPDATE SET
                     message_sent = max(message_sent, excluded.message_sent),
                     email_message_id = iif(coalesce(message_sent_at, 0) <= coalesce(excluded.message_sent_at, 0)
                                            AND excluded.email_message_id <> '',
                                            excluded.email_message_id, email_message_id),
                     message_sent_at = nullif(max(coalesce(message_sent_at, 0),
                                                  coalesce(excluded.message_sent_at, 0)), 0),
                     personalized_message = excluded.personalized_message",
            )?
            .execute(params![
                id,
                cl.campaign.0,
                cl.lead.0,
                cl.message_sent,
                cl.message_sent_at.map(|t| t.0),
                cl.personalized_message,
                cl.email_message_id,
                cl.created_at.0
            ])?;
        let mut done = Taken::of(if there.is_some() {
            Change::Updated
        } else {
            Change::New
        });
        if !cl.email_message_id.is_empty() {
            done.refetch = self
                .upsert_sent(
                    &NewSent {
                        campaign_lead_id: CampaignLeadId(id),
                        kind: SentKind::Campaign,
                        subject: String::new(),
                        body: cl.personalized_message.clone(),
                        sent_at: cl.message_sent_at.unwrap_or(cl.created_at),
                        outbox_ref: None,
                        ids: vec![(cl.email_message_id.clone(), IdSource::Import)],
                    },
                    hashes,
                    now,
                )?
                .refetch;
        }
        Ok(done)
    }

    fn take_line(
        &self,
        id: i64,
        line: &DjangoLine,
        known: bool,
        hashes: &[String],
        now: UtcMs,
    ) -> Result<Taken, StoreError> {
        let lead = line.campaign_lead;
        if !self
            .conn
            .prepare_cached("SELECT 1 FROM campaign_leads WHERE id = ?1")?
            .exists([lead.0])?
        {
            return Err(taken(format!("its campaign_lead {lead} is not here")));
        }
        let there: Option<i64> = self
            .conn
            .prepare_cached("SELECT campaign_lead_id FROM conversations WHERE id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        if there.is_some() && !known {
            return Err(taken(
                "another line of a conversation has its id here: import into a new database",
            ));
        }
        if there.is_none()
            && !line.email_message_id.is_empty()
            && self.line_is_here(lead, &line.email_message_id)?
        {
            return Ok(Taken {
                known_here: true,
                ..Taken::of(Change::Unchanged)
            });
        }
        let sender = if line.by_customer {
            "customer"
        } else {
            "agent"
        };
        self.conn
            .prepare_cached(
                "INSERT INTO conversations (id, campaign_lead_id, sender, message, agent_tool_used,
                     email_message_id, email_in_reply_to, sales_team_notified, auto_reply_processed, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                 ON CONFLICT (id) DO UPDATE SET campaign_lead_id = excluded.campaign_lead_id,
                     message = excluded.message, agent_tool_used = excluded.agent_tool_used,
                     email_message_id = excluded.email_message_id,
                     email_in_reply_to = excluded.email_in_reply_to,
                     sales_team_notified = max(sales_team_notified, excluded.sales_team_notified),
                     auto_reply_processed = max(auto_reply_processed, excluded.auto_reply_processed)",
            )?
            .execute(params![
                id,
                lead.0,
                sender,
                line.message,
                line.agent_tool_used,
                line.email_message_id,
                line.email_in_reply_to,
                line.sales_team_notified,
                line.auto_reply_processed,
                line.created_at.0
            ])?;
        let mut done = Taken::of(if there.is_some() {
            Change::Updated
        } else {
            Change::New
        });
        if !line.by_customer && !line.email_message_id.is_empty() {
            let kind = match line.agent_tool_used.as_str() {
                "acknowledgment" => SentKind::Acknowledgment,
                "message_generation" | "" => SentKind::Campaign,
                _ => SentKind::Answer,
            };
            done.refetch = self
                .upsert_sent(
                    &NewSent {
                        campaign_lead_id: lead,
                        kind,
                        subject: String::new(),
                        body: line.message.clone(),
                        sent_at: line.created_at,
                        outbox_ref: None,
                        ids: vec![(line.email_message_id.clone(), IdSource::Import)],
                    },
                    hashes,
                    now,
                )?
                .refetch;
        }
        Ok(done)
    }
}

fn taken(why: impl Into<String>) -> StoreError {
    StoreError::Invalid(why.into())
}
