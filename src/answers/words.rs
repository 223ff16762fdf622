//! Words of a text as the retrieval compares them: folded, without inflection, numbers in one
//! form; and sentences.

use super::grammar;
use crate::reply::fold;

/// The languages whose inflections are known; others are compared as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tongue {
    /// English.
    English,
    /// German.
    German,
    /// French.
    French,
    /// Spanish.
    Spanish,
    /// Portuguese.
    Portuguese,
    /// Italian.
    Italian,
    /// Dutch.
    Dutch,
    /// Any other.
    Other,
}

impl Tongue {
    /// By ISO 639-1 code.
    #[must_use]
    pub fn of(code: &str) -> Self {
        match code {
            "en" => Self::English,
            "de" => Self::German,
            "fr" => Self::French,
            "es" => Self::Spanish,
            "pt" => Self::Portuguese,
            "it" => Self::Italian,
            "nl" => Self::Dutch,
            _ => Self::Other,
        }
    }
}

/// One word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Lowered, accents folded.
    pub form: String,
    /// Without inflection; of a number its digits.
    pub stem: String,
    /// Whether it is a number.
    pub number: bool,
    /// Whether it was written with a capital.
    pub capital: bool,
}

/// Longest text that is cut into words.
const MAX_CHARS: usize = 3_900;

/// Measures of area that hold a digit.
const MEASURES: &[&str] = &["m2", "ft2", "sqm", "qm", "mq"];

/// The words of a text, in order.
#[must_use]
pub fn words(text: &str, tongue: Tongue) -> Vec<Word> {
    // "m²" is a measure, no exponent.
    let text: String = text
        .chars()
        .take(MAX_CHARS)
        .map(|c| match c {
            '²' => '2',
            '³' => '3',
            c => c,
        })
        .collect();
    let mut found: Vec<Word> = Vec::new();
    for raw in text
        .split(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '\u{2019}' | '.' | ',' | '+')))
    {
        let raw = raw.trim_matches(['\'', '\u{2019}', '.', ',']);
        if raw.is_empty() {
            continue;
        }
        if MEASURES.iter().any(|m| raw.eq_ignore_ascii_case(m)) {
            found.push(Word {
                stem: "m2".to_owned(),
                form: "m2".to_owned(),
                number: false,
                capital: false,
            });
            continue;
        }
        if raw.contains(|c: char| c.is_ascii_digit()) {
            add_number(&mut found, raw);
            continue;
        }
        for piece in raw.split(['.', ',']).filter(|p| !p.is_empty()) {
            add_word(&mut found, piece, tongue);
        }
    }
    name_ones(&mut found);
    found
}

fn add_word(found: &mut Vec<Word>, raw: &str, tongue: Tongue) {
    let capital = raw.chars().next().is_some_and(char::is_uppercase);
    let form = fold::fold(raw);
    let form = uncontracted(&form, tongue).replace('\'', "");
    let form = form.trim_end_matches('+').to_owned();
    if form.is_empty() {
        return;
    }
    // "Building C": a letter that names one of several, as a number does.
    if capital && raw.chars().count() == 1 && !found.is_empty() && !matches!(raw, "I") {
        found.push(Word {
            stem: format!("{form}#"),
            form,
            number: true,
            capital,
        });
        return;
    }
    if let Some(digits) = number_word(&form, tongue) {
        found.push(Word {
            stem: digits.to_owned(),
            number: form != "one",
            form,
            capital,
        });
        return;
    }
    if let Some((digits, rest)) = compound(&form, tongue) {
        found.push(Word {
            form: form.clone(),
            stem: digits.to_owned(),
            number: true,
            capital: false,
        });
        add_word(found, rest, tongue);
        return;
    }
    found.push(Word {
        stem: stem(&form, tongue),
        form,
        number: false,
        capital,
    });
}

/// Without what a contraction joins to the word: "we've", "what's", "l'appartement", "dell'IVA".
fn uncontracted(form: &str, tongue: Tongue) -> &str {
    match tongue {
        Tongue::French | Tongue::Italian => form.rsplit('\'').next().unwrap_or(form),
        _ => {
            let mut form = form;
            for ending in ["'s", "n't", "'ve", "'re", "'ll", "'d", "'m"] {
                form = form.strip_suffix(ending).unwrap_or(form);
            }
            form
        }
    }
}

/// "11kW" is 11 and kw; "265,000" and "265.000" are one number; "4.9" and "4,9" are another.
fn add_number(found: &mut Vec<Word>, raw: &str) {
    let mut digits = String::new();
    let mut letters = String::new();
    let flush_digits = |digits: &mut String, found: &mut Vec<Word>| {
        let clean = digits.trim_matches([',', '.']).to_owned();
        digits.clear();
        if !clean.is_empty() {
            let stem = number(&clean);
            found.push(Word {
                form: stem.clone(),
                stem,
                number: true,
                capital: false,
            });
        }
    };
    let flush_letters = |letters: &mut String, found: &mut Vec<Word>| {
        let form = fold::fold(letters);
        letters.clear();
        if !form.is_empty() && !matches!(form.as_str(), "st" | "nd" | "rd" | "th") {
            found.push(Word {
                stem: form.clone(),
                form,
                number: false,
                capital: false,
            });
        }
    };
    for c in raw.chars() {
        if c.is_ascii_digit() || (matches!(c, ',' | '.') && !digits.is_empty()) {
            flush_letters(&mut letters, found);
            digits.push(c);
        } else if c.is_alphabetic() {
            flush_digits(&mut digits, found);
            letters.push(c);
        }
    }
    flush_digits(&mut digits, found);
    flush_letters(&mut letters, found);
}

/// Without thousands' marks, with a decimal point.
fn number(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let groups: Vec<&str> = raw.split([',', '.']).collect();
    for (n, group) in groups.iter().enumerate() {
        if n > 0 && group.len() != 3 {
            out.push('.');
        }
        out.push_str(group);
    }
    out
}

fn number_word(form: &str, tongue: Tongue) -> Option<&'static str> {
    grammar::of(tongue).number(form)
}

/// "dreizimmerwohnung" is 3 and "zimmerwohnung", "driekamerwoning" 3 and "kamerwoning".
fn compound(form: &str, tongue: Tongue) -> Option<(&'static str, &str)> {
    let (numbers, part): (&[_], _) = match tongue {
        Tongue::German => (
            &[
                ("ein", "1"),
                ("zwei", "2"),
                ("drei", "3"),
                ("vier", "4"),
                ("funf", "5"),
            ],
            "zimmer",
        ),
        Tongue::Dutch => (
            &[
                ("een", "1"),
                ("twee", "2"),
                ("drie", "3"),
                ("vier", "4"),
                ("vijf", "5"),
            ],
            "kamer",
        ),
        _ => return None,
    };
    numbers.iter().find_map(|(word, digits)| {
        let rest = form.strip_prefix(word)?;
        rest.starts_with(part).then_some((*digits, rest))
    })
}

/// "one" counts as a number only in front of what is counted ("one-bedroom", "one dog").
fn name_ones(found: &mut [Word]) {
    const COUNTED: &[&str] = &[
        "bed", "bedroom", "room", "dog", "cat", "pet", "car", "bike", "person", "adult", "child",
        "year", "month", "week", "day", "hour", "bathroom", "seat", "night",
    ];
    for n in 0..found.len() {
        let counted = found
            .get(n.saturating_add(1))
            .is_some_and(|next| COUNTED.contains(&next.stem.as_str()));
        if let Some(word) = found.get_mut(n)
            && word.form == "one"
        {
            word.number = counted;
            if !counted {
                "one".clone_into(&mut word.stem);
            }
        }
    }
}

/// A word without its inflection. Light on purpose: what it misses the character grams find,
/// what it joined wrongly nothing takes apart again.
#[must_use]
pub fn stem(form: &str, tongue: Tongue) -> String {
    match tongue {
        Tongue::English => english(form),
        Tongue::German => german(form),
        Tongue::French => suffixed(form, &["s", "x"], &["ee", "e"]),
        Tongue::Spanish => suffixed(form, &["es", "s"], &["a", "o", "e"]),
        Tongue::Portuguese => suffixed(form, &["s"], &["a", "o", "e"]),
        Tongue::Italian => suffixed(form, &[], &["hi", "he", "i", "e", "a", "o"]),
        Tongue::Dutch => dutch(form),
        Tongue::Other => form.to_owned(),
    }
}

/// Without the mark of the plural, then without that of the gender.
fn suffixed(form: &str, plural: &[&str], gender: &[&str]) -> String {
    let mut s = form;
    for endings in [plural, gender] {
        for ending in endings {
            if let Some(rest) = s.strip_suffix(ending)
                && rest.len() >= 3
            {
                s = rest;
                break;
            }
        }
    }
    s.to_owned()
}

/// "woningen" and "woning", "plaatsen" and "plaats", "huizen" and "huis".
fn dutch(form: &str) -> String {
    let mut s = form.to_owned();
    for ending in ["en", "s", "e", "t"] {
        if let Some(rest) = s.strip_suffix(ending)
            && rest.len() >= 3
        {
            s = rest.to_owned();
            break;
        }
    }
    for (long, short) in [("aa", "a"), ("ee", "e"), ("oo", "o"), ("uu", "u")] {
        s = s.replace(long, short);
    }
    let bytes = s.as_bytes();
    if bytes.len() > 3 && bytes.last() == bytes.get(bytes.len().wrapping_sub(2)) {
        s.pop();
    }
    if let Some(rest) = s.strip_suffix('z') {
        s = format!("{rest}s");
    } else if let Some(rest) = s.strip_suffix('v') {
        s = format!("{rest}f");
    }
    s
}

fn english(form: &str) -> String {
    let mut s = form.to_owned();
    let irregular = match form {
        "paid" | "pays" => "pay",
        "sold" => "sell",
        "bought" => "buy",
        "built" => "build",
        "kept" => "keep",
        "left" => "left",
        "children" => "child",
        "people" => "people",
        "feet" => "foot",
        "lent" => "lend",
        "spent" => "spend",
        "meant" => "mean",
        "met" => "meet",
        "costs" => "cost",
        "gas" => "gas",
        // Things, not what somebody does.
        "flooring" | "parking" | "building" | "lighting" | "housing" | "clothing" => form,
        "buildings" => "building",
        "bus" | "buses" => "bus",
        "glass" | "class" | "access" => form,
        "classes" => "class",
        "keys" => "key",
        "news" | "address" | "addresses" => "address",
        _ => "",
    };
    if !irregular.is_empty() {
        return irregular.to_owned();
    }
    if s.len() > 4 && s.ends_with("ies") {
        s.truncate(s.len() - 3);
        s.push('y');
    } else if s.len() > 4
        && ["sses", "shes", "ches", "xes", "zes"]
            .iter()
            .any(|e| s.ends_with(e))
    {
        s.truncate(s.len() - 2);
    } else if s.len() > 3 && s.ends_with('s') && !s.ends_with("ss") && !s.ends_with("us") {
        s.truncate(s.len() - 1);
    }
    for (ending, least) in [
        ("ational", 4),
        ("ization", 4),
        ("isation", 4),
        ("ation", 4),
        ("ment", 3),
        ("ness", 4),
        ("ing", 3),
        ("ied", 3),
        ("ed", 3),
        ("ly", 4),
    ] {
        if let Some(rest) = s.strip_suffix(ending)
            && rest.len() >= least
            && rest.contains(['a', 'e', 'i', 'o', 'u', 'y'])
        {
            let mut rest = rest.to_owned();
            if matches!(ending, "ied") {
                rest.push('y');
            }
            let bytes = rest.as_bytes();
            let double = bytes.len() > 3
                && bytes.last() == bytes.get(bytes.len().wrapping_sub(2))
                && !rest.ends_with(['l', 's', 'z', 'e', 'o']);
            if double {
                rest.pop();
            }
            s = rest;
            break;
        }
    }
    if s.len() > 3 && s.ends_with('e') {
        s.pop();
    }
    if s.len() > 3 && s.ends_with('y') {
        s.pop();
        s.push('i');
    }
    s
}

fn german(form: &str) -> String {
    let mut s = form;
    for ending in ["ern", "em", "en", "er", "es", "e", "n", "s"] {
        if let Some(rest) = s.strip_suffix(ending)
            && rest.len() >= 4
        {
            s = rest;
            break;
        }
    }
    s.to_owned()
}

/// The sentences of a passage, as written. A list's items are sentences of their own.
#[must_use]
pub fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in blocks(text) {
        cut(line, &mut found);
    }
    found
}

/// Paragraphs and list items: lines that go on are one.
fn blocks(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start();
        let item = bare.starts_with(['-', '*', '•', '|']) || bare.is_empty();
        if item && at > start {
            found.extend(text.get(start..at));
            start = at;
        }
        at = at.saturating_add(line.len());
    }
    found.extend(text.get(start..));
    found.retain(|block| !block.trim().is_empty());
    found
}

/// Endings before which a point does not end a sentence.
const ABBREVIATIONS: &[&str] = &[
    "e.g", "i.e", "approx", "ca", "no", "nr", "st", "mr", "mrs", "ms", "dr", "prof", "max", "min",
    "incl", "excl", "tel", "z.b", "d.h", "bzw", "inkl", "zzgl", "str", "usw", "vs", "p.a",
];

fn cut<'t>(line: &'t str, found: &mut Vec<&'t str>) {
    let mut start = 0;
    for (at, c) in line.char_indices() {
        if !matches!(c, '.' | '!' | '?') {
            continue;
        }
        let rest = line.get(at + c.len_utf8()..).unwrap_or_default();
        if !rest.starts_with(char::is_whitespace) {
            continue;
        }
        let next = rest.trim_start().chars().next();
        let begins =
            next.is_none_or(|n| n.is_uppercase() || n.is_ascii_digit() || "\"'(€$£".contains(n));
        let before = line.get(start..at).unwrap_or_default();
        let last = before
            .rsplit(char::is_whitespace)
            .next()
            .unwrap_or_default()
            .trim_start_matches(['(', '"'])
            .to_lowercase();
        let ordinal = c == '.' && last.len() <= 2 && last.parse::<u8>().is_ok();
        if c == '.' && (!begins || ordinal || ABBREVIATIONS.contains(&last.as_str())) {
            continue;
        }
        push(line.get(start..at + c.len_utf8()), found);
        start = at + c.len_utf8();
    }
    push(line.get(start..), found);
}

fn push<'t>(sentence: Option<&'t str>, found: &mut Vec<&'t str>) {
    let bare = sentence
        .unwrap_or_default()
        .trim()
        .trim_start_matches(['-', '*', '•'])
        .trim();
    if bare.chars().any(char::is_alphanumeric) {
        found.push(bare);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stems(text: &str, tongue: Tongue) -> Vec<String> {
        words(text, tongue).into_iter().map(|w| w.stem).collect()
    }

    #[test]
    fn numbers_of_both_notations_are_one_form() {
        assert_eq!(
            stems(
                "€265,000, 265.000 Euro, 4.9 % or 4,9; 11kW, 1,150,000",
                Tongue::Other
            ),
            [
                "265000", "265000", "euro", "4.9", "or", "4.9", "11", "kw", "1150000"
            ]
        );
        assert_eq!(
            stems("Dreizimmerwohnung", Tongue::German),
            ["3", "zimmerwohnung"]
        );
        assert_eq!(
            stems("one-bedroom flats", Tongue::English),
            ["1", "bedroom", "flat"]
        );
        assert_eq!(stems("which one", Tongue::English), ["which", "one"]);
    }

    #[test]
    fn inflections_are_taken_off() {
        for (a, b) in [
            ("parks", "parked"),
            ("heated", "heating"),
            ("prices", "pricing"),
            ("balconies", "balcony"),
            ("allowed", "allow"),
            ("installation", "installed"),
            ("rented", "renting"),
        ] {
            assert_eq!(english(a), english(b), "{a} {b}");
        }
        assert_eq!(german("hunde"), german("hunden"));
        assert_eq!(german("wohnungen"), german("wohnung"));
    }

    #[test]
    fn sentences_end_where_a_reader_sees_it() {
        assert_eq!(
            sentences("Open from 7 a.m. to 11 p.m. daily. Ask No. 5, e.g. Ann! It costs 1.5 k."),
            [
                "Open from 7 a.m. to 11 p.m. daily.",
                "Ask No. 5, e.g. Ann!",
                "It costs 1.5 k."
            ]
        );
        assert_eq!(
            sentences("A list:\n- one\n- two goes\n  on\n\nEnd"),
            ["A list:", "one", "two goes\n  on", "End"]
        );
        assert_eq!(
            sentences("Am 1. Oktober. Danach nicht."),
            ["Am 1. Oktober.", "Danach nicht."]
        );
    }
}
