//! What follows from what the lead wants, once nothing else has decided.

use super::against::reasons_against;
use super::facts::{Decision, Grounds, NoticeKind, Pause, Situation, ToLead};
use super::{draft, tell};
use crate::config::ReplySettings;
use crate::model::{CampaignMode, Disposition, Intent};
use crate::reply::classify::Verdict;

/// Below this a class is not sure enough to let a reply rest without a person.
const REST: f64 = 0.55;

pub(super) fn by_intent(
    mut d: Decision,
    v: &Verdict,
    s: &Situation,
    settings: &ReplySettings,
) -> Decision {
    let unreadable = s.disposition == Disposition::Unreadable || !s.has_text;
    let needs_person = if unreadable {
        Some("nothing readable in it".to_owned())
    } else if !v.person_words.is_empty() {
        Some(v.words_for_a_person())
    } else if v.opt_out_unsure {
        Some("opt-out words, perhaps quoted".to_owned())
    } else if v.disagreement.is_some() {
        v.disagreement.clone()
    } else {
        None
    };
    if let Some(why) = needs_person {
        d.reasons.push(why);
        return draft(d, s, settings, ToLead::DraftAnswer, NoticeKind::Person);
    }
    d.resumes = s.sender_verified && matches!(v.intent, Intent::GoalReached | Intent::Question);
    match v.intent {
        Intent::GoalReached => goal(d, v, s, settings),
        Intent::Question => question(d, v, s, settings),
        Intent::Unsubscribe => {
            d.reasons
                .push("perhaps an opt-out: a person decides".into());
            draft(d, s, settings, ToLead::DraftAnswer, NoticeKind::Person)
        }
        Intent::Referral => {
            d.reasons.push("a referral: a person decides".into());
            tell(d, s, settings, NoticeKind::Person)
        }
        Intent::NotInterested
        | Intent::NotNow
        | Intent::OutOfOffice
        | Intent::Bounce
        | Intent::Neutral => {
            if v.confidence >= REST {
                d.reasons.push(format!("{}: no answer", v.intent));
                leave_alone(d, v.intent, s, settings)
            } else {
                d.reasons.push("not sure what it says".into());
                draft(d, s, settings, ToLead::DraftAnswer, NoticeKind::Person)
            }
        }
    }
}

/// Who asks for later, or is away, gets no campaign mail before the day that is named; without
/// one after a while. Only the lead can ask that.
fn leave_alone(
    mut d: Decision,
    intent: Intent,
    s: &Situation,
    settings: &ReplySettings,
) -> Decision {
    let without_a_day = s.internal_date.plus(settings.not_now_pause);
    let (why, until) = match intent {
        Intent::NotNow => ("asked for later", s.until.unwrap_or(without_a_day)),
        Intent::OutOfOffice => ("away", s.until.unwrap_or(s.now)),
        _ => return d,
    };
    if s.sender_verified && until > s.now {
        let day = if s.until.is_some() {
            "a day is named"
        } else {
            "no day is named"
        };
        d.reasons.push(format!(
            "{why}: no campaign mail before {} ({day})",
            until.rfc3339()
        ));
        d.pause = Some(Pause { until, why });
    }
    d
}

/// Lets an automatic mail leave: at once, or after the delay in which a person can cancel it, and
/// within the working hours.
fn leave(d: &mut Decision, lead: ToLead, s: &Situation, settings: &ReplySettings) {
    d.lead = lead;
    let delayed = s.now.plus(settings.send_delay);
    let at = match &s.hours {
        Some(hours) => hours.next_open(delayed, &s.zone),
        None => delayed,
    };
    if at > delayed {
        d.reasons.push(format!(
            "outside the working hours: leaves at {}",
            at.rfc3339()
        ));
    } else if at > s.now {
        d.reasons.push(format!(
            "leaves at {}, and can be cancelled until then",
            at.rfc3339()
        ));
    }
    d.leave_at = (at > s.now).then_some(at);
}

/// Whether nothing but the answer itself is missing for an automatic answer.
fn answerable(v: &Verdict, s: &Situation, settings: &ReplySettings) -> bool {
    s.mode == CampaignMode::Auto
        && v.confidence >= s.thresholds.question
        && !refusal_is_close(v, s)
        && reasons_against(s, settings).is_empty()
}

/// Whether a refusal is nearly as likely as what was found.
fn refusal_is_close(v: &Verdict, s: &Situation) -> bool {
    v.runner_up.is_some_and(|(intent, score)| {
        let refusal = matches!(
            intent,
            Intent::NotNow | Intent::NotInterested | Intent::Unsubscribe | Intent::OutOfOffice
        );
        refusal && score > v.confidence - s.thresholds.margin
    })
}

fn goal(mut d: Decision, v: &Verdict, s: &Situation, settings: &ReplySettings) -> Decision {
    let mut unsure = Vec::new();
    if v.confidence < s.thresholds.goal {
        unsure.push(format!(
            "goal at {:.2}, below {:.2}",
            v.confidence, s.thresholds.goal
        ));
    }
    if !v.goal_rule {
        unsure.push("no goal rule".to_owned());
    }
    if refusal_is_close(v, s) {
        unsure.push("a refusal is as likely".to_owned());
    }
    if !unsure.is_empty() {
        // Below the gate a person is asked; no acknowledgement is even prepared.
        d.reasons.extend(unsure);
        return draft(d, s, settings, ToLead::DraftAnswer, NoticeKind::Person);
    }
    let against = reasons_against(s, settings);
    let sends = matches!(s.mode, CampaignMode::Auto | CampaignMode::AutoAck);
    if sends && against.is_empty() {
        d.reasons
            .push(format!("goal at {:.2} with a goal rule", v.confidence));
        leave(&mut d, ToLead::Acknowledge, s, settings);
        return tell(d, s, settings, NoticeKind::Goal);
    }
    draft(
        d,
        s,
        settings,
        ToLead::DraftAcknowledgement,
        NoticeKind::Goal,
    )
}

/// A question is answered where the documents answer all of it; else a person does. A question
/// about times is told to sales in any case: nothing is booked by an answer.
fn question(mut d: Decision, v: &Verdict, s: &Situation, settings: &ReplySettings) -> Decision {
    d.answerable = answerable(v, s, settings);
    let mut unsure = Vec::new();
    if v.confidence < s.thresholds.question {
        unsure.push(format!(
            "question at {:.2}, below {:.2}",
            v.confidence, s.thresholds.question
        ));
    }
    if refusal_is_close(v, s) {
        unsure.push("a refusal is as likely".to_owned());
    }
    match &s.grounds {
        Grounds::None => unsure.clear(),
        Grounds::Below(why) => unsure.extend(why.iter().cloned()),
        Grounds::Passed(places) if unsure.is_empty() => {
            let answered = places.iter().map(|p| format!("answered from {p}"));
            if s.mode == CampaignMode::Auto && reasons_against(s, settings).is_empty() {
                d.reasons.extend(answered);
                leave(&mut d, ToLead::Answer, s, settings);
                if v.scheduling {
                    d.reasons
                        .push("a question about times: sales are told".into());
                    return tell(d, s, settings, NoticeKind::Question);
                }
                return d;
            }
            d.reasons
                .extend(places.iter().map(|p| format!("an answer stands in {p}")));
        }
        Grounds::Passed(_) => {}
    }
    d.reasons.push(if v.scheduling {
        "a question about times: a person answers".into()
    } else {
        "a question: a person answers".into()
    });
    d.reasons.extend(unsure);
    if s.mode == CampaignMode::AutoAck {
        d.reasons.push("mode auto-ack".into());
    }
    draft(d, s, settings, ToLead::DraftAnswer, NoticeKind::Question)
}
