//! Whether and what to answer: one pure function over facts that the store counted in the same
//! transaction. First the reasons against any automatic mail are collected, then the intent
//! decides; every decision carries its reasons.

use std::time::Duration;

use super::classify::Verdict;
use crate::config::ReplySettings;
use crate::matcher;
use crate::model::{CampaignMode, CaptureSource, Disposition, Intent, SenderAuth};
use crate::time::UtcMs;

/// A mail may have come this long before its parent was known here.
const PARENT_GRACE: Duration = Duration::from_secs(10 * 60);
/// Brake: automatic mails to one lead in [`LEAD_GAP`].
const PER_LEAD_IN_GAP: u32 = 1;
/// The gap of that brake.
pub const LEAD_GAP: Duration = Duration::from_secs(10 * 60);
/// Brake: automatic mails in one thread.
const PER_THREAD: u32 = 3;
/// Brake: automatic mails to one lead in [`DAY`].
const PER_LEAD_IN_DAY: u32 = 4;
/// The day of the brakes: 24 hours back from now.
pub const DAY: Duration = Duration::from_secs(24 * 3600);
/// The hour of the cap of sales notices.
pub const HOUR: Duration = Duration::from_secs(3600);
/// A runner-up as close as this to the goal: a person decides.
const MARGIN: f64 = 0.15;
/// Below this a class is not sure enough to let a reply rest without a person.
const REST: f64 = 0.55;

/// How many automatic mails went out, counted over what is queued, sent or unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrakeCounts {
    /// For this incoming mail.
    pub for_message: u32,
    /// To this lead (by address) within [`LEAD_GAP`].
    pub lead_in_gap: u32,
    /// In this thread, ever.
    pub in_thread: u32,
    /// To this lead (by address) within [`DAY`].
    pub lead_in_day: u32,
    /// Through this account within [`DAY`].
    pub account_in_day: u32,
    /// Sales notices within [`HOUR`], all accounts.
    pub notices_in_hour: u32,
}

/// What the campaign's documents say to a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Grounds {
    /// The campaign has none, or it is no question.
    #[default]
    None,
    /// Not enough to send, and why.
    Below(Vec<String>),
    /// Every question of the mail has an answer that passes; where they stand.
    Passed(Vec<String>),
}

/// The facts about one reply.
#[derive(Clone, Debug)]
pub struct Situation {
    /// What the message is.
    pub disposition: Disposition,
    /// Whether it belongs to a campaign's lead.
    pub matched: bool,
    /// Whether the sender is the lead.
    pub sender_verified: bool,
    /// How sure the match is, 0 to 1.
    pub match_confidence: f64,
    /// Whether quotes were surely cut off.
    pub visible_sure: bool,
    /// Whether there is any newly written text.
    pub has_text: bool,
    /// Whether another mail has the same Message-ID with other content.
    pub duplicate_id: bool,
    /// How it was captured.
    pub source: CaptureSource,
    /// Whether the capture already knows that it is old.
    pub old_mail: bool,
    /// The server's INTERNALDATE.
    pub internal_date: UtcMs,
    /// When the mail that it answers was known here.
    pub parent_known_at: Option<UtcMs>,
    /// The first start of its account.
    pub first_started_at: UtcMs,
    /// The time of the decision.
    pub now: UtcMs,
    /// The campaign's mode.
    pub mode: CampaignMode,
    /// Whether the campaign runs.
    pub campaign_active: bool,
    /// Whether the lead's address, or the sender's, gets no mail.
    pub suppressed: bool,
    /// What a person switched off for this lead, in words; none: automation is on.
    pub automation_off: Option<String>,
    /// Counts of the brakes.
    pub counts: BrakeCounts,
    /// Whether the same text went out in this thread before.
    pub equal_text_before: bool,
    /// Whether the lead sent the same text in this thread before.
    pub equal_reply_before: bool,
    /// Whether a person wrote in the thread.
    pub person_wrote: bool,
    /// Whether a person has answered this very reply.
    pub person_answered_it: bool,
    /// Whether it lay in the spam folder.
    pub from_spam: bool,
    /// What our own server says of its sender.
    pub sender_auth: SenderAuth,
    /// Whether there is a template in the text's language.
    pub language_known: bool,
    /// What the documents say to it.
    pub grounds: Grounds,
    /// Whether a person asked for a second mail (`process --force --resend`).
    pub resend: bool,
}

/// What is to be sent to the lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToLead {
    /// Nothing.
    Nothing,
    /// The acknowledgement, now.
    Acknowledge,
    /// The acknowledgement as a draft for a person.
    DraftAcknowledgement,
    /// The answer out of the documents, now.
    Answer,
    /// A greeting as a draft, with what passed the gate; a person writes the answer.
    DraftAnswer,
    /// The plain confirmation of an opt-out.
    ConfirmOptOut,
}

/// How sales are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToSales {
    /// Not at all.
    Nothing,
    /// A notice of its own.
    Notice(NoticeKind),
    /// A line of the next digest, for the reason.
    Digest(DigestReason),
}

/// What a notice is about; each has its template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// The lead wants the step (A6).
    Goal,
    /// The lead asks something; a draft waits.
    Question,
    /// The lead opted out, or complained.
    OptOut,
    /// A person has to look.
    Person,
}

/// Why something stands in a digest; the word in `digest_items.reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestReason {
    /// Captured, but too old for a notice of its own.
    OldMail,
    /// From a lead, but answering nothing that we know.
    Unmatched,
    /// Over the hourly cap of notices.
    Overflow,
}

impl DigestReason {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OldMail => "old_mail",
            Self::Unmatched => "unmatched",
            Self::Overflow => "overflow",
        }
    }
}

/// What to do about one reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// For the lead.
    pub lead: ToLead,
    /// For sales.
    pub sales: ToSales,
    /// Whether the lead's and the sender's address get no more mail, and why.
    pub suppress: Option<&'static str>,
    /// Whether an answer from the campaign's documents may leave without a person, if one is
    /// found that its own gate lets through.
    pub answerable: bool,
    /// What the reply counts as, for the conversation; the classifier's, or the headers'.
    pub intent: Intent,
    /// Why, in the order in which it was found.
    pub reasons: Vec<String>,
}

/// Why a message is too old to be answered automatically; empty: it is not.
#[must_use]
pub fn old_mail_reasons(s: &Situation, max_age: Duration) -> Vec<String> {
    let mut why = Vec::new();
    let mut add = |word: &str| why.push(format!("old mail: {word}"));
    if s.old_mail {
        add("marked at capture");
    }
    if !matches!(s.source, CaptureSource::Live | CaptureSource::CatchUp) {
        add(&format!("captured by {}", s.source));
    }
    // INTERNALDATE has whole seconds: the second of the start itself counts as later.
    if s.internal_date.0
        < s.first_started_at
            .0
            .saturating_sub(s.first_started_at.0 % 1000)
    {
        add("came before the account's first start");
    }
    match s.parent_known_at {
        Some(known) if s.internal_date < known.minus(PARENT_GRACE) => {
            add("came before the mail that it answers was known");
        }
        Some(_) => {}
        None => add("answers no known mail"),
    }
    if s.now.since(s.internal_date) > max_age {
        add("older than answer_max_age");
    }
    why
}

/// Decides. Pure: the same facts give the same decision.
#[must_use]
pub fn decide(v: &Verdict, s: &Situation, settings: &ReplySettings) -> Decision {
    let mut d = Decision {
        lead: ToLead::Nothing,
        sales: ToSales::Nothing,
        suppress: None,
        answerable: false,
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
    if !s.matched {
        // An opt-out counts also where the thread is unknown: the sender is a lead.
        if v.opt_out {
            d.intent = Intent::Unsubscribe;
            d.suppress = Some("unsubscribe");
            d.reasons.push("opt-out".into());
        }
        d.reasons.push("answers no known mail".into());
        d.sales = ToSales::Digest(DigestReason::Unmatched);
        return d;
    }
    if v.opt_out || s.disposition == Disposition::OptOut {
        return opt_out(d, s, settings);
    }
    // Read in the Sent folder before the reply itself was: there is nothing left to do.
    if s.person_answered_it && !s.resend {
        d.reasons.push("a person has answered it by mail".into());
        return d;
    }
    by_intent(d, v, s, settings)
}

fn machine(mut d: Decision, intent: Intent, why: &str) -> Decision {
    d.intent = intent;
    d.reasons.push(format!("{why}: never answered"));
    d
}

fn opt_out(mut d: Decision, s: &Situation, settings: &ReplySettings) -> Decision {
    d.intent = Intent::Unsubscribe;
    d.suppress = Some("unsubscribe");
    d.reasons
        .push("opt-out: suppressed for all campaigns".into());
    if settings.optout_confirmation && s.mode != CampaignMode::Off {
        // The suppression alone is no reason against it; everything else is.
        let mut against = reasons_against(s, settings);
        against.retain(|why| why != SUPPRESSED);
        if matches!(s.mode, CampaignMode::Draft) {
            against.push("mode draft".into());
        }
        if against.is_empty() {
            d.lead = ToLead::ConfirmOptOut;
            d.reasons.push("confirmation by setting".into());
        } else {
            d.reasons.extend(against);
        }
    }
    tell(d, s, settings, NoticeKind::OptOut)
}

const SPAM: &str = "it lay in the spam folder, and our server does not vouch for its sender";
const SUPPRESSED: &str = "the address is suppressed";

/// Everything that stands against an automatic mail, whatever the intent.
fn reasons_against(s: &Situation, settings: &ReplySettings) -> Vec<String> {
    let mut why = old_mail_reasons(s, settings.answer_max_age);
    why.extend(
        s.automation_off
            .iter()
            .map(|off| format!("automation is off {off}")),
    );
    let mut add = |hit: bool, word: &str| {
        if hit {
            why.push(word.to_owned());
        }
    };
    add(s.suppressed, SUPPRESSED);
    add(!s.campaign_active, "the campaign is not active");
    add(
        s.disposition == Disposition::ReplyUnverified || !s.sender_verified,
        "the sender is not verified",
    );
    add(s.from_spam && s.sender_auth != SenderAuth::Pass, SPAM);
    add(
        s.match_confidence < matcher::SURE,
        "the match is not sure: no header names the mail that it answers",
    );
    add(
        s.disposition == Disposition::HumanUncertain,
        "weak signs of a machine",
    );
    add(s.disposition == Disposition::Unreadable, "not readable");
    add(
        !s.visible_sure || !s.has_text,
        "the newly written text is not sure",
    );
    add(s.duplicate_id, "its Message-ID was used for another mail");
    add(!s.language_known, "no template in its language");
    add(s.person_wrote, "a person wrote in the thread");
    add(
        s.equal_reply_before,
        "the same reply came before in the thread",
    );
    let c = &s.counts;
    if !s.resend {
        add(
            c.for_message > 0,
            "brake: this reply has its automatic mail",
        );
        add(
            c.lead_in_gap >= PER_LEAD_IN_GAP,
            "brake: one automatic mail to a lead in 10 minutes",
        );
        add(
            s.equal_text_before,
            "brake: the same text went out in the thread before",
        );
    }
    add(
        c.in_thread >= PER_THREAD,
        "brake: three automatic mails in a thread",
    );
    add(
        c.lead_in_day >= PER_LEAD_IN_DAY,
        "brake: four automatic mails to a lead in a day",
    );
    add(
        c.account_in_day >= settings.automatic_per_day,
        "brake: automatic mails of the account in a day",
    );
    why
}

fn by_intent(mut d: Decision, v: &Verdict, s: &Situation, settings: &ReplySettings) -> Decision {
    let unreadable = s.disposition == Disposition::Unreadable || !s.has_text;
    let needs_person = if unreadable {
        Some("nothing readable in it".to_owned())
    } else if !v.person_words.is_empty() {
        Some(format!("words for a person: {}", v.person_words.join(", ")))
    } else if v.opt_out_unsure {
        Some("opt-out words, perhaps quoted".to_owned())
    } else {
        None
    };
    if let Some(why) = needs_person {
        d.reasons.push(why);
        return draft(d, s, settings, ToLead::DraftAnswer, NoticeKind::Person);
    }
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
                d
            } else {
                d.reasons.push("not sure what it says".into());
                draft(d, s, settings, ToLead::DraftAnswer, NoticeKind::Person)
            }
        }
    }
}

/// Whether nothing but the answer itself is missing for an automatic answer.
fn answerable(v: &Verdict, s: &Situation, settings: &ReplySettings) -> bool {
    s.mode == CampaignMode::Auto
        && v.confidence >= settings.question_threshold
        && !refusal_is_close(v)
        && reasons_against(s, settings).is_empty()
}

/// Whether a refusal is nearly as likely as what was found.
fn refusal_is_close(v: &Verdict) -> bool {
    v.runner_up.is_some_and(|(intent, score)| {
        let refusal = matches!(
            intent,
            Intent::NotNow | Intent::NotInterested | Intent::Unsubscribe | Intent::OutOfOffice
        );
        refusal && score > v.confidence - MARGIN
    })
}

fn goal(mut d: Decision, v: &Verdict, s: &Situation, settings: &ReplySettings) -> Decision {
    let mut unsure = Vec::new();
    if v.confidence < settings.goal_threshold {
        unsure.push(format!(
            "goal at {:.2}, below {:.2}",
            v.confidence, settings.goal_threshold
        ));
    }
    if !v.goal_rule {
        unsure.push("no goal rule".to_owned());
    }
    if refusal_is_close(v) {
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
        d.lead = ToLead::Acknowledge;
        d.reasons
            .push(format!("goal at {:.2} with a goal rule", v.confidence));
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
    if v.confidence < settings.question_threshold {
        unsure.push(format!(
            "question at {:.2}, below {:.2}",
            v.confidence, settings.question_threshold
        ));
    }
    if refusal_is_close(v) {
        unsure.push("a refusal is as likely".to_owned());
    }
    match &s.grounds {
        Grounds::None => unsure.clear(),
        Grounds::Below(why) => unsure.extend(why.iter().cloned()),
        Grounds::Passed(places) if unsure.is_empty() => {
            let answered = places.iter().map(|p| format!("answered from {p}"));
            if s.mode == CampaignMode::Auto && reasons_against(s, settings).is_empty() {
                d.lead = ToLead::Answer;
                d.reasons.extend(answered);
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
    let notice = if stranger { NoticeKind::Person } else { notice };
    d.reasons.extend(reasons_against(s, settings));
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
#[path = "policy_tests.rs"]
pub(crate) mod tests;
