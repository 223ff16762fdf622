//! The optional model endpoint: any OpenAI-compatible server, asked for a second opinion on what a
//! reply wants, and for the words of an answer that was found in the documents (docs/MODEL.md).
//!
//! | file | duty |
//! | --- | --- |
//! | `opinion`, `words` | what is asked, and the strict check of what comes back |
//! | `wire` | requests and answers of the protocol, in three dialects |
//! | `breaker` | when the endpoint is left alone |
//!
//! Nothing here knows leads, addresses, templates or the store: it gives a label or words, or says
//! why not, within its time. No error and no log line repeats what was sent or answered
//! (invariant I7), and no answer can be without bound (I8).

pub mod breaker;
pub mod opinion;
pub mod wire;
pub mod words;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::ExposeSecret as _;
use secrecy::zeroize::Zeroizing;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::{Instant, timeout_at};

use self::breaker::Turn;
use self::opinion::{Invalid, Opinion, Question};
use self::wire::{Ask, Spoken, Unreadable};
use self::words::Material;
use crate::config::{ClientSecret, ModelSettings};
use crate::credential::{command, shown};
use crate::http::{self, Answer, HttpClient, HttpError};
use crate::model::{Dialect, EndpointState};
use crate::retry::MODEL;
use crate::time::{self, UtcMs};
use crate::tls::TlsRoots;

/// Name lookup, TCP and TLS: a machine that is down must not cost the whole time.
const CONNECT: Duration = Duration::from_secs(2);
/// A server of one's own has one graphics card, or none.
const AT_ONCE_HERE: usize = 1;
/// Elsewhere.
const AT_ONCE: usize = 4;
/// After so long the best dialect is tried again: servers are updated.
const REPROBE: Duration = Duration::from_secs(3600);
/// Requests of one question at most: dialects, parameters, one second try, a new key.
const MAX_REQUESTS: u32 = 6;
/// Whose turn comes with less than this part of its time left goes without.
const LEAST_OF_LIMIT: u32 = 4;
/// Words may take so many times the tokens of a label.
const WORDS_TOKENS: u32 = 3;

/// Why there is no answer. Texts hold nothing of the mail, the answer or the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Left alone after failures.
    #[error("it is left alone until {}", .0.rfc3339())]
    LeftAlone(UtcMs),
    /// Other requests took the time.
    #[error("it was busy with other requests")]
    Busy,
    /// No answer in time.
    #[error("no answer in time")]
    Late,
    /// It cannot be reached, or what came is too large.
    #[error("{0}")]
    Http(HttpError),
    /// TLS or the client cannot be set up.
    #[error("{0}")]
    Setup(String),
    /// There is no key.
    #[error("{0}")]
    Key(String),
    /// Another status than 200.
    #[error("it answered with status {code}{}", .said)]
    Status {
        /// The status.
        code: u16,
        /// What it said, in brackets; empty unless the request was a sample.
        said: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// No completion, or no object in it.
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
    /// An object that cannot be used.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// Words that do not fit the schema.
    #[error("its words do not fit the schema")]
    Words,
}

impl AskError {
    /// Whether a second try may do better.
    fn passes(&self) -> bool {
        match self {
            Self::Status { code, .. } => *code == 429 || (500..600).contains(code),
            // After a time-out nothing is left of the time; a kept connection may have ended.
            Self::Http(HttpError::Network { .. }) => true,
            _ => false,
        }
    }

    /// Whether another dialect may do better.
    fn dialect(&self) -> bool {
        match self {
            Self::Status { code, .. } => matches!(code, 400 | 415 | 422 | 501),
            Self::Unreadable(why) => matches!(why, Unreadable::NoObject),
            _ => false,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether it tells nothing about the endpoint.
    fn is_ours(&self) -> bool {
        matches!(self, Self::LeftAlone(_) | Self::Busy)
    }
}

/// What was answered, and by which model.
#[derive(Clone, Debug, PartialEq)]
pub struct Said<T> {
    /// The answer.
    pub what: T,
    /// The model, as the server names it, else as the settings do.
    pub model: String,
}

/// What a trial found.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What it understands.
    pub dialect: Dialect,
    /// The model.
    pub model: String,
    /// How long it took.
    pub took: Duration,
    /// What it says of the sample.
    pub opinion: Opinion,
}

/// The endpoint. Clones share everything.
#[derive(Clone, Debug)]
pub struct Assistant(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: ModelSettings,
    roots: TlsRoots,
    client: OnceCell<HttpClient>,
    key: tokio::sync::Mutex<Option<Zeroizing<String>>>,
    places: Semaphore,
    notes: Mutex<Notes>,
}

#[derive(Debug)]
struct Notes {
    state: EndpointState,
    probing: bool,
    changed: bool,
}

/// Gives the right to try the endpoint back, however the request ends.
struct Probe<'a>(&'a Inner);

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        self.0.notes().probing = false;
    }
}

impl Inner {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        // A panic while holding it leaves plain data behind: go on with it.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Assistant {
    /// The endpoint of the settings. Opens nothing.
    #[must_use]
    pub fn new(settings: ModelSettings, roots: TlsRoots) -> Self {
        let places = if http::leads_here(&settings.base_url) {
            AT_ONCE_HERE
        } else {
            AT_ONCE
        };
        let endpoint = Self::name_of(&settings);
        Self(Arc::new(Inner {
            settings,
            roots,
            client: OnceCell::new(),
            key: tokio::sync::Mutex::new(None),
            places: Semaphore::new(places),
            notes: Mutex::new(Notes {
                state: EndpointState::new(endpoint),
                probing: false,
                changed: false,
            }),
        }))
    }

    /// By what the state of an endpoint is known: its address and model.
    #[must_use]
    pub fn name_of(settings: &ModelSettings) -> String {
        format!("{} {}", settings.base_url, settings.model)
    }

    /// Whether it is asked what a reply wants.
    #[must_use]
    pub fn classifies(&self) -> bool {
        self.0.settings.classify
    }

    /// Whether it puts answers into words.
    #[must_use]
    pub fn words_answers(&self) -> bool {
        self.0.settings.word
    }

    /// The longest that one reply can wait for it.
    #[must_use]
    pub fn longest(&self) -> Duration {
        let settings = &self.0.settings;
        let mut sum = Duration::ZERO;
        if settings.classify {
            sum = sum.saturating_add(settings.timeout);
        }
        if settings.word {
            sum = sum.saturating_add(settings.answer_timeout);
        }
        sum
    }

    /// Goes on from what an earlier process knew of the same endpoint.
    pub fn restore(&self, state: EndpointState) {
        let mut notes = self.0.notes();
        if notes.state.endpoint == state.endpoint && !notes.changed {
            notes.state = state;
        }
    }

    /// What is known, if that changed since it was taken last.
    #[must_use]
    pub fn take_changes(&self) -> Option<EndpointState> {
        let mut notes = self.0.notes();
        std::mem::take(&mut notes.changed).then(|| notes.state.clone())
    }

    /// What a reply wants, within the time of the settings.
    ///
    /// # Errors
    /// [`AskError`]: the program's own classifier decides alone.
    pub async fn opinion(&self, question: &Question) -> Result<Said<Opinion>, AskError> {
        let settings = &self.0.settings;
        let ask = opinion::ask(question, settings.max_tokens);
        let read = |spoken: &Spoken| opinion::read(&spoken.object).map_err(AskError::from);
        self.asked(&ask, settings.timeout, read).await
    }

    /// Words for passages, within the time of the settings. Not checked against the passages.
    ///
    /// # Errors
    /// [`AskError`]: the passages are sent as they are.
    pub async fn words(&self, material: &Material) -> Result<Said<String>, AskError> {
        let settings = &self.0.settings;
        let tokens = settings.max_tokens.saturating_mul(WORDS_TOKENS);
        let ask = words::ask(material, tokens);
        let read = |spoken: &Spoken| words::read(&spoken.object).ok_or(AskError::Words);
        self.asked(&ask, settings.answer_timeout, read).await
    }

    /// Asks about a sample, whatever happened before, for `doctor`. Nobody's mail is sent, so
    /// what the server says of an error is told.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn trial(&self) -> Result<Trial, AskError> {
        let settings = &self.0.settings;
        let sample = Question {
            reply: "What does the two-room flat cost, and is there a lift?".to_owned(),
            subject: "Re: Flats by the park".to_owned(),
            our_last_mail: "Would you like to see one of our flats?".to_owned(),
        };
        let ask = opinion::ask(&sample, settings.max_tokens);
        let began = Instant::now();
        // A model that is not loaded yet takes its time at the first request.
        let limit = settings.timeout.max(settings.answer_timeout);
        let deadline = began + limit;
        self.0.notes().state.dialect_at = None;
        let (spoken, dialect) = self.converse(&ask, deadline, true).await?;
        Ok(Trial {
            dialect,
            took: began.elapsed(),
            opinion: opinion::read(&spoken.object)?,
            model: self.named(&spoken),
        })
    }

    fn named(&self, spoken: &Spoken) -> String {
        let own = || wire::name(&self.0.settings.model);
        spoken.model.clone().unwrap_or_else(own)
    }

    /// One question, from the breaker to the checked answer.
    async fn asked<T>(
        &self,
        ask: &Ask,
        limit: Duration,
        read: impl Fn(&Spoken) -> Result<T, AskError>,
    ) -> Result<Said<T>, AskError> {
        let deadline = Instant::now() + limit;
        let probe = {
            let mut notes = self.0.notes();
            match breaker::turn(&notes.state, notes.probing, time::now()) {
                Turn::Free => None,
                Turn::Probe => {
                    notes.probing = true;
                    Some(Probe(&self.0))
                }
                Turn::Wait(until) => return Err(AskError::LeftAlone(until)),
            }
        };
        let result = async {
            let place = timeout_at(deadline, self.0.places.acquire()).await;
            // The semaphore is never closed.
            let Ok(Ok(_place)) = place else {
                return Err(AskError::Busy);
            };
            // A request that cannot be answered any more would only tell against the endpoint.
            let left = deadline.saturating_duration_since(Instant::now());
            if left < limit / LEAST_OF_LIMIT {
                return Err(AskError::Busy);
            }
            let (spoken, _) = self.converse(ask, deadline, false).await?;
            let what = read(&spoken)?;
            Ok(Said {
                what,
                model: self.named(&spoken),
            })
        }
        .await;
        self.note(&result, probe.is_some());
        result
    }

    fn note<T>(&self, result: &Result<Said<T>, AskError>, probe: bool) {
        let now = time::now();
        let mut notes = self.0.notes();
        match result {
            Ok(_) => {
                let news = notes.state.failures > 0 || notes.state.last_ok_at.is_none();
                let back = breaker::answered(&mut notes.state, now);
                notes.changed |= news || back;
                if back {
                    tracing::info!("the model endpoint answers again");
                }
            }
            Err(e) if e.is_ours() => {}
            Err(e) => {
                let why = e.to_string();
                let resting = breaker::failed(&mut notes.state, &why, probe, e.retry_after(), now);
                notes.changed = true;
                if resting {
                    let failures = notes.state.failures;
                    tracing::warn!(
                        failures,
                        reason = why,
                        "the model endpoint is left alone for a while: the program's own classifier decides alone"
                    );
                }
            }
        }
    }

    /// Asks in the dialect that is known, then in those below it, until `deadline`.
    async fn converse(
        &self,
        ask: &Ask,
        deadline: Instant,
        sample: bool,
    ) -> Result<(Spoken, Dialect), AskError> {
        let mut dialect = self.first_dialect();
        let (mut retried, mut new_key, mut last) = (false, false, AskError::Late);
        for _ in 0..MAX_REQUESTS {
            let (error, body) = match self.request(ask, dialect, deadline, sample).await {
                Ok(spoken) => {
                    self.speaks(dialect);
                    return Ok((spoken, dialect));
                }
                Err(failed) => failed,
            };
            last = error.clone();
            if Instant::now() >= deadline {
                return Err(error);
            }
            if let AskError::Status { code, .. } = &error {
                if matches!(code, 401 | 403) && !new_key && self.forget_key().await {
                    new_key = true;
                    continue;
                }
                if *code == 400 && self.learns(&body) {
                    continue;
                }
            }
            if error.dialect()
                && let Some(lower) = below(dialect)
            {
                dialect = lower;
                continue;
            }
            if !error.passes() || retried {
                return Err(error);
            }
            retried = true;
            let wait = error.retry_after().unwrap_or_else(|| MODEL.wait(0));
            let left = deadline.saturating_duration_since(Instant::now());
            if wait >= left {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
        }
        Err(last)
    }

    /// One request. With an error comes the body of a refusal.
    async fn request(
        &self,
        ask: &Ask,
        dialect: Dialect,
        deadline: Instant,
        sample: bool,
    ) -> Result<Spoken, (AskError, Vec<u8>)> {
        let plain = |e: AskError| (e, Vec::new());
        let client = self.client().await.map_err(plain)?;
        let key = match timeout_at(deadline, self.key()).await {
            Ok(key) => key.map_err(plain)?,
            Err(_) => return Err(plain(AskError::Late)),
        };
        let settings = &self.0.settings;
        let mut state = self.0.notes().state.clone();
        state.no_temperature = !state.gives_temperature(time::now());
        let body = wire::body(ask, &settings.model, &state, dialect);
        let url = format!("{}/chat/completions", settings.base_url);
        let left = deadline.saturating_duration_since(Instant::now());
        let bearer = key.as_ref().map(|k| k.as_str());
        let sent = client.post_json_as(&url, &body, bearer, left);
        let answer = match timeout_at(deadline, sent).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(e)) => return Err(plain(AskError::Http(e))),
            Err(_) => return Err(plain(AskError::Late)),
        };
        if !answer.is_ok() {
            let said = if sample {
                said(&answer, bearer)
            } else {
                String::new()
            };
            let error = AskError::Status {
                code: answer.status,
                said,
                retry_after: answer.retry_after,
            };
            return Err((error, answer.body));
        }
        wire::completion(&answer.body).map_err(|e| plain(e.into()))
    }

    /// The dialect to begin with: the known one, and after an hour the best again.
    fn first_dialect(&self) -> Dialect {
        let now = time::now();
        let notes = self.0.notes();
        match notes.state.dialect_at {
            // A time ahead met a clock that was set back.
            Some(at) if at <= now && now.since(at) < REPROBE => notes.state.dialect,
            _ => Dialect::JsonSchema,
        }
    }

    /// Notes what it understood.
    fn speaks(&self, dialect: Dialect) {
        let now = time::now();
        let mut notes = self.0.notes();
        let known = notes.state.dialect_at;
        let fresh = known.is_some_and(|at| at <= now && now.since(at) < REPROBE);
        if !fresh || notes.state.dialect != dialect {
            if known.is_none() || notes.state.dialect != dialect {
                tracing::info!(dialect = dialect.as_str(), "the model endpoint answers");
            }
            notes.state.dialect = dialect;
            notes.state.dialect_at = Some(now);
            notes.changed = true;
        }
    }

    /// Whether a refusal names a parameter that can be given otherwise.
    fn learns(&self, body: &[u8]) -> bool {
        let complaint = wire::complaint(body);
        let mut notes = self.0.notes();
        if complaint.completion_tokens && !notes.state.completion_tokens {
            notes.state.completion_tokens = true;
            return true;
        }
        let now = time::now();
        if complaint.no_temperature && notes.state.gives_temperature(now) {
            notes.state.refused_temperature(now);
            notes.changed = true;
            return true;
        }
        false
    }

    async fn client(&self) -> Result<&HttpClient, AskError> {
        let setup = |e: &dyn std::fmt::Display| AskError::Setup(e.to_string());
        self.0
            .client
            .get_or_try_init(|| async {
                let (roots, ca) = (self.0.roots.clone(), self.0.settings.ca_file.clone());
                // The trust store is some hundred files.
                let tls = tokio::task::spawn_blocking(move || roots.client_config(ca.as_deref()))
                    .await
                    .map_err(|e| setup(&e))?
                    .map_err(|e| setup(&e))?;
                HttpClient::with_connect_limit(&tls, CONNECT).map_err(|e| setup(&e))
            })
            .await
    }

    async fn key(&self) -> Result<Option<Zeroizing<String>>, AskError> {
        match &self.0.settings.api_key {
            None => Ok(None),
            Some(ClientSecret::Text(text)) => {
                Ok(Some(Zeroizing::new(text.expose_secret().to_owned())))
            }
            Some(ClientSecret::Command(line)) => {
                let mut held = self.0.key.lock().await;
                if held.is_none() {
                    let why = |why: String| {
                        AskError::Key(format!("the api_key_command gave no key: {why}"))
                    };
                    *held = Some(command::first_line(line).await.map_err(why)?);
                }
                Ok(held.clone())
            }
        }
    }

    /// Drops a key that was refused; whether another one can be had.
    async fn forget_key(&self) -> bool {
        let by_command = matches!(self.0.settings.api_key, Some(ClientSecret::Command(_)));
        by_command && self.0.key.lock().await.take().is_some()
    }
}

fn below(dialect: Dialect) -> Option<Dialect> {
    match dialect {
        Dialect::JsonSchema => Some(Dialect::JsonObject),
        Dialect::JsonObject => Some(Dialect::Text),
        Dialect::Text => None,
    }
}

/// What a server says of an error, without the key.
fn said(answer: &Answer, key: Option<&str>) -> String {
    let text = wire::error_text(&answer.body);
    let text = shown(&text, key.as_slice());
    if text.is_empty() {
        text
    } else {
        format!(" ({text})")
    }
}
