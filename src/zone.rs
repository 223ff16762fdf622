//! The zone of a country: its usual distance from UTC, with the rules of summer time of Europe, North
//! America, Australia and New Zealand. Of a country with several zones the one in which most people
//! live. A pause of days and working hours need no more.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, Utc, Weekday};
use serde::{Deserialize, Serialize};

use crate::time::UtcMs;

/// A country's zone, and how it writes dates. The default is UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// Minutes east of UTC, without summer time.
    minutes: i32,
    /// Whether `5/12` is the fifth of December; `None` when that is not known.
    pub(crate) day_first: Option<bool>,
    summer: Summer,
}

/// When the clock is an hour ahead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Summer {
    /// Never, as far as this table knows.
    #[default]
    Never,
    /// Directive 2000/84/EC: last Sundays of March and October, at 01:00 UTC.
    Europe,
    /// From the second Sunday of March to the first of November, at 2 o'clock.
    America,
    /// From the first Sunday of October to the first of April, at 2 o'clock.
    Australia,
    /// From the last Sunday of September to the first of April, at 2 o'clock.
    NewZealand,
}

/// In which zone hours are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ZoneChoice {
    /// That of the lead's country; UTC where it is not known.
    Lead,
    /// This one.
    Fixed(Zone),
}

impl ZoneChoice {
    /// Reads `lead`, `UTC`, a country (`DE`, `+49`) or a distance (`+02:00`).
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("lead") {
            return Ok(Self::Lead);
        }
        if text.eq_ignore_ascii_case("utc") {
            return Ok(Self::Fixed(Zone::default()));
        }
        known(text)
            .or_else(|| distance(text))
            .map(Self::Fixed)
            .ok_or("Write lead, UTC, a country such as DE, or a distance such as +02:00")
    }

    /// A campaign's own over the general one.
    #[must_use]
    pub fn of(own: Option<&str>, general: Self) -> Self {
        own.and_then(|own| Self::parse(own).ok()).unwrap_or(general)
    }

    /// For a lead of this country.
    #[must_use]
    pub fn zone_for(self, country: &str) -> Zone {
        match self {
            Self::Lead => of(country),
            Self::Fixed(zone) => zone,
        }
    }
}

/// `+02:00`, `-05:30`.
fn distance(text: &str) -> Option<Zone> {
    let (sign, rest) = match text.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, text.strip_prefix(['-', '\u{2212}'])?),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let digits = |s: &str| s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 14 && minutes < 60).then_some(Zone {
        minutes: sign * (hours * 60 + minutes),
        ..Zone::default()
    })
}

impl Zone {
    /// Milliseconds east of UTC, without summer time.
    pub(crate) fn offset_ms(&self) -> i64 {
        i64::from(self.minutes) * 60_000
    }

    /// Milliseconds east of UTC at that moment.
    #[must_use]
    pub fn offset_ms_at(&self, at: UtcMs) -> i64 {
        let ahead = if self.is_summer(at) { 3_600_000 } else { 0 };
        self.offset_ms().saturating_add(ahead)
    }

    /// The day there at that moment.
    pub(crate) fn day_of(&self, at: UtcMs) -> Option<NaiveDate> {
        let local = at.0.checked_add(self.offset_ms_at(at))?;
        Some(DateTime::<Utc>::from_timestamp_millis(local)?.date_naive())
    }

    /// When that day begins there.
    pub(crate) fn start_of(&self, day: NaiveDate) -> Option<UtcMs> {
        let start = day.and_time(NaiveTime::MIN).and_utc().timestamp_millis();
        // No zone changes its clocks within an hour of midnight but in summer time's own night.
        let about = start.checked_sub(self.offset_ms()).map(UtcMs)?;
        start.checked_sub(self.offset_ms_at(about)).map(UtcMs)
    }

    fn is_summer(&self, at: UtcMs) -> bool {
        let standard = at.0.saturating_add(self.offset_ms());
        let Some(year) = DateTime::<Utc>::from_timestamp_millis(standard).map(|t| t.year()) else {
            return false;
        };
        let hours = |day: Option<NaiveDate>, hour: u32| {
            let time = day.and_then(|d| d.and_hms_opt(hour, 0, 0));
            time.map_or(i64::MAX, |t| t.and_utc().timestamp_millis())
        };
        match self.summer {
            Summer::Never => false,
            Summer::Europe => {
                at.0 >= hours(last_sunday(year, 3), 1) && at.0 < hours(last_sunday(year, 10), 1)
            }
            // The end is at 2 o'clock of summer time.
            Summer::America => {
                standard >= hours(sunday(year, 3, 2), 2) && standard < hours(sunday(year, 11, 1), 1)
            }
            Summer::Australia => {
                standard < hours(sunday(year, 4, 1), 2) || standard >= hours(sunday(year, 10, 1), 2)
            }
            Summer::NewZealand => {
                standard < hours(sunday(year, 4, 1), 2)
                    || standard >= hours(last_sunday(year, 9), 2)
            }
        }
    }
}

/// The n-th Sunday of a month.
fn sunday(year: i32, month: u32, n: u8) -> Option<NaiveDate> {
    NaiveDate::from_weekday_of_month_opt(year, month, Weekday::Sun, n)
}

/// The last Sunday of a month that has 30 or 31 days.
fn last_sunday(year: i32, month: u32) -> Option<NaiveDate> {
    let fourth = sunday(year, month, 4)?;
    let fifth = fourth.checked_add_days(Days::new(7))?;
    Some(if fifth.month() == month {
        fifth
    } else {
        fourth
    })
}

/// The zone of an ISO 3166 code (`DE`) or calling code (`+49`, `0049`, `49`); UTC when not known.
#[must_use]
pub fn of(country: &str) -> Zone {
    known(country).unwrap_or_default()
}

fn known(country: &str) -> Option<Zone> {
    let country = country.trim().to_ascii_uppercase();
    let digits = country.trim_start_matches(['+', '0']);
    let (iso, _, minutes) = ZONES
        .iter()
        .find(|(iso, calling, _)| *iso == country || !digits.is_empty() && *calling == digits)?;
    let day_first = match *iso {
        // Month first; in Canada and the Philippines both are common.
        "US" => Some(false),
        "CA" | "PH" | "CN" | "JP" | "KR" | "TW" | "HU" | "MN" | "IR" => None,
        _ => Some(true),
    };
    let summer = match *iso {
        "US" | "CA" => Summer::America,
        "AU" => Summer::Australia,
        "NZ" => Summer::NewZealand,
        iso if EUROPE.contains(&iso) => Summer::Europe,
        _ => Summer::Never,
    };
    Some(Zone {
        minutes: *minutes,
        day_first,
        summer,
    })
}

/// Where the European rule of summer time holds.
const EUROPE: &[&str] = &[
    "GB", "UK", "IE", "PT", "DE", "AT", "CH", "LI", "LU", "FR", "MC", "BE", "NL", "ES", "AD", "IT",
    "SM", "MT", "DK", "NO", "SE", "PL", "CZ", "SK", "HU", "SI", "HR", "BA", "RS", "ME", "MK", "AL",
    "XK", "FI", "EE", "LV", "LT", "UA", "MD", "RO", "BG", "GR", "CY",
];

/// ISO 3166 code, calling code, minutes east of UTC.
const ZONES: &[(&str, &str, i32)] = &[
    ("US", "1", -360),
    ("CA", "", -300),
    ("GB", "44", 0),
    ("UK", "", 0),
    ("IE", "353", 0),
    ("PT", "351", 0),
    ("IS", "354", 0),
    ("MA", "212", 60),
    ("GH", "233", 0),
    ("SN", "221", 0),
    ("CI", "225", 0),
    ("DE", "49", 60),
    ("AT", "43", 60),
    ("CH", "41", 60),
    ("LI", "423", 60),
    ("LU", "352", 60),
    ("FR", "33", 60),
    ("MC", "377", 60),
    ("BE", "32", 60),
    ("NL", "31", 60),
    ("ES", "34", 60),
    ("AD", "376", 60),
    ("IT", "39", 60),
    ("SM", "378", 60),
    ("MT", "356", 60),
    ("DK", "45", 60),
    ("NO", "47", 60),
    ("SE", "46", 60),
    ("PL", "48", 60),
    ("CZ", "420", 60),
    ("SK", "421", 60),
    ("HU", "36", 60),
    ("SI", "386", 60),
    ("HR", "385", 60),
    ("BA", "387", 60),
    ("RS", "381", 60),
    ("ME", "382", 60),
    ("MK", "389", 60),
    ("AL", "355", 60),
    ("XK", "383", 60),
    ("TN", "216", 60),
    ("DZ", "213", 60),
    ("NG", "234", 60),
    ("CM", "237", 60),
    ("AO", "244", 60),
    ("FI", "358", 120),
    ("EE", "372", 120),
    ("LV", "371", 120),
    ("LT", "370", 120),
    ("UA", "380", 120),
    ("MD", "373", 120),
    ("RO", "40", 120),
    ("BG", "359", 120),
    ("GR", "30", 120),
    ("CY", "357", 120),
    ("IL", "972", 120),
    ("PS", "970", 120),
    ("LB", "961", 120),
    ("EG", "20", 120),
    ("LY", "218", 120),
    ("ZA", "27", 120),
    ("ZW", "263", 120),
    ("ZM", "260", 120),
    ("MZ", "258", 120),
    ("NA", "264", 120),
    ("BW", "267", 120),
    ("TR", "90", 180),
    ("RU", "7", 180),
    ("BY", "375", 180),
    ("SA", "966", 180),
    ("KW", "965", 180),
    ("BH", "973", 180),
    ("QA", "974", 180),
    ("IQ", "964", 180),
    ("JO", "962", 180),
    ("SY", "963", 180),
    ("YE", "967", 180),
    ("KE", "254", 180),
    ("UG", "256", 180),
    ("TZ", "255", 180),
    ("ET", "251", 180),
    ("IR", "98", 210),
    ("AE", "971", 240),
    ("OM", "968", 240),
    ("AZ", "994", 240),
    ("GE", "995", 240),
    ("AM", "374", 240),
    ("MU", "230", 240),
    ("SC", "248", 240),
    ("AF", "93", 270),
    ("PK", "92", 300),
    ("UZ", "998", 300),
    ("KZ", "", 300),
    ("TM", "993", 300),
    ("TJ", "992", 300),
    ("MV", "960", 300),
    ("IN", "91", 330),
    ("LK", "94", 330),
    ("NP", "977", 345),
    ("BD", "880", 360),
    ("KG", "996", 360),
    ("MM", "95", 390),
    ("TH", "66", 420),
    ("VN", "84", 420),
    ("KH", "855", 420),
    ("LA", "856", 420),
    ("ID", "62", 420),
    ("CN", "86", 480),
    ("HK", "852", 480),
    ("MO", "853", 480),
    ("TW", "886", 480),
    ("SG", "65", 480),
    ("MY", "60", 480),
    ("BN", "673", 480),
    ("PH", "63", 480),
    ("MN", "976", 480),
    ("JP", "81", 540),
    ("KR", "82", 540),
    ("AU", "61", 600),
    ("NZ", "64", 720),
    ("FJ", "679", 720),
    ("CV", "238", -60),
    ("BR", "55", -180),
    ("AR", "54", -180),
    ("UY", "598", -180),
    ("CL", "56", -240),
    ("PY", "595", -240),
    ("BO", "591", -240),
    ("VE", "58", -240),
    ("DO", "", -240),
    ("PR", "", -240),
    ("CO", "57", -300),
    ("PE", "51", -300),
    ("EC", "593", -300),
    ("PA", "507", -300),
    ("CU", "53", -300),
    ("JM", "", -300),
    ("MX", "52", -360),
    ("GT", "502", -360),
    ("SV", "503", -360),
    ("HN", "504", -360),
    ("NI", "505", -360),
    ("CR", "506", -360),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_its_own_midnight_in_summer_too() {
        let zone = of("DE");
        let midnight = UtcMs(1_751_320_800_000); // 1 July 2025, 00:00 in Berlin.
        let day = zone.day_of(midnight).unwrap();
        assert_eq!(day.to_string(), "2025-07-01");
        assert_eq!(zone.start_of(day), Some(midnight));
        assert_eq!(
            zone.day_of(UtcMs(midnight.0 - 1)).unwrap(),
            day.pred_opt().unwrap()
        );
    }

    #[test]
    fn a_country_is_known_by_its_code_and_its_calling_code() {
        for (country, hours) in [
            ("AE", 4),
            ("ae ", 4),
            ("+971", 4),
            ("00971", 4),
            ("971", 4),
            ("DE", 1),
            ("", 0),
            ("ZZ", 0),
            ("0", 0),
        ] {
            assert_eq!(of(country).offset_ms(), hours * 3_600_000, "{country}");
        }
        assert_eq!(of("US").day_first, Some(false));
        assert_eq!(of("DE").day_first, Some(true));
        assert_eq!(of("").day_first, None);
    }

    #[test]
    fn summer_time_begins_and_ends_to_the_second() {
        let at = |text: &str| UtcMs::parse_day_or_time(text).unwrap();
        for (country, time, hours) in [
            ("DE", "2026-03-29T00:59:59Z", 1),
            ("DE", "2026-03-29T01:00:00Z", 2),
            ("DE", "2026-10-25T00:59:59Z", 2),
            ("DE", "2026-10-25T01:00:00Z", 1),
            ("GB", "2026-07-01T00:00:00Z", 1),
            // America/Chicago
            ("US", "2026-03-08T07:59:59Z", -6),
            ("US", "2026-03-08T08:00:00Z", -5),
            ("US", "2026-11-01T06:59:59Z", -5),
            ("US", "2026-11-01T07:00:00Z", -6),
            // Australia/Sydney
            ("AU", "2026-04-04T15:59:59Z", 11),
            ("AU", "2026-04-04T16:00:00Z", 10),
            ("AU", "2026-10-03T16:00:00Z", 11),
            // Pacific/Auckland
            ("NZ", "2026-09-26T13:59:59Z", 12),
            ("NZ", "2026-09-26T14:00:00Z", 13),
            ("AE", "2026-07-01T00:00:00Z", 4),
            ("", "2026-07-01T00:00:00Z", 0),
        ] {
            let offset = of(country).offset_ms_at(at(time));
            assert_eq!(offset, hours * 3_600_000, "{country} {time}");
        }
    }

    #[test]
    fn a_zone_is_chosen_by_country_distance_or_lead() {
        assert_eq!(ZoneChoice::parse("lead"), Ok(ZoneChoice::Lead));
        assert_eq!(ZoneChoice::Lead.zone_for("AE").offset_ms(), 4 * 3_600_000);
        let fixed = |text| match ZoneChoice::parse(text) {
            Ok(choice @ ZoneChoice::Fixed(_)) => choice.zone_for("AE").offset_ms() / 60_000,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(fixed("UTC"), 0);
        assert_eq!(fixed("de"), 60);
        assert_eq!(fixed("+49"), 60);
        assert_eq!(fixed("+05:30"), 330);
        assert_eq!(fixed("-03:00"), -180);
        for bad in [
            "",
            "Europe/Berlin",
            "ZZ",
            "+2:00",
            "+15:00",
            "+02:60",
            "+1x:00",
        ] {
            assert!(ZoneChoice::parse(bad).is_err(), "{bad}");
        }
    }
}
