//! A header block as it came: fields in their order, values raw, and their tolerant reading.
//! The grammar of single fields (addresses, dates, encoded words) is mail-parser's.

use mail_parser::parsers::MessageStream;
use mail_parser::{ContentType, HeaderValue};

use super::{charset, encoded};
use crate::model::Address;
use crate::time::UtcMs;

/// Fields of one block that are kept.
const MAX_FIELDS: usize = 1000;
/// Lines that are looked at for a further field, where one line is none.
const MAX_LOOK_AHEAD: usize = 20;
/// A field name longer than this is text, not a field.
const MAX_NAME_BYTES: usize = 128;
/// What is decoded of one value: mail-parser looks for encoded words in quadratic time.
const MAX_TEXT_BYTES: usize = 4 * 1024;
/// What is decoded of one list of addresses.
const MAX_ADDRESSES_BYTES: usize = 16 * 1024;
/// Addresses of one field that are kept.
const MAX_ADDRESSES: usize = 100;

/// One field: the value is raw, with its folding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
}

/// A header block.
#[derive(Clone, Debug, Default)]
pub(super) struct Block<'a> {
    pub(super) fields: Vec<Field<'a>>,
    /// Where the body starts.
    pub(super) body_at: usize,
    /// The blank line was seen; without it the message was cut or has no body.
    pub(super) complete: bool,
    /// Lines that are neither field nor continuation.
    pub(super) junk_lines: usize,
    /// There were more fields than are kept.
    pub(super) too_many: bool,
}

impl<'a> Block<'a> {
    /// Reads the block at `from`. It ends at a blank line, or before a line for which `ends`
    /// holds (a boundary of the enclosing multipart: a part without body).
    pub(super) fn read(raw: &'a [u8], from: usize, ends: impl Fn(&[u8]) -> bool) -> Self {
        let mut block = Self {
            body_at: raw.len(),
            ..Self::default()
        };
        let mut at = from;
        // The field being collected: name, where its value starts, where it ends so far.
        let mut open: Option<(&[u8], usize, usize)> = None;
        // A line that may be the name of a field whose colon comes after a fold.
        let mut lone: Option<&[u8]> = None;
        while at < raw.len() {
            let end = line_end(raw, at);
            let line = raw.get(at..end).unwrap_or_default();
            let content = trim_line_end(line);
            if content.is_empty() {
                block.complete = true;
                block.body_at = end;
                break;
            }
            if ends(content) {
                block.body_at = at;
                block.complete = true;
                break;
            }
            let continues = matches!(content.first(), Some(b' ' | b'\t'));
            if continues && block.fields.is_empty() && open.is_none() {
                // White space before the first field: the field counts all the same.
                if let Some((name, value_at)) = field_start(raw, at, content) {
                    open = Some((name, value_at, end));
                }
                block.junk_lines += 1;
            } else if continues {
                // `From` and, folded, ` : ann@x.example` (RFC 5322 §4.5.8 lets a fold stand there).
                let colon = content.trim_ascii_start().starts_with(b":");
                if let Some(name) = lone.take().filter(|_| colon) {
                    block.close(raw, open.take());
                    let value_at = raw
                        .get(at..)
                        .and_then(|l| l.iter().position(|b| *b == b':'));
                    open = Some((name, at + value_at.unwrap_or(0) + 1, end));
                    block.junk_lines = block.junk_lines.saturating_sub(1);
                } else if let Some((_, _, value_end)) = &mut open {
                    *value_end = end;
                }
            } else {
                block.close(raw, open.take());
                lone = None;
                match field_start(raw, at, content) {
                    Some((name, value_at)) => open = Some((name, value_at, end)),
                    None if body_starts(raw, at, &block, &ends) => {
                        block.body_at = at;
                        block.complete = true;
                        block.junk_lines += 1;
                        return block;
                    }
                    None => {
                        let word = content.trim_ascii();
                        let name = !word.is_empty() && word.iter().all(u8::is_ascii_graphic);
                        lone = name.then_some(word);
                        block.junk_lines += 1;
                    }
                }
            }
            at = end;
        }
        block.close(raw, open);
        block
    }

    fn close(&mut self, raw: &'a [u8], open: Option<(&'a [u8], usize, usize)>) {
        let Some((name, from, to)) = open else { return };
        if self.fields.len() >= MAX_FIELDS {
            self.too_many = true;
            return;
        }
        let value = raw.get(from..to).unwrap_or_default();
        self.fields.push(Field { name, value });
    }

    /// All values of a field, in order.
    pub(super) fn all(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.fields
            .iter()
            .filter(move |f| f.name.eq_ignore_ascii_case(name.as_bytes()))
            .map(|f| f.value)
    }

    /// The first value of a field: of a doubled field the first counts.
    pub(super) fn first(&self, name: &'static str) -> Option<&'a [u8]> {
        self.all(name).next()
    }
}

/// Whether the body starts at a line that is no field, because the blank line before it was
/// forgotten: there are fields above, and none in the lines below, up to a blank one.
fn body_starts(raw: &[u8], from: usize, block: &Block<'_>, ends: &impl Fn(&[u8]) -> bool) -> bool {
    if block.fields.is_empty() {
        return false;
    }
    let mut at = from;
    for n in 0..MAX_LOOK_AHEAD {
        let end = line_end(raw, at);
        let content = trim_line_end(raw.get(at..end).unwrap_or_default());
        if content.is_empty() || ends(content) {
            return true;
        }
        // A parameter that was folded without a blank, or a name folded from its colon.
        let first = n == 0;
        let parameter = first && content.iter().take(40).any(|b| *b == b'=');
        let folded_name = n == 1 && content.trim_ascii_start().starts_with(b":");
        if parameter || folded_name || !first && field_start(raw, at, content).is_some() {
            return false;
        }
        at = end;
    }
    true
}

/// The name and the start of the value, if the line starts a field (RFC 5322 §2.2; blanks
/// before the colon are the obsolete syntax of §4.5).
fn field_start<'a>(raw: &'a [u8], at: usize, content: &[u8]) -> Option<(&'a [u8], usize)> {
    let colon = content
        .iter()
        .take(MAX_NAME_BYTES)
        .position(|b| *b == b':')?;
    let name = raw.get(at..at + colon)?.trim_ascii();
    let is_name = !name.is_empty() && name.iter().all(|b| b.is_ascii_graphic());
    is_name.then_some((name, at + colon + 1))
}

/// The position behind the line feed of the line at `from`, or the end.
pub(super) fn line_end(raw: &[u8], from: usize) -> usize {
    raw.get(from..)
        .and_then(|rest| rest.iter().position(|b| *b == b'\n'))
        .map_or(raw.len(), |n| from + n + 1)
}

/// Without CR and LF at the end.
pub(super) fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The longest prefix of at most `max` bytes; bytes, so it may cut a character, which decoding
/// then replaces.
fn cut(raw: &[u8], max: usize) -> &[u8] {
    raw.get(..max).unwrap_or(raw)
}

/// A value as UTF-8 with one line feed at its end, which the field parsers of mail-parser need.
fn utf8_line(value: &[u8], max: usize) -> String {
    utf8_line_in(value, max, None)
}

fn utf8_line_in(value: &[u8], max: usize, charset: Option<&str>) -> String {
    let value = cut(value, max).trim_ascii();
    let mut text = match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        // RFC 6532 allows UTF-8; what is not UTF-8 is guessed like a body without a label.
        Err(_) => charset::decode(value, charset).0,
    };
    text.retain(|c| c != '\0');
    text.push('\n');
    text
}

/// A value unfolded, with its encoded words decoded (RFC 2047), control characters dropped.
pub(super) fn text(value: &[u8]) -> String {
    text_in(value, None)
}

/// As [`text`], with the charset of the body for 8-bit characters that are not UTF-8.
pub(super) fn text_in(value: &[u8], charset: Option<&str>) -> String {
    let line = utf8_line_in(value, MAX_TEXT_BYTES, charset);
    if line.contains("=?") {
        clean_line(&encoded::decoded(&clean_line(&line)))
    } else {
        clean_line(&line)
    }
}

/// One line without line ends and control characters. Folding becomes one blank.
pub(super) fn clean_line(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.trim().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' | '\n' => {
                while chars
                    .next_if(|c| matches!(c, '\r' | '\n' | ' ' | '\t'))
                    .is_some()
                {}
                clean.push(' ');
            }
            '\t' => clean.push(' '),
            c if c.is_control() => {}
            c => clean.push(c),
        }
    }
    clean
}

/// The addresses of a value, groups flattened, without those that have no address.
pub(super) fn addresses(value: &[u8]) -> Vec<Address> {
    let line = utf8_line(value, MAX_ADDRESSES_BYTES);
    if !line.contains(['<', '"', '(', ':', ';']) && !line.contains("=?") {
        return bare_addresses(&line);
    }
    let line = encoded::joined(&line);
    let found = listed(&line);
    if found.is_empty() && line.contains("=?") {
        // `=?utf-8?Q?Ann_Lee_<ann@x.example>?=`: the address is in the encoded word, which
        // RFC 2047 §5 forbids.
        let decoded = clean_line(&encoded::decoded(&clean_line(&line)));
        return listed(&format!("{decoded}\n"));
    }
    found
}

fn listed(line: &str) -> Vec<Address> {
    let HeaderValue::Address(parsed) = MessageStream::new(line.as_bytes()).parse_address() else {
        return Vec::new();
    };
    let list = parsed.into_list();
    list.into_iter()
        .filter_map(address)
        .take(MAX_ADDRESSES)
        .collect()
}

/// `ann@x.example, Ben Lee ben@y.example`: without brackets, the word with the `@` counts.
fn bare_addresses(line: &str) -> Vec<Address> {
    let mut found = Vec::new();
    for one in line.split(',').take(MAX_ADDRESSES) {
        let mut words: Vec<&str> = one.split_whitespace().collect();
        let Some(at) = words.iter().position(|w| w.contains('@')) else {
            continue;
        };
        let addr = strip_blanks(words.remove(at));
        let name = clean_line(&words.join(" "));
        found.push(Address { name, addr });
    }
    found
}

fn address(parsed: mail_parser::Addr<'_>) -> Option<Address> {
    let name = parsed.name.as_deref().map(clean_line).unwrap_or_default();
    let addr = match parsed.address {
        Some(addr) => without_route(strip_blanks(&addr)),
        // `"ann@x.example"` alone: the quotes make it a name to the grammar.
        None if name.contains('@') && !name.contains(char::is_whitespace) => {
            return Some(Address {
                addr: strip_blanks(&name),
                name: String::new(),
            });
        }
        None => return None,
    };
    (!addr.is_empty()).then_some(Address { name, addr })
}

/// `@relay.example:ann@x.example` without the route (RFC 5322 §4.4, RFC 5321 appendix C).
fn without_route(addr: String) -> String {
    match addr.rsplit_once(':') {
        Some((route, rest)) if route.starts_with('@') && rest.contains('@') => rest.to_owned(),
        _ => addr,
    }
}

fn strip_blanks(addr: &str) -> String {
    let keep = |c: &char| !c.is_whitespace() && !c.is_control() && !matches!(c, '<' | '>');
    addr.chars().filter(keep).take(1000).collect()
}

/// A date (RFC 5322 §3.3), if it is one.
pub(super) fn date(value: &[u8]) -> Option<UtcMs> {
    super::date::read(&utf8_line(value, 200))
}

/// A Content-Type or Content-Disposition with its parameters (RFC 2045, RFC 2231).
pub(super) fn content_type(value: &[u8]) -> Option<ContentType<'static>> {
    let line = utf8_line(value, MAX_TEXT_BYTES);
    let line = encoded::joined(&line);
    let parsed = MessageStream::new(line.as_bytes()).parse_content_type();
    match parsed.into_owned() {
        HeaderValue::ContentType(ct) => Some(ct),
        _ => None,
    }
}
