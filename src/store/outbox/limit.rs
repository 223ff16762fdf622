//! Replies that say "too many mails": they are about the account, not about the mail, so the
//! mail waits and the account's campaign mails stop for a while (docs/DECISIONS.md "Campaign
//! mails"). No two providers agree on code and words; each phrase here is from a published reply.

/// Which of a server's limits was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// Too fast: wait minutes.
    Rate,
    /// Too many in a day: wait hours.
    Day,
}

/// Of the recipient, not of us.
const OF_THE_RECIPIENT: &[&str] = &[
    "greylist",
    "graylist",
    "mailbox full",
    "mailbox is full",
    "over quota",
    "overquota",
    // Gmail, 450 4.2.1
    "user you are trying to contact",
    "is receiving mail",
];

const A_DAY: &[&str] = &[
    // Gmail: "550 5.4.5 Daily user sending limit exceeded", "… quota exceeded",
    // "550 5.7.1 Daily SMTP relay limit exceeded"
    "daily user sending",
    "daily smtp relay",
    "dailylimitexceeded",
    // iCloud: "550 5.7.1 …: You have exceeded your daily sending limit"
    "daily sending",
    "daily limit",
    "daily message",
    "daily quota",
    "per day",
    "sending limit",
    "sending quota",
    // Microsoft 365: "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException"
    "submissionquotaexceeded",
    "submission quota",
    // "RecipientRateLimitExceeded", "550 5.1.90 … reached your daily limit for message recipients"
    "recipientratelimit",
    "recipient rate limit",
    "outgoing email quota",
    "outgoing message quota",
];

const A_RATE: &[&str] = &[
    "too many messages",
    "too many emails",
    "too many mails",
    "too many connections",
    // Microsoft 365: "432 4.3.2 Concurrent connections limit exceeded", "432 4.3.2
    // STOREDRV.ClientSubmit; sender thread limit exceeded", "421 4.3.2 The maximum number of
    // concurrent server connections has exceeded a limit"
    "concurrent connections limit",
    "sender thread limit",
    "connections has exceeded a limit",
    "rate limit",
    "ratelimit",
    "rate exceeded",
    "message rate",
    "throttl",
    "too fast",
    "slow down",
    "per hour",
    "hourly",
    "per minute",
];

/// The limit that a refusal names, if it names one.
pub(super) fn of(code: Option<u16>, text: &str) -> Option<Limit> {
    let code = code.filter(|code| (400..600).contains(code))?;
    // Wrong credentials are no limit, whatever they are called.
    if matches!(code, 530 | 534 | 535 | 538) {
        return None;
    }
    let text = text.to_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|p| text.contains(p));
    if says(OF_THE_RECIPIENT) {
        return None;
    }
    // RFC 3463 X.4.5 is congestion; Gmail says 5.4.5 for its number a day and for nothing else.
    if says(A_DAY) || (code >= 500 && has_status(&text, "5.4.5")) {
        return Some(Limit::Day);
    }
    // RFC 3463 X.7.Z is policy: a server that defers for it wants less of us.
    if says(A_RATE) || (code < 500 && has_status_class(&text, "4.7.")) {
        return Some(Limit::Rate);
    }
    None
}

/// Whether a refusal says that there is no such mailbox: RFC 3463 X.1.1 to X.1.6, and X.1.10
/// (RFC 7505). X.1.7 and X.1.8 are about the sender.
pub(super) fn is_dead_address(code: Option<u16>, text: &str) -> bool {
    const DEAD: [&str; 7] = [
        "5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.6", "5.1.10", "5.2.1",
    ];
    code.is_some_and(|code| (500..600).contains(&code))
        && DEAD.iter().any(|status| has_status(text, status))
}

/// Whether the enhanced status code (RFC 3463) stands in the text as a word.
fn has_status(text: &str, status: &str) -> bool {
    words(text).any(|word| word == status)
}

fn has_status_class(text: &str, class: &str) -> bool {
    words(text).any(|word| {
        word.strip_prefix(class)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || matches!(c, '-' | ':' | ',' | ';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_say_about_their_limits() {
        let day = Some(Limit::Day);
        let rate = Some(Limit::Rate);
        for (code, text, want) in [
            (
                550,
                "RCPT: 5.4.5 Daily user sending limit exceeded. For more information …",
                day,
            ),
            (
                550,
                "MAIL: 5.4.5 Daily user sending quota exceeded. o65sm253 - gsmtp",
                day,
            ),
            (
                550,
                "Body: 5.7.1 Daily SMTP relay limit exceeded for user",
                day,
            ),
            (
                550,
                "RCPT: 5.7.1 a@icloud.com: You have exceeded your daily sending limit.",
                day,
            ),
            (
                554,
                "Body: 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException",
                day,
            ),
            (550, "RCPT: User has exceeded outgoing email quota", day),
            (
                452,
                "RCPT: 4.5.3 Your account may send 500 messages per day",
                day,
            ),
            (
                421,
                "MAIL: 4.7.0 Try again later, closing connection.",
                rate,
            ),
            (450, "RCPT: 4.7.1 Error: too much mail from 192.0.2.1", rate),
            (451, "MAIL: 4.7.1 Hourly limit exceeded", rate),
            (
                432,
                "MAIL: 4.3.2 Concurrent connections limit exceeded",
                rate,
            ),
            (
                454,
                "RCPT: Throttling failure: maximum sending rate exceeded",
                rate,
            ),
            (
                554,
                "Body: 5.2.0 STOREDRV.Submission; RecipientRateLimitExceeded",
                day,
            ),
            (
                432,
                "MAIL: 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded",
                rate,
            ),
            (550, "RCPT: 5.1.1 No such user here", None),
            (550, "RCPT: 5.7.1 Message rejected as spam", None),
            (552, "RCPT: 5.2.2 Mailbox over quota", None),
            (
                450,
                "RCPT: 4.2.1 The user you are trying to contact is receiving mail too quickly",
                None,
            ),
            (
                450,
                "RCPT: 4.7.1 Greylisted, try again in 300 seconds",
                None,
            ),
            (451, "RCPT: 4.3.0 Temporary lookup failure", None),
            (421, "MAIL: 4.4.5 Server busy, try again later.", None),
            (535, "AUTH: 5.7.8 Too many failed logins per hour", None),
            (250, "4.7.0 rate limit", None),
            (450, "RCPT: version 14.7.0 of the client is too old", None),
        ] {
            assert_eq!(of(Some(code), text), want, "{code} {text}");
        }
        assert_eq!(of(None, "rate limit"), None, "our own words are no reply");
    }

    #[test]
    fn no_such_mailbox_is_said_by_the_status() {
        for (code, text, dead) in [
            (
                550,
                "RCPT: 5.1.1 <a@x>: Recipient address rejected: User unknown",
                true,
            ),
            (550, "RCPT: 5.1.10 RESOLVER.ADR.RecipientNotFound", true),
            (
                550,
                "RCPT: 5.2.1 The email account that you tried to reach is disabled",
                true,
            ),
            (
                553,
                "MAIL: 5.1.8 Sender address rejected: Domain not found",
                false,
            ),
            (550, "RCPT: 5.7.1 Access denied", false),
            (450, "RCPT: 4.1.1 unverified", false),
            (550, "no such user", false),
        ] {
            assert_eq!(is_dead_address(Some(code), text), dead, "{text}");
        }
        assert!(!is_dead_address(None, "5.1.1"));
    }
}
