//! Creates the schema, or brings an older database to it.
//!
//! `PRAGMA user_version` counts the steps. A new database takes `schema.sql` whole; an older one
//! runs the steps it lacks, each in one transaction of its own: killed in between it is as it
//! was. A newer one is refused. A step rebuilds the tables whose CHECKs or keys change (SQLite's
//! "Making Other Kinds Of Table Schema Changes"), so foreign keys are off while it runs, and
//! looked at before its commit. tests/migration.rs compares what the steps make with `schema.sql`.

mod copy;
mod to_2;

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tracing::{info, warn};

use super::presence::{lock_path, open_and_try};
use super::{PAGE_SIZE, StoreError};
use crate::faultpoint;

const SCHEMA: &str = include_str!("../../schema.sql");

/// Brings a database from one version to the next.
struct Step {
    /// Tables, columns, indexes, and what SQL alone can fill.
    sql: &'static str,
    /// Fills derived columns, bounded in memory.
    fill: fn(&Transaction<'_>) -> Result<(), StoreError>,
}

/// Step n brings version n to n + 1; version 1 is the first schema that was released.
const STEPS: &[Step] = &[Step {
    sql: include_str!("migrate/to_2.sql"),
    fill: to_2::fill,
}];

/// How long systemd waits for a start that a step delays, in microseconds: an hour.
const EXTENSION_US: u32 = 3_600_000_000;

/// The version that `schema.sql` stands for.
pub(super) fn known_version() -> i64 {
    1 + i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

pub(super) fn bring_up_to_date(conn: &mut Connection, path: &Path) -> Result<(), StoreError> {
    // Both must be set before WAL and before the first table; on an old file they do nothing.
    conn.pragma_update(None, "page_size", PAGE_SIZE)?;
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Invalid(format!(
            "The database's file system does not take WAL (journal mode {mode}): use a local disk"
        )));
    }
    conn.pragma_update(None, "synchronous", "FULL")?;
    let found = version(conn)?;
    let known = known_version();
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    if found == 0 {
        create(conn)?;
    }
    if version(conn)? < known {
        upgrade(conn, path)?;
    }
    Ok(())
}

fn version(conn: &Connection) -> Result<i64, StoreError> {
    Ok(conn.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// Makes the tables of a new database.
fn create(conn: &mut Connection) -> Result<(), StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if version(&tx)? > 0 {
        return Ok(()); // Another process was faster.
    }
    let tables: i64 = tx.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 {
        return Err(StoreError::NotADatabase(
            "it is another program's SQLite database: give another --database".into(),
        ));
    }
    tx.execute_batch(SCHEMA)?;
    tx.pragma_update(None, "user_version", known_version())?;
    tx.commit()?;
    Ok(())
}

/// Runs the steps that the database lacks, while nobody else works with it.
fn upgrade(conn: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let notify = sd_notify::NotifyState::ExtendTimeoutUsec(EXTENSION_US);
    if let Err(error) = sd_notify::notify(false, &[notify]) {
        warn!(%error, "systemd was not told that the start takes longer");
    }
    let _upgrading = wait_for_others(path)?;
    let found = version(conn)?;
    if found >= known_version() {
        return Ok(()); // Another process was faster.
    }
    let _alone = alone(path)?;
    copy::keep(conn, path, found);
    let steps = STEPS.iter().zip(1_i64..);
    let mut result = Ok(());
    conn.pragma_update(None, "foreign_keys", false)?;
    for (step, from) in steps {
        if result.is_ok() {
            result = run(conn, step, from);
        }
    }
    conn.pragma_update(None, "foreign_keys", true)?;
    result
}

/// One step in one transaction; nothing when the database has it already.
fn run(conn: &mut Connection, step: &Step, from: i64) -> Result<(), StoreError> {
    let began = Instant::now();
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if version(&tx)? != from {
        return Ok(());
    }
    tx.execute_batch(step.sql)?;
    (step.fill)(&tx)?;
    let astray: Option<String> = tx
        .prepare("PRAGMA foreign_key_check")?
        .query_map([], |row| row.get(0))?
        .next()
        .transpose()?;
    if let Some(table) = astray {
        return Err(StoreError::Corrupt(format!(
            "a row of {table} refers to one that is not there"
        )));
    }
    tx.pragma_update(None, "user_version", from + 1)?;
    faultpoint::hit("migrate.before_commit");
    tx.commit()?;
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    info!(
        from,
        to = from + 1,
        took_ms,
        "the database was brought to the schema of this version"
    );
    Ok(())
}

/// Two processes that upgrade wait for each other.
fn wait_for_others(path: &Path) -> Result<File, StoreError> {
    let path = lock_path(path, "-upgrade.lock");
    let (file, free) = open_and_try(&path)?;
    if !free {
        file.lock().map_err(|e| StoreError::folder(&path, &e))?;
    }
    Ok(file)
}

/// Locks that keep other processes of replyd from working while a step runs: an older one that
/// went on would write rows that lack what the step adds.
fn alone(path: &Path) -> Result<Vec<File>, StoreError> {
    let mut locks = Vec::new();
    for ending in ["-readers.lock", "-outbox.lock"] {
        let (file, free) = open_and_try(&lock_path(path, ending))?;
        if !free {
            return Err(StoreError::OlderRunning);
        }
        locks.push(file);
    }
    Ok(locks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_database_takes_the_schema_and_opens_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.db");
        for _ in 0..2 {
            let mut conn = Connection::open(&path).unwrap();
            bring_up_to_date(&mut conn, &path).unwrap();
            let n: i64 = conn
                .query_row(
                    "SELECT count(*) FROM sqlite_schema WHERE name = 'messages'",
                    [],
                    |r| r.get(0),
                )
                .unwrap();
            assert_eq!(n, 1);
            let size: u32 = conn
                .query_row("PRAGMA page_size", [], |r| r.get(0))
                .unwrap();
            assert_eq!(size, PAGE_SIZE);
        }
    }

    #[test]
    fn a_newer_database_is_refused_with_a_sentence() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.db");
        let mut conn = Connection::open(&path).unwrap();
        bring_up_to_date(&mut conn, &path).unwrap();
        conn.pragma_update(None, "user_version", 99).unwrap();
        let error = bring_up_to_date(&mut conn, &path).unwrap_err();
        assert!(
            matches!(error, StoreError::NewerSchema { found: 99, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_foreign_database_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.db");
        let mut conn = Connection::open(&path).unwrap();
        conn.execute_batch("CREATE TABLE other (x)").unwrap();
        assert!(bring_up_to_date(&mut conn, &path).is_err());
    }
}
