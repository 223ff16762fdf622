//! Who sends from this database now: tells the rows of a dead process from those of a living one
//! (see [`super::super::presence`]).

use std::fs::File;

use super::super::Store;
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
        let (lock, recovered) = self
            .join("-outbox.lock", || {
                self.write(move |tx| tx.recover_outbox(now))
            })
            .await?;
        Ok((OutboxPresence { _lock: lock }, recovered))
    }
}
