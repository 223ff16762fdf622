//! What asks for a person, and what is said about it.

use super::*;
use crate::config::{Environment, Need, Sources};
use crate::model::MessageRowId;
use crate::store::fixture::{Captured, Fixture, NOW};

fn settings(f: &Fixture, accounts: &[&str]) -> Settings {
    let env = Environment {
        cwd: f.dir.path().to_owned(),
        home: Some(f.dir.path().to_owned()),
        ..Environment::default()
    };
    let sources = Sources {
        env,
        ..Sources::default()
    };
    let mut settings = Settings::load(&sources, Need::Store).unwrap().settings;
    assert_eq!(settings.account_names, [""; 0]);
    settings.account_names = accounts.iter().map(|&a| a.to_owned()).collect();
    settings
}

async fn taken(f: &Fixture, accounts: &[&str]) -> Snapshot {
    Snapshot::take(&f.store, &settings(f, accounts))
        .await
        .unwrap()
}

/// A mail of account 1 in this state.
fn mail(f: &Fixture, id: i64, state: &str) {
    f.sql(&format!(
        "INSERT INTO outbox (id, account_id, kind, automatic, rfc_message_id, envelope_from, envelope_to,
             subject, body, body_digest, raw, state, smtp_text, next_attempt_at, created_at)
         VALUES ({id}, 1, 'answer', 1, '{id}@example.com', 'a@example.com', 'ann@lead.example',
             'Re: Riverside', 'b', 'd', x'00', '{state}', '550 no such user', 0, {NOW})"
    ));
}

#[tokio::test]
async fn nothing_that_waits_needs_nobody() {
    let f = Fixture::new();
    let status = taken(&f, &["main"]).await;
    assert!(!status.needs_person(), "{status}");
    assert!(status.accounts[0].in_settings);
}

#[tokio::test]
async fn a_refused_mail_needs_a_person_until_it_is_cancelled() {
    let f = Fixture::new();
    mail(&f, 7, "rejected");
    let status = taken(&f, &["main"]).await;
    assert!(status.needs_person());
    let text = status.to_string();
    for part in [
        "mails refused for good: 1",
        "outbox settle ID --as cancel",
        "mail 7 (answer, Re: Riverside) was refused: 550 no such user",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    f.store
        .write(|tx| {
            tx.settle(
                crate::model::OutboxId(7),
                crate::store::Settlement::Cancel,
                UtcMs(NOW),
            )
        })
        .await
        .unwrap();
    assert!(!taken(&f, &["main"]).await.needs_person());
}

#[tokio::test]
async fn a_message_that_was_set_aside_needs_a_person_for_some_days() {
    let f = Fixture::new();
    f.capture(
        1,
        &Captured {
            disposition: "quarantined",
            ..Captured::default()
        },
    );
    let stored = |ago: Duration| {
        let at = time::now().minus(ago).0;
        f.sql(&format!("UPDATE messages SET stored_at = {at}"));
    };
    stored(Duration::from_secs(60));
    let status = taken(&f, &["main"]).await;
    assert!(status.needs_person());
    let text = status.to_string();
    assert!(
        text.contains("message 1 (account main, mailbox INBOX, UID 1)"),
        "{text}"
    );
    let json = serde_json::to_value(&status).unwrap();
    assert_eq!(json["set_aside"][0]["uid"], 1);
    stored(SET_ASIDE_FOR + Duration::from_secs(60));
    let later = taken(&f, &["main"]).await;
    assert!(!later.needs_person());
    assert!(later.to_string().contains("quarantined 1"), "{later}");
}

#[tokio::test]
async fn a_bounced_notice_degrades_the_account_and_needs_a_person() {
    let f = Fixture::new();
    let now = time::now();
    f.capture(1, &Captured::default());
    f.sql(&format!(
        "UPDATE accounts SET state = 'live', state_reason = 'ok', verified_at = {},
             lease_owner = 'a', lease_until = {}",
        now.0,
        now.plus(Duration::from_secs(45)).0
    ));
    f.store
        .write(move |tx| tx.note_notice_bounced(AccountId(1), MessageRowId(1), now))
        .await
        .unwrap();
    let status = taken(&f, &["main"]).await;
    assert!(status.needs_person());
    assert_eq!(status.accounts[0].state, AccountState::Degraded);
    let wanted =
        "a sales notice or an alert bounced: check reply.sales_email and reply.operator_addresses";
    assert_eq!(status.accounts[0].reason, wanted);
    assert!(status.to_string().contains(wanted), "{status}");
    let json = serde_json::to_value(&status).unwrap();
    assert_eq!(json["accounts"][0]["state"], "degraded");
    assert!(!json["accounts"][0]["notice_bounced_at"].is_null());
    // A graver state keeps its reason, and the bounce is told beside it.
    f.sql("UPDATE accounts SET state = 'needs_sign_in', state_reason = 'refused'");
    let status = taken(&f, &["main"]).await;
    assert_eq!(status.accounts[0].state, AccountState::NeedsSignIn);
    let text = status.to_string();
    assert!(text.contains("refused") && text.contains(wanted), "{text}");
}

#[tokio::test]
async fn an_account_that_was_removed_from_the_settings_needs_nobody() {
    let f = Fixture::new();
    f.sql(
        "UPDATE accounts SET state = 'needs_sign_in', state_reason = 'refused';
         INSERT INTO meta (key, value) VALUES ('smtp:1',
             '{\"state\":\"needs_sign_in\",\"reason\":\"x\",\"since\":0,\"failures\":1,\"retry_at\":0}')",
    );
    for (names, needs) in [(&["main"][..], true), (&["other"], false), (&[], true)] {
        let status = taken(&f, names).await;
        assert_eq!(status.needs_person(), needs, "{names:?}");
        assert_eq!(status.accounts[0].in_settings, needs, "{names:?}");
        assert_eq!(
            status.to_string().contains("not in the settings"),
            !needs,
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_digest_that_cannot_be_built_needs_a_person() {
    let f = Fixture::new();
    f.store
        .write(|tx| {
            tx.note_digest_failure(&DigestFailure {
                at: UtcMs(NOW),
                reason: "The To address is not valid".into(),
            })
        })
        .await
        .unwrap();
    let status = taken(&f, &["main"]).await;
    assert!(status.needs_person());
    assert!(status.to_string().contains("The To address is not valid"));
}

#[tokio::test]
async fn live_is_shown_only_while_somebody_reads_or_a_single_pass_is_recent() {
    let f = Fixture::new();
    let now = time::now();
    for (reason, verified_s, held, state) in [
        ("hears by push", 1, true, AccountState::Live),
        ("hears by push", 1, false, AccountState::Down),
        ("hears by push", 600, true, AccountState::Down),
        (SINGLE_PASS, 1, false, AccountState::Live),
        (SINGLE_PASS, 600, false, AccountState::Down),
    ] {
        let verified = now.minus(Duration::from_secs(verified_s)).0;
        let until = if held {
            now.plus(Duration::from_secs(45)).0
        } else {
            0
        };
        f.sql(&format!(
            "UPDATE accounts SET state = 'live', state_reason = '{reason}', verified_at = {verified},
                 lease_owner = 'a', lease_until = {until}"
        ));
        let shown = taken(&f, &["main"]).await;
        assert_eq!(
            shown.accounts[0].state, state,
            "{reason} {verified_s} {held}"
        );
    }
}
