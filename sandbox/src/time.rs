//! Unix milliseconds, IMAP's dates, and the sandbox's only read of the wall clock.

use std::fmt;
use std::sync::Arc;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const DAY_MS: i64 = 86_400_000;

/// Where the server takes the time of a delivery from: Unix milliseconds, UTC.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// The machine's wall clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(wall_clock_ms))
    }

    /// A clock of the caller's own, for tests that set the date.
    pub fn from_fn(now_ms: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now_ms))
    }

    /// Now, in Unix milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox's one reader of the wall clock; it cannot depend on replyd's"
)]
fn wall_clock_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

/// The inverse of [`days_from_civil`]: year, month (1..=12), day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year, month, doy - (153 * mp + 2) / 5 + 1)
}

fn month_name(month: i64) -> &'static str {
    usize::try_from(month - 1)
        .ok()
        .and_then(|i| MONTHS.get(i))
        .copied()
        .unwrap_or("Jan")
}

/// Whole days since the epoch (UTC): what SEARCH SINCE compares.
pub(crate) fn day_number(unix_ms: i64) -> i64 {
    unix_ms.div_euclid(DAY_MS)
}

fn clock_parts(unix_ms: i64) -> (i64, i64, i64) {
    let seconds = unix_ms.rem_euclid(DAY_MS) / 1000;
    (seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// IMAP's date-time in UTC: `17-Jul-2026 02:44:25 +0000`, the day padded with a blank
/// (RFC 3501 §9 `date-day-fixed`).
#[must_use]
pub fn imap_date_time(unix_ms: i64) -> String {
    let (year, month, day) = civil_from_days(day_number(unix_ms));
    let (h, m, s) = clock_parts(unix_ms);
    let month = month_name(month);
    format!("{day:>2}-{month}-{year:04} {h:02}:{m:02}:{s:02} +0000")
}

/// RFC 5322's date-time in UTC, for the trace headers of an SMTP delivery.
#[must_use]
pub fn mail_date(unix_ms: i64) -> String {
    let days = day_number(unix_ms);
    let (year, month, day) = civil_from_days(days);
    let (h, m, s) = clock_parts(unix_ms);
    let month = month_name(month);
    let weekday = usize::try_from(days.rem_euclid(7))
        .ok()
        .and_then(|i| WEEKDAYS.get(i))
        .copied()
        .unwrap_or("Thu");
    format!("{weekday}, {day} {month} {year:04} {h:02}:{m:02}:{s:02} +0000")
}

/// An IMAP `date` (`1-Feb-2026`) as days since the epoch.
pub(crate) fn parse_imap_date(text: &str) -> Option<i64> {
    let mut parts = text.trim().splitn(3, '-');
    let day: i64 = parts.next()?.trim().parse().ok()?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(name))?;
    let year: i64 = parts.next()?.parse().ok()?;
    if !(1..=31).contains(&day) || !(1..=9999).contains(&year) {
        return None;
    }
    Some(days_from_civil(year, i64::try_from(month).ok()? + 1, day))
}

/// An IMAP `date-time` (APPEND) as Unix milliseconds.
pub(crate) fn parse_imap_date_time(text: &str) -> Option<i64> {
    let mut parts = text.trim().split(' ');
    let days = parse_imap_date(parts.next()?)?;
    let mut clock = parts.next()?.split(':').map(str::parse::<i64>);
    let (h, m, s) = (
        clock.next()?.ok()?,
        clock.next()?.ok()?,
        clock.next()?.ok()?,
    );
    let zone = parts.next()?;
    let (sign, digits) = match zone.as_bytes().first()? {
        b'+' => (1, zone.get(1..)?),
        b'-' => (-1, zone.get(1..)?),
        _ => return None,
    };
    if digits.len() != 4 || !(0..24).contains(&h) || !(0..60).contains(&m) || !(0..=60).contains(&s)
    {
        return None;
    }
    let zone: i64 = digits.parse().ok()?;
    let offset_min = sign * (zone / 100 * 60 + zone % 100);
    Some(days * DAY_MS + ((h * 60 + m - offset_min) * 60 + s) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_rfc_3501_says_and_read_back() {
        assert_eq!(imap_date_time(0), " 1-Jan-1970 00:00:00 +0000");
        let t = 1_784_256_265_000; // 2026-07-17 02:44:25 UTC
        assert_eq!(imap_date_time(t), "17-Jul-2026 02:44:25 +0000");
        assert_eq!(mail_date(t), "Fri, 17 Jul 2026 02:44:25 +0000");
        assert_eq!(parse_imap_date_time(&imap_date_time(t)), Some(t));
        assert_eq!(
            parse_imap_date_time("17-Jul-2026 04:44:25 +0200"),
            Some(t),
            "the zone is taken off"
        );
        for day in [-800_000, -1, 0, 59, 60, 11_016, 20_000, 900_000] {
            let (y, m, d) = civil_from_days(day);
            assert_eq!(days_from_civil(y, m, d), day);
        }
    }

    #[test]
    fn a_bad_date_is_none_not_a_panic() {
        for bad in [
            "",
            "1",
            "32-Jan-2026",
            "1-Foo-2026",
            "1-Jan-2026 25:00:00 +0000",
            "1-Jan-2026 01:00:00 0000",
            "1-Jan-2026 01:00:00 +é00",
        ] {
            assert_eq!(parse_imap_date_time(bad), None, "{bad}");
        }
        assert_eq!(parse_imap_date("29-Feb-2024"), Some(19_782));
    }
}
