//! What each further fact does to a decision: demands, pauses, delays, hours, thresholds.

use std::time::Duration;

use super::tests::{settings, situation, verdict};
use super::*;
use crate::hours::WorkingHours;
use crate::reply::fold::Language;
use crate::time::UtcMs;
use crate::zone;

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

fn saying(rule: &str, intent: Intent) -> Verdict {
    let mut v = verdict(intent, 0.9);
    v.opt_out = false;
    v.person_words = vec![rule.to_owned()];
    v
}

#[test]
fn a_threat_or_a_demand_to_erase_data_suppresses_and_a_person_looks_whatever_else_it_says() {
    for (rule, why) in [
        ("p_threat", "a threat"),
        ("p_de_threat", "a threat"),
        ("p_erase", "data to be erased"),
    ] {
        for intent in [Intent::GoalReached, Intent::Question, Intent::Neutral] {
            let d = decide(&saying(rule, intent), &situation(), &settings());
            assert_eq!(
                (d.lead, d.sales, d.suppress),
                (
                    ToLead::Nothing,
                    ToSales::Notice(NoticeKind::Person),
                    Some(why)
                ),
                "{rule} {intent}"
            );
            assert_eq!(d.gate().as_str(), "suppress");
            assert!(d.reasons.join("; ").contains(why), "{:?}", d.reasons);
        }
    }
    // Also from whom the thread is not known.
    let mut s = situation();
    s.matched = false;
    s.disposition = Disposition::Unmatched;
    let d = decide(&saying("p_erase", Intent::Neutral), &s, &settings());
    assert_eq!(d.suppress, Some("data to be erased"));
}

#[test]
fn words_for_a_person_win_over_every_intent_and_an_opt_out_with_them_is_read_by_one() {
    for rule in ["p_legal", "p_data", "p_complaint", "p_bot", "escrow"] {
        let d = decide(
            &saying(rule, Intent::GoalReached),
            &situation(),
            &settings(),
        );
        assert_eq!(
            (d.lead, d.sales, d.suppress),
            (
                ToLead::DraftAnswer,
                ToSales::Notice(NoticeKind::Person),
                None
            ),
            "{rule}"
        );
    }
    let mut v = saying("p_legal", Intent::Unsubscribe);
    v.opt_out = true;
    let mut confirms = settings();
    confirms.optout_confirmation = true;
    let d = decide(&v, &situation(), &confirms);
    assert_eq!(
        (d.lead, d.sales, d.suppress),
        (
            ToLead::Nothing,
            ToSales::Notice(NoticeKind::Person),
            Some("unsubscribe")
        )
    );
}

#[test]
fn an_opt_out_is_confirmed_once_by_setting_and_not_where_the_address_was_suppressed_before() {
    let v = verdict(Intent::Unsubscribe, 0.9);
    assert_eq!(
        decide(&v, &situation(), &settings()).lead,
        ToLead::Nothing,
        "off by default"
    );
    let mut confirms = settings();
    confirms.optout_confirmation = true;
    let mut s = situation();
    // Its own word in List-Unsubscribe has suppressed it already.
    s.suppressed = true;
    assert_eq!(decide(&v, &s, &confirms).lead, ToLead::ConfirmOptOut);
    assert_eq!(decide(&v, &s, &confirms).leave_at, None);
    s.suppressed_before = true;
    let d = decide(&v, &s, &confirms);
    assert_eq!(d.lead, ToLead::Nothing);
    assert!(d.reasons.join("; ").contains("no second confirmation"));
}

#[test]
fn a_no_pauses_campaign_mails_for_a_while_whatever_day_it_names() {
    let v = verdict(Intent::NotInterested, 0.9);
    let mut s = situation();
    s.until = Some(s.now.plus(WEEK));
    let mut month = settings();
    month.not_now_pause = WEEK * 4;
    let d = decide(&v, &s, &month);
    let pause = d.pause.unwrap();
    assert_eq!(
        (pause.until, pause.why),
        (s.internal_date.plus(WEEK * 4), "said no")
    );
    assert_eq!((d.lead, d.sales), (ToLead::Nothing, ToSales::Nothing));
    assert_eq!(d.suppress, None);
    s.sender_verified = false;
    assert_eq!(decide(&v, &s, &month).pause, None);
}

#[test]
fn not_now_pauses_until_the_day_that_is_named_else_for_a_while() {
    let v = verdict(Intent::NotNow, 0.8);
    let mut s = situation();
    s.until = Some(s.now.plus(WEEK));
    let d = decide(&v, &s, &settings());
    let pause = d.pause.unwrap();
    assert_eq!(
        (pause.until, pause.why),
        (s.now.plus(WEEK), "asked for later")
    );
    assert_eq!((d.lead, d.sales), (ToLead::Nothing, ToSales::Nothing));
    s.until = None;
    let mut month = settings();
    month.not_now_pause = WEEK * 4;
    let d = decide(&v, &s, &month);
    assert_eq!(d.pause.unwrap().until, s.internal_date.plus(WEEK * 4));
    assert!(d.reasons.join("; ").contains("no day is named"));
    // A stranger, a guess, a day that has passed: none.
    let mut stranger = s.clone();
    stranger.sender_verified = false;
    assert_eq!(decide(&v, &stranger, &month).pause, None);
    assert_eq!(
        decide(&verdict(Intent::NotNow, 0.4), &s, &month).pause,
        None
    );
    s.until = Some(UtcMs(s.now.0 - 1));
    assert_eq!(decide(&v, &s, &month).pause, None);
}

#[test]
fn a_notice_of_absence_in_a_persons_mail_pauses_too_and_a_wish_ends_the_pause() {
    let mut s = situation();
    s.until = Some(s.now.plus(WEEK));
    let d = decide(&verdict(Intent::OutOfOffice, 0.8), &s, &settings());
    assert_eq!(d.pause.map(|p| p.why), Some("away"));
    for (intent, resumes) in [
        (Intent::GoalReached, true),
        (Intent::Question, true),
        (Intent::Neutral, false),
        (Intent::NotNow, false),
        (Intent::NotInterested, false),
    ] {
        let d = decide(&verdict(intent, 0.9), &s, &settings());
        assert_eq!(d.resumes, resumes, "{intent}");
        s.sender_verified = false;
        assert!(!decide(&verdict(intent, 0.9), &s, &settings()).resumes);
        s.sender_verified = true;
    }
}

#[test]
fn thresholds_and_margin_are_the_campaigns() {
    let mut s = situation();
    let goal = verdict(Intent::GoalReached, 0.8);
    s.thresholds.goal = 0.85;
    assert_eq!(decide(&goal, &s, &settings()).lead, ToLead::DraftAnswer);
    s.thresholds.goal = 0.8;
    assert_eq!(decide(&goal, &s, &settings()).lead, ToLead::Acknowledge);
    let mut close = goal.clone();
    close.runner_up = Some((Intent::NotNow, 0.6));
    assert_eq!(decide(&close, &s, &settings()).lead, ToLead::Acknowledge);
    s.thresholds.margin = 0.25;
    assert_eq!(decide(&close, &s, &settings()).lead, ToLead::DraftAnswer);
    let question = verdict(Intent::Question, 0.8);
    s.grounds = Grounds::Passed(vec!["brochure.md".into()]);
    assert_eq!(decide(&question, &s, &settings()).lead, ToLead::Answer);
    s.thresholds.question = 0.9;
    let d = decide(&question, &s, &settings());
    assert_eq!((d.lead, d.answerable), (ToLead::DraftAnswer, false));
}

#[test]
fn by_default_mails_leave_at_once_and_a_delay_or_the_hours_put_them_off() {
    let goal = verdict(Intent::GoalReached, 0.8);
    let mut s = situation();
    assert_eq!(decide(&goal, &s, &settings()).leave_at, None);
    let mut delayed = settings();
    delayed.send_delay = Duration::from_secs(90);
    let d = decide(&goal, &s, &delayed);
    assert_eq!(
        d.leave_at,
        Some(s.now.plus(Duration::from_secs(90))),
        "{:?}",
        d.reasons
    );
    assert_eq!(d.sales, ToSales::Notice(NoticeKind::Goal), "at once");
    // The fresh situation's now is Tuesday, 2023-11-14, 22:13:20 UTC.
    s.hours = Some(WorkingHours::parse("Mon-Fri 09:00-18:00").unwrap());
    let leaves = |s: &Situation, settings: &ReplySettings| {
        let d = decide(&verdict(Intent::GoalReached, 0.8), s, settings);
        d.leave_at.map_or_else(String::new, UtcMs::rfc3339)
    };
    assert_eq!(leaves(&s, &settings()), "2023-11-15T09:00:00.000Z");
    s.zone = zone::of("AE");
    assert_eq!(leaves(&s, &settings()), "2023-11-15T05:00:00.000Z");
    // It is afternoon in San Salvador, and the delay counts as well.
    s.zone = zone::of("SV");
    assert_eq!(leaves(&s, &settings()), "");
    assert_eq!(leaves(&s, &delayed), "2023-11-14T22:14:50.000Z");
    s.grounds = Grounds::Passed(vec!["brochure.md".into()]);
    s.zone = zone::of("AE");
    let d = decide(&verdict(Intent::Question, 0.9), &s, &settings());
    assert_eq!(d.lead, ToLead::Answer);
    assert!(d.leave_at.is_some());
    // Drafts and confirmations do not wait.
    s.counts.lead_in_gap = 1;
    assert_eq!(decide(&goal, &s, &settings()).leave_at, None);
    s.counts.lead_in_gap = 0;
    delayed.optout_confirmation = true;
    let d = decide(&verdict(Intent::Unsubscribe, 0.9), &s, &delayed);
    assert_eq!((d.lead, d.leave_at), (ToLead::ConfirmOptOut, None));
}

#[test]
fn nothing_rests_in_a_language_that_is_not_read_or_where_no_rule_and_no_language_is_known() {
    let person = (ToLead::DraftAnswer, ToSales::Notice(NoticeKind::Person));
    for intent in [
        Intent::NotInterested,
        Intent::NotNow,
        Intent::OutOfOffice,
        Intent::Bounce,
        Intent::Neutral,
    ] {
        let mut s = situation();
        s.language_known = false;
        let d = decide(&verdict(intent, 0.97), &s, &settings());
        assert_eq!((d.lead, d.sales), person, "{intent}: {:?}", d.reasons);
        assert_eq!(d.pause, None, "{intent}");
        let of = |language, evidence: &[&str]| {
            let v = Verdict {
                language,
                evidence: evidence.iter().map(|e| (*e).to_owned()).collect(),
                ..verdict(intent, 0.97)
            };
            let d = decide(&v, &situation(), &settings());
            (d.lead, d.sales)
        };
        let rests = (ToLead::Nothing, ToSales::Nothing);
        assert_eq!(of(Language::Unknown, &[]), person, "{intent}");
        assert_eq!(of(Language::Unknown, &["t_thanks"]), rests, "{intent}");
        assert_eq!(of(Language::Known("en"), &[]), rests, "{intent}");
    }
}

#[test]
fn what_takes_a_step_back_is_told_after_sales_were_told_of_the_goal() {
    let told = ToSales::Notice(NoticeKind::Person);
    for (intent, rule, sales) in [
        (Intent::NotInterested, "x_cancel", told),
        (Intent::NotInterested, "x_decline", told),
        (Intent::NotNow, "n_later", told),
        (Intent::Neutral, "y_cancel", told),
        (Intent::Neutral, "t_thanks", ToSales::Nothing),
        (Intent::OutOfOffice, "a_away", ToSales::Nothing),
    ] {
        let mut s = situation();
        let v = Verdict {
            evidence: vec![rule.to_owned()],
            ..verdict(intent, 0.9)
        };
        assert_eq!(decide(&v, &s, &settings()).sales, ToSales::Nothing);
        s.sales_told = true;
        let d = decide(&v, &s, &settings());
        assert_eq!((d.lead, d.sales), (ToLead::Nothing, sales), "{rule}");
        let pauses = matches!(intent, Intent::NotNow | Intent::NotInterested);
        assert_eq!(d.pause.is_some(), pauses, "{rule}");
    }
}

#[test]
fn a_question_beside_what_an_answer_would_pass_over_is_not_answered() {
    let mut s = situation();
    s.grounds = Grounds::Passed(vec!["brochure.md".into()]);
    let of = |rule: &str| Verdict {
        evidence: vec!["q_wh".into(), rule.to_owned()],
        ..verdict(Intent::Question, 0.99)
    };
    for rule in [
        "y_cancel",
        "x_cancel",
        "g_put_off",
        "x_not_interested",
        "n_later",
        "u_enough",
        "r_talk_to",
        "de_kein_interesse",
    ] {
        let d = decide(&of(rule), &s, &settings());
        assert_eq!(
            (d.lead, d.sales, d.answerable),
            (
                ToLead::DraftAnswer,
                ToSales::Notice(NoticeKind::Question),
                false
            ),
            "{rule}"
        );
        assert!(d.reasons.join("; ").contains(rule), "{:?}", d.reasons);
    }
    for rule in [
        "q_mark",
        "g_open_question",
        "k_view",
        "s_when",
        "t_thanks",
        "m_first",
    ] {
        let d = decide(&of(rule), &s, &settings());
        assert_eq!((d.lead, d.answerable), (ToLead::Answer, true), "{rule}");
    }
}

#[test]
fn the_domains_brake_and_the_same_text_twice_leave_a_draft_and_the_latter_is_flagged() {
    let goal = verdict(Intent::GoalReached, 0.8);
    let mut s = situation();
    s.counts.domain_in_day = settings().automatic_per_domain - 1;
    assert_eq!(decide(&goal, &s, &settings()).lead, ToLead::Acknowledge);
    s.counts.domain_in_day += 1;
    let d = decide(&goal, &s, &settings());
    assert_eq!(
        (d.lead, d.flagged),
        (ToLead::DraftAcknowledgement, false),
        "{:?}",
        d.reasons
    );
    for ours in [true, false] {
        let mut s = situation();
        s.equal_text_before = ours;
        s.equal_reply_before = !ours;
        let d = decide(&goal, &s, &settings());
        assert_eq!((d.lead, d.flagged), (ToLead::DraftAcknowledgement, true));
    }
    // A thanks that came twice stopped nothing.
    let mut s = situation();
    s.equal_reply_before = true;
    assert!(!decide(&verdict(Intent::Neutral, 0.9), &s, &settings()).flagged);
}

#[test]
fn the_table_by_intent_in_the_document_is_what_is_decided_row_by_row() {
    let document = include_str!("../../../docs/DECISIONS.md");
    let (_, section) = document.split_once("\n## By intent\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows = section
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(2);
    let mut seen = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [says, lead, sales, further] = cells.as_slice() else {
            panic!("{row}");
        };
        let (v, s) = facts_of_row(says);
        let d = decide(&v, &s, &settings());
        let found = (
            match d.lead {
                ToLead::Nothing => "nothing",
                ToLead::Acknowledge => "acknowledgement",
                ToLead::Answer => "answer",
                ToLead::DraftAcknowledgement | ToLead::DraftAnswer => "draft",
                ToLead::ConfirmOptOut => "confirmation",
            },
            match d.sales {
                ToSales::Nothing => "no",
                ToSales::Notice(NoticeKind::Person) => "a person looks",
                ToSales::Notice(_) => "notice",
                ToSales::Digest(_) => "digest",
            },
            match (d.suppress, d.pause, d.resumes) {
                (Some(_), None, false) => "suppressed",
                (None, Some(_), false) => "campaign mails pause",
                (None, None, true) => "a pause ends",
                (None, None, false) => "–",
                _ => "several",
            },
        );
        assert_eq!(found, (*lead, *sales, *further), "{says}: {:?}", d.reasons);
        seen += 1;
    }
    assert_eq!(seen, 18);
}

fn facts_of_row(says: &str) -> (Verdict, Situation) {
    let mut s = situation();
    let of = |intent| verdict(intent, 0.8);
    let v = match says {
        "goal_reached, with both keys" => of(Intent::GoalReached),
        "goal_reached, without" => Verdict {
            goal_rule: false,
            ..of(Intent::GoalReached)
        },
        "question that the documents answer" => {
            s.grounds = Grounds::Passed(vec!["brochure.md".into()]);
            of(Intent::Question)
        }
        "question about times that the documents answer" => {
            s.grounds = Grounds::Passed(vec!["brochure.md".into()]);
            Verdict {
                scheduling: true,
                ..of(Intent::Question)
            }
        }
        "question beside a cancellation, a refusal, a not now or a referral" => {
            s.grounds = Grounds::Passed(vec!["brochure.md".into()]);
            Verdict {
                evidence: vec!["y_cancel".into()],
                ..of(Intent::Question)
            }
        }
        "not_interested, after sales were told of a goal in the thread" => {
            s.sales_told = true;
            of(Intent::NotInterested)
        }
        "neutral, in a language that is not read here" => {
            s.language_known = false;
            of(Intent::Neutral)
        }
        "question, else" => of(Intent::Question),
        "a threat" => saying("p_threat", Intent::Neutral),
        "data to be erased" => saying("p_erase", Intent::Neutral),
        "other words for a person" => saying("p_legal", Intent::GoalReached),
        "out_of_office" => {
            s.until = Some(s.now.plus(WEEK));
            of(Intent::OutOfOffice)
        }
        "neutral, below 0.55" => verdict(Intent::Neutral, 0.5),
        class => of(class.parse().unwrap()),
    };
    (v, s)
}
