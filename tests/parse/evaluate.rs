//! What `replyd evaluate` counts.

use serde_json::Value;

use crate::{folder, path, replyd, root};

const CASES: &str = r#"{"id":"reply/x/001","set":"reply","form":"body-text","file":"a.txt","expected":{"visible_text":"No.","signature":"stripped"}}
{"id":"reply/x/002","set":"reply","form":"body-text","file":"a.txt","expected":{"visible_text":"Yes.","signature":"stripped"}}
{"id":"reply/x/003","set":"reply","form":"body-text","file":"b.txt","expected":{"visible_text":"No. -- Ann","signature":"kept"}}
{"id":"human/x/001","set":"human","form":"message","file":"m.eml","expected":{"class":"human_reply"}}
{"id":"auto/x/001","set":"auto","form":"message","file":"m.eml","expected":{"class":"auto_reply"}}
{"id":"mime/x/001","set":"mime","form":"message","file":"m.eml","expected":{"message_id":"1@X.example","subject":"Hi","from":"b@x.example","has_body":true}}
{"id":"mime/x/002","set":"mime","form":"message","file":"../m.eml","expected":{}}
"#;

#[test]
fn right_and_wrong_are_counted_and_the_wrong_ones_named() {
    let dir = folder(&[
        ("cases.jsonl", CASES.as_bytes()),
        (
            "a.txt",
            b"No.\n\nOn Tue, 3 May 2024 at 9:00, S <s@me.example> wrote:\n> Come.",
        ),
        ("b.txt", b"No.\n\n-- \nAnn"),
        (
            "m.eml",
            b"From: a@x.example\nMessage-ID: <1@x.example>\nSubject: Hi\n\nYes.",
        ),
    ]);
    let folder = dir.path().display().to_string();
    let out = replyd(&["evaluate", &folder, "--json"], b"");
    // A case outside of the folder is not read, so it gives no row.
    assert_eq!(out.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&report["cases"], &report["rows"]), (&7.into(), &6.into()));
    assert!(
        report["unreadable"][0]
            .as_str()
            .unwrap()
            .starts_with("mime/x/002: ")
    );
    assert_eq!(report["panicked"].as_array().unwrap().len(), 0);
    let fact = |set: &str, name: &str| {
        let fact = &report["sets"][set]["facts"][name];
        let wrong: Vec<&str> = fact["wrong_cases"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        (fact["right"].as_u64().unwrap(), wrong)
    };
    assert_eq!(
        fact("reply", "visible text (body-text)"),
        (2, vec!["reply/x/002"])
    );
    assert_eq!(fact("human", "class"), (1, vec![]));
    assert_eq!(fact("auto", "class"), (0, vec!["auto/x/001"]));
    assert_eq!(fact("mime", "hard: message_id"), (1, vec![]));
    assert_eq!(fact("mime", "hard: from"), (0, vec!["mime/x/001"]));
    assert_eq!(report["kinds"]["automatic"]["missed"], 1);
    assert_eq!(report["kinds"]["human"]["false_alarms"], 1);
    let out = replyd(&["evaluate", &folder], b"");
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("7 cases, 6 rows, 0 panics"), "{text}");
    assert!(
        text.contains("reply/x/002: expected \"Yes.\", found \"No.\""),
        "{text}"
    );
}

#[test]
fn the_cases_of_the_tests_give_a_row_each() {
    let data = root().join("tests/data").display().to_string();
    let out = replyd(&["evaluate", &data, "--json"], b"");
    assert_eq!(out.status.code(), Some(0));
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(report["cases"], report["rows"]);
    assert_eq!(report["human_suppressed"].as_array().unwrap().len(), 0);
}

#[test]
fn a_file_of_intents_gives_accuracy_and_a_table() {
    let dir = folder(&[(
        "i.tsv",
        b"text\tlabel\tgoal_type\tsource\n\
          I would like to come and see the flat on Tuesday.\tgoal_reached\tviewing\tx\n\
          Please take me off your list and never write again.\tunsubscribe\t\tx\n\
          Book me a viewing.\\nThanks.\tneutral\t\tx\n",
    )]);
    let out = replyd(&["evaluate", &path(&dir, "i.tsv"), "--json"], b"");
    assert_eq!(out.status.code(), Some(0));
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(report["texts"], 3);
    assert_eq!(report["confusion"]["goal_reached"]["goal_reached"], 1);
    assert_eq!(report["confusion"]["neutral"]["goal_reached"], 1);
    assert_eq!(report["false_goals"], serde_json::json!([3]));
    assert!((report["goal_precision"].as_f64().unwrap() - 0.5).abs() < 1e-9);
    assert!((report["accuracy"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-9);
    assert!((report["opt_out_recall"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    let text = replyd(&["evaluate", &path(&dir, "i.tsv")], b"").stdout;
    assert!(String::from_utf8(text).unwrap().contains("macro-F1"));
}

#[test]
fn what_is_no_corpus_is_an_error_not_a_panic() {
    let dir = folder(&[
        ("bad.tsv", b"text\tlabel\nhello\tnonsense\n"),
        ("cases.jsonl", b"{\"id\": 1}\n"),
    ]);
    let nowhere = path(&dir, "nowhere");
    let here = dir.path().display().to_string();
    for (arg, word) in [
        (nowhere, "cases.jsonl"),
        (here, "line 1"),
        (path(&dir, "bad.tsv"), "nonsense"),
    ] {
        let out = replyd(&["evaluate", &arg], b"");
        assert_eq!(out.status.code(), Some(1), "{arg}");
        let stderr = String::from_utf8(out.stderr).unwrap();
        assert!(
            stderr.contains(word) && !stderr.contains("panicked"),
            "{stderr}"
        );
    }
}
