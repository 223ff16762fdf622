//! The day that a "not now" names: "call me in March", "after the summer", "in two weeks". Pure.
//!
//! English, German, French, Spanish, Portuguese, Italian, Dutch. Of several days the one that is
//! named last counts; a day that lies behind, or too far ahead, is none. Seasons are those of the
//! northern half, and begin with their first month.

use std::cmp::Ordering;

use chrono::{Datelike, Days, Months, NaiveDate, Weekday};

use super::fold::fold;
use crate::time::UtcMs;
use crate::zone::Zone;

/// A day further ahead is not believed.
const MAX_DAYS: i64 = 800;
/// Where no day is named, this one of the month stands for its end, and the next for its middle.
const END: u32 = 25;
const MIDDLE: u32 = 15;
/// After the turn of the year people are back at work.
const NEW_YEAR: u32 = 7;

const MONTHS: [&str; 12] = [
    "january januar janner janvier enero janeiro gennaio januari jan",
    "february februar feber fevrier febrero fevereiro febbraio februari feb",
    "march marz mars marzo marco maart mar",
    "april avril abril aprile apr avr abr",
    "may mai mayo maio maggio mei",
    "june juni juin junio junho giugno jun",
    "july juli juillet julio julho luglio jul",
    "august aout agosto augustus aug",
    "september septembre septiembre setiembre setembro settembre sept sep",
    "october oktober octobre octubre outubro ottobre oct okt",
    "november novembre noviembre novembro nov",
    "december dezember decembre diciembre dezembro dicembre dec dez",
];

/// Names of people, verbs and other words, which are months only beside a preposition or a number.
const DOUBTFUL: &str =
    "may march mars marco mar jan april abril mai mei august juni sept sep dec nov";

const WEEKDAYS: [&str; 7] = [
    "monday montag lundi lunes segunda lunedi maandag",
    "tuesday dienstag mardi martes terca martedi dinsdag",
    "wednesday mittwoch mercredi miercoles quarta mercoledi woensdag",
    "thursday donnerstag jeudi jueves quinta giovedi donderdag",
    "friday freitag vendredi viernes sexta venerdi vrijdag",
    "saturday samstag sonnabend samedi sabado sabato zaterdag",
    "sunday sonntag dimanche domingo domenica zondag",
];

/// First month of the season.
const SEASONS: [(u32, &str); 4] = [
    (
        3,
        "spring fruhling fruhjahr printemps primavera lente voorjaar",
    ),
    (
        6,
        "summer sommer sommerferien sommerurlaub ete verano verao estate zomer zomervakantie",
    ),
    (
        9,
        "autumn fall herbst automne otono outono autunno herfst najaar",
    ),
    (12, "winter hiver invierno inverno"),
];

const NUMBERS: [(u32, &str); 12] = [
    (
        1,
        "a an one ein eine einem einer einen un une uno una um uma een",
    ),
    (2, "two couple zwei paar deux dos dois duas due twee"),
    (
        3,
        "three few drei einigen trois quelques tres unos unas algunos tre alcuni drie enkele",
    ),
    (4, "four vier quatre cuatro quatro quattro"),
    (5, "five funf cinq cinco cinque vijf"),
    (6, "six sechs seis sei zes"),
    (7, "seven sieben sept siete sete sette zeven"),
    (8, "eight acht huit ocho oito otto"),
    (9, "nine neun neuf nueve nove negen"),
    (10, "ten zehn dix diez dez dieci tien"),
    (11, "eleven elf onze once undici"),
    (12, "twelve zwolf douze doce doze dodici twaalf"),
];

const BEFORE_SPAN: &str = "in after within for another nach innerhalb dans apres ici sous en dentro \
    despues em daqui depois tra fra dopo entro over na binnen next nachsten prochains proximos";
const BEFORE_DAY: &str = "in until till by after before from early late mid end of beginning next this \
    im bis ab nach vor anfang ende mitte zum am den en de du jusqu fin debut mi courant \
    a partir hasta despues para em ate depois do da dopo entro fino inizio per tot na vanaf begin \
    eind half on to le el o il op around about gegen vers hacia rond ohne not apres avant antes voor prima";
const AFTER: &str = "after nach apres despues depois dopo na passe";
const PAST: &str = "last since ago letzten letzte letztes seit vorigen dernier derniere depuis passado \
    pasado scorso scorsa vorig vorige sinds afgelopen";
const ENDING: &str = "end late ende fin finales final finais fine eind";
const HALFWAY: &str = "mid middle mitte mi mediados meados meta half courant";
const NEXT: &str = "next nachste nachsten nachstes nachster kommende kommenden kommendes prochain \
    prochaine proximo proxima prossimo prossima volgend volgende komend komende coming new neuen \
    neues nouvel nouveau nuevo novo nuovo nieuw nieuwe que";
const YEAR: &str = "year jahr jahres jahre an annee ano anno jaar";
const YEARS: &str =
    "year years jahr jahre jahren an ans annee annees ano anos anno anni jaar jaren";
const MONTH: &str =
    "month months monat monate monaten monats mois mes meses mese mesi maand maanden";
const WEEK: &str =
    "week weeks woche wochen semaine semaines semana semanas settimana settimane weken";
const DAY: &str = "day days tag tage tagen jour jours dia dias giorno giorni dag dagen";
const FILLER: &str = "the of about another around roughly dem der den das die etwa ungefahr rund einem \
    le la les l environ de del della des los las el unos cerca do da dos das il lo i gli circa het ongeveer o a \
    uns ein een another";

/// What follows a number that is no day; signs of money and percent are read as [`SIGN`].
const COUNTED: &str = "million millions mio mln m k millionen milhoes millones milion milioni miljoen \
    thousand tausend mille mil percent prozent procent euro euros eur usd dollar dollars pounds gbp aed \
    rooms room bedrooms bedroom baths zimmer pieces chambres hours hour h uhr stunden heures horas ore uur \
    sqm qm m2 meter metres km";
const SIGN: &str = " percent ";

fn is(word: &str, list: &str) -> bool {
    !word.is_empty() && list.split_whitespace().any(|w| w == word)
}

fn place(word: &str, lists: &[&str]) -> Option<u32> {
    let at = lists.iter().position(|list| is(word, list))?;
    u32::try_from(at).ok()
}

fn number(word: &str) -> Option<u32> {
    match word.parse::<u32>() {
        Ok(n) => Some(n),
        Err(_) => NUMBERS
            .iter()
            .find(|(_, list)| is(word, list))
            .map(|(n, _)| *n),
    }
}

/// The start of the day that the text names, there; `received` is when it was said.
#[must_use]
pub fn named_day(text: &str, received: UtcMs, zone: &Zone) -> Option<UtcMs> {
    let today = zone.day_of(received)?;
    let folded = fold(text).replace(['%', '€', '$', '£'], SIGN);
    let words: Vec<&str> = folded
        .split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '/' | '.')))
        .flat_map(|piece| {
            let piece = piece.trim_matches(['.', '-', '/']);
            // "mid-March" is two words, "2027-03-01" one.
            let numeric = piece.starts_with(|c: char| c.is_ascii_digit());
            let split = move |c: char| !numeric && matches!(c, '-' | '/' | '.');
            piece.split(split)
        })
        .filter(|w| !w.is_empty())
        .collect();
    let reader = Reader {
        words: &words,
        today,
        day_first: zone.day_first,
    };
    let ahead = |day: &NaiveDate| {
        let days = day.signed_duration_since(today).num_days();
        (1..=MAX_DAYS).contains(&days)
    };
    let day = (0..words.len())
        .rev()
        .filter_map(|at| reader.at(at))
        .find(ahead)?;
    zone.start_of(day)
}

struct Reader<'a> {
    words: &'a [&'a str],
    today: NaiveDate,
    day_first: Option<bool>,
}

impl Reader<'_> {
    fn word(&self, at: usize) -> &str {
        self.words.get(at).copied().unwrap_or_default()
    }

    fn back(&self, at: usize, n: usize) -> &str {
        at.checked_sub(n).map_or("", |at| self.word(at))
    }

    /// Whether one of the three words before `at`, up to the first that is no filler, is in `list`.
    fn follows(&self, at: usize, list: &str) -> bool {
        for n in 1..=3 {
            let word = self.back(at, n);
            if is(word, list) {
                return true;
            }
            if !is(word, FILLER) && !is(word, NEXT) && !is(word, ENDING) && !is(word, HALFWAY) {
                return false;
            }
        }
        false
    }

    fn at(&self, at: usize) -> Option<NaiveDate> {
        let word = self.word(at);
        if let Some(day) = self.in_digits(word)
            && (word.matches(['.', '/', '-']).count() > 1 || self.is_a_day(at))
        {
            return Some(day);
        }
        if let Some(n) = number(word)
            && let Some(day) = self.span(at, n)
        {
            return Some(day);
        }
        if self.follows(at, PAST) || is(self.word(at + 1), PAST) {
            return None;
        }
        if let Some(month) = place(word, &MONTHS) {
            return self.month(at, month + 1);
        }
        if let Some((month, _)) = SEASONS.iter().find(|(_, list)| is(word, list)) {
            return self.season(at, *month);
        }
        if let Some(day) = place(word, &WEEKDAYS) {
            let wanted = Weekday::try_from(u8::try_from(day).ok()?).ok()?;
            let days = (1..=7).filter_map(|n| self.today.checked_add_days(Days::new(n)));
            return self
                .follows(at, BEFORE_DAY)
                .then(|| days.into_iter().find(|d| d.weekday() == wanted))
                .flatten();
        }
        self.around(at, word)
    }

    /// `next year`, `next month`, `next quarter`, `Q2`, Christmas and Easter.
    fn around(&self, at: usize, word: &str) -> Option<NaiveDate> {
        let year = self.today.year();
        let beside = is(self.back(at, 1), NEXT) || is(self.word(at + 1), NEXT);
        let new_year = NaiveDate::from_ymd_opt(year + 1, 1, NEW_YEAR);
        if is(word, YEAR) {
            let this = is(self.back(at, 1), "this dieses diesem cette este questo dit")
                && is(self.back(at, 2), "not nicht pas no non nao niet in");
            let ends = self.follows(at, ENDING);
            return match (beside || this, ends && self.follows(at, AFTER), ends) {
                (true, _, _) | (_, true, _) => new_year,
                (_, _, true) => NaiveDate::from_ymd_opt(year, 12, MIDDLE),
                _ => None,
            };
        }
        if is(word, MONTH) && (beside || self.follows(at, ENDING)) {
            return self.today.with_day(1)?.checked_add_months(Months::new(1));
        }
        if is(word, WEEK) && beside {
            let past = u64::from(self.today.weekday().num_days_from_monday());
            return self.today.checked_add_days(Days::new(7 - past));
        }
        if is(word, "silvester neujahr jahreswechsel capodanno reveillon") {
            return new_year;
        }
        if is(
            word,
            "christmas xmas weihnachten noel navidad navidades natal natale kerst",
        ) {
            return self.follows(at, AFTER).then_some(new_year).flatten();
        }
        if is(word, "holidays") && self.follows(at, AFTER) && self.today.month() >= 10 {
            return new_year;
        }
        if is(word, "easter ostern paques pascua pasqua pascoa pasen") {
            let next = |year| easter(year)?.checked_add_days(Days::new(2));
            let this = next(year)?;
            return if this > self.today {
                Some(this)
            } else {
                next(year + 1)
            };
        }
        let quarter = match word {
            "q1" => 1,
            "q2" => 4,
            "q3" => 7,
            "q4" => 10,
            "quarter" | "quartal" | "trimestre" | "kwartaal" if beside => {
                let n = self.today.month0() / 3 * 3 + 4;
                if n > 12 { 1 } else { n }
            }
            "rentree" => 9,
            _ => return None,
        };
        self.next_first_of(quarter, self.year_after(at + 1))
    }

    /// `in two weeks`, `in 3 Monaten`, `half a year`.
    fn span(&self, at: usize, n: u32) -> Option<NaiveDate> {
        let half = |w: &str| is(w, "half halben halbes halbe demi medio media meio mezzo");
        let mut unit = at + 1;
        while is(
            self.word(unit),
            "more weitere weiteren of a an de autres mas mais altri andere",
        ) || half(self.word(unit))
        {
            unit += 1;
            if unit > at + 4 {
                return None;
            }
        }
        let halves = (at.saturating_sub(1)..unit).any(|n| half(self.word(n)));
        let led = self.follows(at, BEFORE_SPAN)
            || is(self.back(at, 1), BEFORE_SPAN)
            || half(self.back(at, 1))
            || is(
                self.word(unit + 1),
                "time from later spater tard tarde dopo",
            );
        if !led || self.follows(at, PAST) || is(self.word(unit + 1), PAST) {
            return None;
        }
        let word = self.word(unit);
        let months = |n: u32| self.today.checked_add_months(Months::new(n));
        let days = |n: u32| self.today.checked_add_days(Days::new(u64::from(n)));
        if is(word, YEARS) {
            months(if halves { 6 } else { n.checked_mul(12)? })
        } else if is(word, MONTH) {
            months(n)
        } else if is(word, WEEK) {
            days(n.checked_mul(7)?)
        } else if is(word, DAY) {
            days(n)
        } else {
            None
        }
    }

    fn month(&self, at: usize, month: u32) -> Option<NaiveDate> {
        let ordinals = ["st", "nd", "rd", "th", "er"];
        let as_day = |word: &str| {
            let bare = ordinals.iter().find_map(|o| word.strip_suffix(o));
            let n: u32 = bare.unwrap_or(word).parse().ok()?;
            (1..=31).contains(&n).then_some(n)
        };
        let linked = is(self.back(at, 1), "of de di");
        let before = as_day(self.back(at, if linked { 2 } else { 1 }));
        let after = as_day(self.word(at + 1));
        let year_at = if before.is_none() && after.is_some() {
            at + 2
        } else {
            at + 1
        };
        let year = self.year_after(year_at);
        let doubtful = is(self.word(at), DOUBTFUL);
        if doubtful && before.or(after).is_none() && year.is_none() && !self.follows(at, BEFORE_DAY)
        {
            return None;
        }
        if let Some(day) = before.or(after) {
            return self.next_day(month, day, year);
        }
        if self.follows(at, ENDING) {
            self.next_day(month, END, year)
        } else if self.follows(at, HALFWAY) {
            self.next_day(month, MIDDLE, year)
        } else if self.follows(at, AFTER) {
            self.next_first_of(month, year)?
                .checked_add_months(Months::new(1))
        } else {
            self.next_first_of(month, year)
        }
    }

    fn season(&self, at: usize, month: u32) -> Option<NaiveDate> {
        let doubtful = is(self.word(at), "fall ete estate spring lente primavera");
        if doubtful && !self.follows(at, BEFORE_DAY) {
            return None;
        }
        let year = self.year_after(at + 1);
        let start = self.next_first_of(month, year)?;
        if !self.follows(at, AFTER) {
            return Some(start);
        }
        // In July "after the summer" is the one that has begun.
        let end = start.checked_add_months(Months::new(3))?;
        match end.checked_sub_months(Months::new(12))? {
            earlier if earlier > self.today => Some(earlier),
            _ => Some(end),
        }
    }

    fn year_after(&self, at: usize) -> Option<i32> {
        let skip = usize::from(is(self.word(at), "of de del do di van"));
        let year: i32 = self.word(at + skip).parse().ok()?;
        (1900..2200).contains(&year).then_some(year)
    }

    /// The first of that month that is ahead, or in that year.
    fn next_first_of(&self, month: u32, year: Option<i32>) -> Option<NaiveDate> {
        self.next_day(month, 1, year)
    }

    fn next_day(&self, month: u32, day: u32, year: Option<i32>) -> Option<NaiveDate> {
        if let Some(year) = year {
            return NaiveDate::from_ymd_opt(year, month, day);
        }
        let this = NaiveDate::from_ymd_opt(self.today.year(), month, day)?;
        match this.cmp(&self.today) {
            Ordering::Greater => Some(this),
            _ => NaiveDate::from_ymd_opt(self.today.year() + 1, month, day),
        }
    }

    /// Whether `1.3` or `1/3` is a day and no other number: "24/7", "2.5 million".
    fn is_a_day(&self, at: usize) -> bool {
        let weekday = place(self.back(at, 1), &WEEKDAYS).is_some();
        (weekday || self.follows(at, BEFORE_DAY))
            && self.word(at) != "24/7"
            && !is(self.word(at + 1), COUNTED)
    }

    /// `2027-03-01`, `1.3.2027`, `1.3`, `1/3/2027` by the country.
    fn in_digits(&self, word: &str) -> Option<NaiveDate> {
        let sign = ['-', '.', '/'].into_iter().find(|s| word.contains(*s))?;
        let parts: Vec<&str> = word.split(sign).collect();
        let n: Vec<u32> = parts
            .iter()
            .map(|p| p.parse().ok())
            .collect::<Option<_>>()?;
        let full = |year: u32| {
            let year = if year < 100 { year + 2000 } else { year };
            i32::try_from(year).ok()
        };
        match (sign, n.as_slice()) {
            ('-', [year, month, day]) if *year > 99 => {
                NaiveDate::from_ymd_opt(full(*year)?, *month, *day)
            }
            ('.', [day, month]) => self.next_day(*month, *day, None),
            ('.' | '-', [day, month, year]) => NaiveDate::from_ymd_opt(full(*year)?, *month, *day),
            ('/', [a, b, rest @ ..]) => {
                let day_first = *a > 12 || (*b <= 12 && self.day_first?);
                let (day, month) = if day_first { (*a, *b) } else { (*b, *a) };
                match rest {
                    [] => self.next_day(month, day, None),
                    [year] => NaiveDate::from_ymd_opt(full(*year)?, month, day),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// Easter Sunday (the anonymous Gregorian computus).
fn easter(year: i32) -> Option<NaiveDate> {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 19 * l) / 433;
    let month = (h + l - 7 * m + 90) / 25;
    let day = (h + l - 7 * m + 33 * month + 19) % 32;
    NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)
}

#[cfg(test)]
#[path = "later_tests.rs"]
mod tests;
