//! Faults of SMTP.

use replyd_sandbox::faults::{SmtpAction, SmtpFault, SmtpPoint, Times, Who};
use replyd_sandbox::{Options, Sandbox};

use crate::client::{ANN, BOB, Client, SOON, sandbox};

fn reply(code: u16, text: &str) -> SmtpAction {
    let text = text.to_owned();
    SmtpAction::Reply { code, text }
}

fn once(sandbox: &Sandbox, who: Who, point: SmtpPoint, action: SmtpAction) {
    sandbox.faults().at_smtp(who, Times::Once, point, action);
}

#[tokio::test]
async fn every_point_can_be_refused_once() {
    let sandbox = sandbox(Options::default()).await;
    once(
        &sandbox,
        Who::All,
        SmtpPoint::Greeting,
        reply(554, "5.7.1 No"),
    );
    let mut client = Client::tls(&sandbox, sandbox.smtp_addr()).await;
    assert_eq!(client.reply().await, "554 5.7.1 No");
    once(
        &sandbox,
        Who::All,
        SmtpPoint::Ehlo,
        reply(451, "4.3.0 Later\nmuch later"),
    );
    assert_eq!(
        client.say("EHLO x").await,
        "451-4.3.0 Later\n451 much later"
    );
    client.say("EHLO x").await;
    once(
        &sandbox,
        Who::user(ANN),
        SmtpPoint::Auth,
        reply(454, "4.7.0 Later"),
    );
    let auth = "AUTH PLAIN AGFubkBleGFtcGxlLmNvbQBzZWNyZXQ=";
    assert_eq!(client.say(auth).await, "454 4.7.0 Later");
    assert!(client.say(auth).await.starts_with("235"));
    once(
        &sandbox,
        Who::user(ANN),
        SmtpPoint::Mail,
        reply(452, "4.3.1 Full"),
    );
    assert_eq!(
        client.say("MAIL FROM:<ann@example.com>").await,
        "452 4.3.1 Full"
    );
    client.say("MAIL FROM:<ann@example.com>").await;
    once(
        &sandbox,
        Who::user(BOB),
        SmtpPoint::Rcpt,
        reply(450, "4.2.0 Greylisted"),
    );
    assert!(
        client
            .say("RCPT TO:<ann@example.com>")
            .await
            .starts_with("250"),
        "another receiver"
    );
    assert_eq!(
        client.say("RCPT TO:<bob@example.com>").await,
        "450 4.2.0 Greylisted"
    );
    assert!(
        client
            .say("RCPT TO:<bob@example.com>")
            .await
            .starts_with("250")
    );
    once(
        &sandbox,
        Who::user(ANN),
        SmtpPoint::Data,
        reply(451, "4.3.0 Later"),
    );
    assert_eq!(client.say("DATA").await, "451 4.3.0 Later");
    assert!(client.say("DATA").await.starts_with("354"));
    once(
        &sandbox,
        Who::user(ANN),
        SmtpPoint::Body,
        reply(554, "5.6.0 Spam"),
    );
    assert_eq!(client.say("A: b\r\n\r\n.").await, "554 5.6.0 Spam");
    assert!(sandbox.submissions().is_empty() && sandbox.messages(BOB, "INBOX").is_empty());
    assert!(
        client.say("DATA").await.starts_with("503"),
        "the transaction is over"
    );
    once(
        &sandbox,
        Who::user(ANN),
        SmtpPoint::Quit,
        reply(500, "What?"),
    );
    assert_eq!(client.say("QUIT").await, "500 What?");
}

#[tokio::test]
async fn a_script_of_replies_is_added_in_order() {
    let sandbox = sandbox(Options::default()).await;
    for text in ["4.7.1 One", "4.7.1 Two"] {
        once(&sandbox, Who::user(ANN), SmtpPoint::Mail, reply(451, text));
    }
    let mut client = Client::smtp_ann(&sandbox).await;
    assert_eq!(
        client.say("MAIL FROM:<ann@example.com>").await,
        "451 4.7.1 One"
    );
    assert_eq!(
        client.say("MAIL FROM:<ann@example.com>").await,
        "451 4.7.1 Two"
    );
    assert!(
        client
            .say("MAIL FROM:<ann@example.com>")
            .await
            .starts_with("250")
    );
}

#[tokio::test]
async fn a_421_closes() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::smtp_ann(&sandbox).await;
    once(
        &sandbox,
        Who::user(ANN),
        SmtpPoint::Mail,
        reply(421, "4.3.2 Going down"),
    );
    assert_eq!(
        client.say("MAIL FROM:<ann@example.com>").await,
        "421 4.3.2 Going down"
    );
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn close_before_data_and_in_data_stores_nothing() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::smtp_ann(&sandbox).await;
    client.say("MAIL FROM:<ann@example.com>").await;
    client.say("RCPT TO:<bob@example.com>").await;
    once(&sandbox, Who::user(ANN), SmtpPoint::Data, SmtpAction::Close);
    client.send("DATA\r\n").await;
    assert_eq!(client.rest().await, "");

    let mut client = Client::smtp_ann(&sandbox).await;
    let in_body = SmtpFault::CloseInBody { after_bytes: 10 };
    sandbox.faults().add(Who::user(ANN), Times::Once, in_body);
    client.start_data(ANN, BOB).await;
    client.send("A: b\r\nC: d\r\n\r\nbody\r\n").await;
    assert_eq!(client.rest().await, "");
    assert!(sandbox.messages(BOB, "INBOX").is_empty());
}

#[tokio::test]
async fn close_after_the_final_dot_with_and_without_the_mail_taken() {
    let sandbox = sandbox(Options::default()).await;
    for (point, action, mails) in [
        (SmtpPoint::Body, SmtpAction::Close, 0),
        (SmtpPoint::Stored, SmtpAction::Close, 1),
        (SmtpPoint::Stored, SmtpAction::Abort, 2),
    ] {
        once(&sandbox, Who::user(ANN), point, action);
        let mut client = Client::smtp_ann(&sandbox).await;
        client.start_data(ANN, BOB).await;
        client.send("A: b\r\n\r\n.\r\n").await;
        assert_eq!(client.rest().await, "");
        assert_eq!(sandbox.messages(BOB, "INBOX").len(), mails);
    }
}

#[tokio::test]
async fn silence_after_the_final_dot_until_released() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::smtp_ann(&sandbox).await;
    let gate = sandbox
        .faults()
        .hold_smtp(Who::user(ANN), SmtpPoint::Stored);
    client.start_data(ANN, BOB).await;
    client.send("A: b\r\n\r\n.\r\n").await;
    gate.reached(SOON).await.unwrap();
    assert_eq!(
        sandbox.messages(BOB, "INBOX").len(),
        1,
        "taken before the silence"
    );
    gate.release();
    assert!(client.reply().await.starts_with("250"));
}

#[tokio::test]
async fn silence_for_ever() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::smtp_ann(&sandbox).await;
    let faults = sandbox.faults();
    let id = faults.at_smtp(
        Who::user(ANN),
        Times::Once,
        SmtpPoint::Body,
        SmtpAction::Silence,
    );
    client.start_data(ANN, BOB).await;
    client.send("A: b\r\n\r\n.\r\nNOOP\r\n").await;
    faults.wait_fired(id, 1, SOON).await.unwrap();
    drop(client);
    sandbox.wait_until(SOON, |s| s.open == 0).await.unwrap();
    assert!(sandbox.submissions().is_empty());
}

#[tokio::test]
async fn plain_text_is_injected_after_the_220_to_starttls() {
    let sandbox = sandbox(Options::default()).await;
    let evil = b"250-localhost\r\n250 AUTH PLAIN\r\n".to_vec();
    let fault = SmtpFault::InjectAfterStartTls(evil);
    sandbox.faults().add(Who::All, Times::Once, fault);
    let mut client = Client::plain(sandbox.smtp_starttls_addr()).await;
    client.reply().await;
    client.say("EHLO x").await;
    assert!(client.say("STARTTLS").await.starts_with("220"));
    assert_eq!(client.reply().await, "250-localhost\n250 AUTH PLAIN");
    client.upgrade(&sandbox).await;
    assert!(client.say("EHLO x").await.contains("AUTH PLAIN LOGIN"));
}

#[tokio::test]
async fn extensions_are_hidden_and_then_refused() {
    let sandbox = sandbox(Options::default()).await;
    let hide = |name: &str| {
        let fault = SmtpFault::Hide(name.to_owned());
        sandbox.faults().add(Who::All, Times::Always, fault)
    };
    let auth = hide("AUTH");
    hide("STARTTLS");
    let mut client = Client::plain(sandbox.smtp_starttls_addr()).await;
    client.reply().await;
    assert!(!client.say("EHLO x").await.contains("STARTTLS"));
    assert!(client.say("STARTTLS").await.starts_with("502"));
    let mut client = Client::smtp(&sandbox).await;
    assert!(!client.say("EHLO x").await.contains("AUTH"));
    assert!(client.say("AUTH PLAIN AGEAYg==").await.starts_with("502"));
    sandbox.faults().remove(auth);

    hide("8BITMIME");
    hide("SMTPUTF8");
    let mut client = Client::smtp_ann(&sandbox).await;
    let offered = client.say("EHLO x").await;
    assert!(!offered.contains("8BITMIME") && !offered.contains("SMTPUTF8"));
    assert!(
        client
            .say("MAIL FROM:<a@b.c> BODY=8BITMIME")
            .await
            .starts_with("555")
    );
    assert!(
        client
            .say("MAIL FROM:<a@b.c> SMTPUTF8")
            .await
            .starts_with("555")
    );
    assert!(
        client
            .submit(ANN, BOB, "A: b\r\n\r\né")
            .await
            .starts_with("554 5.6.3")
    );
    assert!(
        client
            .submit(ANN, BOB, "A: b\r\n\r\ne")
            .await
            .starts_with("250")
    );
}

#[tokio::test]
async fn raw_bytes_in_the_place_of_a_reply() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::smtp_ann(&sandbox).await;
    let bytes = SmtpAction::Raw(b"what is this\r\n".to_vec());
    once(&sandbox, Who::user(ANN), SmtpPoint::Rset, bytes);
    client.send("RSET\r\n").await;
    assert_eq!(client.line().await, "what is this");
}
