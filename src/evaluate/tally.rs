//! What was counted, as text and as JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// How one fact of one case came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Right,
    /// With what was expected and what was found.
    Wrong(String),
}

impl Outcome {
    pub(super) fn of(met: bool, expected: impl fmt::Debug, found: impl fmt::Debug) -> Self {
        if met {
            Self::Right
        } else {
            Self::Wrong(format!("expected {expected:?}, found {found:?}"))
        }
    }
}

/// What is known of one fact over all its cases.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Fact {
    /// Cases that came out as their label says.
    pub right: usize,
    /// Cases that did not.
    pub wrong: usize,
    /// right / (right + wrong).
    pub share: f64,
    /// The ids of the wrong ones, with what was expected and found.
    pub wrong_cases: BTreeMap<String, String>,
}

/// One set.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SetReport {
    /// By the fact's name.
    pub facts: BTreeMap<&'static str, Fact>,
}

/// Everything that was counted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Lines of cases.jsonl.
    pub cases: usize,
    /// Cases of which there is a row: all must have one.
    pub rows: usize,
    /// Cases whose file could not be read.
    pub unreadable: Vec<String>,
    /// Cases on which replyd's own code failed; must be none.
    pub panicked: Vec<String>,
    /// Kinds over all labelled sets: what is called so, and what is so.
    pub kinds: BTreeMap<&'static str, Detection>,
    /// Persons' mail that was taken for a machine's; must be none.
    pub human_suppressed: Vec<String>,
    /// By set.
    pub sets: BTreeMap<String, SetReport>,
}

/// How surely a kind of mail is detected, over all sets.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Detection {
    /// Is so, and is called so.
    pub hit: usize,
    /// Is so, but is not called so.
    pub missed: usize,
    /// Is called so, but is not.
    pub false_alarms: usize,
    /// hit / (hit + missed).
    pub recall: f64,
    /// hit / (hit + false alarms).
    pub precision: f64,
}

impl Report {
    pub(super) fn add(&mut self, set: &str, fact: &'static str, id: &str, outcome: Outcome) {
        let sets = self.sets.entry(set.to_owned()).or_default();
        let fact = sets.facts.entry(fact).or_default();
        match outcome {
            Outcome::Right => fact.right += 1,
            Outcome::Wrong(why) => {
                fact.wrong += 1;
                fact.wrong_cases.insert(id.to_owned(), why);
            }
        }
    }

    pub(super) fn detected(&mut self, kind: &'static str, is: bool, called: bool) {
        let detection = self.kinds.entry(kind).or_default();
        match (is, called) {
            (true, true) => detection.hit += 1,
            (true, false) => detection.missed += 1,
            (false, true) => detection.false_alarms += 1,
            (false, false) => {}
        }
    }

    pub(super) fn finish(&mut self) {
        for fact in self.sets.values_mut().flat_map(|s| s.facts.values_mut()) {
            fact.share = share(fact.right, fact.wrong);
        }
        for d in self.kinds.values_mut() {
            d.recall = share(d.hit, d.missed);
            d.precision = share(d.hit, d.false_alarms);
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of cases are far below 2^52"
)]
pub(super) fn share(part: usize, rest: usize) -> f64 {
    match part + rest {
        0 => 1.0,
        all => part as f64 / all as f64,
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cases, rows) = (self.cases, self.rows);
        writeln!(
            f,
            "{cases} cases, {rows} rows, {} panics",
            self.panicked.len()
        )?;
        for id in &self.panicked {
            writeln!(f, "  panicked: {id}")?;
        }
        for why in &self.unreadable {
            writeln!(f, "  unreadable: {why}")?;
        }
        writeln!(
            f,
            "\n{:<12} {:>6} {:>7} {:>6} {:>8} {:>10}",
            "kind", "hit", "missed", "false", "recall", "precision"
        )?;
        for (kind, d) in &self.kinds {
            let (recall, precision) = (100.0 * d.recall, 100.0 * d.precision);
            let (hit, missed, wrong) = (d.hit, d.missed, d.false_alarms);
            writeln!(
                f,
                "{kind:<12} {hit:>6} {missed:>7} {wrong:>6} {recall:>7.1}% {precision:>9.1}%"
            )?;
        }
        writeln!(
            f,
            "persons' mail taken for a machine's: {}",
            self.human_suppressed.len()
        )?;
        for id in &self.human_suppressed {
            writeln!(f, "  {id}")?;
        }
        writeln!(
            f,
            "\n{:<10} {:<34} {:>6} {:>6} {:>8}",
            "set", "fact", "right", "wrong", "share"
        )?;
        for (set, report) in &self.sets {
            for (name, fact) in &report.facts {
                let (right, wrong, share) = (fact.right, fact.wrong, 100.0 * fact.share);
                writeln!(
                    f,
                    "{set:<10} {name:<34} {right:>6} {wrong:>6} {share:>7.1}%"
                )?;
            }
        }
        for (set, report) in &self.sets {
            for (name, fact) in report.facts.iter().filter(|(_, fact)| fact.wrong > 0) {
                writeln!(f, "\n{set}, {name}: wrong")?;
                for (id, why) in &fact.wrong_cases {
                    let why: String = why.chars().take(600).collect();
                    writeln!(f, "  {id}: {why}")?;
                }
            }
        }
        Ok(())
    }
}
