//! The outbox worker: claim due mails, hand them to the mailer, record the outcome (docs/ARCHITECTURE.md
//! steps 10 to 12).
//!
//! The table is the queue and the bell only a bell (invariant I4): the worker looks, then sleeps
//! until it is rung or the next mail is due. Each account sends one mail at a time; accounts do
//! not wait for each other, and a mail that fails does not hold up those behind it. What a dead
//! process left is given back when the worker starts ([`Store::join_outbox`]).

mod claim;
mod mended;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::OnceCell;
use tokio::task::{self, JoinSet};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::fault::{self, Fault};
use crate::faultpoint;
use crate::keys::Keys;
use crate::model::{AccountId, AccountState, CampaignLeadId, MailKind, OutboxId, OutboxState};
use crate::retry;
use crate::smtp::{Mailer, Outcome, OutgoingMail, SmtpWhy};
use crate::store::{
    Attempt, CLAIM_LEASE, Claim, ClaimedMail, Handover, OutboxPresence, Passage, Store, StoreError,
    Verdict,
};
use crate::time::{self, UtcMs};
use crate::wake::Doorbell;

/// The longest sleep: what a lost bell costs at most, and what another process (`campaign send`,
/// `automation on`) queues or releases without one.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// After a failure of the store, and when something due could not be claimed.
const STORE_REST: Duration = Duration::from_secs(5);
/// How long a stop waits for mails in flight, inside the 10 s of the whole process. What is not
/// done by then stays booked and is settled by the next start.
const STOP_WAIT: Duration = Duration::from_secs(7);
/// Saying QUIT on kept connections when stopping.
const QUIT_WAIT: Duration = Duration::from_secs(1);
/// How often an outcome is written again while the store fails (full disk, busy): about
/// 20 minutes in all. A mail that was sent must not become "unknown" for a passing reason.
const RECORD_TRIES: u32 = 8;

/// What was done with one mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handled {
    /// The mail.
    pub id: OutboxId,
    /// Through whose server.
    pub account_id: AccountId,
    /// What it is.
    pub kind: MailKind,
    /// The conversation it belongs to.
    pub campaign_lead_id: Option<CampaignLeadId>,
    /// Where it stands now.
    pub state: OutboxState,
    /// The server's reply code, if it gave one.
    pub code: Option<u16>,
    /// Set when the account's server cannot be used: `NeedsSignIn` or `Down`.
    pub trouble: Option<AccountState>,
    /// From the claim to the record.
    pub took: Duration,
}

/// Sends what is due; clones share everything.
#[derive(Clone, Debug)]
pub struct OutboxWorker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    mailers: HashMap<AccountId, Mailer>,
    keys: Arc<Keys>,
    redirect_to: Option<String>,
    look_bells: HashMap<AccountId, Doorbell>,
    presence: OnceCell<OutboxPresence>,
}

impl OutboxWorker {
    /// A worker for the accounts that have a mailer. With `redirect_to`, every mail goes to that
    /// address instead (`--redirect-to`); the message itself is not changed.
    #[must_use]
    pub fn new(
        store: Store,
        mailers: HashMap<AccountId, Mailer>,
        keys: Arc<Keys>,
        redirect_to: Option<String>,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            mailers,
            keys,
            redirect_to,
            look_bells: HashMap::new(),
            presence: OnceCell::new(),
        }))
    }

    /// Rings these when an account's Sent folder has to be read before a mail leaves.
    #[must_use]
    pub fn with_look_bells(mut self, look_bells: HashMap<AccountId, Doorbell>) -> Self {
        // Not shared yet: it was made just now.
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.look_bells = look_bells;
        }
        self
    }

    /// Sends the mail that is due longest, if one is due at `now`. For `--once`: call it until
    /// it returns `None`.
    ///
    /// # Errors
    /// What the store says. The mail stays booked, or its lease gives it back.
    pub async fn handle_one(&self, now: UtcMs) -> anyhow::Result<Option<Handled>> {
        self.0.join(now).await?;
        let started = Instant::now();
        loop {
            let now = now.plus(started.elapsed());
            let Some(mail) = self.0.claim(now, Vec::new()).await? else {
                return Ok(None);
            };
            if let Some(handled) = self.0.deliver(mail, now).await? {
                return Ok(Some(handled));
            }
        }
    }

    /// Sends until `stop` fires, then finishes the mails in flight within 7 s.
    ///
    /// # Errors
    /// A failure of the store that no waiting mends.
    pub async fn run(&self, stop: CancellationToken, bell: Doorbell) -> anyhow::Result<()> {
        // Never: what is due comes again and again.
        let idle = CancellationToken::new();
        // Beside the rest: a command that prints a password may take its time.
        let inner = Arc::clone(&self.0);
        let mut looking = JoinSet::new();
        looking.spawn(async move { inner.try_mended_sign_ins().await });
        self.send(stop, &idle, bell).await
    }

    /// For a single pass: sends until nothing is due any more after `last` fired, which says
    /// that nothing more will be queued. As in [`OutboxWorker::run`] no account waits for
    /// another.
    ///
    /// # Errors
    /// As there; a passing failure of the store ends it too, as nobody waits for a better time.
    pub async fn work_off(&self, last: &CancellationToken, bell: Doorbell) -> anyhow::Result<()> {
        self.0.try_mended_sign_ins().await;
        self.send(CancellationToken::new(), last, bell).await
    }

    async fn send(
        &self,
        stop: CancellationToken,
        last: &CancellationToken,
        bell: Doorbell,
    ) -> anyhow::Result<()> {
        let mut flights = Flights::default();
        let mut housekeeping = JoinSet::new();
        let result = loop {
            // Read before the look: what is queued before it fired is seen by it.
            let is_last = last.is_cancelled();
            let pause = match self.0.start_due(&mut flights, &stop).await {
                Ok(_) if is_last && flights.accounts.is_empty() => break Ok(()),
                Ok(pause) => pause,
                Err(e) if is_passing(&e) && !is_last => {
                    tracing::warn!(error = %format!("{e:#}"), "Outbox waits for the store");
                    STORE_REST
                }
                Err(e) => break Err(e),
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                Some(ended) = flights.next() => if let Err(e) = ended && !is_passing(&e) {
                    break Err(e);
                },
                () = last.cancelled(), if !is_last => {}
                () = bell.rung() => {}
                () = tokio::time::sleep(pause) => {}
            }
            while housekeeping.try_join_next().is_some() {}
            if housekeeping.is_empty() {
                let inner = Arc::clone(&self.0);
                housekeeping.spawn(async move { inner.close_idle().await });
            }
        };
        flights.finish().await;
        housekeeping.shutdown().await;
        self.close().await;
        result
    }

    /// Says goodbye on kept connections; for the end of `--once`. [`OutboxWorker::run`] does it
    /// by itself.
    pub async fn close(&self) {
        let all = async {
            for mailer in self.0.mailers.values() {
                mailer.close().await;
            }
        };
        if timeout(QUIT_WAIT, all).await.is_err() {
            tracing::debug!("SMTP connections were closed without QUIT");
        }
    }
}

/// The mails in flight, one an account.
#[derive(Default)]
struct Flights {
    tasks: JoinSet<anyhow::Result<Option<Handled>>>,
    accounts: HashMap<task::Id, (AccountId, OutboxId)>,
}

impl Flights {
    fn busy(&self) -> Vec<AccountId> {
        self.accounts
            .values()
            .map(|(account, _)| *account)
            .collect()
    }

    /// The next flight that ends; `None` when nothing flies. Safe to cancel.
    async fn next(&mut self) -> Option<anyhow::Result<()>> {
        let ended = self.tasks.join_next_with_id().await?;
        Some(match ended {
            Ok((id, result)) => {
                self.accounts.remove(&id);
                result.map(|_| ()).inspect_err(|e| {
                    tracing::error!(error = %format!("{e:#}"), "Mail stays booked");
                })
            }
            Err(join) => {
                let mail = self.accounts.remove(&join.id()).map(|(_, mail)| mail.0);
                // Its lease gives it back. The text of a panic may hold contents.
                tracing::error!(mail, panic = join.is_panic(), "Sending a mail ended early");
                Ok(())
            }
        })
    }

    async fn finish(&mut self) {
        let all = async { while self.next().await.is_some() {} };
        if timeout(STOP_WAIT, all).await.is_ok() {
            return;
        }
        for (account, mail) in self.accounts.values() {
            tracing::warn!(%account, %mail, "Stopped with a mail in flight; the next start settles it");
        }
        self.tasks.shutdown().await;
    }
}

impl Inner {
    /// Once: takes its place among those who send, and gives back what the dead left.
    async fn join(&self, now: UtcMs) -> anyhow::Result<()> {
        self.presence
            .get_or_try_init(|| async {
                let (presence, recovered) = self.store.join_outbox(now).await?;
                for mail in &recovered.due_again {
                    tracing::info!(%mail, "Mail of an ended process is due again");
                }
                warn_unknown(&recovered.unknown);
                Ok::<_, StoreError>(presence)
            })
            .await
            .context("Join the outbox")?;
        Ok(())
    }

    /// Starts all that is due and may start; returns how long to sleep.
    async fn start_due(
        self: &Arc<Self>,
        flights: &mut Flights,
        stop: &CancellationToken,
    ) -> anyhow::Result<Duration> {
        self.join(time::now()).await?;
        // One mail an account, however many accounts hang: none waits for another. The accounts
        // of the settings bound how many bodies are in memory.
        while !stop.is_cancelled() {
            let now = time::now();
            let Some(mail) = self.claim(now, flights.busy()).await? else {
                let busy = flights.busy();
                let next = self
                    .store
                    .read(move |r| r.next_outbox_due(now, &busy))
                    .await;
                let next = next.context("Ask for the next due mail")?;
                return Ok(next.map_or(LONGEST_SLEEP, |due| {
                    // Due, and yet not claimed: never a busy loop.
                    let wait = due.since(now);
                    let least = if wait.is_zero() { STORE_REST } else { wait };
                    least.min(LONGEST_SLEEP)
                }));
            };
            let of = (mail.account_id, mail.attempt.id);
            let inner = Arc::clone(self);
            let task = flights
                .tasks
                .spawn(async move { inner.deliver(mail, now).await });
            flights.accounts.insert(task.id(), of);
        }
        Ok(LONGEST_SLEEP)
    }

    /// Books an attempt; withdraws what is not to be sent any more on the way.
    async fn claim(&self, now: UtcMs, busy: Vec<AccountId>) -> anyhow::Result<Option<ClaimedMail>> {
        loop {
            let (busy, redirect) = (busy.clone(), self.redirect_to.clone());
            // Nothing was said to the server yet: what a loss of power takes back is due again.
            let claim: Claim = self
                .store
                .book(move |tx| tx.claim_outbox(now, CLAIM_LEASE, &busy, redirect.as_deref()))
                .await
                .context("Claim a mail")?;
            for (mail, passage) in &claim.stopped {
                log_stopped(*mail, passage);
            }
            for account in &claim.unread {
                if let Some(bell) = self.look_bells.get(account) {
                    bell.ring();
                }
            }
            warn_unknown(&claim.unknown);
            if claim.mail.is_some() || claim.stopped.is_empty() {
                return Ok(claim.mail);
            }
        }
    }

    async fn deliver_held(&self, mail: ClaimedMail, now: UtcMs) -> anyhow::Result<Option<Handled>> {
        faultpoint::hit("outbox.claimed");
        let began = Instant::now();
        let attempt = mail.attempt;
        let outcome = match self.mailers.get(&mail.account_id) {
            Some(mailer) => self.send(mailer, &mail, now, began).await,
            None => Ok(Outcome::Deferred {
                code: None,
                text: "The account is not in the settings".into(),
                trouble: Some(AccountState::Down),
                why: None,
            }),
        };
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(StoreError::Stale(_)) => {
                tracing::warn!(mail = %attempt.id, "Mail was taken over or stopped; nothing was sent");
                return Ok(None);
            }
            // No byte of the body went out. The lease would give the mail back, but later.
            Err(e) => Outcome::Deferred {
                code: None,
                text: format!("The handover could not be noted: {e}"),
                trouble: None,
                why: None,
            },
        };
        let sent = matches!(outcome, Outcome::Sent { .. });
        tracing::debug!(mail = %attempt.id, kind = %mail.kind, sent, "SMTP server answered");
        faultpoint::hit("outbox.body_sent");
        let mut fault = None;
        let (code, trouble, why) = match &outcome {
            Outcome::Sent { code, .. } => (Some(*code), None, None),
            Outcome::Rejected { code, text, .. } => (*code, None, Some(text.clone())),
            Outcome::Deferred {
                code,
                text,
                trouble,
                why,
            } => {
                fault = fault_of(*trouble, *why, *code, text);
                (*code, *trouble, Some(text.clone()))
            }
            Outcome::Unknown { why } => (None, None, Some(why.clone())),
        };
        let recorded = self
            .record(attempt, self.verdict(outcome), now, began)
            .await;
        let state = match recorded {
            Ok(state) => state,
            Err(StoreError::Stale(_)) => {
                tracing::warn!(mail = %attempt.id, "Mail was settled meanwhile");
                return Ok(None);
            }
            Err(e) => {
                return Err(e)
                    .with_context(|| format!("Record the outcome of mail {}", attempt.id));
            }
        };
        faultpoint::hit("outbox.recorded");
        let handled = Handled {
            id: attempt.id,
            account_id: mail.account_id,
            kind: mail.kind,
            campaign_lead_id: mail.campaign_lead_id,
            state,
            code,
            trouble,
            took: began.elapsed(),
        };
        // A server's text may name the recipient; our own reasons do not.
        let why = why.filter(|_| code.is_none());
        if let Some(fault) = fault {
            self.log_fault(&handled, fault, why.as_deref()).await;
        } else {
            log(&handled, why.as_deref());
        }
        Ok(Some(handled))
    }

    async fn send(
        &self,
        mailer: &Mailer,
        mail: &ClaimedMail,
        now: UtcMs,
        began: Instant,
    ) -> Result<Outcome, StoreError> {
        let attempt = mail.attempt;
        let outgoing = OutgoingMail {
            envelope_from: &mail.envelope_from,
            envelope_to: self.redirect_to.as_ref().unwrap_or(&mail.envelope_to),
            raw: &mail.raw,
        };
        mailer
            .send(&outgoing, || async {
                let at = now.plus(began.elapsed());
                let handover = self
                    .store
                    .write(move |tx| tx.mark_handed_over(&attempt, at))
                    .await?;
                if let Handover::Stopped(passage) = handover {
                    log_stopped(attempt.id, &passage);
                    return Err(StoreError::Stale(format!("Mail {}", attempt.id)));
                }
                faultpoint::hit("outbox.handed_over");
                Ok(())
            })
            .await
    }

    fn verdict(&self, outcome: Outcome) -> Verdict {
        match outcome {
            Outcome::Sent {
                code,
                text,
                provider_id,
                aliases,
            } => Verdict::Sent {
                code,
                text,
                provider_id,
                aliases: aliases
                    .into_iter()
                    .map(|id| {
                        let hash = self.keys.hash(&id);
                        (id, hash)
                    })
                    .collect(),
            },
            Outcome::Deferred {
                code,
                text,
                trouble,
                why,
            } => Verdict::Deferred {
                fault: fault_of(trouble, why, code, &text).map_or("", Fault::code),
                code,
                text,
                trouble,
            },
            Outcome::Rejected { code, text, .. } => Verdict::Rejected { code, text },
            Outcome::Unknown { why } => Verdict::Unknown { why },
        }
    }

    async fn record(
        &self,
        attempt: Attempt,
        verdict: Verdict,
        now: UtcMs,
        began: Instant,
    ) -> Result<OutboxState, StoreError> {
        let mut tries = 0;
        loop {
            let (verdict, at) = (verdict.clone(), now.plus(began.elapsed()));
            let recorded = self
                .store
                .write(move |tx| {
                    let state = tx.record_outcome(&attempt, &verdict, at)?;
                    faultpoint::hit("outbox.before_commit");
                    Ok::<_, StoreError>(state)
                })
                .await;
            match recorded {
                Err(e) if passes(&e) && tries < RECORD_TRIES => {
                    tracing::warn!(mail = %attempt.id, error = %e, "Outcome not recorded yet");
                    tokio::time::sleep(retry::REPLY_JOB.wait(tries)).await;
                    tries = tries.saturating_add(1);
                }
                other => return other,
            }
        }
    }

    /// The account's server cannot be used: says whose, what is wrong and what to do.
    async fn log_fault(&self, h: &Handled, fault: Fault, why: Option<&str>) {
        let id = h.account_id;
        let row: Result<_, StoreError> = self.store.read(move |r| r.account(id)).await;
        let account = row.map_or_else(|_| id.to_string(), |row| row.name);
        tracing::error!(
            mail = %h.id, account, fault = fault.code(), code = h.code, why,
            "SMTP server of the account cannot be used: {}. {}", fault.title(), fault.remedy()
        );
    }

    async fn close_idle(&self) {
        for mailer in self.mailers.values() {
            mailer.close_idle().await;
        }
    }
}

/// What is wrong with the account's server; none when only this mail waits.
fn fault_of(
    trouble: Option<AccountState>,
    why: Option<SmtpWhy>,
    code: Option<u16>,
    text: &str,
) -> Option<Fault> {
    trouble?;
    Some(why.map_or(Fault::Unexpected, |why| fault::of_smtp(why, code, text)))
}

fn warn_unknown(mails: &[OutboxId]) {
    for mail in mails {
        tracing::warn!(%mail, "Nobody knows whether this mail arrived: a person decides");
    }
}

/// What the gate did instead of letting a mail leave.
fn log_stopped(mail: OutboxId, passage: &Passage) {
    match passage {
        Passage::Leave => {}
        Passage::Hold => tracing::info!(%mail, "Mail held: automation is off"),
        Passage::Later(until) => {
            tracing::info!(%mail, until = until.rfc3339(), "Mail put off: the lead is away");
        }
        Passage::Closed(until) => {
            tracing::info!(%mail, until = until.rfc3339(), "Mail put off: outside the working hours");
        }
        Passage::SentUnread(_) => {
            tracing::debug!(%mail, "Mail waits until the Sent folder was read");
        }
        Passage::Withdraw(why) => tracing::info!(%mail, why, "Mail withdrawn"),
        Passage::Draft(why) => tracing::info!(%mail, why, "Mail withdrawn: it is a draft now"),
        Passage::Refuse(why) => tracing::warn!(%mail, why, "A person's mail was not sent"),
    }
}

fn log(h: &Handled, why: Option<&str>) {
    let took_ms = u64::try_from(h.took.as_millis()).unwrap_or(u64::MAX);
    let (mail, account, kind, code) = (h.id, h.account_id, h.kind, h.code);
    match (h.state, h.trouble) {
        (_, Some(trouble)) => {
            tracing::warn!(%mail, %account, %trouble, code, why, "SMTP server of the account cannot be used");
        }
        (OutboxState::Sent, _) => {
            tracing::info!(%mail, %account, %kind, code, took_ms, "Mail sent");
        }
        (OutboxState::Deferred, _) => {
            tracing::info!(%mail, %account, %kind, code, why, "Mail deferred");
        }
        (state, _) => {
            tracing::warn!(%mail, %account, %kind, %state, code, why, "Mail not sent");
        }
    }
}

/// Whether the store may do the same later by itself.
fn passes(e: &StoreError) -> bool {
    e.is_transient() && !matches!(e, StoreError::Stale(_))
}

fn is_passing(e: &anyhow::Error) -> bool {
    e.downcast_ref::<StoreError>().is_some_and(passes)
}
