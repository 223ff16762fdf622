//! Whether an account's server pushes: IDLEs that died, and mail that no push announced. Kept in
//! `meta`, so that it outlives sessions and processes. The rules stand in `listener::push`.

use serde::{Deserialize, Serialize};

use super::{Reader, StoreError, Tx};
use crate::model::AccountId;

/// What is known of an account's pushes. Times are milliseconds UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PushHealth {
    /// When IDLEs ended by themselves within a minute, lately.
    pub deaths: Vec<i64>,
    /// No IDLE before this time; 0: IDLE is used.
    pub poll_until: i64,
    /// Why, in words.
    pub poll_reason: String,
    /// The newest pieces of news, oldest first: when, and whether a push announced it.
    pub news: Vec<(i64, bool)>,
    /// Mails that a poll found and no push had announced, since the account is known.
    pub push_missed: u64,
    /// The last of them.
    pub missed_at: i64,
    /// Since when the server counts as one that does not push; 0: it pushes.
    pub mute_since: i64,
}

fn key(account: AccountId) -> String {
    format!("push:{account}")
}

impl Reader<'_> {
    /// What is known of an account's pushes.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn push_health(&self, account: AccountId) -> Result<PushHealth, StoreError> {
        Ok(self.learned(&key(account))?.unwrap_or_default())
    }
}

impl Tx<'_> {
    /// Keeps what is known of an account's pushes.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_push_health(
        &self,
        account: AccountId,
        health: &PushHealth,
    ) -> Result<(), StoreError> {
        self.set_record(&key(account), health)
    }
}
