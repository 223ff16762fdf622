//! What a sentence gives: an amount of money, a number, a time, a place.

use super::kind::{Kind, has};
use super::words::{Tongue, words};

/// What a sentence gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    money: bool,
    free: bool,
    included: bool,
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
    "minute",
    "minutes",
    "hour",
    "hours",
    "day",
    "days",
    "week",
    "weeks",
    "month",
    "months",
    "year",
    "years",
    "minuten",
    "stunde",
    "stunden",
    "tag",
    "tage",
    "tagen",
    "woche",
    "wochen",
    "monat",
    "monate",
    "monaten",
    "jahr",
    "jahre",
    "jahren",
    "heure",
    "heures",
    "jour",
    "jours",
    "semaine",
    "semaines",
    "mois",
    "an",
    "ans",
    "hora",
    "horas",
    "dia",
    "dias",
    "semana",
    "semanas",
    "mes",
    "meses",
    "ano",
    "anos",
    "minuto",
    "minutos",
    "minuti",
    "ora",
    "ore",
    "giorno",
    "giorni",
    "settimana",
    "settimane",
    "mese",
    "mesi",
    "anno",
    "anni",
    "uur",
    "dag",
    "dagen",
    "week",
    "weken",
    "maand",
    "maanden",
    "jaar",
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
    "metros",
    "metro",
    "metri",
    "chilometri",
    "quilometros",
    "kilometros",
    "minutos",
    "minuti",
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
    "m2",
    "carre",
    "carres",
    "cuadrados",
    "quadrados",
    "quadrati",
    "vierkante",
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
    "lundi",
    "mardi",
    "mercredi",
    "jeudi",
    "vendredi",
    "samedi",
    "dimanche",
    "janvier",
    "fevrier",
    "mars",
    "avril",
    "juin",
    "juillet",
    "aout",
    "septembre",
    "octobre",
    "novembre",
    "decembre",
    "printemps",
    "ete",
    "automne",
    "hiver",
    "trimestre",
    "lunes",
    "martes",
    "miercoles",
    "jueves",
    "viernes",
    "sabado",
    "domingo",
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
    "primavera",
    "verano",
    "otono",
    "invierno",
    "segunda",
    "terca",
    "quarta",
    "quinta",
    "sexta",
    "janeiro",
    "fevereiro",
    "marco",
    "maio",
    "junho",
    "julho",
    "setembro",
    "outubro",
    "novembro",
    "dezembro",
    "lunedi",
    "martedi",
    "mercoledi",
    "giovedi",
    "venerdi",
    "domenica",
    "gennaio",
    "febbraio",
    "aprile",
    "maggio",
    "giugno",
    "luglio",
    "settembre",
    "ottobre",
    "dicembre",
    "estate",
    "autunno",
    "maandag",
    "dinsdag",
    "woensdag",
    "donderdag",
    "vrijdag",
    "zaterdag",
    "zondag",
    "januari",
    "februari",
    "maart",
    "mei",
    "juli",
    "augustus",
    "oktober",
    "december",
    "voorjaar",
    "zomer",
    "najaar",
    "kwartaal",
    "quarter",
    "hour",
    "minutes",
    "times",
    "monthly",
    "weekly",
    "every",
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
                "chf", "francs", "pence", "cents", "aed", "dirham", "percent", "prozent", "cent",
                "half",
            ],
        )
        || lower.contains('%');
    let any = |list: &[&str]| list.iter().any(|p| lower.contains(p));
    let free = any(&[
        "free of charge",
        "no extra",
        "no additional",
        "no charge",
        "for free",
        "at no ",
        "nothing extra",
        "kostenlos",
        "kostenfrei",
        "gratis",
        "provisionsfrei",
        "is free",
        "are free",
        "not charged",
        "gratuit",
        "gratuito",
        "sans frais",
    ]);
    let included = any(&[
        "included",
        "includes",
        "comes with",
        "come with",
        "inbegriffen",
        "enthalten",
        "compris",
        "incluid",
        "inclus",
        "incluso",
        "inbegrepen",
    ]);
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
            "rue",
            "calle",
            "avenida",
            "via",
            "bus",
            "stands",
        ],
    ) || (!matches!(tongue, Tongue::English | Tongue::German)
        && has(&list, &["a", "aan", "op", "en", "em", "dans"]));
    Given {
        money: currency && number,
        free,
        included,
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

/// Whether a sentence is about what the one before it named: "It costs £3".
#[must_use]
pub fn leans(text: &str, tongue: Tongue) -> bool {
    const PRONOUNS: &[&str] = &[
        "it", "they", "this", "these", "both", "each", "er", "sie", "es", "diese", "dieser",
        "dieses", "il", "elle", "ils", "elles", "se", "esta", "este", "het", "dit", "deze",
        "questo", "questa",
    ];
    let first = words(text, tongue).into_iter().next();
    first.is_some_and(|w| PRONOUNS.contains(&w.form.as_str()))
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
            Kind::Money => self.money || self.free || self.included,
            Kind::Number => self.number,
            Kind::Size => self.area,
            Kind::Duration => self.span || self.time,
            Kind::Distance => self.distance,
            Kind::Time => self.time,
            Kind::Place => self.place,
            Kind::Person => self.name || self.contact,
            Kind::Contact => self.contact,
        }
    }

    /// Without amounts: they are about something else.
    #[must_use]
    pub fn without_amounts(self) -> Self {
        Self {
            money: false,
            free: false,
            included: false,
            number: false,
            span: false,
            distance: false,
            area: false,
            ..self
        }
    }

    /// With what another sentence gives.
    #[must_use]
    pub fn and(self, o: Self) -> Self {
        Self {
            money: self.money || o.money,
            free: self.free || o.free,
            included: self.included || o.included,
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
