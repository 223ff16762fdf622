//! What became of one message, step by step: for the demo, `explain` and the page.

use rusqlite::{OptionalExtension, params};

use super::{Reader, StoreError};
use crate::model::{Disposition, Intent, MailKind, MatchMethod, MessageRowId, OutboxState};
use crate::time::UtcMs;

/// The way of one message through replyd.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Its row.
    pub message_id: MessageRowId,
    /// What became of it.
    pub disposition: Disposition,
    /// By which rung it was matched.
    pub match_method: Option<MatchMethod>,
    /// What the lead wants.
    pub intent: Option<Intent>,
    /// How sure that is, 0..1.
    pub confidence: f64,
    /// EXISTS seen.
    pub announced_at: Option<UtcMs>,
    /// Its bytes here.
    pub fetched_at: Option<UtcMs>,
    /// Its row stored.
    pub stored_at: UtcMs,
    /// The reply job, if it has one, is no longer pending.
    pub job_ended: Option<bool>,
    /// When the job was done.
    pub decided_at: Option<UtcMs>,
    /// Mails that left because of it: kind, state, when settled.
    pub mails: Vec<(MailKind, OutboxState, Option<UtcMs>)>,
    /// Whether a draft waits for a person.
    pub open_draft: bool,
}

impl Trace {
    /// Whether nothing more happens by itself.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.job_ended != Some(false)
            && self.mails.iter().all(|(_, state, _)| {
                !matches!(
                    state,
                    OutboxState::Queued | OutboxState::Sending | OutboxState::Deferred
                )
            })
    }
}

impl Reader<'_> {
    /// The way of the message with this key (canonical Message-ID), newest row first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn trace(&self, message_key: &str) -> Result<Option<Trace>, StoreError> {
        let row = self
            .conn
            .prepare_cached(
                "SELECT m.id, m.disposition, m.match_method, m.announced_at, m.fetched_at, m.stored_at, \
                        j.id, j.state, j.intent, j.confidence, j.done_at, \
                        EXISTS (SELECT 1 FROM drafts d WHERE d.job_id = j.id AND d.state = 'open') \
                 FROM messages m LEFT JOIN reply_jobs j ON j.message_id = m.id \
                 WHERE m.message_key = ?1 AND m.duplicate_of IS NULL ORDER BY m.id DESC LIMIT 1",
            )?
            .query_row(params![message_key], |row| {
                let words: (String, String, Option<String>) = (row.get(1)?, row.get(2)?, row.get(8)?);
                Ok((
                    Trace {
                        message_id: MessageRowId(row.get(0)?),
                        disposition: Disposition::Ignored,
                        match_method: None,
                        intent: None,
                        confidence: row.get::<_, Option<f64>>(9)?.unwrap_or(0.0),
                        announced_at: row.get::<_, Option<i64>>(3)?.map(UtcMs),
                        fetched_at: row.get::<_, Option<i64>>(4)?.map(UtcMs),
                        stored_at: UtcMs(row.get(5)?),
                        job_ended: row.get::<_, Option<String>>(7)?.map(|state| state != "pending"),
                        decided_at: row.get::<_, Option<i64>>(10)?.map(UtcMs),
                        mails: Vec::new(),
                        open_draft: row.get(11)?,
                    },
                    words,
                    row.get::<_, Option<i64>>(6)?,
                ))
            })
            .optional()?;
        let Some((mut trace, (disposition, method, intent), job)) = row else {
            return Ok(None);
        };
        trace.disposition = disposition.parse()?;
        trace.match_method = if method.is_empty() {
            None
        } else {
            Some(method.parse()?)
        };
        trace.intent = intent
            .filter(|i| !i.is_empty())
            .map(|i| i.parse())
            .transpose()?;
        if let Some(job) = job {
            let mut statement = self.conn.prepare_cached(
                "SELECT kind, state, finished_at FROM outbox WHERE job_id = ?1 ORDER BY id",
            )?;
            let mut rows = statement.query([job])?;
            while let Some(row) = rows.next()? {
                trace.mails.push((
                    row.get::<_, String>(0)?.parse()?,
                    row.get::<_, String>(1)?.parse()?,
                    row.get::<_, Option<i64>>(2)?.map(UtcMs),
                ));
            }
        }
        Ok(Some(trace))
    }
}
