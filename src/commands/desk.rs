//! `outbox list|settle`: mails whose fate a person has to settle.

use std::fmt::Write as _;
use std::time::Duration;

use super::say;
use crate::app::App;
use crate::cli::{Exit, OutboxCommand, SettleAs};
use crate::model::{OutboxId, OutboxState};
use crate::store::{OutboxItem, Settlement, StoreError};
use crate::time;

/// Lines of one list.
const LIMIT: u32 = 200;

/// For how long a mail that was withdrawn is listed with its reason.
const WITHDRAWN_FOR: Duration = Duration::from_secs(24 * 3600);

fn line(text: &mut String, mail: &OutboxItem) -> std::fmt::Result {
    let leaves = match mail.leaves_at.filter(|at| *at > time::now()) {
        Some(at) => format!("  leaves {}", at.rfc3339()),
        None => String::new(),
    };
    writeln!(
        text,
        "{:>6}  {:<9} {:<20} to {}  queued {}{leaves}  attempts {}  {}",
        mail.id.0,
        if mail.held {
            "held"
        } else {
            mail.state.as_str()
        },
        mail.kind,
        mail.envelope_to,
        mail.created_at.rfc3339(),
        mail.attempts,
        mail.smtp_text
    )
}

pub(super) async fn outbox(app: &App, command: &OutboxCommand) -> anyhow::Result<Exit> {
    match command {
        OutboxCommand::List => {
            let mut text = String::new();
            for state in [
                OutboxState::Unknown,
                OutboxState::Rejected,
                OutboxState::Deferred,
                OutboxState::Sending,
                OutboxState::Queued,
            ] {
                let items: Vec<OutboxItem> = app
                    .store()
                    .read(move |r| match state {
                        OutboxState::Unknown => r.outbox_in(state, LIMIT),
                        _ => r.outbox_but_campaigns(state, LIMIT),
                    })
                    .await
                    .map_err(|e: StoreError| e)?;
                for mail in &items {
                    line(&mut text, mail)?;
                }
            }
            let queued: u64 = app
                .store()
                .read(|r| r.campaign_mails_queued())
                .await
                .map_err(|e: StoreError| e)?;
            if queued > 0 {
                writeln!(text, "{queued} campaign mails wait: replyd campaign list")?;
            }
            if text.is_empty() {
                text.push_str("Nothing waits, and nothing needs a person.\n");
            }
            let since = time::now().minus(WITHDRAWN_FOR);
            let withdrawn: Vec<OutboxItem> = app
                .store()
                .read(move |r| r.withdrawn_since(since, LIMIT))
                .await
                .map_err(|e: StoreError| e)?;
            if !withdrawn.is_empty() {
                text.push_str("Withdrawn in the last day, never sent:\n");
            }
            for mail in &withdrawn {
                line(&mut text, mail)?;
            }
            say(&text)?;
            Ok(Exit::Done)
        }
        OutboxCommand::Cancel { id, draft } => {
            let (id, draft, by) = (OutboxId(*id), *draft, super::automation::who());
            app.store()
                .write(move |tx| tx.cancel_mail(id, &by, draft, time::now()))
                .await
                .map_err(|e: StoreError| e)?;
            let kept = if draft { "; its text is a draft" } else { "" };
            say(&format!(
                "Mail {id} is cancelled and will not leave{kept}\n"
            ))?;
            Ok(Exit::Done)
        }
        OutboxCommand::Settle { id, verdict } => {
            let id = OutboxId(*id);
            let settlement = match verdict {
                SettleAs::Sent => Settlement::Sent,
                SettleAs::Resend => Settlement::Resend,
                SettleAs::Cancel => Settlement::Cancel,
            };
            let state: OutboxState = app
                .store()
                .write(move |tx| tx.settle(id, settlement, time::now()))
                .await
                .map_err(|e: StoreError| e)?;
            say(&format!("Mail {id} is {state} now\n"))?;
            Ok(Exit::Done)
        }
    }
}
