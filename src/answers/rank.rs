//! The second retriever: how much of a question each sentence of the documents covers, every
//! term weighed by how rare it is there, by words, synonyms, headings and character grams.
//!
//! The full-text search (`store::documents`) ranks whole pieces by BM25. The two look at
//! different things, and an answer is sent only where both name the same piece first.

use std::collections::HashMap;

use super::given::{self, Given};
use super::kind::{self, Kind};
use super::lexicon::{self, Lexicon, Seat, Sense};
use super::stop;
use super::words::{self, Tongue, Word};
use crate::model::{ChunkKind, DocChunk};

/// Terms of one question.
const MAX_UNITS: usize = 24;
/// Weight of what was said before a question.
const CONTEXT: f64 = 0.25;
/// Share of a question that a sentence must be about for its amount or day to count.
const ABOUT: f64 = 0.5;
/// Stems by which one of them is searched.
const MAX_VARIANTS: usize = 40;

/// A term of a question: a word, or a phrase with a meaning of its own.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The words.
    pub stems: Vec<String>,
    senses: Vec<Sense>,
    number: bool,
    light: bool,
    kind: Option<Kind>,
    /// Said before the question proper ("we have just bought an electric car, …").
    context: bool,
    /// Pieces that have it.
    df: usize,
    /// Set by [`Index::weigh`].
    pub weight: f64,
}

/// The words of a text, for comparison.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    stems: Vec<String>,
    /// Words that only qualify another in a phrase: "value" in "value added tax".
    weak: Vec<String>,
    senses: Vec<Sense>,
}

#[derive(Debug)]
struct Sentence {
    text: String,
    terms: Terms,
    /// Of a list item or table row what stands before its colon: what the line is about.
    label: Terms,
    item: bool,
    given: Given,
}

#[derive(Debug)]
struct Piece {
    id: i64,
    chunk: DocChunk,
    /// Whether it is mostly a list or a table: its items are about different things.
    list: bool,
    heading: Terms,
    above: Terms,
    aliases: Vec<Terms>,
    sentences: Vec<Sentence>,
    whole: Terms,
}

/// A campaign's pieces in one language.
#[derive(Debug)]
pub struct Index {
    tongue: Tongue,
    lexicon: Lexicon,
    pieces: Vec<Piece>,
    by_id: HashMap<i64, usize>,
    /// Which pieces have a stem, and which a meaning.
    by_stem: HashMap<String, Vec<u32>>,
    by_sense: HashMap<Sense, Vec<u32>>,
}

/// A question, read.
#[derive(Clone, Debug)]
pub struct Query {
    /// Its terms.
    pub units: Vec<Unit>,
    /// What has to stand in the answer.
    pub kinds: Vec<Kind>,
    /// The stem of what is counted: "how many yachts".
    counted: Option<Unit>,
    /// What is asked for by name: "who is the owner".
    focus: Option<Vec<String>>,
    /// Numbers with the words beside them: "two drivers", "phase one".
    counts: Vec<(String, Vec<Unit>)>,
    grams: HashMap<[char; 3], f64>,
}

/// A piece and how well it fits.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The row of the piece.
    pub id: i64,
    /// 0 to about 1.3.
    pub score: f64,
    /// Which of its sentences fits best.
    pub sentence: usize,
}

impl Index {
    /// Prepares pieces that are all in one language.
    #[must_use]
    pub fn new(chunks: Vec<(i64, DocChunk)>, tongue: Tongue, synonyms: &str) -> Self {
        let lexicon = Lexicon::of(tongue, synonyms);
        let pieces: Vec<Piece> = chunks
            .into_iter()
            .map(|(id, chunk)| piece(id, chunk, tongue, &lexicon))
            .collect();
        let mut index = Self {
            tongue,
            lexicon,
            by_id: HashMap::new(),
            by_stem: HashMap::new(),
            by_sense: HashMap::new(),
            pieces,
        };
        index.post();
        index
    }

    /// Notes which pieces have which words.
    fn post(&mut self) {
        for (n, piece) in self.pieces.iter().enumerate() {
            self.by_id.insert(piece.id, n);
            let n = u32::try_from(n).unwrap_or(u32::MAX);
            let all = [&piece.whole, &piece.heading, &piece.above];
            for terms in all.into_iter().chain(&piece.aliases) {
                for stem in terms.stems.iter().chain(&terms.weak) {
                    note(&mut self.by_stem, stem, n);
                }
                for sense in &terms.senses {
                    let list = self.by_sense.entry(*sense).or_default();
                    if list.last() != Some(&n) {
                        list.push(n);
                    }
                }
            }
        }
    }

    fn piece(&self, id: i64) -> Option<&Piece> {
        self.pieces.get(*self.by_id.get(&id)?)
    }

    /// The pieces that may have a term: exactly, by a form of it, or by a synonym.
    fn holders(&self, unit: &Unit) -> Vec<u32> {
        let mut found: Vec<u32> = Vec::new();
        for stem in &unit.stems {
            found.extend(self.by_stem.get(stem).into_iter().flatten());
        }
        for (group, seat) in &unit.senses {
            found.extend(
                self.by_sense
                    .get(&(*group, Seat::Head))
                    .into_iter()
                    .flatten(),
            );
            if *seat == Seat::Head {
                let members = self.by_sense.get(&(*group, Seat::Member));
                found.extend(members.into_iter().flatten());
            }
        }
        if let [stem] = unit.stems.as_slice()
            && stem.len() >= 5
            && !unit.number
        {
            for (other, pieces) in &self.by_stem {
                if other != stem && alike(stem, other, self.tongue) {
                    found.extend(pieces);
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// A word of the documents that an unknown word of a question is a slip of.
    fn slip(&self, stem: &str) -> Option<&str> {
        let known = |s: &str| self.by_stem.contains_key(s) || self.lexicon.has(s);
        if stem.chars().count() < 5 || known(stem) {
            return None;
        }
        self.by_stem
            .keys()
            .map(String::as_str)
            .filter(|other| one_slip(stem, other))
            .min()
    }

    /// The language of this index.
    #[must_use]
    pub fn tongue(&self) -> Tongue {
        self.tongue
    }

    /// Whether there is anything in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Reads a question.
    #[must_use]
    pub fn query(&self, text: &str) -> Query {
        self.query_in(text, "")
    }

    /// Reads a question and what was said before it.
    #[must_use]
    pub fn query_in(&self, text: &str, context: &str) -> Query {
        let list = words::words(text, self.tongue);
        let mut units = self.units(&list);
        for mut unit in self.units(&words::words(context, self.tongue)) {
            if !units.iter().any(|u| u.stems == unit.stems) && units.len() < MAX_UNITS {
                unit.context = true;
                units.push(unit);
            }
        }
        // "How much is that?" is about what was said before it, and nothing else.
        if units
            .iter()
            .all(|u| u.light || u.context || u.kind.is_some())
        {
            for unit in units.iter_mut().filter(|u| u.context) {
                unit.context = false;
                unit.number = false;
            }
        }
        let mut query = Query {
            units,
            kinds: kind::asked(text, self.tongue),
            counted: None,
            focus: None,
            counts: Vec::new(),
            grams: grams(&list),
        };
        for (n, word) in list.iter().enumerate().filter(|(_, w)| w.number) {
            let beside = [n.checked_sub(1), n.checked_add(1)];
            let words: Vec<Unit> = beside
                .into_iter()
                .flatten()
                .filter_map(|at| list.get(at))
                .filter_map(|w| query.units.iter().find(|u| u.stems.contains(&w.stem)))
                .filter(|u| !u.number && !u.context)
                .cloned()
                .collect();
            if !words.is_empty() {
                query.counts.push((word.stem.clone(), words));
            }
        }
        if let Some(noun) = kind::focus(&list, self.tongue) {
            let unit = query.units.iter().find(|u| u.stems.contains(&noun));
            query.focus = unit.map(|u| u.stems.clone());
        }
        if query.kinds.contains(&Kind::Number)
            && let Some(noun) = kind::counted(&list, self.tongue)
        {
            query.counted = query
                .units
                .iter()
                .find(|u| u.stems.contains(&noun))
                .cloned();
        }
        self.weigh(&mut query);
        query
    }

    fn units(&self, list: &[Word]) -> Vec<Unit> {
        let mut units: Vec<Unit> = Vec::new();
        let mut at = 0;
        while at < list.len() && units.len() < MAX_UNITS {
            let rest = list.get(at..).unwrap_or_default();
            let (len, senses) = self.lexicon.at(rest);
            let Some(first) = rest.first() else { break };
            if len <= 1 && !first.number && stop::is_stop(&first.form, self.tongue) {
                at = at.saturating_add(1);
                continue;
            }
            let taken = rest.get(..len.max(1)).unwrap_or_default();
            let mut senses = senses;
            let mut stems: Vec<String> = taken.iter().map(|w| w.stem.clone()).collect();
            if let [stem] = stems.as_mut_slice()
                && !first.number
                && let Some(meant) = self.slip(stem)
            {
                meant.clone_into(stem);
                let word = Word {
                    stem: stem.clone(),
                    ..first.clone()
                };
                senses = self.lexicon.at(&[word]).1;
            }
            let light = (len <= 1 && stop::is_light(&first.stem, self.tongue))
                || self.lexicon.is_light(&senses);
            if !units.iter().any(|u: &Unit| u.stems == stems) {
                units.push(Unit {
                    number: len <= 1 && first.number,
                    light,
                    kind: kind::word(&stems.join(" ")),
                    stems,
                    senses,
                    context: false,
                    df: 0,
                    weight: 0.0,
                });
            }
            at = at.saturating_add(len.max(1));
        }
        units
    }

    fn weigh(&self, query: &mut Query) {
        let n = as_f64(self.pieces.len()) + 1.0;
        for unit in &mut query.units {
            let df = self
                .holders(unit)
                .into_iter()
                .filter_map(|n| self.pieces.get(n as usize))
                .filter(|p| {
                    affinity(unit, &p.whole, self.tongue) >= 0.7
                        || affinity(unit, &p.heading, self.tongue) >= 0.7
                })
                .count();
            unit.df = df;
            let mut weight = (1.0 + n / (as_f64(df) + 0.5)).ln();
            if unit.light {
                weight *= if df == 0 { 0.15 } else { 0.4 };
            }
            if unit.context {
                weight *= CONTEXT;
            }
            unit.weight = weight;
        }
    }

    /// For each term of a question the stems by which the full-text search looks for it, with
    /// synonyms, and its weight.
    #[must_use]
    pub fn search_terms(&self, query: &Query) -> Vec<(Vec<String>, f64)> {
        query
            .units
            .iter()
            .map(|unit| {
                let mut stems = unit.stems.clone();
                let more = self.lexicon.expand(&unit.senses);
                stems.extend(more);
                stems.sort_unstable();
                stems.dedup();
                stems.truncate(MAX_VARIANTS);
                (stems, unit.weight)
            })
            .collect()
    }

    /// The pieces that fit best, best first.
    #[must_use]
    pub fn rank(&self, query: &Query, most: usize) -> Vec<Hit> {
        let mut places: Vec<u32> = query.units.iter().flat_map(|u| self.holders(u)).collect();
        places.sort_unstable();
        places.dedup();
        let mut hits: Vec<Hit> = places
            .into_iter()
            .filter_map(|n| self.hit(query, self.pieces.get(n as usize)?))
            .collect();
        sort(&mut hits);
        hits.truncate(most.saturating_mul(4));
        for hit in &mut hits {
            let text = self.sentence(hit);
            hit.score += 0.10 * cosine(&query.grams, &grams(&words::words(text, self.tongue)));
        }
        sort(&mut hits);
        hits.truncate(most);
        hits
    }

    fn sentence(&self, hit: &Hit) -> &str {
        self.piece(hit.id)
            .and_then(|p| p.sentences.get(hit.sentence))
            .map_or("", |s| s.text.as_str())
    }

    fn hit(&self, query: &Query, piece: &Piece) -> Option<Hit> {
        let total: f64 = query.units.iter().map(|u| u.weight).sum();
        if total <= 0.0 {
            return None;
        }
        let faq = piece
            .aliases
            .iter()
            .chain((piece.chunk.kind == ChunkKind::Faq).then_some(&piece.heading))
            .map(|alias| {
                let sum: f64 = query
                    .units
                    .iter()
                    .map(|u| u.weight * affinity(u, alias, self.tongue))
                    .sum();
                sum / total
            })
            .fold(0.0, f64::max);
        let heading: f64 = query
            .units
            .iter()
            .map(|u| u.weight * affinity(u, &piece.heading, self.tongue))
            .sum();
        let mut best: Option<Hit> = None;
        for (n, sentence) in piece.sentences.iter().enumerate() {
            let sum: f64 = query
                .units
                .iter()
                .map(|u| {
                    let of_kind = match u.kind {
                        Some(kind) if query.kinds.contains(&kind) && sentence.given.gives(kind) => {
                            0.9
                        }
                        _ => 0.0,
                    };
                    u.weight * self.fit(u, piece, &sentence.terms).max(of_kind)
                })
                .sum();
            let kinds = query
                .kinds
                .iter()
                .filter(|k| sentence.given.gives(**k))
                .count();
            let kind = if query.kinds.is_empty() {
                0.0
            } else {
                0.12 * as_f64(kinds) / as_f64(query.kinds.len())
            };
            let label: f64 = query
                .units
                .iter()
                .map(|u| u.weight * affinity(u, &sentence.label, self.tongue))
                .sum();
            let score = (sum / total).max(faq * 0.95)
                + kind
                + 0.08 * (heading.max(label) / total)
                + if piece.chunk.kind == ChunkKind::Faq {
                    0.02
                } else {
                    0.0
                };
            if best.as_ref().is_none_or(|b| score > b.score) {
                best = Some(Hit {
                    id: piece.id,
                    score,
                    sentence: n,
                });
            }
        }
        best.filter(|b| b.score > 0.2)
    }

    fn fit(&self, unit: &Unit, piece: &Piece, sentence: &Terms) -> f64 {
        let t = self.tongue;
        let here = affinity(unit, sentence, t);
        let heading = 0.9 * affinity(unit, &piece.heading, t);
        let above = 0.5 * affinity(unit, &piece.above, t);
        let alias = piece
            .aliases
            .iter()
            .map(|a| affinity(unit, a, t))
            .fold(0.0, f64::max);
        // What stands in another row of a table says nothing of this one.
        let share = if piece.list { 0.2 } else { 0.6 };
        let beside = share * affinity(unit, &piece.whole, t);
        here.max(heading).max(above).max(alias).max(beside)
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

    /// The sentences of a piece.
    #[must_use]
    pub fn sentences(&self, id: i64) -> Vec<&str> {
        self.piece(id)
            .map(|p| p.sentences.iter().map(|s| s.text.as_str()).collect())
            .unwrap_or_default()
    }

    /// How well single sentences of a piece fit, in their order.
    #[must_use]
    pub fn sentence_scores(&self, query: &Query, id: i64) -> Vec<f64> {
        let Some(piece) = self.piece(id) else {
            return Vec::new();
        };
        piece
            .sentences
            .iter()
            .map(|s| {
                let sum: f64 = query
                    .units
                    .iter()
                    .map(|u| u.weight * affinity(u, &s.terms, self.tongue))
                    .sum();
                let kinds = query.kinds.iter().filter(|k| s.given.gives(**k)).count();
                sum + 1.5 * as_f64(kinds)
                    + 0.5 * cosine(&query.grams, &grams(&words::words(&s.text, self.tongue)))
            })
            .collect()
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

    /// A piece.
    #[must_use]
    pub fn chunk(&self, id: i64) -> Option<&DocChunk> {
        self.piece(id).map(|p| &p.chunk)
    }
}

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

fn piece(id: i64, chunk: DocChunk, tongue: Tongue, lexicon: &Lexicon) -> Piece {
    let of = |text: &str| terms(&words::words(text, tongue), lexicon);
    let sentences: Vec<Sentence> = words::sentences(&chunk.body)
        .into_iter()
        .map(|text| {
            let list = words::words(text, tongue);
            let item = is_item(&chunk.body, text);
            let label = text
                .split_once(':')
                .filter(|(head, _)| item && head.split_whitespace().count() <= 6)
                .map(|(head, _)| of(head))
                .unwrap_or_default();
            Sentence {
                text: text.to_owned(),
                terms: terms(&list, lexicon),
                label,
                item,
                given: given::given(text, tongue),
            }
        })
        .collect();
    let items = sentences.iter().filter(|s| s.item).count();
    let faq = chunk.kind == ChunkKind::Faq;
    Piece {
        id,
        heading: of(&chunk.heading),
        above: if faq {
            Terms::default()
        } else {
            of(&chunk.aliases)
        },
        aliases: if faq {
            chunk
                .aliases
                .split(" / ")
                .filter(|a| !a.is_empty())
                .map(of)
                .collect()
        } else {
            Vec::new()
        },
        whole: of(&chunk.body),
        list: items >= 2,
        sentences,
        chunk,
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

/// Whether a sentence of a body is an item of a list.
fn is_item(body: &str, sentence: &str) -> bool {
    let at = (sentence.as_ptr() as usize).saturating_sub(body.as_ptr() as usize);
    let before = body.get(..at).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default().trim();
    line.starts_with(['-', '*', '•'])
}

fn note(map: &mut HashMap<String, Vec<u32>>, stem: &str, n: u32) {
    match map.get_mut(stem) {
        Some(list) if list.last() == Some(&n) => {}
        Some(list) => list.push(n),
        None => {
            map.insert(stem.to_owned(), vec![n]);
        }
    }
}

fn sort(hits: &mut [Hit]) {
    hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
}

/// Whether two words differ by one letter too many, too few, another, or two in the wrong order.
fn one_slip(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.first() != b.first() || b.len() < 5 || a.len().abs_diff(b.len()) > 1 {
        return false;
    }
    let same = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let rest =
        |list: &[char], skip: usize| list.get(same.saturating_add(skip)..).map(<[char]>::to_vec);
    match a.len().cmp(&b.len()) {
        std::cmp::Ordering::Greater => rest(&a, 1) == rest(&b, 0),
        std::cmp::Ordering::Less => rest(&a, 0) == rest(&b, 1),
        std::cmp::Ordering::Equal => {
            let swapped = a.get(same) == b.get(same.saturating_add(1))
                && a.get(same.saturating_add(1)) == b.get(same)
                && rest(&a, 2) == rest(&b, 2);
            swapped || rest(&a, 1) == rest(&b, 1)
        }
    }
}

/// The words and senses of a text.
#[must_use]
fn terms(list: &[Word], lexicon: &Lexicon) -> Terms {
    let mut stems: Vec<String> = Vec::new();
    let mut weak: Vec<String> = Vec::new();
    let mut qualifies = 0_usize;
    for (n, word) in list.iter().enumerate() {
        let (len, _) = lexicon.at(list.get(n..).unwrap_or_default());
        qualifies = qualifies.max(len.saturating_sub(1));
        if qualifies > 0 {
            weak.push(word.stem.clone());
        } else {
            stems.push(word.stem.clone());
        }
        qualifies = qualifies.saturating_sub(1);
    }
    stems.sort_unstable();
    stems.dedup();
    Terms {
        stems,
        weak,
        senses: lexicon.senses(list),
    }
}

/// How well a term is met by a text, 0 to 1.
fn affinity(unit: &Unit, text: &Terms, tongue: Tongue) -> f64 {
    let has = |stem: &String| text.stems.binary_search(stem).is_ok();
    if unit.stems.iter().all(has) {
        return 1.0;
    }
    let of_phrase = |stem: &String| has(stem) || text.weak.contains(stem);
    let all_weak = unit.stems.iter().all(of_phrase);
    if all_weak && (unit.number || unit.stems.len() > 1) {
        return 1.0;
    }
    if unit.number {
        return 0.0;
    }
    if lexicon::meet(&unit.senses, &text.senses) {
        return if lexicon::beside(&unit.senses, &text.senses) {
            0.2
        } else {
            0.9
        };
    }
    if all_weak {
        return 0.5;
    }
    let [stem] = unit.stems.as_slice() else {
        return 0.0;
    };
    if stem.len() < 5 {
        return 0.0;
    }
    let near = text.stems.iter().any(|other| alike(stem, other, tongue));
    if near { 0.75 } else { 0.0 }
}

/// Whether two stems are forms of one word, or one is a part of the other's compound.
fn alike(a: &str, b: &str, tongue: Tongue) -> bool {
    if b.len() < 5 {
        return false;
    }
    if tongue == Tongue::German && (a.contains(b) || b.contains(a)) {
        return true;
    }
    let common = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
    let longer = a.chars().count().max(b.chars().count());
    common >= 5 && common.saturating_mul(4) >= longer.saturating_mul(3)
}

/// Character trigrams of the content words, weighed by their counts.
fn grams(list: &[Word]) -> HashMap<[char; 3], f64> {
    let mut found = HashMap::new();
    for word in list {
        let mut padded = vec!['_'];
        padded.extend(word.form.chars());
        padded.push('_');
        for three in padded.windows(3) {
            if let [a, b, c] = three {
                *found.entry([*a, *b, *c]).or_insert(0.0) += 1.0;
            }
        }
    }
    found
}

fn cosine(a: &HashMap<[char; 3], f64>, b: &HashMap<[char; 3], f64>) -> f64 {
    let dot: f64 = a.iter().filter_map(|(g, x)| b.get(g).map(|y| x * y)).sum();
    let norm = |m: &HashMap<[char; 3], f64>| m.values().map(|x| x * x).sum::<f64>().sqrt();
    let both = norm(a) * norm(b);
    if both > 0.0 { dot / both } else { 0.0 }
}

/// Lossless below 2^32, which counts of pieces are.
pub(super) fn as_f64(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

/// Counts up when [`search_text`] gives other words for the same text: what was indexed by an older
/// version is read anew.
pub const FORM: u32 = 2;

/// The text of a piece as the full-text search sees it: stems with blanks between.
#[must_use]
pub fn search_text(text: &str, tongue: Tongue) -> String {
    let stems: Vec<String> = words::words(text, tongue)
        .into_iter()
        .map(|w| w.stem)
        .collect();
    stems.join(" ")
}
