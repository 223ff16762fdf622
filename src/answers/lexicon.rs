//! Synonyms: groups of equal words, and wider words over narrower ones.
//!
//! The lists in `lexicon/` are embedded; a campaign's folder may add a `synonyms.txt` of the same
//! form (`a, b c, d` are equal; `a > b, c`: a is the wider word, which does not make b and c the
//! same).

use std::collections::HashMap;

use super::grammar;
use super::words::{Tongue, Word, words};

/// How an entry stands in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Seat {
    /// One of equals, or the wider word.
    Head,
    /// A narrower word.
    Member,
}

/// A meaning that a word or phrase has.
pub type Sense = (u16, Seat);

#[derive(Clone, Debug)]
struct Entry {
    stems: Vec<String>,
    sense: Sense,
}

/// Synonyms of one language.
#[derive(Clone, Debug, Default)]
pub struct Lexicon {
    by_first: HashMap<String, Vec<Entry>>,
    groups: Vec<Vec<(Vec<String>, Seat)>>,
    light: Vec<u16>,
}

/// Lines of an operator's list beyond this many are not read.
const MAX_LINES: usize = 2_000;
/// Words of one group.
const MAX_GROUP: usize = 40;

impl Lexicon {
    /// The embedded list of a language with the lines of an operator's.
    #[must_use]
    pub fn of(tongue: Tongue, own: &str) -> Self {
        let embedded = grammar::embedded(tongue);
        let mut lexicon = Self::default();
        for line in embedded.lines().chain(own.lines().take(MAX_LINES)) {
            lexicon.add(line, tongue);
        }
        lexicon
    }

    fn add(&mut self, line: &str, tongue: Tongue) {
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() || line.starts_with(['#', '@']) {
            return;
        }
        let Ok(group) = u16::try_from(self.groups.len()) else {
            return;
        };
        let line = match line.strip_prefix('~') {
            Some(rest) => {
                self.light.push(group);
                rest
            }
            None => line,
        };
        let (wider, narrower) = line.split_once('>').unwrap_or((line, ""));
        let heads = wider.split(',').map(|w| (w, Seat::Head));
        let members = narrower.split(',').map(|w| (w, Seat::Member));
        let mut all = Vec::new();
        for (phrase, seat) in heads.chain(members).take(MAX_GROUP) {
            let stems: Vec<String> = words(phrase, tongue).into_iter().map(|w| w.stem).collect();
            let Some(first) = stems.first().cloned() else {
                continue;
            };
            all.push((stems.clone(), seat));
            self.by_first.entry(first).or_default().push(Entry {
                stems,
                sense: (group, seat),
            });
        }
        self.groups.push(all);
    }

    /// The longest phrases that begin at this place: how many words, and their senses.
    #[must_use]
    pub fn at(&self, words: &[Word]) -> (usize, Vec<Sense>) {
        let mut longest = 0;
        let mut senses = Vec::new();
        let first = words.first().map(|w| w.stem.as_str()).unwrap_or_default();
        for entry in self.by_first.get(first).into_iter().flatten() {
            let n = entry.stems.len();
            let here = words.get(..n).is_some_and(|w| {
                w.iter()
                    .map(|w| w.stem.as_str())
                    .eq(entry.stems.iter().map(String::as_str))
            });
            if !here || n < longest {
                continue;
            }
            if n > longest {
                senses.clear();
                longest = n;
            }
            senses.push(entry.sense);
        }
        (longest, senses)
    }

    /// Whether a phrase begins with this stem.
    #[must_use]
    pub fn has(&self, stem: &str) -> bool {
        self.by_first.contains_key(stem)
    }

    /// Whether one of the senses is of a group that narrows a question down only a little.
    #[must_use]
    pub fn is_light(&self, senses: &[Sense]) -> bool {
        senses.iter().any(|(group, _)| self.light.contains(group))
    }

    /// Every sense of every word and phrase of a text.
    #[must_use]
    pub fn senses(&self, words: &[Word]) -> Vec<Sense> {
        let mut found = Vec::new();
        let mut n = 0;
        while n < words.len() {
            let rest = words.get(n..).unwrap_or_default();
            let (len, senses) = self.at(rest);
            found.extend(senses);
            // Of a phrase the last word means something of its own too: a swimming pool is a
            // pool, but a floor plan is no floor.
            n = n.saturating_add(len.saturating_sub(1).max(1));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The stems of the words and phrases that share a sense: for the full-text search.
    #[must_use]
    pub fn expand(&self, senses: &[Sense]) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for (group, seat) in senses {
            for (stems, other) in self.groups.get(usize::from(*group)).into_iter().flatten() {
                let fits = *seat == Seat::Head || *other == Seat::Head;
                if fits {
                    found.push(stems.join(" "));
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Whether two senses meet: the same group, and one of them its head.
#[must_use]
pub fn meet(a: &[Sense], b: &[Sense]) -> bool {
    a.iter().any(|(group, seat)| {
        b.iter()
            .any(|(other, theirs)| group == other && (*seat == Seat::Head || *theirs == Seat::Head))
    })
}

/// Whether a narrower word meets a text by the wider one only, and the text names others beside
/// it: "do you take PayPal" finds no answer in "payment by Visa and Mastercard".
#[must_use]
pub fn beside(a: &[Sense], b: &[Sense]) -> bool {
    let equal = a
        .iter()
        .any(|(group, seat)| *seat == Seat::Head && b.iter().any(|(other, _)| group == other));
    !equal
        && a.iter().any(|(group, seat)| {
            *seat == Seat::Member
                && b.contains(&(*group, Seat::Head))
                && b.contains(&(*group, Seat::Member))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn senses(lexicon: &Lexicon, text: &str) -> Vec<Sense> {
        lexicon.senses(&words(text, Tongue::English))
    }

    #[test]
    fn equal_words_meet_and_narrower_ones_only_their_wider_one() {
        let l = Lexicon::of(Tongue::English, "");
        assert!(meet(
            &senses(&l, "the swimming pool"),
            &senses(&l, "a pool")
        ));
        assert!(meet(&senses(&l, "are pets ok"), &senses(&l, "cats")));
        assert!(!meet(&senses(&l, "my hamster"), &senses(&l, "cats")));
        assert!(!meet(&senses(&l, "tennis court"), &senses(&l, "a pool")));
    }

    #[test]
    fn an_operators_list_adds_to_the_embedded_one() {
        let l = Lexicon::of(
            Tongue::English,
            "# own\nhelipad, landing pad\nfruit > apple, pear\n",
        );
        assert!(meet(&senses(&l, "a landing pad"), &senses(&l, "helipads")));
        assert!(meet(&senses(&l, "any fruit"), &senses(&l, "pears")));
        assert!(!meet(&senses(&l, "apples"), &senses(&l, "pears")));
    }
}
