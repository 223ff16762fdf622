use super::*;
use crate::config::ReplySettings;
use crate::reply::fold::Language;
use crate::reply::gate::Gate;
use crate::reply::policy::{self, Decision, NoticeKind, Situation, ToLead, ToSales};

fn own(intent: Intent, confidence: f64) -> Verdict {
    Verdict {
        intent,
        confidence,
        runner_up: None,
        goal_type: (intent == Intent::GoalReached).then_some(GoalType::Other),
        goal_rule: intent == Intent::GoalReached,
        opt_out: false,
        opt_out_unsure: false,
        person_words: Vec::new(),
        scheduling: false,
        language: Language::Known("en"),
        evidence: Vec::new(),
        model_version: "1-test".into(),
        disagreement: None,
    }
}

fn other(intent: Intent, confidence: f64) -> Opinion {
    Opinion {
        intent,
        confidence,
        goal_type: (intent == Intent::GoalReached).then_some(GoalType::Viewing),
    }
}

fn facts() -> Facts {
    Facts::fresh()
}

fn settings() -> ReplySettings {
    ReplySettings {
        optout_confirmation: true,
        ..policy::tests::settings()
    }
}

fn decided(v: &Verdict) -> Decision {
    let s = Situation::fresh(CampaignMode::Auto, true);
    policy::decide(v, &s, &settings())
}

const ALL: [Intent; 9] = [
    Intent::GoalReached,
    Intent::Question,
    Intent::NotInterested,
    Intent::NotNow,
    Intent::Unsubscribe,
    Intent::OutOfOffice,
    Intent::Bounce,
    Intent::Referral,
    Intent::Neutral,
];

#[test]
fn a_mail_that_needs_no_opinion_is_not_sent_out() {
    let v = own(Intent::Question, 0.9);
    assert_eq!(spared(&v, &facts()), None);
    for disposition in [
        Disposition::Bounce,
        Disposition::AutoReply,
        Disposition::Complaint,
        Disposition::Receipt,
        Disposition::Internal,
        Disposition::OwnMail,
        Disposition::Ignored,
        Disposition::Unmatched,
        Disposition::Unreadable,
        Disposition::ReplyUnverified,
        Disposition::OptOut,
    ] {
        let f = Facts {
            disposition,
            ..facts()
        };
        assert!(spared(&v, &f).is_some(), "{disposition}");
    }
    let changes: [fn(&mut Facts); 8] = [
        |f| f.matched = false,
        |f| f.sender_verified = false,
        |f| f.has_text = false,
        |f| f.suppressed = true,
        |f| f.mode = CampaignMode::Off,
        |f| f.active = false,
        |f| f.old = true,
        |f| f.person = true,
    ];
    for (n, change) in changes.iter().enumerate() {
        let mut f = facts();
        change(&mut f);
        assert!(spared(&v, &f).is_some(), "{n}");
    }
    let mut out = own(Intent::Unsubscribe, 0.9);
    out.opt_out = true;
    assert!(spared(&out, &facts()).is_some());
    let mut legal = v;
    legal.person_words.push("lawyer".into());
    assert!(spared(&legal, &facts()).is_some());
}

#[test]
fn a_mail_of_ours_goes_out_without_the_leads_name_address_and_phone() {
    let ours = "Dear Ann Lee-Marsh,\n\nthank you, Ann! Shall we call +44 20 5550 100 or write to Ann@Lead.example?\nThe Lees' annex is free.";
    let clean = without_person(
        ours,
        "Ann Lee-Marsh",
        &["Ann@Lead.example", "+44 20 5550 100", ""],
    );
    assert_eq!(
        clean,
        "Dear … …-…,\n\nthank you, …! Shall we call … or write to …?\nThe Lees' annex is free."
    );
    assert_eq!(
        without_person("Hello A, no name", "A", &[]),
        "Hello A, no name"
    );
}

#[test]
fn an_endpoint_takes_no_refusal_back() {
    use Intent::{Neutral, NotInterested, NotNow, OutOfOffice, Question, Referral};
    for (own_says, other_says, pause) in [
        (NotInterested, Neutral, Some("said no")),
        (NotInterested, NotNow, Some("said no")),
        (NotNow, Neutral, Some("asked for later")),
        (NotNow, OutOfOffice, Some("asked for later")),
        (NotNow, NotInterested, Some("said no")),
        (Neutral, NotNow, Some("asked for later")),
        (Neutral, NotInterested, Some("said no")),
    ] {
        let v = combined(&own(own_says, 0.9), &other(other_says, 0.9));
        let d = decided(&v);
        assert_eq!(d.pause.map(|p| p.why), pause, "{own_says} {other_says}");
        assert_eq!(d.lead, ToLead::Nothing);
    }
    for (own_says, other_says) in [
        (NotInterested, Question),
        (NotNow, Question),
        (NotNow, Referral),
    ] {
        let d = decided(&combined(&own(own_says, 0.9), &other(other_says, 0.9)));
        assert_eq!(
            d.sales,
            ToSales::Notice(NoticeKind::Person),
            "{own_says} {other_says}"
        );
        assert_eq!(d.lead, ToLead::DraftAnswer);
    }
}

/// own, other -> what is decided.
#[test]
fn two_verdicts_come_to_one_decision() {
    use Intent::{
        GoalReached, Neutral, NotInterested, NotNow, OutOfOffice, Question, Referral, Unsubscribe,
    };
    for (own_says, other_says, gate) in [
        // Both keys and both agree.
        ((GoalReached, 0.9), (GoalReached, 0.9), Gate::Acknowledge),
        ((GoalReached, 0.6), (GoalReached, 0.9), Gate::Acknowledge),
        // The endpoint doubts.
        ((GoalReached, 0.9), (GoalReached, 0.5), Gate::Person),
        // Something in the mail contradicts: the endpoint lifts no cap.
        ((GoalReached, 0.5), (GoalReached, 0.9), Gate::Person),
        // They disagree on the goal.
        ((GoalReached, 0.99), (Question, 0.6), Gate::Person),
        ((GoalReached, 0.99), (Neutral, 0.9), Gate::Person),
        ((Question, 0.9), (GoalReached, 0.9), Gate::Person),
        ((Neutral, 0.9), (GoalReached, 0.9), Gate::Person),
        ((NotNow, 0.9), (GoalReached, 0.9), Gate::Person),
        // Opt-out is an OR.
        ((GoalReached, 0.99), (Unsubscribe, 0.9), Gate::Suppress),
        ((GoalReached, 0.99), (Unsubscribe, 0.7), Gate::Person),
        ((Neutral, 0.9), (Unsubscribe, 0.5), Gate::Suppress),
        ((Neutral, 0.9), (Unsubscribe, 0.2), Gate::Person),
        ((Unsubscribe, 0.4), (Unsubscribe, 0.9), Gate::Suppress),
        ((Unsubscribe, 0.4), (NotInterested, 0.9), Gate::Person),
        ((Unsubscribe, 0.4), (GoalReached, 0.9), Gate::Person),
        // What a person would have seen does not come to rest by the endpoint alone.
        ((Question, 0.9), (Neutral, 0.9), Gate::Person),
        ((Question, 0.9), (OutOfOffice, 0.9), Gate::Person),
        ((Referral, 0.9), (NotInterested, 0.9), Gate::Person),
        ((OutOfOffice, 0.4), (Question, 0.9), Gate::Person),
        // Renamed classes.
        ((Neutral, 0.6), (Referral, 0.9), Gate::Person),
        ((NotInterested, 0.6), (NotNow, 0.9), Gate::Nothing),
        ((NotInterested, 0.9), (NotInterested, 0.9), Gate::Nothing),
        ((Neutral, 0.9), (Neutral, 0.3), Gate::Person),
    ] {
        let (own_says, other_says) = (
            own(own_says.0, own_says.1),
            other(other_says.0, other_says.1),
        );
        let v = combined(&own_says, &other_says);
        let d = decided(&v);
        assert_eq!(d.gate(), gate, "{own_says:?} {other_says:?}: {d:?}");
    }
}

#[test]
fn no_label_of_the_endpoint_brings_about_an_acknowledgement_by_itself() {
    for intent in ALL {
        for rule in [true, false] {
            let mut mine = own(intent, 0.95);
            mine.goal_rule = rule;
            for label in ALL {
                let v = combined(&mine, &other(label, 0.9));
                let d = decided(&v);
                let acknowledged = d.lead == ToLead::Acknowledge;
                let both = intent == Intent::GoalReached && label == intent && rule;
                assert_eq!(acknowledged, both, "{intent} {label} {rule}");
            }
        }
    }
}

#[test]
fn an_opt_out_that_only_the_endpoint_sees_suppresses_and_is_told_but_sends_nothing() {
    let v = combined(&own(Intent::Neutral, 0.9), &other(Intent::Unsubscribe, 0.9));
    let d = decided(&v);
    assert_eq!(d.suppress, Some("unsubscribe"));
    assert_eq!(d.lead, ToLead::Nothing, "also with optout_confirmation");
    assert_eq!(d.sales, ToSales::Notice(NoticeKind::Person));
    assert!(
        d.reasons
            .iter()
            .any(|r| r.contains("the endpoint unsubscribe")),
        "{:?}",
        d.reasons
    );
    let mut agreed = own(Intent::Unsubscribe, 0.44);
    agreed = combined(&agreed, &other(Intent::Unsubscribe, 0.9));
    assert_eq!(decided(&agreed).lead, ToLead::ConfirmOptOut);
}

#[test]
fn a_question_that_only_the_endpoint_sees_is_answered_unless_our_own_reads_a_refusal() {
    use crate::reply::policy::Grounds;
    let s = Situation {
        grounds: Grounds::Passed(vec!["faq.md:1".into()]),
        ..Situation::fresh(CampaignMode::Auto, true)
    };
    for (mine, lead) in [
        (own(Intent::Neutral, 0.9), ToLead::Answer),
        (own(Intent::NotInterested, 0.6), ToLead::DraftAnswer),
        (own(Intent::NotInterested, 0.8), ToLead::DraftAnswer),
        (own(Intent::NotNow, 0.8), ToLead::DraftAnswer),
    ] {
        let v = combined(&mine, &other(Intent::Question, 0.9));
        let d = policy::decide(&v, &s, &settings());
        assert_eq!(d.lead, lead, "{mine:?}: {d:?}");
    }
}

#[test]
fn the_step_is_the_own_rules_unless_they_know_none() {
    let mut mine = own(Intent::GoalReached, 0.9);
    let v = combined(&mine, &other(Intent::GoalReached, 0.9));
    assert_eq!(v.goal_type, Some(GoalType::Viewing));
    mine.goal_type = Some(GoalType::SalesCall);
    let v = combined(&mine, &other(Intent::GoalReached, 0.9));
    assert_eq!(v.goal_type, Some(GoalType::SalesCall));
}

#[test]
fn keys_words_and_language_stay_the_own_ones() {
    let mut mine = own(Intent::Neutral, 0.9);
    mine.evidence.push("thanks".into());
    mine.scheduling = true;
    for label in ALL {
        let v = combined(&mine, &other(label, 0.9));
        assert!(!v.goal_rule && v.scheduling);
        assert_eq!(v.evidence, mine.evidence);
        assert_eq!(v.language, mine.language);
        assert!(v.person_words.is_empty() && !v.opt_out_unsure);
    }
}
