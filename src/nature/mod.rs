//! What kind of mail a message is, by itself: the first sign that holds decides
//! (docs/DECISIONS.md, decision table). Pure.
//!
//! A bounce is decided before an automatic answer, because Exim marks its bounces
//! `Auto-Submitted: auto-replied`. Structure (a delivery status, a disposition notification, a
//! feedback report) goes before wording. Weak signs alone (list headers, `Precedence: bulk`, a
//! no-reply sender) stop an automatic answer, never the capture: they give [`Nature::Bulk`].
//! "Auto-Submitted: no" is what a person's mail may say.

mod absence;
mod automatic;
mod bounce;
mod complaint;
mod fold;
mod lexicon;
mod sentences;
mod subject;

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;

pub use absence::{Absence, Notice, StandIn, absence};
pub use automatic::Automatic;
pub use bounce::{Bounce, BounceClass};

pub use complaint::{accuses, complained_of};

use automatic::Verdict;
use bounce::{Notification, Report};

use crate::keys::Keys;
use crate::mime::Mail;
use crate::model::{Nature, address_key};
use crate::msgid::{self, MsgId};

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
    /// Of a bounce, a complaint or a receipt: the Message-ID of the mail that it is about.
    pub original_message_id: Option<MsgId>,
    /// Of a complaint: the addresses that it names as those that complain, as written.
    #[serde(skip)]
    complainants: Vec<String>,
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
            original_message_id: None,
            complainants: Vec::new(),
        }
    }
}

/// Compiles all patterns, which takes some 0.1 s: make it off the async threads.
pub fn warm_up() {
    lexicon::warm_up();
    bounce::warm_up();
}

/// Judges a mail. `ours` and `keys` tell our own mail from that of others.
#[must_use]
pub fn judge(mail: &Mail, ours: &Ours, keys: &Keys) -> Judged {
    let weak = weak_signs(mail);
    let mut judged = strong(mail, ours, keys).unwrap_or_else(|| {
        let nature = if weak.is_empty() {
            Nature::Human
        } else {
            Nature::Bulk
        };
        Judged::new(nature, Vec::new())
    });
    judged.weak_signs |= !weak.is_empty();
    judged
        .evidence
        .extend(weak.into_iter().map(|w| format!("weak: {w}")));
    judged
}

fn strong(mail: &Mail, ours: &Ours, keys: &Keys) -> Option<Judged> {
    if let Some(why) = own_sender(mail, ours) {
        return Some(one(Nature::Own, why));
    }
    let subject = subject::read(&mail.subject);
    let report = Report::new(mail, &subject);
    // Before our own Message-ID: Lotus Domino gives its report the id of the returned mail.
    if let Some((bounce, why)) = report.by_structure() {
        return Some(bounced(bounce, why));
    }
    if let Some(why) = own_mark(mail, keys) {
        return Some(one(Nature::Own, why));
    }
    if let Some((bounce, why)) = report.by_rejection() {
        return Some(bounced(bounce, why));
    }
    match bounce::notification(mail) {
        Some(Notification::Report(bounce)) => {
            return Some(bounced(bounce, vec!["Amazon SES notification".to_owned()]));
        }
        Some(Notification::Complaint(who, original)) => {
            let mut judged = one(Nature::Complaint, "Amazon SES notification");
            judged.original_message_id = original;
            judged.complainants = who;
            return Some(judged);
        }
        None => {}
    }
    if let Some(why) = receipt(mail, &subject) {
        let mut judged = one(Nature::Receipt, why);
        judged.original_message_id = bounce::original_id(mail);
        return Some(judged);
    }
    if let Some(judged) = complaint::judge(mail, &subject) {
        return Some(judged);
    }
    if let Some((bounce, why)) = report.by_list().or_else(|| report.by_wording()) {
        return Some(bounced(bounce, why));
    }
    // A calendar program's mail is a person's act, though it is marked as generated.
    if let Some(why) = calendar(mail) {
        return Some(one(Nature::Calendar, why));
    }
    match automatic::judge(mail, &subject) {
        Verdict::Automatic(kind, why) => {
            let mut judged = Judged::new(Nature::Automatic, why);
            judged.automatic = Some(kind);
            return Some(judged);
        }
        Verdict::Doubtful if mail.sealed.is_none() && weak_signs(mail).is_empty() => {
            let mut judged = one(Nature::Human, "weak: reads like an automatic answer");
            judged.weak_signs = true;
            return Some(judged);
        }
        Verdict::Doubtful | Verdict::No => {}
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

fn one(nature: Nature, why: &str) -> Judged {
    Judged::new(nature, vec![why.to_owned()])
}

fn bounced(bounce: Bounce, why: Vec<String>) -> Judged {
    let mut judged = Judged::new(Nature::Bounce, why);
    judged.permanent_bounce = bounce.permanent;
    judged.original_message_id = bounce.original_message_id.clone();
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

/// By signature only: the lead may use replyd as well, and what people send through theirs is
/// a reply like any other.
fn own_mark(mail: &Mail, keys: &Keys) -> Option<&'static str> {
    if mail
        .message_id
        .as_ref()
        .is_some_and(|id| msgid::is_ours(keys, id))
    {
        return Some("Message-ID is ours");
    }
    // Where a provider replaced that.
    let marked = mail
        .header_values(&msgid::OWN_ID_FIELD.to_ascii_lowercase())
        .filter_map(MsgId::parse)
        .any(|id| msgid::is_ours(keys, &id));
    marked.then_some("X-Replyd-Id is ours")
}

fn report_type_is(mail: &Mail, kind: &str) -> bool {
    mail.report_type.as_deref() == Some(kind)
}

/// A disposition notification (RFC 8098), or one that Outlook sent without its parts: `Read:`
/// and a text that repeats the mail's fields.
fn receipt(mail: &Mail, subject: &subject::Subject) -> Option<&'static str> {
    if mail.disposition.is_some() || report_type_is(mail, "disposition-notification") {
        return Some("disposition notification");
    }
    if !subject.receipt {
        return None;
    }
    let text = fold::fold(&mail.text, 1500);
    let says = [
        "was read on",
        "was displayed on",
        "has been read",
        "was deleted without being read",
        "wurde gelesen",
        "wurde am",
        "a ete lu",
        "fue leido",
        "foi lida",
        "foi lido",
        "e stato letto",
        "is gelezen",
        "lastes",
        "ble lest",
        "blev laest",
        "zostala przeczytana",
        "было прочитано",
        "прочитано",
        "開封され",
        "已读",
    ];
    says.iter()
        .any(|w| text.contains(w))
        .then_some("subject and text of a receipt")
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
        // Another installation: it marks also what a person wrote or approved.
        ("x-replyd", "X-Replyd of somebody else"),
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

/// The longest prefix of at most `max` bytes that ends at a character.
fn prefix(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod language_tests;
#[cfg(test)]
mod notice_tests;
#[cfg(test)]
mod tests;
