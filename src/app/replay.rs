//! `replay`: stored raw mails through today's rules, compared with what was recorded.

use std::fmt;
use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;

use super::App;
use crate::capture::{Arrived, Capture, Origin};
use crate::model::{Disposition, Epoch, EpochId, MessageRowId};
use crate::reply::again::{self, Today};
use crate::store::{NewDraft, NewMessage, Recorded, StoreError, Tx};
use crate::time::{self, UtcMs};

/// Messages that are read at once.
const CHUNK: u32 = 100;
/// Characters of a text in a difference.
const SHOWN: usize = 80;

/// What differs in one respect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `disposition`, `match`, `sender`, `visible text`, `intent` or `decision`.
    pub what: &'static str,
    /// What was recorded.
    pub recorded: String,
    /// What today's rules say.
    pub today: String,
}

/// A message of which today's rules say something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The row.
    pub message: MessageRowId,
    /// What differs.
    pub changes: Vec<Change>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "message {}", self.message)?;
        for c in &self.changes {
            writeln!(f, "  {}: {} -> {}", c.what, c.recorded, c.today)?;
        }
        Ok(())
    }
}

/// What a replay looked at and found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReplayReport {
    /// Messages whose raw mail is kept.
    pub looked_at: u64,
    /// Those of which the rules say something else.
    pub different: u64,
    /// Raw mails that cannot be unpacked any more.
    pub unreadable: u64,
    /// Messages that were recorded anew.
    pub applied: u64,
}

/// One message through today's rules.
struct Replayed {
    row: NewMessage,
    disposition: Disposition,
    today: Option<Today>,
    difference: Difference,
}

impl App {
    /// Runs the stored raw mails since `since` through today's rules; `tell` hears of each
    /// difference. With `apply` they are recorded, and nothing is sent for it: a reply that was
    /// not recognised before becomes a draft, an opt-out suppresses.
    ///
    /// # Errors
    /// What the store says.
    pub async fn replay(
        &self,
        since: UtcMs,
        apply: bool,
        mut tell: impl FnMut(&Difference) -> anyhow::Result<()>,
    ) -> anyhow::Result<ReplayReport> {
        let capture = Capture::new(self.store.clone(), Arc::clone(&self.keys), &self.settings);
        let mut report = ReplayReport::default();
        let mut after = MessageRowId(0);
        loop {
            let found: Vec<Recorded> = self
                .store
                .read(move |r| r.recorded(since, after, CHUNK))
                .await
                .map_err(|e: StoreError| e)?;
            let Some(last) = found.last() else {
                return Ok(report);
            };
            after = last.id;
            for recorded in found {
                report.looked_at = report.looked_at.saturating_add(1);
                let id = recorded.id;
                let Some(replayed) = self
                    .replay_one(&capture, recorded)
                    .await
                    .with_context(|| format!("Replay message {id}"))?
                else {
                    report.unreadable = report.unreadable.saturating_add(1);
                    continue;
                };
                let Some((recorded, replayed)) = replayed else {
                    continue;
                };
                report.different = report.different.saturating_add(1);
                tell(&replayed.difference)?;
                if apply {
                    self.store
                        .write(move |tx| record(tx, &recorded, &replayed, time::now()))
                        .await
                        .map_err(|e: StoreError| e)
                        .with_context(|| format!("Record message {id} anew"))?;
                    report.applied = report.applied.saturating_add(1);
                }
            }
        }
    }

    /// The outer none: the raw mail cannot be unpacked; the inner one: nothing differs.
    async fn replay_one(
        &self,
        capture: &Capture,
        recorded: Recorded,
    ) -> anyhow::Result<Option<Option<(Recorded, Replayed)>>> {
        let (capture, actor) = (capture.clone(), self.actor.clone());
        let mut accounts = self.settings.accounts.iter();
        // An account that was removed from the settings proves nothing any more.
        let (authserv_ids, smtp_host) = accounts
            .find(|a| a.name == recorded.account)
            .map(|a| (a.folders.authserv_ids.clone(), a.smtp.host.as_str().into()))
            .unwrap_or_default();
        self.store
            .read(move |r| {
                let Some(bytes) = Capture::unpack(&recorded.raw) else {
                    return Ok(None);
                };
                let row = capture.judge_again(
                    r,
                    &origin(&recorded, authserv_ids, smtp_host),
                    arrived(&recorded, bytes),
                )?;
                let concerns = recorded.job.is_some() || row.matched.is_some();
                let today = concerns
                    .then(|| actor.decide_again(r, &row, recorded.job.as_ref(), time::now()))
                    .transpose()
                    .map_err(|e| StoreError::Invalid(format!("{e:#}")))?;
                let replayed = compare(&recorded, row, today);
                Ok::<_, StoreError>(Some(replayed.map(|replayed| (recorded, replayed))))
            })
            .await
            .map_err(Into::into)
    }
}

fn origin(recorded: &Recorded, authserv_ids: Vec<String>, smtp_host: Arc<str>) -> Origin {
    Origin {
        account_id: recorded.account_id,
        epoch: Epoch {
            id: EpochId(0),
            mailbox_id: recorded.mailbox_id,
            uid_validity: recorded.uid_validity,
            floor_uid: recorded.uid,
            cursor_uid: recorded.uid,
            window_from: recorded.internal_date,
            first_until: recorded.uid,
            first_source: recorded.source,
        },
        lease: None,
        source: recorded.source,
        cursor_uid: None,
        seen_until: None,
        authserv_ids,
        role: recorded.role,
        smtp_host,
    }
}

fn arrived(recorded: &Recorded, bytes: Vec<u8>) -> Arrived {
    Arrived {
        uid: recorded.uid,
        internal_date: Some(recorded.internal_date),
        size: recorded.size_bytes,
        bytes,
        announced_at: None,
        fetched_at: recorded.stored_at,
    }
}

/// None when nothing differs.
fn compare(recorded: &Recorded, row: NewMessage, today: Option<Today>) -> Option<Replayed> {
    let mut changes = Vec::new();
    let mut differ = |what, recorded: &str, today: &str| {
        if recorded != today {
            changes.push(Change {
                what,
                recorded: shown(recorded),
                today: shown(today),
            });
        }
    };
    // The actor turns a reply into an opt-out after it has read the text.
    let opts_out = today.as_ref().is_some_and(|t| t.opt_out);
    let disposition = if opts_out && row.disposition.counts_as_reply() {
        Disposition::OptOut
    } else {
        row.disposition
    };
    // What a person attached stays attached, and what a person decides there.
    let by_person = is_attached(recorded);
    if !by_person {
        differ(
            "disposition",
            recorded.disposition.as_str(),
            disposition.as_str(),
        );
        let method = row.matched.as_ref().map_or("", |m| m.method.as_str());
        let thread = row.matched.as_ref().map(|m| m.campaign_lead_id);
        let words = |thread: Option<crate::model::CampaignLeadId>, method: &str| match thread {
            Some(id) => format!("thread {id} by {method}"),
            None => "none".to_owned(),
        };
        differ(
            "match",
            &words(recorded.campaign_lead_id, &recorded.match_method),
            &words(thread, method),
        );
        let verified = row.matched.as_ref().is_some_and(|m| m.sender_verified);
        let word = |v: bool| if v { "verified" } else { "not verified" };
        differ("sender", word(recorded.sender_verified), word(verified));
    }
    let empty = String::new();
    let text = row.content.as_ref().map_or(&empty, |c| &c.visible_text);
    differ("visible text", &recorded.visible_text, text);
    if let (Some(job), Some(today)) = (&recorded.job, &today) {
        differ("intent", &job.intent, today.decision.intent);
        if !by_person && !again::was_held(job) {
            differ("decision", &job.gate, today.decision.gate);
        }
    }
    (!changes.is_empty()).then_some(Replayed {
        difference: Difference {
            message: recorded.id,
            changes,
        },
        row,
        disposition,
        today,
    })
}

fn shown(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= SHOWN {
        return line;
    }
    let mut cut: String = line.chars().take(SHOWN).collect();
    cut.push('…');
    cut
}

fn is_attached(recorded: &Recorded) -> bool {
    recorded.match_method == "attached"
}

fn record(
    tx: &Tx<'_>,
    recorded: &Recorded,
    replayed: &Replayed,
    now: UtcMs,
) -> Result<(), StoreError> {
    let Replayed {
        row,
        disposition,
        today,
        ..
    } = replayed;
    tx.record_anew(recorded.id, *disposition, row)?;
    if *disposition != recorded.disposition && !is_attached(recorded) {
        notice(tx, recorded, row, now)?;
    }
    let Some(today) = today.as_ref().filter(|_| !is_attached(recorded)) else {
        return Ok(());
    };
    match &recorded.job {
        Some(job) => tx.replace_decision(job.id, &today.decision)?,
        None => new_reply(tx, recorded.id, row, today, now)?,
    }
    if today.opt_out
        && let Some(content) = &row.content
    {
        let sender = crate::model::address_key(&content.from_address);
        tx.suppress(&sender, "unsubscribe", Some(recorded.id), now)?;
    }
    Ok(())
}

/// A machine's mail that was not recognised as one when it came: it says now what it would have
/// said then of its lead. The reply actor draws it (no mail follows from these); where a person's
/// mail was seen in it, its decision stands there and the mark is made here.
fn notice(
    tx: &Tx<'_>,
    recorded: &Recorded,
    row: &NewMessage,
    now: UtcMs,
) -> Result<(), StoreError> {
    let Some(matched) = &row.matched else {
        return Ok(());
    };
    let dead = row.disposition == Disposition::Bounce && row.marks_dead == Some(true);
    if row.disposition == Disposition::Bounce && row.marks_dead == Some(false) {
        tx.count_soft_bounce(matched.campaign_lead_id, now)?;
    } else if recorded.job.is_none() && (dead || row.disposition == Disposition::AutoReply) {
        tx.insert_reply_job(recorded.id, true, now)?;
    } else if dead {
        tx.mark_bounced_lead_of(matched.campaign_lead_id, recorded.internal_date)?;
    }
    Ok(())
}

/// A reply that was not recognised as one: a person finds it in a draft.
fn new_reply(
    tx: &Tx<'_>,
    id: MessageRowId,
    row: &NewMessage,
    today: &Today,
    now: UtcMs,
) -> Result<(), StoreError> {
    let (Some(matched), Some(content)) = (&row.matched, &row.content) else {
        return Ok(());
    };
    if !row.disposition.counts_as_reply() {
        return Ok(());
    }
    Capture::conversation_line(tx, id, row, now)?;
    if let Some(job) = tx.insert_done_job(id, &today.decision, now)? {
        tx.insert_draft(
            &NewDraft {
                job_id: job,
                campaign_lead_id: matched.campaign_lead_id,
                message_id: id,
                subject: &crate::reply::compose::reply_subject(&content.subject),
                body: "",
                reason: "found by replay: it was not recognised as a reply when it came",
                tool: "unknown",
                wants_text: true,
            },
            now,
        )?;
    }
    Ok(())
}
