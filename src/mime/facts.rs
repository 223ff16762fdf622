//! What the headers of a part say about it: type, encoding, name, boundary.

use super::header::{self, Block};
use super::tree::{Encoding, Part};

/// What the headers of a part say about it.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) mime: String,
    charset: Option<String>,
    name: Option<String>,
    attachment: bool,
    pub(super) encoding: Encoding,
    pub(super) boundary: Option<Vec<u8>>,
    pub(super) params: Vec<(String, String)>,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            mime: String::new(),
            charset: None,
            name: None,
            attachment: false,
            encoding: Encoding::Plain,
            boundary: None,
            params: Vec::new(),
        }
    }
}

impl Facts {
    /// Of a body that is taken as text whatever its headers say.
    pub(super) fn plain_text() -> Self {
        Self {
            mime: "text/plain".to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn of(block: &Block<'_>, in_digest: bool) -> Self {
        let mut facts = Self::default();
        if let Some(ct) = block.first("content-type").and_then(header::content_type) {
            facts.mime = match ct.subtype() {
                Some(sub) => format!("{}/{}", ct.ctype(), sub).to_ascii_lowercase(),
                // `Content-Type: text`, of old Sun mailers.
                None if ct.ctype().eq_ignore_ascii_case("text") => "text/plain".to_owned(),
                None => ct.ctype().to_ascii_lowercase(),
            };
            facts.charset = ct.attribute("charset").map(str::to_owned);
            facts.name = ct.attribute("name").map(header::clean_line);
            facts.boundary = ct
                .attribute("boundary")
                .map(|b| b.trim_ascii_end().as_bytes().to_vec())
                .filter(|b| !b.is_empty());
            for wanted in [
                "report-type",
                "smime-type",
                "protocol",
                "method",
                "format",
                "delsp",
            ] {
                if let Some(value) = ct.attribute(wanted) {
                    let value = header::clean_line(value).to_ascii_lowercase();
                    facts.params.push((wanted.to_owned(), value));
                }
            }
        } else if in_digest {
            // RFC 2046 §5.1.5.
            "message/rfc822".clone_into(&mut facts.mime);
        }
        let disposition = block.first("content-disposition");
        if let Some(cd) = disposition.and_then(header::content_type) {
            facts.attachment = cd.is_attachment();
            if let Some(name) = cd.attribute("filename") {
                facts.name = Some(header::clean_line(name));
            }
        }
        if let Some(cte) = block.first("content-transfer-encoding") {
            let cte = header::text(cte).to_ascii_lowercase();
            // Some programs put it in quotes.
            let cte = cte.trim_start_matches(['"', '\'', ' ']);
            let word = cte.split([' ', ';', '(', '"', '\'']).next();
            facts.encoding = match word.unwrap_or_default() {
                "base64" => Encoding::Base64,
                "quoted-printable" => Encoding::QuotedPrintable,
                "x-uuencode" | "uuencode" | "x-uue" => Encoding::Uuencode,
                "x-gzip64" | "x-yenc" => Encoding::Other,
                // 7bit, 8bit, binary, and what is no encoding at all.
                _ => Encoding::Plain,
            };
        }
        facts
    }

    pub(super) fn is_multipart(&self) -> bool {
        self.mime.starts_with("multipart/")
    }

    pub(super) fn is_message(&self) -> bool {
        matches!(self.mime.as_str(), "message/rfc822" | "message/global")
    }

    pub(super) fn into_part<'a>(
        self,
        at: usize,
        message_depth: usize,
        alternative: usize,
    ) -> Part<'a> {
        Part {
            mime: self.mime,
            charset: self.charset,
            name: self.name.filter(|n| !n.is_empty()),
            attachment: self.attachment,
            encoding: self.encoding,
            params: self.params,
            body: at..usize::MAX,
            message_depth,
            alternative,
            closed: false,
            message_header: None,
        }
    }
}
