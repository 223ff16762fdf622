//! Named points at which a test can kill the real process.
//!
//! A debug build whose environment has `REPLYD_CRASH_AT=name` (or `name:3`, the third time)
//! sends itself SIGKILL there: no destructor runs, nothing is flushed. Release builds have an
//! empty function. tests/crash.rs kills the process at each of them.

/// Every named point, in the order in which a message passes them.
pub const ALL: &[&str] = &[
    // An older database was brought to the schema of this version, not committed.
    "migrate.before_commit",
    // The account is ours by its lease, nothing was read yet.
    "listener.leased",
    // A UIDVALIDITY that was never seen has its row, none of its mail has.
    "capture.epoch_started",
    // A batch is here and understood, nothing of it is in the store.
    "capture.fetched",
    // Rows and cursor are written, the commit is not.
    "capture.before_commit",
    // Committed; the bell of the reply actor was not rung.
    "capture.committed",
    // The mail of the first window is stored, the cursor does not stand behind it yet.
    "capture.window_taken",
    // Mails of the Sent folder and what follows from them are written, not committed.
    "sent.before_commit",
    // Committed; queued automatic mails of these threads are withdrawn.
    "sent.committed",
    // A late match is written, not committed.
    "adopt.before_commit",
    // A late match is committed, no bell was rung.
    "adopt.committed",
    // The attempt is booked.
    "reply.claimed",
    // Changed documents of a campaign are written, not committed.
    "documents.before_commit",
    // That is committed; the question is not answered yet.
    "documents.committed",
    // Mails, rows and the job's end are written, not committed.
    "reply.before_commit",
    // Committed; the bell of the outbox was not rung.
    "reply.committed",
    // A digest and its items are written, not committed.
    "digest.before_commit",
    // The digest is queued; the bell of the outbox was not rung.
    "digest.committed",
    // A person's approval is written with its mail, not committed.
    "draft.before_commit",
    // The approved mail is queued; the bell of the outbox was not rung.
    "draft.committed",
    // Campaign mails are written, not committed.
    "campaign.queue_before_commit",
    // Campaign mails are queued; the next ones are not.
    "campaign.queued",
    // The attempt is booked, nothing was said to the server.
    "outbox.claimed",
    // The server waits for the body, the handover is noted.
    "outbox.handed_over",
    // The server has answered, nothing of that is in the store.
    "outbox.body_sent",
    // The outcome is written, not committed.
    "outbox.before_commit",
    // The outcome is committed.
    "outbox.recorded",
    // A token refresh is booked, nothing was said to the token server.
    "oauth.booked",
    // The token server has answered, nothing of that is in the store.
    "oauth.answered",
    // The new tokens are written, not committed.
    "oauth.before_commit",
    // The new tokens are committed.
    "oauth.committed",
    // The attempt to append the copy to the Sent folder is booked.
    "file.booked",
    // The copy lies in the Sent folder, nothing of that is in the store.
    "file.appended",
    // That is committed.
    "file.recorded",
    // An alert, its mail and its notes are written, not committed.
    "alerts.before_commit",
    // A try of webhook or command is booked, nothing was told.
    "alerts.claimed",
];

/// Passes the named point, one of [`ALL`].
#[cfg(debug_assertions)]
pub fn hit(name: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static PASSED: AtomicU32 = AtomicU32::new(0);

    let Ok(wanted) = std::env::var("REPLYD_CRASH_AT") else {
        return;
    };
    let (point, nth) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    if point != name {
        return;
    }
    let passed = PASSED.fetch_add(1, Ordering::SeqCst).saturating_add(1);
    if nth.parse() == Ok(passed) {
        // An error leaves the process alive, and the test that waits for its death fails.
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
            .unwrap_or_default();
    }
}

/// Passes the named point: nothing in a release build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn hit(_name: &str) {}
