//! Delivery reports: by structure (RFC 3464, `X-Failed-Recipients`), else by wording and the
//! marks of a mail system, because half of all real ones have no multipart/report.

use serde::Serialize;

use super::phrases;
use crate::mime::{Mail, bare_address};
use crate::model::address_key;

/// What of the text is looked at: reports say it at their start.
const MAX_TEXT_BYTES: usize = 12 * 1024;
/// Failed addresses that are kept.
const MAX_RECIPIENTS: usize = 50;
/// Points at which wording makes a bounce.
const ENOUGH: u32 = 4;

/// How far the delivery got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BounceClass {
    /// It failed.
    Failed,
    /// Not yet delivered, still tried.
    Delayed,
    /// It was delivered, relayed or expanded: a success report.
    Delivered,
}

/// What a delivery report says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bounce {
    /// Failed, delayed or delivered.
    pub class: BounceClass,
    /// Enhanced status code (RFC 3463) of the first recipient that has one.
    pub status: Option<String>,
    /// Whether the failure is permanent (5.x.x) or transient (4.x.x), where it says.
    pub permanent: Option<bool>,
    /// Whether the address is gone, so that nothing must be sent to it again.
    pub address_dead: Option<bool>,
    /// The addresses that failed, as written.
    pub recipients: Vec<String>,
}

pub(super) fn by_structure(mail: &Mail) -> Option<(Bounce, Vec<String>)> {
    let mut why = Vec::new();
    let status_part = mail
        .report
        .as_ref()
        .is_some_and(|r| !r.recipients.is_empty());
    if status_part {
        why.push("delivery status part".to_owned());
    }
    if super::report_type_is(mail, "delivery-status") {
        why.push("multipart/report delivery-status".to_owned());
    }
    if mail.header("x-failed-recipients").is_some() {
        why.push("X-Failed-Recipients".to_owned());
    }
    // A person may forward a report, or answer with its parts attached.
    let is_report = super::report_type_is(mail, "delivery-status");
    let by_person = is_forward(&mail.subject) || !is_report && !mail.in_reply_to.is_empty();
    if why.is_empty() || by_person && !is_daemon(mail) && !null_sender(mail) {
        return None;
    }
    Some((describe(mail), why))
}

/// A reject in the form of a disposition notification (RFC 5429 §2.1.1, as Dovecot sends it):
/// from a mail system, about a mail that it threw away.
pub(super) fn by_rejection(mail: &Mail) -> Option<(Bounce, Vec<String>)> {
    let disposition = mail.disposition.as_deref()?.to_ascii_lowercase();
    let by_machine = disposition.contains("automatic-action") && disposition.contains("deleted");
    if !by_machine || !is_daemon(mail) {
        return None;
    }
    Some((
        describe(mail),
        vec!["rejected by the mail system".to_owned()],
    ))
}

pub(super) fn by_wording(mail: &Mail) -> Option<(Bounce, Vec<String>)> {
    let text = own_words(&mail.text);
    let signs = [
        (2, is_daemon(mail), "mail system as sender"),
        (1, null_sender(mail), "null sender"),
        (
            2,
            subject_says(&mail.subject),
            "subject of a delivery report",
        ),
        (
            2,
            phrases::FAILURE.is_in(text),
            "text of a delivery failure",
        ),
        (
            1,
            phrases::NAMES_RECIPIENT.is_in(text),
            "names the failed recipient",
        ),
        (1, returns_mail(mail), "returned mail"),
        (1, phrases::STATUS_CODE.is_in(text), "status code"),
        (1, phrases::DELAYED.is_in(text), "text of a delay"),
    ];
    let points: u32 = signs.iter().filter(|s| s.1).map(|s| s.0).sum();
    // A person can write about failures, under such a subject, and quote a report; but not from
    // a mail system or the null sender.
    let machine = is_daemon(mail) || null_sender(mail) || marked_automatic(mail);
    let subject_only =
        subject_says(&mail.subject) && mail.in_reply_to.is_empty() && points > ENOUGH;
    // A vacation notice has the null sender too, and may say that nothing is delivered.
    let reports = is_daemon(mail)
        || subject_says(&mail.subject)
        || returns_mail(mail) && phrases::FAILURE.is_in(text);
    let vacation = super::automatic::subject_says(&mail.subject);
    if points < ENOUGH || !reports || !(machine || subject_only) || vacation {
        return None;
    }
    let why = signs
        .iter()
        .filter(|s| s.1)
        .map(|s| s.2.to_owned())
        .collect();
    Some((describe(mail), why))
}

fn marked_automatic(mail: &Mail) -> bool {
    mail.header("auto-submitted").is_some_and(|v| {
        let v = v.trim().to_ascii_lowercase();
        !v.is_empty() && !v.starts_with("no")
    })
}

fn null_sender(mail: &Mail) -> bool {
    let path = mail.return_path.as_deref();
    let mbox_daemon = path.is_some_and(|p| {
        let local = p.rsplit_once('@').map_or(p, |(local, _)| local);
        local.eq_ignore_ascii_case("mailer-daemon")
    });
    path == Some("") || mbox_daemon
}

/// From a mail system, by address or by name.
fn is_daemon(mail: &Mail) -> bool {
    let Some(from) = &mail.from else {
        // `From: MAILER-DAEMON` and `From: <>` are no addresses.
        let raw = mail.header("from").unwrap_or_default().to_ascii_lowercase();
        return raw.contains("daemon") || raw.contains("postmaster") || raw.trim() == "<>";
    };
    let local = from
        .addr
        .rsplit_once('@')
        .map_or(from.addr.as_str(), |(local, _)| local);
    let name = from.name.to_ascii_lowercase();
    is_daemon_local(local)
        || [
            "mail delivery s",
            "mailer-daemon",
            "mailer daemon",
            "delivery subsystem",
            "postmaster",
        ]
        .iter()
        .any(|w| name.contains(w))
        || name == "system administrator"
}

/// Local parts of mail systems.
pub(super) fn is_daemon_local(local: &str) -> bool {
    let local = local.trim_matches('"').to_ascii_lowercase();
    let plain: String = local.chars().filter(char::is_ascii_alphanumeric).collect();
    matches!(
        plain.as_str(),
        "mailerdaemon"
            | "maildaemon"
            | "postmaster"
            | "mdaemon"
            | "daemon"
            | "systemadministrator"
            | "ndr"
            | "maildeliverysystem"
            | "mailsystem"
            | "imss"
    ) || plain.starts_with("mailerdaemon")
        || plain.starts_with("postmaster")
        || plain.ends_with("mailerdaemon")
        || plain.ends_with("postmaster")
}

fn is_forward(subject: &str) -> bool {
    let s = subject.trim_start().to_ascii_lowercase();
    [
        "fwd:", "fw:", "wg:", "tr:", "rv:", "i:", "enc:", "doorst:", "vb:",
    ]
    .iter()
    .any(|p| s.starts_with(p))
}

fn subject_says(subject: &str) -> bool {
    let subject = subject.trim();
    phrases::BOUNCE_SUBJECT.is_in(subject) || phrases::BOUNCE_SUBJECT_END.is_in(subject)
}

fn returns_mail(mail: &Mail) -> bool {
    !mail.embedded_headers.is_empty() || phrases::RETURNED.is_in(prefix(&mail.text, MAX_TEXT_BYTES))
}

/// The report's own text: before the returned mail, and bounded.
fn own_words(text: &str) -> &str {
    let text = prefix(text, MAX_TEXT_BYTES);
    match phrases::RETURNED.find(text) {
        // A report that starts with the returned mail says nothing before it.
        Some(found) if found.start() > 40 => text.get(..found.start()).unwrap_or(text),
        _ => text,
    }
}

fn describe(mail: &Mail) -> Bounce {
    let text = own_words(&mail.text);
    let status = status(mail, text);
    let class = class(mail, text);
    let diagnostics: String = mail
        .report
        .iter()
        .flat_map(|r| &r.recipients)
        .map(|r| r.diagnostic.as_str())
        .collect::<Vec<_>>()
        .join("\n");
    let permanent = match class {
        BounceClass::Delivered => None,
        BounceClass::Delayed => Some(false),
        BounceClass::Failed => permanence(status.as_deref(), &diagnostics, text),
    };
    let address_dead = match class {
        BounceClass::Failed => address_dead(status.as_deref(), &diagnostics, text),
        BounceClass::Delayed | BounceClass::Delivered => Some(false),
    };
    Bounce {
        class,
        permanent,
        address_dead,
        recipients: recipients(mail, text),
        status,
    }
}

fn class(mail: &Mail, text: &str) -> BounceClass {
    let actions: Vec<&str> = mail
        .report
        .iter()
        .flat_map(|r| &r.recipients)
        .map(|r| r.action.as_str())
        .filter(|a| !a.is_empty())
        .collect();
    if actions.contains(&"failed") {
        return BounceClass::Failed;
    }
    if actions.contains(&"delayed") {
        return BounceClass::Delayed;
    }
    if !actions.is_empty()
        && actions
            .iter()
            .all(|a| matches!(*a, "delivered" | "relayed" | "expanded"))
    {
        return BounceClass::Delivered;
    }
    let delayed = phrases::DELAYED.is_in(&mail.subject) || phrases::DELAYED.is_in(text);
    let gave_up = phrases::GAVE_UP.is_in(&mail.subject) || phrases::GAVE_UP.is_in(text);
    if delayed && !gave_up {
        BounceClass::Delayed
    } else {
        BounceClass::Failed
    }
}

fn status(mail: &Mail, text: &str) -> Option<String> {
    let recipients = || mail.report.iter().flat_map(|r| &r.recipients);
    let found = |text: &str| {
        let code = phrases::STATUS_CODE.captures(text)?.get(1)?;
        Some(code.as_str().to_owned())
    };
    let told = recipients()
        .map(|r| &r.status)
        .find(|s| !s.is_empty())
        .cloned();
    // `5.0.0` is what systems write that do not know; the other server may have said more.
    let vague = |s: &String| s.ends_with(".0.0");
    let diagnosed = || recipients().find_map(|r| found(&r.diagnostic));
    match told {
        Some(status) if !vague(&status) => Some(status),
        told => diagnosed()
            .or_else(|| if told.is_none() { found(text) } else { None })
            .or(told),
    }
}

fn permanence(status: Option<&str>, diagnostics: &str, text: &str) -> Option<bool> {
    if let Some(first) = status.and_then(|s| s.chars().next()) {
        return Some(first == '5');
    }
    let code = [diagnostics, text]
        .iter()
        .find_map(|t| phrases::REPLY_CODE.captures(t)?.get(1).map(|m| m.as_str()));
    match code {
        Some(code) => Some(code.starts_with('5')),
        None if phrases::ADDRESS_GONE.is_in(text) => Some(true),
        None => None,
    }
}

/// RFC 3463 §3.2 has the codes for addresses that are gone; where the code is vague the words
/// decide, and what speaks for a living address (full, blocked, policy) wins.
fn address_dead(status: Option<&str>, diagnostics: &str, text: &str) -> Option<bool> {
    let words = if diagnostics.trim().is_empty() {
        text
    } else {
        diagnostics
    };
    let gone = phrases::ADDRESS_GONE.is_in(words);
    let stays = phrases::ADDRESS_STAYS.is_in(words);
    if let Some(status) = status {
        let mut parts = status.split('.');
        let (class, subject, detail) = (parts.next(), parts.next(), parts.next());
        if class == Some("4") {
            return Some(false);
        }
        match (subject, detail) {
            // Bad mailbox, bad domain, bad syntax, moved, null MX (RFC 7505).
            (Some("1"), Some("1" | "2" | "3" | "6" | "10")) => return Some(gone || !stays),
            // What is wrong is the sender's address.
            (Some("1"), Some("7" | "8")) => return Some(false),
            (Some("2" | "3" | "7"), _) if !gone || stays => return Some(false),
            _ => {}
        }
    }
    if gone {
        return Some(true);
    }
    // Something is known of the failure, and nothing of it says that the address is gone.
    let known = stays || status.is_some() || phrases::REPLY_CODE.is_in(words);
    known.then_some(false)
}

/// The failed addresses: from the status fields, else X-Failed-Recipients, else the text.
fn recipients(mail: &Mail, text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut add = |addr: Option<String>| {
        let Some(addr) = addr else { return };
        let key = address_key(&addr);
        if !key.is_empty()
            && found.len() < MAX_RECIPIENTS
            && !found.iter().any(|f| address_key(f) == key)
        {
            found.push(addr);
        }
    };
    for r in mail.report.iter().flat_map(|r| &r.recipients) {
        if matches!(r.action.as_str(), "delivered" | "relayed" | "expanded") {
            continue;
        }
        // A forwarded address: the one that we wrote to is the original one.
        add(r
            .final_recipient
            .clone()
            .or_else(|| r.original_recipient.clone()));
    }
    for value in mail.header_values("x-failed-recipients") {
        for one in value.split([',', ';']) {
            add(bare_address(one));
        }
    }
    if found.is_empty() {
        let to: Vec<String> = mail.to.iter().chain(&mail.from).map(|a| a.key()).collect();
        let candidates = phrases::FAILED_ADDRESS
            .all(text)
            .filter_map(|c| Some(c.get(1)?.as_str().to_owned()))
            .filter(|addr| {
                let key = address_key(addr);
                let local = key.split('@').next().unwrap_or_default();
                !to.contains(&key) && !is_daemon_local(local) && key.contains('.')
            });
        for addr in candidates.take(3) {
            let key = address_key(&addr);
            if found.iter().all(|f| address_key(f) != key) {
                found.push(addr);
            }
        }
        // Without a list of them, only the first is certain to be one.
        found.truncate(1);
    }
    found
}

/// The longest prefix of at most `max` bytes that ends at a character.
pub(super) fn prefix(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
