//! Whom a referral names: name, address, phone, as the text says them. For people: replyd never
//! writes to them by itself. Pure.

use std::fmt;

use serde::Serialize;

use crate::mime::bare_address;
use crate::model::address_key;
use crate::nature::Notice;

/// What of a text is read.
const MAX_CHARS: usize = 4_000;
/// Digits of a phone number (E.164: at most 15).
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// A new contact, as written: at least one of the three is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Contact {
    /// The name.
    pub name: Option<String>,
    /// The address.
    pub address: Option<String>,
    /// The phone number.
    pub phone: Option<String>,
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address.as_ref().map(|a| match self.name {
            Some(_) => format!("<{a}>"),
            None => a.clone(),
        });
        let who: Vec<String> = self.name.clone().into_iter().chain(address).collect();
        let mut parts = vec![who.join(" ")];
        parts.extend(self.phone.clone());
        parts.retain(|p| !p.is_empty());
        f.write_str(&parts.join(", "))
    }
}

/// The contact that a text names; `own` are addresses that are no new ones: the lead's, the
/// sender's, ours.
#[must_use]
pub fn named(text: &str, own: &[&str]) -> Option<Contact> {
    let text: String = text.chars().take(MAX_CHARS).collect();
    let stand_in = Notice {
        subject: "",
        text: &text,
        received: None,
        country: "",
        own: own.to_vec(),
    }
    .read()
    .stand_in;
    let known: Vec<String> = own.iter().map(|a| address_key(a)).collect();
    let address = text
        .split_whitespace()
        .map(|w| w.trim_start_matches("mailto:"))
        .map(|w| w.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter_map(bare_address)
        .find(|a| !known.contains(&address_key(a)));
    let found = stand_in.unwrap_or(crate::nature::StandIn {
        name: None,
        address: None,
    });
    let contact = Contact {
        name: found
            .name
            .or_else(|| before_address(&text, address.as_deref())),
        address: address.or(found.address),
        phone: phone(&text),
    };
    (contact != Contact::default()).then_some(contact)
}

/// `Tim Bell (tim@x.example)`, `Tim Bell <tim@x.example>`, `Tim Bell, tim@x.example`.
fn before_address(text: &str, address: Option<&str>) -> Option<String> {
    let (before, _) = text.split_once(address?)?;
    let line = before.lines().last()?;
    let line = line.trim_end_matches(['<', '(', '[', ',', ':', ' ', '-']);
    let mut words: Vec<&str> = Vec::new();
    for word in line.split_whitespace().rev() {
        let is_name = word.chars().next().is_some_and(char::is_uppercase)
            && word
                .chars()
                .all(|c| c.is_alphabetic() || matches!(c, '-' | '\'' | '.'))
            && !word.ends_with('.');
        if !is_name || words.len() == 3 {
            break;
        }
        words.push(word);
    }
    words.reverse();
    (words.len() > 1).then(|| words.join(" "))
}

/// The first run of digits that is written as a phone number.
fn phone(text: &str) -> Option<String> {
    let part = |c: char| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '/' | '(' | ')' | '.');
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit() || c == '+') {
        let run = rest.get(start..).unwrap_or_default();
        let end = run.find(|c: char| !part(c)).unwrap_or(run.len());
        let written = run
            .get(..end)
            .unwrap_or_default()
            .trim_end_matches(|c: char| !c.is_ascii_digit());
        let digits: String = written.chars().filter(char::is_ascii_digit).collect();
        let before = rest.get(..start).unwrap_or_default().to_lowercase();
        let cue = before
            .split(|c: char| !c.is_alphabetic())
            .rev()
            .take(4)
            .any(|w| CUES.contains(&w));
        // `12.05.2026` and `250.000` are no numbers of a phone.
        let like_one = written.starts_with('+') || digits.starts_with('0') || cue;
        let in_word = before.ends_with(|c: char| c.is_alphabetic() || matches!(c, '@' | '_'));
        if like_one && !in_word && PHONE_DIGITS.contains(&digits.len()) {
            return Some(written.trim().to_owned());
        }
        rest = run.get(written.len().max(1)..).unwrap_or_default();
    }
    None
}

/// Words before a phone number; lowered.
const CUES: &[&str] = &[
    "phone",
    "tel",
    "telephone",
    "mobile",
    "cell",
    "call",
    "number",
    "whatsapp",
    "ring",
    "telefon",
    "handy",
    "nummer",
    "mobil",
    "unter",
    "telephone",
    "portable",
    "numero",
    "appelez",
    "telefono",
    "teléfono",
    "móvil",
    "movil",
    "número",
    "telefone",
    "telemóvel",
    "cellulare",
    "mobiel",
    "bel",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        named(text, &["lead@x.example", "sales@example.com"])
            .map_or_else(String::new, |c| c.to_string())
    }

    #[test]
    fn name_address_and_phone_are_taken_as_they_are_written() {
        for (text, want) in [
            (
                "My son wants to see the flat, write to him at tim@example.org.",
                "tim@example.org",
            ),
            (
                "Please contact Jane Doe (jane.doe@x.example), +49 170 1234567.",
                "Jane Doe <jane.doe@x.example>, +49 170 1234567",
            ),
            (
                "You should write to Ana Ruiz <ana@x.example> instead.",
                "Ana Ruiz <ana@x.example>",
            ),
            ("Call my wife on 0171 234 56 78.", "0171 234 56 78"),
            (
                "Her phone number is (555) 010-9988, she decides.",
                "555) 010-9988",
            ),
            (
                "Bitte wenden Sie sich an Frau Petra Müller, petra@firma.example",
                "Petra Müller <petra@firma.example>",
            ),
        ] {
            assert_eq!(shown(text), want, "{text}");
        }
    }

    #[test]
    fn what_is_known_or_no_contact_is_none() {
        for text in [
            "I am not the right person.",
            "Write to me at lead@x.example as before.",
            "The price was 250.000 on 12.05.2026.",
            "We pay 1,250,000 for it.",
            "",
        ] {
            assert_eq!(shown(text), "", "{text}");
        }
    }
}
