//! What goes wrong with token servers: only their own word ends a sign-in.

use std::time::Instant;

use replyd::time::now;

use crate::common::bin::Running;
use crate::common::scenario::WISH;
use crate::common::token_server::{Fault, TokenServer};
use crate::common::wait_for;
use crate::scene::{Scene, Share, Wish};

fn short_life(tokens: &TokenServer) {
    tokens.desk().life_s = 8;
}

#[track_caller]
fn wait_for_state(running: &mut Running, state: &str) -> String {
    let event = running.wait_for_event(state, |event| {
        event["message"] == "account state" && event["state"] == state
    });
    event["reason"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_token_server_in_trouble_is_not_a_refusal_and_the_good_token_is_used() {
    let scene = Scene::ready(&Wish::default(), |_| {});
    let faults = [
        Fault::Status(500),
        Fault::Status(503),
        Fault::Status(429),
        Fault::Garbage,
        Fault::Close,
        Fault::Error("temporarily_unavailable", "later"),
    ];
    for (n, fault) in faults.into_iter().enumerate() {
        scene.age(Share::Due);
        // Aged by another three quarters each time, the JWT itself is good for an hour.
        scene.sql("UPDATE oauth_tokens SET expires_at = ?1", now().0 + 600_000);
        scene.pauses_pass();
        scene.tokens.fault(fault.clone());
        scene.replyd().ok(&["run", "--once"]);
        let standing = scene.standing();
        assert_eq!(standing["state"], "good", "{fault:?}: {standing}");
        assert!(
            standing["error"].is_string() && standing["retry_at"].is_string(),
            "{standing}"
        );
        assert_eq!(scene.tokens.desk().refreshes, n + 1, "{fault:?}");
        // The pause holds for every process.
        scene.replyd().run(&["run", "--once"]);
        assert_eq!(scene.tokens.desk().refreshes, n + 1, "{fault:?}");
    }
    scene.tokens.fault(Fault::None);
    scene.pauses_pass();
    scene.replyd().ok(&["run", "--once"]);
    assert_eq!(scene.standing()["state"], "good");
    assert_eq!(scene.tokens.desk().reuses, 0);
}

#[test]
fn without_a_good_token_the_account_is_down_and_comes_back_by_itself() {
    let scene = Scene::ready(&Wish::default(), |_| {});
    scene.age(Share::Over);
    scene.tokens.fault(Fault::Status(503));
    let down = scene.replyd().run(&["run", "--once"]);
    down.assert_code(75);
    assert_eq!(scene.imap_logins(), (1, 0), "no sign-in without a token");
    let (state, reason) = scene.state();
    assert_eq!(state, "down");
    assert!(reason.contains("HTTP status 503"), "{reason}");
    println!("{reason}");

    let mut running = scene.replyd().start(&["run"]);
    scene
        .tokens
        .wait_until("another try", |desk| desk.refreshes >= 2);
    scene.tokens.fault(Fault::None);
    wait_for_state(&mut running, "live");
    let lead = scene.desk.lead();
    scene.desk.arrived(lead, WISH, now());
    scene.desk.assert_acknowledged(lead);
    running.terminate().assert_code(0);
    assert_eq!(scene.tokens.desk().reuses, 0);
}

#[test]
fn a_revoked_sign_in_is_told_at_once_asked_for_once_and_mended_by_a_login() {
    let scene = Scene::ready(&Wish::default(), short_life);
    let mut running = scene.replyd().start(&["run"]);
    wait_for_state(&mut running, "live");
    scene.tokens.revoke();
    let revoked = Instant::now();
    let before = scene.tokens.desk().refreshes;
    let reason = wait_for_state(&mut running, "needs_sign_in");
    println!(
        "told {:?} after the revocation: {reason}",
        revoked.elapsed()
    );
    for part in ["invalid_grant", "password was changed", "replyd auth login"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    // At most one more could have been good between the revocation and the refresh.
    let asked = scene.tokens.desk().refreshes;
    assert!(asked <= before + 2, "{before} {asked}");
    assert_eq!(scene.standing()["state"], "needs_sign_in");
    scene.replyd().run(&["auth", "status"]).assert_code(2);
    scene.replyd().run(&["status"]).assert_code(2);

    // Nothing is asked again: neither by the service nor by others.
    for _ in 0..3 {
        scene.replyd().run(&["run", "--once"]);
    }
    assert_eq!(scene.tokens.desk().refreshes, asked);

    // A login of another process: the service goes on by itself.
    scene.tokens.desk().life_s = 3600;
    scene.login().assert_code(0);
    let since = Instant::now();
    wait_for_state(&mut running, "live");
    println!("live {:?} after the login", since.elapsed());
    let lead = scene.desk.lead();
    scene.desk.arrived(lead, WISH, now());
    scene.desk.assert_acknowledged(lead);
    running.terminate().assert_code(0);
    assert_eq!(scene.standing()["state"], "good");
}

#[test]
fn the_first_login_starts_an_account_of_a_running_service_and_its_waiting_mail() {
    let scene = Scene::new();
    scene.desk.import(std::time::Duration::from_secs(86_400));
    let mut running = scene.replyd().start(&["run"]);
    let reason = wait_for_state(&mut running, "needs_sign_in");
    assert!(reason.contains("replyd auth login"), "{reason}");
    assert_eq!(scene.imap_logins(), (0, 0));
    scene.login().assert_code(0);
    let since = Instant::now();
    wait_for_state(&mut running, "live");
    println!("live {:?} after the login", since.elapsed());
    running.terminate().assert_code(0);
}

#[test]
fn a_mail_that_waits_for_the_sign_in_leaves_after_the_login() {
    let scene = Scene::ready(&Wish::default(), |_| {});
    // Heard and decided while the token was good; it cannot be sent any more.
    let lead = scene.desk.lead();
    scene.replyd().ok(&["run", "--once"]);
    scene.desk.arrived(lead, WISH, now());
    scene.pauses_pass();
    scene.age(Share::Due);
    scene.sql("UPDATE oauth_tokens SET expires_at = ?1", now().0 + 600_000);
    scene.tokens.revoke();
    let mut running = scene.replyd().start(&["run"]);
    // The reply is captured with what is left of the token; then that ends.
    running.wait_for_rows("the reply", |rows| {
        (rows.count("messages WHERE disposition = 'reply'") == 1).then_some(())
    });
    wait_for_state(&mut running, "needs_sign_in");
    running.terminate().assert_code(0);
    if scene.desk.host.dovecot.mailbox(&lead.address).is_empty() {
        scene.sql("UPDATE oauth_tokens SET expires_at = ?1", 0);
        scene.replyd().run(&["process"]).assert_code(2);
    }
    scene.login().assert_code(0);
    scene.replyd().ok(&["process"]);
    scene.desk.assert_acknowledged(lead);
}

#[test]
fn a_client_that_is_refused_is_told_as_such_and_a_mended_one_is_tried_at_once() {
    let scene = Scene::ready(&Wish::default(), |_| {});
    let path = scene.replyd().dir().join("replyd.toml");
    let good = std::fs::read_to_string(&path).expect("Settings");
    let bad = good.replace("client-s3cret-value", "expired-value");
    std::fs::write(&path, bad).expect("Write");
    scene.age(Share::Over);
    let refused = scene.replyd().run(&["run", "--once"]);
    refused.assert_code(2);
    assert!(
        refused.output().contains("client id or secret"),
        "{}",
        refused.output()
    );
    assert!(!refused.output().contains("expired-value"));
    assert_eq!(scene.standing()["state"], "client_refused");
    assert_eq!(scene.tokens.desk().refreshes, 1);
    scene.replyd().run(&["run", "--once"]).assert_code(2);
    assert_eq!(
        scene.tokens.desk().refreshes,
        1,
        "the same client is not tried again"
    );
    // The secret is mended: no pause holds it back, and no login is needed.
    std::fs::write(&path, good).expect("Write");
    scene.sql(
        "UPDATE accounts SET next_attempt_at = ?1, auth_refusals = 0",
        0,
    );
    scene.replyd().ok(&["run", "--once"]);
    assert_eq!(scene.standing()["state"], "good");
    assert_eq!(scene.tokens.desk().reuses, 0);
}

#[test]
fn other_keys_or_another_client_need_a_sign_in_and_nothing_is_asked() {
    let scene = Scene::ready(&Wish::default(), |_| {});
    let path = scene.replyd().dir().join("replyd.toml");
    let settings = std::fs::read_to_string(&path).expect("Settings");
    let other = settings.replace("replyd-test-client", "another-client");
    std::fs::write(&path, other).expect("Write");
    let refused = scene.replyd().run(&["run", "--once"]);
    refused.assert_code(2);
    assert!(
        refused.output().contains("another client id"),
        "{}",
        refused.output()
    );

    std::fs::write(&path, settings).expect("Write");
    let state = scene.replyd().dir().join("state");
    std::fs::remove_file(state.join("keys.json")).expect("Keys in the state folder");
    scene.pauses_pass();
    let refused = scene.replyd().run(&["run", "--once"]);
    refused.assert_code(2);
    assert!(
        refused.output().contains("cannot be decrypted"),
        "{}",
        refused.output()
    );
    assert_eq!(scene.tokens.desk().refreshes, 0);
    scene.login().assert_code(0);
    scene.pauses_pass();
    scene.replyd().ok(&["run", "--once"]);
}

#[test]
fn a_store_that_takes_nothing_for_a_while_does_not_lose_a_rotated_refresh_token() {
    let scene = Scene::ready(&Wish::default(), |_| {});
    scene.age(Share::Due);
    scene.tokens.fault(Fault::Hold);
    let mut looking = scene.replyd().start(&["run", "--once"]);
    scene
        .tokens
        .wait_until("the refresh", |desk| desk.refreshes == 1);
    // Another process holds the database for longer than replyd waits for it: 10 s.
    let held = rusqlite::Connection::open(scene.replyd().database()).expect("Open the database");
    wait_for("the database", || {
        held.execute_batch("BEGIN IMMEDIATE").ok()
    });
    scene.tokens.fault(Fault::None);
    looking.wait_for_event("the failure to store", |event| {
        let text = event["message"].as_str().unwrap_or_default();
        text.contains("the renewed tokens cannot be stored yet")
    });
    held.execute_batch("ROLLBACK").expect("Let go");
    looking.finish();
    assert_eq!(scene.standing()["state"], "good");
    scene.age(Share::Over);
    scene.pauses_pass();
    scene.replyd().ok(&["run", "--once"]);
    let desk = scene.tokens.desk();
    assert_eq!((desk.refreshes, desk.reuses), (2, 0));
}
