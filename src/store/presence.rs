//! Which processes live: tells what a dead one left from what a living one holds.
//!
//! Whoever works holds a shared lock on a file beside the database; the kernel drops it with
//! the process, however that ends. Whoever gets the lock exclusively at its start is alone, so
//! all that stands claimed was left by the dead and is given back at once. Otherwise the leases
//! decide.

use std::fs::{File, OpenOptions, TryLockError};
use std::future::Future;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{Store, StoreError, blocking};

/// Held for as long as this process may read mailboxes.
#[derive(Debug)]
pub struct ReaderPresence {
    _lock: File,
}

impl Store {
    /// Joins those who read mailboxes with this database; the first one gives back the accounts
    /// that the dead held, so that a restart does not wait for their leases to run out. How many
    /// that were.
    ///
    /// # Errors
    /// The lock file cannot be opened or locked, or what SQLite says.
    pub async fn join_readers(&self) -> Result<(ReaderPresence, usize), StoreError> {
        let (lock, given_back) = self
            .join("-readers.lock", || self.write(|tx| tx.give_back_accounts()))
            .await?;
        Ok((ReaderPresence { _lock: lock }, given_back))
    }

    /// Takes the shared lock on the database's file with this ending; whoever is alone does
    /// `recover` before.
    pub(super) async fn join<T, F, Fut>(
        &self,
        ending: &str,
        recover: F,
    ) -> Result<(File, T), StoreError>
    where
        T: Default,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, StoreError>>,
    {
        let path = lock_path(self.path(), ending);
        let opened = path.clone();
        let (file, alone) = blocking(move || open_and_try(&opened)).await?;
        let recovered = if alone {
            recover().await?
        } else {
            T::default()
        };
        let lock = blocking(move || {
            file.unlock()
                .and_then(|()| file.lock_shared())
                .map_err(|e| StoreError::folder(&path, &e))?;
            Ok::<_, StoreError>(file)
        })
        .await?;
        Ok((lock, recovered))
    }
}

pub(super) fn lock_path(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

pub(super) fn open_and_try(path: &Path) -> Result<(File, bool), StoreError> {
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
