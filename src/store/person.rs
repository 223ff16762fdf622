//! A person's mail in a thread, read in the Sent folder: it becomes part of the conversation, and
//! from then on people have the thread. Queued automatic mails and open drafts that it made
//! useless are withdrawn in the same transaction, so none of them can leave after its commit.

use rusqlite::params;

use super::{NewConversation, NewSent, Reader, Speaker, StoreError, Superseded, Tx};
use crate::model::{
    AccountId, CampaignId, CampaignLeadId, IdSource, LeadRowId, MessageRowId, OutboxId, SentId,
    SentKind,
};
use crate::time::UtcMs;

/// Conversations of one address that are looked at.
const MAX_THREADS: u32 = 50;

/// A conversation with somebody to whom a mail goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadWith {
    /// The conversation.
    pub campaign_lead_id: CampaignLeadId,
    /// The lead.
    pub lead: LeadRowId,
    /// Whether its campaign runs.
    pub active: bool,
    /// Whether anything was ever said in it.
    pub open: bool,
}

/// The thread that a mail continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Continues {
    /// The conversation.
    pub campaign_lead_id: CampaignLeadId,
    /// It answers a mail of the lead; else it follows up one of ours.
    pub answers_lead: bool,
}

/// A person's mail.
#[derive(Clone, Copy, Debug)]
pub struct PersonMail<'a> {
    /// Its Message-ID, canonical, and its keyed hash; none: it has none.
    pub id: Option<(&'a str, &'a str)>,
    /// Subject, decoded.
    pub subject: &'a str,
    /// What the person newly wrote.
    pub text: &'a str,
    /// Canonical id of the mail that it answers; may be empty.
    pub in_reply_to: &'a str,
    /// When the server filed it.
    pub sent_at: UtcMs,
    /// Its row, when it was captured.
    pub message: Option<MessageRowId>,
}

/// What became of a thread that people have now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenOver {
    /// Automatic mails that were withdrawn.
    pub withdrawn: Vec<OutboxId>,
    /// Drafts that were closed.
    pub drafts: usize,
    /// Replies newer than the person's mail whose answer was withdrawn: they are decided anew.
    pub reopened: usize,
}

impl Reader<'_> {
    /// Whether a person of ours wrote in a conversation: a mail of it was written or approved by
    /// one, or a copy of one came in: from sales (`internal`) or from our own address
    /// (`own_mail`). Our automatic mails that come in again bear an id that we know; a
    /// colleague's vacation notice is no person's mail either.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn person_wrote(&self, thread: CampaignLeadId) -> Result<bool, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM conversations
                                WHERE campaign_lead_id = ?1 AND sender = 'human')
                     OR EXISTS (SELECT 1 FROM sent_messages s
                                LEFT JOIN outbox o ON o.id = s.outbox_ref
                                WHERE s.campaign_lead_id = ?1
                                  AND (s.kind = 'manual'
                                       OR (s.kind <> 'campaign' AND o.automatic = 0)))
                     OR EXISTS (SELECT 1 FROM messages m
                                WHERE m.campaign_lead_id = ?1
                                  AND m.disposition IN ('internal', 'own_mail')
                                  AND m.nature NOT IN ('automatic', 'bounce', 'receipt', 'complaint')
                                  AND NOT EXISTS (SELECT 1 FROM sent_ids
                                                  WHERE id_key = m.message_key)
                                  AND NOT EXISTS (SELECT 1 FROM outbox
                                                  WHERE rfc_message_id = m.message_key))",
            )?
            .query_row([thread.0], |row| row.get(0))?)
    }

    /// The thread that a mail continues by the ids that it refers to, in the order in which they
    /// count: a mail of ours, or a captured mail of a lead in this account.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn thread_of_ids<'i>(
        &self,
        account: AccountId,
        ids: impl Iterator<Item = &'i str>,
    ) -> Result<Option<Continues>, StoreError> {
        let mut captured = self.conn.prepare_cached(
            "SELECT campaign_lead_id FROM messages
             WHERE account_id = ?1 AND message_key = ?2 AND campaign_lead_id IS NOT NULL LIMIT 1",
        )?;
        for id in ids {
            if let Some(sent) = self.sent_by_id(id)? {
                return Ok(Some(Continues {
                    campaign_lead_id: sent.campaign_lead_id,
                    answers_lead: false,
                }));
            }
            let mut rows = captured.query(params![account.0, id])?;
            if let Some(row) = rows.next()? {
                return Ok(Some(Continues {
                    campaign_lead_id: CampaignLeadId(row.get(0)?),
                    answers_lead: true,
                }));
            }
        }
        Ok(None)
    }

    /// The conversations with an address (its key), those of running and of new campaigns first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn threads_with(&self, email_key: &str) -> Result<Vec<ThreadWith>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT cl.id, cl.lead_id, c.is_active,
                    EXISTS (SELECT 1 FROM sent_messages s WHERE s.campaign_lead_id = cl.id)
                    OR EXISTS (SELECT 1 FROM conversations v WHERE v.campaign_lead_id = cl.id)
             FROM leads l
             JOIN campaign_leads cl ON cl.lead_id = l.id
             JOIN campaigns c ON c.id = cl.campaign_id
             WHERE l.email_key = ?1 AND l.email_key <> ''
             ORDER BY c.is_active DESC, c.id DESC, cl.id DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![email_key, MAX_THREADS], |row| {
            Ok(ThreadWith {
                campaign_lead_id: CampaignLeadId(row.get(0)?),
                lead: LeadRowId(row.get(1)?),
                active: row.get(2)?,
                open: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether one of these address keys is the lead of a conversation, or wrote in it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn is_in_thread(
        &self,
        thread: CampaignLeadId,
        email_keys: &[String],
    ) -> Result<bool, StoreError> {
        let mut lead = self.conn.prepare_cached(
            "SELECT 1 FROM campaign_leads cl JOIN leads l ON l.id = cl.lead_id
             WHERE cl.id = ?1 AND l.email_key = ?2",
        )?;
        for key in email_keys {
            if lead.exists(params![thread.0, key])? {
                return Ok(true);
            }
        }
        let mut statement = self.conn.prepare_cached(
            "SELECT from_address FROM messages WHERE campaign_lead_id = ?1 AND from_address <> ''
             ORDER BY id DESC LIMIT 50",
        )?;
        let mut rows = statement.query([thread.0])?;
        while let Some(row) = rows.next()? {
            let key = crate::model::address_key(&row.get::<_, String>(0)?);
            if email_keys.contains(&key) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Tx<'_> {
    /// Records a mail that was sent to a lead by something or somebody else, found in the Sent
    /// folder: replies to it match from now on. None when it has no Message-ID, or one that is
    /// known already.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn record_found(
        &self,
        thread: CampaignLeadId,
        kind: SentKind,
        mail: &PersonMail<'_>,
        now: UtcMs,
    ) -> Result<Option<super::SentUpsert>, StoreError> {
        let Some((id, hash)) = mail.id else {
            return Ok(None);
        };
        if self.sent_by_id(id)?.is_some() || self.is_notice_id(id)? {
            return Ok(None);
        }
        let sent = NewSent {
            campaign_lead_id: thread,
            kind,
            subject: mail.subject.to_owned(),
            body: mail.text.to_owned(),
            sent_at: mail.sent_at,
            outbox_ref: None,
            ids: vec![(id.to_owned(), IdSource::SentFolder)],
        };
        let hashes = [hash.to_owned()];
        let done = if kind == SentKind::Manual {
            self.upsert_sent(&sent, &hashes, now)?
        } else {
            self.import_sent(&sent, &hashes, now)?
        };
        Ok(Some(done))
    }

    /// Adds the person's line to a conversation.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn add_persons_line(
        &self,
        thread: CampaignLeadId,
        mail: &PersonMail<'_>,
    ) -> Result<(), StoreError> {
        self.insert_conversation(&NewConversation {
            campaign_lead_id: thread,
            sender: Speaker::Human,
            message: mail.text,
            agent_tool_used: "",
            email_message_id: mail.id.map_or("", |(id, _)| id),
            email_in_reply_to: mail.in_reply_to,
            created_at: mail.sent_at,
            message_ref: mail.message,
            outbox_ref: None,
        })?;
        Ok(())
    }

    /// Ends what was under way by itself in a conversation, because a person wrote in it at
    /// `wrote_at`: automatic mails that were not handed over yet are withdrawn, drafts for what
    /// the person had before them are closed. A reply that came after the person's mail and whose
    /// answer is withdrawn is decided anew: it goes to people.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn take_over(
        &self,
        thread: CampaignLeadId,
        wrote_at: UtcMs,
        now: UtcMs,
    ) -> Result<TakenOver, StoreError> {
        let mut done = TakenOver::default();
        let waiting: Vec<(i64, i64, Option<i64>, Option<i64>)> = self
            .conn
            .prepare_cached(
                "SELECT o.id, o.attempts, j.message_id, m.internal_date
                 FROM outbox o
                 LEFT JOIN reply_jobs j ON j.id = o.job_id
                 LEFT JOIN messages m ON m.id = j.message_id
                 WHERE o.automatic = 1 AND o.campaign_lead_id = ?1
                   AND (o.state IN ('queued', 'deferred')
                        OR (o.state = 'sending' AND o.handed_over_at IS NULL))",
            )?
            .query_map([thread.0], |r| {
                Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))
            })?
            .collect::<Result<_, _>>()?;
        for (id, attempts, reply, reply_came) in waiting {
            let id = OutboxId(id);
            if !self.withdraw_for_person(id, attempts, now)? {
                continue;
            }
            done.withdrawn.push(id);
            if let Some(reply) = reply
                && reply_came.is_some_and(|came| came > wrote_at.0)
            {
                done.reopened += self.decide_anew(MessageRowId(reply), now)?;
            }
        }
        let why = "a person answered by mail";
        done.drafts = self.supersede_drafts(Superseded::Thread(thread, wrote_at), why, now)?;
        Ok(done)
    }

    /// Also one whose attempt is booked: without its row in `sending` the body must not go out.
    fn withdraw_for_person(
        &self,
        id: OutboxId,
        attempts: i64,
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE outbox SET state = 'cancelled', held = 0, smtp_text = ?3, finished_at = ?4
                 WHERE id = ?1 AND attempts = ?2
                   AND (state IN ('queued', 'deferred')
                        OR (state = 'sending' AND handed_over_at IS NULL))",
            )?
            .execute(params![
                id.0,
                attempts,
                "A person has written in the thread",
                now.0
            ])?;
        if changed == 0 {
            return Ok(false);
        }
        // It never left: people must not read it in the thread as if it had.
        self.conn
            .prepare_cached("DELETE FROM conversations WHERE outbox_ref = ?1")?
            .execute([id.0])?;
        Ok(true)
    }

    fn decide_anew(&self, reply: MessageRowId, now: UtcMs) -> Result<usize, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "UPDATE reply_jobs SET state = 'pending', tries_from = attempts,
                     next_attempt_at = ?2, done_at = NULL, error = ''
                 WHERE message_id = ?1 AND state <> 'pending'",
            )?
            .execute(params![reply.0, now.0])?)
    }

    /// Links the row of a mail in the Sent folder to the conversation that it belongs to.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn link_sent_row(
        &self,
        message: MessageRowId,
        thread: CampaignLeadId,
        sent: Option<SentId>,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE messages SET campaign_lead_id = ?2, matched_sent_id = ?3 WHERE id = ?1",
            )?
            .execute(params![message.0, thread.0, sent.map(|s| s.0)])?;
        Ok(())
    }

    /// The conversation of a lead in a campaign of this name, which is made when it is new.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn thread_in(
        &self,
        campaign: &str,
        lead: LeadRowId,
        now: UtcMs,
    ) -> Result<CampaignLeadId, StoreError> {
        let (campaign, _): (CampaignId, bool) = self.campaign_named(campaign, now)?;
        let (thread, _) = self.join_campaign(campaign, lead, now)?;
        Ok(thread)
    }
}
