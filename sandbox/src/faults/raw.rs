//! Bytes that are known to hurt IMAP clients, for [`Action::Inject`](super::Action::Inject) and
//! [`IdleEvent::Raw`](super::IdleEvent::Raw).

/// A FETCH response with so many opening parentheses and nothing else: overflows the stack of
/// parsers that recurse.
#[must_use]
pub fn nested(depth: usize) -> Vec<u8> {
    let mut bytes = b"* 1 FETCH (BODYSTRUCTURE ".to_vec();
    bytes.resize(bytes.len() + depth, b'(');
    bytes
}

/// Announces a literal of this size and sends none of it.
#[must_use]
pub fn huge_literal(bytes: u64) -> Vec<u8> {
    format!("* 1 FETCH (UID 1 BODY[] {{{bytes}}}\r\n").into_bytes()
}

/// `INTERNALDATE NIL`, which makes imap-proto 0.17 panic.
#[must_use]
pub fn internal_date_nil() -> Vec<u8> {
    b"* 1 FETCH (UID 1 INTERNALDATE NIL)\r\n".to_vec()
}

/// A response code with a non-ASCII letter right behind it, which makes imap-proto 0.17 panic.
#[must_use]
pub fn alert_non_ascii() -> Vec<u8> {
    "* OK [ALERT]é\r\n".as_bytes().to_vec()
}

/// An untagged response that no RFC knows.
#[must_use]
pub fn unknown_response() -> Vec<u8> {
    b"* XSANDBOX (1 2 3)\r\n".to_vec()
}

/// A response of one line that has no end: so many letters and no CRLF.
#[must_use]
pub fn endless_line(bytes: usize) -> Vec<u8> {
    let mut line = b"* OK ".to_vec();
    line.resize(line.len() + bytes, b'x');
    line
}

/// So many untagged `* OK` lines.
#[must_use]
pub fn burst(lines: usize) -> Vec<u8> {
    (1..=lines)
        .flat_map(|n| format!("* OK Notice {n}\r\n").into_bytes())
        .collect()
}

/// So many `* n EXISTS` lines, counting up from `first`.
#[must_use]
pub fn exists_burst(first: u32, lines: u32) -> Vec<u8> {
    (first..first.saturating_add(lines))
        .flat_map(|n| format!("* {n} EXISTS\r\n").into_bytes())
        .collect()
}
