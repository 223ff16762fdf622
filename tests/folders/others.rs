//! Finding folders, folders with names of other languages, and folders in trouble.

use replyd::time::now;

use crate::common::scenario::{DESK, WISH};
use crate::{bare_desk, desk, persons_mail, stop, wait_for, wait_until_sales_are_told, watch};

#[test]
fn a_mailbox_that_is_not_there_degrades_the_account_and_holds_up_no_other() {
    let scenario = desk("mailboxes = [\"INBOX\", \"Gone\"]");
    let mut running = scenario.replyd.start(&["run"]);
    wait_for(
        &mut running,
        "accounts WHERE state = 'degraded' AND verified_at IS NOT NULL",
    );
    scenario.lead().reply(WISH).send(&scenario.host.postfix);
    wait_until_sales_are_told(&mut running);
    scenario.assert_acknowledged(scenario.lead());
    let status = scenario.replyd.run(&["status"]).stdout();
    assert!(
        status.contains("mailbox \"Gone\" cannot be read"),
        "{status}"
    );
    // Somebody makes it: the account is live again by itself.
    scenario.host.dovecot.create(DESK, "Gone");
    crate::is_live(&mut running);
    stop(running);
}

#[test]
fn folders_with_names_beyond_ascii_are_found_read_and_named_in_utf8() {
    // The Sent folder by the settings, the spam folder by its usual name: no special use.
    let scenario = bare_desk("sent_folder = \"Büro – gesendet\"", 1);
    let dovecot = &scenario.host.dovecot;
    scenario.import(crate::DAY);
    let mut owner = dovecot.signed_in(DESK);
    owner.ok("CREATE \"B&APw-ro &IBM- gesendet\"");
    owner.ok("CREATE \"Courrier ind&AOk-sirable\"");
    let raw = scenario.lead().reply(WISH).raw();
    dovecot.file(DESK, "Courrier ind&AOk-sirable", raw, now());
    let mail = persons_mail(
        &scenario.lead().address,
        "by-hand@homes.example",
        &scenario.lead().campaign_id,
        "Shall we meet?",
    );
    dovecot.file(DESK, "B&APw-ro &IBM- gesendet", mail, now());
    let mut running = watch(&scenario);
    wait_for(
        &mut running,
        "messages WHERE from_spam = 1 AND disposition = 'reply'",
    );
    wait_for(
        &mut running,
        "conversations WHERE sender = 'human' AND message = 'Shall we meet?'",
    );
    let rows = scenario.replyd.rows();
    for (name, role) in [
        ("Büro – gesendet", "sent"),
        ("Courrier indésirable", "junk"),
    ] {
        let found: String = rows.value("SELECT role FROM mailboxes WHERE name = ?1", [name]);
        assert_eq!(found, role);
    }
    stop(running);
}

#[test]
fn a_sent_folder_that_is_renamed_while_replyd_runs_is_found_again() {
    let scenario = bare_desk("", 1);
    let dovecot = &scenario.host.dovecot;
    dovecot.create(DESK, "Sent Items");
    scenario.import(crate::DAY);
    let mut running = watch(&scenario);
    wait_for(
        &mut running,
        "mailboxes WHERE role = 'sent' AND name = 'Sent Items'",
    );
    dovecot
        .signed_in(DESK)
        .ok("RENAME \"Sent Items\" \"Gesendete Objekte\"");
    wait_for(
        &mut running,
        "mailboxes WHERE role = 'sent' AND name = 'Gesendete Objekte'",
    );
    let mail = persons_mail(
        &scenario.lead().address,
        "by-hand@homes.example",
        &scenario.lead().campaign_id,
        "Shall we meet?",
    );
    dovecot.file(DESK, "Gesendete Objekte", mail, now());
    wait_for(&mut running, "conversations WHERE sender = 'human'");
    crate::is_live(&mut running);
    stop(running);
}

#[test]
fn check_looks_behind_the_cursor_of_the_spam_folder_too() {
    let scenario = desk("");
    let raw = scenario.lead().reply(WISH).raw();
    let at = now().minus(crate::DAY * 3);
    scenario.host.dovecot.file(DESK, "Junk", raw, at);
    scenario.replyd.ok(&["run", "--once"]);
    assert_eq!(scenario.replyd.rows().count("messages"), 0);
    let check = scenario.replyd.ok(&["check", "--days", "7"]).stdout();
    assert!(check.contains("New replies found: 1"), "{check}");
    let rows = scenario.replyd.rows();
    assert_eq!(
        rows.count("messages WHERE from_spam = 1 AND source = 'check'"),
        1
    );
    assert_eq!(
        rows.count("outbox WHERE envelope_to <> 'sales@homes.example'"),
        0
    );
}
