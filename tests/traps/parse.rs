//! Answers that cannot be parsed, that make the parser panic, overflow its stack or eat memory.

use std::sync::Arc;

use replyd_sandbox::Verb;
use replyd_sandbox::faults::{Action, IdleEvent, Times, raw};

use crate::scene::{PUSH, Scene, Setup, address, each, who};

/// In every line that fails: it must not get into the reason (`finish` looks).
const CANARY: &str = crate::scene::CANARY;

/// Lines that imap-proto does not parse: the connection ends at once, as the rest of the stream
/// would be read as empty answers. The mail comes with the next connection.
const UNPARSABLE: &[(&str, &[u8])] = &[
    ("esearch", b"* ESEARCH (TAG \"canary-word\") UID ALL 1:3"),
    ("search-modseq", b"* SEARCH 1 2 (MODSEQ 917162500)"),
    ("namespace", b"* NAMESPACE ((\"\" \"/\")) NIL NIL"),
    ("thread", b"* THREAD (1)(2)"),
    ("language", b"* LANGUAGE (EN)"),
    ("unknown-untagged", b"* XFOO canary-word"),
    ("uidfetch", b"* 1 UIDFETCH (FLAGS ())"),
    ("capability-without-rev1", b"* CAPABILITY IMAP4rev2 IDLE"),
    ("status-size", b"* STATUS canary-word (MESSAGES 1 SIZE 12)"),
    (
        "list-extended",
        b"* LIST () \"/\" canary-word (\"CHILDINFO\" (\"SUBSCRIBED\"))",
    ),
    (
        "fetch-literal8",
        b"* 1 FETCH (UID 1 BODY[] ~{11}\r\ncanary-word)",
    ),
    (
        "fetch-binary",
        b"* 1 FETCH (UID 1 BINARY[1] {11}\r\ncanary-word)",
    ),
    ("fetch-empty", b"* 1 FETCH ()"),
    ("fetch-leading-blank", b"* 1 FETCH ( UID 1)"),
    ("fetch-double-blank", b"* 1 FETCH (UID 1  FLAGS ())"),
    (
        "fetch-annotation",
        b"* 1 FETCH (ANNOTATION (/comment (value.priv \"canary-word\")))",
    ),
    (
        "bodystructure-language-string",
        b"* 1 FETCH (BODYSTRUCTURE ((\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1) \"mixed\" (\"boundary\" \"x\") NIL \"en\" NIL))",
    ),
    (
        "bodystructure-empty-parameters",
        b"* 1 FETCH (BODYSTRUCTURE (\"text\" \"plain\" () NIL NIL \"7bit\" 1 1))",
    ),
    (
        "envelope-empty-list",
        b"* 1 FETCH (ENVELOPE (NIL \"canary-word\" () NIL NIL NIL NIL NIL NIL NIL))",
    ),
    ("flags-latin-1", b"* FLAGS (\\Seen Gel\xf6scht)"),
    ("exists-over-32-bits", b"* 4294967296 EXISTS"),
    ("empty-line", b""),
    ("id-empty-list", b"* ID ()"),
    ("quota-negative", b"* QUOTA \"\" (STORAGE -1 512)"),
    ("nonsense", b"canary-word canary-word canary-word"),
];

#[tokio::test(flavor = "multi_thread")]
async fn unparsable_lines_end_the_connection_and_lose_nothing() {
    let accounts: Vec<_> = UNPARSABLE.iter().map(|(name, _)| *name).collect();
    let scene = Scene::up(Setup::new(PUSH), &accounts).await;
    let rows = UNPARSABLE.iter().map(|(name, line)| (*name, *line));
    each(&scene, rows, |scene, account, line| async move {
        let reason = match account {
            // Not the parser's business: the guard knows no literal of this form.
            "fetch-literal8" => "refused during FETCH: a string or list is broken",
            _ => "cannot be parsed during FETCH",
        };
        injected(
            &scene,
            account,
            &[
                line, b"
",
            ]
            .concat(),
            reason,
        )
        .await;
    })
    .await;
    scene.finish().await;
}

/// Bytes before the answer to the FETCH of a new mail.
async fn injected(scene: &Arc<Scene>, account: &'static str, bytes: &[u8], reason: &str) {
    let action = Action::Inject(bytes.to_vec());
    scene
        .sandbox
        .faults()
        .at(who(account), Times::Once, Verb::UidFetch, action);
    let id = scene.reply(account);
    scene.was(account, "down", reason).await;
    scene.captured(account, &id).await;
    scene.idling(account).await;
    scene.hears(account).await;
    assert_eq!(
        scene.logins(account),
        2,
        "{account}: {:?}",
        scene.history(account)
    );
}

/// What the guard refuses: each would panic, overflow the stack, or take memory without end.
/// The process and the other accounts do not notice.
#[tokio::test(flavor = "multi_thread")]
async fn what_would_kill_the_parser_is_refused_in_a_fetch_and_in_idle() {
    let rows: Vec<(&'static str, (Vec<u8>, &'static str))> = vec![
        ("nested-33", (raw::nested(33), "nested more than 32 deep")),
        ("nested-400", (raw::nested(400), "nested more than 32 deep")),
        (
            "nested-100000",
            (raw::nested(100_000), "nested more than 32 deep"),
        ),
        (
            "literal-500mb",
            (raw::huge_literal(500_000_000), "a literal is over 1 MiB"),
        ),
        (
            "literal-1400mb",
            (raw::huge_literal(1_400_000_000), "a literal is over 1 MiB"),
        ),
        (
            "literal-beyond-64-bits",
            (
                b"* 1 FETCH (UID 1 BODY[] {99999999999999999999999}\r\n".to_vec(),
                "refused during",
            ),
        ),
        (
            "endless-line",
            (raw::endless_line(3_000_000), "a line is over 1 MiB"),
        ),
        (
            "alert-non-ascii",
            (raw::alert_non_ascii(), "followed by a non-ASCII character"),
        ),
        (
            "date-broken-nil",
            (
                b"* 1 FETCH (UID 1 INTERNALDATE NO)\r\n".to_vec(),
                "neither a string nor NIL",
            ),
        ),
    ];
    let accounts: Vec<_> = rows.iter().map(|(name, _)| *name).collect();
    let scene = Scene::up(Setup::new(PUSH), &accounts).await;
    each(&scene, rows, |scene, account, (bytes, reason)| async move {
        injected(&scene, account, &bytes, reason).await;
        // The same without having asked for anything.
        let before = scene.logins(account);
        scene
            .sandbox
            .in_idle(&address(account), IdleEvent::Raw(bytes))
            .unwrap();
        scene
            .until("a new sign-in", |s| {
                (s.logins(account) > before).then_some(())
            })
            .await;
        scene.was(account, "down", "during wait").await;
        scene.idling(account).await;
        scene.hears(account).await;
    })
    .await;
    scene.finish().await;
}

/// What looks like the traps but is harmless costs no connection.
#[tokio::test(flavor = "multi_thread")]
async fn odd_but_readable_answers_cost_no_connection() {
    let rows: Vec<(&'static str, Vec<u8>)> = vec![
        ("internaldate-nil", raw::internal_date_nil()),
        (
            "vanished-earlier",
            b"* VANISHED (EARLIER) 41,43:116\r\n".to_vec(),
        ),
        (
            "body-nil-of-another",
            b"* 1 FETCH (UID 4000000 BODY[] NIL)\r\n".to_vec(),
        ),
        (
            "unknown-code",
            b"* OK [NOTIFICATIONOVERFLOW] again\r\n".to_vec(),
        ),
        (
            "bye-free-alert",
            b"* OK [ALERT] Mailbox is nearly full\r\n".to_vec(),
        ),
        (
            "flag-change-pushed",
            b"* 1 FETCH (FLAGS (\\Seen $Label1))\r\n".to_vec(),
        ),
    ];
    let accounts: Vec<_> = rows.iter().map(|(name, _)| *name).collect();
    let scene = Scene::up(Setup::new(PUSH), &accounts).await;
    each(&scene, rows, |scene, account, bytes| async move {
        let action = Action::Inject(bytes.clone());
        scene
            .sandbox
            .faults()
            .at(who(account), Times::Once, Verb::UidFetch, action);
        scene.hears(account).await;
        scene
            .sandbox
            .in_idle(&address(account), IdleEvent::Raw(bytes))
            .unwrap();
        scene.hears(account).await;
        scene.assert_always_live(account);
        assert_eq!(scene.logins(account), 1, "{account}");
    })
    .await;
    assert!(
        UNPARSABLE
            .iter()
            .any(|(_, line)| line.windows(CANARY.len()).any(|w| w == CANARY.as_bytes()))
    );
    scene.finish().await;
}
