//! The queue of reply jobs: one for each captured reply.
//!
//! An attempt is booked before it is made (attempts + 1, `next_attempt_at` in the future): the
//! booking is the lease, and `attempts` is its number. Whoever finishes a job names the number
//! that it was given, so an owner that was too slow changes nothing (invariant I5).

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params};

use super::{Reader, StoreError, Tx};
use crate::model::{CampaignLeadId, GoalType, Intent, JobId, MessageRowId};
use crate::time::UtcMs;

/// No job is booked further ahead; one that is met a clock that was set back, and is due.
const FURTHEST: Duration = Duration::from_secs(15 * 60);

/// A booked attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimedJob {
    /// The job.
    pub id: JobId,
    /// The reply that it is about.
    pub message_id: MessageRowId,
    /// The number of this attempt, counted from 1: the name of the lease.
    pub attempts: u32,
    /// Attempts with this one since the job was made, or since a person asked for it.
    pub tries: u32,
}

/// A job before an attempt of it is booked.
struct Unbooked {
    id: JobId,
    message_id: MessageRowId,
    attempts: u32,
    tries_from: u32,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq)]
pub struct JobOutcome {
    /// The class.
    pub intent: Intent,
    /// Its confidence.
    pub confidence: f64,
    /// The step, with a goal only.
    pub goal_type: Option<GoalType>,
    /// `acknowledge`, `answer`, `suppress`, `person` or `nothing`.
    pub action: &'static str,
    /// Evidence and reasons, for people.
    pub reasons: Vec<String>,
    /// Whether the same text twice stopped it.
    pub flagged: bool,
    /// Whom a referral names, as JSON; empty: nobody.
    pub contact: String,
}

/// What waits, for the status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplyCounts {
    /// Jobs that are due or booked.
    pub pending: u32,
    /// Jobs that failed for good: a person has to look.
    pub failed: u32,
    /// Drafts that wait for a person.
    pub drafts_open: u32,
    /// Replies that wait for the next digest.
    pub digest_open: u32,
}

impl Reader<'_> {
    /// When the next job is due; `None` when nothing is pending.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn next_reply_due(&self) -> Result<Option<UtcMs>, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT min(next_attempt_at) FROM reply_jobs WHERE state = 'pending'")?
            .query_row([], |row| row.get::<_, Option<i64>>(0))?
            .map(UtcMs))
    }

    /// Whether sales were told of a goal in an earlier reply of the conversation than `reply`, or
    /// will be by a notice or a digest that waits.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn sales_told_of_goal(
        &self,
        thread: CampaignLeadId,
        reply: MessageRowId,
    ) -> Result<bool, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT 1 FROM messages m JOIN reply_jobs j ON j.message_id = m.id
                 WHERE m.campaign_lead_id = ?1 AND m.id < ?2 AND j.intent = 'goal_reached'
                   AND (EXISTS (SELECT 1 FROM conversations v
                                WHERE v.message_ref = m.id AND v.sales_team_notified = 1)
                        OR EXISTS (SELECT 1 FROM outbox o
                                   WHERE o.job_id = j.id AND o.kind = 'sales_notice'
                                     AND o.state NOT IN ('rejected', 'cancelled'))
                        OR EXISTS (SELECT 1 FROM digest_items g WHERE g.message_id = m.id))",
            )?
            .exists(params![thread.0, reply.0])?)
    }

    /// Whether [`Tx::claim_reply_job`] would find one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn is_reply_due(&self, now: UtcMs) -> Result<bool, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT 1 FROM reply_jobs
                 WHERE state = 'pending' AND (next_attempt_at <= ?1 OR next_attempt_at > ?2)",
            )?
            .exists(params![now.0, now.plus(FURTHEST).0])?)
    }

    /// The jobs that `process` works on: those that did not end well, and with `force` also
    /// the newest of those that did; at most `limit`, the oldest first: what a newer reply decided
    /// stands at the end.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn pending_replies(&self, limit: u32, force: bool) -> Result<Vec<JobId>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id FROM reply_jobs WHERE state <> 'done' OR ?2
             ORDER BY state = 'done', CASE WHEN state = 'done' THEN -id ELSE id END LIMIT ?1",
        )?;
        let rows = statement.query_map(params![limit, force], |row| Ok(JobId(row.get(0)?)))?;
        let mut jobs = rows.collect::<Result<Vec<_>, _>>()?;
        jobs.sort_unstable_by_key(|job| job.0);
        Ok(jobs)
    }

    /// Whether a job of an old mail is still pending: its line of the digest is to come.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn old_mail_pending(&self) -> Result<bool, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT 1 FROM reply_jobs WHERE state = 'pending' AND old_mail = 1")?
            .exists([])?)
    }

    /// What waits.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn reply_counts(&self) -> Result<ReplyCounts, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT (SELECT count(*) FROM reply_jobs WHERE state = 'pending'),
                        (SELECT count(*) FROM reply_jobs WHERE state = 'failed'),
                        (SELECT count(*) FROM drafts WHERE state = 'open'),
                        (SELECT count(*) FROM digest_items WHERE outbox_ref IS NULL)",
            )?
            .query_row([], |row| {
                Ok(ReplyCounts {
                    pending: row.get(0)?,
                    failed: row.get(1)?,
                    drafts_open: row.get(2)?,
                    digest_open: row.get(3)?,
                })
            })?)
    }
}

impl Tx<'_> {
    /// Adds the job of a captured message, due at once. `old_mail`: never answered
    /// automatically. A message that has one keeps it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn insert_reply_job(
        &self,
        message: MessageRowId,
        old_mail: bool,
        now: UtcMs,
    ) -> Result<JobId, StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO reply_jobs (message_id, old_mail, next_attempt_at, created_at)
                 VALUES (?1, ?2, ?3, ?3) ON CONFLICT (message_id) DO NOTHING",
            )?
            .execute(params![message.0, old_mail, now.0])?;
        Ok(self
            .conn
            .prepare_cached("SELECT id FROM reply_jobs WHERE message_id = ?1")?
            .query_row([message.0], |row| Ok(JobId(row.get(0)?)))?)
    }

    /// Makes the job of a message that was matched late due again, as old mail: it was decided
    /// before its conversation was known. Its mails stay one of a kind for the job.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn reopen_reply_job(&self, message: MessageRowId, now: UtcMs) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE reply_jobs SET state = 'pending', old_mail = 1, tries_from = attempts, action = '',
                     next_attempt_at = ?2, done_at = NULL, error = ''
                 WHERE message_id = ?1 AND state <> 'pending'",
            )?
            .execute(params![message.0, now.0])?;
        Ok(())
    }

    /// Books an attempt of the job that is due longest. `lease` gives the time for an attempt
    /// after so many before it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn claim_reply_job(
        &self,
        now: UtcMs,
        lease: impl Fn(u32) -> Duration,
    ) -> Result<Option<ClaimedJob>, StoreError> {
        let due = self
            .conn
            .prepare_cached(
                "SELECT id, message_id, attempts, tries_from FROM reply_jobs
                 WHERE state = 'pending' AND (next_attempt_at <= ?1 OR next_attempt_at > ?2)
                 ORDER BY next_attempt_at, id LIMIT 1",
            )?
            .query_row(params![now.0, now.plus(FURTHEST).0], unbooked)
            .optional()?;
        due.map(|job| self.book(&job, now, lease)).transpose()
    }

    /// Books an attempt of this job, whatever its state, time and number of tries: a person asks
    /// for it (`process`), so its tries are counted anew.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or what SQLite says.
    pub fn claim_this_job(
        &self,
        id: JobId,
        now: UtcMs,
        lease: impl Fn(u32) -> Duration,
    ) -> Result<ClaimedJob, StoreError> {
        let mut job = self
            .conn
            .prepare_cached(
                "SELECT id, message_id, attempts, tries_from FROM reply_jobs WHERE id = ?1",
            )?
            .query_row([id.0], unbooked)
            .optional()?
            .ok_or_else(|| StoreError::NotFound(format!("Reply job {id}")))?;
        job.tries_from = job.attempts;
        self.book(&job, now, lease)
    }

    fn book(
        &self,
        job: &Unbooked,
        now: UtcMs,
        lease: impl Fn(u32) -> Duration,
    ) -> Result<ClaimedJob, StoreError> {
        let attempts = job.attempts.saturating_add(1);
        let tried = job.attempts.saturating_sub(job.tries_from);
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE reply_jobs SET state = 'pending', attempts = ?2, tries_from = ?3,
                     next_attempt_at = ?4
                 WHERE id = ?1 AND attempts = ?5",
            )?
            .execute(params![
                job.id.0,
                attempts,
                job.tries_from,
                now.plus(lease(tried)).0,
                job.attempts
            ])?;
        expect_one(changed, job.id)?;
        Ok(ClaimedJob {
            id: job.id,
            message_id: job.message_id,
            attempts,
            tries: tried.saturating_add(1),
        })
    }

    /// Ends a job well, and marks its conversation row as processed.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the job is no longer this attempt's; nothing was written.
    pub fn finish_job(
        &self,
        job: &ClaimedJob,
        outcome: &JobOutcome,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE reply_jobs SET state = 'done', done_at = ?3, intent = ?4, confidence = ?5,
                     goal_type = ?6, action = ?7, reasons = ?8, error = '',
                     flagged = ?9, contact = ?10
                 WHERE id = ?1 AND state = 'pending' AND attempts = ?2",
            )?
            .execute(params![
                job.id.0,
                job.attempts,
                now.0,
                outcome.intent.as_str(),
                outcome.confidence,
                outcome.goal_type.map_or("", GoalType::as_str),
                outcome.action,
                json_list(&outcome.reasons)?,
                outcome.flagged,
                outcome.contact,
            ])?;
        expect_one(changed, job.id)?;
        self.conn
            .prepare_cached(
                "UPDATE conversations SET auto_reply_processed = 1 WHERE message_ref = ?1",
            )?
            .execute([job.message_id.0])?;
        Ok(())
    }

    /// Ends a job that cannot succeed: it stands in the status until a person acts. Its
    /// conversation row stays unprocessed.
    ///
    /// # Errors
    /// As [`Tx::finish_job`].
    pub fn fail_job(&self, job: &ClaimedJob, error: &str, now: UtcMs) -> Result<(), StoreError> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE reply_jobs SET state = 'failed', done_at = ?3, error = ?4
                 WHERE id = ?1 AND state = 'pending' AND attempts = ?2",
            )?
            .execute(params![job.id.0, job.attempts, now.0, error])?;
        expect_one(changed, job.id)
    }

    /// Ends a failed job as a person's: nothing is decided or sent by itself any more. False when
    /// it has not failed.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn close_failed_job(&self, id: JobId, why: &str, now: UtcMs) -> Result<bool, StoreError> {
        let reasons = json_list(&[why.to_owned()])?;
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE reply_jobs SET state = 'done', action = 'person', reasons = ?3, error = '',
                     done_at = ?2
                 WHERE id = ?1 AND state = 'failed'",
            )?
            .execute(params![id.0, now.0, reasons])?;
        if changed > 0 {
            self.conn
                .prepare_cached(
                    "UPDATE conversations SET auto_reply_processed = 1
                     WHERE message_ref = (SELECT message_id FROM reply_jobs WHERE id = ?1)",
                )?
                .execute([id.0])?;
        }
        Ok(changed > 0)
    }

    /// Notes why an attempt did not succeed; the job stays booked for the next one.
    ///
    /// # Errors
    /// As [`Tx::finish_job`].
    pub fn note_job_error(&self, job: &ClaimedJob, error: &str) -> Result<(), StoreError> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE reply_jobs SET error = ?3
                 WHERE id = ?1 AND state = 'pending' AND attempts = ?2",
            )?
            .execute(params![job.id.0, job.attempts, error])?;
        expect_one(changed, job.id)
    }
}

fn unbooked(row: &Row<'_>) -> rusqlite::Result<Unbooked> {
    Ok(Unbooked {
        id: JobId(row.get(0)?),
        message_id: MessageRowId(row.get(1)?),
        attempts: row.get(2)?,
        tries_from: row.get(3)?,
    })
}

fn expect_one(changed: usize, id: JobId) -> Result<(), StoreError> {
    if changed == 1 {
        Ok(())
    } else {
        Err(StoreError::Stale(format!("Reply job {id}")))
    }
}

fn json_list(list: &[String]) -> Result<String, StoreError> {
    serde_json::to_string(list).map_err(|e| StoreError::Invalid(e.to_string()))
}

#[cfg(test)]
#[path = "reply_tests.rs"]
mod tests;
