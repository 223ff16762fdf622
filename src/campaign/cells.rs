//! What a cell must be to be stored. Reasons name the column, never the contents.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::model::address_key;
use crate::msgid::MsgId;
use crate::time::UtcMs;

/// What goes into a header line of a mail, or stands on one line of a report.
const MAX_LINE_BYTES: usize = 500;
/// RFC 5321 §4.5.3.1.3: a path, without its brackets.
const MAX_ADDRESS_BYTES: usize = 254;
/// RFC 5321 §4.5.3.1.1.
const MAX_LOCAL_PART_BYTES: usize = 64;
/// Free text: the body of a mail, the summary of a talk.
const MAX_TEXT_BYTES: usize = 256 * 1024;
/// A date this far ahead is a typing error, not another time zone.
const MAX_AHEAD_MS: i64 = 36 * 3600 * 1000;

/// A value without line breaks or other control characters: safe in a header line (CR, LF and
/// NUL would end it, RFC 5322 §2.2) and on a terminal.
pub(super) fn one_line(column: &str, value: &str) -> Result<String, String> {
    if value.chars().any(char::is_control) {
        return Err(format!(
            "{column} holds a line break or another control character"
        ));
    }
    if value.len() > MAX_LINE_BYTES {
        return Err(format!("{column} is longer than {MAX_LINE_BYTES} bytes"));
    }
    Ok(value.to_owned())
}

/// Free text with line breaks.
pub(super) fn text(column: &str, value: &str) -> Result<String, String> {
    if value.contains('\0') {
        return Err(format!("{column} holds a NUL character"));
    }
    if value.len() > MAX_TEXT_BYTES {
        return Err(format!("{column} is longer than 256 KiB"));
    }
    Ok(value.to_owned())
}

/// One plain address: `local@domain`.
pub(super) fn address(column: &str, value: &str) -> Result<String, String> {
    let value = one_line(column, value)?;
    if value.is_empty() {
        return Err(format!("{column} is empty"));
    }
    let plain = value
        .chars()
        .all(|c| !c.is_whitespace() && !"<>()[]\\,;:\"".contains(c));
    let local = value.rsplit_once('@').map_or("", |(local, _)| local);
    let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
    let domain_ok = value.rsplit_once('@').is_some_and(|(_, domain)| {
        !domain.starts_with('.') && !domain.contains("..") && !domain.starts_with('-')
    });
    if !plain
        || dots
        || !domain_ok
        || local.contains('@')
        || local.len() > MAX_LOCAL_PART_BYTES
        || value.len() > MAX_ADDRESS_BYTES
        || address_key(&value).is_empty()
    {
        return Err(format!("{column} is not one e-mail address (name@domain)"));
    }
    Ok(value)
}

/// Whether a cell says "none" the way that table tools export it.
fn is_none(value: &str) -> bool {
    ["", "-", "nan", "none", "null", "n/a"].contains(&value.to_ascii_lowercase().as_str())
}

/// An amount as decimal text without separators: `13,00,000` (Indian groups), `1,300,000.50`,
/// `1 300 000`. A lone decimal comma is refused: taken as a separator it would be a hundredfold.
pub(super) fn amount(column: &str, value: &str) -> Result<String, String> {
    if is_none(value) {
        return Ok(String::new());
    }
    let bad = || format!("{column} is not a number (such as 1300000 or 13,00,000)");
    let value: String = value.chars().filter(|c| !c.is_whitespace()).collect();
    if value.len() > 40 {
        return Err(bad());
    }
    let (whole, fraction) = match value.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (value.as_str(), None),
    };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let groups: Vec<&str> = whole.split(',').collect();
    let last = groups.len().saturating_sub(1);
    let grouped = groups.iter().enumerate().all(|(i, group)| {
        let wide_enough = match i {
            0 => last == 0 || group.len() <= 3,
            _ if i == last => group.len() == 3,
            _ => (2..=3).contains(&group.len()),
        };
        digits(group) && wide_enough
    });
    if !grouped || fraction.is_some_and(|f| !digits(f)) {
        return Err(bad());
    }
    let whole = groups.concat();
    Ok(match fraction {
        Some(f) => format!("{whole}.{f}"),
        None => whole,
    })
}

/// A day as `YYYY-MM-DD`, from that or `DD-MM-YYYY`; a time of day behind it is dropped.
pub(super) fn day(column: &str, value: &str) -> Result<String, String> {
    if is_none(value) {
        return Ok(String::new());
    }
    let date = value.split([' ', 'T']).next().unwrap_or_default();
    let year_first = date.bytes().position(|b| b == b'-') == Some(4);
    NaiveDate::parse_from_str(date, if year_first { "%Y-%m-%d" } else { "%d-%m-%Y" })
        .ok()
        .filter(|_| date.len() <= 10)
        .map(|d| d.format("%Y-%m-%d").to_string())
        .ok_or_else(|| format!("{column} is not a date (DD-MM-YYYY or YYYY-MM-DD)"))
}

/// A moment: RFC 3339, RFC 2822, or `YYYY-MM-DD[ HH:MM[:SS]]` in UTC.
pub(super) fn moment(column: &str, value: &str, now: UtcMs) -> Result<UtcMs, String> {
    let naive = |format| {
        NaiveDateTime::parse_from_str(value, format)
            .ok()
            .map(|t| t.and_utc().timestamp_millis())
    };
    let ms = DateTime::parse_from_rfc3339(value)
        .or_else(|_| DateTime::parse_from_rfc2822(value))
        .ok()
        .map(|t| t.timestamp_millis())
        .or_else(|| naive("%Y-%m-%d %H:%M:%S%.f"))
        .or_else(|| naive("%Y-%m-%dT%H:%M:%S%.f"))
        .or_else(|| naive("%Y-%m-%d %H:%M"))
        .or_else(|| {
            let day = NaiveDate::parse_from_str(value, "%Y-%m-%d").ok()?;
            Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
        })
        .ok_or_else(|| {
            format!(
                "{column} is not a date (RFC 3339, the Date header of a mail, or \
                 YYYY-MM-DD HH:MM in UTC)"
            )
        })?;
    if ms < 0 {
        return Err(format!("{column} lies before 1970"));
    }
    if ms > now.0.saturating_add(MAX_AHEAD_MS) {
        return Err(format!("{column} lies in the future"));
    }
    Ok(UtcMs(ms))
}

/// A Message-ID, with or without angle brackets.
pub(super) fn message_id(column: &str, value: &str) -> Result<MsgId, String> {
    if value.is_empty() {
        return Err(format!("{column} is empty"));
    }
    if value.chars().any(char::is_control) {
        return Err(format!(
            "{column} holds a line break or another control character"
        ));
    }
    // Mail is read tolerantly; a cell is not: a subject in the wrong column must not become a key.
    let bracketed = value.starts_with('<') && value.ends_with('>');
    let plausible = !value.contains(char::is_whitespace) && (bracketed || value.contains('@'));
    Some(value)
        .filter(|_| plausible)
        .and_then(MsgId::parse)
        .ok_or_else(|| format!("{column} is not a Message-ID (such as <id@host.example>)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_and_nul_never_reach_a_header() {
        for bad in [
            "a\r\nBcc: x@y.example",
            "a\nb",
            "a\rb",
            "a\0b",
            "a\u{85}b",
            "\u{1b}[2J",
        ] {
            assert!(one_line("name", bad).is_err(), "{bad:?}");
            assert!(address("email", bad).is_err(), "{bad:?}");
            assert!(message_id("message_id", bad).is_err(), "{bad:?}");
        }
        assert!(one_line("name", &"x".repeat(501)).is_err());
        assert_eq!(
            one_line("name", "Zoë O'Neil, Jr.").unwrap(),
            "Zoë O'Neil, Jr."
        );
        assert!(text("body", "a\0b").is_err());
        assert_eq!(text("body", "a\r\nb").unwrap(), "a\r\nb");
    }

    #[test]
    fn message_ids_come_with_or_without_brackets_and_are_no_prose() {
        for good in ["<a@x.example>", "a@x.example", "<odd-but-bracketed>"] {
            let id = message_id("message_id", good).unwrap();
            assert_eq!(id.as_str(), good.trim_matches(['<', '>']));
        }
        for bad in [
            "",
            "Hello",
            "not an id",
            "<a@x.example> <b@x.example>",
            "a @x.example",
        ] {
            assert!(message_id("message_id", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn addresses_are_one_plain_address() {
        for good in [
            "a@x.example",
            "O'Neil+tag@x.example",
            "zoë@bücher.example",
            "a@localhost",
        ] {
            assert_eq!(address("email", good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "nobody",
            "a@",
            "@x.example",
            "a b@x.example",
            "<a@x.example>",
            "a@x.example,b@x.example",
            "a@x.example;b@x.example",
            "Ann a@x.example",
            "a@b@x.example",
            "a@x..example",
            ".a@x.example",
        ] {
            assert!(address("email", bad).is_err(), "{bad:?}");
        }
        let long = format!("{}@x.example", "a".repeat(65));
        assert!(address("email", &long).is_err());
    }

    #[test]
    fn amounts_lose_their_separators_and_nothing_else() {
        for (given, want) in [
            ("1300000", "1300000"),
            ("13,00,000", "1300000"),
            ("1,300,000.50", "1300000.50"),
            ("1 300 000", "1300000"),
            ("1\u{a0}300", "1300"),
            ("1300000.0", "1300000.0"),
            ("", ""),
            ("NaN", ""),
            ("-", ""),
        ] {
            assert_eq!(amount("budget_min", given).as_deref(), Ok(want), "{given}");
        }
        for bad in [
            "13,5",
            "1.300.000",
            "1300000,50",
            "-5",
            "1e6",
            "about 5",
            ",500",
            "5,",
            "1300,000",
            "5.",
            ".5",
        ] {
            assert!(amount("budget_min", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn days_come_in_both_orders() {
        for (given, want) in [
            ("31-12-2024", "2024-12-31"),
            ("2024-12-31", "2024-12-31"),
            ("2024-12-31 00:00:00", "2024-12-31"),
            ("", ""),
        ] {
            assert_eq!(day("date", given).as_deref(), Ok(want));
        }
        for bad in ["12/31/2024", "32-01-2024", "2024-02-30", "yesterday", "1-2"] {
            assert!(day("date", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn moments_are_read_in_the_three_spellings_and_bounded() {
        let now = UtcMs(1_735_700_000_000);
        let want = Ok(UtcMs(1_735_638_300_000));
        for given in [
            "2024-12-31T09:45:00Z",
            "2024-12-31T13:45:00+04:00",
            "Tue, 31 Dec 2024 13:45:00 +0400",
            "2024-12-31 09:45",
            "2024-12-31 09:45:00",
            "2024-12-31T09:45:00",
        ] {
            assert_eq!(moment("date", given, now), want, "{given}");
        }
        assert_eq!(
            moment("date", "2024-12-31", now),
            Ok(UtcMs(1_735_603_200_000))
        );
        for bad in [
            "",
            "31.12.2024",
            "2024-13-01",
            "1969-12-31",
            "2025-01-10",
            "9999999999",
        ] {
            assert!(moment("date", bad, now).is_err(), "{bad}");
        }
    }
}
