//! Abuse reports: RFC 5965, and the complaints of providers that send another form.

use super::subject::Subject;
use super::{Judged, bounce, one, report_type_is};
use crate::mime::{Mail, bare_address};
use crate::model::{Nature, address_key};

/// The header in which Outlook.com's junk mail reporting names who complains.
const OUTLOOK: &str = "x-hmxmroriginalrecipient";

pub(super) fn judge(mail: &Mail, subject: &Subject) -> Option<Judged> {
    let why = sign(mail, subject)?;
    let mut judged = one(Nature::Complaint, why);
    judged.original_message_id = bounce::original_id(mail);
    judged.complainants = complainants(mail);
    Some(judged)
}

fn sign(mail: &Mail, subject: &Subject) -> Option<&'static str> {
    if mail.feedback.is_some() || report_type_is(mail, "feedback-report") {
        return Some("feedback report");
    }
    if mail.header("feedback-type").is_some() {
        return Some("Feedback-Type header");
    }
    // Outlook.com's junk mail reporting programme: the whole mail as an attachment.
    let marked = |headers: &[(String, String)]| headers.iter().any(|(name, _)| name == OUTLOOK);
    if marked(&mail.headers) || marked(&mail.embedded_headers) {
        return Some("X-HmXmrOriginalRecipient");
    }
    // X-ARF (xarf.org), of blocklists and network operators.
    if mail.header("x-arf").is_some() || mail.header("x-xarf").is_some() {
        return Some("X-ARF header");
    }
    if mail.header("x-spamcop-sourceip").is_some() {
        return Some("SpamCop report");
    }
    // Apple Mail's unsubscribe button: the person wants no more mail.
    if mail.header("x-apple-unsubscribe").is_some() {
        return Some("X-Apple-Unsubscribe header");
    }
    if subject.answers || subject.forwards {
        return None;
    }
    let from = mail.from_key();
    let line = super::prefix(&mail.subject, 200)
        .trim()
        .to_ascii_lowercase();
    if from == "staff@hotmail.com" && line.starts_with("complaint about message from") {
        return Some("junk mail report of Outlook.com");
    }
    // A feedback loop whose parts were lost on the way.
    let text = super::fold::fold(super::prefix(&mail.text, 1200), 1200);
    let says = [
        "this is an email abuse report for an email message",
        "this is a spam report for an email message",
        "this is an opt out report for an email message",
        "this is an authentication failure report for",
    ];
    let start = super::prefix(&text, 300);
    (says.iter().any(|w| start.contains(w)) && !mail.embedded_ids.is_empty())
        .then_some("text of a feedback report")
}

fn complainants(mail: &Mail) -> Vec<String> {
    let outlook = |headers: &[(String, String)]| -> Vec<String> {
        headers
            .iter()
            .filter(|(name, _)| name == OUTLOOK)
            .filter_map(|(_, value)| bare_address(value))
            .collect()
    };
    let mut addresses: Vec<String> = mail
        .feedback
        .iter()
        .flat_map(|f| f.recipients.iter().cloned())
        .collect();
    addresses.extend(outlook(&mail.headers));
    addresses.extend(outlook(&mail.embedded_headers));
    if mail.header("x-apple-unsubscribe").is_some() {
        addresses.extend(mail.from.iter().map(|f| f.addr.clone()));
    }
    addresses
}

/// Whether a report says that its reader wants no such mail. One of the types `not-spam` (RFC
/// 6430), `auth-failure` (RFC 6591) and `dmarc`, of which no reader knows, says nothing of the kind.
#[must_use]
pub fn accuses(mail: &Mail) -> bool {
    let kind = mail.feedback.as_ref().map_or("", |f| f.kind.trim());
    !matches!(kind, "not-spam" | "auth-failure" | "dmarc")
}

/// The addresses (as keys) that an abuse report names as those that complain: Original-Rcpt-To
/// and Removal-Recipient (RFC 5965 §3.2), the header in which Outlook.com puts them, those of an
/// Amazon SES notification, and who pressed Apple Mail's button. Empty for every other mail, and
/// for a report that does not accuse ([`accuses`]). Bounded by what a report may name.
#[must_use]
pub fn complained_of(mail: &Mail, judged: &Judged) -> Vec<String> {
    if judged.nature != Nature::Complaint || !accuses(mail) {
        return Vec::new();
    }
    let mut keys: Vec<String> = judged.complainants.iter().map(|a| address_key(a)).collect();
    keys.retain(|k| !k.is_empty() && !k.contains(char::is_whitespace));
    keys.sort();
    keys.dedup();
    keys
}
