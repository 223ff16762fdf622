//! Connections that are dead but look alive, and answers that never come.

use std::time::Duration;

use replyd_sandbox::faults::{Action, AfterDone, IdleEvent, ImapFault, Times};
use replyd_sandbox::{DelayProxy, Sandbox, Verb};
use tokio::time::Instant;

use crate::idle::pipelining_is_learned;
use crate::scene::{PASSWORD, PATIENCE, POLL, Scene, Setup, address, each, who};

/// The poll breaks IDLE every second; DONE has 15 s; the look after it is a matter of moments.
const NOTICED: Duration = Duration::from_secs(1 + 15 + 5);

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_connection_is_noticed_within_interval_and_15_seconds_and_caught_up() {
    let setup = Setup::new(POLL);
    let sandbox = Sandbox::start(setup.options.clone()).await.unwrap();
    let proxy = DelayProxy::start(sandbox.imap_addr(), Duration::ZERO)
        .await
        .unwrap();
    let strange = Sandbox::start(setup.options.clone()).await.unwrap();
    for account in ["silent-greeting", "black-hole-in-idle"] {
        strange.add_user(&address(account), PASSWORD);
    }
    let setup = Setup {
        servers: [
            ("packets-dropped-after-plus", (proxy.addr().port(), "tls")),
            ("silent-greeting", (strange.imap_addr().port(), "tls")),
        ]
        .into(),
        more_ca: strange.ca_pem().to_owned(),
        ..setup
    };
    strange.faults().add(
        replyd_sandbox::faults::Who::All,
        Times::Once,
        ImapFault::SilentGreeting,
    );
    // In DONE, or in the command that was under way when the packets began to be dropped.
    let rows = [
        ("packets-dropped-after-plus", "No answer in time during"),
        ("black-hole-in-idle", "No answer in time during"),
        ("silent-greeting", "No answer in time during greeting"),
        ("after-done-dropped", ""),
    ];
    let scene = Scene::with(sandbox, setup, &rows.map(|(name, _)| name)).await;
    scene.run().await;
    for account in [
        "packets-dropped-after-plus",
        "black-hole-in-idle",
        "after-done-dropped",
    ] {
        scene.idling(account).await;
    }
    proxy.set_black_hole(true);
    scene
        .sandbox
        .in_idle(&address("black-hole-in-idle"), IdleEvent::BlackHole)
        .unwrap();
    let began = Instant::now();
    let proxy = std::sync::Arc::new(proxy);
    each(&scene, rows, |scene, account, reason| {
        let proxy = std::sync::Arc::clone(&proxy);
        async move {
            if account == "after-done-dropped" {
                // The third kind of silence that takes 15 s to tell.
                pipelining_is_learned(&scene, account, AfterDone::Drop).await;
                return;
            }
            if account == "silent-greeting" {
                scene.was(account, "down", reason).await;
                scene.was(account, "live", "").await;
                return;
            }
            let missed = scene.reply(account);
            scene.was(account, "down", reason).await;
            assert!(
                began.elapsed() < NOTICED,
                "{account} after {:?}",
                began.elapsed()
            );
            if account == "packets-dropped-after-plus" {
                proxy.set_black_hole(false);
            }
            scene.captured(account, &missed).await;
            scene.hears(account).await;
        }
    })
    .await;
    scene.finish().await;
}

/// Each has the minute that a command may take, in real time.
#[tokio::test(flavor = "multi_thread")]
async fn long_answers_that_never_come_end_the_command_at_its_deadline() {
    let at = |verb, action| ImapFault::Command { verb, action };
    let rows = vec![
        (
            "examine-unanswered",
            (
                at(Verb::Examine, Action::BlackHole),
                "No answer in time during EXAMINE",
            ),
        ),
        (
            "examine-without-its-tag",
            (
                at(Verb::Examine, Action::NoTag),
                "No answer in time during EXAMINE",
            ),
        ),
        (
            "examine-with-a-wrong-tag",
            (
                at(Verb::Examine, Action::WrongTag),
                "No answer in time during EXAMINE",
            ),
        ),
        (
            "search-without-its-tag",
            (
                at(Verb::UidSearch, Action::NoTag),
                "No answer in time during SEARCH",
            ),
        ),
        (
            "sign-in-unanswered",
            (
                at(Verb::Authenticate, Action::BlackHole),
                "No answer in time during sign-in",
            ),
        ),
    ];
    let accounts: Vec<_> = rows.iter().map(|(name, _)| *name).collect();
    let scene = Scene::new(Setup::new(crate::scene::PUSH), &accounts).await;
    let mut early = Vec::new();
    for (account, (fault, _)) in &rows {
        early.push((*account, scene.reply(account)));
        scene.fault(account, Times::Once, fault.clone());
    }
    scene.run().await;
    // The deadline is a minute; PATIENCE counts from there.
    let authenticated = scene.sandbox.faults().at(
        who(accounts[0]),
        Times::Always,
        Verb::Examine,
        Action::Inject(Vec::new()),
    );
    scene
        .sandbox
        .faults()
        .wait_fired(authenticated, 1, Duration::from_secs(60) + PATIENCE)
        .await
        .unwrap();
    each(&scene, rows, |scene, account, (_, reason)| async move {
        scene.was(account, "down", reason).await;
        scene.idling(account).await;
        scene.hears(account).await;
    })
    .await;
    for (account, id) in early {
        scene.captured(account, &id).await;
    }
    scene.finish().await;
}
