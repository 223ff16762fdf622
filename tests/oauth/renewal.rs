//! Tokens are renewed in time, once, and mail goes both ways with them.

use std::time::Duration;

use replyd::time::now;

use crate::common::scenario::{DESK, WISH};
use crate::common::token_server::Fault;
use crate::scene::{Scene, Share, Wish};

/// Waits until the account is heard by push.
#[track_caller]
fn live(running: &mut crate::common::bin::Running) {
    running.wait_for_event("the account to be live", |event| {
        event["message"] == "account state" && event["state"] == "live"
    });
}

/// Both servers take the token, in either mechanism, and the lead is answered.
#[track_caller]
fn answered_by(auth: &'static str, name: &str) {
    let wish = Wish {
        auth,
        ..Wish::default()
    };
    let scene = Scene::ready(&wish, |_| {});
    let mut running = scene.replyd().start(&["run"]);
    live(&mut running);
    let lead = scene.desk.lead();
    scene.desk.arrived(lead, WISH, now());
    scene.desk.assert_acknowledged(lead);
    running.terminate().assert_code(0);
    let (imap, smtp) = (scene.desk.host.dovecot.log(), scene.desk.host.postfix.log());
    assert!(imap.contains(&format!("method={name}")), "{imap}");
    assert!(
        smtp.contains(&format!("sasl_method={name}, sasl_username={DESK}")),
        "{smtp}"
    );
    assert_eq!(
        scene.tokens.desk().refreshes,
        0,
        "the token of the login is still young"
    );
}

#[test]
fn a_reply_is_heard_and_answered_with_xoauth2_on_both_servers() {
    answered_by("auto", "XOAUTH2");
}

#[test]
fn a_reply_is_heard_and_answered_with_oauthbearer_on_both_servers() {
    answered_by("oauthbearer", "OAUTHBEARER");
}

#[test]
fn the_service_renews_in_the_background_again_and_again_without_a_word_to_the_account() {
    let scene = Scene::ready(&Wish::default(), |tokens| tokens.desk().life_s = 8);
    let mut running = scene.replyd().start(&["run"]);
    live(&mut running);
    scene
        .tokens
        .wait_until("four refreshes", |desk| desk.refreshes >= 4);
    let lead = scene.desk.lead();
    scene.desk.arrived(lead, WISH, now());
    scene.desk.assert_acknowledged(lead);
    let ended = running.terminate();
    ended.assert_code(0);
    let desk = scene.tokens.desk();
    println!("{} refreshes, {} reuses", desk.refreshes, desk.reuses);
    assert_eq!((desk.reuses, desk.at_once), (0, 1));
    drop(desk);
    let (logins, refused) = scene.imap_logins();
    // One at `auth login`, one of the service, one of the harness that looks into the mailbox
    // goes by file: the session outlives its tokens here, as Dovecot does not end it.
    assert_eq!((logins, refused), (2, 0));
    let states = ended
        .events()
        .into_iter()
        .filter(|e| e["message"] == "account state")
        .count();
    assert_eq!(states, 1, "live, and nothing else");
}

#[test]
fn a_token_is_renewed_after_three_quarters_of_its_life_and_not_before() {
    let scene = Scene::ready(&Wish::default(), |_| {});
    scene.replyd().ok(&["run", "--once"]);
    assert_eq!(scene.tokens.desk().refreshes, 0);
    scene.age(Share::Due);
    scene.pauses_pass();
    scene.replyd().ok(&["run", "--once"]);
    assert_eq!(scene.tokens.desk().refreshes, 1);
    scene.pauses_pass();
    scene.replyd().ok(&["run", "--once"]);
    assert_eq!(scene.tokens.desk().refreshes, 1);
}

#[test]
fn processes_that_refresh_at_the_same_time_ask_once() {
    const ROUNDS: usize = 5;
    let scene = Scene::ready(&Wish::default(), |_| {});
    for round in 1..=ROUNDS {
        scene.age(Share::Over);
        scene.pauses_pass();
        scene.tokens.fault(Fault::Hold);
        let both: Vec<_> = (0..3)
            .map(|_| scene.replyd().start(&["run", "--once"]))
            .collect();
        scene
            .tokens
            .wait_until("the refresh", |desk| desk.refreshes >= round);
        scene.tokens.fault(Fault::None);
        for process in both {
            let code = process.finish().status.code();
            // Who comes second finds the account held by the first, or the login budget used.
            assert!(matches!(code, Some(0 | 75)), "{code:?}");
        }
        let desk = scene.tokens.desk();
        assert_eq!((desk.refreshes, desk.reuses, desk.at_once), (round, 0, 1));
    }
    println!("{ROUNDS} rounds of three processes: {ROUNDS} refreshes, 0 reuses");
    assert_eq!(scene.standing()["state"], "good");
}

#[test]
fn a_server_that_does_not_rotate_is_served_as_well() {
    let scene = Scene::ready(&Wish::default(), |tokens| tokens.desk().rotate = false);
    for _ in 0..2 {
        scene.age(Share::Over);
        scene.pauses_pass();
        scene.replyd().ok(&["run", "--once"]);
    }
    let desk = scene.tokens.desk();
    assert_eq!((desk.refreshes, desk.reuses), (2, 0));
}

#[test]
fn a_token_that_a_mail_server_refuses_is_replaced_once_and_then_counts_as_refused() {
    let scene = Scene::ready(&Wish::default(), |_| {});
    // The next token is bad: refused, replaced at once, and the second is good.
    scene.age(Share::Over);
    scene.tokens.desk().bad_tokens = 1;
    scene.replyd().ok(&["run", "--once"]);
    assert_eq!(scene.tokens.desk().refreshes, 2);
    assert_eq!(scene.imap_logins().1, 1, "one refused sign-in");

    // From here on all are bad: one forced refresh in 15 minutes, then it is a refusal.
    scene.age(Share::Over);
    scene.pauses_pass();
    scene.sql("UPDATE oauth_tokens SET forced_at = ?1", 0);
    scene.tokens.desk().bad_tokens = usize::MAX;
    let refused = scene.replyd().run(&["run", "--once"]);
    refused.assert_code(2);
    assert_eq!(scene.tokens.desk().refreshes, 4);
    for _ in 0..2 {
        scene.pauses_pass();
        scene.replyd().run(&["run", "--once"]).assert_code(2);
    }
    assert_eq!(
        scene.tokens.desk().refreshes,
        4,
        "no further token is asked for"
    );
    assert_eq!(scene.imap_logins().1, 1 + 2 + 2);
    let (state, reason) = scene.state();
    assert_eq!(state, "needs_sign_in");
    println!("{reason}");
    let refusals: i64 = scene
        .replyd()
        .rows()
        .value("SELECT auth_refusals FROM accounts", []);
    assert_eq!(refusals, 3);
}

#[test]
fn a_sign_in_is_seamless_while_the_token_server_is_slow() {
    let scene = Scene::ready(&Wish::default(), |_| {});
    scene.age(Share::Due);
    scene.tokens.fault(Fault::Hold);
    let looked = scene.replyd().start(&["run", "--once"]);
    scene
        .tokens
        .wait_until("the refresh", |desk| desk.refreshes == 1);
    // It signs in with the old token and looks at the mailbox before the answer comes…
    crate::common::wait_for("the sign-in", || (scene.imap_logins().0 == 2).then_some(()));
    scene.tokens.fault(Fault::None);
    // …and does not end before the answer is stored.
    looked.finish().assert_code(0);
    scene.pauses_pass();
    scene.replyd().ok(&["run", "--once"]);
    let desk = scene.tokens.desk();
    assert_eq!((desk.refreshes, desk.reuses), (1, 0));
}

#[test]
fn a_stop_waits_for_a_refresh_that_is_under_way() {
    let scene = Scene::ready(&Wish::default(), |_| {});
    scene.age(Share::Due);
    scene.tokens.fault(Fault::Hold);
    let mut running = scene.replyd().start(&["run"]);
    scene
        .tokens
        .wait_until("the refresh", |desk| desk.refreshes == 1);
    live(&mut running);
    let stopping = std::thread::scope(|threads| {
        let ended = threads.spawn(|| running.terminate());
        std::thread::park_timeout(Duration::from_millis(500));
        scene.tokens.fault(Fault::None);
        ended.join().expect("It ends")
    });
    stopping.assert_code(0);
    scene.replyd().run(&["run", "--once"]);
    assert_eq!(scene.tokens.desk().reuses, 0);
    assert_eq!(scene.standing()["state"], "good");
}
