//! Notes when things happen: what the proxy hands on, and what replyd logs.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::own::Said;

/// What happened to the mail that is under way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// EXISTS went to replyd.
    pub(crate) exists: Option<Instant>,
    /// So did the mail itself.
    pub(crate) fetched: Option<Instant>,
    /// Its row is durable.
    pub(crate) committed: Option<Instant>,
    /// How long the COMMIT of that row took.
    pub(crate) commit: Duration,
    /// The SMTP server took the answer.
    pub(crate) accepted: Option<Instant>,
    /// Mails that were sent, and recorded as sent.
    pub(crate) mails_sent: usize,
    /// Whether IDLE was accepted.
    idling: bool,
    last_commit: Duration,
    live: bool,
}

/// Shared by the proxy, the log and the benchmark.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Arc<(Mutex<Sample>, Condvar)>, Arc<Mutex<Trail>>);

/// What went over the wire, and every commit, since the last [`Recorder::begin`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Trail {
    /// When what was said.
    pub(crate) said: Vec<(Instant, Said)>,
    /// When a transaction was on the disk, and how long its COMMIT took; without bookings, and without
    /// those that changed nothing.
    pub(crate) commits: Vec<(Instant, Duration)>,
}

impl Recorder {
    /// Listens to the log of this process from now on.
    pub(crate) fn install() -> Self {
        let recorder = Self::default();
        let replyd = Targets::new().with_target("replyd", Level::TRACE);
        let layer = Log(recorder.clone()).with_filter(replyd);
        tracing_subscriber::registry().with(layer).init();
        recorder
    }

    /// Forgets everything: a new mail, or a new start.
    pub(crate) fn begin(&self) {
        *self.lock() = Sample::default();
        *self.trail_lock() = Trail::default();
    }

    /// What went over the wire.
    pub(crate) fn trail(&self) -> Trail {
        self.trail_lock().clone()
    }

    /// Notes what was said.
    pub(crate) fn said(&self, said: Said) {
        self.trail_lock().said.push((Instant::now(), said));
    }

    fn trail_lock(&self) -> MutexGuard<'_, Trail> {
        self.1.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of the mail.
    pub(crate) fn sample(&self) -> Sample {
        *self.lock()
    }

    /// Waits until the sample is as `wanted`; false when it is not in time.
    pub(crate) fn wait(&self, time: Duration, wanted: impl Fn(&Sample) -> bool) -> bool {
        let waited = self
            .0
            .1
            .wait_timeout_while(self.lock(), time, |sample| !wanted(sample));
        let (_sample, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        !timeout.timed_out()
    }

    /// Waits until the account is live and listens.
    pub(crate) fn wait_live(&self, time: Duration) -> bool {
        self.wait(time, |sample| sample.live && sample.idling)
    }

    /// What an IMAP client is about to get.
    pub(crate) fn wire(&self, bytes: &[u8]) {
        let now = Instant::now();
        let has = |words: &[u8]| bytes.windows(words.len()).any(|w| w == words);
        let mut sample = self.lock();
        if has(b" EXISTS\r\n") {
            sample.exists.get_or_insert(now);
        }
        if has(b" FETCH (") {
            sample.fetched.get_or_insert(now);
        }
        sample.idling |= has(b"+ idling");
        drop(sample);
        self.0.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Sample> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The recorder as a part of the log.
struct Log(Recorder);

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let now = Instant::now();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut sample = self.0.lock();
        match fields.message.as_str() {
            "transaction committed" => {
                sample.last_commit = Duration::from_micros(fields.took_us);
                if fields.durable {
                    let commit = (now, sample.last_commit);
                    self.0.trail_lock().commits.push(commit);
                }
            }
            "committed" => {
                sample.commit = sample.last_commit;
                sample.committed.get_or_insert(now);
            }
            "SMTP server answered" if fields.sent && fields.kind == "acknowledgment" => {
                sample.accepted.get_or_insert(now);
            }
            "Mail sent" => sample.mails_sent += 1,
            "account state" if fields.state == "live" => sample.live = true,
            _ => return,
        }
        drop(sample);
        self.0.0.1.notify_all();
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    kind: String,
    state: String,
    took_us: u64,
    sent: bool,
    durable: bool,
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "took_us" {
            self.took_us = value;
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            "sent" => self.sent = value,
            "durable" => self.durable = value,
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let place = match field.name() {
            "message" => &mut self.message,
            "kind" => &mut self.kind,
            "state" => &mut self.state,
            _ => return,
        };
        *place = format!("{value:?}");
    }
}
