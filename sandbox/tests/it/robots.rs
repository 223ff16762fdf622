//! Robots: mailboxes that answer.

use std::time::Duration;

use replyd_sandbox::{Options, OutgoingReply};

use crate::client::{ANN, BOB, Client, MAIL, SOON, sandbox};

fn reply(from: &str, to: &str, text: &str, after: Duration) -> OutgoingReply {
    OutgoingReply {
        from: from.to_owned(),
        to: vec![to.to_owned()],
        raw: format!("Subject: {text}\r\n\r\n").into_bytes(),
        after,
    }
}

#[tokio::test]
async fn a_robot_answers_what_was_submitted_to_it() {
    let sandbox = sandbox(Options::default()).await;
    let answer = |mail: &replyd_sandbox::StoredMessage| {
        assert!(mail.raw.starts_with(b"Return-Path: <ann@example.com>"));
        let after = Duration::from_millis(5);
        vec![
            reply(BOB, ANN, "first", after),
            reply("", ANN, "bounce", Duration::ZERO),
        ]
    };
    sandbox.on_delivery(BOB, answer).unwrap();
    let mut client = Client::smtp_ann(&sandbox).await;
    assert!(client.submit(ANN, BOB, "A: b\r\n").await.starts_with("250"));
    let mails = sandbox
        .wait_for_messages(ANN, "INBOX", 2, SOON)
        .await
        .unwrap();
    assert!(mails[0].raw.starts_with(b"Return-Path: <bob@example.com>"));
    assert!(mails[1].raw.starts_with(b"Return-Path: <>"));
    sandbox
        .wait_until(SOON, |s| s.robot_replies == 2)
        .await
        .unwrap();
    assert_eq!(sandbox.stats().accepted_mails, 1);
}

#[tokio::test]
async fn two_robots_that_answer_each_other_come_to_an_end() {
    let sandbox = sandbox(Options::default()).await;
    let at_once = Duration::ZERO;
    sandbox
        .on_delivery(BOB, move |_| vec![reply(BOB, ANN, "ping", at_once)])
        .unwrap();
    sandbox
        .on_delivery(ANN, move |_| vec![reply(ANN, BOB, "pong", at_once)])
        .unwrap();
    sandbox.deliver(BOB, "INBOX", MAIL, None).unwrap();
    sandbox
        .wait_until(SOON, |s| s.robot_replies == 8)
        .await
        .unwrap();
    sandbox.stop().await;
}

#[tokio::test]
async fn robots_answer_from_a_thread_outside_the_runtime_too() {
    let sandbox = std::sync::Arc::new(sandbox(Options::default()).await);
    sandbox
        .on_delivery(BOB, |_| vec![reply(BOB, ANN, "hi", Duration::ZERO)])
        .unwrap();
    let elsewhere = std::sync::Arc::clone(&sandbox);
    std::thread::spawn(move || elsewhere.deliver(BOB, "INBOX", MAIL, None).unwrap())
        .join()
        .unwrap();
    sandbox
        .wait_for_messages(ANN, "INBOX", 1, SOON)
        .await
        .unwrap();
}
