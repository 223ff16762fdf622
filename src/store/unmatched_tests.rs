use super::*;
use crate::model::MessageRowId;
use crate::store::fixture::{Captured, Fixture, NOW};

const MESSAGE: MessageRowId = MessageRowId(7);
const THREAD: CampaignLeadId = CampaignLeadId(1);

/// A message of a second address of Ann, which refers to an id that nobody knows.
fn unmatched(f: &Fixture, from: &'static str) {
    f.capture(
        MESSAGE.0,
        &Captured {
            disposition: "unmatched",
            from,
            campaign_lead: None,
            sent: None,
            verified: false,
            ..Captured::default()
        },
    );
    f.sql(
        "UPDATE messages SET in_reply_to = 'lost@gateway.example',
             reference_ids = 'older@gateway.example lost@gateway.example', subject = 'AW: Riverside'
         WHERE id = 7;
         UPDATE reply_jobs SET state = 'done' WHERE id = 7;",
    );
}

fn hashes(id: &str) -> Vec<String> {
    vec![format!("hash of {id}")]
}

#[tokio::test]
async fn the_sender_s_threads_are_proposed_the_one_with_the_same_subject_first() {
    let f = Fixture::new();
    f.sql(&format!(
        "INSERT INTO campaigns (id, name, created_at, updated_at) VALUES (2, 'Autumn', 0, 0);
         INSERT INTO campaign_leads (id, campaign_id, lead_id, created_at) VALUES (9, 2, 1, 0);
         INSERT INTO sent_messages (id, campaign_lead_id, kind, subject, sent_at, known_at)
             VALUES (9, 9, 'campaign', 'Hilltop', {NOW}, {NOW});"
    ));
    unmatched(&f, "Ann@lead.example");
    let list = f.store.read(|r| r.unmatched(10)).await.unwrap();
    let list: Vec<Unmatched> = list;
    let threads: Vec<(i64, bool)> = list[0]
        .proposed
        .iter()
        .map(|p| (p.campaign_lead_id.0, p.same_subject))
        .collect();
    assert_eq!(threads, [(1, true), (9, false)]);
    let named = f.store.read(|r| r.thread_of_lead("L1", None)).await;
    let several: Result<CampaignLeadId, StoreError> = named;
    assert!(several.unwrap_err().to_string().contains("--campaign"));
    let one = f
        .store
        .read(|r| r.thread_of_lead("L1", Some("Autumn")))
        .await;
    let one: Result<CampaignLeadId, StoreError> = one;
    assert_eq!(one.unwrap(), CampaignLeadId(9));
}

#[tokio::test]
async fn attaching_teaches_ids_and_address_and_takes_earlier_mail_along() {
    let f = Fixture::new();
    unmatched(&f, "ann@home.example");
    // An earlier message that refers to the same lost id, and one of the same sender.
    f.sql(
        "UPDATE messages SET sender_hash = 's' WHERE id = 7;
         INSERT INTO messages (id, account_id, mailbox_id, uid_validity, uid, internal_date, stored_at,
             size_bytes, source, disposition, message_key, content_digest, sender_hash)
             VALUES (3, 1, 1, 1, 3, 0, 0, 1, 'live', 'ignored', 'k3', 'd3', ''),
                    (4, 1, 1, 1, 4, 0, 0, 1, 'live', 'ignored', 'k4', 'd4', 's');
         INSERT INTO message_refs VALUES ('hash of lost@gateway.example', 3);",
    );
    let now = UtcMs(NOW);
    let taught: Taught = f
        .store
        .write(move |tx| tx.attach(MESSAGE, THREAD, true, hashes, now))
        .await
        .map_err(|e: StoreError| e)
        .unwrap();
    assert_eq!((taught.ids, taught.address), (2, true));
    let waiting = f.text("SELECT group_concat(message_id) FROM refetch");
    assert_eq!(waiting, "3,4");
    assert_eq!(
        f.text("SELECT disposition FROM messages WHERE id = 7"),
        "reply"
    );
    assert_eq!(
        f.number("SELECT matched_sent_id FROM messages WHERE id = 7"),
        1
    );
    assert_eq!(
        f.number(
            "SELECT count(*) FROM conversations WHERE message_ref = 7 AND sender = 'customer'"
        ),
        1
    );
    // Decided again, as old mail: never answered automatically.
    assert_eq!(
        f.number(
            "SELECT count(*) FROM reply_jobs WHERE id = 7 AND state = 'pending' AND old_mail = 1"
        ),
        1
    );
    let again: Result<Taught, StoreError> = f
        .store
        .write(move |tx| tx.attach(MESSAGE, THREAD, true, hashes, now))
        .await;
    assert!(again.unwrap_err().to_string().contains("not unmatched"));
}

#[tokio::test]
async fn attaching_without_teaching_leaves_the_sender_unverified() {
    let f = Fixture::new();
    unmatched(&f, "ann@home.example");
    let taught: Taught = f
        .store
        .write(move |tx| tx.attach(MESSAGE, THREAD, false, hashes, UtcMs(NOW)))
        .await
        .map_err(|e: StoreError| e)
        .unwrap();
    assert_eq!(taught, Taught::default());
    assert_eq!(
        f.text("SELECT disposition FROM messages WHERE id = 7"),
        "reply_unverified"
    );
    assert_eq!(f.number("SELECT count(*) FROM lead_addresses"), 0);
    assert_eq!(
        f.number("SELECT count(*) FROM sent_ids WHERE source = 'taught'"),
        0
    );
}

#[tokio::test]
async fn an_ignored_message_keeps_no_text_and_can_still_be_found_by_an_import() {
    let f = Fixture::new();
    unmatched(&f, "ann@lead.example");
    f.sql("INSERT INTO message_refs VALUES ('h', 7)");
    f.store
        .write(|tx| tx.ignore_unmatched(MESSAGE))
        .await
        .map_err(|e: StoreError| e)
        .unwrap();
    assert_eq!(
        f.number(
            "SELECT count(*) FROM messages WHERE id = 7 AND disposition = 'ignored' \
                  AND visible_text = '' AND from_address = '' AND subject = ''"
        ),
        1
    );
    assert_eq!(
        f.number("SELECT count(*) FROM message_refs WHERE message_id = 7"),
        1
    );
    let list: Vec<Unmatched> = f
        .store
        .read(|r| r.unmatched(10))
        .await
        .map_err(|e: StoreError| e)
        .unwrap();
    assert!(list.is_empty());
}
