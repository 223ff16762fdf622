//! Replies that the server took for spam.

use replyd::time::now;

use crate::common::scenario::{DESK, SALES, WISH};
use crate::{
    bare_desk, desk, stop, to_leads, wait_for, wait_for_count, wait_until_sales_are_told, watch,
};

const BORDER: &str = "Received: from mail.people.example (mail.people.example [192.0.2.1])\r\n\
                      \tby mx.homes.example with ESMTPS id 1; Mon, 3 Aug 2026 10:00:00 +0000\r\n";
const THEIRS: &str = "Received: from pc (unknown [10.0.0.1]) by mail.people.example with ESMTPSA; \
                      Mon, 3 Aug 2026 09:59:59 +0000\r\n";
const PASS: &str =
    "Authentication-Results: mx.homes.example; dmarc=pass header.from=people.example\r\n";

#[test]
fn a_reply_in_the_spam_folder_is_captured_flagged_and_left_to_a_person() {
    let scenario = desk("");
    let mut running = watch(&scenario);
    let raw = scenario.lead().reply(WISH).raw();
    scenario.host.dovecot.file(DESK, "Junk", raw, now());
    wait_until_sales_are_told(&mut running);
    let rows = scenario.replyd.rows();
    assert_eq!(
        rows.count(
            "messages WHERE disposition = 'reply' AND from_spam = 1 AND sender_auth = 'unknown'"
        ),
        1
    );
    assert_eq!(rows.count("drafts WHERE state = 'open'"), 1);
    scenario.assert_no_lead_got_mail(&rows);
    let notice = scenario.host.wait_for_mails(SALES, 1);
    let notice = notice.first().expect("A notice").replace("=\r\n", "");
    assert!(
        notice.contains("It lay in the spam folder, and nothing vouches for its sender."),
        "{notice}"
    );
    let status = scenario.replyd.run(&["status"]).stdout();
    assert!(status.contains("from the spam folder: 1"), "{status}");
    assert!(
        status.contains("reads spam folder \"Junk\", Sent folder \"Sent\""),
        "{status}"
    );
    let drafts = scenario.replyd.ok(&["drafts", "list"]).stdout();
    assert!(drafts.contains("[from spam]"), "{drafts}");
    let shown = scenario.replyd.ok(&["drafts", "show", "1"]).stdout();
    assert!(shown.contains("it lay in the spam folder"), "{shown}");
    stop(running);
}

#[test]
fn a_reply_in_the_spam_folder_is_answered_when_our_server_vouches_for_its_sender() {
    let scenario = desk("authserv_id = [\"mx.homes.example\"]");
    let mut running = watch(&scenario);
    let reply = scenario.lead().reply(WISH).raw();
    let raw = [
        BORDER.as_bytes(),
        PASS.as_bytes(),
        THEIRS.as_bytes(),
        &reply,
    ]
    .concat();
    scenario.host.dovecot.file(DESK, "Junk", raw, now());
    wait_until_sales_are_told(&mut running);
    scenario.assert_acknowledged(scenario.lead());
    let rows = scenario.replyd.rows();
    assert_eq!(
        rows.count("messages WHERE from_spam = 1 AND sender_auth = 'pass'"),
        1
    );
    stop(running);
}

#[test]
fn a_forged_proof_below_the_senders_own_hop_does_not_get_an_answer_out_of_the_spam_folder() {
    let scenario = desk("authserv_id = [\"mx.homes.example\"]");
    let mut running = watch(&scenario);
    let reply = scenario.lead().reply(WISH).raw();
    let raw = [
        BORDER.as_bytes(),
        THEIRS.as_bytes(),
        PASS.as_bytes(),
        &reply,
    ]
    .concat();
    scenario.host.dovecot.file(DESK, "Junk", raw, now());
    wait_until_sales_are_told(&mut running);
    let rows = scenario.replyd.rows();
    assert_eq!(
        rows.count("messages WHERE from_spam = 1 AND sender_auth = 'unknown'"),
        1
    );
    scenario.assert_no_lead_got_mail(&rows);
    stop(running);
}

#[test]
fn a_mail_that_is_moved_out_of_the_spam_folder_and_about_is_no_second_reply() {
    let scenario = desk("mailboxes = [\"INBOX\", \"Team\"]");
    let dovecot = &scenario.host.dovecot;
    dovecot.create(DESK, "Team");
    let mut running = watch(&scenario);
    let raw = scenario.lead().reply(WISH).raw();
    dovecot.file(DESK, "Junk", &raw, now());
    wait_until_sales_are_told(&mut running);

    let mut owner = dovecot.signed_in(DESK);
    // Somebody finds it: to INBOX, and from there to the team's folder, under new UIDs.
    owner.ok("SELECT Junk");
    owner.ok("UID MOVE 1 INBOX");
    wait_for(&mut running, "messages WHERE disposition = 'duplicate'");
    owner.ok("SELECT INBOX");
    owner.ok("UID MOVE 1 Team");
    wait_for_count(&mut running, "messages WHERE disposition = 'duplicate'", 2);
    // And back by a program that copies with a date of its own.
    dovecot.file(DESK, "INBOX", &raw, now().plus(crate::DAY));
    wait_for_count(&mut running, "messages WHERE disposition = 'duplicate'", 3);

    let rows = scenario.replyd.rows();
    assert_eq!(rows.count("messages WHERE disposition = 'reply'"), 1);
    for table in [
        "reply_jobs",
        "drafts",
        "conversations WHERE sender = 'customer'",
    ] {
        assert_eq!(rows.count(table), 1, "{table}");
    }
    assert_eq!(to_leads(&rows), []);
    assert_eq!(rows.count("outbox"), 1, "the notice to sales");
    stop(running);
}

#[test]
fn the_first_look_at_the_spam_folder_takes_the_window_and_answers_nothing_of_it() {
    let scenario = desk("authserv_id = [\"mx.homes.example\"]");
    let reply = |id: &str| {
        let lead = crate::next_answer(scenario.lead(), id, &scenario.lead().campaign_id);
        let reply = lead.reply(WISH).raw();
        [PASS.as_bytes(), &reply].concat()
    };
    let hour = crate::DAY / 24;
    let dovecot = &scenario.host.dovecot;
    dovecot.file(
        DESK,
        "Junk",
        reply("too-old@people.example"),
        now().minus(hour * 30),
    );
    dovecot.file(
        DESK,
        "Junk",
        reply("inside@people.example"),
        now().minus(hour * 20),
    );
    let mut running = watch(&scenario);
    wait_for(&mut running, "drafts WHERE state = 'open'");
    let rows = scenario.replyd.rows();
    assert_eq!(rows.count("messages"), 1);
    assert_eq!(
        rows.count("messages WHERE message_key = 'inside@people.example' AND source = 'first_run'"),
        1
    );
    scenario.assert_no_lead_got_mail(&rows);
    stop(running);
}

#[test]
fn a_spam_folder_that_is_switched_off_is_not_read() {
    let scenario = bare_desk("junk = \"off\"\nsent_folder = \"off\"", 1);
    scenario.host.dovecot.create(DESK, "Junk");
    scenario.import(crate::DAY);
    let raw = scenario.lead().reply(WISH).raw();
    scenario.host.dovecot.file(DESK, "Junk", raw, now());
    scenario.replyd.ok(&["run", "--once"]);
    let rows = scenario.replyd.rows();
    assert_eq!(rows.count("messages"), 0);
    assert_eq!(rows.count("mailboxes WHERE role <> 'none'"), 1);
}
