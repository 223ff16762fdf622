//! Cross-validation: each row is classified by weights that have not seen it, nor a row that is
//! nearly the same.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::thread;

use anyhow::{Context, bail};

use super::intents::{IntentReport, Judged};
use super::texts::{self, TextRow};
use crate::reply::classify::{self, Classifier};
use crate::reply::linear::{self, Example, Recipe, Weights, place};
use crate::reply::templates::Templates;

/// Rows that share this part of their words are nearly the same.
const NEAR: f64 = 0.6;
/// What a row of `background` counts, beside a reply. The half gave a third more false alarms.
const BACKGROUND_WEIGHT: f64 = 1.0;

/// Rows whose source names one of these are not trained on: their licence is share-alike.
const SHARE_ALIKE: &[&str] = &["dstc8-schema-guided-dialogue", "CC-BY-SA"];

/// Whether the row's licence wants the weights to be shared alike.
#[must_use]
pub fn is_share_alike(row: &TextRow) -> bool {
    SHARE_ALIKE.iter().any(|name| row.source.contains(name))
}

/// Reads the rows of several files to train on, and says how many were left out as share-alike.
///
/// # Errors
/// When a file cannot be read, or has a row without a label.
pub fn training_rows(
    paths: &[impl AsRef<Path>],
    share_alike: bool,
) -> anyhow::Result<(Vec<TextRow>, usize)> {
    let mut rows = Vec::new();
    for path in paths {
        rows.extend(texts::read_labelled(path.as_ref())?);
    }
    let all = rows.len();
    if !share_alike {
        rows.retain(|r| !is_share_alike(r));
    }
    let classes: BTreeSet<_> = rows.iter().filter_map(TextRow::intent).map(place).collect();
    if classes.len() < linear::CLASSES {
        bail!(
            "{} of {} classes have rows: all are needed",
            classes.len(),
            linear::CLASSES
        );
    }
    let left_out = all - rows.len();
    Ok((rows, left_out))
}

/// Trains on rows.
///
/// # Errors
/// When the embedded rules do not compile, which a test rules out.
pub fn train(rows: &[TextRow]) -> anyhow::Result<Weights> {
    Ok(linear::train(&examples(rows)?, Recipe::default()))
}

fn examples(rows: &[TextRow]) -> anyhow::Result<Vec<Example>> {
    rows.iter()
        .map(|row| {
            let features = classify::features(&row.input())?;
            let class = row.intent().map(place).context("A row without a label")?;
            let weight = if row.is_background() {
                BACKGROUND_WEIGHT
            } else {
                1.0
            };
            Ok(Example {
                features,
                class,
                weight,
            })
        })
        .collect()
}

/// Judges `k` trainings, each on the rows that are not its own part.
///
/// # Errors
/// As [`train`].
pub fn cross_validate(rows: &[TextRow], k: usize) -> anyhow::Result<IntentReport> {
    let parts = parts(rows, k.max(2));
    let examples = examples(rows)?;
    let embedded = Templates::load(None)?;
    let folds = 0..k.max(2);
    let judge = |fold: usize| -> anyhow::Result<Vec<(usize, Judged)>> {
        let others: Vec<Example> = (examples.iter().zip(&parts))
            .filter(|(_, part)| **part != fold)
            .map(|(e, _)| e.clone())
            .collect();
        let classifier = Classifier::with_weights(linear::train(&others, Recipe::default()));
        (rows.iter().zip(&parts).enumerate())
            .filter(|(_, (_, part))| **part == fold)
            .map(|(n, (row, _))| Ok((n, Judged::of(&classifier, &embedded, row)?)))
            .collect()
    };
    let mut judged: Vec<(usize, Judged)> = thread::scope(|scope| {
        let running: Vec<_> = folds.map(|fold| scope.spawn(move || judge(fold))).collect();
        let mut all = Vec::new();
        for handle in running {
            match handle.join() {
                Ok(part) => all.extend(part?),
                Err(_) => bail!("A training panicked"),
            }
        }
        Ok(all)
    })?;
    judged.sort_by_key(|(n, _)| *n);
    let verdicts: Vec<Judged> = judged.into_iter().map(|(_, j)| j).collect();
    Ok(IntentReport::of(rows, &verdicts))
}

/// The part of each row. Near-duplicates are in one part; classes are spread over the parts.
fn parts(rows: &[TextRow], k: usize) -> Vec<usize> {
    let words: Vec<BTreeSet<String>> = rows.iter().map(|r| words(&r.text)).collect();
    let mut group: Vec<usize> = (0..rows.len()).collect();
    for (n, mine) in words.iter().enumerate() {
        for (m, other) in words.iter().enumerate().take(n) {
            let shared = mine.intersection(other).count();
            let all = mine.len() + other.len() - shared;
            #[expect(clippy::cast_precision_loss, reason = "numbers of words")]
            let near = all > 0 && shared as f64 >= NEAR * all as f64;
            if near {
                let (a, b) = (root(&group, n), root(&group, m));
                if let Some(slot) = group.get_mut(a.max(b)) {
                    *slot = a.min(b);
                }
            }
        }
    }
    let mut of_group: HashMap<usize, usize> = HashMap::new();
    let mut next: HashMap<&str, usize> = HashMap::new();
    (0..rows.len())
        .map(|n| {
            let label = rows
                .get(n)
                .and_then(|r| r.label.as_deref())
                .unwrap_or_default();
            *of_group.entry(root(&group, n)).or_insert_with(|| {
                let turn = next.entry(label).or_default();
                *turn += 1;
                *turn % k
            })
        })
        .collect()
}

fn root(group: &[usize], mut n: usize) -> usize {
    while let Some(up) = group.get(n).copied().filter(|up| *up != n) {
        n = up;
    }
    n
}

fn words(text: &str) -> BTreeSet<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> TextRow {
        TextRow {
            row: 1,
            text: text.into(),
            context: None,
            label: Some("neutral".into()),
            goal_type: None,
            source: String::new(),
        }
    }

    #[test]
    fn near_duplicates_are_in_one_part() {
        let rows = [
            "Please schedule a visit for me.",
            "How much is it?",
            "please schedule a visit for me, yes",
            "Thanks.",
            "Yes, please schedule a visit",
        ]
        .map(row);
        let parts = parts(&rows, 3);
        assert_eq!((parts[0], parts[0]), (parts[2], parts[4]));
        assert_ne!(parts[0], parts[1]);
        assert!(parts.iter().all(|p| *p < 3));
    }

    #[test]
    fn share_alike_rows_are_known_by_their_source() {
        let mut r = row("x");
        assert!(!is_share_alike(&r));
        r.source = "google-research-datasets/dstc8-schema-guided-dialogue train".into();
        assert!(is_share_alike(&r));
    }
}
