//! What was decided stays decided: by a person, by a newer reply, by an earlier attempt, by the same
//! mail in another mailbox.

use super::*;

const NOT_NOW: &str = "Not now, please ask me again in May.";

fn later(minutes: i64) -> UtcMs {
    UtcMs(NOW + minutes * MINUTE)
}

fn mails(f: &Fixture) -> i64 {
    f.number("SELECT count(*) FROM outbox WHERE kind IN ('acknowledgment', 'answer')")
}

/// A wish that waits as a draft, because automation was off.
async fn drafted() -> (Fixture, ReplyActor) {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    f.sql("UPDATE campaigns SET mode = 'draft'");
    let a = actor(&f);
    let report = a.handle_one(AT).await.unwrap().unwrap();
    assert_eq!(report.gate, "person", "{:?}", report.reasons);
    assert_eq!(
        f.number("SELECT count(*) FROM drafts WHERE state = 'open'"),
        1
    );
    f.sql("UPDATE campaigns SET mode = 'auto'");
    (f, a)
}

#[tokio::test]
async fn what_a_person_rejected_or_labelled_is_never_sent_by_itself() {
    for (what, sql) in [
        (
            "its draft was rejected",
            "UPDATE drafts SET state = 'rejected'",
        ),
        (
            "labelled goal_reached",
            "INSERT INTO corrections (message_id, intent, goal_type, was_intent, was_goal_type,
                 was_confidence, made_at) VALUES (1, 'goal_reached', 'viewing', '', '', 0, 0)",
        ),
        (
            "labelled not_interested",
            "INSERT INTO corrections (message_id, intent, goal_type, was_intent, was_goal_type,
                 was_confidence, made_at) VALUES (1, 'not_interested', '', '', '', 0, 0)",
        ),
    ] {
        for resend in [false, true] {
            let (f, a) = drafted().await;
            f.sql(sql);
            let report = a.process(JobId(1), resend, later(1)).await.unwrap();
            assert_eq!(mails(&f), 0, "{what}, {resend}: {:?}", report.reasons);
            if what.ends_with("not_interested") {
                // The person's word takes the place of what was read.
                assert_eq!(report.intent, Some(Intent::NotInterested));
                assert_eq!(f.text("SELECT pause_reason FROM leads"), "said no");
            } else {
                let why = format!("a person has decided it: {what}");
                assert!(report.reasons.contains(&why), "{:?}", report.reasons);
            }
        }
    }
    // Without a person's word it leaves.
    let (f, a) = drafted().await;
    a.process(JobId(1), false, later(1)).await.unwrap();
    assert_eq!(mails(&f), 1);
}

#[tokio::test]
async fn deciding_all_again_does_not_end_the_pause_of_a_newer_not_now() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    let a = actor(&f);
    a.handle_one(AT).await.unwrap().unwrap();
    f.capture(
        2,
        &Captured {
            text: NOT_NOW,
            internal_date: NOW,
            ..Captured::default()
        },
    );
    a.handle_one(later(1)).await.unwrap().unwrap();
    let pause = "SELECT coalesce(paused_until, 0) FROM leads";
    let until = f.number(pause);
    assert!(until > NOW, "{until}");
    // In whichever order, with --resend too.
    for (job, resend) in [(2, false), (1, false), (1, true)] {
        let report = a.process(JobId(job), resend, later(2)).await.unwrap();
        assert_eq!(f.number(pause), until, "{job}: {:?}", report.reasons);
    }
    assert_eq!(
        f.list("SELECT kind FROM outbox WHERE round > 0 AND kind <> 'sales_notice'"),
        "",
        "the newer reply stands against a second mail"
    );
}

#[tokio::test]
async fn an_older_not_now_or_absence_does_not_pause_who_wants_something_since() {
    for (text, disposition, nature) in [
        (NOT_NOW, "reply", "human"),
        ("I am on holiday.", "auto_reply", "automatic"),
    ] {
        let f = Fixture::new();
        f.capture(
            1,
            &Captured {
                text,
                disposition,
                nature,
                ..Captured::default()
            },
        );
        let a = actor(&f);
        a.handle_one(AT).await.unwrap().unwrap();
        let pause = "SELECT coalesce(paused_until, 0) FROM leads";
        assert!(f.number(pause) > NOW, "{text}");
        f.capture(
            2,
            &Captured {
                internal_date: NOW,
                ..Captured::default()
            },
        );
        a.handle_one(later(1)).await.unwrap().unwrap();
        assert_eq!(f.number(pause), 0, "{text}");
        a.process(JobId(1), false, later(2)).await.unwrap();
        assert_eq!(f.number(pause), 0, "{text}");
    }
}

#[tokio::test]
async fn what_was_sent_keeps_its_decision_and_nobody_is_told_again() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    let a = actor(&f);
    a.handle_one(AT).await.unwrap().unwrap();
    let decision =
        "SELECT state || ' ' || intent || ' ' || action || ' ' || done_at FROM reply_jobs";
    let (before, reasons) = (f.text(decision), f.text("SELECT reasons FROM reply_jobs"));
    for n in 1..=3 {
        a.process(JobId(1), false, later(n)).await.unwrap();
    }
    assert_eq!(f.text(decision), before);
    let kept = f.text("SELECT reasons FROM reply_jobs");
    let first = reasons.trim_end_matches(']');
    assert!(kept.starts_with(first), "{kept}");
    assert_eq!(kept.matches("decided again: ").count(), 1, "{kept}");
    assert_eq!(f.list(KINDS), "acknowledgment, sales_notice");
}

#[tokio::test]
async fn a_notice_that_was_never_due_is_not_made_by_deciding_again() {
    let f = Fixture::new();
    f.capture(
        1,
        &Captured {
            text: "Thank you.",
            ..Captured::default()
        },
    );
    let a = actor(&f);
    a.handle_one(AT).await.unwrap().unwrap();
    // Read otherwise today.
    f.sql("UPDATE messages SET visible_text = 'My lawyer will sue you for this.'");
    let (notices, digest) = (
        "SELECT count(*) FROM outbox WHERE kind = 'sales_notice'",
        "SELECT count(*) FROM digest_items",
    );
    let had = (f.number(notices), f.number(digest));
    let report = a.process(JobId(1), false, later(1)).await.unwrap();
    assert!(!report.queued, "{:?}", report.reasons);
    assert_eq!((f.number(notices), f.number(digest)), had);
}

#[tokio::test]
async fn a_decided_reply_of_an_account_that_is_gone_stays_decided() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    let a = actor(&f);
    a.handle_one(AT).await.unwrap().unwrap();
    f.sql("UPDATE accounts SET name = 'gone'");
    let report = a.process(JobId(1), true, later(11)).await.unwrap();
    assert!(report.error.is_some(), "{:?}", report.reasons);
    assert_eq!(
        f.text("SELECT state || ' ' || action FROM reply_jobs"),
        "done acknowledge"
    );
    assert!(
        f.text("SELECT reasons FROM reply_jobs")
            .contains("decided again: failed (")
    );
}

#[tokio::test]
async fn the_same_mail_in_two_mailboxes_is_answered_and_told_once() {
    let f = Fixture::new();
    f.sql(&format!(
        "INSERT INTO accounts (id, name, first_started_at, state_since) VALUES (2, 'second', {0}, {0})",
        NOW - 2 * DAY
    ));
    f.capture(1, &Captured::default());
    f.capture(2, &Captured::default());
    f.sql(
        "UPDATE messages SET account_id = 2, message_key = 'reply1@lead.example',
             content_digest = 'd1' WHERE id = 2",
    );
    let a = actor(&f);
    assert!(a.handle_one(AT).await.unwrap().unwrap().queued);
    let second = a.handle_one(AT).await.unwrap().unwrap();
    assert_eq!((second.gate, second.queued), ("nothing", false));
    assert!(
        second
            .reasons
            .iter()
            .any(|r| r.contains("the same mail as message 1")),
        "{:?}",
        second.reasons
    );
    // The copy is no newer reply: nothing is taken back for it.
    assert_eq!(
        f.list("SELECT kind || ' ' || state FROM outbox ORDER BY id"),
        "acknowledgment queued, sales_notice queued"
    );
    assert_eq!(f.number("SELECT count(*) FROM drafts"), 0);
    // What answers the one answers the other, for the desk as well.
    let standing = f
        .store
        .read(|r| {
            r.standing(
                crate::model::CampaignLeadId(1),
                JobId(2),
                AT,
                "ann@lead.example",
            )
        })
        .await
        .unwrap();
    assert!(standing.answered.is_some(), "{standing:?}");
    // The first one failed: nobody has handled it, so this one is.
    f.sql("DELETE FROM drafts; UPDATE reply_jobs SET state = 'failed' WHERE id = 1");
    let alone = a.process(JobId(2), false, later(11)).await;
    assert!(
        !alone
            .unwrap()
            .reasons
            .iter()
            .any(|r| r.contains("the same mail as")),
    );
}
