//! A raw client, and the sandbox that most tests use.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: a failure here is a failed test"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use replyd_sandbox::{Options, Sandbox};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, DEFAULT_VERSIONS, RootCertStore};

/// Everything that should happen happens within this time.
pub(crate) const SOON: Duration = Duration::from_secs(20);
pub(crate) const ANN: &str = "ann@example.com";
pub(crate) const BOB: &str = "bob@example.com";
pub(crate) const MAIL: &[u8] =
    b"From: bob@example.com\r\nSubject: Hello\r\n\r\nA body of some length.\r\n";

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub(crate) struct Client {
    stream: Option<Box<dyn Stream>>,
    input: Vec<u8>,
}

/// A sandbox with Ann and Bob in it.
pub(crate) async fn sandbox(options: Options) -> Sandbox {
    let sandbox = Sandbox::start(options).await.unwrap();
    sandbox.add_user(ANN, "secret");
    sandbox.add_user(BOB, "hidden");
    sandbox
}

/// The same, with so many mails for Ann: `1`, `2`, `3` …
pub(crate) async fn with_mails(count: u32) -> Sandbox {
    let sandbox = sandbox(Options::default()).await;
    for n in 1..=count {
        let raw = mail(&n.to_string());
        sandbox.deliver(ANN, "INBOX", &raw, None).unwrap();
    }
    sandbox
}

/// A mail with this subject.
pub(crate) fn mail(subject: &str) -> Vec<u8> {
    format!("From: bob@example.com\r\nSubject: {subject}\r\n\r\nText of {subject}.\r\n")
        .into_bytes()
}

pub(crate) fn tls_config(ca_pem: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap();
    roots.add(ca).unwrap();
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(DEFAULT_VERSIONS)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

impl Client {
    fn over(stream: impl Stream + 'static) -> Self {
        let stream: Option<Box<dyn Stream>> = Some(Box::new(stream));
        let input = Vec::new();
        Self { stream, input }
    }

    /// A plain connection; nothing is read.
    pub(crate) async fn plain(addr: SocketAddr) -> Self {
        let tcp = TcpStream::connect(addr).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        Self::over(tcp)
    }

    /// A TLS connection; nothing is read.
    pub(crate) async fn tls(sandbox: &Sandbox, addr: SocketAddr) -> Self {
        let mut client = Self::plain(addr).await;
        client.upgrade(sandbox).await;
        client
    }

    /// TLS on this connection; bytes that were read already must not be there.
    pub(crate) async fn upgrade(&mut self, sandbox: &Sandbox) {
        assert!(self.input.is_empty(), "plain bytes before the handshake");
        let connector = TlsConnector::from(Arc::new(tls_config(sandbox.ca_pem())));
        let name = ServerName::try_from("localhost").unwrap();
        let stream = self.stream.take().unwrap();
        let tls = timeout(SOON, connector.connect(name, stream)).await;
        self.stream = Some(Box::new(tls.unwrap().unwrap()));
    }

    /// IMAP over TLS, greeted.
    pub(crate) async fn imap(sandbox: &Sandbox) -> Self {
        let mut client = Self::tls(sandbox, sandbox.imap_addr()).await;
        let greeting = client.line().await;
        assert!(greeting.starts_with("* OK [CAPABILITY "), "{greeting}");
        client
    }

    /// Logged in as Ann.
    pub(crate) async fn ann(sandbox: &Sandbox) -> Self {
        let mut client = Self::imap(sandbox).await;
        let answer = client.run("l LOGIN ann@example.com secret").await;
        assert!(answer.last().unwrap().starts_with("l OK"), "{answer:?}");
        client
    }

    /// Logged in as Ann, INBOX examined.
    pub(crate) async fn examined(sandbox: &Sandbox) -> Self {
        let mut client = Self::ann(sandbox).await;
        let answer = client.run("e EXAMINE INBOX").await;
        assert!(answer.last().unwrap().starts_with("e OK"), "{answer:?}");
        client
    }

    /// In IDLE on Ann's INBOX, with the tag `i`.
    pub(crate) async fn idling(sandbox: &Sandbox) -> Self {
        let mut client = Self::examined(sandbox).await;
        client.send("i IDLE\r\n").await;
        assert_eq!(client.line().await, "+ idling");
        sandbox.wait_for_idle(ANN, 1, SOON).await.unwrap();
        client
    }

    /// SMTP over TLS, greeted and EHLO said.
    pub(crate) async fn smtp(sandbox: &Sandbox) -> Self {
        let mut client = Self::tls(sandbox, sandbox.smtp_addr()).await;
        assert!(client.reply().await.starts_with("220 "));
        assert!(client.say("EHLO client.example").await.starts_with("250"));
        client
    }

    /// The same, authenticated as Ann.
    pub(crate) async fn smtp_ann(sandbox: &Sandbox) -> Self {
        let mut client = Self::smtp(sandbox).await;
        let reply = client
            .say("AUTH PLAIN AGFubkBleGFtcGxlLmNvbQBzZWNyZXQ=")
            .await;
        assert!(reply.starts_with("235"), "{reply}");
        client
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let stream = self.stream.as_mut().unwrap();
        let write = async {
            stream.write_all(bytes.as_ref()).await?;
            stream.flush().await
        };
        timeout(SOON, write).await.unwrap().unwrap();
    }

    /// Reads more; `false` at the end of the stream, however it ended.
    async fn fill(&mut self) -> bool {
        let stream = self.stream.as_mut().unwrap();
        match timeout(SOON, stream.read_buf(&mut self.input)).await {
            Ok(read) => read.is_ok_and(|n| n > 0),
            Err(_) => panic!("nothing came; so far: {:?}", self.seen()),
        }
    }

    fn seen(&self) -> String {
        String::from_utf8_lossy(&self.input).into_owned()
    }

    /// The next line without CRLF, or `None` at the end of the stream.
    pub(crate) async fn try_line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.input.windows(2).position(|w| w == b"\r\n") {
                let line: Vec<u8> = self.input.drain(..at + 2).take(at).collect();
                return Some(String::from_utf8_lossy(&line).into_owned());
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    pub(crate) async fn line(&mut self) -> String {
        self.try_line().await.unwrap()
    }

    pub(crate) async fn bytes(&mut self, count: usize) -> String {
        while self.input.len() < count {
            assert!(self.fill().await, "closed after {:?}", self.seen());
        }
        let bytes: Vec<u8> = self.input.drain(..count).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// One response: a line with the literals in it, CRLF as it is.
    pub(crate) async fn response(&mut self) -> String {
        let mut response = self.line().await;
        while let Some(size) = announced(&response) {
            response.push_str("\r\n");
            response.push_str(&self.bytes(size).await);
            response.push_str(&self.line().await);
        }
        response
    }

    /// All responses up to the one with this tag.
    pub(crate) async fn until(&mut self, tag: &str) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let response = self.response().await;
            let done = response.starts_with(&format!("{tag} "));
            all.push(response);
            if done {
                return all;
            }
        }
    }

    /// Sends a command and reads its whole answer.
    pub(crate) async fn run(&mut self, command: &str) -> Vec<String> {
        self.send(format!("{command}\r\n")).await;
        let tag = command.split(' ').next().unwrap();
        self.until(tag).await
    }

    /// Everything up to the end of the stream.
    pub(crate) async fn rest(&mut self) -> String {
        while self.fill().await {}
        let rest = self.seen();
        self.input.clear();
        rest
    }

    /// One SMTP reply with all its lines, joined by `\n`.
    pub(crate) async fn reply(&mut self) -> String {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await;
            let last = line.as_bytes().get(3) != Some(&b'-');
            lines.push(line);
            if last {
                return lines.join("\n");
            }
        }
    }

    /// Sends an SMTP command and reads its reply.
    pub(crate) async fn say(&mut self, command: &str) -> String {
        self.send(format!("{command}\r\n")).await;
        self.reply().await
    }

    /// Hands a mail over up to the final dot; gives the last reply.
    pub(crate) async fn submit(&mut self, from: &str, to: &str, mail: &str) -> String {
        self.start_data(from, to).await;
        self.say(&format!("{mail}\r\n.")).await
    }

    /// Goes on to the 354.
    pub(crate) async fn start_data(&mut self, from: &str, to: &str) {
        let reply = self.say(&format!("MAIL FROM:<{from}>")).await;
        assert!(reply.starts_with("250"), "{reply}");
        let reply = self.say(&format!("RCPT TO:<{to}>")).await;
        assert!(reply.starts_with("250"), "{reply}");
        let reply = self.say("DATA").await;
        assert!(reply.starts_with("354"), "{reply}");
    }
}

fn announced(line: &str) -> Option<usize> {
    let inner = line.strip_suffix('}')?;
    inner.rsplit_once('{')?.1.parse().ok()
}
