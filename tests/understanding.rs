//! Real messages of `tests/data`: what they are, what they answer, what was newly written.
//! Each case that is not met is named here with the reason; the list may only shrink.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops at what it cannot read, helpers too"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use replyd::keys::Keys;
use replyd::mime::{self, Mail};
use replyd::model::{Intent, Nature};
use replyd::msgid::MsgId;
use replyd::nature::{self, BounceClass, Judged, Ours};
use replyd::reply::classify::{Classifier, ReplyInput};
use replyd::visible;
use serde_json::Value;

/// Cases that are not met, with the reason.
const NOT_MET: &[(&str, &str)] = &[(
    "bounce/flanker/001",
    "its status part says Action: failed; its label says delayed, by the status 4.2.2",
)];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

struct Case {
    id: String,
    set: String,
    form: String,
    expected: Value,
    bytes: Vec<u8>,
}

fn cases() -> Vec<Case> {
    let index = std::fs::read_to_string(folder().join("cases.jsonl")).unwrap();
    index
        .lines()
        .map(|line| {
            let v: Value = serde_json::from_str(line).unwrap();
            let word = |name: &str| v[name].as_str().unwrap().to_owned();
            Case {
                id: word("id"),
                set: word("set"),
                form: word("form"),
                bytes: std::fs::read(folder().join(word("file"))).unwrap(),
                expected: v["expected"].clone(),
            }
        })
        .collect()
}

struct Judge {
    keys: Keys,
    _state: tempfile::TempDir,
}

impl Judge {
    fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        Self {
            keys: Keys::load_or_create(state.path(), None).unwrap(),
            _state: state,
        }
    }
    fn judge(&self, mail: &Mail) -> Judged {
        nature::judge(mail, &Ours::default(), &self.keys)
    }
}

/// Fails with all that went wrong, but for the cases of [`NOT_MET`].
fn settle(set: &str, wrong: Vec<(String, String)>) {
    let allowed: BTreeSet<&str> = NOT_MET.iter().map(|(id, _)| *id).collect();
    let bad: Vec<_> = wrong
        .iter()
        .filter(|(id, _)| !allowed.contains(id.as_str()))
        .collect();
    assert!(bad.is_empty(), "{set}: {bad:#?}");
}

fn ids(v: &Value) -> Vec<String> {
    let list = v.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .filter_map(|i| Some(MsgId::parse(i.as_str()?)?.to_string()))
        .collect()
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Without quote marks and rulers too: in HTML they are layout.
fn page_words(text: &str) -> String {
    let lines = text.lines().map(|l| l.trim_start_matches(['>', ' ']));
    lines
        .filter(|l| !l.chars().all(|c| c == '-'))
        .map(no_blanks)
        .collect()
}

fn no_blanks(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn each_mail_is_judged_as_its_label_says() {
    let judge = Judge::new();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for case in cases() {
        let Some(class) = case.expected["class"].as_str() else {
            continue;
        };
        seen += 1;
        let judged = judge.judge(&mime::parse(&case.bytes));
        let bounce = judged.bounce.as_ref().map(|b| b.class);
        let met = match class {
            "bounce" => bounce == Some(BounceClass::Failed),
            "delay_notice" => bounce == Some(BounceClass::Delayed),
            "not_bounce" => judged.nature != Nature::Bounce,
            "auto_reply" | "automated_report" => judged.nature == Nature::Automatic,
            "read_receipt" => judged.nature == Nature::Receipt,
            "feedback_report" => judged.nature == Nature::Complaint,
            "bulk" => judged.nature == Nature::Bulk,
            "human_reply" => judged.nature == Nature::Human && !judged.weak_signs,
            other => panic!("unknown class {other}"),
        };
        if !met {
            wrong.push((case.id, format!("{class}: {judged:?}")));
        }
    }
    assert!(seen >= 50, "{seen} cases");
    settle("nature", wrong);
}

#[test]
fn no_persons_mail_is_taken_for_a_machines() {
    let judge = Judge::new();
    for case in cases() {
        if !matches!(case.set.as_str(), "human" | "reply") || case.form != "message" {
            continue;
        }
        let judged = judge.judge(&mime::parse(&case.bytes));
        assert_eq!(judged.nature, Nature::Human, "{}: {judged:?}", case.id);
    }
}

#[test]
fn reports_name_the_mail_that_they_are_about() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for case in cases() {
        let Some(original) = case.expected["original_message_id"].as_str() else {
            continue;
        };
        seen += 1;
        let mail = mime::parse(&case.bytes);
        let expected = MsgId::parse(original).unwrap();
        if mail.embedded_ids.first() != Some(&expected) {
            wrong.push((case.id, format!("{expected}: {:?}", mail.embedded_ids)));
        }
    }
    assert!(seen >= 20, "{seen} cases");
    settle("original ids", wrong);
}

#[test]
fn bounces_name_the_failed_address() {
    let judge = Judge::new();
    let mut wrong = Vec::new();
    for case in cases() {
        let expected: Vec<String> = ["bounced_addresses", "final_recipients"]
            .iter()
            .filter_map(|f| case.expected[*f].as_array())
            .flatten()
            .filter_map(|a| Some(a.as_str()?.to_lowercase()))
            .collect();
        if expected.is_empty() || case.expected["class"] != "bounce" {
            continue;
        }
        let judged = judge.judge(&mime::parse(&case.bytes));
        let found = judged.bounce.map(|b| b.recipients).unwrap_or_default();
        if !found.iter().any(|f| expected.contains(&f.to_lowercase())) {
            wrong.push((case.id, format!("{expected:?}: {found:?}")));
        }
    }
    settle("failed addresses", wrong);
}

#[test]
fn the_newly_written_text_is_found() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for case in cases() {
        let Some(expected) = case.expected["visible_text"].as_str() else {
            continue;
        };
        seen += 1;
        let body = String::from_utf8_lossy(&case.bytes);
        let split = match case.form.as_str() {
            "message" => visible::of_mail(&mime::parse(&case.bytes)),
            "body-html" => visible::split_page(&mime::Page::read(&body)),
            _ => visible::split(&body),
        };
        let with_signature = case.expected["signature"] == "kept";
        let mut found = split.new_text.clone();
        if with_signature {
            found = format!("{found}\n{}", split.signature_and_disclaimer());
        }
        let met = if case.form == "body-html" {
            page_words(&mime::text_of_html(expected)) == page_words(&found)
        } else {
            words(expected) == words(&found)
        };
        if !met {
            wrong.push((case.id, format!("{expected:?}: {found:?}")));
        }
    }
    assert!(seen >= 25, "{seen} cases");
    settle("visible text", wrong);
}

#[test]
fn the_hard_facts_of_a_header_are_read() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for case in cases().into_iter().filter(|c| c.set == "mime") {
        seen += 1;
        let mail = mime::parse(&case.bytes);
        let e = &case.expected;
        let id = |v: &Value| v.as_str().and_then(MsgId::parse).map(|i| i.to_string());
        let text = |ids: &[MsgId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut facts = vec![
            (
                "in_reply_to",
                ids(&e["in_reply_to"]) == text(&mail.in_reply_to),
            ),
            (
                "references",
                ids(&e["references"]) == text(&mail.references),
            ),
        ];
        if let Some(v) = e.get("message_id") {
            let found = mail.message_id.as_ref().map(ToString::to_string);
            facts.push(("message_id", id(v) == found));
        }
        if let Some(v) = e.get("from") {
            let found = mail.from.as_ref().map(|a| a.addr.to_lowercase());
            let expected = v.as_str().filter(|a| !a.is_empty()).map(str::to_lowercase);
            facts.push(("from", expected == found));
        }
        if let Some(v) = e.get("subject") {
            let same = no_blanks(v.as_str().unwrap_or_default()) == no_blanks(&mail.subject);
            facts.push(("subject", same));
        }
        for (fact, met) in facts {
            if !met {
                wrong.push((case.id.clone(), fact.to_owned()));
            }
        }
    }
    assert!(seen >= 20, "{seen} cases");
    settle("header facts", wrong);
}

#[test]
fn parents_are_named_by_the_headers() {
    for case in cases().into_iter().filter(|c| c.set == "thread") {
        let parent = case.expected["parent_message_id"].as_str().unwrap();
        let parent = MsgId::parse(parent).unwrap();
        let mail = mime::parse(&case.bytes);
        let named = mail.in_reply_to.contains(&parent) || mail.references.last() == Some(&parent);
        assert!(named, "{}", case.id);
    }
}

#[test]
fn nothing_panics_wherever_a_message_is_cut() {
    let judge = Judge::new();
    let panicked = |mail: &Mail| mail.malformed.iter().any(|m| m.ends_with("_panicked"));
    for case in cases() {
        for end in (0..=case.bytes.len()).step_by(97).chain([case.bytes.len()]) {
            let cut = &case.bytes[..end];
            let mail = mime::parse(cut);
            assert!(
                !panicked(&mail),
                "{} at {end}: {:?}",
                case.id,
                mail.malformed
            );
            let judged = judge.judge(&mail);
            let split = visible::split(&mail.text);
            assert!(split.new_text.len() <= mail.text.len(), "{judged:?}");
            let whole = end == case.bytes.len();
            assert!(!(whole && mime::wants_more_text(cut, end as u64)));
            assert!(!mime::content_digest_input(&mail).is_empty());
        }
    }
}

#[test]
fn a_list_of_unmet_cases_names_cases_that_exist() {
    let known: BTreeSet<String> = cases().into_iter().map(|c| c.id).collect();
    for (id, reason) in NOT_MET {
        assert!(known.contains(*id) && !reason.is_empty(), "{id}");
    }
}

/// A reply that holds our campaign mail and nothing of the lead must never count as the lead's
/// wish, nor as an opt-out, in whatever form mail programs quote.
#[test]
fn quoted_campaign_text_alone_never_reaches_a_goal_or_an_opt_out() {
    const CAMPAIGN: &str = "Hi Ann,\n\nthe flat in Main Street is free. Would you like to schedule a viewing \
        this week? Yes, please book me a viewing on Tuesday.\n\nReply STOP or unsubscribe to get no more mail.";
    let html = CAMPAIGN.replace('\n', "<br>");
    let marked = format!("> {}", CAMPAIGN.replace('\n', "\n> "));
    let attribution = "On Tue, 3 May 2024 at 10:00, Sales <s@me.example> wrote:";
    let header = "From: Sales <s@me.example>\nSent: Tuesday\nTo: Ann\nSubject: The flat";
    let plain = [
        marked.clone(),
        format!("{attribution}\n{marked}"),
        format!("{attribution}\n\n{CAMPAIGN}"),
        format!("{header}\n\n{CAMPAIGN}"),
        format!("-----Original Message-----\n{header}\n\n{CAMPAIGN}"),
        format!("Sent from my iPhone\n\n{attribution}\n\n{CAMPAIGN}"),
        format!("-- \nAnn Lee\n\n{marked}"),
        // Nothing marks it; it is known because it is ours.
        CAMPAIGN.to_owned(),
        CAMPAIGN.replace('\n', " "),
    ];
    let pages = [
        format!(
            "<div class=gmail_quote><div class=gmail_attr>On Tue, S wrote:</div><blockquote class=gmail_quote>{html}</blockquote></div>"
        ),
        format!(
            "<div id=appendonsend></div><hr><div id=divRplyFwdMsg><b>From:</b> S</div><div>{html}</div>"
        ),
        format!(
            "<div style='border:none;border-top:solid #E1E1E1 1.0pt'><p><b>From:</b> S <b>Sent:</b> 3 May</p></div><p>{html}</p>"
        ),
        format!("<blockquote type=cite>{html}</blockquote>"),
        format!("<div class=yahoo_quoted>{html}</div>"),
        format!("<p>{html}</p>"),
    ];
    let mails = plain
        .iter()
        .map(|text| format!("From: ann@x.example\nContent-Type: text/plain\n\n{text}\n"))
        .chain(pages.iter().map(|page| {
            format!(
                "From: ann@x.example\nContent-Type: text/html\n\n<html><body>{page}</body></html>\n"
            )
        }));
    for mail in mails {
        let visible = visible::of_mail(&mime::parse(mail.as_bytes())).without(&[CAMPAIGN]);
        assert!(!visible.sure && visible.nothing_new, "{mail}: {visible:?}");
        let verdict = Classifier::default()
            .classify(&ReplyInput {
                new_text: &visible::own_words(&visible.new_text, visible.nothing_new),
                sure: visible.sure,
                subject: "Re: The flat",
                nature: Some(Nature::Human),
                last_outbound: Some(CAMPAIGN),
            })
            .unwrap();
        assert_ne!(verdict.intent, Intent::GoalReached, "{mail}");
        assert!(
            !verdict.opt_out && verdict.confidence <= 0.5,
            "{mail}: {verdict:?}"
        );
    }
}
