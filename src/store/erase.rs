//! Erasing a lead: every text, name and address of it goes, in all tables; ids, times and dispositions
//! stay, so that nothing that was counted is lost, and keyed hashes, so that it does not come back.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use super::{Reader, StoreError, Superseded, Tx};
use crate::model::{CampaignLeadId, LeadRowId};
use crate::time::UtcMs;

/// Rows of one question, at most: a lead has far fewer.
const MAX_ROWS: u32 = 100_000;

/// A lead that is to be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasable {
    /// Its row.
    pub id: LeadRowId,
    /// The operator's own key.
    pub lead_id: String,
    /// Its name.
    pub name: String,
    /// Its address keys, the lead's own first.
    pub addresses: Vec<String>,
    /// Its conversations.
    pub threads: Vec<CampaignLeadId>,
}

/// What is known of an erased lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErasureRow {
    /// The row.
    pub id: i64,
    /// The lead's integer id.
    pub lead_row: i64,
    /// When.
    pub erased_at: UtcMs,
    /// By whom.
    pub erased_by: String,
    /// Why.
    pub reason: String,
    /// Whether an import may bring it back.
    pub lifted: bool,
}

/// Rows that hold something of a lead, by table.
pub type ErasedCounts = BTreeMap<&'static str, usize>;

/// The rows of a lead, as JSON lists of ids.
struct Rows {
    threads: String,
    messages: String,
    jobs: String,
    outbox: String,
}

impl Reader<'_> {
    /// The lead of this row, with what leads to its rows.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or what SQLite says.
    pub fn erasable(&self, id: LeadRowId) -> Result<Erasable, StoreError> {
        let (lead_id, name, key): (String, String, String) = self
            .conn
            .prepare_cached("SELECT lead_id, name, email_key FROM leads WHERE id = ?1")?
            .query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?
            .ok_or_else(|| StoreError::NotFound(format!("Lead {id}")))?;
        let mut addresses = vec![key];
        let mut statement = self
            .conn
            .prepare_cached("SELECT address_key FROM lead_addresses WHERE lead_id = ?1")?;
        for further in statement.query_map([id.0], |row| row.get(0))? {
            addresses.push(further?);
        }
        addresses.retain(|a| !a.is_empty());
        Ok(Erasable {
            id,
            lead_id,
            name,
            addresses,
            threads: self.campaign_leads_of(id)?,
        })
    }

    /// Rows that hold something of the lead. `senders`: keyed hashes of its addresses.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn erasable_counts(
        &self,
        lead: &Erasable,
        senders: &[String],
    ) -> Result<ErasedCounts, StoreError> {
        let rows = self.rows_of(lead, senders)?;
        let mut counts = ErasedCounts::new();
        for (table, sql, ids) in [
            (
                "conversations",
                "SELECT count(*) FROM conversations WHERE campaign_lead_id IN (SELECT value FROM json_each(?1))",
                &rows.threads,
            ),
            (
                "messages",
                "SELECT count(*) FROM json_each(?1)",
                &rows.messages,
            ),
            (
                "reply_jobs",
                "SELECT count(*) FROM json_each(?1)",
                &rows.jobs,
            ),
            ("outbox", "SELECT count(*) FROM json_each(?1)", &rows.outbox),
            (
                "sent_messages",
                "SELECT count(*) FROM sent_messages WHERE campaign_lead_id IN (SELECT value FROM json_each(?1))",
                &rows.threads,
            ),
            (
                "drafts",
                "SELECT count(*) FROM drafts WHERE campaign_lead_id IN (SELECT value FROM json_each(?1))",
                &rows.threads,
            ),
        ] {
            let n: u32 = self
                .conn
                .prepare_cached(sql)?
                .query_row([ids], |r| r.get(0))?;
            counts.insert(table, usize::try_from(n).unwrap_or(usize::MAX));
        }
        Ok(counts)
    }

    fn rows_of(&self, lead: &Erasable, senders: &[String]) -> Result<Rows, StoreError> {
        let threads: Vec<i64> = lead.threads.iter().map(|t| t.0).collect();
        let threads = json(&threads)?;
        let senders = json(senders)?;
        let list = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<String, StoreError> {
            let mut statement = self.conn.prepare_cached(sql)?;
            let ids = statement.query_map(values, |row| row.get::<_, i64>(0))?;
            json(&ids.collect::<Result<Vec<_>, _>>()?)
        };
        let messages = list(
            "SELECT id FROM messages WHERE campaign_lead_id IN (SELECT value FROM json_each(?1))
             UNION
             SELECT id FROM messages WHERE sender_hash IN (SELECT value FROM json_each(?2)) AND sender_hash <> ''
             LIMIT ?3",
            &[&threads, &senders, &MAX_ROWS],
        )?;
        let jobs = list(
            "SELECT id FROM reply_jobs WHERE message_id IN (SELECT value FROM json_each(?1)) LIMIT ?2",
            &[&messages, &MAX_ROWS],
        )?;
        // Answers and campaign mails to it, notices and digests that quote it.
        let outbox = list(
            "SELECT id FROM outbox WHERE campaign_lead_id IN (SELECT value FROM json_each(?1))
             UNION
             SELECT id FROM outbox WHERE job_id IN (SELECT value FROM json_each(?2))
             UNION
             SELECT outbox_ref FROM digest_items
             WHERE message_id IN (SELECT value FROM json_each(?3)) AND outbox_ref IS NOT NULL
             LIMIT ?4",
            &[&threads, &jobs, &messages, &MAX_ROWS],
        )?;
        Ok(Rows {
            threads,
            messages,
            jobs,
            outbox,
        })
    }

    /// Whether a lead with one of these hashes was erased: when.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn erased_at(&self, hashes: &[String]) -> Result<Option<UtcMs>, StoreError> {
        if hashes.is_empty() {
            return Ok(None);
        }
        Ok(self
            .conn
            .prepare_cached(
                "SELECT max(e.erased_at) FROM erased_hashes h JOIN erasures e ON e.id = h.erasure_id
                 WHERE h.hash IN (SELECT value FROM json_each(?1)) AND e.lifted_at IS NULL",
            )?
            .query_row([json(hashes)?], |row| row.get::<_, Option<i64>>(0))?
            .map(UtcMs))
    }

    /// Who was erased, newest first, at most `limit`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn erasures(&self, limit: u32) -> Result<Vec<ErasureRow>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, lead_row, erased_at, erased_by, reason, lifted_at IS NOT NULL
             FROM erasures WHERE id > 0 ORDER BY id DESC LIMIT ?1",
        )?;
        let rows = statement.query_map([limit], |row| {
            Ok(ErasureRow {
                id: row.get(0)?,
                lead_row: row.get(1)?,
                erased_at: UtcMs(row.get(2)?),
                erased_by: row.get(3)?,
                reason: row.get(4)?,
                lifted: row.get(5)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Tx<'_> {
    /// Empties every row of the lead. `hashes` are kept: of its addresses (these are `senders` too) and of
    /// its key. What waits to leave to it is cancelled.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] while a mail to it is being sent; otherwise what SQLite says.
    pub fn erase_lead(
        &self,
        lead: &Erasable,
        senders: &[String],
        hashes: &[String],
        (by, reason): (&str, &str),
        now: UtcMs,
    ) -> Result<ErasedCounts, StoreError> {
        // What is freed is overwritten, in this transaction and in those that follow on this connection.
        self.conn.execute_batch("PRAGMA secure_delete = ON")?;
        let counts = self.erasable_counts(lead, senders)?;
        let rows = self.rows_of(lead, senders)?;
        let sending: bool = self
            .conn
            .prepare_cached(
                "SELECT 1 FROM outbox
                 WHERE id IN (SELECT value FROM json_each(?1)) AND state = 'sending'",
            )?
            .exists([&rows.outbox])?;
        if sending {
            return Err(StoreError::Invalid(
                "A mail to or about this lead is being sent: try again in a minute".into(),
            ));
        }
        for address in &lead.addresses {
            self.supersede_drafts(Superseded::Address(address), "the lead was erased", now)?;
        }
        self.empty_mails(&rows, now)?;
        self.empty_messages(&rows, now)?;
        self.empty_threads(&rows)?;
        self.empty_row(lead)?;
        self.conn
            .prepare_cached(
                "INSERT INTO erasures (lead_row, erased_at, erased_by, reason, counts)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![lead.id.0, now.0, by, reason, json(&counts)?])?;
        let erasure = self.conn.last_insert_rowid();
        for hash in hashes {
            self.conn
                .prepare_cached(
                    "INSERT INTO erased_hashes (hash, erasure_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                )?
                .execute(params![hash, erasure])?;
        }
        Ok(counts)
    }

    fn empty_mails(&self, rows: &Rows, now: UtcMs) -> Result<(), StoreError> {
        // The other leads of a digest that waits come into the next one.
        self.conn
            .prepare_cached(
                "UPDATE digest_items SET outbox_ref = NULL
                 WHERE outbox_ref IN (SELECT value FROM json_each(?1))
                   AND EXISTS (SELECT 1 FROM outbox o WHERE o.id = digest_items.outbox_ref
                               AND o.kind = 'sales_digest' AND o.state IN ('queued', 'deferred'))",
            )?
            .execute([&rows.outbox])?;
        self.conn
            .prepare_cached(
                "DELETE FROM digest_items
                 WHERE message_id IN (SELECT value FROM json_each(?1)) AND outbox_ref IS NULL",
            )?
            .execute([&rows.messages])?;
        self.conn
            .prepare_cached(
                "UPDATE outbox SET
                     state = iif(state IN ('queued', 'deferred', 'unknown'), 'cancelled', state),
                     finished_at = coalesce(finished_at, ?2), held = 0,
                     envelope_to = '', subject = '', body = '', body_digest = '', raw = x'', smtp_text = '',
                     to_domain = '', provider_id = ''
                 WHERE id IN (SELECT value FROM json_each(?1))",
            )?
            .execute(params![rows.outbox, now.0])?;
        self.conn
            .prepare_cached(
                "UPDATE outbox_attempts SET smtp_text = ''
                 WHERE outbox_id IN (SELECT value FROM json_each(?1))",
            )?
            .execute([&rows.outbox])?;
        Ok(())
    }

    fn empty_messages(&self, rows: &Rows, now: UtcMs) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE messages SET message_key = 'erased:' || id, content_digest = '', evidence = '[]',
                     sender_hash = '', from_address = '', from_name = '', to_addresses = '', subject = '',
                     sent_date = NULL, in_reply_to = '', reference_ids = '', full_text = '', visible_text = '',
                     attachments = '[]', malformed = '[]', complained_of = '', raw = NULL
                 WHERE id IN (SELECT value FROM json_each(?1))",
            )?
            .execute([&rows.messages])?;
        for sql in [
            "DELETE FROM message_refs WHERE message_id IN (SELECT value FROM json_each(?1))",
            "DELETE FROM refetch WHERE message_id IN (SELECT value FROM json_each(?1))",
            "DELETE FROM corrections WHERE message_id IN (SELECT value FROM json_each(?1))",
        ] {
            self.conn.prepare_cached(sql)?.execute([&rows.messages])?;
        }
        self.conn
            .prepare_cached(
                "UPDATE reply_jobs SET state = 'done', done_at = coalesce(done_at, ?2), attempts = attempts + 1,
                     reasons = '[\"erased\"]', contact = '', error = ''
                 WHERE id IN (SELECT value FROM json_each(?1))",
            )?
            .execute(params![rows.jobs, now.0])?;
        for sql in [
            "UPDATE readings SET opinion = '', wording = '' WHERE job_id IN (SELECT value FROM json_each(?1))",
            "UPDATE answer_sources SET question = '', quote = '' WHERE job_id IN (SELECT value FROM json_each(?1))",
        ] {
            self.conn.prepare_cached(sql)?.execute([&rows.jobs])?;
        }
        Ok(())
    }

    fn empty_threads(&self, rows: &Rows) -> Result<(), StoreError> {
        for sql in [
            "UPDATE conversations SET message = '', email_message_id = '', email_in_reply_to = '',
                 auto_reply_processed = 1
             WHERE campaign_lead_id IN (SELECT value FROM json_each(?1))",
            "UPDATE drafts SET subject = '', body = '', made_subject = NULL, made_body = NULL, reason = '',
                 state = iif(state = 'open', 'superseded', state), decision = 'erased'
             WHERE campaign_lead_id IN (SELECT value FROM json_each(?1))",
            // A later mail of theirs is a stranger's: it leads to nobody, and nothing of it is kept.
            "DELETE FROM sent_ids WHERE sent_id IN
                 (SELECT id FROM sent_messages WHERE campaign_lead_id IN (SELECT value FROM json_each(?1)))",
            "UPDATE sent_messages SET subject = '', body = ''
             WHERE campaign_lead_id IN (SELECT value FROM json_each(?1))",
            "UPDATE campaign_leads SET personalized_message = '', email_message_id = ''
             WHERE id IN (SELECT value FROM json_each(?1))",
            "UPDATE django_rows SET digest = 'erased' WHERE model = 'campaignlead'
                 AND id IN (SELECT value FROM json_each(?1))",
            "UPDATE django_rows SET digest = 'erased' WHERE model = 'conversation' AND id IN
                 (SELECT id FROM conversations WHERE campaign_lead_id IN (SELECT value FROM json_each(?1)))",
        ] {
            self.conn.prepare_cached(sql)?.execute([&rows.threads])?;
        }
        Ok(())
    }

    fn empty_row(&self, lead: &Erasable) -> Result<(), StoreError> {
        let id = lead.id.0;
        self.conn
            .prepare_cached(
                "UPDATE leads SET lead_id = 'erased-' || id, name = '', email = '', email_key = '',
                     country_code = '', phone = '', project_name = '', unit_type = '', budget_min = NULL,
                     budget_max = NULL, status = '', last_conversation_date = NULL,
                     last_conversation_summary = '', pause_reason = ''
                 WHERE id = ?1",
            )?
            .execute([id])?;
        self.conn
            .prepare_cached("DELETE FROM lead_addresses WHERE lead_id = ?1")?
            .execute([id])?;
        self.conn
            .prepare_cached(
                "UPDATE automation_off SET reason = '' WHERE scope = 'lead' AND target_id = ?1",
            )?
            .execute([id])?;
        self.conn
            .prepare_cached(
                "UPDATE django_rows SET digest = 'erased' WHERE model = 'lead' AND id = ?1",
            )?
            .execute([id])?;
        self.conn
            .prepare_cached(
                "DELETE FROM suppressions WHERE email_key IN (SELECT value FROM json_each(?1))",
            )?
            .execute([json(&lead.addresses)?])?;
        Ok(())
    }

    /// Lets an import bring back who has one of these hashes; the addresses get no mail all the same, until
    /// a person takes the suppression away. Whether somebody was erased.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn lift_erasure(
        &self,
        hashes: &[String],
        email_key: &str,
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        let lifted = self
            .conn
            .prepare_cached(
                "UPDATE erasures SET lifted_at = ?2 WHERE lifted_at IS NULL AND id IN
                     (SELECT erasure_id FROM erased_hashes WHERE hash IN (SELECT value FROM json_each(?1)))",
            )?
            .execute(params![json(hashes)?, now.0])?;
        if lifted > 0 {
            self.suppress(email_key, "erased before", None, now)?;
        }
        Ok(lifted > 0)
    }
}

impl super::Store {
    /// Writes the database anew, so that nothing of what was erased is left in its free space, and empties
    /// the write-ahead log. Whether the log could be emptied: not while somebody reads.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn scrub(&self, vacuum: bool) -> Result<bool, StoreError> {
        let pools = std::sync::Arc::clone(&self.0);
        super::blocking(move || {
            let conn = pools.writer.get().map_err(StoreError::from)?;
            if vacuum {
                conn.execute_batch("VACUUM")?;
            }
            let busy: i64 =
                conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            Ok(busy == 0)
        })
        .await
    }
}

fn json<T: Serialize + ?Sized>(list: &T) -> Result<String, StoreError> {
    serde_json::to_string(list).map_err(|e| StoreError::Invalid(e.to_string()))
}
