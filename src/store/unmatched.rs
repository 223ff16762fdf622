//! Mail of leads that answers nothing known: listed with the threads it may belong to, attached
//! to one by a person, or ignored.
//!
//! Attaching teaches (docs/DECISIONS.md "The matching ladder"): the ids that the message refers
//! to become ids of the thread's mail, its sender an address of the lead, and stored messages
//! that match by them are taken along.

use rusqlite::{OptionalExtension, params};

use super::{NewConversation, Reader, Speaker, StoreError, Tx};
use crate::matcher;
use crate::model::{
    Access, CampaignLeadId, Disposition, IdSource, MessageRowId, SentId, address_key,
};
use crate::time::UtcMs;

/// Threads that are proposed for one message.
const PROPOSALS: usize = 3;
/// Threads that are looked through for them.
const THREADS: u32 = 50;
/// Ids that one attachment teaches.
const TAUGHT_IDS: usize = 20;

/// A message without a thread.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Unmatched {
    /// The row.
    pub id: MessageRowId,
    /// When the server received it.
    pub received_at: UtcMs,
    /// Sender's address as written.
    pub from_address: String,
    /// Sender's name.
    pub from_name: String,
    /// Subject.
    pub subject: String,
    /// What was newly written.
    pub text: String,
    /// Threads of the sender, the likeliest first, at most three.
    pub proposed: Vec<Proposal>,
}

/// A thread to which a message may belong.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Proposal {
    /// The thread.
    pub campaign_lead_id: CampaignLeadId,
    /// The operator's key of the lead.
    pub lead_id: String,
    /// The lead's name.
    pub lead_name: String,
    /// The campaign.
    pub campaign: String,
    /// Subject of the newest mail to the lead there; empty when none is known.
    pub last_subject: String,
    /// When that was sent.
    pub last_sent_at: Option<UtcMs>,
    /// The subjects are the same.
    pub same_subject: bool,
}

/// What attaching taught.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Taught {
    /// Ids that stand for the thread's mail from now on.
    pub ids: usize,
    /// The sender counts as the lead from now on.
    pub address: bool,
    /// Stored messages that may match now and are looked at again.
    pub refetch: usize,
}

/// A message as attaching needs it.
struct Letter {
    disposition: String,
    from_address: String,
    refers_to: Vec<String>,
    received_at: UtcMs,
    sender_hash: String,
    key: String,
    in_reply_to: String,
    text: String,
}

impl Reader<'_> {
    /// Mail of leads that answers nothing known, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn unmatched(&self, limit: u32) -> Result<Vec<Unmatched>, StoreError> {
        let mut found = self.unmatched_before(None, limit)?;
        for message in &mut found {
            self.propose(message, &Access::All)?;
        }
        Ok(found)
    }

    /// Those older than a row, without proposals.
    pub(super) fn unmatched_before(
        &self,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Unmatched>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, internal_date, from_address, from_name, subject,
                    CASE WHEN visible_text = '' THEN full_text ELSE visible_text END
             FROM messages WHERE disposition = 'unmatched' AND id < ?2 ORDER BY id DESC LIMIT ?1",
        )?;
        let rows = statement.query_map([i64::from(limit), before.unwrap_or(i64::MAX)], |row| {
            Ok(Unmatched {
                id: MessageRowId(row.get(0)?),
                received_at: UtcMs(row.get(1)?),
                from_address: row.get(2)?,
                from_name: row.get(3)?,
                subject: row.get(4)?,
                text: row.get(5)?,
                proposed: Vec::new(),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The threads that a message may belong to, of those that the viewer may see.
    pub(super) fn propose(
        &self,
        message: &mut Unmatched,
        access: &Access,
    ) -> Result<(), StoreError> {
        let subject = matcher::folded_subject(&message.subject);
        let key = address_key(&message.from_address);
        message.proposed = self.threads_of(&key, &subject, access)?;
        Ok(())
    }

    /// The likeliest threads of leads with this address.
    fn threads_of(
        &self,
        key: &str,
        subject: &str,
        access: &Access,
    ) -> Result<Vec<Proposal>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT c.id, l.lead_id, l.name, k.name, s.subject, s.sent_at
             FROM leads l JOIN campaign_leads c ON c.lead_id = l.id
             JOIN campaigns k ON k.id = c.campaign_id
             LEFT JOIN sent_messages s ON s.id = (
                 SELECT id FROM sent_messages WHERE campaign_lead_id = c.id
                 ORDER BY sent_at DESC, id DESC LIMIT 1)
             WHERE l.id IN (SELECT id FROM leads WHERE email_key = ?1 AND email_key <> ''
                            UNION SELECT lead_id FROM lead_addresses WHERE address_key = ?1)
               AND (?3 IS NULL OR c.campaign_id IN (SELECT value FROM json_each(?3)))
             ORDER BY s.sent_at DESC, c.id DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![key, THREADS, access.list()], |row| {
            let last_subject = row.get::<_, Option<String>>(4)?.unwrap_or_default();
            let folded = matcher::folded_subject(&last_subject);
            Ok(Proposal {
                campaign_lead_id: CampaignLeadId(row.get(0)?),
                lead_id: row.get(1)?,
                lead_name: row.get(2)?,
                campaign: row.get(3)?,
                same_subject: !subject.is_empty() && folded == subject,
                last_subject,
                last_sent_at: row.get::<_, Option<i64>>(5)?.map(UtcMs),
            })
        })?;
        let mut found: Vec<Proposal> = rows.collect::<Result<_, _>>()?;
        // Stable: among equals the newest stays first.
        found.sort_by_key(|p| !p.same_subject);
        found.truncate(PROPOSALS);
        Ok(found)
    }

    /// The thread of a lead (its operator's key) in a campaign.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none; [`StoreError::Invalid`] when the lead is in
    /// several campaigns and none is named.
    pub fn thread_of_lead(
        &self,
        lead_id: &str,
        campaign: Option<&str>,
    ) -> Result<CampaignLeadId, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT c.id, k.name FROM leads l JOIN campaign_leads c ON c.lead_id = l.id
             JOIN campaigns k ON k.id = c.campaign_id
             WHERE l.lead_id = ?1 AND (?2 IS NULL OR k.name = ?2) ORDER BY c.id DESC LIMIT 20",
        )?;
        let rows = statement.query_map(params![lead_id, campaign], |row| {
            Ok((CampaignLeadId(row.get(0)?), row.get::<_, String>(1)?))
        })?;
        let threads: Vec<(CampaignLeadId, String)> = rows.collect::<Result<_, _>>()?;
        match threads.as_slice() {
            [] => Err(StoreError::NotFound(match campaign {
                Some(name) => format!("Lead {lead_id:?} in campaign {name:?}"),
                None => format!("Lead {lead_id:?} in any campaign"),
            })),
            [(id, _)] => Ok(*id),
            several => {
                let names: Vec<&str> = several.iter().map(|(_, name)| name.as_str()).collect();
                Err(StoreError::Invalid(format!(
                    "Lead {lead_id:?} is in several campaigns ({}): name one with --campaign",
                    names.join(", ")
                )))
            }
        }
    }

    fn letter(&self, id: MessageRowId) -> Result<Letter, StoreError> {
        let found = self
            .conn
            .prepare_cached(
                "SELECT disposition, from_address, in_reply_to, reference_ids, internal_date,
                        sender_hash, message_key,
                        CASE WHEN visible_text = '' THEN full_text ELSE visible_text END
                 FROM messages WHERE id = ?1",
            )?
            .query_row([id.0], |row| {
                let in_reply_to: String = row.get(2)?;
                let references: String = row.get(3)?;
                let ids = in_reply_to
                    .split_whitespace()
                    .chain(references.split_whitespace().rev());
                let mut refers_to: Vec<String> = Vec::new();
                for id in ids {
                    if !refers_to.iter().any(|known| known == id) {
                        refers_to.push(id.to_owned());
                    }
                }
                Ok(Letter {
                    disposition: row.get(0)?,
                    from_address: row.get(1)?,
                    refers_to,
                    received_at: UtcMs(row.get(4)?),
                    sender_hash: row.get(5)?,
                    key: row.get(6)?,
                    in_reply_to,
                    text: row.get(7)?,
                })
            })
            .optional()?
            .ok_or_else(|| StoreError::NotFound(format!("Message {id}")))?;
        if found.disposition != Disposition::Unmatched.as_str() {
            return Err(StoreError::Invalid(format!(
                "Message {id} is {}, not unmatched: `replyd unmatched list` shows those that are",
                found.disposition
            )));
        }
        Ok(found)
    }
}

impl Tx<'_> {
    /// Attaches an unmatched message to a thread: a person says that it belongs there. With
    /// `teach` the ids it refers to and its sender are learned. It is never answered
    /// automatically. `ref_hashes` gives the keyed hashes of an id.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the message is not unmatched, [`StoreError::NotFound`] when
    /// message or thread are not there.
    pub fn attach(
        &self,
        message: MessageRowId,
        thread: CampaignLeadId,
        teach: bool,
        ref_hashes: impl Fn(&str) -> Vec<String>,
        now: UtcMs,
    ) -> Result<Taught, StoreError> {
        let letter = self.letter(message)?;
        let (lead, lead_key): (i64, String) = self
            .conn
            .prepare_cached(
                "SELECT l.id, l.email_key FROM campaign_leads c JOIN leads l ON l.id = c.lead_id
                 WHERE c.id = ?1",
            )?
            .query_row([thread.0], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?
            .ok_or_else(|| StoreError::NotFound(format!("Thread {thread}")))?;
        let sent = self.newest_sent(thread, letter.received_at)?;
        let sender = address_key(&letter.from_address);
        let is_lead = sender == lead_key && !sender.is_empty();
        let mut taught = Taught::default();
        if teach {
            taught.address = !is_lead && self.teach_address(&sender, lead, now)?;
            if let Some(sent) = sent {
                for id in letter.refers_to.iter().take(TAUGHT_IDS) {
                    if !self.add_sent_id(sent, id, IdSource::Taught, "", now)? {
                        continue;
                    }
                    taught.ids += 1;
                    for hash in ref_hashes(id) {
                        taught.refetch += self.refetch_referring(&hash, now)?;
                    }
                }
            }
        }
        let verified = is_lead || teach;
        let disposition = if verified {
            Disposition::Reply
        } else {
            Disposition::ReplyUnverified
        };
        self.conn
            .prepare_cached(
                "UPDATE messages SET disposition = ?2, campaign_lead_id = ?3, matched_sent_id = ?4,
                     match_method = 'attached', match_confidence = 1.0, sender_verified = ?5,
                     evidence = json_insert(evidence, '$[#]', 'attached by a person')
                 WHERE id = ?1 AND disposition = 'unmatched'",
            )?
            .execute(params![
                message.0,
                disposition.as_str(),
                thread.0,
                sent.map(|s| s.0),
                verified
            ])?;
        self.conn
            .prepare_cached("DELETE FROM message_refs WHERE message_id = ?1")?
            .execute([message.0])?;
        self.conn
            .prepare_cached("DELETE FROM refetch WHERE message_id = ?1")?
            .execute([message.0])?;
        let parent = letter.in_reply_to.split_whitespace().next();
        self.insert_conversation(&NewConversation {
            campaign_lead_id: thread,
            sender: Speaker::Customer,
            message: &letter.text,
            agent_tool_used: "",
            email_message_id: &letter.key,
            email_in_reply_to: parent.unwrap_or_default(),
            created_at: letter.received_at,
            message_ref: Some(message),
            outbox_ref: None,
        })?;
        self.insert_reply_job(message, true, now)?;
        self.reopen_reply_job(message, now)?;
        if taught.address {
            taught.refetch += self.refetch_from_sender(&letter.sender_hash, now)?;
        }
        Ok(taught)
    }

    /// A person says that an unmatched message concerns nobody: its text and addresses are
    /// dropped, the keyed hashes stay, so that a later import can still find it.
    ///
    /// # Errors
    /// As [`Tx::attach`].
    pub fn ignore_unmatched(&self, message: MessageRowId) -> Result<(), StoreError> {
        self.letter(message)?;
        self.conn
            .prepare_cached(
                "UPDATE messages SET disposition = 'ignored', from_address = '', from_name = '',
                     to_addresses = '', subject = '', in_reply_to = '', reference_ids = '',
                     full_text = '', visible_text = '', attachments = '[]', raw = NULL,
                     evidence = '[\"ignored by a person\"]'
                 WHERE id = ?1 AND disposition = 'unmatched'",
            )?
            .execute([message.0])?;
        self.conn
            .prepare_cached(
                "DELETE FROM digest_items WHERE message_id = ?1 AND outbox_ref IS NULL",
            )?
            .execute([message.0])?;
        Ok(())
    }

    fn newest_sent(
        &self,
        thread: CampaignLeadId,
        before: UtcMs,
    ) -> Result<Option<SentId>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT id FROM sent_messages WHERE campaign_lead_id = ?1
                 ORDER BY sent_at > ?2, abs(sent_at - ?2), id DESC LIMIT 1",
            )?
            .query_row(params![thread.0, before.0], |row| Ok(SentId(row.get(0)?)))
            .optional()?)
    }

    fn teach_address(&self, key: &str, lead: i64, now: UtcMs) -> Result<bool, StoreError> {
        if key.is_empty() {
            return Ok(false);
        }
        Ok(self
            .conn
            .prepare_cached(
                "INSERT INTO lead_addresses (address_key, lead_id, created_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![key, lead, now.0])?
            == 1)
    }
}

#[cfg(test)]
#[path = "unmatched_tests.rs"]
mod tests;
