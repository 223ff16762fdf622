//! What is to be known of a language beside its synonyms: words that say nothing, words that say
//! little, number words, and the phrases by which a question asks for an amount, a day, a place.
//!
//! They stand in `lexicon/<code>.txt`, in lines that begin with `@`: `@stop` and `@light` with
//! words, `@numbers` with `word=digits`, `@fillers` with phrases that are taken out of a question,
//! and `@money`, `@number`, `@size`, `@duration`, `@distance`, `@time`, `@place`, `@person`,
//! `@contact` with phrases, divided by commas. Everything is compared folded.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::kind::Kind;
use super::words::{self, Tongue};
use crate::reply::fold;

/// One language.
#[derive(Debug, Default)]
pub struct Grammar {
    stop: HashSet<String>,
    light: HashSet<String>,
    numbers: HashMap<String, String>,
    asks: Vec<(Kind, String)>,
    known: bool,
}

/// The embedded list of a language.
#[must_use]
pub fn embedded(tongue: Tongue) -> &'static str {
    match tongue {
        Tongue::English => include_str!("lexicon/en.txt"),
        Tongue::German => include_str!("lexicon/de.txt"),
        Tongue::French => include_str!("lexicon/fr.txt"),
        Tongue::Spanish => include_str!("lexicon/es.txt"),
        Tongue::Portuguese => include_str!("lexicon/pt.txt"),
        Tongue::Italian => include_str!("lexicon/it.txt"),
        Tongue::Dutch => include_str!("lexicon/nl.txt"),
        Tongue::Other => "",
    }
}

/// That of a language; read on first need.
#[must_use]
pub fn of(tongue: Tongue) -> &'static Grammar {
    static ENGLISH: LazyLock<Grammar> = LazyLock::new(|| Grammar::read(Tongue::English));
    static GERMAN: LazyLock<Grammar> = LazyLock::new(|| Grammar::read(Tongue::German));
    static FRENCH: LazyLock<Grammar> = LazyLock::new(|| Grammar::read(Tongue::French));
    static SPANISH: LazyLock<Grammar> = LazyLock::new(|| Grammar::read(Tongue::Spanish));
    static PORTUGUESE: LazyLock<Grammar> = LazyLock::new(|| Grammar::read(Tongue::Portuguese));
    static ITALIAN: LazyLock<Grammar> = LazyLock::new(|| Grammar::read(Tongue::Italian));
    static DUTCH: LazyLock<Grammar> = LazyLock::new(|| Grammar::read(Tongue::Dutch));
    static OTHER: LazyLock<Grammar> = LazyLock::new(Grammar::default);
    match tongue {
        Tongue::English => &ENGLISH,
        Tongue::German => &GERMAN,
        Tongue::French => &FRENCH,
        Tongue::Spanish => &SPANISH,
        Tongue::Portuguese => &PORTUGUESE,
        Tongue::Italian => &ITALIAN,
        Tongue::Dutch => &DUTCH,
        Tongue::Other => &OTHER,
    }
}

/// A phrase as it stands in the forms of a question: "quelle est l'adresse" without the "l'".
fn phrase(text: &str, tongue: Tongue) -> String {
    let elides = matches!(tongue, Tongue::French | Tongue::Italian);
    let forms: Vec<&str> = text
        .split_whitespace()
        .map(|w| {
            if elides {
                w.rsplit('\'').next().unwrap_or(w)
            } else {
                w
            }
        })
        .filter(|w| !(elides && matches!(*w, "l" | "d")))
        .collect();
    format!(" {} ", forms.join(" "))
}

impl Grammar {
    fn read(tongue: Tongue) -> Self {
        let mut grammar = Self {
            known: true,
            ..Self::default()
        };
        for line in embedded(tongue).lines() {
            let Some((name, rest)) = line.strip_prefix('@').and_then(|l| l.split_once(' ')) else {
                continue;
            };
            let folded = fold::fold(rest);
            let words = || folded.split_whitespace().map(str::to_owned);
            match name {
                "stop" => grammar.stop.extend(words()),
                "light" => grammar
                    .light
                    .extend(words().map(|w| words::stem(&w, tongue))),
                "numbers" => grammar.numbers.extend(words().filter_map(|w| {
                    let (word, digits) = w.split_once('=')?;
                    Some((word.to_owned(), digits.to_owned()))
                })),
                name => {
                    if let Some(kind) = Kind::named(name) {
                        let phrases = folded.split(',').map(|p| phrase(p, tongue));
                        grammar.asks.extend(phrases.map(|p| (kind, p)));
                    }
                }
            }
        }
        grammar
    }

    /// Whether a word is left out of a question.
    #[must_use]
    pub fn is_stop(&self, form: &str) -> bool {
        let letters = form.chars().count();
        letters < 2 || (!self.known && letters < 4) || self.stop.contains(form)
    }

    /// Whether a stem counts half: it narrows a question down, but is often said otherwise.
    #[must_use]
    pub fn is_light(&self, stem: &str) -> bool {
        self.light.contains(stem)
    }

    /// The digits of a number word.
    #[must_use]
    pub fn number(&self, form: &str) -> Option<&str> {
        self.numbers.get(form).map(String::as_str)
    }

    /// What a question asks for by the listed phrases: `line` has its forms between blanks, one
    /// at each end too. A phrase that ends in `*` goes on within its last word.
    #[must_use]
    pub fn asked(&self, line: &str) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = Vec::new();
        for (kind, phrase) in &self.asks {
            let hit = match phrase.trim_end().strip_suffix('*') {
                Some(open) => line.contains(open),
                None => line.contains(phrase.as_str()),
            };
            if hit && !kinds.contains(kind) {
                kinds.push(*kind);
            }
        }
        kinds
    }
}
