//! How fast replies are captured, with and without those who read; and what an insert costs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use replyd::capture::{Arrived, Capture, Origin};
use replyd::config::Settings;
use replyd::keys::Keys;
use replyd::model::{AccountId, CaptureSource, Epoch, EpochId, FolderRole, MailboxId};
use replyd::store::Store;
use replyd::time::{self, UtcMs};
use rusqlite::Connection;
use tokio::runtime::Runtime;

use crate::host::{Host, reply};
use crate::load::{Figures, Next, micros, paced};

/// Who reads meanwhile.
#[derive(Clone)]
pub(crate) struct Readers {
    pub(crate) next: Next,
    /// Requests a second.
    pub(crate) rate: u32,
    pub(crate) connections: u32,
}

/// A round: capture, and reading where somebody read.
#[derive(Debug)]
pub(crate) struct Round {
    /// Mails a second.
    pub(crate) rate: f64,
    /// From `EXISTS` to the row.
    pub(crate) latency: Figures,
    /// Those who read.
    pub(crate) reading: Option<Figures>,
}

/// Lets so many leads answer, `per_second` or (none) as fast as the mail server takes them, and waits
/// until all are stored.
pub(crate) fn round(
    host: &Host,
    numbers: std::ops::Range<i64>,
    threads: i64,
    per_second: Option<u32>,
    readers: Option<&Readers>,
) -> Round {
    host.outside.block_on(async {
        host.settled().await;
        let stop = Arc::new(AtomicBool::new(false));
        let reading = async {
            match readers {
                None => None,
                Some(r) => {
                    Some(paced(host, &r.next, r.rate, r.connections, Arc::clone(&stop)).await)
                }
            }
        };
        let count = numbers.end - numbers.start;
        let capturing = async {
            // The readers are under way.
            tokio::time::sleep(Duration::from_millis(500)).await;
            let first = host.newest().await;
            let last = first + count;
            let began = Instant::now();
            for (sent, n) in (0..).zip(numbers) {
                if let Some(per_second) = per_second {
                    let due = began + Duration::from_secs(1) * sent / per_second;
                    tokio::time::sleep_until(due.into()).await;
                }
                host.deliver(n * 7919 % threads + 1, n);
            }
            host.wait_for(last).await;
            let took = began.elapsed();
            stop.store(true, Ordering::Relaxed);
            (first, took)
        };
        let (reading, (first, took)) = tokio::join!(reading, capturing);
        Round {
            rate: f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / took.as_secs_f64(),
            latency: Figures::new(latencies(host.store.path(), first), took),
            reading,
        }
    })
}

/// From `EXISTS` to the row, in whole milliseconds: of each row behind `first`.
fn latencies(database: &Path, first: i64) -> Vec<u64> {
    let conn = Connection::open(database).expect("Open the database");
    let mut rows = conn
        .prepare("SELECT stored_at - announced_at FROM messages WHERE id > ?1 AND announced_at IS NOT NULL")
        .expect("Ask for latencies");
    let all = rows.query_map([first], |row| row.get::<_, i64>(0));
    let all = all.expect("Read latencies");
    all.map(|ms| ms.expect("A latency").unsigned_abs() * 1000)
        .collect()
}

/// What keeps the inbox, and what keeps the search.
pub(crate) const KEPT: [(&str, &str); 3] = [
    ("inbox", "name LIKE 'inbox%' AND tbl_name = 'conversations'"),
    (
        "search",
        "name LIKE 'line_fts%' AND tbl_name = 'conversations'",
    ),
    (
        "events",
        "name LIKE 'events_of%' AND tbl_name = 'conversations'",
    ),
];

/// The function by which listeners store mail, straight.
pub(crate) struct Straight {
    capture: Capture,
    runtime: Runtime,
    uid: u32,
    threads: i64,
}

impl Straight {
    pub(crate) fn open(
        database: &Path,
        settings: &Settings,
        keys: &Arc<Keys>,
        threads: i64,
    ) -> Self {
        let store = Store::open_blocking(database).expect("Open the database");
        let conn = Connection::open(database).expect("Open the database");
        conn.execute_batch(
            "INSERT INTO mailboxes (id, account_id, name) VALUES (900, 1, 'Straight');
             INSERT INTO mailbox_epochs (id, mailbox_id, uid_validity, floor_uid, cursor_uid, window_from,
                first_until, first_source, started_at) VALUES (900, 900, 1, 1, 1, 0, 1, 'first_run', 0);",
        )
        .expect("A mailbox");
        replyd::capture::warm_up();
        Self {
            capture: Capture::new(store, Arc::clone(keys), settings),
            runtime: Runtime::new().expect("A runtime"),
            uid: 0,
            threads,
        }
    }

    /// Stores so many batches of so many mails: the time of each batch.
    pub(crate) fn store(&mut self, batches: u32, mails: u32) -> Figures {
        let mut all = Vec::new();
        let began = Instant::now();
        for _ in 0..batches {
            let batch: Vec<Arrived> = (0..mails).map(|_| self.mail()).collect();
            let epoch = Epoch {
                id: EpochId(900),
                mailbox_id: MailboxId(900),
                uid_validity: 1,
                floor_uid: 1,
                cursor_uid: self.uid,
                window_from: UtcMs(0),
                first_until: 1,
                first_source: CaptureSource::FirstRun,
            };
            let origin = Origin {
                account_id: AccountId(1),
                epoch,
                lease: None,
                source: CaptureSource::Live,
                cursor_uid: Some(self.uid + 1),
                seen_until: None,
                authserv_ids: Vec::new(),
                role: FolderRole::Watched,
                smtp_host: "".into(),
            };
            let asked = Instant::now();
            let stored = self.runtime.block_on(self.capture.commit(origin, batch));
            all.push(micros(asked.elapsed()));
            let replies = stored.expect("Store a batch").new_replies;
            assert_eq!(replies, u64::from(mails), "Not each mail is a new reply");
        }
        Figures::new(all, began.elapsed())
    }

    fn mail(&mut self) -> Arrived {
        self.uid += 1;
        let thread = i64::from(self.uid) * 7919 % self.threads + 1;
        let bytes = reply(thread, 1_000_000 + i64::from(self.uid));
        Arrived {
            uid: self.uid,
            internal_date: Some(time::now()),
            size: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            bytes,
            announced_at: Some(time::now()),
            fetched_at: time::now(),
        }
    }
}

/// Takes triggers away for good: the database is a copy.
pub(crate) fn without(database: &Path, which: &str) -> usize {
    let conn = Connection::open(database).expect("Open the database");
    conn.busy_timeout(Duration::from_secs(10))
        .expect("Wait for locks");
    let sql = format!("SELECT name FROM sqlite_master WHERE type = 'trigger' AND {which}");
    let mut names = conn.prepare(&sql).expect("Look for triggers");
    let names = names.query_map([], |row| row.get::<_, String>(0));
    let names: Vec<String> = names
        .expect("Read triggers")
        .map(|n| n.expect("A name"))
        .collect();
    for name in &names {
        conn.execute_batch(&format!("DROP TRIGGER {name}"))
            .expect("Drop a trigger");
    }
    names.len()
}
