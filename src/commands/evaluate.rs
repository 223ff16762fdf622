//! `replyd evaluate`: how well replyd does on labelled mail, or on labelled texts.

use serde::Serialize;

use super::{classify, say};
use crate::cli::{EvaluateArgs, Exit};
use crate::evaluate;

pub(super) fn run(args: &EvaluateArgs) -> anyhow::Result<Exit> {
    let is_texts = args.path.extension().is_some_and(|e| e == "tsv");
    if is_texts {
        show(
            &evaluate::intents(&args.path, &classify::classifier(args.weights.as_deref())?)?,
            args.json,
        )?;
        return Ok(Exit::Done);
    }
    let report = evaluate::folder(&args.path)?;
    show(&report, args.json)?;
    // Every case must give a row.
    Ok(if report.rows == report.cases {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn show<R: Serialize + std::fmt::Display>(report: &R, json: bool) -> anyhow::Result<()> {
    if json {
        say(&format!("{}\n", serde_json::to_string_pretty(report)?))
    } else {
        say(&report.to_string())
    }
}
