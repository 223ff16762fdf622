//! The second opinion: whether the model endpoint is asked about a reply at all, and what follows
//! from two verdicts. Pure.
//!
//! The program's own classifier stays the one that holds the keys: rules and words for a person,
//! the goal rule, the scheduling flag and the language are always its own. The endpoint can make a
//! reply more or less certain, rename a class that sends nothing, find an opt-out, or bring a person
//! in. It can never bring about an acknowledgement that the own classifier did not see.

use super::classify::Verdict;
use crate::assistant::opinion::{Opinion, Question};
use crate::model::{CampaignMode, Disposition, GoalType, Intent};

/// From this on the endpoint's opt-out suppresses; below it a person looks.
const OPT_OUT: f64 = 0.45;
/// The same where the own classifier sees a goal.
const OPT_OUT_OF_A_GOAL: f64 = 0.8;
/// What the own classifier is not surer of than this, something in the mail contradicts, or where
/// the newly written text begins is not known: the endpoint knows no better.
const DOUBT: f64 = 0.5;

/// What is known of a reply before it is decided.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// What the message is.
    pub disposition: Disposition,
    /// Whether it belongs to a campaign's lead.
    pub matched: bool,
    /// Whether the sender is the lead.
    pub sender_verified: bool,
    /// Whether there is newly written text.
    pub has_text: bool,
    /// Whether the address gets no mail.
    pub suppressed: bool,
    /// The campaign's mode.
    pub mode: CampaignMode,
    /// Whether the campaign runs.
    pub active: bool,
    /// Whether it is old mail, which goes to people in any case.
    pub old: bool,
    /// Whether a person has answered it, or writes in the thread.
    pub person: bool,
}

impl Facts {
    /// A verified sender's first reply in a campaign that answers by itself.
    #[must_use]
    pub fn fresh() -> Self {
        Self {
            disposition: Disposition::Reply,
            matched: true,
            sender_verified: true,
            has_text: true,
            suppressed: false,
            mode: CampaignMode::Auto,
            active: true,
            old: false,
            person: false,
        }
    }
}

/// Why the endpoint is not asked, so that no mail leaves that need not; `None`: it is.
#[must_use]
pub fn spared(v: &Verdict, f: &Facts) -> Option<&'static str> {
    let human = matches!(
        f.disposition,
        Disposition::Reply | Disposition::HumanUncertain
    );
    if f.disposition == Disposition::OptOut || v.opt_out {
        Some("an opt-out by the own rules")
    } else if !human {
        Some("not a person's readable reply")
    } else if !f.matched {
        Some("it answers no known mail")
    } else if !f.sender_verified {
        Some("the sender is not verified")
    } else if !f.has_text {
        Some("there is no text")
    } else if !v.person_words.is_empty() {
        Some("words for a person")
    } else if f.suppressed {
        Some("the address is suppressed")
    } else if f.mode == CampaignMode::Off || !f.active {
        Some("the campaign is off")
    } else if f.old {
        Some("old mail")
    } else if f.person {
        Some("a person has it")
    } else {
        None
    }
}

/// What is asked.
#[must_use]
pub fn question(reply: &str, subject: &str, our_last_mail: Option<&str>) -> Question {
    Question {
        reply: reply.to_owned(),
        subject: subject.to_owned(),
        our_last_mail: our_last_mail.unwrap_or_default().to_owned(),
    }
}

/// A mail of ours without what it says of the lead: the words of `name`, and `exact` (address,
/// phone) as written. They become dots; a common word that is a name as well goes with it.
#[must_use]
pub fn without_person(text: &str, name: &str, exact: &[&str]) -> String {
    let mut text = text.to_owned();
    for exact in exact.iter().filter(|e| !e.trim().is_empty()) {
        text = text.replace(exact, "…").replace(&exact.to_lowercase(), "…");
    }
    let names: Vec<String> = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| w.chars().nth(1).is_some())
        .map(str::to_lowercase)
        .collect();
    let mut clean = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let word = piece.trim_end_matches(|c: char| !c.is_alphanumeric());
        if names.contains(&word.to_lowercase()) {
            clean.push('…');
            clean.push_str(piece.get(word.len()..).unwrap_or_default());
        } else {
            clean.push_str(piece);
        }
    }
    clean
}

/// How far a class keeps further mail from the lead.
fn leaves_alone(intent: Intent) -> u8 {
    match intent {
        Intent::NotInterested => 3,
        Intent::NotNow => 2,
        Intent::OutOfOffice => 1,
        _ => 0,
    }
}

/// Classes after which nothing is sent and nobody is told.
fn rests(intent: Intent) -> bool {
    match intent {
        Intent::NotInterested
        | Intent::NotNow
        | Intent::OutOfOffice
        | Intent::Bounce
        | Intent::Neutral => true,
        Intent::GoalReached | Intent::Question | Intent::Unsubscribe | Intent::Referral => false,
    }
}

/// The verdict of both.
#[must_use]
pub fn combined(own: &Verdict, other: &Opinion) -> Verdict {
    let mut v = own.clone();
    let differ = |what: &str| {
        Some(format!(
            "the own classifier says {}, the endpoint {}: {what}",
            own.intent, other.intent
        ))
    };
    if other.intent == Intent::Unsubscribe && own.intent != Intent::Unsubscribe {
        // Against a goal that the own rules see, one word of a model would end all mail to a lead
        // who wants the step.
        let sure = match own.intent {
            Intent::GoalReached if own.goal_rule => OPT_OUT_OF_A_GOAL,
            _ => OPT_OUT,
        };
        if other.confidence >= sure {
            v.opt_out = true;
            v.disagreement = differ("suppressed all the same, a person looks");
        } else {
            v.disagreement = differ("a person decides");
        }
        return v;
    }
    if own.intent == Intent::Unsubscribe {
        // Not sure enough by itself to suppress.
        if other.intent == Intent::Unsubscribe {
            v.opt_out |= other.confidence >= OPT_OUT;
        } else {
            v.disagreement = differ("a person decides");
        }
        return v;
    }
    if own.intent == other.intent {
        v.confidence = if own.confidence > DOUBT {
            other.confidence
        } else {
            own.confidence.min(other.confidence)
        };
        if own.intent == Intent::GoalReached
            && matches!(own.goal_type, None | Some(GoalType::Other))
        {
            v.goal_type = other.goal_type.or(own.goal_type);
        }
        return v;
    }
    let goal = own.intent == Intent::GoalReached || other.intent == Intent::GoalReached;
    // What reads like a machine's text is not answered on the endpoint's word.
    let machine =
        matches!(own.intent, Intent::OutOfOffice | Intent::Bounce) && !rests(other.intent);
    // Nor is who said no, or asked for later.
    let refused =
        matches!(own.intent, Intent::NotInterested | Intent::NotNow) && !rests(other.intent);
    if goal || machine || refused || (rests(other.intent) && !rests(own.intent)) {
        v.disagreement = differ("a person decides");
        return v;
    }
    if rests(other.intent) && leaves_alone(own.intent) > leaves_alone(other.intent) {
        // A no stays a no: the endpoint can add a pause, and take none away.
        return v;
    }
    // A class that leads to a person, or to an answer that has a gate of its own; or one rest
    // for another.
    v.intent = other.intent;
    v.confidence = other.confidence;
    v.runner_up = Some((own.intent, own.confidence));
    v.goal_type = None;
    v
}

#[cfg(test)]
#[path = "second_tests.rs"]
mod tests;
