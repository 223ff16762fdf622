//! An account's fault is no other account's delay: SMTP servers that take a connection and say
//! nothing, a mailbox that does not open, in `run` and in a single pass.

use std::fmt::Write as _;
use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

use replyd::app::App;
use replyd::campaign::{ImportOptions, import_leads, import_sent};
use replyd::config::{Environment, Flags, Need, Settings, Sources};
use replyd_sandbox::faults::{Action, Gate, Times, Who};
use replyd_sandbox::{Options, Sandbox, UnknownRecipients, Verb};
use rusqlite::Connection;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::scene::{PASSWORD, PATIENCE, address, lists, now, wish};

/// More than any pool of workers that an outbox may have.
const HUNG: usize = 12;

/// Takes connections and is silent. Gives its port.
async fn tarpit() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            held.push(socket);
        }
    });
    port
}

/// Settings of these accounts; those in `hung` send through the tarpit.
fn settings(
    sandbox: &Sandbox,
    dir: &Path,
    accounts: &[String],
    hung: &[String],
    pit: u16,
) -> Settings {
    std::fs::write(dir.join("ca.pem"), sandbox.ca_pem()).unwrap();
    let mut text = format!(
        "[store]\ndatabase = {db:?}\n[reply]\nsales_email = \"sales@desk.example\"\n\
         [listen]\ninterval = \"1s\"\nlogin_every = \"0s\"\n\
         [imap]\nhost = \"localhost\"\nport = {imap}\nca_file = {ca:?}\n\
         [smtp]\nhost = \"localhost\"\nport = {smtp}\nsecurity = \"tls\"\nca_file = {ca:?}\n",
        db = dir.join("replyd.db"),
        ca = dir.join("ca.pem"),
        imap = sandbox.imap_addr().port(),
        smtp = sandbox.smtp_addr().port(),
    );
    for account in accounts {
        sandbox.add_user(&address(account), PASSWORD);
        write!(
            text,
            "[[accounts]]\nname = {account:?}\naddress = {:?}\npassword = {PASSWORD:?}\n",
            address(account)
        )
        .unwrap();
        if hung.contains(account) {
            write!(
                text,
                "smtp.port = {pit}\nsmtp.security = \"plain\"\nsmtp.auth = \"none\"\n"
            )
            .unwrap();
        }
    }
    let config = dir.join("replyd.toml");
    std::fs::write(&config, text).unwrap();
    let env = Environment {
        cwd: dir.to_owned(),
        ..Environment::default()
    };
    let flags = Flags {
        config: Some(config),
        ..Flags::default()
    };
    Settings::load(&Sources { env, flags }, Need::Mail)
        .unwrap_or_else(|e| panic!("{e}"))
        .settings
}

struct Store(Connection);

impl Store {
    fn open(dir: &Path) -> Self {
        let conn = Connection::open(dir.join("replyd.db")).unwrap();
        conn.busy_timeout(PATIENCE).unwrap();
        Self(conn)
    }

    /// A mail of this account that is due since `age` milliseconds.
    fn queue(&self, account: &str, age: i64) {
        let from = address(account);
        let raw = format!(
            "From: {from}\r\nTo: sales@desk.example\r\nSubject: Due\r\nMessage-ID: <{account}@x>\r\n\r\nx\r\n"
        );
        self.0
            .execute(
                "INSERT INTO outbox (account_id, kind, automatic, rfc_message_id, envelope_from,
                     envelope_to, subject, body, body_digest, raw, next_attempt_at, created_at)
                 SELECT id, 'sales_notice', 0, ?1 || '@x', ?2, 'sales@desk.example', 'Due', 'x', 'd', ?3, ?4, ?4
                 FROM accounts WHERE name = ?1",
                rusqlite::params![account, from, raw.as_bytes(), now() - age],
            )
            .unwrap();
    }

    fn count(&self, from: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {from}");
        self.0.query_row(&sql, [], |row| row.get(0)).unwrap()
    }

    /// Waits until so many rows are there.
    async fn until(&self, from: &str, count: i64) {
        let deadline = Instant::now() + PATIENCE;
        while self.count(from) < count {
            assert!(
                Instant::now() < deadline,
                "Waited in vain for {count} of {from}"
            );
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

async fn sandbox() -> Sandbox {
    Sandbox::start(Options {
        unknown_recipients: UnknownRecipients::Accept,
        ..Options::default()
    })
    .await
    .unwrap()
}

/// Makes the accounts' rows, as a first start does.
async fn ensure(app: &App, accounts: &[String]) {
    let names = accounts.to_vec();
    app.store()
        .write(move |tx| {
            for name in names {
                tx.ensure_account(&name, replyd::time::now())?;
            }
            Ok::<_, replyd::store::StoreError>(())
        })
        .await
        .unwrap();
}

/// However many SMTP servers hang, the mail of the one that works leaves.
#[tokio::test(flavor = "multi_thread")]
async fn smtp_servers_that_hang_hold_up_their_own_accounts_only() {
    let sandbox = sandbox().await;
    let pit = tarpit().await;
    let hung: Vec<String> = (0..HUNG).map(|n| format!("hung-{n}")).collect();
    let mut accounts = hung.clone();
    accounts.push("fine".into());
    let dir = tempfile::tempdir().unwrap();
    let app = App::open(settings(&sandbox, dir.path(), &accounts, &hung, pit))
        .await
        .unwrap();
    ensure(&app, &accounts).await;
    let store = Store::open(dir.path());
    for account in &hung {
        store.queue(account, 60_000);
    }
    store.queue("fine", 0);
    let stop = CancellationToken::new();
    let token = stop.clone();
    let running = tokio::spawn(async move { app.run(&token).await });
    store
        .until(
            "outbox WHERE state = 'sending'",
            i64::try_from(HUNG).unwrap(),
        )
        .await;
    store.until("outbox WHERE state = 'sent'", 1).await;
    stop.cancel();
    running.await.unwrap().unwrap();
}

/// In a single pass the reply of one account is answered while another's mailbox does not open
/// and a third one's mail cannot leave.
#[tokio::test(flavor = "multi_thread")]
async fn a_single_pass_answers_for_one_account_while_others_hang() {
    let sandbox = sandbox().await;
    let pit = tarpit().await;
    let hung = ["hung-smtp".to_owned()];
    let accounts = ["stuck".to_owned(), hung[0].clone(), "fine".to_owned()];
    let dir = tempfile::tempdir().unwrap();
    let app = App::open(settings(&sandbox, dir.path(), &accounts, &hung, pit))
        .await
        .unwrap();
    ensure(&app, &accounts).await;
    let (people, sent) = lists(1);
    let options = ImportOptions {
        campaign: Some("Lake".into()),
        ..ImportOptions::default()
    };
    let keys = app.keys().clone();
    import_leads(app.store(), &keys, Cursor::new(people), options)
        .await
        .unwrap();
    import_sent(
        app.store(),
        &keys,
        Cursor::new(sent),
        ImportOptions::default(),
    )
    .await
    .unwrap();
    // The first pass is a first look, whose mail is never answered by itself.
    let report = app.once(None).await.unwrap();
    assert!(report.total.errors.is_empty(), "{:?}", report.total.errors);

    let gate = Gate::new();
    sandbox.faults().at(
        Who::user(&address("stuck")),
        Times::Always,
        Verb::Examine,
        Action::Hold(gate.clone()),
    );
    let store = Store::open(dir.path());
    store.queue("hung-smtp", 60_000);
    let raw = format!(
        "From: Ann Lee <lead-0@people.example>\r\nTo: {}\r\nSubject: Re: Homes at the lake\r\n\
         Message-ID: <reply-0@people.example>\r\nIn-Reply-To: <campaign-0@desk.example>\r\n\r\n{}\r\n",
        address("fine"),
        wish()
    );
    sandbox
        .deliver(&address("fine"), "INBOX", raw.as_bytes(), None)
        .unwrap();
    let pass = tokio::spawn(async move { app.once(None).await.map(|_| ()) });
    gate.reached(PATIENCE).await.unwrap();
    store
        .until("outbox WHERE kind = 'acknowledgment' AND state = 'sent'", 1)
        .await;
    assert!(
        !pass.is_finished(),
        "the others hang as long as they are let"
    );
    let hangs = "outbox o JOIN accounts a ON a.id = o.account_id
        WHERE a.name = 'hung-smtp' AND o.state = 'sending'";
    assert_eq!(store.count(hangs), 1);
    gate.release();
    pass.abort();
}
