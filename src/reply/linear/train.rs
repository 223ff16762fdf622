//! Training of the multinomial logistic regression: the minimum of the log loss with a quadratic
//! penalty, found by L-BFGS over all rows. No chance, no clock, no threads, and arithmetic of
//! IEEE 754 alone: the same rows give the same bytes on every machine.

use std::collections::{HashMap, VecDeque};

use super::features::{BUCKETS, Features};
use super::numeric;
use super::weights::{CHARS_VALUE, CLASSES, Row, WORDS_VALUE, Weights, norm};

/// One row of the training set.
#[derive(Clone, Debug)]
pub struct Example {
    /// What the model sees.
    pub features: Features,
    /// The right class, as a place in [`crate::model::Intent::ALL`].
    pub class: usize,
    /// How much it counts; 1 for an ordinary row.
    pub weight: f64,
}

/// The settings of the training; the defaults made the shipped weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    /// Steps at most.
    pub steps: u32,
    /// Penalty on the n-grams' weights.
    pub penalty_ngrams: f64,
    /// Penalty on the signs' weights.
    pub penalty_signs: f64,
    /// This share of each row's weight is a copy of it without its signs: the rules were written
    /// on known sentences and hit fewer of the unknown ones.
    pub without_signs: f64,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            steps: 150,
            penalty_ngrams: 0.4,
            penalty_signs: 0.13,
            without_signs: 0.3,
        }
    }
}

/// Pairs that L-BFGS remembers.
const MEMORY: usize = 8;
/// Shorter steps than this do not get any better.
const SHORTEST: f64 = 1e-6;

/// A row as places in the vector of weights with their values.
struct Line {
    at: Vec<(usize, f64)>,
    class: usize,
    weight: f64,
}

/// Where the weights lie: first the signs, then the n-grams that occur, last the bias; each with
/// one number for each class.
struct Problem {
    lines: Vec<Line>,
    /// Number of rows of weights that are signs, and of all without the bias.
    signs: usize,
    rows: usize,
    penalty_signs: f64,
    penalty_ngrams: f64,
}

impl Problem {
    /// The loss at `w`, and its gradient into `gradient`.
    fn loss(&self, w: &[f64], gradient: &mut [f64]) -> f64 {
        gradient.fill(0.0);
        let mut loss = 0.0;
        for line in &self.lines {
            let mut shares = [0.0; CLASSES];
            for (row, value) in &line.at {
                for (s, w) in shares.iter_mut().zip(w.iter().skip(row * CLASSES)) {
                    *s += w * value;
                }
            }
            let wanted = shares.get(line.class).copied().unwrap_or_default();
            loss += (numeric::softmax(&mut shares) - wanted) * line.weight;
            if let Some(share) = shares.get_mut(line.class) {
                *share -= 1.0;
            }
            for (row, value) in &line.at {
                let unit = value * line.weight;
                for (g, e) in gradient.iter_mut().skip(row * CLASSES).zip(shares) {
                    *g += e * unit;
                }
            }
        }
        let (signs, ngrams) = (self.signs * CLASSES, self.rows * CLASSES);
        for (n, (g, w)) in gradient.iter_mut().zip(w).enumerate().take(ngrams) {
            let penalty = if n < signs {
                self.penalty_signs
            } else {
                self.penalty_ngrams
            };
            *g += penalty * w;
            loss += penalty * w * w / 2.0;
        }
        loss
    }

    fn minimum(&self, steps: u32) -> Vec<f64> {
        let size = (self.rows + 1) * CLASSES;
        let mut w = vec![0.0; size];
        let mut gradient = vec![0.0; size];
        let mut loss = self.loss(&w, &mut gradient);
        let mut memory: VecDeque<(Vec<f64>, Vec<f64>, f64)> = VecDeque::new();
        for _ in 0..steps {
            let direction = direction(&gradient, &memory);
            let slope = dot(&direction, &gradient);
            if slope > -1e-9 {
                break;
            }
            let mut length = if memory.is_empty() {
                1.0 / dot(&gradient, &gradient).sqrt()
            } else {
                1.0
            };
            let mut next_gradient = vec![0.0; size];
            let next = loop {
                let next: Vec<f64> = w
                    .iter()
                    .zip(&direction)
                    .map(|(w, d)| w + length * d)
                    .collect();
                let next_loss = self.loss(&next, &mut next_gradient);
                if next_loss <= loss + 1e-4 * length * slope {
                    loss = next_loss;
                    break Some(next);
                }
                length /= 2.0;
                if length < SHORTEST {
                    break None;
                }
            };
            let Some(next) = next else { break };
            let step: Vec<f64> = next.iter().zip(&w).map(|(a, b)| a - b).collect();
            let change: Vec<f64> = next_gradient
                .iter()
                .zip(&gradient)
                .map(|(a, b)| a - b)
                .collect();
            let curvature = dot(&step, &change);
            if curvature > 1e-12 {
                if memory.len() == MEMORY {
                    memory.pop_front();
                }
                memory.push_back((step, change, curvature));
            }
            w = next;
            gradient = next_gradient;
        }
        w
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], what: &[f64], times: f64) {
    for (t, w) in to.iter_mut().zip(what) {
        *t += w * times;
    }
}

/// The two-loop recursion (Nocedal and Wright, algorithm 7.4).
fn direction(gradient: &[f64], memory: &VecDeque<(Vec<f64>, Vec<f64>, f64)>) -> Vec<f64> {
    let mut d: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut shares = Vec::with_capacity(memory.len());
    for (step, change, curvature) in memory.iter().rev() {
        let share = dot(step, &d) / curvature;
        add(&mut d, change, -share);
        shares.push(share);
    }
    if let Some((_, change, curvature)) = memory.back() {
        let scale = curvature / dot(change, change);
        for x in &mut d {
            *x *= scale;
        }
    }
    for ((step, change, curvature), share) in memory.iter().zip(shares.iter().rev()) {
        let back = dot(change, &d) / curvature;
        add(&mut d, step, share - back);
    }
    d
}

/// Trains on `examples`.
#[must_use]
pub fn train(examples: &[Example], recipe: Recipe) -> Weights {
    let mut names: Vec<&String> = examples.iter().flat_map(|e| &e.features.signs).collect();
    names.sort();
    names.dedup();
    let sign_at: HashMap<&String, usize> = names.iter().copied().zip(0..).collect();
    let mut buckets: Vec<u32> = examples
        .iter()
        .flat_map(|e| e.features.words.iter().chain(&e.features.chars))
        .copied()
        .collect();
    buckets.sort_unstable();
    buckets.dedup();
    let bucket_at: HashMap<u32, usize> = buckets.iter().copied().zip(names.len()..).collect();
    let rows = names.len() + buckets.len();
    let mut lines = Vec::with_capacity(examples.len() * 2);
    for example in examples {
        let f = &example.features;
        let mut ngrams = vec![(rows, 1.0)];
        for (list, value) in [(&f.words, WORDS_VALUE), (&f.chars, CHARS_VALUE)] {
            let unit = f64::from(value) / norm(list.len());
            ngrams.extend(list.iter().filter_map(|b| Some((*bucket_at.get(b)?, unit))));
        }
        let mut whole = ngrams.clone();
        whole.extend(f.signs.iter().filter_map(|s| Some((*sign_at.get(s)?, 1.0))));
        for (at, share) in [
            (whole, 1.0 - recipe.without_signs),
            (ngrams, recipe.without_signs),
        ] {
            if share > 0.0 {
                lines.push(Line {
                    at,
                    class: example.class,
                    weight: example.weight * share,
                });
            }
        }
    }
    let problem = Problem {
        lines,
        signs: names.len(),
        rows,
        penalty_signs: recipe.penalty_signs,
        penalty_ngrams: recipe.penalty_ngrams,
    };
    let w = problem.minimum(recipe.steps);
    let (of_signs, rest) = w.split_at((names.len() * CLASSES).min(w.len()));
    let (of_ngrams, bias) = rest.split_at((buckets.len() * CLASSES).min(rest.len()));
    let (sign_scale, sign_rows) = quantise(of_signs);
    let (ngram_scale, ngram_rows) = quantise(of_ngrams);
    let mut ngrams = vec![[0; CLASSES]; BUCKETS];
    for (bucket, row) in buckets.iter().zip(ngram_rows) {
        if let Some(slot) = ngrams.get_mut(*bucket as usize) {
            *slot = row;
        }
    }
    let mut biases = [0.0; CLASSES];
    for (slot, b) in biases.iter_mut().zip(bias) {
        *slot = narrow(*b);
    }
    let signs = names.into_iter().cloned().zip(sign_rows).collect();
    Weights::new(ngram_scale, sign_scale, biases, signs, ngrams)
}

/// 8-bit weights and what one of their steps stands for.
fn quantise(w: &[f64]) -> (f32, Vec<Row>) {
    let top = w.iter().fold(0.0_f64, |m, w| m.max(w.abs()));
    let scale = if top > 0.0 { top / 127.0 } else { 1.0 };
    let rows = w.chunks_exact(CLASSES).map(|chunk| {
        let mut row = [0; CLASSES];
        for (slot, x) in row.iter_mut().zip(chunk) {
            *slot = to_i8(x / scale);
        }
        row
    });
    (narrow(scale), rows.collect())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "clamped to the range of i8 before"
)]
fn to_i8(x: f64) -> i8 {
    x.round().clamp(-127.0, 127.0) as i8
}

#[expect(clippy::cast_possible_truncation, reason = "the file holds 32 bits")]
fn narrow(x: f64) -> f32 {
    x as f32
}
