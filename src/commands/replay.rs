//! `replay` and `explain`: why a message was treated as it was, and how it would be today.

use std::fmt::Write as _;

use anyhow::{Context, bail};

use super::say;
use crate::app::App;
use crate::cli::{Exit, ExplainArgs, ReplayArgs};
use crate::model::MessageRowId;
use crate::msgid::MsgId;
use crate::store::{Explained, StoreError};
use crate::time::UtcMs;

pub(super) async fn replay(app: &App, args: &ReplayArgs) -> anyhow::Result<Exit> {
    let since = match &args.since {
        None => UtcMs(0),
        Some(text) => UtcMs::parse_day_or_time(text).with_context(|| {
            format!("--since {text:?} is neither a day (2026-11-01) nor an RFC 3339 time")
        })?,
    };
    let json = args.json;
    let report = app
        .replay(since, args.apply, |difference| {
            if json {
                say(&format!("{}\n", serde_json::to_string(difference)?))
            } else {
                say(&difference.to_string())
            }
        })
        .await?;
    if json {
        say(&format!("{}\n", serde_json::to_string(&report)?))?;
        return Ok(Exit::Done);
    }
    let mut text = format!(
        "Looked at {} messages: {} would be treated otherwise today.\n",
        report.looked_at, report.different
    );
    if report.unreadable > 0 {
        writeln!(
            text,
            "{} raw mails cannot be read any more.",
            report.unreadable
        )?;
    }
    if args.apply {
        writeln!(text, "Recorded anew: {}. Nothing was sent.", report.applied)?;
    } else if report.different > 0 {
        text.push_str("Nothing was changed; --apply records it, and sends nothing.\n");
    }
    say(&text)?;
    Ok(Exit::Done)
}

pub(super) async fn explain(app: &App, args: &ExplainArgs) -> anyhow::Result<Exit> {
    let id = match args.message.parse() {
        Ok(number) => MessageRowId(number),
        Err(_) => with_message_id(app, &args.message).await?,
    };
    let e: Explained = app
        .store()
        .read(move |r| r.explain(id))
        .await
        .map_err(|e: StoreError| e)?;
    if args.json {
        say(&format!("{}\n", serde_json::to_string(&e)?))?;
    } else {
        say(&in_words(&e)?)?;
    }
    Ok(Exit::Done)
}

pub(super) async fn with_message_id(app: &App, text: &str) -> anyhow::Result<MessageRowId> {
    let Some(key) = MsgId::parse(text) else {
        bail!("{text:?} is neither a message's number nor a Message-ID");
    };
    let found = app
        .store()
        .read(move |r| r.message_with_key(key.as_str()))
        .await
        .map_err(|e: StoreError| e)?;
    found.with_context(|| format!("No stored message has the Message-ID {text}"))
}

fn in_words(e: &Explained) -> anyhow::Result<String> {
    let mut t = String::new();
    writeln!(t, "Message {}  {}", e.message, e.message_key)?;
    if !e.from.is_empty() {
        writeln!(t, "  from {}: {}", e.from, e.subject)?;
    }
    writeln!(
        t,
        "1 Arrived: {} in {} of {} (UID {}), stored {} by {}",
        e.received_at.rfc3339(),
        e.mailbox,
        e.account,
        e.uid,
        e.stored_at.rfc3339(),
        e.source
    )?;
    writeln!(
        t,
        "2 Kind: {}; disposition {}",
        or_none(&e.nature),
        e.disposition
    )?;
    for why in &e.evidence {
        writeln!(t, "    {why}")?;
    }
    for odd in &e.malformed {
        writeln!(t, "    odd: {odd}")?;
    }
    if let Some(of) = e.duplicate_of {
        writeln!(t, "    the same mail as message {of}")?;
    }
    if e.duplicate_id {
        writeln!(
            t,
            "    its Message-ID was used for another mail: never answered"
        )?;
    }
    match &e.thread {
        Some(thread) => {
            writeln!(
                t,
                "3 Matched: thread {} ({} {} in {}) by {}, confidence {:.2}; sender {}",
                thread.campaign_lead_id,
                thread.lead_id,
                thread.lead_name,
                thread.campaign,
                e.match_method,
                e.match_confidence,
                if e.sender_verified {
                    "verified"
                } else {
                    "not verified"
                }
            )?;
            if let Some(at) = thread.answers_sent_at {
                writeln!(
                    t,
                    "    answers {:?} of {}",
                    thread.answers_subject,
                    at.rfc3339()
                )?;
            }
            if let Some(until) = thread.paused_until {
                let why = or_none(&thread.pause_reason);
                writeln!(t, "    no campaign mail before {} ({why})", until.rfc3339())?;
            }
        }
        None => writeln!(t, "3 Matched: no")?,
    }
    if !e.visible_text.is_empty() {
        let sure = if e.visible_sure {
            ""
        } else {
            " (not sure where quotes begin)"
        };
        writeln!(t, "4 Newly written{sure}:")?;
        for line in e.visible_text.lines() {
            writeln!(t, "    | {line}")?;
        }
    }
    match &e.job {
        None => writeln!(t, "5 Decided: nothing to decide")?,
        Some(job) => {
            writeln!(
                t,
                "5 Decided ({}): {} {} confidence {:.2} -> {}",
                job.state,
                or_none(&job.intent),
                job.goal_type,
                job.confidence,
                or_none(&job.gate)
            )?;
            // The endpoint has a line of its own below.
            let own =
                |why: &&String| job.reading.opinion.is_empty() || !why.starts_with("endpoint: ");
            for why in job.reasons.iter().filter(own) {
                writeln!(t, "    {why}")?;
            }
            if job.flagged {
                writeln!(t, "    FLAGGED: the same text twice")?;
            }
            if let Some(contact) = &job.contact {
                writeln!(t, "    proposed contact: {contact}; nobody wrote to them")?;
            }
            let r = &job.reading;
            for (what, text) in [
                ("read by", &r.provider),
                ("weights and model", &r.model_version),
                ("endpoint", &r.opinion),
                ("worded by", &r.wording),
            ] {
                if !text.is_empty() {
                    writeln!(t, "    {what}: {text}")?;
                }
            }
            if let Some(label) = &e.label {
                writeln!(
                    t,
                    "    a person says {}{} ({}, {})",
                    label.intent,
                    if label.goal_type.is_empty() {
                        String::new()
                    } else {
                        format!(" {}", label.goal_type)
                    },
                    label.by,
                    label.at.rfc3339()
                )?;
            }
            if !job.error.is_empty() {
                writeln!(
                    t,
                    "    failed after {} attempts: {}",
                    job.attempts, job.error
                )?;
            }
        }
    }
    if e.mails.is_empty() && e.drafts.is_empty() && e.digest.is_empty() {
        writeln!(t, "6 Done: nothing was sent, and nothing waits")?;
    }
    for mail in &e.mails {
        writeln!(
            t,
            "6 Mail {}: {} {} {}",
            mail.id, mail.kind, mail.state, mail.smtp_text
        )?;
        if let Some(at) = mail.leaves_at {
            let cancel = format!("replyd outbox cancel {}", mail.id);
            writeln!(t, "    leaves at {}: {cancel}", at.rfc3339())?;
        }
    }
    for draft in &e.drafts {
        writeln!(
            t,
            "6 Draft {} ({}): {}",
            draft.id, draft.state, draft.reason
        )?;
        if !draft.decided_by.is_empty() || !draft.decision.is_empty() {
            writeln!(t, "    decided: {} {}", draft.decided_by, draft.decision)?;
        }
    }
    if !e.sources.is_empty() {
        writeln!(t, "  Out of the campaign's documents:")?;
        t.push_str(&super::documents::sources(&e.sources));
    }
    for reason in &e.digest {
        writeln!(t, "6 Told to sales in a digest: {reason}")?;
    }
    Ok(t)
}

fn or_none(word: &str) -> &str {
    if word.is_empty() { "none" } else { word }
}
