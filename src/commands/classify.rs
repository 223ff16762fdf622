//! `replyd classify`: intent and gate of texts in a file, one JSON object a row.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use super::{complain, say};
use crate::cli::{ClassifyArgs, Exit};
use crate::evaluate::texts;
use crate::model::{GoalType, Intent};
use crate::reply::classify::Classifier;
use crate::reply::gate::{self, Gate};
use crate::reply::linear::Weights;
use crate::reply::templates::Templates;

/// One line of the output.
#[derive(Serialize)]
struct Line<'a> {
    row: usize,
    intent: Intent,
    confidence: f64,
    runner_up: Option<Other>,
    goal_type: Option<GoalType>,
    gate: Gate,
    evidence: &'a [String],
    person_words: &'a [String],
    model: &'a str,
}

/// The strongest other class.
#[derive(Serialize)]
struct Other {
    intent: Intent,
    confidence: f64,
}

pub(super) fn run(args: &ClassifyArgs) -> anyhow::Result<Exit> {
    let classifier = classifier(args.weights.as_deref())?;
    let embedded = Templates::load(None)?;
    let file = texts::read(&args.path)?;
    let mut out = String::new();
    for row in &file.rows {
        let verdict = classifier.classify(&row.input())?;
        let line = Line {
            row: row.row,
            intent: verdict.intent,
            confidence: rounded(verdict.confidence),
            runner_up: verdict.runner_up.map(|(intent, confidence)| Other {
                intent,
                confidence: rounded(confidence),
            }),
            goal_type: verdict.goal_type,
            gate: gate::gate_of_fresh(&verdict, &embedded),
            evidence: &verdict.evidence,
            person_words: &verdict.person_words,
            model: &verdict.model_version,
        };
        out.push_str(&serde_json::to_string(&line).context("Write a row as JSON")?);
        out.push('\n');
    }
    say(&out)?;
    for (line, what) in &file.bad {
        complain(&format!(
            "replyd: {}, line {line}: {what}",
            args.path.display()
        ));
    }
    Ok(if file.bad.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// The classifier, with weights from a file if one is named.
pub(super) fn classifier(weights: Option<&Path>) -> anyhow::Result<Classifier> {
    let Some(path) = weights else {
        return Ok(Classifier::default());
    };
    let bytes = fs::read(path).with_context(|| format!("Read {}", path.display()))?;
    let weights = Weights::from_bytes(&bytes).with_context(|| format!("Use {}", path.display()))?;
    Ok(Classifier::with_weights(weights))
}

/// Four digits say enough.
fn rounded(x: f64) -> f64 {
    (x * 10_000.0).round() / 10_000.0
}
