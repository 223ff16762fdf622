//! The harness itself, on real Dovecot and real Postfix: each fact that the end-to-end tests
//! stand on is shown here without replyd.

#![expect(
    clippy::expect_used,
    reason = "helpers of tests fail the test with a sentence"
)]

mod common;

use common::dovecot::{Dovecot, Options, PASSWORD};
use common::host::MailHost;
use common::lead::{self, LeadReply};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{SmtpTransport, Transport};
use replyd::time::UtcMs;

const DESK: &str = "desk@homes.example";
const ANN: &str = "ann@lead.example";

fn reply() -> LeadReply<'static> {
    LeadReply {
        from: "Ann Lee <ann@lead.example>",
        to: DESK,
        subject: "Homes at the lake",
        in_reply_to: "campaign-1@homes.example",
        references: &["before@homes.example"],
        text: "Yes, I would like to see one.",
        message_id: "answer-1@lead.example",
    }
}

fn dovecot(idle: bool) -> Dovecot {
    Dovecot::start(&Options {
        users: &[DESK, ANN],
        idle,
        plain_port: true,
    })
}

#[test]
fn a_leads_mail_given_to_postfix_lies_in_dovecots_mailbox() {
    let host = MailHost::start(&[DESK, ANN]);
    reply().send(&host.postfix);

    let mails = host.wait_for_mails(DESK, 1);
    let mail = mails.first().expect("One mail");
    assert!(
        mail.contains("Message-ID: <answer-1@lead.example>"),
        "{mail}"
    );
    assert!(
        mail.contains("In-Reply-To: <campaign-1@homes.example>"),
        "{mail}"
    );
    assert!(
        mail.contains("References: <before@homes.example> <campaign-1@homes.example>"),
        "{mail}"
    );
    assert!(mail.contains("multipart/alternative"), "{mail}");
    assert!(mail.contains("Return-Path: <ann@lead.example>"), "{mail}");

    let mut imap = host.dovecot.connect();
    imap.login(DESK, PASSWORD);
    let lines = imap.ok("EXAMINE INBOX");
    assert!(lines.iter().any(|line| line == "* 1 EXISTS"), "{lines:?}");
}

#[test]
fn idle_announces_a_mail_that_postfix_delivers() {
    let host = MailHost::start(&[DESK, ANN]);
    let mut imap = host.dovecot.connect();
    let lines = imap.login(DESK, PASSWORD);
    assert!(
        lines.iter().any(|line| line.contains(" IDLE ")),
        "{lines:?}"
    );
    imap.ok("EXAMINE INBOX");
    imap.send("i IDLE\r\n");
    imap.lines_until("+ ");
    reply().send(&host.postfix);
    imap.lines_until("* 1 EXISTS");
    imap.send("DONE\r\n");
    imap.lines_until("i OK");
}

#[test]
fn submission_with_starttls_and_auth_delivers() {
    let host = MailHost::start(&[DESK, ANN]);
    SmtpTransport::builder_dangerous("127.0.0.1")
        .port(host.postfix.submission_port())
        .tls(Tls::Required(client_tls(&host)))
        .credentials(Credentials::new(DESK.to_owned(), PASSWORD.to_owned()))
        .authentication(vec![Mechanism::Plain])
        .build()
        .send(&mail_to_ann("by submission"))
        .expect("Submission takes the mail");
    SmtpTransport::builder_dangerous("127.0.0.1")
        .port(host.postfix.smtps_port())
        .tls(Tls::Wrapper(client_tls(&host)))
        .credentials(Credentials::new(DESK.to_owned(), PASSWORD.to_owned()))
        .authentication(vec![Mechanism::Login])
        .build()
        .send(&mail_to_ann("by smtps"))
        .expect("Submission with implicit TLS takes the mail");

    let mails = host.wait_for_mails(ANN, 2);
    for subject in ["by submission", "by smtps"] {
        assert!(mails.iter().any(|mail| mail.contains(subject)), "{mails:?}");
    }
    let log = host.postfix.log();
    assert!(log.contains(&format!("sasl_username={DESK}")), "{log}");
}

#[test]
fn submission_refuses_a_wrong_password_and_mail_without_auth() {
    let host = MailHost::start(&[DESK, ANN]);
    let submission = || {
        SmtpTransport::builder_dangerous("127.0.0.1")
            .port(host.postfix.submission_port())
            .tls(Tls::Required(client_tls(&host)))
    };
    let wrong = submission()
        .credentials(Credentials::new(DESK.to_owned(), "wrong".to_owned()))
        .build()
        .send(&mail_to_ann("with a wrong password"))
        .expect_err("A wrong password is refused");
    assert_eq!(wrong.status().map(u16::from), Some(535), "{wrong}");
    let without = submission()
        .build()
        .send(&mail_to_ann("without AUTH"))
        .expect_err("Mail without AUTH is refused");
    assert!(without.is_permanent(), "{without}");
}

#[test]
fn an_unknown_recipient_produces_a_real_bounce() {
    let host = MailHost::start(&[DESK, ANN]);
    SmtpTransport::builder_dangerous("127.0.0.1")
        .port(host.postfix.submission_port())
        .tls(Tls::Required(client_tls(&host)))
        .credentials(Credentials::new(DESK.to_owned(), PASSWORD.to_owned()))
        .build()
        .send(&mail("nobody@lead.example", "to nobody"))
        .expect("The mail is accepted first");

    let mails = host.wait_for_mails(DESK, 1);
    let bounce = mails.first().expect("The bounce");
    assert!(bounce.contains("Return-Path: <>"), "{bounce}");
    assert!(bounce.contains("report-type=delivery-status"), "{bounce}");
    assert!(
        bounce.contains("Final-Recipient: rfc822; nobody@lead.example"),
        "{bounce}"
    );
    assert!(bounce.contains("Status: 5.1.1"), "{bounce}");
}

#[test]
fn mail_for_another_domain_is_returned_and_never_leaves() {
    let host = MailHost::start(&[DESK, ANN]);
    SmtpTransport::builder_dangerous("127.0.0.1")
        .port(host.postfix.submission_port())
        .tls(Tls::Required(client_tls(&host)))
        .credentials(Credentials::new(DESK.to_owned(), PASSWORD.to_owned()))
        .build()
        .send(&mail("someone@elsewhere.example", "to elsewhere"))
        .expect("The mail is accepted first");
    let mails = host.wait_for_mails(DESK, 1);
    assert!(
        mails.concat().contains("No mail leaves the test"),
        "{mails:?}"
    );

    // And a stranger cannot use the public port as a relay at all.
    let relay = std::panic::catch_unwind(|| {
        lead::hand_over(&host.postfix, &mail("someone@elsewhere.example", "relayed"));
    });
    assert!(relay.is_err(), "The public port relays");
}

#[test]
fn a_server_without_idle_does_not_offer_it() {
    let dovecot = dovecot(false);
    let mut imap = dovecot.connect();
    let mut lines = vec![imap.greeting.clone()];
    lines.extend(imap.login(DESK, PASSWORD));
    lines.extend(imap.ok("CAPABILITY"));
    assert!(!lines.concat().contains("IDLE"), "{lines:?}");
    assert!(lines.concat().contains("UIDPLUS"), "{lines:?}");
}

#[test]
fn a_mail_can_have_arrived_long_ago() {
    let dovecot = dovecot(true);
    let arrived = UtcMs(1_767_225_599_000); // 2025-12-31T23:59:59Z
    dovecot.deliver_at(DESK, reply().raw(), arrived);
    let mut imap = dovecot.connect();
    imap.login(DESK, PASSWORD);
    imap.ok("EXAMINE INBOX");
    let lines = imap.ok("FETCH 1 (UID INTERNALDATE)").concat();
    // The server writes its own zone; the moment is the same in all of them.
    let date = lines
        .split('"')
        .nth(1)
        .and_then(|date| chrono::DateTime::parse_from_str(date.trim(), "%e-%b-%Y %H:%M:%S %z").ok())
        .unwrap_or_else(|| panic!("No date in {lines}"));
    assert_eq!(date.timestamp_millis(), arrived.0);
}

#[test]
fn flags_show_whether_anybody_touched_a_mail() {
    let dovecot = dovecot(true);
    dovecot.deliver(DESK, reply().raw());
    dovecot.deliver_flagged(DESK, reply().raw(), UtcMs(1_767_225_599_000), "S");
    let before = dovecot.flags(DESK);
    assert_eq!(before.len(), 2);

    let mut imap = dovecot.connect();
    imap.login(DESK, PASSWORD);
    imap.ok("EXAMINE INBOX");
    imap.ok("FETCH 1:* (FLAGS BODY.PEEK[])");
    imap.ok("LOGOUT");
    assert_eq!(dovecot.flags(DESK), before, "Looking leaves no trace");

    let mut imap = dovecot.connect();
    imap.login(DESK, PASSWORD);
    imap.ok("SELECT INBOX");
    imap.ok("FETCH 1:* (BODY[])");
    imap.ok("LOGOUT");
    assert_ne!(dovecot.flags(DESK), before, "Reading does");
}

#[test]
fn the_port_without_tls_offers_starttls() {
    use std::io::{BufRead, BufReader};
    let dovecot = dovecot(true);
    let tcp = std::net::TcpStream::connect(("127.0.0.1", dovecot.imap_port())).expect("Connect");
    tcp.set_read_timeout(Some(common::PATIENCE))
        .expect("Deadline");
    let mut greeting = String::new();
    BufReader::new(tcp)
        .read_line(&mut greeting)
        .expect("Greeting");
    assert!(greeting.contains("STARTTLS"), "{greeting}");
}

fn client_tls(host: &MailHost) -> TlsParameters {
    let pem = std::fs::read(&host.dovecot.certs.ca_file).expect("CA file");
    TlsParameters::builder("localhost".to_owned())
        .certificate_store(CertificateStore::None)
        .add_root_certificate(Certificate::from_pem(&pem).expect("CA certificate"))
        .build()
        .expect("TLS parameters")
}

fn mail_to_ann(subject: &str) -> Message {
    mail(ANN, subject)
}

fn mail(to: &str, subject: &str) -> Message {
    Message::builder()
        .from(DESK.parse::<Mailbox>().expect("From"))
        .to(to.parse().expect("To"))
        .subject(subject)
        .body("A few words.\r\n".to_owned())
        .expect("A mail")
}
