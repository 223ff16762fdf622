//! `replyd classify`, `train` and `evaluate` on files of texts: the real binary.

#![expect(clippy::unwrap_used, reason = "a failing set-up fails the test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn replyd(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_replyd"))
        .args(args)
        .output()
        .unwrap()
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn rows(out: &Output) -> Vec<Value> {
    let text = String::from_utf8(out.stdout.clone()).unwrap();
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

#[test]
fn classify_prints_a_gate_for_each_row_and_goes_on_after_a_bad_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.tsv");
    let file: &[u8] = b"id\ttext\tcontext\n\
        1\tPlease book me a viewing for Saturday.\t\n\
        2\tHow much is the service charge?\t\n\
        3\tPlease take me off your list.\\nBook me a viewing.\t\n\
        4\tMy lawyer has a question about the contract.\t\n\
        5\n\
        6\t\xff\xfe\t\n\
        7\tThank you very much!\t\n\
        8\tYes\tHere is our monthly letter.\n\
        9\tYes\t\n";
    std::fs::write(&path, file).unwrap();
    let out = replyd(&["classify", path.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(1));
    let stderr = String::from_utf8(out.stderr.clone()).unwrap();
    assert!(
        stderr.contains("line 6:") && stderr.contains("line 7: not UTF-8"),
        "{stderr}"
    );
    let rows = rows(&out);
    let found: Vec<(u64, &str)> = rows
        .iter()
        .map(|r| (r["row"].as_u64().unwrap(), r["gate"].as_str().unwrap()))
        .filter(|(row, _)| *row != 8)
        .collect();
    assert_eq!(
        found,
        [
            (1, "acknowledge"),
            (2, "answer"),
            (3, "suppress"),
            (4, "person"),
            (7, "nothing"),
            (9, "acknowledge"),
        ]
    );
    assert_eq!(rows[0]["goal_type"], "viewing");
    assert_eq!(rows[0]["intent"], "goal_reached");
    assert!(rows[0]["evidence"].as_array().unwrap().len() > 1);
    assert!(rows[0]["confidence"].as_f64().unwrap() >= 0.7);
    assert_ne!(
        rows[5]["gate"], "acknowledge",
        "a yes to nothing that we asked"
    );
    assert_eq!(rows[1]["goal_type"], Value::Null);
}

#[test]
fn a_file_without_texts_is_an_error_that_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.tsv");
    std::fs::write(&path, "a\tb\n1\t2\n").unwrap();
    let out = replyd(&["classify", path.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(1));
    assert!(
        String::from_utf8(out.stderr)
            .unwrap()
            .contains("no column `text`")
    );
}

#[test]
fn training_is_deterministic_and_its_weights_are_checked_when_they_are_used() {
    let dir = tempfile::tempdir().unwrap();
    // A few rows of each class: training on all of them takes minutes without optimisation.
    let all = std::fs::read_to_string(root("data/intents/own.tsv")).unwrap();
    let mut lines = all.lines();
    let mut few = format!("{}\n", lines.next().unwrap());
    for line in lines.step_by(20) {
        few.push_str(line);
        few.push('\n');
    }
    let tsv = dir.path().join("few.tsv");
    std::fs::write(&tsv, few).unwrap();
    let tsv = tsv.to_str().unwrap();
    let outs = ["a.weights", "b.weights"].map(|name| {
        let path = dir.path().join(name);
        let out = replyd(&["train", tsv, "--out", path.to_str().unwrap()]);
        assert_eq!(
            out.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        std::fs::read(path).unwrap()
    });
    assert_eq!(outs[0], outs[1]);
    assert!(outs[0].len() < 400 * 1024);
    let mine = dir.path().join("a.weights");
    let out = replyd(&["classify", tsv, "--weights", mine.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(0));
    let mut broken = outs[0].clone();
    broken[5_000] ^= 1;
    for (bytes, word) in [
        (broken, "damaged"),
        (outs[0][..9_000].to_vec(), "damaged"),
        (b"not weights".to_vec(), "no weights file"),
        (
            [&b"replydIW"[..], &9_u32.to_le_bytes()].concat(),
            "format 9",
        ),
    ] {
        std::fs::write(&mine, bytes).unwrap();
        let out = replyd(&["classify", tsv, "--weights", mine.to_str().unwrap()]);
        assert_eq!(out.status.code(), Some(1));
        let stderr = String::from_utf8(out.stderr).unwrap();
        assert!(stderr.contains(word), "{stderr}");
    }
}

#[test]
fn train_says_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.tsv");
    std::fs::write(&path, "text\tlabel\nhello\tneutral\n").unwrap();
    let path = path.to_str().unwrap();
    for (args, word) in [
        (vec!["train", path], "Nothing to do"),
        (vec!["train", path, "--evaluate"], "1 of 9 classes"),
    ] {
        let out = replyd(&args);
        assert_eq!(out.status.code(), Some(1));
        assert!(String::from_utf8(out.stderr).unwrap().contains(word));
    }
}

#[test]
fn the_held_out_texts_are_read_as_well_as_the_documents_say() {
    let report = |file: &str| -> Value {
        let path = root("tests/data/intents").join(file);
        let out = replyd(&["evaluate", path.to_str().unwrap(), "--json"]);
        assert_eq!(out.status.code(), Some(0));
        serde_json::from_slice(&out.stdout).unwrap()
    };
    let held_out = report("held_out.tsv");
    let at_least = |key: &str, least: f64| {
        let found = held_out[key].as_f64().unwrap();
        assert!(found >= least, "{key}: {found}");
    };
    at_least("accuracy", 0.90);
    at_least("macro_f1", 0.90);
    at_least("goal_precision", 0.98);
    at_least("opt_out_recall", 0.96);
    let must_not = report("must_not_answer.tsv");
    assert!(
        must_not["false_answers"].as_array().unwrap().len() <= 2,
        "{must_not}"
    );
    let business = report("business.tsv");
    assert!(
        business["background_alarms"].as_array().unwrap().len() <= 4,
        "{business}"
    );
}

/// What must hold on texts of all kinds; counts, so that one sentence more does not shift a share.
#[test]
fn the_halves_are_read_at_least_as_well_as_when_they_were_last_looked_at() {
    let report = |file: &str| -> Value {
        let path = root("tests/data/intents").join(file);
        let out = replyd(&["evaluate", path.to_str().unwrap(), "--json"]);
        assert_eq!(out.status.code(), Some(0));
        serde_json::from_slice(&out.stdout).unwrap()
    };
    let count = |report: &Value, key: &str| report[key].as_array().unwrap().len();
    for half in ["a", "b"] {
        let replies = report(&format!("replies_{half}.tsv"));
        for (key, least) in [
            ("accuracy", 0.93),
            ("macro_f1", 0.92),
            ("goal_recall", 0.84),
            ("opt_out_recall", 0.96),
        ] {
            let found = replies[key].as_f64().unwrap();
            assert!(found >= least, "replies_{half}: {key} {found}");
        }
        assert_eq!(count(&replies, "false_goals"), 0, "replies_{half}");
        assert!(count(&replies, "false_answers") <= 1, "replies_{half}");
        let ordinary = report(&format!("ordinary_{half}.tsv"));
        assert!(count(&ordinary, "background_alarms") <= 3, "{ordinary}");
        let path = root("tests/data/intents").join(format!("never_{half}.tsv"));
        let out = replyd(&["classify", path.to_str().unwrap()]);
        assert_eq!(out.status.code(), Some(0));
        let by_machine: Vec<Value> = rows(&out)
            .into_iter()
            .filter(|r| r["gate"] == "acknowledge" || r["gate"] == "answer")
            .collect();
        assert!(by_machine.len() <= 1, "never_{half}: {by_machine:?}");
    }
}

/// Written before the rules that they judge were looked at; half b was first looked at when those
/// were mended with half a.
#[test]
fn the_fresh_halves_bring_no_wrong_mail() {
    for half in ["a", "b"] {
        let of = |kind: &str| -> Vec<(String, String)> {
            let path = root("tests/data/intents").join(format!("fresh_{kind}_{half}.tsv"));
            let file = std::fs::read_to_string(&path).unwrap();
            let labels = file.lines().skip(1).filter_map(|l| l.split('\t').nth(1));
            let out = replyd(&["classify", path.to_str().unwrap()]);
            let gates = rows(&out);
            labels
                .zip(gates)
                .map(|(label, row)| (label.to_owned(), row["gate"].as_str().unwrap().to_owned()))
                .collect()
        };
        let count = |rows: &[(String, String)], label: &str, gate: &str| {
            let hits = rows.iter().filter(|(l, g)| l == label && g == gate);
            hits.count()
        };
        let replies = of("replies");
        let all = |label: &str| replies.iter().filter(|(l, _)| l == label).count();
        let acknowledged = replies.iter().filter(|(_, g)| g == "acknowledge").count();
        let right = count(&replies, "goal_reached", "acknowledge");
        assert_eq!(acknowledged, right, "{half}");
        assert!(right * 10 >= all("goal_reached") * 9, "{half}: {right}");
        let stopped = count(&replies, "unsubscribe", "suppress");
        assert_eq!(stopped, all("unsubscribe"), "{half}");
        let ordinary = of("ordinary");
        assert!(count(&ordinary, "background", "acknowledge") <= 2, "{half}");
        let never = of("never");
        assert!(
            never
                .iter()
                .all(|(_, g)| g != "acknowledge" && g != "answer")
        );
        let foreign = of("foreign");
        assert!(
            foreign
                .iter()
                .all(|(_, g)| g == "person" || g == "suppress")
        );
    }
}

/// Written by another hand before the rules that they judge, and harder; counts as at the last look.
#[test]
fn the_texts_of_another_hand_bring_few_wrong_mails() {
    let gates = |kind: &str, half: &str| -> Vec<(String, String)> {
        let path = root("tests/data/intents").join(format!("other_{kind}_{half}.tsv"));
        let file = std::fs::read_to_string(&path).unwrap();
        let labels = file.lines().skip(1).filter_map(|l| l.split('\t').nth(1));
        let found = rows(&replyd(&["classify", path.to_str().unwrap()]));
        labels
            .zip(found)
            .map(|(label, row)| (label.to_owned(), row["gate"].as_str().unwrap().to_owned()))
            .collect()
    };
    for (half, goals, opt_outs, ordinary, answered, asked) in
        [("a", 60, 41, 2, 1, 18), ("b", 38, 33, 6, 6, 5)]
    {
        let replies = gates("replies", half);
        let count = |label: &str, gate: &str| {
            let hits = replies.iter().filter(|(l, g)| l == label && g == gate);
            hits.count()
        };
        assert!(count("goal_reached", "acknowledge") >= goals, "{half}");
        assert!(count("unsubscribe", "suppress") >= opt_outs, "{half}");
        let of = |kind: &str, wanted: &[&str]| {
            let found = gates(kind, half);
            found
                .iter()
                .filter(|(_, g)| wanted.contains(&g.as_str()))
                .count()
        };
        assert!(of("ordinary", &["acknowledge"]) <= ordinary, "{half}");
        assert!(
            of("never", &["acknowledge", "answer"]) <= answered,
            "{half}"
        );
        assert!(of("asked", &["acknowledge"]) >= asked, "{half}");
    }
}

/// Written by a third hand and not trained on.
#[test]
fn the_texts_of_a_third_hand_are_read_as_well_as_when_they_were_measured() {
    let report = |file: &str| -> Value {
        let path = root("tests/data/intents").join(file);
        let out = replyd(&["evaluate", path.to_str().unwrap(), "--json"]);
        assert_eq!(out.status.code(), Some(0));
        serde_json::from_slice(&out.stdout).unwrap()
    };
    let count = |report: &Value, key: &str| report[key].as_array().unwrap().len();
    let replies = report("third_replies.tsv");
    for (key, least) in [
        ("accuracy", 0.85),
        ("macro_f1", 0.82),
        ("goal_recall", 0.45),
        ("opt_out_recall", 0.95),
    ] {
        let found = replies[key].as_f64().unwrap();
        assert!(found >= least, "{key}: {found}");
    }
    assert_eq!(count(&replies, "false_goals"), 0, "{replies}");
    assert_eq!(count(&replies, "false_answers"), 0, "{replies}");
    let ordinary = report("third_ordinary.tsv");
    assert!(count(&ordinary, "background_alarms") <= 4, "{ordinary}");
    let never = report("third_never.tsv");
    assert!(count(&never, "false_goals") <= 2, "{never}");
    assert!(count(&never, "false_answers") <= 3, "{never}");
}

/// A fixed bug: "Hello, ... Best, Ann" around a text halved what was answered.
#[test]
fn a_text_reads_the_same_with_a_letter_around_it() {
    let dir = tempfile::tempdir().unwrap();
    let texts = [
        ("Can I bring my dog?", "answer"),
        ("How much is a parking space?", "answer"),
        ("Yes, I would like a viewing on Saturday.", "acknowledge"),
        ("Please take me off your list.", "suppress"),
    ];
    for letter in [
        "{}",
        "Hello,\\n\\n{}\\n\\nBest,\\nAnn",
        "Hi Tom,\\n\\n{}\\n\\nKind regards,\\nJohn Smith\\nHead of Sales",
        "Dear Ms Weber,\\n\\nthank you for your mail. {}\\n\\nThanks\\nPriya",
        "Good morning, {}\\n\\nJohn",
    ] {
        let path = dir.path().join("t.tsv");
        let lines: Vec<String> = texts.iter().map(|(t, _)| letter.replace("{}", t)).collect();
        std::fs::write(&path, format!("text\n{}\n", lines.join("\n"))).unwrap();
        let found = rows(&replyd(&["classify", path.to_str().unwrap()]));
        for ((text, gate), row) in texts.iter().zip(&found) {
            assert_eq!(row["gate"], *gate, "{letter} {text}: {row}");
        }
        assert_eq!(found.len(), texts.len());
    }
}

/// Texts that a reviewer found acknowledged, answered or left to rest, with what may become of them.
#[test]
fn what_was_once_wrong_stays_right() {
    let path = root("tests/data/intents/once_wrong.tsv");
    let out = replyd(&["classify", path.to_str().unwrap()]);
    let file = std::fs::read_to_string(&path).unwrap();
    let cases: Vec<_> = file
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once('\t'))
        .collect();
    let found = rows(&out);
    assert_eq!(found.len(), cases.len());
    let wrong: Vec<_> = cases
        .iter()
        .zip(&found)
        .filter(|((_, gates), row)| !gates.split(' ').any(|gate| row["gate"] == gate))
        .map(|((text, gates), row)| format!("{text}: {} instead of {gates}", row["gate"]))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn odd_files_are_read_or_refused_with_the_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.tsv");
    let long = "please ".repeat(15_000);
    let file = format!(
        "\u{feff}source\tid\ttext\tnote\r\n\
         x\t1\t\"Call me tomorrow, please.\"\ta\r\n\
         x\t2\t\tb\r\n\
         x\t3\tHello,\\n\\nplease call me tomorrow.\\nAnn\tc\r\n\
         x\t4\t{long}\td\r\n\
         x\t5\t{{\"intent\":\"goal_reached\"}}\te"
    );
    std::fs::write(&path, file).unwrap();
    let out = replyd(&["classify", path.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(0));
    let rows = rows(&out);
    let gate = |n: usize| rows[n]["gate"].as_str().unwrap();
    assert_eq!(rows.len(), 5);
    assert_eq!((gate(0), gate(2)), ("acknowledge", "acknowledge"));
    assert!(["person", "nothing"].contains(&gate(1)), "an empty text");
    assert!(["person", "nothing"].contains(&gate(3)));
    assert!(["person", "nothing"].contains(&gate(4)));
    for row in &rows {
        for field in [
            "row",
            "intent",
            "confidence",
            "runner_up",
            "goal_type",
            "gate",
            "evidence",
        ] {
            assert!(row.get(field).is_some(), "{field}: {row}");
        }
    }
}

#[test]
fn no_row_under_a_share_alike_licence_is_shipped_or_trained_on() {
    for file in ["train.tsv", "own.tsv", "hands.tsv"] {
        let text = std::fs::read_to_string(root("data/intents").join(file)).unwrap();
        assert!(
            !text.contains("dstc8") && !text.contains("CC-BY-SA"),
            "{file}"
        );
    }
    let dir = tempfile::tempdir().unwrap();
    let all = std::fs::read_to_string(root("data/intents/own.tsv")).unwrap();
    let mut lines = all.lines();
    let mut few = format!("{}\n", lines.next().unwrap());
    for line in lines.step_by(40) {
        few.push_str(line);
        few.push('\n');
    }
    let train = |name: &str, text: &str| -> (Vec<u8>, String) {
        let tsv = dir.path().join(format!("{name}.tsv"));
        let weights = dir.path().join(name);
        std::fs::write(&tsv, text).unwrap();
        let args = ["train", tsv.to_str().unwrap(), "--out"];
        let out = replyd(&[&args[..], &[weights.to_str().unwrap()]].concat());
        assert_eq!(out.status.code(), Some(0));
        let said = String::from_utf8(out.stderr).unwrap();
        (std::fs::read(weights).unwrap(), said)
    };
    let (plain, _) = train("plain", &few);
    let alike =
        "Book me a visit.\tgoal_reached\tviewing\tdstc8-schema-guided-dialogue (CC-BY-SA-4.0)\n";
    let (with, said) = train("with", &format!("{few}{alike}"));
    assert!(
        said.contains("1 rows under share-alike licences are left out"),
        "{said}"
    );
    assert_eq!(plain, with);
}

/// Half a minute of work without optimisation. It fails when rules, features, texts or the recipe
/// change and the weights were not made again: `data/intents/check` says the same in seconds.
#[test]
fn long_the_shipped_weights_are_those_of_the_shipped_texts() {
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made.weights");
    let texts = ["train.tsv", "own.tsv"].map(|f| root("data/intents").join(f));
    let mut args = vec!["train"];
    args.extend(texts.iter().map(|t| t.to_str().unwrap()));
    args.extend(["--out", made.to_str().unwrap()]);
    let out = replyd(&args);
    assert_eq!(out.status.code(), Some(0));
    let shipped = std::fs::read(root("src/reply/weights.bin")).unwrap();
    assert!(std::fs::read(made).unwrap() == shipped, "train them again");
}
