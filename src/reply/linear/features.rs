//! A reply as numbers: hashed word 1-2-grams and character 2-4-grams of the folded text, and
//! named signs (rule hits, shape, context) beside them. What stands here is part of the weights'
//! meaning: a change needs a new [`super::weights::FORMAT`].

/// Buckets of the hashed n-grams.
pub const BUCKETS: usize = 1 << 15;
/// Longest word that is looked at, in bytes; encoded junk is cut.
const MAX_WORD: usize = 40;

/// One reply as the model sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Buckets of word n-grams, each once, in the order of the text.
    pub words: Vec<u32>,
    /// Buckets of character n-grams, each once, in the order of the text.
    pub chars: Vec<u32>,
    /// Names of signs, each once.
    pub signs: Vec<String>,
}

/// A set of buckets.
struct Seen(Vec<u64>);

impl Seen {
    fn new() -> Self {
        Self(vec![0; BUCKETS / 64])
    }

    /// Adds the bucket of a hash to `list` when it is new.
    fn add(&mut self, hash: u32, list: &mut Vec<u32>) {
        // The high bits of FNV are the better mixed ones.
        let mixed = hash ^ (hash >> 15);
        let bucket = mixed % (BUCKETS as u32);
        if let Some(word) = self.0.get_mut((bucket / 64) as usize) {
            let bit = 1_u64 << (bucket % 64);
            if *word & bit == 0 {
                *word |= bit;
                list.push(bucket);
            }
        }
    }
}

/// FNV-1a over several pieces.
fn hash(kind: u8, pieces: &[&[u8]]) -> u32 {
    let mut h: u32 = 0x811c_9dc5 ^ u32::from(kind);
    for piece in pieces {
        for byte in *piece {
            h = (h ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
        h = (h ^ 0xff).wrapping_mul(0x0100_0193);
    }
    h
}

/// The words of a folded text: runs of letters and apostrophes, digits as `0`, an address as
/// `@`, a question mark as a word of its own.
fn words(folded: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for raw in folded.split_whitespace() {
        if raw.contains('@') && raw.contains('.') {
            out.push("@".into());
            continue;
        }
        if raw.starts_with("http") || raw.starts_with("www.") {
            out.push("://".into());
            continue;
        }
        let mut word = String::new();
        for c in raw.chars() {
            let kept = match c {
                '0'..='9' => {
                    if word.ends_with('0') {
                        continue;
                    }
                    Some('0')
                }
                c if c.is_alphanumeric() || c == '\'' => Some(c),
                _ => None,
            };
            if let Some(c) = kept {
                if word.len() < MAX_WORD {
                    word.push(c);
                }
                continue;
            }
            if !word.is_empty() {
                out.push(std::mem::take(&mut word));
            }
            if matches!(c, '?' | '؟' | '¿') {
                out.push("?".into());
            }
        }
        if !word.is_empty() {
            out.push(word);
        }
    }
    out
}

/// The hashed n-grams of a folded text, and its number of words.
pub(super) fn of_text(folded: &str) -> (Features, usize) {
    let words = words(folded);
    let mut f = Features::default();
    let mut seen = Seen::new();
    let mut before: Option<&String> = None;
    for word in &words {
        seen.add(hash(1, &[word.as_bytes()]), &mut f.words);
        let first = before.map_or("^", String::as_str);
        seen.add(hash(2, &[first.as_bytes(), word.as_bytes()]), &mut f.words);
        before = Some(word);
    }
    if let Some(last) = before {
        seen.add(hash(2, &[last.as_bytes(), b"$"]), &mut f.words);
    }
    let mut seen = Seen::new();
    for word in &words {
        let padded: Vec<char> = std::iter::once(' ')
            .chain(word.chars())
            .chain(std::iter::once(' '))
            .collect();
        for n in 2..=4 {
            for gram in padded.windows(n) {
                let text: String = gram.iter().collect();
                seen.add(hash(3, &[text.as_bytes()]), &mut f.chars);
            }
        }
    }
    (f, words.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_gives_the_same_buckets_and_digits_are_alike() {
        let (a, n) = of_text("see it at 10:30?");
        assert_eq!(n, 6);
        assert_eq!(a, of_text("see it at 11:45?").0);
        assert_ne!(a, of_text("see it at noon?").0);
        assert!(
            a.words
                .iter()
                .chain(&a.chars)
                .all(|b| (*b as usize) < BUCKETS)
        );
        assert_eq!(
            words("mail a@b.example or www.x.example, o'clock"),
            ["mail", "@", "or", "://", "o'clock"]
        );
    }

    #[test]
    fn junk_is_bounded() {
        let (f, _) = of_text(&"x".repeat(4_000));
        assert!(f.chars.len() < 10);
        assert_eq!(of_text("").0, Features::default());
    }
}
