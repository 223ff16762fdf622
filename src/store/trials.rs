//! What trials of an account leave behind: when `doctor` signed in for sending, and what its test
//! mails proved.

use std::time::Duration;

use rusqlite::params;

use super::{LoginPermit, Reader, StoreError, Tx};
use crate::model::{AccountId, address_key};
use crate::time::{UtcMs, millis};

/// Sign-ins in as many times `every`.
const BURST: usize = 2;
/// Live arrivals that are compared.
const ARRIVALS: u32 = 50;

/// What a test mail to `user+token@domain` showed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct ReplyAddressTrial {
    /// It came in, with its token.
    pub arrived: bool,
    /// When it was tried.
    pub at: UtcMs,
    /// The account's address then, as a key: for another one it says nothing.
    #[serde(skip)]
    pub address: String,
}

impl ReplyAddressTrial {
    /// Whether it was a trial of this address.
    #[must_use]
    pub fn is_of(&self, address: &str) -> bool {
        !self.address.is_empty() && address_key(address) == self.address
    }
}

fn proven_key(account: AccountId) -> String {
    format!("reply_address_proven:{account}")
}

fn trials_key(account: AccountId) -> String {
    format!("smtp_trials:{account}")
}

impl Reader<'_> {
    /// What the last trial of an address with a token showed; none: never tried.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn reply_address_trial(
        &self,
        account: AccountId,
    ) -> Result<Option<ReplyAddressTrial>, StoreError> {
        let value = self.fact(&proven_key(account))?;
        Ok(value.and_then(|v| {
            let mut words = v.splitn(3, ' ');
            Some(ReplyAddressTrial {
                arrived: words.next()? == "yes",
                at: UtcMs(words.next()?.parse().ok()?),
                address: words.next()?.to_owned(),
            })
        }))
    }

    /// Whether answers may be asked for at `user+token@domain` of this address: the last trial was
    /// of this address, and such mail came in.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn reply_address_proven(
        &self,
        account: AccountId,
        address: &str,
    ) -> Result<bool, StoreError> {
        let trial = self.reply_address_trial(account)?;
        Ok(trial.is_some_and(|t| t.arrived && t.is_of(address)))
    }

    /// By how many milliseconds mails of the account that arrived live were announced later than
    /// their INTERNALDATE says, newest first: a clock that is wrong shows in all of them.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn arrival_lags(&self, account: AccountId) -> Result<Vec<i64>, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT announced_at - internal_date FROM messages
                 WHERE id > (SELECT max(id) FROM messages) - 1000 AND +account_id = ?1
                   AND source = 'live' AND announced_at IS NOT NULL
                 ORDER BY id DESC LIMIT ?2",
            )?
            .query_map(params![account.0, ARRIVALS], |row| row.get(0))?
            .collect::<Result<_, _>>()
            .map_err(StoreError::from)
    }
}

impl Tx<'_> {
    /// Books a sign-in to the sending server for a trial: two in any two `every`, so that no number
    /// of trials gets the account locked.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn book_trial(
        &self,
        account: AccountId,
        now: UtcMs,
        every: Duration,
    ) -> Result<LoginPermit, StoreError> {
        let value = self.fact(&trials_key(account))?;
        let window = millis(every).saturating_mul(BURST as i64);
        let mut times: Vec<i64> = value
            .unwrap_or_default()
            .split(' ')
            .filter_map(|t| t.parse().ok())
            // A time in the future stems from a clock that was set back.
            .filter(|t| *t <= now.0 && *t > now.0.saturating_sub(window))
            .collect();
        if times.len() >= BURST
            && let Some(first) = times.first()
        {
            return Ok(LoginPermit::NotBefore(UtcMs(first.saturating_add(window))));
        }
        times.push(now.0);
        let value: Vec<String> = times.iter().map(i64::to_string).collect();
        self.set_fact(&trials_key(account), &value.join(" "))?;
        Ok(LoginPermit::Granted)
    }

    /// Keeps whether mail to `user+token@domain` of the account's `address` came into its mailbox.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note_reply_address(
        &self,
        account: AccountId,
        address: &str,
        arrived: bool,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        let word = if arrived { "yes" } else { "no" };
        self.set_fact(
            &proven_key(account),
            &format!("{word} {} {}", now.0, address_key(address)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn two_trials_in_two_minutes_are_granted_and_a_clock_set_back_does_not_lock() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("replyd.db")).await.unwrap();
        let book = async |at: i64| {
            let permit: Result<LoginPermit, StoreError> = store
                .write(move |tx| tx.book_trial(AccountId(1), UtcMs(at), MINUTE))
                .await;
            permit.unwrap()
        };
        assert_eq!(book(1_000_000).await, LoginPermit::Granted);
        assert_eq!(book(1_001_000).await, LoginPermit::Granted);
        let LoginPermit::NotBefore(free) = book(1_002_000).await else {
            panic!("a third in a row was granted");
        };
        assert_eq!(free, UtcMs(1_120_000));
        assert!(matches!(book(1_060_000).await, LoginPermit::NotBefore(_)));
        assert_eq!(book(1_130_000).await, LoginPermit::Granted);
        assert_eq!(book(5_000).await, LoginPermit::Granted);
    }

    #[tokio::test]
    async fn what_a_test_mail_proved_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("replyd.db")).await.unwrap();
        let proven = async |address: &'static str| {
            let found: Result<_, StoreError> = store
                .read(move |r| {
                    let trial = r.reply_address_trial(AccountId(1))?;
                    Ok((trial, r.reply_address_proven(AccountId(1), address)?))
                })
                .await;
            found.unwrap()
        };
        assert_eq!(proven("sales@x.example").await, (None, false));
        for (arrived, at) in [(true, 7), (false, 8)] {
            let noted: Result<(), StoreError> = store
                .write(move |tx| {
                    tx.note_reply_address(AccountId(1), "Sales@X.example", arrived, UtcMs(at))
                })
                .await;
            noted.unwrap();
            let (trial, now) = proven("sales@x.example").await;
            let trial = trial.unwrap();
            assert_eq!((trial.arrived, trial.at), (arrived, UtcMs(at)));
            assert_eq!(now, arrived);
            // The account has another address now: what was proven is forgotten.
            assert!(!proven("other@x.example").await.1);
        }
    }
}
