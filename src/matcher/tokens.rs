//! Our token where it travels outside of Message-IDs: in Thread-Index (Outlook and Exchange keep
//! its first 22 bytes through a whole conversation, also where they drop References) and in the
//! reply address.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::mime::Mail;
use crate::model::Address;
use crate::msgid::{self, MsgId};
use crate::time::UtcMs;

/// Fields that name the address at which a mail arrived.
const ARRIVED_AT: &[&str] = &[
    "delivered-to",
    "x-original-to",
    "x-delivered-to",
    "envelope-to",
];
/// Stands before the payload in the part after the plus sign.
const MARK: char = 'r';
/// RFC 5321 §4.5.3.1.1.
const MAX_LOCAL_PART: usize = 64;
/// Header block of Thread-Index: one reserved byte, five of time, sixteen of GUID.
const INDEX_BYTES: usize = 22;
/// Longer ones hold answers of a thread that is longer than any.
const MAX_INDEX_CHARS: usize = 4096;
/// 1601-01-01 to 1970-01-01 in milliseconds (FILETIME counts from there).
const FILETIME_EPOCH_MS: i64 = 11_644_473_600_000;

/// The Thread-Index of a mail with this id of ours: its GUID is the id's random part.
#[must_use]
pub fn thread_index(id: &MsgId, at: UtcMs) -> Option<String> {
    let guid = msgid::payload_bytes(msgid::payload(id)?)?;
    let filetime =
        at.0.saturating_add(FILETIME_EPOCH_MS)
            .saturating_mul(10_000);
    let mut bytes = Vec::with_capacity(INDEX_BYTES);
    // The six upper bytes of the time; the first is 1 in our centuries.
    bytes.extend_from_slice(filetime.to_be_bytes().get(..6)?);
    bytes.extend_from_slice(&guid);
    Some(STANDARD.encode(bytes))
}

/// The payload in a mail's Thread-Index, if that has the form of one. Any GUID has: whether it is
/// ours, the lookup says.
pub(super) fn of_thread_index(mail: &Mail) -> Option<String> {
    let text: String = mail
        .header("thread-index")?
        .chars()
        .filter(|c| !c.is_whitespace())
        .take(MAX_INDEX_CHARS)
        .collect();
    // The child blocks may be cut or broken: only the first 22 bytes count (32 characters hold 24).
    let head = text.get(..text.len().min(32) / 4 * 4)?;
    let bytes = STANDARD.decode(head).ok()?;
    let guid: [u8; 16] = bytes.get(6..INDEX_BYTES)?.try_into().ok()?;
    Some(msgid::payload_of(&guid))
}

/// The address for Reply-To that leads an answer back to the mail with this id: `user` with the
/// id's random part behind a plus sign (RFC 5233). None when it would be too long.
#[must_use]
pub fn reply_address(address: &str, id: &MsgId) -> Option<String> {
    reply_address_with(address, msgid::payload(id)?)
}

/// The same for a random part alone.
#[must_use]
pub fn reply_address_with(address: &str, payload: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    let local = format!("{local}+{MARK}{payload}");
    (local.len() <= MAX_LOCAL_PART).then(|| format!("{local}@{domain}"))
}

/// Fields of a returned mail that hold the id which we gave it, where its Message-ID is another:
/// our own one, and the one in which Exchange keeps what it replaced.
const OWN_ID_FIELDS: &[&str] = &["x-replyd-id", "x-microsoft-original-message-id"];

/// Ids that a returned mail had from us, though another stands in its Message-ID.
pub(super) fn of_returned_header(mail: &Mail) -> Vec<MsgId> {
    let named = |name: &&str| mail.embedded_headers.iter().find(move |(n, _)| n == name);
    OWN_ID_FIELDS
        .iter()
        .filter_map(named)
        .filter_map(|(_, value)| MsgId::parse(value))
        .collect()
}

/// The Message-ID of a returned mail, as it was on its way.
pub(super) fn returned_id(mail: &Mail) -> Option<MsgId> {
    let mut fields = mail.embedded_headers.iter();
    MsgId::parse(&fields.find(|(name, _)| name == "message-id")?.1)
}

/// Payloads in the addresses at which a mail arrived, each once, at most 10.
#[must_use]
pub fn of_addresses(mail: &Mail) -> Vec<String> {
    let listed = mail
        .to
        .iter()
        .chain(&mail.cc)
        .map(|a: &Address| a.addr.as_str());
    let arrived = mail
        .headers
        .iter()
        .filter(|(name, _)| ARRIVED_AT.contains(&name.as_str()))
        .map(|(_, value)| value.as_str());
    let mut found: Vec<String> = Vec::new();
    for address in listed.chain(arrived) {
        if let Some(payload) = of_address(address)
            && !found.contains(&payload)
            && found.len() < 10
        {
            found.push(payload);
        }
    }
    found
}

fn of_address(address: &str) -> Option<String> {
    let address = address.trim().trim_start_matches('<').trim_end_matches('>');
    let (local, _) = address.rsplit_once('@')?;
    let (_, detail) = local.rsplit_once('+')?;
    let payload = detail.to_ascii_lowercase();
    let payload = payload.strip_prefix(MARK)?;
    msgid::is_payload(payload).then(|| payload.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Keys;
    use crate::mime;

    fn ours() -> MsgId {
        msgid::mint(&Keys::for_test(1), "me.example", *b"0123456789abcdef")
    }

    #[test]
    fn the_index_of_our_mail_is_found_again_in_the_answer_of_an_answer() {
        let id = ours();
        let index = thread_index(&id, UtcMs(1_767_225_600_000)).unwrap();
        let mut bytes = STANDARD.decode(&index).unwrap();
        assert_eq!(bytes.len(), INDEX_BYTES);
        assert_eq!(bytes[0], 1, "the time is one of our centuries");
        for child in 0..3 {
            let text = STANDARD.encode(&bytes);
            let raw = format!("Thread-Index: {text}\r\n\r\nyes");
            let found = of_thread_index(&mime::parse(raw.as_bytes()));
            assert_eq!(
                found.as_deref(),
                msgid::payload(&id),
                "{child} answers deep"
            );
            bytes.extend_from_slice(&[child, 1, 2, 3, 4]);
        }
    }

    #[test]
    fn broken_indexes_hold_nothing() {
        for value in ["", "AdA=", "!!!!", "é", &"=".repeat(40)] {
            let raw = format!("Thread-Index: {value}\r\n\r\nyes");
            assert_eq!(
                of_thread_index(&mime::parse(raw.as_bytes())),
                None,
                "{value}"
            );
        }
    }

    #[test]
    fn a_reply_address_carries_the_mail_that_it_answers() {
        let id = ours();
        let address = reply_address("Sales@me.example", &id).unwrap();
        assert!(address.starts_with("Sales+r") && address.ends_with("@me.example"));
        for raw in [
            format!("To: {address}\r\n\r\nyes"),
            format!(
                "Cc: x@y.example, \"We\" <{}>\r\n\r\nyes",
                address.to_uppercase()
            ),
            format!("To: other@me.example\r\nDelivered-To: <{address}>\r\n\r\nyes"),
            format!("X-Original-To: {address}\r\n\r\nyes"),
        ] {
            let found = of_addresses(&mime::parse(raw.as_bytes()));
            assert_eq!(found, [msgid::payload(&id).unwrap()], "{raw}");
        }
        let none = mime::parse(b"To: sales+news@me.example, r@x, +r@x\r\n\r\n");
        assert!(of_addresses(&none).is_empty());
        let long = format!("{}@me.example", "a".repeat(40));
        assert_eq!(reply_address(&long, &id), None);
    }
}
