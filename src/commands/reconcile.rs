//! `reconcile` and `quarantine`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::{complain, say};
use crate::app::App;
use crate::cli::{Exit, QuarantineCommand, ReconcileArgs};
use crate::listener::{Ended, Reconciled};
use crate::model::MessageRowId;
use crate::store::StoreError;
use crate::time;

/// One account, as `--json` shows it.
#[derive(Serialize)]
struct Shown {
    is_whole: bool,
    #[serde(flatten)]
    found: Option<Reconciled>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

fn tell_wait(name: &str, wait: Duration) {
    let seconds = wait.as_secs().saturating_add(1);
    complain(&format!(
        "{name}: waiting {seconds} s, signing in once a minute at most"
    ));
}

pub(super) async fn reconcile(app: &App, args: &ReconcileArgs) -> anyhow::Result<Exit> {
    let done = app
        .reconcile(args.days, args.account.as_deref(), tell_wait)
        .await?;
    let mut exit = Exit::Done;
    let mut text = String::new();
    let mut shown = BTreeMap::new();
    for (name, result) in done {
        let (found, error) = match result {
            Ok(found) => {
                tell(&mut text, &name, &found)?;
                if !found.is_whole() {
                    exit = exit.worse(Exit::Failed);
                }
                (Some(found), None)
            }
            Err(e) => {
                exit = exit.worse(exit_of(&e));
                complain(&format!("{name}: {e}"));
                (None, Some(e.to_string()))
            }
        };
        let is_whole = found.as_ref().is_some_and(Reconciled::is_whole);
        shown.insert(
            name,
            Shown {
                is_whole,
                found,
                error,
            },
        );
    }
    if args.json {
        say(&format!("{}\n", serde_json::to_string_pretty(&shown)?))?;
    } else {
        say(&text)?;
    }
    Ok(exit)
}

fn tell(text: &mut String, name: &str, found: &Reconciled) -> anyhow::Result<()> {
    for m in &found.mailboxes {
        write!(
            text,
            "{name}, {}: {} of {} accounted for",
            m.mailbox, m.accounted, m.on_server
        )?;
        if let Some(since) = m.since {
            write!(text, " since {}", since.rfc3339())?;
        }
        for (n, what) in [
            (m.taken_in, "were missing and are taken in now"),
            (
                m.vanished,
                "were never delivered and are recorded as vanished",
            ),
            (m.expunged, "are stored and no longer on the server"),
            (m.earlier_rows, "are stored under an earlier UIDVALIDITY"),
        ] {
            if n > 0 {
                write!(text, "; {n} {what}")?;
            }
        }
        if m.beyond > 0 {
            write!(text, "; up to {} newer ones wait for the service", m.beyond)?;
        }
        writeln!(text)?;
        if !m.trouble.is_empty() {
            writeln!(text, "  {}.", m.trouble)?;
        }
    }
    if found.readable_again > 0 {
        writeln!(
            text,
            "{name}: {} messages that were set aside can be read now",
            found.readable_again
        )?;
    }
    if found.set_aside > 0 {
        writeln!(
            text,
            "{name}: {} messages are set aside: replyd quarantine list",
            found.set_aside
        )?;
    }
    Ok(())
}

fn exit_of(e: &Ended) -> Exit {
    match e {
        e if e.needs_sign_in() => Exit::NeedsPerson,
        Ended::Store(_) => Exit::Failed,
        _ => Exit::TryLater,
    }
}

pub(super) async fn quarantine(app: &App, command: &QuarantineCommand) -> anyhow::Result<Exit> {
    let all = app
        .store()
        .read(|r| r.quarantined())
        .await
        .map_err(|e: StoreError| e)?;
    match command {
        QuarantineCommand::List { json } => {
            let mut text = String::new();
            for m in &all {
                if *json {
                    writeln!(text, "{}", serde_json::to_string(m)?)?;
                    continue;
                }
                let why: Vec<String> = serde_json::from_str(&m.reason).unwrap_or_default();
                write!(
                    text,
                    "{}  {}, {}, UID {} (UIDVALIDITY {}), since {}, fetched {} times: {}",
                    m.id,
                    m.account,
                    m.mailbox,
                    m.uid,
                    m.uid_validity,
                    m.at.rfc3339(),
                    m.tries,
                    why.join("; ")
                )?;
                if let Some(released) = &m.released {
                    write!(text, " (released: {})", released.note)?;
                }
                writeln!(text)?;
            }
            if all.is_empty() && !*json {
                text.push_str("No message is set aside.\n");
            }
            say(&text)?;
            Ok(Exit::Done)
        }
        QuarantineCommand::Retry { id } => {
            let ids: Vec<MessageRowId> = all
                .iter()
                .map(|m| m.id)
                .filter(|m| id.is_none_or(|id| m.0 == id))
                .collect();
            if let (true, Some(id)) = (ids.is_empty(), id) {
                anyhow::bail!("Message {id} is not set aside");
            }
            retry(app, &ids).await
        }
        QuarantineCommand::Release { id, note } => {
            let (row, note) = (MessageRowId(*id), note.clone());
            let released = app
                .store()
                .write(move |tx| tx.release_quarantined(row, &note, time::now()))
                .await
                .map_err(|e: StoreError| e)?;
            if !released {
                anyhow::bail!("Message {id} is not set aside");
            }
            say(&format!("Message {id} is released.\n"))?;
            Ok(Exit::Done)
        }
    }
}

async fn retry(app: &App, ids: &[MessageRowId]) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    let mut read = 0_u64;
    for (name, result) in app.retry_set_aside(ids, tell_wait).await? {
        match result {
            Ok(report) => {
                read = read.saturating_add(report.processed);
                for error in &report.errors {
                    complain(&format!("{name}: {error}"));
                }
            }
            Err(e) => {
                exit = exit.worse(exit_of(&e));
                complain(&format!("{name}: {e}"));
            }
        }
    }
    let open = u64::try_from(ids.len())
        .unwrap_or(u64::MAX)
        .saturating_sub(read);
    say(&format!("{read} can be read now, {open} stay set aside.\n"))?;
    Ok(if open > 0 {
        exit.worse(Exit::Failed)
    } else {
        exit
    })
}
