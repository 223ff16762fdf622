//! How much of a question a quoted text covers, and what speaks against it: what the gate looks at.

use super::given::{self, Given};
use super::kind;
use super::lexicon;
use super::rank::{Index, Piece, Query, Unit};
use super::terms::{Terms, affinity, terms};
use super::words::{self, Tongue};
use crate::model::ChunkKind;

/// Share of a question that a sentence must be about for its amount or day to count.
const ABOUT: f64 = 0.5;

/// What a text has of a question.
#[derive(Clone, Debug, Default)]
pub struct Cover {
    /// Weighed share of its terms, 0 to 1.
    pub share: f64,
    /// Terms that it lacks.
    pub missing: Vec<String>,
    /// Terms of weight that it has.
    pub held: u32,
    /// Weight of the rarest of them.
    pub rarest: f64,
    /// Whether one of them stands in its heading.
    pub titled: bool,
    /// Whether it lacks one of the words that say little.
    pub light_missing: bool,
    /// Whether it lacks the very thing that is asked for ("who is the OWNER of").
    pub focus: bool,
    /// Those of them that another piece is about.
    pub elsewhere: Vec<String>,
    /// Whether one of them is a number.
    pub number_missing: bool,
    /// Whether it gives what is asked for.
    pub kinds: bool,
}

impl Index {
    /// Weight of a word that stands in one passage only: of a few passages no word can be rarer.
    #[must_use]
    pub fn rarest(&self) -> f64 {
        let count = u32::try_from(self.pieces.len()).unwrap_or(u32::MAX);
        (1.0 + (f64::from(count) + 1.0) / 1.5).ln() - 1e-9
    }

    /// Of a list or table the sentences that are about the question: the items that have most of
    /// it, with the line that announces them. `None`: it is no list, or all of it is.
    #[must_use]
    pub fn items(&self, query: &Query, id: i64) -> Option<Vec<usize>> {
        let piece = self.piece(id).filter(|p| p.list)?;
        let scores: Vec<f64> = piece
            .sentences
            .iter()
            .map(|s| {
                let of = |u: &Unit| {
                    let label = 1.2 * affinity(u, &s.label, self.tongue);
                    u.weight * affinity(u, &s.terms, self.tongue).max(label)
                };
                query.units.iter().map(of).sum()
            })
            .collect();
        let best = scores.iter().copied().fold(0.0, f64::max);
        if best <= 0.0 {
            return None;
        }
        let mut picked: Vec<usize> = Vec::new();
        for (n, (score, sentence)) in scores.iter().zip(&piece.sentences).enumerate() {
            let announces = !sentence.item && sentence.text.ends_with(':');
            let among = piece
                .sentences
                .iter()
                .zip(&scores)
                .skip(n.saturating_add(1));
            let next = among
                .take_while(|(s, _)| s.item)
                .any(|(_, s)| *s >= 0.9 * best);
            if *score >= 0.9 * best || (announces && next) {
                picked.push(n);
            }
        }
        Some(picked)
    }

    /// How much of a question a text of a piece covers, 0 to 1, together with its heading; the
    /// terms that it lacks; and what the text gives.
    #[must_use]
    pub fn cover(&self, query: &Query, id: i64, quote: &str) -> Cover {
        let Some(piece) = self.piece(id) else {
            return Cover::default();
        };
        if piece.list && quote.contains('\n') {
            // One row of a table says nothing of another.
            return quote
                .lines()
                .map(|line| self.cover_of(query, piece, line))
                .max_by(|a, b| a.share.total_cmp(&b.share))
                .unwrap_or_default();
        }
        self.cover_of(query, piece, quote)
    }

    fn cover_of(&self, query: &Query, piece: &Piece, quote: &str) -> Cover {
        let id = piece.id;
        let list = words::words(quote, self.tongue);
        let held = terms(&list, &self.lexicon);
        let total: f64 = query.units.iter().map(|u| u.weight).sum();
        let mut cover = Cover::default();
        let faq = piece.chunk.kind == ChunkKind::Faq;
        let main: f64 = query
            .units
            .iter()
            .filter(|u| !u.context && u.kind.is_none())
            .map(|u| u.weight)
            .sum();
        // What each sentence gives, of those that are about the question.
        let mut given = Given::default();
        let mut last = Terms::default();
        for sentence in words::sentences(quote) {
            let here = terms(&words::words(sentence, self.tongue), &self.lexicon);
            let about: f64 = query
                .units
                .iter()
                .filter(|u| !u.context && u.kind.is_none())
                .map(|u| {
                    let near = 0.9 * affinity(u, &piece.heading, self.tongue);
                    // "A visit takes an hour. It is free."
                    let said = 0.8 * affinity(u, &last, self.tongue);
                    u.weight * affinity(u, &here, self.tongue).max(near).max(said)
                })
                .sum();
            last = here;
            if faq || main <= 0.0 || about >= ABOUT * main {
                let mut here = given::given(sentence, self.tongue);
                let titled: f64 = query
                    .units
                    .iter()
                    .filter(|u| !u.context && u.kind.is_none())
                    .map(|u| u.weight * affinity(u, &piece.heading, self.tongue))
                    .sum();
                let named = faq
                    || main <= 0.0
                    || titled >= 0.85 * main
                    || given::leans(sentence, self.tongue)
                    || query.units.iter().any(|u| {
                        !u.context && u.kind.is_none() && affinity(u, &last, self.tongue) >= 0.6
                    });
                if !named {
                    here = here.without_amounts();
                }
                given = given.and(here);
            }
        }
        let mut sum = 0.0;
        for unit in &query.units {
            let alias = piece
                .aliases
                .iter()
                .map(|a| affinity(unit, a, self.tongue))
                .fold(0.0, f64::max);
            let of_kind = match unit.kind {
                Some(kind) if query.kinds.contains(&kind) && given.gives(kind) => 0.9,
                _ => 0.0,
            };
            // Another row of the table has it, or the passage names others of its kind.
            let other_row = piece.list
                && affinity(unit, &held, self.tongue) < 0.6
                && piece
                    .sentences
                    .iter()
                    .any(|s| s.item && affinity(unit, &s.terms, self.tongue) >= 0.9);
            let mut senses = piece.whole.senses.clone();
            senses.extend(&piece.heading.senses);
            let others = affinity(unit, &piece.whole, self.tongue) < 1.0
                && lexicon::beside(&unit.senses, &senses);
            let fit = affinity(unit, &held, self.tongue)
                .max(0.95 * affinity(unit, &piece.heading, self.tongue))
                .max(0.8 * affinity(unit, &piece.above, self.tongue))
                .max(alias)
                .max(of_kind);
            let fit = if other_row || others {
                fit.min(0.2)
            } else {
                fit
            };
            if fit >= 0.6 && !unit.context {
                if !unit.light {
                    cover.held = cover.held.saturating_add(1);
                    cover.rarest = cover.rarest.max(unit.weight);
                }
                let titled = affinity(unit, &piece.heading, self.tongue).max(alias);
                let least = if unit.kind.is_some() { 1.0 } else { 0.7 };
                cover.titled |= titled >= least || is_label(unit, piece, quote, self.tongue);
            }
            if fit < 0.6 && unit.light && !unit.context {
                cover.light_missing = true;
            }
            cover.focus |= fit < 0.6 && query.focus.as_ref() == Some(&unit.stems);
            sum += unit.weight * fit;
            if fit < 0.6 {
                if !unit.context && (other_row || self.is_elsewhere(unit, id)) {
                    cover.elsewhere.push(unit.stems.join(" "));
                }
                if unit.number && !unit.context {
                    cover.number_missing = true;
                }
                if !unit.light {
                    cover.missing.push(unit.stems.join(" "));
                }
            }
        }
        cover.number_missing |= query
            .counts
            .iter()
            .any(|(number, words)| !self.stands_beside(number, words, quote));
        cover.share = if total > 0.0 { sum / total } else { 0.0 };
        cover.kinds = query.kinds.iter().all(|k| given.gives(*k));
        if let Some(counted) = &query.counted {
            cover.kinds &= self.counts(counted, quote);
        }
        cover
    }

    /// Whether a number stands within three words of one of these: "two years" says nothing of two
    /// drivers.
    fn stands_beside(&self, number: &str, words: &[Unit], quote: &str) -> bool {
        let list = words::words(quote, self.tongue);
        let (numbers, rest): (Vec<usize>, Vec<usize>) = (0..list.len())
            .partition(|n| list.get(*n).is_some_and(|w| w.number && w.stem == number));
        numbers.is_empty()
            || rest.into_iter().any(|n| {
                let here = terms(list.get(n..=n).unwrap_or_default(), &self.lexicon);
                numbers.iter().any(|at| at.abs_diff(n) <= 3)
                    && words.iter().any(|u| affinity(u, &here, self.tongue) >= 0.5)
            })
    }

    /// Whether another piece is about a term: it stands in a heading or at the head of an item.
    fn is_elsewhere(&self, unit: &Unit, id: i64) -> bool {
        unit.kind.is_none()
            && self
                .holders(unit)
                .into_iter()
                .filter_map(|n| self.pieces.get(n as usize))
                .filter(|p| p.chunk.kind == ChunkKind::Text)
                .any(|p| {
                    // A word that says little must be all of the heading.
                    let fit = affinity(unit, &p.heading, self.tongue);
                    let about = if unit.light {
                        p.heading.stems.len() <= 1 && fit >= 1.0
                    } else {
                        fit >= 0.9
                    };
                    (about && p.id != id)
                        || p.sentences
                            .iter()
                            .any(|s| affinity(unit, &s.label, self.tongue) >= 0.9)
                })
    }

    /// Whether a number stands with what is counted: within four words of it, and no price.
    fn counts(&self, counted: &Unit, quote: &str) -> bool {
        words::sentences(quote).into_iter().any(|sentence| {
            let list = words::words(sentence, self.tongue);
            let at = |n: usize| {
                let here = terms(list.get(n..=n).unwrap_or_default(), &self.lexicon);
                affinity(counted, &here, self.tongue) >= 0.7
            };
            // Before it ("62 houses", "more than 9,000 small firms"), or right behind it
            // ("Bedrooms 2", "seats: 40").
            (0..list.len()).filter(|n| at(*n)).any(|noun| {
                let plain = |n: usize| {
                    let next = n.saturating_add(1);
                    let unit =
                        next != noun && list.get(next).is_some_and(|w| kind::is_unit(&w.form));
                    list.get(n).is_some_and(|w| w.number) && !unit
                };
                let before = (noun.saturating_sub(4)..noun).any(plain);
                before || plain(noun.saturating_add(1))
            })
        })
    }
}

/// Whether a term is what a quoted line of a list is about.
fn is_label(unit: &Unit, piece: &Piece, quote: &str, tongue: Tongue) -> bool {
    piece.list
        && piece
            .sentences
            .iter()
            .filter(|s| quote.contains(&s.text))
            .any(|s| affinity(unit, &s.label, tongue) >= 0.7)
}
