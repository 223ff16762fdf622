//! When sales get a digest, and that they get it once.

use super::*;

#[tokio::test]
async fn a_first_start_sends_nothing_to_leads_and_one_digest_to_sales() {
    let f = Fixture::new();
    for id in 1..=7 {
        f.capture(
            id,
            &Captured {
                source: "first_run",
                old_mail: true,
                internal_date: NOW - id * DAY,
                ..Captured::default()
            },
        );
    }
    f.capture(
        8,
        &Captured {
            disposition: "unmatched",
            campaign_lead: None,
            sent: None,
            source: "first_run",
            old_mail: true,
            ..Captured::default()
        },
    );
    let a = actor(&f);
    assert!(!a.send_due_digest(AT, true).await.unwrap());
    while a.handle_one(AT).await.unwrap().is_some() {
        if f.number("SELECT count(*) FROM reply_jobs WHERE state = 'pending'") > 0 {
            assert!(
                !a.send_due_digest(AT, true).await.unwrap(),
                "the burst is not over"
            );
        }
    }
    assert_eq!(f.number("SELECT count(*) FROM outbox"), 0);
    assert!(a.send_due_digest(AT, true).await.unwrap());
    assert!(!a.send_due_digest(AT, true).await.unwrap(), "once");
    assert!(
        !a.send_due_digest(UtcMs(NOW + 40 * DAY), false)
            .await
            .unwrap()
    );
    assert_eq!(f.list(KINDS), "sales_digest");
    assert_eq!(f.text("SELECT subject FROM outbox"), "8 replies to look at");
    let body = f.text("SELECT body FROM outbox");
    assert!(
        body.contains("Ann Lee <ann@lead.example>, Riverside"),
        "{body}"
    );
    assert!(body.contains("person: 7."), "{body}");
    assert_eq!(f.number("SELECT count(*) FROM drafts"), 7);
    assert_eq!(
        f.number("SELECT count(*) FROM digest_items WHERE outbox_ref IS NULL"),
        0
    );
}

#[tokio::test]
async fn without_a_flush_the_digest_waits_for_quiet_and_unmatched_mail_for_a_day() {
    let f = Fixture::new();
    f.capture(
        1,
        &Captured {
            disposition: "unmatched",
            campaign_lead: None,
            sent: None,
            ..Captured::default()
        },
    );
    let a = actor(&f);
    let report = a.handle_one(AT).await.unwrap().unwrap();
    // As of this very moment, whatever the reading took.
    f.sql(&format!("UPDATE digest_items SET created_at = {NOW}"));
    assert_eq!((report.conversation_id, report.gate), (None, "person"));
    for (ms, flush) in [(MINUTE * 2, false), (MINUTE * 2, true), (DAY - 1, true)] {
        assert!(
            !a.send_due_digest(UtcMs(NOW + ms), flush).await.unwrap(),
            "{ms} {flush}"
        );
    }
    f.capture(
        2,
        &Captured {
            old_mail: true,
            ..Captured::default()
        },
    );
    a.handle_one(AT).await.unwrap().unwrap();
    f.sql(&format!("UPDATE digest_items SET created_at = {NOW}"));
    assert!(
        !a.send_due_digest(UtcMs(NOW + MINUTE - 1), false)
            .await
            .unwrap()
    );
    assert!(a.send_due_digest(UtcMs(NOW + MINUTE), false).await.unwrap());
    assert_eq!(
        f.text("SELECT subject FROM outbox"),
        "2 replies to look at",
        "it tells all"
    );
    f.capture(
        3,
        &Captured {
            disposition: "unmatched",
            campaign_lead: None,
            sent: None,
            ..Captured::default()
        },
    );
    a.handle_one(AT).await.unwrap().unwrap();
    f.sql(&format!("UPDATE digest_items SET created_at = {NOW}"));
    assert!(a.send_due_digest(UtcMs(NOW + DAY), false).await.unwrap());
}

#[tokio::test]
async fn over_the_hourly_cap_notices_become_one_digest() {
    let f = Fixture::new();
    let a = actor_with(&f, |s| s.reply.sales_notices_per_hour = 2);
    for id in 1..=5 {
        if id > 1 {
            f.lead(id, "Lead", &format!("l{id}@lead.example"), 1);
        }
        f.capture(
            id,
            &Captured {
                campaign_lead: Some(id),
                text: "Is there parking?",
                ..Captured::default()
            },
        );
        a.handle_one(AT).await.unwrap().unwrap();
    }
    assert_eq!(f.list(KINDS), "sales_notice, sales_notice");
    f.sql(&format!(
        "UPDATE digest_items SET created_at = {NOW}; UPDATE outbox SET created_at = {NOW}"
    ));
    assert!(
        !a.send_due_digest(UtcMs(NOW + 59 * MINUTE), true)
            .await
            .unwrap()
    );
    assert!(
        a.send_due_digest(UtcMs(NOW + 60 * MINUTE), false)
            .await
            .unwrap()
    );
    assert_eq!(f.list(KINDS), "sales_notice, sales_notice, sales_digest");
}

#[tokio::test]
async fn replies_beyond_the_room_of_one_digest_are_not_told_until_the_next() {
    let f = Fixture::new();
    for id in 1..=205 {
        f.capture(id, &Captured::default());
    }
    f.sql(&format!(
        "UPDATE reply_jobs SET state = 'done';
         INSERT INTO conversations (campaign_lead_id, sender, message, created_at, message_ref)
             SELECT 1, 'customer', 'x', 0, id FROM messages;
         INSERT INTO digest_items (message_id, reason, created_at)
             SELECT id, 'old_mail', {NOW} FROM messages;
         INSERT INTO digest_items (message_id, reason, created_at) VALUES (1, 'unmatched', {NOW})"
    ));
    let a = actor(&f);
    let told = "SELECT count(*) FROM conversations WHERE sales_team_notified = 1";
    let mut expected = 0;
    for lines in [200, 5] {
        assert!(a.send_due_digest(AT, true).await.unwrap());
        let body = f.text("SELECT body FROM outbox ORDER BY id DESC LIMIT 1");
        assert_eq!(body.matches("received 20").count(), lines, "{body}");
        assert_eq!(body.contains("and 5 more"), lines == 200);
        let claim = f
            .store
            .write(|tx| tx.claim_outbox(AT, Duration::from_secs(60), &[], None))
            .await
            .unwrap();
        let sent = crate::store::Verdict::Sent {
            code: 250,
            text: String::new(),
            provider_id: None,
            aliases: Vec::new(),
        };
        let attempt = claim.mail.unwrap().attempt;
        f.store
            .write(move |tx| tx.record_outcome(&attempt, &sent, AT))
            .await
            .unwrap();
        expected += i64::try_from(lines).unwrap();
        assert_eq!(f.number(told), expected);
    }
    assert!(!a.send_due_digest(AT, true).await.unwrap());
}

/// Waiting for a digest: a reply of old mail.
fn waiting(f: &Fixture) {
    f.capture(1, &Captured::default());
    f.sql(&format!(
        "UPDATE reply_jobs SET state = 'done';
         INSERT INTO digest_items (message_id, reason, created_at) VALUES (1, 'old_mail', {NOW})"
    ));
}

#[tokio::test]
async fn a_digest_of_an_account_that_was_removed_leaves_through_the_first_that_is_left() {
    let f = Fixture::new();
    waiting(&f);
    let a = actor_with(&f, |s| s.accounts[0].name = "other".into());
    assert!(a.send_due_digest(AT, true).await.unwrap());
    assert_eq!(
        f.text("SELECT a.name FROM outbox o JOIN accounts a ON a.id = o.account_id"),
        "other"
    );
}

#[tokio::test]
async fn a_digest_that_cannot_be_built_is_noted_and_tried_once_an_hour_and_stops_nothing_else() {
    let f = Fixture::new();
    waiting(&f);
    let broken = actor_with(&f, |s| s.reply.sales_email = "no address".into());
    let whole = actor(&f);
    let failure = || f.store.read(|r| r.digest_failure());
    assert!(!broken.send_due_digest(AT, true).await.unwrap());
    let noted = failure().await.unwrap().unwrap();
    assert_eq!(noted.at, AT);
    assert!(!noted.reason.contains("no address"), "{}", noted.reason);
    // Within the hour nobody tries, also not another process.
    let later = |ms| UtcMs(NOW + ms);
    assert!(
        !whole
            .send_due_digest(later(59 * MINUTE), true)
            .await
            .unwrap()
    );
    assert!(
        !broken
            .send_due_digest(later(60 * MINUTE), true)
            .await
            .unwrap()
    );
    assert_eq!(failure().await.unwrap().unwrap().at, later(60 * MINUTE));
    assert!(
        whole
            .send_due_digest(later(120 * MINUTE), true)
            .await
            .unwrap()
    );
    assert_eq!(failure().await.unwrap(), None);
    assert_eq!(f.list(KINDS), "sales_digest");
}
