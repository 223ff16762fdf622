//! The signed word by which a List-Unsubscribe mail (RFC 2369 §3.2) tells who wants no more mail.
//! Pure.
//!
//! `List-Unsubscribe: <mailto:sales@example.com?subject=unsubscribe%20u…>`: the lead's mail
//! program sends that subject, mostly without any text. The word is
//! `u<key id><mac><campaign_lead id>`, letters and digits in lower case only, so it survives
//! changes of case, `Re:` prefixes and words around it. The mac also covers the operator's key
//! of the lead: with a restored or newly made database a number that now is another lead's
//! proves nothing.

use crate::keys::Keys;
use crate::model::CampaignLeadId;
use crate::msgid::{base32, equal_in_constant_time};

/// Separates these signatures from other uses of the same keys.
const SIGN_CONTEXT: &[u8] = b"replyd unsubscribe v1\0";
/// Marks our words, so that no HMAC is computed for others.
const MARK: char = 'u';
/// Length of a key's id (`keys`).
const KEY_ID_CHARS: usize = 4;
/// 80 bit of the HMAC.
const MAC_CHARS: usize = 16;
/// Digits of the largest row id.
const MAX_ID_DIGITS: usize = 19;
/// What is read of a subject, in characters, and how many words of it are looked at.
const MAX_SUBJECT_CHARS: usize = 1000;
const MAX_WORDS: usize = 50;

/// A word that has the right form; [`Token::is_ours_for`] says whether it is genuine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    key_id: String,
    mac: String,
    /// Whose conversation it names.
    pub campaign_lead_id: CampaignLeadId,
}

/// The word for this conversation; `lead_id` is the operator's key of the lead.
#[must_use]
pub fn mint(keys: &Keys, campaign_lead_id: CampaignLeadId, lead_id: &str) -> String {
    let key_id = keys.current_key_id();
    let mac = mac(keys, key_id, campaign_lead_id, lead_id).unwrap_or_default();
    format!("{MARK}{key_id}{mac}{campaign_lead_id}")
}

/// The first word of a subject that has the form of ours.
#[must_use]
pub fn find(subject: &str) -> Option<Token> {
    let subject: String = subject
        .chars()
        .take(MAX_SUBJECT_CHARS)
        .collect::<String>()
        .to_ascii_lowercase()
        // Mail programs that do not decode the address's query.
        .replace("%20", " ");
    subject
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.starts_with(MARK))
        .take(MAX_WORDS)
        .find_map(parse)
}

fn parse(word: &str) -> Option<Token> {
    let rest = word.strip_prefix(MARK)?;
    let (key_id, rest) = rest.split_at_checked(KEY_ID_CHARS)?;
    let (mac, id) = rest.split_at_checked(MAC_CHARS)?;
    let digits = !id.is_empty()
        && id.len() <= MAX_ID_DIGITS
        && !id.starts_with('0')
        && id.bytes().all(|b| b.is_ascii_digit());
    digits.then_some(())?;
    Some(Token {
        key_id: key_id.to_owned(),
        mac: mac.to_owned(),
        campaign_lead_id: CampaignLeadId(id.parse().ok()?),
    })
}

impl Token {
    /// Whether we made it, with the current key or an old one, for the lead with this key of the
    /// operator's.
    #[must_use]
    pub fn is_ours_for(&self, keys: &Keys, lead_id: &str) -> bool {
        mac(keys, &self.key_id, self.campaign_lead_id, lead_id)
            .is_some_and(|good| equal_in_constant_time(good.as_bytes(), self.mac.as_bytes()))
    }
}

fn mac(keys: &Keys, key_id: &str, id: CampaignLeadId, lead_id: &str) -> Option<String> {
    let id = id.to_string();
    let parts = [
        SIGN_CONTEXT,
        key_id.as_bytes(),
        b".",
        id.as_bytes(),
        b".",
        lead_id.as_bytes(),
    ];
    let full = base32(&keys.sign(key_id, &parts)?);
    full.get(..MAC_CHARS).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: CampaignLeadId = CampaignLeadId(4711);

    fn token(keys: &Keys) -> String {
        mint(keys, ID, "L-17")
    }

    #[test]
    fn the_word_survives_case_prefixes_and_company() {
        let keys = Keys::for_test(7);
        let word = token(&keys);
        assert!(word.len() <= 40, "{word}");
        assert!(
            word.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        );
        for subject in [
            format!("unsubscribe {word}"),
            format!("Unsubscribe {}", word.to_uppercase()),
            format!("Re: AW: Fwd: unsubscribe {word}"),
            format!("unsubscribe%20{word}"),
            format!("unsubscribe+{word}"),
            format!("[EXTERN] unsubscribe <{word}>."),
            format!("\u{a0}unsubscribe\u{a0}{word}\r\n (sent from my phone)"),
            word.clone(),
        ] {
            let found = find(&subject).unwrap_or_else(|| panic!("{subject}"));
            assert_eq!(found.campaign_lead_id, ID, "{subject}");
            assert!(found.is_ours_for(&keys, "L-17"), "{subject}");
        }
    }

    #[test]
    fn forged_and_foreign_words_are_nothing() {
        let keys = Keys::for_test(7);
        let word = token(&keys);
        // Each single changed character breaks the form or the signature.
        for at in 0..word.len() {
            for with in ['b', '2', '9'] {
                let mut forged: Vec<char> = word.chars().collect();
                if forged[at] == with {
                    continue;
                }
                forged[at] = with;
                let forged: String = forged.into_iter().collect();
                let genuine = find(&forged).is_some_and(|t| t.is_ours_for(&keys, "L-17"));
                assert!(!genuine, "{forged}");
            }
        }
        let found = find(&word).unwrap();
        assert!(!found.is_ours_for(&Keys::for_test(8), "L-17"));
        assert!(!found.is_ours_for(&keys, "L-18"), "another lead's number");
        for nothing in [
            "",
            "unsubscribe",
            "unsubscribe me please from all of your wonderful mails",
            "utestabcdefghijklmnop",
            "utestabcdefghijklmnop0",
            "utestabcdefghijklmnop99999999999999999999",
            "uüüüüüüüüüüüüüüüüüüüüüüüüüüü1",
            &"u".repeat(100_000),
        ] {
            assert_eq!(find(nothing), None, "{nothing}");
        }
    }
}
