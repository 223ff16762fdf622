//! `replyd classify`: intent and gate of texts in a file, one JSON object a row.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use super::{complain, say};
use crate::assistant::{Assistant, Said};
use crate::cli::{ClassifyArgs, Exit};
use crate::config::Settings;
use crate::evaluate::texts;
use crate::model::{GoalType, Intent};
use crate::reply::classify::{Classifier, Verdict};
use crate::reply::gate::{self, Gate};
use crate::reply::linear::Weights;
use crate::reply::second::{self, Facts};
use crate::reply::templates::Templates;
use crate::tls::TlsRoots;

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

/// What the endpoint says of a row.
#[derive(Serialize)]
#[serde(untagged)]
enum Heard {
    Said {
        intent: Intent,
        confidence: f64,
        goal_type: Option<GoalType>,
        model: String,
    },
    Failed {
        error: String,
    },
    NotAsked {
        not_asked: &'static str,
    },
}

/// A row with the endpoint's opinion.
#[derive(Serialize)]
struct Both<'a> {
    #[serde(flatten)]
    line: Line<'a>,
    own: Intent,
    endpoint: Heard,
    disagreement: &'a Option<String>,
}

pub(super) fn run(args: &ClassifyArgs) -> anyhow::Result<Exit> {
    let classifier = classifier(args.weights.as_deref())?;
    let embedded = Templates::load(None)?;
    let file = texts::read(&args.path)?;
    let mut out = String::new();
    for row in &file.rows {
        let verdict = classifier.classify(&row.input())?;
        let line = line(row.row, &verdict, &embedded);
        out.push_str(&serde_json::to_string(&line).context("Write a row as JSON")?);
        out.push('\n');
    }
    say(&out)?;
    told(args, &file)
}

/// As [`run`], asking the endpoint of the settings about each row. Lines come as they are known.
pub(super) async fn with_endpoint(args: &ClassifyArgs, settings: Settings) -> anyhow::Result<Exit> {
    let Some(model) = settings.model else {
        complain("replyd: no model endpoint is set: write base_url and model under [model]");
        return Ok(Exit::Usage);
    };
    let assistant = Assistant::new(model, TlsRoots::default());
    let classifier = classifier(args.weights.as_deref())?;
    let embedded = Templates::load(None)?;
    let file = texts::read(&args.path)?;
    for row in &file.rows {
        let input = row.input();
        let own = classifier.classify(&input)?;
        let question = second::question(input.new_text, input.subject, input.last_outbound);
        let facts = Facts {
            has_text: !input.new_text.trim().is_empty(),
            ..Facts::fresh()
        };
        let (verdict, endpoint) = match second::spared(&own, &facts) {
            Some(not_asked) => (own.clone(), Heard::NotAsked { not_asked }),
            None => match assistant.opinion(&question).await {
                Ok(Said { what, model }) => (
                    second::combined(&own, &what),
                    Heard::Said {
                        intent: what.intent,
                        confidence: rounded(what.confidence),
                        goal_type: what.goal_type,
                        model,
                    },
                ),
                Err(error) => (
                    own.clone(),
                    Heard::Failed {
                        error: error.to_string(),
                    },
                ),
            },
        };
        let both = Both {
            line: line(row.row, &verdict, &embedded),
            own: own.intent,
            endpoint,
            disagreement: &verdict.disagreement,
        };
        let text = serde_json::to_string(&both).context("Write a row as JSON")?;
        say(&format!("{text}\n"))?;
    }
    told(args, &file)
}

fn line<'a>(row: usize, verdict: &'a Verdict, embedded: &Templates) -> Line<'a> {
    Line {
        row,
        intent: verdict.intent,
        confidence: rounded(verdict.confidence),
        runner_up: verdict.runner_up.map(|(intent, confidence)| Other {
            intent,
            confidence: rounded(confidence),
        }),
        goal_type: verdict.goal_type,
        gate: gate::gate_of_fresh(verdict, embedded),
        evidence: &verdict.evidence,
        person_words: &verdict.person_words,
        model: &verdict.model_version,
    }
}

/// Names the rows that could not be read.
fn told(args: &ClassifyArgs, file: &texts::TextFile) -> anyhow::Result<Exit> {
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
