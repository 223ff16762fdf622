//! What would be decided today of a reply that was decided before: for `replay`. Writes nothing.
//!
//! Facts that belonged to that moment (brakes, suppressions, who wrote in the thread since) are
//! left out of both sides: they would differ whatever the rules say.

use super::classify::ReplyInput;
use super::fold::Language;
use super::own_rules::OwnRules;
use super::policy::{self, Situation};
use super::{ReplyActor, own_words, step};
use crate::answers::{Found, library};
use crate::model::{CampaignId, Intent, Nature};
use crate::store::{NewDecision, NewMessage, Reader, RecordedJob};
use crate::time::UtcMs;
use crate::visible;

/// Words of reasons that belong to a moment.
const OF_THE_MOMENT: &[&str] = &[
    "brake",
    "the address is suppressed",
    "person wrote",
    "same reply came before",
    "automation",
    "campaign is not active",
    "cap of",
    // A model endpoint is not asked again.
    "endpoint:",
];

/// Today's decision.
#[derive(Clone, Debug)]
pub struct Today {
    /// Intent, gate, reasons.
    pub decision: NewDecision,
    /// An opt-out.
    pub opt_out: bool,
}

/// Whether a recorded decision was held back by what stood against it at that moment only.
#[must_use]
pub fn was_held(job: &RecordedJob) -> bool {
    OF_THE_MOMENT.iter().any(|w| job.reasons.contains(w))
}

/// From the index as it stands: replay reads no folder.
fn documents_say(
    r: &Reader<'_>,
    campaign: CampaignId,
    text: &str,
    language: Language,
) -> anyhow::Result<Option<Found>> {
    if r.documents_folder(campaign)?.is_none() {
        return Ok(None);
    }
    Ok(Some(library::answer(r, campaign, text, language)?))
}

impl ReplyActor {
    /// Decides anew on `m`, as it is understood today; `job` is what was decided then.
    ///
    /// # Errors
    /// What the store or the rules say.
    pub fn decide_again(
        &self,
        r: &Reader<'_>,
        m: &NewMessage,
        job: Option<&RecordedJob>,
        now: UtcMs,
    ) -> anyhow::Result<Today> {
        let context = job.map(|j| r.job_context(j.id)).transpose()?;
        let c = context.as_ref();
        let t = c.and_then(|c| c.thread.as_ref());
        let settings = &self.parts.settings.reply;
        let content = m.content.clone().unwrap_or_default();
        let ours = [
            c.and_then(|c| c.matched.as_ref()).map(|s| s.body.as_str()),
            t.map(|t| t.last_sent_body.as_str()),
        ];
        let new_text = visible::own_words(&content.visible_text, content.visible_quoted);
        let mut verdict = self.parts.classifier.classify(&ReplyInput {
            new_text: &new_text,
            sure: content.visible_sure,
            subject: &content.subject,
            nature: Some(m.nature),
            last_outbound: ours.into_iter().flatten().find(|b| !b.is_empty()),
        })?;
        let own = own_words::found(&new_text, &settings.person_words);
        verdict.person_words.extend(own);
        let rules = OwnRules::of(r, t)?;
        let asked = c.and_then(|c| step::asked(c, &verdict));
        let found = asked
            .map(|(campaign, text)| documents_say(r, campaign, &text, verdict.language))
            .transpose()?
            .flatten();
        let matched = m.matched.as_ref();
        let decision = policy::decide(
            &verdict,
            &Situation {
                disposition: m.disposition,
                matched: matched.is_some(),
                sender_verified: matched.is_some_and(|x| x.sender_verified),
                match_confidence: matched.map_or(0.0, |x| x.confidence),
                visible_sure: content.visible_sure,
                has_text: !content.visible_text.trim().is_empty() || m.nature == Nature::Calendar,
                duplicate_id: c.is_some_and(|c| c.duplicate_id),
                source: c.map_or(m.source, |c| c.source),
                old_mail: c.is_none_or(|c| c.old_mail),
                internal_date: m.internal_date,
                parent_known_at: c.and_then(|c| c.matched.as_ref()).map(|s| s.known_at),
                first_started_at: c.map_or(now, |c| c.first_started_at),
                now: job.map_or(now, |j| j.done_at),
                thresholds: rules.thresholds(settings),
                from_spam: m.from_spam,
                sender_auth: m.sender_auth,
                language_known: {
                    let campaign = t.map_or("", |t| t.campaign.as_str());
                    match &found {
                        Some(found) => self.parts.templates.answers_in(campaign, found.language),
                        None => self.parts.templates.speaks(campaign, verdict.language),
                    }
                },
                grounds: step::grounds(found.as_ref()),
                until: step::until(
                    &verdict,
                    &content.subject,
                    &content.visible_text,
                    m.internal_date,
                    t.map_or("", |t| t.lead_country.as_str()),
                ),
                // What belongs to that moment (brakes, suppressions, a person's mail, hours) is left
                // as in a fresh thread.
                ..Situation::fresh(t.map_or(settings.mode, |t| t.mode), true)
            },
            settings,
        );
        let gate = decision.gate().as_str();
        let mut reasons = decision.reasons;
        reasons.extend(verdict.evidence.iter().map(|e| format!("rule {e}")));
        reasons.push("decided again by replay".to_owned());
        Ok(Today {
            opt_out: decision.intent == Intent::Unsubscribe && decision.suppress.is_some(),
            decision: NewDecision {
                intent: decision.intent.as_str(),
                confidence: verdict.confidence,
                gate,
                reasons,
            },
        })
    }
}
