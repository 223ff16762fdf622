//! A running replyd on a copy of the database, and the mail server that it listens to.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use replyd::app::App;
use replyd::config::{Environment, Flags, Need, Settings, Sources};
use replyd::keys::Keys;
use replyd::model::{Access, AccountState, Scope};
use replyd::store::{NewToken, Store, StoreError};
use replyd::{time, web};
use replyd_sandbox::{Options, Sandbox, Tls, UnknownRecipients};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::database::{address, mail};

const DESK: &str = "desk@example.com";
const PASSWORD: &str = "bench";
/// A start, and a pile of mail, take so long at most.
const PATIENCE: Duration = Duration::from_secs(180);
/// Looks from outside.
const LOOK: Duration = Duration::from_millis(5);

/// Everything that a measurement needs. Dropped in this order.
#[derive(Debug)]
pub(crate) struct Host {
    /// Where it answers.
    pub(crate) address: SocketAddr,
    /// A token that may see all.
    pub(crate) token: String,
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    pub(crate) keys: Arc<Keys>,
    sandbox: Sandbox,
    stop: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
    /// The product has its threads for itself.
    app: Runtime,
    /// Clients and the mail server.
    pub(crate) outside: Runtime,
    _folder: TempDir,
}

impl Host {
    /// Starts `run` on the database and waits until it listens to the mailbox.
    pub(crate) fn start(database: &Path) -> Self {
        let folder = TempDir::new().expect("Temporary folder");
        let outside = Runtime::new().expect("A runtime");
        let options = Options {
            tls: Tls::None,
            unknown_recipients: UnknownRecipients::Accept,
            ..Options::default()
        };
        let sandbox = outside.block_on(Sandbox::start(options));
        let sandbox = sandbox.expect("Start the mail server");
        sandbox.add_user(DESK, PASSWORD);
        let settings = settings(folder.path(), database, &sandbox);
        let app = Runtime::new().expect("A runtime");
        let parts = app.block_on(App::open(settings.clone()));
        let parts = parts.expect("Open replyd");
        let (store, keys) = (parts.store().clone(), Arc::clone(parts.keys()));
        let token = web::new_secret(web::TOKEN_PREFIX).expect("A token");
        let hash = web::hash(&token);
        let made = app.block_on(store.write(move |tx| {
            let new = NewToken {
                name: "bench".to_owned(),
                hash,
                scope: Scope::Admin,
                access: Access::All,
                expires_at: None,
            };
            tx.insert_token(&new, time::now())
        }));
        let made: Result<Option<i64>, StoreError> = made;
        assert!(made.expect("Make the token").is_some(), "A second token");
        let address = app.block_on(parts.listen_web()).expect("Take a port");
        let address = address.expect("A port in the settings");
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let running = app.spawn(async move { parts.run(&stopping).await });
        let host = Self {
            address,
            token,
            store,
            settings,
            keys,
            sandbox,
            stop,
            running,
            app,
            outside,
            _folder: folder,
        };
        host.app.block_on(host.is_live());
        host
    }

    async fn is_live(&self) {
        let until = Instant::now() + PATIENCE;
        loop {
            let accounts = self.store.read(|r| r.accounts()).await;
            let accounts = accounts.map_err(|e: StoreError| e).expect("Read accounts");
            if accounts.iter().any(|a| a.state == AccountState::Live) {
                return;
            }
            assert!(Instant::now() < until, "The account does not come up");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Lead `thread` answers the campaign's mail.
    pub(crate) fn deliver(&self, thread: i64, n: i64) {
        let raw = reply(thread, n);
        let delivered = self.sandbox.deliver(DESK, "INBOX", &raw, None);
        delivered.expect("Deliver a reply");
    }

    /// The newest row of messages.
    pub(crate) async fn newest(&self) -> i64 {
        let newest = self.store.read(|r| r.newest_rows()).await;
        let (message, _) = newest.map_err(|e: StoreError| e).expect("Read a row");
        message.0
    }

    /// Waits until row `message` is there.
    pub(crate) async fn wait_for(&self, message: i64) {
        let until = Instant::now() + PATIENCE;
        while self.newest().await < message {
            assert!(Instant::now() < until, "Mail was not captured in time");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until no reply waits for the actor.
    pub(crate) async fn settled(&self) {
        let until = Instant::now() + PATIENCE;
        loop {
            let counts = self.store.read(|r| r.reply_counts()).await;
            let counts = counts.map_err(|e: StoreError| e).expect("Count jobs");
            if counts.pending == 0 {
                return;
            }
            assert!(Instant::now() < until, "Replies were not read in time");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends replyd.
    pub(crate) fn stop(self) {
        self.stop.cancel();
        let ended = self.app.block_on(self.running).expect("Wait for replyd");
        ended.expect("replyd ends in order");
        self.outside.block_on(self.sandbox.stop());
    }
}

/// A reply as leads write them, with the mail that it answers quoted.
pub(crate) fn reply(thread: i64, n: i64) -> Vec<u8> {
    let (from, to) = (address(thread), mail(thread));
    format!(
        "From: Ann Lee <{from}>\r\nTo: {DESK}\r\nSubject: Re: Lake Homes\r\n\
         Date: Mon, 23 Nov 2026 08:00:00 +0000\r\nMessage-ID: <reply{n}.{thread}@lead.example>\r\n\
         In-Reply-To: <{to}>\r\nReferences: <{to}>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n\
         Hello,\r\n\r\nthank you for the details. Number {n}: could you tell me whether the flats on \
         the second\r\nfloor have a balcony, and when they will be ready?\r\n\r\nKind regards\r\nAnn\r\n\r\n\
         On Mon, 23 Nov 2026 at 07:00, Desk <{DESK}> wrote:\r\n> Would you like to see our new \
         homes at the lake?\r\n> We have flats with two to four rooms.\r\n"
    )
    .into_bytes()
}

fn settings(folder: &Path, database: &Path, sandbox: &Sandbox) -> Settings {
    let config = folder.join("replyd.toml");
    let text = format!(
        "[store]\ndatabase = {database:?}\n[listen]\ninterval = \"9m\"\n\
         [reply]\nsales_email = \"sales@example.com\"\n[log]\nfilter = \"error\"\n\
         [web]\nlisten = \"127.0.0.1:0\"\nview_check_ms = 0\n\
         [[accounts]]\nname = \"desk\"\naddress = \"{DESK}\"\npassword = \"{PASSWORD}\"\n\
         [accounts.imap]\nhost = \"localhost\"\nport = {}\nsecurity = \"plain\"\n\
         [accounts.smtp]\nhost = \"localhost\"\nport = {}\nsecurity = \"plain\"\nauth = \"none\"\n",
        sandbox.imap_addr().port(),
        sandbox.smtp_addr().port(),
    );
    std::fs::write(&config, text).expect("Write the settings");
    let env = Environment {
        cwd: folder.to_owned(),
        ..Environment::default()
    };
    let flags = Flags {
        config: Some(config),
        ..Flags::default()
    };
    let loaded = Settings::load(&Sources { env, flags }, Need::Mail);
    loaded.expect("The settings are complete").settings
}
