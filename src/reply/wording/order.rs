//! Whether words keep the order of the passages: joining words aside, they are the sentences of the
//! passages, each whole and once, in whatever order. What is left out may be a condition.

use super::{carries, same};
use crate::answers::words::{Tongue, Word, sentences, words};

/// More sentences than that are no passages for one answer; they would have to come in order.
const SENTENCES: usize = 24;

/// Ways to lay them that are tried; sentences that begin alike are rare.
const STEPS: usize = 4096;

/// Words that join and point, and say nothing by themselves: they may come and go. No tense, no
/// owner, no preposition of place or time, nothing that says how often or how much.
const ENGLISH: &[&str] = &[
    "a", "an", "the", "and", "it", "this", "that", "these", "those", "which", "who", "also",
    "there", "here", "is", "are", "they", "of", "as", "well",
];
const GERMAN: &[&str] = &[
    "der", "die", "das", "den", "dem", "des", "ein", "eine", "einen", "einem", "einer", "eines",
    "und", "es", "dies", "diese", "dieser", "dieses", "auch", "ist", "sind", "sie", "er", "dort",
    "hier", "sowie", "dabei",
];
const FRENCH: &[&str] = &[
    "le", "la", "les", "l", "un", "une", "du", "de", "d", "et", "il", "elle", "ils", "elles", "ce",
    "cet", "cette", "ces", "qui", "que", "aussi", "est", "sont", "y",
];
const SPANISH: &[&str] = &[
    "el", "la", "los", "las", "un", "una", "y", "e", "de", "del", "este", "esta", "estos", "estas",
    "eso", "esto", "que", "tambien", "es", "son", "ellos", "ellas",
];
const PORTUGUESE: &[&str] = &[
    "o", "a", "os", "as", "um", "uma", "e", "de", "do", "da", "dos", "das", "este", "esta", "isto",
    "esse", "essa", "isso", "que", "tambem", "sao", "eles", "elas",
];
const ITALIAN: &[&str] = &[
    "il", "lo", "la", "i", "gli", "le", "l", "un", "uno", "una", "e", "ed", "di", "del", "della",
    "dei", "delle", "questo", "questa", "questi", "queste", "che", "anche", "sono",
];
const DUTCH: &[&str] = &[
    "de", "het", "een", "en", "dit", "dat", "deze", "die", "ook", "is", "zijn", "er", "ze", "hij",
    "zij",
];

/// Whether a word only joins. In a language that is not known none does.
pub(super) fn joins(form: &str, tongue: Tongue) -> bool {
    let list = match tongue {
        Tongue::English => ENGLISH,
        Tongue::German => GERMAN,
        Tongue::French => FRENCH,
        Tongue::Spanish => SPANISH,
        Tongue::Portuguese => PORTUGUESE,
        Tongue::Italian => ITALIAN,
        Tongue::Dutch => DUTCH,
        Tongue::Other => return false,
    };
    list.contains(&form)
}

/// Whether `worded` is made of the sentences of `passages`, joining words aside.
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
        return !free.contains(&true);
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
