//! What a subject says once its prefixes are off.

use super::fold::fold_phrase;
use super::lexicon::{self, Cue};

/// What is read of a subject.
const MAX_BYTES: usize = 400;

/// A subject, read.
#[derive(Debug, Default)]
pub(super) struct Subject {
    /// It starts with `Re:`, `AW:` ...: a person's program (or a machine's) answers a mail.
    pub(super) answers: bool,
    /// It starts with `Fwd:`, `WG:` ...
    pub(super) forwards: bool,
    /// Only automatic answers have this subject.
    pub(super) automatic: bool,
    /// It starts so, with a colon: `Automatic reply: Offer`. People do not write that.
    pub(super) automatic_prefix: bool,
    /// It starts with the tag of a program: `Auto: Re: Offer`.
    pub(super) automatic_tag: bool,
    /// It speaks of an automatic answer behind an answer's prefix: as a person's answer to one
    /// would, unless it stands apart at the end (`Re: Offer (Automatic reply)`).
    pub(super) automatic_within: bool,
    /// Apart at the end.
    pub(super) automatic_at_end: bool,
    /// It starts with an absence.
    pub(super) away: bool,
    /// It starts as that of an acknowledgement.
    pub(super) acknowledges: bool,
    /// It is that of a delivery report.
    pub(super) bounce: bool,
    /// So it ends, behind an answer's prefix: `RE: Offer : non remis`.
    pub(super) bounce_at_end: bool,
    /// It tells of a delay.
    pub(super) delayed: bool,
    /// It tells of a failure after a delay.
    pub(super) gave_up: bool,
    /// The report in it was read by a person: `Read: Offer`.
    pub(super) receipt: bool,
}

const ANSWERS: &[&str] = &[
    "re",
    "aw",
    "antw",
    "sv",
    "vs",
    "ref",
    "rif",
    "r",
    "odp",
    "ynt",
    "res",
    "att",
    "ang",
    "tr re",
    "回复",
    "回覆",
    "答复",
    "返信",
    "回信",
    "отв",
    "ответ",
    "απ",
    "vá",
    "bls",
    "blz",
    "rép",
    "rép.",
    "resp",
    "atb",
    "ref.",
    "re²",
    "odg",
    "hae",
];
const FORWARDS: &[&str] = &[
    "fwd",
    "fw",
    "wg",
    "tr",
    "rv",
    "i",
    "enc",
    "doorst",
    "vb",
    "vl",
    "vs fw",
    "pd",
    "转发",
    "轉寄",
    "転送",
    "fwd.",
    "fs",
    "ilt",
    "rvs",
    "továbbítás",
    "пересл",
    "reenv",
    "reenviado",
    "inoltro",
    "weitergeleitet",
    "enviado",
    "videresendt",
    "videresend",
];
const RECEIPTS: &[&str] = &[
    "read",
    "gelesen",
    "lu",
    "leído",
    "leido",
    "lida",
    "lido",
    "letto",
    "gelezen",
    "läst",
    "lest",
    "læst",
    "luettu",
    "przeczytano",
    "přečteno",
    "прочитано",
    "прочтено",
    "okundu",
    "开封済み",
    "開封済み",
    "已读",
    "已讀",
    "not read",
    "ungelesen gelöscht",
    "nicht gelesen",
    "non lu",
    "no leído",
    "não lida",
    "non letto",
    "niet gelezen",
    "oläst",
    "読み取り済み",
];

/// Reads a subject.
pub(super) fn read(subject: &str) -> Subject {
    let subject = super::prefix(subject.trim(), MAX_BYTES);
    let mut read = Subject::default();
    let mut rest = without_tags(subject);
    for _ in 0..8 {
        let Some((head, tail)) = split_prefix(rest) else {
            break;
        };
        let is_in = |list: &[&str]| list.iter().any(|p| *p == head);
        if is_in(ANSWERS) {
            read.answers = true;
        } else if is_in(FORWARDS) {
            read.forwards = true;
        } else {
            let first = !read.answers && !read.forwards;
            read.receipt = is_in(RECEIPTS) && first;
            // `Auto: Re: Offer`, of Sieve (RFC 5230 §4.6) and Lotus Notes.
            read.automatic = first && matches!(head.as_str(), "auto" | "autom." | "ooo" | "oof");
            read.automatic_tag = first && matches!(head.as_str(), "auto" | "autom.");
            break;
        }
        rest = without_tags(tail);
    }
    let folded = fold_phrase(rest);
    let bare = !read.answers && !read.forwards;
    for hit in lexicon::in_subject(&folded) {
        let at_start = hit.start == 0;
        match hit.cue {
            Cue::AutoSubject if bare => {
                read.automatic = true;
                let rest = folded.get(hit.end..).unwrap_or_default().trim_start();
                read.automatic_prefix |= at_start && (rest.is_empty() || rest.starts_with(':'));
            }
            Cue::AutoSubject => {
                read.automatic_within = true;
                read.automatic_at_end |= hit.end == folded.len() && stands_apart(rest);
            }
            Cue::AwaySubject if at_start && bare => {
                read.away = true;
                // `Out of office: Offer`, or nothing else.
                let rest = folded.get(hit.end..).unwrap_or_default().trim_start();
                read.automatic |= rest.is_empty() || rest.starts_with(':');
            }
            Cue::AckSubject if at_start && bare => read.acknowledges = true,
            Cue::BounceSubject if at_start && bare => read.bounce = true,
            Cue::BounceSubjectEnd if hit.end == folded.len() && bare => read.bounce = true,
            Cue::BounceSubjectEnd if hit.end == folded.len() && !at_start => {
                read.bounce_at_end = true;
            }
            Cue::Delayed => read.delayed = true,
            Cue::GaveUp => read.gave_up = true,
            _ => {}
        }
    }
    if bare && without_tags(subject) != subject {
        // `[Auto-Reply] Offer`: the tag itself says it.
        let tag = subject.split(']').next().unwrap_or_default();
        let hits = lexicon::in_subject(&fold_phrase(tag));
        read.automatic |= hits.iter().any(|h| h.cue == Cue::AutoSubject);
        read.acknowledges |= hits.iter().any(|h| h.cue == Cue::AckSubject);
    }
    read
}

/// `Re[2]: `, `AW: `, `Re :`: the word before the colon, lowered, and what follows.
fn split_prefix(subject: &str) -> Option<(String, &str)> {
    let colon = subject.find([':', '：'])?;
    let (head, tail) = subject.split_at(colon);
    if head.chars().count() > 24 {
        return None;
    }
    let mut tail = tail.chars();
    tail.next();
    let head = head.to_lowercase();
    let word = head
        .trim()
        .trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '[' | ']' | '(' | ')' | '^'))
        .trim();
    Some((word.to_owned(), tail.as_str().trim_start()))
}

/// Without `[list]` and `(EXT)` at the start.
fn without_tags(subject: &str) -> &str {
    let mut rest = subject.trim_start();
    for _ in 0..4 {
        let close = match rest.chars().next() {
            Some('[') => ']',
            Some('【') => '】',
            _ => return rest,
        };
        match rest.split_once(close) {
            Some((tag, after)) if tag.chars().count() <= 48 => rest = after.trim_start(),
            _ => return rest,
        }
    }
    rest
}

/// The last words stand in brackets or behind a dash.
fn stands_apart(subject: &str) -> bool {
    let subject = subject.trim_end();
    subject.ends_with([')', ']', '】']) || subject.contains(" - ") || subject.contains(" – ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_answers_and_forwards_are_told_apart() {
        for (subject, answers, forwards) in [
            ("Re: Offer", true, false),
            ("RE : Offre", true, false),
            ("Re[2]: Offer", true, false),
            ("[List] AW: Angebot", true, false),
            ("Antw: Aanbod", true, false),
            ("回复：报价", true, false),
            ("Fwd: Offer", false, true),
            ("WG: AW: Angebot", true, true),
            ("TR: Offre", false, true),
            ("Offer: two rooms", false, false),
            ("Auto: Re: Offer", false, false),
        ] {
            let read = read(subject);
            assert_eq!(
                (read.answers, read.forwards),
                (answers, forwards),
                "{subject}"
            );
        }
    }

    #[test]
    fn an_answer_to_an_automatic_answer_is_not_one() {
        assert!(read("Automatic reply: Offer").automatic);
        assert!(read("[Automatyczna odpowiedź] Oferta").automatic);
        assert!(!read("Re: Automatic reply: Offer").automatic);
        assert!(read("Re: Automatic reply: Offer").automatic_within);
        assert!(!read("Re: Automatic reply: Offer").automatic_at_end);
        assert!(read("Re: Offer (Automatic Response)").automatic_at_end);
        assert!(!read("Re: Undelivered Mail Returned to Sender").bounce);
        assert!(read("Undelivered Mail Returned to Sender").bounce);
        assert!(read("Read: Offer").receipt && !read("Re: Read: Offer").receipt);
    }
}
