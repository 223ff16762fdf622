//! The words by which bounces and automatic answers are known where headers are silent, in some
//! twenty languages, each found in one pass over a folded text (`engine`).
//!
//! A hit says what kind of phrase it is ([`Cue`]) and in which language; what hits mean together
//! is for the callers.

mod engine;

use std::sync::LazyLock;

use engine::Engine;

macro_rules! cues {
    ($($(#[$doc:meta])* $name:ident = $word:literal),+ $(,)?) => {
        /// What a phrase is a sign of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Cue { $($(#[$doc])* $name),+ }

        impl Cue {
            /// By the name that it has in the files.
            fn named(name: &str) -> Option<Self> {
                match name {
                    $($word => Some(Self::$name),)+
                    _ => None,
                }
            }
        }
    };
}

cues! {
    /// An absence, with a word of being.
    Away = "away",
    /// A whole statement of absence.
    Absent = "absent",
    /// The person left, or the address is used no more.
    Left = "left",
    /// Mail is not read, or late.
    NoAccess = "no-access",
    /// Words of being, present or future.
    Be = "being",
    /// Words of the past, or of a condition.
    Past = "past",
    /// "This is an automatic answer".
    Auto = "automatic",
    /// "We have received your message".
    Ack = "receipt",
    /// "Prove that you are a person".
    Challenge = "challenge",
    /// Thanks for the mail.
    Thanks = "thanks",
    /// Whom to turn to.
    Urgent = "stand-in",
    /// How to reach the writer.
    Myself = "own-contact",
    /// What a person promises the reader, or does for him.
    Promise = "promise",
    /// A mailbox that nobody reads.
    Unread = "unread",
    /// When the mail will be read or answered.
    Limited = "later",
    /// Greeting.
    Greet = "greeting",
    /// Closing.
    Close = "closing",
    /// Season's greetings.
    Wish = "wish",
    /// Disclaimers and links.
    Disclaimer = "disclaimer",
    /// What people write in an answer, and notices beside whom to turn to.
    Want = "want",
    /// What only people write in an answer.
    Always = "always",
    /// Subject of an automatic answer, anywhere in it.
    AutoSubject = "automatic-subject",
    /// Subject that starts with an absence.
    AwaySubject = "away-subject",
    /// Subject that starts as that of an acknowledgement.
    AckSubject = "receipt-subject",
    /// Subject that starts as that of a delivery report.
    BounceSubject = "bounce-subject",
    /// Subject that ends as that of a delivery report.
    BounceSubjectEnd = "bounce-subject-end",
    /// Sentence of a delivery failure.
    Failed = "failed",
    /// Not failed yet.
    Delayed = "delayed",
    /// Failed after a delay.
    GaveUp = "gave-up",
    /// The address is gone.
    Gone = "gone",
    /// What may be gone: user, mailbox, domain.
    GoneNoun = "gone-noun",
    /// Gone, of a noun nearby.
    GoneWord = "gone-word",
    /// The address may well exist.
    Stays = "stays",
}

impl Cue {
    const fn bit(self) -> u64 {
        1 << self as u64
    }
}

/// A set of cues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cues(u64);

impl Cues {
    pub(super) fn add(&mut self, cue: Cue) {
        self.0 |= cue.bit();
    }

    pub(super) fn has(self, cue: Cue) -> bool {
        self.0 & cue.bit() != 0
    }

    pub(super) fn any(self, cues: &[Cue]) -> bool {
        cues.iter().any(|c| self.has(*c))
    }
}

/// A phrase found, with its place in the folded text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) cue: Cue,
    /// Of the phrase; empty for many.
    pub(super) language: &'static str,
    pub(super) start: usize,
    pub(super) end: usize,
}

struct Lexicon {
    entries: Vec<(Cue, &'static str)>,
    engine: Engine,
}

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!($name, ".txt"))
    };
}

const ABSENCE: &str = file!("absence");
const MACHINE: &str = file!("machine");
const AROUND: &str = file!("around");
const WANTS: &str = file!("wants");
const SUBJECTS: &str = file!("subjects");
const BOUNCE_SUBJECTS: &str = file!("bounce_subjects");
const BOUNCES: &str = file!("bounces");
const DELAYS: &str = file!("delays");
const REASONS: &str = file!("reasons");

static IN_REPLIES: LazyLock<Lexicon> =
    LazyLock::new(|| Lexicon::of(&[ABSENCE, MACHINE, AROUND, WANTS]));
static IN_SUBJECTS: LazyLock<Lexicon> =
    LazyLock::new(|| Lexicon::of(&[SUBJECTS, BOUNCE_SUBJECTS, DELAYS]));
static IN_REPORTS: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::of(&[BOUNCES, DELAYS]));
static IN_REASONS: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::of(&[REASONS]));

/// Builds all automata, which takes some 0.1 s.
pub(super) fn warm_up() {
    for lexicon in [&IN_REPLIES, &IN_SUBJECTS, &IN_REPORTS, &IN_REASONS] {
        LazyLock::force(lexicon);
    }
}

/// Phrases of automatic answers and of people, in a folded text.
pub(super) fn in_reply(folded: &str) -> Vec<Hit> {
    IN_REPLIES.find(folded)
}

/// Phrases of subjects, in a folded subject.
pub(super) fn in_subject(folded: &str) -> Vec<Hit> {
    IN_SUBJECTS.find(folded)
}

/// Phrases of delivery reports, in a folded text.
pub(super) fn in_report(folded: &str) -> Vec<Hit> {
    IN_REPORTS.find(folded)
}

/// Reasons of failures, in a folded text.
pub(super) fn in_reason(folded: &str) -> Vec<Hit> {
    IN_REASONS.find(folded)
}

impl Lexicon {
    fn of(files: &[&'static str]) -> Self {
        let mut entries = Vec::new();
        let mut engine = Engine::default();
        for line in files.iter().flat_map(|f| f.lines()) {
            if let Some(section) = section(line) {
                entries.push(section);
            } else if !line.is_empty() && !line.starts_with('#') {
                let number = entries.len().saturating_sub(1);
                engine.add(line, number, super::fold::fold_phrase);
            }
        }
        engine.finish();
        Self { entries, engine }
    }

    fn find(&self, folded: &str) -> Vec<Hit> {
        let found = self.engine.find(folded).into_iter();
        found
            .filter_map(|f| {
                let (cue, language) = *self.entries.get(f.pattern)?;
                Some(Hit {
                    cue,
                    language,
                    start: f.start,
                    end: f.end,
                })
            })
            .collect()
    }
}

/// `[away en]`: the cue and the language of the lines that follow.
fn section(line: &'static str) -> Option<(Cue, &'static str)> {
    let inner = line.strip_prefix('[')?.strip_suffix(']')?;
    let (name, language) = inner.split_once(' ').unwrap_or((inner, ""));
    Some((Cue::named(name)?, language))
}

/// Kana, Han, Hangul, Thai.
pub(super) fn without_blanks(c: char) -> bool {
    matches!(u32::from(c), 0x0e00..=0x0e7f | 0x3040..=0x30ff | 0x3400..=0x9fff | 0xac00..=0xd7af | 0xf900..=0xfaff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_is_well_formed() {
        for file in [
            ABSENCE,
            MACHINE,
            AROUND,
            WANTS,
            SUBJECTS,
            BOUNCE_SUBJECTS,
            BOUNCES,
            DELAYS,
            REASONS,
        ] {
            let mut within = "";
            for line in file
                .lines()
                .filter(|l| !l.is_empty() && !l.starts_with('#'))
            {
                if line.starts_with('[') {
                    assert!(section(line).is_some(), "{line}");
                    within = line;
                    continue;
                }
                let at = format!("{within}: {line}");
                assert!(!within.is_empty() && line.trim() == line, "{at}");
                assert_eq!(line.matches('(').count(), line.matches(')').count(), "{at}");
                assert!(!line.contains(['?', '\\', '[', '+', '^', '$', '"']), "{at}");
                // Signs alone are no words.
                let words = line.split(['(', '|', ')', ' ', '*']);
                for word in words.filter(|w| !w.is_empty()) {
                    assert!(
                        word.contains(|c: char| c.is_alphanumeric() || c == '@'),
                        "{at}: {word}"
                    );
                }
            }
        }
    }

    #[test]
    fn phrases_are_found_as_whole_words_in_any_script() {
        let cues = |text: &str| -> Vec<Cue> {
            let folded = super::super::fold::fold(text, 1000);
            in_reply(&folded).into_iter().map(|h| h.cue).collect()
        };
        assert!(cues("I am OUT-OF-OFFICE today").contains(&Cue::Away));
        assert!(!cues("a timeout of officers").contains(&Cue::Away));
        assert!(cues("ただいま不在にしております").contains(&Cue::Absent));
        assert!(cues("我正在休假。").contains(&Cue::Absent));
        assert!(cues("Ich bin außer Haus").contains(&Cue::Away));
    }
}
