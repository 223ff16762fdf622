//! Words that people look for: in the lines of conversations, and in names and addresses of leads.

use std::collections::BTreeMap;

use rusqlite::params;

use super::super::{Reader, StoreError};
use crate::model::{Access, CampaignLeadId};

/// Conversations that a search looks at: those with the newest hits.
pub const MOST_HITS: u32 = 500;
/// Words of a search, and characters of each, that count.
const WORDS: usize = 8;
const WORD_CHARS: usize = 40;
/// Around a hit in its excerpt.
const HIT_FROM: char = '\u{2}';
const HIT_TO: char = '\u{3}';

/// Where words were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The words with what is around them; each hit between U+0002 and U+0003.
    pub excerpt: String,
}

/// A search as FTS5 reads it: each word a prefix, all of them wanted; none: no word.
pub(super) fn fts_query(text: &str) -> Option<String> {
    query_of(text, "*")
}

/// With `end` behind each word.
fn query_of(text: &str, end: &str) -> Option<String> {
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(WORDS)
        .map(|word| {
            let word: String = word.chars().take(WORD_CHARS).collect();
            format!("\"{word}\"{end}")
        })
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Splits an excerpt into pieces and whether each is a hit.
#[must_use]
pub fn pieces(excerpt: &str) -> Vec<(bool, String)> {
    let mut pieces = Vec::new();
    for (n, part) in excerpt.split(HIT_FROM).enumerate() {
        let (hit, rest) = match part.split_once(HIT_TO) {
            Some((hit, rest)) if n > 0 => (hit, rest),
            _ => ("", part),
        };
        for (is_hit, text) in [(true, hit), (false, rest)] {
            if !text.is_empty() {
                pieces.push((is_hit, text.to_owned()));
            }
        }
    }
    pieces
}

impl Reader<'_> {
    /// The conversations in which all words stand, in one line of them or in the lead's name and
    /// address; the newest 500 of each. Whole words go before beginnings of words: they are found in
    /// the order of the index, however many there are, where a beginning is looked for in all of it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn search(
        &self,
        text: &str,
        access: &Access,
    ) -> Result<BTreeMap<CampaignLeadId, Option<Hit>>, StoreError> {
        let mut found = BTreeMap::new();
        let Some(query) = fts_query(text) else {
            return Ok(found);
        };
        let list = access.list();
        let mut leads = self.conn.prepare_cached(
            "SELECT cl.id FROM lead_fts f CROSS JOIN campaign_leads cl ON cl.lead_id = f.rowid
             WHERE f.lead_fts MATCH ?1
               AND (?2 IS NULL OR cl.campaign_id IN (SELECT value FROM json_each(?2)))
             ORDER BY f.rowid DESC LIMIT ?3",
        )?;
        let rows = leads.query_map(params![query, list, MOST_HITS], |row| row.get(0))?;
        for id in rows {
            found.insert(CampaignLeadId(id?), None);
        }
        let mut lines = self.conn.prepare_cached(
            "SELECT v.campaign_lead_id, snippet(line_fts, 0, char(2), char(3), '…', 18)
             FROM line_fts CROSS JOIN conversations v ON v.id = line_fts.rowid
             CROSS JOIN campaign_leads cl ON cl.id = v.campaign_lead_id
             WHERE line_fts MATCH ?1
               AND (?2 IS NULL OR cl.campaign_id IN (SELECT value FROM json_each(?2)))
             ORDER BY line_fts.rowid DESC LIMIT ?3",
        )?;
        for query in [query_of(text, ""), Some(query)].into_iter().flatten() {
            let rows = lines.query_map(params![query, list, MOST_HITS], |row| {
                Ok((CampaignLeadId(row.get(0)?), row.get::<_, String>(1)?))
            })?;
            let mut count = 0_u32;
            for row in rows {
                let (id, excerpt) = row?;
                count = count.saturating_add(1);
                // The newest line first: an older one does not take its place.
                found
                    .entry(id)
                    .or_insert(None)
                    .get_or_insert(Hit { excerpt });
            }
            if count >= MOST_HITS {
                break;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_is_never_a_query_language() {
        let query = |text: &str| fts_query(text);
        assert_eq!(
            query("parking fee").as_deref(),
            Some("\"parking\"* \"fee\"*")
        );
        let address = "\"ann\"* \"lead\"* \"example\"*";
        assert_eq!(query("ann@lead.example").as_deref(), Some(address));
        assert_eq!(
            query("a\" OR \"b*) -NOT").as_deref(),
            Some("\"a\"* \"OR\"* \"b\"* \"NOT\"*")
        );
        for nothing in ["", "  ", "\"*()-", "\0"] {
            assert_eq!(query(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn an_excerpt_is_split_at_its_hits() {
        let all = pieces("the \u{2}parking\u{3} fee \u{2}is\u{3}");
        let wanted = [
            (false, "the "),
            (true, "parking"),
            (false, " fee "),
            (true, "is"),
        ];
        assert_eq!(all, wanted.map(|(hit, text)| (hit, text.to_owned())));
        assert_eq!(pieces("plain"), [(false, "plain".to_owned())]);
        assert_eq!(pieces(""), []);
    }
}
