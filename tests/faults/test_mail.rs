//! `doctor --send-test` on real servers.

use crate::common::dovecot::{Dovecot, Options};
use crate::common::host::MailHost;
use crate::common::postfix::Postfix;
use crate::place::{DESK, Place, Told, USERS, host};

#[test]
fn a_mail_to_itself_is_timed_and_taken_for_our_own() {
    let host = host();
    let replyd = Place::on(&host).install();
    let mut running = replyd.start(&["run"]);
    running.wait_for_event("the account is live", |e| e["state"] == "live");

    let told = Told::by(&replyd, &["--send-test", "--wait", "60"], 0);
    let delivery = told.check("test.delivery");
    assert_eq!(delivery["verdict"], "ok", "{:#}", told.json);
    assert!(delivery["details"]["announced_ms"].is_u64(), "{delivery}");
    let text = delivery["text"].as_str().unwrap();
    assert!(text.contains("announced"), "{text}");
    assert_eq!(told.check("test.message_id")["details"]["kept"], true);
    let plus = told.check("test.plus_address");
    // Postfix of the tests knows no recipient delimiter: it came back.
    assert_eq!(plus["details"]["arrives"], false, "{plus}");
    assert!(
        plus["text"].as_str().unwrap().contains("came back"),
        "{plus}"
    );
    assert_eq!(told.check("clock")["verdict"], "ok", "{:#}", told.json);

    // The running replyd saw it, and took it for its own.
    running.wait_for_rows("the test mail is known", |rows| {
        (rows.count("messages WHERE disposition = 'own_mail'") == 1).then_some(())
    });
    assert_eq!(replyd.rows().count("outbox"), 0);
    let proven: String = replyd.rows().value(
        "SELECT value FROM meta WHERE key LIKE 'reply_address_proven:%'",
        [],
    );
    assert!(proven.starts_with("no "), "{proven}");
    running.terminate().assert_code(0);
    // The test mail, and the one that came back.
    assert_eq!(host.dovecot.mailbox(DESK).len(), 2);
}

#[test]
fn a_plus_address_that_comes_in_is_proven_and_kept() {
    let host = host();
    host.postfix.set("recipient_delimiter", "+");
    let replyd = Place::on(&host).install();
    replyd.ok(&["run", "--once"]);
    let told = Told::by(&replyd, &["--send-test", "--wait", "60"], 0);
    let plus = told.check("test.plus_address");
    assert_eq!(plus["details"]["arrives"], true, "{:#}", told.json);
    let proven: String = replyd.rows().value(
        "SELECT value FROM meta WHERE key LIKE 'reply_address_proven:%'",
        [],
    );
    assert!(proven.starts_with("yes "), "{proven}");
}

#[test]
fn without_idle_the_poll_finds_it_before_there_is_a_database() {
    let dovecot = Dovecot::start(&Options {
        users: USERS,
        idle: false,
        plain_port: false,
    });
    let postfix = Postfix::start(&dovecot);
    let host = MailHost { postfix, dovecot };
    let replyd = Place::on(&host).install();
    std::fs::remove_dir(replyd.dir().join("state")).unwrap();
    let told = Told::by(&replyd, &["--send-test", "--wait", "60"], 0);
    let delivery = told.check("test.delivery");
    assert!(
        delivery["text"]
            .as_str()
            .unwrap()
            .contains("found by the poll"),
        "{delivery}"
    );
    assert!(
        !replyd.dir().join("state").exists(),
        "doctor made the state folder"
    );
}

#[test]
fn a_mail_that_never_comes_in_is_said_to_be_lost_after_the_deadline() {
    let host = host();
    // Accepted, and put aside.
    host.postfix
        .set("smtpd_recipient_restrictions", "static:hold");
    let replyd = Place::on(&host).install();
    let told = Told::by(&replyd, &["--send-test", "--wait", "5"], 2);
    told.assert_fault("test.delivery", "test-mail-lost", "not in INBOX after 5 s");
}

#[test]
fn the_name_that_the_server_signs_with_is_told_as_a_setting() {
    let host = host();
    host.postfix
        .prepend_header("Authentication-Results: mx.homes.example; spf=pass");
    let replyd = Place::on(&host).install();
    let told = Told::by(&replyd, &["--send-test", "--wait", "60"], 0);
    let check = told.check("test.authserv_id");
    let text = check["text"].as_str().unwrap();
    assert!(
        text.contains("authserv_id = \"mx.homes.example\""),
        "{text}"
    );
}
