//! What a question asks for.

use super::words::{Tongue, Word, words};

/// What has to stand in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An amount of money, or that it is free.
    Money,
    /// A number.
    Number,
    /// A length or an area.
    Size,
    /// A span of time.
    Duration,
    /// A distance.
    Distance,
    /// A date, a day, hours.
    Time,
    /// A place.
    Place,
    /// A person or firm.
    Person,
    /// A telephone number or address.
    Contact,
}

/// The kind that a word of a question only names: a price is given by an amount of money.
#[must_use]
pub fn word(stem: &str) -> Option<Kind> {
    Some(match stem {
        "pric" | "cost" | "fe" | "charg" | "expens" | "expensiv" | "spend" | "pay" | "tariff"
        | "preis" | "kost" | "kost " | "teu" | "teuer" | "amount" | "cheap" => Kind::Money,
        "tim" | "day" | "month" | "dat" | "hour" | "week" | "year" | "tage" | "tag" | "uhr"
        | "monat" => Kind::Time,
        "big" | "larg" | "siz" | "area" | "measur" => Kind::Size,
        "distanc" => Kind::Distance,
        "address" | "adress" => Kind::Place,
        _ => return None,
    })
}

/// The stem of what is counted: the word after "how many" or "how much".
#[must_use]
pub fn counted(list: &[Word], tongue: Tongue) -> Option<String> {
    let at = list.windows(2).position(|w| match w {
        [a, b] => {
            (a.form == "how" && (b.form == "many" || b.form == "much"))
                || (a.form == "wie" && matches!(b.form.as_str(), "viele" | "viel"))
        }
        _ => false,
    })?;
    let rest = list.get(at.saturating_add(2)..)?;
    let first = rest.first()?;
    let verbs = [
        "is", "are", "do", "does", "did", "can", "could", "will", "would", "must", "should", "may",
        "have", "has", "be", "less", "more", "longer",
    ];
    if verbs.contains(&first.form.as_str()) || super::stop::is_stop(&first.form, tongue) {
        return None;
    }
    // "How many parking spaces": the last noun of two that stand together counts.
    Some(first.stem.clone())
}

const CURRENCIES: &[&str] = &[
    "euro", "euros", "eur", "usd", "dollar", "dollars", "pound", "pounds", "gbp", "chf", "francs",
    "pence", "cents", "aed", "dirham",
];

/// Whether a word is a currency.
#[must_use]
pub fn is_currency(form: &str) -> bool {
    CURRENCIES.contains(&form)
}

pub(super) fn has(words: &[Word], list: &[&str]) -> bool {
    words.iter().any(|w| list.contains(&w.form.as_str()))
}

fn phrase(line: &str, list: &[&str]) -> bool {
    list.iter().any(|p| line.contains(p))
}

/// What the question asks for; empty: anything may answer it.
#[must_use]
pub fn asked(text: &str, tongue: Tongue) -> Vec<Kind> {
    let list = words(text, tongue);
    let forms: Vec<&str> = list.iter().map(|w| w.form.as_str()).collect();
    let line = format!(" {} ", forms.join(" "));
    match tongue {
        Tongue::German => asked_german(&line, &list),
        _ => asked_english(&line, &list),
    }
}

fn asked_english(line: &str, list: &[Word]) -> Vec<Kind> {
    let mut kinds = Vec::new();
    let mut add = |hit: bool, kind: Kind| {
        if hit && !kinds.contains(&kind) {
            kinds.push(kind);
        }
    };
    let money_words = has(
        list,
        &[
            "price",
            "prices",
            "cost",
            "costs",
            "fee",
            "fees",
            "charge",
            "charges",
            "expensive",
            "spend",
            "pricing",
            "tariff",
        ],
    );
    let how_much = phrase(line, &[" how much "]);
    let money_verb = phrase(
        line,
        &[
            " how much is ",
            " how much are ",
            " how much for ",
            " how much would i have to ",
            " how much do i have to ",
            " how much does it ",
            " how much will it ",
            " how much do you charge ",
            " how much do you want ",
        ],
    );
    let asks_amount = phrase(
        line,
        &[
            " how much ",
            " what is the price ",
            " what the price ",
            " what price",
            " price of ",
            " price for ",
            " how high ",
            " how expensive ",
            " what do you charge ",
            " what does ",
            " what do ",
            " what would ",
            " what will ",
            " cost me ",
            " what are the ",
            " what is the ",
            " the cost ",
            " the price",
            " your price",
        ],
    );
    add((money_words && asks_amount) || money_verb, Kind::Money);
    add(
        phrase(
            line,
            &[
                " how many ",
                " at which interest ",
                " what percentage ",
                " interest rate ",
                " how fast ",
                " how loud ",
                " how noisy ",
            ],
        ) || (how_much && !(money_words || money_verb)),
        Kind::Number,
    );
    add(
        phrase(
            line,
            &[
                " how big ",
                " how large ",
                " what size ",
                " the size ",
                " how wide ",
                " how tall ",
                " square met",
                " square feet ",
                " dimensions ",
            ],
        ),
        Kind::Size,
    );
    add(
        phrase(
            line,
            &[
                " how long ",
                " how soon ",
                " how quickly ",
                " how many days ",
                " how many weeks ",
                " wait ",
            ],
        ) && !phrase(line, &[" how long is the pool", " how long are the "]),
        Kind::Duration,
    );
    add(
        phrase(
            line,
            &[" how far ", " what distance ", " how close ", " how near "],
        ),
        Kind::Distance,
    );
    add(
        phrase(
            line,
            &[
                " when ",
                " what time ",
                " which day",
                " what day",
                " opening hours ",
                " opening times ",
                " what hours ",
                " since when ",
                " until when ",
                " what date ",
                " which date ",
                " which month ",
                " office hours ",
            ],
        ) && !phrase(
            line,
            &[
                " when i ",
                " when we ",
                " when you ",
                " when buying ",
                " when they ",
                " when it ",
                " when something ",
                " when the ",
            ],
        ),
        Kind::Time,
    );
    add(
        phrase(
            line,
            &[
                " where ",
                " the address ",
                " exact address ",
                " your address ",
                " which areas ",
                " what areas ",
                " which area ",
            ],
        ) && !phrase(line, &[" where i live ", " where we live "]),
        Kind::Place,
    );
    add(
        phrase(
            line,
            &[
                " who is ",
                " who are ",
                " who builds ",
                " who built ",
                " who made ",
                " which company ",
                " which banks ",
                " which bank ",
            ],
        ),
        Kind::Person,
    );
    add(
        phrase(
            line,
            &[
                " phone number",
                " telephone number",
                " who do i call",
                " who can i call",
                " your number ",
                " email address ",
                " mail address ",
                " e mail address ",
            ],
        ),
        Kind::Contact,
    );
    kinds
}

fn asked_german(line: &str, list: &[Word]) -> Vec<Kind> {
    let mut kinds = Vec::new();
    let mut add = |hit: bool, kind: Kind| {
        if hit && !kinds.contains(&kind) {
            kinds.push(kind);
        }
    };
    add(
        phrase(
            line,
            &[
                " was koste",
                " wie teuer ",
                " wie viel koste",
                " wieviel koste",
                " welcher preis ",
                " der preis ",
                " den preis ",
                " die kosten ",
            ],
        ) || (phrase(line, &[" wie hoch "])
            && has(
                list,
                &[
                    "nebenkosten",
                    "hausgeld",
                    "kosten",
                    "gebuhr",
                    "gebuhren",
                    "preis",
                    "miete",
                    "anzahlung",
                    "betriebskosten",
                ],
            )),
        Kind::Money,
    );
    add(
        phrase(
            line,
            &[
                " wie viele ",
                " wieviele ",
                " wieviel ",
                " wie viel ",
                " wie hoch ",
                " wie laut ",
                " wie schnell ",
            ],
        ) && !phrase(line, &[" koste"]),
        Kind::Number,
    );
    add(
        phrase(line, &[" wie gross ", " welche grosse ", " quadratmeter "]),
        Kind::Size,
    );
    add(phrase(line, &[" wie lange "]), Kind::Duration);
    add(phrase(line, &[" wie weit "]), Kind::Distance);
    add(
        phrase(
            line,
            &[
                " wann ",
                " welchen tagen ",
                " offnungszeiten ",
                " um wie viel uhr ",
            ],
        ),
        Kind::Time,
    );
    add(
        phrase(
            line,
            &[
                " wo ist ",
                " wo liegt ",
                " wo befindet ",
                " adresse ",
                " anschrift ",
            ],
        ),
        Kind::Place,
    );
    add(phrase(line, &[" wer "]), Kind::Person);
    add(
        phrase(line, &[" telefonnummer ", " rufnummer "]),
        Kind::Contact,
    );
    kinds
}
