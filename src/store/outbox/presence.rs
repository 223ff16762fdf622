//! Who sends from this database now: tells the rows of a dead process from those of a living one.
//!
//! Every worker holds a shared lock on a file beside the database; the kernel drops it with the
//! process, however that ends. Whoever gets the lock exclusively at its start is alone, so all
//! that stands in `sending` was left by the dead and is given back at once. Otherwise the leases
//! decide.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::super::{Store, blocking};
use super::StoreError;
use crate::model::OutboxId;
use crate::time::UtcMs;

/// Held for as long as a worker may send.
#[derive(Debug)]
pub struct OutboxPresence {
    _lock: File,
}

/// What a dead process left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Not handed over: due again.
    pub due_again: Vec<OutboxId>,
    /// Handed over: a person decides.
    pub unknown: Vec<OutboxId>,
}

impl Store {
    /// Joins those who send from this database; the first one recovers what the dead left.
    ///
    /// # Errors
    /// The lock file cannot be opened or locked, or what SQLite says.
    pub async fn join_outbox(&self, now: UtcMs) -> Result<(OutboxPresence, Recovered), StoreError> {
        let path = lock_path(self.path());
        let opened = path.clone();
        let (file, alone) = blocking(move || open_and_try(&opened)).await?;
        let recovered = if alone {
            self.write(move |tx| tx.recover_outbox(now)).await?
        } else {
            Recovered::default()
        };
        let lock = blocking(move || {
            file.unlock()
                .and_then(|()| file.lock_shared())
                .map_err(|e| StoreError::folder(&path, &e))?;
            Ok::<_, StoreError>(file)
        })
        .await?;
        Ok((OutboxPresence { _lock: lock }, recovered))
    }
}

fn lock_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-outbox.lock");
    PathBuf::from(name)
}

fn open_and_try(path: &Path) -> Result<(File, bool), StoreError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|e| StoreError::folder(path, &e))?;
    match file.try_lock() {
        Ok(()) => Ok((file, true)),
        Err(TryLockError::WouldBlock) => Ok((file, false)),
        Err(TryLockError::Error(e)) => Err(StoreError::folder(path, &e)),
    }
}
