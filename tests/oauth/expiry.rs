//! Servers end a session when the access token that opened it ends: no failure, no alarm.

use crate::common::bin::Running;
use crate::common::desk::Desk;
use crate::common::scenario::DESK;
use crate::common::token_server::TokenServer;
use crate::common::wait_for;

/// A desk on the scripted server, signed in with a token that lives so long, listening.
#[track_caller]
fn listening(life_s: i64) -> (Desk, TokenServer, Running) {
    let desk = Desk::new(1);
    let tokens = TokenServer::start(DESK, b"any key");
    tokens.desk().life_s = life_s;
    let path = desk.replyd.dir().join("replyd.toml");
    let settings = std::fs::read_to_string(&path).expect("Settings");
    let settings = settings
        .replace("password = \"sandbox\"\n", &tokens.settings())
        .replace("interval = \"1s\"", "interval = \"9m\"");
    std::fs::write(&path, settings).expect("Write the settings");
    let mut login = desk.replyd.start(&["auth", "login", "desk", "--no-test"]);
    crate::scene::consent(&mut login);
    login.finish().assert_code(0);
    let token = tokens.desk().access_token.clone();
    desk.sandbox
        .set_token(DESK, Some(&token))
        .expect("The desk's user");
    let mut running = desk.replyd.start(&["run"]);
    desk.listen(&mut running);
    (desk, tokens, running)
}

fn sign_ins(desk: &Desk) -> u64 {
    desk.sandbox.stats().logins
}

/// Ends the session, waits for the next one, and gives the words of all states and the failures.
#[track_caller]
fn ended(desk: &Desk, running: Running) -> (Vec<String>, i64, String) {
    let mut running = running;
    desk.sandbox.disconnect(DESK).expect("A session");
    wait_for("the next sign-in", || (sign_ins(desk) >= 2).then_some(()));
    desk.listen(&mut running);
    let failures = desk
        .replyd
        .rows()
        .value("SELECT failures FROM accounts", []);
    let ended = running.terminate();
    ended.assert_code(0);
    let states = ended
        .events()
        .iter()
        .filter(|event| event["message"] == "account state")
        .map(|event| event["state"].as_str().unwrap_or_default().to_owned())
        .collect();
    (states, failures, ended.output())
}

#[test]
fn a_session_that_ends_with_its_token_is_no_failure_and_the_next_one_begins_at_once() {
    let (desk, _tokens, running) = listening(100);
    let (states, failures, output) = ended(&desk, running);
    assert_eq!((states, failures), (vec!["live".to_owned()], 0));
    assert!(output.contains("the access token has ended"), "{output}");
}

#[test]
fn a_session_that_ends_long_before_its_token_is_a_failure() {
    let (desk, _tokens, running) = listening(3600);
    let (states, failures, output) = ended(&desk, running);
    assert_eq!(
        (states[1..].to_vec(), failures),
        (vec!["down".to_owned(), "live".to_owned()], 1)
    );
    assert!(!output.contains("the access token has ended"), "{output}");
}
