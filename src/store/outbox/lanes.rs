//! Which due mail leaves next. Mails to leads who wrote, to sales and to the operator go first;
//! campaign mails follow, each account's at its own pace (see `pace`), and a campaign that is
//! paused, ended or switched off is passed over as a whole, however many of its mails wait.

use rusqlite::{OptionalExtension, params};

use super::{Due, StoreError, due_mail};
use crate::model::AccountId;
use crate::store::Reader;
use crate::time::UtcMs;

/// The first conditions are that of the partial index outbox_due, word for word.
pub(super) const DUE_SQL: &str =
    "SELECT o.id, o.attempts, o.account_id, o.kind, o.campaign_lead_id, o.automatic,
            o.rfc_message_id, o.envelope_from, o.envelope_to, o.raw
     FROM outbox o LEFT JOIN meta m ON m.key = 'smtp:' || o.account_id
     WHERE o.state IN ('queued', 'deferred') AND o.kind <> 'campaign' AND o.held = 0
       AND o.next_attempt_at <= ?1
       AND (m.value IS NULL OR json_extract(m.value, '$.retry_at') <= ?1)
       AND o.account_id NOT IN (SELECT value FROM json_each(?2))
     ORDER BY o.next_attempt_at, o.id
     LIMIT 1";

/// The next mail of each campaign whose mails may leave, whatever the pace: account, id, due at.
/// Few rows: one a campaign with mails that wait. During a trial (`?2`: where all mail goes) only
/// those that were queued for it.
pub(super) const CAMPAIGNS_SQL: &str = "\
SELECT o.account_id, o.id, o.next_attempt_at,
       coalesce((SELECT json_extract(p.value, '$.retry_at') FROM meta p
                 WHERE p.key = 'smtp:' || o.account_id), 0)
FROM campaigns c
LEFT JOIN campaign_mailings m ON m.campaign_id = c.id
JOIN outbox o ON o.id = (
    SELECT x.id FROM outbox x
    WHERE x.state IN ('queued', 'deferred') AND x.kind = 'campaign' AND x.held = 0
      AND x.campaign_id = c.id
    ORDER BY x.next_attempt_at, x.id LIMIT 1)
WHERE c.is_active = 1 AND m.paused_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM automation_off f WHERE f.scope = 'all')
  AND NOT EXISTS (SELECT 1 FROM automation_off f WHERE f.scope = 'campaign' AND f.target_id = c.id)
  AND o.account_id NOT IN (SELECT value FROM json_each(?1))
  AND (?2 IS NULL OR o.envelope_to = ?2)
ORDER BY o.next_attempt_at, o.id";

/// The head of a campaign's queue.
struct Head {
    id: i64,
    due: UtcMs,
}

impl Reader<'_> {
    /// The mail that goes next at `now`, of accounts that are neither `busy` (a JSON list) nor
    /// paused; campaign mails only when nothing else is due.
    pub(super) fn next_due_mail(
        &self,
        now: UtcMs,
        busy: &str,
        redirect: Option<&str>,
    ) -> Result<Option<Due>, StoreError> {
        let first = self
            .conn
            .prepare_cached(DUE_SQL)?
            .query_row(params![now.0, busy], |row| Ok(due_mail(row, now)))
            .optional()?
            .transpose()?;
        if first.is_some() {
            return Ok(first);
        }
        let Some(head) = self
            .campaign_heads(now, busy, redirect)?
            .into_iter()
            .find(|head| head.due <= now)
        else {
            return Ok(None);
        };
        self.conn
            .prepare_cached(
                "SELECT o.id, o.attempts, o.account_id, o.kind, o.campaign_lead_id, o.automatic,
                        o.rfc_message_id, o.envelope_from, o.envelope_to, o.raw
                 FROM outbox o WHERE o.id = ?1",
            )?
            .query_row([head.id], |row| Ok(due_mail(row, now)))
            .optional()?
            .transpose()
    }

    /// When the next campaign mail of any account may leave, if one waits and nothing but the
    /// pace holds it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn next_campaign_mail(&self, now: UtcMs) -> Result<Option<UtcMs>, StoreError> {
        self.next_campaign_due(now, "[]")
    }

    /// The same, of accounts that are not `busy`; in the past when one may leave now.
    pub(super) fn next_campaign_due(
        &self,
        now: UtcMs,
        busy: &str,
    ) -> Result<Option<UtcMs>, StoreError> {
        let heads = self.campaign_heads(now, busy, None)?;
        Ok(heads.into_iter().map(|head| head.due).min())
    }

    /// The heads of the open campaigns, each due no sooner than its account's pace and its
    /// account's server allow, in the order of their queues.
    fn campaign_heads(
        &self,
        now: UtcMs,
        busy: &str,
        redirect: Option<&str>,
    ) -> Result<Vec<Head>, StoreError> {
        let mut statement = self.conn.prepare_cached(CAMPAIGNS_SQL)?;
        let rows: Vec<(i64, i64, i64, i64)> = statement
            .query_map(params![busy, redirect], |r| {
                Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))
            })?
            .collect::<Result<_, _>>()?;
        let mut opens: Vec<(AccountId, UtcMs)> = Vec::new();
        let mut heads = Vec::with_capacity(rows.len());
        for (account, id, next_attempt_at, retry_at) in rows {
            let account = AccountId(account);
            let known = opens.iter().find(|(a, _)| *a == account).map(|(_, at)| *at);
            let open_at = match known {
                Some(at) => at,
                None => {
                    let at = self.campaign_opens_at(account, now)?;
                    opens.push((account, at));
                    at
                }
            };
            heads.push(Head {
                id,
                due: UtcMs(next_attempt_at.max(retry_at)).max(open_at),
            });
        }
        Ok(heads)
    }
}
