//! The questions of a mail, one by one: cut at question marks, at list items, and where a second
//! question begins after "and".

use super::asking::{DEEDS, FILES, INDIRECT, OPENERS};
use super::words::{self, Tongue};
use crate::reply::fold;

/// Questions of one mail that are looked at.
pub const MAX_PARTS: usize = 8;

/// One question of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// As written.
    pub text: String,
    /// The statement just before it, which it may lean on.
    pub before: String,
    /// What the same sentence says before it asks: "we have a dog, is that a problem?"
    pub context: String,
}

/// What a mail asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Its questions, in order.
    pub parts: Vec<Part>,
    /// Whether there are more than [`MAX_PARTS`].
    pub more: bool,
    /// Something is asked for that no text can give: a call, a file, a photograph.
    pub request: Option<String>,
}

/// The questions of `text`, the newly written part of a mail.
#[must_use]
pub fn split(text: &str) -> Asked {
    let mut asked = Asked::default();
    let mut before = String::new();
    let lines = lines(text);
    let list = lines.iter().any(|l| l.item);
    let announced = list && text.contains(':');
    for line in &lines {
        let all = words::sentences(&line.text);
        for sentence in &all {
            let folded = fold::fold(sentence);
            let folded = folded.trim();
            note_request(&mut asked, folded);
            let question = sentence
                .trim_end_matches(['"', ')', ' ', '!'])
                .ends_with('?')
                || INDIRECT.iter().any(|p| folded.contains(p))
                || (line.item && announced && all.len() == 1)
                || (all.len() == 1
                    && opens(folded)
                    && folded.split_whitespace().count() > 2
                    && !folded.ends_with('.'));
            // "I would like to know two things:" asks nothing itself.
            let announces = list && sentence.ends_with(':');
            if !question || announces {
                if !is_courtesy(folded) {
                    (*sentence).clone_into(&mut before);
                }
                continue;
            }
            let mut pieces = at_and(sentence);
            // "We live in a listed house, what does the application cost?" asks once.
            if let [first, second, ..] = pieces.as_mut_slice()
                && !is_question(first)
            {
                *second = format!("{first}, {second}");
                pieces.remove(0);
            }
            for piece in pieces {
                if asked.parts.len() >= MAX_PARTS {
                    asked.more = true;
                    return asked;
                }
                let (context, question) = preamble(&piece);
                let before = if context.is_empty() {
                    before.clone()
                } else {
                    context.to_owned()
                };
                asked.parts.push(Part {
                    text: question.to_owned(),
                    context: context.to_owned(),
                    before,
                });
            }
        }
    }
    asked
}

/// Whether a piece of a sentence asks something by its own words.
fn is_question(piece: &str) -> bool {
    let folded = fold::fold(piece);
    piece.trim_end().ends_with('?')
        || folded
            .split(|c: char| !(c.is_alphanumeric() || c == '\''))
            .any(|w| OPENERS.contains(&w))
        || INDIRECT.iter().any(|p| folded.contains(p))
}

/// Whether folded text has these words, not as parts of others.
#[must_use]
pub fn says(folded: &str, words: &str) -> bool {
    let mut from = 0;
    while let Some(at) = folded.get(from..).and_then(|rest| rest.find(words)) {
        let start = from.saturating_add(at);
        let end = start.saturating_add(words.len());
        let before = folded.get(..start).and_then(|s| s.chars().next_back());
        let after = folded.get(end..).and_then(|s| s.chars().next());
        let marked = words.ends_with(|c: char| !c.is_alphanumeric());
        if !before.is_some_and(char::is_alphanumeric)
            && (marked || !after.is_some_and(char::is_alphanumeric))
        {
            return true;
        }
        from = end;
    }
    false
}

/// What a sentence says before its question begins, and the question. What begins with a
/// condition belongs to the question.
fn preamble(sentence: &str) -> (&str, &str) {
    const CONDITIONS: &[&str] = &[
        "if",
        "when",
        "as",
        "while",
        "unless",
        "before",
        "after",
        "once",
        "in",
        "for",
        "with",
        "without",
        "at",
        "on",
        "wenn",
        "falls",
        "sobald",
        "bei",
        "mit",
        "ohne",
        "si",
        "quand",
        "se",
        "als",
        "given",
        "assuming",
        "suppose",
        "during",
        "since",
        "about",
        "regarding",
    ];
    let first = sentence
        .split(|c: char| !(c.is_alphanumeric() || c == '\''))
        .find(|w| !w.is_empty())
        .map(fold::fold)
        .unwrap_or_default();
    if CONDITIONS.contains(&first.as_str()) || OPENERS.contains(&first.as_str()) {
        return ("", sentence);
    }
    let mut cut = None;
    for joint in [", ", " - ", " – ", " — ", ": ", "; ", ". "] {
        for (at, _) in sentence.match_indices(joint) {
            let rest = sentence
                .get(at.saturating_add(joint.len())..)
                .unwrap_or_default();
            let rest = rest.trim_start();
            let bare = ["so ", "and ", "but ", "also ", "und ", "aber ", "et "]
                .iter()
                .find_map(|w| rest.strip_prefix(w))
                .unwrap_or(rest);
            if opens(&fold::fold(bare)) && bare.split_whitespace().count() >= 3 {
                cut = cut.max(Some((at, sentence.len().saturating_sub(bare.len()))));
            }
        }
    }
    match cut {
        Some((at, from)) => (
            sentence.get(..at).unwrap_or_default(),
            sentence.get(from..).unwrap_or_default(),
        ),
        None => ("", sentence),
    }
}

fn note_request(asked: &mut Asked, folded: &str) {
    let wants = [
        "send",
        "email",
        "mail me",
        "forward",
        "share",
        "get me",
        "have a look at",
        "schicken",
        "senden",
        "zusenden",
        "provide",
        "envoyer",
        "envoyez",
        "enviar",
        "envien",
        "enviarme",
        "mandar",
        "inviare",
        "inviarmi",
        "mandare",
        "sturen",
        "opsturen",
    ]
    .iter()
    .any(|w| folded.contains(w));
    let hit = DEEDS
        .iter()
        .find(|d| folded.contains(*d))
        .or_else(|| FILES.iter().find(|f| wants && folded.contains(*f)));
    if let Some(hit) = hit
        && asked.request.is_none()
    {
        asked.request = Some((*hit).to_owned());
    }
}

fn opens(folded: &str) -> bool {
    folded
        .split(|c: char| !(c.is_alphanumeric() || c == '\''))
        .next()
        .is_some_and(|w| OPENERS.contains(&w))
}

struct Line {
    text: String,
    item: bool,
}

/// Paragraphs and list items.
fn lines(text: &str) -> Vec<Line> {
    let mut found: Vec<Line> = Vec::new();
    let mut open = false;
    for raw in text.lines() {
        let bare = raw.trim();
        if bare.is_empty() || bare.starts_with('>') {
            open = false;
            continue;
        }
        let (item, rest) = bullet(bare);
        let ends = found
            .last()
            .is_some_and(|l| l.text.ends_with(['.', '?', '!', ':', ',']));
        match found.last_mut() {
            Some(last)
                if open
                    && !item
                    && !ends
                    && (!last.item || raw.starts_with(char::is_whitespace)) =>
            {
                last.text.push(' ');
                last.text.push_str(rest);
            }
            _ => found.push(Line {
                text: rest.to_owned(),
                item,
            }),
        }
        open = true;
    }
    found
}

/// Whether a line is a list item, and what follows its mark.
fn bullet(bare: &str) -> (bool, &str) {
    if let Some(rest) = bare
        .strip_prefix(['-', '*', '•', '–', '·'])
        .filter(|r| r.starts_with(char::is_whitespace))
    {
        return (true, rest.trim());
    }
    let digits = bare.chars().take_while(char::is_ascii_digit).count();
    if (1..=2).contains(&digits)
        && let Some(rest) = bare.get(digits..).and_then(|r| r.strip_prefix(['.', ')']))
        && rest.starts_with(char::is_whitespace)
    {
        return (true, rest.trim());
    }
    if let Some(rest) = bare.get(1..).and_then(|r| r.strip_prefix(')'))
        && bare.starts_with(|c: char| c.is_ascii_lowercase())
    {
        return (true, rest.trim());
    }
    (false, bare)
}

/// "are pets allowed and how much is parking?" is two.
fn at_and(sentence: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut rest = sentence.trim();
    // "Also, and" at the front joins nothing.
    let lower = |s: &str| s.to_lowercase();
    loop {
        let cut = [
            " and ",
            ", and ",
            " und ",
            ", und ",
            " et ",
            " y ",
            " e ",
            " en ",
            " as well as ",
            "; ",
            ", ",
        ]
        .iter()
        .filter_map(|joint| {
            let at = lower(rest).find(joint)?;
            let after = rest.get(at + joint.len()..)?;
            let first = after.split_whitespace().next()?;
            let first = fold::fold(first.trim_matches(|c: char| !c.is_alphanumeric()));
            let second = after
                .split_whitespace()
                .nth(1)
                .map(fold::fold)
                .unwrap_or_default();
            let strict = [
                "how", "what", "when", "where", "which", "who", "whether", "is", "are", "do",
                "does", "can", "wie", "was", "wann", "wo", "welche", "wer", "ob", "gibt", "kann",
                "darf", "ist", "sind", "combien", "quand", "quel", "quelle", "comment", "cuanto",
                "cuando", "donde", "cual", "quanto", "quando", "onde", "qual", "dove", "quali",
                "hoeveel", "wanneer", "wat", "waar", "hoe",
            ];
            let begins = strict.contains(&first.as_str()) || (first == "if" && second != "so");
            let enough = rest.get(..at)?.split_whitespace().count() >= 3
                && after.split_whitespace().count() >= 3;
            // After a comma "which" begins a clause, not a question.
            let clause = joint.starts_with(", ") && *joint != ", and " && *joint != ", und ";
            (begins
                && enough
                && !(clause
                    && matches!(
                        first.as_str(),
                        "which"
                            | "who"
                            | "is"
                            | "are"
                            | "when"
                            | "where"
                            | "do"
                            | "can"
                            | "was"
                            | "wo"
                            | "ist"
                            | "sind"
                            | "ob"
                            | "wie"
                            | "welche"
                    )))
            .then_some((at, joint.len()))
        })
        .min();
        match cut {
            Some((at, len)) => {
                pieces.push(rest.get(..at).unwrap_or_default().trim().to_owned());
                rest = rest.get(at + len..).unwrap_or_default().trim();
            }
            None => {
                pieces.push(rest.to_owned());
                return pieces;
            }
        }
    }
}

fn is_courtesy(folded: &str) -> bool {
    let words: Vec<&str> = folded.split_whitespace().collect();
    words.len() <= 2
        || [
            "thank",
            "thanks",
            "danke",
            "vielen dank",
            "hi ",
            "hello",
            "dear ",
            "hallo",
            "guten tag",
            "best",
            "kind regards",
            "regards",
            "mit freundlichen",
            "viele gru",
            "liebe gru",
            "sehr geehrte",
            "cheers",
            "cordialement",
            "bonjour",
            "merci",
            "hola",
            "buenos",
            "gracias",
            "saludos",
            "ola",
            "bom dia",
            "obrigad",
            "cumprimentos",
            "buongiorno",
            "grazie",
            "cordiali saluti",
            "beste",
            "bedankt",
            "groeten",
            "met vriendelijke",
            "looking forward",
            "i have two",
            "i have a question",
            "two questions",
            "a few questions",
            "i would like to know two",
        ]
        .iter()
        .any(|w| folded.starts_with(w) || folded.contains("questions:"))
}

/// Whether a question leans on what stands before it ("how much is that?").
#[must_use]
pub fn leans(text: &str, tongue: Tongue) -> bool {
    let list: &[&str] = match tongue {
        Tongue::German => &["das", "es", "davon", "dafur", "dazu", "diese", "dies"],
        Tongue::French => &["ca", "cela", "il", "elle", "en", "y", "ce"],
        Tongue::Spanish => &["eso", "esto", "ello", "lo"],
        Tongue::Portuguese => &["isso", "isto"],
        Tongue::Italian => &["questo", "cio", "ne", "quello"],
        Tongue::Dutch => &["het", "dat", "dit", "daarvan", "die"],
        _ => &[
            "it", "that", "this", "they", "them", "those", "these", "one", "he", "she", "him",
            "her",
        ],
    };
    words::words(text, tongue)
        .iter()
        .any(|w| list.contains(&w.form.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<String> {
        split(text).parts.into_iter().map(|p| p.text).collect()
    }

    #[test]
    fn questions_are_cut_at_marks_at_list_items_and_at_and() {
        assert_eq!(
            parts(
                "Hi,\n\nthanks. Are pets allowed and how much is a parking space? Is it new?\n\nBest,\nAnn"
            ),
            [
                "Are pets allowed",
                "how much is a parking space?",
                "Is it new?"
            ]
        );
        assert_eq!(
            parts(
                "Hello, I have two questions:\n1. the price of a studio\n2) is there a lift\nThanks\nJo"
            ),
            ["the price of a studio", "is there a lift"]
        );
        assert_eq!(
            parts("Could you tell me how big it is. We live in Rome."),
            ["Could you tell me how big it is."]
        );
        assert_eq!(
            parts("Is there a bath and a shower?"),
            ["Is there a bath and a shower?"]
        );
        assert_eq!(parts("Thank you, that sounds good."), [""; 0]);
        assert_eq!(parts(&"Is it so?\n".repeat(30)).len(), MAX_PARTS);
    }

    #[test]
    fn what_no_text_can_give_is_noticed() {
        assert!(
            split("Could you send me the floor plans?")
                .request
                .is_some()
        );
        assert!(
            split("Are pets ok? Please call me tomorrow.")
                .request
                .is_some()
        );
        assert!(split("Could you send me the address?").request.is_none());
    }

    #[test]
    fn the_statement_before_a_question_stays_with_it() {
        let asked = split("Hi there,\nmy roof faces west. What does that mean?");
        assert_eq!(asked.parts[0].before, "my roof faces west.");
        assert!(leans(&asked.parts[0].text, Tongue::English));
    }
}
