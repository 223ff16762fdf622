//! The zone of a country, with the rules of the IANA database (the crate `chrono-tz`). Of a country
//! with several zones the one in which most people live.

use chrono::{
    DateTime, FixedOffset, LocalResult, NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone, Utc,
};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::time::UtcMs;

/// A zone, and how its country writes dates. The default is UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    clock: Clock,
    /// Whether `5/12` is the fifth of December; `None` when that is not known.
    pub(crate) day_first: Option<bool>,
}

/// What tells the time there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Clock {
    /// Minutes east of UTC, all the year.
    Fixed(i32),
    /// A zone of the IANA database.
    Named(Tz),
}

impl Default for Clock {
    fn default() -> Self {
        Self::Fixed(0)
    }
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
    /// Reads `lead`, `UTC`, a country (`DE`, `+49`), a zone (`Europe/Berlin`) or a distance (`+02:00`).
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
            .or_else(|| named(text))
            .map(Self::Fixed)
            .ok_or(
                "Write lead, UTC, a country such as DE, a zone such as Europe/Berlin, or a distance \
                 such as +02:00",
            )
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
        clock: Clock::Fixed(sign * (hours * 60 + minutes)),
        ..Zone::default()
    })
}

/// `Europe/Berlin`, in any case of letters; names without a slash ("EST") mean different things to
/// different people.
fn named(text: &str) -> Option<Zone> {
    let tz = chrono_tz::TZ_VARIANTS
        .iter()
        .find(|tz| tz.name().contains('/') && tz.name().eq_ignore_ascii_case(text))?;
    Some(Zone {
        clock: Clock::Named(*tz),
        ..Zone::default()
    })
}

impl Zone {
    fn offset_at(&self, at: DateTime<Utc>) -> Option<FixedOffset> {
        match self.clock {
            Clock::Fixed(minutes) => FixedOffset::east_opt(minutes.checked_mul(60)?),
            Clock::Named(tz) => Some(tz.offset_from_utc_datetime(&at.naive_utc()).fix()),
        }
    }

    /// Milliseconds east of UTC at that moment.
    #[must_use]
    pub fn offset_ms_at(&self, at: UtcMs) -> i64 {
        let offset = DateTime::<Utc>::from_timestamp_millis(at.0).and_then(|at| self.offset_at(at));
        offset.map_or(0, |o| i64::from(o.local_minus_utc()) * 1_000)
    }

    /// The day there at that moment.
    pub(crate) fn day_of(&self, at: UtcMs) -> Option<NaiveDate> {
        let local = at.0.checked_add(self.offset_ms_at(at))?;
        Some(DateTime::<Utc>::from_timestamp_millis(local)?.date_naive())
    }

    /// When that day begins there. Some zones leave out their midnight when summer time begins; the
    /// day begins an hour later then.
    pub(crate) fn start_of(&self, day: NaiveDate) -> Option<UtcMs> {
        let midnight = day.and_time(NaiveTime::MIN);
        let tz = match self.clock {
            Clock::Fixed(_) => {
                let utc = midnight.and_utc().timestamp_millis();
                return utc.checked_sub(self.offset_ms_at(UtcMs(utc))).map(UtcMs);
            }
            Clock::Named(tz) => tz,
        };
        let start = match tz.from_local_datetime(&midnight) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at,
            LocalResult::None => {
                let later = midnight.checked_add_signed(TimeDelta::hours(1))?;
                tz.from_local_datetime(&later).earliest()?
            }
        };
        Some(UtcMs(start.timestamp_millis()))
    }
}

/// The zone of an ISO 3166 code (`DE`) or calling code (`+49`, `0049`, `49`); UTC when not known.
#[must_use]
pub fn of(country: &str) -> Zone {
    known(country).unwrap_or_default()
}

fn known(country: &str) -> Option<Zone> {
    let country = country.trim().to_ascii_uppercase();
    let digits = country.trim_start_matches(['+', '0']);
    let (iso, _, name) = ZONES
        .iter()
        .find(|(iso, calling, _)| *iso == country || !digits.is_empty() && *calling == digits)?;
    let day_first = match *iso {
        // Month first; in Canada and the Philippines both are common.
        "US" => Some(false),
        "CA" | "PH" | "CN" | "JP" | "KR" | "TW" | "HU" | "MN" | "IR" => None,
        _ => Some(true),
    };
    Some(Zone {
        clock: name.parse().map_or_else(|_| Clock::default(), Clock::Named),
        day_first,
    })
}

/// ISO 3166 code, calling code, zone.
const ZONES: &[(&str, &str, &str)] = &[
    ("US", "1", "America/Chicago"),
    ("CA", "", "America/Toronto"),
    ("GB", "44", "Europe/London"),
    ("UK", "", "Europe/London"),
    ("IE", "353", "Europe/Dublin"),
    ("PT", "351", "Europe/Lisbon"),
    ("IS", "354", "Atlantic/Reykjavik"),
    ("MA", "212", "Africa/Casablanca"),
    ("GH", "233", "Africa/Accra"),
    ("SN", "221", "Africa/Dakar"),
    ("CI", "225", "Africa/Abidjan"),
    ("DE", "49", "Europe/Berlin"),
    ("AT", "43", "Europe/Vienna"),
    ("CH", "41", "Europe/Zurich"),
    ("LI", "423", "Europe/Vaduz"),
    ("LU", "352", "Europe/Luxembourg"),
    ("FR", "33", "Europe/Paris"),
    ("MC", "377", "Europe/Monaco"),
    ("BE", "32", "Europe/Brussels"),
    ("NL", "31", "Europe/Amsterdam"),
    ("ES", "34", "Europe/Madrid"),
    ("AD", "376", "Europe/Andorra"),
    ("IT", "39", "Europe/Rome"),
    ("SM", "378", "Europe/San_Marino"),
    ("MT", "356", "Europe/Malta"),
    ("DK", "45", "Europe/Copenhagen"),
    ("NO", "47", "Europe/Oslo"),
    ("SE", "46", "Europe/Stockholm"),
    ("PL", "48", "Europe/Warsaw"),
    ("CZ", "420", "Europe/Prague"),
    ("SK", "421", "Europe/Bratislava"),
    ("HU", "36", "Europe/Budapest"),
    ("SI", "386", "Europe/Ljubljana"),
    ("HR", "385", "Europe/Zagreb"),
    ("BA", "387", "Europe/Sarajevo"),
    ("RS", "381", "Europe/Belgrade"),
    ("ME", "382", "Europe/Podgorica"),
    ("MK", "389", "Europe/Skopje"),
    ("AL", "355", "Europe/Tirane"),
    ("XK", "383", "Europe/Belgrade"),
    ("TN", "216", "Africa/Tunis"),
    ("DZ", "213", "Africa/Algiers"),
    ("NG", "234", "Africa/Lagos"),
    ("CM", "237", "Africa/Douala"),
    ("AO", "244", "Africa/Luanda"),
    ("FI", "358", "Europe/Helsinki"),
    ("EE", "372", "Europe/Tallinn"),
    ("LV", "371", "Europe/Riga"),
    ("LT", "370", "Europe/Vilnius"),
    ("UA", "380", "Europe/Kyiv"),
    ("MD", "373", "Europe/Chisinau"),
    ("RO", "40", "Europe/Bucharest"),
    ("BG", "359", "Europe/Sofia"),
    ("GR", "30", "Europe/Athens"),
    ("CY", "357", "Asia/Nicosia"),
    ("IL", "972", "Asia/Jerusalem"),
    ("PS", "970", "Asia/Gaza"),
    ("LB", "961", "Asia/Beirut"),
    ("EG", "20", "Africa/Cairo"),
    ("LY", "218", "Africa/Tripoli"),
    ("ZA", "27", "Africa/Johannesburg"),
    ("ZW", "263", "Africa/Harare"),
    ("ZM", "260", "Africa/Lusaka"),
    ("MZ", "258", "Africa/Maputo"),
    ("NA", "264", "Africa/Windhoek"),
    ("BW", "267", "Africa/Gaborone"),
    ("TR", "90", "Europe/Istanbul"),
    ("RU", "7", "Europe/Moscow"),
    ("BY", "375", "Europe/Minsk"),
    ("SA", "966", "Asia/Riyadh"),
    ("KW", "965", "Asia/Kuwait"),
    ("BH", "973", "Asia/Bahrain"),
    ("QA", "974", "Asia/Qatar"),
    ("IQ", "964", "Asia/Baghdad"),
    ("JO", "962", "Asia/Amman"),
    ("SY", "963", "Asia/Damascus"),
    ("YE", "967", "Asia/Aden"),
    ("KE", "254", "Africa/Nairobi"),
    ("UG", "256", "Africa/Kampala"),
    ("TZ", "255", "Africa/Dar_es_Salaam"),
    ("ET", "251", "Africa/Addis_Ababa"),
    ("IR", "98", "Asia/Tehran"),
    ("AE", "971", "Asia/Dubai"),
    ("OM", "968", "Asia/Muscat"),
    ("AZ", "994", "Asia/Baku"),
    ("GE", "995", "Asia/Tbilisi"),
    ("AM", "374", "Asia/Yerevan"),
    ("MU", "230", "Indian/Mauritius"),
    ("SC", "248", "Indian/Mahe"),
    ("AF", "93", "Asia/Kabul"),
    ("PK", "92", "Asia/Karachi"),
    ("UZ", "998", "Asia/Tashkent"),
    ("KZ", "", "Asia/Almaty"),
    ("TM", "993", "Asia/Ashgabat"),
    ("TJ", "992", "Asia/Dushanbe"),
    ("MV", "960", "Indian/Maldives"),
    ("IN", "91", "Asia/Kolkata"),
    ("LK", "94", "Asia/Colombo"),
    ("NP", "977", "Asia/Kathmandu"),
    ("BD", "880", "Asia/Dhaka"),
    ("KG", "996", "Asia/Bishkek"),
    ("MM", "95", "Asia/Yangon"),
    ("TH", "66", "Asia/Bangkok"),
    ("VN", "84", "Asia/Ho_Chi_Minh"),
    ("KH", "855", "Asia/Phnom_Penh"),
    ("LA", "856", "Asia/Vientiane"),
    ("ID", "62", "Asia/Jakarta"),
    ("CN", "86", "Asia/Shanghai"),
    ("HK", "852", "Asia/Hong_Kong"),
    ("MO", "853", "Asia/Macau"),
    ("TW", "886", "Asia/Taipei"),
    ("SG", "65", "Asia/Singapore"),
    ("MY", "60", "Asia/Kuala_Lumpur"),
    ("BN", "673", "Asia/Brunei"),
    ("PH", "63", "Asia/Manila"),
    ("MN", "976", "Asia/Ulaanbaatar"),
    ("JP", "81", "Asia/Tokyo"),
    ("KR", "82", "Asia/Seoul"),
    ("AU", "61", "Australia/Sydney"),
    ("NZ", "64", "Pacific/Auckland"),
    ("FJ", "679", "Pacific/Fiji"),
    ("CV", "238", "Atlantic/Cape_Verde"),
    ("BR", "55", "America/Sao_Paulo"),
    ("AR", "54", "America/Argentina/Buenos_Aires"),
    ("UY", "598", "America/Montevideo"),
    ("CL", "56", "America/Santiago"),
    ("PY", "595", "America/Asuncion"),
    ("BO", "591", "America/La_Paz"),
    ("VE", "58", "America/Caracas"),
    ("DO", "", "America/Santo_Domingo"),
    ("PR", "", "America/Puerto_Rico"),
    ("CO", "57", "America/Bogota"),
    ("PE", "51", "America/Lima"),
    ("EC", "593", "America/Guayaquil"),
    ("PA", "507", "America/Panama"),
    ("CU", "53", "America/Havana"),
    ("JM", "", "America/Jamaica"),
    ("MX", "52", "America/Mexico_City"),
    ("GT", "502", "America/Guatemala"),
    ("SV", "503", "America/El_Salvador"),
    ("HN", "504", "America/Tegucigalpa"),
    ("NI", "505", "America/Managua"),
    ("CR", "506", "America/Costa_Rica"),
    ("AG", "", "America/Antigua"),
    ("AI", "", "America/Anguilla"),
    ("AS", "", "Pacific/Pago_Pago"),
    ("AW", "", "America/Aruba"),
    ("AX", "", "Europe/Mariehamn"),
    ("BB", "", "America/Barbados"),
    ("BF", "", "Africa/Ouagadougou"),
    ("BI", "", "Africa/Bujumbura"),
    ("BJ", "", "Africa/Porto-Novo"),
    ("BL", "", "America/St_Barthelemy"),
    ("BM", "", "Atlantic/Bermuda"),
    ("BQ", "", "America/Kralendijk"),
    ("BS", "", "America/Nassau"),
    ("BT", "", "Asia/Thimphu"),
    ("BZ", "", "America/Belize"),
    ("CC", "", "Indian/Cocos"),
    ("CD", "", "Africa/Kinshasa"),
    ("CF", "", "Africa/Bangui"),
    ("CG", "", "Africa/Brazzaville"),
    ("CK", "", "Pacific/Rarotonga"),
    ("CW", "", "America/Curacao"),
    ("CX", "", "Indian/Christmas"),
    ("DJ", "", "Africa/Djibouti"),
    ("DM", "", "America/Dominica"),
    ("EH", "", "Africa/El_Aaiun"),
    ("ER", "", "Africa/Asmara"),
    ("FK", "", "Atlantic/Stanley"),
    ("FM", "", "Pacific/Pohnpei"),
    ("FO", "", "Atlantic/Faroe"),
    ("GA", "", "Africa/Libreville"),
    ("GD", "", "America/Grenada"),
    ("GF", "", "America/Cayenne"),
    ("GG", "", "Europe/Guernsey"),
    ("GI", "", "Europe/Gibraltar"),
    ("GL", "", "America/Nuuk"),
    ("GM", "", "Africa/Banjul"),
    ("GN", "", "Africa/Conakry"),
    ("GP", "", "America/Guadeloupe"),
    ("GQ", "", "Africa/Malabo"),
    ("GS", "", "Atlantic/South_Georgia"),
    ("GU", "", "Pacific/Guam"),
    ("GW", "", "Africa/Bissau"),
    ("GY", "", "America/Guyana"),
    ("HT", "", "America/Port-au-Prince"),
    ("IM", "", "Europe/Isle_of_Man"),
    ("IO", "", "Indian/Chagos"),
    ("JE", "", "Europe/Jersey"),
    ("KI", "", "Pacific/Tarawa"),
    ("KM", "", "Indian/Comoro"),
    ("KN", "", "America/St_Kitts"),
    ("KP", "", "Asia/Pyongyang"),
    ("KY", "", "America/Cayman"),
    ("LC", "", "America/St_Lucia"),
    ("LR", "", "Africa/Monrovia"),
    ("LS", "", "Africa/Maseru"),
    ("MF", "", "America/Marigot"),
    ("MG", "", "Indian/Antananarivo"),
    ("MH", "", "Pacific/Majuro"),
    ("ML", "", "Africa/Bamako"),
    ("MP", "", "Pacific/Saipan"),
    ("MQ", "", "America/Martinique"),
    ("MR", "", "Africa/Nouakchott"),
    ("MS", "", "America/Montserrat"),
    ("MW", "", "Africa/Blantyre"),
    ("NC", "", "Pacific/Noumea"),
    ("NE", "", "Africa/Niamey"),
    ("NF", "", "Pacific/Norfolk"),
    ("NR", "", "Pacific/Nauru"),
    ("NU", "", "Pacific/Niue"),
    ("PF", "", "Pacific/Tahiti"),
    ("PG", "", "Pacific/Port_Moresby"),
    ("PM", "", "America/Miquelon"),
    ("PN", "", "Pacific/Pitcairn"),
    ("PW", "", "Pacific/Palau"),
    ("RE", "", "Indian/Reunion"),
    ("RW", "", "Africa/Kigali"),
    ("SB", "", "Pacific/Guadalcanal"),
    ("SD", "", "Africa/Khartoum"),
    ("SH", "", "Atlantic/St_Helena"),
    ("SJ", "", "Arctic/Longyearbyen"),
    ("SL", "", "Africa/Freetown"),
    ("SO", "", "Africa/Mogadishu"),
    ("SR", "", "America/Paramaribo"),
    ("SS", "", "Africa/Juba"),
    ("ST", "", "Africa/Sao_Tome"),
    ("SX", "", "America/Lower_Princes"),
    ("SZ", "", "Africa/Mbabane"),
    ("TC", "", "America/Grand_Turk"),
    ("TD", "", "Africa/Ndjamena"),
    ("TF", "", "Indian/Kerguelen"),
    ("TG", "", "Africa/Lome"),
    ("TK", "", "Pacific/Fakaofo"),
    ("TL", "", "Asia/Dili"),
    ("TO", "", "Pacific/Tongatapu"),
    ("TT", "", "America/Port_of_Spain"),
    ("TV", "", "Pacific/Funafuti"),
    ("UM", "", "Pacific/Midway"),
    ("VA", "", "Europe/Vatican"),
    ("VC", "", "America/St_Vincent"),
    ("VG", "", "America/Tortola"),
    ("VI", "", "America/St_Thomas"),
    ("VU", "", "Pacific/Efate"),
    ("WF", "", "Pacific/Wallis"),
    ("WS", "", "Pacific/Apia"),
    ("YT", "", "Indian/Mayotte"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// 15 January 2026.
    const WINTER: UtcMs = UtcMs(1_768_435_200_000);

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
    fn a_day_without_a_midnight_begins_at_one() {
        // Cairo, 24 April 2026: the clock goes from 00:00 to 01:00.
        let day = NaiveDate::from_ymd_opt(2026, 4, 24).unwrap();
        let start = UtcMs::parse_day_or_time("2026-04-23T22:00:00Z").unwrap();
        assert_eq!(of("EG").start_of(day), Some(start));
    }

    #[test]
    fn every_zone_of_the_table_is_in_the_database() {
        for (iso, _, name) in ZONES {
            assert!(name.parse::<Tz>().is_ok(), "{iso} {name}");
        }
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
            assert_eq!(
                of(country).offset_ms_at(WINTER),
                hours * 3_600_000,
                "{country}"
            );
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
            // Asia/Jerusalem, Africa/Cairo, America/Santiago
            ("IL", "2026-07-01T00:00:00Z", 3),
            ("EG", "2026-07-01T00:00:00Z", 3),
            ("CL", "2026-01-01T00:00:00Z", -3),
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
        assert_eq!(
            ZoneChoice::Lead.zone_for("AE").offset_ms_at(WINTER),
            4 * 3_600_000
        );
        let fixed = |text| match ZoneChoice::parse(text) {
            Ok(choice @ ZoneChoice::Fixed(_)) => {
                choice.zone_for("AE").offset_ms_at(WINTER) / 60_000
            }
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(fixed("UTC"), 0);
        assert_eq!(fixed("de"), 60);
        assert_eq!(fixed("+49"), 60);
        assert_eq!(fixed("+05:30"), 330);
        assert_eq!(fixed("Europe/Berlin"), 60);
        assert_eq!(fixed("america/new_york"), -300);
        assert_eq!(fixed("-03:00"), -180);
        for bad in [
            "",
            "Europe/Berlinn",
            "EST",
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
