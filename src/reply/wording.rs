//! Whether words that a model made of quoted passages may be sent instead of them. Pure, and on the
//! careful side: what is refused here costs nothing, because the passages are sent as they are.
//!
//! The words must say nothing that the passages do not: the same numbers, dates and amounts, no
//! link or address of their own, the same negations, no word with a meaning of its own that is
//! in neither passages nor a short list of joining words; and each sentence in the order of the
//! passages, because the same words in another order say something else.

mod order;

use std::collections::BTreeMap;

use super::fold::{self, Language};
use crate::answers::words::{Tongue, Word, words};

/// The words may be longer than the passages by this many.
const LONGER: usize = 12;
/// And must have at least one in so many of their words.
const SHORTER: usize = 4;

/// Why the words are not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing is left, or far less than the passages say.
    #[error("too short")]
    Short,
    /// Far more than the passages say.
    #[error("too long")]
    Long,
    /// Signs that are no sentences: markup, templates, control characters.
    #[error("signs that are no plain sentence")]
    Signs,
    /// A link or an address that is not in the passages.
    #[error("a link or an address that the passages do not have")]
    Link,
    /// Numbers, dates or amounts that are not those of the passages.
    #[error("other numbers than the passages")]
    Numbers,
    /// A negation more or less.
    #[error("a negation more or less than the passages")]
    Negation,
    /// Words about itself, or a refusal.
    #[error("words about itself")]
    Meta,
    /// A word that the passages do not have.
    #[error("words that the passages do not have")]
    New,
    /// The words of a sentence in another order, or some of them left out.
    #[error("another order than the passages")]
    Order,
    /// Not the language of the passages.
    #[error("another language")]
    Language,
}

/// Words that are about the model, the task or the sender's promises: never, also where a passage
/// has them by chance.
const META: &[&str] = &[
    "as an ai",
    "language model",
    "an assistant",
    "i cannot",
    "i can't",
    "i am unable",
    "i'm sorry",
    "i am sorry",
    "sorry, but",
    "the passage",
    "the document",
    "provided text",
    "the text says",
    "according to the",
    "based on the",
    "instruction",
    "system prompt",
    "json",
    "als ki",
    "sprachmodell",
    "ich kann nicht",
    "laut dem text",
    "der text",
    "es tut mir leid",
    "en tant qu",
    "como modelo",
    "lo siento",
    "je suis desole",
];

const NEGATIONS: &[&str] = &[
    "no",
    "not",
    "never",
    "none",
    "nothing",
    "nobody",
    "without",
    "neither",
    "nor",
    "cannot",
    "isn't",
    "aren't",
    "don't",
    "doesn't",
    "won't",
    "can't",
    "isnt",
    "arent",
    "dont",
    "doesnt",
    "wont",
    "cant",
    "unless",
    "except",
    "only",
    "nicht",
    "kein",
    "keine",
    "keinen",
    "keiner",
    "keinem",
    "keines",
    "nie",
    "niemals",
    "ohne",
    "weder",
    "nur",
    "ausser",
    "ne",
    "pas",
    "aucun",
    "aucune",
    "jamais",
    "sans",
    "seulement",
    "nunca",
    "ningun",
    "ninguna",
    "sin",
    "solo",
    "nao",
    "nenhum",
    "nenhuma",
    "sem",
    "apenas",
    "non",
    "nessun",
    "nessuna",
    "senza",
    "soltanto",
    "niet",
    "geen",
    "nooit",
    "zonder",
    "alleen",
];

/// Whether `worded` may be sent instead of `passages`, which are in `language`.
///
/// # Errors
/// Why not.
pub fn check(passages: &str, worded: &str, language: Language) -> Result<(), Refused> {
    let tongue = match language {
        Language::Known(code) => Tongue::of(code),
        Language::Other | Language::Unknown => Tongue::Other,
    };
    if worded
        .chars()
        .any(|c| c != '\n' && c.is_control() || "<>{}[]|`*#_\\~^=\u{2028}\u{2029}".contains(c))
        || worded.chars().any(is_hidden)
    {
        return Err(Refused::Signs);
    }
    let [source, own] = [passages, worded].map(|text| {
        let mut list = words(text, tongue);
        // "A" at the head of a sentence is read as the name of a building.
        list.retain(|w| w.stem != "a#");
        list
    });
    if own.len() > source.len().saturating_add(LONGER) {
        return Err(Refused::Long);
    }
    if own.len().saturating_mul(SHORTER) < source.len() || own.is_empty() {
        return Err(Refused::Short);
    }
    let folded = fold::fold(worded);
    let line = fold::one_line(&folded);
    if META.iter().any(|m| line.contains(m)) {
        return Err(Refused::Meta);
    }
    let known = links(passages);
    if !links(worded).iter().all(|l| known.contains(l)) {
        return Err(Refused::Link);
    }
    if signs_of_money(passages) != signs_of_money(worded) || numbers(&source) != numbers(&own) {
        return Err(Refused::Numbers);
    }
    if count(passages, NEGATIONS) != count(worded, NEGATIONS) {
        return Err(Refused::Negation);
    }
    let said = |w: &&Word| source.iter().any(|s| same(s, w));
    if !own.iter().filter(|w| carries(w, tongue)).all(|w| said(&w)) {
        return Err(Refused::New);
    }
    if !order::keeps(passages, &own, tongue) {
        return Err(Refused::Order);
    }
    let sounds = fold::language(&fold::fold(passages));
    match (sounds, fold::language(&folded)) {
        (Language::Known(want), Language::Known(code)) if want != code => Err(Refused::Language),
        _ => Ok(()),
    }
}

/// Whether a word has a meaning of its own.
fn carries(w: &Word, tongue: Tongue) -> bool {
    w.number || !order::joins(&w.form, tongue)
}

fn same(a: &Word, b: &Word) -> bool {
    a.stem == b.stem || a.form == b.form
}

/// Characters that change what is read without being seen.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
}

/// Everything that a mail program might make a link of, lowered.
fn links(text: &str) -> Vec<String> {
    text.split(|c: char| c.is_whitespace() || "()\"'<>,;".contains(c))
        .map(|word| word.trim_matches(['.', ':', '!', '?', '-']).to_lowercase())
        .filter(|word| {
            let dotted = word.split_once('.').is_some_and(|(before, after)| {
                before.chars().last().is_some_and(char::is_alphanumeric)
                    && after.chars().next().is_some_and(char::is_alphabetic)
            });
            word.contains('@') || word.contains("//") || word.starts_with("www.") || dotted
        })
        .collect()
}

/// Numbers with how often they stand there; a repeated one says nothing new.
fn numbers(list: &[Word]) -> Vec<&str> {
    let mut all: Vec<&str> = list
        .iter()
        .filter(|w| w.number || w.stem.chars().any(|c| c.is_ascii_digit()))
        .map(|w| w.stem.as_str())
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Signs that say what a number is.
fn signs_of_money(text: &str) -> Vec<char> {
    let mut signs: Vec<char> = text.chars().filter(|c| "€$£¥%°".contains(*c)).collect();
    signs.sort_unstable();
    signs.dedup();
    signs
}

/// How often each of `list` stands in a text.
fn count(text: &str, list: &[&'static str]) -> BTreeMap<&'static str, usize> {
    let folded = fold::fold(text);
    let mut found = BTreeMap::new();
    for word in folded.split(|c: char| !(c.is_alphanumeric() || c == '\'')) {
        if let Some(hit) = list.iter().find(|n| **n == word) {
            let n: &mut usize = found.entry(*hit).or_default();
            *n = n.saturating_add(1);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const EN: Language = Language::Known("en");
    const SOURCE: &str = "Dogs and cats are allowed in all flats; the owners' association keeps a \
list. Each flat has one parking space in the garage, which costs €18,500. The service charge is \
3.20 € per square metre and month and does not include heating. Write to care@park.example.";

    #[test]
    fn the_passages_with_other_joining_words_pass() {
        for worded in [
            SOURCE,
            "Dogs and cats are allowed in all the flats, and the owners' association keeps a list. \
             Each of the flats has one parking space in the garage, and it costs €18,500. The service \
             charge is 3.20 € per square metre and month, and it does not include the heating. Write \
             to care@park.example.",
        ] {
            let got = check(SOURCE, worded, EN);
            assert_eq!(got, Ok(()), "{worded}");
        }
    }

    #[test]
    fn whatever_the_passages_do_not_say_is_refused() {
        let with = |more: &str| format!("{SOURCE} {more}");
        for (worded, why) in [
            (with("See https://evil.example/pay."), Refused::Link),
            (with("Write to attacker@evil.example."), Refused::Link),
            (with("See evil.example."), Refused::Link),
            (with("See www.evil.example."), Refused::Link),
            (SOURCE.replace("18,500", "1,850"), Refused::Numbers),
            (SOURCE.replace("18,500", "eighteen"), Refused::Numbers),
            (SOURCE.replace("€18,500", "$18,500"), Refused::Numbers),
            (with("Ready in 2027."), Refused::Numbers),
            (
                SOURCE.replace(", which costs €18,500", ""),
                Refused::Numbers,
            ),
            (
                SOURCE.replace("does not include", "does include"),
                Refused::Negation,
            ),
            (
                SOURCE.replace("are allowed", "are not allowed"),
                Refused::Negation,
            ),
            (
                SOURCE.replace("are allowed", "are only allowed"),
                Refused::Negation,
            ),
            (
                SOURCE.replace("Dogs and cats", "Cats and dogs"),
                Refused::Order,
            ),
            (with("Yes."), Refused::New),
            (with("Horses too."), Refused::New),
            (with("A discount is possible."), Refused::New),
            (with("I have booked the flat."), Refused::New),
            (with("You may always do that."), Refused::New),
            (with("I'm sorry, but I can do that."), Refused::Meta),
            (with("As an AI I keep the list."), Refused::Meta),
            (SOURCE.replace("Dogs", "<b>Dogs</b>"), Refused::Signs),
            (SOURCE.replace("Dogs", "**Dogs**"), Refused::Signs),
            (with("{{ lead_email }}"), Refused::Signs),
            (SOURCE.replace("cats", "ca\u{200b}ts"), Refused::Signs),
            (SOURCE.replace("cats", "\u{202e}cats"), Refused::Signs),
            (with("\u{7}"), Refused::Signs),
            ("Dogs are allowed.".into(), Refused::Short),
            (String::new(), Refused::Short),
            (format!("{SOURCE} {SOURCE}"), Refused::Long),
        ] {
            assert_eq!(check(SOURCE, &worded, EN), Err(why), "{worded}");
        }
    }

    #[test]
    fn the_same_words_that_say_something_else_are_refused() {
        for (passages, worded, language) in [
            (
                "Dogs are allowed, but cats are not.",
                "Cats are allowed, but dogs are not.",
                "en",
            ),
            ("Dogs are allowed, but cats are not.", "Dogs are not.", "en"),
            (
                "Dogs are allowed, but cats are not.",
                "Dogs are not allowed, but cats are.",
                "en",
            ),
            (
                "Building A is completed in June 2027 and building B in May 2028.",
                "Building B is completed in June 2027 and building A in May 2028.",
                "en",
            ),
            (
                "Building A is completed in June 2027 and building B in May 2028.",
                "Building A is completed in May 2028, June 2027.",
                "en",
            ),
            (
                "Two cats or one dog per home.",
                "One dog or two cats per home.",
                "en",
            ),
            (
                "Two cats or one dog per home.",
                "Two cats and one dog per home.",
                "en",
            ),
            (
                "The bar is open after 10 pm.",
                "The bar is open before 10 pm.",
                "en",
            ),
            (
                "The pool is open in summer, the gym in winter.",
                "The pool is open in winter, the gym in summer.",
                "en",
            ),
            (
                "Hunde sind erlaubt, Katzen nicht.",
                "Katzen sind erlaubt, Hunde nicht.",
                "de",
            ),
            ("Der Preis gilt bis Mai.", "Der Preis gilt ab Mai.", "de"),
            (
                "Les chiens sont admis, les chats non.",
                "Les chats sont admis, les chiens non.",
                "fr",
            ),
        ] {
            let got = check(passages, worded, Language::Known(language));
            assert!(got.is_err(), "{worded}");
        }
        for (passages, worded) in [
            (
                "Dogs are allowed, but cats are not.",
                "The dogs are allowed, but the cats are not.",
            ),
            (
                "The pool is open in summer. The gym is open in winter.",
                "The gym is open in winter, and the pool is open in summer.",
            ),
        ] {
            assert_eq!(check(passages, worded, EN), Ok(()), "{worded}");
        }
    }

    #[test]
    fn a_translation_is_refused() {
        let german = "Hunde sind in allen Wohnungen erlaubt.";
        assert!(check("Dogs are allowed in all flats.", german, EN).is_err());
        let other = "Cani e gatti sono ammessi in tutti gli appartamenti.";
        let it = Language::Known("it");
        assert_eq!(check(other, other, it), Ok(()));
        assert!(check(other, "Dogs and cats are allowed in all flats.", it).is_err());
    }

    #[test]
    fn german_passages_are_checked_likewise() {
        let de = Language::Known("de");
        let source = "Hunde und Katzen sind erlaubt. Ein Stellplatz kostet 24.000 Euro und ist nicht im Preis enthalten.";
        let good = "Hunde und Katzen sind erlaubt, und ein Stellplatz kostet 24.000 Euro; er ist nicht im Preis enthalten.";
        assert_eq!(check(source, good, de), Ok(()));
        for bad in [
            good.replace("nicht ", ""),
            good.replace("24.000", "24"),
            good.replace("erlaubt", "verboten"),
            format!("Ja, {good}"),
        ] {
            assert!(check(source, &bad, de).is_err(), "{bad}");
        }
    }
}
