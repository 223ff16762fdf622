//! Finds thousands of phrases in one pass over the words of a text.
//!
//! A pattern is a row of units with a blank between them; a unit is text with `(a|b|)` for
//! alternatives. A word that ends with `*` stands for all words that start so. All patterns
//! together are one automaton over words: its steps depend on what matches, not on how many
//! patterns there are. Of scripts that write no blanks each character is a word.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Stems have at least this many bytes: they are looked up by them.
const STEM_HEAD: usize = 3;
/// Phrases that may be under way at once; the oldest are dropped beyond it.
const MAX_ACTIVE: usize = 256;

/// A word of a text: its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: usize,
    end: usize,
}

/// An occurrence of a pattern in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The number with which the pattern was added.
    pub(super) pattern: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

#[derive(Default)]
struct State {
    /// Word and the state after it.
    next: Vec<(u32, u32)>,
    /// Patterns that end here.
    ends: Vec<u32>,
}

/// A quick hash; the keys are our own constants and words that are looked up in them, so nobody
/// can crowd a bucket of what is stored.
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

type Map<K, V> = HashMap<K, V, BuildHasherDefault<Quick>>;

/// The automaton.
#[derive(Default)]
pub(super) struct Engine {
    words: Map<String, u32>,
    /// By their first bytes: stem and its number as a word.
    stems: Map<[u8; STEM_HEAD], Vec<(String, u32)>>,
    /// From the start state, by word.
    first: Map<u32, Vec<u32>>,
    states: Vec<State>,
    /// Patterns of one word, by word; of [`Engine::finish`].
    singles: Map<u32, Vec<u32>>,
    /// The states after two words: common first words begin hundreds of patterns, and few of
    /// them go on as the text does.
    pairs: Map<(u32, u32), Vec<u32>>,
}

impl Engine {
    /// Adds a pattern, folded by `fold`.
    pub(super) fn add(&mut self, pattern: &str, number: usize, fold: fn(&str) -> String) {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        // `None` is the start, which all patterns share.
        let mut from: Vec<Option<u32>> = vec![None];
        for unit in units(pattern) {
            let mut to: Vec<Option<u32>> = Vec::new();
            let after = self.new_state();
            let mut used = false;
            for alternative in expand(unit) {
                let words = self.words_of(&alternative, fold);
                let Some((last, before)) = words.split_last() else {
                    // It may be left out; but signs alone are no words, and never match.
                    if alternative.trim().is_empty() {
                        to.extend(from.iter().copied());
                    }
                    continue;
                };
                let mut at = from.clone();
                for word in before {
                    let middle = self.new_state();
                    self.link(&at, *word, middle);
                    at = vec![Some(middle)];
                }
                self.link(&at, *last, after);
                used = true;
            }
            if used {
                to.push(Some(after));
            }
            to.dedup();
            from = to;
        }
        for state in from.into_iter().flatten() {
            if let Some(state) = self.states.get_mut(state as usize)
                && !state.ends.contains(&number)
            {
                state.ends.push(number);
            }
        }
    }

    /// Makes what [`Engine::find`] looks up, when all patterns are in.
    pub(super) fn finish(&mut self) {
        for (word, states) in &self.first {
            for state in states {
                let Some(state) = self.states.get(*state as usize) else {
                    continue;
                };
                if !state.ends.is_empty() {
                    self.singles.entry(*word).or_default().extend(&state.ends);
                }
                for (second, after) in &state.next {
                    self.pairs.entry((*word, *second)).or_default().push(*after);
                }
            }
        }
        for states in self.singles.values_mut().chain(self.pairs.values_mut()) {
            states.sort_unstable();
            states.dedup();
        }
        self.first = Map::default();
    }

    fn new_state(&mut self) -> u32 {
        self.states.push(State::default());
        u32::try_from(self.states.len() - 1).unwrap_or(u32::MAX)
    }

    fn link(&mut self, from: &[Option<u32>], word: u32, to: u32) {
        for state in from {
            match state {
                None => self.first.entry(word).or_default().push(to),
                Some(state) => {
                    if let Some(state) = self.states.get_mut(*state as usize) {
                        state.next.push((word, to));
                    }
                }
            }
        }
    }

    /// The words of one alternative, as numbers.
    fn words_of(&mut self, alternative: &str, fold: fn(&str) -> String) -> Vec<u32> {
        let mut numbers = Vec::new();
        for piece in alternative.split_whitespace() {
            let stem = piece.ends_with('*');
            let folded = fold(piece.trim_matches('*'));
            let spans = spans(&folded);
            for (i, span) in spans.iter().enumerate() {
                let word = folded.get(span.start..span.end).unwrap_or_default();
                let last = i + 1 == spans.len();
                numbers.push(self.number_of(word, stem && last));
            }
        }
        numbers
    }

    fn number_of(&mut self, word: &str, stem: bool) -> u32 {
        let next = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        let head = word.as_bytes().first_chunk::<STEM_HEAD>().copied();
        match head {
            Some(head) if stem => {
                let key = format!("{word}*");
                let number = *self.words.entry(key).or_insert(next);
                let stems = self.stems.entry(head).or_default();
                if !stems.iter().any(|(s, _)| s == word) {
                    stems.push((word.to_owned(), number));
                }
                number
            }
            _ => *self.words.entry(word.to_owned()).or_insert(next),
        }
    }

    /// All occurrences of all patterns in a folded text, also overlapping ones.
    pub(super) fn find(&self, folded: &str) -> Vec<Found> {
        let mut found = Vec::new();
        // State and where its phrase started.
        let mut active: Vec<(u32, usize)> = Vec::new();
        let mut following: Vec<(u32, usize)> = Vec::new();
        let (mut numbers, mut before): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        let mut before_start = 0;
        for span in spans(folded) {
            let word = folded.get(span.start..span.end).unwrap_or_default();
            numbers.clear();
            self.numbers_of(word, &mut numbers);
            following.clear();
            for number in &numbers {
                for (state, start) in &active {
                    let next = self.states.get(*state as usize).map(|s| s.next.as_slice());
                    for (word, to) in next.unwrap_or_default() {
                        if word == number {
                            following.push((*to, *start));
                        }
                    }
                }
                for first in &before {
                    let states = self.pairs.get(&(*first, *number));
                    for state in states.map(Vec::as_slice).unwrap_or_default() {
                        following.push((*state, before_start));
                    }
                }
                let singles = self.singles.get(number).map(Vec::as_slice);
                for pattern in singles.unwrap_or_default() {
                    found.push(Found {
                        pattern: *pattern as usize,
                        start: span.start,
                        end: span.end,
                    });
                }
            }
            for (state, start) in &following {
                let ends = self.states.get(*state as usize).map(|s| s.ends.as_slice());
                for pattern in ends.unwrap_or_default() {
                    let one = Found {
                        pattern: *pattern as usize,
                        start: *start,
                        end: span.end,
                    };
                    if found.last() != Some(&one) {
                        found.push(one);
                    }
                }
            }
            if following.len() > MAX_ACTIVE {
                following.drain(..following.len() - MAX_ACTIVE);
            }
            std::mem::swap(&mut active, &mut following);
            std::mem::swap(&mut before, &mut numbers);
            before_start = span.start;
        }
        found
    }

    /// The numbers of a word: its own, and those of the stems that it starts with.
    fn numbers_of(&self, word: &str, numbers: &mut Vec<u32>) {
        numbers.extend(self.words.get(word));
        let head = word.as_bytes().first_chunk::<STEM_HEAD>();
        if let Some(stems) = head.and_then(|head| self.stems.get(head)) {
            let fits = stems
                .iter()
                .filter(|(stem, _)| word.starts_with(stem.as_str()));
            numbers.extend(fits.map(|(_, number)| *number));
        }
    }
}

/// The words of a folded text: letters, digits and `'`; each `@`; each character of a script
/// without blanks.
fn spans(folded: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut open: Option<usize> = None;
    for (at, c) in folded.char_indices() {
        let single = c == '@' || !c.is_ascii() && super::without_blanks(c);
        let in_word = !single && (c.is_alphanumeric() || c == '\'');
        if let Some(start) = open
            && !in_word
        {
            spans.push(Span { start, end: at });
            open = None;
        }
        if single {
            let end = at + c.len_utf8();
            spans.push(Span { start: at, end });
        } else if in_word && open.is_none() {
            open = Some(at);
        }
    }
    if let Some(start) = open {
        spans.push(Span {
            start,
            end: folded.len(),
        });
    }
    spans
}

/// The units of a pattern: what stands between blanks outside of brackets.
fn units(pattern: &str) -> Vec<&str> {
    let mut units = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, c) in pattern.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ' ' if depth == 0 => {
                units.push(pattern.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    units.push(pattern.get(start..).unwrap_or_default());
    units.retain(|u| !u.trim_matches('*').is_empty());
    units
}

/// All texts that a unit with `(a|b|)` stands for. Groups may stand in groups.
pub(super) fn expand(unit: &str) -> Vec<String> {
    let Some(open) = unit.find('(') else {
        return vec![unit.to_owned()];
    };
    let (before, rest) = unit.split_at(open);
    let mut depth = 0_usize;
    let mut cuts = vec![0];
    let mut end = rest.len();
    for (at, c) in rest.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    end = at;
                    break;
                }
            }
            '|' if depth == 1 => cuts.push(at),
            _ => {}
        }
    }
    cuts.push(end);
    let tails = expand(rest.get(end + 1..).unwrap_or_default());
    let mut texts = Vec::new();
    for pair in cuts.windows(2) {
        let [from, to] = pair else { continue };
        let alternative = rest.get(from + 1..*to).unwrap_or_default();
        for middle in expand(alternative) {
            for tail in &tails {
                texts.push(format!("{before}{middle}{tail}"));
            }
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(patterns: &[&str]) -> Engine {
        let mut engine = Engine::default();
        for (number, pattern) in patterns.iter().enumerate() {
            engine.add(pattern, number, str::to_owned);
        }
        engine.finish();
        engine
    }

    fn found<'t>(engine: &Engine, text: &'t str) -> Vec<(usize, &'t str)> {
        let all = engine.find(text).into_iter();
        all.map(|f| (f.pattern, &text[f.start..f.end])).collect()
    }

    #[test]
    fn units_with_alternatives_stand_for_each_of_them() {
        assert_eq!(
            expand("a(b|c (d|e)|)f*"),
            ["abf*", "ac df*", "ac ef*", "af*"]
        );
        assert_eq!(units("(a b|c) d(e|) *"), ["(a b|c)", "d(e|)"]);
    }

    #[test]
    fn phrases_are_found_with_alternatives_stems_and_gaps_in_them() {
        let e = engine(&[
            "out of (the |my |)office",
            "(i am|i'm) away",
            "auto* (reply|response)",
            "不在(です|のため)",
            "office",
        ]);
        assert_eq!(
            found(&e, "i'm away, out of my office."),
            [(1, "i'm away"), (4, "office"), (0, "out of my office")]
        );
        assert_eq!(
            found(&e, "automatic reply; auto response"),
            [(2, "automatic reply"), (2, "auto response")]
        );
        assert_eq!(found(&e, "ただいま不在です"), [(3, "不在です")]);
        assert_eq!(found(&e, "out of our offices"), []);
    }

    #[test]
    fn a_text_of_one_word_for_ever_is_bounded() {
        let e = engine(&["a a a a a a a a b", "a (a |)(a |)(a |)c"]);
        assert!(e.find(&"a ".repeat(20_000)).is_empty());
    }
}
