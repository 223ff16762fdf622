//! The header of the mail itself: who, to whom, what it answers, and its fallback identity.

use super::{MAX_HEADER_BYTES, MAX_HEADERS, Mail, dated_ahead, header, tree};
use crate::model::Address;
use crate::msgid::{self, MsgId};

pub(super) fn read(mut mail: Mail, tree: &tree::Tree<'_>) -> Mail {
    let block = &tree.header;
    if block.junk_lines > 0 {
        mail.odd("header_junk");
    }
    if block.too_many {
        mail.odd("header_too_long");
    }
    mail.content_type.clone_from(&tree.mime);
    let param = |name: &str| tree.params.iter().find(|(n, _)| n == name).map(|(_, v)| v);
    if tree.mime == "multipart/report" {
        mail.report_type = param("report-type").cloned();
    }
    mail.headers = decoded_fields(block, &mut mail.malformed);
    mail.header_digest_input = digest_input(block);

    let ids = |name: &'static str| -> Vec<MsgId> {
        let mut ids: Vec<MsgId> = block.all(name).flat_map(id_list).collect();
        if ids.len() > msgid::MAX_IDS {
            ids.drain(1..ids.len() - (msgid::MAX_IDS - 1));
        }
        ids
    };
    mail.message_id = ids("message-id").into_iter().next();
    mail.in_reply_to = ids("in-reply-to");
    mail.references = ids("references");
    if mail.message_id.is_none() {
        mail.odd("no_message_id");
    }
    for (name, word) in [
        ("message-id", "message_id_doubled"),
        ("subject", "subject_doubled"),
    ] {
        if block.all(name).count() > 1 {
            mail.odd(word);
        }
    }

    for value in block.all("from") {
        let senders = header::addresses(value);
        mail.from_count += senders.len().max(1);
        mail.from = mail.from.take().or_else(|| senders.into_iter().next());
    }
    match mail.from_count {
        0 => mail.odd("no_from"),
        1 if mail.from.is_none() => mail.odd("from_without_address"),
        1 => {}
        _ => mail.odd("several_from"),
    }
    let addresses = |name| -> Vec<Address> {
        let all = block.all(name).flat_map(header::addresses);
        all.take(100).collect()
    };
    mail.sender = addresses("sender").into_iter().next();
    mail.reply_to = addresses("reply-to");
    mail.to = addresses("to");
    mail.cc = addresses("cc");
    mail.bcc = addresses("bcc");
    mail.return_path = block.first("return-path").and_then(|value| {
        let value = header::text(value);
        let inner = value
            .split_once('<')
            .map_or(value.as_str(), |(_, rest)| rest);
        let inner = inner.split('>').next().unwrap_or_default().trim();
        // What is neither an address nor the null sender says nothing.
        (inner.is_empty() == value.contains("<>") && inner.len() <= 1000).then(|| inner.to_owned())
    });
    let charset = tree.parts.iter().find_map(|p| p.charset.as_deref());
    let subject = block.first("subject");
    mail.subject = subject
        .map(|s| header::text_in(s, charset))
        .unwrap_or_default();
    mail.date = block.first("date").and_then(header::date);
    if mail.date.is_none() {
        let word = match block.first("date") {
            Some(_) => "date_unreadable",
            None => "no_date",
        };
        mail.odd(word);
    }
    // The newest Received field is the one of the server that has the mailbox.
    let received = block.first("received").and_then(|value| {
        let at = value.iter().rposition(|b| *b == b';')?;
        header::date(value.get(at + 1..)?)
    });
    if received.is_some_and(|received| dated_ahead(&mail, received)) {
        mail.odd("date_ahead");
    }
    mail
}

/// The ids in a raw value, also where a sender encoded them as words (RFC 2047 forbids it).
pub(super) fn id_list(value: &[u8]) -> Vec<MsgId> {
    let text = String::from_utf8_lossy(value);
    let ids = msgid::parse_list(&text);
    if text.contains("=?") && text.contains("?=") {
        let decoded = msgid::parse_list(&header::text(value));
        if !decoded.is_empty() {
            return decoded;
        }
    }
    ids
}

pub(super) fn decoded_fields(
    block: &header::Block<'_>,
    malformed: &mut Vec<String>,
) -> Vec<(String, String)> {
    let mut left = MAX_HEADER_BYTES;
    let mut fields = Vec::new();
    for field in &block.fields {
        let value = header::text(field.value);
        if fields.len() >= MAX_HEADERS || value.len() > left {
            malformed.push("header_cut".to_owned());
            break;
        }
        left -= value.len();
        let name = String::from_utf8_lossy(field.name).to_ascii_lowercase();
        fields.push((name, value));
    }
    fields
}

/// The header without what is added on the way: Received, Return-Path, Delivered-To and their
/// kin, results and signatures of checks (ARC, DKIM, SPF), Resent-*, and all X- fields, because
/// systems on the way add those without a common name. Names lowered, white space folded, lines
/// sorted: some servers reorder fields.
fn digest_input(block: &header::Block<'_>) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for field in &block.fields {
        let name = field.name.to_ascii_lowercase();
        if is_trace(&name) {
            continue;
        }
        let mut line = name;
        line.push(b':');
        for word in field
            .value
            .split(u8::is_ascii_whitespace)
            .filter(|w| !w.is_empty())
        {
            line.push(b' ');
            line.extend_from_slice(word);
        }
        line.push(b'\n');
        lines.push(line);
    }
    lines.sort_unstable();
    let mut input = lines.concat();
    input.truncate(MAX_HEADER_BYTES);
    input
}

fn is_trace(name: &[u8]) -> bool {
    const PREFIXES: [&[u8]; 6] = [
        b"x-",
        b"arc-",
        b"resent-",
        b"dkim-",
        b"domainkey-",
        b"received",
    ];
    const NAMES: [&[u8]; 11] = [
        b"return-path",
        b"delivered-to",
        b"envelope-to",
        b"delivery-date",
        b"original-recipient",
        b"authentication-results",
        b"status",
        b"lines",
        b"bytes",
        b"xref",
        b"old-return-path",
    ];
    PREFIXES.iter().any(|p| name.starts_with(p)) || NAMES.contains(&name)
}
