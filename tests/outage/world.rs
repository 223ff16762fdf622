//! Two accounts on two mail hosts, a webhook, a command, and a replyd that watches.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::common::bin::{Replyd, Running};
use crate::common::dovecot::{Options, PASSWORD};
use crate::common::host::MailHost;
use crate::common::ports::Port;
use crate::common::rows::Rows;
use crate::common::scenario::header;
use crate::common::wait_for;

/// The account whose server fails.
pub(crate) const DESK: &str = "desk@homes.example";
/// The account on the other host.
pub(crate) const BACKUP: &str = "backup@office.example";
/// The operator, who has a mailbox on both hosts: whoever sends an alert reaches it.
pub(crate) const OPS: &str = "ops@office.example";

/// Everything that is there.
pub(crate) struct World {
    pub(crate) host: MailHost,
    pub(crate) beside: MailHost,
    pub(crate) replyd: Replyd,
    pub(crate) hook: Hook,
    web: Port,
    settings: Settings,
}

/// What differs from test to test.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where the desk is read; none: at its server.
    pub(crate) imap_port: Option<u16>,
    /// The desk's password as replyd knows it.
    pub(crate) password: String,
    /// Its `[accounts.oauth]` table, instead of the password; empty: none.
    pub(crate) oauth: String,
    /// Period of the poll.
    pub(crate) interval: &'static str,
    /// One sign-in in this time.
    pub(crate) login_every: &'static str,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            imap_port: None,
            password: PASSWORD.to_owned(),
            oauth: String::new(),
            interval: "1s",
            login_every: "1s",
        }
    }
}

impl World {
    #[track_caller]
    pub(crate) fn new(settings: Settings) -> Self {
        let start = |users: &[&str]| {
            MailHost::with(&Options {
                users,
                idle: true,
                plain_port: false,
            })
        };
        Self::on(start(&[DESK, OPS]), start(&[BACKUP, OPS]), settings)
    }

    /// The same on hosts that run already.
    #[track_caller]
    pub(crate) fn on(host: MailHost, beside: MailHost, settings: Settings) -> Self {
        let (hook, web) = (Hook::start(), Port::reserve());
        let replyd = Replyd::new("");
        let world = Self {
            host,
            beside,
            replyd,
            hook,
            web,
            settings,
        };
        world.write_settings();
        world
    }

    /// The file that the operator writes.
    fn write_settings(&self) {
        let told = self.told_file();
        let script = self.replyd.file(
            "tell.sh",
            &format!("cat >> '{0}'; echo >> '{0}'\n", told.display()),
        );
        let mut text = format!(
            "[reply]\nsales_email = \"{OPS}\"\noperator_addresses = [\"{OPS}\"]\n\
             [listen]\ninterval = \"{}\"\nlogin_every = \"{}\"\n\
             [alerts]\nwebhook = \"http://127.0.0.1:{}/hook?secret=hook-secret-1\"\n\
             command = [\"/bin/sh\", \"{script}\"]\n\
             [log]\nformat = \"json\"\nfilter = \"info,replyd=debug\"\n",
            self.settings.interval, self.settings.login_every, self.hook.port
        );
        let accounts = [
            ("desk", DESK, &self.host, self.settings.password.as_str()),
            ("backup", BACKUP, &self.beside, PASSWORD),
        ];
        for (name, address, host, password) in accounts {
            let imap = match self.settings.imap_port {
                Some(port) if name == "desk" => port,
                _ => host.dovecot.imaps_port(),
            };
            let ca = host.dovecot.certs.ca_file.display();
            let oauth = match name {
                "desk" => self.settings.oauth.as_str(),
                _ => "",
            };
            let secret = if oauth.is_empty() {
                format!("password = \"{password}\"\n")
            } else {
                String::new()
            };
            write!(
                text,
                "[[accounts]]\nname = \"{name}\"\naddress = \"{address}\"\n{secret}\
                 imap = {{ host = \"localhost\", port = {imap}, ca_file = \"{ca}\" }}\n\
                 smtp = {{ host = \"localhost\", port = {}, ca_file = \"{ca}\" }}\n{oauth}",
                host.postfix.submission_port()
            )
            .unwrap();
        }
        self.replyd.file("replyd.toml", &text);
    }

    /// The operator mends the password in the settings.
    pub(crate) fn mend_password(&mut self, password: &str) {
        password.clone_into(&mut self.settings.password);
        self.write_settings();
    }

    /// Starts replyd and waits until both accounts are live.
    #[track_caller]
    pub(crate) fn run(&self) -> Running {
        let mut running = self.start();
        running.wait_for_rows("both accounts to be live", |rows| {
            (rows.count("accounts WHERE state = 'live'") == 2).then_some(())
        });
        running
    }

    /// Starts replyd.
    #[track_caller]
    pub(crate) fn start(&self) -> Running {
        let listen = format!("127.0.0.1:{}", self.web.number());
        self.replyd.start(&["run", "--listen", &listen])
    }

    /// From now on the backoff does not grow beyond 8 s.
    #[track_caller]
    pub(crate) fn keep_backoff_short(&self) {
        let conn = rusqlite::Connection::open(self.replyd.database()).unwrap();
        conn.busy_timeout(Duration::from_secs(30)).unwrap();
        conn.execute_batch(
            "CREATE TRIGGER short_backoff AFTER UPDATE OF failures ON accounts WHEN NEW.failures > 2
             BEGIN UPDATE accounts SET failures = 2 WHERE id = NEW.id; END",
        )
        .unwrap();
    }

    /// Status and body of /health.
    #[track_caller]
    pub(crate) fn health(&self) -> (u16, Value) {
        let address = (Ipv4Addr::LOCALHOST, self.web.number());
        let mut socket = TcpStream::connect(address).expect("Connect to /health");
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        socket
            .write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("An answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("A whole answer");
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        (
            code.expect("A status code"),
            serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {body}")),
        )
    }

    /// Waits until /health answers with this status.
    #[track_caller]
    pub(crate) fn wait_for_health(&self, code: u16) -> Value {
        wait_for(&format!("/health to be {code}"), || {
            let (found, body) = self.health();
            (found == code).then_some(body)
        })
    }

    /// A stranger's mail comes into the desk's mailbox, whatever runs.
    pub(crate) fn stranger_wrote(&self, n: usize) {
        let mail = format!(
            "From: Someone <someone{n}@elsewhere.example>\r\nTo: {DESK}\r\n\
             Message-ID: <other-{n}@elsewhere.example>\r\nSubject: Lunch\r\n\r\nShall we?\r\n"
        );
        self.host.dovecot.deliver(DESK, mail);
    }

    /// What the command was told, one JSON object a line.
    pub(crate) fn command_told(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.told_file()).unwrap_or_default();
        let lines = text.lines().filter(|line| !line.is_empty());
        lines.map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    fn told_file(&self) -> PathBuf {
        self.replyd.dir().join("told")
    }

    /// Subjects of the mails that the operator got, in the order of their Dates.
    pub(crate) fn ops_got(&self) -> Vec<String> {
        let hosts = [&self.host.dovecot, &self.beside.dovecot];
        let mut mails: Vec<(i64, String)> = hosts
            .iter()
            .flat_map(|host| host.mailbox(OPS))
            .map(|raw| {
                let text = String::from_utf8_lossy(&raw).into_owned();
                let date = chrono::DateTime::parse_from_rfc2822(&header(&text, "Date"));
                (date.unwrap().timestamp(), header(&text, "Subject"))
            })
            .collect();
        mails.sort();
        mails.into_iter().map(|(_, subject)| subject).collect()
    }

    /// Waits until the operator has this many mails, and gives their subjects.
    #[track_caller]
    pub(crate) fn wait_for_ops(&self, count: usize) -> Vec<String> {
        wait_for(&format!("mail {count} to the operator"), || {
            let got = self.ops_got();
            (got.len() >= count).then_some(got)
        })
    }

    /// The store.
    #[track_caller]
    pub(crate) fn rows(&self) -> Rows {
        self.replyd.rows()
    }
}

/// `event state` of what was told.
pub(crate) fn short(told: &[Value]) -> Vec<String> {
    let word = |v: &Value, name: &str| v[name].as_str().unwrap_or_default().to_owned();
    told.iter()
        .map(|v| {
            format!(
                "{} {} {}",
                word(v, "account"),
                word(v, "event"),
                word(v, "state")
            )
        })
        .collect()
}

/// A webhook that takes everything.
pub(crate) struct Hook {
    pub(crate) port: u16,
    told: Arc<Mutex<Vec<Value>>>,
}

impl Hook {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&told);
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                if let Some(value) = take(socket) {
                    kept.lock().unwrap().push(value);
                }
            }
        });
        Self { port, told }
    }

    /// What came so far.
    pub(crate) fn told(&self) -> Vec<Value> {
        self.told.lock().unwrap().clone()
    }

    /// Waits until so much came.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Value> {
        wait_for(&format!("call {count} of the webhook"), || {
            let told = self.told();
            (told.len() >= count).then_some(told)
        })
    }
}

/// Reads one POST and answers it.
fn take(socket: TcpStream) -> Option<Value> {
    let mut reader = BufReader::new(socket);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    reader.get_mut().write_all(answer).ok()?;
    serde_json::from_slice(&body).ok()
}
