//! `run --once`, `check` and `process`: one pass with the same parts as `run`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{App, tasks};
use crate::capture::Report;
use crate::fault;
use crate::listener::Ended;
use crate::model::{AccountId, AccountState, JobId, OutboxState};
use crate::reply::{ActionTaken, JobReport};
use crate::store::{JobMail, SmtpPause, StoreError};
use crate::time::{self, UtcMs};

/// How long a pass without a service goes on sending campaign mails at their pace: cron starts
/// the next one a minute later.
const PACED_FOR: Duration = Duration::from_secs(50);
/// A mail that is due is being sent, or is another process's: how soon to look again.
const PACED_STEP: Duration = Duration::from_millis(200);

/// How one account's look ended.
#[derive(Debug)]
pub enum Outcome {
    /// Looked at.
    Done(Report),
    /// A server could not be reached, or is not to be tried yet.
    NotNow {
        /// Why.
        why: String,
        /// When it may be tried again, if that is known.
        next_try: Option<UtcMs>,
    },
    /// A person must mend the sign-in.
    NeedsSignIn(String),
    /// Another process reads the account and verified it lately: nothing to do.
    HeldElsewhere,
    /// The store or a task failed.
    Failed(String),
}

/// What a pass did, account by account.
#[derive(Debug, Default)]
pub struct CheckReport {
    /// Name and outcome.
    pub accounts: Vec<(String, Outcome)>,
    /// All reports added up.
    pub total: Report,
    /// Replies processed by the actor, with their report lines.
    pub jobs: Vec<JobReport>,
    /// The mails that each of them queued; of `process` only.
    pub mails: Vec<Vec<JobMail>>,
    /// Replies that could not be handled, or whose mail did not leave.
    pub job_errors: u64,
    /// Accounts whose mails wait because their SMTP server cannot be used.
    pub smtp: Vec<SmtpPause>,
}

impl CheckReport {
    fn note(&mut self, job: JobReport) {
        if job.error.is_some() {
            self.job_errors = self.job_errors.saturating_add(1);
        }
        self.jobs.push(job);
    }

    /// What became of the mails of the jobs, now that they were tried.
    fn note_mails(&mut self, mails: Vec<Vec<JobMail>>) {
        for (job, mails) in self.jobs.iter_mut().zip(mails) {
            if job.error.is_some() {
                continue;
            }
            let stuck = mails.iter().find_map(|m| {
                let action = match m.state {
                    OutboxState::Rejected => ActionTaken::EmailFailed,
                    // Held or put off on purpose, it was not tried.
                    OutboxState::Deferred | OutboxState::Unknown => ActionTaken::EmailError,
                    _ => return None,
                };
                Some((action, format!("{}: {}: {}", m.kind, m.state, m.smtp_text)))
            });
            if let Some((action, error)) = stuck {
                job.action = action;
                job.error = Some(error);
                self.job_errors = self.job_errors.saturating_add(1);
            }
        }
    }
}

/// The outbox at work beside a pass.
struct Sending {
    last: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Sending {
    /// Nothing more will be queued: waits until all that is due was tried.
    async fn end(self) -> anyhow::Result<()> {
        self.last.cancel();
        self.task.await.context("Send mails")?
    }
}

impl App {
    /// One pass of every account, with reply and outbox until nothing is due. What one account
    /// brought is answered while others are still looked at, and its mails leave while others'
    /// servers hang. With `check_days` every UID of that window is looked at again, also behind
    /// the cursor.
    ///
    /// # Errors
    /// When the pass cannot begin; what an account met is in the report.
    pub async fn once(&self, check_days: Option<u32>) -> anyhow::Result<CheckReport> {
        // A webhook that is new is told of what this pass finds.
        let hooks = self.hooks();
        hooks.register().await?;
        let sending = self.begin_sending().await?;
        // A first look may take longer than a lease.
        let keeping = CancellationToken::new();
        let keeper = tokio::spawn(tasks::keep_leases(
            self.store.clone(),
            Arc::clone(&self.settings),
            self.owner.clone(),
            keeping.clone(),
            super::parts::Pulse::default(),
        ));
        let mut report = CheckReport::default();
        let looked = self.look_and_answer(check_days, &mut report).await;
        keeping.cancel();
        if let Err(join) = keeper.await {
            warn!("the lease keeper failed: {join}");
        }
        let ended = self.finish_pass(&mut report, sending).await;
        looked?;
        // What the pass met may be worth an alert, whose mail then leaves as well.
        self.alerts.after_pass(time::now()).await?;
        self.begin_sending().await?.end().await?;
        ended?;
        hooks.once(&CancellationToken::new()).await?;
        Ok(report)
    }

    async fn look_and_answer(
        &self,
        check_days: Option<u32>,
        report: &mut CheckReport,
    ) -> anyhow::Result<()> {
        let mut tasks = JoinSet::new();
        for listener in self.listeners().await? {
            tasks.spawn(async move {
                let result = listener.once(check_days).await;
                (listener.name().to_owned(), listener.id(), result)
            });
        }
        while let Some(ended) = tasks.join_next().await {
            match ended {
                Ok((name, id, result)) => {
                    let outcome = match result {
                        Ok(done) => {
                            report.total.add(&done);
                            Outcome::Done(done)
                        }
                        Err(ended) => self.outcome(&name, id, &ended).await,
                    };
                    if let Some(problem) = problem(&outcome) {
                        report.total.error(format!("{name}: {problem}"));
                    }
                    report.accounts.push((name, outcome));
                }
                Err(join) => {
                    report.total.error(format!("A listener failed: {join}"));
                    report.accounts.push((
                        "?".into(),
                        Outcome::Failed(format!("A listener failed: {join}")),
                    ));
                }
            }
            while let Some(job) = self.actor.handle_one(time::now()).await? {
                report.note(job);
            }
        }
        report.accounts.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(())
    }

    /// Reply jobs that wait, and with `force` those that were processed already, at most
    /// `limit`; then the digest and the outbox. Nothing is sent twice for one reply.
    ///
    /// # Errors
    /// What the store says.
    pub async fn process(&self, limit: u32, force: bool) -> anyhow::Result<CheckReport> {
        let jobs = self
            .store
            .read(move |r| r.pending_replies(limit, force))
            .await
            .map_err(|e: StoreError| e)?;
        self.work_off(jobs, false).await
    }

    /// As [`App::process`], of this reply alone; with `resend` a second mail may leave for it.
    ///
    /// # Errors
    /// What the store says.
    pub async fn process_one(&self, job: JobId, resend: bool) -> anyhow::Result<CheckReport> {
        self.work_off(vec![job], resend).await
    }

    async fn work_off(&self, jobs: Vec<JobId>, resend: bool) -> anyhow::Result<CheckReport> {
        let mut report = CheckReport::default();
        let before = self
            .store
            .read(|r| r.newest_mail())
            .await
            .map_err(|e: StoreError| e)?;
        for id in jobs {
            match self.actor.process(id, resend, time::now()).await {
                Ok(job) => report.note(job),
                Err(e) => {
                    report.job_errors = report.job_errors.saturating_add(1);
                    warn!(job = id.0, "reply job: {e:#}");
                }
            }
        }
        let sending = self.begin_sending().await?;
        self.finish_pass(&mut report, sending).await?;
        let handled: Vec<JobId> = report.jobs.iter().map(|job| job.job_id).collect();
        let mails = self
            .store
            .read(move |r| {
                let of = |job: &JobId| r.mails_of_job(*job, before);
                handled
                    .iter()
                    .map(of)
                    .collect::<Result<Vec<_>, StoreError>>()
            })
            .await?;
        report.mails.clone_from(&mails);
        report.note_mails(mails);
        Ok(report)
    }

    async fn begin_sending(&self) -> anyhow::Result<Sending> {
        let (outbox, bell) = (self.outbox().await?, self.outbox_bell.clone());
        let last = CancellationToken::new();
        let ending = last.clone();
        let task = tokio::spawn(async move { outbox.work_off(&ending, bell).await });
        Ok(Sending { last, task })
    }

    /// Campaign mails leave evenly: what a minute's pass of cron may send it sends in most of
    /// that minute.
    async fn pace_out(&self) -> anyhow::Result<()> {
        // During a trial campaign mails wait, and nobody waits for them.
        if self.settings.redirect_to.is_some() {
            return Ok(());
        }
        let until = Instant::now() + PACED_FOR;
        loop {
            let now = time::now();
            let next = self.store.read(move |r| r.next_campaign_mail(now)).await;
            let Some(at) = next.map_err(|e: StoreError| e)? else {
                return Ok(());
            };
            let wait = at.since(now).max(PACED_STEP);
            if Instant::now() + wait > until {
                return Ok(());
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// The digest, and what is left in the outbox.
    async fn finish_pass(&self, report: &mut CheckReport, sending: Sending) -> anyhow::Result<()> {
        // A digest that cannot be made must not hold back the mails that wait.
        let digest = self.actor.send_due_digest(time::now(), true).await;
        self.pace_out().await?;
        sending.end().await?;
        // Also what an earlier pass met: mails of a paused account wait without being tried.
        report.smtp = self
            .store
            .read(|r| r.smtp_pauses())
            .await
            .map_err(|e: StoreError| e)?;
        digest.map(|_| ())
    }

    /// Where an account is read, for people.
    fn server_of(&self, account: &str) -> String {
        let found = self.settings.accounts.iter().find(|a| a.name == account);
        found.map_or_else(String::new, |a| format!("{}:{}", a.imap.host, a.imap.port))
    }

    /// What an ended look means to whoever called.
    async fn outcome(&self, account: &str, id: AccountId, ended: &Ended) -> Outcome {
        let row = self
            .store
            .read(move |r| r.account(id))
            .await
            .map_err(|e: StoreError| e);
        let next_try = row
            .as_ref()
            .ok()
            .map(|r| r.next_attempt_at)
            .filter(|at| *at > time::now());
        match ended {
            Ended::Held | Ended::Store(StoreError::LeaseLost(_)) => {
                let fresh = self.settings.listen.interval.saturating_mul(3);
                let verified = row.ok().and_then(|r| r.verified_at);
                if verified.is_some_and(|at| time::now().since(at) <= fresh) {
                    Outcome::HeldElsewhere
                } else {
                    Outcome::NotNow {
                        why: ended.to_string(),
                        next_try: None,
                    }
                }
            }
            Ended::NotBefore(at) => {
                // What the last try met, or the login budget alone.
                let met = row.ok().filter(|r| r.state != AccountState::Live);
                let why = met.map_or_else(String::new, |r| format!(": {}", r.state_reason));
                Outcome::NotNow {
                    why: format!("Not to be tried yet{why}"),
                    next_try: Some(*at),
                }
            }
            Ended::Imap(e) => {
                let why = fault::of_imap(e).sentence(&self.server_of(account), e);
                if e.is_auth() {
                    return Outcome::NeedsSignIn(why);
                }
                Outcome::NotNow { why, next_try }
            }
            Ended::Credential(e) => {
                let why = fault::of_credential(e).sentence("", e);
                if e.is_auth() {
                    return Outcome::NeedsSignIn(why);
                }
                Outcome::NotNow { why, next_try }
            }
            Ended::TokenExpired => Outcome::NotNow {
                why: ended.to_string(),
                next_try,
            },
            Ended::Over(why) => Outcome::NotNow {
                why: why.clone(),
                next_try,
            },
            Ended::Store(e) => Outcome::Failed(fault::of_store(e).sentence("", e)),
        }
    }
}

/// What went wrong, in words; none when the account was looked at.
#[must_use]
pub fn problem(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Done(_) | Outcome::HeldElsewhere => None,
        Outcome::NotNow { why, next_try, .. } => Some(match next_try {
            Some(at) if why.ends_with('.') => format!("{why} Next try at {}.", at.rfc3339()),
            Some(at) => format!("{why}; next try at {}", at.rfc3339()),
            None => why.clone(),
        }),
        Outcome::NeedsSignIn(why) | Outcome::Failed(why) => Some(why.clone()),
    }
}
