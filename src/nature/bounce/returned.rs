//! Where in a report the returned mail begins, and that mail's Message-ID.

use super::super::prefix;
use crate::mime::Mail;
use crate::msgid::MsgId;

/// What of a report's text is read: reports say it at their start.
const MAX_TEXT_BYTES: usize = 16 * 1024;

/// What the line before a returned mail says, in lower case; the line has a rule or ends with a
/// colon, or is nothing else.
const MARKS: &[&str] = &[
    "original message",
    "original mail",
    "original email",
    "original e-mail",
    "original header",
    "original text",
    "returned message",
    "returned mail",
    "returned text",
    "return message",
    "unsent message",
    "old message",
    "message as received",
    "undelivered message",
    "undelivered mail",
    "undeliverable message",
    "failed message",
    "bounced message",
    "rejected message",
    "message header",
    "mail header",
    "email header",
    "headers follow",
    "header follows",
    "message follows",
    "message text follows",
    "copy of the message",
    "copy of your message",
    "copy of the original",
    "copy of the mail",
    "copy of the first part",
    "copy of the header",
    "copy of the body",
    "copy of your mail",
    "a copy of the message",
    "included is a copy",
    "here is a copy",
    "here is your message",
    "here is the message",
    "your message follows",
    "your message reads",
    "your original message",
    "text of your message",
    "text of the message",
    "text of the original",
    "the first part of the message",
    "the header of the",
    "the headers of the",
    "start of the message",
    "start of returned",
    "begin message",
    "begin header",
    "begin returned",
    "ursprüngliche nachricht",
    "originalnachricht",
    "original-nachricht",
    "originalmail",
    "kopie der nachricht",
    "kopie ihrer nachricht",
    "kopie der mail",
    "header der nachricht",
    "header der ursprünglichen",
    "nachrichtenkopf",
    "message d'origine",
    "message original",
    "en-têtes du message",
    "copie du message",
    "mensaje original",
    "mensaje devuelto",
    "encabezados del mensaje",
    "copia del mensaje",
    "mensagem original",
    "cabeçalhos da mensagem",
    "cópia da mensagem",
    "messaggio originale",
    "intestazioni del messaggio",
    "copia del messaggio",
    "oorspronkelijk bericht",
    "oorspronkelijke bericht",
    "origineel bericht",
    "kopie van het bericht",
    "ursprungligt meddelande",
    "ursprungliga meddelandet",
    "originalmeddelande",
    "oprindelig meddelelse",
    "opprinnelig melding",
    "alkuperäinen viesti",
    "oryginalna wiadomość",
    "původní zpráva",
    "исходное сообщение",
    "оригинальное сообщение",
    "заголовки сообщения",
    "текст сообщения",
    "özgün ileti",
    "orijinal mesaj",
    "元のメール",
    "元のメッセージ",
    "送信メール",
    "原邮件",
    "原始邮件",
    "原始郵件",
    "原信",
];

/// Header fields with which a returned mail starts.
const FIRST_FIELDS: &[&str] = &[
    "received:",
    "return-path:",
    "delivered-to:",
    "x-received:",
    "dkim-signature:",
    "arc-seal:",
    "authentication-results:",
    "x-google-smtp-source:",
    "x-envelope-from:",
];

/// The report's own text: before the returned mail, and bounded.
pub(super) fn before_returned(text: &str) -> &str {
    let text = prefix(text, MAX_TEXT_BYTES);
    let mut at = 0;
    let mut said = false;
    for line in text.split_inclusive('\n') {
        // A report that starts with the returned mail says nothing before it.
        if said && is_mark(line) {
            return text.get(..at).unwrap_or(text);
        }
        said |= at + line.len() > 40 && line.contains(char::is_alphanumeric);
        at += line.len();
    }
    text
}

fn is_mark(line: &str) -> bool {
    let rule = |c: char| matches!(c, '-' | '=' | '*' | '_' | '+' | '~');
    let quote = |c: char| c.is_whitespace() || matches!(c, '>' | '|' | ':');
    let ruled = line.trim_start().starts_with(rule);
    let bare = line.trim_matches(|c| rule(c) || quote(c) || c == '#');
    if bare.is_empty() || bare.len() > 160 {
        return false;
    }
    let head = bare.trim_start().to_lowercase();
    if FIRST_FIELDS.iter().any(|f| head.starts_with(f)) {
        return true;
    }
    let Some(at) = MARKS.iter().find_map(|m| head.find(m)) else {
        return false;
    };
    let colon = line.trim_end().ends_with([':', '-', '：']);
    // `The following did NOT receive a copy of your message:`; `Original Message Details` of
    // Microsoft 365, and `原邮件信息` of Chinese providers, stand before the reason.
    let details = ["details", "信息", "資訊"].iter().any(|w| head.contains(w));
    if !ruled && head.contains(" not ") || details {
        return false;
    }
    // `Your original message could not be delivered` goes on.
    let alone = at <= 24 && bare.len() <= 60 && !head.contains(" was ");
    ruled || colon || alone && line.trim_end().ends_with(['.', ',']) || bare.len() <= 40 && at <= 12
}

/// Whether the mail shows a returned mail, as a part or in its text.
pub(super) fn is_returned(mail: &Mail) -> bool {
    !mail.embedded_headers.is_empty()
        || before_returned(&mail.text).len() < prefix(&mail.text, MAX_TEXT_BYTES).len()
}

/// The Message-ID of the mail that a mail system's report is about, where the report shows
/// nothing of that mail, as Gmail's without parts: it answers it, and both In-Reply-To and
/// References say so. One of them alone may name the thread.
pub(super) fn answered_id(mail: &Mail) -> Option<MsgId> {
    let parent = mail.in_reply_to.first();
    let named = parent.filter(|id| mail.references.last() == Some(id));
    named.cloned()
}

/// The Message-ID of the mail that a report is about.
pub(in crate::nature) fn original_id(mail: &Mail) -> Option<MsgId> {
    mail.embedded_ids.first().cloned()
}
