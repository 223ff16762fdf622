//! What follows from what the lead wants, once nothing else has decided.

use super::against::reasons_against;
use super::facts::{Decision, Grounds, NoticeKind, Pause, Situation, ToLead};
use super::{draft, tell};
use crate::config::ReplySettings;
use crate::model::{CampaignMode, Disposition, Intent};
use crate::reply::classify::Verdict;
use crate::reply::fold::Language;

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
    // A guess ends no pause that the lead asked for.
    let sure = match v.intent {
        Intent::GoalReached => v.confidence >= s.thresholds.goal,
        Intent::Question => v.confidence >= s.thresholds.question,
        _ => false,
    };
    // And a newer word of the lead stands.
    d.resumes = s.sender_verified && sure && !s.newer.waits;
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
        | Intent::Neutral => rest(d, v, s, settings),
    }
}

/// What asks for nothing rests, unless nobody here can be sure of that.
fn rest(mut d: Decision, v: &Verdict, s: &Situation, settings: &ReplySettings) -> Decision {
    let unsure = if !s.language_known {
        // The draft's reasons name the language.
        Some("a language that is not read here")
    } else if v.confidence < REST {
        Some("not sure what it says")
    } else if v.language == Language::Unknown && v.evidence.is_empty() {
        Some("not sure what it says: no rule knows it, and its language is not known")
    } else {
        None
    };
    if let Some(why) = unsure {
        d.reasons.push(why.into());
        return draft(d, s, settings, ToLead::DraftAnswer, NoticeKind::Person);
    }
    d.reasons.push(format!("{}: no answer", v.intent));
    d = leave_alone(d, v.intent, s, settings);
    let takes_back = matches!(v.intent, Intent::NotInterested | Intent::NotNow)
        || v.evidence.iter().any(|rule| is_cancellation(rule));
    if s.sales_told && takes_back {
        // Somebody may stand at the door on the day that was agreed.
        d.reasons
            .push("sales were told of a goal in this thread before: a person looks".into());
        return tell(d, s, settings, NoticeKind::Person);
    }
    d
}

/// Who asks for later, says no, or is away, gets no campaign mail before the day that is named;
/// without one after a while. Only the lead can ask that.
fn leave_alone(
    mut d: Decision,
    intent: Intent,
    s: &Situation,
    settings: &ReplySettings,
) -> Decision {
    let without_a_day = s.internal_date.plus(settings.not_now_pause);
    let (why, until) = match intent {
        Intent::NotNow => ("asked for later", s.until.unwrap_or(without_a_day)),
        // A no to one campaign is no opt-out, but the next one a day later would be a nuisance.
        Intent::NotInterested => ("said no", without_a_day),
        Intent::OutOfOffice => ("away", s.until.unwrap_or(s.now)),
        _ => return d,
    };
    if s.newer.wants {
        d.reasons
            .push("the lead wants something since: campaign mails do not pause".into());
        return d;
    }
    if s.sender_verified && until > s.now {
        let day = if s.until.is_some() && intent != Intent::NotInterested {
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

/// Rules (`rules.txt`) for a step that is called off or put off.
fn is_cancellation(rule: &str) -> bool {
    matches!(rule, "x_cancel" | "y_cancel" | "g_cancel" | "g_put_off")
}

/// What a reply says beside its question that an answer would pass over: it calls something off,
/// declines, asks for later, or names somebody else. By the names of its rules.
fn beside_a_question(v: &Verdict) -> Option<&str> {
    const OF_A_CLASS: [&str; 4] = ["x_", "n_", "u_", "r_"];
    const FURTHER: &str = "y_de y_es y_fr y_rest y_sarcasm de_kein_interesse fr_pas_interesse \
        es_no_interesa it_non_interessa pt_sem_interesse nl_geen_interesse ar_no hi_no";
    v.evidence.iter().map(String::as_str).find(|rule| {
        is_cancellation(rule)
            || OF_A_CLASS.iter().any(|class| rule.starts_with(class))
            || FURTHER.split_whitespace().any(|name| name == *rule)
    })
}

/// Whether nothing but the answer itself is missing for an automatic answer.
fn answerable(v: &Verdict, s: &Situation, settings: &ReplySettings) -> bool {
    s.mode == CampaignMode::Auto
        && beside_a_question(v).is_none()
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
    if let Some(rule) = beside_a_question(v) {
        unsure.push(format!("it says more than it asks (rule {rule})"));
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
