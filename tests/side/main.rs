//! What stands beside replyd: the campaign application (webhooks, exports, erasure, sent mails) and the
//! predecessor (its dumps and its tokens).

#![expect(clippy::unwrap_used, reason = "a failing set-up fails the test")]

#[path = "../common/mod.rs"]
mod common;
mod django;
mod erase;
mod export;
mod hooks;
mod http;
mod recipes;
mod sent;

use std::path::{Path, PathBuf};
use std::process::Command;

use replyd::store::Store;
use rusqlite::Connection;

/// A file of the tests.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

/// Python with Django and the like in a folder of its own, made once (tests/django/requirements.txt).
fn python() -> PathBuf {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/django-venv");
    let python = place.join("bin/python");
    let done = place.join("complete");
    let wanted = std::fs::read_to_string(data("django/requirements.txt")).unwrap();
    // Tests are processes of their own: one of them makes it, the others wait.
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    let lock = std::fs::File::create(place.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if std::fs::read_to_string(&done).is_ok_and(|made| made == wanted) {
        return python;
    }
    let run = |program: &Path, args: &[&str]| {
        let out = Command::new(program).args(args).output().unwrap();
        assert!(
            out.status.success(),
            "{} {args:?}: {}",
            program.display(),
            String::from_utf8_lossy(&out.stderr)
        );
    };
    run(
        Path::new("python3"),
        &["-m", "venv", place.to_str().unwrap()],
    );
    let list = data("django/requirements.txt");
    run(
        &python,
        &["-m", "pip", "install", "-q", "-r", list.to_str().unwrap()],
    );
    std::fs::write(&done, wanted).unwrap();
    python
}

/// A new database in a folder.
fn database(dir: &Path) -> (Store, Connection) {
    let path = dir.join("replyd.db");
    let store = Store::open_blocking(&path).unwrap();
    (store, Connection::open(path).unwrap())
}
