//! Whether words keep the order of the passages: joining words aside, they are whole sentences of
//! the passages, in whatever order, and none of them twice.

use super::{carries, same};
use crate::answers::words::{Tongue, Word, sentences, words};

/// More sentences than that are no passages for one answer; they would have to come in order.
const SENTENCES: usize = 24;

/// Ways to lay them that are tried; sentences that begin alike are rare.
const STEPS: usize = 4096;

/// Joining words that say how one thing stands to another: they count as words with a meaning.
const ENGLISH: &[&str] = &[
    "before", "after", "until", "till", "from", "to", "over", "under", "above", "below", "between",
    "with", "by", "since", "during", "within", "up", "down", "or", "if", "than", "both", "either",
    "each", "off", "out", "against",
];
const GERMAN: &[&str] = &[
    "vor", "nach", "bis", "von", "uber", "ueber", "unter", "zwischen", "mit", "seit", "wahrend",
    "ab", "oder", "wenn", "falls", "als", "beide", "je", "gegen",
];
const FRENCH: &[&str] = &[
    "avant", "apres", "jusqu", "depuis", "entre", "sous", "sur", "avec", "ou", "si", "pendant",
    "des", "contre", "chaque",
];
const SPANISH: &[&str] = &[
    "antes", "despues", "hasta", "desde", "entre", "con", "o", "si", "durante", "sobre", "bajo",
    "ambos", "cada", "contra",
];
const PORTUGUESE: &[&str] = &[
    "antes", "depois", "apos", "ate", "desde", "entre", "com", "ou", "se", "durante", "sobre",
    "sob", "ambos", "cada", "contra",
];
const ITALIAN: &[&str] = &[
    "prima", "dopo", "fino", "da", "dal", "tra", "fra", "con", "o", "se", "durante", "sopra",
    "sotto", "entrambi", "ogni", "contro",
];
const DUTCH: &[&str] = &[
    "voor", "na", "tot", "vanaf", "tussen", "met", "of", "als", "tijdens", "boven", "onder",
    "sinds", "beide", "elk", "tegen",
];

/// Whether a joining word says how one thing stands to another.
pub(super) fn relates(form: &str, tongue: Tongue) -> bool {
    let list = match tongue {
        Tongue::English => ENGLISH,
        Tongue::German => GERMAN,
        Tongue::French => FRENCH,
        Tongue::Spanish => SPANISH,
        Tongue::Portuguese => PORTUGUESE,
        Tongue::Italian => ITALIAN,
        Tongue::Dutch => DUTCH,
        Tongue::Other => return true,
    };
    list.contains(&form)
}

/// Whether `worded` is made of whole sentences of `passages`, joining words aside.
pub(super) fn keeps(passages: &str, worded: &[Word], tongue: Tongue) -> bool {
    let mut parts: Vec<Vec<Word>> = sentences(passages)
        .into_iter()
        .map(|s| words(s, tongue))
        .map(|list| {
            list.into_iter()
                .filter(|w| w.stem != "a#" && carries(w, tongue))
                .collect()
        })
        .filter(|part: &Vec<Word>| !part.is_empty())
        .collect();
    if parts.len() > SENTENCES {
        parts = vec![parts.concat()];
    }
    let said: Vec<&Word> = worded.iter().filter(|w| carries(w, tongue)).collect();
    let mut free = vec![true; parts.len()];
    let mut steps = STEPS;
    fits(&said, &parts, &mut free, &mut steps)
}

/// Lays sentences that are free one after another. Which comes next is settled by its first word
/// but for sentences that begin alike, so few ways are tried.
fn fits(said: &[&Word], parts: &[Vec<Word>], free: &mut [bool], steps: &mut usize) -> bool {
    if said.is_empty() {
        return true;
    }
    *steps = steps.saturating_sub(1);
    if *steps == 0 {
        return false;
    }
    for (n, part) in parts.iter().enumerate() {
        let begins = said.len() >= part.len() && part.iter().zip(said).all(|(a, b)| same(a, b));
        if !begins || !free.get(n).copied().unwrap_or(false) {
            continue;
        }
        set(free, n, false);
        if fits(
            said.get(part.len()..).unwrap_or_default(),
            parts,
            free,
            steps,
        ) {
            return true;
        }
        set(free, n, true);
    }
    false
}

fn set(free: &mut [bool], n: usize, to: bool) {
    if let Some(slot) = free.get_mut(n) {
        *slot = to;
    }
}
