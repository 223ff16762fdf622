//! Whether and what to answer: one pure function over facts that the store counted in the same
//! transaction. First the reasons against any automatic mail are collected (`against`), then the
//! intent decides (`intents`); every decision carries its reasons.

mod against;
mod facts;
mod intents;

use super::classify::Verdict;
use crate::config::ReplySettings;
use crate::model::{CampaignMode, Disposition, Intent};

pub use against::{DAY, HOUR, LEAD_GAP, is_of_now, old_mail_reasons};
use against::{SUPPRESSED, is_flagged, reasons_against};
pub use facts::{
    BrakeCounts, Decision, DigestReason, Grounds, NoticeKind, Pause, Situation, Thresholds, ToLead,
    ToSales,
};

/// Decides. Pure: the same facts give the same decision.
#[must_use]
pub fn decide(v: &Verdict, s: &Situation, settings: &ReplySettings) -> Decision {
    let mut d = Decision {
        lead: ToLead::Nothing,
        sales: ToSales::Nothing,
        suppress: None,
        answerable: false,
        pause: None,
        resumes: false,
        flagged: false,
        leave_at: None,
        intent: v.intent,
        reasons: Vec::new(),
    };
    match s.disposition {
        Disposition::Bounce => return machine(d, Intent::Bounce, "a delivery report"),
        Disposition::AutoReply => return machine(d, Intent::OutOfOffice, "an automatic reply"),
        Disposition::Complaint => {
            d.intent = Intent::Unsubscribe;
            d.suppress = Some("complaint");
            d.reasons.push("an abuse report".into());
            return tell(d, s, settings, NoticeKind::OptOut);
        }
        Disposition::Reply
        | Disposition::ReplyUnverified
        | Disposition::HumanUncertain
        | Disposition::OptOut
        | Disposition::Unreadable
        | Disposition::Unmatched => {}
        other => {
            d.intent = Intent::Neutral;
            d.reasons.push(format!("disposition {other}"));
            return d;
        }
    }
    let ends = ends_all_mail(v, s.disposition);
    if !s.matched {
        // An opt-out counts also where the thread is unknown: the sender is a lead.
        if let Some(why) = ends {
            d.intent = Intent::Unsubscribe;
            d.suppress = Some(why);
            d.reasons.push(format!("no more mail: {why}"));
        }
        d.reasons.push("answers no known mail".into());
        d.sales = ToSales::Digest(DigestReason::Unmatched);
        return d;
    }
    if let Some(first) = s.copy_of {
        // Handled there; a wish for no more mail counts twice without harm.
        if let Some(why) = ends {
            d.intent = Intent::Unsubscribe;
            d.suppress = Some(why);
        }
        d.reasons.push(format!(
            "the same mail as message {first}, in another mailbox: handled there"
        ));
        return d;
    }
    if let Some(why) = ends {
        return no_more_mail(d, why, v, s, settings);
    }
    // Read in the Sent folder before the reply itself was: there is nothing left to do.
    if s.person_answered_it && !s.resend {
        d.reasons.push("a person has answered it by mail".into());
        return d;
    }
    intents::by_intent(d, v, s, settings)
}

fn machine(mut d: Decision, intent: Intent, why: &str) -> Decision {
    d.intent = intent;
    d.reasons.push(format!("{why}: never answered"));
    d
}

/// Whether a reply ends all mail, and why, whatever else is decided or fails.
#[must_use]
pub fn suppresses(v: &Verdict, disposition: Disposition) -> Option<&'static str> {
    match disposition {
        Disposition::Complaint => Some("complaint"),
        Disposition::Reply
        | Disposition::ReplyUnverified
        | Disposition::HumanUncertain
        | Disposition::OptOut
        | Disposition::Unreadable
        | Disposition::Unmatched => ends_all_mail(v, disposition),
        _ => None,
    }
}

/// Why the lead gets no mail any more; none: it may.
fn ends_all_mail(v: &Verdict, disposition: Disposition) -> Option<&'static str> {
    let says_so = v.opt_out || disposition == Disposition::OptOut;
    // A demand is more than an opt-out: a person is to know of it.
    v.ends_all_mail().or(says_so.then_some("unsubscribe"))
}

/// Suppressed for all campaigns; a person reads what threatens or demands more than silence.
fn no_more_mail(
    mut d: Decision,
    why: &'static str,
    v: &Verdict,
    s: &Situation,
    settings: &ReplySettings,
) -> Decision {
    d.intent = Intent::Unsubscribe;
    d.suppress = Some(why);
    d.reasons.push(match why {
        "unsubscribe" => "opt-out: suppressed for all campaigns".into(),
        why => format!("{why}: suppressed for all campaigns, and a person looks"),
    });
    d.reasons.extend(v.disagreement.clone());
    let mut notice = NoticeKind::OptOut;
    if !v.person_words.is_empty() {
        notice = NoticeKind::Person;
        d.reasons.push(v.words_for_a_person());
    } else if v.disagreement.is_some() {
        // Only one of two sees an opt-out: whoever reads the notice has to know.
        notice = NoticeKind::Person;
    }
    if settings.optout_confirmation && s.mode != CampaignMode::Off {
        let mut against = reasons_against(s, settings);
        // The suppression alone is no reason against it; everything else is.
        against.retain(|why| why != SUPPRESSED);
        if s.suppressed_before {
            against.push("the address was suppressed before: no second confirmation".into());
        }
        if v.disagreement.is_some() {
            against.push("only one of two sees it: nothing is confirmed".into());
        }
        if notice == NoticeKind::Person {
            against.push("a person answers, if anybody does".into());
        }
        if s.mode == CampaignMode::Draft {
            against.push("mode draft".into());
        }
        if against.is_empty() {
            d.lead = ToLead::ConfirmOptOut;
            d.reasons.push("confirmation by setting".into());
        } else {
            d.reasons.extend(against);
        }
    }
    tell(d, s, settings, notice)
}

/// A draft and a notice, with the reasons against an automatic mail. Nothing is drafted for
/// who gets no mail, in mode off, or where the sender is not the lead.
fn draft(
    mut d: Decision,
    s: &Situation,
    settings: &ReplySettings,
    lead: ToLead,
    notice: NoticeKind,
) -> Decision {
    let stranger = !s.sender_verified || s.disposition == Disposition::ReplyUnverified;
    // Who says that is not known: no "ready lead", a person looks.
    // Nor is it, where the lead has said something else by now.
    let past = s.newer.decided && notice == NoticeKind::Goal;
    let notice = if stranger || past {
        NoticeKind::Person
    } else {
        notice
    };
    d.reasons.extend(reasons_against(s, settings));
    d.flagged = is_flagged(s);
    if s.mode == CampaignMode::Draft {
        d.reasons.push("mode draft".into());
    }
    let nobody = s.suppressed
        || stranger
        || s.mode == CampaignMode::Off
        || (s.counts.for_message > 0 && !s.resend);
    if !nobody {
        d.lead = lead;
    }
    tell(d, s, settings, notice)
}

/// Tells sales: not in mode off, in a digest when the reply is old or the hour's cap is spent.
fn tell(mut d: Decision, s: &Situation, settings: &ReplySettings, notice: NoticeKind) -> Decision {
    d.sales = if s.mode == CampaignMode::Off {
        d.reasons.push("mode off".into());
        ToSales::Nothing
    } else if !old_mail_reasons(s, settings.answer_max_age).is_empty() {
        ToSales::Digest(DigestReason::OldMail)
    } else if s.counts.notices_in_hour >= settings.sales_notices_per_hour {
        d.reasons.push("over the hour's sales notices".into());
        ToSales::Digest(DigestReason::Overflow)
    } else {
        ToSales::Notice(notice)
    };
    d
}

#[cfg(test)]
mod action_tests;
#[cfg(test)]
pub(crate) mod tests;
