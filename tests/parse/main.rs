//! `replyd parse` and `replyd evaluate`: the real binary, without settings and store.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops at what it cannot read, helpers too"
)]

mod evaluate;
mod schema;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Runs replyd in an empty folder with an empty environment.
fn replyd(args: &[&str], stdin: &[u8]) -> Output {
    let cwd = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_replyd"))
        .args(args)
        .env_clear()
        .current_dir(cwd.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its flags does not read.
    child
        .stdin
        .take()
        .unwrap()
        .write_all(stdin)
        .unwrap_or_default();
    let out = child.wait_with_output().unwrap();
    // Nothing was written beside the files.
    assert_eq!(std::fs::read_dir(cwd.path()).unwrap().count(), 0);
    out
}

fn lines(out: &Output) -> Vec<Value> {
    let text = String::from_utf8(out.stdout.clone()).unwrap();
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

fn path(dir: &TempDir, name: &str) -> String {
    dir.path().join(name).display().to_string()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
