//! `export …` and `erase …`.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::automation::who;
use super::say;
use crate::app::App;
use crate::cli::{EraseCommand, Exit, ExportArgs, ExportFormat, ExportWhat};
use crate::export::{Format, export};
use crate::model::{LeadRowId, address_key};
use crate::store::{Erasable, ExportFilter, ExportKind, StoreError};
use crate::time::{self, UtcMs};

pub(super) async fn rows(app: &App, args: &ExportArgs) -> anyhow::Result<Exit> {
    let kind = match args.what {
        ExportWhat::Conversations => ExportKind::Conversations,
        ExportWhat::Leads => ExportKind::Leads,
        ExportWhat::Sent => ExportKind::Sent,
    };
    let format = match args.format {
        ExportFormat::Csv => Format::Csv,
        ExportFormat::Jsonl => Format::JsonLines,
    };
    let mut filter = ExportFilter::default();
    if let Some(name) = args.campaign.clone() {
        let found = app.store().read({
            let name = name.clone();
            move |r| r.campaign_by_name(&name)
        });
        let found = found.await.map_err(|e: StoreError| e)?;
        filter.campaign = Some(found.with_context(|| format!("There is no campaign {name:?}"))?);
    }
    if let Some(text) = &args.since {
        let since = UtcMs::parse_day_or_time(text);
        filter.since = Some(since.with_context(|| format!("{text:?} is no day or time"))?);
    }
    let Some(file) = &args.file else {
        let mut out = BufWriter::new(io::stdout());
        let done = export(app.store(), kind, filter, format, &mut out).await;
        // A closed pipe (`| head`) is not an error.
        return match done {
            Err(e) if is_broken_pipe(&e) => Ok(Exit::Done),
            other => other.map(|_| Exit::Done),
        };
    };
    let half = HalfFile::create(file)?;
    let mut out = BufWriter::new(&half.file);
    let count = export(app.store(), kind, filter, format, &mut out).await?;
    drop(out);
    half.keep(file)?;
    say(&format!("{count} rows in {}\n", file.display()))?;
    Ok(Exit::Done)
}

fn is_broken_pipe(e: &anyhow::Error) -> bool {
    e.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        io.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// A file beside the wanted one, for its owner alone; the wanted one is there whole or not at all.
struct HalfFile {
    path: PathBuf,
    file: std::fs::File,
}

impl HalfFile {
    fn create(wanted: &Path) -> anyhow::Result<Self> {
        let name = wanted.file_name().context("The file has no name")?;
        let mut half = name.to_owned();
        half.push(format!(".{}.half", std::process::id()));
        let path = wanted.with_file_name(half);
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("Create {}", path.display()))?;
        Ok(Self { path, file })
    }

    fn keep(mut self, wanted: &Path) -> anyhow::Result<()> {
        self.file.flush().context("Write the export")?;
        self.file.sync_all().context("Write the export")?;
        std::fs::rename(&self.path, wanted).with_context(|| format!("Write {}", wanted.display()))
    }
}

impl Drop for HalfFile {
    fn drop(&mut self) {
        // After `keep` it is not there any more.
        std::fs::remove_file(&self.path).unwrap_or_default();
    }
}

pub(super) async fn erase(app: &App, command: &EraseCommand) -> anyhow::Result<Exit> {
    match command {
        EraseCommand::Lead {
            lead,
            yes,
            reason,
            no_vacuum,
        } => erase_lead(app, lead, *yes, reason, !no_vacuum).await,
        EraseCommand::List { json } => {
            let rows = app
                .store()
                .read(|r| r.erasures(10_000))
                .await
                .map_err(|e: StoreError| e)?;
            if *json {
                say(&format!("{}\n", serde_json::to_string(&rows)?))?;
                return Ok(Exit::Done);
            }
            let mut text = String::new();
            for row in rows {
                writeln!(
                    text,
                    "lead {}  erased {}  by {}  {}{}",
                    row.lead_row,
                    row.erased_at.rfc3339(),
                    row.erased_by,
                    row.reason,
                    if row.lifted { "  (brought back)" } else { "" }
                )?;
            }
            say(&text)?;
            Ok(Exit::Done)
        }
    }
}

async fn find(app: &App, named: &str) -> anyhow::Result<Erasable> {
    let named = named.to_owned();
    let found: Vec<LeadRowId> = app
        .store()
        .read(move |r| {
            if let Some(id) = r.lead_by_lead_id(&named)? {
                return Ok(vec![id]);
            }
            let leads = r.leads_by_address(&address_key(&named))?;
            Ok(leads.into_iter().map(|l| l.id).collect())
        })
        .await
        .map_err(|e: StoreError| e)?;
    let [id] = *found else {
        if found.is_empty() {
            bail!("There is no such lead: name it by its lead_id or its address");
        }
        bail!(
            "{} leads have this address: name one by its lead_id",
            found.len()
        );
    };
    Ok(app
        .store()
        .read(move |r| r.erasable(id))
        .await
        .map_err(|e: StoreError| e)?)
}

async fn erase_lead(
    app: &App,
    named: &str,
    yes: bool,
    reason: &str,
    vacuum: bool,
) -> anyhow::Result<Exit> {
    let lead = find(app, named).await?;
    let senders: Vec<String> = lead.addresses.iter().map(|a| app.keys().hash(a)).collect();
    let (asked, of) = (lead.clone(), senders.clone());
    let counts = app
        .store()
        .read(move |r| r.erasable_counts(&asked, &of))
        .await
        .map_err(|e: StoreError| e)?;
    let mut text = String::new();
    for (table, n) in &counts {
        writeln!(text, "  {table}: {n}")?;
    }
    if !yes {
        say(&format!(
            "Lead {} ({}, {}) would be erased, with what these rows say:\n{text}\
             Nothing was changed: --yes erases it, and cannot be taken back.\n",
            lead.lead_id,
            lead.name,
            lead.addresses.join(", ")
        ))?;
        return Ok(Exit::Done);
    }
    let mut hashes = senders.clone();
    hashes.push(crate::campaign::lead_hash(app.keys(), &lead.lead_id));
    let (by, reason) = (who(), reason.to_owned());
    let id = lead.id;
    app.store()
        .write(move |tx| tx.erase_lead(&lead, &senders, &hashes, (&by, &reason), time::now()))
        .await
        .map_err(|e: StoreError| e)?;
    let clean = app.store().scrub(vacuum).await?;
    say(&format!(
        "Lead {id} was erased, with what these rows said:\n{text}"
    ))?;
    if !clean {
        say(
            "A running replyd was reading: the write-ahead log still holds what was erased until its next \
             checkpoint. Run `replyd erase list` later, or stop the service and start it.\n",
        )?;
    }
    say("Copies of the database that you made hold the lead still.\n")?;
    Ok(Exit::Done)
}
