use super::*;
use crate::config::{
    AccountSettings, AlertSettings, AuthMechanism, Credential, ImapSettings, KeepRaw,
    ListenSettings, LogFormat, LogSettings, Security, SmtpSettings, StoreSettings, WebSettings,
};
use crate::store::fixture::{Captured, Fixture, NOW};
use mail_parser::MessageParser;

pub(super) const AT: UtcMs = UtcMs(NOW);
pub(super) const MINUTE: i64 = 60_000;
pub(super) const DAY: i64 = 86_400_000;

pub(crate) fn settings(f: &Fixture) -> Settings {
    Settings {
        state_dir: f.dir.path().to_owned(),
        keys_credential: None,
        database: f.store.path().to_owned(),
        accounts: vec![AccountSettings {
            name: "main".into(),
            address: "sales@example.com".into(),
            from_name: String::new(),
            aliases: vec!["homes@example.com".into()],
            imap: ImapSettings {
                host: "localhost".into(),
                port: 993,
                security: Security::Tls,
                user: "u".into(),
                credential: Credential::Password("p".to_owned().into()),
                auth: AuthMechanism::Auto,
                ca_file: None,
            },
            mailboxes: vec!["INBOX".into()],
            smtp: SmtpSettings {
                console: true,
                host: "localhost".into(),
                port: 587,
                security: Security::StartTls,
                user: None,
                credential: None,
                auth: AuthMechanism::Auto,
                ca_file: None,
                envelope_from: "bounces@example.com".into(),
                hello_name: None,
            },
            folders: crate::config::FolderSettings::default(),
            reply_address: crate::config::ReplyAddress::Auto,
        }],
        account_names: vec!["main".into()],
        senders: Vec::new(),
        oauth_accounts: Vec::new(),
        listen: ListenSettings {
            interval: Duration::from_secs(60),
            days: 1,
            silence: Duration::from_secs(300),
            idle_max: Duration::from_secs(540),
            byte_budget: 1 << 20,
            login_every: Duration::from_secs(60),
            session_max: Duration::from_secs(23 * 3600),
        },
        reply: policy::tests::settings(),
        model: None,
        store: StoreSettings {
            keep_raw: KeepRaw::None,
            raw_retention: Duration::ZERO,
        },
        log: LogSettings {
            format: LogFormat::Text,
            filter: String::new(),
        },
        web: WebSettings::default(),
        webhooks: Vec::new(),
        alerts: AlertSettings {
            webhook: None,
            command: Vec::new(),
            lost_after: Duration::from_secs(45),
            outbox_late: Duration::from_secs(600),
        },
        redirect_to: None,
    }
}

pub(super) fn actor_with(f: &Fixture, change: impl FnOnce(&mut Settings)) -> ReplyActor {
    let mut settings = settings(f);
    change(&mut settings);
    let keys = Keys::load_or_create(f.dir.path(), None).unwrap();
    let templates = Templates::load(settings.reply.templates_dir.as_deref()).unwrap();
    ReplyActor::new(
        f.store.clone(),
        Arc::new(settings),
        Arc::new(keys),
        templates,
        Classifier::default(),
        Doorbell::default(),
    )
}

pub(super) fn actor(f: &Fixture) -> ReplyActor {
    actor_with(f, |_| {})
}

/// Handles the one message given.
pub(super) async fn handle(m: &Captured) -> (Fixture, JobReport) {
    let f = Fixture::new();
    f.capture(1, m);
    let report = actor(&f).handle_one(AT).await.unwrap().unwrap();
    (f, report)
}

pub(super) const KINDS: &str = "SELECT kind FROM outbox ORDER BY id";

#[path = "decided_tests.rs"]
mod decided;
#[path = "digest_tests.rs"]
mod digests;
#[path = "queue_tests.rs"]
mod queue;

#[tokio::test]
async fn a_goal_is_acknowledged_in_the_thread_and_sales_are_told_in_one_step() {
    let (f, report) = handle(&Captured::default()).await;
    assert_eq!(
        (report.action, report.gate),
        (ActionTaken::NotifiedSales, "acknowledge")
    );
    assert_eq!(
        (report.intent, report.goal_type),
        (Some(Intent::GoalReached), Some(GoalType::Viewing))
    );
    assert_eq!(
        report.to_string(),
        "✓ Conversation 1: notified_sales (intent: goal_reached)"
    );
    assert!(report.queued && report.error.is_none() && report.conversation_id.is_some());
    assert_eq!(f.list(KINDS), "acknowledgment, sales_notice");
    assert_eq!(
        f.list("SELECT subject FROM outbox ORDER BY id"),
        "Thank you for your interest in Riverside, 🚨 Lead Ready: Ann Lee - Property Viewing Request"
    );
    assert_eq!(
        f.list("SELECT envelope_to || ' ' || automatic || ' ' || envelope_from || ' ' || state FROM outbox ORDER BY id"),
        "ann@lead.example 1 bounces@example.com queued, team@example.com 0 bounces@example.com queued"
    );
    let raw = f.text("SELECT CAST(raw AS TEXT) FROM outbox WHERE kind = 'acknowledgment'");
    let mail = MessageParser::default().parse(raw.as_bytes()).unwrap();
    assert_eq!(mail.in_reply_to().as_text(), Some("reply1@lead.example"));
    assert_eq!(
        mail.references().as_text_list().unwrap(),
        ["first@example.com", "reply1@lead.example"]
    );
    assert_eq!(
        mail.from().unwrap().first().unwrap().name(),
        Some("Example Homes")
    );
    // Every id of a mail to the lead is known, the notice's is not.
    assert_eq!(
        f.number("SELECT count(*) FROM sent_ids WHERE source = 'own'"),
        1
    );
    assert_eq!(
        f.number("SELECT count(*) FROM sent_ids JOIN outbox ON id_key = rfc_message_id WHERE kind = 'sales_notice'"),
        0
    );
    assert_eq!(
        f.list("SELECT sender || ' ' || agent_tool_used || ' ' || auto_reply_processed || sales_team_notified
                FROM conversations ORDER BY id"),
        "customer  10, agent acknowledgment 00"
    );
    assert_eq!(
        f.text("SELECT state || ' ' || action FROM reply_jobs"),
        "done acknowledge"
    );
    assert!(actor(&f).handle_one(AT).await.unwrap().is_none());
}

#[tokio::test]
async fn a_cancellation_after_the_notice_of_a_goal_is_told_to_sales() {
    let cancel = Captured {
        text: "Please cancel my appointment on Saturday.",
        ..Captured::default()
    };
    let (f, report) = handle(&cancel).await;
    assert_eq!(report.gate, "nothing", "nobody was told: {report:?}");
    assert_eq!(f.list(KINDS), "");
    let (f, _) = handle(&Captured::default()).await;
    f.capture(2, &cancel);
    let report = actor(&f).handle_one(AT).await.unwrap().unwrap();
    assert_eq!(report.gate, "person", "{:?}", report.reasons);
    assert_eq!(
        f.list("SELECT kind FROM outbox WHERE job_id = 2"),
        "sales_notice"
    );
}

#[tokio::test]
async fn a_question_gets_a_draft_without_facts_and_a_notice() {
    let (f, report) = handle(&Captured {
        text: "When can I visit?",
        ..Captured::default()
    })
    .await;
    assert_eq!(
        (report.action, report.gate),
        (ActionTaken::NotifiedSales, "person")
    );
    assert_eq!(f.list(KINDS), "sales_notice");
    let body = f.text("SELECT body FROM outbox");
    assert!(body.contains("asks a question about a time"), "{body}");
    assert_eq!(f.text("SELECT subject FROM drafts"), "Re: Riverside");
    let draft = f.text("SELECT body FROM drafts WHERE state = 'open'");
    assert!(
        draft.contains("Dear Ann Lee") && draft.contains("---"),
        "{draft}"
    );
    assert_eq!(
        f.number("SELECT auto_reply_processed FROM conversations"),
        1
    );
}

#[tokio::test]
async fn an_opt_out_suppresses_lead_and_sender_in_the_same_transaction() {
    let (f, report) = handle(&Captured {
        text: "Please remove me from your list.",
        from: "ann@private.example",
        disposition: "reply_unverified",
        verified: false,
        token: true,
        ..Captured::default()
    })
    .await;
    assert_eq!(report.gate, "suppress");
    assert_eq!(
        f.list("SELECT email_key || ' ' || reason FROM suppressions ORDER BY email_key"),
        "ann@lead.example unsubscribe, ann@private.example unsubscribe"
    );
    assert_eq!(f.text("SELECT disposition FROM messages"), "opt_out");
    assert_eq!(f.list(KINDS), "sales_notice");
    assert_eq!(f.text("SELECT intent FROM reply_jobs"), "unsubscribe");
    // What she writes later gets nothing, but sales hear of it.
    f.capture(2, &Captured::default());
    let later = actor(&f).handle_one(AT).await.unwrap().unwrap();
    assert_eq!(later.gate, "person");
    assert_eq!(f.list(KINDS), "sales_notice, sales_notice");
    assert_eq!(f.number("SELECT count(*) FROM drafts"), 0);
}

#[tokio::test]
async fn a_stranger_without_our_token_opts_out_for_himself_only() {
    let (f, report) = handle(&Captured {
        text: "Please remove me from your list.",
        from: "eve@x.example",
        disposition: "reply_unverified",
        verified: false,
        ..Captured::default()
    })
    .await;
    assert_eq!(report.gate, "suppress");
    assert_eq!(
        f.list("SELECT email_key FROM suppressions"),
        "eve@x.example"
    );
}

#[tokio::test]
async fn an_opt_out_is_confirmed_once_by_setting() {
    let f = Fixture::new();
    f.capture(
        1,
        &Captured {
            text: "Unsubscribe",
            ..Captured::default()
        },
    );
    let a = actor_with(&f, |s| s.reply.optout_confirmation = true);
    a.handle_one(AT).await.unwrap().unwrap();
    assert_eq!(f.list(KINDS), "optout_confirmation, sales_notice");
    f.capture(
        2,
        &Captured {
            text: "I said: unsubscribe me!",
            ..Captured::default()
        },
    );
    a.handle_one(UtcMs(NOW + DAY / 2)).await.unwrap().unwrap();
    assert_eq!(
        f.number("SELECT count(*) FROM outbox WHERE kind = 'optout_confirmation'"),
        1,
        "the same text is not sent twice"
    );
}

#[tokio::test]
async fn a_second_wish_within_ten_minutes_becomes_a_draft() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    f.capture(
        2,
        &Captured {
            text: "And please call me tomorrow.",
            ..Captured::default()
        },
    );
    let a = actor(&f);
    a.handle_one(AT).await.unwrap().unwrap();
    f.sql("UPDATE outbox SET state = 'sent' WHERE kind = 'acknowledgment'");
    let second = a.handle_one(AT).await.unwrap().unwrap();
    assert!(
        second.reasons.iter().any(|r| r.contains("10 minutes")),
        "{:?}",
        second.reasons
    );
    assert_eq!(f.list(KINDS), "acknowledgment, sales_notice, sales_notice");
    assert_eq!(f.number("SELECT count(*) FROM drafts"), 1);
}

#[tokio::test]
async fn the_same_acknowledgement_is_not_sent_twice_in_a_thread() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    let a = actor(&f);
    a.handle_one(AT).await.unwrap().unwrap();
    f.sql("UPDATE outbox SET state = 'sent' WHERE kind = 'acknowledgment'");
    let later = UtcMs(NOW + DAY / 2);
    f.capture(
        2,
        &Captured {
            text: "I'd like to see the flat on Sunday.",
            internal_date: NOW + DAY / 2 - MINUTE,
            ..Captured::default()
        },
    );
    let second = a.handle_one(later).await.unwrap().unwrap();
    assert!(
        second
            .reasons
            .iter()
            .any(|r| r.contains("same text went out")),
        "{:?}",
        second.reasons
    );
    assert_eq!(f.number("SELECT count(*) FROM drafts"), 1);
}

#[tokio::test]
async fn machines_get_nothing_and_leave_their_mark_with_the_lead() {
    let (f, report) = handle(&Captured {
        disposition: "bounce",
        text: "Please call me.",
        ..Captured::default()
    })
    .await;
    assert_eq!(
        (report.action, report.intent),
        (ActionTaken::Skipped, Some(Intent::Bounce))
    );
    assert_eq!(f.number("SELECT bounced_at FROM leads"), NOW - MINUTE);
    let (f, report) = handle(&Captured {
        disposition: "auto_reply",
        text: "Please unsubscribe me. Book me a viewing.",
        ..Captured::default()
    })
    .await;
    assert_eq!(report.intent, Some(Intent::OutOfOffice));
    assert!(f.number("SELECT paused_until FROM leads") > NOW);
    assert_eq!(
        f.number(
            "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM suppressions)
                           + (SELECT count(*) FROM conversations)"
        ),
        0
    );
}

#[tokio::test]
async fn a_vacation_notice_pauses_until_the_day_that_it_names() {
    for (text, until) in [
        // Received on 14 November 2023; the lead's country is the United Kingdom.
        (
            "I am out of the office until 24 November.",
            1_700_870_400_000,
        ),
        (
            "I am out of the office.",
            NOW - MINUTE + 7 * 24 * 60 * MINUTE,
        ),
    ] {
        let (f, _) = handle(&Captured {
            disposition: "auto_reply",
            text,
            ..Captured::default()
        })
        .await;
        assert_eq!(f.number("SELECT paused_until FROM leads"), until, "{text}");
        // The absence of a stranger, a colleague in Cc, is not the lead's.
        let (f, report) = handle(&Captured {
            disposition: "auto_reply",
            text,
            from: "desk@tickets.example",
            verified: false,
            ..Captured::default()
        })
        .await;
        assert_eq!(report.intent, Some(Intent::OutOfOffice));
        assert_eq!(
            f.number("SELECT count(*) FROM leads WHERE paused_until > 0"),
            0
        );
    }
}

#[tokio::test]
async fn a_complaint_without_a_thread_suppresses_the_lead_that_it_names_and_nobody_else() {
    let f = Fixture::new();
    f.capture(
        1,
        &Captured {
            disposition: "complaint",
            nature: "complaint",
            from: "fbl@provider.example",
            campaign_lead: None,
            sent: None,
            verified: false,
            text: "",
            ..Captured::default()
        },
    );
    let named = ["ann@lead.example", "stranger@x.example"].map(str::to_owned);
    f.store
        .write(move |tx| tx.keep_complained_of(crate::model::MessageRowId(1), &named))
        .await
        .unwrap();
    let report = actor(&f).handle_one(AT).await.unwrap().unwrap();
    assert_eq!(report.gate, "suppress");
    assert_eq!(
        f.list("SELECT email_key || ' ' || reason FROM suppressions"),
        "ann@lead.example complaint"
    );
    assert_eq!(
        f.number("SELECT count(*) FROM digest_items"),
        1,
        "sales are told"
    );
}

#[tokio::test]
async fn names_with_line_breaks_make_no_headers() {
    let f = Fixture::new();
    f.sql("UPDATE leads SET name = 'Ann' || char(13) || char(10) || 'Bcc: all@example.com'");
    f.capture(
        1,
        &Captured {
            subject: "Re: x\r\nBcc: all@example.com",
            ..Captured::default()
        },
    );
    actor(&f).handle_one(AT).await.unwrap().unwrap();
    for kind in ["acknowledgment", "sales_notice"] {
        let raw = f.text(&format!(
            "SELECT CAST(raw AS TEXT) FROM outbox WHERE kind = '{kind}'"
        ));
        let mail = MessageParser::default().parse(raw.as_bytes()).unwrap();
        assert!(mail.bcc().is_none(), "{raw}");
        assert!(mail.subject().unwrap().len() > 10);
    }
}

#[tokio::test]
async fn a_reply_without_message_id_is_answered_in_the_thread_of_our_own_mail() {
    let (f, _) = handle(&Captured {
        with_id: false,
        to: "someone@else.example, Homes@example.com",
        ..Captured::default()
    })
    .await;
    let raw = f.text("SELECT CAST(raw AS TEXT) FROM outbox WHERE kind = 'acknowledgment'");
    assert!(
        !raw.contains("In-Reply-To") && !raw.contains("digest:"),
        "{raw}"
    );
    assert!(raw.contains("References: <first@example.com>"), "{raw}");
    assert!(
        raw.contains("<homes@example.com>"),
        "the address that was written to answers"
    );
}

#[tokio::test]
async fn redirected_mail_goes_nowhere_else() {
    let f = Fixture::new();
    f.capture(1, &Captured::default());
    let a = actor_with(&f, |s| s.redirect_to = Some("test@example.com".into()));
    a.handle_one(AT).await.unwrap().unwrap();
    assert_eq!(
        f.list("SELECT DISTINCT envelope_to FROM outbox"),
        "test@example.com"
    );
}

#[tokio::test]
async fn leads_are_answered_in_their_language_or_left_to_a_person() {
    let german = Captured {
        text: "Ich möchte gerne einen Termin zur Besichtigung am Samstag vereinbaren.",
        ..Captured::default()
    };
    let (f, report) = handle(&german).await;
    assert_eq!(report.intent, Some(Intent::GoalReached));
    let subject = "SELECT subject FROM outbox WHERE kind = 'acknowledgment'";
    assert_eq!(
        f.text(subject),
        "Vielen Dank für Ihr Interesse an Riverside"
    );

    let f = Fixture::new();
    f.capture(1, &german);
    let dir = f.dir.path().join("templates");
    std::fs::create_dir(&dir).unwrap();
    let text = "Subject: Danke für Ihr Interesse an {{ project }}\n\nGuten Tag\n";
    std::fs::write(dir.join("acknowledgment.de.txt"), text).unwrap();
    let a = actor_with(&f, |s| s.reply.templates_dir = Some(dir));
    a.handle_one(AT).await.unwrap().unwrap();
    assert_eq!(f.text(subject), "Danke für Ihr Interesse an Riverside");

    let (f, report) = handle(&Captured {
        text: "أرغب في زيارة المشروع يوم الجمعة، رجاء حجز موعد",
        ..Captured::default()
    })
    .await;
    assert_eq!(report.intent, Some(Intent::GoalReached));
    assert_eq!(f.text(subject), "شكرًا لاهتمامكم بـ Riverside");

    // There are no texts in Persian, which is told by its letters.
    let (f, report) = handle(&Captured {
        text: "نعم، أرغب في زيارة پروژه، رجاء حجز موعد",
        ..Captured::default()
    })
    .await;
    assert_eq!(report.intent, Some(Intent::GoalReached));
    assert_eq!(f.list(KINDS), "sales_notice");
    assert_eq!(f.number("SELECT count(*) FROM drafts"), 1);
}
