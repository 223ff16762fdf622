//! Encoded words in header fields (RFC 2047).

use std::borrow::Cow;

use super::{charset, text};

/// Decodes encoded words (RFC 2047), also those that break its rules: with blanks inside, without
/// their end, split in the middle of a character, glued to other text.
pub(super) fn decoded(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    // Bytes of the last words, and their charset: a character may be split between words.
    let mut open: Option<(String, Vec<u8>)> = None;
    let close = |open: &mut Option<(String, Vec<u8>)>, to: &mut String| {
        if let Some((label, bytes)) = open.take() {
            to.push_str(&charset::decode(&bytes, Some(&label)).0);
        }
    };
    while let Some(at) = rest.find("=?") {
        let (before, word) = rest.split_at(at);
        let Some((label, bytes, after)) = encoded_word(word) else {
            let (mark, after) = word.split_at(2);
            close(&mut open, &mut out);
            out.push_str(before);
            out.push_str(mark);
            rest = after;
            continue;
        };
        // White space between two encoded words is none.
        let joined = open.is_some() && before.trim().is_empty();
        if !joined {
            close(&mut open, &mut out);
            out.push_str(before);
        }
        match &mut open {
            // Each word of a charset with shift states starts anew.
            Some((known, all)) if known.eq_ignore_ascii_case(label) && !shifts(label) => {
                all.extend(bytes);
            }
            _ => {
                close(&mut open, &mut out);
                open = Some((label.to_owned(), bytes));
            }
        }
        rest = after;
    }
    close(&mut open, &mut out);
    out.push_str(rest);
    out
}

fn shifts(label: &str) -> bool {
    let label = label.to_ascii_lowercase();
    label.starts_with("iso-2022") || label.starts_with("utf-7") || label.starts_with("hz-")
}

/// Reads `=?charset?B?payload?=rest` into charset, bytes and rest.
fn encoded_word(word: &str) -> Option<(&str, Vec<u8>, &str)> {
    let (label, encoding, payload) = word_head(word)?;
    let base64 = matches!(encoding, "b" | "B");
    let end = word_end(payload, base64);
    let (payload, after) = payload.split_at(end.unwrap_or_else(|| {
        // Without its end it ends with its line, or where no such word goes on.
        payload.find(char::is_whitespace).unwrap_or(payload.len())
    }));
    let after = after.strip_prefix("?=").unwrap_or(after);
    let payload = payload.trim_end_matches('?').as_bytes();
    let bytes = if base64 {
        text::lenient_base64(payload)?
    } else {
        let spaced: Vec<u8> = payload
            .iter()
            .map(|b| if *b == b'_' { b' ' } else { *b })
            .collect();
        text::lenient_quoted_printable(&spaced)
    };
    Some((label, bytes, after))
}

/// The charset, the encoding and what follows of `=?charset?B?payload?=rest`.
fn word_head(word: &str) -> Option<(&str, &str, &str)> {
    let inner = word.strip_prefix("=?")?;
    let (label, rest) = inner.split_once('?')?;
    let encoding = rest.get(..1)?;
    let payload = rest.get(1..)?.strip_prefix('?')?;
    let is_label = !label.is_empty() && label.len() <= 60 && !label.contains(char::is_whitespace);
    (is_label && matches!(encoding, "b" | "B" | "q" | "Q")).then_some((label, encoding, payload))
}

/// Where the payload ends. A question mark may stand in it against the rules, also before an
/// encoded character: `?=20`.
fn word_end(payload: &str, base64: bool) -> Option<usize> {
    let mut from = 0;
    while let Some(rest) = payload.get(from..)
        && let Some(at) = rest.find("?=")
    {
        let end = from + at;
        let after = payload.get(end + 2..).unwrap_or_default();
        let hex = after.get(..2).is_some_and(|h| {
            h.bytes()
                .all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b))
        });
        let later = after
            .split_once("?=")
            .is_some_and(|(between, _)| !between.contains("=?"));
        if base64 || !hex || !later {
            return Some(end);
        }
        from = end + 2;
    }
    None
}

/// Joins neighbouring encoded words of the same charset and encoding. Senders split them in the
/// middle of a character, against RFC 2047 §5, and each half alone cannot be decoded.
pub(super) fn joined(line: &str) -> Cow<'_, str> {
    if line.matches("=?").count() < 2 {
        return Cow::Borrowed(line);
    }
    let mut joined = String::with_capacity(line.len());
    let mut rest = line;
    // Charset and encoding of the encoded word at the end of `joined`, and where its `?=` is.
    let mut last: Option<(String, usize)> = None;
    while let Some(at) = rest.find("=?") {
        let (before, word) = rest.split_at(at);
        let Some((head, payload, after)) = well_formed_word(word) else {
            let (mark, after) = word.split_at(2);
            joined.push_str(before);
            joined.push_str(mark);
            last = None;
            rest = after;
            continue;
        };
        let key = head.to_ascii_lowercase();
        match &last {
            // Base64 with padding stands for whole bytes and cannot be lengthened.
            Some((known, end))
                if *known == key
                    // Each word of a charset with shift states starts anew.
                    && !key.starts_with("iso-2022") && !key.starts_with("utf-7")
                    && before.trim().is_empty()
                    && !joined.get(..*end).unwrap_or_default().ends_with('=') =>
            {
                joined.truncate(*end);
            }
            _ => {
                joined.push_str(before);
                joined.push_str("=?");
                joined.push_str(head);
                joined.push('?');
            }
        }
        joined.push_str(payload);
        last = Some((key, joined.len()));
        joined.push_str("?=");
        rest = after;
    }
    joined.push_str(rest);
    Cow::Owned(joined)
}

/// Splits `=?charset?B?payload?=rest` into `charset?B`, `payload` and `rest`.
fn well_formed_word(word: &str) -> Option<(&str, &str, &str)> {
    let (label, encoding, payload) = word_head(word)?;
    let (payload, after) = payload.split_once("?=")?;
    if payload.contains('?') {
        return None;
    }
    let head = word.get(2..2 + label.len() + 1 + encoding.len())?;
    Some((head, payload, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_are_read_also_where_they_break_the_rules() {
        for (line, text) in [
            ("=?utf-8?q?caf=C3=A9?=", "café"),
            ("=?UTF-8?B?Y2Fmw6k=?= ok", "café ok"),
            ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
            ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
            ("=?utf-8*en?q?a_b?=", "a b"),
            ("=?iso-8859-1?q?=E9?= =?utf-8?q?=C3=A9?=", "éé"),
            // A character split between two words, also with padding.
            ("=?utf-8?q?caf=C3?= =?utf-8?q?=A9?=", "café"),
            ("=?utf-8?b?Y2Fmww==?= =?utf-8?b?qQ==?=", "café"),
            ("=?utf-8?Q?Hello World, =C3=A9?= x", "Hello World, é x"),
            ("=?utf-8?Q?What?=20now??= x", "What? now x"),
            ("=?utf-8?Q?Really??=", "Really"),
            ("=?utf-8?B?SGVsbG8", "Hello"),
            ("=?utf-8?B?SGVs bG8=?=", "Hello"),
            ("=?utf-8?B?SGVsbG8?=", "Hello"),
            ("Re:=?utf-8?q?a?=!", "Re:a!"),
            ("\"=?utf-8?q?a?=\"", "\"a\""),
            (
                "=?iso-2022-jp?B?GyRCJDMbKEI=?= =?iso-2022-jp?B?GyRCJDMbKEI=?=",
                "ここ",
            ),
            ("=?x-nobody?q?caf=E9?=", "café"),
            ("=?utf-8?x?a?= b", "=?utf-8?x?a?= b"),
            ("1 =? 2 ?= 3", "1 =? 2 ?= 3"),
            ("=?=?=?", "=?=?=?"),
            ("=?utf-8?Q??=", ""),
        ] {
            assert_eq!(decoded(line), text, "{line}");
        }
    }
}
