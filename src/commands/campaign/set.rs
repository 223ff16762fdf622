//! `campaign set`, and the folder with a campaign's documents.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, bail};

use super::{find, say, shell_word};
use crate::answers::Library;
use crate::app::App;
use crate::cli::{CampaignSetArgs, Exit};
use crate::model::CampaignId;
use crate::store::{CampaignChange, StoreError};
use crate::time;

pub(super) async fn set(app: &App, args: &CampaignSetArgs) -> anyhow::Result<Exit> {
    let campaign = find(app, &args.name).await?;
    let documents = args.documents.as_deref().map(folder).transpose()?;
    let given = args.clone();
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
