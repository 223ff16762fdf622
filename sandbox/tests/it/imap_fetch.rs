//! FETCH and UID FETCH.

use replyd_sandbox::Options;

use crate::client::{ANN, Client, MAIL, mail, sandbox};

#[tokio::test]
async fn uid_fetch_gives_what_is_asked_in_that_order() {
    let sandbox = sandbox(Options::default()).await;
    sandbox
        .deliver(ANN, "INBOX", MAIL, Some(1_784_256_265_000))
        .unwrap();
    let mut client = Client::examined(&sandbox).await;
    let answer = client
        .run("a UID FETCH 1 (UID INTERNALDATE RFC822.SIZE FLAGS BODY.PEEK[]<0.10>)")
        .await;
    let size = MAIL.len();
    assert_eq!(
        answer[0],
        format!(
            "* 1 FETCH (UID 1 INTERNALDATE \"17-Jul-2026 02:44:25 +0000\" RFC822.SIZE {size} \
             FLAGS (\\Recent) BODY[]<0> {{10}}\r\nFrom: bob@)"
        )
    );
    assert_eq!(sandbox.stats().fetched, 1);
}

#[tokio::test]
async fn sections_and_partials() {
    let sandbox = sandbox(Options::default()).await;
    let raw = b"A: 1\r\nB: 2\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n\
        --x\r\n\r\none\r\n--x\r\nC: 3\r\n\r\ntwo\r\n--x--\r\n";
    sandbox.deliver(ANN, "INBOX", raw, None).unwrap();
    let mut client = Client::examined(&sandbox).await;
    for (section, wanted) in [
        (
            "BODY.PEEK[HEADER.FIELDS (B)]",
            "BODY[HEADER.FIELDS (B)] {8}\r\nB: 2\r\n\r\n",
        ),
        ("BODY.PEEK[2]", "BODY[2] {3}\r\ntwo"),
        ("BODY.PEEK[2.MIME]", "BODY[2.MIME] {8}\r\nC: 3\r\n\r\n"),
        ("BODY.PEEK[2]<1.100>", "BODY[2]<1> {2}\r\nwo"),
        ("BODY.PEEK[2]<100.1>", "BODY[2]<100> {0}\r\n"),
        ("BODY.PEEK[7]", "BODY[7] NIL"),
        ("BODY.PEEK[TEXT]<0.5>", "BODY[TEXT]<0> {5}\r\n--x\r\n"),
    ] {
        let answer = client.run(&format!("a UID FETCH 1 {section}")).await;
        assert_eq!(answer[0], format!("* 1 FETCH (UID 1 {wanted})"));
    }
    let whole = client.run("b UID FETCH 1 BODY.PEEK[]").await;
    let text = std::str::from_utf8(raw).unwrap();
    assert!(whole[0].ends_with(&format!("{{{}}}\r\n{text})", raw.len())));
    for bad in [
        "BODYSTRUCTURE",
        "ENVELOPE",
        "BODY[",
        "BODY[1.]",
        "BODY[]<1>",
        "X",
        "",
    ] {
        let answer = client.run(&format!("c UID FETCH 1 {bad}")).await;
        assert!(answer[0].starts_with("c BAD"), "{bad}: {answer:?}");
    }
}

#[tokio::test]
async fn body_sets_seen_under_select_and_peek_never_does() {
    let sandbox = sandbox(Options::default()).await;
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    let flags = || sandbox.messages(ANN, "INBOX")[0].flags.clone();
    let mut client = Client::examined(&sandbox).await;
    client.run("a UID FETCH 1 BODY[]").await;
    assert!(flags().is_empty(), "EXAMINE changes nothing");
    client.run("b SELECT INBOX").await;
    client
        .run("c UID FETCH 1 (BODY.PEEK[] RFC822.HEADER)")
        .await;
    assert!(flags().is_empty(), "PEEK changes nothing");
    let answer = client.run("d UID FETCH 1 BODY[TEXT]").await;
    assert!(
        answer[0].ends_with("FLAGS (\\Seen \\Recent))"),
        "{answer:?}"
    );
    assert_eq!(flags(), ["\\Seen"]);
    let answer = client.run("e FETCH 1 RFC822").await;
    assert!(
        !answer[0].contains("FLAGS"),
        "it was read already: {answer:?}"
    );
}

#[tokio::test]
async fn a_range_to_star_always_has_the_last_message() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::examined(&sandbox).await;
    assert_eq!(
        client.run("a UID FETCH 1:* (UID)").await.len(),
        1,
        "an empty mailbox"
    );
    for n in 1..=3 {
        sandbox
            .deliver(ANN, "INBOX", &mail(&n.to_string()), None)
            .unwrap();
    }
    client.run("b NOOP").await;
    assert_eq!(
        client.run("c UID FETCH 99:* (UID)").await[0],
        "* 3 FETCH (UID 3)"
    );
    assert_eq!(
        client.run("d UID FETCH 99:100 (UID)").await,
        ["d OK UID FETCH completed"]
    );
    let answer = client.run("e UID FETCH 3,1:1,2 (UID)").await;
    assert_eq!(answer.len(), 4, "each once, ascending: {answer:?}");
    assert_eq!(answer[0], "* 1 FETCH (UID 1)");
    assert!(client.run("f FETCH 4 (UID)").await[0].starts_with("f BAD"));
    assert!(client.run("g UID FETCH 0:1 (UID)").await[0].starts_with("g BAD"));
    assert!(client.run("h UID FETCH 4294967296 (UID)").await[0].starts_with("h BAD"));
}

#[tokio::test]
async fn a_session_does_not_see_a_message_before_it_was_announced() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::examined(&sandbox).await;
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    let answer = client.run("a UID FETCH 1:* (UID)").await;
    assert_eq!(
        answer,
        ["* 1 EXISTS", "* 1 RECENT", "a OK UID FETCH completed"]
    );
    assert_eq!(
        client.run("b UID FETCH 1:* (UID)").await[0],
        "* 1 FETCH (UID 1)"
    );
}

#[tokio::test]
async fn a_large_mailbox_comes_whole_and_in_order() {
    let sandbox = sandbox(Options::default()).await;
    let big = vec![b'x'; 10_000];
    for _ in 0..200 {
        sandbox.deliver(ANN, "INBOX", &big, None).unwrap();
    }
    let mut client = Client::examined(&sandbox).await;
    let answer = client.run("a UID FETCH 1:* (UID BODY.PEEK[])").await;
    assert_eq!(answer.len(), 201);
    for (at, response) in answer[..200].iter().enumerate() {
        let start = format!("* {} FETCH (UID {} BODY[] {{10000}}\r\nxx", at + 1, at + 1);
        assert!(response.starts_with(&start) && response.len() > 10_000);
    }
}
