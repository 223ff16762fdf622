//! Message-IDs: the canonical form in which they compare, tolerant reading of the headers that
//! list them (RFC 5322 §3.6.4), and our own signed ids. Pure.
//!
//! An own id is `r.<random>.<key id>.<mac>@<domain>`, letters and digits in lower case only: it
//! survives systems that change the case, and its local part alone carries the proof, so that it
//! is still recognised where a provider changed the domain.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::keys::Keys;

/// The longest id that is kept: an RFC 5322 line (§2.1.1).
const MAX_ID_BYTES: usize = 998;
/// The most ids that are taken of one header.
pub const MAX_IDS: usize = 100;
/// What is read of one header, in bytes: 100 long ids.
const MAX_HEADER_BYTES: usize = 128 * 1024;
/// Separates these signatures from other uses of the same keys.
const SIGN_CONTEXT: &[u8] = b"replyd message-id v1\0";
/// 16 bytes in base32.
const PAYLOAD_CHARS: usize = 26;
/// Longer local parts hold no token of ours and no plain UUID.
const MAX_LOCAL_BYTES: usize = 200;
/// The field in which our mails bear their own id once more, for servers that change Message-ID.
pub const OWN_ID_FIELD: &str = "X-Replyd-Id";
/// Marks our ids, so that no HMAC is computed for the others.
const MARK: &str = "r";

/// A Message-ID in canonical form: no angle brackets, no white space, the domain lowered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MsgId(String);

impl MsgId {
    /// One id, with or without brackets. `None` for nothing, for more than 998 bytes and for
    /// what holds a control character.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        let raw = raw.trim();
        // Of `Some words <id@x> more` the bracketed part is the id.
        let inner = match raw.rfind('<').map(|at| raw.split_at(at).1) {
            Some(rest) => {
                let rest = rest.trim_start_matches('<');
                rest.split_once('>').map_or(rest, |(id, _)| id)
            }
            None => raw.trim_end_matches('>'),
        };
        let mut id: String = inner.chars().filter(|c| !c.is_whitespace()).collect();
        if id.is_empty() || id.len() > MAX_ID_BYTES || id.chars().any(char::is_control) {
            return None;
        }
        if let Some(at) = id.rfind('@') {
            let domain = id.split_off(at);
            id.push_str(&domain.to_lowercase());
        }
        (id != "@").then_some(Self(id))
    }

    /// The canonical form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the last `@`.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.0
            .rsplit_once('@')
            .map_or(self.0.as_str(), |(local, _)| local)
    }
}

impl fmt::Display for MsgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The ids of an In-Reply-To or References header, in order: folded, without brackets, with
/// comments, commas or other junk between them. At most [`MAX_IDS`]; of a longer list the first
/// and the last ones are kept, because the ends name the thread and the parent.
#[must_use]
pub fn parse_list(header: &str) -> Vec<MsgId> {
    // The parent stands at the right end.
    let header = tail(header, MAX_HEADER_BYTES);
    let mut ids = bracketed(header);
    if ids.is_empty() {
        ids = bare(header);
    }
    if ids.len() > MAX_IDS {
        ids.drain(1..ids.len() - (MAX_IDS - 1));
    }
    ids
}

/// The last `bytes` bytes of `s` or a little less.
fn tail(s: &str, bytes: usize) -> &str {
    let mut from = s.len().saturating_sub(bytes);
    while !s.is_char_boundary(from) {
        from += 1;
    }
    s.get(from..).unwrap_or_default()
}

/// Ids in angle brackets. White space inside is folding and is dropped; a missing `>` ends at
/// the next `<`; an id in a comment (RFC 5322 §3.2.2) does not count.
fn bracketed(header: &str) -> Vec<MsgId> {
    let mut ids = Vec::new();
    let mut depth = 0_usize;
    let mut rest = header;
    // An unbalanced parenthesis is no comment.
    let comments = header.matches('(').count() == header.matches(')').count();
    while let Some(at) = rest.find(['<', '(', ')']) {
        let (_, found) = rest.split_at(at);
        let mut chars = found.chars();
        let what = chars.next();
        rest = chars.as_str();
        match what {
            Some('(') if comments => depth += 1,
            Some(')') if comments => depth = depth.saturating_sub(1),
            Some('<') => {
                let end = rest.find(['<', '>']).unwrap_or(rest.len());
                let (inner, after) = rest.split_at(end);
                rest = after;
                // Words in brackets are no id.
                let id_like = inner.contains('@') || !inner.trim().contains(char::is_whitespace);
                if depth == 0 && id_like {
                    ids.extend(MsgId::parse(inner));
                }
            }
            _ => {}
        }
    }
    ids
}

/// Words that look like ids, where no brackets are.
fn bare(header: &str) -> Vec<MsgId> {
    header
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
        .map(|w| w.trim_matches(|c: char| matches!(c, '"' | '\'' | '>' | '(' | ')')))
        .filter(|w| {
            w.split_once('@')
                .is_some_and(|(l, d)| !l.is_empty() && !d.is_empty())
        })
        .filter_map(MsgId::parse)
        .collect()
}

/// A new id of ours at `domain`, signed with the current key. `random` must be fresh, or derived
/// from what makes the mail unique.
#[must_use]
pub fn mint(keys: &Keys, domain: &str, random: [u8; 16]) -> MsgId {
    let payload = base32(&random);
    let key_id = keys.current_key_id();
    let mac = signature(keys, &payload, key_id).unwrap_or_default();
    MsgId(format!(
        "{MARK}.{payload}.{key_id}.{mac}@{}",
        domain.to_lowercase()
    ))
}

/// Whether we made this id, with the current key or an old one; the domain does not matter.
#[must_use]
pub fn is_ours(keys: &Keys, id: &MsgId) -> bool {
    own_token(keys, id).is_some()
}

/// What is left of an id where a system on the way changed its domain or its case, and still names
/// one mail: the local part of an id in our form, or a UUID inside it. Empty for other ids: their
/// local parts are not unique. (Whether a token is really ours, [`own_token`] says.)
#[must_use]
pub fn local_key(id: &str) -> String {
    let local = id.rsplit_once('@').map_or(id, |(local, _)| local);
    if local.len() > MAX_LOCAL_BYTES || !local.is_ascii() {
        return String::new();
    }
    let local = local.to_ascii_lowercase();
    let mut parts = local.split('.');
    let ours = parts.next() == Some(MARK) && parts.clone().count() == 3;
    if ours && parts.next().is_some_and(is_payload) {
        return local;
    }
    uuid_in(&local).unwrap_or_default().to_owned()
}

/// The keyed hashes by which a stored message that refers to an id is found when the id becomes
/// known: of the id, and of its [`local_key`], as a system on the way may have changed the rest.
#[must_use]
pub fn ref_hashes(keys: &Keys, id_key: &str) -> Vec<String> {
    let mut hashes = vec![keys.hash(id_key)];
    let local = local_key(id_key);
    if !local.is_empty() {
        // A blank stands in no id: never equal to one.
        hashes.push(keys.hash(&format!("local {local}")));
    }
    hashes
}

/// The random part of an id of ours, which Thread-Index and reply addresses carry too.
#[must_use]
pub fn payload(id: &MsgId) -> Option<&str> {
    let mut parts = id.local_part().split('.');
    let ours = parts.next() == Some(MARK);
    parts.next().filter(|p| ours && is_payload(p))
}

/// Whether `text` has the form of a payload: 16 bytes in base32.
#[must_use]
pub fn is_payload(text: &str) -> bool {
    text.len() == PAYLOAD_CHARS && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'))
}

/// The payload that stands for these bytes.
#[must_use]
pub fn payload_of(bytes: &[u8; 16]) -> String {
    base32(bytes)
}

/// The bytes of a payload.
#[must_use]
pub fn payload_bytes(payload: &str) -> Option<[u8; 16]> {
    let (mut pending, mut bits, mut bytes) = (0_u32, 0_u32, Vec::with_capacity(16));
    for b in payload.bytes() {
        let five = match b {
            b'a'..=b'z' => b - b'a',
            b'2'..=b'7' => b - b'2' + 26,
            _ => return None,
        };
        pending = ((pending << 5) | u32::from(five)) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((pending >> bits).to_le_bytes()[0]);
        }
    }
    bytes.try_into().ok()
}

/// The first UUID (RFC 9562 §4) in a text in lower case.
fn uuid_in(text: &str) -> Option<&str> {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    const LENGTH: usize = 36;
    let is_uuid = |word: &str| {
        let mut groups = word.split('-');
        GROUPS.iter().all(|n| {
            groups.next().is_some_and(|g| {
                g.len() == *n && g.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            })
        })
    };
    (0..=text.len().checked_sub(LENGTH)?)
        .filter_map(|at| text.get(at..at + LENGTH))
        .find(|word| is_uuid(word))
}

/// The signed local part of an id of ours in lower case, `None` for any other id: finds the mail
/// again where a provider changed the domain or the case.
#[must_use]
pub fn own_token(keys: &Keys, id: &MsgId) -> Option<String> {
    let local = id.local_part();
    if local.len() > 64 || !local.is_ascii() {
        return None;
    }
    let local = local.to_ascii_lowercase();
    let mut parts = local.split('.');
    let (mark, payload, key_id, mac) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if mark != MARK || parts.next().is_some() {
        return None;
    }
    let good = signature(keys, payload, key_id)?;
    equal_in_constant_time(good.as_bytes(), mac.as_bytes()).then_some(local)
}

fn signature(keys: &Keys, payload: &str, key_id: &str) -> Option<String> {
    let parts = [SIGN_CONTEXT, key_id.as_bytes(), b".", payload.as_bytes()];
    keys.sign(key_id, &parts).map(|mac| base32(&mac))
}

/// Takes the same time wherever the two differ, so that a signature cannot be guessed byte by
/// byte.
pub(crate) fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && std::hint::black_box(a.iter().zip(b).fold(0, |differ, (x, y)| differ | (x ^ y))) == 0
}

/// RFC 4648 base32 in lower case without padding.
pub(crate) fn base32(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut pending, mut bits) = (0_u32, 0_u32);
    let mut push = |five: u32| {
        if let Some(digit) = DIGITS.get((five & 31) as usize) {
            text.push(char::from(*digit));
        }
    };
    for byte in bytes {
        pending = (pending << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            push(pending >> bits);
        }
        pending &= (1 << bits) - 1;
    }
    if bits > 0 {
        push(pending << (5 - bits));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(header: &str) -> Vec<String> {
        parse_list(header)
            .into_iter()
            .map(|i| i.to_string())
            .collect()
    }

    #[test]
    fn an_id_compares_without_brackets_blanks_and_case_of_the_domain() {
        let canonical = MsgId::parse("<Ab.C@Host.EXAMPLE>").unwrap();
        assert_eq!(canonical.as_str(), "Ab.C@host.example");
        for same in [
            "Ab.C@host.example",
            " <Ab.C@host.example> ",
            "<Ab.C@host.\r\n example>",
            "<<Ab.C@host.example>>",
            "Ab.C@host.example>",
            "Message <Ab.C@host.example> of today",
        ] {
            assert_eq!(MsgId::parse(same).as_ref(), Some(&canonical), "{same:?}");
        }
        assert_ne!(
            MsgId::parse("<ab.c@host.example>").as_ref(),
            Some(&canonical)
        );
        assert_eq!(MsgId::parse("<1234>").unwrap().as_str(), "1234");
    }

    #[test]
    fn a_local_key_names_one_mail_whatever_the_domain() {
        let keys = Keys::for_test(1);
        let ours = mint(&keys, "me.example", [7; 16]);
        let upper = format!("{}@other.example", ours.local_part().to_uppercase());
        assert_eq!(local_key(&upper), ours.local_part());
        let uuid = "0b7f3c2a-11de-4a5b-9c3d-1234567890ab";
        for id in [
            format!("{uuid}@nurturing.local"),
            format!("<x.{}.y@eu-west-1.amazonses.com>", uuid.to_uppercase()),
            uuid.to_owned(),
        ] {
            assert_eq!(local_key(&id), uuid, "{id}");
        }
        for other in ["1234@x", "CAF+abc=x@mail.gmail.com", "", "r.x.y.z@x", "é@x"] {
            assert_eq!(local_key(other), "", "{other}");
        }
    }

    #[test]
    fn a_payload_is_the_random_part_of_our_id_and_turns_back_into_its_bytes() {
        let keys = Keys::for_test(1);
        for random in [[0; 16], [255; 16], *b"0123456789abcdef"] {
            let id = mint(&keys, "me.example", random);
            let payload = payload(&id).unwrap();
            assert_eq!(payload, payload_of(&random));
            assert_eq!(payload_bytes(payload), Some(random));
        }
        assert_eq!(payload(&MsgId::parse("<r.short.a.b@x>").unwrap()), None);
        assert_eq!(payload_bytes("0"), None);
        assert_eq!(payload_bytes("aa"), None);
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for none in [
            "",
            "<>",
            "  ",
            "<\u{0}a@b>",
            "@",
            &format!("<{}@b>", "a".repeat(998)),
        ] {
            assert_eq!(MsgId::parse(none), None, "{none:?}");
        }
        assert!(MsgId::parse(&format!("<{}@b>", "a".repeat(996))).is_some());
    }

    #[test]
    fn lists_are_read_whatever_stands_between_the_ids() {
        for same in [
            "<a@x> <b@y>",
            "<a@x><b@y>",
            "<a@x>,\r\n\t<b@y>",
            "<a@x> (said <no@z> in a comment) <b@y>",
            "<a@x <b@y>",
            "<a@x> <b@\r\n y>",
            "a@x, b@y",
            "a@x b@y>",
            "Your message of \"Mon, 1 Jan\" <a@x> and <b@y>",
            "<a@x> ) <b@y>",
            "<> <a@x> < > <b@y>",
        ] {
            assert_eq!(ids(same), ["a@x", "b@y"], "{same:?}");
        }
        assert!(ids("your mail of today").is_empty());
    }

    #[test]
    fn of_a_long_list_both_ends_are_kept() {
        let long: String = (0..5000).map(|i| format!("<{i}@x> ")).collect();
        let kept = ids(&long);
        assert_eq!(kept.len(), MAX_IDS);
        assert_eq!(kept.last().unwrap(), "4999@x");
        let short: String = (0..500).map(|i| format!("<{i}@x> ")).collect();
        assert_eq!(ids(&short)[0], "0@x");
        let endless = "<".repeat(300_000) + &"é<q@x>".repeat(40_000);
        assert_eq!(ids(&endless).len(), MAX_IDS);
    }

    #[test]
    fn our_ids_are_recognised_whatever_became_of_domain_and_case() {
        let keys = Keys::for_test(7);
        let id = mint(&keys, "Mail.Example", [0xa5; 16]);
        assert!(is_ours(&keys, &id));
        assert!(id.local_part().len() <= 64, "{id}");
        assert!(id.as_str().ends_with("@mail.example"));
        let safe = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.';
        assert!(id.local_part().chars().all(safe), "{id}");
        let moved = MsgId::parse(&format!(
            "<{}@OTHER.example>",
            id.local_part().to_uppercase()
        ));
        assert_eq!(
            own_token(&keys, &moved.unwrap()).as_deref(),
            Some(id.local_part())
        );
    }

    #[test]
    fn forged_and_foreign_ids_are_not_ours() {
        let keys = Keys::for_test(7);
        let id = mint(&keys, "x.example", [1; 16]);
        let local = id.local_part();
        // Each single changed character breaks the signature.
        for at in 0..local.len() {
            let mut forged: Vec<char> = local.chars().collect();
            forged[at] = if forged[at] == 'a' { 'b' } else { 'a' };
            let forged: String = forged.into_iter().collect();
            let forged = MsgId::parse(&format!("{forged}@x.example")).unwrap();
            assert!(!is_ours(&keys, &forged), "{forged}");
        }
        assert!(!is_ours(&Keys::for_test(8), &id));
        for foreign in [
            "r.a.test.@x",
            "r...@x",
            "r.a.test.b.c@x",
            "CAF=x@mail.example",
            "r@x",
        ] {
            assert!(
                !is_ours(&keys, &MsgId::parse(foreign).unwrap()),
                "{foreign}"
            );
        }
    }

    #[test]
    fn base32_is_that_of_rfc_4648() {
        for (plain, text) in [
            ("", ""),
            ("f", "my"),
            ("fo", "mzxq"),
            ("foo", "mzxw6"),
            ("foob", "mzxw6yq"),
            ("fooba", "mzxw6ytb"),
            ("foobar", "mzxw6ytboi"),
        ] {
            assert_eq!(base32(plain.as_bytes()), text);
        }
    }
}
