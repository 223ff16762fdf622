use std::time::Duration;

use super::*;
use crate::model::{AccountState, IdSource, OutboxState, SentKind};
use crate::store::{NewSent, Store};

pub(super) const T0: UtcMs = UtcMs(1_700_000_000_000);
pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// A database with account 1 and 2, and lead ann in campaign_lead 1 with reply job 1.
pub(super) struct World {
    pub(super) dir: tempfile::TempDir,
    pub(super) store: Store,
}

impl World {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_blocking(&dir.path().join("r.db")).unwrap();
        let world = Self { dir, store };
        world.sql(
            "INSERT INTO accounts (id, name, first_started_at, state_since) VALUES (1, 'a', 0, 0), (2, 'b', 0, 0);
             INSERT INTO leads (id, lead_id, email, email_key, created_at, updated_at)
                 VALUES (1, 'L1', 'ann@x.example', 'ann@x.example', 0, 0);
             INSERT INTO campaigns (id, name, created_at, updated_at) VALUES (1, 'c', 0, 0);
             INSERT INTO campaign_leads (id, campaign_id, lead_id, created_at) VALUES (1, 1, 1, 0);
             INSERT INTO mailboxes (id, account_id, name) VALUES (1, 1, 'INBOX');
             INSERT INTO messages (id, account_id, mailbox_id, uid_validity, uid, internal_date, stored_at,
                 size_bytes, source, disposition, message_key, content_digest)
                 VALUES (1, 1, 1, 1, 1, 1700000000000, 1700000000000, 1, 'live', 'reply', 'k', 'd');
             INSERT INTO reply_jobs (id, message_id, next_attempt_at, created_at) VALUES (1, 1, 0, 0);
             INSERT INTO conversations (campaign_lead_id, sender, message, created_at, message_ref)
                 VALUES (1, 'customer', 'Yes please', 0, 1);",
        );
        world
    }

    pub(super) fn sql(&self, sql: &str) {
        self.tx(|tx| Ok(tx.conn.execute_batch(sql)?));
    }

    pub(super) fn try_tx<T>(
        &self,
        f: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut conn = self.store.0.writer.get().unwrap();
        let transaction = conn.transaction().unwrap();
        let done = f(&Tx {
            reader: super::super::Reader { conn: &transaction },
        })?;
        transaction.commit().unwrap();
        Ok(done)
    }

    pub(super) fn tx<T>(&self, f: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>) -> T {
        self.try_tx(f).unwrap()
    }

    pub(super) fn text(&self, sql: &str) -> String {
        self.tx(|tx| {
            let value: rusqlite::types::Value = tx.conn.query_row(sql, [], |r| r.get(0))?;
            Ok(match value {
                rusqlite::types::Value::Text(t) => t,
                rusqlite::types::Value::Integer(n) => n.to_string(),
                other => format!("{other:?}"),
            })
        })
    }

    pub(super) fn state(&self, id: OutboxId) -> String {
        self.text(&format!("SELECT state FROM outbox WHERE id = {id}"))
    }

    pub(super) fn queue(&self, mail: &NewMail) -> OutboxId {
        match self.tx(|tx| tx.enqueue(mail, T0)) {
            Inserted::New(id) => id,
            Inserted::Duplicate(id) => panic!("{id} was there"),
        }
    }

    pub(super) fn claim(&self, now: UtcMs) -> Option<ClaimedMail> {
        self.tx(|tx| tx.claim_outbox(now, CLAIM_LEASE, &[], None))
            .mail
    }

    pub(super) fn record(&self, mail: &ClaimedMail, verdict: &Verdict, now: UtcMs) -> OutboxState {
        self.tx(|tx| tx.record_outcome(&mail.attempt, verdict, now))
    }

    /// Into `unknown`, as after a crash behind the handover.
    pub(super) fn lose_answer(&self, id: OutboxId) -> ClaimedMail {
        let mail = self.claim(T0).unwrap();
        assert_eq!(mail.attempt.id, id);
        self.tx(|tx| tx.mark_handed_over(&mail.attempt, T0));
        let later = T0.plus(HANDOVER_LEASE);
        let claim = self.tx(|tx| tx.claim_outbox(later, CLAIM_LEASE, &[], None));
        assert_eq!(claim.unknown, [id]);
        mail
    }
}

pub(super) fn mail(kind: MailKind, id: &str) -> NewMail {
    NewMail {
        job_id: None,
        account_id: AccountId(1),
        kind,
        round: 0,
        campaign_lead_id: Some(CampaignLeadId(1)),
        automatic: true,
        rfc_message_id: id.to_owned(),
        envelope_from: "us@y.example".into(),
        envelope_to: "ann@x.example".into(),
        subject: "Re: offer".into(),
        body: "Thank you".into(),
        body_digest: "d".into(),
        raw: b"Subject: Re: offer\r\n\r\nThank you\r\n".to_vec(),
        next_attempt_at: T0,
    }
}

pub(super) fn sent() -> Verdict {
    Verdict::Sent {
        code: 250,
        text: "2.0.0 Ok".into(),
        provider_id: None,
        aliases: Vec::new(),
    }
}

pub(super) fn deferred(trouble: Option<AccountState>) -> Verdict {
    Verdict::Deferred {
        code: Some(451),
        text: "RCPT: greylisted".into(),
        trouble,
        fault: "",
    }
}

#[test]
fn the_same_job_and_kind_is_queued_once() {
    let w = World::new();
    let mut first = mail(MailKind::Answer, "1@y");
    first.job_id = Some(crate::model::JobId(1));
    let id = w.queue(&first);
    let mut again = first.clone();
    again.rfc_message_id = "2@y".into();
    assert_eq!(w.tx(|tx| tx.enqueue(&again, T0)), Inserted::Duplicate(id));
    // A digest has no job: its Message-ID tells.
    let digest = w.queue(&mail(MailKind::SalesDigest, "d@y"));
    let same = w.tx(|tx| tx.enqueue(&mail(MailKind::SalesDigest, "d@y"), T0));
    assert_eq!(same, Inserted::Duplicate(digest));
    again.kind = MailKind::SalesNotice;
    again.rfc_message_id = "1@y".into();
    let clash = w.try_tx(|tx| tx.enqueue(&again, T0));
    assert!(matches!(clash, Err(StoreError::Invalid(_))), "{clash:?}");
}

#[test]
fn a_mail_without_id_or_with_a_broken_envelope_is_not_queued() {
    let w = World::new();
    for id in ["", "<1@y>", "1 @y", "1\r\n@y"] {
        let refused = w.try_tx(|tx| tx.enqueue(&mail(MailKind::Answer, id), T0));
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{id:?}");
    }
    let mut broken = mail(MailKind::Answer, "1@y");
    broken.envelope_to = "a@x\r\nRCPT TO:<b@x>".into();
    let refused = w.try_tx(|tx| tx.enqueue(&broken, T0));
    assert!(matches!(refused, Err(StoreError::Invalid(_))));
}

#[test]
fn a_claim_is_a_lease_and_comes_back_when_it_passes() {
    let w = World::new();
    let id = w.queue(&mail(MailKind::Answer, "1@y"));
    assert!(w.claim(T0.minus(MINUTE)).is_none(), "not due yet");
    let first = w.claim(T0).unwrap();
    assert_eq!((first.attempt.id, first.attempt.number), (id, 1));
    assert!(w.claim(T0).is_none(), "claimed twice");
    assert!(
        w.claim(T0.plus(CLAIM_LEASE).minus(Duration::from_millis(1)))
            .is_none()
    );
    let second = w.claim(T0.plus(CLAIM_LEASE)).unwrap();
    assert_eq!((second.attempt.id, second.attempt.number), (id, 2));
    // The first comes back late: it may neither send nor record.
    assert!(!w.tx(|tx| tx.renew_claim(&first.attempt, T0)));
    let late = w.try_tx(|tx| tx.mark_handed_over(&first.attempt, T0));
    assert!(matches!(late, Err(StoreError::Stale(_))), "{late:?}");
    let late = w.try_tx(|tx| tx.record_outcome(&first.attempt, &sent(), T0));
    assert!(matches!(late, Err(StoreError::Stale(_))), "{late:?}");
    w.tx(|tx| tx.mark_handed_over(&second.attempt, T0));
    assert_eq!(w.record(&second, &sent(), T0), OutboxState::Sent);
}

#[test]
fn a_mail_lost_after_the_handover_is_unknown_and_never_sent_again_by_itself() {
    let w = World::new();
    let id = w.queue(&mail(MailKind::Answer, "1@y"));
    let mail = w.claim(T0).unwrap();
    w.tx(|tx| tx.mark_handed_over(&mail.attempt, T0));
    let renewed = T0.plus(CLAIM_LEASE / 2);
    assert!(w.tx(|tx| tx.renew_claim(&mail.attempt, renewed)));
    assert!(w.claim(T0.plus(HANDOVER_LEASE)).is_none());
    assert_eq!(w.state(id), "sending", "the final reply may take its time");
    assert!(w.claim(renewed.plus(HANDOVER_LEASE)).is_none());
    let late = w.tx(|tx| tx.renew_claim(&mail.attempt, renewed.plus(HANDOVER_LEASE)));
    assert!(!late, "a settled claim is not taken back");
    assert_eq!(w.state(id), "unknown");
    assert!(w.claim(T0.plus(GIVE_UP * 100)).is_none());
    assert_eq!(w.tx(|tx| tx.next_outbox_due(T0, &[])), None);
    let status = w.tx(|tx| tx.outbox_status(T0, 10));
    assert_eq!(status.depth, [(OutboxState::Unknown, 1)]);
    assert_eq!(status.unknown.first().map(|m| m.id), Some(id));
}

#[test]
fn a_definite_answer_that_comes_late_replaces_unknown() {
    let w = World::new();
    let id = w.queue(&mail(MailKind::Answer, "1@y"));
    let mail = w.lose_answer(id);
    assert_eq!(w.record(&mail, &sent(), T0), OutboxState::Sent);
    let again = w.try_tx(|tx| tx.record_outcome(&mail.attempt, &deferred(None), T0));
    assert!(
        matches!(again, Err(StoreError::Stale(_))),
        "sent stays sent"
    );
}

#[test]
fn a_person_settles_unknown_mails_once() {
    for (settlement, state) in [
        (Settlement::Sent, "sent"),
        (Settlement::Resend, "queued"),
        (Settlement::Cancel, "cancelled"),
    ] {
        let w = World::new();
        let id = w.queue(&mail(MailKind::Campaign, "1@y"));
        let lost = w.lose_answer(id);
        let later = T0.plus(GIVE_UP * 2);
        w.tx(|tx| tx.settle(id, settlement, later));
        assert_eq!(w.state(id), state);
        let again = w.try_tx(|tx| tx.settle(id, settlement, later));
        assert!(matches!(again, Err(StoreError::Invalid(_))));
        let marked = w.text("SELECT message_sent FROM campaign_leads");
        assert_eq!(marked == "1", settlement == Settlement::Sent);
        let claimed = w.claim(later);
        assert_eq!(claimed.is_some(), settlement == Settlement::Resend);
        if let Some(claimed) = claimed {
            assert_eq!(claimed.rfc_message_id, "1@y", "the same mail, the same id");
            let late = w.try_tx(|tx| tx.record_outcome(&lost.attempt, &sent(), later));
            assert!(matches!(late, Err(StoreError::Stale(_))));
            // The five days start anew.
            let state = w.record(&claimed, &deferred(None), later);
            assert_eq!(state, OutboxState::Deferred);
        }
    }
    let w = World::new();
    let none = w.try_tx(|tx| tx.settle(OutboxId(9), Settlement::Sent, T0));
    assert!(matches!(none, Err(StoreError::NotFound(_))));
}

#[test]
fn a_person_who_has_seen_a_refused_mail_cancels_it_and_can_do_nothing_else() {
    let w = World::new();
    let id = w.queue(&mail(MailKind::Answer, "1@y"));
    let waiting = w.try_tx(|tx| tx.settle(id, Settlement::Cancel, T0));
    assert!(
        matches!(waiting, Err(StoreError::Invalid(_))),
        "{waiting:?}"
    );
    let claimed = w.claim(T0).unwrap();
    let refused = Verdict::Rejected {
        code: Some(550),
        text: "no such user".into(),
    };
    w.record(&claimed, &refused, T0);
    for settlement in [Settlement::Sent, Settlement::Resend] {
        let wrong = w.try_tx(|tx| tx.settle(id, settlement, T0));
        assert!(matches!(wrong, Err(StoreError::Invalid(_))), "{wrong:?}");
    }
    assert_eq!(w.state(id), "rejected");
    let state = w.tx(|tx| tx.settle(id, Settlement::Cancel, T0.plus(MINUTE)));
    assert_eq!(state, OutboxState::Cancelled);
    assert!(w.tx(|tx| tx.outbox_status(T0, 10)).rejected.is_empty());
    // Why it was refused stays in its history.
    let history = w.text("SELECT group_concat(outcome || ' ' || smtp_text) FROM outbox_attempts");
    assert!(history.contains("rejected no such user"), "{history}");
    assert!(history.contains("cancelled"), "{history}");
    assert!(w.claim(T0.plus(MINUTE * 600)).is_none());
}

#[test]
fn mail_to_a_suppressed_lead_is_withdrawn_or_refused_at_the_last_moment() {
    let w = World::new();
    let mut kinds = Vec::new();
    for (n, kind) in MailKind::ALL.iter().enumerate() {
        for automatic in [true, false] {
            if *kind == MailKind::Campaign && automatic {
                continue; // One campaign mail a lead.
            }
            let mut mail = mail(*kind, &format!("{n}{automatic}@y"));
            mail.envelope_to = "Ann@X.example".into();
            mail.automatic = automatic;
            kinds.push((w.queue(&mail), *kind, automatic));
        }
    }
    w.sql("INSERT INTO suppressions (email_key, reason, created_at) VALUES ('ann@x.example', 'unsubscribe', 0)");
    while let Some(mail) = w.claim(T0) {
        w.record(&mail, &sent(), T0);
    }
    for (id, kind, automatic) in kinds {
        let want = match kind {
            MailKind::Campaign => "cancelled",
            MailKind::OptoutConfirmation
            | MailKind::SalesNotice
            | MailKind::SalesDigest
            | MailKind::Alert => "sent",
            MailKind::Acknowledgment | MailKind::Answer | MailKind::Manual if automatic => {
                "cancelled"
            }
            // A person wrote it: it is shown, not dropped in silence.
            MailKind::Acknowledgment | MailKind::Answer | MailKind::Manual => "rejected",
        };
        assert_eq!(w.state(id), want, "{kind} automatic={automatic}");
    }
    let reason = w.text("SELECT smtp_text FROM outbox WHERE state = 'cancelled' LIMIT 1");
    assert!(reason.contains("no more mail"), "{reason}");
}

#[test]
fn deferrals_grow_survive_a_restart_and_end_after_five_days() {
    let mut w = World::new();
    let id = w.queue(&mail(MailKind::Answer, "1@y"));
    let mut now = T0;
    let mut waits = Vec::new();
    loop {
        let mail = w.claim(now).unwrap();
        if w.record(&mail, &deferred(None), now) == OutboxState::Rejected {
            break;
        }
        // Another process finds it in the file.
        w.store = Store::open_blocking(&w.dir.path().join("r.db")).unwrap();
        let due = w.tx(|tx| tx.next_outbox_due(T0, &[])).unwrap();
        assert!(w.claim(due.minus(Duration::from_millis(1))).is_none());
        waits.push(due.since(now));
        now = due;
    }
    assert!(waits[0] < Duration::from_secs(31), "{waits:?}");
    assert!(waits.windows(2).take(5).all(|w| w[0] < w[1]), "{waits:?}");
    assert!(waits.iter().all(|w| *w <= Duration::from_secs(1800)));
    assert!(now.since(T0) >= GIVE_UP && now.since(T0) < GIVE_UP + MINUTE * 31);
    let text = w.text(&format!("SELECT smtp_text FROM outbox WHERE id = {id}"));
    assert_eq!(text, "Given up after 5 days: RCPT: greylisted");
    let attempts = w.text("SELECT count(*) FROM outbox_attempts");
    assert_eq!(attempts, (waits.len() + 1).to_string());
}

#[test]
fn sales_are_told_when_the_server_took_the_notice_not_before() {
    let w = World::new();
    let mut notice = mail(MailKind::SalesNotice, "n@y");
    notice.job_id = Some(crate::model::JobId(1));
    w.queue(&notice);
    let told = "SELECT sales_team_notified FROM conversations WHERE message_ref = 1";
    let first = w.claim(T0).unwrap();
    w.record(&first, &deferred(None), T0);
    assert_eq!(w.text(told), "0");
    let later = T0.plus(MINUTE);
    let second = w.claim(later).unwrap();
    w.record(&second, &sent(), later);
    assert_eq!(w.text(told), "1");
}

#[test]
fn a_bounced_notice_is_known_until_a_later_one_is_taken_through_whatever_account() {
    let w = World::new();
    let report = crate::model::MessageRowId(1);
    for account in [1, 2] {
        w.tx(|tx| tx.note_notice_bounced(AccountId(account), report, T0));
    }
    let bounced = || {
        let all = w.tx(|tx| tx.notice_bounces());
        all.iter().map(|b| b.account_id.0).collect::<Vec<_>>()
    };
    assert_eq!(
        w.tx(|tx| tx.notice_bounces())[0],
        crate::store::NoticeBounce {
            account_id: AccountId(1),
            at: T0,
            message_id: report
        }
    );
    let accept = |kind, id: &str, now| {
        w.queue(&mail(kind, id));
        let claimed = w.claim(now).unwrap();
        w.record(&claimed, &sent(), now);
    };
    // Its own bounce may still come; a mail to a lead says nothing of sales.
    accept(MailKind::SalesNotice, "1@y", T0.plus(MINUTE * 9));
    accept(MailKind::Answer, "2@y", T0.plus(MINUTE * 11));
    assert_eq!(bounced(), [1, 2]);
    accept(MailKind::SalesNotice, "3@y", T0.plus(MINUTE * 11));
    assert_eq!(bounced(), [0; 0], "they all go to the same address");
}

#[test]
fn a_campaign_mail_marks_its_lead_when_it_is_accepted() {
    let w = World::new();
    w.queue(&mail(MailKind::Campaign, "c@y"));
    let claimed = w.claim(T0).unwrap();
    w.record(&claimed, &sent(), T0.plus(MINUTE));
    let row = "SELECT message_sent || ' ' || (message_sent_at - 1700000000000) || ' ' || email_message_id FROM campaign_leads";
    assert_eq!(w.text(row), "1 60000 c@y");
}

#[test]
fn the_providers_id_becomes_a_key_for_mails_to_leads_only() {
    let w = World::new();
    let answer = w.queue(&mail(MailKind::Answer, "1@y"));
    let notice = w.queue(&mail(MailKind::SalesNotice, "2@y"));
    w.tx(|tx| {
        let known = NewSent {
            campaign_lead_id: CampaignLeadId(1),
            kind: SentKind::Answer,
            subject: String::new(),
            body: String::new(),
            sent_at: T0,
            outbox_ref: Some(answer),
            ids: vec![("1@y".into(), IdSource::Own)],
        };
        tx.insert_sent(&known, &["h1".into()], T0)
    });
    for (id, alias) in [(answer, "p1@relay"), (notice, "p2@relay")] {
        let claimed = w.claim(T0).unwrap();
        assert_eq!(claimed.attempt.id, id);
        let verdict = Verdict::Sent {
            code: 250,
            text: format!("Ok <{alias}>"),
            provider_id: Some(alias.to_owned()),
            aliases: vec![(alias.to_owned(), format!("hash of {alias}"))],
        };
        w.record(&claimed, &verdict, T0);
    }
    let ids = "SELECT group_concat(id_key || ' ' || source, ', ') FROM (SELECT * FROM sent_ids ORDER BY id_key)";
    assert_eq!(w.text(ids), "1@y own, p1@relay provider");
    assert_eq!(
        w.text("SELECT group_concat(provider_id) FROM outbox"),
        "p1@relay,p2@relay"
    );
}

#[test]
fn a_server_in_trouble_holds_up_its_own_account_only_and_all_of_it() {
    let w = World::new();
    let first = w.queue(&mail(MailKind::Answer, "1@y"));
    let second = w.queue(&mail(MailKind::Answer, "2@y"));
    let mut other = mail(MailKind::Answer, "3@y");
    other.account_id = AccountId(2);
    let other = w.queue(&other);
    let claimed = w.claim(T0).unwrap();
    assert_eq!(claimed.attempt.id, first);
    w.record(&claimed, &deferred(Some(AccountState::Down)), T0);
    let pauses = w.tx(|tx| tx.smtp_pauses());
    assert_eq!(pauses.len(), 1);
    assert_eq!(
        (pauses[0].account_id, pauses[0].state),
        (AccountId(1), AccountState::Down)
    );
    let claimed = w.claim(T0).unwrap();
    assert_eq!(claimed.attempt.id, other, "the other account goes on");
    w.record(&claimed, &sent(), T0);
    assert!(w.claim(T0).is_none(), "the second mail waits too");
    let due = w.tx(|tx| tx.next_outbox_due(T0, &[])).unwrap();
    assert_eq!(due, pauses[0].retry_at);
    // The second was due first, so the one that failed does not stand before it.
    let claimed = w.claim(due).unwrap();
    assert_eq!(claimed.attempt.id, second);
    w.record(&claimed, &sent(), due);
    assert_eq!(w.tx(|tx| tx.smtp_pauses()), []);
    assert_eq!(w.claim(due).unwrap().attempt.id, first);
}

#[test]
fn refused_sign_ins_become_hourly() {
    let w = World::new();
    w.queue(&mail(MailKind::Answer, "1@y"));
    let mut now = T0;
    let mut waits = Vec::new();
    for _ in 0..4 {
        let claimed = w.claim(now).unwrap();
        w.record(&claimed, &deferred(Some(AccountState::NeedsSignIn)), now);
        let pause = w.tx(|tx| tx.smtp_pauses()).remove(0);
        assert_eq!((pause.state, pause.since), (AccountState::NeedsSignIn, T0));
        waits.push(pause.retry_at.since(now).as_secs());
        now = pause.retry_at;
    }
    assert_eq!(waits, [60, 60, 3600, 3600]);
}

#[test]
fn a_mended_sign_in_is_tried_at_once_and_one_that_is_as_wrong_as_before_is_not() {
    let w = World::new();
    w.queue(&mail(MailKind::Answer, "1@y"));
    let note =
        |hash: &'static str, now| w.tx(move |tx| tx.note_smtp_credentials(AccountId(1), hash, now));
    assert!(!note("wrong", T0), "nothing was refused");
    let mut now = T0;
    let refuse = |now: &mut UtcMs| {
        let claimed = w.claim(*now).unwrap();
        w.record(&claimed, &deferred(Some(AccountState::NeedsSignIn)), *now);
        *now = now.plus(Duration::from_secs(1));
    };
    refuse(&mut now);
    assert!(w.claim(now).is_none());
    // Which one was refused is not known yet.
    assert!(note("wrong", now));
    refuse(&mut now);
    assert!(!note("wrong", now));
    assert!(w.claim(now).is_none());
    assert!(note("mended", now));
    let pauses = w.tx(|tx| tx.smtp_pauses());
    assert_eq!(pauses.len(), 1, "until a mail was taken");
    let claimed = w.claim(now).unwrap();
    w.record(&claimed, &sent(), now);
    assert!(w.tx(|tx| tx.smtp_pauses()).is_empty());
}

#[test]
fn busy_accounts_are_passed_over() {
    let w = World::new();
    w.queue(&mail(MailKind::Answer, "1@y"));
    let mut other = mail(MailKind::Answer, "2@y");
    other.account_id = AccountId(2);
    let other = w.queue(&other);
    let claim = w.tx(|tx| tx.claim_outbox(T0, CLAIM_LEASE, &[AccountId(1)], None));
    assert_eq!(claim.mail.map(|m| m.attempt.id), Some(other));
    let both = [AccountId(1), AccountId(2)];
    assert_eq!(w.tx(|tx| tx.next_outbox_due(T0, &both)), None);
}

#[tokio::test]
async fn a_start_gives_back_what_the_dead_left_but_not_what_the_living_send() {
    let w = World::new();
    let before = w.queue(&mail(MailKind::Answer, "1@y"));
    let after = w.queue(&mail(MailKind::Answer, "2@y"));
    for handed_over in [false, true] {
        let claimed = w.claim(T0).unwrap();
        if handed_over {
            w.tx(|tx| tx.mark_handed_over(&claimed.attempt, T0));
        }
    }
    // Nobody lives: at once, without waiting for the leases.
    let (presence, recovered) = w.store.join_outbox(T0).await.unwrap();
    assert_eq!(recovered.due_again, [before]);
    assert_eq!(recovered.unknown, [after]);
    assert_eq!(w.state(after), "unknown");
    let again = w.claim(T0).unwrap();
    assert_eq!((again.attempt.id, again.attempt.number), (before, 2));
    // A second process starts while the first lives.
    let (second, recovered) = w.store.join_outbox(T0).await.unwrap();
    assert_eq!(recovered, Recovered::default());
    assert_eq!(w.state(before), "sending");
    drop((presence, second));
    // Both are dead: due again, and from the second crash on with a wait, so that a mail that
    // brings the process down lets the others pass.
    let (_, recovered) = w.store.join_outbox(T0).await.unwrap();
    assert_eq!(recovered.due_again, [before]);
    assert!(w.claim(T0).is_none());
    assert!(w.claim(T0.plus(MINUTE)).is_some());
}

#[test]
fn a_clock_that_ran_ahead_holds_nothing_back_after_a_restart() {
    let w = World::new();
    let id = w.queue(&mail(MailKind::Answer, "1@y"));
    let ahead = T0.plus(Duration::from_secs(365 * 24 * 3600));
    let claimed = w.claim(ahead).unwrap();
    w.record(&claimed, &deferred(None), ahead);
    assert!(w.claim(T0).is_none());
    w.tx(|tx| tx.recover_outbox(T0));
    assert_eq!(w.claim(T0).map(|m| m.attempt.id), Some(id));
}

#[test]
fn texts_are_one_bounded_line() {
    let w = World::new();
    w.queue(&mail(MailKind::Answer, "1@y"));
    let claimed = w.claim(T0).unwrap();
    let verdict = Verdict::Rejected {
        code: Some(550),
        text: format!("no\r\n{}", "x".repeat(5000)),
    };
    w.record(&claimed, &verdict, T0);
    let text = w.text("SELECT smtp_text FROM outbox");
    assert_eq!(text.len(), MAX_TEXT_CHARS);
    assert!(text.starts_with("no  x"), "{text}");
    let rejected = w.tx(|tx| tx.outbox_status(T0, 10)).rejected;
    assert_eq!(rejected.first().and_then(|m| m.smtp_code), Some(550));
}
