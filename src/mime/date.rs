//! Dates as RFC 5322 §3.3 wants them, and as some programs write them.

use chrono::{NaiveDate, NaiveTime};
use mail_parser::HeaderValue;
use mail_parser::parsers::MessageStream;

use crate::time::UtcMs;

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// Zones by name (RFC 5322 §4.3, and those of Europe), in hours.
const ZONES: &[(&str, i64)] = &[
    ("est", -5),
    ("edt", -4),
    ("cst", -6),
    ("cdt", -5),
    ("mst", -7),
    ("mdt", -6),
    ("pst", -8),
    ("pdt", -7),
    ("bst", 1),
    ("cet", 1),
    ("cest", 2),
    ("eet", 2),
    ("eest", 3),
];

/// Reads a date; `line` ends with a line feed.
pub(super) fn read(line: &str) -> Option<UtcMs> {
    match MessageStream::new(line.as_bytes()).parse_date() {
        HeaderValue::DateTime(date) if date.is_valid() && date.year >= 1970 => {
            Some(UtcMs(date.to_timestamp().checked_mul(1000)?))
        }
        _ => loosely(line),
    }
}

/// `Mon, 02 March 2026` without a time, `6 Jul 2026 09:00 EDT` without seconds: day, month by
/// name and year of four digits, in any order.
fn loosely(line: &str) -> Option<UtcMs> {
    let (mut day, mut month, mut year) = (None, None, None);
    let (mut time, mut offset) = (NaiveTime::MIN, 0);
    for word in line.split(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')')) {
        let lower = word.to_ascii_lowercase();
        let named = MONTHS.iter().position(|m| lower.starts_with(m));
        let letters = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphabetic());
        if word.contains(':') {
            let parsed = NaiveTime::parse_from_str(word, "%H:%M:%S");
            time = parsed
                .or_else(|_| NaiveTime::parse_from_str(word, "%H:%M"))
                .ok()?;
        } else if let (Some(at), true, None) = (named, letters, month) {
            month = u32::try_from(at + 1).ok();
        } else if let Some((_, hours)) = ZONES.iter().find(|(name, _)| *name == lower) {
            offset = hours * 60;
        } else if let Some(minutes) = numeric_zone(word) {
            offset = minutes;
        } else if let Ok(number) = word.parse::<u32>() {
            match word.len() {
                4 => year = i32::try_from(number).ok(),
                1 | 2 => day = Some(number),
                _ => return None,
            }
        }
    }
    let year = year.filter(|y| *y >= 1970)?;
    let at = NaiveDate::from_ymd_opt(year, month?, day?)?.and_time(time);
    let ms = at.and_utc().timestamp_millis();
    Some(UtcMs(ms.checked_sub(offset * 60_000)?))
}

/// `+0200`, in minutes.
fn numeric_zone(word: &str) -> Option<i64> {
    let sign = match word.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let digits = word.get(1..).filter(|d| d.len() == 4)?;
    let number: i64 = digits.parse().ok()?;
    Some(sign * (number / 100 * 60 + number % 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_without_time_seconds_or_numeric_zone_are_read() {
        for (line, ms) in [
            ("Mon, 02 March 2026\n", 1_772_409_600_000),
            ("6 Jul 2026 09:00 EDT\n", 1_783_342_800_000),
            ("Mon, 6 Jul 2026 09:00:00 -0400\n", 1_783_342_800_000),
        ] {
            assert_eq!(read(line), Some(UtcMs(ms)), "{line}");
        }
        for line in ["\n", "yesterday\n", "32 May 2026 10:00\n", "May 2026\n"] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
