//! Text as the phrases see it: lower case, without accents, one blank between words, so that
//! `Réponse  Automatique` and `reponse automatique` are the same.
//!
//! An address becomes `@`, so that one phrase `user @ does not exist` serves them all. Dashes
//! between letters become blanks (`out-of-office`), but `e-mail` is `email`. Brackets, quotes
//! and bullets vanish. Lines are joined, as mail wraps them anywhere; a blank line ends a
//! sentence and is kept as one `\n`.

/// Folds `text`; at most `max` bytes of it are read.
pub(super) fn fold(text: &str, max: usize) -> String {
    let text = super::prefix(text, max);
    let mut folded = String::with_capacity(text.len() + 16);
    let mut breaks = 0_u32;
    for line in text.lines() {
        if line.trim().is_empty() {
            breaks += 1;
            continue;
        }
        if !folded.is_empty() {
            folded.push(if breaks > 0 { '\n' } else { ' ' });
        }
        breaks = 0;
        fold_line(line, &mut folded);
    }
    folded
}

/// Folds one line: a subject, a phrase.
pub(super) fn fold_phrase(line: &str) -> String {
    let mut folded = String::with_capacity(line.len());
    fold_line(line, &mut folded);
    folded
}

fn fold_line(line: &str, folded: &mut String) {
    let start = folded.len();
    for word in line.split_whitespace() {
        if folded.len() > start && !folded.ends_with([' ', '\n']) {
            folded.push(' ');
        }
        if word.bytes().all(is_plain) {
            // Most words: only their case changes.
            let from = folded.len();
            folded.push_str(word);
            if let Some(added) = folded.get_mut(from..) {
                added.make_ascii_lowercase();
            }
        } else if let Some((before, after)) = around_address(word) {
            fold_word(before, folded);
            blank(folded);
            folded.push('@');
            blank(folded);
            fold_word(after, folded);
        } else if is_address(word) {
            let end = word.trim_end_matches(['>', ')', ']', '"', '\'', '.', ',', ';', ':', '!']);
            folded.push('@');
            // The stop or colon after an address still ends the sentence.
            folded.extend(
                word.get(end.len()..)
                    .unwrap_or_default()
                    .chars()
                    .filter(|c| matches!(c, '.' | ':' | ',' | ';')),
            );
        } else {
            fold_word(word, folded);
        }
    }
    while folded.len() > start && folded.ends_with(' ') {
        folded.pop();
    }
}

/// Bytes that stay as they are, but for their case.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b',' | b'\'' | b':' | b'!' | b'?' | b';')
}

/// `<ann@x.example>:` and the like. Not `@` alone, which phrases use for any address.
fn is_address(word: &str) -> bool {
    let Some(at) = word.find('@') else {
        return false;
    };
    let (local, domain) = word.split_at(at);
    !local.is_empty() && domain.len() > 1
}

/// What stands around an address in a script without blanks between words:
/// `田中(tanaka@x.example)まで`.
fn around_address(word: &str) -> Option<(&str, &str)> {
    let without = |c: char| !c.is_ascii() && super::lexicon::without_blanks(c);
    if !word.contains(without) || !is_address(word) {
        return None;
    }
    let (local, domain) = word.split_once('@')?;
    let of_address = |c: char| c.is_ascii_alphanumeric() || "._%+-".contains(c);
    let before = local.trim_end_matches(of_address);
    let after = domain.trim_start_matches(of_address);
    Some((before, after))
}

fn fold_word(word: &str, folded: &mut String) {
    let mut chars = word.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        if c.is_ascii_alphanumeric() {
            folded.push(c.to_ascii_lowercase());
        } else if c.is_ascii() {
            fold_mark(c, before, chars.peek().copied(), folded);
        } else {
            fold_letter(c, folded);
        }
        before = c;
    }
}

/// ASCII that is neither letter nor digit.
fn fold_mark(c: char, before: char, next: Option<char>, folded: &mut String) {
    let between_letters = before.is_alphabetic() && next.is_some_and(char::is_alphabetic);
    match c {
        '-' if between_letters => {
            let at_word_start = !folded
                .get(..folded.len().saturating_sub(1))
                .is_some_and(|f| f.ends_with(char::is_alphanumeric));
            // `e-mail`, `E-Mail-Adresse`: one word.
            if !(folded.ends_with('e') && at_word_start && matches!(next, Some('m' | 'M'))) {
                blank(folded);
            }
        }
        '<' | '>' | '"' | '[' | ']' | '{' | '}' | '(' | ')' | '*' | '_' | '|' | '~' | '=' | '`' => {
            blank(folded);
        }
        _ => folded.push(c),
    }
}

fn blank(folded: &mut String) {
    if !folded.is_empty() && !folded.ends_with([' ', '\n']) {
        folded.push(' ');
    }
}

fn fold_letter(c: char, folded: &mut String) {
    let plain = match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' | 'À' | 'Á' | 'Â' | 'Ã' | 'Ä' | 'Å'
        | 'Ā' | 'Ă' | 'Ą' => "a",
        'æ' | 'Æ' => "ae",
        'ç' | 'ć' | 'č' | 'Ç' | 'Ć' | 'Č' => "c",
        'ď' | 'đ' | 'ð' | 'Ď' | 'Đ' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ę' | 'ě' | 'È' | 'É' | 'Ê' | 'Ë' | 'Ē' | 'Ę' | 'Ě' => {
            "e"
        }
        'ğ' | 'ģ' | 'Ğ' => "g",
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'į' | 'ı' | 'Ì' | 'Í' | 'Î' | 'Ï' | 'Ī' | 'İ' => {
            "i"
        }
        'ł' | 'ľ' | 'Ł' => "l",
        'ñ' | 'ń' | 'ň' | 'Ñ' | 'Ń' | 'Ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ő' | 'Ò' | 'Ó' | 'Ô' | 'Õ' | 'Ö' | 'Ø' | 'Ő' => {
            "o"
        }
        'œ' | 'Œ' => "oe",
        'ř' | 'Ř' => "r",
        'ś' | 'š' | 'ş' | 'ș' | 'Ś' | 'Š' | 'Ş' | 'Ș' => "s",
        'ß' | 'ẞ' => "ss",
        'ť' | 'ţ' | 'ț' | 'Ť' | 'Ț' => "t",
        'ù' | 'ú' | 'û' | 'ü' | 'ū' | 'ů' | 'ű' | 'Ù' | 'Ú' | 'Û' | 'Ü' | 'Ů' | 'Ű' => {
            "u"
        }
        'ý' | 'ÿ' | 'Ý' => "y",
        'ź' | 'ż' | 'ž' | 'Ź' | 'Ż' | 'Ž' => "z",
        '‘' | '’' | 'ʼ' | '´' => "'",
        '–' | '—' | '‐' | '‑' | '−' => "-",
        '…' => ".",
        // A full stop, exclamation or question mark of Chinese and Japanese ends a sentence.
        '。' | '！' | '？' | '．' => {
            folded.push_str(match c {
                '！' => "! ",
                '？' => "? ",
                _ => ". ",
            });
            return;
        }
        '、' | '，' => ", ",
        'ё' | 'Ё' => "е",
        _ => "",
    };
    if !plain.is_empty() {
        folded.push_str(plain);
        return;
    }
    let code = u32::from(c);
    match code {
        // Combining accents: the letter before stands for both.
        0x300..=0x36f | 0x200b..=0x200f | 0xfeff | 0xad => {}
        // Full-width forms of ASCII.
        0xff01..=0xff5e => {
            let ascii = char::from_u32(code - 0xfee0).unwrap_or(' ');
            folded.push(ascii.to_ascii_lowercase());
        }
        _ if c.is_alphanumeric() => folded.extend(c.to_lowercase()),
        _ => blank(folded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_wraps_and_addresses_do_not_matter() {
        for (text, folded) in [
            ("  Réponse\u{a0}Automatique ", "reponse automatique"),
            ("Re\u{301}ponse", "reponse"),
            ("Straße über Ærø", "strasse uber aero"),
            ("I’m out-of-office", "i'm out of office"),
            ("my E-Mail-Address, by e-mail", "my email address, by email"),
            (
                "User <ann@x.example> does\nnot exist.",
                "user @ does not exist.",
            ),
            ("<ann@x.example>: unknown", "@: unknown"),
            ("one\n\n\ntwo", "one\ntwo"),
            ("**STOP** [x]", "stop x"),
            ("在２０２５年。", "在2025年."),
            ("请联系李明ming@x.example。谢谢", "请联系李明 @ . 谢谢"),
        ] {
            assert_eq!(fold(text, 1000), folded);
        }
        assert_eq!(fold("abcdef", 3), "abc");
    }
}
