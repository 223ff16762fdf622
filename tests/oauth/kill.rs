//! `kill -9` around a refresh. What was asked for and not stored cannot be known: the next process
//! asks again at once, which a server that rotates with a grace takes; a strict one ends the
//! sign-in, and that is said.

use std::os::unix::process::ExitStatusExt;

use crate::common::token_server::Fault;
use crate::scene::{Scene, Share, Wish};

/// Dies at the point, in a refresh that is due; gives the scene after the death.
#[track_caller]
fn dead(point: &str, grace: bool) -> Scene {
    let scene = Scene::ready(&Wish::default(), |tokens| tokens.desk().grace = grace);
    scene.age(Share::Over);
    let crash = [("REPLYD_CRASH_AT", point)];
    let killed = scene
        .replyd()
        .start_with(&["run", "--once"], &crash)
        .finish();
    assert_eq!(killed.status.signal(), Some(9), "{}", killed.output());
    scene.pauses_pass();
    scene
}

/// Goes on by itself: refreshes asked for, and refresh tokens shown twice.
#[track_caller]
fn goes_on(scene: &Scene) -> (usize, usize) {
    scene.replyd().ok(&["run", "--once"]);
    assert_eq!(scene.standing()["state"], "good");
    let desk = scene.tokens.desk();
    println!("{} refreshes, {} reuses", desk.refreshes, desk.reuses);
    (desk.refreshes, desk.reuses)
}

#[test]
fn killed_before_it_asks_nothing_is_lost() {
    assert_eq!(goes_on(&dead("oauth.booked", false)), (1, 0));
}

#[test]
fn killed_after_the_commit_nothing_is_lost() {
    assert_eq!(goes_on(&dead("oauth.committed", false)), (1, 0));
}

#[test]
fn killed_with_the_answer_in_hand_the_next_one_asks_again_at_once() {
    for point in ["oauth.answered", "oauth.before_commit"] {
        assert_eq!(goes_on(&dead(point, true)), (2, 1), "{point}");
    }
}

#[test]
fn killed_with_the_answer_in_hand_a_strict_server_ends_the_sign_in_and_that_is_said() {
    for point in ["oauth.answered", "oauth.before_commit"] {
        let scene = dead(point, false);
        let refused = scene.replyd().run(&["run", "--once"]);
        refused.assert_code(2);
        let text = refused.output();
        assert!(text.contains("never got its answer"), "{text}");
        assert_eq!(scene.standing()["state"], "needs_sign_in");
        assert_eq!(
            scene.tokens.desk().reuses,
            1,
            "shown twice once, and not again"
        );
        scene.login().assert_code(0);
        scene.pauses_pass();
        scene.replyd().ok(&["run", "--once"]);
    }
}

#[test]
fn a_lost_answer_is_asked_for_again_and_remembered_as_in_doubt() {
    let scene = Scene::ready(&Wish::default(), |tokens| tokens.desk().grace = true);
    scene.age(Share::Over);
    scene.tokens.fault(Fault::LoseAnswer);
    scene.replyd().run(&["run", "--once"]).assert_code(75);
    scene.tokens.fault(Fault::None);
    scene.pauses_pass();
    let again = scene.replyd().ok(&["run", "--once"]);
    assert!(
        again.output().contains("never got its answer"),
        "{}",
        again.output()
    );
    assert_eq!(scene.tokens.desk().reuses, 1);
    assert_eq!(scene.standing()["state"], "good");
}
