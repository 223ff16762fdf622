//! `campaign send`: the report, and following how the mails leave.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use super::{find, holds, pace_words, sender_for, shell_word};
use crate::app::App;
use crate::campaign::pace::Pace;
use crate::campaign::{self, SendOptions, SendReport};
use crate::cli::{CampaignSendArgs, Exit};
use crate::commands::{bar, progress, say};
use crate::config::SenderSettings;
use crate::store::{Campaign, StoreError};
use crate::time;

/// How often `--wait` looks.
const LOOK: Duration = Duration::from_millis(500);

pub(super) async fn send(app: &App, args: &CampaignSendArgs) -> anyhow::Result<Exit> {
    let campaign = super::with_mailing(app, &args.name).await?;
    let account = campaign.mailing.as_ref().map(|m| m.account.clone());
    let sender = sender_for(app, account.as_deref())?.clone();
    let told = progress("queueing");
    let options = SendOptions {
        dry_run: args.dry_run,
        limit: args.limit,
        to: args.to.clone(),
        retry: args.retry,
        public_url: app.settings().web.public_url.clone(),
        progress: told.map(|p| -> Arc<dyn Fn(u64, u64) + Send + Sync> { p.0 }),
    };
    let report = campaign::send(
        app.store(),
        app.keys(),
        campaign,
        sender.clone(),
        app.settings().redirect_to.clone(),
        options,
        time::now(),
    )
    .await?;
    app.ring_outbox();
    let campaign = find(app, &args.name).await?;
    let held = holds::of(app, &campaign).await?;
    if args.json {
        let mut json = serde_json::to_value(&report)?;
        if let Some(object) = json.as_object_mut() {
            object.insert("dry_run".into(), args.dry_run.into());
            object.insert("held".into(), held.clone().into());
        }
        say(&format!("{}\n", serde_json::to_string_pretty(&json)?))?;
    } else {
        say(&words(args, &report, &sender, &held)?)?;
    }
    if report.faulty > 0 {
        return Ok(Exit::Failed);
    }
    if args.wait {
        return follow(app, &campaign).await;
    }
    Ok(Exit::Done)
}

fn words(
    args: &CampaignSendArgs,
    report: &SendReport,
    sender: &SenderSettings,
    held: &[String],
) -> anyhow::Result<String> {
    let mut text = String::new();
    for sample in &report.samples {
        writeln!(
            text,
            "---- {}  To: {}{}\nSubject: {}\n\n{}",
            sample.lead_id,
            sample.to,
            if sample.html {
                "  (and an HTML part)"
            } else {
                ""
            },
            sample.subject,
            sample.text
        )?;
    }
    if !report.samples.is_empty() {
        writeln!(text, "----")?;
    }
    for fault in &report.faults {
        writeln!(text, "lead {}: {}", fault.lead_id, fault.what)?;
    }
    let shown = u64::try_from(report.faults.len()).unwrap_or(u64::MAX);
    if report.faulty > shown {
        writeln!(text, "and {} more", report.faulty.saturating_sub(shown))?;
    }
    let t = &report.tally;
    let queued_now = if args.dry_run || report.faulty > 0 {
        args.limit.map_or(t.ready, |limit| t.ready.min(limit))
    } else {
        report.newly_queued
    };
    let verb = match (report.faulty > 0, args.dry_run) {
        (true, _) => {
            "would get a mail; nothing was queued: complete the leads above, or give the \
                      field a default"
        }
        (false, true) => "would get a mail; nothing was written",
        (false, false) => "mails queued",
    };
    writeln!(text, "{queued_now} of {} leads: {verb}", t.leads)?;
    for (n, what) in [
        (t.sent, "have their mail"),
        (t.queued, "are queued already"),
        (t.unknown, "unknown whether they got it: replyd outbox list"),
        (t.without_address, "without a usable address"),
        (t.suppressed, "want no mail"),
        (t.dead_address, "at addresses that bounced"),
        (
            t.refused,
            "refused or withdrawn before: --retry tries again",
        ),
        (
            t.duplicates,
            "at the address of another lead of the campaign",
        ),
    ] {
        if n > 0 {
            writeln!(text, "{n:>8}  {what}")?;
        }
    }
    let waiting = queued_now.saturating_add(t.queued);
    if waiting > 0 && report.faulty == 0 {
        let pace = Pace::of(sender);
        writeln!(
            text,
            "Pace: {}; {waiting} mails take {}",
            pace_words(&pace),
            about(pace.duration(waiting))
        )?;
        for why in held {
            writeln!(text, "Held: {why}")?;
        }
        if !args.dry_run && !args.wait {
            writeln!(
                text,
                "Follow it: replyd campaign show {}",
                shell_word(&args.name)
            )?;
        }
    }
    Ok(text)
}

fn about(d: Duration) -> String {
    let minutes = d.as_secs().div_ceil(60);
    match minutes {
        0..=1 => "about a minute".to_owned(),
        2..=119 => format!("about {minutes} minutes"),
        120..=2879 => format!("about {} hours", minutes / 60),
        _ => format!("about {} days", minutes.div_ceil(24 * 60)),
    }
}

/// Until no mail of the campaign waits, or something holds them that does not pass in a moment.
async fn follow(app: &App, campaign: &Campaign) -> anyhow::Result<Exit> {
    let id = campaign.id;
    let left = || async {
        app.store()
            .read(move |r| r.campaign_queued(id))
            .await
            .map_err(|e: StoreError| e)
    };
    let total = left().await?;
    let shown = io::stderr().is_terminal().then(|| bar("sending"));
    if let Some(bar) = &shown {
        bar.set_length(total);
    }
    loop {
        let waiting = left().await?;
        if let Some(bar) = &shown {
            bar.set_position(total.saturating_sub(waiting));
        }
        let held = if waiting == 0 {
            Vec::new()
        } else {
            holds::of(app, &find(app, &campaign.name).await?).await?
        };
        if waiting == 0 || !held.is_empty() {
            if let Some(bar) = &shown {
                bar.finish_and_clear();
            }
            let counts = app
                .store()
                .read(move |r| r.campaign_counts(id))
                .await
                .map_err(|e: StoreError| e)?;
            let mut text = format!(
                "{} sent, {waiting} wait, {} unknown, {} failed\n",
                counts.sent, counts.unknown, counts.failed
            );
            for why in &held {
                writeln!(text, "Held: {why}")?;
            }
            say(&text)?;
            return Ok(if waiting == 0 {
                Exit::Done
            } else {
                Exit::TryLater
            });
        }
        tokio::time::sleep(LOOK).await;
    }
}
