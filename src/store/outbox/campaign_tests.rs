//! Campaign mails and what people switch off, in the transaction that claims a mail.

use std::time::Duration;

use super::tests::{MINUTE, T0, World, deferred, mail, sent};
use super::*;
use crate::model::{CampaignId, JobId, LeadRowId, OutboxState};
use crate::store::{AutomationOff, AutomationScope, Mailing};

pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

/// Leads 2 … n + 1 in campaign 1, each with a queued campaign mail; their mails' ids.
pub(super) fn campaign(w: &World, leads: i64) -> Vec<OutboxId> {
    (2..leads + 2)
        .map(|n| {
            w.sql(&format!(
                "INSERT INTO leads (id, lead_id, email, email_key, created_at, updated_at)
                     VALUES ({n}, 'L{n}', 'lead{n}@x.example', 'lead{n}@x.example', 0, 0);
                 INSERT INTO campaign_leads (id, campaign_id, lead_id, created_at) VALUES ({n}, 1, {n}, 0);"
            ));
            w.queue(&campaign_mail(n))
        })
        .collect()
}

pub(super) fn campaign_mail(n: i64) -> NewMail {
    NewMail {
        campaign_lead_id: Some(CampaignLeadId(n)),
        automatic: false,
        envelope_to: format!("lead{n}@x.example"),
        body: format!("Dear {n}"),
        raw: b"Date: Mon, 1 Jan 2001 00:00:00 +0000\r\nSubject: s\r\n\r\nDear\r\n".to_vec(),
        ..mail(MailKind::Campaign, &format!("c{n}@y"))
    }
}

pub(super) fn answer(id: &str) -> NewMail {
    NewMail {
        job_id: Some(JobId(1)),
        ..mail(MailKind::Acknowledgment, id)
    }
}

pub(super) fn mailing(w: &World) {
    let mailing = Mailing {
        account: "a".into(),
        subject: "s".into(),
        text: "t".into(),
        html: String::new(),
        paused: None,
    };
    w.tx(|tx| tx.put_mailing(CampaignId(1), &mailing, T0));
}

pub(super) fn pace(w: &World, gap: Duration, per_day: u32) {
    for account in [1, 2] {
        w.tx(|tx| tx.set_pace(AccountId(account), gap, per_day));
    }
}

pub(super) fn id_of(mail: Option<&ClaimedMail>) -> Option<OutboxId> {
    mail.map(|m| m.attempt.id)
}

/// Claims, hands over and records.
pub(super) fn send_next(w: &World, now: UtcMs, verdict: &Verdict) -> Option<OutboxId> {
    let mail = w.claim(now)?;
    w.tx(|tx| tx.mark_handed_over(&mail.attempt, now));
    w.record(&mail, verdict, now);
    Some(mail.attempt.id)
}

pub(super) fn rejected(code: u16, text: &str) -> Verdict {
    Verdict::Rejected {
        code: Some(code),
        text: text.into(),
    }
}

#[test]
fn what_is_switched_off_holds_queued_mails_and_lets_them_go_again() {
    for (scope, held, other_held) in [
        (AutomationScope::All, true, true),
        (AutomationScope::Campaign(CampaignId(1)), true, false),
        (AutomationScope::Campaign(CampaignId(2)), false, true),
        (AutomationScope::Lead(LeadRowId(1)), true, false),
        // The same person, imported twice: a lead is an address.
        (AutomationScope::Lead(LeadRowId(9)), true, false),
        (AutomationScope::Lead(LeadRowId(8)), false, true),
    ] {
        let w = World::new();
        w.sql(
            "INSERT INTO campaigns (id, name, created_at, updated_at) VALUES (2, 'other', 0, 0);
             INSERT INTO leads (id, lead_id, email, email_key, created_at, updated_at)
                 VALUES (9, 'L9', 'Ann@x.example', 'ann@x.example', 0, 0),
                        (8, 'L8', 'bob@x.example', 'bob@x.example', 0, 0);
             INSERT INTO campaign_leads (id, campaign_id, lead_id, created_at) VALUES (8, 2, 8, 0);",
        );
        let ours = w.queue(&answer("1@y"));
        let other = w.queue(&NewMail {
            campaign_lead_id: Some(CampaignLeadId(8)),
            envelope_to: "bob@x.example".into(),
            ..mail(MailKind::Acknowledgment, "2@y")
        });
        let notice = w.queue(&mail(MailKind::SalesNotice, "3@y"));
        let manual = w.queue(&NewMail {
            automatic: false,
            ..mail(MailKind::Manual, "4@y")
        });
        let n = w.tx(|tx| tx.switch_automation_off(scope, "ann", "wrong prices", T0));
        assert_eq!(n, u32::from(held) + u32::from(other_held), "{scope:?}");
        let off: Vec<AutomationOff> = w.tx(|tx| tx.automation_off());
        assert_eq!(off.len(), 1);
        let line = off[0].to_string();
        assert!(line.contains("by ann: wrong prices"), "{line}");

        let mut left = Vec::new();
        while let Some(id) = send_next(&w, T0, &sent()) {
            left.push(id);
        }
        let mut want = vec![notice, manual];
        want.extend((!held).then_some(ours));
        want.extend((!other_held).then_some(other));
        left.sort();
        want.sort();
        assert_eq!(left, want, "{scope:?}");
        for (id, held) in [(ours, held), (other, other_held)] {
            assert_eq!(w.state(id), if held { "queued" } else { "sent" });
        }
        // Nothing is due: the worker sleeps.
        assert_eq!(w.tx(|tx| tx.next_outbox_due(T0, &[])), None);
        assert_eq!(
            w.tx(|tx| tx.outbox_status(T0, 5)).oldest_due_created_at,
            None
        );

        let done = w.tx(|tx| tx.switch_automation_on(scope, UtcMs(1)));
        assert!(done.was_off);
        assert_eq!(done.released, n, "{scope:?}");
        let mut left = 0;
        while send_next(&w, T0, &sent()).is_some() {
            left += 1;
        }
        assert_eq!(left, n, "{scope:?}");
        assert!(!w.tx(|tx| tx.switch_automation_on(scope, T0)).was_off);
    }
}

#[test]
fn what_was_held_until_its_reply_was_old_becomes_a_draft() {
    let w = World::new();
    w.sql(&format!("UPDATE messages SET internal_date = {}", T0.0));
    let id = w.queue(&answer("1@y"));
    w.sql(&format!(
        "INSERT INTO conversations (campaign_lead_id, sender, message, created_at, outbox_ref)
         VALUES (1, 'agent', 'Thank you', 0, {id})"
    ));
    w.tx(|tx| tx.switch_automation_off(AutomationScope::All, "", "", T0));
    let later = T0.plus(DAY + MINUTE);
    let done = w.tx(|tx| tx.switch_automation_on(AutomationScope::All, later));
    assert_eq!((done.drafted, done.released), (1, 0));
    assert_eq!(w.state(id), "cancelled");
    let draft =
        w.text("SELECT subject || '|' || body || '|' || reason FROM drafts WHERE state = 'open'");
    assert!(
        draft.starts_with("Re: offer|Thank you|the reply is older than answer_max_age"),
        "{draft}"
    );
    // People do not read it in the thread as if it had left.
    assert_eq!(
        w.text("SELECT count(*) FROM conversations WHERE sender = 'agent'"),
        "0"
    );
    assert!(w.claim(later).is_none());
}

#[test]
fn two_switches_hold_until_both_are_on_and_new_mail_is_held_at_once() {
    let w = World::new();
    let lead = AutomationScope::Lead(LeadRowId(1));
    w.tx(|tx| tx.switch_automation_off(AutomationScope::All, "", "", T0));
    w.tx(|tx| tx.switch_automation_off(lead, "", "", T0));
    let id = w.queue(&answer("1@y"));
    assert_eq!(w.text("SELECT held FROM outbox"), "1", "shown at once");
    assert_eq!(w.tx(|tx| tx.held_mails()), 1);
    let done = w.tx(|tx| tx.switch_automation_on(AutomationScope::All, UtcMs(1)));
    assert_eq!((done.held, done.released), (1, 0));
    assert!(w.claim(T0).is_none());
    w.tx(|tx| tx.switch_automation_on(lead, UtcMs(1)));
    assert_eq!(id_of(w.claim(T0).as_ref()), Some(id));
}

#[test]
fn an_opt_out_while_a_mail_is_held_withdraws_it() {
    let w = World::new();
    let id = w.queue(&answer("1@y"));
    w.tx(|tx| tx.switch_automation_off(AutomationScope::All, "", "", T0));
    w.tx(|tx| tx.suppress("ann@x.example", "unsubscribe", None, T0));
    let done = w.tx(|tx| tx.switch_automation_on(AutomationScope::All, UtcMs(1)));
    assert_eq!((done.withdrawn, done.released), (1, 0));
    assert_eq!(w.state(id), "cancelled");
}

#[test]
fn a_persons_mail_to_who_wants_none_is_refused_when_it_is_written() {
    let w = World::new();
    w.tx(|tx| tx.suppress("ann@x.example", "complaint", None, T0));
    let manual = NewMail {
        automatic: false,
        ..mail(MailKind::Manual, "1@y")
    };
    let refused = w.try_tx(|tx| tx.enqueue(&manual, T0)).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("wants no more mail (complaint)"),
        "{refused}"
    );
    // With --redirect-to the envelope names another address: the lead's own counts.
    let redirected = NewMail {
        envelope_to: "trial@y.example".into(),
        ..manual
    };
    assert!(w.try_tx(|tx| tx.enqueue(&redirected, T0)).is_err());
}

#[test]
fn a_mode_that_changed_makes_a_queued_answer_a_draft() {
    let w = World::new();
    let id = w.queue(&answer("1@y"));
    w.sql("UPDATE campaigns SET mode = 'draft'");
    assert!(w.claim(T0).is_none());
    assert_eq!(w.state(id), "cancelled");
    let reason = w.text("SELECT reason FROM drafts");
    assert_eq!(reason, "the campaign's mode is draft by now");
}

#[test]
fn a_paused_or_ended_campaign_is_passed_over_as_a_whole() {
    let w = World::new();
    pace(&w, Duration::from_secs(1), 1000);
    mailing(&w);
    let mails = campaign(&w, 2);
    assert!(w.tx(|tx| tx.pause_campaign(CampaignId(1), "ann", "typing error", T0)));
    assert!(!w.tx(|tx| tx.pause_campaign(CampaignId(1), "bob", "", T0)));
    assert!(w.claim(T0).is_none());
    assert_eq!(
        w.tx(|tx| tx.next_outbox_due(T0, &[])),
        None,
        "and nobody is woken"
    );
    let paused = w
        .tx(|tx| tx.campaign("c"))
        .unwrap()
        .mailing
        .unwrap()
        .paused
        .unwrap();
    assert_eq!(
        (paused.by.as_str(), paused.reason.as_str()),
        ("ann", "typing error")
    );
    assert!(w.tx(|tx| tx.resume_campaign(CampaignId(1), T0)));
    assert_eq!(send_next(&w, T0, &sent()), Some(mails[0]));
    w.sql("UPDATE campaigns SET is_active = 0");
    assert!(w.claim(T0.plus(MINUTE)).is_none());
    w.sql("UPDATE campaigns SET is_active = 1");
    w.tx(|tx| tx.switch_automation_off(AutomationScope::All, "", "", T0));
    assert!(w.claim(T0.plus(MINUTE)).is_none());
    assert_eq!(
        w.tx(|tx| tx.held_mails()),
        1,
        "counted though no row was touched"
    );
    assert_eq!(w.text("SELECT sum(held) FROM outbox"), "0");
    w.tx(|tx| tx.switch_automation_on(AutomationScope::All, T0));
    assert_eq!(send_next(&w, T0.plus(MINUTE), &sent()), Some(mails[1]));
}

#[test]
fn a_lead_that_is_off_away_or_bounced_does_not_hold_up_the_campaign() {
    let w = World::new();
    pace(&w, Duration::from_secs(1), 1000);
    let mails = campaign(&w, 4);
    let back = T0.plus(DAY);
    w.tx(|tx| tx.switch_automation_off(AutomationScope::Lead(LeadRowId(2)), "", "", T0));
    w.sql(&format!(
        "UPDATE leads SET paused_until = {} WHERE id = 3",
        back.0
    ));
    w.sql("UPDATE leads SET bounced_at = 5 WHERE id = 4");
    assert_eq!(send_next(&w, T0, &sent()), Some(mails[3]));
    assert!(w.claim(T0.plus(MINUTE)).is_none());
    assert_eq!(w.state(mails[0]), "queued");
    assert_eq!(w.state(mails[2]), "cancelled");
    assert_eq!(w.tx(|tx| tx.next_outbox_due(T0, &[])), Some(back));
    assert_eq!(
        send_next(&w, back, &sent()),
        Some(mails[1]),
        "back from the holiday"
    );
    w.tx(|tx| tx.switch_automation_on(AutomationScope::Lead(LeadRowId(2)), back));
    assert_eq!(send_next(&w, back.plus(MINUTE), &sent()), Some(mails[0]));
}

#[test]
fn a_lead_has_one_campaign_mail_whoever_queues_it_again() {
    let w = World::new();
    pace(&w, Duration::from_millis(1), 1000);
    let mails = campaign(&w, 1);
    let again = NewMail {
        rfc_message_id: "other@y".into(),
        ..campaign_mail(2)
    };
    let lost = Verdict::Unknown { why: "?".into() };
    let mut at = T0;
    for (verdict, state) in [
        (None, "queued"),
        (Some(deferred(None)), "deferred"),
        (Some(lost), "unknown"),
    ] {
        if let Some(verdict) = verdict {
            at = at.plus(DAY);
            send_next(&w, at, &verdict);
            w.sql("UPDATE outbox SET next_attempt_at = 0 WHERE state = 'deferred'");
        }
        assert_eq!(w.state(mails[0]), state);
        assert_eq!(
            w.tx(|tx| tx.enqueue(&again, T0)),
            Inserted::Duplicate(mails[0])
        );
    }
    // A person says that it did not arrive, and then that it never will.
    w.tx(|tx| tx.settle(mails[0], Settlement::Cancel, T0));
    let second = w.queue(&again);
    assert_ne!(second, mails[0]);
    // The first can not come back beside it.
    let clash = w.try_tx(|tx| {
        tx.conn.execute(
            "UPDATE outbox SET state = 'unknown' WHERE id = ?1",
            [mails[0].0],
        )?;
        Ok(())
    });
    assert!(clash.is_err());
}

#[test]
fn a_campaign_mail_is_known_from_its_handover_and_told_as_sent_when_it_was_taken() {
    let w = World::new();
    let mails = campaign(&w, 1);
    let told = "SELECT message_sent || ' ' || email_message_id FROM campaign_leads WHERE id = 2";
    let known = "SELECT count(*) FROM sent_ids i JOIN sent_messages s ON s.id = i.sent_id
                 WHERE i.id_key = 'c2@y' AND s.campaign_lead_id = 2 AND s.kind = 'campaign'";
    assert_eq!(w.text(known), "0", "queued");
    let claimed = w.claim(T0).unwrap();
    let raw = String::from_utf8(claimed.raw.clone()).unwrap();
    assert!(
        raw.starts_with("Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"),
        "{raw}"
    );
    assert_eq!(
        w.text("SELECT CAST(raw AS TEXT) FROM outbox"),
        raw,
        "what is stored is what left"
    );
    assert_eq!(w.text(known), "0", "claimed");
    w.tx(|tx| tx.mark_handed_over(&claimed.attempt, T0));
    assert_eq!(w.text(known), "1", "a reply may come from now on");
    assert_eq!(w.text(told), "0 ");
    assert_eq!(
        w.text("SELECT count(*) FROM conversations WHERE campaign_lead_id = 2"),
        "0"
    );
    w.record(&claimed, &sent(), T0.plus(MINUTE));
    assert_eq!(w.text(told), "1 c2@y");
    assert_eq!(
        w.text("SELECT sender || ' ' || agent_tool_used || ' ' || message FROM conversations WHERE campaign_lead_id = 2"),
        "agent message_generation Dear 2"
    );
    assert_eq!(
        w.text("SELECT sent_at FROM sent_messages"),
        T0.plus(MINUTE).0.to_string()
    );
    let counts = w.tx(|tx| tx.campaign_counts(CampaignId(1)));
    assert_eq!((counts.leads, counts.sent, counts.queued), (2, 1, 0));
    assert_eq!(w.state(mails[0]), "sent");
}

#[test]
fn held_campaigns_cost_a_claim_no_look_at_their_mails() {
    let w = World::new();
    let plan = w.tx(|tx| {
        let sql = format!("EXPLAIN QUERY PLAN {}", lanes::CAMPAIGNS_SQL);
        let mut s = tx.conn.prepare(&sql)?;
        let rows = s.query_map(params!["[]", None::<&str>], |r| r.get::<_, String>(3))?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?.join("\n"))
    });
    assert!(
        plan.contains("SEARCH x USING INDEX outbox_campaign_due (campaign_id=?)"),
        "{plan}"
    );
    assert!(!plan.contains("SCAN o"), "{plan}");
    assert_eq!(
        OutboxState::ALL.len(),
        7,
        "a new state: does the gate know it?"
    );
}

#[test]
fn a_lead_that_is_on_again_while_its_campaign_is_paused_is_not_forgotten() {
    let w = World::new();
    mailing(&w);
    let mails = campaign(&w, 1);
    let lead = AutomationScope::Lead(LeadRowId(2));
    w.tx(|tx| tx.switch_automation_off(lead, "", "", T0));
    assert_eq!(w.text("SELECT held FROM outbox"), "1");
    w.tx(|tx| tx.pause_campaign(CampaignId(1), "", "", T0));
    w.tx(|tx| tx.switch_automation_on(lead, T0));
    assert!(w.claim(T0).is_none());
    w.tx(|tx| tx.resume_campaign(CampaignId(1), T0));
    assert_eq!(send_next(&w, T0, &sent()), Some(mails[0]));
}

#[test]
fn what_is_switched_off_or_opted_out_of_after_the_claim_does_not_go_out() {
    for (change, state) in [
        (
            "INSERT INTO automation_off (scope, target_id, off_at) VALUES ('all', 0, 0)",
            "deferred",
        ),
        (
            "INSERT INTO suppressions (email_key, reason, created_at) VALUES ('ann@x.example', 'unsubscribe', 0)",
            "cancelled",
        ),
        ("UPDATE campaigns SET mode = 'draft'", "cancelled"),
    ] {
        let w = World::new();
        let id = w.queue(&answer("1@y"));
        let claimed = w.claim(T0).unwrap();
        w.sql(change);
        let handover = w.tx(|tx| tx.mark_handed_over(&claimed.attempt, T0));
        assert!(matches!(handover, Handover::Stopped(_)), "{change}");
        assert_eq!(w.state(id), state, "{change}");
        assert!(w.claim(T0.plus(CLAIM_LEASE)).is_none(), "{change}");
    }
    // A campaign that was paused meanwhile goes on with this very mail.
    let w = World::new();
    mailing(&w);
    let mails = campaign(&w, 1);
    let claimed = w.claim(T0).unwrap();
    w.tx(|tx| tx.pause_campaign(CampaignId(1), "", "", T0));
    w.tx(|tx| tx.mark_handed_over(&claimed.attempt, T0));
    w.tx(|tx| tx.resume_campaign(CampaignId(1), T0));
    assert_eq!(send_next(&w, T0.plus(MINUTE), &sent()), Some(mails[0]));
}

#[test]
fn an_answer_that_waited_beyond_answer_max_age_is_left_to_a_person() {
    let w = World::new();
    w.tx(|tx| tx.set_answer_max_age(HOUR));
    let id = w.queue(&answer("1@y"));
    assert!(w.claim(T0.plus(HOUR + MINUTE)).is_none());
    assert_eq!(w.state(id), "cancelled");
    assert!(
        w.text("SELECT reason FROM drafts")
            .contains("answer_max_age")
    );
}

#[test]
fn a_trial_that_redirects_all_mail_uses_up_no_campaign() {
    let w = World::new();
    let mails = campaign(&w, 1);
    let trial = |to| {
        w.tx(|tx| tx.claim_outbox(T0, CLAIM_LEASE, &[], Some(to)))
            .mail
    };
    assert!(trial("me@home.example").is_none());
    assert_eq!(w.state(mails[0]), "queued");
    // One that was queued for the trial leaves.
    assert!(trial("lead2@x.example").is_some());
}
