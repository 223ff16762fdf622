//! The letter around a text: greeting, thanks for our mail, closing and name say nothing of what
//! the writer wants, and a text reads the same with and without them.

use std::sync::LazyLock;

use regex::Regex;

use super::about;

/// Lines of a name, a title or a telephone number below a closing.
const LINES_BELOW: usize = 6;
/// Words of such a line.
const WORDS_BELOW: usize = 5;
/// Words of a name that stands alone for a closing.
const NAME: usize = 2;

fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

/// "Dear Ms Weber," as a line or in front of the text.
static GREETING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"^(?:hi|hiya|hello|hey|dear|good (?:morning|afternoon|evening|day)|morning|afternoon|greetings|to whom it may concern|hallo|guten (?:tag|morgen|abend)|sehr geehrte[rs]?|liebe[rs]?|moin|servus|gruezi|gruss gott|bonjour|bonsoir|cher|chere|chers|madame|monsieur|salut|hola|buenos dias|buenas(?: tardes| noches)?|estimad[oa]s?|querid[oa]s?|ola|bom dia|boa tarde|boa noite|car[oa]|prezad[oa]s?|exm[oa]s?|ciao|buongiorno|buonasera|salve|gentile|egregi[oa]|spettabile|beste|geachte|dag|goede(?:morgen|middag|navond)|namaste|namaskar|مرحبا|السلام عليكم|اهلا|أهلا|صباح الخير|مساء الخير)\b((?:[ ,/&.-]+[\p{L}'.]+){0,4}?)[ ]*(?:[,!:،]|\.\s|\n|\s-\s)\s*",
    )
});

/// "Thank you for your mail." and "I hope you are well." as sentences of their own.
static PLEASANTRY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"^(?:(?:many |big )?(?:thanks|thank you)(?: very much| so much| a lot)? for (?:(?:your|the|this|that)(?: \w+){0,2} (?:e-?mail|mail|message|note|reply|letter|information|info|response|details|offer|proposal|enquiry|inquiry)|(?:your|the) (?:e-?mail|mail|message|note|reply|letter|information|info|response|offer|proposal)|getting (?:back|in touch)(?: (?:to|with) (?:me|us))?(?: so quickly)?|reaching out(?: to (?:me|us))?|contacting (?:me|us)|writing(?: to (?:me|us))?|following up)|(?:i )?hope (?:you are|you're|all is|this (?:finds you|mail finds you|message finds you)|everything is|you had a)(?: \w+){0,3}|(?:vielen|herzlichen|besten) dank fur (?:ihre|die|deine) (?:\w+ )?(?:e-?mail|mail|nachricht|antwort|anfrage|information\w*)|merci (?:beaucoup )?pour votre (?:mail|e-?mail|message|reponse|courriel)|(?:muchas )?gracias por (?:su|tu) (?:correo|mensaje|respuesta|mail|email)|(?:muito )?obrigad[oa] pel[oa] (?:seu |sua )?(?:e-?mail|mensagem|resposta|contacto|contato)|grazie (?:mille )?per la (?:sua|vostra|tua) (?:e-?mail|mail|risposta)|(?:hartelijk )?(?:bedankt|dank) voor (?:uw|je) (?:e-?mail|mail|bericht|reactie))[.!]\s+",
    )
});

/// "Kind regards", alone or with the name behind it.
static CLOSING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"^(?:(?:(?:with )?(?:best|kind|kindest|warm|warmest|many|friendly) (?:regards|wishes)|regards|best|rgds|br|kr|sincerely|yours(?: (?:sincerely|faithfully|truly|ever))?|sincerely yours|respectfully|all the best|take care|cheers|mit (?:freundlichen?|besten|herzlichen|vielen|lieben) gruss(?:en)?|(?:freundliche|beste|herzliche|viele|liebe|schone) grusse|grusse|gruss|mfg|lg|vg|(?:bien )?cordialement|bien a vous|(?:sinceres|meilleures) salutations|salutations(?: distinguees)?|(?:un )?(?:cordial )?saludos?(?: cordiales)?|atentamente|(?:um )?abraco|atenciosamente|(?:com os )?(?:melhores )?cumprimentos|(?:cordiali|distinti|cari) saluti|saluti|(?:met )?vriendelijke groet(?:en)?|groet(?:en|jes)?|مع التحية|تحياتي)(?:[ ,.!-]+[\p{L}'.-]+){0,3}|(?:many |with )?thanks(?: again| in advance| so much| a lot)?|thank you(?: very much| so much| in advance)?|thx|ta|vielen dank|danke|merci(?: d'avance)?|gracias|obrigad[oa]|grazie|bedankt|dank u|shukriya|dhanyavaad|شكرا)[ ,.!-]*$",
    )
});

/// A line of which a writer who wants something has at least one.
static SAYS_SOMETHING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"[?]|\b(?:i|i'm|i'll|we|you|your|me|us|my|it|is|are|was|will|can|could|would|should|have|do|don't|not|no|nope|yes|yep|ok|okay|please|pls|stop|remove|unsubscribe|delete|call|ring|phone me|tomorrow|today|interested|ps|p\.s|nicht|kein\w*|bitte|ich|sie|ja|nein|ne|pas|je|vous|non|oui|no|si|quiero|por favor|nao|sim|niet|geen|graag|nee|baja|stopp?)\b",
    )
});

fn hits(pattern: &Option<Regex>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|p| p.is_match(text))
}

/// Beside names in a greeting and below a closing.
const TITLES: &[&str] = &[
    "mr",
    "mrs",
    "ms",
    "miss",
    "dr",
    "prof",
    "sir",
    "madam",
    "madame",
    "monsieur",
    "team",
    "all",
    "there",
    "again",
    "everyone",
    "folks",
    "both",
    "herr",
    "herrn",
    "frau",
    "damen",
    "herren",
    "und",
    "and",
    "dear",
    "senor",
    "senora",
    "sra",
    "signor",
    "signora",
    "signore",
    "meneer",
    "mevrouw",
    "heer",
    "ladies",
    "gentlemen",
    "friend",
    "colleague",
    "colleagues",
    "zusammen",
    "tous",
    "toutes",
    "from",
    "von",
    // Names that are words as well.
    "ali",
    "april",
    "ben",
    "dan",
    "don",
    "hope",
    "jan",
    "june",
    "linda",
    "marco",
    "mark",
    "may",
    "mia",
    "ravi",
    "sue",
    "theresa",
    "tom",
];

/// Names, as far as words tell: nothing that replies say.
fn is_names(text: &str) -> bool {
    !hits(&SAYS_SOMETHING, text)
        && text
            .split(|c: char| !c.is_alphabetic())
            .all(|word| TITLES.contains(&word) || !about::knows(word))
}

/// A folded text in its letter.
pub(super) struct Letter<'a> {
    /// What stands before the text: greeting and thanks for our mail.
    pub before: &'a str,
    /// The text itself; all of it where nothing else is left.
    pub text: &'a str,
    /// What stands behind it: closing, name, title.
    pub behind: &'a str,
}

/// Cuts a text as `fold` makes it.
pub(super) fn read(folded: &str) -> Letter<'_> {
    let start = greeting_end(folded);
    let (before, rest) = folded.split_at(start);
    let (text, behind) = rest.split_at(closing_start(rest));
    if text.chars().any(char::is_alphanumeric) {
        Letter {
            before,
            text: text.trim(),
            behind,
        }
    } else {
        Letter {
            before: "",
            text: folded,
            behind: "",
        }
    }
}

fn greeting_end(text: &str) -> usize {
    let mut at = text.len() - text.trim_start().len();
    if let Some(found) = GREETING
        .as_ref()
        .and_then(|p| p.captures(text.get(at..).unwrap_or_default()))
        && found.get(1).is_none_or(|names| is_names(names.as_str()))
    {
        at += found.get(0).map_or(0, |all| all.end());
    }
    while let Some(found) = PLEASANTRY
        .as_ref()
        .and_then(|p| p.find(text.get(at..).unwrap_or_default()))
    {
        at += found.end();
    }
    at
}

/// Where the closing begins, or the name that stands for one; the length where there is none.
fn closing_start(text: &str) -> usize {
    let whole = text.len();
    let mut below = 0;
    // What comes directly below a closing is a name.
    let mut name = "";
    let mut gap = false;
    let mut end = whole;
    loop {
        let start = text
            .get(..end)
            .and_then(|t| t.rfind('\n'))
            .map_or(0, |n| n + 1);
        let line = text.get(start..end).unwrap_or_default().trim();
        // "Saturday would be fine.", a blank line, "Ann".
        let signed = gap && below == 1 && name.split_whitespace().count() <= NAME;
        if line.is_empty() {
            gap = true;
        } else if start > 0 && hits(&CLOSING, line) {
            return if is_names(name) { start } else { whole };
        } else if signed && is_names(name) {
            return end;
        } else {
            (gap, name) = (false, line);
            below += 1;
            let long = line.split_whitespace().count() > WORDS_BELOW;
            if below > LINES_BELOW || long || hits(&SAYS_SOMETHING, line) {
                return whole;
            }
        }
        if start == 0 {
            // What begins with a closing has said all it has to say.
            return whole;
        }
        end = start - 1;
    }
}

#[cfg(test)]
#[path = "letter_tests.rs"]
mod tests;
