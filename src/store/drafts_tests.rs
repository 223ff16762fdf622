use super::*;
use crate::store::fixture::{Captured, Fixture, NOW};

fn new(body: &str) -> NewDraft<'_> {
    NewDraft {
        job_id: JobId(1),
        campaign_lead_id: CampaignLeadId(1),
        message_id: MessageRowId(1),
        subject: "Re: Riverside",
        body,
        reason: "a brake",
        tool: "unknown",
        wants_text: true,
    }
}

async fn insert(f: &Fixture, body: &'static str) -> Inserted<DraftId> {
    f.store
        .write(move |tx| tx.insert_draft(&new(body), UtcMs(NOW)))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_draft_made_anew_takes_the_new_text_unless_a_person_wrote_in_it() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    assert_eq!(insert(&f, "one").await, Inserted::New(DraftId(1)));
    assert_eq!(insert(&f, "two").await, Inserted::Duplicate(DraftId(1)));
    assert_eq!(f.text("SELECT body || version FROM drafts"), "two2");
    f.store
        .write(|tx| tx.edit_draft(DraftId(1), 2, ("s", "mine"), false, "ann", UtcMs(NOW)))
        .await
        .unwrap();
    insert(&f, "three").await;
    assert_eq!(f.text("SELECT body || made_body FROM drafts"), "minetwo");
}

#[tokio::test]
async fn what_a_person_rejected_is_known_by_the_text_that_was_made() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    insert(&f, "one").await;
    let before = |body: &'static str| {
        let store = f.store.clone();
        async move {
            store
                .read(move |r| r.draft_rejected_before(JobId(1), "Re: Riverside", body))
                .await
                .unwrap()
        }
    };
    assert!(!before("one").await);
    f.store
        .write(|tx| {
            tx.edit_draft(DraftId(1), 1, ("s", "mine"), false, "ann", UtcMs(NOW))?;
            let decision = Decision {
                state: DraftState::Rejected,
                by: "ann",
                why: "",
                mail: None,
            };
            tx.decide_draft(DraftId(1), &decision, UtcMs(NOW))
        })
        .await
        .unwrap();
    assert!(before("one").await);
    assert!(!before("mine").await);
}

#[tokio::test]
async fn only_one_draft_of_a_reply_waits() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    insert(&f, "one").await;
    f.sql("UPDATE drafts SET state = 'rejected'");
    insert(&f, "two").await;
    let refused = f.store.write(|tx| tx.reopen_draft(DraftId(1), "ann")).await;
    assert!(
        matches!(refused, Err(StoreError::Invalid(_))),
        "{refused:?}"
    );
    let waits = f.store.write(|tx| tx.reopen_draft(DraftId(2), "ann")).await;
    assert!(matches!(waits, Err(StoreError::Stale(_))), "{waits:?}");
}
