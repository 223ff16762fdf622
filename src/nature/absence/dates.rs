//! Which of the dates in a notice is the day of return.
//!
//! What stands before a date says what it is: until it, back on it, from it. "Back on" is that
//! day; "until" and the end of a range are the day before the return. A missing year is the next
//! in which the date comes; numbers that may be day or month are read as the language, the
//! country or another date of the text says, else not at all.

use std::cmp::max;

use chrono::{Datelike, Days, NaiveDate, Weekday};

use super::parse::{self, Place, Token, Written};
use super::words::{self, PlaceCue, SpanCue, Word};
use crate::nature::lexicon::{Cue, Hit};
use crate::zone::Zone;

/// Tokens between a cue and its date.
const REACH: usize = 7;
/// A return further ahead is not believed: a year that was mistaken, or a date of another thing.
const MAX_DAYS: i64 = 180;

/// How `5/12` is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    DayFirst,
    MonthFirst,
    Unknown,
}

impl Order {
    /// By another date of the text, else by its language, in English by the country.
    pub(super) fn of(folded: &str, hits: &[Hit], zone: &Zone) -> Self {
        let tokens = parse::tokens(folded);
        for (at, token) in tokens.iter().enumerate() {
            let sign = matches!(tokens.get(at + 1), Some(Token::Sign('/' | '-')));
            let (Token::Number(first, a), true) = (token, sign) else {
                continue;
            };
            let Some(Token::Number(second, b)) = tokens.get(at + 2) else {
                continue;
            };
            if *a > 2 || *b > 2 || parse::is_round_the_clock(&tokens, at) {
                continue;
            }
            match (first, second) {
                (13..=31, 1..=12) => return Self::DayFirst,
                (1..=12, 13..=31) => return Self::MonthFirst,
                _ => {}
            }
        }
        match language(hits) {
            "en" | "" => match zone.day_first {
                Some(true) => Self::DayFirst,
                Some(false) => Self::MonthFirst,
                None => Self::Unknown,
            },
            "ja" | "zh" | "ko" | "hu" => Self::MonthFirst,
            _ => Self::DayFirst,
        }
    }
}

/// The language of most phrases; words of being and of courtesy are in many.
fn language(hits: &[Hit]) -> &'static str {
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    let telling = hits
        .iter()
        .filter(|h| !h.language.is_empty() && !matches!(h.cue, Cue::Be | Cue::Past | Cue::Want));
    for hit in telling {
        match counts.iter_mut().find(|(l, _)| *l == hit.language) {
            Some((_, n)) => *n += 1,
            None => counts.push((hit.language, 1)),
        }
    }
    let most = counts.into_iter().max_by_key(|(_, n)| *n);
    most.map_or("", |(language, _)| language)
}

/// A day of return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Return {
    pub(super) day: NaiveDate,
    /// The text says that the person is back on it, and not only until when he is away.
    pub(super) is_back: bool,
}

/// What a date is in its sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Back on that day.
    Back,
    /// Away up to and with that day.
    Until,
    /// Away from that day on.
    From,
    /// Away that day, as far as can be seen.
    Alone,
    /// Away for so many days.
    Lasts,
}

/// The day of return that a folded text names, if it names one for certain.
pub(super) fn return_date(
    folded: &str,
    hits: &[Hit],
    order: Order,
    today: Option<NaiveDate>,
) -> Option<Return> {
    let (tokens, at) = parse::with_places(folded);
    // A date without a cue counts in a sentence that says an absence.
    let absent = |place: &Place| {
        let byte = |token: usize| at.get(token).copied().unwrap_or(folded.len());
        let from = byte(sentence_start(&tokens, place.start));
        let to = byte(sentence_end(&tokens, place.end));
        let mut hits = hits.iter();
        hits.any(|h| matches!(h.cue, Cue::Away | Cue::Absent) && h.start >= from && h.end <= to)
    };
    let places = parse::dates(&tokens);
    let (mut back, mut until, mut alone) = (None, None, Vec::new());
    for (n, place) in places.iter().enumerate() {
        // `Monday, 5 May`: the date says it.
        let next = places.get(n + 1);
        let named = matches!(place.written, Written::Weekday(_));
        if named && next.is_some_and(|next| joins(&tokens, place, next)) {
            continue;
        }
        let previous = n.checked_sub(1).and_then(|p| places.get(p));
        let weekday = previous.filter(|p| joins(&tokens, p, place));
        let role = role(&tokens, place, previous, &places);
        let Some(role) = role else { continue };
        let day = resolve(place.written, role, order, today);
        // What lies too far ahead must not hide a nearer date.
        let Some(day) = day.filter(|d| is_believed(*d, today)) else {
            continue;
        };
        // `Monday, 6 May`, which is a Tuesday: one of the two is wrong, and the date says nothing.
        if let Some(Written::Weekday(named)) = weekday.map(|w| w.written)
            && day.weekday().num_days_from_monday() != named
        {
            continue;
        }
        match role {
            Role::Back => back = max(back, Some(day)),
            Role::Until => until = max(until, day.checked_add_days(Days::new(1))),
            Role::Alone if absent(place) => alone.push(day),
            Role::Lasts if absent(place) => back = max(back, Some(day)),
            Role::Alone | Role::Lasts => {}
            Role::From => {}
        }
        // `12 - 15 May`, `July 10-31`: the end of a span that names its month once.
        if let Some(end) = span_end(&tokens, place, today, order).filter(|e| is_believed(*e, today))
        {
            until = max(until, end.checked_add_days(Days::new(1)));
        }
    }
    let single = match alone.as_slice() {
        [day] if until.is_none() => day.checked_add_days(Days::new(1)),
        _ => None,
    };
    let future = |day: &NaiveDate| today.is_none_or(|today| *day > today);
    let back = back.filter(future);
    let day = back.or(until.filter(future)).or(single.filter(future))?;
    let is_back = back.is_some();
    Some(Return { day, is_back })
}

/// Not so far from today that the year must be mistaken, or that the date is of another thing.
fn is_believed(day: NaiveDate, today: Option<NaiveDate>) -> bool {
    today.is_none_or(|today| (day - today).num_days() <= MAX_DAYS)
}

/// Only fillers between a weekday and its date.
fn joins(tokens: &[Token<'_>], first: &Place, second: &Place) -> bool {
    let between = tokens.get(first.end..second.start).unwrap_or_default();
    let date = matches!(second.written, Written::Day { .. } | Written::Either { .. });
    date && between.len() <= 3
        && between.iter().all(|t| match t {
            Token::Sign(c) => matches!(c, ',' | '.' | ':'),
            Token::Word(w) => matches!(words::of(w), Some(Word::Filler)),
            _ => false,
        })
}

fn role(
    tokens: &[Token<'_>],
    place: &Place,
    previous: Option<&Place>,
    places: &[Place],
) -> Option<Role> {
    let start = sentence_start(tokens, place.start);
    let end = sentence_end(tokens, place.end);
    let left = tokens.get(start..place.start).unwrap_or_default();
    let right = tokens.get(place.end..end).unwrap_or_default();
    let has = |side: &[Token<'_>], wanted: Word| side.iter().any(|t| word(t) == Some(wanted));
    if let Written::Ahead(_) = place.written {
        return match span_cue(left)? {
            SpanCue::Lasts => Some(Role::Lasts),
            SpanCue::Ends => {
                (has(left, Word::Back) || has(right, Word::Back)).then_some(Role::Back)
            }
        };
    }
    let weak = matches!(
        place.written,
        Written::Weekday(_)
            | Written::DayOfMonth(_)
            | Written::WeekNumber(_)
            | Written::Tomorrow
            | Written::NextWeek
    );
    let present = is_present(left) || is_present(right);
    let after = after_cue(right);
    match after.or_else(|| cue_before(tokens, place, previous, start)) {
        Some(Word::Until) => {
            // `I will not be back until`: back on that day.
            let not_back = has(left, Word::Back) && has(left, Word::Not);
            return Some(if not_back { Role::Back } else { Role::Until });
        }
        // `Monday to Friday`, `9-17`: hours of an office.
        Some(Word::To) if weak => return None,
        Some(Word::To) => return Some(Role::Until),
        Some(Word::Before) => {
            let not_back = has(left, Word::Back) || has(left, Word::Not) || has(right, Word::Back);
            return not_back.then_some(Role::Back);
        }
        Some(Word::From) => {
            // `from 12 May on I am back`, and not `from 12 to 15 May ... back on the 16th`.
            let later = places.iter().any(|p| p.start >= place.end && p.start < end);
            let back = has(left, Word::Back) || has(right, Word::Back) || present;
            let back = back || says_back_after(right);
            return Some(if back && !later {
                Role::Back
            } else {
                Role::From
            });
        }
        Some(Word::Back) => return Some(Role::Back),
        _ => {}
    }
    // A bare number needs its cue next to it.
    if matches!(place.written, Written::DayOfMonth(_)) {
        let dated = has(left, Word::Back) && near_back(left);
        return dated.then_some(Role::Back);
    }
    let said_later = has(right, Word::Back) || says_back_after(right) || is_present(right);
    let back = has(left, Word::Back) || is_present(left);
    if back || said_later && !later_date(places, place, end) {
        return Some(Role::Back);
    }
    (!weak).then_some(Role::Alone)
}

/// The word before a span of time, over `the next`.
fn span_cue(left: &[Token<'_>]) -> Option<SpanCue> {
    let words = left.iter().rev().take(4).map(|t| match t {
        Token::Word(w) => *w,
        _ => "",
    });
    for word in words {
        if let Some(cue) = words::span_cue(word) {
            return Some(cue);
        }
        let skipped = matches!(words::of(word), Some(Word::Filler | Word::Next))
            || matches!(
                word,
                "about" | "prochaines" | "proximas" | "proximos" | "prossime" | "komende"
            );
        if !skipped {
            return None;
        }
    }
    None
}

/// "In the office", without a word that denies it: the person is there.
fn is_present(side: &[Token<'_>]) -> bool {
    let text = |t: &Token<'_>| match t {
        Token::Word(w) => words::place(w),
        _ => None,
    };
    let denied = side
        .iter()
        .any(|t| text(t) == Some(PlaceCue::Absent) || word(t) == Some(Word::Not));
    let mut inside = false;
    for token in side {
        match text(token) {
            Some(PlaceCue::In) => inside = true,
            Some(PlaceCue::Work) if inside => return !denied,
            _ if word(token) == Some(Word::Filler) => {}
            _ => inside = false,
        }
    }
    false
}

/// Chinese, Japanese and Korean set the return behind its date: `7月13日より出社`.
fn says_back_after(right: &[Token<'_>]) -> bool {
    let written: String = right
        .iter()
        .map_while(|t| match t {
            Token::Word(w) => Some(*w),
            Token::Sign(_) => Some(""),
            _ => None,
        })
        .collect();
    words::BACK_WITHOUT_BLANKS
        .iter()
        .any(|w| written.contains(w))
}

fn later_date(places: &[Place], place: &Place, end: usize) -> bool {
    places.iter().any(|p| p.start >= place.end && p.start < end)
}

/// A word of return, and only fillers after it.
fn near_back(left: &[Token<'_>]) -> bool {
    left.iter()
        .rev()
        .take(REACH)
        .find_map(|t| match word(t) {
            // `to the office on the 20th`, `ins Büro am 20.`
            Some(Word::Filler | Word::To) => None,
            Some(Word::Back) => Some(true),
            _ if is_place(t) => None,
            _ => Some(false),
        })
        .unwrap_or(false)
}

fn is_place(token: &Token<'_>) -> bool {
    matches!(token, Token::Word(w) if matches!(words::place(w), Some(PlaceCue::In | PlaceCue::Work)))
}

fn word(token: &Token<'_>) -> Option<Word> {
    match token {
        Token::Word(w) => words::of(w),
        _ => None,
    }
}

/// The cue before a date, with nothing but fillers between.
fn cue_before(
    tokens: &[Token<'_>],
    place: &Place,
    previous: Option<&Place>,
    start: usize,
) -> Option<Word> {
    let from = place.start.saturating_sub(REACH).max(start);
    let mut at = place.start;
    while at > from {
        at -= 1;
        let Some(token) = tokens.get(at) else { break };
        let behind_date = previous.is_some_and(|p| p.end == at)
            || at
                .checked_sub(1)
                .is_some_and(|b| matches!(tokens.get(b), Some(Token::Number(..))))
            || at.checked_sub(2).is_some_and(|b| {
                matches!(tokens.get(b), Some(Token::Number(..)))
                    && matches!(tokens.get(b + 1), Some(Token::Sign('.')))
            });
        match token {
            Token::Sign('-') if behind_date => return Some(Word::To),
            Token::Sign(',' | '.' | ':' | '/') => {}
            Token::Word(w) => match words::of(w) {
                Some(Word::Filler | Word::Weekday(_) | Word::Next) => {}
                // Between two dates, `and` ends what `between` began.
                Some(Word::And) if behind_date => {
                    let sentence = tokens.get(start..at).unwrap_or_default();
                    let between = sentence.iter().any(|t| word(t) == Some(Word::Between));
                    return between.then_some(Word::To);
                }
                Some(Word::And) => {}
                Some(Word::To) if behind_date => return Some(Word::To),
                // `a partir de`, `le`: no end of a range.
                Some(Word::To) => {}
                Some(cue @ (Word::Until | Word::From | Word::Before | Word::Back)) => {
                    return Some(cue);
                }
                // `I will reply on 20 July`
                None if words::replies(w) => return Some(Word::Back),
                _ => return None,
            },
            _ => return None,
        }
    }
    None
}

/// Languages that set the cue behind the date: `5月12日まで`, `12 Mayıs'a kadar`, `12.5. asti`.
fn after_cue(right: &[Token<'_>]) -> Option<Word> {
    let text = |n: usize| match right.get(n) {
        Some(Token::Word(w)) => *w,
        _ => "",
    };
    let next = right
        .iter()
        .take(5)
        .position(|t| matches!(t, Token::Word(w) if !matches!(*w, "月" | "火" | "水" | "木" | "金" | "土" | "日" | "曜")))
        .unwrap_or_default();
    match (text(next), text(next + 1)) {
        ("ま", "で") | ("까", "지") | ("为", "止") | ("為", "止") | ("止", _) => {
            Some(Word::Until)
        }
        ("kadar" | "asti" | "saakka" | "ig", _) => Some(Word::Until),
        ("tol" | "atol" | "etol" | "jetol" | "alkaen" | "lahtien" | "itibaren", _) => {
            Some(Word::From)
        }
        ("よ", "り") | ("か", "ら") | ("부", "터") | ("起", _) | ("以", "降") => {
            Some(Word::From)
        }
        _ => None,
    }
}

fn sentence_start(tokens: &[Token<'_>], at: usize) -> usize {
    let before = tokens.get(..at).unwrap_or_default();
    before
        .iter()
        .rposition(|t| *t == Token::End)
        .map_or(0, |p| p + 1)
}

fn sentence_end(tokens: &[Token<'_>], at: usize) -> usize {
    let after = tokens.get(at..).unwrap_or_default();
    after
        .iter()
        .position(|t| *t == Token::End)
        .map_or(tokens.len(), |p| at + p)
}

/// `July 10-31`: the day after the dash is of the same month.
fn span_end(
    tokens: &[Token<'_>],
    place: &Place,
    today: Option<NaiveDate>,
    order: Order,
) -> Option<NaiveDate> {
    let Written::Day { month, year, .. } = place.written else {
        return None;
    };
    let connects = match tokens.get(place.end)? {
        Token::Sign('-') => true,
        token => matches!(word(token), Some(Word::To | Word::Until)),
    };
    let Some(Token::Number(day, digits)) = tokens.get(place.end + 1) else {
        return None;
    };
    // A date of its own follows.
    let named = parse::dates(tokens)
        .iter()
        .any(|p| p.start == place.end + 1 && !matches!(p.written, Written::DayOfMonth(_)));
    if !connects || named || *digits > 2 {
        return None;
    }
    let written = Written::Day {
        day: *day,
        month,
        year,
    };
    resolve(written, Role::Until, order, today)
}

/// The day that is meant. Without `today`, which is when the notice was received, only what carries
/// its year can be told.
fn resolve(
    written: Written,
    role: Role,
    order: Order,
    today: Option<NaiveDate>,
) -> Option<NaiveDate> {
    match written {
        Written::Day { day, month, year } => dated(day, month, year, role, today),
        Written::Either {
            first,
            second,
            year,
        } => match order {
            Order::DayFirst => dated(first, second, year, role, today),
            Order::MonthFirst => dated(second, first, year, role, today),
            Order::Unknown => None,
        },
        Written::Month { month, year } => {
            // "Until March": whether March is the last month away or the first back is not said.
            (role == Role::Back)
                .then(|| NaiveDate::from_ymd_opt(year, month, 1))
                .flatten()
        }
        other => ahead(other, role, today?),
    }
}

/// What is counted from today.
fn ahead(written: Written, role: Role, today: NaiveDate) -> Option<NaiveDate> {
    let now = today.weekday().num_days_from_monday();
    let days = |days: u32| today.checked_add_days(Days::new(u64::from(days)));
    match written {
        Written::DayOfMonth(day) => {
            let this = today.with_day(day).filter(|d| !is_past(*d, role, today));
            this.or_else(|| {
                let next = today.checked_add_months(chrono::Months::new(1))?;
                next.with_day(1)?.with_day(day)
            })
        }
        Written::Weekday(weekday) => match (weekday + 7 - now) % 7 {
            0 if role != Role::Until => days(7),
            ahead => days(ahead),
        },
        Written::WeekNumber(week) => {
            let of = |year: i32| NaiveDate::from_isoywd_opt(year, week, Weekday::Mon);
            let year = today.iso_week().year();
            let monday = of(year)
                .filter(|d| *d + Days::new(6) >= today)
                .or_else(|| of(year + 1))?;
            // Away up to its end; without a word of return a week is no certain day.
            match role {
                Role::Until => monday.checked_add_days(Days::new(6)),
                _ => Some(monday),
            }
        }
        Written::Ahead(count) => days(count),
        Written::Tomorrow => days(1),
        Written::NextWeek => days(7 - now),
        Written::Day { .. } | Written::Either { .. } | Written::Month { .. } => None,
    }
}

/// Until today: back tomorrow.
fn is_past(day: NaiveDate, role: Role, today: NaiveDate) -> bool {
    match role {
        Role::Until | Role::Alone => day < today,
        // The first day away has often come when the notice is sent.
        Role::From => false,
        _ => day <= today,
    }
}

/// With a year that day; without one the next that comes.
fn dated(
    day: u32,
    month: u32,
    year: Option<i32>,
    role: Role,
    today: Option<NaiveDate>,
) -> Option<NaiveDate> {
    if let Some(year) = year {
        return NaiveDate::from_ymd_opt(year, month, day);
    }
    let today = today?;
    let this = NaiveDate::from_ymd_opt(today.year(), month, day);
    this.filter(|d| !is_past(*d, role, today))
        .or_else(|| NaiveDate::from_ymd_opt(today.year() + 1, month, day))
}
