//! Whom a mail did not reach: from the status fields, else `X-Failed-Recipients`, else the text,
//! where an address counts by what stands around it.

use std::collections::HashSet;

use super::{BounceClass, Report, is_daemon, is_daemon_local};
use crate::mime::{Mail, bare_address};
use crate::model::address_key;
use crate::nature::fold::fold_phrase;
use crate::nature::lexicon::{self, Cue};
use crate::nature::prefix;

/// Failed addresses that are kept.
const MAX_RECIPIENTS: usize = 50;
/// Addresses of one header, or of the text, that are looked at.
const MAX_LISTED: usize = 200;
/// Lines of a report's text that are looked at.
const MAX_LINES: usize = 400;
/// Points at which an address in the text counts as failed.
const SURE: i32 = 3;

/// One failure.
#[derive(Clone, Debug, Default)]
pub(super) struct Failure {
    /// The address that failed.
    pub(super) address: Option<String>,
    /// The address that the sender wrote, if it is another one.
    pub(super) original: Option<String>,
    /// Status field, empty when there is none.
    pub(super) status: String,
    /// What the other server said, or the text about this address.
    pub(super) words: String,
}

/// The addresses of failures, each once.
pub(super) fn addresses(failures: &[Failure]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut keys = HashSet::new();
    for failure in failures {
        for address in [&failure.original, &failure.address].into_iter().flatten() {
            let key = address_key(address);
            if !key.is_empty() && found.len() < MAX_RECIPIENTS && keys.insert(key) {
                found.push(address.clone());
            }
        }
    }
    found
}

/// All failures that a report names.
pub(super) fn of(report: &Report<'_>, class: BounceClass) -> Vec<Failure> {
    let mut failures: Vec<Failure> = Vec::new();
    for r in report.statuses() {
        let counts = match class {
            BounceClass::Failed => !matches!(
                r.action.as_str(),
                "delivered" | "relayed" | "expanded" | "delayed"
            ),
            BounceClass::Delayed => {
                !matches!(r.action.as_str(), "delivered" | "relayed" | "expanded")
            }
            BounceClass::Delivered => true,
        };
        if counts {
            failures.push(Failure {
                address: r.final_recipient.clone(),
                original: r.original_recipient.clone(),
                status: r.status.clone(),
                words: r.diagnostic.clone(),
            });
        }
    }
    let named = |failures: &[Failure]| {
        let mut all = failures.iter();
        all.any(|f| f.address.is_some() || f.original.is_some())
    };
    let header = report.mail.header_values("x-failed-recipients");
    let listed = header.flat_map(|v| v.split([',', ';'])).take(MAX_LISTED);
    let mut keys: HashSet<String> = addresses(&failures)
        .iter()
        .map(|a| address_key(a))
        .collect();
    for address in listed.filter_map(bare_address) {
        if failures.len() < MAX_RECIPIENTS && keys.insert(address_key(&address)) {
            failures.push(Failure {
                address: Some(address),
                ..Failure::default()
            });
        }
    }
    // The header names them, the text says why.
    if failures.len() > 1
        && failures
            .iter()
            .all(|f| f.status.is_empty() && f.words.is_empty())
    {
        for found in of_text(report) {
            let key = found.address.as_deref().map(address_key);
            let same = |f: &&mut Failure| f.address.as_deref().map(address_key) == key;
            if let Some(failure) = failures.iter_mut().find(same) {
                failure.words = found.words;
            }
        }
    }
    if !named(&failures) {
        let in_text = of_text(report);
        if failures.len() == 1
            && let (Some(known), Some(found)) = (failures.first_mut(), in_text.first())
        {
            known.address.clone_from(&found.address);
            failures.extend(in_text.into_iter().skip(1));
        } else {
            failures.extend(in_text);
        }
    }
    if !named(&failures)
        && let Some(address) = of_returned(report.mail)
    {
        failures.push(Failure {
            address: Some(address),
            ..Failure::default()
        });
    }
    failures
}

/// Whether the text names an address as the failed one, for certain.
pub(super) fn names_one(report: &Report<'_>) -> bool {
    !of_text(report).is_empty()
}

struct Found<'t> {
    address: &'t str,
    key: String,
    points: i32,
    line: usize,
}

fn of_text(report: &Report<'_>) -> Vec<Failure> {
    let text = report.own_words();
    let mail = report.mail;
    let lines: Vec<&str> = text.lines().take(MAX_LINES).collect();
    // Lotus Domino sends its report in the name of the recipient that it does not know.
    let system = mail.from.iter().filter(|_| is_daemon(mail));
    let ours: Vec<String> = mail.to.iter().chain(system).map(|a| a.key()).collect();
    let mut found: Vec<Found<'_>> = Vec::new();
    let mut cued_until = 0;
    let mut seen = 0;
    // Each line is looked at once, however many addresses stand around it.
    let mut reasons: Vec<Option<bool>> = vec![None; lines.len()];
    let mut has_reason_at = |n: usize| {
        let Some((known, line)) = reasons.get_mut(n).zip(lines.get(n)) else {
            return false;
        };
        *known.get_or_insert_with(|| has_reason(line))
    };
    for (n, line) in lines.iter().enumerate() {
        if is_cue(line) {
            cued_until = n + 5;
        }
        // An indented list below its cue.
        let cued = n > 0 && n <= cued_until;
        for (at, address) in addresses_in(line) {
            seen += 1;
            if seen > MAX_LISTED {
                break;
            }
            let key = address_key(address);
            let local = key.split('@').next().unwrap_or_default();
            if ours.contains(&key) || is_daemon_local(local) || !key.contains('.') {
                continue;
            }
            let mut points = points_of_line(line, at, address);
            if points > 0 && cued {
                points += 2;
            }
            let said = points > 0 && (n..n + 3).any(&mut has_reason_at);
            if said {
                points += 2;
            }
            if points <= 0 {
                continue;
            }
            if let Some(known) = found.iter_mut().find(|f| f.key == key) {
                known.points = known.points.max(points) + 1;
            } else if found.len() < MAX_RECIPIENTS {
                let line = n;
                found.push(Found {
                    key,
                    address,
                    points,
                    line,
                });
            }
        }
    }
    let best = found.iter().map(|f| f.points).max().unwrap_or_default();
    let sure: Vec<&Found<'_>> = if best >= SURE {
        let least = SURE.max(best - 2);
        found.iter().filter(|f| f.points >= least).collect()
    } else {
        // Without a sure one the best is taken.
        found
            .iter()
            .find(|f| f.points == best)
            .into_iter()
            .collect()
    };
    if sure.is_empty() {
        return bare_name(mail, &lines).into_iter().collect();
    }
    let mut failures = Vec::new();
    for (i, f) in sure.iter().enumerate() {
        let end = sure
            .get(i + 1)
            .map_or(lines.len(), |next| next.line.max(f.line + 1));
        let block = lines.get(f.line..end).unwrap_or_default();
        let words = words_of(block, lines.get(..f.line).unwrap_or_default());
        failures.push(Failure {
            address: Some(f.address.to_owned()),
            words: if sure.len() > 1 { words } else { String::new() },
            ..Failure::default()
        });
    }
    failures
}

/// What a report says of one of several addresses: its paragraph from the address on, or, as
/// Lotus Domino has it, the lines before.
fn words_of(block: &[&str], before: &[&str]) -> String {
    let blank = |l: &&str| l.trim().is_empty();
    let mut words: Vec<&str> = block.iter().take(1).copied().collect();
    let rest = block.get(1..).unwrap_or_default();
    let rest = rest.iter().copied().skip_while(blank);
    words.extend(rest.take_while(|l| !blank(l)));
    if words.len() <= 1 && !words.iter().any(|l| has_reason(l)) {
        words.extend(
            before
                .iter()
                .rev()
                .copied()
                .take_while(|l| !blank(l))
                .take(6),
        );
    }
    words.join("\n")
}

/// A line that announces failed addresses, in any language of the lexicon.
fn is_cue(line: &str) -> bool {
    let folded = fold_phrase(prefix(line, 300));
    const WORDS: &[&str] = &[
        "recipient",
        "address",
        "deliver",
        "following",
        "did not reach",
        "empfanger",
        "adress",
        "destinat",
        "geadresseerde",
        "mottagare",
        "modtager",
        "mottaker",
        "zugestellt",
        "remis",
        "entreg",
        "recapit",
        "bezorgd",
        "доставлен",
        "адрес",
        "宛先",
        "配信",
        "收件人",
        "odbior",
        "failed",
        "reach",
    ];
    WORDS.iter().any(|w| folded.contains(w))
}

/// A line with a reply or status code, or with the words of a failure.
fn has_reason(line: &str) -> bool {
    if super::reason::has_code(line) {
        return true;
    }
    let folded = fold_phrase(prefix(line, 300));
    !lexicon::in_reason(&folded)
        .iter()
        .all(|h| h.cue == Cue::GoneNoun)
}

/// How much a line speaks for its address being the failed one; 0 and less: it does not.
fn points_of_line(line: &str, at: usize, address: &str) -> i32 {
    let marks = |c: char| !c.is_alphanumeric();
    let before = line.get(..at).unwrap_or_default();
    let after = line.get(at + address.len()..).unwrap_or_default();
    let label = before.trim().to_lowercase();
    let first = label.split([':', '=']).next().unwrap_or_default().trim();
    let label_like = before.contains(':') || before.contains('=');
    const SENDERS: &[&str] = &[
        "from",
        "sender",
        "return-path",
        "reply-to",
        "message-id",
        "received",
        "cc",
        "bcc",
        "subject",
        "date",
        "envelope-from",
        "mail from",
        "errors-to",
        "references",
        "in-reply-to",
        "absender",
        "von",
        "betreff",
        "de",
        "da",
        "expéditeur",
        "remitente",
        "contact",
        "server",
        "host",
        "reporting-mta",
        "original message details",
    ];
    if label_like && SENDERS.contains(&first) || label.contains("mail from") {
        return 0;
    }
    // An address in a link is the link's.
    let word = before.rsplit(char::is_whitespace).next();
    if word.is_some_and(|w| w.contains("://")) {
        return 0;
    }
    let help = offers_help(line, at, address);
    const RECIPIENTS: &[&str] = &[
        "recipient",
        "final-recipient",
        "original-recipient",
        "original address",
        "recipient address",
        "rcpt to",
        "failed",
        "failed recipient",
        "failed addresses",
        "empfänger",
        "address",
        "addressed to",
        "delivered to",
        "original recipient",
        "user",
        "to deliver",
        "an",
        "unknown user",
        "smtp",
        "destinataire",
        "destinatario",
        "email",
    ];
    let mut points = 1;
    if before.chars().all(marks) {
        points += 1;
        if after.chars().all(marks) {
            points += 2;
        }
    }
    if label_like && RECIPIENTS.iter().any(|r| first.ends_with(r)) {
        points += 3;
    }
    let to_it = [
        "addressed to",
        "delivered to",
        "deliver to",
        "sent to",
        "rcpt to",
        "mailbox for",
        "message to",
        "mail to",
        "email to",
        "recipient",
        "delivery to",
        "an den empfänger",
        "to the address",
        "e-mail to",
        "an die adresse",
    ];
    if to_it.iter().any(|w| {
        label.ends_with(w)
            || label.ends_with(&format!("{w}:"))
            || label.ends_with(&format!("{w}:<"))
            || label.ends_with(&format!("{w} <"))
    }) {
        points += 2;
    }
    if help {
        points -= 3;
    }
    points
}

/// Whether the words around an address say whom to ask, or what to use instead. Addresses and
/// links say nothing of it (`support@` may be the one that failed), nor does what the other server
/// answered about the address before.
fn offers_help(line: &str, at: usize, address: &str) -> bool {
    let before = line.get(..at).unwrap_or_default();
    let after = line.get(at + address.len()..).unwrap_or_default();
    let listed = before.chars().all(|c| !c.is_alphanumeric());
    let ends = after.trim_start_matches(['>', '"', '\'', ')', ']']);
    if listed && ends.starts_with(':') {
        return false;
    }
    if before.ends_with("mailto:") {
        return true;
    }
    let after = after.split(" said:").next().unwrap_or(after);
    // Of several addresses each has its own sentence.
    let several = before.contains('@') || after.contains('@');
    let ends = [". ", "! ", "? ", "; "];
    let (mut before, mut after) = (before, after);
    if several {
        let from = ends
            .iter()
            .filter_map(|e| before.rfind(e).map(|n| n + e.len()));
        before = before.get(from.max().unwrap_or(0)..).unwrap_or(before);
        let to = ends.iter().filter_map(|e| after.find(e)).min();
        after = after.get(..to.unwrap_or(after.len())).unwrap_or(after);
    }
    let words: Vec<String> = [before, after]
        .iter()
        .flat_map(|part| part.split_whitespace())
        .filter(|w| !w.contains('@') && !w.contains("://"))
        .map(str::to_lowercase)
        .collect();
    let words = words.join(" ");
    const HELP: &[&str] = &[
        "contact",
        "assistance",
        "further",
        "questions",
        "support",
        "help",
        "postmaster",
        "please send",
        "please reply",
        "please forward",
        "please use",
        "please write",
        "instead",
        "abuse",
        "wenden sie",
        "administrator",
        "for more information",
        "your mail system",
        "if you feel",
        "sent from",
        "message from",
        "mail from",
        "e.g.",
        "for example",
    ];
    HELP.iter().any(|w| words.contains(w))
}

/// The addresses of a line with their places.
fn addresses_in(line: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let line = prefix(line, 2000);
    for (at, _) in line.match_indices('@').take(20) {
        let local = local_part(line.get(..at).unwrap_or_default());
        let domain = domain(line.get(at + 1..).unwrap_or_default());
        if local.is_empty() || local.len() > 128 || !domain.contains('.') {
            continue;
        }
        let start = at - local.len();
        if let Some(address) = line.get(start..at + 1 + domain.len()) {
            found.push((start, address));
        }
    }
    found
}

fn local_part(before: &str) -> &str {
    // A quoted one may hold anything.
    if let Some(open) = before.strip_suffix('"').and_then(|b| b.rfind('"')) {
        return before.get(open..).unwrap_or_default();
    }
    let plain = before.ends_with(|c: char| c.is_ascii());
    let fits = |c: char| {
        (c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c)) && !(plain && is_unspaced(c))
    };
    let local = before
        .char_indices()
        .rev()
        .take_while(|(_, c)| fits(*c))
        .last()
        .map_or("", |(at, _)| before.get(at..).unwrap_or_default());
    // `dda:SMTP=ann@x.example` and `'ann@x.example'`.
    let local = local.rsplit(['\'', '`']).next().unwrap_or(local);
    match local.rsplit_once('=') {
        Some((key, rest))
            if matches!(
                key.to_ascii_lowercase().as_str(),
                "smtp" | "to" | "rcpt" | "addr" | "address" | "email"
            ) =>
        {
            rest
        }
        _ => local,
    }
}

/// Chinese, Japanese, Korean: words go on behind an address without a blank.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}')
}

fn domain(after: &str) -> &str {
    let plain = after.starts_with(|c: char| c.is_ascii());
    let mut end = 0;
    for (at, c) in after.char_indices() {
        if !(c.is_alphanumeric() || matches!(c, '.' | '-')) || plain && is_unspaced(c) {
            break;
        }
        // `x.example...User unknown`
        if c == '.'
            && after
                .get(at + 1..)
                .is_none_or(|r| !r.starts_with(char::is_alphanumeric))
        {
            break;
        }
        end = at + c.len_utf8();
    }
    after.get(..end).unwrap_or_default().trim_end_matches('-')
}

/// AOL names its own users without their domain: a single word in the list of failures.
fn bare_name(mail: &Mail, lines: &[&str]) -> Option<Failure> {
    let cue = lines.iter().position(|l| {
        let l = l.trim_end();
        (l.ends_with(':') || l.ends_with(": =")) && is_cue(l)
    })?;
    let word = lines
        .iter()
        .skip(cue + 1)
        .map(|l| l.trim())
        .find(|l| !l.is_empty())?;
    let fits = (1..=32).contains(&word.len())
        && word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    let from = mail.from.as_ref().and_then(|f| f.addr.rsplit_once('@'));
    let aol = mail
        .headers
        .iter()
        .any(|(name, _)| name.starts_with("x-aol-"));
    let domain = match from {
        Some((_, domain)) => domain.to_owned(),
        None if aol => "aol.com".to_owned(),
        None => return None,
    };
    fits.then(|| Failure {
        address: Some(format!("{word}@{}", domain.to_lowercase())),
        ..Failure::default()
    })
}

/// The one recipient of the returned mail.
fn of_returned(mail: &Mail) -> Option<String> {
    let mut to = mail.embedded_headers.iter().filter(|(n, _)| n == "to");
    let from_part = to.next().map(|(_, v)| v.clone());
    let value = from_part.or_else(|| {
        let own = super::returned::before_returned(&mail.text).len();
        let rest = prefix(mail.text.get(own..).unwrap_or_default(), 16 * 1024);
        rest.lines().find_map(|l| {
            let l = l.trim_start_matches(|c: char| c.is_whitespace() || c == '>');
            let value = l.strip_prefix("To:").or_else(|| l.strip_prefix("TO:"))?;
            Some(value.to_owned())
        })
    })?;
    if value.matches('@').count() != 1 {
        return None;
    }
    bare_address(&value)
}
