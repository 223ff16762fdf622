use super::*;
use crate::model::OutboxId;
use crate::store::fixture::{Captured, Fixture, NOW};
use crate::store::{NewConversation, Speaker, Windows};

const LEASE: Duration = Duration::from_secs(5);

fn at(ms: i64) -> UtcMs {
    UtcMs(NOW + ms)
}

async fn claim(f: &Fixture, now: UtcMs) -> Option<ClaimedJob> {
    f.store
        .write(move |tx| tx.claim_reply_job(now, |_| LEASE))
        .await
        .unwrap()
}

fn outcome() -> JobOutcome {
    JobOutcome {
        intent: Intent::Question,
        confidence: 0.5,
        goal_type: None,
        action: "person",
        reasons: vec!["because".into()],
        flagged: false,
        contact: String::new(),
    }
}

#[tokio::test]
async fn an_attempt_is_booked_before_it_is_made_and_comes_back_after_its_lease() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    let first = claim(&f, at(0)).await.unwrap();
    assert_eq!((first.id, first.attempts), (JobId(1), 1));
    assert_eq!(claim(&f, at(4_999)).await, None, "it is booked");
    assert_eq!(
        f.store.read(|r| r.next_reply_due()).await.unwrap(),
        Some(at(5_000))
    );
    let second = claim(&f, at(5_000)).await.unwrap();
    assert_eq!((second.id, second.attempts), (JobId(1), 2));
}

#[tokio::test]
async fn the_job_due_longest_is_first_and_a_failing_one_does_not_stand_in_the_way() {
    let f = Fixture::new();
    for id in 1..=3 {
        f.capture(id, &Captured::default());
    }
    let mut order = Vec::new();
    while let Some(job) = claim(&f, at(0)).await {
        order.push(job.id.0);
    }
    assert_eq!(order, [1, 2, 3]);
}

#[tokio::test]
async fn who_lost_the_lease_can_neither_finish_nor_fail_the_job() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    let slow = claim(&f, at(0)).await.unwrap();
    let quick = claim(&f, at(6_000)).await.unwrap();
    let finish = |job: ClaimedJob| {
        f.store
            .write(move |tx| tx.finish_job(&job, &outcome(), at(0)))
    };
    assert!(matches!(finish(slow).await, Err(StoreError::Stale(_))));
    let failed = f
        .store
        .write(move |tx| tx.fail_job(&slow, "x", at(0)))
        .await;
    assert!(matches!(failed, Err(StoreError::Stale(_))));
    finish(quick).await.unwrap();
    assert!(
        matches!(finish(quick).await, Err(StoreError::Stale(_))),
        "only once"
    );
    assert_eq!(
        f.text("SELECT state || action || intent || reasons FROM reply_jobs"),
        "donepersonquestion[\"because\"]"
    );
}

#[tokio::test]
async fn a_reopened_job_counts_its_tries_anew_and_never_gives_a_booking_a_second_time() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    let slow = claim(&f, at(0)).await.unwrap();
    let second = claim(&f, at(10 * 60_000)).await.unwrap();
    f.store
        .write(move |tx| {
            tx.finish_job(&second, &outcome(), at(0))?;
            tx.reopen_reply_job(MessageRowId(1), at(0))
        })
        .await
        .unwrap();
    let third = claim(&f, at(0)).await.unwrap();
    assert_eq!((third.attempts, third.tries), (3, 1));
    let late = f
        .store
        .write(move |tx| tx.finish_job(&slow, &outcome(), at(0)))
        .await;
    assert!(matches!(late, Err(StoreError::Stale(_))));
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_stall_the_queue() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    let hour_before = at(-3_600_000);
    assert!(claim(&f, hour_before).await.is_some());
    assert_eq!(
        claim(&f, hour_before).await,
        None,
        "but it is booked like any other"
    );
}

#[tokio::test]
async fn a_message_has_one_job() {
    let f = Fixture::new();
    f.capture(7, &Captured::default());
    let id = f
        .store
        .write(|tx| tx.insert_reply_job(MessageRowId(7), true, at(9)))
        .await
        .unwrap();
    assert_eq!(id, JobId(7));
    assert_eq!(f.number("SELECT old_mail FROM reply_jobs"), 0);
}

#[tokio::test]
async fn a_failed_job_is_counted_and_taken_up_by_process_with_its_conversation_unprocessed() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    f.capture(2, &Captured::default());
    f.sql(
        "INSERT INTO conversations (campaign_lead_id, sender, message, created_at, message_ref)
           VALUES (1, 'customer', 'x', 0, 1), (1, 'customer', 'y', 0, 2)",
    );
    for id in [1, 2] {
        let job = claim(&f, at(0)).await.unwrap();
        f.store
            .write(move |tx| {
                if id == 1 {
                    tx.fail_job(&job, "no", at(0))
                } else {
                    tx.finish_job(&job, &outcome(), at(0))
                }
            })
            .await
            .unwrap();
    }
    assert_eq!(
        f.list("SELECT message FROM conversations WHERE auto_reply_processed = 0"),
        "x"
    );
    let counts = f.store.read(|r| r.reply_counts()).await.unwrap();
    assert_eq!((counts.pending, counts.failed), (0, 1));
    let ids = |force| f.store.read(move |r| r.pending_replies(50, force));
    assert_eq!(ids(false).await.unwrap(), [JobId(1)]);
    assert_eq!(ids(true).await.unwrap(), [JobId(1), JobId(2)]);
    let again = f
        .store
        .write(|tx| tx.claim_this_job(JobId(2), at(0), |_| LEASE))
        .await
        .unwrap();
    assert_eq!(again.attempts, 2);
    assert_eq!(
        f.number("SELECT count(*) FROM reply_jobs WHERE state = 'pending'"),
        1
    );
    let missing = f
        .store
        .write(|tx| tx.claim_this_job(JobId(99), at(0), |_| LEASE))
        .await;
    assert!(matches!(missing, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn the_context_holds_the_reply_its_thread_and_what_was_sent() {
    let f = Fixture::new();
    f.sql("UPDATE campaigns SET sender_name = ''; UPDATE leads SET project_name = 'Old Mill'");
    f.capture(1, &Captured::default());
    let c = f.store.read(|r| r.job_context(JobId(1))).await.unwrap();
    assert_eq!(
        (c.account_name.as_str(), c.message_key.as_str()),
        ("main", "reply1@lead.example")
    );
    assert_eq!(c.matched.as_ref().unwrap().id_key, "first@example.com");
    let t = c.thread.unwrap();
    assert_eq!(t.project, "Riverside", "the campaign's project comes first");
    assert_eq!(
        t.sender_name, "Spring",
        "without a sender the campaign signs"
    );
    assert_eq!(t.lead_phone, "+44 20 7946 0000");
    assert_eq!(t.last_sent_body, "Would you like to book a viewing?");
    assert!(!t.person_wrote && !t.answered && !t.equal_reply_before && !t.suppressed);
    let missing = f.store.read(|r| r.job_context(JobId(9))).await;
    assert!(matches!(missing, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn a_nature_that_this_version_does_not_know_is_an_error_and_not_a_person() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    f.sql("UPDATE messages SET nature = 'machine_of_tomorrow'");
    let unknown = f.store.read(|r| r.job_context(JobId(1))).await;
    assert!(matches!(unknown, Err(StoreError::Invalid(_))));
    f.sql("UPDATE messages SET nature = ''");
    let unread = f.store.read(|r| r.job_context(JobId(1))).await.unwrap();
    assert_eq!(unread.nature, None);
}

#[tokio::test]
async fn the_context_sees_people_repetitions_and_suppressions() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    f.capture(2, &Captured::default());
    f.sql("INSERT INTO sent_messages (campaign_lead_id, kind, sent_at, known_at) VALUES (1, 'manual', 5, 5)");
    f.store
        .write(|tx| {
            tx.suppress(
                "ann@lead.example",
                "unsubscribe",
                Some(MessageRowId(1)),
                at(0),
            )
        })
        .await
        .unwrap();
    let t = f
        .store
        .read(|r| r.job_context(JobId(2)))
        .await
        .unwrap()
        .thread
        .unwrap();
    assert!(t.person_wrote && t.answered && t.equal_reply_before && t.suppressed);
    assert!(
        f.store
            .read(|r| r.is_suppressed("ann@lead.example"))
            .await
            .unwrap()
    );
    assert!(
        !f.store
            .read(|r| r.is_suppressed("bob@lead.example"))
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_copy_of_a_colleagues_mail_in_the_thread_is_a_person_and_our_own_mail_seen_again_is_not()
{
    async fn person_wrote(copy: &Captured, change: &str) -> bool {
        let f = Fixture::new();
        f.capture(1, copy);
        f.capture(2, &Captured::default());
        f.sql(change);
        let context = f.store.read(|r| r.job_context(JobId(2))).await.unwrap();
        context.thread.unwrap().person_wrote
    }
    let internal = Captured {
        disposition: "internal",
        from: "",
        text: "",
        ..Captured::default()
    };
    let own = Captured {
        disposition: "own_mail",
        nature: "own",
        ..internal.clone()
    };
    assert!(person_wrote(&internal, "").await);
    assert!(person_wrote(&own, "").await);
    // The same mail in another thread says nothing of this one.
    let elsewhere = Captured {
        campaign_lead: None,
        sent: None,
        ..own.clone()
    };
    assert!(!person_wrote(&elsewhere, "").await);
    // What we sent ourselves: to the lead, or a notice.
    let known =
        "INSERT INTO sent_ids (id_key, sent_id, source) VALUES ('reply1@lead.example', 1, 'own')";
    assert!(!person_wrote(&own, known).await);
    let notice = "INSERT INTO outbox (account_id, kind, automatic, rfc_message_id, envelope_from, envelope_to,
            subject, body, body_digest, raw, next_attempt_at, created_at)
        VALUES (1, 'sales_notice', 0, 'reply1@lead.example', 'a@example.com', 'b@example.com',
            's', 'b', 'd', x'00', 0, 0)";
    assert!(!person_wrote(&own, notice).await);
    // A colleague's vacation notice.
    let vacation = Captured {
        nature: "automatic",
        ..internal.clone()
    };
    assert!(!person_wrote(&vacation, "").await);
    // A lead's own reply is none of ours.
    assert!(!person_wrote(&Captured::default(), "").await);
}

#[tokio::test]
async fn a_mail_that_a_person_approved_is_a_persons_and_an_automatic_one_is_not() {
    for (automatic, expected) in [(0, true), (1, false)] {
        let f = Fixture::new();
        f.capture(1, &Captured::default());
        f.sql(&format!(
            "INSERT INTO outbox (id, account_id, kind, automatic, rfc_message_id, envelope_from, envelope_to,
                 subject, body, body_digest, raw, next_attempt_at, created_at)
                 VALUES (1, 1, 'acknowledgment', {automatic}, 'x@example.com', 'a@example.com',
                 'ann@lead.example', 's', 'b', 'd', x'00', 0, 0);
             INSERT INTO sent_messages (campaign_lead_id, kind, sent_at, known_at, outbox_ref)
                 VALUES (1, 'acknowledgment', 5, 5, 1)"
        ));
        let context = f.store.read(|r| r.job_context(JobId(1))).await.unwrap();
        assert_eq!(context.thread.unwrap().person_wrote, expected);
    }
}

#[tokio::test]
async fn brakes_count_a_person_as_one_lead_over_campaigns_and_leave_out_what_was_withdrawn() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    f.sql("INSERT INTO campaigns (id, name, created_at, updated_at) VALUES (2, 'Autumn', 0, 0)");
    f.lead(2, "Ann again", "ann@lead.example", 2);
    f.lead(3, "Bob", "bob@lead.example", 2);
    let hour = 3_600_000;
    for (n, thread, ago, state) in [
        (1, 1, 60_000, "sent"),
        (2, 2, 5 * 60_000, "unknown"),
        (3, 2, 2 * hour, "sent"),
        (4, 1, 48 * hour, "sent"),
        (5, 3, 60_000, "sent"),
        (6, 1, 60_000, "cancelled"),
    ] {
        f.sql(&format!(
            "INSERT INTO outbox (account_id, kind, campaign_lead_id, automatic, rfc_message_id, envelope_from,
                 envelope_to, subject, body, body_digest, raw, state, next_attempt_at, created_at)
             VALUES (1, 'acknowledgment', {thread}, 1, 'm{n}@x', 'a@x', 'b@x', '', '', 'same', x'', '{state}', 0, {})",
            NOW - ago
        ));
    }
    f.sql(&format!(
        "INSERT INTO outbox (account_id, kind, automatic, rfc_message_id, envelope_from,
             envelope_to, subject, body, body_digest, raw, next_attempt_at, created_at)
         VALUES (1, 'sales_notice', 0, 'n1@x', 'a@x', 'b@x', '', '', '', x'', 0, {0}),
                (1, 'sales_digest', 0, 'n2@x', 'a@x', 'b@x', '', '', '', x'', 0, {0}),
                (1, 'sales_notice', 0, 'n3@x', 'a@x', 'b@x', '', '', '', x'', 0, {1})",
        NOW - 60_000,
        NOW - 2 * hour
    ));
    let counts = f
        .store
        .read(|r| {
            let t = r.job_context(JobId(1))?.thread.unwrap();
            let windows = Windows {
                gap: Duration::from_secs(600),
                day: Duration::from_secs(86_400),
                hour: Duration::from_secs(3_600),
            };
            r.automatic_mails(JobId(1), &t, crate::model::AccountId(1), at(0), windows)
        })
        .await
        .unwrap();
    assert_eq!((counts.lead_in_gap, counts.lead_in_day), (2, 3));
    assert_eq!((counts.in_thread, counts.account_in_day), (2, 4));
    assert_eq!((counts.for_job, counts.notices_in_hour), (0, 1));
    let same = |digest: &'static str| {
        f.store
            .read(move |r| r.same_text_sent(crate::model::CampaignLeadId(1), digest, JobId(1)))
    };
    assert!(same("same").await.unwrap() && !same("other").await.unwrap());
}

#[tokio::test]
async fn one_captured_mail_and_one_outbox_row_have_one_line_each() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    let line = || NewConversation {
        campaign_lead_id: crate::model::CampaignLeadId(1),
        sender: Speaker::Customer,
        message: "hi",
        agent_tool_used: "",
        email_message_id: "reply1@lead.example",
        email_in_reply_to: "",
        created_at: at(0),
        message_ref: Some(MessageRowId(1)),
        outbox_ref: None::<OutboxId>,
    };
    let first = f
        .store
        .write(move |tx| tx.insert_conversation(&line()))
        .await
        .unwrap();
    let second = f
        .store
        .write(move |tx| tx.insert_conversation(&line()))
        .await
        .unwrap();
    let crate::model::Inserted::New(id) = first else {
        panic!("{first:?}");
    };
    assert_eq!(second, crate::model::Inserted::Duplicate(id));
}

#[tokio::test]
async fn the_queue_is_read_by_its_index() {
    let f = Fixture::new();
    for (sql, index) in [
        ("SELECT min(next_attempt_at) FROM reply_jobs WHERE state = 'pending'", "reply_jobs_due"),
        (
            "SELECT id FROM reply_jobs WHERE state = 'pending' AND (next_attempt_at <= 1 OR next_attempt_at > 2)
             ORDER BY next_attempt_at, id LIMIT 1",
            "reply_jobs_due",
        ),
        (
            "SELECT count(*) FROM outbox WHERE kind IN ('sales_notice', 'sales_digest') AND kind = 'sales_notice'
               AND created_at > 1",
            "outbox_notices",
        ),
        (
            "SELECT count(*) FROM outbox WHERE campaign_lead_id = 1 AND automatic = 1 AND state <> 'cancelled'",
            "outbox_brakes",
        ),
    ] {
        let plan = f.plan(sql);
        assert!(plan.contains(index), "{plan}");
    }
}

#[tokio::test]
async fn a_booking_does_not_wait_for_the_disk_and_what_follows_does() {
    const FULL: i64 = 2;
    const NORMAL: i64 = 1;
    fn level(tx: &Tx<'_>) -> i64 {
        tx.conn
            .pragma_query_value(None, "synchronous", |row| row.get(0))
            .unwrap()
    }
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    let store = &f.store;
    let write = || store.write(|tx| Ok::<_, StoreError>(level(tx)));
    assert_eq!(write().await.unwrap(), FULL);
    let booked = store.book(|tx| {
        assert_eq!(level(tx), NORMAL);
        tx.claim_reply_job(at(0), |_| Duration::from_secs(60))
    });
    assert!(booked.await.unwrap().is_some());
    assert_eq!(write().await.unwrap(), FULL);
    // Everybody sees it.
    let due = store.read(|r| r.is_reply_due(at(0))).await;
    assert!(!due.unwrap(), "booked");
    let failed = store
        .book(|_| Err::<(), _>(StoreError::Stale("x".into())))
        .await;
    assert!(failed.is_err());
    assert_eq!(write().await.unwrap(), FULL);
}
