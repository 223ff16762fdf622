//! `automation off|on|status` and `suppress add|list|remove`.

use std::fmt::Write as _;

use anyhow::{Context, bail};
use serde_json::json;

use super::say;
use crate::app::App;
use crate::cli::{AutomationCommand, Exit, ScopeArgs, SuppressCommand};
use crate::model::address_key;
use crate::store::{AutomationScope, Released, StoreError, Suppression};
use crate::time;

/// Lines of one list.
const LIMIT: u32 = 1000;

pub(super) async fn automation(app: &App, command: &AutomationCommand) -> anyhow::Result<Exit> {
    match command {
        AutomationCommand::Off { scope, reason } => {
            let (scope, name) = scope_of(app, scope).await?;
            let (who, reason) = (who(), reason.clone());
            let held = app
                .store()
                .write(move |tx| tx.switch_automation_off(scope, &who, &reason, time::now()))
                .await
                .context("Switch automation off")?;
            say(&format!(
                "Automation is off for {name}: {held} mails held in all. On again: replyd automation on{}\n",
                flag(scope, &name)
            ))?;
            Ok(Exit::Done)
        }
        AutomationCommand::On { scope } => {
            let (scope, name) = scope_of(app, scope).await?;
            let done: Released = app
                .store()
                .write(move |tx| tx.switch_automation_on(scope, time::now()))
                .await
                .context("Switch automation on")?;
            let mut text = String::new();
            let resumed = match scope {
                AutomationScope::Lead(lead) => app
                    .store()
                    .write(move |tx| tx.end_pause(lead, time::now()))
                    .await
                    .map_err(|e: StoreError| e)?,
                _ => false,
            };
            if resumed {
                writeln!(text, "The pause of campaign mails to {name} ends")?;
            }
            if done.was_off {
                writeln!(text, "Automation is on for {name}")?;
            } else if !resumed {
                writeln!(text, "Automation was not off for {name}")?;
            }
            for (n, what) in [
                (done.released, "held mails leave in their turn"),
                (
                    done.drafted,
                    "answers are too old by now: see replyd drafts list",
                ),
                (
                    done.withdrawn,
                    "withdrawn: their leads want no more mail, or the mode says so",
                ),
                (done.held, "still held: something else is off for them too"),
            ] {
                if n > 0 {
                    writeln!(text, "  {n} {what}")?;
                }
            }
            say(&text)?;
            status(app, false, true).await
        }
        AutomationCommand::Status { json } => status(app, *json, false).await,
    }
}

/// `only_off`: says nothing when all is on.
async fn status(app: &App, json: bool, only_off: bool) -> anyhow::Result<Exit> {
    let now = time::now();
    let (off, held, paused) = app
        .store()
        .read(move |r| {
            let paused = r.paused_leads(now, LIMIT)?;
            Ok::<_, StoreError>((r.automation_off()?, r.held_mails()?, paused))
        })
        .await?;
    if json {
        let status = json!({ "off": off, "held": held, "paused_leads": paused });
        say(&format!("{status}\n"))?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for line in &off {
        writeln!(text, "automation is off {line}")?;
    }
    if off.is_empty() && !only_off {
        writeln!(text, "Automation is on.")?;
    }
    if held > 0 {
        writeln!(text, "mails held: {held}")?;
    }
    for lead in paused.iter().filter(|_| !only_off) {
        writeln!(
            text,
            "no campaign mail to lead {} {} before {}: {}",
            lead.lead_id,
            lead.name,
            lead.until.rfc3339(),
            lead.reason
        )?;
    }
    say(&text)?;
    Ok(Exit::Done)
}

/// The scope with a name for people.
async fn scope_of(app: &App, args: &ScopeArgs) -> anyhow::Result<(AutomationScope, String)> {
    let args = args.clone();
    app.store()
        .read(move |r| -> anyhow::Result<_> {
            if let Some(name) = &args.campaign {
                let Some(id) = r.campaign_by_name(name)? else {
                    bail!("Campaign {name:?} not found: `replyd campaign list` shows them");
                };
                return Ok((AutomationScope::Campaign(id), format!("campaign {name}")));
            }
            if let Some(lead) = &args.lead {
                let Some(id) = r.lead_by_lead_id(lead)? else {
                    bail!("Lead {lead:?} not found: give the lead_id of the import");
                };
                return Ok((AutomationScope::Lead(id), format!("lead {lead}")));
            }
            Ok((AutomationScope::All, "everything".to_owned()))
        })
        .await
}

fn flag(scope: AutomationScope, name: &str) -> String {
    match scope {
        AutomationScope::All => String::new(),
        _ => format!(" --{name}"),
    }
}

/// Who sits at the keyboard, for the record.
pub(super) fn who() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .map(|who| who.chars().filter(|c| !c.is_control()).take(64).collect())
        .find(|who: &String| !who.is_empty())
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

pub(super) async fn suppress(app: &App, command: &SuppressCommand) -> anyhow::Result<Exit> {
    match command {
        SuppressCommand::Add { address, reason } => {
            let (key, reason) = (key_of(address)?, reason.clone());
            let shown = key.clone();
            let known: Vec<Suppression> = app
                .store()
                .write(move |tx| {
                    tx.suppress(&key, &reason, None, time::now())?;
                    tx.suppressions(Some(&key), 1)
                })
                .await
                .map_err(|e: StoreError| e)?;
            let why = known.first().map_or("", |s| s.reason.as_str());
            say(&format!("{shown} gets no more mail ({why})\n"))?;
            Ok(Exit::Done)
        }
        SuppressCommand::List { address, json } => {
            let only = address.as_deref().map(key_of).transpose()?;
            let list: Vec<Suppression> = app
                .store()
                .read(move |r| r.suppressions(only.as_deref(), LIMIT))
                .await
                .map_err(|e: StoreError| e)?;
            if *json {
                say(&format!("{}\n", serde_json::to_string_pretty(&list)?))?;
                return Ok(Exit::Done);
            }
            let mut text = String::new();
            for s in &list {
                writeln!(
                    text,
                    "{}  {:<40} {}",
                    s.since.rfc3339(),
                    s.address,
                    s.reason
                )?;
            }
            if list.is_empty() {
                text.push_str(if address.is_some() {
                    "It may get mail.\n"
                } else {
                    "No address is suppressed.\n"
                });
            }
            say(&text)?;
            Ok(Exit::Done)
        }
        SuppressCommand::Remove { address } => {
            let key = key_of(address)?;
            let shown = key.clone();
            let removed: bool = app
                .store()
                .write(move |tx| tx.unsuppress(&key))
                .await
                .map_err(|e: StoreError| e)?;
            if !removed {
                bail!("{shown} is not suppressed");
            }
            say(&format!(
                "{shown} may get mail again; what was withdrawn stays so (campaign send --retry)\n"
            ))?;
            Ok(Exit::Done)
        }
    }
}

fn key_of(address: &str) -> anyhow::Result<String> {
    let key = address_key(address);
    if key.is_empty() {
        bail!("{address:?} is not a mail address");
    }
    Ok(key)
}
