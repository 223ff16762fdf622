//! Counts by day, and distributions of a bounded number of replies.

use super::*;
use crate::store::fixture::{Fixture, NOW};

const TODAY: i64 = NOW / DAY_MS;

fn reply(f: &Fixture, thread: i64, at: i64) {
    f.sql(&format!(
        "INSERT INTO conversations (campaign_lead_id, sender, message, agent_tool_used, created_at)
         VALUES ({thread}, 'customer', 'Yes', '', {at})"
    ));
}

async fn told(f: &Fixture, first: i64, last: i64, access: Access) -> Statistics {
    let ask = StatisticsAsk {
        first,
        last,
        campaign: None,
        most: 10_000,
    };
    let read = f
        .store
        .read(move |r| r.statistics(ask, UtcMs(NOW), &access))
        .await;
    read.map_err(|e: StoreError| e).unwrap()
}

fn of(s: &Statistics) -> Vec<u64> {
    s.days.iter().map(|day| day.counts.replies).collect()
}

#[tokio::test]
async fn days_are_counted_by_what_happens_and_each_viewer_gets_those_of_their_campaigns() {
    let f = Fixture::new();
    f.sql(&format!(
        "INSERT INTO campaigns (id, name, created_at, updated_at) VALUES (2, 'Autumn', {NOW}, {NOW})"
    ));
    f.lead(2, "Bob Ray", "bob@lead.example", 2);
    for (thread, at) in [
        (1, NOW),
        (1, NOW - DAY_MS),
        (2, NOW),
        (2, NOW - 2 * DAY_MS),
        (2, NOW - 40 * DAY_MS),
    ] {
        reply(&f, thread, at);
    }
    let s = told(&f, TODAY - 2, TODAY, Access::All).await;
    assert_eq!((of(&s), s.total.replies), (vec![1, 1, 2], 4));
    assert_eq!((s.measured, s.conversations), (4, 2));
    assert_eq!(s.days.last().map(|d| d.day.clone()), Some(s.to.clone()));
    let mine = told(
        &f,
        TODAY - 2,
        TODAY,
        Access::Campaigns([CampaignId(2)].into()),
    )
    .await;
    assert_eq!((of(&mine), mine.measured), (vec![1, 0, 1], 2));
    let nobody = told(&f, TODAY - 2, TODAY, Access::Campaigns([].into())).await;
    assert_eq!((of(&nobody), nobody.measured), (vec![0, 0, 0], 0));
    // A span that has passed.
    let then = told(&f, TODAY - 40, TODAY - 39, Access::All).await;
    assert_eq!((of(&then), then.measured), (vec![1, 0], 1));

    // Moved to another lead, then gone.
    f.sql("UPDATE conversations SET campaign_lead_id = 1 WHERE campaign_lead_id = 2");
    let mine = told(
        &f,
        TODAY - 2,
        TODAY,
        Access::Campaigns([CampaignId(2)].into()),
    )
    .await;
    assert_eq!(of(&mine), [0, 0, 0]);
    let s = told(&f, TODAY - 2, TODAY, Access::All).await;
    assert_eq!(of(&s), [1, 1, 2]);
    f.sql("DELETE FROM conversations");
    assert_eq!(
        of(&told(&f, TODAY - 2, TODAY, Access::All).await),
        [0, 0, 0]
    );
}

#[tokio::test]
async fn mails_are_counted_on_the_day_on_which_they_left_once() {
    let f = Fixture::new();
    f.sql(&format!(
        "INSERT INTO outbox (id, account_id, kind, campaign_lead_id, automatic, rfc_message_id, envelope_from,
            envelope_to, subject, body, body_digest, raw, next_attempt_at, created_at)
         VALUES (1, 1, 'answer', 1, 1, 'a@x', 'd@x', 'l@x', 's', 'b', '', x'', 0, {NOW}),
                (2, 1, 'manual', 1, 0, 'b@x', 'd@x', 'l@x', 's', 'b', '', x'', 0, {NOW}),
                (3, 1, 'sales_notice', 1, 1, 'c@x', 'd@x', 'l@x', 's', 'b', '', x'', 0, {NOW}),
                (4, 1, 'campaign', 1, 1, 'd@x', 'd@x', 'l@x', 's', 'b', '', x'', 0, {NOW});"
    ));
    let counted = async || told(&f, TODAY, TODAY, Access::All).await.total;
    assert_eq!(counted().await, Counts::default());
    f.sql(&format!(
        "UPDATE outbox SET state = 'sent', finished_at = {NOW}"
    ));
    f.sql("UPDATE outbox SET state = 'sent'");
    let all = Counts {
        replies: 0,
        answers: 2,
        automatic_answers: 1,
        campaign_mails: 1,
    };
    assert_eq!(counted().await, all);
}

#[test]
fn the_replies_of_a_span_are_found_over_indexes_alone() {
    let f = Fixture::new();
    for (of_campaign, index) in [
        (false, "inbox_replies "),
        (true, "inbox_replies_of_campaign "),
    ] {
        for newest_first in [false, true] {
            let plan = f.plan(&replies_sql(of_campaign, newest_first));
            assert!(plan.contains(index), "{plan}");
            let lines = "conversations_by_campaign_lead (campaign_lead_id=? AND created_at";
            assert!(plan.contains(lines), "{plan}");
            assert!(
                !plan.contains("SCAN v") && !plan.contains("SCAN i"),
                "{plan}"
            );
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}

#[test]
fn quantiles_are_values_that_were_measured() {
    assert_eq!(Quantiles::of(Vec::new()), Quantiles::default());
    let q = Quantiles::of((1..=100).rev().collect());
    assert_eq!(
        (q.count, q.p50, q.p95, q.max),
        (100, Some(50), Some(95), Some(100))
    );
    let one = Quantiles::of(vec![7]);
    assert_eq!((one.p50, one.p95, one.max), (Some(7), Some(7), Some(7)));
}
