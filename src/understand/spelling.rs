//! How a mail spells the ids that it names: the canonical form has their domain lowered.

use std::collections::HashMap;

use crate::msgid::MsgId;

/// Bytes of the raw mail that are searched.
const MAX_SEARCHED_BYTES: usize = 1024 * 1024;
/// An id with its folding: two lines of RFC 5322 §2.1.1.
const MAX_TOKEN_BYTES: usize = 2 * 998;

/// The spelling of each wanted id that stands in the mail.
#[derive(Debug, Default)]
pub(super) struct Spellings(HashMap<String, Option<String>>);

impl Spellings {
    /// Reads the start of the mail once, however many ids are wanted.
    pub(super) fn of<'i>(raw: &[u8], wanted: impl IntoIterator<Item = &'i MsgId>) -> Self {
        let mut known: HashMap<String, Option<String>> = wanted
            .into_iter()
            .map(|id| (id.as_str().to_owned(), None))
            .collect();
        let mut open = known.len();
        if open == 0 {
            return Self::default();
        }
        let raw = raw.get(..MAX_SEARCHED_BYTES).unwrap_or(raw);
        let mut take = |token: &[u8]| {
            let written: String = String::from_utf8_lossy(token)
                .chars()
                .filter(|c| !c.is_whitespace())
                .collect();
            if let Some(id) = MsgId::parse(&written)
                && let Some(spelling @ None) = known.get_mut(id.as_str())
            {
                *spelling = Some(written);
                open -= 1;
            }
            open > 0
        };
        // In brackets, where folding may stand inside; else as a word.
        let angles = raw.split(|b| matches!(b, b'<' | b'>'));
        let words = raw.split(|b| b.is_ascii_whitespace() || b"<>,;\"'()".contains(b));
        for token in angles.chain(words) {
            let fits = (1..=MAX_TOKEN_BYTES).contains(&token.len());
            if fits && !take(token) {
                break;
            }
        }
        Self(known)
    }

    /// The id as the mail spells it; the canonical form where it does not stand there, because it
    /// is encoded, or lies behind what is searched.
    pub(super) fn get(&self, id: &MsgId) -> String {
        let found = self.0.get(id.as_str()).and_then(Option::as_deref);
        found.unwrap_or(id.as_str()).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(raw: &str, ids: &[&str]) -> Vec<String> {
        let ids: Vec<MsgId> = ids.iter().filter_map(|i| MsgId::parse(i)).collect();
        let spellings = Spellings::of(raw.as_bytes(), &ids);
        ids.iter().map(|id| spellings.get(id)).collect()
    }

    #[test]
    fn an_id_is_given_as_written_folded_or_without_brackets() {
        let raw = "Message-ID: <A.b@Host.EXAMPLE>\r\nIn-Reply-To: Bare@Other.EXAMPLE\r\n\
             References: <first@\r\n X.Example> <Second@Y.Example>\r\n\r\n<deep@In.The.Body>\r\n";
        let ids = ["A.b@host.example", "Bare@other.example", "first@x.example"];
        let more = ["Second@y.example", "deep@in.the.body", "none@z.example"];
        assert_eq!(
            spelled(raw, &ids),
            ["A.b@Host.EXAMPLE", "Bare@Other.EXAMPLE", "first@X.Example"]
        );
        assert_eq!(
            spelled(raw, &more),
            ["Second@Y.Example", "deep@In.The.Body", "none@z.example"]
        );
    }

    #[test]
    fn the_spelling_of_many_ids_that_stand_nowhere_costs_one_reading() {
        // Each place of the body starts like each id, and no id ends.
        let body = "a".repeat(MAX_SEARCHED_BYTES);
        let ids: Vec<String> = (0..100)
            .map(|n| format!("{}{n}@x.example", "a".repeat(900)))
            .collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        // The product of ids, bytes and prefix would run into the deadline of the test runner.
        assert_eq!(spelled(&body, &ids), ids);
    }
}
