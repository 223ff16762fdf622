//! What the sentence of a wish is about: ours, or something else that happens to be wished for.
//!
//! "Let's meet on Tuesday" and "let's meet on Tuesday about the audit findings" hit the same
//! rules. No list knows everything that other people meet about, but what replies to an outreach
//! mail say beside a wish is a small vocabulary (`known_words.txt`). So the second key of an
//! acknowledgement fails closed: a word that is not in it makes the sentence somebody else's
//! business, and a person looks. Pure.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Shorter words tell nothing.
const SHORT: usize = 3;
/// Short ones that do, all the same.
const TELLING: &[&str] = &["hr", "dr", "tv", "qa"];
/// Words that begin alike for so many letters are one word in two forms.
const STEM: usize = 6;
/// A sentence of so many words says one thing beside the wish.
const LONG: usize = 14;
/// One that names our subject, two.
const LONG_OF_OURS: usize = 10;
/// After a greeting or thanks, so many unknown words are a name.
const NAMES: usize = 2;

const GREETINGS: &[&str] = &[
    "hi",
    "hello",
    "hey",
    "dear",
    "hallo",
    "hoi",
    "bonjour",
    "hola",
    "ola",
    "ciao",
    "salut",
    "buongiorno",
    "thanks",
    "thank",
    "thx",
    "merci",
    "gracias",
    "danke",
    "obrigado",
    "obrigada",
    "grazie",
    "bedankt",
    "liebe",
    "lieber",
    "geachte",
    "beste",
    "estimado",
    "estimada",
    "cher",
    "chere",
    "gentile",
    "caro",
    "cara",
    "regards",
    "cheers",
];

/// Nouns of what an outreach mail offers: beside one of them an unknown word is a detail of it.
const OURS: &[&str] = &[
    "viewing",
    "viewings",
    "besichtigung",
    "besichtigungstermin",
    "bezichtiging",
    "flat",
    "apartment",
    "house",
    "villa",
    "home",
    "property",
    "unit",
    "plot",
    "penthouse",
    "studio",
    "condo",
    "duplex",
    "townhouse",
    "bungalow",
    "loft",
    "cottage",
    "wohnung",
    "haus",
    "immobilie",
    "grundstuck",
    "appartement",
    "appart",
    "maison",
    "logement",
    "piso",
    "apartamento",
    "casa",
    "vivienda",
    "moradia",
    "appartamento",
    "huis",
    "woning",
    "ghar",
    "الشقة",
    "معاينة",
    "المعاينة",
    "البيت",
    "المنزل",
    "الفيلا",
];

/// Nouns of other things that we offer: beside one of them a thing is a detail, an unknown word is
/// not.
const OFFERS: &[&str] = &[
    "demo",
    "demonstration",
    "vorfuhrung",
    "trial",
    "solar",
    "roof",
    "dach",
    "panels",
    "software",
    "platform",
    "course",
    "kurs",
    "training",
    "formation",
    "curso",
    "corso",
    "cursus",
    "insurance",
    "quote",
    "showroom",
    "position",
    "role",
];

/// Whose thing it is: the reader's, and that is ours.
const YOURS: &[&str] = &[
    "your", "ihr", "ihre", "ihren", "ihrem", "ihrer", "votre", "vos", "su", "sus", "vuestro",
    "vuestra", "vostro", "vostra", "suo", "sua", "seu", "vosso", "vossa", "uw", "jullie",
];
/// Those of them that belong to nobody else; beside one an unknown word is a detail too.
const READERS: &[&str] = &["your", "votre", "vos", "uw", "jullie", "vuestro", "vuestra"];
/// Between these and their noun stands at most one word.
const YOURS_REACH: usize = 2;

/// Before a thing they make it a time: "after lunch".
const TIMES: &[&str] = &[
    "after", "before", "around", "at", "during", "past", "nach", "vor", "apres", "avant",
    "despues", "antes", "depois", "dopo", "prima", "na", "voor",
];

/// What Arabic writes together with the word that follows.
const ARABIC_PREFIXES: &[&str] = &["وال", "بال", "لل", "ال", "و", "ف", "ب", "ل"];

static KNOWN: LazyLock<Words> = LazyLock::new(|| Words::parse(include_str!("known_words.txt")));
static THINGS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| words_of(include_str!("thing_words.txt")).collect());

fn words_of(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace)
}

struct Words {
    whole: HashSet<&'static str>,
    stems: HashSet<&'static str>,
}

impl Words {
    fn parse(text: &'static str) -> Self {
        let whole: HashSet<&str> = words_of(text).collect();
        let stems = whole.iter().filter_map(|word| word.get(..STEM)).collect();
        Self { whole, stems }
    }

    fn has(&self, word: &str) -> bool {
        if TELLING.contains(&word) {
            return false;
        }
        if word.chars().count() < SHORT || self.whole.contains(word) {
            return true;
        }
        if word.is_ascii() {
            return word.len() > STEM && word.get(..STEM).is_some_and(|s| self.stems.contains(s));
        }
        ARABIC_PREFIXES.iter().any(|prefix| {
            word.strip_prefix(prefix).is_some_and(|rest| {
                self.whole.contains(rest) || self.whole.contains(format!("ال{rest}").as_str())
            })
        })
    }
}

/// Whether replies use this folded word beside a wish: a name is not one of them.
pub(super) fn knows(word: &str) -> bool {
    word.chars().count() >= SHORT && (KNOWN.has(word) || THINGS.contains(word))
}

/// The words of a folded mail of ours: what they name is ours, known or not.
pub(super) fn words_of_mail(folded: &str) -> HashSet<&str> {
    folded
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| word.chars().count() >= SHORT)
        .collect()
}

/// Whether a folded sentence names nothing but what a wish for our step names. `mail` holds the
/// words of the mail that it answers, where that is known.
pub(super) fn ours(sentence: &str, mail: &HashSet<&str>) -> bool {
    let mut strange: usize = 0;
    let mut things: usize = 0;
    let mut words: usize = 0;
    let mut names = 0;
    let mut yours = 0;
    let mut subject = false;
    let mut offer = false;
    let mut readers = false;
    let mut before = "";
    for word in sentence.split(|c: char| !c.is_alphabetic()) {
        if word.is_empty() {
            continue;
        }
        words += 1;
        subject |= OURS.contains(&word);
        offer |= OFFERS.contains(&word);
        readers |= READERS.contains(&word);
        if YOURS.contains(&word) {
            yours = YOURS_REACH + 1;
        }
        yours = yours.saturating_sub(1);
        if GREETINGS.contains(&word) {
            names = NAMES;
        } else if mail.contains(word) {
            names = 0;
        } else if THINGS.contains(word) {
            things += usize::from(yours == 0 && !TIMES.contains(&before));
            names = 0;
        } else if KNOWN.has(word) {
            names = 0;
        } else if names > 0 {
            names -= 1;
        } else {
            strange += 1;
        }
        before = word;
    }
    let allowed = match (subject, words) {
        (true, LONG_OF_OURS..) => 2,
        (true, _) | (false, LONG..) => 1,
        (false, _) => usize::from(readers),
    };
    strange <= allowed && (things == 0 || subject || offer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::fold::fold;

    #[test]
    fn what_a_wish_for_our_step_says_is_known() {
        for text in [
            "Hi Leila, yes please call me tomorrow afternoon",
            "I'd like to come and see the flat on Mill Lane on Saturday",
            "Nous aimerions visiter la maison ce week-end",
            "Mi chiami pure domani mattina",
            "Wir möchten die Wohnung gern am Donnerstagabend ansehen",
            "اتصل بي غدا بعد الظهر من فضلك",
        ] {
            assert!(ours(&fold(text), &HashSet::new()), "{text}");
        }
    }

    #[test]
    fn other_business_is_not_ours() {
        for text in [
            "Let's talk about the roadmap on Monday",
            "Can we meet on Tuesday to go over the audit findings?",
            "Herr Schulz möchte am Montag die Produktion besichtigen",
            "Quiero ver los números del trimestre",
            "Please call me regarding the payroll error",
            "Go ahead and merge it",
            "Let's grab coffee on Wednesday",
            "We'd like to order another 200 units",
            "Let's visit grandma on Sunday",
            "Could you walk me through the budget on a call tomorrow?",
        ] {
            assert!(!ours(&fold(text), &HashSet::new()), "{text}");
        }
    }

    #[test]
    fn what_belongs_to_the_reader_or_tells_a_time_is_ours() {
        for text in [
            "We accept your terms",
            "Please call me after lunch",
            "I'd like to come to your workshop on Friday",
        ] {
            assert!(ours(&fold(text), &HashSet::new()), "{text}");
        }
    }

    #[test]
    fn what_our_own_mail_names_is_ours() {
        let text = fold("We'd love to visit Riverside Gardens on Sunday");
        let mail = fold("Would you like to visit Riverside Gardens this weekend?");
        assert!(!ours(&text, &HashSet::new()));
        assert!(ours(&text, &words_of_mail(&mail)));
    }
}
