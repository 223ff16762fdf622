//! An automatic mail that has waited (for its server, for a person's switch, for a process that
//! had died) leaves only when the Sent folder was read lately: a person may have answered in the
//! meantime. The answer to a first reply that was decided just now need not wait.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::gate::Passage;
use crate::model::{AccountId, OutboxId};
use crate::store::{Reader, StoreError, Tx};
use crate::time::{UtcMs, millis};

/// A mail that leaves within this time of being queued was decided just now.
const JUST_NOW: Duration = Duration::from_secs(2);
/// What was read before the mail was queued, or longer ago than this, has to be read again.
const LATELY: Duration = Duration::from_secs(20);
/// The folder is asked for at once; this is when the mail asks again.
const AGAIN: Duration = Duration::from_secs(2);
/// A mail that has waited so long for it is left to a person.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

impl Reader<'_> {
    /// What holds an automatic mail back because its account's Sent folder was not read lately.
    /// None: nothing, or the account reads no Sent folder, or one that is in trouble (shown as such).
    pub(super) fn sent_unread(
        &self,
        id: OutboxId,
        now: UtcMs,
    ) -> Result<Option<Passage>, StoreError> {
        let found: Option<(i64, Option<i64>, Option<i64>)> = self
            .conn
            .prepare_cached(
                "SELECT o.created_at, b.looked_at,
                        (SELECT m.stored_at FROM reply_jobs j JOIN messages m ON m.id = j.message_id
                         WHERE j.id = o.job_id
                           AND EXISTS (SELECT 1 FROM conversations v
                                       WHERE v.campaign_lead_id = o.campaign_lead_id
                                         AND v.sender = 'customer' AND v.message_ref <> m.id))
                 FROM outbox o
                 JOIN mailboxes b ON b.account_id = o.account_id AND b.role = 'sent' AND b.trouble = ''
                 WHERE o.id = ?1",
            )?
            .query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((created_at, looked_at, later_reply_at)) = found else {
            return Ok(None);
        };
        let waited = now.since(UtcMs(created_at));
        let read_lately =
            looked_at.is_some_and(|at| at >= created_at && now.since(UtcMs(at)) <= LATELY);
        // To a first reply nobody can have written yet what matters; before a later one a person may
        // have answered an earlier one, so the folder is read after it came.
        let just_now = waited <= JUST_NOW
            && looked_at.is_some_and(|at| later_reply_at.is_none_or(|came| at >= came));
        // A folder that is read all the time will be read: only one that is not, is given up.
        let is_read = looked_at.is_some_and(|at| now.since(UtcMs(at)) <= LONGEST);
        Ok(if just_now || read_lately {
            None
        } else if waited > LONGEST && !is_read {
            let why = "the Sent folder could not be read, and a person may have answered";
            Some(Passage::Draft(why.into()))
        } else {
            Some(Passage::SentUnread(UtcMs(
                now.0.saturating_add(millis(AGAIN)),
            )))
        })
    }

    /// Whether an automatic mail of the account waits.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn automatic_mail_waits(&self, account: AccountId) -> Result<bool, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT 1 FROM outbox
                 WHERE state NOT IN ('sent', 'cancelled') AND state IN ('queued', 'deferred')
                   AND automatic = 1 AND +account_id = ?1",
            )?
            .exists([account.0])?)
    }
}

impl Tx<'_> {
    /// The account's Sent folder was read to its end as of `at`; none: it has yet to be.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note_sent_read(&self, account: AccountId, at: Option<UtcMs>) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE mailboxes SET looked_at = ?2 WHERE account_id = ?1 AND role = 'sent'",
            )?
            .execute(params![account.0, at.map(|at| at.0)])?;
        Ok(())
    }
}
