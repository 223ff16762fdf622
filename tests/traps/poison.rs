//! One message that cannot be fetched: the others come in, it is set aside and shown.

use replyd_sandbox::faults::{ImapFault, Times};

use crate::scene::{PUSH, Scene, Setup, each, wish};

#[tokio::test(flavor = "multi_thread")]
async fn one_message_that_breaks_every_session_is_set_aside_and_the_rest_comes_in() {
    let rows: [(&str, &[u8]); 2] = [
        ("spoiled-by-a-huge-literal", b"BODY[] {500000000}\r\n"),
        ("spoiled-beyond-parsing", b"BODY[] nonsense"),
    ];
    let scene = Scene::up(Setup::new(PUSH), &rows.map(|(name, _)| name)).await;
    scene.keep_backoff_short();
    each(&scene, rows, |scene, account, bytes| async move {
        scene.hears(account).await;
        let spoiled = ImapFault::SpoilMessage {
            uid: 2,
            bytes: bytes.to_vec(),
        };
        scene.fault(account, Times::Always, spoiled);
        // Not `reply`: no row of a reply is expected of it.
        let (_, raw) = scene.next_reply(account, &wish());
        scene.deliver(account, "INBOX", raw);
        let behind = scene.reply(account);
        scene.captured(account, &behind).await;
        scene
            .until("the spoiled message to be set aside", |scene| {
                let found = scene.dispositions(account);
                (found == ["reply", "quarantined", "reply"]).then_some(())
            })
            .await;
        scene.hears(account).await;
    })
    .await;
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_breaks_the_first_look_is_set_aside_and_the_rest_of_the_window_comes_in() {
    let account = "spoiled-in-the-first-look";
    let scene = Scene::new(Setup::new(PUSH), &[account]).await;
    scene.keep_backoff_short();
    let first = scene.reply(account);
    let spoiled = ImapFault::SpoilMessage {
        uid: 2,
        bytes: b"BODY[] {500000000}\r\n".to_vec(),
    };
    scene.fault(account, Times::Always, spoiled);
    let (_, raw) = scene.next_reply(account, &wish());
    scene.deliver(account, "INBOX", raw);
    let last = scene.reply(account);
    scene.run().await;
    scene.captured(account, &first).await;
    scene.captured(account, &last).await;
    scene
        .until("the spoiled message to be set aside", |scene| {
            let found = scene.dispositions(account);
            (found == ["reply", "quarantined", "reply"]).then_some(())
        })
        .await;
    scene.hears(account).await;
    scene.finish().await;
}
