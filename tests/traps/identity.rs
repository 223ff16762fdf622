//! The same mail again, UIDs that change or never come, mails without a name: one row, one answer.

use replyd_sandbox::Verb;
use replyd_sandbox::faults::{Action, ImapFault, Times};

use crate::scene::{HEALTHY, POLL, PUSH, Scene, Setup, address, each, now, who, wish};

/// Automatic mails to the lead who sent a mail.
fn answers(scene: &Scene, id: &str) -> i64 {
    scene.value(
        "SELECT count(*) FROM outbox o JOIN reply_jobs j ON j.id = o.job_id
         JOIN messages m ON m.id = j.message_id
         WHERE m.message_key = ?1 AND o.automatic = 1",
        [id],
    )
}

async fn answered(scene: &Scene, id: &str) {
    scene
        .until(&format!("an answer to {id}"), |s| {
            (answers(s, id) == 1).then_some(())
        })
        .await;
}

async fn dispositions(scene: &Scene, account: &str, wanted: &[&str]) {
    scene
        .until(&format!("{account} to have {wanted:?}"), |s| {
            (s.dispositions(account) == wanted).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_uidvalidity_doubles_no_row_and_loses_no_mail() {
    let scene = Scene::up(Setup::new(PUSH), &["uidvalidity-changes"]).await;
    let account = "uidvalidity-changes";
    let old = scene.reply(account);
    scene.captured(account, &old).await;
    answered(&scene, &old).await;
    // One new mail between: it is announced, but its FETCH never ends.
    scene
        .sandbox
        .faults()
        .at(who(account), Times::Once, Verb::UidFetch, Action::Close);
    let between = scene.reply(account);
    scene.was(account, "down", "during FETCH").await;
    scene
        .sandbox
        .reset_uid_validity(&address(account), "INBOX")
        .unwrap();
    let after = scene.reply(account);
    scene.captured(account, &between).await;
    scene.captured(account, &after).await;
    scene.idling(account).await;
    scene.hears(account).await;
    // The old one came again under a new UID; how often the others did depends on when replyd
    // came back, but each counts once (`finish` looks).
    let epochs: i64 = scene.value(
        "SELECT count(*) FROM mailbox_epochs e JOIN mailboxes b ON b.id = e.mailbox_id
         JOIN accounts a ON a.id = b.account_id WHERE a.name = ?1",
        [account],
    );
    assert_eq!(epochs, 2);
    let doubles: i64 = scene.value(
        "SELECT count(*) FROM messages WHERE message_key = ?1 AND disposition = 'duplicate'
         AND duplicate_of IS NOT NULL",
        [&old],
    );
    assert_eq!(doubles, 1);
    assert_eq!(answers(&scene, &old), 1);
    scene.finish().await;
    assert_eq!(answers(&scene, &old), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_uidnext_nothing_is_missed_and_old_mail_stays_outside_the_window() {
    let names = [
        "uidnext-missing-empty",
        "uidnext-missing-old-mail",
        "uidnext-missing-both",
        "uidnext-missing-mail-meanwhile",
    ];
    let scene = Scene::new(Setup::new(POLL), &names).await;
    let month_ago = now() - 30 * 24 * 3_600_000;
    for account in names {
        scene.fault(account, Times::Always, ImapFault::OmitUidNext);
        if account != "uidnext-missing-empty" {
            for n in 0..3 {
                let old = format!(
                    "From: x@people.example\r\nMessage-ID: <old-{n}@{account}>\r\n\r\nold\r\n"
                );
                scene
                    .sandbox
                    .deliver(&address(account), "INBOX", old.as_bytes(), Some(month_ago))
                    .unwrap();
            }
        }
    }
    let fresh = scene.reply("uidnext-missing-both");
    // One comes when the search of the first look has been made, and its answer is under way.
    let meanwhile = "uidnext-missing-mail-meanwhile";
    let gate = scene.sandbox.faults().hold(who(meanwhile), Verb::UidSearch);
    scene.run().await;
    gate.reached(crate::scene::PATIENCE).await.unwrap();
    let late = scene.reply(meanwhile);
    gate.release();
    scene.captured(meanwhile, &late).await;
    scene.captured("uidnext-missing-both", &fresh).await;
    each(
        &scene,
        names.map(|n| (n, ())),
        |scene, account, ()| async move {
            scene.idling(account).await;
            scene.hears(account).await;
            // And by the poll alone.
            scene.fault(account, Times::Always, ImapFault::MuteIdle);
            scene.fault(account, Times::Always, ImapFault::MuteExists);
            scene.hears(account).await;
            scene.hears(account).await;
            let rows = scene.dispositions(account);
            assert!(
                rows.iter().all(|d| d == "reply"),
                "{account} took in old mail: {rows:?}"
            );
            scene.assert_always_live(account);
        },
    )
    .await;
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announced_uid_that_comes_late_is_captured_and_one_that_never_comes_is_recorded() {
    let scene = Scene::up(
        Setup {
            interval: "1s",
            ..Setup::new(POLL)
        },
        &["uid-absent-for-three-looks", "uid-never-delivered"],
    )
    .await;
    let rows = [
        ("uid-absent-for-three-looks", Some(3)),
        ("uid-never-delivered", None),
    ];
    each(&scene, rows, |scene, account, looks| async move {
        scene.hears(account).await;
        let absent = ImapFault::HideMessage { uid: Some(2) };
        let times = looks.map_or(Times::Always, Times::N);
        let fault = scene.fault(account, times, absent);
        if looks.is_some() {
            let id = scene.reply(account);
            scene.captured(account, &id).await;
            scene.hears(account).await;
            dispositions(&scene, account, &["reply", "reply", "reply"]).await;
        } else {
            // Not `reply`: no row is expected of it.
            let (_, raw) = scene.next_reply(account, &wish());
            scene.deliver(account, "INBOX", raw);
            dispositions(&scene, account, &["reply", "vanished"]).await;
            assert!(
                scene.sandbox.faults().fired(fault) >= 5,
                "{account} was given up early"
            );
            scene.hears(account).await;
            dispositions(&scene, account, &["reply", "vanished", "reply"]).await;
        }
        scene.assert_always_live(account);
        assert_eq!(scene.logins(account), 1, "{account}");
    })
    .await;
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_without_message_id_or_in_two_folders_has_one_row_and_one_answer() {
    let setup = Setup {
        mailboxes: &["INBOX", "Archive"],
        ..Setup::new(POLL)
    };
    let names = [
        "no-message-id-three-polls",
        "same-mail-in-two-folders",
        "same-message-id-other-content",
    ];
    let scene = Scene::new(setup, &names).await;
    for account in names.into_iter().chain([HEALTHY]) {
        // The folder must be there when replyd looks.
        scene.deliver(
            account,
            "Archive",
            "From: x@people.example\r\nSubject: old\r\n\r\nold\r\n",
        );
    }
    scene.run().await;
    each(&scene, names.map(|n| (n, ())), |scene, account, ()| async move {
        scene.idling(account).await;
        let (id, raw) = scene.next_reply(account, &wish());
        let folder_row = "ignored";
        match account {
            "no-message-id-three-polls" => {
                let nameless = raw.replace(&format!("Message-ID: <{id}>\r\n"), "");
                for n in 1..=3 {
                    // A copy is only told by its trace, as when a server files it again.
                    let copy = format!("Received: from relay-{n} by desk.example; {n}\r\n{nameless}");
                    scene.deliver(account, "INBOX", copy);
                    // The same UIDs again, as if no look before had been kept.
                    scene.change(
                        "UPDATE mailbox_epochs SET cursor_uid = 1 WHERE mailbox_id IN
                         (SELECT b.id FROM mailboxes b JOIN accounts a ON a.id = b.account_id WHERE a.name = ?1)",
                        [account],
                    );
                    scene.until(&format!("{n} rows of {account}"), |s| {
                        (s.dispositions(account).len() > n).then_some(())
                    })
                    .await;
                }
                dispositions(&scene, account, &[folder_row, "reply", "duplicate", "duplicate"]).await;
                let key: String = scene.value(
                    "SELECT message_key FROM messages m JOIN accounts a ON a.id = m.account_id
                     WHERE a.name = ?1 AND disposition = 'reply'",
                    [account],
                );
                assert!(key.starts_with("digest:"), "{key}");
                answered(&scene, &key).await;
            }
            "same-mail-in-two-folders" => {
                scene.deliver(account, "Archive", &raw);
                scene.deliver(account, "INBOX", &raw);
                scene.expect(account, &id);
                dispositions(&scene, account, &[folder_row, "reply", "duplicate"]).await;
                answered(&scene, &id).await;
            }
            _ => {
                scene.deliver(account, "INBOX", &raw);
                scene.captured(account, &id).await;
                answered(&scene, &id).await;
                // Another lead's mail under the same name.
                let (other, raw) = scene.next_reply(account, &wish());
                scene.deliver(account, "INBOX", raw.replace(&other, &id));
                dispositions(&scene, account, &[folder_row, "reply", "reply"]).await;
                let flagged: i64 = scene.value(
                    "SELECT count(*) FROM messages WHERE message_key = ?1 AND duplicate_id = 1",
                    [&id],
                );
                assert_eq!(flagged, 1);
                scene.until("both to be decided", |s| {
                    let open = "SELECT count(*) FROM reply_jobs j JOIN messages m ON m.id = j.message_id
                                WHERE m.message_key = ?1 AND j.state = 'done'";
                    (s.value::<i64>(open, [&id]) == 2).then_some(())
                })
                .await;
                assert_eq!(answers(&scene, &id), 1, "the second was answered automatically");
            }
        }
        scene.hears(account).await;
        scene.assert_always_live(account);
    })
    .await;
    scene.finish().await;
}

/// Announcements, polls, large mails, a check behind the cursor: the owner sees no change.
#[tokio::test(flavor = "multi_thread")]
async fn the_owners_flags_never_change() {
    let scene = Scene::up(Setup::new(POLL), &["flags"]).await;
    for _ in 0..3 {
        scene.hears("flags").await;
    }
    let (id, raw) = scene.next_reply("flags", &"a long line of a long letter\r\n".repeat(20_000));
    scene.deliver("flags", "INBOX", raw);
    scene.expect("flags", &id);
    scene.captured("flags", &id).await;
    let polls = scene.sandbox.stats().imap(Verb::Examine);
    scene
        .sandbox
        .wait_until(crate::scene::PATIENCE, |s| {
            s.imap(Verb::Examine) >= polls + 4
        })
        .await
        .unwrap();
    scene.finish().await;
    for account in ["flags", HEALTHY] {
        for message in scene.sandbox.messages(&address(account), "INBOX") {
            assert!(message.flags.is_empty(), "{account}: {message:?}");
        }
    }
    let stats = scene.sandbox.stats();
    for verb in [
        Verb::Select,
        Verb::Store,
        Verb::Expunge,
        Verb::Close,
        Verb::Append,
        Verb::Fetch,
    ] {
        assert_eq!(stats.imap(verb), 0, "{verb:?}");
    }
}
