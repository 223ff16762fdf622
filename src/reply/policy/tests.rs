use std::time::Duration;

use super::*;
use crate::model::{CaptureSource, GoalType, SenderAuth};
use crate::reply::fold::Language;
use crate::time::UtcMs;

const NOW: UtcMs = UtcMs(1_700_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn settings() -> ReplySettings {
    ReplySettings {
        sales_email: "team@example.com".into(),
        ..crate::reply::gate::default_settings()
    }
}

/// A reply of a minute ago to a mail of yesterday.
pub(super) fn situation() -> Situation {
    Situation {
        internal_date: NOW.minus(MINUTE),
        parent_known_at: Some(NOW.minus(DAY)),
        first_started_at: NOW.minus(DAY * 2),
        ..Situation::fresh(CampaignMode::Auto, true)
    }
}

pub(super) fn verdict(intent: Intent, confidence: f64) -> Verdict {
    Verdict {
        intent,
        confidence,
        runner_up: None,
        goal_type: (intent == Intent::GoalReached).then_some(GoalType::Viewing),
        goal_rule: intent == Intent::GoalReached,
        opt_out: intent == Intent::Unsubscribe,
        opt_out_unsure: false,
        person_words: Vec::new(),
        scheduling: false,
        language: Language::Known("en"),
        evidence: vec!["rule".into()],
        model_version: "1-test".into(),
        disagreement: None,
    }
}

fn goal_verdict() -> Verdict {
    verdict(Intent::GoalReached, 0.8)
}

const GOAL: ToSales = ToSales::Notice(NoticeKind::Goal);
const PERSON: ToSales = ToSales::Notice(NoticeKind::Person);

#[test]
fn each_intent_has_its_action() {
    for (intent, lead, sales) in [
        (Intent::GoalReached, ToLead::Acknowledge, GOAL),
        (
            Intent::Question,
            ToLead::DraftAnswer,
            ToSales::Notice(NoticeKind::Question),
        ),
        (Intent::NotInterested, ToLead::Nothing, ToSales::Nothing),
        (Intent::NotNow, ToLead::Nothing, ToSales::Nothing),
        (
            Intent::Unsubscribe,
            ToLead::Nothing,
            ToSales::Notice(NoticeKind::OptOut),
        ),
        (Intent::OutOfOffice, ToLead::Nothing, ToSales::Nothing),
        (Intent::Bounce, ToLead::Nothing, ToSales::Nothing),
        (Intent::Referral, ToLead::Nothing, PERSON),
        (Intent::Neutral, ToLead::Nothing, ToSales::Nothing),
    ] {
        let d = decide(&verdict(intent, 0.8), &situation(), &settings());
        assert_eq!(
            (d.lead, d.sales),
            (lead, sales),
            "{intent}: {:?}",
            d.reasons
        );
        assert_eq!(
            d.suppress.is_some(),
            intent == Intent::Unsubscribe,
            "{intent}"
        );
        assert!(!d.reasons.is_empty(), "{intent} has no reason");
    }
}

#[test]
fn an_acknowledgement_needs_the_threshold_and_a_goal_rule_and_no_close_refusal() {
    let s = situation();
    let mut below = goal_verdict();
    below.confidence = 0.69;
    let mut no_rule = goal_verdict();
    no_rule.goal_rule = false;
    let mut close = goal_verdict();
    close.runner_up = Some((Intent::NotNow, 0.66));
    for v in [below, no_rule, close] {
        let d = decide(&v, &s, &settings());
        // Not even prepared: a reply below the gate goes to a person.
        assert_eq!((d.lead, d.sales), (ToLead::DraftAnswer, PERSON), "{v:?}");
    }
    let mut question_beside = goal_verdict();
    question_beside.runner_up = Some((Intent::Question, 0.8));
    assert_eq!(
        decide(&question_beside, &s, &settings()).lead,
        ToLead::Acknowledge
    );
    let mut strict = situation();
    strict.thresholds.goal = 0.9;
    assert_eq!(
        decide(&goal_verdict(), &strict, &settings()).lead,
        ToLead::DraftAnswer
    );
}

/// One change to a situation in which an acknowledgement would go out.
type Change = fn(&mut Situation);

#[test]
fn a_reply_from_the_spam_folder_is_answered_when_our_server_vouches_for_its_sender() {
    let mut s = situation();
    s.from_spam = true;
    s.sender_auth = SenderAuth::Pass;
    assert_eq!(
        decide(&goal_verdict(), &s, &settings()).lead,
        ToLead::Acknowledge
    );
}

#[test]
fn what_a_person_has_answered_already_needs_nobody() {
    let mut s = situation();
    s.person_wrote = true;
    s.person_answered_it = true;
    let d = decide(&goal_verdict(), &s, &settings());
    assert_eq!((d.lead, d.sales), (ToLead::Nothing, ToSales::Nothing));
    assert!(d.reasons.iter().any(|r| r.contains("answered it by mail")));
    // What concerns the law is done all the same.
    s.disposition = Disposition::OptOut;
    assert!(decide(&goal_verdict(), &s, &settings()).suppress.is_some());
}

#[test]
fn each_brake_alone_turns_the_acknowledgement_into_a_draft_and_sales_are_told() {
    let cases: &[(&str, Change)] = &[
        ("10 minutes", |s| s.counts.lead_in_gap = 1),
        ("in a thread", |s| s.counts.in_thread = 3),
        ("to a lead in a day", |s| s.counts.lead_in_day = 4),
        ("of the account", |s| s.counts.account_in_day = 200),
        ("same text went out", |s| s.equal_text_before = true),
        ("same reply", |s| s.equal_reply_before = true),
        ("a person wrote", |s| s.person_wrote = true),
        ("lay in the spam folder", |s| s.from_spam = true),
        ("spam folder", |s| {
            s.from_spam = true;
            s.sender_auth = SenderAuth::Fail;
        }),
        ("not sure", |s| s.visible_sure = false),
        ("Message-ID", |s| s.duplicate_id = true),
        ("not active", |s| s.campaign_active = false),
        ("language", |s| s.language_known = false),
        ("weak signs", |s| {
            s.disposition = Disposition::HumanUncertain
        }),
        ("bounced for good", |s| s.dead_address = true),
        ("mode draft", |s| s.mode = CampaignMode::Draft),
    ];
    for (reason, change) in cases {
        let mut s = situation();
        change(&mut s);
        let d = decide(&goal_verdict(), &s, &settings());
        assert_eq!(
            (d.lead, d.sales),
            (ToLead::DraftAcknowledgement, GOAL),
            "{reason}"
        );
        assert!(
            d.reasons.iter().any(|r| r.contains(reason)),
            "{reason}: {:?}",
            d.reasons
        );
    }
    let mut under = situation();
    under.counts = BrakeCounts {
        in_thread: 2,
        lead_in_day: 3,
        account_in_day: 199,
        notices_in_hour: 59,
        ..BrakeCounts::default()
    };
    assert_eq!(
        decide(&goal_verdict(), &under, &settings()).lead,
        ToLead::Acknowledge
    );
}

#[test]
fn old_mail_becomes_a_draft_and_a_line_of_the_digest() {
    let cases: &[(&str, Change)] = &[
        ("marked", |s| s.old_mail = true),
        ("first_run", |s| s.source = CaptureSource::FirstRun),
        ("check", |s| s.source = CaptureSource::Check),
        ("new_epoch", |s| s.source = CaptureSource::NewEpoch),
        ("late_match", |s| s.source = CaptureSource::LateMatch),
        ("first start", |s| s.first_started_at = NOW),
        ("was known", |s| {
            s.parent_known_at = Some(s.internal_date.plus(MINUTE * 11))
        }),
        ("no known mail", |s| s.parent_known_at = None),
        ("answer_max_age", |s| {
            s.internal_date = NOW.minus(DAY + MINUTE);
            s.parent_known_at = Some(NOW.minus(DAY * 2));
        }),
    ];
    for (reason, change) in cases {
        let mut s = situation();
        change(&mut s);
        let d = decide(&goal_verdict(), &s, &settings());
        assert_eq!(
            (d.lead, d.sales),
            (
                ToLead::DraftAcknowledgement,
                ToSales::Digest(DigestReason::OldMail)
            ),
            "{reason}"
        );
        assert!(
            d.reasons.iter().any(|r| r.contains(reason)),
            "{reason}: {:?}",
            d.reasons
        );
        let question = decide(&verdict(Intent::Question, 0.8), &s, &settings());
        assert_eq!(question.sales, ToSales::Digest(DigestReason::OldMail));
    }
}

#[test]
fn at_the_edges_mail_is_not_old() {
    let cases: &[Change] = &[
        |s| s.source = CaptureSource::CatchUp,
        |s| s.parent_known_at = Some(s.internal_date.plus(MINUTE * 10)),
        |s| {
            s.internal_date = NOW.minus(DAY);
            s.parent_known_at = Some(NOW.minus(DAY));
        },
        // INTERNALDATE has whole seconds: 12:00:00 may be after a start at 12:00:00.4.
        |s| s.first_started_at = UtcMs(s.internal_date.0 + 400),
    ];
    for change in cases {
        let mut s = situation();
        change(&mut s);
        assert!(
            old_mail_reasons(&s, DAY).is_empty(),
            "{:?}",
            old_mail_reasons(&s, DAY)
        );
    }
}

#[test]
fn an_unverified_sender_gets_nothing_and_sales_are_told() {
    let mut s = situation();
    s.disposition = Disposition::ReplyUnverified;
    s.sender_verified = false;
    for intent in [Intent::GoalReached, Intent::Question] {
        let d = decide(&verdict(intent, 0.9), &s, &settings());
        assert_eq!(d.lead, ToLead::Nothing, "{intent}");
        assert_eq!(
            d.sales, PERSON,
            "{intent}: not a ready lead, a person looks"
        );
    }
}

#[test]
fn while_automation_is_off_a_person_answers() {
    let mut s = situation();
    s.automation_off = Some("for everything since today: wrong prices".into());
    let d = decide(&verdict(Intent::GoalReached, 0.9), &s, &settings());
    assert_eq!(d.lead, ToLead::DraftAcknowledgement);
    assert_eq!(d.sales, ToSales::Notice(NoticeKind::Goal));
    let why = d.reasons.join("; ");
    assert!(
        why.contains("automation is off for everything since today: wrong prices"),
        "{why}"
    );
    // An opt-out counts all the same, without a confirmation.
    let mut confirms = settings();
    confirms.optout_confirmation = true;
    let d = decide(&verdict(Intent::Unsubscribe, 0.9), &s, &confirms);
    assert_eq!((d.lead, d.suppress), (ToLead::Nothing, Some("unsubscribe")));
}

#[test]
fn a_suppressed_lead_gets_nothing_not_even_a_draft() {
    let mut s = situation();
    s.suppressed = true;
    for intent in [Intent::GoalReached, Intent::Question, Intent::Neutral] {
        assert_eq!(
            decide(&verdict(intent, 0.9), &s, &settings()).lead,
            ToLead::Nothing
        );
    }
}

#[test]
fn modes_go_as_far_as_they_say() {
    for (mode, lead, sales) in [
        (CampaignMode::Off, ToLead::Nothing, ToSales::Nothing),
        (CampaignMode::Draft, ToLead::DraftAcknowledgement, GOAL),
        (CampaignMode::AutoAck, ToLead::Acknowledge, GOAL),
        (CampaignMode::Auto, ToLead::Acknowledge, GOAL),
    ] {
        let mut s = situation();
        s.mode = mode;
        let d = decide(&goal_verdict(), &s, &settings());
        assert_eq!((d.lead, d.sales), (lead, sales), "{mode}");
        let out = decide(&verdict(Intent::Unsubscribe, 0.9), &s, &settings());
        assert_eq!(
            out.suppress,
            Some("unsubscribe"),
            "an opt-out counts in mode {mode}"
        );
    }
}

#[test]
fn an_opt_out_suppresses_whoever_sends_it_and_whatever_else_it_says() {
    let changes: &[Change] = &[
        |_| {},
        |s| s.sender_verified = false,
        |s| s.disposition = Disposition::HumanUncertain,
        |s| s.old_mail = true,
        |s| s.matched = false,
        |s| s.campaign_active = false,
    ];
    for change in changes {
        let mut s = situation();
        change(&mut s);
        let mut v = goal_verdict();
        v.opt_out = true;
        let d = decide(&v, &s, &settings());
        assert_eq!((d.lead, d.suppress), (ToLead::Nothing, Some("unsubscribe")));
        assert_eq!(d.intent, Intent::Unsubscribe);
    }
}

#[test]
fn an_opt_out_is_confirmed_once_by_setting_and_never_to_strangers_or_late() {
    let mut confirms = settings();
    confirms.optout_confirmation = true;
    let v = verdict(Intent::Unsubscribe, 0.95);
    assert_eq!(decide(&v, &situation(), &settings()).lead, ToLead::Nothing);
    assert_eq!(
        decide(&v, &situation(), &confirms).lead,
        ToLead::ConfirmOptOut
    );
    // The suppression that an earlier opt-out made does not stand against it, a brake does.
    let mut again = situation();
    again.suppressed = true;
    assert_eq!(decide(&v, &again, &confirms).lead, ToLead::ConfirmOptOut);
    let changes: &[Change] = &[
        |s| s.sender_verified = false,
        |s| s.old_mail = true,
        |s| s.counts.lead_in_gap = 1,
        |s| s.mode = CampaignMode::Off,
        |s| s.mode = CampaignMode::Draft,
    ];
    for change in changes {
        let mut s = situation();
        change(&mut s);
        assert_eq!(decide(&v, &s, &confirms).lead, ToLead::Nothing);
    }
}

#[test]
fn machines_are_never_answered_and_complaints_suppress() {
    for (disposition, intent) in [
        (Disposition::Bounce, Intent::Bounce),
        (Disposition::AutoReply, Intent::OutOfOffice),
        (Disposition::Receipt, Intent::Neutral),
        (Disposition::Internal, Intent::Neutral),
        (Disposition::OwnMail, Intent::Neutral),
        (Disposition::Duplicate, Intent::Neutral),
        (Disposition::Ignored, Intent::Neutral),
    ] {
        let mut s = situation();
        s.disposition = disposition;
        let mut v = goal_verdict();
        v.opt_out = true;
        let d = decide(&v, &s, &settings());
        assert_eq!(
            (d.lead, d.sales, d.suppress),
            (ToLead::Nothing, ToSales::Nothing, None),
            "{disposition}"
        );
        assert_eq!(d.intent, intent, "{disposition}");
    }
    let mut s = situation();
    s.disposition = Disposition::Complaint;
    let d = decide(&goal_verdict(), &s, &settings());
    assert_eq!(
        (d.suppress, d.sales),
        (Some("complaint"), ToSales::Notice(NoticeKind::OptOut))
    );
}

#[test]
fn unmatched_mail_of_a_lead_waits_for_the_daily_digest() {
    let mut s = situation();
    s.matched = false;
    s.disposition = Disposition::Unmatched;
    let d = decide(&goal_verdict(), &s, &settings());
    assert_eq!(
        (d.lead, d.sales),
        (ToLead::Nothing, ToSales::Digest(DigestReason::Unmatched))
    );
}

#[test]
fn what_nobody_can_read_or_be_sure_of_goes_to_a_person() {
    let mut words = goal_verdict();
    words.person_words = vec!["p_legal".into()];
    let mut quoted = goal_verdict();
    quoted.opt_out_unsure = true;
    for v in [
        words,
        quoted,
        verdict(Intent::Neutral, 0.3),
        verdict(Intent::NotInterested, 0.4),
    ] {
        let d = decide(&v, &situation(), &settings());
        assert_eq!((d.lead, d.sales), (ToLead::DraftAnswer, PERSON), "{v:?}");
    }
    let changes: &[Change] = &[
        |s| s.has_text = false,
        |s| s.disposition = Disposition::Unreadable,
    ];
    for change in changes {
        let mut s = situation();
        change(&mut s);
        let d = decide(&goal_verdict(), &s, &settings());
        assert_eq!((d.lead, d.sales), (ToLead::DraftAnswer, PERSON));
    }
}

#[test]
fn over_the_hourly_cap_sales_get_a_digest() {
    let mut s = situation();
    s.counts.notices_in_hour = 60;
    let d = decide(&goal_verdict(), &s, &settings());
    assert_eq!(
        (d.lead, d.sales),
        (ToLead::Acknowledge, ToSales::Digest(DigestReason::Overflow))
    );
}

#[test]
fn processing_again_sends_nothing_and_resend_sends_once_more_within_the_day_s_limits() {
    let mut s = situation();
    s.counts.for_message = 1;
    s.counts.lead_in_gap = 1;
    s.equal_text_before = true;
    assert_eq!(
        decide(&goal_verdict(), &s, &settings()).lead,
        ToLead::Nothing
    );
    s.resend = true;
    assert_eq!(
        decide(&goal_verdict(), &s, &settings()).lead,
        ToLead::Acknowledge
    );
    s.counts.lead_in_day = 4;
    assert_eq!(
        decide(&goal_verdict(), &s, &settings()).lead,
        ToLead::DraftAcknowledgement
    );
    s.counts.lead_in_day = 1;
    s.old_mail = true;
    assert_eq!(
        decide(&goal_verdict(), &s, &settings()).lead,
        ToLead::DraftAcknowledgement
    );
}
