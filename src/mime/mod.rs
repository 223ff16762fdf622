//! Raw bytes to what we need of a message: never fails, marks; never panics out of here
//! (mail-parser has panicked on damaged mail), bounded in time and memory (invariant I8).
//!
//! The header and the body are read under a `catch_unwind` each, so that a panic in one leaves
//! the other. Everything odd is named in [`Mail::malformed`]; what is kept is bounded.

mod body;
mod charset;
mod date;
mod encoded;
mod facts;
mod files;
mod head;
mod header;
mod html;
mod oddities;
mod report;
mod text;
mod tree;

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::model::Address;
use crate::msgid::MsgId;
use crate::time::UtcMs;

pub use files::{Content, File, file};
pub use html::{NodeRef, Page, PageLine, Tag};
pub use oddities::ODDITIES;
pub(crate) use report::bare_address;
pub use report::{DeliveryReport, Feedback, RecipientStatus};

/// Bytes of text that are kept of a message.
pub const MAX_TEXT_BYTES: usize = 1024 * 1024;
/// Header fields that are kept.
const MAX_HEADERS: usize = 300;
/// Bytes of all header values that are kept.
const MAX_HEADER_BYTES: usize = 128 * 1024;
/// The first line of a message ends within.
const LINE_END_WITHIN: usize = 2000;
/// Further than this ahead of its receipt a date is odd.
const FUTURE_TOLERANCE: Duration = Duration::from_secs(10 * 60);

/// A part that is not shown as text: listed, not stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attachment {
    /// File name, decoded; empty when it has none.
    pub name: String,
    /// `type/subtype` in lower case.
    #[serde(rename = "type")]
    pub content_type: String,
    /// Decoded size in bytes, estimated from the encoded one; of what was fetched.
    pub size: usize,
    #[serde(skip)]
    at: files::At,
}

/// Why a mail cannot be read by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// PGP/MIME or an armoured PGP message.
    Pgp,
    /// S/MIME, enveloped or opaquely signed.
    Smime,
    /// Nothing but winmail.dat.
    Tnef,
}

/// What we need of a message. `Debug` shows no address and no text.
#[derive(Clone, Default)]
pub struct Mail {
    /// Message-ID; of several the first.
    pub message_id: Option<MsgId>,
    /// In-Reply-To, in order, at most 100.
    pub in_reply_to: Vec<MsgId>,
    /// References, in order, at most 100.
    pub references: Vec<MsgId>,
    /// The first address of the first From.
    pub from: Option<Address>,
    /// How many senders all From fields together name; a From without an address counts as
    /// one. Anything but 1 is suspicious.
    pub from_count: usize,
    /// Sender.
    pub sender: Option<Address>,
    /// Reply-To, at most 100.
    pub reply_to: Vec<Address>,
    /// To, at most 100.
    pub to: Vec<Address>,
    /// Cc, at most 100.
    pub cc: Vec<Address>,
    /// Bcc, at most 100: only copies in a Sent folder have it.
    pub bcc: Vec<Address>,
    /// Return-Path without brackets; `Some("")` is the null sender of RFC 5321 §4.5.5.
    pub return_path: Option<String>,
    /// Subject, decoded, one line.
    pub subject: String,
    /// Date: the sender's claim.
    pub date: Option<UtcMs>,
    /// All fields: name in lower case, value unfolded and decoded. At most 300, in order.
    pub headers: Vec<(String, String)>,
    /// What a person would read, with `\n` line ends: the text parts, or text made from HTML.
    /// At most [`MAX_TEXT_BYTES`].
    pub text: String,
    /// The HTML of the message, or beside its plain text: its marks tell what is quoted.
    pub page: Option<Arc<Page>>,
    /// `text` was made from HTML only.
    pub html_only: bool,
    /// `type/subtype` of the message, lower case; empty without Content-Type.
    pub content_type: String,
    /// `report-type` of a multipart/report, lower case.
    pub report_type: Option<String>,
    /// A delivery status report.
    pub report: Option<DeliveryReport>,
    /// A delivery status report inside a nested message.
    pub nested_report: Option<DeliveryReport>,
    /// The Disposition field of a disposition notification (RFC 8098).
    pub disposition: Option<String>,
    /// A feedback report (RFC 5965).
    pub feedback: Option<Feedback>,
    /// Message-IDs of nested or quoted messages, the most certain first, at most 20.
    pub embedded_ids: Vec<MsgId>,
    /// Header fields of the first nested or returned message, as in `headers`.
    pub embedded_headers: Vec<(String, String)>,
    /// METHOD of a text/calendar part (RFC 5546), upper case.
    pub calendar_method: Option<String>,
    /// The content cannot be read by us.
    pub sealed: Option<Sealed>,
    /// Parts that are not in `text`, at most 100.
    pub attachments: Vec<Attachment>,
    /// What is odd about the message, as fixed words.
    pub malformed: Vec<String>,
    /// The header without trace fields: the fallback identity of a message without Message-ID.
    pub header_digest_input: Vec<u8>,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail")
            .field("content_type", &self.content_type)
            .field("text_bytes", &self.text.len())
            .field("headers", &self.headers.len())
            .field("attachments", &self.attachments.len())
            .field("malformed", &self.malformed)
            .finish_non_exhaustive()
    }
}

impl Mail {
    /// The first value of a field; `name` in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let field = self.headers.iter().find(|(n, _)| n == name);
        field.map(|(_, v)| v.as_str())
    }

    /// All values of a field, in order; `name` in lower case.
    pub fn header_values<'m>(&'m self, name: &'m str) -> impl Iterator<Item = &'m str> {
        self.headers
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// The key of the sender's address; empty when there is none.
    #[must_use]
    pub fn from_key(&self) -> String {
        self.from.as_ref().map(Address::key).unwrap_or_default()
    }

    fn odd(&mut self, what: &str) {
        debug_assert!(ODDITIES.iter().any(|(word, _)| *word == what), "{what}");
        if !self.malformed.iter().any(|m| m == what) {
            self.malformed.push(what.to_owned());
        }
    }
}

/// Reads a message, whole or a prefix of it. Never panics, never fails.
#[must_use]
pub fn parse(raw: &[u8]) -> Mail {
    let lines = line_feeds(raw);
    let raw = skip_envelope(&lines);
    let mut mail = Mail::default();
    if matches!(lines, Cow::Owned(_)) {
        mail.odd("bare_cr");
    }
    let tree = match catch_unwind(|| tree::read(raw)) {
        Ok(tree) => tree,
        Err(_) => {
            mail.odd("structure_panicked");
            tree::Tree::default()
        }
    };
    for what in &tree.odd {
        mail.odd(what);
    }
    if raw.contains(&0) {
        mail.odd("nul_bytes");
    }
    // Each works on its own copy, so a panic leaves what the other found.
    match catch_unwind(AssertUnwindSafe(|| head::read(mail.clone(), &tree))) {
        Ok(read) => mail = read,
        Err(_) => mail.odd("header_panicked"),
    }
    match catch_unwind(AssertUnwindSafe(|| body::read(mail.clone(), raw, &tree))) {
        Ok(read) => mail = read,
        Err(_) => mail.odd("body_panicked"),
    }
    mail
}

/// Whether a message of `total_bytes`, of which `prefix` is here, was cut inside its header, or
/// inside a text or report part that we would use.
#[must_use]
pub fn wants_more_text(prefix: &[u8], total_bytes: u64) -> bool {
    if u64::try_from(prefix.len()).unwrap_or(u64::MAX) >= total_bytes {
        return false;
    }
    let lines = line_feeds(prefix);
    let prefix = skip_envelope(&lines);
    catch_unwind(|| body::is_cut_in_text(&tree::read(prefix), prefix)).unwrap_or(false)
}

/// The first HTML body of a message as it was written, decoded: for a page that cleans it. None: it
/// has none, or cannot be read.
#[must_use]
pub fn html_body(raw: &[u8]) -> Option<String> {
    // A panic of the parser must not end the page (invariant I8).
    let found = catch_unwind(AssertUnwindSafe(|| {
        let parsed = mail_parser::MessageParser::default().parse(raw)?;
        parsed.body_html(0).map(Cow::into_owned)
    }));
    found.ok().flatten()
}

/// Readable text of a bare HTML body, as [`parse`] makes it of a part; quotes start with `> `.
#[must_use]
pub fn text_of_html(html: &str) -> String {
    Page::read(html).text()
}

/// Bytes without a charset label as text.
#[must_use]
pub fn guessed_text(bytes: &[u8]) -> String {
    charset::decode(bytes, None).0
}

/// A bare plain-text body as [`parse`] makes it of a part.
#[must_use]
pub fn tidy_text(body: &str) -> String {
    text::tidy(text::prefix(body, MAX_TEXT_BYTES))
}

/// A date of a field's value (RFC 5322 §3.3), if it is one.
#[must_use]
pub fn read_date(value: &str) -> Option<UtcMs> {
    header::date(value.as_bytes())
}

/// Whether the Date lies more than 10 minutes after the message was received.
#[must_use]
pub fn dated_ahead(mail: &Mail, received: UtcMs) -> bool {
    mail.date
        .is_some_and(|date| date > received.plus(FUTURE_TOLERANCE))
}

/// What the content digest is made of: From, Date, Subject and the decoded text, normalised, so
/// that the same mail read twice, or delivered twice, gives the same.
#[must_use]
pub fn content_digest_input(mail: &Mail) -> String {
    let date = mail.date.map(|d| d.0.to_string()).unwrap_or_default();
    let mut input = format!("{}\n{date}\n", mail.from_key());
    push_words(&mut input, &mail.subject);
    input.push('\n');
    push_words(&mut input, &mail.text);
    input
}

/// Appends `text` with each run of white space as one blank.
fn push_words(to: &mut String, text: &str) {
    for (i, word) in text.split_whitespace().enumerate() {
        if i > 0 {
            to.push(' ');
        }
        to.push_str(word);
    }
}

/// With line feeds, if lines end with a lone CR, as programs of old Macs write them.
fn line_feeds(raw: &[u8]) -> Cow<'_, [u8]> {
    let head = raw.get(..LINE_END_WITHIN).unwrap_or(raw);
    if head.contains(&b'\n') || !head.contains(&b'\r') {
        return Cow::Borrowed(raw);
    }
    let mut lines = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().peekable();
    while let Some(byte) = bytes.next() {
        let lone = *byte == b'\r' && bytes.peek() != Some(&&b'\n');
        lines.push(if lone { b'\n' } else { *byte });
    }
    Cow::Owned(lines)
}

/// Without a byte order mark, blank lines and an mbox `From ` line before the header.
fn skip_envelope(raw: &[u8]) -> &[u8] {
    let mut raw = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
    loop {
        let end = header::line_end(raw, 0);
        let (line, rest) = raw.split_at(end);
        let content = line.trim_ascii();
        let mbox = content
            .strip_prefix(b">")
            .unwrap_or(content)
            .strip_prefix(b"From ")
            // `From : ann@x.example` is a field with a blank before its colon.
            .is_some_and(|rest| !rest.trim_ascii_start().starts_with(b":"));
        if line.is_empty() || !(content.is_empty() || mbox) {
            return raw;
        }
        raw = rest;
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod shape_tests;
