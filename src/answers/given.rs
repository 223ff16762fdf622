//! What a sentence gives: an amount of money, a number, a time, a place.

use super::kind::{Kind, has};
use super::words::{Tongue, words};

/// What a sentence gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    money: bool,
    free: bool,
    number: bool,
    area: bool,
    span: bool,
    distance: bool,
    time: bool,
    name: bool,
    place: bool,
    contact: bool,
}

const SPANS: &[&str] = &[
    "minute", "minutes", "hour", "hours", "day", "days", "week", "weeks", "month", "months",
    "year", "years", "minuten", "stunde", "stunden", "tag", "tage", "tagen", "woche", "wochen",
    "monat", "monate", "monaten", "jahr", "jahre", "jahren",
];
const DISTANCES: &[&str] = &[
    "m",
    "km",
    "metre",
    "metres",
    "meter",
    "meters",
    "mile",
    "miles",
    "kilometre",
    "kilometres",
    "kilometer",
    "metern",
    "kilometern",
    "yards",
    "minutes",
    "minute",
    "minuten",
    "walk",
];
const AREAS: &[&str] = &[
    "square",
    "sqm",
    "m2",
    "qm",
    "quadratmeter",
    "quadratmetern",
    "metres",
    "meters",
    "metre",
    "meter",
    "feet",
    "cm",
    "hectares",
    "sqft",
    "kilowatts",
    "kw",
    "mm",
    "acres",
];
const DAYS: &[&str] = &[
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "mondays",
    "tuesdays",
    "wednesdays",
    "thursdays",
    "fridays",
    "saturdays",
    "sundays",
    "weekdays",
    "weekends",
    "weekend",
    "daily",
    "january",
    "february",
    "march",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "spring",
    "summer",
    "autumn",
    "winter",
    "quarter",
    "montag",
    "dienstag",
    "mittwoch",
    "donnerstag",
    "freitag",
    "samstag",
    "sonntag",
    "montags",
    "dienstags",
    "mittwochs",
    "donnerstags",
    "freitags",
    "samstags",
    "sonntags",
    "januar",
    "februar",
    "marz",
    "mai",
    "juni",
    "juli",
    "oktober",
    "dezember",
    "fruhjahr",
    "herbst",
    "uhr",
    "am",
    "pm",
    "o'clock",
    "clock",
    "noon",
    "midnight",
    "signing",
    "handover",
    "completion",
    "delivery",
    "order",
    "ubergabe",
    "raten",
    "baufortschritt",
];

/// Looks at a sentence.
#[must_use]
pub fn given(text: &str, tongue: Tongue) -> Given {
    let list = words(text, tongue);
    let lower = text.to_lowercase();
    let number = list.iter().any(|w| w.number);
    let currency = text.contains(['€', '$', '£', '¥'])
        || has(
            &list,
            &[
                "euro", "euros", "eur", "usd", "dollar", "dollars", "pound", "pounds", "gbp",
                "chf", "francs", "pence", "cents", "aed", "dirham", "percent", "prozent",
            ],
        )
        || lower.contains('%');
    let free = [
        "free of charge",
        "no extra",
        "no additional",
        "no charge",
        "for free",
        "at no ",
        "nothing extra",
        "included",
        "includes",
        "comes with",
        "kostenlos",
        "kostenfrei",
        "gratis",
        "provisionsfrei",
        "inbegriffen",
        "no subscription",
        "there is no ",
        "is free",
        "are free",
    ]
    .iter()
    .any(|p| lower.contains(p));
    let year = list.iter().any(|w| {
        w.number && w.stem.len() == 4 && (w.stem.starts_with("19") || w.stem.starts_with("20"))
    });
    let clock = ["a.m", "p.m", " am ", " pm ", " uhr", "o'clock"]
        .iter()
        .any(|p| lower.contains(p));
    let phone = longest_digits(text) >= 7;
    let mail = text
        .split_whitespace()
        .any(|w| w.contains('@') && w.contains('.'));
    let name = list.iter().skip(1).any(|w| w.capital) || lower.contains("gmbh");
    let placed = has(
        &list,
        &[
            "at",
            "in",
            "between",
            "near",
            "beside",
            "opposite",
            "behind",
            "under",
            "on",
            "next",
            "neben",
            "im",
            "am",
            "gegenuber",
            "lautet",
            "street",
            "road",
            "avenue",
            "allee",
            "strasse",
        ],
    );
    Given {
        money: currency && number,
        free,
        number,
        area: number && has(&list, AREAS),
        span: number && has(&list, SPANS),
        distance: number && has(&list, DISTANCES),
        time: has(&list, DAYS) || year || clock || (number && has(&list, SPANS)),
        name,
        place: placed,
        contact: phone || mail,
    }
}

/// Digits in a row, blanks and the marks of telephone numbers between them allowed.
fn longest_digits(text: &str) -> usize {
    let mut longest = 0_usize;
    let mut here = 0_usize;
    for c in text.chars() {
        if c.is_ascii_digit() {
            here = here.saturating_add(1);
            longest = longest.max(here);
        } else if !matches!(c, ' ' | '-' | '/' | '(' | ')' | '+') {
            here = 0;
        }
    }
    longest
}

impl Given {
    /// Whether this could answer what is asked for.
    #[must_use]
    pub fn gives(self, kind: Kind) -> bool {
        match kind {
            Kind::Money => self.money || self.free,
            Kind::Number => self.number,
            Kind::Size => self.area,
            Kind::Duration => self.span || self.time,
            Kind::Distance => self.distance,
            Kind::Time => self.time,
            Kind::Place => self.place,
            Kind::Person => self.name,
            Kind::Contact => self.contact,
        }
    }

    /// With what another sentence gives.
    #[must_use]
    pub fn and(self, o: Self) -> Self {
        Self {
            money: self.money || o.money,
            free: self.free || o.free,
            number: self.number || o.number,
            area: self.area || o.area,
            span: self.span || o.span,
            distance: self.distance || o.distance,
            time: self.time || o.time,
            name: self.name || o.name,
            place: self.place || o.place,
            contact: self.contact || o.contact,
        }
    }
}
