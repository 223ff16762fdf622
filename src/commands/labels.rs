//! `label` and `corrections list|export|remove`: what a lead wants by a person's word.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};

use super::automation::who;
use super::{complain, say};
use crate::app::App;
use crate::cli::{CorrectionsCommand, CorrectionsExportArgs, Exit, LabelArgs};
use crate::desk::{Labelled, export_answers, export_rows};
use crate::model::{ConversationId, DraftId, GoalType, Intent, MessageRowId};
use crate::store::{CorrectionRow, DraftEdit, StoreError};
use crate::time;

/// Of a reply in the list.
const TEXT_CHARS: usize = 100;

pub(super) async fn label(app: &App, args: &LabelArgs) -> anyhow::Result<Exit> {
    let (message, word) = message_and_word(app, args).await?;
    let intent: Intent = word.parse().map_err(|_| {
        let all: Vec<&str> = Intent::ALL.iter().map(|i| i.as_str()).collect();
        anyhow::anyhow!("{word:?} is no label; labels are {}", all.join(", "))
    })?;
    let goal_type: Option<GoalType> = args
        .goal_type
        .as_deref()
        .map(|t| {
            t.parse()
                .map_err(|_| anyhow::anyhow!("{t:?} is no step: viewing, sales_call or other"))
        })
        .transpose()?;
    let done: Labelled = app
        .desk()
        .label(message, intent, goal_type, &who(), time::now())
        .await?;
    if args.json {
        say(&format!("{}\n", serde_json::to_string(&done)?))?;
        return Ok(Exit::Done);
    }
    let mut text = format!("Message {message} is {}", done.intent);
    if let Some(goal) = done.goal_type {
        write!(text, " ({goal})")?;
    }
    if done.was_intent.is_empty() {
        writeln!(text, "; nothing was read of it")?;
    } else if done.was_intent == done.intent.as_str() {
        writeln!(text, ", as it was read ({:.2})", done.was_confidence)?;
    } else {
        writeln!(
            text,
            "; it was read as {} ({:.2})",
            done.was_intent, done.was_confidence
        )?;
    }
    for address in &done.suppressed {
        writeln!(
            text,
            "{address} gets no more mail: what waits is withdrawn, its drafts are closed"
        )?;
    }
    for hint in &done.hints {
        writeln!(text, "{hint}")?;
    }
    text.push_str("Nothing was sent. For the next training: replyd corrections export\n");
    say(&text)?;
    Ok(Exit::Done)
}

async fn message_and_word(app: &App, args: &LabelArgs) -> anyhow::Result<(MessageRowId, String)> {
    let named = match (args.draft, args.conversation) {
        (Some(draft), _) => {
            let id = DraftId(draft);
            let found = app
                .store()
                .read(move |r| r.draft_row(id))
                .await
                .map_err(|e: StoreError| e)?;
            Some(
                found
                    .with_context(|| format!("Draft {id} not found"))?
                    .message_id,
            )
        }
        (None, Some(line)) => {
            let id = ConversationId(line);
            let found = app
                .store()
                .read(move |r| r.message_of_line(id))
                .await
                .map_err(|e: StoreError| e)?;
            Some(found.with_context(|| format!("Conversation {id} is a mail of ours"))?)
        }
        (None, None) => None,
    };
    match (named, args.words.as_slice()) {
        (Some(message), [word]) => Ok((message, word.clone())),
        (None, [message, word]) => {
            let id = match message.parse() {
                Ok(number) => MessageRowId(number),
                Err(_) => super::replay::with_message_id(app, message).await?,
            };
            Ok((id, word.clone()))
        }
        (Some(_), _) => bail!("Say the label alone beside --draft or --conversation"),
        (None, _) => bail!("Say which message, and its label: replyd label 812 not_now"),
    }
}

pub(super) async fn corrections(app: &App, command: &CorrectionsCommand) -> anyhow::Result<Exit> {
    match command {
        CorrectionsCommand::List { json } => list(app, *json).await?,
        CorrectionsCommand::Export(args) => export(app, args).await?,
        CorrectionsCommand::Remove { message } => {
            let id = MessageRowId(*message);
            let removed: bool = app
                .store()
                .write(move |tx| tx.remove_correction(id))
                .await
                .map_err(|e: StoreError| e)?;
            if !removed {
                bail!("Message {id} has no label by a person");
            }
            say(&format!(
                "The label of message {id} is taken back; an address that it suppressed stays so\n"
            ))?;
        }
    }
    Ok(Exit::Done)
}

async fn list(app: &App, json: bool) -> anyhow::Result<()> {
    let rows: Vec<CorrectionRow> = app
        .store()
        .read(|r| r.corrections())
        .await
        .map_err(|e: StoreError| e)?;
    let mut text = String::new();
    for row in &rows {
        if json {
            writeln!(text, "{}", serde_json::to_string(row)?)?;
            continue;
        }
        let words: Vec<&str> = row.text.split_whitespace().collect();
        let words: String = words.join(" ").chars().take(TEXT_CHARS).collect();
        let was = if row.was_intent.is_empty() {
            "nothing"
        } else {
            &row.was_intent
        };
        writeln!(
            text,
            "{:>6}  {was} {:.2} -> {}{}  {} {}  {words}",
            row.message.0,
            row.was_confidence,
            row.intent,
            if row.goal_type.is_empty() {
                String::new()
            } else {
                format!(" ({})", row.goal_type)
            },
            row.made_at.rfc3339(),
            row.made_by,
        )?;
    }
    if rows.is_empty() && !json {
        text.push_str("No label was put right: replyd label MESSAGE LABEL\n");
    }
    say(&text)
}

async fn export(app: &App, args: &CorrectionsExportArgs) -> anyhow::Result<()> {
    let (text, n, what) = if args.answers {
        let campaign = args.campaign.clone();
        let edits: Vec<DraftEdit> = app
            .store()
            .read(move |r| r.draft_edits(campaign.as_deref()))
            .await
            .map_err(|e: StoreError| e)?;
        let (text, n) = export_answers(&edits);
        (text, n, "entries; read them before leads do")
    } else {
        let approved = args.approved;
        let (labels, confirmed): (Vec<CorrectionRow>, Vec<CorrectionRow>) = app
            .store()
            .read(move |r| {
                let confirmed = if approved {
                    r.confirmed_by_drafts()?
                } else {
                    Vec::new()
                };
                Ok::<_, StoreError>((r.corrections()?, confirmed))
            })
            .await?;
        let (text, n) = export_rows(&labels, &confirmed);
        (text, n, "rows for replyd train")
    };
    match args.out.as_deref() {
        None => say(&text)?,
        Some(path) if path == Path::new("-") => say(&text)?,
        Some(path) => {
            // It holds what leads wrote.
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(path)
                .with_context(|| format!("Write {}", path.display()))?;
            file.write_all(text.as_bytes())
                .with_context(|| format!("Write {}", path.display()))?;
        }
    }
    complain(&format!("{n} {what}"));
    Ok(())
}
