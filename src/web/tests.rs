//! Requests by hand over a real socket: what is answered, and what cannot hold the server up.

use super::*;
use crate::config::Settings;
use crate::config::{Environment, Need, Sources};
use crate::desk::Desk;
use crate::keys::Keys;
use crate::model::CampaignLeadId;
use crate::status::Board;
use crate::store::{AttachmentItem, Store, StoredMail};
use crate::wake::Doorbell;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

/// Mailboxes that are never looked at.
#[derive(Debug)]
struct NoEngine;

impl Engine for NoEngine {
    fn attachment(
        &self,
        _mail: StoredMail,
        _file: AttachmentItem,
    ) -> Boxed<'_, Result<Vec<u8>, NotFetched>> {
        Box::pin(async { Err(NotFetched::Away) })
    }

    fn attachments(&self, _mail: StoredMail) -> Boxed<'_, Result<Vec<AttachmentItem>, NotFetched>> {
        Box::pin(async { Err(NotFetched::Away) })
    }

    fn check(&self, _days: u32) -> Boxed<'_, anyhow::Result<Checked>> {
        Box::pin(async { Ok(Checked::default()) })
    }

    fn paste(&self, _: CampaignLeadId, _: String) -> Boxed<'_, anyhow::Result<PastedReply>> {
        Box::pin(async { anyhow::bail!("There is no actor here") })
    }
}

fn parts(store: &Store, settings: Settings) -> Parts {
    let (settings, keys) = (Arc::new(settings), Arc::new(Keys::for_test(3)));
    let bell = Doorbell::default();
    Parts {
        store: store.clone(),
        desk: Desk::new(
            store.clone(),
            Arc::clone(&settings),
            Arc::clone(&keys),
            bell,
        ),
        settings,
        keys,
        engine: Arc::new(NoEngine),
        board: Board::default(),
        bells: Vec::new(),
        outbox: Doorbell::default(),
        open: false,
    }
}

struct Server {
    _dir: tempfile::TempDir,
    store: Store,
    address: SocketAddr,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Server {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let env = Environment {
            cwd: dir.path().to_owned(),
            home: Some(dir.path().to_owned()),
            ..Environment::default()
        };
        let sources = Sources {
            env,
            ..Sources::default()
        };
        let settings = Settings::load(&sources, Need::Store).unwrap().settings;
        let store = Store::open(dir.path().join("r.db")).await.unwrap();
        let web = Web::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (address, stop) = (web.address(), CancellationToken::new());
        let task = tokio::spawn(web.serve(parts(&store, settings), stop.clone()));
        Self {
            _dir: dir,
            store,
            address,
            stop,
            task,
        }
    }

    /// Sends these bytes and reads to the end of the connection.
    async fn ask(&self, request: &str) -> String {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(PATIENCE, socket.read_to_end(&mut answer))
            .await
            .expect("An end")
            .unwrap_or_default();
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn get(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        self.ask(&request).await
    }
}

#[tokio::test]
async fn health_is_json_and_nothing_else_is_there() {
    let server = Server::start().await;
    let answer = server.get("/health").await;
    // No account is in these settings, and no mail waits.
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("application/json"), "{answer}");
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["status"], "ok");
    for path in ["/", "/health/x", "/../etc/passwd"] {
        let answer = server.get(path).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    let answer = server
        .ask("POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
    server.stop.cancel();
    server.task.await.unwrap().unwrap();
    drop(server.store);
}

#[tokio::test]
async fn a_port_in_use_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let e = Web::bind(address).await.unwrap_err();
    assert!(matches!(e, WebError::InUse(_)), "{e:?}");
    for part in [&address.to_string(), "[web]", "--listen", "--no-web"] {
        assert!(e.to_string().contains(part), "{e}");
    }
    let e = Web::bind("192.0.2.1:1".parse().unwrap()).await.unwrap_err();
    assert!(matches!(e, WebError::Bind { .. }), "{e:?}");
}

#[tokio::test]
async fn a_default_port_that_is_taken_stops_nothing_and_is_answered_once_it_is_free() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let with = |listen: &str| {
        let vars = [
            (
                "REPLYD_DATABASE",
                dir.path().join("r.db").display().to_string(),
            ),
            ("REPLYD_WEB_LISTEN", listen.to_owned()),
        ];
        let env = Environment {
            home: Some(dir.path().to_owned()),
            vars: vars
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            ..Environment::default()
        };
        let sources = Sources {
            env,
            ..Sources::default()
        };
        Settings::load(&sources, Need::Store).unwrap().settings
    };
    // Chosen by somebody: an error of the start.
    let chosen = crate::app::App::open(with(&address.to_string()))
        .await
        .unwrap();
    assert!(matches!(chosen.listen_web().await, Err(WebError::InUse(_))));
    drop(chosen);
    let mut settings = with("");
    assert!(!settings.web.is_chosen);
    settings.web.listen = Some(address);
    let app = crate::app::App::open(settings.clone()).await.unwrap();
    assert_eq!(app.listen_web().await.unwrap(), Some(address));

    let store = Store::open(dir.path().join("r.db")).await.unwrap();
    let stop = CancellationToken::new();
    let web = Web::later(address);
    let serving = tokio::spawn(web.serve(parts(&store, settings), stop.clone()));
    drop(taken);
    let answered = async {
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, answered)
        .await
        .expect("It is tried again");
    stop.cancel();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn who_sends_too_much_or_nothing_is_cut_off_and_the_others_are_answered() {
    let server = Server::start().await;
    // Nothing at all, from many: they hold their sockets, not the server.
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    assert!(server.get("/health").await.starts_with("HTTP/1.1 200"));
    let flood = format!(
        "GET /health HTTP/1.1\r\nhost: x\r\nx: {}",
        "y".repeat(300_000)
    );
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    // The server may hang up in the middle of it.
    socket.write_all(flood.as_bytes()).await.unwrap_or_default();
    let mut answer = Vec::new();
    timeout(PATIENCE, socket.read_to_end(&mut answer))
        .await
        .expect("Cut off")
        .unwrap_or_default();
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    // Stopping waits for none of them.
    server.stop.cancel();
    timeout(PATIENCE, server.task)
        .await
        .expect("A stop")
        .unwrap()
        .unwrap();
    drop(silent);
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_503_without_details() {
    let server = Server::start().await;
    let conn = rusqlite::Connection::open(server.store.path()).unwrap();
    conn.execute_batch("DROP TABLE alert_notes; DROP TABLE alerts;")
        .unwrap();
    let answer = server.get("/health").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("the store cannot be read"), "{answer}");
    assert!(!answer.contains("no such table"), "{answer}");
    server.stop.cancel();
    server.task.await.unwrap().unwrap();
}
