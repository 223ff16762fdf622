//! What goes out, what may go out, and where a body breaks off.

use std::sync::Arc;

use replyd::config::Security;
use replyd::smtp::{Outcome, OutgoingMail};

use crate::server::{Act, Server, Step, at, right};
use crate::{RAW, mail, mailer, send, send_into_silence, short, text};

#[tokio::test]
async fn a_mail_arrives_byte_for_byte_with_crlf_and_dots() {
    let table: [(&[u8], &[u8]); 6] = [
        (RAW, RAW),
        (b"A: b\r\n\r\nno end", b"A: b\r\n\r\nno end\r\n"),
        (
            b"A: b\r\n\r\n.\r\n..\r\n.x\r\nend.\r\n",
            b"A: b\r\n\r\n.\r\n..\r\n.x\r\nend.\r\n",
        ),
        (b"A: b\r\n\r\nlast\r\n.", b"A: b\r\n\r\nlast\r\n.\r\n"),
        // Bare line ends would let a line be taken for the end of the mail.
        (
            b"A: b\n\nx\n.\nMAIL FROM:<evil@x>\r.\r\n",
            b"A: b\r\n\r\nx\r\n.\r\nMAIL FROM:<evil@x>\r\n.\r\n",
        ),
        (b"A: b\r\n\r\n\r\n\r\n", b"A: b\r\n\r\n\r\n\r\n"),
    ];
    let server = Server::start(Security::Tls, right()).await;
    let mailer = mailer(&server.settings());
    for (raw, want) in table {
        let (outcome, handovers) = send(&mailer, mail(raw)).await;
        assert_eq!((short(&outcome).as_str(), handovers), ("sent 250", 1));
        let Outcome::Sent { provider_id, .. } = outcome else {
            unreachable!()
        };
        assert_eq!(provider_id.as_deref(), Some("4XyZab12Cd"));
        let taken = server.mails().pop().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&taken.raw),
            String::from_utf8_lossy(want)
        );
        assert_eq!(
            (taken.from.as_str(), taken.to.as_str()),
            ("ann@example.com", "bob@example.org")
        );
    }
    assert_eq!(server.mails().len(), table.len());
}

/// More than the socket buffers of both ends hold.
fn large() -> Vec<u8> {
    let mut raw = b"Subject: large\r\n\r\n".to_vec();
    while raw.len() < 9_000_000 {
        raw.extend_from_slice(b"All work and no play makes Jack a dull boy.\r\n");
    }
    raw
}

#[tokio::test]
async fn a_connection_lost_inside_the_body_defers_because_the_final_dot_never_went_out() {
    let server = Server::start(Security::Plain, at(Step::Body, Act::Close(String::new()))).await;
    let (outcome, handovers) = send(&mailer(&server.settings()), mail(&large())).await;
    assert_eq!(
        (short(&outcome).as_str(), handovers),
        ("deferred - down", 1)
    );
    assert_eq!(server.mails(), []);
}

#[tokio::test]
async fn a_server_that_stops_reading_the_body_is_left_after_three_minutes() {
    let server = Server::start(Security::Plain, at(Step::Body, Act::Silent)).await;
    let (outcome, handovers, took) = send_into_silence(&server, Step::Body, large().leak()).await;
    assert_eq!(
        (short(&outcome).as_str(), handovers),
        ("deferred - down", 1)
    );
    assert!(
        text(&outcome).contains("stopped reading"),
        "{}",
        text(&outcome)
    );
    // Three minutes in which something was written, three in which nothing was.
    let minutes = took.as_secs() / 60;
    assert!((3..=6).contains(&minutes), "{took:?}");
}

#[tokio::test]
async fn a_large_mail_goes_through() {
    let server = Server::start(Security::Tls, right()).await;
    let raw = large();
    let (outcome, _) = send(&mailer(&server.settings()), mail(&raw)).await;
    assert_eq!(short(&outcome), "sent 250");
    assert_eq!(server.mails().pop().map(|m| m.raw.len()), Some(raw.len()));
}

#[tokio::test]
async fn nothing_of_the_body_goes_out_when_the_handover_cannot_be_noted() {
    let server = Server::start(Security::Plain, right()).await;
    let mailer = mailer(&server.settings());
    let refused = mailer.send(&mail(RAW), || async { Err("disk full") }).await;
    assert_eq!(refused, Err("disk full"));
    // The connection is dropped inside DATA: the next mail gets a new one.
    let (outcome, _) = send(&mailer, mail(RAW)).await;
    assert_eq!(short(&outcome), "sent 250");
    assert_eq!((server.mails().len(), server.connections()), (1, 2));
}

#[tokio::test]
async fn what_a_server_cannot_take_is_refused_in_words_before_mail() {
    let eight_bit = "Subject: a\r\n\r\nGrüße\r\n".as_bytes();
    let raw_header = "Subject: Grüße\r\n\r\na\r\n".as_bytes();
    let table: [(&[&str], &str, &[u8], &str); 8] = [
        (&["AUTH PLAIN"], "bob@example.org", RAW, "sent"),
        (&["AUTH PLAIN"], "jürgen@example.org", RAW, "no SMTPUTF8"),
        (
            &["AUTH PLAIN", "SMTPUTF8", "8BITMIME"],
            "jürgen@example.org",
            RAW,
            "sent",
        ),
        (&["AUTH PLAIN"], "bob@bücher.example", RAW, "sent"),
        (&["AUTH PLAIN"], "bob@example.org", eight_bit, "no 8BITMIME"),
        (
            &["AUTH PLAIN", "8BITMIME"],
            "bob@example.org",
            eight_bit,
            "sent",
        ),
        (
            &["AUTH PLAIN", "8BITMIME"],
            "bob@example.org",
            raw_header,
            "no SMTPUTF8",
        ),
        (
            &["AUTH PLAIN", "SIZE 20"],
            "bob@example.org",
            RAW,
            "20 at most",
        ),
    ];
    for (features, to, raw, want) in table {
        let server = Server::with_features(Security::Plain, features, right()).await;
        let outgoing = OutgoingMail {
            envelope_from: "ann@example.com",
            envelope_to: to,
            raw,
        };
        let (outcome, _) = send(&mailer(&server.settings()), outgoing).await;
        if want == "sent" {
            assert_eq!(
                short(&outcome),
                "sent 250",
                "{features:?} {to} {}",
                text(&outcome)
            );
        } else {
            assert_eq!(short(&outcome), "rejected -", "{features:?} {to}");
            assert!(text(&outcome).contains(want), "{}", text(&outcome));
            assert!(!server.commands().iter().any(|c| c.starts_with("MAIL")));
        }
    }
}

#[tokio::test]
async fn parameters_and_the_null_sender_stand_in_mail_from() {
    let server = Server::start(Security::Plain, right()).await;
    let mailer = mailer(&server.settings());
    let outgoing = OutgoingMail {
        envelope_from: "",
        envelope_to: "jürgen@bücher.example",
        raw: "Subject: a\r\n\r\nü\r\n".as_bytes(),
    };
    assert_eq!(short(&send(&mailer, outgoing).await.0), "sent 250");
    let commands = server.commands();
    assert!(
        commands.contains(&"MAIL FROM:<> SMTPUTF8 BODY=8BITMIME".to_owned()),
        "{commands:?}"
    );
    assert!(commands.contains(&"RCPT TO:<jürgen@xn--bcher-kva.example>".to_owned()));
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_without_a_connection() {
    let server = Server::start(Security::Plain, right()).await;
    let mailer = mailer(&server.settings());
    for to in ["", "bob", "bob@x.example>\r\nDATA\r\n"] {
        let outgoing = OutgoingMail {
            envelope_from: "ann@example.com",
            envelope_to: to,
            raw: RAW,
        };
        assert_eq!(short(&send(&mailer, outgoing).await.0), "rejected -");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn odd_but_clear_final_replies_are_understood() {
    let long = format!("250 2.0.0 {}\r\n", "x".repeat(5000));
    let table: [(&[u8], &str); 7] = [
        (b"250\r\n", "sent 250"),
        (b"250 angenommen, gr\xfc\xdfe\r\n", "sent 250"),
        (b"250-2.0.0 one\r\n250-two\r\n250 three\r\n", "sent 250"),
        (b"250 ok\n", "sent 250"),
        (long.as_bytes(), "sent 250"),
        (b"hello\r\n", "unknown"),
        (b"250-one\r\n550 two\r\n", "unknown"),
    ];
    for (reply, want) in table {
        let server =
            Server::start(Security::Plain, at(Step::Final, Act::Say(reply.to_vec()))).await;
        let (outcome, _) = send(&mailer(&server.settings()), mail(RAW)).await;
        assert_eq!(short(&outcome), want, "{}", String::from_utf8_lossy(reply));
    }
}

#[tokio::test]
async fn a_line_without_end_and_a_reply_without_end_are_bounded() {
    let line = vec![b'x'; 200_000];
    let lines = b"250-more\r\n".repeat(30_000);
    for flood in [line, lines] {
        for (step, want) in [(Step::Ehlo, "deferred - down"), (Step::Final, "unknown")] {
            let server = Server::start(Security::Plain, at(step, Act::Say(flood.clone()))).await;
            let (outcome, _) = send(&mailer(&server.settings()), mail(RAW)).await;
            assert_eq!(short(&outcome), want, "{step:?}");
            assert!(text(&outcome).len() < 500, "{}", text(&outcome));
        }
    }
}

#[tokio::test]
async fn an_acceptance_that_comes_before_the_body_is_not_believed() {
    let early = Act::Say(b"354 Go\r\n250 2.0.0 Ok: queued as 1\r\n".to_vec());
    let script = Arc::new(move |_, step| match step {
        Step::Data => early.clone(),
        Step::Final => Act::Close(String::new()),
        _ => Act::Right,
    });
    let server = Server::start(Security::Plain, script).await;
    let (outcome, _) = send(&mailer(&server.settings()), mail(RAW)).await;
    assert_eq!(short(&outcome), "deferred - down");
    assert_eq!(server.mails(), []);
}
