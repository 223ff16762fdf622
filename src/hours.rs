//! Working hours: on which days, from when to when automatic mails leave. Pure.

use chrono::{DateTime, Datelike, Utc};

use crate::time::UtcMs;
use crate::zone::Zone;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// Windows in one text.
const MAX_WINDOWS: usize = 14;

/// Days and hours in which automatic mails to leads leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkingHours {
    text: String,
    windows: Vec<Window>,
}

/// `Mon-Fri 09:00-18:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    /// Monday first.
    days: [bool; 7],
    from_min: u16,
    to_min: u16,
}

const REMEDY: &str = "Write days and hours such as \"Mon-Fri 09:00-18:00, Sat 10:00-13:00\"";

impl WorkingHours {
    /// Reads `Mon-Fri 09:00-18:00, Sat 10:00-13:00`; without days: every day.
    ///
    /// # Errors
    /// What is wrong, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pieces: Vec<&str> = text.split(',').map(str::trim).collect();
        if pieces.len() > MAX_WINDOWS {
            return Err(format!("too many windows. {REMEDY}"));
        }
        let windows = pieces
            .iter()
            .map(|piece| {
                window(piece).ok_or_else(|| format!("{piece:?} is not readable. {REMEDY}"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        if let Some(w) = windows.iter().find(|w| w.from_min >= w.to_min) {
            return Err(format!(
                "{} ends before it begins: hours over midnight are two windows",
                show(w)
            ));
        }
        Ok(Self {
            text: pieces.join(", "),
            windows,
        })
    }

    /// A campaign's own over the general ones. Words are checked where they are written; own ones
    /// that cannot be read count as not written, so that they open no hour that the general ones
    /// close.
    #[must_use]
    pub fn of(own: Option<&str>, general: Option<&Self>) -> Option<Self> {
        own.and_then(|own| Self::parse(own).ok())
            .or_else(|| general.cloned())
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `at` if that lies within the hours there, else when they begin next.
    #[must_use]
    pub fn next_open(&self, at: UtcMs, zone: &Zone) -> UtcMs {
        let local = at.0.saturating_add(zone.offset_ms_at(at));
        let midnight = local.saturating_sub(local.rem_euclid(DAY_MS));
        let mut first: Option<i64> = None;
        // A week and a day: the window that has ended today opens again in a week.
        for n in 0..=7 {
            let day = midnight.saturating_add(n * DAY_MS);
            let weekday = DateTime::<Utc>::from_timestamp_millis(day)
                .map_or(0, |d| d.weekday().num_days_from_monday());
            let weekday = usize::try_from(weekday).unwrap_or(0);
            for w in &self.windows {
                let close = day.saturating_add(i64::from(w.to_min) * MINUTE_MS);
                if !w.days.get(weekday).copied().unwrap_or(false) || local >= close {
                    continue;
                }
                let open = local.max(day.saturating_add(i64::from(w.from_min) * MINUTE_MS));
                first = Some(first.map_or(open, |f| f.min(open)));
            }
            if first.is_some() {
                break;
            }
        }
        match first {
            None => at,
            Some(open) if open == local => at,
            Some(open) => {
                // The clock may be put forward or back between now and then.
                let guess = UtcMs(open.saturating_sub(zone.offset_ms_at(at)));
                let then = UtcMs(open.saturating_sub(zone.offset_ms_at(guess)));
                // An opening within the hour that is left out is never before that hour.
                let early = then.0.saturating_add(zone.offset_ms_at(then)) < open;
                if early { guess.max(then) } else { then }.max(at)
            }
        }
    }
}

fn show(w: &Window) -> String {
    let clock = |min: u16| format!("{:02}:{:02}", min / 60, min % 60);
    format!("{}-{}", clock(w.from_min), clock(w.to_min))
}

fn window(piece: &str) -> Option<Window> {
    let words: Vec<&str> = piece.split_whitespace().collect();
    let (days, hours) = match words.as_slice() {
        [hours] => ([true; 7], hours),
        [names, hours] => (days(names)?, hours),
        _ => return None,
    };
    let (from, to) = hours.split_once(['-', '–'])?;
    Some(Window {
        days,
        from_min: clock(from)?,
        to_min: clock(to)?,
    })
}

/// `Mon`, `Mon-Fri`, `Fri-Mon`, `Mon/Wed/Fri`.
fn days(names: &str) -> Option<[bool; 7]> {
    let mut found = [false; 7];
    for name in names.split('/') {
        let (first, last) = name.split_once(['-', '–']).unwrap_or((name, name));
        let last = day(last)?;
        let mut at = day(first)?;
        loop {
            *found.get_mut(at)? = true;
            if at == last {
                break;
            }
            at = (at + 1) % 7;
        }
    }
    Some(found)
}

fn day(name: &str) -> Option<usize> {
    let name = name.to_ascii_lowercase();
    let full = name.len() == 3 || name.ends_with("day");
    DAYS.iter().position(|d| full && name.starts_with(d))
}

fn clock(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |s: &str| (1..=2).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit());
    if !two(hours) || minutes.len() != 2 || !two(minutes) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes < 60 && hours * 60 + minutes <= 24 * 60).then_some(hours * 60 + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone;

    fn next(hours: &str, at: &str, country: &str) -> String {
        let hours = WorkingHours::parse(hours).unwrap();
        let at = UtcMs::parse_day_or_time(at).unwrap();
        hours.next_open(at, &zone::of(country)).rfc3339()
    }

    #[test]
    fn a_mail_leaves_at_once_within_the_hours_and_else_when_they_begin() {
        let office = "Mon-Fri 09:00-18:00";
        for (at, country, leaves) in [
            // 2026-11-18 is a Wednesday.
            ("2026-11-18T10:00:00Z", "", "2026-11-18T10:00:00.000Z"),
            ("2026-11-18T08:59:59Z", "", "2026-11-18T09:00:00.000Z"),
            ("2026-11-18T17:59:59Z", "", "2026-11-18T17:59:59.000Z"),
            ("2026-11-18T18:00:00Z", "", "2026-11-19T09:00:00.000Z"),
            ("2026-11-20T18:30:00Z", "", "2026-11-23T09:00:00.000Z"),
            ("2026-11-21T12:00:00Z", "", "2026-11-23T09:00:00.000Z"),
            // In Dubai it is four hours later.
            ("2026-11-18T10:00:00Z", "AE", "2026-11-18T10:00:00.000Z"),
            ("2026-11-18T14:00:00Z", "AE", "2026-11-19T05:00:00.000Z"),
            // Friday before Europe puts its clock forward: Monday at 9 is 7 in UTC, not 8.
            ("2026-03-27T18:00:00Z", "DE", "2026-03-30T07:00:00.000Z"),
            ("2026-10-23T17:00:00Z", "DE", "2026-10-26T08:00:00.000Z"),
        ] {
            assert_eq!(next(office, at, country), leaves, "{at} {country}");
        }
        // The opening lies in the hour that the clock leaves out: never before that hour.
        let early = next("Sun 02:30-05:00", "2026-03-28T12:00:00Z", "DE");
        assert_eq!(early, "2026-03-29T01:30:00.000Z");
        let once = "Sun 10:00-11:00";
        // The one window has ended: in a week again.
        assert_eq!(
            next(once, "2026-11-22T11:00:00Z", ""),
            "2026-11-29T10:00:00.000Z"
        );
        assert_eq!(
            next(
                "Mon/Wed 8:00-9:00, Wed 20:00-24:00",
                "2026-11-18T12:00:00Z",
                ""
            ),
            "2026-11-18T20:00:00.000Z"
        );
        assert_eq!(
            next("08:00-20:00", "2026-11-22T21:00:00Z", ""),
            "2026-11-23T08:00:00.000Z"
        );
        assert_eq!(
            next("Sat-Mon 08:00-20:00", "2026-11-20T21:00:00Z", ""),
            "2026-11-21T08:00:00.000Z"
        );
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for bad in [
            "",
            "Mon-Fri",
            "Mon-Fri 9-18",
            "Funday 09:00-18:00",
            "Mon 25:00-26:00",
            "Mon 09:00-18:60",
            "Mon 24:01-24:30",
            "Mon 09:00-18:00,",
            "Mon 18:00-09:00",
            "Mon 09:00-09:00",
        ] {
            assert!(WorkingHours::parse(bad).is_err(), "{bad}");
        }
        assert!(
            WorkingHours::parse("22:00-06:00")
                .unwrap_err()
                .contains("two windows")
        );
        assert_eq!(
            WorkingHours::parse("Mon-Fri 09:00-18:00,  Sat 10:00-13:00")
                .unwrap()
                .as_str(),
            "Mon-Fri 09:00-18:00, Sat 10:00-13:00"
        );
    }
}
