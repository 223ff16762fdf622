//! `sent import` and `sent add`: mails that something else sent to leads, known by Message-ID.

use std::io::Read;
use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;

use super::table::{Column, Row};
use super::{Done, Import, ImportOptions, ImportReport, campaign_of, cells};
use crate::keys::Keys;
use crate::model::{CampaignLeadId, IdSource, LeadRowId, SentId, SentKind, address_key};
use crate::msgid::{self, MsgId};
use crate::store::{Change, NewSent, Reader, Store, StoreError, Tx};
use crate::time::{UtcMs, now};

const MESSAGE_ID: usize = 0;
const LEAD: usize = 1;
const LEAD_ID: usize = 2;
const EMAIL: usize = 3;
const CAMPAIGN: usize = 4;
const DATE: usize = 5;
const SUBJECT: usize = 6;
const BODY: usize = 7;

/// Imports sent mails from a CSV file. The lead is named by lead_id or by address and must be
/// known; a row without a campaign takes the import's, else the lead's only one.
///
/// # Errors
/// As [`super::import_leads`].
pub async fn import_sent(
    store: &Store,
    keys: &Keys,
    reader: impl Read + Send + 'static,
    options: ImportOptions,
) -> anyhow::Result<ImportReport> {
    let import = Arc::new(Sent {
        options: options.clone(),
        now: now(),
    });
    super::run(store, keys, reader, import, &options).await
}

/// One sent mail as a person names it (`sent add`).
#[derive(Clone, Debug, Default)]
pub struct SentEntry {
    /// With or without angle brackets.
    pub message_id: String,
    /// The lead's lead_id or address.
    pub lead: String,
    /// The campaign; empty: the lead's only one.
    pub campaign: String,
    /// RFC 3339, RFC 2822 or `YYYY-MM-DD[ HH:MM]` in UTC.
    pub date: String,
    /// May be empty.
    pub subject: String,
    /// May be empty.
    pub body: String,
}

/// What [`add_sent`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AddedSent {
    /// The sent mail.
    pub sent_id: SentId,
    /// Its conversation.
    pub campaign_lead_id: CampaignLeadId,
    /// Whether it was not known before.
    pub new: bool,
    /// Stored messages that became matchable and are fetched again.
    pub refetch: usize,
}

/// Records one sent mail; the same again is an update.
///
/// # Errors
/// With the reason when the entry cannot go in, or when the store failed; nothing was written.
pub async fn add_sent(store: &Store, keys: &Keys, entry: SentEntry) -> anyhow::Result<AddedSent> {
    let now = now();
    let checked = check(
        entry.message_id.trim(),
        Lead::Either(cells::one_line("lead", entry.lead.trim()).map_err(anyhow::Error::msg)?),
        campaign_of(entry.campaign.trim(), &ImportOptions::default()),
        entry.date.trim(),
        entry.subject.trim(),
        entry.body.trim(),
        now,
    )
    .map_err(anyhow::Error::msg)?;
    let hashes = msgid::ref_hashes(keys, checked.id.as_str());
    store
        .write(move |tx| -> Result<AddedSent, StoreError> {
            let (campaign_lead_id, _) = place(tx, &checked, now)?;
            let done = tx.import_sent(&checked.sent(campaign_lead_id), &hashes, now)?;
            Ok(AddedSent {
                sent_id: done.id,
                campaign_lead_id,
                new: done.change == Change::New,
                refetch: done.refetch,
            })
        })
        .await
        .context("Record the sent mail")
}

/// How a row names its lead.
enum Lead {
    Id(String),
    Address(String),
    /// A lead_id, or else an address.
    Either(String),
}

struct Checked {
    id: MsgId,
    lead: Lead,
    campaign: Option<String>,
    sent_at: UtcMs,
    subject: String,
    body: String,
}

impl Checked {
    fn sent(&self, campaign_lead_id: CampaignLeadId) -> NewSent {
        NewSent {
            campaign_lead_id,
            kind: SentKind::Campaign,
            subject: self.subject.clone(),
            body: self.body.clone(),
            sent_at: self.sent_at,
            outbox_ref: None,
            ids: vec![(self.id.as_str().to_owned(), IdSource::Import)],
        }
    }
}

fn check(
    message_id: &str,
    lead: Lead,
    campaign: Result<Option<String>, String>,
    date: &str,
    subject: &str,
    body: &str,
    now: UtcMs,
) -> Result<Checked, String> {
    let (Lead::Id(named) | Lead::Address(named) | Lead::Either(named)) = &lead;
    if named.is_empty() {
        return Err("lead is empty".into());
    }
    Ok(Checked {
        id: cells::message_id("message_id", message_id)?,
        campaign: campaign?,
        sent_at: cells::moment("date", date, now)?,
        subject: cells::one_line("subject", subject)?,
        body: cells::text("body", body)?,
        lead,
    })
}

/// Finds the lead and its conversation, which is made if the lead is new in the campaign. The
/// name of the campaign if that is new, too.
fn place(
    tx: &Tx<'_>,
    mail: &Checked,
    now: UtcMs,
) -> Result<(CampaignLeadId, Option<String>), StoreError> {
    let candidates = leads_named(tx, &mail.lead)?;
    let Some(name) = &mail.campaign else {
        return Ok((only_conversation(tx, &candidates)?, None));
    };
    let lead = match *candidates {
        [lead] => lead,
        _ => {
            let campaign = tx.campaign_by_name(name)?;
            let mut there = Vec::new();
            for lead in &candidates {
                if let Some(campaign) = campaign
                    && tx.campaign_lead(campaign, *lead)?.is_some()
                {
                    there.push(*lead);
                }
            }
            match *there {
                [lead] => lead,
                _ => {
                    return Err(StoreError::Invalid(format!(
                        "The address belongs to {} leads: name the lead by its lead_id",
                        candidates.len()
                    )));
                }
            }
        }
    };
    let (campaign, new) = tx.campaign_named(name, now)?;
    let (campaign_lead, _) = tx.join_campaign(campaign, lead, now)?;
    Ok((campaign_lead, new.then(|| name.clone())))
}

/// The leads that a row may mean; at least one.
fn leads_named(tx: &Reader<'_>, lead: &Lead) -> Result<Vec<LeadRowId>, StoreError> {
    if let Lead::Id(id) | Lead::Either(id) = lead
        && let Some(row) = tx.lead_by_lead_id(id)?
    {
        return Ok(vec![row]);
    }
    if let Lead::Address(address) | Lead::Either(address) = lead {
        let leads = tx.leads_by_address(&address_key(address))?;
        if !leads.is_empty() {
            return Ok(leads.into_iter().map(|l| l.id).collect());
        }
    }
    Err(StoreError::Invalid(
        "No such lead: import the leads first".into(),
    ))
}

/// The one conversation that leads without a named campaign can mean.
fn only_conversation(
    tx: &Reader<'_>,
    candidates: &[LeadRowId],
) -> Result<CampaignLeadId, StoreError> {
    let mut all = Vec::new();
    for lead in candidates {
        all.extend(tx.campaign_leads_of(*lead)?);
    }
    match *all {
        [one] => Ok(one),
        [] => Err(StoreError::Invalid(
            "campaign is empty, and the lead is in no campaign".into(),
        )),
        _ => Err(StoreError::Invalid(
            "campaign is empty, and the lead is in more than one".into(),
        )),
    }
}

struct Sent {
    options: ImportOptions,
    now: UtcMs,
}

impl Import for Sent {
    type Entry = Checked;
    const COLUMNS: &'static [Column] = &[
        Column {
            name: "message_id",
            spellings: &["messageid", "emailmessageid"],
        },
        Column {
            name: "lead",
            spellings: &["lead"],
        },
        Column {
            name: "lead_id",
            spellings: &["leadid"],
        },
        Column {
            name: "email",
            spellings: &["email", "emailaddress", "leademail"],
        },
        Column {
            name: "campaign",
            spellings: &["campaign", "campaignname"],
        },
        Column {
            name: "date",
            spellings: &["date", "sentat", "sentdate", "messagesentat"],
        },
        Column {
            name: "subject",
            spellings: &["subject"],
        },
        Column {
            name: "body",
            spellings: &["body", "text", "message", "personalizedmessage"],
        },
    ];
    const REQUIRED: &'static [&'static [usize]] =
        &[&[MESSAGE_ID], &[LEAD, LEAD_ID, EMAIL], &[DATE]];

    fn read(&self, row: &Row) -> Result<Checked, String> {
        let named = |column, name| cells::one_line(name, row.text(column));
        let lead = if !row.text(LEAD).is_empty() {
            Lead::Either(named(LEAD, "lead")?)
        } else if !row.text(LEAD_ID).is_empty() {
            Lead::Id(named(LEAD_ID, "lead_id")?)
        } else {
            Lead::Address(named(EMAIL, "email")?)
        };
        check(
            row.text(MESSAGE_ID),
            lead,
            campaign_of(row.text(CAMPAIGN), &self.options),
            row.text(DATE),
            row.text(SUBJECT),
            row.text(BODY),
            self.now,
        )
    }

    fn hashes(entry: &Checked, keys: &Keys) -> Vec<String> {
        msgid::ref_hashes(keys, entry.id.as_str())
    }

    fn write(&self, tx: &Tx<'_>, entry: &Checked, hashes: &[String]) -> Result<Done, StoreError> {
        let (campaign_lead_id, new_campaign) = place(tx, entry, self.now)?;
        let sent = entry.sent(campaign_lead_id);
        let done = tx.import_sent(&sent, hashes, self.now)?;
        Ok(Done {
            change: done.change,
            refetch: done.refetch,
            new_campaign,
        })
    }
}
