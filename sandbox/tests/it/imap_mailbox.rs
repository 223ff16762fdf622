//! SELECT, EXAMINE, STATUS, LIST, APPEND, STORE, EXPUNGE, SEARCH, and what other sessions do.

use replyd_sandbox::{Options, Verb};

use crate::client::{ANN, Client, MAIL, mail, sandbox};

fn has(lines: &[String], text: &str) -> bool {
    lines.iter().any(|line| line.contains(text))
}

#[tokio::test]
async fn select_and_examine_say_what_rfc_3501_asks_for() {
    let sandbox = sandbox(Options::default()).await;
    for _ in 0..3 {
        sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    }
    let validity = sandbox.uid_validity(ANN, "INBOX").unwrap();
    let mut client = Client::ann(&sandbox).await;
    let answer = client.run("a EXAMINE inbox").await;
    for text in [
        "* FLAGS (\\Answered",
        "* OK [PERMANENTFLAGS ()]",
        "* 3 EXISTS",
        "* 3 RECENT",
        "* OK [UNSEEN 1]",
        &format!("* OK [UIDVALIDITY {validity}]"),
        "* OK [UIDNEXT 4]",
        "a OK [READ-ONLY]",
    ] {
        assert!(has(&answer, text), "{text}: {answer:?}");
    }
    let answer = client.run("b SELECT INBOX").await;
    assert!(has(&answer, "b OK [READ-WRITE]") && has(&answer, "* 3 RECENT"));
    let answer = client.run("c SELECT INBOX").await;
    assert!(
        has(&answer, "* 0 RECENT"),
        "SELECT has taken them: {answer:?}"
    );
    let answer = client.run("d EXAMINE Nowhere").await;
    assert!(has(&answer, "d NO"));
    assert!(
        has(&client.run("e UID FETCH 1:* (UID)").await, "e BAD"),
        "nothing is selected now"
    );
}

#[tokio::test]
async fn status_counts_without_selecting() {
    let sandbox = sandbox(Options::default()).await;
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    let validity = sandbox.uid_validity(ANN, "INBOX").unwrap();
    let mut client = Client::ann(&sandbox).await;
    let answer = client
        .run("a STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT)")
        .await;
    let wanted = format!(
        "* STATUS \"INBOX\" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY {validity} UNSEEN 1 RECENT 1)"
    );
    assert_eq!(answer[0], wanted);
    assert!(has(
        &client.run("b STATUS Nowhere (MESSAGES)").await,
        "b NO"
    ));
    assert!(has(&client.run("c STATUS INBOX (SIZE)").await, "c BAD"));
}

#[tokio::test]
async fn list_finds_mailboxes_by_pattern() {
    let sandbox = sandbox(Options::default()).await;
    sandbox.deliver(ANN, "Sent", MAIL, None).unwrap();
    let mut client = Client::ann(&sandbox).await;
    assert!(has(&client.run("a CREATE Work/2026").await, "a OK"));
    assert!(has(&client.run("b CREATE Work/2026").await, "b NO"));
    let answer = client.run("c LIST \"\" *").await;
    assert!(has(&answer, "\"INBOX\"") && has(&answer, "\\Sent) \"/\" \"Sent\""));
    assert!(has(&answer, "\"Work/2026\""));
    let answer = client.run("d LIST \"\" %").await;
    assert!(has(&answer, "\"INBOX\"") && !has(&answer, "\"Work/2026\""));
    let answer = client.run("e LIST \"\" \"\"").await;
    assert_eq!(answer[0], "* LIST (\\Noselect) \"/\" \"\"");
    assert!(has(&client.run("f LIST \"\" inbox").await, "\"INBOX\""));
}

#[tokio::test]
async fn id_noop_check_and_unknown_commands() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::imap(&sandbox).await;
    assert!(has(
        &client.run("a ID (\"name\" \"x\")").await,
        "* ID (\"name\""
    ));
    assert!(has(&client.run("b NOOP").await, "b OK"));
    assert!(has(&client.run("c FROBNICATE now").await, "c BAD"));
    assert!(has(&client.run("d NOOP please").await, "d BAD"));
    client.send("\r\n").await;
    assert!(client.line().await.starts_with("* BAD"));
    client.send("e NOOP\n").await;
    assert_eq!(client.line().await, "* BAD Lines end in CRLF");
    assert_eq!(sandbox.stats().imap(Verb::Noop), 2);
    assert_eq!(sandbox.stats().imap(Verb::Other), 2);
}

#[tokio::test]
async fn append_stores_flags_and_date_and_announces_itself() {
    let sandbox = sandbox(Options::default()).await;
    let validity = sandbox.uid_validity(ANN, "INBOX").unwrap();
    let mut client = Client::examined(&sandbox).await;
    client
        .send("a APPEND INBOX (\\Seen Later) \"17-Jul-2026 04:44:25 +0200\" {5}\r\n")
        .await;
    assert_eq!(client.line().await, "+ OK");
    client.send("A: b\n\r\n").await;
    let answer = client.until("a").await;
    assert_eq!(answer[0], "* 1 EXISTS");
    assert!(
        has(&answer, &format!("a OK [APPENDUID {validity} 1]")),
        "{answer:?}"
    );
    let stored = &sandbox.messages(ANN, "INBOX")[0];
    assert_eq!(stored.raw.as_ref(), b"A: b\n");
    assert_eq!(stored.flags, ["\\Seen", "Later"]);
    assert_eq!(stored.internal_date, 1_784_256_265_000);
    client.send("b APPEND Nowhere {1+}\r\nx\r\n").await;
    assert!(client.line().await.starts_with("b NO [TRYCREATE]"));
}

#[tokio::test]
async fn store_changes_flags_under_select_only() {
    let sandbox = sandbox(Options::default()).await;
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    let mut client = Client::examined(&sandbox).await;
    assert!(has(
        &client.run("a UID STORE 1 +FLAGS (\\Seen)").await,
        "a NO [READ-ONLY]"
    ));
    assert!(sandbox.messages(ANN, "INBOX")[0].flags.is_empty());
    client.run("b SELECT INBOX").await;
    let answer = client.run("c UID STORE 1 +FLAGS (\\Seen Hot)").await;
    assert_eq!(answer[0], "* 1 FETCH (UID 1 FLAGS (\\Seen Hot \\Recent))");
    let answer = client.run("d STORE 1 -FLAGS.SILENT Hot").await;
    assert_eq!(answer.len(), 1, "{answer:?}");
    assert_eq!(sandbox.messages(ANN, "INBOX")[0].flags, ["\\Seen"]);
    assert!(has(&client.run("e STORE 2 FLAGS (\\Seen)").await, "e BAD"));
    assert!(has(
        &client.run("f UID STORE 2 FLAGS (\\Seen)").await,
        "f OK"
    ));
}

#[tokio::test]
async fn another_session_learns_of_flags_and_expunged_messages_where_it_may() {
    let sandbox = sandbox(Options::default()).await;
    for n in 1..=3 {
        sandbox
            .deliver(ANN, "INBOX", &mail(&n.to_string()), None)
            .unwrap();
    }
    let mut watcher = Client::examined(&sandbox).await;
    let mut owner = Client::ann(&sandbox).await;
    owner.run("a SELECT INBOX").await;
    owner.run("b UID STORE 1 +FLAGS (\\Deleted)").await;
    let answer = owner.run("c EXPUNGE").await;
    assert_eq!(answer, ["* 1 EXPUNGE", "c OK EXPUNGE completed"]);
    owner.run("d UID STORE 3 +FLAGS (\\Flagged)").await;

    let answer = watcher.run("a FETCH 3 (UID)").await;
    assert_eq!(
        answer[0], "* 3 FETCH (UID 3)",
        "numbers do not move in FETCH"
    );
    assert!(!has(&answer, "EXPUNGE"));
    assert!(
        has(&answer, "* 3 FETCH (UID 3 FLAGS (\\Flagged"),
        "{answer:?}"
    );
    let answer = watcher.run("b FETCH 1 (UID)").await;
    assert_eq!(
        answer,
        ["b OK FETCH completed"],
        "it is gone, but has its number"
    );
    assert_eq!(
        watcher.run("c NOOP").await,
        ["* 1 EXPUNGE", "c OK NOOP completed"]
    );
    assert_eq!(watcher.run("d FETCH 1 (UID)").await[0], "* 1 FETCH (UID 2)");
}

#[tokio::test]
async fn uid_expunge_and_close_remove_only_what_is_deleted() {
    let sandbox = sandbox(Options::default()).await;
    for _ in 0..3 {
        sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    }
    let mut client = Client::ann(&sandbox).await;
    client.run("a SELECT INBOX").await;
    client
        .run("b UID STORE 1:2 +FLAGS.SILENT (\\Deleted)")
        .await;
    assert_eq!(client.run("c UID EXPUNGE 2:3").await[0], "* 2 EXPUNGE");
    assert_eq!(client.run("d CLOSE").await, ["d OK CLOSE completed"]);
    let uids: Vec<u32> = sandbox
        .messages(ANN, "INBOX")
        .iter()
        .map(|m| m.uid)
        .collect();
    assert_eq!(uids, [3]);
    client.run("e EXAMINE INBOX").await;
    assert!(has(&client.run("f UNSELECT").await, "f OK"));
    assert!(has(&client.run("g EXPUNGE").await, "g BAD"));
}

#[tokio::test]
async fn search_by_uid_header_date_and_flag() {
    let sandbox = sandbox(Options::default()).await;
    let day = 86_400_000;
    for n in 1..=3 {
        let date = Some(20_000 * day + i64::from(n) * day);
        sandbox
            .deliver(ANN, "INBOX", &mail(&format!("Mail {n}")), date)
            .unwrap();
    }
    sandbox.expunge(ANN, "INBOX", 1);
    let mut client = Client::ann(&sandbox).await;
    client.run("s SELECT INBOX").await;
    client.run("f UID STORE 3 +FLAGS (\\Flagged)").await;
    for (keys, wanted) in [
        ("ALL", " 2 3"),
        ("UID 1:2", " 2"),
        ("UID 9:*", " 3"),
        ("HEADER Subject \"mail 2\"", " 2"),
        ("HEADER Nothing \"\"", ""),
        ("SUBJECT {6+}\r\nMail 3", " 3"),
        ("SINCE 7-Oct-2024", " 3"),
        ("BEFORE 7-Oct-2024", " 2"),
        ("ON 6-Oct-2024", " 2"),
        ("FLAGGED", " 3"),
        ("UNFLAGGED UNSEEN", " 2"),
        ("NOT FLAGGED", " 2"),
        ("OR FLAGGED UID 2", " 2 3"),
        ("(FLAGGED UID 2)", ""),
        ("BODY \"text of mail 3\"", " 3"),
        ("CHARSET UTF-8 FROM bob", " 2 3"),
        ("LARGER 10000", ""),
    ] {
        let answer = client.run(&format!("a UID SEARCH {keys}")).await;
        assert_eq!(answer[0], format!("* SEARCH{wanted}"), "{keys}");
    }
    assert_eq!(client.run("b SEARCH FLAGGED").await[0], "* SEARCH 2");
    assert!(has(&client.run("c SEARCH 3").await, "c BAD"));
    assert!(has(&client.run("d SEARCH SINCE 2024").await, "d BAD"));
    let deep = "NOT ".repeat(1_000);
    assert!(has(
        &client.run(&format!("e SEARCH {deep}ALL")).await,
        "e BAD"
    ));
}

#[tokio::test]
async fn a_new_uidvalidity_ends_sessions_and_renumbers() {
    let sandbox = sandbox(Options::default()).await;
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    sandbox.expunge(ANN, "INBOX", 1);
    let before = sandbox.uid_validity(ANN, "INBOX").unwrap();
    let mut client = Client::examined(&sandbox).await;
    let after = sandbox.reset_uid_validity(ANN, "INBOX").unwrap();
    assert_ne!(before, after);
    client.send("a UID FETCH 1:* (UID)\r\n").await;
    assert_eq!(client.rest().await, "* BYE The mailbox was reset\r\n");
    let mut client = Client::examined(&sandbox).await;
    assert_eq!(
        client.run("b UID FETCH 1:* (UID)").await[0],
        "* 1 FETCH (UID 1)"
    );
}
