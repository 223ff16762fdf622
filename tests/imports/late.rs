//! Messages that were stored before their lead or their parent was known.

use super::*;

#[tokio::test]
async fn a_late_sent_mail_makes_the_messages_that_refer_to_it_come_again() {
    let b = Bench::new().await;
    b.leads(TWO_LEADS).await;
    let refers = ["m@x.example", "q@x.example"];
    let stranger = b.stored(1, "ignored", "other@z.example", &refers);
    let lead = b.stored(2, "unmatched", "ann@x.example", &["m@x.example"]);
    b.stored(3, "ignored", "z@z.example", &["other@x.example"]);
    b.stored(4, "own_mail", "z@z.example", &["m@x.example"]);
    let added = b.add(" <m@X.example> ", "ann@x.example", "").await.unwrap();
    assert_eq!((added.new, added.refetch), (true, 2));
    assert_eq!(b.refetch(), [stranger, lead]);
    let again = b.add("<m@x.example>", "L1", "Spring").await.unwrap();
    assert_eq!((again.new, again.refetch), (false, 0));
    assert_eq!(again.sent_id, added.sent_id);
    assert_eq!(b.refetch(), [stranger, lead]);
}

#[tokio::test]
async fn a_message_that_has_its_lead_is_not_fetched_again() {
    let b = Bench::new().await;
    b.leads(TWO_LEADS).await;
    let matched = b.stored(1, "ignored", "ann@x.example", &["m@x.example"]);
    b.sql()
        .execute(
            "UPDATE messages SET disposition = 'reply', campaign_lead_id = 1 WHERE id = ?1",
            [matched],
        )
        .unwrap();
    b.add("<m@x.example>", "L1", "Spring").await.unwrap();
    assert_eq!(b.refetch(), [0; 0]);
}

#[tokio::test]
async fn a_late_lead_or_a_new_address_makes_its_ignored_messages_come_again() {
    let b = Bench::new().await;
    let early = b.stored(1, "ignored", "ann@x.example", &[]);
    let later = b.stored(2, "ignored", "ann@new.example", &["q@x.example"]);
    b.stored(3, "ignored", "z@z.example", &[]);
    b.stored(4, "internal", "ann@x.example", &[]);
    assert_eq!(b.leads(TWO_LEADS).await.refetch, 1);
    assert_eq!(b.refetch(), [early]);
    assert_eq!(b.leads(TWO_LEADS).await.refetch, 0);
    let moved = TWO_LEADS.replace("ann@x.example", "Ann@New.example");
    assert_eq!(b.leads(&moved).await.refetch, 1);
    assert_eq!(b.refetch(), [early, later]);
}

#[tokio::test]
async fn the_id_of_a_sales_notice_never_becomes_a_key_for_a_lead() {
    let b = Bench::new().await;
    b.leads(TWO_LEADS).await;
    b.notice("notice@x.example");
    let refused = b.add("<notice@x.example>", "L1", "Spring").await;
    let told = format!("{:#}", refused.unwrap_err());
    assert!(told.contains("notice to sales"), "{told}");
    let sent = b.add("<m@x.example>", "L1", "Spring").await.unwrap();
    let hash = b.keys.hash("notice@x.example");
    let alias = b
        .store
        .write(move |tx| {
            tx.add_sent_id(
                sent.sent_id,
                "notice@x.example",
                IdSource::Taught,
                &hash,
                UtcMs(1),
            )
        })
        .await;
    assert!(!alias.unwrap());
    assert_eq!(b.text("SELECT count(*) FROM sent_ids"), "1");
    let known = b
        .store
        .read(|r| -> Result<_, StoreError> {
            Ok((
                r.is_notice_id("notice@x.example")?,
                r.is_notice_id("m@x.example")?,
                r.sent_by_id("notice@x.example")?,
                r.sent_by_id("m@x.example")?.map(|s| s.lead_email_key),
            ))
        })
        .await
        .unwrap();
    assert_eq!(known, (true, false, None, Some("ann@x.example".into())));
}

#[tokio::test]
async fn an_alias_is_added_once_and_makes_messages_come_again() {
    let b = Bench::new().await;
    b.leads(TWO_LEADS).await;
    let stored = b.stored(1, "ignored", "z@z.example", &["alias@p.example"]);
    let one = b.add("<m@x.example>", "L1", "Spring").await.unwrap();
    let two = b.add("<n@x.example>", "L2", "Spring").await.unwrap();
    assert_eq!(b.refetch(), [0; 0]);
    for (sent, new) in [(one, true), (one, false), (two, false)] {
        let hash = b.keys.hash("alias@p.example");
        let id = sent.sent_id;
        let added = b
            .store
            .write(move |tx| {
                tx.add_sent_id(id, "alias@p.example", IdSource::Provider, &hash, UtcMs(1))
            })
            .await;
        assert_eq!(added.unwrap(), new);
    }
    assert_eq!(b.refetch(), [stored]);
    assert_eq!(
        b.text("SELECT sent_id FROM sent_ids WHERE id_key = 'alias@p.example'"),
        one.sent_id.to_string()
    );
}
