//! A person's mail and our own copies in the Sent folder, as the outbox sees them.

use super::copy::{CopyTold, OwnCopy};
use super::tests::{MINUTE, T0, World, mail};
use super::*;
use crate::model::{FilesSent, IdSource, MailboxId, SentKind};
use crate::store::{NewConversation, NewDraft, NewSent, PersonMail, Speaker};

const THREAD: CampaignLeadId = CampaignLeadId(1);

/// An acknowledgement for job 1 with its line and its record, as the reply actor queues it.
fn acknowledgment(w: &World, id: &str) -> OutboxId {
    let mail = NewMail {
        job_id: Some(JobId(1)),
        ..mail(MailKind::Acknowledgment, id)
    };
    let outbox = w.queue(&mail);
    w.tx(|tx| {
        tx.insert_sent(
            &NewSent {
                campaign_lead_id: THREAD,
                kind: SentKind::Acknowledgment,
                subject: String::new(),
                body: "Thank you".into(),
                sent_at: T0,
                outbox_ref: Some(outbox),
                ids: vec![(id.into(), IdSource::Own)],
            },
            &[],
            T0,
        )?;
        tx.insert_conversation(&NewConversation {
            campaign_lead_id: THREAD,
            sender: Speaker::Agent,
            message: "Thank you",
            agent_tool_used: "acknowledgment",
            email_message_id: id,
            email_in_reply_to: "",
            created_at: T0,
            message_ref: None,
            outbox_ref: Some(outbox),
        })?;
        tx.conn
            .execute_batch("UPDATE reply_jobs SET state = 'done', done_at = 0")?;
        Ok(())
    });
    outbox
}

fn persons_mail(id: &str) -> PersonMail<'_> {
    PersonMail {
        id: Some((id, "hash")),
        subject: "Re: homes",
        text: "See you on Saturday",
        in_reply_to: "k",
        sent_at: T0,
        message: None,
    }
}

#[test]
fn what_waits_is_withdrawn_also_when_its_attempt_is_booked_but_not_what_was_handed_over() {
    for (stage, withdrawn) in [("queued", true), ("claimed", true), ("handed over", false)] {
        let w = World::new();
        let id = acknowledgment(&w, "a@y.example");
        let claimed = (stage != "queued").then(|| w.claim(T0).unwrap());
        if stage == "handed over" {
            w.tx(|tx| tx.mark_handed_over(&claimed.as_ref().unwrap().attempt, T0));
        }
        let done = w.tx(|tx| tx.take_over(THREAD, T0, T0));
        assert_eq!(
            done.withdrawn,
            if withdrawn { vec![id] } else { vec![] },
            "{stage}"
        );
        assert_eq!(
            w.state(id),
            if withdrawn { "cancelled" } else { "sending" },
            "{stage}"
        );
        let lines = w.text("SELECT count(*) FROM conversations WHERE sender = 'agent'");
        assert_eq!(lines, if withdrawn { "0" } else { "1" }, "{stage}");
        if let Some(claimed) = claimed.filter(|_| withdrawn) {
            // Whoever was about to send it must not.
            let late = w.try_tx(|tx| tx.mark_handed_over(&claimed.attempt, T0));
            assert!(matches!(late, Err(StoreError::Stale(_))), "{late:?}");
            assert_eq!(w.claim(T0.plus(CLAIM_LEASE)).map(|m| m.attempt.id), None);
            assert_eq!(
                w.text("SELECT smtp_text FROM outbox"),
                "A person has written in the thread"
            );
        }
    }
}

#[test]
fn a_reply_that_came_after_the_persons_mail_is_decided_anew_and_an_earlier_one_is_not() {
    for (came, reopened) in [(T0.0 - 1, 0), (T0.0, 0), (T0.0 + 1, 1)] {
        let w = World::new();
        w.sql(&format!("UPDATE messages SET internal_date = {came}"));
        acknowledgment(&w, "a@y.example");
        let done = w.tx(|tx| tx.take_over(THREAD, T0, T0));
        assert_eq!(
            (done.withdrawn.len(), done.reopened),
            (1, reopened),
            "{came}"
        );
        let state = w.text("SELECT state FROM reply_jobs");
        assert_eq!(state, if reopened == 1 { "pending" } else { "done" });
    }
}

#[test]
fn drafts_for_what_the_person_had_read_are_closed_and_later_ones_stay() {
    for (came, closed) in [(T0.0, 1), (T0.0 + 1, 0)] {
        let w = World::new();
        w.sql(&format!(
            "UPDATE messages SET internal_date = {came}, campaign_lead_id = 1"
        ));
        w.tx(|tx| {
            tx.insert_draft(
                &NewDraft {
                    job_id: JobId(1),
                    campaign_lead_id: THREAD,
                    message_id: MessageRowId(1),
                    subject: "s",
                    body: "b",
                    reason: "a question",
                    tool: "unknown",
                    wants_text: true,
                },
                T0,
            )
        });
        assert_eq!(
            w.tx(|tx| tx.take_over(THREAD, T0, T0)).drafts,
            closed,
            "{came}"
        );
        let reason = w.text("SELECT decision FROM drafts");
        assert_eq!(
            reason.contains("a person answered by mail"),
            closed == 1,
            "{reason}"
        );
    }
}

#[test]
fn a_persons_mail_that_is_recorded_later_than_the_queueing_stops_the_claim() {
    let w = World::new();
    let id = acknowledgment(&w, "a@y.example");
    // Not through `take_over`: a copy of it came into the INBOX.
    w.tx(|tx| tx.record_found(THREAD, SentKind::Manual, &persons_mail("p@y.example"), T0));
    assert!(w.claim(T0).is_none());
    assert_eq!(w.state(id), "cancelled");
    // Its text is not lost: the person finds it.
    assert_eq!(
        w.text("SELECT reason FROM drafts WHERE state = 'open'"),
        "a person has written in the thread"
    );
    // The same again changes nothing.
    let again =
        w.tx(|tx| tx.record_found(THREAD, SentKind::Manual, &persons_mail("p@y.example"), T0));
    assert_eq!(again, None);
}

fn told(w: &World, token: &str, bears: &str, counted: bool) -> CopyTold {
    w.tx(|tx| {
        tx.note_own_copy(
            &OwnCopy {
                token,
                bears: Some((bears, "hash")),
                account: AccountId(1),
                host: "smtp.y.example",
                counted,
            },
            T0,
        )
    })
}

fn learned(w: &World) -> FilesSent {
    w.tx(|tx| Ok(tx.folders(AccountId(1))?.files_sent))
}

#[test]
fn a_copy_settles_an_unknown_mail_teaches_its_id_and_shows_who_files() {
    let w = World::new();
    let id = acknowledgment(&w, "tok@y.example");
    w.lose_answer(id);
    assert_eq!(told(&w, "other", "x@y.example", true), CopyTold::default());
    let first = told(&w, "tok", "new@provider.example", true);
    assert_eq!(
        (first.mail, first.settled, first.taught),
        (Some(id), true, true)
    );
    assert_eq!(w.state(id), "sent");
    assert_eq!(learned(&w), FilesSent::Yes);
    assert_eq!(
        w.text("SELECT source FROM sent_ids WHERE id_key = 'new@provider.example'"),
        "sent_folder"
    );
    let again = told(&w, "tok", "new@provider.example", false);
    assert_eq!((again.settled, again.taught), (false, false));
    // Nothing but `unknown` is settled by it.
    for state in ["queued", "deferred", "rejected", "cancelled"] {
        w.sql(&format!("UPDATE outbox SET state = '{state}'"));
        assert!(!told(&w, "tok", "tok@y.example", false).settled);
        assert_eq!(w.state(id), state);
    }
}

#[test]
fn a_notices_changed_id_is_never_a_key_for_a_lead() {
    let w = World::new();
    let notice = NewMail {
        automatic: false,
        ..mail(MailKind::SalesNotice, "note@y.example")
    };
    w.queue(&notice);
    assert!(!told(&w, "note", "changed@provider.example", true).taught);
    assert_eq!(w.text("SELECT count(*) FROM sent_ids"), "0");
}

#[test]
fn our_own_copy_is_not_taken_for_the_providers_work_and_a_second_one_is() {
    let w = World::new();
    let id = acknowledgment(&w, "tok@y.example");
    w.sql("UPDATE outbox SET state = 'sent', finished_at = 0");
    assert!(w.tx(|tx| tx.book_filing(id, T0)));
    // Died between APPEND and its record: the copy is found.
    told(&w, "tok", "tok@y.example", true);
    assert_eq!(w.text("SELECT filed FROM outbox"), "appended");
    assert_eq!(learned(&w), FilesSent::Untried);
    assert!(!w.tx(|tx| tx.book_filing(id, T0)), "never a second one");
    told(&w, "tok", "tok@y.example", true);
    assert_eq!(learned(&w), FilesSent::Yes);
}

#[test]
fn filing_is_given_up_after_five_tries() {
    let w = World::new();
    let id = acknowledgment(&w, "tok@y.example");
    w.sql("UPDATE outbox SET state = 'sent', finished_at = 10");
    let open = |w: &World| w.tx(|tx| tx.unfiled(AccountId(1), UtcMs(0), 9)).len();
    for _ in 0..5 {
        assert_eq!(open(&w), 1);
        assert!(w.tx(|tx| tx.book_filing(id, T0)));
    }
    assert!(!w.tx(|tx| tx.book_filing(id, T0)));
    assert_eq!(
        (open(&w), w.text("SELECT filed FROM outbox")),
        (0, "given_up".into())
    );
}

#[test]
fn an_automatic_mail_that_waited_needs_the_sent_folder_read_after_it_was_queued() {
    let second = Duration::from_secs(1);
    let at = |s: u32| T0.plus(second * s);
    // Claimed so many seconds after it was queued; the folder was read then, or never.
    for (claimed, read, leaves) in [
        (1, Some(at(0).minus(MINUTE)), true),
        (1, None, false),
        (3, Some(at(0).minus(second)), false),
        (3, Some(at(0)), true),
        (3, Some(at(3)), true),
        (60, Some(at(39)), false),
        (60, Some(at(40)), true),
        (60, None, false),
    ] {
        let w = World::new();
        let id = acknowledgment(&w, "a@y.example");
        w.sql("INSERT INTO mailboxes (id, account_id, name, role) VALUES (2, 1, 'Sent', 'sent')");
        w.tx(|tx| tx.note_sent_read(AccountId(1), read));
        let claim = w.tx(|tx| tx.claim_outbox(at(claimed), CLAIM_LEASE, &[], None));
        assert_eq!(claim.mail.is_some(), leaves, "{claimed} {read:?}");
        if !leaves {
            assert_eq!(claim.unread, [AccountId(1)]);
            assert_eq!(w.state(id), "queued");
            w.tx(|tx| tx.note_sent_read(AccountId(1), Some(at(claimed + 1))));
            assert!(w.claim(at(claimed + 2)).is_some(), "{claimed} {read:?}");
        }
    }
    // In trouble it holds nobody up, nor does another account's; a person's mail never waits.
    for change in [
        "UPDATE mailboxes SET trouble = 'gone'",
        "UPDATE mailboxes SET account_id = 2",
        "UPDATE outbox SET automatic = 0",
    ] {
        let w = World::new();
        acknowledgment(&w, "a@y.example");
        w.sql("INSERT INTO mailboxes (id, account_id, name, role) VALUES (2, 1, 'Sent', 'sent')");
        w.sql(&format!(
            "{change} WHERE id = (SELECT max(id) FROM {})",
            change.split(' ').nth(1).unwrap()
        ));
        assert!(w.claim(at(60)).is_some(), "{change}");
    }
}

#[test]
fn the_answer_to_a_later_reply_waits_for_the_folder_as_a_person_may_have_answered_the_first() {
    let w = World::new();
    acknowledgment(&w, "a@y.example");
    w.sql(
        "INSERT INTO mailboxes (id, account_id, name, role) VALUES (2, 1, 'Sent', 'sent');
         INSERT INTO messages (id, account_id, mailbox_id, uid_validity, uid, internal_date, stored_at,
             size_bytes, source, disposition, message_key, content_digest)
             VALUES (2, 1, 1, 1, 2, 0, 0, 1, 'live', 'reply', 'k2', 'd2');
         INSERT INTO conversations (campaign_lead_id, sender, message, created_at, message_ref)
             VALUES (1, 'customer', 'An earlier one', 0, 2);",
    );
    w.tx(|tx| tx.note_sent_read(AccountId(1), Some(T0.minus(MINUTE))));
    let claim = w.tx(|tx| tx.claim_outbox(T0, CLAIM_LEASE, &[], None));
    assert_eq!(claim.unread, [AccountId(1)]);
    w.tx(|tx| tx.note_sent_read(AccountId(1), Some(T0)));
    assert!(w.claim(T0.plus(Duration::from_secs(2))).is_some());
}

#[test]
fn one_that_waited_a_day_for_the_folder_is_left_to_a_person() {
    let late = T0.plus(MINUTE * 60 * 25);
    // A folder that is read all the time only has to be read once more.
    for (read, state) in [(None, "cancelled"), (Some(late.minus(MINUTE)), "queued")] {
        let w = World::new();
        w.tx(|tx| tx.set_answer_max_age(MINUTE * 60 * 72));
        let id = acknowledgment(&w, "a@y.example");
        w.sql("INSERT INTO mailboxes (id, account_id, name, role) VALUES (2, 1, 'Sent', 'sent')");
        w.tx(|tx| tx.note_sent_read(AccountId(1), read));
        assert!(w.claim(late).is_none());
        assert_eq!(w.state(id), state, "{read:?}");
        if state == "cancelled" {
            let why = w.text("SELECT reason FROM drafts");
            assert!(why.contains("the Sent folder could not be read"), "{why}");
        }
    }
}

#[test]
fn folders_get_their_roles_and_the_idling_one_stays_what_it_is() {
    let w = World::new();
    let names = |list: &[&str]| -> Vec<String> { list.iter().map(|s| (*s).to_owned()).collect() };
    let roles = |w: &World| -> Vec<(String, String)> {
        w.tx(|tx| Ok(tx.folders(AccountId(1))?.folders))
            .into_iter()
            .map(|f| (f.name, f.role.to_string()))
            .collect()
    };
    let pairs = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    };
    w.tx(|tx| {
        tx.set_folders(
            AccountId(1),
            &names(&["INBOX", "Team", "Spam"]),
            Some("Spam"),
            Some("Sent"),
        )
    });
    assert_eq!(
        roles(&w),
        pairs(&[
            ("INBOX", "watched"),
            ("Team", "watched"),
            ("Spam", "junk"),
            ("Sent", "sent")
        ])
    );
    // Renamed, and one no longer in the settings; who idles on the Sent folder watches it.
    w.tx(|tx| tx.set_folders(AccountId(1), &names(&["Sent", "INBOX"]), None, Some("Sent")));
    assert_eq!(
        roles(&w),
        pairs(&[("INBOX", "watched"), ("Sent", "watched")])
    );
    assert!(w.tx(|tx| tx.note_folder(MailboxId(1), "closed")));
    assert!(
        !w.tx(|tx| tx.note_folder(MailboxId(1), "closed")),
        "no news"
    );
    w.tx(|tx| tx.rest_folder(MailboxId(1), Some("timed out"), T0));
    let row = w.tx(|tx| tx.folders(AccountId(1))).folders.swap_remove(0);
    assert_eq!(
        (row.failures, row.rest_until, row.trouble.as_str()),
        (1, T0, "timed out")
    );
    assert!(w.tx(|tx| tx.note_folder(MailboxId(1), "")));
}
