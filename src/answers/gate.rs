//! From a mail's questions to an answer out of the documents, and whether it may be sent
//! without a person: only where every question has one that passes.

use super::rank::{Hit, Index, Query};
use super::split::{self, Part};
use super::strict;
use super::words;
use crate::model::{ChunkKind, Citation};
use crate::reply::fold;

/// Words that an answer quotes at most.
pub const MAX_WORDS: usize = 80;
/// Pieces that an answer quotes at most.
pub const MAX_PIECES: usize = 2;
/// Pieces that are named for a question.
const NEAREST: usize = 3;
/// Pieces of each retriever that are looked at.
pub const DEPTH: usize = 10;
/// Least weighed share of a question's terms that the quoted text has.
const COVER: f64 = 0.75;
/// The same where no word of weight is missing, and the heading or the row has one of them.
const COVER_TITLED: f64 = 0.6;
/// Least weight of the rarest word that an answer rests on: a word that stands in every other
/// passage finds none.
const RARE: f64 = 1.2;
/// Least share of the full-text search's best score that the quoted piece has there.
const AGREES: f64 = 0.85;
/// The same where the heading or the row has a word of the question.
const AGREES_TITLED: f64 = 0.6;
/// The best piece must be this much ahead of the next.
const AHEAD: f64 = 0.06;

/// Words of questions about what changes from day to day: documents cannot know it.
const LIVE: &[&str] = &[
    "left",
    "still available",
    "still free",
    "sold out",
    "so far",
    "remaining",
    "already sold",
    "in stock",
    "any availability",
    "noch frei",
    "noch verfugbar",
    "noch zu haben",
    "ausverkauft",
    "vorratig",
    "discount",
    "negotiable",
    "negotiate",
    "better price",
    "best price",
    "cheaper for me",
    "rabatt",
    "nachlass",
    "verhandeln",
    "preisvorstellung",
    "encore disponible",
    "encore libre",
    "remise",
    "rabais",
    "negociable",
    "baisser le prix",
    "todavia disponible",
    "aun disponible",
    "descuento",
    "rebaja",
    "negociable",
    "ainda disponivel",
    "desconto",
    "negociavel",
    "ancora disponibile",
    "sconto",
    "trattabile",
    "nog beschikbaar",
    "nog vrij",
    "korting",
    "aan de prijs doen",
];

/// Words of questions that ask for a judgement: a person gives it.
const OPINION: &[&str] = &[
    "better",
    "best for",
    "recommend",
    "worse than",
    "compared to",
    "compared with",
    "do you think",
    "would you say",
    "your opinion",
    "worth it",
    "worth the",
    "should i buy",
    "should we buy",
    "should i trust",
    "why should",
    "is it legal",
    "legally",
    "liable",
    "guarantee me",
    "promise",
    "besser als",
    "ihre meinung",
    "lohnt",
    "mieux que",
    "mejor que",
    "melhor que",
    "meglio di",
    "beter dan",
];

/// Words of mails that give orders to a program instead of asking. Quoting the documents would
/// do no harm, but whoever writes so gets a person.
const ORDERS: &[&str] = &[
    "previous instructions",
    "prior instructions",
    "above instructions",
    "all instructions",
    "your instructions",
    "your prompt",
    "system prompt",
    "the prompt",
    "system:",
    "assistant:",
    "you are a helpful",
    "you are an ai",
    "you are a language model",
    "you are now",
    "as an ai",
    "act as",
    "pretend",
    "jailbreak",
    "developer mode",
    "drop table",
    "select * from",
    "vorherigen anweisungen",
    "bisherigen anweisungen",
    "instructions precedentes",
    "instrucciones anteriores",
    "instrucoes anteriores",
    "istruzioni precedenti",
    "vorige instructies",
];

/// What was found for one question.
#[derive(Clone, Debug)]
pub struct PartAnswer {
    /// The question as written.
    pub question: String,
    /// The words that would be sent; empty: none fit.
    pub text: String,
    /// Why it may not be sent; empty: it may.
    pub against: Vec<String>,
    /// The pieces, best first; the first is quoted in `text`.
    pub citations: Vec<Citation>,
    /// Their rows, in the same order.
    pub pieces: Vec<i64>,
}

/// What was found for a mail.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    /// Its questions.
    pub parts: Vec<PartAnswer>,
    /// The words for the mail, of the questions that pass.
    pub text: String,
    /// Why it may not be sent whole; empty: it may.
    pub against: Vec<String>,
}

impl Answered {
    /// Whether all of it may be sent without a person.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.against.is_empty() && !self.parts.is_empty()
    }

    /// Every citation, in order.
    #[must_use]
    pub fn citations(&self) -> Vec<Citation> {
        self.parts
            .iter()
            .flat_map(|p| p.citations.iter().cloned())
            .collect()
    }
}

/// The full-text search: rows of pieces with scores, best first.
pub type Search<'s, E> = &'s dyn Fn(&[String]) -> Result<Vec<(i64, f64)>, E>;

/// Answers the newly written part of a mail.
///
/// # Errors
/// What the full-text search says.
pub fn answer<E>(mail: &str, index: &Index, search: Search<'_, E>) -> Result<Answered, E> {
    let asked = split::split(mail);
    let mut answered = Answered::default();
    let folded = fold::fold(mail);
    if let Some(word) = ORDERS.iter().find(|w| split::says(&folded, w)) {
        answered
            .against
            .push(format!("speaks to the machine: {word}"));
    }
    if asked.parts.is_empty() {
        answered.against.push("no question was found in it".into());
        return Ok(answered);
    }
    if asked.more {
        answered
            .against
            .push(format!("more than {} questions", split::MAX_PARTS));
    }
    if let Some(what) = asked.request {
        answered
            .against
            .push(format!("asks for what no text gives: {what}"));
    }
    let count = asked.parts.len();
    let budget = MAX_WORDS
        .checked_div(count.min(MAX_PIECES))
        .unwrap_or(MAX_WORDS);
    let mut last: Option<String> = None;
    for (n, part) in asked.parts.iter().enumerate() {
        let found = one(
            part,
            last.as_deref(),
            index,
            search,
            budget,
            n.saturating_add(1),
        )?;
        last = Some(part.text.clone());
        if !found.against.is_empty() {
            let number = if count > 1 {
                format!("question {}: ", n.saturating_add(1))
            } else {
                String::new()
            };
            answered
                .against
                .extend(found.against.iter().map(|why| format!("{number}{why}")));
        }
        answered.parts.push(found);
    }
    put_together(&mut answered);
    Ok(answered)
}

/// The text of the questions that pass: each passage once.
fn put_together(answered: &mut Answered) {
    let mut pieces: Vec<i64> = Vec::new();
    let mut texts: Vec<&str> = Vec::new();
    for part in answered.parts.iter().filter(|p| p.against.is_empty()) {
        pieces.extend(part.pieces.first());
        if !texts.contains(&part.text.as_str()) {
            texts.push(&part.text);
        }
    }
    pieces.sort_unstable();
    pieces.dedup();
    let words: usize = texts.iter().map(|t| t.split_whitespace().count()).sum();
    if pieces.len() > MAX_PIECES {
        answered
            .against
            .push(format!("it takes more than {MAX_PIECES} passages"));
    } else if words > MAX_WORDS {
        answered
            .against
            .push(format!("it takes more than {MAX_WORDS} words"));
    }
    answered.text = texts.join("\n\n");
}

fn one<E>(
    part: &Part,
    last: Option<&str>,
    index: &Index,
    search: Search<'_, E>,
    budget: usize,
    number: usize,
) -> Result<PartAnswer, E> {
    let mut query = index.query_in(&part.text, &part.context);
    let mut against = Vec::new();
    let content = |q: &Query| q.units.iter().filter(|u| u.weight > 1.2).count();
    // "How much is that?" is about what was said before it.
    if content(&query) < 2 && split::leans(&part.text, index.tongue()) {
        let before = if part.before.is_empty() {
            last
        } else {
            Some(part.before.as_str())
        };
        if let Some(before) = before {
            query = index.query_in(&part.text, before);
        }
    }
    if query.units.is_empty() {
        against.push("it names nothing to look for".to_owned());
    }
    let ours = index.rank(&query, DEPTH);
    let theirs = by_terms(&query, index, search)?;
    let merged = merge(&ours, &theirs);
    let quote = |id: i64| quote(index, &query, id, budget);
    let citations = merged
        .iter()
        .take(NEAREST)
        .enumerate()
        .filter_map(|(n, (id, score))| {
            let chunk = index.chunk(*id)?;
            Some(Citation {
                part: u32::try_from(number).unwrap_or(u32::MAX),
                question: part.text.clone(),
                used: n == 0,
                file: chunk.file.clone(),
                heading: chunk.heading.clone(),
                line: chunk.line,
                hash: chunk.hash.clone(),
                quote: quote(*id),
                score: *score,
            })
        })
        .collect::<Vec<_>>();
    let text = citations
        .first()
        .map(|c| c.quote.clone())
        .unwrap_or_default();
    if let Some((best, _)) = merged.first() {
        judge(
            &query,
            part,
            index,
            *best,
            &text,
            &ours,
            &theirs,
            &mut against,
        );
    } else {
        against.push("the documents say nothing of it".to_owned());
    }
    let mut citations = citations;
    if !against.is_empty() {
        citations.iter_mut().for_each(|c| c.used = false);
    }
    Ok(PartAnswer {
        question: part.text.clone(),
        text,
        against,
        citations,
        pieces: merged.iter().take(NEAREST).map(|(id, _)| *id).collect(),
    })
}

/// The full-text search, one term at a time: in one search for all a term with many synonyms
/// would count many times.
fn by_terms<E>(query: &Query, index: &Index, search: Search<'_, E>) -> Result<Vec<(i64, f64)>, E> {
    let mut scores: Vec<(i64, f64)> = Vec::new();
    for (stems, weight) in index.search_terms(query) {
        let hits = search(&stems)?;
        let top = hits.first().map_or(1.0, |(_, s)| *s).max(f64::MIN_POSITIVE);
        for (id, score) in hits {
            let share = weight * (score / top).max(0.0);
            match scores.iter_mut().find(|(other, _)| *other == id) {
                Some((_, sum)) => *sum += share,
                None => scores.push((id, share)),
            }
        }
    }
    scores.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    Ok(scores)
}

/// Both rankings as one: ours by its score, the other's by its place.
fn merge(ours: &[Hit], theirs: &[(i64, f64)]) -> Vec<(i64, f64)> {
    let top = theirs
        .first()
        .map_or(1.0, |(_, s)| *s)
        .max(f64::MIN_POSITIVE);
    let mut all: Vec<(i64, f64)> = Vec::new();
    let share = |id: i64| {
        theirs
            .iter()
            .find(|(other, _)| *other == id)
            .map_or(0.0, |(_, s)| s / top)
    };
    for hit in ours {
        all.push((
            hit.id,
            0.7 * (hit.score / 1.2).min(1.0) + 0.3 * share(hit.id),
        ));
    }
    for (id, score) in theirs {
        if !all.iter().any(|(other, _)| other == id) {
            all.push((*id, 0.3 * score / top));
        }
    }
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    all
}

#[expect(
    clippy::too_many_arguments,
    reason = "one decision over all that was found"
)]
fn judge(
    query: &Query,
    part: &Part,
    index: &Index,
    best: i64,
    text: &str,
    ours: &[Hit],
    theirs: &[(i64, f64)],
    against: &mut Vec<String>,
) {
    let folded = fold::fold(&part.text);
    if let Some(word) = LIVE.iter().find(|w| split::says(&folded, w)) {
        against.push(format!("asks for what changes from day to day: {word}"));
    }
    against.extend(strict::beyond(&folded, index.tongue()));
    let written = |stems: &[String]| {
        let all = format!("{} {} {}", part.text, part.context, part.before);
        strict::written(stems, &all, index.tongue())
    };
    let first_ours = ours.first().map(|h| h.id);
    let top = theirs.first().map_or(0.0, |(_, score)| *score);
    let cover = index.cover(query, best, text);
    let least = if cover.titled { AGREES_TITLED } else { AGREES };
    let agrees = theirs
        .iter()
        .find(|(id, _)| *id == best)
        .is_some_and(|(_, score)| *score >= least * top);
    if first_ours != Some(best) || !agrees {
        against.push("the two searches do not agree".to_owned());
    }
    let least = if cover.titled && cover.missing.is_empty() {
        COVER_TITLED
    } else {
        COVER
    };
    if cover.share < least {
        against.push(format!(
            "the passage lacks {} ({:.2} of the question)",
            if cover.missing.is_empty() {
                "too much".to_owned()
            } else {
                written(&cover.missing)
            },
            cover.share
        ));
    }
    if cover.held < 2
        && !cover.titled
        && (cover.held == 0 || (cover.light_missing && query.kinds.is_empty()))
    {
        against.push("the passage has a single word of the question".to_owned());
    }
    if cover.held > 0 && cover.rarest < RARE.min(index.rarest()) {
        against.push("the passage has only common words of the question".to_owned());
    }
    if cover.focus {
        against.push("the passage does not name what is asked for".to_owned());
    }
    let heading = index.chunk(best).map_or("", |c| c.heading.as_str());
    let untaken = strict::untaken(&folded, &format!("{heading}\n{text}"));
    if !untaken.is_empty() {
        against.push(format!("the passage does not say {}", untaken.join(", ")));
    }
    if strict::takes_a_stand(text) && (cover.light_missing || !cover.missing.is_empty()) {
        against.push("a yes or no, and not to every word of the question".to_owned());
    }
    if let Some(word) = OPINION.iter().find(|w| split::says(&folded, w)) {
        against.push(format!("asks for an opinion or advice: {word}"));
    }
    if !cover.elsewhere.is_empty() {
        against.push(format!(
            "another passage is about {}",
            written(&cover.elsewhere)
        ));
    }
    if cover.number_missing {
        against.push("the passage lacks a number of the question".to_owned());
    }
    if !cover.kinds {
        against.push("the passage does not give what is asked for".to_owned());
    }
    if let [a, b, ..] = ours
        && a.score - b.score < AHEAD
    {
        against.push("another passage fits as well".to_owned());
    }
    if text.is_empty() {
        against.push("no passage is short enough".to_owned());
    }
}

/// The words of a piece that are quoted: all of it when it is short, else its best sentence with
/// what stands beside it.
fn quote(index: &Index, query: &Query, id: i64, budget: usize) -> String {
    let Some(chunk) = index.chunk(id) else {
        return String::new();
    };
    let count = |text: &str| text.split_whitespace().count();
    let sentences = index.sentences(id);
    if let Some(items) = index.items(query, id) {
        let lines: Vec<String> = items
            .iter()
            .filter_map(|n| sentences.get(*n))
            .map(|s| s.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        let text = lines.join("\n");
        return if count(&text) <= budget {
            text
        } else {
            String::new()
        };
    }
    if count(&chunk.body) <= budget {
        return plain(&chunk.body);
    }
    let scores = index.sentence_scores(query, id);
    let mut best = 0;
    for (n, score) in scores.iter().enumerate() {
        if *score > scores.get(best).copied().unwrap_or_default() + 1e-9 {
            best = n;
        }
    }
    // A FAQ answer is meant to be read from its beginning.
    if chunk.kind == ChunkKind::Faq {
        best = 0;
    }
    let mut from = best;
    let mut to = best;
    let mut length = sentences.get(best).map_or(0, |s| count(s));
    if length > budget {
        return String::new();
    }
    loop {
        let next = sentences.get(to.saturating_add(1)).map(|s| count(s));
        let before = from
            .checked_sub(1)
            .and_then(|n| sentences.get(n))
            .map(|s| count(s));
        if let Some(more) = next.filter(|m| length.saturating_add(*m) <= budget) {
            to = to.saturating_add(1);
            length = length.saturating_add(more);
        } else if let Some(more) = before.filter(|m| length.saturating_add(*m) <= budget) {
            from = from.saturating_sub(1);
            length = length.saturating_add(more);
        } else {
            break;
        }
    }
    let picked: Vec<String> = sentences
        .get(from..=to)
        .unwrap_or_default()
        .iter()
        .map(|s| s.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    picked.join(" ")
}

/// Lines that go on are one; list items keep their lines.
fn plain(body: &str) -> String {
    let mut out = String::with_capacity(body.len());
    for line in body.lines() {
        let bare = line.trim();
        let item = bare.starts_with(['-', '*', '•']);
        if bare.is_empty() {
            out.push_str("\n\n");
        } else {
            if item && !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            } else if !out.is_empty() && !out.ends_with('\n') {
                out.push(' ');
            }
            out.push_str(bare);
        }
    }
    while out.contains("\n\n\n") {
        out = out.replace("\n\n\n", "\n\n");
    }
    debug_assert!(words::sentences(body).is_empty() || !out.is_empty());
    out.trim().to_owned()
}
