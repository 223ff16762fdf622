//! At what pace campaign mails leave, and what a server's limit stops.

use std::time::Duration;

use super::campaign_tests::*;
use super::tests::{MINUTE, T0, World, mail, sent};
use super::*;
use crate::model::CampaignId;
use crate::store::Store;

#[test]
fn answers_go_before_campaign_mails_and_those_at_their_pace() {
    let w = World::new();
    pace(&w, Duration::from_secs(3), 1000);
    let mails = campaign(&w, 3);
    let first = w.queue(&mail(MailKind::Answer, "1@y"));
    assert_eq!(send_next(&w, T0, &sent()), Some(first));
    assert_eq!(send_next(&w, T0, &sent()), Some(mails[0]));
    // The next one after the gap, however often one asks; answers at any time.
    assert_eq!(
        send_next(&w, T0.plus(Duration::from_millis(2999)), &sent()),
        None
    );
    let due = w.tx(|tx| tx.next_outbox_due(T0, &[]));
    assert_eq!(due, Some(T0.plus(Duration::from_secs(3))));
    let second = w.queue(&mail(MailKind::Answer, "2@y"));
    assert_eq!(send_next(&w, T0, &sent()), Some(second));
    assert_eq!(
        send_next(&w, T0.plus(Duration::from_secs(3)), &sent()),
        Some(mails[1])
    );
    // A restart: the pace is in the file.
    let store = Store::open_blocking(&w.dir.path().join("r.db")).unwrap();
    drop(store);
    assert_eq!(
        send_next(&w, T0.plus(Duration::from_secs(5)), &sent()),
        None
    );
    assert_eq!(
        send_next(&w, T0.plus(Duration::from_secs(6)), &sent()),
        Some(mails[2])
    );
    assert_eq!(w.tx(|tx| tx.next_outbox_due(T0, &[])), None);
}

#[test]
fn a_clock_that_is_set_back_holds_a_campaign_no_longer_than_its_rules() {
    let w = World::new();
    pace(&w, MINUTE, 2);
    let mails = campaign(&w, 5);
    let ahead = T0.plus(DAY * 365);
    assert_eq!(send_next(&w, ahead, &sent()), Some(mails[0]));
    // A year too early now: neither the gap nor the day of that clock holds the next ones.
    assert_eq!(send_next(&w, T0, &sent()), Some(mails[1]));
    assert_eq!(send_next(&w, T0.plus(MINUTE), &sent()), Some(mails[2]));
    // The day's number holds by the clock of now.
    let next = w.tx(|tx| tx.next_outbox_due(T0.plus(MINUTE * 2), &[]));
    assert_eq!(next, Some(T0.plus(DAY)));
    assert_eq!(send_next(&w, T0.plus(DAY), &sent()), Some(mails[3]));
}

#[test]
fn the_number_a_day_counts_every_mail_of_the_account_and_is_a_window() {
    let w = World::new();
    pace(&w, Duration::from_secs(1), 3);
    let mails = campaign(&w, 4);
    w.queue(&mail(MailKind::SalesNotice, "1@y"));
    assert!(send_next(&w, T0, &sent()).is_some(), "the notice");
    assert_eq!(send_next(&w, T0.plus(HOUR), &sent()), Some(mails[0]));
    assert_eq!(send_next(&w, T0.plus(HOUR * 2), &sent()), Some(mails[1]));
    let at = T0.plus(HOUR * 3);
    assert_eq!(send_next(&w, at, &sent()), None, "three in 24 hours");
    let status = w.tx(|tx| tx.pace_status(AccountId(1), at)).unwrap();
    assert_eq!((status.sent_in_day, status.per_day), (3, 3));
    assert_eq!(status.opens_at, T0.plus(DAY));
    // Answers are never held back by it.
    w.queue(&mail(MailKind::Answer, "2@y"));
    assert!(send_next(&w, at, &sent()).is_some());
    // Now four lie in the window: two must leave it.
    assert_eq!(send_next(&w, T0.plus(DAY), &sent()), None);
    assert_eq!(send_next(&w, T0.plus(DAY + HOUR), &sent()), Some(mails[2]));
}

#[test]
fn a_servers_limit_stops_the_accounts_campaign_mails_and_fails_none() {
    let w = World::new();
    pace(&w, Duration::from_secs(1), 1000);
    campaign(&w, 2);
    let other = w.queue(&NewMail {
        account_id: AccountId(2),
        next_attempt_at: T0.plus(MINUTE),
        ..{
            w.sql(
                "INSERT INTO campaigns (id, name, created_at, updated_at) VALUES (2, 'other', 0, 0);
                 INSERT INTO leads (id, lead_id, email, email_key, created_at, updated_at)
                     VALUES (50, 'L50', 'x@x.example', 'x@x.example', 0, 0);
                 INSERT INTO campaign_leads (id, campaign_id, lead_id, created_at) VALUES (50, 2, 50, 0);",
            );
            campaign_mail(50)
        }
    });
    let limit = rejected(550, "RCPT: 5.4.5 Daily user sending limit exceeded.");
    let mut now = T0;
    let mut waits = Vec::new();
    for _ in 0..6 {
        let tried = send_next(&w, now, &limit).unwrap();
        assert_eq!(w.state(tried), "deferred", "not failed");
        let status = w.tx(|tx| tx.pace_status(AccountId(1), now)).unwrap();
        let said = status.stopped.unwrap();
        assert!(said.starts_with("550 RCPT: 5.4.5 Daily"), "{said}");
        assert!(
            w.claim(now.plus(Duration::from_secs(2))).is_none(),
            "the second waits too"
        );
        waits.push(status.opens_at.since(now).as_secs() / 3600);
        now = status.opens_at;
        if waits.len() == 1 {
            // Another account's campaign goes on.
            assert_eq!(send_next(&w, T0.plus(MINUTE), &sent()), Some(other));
        }
    }
    assert_eq!(waits, [1, 2, 4, 6, 6, 6]);
    assert_eq!(
        w.text("SELECT count(*) FROM outbox WHERE state = 'rejected'"),
        "0"
    );
    // Taken again: the stop is over and forgotten.
    assert!(send_next(&w, now, &sent()).is_some());
    let status = w.tx(|tx| tx.pace_status(AccountId(1), now)).unwrap();
    assert_eq!(status.stopped, None);
    let rate = Verdict::Deferred {
        code: Some(451),
        text: "MAIL: 4.7.1 Hourly limit exceeded".into(),
        trouble: None,
        fault: "",
    };
    now = now.plus(MINUTE);
    assert!(send_next(&w, now, &rate).is_some());
    let status = w.tx(|tx| tx.pace_status(AccountId(1), now)).unwrap();
    assert_eq!(
        status.opens_at.since(now),
        MINUTE * 15,
        "the first of a new row"
    );
    // A person says: try.
    w.tx(|tx| tx.end_pace_stop(AccountId(1)));
    w.tx(|tx| tx.resume_campaign(CampaignId(1), now));
    assert!(send_next(&w, now.plus(MINUTE), &sent()).is_some());
}

#[test]
fn a_campaign_mail_is_not_given_up_for_a_limit_and_an_answer_is_deferred_by_one() {
    let w = World::new();
    pace(&w, Duration::from_secs(1), 1000);
    let mails = campaign(&w, 1);
    let limit = rejected(550, "RCPT: 5.4.5 Daily user sending limit exceeded.");
    let mut now = T0;
    while now.since(T0) < DAY * 8 {
        assert_eq!(send_next(&w, now, &limit), Some(mails[0]));
        now = w.tx(|tx| tx.next_outbox_due(now, &[])).unwrap();
    }
    assert_eq!(w.state(mails[0]), "deferred");
    w.sql(&format!("UPDATE messages SET internal_date = {}", now.0));
    let ack = w.queue(&answer("1@y"));
    assert_eq!(send_next(&w, now, &limit), Some(ack));
    assert_eq!(w.state(ack), "deferred");
    let due = w.tx(|tx| tx.next_outbox_due(now, &[])).unwrap();
    assert!(due.since(now) < MINUTE, "an answer is tried again soon");
    // A refusal of the recipient is one.
    let dead = rejected(550, "RCPT: 5.1.1 no such user");
    assert_eq!(send_next(&w, due, &dead), Some(ack));
    assert_eq!(w.state(ack), "rejected");
}

#[test]
fn without_settings_of_a_process_that_sends_the_pace_is_careful() {
    let w = World::new();
    let mails = campaign(&w, 2);
    assert_eq!(send_next(&w, T0, &sent()), Some(mails[0]));
    assert_eq!(
        send_next(&w, T0.plus(Duration::from_secs(2)), &sent()),
        None
    );
    assert_eq!(
        send_next(&w, T0.plus(Duration::from_secs(3)), &sent()),
        Some(mails[1])
    );
}

#[test]
fn refused_answers_do_not_prolong_a_stop_and_an_accepted_one_ends_it() {
    let w = World::new();
    pace(&w, Duration::from_secs(1), 1000);
    let mails = campaign(&w, 1);
    let limit = rejected(550, "RCPT: 5.4.5 Daily user sending limit exceeded.");
    assert_eq!(send_next(&w, T0, &limit), Some(mails[0]));
    let opens = |now| {
        let status = w.tx(|tx| tx.pace_status(AccountId(1), now)).unwrap();
        status.opens_at
    };
    let first = opens(T0);
    let ack = w.queue(&answer("1@y"));
    let mut now = T0;
    for _ in 0..3 {
        now = now.plus(MINUTE * 10);
        assert_eq!(send_next(&w, now, &limit), Some(ack));
        assert_eq!(opens(now), first);
    }
    now = now.plus(MINUTE * 10);
    assert_eq!(send_next(&w, now, &sent()), Some(ack));
    assert_eq!(opens(now), now);
}

#[test]
fn the_claim_reads_due_rows_in_order_of_the_index() {
    let w = World::new();
    let plan = w.tx(|tx| {
        let mut s = tx.conn.prepare(&format!("EXPLAIN QUERY PLAN {DUE_SQL}"))?;
        let rows = s.query_map(params![0, "[]"], |r| r.get::<_, String>(3))?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?.join("\n"))
    });
    assert!(plan.contains("USING INDEX outbox_due"), "{plan}");
    assert!(!plan.contains("USE TEMP B-TREE FOR ORDER BY"), "{plan}");
}
