use super::*;
use crate::store::fixture::{Fixture, NOW};

fn kinds(events: &Events) -> Vec<&'static str> {
    events.items.iter().map(|e| e.kind.as_str()).collect()
}

async fn after(f: &Fixture, id: i64, access: Access) -> Events {
    f.store
        .read(move |r| r.events_after(EventId(id), &access, 100))
        .await
        .unwrap()
}

#[tokio::test]
async fn facts_note_themselves_and_the_bell_rings_after_the_commit() {
    let f = Fixture::new();
    let mut bell = f.store.events_bell();
    assert!(!bell.has_changed().unwrap());
    let id = f
        .store
        .write(|tx| tx.note_event(&NewEvent::changed(CampaignLeadId(1), UtcMs(NOW))))
        .await
        .unwrap();
    assert_eq!(*bell.borrow_and_update(), id);
    // A transaction that fails notes nothing.
    let failed: Result<(), StoreError> = f
        .store
        .write(|tx| {
            tx.note_event(&NewEvent::changed(CampaignLeadId(1), UtcMs(NOW)))?;
            Err(StoreError::Invalid("no".into()))
        })
        .await;
    assert!(failed.is_err() && !bell.has_changed().unwrap());
    f.store
        .write(|tx| tx.suppress("ann@lead.example", "unsubscribe", None, UtcMs(NOW)))
        .await
        .unwrap();
    assert!(bell.has_changed().unwrap());
    let seen = after(&f, id.0, Access::All).await;
    assert_eq!(kinds(&seen), ["opt_out"]);
    assert_eq!(seen.items[0].campaign_lead_id, Some(CampaignLeadId(1)));
    assert_eq!(seen.items[0].campaign_id, Some(CampaignId(1)));
}

#[tokio::test]
async fn another_process_is_heard_when_somebody_looks() {
    let f = Fixture::new();
    let mut bell = f.store.events_bell();
    f.sql("UPDATE accounts SET state = 'live' WHERE id = 1");
    assert!(!bell.has_changed().unwrap());
    f.store.look_for_events().await.unwrap();
    assert!(bell.has_changed().unwrap());
    let newest = bell.borrow_and_update().0;
    assert_eq!(
        kinds(&after(&f, newest - 1, Access::All).await),
        ["account_state"]
    );
}

#[tokio::test]
async fn events_of_foreign_campaigns_are_passed_over() {
    let f = Fixture::new();
    for _ in 0..3 {
        f.store
            .write(|tx| tx.note_event(&NewEvent::changed(CampaignLeadId(1), UtcMs(NOW))))
            .await
            .unwrap();
    }
    let foreign = Access::Campaigns(std::sync::Arc::from([CampaignId(7)]));
    let seen = after(&f, 0, foreign).await;
    let newest = f.store.read(|r| r.last_event()).await.unwrap();
    assert!(seen.items.is_empty());
    assert_eq!(seen.through, newest);
    let own = Access::Campaigns(std::sync::Arc::from([CampaignId(1)]));
    assert_eq!(after(&f, newest.0 - 3, own).await.items.len(), 3);
}

#[tokio::test]
async fn old_events_go_and_ids_are_never_used_again() {
    let f = Fixture::new();
    for _ in 0..3 {
        f.store
            .write(|tx| tx.note_event(&NewEvent::changed(CampaignLeadId(1), UtcMs(NOW))))
            .await
            .unwrap();
    }
    let newest = f.store.read(|r| r.last_event()).await.unwrap();
    let dropped = f
        .store
        .write(|tx| tx.prune_events(UtcMs(NOW + 1), 100))
        .await
        .unwrap();
    assert!(dropped >= 2);
    assert_eq!(f.store.read(|r| r.last_event()).await.unwrap(), newest);
    assert_eq!(f.store.read(|r| r.first_event()).await.unwrap(), newest);
}
