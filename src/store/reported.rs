//! Mails of which another program tells as it sends them (`POST /api/sent`).

use rusqlite::{OptionalExtension, params};

use super::{
    DjangoCampaignLead, DjangoRow, LeadRecord, NewSent, Reader, SentUpsert, StoreError, Tx,
};
use crate::model::{Access, CampaignId, CampaignLeadId, LeadRowId};
use crate::time::UtcMs;

/// A mail that was told, checked.
#[derive(Clone, Debug)]
pub struct ReportedSent {
    /// The mail.
    pub mail: NewSent,
    /// Its lead, where it may be new here.
    pub lead: Option<ReportedLead>,
}

/// A lead that may be new, under the ids of the program that tells of it.
#[derive(Clone, Debug)]
pub struct ReportedLead {
    /// Its id.
    pub id: LeadRowId,
    /// The campaign's.
    pub campaign: CampaignId,
    /// What is said of it.
    pub record: LeadRecord,
}

/// Marks a row as one that its program may bring up to date by a dump.
const TOLD: &str = "told";

impl Reader<'_> {
    /// The campaign of a campaign lead.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn campaign_of_lead(&self, lead: CampaignLeadId) -> Result<Option<CampaignId>, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT campaign_id FROM campaign_leads WHERE id = ?1")?
            .query_row([lead.0], |row| row.get(0).map(CampaignId))
            .optional()?)
    }
}

impl Tx<'_> {
    /// Takes one mail in, whole or not at all: as an import does, its Message-ID is a key from now on, and
    /// stored messages that refer to it come again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a campaign lead that is not there or beyond `access`;
    /// [`StoreError::Invalid`] with a sentence; otherwise what SQLite says.
    pub fn take_reported(
        &self,
        sent: &ReportedSent,
        ref_hashes: &[String],
        sender_hashes: &[String],
        access: &Access,
        now: UtcMs,
    ) -> Result<SentUpsert, StoreError> {
        self.conn.execute_batch("SAVEPOINT reported")?;
        let taken = self
            .ensure_reported_lead(sent, sender_hashes, access, now)
            .and_then(|()| self.import_sent(&sent.mail, ref_hashes, now));
        if taken.is_err() {
            self.conn.execute_batch("ROLLBACK TO reported")?;
        }
        self.conn.execute_batch("RELEASE reported")?;
        taken
    }

    fn ensure_reported_lead(
        &self,
        sent: &ReportedSent,
        sender_hashes: &[String],
        access: &Access,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        let id = sent.mail.campaign_lead_id;
        let unknown = || StoreError::NotFound("Campaign lead".into());
        if let Some(campaign) = self.campaign_of_lead(id)? {
            return if access.allows(campaign) {
                Ok(())
            } else {
                Err(unknown())
            };
        }
        let lead = sent.lead.as_ref().ok_or_else(unknown)?;
        let campaign = lead.campaign;
        let is_there = self
            .conn
            .prepare_cached("SELECT 1 FROM campaigns WHERE id = ?1")?
            .exists([campaign.0])?;
        if !is_there || !access.allows(campaign) {
            return Err(unknown());
        }
        let there: Option<String> = self
            .conn
            .prepare_cached("SELECT lead_id FROM leads WHERE id = ?1")?
            .query_row([lead.id.0], |row| row.get(0))
            .optional()?;
        match there {
            Some(lead_id) if lead_id == lead.record.lead_id => {}
            // Who may not see it learns nothing of it.
            Some(_) => return Err(unknown()),
            None => {
                let row = DjangoRow::Lead {
                    lead: lead.record.clone(),
                    created_at: now,
                };
                self.take_django_row(lead.id.0, &row, TOLD, sender_hashes, now)?;
            }
        }
        let row = DjangoRow::CampaignLead(DjangoCampaignLead {
            campaign,
            lead: lead.id,
            message_sent: false,
            message_sent_at: None,
            personalized_message: String::new(),
            email_message_id: String::new(),
            created_at: now,
        });
        self.take_django_row(id.0, &row, TOLD, &[], now)?;
        Ok(())
    }

    /// Whether a line of a conversation with this Message-ID was written here, not by an import.
    pub(super) fn line_is_here(
        &self,
        lead: CampaignLeadId,
        email_message_id: &str,
    ) -> Result<bool, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT 1 FROM conversations v
                 WHERE v.campaign_lead_id = ?1 AND v.email_message_id = ?2
                   AND NOT EXISTS (SELECT 1 FROM django_rows d
                                   WHERE d.model = 'conversation' AND d.id = v.id)",
            )?
            .exists(params![lead.0, email_message_id])?)
    }
}
