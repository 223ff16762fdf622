//! Retrieval and the gate of automatic answers on the question sets of tests/data/answers:
//! `cargo bench --bench answers`. `-- --wrong` also prints what went wrong, `-- --all` every case;
//! `-- --folder DIR --questions FILE.tsv` judges another set.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program that prints its figures, and ends with a sentence when it cannot go on"
)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use replyd::answers::evaluate::{self, Outcome};
use replyd::time;

const SETS: &[&str] = &[
    "harbour",
    "lindenhof",
    "marina",
    "solar",
    "kiln",
    "ledger",
    "rambler",
    "mill",
    "clinic",
    "small-de",
    "small-fr",
    "small-es",
    "small-pt",
    "small-it",
    "small-nl",
];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let has = |name: &str| args.iter().any(|a| a == name);
    let value = |name: &str| {
        let at = args.iter().position(|a| a == name)?;
        args.get(at + 1).cloned()
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/answers");
    let sets: Vec<(String, PathBuf, PathBuf)> = match (value("--folder"), value("--questions")) {
        (Some(folder), Some(file)) => vec![("given".into(), folder.into(), file.into())],
        _ => SETS
            .iter()
            .filter(|name| value("--set").is_none_or(|only| only == **name))
            .map(|name| {
                let set = root.join(name);
                (
                    (*name).to_owned(),
                    set.join("documents"),
                    set.join("questions.tsv"),
                )
            })
            .collect(),
    };
    println!(
        "| set | answerable | not | hit@1 | hit@3 | right | wrong | precision of sent | coverage | ms a mail |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for (name, folder, file) in sets {
        let tsv = std::fs::read_to_string(&file).expect("read the question set");
        let cases = evaluate::parse(&tsv).expect("parse the question set");
        let began = Instant::now();
        let outcomes = evaluate::run(&folder, &cases, time::now()).expect("answer the questions");
        let took = began.elapsed().as_secs_f64() * 1e3 / cases.len().max(1) as f64;
        let f = evaluate::figures(&outcomes);
        println!(
            "| {name} | {} | {} | {:.2} | {:.2} | {} | {} | {:.2} | {:.2} | {took:.2} |",
            f.answerable,
            f.unanswerable,
            f.hit_1,
            f.hit_3,
            f.right,
            f.wrong,
            f.precision,
            f.coverage
        );
        for o in &outcomes {
            let bad = o.sent && !(o.right && o.answerable);
            let missed = o.answerable && (!o.third || !o.sent);
            if has("--all") || (has("--wrong") && bad) || (has("--missed") && missed) {
                print(o);
            }
        }
    }
    time_many(&root, &["harbour", "marina", "solar", "kiln", "ledger"]);
}

/// A question over a campaign with 2,000 passages of made-up text: the prose of all sets, each
/// passage several times under another name.
fn time_many(root: &Path, sets: &[&str]) {
    let folder = tempfile::tempdir().expect("make a folder");
    let mut passages: Vec<String> = Vec::new();
    let mut mails = Vec::new();
    for set in sets {
        for entry in std::fs::read_dir(root.join(set).join("documents")).expect("list documents") {
            let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("read");
            passages.extend(text.split("\n## ").skip(1).map(str::to_owned));
        }
        let tsv = std::fs::read_to_string(root.join(set).join("questions.tsv")).expect("read");
        let cases = evaluate::parse(&tsv).expect("parse");
        mails.extend(cases.into_iter().map(|c| c.mail));
    }
    for file in 0..4 {
        let mut text = String::new();
        for n in 0..500_usize {
            let passage = &passages[(file * 500 + n) % passages.len()];
            text.push_str(&format!("## House {} {passage}\n\n", file * 500 + n));
        }
        std::fs::write(folder.path().join(format!("part{file}.en.md")), text).expect("write");
    }
    let (indexed, first, mut later) =
        evaluate::time_it(folder.path(), &mails, time::now()).expect("answer");
    later.sort_unstable();
    let ms = |d: std::time::Duration| d.as_secs_f64() * 1e3;
    let at = |share: usize| later.get(later.len() * share / 100).map_or(0.0, |d| ms(*d));
    println!(
        "2,000 passages: read and indexed in {:.0} ms, first question {:.0} ms, then median {:.2} ms, p95 {:.2} ms",
        ms(indexed),
        ms(first),
        at(50),
        at(95)
    );
}

fn print(o: &Outcome) {
    println!(
        "{} {} | {:?}\n    -> {:?}\n    {:?}\n    {:?}",
        o.id,
        match (o.sent, o.right && o.answerable) {
            (true, true) => "right",
            (true, false) => "WRONG",
            (false, _) => "draft",
        },
        o.mail,
        o.text,
        o.against,
        o.nearest
    );
}
