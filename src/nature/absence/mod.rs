//! Until when a person is away, and who stands in (docs/DECISIONS.md, "Automatic answers").

mod dates;
mod parse;
mod stand_in;
mod words;
mod zone;

use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use serde::{Serialize, Serializer};

use super::fold::fold;
use super::lexicon;
use crate::time::UtcMs;

pub use stand_in::StandIn;

/// What of a notice is read.
const MAX_TEXT_BYTES: usize = 4000;
/// Without a date that is certain.
const NO_DATE: Duration = Duration::from_secs(7 * 24 * 3600);
/// A return further ahead is not believed: a year that was mistaken, or a date of another thing.
const MAX_DAYS: u64 = 180;

/// What a vacation notice says of the time and of the stand-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Absence {
    /// The first day on which the person is back, where the text says so for certain. Shown as
    /// `2025-05-12`.
    #[serde(serialize_with = "iso")]
    pub return_date: Option<NaiveDate>,
    /// No follow-up before: the start of that day in the person's zone, else seven days after
    /// the mail was received.
    pub until: UtcMs,
    /// Who stands in.
    pub stand_in: Option<StandIn>,
}

fn iso<S: Serializer>(day: &Option<NaiveDate>, s: S) -> Result<S::Ok, S::Error> {
    match day {
        Some(day) => s.collect_str(day),
        None => s.serialize_none(),
    }
}

/// Reads a vacation notice: `text` as newly written, received at `received` from a person in
/// `country` (ISO 3166 code or calling code; empty when not known: then UTC).
#[must_use]
pub fn absence(subject: &str, text: &str, received: UtcMs, country: &str) -> Absence {
    let zone = zone::of(country);
    let today = zone.day_of(received);
    let return_date = today.and_then(|today| return_date(subject, text, today, &zone));
    let until = return_date
        .and_then(|day| zone.start_of(day))
        .unwrap_or_else(|| received.plus(NO_DATE));
    Absence {
        return_date,
        until,
        stand_in: stand_in::of(text),
    }
}

fn return_date(
    subject: &str,
    text: &str,
    today: NaiveDate,
    zone: &zone::Zone,
) -> Option<NaiveDate> {
    let last = today.checked_add_days(Days::new(MAX_DAYS))?;
    let fits = |day: &NaiveDate| *day > today && *day <= last;
    // The text says it in full; the subject may say it alone: `Away until 5 May`.
    [text, subject].iter().find_map(|text| {
        let folded = fold(text, MAX_TEXT_BYTES);
        let hits = lexicon::in_reply(&folded);
        let order = dates::Order::of(&folded, &hits, zone);
        dates::return_date(&folded, &hits, order, today).filter(fits)
    })
}

impl zone::Zone {
    fn day_of(&self, at: UtcMs) -> Option<NaiveDate> {
        let local = at.0.checked_add(self.offset_ms())?;
        Some(DateTime::<Utc>::from_timestamp_millis(local)?.date_naive())
    }

    fn start_of(&self, day: NaiveDate) -> Option<UtcMs> {
        let start = day.and_time(NaiveTime::MIN).and_utc().timestamp_millis();
        start.checked_sub(self.offset_ms()).map(UtcMs)
    }
}

#[cfg(test)]
mod tests;
