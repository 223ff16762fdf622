//! Words of a question that a passage must take up for its answer to be true of it, and the
//! questions whose answer no document knows.

use super::split;
use super::words::{self, Tongue};
use crate::reply::fold;

/// Words that ask for a reason, folded: a passage gives facts, not their grounds.
const REASON: &[&str] = &[
    "why", "how come", "warum", "wieso", "weshalb", "pourquoi", "por que", "perche", "waarom",
];

/// Words of questions about what was, or is at this moment; documents say what holds in general.
const PASSING: &[&str] = &[
    "last year",
    "last month",
    "last week",
    "yesterday",
    "today",
    "right now",
    "at the moment",
    "letztes jahr",
    "letzten monat",
    "gestern",
    "heute",
    "derzeit",
    "l'annee derniere",
    "le mois dernier",
    "hier",
    "aujourd'hui",
    "en ce moment",
    "el ano pasado",
    "ayer",
    "hoy",
    "ano passado",
    "ontem",
    "hoje",
    "l'anno scorso",
    "anno scorso",
    "ieri",
    "oggi",
    "vorig jaar",
    "gisteren",
    "vandaag",
];

/// The past tense of English questions ("was" asks for a thing in German).
const PAST: &[&str] = &[
    "what was",
    "what were",
    "was the",
    "were the",
    "was there",
    "were there",
    "did the",
    "did it",
    "did they",
    "been delayed",
    "been moved",
    "been changed",
];

/// What a question says, and what a passage then has to say.
struct Demand {
    asked: &'static [&'static str],
    said: &'static [&'static str],
}

const DEMANDS: &[Demand] = &[
    Demand {
        asked: &["more", "higher", "extra", "additional"],
        said: &[
            "more",
            "higher",
            "extra",
            "additional",
            "additionally",
            "surcharge",
            "same",
            "another",
            "further",
            "over",
            "up to",
            "only",
            "plus",
            "upgrade",
            "optional",
            "per",
            "each",
        ],
    },
    Demand {
        asked: &["less", "cheaper", "lower"],
        said: &[
            "less", "cheaper", "lower", "reduced", "off", "same", "under", "from",
        ],
    },
    Demand {
        asked: &[
            "back",
            "refund",
            "refunded",
            "refundable",
            "refunds",
            "reimbursed",
        ],
        said: &[
            "back",
            "refund",
            "refunded",
            "refundable",
            "refunds",
            "return",
            "returned",
            "returning",
            "reimbursed",
            "credited",
            "repaid",
            "lost",
            "keep",
            "kept",
            "cancel",
            "cancelled",
            "cancellation",
        ],
    },
    Demand {
        asked: &["free", "free of charge", "for nothing"],
        said: &[
            "free", "charge", "charged", "included", "includes", "include", "cost", "costs",
            "price", "prices", "pay", "paid", "fee", "fees", "euro", "euros", "pound", "pounds",
            "dollars", "extra", "€", "$", "£", "rate",
        ],
    },
    Demand {
        asked: &["on foot", "walk", "walking"],
        said: &["on foot", "foot", "walk", "walks", "walking"],
    },
    Demand {
        asked: &[
            "per month",
            "a month",
            "monthly",
            "each month",
            "every month",
        ],
        said: &["month", "months", "monthly"],
    },
    Demand {
        asked: &["per year", "yearly", "annually", "each year", "every year"],
        said: &["year", "years", "yearly", "annual", "annually"],
    },
    Demand {
        asked: &["to buy"],
        said: &[
            "buy", "buys", "bought", "buyer", "buyers", "purchase", "price", "prices", "sale",
            "sold", "sell", "cost", "costs", "from",
        ],
    },
    Demand {
        asked: &["zuruck", "erstattet", "ruckerstattung", "ruckzahlung"],
        said: &[
            "zuruck",
            "erstattet",
            "erstattung",
            "ruckerstattung",
            "ruckzahlung",
            "verfallt",
        ],
    },
    Demand {
        asked: &["zu fuss"],
        said: &["fuss", "zu fuss", "gehminuten", "fussweg", "fusslaufig"],
    },
    Demand {
        asked: &["im monat", "pro monat", "monatlich"],
        said: &["monat", "monate", "monatlich", "monatliche", "monats"],
    },
    Demand {
        asked: &["mehr", "teurer"],
        said: &[
            "mehr",
            "teurer",
            "zusatzlich",
            "aufpreis",
            "zuschlag",
            "gleich",
        ],
    },
    Demand {
        asked: &["a pied", "a pie", "a pe", "a piedi", "te voet", "lopen"],
        said: &[
            "pied",
            "pie",
            "pe",
            "piedi",
            "voet",
            "lopen",
            "marche",
            "caminando",
            "loopafstand",
        ],
    },
    Demand {
        asked: &["par mois", "al mes", "por mes", "al mese", "per maand"],
        said: &[
            "mois",
            "mensuel",
            "mensuelle",
            "mes",
            "mensual",
            "mensal",
            "mensais",
            "mese",
            "mensile",
            "maand",
            "maandelijks",
        ],
    },
    Demand {
        asked: &[
            "rembourse",
            "remboursable",
            "reembolso",
            "rimborso",
            "rimborsabile",
            "terug",
        ],
        said: &[
            "rembourse",
            "remboursee",
            "remboursable",
            "reembolso",
            "reembolsa",
            "reembolsable",
            "reembolsavel",
            "rimborso",
            "rimborsabile",
            "rimborsata",
            "terug",
            "terugbetaald",
        ],
    },
];

/// Words with which an answer takes a stand, folded.
const STANDS: &[&str] = &[
    "yes", "no", "ja", "nein", "oui", "non", "si", "sim", "nao", "nee",
];

/// Why a question is not one for documents, whatever they say.
pub(super) fn beyond(folded: &str, tongue: Tongue) -> Option<String> {
    let hit = |list: &[&'static str]| list.iter().copied().find(|w| split::says(folded, w));
    if let Some(word) = hit(REASON) {
        return Some(format!("asks for a reason: {word}"));
    }
    let past = (tongue == Tongue::English).then(|| hit(PAST)).flatten();
    hit(PASSING)
        .or(past)
        .map(|word| format!("asks for what was, or is at this moment: {word}"))
}

/// The words of a question that its passage does not take up. `passage` is the quoted text with
/// its heading.
pub(super) fn untaken(folded: &str, passage: &str) -> Vec<&'static str> {
    let passage = fold::fold(passage);
    DEMANDS
        .iter()
        .filter_map(|d| {
            let word = d.asked.iter().copied().find(|w| split::says(folded, w))?;
            let taken = d.said.iter().any(|w| {
                split::says(&passage, w) || (!w.is_ascii() || *w == "$") && passage.contains(w)
            });
            (!taken).then_some(word)
        })
        .collect()
}

/// Whether a text begins with yes or no: said to another question it is untrue.
pub(super) fn takes_a_stand(text: &str) -> bool {
    let folded = fold::fold(text);
    let first = folded
        .split(|c: char| !c.is_alphanumeric())
        .find(|w| !w.is_empty());
    first.is_some_and(|w| STANDS.contains(&w))
}

/// The words of a question as written, for stems that are told to people.
pub(super) fn written(stems: &[String], question: &str, tongue: Tongue) -> String {
    let words: Vec<(String, &str)> = question
        .split_whitespace()
        .map(|w| w.trim_matches(|c: char| !c.is_alphanumeric()))
        .flat_map(|raw| {
            let cut = words::words(raw, tongue);
            cut.into_iter().map(move |w| (w.stem, raw))
        })
        .collect();
    let one = |stem: &str| {
        let known = words.iter().find(|(s, _)| s == stem);
        known.map_or_else(|| stem.to_owned(), |(_, raw)| (*raw).to_owned())
    };
    let term = |t: &String| t.split(' ').map(one).collect::<Vec<_>>().join(" ");
    stems.iter().map(term).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_the_past_and_this_moment_are_beyond_documents() {
        for asked in [
            "why aren't large dogs allowed?",
            "warum sind hunde verboten?",
            "what was the price last year?",
            "is the gallery open today?",
        ] {
            let found = beyond(&fold::fold(asked), Tongue::English);
            assert!(found.is_some(), "{asked}");
        }
        assert_eq!(beyond("was kostet ein stellplatz?", Tongue::German), None);
    }

    #[test]
    fn a_passage_takes_up_what_narrows_the_question_down() {
        let tram = "The city centre is 12 minutes away by tram.";
        assert_eq!(untaken("how far is it on foot?", tram), ["on foot"]);
        let gym = "The gym is open from 6 to 23.";
        assert_eq!(untaken("is the gym free?", gym), ["free"]);
        assert!(untaken("is the gym free?", "Guests pay 5 € a day.").is_empty());
        assert!(takes_a_stand("Yes, foreigners may buy."));
        assert!(!takes_a_stand("Nobody pays."));
    }

    #[test]
    fn a_reason_names_the_word_as_written() {
        let stem = words::words("Saturday", Tongue::English)
            .into_iter()
            .map(|w| w.stem)
            .collect::<Vec<_>>();
        assert_eq!(
            written(&stem, "Open on Saturday?", Tongue::English),
            "Saturday"
        );
    }
}
