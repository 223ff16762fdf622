//! What people see of the outbox.

use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

use super::outcome::{Pause, pause_key};
use crate::model::{AccountId, AccountState, CampaignLeadId, MailKind, OutboxId, OutboxState};
use crate::store::{Reader, StoreError};
use crate::time::UtcMs;

/// A mail as people see it in lists.
#[derive(Clone, Debug, Serialize)]
pub struct OutboxItem {
    /// The row.
    pub id: OutboxId,
    /// Where it stands.
    pub state: OutboxState,
    /// What it is.
    pub kind: MailKind,
    /// Through whose server.
    pub account_id: AccountId,
    /// The conversation.
    pub campaign_lead_id: Option<CampaignLeadId>,
    /// The recipient.
    pub envelope_to: String,
    /// Subject.
    pub subject: String,
    /// Attempts so far.
    pub attempts: i64,
    /// The last reply code.
    pub smtp_code: Option<u16>,
    /// The last reply, or what happened instead.
    pub smtp_text: String,
    /// When it was queued.
    pub created_at: UtcMs,
    /// When its body went out.
    pub handed_over_at: Option<UtcMs>,
    /// It waits because automation is off for it.
    pub held: bool,
    /// While it waits on purpose (a delay, the working hours): when it leaves.
    pub leaves_at: Option<UtcMs>,
}

/// Why all mails of an account wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SmtpPause {
    /// The account.
    pub account_id: AccountId,
    /// `needs_sign_in` when the server refuses the credentials, else `down`.
    pub state: AccountState,
    /// The account's name.
    pub account: String,
    /// The code word of what is wrong (`fault`); empty: none is known.
    pub fault: String,
    /// What the server said, or what happened instead.
    pub reason: String,
    /// Since when.
    pub since: UtcMs,
    /// Failures in a row.
    pub failures: u32,
    /// The next try.
    pub retry_at: UtcMs,
}

/// The outbox in one snapshot.
#[derive(Clone, Debug, Serialize)]
pub struct OutboxStatus {
    /// How many mails stand in each state that is not at rest, and in `unknown` and `rejected`.
    /// Campaign mails that were refused do not count: `campaign show` lists them.
    pub depth: Vec<(OutboxState, u64)>,
    /// When the oldest mail that is due by now was queued. Campaign mails do not count: they
    /// wait for their turn on purpose.
    pub oldest_due_created_at: Option<UtcMs>,
    /// Mails of which nobody knows whether they arrived, newest first.
    pub unknown: Vec<OutboxItem>,
    /// Mails refused for good, but for campaign mails, newest first.
    pub rejected: Vec<OutboxItem>,
    /// Accounts whose mails wait.
    pub paused: Vec<SmtpPause>,
}

impl Reader<'_> {
    /// The time at which the next mail can be tried, if one waits. In the past when one is due
    /// now. Mails of `busy` accounts, and those that a person holds back, do not count.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn next_outbox_due(
        &self,
        now: UtcMs,
        busy: &[AccountId],
    ) -> Result<Option<UtcMs>, StoreError> {
        let busy = serde_json::to_string(busy)
            .map_err(|e| StoreError::Invalid(format!("Account list: {e}")))?;
        let free: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT o.next_attempt_at
                 FROM outbox o LEFT JOIN meta m ON m.key = 'smtp:' || o.account_id
                 WHERE o.state IN ('queued', 'deferred') AND o.kind <> 'campaign' AND o.held = 0
                   AND m.key IS NULL AND o.account_id NOT IN (SELECT value FROM json_each(?1))
                 ORDER BY o.next_attempt_at LIMIT 1",
            )?
            .query_row([&busy], |row| row.get(0))
            .optional()?;
        // An account that waits is due no sooner than its pause ends.
        let paused: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT min(max(o.next_attempt_at, json_extract(m.value, '$.retry_at')))
                 FROM meta m CROSS JOIN outbox o
                 WHERE m.key >= 'smtp:' AND m.key < 'smtp;'
                   AND o.account_id = CAST(substr(m.key, 6) AS INTEGER)
                   AND o.state IN ('queued', 'deferred') AND o.kind <> 'campaign' AND o.held = 0
                   AND o.account_id NOT IN (SELECT value FROM json_each(?1))",
            )?
            .query_row([&busy], |row| row.get(0))?;
        // A lease that may have to be settled.
        let leased: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT o.next_attempt_at FROM outbox o
                 WHERE o.state = 'sending'
                   AND o.account_id NOT IN (SELECT value FROM json_each(?1))
                 ORDER BY o.next_attempt_at LIMIT 1",
            )?
            .query_row([&busy], |row| row.get(0))
            .optional()?;
        let campaign = self.next_campaign_due(now, &busy)?;
        let all = [free, paused, leased, campaign.map(|at| at.0)];
        Ok(all.into_iter().flatten().min().map(UtcMs))
    }

    /// The outbox for status, page and `--json`; lists hold at most `limit` mails each.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn outbox_status(&self, now: UtcMs, limit: u32) -> Result<OutboxStatus, StoreError> {
        let mut depth = Vec::new();
        let mut counts = self.conn.prepare_cached(
            "SELECT state, count(*) FROM outbox
             WHERE state NOT IN ('sent', 'cancelled')
             GROUP BY state ORDER BY state",
        )?;
        let mut rows = counts.query([])?;
        while let Some(row) = rows.next()? {
            let word: String = row.get(0)?;
            let n: i64 = row.get(1)?;
            let state: OutboxState = word.parse()?;
            let mut n = u64::try_from(n).unwrap_or(0);
            if state == OutboxState::Rejected {
                n = n.saturating_sub(self.refused_campaign_mails()?);
            }
            if n > 0 {
                depth.push((state, n));
            }
        }
        let oldest: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT min(max(created_at, not_before)) FROM outbox
                 WHERE state IN ('queued', 'deferred') AND kind <> 'campaign' AND held = 0
                   AND next_attempt_at <= ?1",
            )?
            .query_row([now.0], |row| row.get(0))?;
        Ok(OutboxStatus {
            depth,
            oldest_due_created_at: oldest.map(UtcMs),
            unknown: self.outbox_in(OutboxState::Unknown, limit)?,
            rejected: self.outbox_but_campaigns(OutboxState::Rejected, limit)?,
            paused: self.smtp_pauses()?,
        })
    }

    fn refused_campaign_mails(&self) -> Result<u64, StoreError> {
        let n: i64 = self
            .conn
            .prepare_cached(
                "SELECT count(*) FROM outbox WHERE kind = 'campaign' AND state = 'rejected'",
            )?
            .query_row([], |row| row.get(0))?;
        Ok(u64::try_from(n).unwrap_or(0))
    }

    /// The newest mails in `state`, but for campaign mails: a mail that waits for its turn, or an
    /// address that does not exist, is no event among thousands.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn outbox_but_campaigns(
        &self,
        state: OutboxState,
        limit: u32,
    ) -> Result<Vec<OutboxItem>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, state, kind, account_id, campaign_lead_id, envelope_to, subject, attempts,
                    smtp_code, smtp_text, created_at, handed_over_at, held, not_before
             FROM outbox
             WHERE state = ?1 AND state NOT IN ('sent', 'cancelled') AND kind <> 'campaign'
             ORDER BY id DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![state.as_str(), limit], |row| Ok(item(row)))?;
        rows.map(|row| row?).collect()
    }

    /// The newest mails in `state`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn outbox_in(&self, state: OutboxState, limit: u32) -> Result<Vec<OutboxItem>, StoreError> {
        let mut items = Vec::new();
        let mut statement = self.conn.prepare_cached(
            "SELECT id, state, kind, account_id, campaign_lead_id, envelope_to, subject, attempts,
                    smtp_code, smtp_text, created_at, handed_over_at, held, not_before
             FROM outbox WHERE state = ?1 AND state NOT IN ('sent', 'cancelled')
             ORDER BY id DESC LIMIT ?2",
        )?;
        let mut rows = statement.query(params![state.as_str(), limit])?;
        while let Some(row) = rows.next()? {
            items.push(item(row)?);
        }
        Ok(items)
    }

    /// Mails that were withdrawn after `since`, with the reason in their text; newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn withdrawn_since(&self, since: UtcMs, limit: u32) -> Result<Vec<OutboxItem>, StoreError> {
        let mut items = Vec::new();
        let mut statement = self.conn.prepare_cached(
            "SELECT id, state, kind, account_id, campaign_lead_id, envelope_to, subject, attempts,
                    smtp_code, smtp_text, created_at, handed_over_at, held, not_before
             FROM outbox WHERE finished_at > ?1 AND state = 'cancelled'
             ORDER BY finished_at DESC LIMIT ?2",
        )?;
        let mut rows = statement.query(params![since.0, limit])?;
        while let Some(row) = rows.next()? {
            items.push(item(row)?);
        }
        Ok(items)
    }

    /// Accounts whose mails wait because their server cannot be used.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn smtp_pauses(&self) -> Result<Vec<SmtpPause>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT CAST(substr(m.key, 6) AS INTEGER) AS account, m.value, coalesce(a.name, '')
             FROM meta m LEFT JOIN accounts a ON a.id = CAST(substr(m.key, 6) AS INTEGER)
             WHERE m.key >= 'smtp:' AND m.key < 'smtp;' ORDER BY 1",
        )?;
        let rows: Vec<(i64, String, String)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        rows.into_iter()
            .map(|(id, value, account)| {
                let p = parse_pause(&value)?;
                Ok(SmtpPause {
                    account_id: AccountId(id),
                    account,
                    fault: p.fault,
                    state: p.state,
                    reason: p.reason,
                    since: UtcMs(p.since),
                    failures: p.failures,
                    retry_at: UtcMs(p.retry_at),
                })
            })
            .collect()
    }

    pub(super) fn smtp_pause(&self, account: AccountId) -> Result<Option<Pause>, StoreError> {
        self.fact(&pause_key(account))?
            .map(|value| parse_pause(&value))
            .transpose()
    }
}

fn parse_pause(value: &str) -> Result<Pause, StoreError> {
    serde_json::from_str(value)
        .map_err(|e| StoreError::Invalid(format!("Pause of an account in meta: {e}")))
}

fn item(row: &Row<'_>) -> Result<OutboxItem, StoreError> {
    let state: String = row.get(1)?;
    let kind: String = row.get(2)?;
    Ok(OutboxItem {
        id: OutboxId(row.get(0)?),
        state: state.parse()?,
        kind: kind.parse()?,
        account_id: AccountId(row.get(3)?),
        campaign_lead_id: row.get::<_, Option<i64>>(4)?.map(CampaignLeadId),
        envelope_to: row.get(5)?,
        subject: row.get(6)?,
        attempts: row.get(7)?,
        smtp_code: row.get(8)?,
        smtp_text: row.get(9)?,
        created_at: UtcMs(row.get(10)?),
        handed_over_at: row.get::<_, Option<i64>>(11)?.map(UtcMs),
        held: row.get(12)?,
        leaves_at: matches!(row.get_ref(1)?.as_str(), Ok("queued" | "deferred"))
            .then(|| row.get::<_, i64>(13))
            .transpose()?
            .filter(|at| *at > 0)
            .map(UtcMs),
    })
}
