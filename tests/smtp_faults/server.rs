//! A scripted SMTP server: it does the right thing at each step unless the script says other.

use std::future::pending;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use replyd::config::{AuthMechanism, Credential, Security, SmtpSettings};
use secrecy::SecretString;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;

/// Where a dialogue stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Greeting,
    Ehlo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// After the 354, before the body is read.
    Body,
    /// After the final dot.
    Final,
    Rset,
}

/// What the server does instead of the right thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Right,
    /// These bytes, then it goes on as if it had been right.
    Say(Vec<u8>),
    /// These bytes, and the step is refused.
    Refuse(String),
    /// These bytes (may be none), then it closes.
    Close(String),
    /// Nothing, for ever; the connection stays open.
    Silent,
    /// The right thing, after this many seconds.
    After(u64),
    /// These bytes, and the step is refused, after this many seconds.
    RefuseAfter(u64, String),
    /// The first half of the right thing, and the rest a second later.
    Halves,
    /// These bytes, which may end within a line, then it closes.
    Cut(Vec<u8>),
}

/// The script: of the number of the connection (from 1) and the step.
pub(crate) type Script = Arc<dyn Fn(usize, Step) -> Act + Send + Sync>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) raw: Vec<u8>,
}

pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) ca_file: PathBuf,
    shared: Arc<Shared>,
    _dir: tempfile::TempDir,
}

struct Shared {
    script: Script,
    security: Security,
    features: Vec<String>,
    acceptor: TlsAcceptor,
    connections: AtomicUsize,
    commands: Mutex<Vec<String>>,
    mails: Mutex<Vec<Taken>>,
    reached: Mutex<Vec<(usize, Step)>>,
    changed: Notify,
}

pub(crate) const USER: &str = "ann@example.com";
pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) fn right() -> Script {
    Arc::new(|_, _| Act::Right)
}

/// `act` at `step` of every connection.
pub(crate) fn at(step: Step, act: Act) -> Script {
    Arc::new(move |_, s| if s == step { act.clone() } else { Act::Right })
}

/// `act` at `step` of connection `n`.
pub(crate) fn at_nth(n: usize, step: Step, act: Act) -> Script {
    Arc::new(move |c, s| {
        if c == n && s == step {
            act.clone()
        } else {
            Act::Right
        }
    })
}

impl Server {
    pub(crate) async fn start(security: Security, script: Script) -> Self {
        let features = [
            "8BITMIME",
            "SMTPUTF8",
            "AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER",
            "SIZE 10000000",
        ];
        Self::with_features(security, &features, script).await
    }

    pub(crate) async fn with_features(
        security: Security,
        features: &[&str],
        script: Script,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let ca_file = dir.path().join("ca.pem");
        std::fs::write(&ca_file, made.cert.pem()).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.unwrap())
            .unwrap();
        let mut features: Vec<String> = features.iter().map(|f| (*f).to_owned()).collect();
        if security == Security::StartTls {
            features.push("STARTTLS".into());
        }
        let shared = Arc::new(Shared {
            script,
            security,
            features,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            connections: AtomicUsize::new(0),
            commands: Mutex::default(),
            mails: Mutex::default(),
            reached: Mutex::default(),
            changed: Notify::new(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let n = accepting.connections.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::spawn(serve(Arc::clone(&accepting), n, tcp));
            }
        });
        Self {
            port,
            ca_file,
            shared,
            _dir: dir,
        }
    }

    pub(crate) fn settings(&self) -> SmtpSettings {
        SmtpSettings {
            console: false,
            host: "127.0.0.1".into(),
            port: self.port,
            security: self.shared.security,
            user: Some(USER.into()),
            credential: Some(Credential::Password(SecretString::from(PASSWORD))),
            auth: AuthMechanism::Auto,
            ca_file: Some(self.ca_file.clone()),
            envelope_from: USER.into(),
            hello_name: Some("client.example".into()),
        }
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn mails(&self) -> Vec<Taken> {
        self.shared.mails.lock().unwrap().clone()
    }

    /// Every command line of every connection, in order; "[TLS]" where a handshake was done.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.shared.commands.lock().unwrap().clone()
    }

    /// Waits until connection `n` stands at `step` for the `times`th time.
    pub(crate) async fn reached(&self, n: usize, step: Step, times: usize) {
        let wait = async {
            loop {
                let changed = self.shared.changed.notified();
                let reached = self.shared.reached.lock().unwrap().clone();
                if reached.iter().filter(|r| **r == (n, step)).count() >= times {
                    return;
                }
                changed.await;
            }
        };
        let limit = std::time::Duration::from_secs(30);
        tokio::time::timeout(limit, wait)
            .await
            .expect("the step is reached");
    }
}

/// Lets `seconds` pass at once, then time goes on: sockets need real time.
pub(crate) async fn jump(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

/// What the script made of a step.
enum Next {
    Go,
    Refused,
    Closed,
}

struct Peer<S> {
    shared: Arc<Shared>,
    n: usize,
    io: BufReader<S>,
}

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

async fn serve(shared: Arc<Shared>, n: usize, tcp: TcpStream) {
    let io: Box<dyn Io> = if shared.security == Security::Tls {
        match shared.acceptor.clone().accept(tcp).await {
            Ok(tls) => Box::new(tls),
            Err(_) => return,
        }
    } else {
        Box::new(tcp)
    };
    let peer = Peer {
        shared,
        n,
        io: BufReader::new(io),
    };
    // A client that goes away ends the dialogue; the test looks at what was taken.
    drop(peer.dialogue().await);
}

impl Peer<Box<dyn Io>> {
    async fn say(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.io.get_mut().write_all(bytes).await?;
        self.io.get_mut().flush().await
    }

    async fn act(&mut self, step: Step, right: &[u8]) -> std::io::Result<Next> {
        self.shared.reached.lock().unwrap().push((self.n, step));
        self.shared.changed.notify_waiters();
        let script = Arc::clone(&self.shared.script);
        match script(self.n, step) {
            Act::Right => self.say(right).await.map(|()| Next::Go),
            Act::Say(bytes) => self.say(&bytes).await.map(|()| Next::Go),
            Act::Refuse(text) => {
                self.say(format!("{text}\r\n").as_bytes()).await?;
                Ok(Next::Refused)
            }
            Act::Close(text) => {
                if !text.is_empty() {
                    self.say(format!("{text}\r\n").as_bytes()).await?;
                }
                Ok(Next::Closed)
            }
            Act::Silent => pending().await,
            Act::After(seconds) => {
                tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
                self.say(right).await.map(|()| Next::Go)
            }
            Act::RefuseAfter(seconds, text) => {
                tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
                self.say(format!("{text}\r\n").as_bytes()).await?;
                Ok(Next::Refused)
            }
            Act::Halves => {
                let (first, rest) = right.split_at(right.len() / 2);
                self.say(first).await?;
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                self.say(rest).await.map(|()| Next::Go)
            }
            Act::Cut(bytes) => {
                self.say(&bytes).await?;
                Ok(Next::Closed)
            }
        }
    }

    async fn line(&mut self) -> std::io::Result<Option<String>> {
        let mut line = Vec::new();
        if self.io.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        self.shared.commands.lock().unwrap().push(text.clone());
        Ok(Some(text))
    }

    async fn dialogue(mut self) -> std::io::Result<()> {
        if matches!(
            self.act(Step::Greeting, b"220 mail.example ESMTP\r\n")
                .await?,
            Next::Closed
        ) {
            return Ok(());
        }
        let (mut from, mut to) = (String::new(), String::new());
        while let Some(line) = self.line().await? {
            let verb = line.split([' ', ':']).next().unwrap_or("").to_uppercase();
            let next = match verb.as_str() {
                "EHLO" => {
                    let mut reply = "250-mail.example\r\n".to_owned();
                    for feature in &self.shared.features {
                        reply.push_str(&format!("250-{feature}\r\n"));
                    }
                    reply.push_str("250 ENHANCEDSTATUSCODES\r\n");
                    self.act(Step::Ehlo, reply.as_bytes()).await?
                }
                "STARTTLS" => {
                    let next = self.act(Step::StartTls, b"220 2.0.0 Ready\r\n").await?;
                    if matches!(next, Next::Go) {
                        let plain = std::mem::replace(
                            &mut self.io,
                            BufReader::new(Box::new(tokio::io::empty())),
                        );
                        let tls = self
                            .shared
                            .acceptor
                            .clone()
                            .accept(plain.into_inner())
                            .await?;
                        self.io = BufReader::new(Box::new(tls));
                        self.shared.commands.lock().unwrap().push("[TLS]".into());
                    }
                    next
                }
                "AUTH" => self.auth(&line).await?,
                "MAIL" => {
                    from = path(&line);
                    self.act(Step::Mail, b"250 2.1.0 Ok\r\n").await?
                }
                "RCPT" => {
                    to = path(&line);
                    self.act(Step::Rcpt, b"250 2.1.5 Ok\r\n").await?
                }
                "DATA" => match self.act(Step::Data, b"354 Go\r\n").await? {
                    Next::Go => {
                        let next = self.act(Step::Body, b"").await?;
                        if matches!(next, Next::Go) {
                            let Some(raw) = self.body().await? else {
                                return Ok(());
                            };
                            self.shared.mails.lock().unwrap().push(Taken {
                                from: from.clone(),
                                to: to.clone(),
                                raw,
                            });
                            self.act(Step::Final, b"250 2.0.0 Ok: queued as 4XyZab12Cd\r\n")
                                .await?
                        } else {
                            next
                        }
                    }
                    other => other,
                },
                "RSET" => self.act(Step::Rset, b"250 2.0.0 Ok\r\n").await?,
                "QUIT" => {
                    self.say(b"221 Bye\r\n").await?;
                    return Ok(());
                }
                _ => {
                    self.say(b"502 Unknown\r\n").await?;
                    Next::Refused
                }
            };
            if matches!(next, Next::Closed) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The body with its dots as written, up to the final dot.
    async fn body(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut raw = Vec::new();
        loop {
            let mut line = Vec::new();
            if self.io.read_until(b'\n', &mut line).await? == 0 {
                return Ok(None);
            }
            match line.as_slice() {
                b".\r\n" => return Ok(Some(raw)),
                [b'.', rest @ ..] => raw.extend_from_slice(rest),
                other => raw.extend_from_slice(other),
            }
        }
    }

    async fn auth(&mut self, line: &str) -> std::io::Result<Next> {
        let words: Vec<&str> = line.split(' ').collect();
        let right = match words.as_slice() {
            ["AUTH", "PLAIN", blob] => *blob == STANDARD.encode(format!("\0{USER}\0{PASSWORD}")),
            ["AUTH", "LOGIN"] => {
                let mut right = true;
                for (ask, want) in [("Username:", USER), ("Password:", PASSWORD)] {
                    self.say(format!("334 {}\r\n", STANDARD.encode(ask)).as_bytes())
                        .await?;
                    let answer = self.line().await?.unwrap_or_default();
                    right &= answer == STANDARD.encode(want);
                }
                right
            }
            ["AUTH", name @ ("XOAUTH2" | "OAUTHBEARER"), blob] => {
                // RFC 7628 §3.1, and §3.2.3 for what answers a refusal.
                let (user, dummy) = if *name == "XOAUTH2" {
                    (format!("user={USER}\x01"), "")
                } else {
                    (format!("n,a={USER},\x01"), "AQ==")
                };
                let want = format!("{user}auth=Bearer fresh-token\x01\x01");
                let right = *blob == STANDARD.encode(want);
                if !right {
                    self.say(b"334 eyJzdGF0dXMiOiI0MDEifQ==\r\n").await?;
                    let answer = self.line().await?;
                    assert_eq!(answer.as_deref(), Some(dummy));
                }
                right
            }
            _ => false,
        };
        if right {
            self.act(Step::Auth, b"235 2.7.0 Welcome\r\n").await
        } else {
            self.say(b"535 5.7.8 Bad credentials\r\n").await?;
            Ok(Next::Refused)
        }
    }
}

fn path(line: &str) -> String {
    line.split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map_or_else(String::new, |(path, _)| path.to_owned())
}
