//! What people write by themselves: the Sent folder hands their threads to them, and our own
//! copies in it tell what became of our mails.

use std::os::unix::process::ExitStatusExt;

use replyd::time::now;

use crate::common::ports::Port;
use crate::common::scenario::{DESK, QUESTION, SALES, Scenario, WISH, header};
use crate::{
    after_looks, change, desk, next_answer, persons_mail, stop, to_leads, wait_for, wait_for_count,
    wait_until_sales_are_told, watch,
};

const BY_HAND: &str = "by-hand-1@homes.example";

/// The settings with the sending server at a port where nobody listens.
#[track_caller]
fn without_smtp(scenario: &Scenario) -> (Port, String) {
    let path = scenario.replyd.dir().join("replyd.toml");
    let good = std::fs::read_to_string(&path).expect("The settings");
    let nobody = Port::reserve();
    let smtp = format!("port = {}", scenario.host.postfix.submission_port());
    assert!(good.contains(&smtp));
    let bad = good.replace(&smtp, &format!("port = {}", nobody.number()));
    scenario.replyd.file("replyd.toml", &bad);
    (nobody, good)
}

fn answer(scenario: &Scenario) -> Vec<u8> {
    persons_mail(
        &scenario.lead().address,
        BY_HAND,
        &scenario.lead().answer_id,
        "Saturday at ten suits us. See you there!",
    )
}

#[test]
fn a_salespersons_own_answer_stops_a_queued_automatic_one_and_people_have_the_thread() {
    let scenario = desk("");
    let (_nobody, good) = without_smtp(&scenario);
    let mut running = watch(&scenario);
    scenario.arrived(scenario.lead(), WISH, now());
    wait_for(
        &mut running,
        "outbox WHERE kind = 'acknowledgment' AND state IN ('queued', 'deferred')",
    );
    // The salesperson was faster than the server came back.
    scenario
        .host
        .dovecot
        .file(DESK, "Sent", answer(&scenario), now());
    wait_for(
        &mut running,
        "outbox WHERE kind = 'acknowledgment' AND state = 'cancelled'",
    );
    let rows = scenario.replyd.rows();
    let speakers: String = rows.value(
        "SELECT group_concat(sender) FROM (SELECT sender FROM conversations ORDER BY id)",
        [],
    );
    assert_eq!(speakers, "customer,human");
    assert_eq!(
        rows.value::<String>(
            "SELECT message FROM conversations WHERE sender = 'human'",
            []
        ),
        "Saturday at ten suits us. See you there!"
    );
    assert_eq!(rows.count("sent_messages WHERE kind = 'manual'"), 1);
    let source: String = rows.value("SELECT source FROM sent_ids WHERE id_key = ?1", [BY_HAND]);
    assert_eq!(source, "sent_folder");
    let listed = scenario.replyd.ok(&["outbox", "list"]).stdout();
    assert!(
        listed.contains("A person has written in the thread"),
        "{listed}"
    );
    stop(running);

    // The server is back: sales are told of the reply, the lead gets nothing.
    scenario.replyd.file("replyd.toml", &good);
    change(
        &scenario,
        "DELETE FROM meta WHERE key LIKE 'smtp:%'; UPDATE outbox SET next_attempt_at = 0 WHERE state = 'deferred'",
    );
    let mut running = watch(&scenario);
    wait_until_sales_are_told(&mut running);
    assert_eq!(
        to_leads(&scenario.replyd.rows()),
        [("acknowledgment".to_owned(), "cancelled".to_owned())]
    );
    assert!(
        scenario
            .host
            .dovecot
            .mailbox(&scenario.lead().address)
            .is_empty()
    );

    // The lead answers the salesperson: matched, and left to people.
    let again = next_answer(scenario.lead(), "answer-2@people.example", BY_HAND);
    again.reply(WISH).send(&scenario.host.postfix);
    wait_for(
        &mut running,
        "drafts WHERE state = 'open' AND reason LIKE '%a person wrote%'",
    );
    let rows = scenario.replyd.rows();
    let method: String = rows.value(
        "SELECT match_method FROM messages WHERE message_key = 'answer-2@people.example'",
        [],
    );
    assert_eq!(method, "in_reply_to");
    assert!(
        scenario
            .host
            .dovecot
            .mailbox(&scenario.lead().address)
            .is_empty()
    );
    stop(running);
}

#[test]
fn an_answer_that_a_person_files_between_queueing_and_sending_is_seen_before_the_mail_leaves() {
    let scenario = desk("");
    // Dies with the automatic mail in the queue.
    let crash = [("REPLYD_CRASH_AT", "reply.committed")];
    let mut running = scenario.replyd.start_with(&["run"], &crash);
    crate::is_live(&mut running);
    scenario.lead().reply(WISH).send(&scenario.host.postfix);
    assert_eq!(running.finish().status.signal(), Some(9));
    assert_eq!(
        to_leads(&scenario.replyd.rows()),
        [("acknowledgment".to_owned(), "queued".to_owned())]
    );
    scenario
        .host
        .dovecot
        .file(DESK, "Sent", answer(&scenario), now());
    // As long as systemd waits before it starts it again.
    change(
        &scenario,
        "UPDATE outbox SET created_at = created_at - 5000;
         UPDATE mailboxes SET looked_at = looked_at - 5000",
    );
    let mut running = watch(&scenario);
    wait_until_sales_are_told(&mut running);
    assert_eq!(
        to_leads(&scenario.replyd.rows()),
        [("acknowledgment".to_owned(), "cancelled".to_owned())]
    );
    assert!(
        scenario
            .host
            .dovecot
            .mailbox(&scenario.lead().address)
            .is_empty()
    );
    stop(running);
}

#[test]
fn an_automatic_mail_that_waited_leaves_when_the_sent_folder_was_read_and_nobody_answered() {
    let scenario = desk("");
    let crash = [("REPLYD_CRASH_AT", "reply.committed")];
    let mut running = scenario.replyd.start_with(&["run"], &crash);
    crate::is_live(&mut running);
    scenario.lead().reply(WISH).send(&scenario.host.postfix);
    assert_eq!(running.finish().status.signal(), Some(9));
    change(
        &scenario,
        "UPDATE outbox SET created_at = created_at - 60000",
    );
    let mut running = watch(&scenario);
    wait_until_sales_are_told(&mut running);
    scenario.assert_acknowledged(scenario.lead());
    stop(running);
}

#[test]
fn what_a_person_answered_while_replyd_was_down_is_not_answered_again() {
    let scenario = desk("");
    scenario.replyd.ok(&["run", "--once"]);
    scenario.arrived(scenario.lead(), WISH, now());
    scenario
        .host
        .dovecot
        .file(DESK, "Sent", answer(&scenario), now());
    let mut running = watch(&scenario);
    wait_for(&mut running, "reply_jobs WHERE state = 'done'");
    wait_for(&mut running, "conversations WHERE sender = 'human'");
    let rows = scenario.replyd.rows();
    let reasons: String = rows.value("SELECT reasons FROM reply_jobs", []);
    assert!(
        reasons.contains("a person has answered it by mail"),
        "{reasons}"
    );
    assert_eq!((rows.count("outbox"), rows.count("drafts")), (0, 0));
    stop(running);
}

#[test]
fn a_draft_is_closed_by_the_persons_answer_and_one_for_a_later_reply_stays() {
    let scenario = desk("");
    let mut running = watch(&scenario);
    scenario.lead().reply(QUESTION).send(&scenario.host.postfix);
    wait_until_sales_are_told(&mut running);
    assert_eq!(
        scenario.replyd.rows().count("drafts WHERE state = 'open'"),
        1
    );
    let later = next_answer(
        scenario.lead(),
        "answer-2@people.example",
        &scenario.lead().campaign_id,
    );
    // The person answers the first; the second came a minute after that answer was filed.
    scenario.arrived(
        &later,
        "And is there a garage with it?",
        now().plus(crate::DAY / 1440),
    );
    wait_for_count(&mut running, "drafts WHERE state = 'open'", 2);
    scenario
        .host
        .dovecot
        .file(DESK, "Sent", answer(&scenario), now());
    wait_for(
        &mut running,
        "drafts WHERE state = 'superseded' AND decision = 'a person answered by mail'",
    );
    let rows = scenario.replyd.rows();
    let open: String = rows.value(
        "SELECT m.message_key FROM drafts d JOIN messages m ON m.id = d.message_id WHERE d.state = 'open'",
        [],
    );
    assert_eq!(open, "answer-2@people.example");
    stop(running);
}

#[test]
fn a_reply_that_is_forwarded_to_a_colleague_stops_automation_and_is_no_mail_to_the_lead() {
    let scenario = desk("");
    let mut running = watch(&scenario);
    scenario.lead().reply(QUESTION).send(&scenario.host.postfix);
    wait_until_sales_are_told(&mut running);
    let forward = persons_mail(
        SALES,
        "forward@homes.example",
        &scenario.lead().answer_id,
        "Can you take this one? She is difficult.",
    );
    scenario.host.dovecot.file(DESK, "Sent", forward, now());
    wait_for(
        &mut running,
        "messages WHERE disposition = 'own_mail' AND campaign_lead_id IS NOT NULL",
    );
    let rows = scenario.replyd.rows();
    // No reader of the conversation sees it, and no reply to it counts as the lead's.
    assert_eq!(rows.count("conversations WHERE sender = 'human'"), 0);
    assert_eq!(
        rows.count("sent_ids WHERE id_key = 'forward@homes.example'"),
        0
    );
    let again = next_answer(
        scenario.lead(),
        "answer-2@people.example",
        &scenario.lead().campaign_id,
    );
    again.reply(WISH).send(&scenario.host.postfix);
    wait_for(
        &mut running,
        "drafts WHERE state = 'open' AND reason LIKE '%a person wrote%'",
    );
    scenario.assert_no_lead_got_mail(&scenario.replyd.rows());
    stop(running);
}

#[test]
fn a_changed_message_id_is_learned_from_the_copy_and_earlier_answers_to_it_are_taken_along() {
    let scenario = desk("save_sent = \"never\"");
    let mut running = watch(&scenario);
    scenario.lead().reply(WISH).send(&scenario.host.postfix);
    wait_until_sales_are_told(&mut running);
    let mails = scenario.host.wait_for_mails(&scenario.lead().address, 1);
    let mail = mails.first().expect("The acknowledgement");
    let ours = header(mail, "Message-ID");
    let theirs = "provider-77@mail.provider.example";
    // A colleague of the lead answers under an address that nobody knows, to the changed id.
    let colleague = format!(
        "From: Bob <bob@elsewhere.example>\r\nTo: {DESK}\r\nSubject: Re: your mail\r\n\
         Message-ID: <bob-1@elsewhere.example>\r\nIn-Reply-To: <{theirs}>\r\n\r\nI will come along.\r\n"
    );
    scenario.host.dovecot.deliver(DESK, colleague);
    let bob = "messages WHERE message_key = 'bob-1@elsewhere.example'";
    wait_for(&mut running, bob);
    assert_eq!(
        scenario
            .replyd
            .rows()
            .count(&format!("{bob} AND campaign_lead_id IS NOT NULL")),
        0
    );
    // What the provider files has its id where ours was, and ours in our own field.
    let copy = mail.replacen(&ours, &format!("<{theirs}>"), 1);
    assert!(copy.contains("X-Replyd-Id: r."), "{copy}");
    scenario.host.dovecot.file(DESK, "Sent", copy, now());
    wait_for(
        &mut running,
        &format!("{bob} AND disposition = 'reply_unverified' AND source = 'late_match'"),
    );
    let rows = scenario.replyd.rows();
    let source: String = rows.value("SELECT source FROM sent_ids WHERE id_key = ?1", [theirs]);
    assert_eq!(source, "sent_folder");
    // No person wrote that copy.
    assert_eq!(rows.count("conversations WHERE sender = 'human'"), 0);
    stop(running);
}

#[test]
fn a_mail_of_unknown_fate_whose_copy_lies_in_sent_was_sent() {
    let scenario = desk("save_sent = \"never\"");
    let crash = [("REPLYD_CRASH_AT", "outbox.body_sent")];
    let mut running = scenario.replyd.start_with(&["run"], &crash);
    crate::is_live(&mut running);
    scenario.lead().reply(WISH).send(&scenario.host.postfix);
    assert_eq!(running.finish().status.signal(), Some(9));
    let mut running = watch(&scenario);
    wait_for(&mut running, "outbox WHERE state = 'unknown'");
    // Not found proves nothing.
    after_looks(&mut running, 2);
    let kind: String = scenario
        .replyd
        .rows()
        .value("SELECT kind FROM outbox WHERE state = 'unknown'", []);
    let to = if kind == "sales_notice" {
        SALES
    } else {
        scenario.lead().address.as_str()
    };
    let mails = scenario.host.wait_for_mails(to, 1);
    let copy = mails.first().expect("The mail").clone();
    scenario.host.dovecot.file(DESK, "Sent", copy, now());
    wait_for(
        &mut running,
        "outbox_attempts WHERE outcome = 'found_in_sent'",
    );
    let rows = scenario.replyd.rows();
    assert_eq!(rows.count("outbox WHERE state = 'unknown'"), 0);
    stop(running);
}
