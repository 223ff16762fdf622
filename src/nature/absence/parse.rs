//! A folded text as tokens, and the dates in it.

use super::words::{self, Word};

/// A piece of a folded text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// Letters.
    Word(&'t str),
    /// Digits: their value, and how many they are.
    Number(u32, usize),
    /// Anything else but blanks.
    Sign(char),
    /// The end of a sentence.
    End,
}

/// A date as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Day and month, maybe the year.
    Day {
        day: u32,
        month: u32,
        year: Option<i32>,
    },
    /// `5/12`: day and month, or month and day.
    Either {
        first: u32,
        second: u32,
        year: Option<i32>,
    },
    /// `the 3rd`, `3.`: of this month or the next.
    DayOfMonth(u32),
    /// `Monday`: 0.
    Weekday(u32),
    /// `KW 33`.
    WeekNumber(u32),
    /// `March 2027`: its first day, or its last.
    Month { month: u32, year: i32 },
    /// `tomorrow`.
    Tomorrow,
    /// `next week`.
    NextWeek,
    /// `for two weeks`, `in 3 days`: so many days from today.
    Ahead(u32),
}

/// A date with its place among the tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) written: Written,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Cuts a folded text into tokens.
pub(super) fn tokens(folded: &str) -> Vec<Token<'_>> {
    with_places(folded).0
}

/// Cuts a folded text into tokens; with each the byte at which it starts.
pub(super) fn with_places(folded: &str) -> (Vec<Token<'_>>, Vec<usize>) {
    let mut tokens = Vec::new();
    let mut places = Vec::new();
    let mut rest = folded;
    while let Some(c) = rest.chars().next() {
        let len = if c.is_ascii_digit() {
            let len = rest.bytes().take_while(u8::is_ascii_digit).count();
            let digits = rest.get(..len).unwrap_or_default();
            let value = digits.parse().unwrap_or(u32::MAX);
            tokens.push(Token::Number(value, len));
            len
        } else if c.is_alphabetic() && is_single(c) {
            let len = c.len_utf8();
            tokens.push(Token::Word(rest.get(..len).unwrap_or_default()));
            len
        } else if c.is_alphabetic() {
            let in_word = |c: &char| (c.is_alphabetic() || *c == '\'') && !is_single(*c);
            let len: usize = rest.chars().take_while(in_word).map(char::len_utf8).sum();
            tokens.push(Token::Word(rest.get(..len).unwrap_or_default()));
            len
        } else {
            let after = rest.get(c.len_utf8()..).unwrap_or_default();
            // `3. Mai`, `t.o.m. 3 maj`
            let goes_on = match tokens.last() {
                // `2025-05-03.` ends a sentence.
                Some(Token::Number(_, digits)) => {
                    let before = tokens.len().checked_sub(2).and_then(|b| tokens.get(b));
                    *digits <= 2 && !matches!(before, Some(Token::Sign('-' | '/')))
                }
                Some(Token::Word(word)) => word.len() == 1,
                _ => false,
            };
            let stops = after.is_empty() || after.starts_with([' ', '\n']);
            match c {
                ' ' => {}
                '\n' => tokens.push(Token::End),
                '!' | '?' => tokens.push(Token::End),
                '.' if stops && !goes_on => tokens.push(Token::End),
                _ => tokens.push(Token::Sign(c)),
            }
            c.len_utf8()
        };
        places.resize(tokens.len(), folded.len() - rest.len());
        rest = rest.get(len..).unwrap_or_default();
    }
    (tokens, places)
}

fn is_single(c: char) -> bool {
    !c.is_ascii() && crate::nature::lexicon::without_blanks(c)
}

fn word_at(tokens: &[Token<'_>], at: usize) -> Option<Word> {
    match tokens.get(at)? {
        Token::Word(word) => words::of(word),
        _ => None,
    }
}

fn number_at(tokens: &[Token<'_>], at: usize) -> Option<(u32, usize)> {
    match tokens.get(at)? {
        Token::Number(value, digits) => Some((*value, *digits)),
        _ => None,
    }
}

fn sign_at(tokens: &[Token<'_>], at: usize) -> Option<char> {
    match tokens.get(at)? {
        Token::Sign(c) => Some(*c),
        _ => None,
    }
}

fn text_at<'t>(tokens: &[Token<'t>], at: usize) -> &'t str {
    match tokens.get(at) {
        Some(Token::Word(word)) => word,
        _ => "",
    }
}

/// All dates of a text, in order, without overlaps.
pub(super) fn dates(tokens: &[Token<'_>]) -> Vec<Place> {
    let mut places = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match date_at(tokens, at) {
            Some((written, end)) => {
                places.push(Place {
                    written,
                    start: at,
                    end,
                });
                at = end.max(at + 1);
            }
            None => at += 1,
        }
    }
    places
}

fn date_at(tokens: &[Token<'_>], at: usize) -> Option<(Written, usize)> {
    match tokens.get(at)? {
        Token::Number(value, digits) => {
            // `+49 30 123`, `12:30`, `$5`: part of something else.
            let before = at.checked_sub(1).and_then(|b| sign_at(tokens, b));
            if matches!(before, Some('+' | ':' | '$' | '#' | '€' | '£' | '%')) {
                return None;
            }
            span_of_time(tokens, at, *value)
                .or_else(|| year_first(tokens, at, *value, *digits))
                .or_else(|| with_month_name(tokens, at, *value, *digits))
                .or_else(|| in_numbers(tokens, at, *value, *digits))
                .or_else(|| day_of_month(tokens, at, *value, *digits))
        }
        Token::Word(word)
            if words::count(word).is_some()
                && words::days_of(text_at(tokens, at + 1)).is_some() =>
        {
            span_of_time(tokens, at, words::count(word)?)
        }
        Token::Word(_) if week_number(tokens, at).is_some() => week_number(tokens, at),
        Token::Word(_) => match word_at(tokens, at)? {
            Word::Month(month) => {
                month_first(tokens, at, month).or_else(|| month_and_year(tokens, at, month))
            }
            Word::Weekday(day) => Some((Written::Weekday(day), at + 1)),
            Word::Tomorrow => Some((Written::Tomorrow, at + 1)),
            Word::Next if word_at(tokens, at + 1) == Some(Word::Week) => {
                Some((Written::NextWeek, at + 2))
            }
            // `la semaine prochaine`, `la semana proxima`
            Word::Week if word_at(tokens, at + 1) == Some(Word::Next) => {
                Some((Written::NextWeek, at + 2))
            }
            _ => None,
        },
        _ => None,
    }
}

/// `3 days`, `two weeks`.
fn span_of_time(tokens: &[Token<'_>], at: usize, count: u32) -> Option<(Written, usize)> {
    let days = words::days_of(text_at(tokens, at + 1))?;
    let ahead = count.checked_mul(days).filter(|d| (1..=400).contains(d))?;
    Some((Written::Ahead(ahead), at + 2))
}

fn is_day(value: u32, digits: usize) -> bool {
    (1..=31).contains(&value) && digits <= 2
}

fn is_month(value: u32, digits: usize) -> bool {
    (1..=12).contains(&value) && digits <= 2
}

fn year(value: u32, digits: usize) -> Option<i32> {
    let value = i32::try_from(value).ok()?;
    match digits {
        4 if (1990..2200).contains(&value) => Some(value),
        2 => Some(2000 + value),
        _ => None,
    }
}

/// `2025-05-12`, `2025/5/12`, `2025年5月12日`, `5월 12일`, `5月12日`.
fn year_first(
    tokens: &[Token<'_>],
    at: usize,
    value: u32,
    digits: usize,
) -> Option<(Written, usize)> {
    let year_mark = matches!(text_at(tokens, at + 1), "年" | "년");
    if digits == 4 && year_mark {
        let (month, n) = number_at(tokens, at + 2)?;
        return cjk(tokens, at + 2, month, n, year(value, 4));
    }
    if let Some(found) = cjk(tokens, at, value, digits, None) {
        return Some(found);
    }
    // `2026. július 20`, `2026 m. liepos 20`
    let stop = usize::from(matches!(sign_at(tokens, at + 1), Some('.' | ',')));
    if digits == 4
        && let Some(Word::Month(month)) = word_at(tokens, at + 1 + stop)
    {
        let (day, d) = number_at(tokens, at + 2 + stop)?;
        let year = year(value, 4);
        return is_day(day, d).then_some((Written::Day { day, month, year }, at + 3 + stop));
    }
    let sign = sign_at(tokens, at + 1).filter(|s| matches!(s, '-' | '/' | '.'))?;
    if digits != 4 || sign_at(tokens, at + 3) != Some(sign) {
        return None;
    }
    let (month, m) = number_at(tokens, at + 2)?;
    let (day, d) = number_at(tokens, at + 4)?;
    let fits = is_month(month, m) && is_day(day, d);
    let year = year(value, 4);
    fits.then_some((Written::Day { day, month, year }, at + 5))
}

fn cjk(
    tokens: &[Token<'_>],
    at: usize,
    month: u32,
    digits: usize,
    year: Option<i32>,
) -> Option<(Written, usize)> {
    if !matches!(text_at(tokens, at + 1), "月" | "월") || !is_month(month, digits) {
        return None;
    }
    let (day, d) = number_at(tokens, at + 2)?;
    let mark = matches!(text_at(tokens, at + 3), "日" | "号" | "號" | "일");
    let fits = is_day(day, d) && mark;
    fits.then_some((Written::Day { day, month, year }, at + 4))
}

/// After a day: `.`, `st`, `er`, `de`, `of`, up to the month's name.
fn with_month_name(
    tokens: &[Token<'_>],
    at: usize,
    day: u32,
    digits: usize,
) -> Option<(Written, usize)> {
    if !is_day(day, digits) {
        return None;
    }
    let mut next = at + 1;
    for _ in 0..3 {
        let skip = match tokens.get(next) {
            Some(Token::Sign('.' | ',' | 'º' | '°')) => true,
            Some(Token::Word(word)) => matches!(
                *word,
                "st" | "nd"
                    | "rd"
                    | "th"
                    | "er"
                    | "re"
                    | "e"
                    | "a"
                    | "de"
                    | "of"
                    | "del"
                    | "o"
                    | "di"
                    | "ste"
                    | "den"
                    | "d"
            ),
            _ => false,
        };
        if !skip {
            break;
        }
        next += 1;
    }
    let Word::Month(month) = word_at(tokens, next)? else {
        return None;
    };
    let (year, end) = year_after(tokens, next + 1);
    Some((Written::Day { day, month, year }, end))
}

/// `May 5`, `May 5th, 2025`.
fn month_first(tokens: &[Token<'_>], at: usize, month: u32) -> Option<(Written, usize)> {
    let mut next = at + 1;
    if matches!(sign_at(tokens, next), Some('.' | ',')) {
        next += 1;
    }
    if text_at(tokens, next) == "the" {
        next += 1;
    }
    let (day, digits) = number_at(tokens, next)?;
    // `May 2025`, `May 12:30`
    if !is_day(day, digits) || sign_at(tokens, next + 1) == Some(':') {
        return None;
    }
    next += 1;
    if matches!(text_at(tokens, next), "st" | "nd" | "rd" | "th") {
        next += 1;
    }
    let (year, end) = year_after(tokens, next);
    Some((Written::Day { day, month, year }, end))
}

/// `March 2027`, without a day.
fn month_and_year(tokens: &[Token<'_>], at: usize, month: u32) -> Option<(Written, usize)> {
    let of = matches!(text_at(tokens, at + 1), "de" | "del" | "of");
    let next = at + 1 + usize::from(of);
    let (value, 4) = number_at(tokens, next)? else {
        return None;
    };
    let year = year(value, 4)?;
    Some((Written::Month { month, year }, next + 1))
}

/// A year behind a date: `2025`, `, 2025`, `de 2025`.
fn year_after(tokens: &[Token<'_>], at: usize) -> (Option<i32>, usize) {
    let mut next = at;
    for _ in 0..2 {
        let skip = match tokens.get(next) {
            Some(Token::Sign('.' | ',')) => true,
            Some(Token::Word(word)) => matches!(*word, "de" | "del" | "of"),
            _ => false,
        };
        if skip {
            next += 1;
        }
    }
    match number_at(tokens, next) {
        Some((value, 4)) if year(value, 4).is_some() => (year(value, 4), next + 1),
        _ => (None, at),
    }
}

/// `12.5.2025`, `12.05.`, `12/5`, `12-05-2025`.
fn in_numbers(
    tokens: &[Token<'_>],
    at: usize,
    first: u32,
    digits: usize,
) -> Option<(Written, usize)> {
    let sign = sign_at(tokens, at + 1)?;
    let (second, second_digits) = number_at(tokens, at + 2)?;
    if is_round_the_clock(tokens, at) || digits > 2 || second_digits > 2 {
        return None;
    }
    let third = (sign_at(tokens, at + 3) == Some(sign))
        .then(|| number_at(tokens, at + 4))
        .flatten();
    let year = third.and_then(|(value, digits)| year(value, digits));
    let end = match (third, year) {
        (Some(_), Some(_)) => at + 5,
        _ => at + 3,
    };
    // `10.5.2025.1` is a version.
    if matches!(sign_at(tokens, end), Some('.' | '/' | '-')) && number_at(tokens, end + 1).is_some()
    {
        return None;
    }
    match sign {
        '.' => {
            // `12.5.` and `12.5.25`; without the second stop it may be a time or a price.
            let stopped = sign_at(tokens, at + 3) == Some('.');
            let two_digits = digits == 2 && second_digits == 2 || stopped || year.is_some();
            let fits = is_day(first, digits) && is_month(second, second_digits) && two_digits;
            let end = if year.is_none() && stopped {
                at + 4
            } else {
                end
            };
            let written = Written::Day {
                day: first,
                month: second,
                year,
            };
            fits.then_some((written, end))
        }
        '/' | '-' => {
            // `10-12` is a span; with a year it is a date.
            if sign == '-' && third.is_none() || third.is_some() && year.is_none() {
                return None;
            }
            let day_and_month = is_day(first, digits) && is_month(second, second_digits);
            let month_and_day = is_month(first, digits) && is_day(second, second_digits);
            let written = match (day_and_month, month_and_day) {
                (true, true) if first != second => Written::Either {
                    first,
                    second,
                    year,
                },
                (true, _) => Written::Day {
                    day: first,
                    month: second,
                    year,
                },
                (false, true) => Written::Day {
                    day: second,
                    month: first,
                    year,
                },
                (false, false) => return None,
            };
            Some((written, end))
        }
        _ => None,
    }
}

/// `24/7`: round the clock, and no 24 July. As a date it has a year, a leading zero, or a cue before
/// it: `until 24/7`.
pub(super) fn is_round_the_clock(tokens: &[Token<'_>], at: usize) -> bool {
    let slash = sign_at(tokens, at + 1) == Some('/') && sign_at(tokens, at + 3) != Some('/');
    if number_at(tokens, at) != Some((24, 2)) || number_at(tokens, at + 2) != Some((7, 1)) {
        return false;
    }
    let before = tokens.get(..at).unwrap_or_default().iter().rev();
    let mut cues = before.map_while(|t| match t {
        Token::Word(w) => words::of(w),
        _ => None,
    });
    let nearest = cues.next();
    let cue = match nearest {
        Some(Word::Filler) => cues.find(|w| *w != Word::Filler),
        other => other,
    };
    // `back on 24/7`, but `available 24/7`.
    let dated = match cue {
        Some(Word::Until | Word::From | Word::Before | Word::Weekday(_)) => true,
        Some(Word::Back) => nearest == Some(Word::Filler),
        _ => false,
    };
    slash && !dated
}

/// `KW 33`, `week 33`, `vecka 33`: the week of a calendar (ISO 8601).
fn week_number(tokens: &[Token<'_>], at: usize) -> Option<(Written, usize)> {
    let named = matches!(
        text_at(tokens, at),
        "kw" | "kalenderwoche"
            | "week"
            | "wk"
            | "vecka"
            | "v"
            | "uge"
            | "uke"
            | "semaine"
            | "viikko"
    );
    let dot = usize::from(sign_at(tokens, at + 1) == Some('.'));
    let (week, digits) = number_at(tokens, at + 1 + dot)?;
    let end = at + 2 + dot;
    let alone = match sign_at(tokens, end) {
        Some('.') => number_at(tokens, end + 1).is_none(),
        Some(':' | '/' | '%') => false,
        _ => true,
    };
    (named && digits <= 2 && (1..=53).contains(&week) && alone)
        .then_some((Written::WeekNumber(week), end))
}

/// `the 3rd`, `3.`, and a bare number, which counts only right behind a cue.
fn day_of_month(
    tokens: &[Token<'_>],
    at: usize,
    day: u32,
    digits: usize,
) -> Option<(Written, usize)> {
    if !is_day(day, digits) {
        return None;
    }
    let ordinal = matches!(
        text_at(tokens, at + 1),
        "st" | "nd" | "rd" | "th" | "er" | "日" | "号" | "일"
    );
    let stopped = sign_at(tokens, at + 1) == Some('.');
    let end = if ordinal || stopped { at + 2 } else { at + 1 };
    // A time, a span, a number of hours.
    let goes_on = match tokens.get(end) {
        Some(Token::Number(..) | Token::Sign(':' | '/' | '%' | '@')) => true,
        Some(Token::Word(word)) => is_unit(word),
        _ => false,
    };
    (!goes_on).then_some((Written::DayOfMonth(day), end))
}

/// What is counted is no day: `until 5 pm`, `bis 17 Uhr`, `within 3 days`.
fn is_unit(word: &str) -> bool {
    matches!(
        word,
        "am" | "pm"
            | "h"
            | "hr"
            | "hrs"
            | "hours"
            | "hour"
            | "uhr"
            | "std"
            | "stunden"
            | "heures"
            | "heure"
            | "horas"
            | "ore"
            | "uur"
            | "klockan"
            | "kl"
            | "a"
            | "p"
            | "days"
            | "day"
            | "tage"
            | "tagen"
            | "jours"
            | "dias"
            | "giorni"
            | "dagen"
            | "dagar"
            | "weeks"
            | "week"
            | "wochen"
            | "semaines"
            | "semanas"
            | "settimane"
            | "weken"
            | "veckor"
            | "months"
            | "monate"
            | "mois"
            | "meses"
            | "business"
            | "working"
            | "werktage"
            | "minutes"
            | "o'clock"
            | "godz"
            | "часов"
            | "дней"
            | "時"
            | "点"
            | "시"
            | "%"
            | "euro"
            | "eur"
    )
}
