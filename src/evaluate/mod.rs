//! How well replyd understands labelled mail: reads a folder of cases (docs/PARSE.md), compares
//! what `replyd parse` prints of each with its label, and counts. Reads files, nothing else.

mod case;
pub mod folds;
mod intents;
mod judge;
mod tally;
pub mod texts;

use std::path::Path;

use anyhow::Context;

pub use case::Case;
pub use intents::{IntentReport, Judged, intents};
pub use tally::{Detection, Fact, Report, SetReport};

use crate::keys::Keys;
use crate::nature::Ours;
use crate::understand::{self, BodyKind, FAILED, Record};

/// Judges every case of the folder.
///
/// # Errors
/// When the folder has no readable `cases.jsonl`. A case whose file cannot be read counts as
/// wrong.
pub fn folder(path: &Path) -> anyhow::Result<Report> {
    let cases = case::load(path)?;
    let keys = Keys::unsaved().context("Make keys")?;
    let mut report = Report::default();
    for case in &cases {
        report.cases += 1;
        let bytes = match case.read(path) {
            Ok(bytes) => bytes,
            Err(e) => {
                report.unreadable.push(format!("{}: {e:#}", case.id));
                continue;
            }
        };
        let record = record(case, &bytes, &keys);
        if record
            .malformed
            .iter()
            .any(|m| m == FAILED || m.ends_with("_panicked"))
        {
            report.panicked.push(case.id.clone());
        }
        if !record.malformed.iter().any(|m| m == FAILED) {
            report.rows += 1;
        }
        let parent = case
            .expected_text("parent_file")
            .and_then(|file| case.read_beside(path, file).ok())
            .map(|bytes| message("", &bytes, &keys));
        judge::detect(case, &record, &mut report);
        for (fact, outcome) in judge::facts(case, &record, parent.as_ref()) {
            report.add(&case.set, fact, &case.id, outcome);
        }
    }
    report.finish();
    Ok(report)
}

fn record(case: &Case, bytes: &[u8], keys: &Keys) -> Record {
    let body = |kind| Record::of_body(&case.file, kind, &understand::body_in_utf8(bytes));
    match case.form.as_str() {
        "body-text" => body(BodyKind::Text),
        "body-html" => body(BodyKind::Html),
        _ => message(&case.file, bytes, keys),
    }
}

fn message(file: &str, bytes: &[u8], keys: &Keys) -> Record {
    let understood = understand::message(bytes, &Ours::default(), keys);
    Record::of_message(file, bytes, &understood)
}
