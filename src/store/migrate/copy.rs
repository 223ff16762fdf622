//! A copy of an older database, for the way back: an older replyd refuses what a newer one wrote.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::Connection;
use tracing::{info, warn};

use super::super::StoreError;
use super::super::presence::lock_path;

/// Writes `<database>-version-<n>` beside the database; an older copy of this name is replaced
/// only when the new one is whole. Where it cannot be written (a full disk) that is logged and the
/// upgrade goes on: each step is one transaction, so the copy is not what keeps the data.
pub(super) fn keep(conn: &Connection, path: &Path, version: i64) {
    let copy = lock_path(path, &format!("-version-{version}"));
    match write(conn, path, &copy) {
        Ok(()) => info!(
            copy = %copy.display(),
            version,
            "the database was copied before the upgrade: delete the copy when all is well"
        ),
        Err(error) => warn!(
            %error,
            "the database could not be copied before the upgrade, which goes on without"
        ),
    }
}

fn write(conn: &Connection, path: &Path, copy: &Path) -> Result<(), StoreError> {
    let part = lock_path(path, "-version.part");
    let failed = |e: std::io::Error| StoreError::folder(&part, &e);
    match std::fs::remove_file(&part) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    // SQLite takes an empty file: so the copy never has another mode than the database.
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&part)
        .map_err(failed)?;
    let done = conn
        .execute("VACUUM INTO ?1", [part.to_string_lossy()])
        .map_err(StoreError::from)
        .and_then(|_| {
            File::open(&part)
                .and_then(|f| f.sync_all())
                .map_err(failed)?;
            std::fs::rename(&part, copy).map_err(failed)
        });
    if done.is_err()
        && let Err(error) = std::fs::remove_file(&part)
    {
        warn!(%error, "half a copy of the database stays");
    }
    done
}
