//! How fast an account sends campaign mails: one at a time with a gap between, a number of mails
//! of all kinds in 24 hours, and a stop when the server says that it is too many.
//!
//! Everything is kept in the database, so it outlives a restart. A wall clock that was set back
//! holds nothing up for longer than the rule itself would.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::{StoreError, Tx};
use crate::model::AccountId;
use crate::store::Reader;
use crate::time::{UtcMs, millis};

/// The window of the number a day: 24 hours back from now, as providers count.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// The first stop after a server's "too many"; it doubles.
const FIRST_STOP: Duration = Duration::from_secs(15 * 60);
/// The first stop after a server's "too many today".
const FIRST_DAY_STOP: Duration = Duration::from_secs(3600);
/// No stop is longer: the day's count of a provider moves on within it.
const LONGEST_STOP: Duration = Duration::from_secs(6 * 3600);

/// Where an account's pace stands.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PaceStatus {
    /// The account.
    pub account_id: AccountId,
    /// Least time between two campaign mails, in milliseconds.
    pub gap_ms: i64,
    /// Mails of all kinds in 24 hours beyond which no campaign mail leaves.
    pub per_day: u32,
    /// Mails of all kinds that went out in the last 24 hours.
    pub sent_in_day: u32,
    /// When the next campaign mail may leave; in the past: now.
    pub opens_at: UtcMs,
    /// What the server said when it stopped us, while that holds.
    pub stopped: Option<String>,
}

struct Pace {
    gap_ms: i64,
    per_day: i64,
    next_at: i64,
    stopped_until: i64,
    stop_reason: String,
}

/// Until a process that sends writes the settings' own: 20 a minute, 500 a day.
const CAREFUL_GAP_MS: i64 = 3000;
const CAREFUL_PER_DAY: i64 = 500;

impl Pace {
    fn careful() -> Self {
        Self {
            gap_ms: CAREFUL_GAP_MS,
            per_day: CAREFUL_PER_DAY,
            next_at: 0,
            stopped_until: 0,
            stop_reason: String::new(),
        }
    }
}

impl Reader<'_> {
    /// When the account may send its next campaign mail; `now` or earlier: it may.
    pub(super) fn campaign_opens_at(
        &self,
        account: AccountId,
        now: UtcMs,
    ) -> Result<UtcMs, StoreError> {
        let pace = self.pace(account)?.unwrap_or_else(Pace::careful);
        self.opens_at(account, &pace, now)
    }

    fn opens_at(&self, account: AccountId, pace: &Pace, now: UtcMs) -> Result<UtcMs, StoreError> {
        // A moment beyond what the rule can give was noted by a clock that ran ahead.
        let within = |at: i64, longest: i64| {
            if at.saturating_sub(now.0) > longest {
                now.0
            } else {
                at
            }
        };
        let gap = within(pace.next_at, pace.gap_ms);
        let stop = within(pace.stopped_until, millis(LONGEST_STOP));
        let day = self.day_opens_at(account, pace.per_day, now)?;
        Ok(UtcMs(gap.max(stop).max(day.0)))
    }

    /// When fewer than `per_day` mails lie in the last 24 hours.
    fn day_opens_at(
        &self,
        account: AccountId,
        per_day: i64,
        now: UtcMs,
    ) -> Result<UtcMs, StoreError> {
        let nth_newest: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT handed_over_at FROM outbox
                 WHERE account_id = ?1 AND handed_over_at IS NOT NULL
                   AND handed_over_at > ?2 AND handed_over_at <= ?3
                 ORDER BY handed_over_at DESC LIMIT 1 OFFSET ?4",
            )?
            .query_row(
                params![
                    account.0,
                    now.minus(DAY).0,
                    now.plus(DAY).0,
                    per_day.saturating_sub(1).max(0)
                ],
                |row| row.get(0),
            )
            .optional()?;
        Ok(nth_newest.map_or(now, |at| UtcMs(at).plus(DAY).min(now.plus(DAY))))
    }

    /// Where an account's pace stands; none: it never sent.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn pace_status(
        &self,
        account: AccountId,
        now: UtcMs,
    ) -> Result<Option<PaceStatus>, StoreError> {
        let Some(pace) = self.pace(account)? else {
            return Ok(None);
        };
        let sent_in_day: u32 = self
            .conn
            .prepare_cached(
                "SELECT count(*) FROM outbox
                 WHERE account_id = ?1 AND handed_over_at IS NOT NULL
                   AND handed_over_at > ?2 AND handed_over_at <= ?3",
            )?
            .query_row(
                params![account.0, now.minus(DAY).0, now.plus(DAY).0],
                |row| row.get(0),
            )?;
        let stopped = pace.stopped_until > now.0
            && pace.stopped_until.saturating_sub(now.0) <= millis(LONGEST_STOP);
        Ok(Some(PaceStatus {
            account_id: account,
            gap_ms: pace.gap_ms,
            per_day: u32::try_from(pace.per_day).unwrap_or(0),
            sent_in_day,
            opens_at: self.opens_at(account, &pace, now)?,
            stopped: stopped.then_some(pace.stop_reason),
        }))
    }

    /// Until when a server's "too many" stops the account's campaign mails; none: it does not.
    pub(super) fn pace_stopped_until(
        &self,
        account: AccountId,
        now: UtcMs,
    ) -> Result<Option<UtcMs>, StoreError> {
        let until = self.pace(account)?.map_or(0, |pace| pace.stopped_until);
        let ahead = until.saturating_sub(now.0);
        Ok((ahead > 0 && ahead <= millis(LONGEST_STOP)).then_some(UtcMs(until)))
    }

    fn pace(&self, account: AccountId) -> Result<Option<Pace>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT gap_ms, per_day, next_at, stopped_until, stop_reason
                 FROM campaign_pace WHERE account_id = ?1",
            )?
            .query_row([account.0], |row| {
                Ok(Pace {
                    gap_ms: row.get(0)?,
                    per_day: row.get(1)?,
                    next_at: row.get(2)?,
                    stopped_until: row.get(3)?,
                    stop_reason: row.get(4)?,
                })
            })
            .optional()?)
    }
}

impl Tx<'_> {
    /// Takes over the settings' limits for an account; where it stands is kept.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_pace(
        &self,
        account: AccountId,
        gap: Duration,
        per_day: u32,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO campaign_pace (account_id, gap_ms, per_day) VALUES (?1, ?2, ?3)
                 ON CONFLICT (account_id) DO UPDATE
                     SET gap_ms = excluded.gap_ms, per_day = excluded.per_day
                     WHERE gap_ms <> excluded.gap_ms OR per_day <> excluded.per_day",
            )?
            .execute(params![account.0, millis(gap), per_day])?;
        Ok(())
    }

    /// A campaign mail of the account is claimed: the next one after the gap.
    pub(super) fn take_pace(&self, account: AccountId, now: UtcMs) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO campaign_pace (account_id, gap_ms, per_day, next_at)
                 VALUES (?1, ?3, ?4, ?2 + ?3)
                 ON CONFLICT (account_id) DO UPDATE SET next_at = ?2 + gap_ms",
            )?
            .execute(params![account.0, now.0, CAREFUL_GAP_MS, CAREFUL_PER_DAY])?;
        Ok(())
    }

    /// The server said that it is too many: no campaign mail of the account before the moment
    /// that is returned. Longer each time, until one was taken.
    pub(super) fn stop_pace(
        &self,
        account: AccountId,
        a_day: bool,
        reason: &str,
        now: UtcMs,
    ) -> Result<UtcMs, StoreError> {
        let stops: u32 = self
            .conn
            .prepare_cached("SELECT stops FROM campaign_pace WHERE account_id = ?1")?
            .query_row([account.0], |row| row.get(0))
            .optional()?
            .unwrap_or(0);
        let first = if a_day { FIRST_DAY_STOP } else { FIRST_STOP };
        let wait = first.saturating_mul(1 << stops.min(8)).min(LONGEST_STOP);
        let until = now.plus(wait);
        self.conn
            .prepare_cached(
                "INSERT INTO campaign_pace
                     (account_id, gap_ms, per_day, stopped_until, stop_reason, stops)
                 VALUES (?1, ?4, ?5, ?2, ?3, 1)
                 ON CONFLICT (account_id) DO UPDATE
                     SET stopped_until = excluded.stopped_until,
                         stop_reason = excluded.stop_reason, stops = stops + 1",
            )?
            .execute(params![
                account.0,
                until.0,
                reason,
                CAREFUL_GAP_MS,
                CAREFUL_PER_DAY
            ])?;
        Ok(until)
    }

    /// A mail was taken, or a person says go on: the stop ends.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn end_pace_stop(&self, account: AccountId) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE campaign_pace SET stopped_until = 0, stop_reason = '', stops = 0
                 WHERE account_id = ?1 AND stops > 0",
            )?
            .execute([account.0])?;
        Ok(())
    }
}
