//! `campaign set`, and the folder with a campaign's documents.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, bail};

use super::{find, say, shell_word};
use crate::answers::Library;
use crate::app::App;
use crate::cli::{CampaignSetArgs, Exit};
use crate::hours::WorkingHours;
use crate::model::CampaignId;
use crate::store::{CampaignChange, CampaignRules, StoreError};
use crate::time;
use crate::zone::ZoneChoice;

/// Takes a campaign's own rule back.
const DEFAULT: &str = "default";

pub(super) async fn set(app: &App, args: &CampaignSetArgs) -> anyhow::Result<Exit> {
    let campaign = find(app, &args.name).await?;
    let documents = args.documents.as_deref().map(folder).transpose()?;
    let given = args.clone();
    let before: CampaignRules = app
        .store()
        .read(move |r| r.campaign_rules(campaign.id))
        .await
        .map_err(|e: StoreError| e)?;
    let rules = changed(args, &before)?;
    app.store()
        .write(move |tx| -> Result<_, StoreError> {
            let now = time::now();
            let change = CampaignChange {
                project_name: given.project.as_deref(),
                sender_name: given.sender_name.as_deref(),
                mode: given.mode,
                ..CampaignChange::default()
            };
            tx.change_campaign(&given.name, &change, now)?;
            tx.set_campaign_rules(campaign.id, &rules, now)?;
            if documents.is_some() || given.no_documents {
                tx.set_documents_folder(campaign.id, documents.as_deref(), now)?;
            }
            Ok(())
        })
        .await?;
    let mut out = format!("Campaign {} is changed\n", args.name);
    if args.documents.is_some() {
        out.push_str(&indexed(app, &args.name).await?);
    } else if args.no_documents {
        out.push_str("Questions of its leads go to people\n");
    }
    say(&out)?;
    Ok(Exit::Done)
}

/// The campaign's own rules as they are to be, all checked.
fn changed(args: &CampaignSetArgs, before: &CampaignRules) -> anyhow::Result<CampaignRules> {
    let fraction = |what: &str, given: Option<&String>, before: Option<f64>| match given {
        None => Ok(before),
        Some(word) if word == DEFAULT => Ok(None),
        Some(word) => match word.parse::<f64>() {
            Ok(x) if (0.0..=1.0).contains(&x) => Ok(Some(x)),
            _ => bail!("{what} {word:?} is no number from 0 to 1, nor `{DEFAULT}`"),
        },
    };
    let working_hours = match args.working_hours.as_deref() {
        None => before.working_hours.clone(),
        Some(DEFAULT) => None,
        Some("none") => Some("none".to_owned()),
        Some(text) => {
            let hours = WorkingHours::parse(text).map_err(|e| anyhow::anyhow!("Hours: {e}"))?;
            Some(hours.as_str().to_owned())
        }
    };
    let zone = match args.zone.as_deref() {
        None => before.zone.clone(),
        Some(DEFAULT) => None,
        Some(text) => match ZoneChoice::parse(text) {
            Ok(_) => Some(text.trim().to_owned()),
            Err(remedy) => bail!("Zone {text:?} is not known. {remedy}"),
        },
    };
    Ok(CampaignRules {
        goal_threshold: fraction(
            "Goal threshold",
            args.goal_threshold.as_ref(),
            before.goal_threshold,
        )?,
        question_threshold: fraction(
            "Question threshold",
            args.question_threshold.as_ref(),
            before.question_threshold,
        )?,
        margin: fraction("Margin", args.margin.as_ref(), before.margin)?,
        working_hours,
        zone,
    })
}

/// What a campaign says for itself, for people; empty: all is as the settings say.
pub(super) fn rules_line(rules: &CampaignRules) -> String {
    let number = |name: &str, x: Option<f64>| x.map(|x| format!("{name} {x}"));
    let text = |name: &str, x: &Option<String>| x.as_ref().map(|x| format!("{name} {x}"));
    [
        number("goal threshold", rules.goal_threshold),
        number("question threshold", rules.question_threshold),
        number("margin", rules.margin),
        text("working hours", &rules.working_hours),
        text("zone", &rules.zone),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(", ")
}

/// The folder by its absolute path: the service starts elsewhere.
pub(super) fn folder(given: &Path) -> anyhow::Result<String> {
    let path = given
        .canonicalize()
        .with_context(|| format!("Folder {}", given.display()))?;
    if !path.is_dir() {
        bail!("{} is not a folder", given.display());
    }
    let text = path.to_str().context("The folder's path is not UTF-8")?;
    Ok(text.to_owned())
}

/// Indexes the campaign's folder, and what there is to say of it.
pub(super) async fn indexed(app: &App, name: &str) -> anyhow::Result<String> {
    let id = find(app, name).await?.id;
    let refreshed = Library::new(app.store().clone()).refresh(id).await?;
    let mut out = String::new();
    for (file, why) in refreshed.map(|r| r.troubles).unwrap_or_default() {
        let file = if file.is_empty() {
            "Folder".to_owned()
        } else {
            file
        };
        writeln!(out, "Not indexed: {file}: {why}")?;
    }
    if let Some(line) = documents_line(app, id).await? {
        writeln!(out, "Documents: {line}")?;
    }
    let word = shell_word(name);
    writeln!(
        out,
        "Try it: replyd documents ask 'Are pets allowed?' --campaign {word}"
    )?;
    Ok(out)
}

/// Where a campaign's documents lie, and how many passages they have.
pub(super) async fn documents_line(app: &App, id: CampaignId) -> anyhow::Result<Option<String>> {
    let found = app
        .store()
        .read(move |r| -> Result<_, StoreError> { Ok((r.documents_folder(id)?, r.documents(id)?)) })
        .await?;
    let (Some(folder), files) = found else {
        return Ok(None);
    };
    let passages: u32 = files.iter().map(|f| f.chunks).sum();
    let broken = files.iter().filter(|f| !f.trouble.is_empty()).count();
    let trouble = if !folder.trouble.is_empty() {
        format!("; TROUBLE: {}", folder.trouble)
    } else if broken > 0 {
        format!("; TROUBLE with {broken}: replyd documents check")
    } else {
        String::new()
    };
    Ok(Some(format!(
        "{} ({} files, {passages} passages{trouble})",
        folder.folder,
        files.len()
    )))
}
