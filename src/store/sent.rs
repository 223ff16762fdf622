//! Mails sent to leads, and every Message-ID by which one may be referred to.
//!
//! Learning of an id is what makes an earlier message matchable: so the functions that add ids
//! also put the stored messages that refer to them into `refetch`, in the same transaction.

use rusqlite::{OptionalExtension, params};

use super::{Reader, StoreError, Tx};
use crate::model::{CampaignLeadId, IdSource, OutboxId, SentId, SentKind, SentRef};
use crate::msgid;
use crate::time::UtcMs;

/// A mail to a lead that is to be known from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSent {
    /// Whose conversation it belongs to.
    pub campaign_lead_id: CampaignLeadId,
    /// What it is.
    pub kind: SentKind,
    /// Subject, decoded; may be empty.
    pub subject: String,
    /// The text; may be empty.
    pub body: String,
    /// When it was sent.
    pub sent_at: UtcMs,
    /// Our own outbox row, when we sent it.
    pub outbox_ref: Option<OutboxId>,
    /// Canonical Message-IDs without brackets, and how each was learned; at least one. The
    /// first is the mail's own.
    pub ids: Vec<(String, IdSource)>,
}

/// What [`Tx::upsert_sent`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentUpsert {
    /// The row.
    pub id: SentId,
    /// What became of it.
    pub change: Change,
    /// Stored messages that became matchable and will be fetched again.
    pub refetch: usize,
}

/// What an upsert found and did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A row was added.
    New,
    /// A row was there and now differs.
    Updated,
    /// A row was there and says the same.
    Unchanged,
}

impl Reader<'_> {
    /// The sent mail that has this canonical Message-ID, with what the matcher needs of it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn sent_by_id(&self, id_key: &str) -> Result<Option<SentRef>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT s.id, s.campaign_lead_id, l.email_key, s.known_at
                 FROM sent_ids i
                 JOIN sent_messages s ON s.id = i.sent_id
                 JOIN campaign_leads cl ON cl.id = s.campaign_lead_id
                 JOIN leads l ON l.id = cl.lead_id
                 WHERE i.id_key = ?1",
            )?
            .query_row([id_key], |row| {
                Ok(SentRef {
                    sent_id: SentId(row.get(0)?),
                    campaign_lead_id: CampaignLeadId(row.get(1)?),
                    lead_email_key: row.get(2)?,
                    known_at: UtcMs(row.get(3)?),
                })
            })
            .optional()?)
    }

    /// Whether a canonical Message-ID is that of one of our mails to sales. Such an id is never
    /// a key for a lead.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn is_notice_id(&self, id_key: &str) -> Result<bool, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT 1 FROM outbox
                 WHERE rfc_message_id = ?1 AND kind IN ('sales_notice', 'sales_digest', 'alert')",
            )?
            .exists([id_key])?)
    }
}

impl Tx<'_> {
    /// Records a sent mail under its ids, and puts stored messages that refer to these ids
    /// (`message_refs`, by keyed hash) into `refetch`. The same mail again is an update.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] with a sentence when an id belongs to another lead's mail, to
    /// another mail, or to a notice to sales; [`StoreError::NotFound`] when the conversation is
    /// not there. Nothing was written then.
    pub fn insert_sent(
        &self,
        s: &NewSent,
        ref_hashes: &[String],
        now: UtcMs,
    ) -> Result<SentId, StoreError> {
        Ok(self.upsert_sent(s, ref_hashes, now)?.id)
    }

    /// As [`Tx::insert_sent`], telling what changed. An import never rewrites what we know of a
    /// mail that we sent ourselves; an empty subject or text never replaces one.
    ///
    /// # Errors
    /// As there.
    pub fn upsert_sent(
        &self,
        s: &NewSent,
        ref_hashes: &[String],
        now: UtcMs,
    ) -> Result<SentUpsert, StoreError> {
        let known = self.known_owner(s)?;
        let (id, mut change) = match known {
            Some(id) => (id, self.update_sent(id, s)?),
            None => (self.add_sent(s, now)?, Change::New),
        };
        for (id_key, source) in &s.ids {
            if self.add_id(id, id_key, *source)? && change == Change::Unchanged {
                change = Change::Updated;
            }
        }
        if change != Change::Unchanged {
            self.note_on_campaign_lead(s)?;
        }
        let mut refetch = 0;
        for hash in ref_hashes {
            refetch += self.refetch_referring(hash, now)?;
        }
        Ok(SentUpsert {
            id,
            change,
            refetch,
        })
    }

    /// As [`Tx::upsert_sent`] for a mail that something else sent; its text also becomes the
    /// agent's line of the conversation, so that people read the thread both ways.
    ///
    /// # Errors
    /// As [`Tx::insert_sent`].
    pub fn import_sent(
        &self,
        s: &NewSent,
        ref_hashes: &[String],
        now: UtcMs,
    ) -> Result<SentUpsert, StoreError> {
        let done = self.upsert_sent(s, ref_hashes, now)?;
        let own_id = s.ids.first().map_or("", |(id_key, _)| id_key.as_str());
        if done.change == Change::Updated && s.kind != SentKind::Manual {
            // Read in the Sent folder before the import said that a program sent it.
            self.conn
                .prepare_cached(
                    "UPDATE conversations
                     SET sender = 'agent', agent_tool_used = 'message_generation'
                     WHERE campaign_lead_id = ?1 AND sender = 'human' AND email_message_id = ?2",
                )?
                .execute(params![s.campaign_lead_id.0, own_id])?;
        }
        if s.body.is_empty() || done.change == Change::Unchanged {
            return Ok(done);
        }
        let line: Option<(i64, bool)> = self
            .conn
            .prepare_cached(
                "SELECT id, outbox_ref IS NOT NULL FROM conversations
                 WHERE campaign_lead_id = ?1 AND sender = 'agent' AND email_message_id = ?2",
            )?
            .query_row(params![s.campaign_lead_id.0, own_id], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        match line {
            Some((_, true)) => {}
            Some((id, false)) => {
                self.conn
                    .prepare_cached(
                        "UPDATE conversations SET message = ?2, created_at = ?3 WHERE id = ?1",
                    )?
                    .execute(params![id, s.body, s.sent_at.0])?;
            }
            None => {
                self.conn
                    .prepare_cached(
                        "INSERT INTO conversations (campaign_lead_id, sender, message,
                             agent_tool_used, email_message_id, created_at)
                         VALUES (?1, 'agent', ?2, 'message_generation', ?3, ?4)",
                    )?
                    .execute(params![s.campaign_lead_id.0, s.body, own_id, s.sent_at.0])?;
            }
        }
        Ok(done)
    }

    /// Runs `f` whole or not at all inside the open transaction: when it fails, what it wrote is
    /// undone and the transaction goes on.
    ///
    /// # Errors
    /// What `f` returns, or what SQLite says.
    pub fn whole<T>(
        &self,
        f: impl FnOnce(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.conn.execute_batch("SAVEPOINT whole")?;
        let error = match f(self) {
            Ok(done) => {
                self.conn.execute_batch("RELEASE whole")?;
                return Ok(done);
            }
            Err(error) => error,
        };
        let undone = self.conn.execute_batch("ROLLBACK TO whole; RELEASE whole");
        match (undone, &error) {
            // What was written still stands: the caller must not go on as after a bad row.
            (Err(undo), StoreError::Invalid(_) | StoreError::NotFound(_)) => Err(undo.into()),
            _ => Err(error),
        }
    }

    /// Adds one more id by which a sent mail may be referred to (a provider's, a taught one),
    /// and puts stored messages that refer to it into `refetch`. `false`, and nothing written,
    /// when the id is known already (of this mail or another) or is a sales notice's: an alias
    /// must never undo the record that a mail was sent.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn add_sent_id(
        &self,
        sent: SentId,
        id_key: &str,
        source: IdSource,
        ref_hash: &str,
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        if id_key.is_empty() || self.is_notice_id(id_key)? || !self.add_id(sent, id_key, source)? {
            return Ok(false);
        }
        self.refetch_referring(ref_hash, now)?;
        Ok(true)
    }

    /// The sent mail that the ids of `s` belong to already, after the checks.
    fn known_owner(&self, s: &NewSent) -> Result<Option<SentId>, StoreError> {
        if s.ids.iter().all(|(id_key, _)| id_key.is_empty()) {
            return Err(StoreError::Invalid(
                "A sent mail needs a Message-ID: replies are found by it".into(),
            ));
        }
        let mut found: Option<SentRef> = None;
        for (id_key, _) in &s.ids {
            if self.is_notice_id(id_key)? {
                return Err(StoreError::Invalid(
                    "The Message-ID is that of a notice to sales, which cannot stand for a lead"
                        .into(),
                ));
            }
            let Some(this) = self.sent_by_id(id_key)? else {
                continue;
            };
            if found.as_ref().is_some_and(|f| f.sent_id != this.sent_id) {
                return Err(StoreError::Invalid(
                    "The Message-IDs belong to different sent mails".into(),
                ));
            }
            found = Some(this);
        }
        let Some(found) = found else {
            return Ok(None);
        };
        if found.campaign_lead_id != s.campaign_lead_id {
            let lead_of = |id: CampaignLeadId| -> Result<Option<i64>, StoreError> {
                Ok(self
                    .conn
                    .prepare_cached("SELECT lead_id FROM campaign_leads WHERE id = ?1")?
                    .query_row([id.0], |row| row.get(0))
                    .optional()?)
            };
            let same_lead = lead_of(found.campaign_lead_id)? == lead_of(s.campaign_lead_id)?;
            return Err(StoreError::Invalid(if same_lead {
                "The Message-ID is known already, as a mail to this lead in another campaign".into()
            } else {
                "The Message-ID is known already, as a mail to another lead".into()
            }));
        }
        Ok(Some(found.sent_id))
    }

    pub(super) fn add_sent(&self, s: &NewSent, now: UtcMs) -> Result<SentId, StoreError> {
        let there = self
            .conn
            .prepare_cached("SELECT 1 FROM campaign_leads WHERE id = ?1")?
            .exists([s.campaign_lead_id.0])?;
        if !there {
            return Err(StoreError::NotFound(format!(
                "campaign_lead {}",
                s.campaign_lead_id
            )));
        }
        self.conn
            .prepare_cached(
                "INSERT INTO sent_messages
                     (campaign_lead_id, kind, subject, body, sent_at, known_at, outbox_ref)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                s.campaign_lead_id.0,
                s.kind.as_str(),
                s.subject,
                s.body,
                s.sent_at.0,
                now.0,
                s.outbox_ref.map(|o| o.0),
            ])?;
        Ok(SentId(self.conn.last_insert_rowid()))
    }

    /// Takes over what an import says of a mail that we did not send ourselves.
    fn update_sent(&self, id: SentId, s: &NewSent) -> Result<Change, StoreError> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE sent_messages SET
                     kind = ?2,
                     subject = CASE WHEN ?3 = '' THEN subject ELSE ?3 END,
                     body = CASE WHEN ?4 = '' THEN body ELSE ?4 END,
                     sent_at = ?5
                 WHERE id = ?1 AND outbox_ref IS NULL
                   AND (kind <> ?2 OR sent_at <> ?5
                        OR (?3 <> '' AND subject <> ?3) OR (?4 <> '' AND body <> ?4))",
            )?
            .execute(params![
                id.0,
                s.kind.as_str(),
                s.subject,
                s.body,
                s.sent_at.0
            ])?;
        Ok(if changed == 0 {
            Change::Unchanged
        } else {
            Change::Updated
        })
    }

    fn add_id(&self, sent: SentId, id_key: &str, source: IdSource) -> Result<bool, StoreError> {
        if id_key.is_empty() {
            return Ok(false);
        }
        let added = self
            .conn
            .prepare_cached(
                "INSERT INTO sent_ids (id_key, sent_id, source, local_key) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (id_key) DO NOTHING",
            )?
            .execute(params![
                id_key,
                sent.0,
                source.as_str(),
                msgid::local_key(id_key)
            ])?;
        Ok(added > 0)
    }

    /// Keeps the predecessor's columns about the newest mail to a lead.
    fn note_on_campaign_lead(&self, s: &NewSent) -> Result<(), StoreError> {
        let own_id = s.ids.first().map_or("", |(id_key, _)| id_key.as_str());
        self.conn
            .prepare_cached(
                "UPDATE campaign_leads
                 SET message_sent = 1, message_sent_at = ?2, email_message_id = ?3
                 WHERE id = ?1 AND (message_sent_at IS NULL OR message_sent_at <= ?2)",
            )?
            .execute(params![s.campaign_lead_id.0, s.sent_at.0, own_id])?;
        Ok(())
    }

    /// Puts the stored messages without a match that refer to an id into `refetch`.
    pub(super) fn refetch_referring(
        &self,
        ref_hash: &str,
        now: UtcMs,
    ) -> Result<usize, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "INSERT INTO refetch (message_id, account_id, requested_at)
                 SELECT m.id, m.account_id, ?2
                 FROM message_refs r JOIN messages m ON m.id = r.message_id
                 WHERE r.ref_hash = ?1 AND m.campaign_lead_id IS NULL
                   AND m.disposition IN ('ignored', 'unmatched', 'bounce', 'auto_reply', 'receipt', 'complaint')
                 ON CONFLICT (message_id) DO NOTHING",
            )?
            .execute(params![ref_hash, now.0])?)
    }
}
