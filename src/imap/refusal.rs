//! What a server says in a status line, and what it means when it is not OK.

use std::time::Duration;

use async_imap::imap_proto::{Outcome, ResponseCode};

use super::error::{ImapError, Step};
use super::limits::{TEXT_CHARS, THROTTLE_MAX};

/// Texts by which servers without a fitting response code say "slow down", in lower case.
const THROTTLE_TEXTS: &[&str] = &[
    // Microsoft 365, also for an overloaded mailbox, instead of a NO to the sign-in.
    "user is authenticated but not connected",
    "suggested backoff time",
    "request is throttled",
    // Gmail.
    "too many simultaneous connections",
    "exceeded command or bandwidth limits",
    // Dovecot, Cyrus and others.
    "maximum number of connections",
    "too many connections",
    "too many login",
    "rate limit",
    "try again later",
    "temporary authentication failure",
    "server is busy",
];

/// Texts of a server that asks for less, whatever response code stands before them: Microsoft 365
/// puts them behind codes that would mean a wrong password elsewhere.
const SURELY_THROTTLED: &[&str] = &[
    "user is authenticated but not connected",
    "suggested backoff time",
    "request is throttled",
];

/// Texts by which a server says in its BYE that the session's time is up, in lower case.
const OVER_TEXTS: &[&str] = &[
    // Gmail, after a day or with the token's life.
    "session expired",
    // Microsoft 365: "Session invalidated - AccessTokenExpired".
    "accesstokenexpired",
    "access token expired",
    "token has expired",
    "token is expired",
    "session invalidated",
    "session lifetime",
    "maximum session",
];

/// A status line's code and text, safe to keep and to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// First word of the response code, in upper case.
    pub(super) code: Option<String>,
    /// Bounded, without control characters and addresses.
    pub(super) text: String,
    throttled: bool,
    surely_throttled: bool,
    over: bool,
    wait: Option<Duration>,
}

/// Which kind of "not OK".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    No,
    Bad,
    Bye,
}

impl Said {
    /// Takes over what may be kept of an outcome.
    pub(super) fn new(outcome: &Outcome<'_>) -> Self {
        let raw = outcome.information.as_deref().unwrap_or_default();
        let (code, raw) = match &outcome.code {
            Some(ResponseCode::Alert) => (Some("ALERT".to_owned()), raw),
            Some(ResponseCode::TryCreate) => (Some("TRYCREATE".to_owned()), raw),
            Some(_) => (None, raw),
            // Codes that imap-proto does not know stay in the text.
            None => split_code(raw),
        };
        let lower: String = raw.chars().take(2000).collect::<String>().to_lowercase();
        let says = |texts: &[&str]| texts.iter().any(|t| lower.contains(t));
        Self {
            code,
            text: clean(raw),
            throttled: says(THROTTLE_TEXTS),
            surely_throttled: says(SURELY_THROTTLED),
            over: says(OVER_TEXTS),
            wait: backoff_time(&lower),
        }
    }

    /// The error that this is.
    pub(super) fn refusal(self, step: Step, kind: Refusal) -> ImapError {
        let Self {
            code,
            text,
            throttled,
            surely_throttled,
            over,
            wait,
        } = self;
        let refused = |code, text| ImapError::AuthRefused {
            code,
            text,
            token: false,
        };
        // Before somebody is signed in, "expired" is about the credentials.
        let signed_in = !matches!(
            step,
            Step::Greeting | Step::StartTls | Step::Capability | Step::SignIn
        );
        match (code.as_deref(), kind) {
            _ if surely_throttled => ImapError::Throttled { step, wait, text },
            (_, Refusal::Bye) if over && signed_in => ImapError::SessionOver { step, text },
            (
                Some("AUTHENTICATIONFAILED" | "AUTHORIZATIONFAILED" | "EXPIRED"),
                Refusal::No | Refusal::Bad,
            ) => refused(code, text),
            _ if throttled || wait.is_some() => ImapError::Throttled { step, wait, text },
            (Some("THROTTLED" | "OVERLOADED"), _) => ImapError::Throttled { step, wait, text },
            (Some(word @ ("UNAVAILABLE" | "INUSE" | "LIMIT")), _) => ImapError::Unavailable {
                step,
                code: word.to_owned(),
                text,
            },
            // Most servers answer a wrong password with a bare NO.
            (_, Refusal::No) if step == Step::SignIn => refused(code, text),
            (_, Refusal::No) => ImapError::No { step, code, text },
            (_, Refusal::Bad) => ImapError::Bad { step, code, text },
            (_, Refusal::Bye) => ImapError::Bye { step, text },
        }
    }

    /// Adds what else the server said, from a source that holds no secret.
    pub(super) fn add(&mut self, what: &str) {
        let text = format!("{} ({what})", self.text);
        self.text = clean(&text);
    }

    /// Replaces the text when it repeats one of `secrets`, or ends in the beginning of one where
    /// it was cut (a BAD often quotes the command).
    pub(super) fn withhold(&mut self, secrets: &[&str]) {
        let begun = |s: &str| {
            let ends = s.char_indices().map(|(at, _)| at).filter(|at| *at >= 3);
            ends.filter_map(|at| s.get(..at))
                .any(|head| self.text.ends_with(head))
        };
        let repeats = |s: &&str| s.len() >= 3 && (self.text.contains(*s) || begun(s));
        if secrets.iter().any(repeats) {
            self.text = "(the server repeated the sign-in; withheld)".to_owned();
        }
    }
}

/// `[CODE args] text` into its word and text.
fn split_code(raw: &str) -> (Option<String>, &str) {
    let Some((inside, text)) = raw.strip_prefix('[').and_then(|r| r.split_once(']')) else {
        return (None, raw);
    };
    let word = inside.split(' ').next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if word.is_empty() || word.len() > 40 || !word.chars().all(plain) {
        return (None, raw);
    }
    (Some(word.to_ascii_uppercase()), text)
}

/// Bounded, one line, no control characters, no addresses (invariant I7).
fn clean(raw: &str) -> String {
    let head: String = raw
        .chars()
        .take(TEXT_CHARS.saturating_mul(4))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let words: Vec<&str> = head
        .split_whitespace()
        .map(|w| if w.contains('@') { "<address>" } else { w })
        .collect();
    words.join(" ").chars().take(TEXT_CHARS).collect()
}

/// Microsoft 365: "Suggested Backoff Time: 299961 milliseconds".
fn backoff_time(lower: &str) -> Option<Duration> {
    let (_, rest) = lower.split_once("suggested backoff time:")?;
    let rest = rest.trim_start();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let n: u64 = digits.parse().ok()?;
    let unit = rest.get(digits.len()..).unwrap_or_default().trim_start();
    let wait = if unit.starts_with("sec") {
        Duration::from_secs(n)
    } else {
        Duration::from_millis(n)
    };
    Some(wait.min(THROTTLE_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Said {
        Said::new(&Outcome {
            code: None,
            information: Some(text.into()),
        })
    }

    #[test]
    fn refused_credentials_are_told_apart_from_a_server_that_cannot_now() {
        let no = |t: &str| said(t).refusal(Step::SignIn, Refusal::No);
        for t in [
            "[AUTHENTICATIONFAILED] Invalid credentials",
            "[AUTHORIZATIONFAILED] no",
            "[EXPIRED] password expired",
            "LOGIN failed.",
            "[ALERT] Please log in via your web browser",
        ] {
            assert!(no(t).is_auth(), "{t}");
        }
        for t in [
            "[UNAVAILABLE] backend down",
            "[INUSE] x",
            "[LIMIT] x",
            "Too many simultaneous connections. (Failure)",
            "[THROTTLED] later",
        ] {
            assert!(!no(t).is_auth(), "{t}");
        }
        assert!(matches!(
            no("[UNAVAILABLE] x"),
            ImapError::Unavailable { .. }
        ));
        // Any other command's NO is not about credentials.
        let e = said("denied").refusal(Step::Examine, Refusal::No);
        assert!(matches!(e, ImapError::No { .. }));
        let e =
            said("User is authenticated but not connected.").refusal(Step::Examine, Refusal::Bad);
        assert!(matches!(e, ImapError::Throttled { wait: None, .. }));
    }

    #[test]
    fn microsofts_throttling_is_no_refusal_whatever_code_stands_before_it() {
        for text in [
            "User is authenticated but not connected.",
            "[AUTHENTICATIONFAILED] User is authenticated but not connected.",
            "[ALERT] Request is throttled. Suggested Backoff Time: 92415 milliseconds",
            "[AUTHENTICATIONFAILED] Request is throttled. Suggested Backoff Time: 92415 milliseconds",
        ] {
            for step in [Step::SignIn, Step::Examine, Step::Fetch, Step::Wait] {
                for kind in [Refusal::No, Refusal::Bad, Refusal::Bye] {
                    let e = said(text).refusal(step, kind);
                    assert!(matches!(e, ImapError::Throttled { .. }), "{text}: {e:?}");
                    assert!(!e.is_auth(), "{text}");
                }
            }
        }
    }

    #[test]
    fn the_expected_end_of_a_session_is_told_from_other_ends_and_from_expired_passwords() {
        let bye = |text: &str, step| said(text).refusal(step, Refusal::Bye);
        for text in [
            "Session expired, please login again.",
            "Session invalidated - AccessTokenExpired",
            "Access token expired",
        ] {
            let e = bye(text, Step::Wait);
            assert!(matches!(e, ImapError::SessionOver { .. }), "{text}: {e:?}");
            let e = bye(text, Step::SignIn);
            assert!(!matches!(e, ImapError::SessionOver { .. }), "{text}: {e:?}");
        }
        for text in ["Server shutting down.", "Disconnected for inactivity.", ""] {
            assert!(
                matches!(bye(text, Step::Wait), ImapError::Bye { .. }),
                "{text}"
            );
        }
        assert!(
            said("[EXPIRED] Password expired")
                .refusal(Step::SignIn, Refusal::No)
                .is_auth()
        );
    }

    #[test]
    fn suggested_backoff_is_taken_from_any_status_and_capped() {
        let text = "Request is throttled. Suggested Backoff Time: 2500 milliseconds";
        for kind in [Refusal::No, Refusal::Bad, Refusal::Bye] {
            let e = said(text).refusal(Step::Fetch, kind);
            assert_eq!(e.wait(), Some(Duration::from_millis(2500)));
        }
        let e = said("Suggested Backoff Time: 99999999999 milliseconds")
            .refusal(Step::Fetch, Refusal::No);
        assert_eq!(e.wait(), Some(THROTTLE_MAX));
    }

    #[test]
    fn texts_are_bounded_and_hold_no_addresses_control_characters_or_secrets() {
        let long = format!(
            "[X-CODE a b] \u{1b}[31m for ann@example.org {}",
            "y".repeat(5000)
        );
        let mut s = said(&long);
        assert_eq!(s.code.as_deref(), Some("X-CODE"));
        assert!(s.text.chars().count() <= TEXT_CHARS);
        assert!(!s.text.contains('\u{1b}') && !s.text.contains("ann@"));
        s = said("Error in IMAP command: LOGIN ann hunter2");
        s.withhold(&["hunter2"]);
        assert!(!s.text.contains("hunter2"));
        s = said(&format!("{} hunter2", "z".repeat(TEXT_CHARS - 5)));
        s.withhold(&["hunter2"]);
        assert!(!s.text.contains("hunt"), "{}", s.text);
    }
}
