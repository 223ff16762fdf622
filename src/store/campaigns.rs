//! Campaigns that replyd sends itself: their texts and account, who gets a mail, and how far
//! they are.

use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

use super::{Reader, StoreError, Tx};
use crate::model::{
    CampaignId, CampaignLeadId, CampaignMode, LeadRowId, OutboxState, SentId, SentRef,
};
use crate::time::UtcMs;

/// A campaign with the texts of its mails, if replyd sends them.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// The row.
    pub id: CampaignId,
    /// Its unique name.
    pub name: String,
    /// Its project; may be empty.
    pub project_name: String,
    /// Who signs; empty: its name.
    pub sender_name: String,
    /// Its offer; may be empty.
    pub offer_details: String,
    /// How far automatic answers go.
    pub mode: CampaignMode,
    /// Whether it runs.
    pub active: bool,
    /// Its texts; none: another program sends its mails.
    pub mailing: Option<Mailing>,
}

/// How a campaign's own mails are made and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailing {
    /// The account's name in the settings.
    pub account: String,
    /// Template of the subject.
    pub subject: String,
    /// Template of the text.
    pub text: String,
    /// Template of the HTML; empty: plain text only.
    pub html: String,
    /// Set while a person has paused it.
    pub paused: Option<Paused>,
}

/// Who paused a campaign, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Paused {
    /// Since when.
    pub at: UtcMs,
    /// Who; may be empty.
    pub by: String,
    /// Why; may be empty.
    pub reason: String,
}

/// What `campaign create` says of a campaign; `None` leaves what is there.
#[derive(Clone, Debug, Default)]
pub struct CampaignChange<'a> {
    /// Its project.
    pub project_name: Option<&'a str>,
    /// Who signs.
    pub sender_name: Option<&'a str>,
    /// Its offer.
    pub offer_details: Option<&'a str>,
    /// How far automatic answers go.
    pub mode: Option<CampaignMode>,
    /// Who made it.
    pub created_by: &'a str,
}

/// How far a campaign is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct CampaignCounts {
    /// Leads in it.
    pub leads: u64,
    /// Mails that wait for their turn.
    pub queued: u64,
    /// Mails on their way now.
    pub sending: u64,
    /// Leads with a mail that was taken, by us or by another program.
    pub sent: u64,
    /// Mails of which nobody knows whether they arrived.
    pub unknown: u64,
    /// Mails refused for good.
    pub failed: u64,
    /// Mails withdrawn before they left.
    pub withdrawn: u64,
    /// Leads who replied.
    pub replied: u64,
    /// Leads who want no more mail.
    pub opted_out: u64,
    /// Leads whose address takes no mail.
    pub bounced: u64,
}

/// A lead of a campaign, as far as a mail to it takes.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// The conversation.
    pub campaign_lead_id: CampaignLeadId,
    /// The lead.
    pub lead: LeadRowId,
    /// The operator's key.
    pub lead_id: String,
    /// Its fields, in the order of [`RECIPIENT_FIELDS`]; empty: not known.
    pub fields: Vec<String>,
    /// The address key; empty: none.
    pub email_key: String,
    /// Whether a mail was sent to it in this campaign, by whatever program.
    pub message_sent: bool,
    /// Whether its address gets no mail.
    pub suppressed: bool,
    /// Whether its address takes none.
    pub dead_address: bool,
    /// Where its newest mail of this campaign stands in the outbox.
    pub mail: Option<OutboxState>,
    /// The key of another lead of the campaign with the same address that has its mail.
    pub twin: Option<String>,
}

/// The columns of [`Recipient::fields`].
pub const RECIPIENT_FIELDS: [&str; 11] = [
    "name",
    "email",
    "country_code",
    "phone",
    "project_name",
    "unit_type",
    "budget_min",
    "budget_max",
    "status",
    "last_conversation_date",
    "last_conversation_summary",
];

const CAMPAIGN_COLUMNS: &str = "\
SELECT c.id, c.name, c.project_name, c.sender_name, c.offer_details, c.mode, c.is_active,
       m.account, m.subject, m.text_template, m.html_template, m.paused_at, m.paused_by,
       m.pause_reason
FROM campaigns c LEFT JOIN campaign_mailings m ON m.campaign_id = c.id";

impl Reader<'_> {
    /// The campaign of this name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn campaign(&self, name: &str) -> Result<Option<Campaign>, StoreError> {
        self.conn
            .prepare_cached(&format!("{CAMPAIGN_COLUMNS} WHERE c.name = ?1"))?
            .query_row([name], |row| Ok(campaign(row)))
            .optional()?
            .transpose()
    }

    /// Every campaign, by name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn campaigns(&self) -> Result<Vec<Campaign>, StoreError> {
        let mut statement = self
            .conn
            .prepare_cached(&format!("{CAMPAIGN_COLUMNS} ORDER BY c.name"))?;
        let rows = statement.query_map([], |row| Ok(campaign(row)))?;
        rows.map(|row| row?).collect()
    }

    /// How far a campaign is.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn campaign_counts(&self, id: CampaignId) -> Result<CampaignCounts, StoreError> {
        let mut counts = self
            .conn
            .prepare_cached(
                "SELECT count(*), coalesce(sum(cl.message_sent), 0),
                        (SELECT count(*) FROM inbox i WHERE i.campaign_id = ?1 AND i.replies > 0),
                        coalesce(sum(EXISTS (SELECT 1 FROM suppressions s
                            WHERE s.email_key = l.email_key AND l.email_key <> '')), 0),
                        coalesce(sum(l.bounced_at IS NOT NULL), 0)
                 FROM campaign_leads cl JOIN leads l ON l.id = cl.lead_id
                 WHERE cl.campaign_id = ?1",
            )?
            .query_row([id.0], |row| {
                Ok(CampaignCounts {
                    leads: count(row, 0)?,
                    sent: count(row, 1)?,
                    replied: count(row, 2)?,
                    opted_out: count(row, 3)?,
                    bounced: count(row, 4)?,
                    ..CampaignCounts::default()
                })
            })?;
        let mut statement = self.conn.prepare_cached(
            "SELECT state, count(*) FROM outbox
             WHERE kind = 'campaign' AND campaign_id = ?1 GROUP BY state",
        )?;
        let mut rows = statement.query([id.0])?;
        while let Some(row) = rows.next()? {
            let word: String = row.get(0)?;
            let n = count(row, 1)?;
            counts.add_mails(word.parse()?, n);
        }
        Ok(counts)
    }

    /// Leads whose mail of the campaign was refused for good, newest first: the operator's key,
    /// and what the server said.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn refused_leads(
        &self,
        id: CampaignId,
        limit: u32,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT l.lead_id, o.smtp_text
             FROM outbox o
             JOIN campaign_leads cl ON cl.id = o.campaign_lead_id
             JOIN leads l ON l.id = cl.lead_id
             WHERE o.kind = 'campaign' AND o.campaign_id = ?1 AND o.state = 'rejected'
             ORDER BY o.id DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![id.0, limit], |r| Ok((r.get(0)?, r.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many mails of a campaign still wait for their turn.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn campaign_queued(&self, id: CampaignId) -> Result<u64, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT count(*) FROM outbox
                 WHERE kind = 'campaign' AND campaign_id = ?1
                   AND state IN ('queued', 'deferred', 'sending')",
            )?
            .query_row([id.0], |row| count(row, 0))?)
    }

    /// How many mails of all campaigns wait for their turn.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn campaign_mails_queued(&self) -> Result<u64, StoreError> {
        let mut queued = 0_u64;
        for campaign in self.campaigns()? {
            queued = queued.saturating_add(self.campaign_queued(campaign.id)?);
        }
        Ok(queued)
    }

    /// The leads of a campaign after `after`, in the order in which they joined it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn recipients(
        &self,
        campaign: CampaignId,
        after: CampaignLeadId,
        limit: u32,
    ) -> Result<Vec<Recipient>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT cl.id, l.id, l.lead_id, l.email_key, cl.message_sent,
                    EXISTS (SELECT 1 FROM suppressions s
                            WHERE s.email_key = l.email_key AND l.email_key <> ''),
                    EXISTS (SELECT 1 FROM leads l2 WHERE l2.email_key = l.email_key
                            AND l2.email_key <> '' AND l2.bounced_at IS NOT NULL),
                    (SELECT o.state FROM outbox o
                     WHERE o.campaign_lead_id = cl.id AND o.kind = 'campaign'
                     ORDER BY o.id DESC LIMIT 1),
                    (SELECT l3.lead_id FROM leads l3
                     CROSS JOIN campaign_leads c3
                     WHERE l3.email_key = l.email_key AND l3.email_key <> ''
                       AND c3.campaign_id = cl.campaign_id AND c3.lead_id = l3.id AND c3.id <> cl.id
                       AND (c3.message_sent = 1 OR EXISTS (
                            SELECT 1 FROM outbox o3
                            WHERE o3.campaign_lead_id = c3.id AND o3.kind = 'campaign'
                              AND o3.state NOT IN ('rejected', 'cancelled')))
                     LIMIT 1),
                    l.name, l.email, l.country_code, l.phone, l.project_name, l.unit_type,
                    coalesce(l.budget_min, ''), coalesce(l.budget_max, ''), l.status,
                    coalesce(l.last_conversation_date, ''), l.last_conversation_summary
             FROM campaign_leads cl JOIN leads l ON l.id = cl.lead_id
             WHERE cl.campaign_id = ?1 AND cl.id > ?2
             ORDER BY cl.id LIMIT ?3",
        )?;
        let rows = statement.query_map(params![campaign.0, after.0, limit], |row| {
            Ok(recipient(row))
        })?;
        rows.map(|row| row?).collect()
    }

    /// The leads of a campaign with these keys of the operator's, as [`Reader::recipients`].
    ///
    /// # Errors
    /// [`StoreError::NotFound`] names a key that is not in the campaign.
    pub fn recipients_named(
        &self,
        campaign: CampaignId,
        lead_ids: &[String],
    ) -> Result<Vec<Recipient>, StoreError> {
        let mut found: Vec<Recipient> = Vec::with_capacity(lead_ids.len());
        for lead_id in lead_ids {
            let thread = match self.lead_by_lead_id(lead_id)? {
                Some(lead) => self.campaign_lead(campaign, lead)?,
                None => None,
            };
            let thread = thread.ok_or_else(|| {
                StoreError::NotFound(format!("Lead {lead_id:?} in this campaign"))
            })?;
            let before = CampaignLeadId(thread.0.saturating_sub(1));
            found.extend(self.recipients(campaign, before, 1)?);
        }
        found.sort_by_key(|r| r.campaign_lead_id);
        found.dedup_by_key(|r| r.campaign_lead_id);
        Ok(found)
    }

    /// Whom opt-outs by List-Unsubscribe mails concern. A conversation without a sent mail is
    /// left out: nobody got a word for it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn unsubscribe_targets(
        &self,
        ids: &[CampaignLeadId],
    ) -> Result<Vec<UnsubscribeTarget>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT l.lead_id, l.email_key, s.id, s.known_at
             FROM campaign_leads cl
             JOIN leads l ON l.id = cl.lead_id
             JOIN sent_messages s ON s.id =
                 (SELECT max(x.id) FROM sent_messages x WHERE x.campaign_lead_id = cl.id)
             WHERE cl.id = ?1",
        )?;
        let mut found = Vec::new();
        for id in ids {
            let target = statement
                .query_row([id.0], |row| {
                    Ok(UnsubscribeTarget {
                        lead_id: row.get(0)?,
                        sent: SentRef {
                            sent_id: SentId(row.get(2)?),
                            campaign_lead_id: *id,
                            lead_email_key: row.get(1)?,
                            known_at: UtcMs(row.get(3)?),
                        },
                    })
                })
                .optional()?;
            found.extend(target);
        }
        Ok(found)
    }
}

/// Whom an opt-out by a List-Unsubscribe mail concerns.
#[derive(Clone, Debug)]
pub struct UnsubscribeTarget {
    /// The operator's key of the lead, which the word's signature covers.
    pub lead_id: String,
    /// The newest mail to it in the campaign.
    pub sent: SentRef,
}

impl Tx<'_> {
    /// Makes a campaign, or changes what is said of it. `true`: it is new.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for an empty name; otherwise what SQLite says.
    pub fn change_campaign(
        &self,
        name: &str,
        change: &CampaignChange<'_>,
        now: UtcMs,
    ) -> Result<(CampaignId, bool), StoreError> {
        let (id, new) = self.campaign_named(name, now)?;
        self.conn
            .prepare_cached(
                "UPDATE campaigns SET
                     project_name = coalesce(?2, project_name),
                     sender_name = coalesce(?3, sender_name),
                     offer_details = coalesce(?4, offer_details),
                     mode = coalesce(?5, mode),
                     created_by = iif(?6, ?7, created_by),
                     updated_at = ?8
                 WHERE id = ?1",
            )?
            .execute(params![
                id.0,
                change.project_name,
                change.sender_name,
                change.offer_details,
                change.mode.map(CampaignMode::as_str),
                new,
                change.created_by,
                now.0,
            ])?;
        Ok((id, new))
    }

    /// Gives a campaign its texts and account, or others; a pause stays. Mails that are queued
    /// already keep theirs.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_mailing(
        &self,
        campaign: CampaignId,
        mailing: &Mailing,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO campaign_mailings
                     (campaign_id, account, subject, text_template, html_template, created_at,
                      updated_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
                 ON CONFLICT (campaign_id) DO UPDATE SET
                     account = excluded.account, subject = excluded.subject,
                     text_template = excluded.text_template,
                     html_template = excluded.html_template, updated_at = excluded.updated_at",
            )?
            .execute(params![
                campaign.0,
                mailing.account,
                mailing.subject,
                mailing.text,
                mailing.html,
                now.0,
            ])?;
        Ok(())
    }

    /// The campaign's own mails wait from the commit on; again keeps the first moment. Whether
    /// it was running.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn pause_campaign(
        &self,
        campaign: CampaignId,
        by: &str,
        reason: &str,
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE campaign_mailings SET paused_at = ?2, paused_by = ?3, pause_reason = ?4
                 WHERE campaign_id = ?1 AND paused_at IS NULL",
            )?
            .execute(params![campaign.0, now.0, by, reason])?;
        Ok(changed == 1)
    }

    /// The campaign's own mails leave again, in their turn; those that a server deferred are due
    /// at once. Whether it was paused.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn resume_campaign(&self, campaign: CampaignId, now: UtcMs) -> Result<bool, StoreError> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE campaign_mailings SET paused_at = NULL, paused_by = '', pause_reason = ''
                 WHERE campaign_id = ?1 AND paused_at IS NOT NULL",
            )?
            .execute([campaign.0])?;
        self.conn
            .prepare_cached(
                "UPDATE outbox SET next_attempt_at = ?2
                 WHERE kind = 'campaign' AND campaign_id = ?1 AND state = 'deferred'
                   AND next_attempt_at > ?2",
            )?
            .execute(params![campaign.0, now.0])?;
        Ok(changed == 1)
    }
}

fn count(row: &Row<'_>, column: usize) -> Result<u64, rusqlite::Error> {
    let n: i64 = row.get(column)?;
    Ok(u64::try_from(n).unwrap_or(0))
}

fn campaign(row: &Row<'_>) -> Result<Campaign, StoreError> {
    let mode: String = row.get(5)?;
    let account: Option<String> = row.get(7)?;
    let paused_at: Option<i64> = row.get(11)?;
    let mailing = match account {
        None => None,
        Some(account) => Some(Mailing {
            account,
            subject: row.get(8)?,
            text: row.get(9)?,
            html: row.get(10)?,
            paused: match paused_at {
                None => None,
                Some(at) => Some(Paused {
                    at: UtcMs(at),
                    by: row.get(12)?,
                    reason: row.get(13)?,
                }),
            },
        }),
    };
    Ok(Campaign {
        id: CampaignId(row.get(0)?),
        name: row.get(1)?,
        project_name: row.get(2)?,
        sender_name: row.get(3)?,
        offer_details: row.get(4)?,
        mode: mode.parse()?,
        active: row.get(6)?,
        mailing,
    })
}

fn recipient(row: &Row<'_>) -> Result<Recipient, StoreError> {
    let mail: Option<String> = row.get(7)?;
    let mut fields = Vec::with_capacity(RECIPIENT_FIELDS.len());
    for n in 0..RECIPIENT_FIELDS.len() {
        fields.push(row.get(n.saturating_add(9))?);
    }
    Ok(Recipient {
        campaign_lead_id: CampaignLeadId(row.get(0)?),
        lead: LeadRowId(row.get(1)?),
        lead_id: row.get(2)?,
        email_key: row.get(3)?,
        message_sent: row.get(4)?,
        suppressed: row.get(5)?,
        dead_address: row.get(6)?,
        mail: mail.map(|m| m.parse()).transpose()?,
        twin: row.get(8)?,
        fields,
    })
}
