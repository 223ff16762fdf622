//! Bytes to text: by label, by alias, by guess, with replacement characters, in this order.
//! A wrong label never loses the text.

use mail_parser::decoders::charsets::map::charset_decoder;

/// What was odd about the charset; nothing when label and bytes agree.
pub(super) type Oddity = Option<&'static str>;

/// Decodes `bytes` by the charset `label`; never fails.
pub(super) fn decode(bytes: &[u8], label: Option<&str>) -> (String, Oddity) {
    if let Some(text) = by_byte_order_mark(bytes) {
        return (text, None);
    }
    let label = label.map(normal).unwrap_or_default();
    match label.as_str() {
        // Unlabelled, or a label that says nothing about bytes above 127.
        "" | "us_ascii" | "ascii" | "ansi_x3.4_1968" | "7bit" | "8bit" => {
            let odd = (!bytes.is_ascii()).then_some("charset_guessed");
            (guess(bytes), odd)
        }
        "utf_8" => match std::str::from_utf8(bytes) {
            Ok(text) => (text.to_owned(), None),
            Err(_) => (not_quite_utf8(bytes), Some("charset_mislabelled")),
        },
        other => match charset_decoder(alias(other).as_bytes()) {
            Some(decoder) => (decoder(bytes), None),
            None => (guess(bytes), Some("charset_unknown")),
        },
    }
}

fn by_byte_order_mark(bytes: &[u8]) -> Option<String> {
    if let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        return Some(String::from_utf8_lossy(rest).into_owned());
    }
    let is_utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    is_utf16
        .then(|| charset_decoder(b"utf-16"))
        .flatten()
        .map(|decoder| decoder(bytes))
}

/// Lower case, `_` for `-`, without quotes, blanks and RFC 2231 language.
fn normal(label: &str) -> String {
    let label = label.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let label = label.split('*').next().unwrap_or_default();
    let mut normal: String = label
        .chars()
        .take(40)
        .map(|c| match c {
            '-' | ' ' => '_',
            c => c.to_ascii_lowercase(),
        })
        .collect();
    if matches!(
        normal.as_str(),
        "utf8" | "unicode_1_1_utf_8" | "utf_8_bom" | "utf8mb4" | "cp65001" | "x_utf_8" | "utf"
    ) {
        "utf_8".clone_into(&mut normal);
    }
    normal
}

/// Labels that mail-parser's table does not have.
fn alias(label: &str) -> String {
    let known = match label {
        "iso_2022_jp_ms"
        | "iso_2022_jp_1"
        | "iso_2022_jp_2"
        | "iso_2022_jp_3"
        | "iso_2022_jp_2004"
        | "cp50220"
        | "cp50221"
        | "x_windows_iso2022jp" => "iso_2022_jp",
        "cp932" | "windows_932" | "x_ms_cp932" | "shiftjis" | "shift_jisx0213" => "windows_31j",
        "cp949" | "ms949" | "x_windows_949" | "uhc" | "ks_c_5601" | "ksc_5601_1987" => {
            "windows_949"
        }
        "gb_18030" | "x_gb18030" | "gb18030_2000" | "gb18030_2005" => "gb18030",
        "cp_936" | "gb2312_1980" | "x_cp936" | "euc_cn" | "gbk_1" => "gbk",
        "cp950" | "windows_950" | "ms950" | "big_5" => "big5",
        "eucjp" | "x_eucjp" | "eucjp_ms" | "cp51932" => "euc_jp",
        "euckr" | "x_euc_kr" => "euc_kr",
        "tis620" => "tis_620",
        "koi8r" => "koi8_r",
        "koi8u" => "koi8_u",
        "latin_1" | "8859_1" | "iso_8859" | "iso8859" | "latin" | "ansi" | "iso_8859_1_windows" => {
            "iso_8859_1"
        }
        "utf16" => "utf_16",
        "utf16le" => "utf_16le",
        "utf16be" => "utf_16be",
        "utf7" | "unicode_1_1_utf_7" => "utf_7",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    // win-1251, windows1251, cp-1251, ansi-1251, x-windows-1251 ...
    let digits = label.trim_start_matches(|c: char| !c.is_ascii_digit());
    let head = label.strip_suffix(digits).unwrap_or_default();
    if digits.len() == 4 && digits.starts_with("125") {
        let head = head.trim_end_matches('_');
        if matches!(
            head,
            "win" | "windows" | "cp" | "ansi" | "x_windows" | "ms" | "ms_ansi"
        ) {
            return format!("windows_{digits}");
        }
    }
    label.to_owned()
}

/// Text without a usable label.
fn guess(bytes: &[u8]) -> String {
    // ISO-2022-JP is pure ASCII with escapes, so it is valid UTF-8 too.
    let shifts = |seq: &[u8]| bytes.windows(seq.len()).any(|w| w == seq);
    if (shifts(b"\x1b$B") || shifts(b"\x1b$@"))
        && let Some(decoder) = charset_decoder(b"iso_2022_jp")
    {
        return decoder(bytes);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => not_quite_utf8(bytes),
    }
}

/// Not valid UTF-8. With real UTF-8 sequences in it, it is damaged or cut UTF-8; otherwise the
/// most frequent legacy charset, which is a superset of ISO 8859-1.
fn not_quite_utf8(bytes: &[u8]) -> String {
    let lossy = String::from_utf8_lossy(bytes);
    let (mut sequences, mut broken) = (0_usize, 0_usize);
    for c in lossy.chars() {
        match c {
            char::REPLACEMENT_CHARACTER => broken += 1,
            c if !c.is_ascii() => sequences += 1,
            _ => {}
        }
    }
    if sequences >= broken {
        return lossy.into_owned();
    }
    match charset_decoder(b"windows_1252") {
        Some(decoder) => decoder(bytes),
        None => lossy.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_decoded_by_label_and_alias() {
        for (bytes, label, text) in [
            (&b"\xe1\xe9"[..], "iso-8859-1", "áé"),
            (b"\x80", "ISO-8859-1", "€"),
            (b"\xcf\xf0", "windows-1251", "Пр"),
            (b"\xcf\xf0", "win-1251", "Пр"),
            (b"\xcf\xf0", "CP1251", "Пр"),
            (b"\xc4\xe3", "gb2312", "你"),
            (b"\x87\x40", "cp932", "①"),
            (b"\x1b$B%O\x1b(B", "iso-2022-jp-ms", "ハ"),
            (b"\xbe\xc8", "ks_c_5601-1987", "안"),
            (b"\xbe\xc8", "x-windows-949", "안"),
            ("é".as_bytes(), "\"UTF8\"", "é"),
            ("é".as_bytes(), "unicode-1-1-utf-8", "é"),
            (b"+AOk-", "utf-7", "é"),
        ] {
            assert_eq!(
                decode(bytes, Some(label)),
                (text.to_owned(), None),
                "{label}"
            );
        }
    }

    #[test]
    fn a_wrong_or_missing_label_loses_no_text() {
        for (bytes, label, text, odd) in [
            ("é".as_bytes(), None, "é", Some("charset_guessed")),
            (b"caf\xe9", None, "café", Some("charset_guessed")),
            (
                b"caf\xe9",
                Some("us-ascii"),
                "café",
                Some("charset_guessed"),
            ),
            (
                b"caf\xe9",
                Some("utf-8"),
                "café",
                Some("charset_mislabelled"),
            ),
            (
                b"caf\xe9",
                Some("x-unknown"),
                "café",
                Some("charset_unknown"),
            ),
            (
                b"\xc3\xa9 \xc3\xa9 \xff",
                Some("utf-8"),
                "é é \u{fffd}",
                Some("charset_mislabelled"),
            ),
            (b"\x1b$B%O\x1b(B", None, "ハ", None),
            (b"\xff\xfee\x00", Some("utf-8"), "e", None),
            (b"\xef\xbb\xbfhi", None, "hi", None),
            (b"", Some("utf-8"), "", None),
        ] {
            assert_eq!(
                decode(bytes, label),
                (text.to_owned(), odd),
                "{bytes:?} {label:?}"
            );
        }
    }
}
