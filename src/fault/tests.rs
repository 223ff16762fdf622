use super::*;
use crate::imap::{ImapError, Step};
use crate::smtp::{SmtpKind, SmtpStep, SmtpWhy};

#[test]
fn code_words_are_unique_and_found_again() {
    for fault in Fault::ALL {
        assert_eq!(fault.code().parse::<Fault>(), Ok(*fault));
        let same = Fault::ALL.iter().filter(|f| f.code() == fault.code());
        assert_eq!(same.count(), 1, "{fault}");
        let plain = |c: char| c.is_ascii_lowercase() || c == '-';
        assert!(fault.code().chars().all(plain), "{fault}");
    }
    assert!("nonsense".parse::<Fault>().is_err());
}

#[test]
fn titles_and_remedies_read_as_sentences_and_fit_a_table() {
    for fault in Fault::ALL {
        let (title, remedy) = (fault.title(), fault.remedy());
        assert!(!title.ends_with('.') && title.len() > 15, "{fault}");
        assert!(remedy.ends_with('.') && remedy.len() > 20, "{fault}");
        assert!(
            title.chars().next().is_some_and(char::is_uppercase),
            "{fault}"
        );
        assert!(!title.contains('|') && !remedy.contains('|'), "{fault}");
    }
}

#[test]
fn a_sentence_names_place_title_detail_and_remedy() {
    let text = Fault::PortClosed.sentence("imap.example.org:993", "connection refused");
    assert!(text.starts_with("imap.example.org:993: Nobody listens on this port"));
    assert!(
        text.contains("(connection refused). Check `host`"),
        "{text}"
    );
    let text = Fault::DiskFull.sentence("", "");
    assert!(text.starts_with("The disk of the state folder is full. Make room."));
}

/// What providers say at an IMAP sign-in, from public reports.
#[test]
fn providers_words_at_an_imap_sign_in_are_known() {
    let table = [
        (
            Some("AUTHENTICATIONFAILED"),
            "Invalid credentials (Failure)",
            Fault::WrongPassword,
        ),
        (
            Some("ALERT"),
            "Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)",
            Fault::AppPasswordNeeded,
        ),
        (
            Some("ALERT"),
            "Please log in via your web browser: https://support.google.com/mail/accounts/answer/78754 (Failure)",
            Fault::BrowserSignInNeeded,
        ),
        (
            Some("WEBALERT"),
            "Web login required.",
            Fault::BrowserSignInNeeded,
        ),
        (
            Some("ALERT"),
            "Your account is not enabled for IMAP use. Please visit your Gmail settings page and enable your account for IMAP access. (Failure)",
            Fault::ImapOff,
        ),
        (
            None,
            "Basic authentication is disabled.",
            Fault::PasswordSignInOff,
        ),
        (None, "LOGIN failed.", Fault::WrongPassword),
        (
            Some("AUTHENTICATIONFAILED"),
            "LOGIN Invalid credentials",
            Fault::WrongPassword,
        ),
        (
            Some("AUTHENTICATIONFAILED"),
            "Authentication failed.",
            Fault::WrongPassword,
        ),
        (Some("EXPIRED"), "Renew it", Fault::PasswordExpired),
    ];
    for (code, text, want) in table {
        let e = ImapError::AuthRefused {
            code: code.map(str::to_owned),
            text: text.to_owned(),
            token: false,
        };
        assert_eq!(of_imap(&e), want, "{text}");
    }
    // Microsoft 365 says no more than this, whatever is wrong with a token.
    let e = ImapError::AuthRefused {
        code: None,
        text: "AUTHENTICATE failed.".into(),
        token: true,
    };
    assert_eq!(of_imap(&e), Fault::TokenRefused);
    let e = ImapError::Throttled {
        step: Step::SignIn,
        wait: None,
        text:
            "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)"
                .into(),
    };
    assert_eq!(of_imap(&e), Fault::TooManyConnections);
    // Microsoft 365, after a good sign-in: waiting may help, so it is no refusal of the sign-in.
    let e = ImapError::Throttled {
        step: Step::Examine,
        wait: None,
        text: "User is authenticated but not connected.".into(),
    };
    assert_eq!(of_imap(&e), Fault::MailboxNotConnected);
    assert_eq!(of_imap(&e).exit(), Exit::TryLater);
}

/// What providers say in SMTP, from public reports.
#[test]
fn providers_words_in_smtp_are_known() {
    use SmtpStep::{Mail, Recipient, SignIn};
    let table = [
        (
            SignIn,
            535,
            "5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.",
            Fault::SmtpAuthOff,
        ),
        (
            SignIn,
            535,
            "5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
            Fault::SmtpAuthOff,
        ),
        (
            SignIn,
            535,
            "5.7.139 Authentication unsuccessful, basic authentication is disabled.",
            Fault::PasswordSignInOff,
        ),
        (
            SignIn,
            535,
            "5.7.139 Authentication unsuccessful, the user credentials were incorrect.",
            Fault::WrongPassword,
        ),
        (
            SignIn,
            535,
            "5.7.3 Authentication unsuccessful",
            Fault::WrongPassword,
        ),
        (
            SignIn,
            534,
            "5.7.9 Application-specific password required. For more information, go to",
            Fault::AppPasswordNeeded,
        ),
        (
            SignIn,
            534,
            "5.7.14 Please log in via your web browser and then try again.",
            Fault::BrowserSignInNeeded,
        ),
        (
            SignIn,
            535,
            "5.7.8 Username and Password not accepted.",
            Fault::WrongPassword,
        ),
        (
            SignIn,
            454,
            "4.7.0 Too many login attempts, please try again later.",
            Fault::Throttled,
        ),
        (
            SignIn,
            454,
            "4.7.0 Temporary authentication failure",
            Fault::ServerUnavailable,
        ),
        (
            Mail,
            530,
            "5.7.0 Authentication Required.",
            Fault::SmtpSignInNeeded,
        ),
        (
            Mail,
            530,
            "5.7.57 Client not authenticated to send mail.",
            Fault::SmtpSignInNeeded,
        ),
        (
            Recipient,
            553,
            "5.7.1 <a@b>: Sender address rejected: not owned by user x",
            Fault::SenderRefused,
        ),
        (
            Mail,
            550,
            "5.7.60 SMTP; Client does not have permissions to send as this sender",
            Fault::SenderRefused,
        ),
        (
            SmtpStep::Body,
            554,
            "5.2.252 SendAsDenied; a not allowed to send as b",
            Fault::SenderRefused,
        ),
        (
            Recipient,
            554,
            "5.7.1 <a@b>: Relay access denied",
            Fault::RelayDenied,
        ),
        (Recipient, 550, "relay not permitted", Fault::RelayDenied),
        (
            Recipient,
            550,
            "5.1.1 No such user",
            Fault::RecipientRefused,
        ),
        (
            SmtpStep::Body,
            550,
            "5.4.5 Daily user sending limit exceeded.",
            Fault::SendingLimit,
        ),
        (
            SmtpStep::Body,
            554,
            "5.7.1 Message looks like spam",
            Fault::MailRefused,
        ),
        (
            SmtpStep::Greeting,
            421,
            "4.3.2 Service not available",
            Fault::ServerUnavailable,
        ),
    ];
    for (step, code, text, want) in table {
        let why = SmtpWhy {
            step,
            kind: SmtpKind::Refused,
        };
        assert_eq!(of_smtp(why, Some(code), text), want, "{text}");
    }
}

#[test]
fn each_class_has_its_exit_codes() {
    let of = |f: Fault| (f.exit().code(), f.doctor_exit().code());
    assert_eq!(of(Fault::WrongPassword), (2, 2));
    assert_eq!(of(Fault::PortClosed), (75, 75));
    assert_eq!(of(Fault::CertificateExpired), (75, 2));
    assert_eq!(of(Fault::IdleMissing), (0, 0));
    assert_eq!(of(Fault::DiskFull), (1, 2));
    assert_eq!(of(Fault::BadSettings), (64, 64));
    assert_eq!(of(Fault::MailboxMissing), (0, 2));
    for class in Class::ALL {
        assert!(Fault::ALL.iter().any(|f| f.class() == class), "{class:?}");
    }
}
