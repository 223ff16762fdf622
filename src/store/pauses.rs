//! Leads that are left alone for a while: away, asked for later, or said no; and two counts of the brakes.

use rusqlite::params;
use serde::Serialize;

use super::{Reader, StoreError, Tx};
use crate::model::{LeadRowId, MessageRowId};
use crate::time::UtcMs;

/// A lead that gets no campaign mail for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeadPause {
    /// The operator's key.
    pub lead_id: String,
    /// Display name; may be empty.
    pub name: String,
    /// No campaign mail before.
    pub until: UtcMs,
    /// `away`, `asked for later` or `said no`.
    pub reason: String,
}

/// The lead, and who has the same address: imported twice it is one person.
const SAME_PERSON: &str = "id IN (SELECT x.id FROM leads me JOIN leads x ON x.id = me.id
    OR (x.email_key = me.email_key AND x.email_key <> '') WHERE me.id = ?1)";

impl Reader<'_> {
    /// Leads that are left alone at `now`, the one whose pause ends first before.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn paused_leads(&self, now: UtcMs, limit: u32) -> Result<Vec<LeadPause>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT lead_id, name, paused_until, pause_reason FROM leads
             WHERE paused_until > ?1 ORDER BY paused_until, id LIMIT ?2",
        )?;
        let rows = statement.query_map(params![now.0, limit], |row| {
            Ok(LeadPause {
                lead_id: row.get(0)?,
                name: row.get(1)?,
                until: UtcMs(row.get(2)?),
                reason: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many leads are left alone at `now`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn count_paused_leads(&self, now: UtcMs) -> Result<u32, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT count(*) FROM leads WHERE paused_until > ?1")?
            .query_row([now.0], |row| row.get(0))?)
    }

    /// How many automatic mails wait on purpose at `now`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn mails_delayed(&self, now: UtcMs) -> Result<u32, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT count(*) FROM outbox
                 WHERE state NOT IN ('sent', 'cancelled') AND state IN ('queued', 'deferred')
                   AND automatic = 1 AND not_before > ?1",
            )?
            .query_row([now.0], |row| row.get(0))?)
    }

    /// Automatic mails to the leads of a domain after `since`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn automatic_to_domain(&self, domain: &str, since: UtcMs) -> Result<u32, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT count(*) FROM outbox
                 WHERE automatic = 1 AND to_domain <> '' AND to_domain = ?1 AND created_at > ?2
                   AND state <> 'cancelled'",
            )?
            .query_row(params![domain, since.0], |row| row.get(0))?)
    }

    /// Whether one of these addresses was suppressed for another reason than this message.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn suppressed_before(
        &self,
        keys: [&str; 2],
        message: MessageRowId,
    ) -> Result<bool, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT 1 FROM suppressions
                 WHERE email_key IN (?1, ?2) AND message_ref IS NOT ?3",
            )?
            .exists(params![keys[0], keys[1], message.0])?)
    }

    /// Replies whose same text twice stopped an automatic mail, while their draft is open.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn flagged_replies(&self, limit: u32) -> Result<Vec<MessageRowId>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT d.message_id FROM drafts d CROSS JOIN reply_jobs j ON j.id = d.job_id
             WHERE d.state = 'open' AND d.job_id > 0 AND j.flagged = 1
             ORDER BY d.job_id DESC LIMIT ?1",
        )?;
        let rows = statement.query_map([limit], |row| row.get(0).map(MessageRowId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Tx<'_> {
    /// No campaign mail to this lead before `until`; never brings a pause forward.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn pause_lead(
        &self,
        lead: LeadRowId,
        until: UtcMs,
        reason: &str,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(&format!(
                "UPDATE leads SET paused_until = ?2, pause_reason = ?3
                 WHERE {SAME_PERSON} AND coalesce(paused_until, 0) < ?2"
            ))?
            .execute(params![lead.0, until.0, reason])?;
        Ok(())
    }

    /// Ends the pause of a lead; campaign mails that waited for its end leave in their turn.
    /// Whether there was one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn end_pause(&self, lead: LeadRowId, now: UtcMs) -> Result<bool, StoreError> {
        let ended = self
            .conn
            .prepare_cached(&format!(
                "UPDATE leads SET paused_until = NULL, pause_reason = ''
                 WHERE {SAME_PERSON} AND paused_until > ?2"
            ))?
            .execute(params![lead.0, now.0])?;
        if ended > 0 {
            self.conn
                .prepare_cached(
                    "UPDATE outbox SET next_attempt_at = ?2
                     WHERE kind = 'campaign' AND state = 'queued' AND next_attempt_at > ?2
                       AND state NOT IN ('rejected', 'cancelled')
                       AND campaign_lead_id IN (
                           SELECT cl.id FROM leads me
                           JOIN leads x ON x.id = me.id
                                OR (x.email_key = me.email_key AND x.email_key <> '')
                           JOIN campaign_leads cl ON cl.lead_id = x.id WHERE me.id = ?1)",
                )?
                .execute(params![lead.0, now.0])?;
        }
        Ok(ended > 0)
    }
}
