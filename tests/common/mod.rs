//! What the tests on real servers share: private Dovecot and Postfix instances, scripted leads,
//! the real binary and read-only looks into its database.
//!
//! Every test has its own folder, ports and servers, so all of them can run at once. Nothing
//! sleeps for a fixed time: each wait ends with the event, or fails at a generous deadline that
//! names what it waited for.
#![allow(
    dead_code,
    reason = "each test binary uses its own part of the harness"
)]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a harness that cannot go on fails its test with a sentence"
)]

pub(crate) mod bin;
pub(crate) mod certs;
pub(crate) mod desk;
pub(crate) mod dovecot;
mod dovecot_tokens;
pub(crate) mod folders;
pub(crate) mod host;
pub(crate) mod imap_client;
pub(crate) mod janitor;
pub(crate) mod lead;
pub(crate) mod ports;
pub(crate) mod postfix;
pub(crate) mod rows;
pub(crate) mod scenario;
pub(crate) mod token_server;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long anything may take on a machine with two busy cores. Passing tests never wait for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// The pause between two looks at something that cannot announce itself (a file, a table).
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Asks `look` until it answers, at most [`PATIENCE`]; `what` finishes "Waited in vain for …".
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "Waited in vain for {what}");
        pause();
    }
}

/// One short pause of a polling loop that has its own deadline.
pub(crate) fn pause() {
    std::thread::park_timeout(LOOK_AGAIN);
}

/// Whether the tests run as root, which Postfix needs.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Where a server's program lies, or a sentence that names the Debian package that brings it.
#[track_caller]
pub(crate) fn program(name: &str, package: &str) -> PathBuf {
    // An ordinary user's PATH has no sbin.
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/usr/bin", "/sbin", "/bin"])
        .filter(|folder| !folder.is_empty())
        .map(|folder| Path::new(folder).join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| {
            panic!("{name} is missing: install the Debian package {package} (./test does it)")
        })
}

/// Writes a file of the harness.
#[track_caller]
pub(crate) fn write(path: &Path, text: impl AsRef<[u8]>) {
    std::fs::write(path, text).unwrap_or_else(|e| panic!("Write {}: {e}", path.display()));
}

/// Creates a folder and those above it.
#[track_caller]
pub(crate) fn make_dir(path: &Path) {
    std::fs::create_dir_all(path).unwrap_or_else(|e| panic!("Create {}: {e}", path.display()));
}

/// A file's text, or a remark that it cannot be read: for failure messages.
pub(crate) fn text_of(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| format!("({}: {e})", path.display()))
}
