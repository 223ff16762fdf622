//! What a caller of the store may branch on.

use std::path::Path;

use rusqlite::ErrorCode;

/// A failure of the store. Holds no contents of rows.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full: nothing was written, try again when there is room.
    #[error("The disk of the database is full: make room, replyd goes on by itself")]
    Full,
    /// The file or its folder cannot be written.
    #[error("The database cannot be written ({0}): check owner and permissions of its folder")]
    ReadOnly(String),
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
    /// Not a database, or a damaged one.
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
        Self::ReadOnly(format!("{}: {e}", folder.display()))
    }

    /// Whether the same call may succeed later without anybody's help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Full | Self::Busy | Self::ReadOnly(_) | Self::Stale(_)
        )
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(e: rusqlite::Error) -> Self {
        match e.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::ReadOnly(e.to_string())
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt(e.to_string())
            }
            _ => Self::Sqlite(e),
        }
    }
}

impl From<r2d2::Error> for StoreError {
    fn from(e: r2d2::Error) -> Self {
        Self::ReadOnly(e.to_string())
    }
}

impl From<crate::model::UnknownWord> for StoreError {
    fn from(e: crate::model::UnknownWord) -> Self {
        Self::Invalid(e.to_string())
    }
}
