//! Signing in, and what the mailbox gives.

use crate::common::dovecot::{Dovecot, Options};
use crate::place::{ACCOUNT, Place, Told, USERS, assert_named_everywhere, dovecot};

#[test]
fn a_wrong_password_is_named_and_is_not_tried_again_and_again() {
    let dovecot = dovecot();
    let mut place = Place::reading(&dovecot);
    place.imap.password = "not the password".into();
    let replyd = place.install();
    // Before the first start nothing can be booked: it is tried.
    let told = Told::by(&replyd, &[], 2);
    told.assert_fault("imap.sign_in", "wrong-password", "AUTHENTICATIONFAILED");
    assert_eq!(told.installation("state.database")["verdict"], "skipped");

    assert_named_everywhere(&replyd, 2, "wrong-password");
    // Now there is a database with a pause in it.
    let before = refusals(&dovecot);
    let told = Told::by(&replyd, &[], 2);
    let check = told.check("imap.sign_in");
    assert_eq!(check["verdict"], "failed", "{check}");
    let text = check["text"].as_str().unwrap();
    assert!(text.contains("not tried again before"), "{text}");
    assert_eq!(refusals(&dovecot), before, "doctor tried all the same");
}

/// How many sign-ins Dovecot refused.
fn refusals(dovecot: &Dovecot) -> usize {
    let log = dovecot.log();
    log.lines().filter(|l| l.contains("auth failed")).count()
}

#[test]
fn doctor_books_its_sign_ins_and_mended_credentials_are_tried_at_once() {
    let dovecot = dovecot();
    let mut place = Place::reading(&dovecot);
    place.imap.password = "not the password".into();
    let replyd = place.install();
    replyd.run(&["run", "--once"]).assert_code(2);
    place.imap.password = crate::common::dovecot::PASSWORD.into();
    replyd.file("replyd.toml", &place.toml());
    let told = Told::by(&replyd, &[], 0);
    assert_eq!(
        told.check("imap.sign_in")["verdict"],
        "ok",
        "{:#}",
        told.json
    );
    // The pass and doctor have used the two sign-ins that are allowed in a row.
    let told = Told::by(&replyd, &[], 2);
    let text = told.check("imap.sign_in")["text"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(text.contains("so that the account is not locked"), "{text}");
}

#[test]
fn a_missing_idle_is_a_warning_and_replyd_polls() {
    let dovecot = Dovecot::start(&Options {
        users: USERS,
        idle: false,
        plain_port: false,
    });
    let replyd = Place::reading(&dovecot).install();
    let told = Told::by(&replyd, &[], 0);
    told.assert_fault("imap.capabilities", "idle-missing", "no IDLE");
    assert_eq!(told.check("imap.capabilities")["verdict"], "warning");
    assert_eq!(told.check("imap.idle")["verdict"], "skipped");
    // A listener lives with it, and says so in the log and in `status`.
    let mut running = replyd.start(&["run"]);
    let event = running.wait_for_event("idle-missing", |e| e["fault"] == "idle-missing");
    assert_eq!(
        (event["account"].as_str(), event["state"].as_str()),
        (Some(ACCOUNT), Some("live"))
    );
    let status = replyd.ok(&["status"]).stdout();
    let fault = replyd::fault::Fault::IdleMissing;
    for part in [
        ACCOUNT,
        "live",
        "idle-missing",
        fault.title(),
        fault.remedy(),
    ] {
        assert!(status.contains(part), "{part:?} is not in\n{status}");
    }
    running.terminate().assert_code(0);
}

#[test]
fn a_running_replyd_says_the_same_as_a_single_pass() {
    let dovecot = dovecot();
    let mut place = Place::reading(&dovecot);
    place.imap.ca_file = None;
    let replyd = place.install();
    let mut running = replyd.start(&["run"]);
    let event = running.wait_for_event("the fault", |e| e["fault"] == "certificate-untrusted");
    assert_eq!(event["account"], ACCOUNT);
    let fault = replyd::fault::Fault::CertificateUntrusted;
    assert!(
        event.to_string().contains("set `ca_file` of this server"),
        "{event}"
    );
    let status = replyd.run(&["status"]).stdout();
    for part in [
        ACCOUNT,
        "down",
        "certificate-untrusted",
        fault.title(),
        fault.remedy(),
    ] {
        assert!(status.contains(part), "{part:?} is not in\n{status}");
    }
    running.terminate().assert_code(0);
}

#[test]
fn a_mailbox_that_is_not_there_is_named_with_those_that_are() {
    let dovecot = dovecot();
    let mut place = Place::reading(&dovecot);
    place.mailboxes = "[\"INBOX\", \"Anfragen\"]";
    let told = Told::by(&place.install(), &[], 2);
    told.assert_fault("imap.mailboxes", "mailbox-missing", "Anfragen");
    told.assert_fault("imap.mailboxes", "mailbox-missing", "There are: INBOX");
    // The other one is looked at all the same.
    let boxes = told.checks(Some(crate::place::ACCOUNT));
    let inbox = boxes
        .iter()
        .find(|c| c["details"]["mailbox"] == "INBOX")
        .unwrap();
    assert_eq!(inbox["verdict"], "ok");
}

#[test]
fn a_token_file_that_cannot_be_read_is_named() {
    let dovecot = dovecot();
    let place = Place::reading(&dovecot);
    let toml = place.toml();
    let (account, imap) = toml.split_once("[accounts.imap]").unwrap();
    let imap = imap.replacen("password = ", "# ", 1);
    let toml = format!("{account}[accounts.imap]\ntoken_file = \"token\"\n{imap}");
    let replyd = place.install();
    replyd.file("replyd.toml", &toml);
    replyd.file("token", "two words\n");
    let told = Told::by(&replyd, &[], 2);
    told.assert_fault("imap.sign_in", "credential-unreadable", "token");
}
