//! Large mails, and mails that are meant to hurt a parser: each has a row, and the mail behind
//! it is heard.

use std::sync::Arc;

use replyd_sandbox::Verb;
use replyd_sandbox::faults::{Action, Times};

use crate::scene::{CANARY, HEALTHY, PUSH, Scene, Setup, address, each, who};

const MIB: usize = 1024 * 1024;

/// Lines of text, with the last words at the end.
fn text(bytes: usize, last: &str) -> String {
    let mut text =
        "All work and no play makes a long letter, line after line of it.\r\n".repeat(bytes / 66);
    text.push_str(last);
    text
}

fn base64_lines(bytes: usize) -> String {
    "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3\r\n"
        .repeat(bytes / 82)
}

/// A text part of `text_bytes` before an attachment of `attached_bytes`.
fn with_attachment(raw: &str, text_bytes: usize, attached_bytes: usize) -> String {
    let (head, _) = raw.split_once("MIME-Version").unwrap();
    format!(
        "{head}MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"frontier\"\r\n\r\n\
         --frontier\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{}\r\n\
         --frontier\r\nContent-Type: application/pdf; name=\"plan.pdf\"\r\n\
         Content-Disposition: attachment; filename=\"plan.pdf\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--frontier--\r\n",
        text(text_bytes, "the-last-words"),
        base64_lines(attached_bytes)
    )
}

/// Size, bytes not fetched, and the text of a captured mail.
fn stored(scene: &Scene, id: &str) -> (i64, i64, String) {
    let one = |column: &str| format!("SELECT {column} FROM messages WHERE message_key = ?1");
    (
        scene.value(&one("size_bytes"), [id]),
        scene.value(&one("skipped_bytes"), [id]),
        scene.value(&one("full_text"), [id]),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_mail_of_several_mb_the_text_is_fetched_and_the_attachment_is_skipped_and_noted() {
    let names = [
        "attachment-8mb",
        "text-cut-at-256k",
        "text-over-1mib",
        "by-catch-up",
    ];
    let scene = Scene::up(Setup::new(PUSH), &names).await;
    let rows = [
        ("attachment-8mb", (4_000, 8 * MIB)),
        ("text-cut-at-256k", (700 * 1024, 3 * MIB)),
        ("text-over-1mib", (3 * MIB, 1000)),
        ("by-catch-up", (700 * 1024, 3 * MIB)),
    ];
    each(
        &scene,
        rows,
        |scene, account, (text_bytes, attached)| async move {
            let (id, raw) = scene.next_reply(account, "");
            let raw = with_attachment(&raw, text_bytes, attached);
            if account == "by-catch-up" {
                // It comes while there is no connection: the look after the reconnect finds it.
                scene
                    .sandbox
                    .faults()
                    .at(who(account), Times::Once, Verb::UidFetch, Action::Close);
            }
            scene.deliver(account, "INBOX", &raw);
            scene.expect(account, &id);
            scene.captured(account, &id).await;
            let (size, skipped, full) = stored(&scene, &id);
            assert_eq!(usize::try_from(size).unwrap(), raw.len(), "{account}");
            let fetched = usize::try_from(size - skipped).unwrap();
            let whole_text = text_bytes < MIB;
            assert_eq!(full.contains("the-last-words"), whole_text, "{account}");
            assert!(fetched <= MIB + 512 * 1024, "{account} fetched {fetched}");
            if whole_text {
                assert!(
                    fetched <= text_bytes + 512 * 1024,
                    "{account} fetched {fetched}"
                );
                assert!(
                    full.len() >= text_bytes * 95 / 100,
                    "{account} has {}",
                    full.len()
                );
            } else {
                assert!(full.len() >= MIB * 95 / 100, "{account} has {}", full.len());
            }
            scene.idling(account).await;
            scene.hears(account).await;
        },
    )
    .await;
    let attachments: String = scene.value(
        "SELECT group_concat(attachments) FROM messages WHERE attachments LIKE '%plan.pdf%'",
        [],
    );
    assert!(attachments.contains("application/pdf"), "{attachments}");
    scene.finish().await;
}

/// Several mails whose text was cut come in one fetch; the connection ends while the text of one
/// of them is fetched on. The cursor must not have passed those that still wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_ends_while_cut_texts_are_fetched_on_loses_none_of_them() {
    let rows = [
        ("first-text-cut-off", 0),
        ("second-text-cut-off", 1),
        ("third-text-cut-off", 2),
    ];
    let scene = Scene::up(Setup::new(PUSH), &rows.map(|(name, _)| name)).await;
    each(&scene, rows, |scene, account, pieces: u32| async move {
        let faults = scene.sandbox.faults();
        // All three are in the answer to one FETCH; then so many pieces come, then no more.
        let gate = replyd_sandbox::faults::Gate::new();
        faults.at(
            who(account),
            Times::Once,
            Verb::UidFetch,
            Action::HoldCommand(gate.clone()),
        );
        let mut ids = Vec::new();
        for _ in 0..3 {
            let (id, raw) = scene.next_reply(account, &text(500 * 1024, CANARY));
            scene.deliver(account, "INBOX", &raw);
            scene.expect(account, &id);
            ids.push(id);
            gate.reached(crate::scene::PATIENCE).await.unwrap();
        }
        for _ in 0..pieces {
            // Actions of one kind act at one command after the other: these let pieces pass.
            faults.at(
                who(account),
                Times::Once,
                Verb::UidFetch,
                Action::Truncate(usize::MAX),
            );
        }
        faults.at(
            who(account),
            Times::Once,
            Verb::UidFetch,
            Action::CloseInLiteral(100),
        );
        gate.release();
        scene.was(account, "down", "during FETCH").await;
        for id in ids {
            scene.captured(account, &id).await;
            let (.., full) = stored(&scene, &id);
            assert!(full.contains(CANARY), "{account}: the text of {id} is cut");
        }
    })
    .await;
    scene.finish().await;
}

/// Makes a mail from the first lines of its header.
type Make = fn(&str) -> Vec<u8>;

/// Bad mails from strangers do not stop a mailbox.
#[tokio::test(flavor = "multi_thread")]
async fn mails_that_are_meant_to_hurt_have_a_row_and_the_next_mail_is_heard() {
    let rows: Vec<(&'static str, Make)> = vec![
        ("mime-10000-parts", |head| {
            let parts = "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n".repeat(10_000);
            format!("{head}MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{parts}--b--\r\n").into()
        }),
        ("mime-nested-2000", |head| {
            let mut mail = format!("{head}MIME-Version: 1.0\r\n");
            for n in 0..2000 {
                mail.push_str(&format!(
                    "Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n"
                ));
            }
            mail.into()
        }),
        ("mime-nested-messages", |head| {
            format!(
                "{head}MIME-Version: 1.0\r\n{}",
                "Content-Type: message/rfc822\r\n\r\n".repeat(5000)
            )
            .into()
        }),
        ("header-unknown-charset", |head| {
            format!("{head}Content-Type: text/plain; charset=x-klingon\r\nX-A: =?x-klingon?Q?=FF=?=\r\n\r\nHello \u{fffd}\r\n").into()
        }),
        ("header-8-bit-and-nul", |head| {
            [head.as_bytes(), b"X-Bad: \xff\xfe\x00\x01\r\nContent-Type: text/plain\r\n\r\n\x00\xff\xfe hello\r\n"].concat()
        }),
        ("header-10000-lines", |head| {
            format!("{head}{}\r\nhello\r\n", "X-Filler: y\r\n".repeat(10_000)).into()
        }),
        ("header-one-mb-line", |head| {
            format!("{head}X-Long: {}\r\n\r\nhello\r\n", "z".repeat(MIB)).into()
        }),
        ("no-header-at-all", |_| b"just some words\r\n".to_vec()),
        ("empty-mail", |_| Vec::new()),
        ("only-line-ends", |_| b"\r\n\r\n\r\n".to_vec()),
        ("base64-broken", |head| {
            format!(
                "{head}Content-Transfer-Encoding: base64\r\nContent-Type: text/html\r\n\r\n{}",
                "!%=*".repeat(5000)
            )
            .into()
        }),
        ("html-deep", |head| {
            format!(
                "{head}Content-Type: text/html\r\n\r\n{}hello",
                "<div><table><tr><td>".repeat(5000)
            )
            .into()
        }),
    ];
    let accounts: Vec<_> = rows.iter().map(|(name, _)| *name).collect();
    let scene = Scene::up(Setup::new(PUSH), &accounts).await;
    each(&scene, rows, hurt).await;
    scene.finish().await;
}

async fn hurt(scene: Arc<Scene>, account: &'static str, make: Make) {
    let (_, raw) = scene.next_reply(account, "");
    let (head, _) = raw.split_once("MIME-Version").unwrap();
    scene.deliver(account, "INBOX", make(head));
    scene.hears(account).await;
    // A large one is fetched on, and may come after the one behind it.
    scene
        .until(&format!("two rows of {account}"), |s| {
            (s.dispositions(account).len() == 2).then_some(())
        })
        .await;
    scene.assert_always_live(account);
    assert_eq!(scene.logins(account), 1, "{account}");
}

/// Date says nothing about order or age; a Message-ID may be missing.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_dates_are_shown_as_claims_and_never_order_or_date_a_mail() {
    let rows = [
        ("date-absent", ""),
        ("date-nonsense", "Date: the day after tomorrow\r\n"),
        ("date-1970", "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n"),
        ("date-2999", "Date: Tue, 1 Jan 2999 00:00:00 +0000\r\n"),
        (
            "date-beyond-years",
            "Date: Tue, 1 Jan 99999 00:00:00 +0000\r\n",
        ),
    ];
    let scene = Scene::up(Setup::new(PUSH), &rows.map(|(name, _)| name)).await;
    each(&scene, rows, |scene, account, date| async move {
        let (id, raw) = scene.next_reply(account, &crate::scene::wish());
        let (before, rest) = raw.split_once("Date: ").unwrap();
        let (_, after) = rest.split_once("\r\n").unwrap();
        scene.deliver(account, "INBOX", format!("{before}{date}{after}"));
        scene.expect(account, &id);
        scene.captured(account, &id).await;
        let received: i64 = scene.value(
            "SELECT internal_date FROM messages WHERE message_key = ?1",
            [&id],
        );
        assert!(
            (crate::scene::now() - received).abs() < 120_000,
            "{account}: {received}"
        );
        scene.hears(account).await;
        assert_eq!(scene.dispositions(account), ["reply", "reply"], "{account}");
    })
    .await;
    scene.hears(HEALTHY).await;
    assert!(scene.sandbox.messages(&address(HEALTHY), "INBOX").len() == 1);
    scene.finish().await;
}
