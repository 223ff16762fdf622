//! Why a delivery failed: status, permanence, and whether the address is gone.

use std::cell::OnceCell;
use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};

use super::Report;
use super::recipients::Failure;
use crate::nature::fold::fold;
use crate::nature::lexicon::{self, Cue, Hit};

/// What of a text is searched for the reason.
const MAX_REASON_BYTES: usize = 3000;
/// Answers of the other server that are looked at.
const MAX_ANSWERS: usize = 12;
/// `550 5.7.1 No such user here` and no more.
const PLAIN_WORDS: usize = 8;
/// How far `mailbox` and `not found` may stand apart, in bytes of folded text.
const NEAR: usize = 48;

/// A pattern that is compiled at its first use. The patterns are constants; a test compiles each,
/// so `None` does not happen.
type Pattern = LazyLock<Option<Regex>>;

/// An enhanced status code (RFC 3463), not part of an address, a version or a number.
static STATUS: Pattern = LazyLock::new(|| {
    compile(
        r"(?:^|[^0-9A-Za-z_.\[/@-]|[245][0-9][0-9]-)([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:$|[^0-9A-Za-z_./@-]|\.(?:$|[ \t\r\n]))",
    )
});
/// A reply code (RFC 5321 §4.2) where reports put it.
static REPLY: Pattern = LazyLock::new(|| {
    compile(
        r"(?:^|said:? ?|error:? |<<< |host said:? |response:? |status:? |returned:? |code:? ?:?|\(|smtp; ?|failed: |\]: |>: |>\.\.\. |: |- |'|= )([45][0-9][0-9])(?:[ -]#?[A-Za-z0-9_<\['(:;*]|\)|$|:|;|,|')",
    )
});

fn compile(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern)
        .case_insensitive(true)
        .multi_line(true)
        .build()
        .ok()
}

pub(super) fn warm_up() {
    LazyLock::force(&STATUS);
    LazyLock::force(&REPLY);
}

fn first<'t>(pattern: &Pattern, text: &'t str) -> Option<&'t str> {
    let text = crate::nature::prefix(text, 4 * MAX_REASON_BYTES);
    let found = pattern.as_ref()?.captures(text)?.get(1)?;
    Some(found.as_str())
}

/// Whether a text shows a status or reply code.
pub(super) fn has_code(text: &str) -> bool {
    text.bytes().any(|b| matches!(b, b'4' | b'5'))
        && (first(&STATUS, text).is_some() || first(&REPLY, text).is_some())
}

/// What all failures together say.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) status: Option<String>,
    pub(super) permanent: Option<bool>,
    pub(super) address_dead: Option<bool>,
}

/// Why the failures happened. One dead address makes the whole dead: campaign mails have one
/// recipient each.
pub(super) fn tell(failures: &[Failure], report: &Report<'_>) -> Told {
    let own = Own::of(report.own_words());
    let mut told = Told::default();
    let nothing = [Failure::default()];
    let failures = if failures.is_empty() {
        &nothing
    } else {
        failures
    };
    let mut dead_status = None;
    for failure in failures {
        let one = tell_one(failure, &own);
        if one.address_dead == Some(true) && told.address_dead != Some(true) {
            dead_status = Some(one.status.clone());
        }
        told.address_dead = match (told.address_dead, one.address_dead) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (known, other) => known.or(other),
        };
        told.status = told.status.or(one.status);
        told.permanent = match (told.permanent, one.permanent) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (known, other) => known.or(other),
        };
    }
    if let Some(Some(status)) = dead_status {
        told.status = Some(status);
    }
    told
}

/// Of a status field and what the other server said.
pub(super) fn of_words(status: &str, said: &str) -> Told {
    let failure = Failure {
        status: status.to_owned(),
        words: said.to_owned(),
        ..Failure::default()
    };
    tell_one(&failure, &Own::of(""))
}

/// A report's own text, read once for all its failures.
struct Own<'t> {
    text: &'t str,
    folded: String,
    /// What counts where nothing is said of a failure by itself.
    said: OnceCell<(Reason, Option<&'t str>)>,
}

impl<'t> Own<'t> {
    fn of(text: &'t str) -> Self {
        Self {
            text,
            folded: fold(&without_links(text), MAX_REASON_BYTES),
            said: OnceCell::new(),
        }
    }

    fn said(&self) -> &(Reason, Option<&'t str>) {
        self.said.get_or_init(|| {
            let reply = first(&REPLY, self.text);
            // What another server said is more than what the report makes of it.
            let answers = answers(self.text);
            let mut reasons: Vec<(bool, Reason)> = answers
                .iter()
                .map(|a| (a.starts_with('5'), Reason::of(a, &self.folded)))
                .collect();
            let gone = |(permanent, r): &(bool, Reason)| *permanent && r.gone && !r.stays;
            let telling = |(_, r): &(bool, Reason)| r.is_telling();
            let best = reasons
                .iter()
                .position(gone)
                .or_else(|| reasons.iter().position(telling))
                .or_else(|| (!reasons.is_empty() && self.text.contains("<<< ")).then_some(0));
            let reason = match best {
                Some(best) => reasons.swap_remove(best).1,
                None => Reason::of(self.text, &self.folded),
            };
            (reason, reply)
        })
    }
}

fn tell_one(failure: &Failure, own: &Own<'_>) -> Told {
    let said = failure.words.trim();
    let status = status(&failure.status, said, own.text);
    let its_own;
    let (reason, reply) = if said.is_empty() {
        let (reason, reply) = own.said();
        (reason, *reply)
    } else {
        its_own = Reason::of(said, &own.folded);
        let reply = first(&REPLY, said).or_else(|| first(&REPLY, own.text));
        (&its_own, reply)
    };
    let address_dead = Some(is_dead(status.as_deref(), reply, reason));
    let silent =
        status.is_none() && reply.is_none() && said.is_empty() && own.text.trim().is_empty();
    let permanent = match (&status, reply) {
        (Some(status), _) => Some(status.starts_with('5')),
        (None, Some(reply)) => Some(reply.starts_with('5')),
        (None, None) if reason.gone => Some(true),
        (None, None) => None,
    };
    Told {
        status,
        permanent,
        address_dead: address_dead.filter(|_| !silent),
    }
}

/// What the other server answered, where the report repeats it: `<<< 550 ...`, and the lines
/// `550-5.1.1 ...` of one answer together.
fn answers(own: &str) -> Vec<String> {
    let mut answers: Vec<String> = Vec::new();
    // Sendmail marks what the other server said, and adds codes of its own.
    let marked = own.lines().any(|l| l.trim_start().starts_with("<<< "));
    for line in own.lines() {
        let line = line.trim();
        if marked && !line.starts_with("<<<") {
            continue;
        }
        let line = line.trim_start_matches(['<', ' ']);
        let code = line.get(..3).unwrap_or_default();
        let is_code = code.starts_with(['4', '5']) && code.bytes().all(|b| b.is_ascii_digit());
        if !is_code || !line.get(3..).is_some_and(|r| r.starts_with([' ', '-'])) {
            continue;
        }
        let goes_on = format!("{code}-");
        let open = answers.last_mut().filter(|a| a.starts_with(&goes_on));
        if let Some(last) = open {
            last.push('\n');
            last.push_str(line);
        } else if answers.len() < MAX_ANSWERS {
            answers.push(line.to_owned());
        }
    }
    answers
}

/// The most telling of the codes: `5.0.0` is what systems write that do not know; the other
/// server may have said more.
fn status(field: &str, said: &str, own: &str) -> Option<String> {
    let vague = |s: &str| s.ends_with(".0.0");
    let field = Some(field).filter(|f| !f.is_empty());
    if let Some(told) = field.filter(|f| !vague(f)) {
        // A gateway's 5.1.0 or 5.3.0 hides the other server's own code.
        if told.ends_with(".0")
            && let Some(more) = specific(said)
        {
            return Some(more.to_owned());
        }
        return Some(told.to_owned());
    }
    let in_said = specific(said).or_else(|| first(&STATUS, said));
    let in_own = || first(&STATUS, own).filter(|s| !vague(s));
    in_said
        .filter(|s| !vague(s))
        .or_else(in_own)
        .or(field)
        .or(in_said)
        .map(str::to_owned)
}

/// The first status code that says more than its subject.
fn specific(text: &str) -> Option<&str> {
    let text = crate::nature::prefix(text, 4 * MAX_REASON_BYTES);
    let mut all = STATUS.as_ref()?.captures_iter(text);
    all.find_map(|c| c.get(1).map(|m| m.as_str()).filter(|s| !s.ends_with(".0")))
}

/// What the words say.
#[derive(Debug, Default)]
struct Reason {
    /// The address is gone.
    gone: bool,
    /// It may well exist.
    stays: bool,
    /// Refused at RCPT TO: it is the address that was refused.
    at_recipient: bool,
    /// Refused after the content: a filter may say "user unknown" too.
    at_data: bool,
    /// The recipient's address was refused, and no other reason given.
    denied: bool,
    /// With 5.5.0 the words of Outlook.com for an unknown mailbox.
    unavailable: bool,
    /// 521 and 556 (RFC 7504), null MX (RFC 7505).
    never_accepts: bool,
    /// Few words, so nothing of a policy or a filter.
    plain: bool,
}

impl Reason {
    fn is_telling(&self) -> bool {
        self.gone || self.stays || self.denied || self.unavailable || self.never_accepts
    }

    /// Of what was said; the stage may stand elsewhere in the report, `own` folded.
    fn of(words: &str, own: &str) -> Self {
        let folded = fold(&without_links(words), MAX_REASON_BYTES);
        let hits = lexicon::in_reason(&folded);
        let gone = gone_at(&folded, &hits);
        let any = |list: &[&str]| list.iter().any(|w| folded.contains(w) || own.contains(w));
        Self {
            gone: gone.is_some(),
            // `not listed in the directory` is no blocklist.
            stays: hits.iter().any(|h| {
                let within = |g: &Hit| g.cue == Cue::Gone && g.start < h.end && h.start < g.end;
                h.cue == Cue::Stays && !hits.iter().any(within)
            }),
            at_recipient: any(&[
                "in reply to rcpt to",
                "after rcpt to",
                "response to rcpt to",
                "in response to rcpt",
                "at rcpt",
                "rcpt to command",
                "recipient verify",
                "rcpt to:@",
                ">>> rcpt",
                "rcpt @",
                "rcpt to @",
                "[rcpt",
                "rcpt to",
                "recipient address rejected",
                "smtp error from remote mail server after rcpt",
                "rejected rcpt",
                "response to the rcpt to",
                "does not like recipient",
                "rcpt command",
            ]),
            at_data: any(&[
                "in reply to end of data",
                "after end of data",
                "in reply to data",
                "after data",
                "end of data",
                "response to data",
                "end of message",
                "after sending data",
                "message contents",
                "failed after i sent the message",
                "smtp command data",
                "data command",
            ]),
            denied: folded.contains("recipient address rejected: access denied")
                || any(&["recipient address rejected. in reply to rcpt"]),
            unavailable: folded.contains("mailbox unavailable"),
            plain: folded.split_whitespace().count() <= PLAIN_WORDS,
            never_accepts: ["521 ", "556 "].iter().any(|c| folded.starts_with(c))
                || folded.contains("does not accept mail")
                || folded.contains("null mx"),
        }
    }
}

/// Of a link only its host counts (`www.spamhaus.org`): the rest repeats words of other cases,
/// as in `https://provider.example/help#blocked`.
fn without_links(words: &str) -> String {
    let words = crate::nature::prefix(words, 2 * MAX_REASON_BYTES);
    if !words.contains("://") {
        return words.to_owned();
    }
    words
        .split_inclusive(char::is_whitespace)
        .map(|word| match word.split_once("://") {
            Some((_, rest)) => {
                let host = rest.split(['/', '?', '#', ' ', '\n']).next();
                format!("{} ", host.unwrap_or_default())
            }
            None => word.to_owned(),
        })
        .collect()
}

/// Where the words say that the recipient is gone; that it may be, or that a sender is not known,
/// says nothing.
fn gone_at(folded: &str, hits: &[Hit]) -> Option<usize> {
    let about_other = |at: usize| {
        let mut from = at.saturating_sub(60);
        while !folded.is_char_boundary(from) {
            from += 1;
        }
        let before = folded.get(from..at).unwrap_or_default();
        let before = before.rsplit(['\n', ';']).next().unwrap_or(before);
        [
            " may ",
            " might ",
            "maybe",
            "moglicherweise",
            "vielleicht",
            "peut etre",
            "pravdepodobne",
            "puede que",
            "podria",
            "mozna",
            "sender",
            "mail from",
            "from:",
            "helo",
            "ehlo",
            "your domain",
            "your host",
            "originat",
            "return path",
            "client host",
            "reverse",
        ]
        .iter()
        .any(|w| before.contains(w))
    };
    hits.iter()
        .find(|h| match h.cue {
            Cue::Gone => !about_other(h.start),
            Cue::GoneWord => {
                !about_other(h.start)
                    && hits.iter().any(|n| {
                        n.cue == Cue::GoneNoun
                            && same(n.language, h.language)
                            && (n.end <= h.start && h.start - n.end <= NEAR
                                || h.end <= n.start && n.start - h.end <= NEAR / 2)
                            && folded
                                .get(n.end.min(h.end)..n.start.max(h.start))
                                .is_some_and(|between| !between.contains('\n'))
                    })
            }
            _ => false,
        })
        .map(|h| h.start)
}

fn same(a: &str, b: &str) -> bool {
    a == b || a.is_empty() || b.is_empty()
}

/// RFC 3463 §3.2 has the codes for addresses that are gone; where the code is vague the words
/// decide. What speaks for a living address (full, blocked, policy) wins over a vague code.
fn is_dead(status: Option<&str>, reply: Option<&str>, reason: &Reason) -> bool {
    let transient = status.map_or_else(
        || reply.is_some_and(|r| r.starts_with('4')),
        |s| s.starts_with('4'),
    );
    if transient {
        return false;
    }
    let refuses_all = reply.is_some_and(|r| matches!(r, "521" | "556")) || reason.never_accepts;
    if refuses_all && !reason.stays {
        return true;
    }
    let mut parts = status.unwrap_or_default().split('.').skip(1);
    let code = (
        parts.next().and_then(|p| p.parse::<u32>().ok()),
        parts.next().and_then(|p| p.parse::<u32>().ok()),
    );
    // Directory-based blocking of Microsoft 365, and Postfix, deny the access of unknown addresses.
    let words = (reason.gone && !reason.stays || reason.denied) && !reason.at_data;
    match code {
        // Bad mailbox, bad domain, bad syntax, moved, null MX (RFC 7505).
        (Some(1), Some(1 | 2 | 3 | 6 | 10)) => reason.gone || !reason.stays,
        // What is wrong is the sender's address.
        (Some(1), Some(7..=9)) => false,
        // The mailbox exists (RFC 3463 §3.3), or policy speaks: "user unknown" is believed only
        // where it was the recipient that was refused.
        (Some(2), Some(0 | 1)) => words && reason.at_recipient,
        (Some(7), _) => words && (reason.at_recipient || reason.plain),
        (Some(2 | 6), _) => false,
        (Some(5), Some(0)) if reason.unavailable => true,
        // The text of RFC 5321 §4.2.2 for 550, with no reason beside it.
        (None | Some(0), _) if reason.unavailable && reply == Some("550") => {
            !reason.stays && !reason.at_data
        }
        // Loops and expiry.
        (Some(4), Some(6 | 7 | 14)) => false,
        (Some(3), Some(1 | 4)) => false,
        _ => words || reason.gone && reason.at_recipient && !reason.at_data,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patterns_compile() {
        assert!(STATUS.is_some() && REPLY.is_some());
    }

    #[test]
    fn codes_are_found_where_reports_put_them() {
        for (text, status, reply) in [
            (
                "550 5.1.1 <a@x>... User unknown",
                Some("5.1.1"),
                Some("550"),
            ),
            (
                "host mx said: 550-5.1.1 The email account",
                Some("5.1.1"),
                Some("550"),
            ),
            ("Sorry, no mailbox. (#5.1.1)", Some("5.1.1"), None),
            ("smtp; 554 delivery error", None, Some("554")),
            ("version 5.5.2653.19 at 10.5.1.1", None, None),
            ("in the year 550 people", None, None),
        ] {
            assert_eq!(first(&STATUS, text), status, "{text}");
            assert_eq!(first(&REPLY, text), reply, "{text}");
        }
    }

    #[test]
    fn an_unknown_sender_is_no_unknown_recipient() {
        let dead = |words: &str| {
            let reason = Reason::of(words, "");
            is_dead(first(&STATUS, words), first(&REPLY, words), &reason)
        };
        assert!(dead("550 No such user here"));
        assert!(dead(
            "550 <a@x.example>: Recipient address rejected: User unknown"
        ));
        assert!(dead("Empfänger unbekannt"));
        assert!(dead("L'adresse du destinataire n'existe pas"));
        assert!(dead("5.4.1 Recipient address rejected: Access denied"));
        assert!(!dead("550 Sender address rejected: Domain not found"));
        assert!(!dead("552 mailbox full"));
        assert!(!dead("550 User unknown (in reply to end of DATA command)"));
        assert!(!dead("450 user unknown"));
        assert!(!dead("550 5.7.1 User unknown, blocked by policy"));
        assert!(dead("550 5.7.1 No such user!"));
        assert!(dead("550 Requested action not taken: mailbox unavailable"));
        assert!(!dead("450 Requested action not taken: mailbox unavailable"));
    }
}
