//! Servers that do not push, that keep ending IDLE, and sessions that end by rule.

use std::time::Duration;

use replyd_sandbox::faults::{IdleEvent, IdleMoment, ImapFault, Times};

use crate::scene::{POLL, PUSH, Scene, Setup, address, each, now};

fn in_idle(moment: IdleMoment, event: IdleEvent) -> ImapFault {
    ImapFault::Idle { moment, event }
}

/// What is kept of an account's pushes, as JSON.
fn push(scene: &Scene, account: &str) -> serde_json::Value {
    let id: i64 = scene.account(account, "id");
    let text: String = scene.value(
        "SELECT coalesce((SELECT value FROM meta WHERE key = 'push:' || ?1), '{}')",
        [id],
    );
    serde_json::from_str(&text).unwrap()
}

fn state(scene: &Scene, account: &str) -> (String, String) {
    (
        scene.account(account, "state"),
        scene.account(account, "state_reason"),
    )
}

/// Whether the server ends the command or the connection: after the third death within a minute
/// the account is polled, over reconnects, and says until when; then IDLE is tried again.
#[tokio::test(flavor = "multi_thread")]
async fn three_idles_that_die_young_are_polled_for_half_an_hour_and_then_tried_again() {
    let rows = [
        ("connection-closed", IdleEvent::Close),
        ("connection-aborted", IdleEvent::Abort),
        ("goodbye", IdleEvent::Bye("Too idle".into())),
    ];
    let scene = Scene::new(Setup::new(POLL), &rows.each_ref().map(|(name, _)| *name)).await;
    scene.keep_backoff_short();
    let mut faults = Vec::new();
    for (account, event) in rows {
        let fault = scene.fault(
            account,
            Times::Always,
            in_idle(IdleMoment::AfterPlus, event),
        );
        faults.push((account, fault));
    }
    scene.run().await;
    each(&scene, faults, |scene, account, fault| async move {
        scene
            .was(account, "degraded", "the server ended IDLE three times")
            .await;
        assert_eq!(scene.sandbox.faults().fired(fault), 3, "{account}");
        let (_, reason) = state(&scene, account);
        assert!(reason.contains("instead of IDLE until 20"), "{reason}");
        // Polled: no further IDLE, and mail is found.
        scene.hears(account).await;
        let until = push(&scene, account)["poll_until"].as_i64().unwrap();
        assert!((until - now()) > 25 * 60_000, "{until}");
        // A reconnect changes nothing.
        let logins = scene.logins(account);
        scene.sandbox.disconnect(&address(account)).unwrap();
        scene
            .until(&format!("{account} to come back"), |s| {
                (s.logins(account) > logins && state(s, account).0 == "degraded").then_some(())
            })
            .await;
        scene.hears(account).await;
        assert_eq!(scene.sandbox.faults().fired(fault), 3, "{account}");
        // Half an hour later, on a server that was mended.
        scene.sandbox.faults().remove(fault);
        scene.change(
            "UPDATE meta SET value = json_set(value, '$.poll_until', ?2)
             WHERE key = 'push:' || (SELECT id FROM accounts WHERE name = ?1)",
            (account, now() - 1),
        );
        scene.sandbox.disconnect(&address(account)).unwrap();
        scene.idling(account).await;
        scene
            .until(&format!("{account} to be live"), |s| {
                (state(s, account).0 == "live").then_some(())
            })
            .await;
    })
    .await;
    scene.finish().await;
}

/// A server that takes IDLE and says nothing: the polls find what it kept to itself, it is shown
/// and counted, and polled more often. A push that comes late in the race is none of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_mute_server_is_found_out_by_what_its_polls_find_and_a_pushing_one_never() {
    let mut setup = Setup::new("4s");
    setup.leads = 400;
    let scene = Scene::new(setup, &["mute", "pushing"]).await;
    scene.fault("mute", Times::Always, ImapFault::MuteIdle);
    scene.run().await;
    scene.idling("pushing").await;
    let told = async {
        // Each lies in the mailbox before the next poll begins, by the server's own clock for
        // long enough.
        scene
            .until("mute to be shown", |s| {
                let (_, raw) = s.next_reply("mute", "Shall we?");
                s.sandbox
                    .deliver(
                        &address("mute"),
                        "INBOX",
                        raw.as_bytes(),
                        Some(now() - 60_000),
                    )
                    .unwrap();
                let (state, reason) = state(s, "mute");
                (state == "degraded" && reason.contains("does not push")).then_some(())
            })
            .await;
    };
    let heard = async {
        for _ in 0..20 {
            scene.hears("pushing").await;
        }
    };
    tokio::join!(told, heard);
    let kept = push(&scene, "mute");
    assert!(kept["push_missed"].as_u64().unwrap() >= 3, "{kept}");
    assert!(kept["mute_since"].as_i64().unwrap() > 0, "{kept}");
    let kept = push(&scene, "pushing");
    assert_eq!(kept["push_missed"].as_u64().unwrap_or(0), 0, "{kept}");
    scene.assert_always_live("pushing");
}

/// "Session expired" after a session that lived: signed in anew at once, and nobody sees a
/// change of the state.
#[tokio::test(flavor = "multi_thread")]
async fn the_expected_end_of_a_session_is_seamless() {
    let scene = Scene::up(Setup::new(POLL), &["day-is-over"]).await;
    let account = "day-is-over";
    let began = now();
    scene
        .until("the session to have lived", |s| {
            let looked: i64 = s.account(account, "looked_at");
            (looked > began + 6000).then_some(())
        })
        .await;
    let bye = IdleEvent::Bye("Session expired, please login again.".into());
    let fault = scene.fault(account, Times::Once, in_idle(IdleMoment::AtNews, bye));
    scene.hears(account).await;
    // The poll may have been first: then the next news meets it.
    while scene.sandbox.faults().fired(fault) == 0 {
        scene.hears(account).await;
    }
    scene
        .until("day-is-over to sign in anew", |s| {
            (s.logins(account) == 2).then_some(())
        })
        .await;
    scene.hears(account).await;
    assert_eq!(scene.account::<i64>(account, "failures"), 0);
    scene.assert_always_live(account);
    scene.finish().await;
}

/// The same end without the "expected": a session that had just begun is a loss like any other.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_expires_at_its_beginning_is_no_expected_end() {
    let scene = Scene::new(Setup::new(PUSH), &["expires-at-once"]).await;
    let account = "expires-at-once";
    scene.keep_backoff_short();
    let bye = IdleEvent::Bye("Session expired".into());
    let fault = scene.fault(account, Times::N(2), in_idle(IdleMoment::AfterPlus, bye));
    scene.run().await;
    scene.was(account, "down", "Session expired").await;
    scene.acted(account, fault, 2).await;
    scene.hears(account).await;
    scene.finish().await;
}

/// A session is replaced before the server ends it: a new one first, then the old one goes.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_replaced_before_its_time_is_over_and_nothing_is_missed() {
    let mut setup = Setup::new(POLL);
    setup.listen = "login_every = \"0s\"\nsession_max = \"2s\"\n";
    let scene = Scene::up(setup, &["renewed"]).await;
    let account = "renewed";
    for logins in 2..5 {
        scene.hears(account).await;
        scene
            .until("renewed to have a new session", |s| {
                (s.logins(account) >= logins).then_some(())
            })
            .await;
        scene.hears(account).await;
    }
    scene.assert_always_live(account);
    assert_eq!(scene.account::<i64>(account, "failures"), 0);
    let open = scene.sandbox.stats();
    assert!(open.logins >= 4, "{open:?}");
    tokio::time::timeout(Duration::from_secs(30), scene.idling(account))
        .await
        .unwrap();
}
