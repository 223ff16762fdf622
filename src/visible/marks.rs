//! The lines by which mail programs set a quote or a signature apart, in the major languages.

use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};

/// Longer lines are prose.
const MAX_LINE_BYTES: usize = 500;
/// Lines that an attribution may be wrapped over.
const MAX_WRAPPED: usize = 4;
/// Lines in which the fields of a header block must come.
const BLOCK_WINDOW: usize = 12;

type Lazy = LazyLock<Option<Regex>>;

/// The patterns are constants and a test compiles each, so `None` does not happen.
fn compile(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern)
        .case_insensitive(true)
        .dfa_size_limit(8 << 20)
        .size_limit(16 << 20)
        .build()
        .ok()
}

fn matches(pattern: &Lazy, text: &str) -> bool {
    pattern.as_ref().is_some_and(|r| r.is_match(text))
}

/// Compiles them all.
pub(super) fn warm_up() {
    for pattern in ALL {
        LazyLock::force(pattern);
    }
}

/// Every pattern below.
static ALL: &[&Lazy] = &[
    &ATTRIBUTION_START,
    &ATTRIBUTION,
    &ATTRIBUTION_ASIAN,
    &DATED,
    &DATE_AND_ADDRESS,
    &DATE_AND_TIME,
    &ATTRIBUTION_INLINE,
    &SEPARATOR,
    &RULE,
    &FIELD_FROM,
    &FIELD_SUBJECT,
    &TIME_OF_DAY,
    &FIELDS_ON_ONE_LINE,
    &FIELD_OTHER,
    &MOBILE,
];

/// How attributions start: `On Tue, 3 May`, `Am 03.05.`, `2024-05-03`, `Le mar. 3 mai` ...
static ATTRIBUTION_START: Lazy = LazyLock::new(|| {
    compile(concat!(
        r"^[\s>*_]*(?:on|am|le|el|il|em|op|den|på|pe|dne|dnia|w dniu|a|ở|vào|at|in message|quoting|",
        r"mon|tue|wed|thu|fri|sat|sun|mo|di|mi|do|fr|sa|so|lun|mar|mer|jeu|ven|sam|dim)\b|",
        r"^[\s>*_]*(?:\d{1,4}[-./年]|\d{1,2} \w{3,9}|\d{1,2}:\d\d)",
    ))
});
/// The verb of an attribution, with the sender or the end after it.
static ATTRIBUTION: Lazy = LazyLock::new(|| {
    compile(concat!(
        r"(?:^|[\s>,\])])(?:wrote|writes|said|sent|schrieb|geschrieben|a écrit|écrivait|escribió|escribio|ha scritto|scrive|scrisse|escreveu|schreef|het volgende geschreven|",
        r"skrev|skreiv|napisał\(?a?\)?|napisal\(?a?\)?|pisze|kirjoitti|написала?\(?а?\)?|пишет|писала?|пише|napsal\(?a?\)?|napísal\(?a?\)?|yazdı|şunu yazdı|írta|a scris|έγραψε|je napisa[ol]|đã viết)",
        r"(?:$|[\s:,;].{0,200}$|[:：]$)",
    ))
});
/// Writing systems without blanks.
static ATTRIBUTION_ASIAN: Lazy = LazyLock::new(|| {
    compile(r"(?:写道|寫道|のメール|さんは書きました|のメッセージ|님이 작성|작성)\s*[:：]?\s*$")
});
/// What makes a line with such a verb an attribution, not a sentence: an address or a date.
static DATED: Lazy = LazyLock::new(|| {
    compile(
        r"@|\b\d{1,2}[:.h]\d{2}\b|\b(?:19|20)\d\d\b|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2}\. ?\w{3,}|<mailto:",
    )
});
/// `2024-05-03 10:00 GMT+02:00 Ann Lee <ann@x.example>:`, without a verb.
static DATE_AND_ADDRESS: Lazy = LazyLock::new(|| {
    compile(
        r"^\s*(?:\d{1,2}:\d\d|\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}|(?:on |am |le |el )?\w{2,10}[.,]? \d{1,2}).{0,200}<?\S+@\S+>?\)?\s*:\s*$",
    )
});
/// A date and a time at the start: what some programs write instead of an attribution.
static DATE_AND_TIME: Lazy = LazyLock::new(|| {
    compile(concat!(
        r"^\s*(?:on |am |le |el |il |em )?\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}[ ,T]+",
        r"(?:\d{1,2}:\d\d|\S.{0,80}<\S+@\S+>)",
    ))
});
/// An attribution behind the last words of the new text, on the same line.
static ATTRIBUTION_INLINE: Lazy = LazyLock::new(|| {
    compile(concat!(
        r"^.{1,1000}?[\s.!?-](on (?:mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|",
        r"aug|sep|oct|nov|dec|\d)[^\n]{5,300}\bwrote:\s*)$",
    ))
});
/// `-----Original Message-----` and its kin.
static SEPARATOR: Lazy = LazyLock::new(|| {
    compile(concat!(
        r"^[\s>*_]*(?:[-_=*]{2,}|begin |inizio ).{0,4}(?:",
        r"(?:original|reply|antwort|forwarded|ursprüngliche|originale?|oorspronkelijk|doorgestuurd|weitergeleitete|transféré|ursprungligt|vidarebefordrat|opprinnelig|oprindelig|videresendt|özgün|orijinal)",
        r"[ -]?(?:message|mail|e-?mail|nachricht|bericht|appended|meddelande|melding|meddelelse|besked|messaggio|mensagem|mensaje|ileti|mesaj|text|posting)\b.{0,60}",
        r"|(?:mensaje original|mensagem original|messaggio originale|message d'origine|wiadomość oryginalna|oryginalna wiadomość|wiadomość przekazana|původní zpráva|eredeti üzenet|alkuperäinen viesti|исходное сообщение|пересылаемое сообщение|message transféré|mensaje reenviado|mensagem encaminhada|messaggio inoltrato).{0,60}",
        r"|.{1,120}\bwrote\b.{0,3}[-_]{2,}|(?:原始邮件|原始郵件|转发邮件|元のメッセージ|original message|원본 메시지).{0,40})$",
    ))
});
/// Programs that put a bare line of underscores or dashes above their header block.
static RULE: Lazy = LazyLock::new(|| compile(r"^\s*(?:[_]{8,}|[-–—─=*]{8,})\s*$"));
/// `From:` of a header block.
static FIELD_FROM: Lazy = LazyLock::new(|| {
    compile(concat!(
        r"^[\s>*_|]*(?:from|von|absender|de|expéditeur|remitente|da|mittente|van|afzender|från|avsändare|fra|afsender|avsender|od|nadawca|от|отправитель|lähettäjä|gönderen|kimden|feladó|odesílatel|από|발신|보낸 ?사람|发件人|寄件者|寄件人|差出人|送信者)",
        r"\s*[*_]*\s*[:：]",
    ))
});
/// The field that only a header block has.
static FIELD_SUBJECT: Lazy = LazyLock::new(|| {
    compile(concat!(
        r"^[\s>*_|]*(?:subject|betreff|objet|asunto|assunto|oggetto|onderwerp|ämne|emne|temat|",
        r"тема|aihe|konu|tárgy|předmět|主题|主旨|件名|제목)\s*[*_]*\s*[:：]",
    ))
});
static TIME_OF_DAY: Lazy = LazyLock::new(|| compile(r"\b\d{1,2}[:.h]\d{2}\b"));
/// `From: ann@x.example Date: ...` on one line.
static FIELDS_ON_ONE_LINE: Lazy = LazyLock::new(|| {
    compile(concat!(
        r"@.{0,200}\s(?:sent|date|gesendet|datum|envoyé|enviado|fecha|inviato|data|verzonden|",
        r"skickat|sendt)\s*[*_]*\s*:",
    ))
});
/// The other fields of a header block.
static FIELD_OTHER: Lazy = LazyLock::new(|| {
    compile(concat!(
        r"^[\s>*_|]*(?:sent|date|to|subject|cc|bcc|reply[- ]to|importance|attachments?|gesendet|datum|an|betreff|envoyé(?: le)?|à|objet|date d'envoi|destinataire|enviado(?: el)?|enviada(?: em)?|enviado em|fecha|para|asunto|assunto|inviato|data|oggetto|a|verzonden|aan|onderwerp|",
        r"skickat|skickad|till|ämne|kopia|sendt|til|emne|wysłano|wysłane|do|temat|отправлено|дата|кому|тема|копия|lähetetty|vastaanottaja|aihe|päivämäärä|gönderildi|gönderme tarihi|tarih|kime|kime|konu|elküldve|címzett|tárgy|odesláno|komu|předmět|",
        r"发送时间|发送日期|日期|收件人|抄送|主题|主旨|送信日時|宛先|件名|日時|보낸 ?날짜|받는 ?사람|제목)\s*[*_]*\s*[:：]",
    ))
});
/// Signatures that programs write.
static MOBILE: Lazy = LazyLock::new(|| {
    compile(concat!(
        r"^[\s*_>]*(?:sent (?:from|via|with|using) (?:my |the |a |an )?[^\s,.!?][^,!?]{0,60}|sent on the run.{0,30}|get outlook for (?:ios|android).{0,80}|",
        r"(?:von|gesendet von|gesendet mit|diese nachricht wurde von) (?:meinem |meinen |der |outlook|mein).{0,80}gesendet.{0,10}|von meinem \S.{0,60}|gesendet (?:von|mit|über|aus) \S.{0,80}|",
        r"envoyé (?:de|depuis|avec|à partir de) \S.{0,80}|télécharger outlook pour.{0,60}|enviado (?:desde|de|do|con|a partir|pelo|via) \S.{0,80}|obtener outlook para.{0,60}|obter (?:o )?outlook para.{0,60}|inviato (?:da|dal|con|tramite) \S.{0,80}|scarica outlook per.{0,60}|",
        r"verzonden (?:vanaf|met|via|vanuit) \S.{0,80}|verstuurd (?:vanaf|met|via) \S.{0,80}|skickat från \S.{0,80}|hämta outlook för.{0,60}|sendt fra \S.{0,80}|få outlook til.{0,60}|wysłan[eo] z \S.{0,80}|lähetetty \S.{0,80}|отправлено с \S.{0,80}|odesláno z \S.{0,80}|",
        r"iphone'?umdan gönderildi|从我的.{0,20}发送|发自我的.{0,20}|iphoneから送信|나의 .{0,20}에서 보냄|sendt min \S.{0,60}|-+ ?sent from .{0,60})\s*$",
    ))
});

/// A quoted line.
pub(super) fn is_quoted(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

/// The signature mark of RFC 3676 §4.3; its blank is often lost.
pub(super) fn is_signature_mark(line: &str) -> bool {
    matches!(line.trim_end(), "--" | "—" | "- --" | "__") && line.len() <= 5
}

/// `Sent from my iPhone` and its kin.
pub(super) fn is_mobile_signature(line: &str) -> bool {
    line.len() <= 200 && matches(&MOBILE, line)
}

/// A line of underscores or dashes.
pub(super) fn is_rule(line: &str) -> bool {
    line.len() <= 200 && matches(&RULE, line)
}

/// `-----Original Message-----` and its kin.
pub(super) fn is_separator(line: &str) -> bool {
    let starts = |c: char| matches!(c, '-' | '_' | '=' | '*' | 'b' | 'B' | 'i' | 'I' | '>');
    (4..=200).contains(&line.len())
        && line.trim_start().starts_with(starts)
        && matches(&SEPARATOR, line)
}

/// What a line is to a header block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Field {
    from: bool,
    other: bool,
    blank: bool,
    address: bool,
    /// It holds what a mail's header holds: an address, a time of day, a subject.
    mail_like: bool,
    /// A whole block on one line.
    whole: bool,
}

/// Reads a line as a field of a header block.
pub(super) fn field(line: &str) -> Field {
    let mut field = Field {
        blank: line.trim().is_empty(),
        ..Field::default()
    };
    if field.blank || line.len() > 2000 || !line.contains([':', '：']) {
        return field;
    }
    field.from = matches(&FIELD_FROM, line);
    field.other = !field.from && matches(&FIELD_OTHER, line);
    if field.from || field.other {
        field.address = line.contains('@');
        field.mail_like =
            field.address || matches(&FIELD_SUBJECT, line) || matches(&TIME_OF_DAY, line);
        field.whole = field.from && field.address && matches(&FIELDS_ON_ONE_LINE, line);
    }
    field
}

/// Whether a quoted header block starts here: one From and at least two other fields with
/// little else between them, or two fields in a row that hold an address.
pub(super) fn is_header_block(fields: &[Field]) -> bool {
    let Some(first) = fields.first() else {
        return false;
    };
    if first.whole {
        return true;
    }
    if !first.from && !first.other {
        return false;
    }
    let (mut from, mut other, mut strange) = (0, 0, 0);
    // People write "From: London, To: Paris" too: an address, a time or a subject must be there.
    let (mut address, mut mail_like) = (false, false);
    for field in fields.iter().take(BLOCK_WINDOW).filter(|f| !f.blank) {
        from += u32::from(field.from);
        other += u32::from(field.other);
        // A folded value, or the text that follows the block.
        strange += u32::from(!field.from && !field.other);
        if strange > 2 {
            break;
        }
        address |= field.address;
        mail_like |= field.mail_like;
        if from >= 1 && other >= 2 && mail_like || address && from + other >= 2 && strange == 0 {
            return true;
        }
    }
    false
}

/// How many lines the attribution that starts here has; 0 when there is none.
pub(super) fn attribution_len(lines: &[&str]) -> usize {
    // Cheap, and false for nearly all lines.
    let ahead = lines.iter().take(MAX_WRAPPED);
    if !ahead.clone().any(|l| may_end_attribution(l)) {
        return 0;
    }
    let mut joined = String::new();
    for (n, line) in lines.iter().take(MAX_WRAPPED).enumerate() {
        let line = line.trim();
        if line.is_empty() || joined.len() + line.len() > MAX_LINE_BYTES {
            return 0;
        }
        let may_wrap = |first: &str| {
            matches(&ATTRIBUTION_START, first) || first.contains(['<', '@']) && first.len() <= 120
        };
        if n == 1 && !may_wrap(&joined) {
            return 0;
        }
        // A wrapped attribution does not go on in the quote; but `<ann@x.example` may be cut
        // from its `> wrote:`.
        let cut_bracket = line.starts_with('>') && line.len() <= 20 && line.ends_with(':');
        if n > 0 && is_quoted(line) && !cut_bracket {
            return 0;
        }
        // The attribution starts on this line, not before it.
        if n > 0 && !cut_bracket && matches(&ATTRIBUTION_START, line) && ends_attribution(line) {
            return 0;
        }
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(line);
        if ends_attribution(&joined) {
            return n + 1;
        }
        // The first line of a sentence that goes on is none.
        if joined.ends_with(['.', '!', '?']) && !joined.ends_with("...") && !joined.contains('@') {
            return 0;
        }
    }
    0
}

/// Whether a line directly above a quote is all the attribution that there is.
pub(super) fn is_date_line(line: &str) -> bool {
    line.len() <= 200
        && line.contains(|c: char| c.is_ascii_digit())
        && matches(&DATE_AND_TIME, line)
}

/// Splits the last words of the new text from an attribution on the same line.
pub(super) fn split_inline(line: &str) -> Option<(&str, &str)> {
    if line.len() > 1500 || !line.trim_end().ends_with("wrote:") {
        return None;
    }
    let found = ATTRIBUTION_INLINE.as_ref()?.captures(line)?;
    let (new, attribution) = line.split_at(found.get(1)?.start());
    let new = new.trim_end().trim_end_matches('-');
    // Within a quote, or in a longer attribution, it is no new text.
    (!new.is_empty() && !is_quoted(new) && !new.contains('@')).then_some((new, attribution))
}

fn may_end_attribution(line: &str) -> bool {
    let line = line.trim_end();
    line.ends_with([':', '*', '_', '-'])
        || line.ends_with("wrote")
        || line.chars().next_back().is_some_and(|c| !c.is_ascii())
}

fn ends_attribution(joined: &str) -> bool {
    let ends = joined.ends_with([':', '：']) || joined.ends_with(":*") || joined.ends_with(":_");
    let verb_ends = joined.ends_with("wrote") || joined.ends_with("wrote -");
    if matches(&ATTRIBUTION_ASIAN, joined) && matches(&DATED, joined) {
        return true;
    }
    if !ends && !verb_ends {
        return false;
    }
    matches(&DATED, joined) && (matches(&ATTRIBUTION, joined) || matches(&DATE_AND_ADDRESS, joined))
        || joined.starts_with("In message <")
        || joined.starts_with("Quoting ")
}

#[cfg(test)]
mod tests;
