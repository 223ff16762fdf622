//! From the parts of a message to its text, its reports, its attachments.

use std::sync::Arc;

use super::files::At;
use super::html::{MAX_HTML_BYTES, Page};
use super::tree::{self, Encoding, Part, Tree};
use super::{Attachment, MAX_TEXT_BYTES, Mail, Sealed, charset, report, text};

/// Attachments that are listed.
const MAX_ATTACHMENTS: usize = 100;
/// What of a calendar is searched.
const MAX_SEARCHED_BYTES: usize = 256 * 1024;

pub(super) fn read(mut mail: Mail, raw: &[u8], tree: &Tree<'_>) -> Mail {
    let html_texts = collect_text(&mut mail, raw, tree);
    report::read(&mut mail, raw, tree);
    read_calendar(&mut mail, raw, tree);
    list_attachments(&mut mail, raw, tree, html_texts);
    mail.sealed = sealed(&mail, tree);
    mail
}

fn is_plain(part: &Part<'_>) -> bool {
    // Without a Content-Type it is plain text (RFC 2045 §5.2).
    matches!(part.mime.as_str(), "" | "text/plain" | "text")
        || !part.mime.contains('/') && part.mime != "message"
}

fn is_html(part: &Part<'_>) -> bool {
    matches!(part.mime.as_str(), "text/html" | "application/xhtml+xml")
}

/// A part of the mail itself that may be its text.
fn may_be_shown(part: &Part<'_>) -> bool {
    part.message_depth == 0 && !part.attachment && part.encoding != Encoding::Other
}

/// A part that is shown.
struct Shown {
    part: usize,
    /// Tidy text, or HTML.
    content: String,
    is_html: bool,
}

/// Fills `mail.text` and `mail.page`; returns which parts they were made of.
fn collect_text(mail: &mut Mail, raw: &[u8], tree: &Tree<'_>) -> Vec<usize> {
    let mut used = Vec::new();
    // Alternatives that have given plain text already.
    let mut served: Vec<usize> = Vec::new();
    // First those that come as text, so that of an alternative the text is taken.
    let mut shown: Vec<Shown> = Vec::new();
    let mut room = MAX_TEXT_BYTES;
    for (i, part) in tree.parts.iter().enumerate() {
        let named = part.name.is_some() && tree.parts.len() > 1;
        if !may_be_shown(part) || !is_plain(part) || named || room == 0 {
            continue;
        }
        let (decoded, files) = text::without_uuencode(plain(mail, raw, part));
        for (nth, file) in files.into_iter().enumerate() {
            if mail.attachments.len() >= MAX_ATTACHMENTS {
                break;
            }
            mail.attachments.push(Attachment {
                name: super::header::clean_line(&file.name),
                content_type: "application/octet-stream".to_owned(),
                size: file.size,
                at: At::InText { part: i, nth },
            });
        }
        used.push(i);
        let is_html = looks_like_html(&decoded);
        let content = if is_html {
            decoded
        } else {
            cut_to(mail, text::tidy(&decoded), &mut room)
        };
        if content.is_empty() || part.alternative > 0 && is_stand_in(tree, part, &content) {
            continue;
        }
        if part.alternative > 0 {
            served.push(part.alternative);
        }
        shown.push(Shown {
            part: i,
            content,
            is_html,
        });
    }
    let first_plain = shown.first().map(|s| s.part);
    let first_html = tree
        .parts
        .iter()
        .position(|p| may_be_shown(p) && is_html(p));
    // HTML beside the plain text of the same message: its marks tell what is quoted.
    let mut beside: Vec<String> = Vec::new();
    let mut html_room = MAX_HTML_BYTES;
    for (i, part) in tree.parts.iter().enumerate() {
        if !may_be_shown(part) || !is_html(part) || html_room == 0 {
            continue;
        }
        let named = part.name.is_some() && tree.parts.len() > 1;
        // The same text came as plain text: in the alternative, or before it in a mixed.
        let known = if part.alternative > 0 {
            served.contains(&part.alternative)
        } else {
            named || first_plain.is_some_and(|p| p < i) && first_html == Some(i)
        };
        used.push(i);
        if known && named {
            continue;
        }
        let (decoded, odd) = text::decoded(raw, part);
        let content = text::prefix(&decoded, html_room).to_owned();
        html_room -= content.len();
        if known {
            beside.push(content);
            continue;
        }
        if let Some(odd) = odd {
            mail.odd(odd);
        }
        shown.push(Shown {
            part: i,
            content,
            is_html: true,
        });
    }
    shown.sort_by_key(|s| s.part);
    if shown.iter().any(|s| s.is_html) {
        let page = page_of(&shown);
        if page.cut {
            mail.odd("html_cut");
        }
        let mut room = MAX_TEXT_BYTES;
        mail.text = cut_to(mail, page.text(), &mut room);
        mail.html_only = shown.iter().all(|s| s.is_html);
        mail.page = Some(Arc::new(page));
    } else {
        let texts: Vec<&str> = shown.iter().map(|s| s.content.as_str()).collect();
        mail.text = text::prefix(&texts.join("\n\n"), MAX_TEXT_BYTES).to_owned();
        if !beside.is_empty() {
            mail.page = Some(Arc::new(Page::read(&beside.join("<br>"))));
        }
    }
    if mail.text.is_empty() {
        use_what_is_left(mail, raw, tree, &mut used);
    }
    used
}

/// `This message requires an HTML viewer.`: in place of the words that its HTML holds.
fn is_stand_in(tree: &Tree<'_>, part: &Part<'_>, content: &str) -> bool {
    const MAX_BYTES: usize = 200;
    if content.len() > MAX_BYTES || content.contains('?') {
        return false;
    }
    let lower = content.to_lowercase();
    let speaks_of_it = lower.contains("html")
        && [
            "viewer",
            "reader",
            "capable",
            "compatible",
            "enabled",
            "support",
            "mail client",
        ]
        .iter()
        .any(|w| lower.contains(w));
    let beside = |p: &Part<'_>| p.alternative == part.alternative && may_be_shown(p) && is_html(p);
    speaks_of_it && tree.parts.iter().any(beside)
}

/// One page of all that is shown, in its order.
fn page_of(shown: &[Shown]) -> Page {
    let mut source = String::new();
    for one in shown {
        if one.is_html {
            source.push_str(&one.content);
        } else {
            source.push_str("<pre>");
            for c in one.content.chars() {
                match c {
                    '<' => source.push_str("&lt;"),
                    '&' => source.push_str("&amp;"),
                    c => source.push(c),
                }
            }
            source.push_str("</pre>");
        }
        // What a part leaves open ends with it, at least for blocks.
        source.push_str("<br>");
    }
    Page::read(&source)
}

/// The text of a plain part, with format=flowed undone.
fn plain(mail: &mut Mail, raw: &[u8], part: &Part<'_>) -> String {
    let (decoded, odd) = text::decoded(raw, part);
    if let Some(odd) = odd {
        mail.odd(odd);
    }
    let param = |name: &str, value: &str| part.params.iter().any(|(n, v)| n == name && v == value);
    if param("format", "flowed") {
        text::unflow(&decoded, param("delsp", "yes"))
    } else {
        decoded
    }
}

/// Some programs send HTML as plain text.
fn looks_like_html(text: &str) -> bool {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let starts = |with: &str| {
        let head = start.get(..with.len());
        head.is_some_and(|h| h.eq_ignore_ascii_case(with))
    };
    (starts("<html") || starts("<!doctype html")) && start.contains("</")
}

/// Nothing that is text by its type and place: a text part of another kind, a named one, one of
/// a nested message when the mail is nothing else, or the preamble of a multipart.
fn use_what_is_left(mail: &mut Mail, raw: &[u8], tree: &Tree<'_>, used: &mut Vec<usize>) {
    let nested_only = tree.mime.starts_with("message/") || tree.mime == "multipart/digest";
    let depths = tree.parts.iter().filter(|p| is_plain(p) || is_html(p));
    let level = match depths.map(|p| p.message_depth).min() {
        Some(depth) if nested_only => depth,
        _ => 0,
    };
    for (i, part) in tree.parts.iter().enumerate() {
        let readable = is_plain(part) || is_html(part) || part.mime == "text/enriched";
        if part.message_depth > level || part.attachment || !readable || used.contains(&i) {
            continue;
        }
        let (decoded, _) = text::decoded(raw, part);
        let text = if is_plain(part) {
            text::tidy(&decoded)
        } else {
            Page::read(&decoded).text()
        };
        if !text.is_empty() {
            mail.text = cut_to(mail, text, &mut { MAX_TEXT_BYTES });
            mail.html_only = !is_plain(part);
            used.push(i);
            return;
        }
    }
    if tree.mime != "multipart/report" {
        return;
    }
    // Old mail systems tell what failed above the first part.
    let preamble = raw.get(tree.preamble.clone()).unwrap_or_default();
    let (preamble, _) = charset::decode(text::head(preamble), None);
    let preamble = text::tidy(&preamble);
    if !is_mime_notice(&preamble) {
        mail.text = preamble;
    }
}

/// "This is a multi-part message in MIME format."
fn is_mime_notice(preamble: &str) -> bool {
    let lower = preamble.to_lowercase();
    preamble.len() < 400
        && (lower.contains("mime") || lower.contains("multipart") || lower.contains("multi-part"))
}

fn cut_to(mail: &mut Mail, text: String, room: &mut usize) -> String {
    if text.len() > *room {
        mail.odd("text_cut");
        let cut = text::prefix(&text, *room).to_owned();
        *room = 0;
        return cut;
    }
    *room -= text.len();
    text
}

fn read_calendar(mail: &mut Mail, raw: &[u8], tree: &Tree<'_>) {
    let calendar = tree.parts.iter().find(|p| {
        p.message_depth == 0 && matches!(p.mime.as_str(), "text/calendar" | "application/ics")
    });
    let Some(part) = calendar else { return };
    let (decoded, _) = text::decoded(raw, part);
    let decoded = text::prefix(&decoded, MAX_SEARCHED_BYTES);
    let declared = part.params.iter().find(|(n, _)| n == "method");
    let method = declared
        .map(|(_, v)| v.to_ascii_uppercase())
        .or_else(|| calendar_value(decoded, "METHOD").map(|m| m.to_ascii_uppercase()));
    mail.calendar_method = method.filter(|m| !m.is_empty());
    if mail.text.is_empty() {
        // Never an empty message.
        let shown = ["SUMMARY", "DTSTART", "LOCATION", "DESCRIPTION"]
            .iter()
            .filter_map(|name| calendar_value(decoded, name))
            .map(|v| v.replace("\\n", "\n").replace("\\,", ","))
            .collect::<Vec<_>>();
        mail.text = text::tidy(&shown.join("\n"));
    }
}

/// The value of the first property `name` (RFC 5545 §3.1), unfolded, of the event if there is
/// one: a time zone before it has a DTSTART of its own.
fn calendar_value(calendar: &str, name: &str) -> Option<String> {
    let event = match calendar.find("BEGIN:VEVENT") {
        Some(at) if name != "METHOD" => calendar.get(at..).unwrap_or_default(),
        _ => calendar,
    };
    let mut lines = event.lines().peekable();
    while let Some(line) = lines.next() {
        let is_it = line
            .get(..name.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(name));
        let rest = line.get(name.len()..).unwrap_or_default();
        if !is_it || !rest.starts_with([':', ';']) {
            continue;
        }
        let mut value = rest.split_once(':').map(|(_, v)| v.to_owned())?;
        while let Some(more) = lines.next_if(|l| l.starts_with([' ', '\t'])) {
            value.push_str(more.get(1..).unwrap_or_default());
        }
        return Some(value.trim().to_owned());
    }
    None
}

fn list_attachments(mail: &mut Mail, raw: &[u8], tree: &Tree<'_>, used: Vec<usize>) {
    let used: std::collections::HashSet<usize> = used.into_iter().collect();
    for (i, part) in tree.parts.iter().enumerate() {
        if part.message_depth > 0 || used.contains(&i) {
            continue;
        }
        if mail.attachments.len() >= MAX_ATTACHMENTS {
            mail.odd("attachments_cut");
            break;
        }
        let encoded = raw.get(part.body.clone()).map_or(0, <[u8]>::len);
        // Base64 has four characters for three bytes, and a line end after 76 of them.
        let size = match part.encoding {
            Encoding::Base64 => encoded / 78 * 57 + encoded % 78 * 3 / 4,
            _ => encoded,
        };
        mail.attachments.push(Attachment {
            name: part.name.clone().unwrap_or_default(),
            content_type: part.mime.clone(),
            size,
            at: At::Part(i),
        });
    }
}

fn sealed(mail: &Mail, tree: &Tree<'_>) -> Option<Sealed> {
    let param = |name: &str| {
        tree.params
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    if mail.content_type == "multipart/encrypted" {
        let smime = param("protocol").is_some_and(|p| p.contains("pkcs7"));
        return Some(if smime { Sealed::Smime } else { Sealed::Pgp });
    }
    if mail.text.starts_with("-----BEGIN PGP MESSAGE-----") {
        return Some(Sealed::Pgp);
    }
    if !mail.text.is_empty() {
        return None;
    }
    let has = |wanted: fn(&Part<'_>) -> bool| {
        tree.parts.iter().any(|p| p.message_depth == 0 && wanted(p))
    };
    let named = |p: &Part<'_>, ends: &str| {
        p.name
            .as_deref()
            .is_some_and(|n| n.to_ascii_lowercase().ends_with(ends))
    };
    if has(|p| {
        matches!(
            p.mime.as_str(),
            "application/pkcs7-mime" | "application/x-pkcs7-mime"
        )
    }) || tree.parts.iter().any(|p| named(p, "smime.p7m"))
    {
        return Some(Sealed::Smime);
    }
    if has(|p| p.mime == "application/pgp-encrypted") {
        return Some(Sealed::Pgp);
    }
    let tnef = has(|p| {
        matches!(
            p.mime.as_str(),
            "application/ms-tnef" | "application/vnd.ms-tnef"
        )
    }) || tree.parts.iter().any(|p| named(p, "winmail.dat"));
    tnef.then_some(Sealed::Tnef)
}

/// Whether input ended inside the header, or inside a part that text or report come from.
pub(super) fn is_cut_in_text(tree: &Tree<'_>, raw: &[u8]) -> bool {
    if tree.odd.contains(&"header_not_ended") {
        return true;
    }
    let Some(last) = tree.parts.last() else {
        // Cut before the first part: a long preamble.
        return tree.mime.starts_with("multipart/");
    };
    // In a message without parts the only one runs to the end, cut or not.
    if last.closed && tree.parts.len() > 1 || last.body.end < raw.len() {
        return false;
    }
    if last.message_depth > 0 || last.attachment {
        return false;
    }
    if is_html(last) {
        let plain = tree.parts.iter().any(|p| {
            is_plain(p) && may_be_shown(p) && p.alternative == last.alternative && p.closed
        });
        return !plain || last.alternative == 0;
    }
    is_plain(last) && last.name.is_none() || last.mime.starts_with("message/")
}

// The walk's limits and the ones here are meant for each other.
const _: () = assert!(tree::MAX_DEPTH >= 100 && tree::MAX_PARTS >= 1000);
