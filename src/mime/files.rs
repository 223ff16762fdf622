//! One attachment out of a message: its bytes, decoded.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::tree::{self, Part};
use super::{Attachment, line_feeds, parse, skip_envelope, text};

/// Where an attachment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// A part of the tree.
    Part(usize),
    /// The nth uuencoded file in the text of a part.
    InText {
        /// The part.
        part: usize,
        /// From 0.
        nth: usize,
    },
}

/// An attachment with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// File name, decoded; empty when it has none.
    pub name: String,
    /// `type/subtype` in lower case.
    pub content_type: String,
    /// Decoded.
    pub bytes: Vec<u8>,
}

/// What a message, or its beginning, has of an attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// All of it.
    Whole(File),
    /// It ends behind what is here.
    Cut,
    /// Nothing.
    Missing,
}

/// The attachment that was listed as number `n` (from 0) with this name and type: of a message as
/// [`parse`] lists them. `is_all`: `raw` is the whole message, not its beginning. Never panics.
///
/// The list may stem from the beginning of the message only, so that the number alone is not
/// believed: where another stands there, the only one with this name and type is taken.
#[must_use]
pub fn file(raw: &[u8], n: usize, name: &str, content_type: &str, is_all: bool) -> Content {
    let mail = parse(raw);
    let is_it = |a: &Attachment| a.name == name && a.content_type == content_type;
    let here = mail.attachments.get(n).filter(|a| is_it(a));
    let found = here.or_else(|| {
        // Behind the beginning of a message another may bear the same name.
        let mut all = mail.attachments.iter().filter(|a| is_all && is_it(a));
        all.next().filter(|_| all.next().is_none())
    });
    let Some(found) = found else {
        return if is_all {
            Content::Missing
        } else {
            Content::Cut
        };
    };
    let bytes = catch_unwind(AssertUnwindSafe(|| bytes_of(raw, found.at, is_all)));
    match bytes {
        Ok(Some(bytes)) => Content::Whole(File {
            name: found.name.clone(),
            content_type: found.content_type.clone(),
            bytes,
        }),
        Ok(None) if !is_all => Content::Cut,
        Ok(None) | Err(_) => Content::Missing,
    }
}

fn bytes_of(raw: &[u8], at: At, is_all: bool) -> Option<Vec<u8>> {
    let lines = line_feeds(raw);
    let raw = skip_envelope(&lines);
    let tree = tree::read(raw);
    let ends_here = |part: &Part<'_>| is_all || part.closed && part.body.end < raw.len();
    match at {
        At::Part(i) => {
            let part = tree.parts.get(i).filter(|p| ends_here(p))?;
            Some(text::all_bytes(raw, part))
        }
        At::InText { part, nth } => {
            let part = tree.parts.get(part).filter(|p| ends_here(p))?;
            text::uuencoded(&text::all_bytes(raw, part), nth)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str = "From: ann@x.example\nContent-Type: multipart/mixed; boundary=b\n\n\
        --b\nContent-Type: text/plain\n\nSee below.\nbegin 644 cat.txt\n#0V%T\n`\nend\n\
        --b\nContent-Type: application/pdf; name=\"a.pdf\"\nContent-Transfer-Encoding: base64\n\n\
        AAECAwQF\n/w==\n\
        --b\nContent-Type: application/pdf; name=\"a.pdf\"\nContent-Transfer-Encoding: base64\n\n\
        CQk=\n\
        --b\nContent-Type: text/csv; name=b.csv\nContent-Transfer-Encoding: quoted-printable\n\n\
        x=3By=\n;z\n\
        --b\nContent-Type: message/rfc822\n\nFrom: bob@x.example\nSubject: Inner\n\
        Content-Type: multipart/mixed; boundary=c\n\n--c\n\ninner\n--c--\n\
        --b--\n";

    fn bytes(raw: &str, n: usize, is_all: bool) -> Option<Vec<u8>> {
        let of = parse(MAIL.as_bytes()).attachments.get(n).cloned()?;
        match file(raw.as_bytes(), n, &of.name, &of.content_type, is_all) {
            Content::Whole(file) => Some(file.bytes),
            Content::Cut | Content::Missing => None,
        }
    }

    #[test]
    fn each_listed_attachment_gives_its_decoded_bytes() {
        let names: Vec<String> = parse(MAIL.as_bytes())
            .attachments
            .into_iter()
            .map(|a| a.name)
            .collect();
        assert_eq!(names, ["cat.txt", "a.pdf", "a.pdf", "b.csv", ""]);
        assert_eq!(bytes(MAIL, 0, true).unwrap(), b"Cat");
        assert_eq!(bytes(MAIL, 1, true).unwrap(), [0, 1, 2, 3, 4, 5, 255]);
        assert_eq!(bytes(MAIL, 2, true).unwrap(), b"\t\t");
        assert_eq!(bytes(MAIL, 3, true).unwrap(), b"x;y;z");
        let inner = String::from_utf8(bytes(MAIL, 4, true).unwrap()).unwrap();
        assert!(
            inner.starts_with("From: bob@x.example\nSubject: Inner\n"),
            "{inner}"
        );
        assert!(inner.ends_with("inner\n--c--"), "{inner:?}");
        assert_eq!(bytes(MAIL, 5, true), None);
    }

    #[test]
    fn of_the_beginning_of_a_message_only_what_ends_there_is_given() {
        for n in 0..5 {
            let whole = bytes(MAIL, n, true);
            for cut in 0..MAIL.len() {
                let got = bytes(MAIL.get(..cut).unwrap_or_default(), n, false);
                assert!(got.is_none() || got == whole, "{n} cut at {cut}: {got:?}");
            }
        }
        let until_csv = MAIL.find("--b\nContent-Type: text/csv").unwrap() + 5;
        assert!(bytes(&MAIL[..until_csv], 1, false).is_some());
    }

    #[test]
    fn an_attachment_that_is_not_the_listed_one_is_not_given() {
        let other = |n, name| file(MAIL.as_bytes(), n, name, "application/pdf", true);
        assert_eq!(other(1, "other.pdf"), Content::Missing);
        // Two bear the name, and the number names neither.
        assert_eq!(other(3, "a.pdf"), Content::Missing);
        assert_eq!(
            file(b"no mail", 0, "a", "b/c", false),
            Content::Cut,
            "more may come"
        );
    }
}
