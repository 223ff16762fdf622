//! `unmatched list|attach|ignore`: mail of leads that answers nothing known.

use std::fmt::Write as _;

use super::say;
use crate::app::App;
use crate::cli::{Exit, UnmatchedCommand};
use crate::model::{CampaignLeadId, MessageRowId};
use crate::msgid;
use crate::store::{StoreError, Taught, Unmatched};
use crate::time;

/// Messages of one list.
const LIMIT: u32 = 200;
/// Of a message's text in the list.
const TEXT_CHARS: usize = 200;

pub(super) async fn unmatched(app: &App, command: &UnmatchedCommand) -> anyhow::Result<Exit> {
    match command {
        UnmatchedCommand::List { json } => list(app, *json).await?,
        UnmatchedCommand::Attach {
            id,
            thread,
            lead,
            campaign,
            no_teach,
        } => {
            let (id, teach) = (MessageRowId(*id), !no_teach);
            let (thread, lead, campaign) = (*thread, lead.clone(), campaign.clone());
            let keys = app.keys().clone();
            let taught: Taught = app
                .store()
                .write(move |tx| {
                    let thread = match (thread, lead) {
                        (Some(thread), _) => CampaignLeadId(thread),
                        (None, lead) => {
                            let lead = lead.unwrap_or_default();
                            tx.thread_of_lead(&lead, campaign.as_deref())?
                        }
                    };
                    let hashes = |id: &str| msgid::ref_hashes(&keys, id);
                    tx.attach(id, thread, teach, hashes, time::now())
                })
                .await
                .map_err(|e: StoreError| e)?;
            let mut text = format!("Message {id} belongs to that thread now.\n");
            if taught.ids > 0 {
                writeln!(text, "Learned: {} Message-IDs of that thread.", taught.ids)?;
            }
            if taught.address {
                text.push_str("Learned: its sender counts as the lead from now on.\n");
            }
            if taught.refetch > 0 {
                writeln!(
                    text,
                    "{} earlier messages are looked at again by the service.",
                    taught.refetch
                )?;
            }
            say(&text)?;
        }
        UnmatchedCommand::Ignore { id } => {
            let id = MessageRowId(*id);
            app.store()
                .write(move |tx| tx.ignore_unmatched(id))
                .await
                .map_err(|e: StoreError| e)?;
            say(&format!("Message {id} is ignored now; its text is gone.\n"))?;
        }
    }
    Ok(Exit::Done)
}

async fn list(app: &App, json: bool) -> anyhow::Result<()> {
    let found: Vec<Unmatched> = app
        .store()
        .read(|r| r.unmatched(LIMIT))
        .await
        .map_err(|e: StoreError| e)?;
    let mut text = String::new();
    for message in &found {
        if json {
            writeln!(text, "{}", serde_json::to_string(message)?)?;
            continue;
        }
        let at = message.received_at.rfc3339();
        writeln!(
            text,
            "{:>6}  {at}  {} <{}>  {}",
            message.id.0, message.from_name, message.from_address, message.subject
        )?;
        let words: Vec<&str> = message.text.split_whitespace().collect();
        let words: String = words.join(" ").chars().take(TEXT_CHARS).collect();
        writeln!(text, "        {words}")?;
        for p in &message.proposed {
            let subject = if p.last_subject.is_empty() {
                "nothing sent yet".to_owned()
            } else {
                format!("{:?}", p.last_subject)
            };
            let same = if p.same_subject { ", same subject" } else { "" };
            writeln!(
                text,
                "        thread {}: {} {} in {}: {subject}{same}",
                p.campaign_lead_id.0, p.lead_id, p.lead_name, p.campaign
            )?;
        }
    }
    if text.is_empty() && !json {
        text.push_str("No mail waits for its thread.\n");
    }
    say(&text)
}
