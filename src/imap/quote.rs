//! Strings on their way to the server, and quoted strings on their way back.

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

/// A mailbox name in modified UTF-7 (RFC 3501 §5.1.3), as a quoted string.
pub(super) fn mailbox(name: &str) -> String {
    quoted(&modified_utf7(name))
}

/// A quoted string; the caller makes sure that `s` is printable ASCII ([`can_be_quoted`]).
pub(super) fn quoted(s: &str) -> String {
    let mut out = String::with_capacity(s.len().saturating_add(2));
    out.push('"');
    for c in s.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// Whether `s` may stand in a quoted string: no control characters and 7 bit (RFC 3501 §9).
pub(super) fn can_be_quoted(s: &str) -> bool {
    s.bytes().all(|b| matches!(b, 0x20..=0x7e))
}

/// What a quoted string stands for: imap-proto leaves the backslashes in.
pub(super) fn unescape(quoted: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(quoted.len());
    let mut bytes = quoted.iter();
    while let Some(b) = bytes.next() {
        match b {
            b'\\' => out.extend(bytes.next()),
            b => out.push(*b),
        }
    }
    out
}

fn modified_utf7(name: &str) -> String {
    // Padding is not written; "," stands for "/".
    let engine = GeneralPurpose::new(
        &IMAP_MUTF7,
        GeneralPurposeConfig::new().with_encode_padding(false),
    );
    let mut out = String::with_capacity(name.len());
    let mut shifted: Vec<u8> = Vec::new();
    let unshift = |out: &mut String, shifted: &mut Vec<u8>| {
        if !shifted.is_empty() {
            out.push('&');
            engine.encode_string(&shifted, out);
            out.push('-');
            shifted.clear();
        }
    };
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            unshift(&mut out, &mut shifted);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            let mut units = [0_u16; 2];
            for unit in c.encode_utf16(&mut units) {
                shifted.extend_from_slice(&unit.to_be_bytes());
            }
        }
    }
    unshift(&mut out, &mut shifted);
    out
}

/// The name that modified UTF-7 stands for; none when it is not valid, or would not come out the
/// same again: such a mailbox could not be opened by its name.
pub(super) fn from_modified_utf7(sent: &str) -> Option<String> {
    let engine = GeneralPurpose::new(
        &IMAP_MUTF7,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone),
    );
    let mut name = String::with_capacity(sent.len());
    let mut rest = sent;
    while let Some((plain, shifted)) = rest.split_once('&') {
        name.push_str(plain);
        let (text, after) = shifted.split_once('-')?;
        if text.is_empty() {
            name.push('&');
        } else {
            let bytes = engine.decode(text).ok()?;
            let units: Vec<u16> = bytes
                .chunks(2)
                .map(|pair| Some(u16::from_be_bytes([*pair.first()?, *pair.get(1)?])))
                .collect::<Option<_>>()?;
            name.push_str(&String::from_utf16(&units).ok()?);
        }
        rest = after;
    }
    name.push_str(rest);
    (modified_utf7(&name) == sent).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailbox_names_go_out_in_modified_utf7_and_quoted() {
        for (name, sent) in [
            ("INBOX", "\"INBOX\""),
            ("Entwürfe", "\"Entw&APw-rfe\""),
            // RFC 3501 §5.1.3's own example.
            (
                "~peter/mail/台北/日本語",
                "\"~peter/mail/&U,BTFw-/&ZeVnLIqe-\"",
            ),
            ("Tom & Ann", "\"Tom &- Ann\""),
            ("a\"b\\c", "\"a\\\"b\\\\c\""),
            ("x\r\ny", "\"x&AA0ACg-y\""),
            ("😀", "\"&2D3eAA-\""),
        ] {
            assert_eq!(mailbox(name), sent, "{name}");
        }
    }

    #[test]
    fn mailbox_names_come_back_from_modified_utf7_or_not_at_all() {
        for name in [
            "INBOX",
            "Entwürfe",
            "台北/日本語",
            "Tom & Ann",
            "😀",
            "Отправленные",
        ] {
            let sent = modified_utf7(name);
            assert_eq!(from_modified_utf7(&sent).as_deref(), Some(name), "{sent}");
        }
        // Broken, not canonical, half a surrogate pair, bare 8 bit.
        for sent in [
            "a&b",
            "&AGE-",
            "&2D0-",
            "&U,BTF-",
            "&*-",
            "Entwürfe",
            "&-&AP",
        ] {
            assert_eq!(from_modified_utf7(sent), None, "{sent}");
        }
    }

    #[test]
    fn quoted_strings_come_back_as_they_were() {
        assert_eq!(unescape(br#"Hi \"x\" \\ y"#), br#"Hi "x" \ y"#);
        assert_eq!(unescape(b"ends in \\"), b"ends in ");
    }
}
