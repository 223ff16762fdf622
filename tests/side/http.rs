//! A client of replyd's API, and a receiver of webhooks that does what a test wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// A request with a token; its status and body.
pub(crate) fn ask(
    at: SocketAddr,
    method: &str,
    path: &str,
    token: &str,
    body: &str,
) -> (u16, Value) {
    let mut socket = TcpStream::connect(at).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        socket,
        "{method} {path} HTTP/1.1\r\nhost: {at}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()));
    (status, body)
}

/// A request that a receiver got.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) head: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.head.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What the receiver does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// Answers with this status and these further header lines.
    Answers(u16, &'static str),
    /// Never answers; the connection stays open.
    Hangs,
    /// An answer without end.
    Floods,
}

/// A real HTTP server.
pub(crate) struct Hook {
    pub(crate) address: SocketAddr,
    does: Arc<Mutex<Does>>,
    got: Receiver<Got>,
}

impl Hook {
    pub(crate) fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let does = Arc::new(Mutex::new(does));
        let (to, got) = channel();
        let shared = Arc::clone(&does);
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (does, to) = (shared.lock().unwrap().clone(), to.clone());
                thread::spawn(move || answer(socket, does, &to));
            }
        });
        Self { address, does, got }
    }

    pub(crate) fn does(&self, what: Does) {
        *self.does.lock().unwrap() = what;
    }

    /// The next request.
    #[track_caller]
    pub(crate) fn next(&self) -> Got {
        self.got.recv_timeout(PATIENCE).unwrap()
    }

    /// All that came meanwhile.
    pub(crate) fn rest(&self) -> Vec<Got> {
        self.got.try_iter().collect()
    }
}

fn answer(socket: TcpStream, does: Does, to: &Sender<Got>) {
    let mut reader = BufReader::new(socket);
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut head = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        head.push((name.to_owned(), value.to_owned()));
    }
    let length = head
        .iter()
        .find(|(n, _)| n.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, v)| v.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    // The test may be over.
    to.send(Got { path, head, body }).unwrap_or_default();
    let mut socket = reader.into_inner();
    match does {
        Does::Answers(status, further) => {
            let text = format!(
                "HTTP/1.1 {status} X\r\n{further}content-length: 0\r\nconnection: close\r\n\r\n"
            );
            socket.write_all(text.as_bytes()).unwrap_or_default();
        }
        Does::Hangs => thread::park_timeout(PATIENCE * 10),
        Does::Floods => {
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n";
            socket.write_all(head.as_bytes()).unwrap_or_default();
            let block = vec![b'x'; 65536];
            while socket.write_all(&block).is_ok() {}
        }
    }
}
