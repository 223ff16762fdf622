//! The second retriever: how much of a question each sentence of the documents covers, every
//! term weighed by how rare it is there, by words, synonyms, headings and character grams.
//!
//! The full-text search (`store::documents`) ranks whole pieces by BM25. The two look at
//! different things, and an answer is sent only where both name the same piece first.

use std::collections::HashMap;

use super::given::{self, Given};
use super::kind::{self, Kind};
use super::lexicon::{self, Lexicon, Sense};
use super::stop;
use super::words::{self, Tongue, Word};
use crate::model::{ChunkKind, DocChunk};

/// Terms of one question.
const MAX_UNITS: usize = 24;
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
    grams: HashMap<[char; 3], f64>,
    given: Given,
}

#[derive(Debug)]
struct Piece {
    id: i64,
    chunk: DocChunk,
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
        let pieces = chunks
            .into_iter()
            .map(|(id, chunk)| piece(id, chunk, tongue, &lexicon))
            .collect();
        Self {
            tongue,
            lexicon,
            pieces,
        }
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
        let list = words::words(text, self.tongue);
        let mut units = Vec::new();
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
            let stems: Vec<String> = taken.iter().map(|w| w.stem.clone()).collect();
            let light = (len <= 1 && stop::is_light(&first.stem, self.tongue))
                || self.lexicon.is_light(&senses);
            if !units.iter().any(|u: &Unit| u.stems == stems) {
                units.push(Unit {
                    number: len <= 1 && first.number,
                    light,
                    kind: kind::word(&stems.join(" ")),
                    stems,
                    senses,
                    weight: 0.0,
                });
            }
            at = at.saturating_add(len.max(1));
        }
        let mut query = Query {
            units,
            kinds: kind::asked(text, self.tongue),
            counted: None,
            grams: grams(&list),
        };
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

    fn weigh(&self, query: &mut Query) {
        let n = as_f64(self.pieces.len()) + 1.0;
        for unit in &mut query.units {
            let df = self
                .pieces
                .iter()
                .filter(|p| {
                    affinity(unit, &p.whole, self.tongue) >= 0.7
                        || affinity(unit, &p.heading, self.tongue) >= 0.7
                })
                .count();
            let mut weight = (1.0 + n / (as_f64(df) + 0.5)).ln();
            if unit.light {
                weight *= if df == 0 { 0.25 } else { 0.4 };
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
                stems.extend(more.into_iter().map(str::to_owned));
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
        let mut hits: Vec<Hit> = self
            .pieces
            .iter()
            .filter_map(|p| self.hit(query, p))
            .collect();
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
        hits.truncate(most);
        hits
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
            let score = (sum / total).max(faq * 0.95)
                + kind
                + 0.10 * cosine(&query.grams, &sentence.grams)
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
        let beside = 0.6 * affinity(unit, &piece.whole, t);
        here.max(heading).max(above).max(alias).max(beside)
    }

    /// How much of a question a text of a piece covers, 0 to 1, together with its heading; the
    /// terms that it lacks; and what the text gives.
    #[must_use]
    pub fn cover(&self, query: &Query, id: i64, quote: &str) -> Cover {
        let Some(piece) = self.pieces.iter().find(|p| p.id == id) else {
            return Cover::default();
        };
        let list = words::words(quote, self.tongue);
        let terms = terms(&list, &self.lexicon);
        let total: f64 = query.units.iter().map(|u| u.weight).sum();
        let mut cover = Cover::default();
        let given = words::sentences(quote)
            .into_iter()
            .map(|s| given::given(s, self.tongue))
            .fold(Given::default(), Given::and);
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
            let fit = affinity(unit, &terms, self.tongue)
                .max(0.95 * affinity(unit, &piece.heading, self.tongue))
                .max(alias)
                .max(of_kind);
            sum += unit.weight * fit;
            if fit < 0.6 {
                if unit.number {
                    cover.number_missing = true;
                }
                if !unit.light {
                    cover.missing.push(unit.stems.join(" "));
                }
            }
        }
        cover.share = if total > 0.0 { sum / total } else { 0.0 };
        cover.kinds = query.kinds.iter().all(|k| given.gives(*k));
        if let Some(counted) = &query.counted {
            cover.kinds &= self.counts(counted, quote);
        }
        cover
    }

    /// Whether a number stands with what is counted: within four words of it, and no price.
    fn counts(&self, counted: &Unit, quote: &str) -> bool {
        words::sentences(quote).into_iter().any(|sentence| {
            let list = words::words(sentence, self.tongue);
            let at = |n: usize| {
                let here = terms(list.get(n..=n).unwrap_or_default(), &self.lexicon);
                affinity(counted, &here, self.tongue) >= 0.7
            };
            let nouns: Vec<usize> = (0..list.len()).filter(|n| at(*n)).collect();
            list.iter().enumerate().any(|(n, word)| {
                let money = list
                    .get(n.saturating_add(1))
                    .is_some_and(|next| kind::is_currency(&next.form))
                    || sentence.contains(['€', '$', '£']);
                word.number && !money && nouns.iter().any(|noun| noun.abs_diff(n) <= 4)
            })
        })
    }

    /// The sentences of a piece.
    #[must_use]
    pub fn sentences(&self, id: i64) -> Vec<&str> {
        self.pieces
            .iter()
            .find(|p| p.id == id)
            .map(|p| p.sentences.iter().map(|s| s.text.as_str()).collect())
            .unwrap_or_default()
    }

    /// How well single sentences of a piece fit, in their order.
    #[must_use]
    pub fn sentence_scores(&self, query: &Query, id: i64) -> Vec<f64> {
        let Some(piece) = self.pieces.iter().find(|p| p.id == id) else {
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
                sum + 1.5 * as_f64(kinds) + 0.5 * cosine(&query.grams, &s.grams)
            })
            .collect()
    }

    /// A piece.
    #[must_use]
    pub fn chunk(&self, id: i64) -> Option<&DocChunk> {
        self.pieces.iter().find(|p| p.id == id).map(|p| &p.chunk)
    }
}

/// What a text has of a question.
#[derive(Clone, Debug, Default)]
pub struct Cover {
    /// Weighed share of its terms, 0 to 1.
    pub share: f64,
    /// Terms that it lacks.
    pub missing: Vec<String>,
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
            Sentence {
                text: text.to_owned(),
                terms: terms(&list, lexicon),
                grams: grams(&list),
                given: given::given(text, tongue),
            }
        })
        .collect();
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
        sentences,
        chunk,
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
        return 0.9;
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

/// The text of a piece as the full-text search sees it: stems with blanks between.
#[must_use]
pub fn search_text(text: &str, tongue: Tongue) -> String {
    let stems: Vec<String> = words::words(text, tongue)
        .into_iter()
        .map(|w| w.stem)
        .collect();
    stems.join(" ")
}
