//! Sending: the sign-in, the envelope sender, and where bounces go.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::Duration;

use crate::common::scenario::{Scenario, Setting, WISH};
use crate::place::{Place, Told, assert_named, dovecot, host};

/// An SMTP server on loopback that answers each command by its first word; its port.
fn scripted(answers: &'static [(&'static str, &'static str)]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for tcp in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(tcp.try_clone()?);
                let mut tcp = tcp;
                tcp.write_all(b"220 mail.example ESMTP\r\n")?;
                let mut line = String::new();
                while reader.read_line(&mut line)? > 0 {
                    let word = line.split_whitespace().next().unwrap_or_default();
                    let answer = answers.iter().find(|(w, _)| *w == word).map(|(_, a)| *a);
                    tcp.write_all(answer.unwrap_or("250 2.0.0 Ok").as_bytes())?;
                    tcp.write_all(b"\r\n")?;
                    line.clear();
                }
                Ok::<_, std::io::Error>(())
            });
        }
    });
    port
}

const HELLO: (&str, &str) = (
    "EHLO",
    "250-mail.example\r\n250-SIZE 30000000\r\n250 AUTH PLAIN LOGIN",
);

/// Microsoft 365 for a tenant that has it switched off.
const AUTH_IS_OFF: &[(&str, &str)] = &[
    HELLO,
    (
        "AUTH",
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the \
                 Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.",
    ),
];

/// What doctor says of a server that answers so.
#[track_caller]
fn told_of(
    answers: &'static [(&'static str, &'static str)],
    check: &str,
    fault: &str,
    detail: &str,
) {
    let dovecot = dovecot();
    let mut place = Place::reading(&dovecot);
    place.smtp = Some(crate::place::Server {
        host: "127.0.0.1".into(),
        port: scripted(answers),
        security: "plain",
        ca_file: None,
        password: "secret".into(),
        more: String::new(),
    });
    let replyd = place.install();
    let code = fault
        .parse::<replyd::fault::Fault>()
        .unwrap()
        .doctor_exit()
        .code();
    let told = Told::by(&replyd, &[], i32::from(code));
    told.assert_fault(check, fault, detail);
    assert!(
        !told.json.to_string().contains("secret\""),
        "{:#}",
        told.json
    );
}

#[test]
fn smtp_auth_that_is_off_for_the_organisation_is_named() {
    told_of(AUTH_IS_OFF, "smtp.sign_in", "smtp-auth-off", "5.7.139");
}

#[test]
fn an_app_password_that_is_wanted_is_named() {
    told_of(
        &[
            HELLO,
            (
                "AUTH",
                "534-5.7.9 Application-specific password required. For more information, go to\r\n\
                 534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor x - gsmtp",
            ),
        ],
        "smtp.sign_in",
        "app-password-needed",
        "534",
    );
}

#[test]
fn a_refused_envelope_sender_is_named() {
    told_of(
        &[
            HELLO,
            ("AUTH", "235 2.7.0 ok"),
            (
                "MAIL",
                "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
            ),
        ],
        "smtp.envelope",
        "sender-refused",
        "5.7.60",
    );
}

#[test]
fn relaying_that_is_denied_is_named() {
    told_of(
        &[
            HELLO,
            ("AUTH", "235 2.7.0 ok"),
            (
                "RCPT",
                "554 5.7.1 <desk@homes.example>: Relay access denied",
            ),
        ],
        "smtp.envelope",
        "relay-denied",
        "Relay access denied",
    );
}

#[test]
fn a_server_that_wants_to_be_left_alone_for_now_is_named() {
    told_of(
        &[
            HELLO,
            (
                "AUTH",
                "454 4.7.0 Too many login attempts, please try again later.",
            ),
        ],
        "smtp.sign_in",
        "throttled",
        "Too many login attempts",
    );
}

#[test]
fn what_is_no_smtp_server_is_named() {
    let dovecot = dovecot();
    let mut place = Place::reading(&dovecot);
    place.smtp = Some(crate::place::Server {
        port: dovecot.imaps_port(),
        ..place.imap.clone()
    });
    let told = Told::by(&place.install(), &[], 2);
    told.assert_fault("smtp.greeting", "not-smtp", "localhost");
}

#[test]
fn mails_that_wait_say_whose_server_refuses_what_in_report_log_and_status() {
    let scenario = Scenario::new(Setting::default());
    let replyd = &scenario.replyd;
    scenario.import(Duration::from_secs(3600));
    let toml = std::fs::read_to_string(replyd.dir().join("replyd.toml")).unwrap();
    let spoiled = toml.replace(
        "[accounts.smtp]\n",
        "[accounts.smtp]\npassword = \"not it\"\n",
    );
    replyd.file("replyd.toml", &spoiled);
    replyd.ok(&["run", "--once"]);
    let lead = scenario.lead();
    scenario
        .host
        .dovecot
        .deliver(crate::common::scenario::DESK, lead.reply(WISH).raw());
    assert_named(replyd, "desk", 2, "wrong-password");
}

#[test]
fn smtp_auth_that_is_off_is_named_where_a_mail_waits_for_it() {
    let scenario = Scenario::new(Setting::default());
    let replyd = &scenario.replyd;
    scenario.import(Duration::from_secs(3600));
    let toml = std::fs::read_to_string(replyd.dir().join("replyd.toml")).unwrap();
    let (head, rest) = toml.split_once("[accounts.smtp]\n").unwrap();
    let (_, tail) = rest.split_once("[listen]").unwrap();
    let port = scripted(AUTH_IS_OFF);
    let spoiled = format!(
        "{head}[accounts.smtp]\nhost = \"127.0.0.1\"\nport = {port}\nsecurity = \"plain\"\n\n[listen]{tail}"
    );
    replyd.file("replyd.toml", &spoiled);
    replyd.ok(&["run", "--once"]);
    let lead = scenario.lead();
    scenario
        .host
        .dovecot
        .deliver(crate::common::scenario::DESK, lead.reply(WISH).raw());
    assert_named(replyd, "desk", 2, "smtp-auth-off");
}

#[test]
fn a_wrong_password_for_sending_only_is_named() {
    let host = host();
    let mut place = Place::on(&host);
    place.smtp().password = "not the password".into();
    let replyd = place.install();
    let told = Told::by(&replyd, &[], 2);
    told.assert_fault("smtp.sign_in", "wrong-password", "535");
    assert_eq!(told.check("imap.sign_in")["verdict"], "ok");
    assert!(!told.json.to_string().contains("not the password"));
}

#[test]
fn a_mechanism_that_is_not_offered_is_named() {
    let host = host();
    let mut place = Place::on(&host);
    place.smtp().more = "auth = \"xoauth2\"\n".into();
    place.smtp().password = String::new();
    let toml = place
        .toml()
        .replace("password = \"\"\n", "token_file = \"token\"\n");
    let replyd = place.install();
    replyd.file("replyd.toml", &toml);
    replyd.file("token", "abc\n");
    let told = Told::by(&replyd, &[], 2);
    told.assert_fault("smtp.sign_in", "mechanism-missing", "");
    assert_eq!(
        told.check("smtp.offers")["details"]["mechanisms"][0],
        "PLAIN"
    );
}

#[test]
fn a_server_that_takes_mails_without_a_sign_in_is_used_without_one() {
    let host = host();
    let mut place = Place::on(&host);
    host.postfix.set("smtpd_tls_security_level", "may");
    // Postfix's port for other servers takes mail for its own users only.
    place.smtp().port = host.postfix.smtp_port();
    place.smtp().more = "auth = \"none\"\n".into();
    let toml = place.toml();
    let (head, smtp) = toml.split_once("[accounts.smtp]").unwrap();
    let toml = format!(
        "{head}[accounts.smtp]{}",
        smtp.replacen("password = ", "# ", 1)
    );
    let replyd = place.install();
    replyd.file("replyd.toml", &toml);
    let told = Told::by(&replyd, &[], 0);
    assert!(
        told.check("smtp.sign_in")["text"]
            .as_str()
            .unwrap()
            .contains("none is set")
    );
    assert_eq!(told.check("smtp.envelope")["verdict"], "ok");
}

#[test]
fn an_envelope_sender_that_nobody_watches_is_a_warning() {
    let host = host();
    let mut place = Place::on(&host);
    place.smtp().more = "envelope_from = \"bounces@homes.example\"\n".into();
    let told = Told::by(&place.install(), &[], 0);
    told.assert_fault(
        "smtp.bounces",
        "sender-not-watched",
        "bounces@homes.example",
    );
}
