//! Bytes to text: by label, by alias, by guess, with replacement characters, in this order.
//! A wrong label never loses the text.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use mail_parser::decoders::charsets::map::charset_decoder;

/// What of a text is looked at for a guess.
const MAX_GUESSED_BYTES: usize = 64 * 1024;

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
        "" | "us_ascii" | "ascii" | "ansi_x3.4_1968" | "7bit" | "8bit" | "unknown_8bit"
        | "x_unknown" | "unknown" | "none" | "default" | "default_charset" => {
            let odd = (!bytes.is_ascii()).then_some("charset_guessed");
            (guess(bytes), odd)
        }
        "utf_8" => match std::str::from_utf8(bytes) {
            Ok(text) => (text.to_owned(), None),
            Err(_) => (not_quite_utf8(bytes), Some("charset_mislabelled")),
        },
        other => {
            let known = alias(other);
            match charset_decoder(known.as_bytes()) {
                // UTF-8 that says it is Latin-1 is frequent; Latin-1 that is UTF-8 by chance is not.
                Some(_) if is_latin(&known) && !bytes.is_ascii() => {
                    match std::str::from_utf8(bytes) {
                        Ok(text) => (text.to_owned(), Some("charset_mislabelled")),
                        Err(_) => (legacy(bytes, &known), None),
                    }
                }
                Some(decoder) => (decoder(bytes), None),
                None => (guess(bytes), Some("charset_unknown")),
            }
        }
    }
}

fn is_latin(label: &str) -> bool {
    matches!(
        label,
        "iso_8859_1" | "iso8859_1" | "latin1" | "l1" | "windows_1252" | "cp1252" | "iso_8859_15"
    )
}

fn legacy(bytes: &[u8], label: &str) -> String {
    match charset_decoder(label.as_bytes()) {
        Some(decoder) => decoder(bytes),
        None => String::from_utf8_lossy(bytes).into_owned(),
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
        "utf8"
            | "unicode_1_1_utf_8"
            | "utf_8_bom"
            | "utf8mb4"
            | "cp65001"
            | "x_utf_8"
            | "utf"
            | "utf_8_mac"
            | "unicode"
            | "al32utf8"
            | "utf_8n"
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
        "cp949" | "ms949" | "x_windows_949" | "uhc" | "ks_c_5601" | "ksc_5601_1987"
        | "ks_c_5601_1989" | "ksc5601" | "ksc_5601" => "windows_949",
        // Each is a subset of the next, and mail that names the small one uses the large one.
        "gb_18030" | "x_gb18030" | "gb18030_2000" | "gb18030_2005" | "gb2312" | "gb_2312"
        | "gb_2312_80" | "cp_936" | "gb2312_1980" | "x_cp936" | "euc_cn" | "gbk_1" | "gbk"
        | "x_gbk" | "cp936" | "ms936" | "windows_936" | "hz_gb_2312" => "gb18030",
        "cp950" | "windows_950" | "ms950" | "big_5" | "x_x_big5" | "big5_eten" => "big5",
        "eucjp" | "x_eucjp" | "eucjp_ms" | "cp51932" => "euc_jp",
        "euckr" | "x_euc_kr" => "euc_kr",
        "tis620" | "cp874" | "iso_8859_11" => "tis_620",
        "koi8r" => "koi8_r",
        "koi8u" => "koi8_u",
        "latin_1" | "8859_1" | "iso_8859" | "iso8859" | "latin" | "ansi" | "iso_8859_1_windows"
        | "iso_8859_1_1" | "western" => "iso_8859_1",
        "iso_8859_8_i" | "iso_8859_8_e" | "logical" | "visual" => "iso_8859_8",
        "macroman" | "x_mac_roman" | "mac" => "macintosh",
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
    // iso8859-15, iso885915
    if let Some(part) = label
        .strip_prefix("iso8859_")
        .or_else(|| label.strip_prefix("iso8859"))
        && !part.is_empty()
        && part.len() <= 2
        && part.bytes().all(|b| b.is_ascii_digit())
    {
        return format!("iso_8859_{part}");
    }
    label.to_owned()
}

/// Text without a usable label.
fn guess(bytes: &[u8]) -> String {
    // ISO-2022-JP is pure ASCII with escapes, so it is valid UTF-8 too.
    let shifts = |seq: &[u8]| bytes.windows(seq.len()).any(|w| w == seq);
    if bytes.contains(&0x1b)
        && (shifts(b"\x1b$B") || shifts(b"\x1b$@"))
        && let Some(decoder) = charset_decoder(b"iso_2022_jp")
    {
        return decoder(bytes);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => not_quite_utf8(bytes),
    }
}

/// Not valid UTF-8. With many real UTF-8 sequences in it, it is damaged or cut UTF-8; with some,
/// texts of two charsets were put together; else the charset is guessed.
fn not_quite_utf8(bytes: &[u8]) -> String {
    let (mut sequences, mut broken) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        sequences += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    if sequences >= broken.saturating_mul(4) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let head = bytes.get(..MAX_GUESSED_BYTES).unwrap_or(bytes);
    detector.feed(head, true);
    let encoding = detector.guess(None, Utf8Detection::Deny);
    let single = encoding.is_single_byte();
    let latin = encoding.name() == "windows-1252";
    if sequences > 0 && latin {
        return mixed(bytes);
    }
    // A few bytes above 127 are no ground for a guess at a writing system.
    let odd_bytes = bytes.iter().filter(|b| **b >= 0x80).take(4).count();
    if !latin && !single && odd_bytes < 4 {
        return legacy(bytes, "windows_1252");
    }
    let (text, _) = encoding.decode_without_bom_handling(bytes);
    text.into_owned()
}

/// UTF-8 where it is UTF-8, the legacy charset of the west between.
fn mixed(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push_str(&legacy(chunk.invalid(), "windows_1252"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_decoded_by_label_and_alias() {
        for (bytes, label, text) in [
            (&b"\xe1\xe9"[..], "iso-8859-1", "áé"),
            (b"\x80", "ISO-8859-1", "€"),
            (b"\xa4", "iso8859-15", "€"),
            (b"\xcf\xf0", "windows-1251", "Пр"),
            (b"\xcf\xf0", "win-1251", "Пр"),
            (b"\xcf\xf0", "CP1251", "Пр"),
            (b"\xc4\xe3", "gb2312", "你"),
            // Not in GB 2312, but in what mail that names it uses.
            (b"\x81\x30\x84\x36", "gb2312", "\u{a5}"),
            (b"\x87\x40", "cp932", "①"),
            (b"\x1b$B%O\x1b(B", "iso-2022-jp-ms", "ハ"),
            (b"\xbe\xc8", "ks_c_5601-1987", "안"),
            (b"\xbe\xc8", "x-windows-949", "안"),
            (b"\xf9\xec\xe5\xed", "iso-8859-8-i", "שלום"),
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
                "café".as_bytes(),
                Some("iso-8859-1"),
                "café",
                Some("charset_mislabelled"),
            ),
            (
                b"caf\xe9",
                Some("x-nobody-knows"),
                "café",
                Some("charset_unknown"),
            ),
            (
                b"\xc3\xa9 \xc3\xa9 \xc3\xa9 \xc3\xa9 \xff",
                Some("utf-8"),
                "é é é é \u{fffd}",
                Some("charset_mislabelled"),
            ),
            (
                b"Atenci\xc3\xb3n: exclusivo, rela\xe7\xe3o, informa\xe7\xf5es",
                Some("utf-8"),
                "Atención: exclusivo, relação, informações",
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

    #[test]
    fn writing_systems_without_a_label_are_guessed() {
        for (label, text) in [
            (
                "windows_1251",
                "Добрый день, мы хотели бы посмотреть квартиру на следующей неделе.",
            ),
            (
                "koi8_r",
                "Добрый день, мы хотели бы посмотреть квартиру на следующей неделе.",
            ),
            (
                "gb18030",
                "您好，我们想下周看一下这套公寓，请告诉我们时间。",
            ),
            (
                "windows_31j",
                "こんにちは、来週アパートを見学したいのですが、いかがでしょうか。",
            ),
            ("euc_kr", "안녕하세요, 다음 주에 아파트를 보고 싶습니다."),
            (
                "windows_1250",
                "Dobrý den, příští týden bychom si rádi prohlédli byt, děkujeme.",
            ),
            (
                "windows_1252",
                "Schöne Grüße, nächste Woche würden wir die Wohnung ansehen.",
            ),
        ] {
            let encoding = encoding(label);
            let (bytes, _, _) = encoding.encode(text);
            assert_eq!(decode(&bytes, None).0, text, "{label}");
        }
    }

    fn encoding(label: &str) -> &'static encoding_rs::Encoding {
        let name = label.replace('_', "-");
        let name = if name == "windows-31j" {
            "shift_jis".to_owned()
        } else {
            name
        };
        encoding_rs::Encoding::for_label(name.as_bytes()).unwrap()
    }
}
