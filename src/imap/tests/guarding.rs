//! What a server may not do to us.

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use crate::imap::testing::{budget, pipe, session};
use crate::imap::{ByteBudget, Guard, GuardError, ImapError, Session, Step};
use crate::imap::{Capabilities, FetchWhat};

/// What the parser would be given of `input`, and how the stream ends, when the input arrives in
/// pieces that end at `cuts`.
async fn through(input: &[u8], cuts: &[usize], room: usize) -> (Vec<u8>, Option<GuardError>) {
    let (mut server, client) = duplex(1 << 22);
    let mut guard = Guard::new(client, &budget());
    let (mut out, mut from) = (Vec::new(), 0);
    let mut buffer = vec![0_u8; room];
    for cut in cuts.iter().copied().chain([input.len()]) {
        server.write_all(&input[from..cut]).await.unwrap();
        from = cut;
        // Takes what is there, without waiting for more.
        loop {
            tokio::select! {
                biased;
                read = guard.read(&mut buffer) => match read {
                    Ok(n) => out.extend_from_slice(&buffer[..n]),
                    Err(e) => return (out, e.get_ref().and_then(|e| e.downcast_ref()).copied()),
                },
                () = std::future::ready(()) => break,
            }
        }
    }
    drop(server);
    match guard.read_to_end(&mut out).await {
        Ok(_) => (out, None),
        Err(e) => (out, e.get_ref().and_then(|e| e.downcast_ref()).copied()),
    }
}

fn deep(n: usize) -> Vec<u8> {
    let mut input = b"* 1 FETCH (BODYSTRUCTURE ".to_vec();
    input.extend(std::iter::repeat_n(b'(', n));
    input.extend_from_slice(b"\r\n");
    input
}

/// Inputs with what must become of them.
fn refused() -> Vec<(Vec<u8>, GuardError)> {
    use GuardError::{Ambiguous, LiteralTooLong, NestedTooDeep, NilDate, NonAsciiAfterCode};
    let mut cases = vec![(deep(400), NestedTooDeep), (deep(33), NestedTooDeep)];
    for (text, why) in [
        ("* 1 FETCH (UID 1 BODY[] {500000000}\r\n", LiteralTooLong),
        ("* 1 FETCH (UID 1 BODY[] {1048577}\r\n", LiteralTooLong),
        (
            "* 1 FETCH (UID 1 BODY[] {99999999999999999999999}\r\n",
            LiteralTooLong,
        ),
        ("* 1 FETCH (UID 1 BODY[] ~{500000000}\r\n", LiteralTooLong),
        ("* 1 FETCH (UID 1 BODY[] {500000000+}\r\n", LiteralTooLong),
        ("* OK [BADCHARSET ({500000000}\r\n", LiteralTooLong),
        ("* 1 FETCH (A {1000000+}\r\n", Ambiguous),
        ("* 1 FETCH (A ~{5}\r\nhello)\r\n", Ambiguous),
        ("* OK [BADCHARSET ({3}\r\n", Ambiguous),
        ("* OK [ALERT]é\r\n", NonAsciiAfterCode),
        ("R1 NO [ALERT]é\r\n", NonAsciiAfterCode),
        ("+ [ALERT]é\r\n", NonAsciiAfterCode),
        ("* 1 FETCH (INTERNALDATE NO)\r\n", NilDate),
        // An unknown attribute's value ends at the first ")", in quotes or not.
        ("* 1 FETCH (FOO (\") BODYSTRUCTURE ((((\"))\r\n", Ambiguous),
        ("* 1 FETCH (FOO ({9}\r\n) BODYSTR))\r\n", Ambiguous),
        // … or is taken raw where the string is broken.
        ("* 1 FETCH (FOO \"\\x BODYSTRUCTURE (((\")\r\n", Ambiguous),
        ("* 1 FETCH (FOO a\"b BODYSTRUCTURE (((\")\r\n", Ambiguous),
        ("* 1 FETCH (FOO \"a\r\nb\")\r\n", Ambiguous),
        ("* 1 FETCH (FOO {x}\r\n* OK \"x)\r\n", Ambiguous),
        ("* 1 FETCH (FOO \"a\0b\")\r\n", Ambiguous),
        ("* 1 FETCH (FOO {3}\rab)\r\n", Ambiguous),
    ] {
        cases.push((text.as_bytes().to_vec(), why));
    }
    cases
}

/// Transcripts that pass unchanged.
const GOOD: &[&[u8]] = &[
    b"* OK [CAPABILITY IMAP4rev1 IDLE] Dovecot (Debian) \"ready\" ((((.\r\n",
    "* OK [ALERT] é\r\n* OK étage\r\nR1 NO [X-CODE] é ) \" \r\n".as_bytes(),
    b"+ \r\n+ idling\r\n+ eyJzdGF0dXMiOiI0MDAifQ==\r\n",
    b"* FLAGS (\\Answered \\Seen $x{y)\r\n* 3 EXISTS\r\n* 0 RECENT\r\n",
    b"* LIST (\\HasNoChildren) \"/\" \"a)b (c \\\" \\\\\"\r\n* LIST () NIL {5}\r\nIN(\"X\r\n",
    b"* ID (\"name\" \"Dovecot (x\" \"v\" NIL)\r\n",
    b"* 1 FETCH (UID 1 INTERNALDATE \" 7-Feb-1994 21:52:25 -0800\" BODY[]<0> {10}\r\n((\"\r\n{9}\r\n)\r\n",
    b"* 1 FETCH (UID 1 BODY[] \"q (((( \\\" )\" FLAGS ())\r\n* 2 FETCH (BODY[] {0}\r\n)\r\nR1 OK done {x}\r\n",
    b"* 1 FETCH (UID 1 BODY[] {2}\r\n\0\xff)\r\n",
    b"R1 BAD it's 5\" wide (or {so\r\n\r\n",
];

#[tokio::test]
async fn good_transcripts_pass_unchanged_however_they_are_cut() {
    for input in GOOD {
        for cut in 0..=input.len() {
            for room in [1, 7, 4096] {
                let (out, fault) = through(input, &[cut], room).await;
                let text = String::from_utf8_lossy(input);
                assert_eq!(fault, None, "{text} cut at {cut}");
                assert_eq!(out, *input, "{text} cut at {cut}");
            }
        }
    }
}

#[tokio::test]
async fn offences_are_refused_however_they_are_cut_and_their_line_never_reaches_the_parser() {
    for (bad, why) in refused() {
        let before = b"* 5 EXISTS\r\n";
        let input = [&before[..], &bad].concat();
        for cut in 0..=input.len().min(120) {
            let (out, fault) = through(&input, &[cut], 4096).await;
            let text = String::from_utf8_lossy(&bad);
            assert_eq!(fault, Some(why), "{text} cut at {cut}");
            let out = String::from_utf8_lossy(&out).into_owned();
            let rest = out.strip_prefix("* 5 EXISTS\r\n").unwrap();
            // A FETCH may have begun with a harmless literal.
            assert!(rest.is_empty() || rest.ends_with("}\r\n"), "{rest:?}");
            assert!(!rest.contains("((((("), "{rest:?}");
        }
    }
}

#[tokio::test]
async fn every_byte_alone_makes_no_difference() {
    for (bad, why) in refused() {
        let cuts: Vec<usize> = (0..bad.len()).collect();
        assert_eq!(through(&bad, &cuts, 4096).await.1, Some(why));
    }
    let good = GOOD[6];
    let cuts: Vec<usize> = (0..good.len()).collect();
    assert_eq!(through(good, &cuts, 4096).await, (good.to_vec(), None));
}

#[tokio::test]
async fn a_nil_date_is_made_a_blank_one_however_it_is_cut() {
    for nil in ["NIL", "nil", "nIl"] {
        let input = format!("* 1 FETCH (UID 3 InternalDate {nil} BODY[] {{3}}\r\nNIL)\r\n");
        let want = "* 1 FETCH (UID 3 InternalDate \" \" BODY[] {3}\r\nNIL)\r\n";
        for cut in 0..=input.len() {
            let (out, fault) = through(input.as_bytes(), &[cut], 4096).await;
            assert_eq!(fault, None);
            assert_eq!(String::from_utf8(out).unwrap(), want, "cut at {cut}");
        }
    }
}

#[tokio::test]
async fn a_line_over_a_mebibyte_is_refused_and_many_literals_count_together() {
    let mut long = b"* OK ".to_vec();
    long.resize(1024 * 1024 + 1, b'x');
    long.extend_from_slice(b"\r\n");
    assert_eq!(
        through(&long, &[], 4096).await,
        (vec![], Some(GuardError::LineTooLong))
    );
    let mut many = b"* 1 FETCH (".to_vec();
    for _ in 0..3 {
        many.extend_from_slice(b"A {500000}\r\n");
        many.resize(many.len() + 500_000, b'y');
        many.push(b' ');
    }
    assert_eq!(
        through(&many, &[], 4096).await.1,
        Some(GuardError::LiteralTooLong)
    );
}

#[tokio::test]
async fn the_budget_is_shared_and_given_back_when_a_message_is_read_or_a_connection_ends() {
    let budget = ByteBudget::new((1 << 20) + 100_000);
    let connection = || {
        let (server, client) = duplex(4096);
        (server, Guard::new(client, &budget))
    };
    let (mut a_server, mut a) = connection();
    let (mut b_server, mut b) = connection();
    let mut buffer = [0_u8; 4096];
    let announce = b"* 1 FETCH (BODY[] {600000}\r\n";
    // Both have begun a response before the budget is tight.
    b_server
        .write_all(b"* 1 FETCH (UID 1 X {1}\r\nx BODY[] {")
        .await
        .unwrap();
    assert!(b.read(&mut buffer).await.unwrap() > 0);
    a_server.write_all(announce).await.unwrap();
    assert!(a.read(&mut buffer).await.unwrap() > 0);
    assert_eq!(budget.used(), 600_001);
    b_server.write_all(b"600000}\r\n").await.unwrap();
    let e = b.read(&mut buffer).await.unwrap_err();
    assert!(e.to_string().contains("byte budget"), "{e}");
    drop(b);
    assert_eq!(budget.used(), 600_000);
    a_server.write_all(&[b'x'; 2000]).await.unwrap();
    assert!(a.read(&mut buffer).await.unwrap() > 0);
    drop(a);
    assert_eq!(budget.used(), 0);
    let (mut c_server, mut c) = connection();
    c_server
        .write_all(b"* 1 FETCH (BODY[] {6}\r\nabcdef)\r\n")
        .await
        .unwrap();
    assert!(c.read(&mut buffer).await.unwrap() > 0);
    // The parser asks for more: so it has taken the message.
    tokio::select! {
        biased;
        _ = c.read(&mut buffer) => unreachable!(),
        () = std::future::ready(()) => {}
    }
    assert_eq!(budget.used(), 0);
}

#[tokio::test(start_paused = true)]
async fn while_the_budget_is_tight_no_connection_begins_another_response() {
    let budget = ByteBudget::new(1 << 20);
    let (mut a_server, client) = duplex(4096);
    let mut a = Guard::new(client, &budget);
    let (mut b_server, client) = duplex(4096);
    let mut b = Guard::new(client, &budget);
    let (mut one, mut other) = ([0_u8; 4096], [0_u8; 4096]);
    a_server
        .write_all(b"* 1 FETCH (BODY[] {9}\r\n")
        .await
        .unwrap();
    assert!(a.read(&mut one).await.unwrap() > 0);
    b_server
        .write_all(b"* 1 FETCH (BODY[] {9}\r\nabcdefghi)\r\n")
        .await
        .unwrap();
    let minute = std::time::Duration::from_secs(60);
    let waiting = tokio::time::timeout(minute, b.read(&mut other));
    assert!(waiting.await.is_err());
    drop(a);
    assert!(b.read(&mut other).await.unwrap() > 0);
}

async fn noop_with(reply: &[u8]) -> Result<(), ImapError> {
    let (mut s, mut server) = session();
    let (got, ()) = tokio::join!(s.noop(), async {
        server.expect("NOOP").await;
        server.say(reply).await;
        drop(server);
    });
    assert!(s.is_broken());
    got
}

#[tokio::test]
async fn a_session_tells_which_bound_was_broken_and_lives_no_longer() {
    for (bad, reason) in refused() {
        let step = Step::Noop;
        assert_eq!(
            noop_with(&bad).await,
            Err(ImapError::Guard { step, reason })
        );
    }
}

/// imap-proto's ID parser fails on a response that is cut, so the guard hands on whole lines.
#[tokio::test]
async fn an_id_response_may_be_cut_anywhere() {
    let reply = "* ID (\"name\" \"Dovecot\" \"x\" NIL)\r\nR1 OK\r\n";
    for cut in 0..reply.len() {
        let (mut s, mut server) = session();
        let (got, ()) = tokio::join!(s.noop(), async {
            server.expect("NOOP").await;
            server.say(&reply[..cut]).await;
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            server.say(&reply[cut..]).await;
        });
        assert_eq!(got, Ok(()), "cut at {cut}");
    }
}

/// Random mixtures of what matters to both parsers: whatever the guard lets through, imap-proto
/// neither overflows the stack nor hangs on it, and the session ends in some error or the OK.
#[tokio::test]
async fn random_mixtures_end_in_an_outcome() {
    const PIECES: &[&str] = &[
        "* 1 FETCH (",
        "* OK ",
        "* ",
        "R1 OK\r\n",
        "+ ",
        "(",
        ")",
        "((((((((((",
        "\"",
        "\\",
        " ",
        "{3}\r\n",
        "{0}\r\n",
        "abc",
        "\r\n",
        "\r",
        "\n",
        "BODYSTRUCTURE ",
        "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7bit\" 1 ",
        "FOO ",
        "INTERNALDATE ",
        "NIL",
        "]",
        "[ALERT]",
        "é",
        "\0",
        "UID 5",
        "ENVELOPE ",
        "FLAGS (",
        "BODY[] ",
        "<0>",
        "{9999999}",
        "~",
        "X-GM-LABELS (",
        "METADATA \"\" (/shared/comment ",
        "ID (",
    ];
    let mut random = fastrand::Rng::with_seed(7);
    let rounds = if cfg!(debug_assertions) {
        20_000
    } else {
        200_000
    };
    for _ in 0..rounds {
        let n = random.usize(1..40);
        let input: String = (0..n)
            .map(|_| PIECES[random.usize(..PIECES.len())])
            .collect();
        let (client, mut server) = pipe();
        let wire = crate::imap::wire::Wire::new(Box::new(client), &budget());
        let mut s = Session::new(wire, Capabilities::default());
        server.say(input).await;
        let (_, ()) = tokio::join!(
            async {
                let mut fetch = s.fetch(1, None, FetchWhat::Prefix).await?;
                while fetch.next().await?.is_some() {}
                Ok::<(), ImapError>(())
            },
            async { drop(server) }
        );
    }
}
