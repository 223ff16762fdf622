//! The facts of one reply, read in the transaction that acts on them, and the decision on them.

use super::compose;
use super::grounds::{StepError, grounds};
use super::later;
use super::own_rules::OwnRules;
use super::policy::{self, BrakeCounts, Decision, Situation};
use super::step::Step;
use super::templates::TemplateKind;
use crate::matcher;
use crate::model::{Disposition, Intent, Nature};
use crate::nature;
use crate::reply::classify::Verdict;
use crate::store::{JobContext, ThreadContext, Tx, Windows};
use crate::time::UtcMs;
use crate::zone;

impl Step<'_> {
    /// Decides with the facts of this moment.
    pub(super) fn decide(&self, tx: &Tx<'_>, c: &JobContext) -> Result<Decision, StepError> {
        let settings = &self.parts.settings.reply;
        let t = c.thread.as_ref();
        let counts = match t {
            Some(t) => {
                let windows = Windows {
                    gap: policy::LEAD_GAP,
                    day: policy::DAY,
                    hour: policy::HOUR,
                };
                let n = tx.automatic_mails(self.job.id, t, c.account_id, self.now, windows)?;
                BrakeCounts {
                    for_message: n.for_job,
                    lead_in_gap: n.lead_in_gap,
                    in_thread: n.in_thread,
                    lead_in_day: n.lead_in_day,
                    account_in_day: n.account_in_day,
                    domain_in_day: match company_domain(t) {
                        Some(domain) => {
                            tx.automatic_to_domain(domain, self.now.minus(policy::DAY))?
                        }
                        None => 0,
                    },
                    notices_in_hour: n.notices_in_hour,
                }
            }
            None => BrakeCounts::default(),
        };
        let rules = OwnRules::of(tx, t)?;
        let country = t.map_or("", |t| t.lead_country.as_str());
        let situation = Situation {
            disposition: c.disposition,
            matched: t.is_some(),
            sender_verified: c.sender_verified,
            match_confidence: c.match_confidence,
            visible_sure: c.visible_sure,
            has_text: !c.visible_text.trim().is_empty() || c.nature == Some(Nature::Calendar),
            duplicate_id: c.duplicate_id,
            source: c.source,
            old_mail: c.old_mail,
            internal_date: c.internal_date,
            parent_known_at: c.matched.as_ref().map(|m| m.known_at),
            first_started_at: c.first_started_at,
            now: self.now,
            mode: t.map_or(settings.mode, |t| t.mode),
            thresholds: rules.thresholds(settings),
            campaign_active: t.is_none_or(|t| t.active),
            suppressed: t.is_some_and(|t| t.suppressed),
            suppressed_before: match t {
                Some(t) => {
                    let sender = crate::model::address_key(&c.from_address);
                    tx.suppressed_before([&t.lead_email_key, &sender], c.message_id)?
                }
                None => false,
            },
            dead_address: t.is_some_and(|t| t.dead_address),
            automation_off: match t {
                Some(t) => tx
                    .automation_off_for(t.campaign_lead_id)?
                    .map(|off| off.to_string()),
                None => None,
            },
            counts,
            equal_text_before: self.equal_text_before(tx, c)?,
            equal_reply_before: t.is_some_and(|t| t.equal_reply_before),
            person_wrote: t.is_some_and(|t| t.person_wrote),
            person_answered_it: t.is_some_and(|t| t.person_answered_it),
            sales_told: match t {
                Some(t) => tx.sales_told_of_goal(t.campaign_lead_id, c.message_id)?,
                None => false,
            },
            from_spam: c.from_spam,
            sender_auth: c.sender_auth,
            language_known: {
                let campaign = t.map_or("", |t| t.campaign.as_str());
                match self.found {
                    Some(found) => self.parts.templates.answers_in(campaign, found.language),
                    None => self.parts.templates.speaks(campaign, self.verdict.language),
                }
            },
            grounds: grounds(self.found),
            until: until(
                self.verdict,
                &c.subject,
                &c.visible_text,
                c.internal_date,
                country,
            ),
            hours: rules.hours(settings),
            zone: rules.zone(settings, country),
            decided_by_person: c.by_person.in_words(),
            newer: c.newer,
            copy_of: c.copy_of,
            resend: self.resend,
        };
        Ok(policy::decide(self.verdict, &situation, settings))
    }

    /// Whether what would be sent went out in the thread before.
    fn equal_text_before(&self, tx: &Tx<'_>, c: &JobContext) -> Result<bool, StepError> {
        let kind = match self.verdict.intent {
            Intent::Question if self.found.is_some_and(|f| f.answered.passes()) => {
                TemplateKind::Answer
            }
            Intent::GoalReached => TemplateKind::Acknowledgment,
            Intent::Unsubscribe if self.parts.settings.reply.optout_confirmation => {
                TemplateKind::OptoutConfirmation
            }
            _ => return Ok(false),
        };
        let Some(t) = &c.thread else {
            return Ok(false);
        };
        let mut text = self.text(c, t);
        let mut bodies = vec![self.fill(kind, &text)?.body];
        if kind == TemplateKind::Answer {
            // The same answer with the nudge, which the first one in a thread has.
            text.nudge = self.nudge(&text)?;
            bodies.push(self.fill(kind, &text)?.body);
        }
        for body in bodies {
            let digest = compose::body_digest(&body);
            if tx.same_text_sent(t.campaign_lead_id, &digest, self.job.id)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether the lead wrote this after what it was to be answered.
pub(super) fn overtakes(c: &JobContext) -> bool {
    c.sender_verified
        && !c.old_mail
        && c.copy_of.is_none()
        && matches!(
            c.disposition,
            Disposition::Reply
                | Disposition::HumanUncertain
                | Disposition::Unreadable
                | Disposition::OptOut
        )
}

/// The lead's domain, if that is a company's: of a public provider everybody has an address.
fn company_domain(t: &ThreadContext) -> Option<&str> {
    let (_, domain) = t.lead_email_key.rsplit_once('@')?;
    (!domain.is_empty() && !matcher::is_public(domain)).then_some(domain)
}

/// Until when a text asks to be left alone, or its writer is away.
pub(super) fn until(
    verdict: &Verdict,
    subject: &str,
    text: &str,
    received: UtcMs,
    country: &str,
) -> Option<UtcMs> {
    match verdict.intent {
        Intent::NotNow => later::named_day(text, received, &zone::of(country)),
        Intent::OutOfOffice => Some(nature::absence(subject, text, received, country).until),
        _ => None,
    }
}
