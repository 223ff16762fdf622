//! What is remembered of the model endpoint, and who read each reply.

use rusqlite::params;
use serde::Serialize;

use super::{ClaimedJob, Reader, StoreError, Tx};
use crate::model::{EndpointState, JobId};
use crate::time::UtcMs;

/// The row of `meta`.
const STATE_KEY: &str = "model_endpoint";

/// Who read a reply, and who worded its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Reading {
    /// `own`, or `own and endpoint`.
    pub provider: String,
    /// The weights of the own classifier, and the endpoint's model where it was heard.
    pub model_version: String,
    /// What the endpoint said, or why it was not asked; empty: there is none.
    pub opinion: String,
    /// Who worded the answer, or why the documents' words are sent; empty: nothing was worded.
    pub wording: String,
}

impl Reader<'_> {
    /// What is known of the model endpoint.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn endpoint_state(&self) -> Result<Option<EndpointState>, StoreError> {
        self.learned(STATE_KEY)
    }
}

impl Tx<'_> {
    /// Keeps what is known of the model endpoint.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_endpoint_state(&self, state: &EndpointState) -> Result<(), StoreError> {
        self.set_record(STATE_KEY, state)
    }

    /// Keeps who read a job's reply, in place of what was kept of it before.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_reading(&self, job: JobId, reading: &Reading) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO readings (job_id, provider, model_version, opinion, wording)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (job_id) DO UPDATE SET provider = excluded.provider,
                     model_version = excluded.model_version, opinion = excluded.opinion,
                     wording = excluded.wording",
            )?
            .execute(params![
                job.0,
                reading.provider,
                reading.model_version,
                reading.opinion,
                reading.wording
            ])?;
        Ok(())
    }

    /// Books a job for longer, before something slow is waited for; never for less.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the job is no longer this attempt's.
    pub fn extend_lease(&self, job: &ClaimedJob, until: UtcMs) -> Result<(), StoreError> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE reply_jobs SET next_attempt_at = max(next_attempt_at, ?3)
                 WHERE id = ?1 AND state = 'pending' AND attempts = ?2",
            )?
            .execute(params![job.id.0, job.attempts, until.0])?;
        if changed == 1 {
            Ok(())
        } else {
            Err(StoreError::Stale(format!("Reply job {}", job.id)))
        }
    }
}
