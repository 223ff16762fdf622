//! The bodies of parts as text: transfer encoding, charset, and a tidy form.

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;

use super::charset;
use super::tree::{Encoding, Part};

/// What is decoded of one part, before decoding.
const MAX_ENCODED_BYTES: usize = 4 * 1024 * 1024;

/// The bytes of a part, at most about 4 MiB of them.
pub(super) fn bytes(raw: &[u8], part: &Part<'_>) -> Vec<u8> {
    let body = raw.get(part.body.clone()).unwrap_or_default();
    decode(body.get(..MAX_ENCODED_BYTES).unwrap_or(body), part)
}

/// The bytes of a part, all of them.
pub(super) fn all_bytes(raw: &[u8], part: &Part<'_>) -> Vec<u8> {
    decode(raw.get(part.body.clone()).unwrap_or_default(), part)
}

fn decode(body: &[u8], part: &Part<'_>) -> Vec<u8> {
    match part.encoding {
        Encoding::Base64 => decode_base64(body),
        Encoding::QuotedPrintable => decode_quoted_printable(body),
        Encoding::Uuencode => decode_uuencode(body).unwrap_or_else(|| body.to_vec()),
        Encoding::Plain | Encoding::Other => body.to_vec(),
    }
}

/// As much of some bytes as is worth reading as text.
pub(super) fn head(bytes: &[u8]) -> &[u8] {
    bytes.get(..64 * 1024).unwrap_or(bytes)
}

/// The text of a part and what was odd about its charset.
pub(super) fn decoded(raw: &[u8], part: &Part<'_>) -> (String, charset::Oddity) {
    let mut bytes = bytes(raw, part);
    if part
        .charset
        .as_deref()
        .is_some_and(|c| c.eq_ignore_ascii_case("utf-8"))
        && !part.closed
    {
        // Cut in the middle of a character.
        let from = bytes.len().saturating_sub(3);
        if let Some(at) = bytes.iter().skip(from).position(|b| *b >= 0xc0)
            && std::str::from_utf8(bytes.get(from + at..).unwrap_or_default()).is_err()
        {
            bytes.truncate(from + at);
        }
    }
    let named = match (&part.charset, part.mime.as_str()) {
        (None, "text/html") if !bytes.is_ascii() => meta_charset(&bytes),
        _ => None,
    };
    charset::decode(&bytes, part.charset.as_deref().or(named.as_deref()))
}

/// The charset that an HTML page names in itself: `<meta charset=…>`, `content="…; charset=…"`.
fn meta_charset(page: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(page.get(..2048).unwrap_or(page)).to_ascii_lowercase();
    let (_, rest) = head.split_once("<meta")?;
    let (_, value) = rest.split_once("charset")?;
    let value = value.trim_start().strip_prefix('=')?;
    let value = value.trim_start_matches([' ', '"', '\'']);
    let end = value.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'));
    let name = value.get(..end.unwrap_or(value.len()))?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// A file that stands in a plain text as uuencode wrote it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Uuencoded {
    pub(super) name: String,
    /// Decoded size in bytes.
    pub(super) size: usize,
}

/// Takes uuencoded files out of a text.
pub(super) fn without_uuencode(text: String) -> (String, Vec<Uuencoded>) {
    let mut files = Vec::new();
    if !text.contains("begin ") {
        return (text, files);
    }
    let mut kept = String::with_capacity(text.len());
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let begins = line.strip_prefix("begin ").and_then(|rest| {
            let (mode, name) = rest.trim_end().split_once(' ')?;
            let octal = (3..=4).contains(&mode.len()) && mode.bytes().all(|b| b.is_ascii_digit());
            octal.then(|| name.to_owned())
        });
        let first = lines.peek().and_then(|l| uuencoded_len(l));
        let (Some(name), Some(_)) = (begins, first) else {
            kept.push_str(line);
            continue;
        };
        let mut size = 0;
        while let Some(length) = lines.peek().and_then(|l| uuencoded_len(l)) {
            size += length;
            lines.next();
        }
        // The empty line of data and `end`.
        for _ in 0..2 {
            lines.next_if(|l| matches!(l.trim_end(), "`" | "" | "end"));
        }
        files.push(Uuencoded { name, size });
    }
    (kept, files)
}

/// The `nth` file (from 0) that stands in a text as uuencode wrote it, as [`without_uuencode`]
/// counts them.
pub(super) fn uuencoded(text: &[u8], nth: usize) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(text);
    let mut rest = text.as_ref();
    let mut seen = 0;
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(rest.find('\n').map_or(rest.len(), |at| at + 1));
        let begins = line.strip_prefix("begin ").is_some_and(|rest| {
            let mode = rest.trim_end().split_once(' ').map_or("", |(mode, _)| mode);
            (3..=4).contains(&mode.len()) && mode.bytes().all(|b| b.is_ascii_digit())
        });
        if begins && behind.lines().next().and_then(uuencoded_len).is_some() {
            if seen == nth {
                return decode_uuencode(rest.as_bytes());
            }
            seen += 1;
        }
        rest = behind;
    }
    None
}

/// How many bytes a line of uuencode holds, if it is one.
fn uuencoded_len(line: &str) -> Option<usize> {
    let line = line.trim_end_matches(['\r', '\n']).as_bytes();
    let (first, data) = line.split_first()?;
    let length = usize::from(first.checked_sub(32)?);
    let digits = length.div_ceil(3) * 4;
    // Blanks at the end are often lost, and some programs add a check character.
    let fits = data.len() <= digits + 2 && data.len() + 4 >= digits;
    let known = data.iter().all(|b| (32..=96).contains(b));
    ((1..=45).contains(&length) && fits && known).then_some(length)
}

/// A body in uuencode, from its `begin` line on; `None` when there is none.
fn decode_uuencode(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut lines = text
        .lines()
        .skip_while(|l| !l.starts_with("begin "))
        .skip(1);
    let mut out = Vec::new();
    let mut seen = false;
    while let Some((length, line)) = lines.next().and_then(|l| Some((uuencoded_len(l)?, l))) {
        seen = true;
        let digit = |n: usize| {
            let byte = line.as_bytes().get(n + 1).copied().unwrap_or(b' ');
            u32::from(byte.saturating_sub(32) & 63)
        };
        let mut bytes = Vec::with_capacity(length + 2);
        for at in (0..length.div_ceil(3) * 4).step_by(4) {
            let group = digit(at) << 18 | digit(at + 1) << 12 | digit(at + 2) << 6 | digit(at + 3);
            let [_, high, middle, low] = group.to_be_bytes();
            bytes.extend([high, middle, low]);
        }
        bytes.truncate(length);
        out.extend(bytes);
    }
    seen.then_some(out)
}

fn decode_base64(body: &[u8]) -> Vec<u8> {
    if let Some(bytes) = base64_decode(body) {
        return bytes;
    }
    // A mailing list or a scanner may have put its footer below the encoded text.
    let mut out = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (data, behind) = rest.split_at(encoded_end(rest));
        let Some(bytes) = dirty_base64(data) else {
            break;
        };
        out.extend(bytes);
        rest = behind;
    }
    if out.is_empty() {
        return body.to_vec();
    }
    let footer = rest.trim_ascii();
    if !footer.is_empty() {
        out.extend(b"\n\n");
        out.extend(footer);
    }
    out
}

/// Where the encoded text at the start of a body ends: behind its padding, at a blank line, or at
/// a line with words.
fn encoded_end(body: &[u8]) -> usize {
    let (mut at, mut seen) = (0, false);
    while at < body.len() {
        let end = super::header::line_end(body, at);
        let line = body.get(at..end).unwrap_or_default().trim_ascii();
        let words = line.contains(&b' ') || line.iter().all(|b| matches!(b, b'-' | b'_'));
        if seen && line.is_empty() || words && !line.is_empty() {
            break;
        }
        seen |= !line.is_empty();
        at = end;
        if line.ends_with(b"=") {
            break;
        }
    }
    at
}

/// RFC 2045 §6.8: characters outside the alphabet are ignored. `None` where too much is outside
/// of it: text that says base64 but is not.
fn dirty_base64(data: &[u8]) -> Option<Vec<u8>> {
    let is_digit = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    let filled = data.iter().filter(|b| !b.is_ascii_whitespace()).count();
    let digits: Vec<u8> = data.iter().copied().filter(is_digit).collect();
    let strange = filled - digits.len();
    if digits.is_empty() || strange > filled / 4 {
        return None;
    }
    let bytes = base64_decode(&digits)?;
    let readable = || {
        let text = std::str::from_utf8(&bytes);
        text.is_ok_and(|t| !t.contains(|c: char| c.is_control() && !c.is_whitespace()))
    };
    (strange <= filled / 10 || readable()).then_some(bytes)
}

/// The bytes of one encoded word: blanks and broken padding do not matter; `None` when it is no
/// base64 at all.
pub(super) fn lenient_base64(payload: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = payload
        .iter()
        .copied()
        .filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_'))
        .map(|b| match b {
            b'-' => b'+',
            b'_' => b'/',
            b => b,
        })
        .collect();
    let strange = payload
        .iter()
        .filter(|b| !b.is_ascii_whitespace() && **b != b'=')
        .count();
    if strange > digits.len() {
        return None;
    }
    // A single digit at the end is no byte.
    let mut whole = digits;
    if whole.len() % 4 == 1 {
        whole.pop();
    }
    while !whole.len().is_multiple_of(4) {
        whole.push(b'=');
    }
    base64_decode(&whole)
}

fn decode_quoted_printable(body: &[u8]) -> Vec<u8> {
    // What the strict decoder refuses is read as RFC 2045 §6.7 advises: left as it stands.
    quoted_printable_decode(body).unwrap_or_else(|| lenient_quoted_printable(body))
}

pub(super) fn lenient_quoted_printable(body: &[u8]) -> Vec<u8> {
    let hex = |b: Option<&u8>| {
        b.and_then(|b| char::from(*b).to_digit(16))
            .and_then(|d| u8::try_from(d).ok())
    };
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'=' {
            out.push(*first);
            continue;
        }
        if let (Some(high), Some(low)) = (hex(after.first()), hex(after.get(1))) {
            out.push(high << 4 | low);
            rest = after.get(2..).unwrap_or_default();
            continue;
        }
        // A soft line break, with the blanks that some systems append.
        let blanks = after
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t' | b'\r'))
            .count();
        match after.get(blanks) {
            Some(b'\n') => rest = after.get(blanks + 1..).unwrap_or_default(),
            _ => out.push(b'='),
        }
    }
    out
}

/// Line ends as `\n`, no control characters, no blanks at line ends, at most two blank lines
/// in a row, none at the ends.
pub(super) fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = 0_usize;
    // A lone CR is a line end too (old Mac mailers).
    for line in text
        .split('\n')
        .flat_map(|l| l.trim_end_matches('\r').split('\r'))
    {
        let start = out.len();
        for c in line.chars() {
            match c {
                '\t' => out.push('\t'),
                '\u{a0}' | '\u{c}' | '\u{b}' => out.push(' '),
                c if c.is_control() || matches!(c, '\u{feff}' | '\u{200b}') => {}
                c => out.push(c),
            }
        }
        let kept = out.trim_end_matches([' ', '\t']).len().max(start);
        // `-- ` is the signature mark; RFC 3676 §4.3 gives its blank a meaning.
        let is_mark = out.get(start..kept) == Some("--") && out.len() > kept;
        out.truncate(kept);
        if is_mark {
            out.push(' ');
        }
        if out.len() == start {
            blank += 1;
            if blank > 2 || start == 0 {
                continue;
            }
        } else {
            blank = 0;
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out
}

/// The longest prefix of at most `max` bytes that ends at a character.
pub(super) fn prefix(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Undoes format=flowed (RFC 3676): a blank at the line end joins it with the next of the same
/// quote depth.
pub(super) fn unflow(text: &str, delete_space: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open: Option<usize> = None;
    for line in text.split('\n') {
        let line = line.trim_end_matches('\r');
        let depth = line.len() - line.trim_start_matches('>').len();
        let content = line.get(depth..).unwrap_or_default();
        let content = content.strip_prefix(' ').unwrap_or(content);
        let is_mark = content == "-- ";
        if open == Some(depth) && !is_mark {
            out.push_str(content);
        } else {
            if !out.is_empty() || open.is_some() {
                out.push('\n');
            }
            for _ in 0..depth {
                out.push('>');
            }
            if depth > 0 && !content.is_empty() {
                out.push(' ');
            }
            out.push_str(content);
        }
        open = (content.ends_with(' ') && !is_mark).then_some(depth);
        if open.is_some() && delete_space {
            out.pop();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_transfer_encodings_keep_what_can_be_read() {
        assert_eq!(
            decode_quoted_printable(b"caf=C3=A9 =\r\nx"),
            "café x".as_bytes()
        );
        assert_eq!(decode_quoted_printable(b"a=b 50=% =3D=\n!"), b"a=b 50=% =!");
        assert_eq!(decode_quoted_printable(b"end="), b"end");
        assert_eq!(decode_base64(b"aGVs\r\nbG8="), b"hello");
        assert_eq!(
            decode_base64(
                b"aGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8gd29ybGQ*"
            ),
            b"hello world hello world hello world hello world hello world"
        );
        assert_eq!(
            decode_base64(b"Dear Ann, this is: plain!"),
            b"Dear Ann, this is: plain!"
        );
    }

    #[test]
    fn base64_is_decoded_with_a_footer_behind_it_and_strange_characters_inside() {
        for (body, text) in [
            (
                "Z3LDvMOfZSBhbiBhbGxlIQ==\r\n\r\n-- \r\nThis email was scanned.\r\n",
                "grüße an alle!\n\n-- \r\nThis email was scanned.",
            ),
            (
                "Z3LDvMOfZSBhbiBhbGxl\n_____________\nlist mailing list, list@x.example\n",
                "grüße an alle\n\n_____________\nlist mailing list, list@x.example",
            ),
            ("R3LD\n vMOf!!ZQ==\n", "Grüße"),
            ("aGVsbG8=\nIHdvcmxk\n", "hello world"),
        ] {
            let got = decode_base64(body.as_bytes());
            assert_eq!(String::from_utf8_lossy(&got), text);
        }
        for plain in ["Yes please.", "Dear Ann,\n\nyes please.\nBen"] {
            assert_eq!(decode_base64(plain.as_bytes()), plain.as_bytes(), "{plain}");
        }
    }

    #[test]
    fn a_body_in_uuencode_is_decoded() {
        let body = b"begin 644 a.txt\n%:&5L;&\\\n`\nend\n";
        assert_eq!(decode_uuencode(body).as_deref(), Some(&b"hello"[..]));
        assert_eq!(decode_uuencode(b"no such thing\n"), None);
    }

    #[test]
    fn text_is_tidied_without_losing_the_signature_mark() {
        assert_eq!(
            tidy("\r\n\r\na  \r\nb\0\u{1b}\r\n\n\n\n\n-- \nc\u{a0}d\n \n"),
            "a\nb\n\n\n-- \nc d"
        );
        assert_eq!(tidy("a\rb"), "a\nb");
        assert_eq!(tidy(""), "");
    }

    #[test]
    fn flowed_text_is_joined_within_its_quote_depth() {
        assert_eq!(
            unflow("a \nb\n> c \n> d\ne \n> f\n-- \nsig", false),
            "a b\n> c d\ne \n> f\n-- \nsig"
        );
        assert_eq!(unflow("ab \ncd", true), "abcd");
    }

    #[test]
    fn a_prefix_ends_at_a_character() {
        assert_eq!(prefix("aé", 2), "a");
        assert_eq!(prefix("aé", 3), "aé");
    }
}
