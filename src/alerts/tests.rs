//! The sentinel over a real store: what it makes durable, and that it tells once.

use std::sync::Arc;
use std::time::Duration;

use super::judge::Watch;
use super::*;
use crate::config::{Environment, Flags, Need, Sources};
use crate::model::{AccountState as State, Lease};
use crate::store::AccountIs;

const START: UtcMs = UtcMs(1_700_000_000_000);
const FRESH: Duration = Duration::from_secs(180);

struct World {
    _dir: tempfile::TempDir,
    store: Store,
    settings: Arc<Settings>,
    keys: Arc<Keys>,
    leases: Vec<Lease>,
}

fn at(seconds: u64) -> UtcMs {
    START.plus(Duration::from_secs(seconds))
}

impl World {
    /// Accounts `sales` and `backup`, both live and verified at the start.
    async fn new(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "[store]\ndatabase = {:?}\n[reply]\noperator_addresses = [\"ops@example.com\"]\n\
             [imap]\nhost = \"localhost\"\n[smtp]\nhost = \"localhost\"\n{more}\n\
             [[accounts]]\nname = \"sales\"\naddress = \"sales@example.com\"\npassword = \"x\"\n\
             [[accounts]]\nname = \"backup\"\naddress = \"backup@example.com\"\npassword = \"x\"\n",
            dir.path().join("replyd.db")
        );
        let config = dir.path().join("replyd.toml");
        std::fs::write(&config, text).unwrap();
        let env = Environment {
            cwd: dir.path().to_owned(),
            ..Environment::default()
        };
        let flags = Flags {
            config: Some(config),
            ..Flags::default()
        };
        let settings = Settings::load(&Sources { env, flags }, Need::Mail)
            .unwrap()
            .settings;
        let store = Store::open(settings.database.clone()).await.unwrap();
        let keys = Keys::load_or_create(dir.path(), None).unwrap();
        let mut leases = Vec::new();
        for name in ["sales", "backup"] {
            let lease = store
                .write(move |tx| {
                    let id = tx.ensure_account(name, START)?.id;
                    tx.take_lease(id, "me", START, Duration::from_secs(45))
                })
                .await
                .map_err(|e: StoreError| e)
                .unwrap();
            leases.push(lease.unwrap());
        }
        let world = Self {
            _dir: dir,
            store,
            settings: Arc::new(settings),
            keys: Arc::new(keys),
            leases,
        };
        for n in 0..2 {
            world.looked(n, START).await;
        }
        world
    }

    fn alerts(&self) -> Alerts {
        Alerts::new(
            self.store.clone(),
            Arc::clone(&self.settings),
            Arc::clone(&self.keys),
            TlsRoots::default(),
            Doorbell::default(),
        )
    }

    async fn look(&self, seconds: u64) {
        look(&self.alerts(), seconds).await;
    }

    /// The listener of account `n` looked at its mailboxes.
    async fn looked(&self, n: usize, when: UtcMs) {
        self.is(n, State::Live, "hears by push", when, true).await;
    }

    async fn is(&self, n: usize, state: State, reason: &str, when: UtcMs, look: bool) {
        let lease = self.leases[n].clone();
        let is = AccountIs {
            state,
            reason: reason.to_owned(),
            fault: "",
        };
        self.store
            .write(move |tx| {
                if look {
                    tx.note_look(&lease, &is, when)
                } else {
                    tx.set_account_state(&lease, &is, when)
                }
            })
            .await
            .map_err(|e: StoreError| e)
            .unwrap();
    }

    fn sql(&self, sql: &str) {
        connection(&self.store).execute_batch(sql).unwrap();
    }

    fn list(&self, sql: &str) -> Vec<String> {
        let conn = connection(&self.store);
        let mut statement = conn.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Subjects of the alert mails, with the account through which they go.
    fn mails(&self) -> Vec<String> {
        self.list(
            "SELECT a.name || ' -> ' || o.envelope_to || ': ' || o.subject FROM outbox o
             JOIN accounts a ON a.id = o.account_id
             WHERE o.kind = 'alert' AND o.state <> 'cancelled' ORDER BY o.id",
        )
    }
}

fn connection(store: &Store) -> rusqlite::Connection {
    let conn = rusqlite::Connection::open(store.path()).unwrap();
    conn.busy_timeout(Duration::from_secs(10)).unwrap();
    conn
}

async fn look(alerts: &Alerts, seconds: u64) {
    let watch = Watch::Running {
        since: START,
        fresh: FRESH,
        lost: FRESH,
    };
    alerts.look(watch, at(seconds)).await.unwrap();
}

#[tokio::test]
async fn a_listener_that_hangs_is_found_out_recorded_and_told_once_and_its_end_too() {
    let w = World::new("").await;
    w.looked(1, at(170)).await;
    w.look(170).await;
    assert!(w.mails().is_empty());
    for second in [181, 186, 191] {
        w.looked(1, at(second)).await;
        w.look(second).await;
    }
    w.sql("UPDATE outbox SET state = 'sent'; UPDATE alert_notes SET state = 'done'");
    w.looked(1, at(300)).await;
    w.look(300).await;
    assert_eq!(
        w.mails(),
        ["sales -> ops@example.com: replyd: account sales does not hear"]
    );
    let states = w.list("SELECT name || ' ' || state FROM accounts ORDER BY name");
    assert_eq!(states, ["backup live", "sales down"]);
    // The mail says that a machine wrote it, and asks for no answer.
    let raw: Vec<u8> = connection(&w.store)
        .query_row("SELECT raw FROM outbox WHERE kind = 'alert'", [], |row| {
            row.get(0)
        })
        .unwrap();
    let raw = String::from_utf8(raw).unwrap();
    assert!(raw.contains("Auto-Submitted: auto-generated"), "{raw}");
    assert!(raw.contains("X-Replyd: alert"), "{raw}");
    // Well again: two mails came meanwhile.
    w.sql(
        "INSERT INTO mailboxes (id, account_id, name) VALUES (1, 1, 'INBOX');
         INSERT INTO messages (account_id, mailbox_id, uid_validity, uid, internal_date, stored_at,
             size_bytes, source, disposition, message_key, content_digest)
         VALUES (1, 1, 1, 1, 0, 0, 0, 'catch_up', 'ignored', 'a', 'a'),
                (1, 1, 1, 2, 0, 0, 0, 'catch_up', 'ignored', 'b', 'b');",
    );
    for second in [400, 405, 430, 459, 461, 500] {
        w.looked(0, at(second)).await;
        w.looked(1, at(second)).await;
        w.look(second).await;
    }
    assert_eq!(
        w.mails()[1..],
        ["sales -> ops@example.com: replyd: account sales hears again"]
    );
    let body = w.list("SELECT body FROM outbox WHERE kind = 'alert' ORDER BY id DESC LIMIT 1");
    for part in ["6 min 40 s", "2 mails had come meanwhile"] {
        assert!(body[0].contains(part), "{part}: {}", body[0]);
    }
}

#[tokio::test]
async fn a_restart_and_a_second_process_tell_nothing_twice() {
    let w = World::new("").await;
    let (one, two) = (w.alerts(), w.alerts());
    w.looked(1, at(200)).await;
    tokio::join!(look(&one, 200), look(&two, 200));
    // A restart.
    w.look(205).await;
    assert_eq!(w.mails().len(), 1, "{:?}", w.mails());
    for second in [210, 240, 271, 280] {
        w.looked(0, at(second)).await;
        tokio::join!(look(&one, second), look(&two, second));
    }
    w.look(290).await;
    assert_eq!(w.mails().len(), 2, "{:?}", w.mails());
    let notes = w.list("SELECT event || ' ' || way FROM alert_notes ORDER BY id");
    assert_eq!(notes, ["raised mail", "ended mail"]);
}

#[tokio::test]
async fn a_refused_sign_in_is_told_at_once_and_through_an_account_whose_credentials_work() {
    let w = World::new("").await;
    w.is(0, State::NeedsSignIn, "refused", at(10), false).await;
    w.look(11).await;
    assert_eq!(
        w.mails(),
        ["backup -> ops@example.com: replyd: account sales needs sign-in"]
    );
}

#[tokio::test]
async fn an_alert_that_cannot_leave_through_its_account_goes_through_another_once() {
    let w = World::new("").await;
    w.looked(1, at(200)).await;
    w.look(200).await;
    assert!(w.mails()[0].starts_with("sales -> "), "{:?}", w.mails());
    // The server of `sales` turns out to refuse us.
    w.sql(
        "INSERT INTO meta (key, value) VALUES ('smtp:1',
             '{\"state\":\"down\",\"reason\":\"x\",\"since\":0,\"failures\":1,\"retry_at\":9999999999999}')",
    );
    for second in [205, 210, 400] {
        w.looked(1, at(second)).await;
        w.look(second).await;
    }
    let hearing: Vec<String> = w
        .mails()
        .into_iter()
        .filter(|m| m.contains("does not hear"))
        .collect();
    assert_eq!(
        hearing,
        ["backup -> ops@example.com: replyd: account sales does not hear"]
    );
    let cancelled = w.list("SELECT smtp_text FROM outbox WHERE state = 'cancelled'");
    assert_eq!(cancelled.len(), 1, "{cancelled:?}");
}

#[tokio::test]
async fn an_alert_about_sending_names_the_remedy_of_what_the_smtp_server_refuses() {
    for (fault, remedy) in [
        ("smtp-auth-off", crate::fault::Fault::SmtpAuthOff.remedy()),
        ("", "mend user and password of SMTP in the settings"),
    ] {
        let w = World::new("[alerts]\nwebhook = \"https://127.0.0.1:1/x\"").await;
        w.sql(&format!(
            "INSERT INTO meta (key, value) VALUES ('smtp:1',
                 '{{\"state\":\"needs_sign_in\",\"reason\":\"535 5.7.139\",\"fault\":{fault:?},\"since\":0,\"failures\":1,\"retry_at\":9999999999999}}')"
        ));
        w.looked(1, at(11)).await;
        w.look(11).await;
        let bodies = w.list("SELECT body FROM outbox WHERE kind = 'alert'");
        assert!(bodies[0].contains(remedy), "{bodies:?}");
        let told = w.list("SELECT told FROM alert_notes WHERE way = 'webhook'");
        assert!(told[0].contains(remedy), "{told:?}");
    }
}

#[tokio::test]
async fn a_mail_whose_body_was_handed_over_is_never_sent_by_another_account() {
    let w = World::new("").await;
    w.looked(1, at(200)).await;
    w.look(200).await;
    w.sql("UPDATE outbox SET state = 'sending', attempts = 1, handed_over_at = 1");
    w.looked(1, at(900)).await;
    w.look(900).await;
    let hearing = w.mails().iter().filter(|m| m.contains("hear")).count();
    assert_eq!(hearing, 1, "{:?}", w.mails());
}

#[tokio::test]
async fn webhook_and_command_get_a_note_each_and_an_end_waits_for_its_beginning() {
    let w =
        World::new("[alerts]\nwebhook = \"https://hooks.example/x\"\ncommand = [\"/bin/true\"]")
            .await;
    w.looked(1, at(200)).await;
    w.look(200).await;
    for second in [210, 275] {
        w.looked(0, at(second)).await;
        w.look(second).await;
    }
    let ways = w.list("SELECT event || ' ' || way FROM alert_notes ORDER BY id");
    assert_eq!(
        ways,
        [
            "raised webhook",
            "raised command",
            "raised mail",
            "ended webhook",
            "ended command",
            "ended mail"
        ]
    );
    let claimed = || async {
        w.store
            .write(|tx| tx.claim_alert_note(at(300), TRY_LEASE))
            .await
            .map_err(|e: StoreError| e)
            .unwrap()
    };
    let (first, second) = (claimed().await.unwrap(), claimed().await.unwrap());
    assert_eq!(
        (first.event, second.event),
        (AlertEvent::Raised, AlertEvent::Raised)
    );
    // Both are booked; their ends wait until they are told.
    assert!(claimed().await.is_none());
    let done = first.clone();
    w.store
        .write(move |tx| tx.finish_alert_note(&done, &Told::Done, at(300)))
        .await
        .map_err(|e: StoreError| e)
        .unwrap();
    let third = claimed().await.unwrap();
    assert_eq!((third.event, third.way), (AlertEvent::Ended, first.way));
    let told: Facts = serde_json::from_str(&third.told).unwrap();
    assert_eq!((told.account.as_str(), told.lasted_s), ("sales", Some(210)));
}

#[tokio::test]
async fn a_booked_try_of_a_dead_process_comes_back_after_its_lease_and_then_only() {
    let w = World::new("[alerts]\ncommand = [\"/bin/true\"]").await;
    w.looked(1, at(200)).await;
    w.look(200).await;
    let claim = |second: u64| {
        let store = w.store.clone();
        async move {
            store
                .write(move |tx| tx.claim_alert_note(at(second), TRY_LEASE))
                .await
                .map_err(|e: StoreError| e)
                .unwrap()
        }
    };
    let lost = claim(200).await.unwrap();
    assert!(claim(250).await.is_none());
    let again = claim(291).await.unwrap();
    assert_eq!((again.id, again.tries), (lost.id, 2));
    // The first one wakes up late: its word does not count any more.
    w.store
        .write(move |tx| tx.finish_alert_note(&lost, &Told::Done, at(292)))
        .await
        .map_err(|e: StoreError| e)
        .unwrap();
    assert_eq!(
        w.list("SELECT state FROM alert_notes WHERE way = 'command'"),
        ["due"]
    );
}

#[tokio::test]
async fn an_account_that_left_the_settings_ends_its_incident_without_a_word() {
    let w = World::new("").await;
    w.sql(&format!(
        "INSERT INTO accounts (id, name, first_started_at, state_since) VALUES (9, 'old', 0, 0);
         INSERT INTO alerts (account_id, topic, state, reason, began_at, raised_at, after_message)
         VALUES (9, 'hearing', 'down', 'x', 0, {}, 0)",
        START.0
    ));
    w.look(10).await;
    assert!(w.mails().is_empty());
    assert_eq!(
        w.list("SELECT CAST(count(*) AS TEXT) FROM alerts WHERE ended_at IS NULL"),
        ["0"]
    );
}

#[tokio::test]
async fn health_names_the_guilty_and_is_well_otherwise() {
    let w = World::new("").await;
    let health = |seconds: u64| Health::take(&w.store, &w.settings, at(seconds));
    let well = health(100).await.unwrap();
    assert!(well.is_ok(), "{well:?}");
    w.looked(1, at(300)).await;
    let bad = health(300).await.unwrap();
    assert_eq!(bad.failing, ["sales"]);
    assert_eq!(bad.accounts[0].verified_age_s, Some(300));
    assert_eq!(bad.accounts[0].state, State::Down);
    assert!(!bad.accounts[0].remedy.is_empty());
    assert!(
        bad.line().starts_with("sales: down (no answer"),
        "{}",
        bad.line()
    );
    // A mail that is due and does not leave.
    w.looked(0, at(300)).await;
    w.sql(&format!(
        "INSERT INTO outbox (account_id, kind, automatic, rfc_message_id, envelope_from, envelope_to,
             subject, body, body_digest, raw, next_attempt_at, created_at)
         VALUES (1, 'answer', 1, 'a@b', 'f', 't', 's', 'b', 'd', x'00', {due}, {due})",
        due = at(0).0
    ));
    assert!(health(310).await.unwrap().is_ok(), "not late yet");
    w.looked(0, at(700)).await;
    w.looked(1, at(700)).await;
    let late = health(700).await.unwrap();
    assert_eq!(late.failing, ["outbox"]);
    assert_eq!(late.outbox.late_s, Some(700));
    let text = serde_json::to_string(&late).unwrap();
    assert!(!text.contains('@'), "{text}");
}

#[tokio::test]
async fn that_somebody_watches_is_kept_over_a_restart_and_ends_with_a_gap() {
    let w = World::new("").await;
    let watched = |second: u64| {
        let store = w.store.clone();
        async move {
            store
                .write(move |tx| tx.note_watched(at(second), FRESH))
                .await
                .map_err(|e: StoreError| e)
                .unwrap()
        }
    };
    assert_eq!(watched(100).await, at(100));
    assert_eq!(watched(115).await, at(100));
    // A restart of two minutes.
    assert_eq!(watched(240).await, at(100));
    // A night.
    assert_eq!(watched(30_000).await, at(30_000));
    // A clock that was set back.
    assert_eq!(watched(20_000).await, at(20_000));
}

/// The task itself, on a paused clock: it looks, and ends when it is told to.
#[tokio::test(start_paused = true)]
async fn the_sentinel_looks_every_few_seconds_and_stops() {
    let w = World::new("").await;
    // Verified in 2023: whatever the clock says now, that is long ago; but nobody watched.
    let stop = CancellationToken::new();
    let (alerts, token) = (w.alerts(), stop.clone());
    let task = tokio::spawn(async move { alerts.run(token).await });
    while w
        .list("SELECT key FROM meta WHERE key = 'watched'")
        .is_empty()
    {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(w.mails().is_empty());
    stop.cancel();
    task.await.unwrap().unwrap();
}
