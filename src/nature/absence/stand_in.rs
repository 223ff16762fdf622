//! Who stands in for an absent person, where a notice says so.

use std::fmt;

use serde::Serialize;

use crate::mime::bare_address;
use crate::model::address_key;
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
    "vertretung",
    "vertritt",
    "ubernimmt",
    "ist",
    "med",
    "write",
    "mail",
    "mailen",
    "zu",
    "с",
    "к",
];

/// Words that send the reader to somebody; all folded. With an address behind them they do.
const TURNS: &[&str] = &[
    "contact",
    "contacting",
    "contacter",
    "contactez",
    "contacte",
    "contactar",
    "contatar",
    "contate",
    "contattare",
    "contatti",
    "contattate",
    "contatta",
    "kontakt",
    "kontakta",
    "kontakte",
    "kontaktieren",
    "kontaktujte",
    "wenden",
    "forduljon",
    "keresse",
    "επικοινωνήστε",
    "contactati",
    "обращайтесь",
    "звертайтеся",
];

/// Words after which one word is a name: `Frau Schmidt`.
const PERSONAL_TITLES: &[&str] = &[
    "mr", "mrs", "ms", "miss", "dr", "prof", "frau", "herr", "herrn", "mme", "mlle", "monsieur",
    "madame", "sr", "sra", "sig", "signor", "signora", "dott", "dhr", "mevr", "mw", "heer",
    "mevrouw", "pan", "pani",
];

/// Small words within a name: `Jan de Vries`.
const PARTICLES: &[&str] = &[
    "de", "van", "von", "der", "den", "zu", "zur", "da", "di", "del", "della", "dos", "le", "la",
    "ter", "ten", "af", "bin", "al", "y",
];

/// The stand-in that a text names: in the first sentence that says whom to turn to, the address,
/// and the words in capitals at it.
///
/// `own` are the addresses of the absent person, who stands in for nobody.
pub(super) fn of(text: &str, own: &[&str]) -> Option<StandIn> {
    let text = prefix(text, MAX_TEXT_BYTES);
    let own: Vec<String> = own.iter().map(|a| address_key(a)).collect();
    for sentence in sentences(text) {
        let folded = fold(
            &sentence.replace(['(', ')', '（', '）'], " "),
            MAX_TEXT_BYTES,
        );
        let words: Vec<&str> = sentence.split_whitespace().collect();
        let other = |w: &&str| address_of(w).filter(|a| !own.contains(&address_key(a)));
        let at = words.iter().position(|w| other(w).is_some());
        let turns = lexicon::in_reply(&folded)
            .iter()
            .any(|h| h.cue == Cue::Urgent);
        // `Kontakta Erik Svensson erik@x.example`
        let sends = at.is_some_and(|at| {
            let before = words.get(..at).unwrap_or_default();
            before.iter().any(|w| TURNS.contains(&plain(w).as_str()))
        });
        if !turns && !sends {
            continue;
        }
        let address = at.and_then(|at| other(words.get(at)?));
        let name = match at {
            Some(at) => name_at(words.get(at).unwrap_or(&""))
                .or_else(|| name_before(&words, at))
                .or_else(|| name_after_cue(&words)),
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
            let ends = word.ends_with(['.', '!', '?', '。', '！']) && word.chars().count() > 4;
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

/// The address in a word, without what is written next to it: `ann@x.example<mailto:…>`,
/// `田中(tanaka@x.example)まで`.
fn address_of(word: &str) -> Option<String> {
    if !is_address(word) {
        return None;
    }
    let (local, domain) = word.split_once('@')?;
    let letter = |c: char| c.is_alphanumeric() && !lexicon::without_blanks(c);
    let in_local = |c: char| letter(c) || "!#$%&'*+-/=?^_`{}~.".contains(c);
    let in_domain = |c: char| letter(c) || matches!(c, '-' | '.');
    let start = local.rfind(|c| !in_local(c));
    let start = start.and_then(|at| Some(at + local.get(at..)?.chars().next()?.len_utf8()));
    let local = local.get(start.unwrap_or(0)..)?;
    let local = local.trim_start_matches(['.', '\'', '*', '!', '/']);
    let end = domain.find(|c| !in_domain(c)).unwrap_or(domain.len());
    let domain = domain.get(..end)?.trim_end_matches(['.', '-']);
    bare_address(&format!("{local}@{domain}"))
}

/// `田中(tanaka@x.example)`: the name that stands against the bracket.
fn name_at(word: &str) -> Option<String> {
    let (name, _) = word.split_once(['(', '（', '<', '：', ':'])?;
    let name = name.trim_end_matches(['様', '氏']);
    let name = name.rsplit(['は', '、', '，', '系', '絡', '络']).next()?;
    let short = (2..=6).contains(&name.chars().count());
    let han = |c: char| matches!(u32::from(c), 0x4e00..=0x9fff | 0x30a0..=0x30ff | 0xac00..=0xd7af);
    (short && name.chars().all(han)).then(|| name.to_owned())
}

fn plain(word: &str) -> String {
    fold_phrase(word.trim_matches(|c: char| !c.is_alphanumeric()))
}

/// A word of a name, without signs: it starts with a capital letter, and is no title.
fn name_word(word: &str) -> Option<&str> {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    let capital = bare.chars().next().is_some_and(char::is_uppercase);
    let letters = bare
        .chars()
        .all(|c| c.is_alphabetic() || matches!(c, '-' | '\'' | '’' | '.'));
    let folded = fold_phrase(bare);
    let title = TITLES.contains(&folded.trim_end_matches('.')) || TURNS.contains(&folded.as_str());
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
    let before = words.get(..address)?;
    for (at, word) in before.iter().enumerate().rev() {
        if !name.is_empty() && is_particle(before, at) {
            name.push(word);
            continue;
        }
        match name_word(word) {
            Some(part) => {
                name.push(part);
                if name.len() >= MAX_NAME_WORDS || word.starts_with(['(', ',']) {
                    break;
                }
            }
            // Between name and address: `at`, `unter`, `(`, `tel. 123`.
            None if name.is_empty() && passed < 4 => passed += 1,
            // `Herr Schmidt (...)`
            None if name.len() == 1 && is_personal(word) => {
                name.push(word);
                break;
            }
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
        let folded = plain(word);
        if !BEFORE_NAME.contains(&folded.as_str()) {
            continue;
        }
        let mut name: Vec<&str> = Vec::new();
        let mut title = None;
        let mut dialled = false;
        for (n, next) in words.iter().enumerate().skip(at + 1) {
            if !name.is_empty() && is_particle(words, n) {
                name.push(next);
                continue;
            }
            match name_word(next) {
                Some(part) => {
                    name.push(part);
                    let ends = next.ends_with([',', '.', ';', ':', ')']);
                    dialled = is_number_after(words, n + 1);
                    if ends || name.len() >= MAX_NAME_WORDS {
                        break;
                    }
                }
                None if name.is_empty() && is_title(next) => {
                    title = is_personal(next).then_some(*next);
                }
                None => break,
            }
        }
        match (name.as_slice(), title) {
            // `call Kim at 555-1234`
            ([one], None) if dialled => return Some((*one).to_owned()),
            ([one], Some(title)) => return Some(format!("{title} {one}")),
            ([_, _, ..], _) => return Some(name.join(" ")),
            _ => {}
        }
    }
    None
}

/// `de` between two words of a name.
fn is_particle(words: &[&str], at: usize) -> bool {
    let is = |at: usize| words.get(at).is_some_and(|w| PARTICLES.contains(w));
    let name = |at: usize| words.get(at).is_some_and(|w| name_word(w).is_some());
    let before = at
        .checked_sub(1)
        .is_some_and(|b| name(b) || is(b) && b.checked_sub(1).is_some_and(name));
    is(at) && before && (name(at + 1) || is(at + 1) && name(at + 2))
}

/// A telephone number, over a word like `at`.
fn is_number_after(words: &[&str], at: usize) -> bool {
    let number = |at: usize| {
        words.get(at).is_some_and(|w| {
            let w = w.trim_start_matches(['+', '(']);
            w.starts_with(|c: char| c.is_ascii_digit())
        })
    };
    let small = |w: &&str| w.chars().count() <= 5 && w.chars().all(char::is_lowercase);
    number(at) || words.get(at).is_some_and(small) && number(at + 1)
}

fn is_personal(word: &str) -> bool {
    let folded = plain(word);
    PERSONAL_TITLES.contains(&folded.as_str())
}

fn is_title(word: &str) -> bool {
    let folded = fold_phrase(word);
    TITLES.contains(&folded.trim_end_matches(['.', ',', ':']))
}
