//! IDLE as it should be.

use std::time::Duration;

use replyd_sandbox::Options;

use crate::client::{ANN, BOB, Client, MAIL, SOON, mail, sandbox};

#[tokio::test]
async fn a_delivery_is_announced_and_done_ends_idle() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::idling(&sandbox).await;
    sandbox.deliver(BOB, "INBOX", MAIL, None).unwrap();
    sandbox.deliver(ANN, "Other", MAIL, None).unwrap();
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    assert_eq!(client.line().await, "* 1 EXISTS");
    assert_eq!(client.line().await, "* 1 RECENT");
    client.send("DONE\r\n").await;
    assert_eq!(client.line().await, "i OK IDLE completed");
    sandbox.wait_until(SOON, |s| s.idling == 0).await.unwrap();
    assert_eq!(sandbox.stats().announcements, 1);
}

#[tokio::test]
async fn done_fetch_and_idle_in_one_write_are_one_turn() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::idling(&sandbox).await;
    sandbox.deliver(ANN, "INBOX", &mail("one"), None).unwrap();
    client.line().await;
    client.line().await;
    client
        .send("DONE\r\nf UID FETCH 1:* (UID)\r\nj IDLE\r\n")
        .await;
    let mut seen = client.until("f").await;
    seen.push(client.line().await);
    let wanted = [
        "i OK IDLE completed",
        "* 1 FETCH (UID 1)",
        "f OK UID FETCH completed",
        "+ idling",
    ];
    assert_eq!(seen, wanted);
    sandbox.deliver(ANN, "INBOX", &mail("two"), None).unwrap();
    assert_eq!(client.line().await, "* 2 EXISTS");
}

#[tokio::test]
async fn what_came_before_idle_is_announced_right_after_the_plus() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::examined(&sandbox).await;
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    client.send("i IDLE\r\n").await;
    assert_eq!(client.line().await, "+ idling");
    assert_eq!(client.line().await, "* 1 EXISTS");
}

#[tokio::test]
async fn expunged_messages_and_flags_are_told_in_idle() {
    let sandbox = sandbox(Options::default()).await;
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    let mut client = Client::idling(&sandbox).await;
    sandbox.expunge(ANN, "INBOX", 1);
    assert_eq!(client.line().await, "* 1 EXPUNGE");
    let mut owner = Client::ann(&sandbox).await;
    owner.run("a SELECT INBOX").await;
    owner.run("b UID STORE 2 +FLAGS.SILENT (\\Seen)").await;
    assert_eq!(
        client.line().await,
        "* 1 FETCH (UID 2 FLAGS (\\Seen \\Recent))"
    );
}

#[tokio::test]
async fn anything_but_done_is_bad_and_ends_idle() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::idling(&sandbox).await;
    client.send("x NOOP\r\n").await;
    assert_eq!(client.line().await, "i BAD Expected DONE");
    assert_eq!(client.run("y NOOP").await, ["y OK NOOP completed"]);
}

#[tokio::test]
async fn without_the_option_idle_is_neither_offered_nor_known() {
    let options = Options {
        idle: false,
        ..Options::default()
    };
    let sandbox = sandbox(options).await;
    let mut client = Client::examined(&sandbox).await;
    assert!(!client.run("a CAPABILITY").await[0].contains("IDLE"));
    assert!(client.run("b IDLE").await[0].starts_with("b BAD"));
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    assert_eq!(client.run("c NOOP").await[0], "* 1 EXISTS");
}

#[tokio::test]
async fn without_pipelining_what_follows_done_is_lost() {
    let options = Options {
        pipelining: false,
        ..Options::default()
    };
    let sandbox = sandbox(options).await;
    let mut client = Client::idling(&sandbox).await;
    client.send("DONE\r\na NOOP\r\n").await;
    assert_eq!(client.line().await, "i OK IDLE completed");
    assert_eq!(client.run("b NOOP").await, ["b OK NOOP completed"]);
}

#[tokio::test]
async fn the_announcement_can_be_late_as_dovecots_is() {
    let options = Options {
        announce_delay: Duration::from_millis(200),
        ..Options::default()
    };
    let sandbox = sandbox(options).await;
    let mut client = Client::idling(&sandbox).await;
    let start = std::time::Instant::now();
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    assert_eq!(client.line().await, "* 2 EXISTS");
    assert!(start.elapsed() >= Duration::from_millis(190));
    client.line().await;
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    client.send("DONE\r\n").await;
    assert_eq!(
        client.line().await,
        "* 3 EXISTS",
        "at the end of IDLE at once"
    );
}
