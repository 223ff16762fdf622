//! The zone of a country: its usual distance from UTC, without summer time, as a pause of days
//! needs no more. Of a country with several zones the one in which most people live.

/// A country's zone, and how it writes dates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Zone {
    /// Minutes east of UTC.
    minutes: i32,
    /// Whether `5/12` is the fifth of December; `None` when that is not known.
    pub(super) day_first: Option<bool>,
}

impl Zone {
    /// Milliseconds east of UTC.
    pub(super) fn offset_ms(&self) -> i64 {
        i64::from(self.minutes) * 60_000
    }
}

/// The zone of an ISO 3166 code (`DE`) or calling code (`+49`, `0049`, `49`).
pub(super) fn of(country: &str) -> Zone {
    let country = country.trim().to_ascii_uppercase();
    let digits = country.trim_start_matches(['+', '0']);
    let row = ZONES
        .iter()
        .find(|(iso, calling, _)| *iso == country || !digits.is_empty() && *calling == digits);
    let Some((iso, _, minutes)) = row else {
        return Zone {
            minutes: 0,
            day_first: None,
        };
    };
    let day_first = match *iso {
        // Month first; in Canada and the Philippines both are common.
        "US" => Some(false),
        "CA" | "PH" | "CN" | "JP" | "KR" | "TW" | "HU" | "MN" | "IR" => None,
        _ => Some(true),
    };
    Zone {
        minutes: *minutes,
        day_first,
    }
}

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
}
