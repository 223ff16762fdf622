//! Drafts at the desk: what approving writes, what stands against it, and who is second.

use std::sync::Arc;

use super::*;
use crate::config::{ReplyAddress, SenderSettings};
use crate::model::{HOLE, Intent, MessageRowId};
use crate::reply::tests::settings;
use crate::store::fixture::{Captured, Fixture, NOW};

pub(super) const AT: UtcMs = UtcMs(NOW + 1_000);

pub(super) fn desk(f: &Fixture) -> Desk {
    let mut settings = settings(f);
    settings.senders = vec![SenderSettings {
        account: "main".into(),
        address: "sales@example.com".into(),
        from_name: String::new(),
        aliases: vec!["homes@example.com".into()],
        envelope_from: "bounces@example.com".into(),
        reply_address: ReplyAddress::Auto,
        smtp_host: String::new(),
        per_minute: None,
        per_day: None,
    }];
    let keys = Keys::load_or_create(f.dir.path(), None).unwrap();
    Desk::new(
        f.store.clone(),
        Arc::new(settings),
        Arc::new(keys),
        Doorbell::default(),
    )
}

/// A question of the lead with a whole answer that waits, as draft 1.
fn with_draft(m: &Captured) -> (Fixture, Desk) {
    let f = Fixture::new();
    f.capture(1, m);
    f.sql(&format!(
        "UPDATE reply_jobs SET state = 'done', intent = 'question', confidence = 0.9;
         INSERT INTO drafts (job_id, campaign_lead_id, message_id, subject, body, reason, tool,
             created_at)
         VALUES (1, 1, 1, 'Re: Riverside', 'Dear Ann,\n\nTwo cats.\n', 'a brake', 'document_rag',
             {NOW})"
    ));
    let desk = desk(&f);
    (f, desk)
}

fn ask(by: &str) -> Approval {
    Approval {
        draft: DraftId(1),
        by: by.into(),
        edit: Edit::default(),
        version: None,
        to: None,
        anyway: false,
        to_suppressed: false,
    }
}

fn text(body: &str) -> Edit {
    Edit {
        body: Some(body.into()),
        ..Edit::default()
    }
}

/// The codes of what stands against it.
async fn objections(desk: &Desk, ask: Approval) -> Vec<&'static str> {
    match desk.approve(ask, AT).await {
        Err(DeskError::Against(all)) => all.iter().map(Objection::word).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_approved_draft_is_a_persons_mail_in_the_thread_with_all_its_rows() {
    let (f, desk) = with_draft(&Captured {
        to: "homes@example.com",
        ..Captured::default()
    });
    let done = desk.approve(ask("bob"), AT).await.unwrap();
    assert_eq!((done.to.as_str(), done.mail.0), ("ann@lead.example", 1));
    assert_eq!(
        f.text("SELECT kind || automatic || state || job_id || round || to_suppressed FROM outbox"),
        "manual0queued100"
    );
    let raw = f.text("SELECT CAST(raw AS TEXT) FROM outbox");
    for wanted in [
        "In-Reply-To: <reply1@lead.example>",
        "<first@example.com>",
        "From: \"Example Homes\" <homes@example.com>",
        "Two cats.",
    ] {
        assert!(raw.contains(wanted), "{wanted}\n{raw}");
    }
    assert!(!raw.contains("Auto-Submitted"), "{raw}");
    assert!(!raw.contains("X-Auto-Response-Suppress"), "{raw}");
    assert_eq!(
        f.text("SELECT state || '|' || decided_by || '|' || outbox_ref || '|' || decided_at FROM drafts"),
        format!("approved|bob|1|{}", AT.0)
    );
    assert_eq!(
        f.list(
            "SELECT sender || ' ' || agent_tool_used || ' ' || email_in_reply_to FROM conversations"
        ),
        "agent document_rag reply1@lead.example"
    );
    assert_eq!(
        f.list(
            "SELECT s.kind || ' ' || (i.id_key = o.rfc_message_id) FROM sent_messages s
                JOIN outbox o ON o.id = s.outbox_ref JOIN sent_ids i ON i.sent_id = s.id"
        ),
        "manual 1"
    );
}

#[tokio::test]
async fn approving_twice_sends_once_and_the_second_hears_who_was_first() {
    let (f, desk) = with_draft(&Captured::default());
    let other = super::Desk {
        store: Store::open_blocking(f.store.path()).unwrap(),
        ..desk.clone()
    };
    let (a, b) = tokio::join!(desk.approve(ask("ann"), AT), other.approve(ask("bob"), AT));
    let (won, lost) = if a.is_ok() { ("ann", b) } else { ("bob", a) };
    let told = lost.unwrap_err().to_string();
    assert!(
        told.contains(&format!("Draft 1 is approved already by {won}")) && told.contains("mail 1"),
        "{told}"
    );
    assert_eq!(f.number("SELECT count(*) FROM outbox"), 1);
    assert_eq!(f.number("SELECT count(*) FROM conversations"), 1);
    // Processed again, it has its answer.
    assert_eq!(
        f.number("SELECT count(*) FROM drafts WHERE state = 'open'"),
        0
    );
}

#[tokio::test]
async fn a_frame_is_not_sent_before_a_person_wrote_in_it() {
    let (f, desk) = with_draft(&Captured::default());
    f.sql(&format!(
        "UPDATE drafts SET body = 'Dear Ann,\n\n{HOLE}\n\nBye\n', wants_text = 1, tool = 'unknown'"
    ));
    let refused = desk.approve(ask("ann"), AT).await.unwrap_err();
    assert!(
        matches!(refused, DeskError::WantsText(DraftId(1))),
        "{refused}"
    );
    // A text beside the hole fills nothing, a subject neither.
    for edit in [
        text(&format!("Dear Ann, soon.\n\n{HOLE}\n")),
        Edit {
            subject: Some("Re: More".into()),
            ..Edit::default()
        },
    ] {
        let draft = desk.edit(DraftId(1), edit, None, "ann", AT).await.unwrap();
        assert!(draft.wants_text);
    }
    let whole = Approval {
        edit: text("Dear Ann,\n\nyes.\n"),
        ..ask("ann")
    };
    desk.approve(whole, AT).await.unwrap();
    assert_eq!(
        f.text("SELECT subject || body FROM outbox"),
        "Re: MoreDear Ann,\n\nyes.\n"
    );
    // The first edit kept what was made.
    assert_eq!(
        f.text("SELECT made_subject || '|' || made_body || '|' || edited_by FROM drafts"),
        format!("Re: Riverside|Dear Ann,\n\n{HOLE}\n\nBye\n|ann")
    );
    assert_eq!(
        f.text("SELECT agent_tool_used FROM conversations"),
        "unknown"
    );
}

#[tokio::test]
async fn an_answer_alone_is_put_where_the_draft_lacks_it() {
    let (f, desk) = with_draft(&Captured::default());
    let answer = Edit {
        answer: Some(" It is 3 Euro.\n\nYours?\n".into()),
        ..Edit::default()
    };
    let whole = desk
        .edit(DraftId(1), answer.clone(), None, "ann", AT)
        .await
        .unwrap_err();
    assert!(whole.to_string().contains("whole text"), "{whole}");
    f.sql(&format!(
        "UPDATE drafts SET body = 'Dear Ann,\n\n{HOLE}\n\nBye\n', wants_text = 1"
    ));
    let filled = Approval {
        edit: answer,
        ..ask("ann")
    };
    desk.approve(filled, AT).await.unwrap();
    assert_eq!(
        f.text("SELECT body FROM outbox"),
        "Dear Ann,\n\nIt is 3 Euro.\n\nYours?\n\nBye\n"
    );
}

#[tokio::test]
async fn a_refused_approval_changes_nothing_not_even_the_text() {
    let (f, desk) = with_draft(&Captured::default());
    f.sql("INSERT INTO suppressions (email_key, reason, created_at) VALUES ('ann@lead.example', 'unsubscribe', 1)");
    let edited = Approval {
        edit: text("Other words\n"),
        anyway: true,
        ..ask("ann")
    };
    assert_eq!(
        objections(&desk, edited).await,
        ["the address wants no mail"]
    );
    assert_eq!(
        f.text("SELECT body FROM drafts WHERE made_body IS NULL"),
        "Dear Ann,\n\nTwo cats.\n"
    );
    assert_eq!(f.number("SELECT count(*) FROM outbox"), 0);
}

#[tokio::test]
async fn only_its_own_flag_sends_to_a_suppressed_address_and_the_last_gate_lets_it_pass() {
    let (f, desk) = with_draft(&Captured::default());
    f.sql("INSERT INTO suppressions (email_key, reason, created_at) VALUES ('ann@lead.example', 'unsubscribe', 1)");
    let flagged = Approval {
        to_suppressed: true,
        ..ask("ann")
    };
    desk.approve(flagged, AT).await.unwrap();
    let claim = f
        .store
        .write(|tx| tx.claim_outbox(AT, crate::store::CLAIM_LEASE, &[], None))
        .await
        .unwrap();
    assert!(claim.mail.is_some(), "{claim:?}");
    assert_eq!(f.number("SELECT count(*) FROM suppressions"), 1);
    assert_eq!(
        f.text("SELECT decision FROM drafts"),
        "although: the address wants no mail"
    );
}

#[tokio::test]
async fn what_stands_against_it_is_told_and_a_person_may_overrule_it() {
    let later = NOW + 500;
    let cases = [
        (
            format!("UPDATE leads SET bounced_at = {NOW}"),
            "the address bounced",
        ),
        (
            format!(
                "INSERT INTO conversations (campaign_lead_id, sender, message, created_at) VALUES (1, 'human', 'Hi', {later})"
            ),
            "a person wrote",
        ),
        (
            format!(
                "INSERT INTO automation_off (scope, target_id, off_at) VALUES ('all', 0, {NOW})"
            ),
            "automation is off",
        ),
        (
            format!(
                "INSERT INTO outbox (job_id, account_id, kind, campaign_lead_id, automatic, rfc_message_id, envelope_from, envelope_to, subject, body, body_digest, raw, next_attempt_at, created_at) VALUES (1, 1, 'answer', 1, 1, 'x@y', 'a@b', 'ann@lead.example', '', '', '', x'00', {NOW}, {NOW})"
            ),
            "answered already",
        ),
    ];
    for (sql, word) in cases {
        let (f, desk) = with_draft(&Captured::default());
        f.sql(&sql);
        assert_eq!(objections(&desk, ask("ann")).await, [word]);
        let shown = desk.view(DraftId(1), AT).await.unwrap();
        assert_eq!(
            shown
                .objections
                .iter()
                .map(Objection::word)
                .collect::<Vec<_>>(),
            [word]
        );
        let anyway = Approval {
            anyway: true,
            ..ask("ann")
        };
        let done = desk.approve(anyway, AT).await.unwrap();
        assert_eq!(done.overruled.len(), 1, "{word}");
        assert_eq!(
            f.text("SELECT decision FROM drafts"),
            format!("although: {word}")
        );
    }
    let (f, desk) = with_draft(&Captured::default());
    f.capture(
        2,
        &Captured {
            text: "And a garage?",
            internal_date: later,
            ..Captured::default()
        },
    );
    assert_eq!(
        objections(&desk, ask("ann")).await,
        ["the lead wrote again"]
    );
}

#[tokio::test]
async fn what_is_switched_off_for_the_robot_is_only_worth_a_remark() {
    let (f, desk) = with_draft(&Captured::default());
    f.sql(&format!(
        "UPDATE campaigns SET mode = 'off', is_active = 0;
         UPDATE leads SET paused_until = {};
         INSERT INTO automation_off (scope, target_id, off_at) VALUES ('campaign', 1, 1)",
        NOW + 1_000_000
    ));
    let done = desk.approve(ask("ann"), AT).await.unwrap();
    assert_eq!(done.remarks.len(), 4, "{:?}", done.remarks);
    let claim = f
        .store
        .write(|tx| tx.claim_outbox(AT, crate::store::CLAIM_LEASE, &[], None))
        .await
        .unwrap();
    assert!(
        claim.mail.is_some(),
        "the last gate asks a person's mail nothing of that"
    );
}

#[tokio::test]
async fn a_reply_from_another_address_makes_the_person_say_who_gets_the_answer() {
    let elsewhere = Captured {
        from: "ann@private.example",
        disposition: "reply_unverified",
        verified: false,
        ..Captured::default()
    };
    let (_f, desk) = with_draft(&elsewhere);
    let refused = desk.approve(ask("ann"), AT).await.unwrap_err();
    assert!(matches!(refused, DeskError::WhichRecipient), "{refused}");
    for (to, address) in [
        (Recipient::Lead, "ann@lead.example"),
        (Recipient::Sender, "ann@private.example"),
    ] {
        let (f, desk) = with_draft(&elsewhere);
        let named = Approval {
            to: Some(to),
            ..ask("ann")
        };
        desk.approve(named, AT).await.unwrap();
        assert_eq!(f.text("SELECT envelope_to FROM outbox"), address);
    }
}

#[tokio::test]
async fn a_text_that_somebody_changed_meanwhile_is_neither_overwritten_nor_sent() {
    let (f, desk) = with_draft(&Captured::default());
    let first = desk
        .edit(DraftId(1), text("One\n"), Some(1), "ann", AT)
        .await
        .unwrap();
    assert_eq!(first.version, 2);
    let late = desk
        .edit(DraftId(1), text("Two\n"), Some(1), "bob", AT)
        .await;
    assert!(matches!(late, Err(DeskError::Changed(_))), "{late:?}");
    let stale = Approval {
        version: Some(1),
        ..ask("bob")
    };
    assert!(matches!(
        desk.approve(stale, AT).await,
        Err(DeskError::Changed(_))
    ));
    assert_eq!(f.text("SELECT body FROM drafts"), "One\n");
}

#[tokio::test]
async fn a_rejected_draft_is_kept_with_who_and_why_and_may_wait_again() {
    let (f, desk) = with_draft(&Captured::default());
    desk.reject(DraftId(1), "called her", "bob", AT)
        .await
        .unwrap();
    assert_eq!(
        f.text("SELECT state || '|' || decided_by || '|' || decision FROM drafts"),
        "rejected|bob|called her"
    );
    let told = desk.approve(ask("ann"), AT).await.unwrap_err().to_string();
    assert!(
        told.contains("rejected already by bob") && told.contains("called her"),
        "{told}"
    );
    desk.reopen(DraftId(1), "ann", AT).await.unwrap();
    assert_eq!(
        f.text("SELECT state || '|' || decision FROM drafts"),
        "open|reopened by ann"
    );
    // Open pages hear of both.
    assert_eq!(
        f.number("SELECT count(*) FROM events WHERE kind = 'changed'"),
        2
    );
    desk.approve(ask("ann"), AT).await.unwrap();
    // Its mail may have left: it does not wait again…
    assert!(matches!(
        desk.reopen(DraftId(1), "ann", AT).await,
        Err(DeskError::Decided(_))
    ));
    // …until it surely did not.
    f.sql("UPDATE outbox SET state = 'rejected'");
    desk.reopen(DraftId(1), "ann", AT).await.unwrap();
    let again = desk.approve(ask("ann"), AT).await.unwrap();
    assert_eq!(again.mail.0, 2);
    assert_eq!(
        f.list("SELECT kind || round FROM outbox ORDER BY id"),
        "manual0, manual1"
    );
}

#[tokio::test]
async fn an_opt_out_of_the_lead_and_a_persons_mail_close_what_waits() {
    let (f, _desk) = with_draft(&Captured::default());
    f.store
        .write(|tx| tx.suppress("ann@lead.example", "unsubscribe", None, AT))
        .await
        .unwrap();
    assert_eq!(
        f.text("SELECT state || '|' || decided_by || '|' || decision FROM drafts"),
        "superseded||the lead wants no more mail (unsubscribe)"
    );
    let (f, _desk) = with_draft(&Captured::default());
    f.store
        .write(|tx| {
            tx.take_over(crate::model::CampaignLeadId(1), AT, AT)
                .map(|_| ())
        })
        .await
        .unwrap();
    assert_eq!(
        f.text("SELECT state || '|' || decision FROM drafts"),
        "superseded|a person answered by mail"
    );
}

#[tokio::test]
async fn the_label_opt_out_holds_at_once_and_others_only_are_kept() {
    let (f, desk) = with_draft(&Captured::default());
    let done = desk
        .label(MessageRowId(1), Intent::NotNow, None, "bob", AT)
        .await
        .unwrap();
    assert_eq!(
        (done.was_intent.as_str(), done.suppressed.len()),
        ("question", 0)
    );
    assert_eq!(
        f.number("SELECT count(*) FROM drafts WHERE state = 'open'"),
        1
    );
    assert_eq!(f.number("SELECT count(*) FROM outbox"), 0);
    let done = desk
        .label(MessageRowId(1), Intent::Unsubscribe, None, "bob", AT)
        .await
        .unwrap();
    assert_eq!(done.suppressed, ["ann@lead.example"]);
    assert_eq!(f.text("SELECT disposition FROM messages"), "opt_out");
    assert_eq!(f.text("SELECT state FROM drafts"), "superseded");
    assert_eq!(
        f.text("SELECT intent || was_intent || was_confidence || made_by FROM corrections"),
        "unsubscribequestion0.9bob"
    );
    // Taken for an opt-out by mistake: nobody is mailed again without a person's own word.
    let back = desk
        .label(MessageRowId(1), Intent::Question, None, "bob", AT)
        .await
        .unwrap();
    assert!(
        back.hints[0].contains("suppress remove ann@lead.example"),
        "{back:?}"
    );
    assert_eq!(f.number("SELECT count(*) FROM suppressions"), 1);
    let goal = desk
        .label(
            MessageRowId(1),
            Intent::Question,
            Some(crate::model::GoalType::Viewing),
            "bob",
            AT,
        )
        .await;
    assert!(matches!(goal, Err(DeskError::Label(_))));
}

#[tokio::test]
async fn a_stranger_is_suppressed_for_himself_alone() {
    let (f, desk) = with_draft(&Captured {
        from: "stranger@x.example",
        verified: false,
        ..Captured::default()
    });
    let done = desk
        .label(MessageRowId(1), Intent::Unsubscribe, None, "bob", AT)
        .await
        .unwrap();
    assert_eq!(done.suppressed, ["stranger@x.example"]);
    assert!(
        done.hints[0].contains("suppress add ann@lead.example"),
        "{done:?}"
    );
    assert_eq!(f.text("SELECT state FROM drafts"), "open");
}

#[tokio::test]
async fn a_text_that_somebody_else_changed_is_neither_sent_nor_overwritten_unseen() {
    let (f, desk) = with_draft(&Captured::default());
    let text = |t: &str| Edit {
        body: Some(t.into()),
        ..Edit::default()
    };
    let edited = desk
        .edit(DraftId(1), text("Eve's text"), None, "eve", AT)
        .await
        .unwrap();
    let unseen = desk.approve(ask("bob"), AT).await.unwrap_err();
    let words = unseen.to_string();
    assert!(
        words.contains("by eve") && words.contains(&format!("--version {}", edited.version)),
        "{words}"
    );
    let wiped = desk.edit(DraftId(1), text("Bob's"), None, "bob", AT).await;
    assert!(matches!(wiped, Err(DeskError::Unseen { .. })), "{wiped:?}");
    assert_eq!(f.text("SELECT body FROM drafts"), "Eve's text\n");
    let old = Approval {
        version: Some(edited.version - 1),
        ..ask("bob")
    };
    let stale = desk.approve(old, AT).await;
    assert!(matches!(stale, Err(DeskError::Changed(_))), "{stale:?}");
    let named = Approval {
        version: Some(edited.version),
        ..ask("bob")
    };
    desk.approve(named, AT).await.unwrap();

    // Her own text she has seen, and an hour later so may everybody.
    for (who, at) in [("eve", AT), ("bob", UtcMs(AT.0 + 3_600_000))] {
        let (_f, desk) = with_draft(&Captured::default());
        desk.edit(DraftId(1), text("Eve's text"), None, "eve", AT)
            .await
            .unwrap();
        desk.approve(ask(who), at).await.unwrap();
    }

    // What replyd itself made anew nobody has seen.
    let (f, desk) = with_draft(&Captured::default());
    f.sql(&format!(
        "UPDATE drafts SET body = 'Made anew', version = 2, edited_at = {NOW}"
    ));
    let anew = desk.approve(ask("bob"), AT).await.unwrap_err().to_string();
    assert!(anew.contains("replyd, which decided anew"), "{anew}");
}
