//! Until when a person is away, and who stands in (docs/DECISIONS.md, "Automatic answers").

mod dates;
mod parse;
mod stand_in;
mod words;

use std::time::Duration;

use chrono::NaiveDate;
use serde::{Serialize, Serializer};

use super::fold::fold;
use super::lexicon;
use crate::time::UtcMs;
use crate::zone;

pub use stand_in::StandIn;

/// What of a notice is read.
const MAX_TEXT_BYTES: usize = 4000;
/// Without a date that is certain.
const NO_DATE: Duration = Duration::from_secs(7 * 24 * 3600);

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
    Notice {
        subject,
        text,
        received: Some(received),
        country,
        own: Vec::new(),
    }
    .read()
}

/// A vacation notice, to be read.
#[derive(Clone, Debug)]
pub struct Notice<'n> {
    /// Its subject.
    pub subject: &'n str,
    /// What was newly written in it.
    pub text: &'n str,
    /// When it was received; where that is not known, only dates with a year count.
    pub received: Option<UtcMs>,
    /// Of the person: ISO 3166 code or calling code; empty when not known, then UTC.
    pub country: &'n str,
    /// The addresses of the absent person, who is no stand-in.
    pub own: Vec<&'n str>,
}

impl Notice<'_> {
    /// What it says.
    #[must_use]
    pub fn read(&self) -> Absence {
        let zone = zone::of(self.country);
        let today = self.received.and_then(|at| zone.day_of(at));
        let return_date = self.day(today, &zone).map(|r| r.day);
        let until = return_date
            .and_then(|day| zone.start_of(day))
            .unwrap_or_else(|| self.received.unwrap_or_default().plus(NO_DATE));
        Absence {
            return_date,
            until,
            stand_in: stand_in::of(self.text, &self.own),
        }
    }

    /// Whether it names a day of return; `Some(false)`: only how long the absence lasts.
    pub(super) fn says_back(&self) -> Option<bool> {
        let zone = zone::of(self.country);
        let today = self.received.and_then(|at| zone.day_of(at));
        self.day(today, &zone).map(|r| r.is_back)
    }

    fn day(&self, today: Option<NaiveDate>, zone: &zone::Zone) -> Option<dates::Return> {
        let of = |text: &str| {
            let folded = plain(&fold(&text.replace('〜', "-"), MAX_TEXT_BYTES));
            let hits = lexicon::in_reply(&folded);
            let order = dates::Order::of(&folded, &hits, zone);
            dates::return_date(&folded, &hits, order, today)
        };
        // The text says it in full; the subject may say it alone: `Away until 5 May`. Back on a
        // day is more than away until one.
        let found = [of(self.text), of(self.subject)];
        let mut back = found.iter().flatten().filter(|r| r.is_back);
        let mut any = found.iter().flatten();
        back.next().or_else(|| any.next()).copied()
    }
}

/// Spellings that are two words and mean one, or the other way round.
fn plain(folded: &str) -> String {
    folded
        .replace("re open", "reopen")
        .replace("back to you", "answer you")
        .replace('~', "-")
}

#[cfg(test)]
mod tests;
