//! `webhooks list|deliveries|replay|test`.

use std::fmt::Write as _;

use anyhow::{Context, bail};

use super::say;
use crate::app::App;
use crate::cli::{Exit, WebhooksCommand};
use crate::store::StoreError;
use crate::time::{self, UtcMs};

pub(super) async fn webhooks(app: &App, command: &WebhooksCommand) -> anyhow::Result<Exit> {
    match command {
        WebhooksCommand::List { json } => list(app, *json).await,
        WebhooksCommand::Deliveries {
            name,
            failed,
            limit,
            json,
        } => {
            let state = failed.then_some("failed");
            deliveries(app, name.clone(), state, *limit, *json).await
        }
        WebhooksCommand::Replay { name, id, since } => {
            replay(app, name, *id, since.as_deref()).await
        }
        WebhooksCommand::Test { name } => test(app, name).await,
    }
}

async fn list(app: &App, json: bool) -> anyhow::Result<Exit> {
    let hooks = &app.settings().webhooks;
    let names: Vec<String> = hooks.iter().map(|w| w.name.clone()).collect();
    let status = app
        .store()
        .read(move |r| r.hook_status(&names))
        .await
        .map_err(|e: StoreError| e)?;
    if json {
        say(&format!("{}\n", serde_json::to_string(&status)?))?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for (hook, is) in hooks.iter().zip(&status) {
        let events: Vec<&str> = hook.events.iter().map(|e| e.as_str()).collect();
        let campaigns = if hook.campaigns.is_empty() {
            "all campaigns".to_owned()
        } else {
            hook.campaigns.join(", ")
        };
        writeln!(
            text,
            "{}: {} of {campaigns}; {} wait ({} were tried), {} failed{}{}",
            hook.name,
            events.join(", "),
            is.due,
            is.retrying,
            is.failed,
            if is.error.is_empty() { "" } else { ": " },
            is.error
        )?;
    }
    if hooks.is_empty() {
        text.push_str("There is no [[webhooks]] in replyd.toml (docs/RECIPES.md).\n");
    }
    say(&text)?;
    Ok(Exit::Done)
}

async fn deliveries(
    app: &App,
    name: Option<String>,
    state: Option<&'static str>,
    limit: u32,
    json: bool,
) -> anyhow::Result<Exit> {
    let rows = app
        .store()
        .read(move |r| r.deliveries(name.as_deref(), state, limit))
        .await
        .map_err(|e: StoreError| e)?;
    if json {
        say(&format!("{}\n", serde_json::to_string(&rows)?))?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for row in rows {
        write!(
            text,
            "{:>6}  {}  {}  event {} {}  {}, {} attempts",
            row.id,
            row.created_at.rfc3339(),
            row.webhook,
            row.event_id,
            row.kind,
            row.state,
            row.attempts
        )?;
        if !row.error.is_empty() {
            write!(text, ": {}", row.error)?;
        }
        if let Some(at) = row.next_at {
            write!(text, "; next {}", at.rfc3339())?;
        }
        text.push('\n');
    }
    say(&text)?;
    Ok(Exit::Done)
}

async fn replay(
    app: &App,
    name: &str,
    id: Option<i64>,
    since: Option<&str>,
) -> anyhow::Result<Exit> {
    if !app.settings().webhooks.iter().any(|w| w.name == name) {
        bail!("There is no webhook {name:?} in the settings");
    }
    let since = since
        .map(|text| UtcMs::parse_day_or_time(text).with_context(|| format!("{text:?} is no time")))
        .transpose()?;
    let (webhook, now) = (name.to_owned(), time::now());
    let n = app
        .store()
        .write(move |tx| tx.replay_deliveries(&webhook, id, since, now))
        .await
        .map_err(|e: StoreError| e)?;
    say(&format!(
        "{n} deliveries of {name} are due again: the running service tells them within a minute\n"
    ))?;
    Ok(if n == 0 && id.is_some() {
        Exit::Failed
    } else {
        Exit::Done
    })
}

async fn test(app: &App, name: &str) -> anyhow::Result<Exit> {
    let outcome = app.hooks().test(name).await?;
    if outcome.error.is_empty() {
        let status = outcome.status.unwrap_or_default();
        say(&format!("{name} took it: status {status}\n"))?;
        return Ok(Exit::Done);
    }
    say(&format!("{name} did not take it: {}\n", outcome.error))?;
    Ok(Exit::TryLater)
}
