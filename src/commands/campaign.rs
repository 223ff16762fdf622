//! `campaign create|list|show|send|pause|resume`.

mod holds;
mod send;
mod set;

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::json;

use super::automation::who;
use super::say;
use crate::app::App;
use crate::campaign::template::{MAX_TEMPLATE_BYTES, Source};
use crate::campaign::{self, pace::Pace};
use crate::cli::{CampaignCommand, CampaignCreateArgs, Exit};
use crate::config::SenderSettings;
use crate::store::{
    Campaign, CampaignChange, CampaignCounts, CampaignRules, Mailing, StoreError, Tx,
};
use crate::time;

/// Leads whose mail was refused that `show` names.
const REFUSED_LINES: u32 = 20;

pub(super) async fn campaign(app: &App, command: &CampaignCommand) -> anyhow::Result<Exit> {
    match command {
        CampaignCommand::Create(args) => create(app, args).await,
        CampaignCommand::List { json } => list(app, *json).await,
        CampaignCommand::Show { name, json } => show(app, name, *json).await,
        CampaignCommand::Set(args) => set::set(app, args).await,
        CampaignCommand::Send(args) => send::send(app, args).await,
        CampaignCommand::Pause { name, reason } => pause(app, name, reason).await,
        CampaignCommand::Resume { name } => resume(app, name).await,
    }
}

async fn create(app: &App, args: &CampaignCreateArgs) -> anyhow::Result<Exit> {
    let (text_file, html_file) = template_files(&args.template, args.html.as_deref());
    let text = read_text(&text_file)?;
    let html = match &html_file {
        Some(file) => read_text(file)?,
        None => String::new(),
    };
    let source = Source::read(args.subject.as_deref(), &text, &html)
        .with_context(|| format!("Template {}", text_file.display()))?;
    let sender = sender_for(app, args.account.as_deref())?;
    let mailing = Mailing {
        account: sender.account.clone(),
        subject: source.subject,
        text: source.text,
        html: source.html,
        paused: None,
    };
    campaign::compile(&mailing).with_context(|| format!("Template {}", text_file.display()))?;

    let documents = args.documents.as_deref().map(set::folder).transpose()?;

    let (name, replace) = (args.name.clone(), args.replace);
    let (by, default_mode) = (who(), app.settings().reply.mode);
    let (stored, said) = (mailing.clone(), args.clone());
    let (new, queued, counts) = app
        .store()
        .write(move |tx| -> anyhow::Result<_> {
            let there = tx.campaign(&name)?;
            let queued = match &there {
                Some(there) => may_change(tx, there, &stored, replace)?,
                None => 0,
            };
            let change = CampaignChange {
                project_name: said.project.as_deref(),
                sender_name: said.sender_name.as_deref(),
                offer_details: said.offer.as_deref(),
                mode: said.mode.or(there.is_none().then_some(default_mode)),
                created_by: &by,
            };
            let now = time::now();
            let (id, new) = tx.change_campaign(&name, &change, now)?;
            tx.put_mailing(id, &stored, now)?;
            if documents.is_some() {
                tx.set_documents_folder(id, documents.as_deref(), now)?;
            }
            Ok((new, queued, tx.campaign_counts(id)?))
        })
        .await?;
    let mut out = String::new();
    writeln!(
        out,
        "Campaign {} {}: {} leads, sent by account {} <{}>, {}",
        args.name,
        if new { "made" } else { "has its texts" },
        counts.leads,
        sender.account,
        sender.address,
        pace_words(&Pace::of(sender))
    )?;
    match html_file {
        Some(file) => writeln!(out, "HTML part: {}", file.display())?,
        None => writeln!(
            out,
            "Plain text only: no HTML file of that name beside it, and no --html"
        )?,
    }
    if args.documents.is_some() {
        out.push_str(&set::indexed(app, &args.name).await?);
    }
    if queued > 0 {
        writeln!(out, "{queued} queued mails keep the text that they have")?;
    }
    let name = shell_word(&args.name);
    if counts.leads == 0 {
        writeln!(out, "Next: replyd leads import FILE --campaign {name}")?;
    } else {
        writeln!(out, "Next: replyd campaign send {name} --dry-run")?;
    }
    say(&out)?;
    Ok(Exit::Done)
}

/// Whether a campaign that is there may get these texts; how many mails keep the old ones.
fn may_change(tx: &Tx<'_>, there: &Campaign, new: &Mailing, replace: bool) -> anyhow::Result<u64> {
    let Some(old) = &there.mailing else {
        return Ok(0);
    };
    if !replace {
        bail!(
            "Campaign {:?} has a template: give --replace to change it",
            there.name
        );
    }
    let queued = tx.campaign_queued(there.id)?;
    if queued > 0 && old.account != new.account {
        bail!(
            "{queued} mails of the campaign wait at account {}: let them leave first",
            old.account
        );
    }
    Ok(queued)
}

/// The text file, and the HTML file that is given or lies beside it.
fn template_files(given: &Path, html: Option<&Path>) -> (PathBuf, Option<PathBuf>) {
    let text = if given.is_dir() {
        given.join("template.txt")
    } else {
        given.to_owned()
    };
    let beside = text.with_extension("html");
    let html = match html {
        Some(html) => Some(html.to_owned()),
        None => (beside != text && beside.is_file()).then_some(beside),
    };
    (text, html)
}

fn read_text(file: &Path) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    // One more than allowed: then `Source::read` refuses it.
    let limit = u64::try_from(MAX_TEMPLATE_BYTES)?.saturating_add(1);
    File::open(file)
        .with_context(|| format!("Open template {}", file.display()))?
        .take(limit)
        .read_to_end(&mut bytes)
        .with_context(|| format!("Read template {}", file.display()))?;
    String::from_utf8(bytes)
        .ok()
        .with_context(|| format!("Template {} is not UTF-8 text", file.display()))
}

/// The account that sends: the named one, or the only one.
fn sender_for<'a>(app: &'a App, account: Option<&str>) -> anyhow::Result<&'a SenderSettings> {
    let senders = &app.settings().senders;
    let names = || {
        let names: Vec<&str> = senders.iter().map(|s| s.account.as_str()).collect();
        names.join(", ")
    };
    match (account, senders.as_slice()) {
        (_, []) => bail!("The settings name no account with an address: replyd config check"),
        (None, [only]) => Ok(only),
        (None, _) => bail!("Say which account sends: --account with one of {}", names()),
        (Some(wanted), _) => senders
            .iter()
            .find(|s| s.account == wanted)
            .with_context(|| {
                format!(
                    "No account {wanted:?} in the settings: there are {}",
                    names()
                )
            }),
    }
}

async fn find(app: &App, name: &str) -> anyhow::Result<Campaign> {
    let wanted = name.to_owned();
    let found = app
        .store()
        .read(move |r| r.campaign(&wanted))
        .await
        .map_err(|e: StoreError| e)?;
    found.with_context(|| format!("Campaign {name:?} not found: `replyd campaign list` shows them"))
}

async fn list(app: &App, json: bool) -> anyhow::Result<Exit> {
    let campaigns = app
        .store()
        .read(|r| {
            let campaigns = r.campaigns()?;
            campaigns
                .into_iter()
                .map(|c| r.campaign_counts(c.id).map(|counts| (c, counts)))
                .collect::<Result<Vec<_>, StoreError>>()
        })
        .await?;
    let mut text = String::new();
    let mut lines = Vec::new();
    for (c, counts) in &campaigns {
        let held = holds::of(app, c).await?;
        if json {
            lines.push(as_json(c, counts, &held));
            continue;
        }
        writeln!(
            text,
            "{:<24} {} leads, {} sent, {} queued, {} replied{}{}",
            c.name,
            counts.leads,
            counts.sent,
            counts.queued,
            counts.replied,
            if c.mailing.is_some() {
                ""
            } else {
                "; sent by another program"
            },
            if held.is_empty() || counts.queued == 0 {
                ""
            } else {
                "; HELD"
            },
        )?;
    }
    if json {
        text = format!("{}\n", serde_json::to_string_pretty(&lines)?);
    } else if campaigns.is_empty() {
        text.push_str("No campaign yet: replyd leads import FILE --campaign NAME\n");
    }
    say(&text)?;
    Ok(Exit::Done)
}

async fn show(app: &App, name: &str, json: bool) -> anyhow::Result<Exit> {
    let campaign = find(app, name).await?;
    let id = campaign.id;
    let (counts, refused, rules): (CampaignCounts, Vec<(String, String)>, CampaignRules) = app
        .store()
        .read(move |r| -> Result<_, StoreError> {
            Ok((
                r.campaign_counts(id)?,
                r.refused_leads(id, REFUSED_LINES)?,
                r.campaign_rules(id)?,
            ))
        })
        .await?;
    let held = holds::of(app, &campaign).await?;
    if json {
        let mut json = as_json(&campaign, &counts, &held);
        let refused = refused
            .iter()
            .map(|(lead, why)| json!({ "lead_id": lead, "why": why }));
        json["refused"] = refused.collect();
        json["rules"] = json!(rules);
        say(&format!("{}\n", serde_json::to_string_pretty(&json)?))?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    writeln!(text, "Campaign:  {}", campaign.name)?;
    if !campaign.project_name.is_empty() {
        writeln!(text, "Project:   {}", campaign.project_name)?;
    }
    writeln!(text, "Mode:      {}", campaign.mode)?;
    let own = set::rules_line(&rules);
    if !own.is_empty() {
        writeln!(text, "Rules:     {own}")?;
    }
    if let Some(documents) = set::documents_line(app, id).await? {
        writeln!(text, "Documents: {documents}")?;
    }
    match &campaign.mailing {
        Some(m) => {
            writeln!(text, "Account:   {}", m.account)?;
            writeln!(text, "Subject:   {}", m.subject)?;
            if let Ok(sender) = sender_for(app, Some(&m.account)) {
                writeln!(text, "Pace:      {}", pace_words(&Pace::of(sender)))?;
            }
        }
        None => writeln!(text, "Mails:     sent by another program")?,
    }
    for (what, n) in [
        ("leads", counts.leads),
        ("queued", counts.queued.saturating_add(counts.sending)),
        ("sent", counts.sent),
        ("unknown", counts.unknown),
        ("failed", counts.failed),
        ("withdrawn", counts.withdrawn),
        ("replied", counts.replied),
        ("opted out", counts.opted_out),
        ("bounced", counts.bounced),
    ] {
        writeln!(text, "{n:>9}  {what}")?;
    }
    if counts.unknown > 0 {
        writeln!(
            text,
            "Nobody knows whether the unknown ones arrived: replyd outbox list"
        )?;
    }
    for (lead, why) in &refused {
        writeln!(text, "Refused: lead {lead}: {why}")?;
    }
    for why in &held {
        writeln!(text, "Held: {why}")?;
    }
    say(&text)?;
    Ok(Exit::Done)
}

fn as_json(c: &Campaign, counts: &CampaignCounts, held: &[String]) -> serde_json::Value {
    let mailing = c.mailing.as_ref();
    json!({
        "name": c.name,
        "project": c.project_name,
        "mode": c.mode,
        "active": c.active,
        "account": mailing.map(|m| &m.account),
        "subject": mailing.map(|m| &m.subject),
        "paused": mailing.and_then(|m| m.paused.as_ref()),
        "counts": counts,
        "held": held,
    })
}

async fn pause(app: &App, name: &str, reason: &str) -> anyhow::Result<Exit> {
    let campaign = with_mailing(app, name).await?;
    let (id, by, reason) = (campaign.id, who(), reason.to_owned());
    let (was_running, queued) = app
        .store()
        .write(move |tx| -> Result<_, StoreError> {
            let was_running = tx.pause_campaign(id, &by, &reason, time::now())?;
            Ok((was_running, tx.campaign_queued(id)?))
        })
        .await?;
    let word = if was_running {
        "paused"
    } else {
        "was paused already"
    };
    say(&format!("Campaign {name} {word}: {queued} mails wait\n"))?;
    Ok(Exit::Done)
}

async fn resume(app: &App, name: &str) -> anyhow::Result<Exit> {
    let campaign = with_mailing(app, name).await?;
    let id = campaign.id;
    let account = campaign.mailing.map(|m| m.account).unwrap_or_default();
    let (was_paused, queued) = app
        .store()
        .write(move |tx| -> Result<_, StoreError> {
            let now = time::now();
            let was_paused = tx.resume_campaign(id, now)?;
            let account = tx.ensure_account(&account, now)?.id;
            tx.end_pace_stop(account)?;
            Ok((was_paused, tx.campaign_queued(id)?))
        })
        .await?;
    let word = if was_paused {
        "goes on"
    } else {
        "was not paused"
    };
    say(&format!(
        "Campaign {name} {word}: {queued} mails leave in their turn\n"
    ))?;
    let campaign = find(app, name).await?;
    for why in holds::of(app, &campaign).await? {
        say(&format!("Held: {why}\n"))?;
    }
    Ok(Exit::Done)
}

async fn with_mailing(app: &App, name: &str) -> anyhow::Result<Campaign> {
    let campaign = find(app, name).await?;
    if campaign.mailing.is_none() {
        bail!(
            "Campaign {name:?} has no mails of its own; `replyd automation off --campaign {}` \
             stops the answers to its leads",
            shell_word(name)
        );
    }
    Ok(campaign)
}

fn pace_words(pace: &Pace) -> String {
    let by = pace.provider.map_or(String::new(), |p| format!(" ({p})"));
    format!(
        "{} a minute, none beyond {} mails a day{by}",
        pace.per_minute, pace.per_day
    )
}

/// A name as it can be typed.
fn shell_word(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && name.chars().all(plain) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', r"'\''"))
    }
}
