//! `import django`: leads, campaigns, campaign leads and conversations out of `manage.py dumpdata`, under
//! the ids that they had.
//!
//! The order of a dump is that of the project's apps, so the file is read once for each of the four,
//! one record in memory at a time. Rows go in by transactions of `ROWS`; an import that was killed is
//! begun again, and what is there already is passed over by its digest.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::cells;
use super::django_dump::{DumpError, Record, each_record};
use crate::keys::Keys;
use crate::model::{CampaignId, CampaignLeadId, LeadRowId, address_key};
use crate::msgid;
use crate::store::{
    Change, DjangoCampaign, DjangoCampaignLead, DjangoLine, DjangoRow, LeadRecord, Store,
    StoreError,
};
use crate::time::{UtcMs, now};

/// Rows of a transaction.
const ROWS: usize = 500;
/// Errors that are kept for the report; the rest are counted.
const MAX_ERRORS: usize = 1000;

/// The models, in the order in which they refer to each other.
const MODELS: &[&str] = &["lead", "campaign", "campaignlead", "conversation"];

/// A record that did not go in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordError {
    /// Its place in the dump, from 1.
    pub record: u64,
    /// Model and primary key, as the dump writes them.
    pub what: String,
    /// Why, without its contents.
    pub reason: String,
}

/// What became of the records of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ModelCount {
    /// Not known before.
    pub new: u64,
    /// Changed what was known.
    pub updated: u64,
    /// Said what was known.
    pub unchanged: u64,
    /// Replies that were captured here already.
    pub known_here: u64,
    /// Did not go in.
    pub failed: u64,
}

/// What became of a dump.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DjangoReport {
    /// By model.
    pub models: BTreeMap<&'static str, ModelCount>,
    /// Records of other models: passed over.
    pub others: u64,
    /// The first 1000 that did not go in.
    pub errors: Vec<RecordError>,
    /// Stored messages that became matchable.
    pub refetch: u64,
}

impl DjangoReport {
    /// Records that did not go in.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.models.values().map(|m| m.failed).sum()
    }

    fn fail(&mut self, model: &'static str, error: RecordError) {
        self.models.entry(model).or_default().failed += 1;
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(error);
        }
    }
}

/// A checked record on its way to the store, or why it is none.
struct Checked {
    record: u64,
    what: String,
    id: i64,
    digest: String,
    row: Result<(DjangoRow, Vec<String>), String>,
}

/// Takes a dump in; again changes nothing, a later one updates.
///
/// # Errors
/// When the file cannot be read or is no dump, or the store failed: what went in before stays, and
/// another run goes on.
pub async fn import_django(
    store: &Store,
    keys: &Arc<Keys>,
    file: &Path,
) -> anyhow::Result<DjangoReport> {
    let mut report = DjangoReport::default();
    let began = now();
    for model in MODELS {
        report.models.insert(model, ModelCount::default());
        let (to, mut batches) = mpsc::channel(2);
        let (path, keys) = (file.to_owned(), Arc::clone(keys));
        let reading = tokio::task::spawn_blocking(move || read(&path, model, &keys, began, &to));
        while let Some(batch) = batches.recv().await {
            write(store, model, batch, began, &mut report).await?;
        }
        let others = reading
            .await
            .context("Read the dump")?
            .with_context(|| format!("Read {}", file.display()))?;
        report.others = others;
        store
            .write(|tx| tx.leave_room_for_django())
            .await
            .map_err(|e: StoreError| e)
            .context("Leave room for later rows")?;
    }
    Ok(report)
}

fn read(
    path: &PathBuf,
    wanted: &'static str,
    keys: &Keys,
    began: UtcMs,
    to: &mpsc::Sender<Vec<Checked>>,
) -> Result<u64, DumpError> {
    let file = File::open(path).map_err(DumpError::Read)?;
    let mut batch = Vec::new();
    let mut others = 0;
    each_record(BufReader::new(file), |number, record| {
        let model = record.model.rsplit('.').next().unwrap_or_default();
        if model != wanted {
            others += u64::from(!MODELS.contains(&model));
            return true;
        }
        batch.push(check(number, record, wanted, keys, began));
        if batch.len() < ROWS {
            return true;
        }
        to.blocking_send(std::mem::take(&mut batch)).is_ok()
    })?;
    if !batch.is_empty() {
        // Whoever does not listen any more has failed and says so.
        to.blocking_send(batch).unwrap_or_default();
    }
    Ok(others)
}

async fn write(
    store: &Store,
    model: &'static str,
    batch: Vec<Checked>,
    began: UtcMs,
    report: &mut DjangoReport,
) -> anyhow::Result<()> {
    let results = store
        .write(move |tx| {
            let mut results = Vec::new();
            for c in batch {
                let done = match &c.row {
                    Err(why) => Err(why.clone()),
                    Ok((row, hashes)) => {
                        match tx.take_django_row(c.id, row, &c.digest, hashes, began) {
                            Ok(done) => Ok(done),
                            Err(StoreError::Invalid(why) | StoreError::NotFound(why)) => Err(why),
                            Err(e) => return Err(e),
                        }
                    }
                };
                results.push((c.record, c.what, done));
            }
            Ok(results)
        })
        .await
        .context("Write imported rows")?;
    for (record, what, done) in results {
        match done {
            Err(reason) => report.fail(
                model,
                RecordError {
                    record,
                    what,
                    reason,
                },
            ),
            Ok(done) => {
                report.refetch += u64::try_from(done.refetch).unwrap_or(0);
                let count = report.models.entry(model).or_default();
                match done.change {
                    _ if done.known_here => count.known_here += 1,
                    Change::New => count.new += 1,
                    Change::Updated => count.updated += 1,
                    Change::Unchanged => count.unchanged += 1,
                }
            }
        }
    }
    Ok(())
}

fn check(number: u64, record: Record, model: &'static str, keys: &Keys, began: UtcMs) -> Checked {
    let id = integer(&record.pk);
    let digest = digest(&record.fields);
    let fields = Fields {
        map: &record.fields,
        began,
    };
    let row = match &id {
        Err(why) => Err(format!("pk {why}")),
        Ok(id) if *id <= 0 => Err("pk must be greater than 0".to_owned()),
        Ok(_) => match model {
            "lead" => fields.lead(),
            "campaign" => fields.campaign(),
            "campaignlead" => fields.campaign_lead(),
            _ => fields.line(),
        },
    };
    let shown = record.model.chars().filter(|c| !c.is_control()).take(100);
    Checked {
        record: number,
        what: format!(
            "{} {}",
            shown.collect::<String>(),
            id.as_ref().map_or_else(|_| "?".to_owned(), i64::to_string)
        ),
        id: id.unwrap_or_default(),
        digest,
        row: row.map(|row| {
            let hashes = hashes(&row, keys);
            (row, hashes)
        }),
    }
}

fn hashes(row: &DjangoRow, keys: &Keys) -> Vec<String> {
    let of_id = |id: &str| {
        if id.is_empty() {
            Vec::new()
        } else {
            msgid::ref_hashes(keys, id)
        }
    };
    match row {
        DjangoRow::Lead { lead, .. } => vec![
            keys.hash(&address_key(&lead.email)),
            super::lead_hash(keys, &lead.lead_id),
        ],
        DjangoRow::Campaign(_) => Vec::new(),
        DjangoRow::CampaignLead(cl) => of_id(&cl.email_message_id),
        DjangoRow::Conversation(line) if line.by_customer => Vec::new(),
        DjangoRow::Conversation(line) => of_id(&line.email_message_id),
    }
}

/// Of the fields in the order of their names.
fn digest(fields: &Map<String, Value>) -> String {
    let text = Value::Object(fields.clone()).to_string();
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().map(|b| format!("{b:02x}")).collect()
}

fn integer(value: &Value) -> Result<i64, String> {
    match value {
        Value::Number(n) => n.as_i64().ok_or_else(|| "is no integer".to_owned()),
        Value::String(s) => s.trim().parse().map_err(|_| "is no integer".to_owned()),
        Value::Array(_) => Err(
            "is a natural key: make the dump without --natural-foreign and --natural-primary"
                .to_owned(),
        ),
        _ => Err("is no integer".to_owned()),
    }
}

/// The fields of a record.
struct Fields<'a> {
    map: &'a Map<String, Value>,
    began: UtcMs,
}

impl Fields<'_> {
    fn raw(&self, name: &str) -> &Value {
        self.map.get(name).unwrap_or(&Value::Null)
    }

    fn written(&self, name: &str) -> Result<String, String> {
        match self.raw(name) {
            Value::Null => Ok(String::new()),
            Value::String(s) => Ok(s.clone()),
            Value::Number(n) => Ok(n.to_string()),
            _ => Err(format!("{name} is no text")),
        }
    }

    fn line_of(&self, name: &str) -> Result<String, String> {
        let written = self.written(name)?;
        cells::one_line(name, written.trim())
    }

    fn text(&self, name: &str) -> Result<String, String> {
        cells::text(name, &self.written(name)?)
    }

    fn flag(&self, name: &str, default: bool) -> Result<bool, String> {
        match self.raw(name) {
            Value::Null => Ok(default),
            Value::Bool(b) => Ok(*b),
            Value::Number(n) if n.as_i64() == Some(0) => Ok(false),
            Value::Number(n) if n.as_i64() == Some(1) => Ok(true),
            _ => Err(format!("{name} is neither true nor false")),
        }
    }

    fn moment(&self, name: &str) -> Result<Option<UtcMs>, String> {
        let written = self.written(name)?;
        if written.is_empty() {
            return Ok(None);
        }
        cells::moment(name, &written, self.began).map(Some)
    }

    fn made(&self) -> Result<UtcMs, String> {
        Ok(self.moment("created_at")?.unwrap_or(self.began))
    }

    fn key(&self, name: &str) -> Result<i64, String> {
        match self.raw(name) {
            Value::Null => Err(format!("{name} is missing")),
            value => integer(value).map_err(|why| format!("{name} {why}")),
        }
    }

    /// A canonical Message-ID; empty: none.
    fn message_id(&self, name: &str) -> Result<String, String> {
        let written = self.line_of(name)?;
        if written.is_empty() {
            return Ok(String::new());
        }
        cells::message_id(name, &written).map(|id| id.as_str().to_owned())
    }

    fn lead(&self) -> Result<DjangoRow, String> {
        let line = |name: &str| self.line_of(name).map(Some);
        let amount = |name: &str| cells::amount(name, &self.written(name)?).map(Some);
        let lead_id = self.line_of("lead_id")?;
        if lead_id.is_empty() {
            return Err("lead_id is empty".into());
        }
        let email = self.line_of("email")?;
        let email = if email.is_empty() {
            email
        } else {
            cells::address("email", &email)?
        };
        let day = self.written("last_conversation_date")?;
        Ok(DjangoRow::Lead {
            lead: LeadRecord {
                lead_id,
                email,
                name: line("name")?,
                country_code: line("country_code")?,
                phone: line("phone")?,
                project_name: line("project_name")?,
                unit_type: line("unit_type")?,
                budget_min: amount("budget_min")?,
                budget_max: amount("budget_max")?,
                status: line("status")?,
                last_conversation_date: Some(cells::day("last_conversation_date", &day)?),
                last_conversation_summary: Some(self.text("last_conversation_summary")?),
            },
            created_at: self.made()?,
        })
    }

    fn campaign(&self) -> Result<DjangoRow, String> {
        let name = self.line_of("name")?;
        if name.is_empty() {
            return Err("name is empty".into());
        }
        let channel = self.line_of("channel")?;
        // The owner's field by the names that such models give it.
        let owner = ["owner", "created_by", "user"]
            .into_iter()
            .find(|name| !self.raw(name).is_null())
            .map(|name| self.key(name))
            .transpose()?;
        Ok(DjangoRow::Campaign(DjangoCampaign {
            name,
            project_name: self.line_of("project_name")?,
            channel: if channel.is_empty() {
                "email".to_owned()
            } else {
                channel
            },
            offer_details: self.text("offer_details")?,
            is_active: self.flag("is_active", true)?,
            owner,
            created_at: self.made()?,
        }))
    }

    fn campaign_lead(&self) -> Result<DjangoRow, String> {
        Ok(DjangoRow::CampaignLead(DjangoCampaignLead {
            campaign: CampaignId(self.key("campaign")?),
            lead: LeadRowId(self.key("lead")?),
            message_sent: self.flag("message_sent", false)?,
            message_sent_at: self.moment("message_sent_at")?,
            personalized_message: self.text("personalized_message")?,
            email_message_id: self.message_id("email_message_id")?,
            created_at: self.made()?,
        }))
    }

    fn line(&self) -> Result<DjangoRow, String> {
        let by_customer = match self.line_of("sender")?.as_str() {
            "customer" => true,
            "agent" => false,
            _ => return Err("sender is neither customer nor agent".into()),
        };
        Ok(DjangoRow::Conversation(DjangoLine {
            campaign_lead: CampaignLeadId(self.key("campaign_lead")?),
            by_customer,
            message: self.text("message")?,
            agent_tool_used: self.line_of("agent_tool_used")?,
            email_message_id: self.message_id("email_message_id")?,
            email_in_reply_to: self.message_id("email_in_reply_to")?,
            sales_team_notified: self.flag("sales_team_notified", false)?,
            auto_reply_processed: self.flag("auto_reply_processed", false)?,
            created_at: self.made()?,
        }))
    }
}
