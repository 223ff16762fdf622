//! `POST /api/sent`: another program tells of each mail that it sends to a lead, so that the answers to it
//! are matched.

use serde::Deserialize;

use super::cells;
use crate::keys::Keys;
use crate::model::{
    Access, CampaignId, CampaignLeadId, IdSource, LeadRowId, SentKind, address_key,
};
use crate::msgid;
use crate::store::{
    LeadRecord, NewSent, ReportedLead, ReportedSent, SentUpsert, Store, StoreError,
};
use crate::time::now;

/// A mail as it is told.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SentReport {
    /// Its Message-ID, with or without angle brackets.
    pub message_id: String,
    /// Whose it is.
    pub campaign_lead_id: i64,
    /// When it was sent: RFC 3339, or `YYYY-MM-DD HH:MM` in UTC.
    pub date: String,
    /// Its subject.
    #[serde(default)]
    pub subject: String,
    /// Its text: shown in the conversation, and quoted text of it is known as ours.
    #[serde(default)]
    pub text: String,
    /// Needed where the campaign_lead_id is not known here yet: then it is made under this id.
    #[serde(default)]
    pub lead: Option<SentReportLead>,
}

/// The lead of a mail, where it may be new.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SentReportLead {
    /// Its integer id.
    pub id: i64,
    /// The campaign's integer id; it must be known here.
    pub campaign_id: i64,
    /// The operator's own key.
    pub lead_id: String,
    /// Its address.
    pub email: String,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// Telephone country code.
    #[serde(default)]
    pub country_code: Option<String>,
    /// Telephone number.
    #[serde(default)]
    pub phone: Option<String>,
    /// What it is interested in.
    #[serde(default)]
    pub project_name: Option<String>,
}

/// Why a mail was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportRefused {
    /// There is no such campaign lead, or it is somebody else's.
    Unknown,
    /// What is wrong with it.
    Wrong(String),
}

/// Takes mails, each whole or not at all; the same again changes nothing. In the order of the list.
///
/// # Errors
/// When the store failed: nothing was taken.
pub async fn report_sent(
    store: &Store,
    keys: &Keys,
    access: &Access,
    mails: Vec<SentReport>,
) -> Result<Vec<Result<SentUpsert, ReportRefused>>, StoreError> {
    let now = now();
    let mut checked = Vec::new();
    for mail in &mails {
        checked.push(check(mail, now).map(|sent| {
            let hashes = sent.mail.ids.iter();
            let hashes: Vec<String> = hashes
                .flat_map(|(id, _)| msgid::ref_hashes(keys, id))
                .collect();
            let lead = sent.lead.as_ref().map(|l| &l.record);
            let sender = lead.map_or_else(Vec::new, |lead| {
                vec![
                    keys.hash(&address_key(&lead.email)),
                    super::lead_hash(keys, &lead.lead_id),
                ]
            });
            (sent, hashes, sender)
        }));
    }
    let access = access.clone();
    store
        .write(move |tx| {
            let mut done = Vec::new();
            for mail in checked {
                done.push(match mail {
                    Err(why) => Err(ReportRefused::Wrong(why)),
                    Ok((sent, hashes, sender)) => {
                        match tx.take_reported(&sent, &hashes, &sender, &access, now) {
                            Ok(upsert) => Ok(upsert),
                            Err(StoreError::NotFound(_)) => Err(ReportRefused::Unknown),
                            Err(StoreError::Invalid(why)) => Err(ReportRefused::Wrong(why)),
                            Err(e) => return Err(e),
                        }
                    }
                });
            }
            Ok(done)
        })
        .await
}

fn check(mail: &SentReport, now: crate::time::UtcMs) -> Result<ReportedSent, String> {
    if mail.campaign_lead_id <= 0 {
        return Err("campaign_lead_id must be greater than 0".into());
    }
    let id = cells::message_id("message_id", mail.message_id.trim())?;
    let lead = mail.lead.as_ref().map(check_lead).transpose()?;
    Ok(ReportedSent {
        mail: NewSent {
            campaign_lead_id: CampaignLeadId(mail.campaign_lead_id),
            kind: SentKind::Campaign,
            subject: cells::one_line("subject", mail.subject.trim())?,
            body: cells::text("text", mail.text.trim())?,
            sent_at: cells::moment("date", mail.date.trim(), now)?,
            outbox_ref: None,
            ids: vec![(id.as_str().to_owned(), IdSource::Import)],
        },
        lead,
    })
}

fn check_lead(lead: &SentReportLead) -> Result<ReportedLead, String> {
    let line = |name: &str, value: &Option<String>| {
        let value = value.as_deref().map(str::trim);
        value.map(|v| cells::one_line(name, v)).transpose()
    };
    if lead.id <= 0 || lead.campaign_id <= 0 {
        return Err("lead.id and lead.campaign_id must be greater than 0".into());
    }
    let lead_id = cells::one_line("lead.lead_id", lead.lead_id.trim())?;
    if lead_id.is_empty() {
        return Err("lead.lead_id is empty".into());
    }
    Ok(ReportedLead {
        id: LeadRowId(lead.id),
        campaign: CampaignId(lead.campaign_id),
        record: LeadRecord {
            lead_id,
            email: cells::address("lead.email", lead.email.trim())?,
            name: line("lead.name", &lead.name)?,
            country_code: line("lead.country_code", &lead.country_code)?,
            phone: line("lead.phone", &lead.phone)?,
            project_name: line("lead.project_name", &lead.project_name)?,
            ..LeadRecord::default()
        },
    })
}
