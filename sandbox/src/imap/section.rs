//! The parts of a message that `BODY[section]` names (RFC 3501 §6.4.5).

use super::command::{Section, SectionText};

/// Multiparts within multiparts are followed to this depth.
const MAX_DEPTH: usize = 32;

/// Header block with its blank line, and the rest.
pub(crate) fn split_header(raw: &[u8]) -> (&[u8], &[u8]) {
    if let Some(body) = raw.strip_prefix(b"\r\n") {
        return raw.split_at(raw.len() - body.len());
    }
    let blank = raw.windows(4).position(|w| w == b"\r\n\r\n");
    raw.split_at(blank.map_or(raw.len(), |at| at + 4))
}

/// The header fields with their folded lines: name and whole bytes.
pub(crate) fn fields(header: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut fields: Vec<(String, Vec<u8>)> = Vec::new();
    for line in header.split_inclusive(|b| *b == b'\n') {
        let folded = line.first().is_some_and(|b| *b == b' ' || *b == b'\t');
        if line == b"\r\n" || line == b"\n" {
            continue;
        }
        if folded && let Some((_, bytes)) = fields.last_mut() {
            bytes.extend_from_slice(line);
            continue;
        }
        let name = line.split(|b| *b == b':').next().unwrap_or_default();
        let name = String::from_utf8_lossy(name).trim().to_owned();
        fields.push((name, line.to_vec()));
    }
    fields
}

/// The value of the first field of this name, unfolded.
pub(crate) fn value(header: &[u8], name: &str) -> Option<String> {
    let all = fields(header);
    let (_, bytes) = all.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?;
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "");
    text.split_once(':').map(|(_, v)| v.trim().to_owned())
}

fn chosen(header: &[u8], names: &[String], wanted: bool) -> Vec<u8> {
    let listed = |n: &str| names.iter().any(|w| w.eq_ignore_ascii_case(n));
    let mut bytes: Vec<u8> = fields(header)
        .into_iter()
        .filter(|(name, _)| listed(name) == wanted)
        .flat_map(|(_, bytes)| bytes)
        .collect();
    bytes.extend_from_slice(b"\r\n");
    bytes
}

fn boundary(header: &[u8]) -> Option<String> {
    let content_type = value(header, "Content-Type")?;
    if !content_type
        .get(..10)
        .is_some_and(|t| t.eq_ignore_ascii_case("multipart/"))
    {
        return None;
    }
    let at = content_type.to_ascii_lowercase().find("boundary=")?;
    let rest = content_type.get(at + 9..)?;
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().map(str::to_owned),
        None => rest.split([';', ' ', '\t']).next().map(str::to_owned),
    }
}

/// The parts of a multipart body; the CRLF before a boundary belongs to the boundary.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let delimiter = format!("--{boundary}");
    let mut found = Vec::new();
    let mut start: Option<usize> = None;
    let mut at = 0;
    for line in body.split_inclusive(|b| *b == b'\n') {
        if let Some(rest) = line.strip_prefix(delimiter.as_bytes()) {
            if let Some(start) = start {
                let part = body.get(start..at).unwrap_or_default();
                found.push(part.strip_suffix(b"\r\n").unwrap_or(part));
            }
            start = Some(at + line.len());
            if rest.starts_with(b"--") {
                return found;
            }
        }
        at += line.len();
    }
    if let Some(start) = start {
        found.push(body.get(start..).unwrap_or_default());
    }
    found
}

fn is_message(header: &[u8]) -> bool {
    value(header, "Content-Type")
        .is_some_and(|t| t.to_ascii_lowercase().starts_with("message/rfc822"))
}

/// The part with these numbers: its MIME header and its content.
fn find<'a>(raw: &'a [u8], numbers: &[u32], depth: usize) -> Option<(&'a [u8], &'a [u8])> {
    let (header, body) = split_header(raw);
    let (number, rest) = match numbers.split_first() {
        Some(split) if depth < MAX_DEPTH => split,
        _ => return None,
    };
    let Some(boundary) = boundary(header) else {
        // A message that is no multipart has one part: its text.
        return (*number == 1 && rest.is_empty()).then_some((header, body));
    };
    let index = usize::try_from(*number).ok()?.checked_sub(1)?;
    let part = parts(body, &boundary).get(index).copied()?;
    let (part_header, content) = split_header(part);
    if rest.is_empty() {
        return Some((part_header, content));
    }
    if is_message(part_header) {
        return find(content, rest, depth + 1);
    }
    find(part, rest, depth + 1)
}

/// The bytes of a section; `None` when the message has no such part.
pub(crate) fn extract(raw: &[u8], section: &Section) -> Option<Vec<u8>> {
    let whole = section.part.is_empty();
    let (mime, content) = if whole {
        (&raw[..0], raw)
    } else {
        find(raw, &section.part, 0)?
    };
    // HEADER and TEXT of a part are those of a message/rfc822 in it.
    let of_message = || (whole || is_message(mime)).then(|| split_header(content));
    Some(match &section.text {
        SectionText::All => content.to_vec(),
        SectionText::Mime => mime.to_vec(),
        SectionText::Header => of_message()?.0.to_vec(),
        SectionText::Text => of_message()?.1.to_vec(),
        SectionText::HeaderFields(names) => chosen(of_message()?.0, names, true),
        SectionText::HeaderFieldsNot(names) => chosen(of_message()?.0, names, false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &[u8] = b"Subject: Hi\r\n there\r\nTo: a@b\r\n\
        Content-Type: multipart/mixed; boundary=\"x\"\r\n\r\n\
        preamble\r\n--x\r\nContent-Type: text/plain\r\n\r\nHello\r\n\
        --x\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n\
        --y\r\n\r\nplain\r\n--y\r\nContent-Type: text/html\r\n\r\n<p>\r\n--y--\r\n\
        --x\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ninner\r\n--x--\r\n";

    fn get(part: &[u32], text: SectionText) -> Option<String> {
        let part = part.to_vec();
        extract(MAIL, &Section { part, text }).map(|b| String::from_utf8(b).unwrap())
    }

    #[test]
    fn parts_are_found_by_number() {
        use SectionText::{All, Header, Mime, Text};
        assert_eq!(get(&[1], All).unwrap(), "Hello");
        assert_eq!(get(&[1], Mime).unwrap(), "Content-Type: text/plain\r\n\r\n");
        assert_eq!(get(&[2, 1], All).unwrap(), "plain");
        assert_eq!(get(&[2, 2], All).unwrap(), "<p>");
        assert_eq!(get(&[3], Header).unwrap(), "Subject: in\r\n\r\n");
        assert_eq!(get(&[3], Text).unwrap(), "inner");
        assert_eq!(get(&[3, 1], All).unwrap(), "inner");
        assert_eq!(get(&[4], All), None);
        assert_eq!(get(&[1], Header), None);
        assert!(get(&[], All).unwrap().len() == MAIL.len());
    }

    #[test]
    fn header_fields_keep_their_folded_lines_and_end_in_a_blank_line() {
        let names = || vec!["SUBJECT".to_owned()];
        assert_eq!(
            get(&[], SectionText::HeaderFields(names())).unwrap(),
            "Subject: Hi\r\n there\r\n\r\n"
        );
        assert!(
            get(&[], SectionText::HeaderFieldsNot(names()))
                .unwrap()
                .starts_with("To: a@b\r\n")
        );
        let (header, body) = split_header(b"no header end");
        assert_eq!((header.len(), body.len()), (13, 0));
    }
}
