//! `sent scan`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::{complain, progress, say};
use crate::app::App;
use crate::capture::ScanReport;
use crate::cli::{Exit, SentScanArgs};
use crate::listener::{Ended, ScanError};

/// One account, as `--json` shows it.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    report: Option<ScanReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(super) async fn scan(app: App, args: &SentScanArgs) -> anyhow::Result<Exit> {
    let app = app.with_progress(progress("sent mails"));
    let campaign = args.campaign.as_deref().map(str::trim);
    if campaign.is_some_and(str::is_empty) {
        anyhow::bail!("--campaign is empty");
    }
    let done = app
        .scan_sent(
            args.days,
            args.account.as_deref(),
            campaign,
            |name, wait| {
                complain(&format!(
                    "{name}: waiting {} s, signing in once a minute at most",
                    wait.as_secs().saturating_add(1)
                ));
            },
        )
        .await?;
    let mut exit = Exit::Done;
    let mut text = String::new();
    let mut shown = BTreeMap::new();
    for (name, result) in done {
        match result {
            Ok(report) => {
                if !report.errors.is_empty() {
                    exit = Exit::Failed;
                }
                tell(&mut text, &name, &report)?;
                shown.insert(
                    name,
                    Shown {
                        report: Some(report),
                        error: None,
                    },
                );
            }
            Err(e) => {
                exit = exit.worse(exit_of(&e));
                complain(&format!("{name}: {e}"));
                shown.insert(
                    name,
                    Shown {
                        report: None,
                        error: Some(e.to_string()),
                    },
                );
            }
        }
    }
    if args.json {
        say(&format!("{}\n", serde_json::to_string_pretty(&shown)?))?;
    } else {
        say(&text)?;
    }
    Ok(exit)
}

fn tell(text: &mut String, name: &str, r: &ScanReport) -> anyhow::Result<()> {
    for error in &r.errors {
        writeln!(text, "{name}: {error}")?;
    }
    writeln!(
        text,
        "{name}, folder {:?}: {} mails, {} recorded ({} answers by people), {} known already, \
         {} to nobody known, {} without Message-ID, {} errors",
        r.folder,
        r.looked_at,
        r.recorded,
        r.answers,
        r.known,
        r.nobody,
        r.without_id,
        r.errors.len()
    )?;
    if r.to_several > 0 {
        writeln!(
            text,
            "{} went to several leads at once: answers of all but the first go to people",
            r.to_several
        )?;
    }
    if r.settled > 0 {
        writeln!(
            text,
            "{} mails of unknown fate lie there: they were sent",
            r.settled
        )?;
    }
    if r.campaigns_made > 0 {
        writeln!(
            text,
            "A campaign {:?} was made for leads that are in none",
            crate::capture::SCAN_CAMPAIGN
        )?;
    }
    if r.refetch > 0 {
        writeln!(
            text,
            "{} stored messages may answer them now: looked at at the next check",
            r.refetch
        )?;
    }
    Ok(())
}

fn exit_of(e: &ScanError) -> Exit {
    match e {
        ScanError::Ended(ended) if ended.needs_sign_in() => Exit::NeedsPerson,
        ScanError::Ended(Ended::Imap(_) | Ended::NotBefore(_) | Ended::Held) => Exit::TryLater,
        ScanError::Ended(_) | ScanError::NoFolder(_) => Exit::Failed,
    }
}
