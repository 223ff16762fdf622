//! A copy of the database while it is in use, and the way back.
//!
//! A backup is one file: the database with the keys of Message-IDs in a table of their own. It is
//! made by SQLite's backup API in small steps under one open read transaction, so writers go on
//! and the copy is of one moment; it gets its name when it is whole and checked.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::examine::{Integrity, check};
use super::presence::{lock_path, open_and_try};
use super::{BUSY_TIMEOUT, StoreError, migrate};
use crate::time::UtcMs;

/// Pages of one step: 4 MiB.
const STEP_PAGES: i32 = 256;
/// Between two steps: the disk has other things to do.
const PAUSE: Duration = Duration::from_millis(5);
/// Waiting for a lock, in all.
const PATIENCE: u32 = 2000;
/// The copy is checked for so long.
const CHECK: Duration = Duration::from_secs(600);
/// Why automation is off after a restore.
const OFF: &str = "restored from a backup: what left since then is not known";
/// What is said of mails that may have left.
const MAYBE_SENT: &str = "restored from a backup: it may have left since then";

/// What a restore found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Messages in it.
    pub messages: u64,
    /// Mails that were queued and may have left since: they wait for a person.
    pub unknown: u64,
}

/// Copies the database in `from`, which may be in use, into the new file `to`, with `keys` (the
/// keys file). Gives the bytes of the copy. Blocking: SQLite and file system.
///
/// # Errors
/// [`StoreError::Invalid`] when `to` is there already; otherwise what SQLite says.
pub fn backup_blocking(from: &Path, to: &Path, keys: &[u8]) -> Result<u64, StoreError> {
    free(to)?;
    let source = Connection::open_with_flags(
        from,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    source.busy_timeout(BUSY_TIMEOUT)?;
    source.execute_batch("PRAGMA query_only = ON")?;
    let part = Part::new(to)?;
    let mut copy = Connection::open(&part.0)?;
    copy_pages(&source, &mut copy)?;
    drop(source);
    // One file, without side files.
    copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    copy.execute_batch("CREATE TABLE backup_keys (keys BLOB NOT NULL) STRICT")?;
    copy.execute("INSERT INTO backup_keys (keys) VALUES (?1)", [keys])?;
    sound(&copy)?;
    drop(copy);
    part.publish(to)?;
    Ok(std::fs::metadata(to).map_or(0, |m| m.len()))
}

/// Makes the database `to` from a backup. `keep_keys` gets the keys of the backup, and writes them
/// before the database gets its name. What left after the backup was made is not known: mails that
/// were due then are `unknown`, automation is off, and replies that came before `now` are never
/// answered automatically. Blocking: SQLite and file system.
///
/// # Errors
/// [`StoreError::Invalid`] when there is a database already; [`StoreError::NotADatabase`] for another
/// file than a backup; [`StoreError::NewerSchema`], [`StoreError::Corrupt`]; what `keep_keys` returns.
pub fn restore_blocking<E: From<StoreError>>(
    from: &Path,
    to: &Path,
    now: UtcMs,
    keep_keys: impl FnOnce(&[u8]) -> Result<(), E>,
) -> Result<Restored, E> {
    let (restored, part) = prepare(from, to, now, keep_keys)?;
    part.publish(to)?;
    Ok(restored)
}

fn prepare<E: From<StoreError>>(
    from: &Path,
    to: &Path,
    now: UtcMs,
    keep_keys: impl FnOnce(&[u8]) -> Result<(), E>,
) -> Result<(Restored, Part), E> {
    for side in ["", "-wal", "-shm"] {
        free(&lock_path(to, side))?;
    }
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).map_err(|e| StoreError::folder(folder, &e))?;
    }
    let source = Connection::open_with_flags(
        from,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(StoreError::from)?;
    let keys = keys_in(&source)?;
    let part = Part::new(to)?;
    let mut copy = Connection::open(&part.0).map_err(StoreError::from)?;
    copy_pages(&source, &mut copy)?;
    drop(source);
    sound(&copy)?;
    let restored = settle(&mut copy, now)?;
    drop(copy);
    keep_keys(&keys)?;
    Ok((restored, part))
}

fn keys_in(source: &Connection) -> Result<Vec<u8>, StoreError> {
    let found: i64 = source.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = migrate::known_version();
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    let has: Option<i64> = source
        .query_row(
            "SELECT 1 FROM sqlite_schema WHERE name = 'backup_keys'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    if has.is_none() || found == 0 {
        return Err(StoreError::NotADatabase(
            "it was not made by `replyd backup`".to_owned(),
        ));
    }
    Ok(source.query_row("SELECT keys FROM backup_keys", [], |row| row.get(0))?)
}

/// What cannot be known any more is made safe, in one transaction.
fn settle(copy: &mut Connection, now: UtcMs) -> Result<Restored, StoreError> {
    let tx = copy.transaction()?;
    tx.execute_batch("DROP TABLE backup_keys")?;
    tx.execute(
        "UPDATE accounts SET first_started_at = ?1, lease_owner = NULL, lease_until = 0",
        [now.0],
    )?;
    let unknown = tx.execute(
        "UPDATE outbox SET state = 'unknown', held = 0, handed_over_at = coalesce(handed_over_at, created_at),
             smtp_code = NULL, smtp_text = ?1, finished_at = ?2
         WHERE state IN ('queued', 'deferred', 'sending')",
        params![MAYBE_SENT, now.0],
    )?;
    tx.execute(
        "INSERT OR REPLACE INTO automation_off (scope, target_id, off_at, off_by, reason)
         VALUES ('all', 0, ?1, 'restore', ?2)",
        params![now.0, OFF],
    )?;
    let messages: i64 = tx.query_row("SELECT count(*) FROM messages", [], |row| row.get(0))?;
    tx.commit()?;
    Ok(Restored {
        messages: u64::try_from(messages).unwrap_or(0),
        unknown: u64::try_from(unknown).unwrap_or(u64::MAX),
    })
}

fn copy_pages(source: &Connection, copy: &mut Connection) -> Result<(), StoreError> {
    // Held open: a write of somebody else would begin the backup anew at each step.
    source.execute_batch("BEGIN")?;
    source.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let backup = Backup::new(source, copy)?;
    let mut waited = 0_u32;
    loop {
        match backup.step(STEP_PAGES)? {
            StepResult::Done => break,
            StepResult::More => waited = 0,
            _ if waited >= PATIENCE => return Err(StoreError::Busy),
            _ => waited = waited.saturating_add(1),
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "on a thread for blocking work: leaves the disk to others between two steps"
        )]
        std::thread::sleep(PAUSE);
    }
    drop(backup);
    source.execute_batch("COMMIT")?;
    Ok(())
}

fn sound(copy: &Connection) -> Result<(), StoreError> {
    match check(copy, CHECK)? {
        Integrity::Damaged(what) => Err(StoreError::Corrupt(what)),
        Integrity::Sound | Integrity::Unfinished => Ok(()),
    }
}

fn free(path: &Path) -> Result<(), StoreError> {
    match path.symlink_metadata() {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(StoreError::folder(path, &e)),
        Ok(_) => Err(taken(path)),
    }
}

fn taken(path: &Path) -> StoreError {
    StoreError::Invalid(format!(
        "{} is there already, and nothing is overwritten: move it away, or name another file",
        path.display()
    ))
}

/// A file that has no name of its own yet; gone when it gets none.
struct Part(PathBuf);

impl Part {
    fn new(of: &Path) -> Result<Self, StoreError> {
        let path = lock_path(of, &format!(".{}.part", std::process::id()));
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| StoreError::folder(&path, &e))?;
        Ok(Self(path))
    }

    /// Gives it its name, which must be free, and takes it to the disk.
    fn publish(self, name: &Path) -> Result<(), StoreError> {
        let failed = |e: std::io::Error| StoreError::folder(name, &e);
        File::open(&self.0)
            .and_then(|f| f.sync_all())
            .map_err(failed)?;
        match std::fs::hard_link(&self.0, name) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => return Err(taken(name)),
            linked => linked.map_err(failed)?,
        }
        let folder = name.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))
            .and_then(|f| f.sync_all())
            .map_err(failed)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        for side in ["", "-journal", "-wal", "-shm"] {
            let path = lock_path(&self.0, side);
            match std::fs::remove_file(&path) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), "half a copy of the database stays: {e}");
                }
                _ => {}
            }
        }
    }
}

/// Checks the database if the last process that read mailboxes with it did not end in order: then
/// its write-ahead log is still there, and nobody holds it. `None`: there is no reason to. Ends
/// after `limit`. Blocking: SQLite and file system.
///
/// # Errors
/// What SQLite says.
pub fn check_after_unclean_stop_blocking(
    database: &Path,
    limit: Duration,
) -> Result<Option<Integrity>, StoreError> {
    let wal = lock_path(database, "-wal");
    if !std::fs::metadata(&wal).is_ok_and(|m| m.len() > 0) || !database.exists() {
        return Ok(None);
    }
    let (_lock, alone) = open_and_try(&lock_path(database, "-readers.lock"))?;
    if !alone {
        return Ok(None);
    }
    Ok(Some(super::examine_blocking(database, limit)?.integrity))
}
