//! One case against what was found: every labelled fact, right or wrong.

use std::collections::BTreeSet;

use serde_json::Value;

use super::case::Case;
use super::tally::{Outcome, Report};
use crate::mime;
use crate::model::Nature;
use crate::msgid::MsgId;
use crate::nature::BounceClass;
use crate::understand::Record;

type Facts = Vec<(&'static str, Outcome)>;

/// Kinds whose detection is counted over all sets.
const DETECTED: &[Nature] = &[
    Nature::Bounce,
    Nature::Automatic,
    Nature::Receipt,
    Nature::Complaint,
    Nature::Bulk,
    Nature::Human,
];

/// All facts that the case's label states. `parent` is the record of its `parent_file`.
pub(super) fn facts(case: &Case, record: &Record, parent: Option<&Record>) -> Facts {
    let mut facts = Facts::new();
    class(case, record, &mut facts);
    if case.set == "feedback" {
        original_id(case, record, &mut facts);
    }
    if case.set == "bounce" && !case_is(case, "not_bounce") {
        original_id(case, record, &mut facts);
        bounce(case, record, &mut facts);
    }
    visible(case, record, &mut facts);
    if case.set == "mime" {
        mime_facts(case, record, &mut facts);
    }
    if case.expected.get("parent_message_id").is_some() {
        thread(case, record, parent, &mut facts);
    }
    facts
}

fn case_is(case: &Case, class: &str) -> bool {
    case.expected_text("class") == Some(class)
}

fn kind(record: &Record) -> Option<Nature> {
    record.nature.as_ref().map(|n| n.kind)
}

/// The kind that a label of the corpora stands for.
fn kind_of(class: &str) -> Option<Nature> {
    Some(match class {
        "bounce" | "delay_notice" | "delivery_receipt" => Nature::Bounce,
        "auto_reply" | "automated_report" => Nature::Automatic,
        "read_receipt" => Nature::Receipt,
        "feedback_report" => Nature::Complaint,
        "bulk" => Nature::Bulk,
        "human_reply" | "human_new" => Nature::Human,
        _ => return None,
    })
}

/// Counts what the case says about the detection of kinds.
pub(super) fn detect(case: &Case, record: &Record, report: &mut Report) {
    let Some(found) = kind(record) else { return };
    let class = case.expected_text("class");
    let persons = match class {
        Some(class) => matches!(class, "human_reply" | "human_new"),
        // Who cuts quotes from a mail takes it for a person's.
        None => case.set == "reply" || case.set == "thread",
    };
    let machine = matches!(
        found,
        Nature::Bounce | Nature::Automatic | Nature::Receipt | Nature::Complaint
    );
    if persons && machine {
        report
            .human_suppressed
            .push(format!("{}: {found}", case.id));
    }
    let Some(class) = class else { return };
    let expected = kind_of(class);
    if expected.is_none() && class != "not_bounce" {
        return;
    }
    for kind in DETECTED {
        // Of what is no bounce nothing else is known.
        if expected.is_some() || *kind == Nature::Bounce {
            report.detected(kind.as_str(), expected == Some(*kind), found == *kind);
        }
    }
}

fn class(case: &Case, record: &Record, facts: &mut Facts) {
    let Some(class) = case.expected_text("class") else {
        return;
    };
    let nature = record.nature.as_ref();
    let found = kind(record);
    let bounce = nature.and_then(|n| n.bounce.as_ref()).map(|b| b.class);
    let met = match class {
        "bounce" => bounce == Some(BounceClass::Failed),
        "delay_notice" => bounce == Some(BounceClass::Delayed),
        "delivery_receipt" => bounce == Some(BounceClass::Delivered),
        "not_bounce" => found != Some(Nature::Bounce),
        other => kind_of(other).is_some() && kind_of(other) == found,
    };
    let evidence = nature.map(|n| n.evidence.join(", ")).unwrap_or_default();
    let is = format!("{:?} {bounce:?} ({evidence})", found.map(Nature::as_str));
    facts.push(("class", Outcome::of(met, class, is)));
    if let Some(subtype) = case.expected_text("subtype")
        && kind_of(class) == Some(Nature::Automatic)
    {
        let found = nature.and_then(|n| n.automatic.as_ref()).map(|a| a.subtype);
        let word = serde_json::to_value(found).unwrap_or_default();
        facts.push(("subtype", Outcome::of(word == *subtype, subtype, word)));
    }
}

/// Found, and never a wrong one: the label null means that there is none to be found.
fn original_id(case: &Case, record: &Record, facts: &mut Facts) {
    let unknown = case.expected.get("original_message_id_unknown");
    let Some(expected) = case.expected.get("original_message_id") else {
        return;
    };
    if unknown.and_then(Value::as_bool) == Some(true) {
        return;
    }
    let expected = expected.as_str().and_then(MsgId::parse);
    let nature = record.nature.as_ref();
    let bounce = nature.and_then(|n| n.bounce.as_ref());
    let complaint = nature.and_then(|n| n.complaint.as_ref());
    let found = bounce
        .and_then(|b| b.original_message_id.as_deref())
        .or_else(|| complaint.and_then(|c| c.original_message_id.as_deref()))
        .and_then(MsgId::parse);
    if expected.is_some() {
        let met = expected == found;
        facts.push((
            "original id, of those known: found",
            Outcome::of(met, &expected, &found),
        ));
    }
    // Nothing found is no wrong one.
    let met = found.is_none() || expected == found;
    facts.push(("original id: none wrong", Outcome::of(met, expected, found)));
}

fn addresses(case: &Case, name: &str) -> BTreeSet<String> {
    let list = case.expected.get(name).and_then(Value::as_array);
    let words = list.into_iter().flatten().filter_map(Value::as_str);
    words
        .map(|w| w.trim_matches(['<', '>']).to_lowercase())
        .filter(|w| w.contains('@'))
        .collect()
}

fn bounce(case: &Case, record: &Record, facts: &mut Facts) {
    let nature = record.nature.as_ref();
    let found = nature.and_then(|n| n.bounce.as_ref());
    let recipients: BTreeSet<String> = found
        .map(|b| b.recipients.iter().map(|r| r.to_lowercase()).collect())
        .unwrap_or_default();
    let stated = addresses(case, "bounced_addresses");
    let fields: BTreeSet<String> = ["final_recipients", "original_recipients"]
        .iter()
        .flat_map(|name| addresses(case, name))
        .collect();
    if !stated.is_empty() || !fields.is_empty() {
        let allowed: BTreeSet<_> = stated.union(&fields).collect();
        let wanted = if stated.is_empty() { &fields } else { &stated };
        let strangers = recipients.iter().any(|r| !allowed.contains(r));
        // Final and original recipient name the same person in two ways: one of them is enough.
        let found_all = if stated.is_empty() {
            !recipients.is_disjoint(wanted)
        } else {
            wanted.iter().all(|w| recipients.contains(w)) || !recipients.is_disjoint(&fields)
        };
        let met = found_all && !strangers;
        facts.push(("failed address", Outcome::of(met, wanted, &recipients)));
    }
    let evidence = nature.map(|n| n.evidence.join(", ")).unwrap_or_default();
    if let Some(dead) = case.expected.get("address_dead").and_then(Value::as_bool) {
        let is = found.and_then(|b| b.address_dead);
        let status = found.and_then(|b| b.status.clone());
        let failures = case.expected.get("failures");
        let shown = (is, status, failures);
        facts.push(("address dead", Outcome::of(is == Some(dead), dead, shown)));
    }
    let status = found.and_then(|b| b.status.as_deref());
    if let Some(permanence) = case.expected_text("permanence") {
        let is = match status.and_then(|s| s.chars().next()) {
            Some('4') => Some("transient"),
            Some('5') => Some("permanent"),
            _ => None,
        };
        // A report on several recipients may be both.
        let met = is == Some(permanence) || permanence == "mixed" && is.is_some();
        facts.push(("permanence", Outcome::of(met, permanence, (is, &evidence))));
    }
    let failures = case.expected.get("failures").and_then(Value::as_array);
    let codes: Vec<&str> = failures
        .into_iter()
        .flatten()
        .filter_map(|f| f.get("status")?.as_str())
        .filter(|s| !s.is_empty())
        .collect();
    if !codes.is_empty() {
        let met = status.is_some_and(|s| codes.contains(&s));
        facts.push(("status code (soft)", Outcome::of(met, codes, status)));
    }
}

fn visible(case: &Case, record: &Record, facts: &mut Facts) {
    let Some(expected) = case.expected_text("visible_text") else {
        return;
    };
    let new = record.visible_text.as_deref().unwrap_or_default();
    let signature = record.signature.as_deref().unwrap_or_default();
    let found = match case.expected_text("signature") {
        Some("kept") => format!("{new}\n{signature}"),
        _ => new.to_owned(),
    };
    let (name, met) = match case.form.as_str() {
        "body-html" => {
            // The label is HTML or text, and its white space is gone. What stands for rulers and
            // quotes of a page is no text.
            let plain = |text: &str| {
                let lines = text.lines().map(|l| l.trim_start_matches(['>', ' ']));
                lines
                    .filter(|l| !l.chars().all(|c| c == '-'))
                    .map(no_blanks)
                    .collect::<String>()
            };
            let met = plain(&mime::text_of_html(expected)) == plain(&found)
                || no_blanks(expected) == no_blanks(&found);
            ("visible text (body-html)", met)
        }
        form => {
            let met = words(expected) == words(&found);
            let name = if form == "message" {
                "visible text (message)"
            } else {
                "visible text (body-text)"
            };
            (name, met)
        }
    };
    facts.push((name, Outcome::of(met, expected, found)));
}

fn mime_facts(case: &Case, record: &Record, facts: &mut Facts) {
    let e = &case.expected;
    let ids = |list: &[String]| {
        list.iter()
            .filter_map(|i| MsgId::parse(i))
            .collect::<Vec<_>>()
    };
    let listed = |v: &Value| -> Vec<MsgId> {
        let list = v.as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter()
            .filter_map(|i| MsgId::parse(i.as_str()?))
            .collect()
    };
    if let Some(v) = e.get("message_id") {
        let expected = v.as_str().and_then(MsgId::parse);
        let found = record.message_id.as_deref().and_then(MsgId::parse);
        facts.push((
            "hard: message_id",
            Outcome::of(expected == found, expected, found),
        ));
    }
    for (name, fact, found) in [
        ("in_reply_to", "hard: in_reply_to", &record.in_reply_to),
        ("references", "hard: references", &record.references),
    ] {
        if let Some(v) = e.get(name) {
            let (expected, found) = (listed(v), ids(found));
            facts.push((fact, Outcome::of(expected == found, expected, found)));
        }
    }
    if let Some(v) = e.get("from") {
        let expected = v.as_str().filter(|a| !a.is_empty()).map(str::to_lowercase);
        let found = record.from.as_deref().map(str::to_lowercase);
        facts.push((
            "hard: from",
            Outcome::of(expected == found, expected, found),
        ));
    }
    if let Some(v) = e.get("subject") {
        let expected = no_blanks(v.as_str().unwrap_or_default());
        let found = no_blanks(record.subject.as_deref().unwrap_or_default());
        facts.push((
            "hard: subject",
            Outcome::of(expected == found, expected, found),
        ));
    }
    let text = no_blanks(record.text.as_deref().unwrap_or_default());
    if let Some(expected) = e.get("text_start_nospace").and_then(Value::as_str) {
        let expected = no_blanks(expected);
        let met = text.starts_with(&expected) && expected.is_empty() == text.is_empty();
        let found: String = text.chars().take(100).collect();
        facts.push((
            "soft: text_start_nospace",
            Outcome::of(met, expected, found),
        ));
    }
    if let Some(expected) = e.get("has_body").and_then(Value::as_bool) {
        let found: String = text.chars().take(100).collect();
        let met = expected != text.is_empty();
        facts.push(("soft: has_body", Outcome::of(met, expected, found)));
    }
}

/// Whether the mail's own header names its parent; where the label says that only the subject
/// does, whether the subjects are equal without their prefixes.
fn thread(case: &Case, record: &Record, parent: Option<&Record>, facts: &mut Facts) {
    let expected = case
        .expected_text("parent_message_id")
        .and_then(MsgId::parse);
    let by = case.expected_text("by").unwrap_or_default();
    if by.contains("subject") {
        let subject = |r: &Record| base_subject(r.subject.as_deref().unwrap_or_default());
        let met = parent.is_some_and(|p| subject(p) == subject(record));
        facts.push((
            "parent, by subject",
            Outcome::of(met, expected, &record.subject),
        ));
        return;
    }
    let found: Vec<MsgId> = record
        .in_reply_to
        .iter()
        .chain(&record.references)
        .filter_map(|i| MsgId::parse(i))
        .collect();
    let met = expected.as_ref().is_some_and(|id| found.contains(id));
    facts.push(("parent, by header", Outcome::of(met, expected, found)));
}

/// The subject without `Re:`, `AW:`, `[list]` and their like.
fn base_subject(subject: &str) -> String {
    let mut rest = subject.trim();
    loop {
        let before = rest;
        if let Some((head, tail)) = rest.split_once([':', '：'])
            && head.chars().count() <= 4
        {
            rest = tail.trim_start();
        }
        if let Some(tail) = rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
            rest = tail.1.trim_start();
        }
        if rest == before {
            return words(&rest.to_lowercase());
        }
    }
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn no_blanks(text: &str) -> String {
    text.split_whitespace().collect()
}
