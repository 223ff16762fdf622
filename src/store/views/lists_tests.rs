//! Lists of a viewer who is limited to some campaigns.

use super::*;
use crate::store::fixture::{Captured, Fixture, NOW};

fn of(campaign: i64) -> Access {
    Access::Campaigns([CampaignId(campaign)].into())
}

fn two_campaigns() -> Fixture {
    let f = Fixture::new();
    f.sql(&format!(
        "INSERT INTO campaigns (id, name, created_at, updated_at) VALUES (2, 'Autumn', {NOW}, {NOW})"
    ));
    f.lead(2, "Bob Ray", "bob@lead.example", 2);
    f
}

/// The table that triggers keep is the one that the facts make.
fn consistent(f: &Fixture) {
    let kept = f.text(
        "SELECT coalesce(group_concat(campaign_id || ':' || message_id || ':' || disposition), '')
         FROM (SELECT * FROM campaign_messages ORDER BY campaign_id, message_id)",
    );
    let anew = f.text(
        "SELECT coalesce(group_concat(r), '') FROM (
             SELECT x.campaign_id || ':' || m.id || ':' || m.disposition AS r
             FROM messages m JOIN campaign_leads x ON x.id = m.campaign_lead_id
             ORDER BY x.campaign_id, m.id)",
    );
    assert_eq!(kept, anew);
}

#[tokio::test]
async fn the_messages_of_some_campaigns_are_found_by_them_page_by_page() {
    let f = two_campaigns();
    for n in 1..=9 {
        let lead = 1 + n % 2;
        let message = Captured {
            campaign_lead: Some(lead),
            sent: None,
            ..Captured::default()
        };
        f.capture(n, &message);
    }
    consistent(&f);
    let page = async |ask: MessageAsk, access: Access| -> Vec<i64> {
        let read = f.store.read(move |r| r.message_page(&ask, &access)).await;
        let rows = read.map_err(|e: StoreError| e).unwrap();
        rows.iter().map(|row| row.id.0).collect()
    };
    let ask = |before, limit| MessageAsk {
        before,
        limit,
        ..MessageAsk::default()
    };
    assert_eq!(page(ask(None, 3), of(2)).await, [9, 7, 5, 3]);
    assert_eq!(page(ask(Some(5), 3), of(2)).await, [3, 1]);
    assert_eq!(page(ask(None, 9), of(1)).await, [8, 6, 4, 2]);
    let both = Access::Campaigns([CampaignId(1), CampaignId(2)].into());
    assert_eq!(page(ask(None, 2), both).await, [9, 8, 7]);
    assert_eq!(
        page(ask(None, 9), Access::Campaigns([].into())).await,
        [0; 0]
    );
    // Moved, judged otherwise, gone.
    f.sql("UPDATE messages SET campaign_lead_id = 1 WHERE id = 9");
    f.sql("UPDATE messages SET disposition = 'bounce' WHERE id = 7");
    f.sql("UPDATE messages SET campaign_lead_id = NULL, disposition = 'unmatched' WHERE id = 5");
    consistent(&f);
    let bounces = MessageAsk {
        disposition: Some(Disposition::Bounce),
        ..ask(None, 9)
    };
    assert_eq!(page(bounces.clone(), of(2)).await, [7]);
    assert_eq!(page(bounces, of(1)).await, [0; 0]);
    assert_eq!(page(ask(None, 9), of(2)).await, [7, 3, 1]);
    let of_thread = MessageAsk {
        thread: Some(CampaignLeadId(1)),
        ..ask(None, 2)
    };
    assert_eq!(page(of_thread.clone(), of(1)).await, [9, 8, 6]);
    assert_eq!(page(of_thread, of(2)).await, [0; 0]);
}

#[tokio::test]
async fn unmatched_mail_of_a_few_is_found_behind_that_of_many_others() {
    let f = two_campaigns();
    // Two of Bob's, and far more of others between and after them.
    f.sql(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1300)
         INSERT INTO messages (id, account_id, mailbox_id, uid_validity, uid, internal_date, stored_at,
             size_bytes, source, disposition, message_key, content_digest, from_address)
         SELECT i, 1, 1, 1, i, {NOW}, {NOW}, 1, 'live', 'unmatched', 'k' || i, 'd' || i,
                iif(i IN (1, 700), 'bob@lead.example', 'ann@lead.example') FROM n"
    ));
    let page = async |before: Option<i64>, limit: u32, access: Access| {
        let read = f
            .store
            .read(move |r| r.unmatched_page(before, limit, &access))
            .await;
        let (rows, next) = read.map_err(|e: StoreError| e).unwrap();
        let ids: Vec<i64> = rows.iter().map(|row| row.id.0).collect();
        (ids, next)
    };
    let (mut found, mut at, mut pages) = (Vec::new(), None, 0);
    loop {
        let (mut ids, next) = page(at, 50, of(2)).await;
        found.append(&mut ids);
        pages += 1;
        match next {
            Some(next) => at = Some(next),
            None => break,
        }
    }
    assert_eq!((found, pages), (vec![700, 1], 3));
    assert_eq!(page(None, 1, of(2)).await, (Vec::new(), Some(801)));
    assert_eq!(page(Some(801), 1, of(2)).await, (vec![700], Some(700)));
    let (ids, next) = page(None, 2, Access::All).await;
    assert_eq!((ids, next), (vec![1300, 1299], Some(1299)));
    assert_eq!(page(Some(3), 2, Access::All).await, (vec![2, 1], None));
    assert_eq!(page(Some(2), 2, of(2)).await, (vec![1], None));
}
