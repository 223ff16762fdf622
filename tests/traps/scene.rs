//! A running replyd on the scripted server, with an account for each trap and a healthy one.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use replyd::app::App;
use replyd::campaign::{ImportOptions, import_leads, import_sent};
use replyd::config::{Environment, Flags, Need, Settings, Sources};
use replyd::time::{self, UtcMs};
use replyd_sandbox::faults::{Action, FaultId, ImapFault, Times, Who};
use replyd_sandbox::{Options, Sandbox, Verb, mail_date};
use rusqlite::{Connection, Params, types::FromSql};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long anything may take on a machine with two busy cores. Passing tests never wait for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// The store cannot announce itself: it is asked this often.
const LOOK_AGAIN: Duration = Duration::from_millis(30);
/// The account beside the faulty ones.
pub(crate) const HEALTHY: &str = "healthy";
/// Everybody's password; must be seen nowhere.
pub(crate) const PASSWORD: &str = "pass-7f3a9c";
/// A word of every mail; must be seen in no reason.
pub(crate) const CANARY: &str = "canary-word";
/// Longer than a test waits: what comes in time was announced.
pub(crate) const PUSH: &str = "540s";
/// What comes within a test may have been polled.
pub(crate) const POLL: &str = "1s";

/// How the server and replyd are set up.
pub(crate) struct Setup {
    /// The server.
    pub(crate) options: Options,
    /// Period of the fallback poll.
    pub(crate) interval: &'static str,
    /// Further lines of `[listen]`.
    pub(crate) listen: &'static str,
    /// Mailboxes of every account.
    pub(crate) mailboxes: &'static [&'static str],
    /// How many leads were written to.
    pub(crate) leads: usize,
    /// Where an account's server is, if not the sandbox: port and security.
    pub(crate) servers: HashMap<&'static str, (u16, &'static str)>,
    /// Certificates of further servers that are trusted.
    pub(crate) more_ca: String,
}

impl Setup {
    /// An ordinary server; `interval` is [`PUSH`] or [`POLL`].
    pub(crate) fn new(interval: &'static str) -> Self {
        Self {
            options: Options {
                unknown_recipients: replyd_sandbox::UnknownRecipients::Accept,
                ..Options::default()
            },
            interval,
            listen: "login_every = \"0s\"\n",
            mailboxes: &["INBOX"],
            leads: 150,
            servers: HashMap::new(),
            more_ca: String::new(),
        }
    }
}

/// A change of an account's state.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) state: String,
    pub(crate) reason: String,
    /// When.
    pub(crate) at: i64,
    /// The backoff of that moment.
    pub(crate) next_attempt_at: i64,
}

/// The server, replyd's settings and store, and replyd once it runs.
pub(crate) struct Scene {
    pub(crate) sandbox: Sandbox,
    _folder: tempfile::TempDir,
    store: Mutex<Connection>,
    app: Mutex<Option<App>>,
    running: Mutex<Option<JoinHandle<anyhow::Result<()>>>>,
    stop: CancellationToken,
    /// A fault without effect at each sign-in of an account counts them.
    logins: HashMap<&'static str, [FaultId; 2]>,
    next_lead: AtomicUsize,
    delivered: Mutex<Vec<(&'static str, String)>>,
}

/// The mail address of an account.
pub(crate) fn address(account: &str) -> String {
    format!("{account}@desk.example")
}

/// The sessions of an account.
pub(crate) fn who(account: &str) -> Who {
    Who::user(&address(account))
}

impl Scene {
    /// Server, accounts and leads are there; replyd does not run yet.
    pub(crate) async fn new(setup: Setup, faulty: &[&'static str]) -> Arc<Self> {
        let sandbox = Sandbox::start(setup.options.clone()).await.unwrap();
        Self::with(sandbox, setup, faulty).await
    }

    /// The same on a server that runs already.
    pub(crate) async fn with(sandbox: Sandbox, setup: Setup, faulty: &[&'static str]) -> Arc<Self> {
        let accounts: Vec<&'static str> = faulty.iter().copied().chain([HEALTHY]).collect();
        let mut logins = HashMap::new();
        for account in &accounts {
            sandbox.add_user(&address(account), PASSWORD);
            let count = |verb| {
                let nothing = Action::Inject(Vec::new());
                sandbox
                    .faults()
                    .at(who(account), Times::Always, verb, nothing)
            };
            logins.insert(*account, [count(Verb::Login), count(Verb::Authenticate)]);
        }
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&sandbox, &setup, &accounts, &folder);
        let database = settings.database.clone();
        let app = App::open(settings).await.unwrap();
        import(&app, setup.leads).await;
        let store = Connection::open(database).unwrap();
        store.busy_timeout(PATIENCE).unwrap();
        store.execute_batch(STATE_LOG).unwrap();
        Arc::new(Self {
            sandbox,
            _folder: folder,
            store: Mutex::new(store),
            app: Mutex::new(Some(app)),
            running: Mutex::new(None),
            stop: CancellationToken::new(),
            logins,
            next_lead: AtomicUsize::new(0),
            delivered: Mutex::new(Vec::new()),
        })
    }

    /// Starts replyd and waits until the healthy account is in IDLE.
    pub(crate) async fn run(&self) {
        let app = self.app.lock().unwrap().take().expect("Started once");
        let stop = self.stop.clone();
        let running = tokio::spawn(async move { app.run(&stop).await });
        *self.running.lock().unwrap() = Some(running);
        self.idling(HEALTHY).await;
    }

    /// A scene whose accounts all wait in IDLE.
    pub(crate) async fn up(setup: Setup, faulty: &[&'static str]) -> Arc<Self> {
        let scene = Self::new(setup, faulty).await;
        scene.run().await;
        for account in faulty {
            scene.idling(account).await;
        }
        scene
    }

    /// Waits until an account's session is in IDLE.
    pub(crate) async fn idling(&self, account: &str) {
        self.sandbox
            .wait_for_idle(&address(account), 1, PATIENCE)
            .await
            .unwrap_or_else(|e| panic!("{account}: {e}; {:?}", self.history(account)));
    }

    /// Adds a fault for one account.
    pub(crate) fn fault(&self, account: &str, times: Times, fault: ImapFault) -> FaultId {
        self.sandbox.faults().add(who(account), times, fault)
    }

    /// Waits until a fault has acted.
    pub(crate) async fn acted(&self, account: &str, fault: FaultId, times: u64) {
        self.sandbox
            .faults()
            .wait_fired(fault, times, PATIENCE)
            .await
            .unwrap_or_else(|e| panic!("{account}: {e}; {:?}", self.history(account)));
    }

    /// The next lead's answer to the mail that it got; gives Message-ID and mail.
    pub(crate) fn next_reply(&self, account: &str, text: &str) -> (String, String) {
        let n = self.next_lead.fetch_add(1, Ordering::Relaxed);
        let id = format!("reply-{n}@people.example");
        let raw = format!(
            "From: Ann Lee <lead-{n}@people.example>\r\nTo: {to}\r\n\
             Subject: Re: Homes at the lake\r\nMessage-ID: <{id}>\r\n\
             In-Reply-To: <campaign-{n}@desk.example>\r\nDate: {date}\r\n\
             MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n",
            to = address(account),
            date = mail_date(time::now().0),
        );
        (id, raw)
    }

    /// Delivers the next lead's answer; gives its Message-ID.
    pub(crate) fn reply(&self, account: &'static str) -> String {
        let (id, raw) = self.next_reply(account, &wish());
        self.deliver(account, "INBOX", &raw);
        self.expect(account, &id);
        id
    }

    /// Puts a mail into a mailbox; gives its UID.
    pub(crate) fn deliver(&self, account: &str, mailbox: &str, raw: impl AsRef<[u8]>) -> u32 {
        self.sandbox
            .deliver(&address(account), mailbox, raw.as_ref(), None)
            .unwrap()
    }

    /// At the end this account must have this mail exactly once.
    pub(crate) fn expect(&self, account: &'static str, id: &str) {
        self.delivered
            .lock()
            .unwrap()
            .push((account, id.to_owned()));
    }

    /// Waits until a mail is captured as a reply.
    pub(crate) async fn captured(&self, account: &str, id: &str) {
        self.until(&format!("{account}: {id} to be captured"), |scene| {
            let sql = "SELECT count(*) FROM messages m JOIN accounts a ON a.id = m.account_id
                       WHERE a.name = ?1 AND message_key = ?2 AND disposition = 'reply'";
            (scene.value::<i64>(sql, [account, id]) == 1).then_some(())
        })
        .await;
    }

    /// A mail comes and is captured.
    pub(crate) async fn hears(&self, account: &'static str) {
        let id = self.reply(account);
        self.captured(account, &id).await;
    }

    /// Asks `look` until it answers.
    pub(crate) async fn until<T>(&self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "Waited in vain for {what}\n{}",
                self.history_of_those_in(what)
            );
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// One value of the store.
    pub(crate) fn value<T: FromSql>(&self, sql: &str, params: impl Params) -> T {
        let store = self.store.lock().unwrap();
        store
            .query_row(sql, params, |row| row.get(0))
            .unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// Changes the store: what time, or another process, would have done.
    pub(crate) fn change(&self, sql: &str, params: impl Params) {
        let store = self.store.lock().unwrap();
        store.execute(sql, params).unwrap();
    }

    /// From now on no failure counts for the next one's wait, which is then 2 s at most.
    pub(crate) fn keep_backoff_short(&self) {
        self.change(
            "CREATE TRIGGER short_backoff AFTER UPDATE OF failures ON accounts WHEN NEW.failures > 0
             BEGIN UPDATE accounts SET failures = 0 WHERE id = NEW.id; END",
            [],
        );
    }

    /// A value of an account's row.
    pub(crate) fn account<T: FromSql>(&self, account: &str, column: &str) -> T {
        let sql = format!("SELECT {column} FROM accounts WHERE name = ?1");
        self.value(&sql, [account])
    }

    /// What became of a mail: disposition, and a number for each row of it.
    pub(crate) fn dispositions(&self, account: &str) -> Vec<String> {
        let joined: String = self.value(
            "SELECT coalesce(group_concat(disposition, ' '), '') FROM
                 (SELECT disposition FROM messages m JOIN accounts a ON a.id = m.account_id
                  WHERE a.name = ?1 ORDER BY m.id)",
            [account],
        );
        joined.split_whitespace().map(str::to_owned).collect()
    }

    /// All states that an account has had, oldest first.
    pub(crate) fn history(&self, account: &str) -> Vec<Change> {
        let store = self.store.lock().unwrap();
        let mut statement = store
            .prepare_cached(
                "SELECT state, reason, at, next_attempt_at FROM state_log
                 WHERE account = ?1 ORDER BY id",
            )
            .unwrap();
        statement
            .query_map([account], |row| {
                Ok(Change {
                    state: row.get(0)?,
                    reason: row.get(1)?,
                    at: row.get(2)?,
                    next_attempt_at: row.get(3)?,
                })
            })
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap()
    }

    fn history_of_those_in(&self, what: &str) -> String {
        let mut text = String::new();
        for account in self.logins.keys().filter(|a| what.contains(**a)) {
            writeln!(text, "{account}: {:?}", self.history(account)).unwrap();
        }
        text
    }

    /// Waits until an account has been in a state for a reason with these words.
    pub(crate) async fn was(&self, account: &str, state: &str, words: &str) -> Change {
        self.until(&format!("{account} to be {state}: {words}"), |scene| {
            let found = |c: &Change| c.state == state && c.reason.contains(words);
            scene.history(account).into_iter().find(found)
        })
        .await
    }

    /// An account was live all the time.
    pub(crate) fn assert_always_live(&self, account: &str) {
        let history = self.history(account);
        assert!(
            !history.is_empty() && history.iter().all(|c| c.state == "live"),
            "{account}: {history:?}"
        );
    }

    /// How often an account has tried to sign in.
    pub(crate) fn logins(&self, account: &str) -> u64 {
        let counters = self.logins.get(account).expect("An account of the scene");
        counters
            .iter()
            .map(|id| self.sandbox.faults().fired(*id))
            .sum()
    }

    /// Stops replyd and looks at what must hold after every trap.
    pub(crate) async fn finish(&self) {
        self.hears(HEALTHY).await;
        // What was captured is decided and its mails have left, or nothing would be known of
        // second answers.
        self.until("all jobs and mails to be done", |scene| {
            let open = "SELECT (SELECT count(*) FROM reply_jobs WHERE state = 'pending')
                             + (SELECT count(*) FROM outbox WHERE state IN ('queued', 'sending'))";
            (scene.value::<i64>(open, []) == 0).then_some(())
        })
        .await;
        self.stop.cancel();
        let running = self.running.lock().unwrap().take().expect("Was started");
        running.await.unwrap().unwrap();

        for (account, id) in self.delivered.lock().unwrap().iter() {
            let rows: i64 = self.value(
                "SELECT count(*) FROM messages m JOIN accounts a ON a.id = m.account_id
                 WHERE a.name = ?1 AND message_key = ?2 AND disposition <> 'duplicate'",
                [*account, id.as_str()],
            );
            assert_eq!(rows, 1, "rows of {id} for {account}");
        }
        let twice: i64 = self.value(
            "SELECT count(*) FROM (SELECT 1 FROM outbox
                 WHERE kind IN ('acknowledgment', 'answer', 'optout_confirmation')
                 GROUP BY campaign_lead_id HAVING count(*) > 1)",
            [],
        );
        assert_eq!(twice, 0, "leads with more than one answer");
        self.assert_always_live(HEALTHY);
        assert_eq!(self.logins(HEALTHY), 1, "sign-ins of the healthy account");
        for account in self.logins.keys() {
            for Change { reason, .. } in self.history(account) {
                for secret in [PASSWORD, CANARY, "people.example", "@"] {
                    assert!(!reason.contains(secret), "{account}: {reason}");
                }
            }
        }
    }
}

/// Runs `check` for every row at once; all that fail are named.
pub(crate) async fn each<R, F>(
    scene: &Arc<Scene>,
    rows: impl IntoIterator<Item = (&'static str, R)>,
    check: impl Fn(Arc<Scene>, &'static str, R) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    let mut names = HashMap::new();
    for (name, row) in rows {
        let task = tasks.spawn(check(Arc::clone(scene), name, row));
        names.insert(task.id(), name);
    }
    let mut failed = Vec::new();
    while let Some(ended) = tasks.join_next_with_id().await {
        if let Err(e) = ended {
            failed.push(names.get(&e.id()).copied().unwrap_or("?"));
        }
    }
    assert!(failed.is_empty(), "Rows that failed: {failed:?}");
}

/// A wish that the rules are sure of.
pub(crate) fn wish() -> String {
    format!(
        "Yes, I am interested. Please book a viewing for me, I would love to come and see the \
         apartment. {CANARY}"
    )
}

const STATE_LOG: &str = "
    CREATE TABLE state_log (id INTEGER PRIMARY KEY, account TEXT, state TEXT, reason TEXT,
                            at INTEGER, next_attempt_at INTEGER);
    CREATE TRIGGER state_log AFTER UPDATE OF state, state_reason ON accounts BEGIN
        INSERT INTO state_log (account, state, reason, at, next_attempt_at)
        VALUES (NEW.name, NEW.state, NEW.state_reason,
                CAST(unixepoch('subsec') * 1000 AS INTEGER), NEW.next_attempt_at);
    END;";

/// The files that an operator writes.
pub(crate) fn config(
    sandbox: &Sandbox,
    setup: &Setup,
    accounts: &[&str],
    database: &str,
    ca: &str,
) -> String {
    let mut text = format!(
        "[store]\ndatabase = {database:?}\n[reply]\nsales_email = \"sales@desk.example\"\n\
         [listen]\ninterval = {interval:?}\n{listen}\
         [imap]\nhost = \"localhost\"\nport = {imap}\nca_file = {ca:?}\n\
         [smtp]\nhost = \"localhost\"\nport = {smtp}\nsecurity = \"tls\"\nca_file = {ca:?}\n",
        interval = setup.interval,
        listen = setup.listen,
        imap = sandbox.imap_addr().port(),
        smtp = sandbox.smtp_addr().port(),
    );
    for account in accounts {
        writeln!(
            text,
            "[[accounts]]\nname = {account:?}\naddress = {:?}\npassword = {PASSWORD:?}\nmailboxes = {:?}",
            address(account),
            setup.mailboxes
        )
        .unwrap();
        if let Some((port, security)) = setup.servers.get(account) {
            writeln!(text, "imap.port = {port}\nimap.security = {security:?}").unwrap();
        }
    }
    text
}

fn settings(
    sandbox: &Sandbox,
    setup: &Setup,
    accounts: &[&str],
    folder: &tempfile::TempDir,
) -> Settings {
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let ca = format!("{}\n{}", sandbox.ca_pem(), setup.more_ca);
    std::fs::write(path("ca.pem"), ca).unwrap();
    let text = config(
        sandbox,
        setup,
        accounts,
        &path("replyd.db").display().to_string(),
        &path("ca.pem").display().to_string(),
    );
    std::fs::write(path("replyd.toml"), text).unwrap();
    let env = Environment {
        cwd: folder.path().to_owned(),
        ..Environment::default()
    };
    let flags = Flags {
        config: Some(path("replyd.toml")),
        ..Flags::default()
    };
    Settings::load(&Sources { env, flags }, Need::Mail)
        .unwrap_or_else(|e| panic!("{e}"))
        .settings
}

/// The leads, and what was sent to them an hour ago.
pub(crate) fn lists(leads: usize) -> (String, String) {
    let mut people = String::from("lead_id,name,email,project_name\n");
    let mut sent = String::from("message_id,lead,campaign,date,subject,body\n");
    let date = time::now().minus(Duration::from_secs(3600)).rfc3339();
    for n in 0..leads {
        writeln!(people, "L-{n},Ann Lee,lead-{n}@people.example,Lake").unwrap();
        writeln!(
            sent,
            "<campaign-{n}@desk.example>,L-{n},Lake,{date},Homes at the lake,Would you like a home?"
        )
        .unwrap();
    }
    (people, sent)
}

async fn import(app: &App, leads: usize) {
    let (people, sent) = lists(leads);
    let options = ImportOptions {
        campaign: Some("Lake".into()),
        ..ImportOptions::default()
    };
    let people = import_leads(app.store(), app.keys(), Cursor::new(people), options)
        .await
        .unwrap();
    let options = ImportOptions::default();
    let sent = import_sent(app.store(), app.keys(), Cursor::new(sent), options)
        .await
        .unwrap();
    assert_eq!((people.failed, sent.failed), (0, 0));
}

/// The time now, in Unix milliseconds.
pub(crate) fn now() -> i64 {
    let UtcMs(now) = time::now();
    now
}
