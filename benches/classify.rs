//! The classifier of replies: time to be ready, time a text at the first look and after, and
//! memory. `cargo bench --bench classify [-- FILE.tsv...]`; without files those of
//! tests/data/intents and data/intents. Prints a table; docs/BENCHMARKS.md has figures.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program that prints its figures, and ends with a sentence when it cannot go on"
)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use replyd::evaluate::texts::{self, TextRow};
use replyd::reply::classify::Classifier;

fn main() {
    let mut files: Vec<PathBuf> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .map(PathBuf::from)
        .collect();
    if files.is_empty() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in [
            "replies_a",
            "replies_b",
            "ordinary_a",
            "ordinary_b",
            "never_a",
            "never_b",
        ] {
            files.push(root.join(format!("tests/data/intents/{name}.tsv")));
        }
    }
    let mut rows: Vec<TextRow> = Vec::new();
    for file in &files {
        rows.extend(texts::read(file).expect("read the texts").rows);
    }
    let before = resident_kib();
    let classifier = Classifier::default();
    let began = Instant::now();
    look(&classifier, rows.first().expect("a text"));
    let ready = began.elapsed();
    println!("| {} texts | median | p95 | slowest |", rows.len());
    println!("| --- | --- | --- | --- |");
    for pass in ["first look", "second look", "third look"] {
        let mut took: Vec<Duration> = rows.iter().map(|row| look(&classifier, row)).collect();
        took.sort();
        let at = |percent: usize| took.get(took.len().saturating_sub(1) * percent / 100);
        let ms = |d: Option<&Duration>| d.map_or(0.0, |d| d.as_secs_f64() * 1e3);
        println!(
            "| {pass} | {:.3} ms | {:.3} ms | {:.2} ms |",
            ms(at(50)),
            ms(at(95)),
            ms(took.last())
        );
    }
    println!("\nready after {:.0} ms", ready.as_secs_f64() * 1e3);
    if let (Some(before), Some(after)) = (before, resident_kib()) {
        println!(
            "memory: {} MiB more than before",
            after.saturating_sub(before) / 1024
        );
    }
}

fn look(classifier: &Classifier, row: &TextRow) -> Duration {
    let began = Instant::now();
    classifier
        .classify(&row.input())
        .expect("what is embedded fits");
    began.elapsed()
}

/// Resident memory of this process, where the system tells.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
