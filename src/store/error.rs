//! What a caller of the store may branch on.

use std::io::ErrorKind;
use std::path::Path;

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

/// A failure of the store. Holds no contents of rows.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full: nothing was written, try again when there is room.
    #[error("The disk of the database is full: make room, replyd goes on by itself")]
    Full,
    /// The file or its folder cannot be written.
    #[error("The database cannot be written ({0}): check owner and permissions of its folder")]
    ReadOnly(String),
    /// The file or its folder belongs to somebody else.
    #[error("The database may not be written ({0}): its folder belongs to another user")]
    Denied(String),
    /// The process may open no more files.
    #[error("No more files can be opened ({0}): raise the limit of open files")]
    Files(String),
    /// The disk fails.
    #[error("The disk of the database fails ({0}): look at the system's log")]
    Disk(String),
    /// No connection of the pool came free, or could be opened.
    #[error("No connection to the database: {0}")]
    Pool(String),
    /// Another process held the database for longer than the time-out.
    #[error("The database was busy for too long: another process holds it")]
    Busy,
    /// A newer replyd wrote this database.
    #[error(
        "The database has schema {found}, this replyd knows {known}: install the newer replyd again, or restore a backup"
    )]
    NewerSchema {
        /// `user_version` of the file.
        found: i64,
        /// The newest version this binary knows.
        known: i64,
    },
    /// The database is of an older version, and a process of the older replyd works with it.
    #[error(
        "An older replyd works with this database: stop it (systemctl stop replyd, and its timer), then start this version, which brings the database up to date"
    )]
    OlderRunning,
    /// The file is something else.
    #[error("The file is not a database of replyd ({0})")]
    NotADatabase(String),
    /// A damaged database.
    #[error("The database is damaged ({0}): restore a backup")]
    Corrupt(String),
    /// The lease of the account passed to another process; nothing was written.
    #[error("Another process took over account {0}")]
    LeaseLost(i64),
    /// A row is not in the state that the update expects; nothing was written.
    #[error("{0} changed meanwhile")]
    Stale(String),
    /// A row that should be there is not.
    #[error("{0} not found")]
    NotFound(String),
    /// A value cannot be stored.
    #[error("{0}")]
    Invalid(String),
    /// Blocking work panicked.
    #[error("Store task failed: {0}")]
    Panicked(String),
    /// Anything else of SQLite.
    #[error("Database: {0}")]
    Sqlite(rusqlite::Error),
}

impl StoreError {
    pub(super) fn folder(folder: &Path, e: &std::io::Error) -> Self {
        let text = format!("{}: {e}", folder.display());
        match e.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full,
            ErrorKind::PermissionDenied => Self::Denied(text),
            // EMFILE and ENFILE have no kind of their own.
            _ if matches!(e.raw_os_error(), Some(23 | 24)) => Self::Files(text),
            _ => Self::ReadOnly(text),
        }
    }

    /// Whether the same call may succeed later without anybody's help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Full
                | Self::Busy
                | Self::ReadOnly(_)
                | Self::Denied(_)
                | Self::Files(_)
                | Self::Disk(_)
                | Self::Pool(_)
                | Self::Stale(_)
        )
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(e: rusqlite::Error) -> Self {
        let extended = e.sqlite_error().map(|e| e.extended_code);
        match e.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            // The `-shm` file could not grow.
            Some(ErrorCode::SystemIoFailure) if extended == Some(SQLITE_IOERR_SHMSIZE) => {
                Self::Full
            }
            Some(ErrorCode::SystemIoFailure) => Self::Disk(e.to_string()),
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen) => Self::ReadOnly(e.to_string()),
            Some(ErrorCode::PermissionDenied) => Self::Denied(e.to_string()),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt(e.to_string()),
            Some(ErrorCode::NotADatabase) => Self::NotADatabase(e.to_string()),
            _ => Self::Sqlite(e),
        }
    }
}

impl From<r2d2::Error> for StoreError {
    fn from(e: r2d2::Error) -> Self {
        Self::Pool(e.to_string())
    }
}

impl From<crate::model::UnknownWord> for StoreError {
    fn from(e: crate::model::UnknownWord) -> Self {
        Self::Invalid(e.to_string())
    }
}
