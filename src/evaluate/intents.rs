//! How well the classifier of replies does on texts with their intent (see [`super::texts`]).

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::tally::share;
use super::texts::{self, BACKGROUND, TextRow};
use crate::model::{GoalType, Intent};
use crate::reply::classify::{Classifier, ClassifyError};
use crate::reply::gate::{self, Gate};
use crate::reply::templates::Templates;

/// Steps of confidence in the table of calibration.
const STEPS: usize = 10;

/// What was found of one text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    intent: Intent,
    confidence: f64,
    goal_type: Option<GoalType>,
    gate: Gate,
}

impl Judged {
    /// Classifies a row and decides on it, as `replyd classify` does.
    ///
    /// # Errors
    /// As [`Classifier::classify`].
    pub fn of(
        classifier: &Classifier,
        texts: &Templates,
        row: &TextRow,
    ) -> Result<Self, ClassifyError> {
        let verdict = classifier.classify(&row.input())?;
        Ok(Self {
            intent: verdict.intent,
            confidence: verdict.confidence,
            goal_type: verdict.goal_type,
            gate: gate::gate_of_fresh(&verdict, texts),
        })
    }
}

/// One label: how often found where it was, and where it was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ClassReport {
    /// Texts with it.
    pub texts: usize,
    /// Of those found, the share that has it.
    pub precision: f64,
    /// Of those that have it, the share that was found.
    pub recall: f64,
}

/// One step of confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Step {
    /// Texts classified with such a confidence.
    pub texts: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// The share of them that is right.
    pub right: f64,
}

/// What was counted. Texts of `background` count in the false alarms only.
#[derive(Clone, Debug, Default, Serialize)]
pub struct IntentReport {
    /// Texts, without those of `background`.
    pub texts: usize,
    /// Share of the texts with the right label.
    pub accuracy: f64,
    /// Mean over the labels of the harmonic mean of precision and recall.
    pub macro_f1: f64,
    /// Of the texts that would be acknowledged, the share that is a goal.
    pub goal_precision: f64,
    /// Of the texts with a goal, the share that would be acknowledged.
    pub goal_recall: f64,
    /// Of the goals that were found, the share with the right type.
    pub goal_types: f64,
    /// Of the texts that want no more mail, the share that is suppressed.
    pub opt_out_recall: f64,
    /// Texts that are suppressed and want no such thing.
    pub false_opt_outs: Vec<usize>,
    /// Of the questions, the share that the documents may answer without a person.
    pub answered: f64,
    /// Rows that would be acknowledged or answered by a machine, and are no goal or question.
    pub false_answers: Vec<usize>,
    /// Rows that would be acknowledged and are no goal.
    pub false_goals: Vec<usize>,
    /// Rows of `background`.
    pub background: usize,
    /// Rows of `background` that would be acknowledged.
    pub background_alarms: Vec<usize>,
    /// Mean distance between confidence and share of right ones.
    pub calibration_error: f64,
    /// By confidence, in steps of a tenth.
    pub calibration: Vec<Step>,
    /// By label.
    pub classes: BTreeMap<String, ClassReport>,
    /// By label: label that was found, and how often.
    pub confusion: BTreeMap<String, BTreeMap<String, usize>>,
}

/// Judges the classifier on a `.tsv` file.
///
/// # Errors
/// When the file cannot be read or holds no texts, or has a label that is none.
pub fn intents(path: &Path, classifier: &Classifier) -> anyhow::Result<IntentReport> {
    let rows = texts::read_labelled(path)?;
    let embedded = Templates::load(None)?;
    let judged: Vec<Judged> = rows
        .iter()
        .map(|row| Judged::of(classifier, &embedded, row))
        .collect::<Result<_, _>>()?;
    Ok(IntentReport::of(&rows, &judged))
}

impl IntentReport {
    /// Counts what was found of `rows`.
    #[must_use]
    pub fn of(rows: &[TextRow], judged: &[Judged]) -> Self {
        let mut report = Self::default();
        let (mut goals, mut taken, mut hit) = (0, 0, 0);
        let (mut found, mut types) = (0, 0);
        let (mut leaving, mut suppressed) = (0, 0);
        let (mut questions, mut answered) = (0, 0);
        let mut steps = [(0_usize, 0.0_f64, 0_usize); STEPS];
        for (row, j) in rows.iter().zip(judged) {
            let Some(intent) = row.intent() else { continue };
            let acts = j.gate == Gate::Acknowledge;
            let label = row.label.clone().unwrap_or_default();
            let line = report.confusion.entry(label).or_default();
            *line.entry(j.intent.as_str().to_owned()).or_default() += 1;
            if row.is_background() {
                report.background += 1;
                if acts {
                    report.background_alarms.push(row.row);
                }
                continue;
            }
            report.texts += 1;
            let right = usize::from(j.intent == intent);
            if let Some((n, sum, good)) = steps.get_mut(step_of(j.confidence)) {
                *n += 1;
                *sum += j.confidence;
                *good += right;
            }
            let is = |wanted: Intent| usize::from(intent == wanted);
            goals += is(Intent::GoalReached);
            taken += usize::from(acts);
            hit += usize::from(acts) * is(Intent::GoalReached);
            if acts && intent != Intent::GoalReached {
                report.false_goals.push(row.row);
            }
            if j.intent == Intent::GoalReached && intent == Intent::GoalReached {
                found += 1;
                types += usize::from(j.goal_type == row.goal_type);
            }
            questions += is(Intent::Question);
            answered += usize::from(j.gate == Gate::Answer) * is(Intent::Question);
            let by_machine = acts || j.gate == Gate::Answer;
            if by_machine && !matches!(intent, Intent::GoalReached | Intent::Question) {
                report.false_answers.push(row.row);
            }
            leaving += is(Intent::Unsubscribe);
            suppressed += usize::from(j.gate == Gate::Suppress) * is(Intent::Unsubscribe);
            if j.gate == Gate::Suppress && intent != Intent::Unsubscribe {
                report.false_opt_outs.push(row.row);
            }
        }
        report.goal_precision = share(hit, taken - hit);
        report.goal_recall = share(hit, goals - hit);
        report.goal_types = share(types, found - types);
        report.opt_out_recall = share(suppressed, leaving - suppressed);
        report.answered = share(answered, questions - answered);
        report.sum_up(&steps);
        report
    }

    fn count(&self, label: &str, found: &str) -> usize {
        let row = self.confusion.get(label);
        row.and_then(|r| r.get(found)).copied().unwrap_or(0)
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of texts")]
    fn sum_up(&mut self, steps: &[(usize, f64, usize)]) {
        let labels: Vec<String> = self
            .confusion
            .keys()
            .filter(|l| *l != BACKGROUND)
            .cloned()
            .collect();
        let right: usize = labels.iter().map(|l| self.count(l, l)).sum();
        self.accuracy = share(right, self.texts - right);
        let mut sum = 0.0;
        for label in &labels {
            let hit = self.count(label, label);
            let texts: usize = self.confusion.get(label).map_or(0, |r| r.values().sum());
            let found: usize = labels.iter().map(|l| self.count(l, label)).sum();
            // 2 hit / (texts + found) is the harmonic mean of precision and recall.
            sum += share(2 * hit, texts + found - 2 * hit);
            let class = ClassReport {
                texts,
                precision: share(hit, found - hit),
                recall: share(hit, texts - hit),
            };
            self.classes.insert(label.clone(), class);
        }
        self.macro_f1 = sum / labels.len().max(1) as f64;
        for (n, confidence, good) in steps {
            let right = share(*good, n - good);
            let confidence = confidence / (*n).max(1) as f64;
            self.calibration_error +=
                (confidence - right).abs() * *n as f64 / self.texts.max(1) as f64;
            self.calibration.push(Step {
                texts: *n,
                confidence,
                right,
            });
        }
    }
}

/// The tenth that a confidence falls into.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a confidence is between 0 and 1"
)]
fn step_of(confidence: f64) -> usize {
    ((confidence.clamp(0.0, 1.0) * STEPS as f64) as usize).min(STEPS - 1)
}

/// The first rows of a list.
fn some(rows: &[usize]) -> String {
    const SHOWN: usize = 12;
    let first: Vec<String> = rows.iter().take(SHOWN).map(usize::to_string).collect();
    match rows.len() {
        0 => String::new(),
        n if n > SHOWN => format!(" (rows {}, …)", first.join(", ")),
        _ => format!(" (rows {})", first.join(", ")),
    }
}

impl fmt::Display for IntentReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} texts, {} of background", self.texts, self.background)?;
        writeln!(
            f,
            "accuracy {:.3}, macro-F1 {:.3}, calibration error {:.3}",
            self.accuracy, self.macro_f1, self.calibration_error
        )?;
        writeln!(
            f,
            "goal_reached at the gate: precision {:.3}, recall {:.3}, {} false{}",
            self.goal_precision,
            self.goal_recall,
            self.false_goals.len(),
            some(&self.false_goals)
        )?;
        writeln!(f, "type of the goals found: {:.3} right", self.goal_types)?;
        writeln!(
            f,
            "opt-outs suppressed: {:.3}; suppressed without an opt-out: {}{}",
            self.opt_out_recall,
            self.false_opt_outs.len(),
            some(&self.false_opt_outs)
        )?;
        writeln!(
            f,
            "questions that documents may answer: {:.3}; answered and neither goal nor question: {}{}",
            self.answered,
            self.false_answers.len(),
            some(&self.false_answers)
        )?;
        writeln!(
            f,
            "background acknowledged: {} of {}{}",
            self.background_alarms.len(),
            self.background,
            some(&self.background_alarms)
        )?;
        writeln!(
            f,
            "\n{:<16} {:>6} {:>9} {:>7}",
            "label", "texts", "precision", "recall"
        )?;
        for (label, c) in &self.classes {
            writeln!(
                f,
                "{label:<16} {:>6} {:>9.3} {:>7.3}",
                c.texts, c.precision, c.recall
            )?;
        }
        writeln!(
            f,
            "\n{:<16} {:>6} {:>9} {:>7}",
            "confidence", "texts", "mean", "right"
        )?;
        for (n, s) in self
            .calibration
            .iter()
            .enumerate()
            .filter(|(_, s)| s.texts > 0)
        {
            let step = format!(
                "0.{n} to {}",
                if n == 9 {
                    "1.0".into()
                } else {
                    format!("0.{}", n + 1)
                }
            );
            writeln!(
                f,
                "{step:<16} {:>6} {:>9.3} {:>7.3}",
                s.texts, s.confidence, s.right
            )?;
        }
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
