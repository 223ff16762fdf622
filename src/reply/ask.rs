//! Asking the model endpoint about one reply: outside every transaction, within the job's lease,
//! and never in the way of the program's own verdict.

use std::time::Duration;

use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::classify::Verdict;
use super::grounds::StepError;
use super::second::{self, Facts};
use super::{ReplyActor, step, wording};
use crate::answers::Found;
use crate::assistant::words::Material;
use crate::assistant::{AskError, Assistant, Said};
use crate::model::{CampaignMode, Intent, Nature};
use crate::reply::fold::Language;
use crate::store::{ClaimedJob, JobContext, Reading, StoreError};
use crate::time::UtcMs;
use crate::visible;

/// Beyond the endpoint's own limits: for the two transactions around it.
const MARGIN: Duration = Duration::from_secs(10);

/// The own classifier alone, and with the endpoint.
const OWN: &str = "own";
const BOTH: &str = "own and endpoint";

/// Who read a reply that only the own classifier has read.
pub(super) fn own_reading(v: &Verdict) -> Reading {
    Reading {
        provider: OWN.to_owned(),
        model_version: v.model_version.clone(),
        ..Reading::default()
    }
}

/// What decides whether the endpoint is asked.
fn facts(c: &JobContext) -> Facts {
    let t = c.thread.as_ref();
    let calendar = c.nature == Some(Nature::Calendar);
    Facts {
        disposition: c.disposition,
        matched: t.is_some(),
        sender_verified: c.sender_verified,
        // What a calendar says stands in its subject; the rules read that.
        has_text: !c.visible_text.trim().is_empty() && !c.visible_quoted && !calendar,
        suppressed: t.is_some_and(|t| t.suppressed),
        mode: t.map_or(CampaignMode::Off, |t| t.mode),
        active: t.is_some_and(|t| t.active),
        old: c.old_mail,
        person: t.is_some_and(|t| t.person_wrote || t.person_answered_it)
            || c.by_person.in_words().is_some()
            || c.copy_of.is_some(),
    }
}

/// The subject and the mail of ours that is answered, without the lead's name, address and phone.
fn without_lead(c: &JobContext) -> (String, Option<String>) {
    let clean = |text: &str| match &c.thread {
        Some(t) => {
            let exact = [t.lead_email.as_str(), t.lead_phone.as_str()];
            second::without_person(text, &t.lead_name, &exact)
        }
        None => text.to_owned(),
    };
    (clean(&c.subject), step::last_outbound(c).map(clean))
}

/// Old mail by its time is told from the facts that the decision has too.
fn is_old(c: &JobContext, now: UtcMs, max_age: Duration) -> bool {
    c.old_mail || now.since(c.internal_date) > max_age
}

/// Whether a campaign's documents are asked and an answer of theirs is put into words.
fn wants_words(v: &Verdict, found: &Found) -> bool {
    v.intent == Intent::Question
        && v.disagreement.is_none()
        && v.person_words.is_empty()
        && found.answered.passes()
}

impl ReplyActor {
    /// The verdict of both, and who gave it. Trouble with the endpoint is no trouble here.
    pub(super) async fn second_opinion(
        &self,
        job: &ClaimedJob,
        c: &JobContext,
        own: Verdict,
        now: UtcMs,
    ) -> Result<(Verdict, Reading), StepError> {
        let mut reading = own_reading(&own);
        let Some(assistant) = self.assistant.as_ref().filter(|a| a.classifies()) else {
            return Ok((own, reading));
        };
        let spared = self.spared(c, &own, now);
        if let Some(why) = spared {
            reading.opinion = format!("not asked: {why}");
            return Ok((own, reading));
        }
        let text = visible::own_words(&c.visible_text, c.visible_quoted);
        let (subject, ours) = without_lead(c);
        let turn = self.turn(assistant, job, now).await?;
        let question = second::question(&text, &subject, ours.as_deref());
        let said = until(&self.closing, assistant.opinion(&question)).await;
        drop(turn);
        self.keep_state(assistant).await;
        match said {
            Some(Ok(Said { what, model })) => {
                let both = second::combined(&own, &what);
                reading.provider = BOTH.to_owned();
                reading.model_version = format!("{}; {model}", own.model_version);
                let step = what.goal_type.map_or("", |g| g.as_str());
                reading.opinion = format!("{} at {:.2} {step}", what.intent, what.confidence)
                    .trim_end()
                    .to_owned();
                Ok((both, reading))
            }
            failed => {
                reading.opinion = format!("no opinion: {}", why(failed, job));
                Ok((own, reading))
            }
        }
    }

    /// Why it is not asked about this reply.
    fn spared(&self, c: &JobContext, v: &Verdict, now: UtcMs) -> Option<&'static str> {
        let max_age = self.parts.settings.reply.answer_max_age;
        let facts = Facts {
            old: is_old(c, now, max_age),
            ..facts(c)
        };
        second::spared(v, &facts)
    }

    /// An answer that passes, in words; noted in `reading`. `None`: the documents' own words.
    pub(super) async fn in_words(
        &self,
        job: &ClaimedJob,
        c: &JobContext,
        v: &Verdict,
        found: Option<&Found>,
        reading: &mut Reading,
        now: UtcMs,
    ) -> Result<Option<String>, StepError> {
        let assistant = self.assistant.as_ref().filter(|a| a.words_answers());
        let (Some(assistant), Some(found)) = (assistant, found) else {
            return Ok(None);
        };
        if !wants_words(v, found) || self.spared(c, v, now).is_some() {
            return Ok(None);
        }
        self.begin_asking(assistant, job, now).await?;
        let passages = &found.answered.text;
        let material = Material {
            questions: found
                .answered
                .parts
                .iter()
                .map(|p| p.question.clone())
                .collect(),
            passages: passages.clone(),
            language: match found.language {
                Language::Known(code) => code.to_owned(),
                Language::Other | Language::Unknown => String::new(),
            },
        };
        let said = until(&self.closing, assistant.words(&material)).await;
        self.keep_state(assistant).await;
        match said {
            Some(Ok(Said { what, model })) => {
                match wording::check(passages, &what, found.language) {
                    Ok(()) => {
                        reading.wording = model;
                        Ok(Some(what))
                    }
                    Err(refused) => {
                        tracing::info!(
                            job = job.id.0,
                            reason = %refused,
                            "the model's words are not sent: the documents' words are"
                        );
                        reading.wording = format!("documents: {model} gave {refused}");
                        Ok(None)
                    }
                }
            }
            failed => {
                reading.wording = format!("documents: {}", why(failed, job));
                Ok(None)
            }
        }
    }

    /// Waits for a turn at the endpoint; none when replyd stops. The job stays booked meanwhile:
    /// again and again for a little, as a booking far ahead counts as that of a clock that was wrong.
    async fn turn(
        &self,
        assistant: &Assistant,
        job: &ClaimedJob,
        now: UtcMs,
    ) -> Result<Option<SemaphorePermit<'_>>, StepError> {
        let began = Instant::now();
        loop {
            let now = now.plus(began.elapsed());
            self.begin_asking(assistant, job, now).await?;
            let turn = until(&self.closing, self.asking.acquire());
            // Nobody closes it.
            if let Ok(turn) = timeout(MARGIN / 2, turn).await {
                return Ok(turn.and_then(Result::ok));
            }
        }
    }

    /// Books the job for as long as the endpoint may take, and goes on from what is known of it.
    async fn begin_asking(
        &self,
        assistant: &Assistant,
        job: &ClaimedJob,
        now: UtcMs,
    ) -> Result<(), StepError> {
        let (job, until) = (*job, now.plus(assistant.longest()).plus(MARGIN));
        self.store
            .write(move |tx| tx.extend_lease(&job, until))
            .await?;
        self.remembered
            .get_or_try_init(|| async {
                let state = self.store.read(|r| r.endpoint_state()).await?;
                if let Some(state) = state {
                    assistant.restore(state);
                }
                Ok::<_, StoreError>(())
            })
            .await?;
        Ok(())
    }

    /// Keeps what was learned of the endpoint; without it something is asked once more.
    async fn keep_state(&self, assistant: &Assistant) {
        let Some(state) = assistant.take_changes() else {
            return;
        };
        let kept: Result<(), StoreError> = self
            .store
            .write(move |tx| tx.put_endpoint_state(&state))
            .await;
        if let Err(error) = kept {
            tracing::warn!(%error, "the state of the model endpoint is not kept");
        }
    }
}

/// The result, unless the process stops first.
async fn until<T>(stop: &CancellationToken, result: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        result = result => Some(result),
    }
}

/// Why there is nothing, logged here and nowhere else.
fn why<T>(failed: Option<Result<T, AskError>>, job: &ClaimedJob) -> String {
    match failed {
        None => "replyd stopped".to_owned(),
        Some(Ok(_)) => String::new(),
        Some(Err(AskError::LeftAlone(until))) => AskError::LeftAlone(until).to_string(),
        Some(Err(error)) => {
            tracing::warn!(job = job.id.0, reason = %error, "the model endpoint gave nothing");
            error.to_string()
        }
    }
}
