//! Claims, crashes, retries, giving up, processing again, and the loop.

use super::*;
use crate::model::MailKind;
use crate::store::CLAIM_LEASE;

#[tokio::test]
async fn the_same_job_handled_twice_at_once_queues_one_answer() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    let a = actor(&f);
    // Both attempts hold a claim: the second lease was taken when the first had passed.
    let first = claim(&a, AT).await;
    let second = claim(&a, UtcMs(NOW + MINUTE)).await;
    let (x, y) = tokio::join!(a.work(first, AT, false), a.work(second, AT, false));
    let reports = [x.unwrap(), y.unwrap()];
    assert_eq!(
        reports.iter().filter(|r| r.queued).count(),
        1,
        "{reports:?}"
    );
    assert!(
        reports.iter().all(|r| r.error.is_none()),
        "who comes second met no error: {reports:?}"
    );
    assert_eq!(f.list(KINDS), "acknowledgment, sales_notice");
    assert_eq!(f.text("SELECT state FROM reply_jobs"), "done");
    // Many actors at one queue: each job once.
    for id in 2..=9 {
        f.capture(id, &Captured::default());
    }
    let mut handled = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let a = a.clone();
        handled.spawn(async move { a.handle_one(AT).await.unwrap().is_some() });
    }
    let done = handled.join_all().await.into_iter().filter(|d| *d).count();
    assert_eq!(done, 8);
    assert_eq!(
        f.number("SELECT count(*) FROM outbox WHERE kind = 'acknowledgment'"),
        1
    );
}

async fn claim(a: &ReplyActor, now: UtcMs) -> ClaimedJob {
    a.store
        .write(move |tx| tx.claim_reply_job(now, |_| Duration::from_secs(5)))
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn a_crash_after_the_claim_leaves_the_job_for_later_and_nothing_half_done() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    let a = actor(&f);
    claim(&a, AT).await;
    assert!(a.handle_one(AT).await.unwrap().is_none(), "it is booked");
    assert_eq!(f.number("SELECT count(*) FROM outbox"), 0);
    let report = a.handle_one(UtcMs(NOW + MINUTE)).await.unwrap().unwrap();
    assert!(report.queued);
    assert_eq!(f.list(KINDS), "acknowledgment, sales_notice");
}

#[tokio::test]
async fn processing_again_sends_no_second_mail_unless_resend_is_asked() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    let a = actor(&f);
    a.handle_one(AT).await.unwrap().unwrap();
    let again = a.process(JobId(1), false, UtcMs(NOW + 1)).await.unwrap();
    assert_eq!((again.action, again.queued), (ActionTaken::Skipped, false));
    assert_eq!(f.list(KINDS), "acknowledgment, sales_notice");
    assert_eq!(f.number("SELECT count(*) FROM drafts"), 0);
    let resent = a.process(JobId(1), true, UtcMs(NOW + 2)).await.unwrap();
    assert!(resent.queued, "{:?}", resent.reasons);
    assert_eq!(
        f.list("SELECT kind || round FROM outbox ORDER BY id"),
        "acknowledgment0, sales_notice0, acknowledgment1, sales_notice1"
    );
    assert_eq!(f.number("SELECT count(*) FROM conversations"), 3);
}

#[tokio::test]
async fn a_job_that_cannot_succeed_fails_visibly_and_the_next_is_handled() {
    let f = Fixture::new();
    f.sql(&format!(
        "INSERT INTO accounts (id, name, first_started_at, state_since) VALUES (2, 'gone', {0}, {0})",
        NOW - 2 * DAY
    ));
    f.capture(1, &Captured::default());
    f.lead(2, "Bob", "bob@lead.example", 1);
    f.capture(
        2,
        &Captured {
            campaign_lead: Some(2),
            from: "bob@lead.example",
            ..Captured::default()
        },
    );
    f.sql("UPDATE messages SET account_id = 2 WHERE id = 1");
    let a = actor(&f);
    let failed = a.handle_one(AT).await.unwrap().unwrap();
    assert_eq!(failed.action, ActionTaken::Error);
    assert!(failed.error.unwrap().contains("no longer configured"));
    assert!(a.handle_one(AT).await.unwrap().unwrap().queued);
    assert_eq!(
        f.list("SELECT state FROM reply_jobs ORDER BY id"),
        "failed, done"
    );
    assert!(
        f.text("SELECT error FROM reply_jobs WHERE id = 1")
            .contains("gone")
    );
    assert_eq!(
        f.number(
            "SELECT count(*) FROM conversations WHERE message_ref = 1 AND auto_reply_processed = 1"
        ),
        0
    );
    assert_eq!(f.number("SELECT count(*) FROM outbox WHERE job_id = 1"), 0);
}

#[tokio::test]
async fn what_was_cancelled_is_a_draft_when_it_is_processed_again() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    let a = actor(&f);
    a.handle_one(AT).await.unwrap().unwrap();
    f.sql("UPDATE outbox SET state = 'cancelled' WHERE kind = 'acknowledgment'");
    let again = a.process(JobId(1), false, UtcMs(NOW + 1)).await.unwrap();
    assert_eq!((again.gate, again.queued), ("person", false));
    assert!(
        again
            .reasons
            .iter()
            .any(|r| r.contains("taken back before")),
        "{:?}",
        again.reasons
    );
    assert_eq!(f.list(KINDS), "acknowledgment, sales_notice");
    assert_eq!(
        f.list("SELECT state || ' ' || tool FROM drafts"),
        "open acknowledgment"
    );
    assert_eq!(f.text("SELECT action FROM reply_jobs"), "person");
}

#[tokio::test]
async fn an_acknowledgement_that_has_not_left_is_taken_back_by_the_leads_newer_mail() {
    for (state, left) in [
        ("queued", "cancelled"),
        ("deferred", "cancelled"),
        ("sent", "sent"),
    ] {
        let f = Fixture::new();
        f.capture(1, &Captured::default());
        let a = actor(&f);
        a.handle_one(AT).await.unwrap().unwrap();
        f.sql(&format!(
            "UPDATE outbox SET state = '{state}', attempts = 1 WHERE kind = 'acknowledgment'"
        ));
        f.capture(
            2,
            &Captured {
                text: "Sorry, not interested any more.",
                ..Captured::default()
            },
        );
        a.handle_one(AT).await.unwrap().unwrap();
        assert_eq!(
            f.list("SELECT state FROM outbox WHERE kind = 'acknowledgment'"),
            left
        );
    }
}

#[tokio::test]
async fn an_acknowledgement_due_at_once_stays_here_when_a_newer_reply_is_stored_but_not_read_yet() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    let a = actor(&f);
    a.handle_one(AT).await.unwrap().unwrap();
    f.capture(
        2,
        &Captured {
            text: "Sorry, please forget it.",
            ..Captured::default()
        },
    );
    let claim = a
        .store
        .write(|tx| tx.claim_outbox(UtcMs(NOW + MINUTE), CLAIM_LEASE, &[], None))
        .await
        .unwrap();
    assert_eq!(claim.mail.map(|m| m.kind), Some(MailKind::SalesNotice));
    assert_eq!(
        f.list("SELECT state || ' ' || reason FROM drafts"),
        "open the lead wrote again before it left"
    );
}

#[tokio::test]
async fn an_opt_out_counts_although_its_account_is_gone_and_no_notice_can_be_built() {
    for (text, reason) in [
        ("Please unsubscribe me.", "unsubscribe"),
        ("Delete all my personal data.", "data to be erased"),
        ("Please book me a viewing for Saturday.", ""),
    ] {
        let f = Fixture::new();
        f.sql(&format!(
            "INSERT INTO accounts (id, name, first_started_at, state_since) VALUES (2, 'gone', {0}, {0})",
            NOW - 2 * DAY
        ));
        f.capture(
            1,
            &Captured {
                text,
                ..Captured::default()
            },
        );
        f.sql("UPDATE messages SET account_id = 2 WHERE id = 1");
        let report = actor(&f).handle_one(AT).await.unwrap().unwrap();
        assert!(report.error.unwrap().contains("no longer configured"));
        assert_eq!(f.text("SELECT state FROM reply_jobs"), "failed", "{text}");
        let want = match reason {
            "" => String::new(),
            reason => format!("ann@lead.example {reason}"),
        };
        assert_eq!(
            f.list("SELECT email_key || ' ' || reason FROM suppressions"),
            want,
            "{text}"
        );
    }
    // Given up after errors that might have passed: the text is read once more.
    let f = Fixture::new();
    f.capture(
        1,
        &Captured {
            text: "Please unsubscribe me.",
            ..Captured::default()
        },
    );
    f.sql(&format!("UPDATE reply_jobs SET attempts = {MAX_ATTEMPTS}"));
    actor(&f).handle_one(AT).await.unwrap().unwrap();
    assert_eq!(f.text("SELECT state FROM reply_jobs"), "failed");
    assert_eq!(f.number("SELECT count(*) FROM suppressions"), 1);
}

#[tokio::test]
async fn a_passing_error_keeps_the_job_with_its_reason_until_it_is_given_up() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    f.sql("CREATE TRIGGER broken BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'broken'); END");
    let a = actor(&f);
    let mut now = NOW;
    for attempt in 1..=MAX_ATTEMPTS {
        let report = a.handle_one(UtcMs(now)).await.unwrap().unwrap();
        assert!(report.error.is_some(), "attempt {attempt}");
        assert_eq!(f.text("SELECT state FROM reply_jobs"), "pending");
        assert!(!f.text("SELECT error FROM reply_jobs").is_empty());
        now += 11 * MINUTE;
    }
    a.handle_one(UtcMs(now)).await.unwrap().unwrap();
    assert_eq!(f.text("SELECT state FROM reply_jobs"), "failed");
    assert!(a.handle_one(UtcMs(now + DAY)).await.unwrap().is_none());
    // A person asks again before the cause is mended: the tries begin anew.
    assert!(
        a.process(JobId(1), false, AT)
            .await
            .unwrap()
            .error
            .is_some()
    );
    assert_eq!(f.text("SELECT state FROM reply_jobs"), "pending");
    let next = UtcMs(NOW + 11 * MINUTE);
    let report = a.handle_one(next).await.unwrap().unwrap();
    assert!(report.error.unwrap().contains("broken"));
    assert_eq!(f.text("SELECT state FROM reply_jobs"), "pending");
    // And after it.
    f.sql("DROP TRIGGER broken");
    assert!(a.process(JobId(1), false, AT).await.unwrap().queued);
    assert_eq!(f.text("SELECT state FROM reply_jobs"), "done");
}

#[tokio::test]
async fn a_done_job_may_be_processed_again_as_often_as_one_likes() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    let a = actor(&f);
    for _ in 0..MAX_ATTEMPTS + 5 {
        let report = a.process(JobId(1), false, AT).await.unwrap();
        assert_eq!(report.error, None);
    }
    assert_eq!(f.text("SELECT state FROM reply_jobs"), "done");
    assert_eq!(f.list(KINDS), "acknowledgment, sales_notice");
}

#[tokio::test]
async fn the_loop_handles_what_is_due_and_ends_when_stopped() {
    let f = Fixture::new();
    // The loop reads the real clock.
    let now = crate::time::now().0;
    f.sql(&format!(
        "UPDATE sent_messages SET sent_at = {0}, known_at = {0}; UPDATE accounts SET first_started_at = {0}",
        now - DAY
    ));
    f.capture(
        1,
        &Captured {
            internal_date: now - 1_000,
            ..Captured::default()
        },
    );
    let a = actor(&f);
    let (stop, bell, rung) = (
        CancellationToken::new(),
        Doorbell::default(),
        a.outbox.clone(),
    );
    let task = tokio::spawn({
        let (stop, bell) = (stop.clone(), bell.clone());
        async move { a.run(stop, bell).await }
    });
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, rung.rung())
        .await
        .expect("the outbox is rung");
    f.capture(
        2,
        &Captured {
            text: "How much is it?",
            internal_date: now - 1_000,
            ..Captured::default()
        },
    );
    bell.ring();
    tokio::time::timeout(limit, rung.rung())
        .await
        .expect("and again");
    stop.cancel();
    tokio::time::timeout(limit, task)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(f.list(KINDS), "acknowledgment, sales_notice, sales_notice");
}
