//! The second retriever: how much of a question each sentence of the documents covers, every
//! term weighed by how rare it is there, by words, synonyms, headings and character grams.
//!
//! The full-text search (`store::documents`) ranks whole pieces by BM25. The two look at
//! different things, and an answer is sent only where both name the same piece first.

use std::collections::HashMap;

use super::given::{self, Given};
use super::kind::{self, Kind};
use super::lexicon::{Lexicon, Seat, Sense};
use super::stop;
use super::terms::{Terms, affinity, alike, cosine, grams, one_slip, terms};
use super::words::{self, Tongue, Word};
use crate::model::{ChunkKind, DocChunk};

/// Terms of one question.
const MAX_UNITS: usize = 24;
/// Weight of what was said before a question.
const CONTEXT: f64 = 0.25;
/// Stems by which one of them is searched.
const MAX_VARIANTS: usize = 40;

/// A term of a question: a word, or a phrase with a meaning of its own.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The words.
    pub stems: Vec<String>,
    pub(super) senses: Vec<Sense>,
    pub(super) number: bool,
    pub(super) light: bool,
    pub(super) kind: Option<Kind>,
    /// Said before the question proper ("we have just bought an electric car, …").
    pub(super) context: bool,
    /// Pieces that have it.
    pub(super) df: usize,
    /// Set when the index weighs its words.
    pub weight: f64,
}

#[derive(Debug)]
pub(super) struct Sentence {
    pub(super) text: String,
    pub(super) terms: Terms,
    /// Of a list item or table row what stands before its colon: what the line is about.
    pub(super) label: Terms,
    pub(super) item: bool,
    pub(super) given: Given,
}

#[derive(Debug)]
pub(super) struct Piece {
    pub(super) id: i64,
    pub(super) chunk: DocChunk,
    /// Whether it is mostly a list or a table: its items are about different things.
    pub(super) list: bool,
    pub(super) heading: Terms,
    pub(super) above: Terms,
    pub(super) aliases: Vec<Terms>,
    pub(super) sentences: Vec<Sentence>,
    pub(super) whole: Terms,
}

/// A campaign's pieces in one language.
#[derive(Debug)]
pub struct Index {
    pub(super) tongue: Tongue,
    pub(super) lexicon: Lexicon,
    pub(super) pieces: Vec<Piece>,
    pub(super) by_id: HashMap<i64, usize>,
    /// Which pieces have a stem, and which a meaning.
    pub(super) by_stem: HashMap<String, Vec<u32>>,
    pub(super) by_sense: HashMap<Sense, Vec<u32>>,
}

/// A question, read.
#[derive(Clone, Debug)]
pub struct Query {
    /// Its terms.
    pub units: Vec<Unit>,
    /// What has to stand in the answer.
    pub kinds: Vec<Kind>,
    /// The stem of what is counted: "how many yachts".
    pub(super) counted: Option<Unit>,
    /// What is asked for by name: "who is the owner".
    pub(super) focus: Option<Vec<String>>,
    /// Numbers with the words beside them: "two drivers", "phase one".
    pub(super) counts: Vec<(String, Vec<Unit>)>,
    pub(super) grams: HashMap<[char; 3], f64>,
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

    pub(super) fn piece(&self, id: i64) -> Option<&Piece> {
        self.pieces.get(*self.by_id.get(&id)?)
    }

    /// The pieces that may have a term: exactly, by a form of it, or by a synonym.
    pub(super) fn holders(&self, unit: &Unit) -> Vec<u32> {
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

    /// A piece.
    #[must_use]
    pub fn chunk(&self, id: i64) -> Option<&DocChunk> {
        self.piece(id).map(|p| &p.chunk)
    }
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
