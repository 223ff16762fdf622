//! How well the classifier of replies does on a file of texts with their intent: tab-separated
//! `text`, `label`, `goal_type`, `source`, with a header line and `\n` for a line break.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use serde::Serialize;

use super::tally::share;
use crate::model::{Intent, Nature};
use crate::reply::classify::{self, ReplyInput};

/// The confidence from which on a goal is acted upon, as `reply.goal_threshold` has it.
const GATE: f64 = 0.7;
/// A text that is no reply: it must never reach the goal; its label counts as neutral.
const BACKGROUND: &str = "background";

/// What was counted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct IntentReport {
    /// Texts.
    pub texts: usize,
    /// Share of the texts with the right label.
    pub accuracy: f64,
    /// Mean over the labels of the harmonic mean of precision and recall.
    pub macro_f1: f64,
    /// Of the texts taken for a goal at the gate, the share that is one.
    pub goal_precision: f64,
    /// Of the texts with a goal, the share that is taken for one at the gate.
    pub goal_recall: f64,
    /// Of the texts that want no more mail, the share that is suppressed.
    pub opt_out_recall: f64,
    /// Line numbers of texts wrongly taken for a goal at the gate.
    pub false_goals: Vec<usize>,
    /// By label: label that was found, and how often.
    pub confusion: BTreeMap<String, BTreeMap<String, usize>>,
}

/// Judges the classifier on a `.tsv` file.
///
/// # Errors
/// When the file cannot be read or holds no texts, or has a label that is none.
pub fn intents(path: &Path) -> anyhow::Result<IntentReport> {
    let content = fs::read_to_string(path).with_context(|| format!("Read {}", path.display()))?;
    let mut report = IntentReport::default();
    let (mut goals, mut taken, mut hit) = (0, 0, 0);
    let (mut leaving, mut suppressed) = (0, 0);
    for (n, line) in content.lines().enumerate().skip(1) {
        let mut columns = line.split('\t');
        let (Some(text), Some(label)) = (columns.next(), columns.next()) else {
            continue;
        };
        let known = label == BACKGROUND || label.parse::<Intent>().is_ok();
        if !known {
            bail!("{}, line {}: {label:?} is no label", path.display(), n + 1);
        }
        let text = text.replace("\\n", "\n");
        let verdict = classify::classify(&ReplyInput {
            new_text: &text,
            sure: true,
            subject: "",
            nature: Some(Nature::Human),
            last_outbound: None,
        })?;
        report.texts += 1;
        let found = verdict.intent.as_str();
        let row = report.confusion.entry(label.to_owned()).or_default();
        *row.entry(found.to_owned()).or_default() += 1;
        let is_goal = label == Intent::GoalReached.as_str();
        let acts = verdict.intent == Intent::GoalReached
            && verdict.confidence >= GATE
            && verdict.goal_rule;
        goals += usize::from(is_goal);
        taken += usize::from(acts);
        hit += usize::from(acts && is_goal);
        if acts && !is_goal {
            report.false_goals.push(n + 1);
        }
        if label == Intent::Unsubscribe.as_str() {
            leaving += 1;
            suppressed += usize::from(verdict.opt_out);
        }
    }
    if report.texts == 0 {
        bail!("{} holds no texts", path.display());
    }
    report.goal_precision = share(hit, taken - hit);
    report.goal_recall = share(hit, goals - hit);
    report.opt_out_recall = share(suppressed, leaving - suppressed);
    report.sum_up();
    Ok(report)
}

impl IntentReport {
    fn count(&self, label: &str, found: &str) -> usize {
        let row = self.confusion.get(label);
        row.and_then(|r| r.get(found)).copied().unwrap_or(0)
    }

    fn sum_up(&mut self) {
        let as_found = |label: &str| match label {
            BACKGROUND => Intent::Neutral.as_str().to_owned(),
            label => label.to_owned(),
        };
        let labels: Vec<String> = self.confusion.keys().cloned().collect();
        let right: usize = labels.iter().map(|l| self.count(l, &as_found(l))).sum();
        self.accuracy = share(right, self.texts - right);
        let mut sum = 0.0;
        let mut classes = 0_u32;
        for label in labels.iter().filter(|l| *l != BACKGROUND) {
            let hit = self.count(label, label);
            let of_label: usize = self.confusion.get(label).map_or(0, |r| r.values().sum());
            let found: usize = labels.iter().map(|l| self.count(l, label)).sum();
            // 2 hit / (of_label + found) is the harmonic mean of precision and recall.
            sum += share(2 * hit, of_label + found - 2 * hit);
            classes += 1;
        }
        self.macro_f1 = sum / f64::from(classes.max(1));
    }
}

impl fmt::Display for IntentReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} texts", self.texts)?;
        writeln!(
            f,
            "accuracy {:.3}, macro-F1 {:.3}",
            self.accuracy, self.macro_f1
        )?;
        writeln!(
            f,
            "goal_reached at {GATE}: precision {:.3}, recall {:.3}, {} false (lines {:?})",
            self.goal_precision,
            self.goal_recall,
            self.false_goals.len(),
            self.false_goals
        )?;
        writeln!(f, "opt-outs suppressed: {:.3}", self.opt_out_recall)?;
        let found: std::collections::BTreeSet<&String> =
            self.confusion.values().flat_map(BTreeMap::keys).collect();
        write!(f, "\n{:<16}", "label \\ found")?;
        for name in &found {
            let short: String = name.chars().take(9).collect();
            write!(f, " {short:>9}")?;
        }
        writeln!(f)?;
        for label in self.confusion.keys() {
            write!(f, "{label:<16}")?;
            for name in &found {
                write!(f, " {:>9}", self.count(label, name))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
