//! Replies that no plain In-Reply-To leads to their thread, on real Dovecot and Postfix with the
//! real binary; and the commands that tell why, attach by hand, and judge anew.

mod common;

use std::time::Duration;

use common::bin::Running;
use common::scenario::{DESK, SALES, SUBJECT, Scenario, Setting, WISH, header};
use replyd::time::now;
use rusqlite::Connection;

const DAY: Duration = Duration::from_secs(86_400);

/// A desk with a running service, one lead and its campaign mail.
fn desk() -> (Scenario, Running) {
    let scenario = Scenario::new(Setting::default());
    scenario.import(DAY);
    let mut running = scenario.replyd.start(&["run"]);
    running.wait_for_rows("the account to be live", |rows| {
        (rows.count("accounts WHERE state = 'live' AND verified_at IS NOT NULL") == 1).then_some(())
    });
    (scenario, running)
}

/// Waits until the message with this key is stored and decided.
fn handled(running: &mut Running, key: &str) {
    running.wait_for_rows("the message to be handled", |rows| {
        let stored = rows.count(&format!("messages WHERE message_key = '{key}'"));
        let waits = rows.count("reply_jobs WHERE state = 'pending'")
            + rows.count("outbox WHERE state IN ('queued', 'sending', 'deferred')");
        (stored == 1 && waits == 0).then_some(())
    });
}

/// What a command printed.
#[track_caller]
fn said(scenario: &Scenario, args: &[&str]) -> String {
    scenario.replyd.ok(args).output()
}

/// A mail of the lead (or of `from`) with these further header lines.
fn arrives(
    (scenario, running): &mut (Scenario, Running),
    n: u32,
    from: &str,
    head: &str,
    text: &str,
) {
    let mail = format!(
        "From: {from}\r\nTo: {DESK}\r\nMessage-ID: <free-{n}@people.example>\r\n{head}\r\n{text}\r\n"
    );
    scenario.host.dovecot.deliver_at(DESK, mail, now());
    handled(running, &format!("free-{n}@people.example"));
}

/// Method and disposition of the message with this number.
fn matched(scenario: &Scenario, n: u32) -> (String, String) {
    let rows = scenario.replyd.rows();
    let key = format!("free-{n}@people.example");
    (
        rows.value(
            "SELECT match_method FROM messages WHERE message_key = ?1",
            [&key],
        ),
        rows.value(
            "SELECT disposition FROM messages WHERE message_key = ?1",
            [&key],
        ),
    )
}

#[test]
fn a_changed_domain_or_a_subject_alone_lead_to_the_thread_and_only_the_sure_one_is_answered() {
    let mut desk = desk();
    let lead = desk.0.lead().clone();
    // A subject alone: matched, and left to a person.
    arrives(
        &mut desk,
        1,
        &lead.from,
        &format!("Subject: AW: {SUBJECT}\r\n"),
        "Please book me a viewing for Friday.",
    );
    assert_eq!(matched(&desk.0, 1), ("subject".into(), "reply".into()));
    let rows = desk.0.replyd.rows();
    assert_eq!(rows.count("drafts WHERE state = 'open'"), 1);
    assert!(desk.0.host.dovecot.mailbox(&lead.address).is_empty());

    // With its header it is acknowledged…
    desk.0.arrived(&lead, WISH, now());
    handled(&mut desk.1, &lead.answer_id);
    let mails = desk.0.host.wait_for_mails(&lead.address, 1);
    let ours = header(&mails[0], "Message-ID");
    let local = ours
        .trim_matches(['<', '>'])
        .split('@')
        .next()
        .unwrap_or_default();
    // …and an answer to that, whose id a gateway changed, is found by our token.
    let head = format!(
        "Subject: changed\r\nIn-Reply-To: <{}@gateway.example>\r\n",
        local.to_uppercase()
    );
    arrives(&mut desk, 2, &lead.from, &head, "Thank you.");
    assert_eq!(matched(&desk.0, 2), ("token".into(), "reply".into()));
    // A colleague counts as the lead with it, a stranger does not.
    arrives(
        &mut desk,
        3,
        "Bob <bob@people.example>",
        &head,
        "I come too.",
    );
    assert_eq!(matched(&desk.0, 3), ("token".into(), "reply".into()));
    arrives(&mut desk, 4, "eve@elsewhere.example", &head, "Tell me all.");
    assert_eq!(
        matched(&desk.0, 4),
        ("token".into(), "reply_unverified".into())
    );
}

#[test]
fn an_unmatched_mail_is_attached_by_hand_and_what_was_learned_holds() {
    let mut desk = desk();
    let lead = desk.0.lead().clone();
    let head = "Subject: The flat\r\nIn-Reply-To: <lost@crm.example>\r\n";
    arrives(&mut desk, 1, &lead.from, head, "Is it still free?");
    assert_eq!(matched(&desk.0, 1).1, "unmatched");
    let list = said(&desk.0, &["unmatched", "list"]);
    assert!(
        list.contains("The flat") && list.contains("L-0 Ann Lee in Spring"),
        "{list}"
    );

    let id: i64 = desk.0.replyd.rows().value(
        "SELECT id FROM messages WHERE disposition = 'unmatched'",
        [],
    );
    let id = id.to_string();
    let text = said(
        &desk.0,
        &["unmatched", "attach", &id, "--lead", &lead.lead_id],
    );
    assert!(text.contains("Learned: 1 Message-IDs"), "{text}");
    assert!(said(&desk.0, &["unmatched", "list"]).contains("No mail waits"));
    let told = said(&desk.0, &["explain", &id]);
    for words in [
        "attached by a person",
        "in Spring) by attached",
        "Is it still free?",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    // The next mail of that thread needs nobody.
    arrives(&mut desk, 2, &lead.from, head, "Hello again, is it free?");
    assert_eq!(matched(&desk.0, 2), ("in_reply_to".into(), "reply".into()));
    let told = said(&desk.0, &["explain", "<free-2@people.example>"]);
    for words in [
        "In-Reply-To 1: <lost@crm.example> hit",
        "sender: the lead's address",
        "question",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    // It was attached, so nothing of it goes out by itself.
    assert!(desk.0.host.dovecot.mailbox(&lead.address).is_empty());
}

#[test]
fn replay_shows_what_today_s_rules_say_otherwise_and_records_it_without_sending() {
    let mut desk = desk();
    let lead = desk.0.lead().clone();
    desk.0
        .arrived(&lead, "Please remove me from your list.", now());
    handled(&mut desk.1, &lead.answer_id);
    desk.0.host.wait_for_mails(SALES, 1);
    let same = said(&desk.0, &["replay", "--dry-run"]);
    assert!(
        same.contains("Looked at 1 messages: 0 would be treated otherwise"),
        "{same}"
    );

    // As an older replyd would have recorded it: quoted text as new, no opt-out seen.
    let database = Connection::open(desk.0.replyd.database()).unwrap();
    database
        .execute_batch(
            "UPDATE messages SET disposition = 'reply', visible_text = 'something else';
             UPDATE reply_jobs SET intent = 'question', action = 'person';
             DELETE FROM suppressions;",
        )
        .unwrap();
    let text = said(&desk.0, &["replay", "--since", "2026-01-01"]);
    for words in [
        "disposition: reply -> opt_out",
        "visible text: something else -> Please remove me",
        "intent: question -> unsubscribe",
        "decision: person -> suppress",
        "Nothing was changed",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let rows = desk.0.replyd.rows();
    assert_eq!(rows.count("suppressions"), 0, "a dry run writes nothing");
    let mails = rows.count("outbox");

    let text = said(&desk.0, &["replay", "--apply"]);
    assert!(
        text.contains("Recorded anew: 1. Nothing was sent."),
        "{text}"
    );
    let rows = desk.0.replyd.rows();
    assert_eq!(rows.dispositions().get("opt_out"), Some(&1));
    assert_eq!(rows.count("suppressions"), 1);
    assert_eq!(rows.count("outbox"), mails, "nothing was queued");
    let same = said(&desk.0, &["replay"]);
    assert!(same.contains(": 0 would be treated otherwise"), "{same}");
}

#[test]
fn a_report_marks_the_address_dead_or_is_counted_and_a_success_does_neither() {
    let mut desk = desk();
    let lead = desk.0.lead().clone();
    let mut report = |n: u32, action: &str, status: &str| {
        let head = format!(
            "Subject: Delivery report {n}\r\nContent-Type: multipart/report; \
             report-type=delivery-status; boundary=b\r\n"
        );
        let text = format!(
            "--b\r\n\r\nThe delivery of your message.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n\
             Reporting-MTA: dns; mx.people.example\r\n\r\nFinal-Recipient: rfc822; {}\r\n\
             Action: {action}\r\nStatus: {status}\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n\
             Message-ID: <{}>\r\n\r\n--b--",
            lead.address, lead.campaign_id
        );
        arrives(&mut desk, n, "MAILER-DAEMON@people.example", &head, &text);
        assert_eq!(matched(&desk.0, n), ("report".into(), "bounce".into()));
        let rows = desk.0.replyd.rows();
        let soft: i64 = rows.value(
            "SELECT soft_bounces FROM leads WHERE email = ?1",
            [&lead.address],
        );
        let dead = rows.count("leads WHERE bounced_at IS NOT NULL");
        assert_eq!(rows.count("conversations WHERE sender = 'customer'"), 0);
        (soft, dead)
    };
    assert_eq!(report(1, "delivered", "2.0.0"), (0, 0));
    assert_eq!(report(2, "delayed", "4.4.1"), (1, 0));
    // A full mailbox is 5.2.2, and there all the same.
    assert_eq!(report(3, "failed", "5.2.2"), (2, 0));
    assert_eq!(report(4, "failed", "5.1.1"), (2, 1));

    // As a replyd that knew no reports would have recorded it: replay marks what it missed.
    let database = Connection::open(desk.0.replyd.database()).unwrap();
    for (job, made) in [
        ("DELETE FROM readings; DELETE FROM reply_jobs", "none"),
        ("UPDATE reply_jobs SET intent = 'neutral'", "one"),
    ] {
        database
            .execute_batch(&format!(
                "UPDATE leads SET bounced_at = NULL; {job};
                 UPDATE messages SET disposition = 'ignored' WHERE disposition = 'bounce';"
            ))
            .unwrap();
        let text = said(&desk.0, &["replay", "--apply"]);
        assert!(
            text.contains("disposition: ignored -> bounce"),
            "{made}: {text}"
        );
        said(&desk.0, &["process"]);
        let rows = desk.0.replyd.rows();
        assert_eq!(
            rows.count("leads WHERE bounced_at IS NOT NULL"),
            1,
            "{made}"
        );
        assert_eq!(
            rows.count("outbox WHERE kind <> 'campaign' AND state <> 'sent'"),
            0
        );
    }
}
