//! The machine-readable parts of reports: delivery status (RFC 3464), disposition notification
//! (RFC 8098), feedback (RFC 5965), and the Message-ID of the mail that a report is about.

use serde::Serialize;

use super::header::{self, Block};
use super::tree::{Part, Tree};
use super::{Mail, head, text};
use crate::msgid::MsgId;

/// Recipients of one report that are kept.
const MAX_RECIPIENTS: usize = 100;
/// Message-IDs of original mails that are kept.
const MAX_EMBEDDED: usize = 20;
/// Encoded messages inside a message that are opened.
const MAX_ENCODED_MESSAGES: usize = 3;
/// What of one text part is searched for a returned header.
const MAX_SEARCHED_BYTES: usize = 256 * 1024;
/// Report parts that are read, and bytes of each.
const MAX_REPORTS: usize = 5;
const MAX_REPORT_BYTES: usize = 256 * 1024;

/// What a delivery status report says (RFC 3464).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeliveryReport {
    /// Reporting-MTA, without its type.
    pub reporting_mta: Option<String>,
    /// One entry per recipient, at most 100.
    pub recipients: Vec<RecipientStatus>,
}

/// The fields of one recipient (RFC 3464 §2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RecipientStatus {
    /// failed, delayed, delivered, relayed or expanded, in lower case; else empty.
    pub action: String,
    /// Enhanced status code (RFC 3463), `5.1.1`; empty when there is none.
    pub status: String,
    /// The address that was tried.
    pub final_recipient: Option<String>,
    /// The address that the sender wrote.
    pub original_recipient: Option<String>,
    /// What the other server said.
    pub diagnostic: String,
    /// The other server.
    pub remote_mta: Option<String>,
}

/// What a feedback report says (RFC 5965).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Feedback {
    /// abuse, fraud, not-spam, ... in lower case.
    pub kind: String,
    /// Original-Rcpt-To and Removal-Recipient.
    pub recipients: Vec<String>,
}

/// Message-IDs by where they stood, the most certain first.
#[derive(Default)]
struct Ids {
    /// In a field that names the original.
    named: Vec<MsgId>,
    /// In the header of a nested message.
    nested: Vec<MsgId>,
    /// In a returned header.
    returned: Vec<MsgId>,
    /// In the text of the report.
    quoted: Vec<MsgId>,
}

/// Fills what the report parts and the returned mail say.
pub(super) fn read(mail: &mut Mail, raw: &[u8], tree: &Tree<'_>) {
    let mut ids = Ids::default();
    let (mut reports, mut encoded) = (0, 0);
    // Depth of the text of a nested message whose header stands behind a blank line.
    let mut headless = None;
    for part in &tree.parts {
        if let Some(block) = &part.message_header {
            ids.nested.extend(block.first("message-id").and_then(id_of));
            headless = block.fields.is_empty().then_some(part.message_depth + 1);
            if mail.embedded_headers.is_empty() {
                mail.embedded_headers = head::decoded_fields(block, &mut Vec::new());
            }
            continue;
        }
        match part.mime.as_str() {
            "message/delivery-status"
            | "message/global-delivery-status"
            | "message/disposition-notification"
            | "message/global-disposition-notification"
            | "message/feedback-report"
                if reports < MAX_REPORTS =>
            {
                reports += 1;
                read_part(mail, raw, part, &mut ids);
            }
            "text/rfc822-headers"
            | "text/rfc822-header"
            | "message/rfc822-headers"
            | "message/global-headers" => {
                read_returned_header(mail, &text::bytes(raw, part), &mut ids);
            }
            "message/rfc822" | "message/global" if encoded < MAX_ENCODED_MESSAGES => {
                encoded += 1;
                // Encoded, against RFC 2046 §5.2.1: opened here, its own parts are not.
                read_returned_header(mail, &text::bytes(raw, part), &mut ids);
            }
            _ if headless == Some(part.message_depth) => {
                headless = None;
                read_returned_header(mail, &text::bytes(raw, part), &mut ids);
            }
            // What a returned mail quotes is an older mail.
            mime if part.message_depth == 0
                && (mime.starts_with("text/") || mime.is_empty() || mime == "message/partial") =>
            {
                let (decoded, _) = text::decoded(raw, part);
                let decoded = text::prefix(&decoded, MAX_SEARCHED_BYTES);
                ids.quoted.extend(ids_in_text(decoded));
            }
            _ => {}
        }
    }
    // Lotus Domino gives its report the Message-ID of the mail that it returns; so only an id
    // that is merely quoted must differ from the message's own.
    ids.quoted.retain(|id| mail.message_id.as_ref() != Some(id));
    let Ids {
        named,
        nested,
        returned,
        quoted,
    } = ids;
    for id in [nested, returned, named, quoted].into_iter().flatten() {
        if !mail.embedded_ids.contains(&id) && mail.embedded_ids.len() < MAX_EMBEDDED {
            mail.embedded_ids.push(id);
        }
    }
}

fn id_of(value: &[u8]) -> Option<MsgId> {
    head::id_list(value).into_iter().next()
}

fn read_part(mail: &mut Mail, raw: &[u8], part: &Part<'_>, ids: &mut Ids) {
    let body = text::bytes(raw, part);
    let body = body.get(..MAX_REPORT_BYTES).unwrap_or(&body);
    if part.message_depth > 0 {
        // A report inside a returned message is that message's affair, unless what came is
        // nothing but a wrapping around a report.
        if part.mime.ends_with("delivery-status") {
            let nested = || delivery(body).0;
            mail.nested_report = mail.nested_report.take().or_else(|| Some(nested()));
        }
        return;
    }
    if part.mime.ends_with("delivery-status") {
        let (report, original) = delivery(body);
        ids.named.extend(original);
        match &mut mail.report {
            Some(known) => known.recipients.extend(report.recipients),
            none => *none = Some(report),
        }
    } else if part.mime.ends_with("disposition-notification") {
        let (disposition, original) = disposition(body);
        mail.disposition = mail
            .disposition
            .take()
            .or(disposition)
            .or(Some(String::new()));
        ids.named.extend(original);
    } else {
        let (feedback, original) = feedback(body);
        mail.feedback = mail.feedback.take().or(Some(feedback));
        ids.named.extend(original);
    }
}

fn read_returned_header(mail: &mut Mail, bytes: &[u8], ids: &mut Ids) {
    let bytes = super::skip_envelope(bytes);
    let block = header::Block::read(bytes, 0, |_| false);
    ids.returned
        .extend(block.first("message-id").and_then(id_of));
    if mail.embedded_headers.is_empty() {
        mail.embedded_headers = head::decoded_fields(&block, &mut Vec::new());
    }
}

/// Reads `message/delivery-status`, and the original's id where the report names it (Gmail).
fn delivery(body: &[u8]) -> (DeliveryReport, Option<MsgId>) {
    let mut report = DeliveryReport::default();
    let mut original = None;
    for block in blocks(body) {
        original = original.or_else(|| {
            let named = ["x-original-message-id", "original-message-id"];
            named.iter().find_map(|n| block.first(n).and_then(id_of))
        });
        let get = |name| block.first(name).map(header::text);
        let typed = |name| get(name).map(|v| untyped(&v));
        if report.reporting_mta.is_none() {
            report.reporting_mta = typed("reporting-mta").filter(|v| !v.is_empty());
        }
        let of_recipient = ["final-recipient", "original-recipient", "action", "status"];
        if !of_recipient.iter().any(|f| block.first(f).is_some()) {
            continue;
        }
        if report.recipients.len() >= MAX_RECIPIENTS {
            break;
        }
        let action = get("action").unwrap_or_default().to_ascii_lowercase();
        let word = |c: char| !c.is_ascii_alphabetic();
        report.recipients.push(RecipientStatus {
            action: action.split(word).next().unwrap_or_default().to_owned(),
            status: get("status").map(|s| status_code(&s)).unwrap_or_default(),
            final_recipient: typed("final-recipient").and_then(|v| bare_address(&v)),
            original_recipient: typed("original-recipient").and_then(|v| bare_address(&v)),
            diagnostic: typed("diagnostic-code").unwrap_or_default(),
            remote_mta: typed("remote-mta").filter(|v| !v.is_empty()),
        });
    }
    (report, original)
}

/// Reads `message/disposition-notification`: the disposition and the original's id.
fn disposition(body: &[u8]) -> (Option<String>, Option<MsgId>) {
    let (mut disposition, mut original) = (None, None);
    for block in blocks(body) {
        if disposition.is_none() {
            disposition = block.first("disposition").map(header::text);
        }
        if original.is_none() {
            let id = block.first("original-message-id").map(header::text);
            original = id.and_then(|id| MsgId::parse(&id));
        }
    }
    (disposition, original)
}

/// Reads `message/feedback-report`, and the original's id where it is named.
fn feedback(body: &[u8]) -> (Feedback, Option<MsgId>) {
    let mut feedback = Feedback::default();
    let mut original = None;
    for block in blocks(body) {
        original = original.or_else(|| {
            let named = ["original-message-id", "x-original-message-id", "message-id"];
            named.iter().find_map(|n| block.first(n).and_then(id_of))
        });
        if feedback.kind.is_empty() {
            let kind = block.first("feedback-type").map(header::text);
            feedback.kind = kind.unwrap_or_default().to_ascii_lowercase();
        }
        for name in ["original-rcpt-to", "removal-recipient"] {
            let values = block.all(name).map(header::text);
            let addresses = values.filter_map(|v| bare_address(&untyped(&v)));
            let room = MAX_RECIPIENTS.saturating_sub(feedback.recipients.len());
            feedback.recipients.extend(addresses.take(room));
        }
    }
    (feedback, original)
}

/// Groups of fields with blank lines between them.
fn blocks(body: &[u8]) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut at = 0;
    while at < body.len() && blocks.len() < MAX_RECIPIENTS + 20 {
        let block = Block::read(body, at, |_| false);
        at = block.body_at.max(at + 1);
        if !block.fields.is_empty() {
            blocks.push(block);
        }
    }
    blocks
}

/// `rfc822; ann@x.example` without its type.
fn untyped(value: &str) -> String {
    let rest = match value.split_once(';') {
        Some((kind, rest)) if !kind.contains(['@', ' ']) || kind.len() < 12 => rest,
        _ => value,
    };
    header::clean_line(rest)
}

/// The address in a field of a report, without brackets, comments and `smtp:`.
pub(crate) fn bare_address(value: &str) -> Option<String> {
    let value = value.trim();
    let inner = match value.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or_default(),
        // A quoted local part may hold blanks and more (RFC 5321 §4.1.2).
        None if value.starts_with('"') && value.contains("\"@") => {
            let domain = value
                .find("\"@")
                .and_then(|at| value.get(at..)?.find([' ', '(', ',']));
            let end = value
                .find("\"@")
                .zip(domain)
                .map_or(value.len(), |(at, n)| at + n);
            value.get(..end).unwrap_or_default()
        }
        None => value
            .split([' ', '\t', '(', ','])
            .find(|word| word.contains('@'))
            .unwrap_or_default(),
    };
    let inner = inner.trim();
    let quoted = inner.starts_with('"') && inner.contains("\"@");
    let addr = if quoted {
        inner
    } else {
        let marks = |c| matches!(c, '"' | '\'' | '<' | '>' | '[' | ']');
        inner
            .trim_matches(marks)
            .trim_end_matches(['.', ',', ';', ':'])
    };
    let addr = match addr.split_once(':') {
        Some((scheme, rest))
            if matches!(
                scheme.to_ascii_lowercase().as_str(),
                "smtp" | "mailto" | "rfc822"
            ) =>
        {
            rest
        }
        _ => addr,
    };
    let (local, domain) = addr.rsplit_once('@')?;
    let blanks = !quoted && addr.contains(char::is_whitespace);
    let fits = addr.len() <= 320 && !local.is_empty() && !domain.is_empty() && !blanks;
    fits.then(|| addr.to_owned())
}

/// `5.1.1` of `5.1.1 (bad mailbox)`.
fn status_code(value: &str) -> String {
    let code: String = value
        .trim()
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .take(11)
        .collect();
    let parts = code.split('.').filter(|p| !p.is_empty()).count();
    if parts == 3 { code } else { String::new() }
}

/// The Message-IDs in a returned header block or in the text of a report that quotes the
/// original's header: lines `Message-ID: <..>`, also quoted or indented.
pub(super) fn ids_in_text(text: &str) -> Vec<MsgId> {
    let mut ids: Vec<MsgId> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let mark = |c: char| c.is_whitespace() || matches!(c, '>' | '|' | '*' | '#' | ':');
        let line = line.trim_start_matches(mark);
        let Some(value) = value_of_message_id(line) else {
            continue;
        };
        // The id may be folded to the next line.
        let value = if value.trim().is_empty() {
            lines
                .peek()
                .map(|l| l.trim_start_matches(mark))
                .unwrap_or_default()
        } else {
            value
        };
        let value = value.trim();
        let found = if value.starts_with('<') || value.contains('@') {
            crate::msgid::parse_list(value).into_iter().next()
        } else {
            None
        };
        ids.extend(found.filter(|id| !ids.contains(id)));
        if ids.len() >= MAX_EMBEDDED {
            break;
        }
    }
    ids
}

/// The value of `Message-ID:`, `Original-Message-ID:`, `Message ID =` and the like.
fn value_of_message_id(line: &str) -> Option<&str> {
    // Most lines are text.
    if !line.starts_with(['m', 'M', 'o', 'O', 'x', 'X', 'i', 'I']) {
        return None;
    }
    let (name, value) = line.split_once([':', '='])?;
    if name.len() > 40 || !name.is_ascii() {
        return None;
    }
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphabetic)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    matches!(
        plain.as_str(),
        "messageid"
            | "originalmessageid"
            | "xoriginalmessageid"
            | "internetmessageid"
            | "originalid"
    )
    .then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delivery_status_fields_are_read_per_recipient() {
        let (report, _) = delivery(
            b"Reporting-MTA: dns; mx.example\r\nArrival-Date: x\r\n\r\n\
              Final-Recipient: RFC822; <Ann@x.example>\r\nAction: failed (x)\r\n\
              Status: 5.1.1 (unknown)\r\nDiagnostic-Code: smtp; 550 5.1.1\r\n  no such user\r\n\r\n\
              Original-Recipient: rfc822;b@x.example\r\nAction: Delayed\r\nStatus: 4\r\n",
        );
        assert_eq!(report.reporting_mta.as_deref(), Some("mx.example"));
        let [a, b] = &report.recipients[..] else {
            panic!("{report:?}")
        };
        assert_eq!(a.final_recipient.as_deref(), Some("Ann@x.example"));
        assert_eq!((a.action.as_str(), a.status.as_str()), ("failed", "5.1.1"));
        assert_eq!(a.diagnostic, "550 5.1.1 no such user");
        assert_eq!(b.original_recipient.as_deref(), Some("b@x.example"));
        assert_eq!((b.action.as_str(), b.status.as_str()), ("delayed", ""));
    }

    #[test]
    fn disposition_and_feedback_are_read() {
        let (what, id) = disposition(
            b"Final-Recipient: rfc822;a@x\nOriginal-Message-ID: <o@x.example>\n\
              Disposition: manual-action/MDN-sent-manually; displayed\n",
        );
        assert!(what.unwrap().ends_with("displayed"));
        assert_eq!(id.unwrap().as_str(), "o@x.example");
        let (f, _) =
            feedback(b"Feedback-Type: Abuse\nVersion: 1\nOriginal-Rcpt-To: <a@x.example>\n");
        assert_eq!((f.kind.as_str(), f.recipients.len()), ("abuse", 1));
    }

    #[test]
    fn original_ids_are_found_in_quoted_and_folded_headers() {
        let text = "Message-ID: <a@x>\n> message-id:\n>   <b@x>\n  Message-Id: c@x\n\
                    Message-ID: none here\nIn-Reply-To: <d@x>\nMessage-ID: <a@x>";
        let ids: Vec<String> = ids_in_text(text).iter().map(ToString::to_string).collect();
        assert_eq!(ids, ["a@x", "b@x", "c@x"]);
    }

    #[test]
    fn a_report_with_endless_recipients_is_bounded() {
        let body = "Action: failed\n\n".repeat(100_000);
        assert_eq!(delivery(body.as_bytes()).0.recipients.len(), MAX_RECIPIENTS);
    }
}
