//! `leads import`, `sent import`, `sent add`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

use super::{bar, say};
use crate::app::App;
use crate::campaign::{self, ImportOptions, ImportProgress, ImportReport, SentEntry};
use crate::cli::{Exit, ImportCommand, LeadsCommand, SentCommand};

pub(super) async fn leads(app: &App, command: &LeadsCommand) -> anyhow::Result<Exit> {
    let LeadsCommand::Import {
        file,
        campaign,
        erased_too,
    } = command;
    let reader = open(file)?;
    let options = ImportOptions {
        campaign: campaign.clone(),
        erased_too: *erased_too,
        ..options(file, "leads")
    };
    let report = campaign::import_leads(app.store(), app.keys(), reader, options)
        .await
        .with_context(|| format!("Import {}", file.display()))?;
    tell(app, "leads", &report)
}

pub(super) async fn sent(app: &App, command: &SentCommand) -> anyhow::Result<Exit> {
    match command {
        // It signs in to a server, and has a file of its own.
        SentCommand::Scan(_) => Ok(Exit::Usage),
        SentCommand::Import { file } => {
            let reader = open(file)?;
            let report =
                campaign::import_sent(app.store(), app.keys(), reader, options(file, "sent mails"))
                    .await
                    .with_context(|| format!("Import {}", file.display()))?;
            tell(app, "sent mails", &report)
        }
        SentCommand::Add(args) => {
            let entry = SentEntry {
                message_id: args.message_id.clone(),
                lead: args.lead.clone(),
                campaign: args.campaign.clone(),
                date: args
                    .date
                    .clone()
                    .unwrap_or_else(|| crate::time::now().rfc3339()),
                subject: args.subject.clone().unwrap_or_default(),
                body: String::new(),
            };
            let added = campaign::add_sent(app.store(), app.keys(), entry).await?;
            say(&format!(
                "Known now: sent mail {} of campaign_lead {}\n",
                added.sent_id, added.campaign_lead_id
            ))?;
            Ok(Exit::Done)
        }
    }
}

/// `import django`.
pub(super) async fn predecessor(app: &App, command: &ImportCommand) -> anyhow::Result<Exit> {
    let ImportCommand::Django { file, json } = command;
    let report = campaign::import_django(app.store(), app.keys(), file).await?;
    let exit = if report.failed() > 0 {
        Exit::Failed
    } else {
        Exit::Done
    };
    if *json {
        say(&format!("{}\n", serde_json::to_string(&report)?))?;
        return Ok(exit);
    }
    let mut text = String::new();
    for error in &report.errors {
        writeln!(
            text,
            "record {} ({}): {}",
            error.record, error.what, error.reason
        )?;
    }
    for (model, n) in &report.models {
        write!(
            text,
            "{model}: {} new, {} updated, {} unchanged, {} errors",
            n.new, n.updated, n.unchanged, n.failed
        )?;
        if n.known_here > 0 {
            write!(text, ", {} captured here already", n.known_here)?;
        }
        text.push('\n');
    }
    if report.others > 0 {
        writeln!(
            text,
            "{} records of other models were passed over",
            report.others
        )?;
    }
    if report.refetch > 0 {
        writeln!(
            text,
            "{} stored messages may answer them now: looked at at the next check",
            report.refetch
        )?;
    }
    writeln!(text, "Database: {}", app.store().path().display())?;
    say(&text)?;
    Ok(exit)
}

fn open(file: &Path) -> anyhow::Result<File> {
    File::open(file).with_context(|| format!("Open {}", file.display()))
}

fn options(file: &Path, what: &'static str) -> ImportOptions {
    if !std::io::stderr().is_terminal() {
        return ImportOptions::default();
    }
    let size = std::fs::metadata(file).map_or(0, |m| m.len());
    let bar = bar(what);
    bar.set_length(size);
    let progress = move |p: ImportProgress| bar.set_position(p.bytes);
    ImportOptions {
        progress: Some(Arc::new(progress)),
        ..ImportOptions::default()
    }
}

/// Rows that went in, and each bad one with its line. A script sees by the exit code that rows
/// were left out.
fn tell(app: &App, what: &str, report: &ImportReport) -> anyhow::Result<Exit> {
    let mut text = String::new();
    for error in &report.errors {
        writeln!(text, "line {}: {}", error.line, error.reason)?;
    }
    for column in &report.unknown_columns {
        writeln!(text, "column {column:?} is not known and was left out")?;
    }
    writeln!(
        text,
        "Import of {what}: {} new, {} updated, {} unchanged, {} errors",
        report.new, report.updated, report.unchanged, report.failed
    )?;
    if report.refetch > 0 {
        writeln!(
            text,
            "{} stored messages may answer them now: looked at at the next check",
            report.refetch
        )?;
    }
    writeln!(text, "Database: {}", app.store().path().display())?;
    say(&text)?;
    Ok(if report.failed > 0 {
        Exit::Failed
    } else {
        Exit::Done
    })
}
