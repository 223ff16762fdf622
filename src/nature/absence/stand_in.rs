//! Who stands in for an absent person, where a notice says so.

use std::fmt;

use serde::Serialize;

use crate::mime::bare_address;
use crate::nature::fold::{fold, fold_phrase};
use crate::nature::lexicon::{self, Cue};
use crate::nature::prefix;

/// What of a notice is read.
const MAX_TEXT_BYTES: usize = 4000;
/// Words of a name.
const MAX_NAME_WORDS: usize = 4;

/// A stand-in, as written: one of the two is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StandIn {
    /// The name.
    pub name: Option<String>,
    /// The address.
    pub address: Option<String>,
}

impl fmt::Display for StandIn {
    /// `Ann Lee <ann@x.example>`, or what of it is there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, &self.address) {
            (Some(name), Some(address)) => write!(f, "{name} <{address}>"),
            (Some(one), None) | (None, Some(one)) => f.write_str(one),
            (None, None) => Ok(()),
        }
    }
}

/// Words that stand before a name and are none; all folded.
const TITLES: &[&str] = &[
    "mr",
    "mrs",
    "ms",
    "miss",
    "dr",
    "prof",
    "frau",
    "herr",
    "herrn",
    "hr",
    "fr",
    "m",
    "mme",
    "mlle",
    "monsieur",
    "madame",
    "sr",
    "sra",
    "don",
    "dona",
    "sig",
    "sigra",
    "signor",
    "signora",
    "dott",
    "dssa",
    "ing",
    "dhr",
    "mevr",
    "mw",
    "de",
    "heer",
    "mevrouw",
    "pan",
    "pani",
    "my",
    "our",
    "meine",
    "meinen",
    "mein",
    "meiner",
    "unsere",
    "unseren",
    "kollegin",
    "kollege",
    "kollegen",
    "colleague",
    "colleagues",
    "collega",
    "collegue",
    "companero",
    "companera",
    "colega",
    "kollega",
    "kollegan",
    "assistant",
    "assistentin",
    "assistent",
    "stellvertreter",
    "stellvertreterin",
    "vertretung",
    "manager",
    "the",
    "ma",
    "mon",
    "mes",
    "il",
    "la",
    "mi",
    "mijn",
    "min",
    "meu",
    "minha",
    "a",
    "al",
    "el",
    "le",
    "your",
    "please",
    "bitte",
    "an",
    "team",
];

/// Words after which a name stands; all folded.
const BEFORE_NAME: &[&str] = &[
    "contact",
    "contacting",
    "to",
    "an",
    "mich",
    "durch",
    "contacter",
    "contactez",
    "a",
    "con",
    "contactar",
    "contacte",
    "contattare",
    "contatti",
    "met",
    "kontakta",
    "kontakt",
    "kontakte",
    "kontaktieren",
    "sie",
    "call",
    "email",
    "colleague",
    "kollege",
    "kollegin",
    "kollegen",
    "collega",
    "collegue",
    "companero",
    "companera",
    "colega",
    "kollega",
    "mit",
    "by",
    "reach",
    "replaced",
    "assistant",
    "com",
    "till",
    "til",
    "z",
    "na",
    "por",
    "par",
    "da",
    "von",
    "is",
];

/// The stand-in that a text names: in the first sentence that says whom to turn to, the address,
/// and the words in capitals at it.
pub(super) fn of(text: &str) -> Option<StandIn> {
    let text = prefix(text, MAX_TEXT_BYTES);
    for sentence in sentences(text) {
        let folded = fold(&sentence, MAX_TEXT_BYTES);
        let turns = lexicon::in_reply(&folded)
            .iter()
            .any(|h| h.cue == Cue::Urgent);
        if !turns {
            continue;
        }
        let words: Vec<&str> = sentence.split_whitespace().collect();
        let at = words.iter().position(|w| is_address(w));
        let address = at.and_then(|at| address_of(words.get(at)?));
        let name = match at {
            Some(at) => name_before(&words, at).or_else(|| name_after_cue(&words)),
            None => name_after_cue(&words),
        };
        if name.is_some() || address.is_some() {
            return Some(StandIn { name, address });
        }
    }
    None
}

/// Sentences with the words as they were written. A stop between a name's parts (`Dr. Ann`) or
/// within an address ends none.
fn sentences(text: &str) -> Vec<String> {
    let mut sentences = vec![String::new()];
    let mut blank = false;
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() {
            blank = true;
            continue;
        }
        if blank {
            sentences.push(String::new());
            blank = false;
        }
        for word in line.split_whitespace() {
            let Some(open) = sentences.last_mut() else {
                break;
            };
            open.push_str(word);
            open.push(' ');
            let plain = fold_phrase(word);
            let ends = word.ends_with(['.', '!', '?', '。']) && word.chars().count() > 4;
            let title = TITLES.contains(&plain.trim_end_matches('.'));
            let number = word
                .trim_end_matches('.')
                .ends_with(|c: char| c.is_ascii_digit());
            if ends && !title && !number {
                sentences.push(String::new());
            }
        }
    }
    sentences
}

fn is_address(word: &str) -> bool {
    let at = word.find('@').unwrap_or_default();
    at > 0
        && word
            .get(at..)
            .is_some_and(|d| d.len() > 3 && d.contains('.'))
}

fn address_of(word: &str) -> Option<String> {
    // `ann@x.example<mailto:ann@x.example>`
    let first = word.split("<mailto:").next().filter(|w| is_address(w));
    let word = first.unwrap_or(word);
    let marks = |c: char| {
        matches!(
            c,
            '(' | ')'
                | '['
                | ']'
                | '<'
                | '>'
                | ','
                | ';'
                | ':'
                | '.'
                | '!'
                | '"'
                | '\''
                | '|'
                | '*'
        )
    };
    bare_address(word.trim_matches(marks))
}

/// A word of a name, without signs: it starts with a capital letter, and is no title.
fn name_word(word: &str) -> Option<&str> {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    let capital = bare.chars().next().is_some_and(char::is_uppercase);
    let letters = bare
        .chars()
        .all(|c| c.is_alphabetic() || matches!(c, '-' | '\'' | '’' | '.'));
    let folded = fold_phrase(bare);
    let title = TITLES.contains(&folded.trim_end_matches('.'));
    (capital && letters && !title && bare.chars().count() > 1 && !is_common(&folded))
        .then_some(bare)
}

/// Nouns that German writes with a capital letter, and words at the start of sentences.
fn is_common(folded: &str) -> bool {
    matches!(
        folded,
        "email"
            | "mail"
            | "tel"
            | "telefon"
            | "phone"
            | "mobile"
            | "mobil"
            | "in"
            | "im"
            | "for"
            | "bei"
            | "fallen"
            | "fall"
            | "sie"
            | "you"
            | "if"
            | "en"
            | "em"
            | "per"
            | "pour"
            | "voor"
            | "vid"
            | "fur"
            | "notfall"
            | "notfallen"
            | "zeit"
            | "buro"
            | "zentrale"
            | "sekretariat"
            | "vertretungsweise"
            | "office"
            | "support"
            | "service"
            | "sales"
            | "wenden"
            | "contact"
            | "call"
            | "kontakt"
            | "kontaktieren"
            | "anliegen"
            | "fragen"
            | "abwesenheit"
            | "adresse"
            | "emailadresse"
            | "nummer"
            | "durchwahl"
            | "kollegium"
            | "help"
            | "desk"
            | "helpdesk"
            | "customer"
            | "care"
            | "info"
            | "and"
            | "or"
            | "und"
    )
}

/// The words in capitals before an address, over signs and words like `at`.
fn name_before(words: &[&str], address: usize) -> Option<String> {
    let mut name: Vec<&str> = Vec::new();
    let mut passed = 0;
    for word in words.get(..address)?.iter().rev() {
        match name_word(word) {
            Some(part) => {
                name.push(part);
                if name.len() >= MAX_NAME_WORDS || word.starts_with(['(', ',']) {
                    break;
                }
            }
            // Between name and address: `at`, `unter`, `(`, `tel. 123`.
            None if name.is_empty() && passed < 4 => passed += 1,
            None => break,
        }
    }
    name.reverse();
    // A single word may be the start of a sentence.
    (name.len() >= 2).then(|| name.join(" "))
}

/// Two and more words in capitals after a word like `contact`.
fn name_after_cue(words: &[&str]) -> Option<String> {
    for (at, word) in words.iter().enumerate() {
        let folded = fold_phrase(word.trim_matches(|c: char| !c.is_alphanumeric()));
        if !BEFORE_NAME.contains(&folded.as_str()) {
            continue;
        }
        let mut name: Vec<&str> = Vec::new();
        for next in words.iter().skip(at + 1) {
            match name_word(next) {
                Some(part) => {
                    name.push(part);
                    let ends = next.ends_with([',', '.', ';', ':', ')']);
                    if ends || name.len() >= MAX_NAME_WORDS {
                        break;
                    }
                }
                None if name.is_empty() && is_title(next) => {}
                None => break,
            }
        }
        if name.len() >= 2 {
            return Some(name.join(" "));
        }
    }
    None
}

fn is_title(word: &str) -> bool {
    let folded = fold_phrase(word);
    TITLES.contains(&folded.trim_end_matches(['.', ',', ':']))
}
