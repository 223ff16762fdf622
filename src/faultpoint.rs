//! Named points at which a test can kill the real process.
//!
//! A debug build whose environment has `REPLYD_CRASH_AT=name` (or `name:3`, the third time)
//! sends itself SIGKILL there: no destructor runs, nothing is flushed. Release builds have an
//! empty function.

/// Passes the named point. The names are those of the steps in docs/ARCHITECTURE.md.
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
