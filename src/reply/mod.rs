//! The auto-reply actor: claims a reply, reads its intent, decides, and queues what follows.
//!
//! ```text
//! claim (attempt booked, committed) -> read, classify -> ONE transaction: facts and brakes,
//! decide, compose, enqueue answer + notice, rows, job done -> ring the outbox
//! ```
//! A crash anywhere leaves either a booked job, which comes back by itself, or the whole step
//! (invariants I3, I5). Nothing here talks to the network, but for the optional model endpoint
//! (`ask`), which is asked between the transactions.

mod about;
pub mod again;
mod ask;
pub mod classify;
pub mod compose;
pub mod contact;
mod digest;
mod facts_of;
mod flight;
pub(crate) mod fold;
pub mod gate;
mod grounds;
pub mod later;
mod letter;
pub mod linear;
mod marks;
mod own_rules;
mod own_words;
pub mod policy;
mod rules;
mod scores;
pub mod second;
mod step;
pub mod templates;
pub(crate) mod texts;
pub mod wording;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::answers::{Library, LibraryError};
use crate::assistant::Assistant;
use crate::config::Settings;
use crate::faultpoint;
use crate::keys::Keys;
use crate::model::{ConversationId, GoalType, Intent, JobId, MessageRowId};
use crate::retry::REPLY_JOB;
use crate::store::{ClaimedJob, DigestFailure, Store, StoreError};
use crate::time::{self, UtcMs};
use crate::wake::{Doorbell, Woken};

use classify::{Classifier, Verdict};
use step::StepError;
use templates::Templates;

/// A job that fails this often (for two hours and more) is given up and shown.
const MAX_ATTEMPTS: u32 = 20;
/// The loop looks at least this often, whatever rings.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// And at most this often when something is due that another process holds.
const SHORTEST_SLEEP: Duration = Duration::from_millis(200);
/// After an error of the store.
const ERROR_SLEEP: Duration = Duration::from_secs(5);

/// What the predecessor reported of a handled reply (A12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionTaken {
    /// Sales are told, by a notice of its own.
    NotifiedSales,
    /// The server refused its mail for good (`process` waits for it).
    EmailFailed,
    /// Its mail did not leave yet, or nobody knows whether it did.
    EmailError,
    /// Only the lead gets a mail.
    SentReply,
    /// No mail: a draft, a line of the digest, or nothing.
    Skipped,
    /// It could not be handled; see the report's error.
    Error,
}

impl ActionTaken {
    /// The predecessor's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotifiedSales => "notified_sales",
            Self::EmailFailed => "email_failed",
            Self::EmailError => "email_error",
            Self::SentReply => "sent_reply",
            Self::Skipped => "skipped",
            Self::Error => "error",
        }
    }
}

/// What became of one job.
#[derive(Clone, Debug)]
pub struct JobReport {
    /// The job.
    pub job_id: JobId,
    /// The reply.
    pub message_id: MessageRowId,
    /// The reply's line of its conversation; none for unmatched mail.
    pub conversation_id: Option<ConversationId>,
    /// What was done, in the predecessor's words.
    pub action: ActionTaken,
    /// What was decided: `acknowledge`, `answer`, `suppress`, `person` or `nothing`.
    pub gate: &'static str,
    /// The class; none when it could not be read.
    pub intent: Option<Intent>,
    /// Its confidence.
    pub confidence: f64,
    /// The step, with a goal only.
    pub goal_type: Option<GoalType>,
    /// Why.
    pub reasons: Vec<String>,
    /// What went wrong. The job is tried again, or failed and shown.
    pub error: Option<String>,
    /// After an error: when it is tried again; none: not by itself.
    pub next_try: Option<UtcMs>,
    /// Whether mails were queued: the outbox has work.
    pub queued: bool,
}

/// The line that `process` prints.
impl std::fmt::Display for JobReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mark = if self.error.is_none() { "✓" } else { "✗" };
        match self.conversation_id {
            Some(id) => write!(f, "{mark} Conversation {id}: ")?,
            None => write!(f, "{mark} Reply job {}: ", self.job_id)?,
        }
        write!(f, "{}", self.action.as_str())?;
        match (&self.error, self.intent) {
            (Some(error), _) => {
                write!(f, " ({error})")?;
                match (self.action, self.next_try) {
                    (_, Some(at)) => write!(f, "; tried again at {}", at.rfc3339()),
                    (ActionTaken::Error, None) => {
                        f.write_str("; given up: mend it, then `replyd process`")
                    }
                    (_, None) => Ok(()),
                }
            }
            (None, Some(intent)) => write!(f, " (intent: {intent})"),
            (None, None) => Ok(()),
        }
    }
}

/// What the steps share.
#[derive(Debug)]
struct Parts {
    settings: Arc<Settings>,
    keys: Arc<Keys>,
    templates: Templates,
    classifier: Classifier,
}

/// The actor. One a process; two processes on one database are safe.
#[derive(Clone, Debug)]
pub struct ReplyActor {
    store: Store,
    parts: Arc<Parts>,
    library: Library,
    outbox: Doorbell,
    /// The model endpoint, if there is one.
    assistant: Option<Assistant>,
    /// Whether what is known of it was read from the store.
    remembered: Arc<OnceCell<()>>,
    /// Fires when nothing is to be waited for any more.
    closing: CancellationToken,
    /// The turns at the endpoint.
    asking: Arc<Semaphore>,
}

impl ReplyActor {
    /// An actor that rings `outbox` after it has queued mails.
    #[must_use]
    pub fn new(
        store: Store,
        settings: Arc<Settings>,
        keys: Arc<Keys>,
        templates: Templates,
        classifier: Classifier,
        outbox: Doorbell,
    ) -> Self {
        Self {
            library: Library::new(store.clone()),
            store,
            parts: Arc::new(Parts {
                settings,
                keys,
                templates,
                classifier,
            }),
            outbox,
            assistant: None,
            remembered: Arc::default(),
            closing: CancellationToken::new(),
            asking: Arc::new(Semaphore::new(flight::ASKING)),
        }
    }

    /// With a model endpoint.
    #[must_use]
    pub fn with_assistant(mut self, assistant: Option<Assistant>) -> Self {
        self.assistant = assistant;
        self
    }

    /// Handles the job that is due longest; `None` when nothing is due. A job that goes wrong is
    /// a report with an error, and does not stand in the way of the next.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn handle_one(&self, now: UtcMs) -> anyhow::Result<Option<JobReport>> {
        match self.claim(now).await? {
            Some(job) => self.work(job, now, false).await.map(Some),
            None => Ok(None),
        }
    }

    /// Books an attempt of the job that is due longest.
    async fn claim(&self, now: UtcMs) -> anyhow::Result<Option<ClaimedJob>> {
        // Asked of a reader first: right after a job it is the outbox that needs the writer.
        let is_due = self
            .store
            .read(move |r| r.is_reply_due(now))
            .await
            .context("Look for a due reply job")?;
        if !is_due {
            return Ok(None);
        }
        // Nothing was decided yet: what a loss of power takes back is due again.
        let claimed = self
            .store
            .book(move |tx| tx.claim_reply_job(now, |n| REPLY_JOB.wait(n)))
            .await
            .context("Claim a reply job")?;
        if claimed.is_some() {
            faultpoint::hit("reply.claimed");
        }
        Ok(claimed)
    }

    /// Handles this job now, also one that failed, was given up or was done (`process`). It never
    /// sends a second automatic mail for the same reply unless `resend`.
    ///
    /// # Errors
    /// As [`ReplyActor::handle_one`].
    pub async fn process(&self, id: JobId, resend: bool, now: UtcMs) -> anyhow::Result<JobReport> {
        let job = self
            .store
            .write(move |tx| tx.claim_this_job(id, now, |n| REPLY_JOB.wait(n)))
            .await
            .with_context(|| format!("Claim reply job {id}"))?;
        self.work(job, now, resend).await
    }

    /// Sends the digest to sales if one is due (see `digest`); `flush`: a burst is over, do
    /// not wait for its quiet time. Whether one was queued. A digest that cannot be built is
    /// logged, noted for the status, and tried again in an hour.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn send_due_digest(&self, now: UtcMs, flush: bool) -> anyhow::Result<bool> {
        let due = self
            .store
            .read(move |r| digest::is_due(r, now, flush))
            .await
            .context("Look for a due digest")?;
        if !due {
            return Ok(false);
        }
        let random = random_parts().context("Make a Message-ID")?;
        let parts = Arc::clone(&self.parts);
        let queued = self
            .store
            .write(move |tx| {
                let queued = digest::queue(tx, &parts, random[0], now)?;
                faultpoint::hit("digest.before_commit");
                Ok::<_, StepError>(queued)
            })
            .await;
        let queued = match queued {
            Ok(queued) => queued,
            // The mail itself cannot be built: the store is well, so nothing else waits for it.
            Err(error) if !error.is_transient() && !error.is_the_stores() => {
                let reason = error.to_string();
                tracing::error!(
                    reason,
                    "digest to sales not built: mend the settings; the next try is in an hour"
                );
                let failure = DigestFailure { at: now, reason };
                self.store
                    .write(move |tx| tx.note_digest_failure(&failure))
                    .await
                    .context("Note that the digest failed")?;
                return Ok(false);
            }
            Err(StepError::Store(error)) => return Err(error).context("Queue the digest"),
            Err(error) => return Err(error).context("Queue the digest"),
        };
        if queued {
            faultpoint::hit("digest.committed");
            self.outbox.ring();
        }
        Ok(queued)
    }

    /// Handles jobs and digests until `stop`.
    ///
    /// # Errors
    /// When the database is of no use (damaged, or of a newer version): nothing here can mend
    /// that. Other errors are logged and tried again.
    pub async fn run(&self, stop: CancellationToken, bell: Doorbell) -> anyhow::Result<()> {
        if self.assistant.is_some() {
            return self.run_with_endpoint(stop, bell).await;
        }
        loop {
            let sleep = match self.all_due(&stop).await {
                Ok(sleep) => sleep,
                Err(error) if is_hopeless(&error) => return Err(error),
                Err(error) => {
                    tracing::error!(error = format!("{error:#}"), "reply actor: store failed");
                    ERROR_SLEEP
                }
            };
            if bell.sleep(sleep, &stop).await == Woken::Stopped {
                return Ok(());
            }
        }
    }

    /// Handles what is due; how long then to sleep.
    async fn all_due(&self, stop: &CancellationToken) -> anyhow::Result<Duration> {
        while !stop.is_cancelled() && self.handle_one(time::now()).await?.is_some() {}
        self.sleep_until_due().await
    }

    /// Sends a due digest; how long then to sleep.
    async fn sleep_until_due(&self) -> anyhow::Result<Duration> {
        self.send_due_digest(time::now(), false).await?;
        let due = self
            .store
            .read(|r| r.next_reply_due())
            .await
            .context("Look for the next reply job")?;
        let wait = due.map_or(LONGEST_SLEEP, |due| due.since(time::now()));
        Ok(wait.clamp(SHORTEST_SLEEP, LONGEST_SLEEP))
    }

    async fn work(&self, job: ClaimedJob, now: UtcMs, resend: bool) -> anyhow::Result<JobReport> {
        let mut read = None;
        let error = if job.tries > MAX_ATTEMPTS {
            StepError::GivenUp(MAX_ATTEMPTS)
        } else {
            match self.attempt(job, now, resend, &mut read).await {
                Ok(report) => {
                    tracing::info!(
                        job = job.id.0,
                        intent = report.intent.map_or("", Intent::as_str),
                        confidence = report.confidence,
                        gate = report.gate,
                        action = report.action.as_str(),
                        reasons = ?report.reasons,
                        "reply handled"
                    );
                    if report.queued {
                        self.outbox.ring();
                    }
                    return Ok(report);
                }
                Err(error) => error,
            }
        };
        self.record_failure(job, error, read, now).await
    }

    /// Reads and classifies, then decides and writes in one transaction. What was read stays in
    /// `read`, also where the rest fails.
    async fn attempt(
        &self,
        job: ClaimedJob,
        now: UtcMs,
        resend: bool,
        read: &mut Option<Verdict>,
    ) -> Result<JobReport, StepError> {
        let began = Instant::now();
        // On a blocking thread: reading the text takes microseconds, the first time 0.2 s.
        let parts = Arc::clone(&self.parts);
        let (own, context) = self
            .store
            .read(move |r| -> Result<_, StepError> {
                let context = r.job_context(job.id)?;
                let verdict = step::read(
                    &parts.classifier,
                    &parts.settings.reply.person_words,
                    &context,
                )?;
                Ok((verdict, context))
            })
            .await?;
        let (verdict, mut reading) = self.second_opinion(&job, &context, own, now).await?;
        *read = Some(verdict.clone());
        let asked = step::asked(&context, &verdict);
        let found = match asked {
            Some((campaign, text)) => self
                .library
                .answer(campaign, text, verdict.language)
                .await
                .map_err(|LibraryError::Store(e)| StepError::Store(e))?,
            None => None,
        };
        let worded = self
            .in_words(&job, &context, &verdict, found.as_ref(), &mut reading, now)
            .await?;
        // What follows is of the moment at which it is decided: a mail that was queued as of the
        // moment before a slow reading would count as one that has waited.
        let now = now.plus(began.elapsed());
        let random = random_parts()?;
        let parts = Arc::clone(&self.parts);
        let report = self
            .store
            .write(move |tx| -> Result<_, StepError> {
                let step = step::Step {
                    parts: &parts,
                    job,
                    verdict: &verdict,
                    found: found.as_ref(),
                    worded: worded.as_deref(),
                    reading: &reading,
                    resend,
                    random,
                    now,
                };
                let report = step.settle(tx)?;
                faultpoint::hit("reply.before_commit");
                Ok(report)
            })
            .await?;
        faultpoint::hit("reply.committed");
        Ok(report)
    }

    /// Keeps a job that may succeed later, ends one that cannot; an opt-out counts all the same.
    async fn record_failure(
        &self,
        job: ClaimedJob,
        error: StepError,
        read: Option<Verdict>,
        now: UtcMs,
    ) -> anyhow::Result<JobReport> {
        // Who reads the report wants to know whose reply it was; without it the job's number tells.
        let message = job.message_id;
        let conversation_id = self
            .store
            .read(move |r| r.line_of_message(message))
            .await
            .unwrap_or_else(|e: StoreError| {
                tracing::debug!(error = %e, "the line of a reply was not read");
                None
            });
        let report = |action, reasons, error| JobReport {
            job_id: job.id,
            message_id: job.message_id,
            conversation_id,
            action,
            gate: "nothing",
            intent: None,
            confidence: 0.0,
            goal_type: None,
            reasons,
            error,
            next_try: None,
            queued: false,
        };
        if matches!(error, StepError::Store(StoreError::Stale(_))) {
            // Not an error: whoever took it over says how it ends.
            tracing::info!(
                job = job.id.0,
                attempt = job.attempts,
                "reply taken over by another process"
            );
            let why = vec!["another process handles it".to_owned()];
            return Ok(report(ActionTaken::Skipped, why, None));
        }
        let text = error.to_string();
        let again = error.is_transient();
        tracing::warn!(
            job = job.id.0,
            attempt = job.attempts,
            again,
            error = text,
            "reply not handled"
        );
        let note = text.clone();
        let parts = Arc::clone(&self.parts);
        let recorded = self
            .store
            .write(move |tx| {
                if again {
                    return tx.note_job_error(&job, &note);
                }
                // What was decided once stays so: only deciding it again has failed.
                match tx.decided_before(job.id)? {
                    Some(_) => tx.keep_decision(&job, &format!("failed ({note})"))?,
                    None => tx.fail_job(&job, &note, now)?,
                }
                marks::suppress_all_the_same(tx, &parts, job.id, read, now)
            })
            .await;
        match recorded {
            // Somebody else has it by now, and will say how it ends.
            Ok(()) | Err(StoreError::Stale(_)) => {}
            // It stays booked; the store's own trouble is the caller's to hear of.
            Err(e) => {
                return Err(e).with_context(|| format!("Record failure of job {}", job.id));
            }
        }
        let next_try = self.store.read(move |r| r.job_next_try(job.id)).await;
        Ok(JobReport {
            next_try: next_try.unwrap_or_else(|e: StoreError| {
                tracing::debug!(error = %e, "the time of the next try was not read");
                None
            }),
            ..report(ActionTaken::Error, Vec::new(), Some(text))
        })
    }
}

/// Random parts for the Message-IDs of one step.
fn random_parts() -> Result<[[u8; 16]; 2], StepError> {
    let mut parts = [[0; 16]; 2];
    for part in &mut parts {
        getrandom::fill(part).map_err(|e| StepError::Random(e.to_string()))?;
    }
    Ok(parts)
}

fn is_hopeless(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref::<StoreError>(),
        Some(StoreError::Corrupt(_) | StoreError::NotADatabase(_) | StoreError::NewerSchema { .. })
    )
}

#[cfg(test)]
#[path = "actor_tests.rs"]
pub(crate) mod tests;
