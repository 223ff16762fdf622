//! What of a body stands in a mail that we sent.
//!
//! Both are read as words: wrapping, quote marks, case and punctuation do not matter, and links
//! are left out, because mail programs rewrite them. A run is a sequence of words that stands in
//! ours in the same order. Only whole lines are taken out, and only in runs that are long enough
//! not to be chance.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::fold;
use super::lines::{Line, Split};
use super::{Kind, attribution, block};

/// Words of a run, and letters and digits in it, below which it may be the person's own.
const MIN_WORDS: usize = 6;
const MIN_LETTERS: usize = 28;
/// Consecutive words by which places are found.
const GRAM: usize = 3;
/// Places in ours that are tried for one such sequence.
const MAX_PLACES: usize = 8;
/// Words of our texts that are compared.
const MAX_OURS: usize = 40_000;
/// Share of an unmarked tail that must be ours for the cut to be sure.
const SURE_SHARE: usize = 80;
/// Words of a line that is taken for an answer between lines of ours.
const MIN_ANSWER_WORDS: usize = 2;

/// Words of ours at the end of a line of the person's own that are split off: some programs
/// write a mail with its quote as one line.
const MIN_TAIL_WORDS: usize = 14;

struct Word {
    hash: u64,
    line: usize,
    letters: usize,
    /// Where it starts in its line.
    at: usize,
}

pub(super) fn subtract(mut split: Split, ours: &[&str]) -> Split {
    let known: Vec<u64> = ours
        .iter()
        .flat_map(|text| fold::plain_words(text))
        .map(|w| hash(&w))
        .take(MAX_OURS)
        .collect();
    if known.len() < MIN_WORDS || split.lines.is_empty() {
        return split;
    }
    let mut words = words_of(&split.lines);
    let mut runs = runs(&words, &known);
    if split_tails(&mut split, &words, &runs) {
        words = words_of(&split.lines);
        runs = self::runs(&words, &known);
    }
    // Lines that are ours as a whole, and how many words of each line are.
    let mine = whole_lines(&split.lines, &words, &runs);
    if !mine.iter().any(|m| *m) {
        return split;
    }
    for (line, mine) in split.lines.iter_mut().zip(&mine) {
        if *mine && matches!(line.kind, Kind::New | Kind::Signature | Kind::Disclaimer) {
            line.kind = Kind::Quoted;
        }
    }
    sparse_ends(&mut split, &mine);
    look_at_tail(&mut split, &mine);
    split.sum_up();
    split
}

fn hash(word: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    word.hash(&mut hasher);
    hasher.finish()
}

fn words_of(lines: &[Line]) -> Vec<Word> {
    let mut words = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        words.extend(fold::plain_words_at(&line.text).map(|(start, w)| Word {
            hash: hash(&w),
            line: at,
            letters: w.chars().count(),
            at: start,
        }));
    }
    words
}

/// Runs of words that stand in ours, as ranges of `words`, the longest at each place.
fn runs(words: &[Word], known: &[u64]) -> Vec<(usize, usize)> {
    let mut places: HashMap<&[u64], Vec<usize>> = HashMap::new();
    for (at, gram) in known.windows(GRAM).enumerate() {
        let list = places.entry(gram).or_default();
        if list.len() < MAX_PLACES {
            list.push(at);
        }
    }
    let hashes: Vec<u64> = words.iter().map(|w| w.hash).collect();
    let mut runs = Vec::new();
    let mut at = 0;
    while let Some(gram) = hashes.get(at..at + GRAM) {
        let longest = places.get(gram).into_iter().flatten().map(|place| {
            let theirs = hashes.get(at..).unwrap_or_default();
            let ours = known.get(*place..).unwrap_or_default();
            theirs.iter().zip(ours).take_while(|(a, b)| a == b).count()
        });
        match longest.max() {
            Some(length) => {
                runs.push((at, at + length));
                at += length;
            }
            None => at += 1,
        }
    }
    runs
}

/// Splits lines in which many words of ours follow the person's, up to their end. Says whether
/// there was one.
fn split_tails(split: &mut Split, words: &[Word], runs: &[(usize, usize)]) -> bool {
    let mut cuts: Vec<(usize, usize)> = Vec::new();
    for (from, to) in runs {
        let (Some(first), Some(last)) = (words.get(*from), words.get(to - 1)) else {
            continue;
        };
        let starts_line = from.checked_sub(1).is_none_or(|n| {
            let before = words.get(n);
            before.is_none_or(|w| w.line != first.line)
        });
        let ends_line = words.get(*to).is_none_or(|w| w.line != last.line);
        let text = split.lines.get(first.line).map_or("", |l| l.text.as_str());
        let before = text.get(..first.at).unwrap_or_default().trim_end();
        // The person's sentence has ended there, or an attribution has.
        let ended = before.ends_with(['.', '!', '?', ':', '>', '-']);
        let one_line = first.line == last.line;
        if !starts_line && ends_line && ended && one_line && to - from >= MIN_TAIL_WORDS {
            cuts.push((first.line, first.at));
        }
    }
    for (line, at) in cuts.iter().rev() {
        let Some(whole) = split.lines.get_mut(*line) else {
            continue;
        };
        let tail = Line {
            text: whole.text.split_off(*at),
            ..whole.clone()
        };
        whole.text.truncate(whole.text.trim_end().len());
        split.lines.insert(line + 1, tail);
        split.unmarked_tail = split
            .unmarked_tail
            .map(|from| from + usize::from(from > *line));
    }
    !cuts.is_empty()
}

/// Which lines lie in a run as a whole. A run that reaches into a line of the person's own ends
/// at the line before.
fn whole_lines(lines: &[Line], words: &[Word], runs: &[(usize, usize)]) -> Vec<bool> {
    let mut mine = vec![false; lines.len()];
    // First and last word of each line.
    let mut bounds: Vec<Option<(usize, usize)>> = vec![None; lines.len()];
    for (i, word) in words.iter().enumerate() {
        if let Some(bound) = bounds.get_mut(word.line) {
            *bound = Some(bound.map_or((i, i + 1), |(from, _)| (from, i + 1)));
        }
    }
    for (from, to) in runs {
        let (Some(first), Some(last)) = (words.get(*from), words.get(to - 1)) else {
            continue;
        };
        let inside: Vec<usize> = (first.line..=last.line)
            .filter(|line| {
                let bound = bounds.get(*line).copied().flatten();
                bound.is_some_and(|(a, b)| a >= *from && b <= *to)
            })
            .collect();
        let (mut count, mut letters) = (0, 0);
        for line in &inside {
            if let Some((a, b)) = bounds.get(*line).copied().flatten() {
                count += b - a;
                letters += words
                    .get(a..b)
                    .unwrap_or_default()
                    .iter()
                    .map(|w| w.letters)
                    .sum::<usize>();
            }
        }
        if count >= MIN_WORDS && letters >= MIN_LETTERS {
            for line in inside {
                if let Some(m) = mine.get_mut(line) {
                    *m = true;
                }
            }
        }
    }
    mine
}

/// Lines without words of their own (links, rules), greetings and closings of one or two words
/// between lines of ours belong to them: they stand in our mail as well.
fn sparse_ends(split: &mut Split, mine: &[bool]) {
    let filled: Vec<usize> = (0..split.lines.len())
        .filter(|i| {
            split
                .lines
                .get(*i)
                .is_some_and(|l| !l.text.trim().is_empty())
        })
        .collect();
    let is_mine = |at: Option<&usize>| at.is_some_and(|i| mine.get(*i).copied().unwrap_or(false));
    let mut more = Vec::new();
    for (n, i) in filled.iter().enumerate() {
        let Some(line) = split.lines.get(*i) else {
            continue;
        };
        if mine.get(*i) == Some(&true) || line.kind != Kind::New {
            continue;
        }
        let words = fold::plain_words(&line.text).count();
        let above = n.checked_sub(1).and_then(|n| filled.get(n));
        let between = is_mine(above) && is_mine(filled.get(n + 1));
        if words == 0 && between {
            more.push(*i);
        }
    }
    for i in more {
        split.mark(i, i + 1, Kind::Quoted);
    }
}

/// The tail below an attribution whose lines nothing marks: with our mail at hand it can be told
/// whether it is that mail, and what the person wrote into it or below it.
fn look_at_tail(split: &mut Split, mine: &[bool]) {
    let Some(from) = first_quoted_tail(split) else {
        return;
    };
    let (mut ours, mut all) = (0, 0);
    let mut strangers: Vec<usize> = Vec::new();
    let (mut first, mut last) = (None, None);
    for (i, line) in split.lines.iter().enumerate().skip(from) {
        let words = fold::plain_words(&line.text).count();
        all += words;
        if mine.get(i) == Some(&true) {
            ours += words;
            first = first.or(Some(i));
            last = Some(i);
        } else if words >= MIN_ANSWER_WORDS && line.kind == Kind::Quoted && !line.marked {
            strangers.push(i);
        }
    }
    let (Some(first), Some(last)) = (first, last) else {
        return;
    };
    // Words between lines of ours are answers that were written into the quote.
    let answers: Vec<usize> = strangers
        .iter()
        .copied()
        .filter(|i| (first..last).contains(i) && !is_machinery(split, *i))
        .collect();
    for i in &answers {
        split.mark(*i, i + 1, Kind::New);
        split.doubt = true;
    }
    split.sum_up();
    if split.is_whole() {
        // Nothing stands above: what stands below our mail is the answer.
        strangers.retain(|i| *i > last && !is_machinery(split, *i));
        for i in strangers {
            split.mark(i, i + 1, Kind::New);
        }
        split.doubt = true;
    } else if answers.is_empty() && ours * 100 >= all * SURE_SHARE {
        split.unmarked_tail = None;
    }
}

/// Where the unmarked end of the body starts: below an attribution, or a quoted header.
fn first_quoted_tail(split: &Split) -> Option<usize> {
    split.unmarked_tail.or_else(|| {
        let unmarked = |l: &Line| l.kind == Kind::Quoted && !l.marked;
        split.lines.iter().position(unmarked)
    })
}

/// A line of a quoted header, an attribution, a separator.
fn is_machinery(split: &Split, at: usize) -> bool {
    let Some(line) = split.lines.get(at) else {
        return true;
    };
    block::field(&line.text).is_some()
        || block::is_separator(&line.text)
        || block::is_rule(&line.text)
        || block::is_dated(&line.text)
        || attribution::may_end(&line.text) && fold::has_address(&line.text)
}

#[cfg(test)]
mod tests;
