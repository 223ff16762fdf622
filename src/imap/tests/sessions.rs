//! Each command is read to its own tagged reply, and nothing else passes for success.

use std::time::Duration;

use tokio::time::Instant;

use crate::imap::testing::{Server, session};
use crate::imap::{FetchWhat, Fetched, ImapError, Session, Step};
use crate::time::UtcMs;

const SELECTED: &str = "* FLAGS (\\Seen)\r\n* 3 EXISTS\r\n* 0 RECENT\r\n\
    * OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 44] ok\r\n{} OK [READ-ONLY] done\r\n";

async fn examine_with(reply: &str) -> (Result<crate::imap::Examined, ImapError>, Session) {
    let (mut s, mut server) = session();
    let (got, ()) = tokio::join!(s.examine("INBOX"), async {
        server.answer("EXAMINE \"INBOX\"", reply).await;
        drop(server);
    });
    (got, s)
}

async fn all(s: &mut Session, from: u32, what: FetchWhat) -> Result<Vec<Fetched>, ImapError> {
    let mut fetch = s.fetch(from, None, what).await?;
    let mut got = Vec::new();
    while let Some(m) = fetch.next().await? {
        got.push(m);
    }
    Ok(got)
}

/// Answers one FETCH, then closes.
async fn fetch_with(reply: &[u8]) -> (Result<Vec<Fetched>, ImapError>, Session) {
    let (mut s, mut server) = session();
    let serve = async {
        let tag = server.expect("UID FETCH 40:*").await;
        let text = String::from_utf8_lossy(reply).replace("{}", &tag);
        server.say(text).await;
        drop(server);
    };
    let (got, ()) = tokio::join!(all(&mut s, 40, FetchWhat::Prefix), serve);
    (got, s)
}

#[tokio::test(start_paused = true)]
async fn examine_tells_uidvalidity_uidnext_and_count_and_its_own_exists_is_no_news() {
    let (got, mut s) = examine_with(SELECTED).await;
    let got = got.unwrap();
    assert_eq!(
        (got.uid_validity, got.uid_next, got.exists),
        (7, Some(44), 3)
    );
    assert_eq!(s.take_hint(), None);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_uidnext_is_read_and_one_without_uidvalidity_is_an_error() {
    let (got, _) = examine_with("* 1 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n{} OK done\r\n").await;
    assert_eq!(got.unwrap().uid_next, None);
    let (got, s) = examine_with("* 1 EXISTS\r\n{} OK done\r\n").await;
    assert_eq!(got, Err(ImapError::NoUidValidity));
    assert!(!s.is_broken());
}

#[tokio::test(start_paused = true)]
async fn end_of_stream_in_examine_is_not_an_empty_mailbox() {
    let (got, mut s) = examine_with("* 3 EXISTS\r\n").await;
    let step = Step::Examine;
    assert_eq!(got, Err(ImapError::Closed { step }));
    assert_eq!(s.noop().await, Err(ImapError::Broken));
}

#[tokio::test(start_paused = true)]
async fn end_of_stream_in_fetch_is_not_the_end_of_the_mailbox() {
    let step = Step::Fetch;
    for cut in [
        &b""[..],
        b"* 1 FETCH (UID 41 INTERNALDATE \"01-Jan-2024 00:00:00 +0000\" RFC822.SIZE 5 BODY[]<0> {5}\r\nhello)\r\n",
        b"* 1 FETCH (UID 41 BODY[]<0> {500}\r\nhel",
        b"* 1 FETCH (UID 4",
    ] {
        let (got, mut s) = fetch_with(cut).await;
        assert_eq!(got, Err(ImapError::Closed { step }));
        assert_eq!(s.noop().await, Err(ImapError::Broken));
    }
}

#[tokio::test(start_paused = true)]
async fn no_and_bad_to_fetch_are_errors_and_leave_the_session_usable() {
    let (got, s) = fetch_with(b"{} NO [SERVERBUG] cannot\r\n").await;
    assert!(
        matches!(&got, Err(ImapError::No { step: Step::Fetch, code: Some(c), .. }) if c == "SERVERBUG"),
        "{got:?}"
    );
    assert!(!s.is_broken());
    let (got, s) = fetch_with(b"{} BAD what\r\n").await;
    assert!(matches!(got, Err(ImapError::Bad { .. })), "{got:?}");
    assert!(!s.is_broken());
}

#[tokio::test(start_paused = true)]
async fn a_refused_fetch_never_looks_like_the_end_of_one() {
    let (mut s, mut server) = session();
    let (fetch, ()) = tokio::join!(s.fetch(1, None, FetchWhat::Prefix), async {
        server.answer("UID FETCH", "{} NO no\r\n").await;
    });
    let mut fetch = fetch.unwrap();
    for _ in 0..3 {
        assert!(matches!(fetch.next().await, Err(ImapError::No { .. })));
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_is_told_with_the_time_that_the_server_asks_for() {
    let reply = b"{} NO Request is throttled. Suggested Backoff Time: 1234 milliseconds\r\n";
    let (got, _) = fetch_with(reply).await;
    let e = got.unwrap_err();
    assert_eq!(e.wait(), Some(Duration::from_millis(1234)));
    let (got, _) = examine_with("{} BAD User is authenticated but not connected.\r\n").await;
    let e = got.unwrap_err();
    assert!(
        matches!(e, ImapError::Throttled { .. }) && !e.is_auth(),
        "{e}"
    );
}

#[tokio::test(start_paused = true)]
async fn bye_in_a_command_ends_it_at_once_with_the_servers_text() {
    let (got, mut s) = fetch_with(b"* BYE going down\r\n").await;
    assert_eq!(
        got,
        Err(ImapError::Bye {
            step: Step::Fetch,
            text: "going down".into()
        })
    );
    assert_eq!(s.noop().await, Err(ImapError::Broken));
}

#[tokio::test(start_paused = true)]
async fn another_commands_tagged_reply_is_not_taken_for_ours() {
    for foreign in ["A0001 NO not yours\r\n", "R999 OK not yours\r\n"] {
        let reply = format!("{foreign}{SELECTED}");
        let (got, _) = examine_with(&reply).await;
        assert_eq!(got.unwrap().uid_validity, 7);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_tag_alone_is_a_time_out_not_success() {
    let (mut s, mut server) = session();
    let began = Instant::now();
    let (got, ()) = tokio::join!(s.noop(), async {
        server.expect("NOOP").await;
        server.say("R2 OK done\r\n").await;
        tokio::time::timeout(Duration::from_secs(90), server.hang())
            .await
            .unwrap_err();
    });
    assert_eq!(got, Err(ImapError::Timeout { step: Step::Noop }));
    assert!(began.elapsed() < Duration::from_secs(91));
    assert_eq!(s.noop().await, Err(ImapError::Broken));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_stops_talking_does_not_outrun_the_deadline() {
    let (mut s, mut server) = session();
    let talk = async {
        server.expect("NOOP").await;
        while server.say_anyway("* OK Still here\r\n").await {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let got = tokio::select! { got = s.noop() => got, () = talk => unreachable!() };
    assert_eq!(got, Err(ImapError::Timeout { step: Step::Noop }));
}

#[tokio::test(start_paused = true)]
async fn a_parse_failure_keeps_nothing_of_the_buffer_and_breaks_the_session() {
    let (got, mut s) = fetch_with(b"* XFOO top secret mail text\r\n{} OK done\r\n").await;
    let e = got.unwrap_err();
    assert_eq!(e, ImapError::Parse { step: Step::Fetch });
    assert!(!format!("{e} {e:?}").contains("secret"));
    assert_eq!(s.noop().await, Err(ImapError::Broken));
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_parser_is_a_parse_error() {
    // imap-proto unwraps the UTF-8 of METADATA: of a value, and of a mailbox, in each form.
    let replies: [&[u8]; 4] = [
        b"* METADATA \"\" (/shared/comment {1}\r\n\xff)\r\n",
        b"* METADATA \"\" (/shared/comment \"a\xf9\")\r\n",
        b"* METADATA \"\x92\" (/shared/comment \"a\")\r\n",
        b"* METADATA {1}\r\n\x92 (/shared/comment \"a\")\r\n",
    ];
    for reply in replies {
        let (mut s, mut server) = session();
        let (got, ()) = tokio::join!(s.noop(), async {
            server.expect("NOOP").await;
            server.say(reply).await;
            drop(server);
        });
        let text = String::from_utf8_lossy(reply);
        assert_eq!(got, Err(ImapError::Parse { step: Step::Noop }), "{text}");
        assert_eq!(s.noop().await, Err(ImapError::Broken), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_come_one_by_one_with_date_size_and_body() {
    let (got, s) = fetch_with(
        b"* 1 FETCH (UID 41 INTERNALDATE \"01-Jan-2024 01:00:00 +0100\" RFC822.SIZE 5 BODY[]<0> {5}\r\nhe(\"o)\r\n\
          * 2 FETCH (UID 42 RFC822.SIZE 9 INTERNALDATE NIL BODY[]<0> \"a \\\"q\\\" \\\\ b\")\r\n\
          * 3 FETCH (UID 43 INTERNALDATE \"not a date\" RFC822.SIZE 7 BODY[]<0> NIL)\r\n\
          * 4 FETCH (UID 44 RFC822.SIZE 0 BODY[] {0}\r\n)\r\n\
          * 5 FETCH (UID 45 BODY[] \"\")\r\n\
          {} OK done\r\n").await;
    let bodies: Vec<_> = got.unwrap();
    let m = |uid, internal_date: Option<i64>, size, body: Option<&[u8]>| Fetched {
        uid,
        internal_date: internal_date.map(UtcMs),
        size,
        body: body.map(<[u8]>::to_vec),
    };
    assert_eq!(
        bodies,
        [
            m(41, Some(1_704_067_200_000), Some(5), Some(b"he(\"o")),
            m(42, None, Some(9), Some(br#"a "q" \ b"#)),
            m(43, None, Some(7), None),
            m(44, None, Some(0), Some(b"")),
            m(45, None, None, Some(b"")),
        ]
    );
    assert!(!s.is_broken());
}

#[tokio::test(start_paused = true)]
async fn uids_below_the_range_and_flag_changes_are_no_messages() {
    let (got, _) = fetch_with(
        b"* 9 FETCH (FLAGS (\\Seen))\r\n\
          * 8 FETCH (UID 41 FLAGS (\\Seen $x{y))\r\n\
          * 7 FETCH (UID 39 INTERNALDATE \"01-Jan-2024 00:00:00 +0000\" BODY[]<0> {2}\r\nhi)\r\n\
          {} OK done\r\n",
    )
    .await;
    assert_eq!(got.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn exists_expunge_and_uidvalidity_are_hints_wherever_they_stand() {
    for hint in [
        "* 5 EXISTS",
        "* 2 EXPUNGE",
        "* OK [UIDVALIDITY 9] new",
        "* VANISHED 3",
    ] {
        let reply = format!("{hint}\r\n{{}} OK done\r\n");
        let (got, mut s) = fetch_with(reply.as_bytes()).await;
        got.unwrap();
        assert!(s.take_hint().is_some(), "{hint}");
        assert!(s.take_hint().is_none());
    }
    let (got, mut s) = fetch_with(b"* 5 RECENT\r\n* 1 FETCH (FLAGS ())\r\n{} OK\r\n").await;
    got.unwrap();
    assert!(s.take_hint().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_fetch_breaks_the_session() {
    let (mut s, mut server) = session();
    let (fetch, ()) = tokio::join!(s.fetch(1, None, FetchWhat::Prefix), async {
        server.expect("UID FETCH 1:*").await;
        server.say("* 1 FETCH (UID 1 BODY[] {2}\r\nhi)\r\n").await;
    });
    assert!(fetch.unwrap().next().await.unwrap().is_some());
    assert_eq!(s.noop().await, Err(ImapError::Broken));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_command_breaks_the_session() {
    let (mut s, _server) = session();
    let soon = tokio::time::timeout(Duration::from_secs(1), s.examine("INBOX"));
    soon.await.unwrap_err();
    assert_eq!(s.noop().await, Err(ImapError::Broken));
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_waited_for_as_long_as_it_moves_and_no_longer() {
    async fn drip(server: &mut Server, bytes: usize) {
        server.expect("UID FETCH").await;
        server.say("* 1 FETCH (UID 40 BODY[] {10}\r\n").await;
        for _ in 0..bytes {
            tokio::time::sleep(Duration::from_secs(50)).await;
            if !server.say_anyway("x").await {
                return;
            }
        }
    }
    let (mut s, mut server) = session();
    let (got, ()) = tokio::join!(all(&mut s, 40, FetchWhat::Prefix), async {
        drip(&mut server, 10).await;
        server.say(")\r\nR1 OK done\r\n").await;
    });
    assert_eq!(got.unwrap().len(), 1);
    let (mut s, mut server) = session();
    let got = tokio::select! {
        got = all(&mut s, 40, FetchWhat::Prefix) => got,
        () = async { drip(&mut server, 3).await; server.hang().await } => unreachable!(),
    };
    assert_eq!(got, Err(ImapError::Timeout { step: Step::Fetch }));
}

#[tokio::test(start_paused = true)]
async fn lists_of_uids_go_out_in_batches_of_fifty() {
    let (mut s, mut server) = session();
    let uids: Vec<u32> = (1..=60).collect();
    let read = async {
        let mut fetch = s.fetch_list(&uids, FetchWhat::UidsAndDates).await.unwrap();
        let mut got = Vec::new();
        while let Some(m) = fetch.next().await.unwrap() {
            got.push(m.uid);
        }
        got
    };
    let (got, ()) = tokio::join!(read, async {
        let date = "INTERNALDATE \"01-Jan-2024 00:00:00 +0000\"";
        let first = format!("* 1 FETCH (UID 1 {date})\r\n* 9 FETCH (UID 99 {date})\r\n{{}} OK\r\n");
        server.answer(",49,50 (UID INTERNALDATE)", &first).await;
        let second = format!("* 1 FETCH (UID 60 {date})\r\n{{}} OK\r\n");
        server.answer("UID FETCH 51,52", &second).await;
    });
    assert_eq!(got, [1, 60]);
    assert!(!s.is_broken());
}

#[tokio::test(start_paused = true)]
async fn an_empty_range_asks_nothing() {
    let (mut s, server) = session();
    drop(server);
    let mut fetch = s.fetch(10, Some(9), FetchWhat::Prefix).await.unwrap();
    assert_eq!(fetch.next().await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn more_of_a_body_is_taken_from_the_offset_also_when_the_server_sends_it_whole() {
    for (reply, want) in [
        ("* 1 FETCH (UID 5 BODY[]<3> {3}\r\ndef)\r\n{} OK\r\n", "def"),
        (
            "* 1 FETCH (UID 5 BODY[] {8}\r\nabcdefgh)\r\n{} OK\r\n",
            "def",
        ),
        ("* 1 FETCH (UID 5 BODY[]<3> NIL)\r\n{} OK\r\n", ""),
        ("* 1 FETCH (UID 6 BODY[]<3> {1}\r\nz)\r\n{} OK\r\n", ""),
        ("{} OK\r\n", ""),
    ] {
        let (mut s, mut server) = session();
        let (got, ()) = tokio::join!(
            s.fetch_more(5, 3, 3),
            server.answer("UID FETCH 5 (UID BODY.PEEK[]<3.3>)", reply)
        );
        assert_eq!(got.unwrap(), want.as_bytes(), "{reply}");
    }
}

#[tokio::test(start_paused = true)]
async fn status_takes_what_the_server_gives() {
    let (mut s, mut server) = session();
    let reply = "* STATUS \"Junk\" (MESSAGES 4 UIDNEXT 9 UIDVALIDITY 3) \r\n{} OK\r\n";
    let (got, ()) = tokio::join!(
        s.status("Junk"),
        server.answer("STATUS \"Junk\" (MESSAGES UIDNEXT UIDVALIDITY)", reply)
    );
    let got = got.unwrap();
    assert_eq!(
        (got.messages, got.uid_next, got.uid_validity),
        (Some(4), Some(9), Some(3))
    );
}

#[tokio::test(start_paused = true)]
async fn logout_does_not_wait_for_a_server_that_is_gone() {
    let (mut s, server) = session();
    let began = Instant::now();
    tokio::join!(s.logout(), async {
        tokio::time::timeout(Duration::from_secs(10), server.hang())
            .await
            .unwrap_err();
    });
    assert!(began.elapsed() <= Duration::from_secs(10));
    assert_eq!(s.noop().await, Err(ImapError::Broken));
}

#[tokio::test(start_paused = true)]
async fn a_command_given_while_idling_leaves_idle_first() {
    let (mut s, mut server) = session();
    let (got, ()) = tokio::join!(
        async {
            s.enter_idle().await.unwrap();
            s.noop().await
        },
        async {
            server.answer("IDLE", "+ idling\r\n").await;
            server.answer("DONE", "R1 OK done\r\n").await;
            server.answer("NOOP", "{} OK\r\n").await;
        }
    );
    got.unwrap();
    assert!(!s.is_idling());
}

#[tokio::test(start_paused = true)]
async fn done_is_not_sent_before_the_plus() {
    let (mut s, mut server) = session();
    let (got, ()) = tokio::join!(
        async {
            s.enter_idle().await.unwrap();
            s.noop().await
        },
        async {
            server.expect("IDLE").await;
            let early = tokio::time::timeout(Duration::from_secs(5), server.line());
            assert!(early.await.is_err());
            server.say("+ idling\r\n").await;
            server.answer("DONE", "R1 OK done\r\n").await;
            server.answer("NOOP", "{} OK\r\n").await;
        }
    );
    got.unwrap();
}

#[tokio::test(start_paused = true)]
async fn hints_about_the_mailbox_before_do_not_outlive_examine() {
    let (mut s, mut server) = session();
    let client = async {
        s.noop().await.unwrap();
        s.examine("Junk").await.unwrap();
    };
    tokio::join!(client, async {
        server.answer("NOOP", "* 5 EXISTS\r\n{} OK\r\n").await;
        server.answer("EXAMINE", SELECTED).await;
    });
    assert_eq!(s.take_hint(), None);
}

#[tokio::test(start_paused = true)]
async fn bytes_of_a_line_that_is_not_whole_yet_are_progress() {
    let (mut s, mut server) = session();
    let line = "* 1 FETCH (UID 40 BODY[] \"x\")\r\n";
    let (got, ()) = tokio::join!(all(&mut s, 40, FetchWhat::Prefix), async {
        let tag = server.expect("UID FETCH").await;
        for piece in line.as_bytes().chunks(8) {
            tokio::time::sleep(Duration::from_secs(50)).await;
            server.say(piece).await;
        }
        server.say(format!("{tag} OK\r\n")).await;
    });
    assert_eq!(got.unwrap().len(), 1);
    assert!(s.bytes_received() > 30);
}
