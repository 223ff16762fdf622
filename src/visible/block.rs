//! Quoted headers (`From: … Sent: … To: … Subject: …`), the lines that mail programs put above
//! them (`-----Original Message-----`), and the line above which a reply shall be written.

use super::fold::{self, has_address, has_date, has_time};
use super::words::{self, FieldKind};

/// Lines in which the fields of a block must come.
const WINDOW: usize = 14;
/// Lines without a field between them: folded values.
const MAX_STRANGE: usize = 2;
/// A name of a field is not longer, in bytes.
const MAX_NAME_BYTES: usize = 60;

/// What a line is to a quoted header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Field {
    kind: Option<FieldKind>,
    blank: bool,
    /// It holds what a mail's header holds: an address, a time of day, a subject.
    address: bool,
    mail_like: bool,
    /// A whole header on one line.
    whole: bool,
}

impl Field {
    pub(super) fn is_some(self) -> bool {
        self.kind.is_some()
    }
}

/// Reads a line as a field of a quoted header.
pub(super) fn field(line: &str) -> Field {
    let mut field = Field {
        blank: line.trim().is_empty(),
        ..Field::default()
    };
    if field.blank || line.len() > 2000 {
        return field;
    }
    let plain = fold::without_marks(line);
    let Some(colon) = plain
        .char_indices()
        .take(MAX_NAME_BYTES)
        .find(|(_, c)| matches!(c, ':' | '：'))
    else {
        return field;
    };
    let (name, value) = plain.split_at(colon.0);
    field.kind = words::field(&fold::fold(name));
    if let Some(kind) = field.kind {
        let value = value.trim_start_matches([':', '：']);
        field.address = has_address(value);
        field.mail_like = field.address || kind == FieldKind::Subject || has_time(value);
        field.whole = kind == FieldKind::From && field.address && has_more_fields(value);
    }
    field
}

/// `ann@x.example Sent: Tuesday To: …`
fn has_more_fields(value: &str) -> bool {
    let mut kinds = 0;
    let mut words = value.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let name = word.trim_end_matches(['*', '_']);
        let known = name
            .strip_suffix([':', '：'])
            .and_then(|n| words::field(&fold::fold(n)));
        let apart =
            words.peek().is_some_and(|w| *w == ":") && words::field(&fold::fold(word)).is_some();
        kinds += usize::from(
            matches!(
                known,
                Some(FieldKind::Date | FieldKind::To | FieldKind::Subject)
            ) || apart,
        );
    }
    kinds >= 1
}

/// How many lines the quoted header that starts here has; `None` when there is none. It has a
/// From and two other fields, or two in a row of which one holds an address.
pub(super) fn header_len(fields: &[Field]) -> Option<usize> {
    let first = fields.first()?;
    if first.whole {
        return Some(1);
    }
    first.kind?;
    let mut seen: Vec<FieldKind> = Vec::new();
    let mut strange = 0;
    // People write "From: London, To: Paris" too: an address, a time or a subject must be there.
    let (mut address, mut mail_like, mut in_a_row) = (false, false, true);
    for (i, field) in fields.iter().enumerate().take(WINDOW) {
        if field.blank {
            continue;
        }
        let Some(kind) = field.kind else {
            strange += 1;
            in_a_row = false;
            if strange > MAX_STRANGE {
                break;
            }
            continue;
        };
        // A second From starts another header.
        if kind == FieldKind::From && seen.contains(&kind) {
            break;
        }
        let end = i + 1;
        if !seen.contains(&kind) {
            seen.push(kind);
        }
        address |= field.address;
        mail_like |= field.mail_like;
        if !is_enough(&seen, mail_like, address && in_a_row) {
            continue;
        }
        // The rest of it belongs to it.
        let more = fields.get(end..).unwrap_or_default();
        let rest = more.iter().take(WINDOW).take_while(|f| f.is_some()).count();
        return Some(end + rest);
    }
    None
}

fn is_enough(seen: &[FieldKind], mail_like: bool, address_in_a_row: bool) -> bool {
    let main = seen.iter().filter(|k| **k != FieldKind::Other).count();
    let from = seen.contains(&FieldKind::From);
    from && main >= 2 && seen.len() >= 3 && mail_like || address_in_a_row && main >= 2
}

/// `-----Original Message-----` and its kin.
pub(super) fn is_separator(line: &str) -> bool {
    if !(6..=250).contains(&line.len()) {
        return false;
    }
    let text =
        line.trim_matches(|c: char| c.is_whitespace() || matches!(c, '>' | '|' | '\u{200e}'));
    // U+2010 is what Proton draws.
    let dash = |c: char| {
        matches!(
            c,
            '-' | '\u{2010}'..='\u{2015}' | '_' | '=' | '*' | '+' | '#' | '~'
        )
    };
    let inner = text.trim_start_matches(dash);
    let dashes_before = text.len() - inner.len();
    let core = inner.trim_end_matches(|c: char| dash(c) || c == ':' || c == '>');
    let dashes_after = inner.len() - core.len();
    // Lotus Notes draws its header as a table.
    if text.len() >= 8
        && text.starts_with("-----")
        && line.trim().starts_with('|')
        && core.is_empty()
    {
        return true;
    }
    if dashes_before < 2 && dashes_after < 1 {
        return false;
    }
    // QQ Mail writes the entity into its plain text.
    let folded = fold::fold(&core.replace("&nbsp;", " "));
    let phrases = words::SEPARATORS.iter().filter(|p| folded.starts_with(**p));
    let Some(phrase) = phrases.max_by_key(|p| p.len()) else {
        // Of Notes and Horde: `----- Message from Ann <ann@x.example> on Tue, 3 May 2024 -----`,
        // `-----Ann Lee <ann@x.example> wrote: -----`.
        let wrote = folded.trim_end_matches([':', ' ']).ends_with("wrote");
        return dashes_before >= 2 && dashes_after >= 2 && wrote;
    };
    let behind = folded.get(phrase.len()..).unwrap_or_default();
    let whole_word = !behind.starts_with(char::is_alphabetic) || !phrase.is_ascii();
    // `Original message text follows here` is a person's line unless it is framed.
    let framed = dashes_before >= 2
        && (behind.is_empty() || dashes_after >= 1 || dashes_before >= 4)
        || behind.is_empty() && phrase.split(' ').count() >= 3 && dashes_after >= 1
        || behind.len() <= 120 && dashes_before >= 3;
    whole_word && framed
}

/// The line above which a reply shall be written: `##- Please type your reply above this line -##`.
pub(super) fn is_above_line(line: &str) -> bool {
    if !(12..=200).contains(&line.len()) {
        return false;
    }
    let folded = fold::fold(line);
    let core = folded.trim_matches(|c: char| !c.is_alphanumeric());
    words::ABOVE_LINE.iter().any(|phrase| {
        core.strip_prefix(phrase)
            .is_some_and(|behind| behind.chars().count() <= 40)
    })
}

/// A line of underscores or dashes.
pub(super) fn is_rule(line: &str) -> bool {
    let line = line.trim();
    let mut chars = line.chars();
    let Some(first) = chars.next() else {
        return false;
    };
    matches!(first, '_' | '-' | '–' | '—' | '=' | '*' | '─' | '~' | '#')
        && line.len() <= 400
        && line.chars().filter(|c| !c.is_whitespace()).count() >= 8
        && chars.all(|c| c == first || c.is_whitespace())
}

/// Whether a text holds what only a header would: a date with a time.
pub(super) fn is_dated(line: &str) -> bool {
    has_date(line) && has_time(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn len(lines: &[&str]) -> Option<usize> {
        let fields: Vec<Field> = lines.iter().map(|l| field(l)).collect();
        header_len(&fields)
    }

    #[test]
    fn quoted_headers_are_known_in_many_languages() {
        for (lines, n) in [
            (
                &[
                    "From: Ann",
                    "Sent: Friday",
                    "To: Ben",
                    "Subject: x",
                    "",
                    "Hi",
                ][..],
                4,
            ),
            (
                &[
                    "*Von:* Ann",
                    "",
                    "*Gesendet:* Freitag, 10:00",
                    "*An:* Ben",
                    "*Betreff:* x",
                ],
                5,
            ),
            (
                &["De : Ann", "Envoyé : vendredi", "À : Ben", "Objet : x"],
                4,
            ),
            (
                &["De: Ann", "Enviado el: viernes", "Para: Ben", "Asunto: x"],
                4,
            ),
            (&["Da: Ann", "Inviato: venerdì", "A: Ben", "Oggetto: x"], 4),
            (&["De: Ann", "Enviado: sexta", "Para: Ben", "Assunto: x"], 4),
            (
                &["Van: Ann", "Verzonden: vrijdag", "Aan: Ben", "Onderwerp: x"],
                4,
            ),
            (&["Från: Ann", "Skickat: fredag", "Till: Ben", "Ämne: x"], 4),
            (&["Fra: Ann", "Sendt: fredag", "Til: Ben", "Emne: x"], 4),
            (&["Od: Ann", "Wysłano: piątek", "Do: Ben", "Temat: x"], 4),
            (
                &["От: Ann", "Отправлено: пятница", "Кому: Ben", "Тема: x"],
                4,
            ),
            (
                &["Od: Ann", "Odesláno: pátek", "Komu: Ben", "Předmět: x"],
                4,
            ),
            (
                &[
                    "Lähettäjä: Ann",
                    "Lähetetty: perjantai",
                    "Vastaanottaja: Ben",
                    "Aihe: x",
                ],
                4,
            ),
            (
                &["Gönderen: Ann", "Gönderildi: Cuma", "Kime: Ben", "Konu: x"],
                4,
            ),
            (
                &[
                    "发件人: Ann",
                    "发送时间: 2024年5月3日 10:00",
                    "收件人: Ben",
                    "主题: x",
                ],
                4,
            ),
            (
                &[
                    "差出人: Ann",
                    "送信日時: 2024年5月3日 10:00",
                    "宛先: Ben",
                    "件名: x",
                ],
                4,
            ),
            (
                &[
                    "보낸 사람: Ann",
                    "보낸 날짜: 2024년",
                    "받는 사람: Ben",
                    "제목: x",
                ],
                4,
            ),
            (
                &[
                    "Gesendet: Freitag, 03. Mai 2024 um 10:00 Uhr",
                    "Von: Ann",
                    "An: Ben",
                ],
                3,
            ),
            (&["Date: Friday 10:00", "From: Ann", "To: Ben"], 3),
            (&["From: Ann <ann@x.example>", "Date: 3 May"], 2),
            (&["From: ann@x.example Sent: Friday To: Ben"], 1),
            (
                &[
                    "From: Ann",
                    "Sent: Friday",
                    "To: Ben;",
                    " Cara",
                    "Subject: x",
                ],
                5,
            ),
        ] {
            assert_eq!(len(lines), Some(n), "{lines:?}");
        }
    }

    #[test]
    fn what_people_write_is_no_quoted_header() {
        for lines in [
            &["From: London", "To: Paris", "Date: 3 May"][..],
            &[
                "From: Monday on I am free",
                "I like it",
                "a lot",
                "Date: any",
            ],
            &["To: the point", "Date: Friday suits me"],
            &["Subject: the flat"],
            &["My address:", "Main St 1", "Date: any"],
        ] {
            assert_eq!(len(lines), None, "{lines:?}");
        }
    }

    #[test]
    fn separators_are_known_in_many_languages() {
        for line in [
            "-----Original Message-----",
            "----- Original Message ----- ",
            "------- Original Message -------",
            "-------- Original message --------",
            "> ----- Original Message -----",
            "-------- Original-Nachricht --------",
            "----- Ursprüngliche Nachricht -----",
            "-------- Weitergeleitete Nachricht --------",
            "---------- Forwarded message ---------",
            "---------- Forwarded message ----------",
            "---- Forwarded message from Ann <ann@x.example> ----",
            "-----Messaggio originale-----",
            "-----Mensaje original-----",
            "-----Message d'origine-----",
            "-----Mensagem original-----",
            "-----Oorspronkelijk bericht-----",
            "-----Ursprungligt meddelande-----",
            "-----Oprindelig meddelelse-----",
            "-----Opprinnelig melding-----",
            "-----Alkuperäinen viesti-----",
            "-----Původní zpráva-----",
            "-----Eredeti üzenet-----",
            "-----Исходное сообщение-----",
            "Begin forwarded message:",
            "Anfang der weitergeleiteten Nachricht:",
            "Début du message transféré :",
            "Inizio messaggio inoltrato:",
            "------------------ 原始邮件 ------------------",
            "-----元のメッセージ-----",
            "-----Ann Lee <ann@x.example> wrote: -----",
            "*----- Original Message -----*",
        ] {
            assert!(is_separator(line), "{line}");
        }
        for line in [
            "--",
            "-- original art --",
            "Original message below",
            "----------",
            "Message from my wife:",
            "- message from Ann",
        ] {
            assert!(!is_separator(line), "{line}");
        }
    }

    #[test]
    fn rules_and_the_line_to_answer_above_are_known() {
        for line in [
            "________________________________",
            "----------",
            "* * * * * * * *",
        ] {
            assert!(is_rule(line), "{line}");
        }
        assert!(!is_rule("--- a ---") && !is_rule("-------x"));
        for line in [
            "##- Please type your reply above this line -##",
            "## - REPLY ABOVE THIS LINE - ##",
            "--- Reply above this line to respond ---",
            "##- Bitte geben Sie Ihre Antwort über dieser Zeile ein. -##",
        ] {
            assert!(is_above_line(line), "{line}");
        }
        assert!(!is_above_line("I will reply above this, see below"));
    }
}
