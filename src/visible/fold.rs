//! Small readings of a line: without marks, in lower case, and whether it holds a date, a time of
//! day or an address. No regular expressions: each is one pass.

/// Marks that mail programs and people put around a line.
fn is_mark(c: char) -> bool {
    matches!(c, '*' | '_' | '>' | '|' | '"' | '“' | '”' | '«' | '»')
        || c.is_whitespace()
        || is_invisible(c)
}

/// Marks of writing direction, joiners, and the like.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
}

/// Lower case, without marks at its ends, white space as single blanks, invisible marks gone.
pub(super) fn fold(line: &str) -> String {
    let line = line.trim_matches(is_mark);
    let mut out = String::with_capacity(line.len());
    let mut blank = false;
    for c in line.chars() {
        if c.is_whitespace() {
            blank = true;
        } else if !is_invisible(c) {
            if blank {
                out.push(' ');
                blank = false;
            }
            out.extend(c.to_lowercase());
        }
    }
    out
}

/// Without marks at its start.
pub(super) fn without_marks(line: &str) -> &str {
    line.trim_start_matches(is_mark)
}

/// The last character that is no mark.
pub(super) fn last_char(line: &str) -> Option<char> {
    line.trim_end_matches(is_mark).chars().next_back()
}

/// Whether it holds an address: something, `@`, something with a dot or in brackets.
pub(super) fn has_address(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, after) = rest.split_at(at);
        let after = after.get(1..).unwrap_or_default();
        let word = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '=');
        if before.chars().next_back().is_some_and(word) && after.chars().next().is_some_and(word) {
            return true;
        }
        rest = after;
    }
    // Web archives and some programs hide the address behind its link.
    text.contains("<mailto:")
}

/// The runs of digits of a text with what stands behind each.
fn numbers(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let at = rest.find(|c: char| c.is_ascii_digit())?;
        let (_, from) = rest.split_at(at);
        let end = from
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(from.len());
        let (digits, behind) = from.split_at(end);
        rest = behind;
        Some((digits, behind))
    })
}

/// Whether it holds a year, or day and month (`3.5.24`, `3/5/24`, `3. mai`, `3 May`, `5月3日`).
pub(super) fn has_date(text: &str) -> bool {
    let mut parts = 0;
    for (digits, behind) in numbers(text) {
        if digits.len() == 4 && (digits.starts_with("19") || digits.starts_with("20")) {
            return true;
        }
        if behind.starts_with(['年', '月', '년', '월']) {
            return true;
        }
        let short = digits.len() <= 2;
        if short && parts == 2 {
            return true;
        }
        parts = match behind.chars().next() {
            Some('.' | '/' | '-') if short && next_is_digit(behind) => parts + 1,
            _ => 0,
        };
        // A day and a month in words.
        let word = behind.trim_start_matches(['.', ' ']);
        if short && behind.starts_with([' ', '.']) && is_month(word) {
            return true;
        }
    }
    false
}

fn next_is_digit(behind: &str) -> bool {
    behind
        .chars()
        .nth(1)
        .is_some_and(|c| c.is_ascii_digit() || c == ' ')
}

/// Whether a text starts with the name of a month in a frequent language, by its first letters.
fn is_month(text: &str) -> bool {
    const MONTHS: &[&str] = &[
        "jan", "feb", "mar", "mär", "apr", "may", "mai", "jun", "jul", "aug", "sep", "oct", "okt",
        "nov", "dec", "dez", "fév", "avr", "jui", "aoû", "déc", "ene", "abr", "ago", "dic", "fev",
        "set", "out", "gen", "mag", "giu", "lug", "ott", "mei", "maj", "mrt", "sty", "lut", "kwi",
        "cze", "lip", "sie", "wrz", "paź", "lis", "gru", "янв", "фев", "мар", "апр", "мая", "май",
        "июн", "июл", "авг", "сен", "окт", "ноя", "дек", "oca", "şub", "nis", "haz", "tem", "ağu",
        "eyl", "eki", "kas", "ara", "tam", "hel", "maa", "huh", "tou", "kes", "hei", "elo", "syy",
        "lok", "mar", "jou", "led", "úno", "bře", "dub", "kvě", "čer", "srp", "zář", "říj", "pro",
    ];
    let head: String = text.chars().take(3).collect::<String>().to_lowercase();
    head.chars().count() == 3 && MONTHS.contains(&head.as_str())
}

/// Whether it holds a time of day: `10:00`, `10.00 Uhr`, `10h30`, `kl. 10.00`.
pub(super) fn has_time(text: &str) -> bool {
    let mut hour = 0_usize;
    for (at, c) in text.char_indices() {
        if c.is_ascii_digit() {
            hour += 1;
            continue;
        }
        let after_hour = (1..=2).contains(&hour);
        hour = 0;
        if after_hour && matches!(c, ':' | '.' | 'h' | '：') {
            let rest = text.get(at + c.len_utf8()..).unwrap_or_default();
            let minutes = rest.bytes().take_while(u8::is_ascii_digit).count();
            // `3.05.2024` is a date.
            let date = c == '.' && rest.get(2..).is_some_and(|r| r.starts_with('.'));
            if minutes == 2 && !date && rest.starts_with(|d: char| ('0'..='5').contains(&d)) {
                return true;
            }
        }
        if matches!(c, '点' | '時' | '시') && after_hour {
            return true;
        }
    }
    false
}

/// Whether `word` stands in `text` as a word of its own.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    find_word(text, word).is_some()
}

/// Where `word` stands in `text` as a word of its own.
pub(super) fn find_word(text: &str, word: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(rest) = text.get(from..)
        && let Some(at) = rest.find(word)
    {
        let start = from + at;
        let end = start + word.len();
        let letter = |c: char| c.is_alphabetic();
        let before = text.get(..start).and_then(|t| t.chars().next_back());
        let after = text.get(end..).and_then(|t| t.chars().next());
        if !before.is_some_and(letter) && !after.is_some_and(letter) {
            return Some(start);
        }
        from = end;
    }
    None
}

/// The words of a text that people compare by: letters and digits in lower case, links and
/// addresses left out (programs rewrite them), each with the line that it stands in.
pub(super) fn plain_words(text: &str) -> impl Iterator<Item = String> + '_ {
    plain_words_at(text).map(|(_, word)| word)
}

/// The same with the position at which each starts, in bytes.
pub(super) fn plain_words_at(text: &str) -> impl Iterator<Item = (usize, String)> + '_ {
    let start = text.as_ptr().addr();
    text.split_whitespace()
        .filter(|w| !is_link(w))
        .filter_map(move |w| {
            let word: String = w
                .chars()
                .filter(|c| c.is_alphanumeric())
                .flat_map(char::to_lowercase)
                .collect();
            (!word.is_empty()).then(|| (w.as_ptr().addr() - start, word))
        })
}

/// Letters and digits of a text in lower case: what is equal in plain text and HTML.
pub(super) fn letters(text: &str) -> String {
    plain_words(text).collect()
}

/// Whether a word is a link or an address.
pub(super) fn is_link(word: &str) -> bool {
    word.contains("://") || word.contains('@') || word.contains("www.") || word.contains("mailto:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded() {
        assert_eq!(fold("> *Von:*\u{a0} Ann  LEE \u{200e}"), "von:* ann lee");
        assert_eq!(last_char("x wrote:* "), Some(':'));
        assert_eq!(without_marks("> > *From"), "From");
    }

    #[test]
    fn addresses_dates_and_times_are_seen() {
        for (text, address, date, time) in [
            ("ann@x.example", true, false, false),
            ("on tue, may 3, 2024 at 10:00 am", false, true, true),
            ("am 03.05.24 um 10.30 uhr", false, true, true),
            ("3.05.2024", false, true, false),
            ("3/5/24 10h30", false, true, true),
            ("den 3. maj kl. 10.00", false, true, true),
            ("2024年5月3日(金) 10:00", false, true, true),
            ("3 мая", false, true, false),
            ("room 12 costs 300", false, false, false),
            ("meet @ 10", false, false, false),
            ("ratio 3:1, 1.5 million", false, false, false),
            ("10-12 people", false, false, false),
        ] {
            let found = (has_address(text), has_date(text), has_time(text));
            assert_eq!(found, (address, date, time), "{text}");
        }
    }

    #[test]
    fn words_are_found_whole() {
        assert!(has_word("ann wrote:", "wrote") && !has_word("underwrote it", "wrote"));
        assert_eq!(
            plain_words("See https://x.example/a, Ann's *flat* a@b.c!").collect::<Vec<_>>(),
            ["see", "anns", "flat"]
        );
    }
}
