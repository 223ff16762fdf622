//! What people do with conversations.

use std::sync::Arc;

use super::tests::{AT, desk};
use super::*;
use crate::desk::OwnAnswer;
use crate::model::{Access, CampaignId, CampaignLeadId, MessageRowId};
use crate::store::fixture::{Captured, Fixture, NOW};

const THREAD: CampaignLeadId = CampaignLeadId(1);
const DAY_MS: i64 = 24 * 3600 * 1000;

fn own(body: &str) -> OwnAnswer {
    OwnAnswer {
        thread: THREAD,
        subject: None,
        body: body.into(),
        by: "eve".into(),
        to: None,
        anyway: false,
        to_suppressed: false,
    }
}

/// A reply that was left to a person.
fn left_to_a_person() -> (Fixture, Desk) {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    f.sql(&format!(
        "INSERT INTO conversations (campaign_lead_id, sender, message, created_at, message_ref)
             VALUES (1, 'customer', 'Are dogs allowed?', {NOW}, 1);
         UPDATE reply_jobs SET state = 'done', intent = 'question', action = 'person'"
    ));
    let desk = desk(&f);
    (f, desk)
}

fn waits(f: &Fixture) -> i64 {
    f.number("SELECT coalesce((SELECT person FROM inbox WHERE campaign_lead_id = 1), 0)")
}

#[tokio::test]
async fn a_persons_own_answer_leaves_in_the_thread_as_a_persons_mail() {
    let (f, desk) = left_to_a_person();
    let sent = desk
        .answer(own("Dear Ann,\n\nyes.\n\nEve\n"), Access::All, AT)
        .await
        .unwrap();
    assert!(sent.subject.starts_with("Re: "), "{}", sent.subject);
    assert_eq!(
        f.list("SELECT kind || ' ' || automatic || ' ' || state FROM outbox"),
        "manual 0 queued"
    );
    let body = f.text("SELECT body FROM outbox");
    assert!(body.starts_with("Dear Ann,"), "{body}");
    assert_eq!(
        f.list("SELECT state || ' ' || decided_by || ' ' || tool FROM drafts"),
        "approved eve manual"
    );
    assert_eq!(
        f.number("SELECT count(*) FROM events WHERE kind = 'changed'"),
        1
    );
    // Once more by mistake: the reply has its mail.
    let again = desk.answer(own("Dear Ann"), Access::All, AT).await;
    assert!(matches!(again, Err(DeskError::Against(_))), "{again:?}");
    assert_eq!(f.number("SELECT count(*) FROM outbox"), 1);
}

#[tokio::test]
async fn an_own_answer_uses_up_the_draft_that_waits_and_is_refused_where_it_cannot_be() {
    let (f, desk) = left_to_a_person();
    f.sql(&format!(
        "INSERT INTO drafts (job_id, campaign_lead_id, message_id, subject, body, reason, tool,
             created_at)
         VALUES (1, 1, 1, 'Re: Riverside', 'Dear Ann,\n\nTwo cats.\n', 'a brake', 'document_rag', {NOW})"
    ));
    desk.answer(own("My own words.\n"), Access::All, AT)
        .await
        .unwrap();
    assert_eq!(
        f.list("SELECT state || ' ' || trim(body, char(10)) FROM drafts"),
        "approved My own words."
    );
    let empty = Fixture::new();
    let nobody = super::tests::desk(&empty);
    let refused = nobody.answer(own("Hello"), Access::All, AT).await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("Nobody has written")
    );
    let foreign = Access::Campaigns(Arc::from([CampaignId(77)]));
    for refused in [
        desk.answer(own("Hello"), foreign.clone(), AT).await.err(),
        desk.handled(THREAD, foreign.clone(), "eve", AT).await.err(),
        desk.hand_over(THREAD, foreign.clone(), "eve", AT)
            .await
            .err(),
        desk.take_back(THREAD, foreign.clone(), AT).await.err(),
        desk.snooze(THREAD, UtcMs(AT.0 + DAY_MS), foreign.clone(), "eve", AT)
            .await
            .err(),
        desk.reattach(MessageRowId(1), None, false, foreign, "eve", AT)
            .await
            .err(),
    ] {
        let why = refused.unwrap().to_string();
        assert!(why.contains("not found"), "{why}");
    }
}

#[tokio::test]
async fn what_is_handled_waits_no_more_until_a_new_reply_is_left_to_a_person() {
    let (f, desk) = left_to_a_person();
    assert_eq!(waits(&f), 1);
    desk.handled(THREAD, Access::All, "eve", AT).await.unwrap();
    assert_eq!(waits(&f), 0);
    // Counted anew for another reason: it stays settled.
    f.sql("UPDATE reply_jobs SET intent = 'neutral'");
    assert_eq!(waits(&f), 0);
    f.capture(2, &Captured::default());
    f.sql("UPDATE reply_jobs SET state = 'done', action = 'person' WHERE message_id = 2");
    assert_eq!(waits(&f), 1);
}

#[tokio::test]
async fn what_is_put_off_comes_back_at_its_time_and_not_after_an_answer() {
    for answered in [false, true] {
        let (f, desk) = left_to_a_person();
        let until = UtcMs(AT.0 + DAY_MS);
        desk.snooze(THREAD, until, Access::All, "eve", AT)
            .await
            .unwrap();
        assert_eq!(waits(&f), 0);
        if answered {
            desk.answer(own("Hello"), Access::All, AT).await.unwrap();
        }
        let early = f.store.wake_due_snoozes(UtcMs(until.0 - 1)).await.unwrap();
        assert_eq!((early, waits(&f)), (0, 0));
        let woken = f.store.wake_due_snoozes(until).await.unwrap();
        let expected = usize::from(!answered);
        assert_eq!((woken, waits(&f)), (expected, i64::from(!answered)));
        assert_eq!(f.store.wake_due_snoozes(until).await.unwrap(), 0);
    }
    let (_f, desk) = left_to_a_person();
    for until in [AT.0, AT.0 - 1, AT.0 + 400 * DAY_MS] {
        let refused = desk
            .snooze(THREAD, UtcMs(until), Access::All, "eve", AT)
            .await;
        assert!(refused.is_err(), "{until}");
    }
}

#[tokio::test]
async fn a_reply_of_the_wrong_lead_moves_and_what_waits_for_the_old_one_does_not_leave() {
    let (f, desk) = left_to_a_person();
    f.sql(&format!(
        "INSERT INTO leads (id, lead_id, name, email, email_key, created_at, updated_at)
             VALUES (2, 'L-2', 'Bea', 'bea@lead.example', 'bea@lead.example', {NOW}, {NOW});
         INSERT INTO campaign_leads (id, campaign_id, lead_id, created_at) VALUES (2, 1, 2, {NOW});
         INSERT INTO drafts (job_id, campaign_lead_id, message_id, subject, body, reason, tool,
             created_at) VALUES (1, 1, 1, 'Re', 'x', 'a brake', 'document_rag', {NOW})"
    ));
    let moved = desk
        .reattach(
            MessageRowId(1),
            Some(CampaignLeadId(2)),
            false,
            Access::All,
            "eve",
            AT,
        )
        .await
        .unwrap();
    assert_eq!(moved.left.from, Some(THREAD));
    assert_eq!(
        f.list(
            "SELECT campaign_lead_id || ' ' || match_method || ' ' || disposition FROM messages"
        ),
        "2 attached reply_unverified"
    );
    assert_eq!(
        f.list("SELECT campaign_lead_id || ' ' || sender FROM conversations WHERE message_ref = 1"),
        "2 customer"
    );
    assert_eq!(f.text("SELECT state FROM drafts"), "superseded");
    assert_eq!(f.number("SELECT old_mail FROM reply_jobs"), 1);
    let same = desk
        .reattach(
            MessageRowId(1),
            Some(CampaignLeadId(2)),
            false,
            Access::All,
            "eve",
            AT,
        )
        .await;
    assert!(same.unwrap_err().to_string().contains("already"));
    desk.reattach(MessageRowId(1), None, false, Access::All, "eve", AT)
        .await
        .unwrap();
    assert_eq!(f.text("SELECT disposition FROM messages"), "unmatched");
    assert_eq!(
        f.number("SELECT count(*) FROM conversations WHERE message_ref = 1"),
        0
    );
}
