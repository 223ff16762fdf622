//! Leads, campaigns, and which lead is in which campaign.

use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use super::{Change, Reader, StoreError, Tx};
use crate::model::{CampaignId, CampaignLeadId, LeadRowId, address_key};
use crate::time::UtcMs;

/// A lead as an import names it. `None`: the import says nothing of this column, what is stored
/// stays; `Some("")`: the import says that it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeadRecord {
    /// The operator's own key; not empty.
    pub lead_id: String,
    /// The address as imported.
    pub email: String,
    /// Full name.
    pub name: Option<String>,
    /// Telephone country code.
    pub country_code: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
    /// What the lead is interested in.
    pub project_name: Option<String>,
    /// Which kind of unit.
    pub unit_type: Option<String>,
    /// Lower end of the budget, decimal text.
    pub budget_min: Option<String>,
    /// Upper end of the budget, decimal text.
    pub budget_max: Option<String>,
    /// The operator's own status word.
    pub status: Option<String>,
    /// `YYYY-MM-DD`.
    pub last_conversation_date: Option<String>,
    /// Free text.
    pub last_conversation_summary: Option<String>,
}

/// What [`Tx::upsert_lead`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeadUpsert {
    /// The row.
    pub id: LeadRowId,
    /// What became of it.
    pub change: Change,
    /// Whether the lead has an address that it did not have before.
    pub new_address: bool,
}

/// A lead, as far as looking it up takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadKey {
    /// The row.
    pub id: LeadRowId,
    /// The operator's own key.
    pub lead_id: String,
}

/// How much this database knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KnownCounts {
    /// Leads.
    pub leads: i64,
    /// Campaigns.
    pub campaigns: i64,
    /// Leads in campaigns.
    pub campaign_leads: i64,
    /// Mails sent to leads.
    pub sent: i64,
}

impl Reader<'_> {
    /// The leads that have this address key ([`address_key`]), in the order of their import, at
    /// most 100.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn leads_by_address(&self, key: &str) -> Result<Vec<LeadKey>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT id, lead_id FROM leads
             WHERE email_key = ?1 AND email_key <> '' ORDER BY id LIMIT 100",
        )?;
        let rows = query.query_map([key], |row| {
            Ok(LeadKey {
                id: LeadRowId(row.get(0)?),
                lead_id: row.get(1)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether any lead has this address key.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn is_lead_address(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT 1 FROM leads WHERE email_key = ?1 AND email_key <> ''")?
            .exists([key])?)
    }

    /// The lead with the operator's own key `lead_id`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn lead_by_lead_id(&self, lead_id: &str) -> Result<Option<LeadRowId>, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT id FROM leads WHERE lead_id = ?1")?
            .query_row([lead_id], |row| row.get(0).map(LeadRowId))
            .optional()?)
    }

    /// The campaign of this name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn campaign_by_name(&self, name: &str) -> Result<Option<CampaignId>, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT id FROM campaigns WHERE name = ?1")?
            .query_row([name], |row| row.get(0).map(CampaignId))
            .optional()?)
    }

    /// The conversation of a lead in a campaign.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn campaign_lead(
        &self,
        campaign: CampaignId,
        lead: LeadRowId,
    ) -> Result<Option<CampaignLeadId>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT id FROM campaign_leads WHERE campaign_id = ?1 AND lead_id = ?2",
            )?
            .query_row([campaign.0, lead.0], |row| row.get(0).map(CampaignLeadId))
            .optional()?)
    }

    /// The conversations of a lead over all campaigns, oldest first, at most 100.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn campaign_leads_of(&self, lead: LeadRowId) -> Result<Vec<CampaignLeadId>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT id FROM campaign_leads WHERE lead_id = ?1 ORDER BY id LIMIT 100",
        )?;
        let rows = query.query_map([lead.0], |row| row.get(0).map(CampaignLeadId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many leads, campaigns and sent mails are known.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn known_counts(&self) -> Result<KnownCounts, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT (SELECT count(*) FROM leads), (SELECT count(*) FROM campaigns),
                        (SELECT count(*) FROM campaign_leads), (SELECT count(*) FROM sent_messages)",
            )?
            .query_row([], |row| {
                Ok(KnownCounts {
                    leads: row.get(0)?,
                    campaigns: row.get(1)?,
                    campaign_leads: row.get(2)?,
                    sent: row.get(3)?,
                })
            })?)
    }
}

impl Tx<'_> {
    /// Adds a lead, or brings the one with the same `lead_id` up to date.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] without a `lead_id`; otherwise what SQLite says.
    pub fn upsert_lead(&self, lead: &LeadRecord, now: UtcMs) -> Result<LeadUpsert, StoreError> {
        if lead.lead_id.is_empty() {
            return Err(StoreError::Invalid("A lead needs a lead_id".into()));
        }
        let key = address_key(&lead.email);
        let there: Option<(i64, String)> = self
            .conn
            .prepare_cached("SELECT id, email_key FROM leads WHERE lead_id = ?1")?
            .query_row([&lead.lead_id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((id, old_key)) = there else {
            self.insert_lead(lead, &key, now)?;
            return Ok(LeadUpsert {
                id: LeadRowId(self.conn.last_insert_rowid()),
                change: Change::New,
                new_address: !key.is_empty(),
            });
        };
        let changed = self.update_lead(id, lead, &key, now)?;
        Ok(LeadUpsert {
            id: LeadRowId(id),
            change: if changed {
                Change::Updated
            } else {
                Change::Unchanged
            },
            new_address: !key.is_empty() && key != old_key,
        })
    }

    fn insert_lead(&self, lead: &LeadRecord, key: &str, now: UtcMs) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO leads (lead_id, name, email, email_key, country_code, phone,
                     project_name, unit_type, budget_min, budget_max, status,
                     last_conversation_date, last_conversation_summary, created_at, updated_at)
                 VALUES (?1, coalesce(?2, ''), ?3, ?4, coalesce(?5, ''), coalesce(?6, ''),
                     coalesce(?7, ''), coalesce(?8, ''), nullif(?9, ''), nullif(?10, ''),
                     coalesce(?11, ''), nullif(?12, ''), coalesce(?13, ''), ?14, ?14)",
            )?
            .execute(params![
                lead.lead_id,
                lead.name,
                lead.email,
                key,
                lead.country_code,
                lead.phone,
                lead.project_name,
                lead.unit_type,
                lead.budget_min,
                lead.budget_max,
                lead.status,
                lead.last_conversation_date,
                lead.last_conversation_summary,
                now.0,
            ])?;
        Ok(())
    }

    /// Whether anything differed. That an address bounced says nothing of another one.
    fn update_lead(
        &self,
        id: i64,
        lead: &LeadRecord,
        key: &str,
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE leads SET
                     name = coalesce(?2, name), email = ?3, email_key = ?4,
                     bounced_at = iif(email_key = ?4, bounced_at, NULL),
                     country_code = coalesce(?5, country_code), phone = coalesce(?6, phone),
                     project_name = coalesce(?7, project_name),
                     unit_type = coalesce(?8, unit_type),
                     budget_min = nullif(coalesce(?9, budget_min), ''),
                     budget_max = nullif(coalesce(?10, budget_max), ''),
                     status = coalesce(?11, status),
                     last_conversation_date = nullif(coalesce(?12, last_conversation_date), ''),
                     last_conversation_summary = coalesce(?13, last_conversation_summary),
                     updated_at = ?14
                 WHERE id = ?1 AND (
                     email <> ?3 OR email_key <> ?4
                     OR name <> coalesce(?2, name)
                     OR country_code <> coalesce(?5, country_code)
                     OR phone <> coalesce(?6, phone)
                     OR project_name <> coalesce(?7, project_name)
                     OR unit_type <> coalesce(?8, unit_type)
                     OR coalesce(budget_min, '') <> coalesce(?9, budget_min, '')
                     OR coalesce(budget_max, '') <> coalesce(?10, budget_max, '')
                     OR status <> coalesce(?11, status)
                     OR coalesce(last_conversation_date, '')
                        <> coalesce(?12, last_conversation_date, '')
                     OR last_conversation_summary <> coalesce(?13, last_conversation_summary))",
            )?
            .execute(params![
                id,
                lead.name,
                lead.email,
                key,
                lead.country_code,
                lead.phone,
                lead.project_name,
                lead.unit_type,
                lead.budget_min,
                lead.budget_max,
                lead.status,
                lead.last_conversation_date,
                lead.last_conversation_summary,
                now.0,
            ])?;
        Ok(changed > 0)
    }

    /// The campaign of this name, made on first mention. `true`: it is new.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for an empty name; otherwise what SQLite says.
    pub fn campaign_named(&self, name: &str, now: UtcMs) -> Result<(CampaignId, bool), StoreError> {
        if name.is_empty() {
            return Err(StoreError::Invalid("A campaign needs a name".into()));
        }
        if let Some(id) = self.campaign_by_name(name)? {
            return Ok((id, false));
        }
        self.conn
            .prepare_cached(
                "INSERT INTO campaigns (name, created_by, created_at, updated_at)
                 VALUES (?1, 'import', ?2, ?2)",
            )?
            .execute(params![name, now.0])?;
        Ok((CampaignId(self.conn.last_insert_rowid()), true))
    }

    /// Puts a lead into a campaign; again is the same row. `true`: it is new there.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn join_campaign(
        &self,
        campaign: CampaignId,
        lead: LeadRowId,
        now: UtcMs,
    ) -> Result<(CampaignLeadId, bool), StoreError> {
        if let Some(id) = self.campaign_lead(campaign, lead)? {
            return Ok((id, false));
        }
        self.conn
            .prepare_cached(
                "INSERT INTO campaign_leads (campaign_id, lead_id, created_at) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![campaign.0, lead.0, now.0])?;
        Ok((CampaignLeadId(self.conn.last_insert_rowid()), true))
    }

    /// Puts the ignored messages of a sender who now is a lead into `refetch`: they answer a
    /// known mail, or at least come from somebody whom we know. How many were added.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn refetch_from_sender(&self, sender_hash: &str, now: UtcMs) -> Result<usize, StoreError> {
        // `+` keeps an index on the other columns, which most messages share, out of the plan.
        Ok(self
            .conn
            .prepare_cached(
                "INSERT INTO refetch (message_id, account_id, requested_at)
                 SELECT m.id, m.account_id, ?2 FROM messages m
                 WHERE m.sender_hash = ?1 AND m.sender_hash <> ''
                   AND +m.campaign_lead_id IS NULL AND +m.disposition = 'ignored'
                 ON CONFLICT (message_id) DO NOTHING",
            )?
            .execute(params![sender_hash, now.0])?)
    }
}
