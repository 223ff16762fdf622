//! An OAuth2 token server on loopback: consent page, device codes, tokens that a real Dovecot
//! checks (JWT, HS256), refresh tokens that rotate, and the faults that such servers have. It
//! counts what it is asked, and each refresh token that is shown twice.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use replyd::time::now;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{LOOK_AGAIN, PATIENCE};

/// The registered client.
pub(crate) const CLIENT_ID: &str = "replyd-test-client";
/// Its secret.
pub(crate) const CLIENT_SECRET: &str = "client-s3cret-value";

/// What the token endpoint does instead of its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing: it works.
    None,
    /// Answers with this status.
    Status(u16),
    /// Answers 200 with what is no JSON.
    Garbage,
    /// Closes the connection after the request, not having done anything.
    Close,
    /// Does its work, and closes the connection before the answer.
    LoseAnswer,
    /// Does its work, and answers when the fault is another.
    Hold,
    /// Answers 400 with this error and description.
    Error(&'static str, &'static str),
}

/// What came of a device code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Nobody has typed it in.
    Pending,
    /// Yes.
    Approved,
    /// No.
    Denied,
    /// Too late.
    Expired,
}

/// Everything about it that a test may set or look at.
#[derive(Debug)]
pub(crate) struct Desk {
    /// Signs access tokens; Dovecot knows it, too.
    pub(crate) key: Vec<u8>,
    /// Who consents: the address in the tokens.
    pub(crate) user: String,
    /// Seconds that an access token lives.
    pub(crate) life_s: i64,
    /// Whether each refresh brings another refresh token, and ends the one before.
    pub(crate) rotate: bool,
    /// Whether a refresh token that was used up is taken again (the grace that servers which
    /// rotate give a client that lost the answer); else its family dies with it.
    pub(crate) grace: bool,
    /// Whether a login brings a refresh token.
    pub(crate) gives_refresh: bool,
    /// Whether the client must show its secret by HTTP Basic.
    pub(crate) basic: bool,
    /// So many further access tokens are signed with a key that Dovecot does not know.
    pub(crate) bad_tokens: usize,
    /// What is wrong with it.
    pub(crate) fault: Fault,
    /// What the person does with the device code.
    pub(crate) decision: Decision,
    /// So many polls are answered with slow_down.
    pub(crate) slow_downs: usize,
    /// Seconds that a device code lives.
    pub(crate) device_life_s: u64,
    /// Requests for a refresh, whatever came of them.
    pub(crate) refreshes: usize,
    /// Polls of the device code, and how long each came after the one before.
    pub(crate) polls: Vec<Duration>,
    /// Refresh tokens shown although they were used up.
    pub(crate) reuses: usize,
    /// The most refreshes under way at once.
    pub(crate) at_once: usize,
    /// The last access token that it gave out.
    pub(crate) access_token: String,
    /// Every secret that it gave out.
    pub(crate) secrets: Vec<String>,
    under_way: usize,
    refresh_tokens: HashMap<String, bool>,
    codes: HashMap<String, (String, String)>,
    polled_at: Option<Instant>,
    serial: u64,
}

/// A running token server, stopped on drop.
#[derive(Debug)]
pub(crate) struct TokenServer {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    desk: Mutex<Desk>,
    changed: Condvar,
    stopped: AtomicBool,
}

/// A request, as far as it matters.
struct Request {
    path: String,
    fields: BTreeMap<String, String>,
    basic: Option<String>,
}

/// What is answered; `None`: the connection ends without a word.
type Answer = Option<(u16, String)>;

impl TokenServer {
    /// Starts one whose tokens are for `user`, signed with `key`.
    #[track_caller]
    pub(crate) fn start(user: &str, key: &[u8]) -> Self {
        let desk = Desk {
            key: key.to_vec(),
            user: user.to_owned(),
            life_s: 3600,
            rotate: true,
            grace: false,
            gives_refresh: true,
            basic: false,
            bad_tokens: 0,
            fault: Fault::None,
            decision: Decision::Pending,
            slow_downs: 0,
            device_life_s: 900,
            refreshes: 0,
            polls: Vec::new(),
            reuses: 0,
            at_once: 0,
            access_token: String::new(),
            secrets: vec![CLIENT_SECRET.to_owned()],
            under_way: 0,
            refresh_tokens: HashMap::new(),
            codes: HashMap::new(),
            polled_at: None,
            serial: 0,
        };
        let shared = Arc::new(Shared {
            desk: Mutex::new(desk),
            changed: Condvar::new(),
            stopped: AtomicBool::new(false),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("A port");
        let port = listener.local_addr().expect("Its address").port();
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&serving);
                if let Ok(stream) = stream {
                    // A client that was killed has gone in the middle.
                    std::thread::spawn(move || serve(&shared, stream).unwrap_or_default());
                }
            }
        });
        Self { port, shared }
    }

    /// Address of one of its pages.
    pub(crate) fn url(&self, page: &str) -> String {
        format!("http://127.0.0.1:{}/{page}", self.port)
    }

    /// To set or look at anything.
    pub(crate) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.shared.desk()
    }

    /// Sets what is wrong with it.
    pub(crate) fn fault(&self, fault: Fault) {
        self.desk().fault = fault;
    }

    /// No refresh token is good any more.
    pub(crate) fn revoke(&self) {
        self.desk().refresh_tokens.clear();
    }

    /// Waits until `reached` says yes.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, reached: impl Fn(&Desk) -> bool) {
        let desk = self.shared.wait(&reached);
        assert!(reached(&desk), "Waited in vain for {what}: {desk:?}");
    }

    /// How an `oauth` table names it.
    pub(crate) fn settings(&self) -> String {
        format!(
            "[accounts.oauth]
provider = \"custom\"
client_id = \"{CLIENT_ID}\"
client_secret = \"{CLIENT_SECRET}\"
scopes = [\"mail\", \"offline_access\"]
auth_url = \"{}\"
token_url = \"{}\"
",
            self.url("authorize"),
            self.url("token"),
        )
    }
}

impl Drop for TokenServer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the loop that accepts, and whoever holds an answer.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        self.shared.desk().fault = Fault::None;
    }
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `reached` says yes, or patience ends.
    fn wait(&self, reached: impl Fn(&Desk) -> bool) -> MutexGuard<'_, Desk> {
        let deadline = Instant::now() + PATIENCE;
        let mut desk = self.desk();
        while !reached(&desk) && Instant::now() < deadline {
            // Whoever changes something tells nobody.
            let looked = self.changed.wait_timeout(desk, LOOK_AGAIN);
            desk = looked.unwrap_or_else(PoisonError::into_inner).0;
        }
        desk
    }
}

impl Desk {
    fn next(&mut self, kind: &str) -> String {
        self.serial += 1;
        let secret = format!("{kind}-{}-{:016x}", self.serial, fastrand::u64(..));
        self.secrets.push(secret.clone());
        secret
    }

    /// An access token as Dovecot checks it.
    fn access_token(&mut self) -> String {
        self.serial += 1;
        let now_s = now().0 / 1000;
        let head = json!({ "alg": "HS256", "typ": "JWT" });
        let claims = json!({ "sub": "1", "email": self.user, "iat": now_s,
            "exp": now_s + self.life_s, "jti": self.serial });
        let text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(head.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let mut key = self.key.clone();
        if self.bad_tokens > 0 {
            self.bad_tokens -= 1;
            key.reverse();
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("Any length is a key");
        mac.update(text.as_bytes());
        let token = format!(
            "{text}.{}",
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        );
        self.secrets.push(token.clone());
        self.access_token.clone_from(&token);
        token
    }

    fn tokens(&mut self, refresh: Option<String>) -> Value {
        let mut answer = json!({
            "access_token": self.access_token(),
            "token_type": "Bearer",
            "expires_in": self.life_s,
            "scope": "mail",
            "id_token": format!("e30.{}.x", URL_SAFE_NO_PAD.encode(
                json!({ "email": self.user }).to_string())),
        });
        if let Some(refresh) = refresh {
            answer["refresh_token"] = json!(refresh);
        }
        answer
    }

    fn login(&mut self) -> Value {
        let refresh = self.gives_refresh.then(|| {
            let token = self.next("refresh");
            self.refresh_tokens.insert(token.clone(), true);
            token
        });
        self.tokens(refresh)
    }

    fn refresh(&mut self, shown: &str) -> Result<Value, (&'static str, &'static str)> {
        let dead = ("invalid_grant", "Token has been expired or revoked.");
        match self.refresh_tokens.get(shown) {
            None => return Err(dead),
            Some(true) => {}
            Some(false) => {
                self.reuses += 1;
                if !self.grace {
                    self.refresh_tokens.clear();
                    return Err(dead);
                }
            }
        }
        if !self.rotate {
            return Ok(self.tokens(None));
        }
        self.refresh_tokens.insert(shown.to_owned(), false);
        let next = self.next("refresh");
        self.refresh_tokens.insert(next.clone(), true);
        Ok(self.tokens(Some(next)))
    }

    fn knows(&self, request: &Request) -> bool {
        if self.basic {
            let due = STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"));
            return request.basic == Some(format!("Basic {due}"))
                && request.field("client_secret").is_empty();
        }
        request.field("client_id") == CLIENT_ID && request.field("client_secret") == CLIENT_SECRET
    }

    fn answer(&mut self, request: &Request) -> Answer {
        match request.path.as_str() {
            "/authorize" => Some(self.authorize(request)),
            "/device" if self.knows(request) => Some(self.device()),
            "/token" if !self.knows(request) => Some(error("invalid_client", "Who are you?")),
            "/token" => Some(self.token(request)),
            "/device" => Some(error("invalid_client", "Who are you?")),
            _ => Some((404, String::new())),
        }
    }

    /// The consent page, whose person says yes at once: the address it sends the browser to.
    fn authorize(&mut self, request: &Request) -> (u16, String) {
        let field = |name| request.field(name);
        assert_eq!(field("client_id"), CLIENT_ID);
        assert_eq!(field("response_type"), "code");
        assert_eq!(field("code_challenge_method"), "S256");
        assert_eq!(field("scope"), "mail offline_access");
        let code = self.next("code");
        let grant = (
            field("code_challenge").to_owned(),
            field("redirect_uri").to_owned(),
        );
        self.codes.insert(code.clone(), grant);
        let query = format!("code={code}&state={}", field("state"));
        (302, format!("{}?{query}", field("redirect_uri")))
    }

    fn device(&mut self) -> (u16, String) {
        let device_code = self.next("device");
        let body = json!({ "device_code": device_code, "user_code": "WDJB-MJHT",
            "verification_uri": "https://id.example/device", "interval": 1,
            "expires_in": self.device_life_s });
        self.polled_at = Some(Instant::now());
        (200, body.to_string())
    }

    fn token(&mut self, request: &Request) -> (u16, String) {
        let field = |name| request.field(name);
        let given = match field("grant_type") {
            "refresh_token" => self.refresh(field("refresh_token")),
            "authorization_code" => match self.codes.remove(field("code")) {
                Some((challenge, redirect)) => {
                    let shown = Sha256::digest(field("code_verifier").as_bytes());
                    let right = URL_SAFE_NO_PAD.encode(shown) == challenge
                        && redirect == field("redirect_uri");
                    if right {
                        Ok(self.login())
                    } else {
                        Err((
                            "invalid_grant",
                            "The verifier or the redirect address is wrong",
                        ))
                    }
                }
                None => Err(("invalid_grant", "No such code")),
            },
            "urn:ietf:params:oauth:grant-type:device_code" => self.poll(),
            _ => Err(("unsupported_grant_type", "")),
        };
        match given {
            Ok(tokens) => (200, tokens.to_string()),
            Err((word, text)) => error(word, text),
        }
    }

    fn poll(&mut self) -> Result<Value, (&'static str, &'static str)> {
        let since = self.polled_at.map_or(Duration::ZERO, |at| at.elapsed());
        self.polls.push(since);
        self.polled_at = Some(Instant::now());
        if self.slow_downs > 0 {
            self.slow_downs -= 1;
            return Err(("slow_down", ""));
        }
        match self.decision {
            Decision::Pending => Err(("authorization_pending", "")),
            Decision::Denied => Err(("access_denied", "")),
            Decision::Expired => Err(("expired_token", "")),
            Decision::Approved => Ok(self.login()),
        }
    }
}

impl Request {
    /// Reads one; `None` when the client has gone.
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let target = line.split(' ').nth(1)?.to_owned();
        let (mut length, mut basic) = (0, None);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().ok()?,
                "authorization" => basic = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let text = format!("{query}&{}", String::from_utf8(body).ok()?);
        let url: reqwest::Url = format!("http://x/?{text}").parse().ok()?;
        Some(Self {
            path: path.to_owned(),
            fields: url.query_pairs().into_owned().collect(),
            basic,
        })
    }

    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

fn error(word: &str, text: &str) -> (u16, String) {
    let body = json!({ "error": word, "error_description": text });
    (400, body.to_string())
}

fn serve(shared: &Shared, mut stream: TcpStream) -> std::io::Result<()> {
    let Some(request) = Request::read(&stream) else {
        return Ok(());
    };
    let refresh = request.field("grant_type") == "refresh_token";
    let mut desk = shared.desk();
    if refresh {
        desk.refreshes += 1;
        desk.under_way += 1;
        desk.at_once = desk.at_once.max(desk.under_way);
    }
    let fault = if request.path == "/token" {
        desk.fault.clone()
    } else {
        Fault::None
    };
    let answer = match fault {
        Fault::None => desk.answer(&request),
        Fault::Status(status) => Some((status, "{\"error\":\"invalid_grant\"}".to_owned())),
        Fault::Garbage => Some((200, "<html>We are being rebuilt</html>".to_owned())),
        Fault::Close => None,
        Fault::LoseAnswer => {
            desk.answer(&request);
            None
        }
        Fault::Hold => {
            let answer = desk.answer(&request);
            drop(desk);
            desk = shared.wait(|desk| desk.fault != Fault::Hold);
            answer
        }
        Fault::Error(word, text) => Some(error(word, text)),
    };
    if refresh {
        desk.under_way -= 1;
    }
    drop(desk);
    let Some((status, body)) = answer else {
        return Ok(());
    };
    let location = if status == 302 {
        format!("Location: {body}\r\n")
    } else {
        String::new()
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\n{location}Content-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

/// A browser: loads a page on loopback, and gives its status line, where it is sent, and its text.
#[track_caller]
pub(crate) fn browse(url: &str) -> (String, Option<String>, String) {
    let url: reqwest::Url = url.parse().expect("An address");
    let port = url.port().expect("A port");
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("Connect");
    let target = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    std::write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: {port}\r\nConnection: close\r\n\r\n"
    )
    .expect("Ask");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("The page");
    let status = text.lines().next().unwrap_or_default().to_owned();
    let location = text
        .lines()
        .find_map(|line| line.strip_prefix("Location: "))
        .map(str::to_owned);
    (status, location, text)
}
