//! `replyd reconcile`, and the daily one.

use replyd::time::now;

use crate::common::scenario::{DESK, WISH};
use crate::{change, desk, proof, wait_for_messages};

#[test]
fn rows_that_are_gone_and_mail_that_was_skipped_are_found_and_taken_in_once() {
    let scenario = desk("");
    for n in 0..4 {
        scenario.stranger_wrote(n, now());
    }
    let mut running = scenario.replyd.start(&["run"]);
    wait_for_messages(&mut running, 4);
    running.terminate().assert_code(0);
    let found = proof(&scenario, "INBOX", 0);
    assert_eq!(
        (&found["on_server"], &found["accounted"]),
        (&4.into(), &4.into())
    );
    assert_eq!(found["taken_in"], 0);

    // Two rows are lost, and the cursor has passed an answer that was never read.
    scenario.arrived(scenario.lead(), WISH, now());
    change(
        &scenario,
        "DELETE FROM messages WHERE uid IN (2, 3); UPDATE mailbox_epochs SET cursor_uid = cursor_uid + 1;",
    );
    let found = proof(&scenario, "INBOX", 0);
    assert_eq!(found["taken_in"], 3, "{found}");
    assert_eq!(
        (&found["on_server"], &found["accounted"]),
        (&5.into(), &5.into())
    );
    let rows = scenario.replyd.rows();
    assert_eq!(
        rows.count("messages WHERE disposition = 'reply' AND source = 'check'"),
        1
    );
    assert_eq!(rows.count("conversations WHERE sender = 'customer'"), 1);
    let found = proof(&scenario, "INBOX", 0);
    assert_eq!(found["taken_in"], 0, "{found}");
    assert_eq!(scenario.replyd.rows().count("messages"), 5);

    let said = scenario.replyd.ok(&["reconcile"]).stdout();
    assert!(said.contains("INBOX: 5 of 5 accounted for"), "{said}");
}

#[test]
fn the_service_reconciles_by_itself_and_goes_on_listening() {
    let scenario = desk("");
    for n in 0..3 {
        scenario.stranger_wrote(n, now());
    }
    let mut running = scenario.replyd.start(&["run"]);
    wait_for_messages(&mut running, 3);
    running.terminate().assert_code(0);
    // A row is lost, and the day is over.
    change(
        &scenario,
        "DELETE FROM messages WHERE uid = 2; UPDATE meta SET value = '1' WHERE key LIKE 'reconcile:%';",
    );
    let mut running = scenario.replyd.start(&["run"]);
    wait_for_messages(&mut running, 3);
    running.wait_for_event("the proof", |event| {
        event["message"] == "3 of 3 accounted for" && event["mailbox"] == "INBOX"
    });
    scenario.stranger_wrote(9, now());
    wait_for_messages(&mut running, 4);
    // Not again before tomorrow.
    running.wait_for_rows("the next one", |rows| {
        let due: String = rows.value("SELECT value FROM meta WHERE key LIKE 'reconcile:%'", []);
        let due: i64 = due.parse().ok()?;
        (due > now().0 + 11 * 3_600_000).then_some(())
    });
    running.terminate().assert_code(0);
}

#[test]
fn mail_that_was_deleted_on_the_server_stays_accounted_for() {
    let scenario = desk("");
    for n in 0..3 {
        scenario.stranger_wrote(n, now());
    }
    let mut running = scenario.replyd.start(&["run"]);
    wait_for_messages(&mut running, 3);
    let mut owner = scenario.host.dovecot.signed_in(DESK);
    owner.ok("SELECT INBOX");
    owner.ok("UID STORE 2 +FLAGS (\\Deleted)");
    owner.ok("EXPUNGE");
    let found = proof(&scenario, "INBOX", 0);
    assert_eq!(
        (&found["on_server"], &found["accounted"]),
        (&2.into(), &2.into())
    );
    assert_eq!(
        (&found["expunged"], &found["taken_in"]),
        (&1.into(), &0.into())
    );
    running.terminate().assert_code(0);
    assert_eq!(scenario.replyd.rows().count("messages"), 3);
}

#[test]
fn a_mailbox_that_is_made_anew_has_two_epochs_and_each_is_accounted_for() {
    let scenario = desk("mailboxes = [\"INBOX\", \"Leads\"]");
    let dovecot = &scenario.host.dovecot;
    dovecot.create(DESK, "Leads");
    let raw = scenario.lead().reply(WISH).raw();
    dovecot.file(DESK, "Leads", &raw, now());
    let mut running = scenario.replyd.start(&["run"]);
    wait_for_messages(&mut running, 1);
    running.terminate().assert_code(0);
    let before = proof(&scenario, "Leads", 0);
    let mut owner = dovecot.signed_in(DESK);
    owner.ok("DELETE Leads");
    owner.ok("CREATE Leads");
    dovecot.file(DESK, "Leads", &raw, now());
    // Nobody has looked under the new UIDVALIDITY: said, and not whole.
    let between = proof(&scenario, "Leads", 1);
    assert_ne!(before["uid_validity"], between["uid_validity"]);
    let mut running = scenario.replyd.start(&["run"]);
    wait_for_messages(&mut running, 2);
    running.terminate().assert_code(0);
    let after = proof(&scenario, "Leads", 0);
    assert_eq!(
        (&after["on_server"], &after["accounted"]),
        (&1.into(), &1.into())
    );
    assert_eq!(after["earlier_rows"], 1, "{after}");
    // Also under the new one a lost row comes back, as the same mail.
    change(
        &scenario,
        "DELETE FROM messages WHERE disposition = 'duplicate'",
    );
    assert_eq!(proof(&scenario, "Leads", 0)["taken_in"], 1);
    let rows = scenario.replyd.rows();
    assert_eq!(rows.count("messages WHERE disposition = 'duplicate'"), 1);
    assert_eq!(rows.count("conversations WHERE sender = 'customer'"), 1);
}

#[test]
fn a_narrower_window_widens_to_the_days_that_are_asked_for() {
    let scenario = desk("");
    scenario.stranger_wrote(0, now().minus(crate::DAY * 20));
    scenario.stranger_wrote(1, now());
    let mut running = scenario.replyd.start(&["run"]);
    wait_for_messages(&mut running, 1);
    running.terminate().assert_code(0);
    assert_eq!(proof(&scenario, "INBOX", 0)["on_server"], 1);
    scenario.replyd.ok(&["reconcile", "--days", "30"]);
    assert_eq!(scenario.replyd.rows().count("messages"), 2);
    // The window is that wide from now on.
    change(&scenario, "DELETE FROM messages WHERE uid = 1");
    let found = proof(&scenario, "INBOX", 0);
    assert_eq!(
        (&found["on_server"], &found["taken_in"]),
        (&2.into(), &1.into())
    );
}

#[test]
fn a_message_that_was_set_aside_is_shown_retried_and_released_by_hand() {
    let scenario = desk("");
    for n in 0..3 {
        scenario.stranger_wrote(n, now());
    }
    let mut running = scenario.replyd.start(&["run"]);
    wait_for_messages(&mut running, 3);
    running.terminate().assert_code(0);
    assert!(
        scenario
            .replyd
            .ok(&["quarantine", "list"])
            .stdout()
            .contains("No message is set aside")
    );
    // As the server sent them a week ago: by now two of them can be read, one is gone.
    change(
        &scenario,
        "UPDATE messages SET disposition = 'quarantined', message_key = '', content_digest = '',
             fetch_tries = 3, evidence = '[\"the server sends it in a form that cannot be read\"]'",
    );
    let mut owner = scenario.host.dovecot.signed_in(DESK);
    owner.ok("SELECT INBOX");
    owner.ok("UID STORE 3 +FLAGS (\\Deleted)");
    owner.ok("EXPUNGE");
    let listed = scenario.replyd.ok(&["quarantine", "list"]).stdout();
    assert!(listed.contains("cannot be read"), "{listed}");
    let id = |uid: i64| -> String {
        let rows = scenario.replyd.rows();
        let id: i64 = rows.value("SELECT id FROM messages WHERE uid = ?1", [uid]);
        id.to_string()
    };
    scenario.replyd.ok(&["quarantine", "retry", &id(1)]);
    let rows = scenario.replyd.rows();
    assert_eq!(rows.count("messages WHERE disposition = 'quarantined'"), 2);
    // The daily one tries by itself.
    scenario.replyd.ok(&["reconcile"]);
    let rows = scenario.replyd.rows();
    assert_eq!(rows.count("messages"), 3);
    assert_eq!(rows.count("messages WHERE disposition = 'quarantined'"), 1);
    scenario.replyd.run(&["quarantine", "retry"]).assert_code(1);
    scenario.replyd.ok(&[
        "quarantine",
        "release",
        &id(3),
        "--note",
        "deleted by its owner",
    ]);
    let listed = scenario.replyd.ok(&["quarantine", "list"]).stdout();
    assert!(listed.contains("deleted by its owner"), "{listed}");
    let said = scenario.replyd.ok(&["reconcile"]).stdout();
    assert!(!said.contains("set aside"), "{said}");
}

#[test]
fn a_uidnext_that_goes_back_is_said_and_what_lies_behind_it_is_taken_in() {
    let scenario = desk("");
    scenario.stranger_wrote(0, now());
    let mut running = scenario.replyd.start(&["run"]);
    wait_for_messages(&mut running, 1);
    running.terminate().assert_code(0);
    // The mailbox was restored: the server has forgotten a hundred UIDs.
    change(
        &scenario,
        "UPDATE mailbox_epochs SET cursor_uid = cursor_uid + 100",
    );
    scenario.stranger_wrote(1, now());
    let mut running = scenario.replyd.start(&["run"]);
    running.wait_for_event("the warning", |event| {
        event["message"]
            .as_str()
            .is_some_and(|m| m.contains("UIDNEXT is"))
    });
    // The reconcile is due at once.
    wait_for_messages(&mut running, 2);
    running.terminate().assert_code(0);
    let found = proof(&scenario, "INBOX", 1);
    assert_eq!(
        (&found["on_server"], &found["accounted"]),
        (&2.into(), &2.into())
    );
    let trouble = found["trouble"].as_str().unwrap_or_default();
    assert!(trouble.contains("UIDVALIDITY"), "{found}");
}
