//! The outbox worker over real connections: each mail once, whatever happens in between.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use replyd::config::{Credential, Security, SmtpSettings};
use replyd::keys::Keys;
use replyd::model::{
    AccountId, AccountState, CampaignLeadId, IdSource, Inserted, MailKind, NewMail, OutboxId,
    OutboxState, SentKind,
};
use replyd::outbox::{Handled, OutboxWorker};
use replyd::smtp::{Mailer, Memory};
use replyd::store::{NewSent, Settlement, Store, StoreError};
use replyd::time::{self, UtcMs};
use replyd::wake::Doorbell;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::mailer;
use crate::server::{Act, Server, Step, at, right};

const MINUTE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    dir: tempfile::TempDir,
    store: Store,
}

impl World {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("r.db")).await.unwrap();
        let world = Self { dir, store };
        world.sql(
            "INSERT INTO accounts (id, name, first_started_at, state_since) VALUES (1, 'a', 0, 0), (2, 'b', 0, 0);
             INSERT INTO leads (id, lead_id, email, email_key, created_at, updated_at)
                 VALUES (1, 'L1', 'bob@example.org', 'bob@example.org', 0, 0);
             INSERT INTO campaigns (id, name, created_at, updated_at) VALUES (1, 'c', 0, 0);
             INSERT INTO campaign_leads (id, campaign_id, lead_id, created_at) VALUES (1, 1, 1, 0);",
        );
        world
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("r.db")
    }

    fn sql(&self, sql: &str) {
        let conn = rusqlite::Connection::open(self.path()).unwrap();
        conn.execute_batch(sql).unwrap();
    }

    pub(crate) fn text(&self, sql: &str) -> String {
        let conn = rusqlite::Connection::open(self.path()).unwrap();
        conn.query_row(sql, [], |r| r.get(0)).unwrap()
    }

    /// As a process that starts: its own pools, its own worker.
    pub(crate) async fn worker(&self, mailers: Vec<(i64, Mailer)>) -> OutboxWorker {
        self.redirected(mailers, None).await
    }

    async fn redirected(&self, mailers: Vec<(i64, Mailer)>, to: Option<&str>) -> OutboxWorker {
        let store = Store::open(self.path()).await.unwrap();
        let keys = Arc::new(Keys::load_or_create(self.dir.path(), None).unwrap());
        let mailers: HashMap<_, _> = mailers
            .into_iter()
            .map(|(id, mailer)| (AccountId(id), mailer))
            .collect();
        OutboxWorker::new(store, mailers, keys, to.map(str::to_owned))
    }

    pub(crate) async fn queue(&self, n: usize, account: i64, due: UtcMs) -> OutboxId {
        let mail = NewMail {
            job_id: None,
            account_id: AccountId(account),
            kind: MailKind::Answer,
            round: 0,
            campaign_lead_id: Some(CampaignLeadId(1)),
            automatic: true,
            rfc_message_id: format!("{n}@example.com"),
            envelope_from: "ann@example.com".into(),
            envelope_to: "bob@example.org".into(),
            subject: "Re: offer".into(),
            body: "Thank you".into(),
            body_digest: "d".into(),
            raw: format!("Message-ID: <{n}@example.com>\r\n\r\nThank you\r\n").into_bytes(),
            next_attempt_at: due,
        };
        let queued = self
            .store
            .write(move |tx| tx.enqueue(&mail, time::now()))
            .await;
        match queued {
            Ok::<_, StoreError>(Inserted::New(id)) => id,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn settle(&self, id: OutboxId, how: Settlement) {
        let settled = self.store.write(move |tx| tx.settle(id, how, time::now()));
        let _: OutboxState = settled.await.map_err(|e: StoreError| e).unwrap();
    }

    pub(crate) fn state(&self, id: OutboxId) -> String {
        self.text(&format!("SELECT state FROM outbox WHERE id = {id}"))
    }
}

pub(crate) async fn handle(worker: &OutboxWorker, now: UtcMs) -> Option<Handled> {
    worker.handle_one(now).await.unwrap()
}

/// A worker that runs, with the means to ring and stop it.
pub(crate) struct Running {
    task: JoinHandle<anyhow::Result<()>>,
    stop: CancellationToken,
    bell: Doorbell,
}

pub(crate) fn start(worker: OutboxWorker) -> Running {
    let (stop, bell) = (CancellationToken::new(), Doorbell::default());
    let (stopped, rung) = (stop.clone(), bell.clone());
    let task = tokio::spawn(async move { worker.run(stopped, rung).await });
    Running { task, stop, bell }
}

impl Running {
    pub(crate) async fn end(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(10), self.task).await;
        ended.expect("it stops in time").unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_ring_sends_at_once_and_a_due_time_wakes_without_one() {
    let world = World::new().await;
    let server = Server::start(Security::Tls, right()).await;
    let running = start(world.worker(vec![(1, mailer(&server.settings()))]).await);
    let first = world.queue(1, 1, time::now()).await;
    running.bell.ring();
    server.reached(1, Step::Final, 1).await;
    let second = world
        .queue(2, 1, time::now().plus(Duration::from_millis(300)))
        .await;
    running.bell.ring();
    server.reached(1, Step::Final, 2).await;
    running.end().await;
    assert_eq!(
        (world.state(first), world.state(second)),
        ("sent".into(), "sent".into())
    );
    assert_eq!(server.connections(), 1);
    assert_eq!(server.commands().last().map(String::as_str), Some("QUIT"));
}

#[tokio::test]
async fn a_stop_finishes_the_mail_in_flight() {
    let world = World::new().await;
    let id = world.queue(1, 1, time::now()).await;
    let server = Server::start(Security::Plain, at(Step::Final, Act::After(1))).await;
    let running = start(world.worker(vec![(1, mailer(&server.settings()))]).await);
    server.reached(1, Step::Final, 1).await;
    running.end().await;
    assert_eq!(world.state(id), "sent");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_server_that_is_silent_and_the_mail_becomes_unknown() {
    let world = World::new().await;
    let id = world.queue(1, 1, time::now()).await;
    let server = Server::start(Security::Plain, at(Step::Final, Act::Silent)).await;
    let running = start(world.worker(vec![(1, mailer(&server.settings()))]).await);
    server.reached(1, Step::Final, 1).await;
    running.end().await;
    // The next start tells a person, and sends nothing.
    let worker = world.worker(vec![(1, mailer(&server.settings()))]).await;
    assert_eq!(handle(&worker, time::now()).await, None);
    assert_eq!(world.state(id), "unknown");
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test]
async fn a_crash_before_the_body_sends_again_and_after_it_never() {
    for (step, state, mails) in [
        (Step::Greeting, "sent", 1),
        (Step::Mail, "sent", 1),
        (Step::Data, "sent", 1),
        (Step::Final, "unknown", 1),
    ] {
        let world = World::new().await;
        let id = world.queue(1, 1, time::now()).await;
        let script = crate::server::at_nth(1, step, Act::Silent);
        let server = Server::start(Security::Plain, script).await;
        let worker = world.worker(vec![(1, mailer(&server.settings()))]).await;
        let task = tokio::spawn(async move { worker.handle_one(time::now()).await });
        server.reached(1, step, 1).await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        let worker = world.worker(vec![(1, mailer(&server.settings()))]).await;
        let handled = handle(&worker, time::now()).await;
        assert_eq!(handled.is_some(), state == "sent", "{step:?}");
        for later in [MINUTE * 60, MINUTE * 60 * 24 * 365] {
            assert_eq!(handle(&worker, time::now().plus(later)).await, None);
        }
        assert_eq!(world.state(id), state, "{step:?}");
        assert_eq!(server.mails().len(), mails, "{step:?}");
    }
}

#[tokio::test]
async fn a_mail_without_an_answer_is_unknown_and_never_sent_again() {
    let world = World::new().await;
    let id = world.queue(1, 1, time::now()).await;
    let server = Server::start(Security::Tls, at(Step::Final, Act::Close(String::new()))).await;
    let worker = world.worker(vec![(1, mailer(&server.settings()))]).await;
    let handled = handle(&worker, time::now()).await.unwrap();
    assert_eq!((handled.id, handled.state), (id, OutboxState::Unknown));
    let restarted = world.worker(vec![(1, mailer(&server.settings()))]).await;
    for worker in [worker, restarted] {
        let later = time::now().plus(MINUTE * 60 * 24 * 365);
        assert_eq!(handle(&worker, later).await, None);
    }
    assert_eq!((server.mails().len(), server.connections()), (1, 1));
}

#[tokio::test]
async fn two_workers_on_one_database_send_each_mail_once() {
    let world = World::new().await;
    let due = time::now();
    let mut queued = Vec::new();
    for n in 0..30 {
        queued.push(format!("{n}@example.com"));
        world.queue(n, 1, due).await;
    }
    let mut tasks = Vec::new();
    let mut boxes = Vec::new();
    for _ in 0..2 {
        let memory = Arc::new(Memory::default());
        boxes.push(Arc::clone(&memory));
        let worker = world.worker(vec![(1, Mailer::Memory(memory))]).await;
        tasks.push(tokio::spawn(async move {
            let mut sent = 0;
            while handle(&worker, time::now()).await.is_some() {
                sent += 1;
            }
            sent
        }));
    }
    let mut sent = 0;
    for task in tasks {
        sent += task.await.unwrap();
    }
    assert_eq!(sent, 30);
    let mut ids: Vec<String> = boxes
        .iter()
        .flat_map(|b| b.mails())
        .filter_map(|m| {
            let raw = String::from_utf8(m.raw).unwrap();
            Some(raw.split_once('<')?.1.split_once('>')?.0.to_owned())
        })
        .collect();
    ids.sort();
    queued.sort();
    assert_eq!(ids, queued);
}

#[tokio::test]
async fn a_silent_server_does_not_hold_up_another_account() {
    let world = World::new().await;
    let due = time::now();
    let stuck = world.queue(1, 1, due).await;
    let silent = Server::start(Security::Plain, at(Step::Mail, Act::Silent)).await;
    let lively = Server::start(Security::Plain, right()).await;
    let mailers = vec![
        (1, mailer(&silent.settings())),
        (2, mailer(&lively.settings())),
    ];
    let running = start(world.worker(mailers).await);
    silent.reached(1, Step::Mail, 1).await;
    let waits = world.queue(2, 1, due).await;
    let passes = world.queue(3, 2, due).await;
    running.bell.ring();
    lively.reached(1, Step::Final, 1).await;
    assert_eq!(silent.connections(), 1, "one mail an account at a time");
    running.end().await;
    assert_eq!(world.state(stuck), "sending");
    assert_eq!(world.state(waits), "queued");
    assert_eq!(world.state(passes), "sent");
}

#[tokio::test]
async fn a_bad_mail_does_not_stop_those_behind_it() {
    let world = World::new().await;
    let due = time::now();
    let count = AtomicUsize::new(0);
    let answers = ["550 5.7.1 Message refused", "451 4.2.0 Greylisted"];
    let script = Arc::new(move |_, step| {
        let refusal = (step == Step::Rcpt)
            .then(|| answers.get(count.fetch_add(1, Ordering::SeqCst)))
            .flatten();
        refusal.map_or(Act::Right, |r| Act::Refuse((*r).into()))
    });
    let server = Server::start(Security::Tls, script).await;
    for n in 0..3 {
        world.queue(n, 1, due).await;
    }
    let worker = world.worker(vec![(1, mailer(&server.settings()))]).await;
    let mut states = Vec::new();
    while let Some(handled) = handle(&worker, due).await {
        states.push((handled.state, handled.code));
    }
    let want = [
        (OutboxState::Rejected, Some(550)),
        (OutboxState::Deferred, Some(451)),
        (OutboxState::Sent, Some(250)),
    ];
    assert_eq!(states, want);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_password_that_was_mended_before_the_restart_sends_at_once() {
    let world = World::new().await;
    let id = world.queue(1, 1, time::now()).await;
    let server = Server::start(Security::Tls, right()).await;
    let wrong = SmtpSettings {
        credential: Some(Credential::Password("wrong".to_owned().into())),
        ..server.settings()
    };
    // A pass of cron each: the third one knows that this password was refused, and waits.
    let mut connections = Vec::new();
    for settings in [&wrong, &wrong, &wrong, &server.settings()] {
        let worker = world.worker(vec![(1, mailer(settings))]).await;
        let last = CancellationToken::new();
        last.cancel();
        worker.work_off(&last, Doorbell::default()).await.unwrap();
        connections.push((world.state(id), server.connections()));
    }
    let want = [
        ("deferred", 1),
        ("deferred", 2),
        ("deferred", 2),
        ("sent", 3),
    ];
    assert_eq!(connections, want.map(|(state, n)| (state.to_owned(), n)));
}

#[tokio::test]
async fn a_deferred_mail_is_sent_after_a_restart() {
    let world = World::new().await;
    let now = time::now();
    let id = world.queue(1, 1, now).await;
    let refuse = Act::Refuse("451 4.2.0 Greylisted".into());
    let server = Server::start(Security::Tls, crate::server::at_nth(1, Step::Rcpt, refuse)).await;
    let worker = world.worker(vec![(1, mailer(&server.settings()))]).await;
    let handled = handle(&worker, now).await.unwrap();
    assert_eq!(
        (handled.state, handled.trouble),
        (OutboxState::Deferred, None)
    );
    drop(worker);
    let worker = world.worker(vec![(1, mailer(&server.settings()))]).await;
    assert_eq!(
        handle(&worker, now.plus(Duration::from_secs(5))).await,
        None
    );
    let handled = handle(&worker, now.plus(MINUTE)).await.unwrap();
    assert_eq!((handled.id, handled.state), (id, OutboxState::Sent));
    let history = "SELECT group_concat(outcome || ' ' || smtp_code) FROM outbox_attempts";
    assert_eq!(world.text(history), "deferred 451,sent 250");
}

#[tokio::test]
async fn a_lead_suppressed_while_its_mail_is_queued_gets_none() {
    let world = World::new().await;
    let id = world.queue(1, 1, time::now()).await;
    world.sql("INSERT INTO suppressions (email_key, reason, created_at) VALUES ('bob@example.org', 'unsubscribe', 0)");
    let server = Server::start(Security::Tls, right()).await;
    let worker = world.worker(vec![(1, mailer(&server.settings()))]).await;
    assert_eq!(handle(&worker, time::now()).await, None);
    assert_eq!(world.state(id), "cancelled");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn refused_credentials_are_tried_once_and_shown_not_hammered() {
    let world = World::new().await;
    let now = time::now();
    for n in 0..3 {
        world.queue(n, 1, now).await;
    }
    let refuse = Act::Refuse("535 5.7.8 Wrong".into());
    let server = Server::start(Security::Tls, at(Step::Auth, refuse)).await;
    let worker = world.worker(vec![(1, mailer(&server.settings()))]).await;
    let handled = handle(&worker, now).await.unwrap();
    assert_eq!(handled.trouble, Some(AccountState::NeedsSignIn));
    assert_eq!(handled.state, OutboxState::Deferred);
    assert_eq!(handle(&worker, now).await, None, "the others wait");
    // Another process obeys as well.
    let other = world.worker(vec![(1, mailer(&server.settings()))]).await;
    assert_eq!(handle(&other, now).await, None);
    assert_eq!(server.connections(), 1);
    let status = world.store.read(move |r| r.outbox_status(now, 10)).await;
    let paused = status
        .map(|s| s.paused)
        .map_err(|e: StoreError| e.to_string());
    let paused = paused.unwrap();
    assert_eq!(paused.len(), 1);
    assert_eq!(paused[0].state, AccountState::NeedsSignIn);
    assert!(paused[0].reason.contains("535"), "{}", paused[0].reason);
}

#[tokio::test]
async fn nothing_is_sent_while_the_handover_cannot_be_written_down() {
    let world = World::new().await;
    let now = time::now();
    let id = world.queue(1, 1, now).await;
    world.sql(
        "CREATE TRIGGER broken BEFORE UPDATE OF handed_over_at ON outbox
         WHEN NEW.handed_over_at IS NOT NULL BEGIN SELECT RAISE(ABORT, 'broken disk'); END",
    );
    let server = Server::start(Security::Tls, right()).await;
    let worker = world.worker(vec![(1, mailer(&server.settings()))]).await;
    let handled = handle(&worker, now).await.unwrap();
    assert_eq!((handled.id, handled.state), (id, OutboxState::Deferred));
    assert_eq!(server.mails(), []);
    world.sql("DROP TRIGGER broken");
    let handled = handle(&worker, now.plus(MINUTE)).await.unwrap();
    assert_eq!(handled.state, OutboxState::Sent);
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test]
async fn a_mail_of_an_account_without_settings_waits_and_is_shown() {
    let world = World::new().await;
    let now = time::now();
    let id = world.queue(1, 2, now).await;
    let worker = world.worker(Vec::new()).await;
    let handled = handle(&worker, now).await.unwrap();
    assert_eq!((handled.id, handled.state), (id, OutboxState::Deferred));
    let text = world.text("SELECT smtp_text FROM outbox");
    assert!(text.contains("not in the settings"), "{text}");
}

#[tokio::test]
async fn the_id_in_the_servers_answer_becomes_an_alias() {
    let world = World::new().await;
    let id = world.queue(1, 1, time::now()).await;
    let known = NewSent {
        campaign_lead_id: CampaignLeadId(1),
        kind: SentKind::Answer,
        subject: String::new(),
        body: String::new(),
        sent_at: time::now(),
        outbox_ref: Some(id),
        ids: vec![("1@example.com".into(), IdSource::Own)],
    };
    let inserted = world
        .store
        .write(move |tx| tx.insert_sent(&known, &["h".into()], time::now()))
        .await;
    inserted.map_err(|e: StoreError| e.to_string()).unwrap();
    let reply = Act::Say(b"250 2.0.0 OK <ABC1@Prod.Outlook.com> [Hostname=x]\r\n".to_vec());
    let server = Server::start(Security::Tls, at(Step::Final, reply)).await;
    let worker = world.worker(vec![(1, mailer(&server.settings()))]).await;
    assert_eq!(
        handle(&worker, time::now()).await.unwrap().state,
        OutboxState::Sent
    );
    let ids =
        "SELECT group_concat(id_key || ' ' || source) FROM (SELECT * FROM sent_ids ORDER BY 1)";
    assert_eq!(
        world.text(ids),
        "1@example.com own,ABC1@prod.outlook.com provider"
    );
}

#[tokio::test]
async fn redirected_mail_goes_to_that_address_only() {
    let world = World::new().await;
    world.queue(1, 1, time::now()).await;
    let server = Server::start(Security::Tls, right()).await;
    let mailers = vec![(1, mailer(&server.settings()))];
    let worker = world.redirected(mailers, Some("test@example.net")).await;
    assert_eq!(
        handle(&worker, time::now()).await.unwrap().state,
        OutboxState::Sent
    );
    let to: Vec<String> = server.mails().into_iter().map(|m| m.to).collect();
    assert_eq!(to, ["test@example.net"]);
}
