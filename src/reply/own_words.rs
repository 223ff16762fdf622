//! The operator's own words for a person (`reply.person_words`). Pure.

use super::fold::{fold, one_line};

/// Those of the words that stand in the text, as the settings write them. Case and accents do not
/// matter; a word that ends in `*` stands for any ending.
pub(super) fn found(text: &str, words: &[String]) -> Vec<String> {
    if words.is_empty() {
        return Vec::new();
    }
    let text = plain(text);
    words
        .iter()
        .filter(|word| {
            let wanted = plain(word.trim_end_matches('*'));
            let wanted = wanted.trim();
            let open = word.ends_with('*');
            !wanted.is_empty()
                && if open {
                    text.contains(&format!(" {wanted}"))
                } else {
                    text.contains(&format!(" {wanted} "))
                }
        })
        .cloned()
        .collect()
}

/// Folded words with a blank around each.
fn plain(text: &str) -> String {
    let folded: String = fold(text)
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect();
    format!(" {} ", one_line(&folded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_phrases_are_found_whole_or_by_their_start() {
        let words: Vec<String> = ["Escrow", "expert opinion", "Gutacht*"]
            .map(String::from)
            .into();
        for (text, want) in [
            ("Is there an escrow account?", vec!["Escrow"]),
            ("I want an\nexpert opinion, please.", vec!["expert opinion"]),
            (
                "Wir brauchen ein Gutachten. ESCROW!",
                vec!["Escrow", "Gutacht*"],
            ),
            ("escrowing experts have an opinion", vec![]),
        ] {
            assert_eq!(found(text, &words), want, "{text}");
        }
    }
}
