//! A reply that was matched to the wrong conversation is taken out of it, with what its wrong match
//! brought about and can be taken back.

use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use super::{NewEvent, Reader, Store, StoreError, Tx};
use crate::model::{CampaignId, CampaignLeadId, JobId, LeadRowId, MessageRowId, OutboxId};
use crate::time::UtcMs;

/// Why a mail that answers it does not leave.
const ELSEWHERE: &str = "A person says that the reply belongs to another conversation";

/// What taking a reply out of a conversation did, and what a person has to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Detached {
    /// The conversation that it stood in.
    pub from: Option<CampaignLeadId>,
    /// Mails to that lead that had not left yet, and do not now.
    pub withdrawn: u32,
    /// A mail that answers it has left to that lead already.
    pub answered: bool,
    /// That lead gets no mail any more, perhaps because of this reply.
    pub suppressed: bool,
    /// That lead is left alone until then, perhaps because of this reply.
    pub paused_until: Option<UtcMs>,
}

impl Reader<'_> {
    /// Whose campaign a conversation is of; none: there is no such conversation.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn campaign_of(&self, thread: CampaignLeadId) -> Result<Option<CampaignId>, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT campaign_id FROM campaign_leads WHERE id = ?1")?
            .query_row([thread.0], |row| row.get(0).map(CampaignId))
            .optional()?)
    }

    /// The lead of a conversation.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] without it.
    pub fn lead_of(&self, thread: CampaignLeadId) -> Result<LeadRowId, StoreError> {
        self.conn
            .prepare_cached("SELECT lead_id FROM campaign_leads WHERE id = ?1")?
            .query_row([thread.0], |row| row.get(0).map(LeadRowId))
            .optional()?
            .ok_or_else(|| StoreError::NotFound(format!("Conversation {thread}")))
    }

    /// The newest reply of a conversation that was handled or is to be, with its job.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest_reply_job(
        &self,
        thread: CampaignLeadId,
    ) -> Result<Option<(JobId, MessageRowId)>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT j.id, m.id FROM messages m JOIN reply_jobs j ON j.message_id = m.id
                 WHERE m.campaign_lead_id = ?1
                   AND m.disposition IN ('reply', 'reply_unverified', 'human_uncertain', 'unreadable',
                                         'opt_out')
                 ORDER BY m.id DESC LIMIT 1",
            )?
            .query_row([thread.0], |row| {
                Ok((JobId(row.get(0)?), MessageRowId(row.get(1)?)))
            })
            .optional()?)
    }
}

impl Tx<'_> {
    /// Takes a reply out of its conversation: it is unmatched again, its line is gone, its drafts
    /// are of no use, and what answers it and has not left does not leave.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] without such a message, [`StoreError::Invalid`] for one that stands
    /// in no conversation or is no person's reply.
    pub fn detach(
        &self,
        message: MessageRowId,
        by: &str,
        now: UtcMs,
    ) -> Result<Detached, StoreError> {
        let row: Option<(String, Option<i64>)> = self
            .conn
            .prepare_cached("SELECT disposition, campaign_lead_id FROM messages WHERE id = ?1")?
            .query_row([message.0], |r| Ok((r.get(0)?, r.get(1)?)))
            .optional()?;
        let (disposition, thread) =
            row.ok_or_else(|| StoreError::NotFound(format!("Message {message}")))?;
        let thread = thread.map(CampaignLeadId).ok_or_else(|| {
            StoreError::Invalid(format!("Message {message} stands in no conversation"))
        })?;
        if !matches!(
            disposition.as_str(),
            "reply" | "reply_unverified" | "human_uncertain" | "unreadable" | "opt_out"
        ) {
            return Err(StoreError::Invalid(format!(
                "Message {message} is {disposition}: only a person's reply can be taken out of its conversation"
            )));
        }
        let mut done = Detached {
            from: Some(thread),
            ..Detached::default()
        };
        for (id, waits) in self.mails_about(message)? {
            if waits {
                self.end(id, "cancelled", ELSEWHERE, now)?;
                done.withdrawn = done.withdrawn.saturating_add(1);
            } else {
                done.answered = true;
            }
        }
        self.conn
            .prepare_cached(
                "UPDATE drafts SET state = 'superseded', decided_at = ?2, decided_by = ?3, decision = ?4
                 WHERE message_id = ?1 AND state = 'open'",
            )?
            .execute(params![message.0, now.0, by, ELSEWHERE])?;
        // Wherever it goes from here: nothing is sent to it automatically.
        self.conn
            .prepare_cached("UPDATE reply_jobs SET old_mail = 1 WHERE message_id = ?1")?
            .execute([message.0])?;
        self.conn
            .prepare_cached("DELETE FROM conversations WHERE message_ref = ?1")?
            .execute([message.0])?;
        self.conn
            .prepare_cached(
                "DELETE FROM digest_items WHERE message_id = ?1 AND outbox_ref IS NULL",
            )?
            .execute([message.0])?;
        self.conn
            .prepare_cached(
                "UPDATE messages SET disposition = 'unmatched', campaign_lead_id = NULL,
                     matched_sent_id = NULL, match_method = '', match_confidence = 0,
                     sender_verified = 0,
                     evidence = json_insert(evidence, '$[#]', 'taken out of its conversation by a person')
                 WHERE id = ?1",
            )?
            .execute([message.0])?;
        let (suppressed, paused): (bool, Option<i64>) = self
            .conn
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM suppressions s
                                WHERE s.email_key = l.email_key AND s.email_key <> ''), l.paused_until
                 FROM campaign_leads cl JOIN leads l ON l.id = cl.lead_id WHERE cl.id = ?1",
            )?
            .query_row([thread.0], |r| Ok((r.get(0)?, r.get(1)?)))?;
        done.suppressed = suppressed;
        done.paused_until = paused.map(UtcMs).filter(|until| *until > now);
        Ok(done)
    }

    /// Mails to the lead that answer a reply, and whether each still waits.
    fn mails_about(&self, message: MessageRowId) -> Result<Vec<(OutboxId, bool)>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT o.id, o.state IN ('queued', 'deferred') FROM reply_jobs j
             JOIN outbox o ON o.job_id = j.id
             WHERE j.message_id = ?1 AND o.kind IN ('acknowledgment', 'answer', 'optout_confirmation',
                                                    'manual')
               AND o.state NOT IN ('cancelled', 'rejected')",
        )?;
        let rows = statement.query_map([message.0], |r| Ok((OutboxId(r.get(0)?), r.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// A person has dealt with everything that came into a conversation until now; drafts that wait
    /// there are of no use any more.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn mark_handled(
        &self,
        thread: CampaignLeadId,
        by: &str,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE drafts SET state = 'superseded', decided_at = ?2, decided_by = ?3,
                     decision = 'A person says that the conversation is settled'
                 WHERE campaign_lead_id = ?1 AND state = 'open'",
            )?
            .execute(params![thread.0, now.0, by])?;
        self.put_desk_mark(thread, by, None, now)
    }

    /// As [`Tx::mark_handled`], until a moment at which the conversation waits for a person again.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn snooze(
        &self,
        thread: CampaignLeadId,
        until: UtcMs,
        by: &str,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.put_desk_mark(thread, by, Some(until), now)
    }

    fn put_desk_mark(
        &self,
        thread: CampaignLeadId,
        by: &str,
        until: Option<UtcMs>,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO desk_marks (campaign_lead_id, message_id, snoozed_until, is_due, marked_by,
                                         marked_at)
                 VALUES (?1, coalesce((SELECT max(id) FROM messages WHERE campaign_lead_id = ?1), 0),
                         ?2, 0, ?3, ?4)
                 ON CONFLICT (campaign_lead_id) DO UPDATE
                     SET message_id = excluded.message_id, snoozed_until = excluded.snoozed_until,
                         is_due = 0, marked_by = excluded.marked_by, marked_at = excluded.marked_at",
            )?
            .execute(params![thread.0, until.map(|u| u.0), by, now.0])?;
        Ok(())
    }

    fn wake_snoozed(&self, now: UtcMs) -> Result<usize, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "UPDATE desk_marks SET snoozed_until = NULL, is_due = 1
             WHERE snoozed_until <= ?1 RETURNING campaign_lead_id",
        )?;
        let rows = statement.query_map([now.0], |r| r.get(0).map(CampaignLeadId))?;
        let woken: Vec<CampaignLeadId> = rows.collect::<Result<_, _>>()?;
        for thread in &woken {
            self.note_event(&NewEvent::changed(*thread, now))?;
        }
        Ok(woken.len())
    }
}

impl Store {
    /// Conversations that people put off until `now` wait for a person again. Gives how many.
    /// Writes only when there are any.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn wake_due_snoozes(&self, now: UtcMs) -> Result<usize, StoreError> {
        let due = self
            .read(move |r| {
                Ok::<_, StoreError>(
                    r.conn
                        .prepare_cached("SELECT 1 FROM desk_marks WHERE snoozed_until <= ?1")?
                        .exists([now.0])?,
                )
            })
            .await?;
        if !due {
            return Ok(0);
        }
        self.write(move |tx| tx.wake_snoozed(now)).await
    }
}
