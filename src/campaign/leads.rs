//! `leads import`: the predecessor's columns, in its own and in its exports' spelling.

use std::io::Read;
use std::sync::Arc;

use super::table::{Column, Row};
use super::{Done, Import, ImportOptions, ImportReport, campaign_of, cells};
use crate::keys::Keys;
use crate::model::address_key;
use crate::store::{Change, LeadRecord, Store, StoreError, Tx};
use crate::time::{UtcMs, now};

const LEAD_ID: usize = 0;
const NAME: usize = 1;
const EMAIL: usize = 2;
const COUNTRY_CODE: usize = 3;
const PHONE: usize = 4;
const PROJECT_NAME: usize = 5;
const UNIT_TYPE: usize = 6;
const BUDGET_MIN: usize = 7;
const BUDGET_MAX: usize = 8;
const STATUS: usize = 9;
const LAST_DATE: usize = 10;
const LAST_SUMMARY: usize = 11;
const CAMPAIGN: usize = 12;

/// Imports leads from a CSV file. Reads in a blocking task; columns that the file does not have
/// keep what is stored.
///
/// # Errors
/// The file cannot be read, or lacks a required column (nothing was written); the store failed
/// (the rows before are in, and the file may be imported again).
pub async fn import_leads(
    store: &Store,
    keys: &Keys,
    reader: impl Read + Send + 'static,
    options: ImportOptions,
) -> anyhow::Result<ImportReport> {
    let import = Arc::new(Leads {
        options: options.clone(),
        now: now(),
    });
    super::run(store, keys, reader, import, &options).await
}

struct Leads {
    options: ImportOptions,
    now: UtcMs,
}

struct LeadEntry {
    lead: LeadRecord,
    key: String,
    campaign: Option<String>,
}

impl Import for Leads {
    type Entry = LeadEntry;
    const COLUMNS: &'static [Column] = &[
        Column {
            name: "lead_id",
            spellings: &["leadid"],
        },
        Column {
            name: "name",
            spellings: &["name", "leadname"],
        },
        Column {
            name: "email",
            spellings: &["email", "emailaddress", "leademail"],
        },
        Column {
            name: "country_code",
            spellings: &["countrycode"],
        },
        Column {
            name: "phone",
            spellings: &["phone", "phonenumber"],
        },
        Column {
            name: "project_name",
            spellings: &["projectname", "project"],
        },
        Column {
            name: "unit_type",
            spellings: &["unittype"],
        },
        Column {
            name: "budget_min",
            spellings: &["budgetmin", "minbudget"],
        },
        Column {
            name: "budget_max",
            spellings: &["budgetmax", "maxbudget"],
        },
        Column {
            name: "status",
            spellings: &["status", "leadstatus"],
        },
        Column {
            name: "last_conversation_date",
            spellings: &["lastconversationdate"],
        },
        Column {
            name: "last_conversation_summary",
            spellings: &["lastconversationsummary"],
        },
        Column {
            name: "campaign",
            spellings: &["campaign", "campaignname"],
        },
    ];
    const REQUIRED: &'static [&'static [usize]] = &[&[LEAD_ID], &[EMAIL]];

    fn read(&self, row: &Row) -> Result<LeadEntry, String> {
        let line = |column: usize| -> Result<Option<String>, String> {
            let name = Self::COLUMNS.get(column).map_or("", |c| c.name);
            row.get(column)
                .map(|v| cells::one_line(name, v))
                .transpose()
        };
        let lead_id = cells::one_line("lead_id", row.text(LEAD_ID))?;
        if lead_id.is_empty() {
            return Err("lead_id is empty".into());
        }
        let email = cells::address("email", row.text(EMAIL))?;
        let amount = |column: usize, name| -> Result<Option<String>, String> {
            row.get(column).map(|v| cells::amount(name, v)).transpose()
        };
        let lead = LeadRecord {
            lead_id,
            name: line(NAME)?,
            country_code: line(COUNTRY_CODE)?,
            phone: line(PHONE)?,
            project_name: line(PROJECT_NAME)?,
            unit_type: line(UNIT_TYPE)?,
            budget_min: amount(BUDGET_MIN, "budget_min")?,
            budget_max: amount(BUDGET_MAX, "budget_max")?,
            status: line(STATUS)?,
            last_conversation_date: row
                .get(LAST_DATE)
                .map(|v| cells::day("last_conversation_date", v))
                .transpose()?,
            last_conversation_summary: row
                .get(LAST_SUMMARY)
                .map(|v| cells::text("last_conversation_summary", v))
                .transpose()?,
            email,
        };
        Ok(LeadEntry {
            key: address_key(&lead.email),
            lead,
            campaign: campaign_of(row.text(CAMPAIGN), &self.options)?,
        })
    }

    fn hashes(entry: &LeadEntry, keys: &Keys) -> Vec<String> {
        vec![keys.hash(&entry.key), lead_hash(keys, &entry.lead.lead_id)]
    }

    fn write(&self, tx: &Tx<'_>, entry: &LeadEntry, hashes: &[String]) -> Result<Done, StoreError> {
        if self.options.erased_too {
            tx.lift_erasure(hashes, &entry.key, self.now)?;
        } else if let Some(at) = tx.erased_at(hashes)? {
            return Err(erased(at));
        }
        let lead = tx.upsert_lead(&entry.lead, self.now)?;
        let mut done = Done {
            change: lead.change,
            refetch: 0,
            new_campaign: None,
        };
        if let Some(name) = &entry.campaign {
            let (campaign, new) = tx.campaign_named(name, self.now)?;
            done.new_campaign = new.then(|| name.clone());
            let (_, joined) = tx.join_campaign(campaign, lead.id, self.now)?;
            if joined && done.change == Change::Unchanged {
                done.change = Change::Updated;
            }
        }
        if lead.new_address {
            for hash in hashes {
                done.refetch += tx.refetch_from_sender(hash, self.now)?;
            }
        }
        Ok(done)
    }
}

/// By what an erased lead is known without its key.
#[must_use]
pub fn lead_hash(keys: &Keys, lead_id: &str) -> String {
    keys.hash(&format!("lead_id:{lead_id}"))
}

/// Why a lead does not come in.
pub(super) fn erased(at: UtcMs) -> StoreError {
    StoreError::Invalid(format!(
        "this lead was erased on {}: `leads import --erased-too` brings it back",
        at.rfc3339()
    ))
}
