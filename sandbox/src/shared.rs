//! What all tasks of a sandbox share.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::faults::Faults;
use crate::options::{Options, QueueIds};
use crate::stats::Counters;
use crate::store::Store;
use crate::tls::ServerTls;

/// Most robots that think at the same time.
const MAX_ROBOTS: usize = 10_000;

/// A mail that the SMTP server took.
#[derive(Clone, PartialEq, Eq)]
pub struct Submission {
    /// The envelope sender; empty for `<>`.
    pub from: String,
    /// The envelope's receivers.
    pub to: Vec<String>,
    /// The mail as it was sent, without the trace headers that delivery adds.
    pub raw: Arc<[u8]>,
    /// The user of AUTH.
    pub authenticated_as: Option<String>,
    /// Sent over TLS.
    pub tls: bool,
    /// The id that the 250 named.
    pub queue_id: String,
    /// MAIL said SMTPUTF8.
    pub smtputf8: bool,
    /// MAIL said BODY=8BITMIME.
    pub eight_bit: bool,
    /// When it was taken, in Unix milliseconds.
    pub at: i64,
}

impl fmt::Debug for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submission")
            .field("receivers", &self.to.len())
            .field("bytes", &self.raw.len())
            .field("tls", &self.tls)
            .field("queue_id", &self.queue_id)
            .finish()
    }
}

pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) store: Store,
    pub(crate) faults: Faults,
    pub(crate) counters: Arc<Counters>,
    pub(crate) tls: ServerTls,
    pub(crate) token: CancellationToken,
    pub(crate) tracker: TaskTracker,
    /// Where robots run, also when a mail is delivered from outside the runtime.
    pub(crate) runtime: Handle,
    pub(crate) robots: Arc<Semaphore>,
    submissions: Mutex<VecDeque<Submission>>,
    next_id: AtomicU64,
}

impl Shared {
    pub(crate) fn new(options: Options, tls: ServerTls, runtime: Handle) -> Self {
        let counters = Arc::new(Counters::new());
        Self {
            options,
            store: Store::new(),
            faults: Faults::new(Arc::clone(&counters)),
            counters,
            tls,
            token: CancellationToken::new(),
            tracker: TaskTracker::new(),
            runtime,
            robots: Arc::new(Semaphore::new(MAX_ROBOTS)),
            submissions: Mutex::new(VecDeque::new()),
            next_id: AtomicU64::new(1),
        }
    }

    /// A number that no other session or mail of this sandbox has.
    pub(crate) fn next_number(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// The id of an accepted mail, in the shape that the options name.
    pub(crate) fn next_queue_id(&self) -> String {
        let number = self.next_number();
        match self.options.queue_ids {
            QueueIds::Plain => format!("{number:08X}A1"),
            QueueIds::Ses { .. } => format!(
                "{:016x}-{number:08x}-5a1d-4c0b-9e57-7265706c7964-000000",
                self.options.clock.now_ms()
            ),
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Submission>> {
        self.submissions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn submissions(&self) -> Vec<Submission> {
        self.lock().iter().cloned().collect()
    }

    pub(crate) fn record(&self, submission: Submission) {
        let mut kept = self.lock();
        while kept.len() >= self.options.max_submissions.max(1) {
            kept.pop_front();
        }
        kept.push_back(submission);
    }
}
