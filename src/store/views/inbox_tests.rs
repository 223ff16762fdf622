//! The inbox by what happens to conversations, search, marks and access.

use super::*;
use crate::store::fixture::{Captured, Fixture, NOW};

const ME: &str = "ann";

fn line(f: &Fixture, thread: i64, sender: &str, tool: &str, text: &str, at: i64) {
    f.sql(&format!(
        "INSERT INTO conversations (campaign_lead_id, sender, message, agent_tool_used, created_at)
         VALUES ({thread}, '{sender}', '{text}', '{tool}', {at})"
    ));
}

async fn list(f: &Fixture, ask: InboxAsk, access: Access) -> Vec<i64> {
    let rows = f
        .store
        .read(move |r| r.inbox(&ask, ME, &access))
        .await
        .unwrap();
    rows.iter().map(|row| row.campaign_lead_id.0).collect()
}

async fn in_state(f: &Fixture, state: InboxState) -> Vec<i64> {
    let ask = InboxAsk {
        state,
        limit: 50,
        ..InboxAsk::default()
    };
    list(f, ask, Access::All).await
}

/// The row that triggers keep is the one that the facts make.
fn consistent(f: &Fixture) {
    let kept = "SELECT coalesce(group_concat(r, '/'), '') FROM (SELECT concat_ws(',', campaign_lead_id,
        campaign_id, last_at, last_line, unanswered, replies, last_reply_at, reply_line, goal, person,
        drafts) AS r FROM";
    let (inbox, anew) = (
        f.text(&format!("{kept} inbox ORDER BY campaign_lead_id)")),
        f.text(&format!("{kept} inbox_anew ORDER BY campaign_lead_id)")),
    );
    assert_eq!(inbox, anew);
}

#[tokio::test]
async fn a_conversation_is_listed_by_what_happened_to_it_last() {
    let f = Fixture::new();
    f.lead(2, "Bob Ray", "bob@lead.example", 1);
    line(
        &f,
        1,
        "agent",
        "message_generation",
        "Would you like a viewing?",
        NOW - 9000,
    );
    line(
        &f,
        2,
        "agent",
        "message_generation",
        "Would you like a viewing?",
        NOW - 8000,
    );
    consistent(&f);
    assert_eq!(in_state(&f, InboxState::All).await, [2, 1]);
    assert_eq!(in_state(&f, InboxState::SentOnly).await, [2, 1]);
    assert_eq!(in_state(&f, InboxState::Replies).await, [0; 0]);

    f.capture(
        1,
        &Captured {
            internal_date: NOW - 5000,
            ..Captured::default()
        },
    );
    line(
        &f,
        1,
        "customer",
        "",
        "What is the parking fee?",
        NOW - 5000,
    );
    consistent(&f);
    assert_eq!(in_state(&f, InboxState::Replies).await, [1]);
    assert_eq!(in_state(&f, InboxState::Unanswered).await, [1]);
    assert_eq!(in_state(&f, InboxState::Person).await, [0; 0]);

    // Left to people, with a draft.
    f.sql("UPDATE reply_jobs SET state = 'done', action = 'person', intent = 'question'");
    f.sql(&format!(
        "INSERT INTO drafts (id, job_id, campaign_lead_id, message_id, subject, body, reason, created_at)
         VALUES (1, 1, 1, 1, 'Re', 'Hello', 'below the gate', {NOW})"
    ));
    consistent(&f);
    assert_eq!(in_state(&f, InboxState::Person).await, [1]);
    assert_eq!(in_state(&f, InboxState::Drafts).await, [1]);

    // The draft is approved and its mail stands in the thread.
    f.sql("UPDATE drafts SET state = 'approved'");
    consistent(&f);
    assert_eq!(in_state(&f, InboxState::Drafts).await, [0; 0]);
    assert_eq!(in_state(&f, InboxState::Person).await, [1]);
    line(&f, 1, "agent", "document_rag", "It is 3 Euro.", NOW - 1000);
    consistent(&f);
    assert_eq!(in_state(&f, InboxState::Person).await, [0; 0]);
    assert_eq!(in_state(&f, InboxState::Unanswered).await, [0; 0]);

    // A person says what it was; then that it was somebody else's.
    f.sql(&format!(
        "INSERT INTO corrections (message_id, intent, made_at) VALUES (1, 'goal_reached', {NOW})"
    ));
    consistent(&f);
    assert_eq!(in_state(&f, InboxState::Goal).await, [1]);
    f.sql("UPDATE messages SET campaign_lead_id = 2");
    f.sql("UPDATE conversations SET campaign_lead_id = 2 WHERE sender = 'customer'");
    consistent(&f);
    assert_eq!(in_state(&f, InboxState::Goal).await, [2]);
    assert_eq!(in_state(&f, InboxState::SentOnly).await, [1]);
    f.sql("DELETE FROM conversations WHERE campaign_lead_id = 1");
    consistent(&f);
    assert_eq!(in_state(&f, InboxState::All).await, [2]);
}

#[tokio::test]
async fn pages_join_without_gap_or_repetition_and_stay_within_what_somebody_may_see() {
    let f = Fixture::new();
    f.sql(&format!(
        "INSERT INTO campaigns (id, name, created_at, updated_at) VALUES (2, 'Autumn', {NOW}, {NOW})"
    ));
    for n in 2..=9 {
        f.lead(n, "Lead", &format!("l{n}@lead.example"), 1 + n % 2);
        // Two at the same time: the id decides.
        line(&f, n, "customer", "", "Yes", NOW + n / 2);
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let ask = InboxAsk {
            after,
            limit: 3,
            ..InboxAsk::default()
        };
        let rows = f
            .store
            .read(move |r| r.inbox(&ask, ME, &Access::All))
            .await
            .unwrap();
        seen.extend(rows.iter().take(3).map(|row| row.campaign_lead_id.0));
        if rows.len() <= 3 {
            break;
        }
        after = Some(rows[2].place);
    }
    assert_eq!(seen, [9, 8, 7, 6, 5, 4, 3, 2]);
    for state in InboxState::ALL {
        let limited =
            |ids: &[i64]| Access::Campaigns(ids.iter().map(|id| CampaignId(*id)).collect());
        let ask = InboxAsk {
            state,
            limit: 50,
            ..InboxAsk::default()
        };
        let odd = list(&f, ask.clone(), limited(&[2])).await;
        assert!(odd.iter().all(|id| id % 2 == 1), "{state:?} {odd:?}");
        assert_eq!(list(&f, ask.clone(), limited(&[])).await, [0; 0]);
        let foreign = InboxAsk {
            campaign: Some(CampaignId(1)),
            ..ask
        };
        assert_eq!(list(&f, foreign, limited(&[2])).await, [0; 0]);
    }
}

#[tokio::test]
async fn words_are_found_in_texts_names_and_addresses_and_not_after_they_were_erased() {
    let f = Fixture::new();
    f.lead(2, "Zoé Müller", "zoe@other.example", 1);
    line(&f, 1, "customer", "", "What is the parking fee?", NOW);
    line(&f, 2, "customer", "", "Call me", NOW);
    let found = async |text: &'static str, access: Access| -> Vec<i64> {
        let hits = f
            .store
            .read(move |r| r.search(text, &access))
            .await
            .unwrap();
        hits.keys().map(|id| id.0).collect()
    };
    assert_eq!(found("park fee", Access::All).await, [1]);
    assert_eq!(found("zoe", Access::All).await, [2]);
    assert_eq!(found("muller", Access::All).await, [2]);
    assert_eq!(found("zoe@other.example", Access::All).await, [2]);
    assert_eq!(found("parking", Access::Campaigns([].into())).await, [0; 0]);
    let hits = f
        .store
        .read(|r| r.search("fee", &Access::All))
        .await
        .unwrap();
    let excerpt = hits[&CampaignLeadId(1)].clone().unwrap().excerpt;
    assert!(excerpt.contains("\u{2}fee\u{3}"), "{excerpt:?}");
    f.sql("DELETE FROM conversations WHERE campaign_lead_id = 1");
    f.sql("UPDATE leads SET name = 'Nobody', email = '' WHERE id = 2");
    for gone in ["parking", "zoe"] {
        assert_eq!(found(gone, Access::All).await, [0; 0], "{gone}");
    }
    f.sql("INSERT INTO line_fts (line_fts) VALUES ('integrity-check')");
    f.sql("INSERT INTO lead_fts (lead_fts) VALUES ('integrity-check')");
}

#[tokio::test]
async fn a_reply_is_unread_until_its_viewer_saw_it() {
    let f = Fixture::new();
    f.lead(2, "Bob Ray", "bob@lead.example", 1);
    line(&f, 1, "customer", "", "Yes", NOW);
    line(&f, 2, "customer", "", "No", NOW);
    let unread = async |viewer: &'static str| -> u32 {
        let counts = f
            .store
            .read(move |r| r.inbox_counts(viewer, &Access::All))
            .await;
        let counts: Result<InboxCounts, StoreError> = counts;
        counts.unwrap().unread
    };
    assert_eq!((unread(ME).await, unread("bob").await), (2, 2));
    let mark = |id| {
        f.store
            .write(move |tx| tx.mark_read(ME, CampaignLeadId(id), UtcMs(NOW)))
    };
    mark(1).await.unwrap();
    assert_eq!((unread(ME).await, unread("bob").await), (1, 2));
    line(&f, 1, "customer", "", "And another thing", NOW);
    assert_eq!(unread(ME).await, 2);
    f.store
        .write(|tx| tx.mark_all_read(ME, UtcMs(NOW)))
        .await
        .unwrap();
    assert_eq!(unread(ME).await, 0);
    line(&f, 2, "customer", "", "Hello?", NOW);
    assert_eq!((unread(ME).await, unread("bob").await), (1, 2));
}

#[test]
fn each_page_of_the_inbox_is_read_off_an_index_in_its_order() {
    let f = Fixture::new();
    for state in InboxState::ALL {
        for of_campaign in [false, true] {
            let plan = f.plan(&inbox_sql(state, of_campaign).0);
            assert!(
                !plan.contains("TEMP B-TREE"),
                "{state:?} {of_campaign}: {plan}"
            );
            assert!(
                plan.contains("SEARCH i USING INDEX inbox_"),
                "{state:?} {of_campaign}: {plan}"
            );
        }
    }
}

/// Conversation 1 with a reply that was left to a person, and a draft of an answer to it.
fn with_a_draft() -> Fixture {
    let f = Fixture::new();
    f.capture(
        1,
        &Captured {
            internal_date: NOW - 5000,
            ..Captured::default()
        },
    );
    line(&f, 1, "customer", "", "How much is it?", NOW - 5000);
    f.sql(&format!(
        "UPDATE reply_jobs SET state = 'done', action = 'person' WHERE message_id = 1;
         INSERT INTO drafts (job_id, campaign_lead_id, message_id, subject, body, reason, tool,
             created_at) VALUES (1, 1, 1, 'Re', 'x', 'a brake', 'document_rag', {NOW})"
    ));
    f
}

async fn row(f: &Fixture) -> InboxRow {
    let row = f
        .store
        .read(|r| r.inbox_row(CampaignLeadId(1), ME, &Access::All))
        .await;
    row.unwrap().unwrap()
}

async fn head_of(f: &Fixture) -> super::DeskMark {
    let head = f
        .store
        .read(|r| r.thread_head(CampaignLeadId(1), &Access::All))
        .await;
    head.unwrap().unwrap().mark
}

#[tokio::test]
async fn a_snoozed_conversation_leaves_the_lists_with_its_draft_and_comes_back_at_its_time() {
    let f = with_a_draft();
    assert_eq!(in_state(&f, InboxState::Person).await, [1]);
    assert_eq!(in_state(&f, InboxState::Drafts).await, [1]);
    assert_eq!(row(&f).await.mark, DeskMark::default());
    let until = UtcMs(NOW + 1000);
    f.store
        .write(move |tx| tx.snooze(CampaignLeadId(1), until, "eve", UtcMs(NOW)))
        .await
        .unwrap();
    consistent(&f);
    for state in [InboxState::Person, InboxState::Drafts] {
        assert_eq!(in_state(&f, state).await, [0; 0]);
    }
    assert_eq!(in_state(&f, InboxState::Replies).await, [1]);
    let counts = f
        .store
        .read(|r| r.inbox_counts(ME, &Access::All))
        .await
        .unwrap();
    assert_eq!((counts.person, counts.drafts), (0, 0));
    let snoozed = row(&f).await;
    assert_eq!((snoozed.drafts, snoozed.person), (0, false));
    assert_eq!(snoozed.mark.snoozed_until, Some(until));
    assert_eq!(snoozed.mark.snoozed_by.as_deref(), Some("eve"));
    assert_eq!(snoozed.mark.handled_by, None);
    assert_eq!(head_of(&f).await, snoozed.mark);
    // The draft itself waits on, and what happens to it is kept.
    assert_eq!(f.text("SELECT state FROM drafts"), "open");
    f.sql("UPDATE drafts SET state = 'superseded'");
    consistent(&f);
    f.sql("UPDATE drafts SET state = 'open'");
    consistent(&f);

    f.store.wake_due_snoozes(until).await.unwrap();
    consistent(&f);
    for state in [InboxState::Person, InboxState::Drafts] {
        assert_eq!(in_state(&f, state).await, [1]);
    }
    let back = row(&f).await;
    assert_eq!((back.drafts, back.person), (1, true));
    assert!(back.mark.back_from_snooze);
    assert_eq!(back.mark.snoozed_until, None);
    assert_eq!(head_of(&f).await, back.mark);
    // An answer ends it.
    line(&f, 1, "human", "human", "3 Euro", NOW + 2000);
    consistent(&f);
    assert_eq!(row(&f).await.mark, DeskMark::default());
}

#[tokio::test]
async fn a_new_reply_ends_a_snooze_and_what_was_handled() {
    for handled in [false, true] {
        let f = with_a_draft();
        f.store
            .write(move |tx| {
                if handled {
                    tx.mark_handled(CampaignLeadId(1), "eve", UtcMs(NOW))
                } else {
                    tx.snooze(CampaignLeadId(1), UtcMs(NOW + 1000), "eve", UtcMs(NOW))
                }
            })
            .await
            .unwrap();
        consistent(&f);
        let mark = row(&f).await.mark;
        assert_eq!(head_of(&f).await, mark);
        if handled {
            assert_eq!(mark.handled_by.as_deref(), Some("eve"));
            assert_eq!(mark.handled_at, Some(UtcMs(NOW)));
        }
        assert_eq!(in_state(&f, InboxState::Person).await, [0; 0]);
        f.capture(2, &Captured::default());
        line(&f, 1, "customer", "", "And the parking?", NOW + 500);
        consistent(&f);
        let mark = row(&f).await.mark;
        assert_eq!(head_of(&f).await, mark);
        assert_eq!((mark.snoozed_until, mark.handled_by.clone()), (None, None));
        assert_eq!(mark.back_from_snooze, !handled);
        // What was put off waits again; what was settled only if this is left to a person.
        let expected: &[i64] = if handled { &[] } else { &[1] };
        assert_eq!(in_state(&f, InboxState::Person).await, expected);
    }
}
