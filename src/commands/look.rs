//! `run --once`, `check` and `process`: one pass, its report, its exit code.

use std::fmt::Write as _;

use anyhow::{Context, bail};

use super::{complain, progress, say};
use crate::app::{App, CheckReport, Outcome, problem};
use crate::cli::{Exit, ProcessArgs};
use crate::fault::Fault;
use crate::model::{AccountState, ConversationId, JobId, MailKind, MessageRowId, OutboxState};
use crate::reply::{ActionTaken, JobReport};
use crate::store::{JobMail, StoreError};
use crate::time;

pub(super) async fn once(app: App) -> anyhow::Result<Exit> {
    let app = app.with_progress(progress("first look"));
    say(&format!(
        "Checking for email replies from the last {} days...\n",
        app.settings().listen.days
    ))?;
    let report = app.once(None).await?;
    let mut text = String::new();
    problems(&report, &mut text);
    writeln!(
        text,
        "Processed {} emails, found {} new replies",
        report.total.processed, report.total.new_replies
    )?;
    say(&text)?;
    Ok(exit(&report))
}

pub(super) async fn check(app: App, days: u32) -> anyhow::Result<Exit> {
    let app = app.with_progress(progress("check"));
    say(&format!(
        "Checking for email replies from the last {days} days...\n"
    ))?;
    let report = app.once(Some(days)).await?;
    let mut text = String::new();
    let total = &report.total;
    writeln!(text, "Processed: {}", total.processed)?;
    writeln!(text, "New replies found: {}", total.new_replies)?;
    writeln!(
        text,
        "Skipped (no reply header): {}",
        total.skipped_no_reply_header
    )?;
    writeln!(text, "Skipped (no match found): {}", total.skipped_no_match)?;
    writeln!(text, "Already known: {}", total.known)?;
    writeln!(text, "Skipped (same mail again): {}", total.duplicates)?;
    writeln!(text, "Errors: {}", total.errors.len())?;
    for error in &total.errors {
        writeln!(text, "  {error}")?;
    }
    say(&text)?;
    Ok(exit(&report))
}

/// The job of the reply that is named.
async fn named(app: &App, args: &ProcessArgs) -> anyhow::Result<Option<JobId>> {
    let message = match (&args.message, args.conversation) {
        (Some(message), _) => match message.parse() {
            Ok(number) => MessageRowId(number),
            Err(_) => super::replay::with_message_id(app, message).await?,
        },
        (None, Some(line)) => {
            let id = ConversationId(line);
            let found = app
                .store()
                .read(move |r| r.message_of_line(id))
                .await
                .map_err(|e: StoreError| e)?;
            found.with_context(|| format!("Conversation {id} is a mail of ours"))?
        }
        (None, None) => return Ok(None),
    };
    let found = app
        .store()
        .read(move |r| r.job_of_message(message))
        .await
        .map_err(|e: StoreError| e)?;
    match found {
        None => bail!("Message {message} is not stored, or is no reply: nothing is decided of it"),
        Some((_, true)) if !args.force => {
            bail!("Message {message} was processed already: --force decides it again")
        }
        Some((job, _)) => Ok(Some(job)),
    }
}

/// A reply that failed for good, of an account that is gone say, is a person's from now on.
async fn close(app: &App, job: JobId) -> anyhow::Result<Exit> {
    let why = format!("closed by {}", super::automation::who());
    let now = time::now();
    let closed = app
        .store()
        .write(move |tx| tx.close_failed_job(job, &why, now))
        .await
        .map_err(|e: StoreError| e)?;
    if !closed {
        bail!("This reply has not failed: `replyd process` handles it");
    }
    say(
        "Closed: nothing is sent for it, and it stands with the conversations that need a person.\n",
    )?;
    Ok(Exit::Done)
}

pub(super) async fn process(app: App, args: &ProcessArgs) -> anyhow::Result<Exit> {
    let job = named(&app, args).await?;
    if let (true, Some(job)) = (args.close, job) {
        return close(&app, job).await;
    }
    let report = match job {
        Some(job) => app.process_one(job, args.resend).await?,
        None => app.process(args.limit, args.force).await?,
    };
    let mut text = String::new();
    if args.json {
        let none = Vec::new();
        for (n, job) in report.jobs.iter().enumerate() {
            let line = handled(job, report.mails.get(n).unwrap_or(&none));
            writeln!(text, "{line}")?;
        }
    } else if report.jobs.is_empty() && report.job_errors == 0 {
        text.push_str("No pending conversations to process.\n");
    } else {
        for job in &report.jobs {
            writeln!(text, "{job}")?;
        }
        writeln!(
            text,
            "Completed: {} processed, {} errors",
            report.jobs.iter().filter(|job| job.error.is_none()).count(),
            report.job_errors
        )?;
    }
    if args.json {
        let mut told = String::new();
        problems(&report, &mut told);
        if !told.is_empty() {
            complain(told.trim_end());
        }
    } else {
        problems(&report, &mut text);
    }
    say(&text)?;
    // A mail that waits for its server is told by the server's own outcome.
    let for_good = report
        .jobs
        .iter()
        .any(|job| job.error.is_some() && !matches!(job.action, ActionTaken::EmailError));
    let told = report.jobs.iter().filter(|job| job.error.is_some()).count();
    let lost = report.job_errors > u64::try_from(told).unwrap_or(u64::MAX);
    let waits = report
        .jobs
        .iter()
        .any(|job| job.action == ActionTaken::EmailError);
    let exit = exit(&report);
    Ok(if for_good || lost {
        Exit::Failed
    } else if waits {
        exit.worse(Exit::TryLater)
    } else {
        exit
    })
}

/// What became of a reply, in the predecessor's fields.
fn handled(job: &JobReport, mails: &[JobMail]) -> serde_json::Value {
    let to_lead = mails.iter().find(|m| m.kind != MailKind::SalesNotice);
    serde_json::json!({
        "success": job.error.is_none(),
        "conversation_id": job.conversation_id,
        "message_id": job.message_id,
        "action_taken": job.action.as_str(),
        "agent_response": to_lead.map(|m| &m.body),
        "tool_used": to_lead.map(|m| &m.tool).filter(|tool| !tool.is_empty()),
        "intent": job.intent,
        "confidence": job.confidence,
        "goal_type": job.goal_type,
        "gate": job.gate,
        "reasons": job.reasons,
        "notification_sent": mails
            .iter()
            .any(|m| m.kind == MailKind::SalesNotice && m.state == OutboxState::Sent),
        "error": job.error,
        "next_try": job.next_try,
    })
}

/// A line for each account that could not be looked at.
fn problems(report: &CheckReport, text: &mut String) {
    for (account, outcome) in &report.accounts {
        if let Some(problem) = problem(outcome) {
            // Writing to a String cannot fail.
            writeln!(text, "Error: {account}: {problem}").unwrap_or_default();
        }
    }
    for error in report
        .accounts
        .iter()
        .filter_map(|(_, outcome)| match outcome {
            Outcome::Done(done) => Some(&done.errors),
            _ => None,
        })
    {
        for error in error {
            writeln!(text, "Error: {error}").unwrap_or_default();
        }
    }
    for pause in &report.smtp {
        let (account, at) = (&pause.account, pause.retry_at.rfc3339());
        let why = match pause.fault.parse::<Fault>() {
            Ok(fault) => fault.sentence("", &pause.reason),
            Err(_) => format!("{}.", pause.reason),
        };
        writeln!(text, "Error: {account}: mails wait: {why} Next try at {at}").unwrap_or_default();
    }
}

/// The gravest outcome of all accounts (docs/DECISIONS.md "Exit codes").
fn exit(report: &CheckReport) -> Exit {
    let looked = report.accounts.iter().map(|(_, outcome)| match outcome {
        Outcome::Done(_) | Outcome::HeldElsewhere => Exit::Done,
        Outcome::NotNow { .. } => Exit::TryLater,
        Outcome::NeedsSignIn(_) => Exit::NeedsPerson,
        Outcome::Failed(_) => Exit::Failed,
    });
    let sent = report.smtp.iter().map(|pause| match pause.state {
        AccountState::NeedsSignIn => Exit::NeedsPerson,
        _ => Exit::TryLater,
    });
    looked.chain(sent).fold(Exit::Done, Exit::worse)
}
