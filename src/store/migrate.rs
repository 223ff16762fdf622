//! Creates the schema, or brings an older database to it.
//!
//! `PRAGMA user_version` counts the steps. A new database takes `schema.sql` whole; an older one
//! runs the steps it lacks, all in one transaction; a newer one is refused.

use rusqlite::{Connection, TransactionBehavior};

use super::{PAGE_SIZE, StoreError};

const SCHEMA: &str = include_str!("../../schema.sql");

/// Step n brings version n to n + 1; version 1 is the first schema that was released.
const STEPS: &[&str] = &[];

/// The version that `schema.sql` stands for.
pub(super) fn known_version() -> i64 {
    1 + i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

pub(super) fn bring_up_to_date(conn: &mut Connection) -> Result<(), StoreError> {
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
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = tx.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = known_version();
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    if found == 0 {
        let tables: i64 =
            tx.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables > 0 {
            return Err(StoreError::NotADatabase(
                "it is another program's SQLite database: give another --database".into(),
            ));
        }
        tx.execute_batch(SCHEMA)?;
    } else {
        let done = usize::try_from(found.saturating_sub(1)).unwrap_or(0);
        for step in STEPS.iter().skip(done) {
            tx.execute_batch(step)?;
        }
    }
    if found != known {
        tx.pragma_update(None, "user_version", known)?;
    }
    tx.commit()?;
    Ok(())
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
            bring_up_to_date(&mut conn).unwrap();
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
        let mut conn = Connection::open(dir.path().join("r.db")).unwrap();
        bring_up_to_date(&mut conn).unwrap();
        conn.pragma_update(None, "user_version", 99).unwrap();
        let error = bring_up_to_date(&mut conn).unwrap_err();
        assert!(
            matches!(error, StoreError::NewerSchema { found: 99, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_foreign_database_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut conn = Connection::open(dir.path().join("r.db")).unwrap();
        conn.execute_batch("CREATE TABLE other (x)").unwrap();
        assert!(bring_up_to_date(&mut conn).is_err());
    }
}
