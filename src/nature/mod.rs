//! What kind of mail a message is, by itself: the first sign that holds decides
//! (docs/DECISIONS.md, decision table). Pure.
//!
//! A bounce is decided before an automatic answer, because Exim marks its bounces
//! `Auto-Submitted: auto-replied`. Structure (a delivery status, a disposition notification, a
//! feedback report) goes before wording. Weak signs alone (list headers, `Precedence: bulk`, a
//! no-reply sender) stop an automatic answer, never the capture: they give [`Nature::Bulk`].
//! "Auto-Submitted: no" is what a person's mail may say.

mod automatic;
mod bounce;
mod phrases;

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;

pub use automatic::Automatic;
pub use bounce::{Bounce, BounceClass};

use crate::keys::Keys;
use crate::mime::{Mail, bare_address};
use crate::model::{Nature, address_key};
use crate::msgid;

/// The addresses on our side, as keys ([`address_key`]).
#[derive(Clone, Default)]
pub struct Ours {
    /// From which we send, and which we watch.
    pub addresses: HashSet<String>,
    /// Of the sales team.
    pub sales: HashSet<String>,
    /// Of the operators.
    pub operators: HashSet<String>,
}

impl fmt::Debug for Ours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (addresses, sales) = (self.addresses.len(), self.sales.len());
        f.debug_struct("Ours")
            .field("addresses", &addresses)
            .field("sales", &sales)
            .finish_non_exhaustive()
    }
}

/// The nature of a mail, and why.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// The one kind.
    pub nature: Nature,
    /// There are weak signs of a machine, whatever the nature: no automatic answer.
    pub weak_signs: bool,
    /// The signs that decided, as short words; no text of the mail.
    pub evidence: Vec<String>,
    /// Of a bounce: whether the failure is permanent; `None` when it does not say, and for
    /// every other nature.
    pub permanent_bounce: Option<bool>,
    /// What a bounce says.
    pub bounce: Option<Bounce>,
    /// What kind of automatic mail.
    pub automatic: Option<Automatic>,
}

impl Judged {
    fn new(nature: Nature, evidence: Vec<String>) -> Self {
        Self {
            nature,
            weak_signs: false,
            evidence,
            permanent_bounce: None,
            bounce: None,
            automatic: None,
        }
    }
}

/// Compiles all patterns, which takes some 0.1 s: make it off the async threads.
pub fn warm_up() {
    for (_, pattern) in phrases::ALL {
        pattern.warm_up();
    }
}

/// Judges a mail. `ours` and `keys` tell our own mail from that of others.
#[must_use]
pub fn judge(mail: &Mail, ours: &Ours, keys: &Keys) -> Judged {
    let weak = weak_signs(mail);
    let mut judged = strong(mail, ours, keys).unwrap_or_else(|| {
        if weak.is_empty() {
            Judged::new(Nature::Human, Vec::new())
        } else {
            Judged::new(Nature::Bulk, Vec::new())
        }
    });
    judged.weak_signs = !weak.is_empty();
    judged
        .evidence
        .extend(weak.into_iter().map(|w| format!("weak: {w}")));
    judged
}

fn strong(mail: &Mail, ours: &Ours, keys: &Keys) -> Option<Judged> {
    let one = |nature, why: &str| Judged::new(nature, vec![why.to_owned()]);
    if let Some(why) = own_sender(mail, ours) {
        return Some(one(Nature::Own, why));
    }
    // Before our own Message-ID: Lotus Domino gives its report the id of the returned mail.
    if let Some((bounce, why)) = bounce::by_structure(mail) {
        return Some(bounced(bounce, why));
    }
    if let Some(why) = own_mark(mail, keys) {
        return Some(one(Nature::Own, why));
    }
    if let Some((bounce, why)) = bounce::by_rejection(mail) {
        return Some(bounced(bounce, why));
    }
    if mail.disposition.is_some() || report_type_is(mail, "disposition-notification") {
        return Some(one(Nature::Receipt, "disposition notification"));
    }
    if let Some(why) = complaint(mail) {
        return Some(one(Nature::Complaint, why));
    }
    if let Some((bounce, why)) = bounce::by_wording(mail) {
        return Some(bounced(bounce, why));
    }
    // A calendar program's mail is a person's act, though it is marked as generated.
    if let Some(why) = calendar(mail) {
        return Some(one(Nature::Calendar, why));
    }
    if let Some((kind, why)) = automatic::judge(mail) {
        let mut judged = Judged::new(Nature::Automatic, why);
        judged.automatic = Some(kind);
        return Some(judged);
    }
    mail.sealed.map(|sealed| {
        let why = match sealed {
            crate::mime::Sealed::Pgp => "PGP encrypted",
            crate::mime::Sealed::Smime => "S/MIME sealed",
            crate::mime::Sealed::Tnef => "TNEF only",
        };
        one(Nature::Unreadable, why)
    })
}

fn bounced(bounce: Bounce, why: Vec<String>) -> Judged {
    let mut judged = Judged::new(Nature::Bounce, why);
    judged.permanent_bounce = bounce.permanent;
    judged.bounce = Some(bounce);
    judged
}

fn own_sender(mail: &Mail, ours: &Ours) -> Option<&'static str> {
    let has = |key: String| !key.is_empty() && ours.addresses.contains(&key);
    if has(mail.from_key()) {
        return Some("From is ours");
    }
    // A server of ours that forwards to the watched mailbox may put our address into the
    // Return-Path of a lead's reply: it counts only where there is no From.
    let path = mail.return_path.as_deref().unwrap_or_default();
    if mail.from.is_none() && has(address_key(path)) {
        return Some("Return-Path is ours");
    }
    None
}

fn own_mark(mail: &Mail, keys: &Keys) -> Option<&'static str> {
    if mail
        .message_id
        .as_ref()
        .is_some_and(|id| msgid::is_ours(keys, id))
    {
        return Some("Message-ID is ours");
    }
    let marked = mail
        .headers
        .iter()
        .any(|(name, _)| name.starts_with("x-replyd"));
    marked.then_some("X-Replyd header")
}

pub(super) fn report_type_is(mail: &Mail, kind: &str) -> bool {
    mail.report_type.as_deref() == Some(kind)
}

/// RFC 5965, and the complaints of providers that send another form.
fn complaint(mail: &Mail) -> Option<&'static str> {
    if mail.feedback.is_some() || report_type_is(mail, "feedback-report") {
        return Some("feedback report");
    }
    if mail.header("feedback-type").is_some() {
        return Some("Feedback-Type header");
    }
    // Outlook.com's junk mail reporting programme: the whole mail as an attachment.
    let marked = |headers: &[(String, String)]| {
        let mut names = headers.iter().map(|(name, _)| name.as_str());
        names.any(|name| name == "x-hmxmroriginalrecipient")
    };
    if marked(&mail.headers) || marked(&mail.embedded_headers) {
        return Some("X-HmXmrOriginalRecipient");
    }
    // Apple Mail's unsubscribe button: the person wants no more mail.
    if mail.header("x-apple-unsubscribe").is_some() {
        return Some("X-Apple-Unsubscribe header");
    }
    None
}

/// The addresses (as keys) that an abuse report names as those that complain: Original-Rcpt-To
/// and Removal-Recipient (RFC 5965 §3.2), the header in which Outlook.com puts them, and who
/// pressed Apple Mail's button. Empty for every other mail, and for a report that a mail is no
/// spam. Bounded by what a report may name.
#[must_use]
pub fn complained_of(mail: &Mail, judged: &Judged) -> Vec<String> {
    let not_spam = mail.feedback.as_ref().is_some_and(|f| f.kind == "not-spam");
    if judged.nature != Nature::Complaint || not_spam {
        return Vec::new();
    }
    let outlook = |headers: &[(String, String)]| -> Vec<String> {
        headers
            .iter()
            .filter(|(name, _)| name == "x-hmxmroriginalrecipient")
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
    let mut keys: Vec<String> = addresses.iter().map(|a| address_key(a)).collect();
    if mail.header("x-apple-unsubscribe").is_some() {
        keys.push(mail.from_key());
    }
    keys.retain(|k| !k.is_empty() && !k.contains(char::is_whitespace));
    keys.sort();
    keys.dedup();
    keys
}

fn calendar(mail: &Mail) -> Option<&'static str> {
    let method = mail.calendar_method.as_deref()?;
    let why = match method {
        "REPLY" => "calendar REPLY",
        "REQUEST" => "calendar REQUEST",
        "COUNTER" => "calendar COUNTER",
        "CANCEL" => "calendar CANCEL",
        "DECLINECOUNTER" => "calendar DECLINECOUNTER",
        // PUBLISH and ADD are no answers.
        _ => return None,
    };
    let replied = mail
        .header("auto-submitted")
        .is_some_and(|v| v.to_ascii_lowercase().starts_with("auto-replied"));
    (!replied).then_some(why)
}

/// Signs of bulk or machine mail that a person's mail carries too.
fn weak_signs(mail: &Mail) -> Vec<&'static str> {
    let mut signs = Vec::new();
    let precedence = mail
        .header("precedence")
        .unwrap_or_default()
        .to_ascii_lowercase();
    for (word, sign) in [
        ("bulk", "Precedence bulk"),
        ("list", "Precedence list"),
        ("junk", "Precedence junk"),
    ] {
        if precedence.contains(word) {
            signs.push(sign);
        }
    }
    for (name, sign) in [
        ("list-id", "List-Id"),
        ("list-unsubscribe", "List-Unsubscribe"),
        ("list-post", "List-Post"),
        ("x-mailing-list", "X-Mailing-List"),
        ("x-auto-response-suppress", "X-Auto-Response-Suppress"),
        ("feedback-id", "Feedback-ID"),
        ("x-campaign-id", "X-Campaign-Id"),
        ("x-csa-complaints", "X-CSA-Complaints"),
    ] {
        if mail.header(name).is_some() {
            signs.push(sign);
        }
    }
    if mail.return_path.as_deref() == Some("") {
        signs.push("null Return-Path");
    }
    if is_no_reply(&mail.from_key()) {
        signs.push("no-reply sender");
    }
    signs
}

/// Local parts that nobody reads: `no-reply`, `do.not.reply`, `bounces+x` ...
fn is_no_reply(key: &str) -> bool {
    let Some((local, _)) = key.rsplit_once('@') else {
        return false;
    };
    let plain: String = local.chars().filter(char::is_ascii_alphanumeric).collect();
    [
        "noreply",
        "donotreply",
        "dontreply",
        "nepasrepondre",
        "noresponder",
        "nichtantworten",
    ]
    .iter()
    .any(|w| plain.contains(w))
        || bounce::is_daemon_local(local)
        || plain.starts_with("bounce")
}

#[cfg(test)]
mod tests;
