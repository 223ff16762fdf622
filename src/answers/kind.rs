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

impl Kind {
    /// By its name in the lists of `lexicon/`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "money" => Self::Money,
            "number" => Self::Number,
            "size" => Self::Size,
            "duration" => Self::Duration,
            "distance" => Self::Distance,
            "time" => Self::Time,
            "place" => Self::Place,
            "person" => Self::Person,
            "contact" => Self::Contact,
            _ => return None,
        })
    }
}

/// The kind that a word of a question only names: a price is given by an amount of money.
#[must_use]
pub fn word(stem: &str) -> Option<Kind> {
    Some(match stem {
        "pric" | "fe" | "do you charg" | "you charg" | "charg" | "expens" | "expensiv"
        | "spend" | "pay" | "tariff" | "preis" | "kost" | "teu" | "teuer" | "amount" | "cheap"
        | "cheapest" | "prix" | "cout" | "tarif" | "montant" | "verser" | "vers" | "payer"
        | "precio" | "preci" | "cuest" | "pag" | "pagar" | "val" | "import" | "prec" | "cust"
        | "valor" | "prezz" | "cost" | "versar" | "ammontan" | "ammont" | "prijs" | "betal" => {
            Kind::Money
        }
        "tim" | "day" | "month" | "dat" | "hour" | "week" | "year" | "tage" | "tag" | "uhr"
        | "monat" | "horair" | "heur" | "horari" | "orari" | "or" | "hor" | "uur" => Kind::Time,
        "big" | "larg" | "siz" | "area" | "measur" => Kind::Size,
        "distanc" | "distan" | "dist" | "afstand" | "foot" => Kind::Distance,
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
    let first = rest.iter().find(|w| {
        !matches!(
            w.form.as_str(),
            "more" | "other" | "different" | "new" | "of" | "your" | "the"
        )
    })?;
    let verbs = [
        "is", "are", "do", "does", "did", "can", "could", "will", "would", "must", "should", "may",
        "have", "has", "be", "less", "more", "longer",
    ];
    if verbs.contains(&first.form.as_str()) || super::stop::is_stop(&first.form, tongue) {
        return None;
    }
    // An amount of these is no count of things.
    let amounts = [
        "deposit",
        "commission",
        "discount",
        "interest",
        "tax",
        "money",
        "notice",
        "extra",
    ];
    if amounts.contains(&first.form.as_str()) {
        return None;
    }
    // "How many parking spaces": the last noun of two that stand together counts.
    Some(first.stem.clone())
}

/// Units after which a number counts nothing else.
const UNITS: &[&str] = &[
    "percent", "per", "cent", "prozent", "minute", "minutes", "hour", "hours", "day", "days",
    "week", "weeks", "month", "months", "year", "years", "metre", "metres", "meter", "meters",
    "km", "mile", "miles", "m2", "square", "kw", "kwh", "gb", "mb", "am", "pm", "o", "minuten",
    "stunden", "tage", "tagen", "wochen", "monate", "monaten", "jahre", "jahren", "uhr", "euro",
];

/// Whether a word is the unit of the number before it.
#[must_use]
pub fn is_unit(form: &str) -> bool {
    is_currency(form) || UNITS.contains(&form)
}

/// The stem of what is asked for by name: the noun after "who is the", "what is your", "which".
#[must_use]
pub fn focus(list: &[Word], tongue: Tongue) -> Option<String> {
    if tongue != Tongue::English {
        return None;
    }
    let at = list
        .iter()
        .position(|w| matches!(w.form.as_str(), "who" | "what" | "whats" | "which"))?;
    let rest = list.get(at.saturating_add(1)..)?;
    let mut words = rest.iter().skip_while(|w| {
        matches!(
            w.form.as_str(),
            "is" | "are" | "was" | "the" | "your" | "a" | "an" | "kind" | "sort" | "type" | "of"
        )
    });
    let first = words.next()?;
    (!super::stop::is_stop(&first.form, tongue) && word(&first.stem).is_none())
        .then(|| first.stem.clone())
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
        Tongue::English if !open_question(&forms) => Vec::new(),
        Tongue::English => asked_english(&line, &list),
        Tongue::German => asked_german(&line, &list),
        _ => {
            let mut kinds = super::grammar::of(tongue).asked(&line);
            // "Combien" asks for a number where it does not ask for more than that.
            if kinds.len() > 1 {
                kinds.retain(|k| *k != Kind::Number);
            }
            kinds
        }
    }
}

/// Whether more than yes or no is asked for: "is the price fixed" asks for no amount.
fn open_question(forms: &[&str]) -> bool {
    const YES_OR_NO: &[&str] = &[
        "is", "are", "was", "were", "do", "does", "did", "can", "could", "will", "would", "may",
        "should", "has", "have", "am", "isn", "aren", "don", "doesn",
    ];
    const OPEN: &[&str] = &[
        "how", "what", "whats", "when", "where", "which", "who", "tell", "give", "know", "send",
        "confirm", "let", "till",
    ];
    let first = forms.iter().find(|f| {
        !matches!(
            **f,
            "and" | "also" | "so" | "but" | "hi" | "hello" | "please" | "then" | "ok"
        )
    });
    first.is_none_or(|f| !YES_OR_NO.contains(f)) || forms.iter().any(|f| OPEN.contains(f))
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
            " how much do you need ",
            " how much extra is ",
            " how much extra are ",
            " how much more is ",
            " cheapest ",
            " how cheap ",
            " how expensive ",
            " how much was ",
            " start at ",
            " starting price ",
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
                " number of ",
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
                " how quick ",
                " how fast do you ",
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
                " till when ",
                " how often ",
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
                " who should i call",
                " number to call ",
                " number to ring ",
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
