//! What was newly written, sentence by sentence: which say an absence or a receipt, which are
//! the frame around it, and whether anything is left that a person wants.

use super::fold::fold;
use super::lexicon::{self, Cue, Cues, Hit};
use crate::mime::Mail;
use crate::visible;

/// What is looked at: notices are short.
const MAX_TEXT_BYTES: usize = 3000;
/// What is looked at of most mails: who says an absence says it here.
const FIRST_BYTES: usize = 1800;
/// Sentences with fewer words are greetings, names, places.
const FEW_WORDS: usize = 4;
/// Unexplained words that a notice sent by a machine may have.
const FEW_STRAY_WORDS: usize = 25;

/// A text, read.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Words of sentences that nothing explains.
    stray_words: usize,
    /// A wish, question or decision outside of what notices say.
    engaged: bool,
    /// A sentence says an absence, in the present or future.
    away: bool,
    /// It is one from which the person comes back.
    returns: bool,
    all: Cues,
    challenges: usize,
    receipts: usize,
    empty: bool,
    /// Text was left out because it is long.
    cut: bool,
}

impl Read {
    pub(super) fn says(&self, cue: Cue) -> bool {
        self.all.has(cue)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.empty
    }

    /// A present or coming absence is stated.
    pub(super) fn is_away(&self) -> bool {
        self.away
    }

    /// An absence of a person who will come back.
    pub(super) fn says_absence(&self) -> bool {
        self.returns
    }

    /// Something in it only people write.
    pub(super) fn is_engaged(&self) -> bool {
        self.engaged
    }

    /// An absence, and nothing in the text that notices do not have. `answers`: its subject is
    /// that of an answer.
    pub(super) fn is_formal_absence(&self, answers: bool) -> bool {
        // "I am on vacation until Monday" alone may be a person's answer, and so may "thanks for
        // your mail, I am on vacation". In an answer so may "I will reply when I am back", "you
        // can reach me by phone" and "I will call you"; programs say there whom to turn to.
        let mut formal = vec![Cue::Urgent, Cue::NoAccess];
        if !answers {
            formal.push(Cue::Limited);
        }
        let personal = answers && (self.says(Cue::Myself) || self.says(Cue::Promise));
        let formal = formal.iter().any(|cue| self.says(*cue)) && !personal;
        let formal = formal || self.says(Cue::Auto);
        self.says_absence() && formal && !self.engaged && !self.cut && self.stray_words == 0
    }

    /// A receipt, and nothing else.
    pub(super) fn is_formal_receipt(&self) -> bool {
        self.says(Cue::Ack) && !self.engaged && !self.cut && self.stray_words == 0
    }

    /// Two sentences and more say that the mail was received.
    pub(super) fn is_receipt_twice(&self) -> bool {
        self.receipts >= 2 && self.is_formal_receipt()
    }

    /// Little in it that notices do not have.
    pub(super) fn is_mostly_notice(&self) -> bool {
        !self.engaged && !self.cut && self.stray_words <= FEW_STRAY_WORDS
    }

    /// It reads like a notice, whoever wrote it.
    pub(super) fn is_notice_like(&self) -> bool {
        self.away && self.stray_words <= FEW_STRAY_WORDS / 2
            || self.says(Cue::Auto)
            || self.is_formal_receipt() && self.says(Cue::Thanks)
    }

    /// More than one phrase of a challenge.
    pub(super) fn challenges(&self) -> bool {
        self.challenges >= 2
    }
}

/// Reads what was newly written in a mail.
pub(super) fn of_new_text(mail: &Mail) -> Read {
    let folded = fold(&mail.text, FIRST_BYTES);
    let hits = lexicon::in_reply(&folded);
    let telling = [
        Cue::Away,
        Cue::Absent,
        Cue::Left,
        Cue::Auto,
        Cue::Ack,
        Cue::Challenge,
        Cue::Limited,
        Cue::NoAccess,
        Cue::Unread,
    ];
    // Most mails say nothing of the kind, quoted or not.
    if !hits.iter().any(|h| telling.contains(&h.cue)) {
        let mut read = Read {
            empty: folded.is_empty(),
            ..Read::default()
        };
        for hit in &hits {
            read.all.add(hit.cue);
        }
        read.engaged = read.all.any(&[Cue::Want, Cue::Always]) || folded.contains('?');
        return read;
    }
    let split = visible::of_mail(mail);
    if split.nothing_new && opens_with_answer_line(mail) {
        return of_folded(&folded, &hits);
    }
    // Nothing new: a forward, or a mail that is nothing but quotes.
    if split.nothing_new {
        return Read {
            empty: true,
            engaged: true,
            ..Read::default()
        };
    }
    let new = visible::own_words(&split.new_text, false);
    let refolded = fold(&new, MAX_TEXT_BYTES);
    let hits = lexicon::in_reply(&refolded);
    let mut read = of_folded(&refolded, &hits);
    read.cut = new.len() > MAX_TEXT_BYTES;
    read
}

/// It begins with the line above which an answer shall stand: a ticket system wrote it, and what
/// follows is no quote.
pub(super) fn opens_with_answer_line(mail: &Mail) -> bool {
    let first = mail.text.lines().find(|l| !l.trim().is_empty());
    let first = super::prefix(first.unwrap_or_default(), 200);
    let folded = fold(first, 200);
    let above = [
        "above this line",
        "uber dieser zeile",
        "oberhalb dieser",
        "au dessus de cette ligne",
        "encima de esta linea",
        "sopra questa riga",
        "boven deze regel",
        "ovanfor denna rad",
        "acima desta linha",
    ];
    first.trim_start().starts_with("##- ") || above.iter().any(|w| folded.contains(w))
}

fn of_folded(folded: &str, hits: &[Hit]) -> Read {
    let mut read = Read {
        empty: folded.is_empty(),
        ..Read::default()
    };
    let explained_by = [
        Cue::Away,
        Cue::Absent,
        Cue::Left,
        Cue::Auto,
        Cue::Ack,
        Cue::Challenge,
        Cue::Thanks,
        Cue::Urgent,
        Cue::Limited,
        Cue::Wish,
        Cue::Disclaimer,
        Cue::NoAccess,
        Cue::Unread,
    ];
    let mut closed = false;
    for (start, end) in ranges(folded) {
        let sentence = folded.get(start..end).unwrap_or_default();
        let mut cues = Cues::default();
        let inside: Vec<&Hit> = hits
            .iter()
            .filter(|h| h.start >= start && h.end <= end)
            .collect();
        for hit in &inside {
            cues.add(hit.cue);
        }
        // `tak` is "yes" in Polish, and `tak for din mail` is thanks in Danish.
        let within = |w: &Hit| {
            inside.iter().any(|h| {
                explained_by.contains(&h.cue)
                    && h.start <= w.start
                    && w.end <= h.end
                    && h.end - h.start > w.end - w.start
            })
        };
        let wants = inside.iter().any(|h| h.cue == Cue::Want && !within(h));
        let always = cues.has(Cue::Always);
        let past = cues.has(Cue::Past);
        let away = inside.iter().any(|h| {
            // `Out of office until Monday` needs no word of being.
            let opens = sentence.len() - sentence.trim_start().len() + start == h.start;
            let being = |b: &&Hit| b.cue == Cue::Be && family(b.language) == family(h.language);
            h.cue == Cue::Away && (opens || inside.iter().any(being))
        });
        let asks = sentence.trim_end().ends_with('?') || sentence.contains("? ");
        let absence = (away || cues.any(&[Cue::Absent, Cue::Left])) && !past && !asks;
        read.away |= absence && !closed;
        read.returns |= absence && (away || cues.has(Cue::Absent)) && !closed;
        let explained = absence || cues.any(&explained_by);
        // After the closing come name, firm and telephone.
        if !closed && !explained {
            let words = sentence.split_whitespace().count();
            read.engaged |= wants || asks || always;
            if words >= FEW_WORDS && !cues.any(&[Cue::Close]) && !is_frame(&inside, words) {
                read.stray_words += words;
            }
        } else if !closed && (wants || asks || always) {
            // `I am away until Monday but please send the brochure`; but `Is it urgent? Call ...`.
            let only_where_to_turn = cues.any(&[
                Cue::Urgent,
                Cue::Auto,
                Cue::Ack,
                Cue::Challenge,
                Cue::Disclaimer,
            ]);
            let asks = asks && !cues.has(Cue::Urgent);
            read.engaged |= !only_where_to_turn || asks || always;
        }
        read.receipts += inside.iter().filter(|h| h.cue == Cue::Ack).count();
        read.challenges += inside.iter().filter(|h| h.cue == Cue::Challenge).count();
        for hit in &inside {
            read.all.add(hit.cue);
        }
        closed |= cues.has(Cue::Close);
    }
    read
}

/// A greeting with a name.
fn is_frame(inside: &[&Hit], words: usize) -> bool {
    words <= 6 && inside.iter().any(|h| h.cue == Cue::Greet)
}

/// Languages that share their words of being.
fn family(language: &str) -> &str {
    match language {
        "da" | "no" => "sv",
        other => other,
    }
}

/// Where the sentences stand: they end at `.`, `!`, `?` before a blank, and at blank lines. A
/// full stop after a digit is that of a date.
fn ranges(folded: &str) -> Vec<(usize, usize)> {
    let bytes = folded.as_bytes();
    let mut ranges = Vec::new();
    let mut start = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let next = bytes.get(at + 1);
        let ends = match byte {
            b'\n' => true,
            b'!' | b'?' => next.is_none_or(u8::is_ascii_whitespace),
            b'.' => next.is_none_or(u8::is_ascii_whitespace) && !is_day(bytes, at),
            _ => false,
        };
        if ends {
            push(&mut ranges, bytes, start, at + 1);
            start = at + 1;
        }
    }
    push(&mut ranges, bytes, start, bytes.len());
    ranges
}

/// One or two digits before a full stop: `3. Mai`, and not `2025.`.
fn is_day(bytes: &[u8], stop: usize) -> bool {
    let before = bytes.get(..stop).unwrap_or_default();
    let digits = before
        .iter()
        .rev()
        .take_while(|b| b.is_ascii_digit())
        .count();
    (1..=2).contains(&digits)
}

fn push(ranges: &mut Vec<(usize, usize)>, bytes: &[u8], start: usize, end: usize) {
    let filled = bytes
        .get(start..end)
        .is_some_and(|s| s.iter().any(u8::is_ascii_alphanumeric) || s.iter().any(|b| *b >= 0x80));
    if filled {
        ranges.push((start, end));
    }
}
