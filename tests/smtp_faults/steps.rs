//! Refusals, closed connections and silence, at each step of the dialogue.

use std::time::Duration;

use replyd::config::Security;
use tokio::time::Instant;

use crate::server::{Act, Server, Step, at, jump};
use crate::{RAW, mail, mailer, send, send_into_silence, short, text};

#[tokio::test]
async fn a_refusal_is_the_mails_or_the_accounts_by_step_and_code() {
    let table = [
        (Step::Greeting, "554 5.3.2 No service", "deferred 554 down"),
        (Step::Greeting, "421 4.3.2 Too busy", "deferred 421 down"),
        (Step::Ehlo, "550 5.7.1 Go away", "deferred 550 down"),
        (Step::Ehlo, "450 4.3.2 Later", "deferred 450 down"),
        (Step::Auth, "535 5.7.8 Wrong", "deferred 535 needs_sign_in"),
        (
            Step::Auth,
            "534 5.7.9 App password",
            "deferred 534 needs_sign_in",
        ),
        (Step::Auth, "454 4.7.0 Temporary", "deferred 454 down"),
        (Step::Auth, "421 4.7.0 Too many", "deferred 421 down"),
        (Step::Mail, "451 4.3.0 Try later", "deferred 451 mail"),
        (Step::Mail, "550 5.1.8 Bad sender", "rejected 550"),
        (
            Step::Mail,
            "530 5.7.0 Sign in first",
            "deferred 530 needs_sign_in",
        ),
        (Step::Mail, "421 4.3.2 Closing", "deferred 421 down"),
        (Step::Rcpt, "450 4.2.0 Greylisted", "deferred 450 mail"),
        (Step::Rcpt, "550 5.1.1 No such user", "rejected 550"),
        (Step::Rcpt, "421 4.3.2 Closing", "deferred 421 down"),
        (Step::Data, "451 4.3.0 Later", "deferred 451 mail"),
        (Step::Data, "554 5.7.1 No", "rejected 554"),
        (Step::Data, "250 2.0.0 What?", "deferred - down"),
        (Step::Final, "451 4.7.1 Later", "deferred 451 mail"),
        (Step::Final, "550 5.7.1 Spam", "rejected 550"),
        (Step::Final, "421 4.3.2 Closing", "deferred 421 down"),
        (Step::Final, "354 Go on", "unknown"),
    ];
    for (step, reply, want) in table {
        let server = Server::start(Security::Plain, at(step, Act::Refuse(reply.into()))).await;
        let (outcome, handovers) = send(&mailer(&server.settings()), mail(RAW)).await;
        assert_eq!(short(&outcome), want, "{step:?} {reply}");
        assert_eq!(
            handovers,
            usize::from(step == Step::Final),
            "{step:?} {reply}"
        );
        if let Some((_, words)) = reply.split_once(' ').filter(|_| want.contains(&reply[..3])) {
            assert!(text(&outcome).contains(words), "{}", text(&outcome));
        }
    }
}

#[tokio::test]
async fn a_connection_lost_before_the_body_defers_and_after_it_is_unknown() {
    let steps = [
        (Step::Greeting, "deferred - down"),
        (Step::Ehlo, "deferred - down"),
        (Step::Auth, "deferred - down"),
        (Step::Mail, "deferred - down"),
        (Step::Rcpt, "deferred - down"),
        (Step::Data, "deferred - down"),
        (Step::Final, "unknown"),
    ];
    for (step, want) in steps {
        for half_a_reply in ["", "250-2.0.0 and then"] {
            let server =
                Server::start(Security::Tls, at(step, Act::Close(half_a_reply.into()))).await;
            let (outcome, handovers) = send(&mailer(&server.settings()), mail(RAW)).await;
            assert_eq!(short(&outcome), want, "{step:?} {half_a_reply}");
            assert_eq!(handovers, usize::from(step == Step::Final), "{step:?}");
        }
    }
}

#[tokio::test]
async fn silence_before_the_body_ends_at_the_deadline_of_the_step() {
    let table = [
        (Step::Greeting, 300),
        (Step::Ehlo, 300),
        (Step::Auth, 180),
        (Step::Mail, 300),
        (Step::Rcpt, 300),
        (Step::Data, 120),
    ];
    for (step, seconds) in table {
        let server = Server::start(Security::Plain, at(step, Act::Silent)).await;
        let (outcome, handovers, took) = send_into_silence(&server, step, RAW).await;
        tokio::time::resume();
        assert_eq!(short(&outcome), "deferred - down", "{step:?}");
        assert_eq!(handovers, 0, "{step:?}");
        let limit = Duration::from_secs(seconds);
        assert!(took >= limit, "{step:?} {took:?}");
        assert!(took < limit + Duration::from_secs(20), "{step:?} {took:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_slow_at_every_step_is_left_within_a_quarter_of_an_hour() {
    let slow = std::sync::Arc::new(|_, step| match step {
        Step::Final | Step::Body => Act::Right,
        _ => Act::After(110),
    });
    let server = Server::start(Security::Plain, slow).await;
    let mailer = mailer(&server.settings());
    let began = Instant::now();
    let sending = tokio::spawn(async move { send(&mailer, mail(RAW)).await });
    for step in [
        Step::Greeting,
        Step::Ehlo,
        Step::Auth,
        Step::Mail,
        Step::Rcpt,
        Step::Data,
    ] {
        assert!(!sending.is_finished(), "{step:?}");
        server.reached(1, step, 1).await;
        jump(110).await;
    }
    let (outcome, handovers) = sending.await.unwrap();
    assert_eq!(
        (short(&outcome).as_str(), handovers),
        ("deferred - down", 0)
    );
    assert!(began.elapsed() < Duration::from_secs(15 * 60));
}

#[tokio::test]
async fn silence_after_the_final_dot_is_waited_for_ten_minutes_then_unknown() {
    let server = Server::start(Security::Tls, at(Step::Final, Act::Silent)).await;
    let (outcome, handovers, took) = send_into_silence(&server, Step::Final, RAW).await;
    assert_eq!((short(&outcome).as_str(), handovers), ("unknown", 1));
    assert!(
        text(&outcome).contains("no reply in time"),
        "{}",
        text(&outcome)
    );
    assert!(took >= Duration::from_secs(600), "{took:?}");
    assert!(took < Duration::from_secs(620), "{took:?}");
}

#[tokio::test]
async fn a_final_reply_after_nine_minutes_still_counts() {
    let server = Server::start(Security::Tls, at(Step::Final, Act::After(540))).await;
    let mailer = mailer(&server.settings());
    let sending = tokio::spawn(async move { send(&mailer, mail(RAW)).await });
    server.reached(1, Step::Final, 1).await;
    jump(539).await;
    assert!(!sending.is_finished());
    jump(1).await;
    let (outcome, _) = sending.await.unwrap();
    assert_eq!(short(&outcome), "sent 250", "{}", text(&outcome));
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_the_accounts_trouble() {
    let server = Server::start(Security::Plain, crate::server::right()).await;
    let mut settings = server.settings();
    // Bound and dropped: nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    settings.port = free.local_addr().unwrap().port();
    drop(free);
    let (outcome, handovers) = send(&mailer(&settings), mail(RAW)).await;
    assert_eq!(
        (short(&outcome).as_str(), handovers),
        ("deferred - down", 0)
    );
    settings.host = "does-not-exist.invalid".into();
    let (outcome, _) = send(&mailer(&settings), mail(RAW)).await;
    assert_eq!(short(&outcome), "deferred - down");
}
