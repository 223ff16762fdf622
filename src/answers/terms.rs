//! The words and meanings of a text, and how well a term of a question is met by them.

use std::collections::HashMap;

use super::lexicon::{self, Lexicon, Sense};
use super::rank::Unit;
use super::words::{Tongue, Word};

/// The words of a text, for comparison.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    pub(super) stems: Vec<String>,
    /// Words that only qualify another in a phrase: "value" in "value added tax".
    pub(super) weak: Vec<String>,
    pub(super) senses: Vec<Sense>,
}

/// The words and senses of a text.
#[must_use]
pub(super) fn terms(list: &[Word], lexicon: &Lexicon) -> Terms {
    let mut stems: Vec<String> = Vec::new();
    let mut weak: Vec<String> = Vec::new();
    let mut qualifies = 0_usize;
    for (n, word) in list.iter().enumerate() {
        let (len, _) = lexicon.at(list.get(n..).unwrap_or_default());
        qualifies = qualifies.max(len.saturating_sub(1));
        if qualifies > 0 {
            weak.push(word.stem.clone());
        } else {
            stems.push(word.stem.clone());
        }
        qualifies = qualifies.saturating_sub(1);
    }
    stems.sort_unstable();
    stems.dedup();
    Terms {
        stems,
        weak,
        senses: lexicon.senses(list),
    }
}

/// How well a term is met by a text, 0 to 1.
pub(super) fn affinity(unit: &Unit, text: &Terms, tongue: Tongue) -> f64 {
    let has = |stem: &String| text.stems.binary_search(stem).is_ok();
    if unit.stems.iter().all(has) {
        return 1.0;
    }
    let of_phrase = |stem: &String| has(stem) || text.weak.contains(stem);
    let all_weak = unit.stems.iter().all(of_phrase);
    if all_weak && (unit.number || unit.stems.len() > 1) {
        return 1.0;
    }
    if unit.number {
        return 0.0;
    }
    if lexicon::meet(&unit.senses, &text.senses) {
        return if lexicon::beside(&unit.senses, &text.senses) {
            0.2
        } else {
            0.9
        };
    }
    if all_weak {
        return 0.5;
    }
    let [stem] = unit.stems.as_slice() else {
        return 0.0;
    };
    if stem.len() < 5 {
        return 0.0;
    }
    let near = text.stems.iter().any(|other| alike(stem, other, tongue));
    if near { 0.75 } else { 0.0 }
}

/// Whether two stems are forms of one word, or one is a part of the other's compound.
pub(super) fn alike(a: &str, b: &str, tongue: Tongue) -> bool {
    if b.len() < 5 {
        return false;
    }
    if tongue == Tongue::German && (a.contains(b) || b.contains(a)) {
        return true;
    }
    let common = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
    let longer = a.chars().count().max(b.chars().count());
    common >= 5 && common.saturating_mul(4) >= longer.saturating_mul(3)
}

/// Character trigrams of the content words, weighed by their counts.
pub(super) fn grams(list: &[Word]) -> HashMap<[char; 3], f64> {
    let mut found = HashMap::new();
    for word in list {
        let mut padded = vec!['_'];
        padded.extend(word.form.chars());
        padded.push('_');
        for three in padded.windows(3) {
            if let [a, b, c] = three {
                *found.entry([*a, *b, *c]).or_insert(0.0) += 1.0;
            }
        }
    }
    found
}

pub(super) fn cosine(a: &HashMap<[char; 3], f64>, b: &HashMap<[char; 3], f64>) -> f64 {
    let dot: f64 = a.iter().filter_map(|(g, x)| b.get(g).map(|y| x * y)).sum();
    let norm = |m: &HashMap<[char; 3], f64>| m.values().map(|x| x * x).sum::<f64>().sqrt();
    let both = norm(a) * norm(b);
    if both > 0.0 { dot / both } else { 0.0 }
}

/// Whether two words differ by one letter too many, too few, another, or two in the wrong order.
pub(super) fn one_slip(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.first() != b.first() || b.len() < 5 || a.len().abs_diff(b.len()) > 1 {
        return false;
    }
    let same = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let rest =
        |list: &[char], skip: usize| list.get(same.saturating_add(skip)..).map(<[char]>::to_vec);
    match a.len().cmp(&b.len()) {
        std::cmp::Ordering::Greater => rest(&a, 1) == rest(&b, 0),
        std::cmp::Ordering::Less => rest(&a, 0) == rest(&b, 1),
        std::cmp::Ordering::Equal => {
            let swapped = a.get(same) == b.get(same.saturating_add(1))
                && a.get(same.saturating_add(1)) == b.get(same)
                && rest(&a, 2) == rest(&b, 2);
            swapped || rest(&a, 1) == rest(&b, 1)
        }
    }
}
