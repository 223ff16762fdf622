//! A look at the database file for diagnosis: changes nothing in it, and works beside a running
//! process.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{StoreError, migrate};

/// Waiting for another process's lock: a look is not worth more.
const BUSY: Duration = Duration::from_secs(3);

/// What the integrity check said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// Nothing wrong.
    Sound,
    /// What SQLite says of the first damage.
    Damaged(String),
    /// It did not end in time: a large database.
    Unfinished,
}

/// The state of a database file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// `user_version`.
    pub version: i64,
    /// The newest version that this binary knows.
    pub known_version: i64,
    /// `wal` as a rule.
    pub journal_mode: String,
    /// Bytes of the file.
    pub size_bytes: u64,
    /// Bytes of the `-wal` file beside it.
    pub wal_bytes: u64,
    /// PRAGMA quick_check.
    pub integrity: Integrity,
}

/// Looks at the database in `path`, which must be there; the integrity check ends after `limit`.
/// Blocking: SQLite and file system.
///
/// # Errors
/// What SQLite says; [`StoreError::NotADatabase`] for another file.
pub fn examine_blocking(path: &Path, limit: Duration) -> Result<Examined, StoreError> {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |m| m.len());
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let (size_bytes, wal_bytes) = (size(path), size(Path::new(&wal)));
    let conn = open(path)?;
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    // Reads the header, so another file is told apart here.
    let journal_mode: String = conn.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if version == 0 && tables > 0 {
        return Err(StoreError::NotADatabase("another program's".to_owned()));
    }
    Ok(Examined {
        version,
        known_version: migrate::known_version(),
        journal_mode,
        size_bytes,
        wal_bytes,
        integrity: check(&conn, limit)?,
    })
}

/// For writing where that is possible, so that SQLite can take its side files away again.
fn open(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_WRITE)
        .or_else(|_| Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_ONLY))?;
    conn.busy_timeout(BUSY)?;
    conn.execute_batch("PRAGMA query_only = ON;")?;
    Ok(conn)
}

pub(super) fn check(conn: &Connection, limit: Duration) -> Result<Integrity, StoreError> {
    let handle = conn.get_interrupt_handle();
    let (done, waiting) = channel::<()>();
    let watchdog = std::thread::spawn(move || {
        if waiting.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            handle.interrupt();
        }
    });
    let said = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    drop(done);
    if watchdog.join().is_err() {
        return Err(StoreError::Panicked("the watchdog of a check".to_owned()));
    }
    match said {
        Ok(text) if text == "ok" => Ok(Integrity::Sound),
        Ok(text) => Ok(Integrity::Damaged(text)),
        Err(e) => match e.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => Ok(Integrity::Unfinished),
            Some(ErrorCode::DatabaseCorrupt) => Ok(Integrity::Damaged(e.to_string())),
            _ => Err(e.into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn a_sound_database_another_file_and_a_damaged_one_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("replyd.db");
        drop(Store::open_blocking(&path).unwrap());
        let found = examine_blocking(&path, LIMIT).unwrap();
        assert_eq!(found.version, found.known_version);
        assert_eq!(found.journal_mode, "wal");
        assert_eq!(found.integrity, Integrity::Sound);
        assert!(found.size_bytes > 0);
        // Nothing is left beside it.
        let beside: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(beside.len(), 1, "{beside:?}");

        let other = dir.path().join("notes.txt");
        std::fs::write(
            &other,
            "not a database, and long enough to be looked at: ".repeat(40),
        )
        .unwrap();
        let e = examine_blocking(&other, LIMIT).unwrap_err();
        assert!(matches!(e, StoreError::NotADatabase(_)), "{e}");

        let mut bytes = std::fs::read(&path).unwrap();
        // Of one page alone, it may be a free one.
        let middle = bytes.len() / 2;
        bytes[middle..].fill(0xa5);
        std::fs::write(&path, bytes).unwrap();
        match examine_blocking(&path, LIMIT) {
            Ok(found) => assert!(
                matches!(found.integrity, Integrity::Damaged(_)),
                "{found:?}"
            ),
            Err(e) => assert!(matches!(e, StoreError::Corrupt(_)), "{e}"),
        }
    }

    #[test]
    fn looking_beside_a_process_that_uses_it_works() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("replyd.db");
        let _used = Store::open_blocking(&path).unwrap();
        assert_eq!(
            examine_blocking(&path, LIMIT).unwrap().integrity,
            Integrity::Sound
        );
    }
}
