//! What providers say when only their text tells what is wrong. Each text here was seen in the
//! wild; they are compared in lower case, the first hit wins.

use super::Fault;

/// Refusals of a sign-in, IMAP and SMTP, with a password.
const SIGN_IN: &[(&str, Fault)] = &[
    // Gmail, Google Workspace: IMAP "[ALERT] Application-specific password required", SMTP
    // "534-5.7.9 Application-specific password required".
    (
        "application-specific password required",
        Fault::AppPasswordNeeded,
    ),
    ("5.7.9 ", Fault::AppPasswordNeeded),
    // iCloud, Yahoo, Fastmail.
    ("app-specific password", Fault::AppPasswordNeeded),
    ("app password", Fault::AppPasswordNeeded),
    // Gmail: "[ALERT] Please log in via your web browser", SMTP "534-5.7.14 <https://…> Please
    // log in via your web browser and then try again"; "Web login required".
    ("log in via your web browser", Fault::BrowserSignInNeeded),
    ("log in with your web browser", Fault::BrowserSignInNeeded),
    ("web login required", Fault::BrowserSignInNeeded),
    // Gmail: "Your account is not enabled for IMAP use".
    ("not enabled for imap", Fault::ImapOff),
    ("imap access is disabled", Fault::ImapOff),
    ("imap is disabled", Fault::ImapOff),
    ("imap access disabled", Fault::ImapOff),
    ("imap service is not enabled", Fault::ImapOff),
    // Microsoft 365: "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is
    // disabled for the Tenant" (or "… for the Mailbox").
    ("smtpclientauthentication is disabled", Fault::SmtpAuthOff),
    ("smtp_auth_disabled", Fault::SmtpAuthOff),
    // Microsoft 365 and outlook.com: "535 5.7.139 Authentication unsuccessful, basic
    // authentication is disabled"; IMAP "NO Basic authentication is disabled."
    ("basic authentication is disabled", Fault::PasswordSignInOff),
    ("basicauthblocked", Fault::PasswordSignInOff),
    // Microsoft 365: "535 5.7.139 Authentication unsuccessful, user is locked by your
    // organization's security defaults policy"; "the request did not meet the criteria to be
    // authenticated successfully. Contact your administrator".
    ("security defaults policy", Fault::SmtpAuthOff),
    (
        "did not meet the criteria to be authenticated",
        Fault::SmtpAuthOff,
    ),
    ("account is locked", Fault::AccountLocked),
    ("account has been locked", Fault::AccountLocked),
    ("account is disabled", Fault::AccountLocked),
    ("account disabled", Fault::AccountLocked),
    ("account has been disabled", Fault::AccountLocked),
    ("account is suspended", Fault::AccountLocked),
    ("account suspended", Fault::AccountLocked),
    ("account is not active", Fault::AccountLocked),
    ("account has expired", Fault::AccountLocked),
    ("too many bad", Fault::AccountLocked),
    ("too many failed", Fault::AccountLocked),
    ("password has expired", Fault::PasswordExpired),
    ("password expired", Fault::PasswordExpired),
];

/// "Not now" of either protocol.
const LATER: &[(&str, Fault)] = &[
    // Gmail: "[ALERT] Too many simultaneous connections. (Failure)".
    (
        "too many simultaneous connections",
        Fault::TooManyConnections,
    ),
    // Microsoft 365: "BAD User is authenticated but not connected." after a good sign-in: busy, or
    // there is no mailbox that this user may open by IMAP.
    (
        "authenticated but not connected",
        Fault::MailboxNotConnected,
    ),
    // Dovecot: "[UNAVAILABLE] Maximum number of connections from user+IP exceeded
    // (mail_max_userip_connections=10)".
    ("maximum number of connections", Fault::TooManyConnections),
    ("too many connections", Fault::TooManyConnections),
    ("concurrent connections limit", Fault::TooManyConnections),
    // Microsoft 365: "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", "421
    // 4.3.2 The maximum number of concurrent server connections has exceeded a limit".
    ("maximum number of concurrent", Fault::TooManyConnections),
    ("sender thread limit exceeded", Fault::TooManyConnections),
    // Gmail: "550-5.4.5 Daily user sending limit exceeded", "Daily user sending quota exceeded".
    ("sending limit exceeded", Fault::SendingLimit),
    ("sending quota exceeded", Fault::SendingLimit),
    ("submission quota exceeded", Fault::SendingLimit),
    ("recipientratelimitexceeded", Fault::SendingLimit),
    // Gmail: "454 4.7.0 Too many login attempts, please try again later".
    ("too many login", Fault::Throttled),
    ("rate limit", Fault::Throttled),
    ("throttled", Fault::Throttled),
];

/// Refusals of the envelope sender.
const SENDER: &[&str] = &[
    // Microsoft 365, Exchange: "550 5.7.60 SMTP; Client does not have permissions to send as
    // this sender", "554 5.2.252 SendAsDenied; … not allowed to send as".
    "permissions to send as this sender",
    "sendasdenied",
    "not allowed to send as",
    // Postfix: "553 5.7.1 <…>: Sender address rejected: not owned by user …", and without login
    // "not logged in".
    "sender address rejected",
    // Yahoo, GMX, and others.
    "sender address is not allowed",
    "from address not verified",
    "not allowed to send from",
    "sender not authorized",
    "sender is not allowed",
    "mail from address must be same as authorization user",
    "sender verify failed",
];

/// Refusals to pass mail on.
const RELAY: &[&str] = &[
    // Postfix: "554 5.7.1 <…>: Relay access denied"; Exim: "550 relay not permitted";
    // Sendmail: "550 5.7.1 Relaying denied"; Exchange: "550 5.7.54 SMTP; Unable to relay".
    "relay access denied",
    "relay not permitted",
    "relaying denied",
    "unable to relay",
    "relaying not allowed",
    "not permitted to relay",
];

/// A sign-in is needed before anything else.
const UNSIGNED: &[&str] = &[
    // Gmail "530-5.7.0 Authentication Required", Exchange "530 5.7.57 Client was not
    // authenticated", Postfix "530 5.7.0 Must issue a STARTTLS command first" is another matter.
    "authentication required",
    "not authenticated",
    "sender address rejected: not logged in",
];

/// The fault of a refused sign-in; `token`: it was made with an OAuth2 token.
pub(super) fn sign_in(text: &str, token: bool) -> Fault {
    let text = text.to_lowercase();
    let found = SIGN_IN.iter().chain(LATER).find(|(t, _)| text.contains(t));
    match found {
        Some((_, fault)) => *fault,
        None if token => Fault::TokenRefused,
        None => Fault::WrongPassword,
    }
}

/// Whether the text says "not now", and how.
pub(super) fn later(text: &str) -> Option<Fault> {
    let text = text.to_lowercase();
    let found = LATER.iter().find(|(t, _)| text.contains(t));
    found.map(|(_, fault)| *fault)
}

/// The fault of a refused MAIL or RCPT, or of a refused body; none: the text does not tell.
pub(super) fn envelope(text: &str) -> Option<Fault> {
    let text = text.to_lowercase();
    let says = |list: &[&str]| list.iter().any(|t| text.contains(t));
    if says(UNSIGNED) {
        Some(Fault::SmtpSignInNeeded)
    } else if says(SENDER) {
        Some(Fault::SenderRefused)
    } else if says(RELAY) {
        Some(Fault::RelayDenied)
    } else {
        later(&text)
    }
}
