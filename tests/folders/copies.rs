//! `save_sent`: a copy of each mail to a lead lies in the Sent folder once, whoever puts it there
//! and whatever crashes.

use std::os::unix::process::ExitStatusExt;

use replyd::time::now;

use crate::common::bin::Running;
use crate::common::scenario::{DESK, Scenario, WISH, header};
use crate::{
    after_looks, bare_desk, change, desk, stop, wait_for, wait_for_count,
    wait_until_sales_are_told, watch,
};

/// Flags and Message-ID of what lies in the Sent folder.
#[track_caller]
fn in_sent(scenario: &Scenario) -> Vec<(String, String)> {
    scenario
        .host
        .dovecot
        .folder(DESK, "Sent")
        .into_iter()
        // \Recent is the server's own and says who looked first.
        .map(|(flags, mail)| {
            let flags = flags.replace("\\Recent", "").trim().to_owned();
            (flags, header(&mail, "Message-ID"))
        })
        .collect()
}

/// What should lie there: the acknowledgement, seen.
#[track_caller]
fn one_copy(scenario: &Scenario) -> Vec<(String, String)> {
    let id: String = scenario.replyd.rows().value(
        "SELECT rfc_message_id FROM outbox WHERE kind = 'acknowledgment'",
        [],
    );
    vec![("\\Seen".to_owned(), format!("<{id}>"))]
}

#[track_caller]
fn answered(scenario: &Scenario, running: &mut Running) {
    scenario.lead().reply(WISH).send(&scenario.host.postfix);
    wait_until_sales_are_told(running);
}

#[test]
fn a_copy_of_a_mail_to_a_lead_is_appended_once_and_read_and_notices_are_not() {
    let scenario = desk("save_sent = \"always\"");
    let mut running = watch(&scenario);
    answered(&scenario, &mut running);
    wait_for(&mut running, "outbox WHERE filed = 'appended'");
    // Also after it was read back, and after a restart.
    wait_for(&mut running, "outbox WHERE copies = 1");
    after_looks(&mut running, 2);
    assert_eq!(in_sent(&scenario), one_copy(&scenario));
    stop(running);
    scenario.replyd.ok(&["run", "--once"]);
    assert_eq!(in_sent(&scenario), one_copy(&scenario));
    // It is no person's mail.
    let rows = scenario.replyd.rows();
    assert_eq!(rows.count("conversations WHERE sender = 'human'"), 0);
    assert_eq!(
        rows.count("outbox WHERE kind = 'sales_notice' AND filed = ''"),
        1
    );
}

#[test]
fn killed_at_any_point_of_filing_there_is_one_copy() {
    for point in ["file.booked", "file.appended", "file.recorded"] {
        let scenario = desk("save_sent = \"always\"");
        let mut running = scenario
            .replyd
            .start_with(&["run"], &[("REPLYD_CRASH_AT", point)]);
        crate::is_live(&mut running);
        scenario.lead().reply(WISH).send(&scenario.host.postfix);
        assert_eq!(running.finish().status.signal(), Some(9), "{point}");
        let mut running = watch(&scenario);
        wait_until_sales_are_told(&mut running);
        wait_for(
            &mut running,
            "outbox WHERE filed = 'appended' AND copies = 1",
        );
        after_looks(&mut running, 2);
        stop(running);
        let found = in_sent(&scenario);
        println!("{point}: {} copy", found.len());
        assert_eq!(found, one_copy(&scenario), "{point}");
        // Nothing was taken for the provider's work.
        let learned: i64 = scenario
            .replyd
            .rows()
            .count("account_folders WHERE files_sent = 'yes'");
        assert_eq!(learned, 0, "{point}");
    }
}

/// As if the mails had been sent so many minutes earlier.
#[track_caller]
fn earlier(scenario: &Scenario, minutes: u32) {
    change(
        scenario,
        &format!(
            "UPDATE outbox SET finished_at = finished_at - {}",
            minutes * 60_000
        ),
    );
}

#[test]
fn auto_waits_for_the_provider_learns_that_it_does_not_file_and_appends_from_then_on() {
    let scenario = bare_desk("", 2);
    scenario.host.dovecot.create(DESK, "Sent");
    scenario.import(crate::DAY);
    let mut running = watch(&scenario);
    answered(&scenario, &mut running);
    after_looks(&mut running, 3);
    assert_eq!(in_sent(&scenario), [], "the provider may still file it");
    stop(running);
    earlier(&scenario, 4);
    scenario.replyd.ok(&["run", "--once"]);
    assert_eq!(in_sent(&scenario), [], "not yet");
    earlier(&scenario, 2);
    scenario.replyd.ok(&["run", "--once"]);
    assert_eq!(in_sent(&scenario), one_copy(&scenario));
    let learned = scenario
        .replyd
        .rows()
        .count("account_folders WHERE files_sent = 'no' AND files_sent_host = 'localhost'");
    assert_eq!(learned, 1);

    // The next mail, to another lead, is filed at the next poll.
    let mut running = watch(&scenario);
    let other = scenario.leads.get(1).expect("Two leads");
    other.reply(WISH).send(&scenario.host.postfix);
    wait_for_count(&mut running, "outbox WHERE filed = 'appended'", 2);
    after_looks(&mut running, 2);
    stop(running);
    assert_eq!(in_sent(&scenario).len(), 2);
    let unfiled = scenario
        .replyd
        .rows()
        .count("outbox WHERE kind = 'acknowledgment' AND filed <> 'appended'");
    assert_eq!(unfiled, 0);
}

#[test]
fn auto_learns_from_a_copy_that_the_provider_files_and_appends_none() {
    let scenario = desk("");
    let mut running = watch(&scenario);
    answered(&scenario, &mut running);
    // The provider is slow, but it does it.
    let mails = scenario.host.wait_for_mails(&scenario.lead().address, 1);
    let copy = mails.first().expect("The acknowledgement").clone();
    scenario.host.dovecot.file(DESK, "Sent", copy, now());
    wait_for(&mut running, "account_folders WHERE files_sent = 'yes'");
    wait_for(&mut running, "outbox WHERE filed = 'seen'");
    stop(running);
    earlier(&scenario, 60);
    scenario.replyd.ok(&["run", "--once"]);
    assert_eq!(in_sent(&scenario).len(), 1);
}

#[test]
fn a_provider_that_files_late_after_all_is_noticed_and_left_to_it() {
    let scenario = desk("save_sent = \"always\"");
    let mut running = watch(&scenario);
    answered(&scenario, &mut running);
    wait_for(
        &mut running,
        "outbox WHERE filed = 'appended' AND copies = 1",
    );
    let mails = scenario.host.wait_for_mails(&scenario.lead().address, 1);
    let copy = mails.first().expect("The acknowledgement").clone();
    scenario.host.dovecot.file(DESK, "Sent", copy, now());
    wait_for(&mut running, "account_folders WHERE files_sent = 'yes'");
    stop(running);
}

#[test]
fn never_appends_nothing_and_a_trial_with_redirect_neither() {
    for (account, args) in [
        ("save_sent = \"never\"", &["run", "--once"][..]),
        (
            "save_sent = \"always\"",
            &["run", "--once", "--redirect-to", "sales@homes.example"][..],
        ),
    ] {
        let scenario = desk(account);
        scenario.replyd.ok(args);
        scenario.arrived(scenario.lead(), WISH, now());
        scenario.replyd.ok(args);
        let rows = scenario.replyd.rows();
        assert_eq!(
            rows.count("outbox WHERE kind = 'acknowledgment' AND state = 'sent'"),
            1,
            "{account}: {:?}, {}",
            rows.outbox(),
            rows.value::<String>("SELECT coalesce(max(reasons), '') FROM reply_jobs", [])
        );
        earlier(&scenario, 10);
        scenario.replyd.ok(args);
        assert_eq!(in_sent(&scenario), [], "{account}");
    }
}
