//! An OpenAI-compatible server on loopback, of which a test says what it does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

/// What it does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// A completion with this content.
    Say(String),
    /// This status, further header lines (each with CRLF), and body.
    Status(u16, String, String),
    /// No answer until the server is let go.
    Hold,
    /// Says this once the server is let go.
    HoldThenSay(String),
    /// A byte a moment, for ever.
    Drip,
    /// Half of what it announces.
    Cut,
    /// Closes at once.
    Close,
    /// An answer of so many bytes.
    Huge(usize),
    /// These bytes as the body, with status 200.
    Body(Vec<u8>),
}

/// A label as a model gives it.
pub(crate) fn label(intent: &str, confidence: f64) -> Act {
    let goal = if intent == "goal_reached" {
        "viewing"
    } else {
        "none"
    };
    Act::Say(json!({"intent": intent, "confidence": confidence, "goal_type": goal}).to_string())
}

/// Words as a model gives them.
pub(crate) fn words(answer: &str) -> Act {
    Act::Say(json!({"answer": answer}).to_string())
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The path.
    pub(crate) path: String,
    /// The Authorization header.
    pub(crate) authorization: Option<String>,
    /// The body.
    pub(crate) body: Value,
}

impl Request {
    /// The type of `response_format`; empty: there is none.
    pub(crate) fn format(&self) -> &str {
        self.body["response_format"]["type"]
            .as_str()
            .unwrap_or_default()
    }

    /// The data of the user message.
    pub(crate) fn data(&self) -> Value {
        let text = self.body["messages"][1]["content"]
            .as_str()
            .expect("A user message");
        serde_json::from_str(text).expect("It is JSON")
    }

    /// Whether words are asked for.
    pub(crate) fn is_for_words(&self) -> bool {
        self.data().get("passages").is_some()
    }
}

/// What the server answers, by number of the request (from 0) and request.
type Play = Box<dyn Fn(usize, &Request) -> Act + Send + Sync>;

struct Stage {
    play: Play,
    asked: Mutex<Vec<Request>>,
    held: Mutex<bool>,
    let_go: Condvar,
    inside: AtomicUsize,
    most: AtomicUsize,
}

/// The server; it ends with the test.
pub(crate) struct Server {
    stage: Arc<Stage>,
    port: u16,
}

impl Server {
    /// Starts it on a free port.
    pub(crate) fn new(play: impl Fn(usize, &Request) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("A port");
        let port = listener.local_addr().expect("An address").port();
        let stage = Arc::new(Stage {
            play: Box::new(play),
            asked: Mutex::default(),
            held: Mutex::new(true),
            let_go: Condvar::new(),
            inside: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&stage);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let stage = Arc::clone(&shared);
                std::thread::spawn(move || {
                    // A client that hangs up is none of the server's business.
                    serve(&stage, socket).unwrap_or_default();
                });
            }
        });
        Self { stage, port }
    }

    /// base_url.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// The table of replyd.toml, with further lines.
    pub(crate) fn table(&self, more: &str) -> String {
        format!(
            "\n[model]\nbase_url = \"{}\"\nmodel = \"tiny\"\n{more}\n",
            self.url()
        )
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Request> {
        let asked = self.stage.asked.lock();
        asked.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests were inside at the same time at most.
    pub(crate) fn most(&self) -> usize {
        self.stage.most.load(Ordering::SeqCst)
    }

    /// Lets held requests go.
    pub(crate) fn let_go(&self) {
        let mut held = self
            .stage
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *held = false;
        self.stage.let_go.notify_all();
    }
}

impl Stage {
    /// Waits until it is let go, or the client cannot care any more.
    fn hold(&self) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .let_go
            .wait_timeout_while(held, Duration::from_secs(300), |held| *held);
        drop(waited);
    }
}

fn serve(stage: &Stage, socket: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(socket.try_clone()?);
    let mut socket = socket;
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut length, mut authorization) = (0, None);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap_or(0),
                "authorization" => authorization = Some(value.trim().to_owned()),
                _ => {}
            }
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let request = Request {
        path,
        authorization,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    };
    let number = {
        let mut asked = stage.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push(request.clone());
        asked.len() - 1
    };
    let inside = stage.inside.fetch_add(1, Ordering::SeqCst) + 1;
    stage.most.fetch_max(inside, Ordering::SeqCst);
    let act = (stage.play)(number, &request);
    if matches!(act, Act::Hold | Act::HoldThenSay(_)) {
        stage.hold();
    }
    stage.inside.fetch_sub(1, Ordering::SeqCst);
    perform(&mut socket, act)
}

fn completion(content: &str) -> String {
    json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "tiny-1.0",
        "choices": [{
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": content},
        }],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    })
    .to_string()
}

fn head(status: u16, more: &str, length: usize) -> String {
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n{more}content-length: {length}\r\n\r\n"
    )
}

fn perform(socket: &mut TcpStream, act: Act) -> std::io::Result<()> {
    let mut whole = |status, more: &str, body: &[u8]| {
        socket.write_all(head(status, more, body.len()).as_bytes())?;
        socket.write_all(body)
    };
    match act {
        Act::Say(content) | Act::HoldThenSay(content) => {
            whole(200, "", completion(&content).as_bytes())
        }
        Act::Status(code, more, body) => whole(code, &more, body.as_bytes()),
        Act::Body(body) => whole(200, "", &body),
        Act::Hold | Act::Close => Ok(()),
        Act::Cut => {
            socket.write_all(head(200, "", 4096).as_bytes())?;
            socket.write_all(b"{\"choices\": [{\"message\": {\"content\":")
        }
        Act::Drip => {
            socket.write_all(head(200, "", 1 << 30).as_bytes())?;
            loop {
                socket.write_all(b" ")?;
                socket.flush()?;
                std::thread::park_timeout(Duration::from_millis(20));
            }
        }
        Act::Huge(bytes) => {
            socket.write_all(head(200, "", bytes).as_bytes())?;
            let chunk = [b' '; 4096];
            for _ in 0..bytes / chunk.len() {
                socket.write_all(&chunk)?;
            }
            Ok(())
        }
    }
}
