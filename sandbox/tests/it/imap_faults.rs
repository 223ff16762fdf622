//! Faults of the greeting and of commands.

use std::time::Duration;

use replyd_sandbox::faults::{Action, ImapFault, Status, Times, Who, raw};
use replyd_sandbox::{Options, Sandbox, Verb};

use crate::client::{ANN, BOB, Client, MAIL, SOON, mail, sandbox, with_mails};

fn once(sandbox: &Sandbox, verb: Verb, action: Action) {
    sandbox
        .faults()
        .at(Who::user(ANN), Times::Once, verb, action);
}

#[tokio::test]
async fn close_at_the_greeting() {
    let sandbox = sandbox(Options::default()).await;
    let faults = sandbox.faults();
    let id = faults.add(Who::All, Times::Once, ImapFault::CloseAtGreeting);
    let mut client = Client::tls(&sandbox, sandbox.imap_addr()).await;
    assert_eq!(client.rest().await, "");
    faults.wait_fired(id, 1, SOON).await.unwrap();
    Client::ann(&sandbox).await;
}

#[tokio::test]
async fn another_greeting() {
    let sandbox = sandbox(Options::default()).await;
    let greeting = |text: &str| ImapFault::Greeting(text.as_bytes().to_vec());
    let bye = greeting("* BYE Too many connections");
    sandbox.faults().add(Who::All, Times::Once, bye);
    let mut client = Client::tls(&sandbox, sandbox.imap_addr()).await;
    assert_eq!(client.rest().await, "* BYE Too many connections\r\n");
    sandbox
        .faults()
        .add(Who::All, Times::Once, greeting("* OK"));
    let mut client = Client::tls(&sandbox, sandbox.imap_addr()).await;
    assert_eq!(client.line().await, "* OK");
    assert!(client.run("a LOGIN ann@example.com secret").await[0].starts_with("a OK"));
}

#[tokio::test]
async fn a_greeting_that_never_comes() {
    let sandbox = sandbox(Options::default()).await;
    let faults = sandbox.faults();
    let id = faults.add(Who::All, Times::Once, ImapFault::SilentGreeting);
    let mut client = Client::tls(&sandbox, sandbox.imap_addr()).await;
    client.send("a NOOP\r\n").await;
    faults.wait_fired(id, 1, SOON).await.unwrap();
    // Another connection is served meanwhile; this one has counted no command.
    Client::ann(&sandbox).await;
    assert_eq!(sandbox.stats().imap(Verb::Noop), 0);
}

#[tokio::test]
async fn close_and_abort_at_a_command_meet_only_their_user() {
    let sandbox = with_mails(1).await;
    sandbox
        .faults()
        .at(Who::user(BOB), Times::Always, Verb::Login, Action::Close);
    for (verb, action) in [
        (Verb::Login, Action::Close),
        (Verb::Examine, Action::Abort),
        (Verb::UidFetch, Action::Close),
    ] {
        once(&sandbox, verb, action);
        let mut client = Client::imap(&sandbox).await;
        client
            .send("a LOGIN ann@example.com secret\r\nb EXAMINE INBOX\r\nc UID FETCH 1:* (UID)\r\n")
            .await;
        let seen = client.rest().await;
        assert!(!seen.contains("c OK"), "{verb:?}: {seen}");
        assert_eq!(seen.contains("b OK"), verb == Verb::UidFetch, "{seen}");
        assert_eq!(seen.contains("a OK"), verb != Verb::Login, "{seen}");
    }
    let mut client = Client::imap(&sandbox).await;
    client.send("a LOGIN bob@example.com hidden\r\n").await;
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn close_in_the_middle_of_the_answer_to_examine() {
    let sandbox = with_mails(1).await;
    once(&sandbox, Verb::Examine, Action::CloseAfterResponses(2));
    let mut client = Client::ann(&sandbox).await;
    client.send("a EXAMINE INBOX\r\n").await;
    let seen = client.rest().await;
    assert_eq!(seen.lines().count(), 2, "{seen}");
    once(&sandbox, Verb::Examine, Action::Truncate(7));
    let mut client = Client::ann(&sandbox).await;
    client.send("a EXAMINE INBOX\r\n").await;
    assert_eq!(client.rest().await, "* FLAGS");
}

#[tokio::test]
async fn close_inside_a_literal_and_between_two_fetch_responses() {
    let sandbox = with_mails(3).await;
    once(&sandbox, Verb::UidFetch, Action::CloseInLiteral(6));
    let mut client = Client::examined(&sandbox).await;
    client.send("a UID FETCH 1:* (UID BODY.PEEK[])\r\n").await;
    let seen = client.rest().await;
    let size = mail("1").len();
    assert_eq!(
        seen,
        format!("* 1 FETCH (UID 1 BODY[] {{{size}}}\r\nFrom: ")
    );
    once(&sandbox, Verb::UidFetch, Action::CloseAfterResponses(2));
    let mut client = Client::examined(&sandbox).await;
    client.send("a UID FETCH 1:* (UID)\r\n").await;
    assert_eq!(
        client.rest().await,
        "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\n"
    );
}

#[tokio::test]
async fn tagged_no_and_bad_with_a_text() {
    let sandbox = with_mails(1).await;
    let no = |text: &str| Action::Tagged(Status::No, text.to_owned());
    once(&sandbox, Verb::Login, no("[UNAVAILABLE] Try later"));
    let mut client = Client::imap(&sandbox).await;
    let answer = client.run("a LOGIN ann@example.com secret").await;
    assert_eq!(answer, ["a NO [UNAVAILABLE] Try later"]);
    assert!(client.run("b LOGIN ann@example.com secret").await[0].starts_with("b OK"));
    let text = "Request is throttled. Suggested Backoff Time: 5000 milliseconds";
    once(&sandbox, Verb::Examine, no(text));
    assert_eq!(
        client.run("c EXAMINE INBOX").await,
        [format!("c NO {text}")]
    );
    client.run("d EXAMINE INBOX").await;
    let bad = Action::Tagged(Status::Bad, "Never heard of it".to_owned());
    once(&sandbox, Verb::UidFetch, bad);
    assert_eq!(
        client.run("e UID FETCH 1:* (UID)").await,
        ["e BAD Never heard of it"]
    );
    assert_eq!(client.run("f UID FETCH 1:* (UID)").await.len(), 2);
}

#[tokio::test]
async fn a_refused_login_counts_and_fires_as_often_as_told() {
    let sandbox = sandbox(Options::default()).await;
    let refuse = Action::Tagged(Status::No, "[AUTHENTICATIONFAILED] No".to_owned());
    sandbox
        .faults()
        .at(Who::user(ANN), Times::N(3), Verb::Login, refuse);
    let mut client = Client::imap(&sandbox).await;
    for _ in 0..3 {
        let answer = client.run("a LOGIN ann@example.com secret").await;
        assert_eq!(answer, ["a NO [AUTHENTICATIONFAILED] No"]);
    }
    assert!(client.run("a LOGIN ann@example.com secret").await[0].starts_with("a OK"));
    assert_eq!(sandbox.stats().failed_logins, 3);
}

#[tokio::test]
async fn logins_of_either_kind_are_refused_with_the_right_password() {
    let sandbox = sandbox(Options::default()).await;
    let text = "[AUTHENTICATIONFAILED] Invalid credentials";
    let refuse = ImapFault::RefuseLogin(text.to_owned());
    sandbox.faults().add(Who::user(ANN), Times::N(2), refuse);
    let mut client = Client::imap(&sandbox).await;
    let plain = "AUTHENTICATE PLAIN AGFubkBleGFtcGxlLmNvbQBzZWNyZXQ=";
    let refused = [format!("a NO {text}")];
    assert_eq!(client.run("a LOGIN ann@example.com secret").await, refused);
    assert_eq!(client.run(&format!("a {plain}")).await, refused);
    assert!(client.run(&format!("a {plain}")).await[0].starts_with("a OK"));
    assert_eq!(sandbox.stats().failed_logins, 2);
}

#[tokio::test]
async fn a_cut_beyond_the_end_of_an_answer_does_not_meet_the_next() {
    let sandbox = with_mails(1).await;
    let mut client = Client::examined(&sandbox).await;
    once(&sandbox, Verb::Noop, Action::Truncate(30));
    assert_eq!(client.run("a NOOP").await, ["a OK NOOP completed"]);
    let answer = client.run("b UID FETCH 1:* (UID BODY.PEEK[])").await;
    assert_eq!(answer.len(), 2);
}

#[tokio::test]
async fn a_script_of_answers_is_added_in_order() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::ann(&sandbox).await;
    for text in ["one", "two"] {
        let no = Action::Tagged(Status::No, text.to_owned());
        once(&sandbox, Verb::Noop, no);
    }
    // Another kind adds up with the first of them.
    once(&sandbox, Verb::Noop, Action::Burst(1));
    assert_eq!(client.run("a NOOP").await, ["* OK Notice 1", "a NO one"]);
    assert_eq!(client.run("b NOOP").await, ["b NO two"]);
    let first = sandbox.faults().hold(Who::user(ANN), Verb::Noop);
    let second = sandbox.faults().hold(Who::user(ANN), Verb::Noop);
    client.send("c NOOP\r\nd NOOP\r\n").await;
    first.reached(SOON).await.unwrap();
    first.release();
    assert_eq!(client.line().await, "c OK NOOP completed");
    second.reached(SOON).await.unwrap();
    second.release();
    assert_eq!(client.line().await, "d OK NOOP completed");
}

#[tokio::test]
async fn bye_in_a_command() {
    let sandbox = with_mails(1).await;
    let mut client = Client::examined(&sandbox).await;
    once(
        &sandbox,
        Verb::UidFetch,
        Action::Bye("Session expired".to_owned()),
    );
    client.send("a UID FETCH 1:* (UID)\r\n").await;
    assert_eq!(client.rest().await, "* BYE Session expired\r\n");
}

#[tokio::test]
async fn bytes_and_bursts_before_an_answer() {
    let sandbox = with_mails(1).await;
    let mut client = Client::examined(&sandbox).await;
    for bytes in [
        raw::internal_date_nil(),
        raw::alert_non_ascii(),
        raw::unknown_response(),
        raw::exists_burst(1, 150),
    ] {
        once(&sandbox, Verb::Noop, Action::Inject(bytes.clone()));
        client.send("a NOOP\r\n").await;
        let injected = client
            .bytes(String::from_utf8(bytes.clone()).unwrap().len())
            .await;
        assert_eq!(injected.as_bytes(), bytes);
        assert_eq!(client.line().await, "a OK NOOP completed");
    }
    once(&sandbox, Verb::UidFetch, Action::Burst(150));
    let answer = client.run("b UID FETCH 1:* (UID)").await;
    assert_eq!(
        (answer.len(), answer[149].as_str()),
        (152, "* OK Notice 150")
    );
    once(&sandbox, Verb::Noop, Action::Inject(raw::nested(400)));
    client.send("c NOOP\r\n").await;
    let nested = client.line().await;
    assert!(nested.starts_with("* 1 FETCH (BODYSTRUCTURE (((") && nested.contains("((((c OK"));
    once(
        &sandbox,
        Verb::Noop,
        Action::Inject(raw::huge_literal(500_000_000)),
    );
    client.send("d NOOP\r\n").await;
    assert_eq!(client.line().await, "* 1 FETCH (UID 1 BODY[] {500000000}");
    once(
        &sandbox,
        Verb::Noop,
        Action::Inject(raw::endless_line(100_000)),
    );
    client.line().await;
    client.send("e NOOP\r\n").await;
    assert!(client.line().await.len() > 100_000);
}

#[tokio::test]
async fn uidnext_is_left_out() {
    let sandbox = with_mails(2).await;
    let faults = sandbox.faults();
    let id = faults.add(Who::user(ANN), Times::Always, ImapFault::OmitUidNext);
    let mut client = Client::ann(&sandbox).await;
    let answer = client.run("a EXAMINE INBOX").await.join("\n");
    assert!(
        answer.contains("UIDVALIDITY") && !answer.contains("UIDNEXT"),
        "{answer}"
    );
    let answer = client.run("b STATUS INBOX (UIDNEXT MESSAGES)").await;
    assert_eq!(answer[0], "* STATUS \"INBOX\" (MESSAGES 2)");
    faults.remove(id);
    assert!(
        client
            .run("c EXAMINE INBOX")
            .await
            .join("\n")
            .contains("[UIDNEXT 3]")
    );
}

#[tokio::test]
async fn an_announced_message_is_missing_from_fetch_so_many_times() {
    let sandbox = with_mails(2).await;
    let faults = sandbox.faults();
    let hide = ImapFault::HideMessage { uid: None };
    let id = faults.add(Who::user(ANN), Times::N(2), hide);
    let mut client = Client::examined(&sandbox).await;
    client.run("a UID FETCH 1 (UID)").await;
    assert_eq!(faults.fired(id), 0, "not in this set");
    for _ in 0..2 {
        let answer = client.run("b UID FETCH 1:* (UID)").await;
        assert_eq!(answer, ["* 1 FETCH (UID 1)", "b OK UID FETCH completed"]);
    }
    assert_eq!(client.run("c UID FETCH 1:* (UID)").await.len(), 3);
}

#[tokio::test]
async fn a_held_answer_is_fixed_before_and_written_after_the_release() {
    let sandbox = with_mails(1).await;
    let mut client = Client::examined(&sandbox).await;
    let gate = sandbox.faults().hold(Who::user(ANN), Verb::UidFetch);
    client.send("a UID FETCH 1:* (UID)\r\n").await;
    gate.reached(SOON).await.unwrap();
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    gate.release();
    let answer = client.until("a").await;
    assert_eq!(answer, ["* 1 FETCH (UID 1)", "a OK UID FETCH completed"]);
    assert_eq!(
        client.run("b NOOP").await[0],
        "* 2 EXISTS",
        "it came while the answer was held"
    );
}

#[tokio::test]
async fn a_held_command_sees_what_came_meanwhile() {
    let sandbox = with_mails(0).await;
    let mut client = Client::examined(&sandbox).await;
    let gate = replyd_sandbox::faults::Gate::new();
    once(&sandbox, Verb::Noop, Action::HoldCommand(gate.clone()));
    client.send("a NOOP\r\n").await;
    gate.reached(SOON).await.unwrap();
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    gate.release();
    assert_eq!(client.line().await, "* 1 EXISTS");
}

#[tokio::test]
async fn a_black_hole_reads_and_never_answers() {
    let sandbox = with_mails(1).await;
    let mut client = Client::examined(&sandbox).await;
    let faults = sandbox.faults();
    let id = faults.at(
        Who::user(ANN),
        Times::Once,
        Verb::UidFetch,
        Action::BlackHole,
    );
    client.send("a UID FETCH 1:* (UID)\r\n").await;
    faults.wait_fired(id, 1, SOON).await.unwrap();
    client.send("b NOOP\r\n".repeat(10_000)).await;
    // Others are served; this connection has read ten thousand commands and answered none.
    let mut other = Client::examined(&sandbox).await;
    assert_eq!(other.run("b UID FETCH 1:* (UID)").await.len(), 2);
    assert_eq!(sandbox.stats().imap(Verb::Noop), 0);
    assert_eq!(sandbox.stats().open, 2);
    drop(client);
    sandbox.wait_until(SOON, |s| s.open == 1).await.unwrap();
}

#[tokio::test]
async fn a_wrong_tag_and_no_tag() {
    let sandbox = with_mails(1).await;
    let mut client = Client::examined(&sandbox).await;
    once(&sandbox, Verb::Noop, Action::WrongTag);
    client.send("a NOOP\r\n").await;
    assert_eq!(client.line().await, "X999999 OK NOOP completed");
    once(&sandbox, Verb::UidFetch, Action::NoTag);
    client.send("b UID FETCH 1:* (UID)\r\nc NOOP\r\n").await;
    assert_eq!(client.line().await, "* 1 FETCH (UID 1)");
    assert_eq!(client.line().await, "c OK NOOP completed");
}

#[tokio::test]
async fn an_answer_byte_by_byte() {
    let sandbox = with_mails(1).await;
    let mut client = Client::examined(&sandbox).await;
    let slow = Action::Slow {
        bytes: 1,
        every: Duration::from_millis(2),
    };
    once(&sandbox, Verb::UidFetch, slow);
    let start = std::time::Instant::now();
    let answer = client.run("a UID FETCH 1 (UID)").await;
    assert_eq!(answer, ["* 1 FETCH (UID 1)", "a OK UID FETCH completed"]);
    assert!(
        start.elapsed() >= Duration::from_millis(80),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(client.run("b NOOP").await, ["b OK NOOP completed"]);
}

#[tokio::test]
async fn capabilities_are_hidden_and_added() {
    let sandbox = sandbox(Options::default()).await;
    let faults = sandbox.faults();
    faults.add(
        Who::All,
        Times::Always,
        ImapFault::Hide("AUTH=PLAIN".into()),
    );
    faults.add(Who::All, Times::Always, ImapFault::Hide("IDLE".into()));
    faults.add(
        Who::All,
        Times::Always,
        ImapFault::Advertise("NOTIFY".into()),
    );
    let mut client = Client::imap(&sandbox).await;
    let answer = client.run("a CAPABILITY").await;
    assert!(!answer[0].contains("PLAIN") && !answer[0].contains("IDLE"));
    assert!(answer[0].contains("AUTH=XOAUTH2") && answer[0].ends_with(" NOTIFY"));
    assert!(client.run("b AUTHENTICATE PLAIN AGEAYg==").await[0].starts_with("b NO"));
    client.run("c LOGIN ann@example.com secret").await;
    assert!(client.run("d IDLE").await[0].starts_with("d BAD"));
}

#[tokio::test]
async fn plain_text_is_injected_before_the_handshake() {
    let sandbox = sandbox(Options::default()).await;
    let injected = ImapFault::InjectBeforeTls(b"* OK [ALERT] injected\r\n".to_vec());
    sandbox.faults().add(Who::All, Times::Once, injected);
    let mut client = Client::plain(sandbox.imap_starttls_addr()).await;
    client.line().await;
    client.send("a STARTTLS\r\n").await;
    assert!(client.line().await.starts_with("a OK"));
    assert_eq!(client.line().await, "* OK [ALERT] injected");
    client.upgrade(&sandbox).await;
    assert_eq!(client.run("b NOOP").await, ["b OK NOOP completed"]);
}
