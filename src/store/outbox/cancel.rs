//! Mails that wait, on purpose (`reply.send_delay`, working hours), for a server that put them off or
//! for their turn, and how they are taken back: by a person, or because the lead wrote again.

use rusqlite::{OptionalExtension, params};

use crate::model::{CampaignLeadId, MailKind, MessageRowId, OutboxId, OutboxState};
use crate::store::{Reader, StoreError, Tx};
use crate::time::UtcMs;

/// An automatic mail that was taken back because the lead wrote again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overtaken {
    /// The row.
    pub id: OutboxId,
    /// What it was.
    pub kind: MailKind,
}

/// Why such a mail did not leave.
const OVERTAKEN: &str = "The lead wrote again before it left";

impl Reader<'_> {
    /// Whether the mail was queued for later on purpose.
    pub(super) fn waited_on_purpose(&self, id: OutboxId) -> Result<bool, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT 1 FROM outbox WHERE id = ?1 AND not_before > 0")?
            .exists([id.0])?)
    }

    /// Whether the lead wrote again after the reply that this mail answers.
    pub(super) fn newer_reply(&self, id: OutboxId) -> Result<bool, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT 1 FROM outbox o
                 JOIN reply_jobs j ON j.id = o.job_id
                 JOIN messages m ON m.id = j.message_id
                 JOIN messages n ON n.campaign_lead_id = o.campaign_lead_id AND n.id > m.id
                 WHERE o.id = ?1 AND n.sender_verified = 1 AND n.internal_date >= m.internal_date
                   AND n.message_key <> m.message_key
                   AND n.disposition IN ('reply', 'human_uncertain', 'unreadable', 'opt_out')",
            )?
            .exists([id.0])?)
    }
}

impl Tx<'_> {
    /// Takes back acknowledgements and answers to a reply older than `reply` of the conversation that
    /// have not left yet. The caller says which of them a person gets as a draft
    /// ([`Tx::draft_overtaken`]).
    ///
    /// # Errors
    /// What SQLite says.
    pub fn take_back_overtaken(
        &self,
        thread: CampaignLeadId,
        reply: MessageRowId,
        now: UtcMs,
    ) -> Result<Vec<Overtaken>, StoreError> {
        let waiting: Vec<(i64, String)> = self
            .conn
            .prepare_cached(
                "SELECT o.id, o.kind FROM outbox o JOIN reply_jobs j ON j.id = o.job_id
                 WHERE o.automatic = 1 AND o.campaign_lead_id = ?1
                   AND o.state IN ('queued', 'deferred')
                   AND o.kind IN ('acknowledgment', 'answer') AND j.message_id < ?2",
            )?
            .query_map(params![thread.0, reply.0], |r| Ok((r.get(0)?, r.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let mut taken = Vec::with_capacity(waiting.len());
        for (id, kind) in waiting {
            let id = OutboxId(id);
            self.end(id, "cancelled", OVERTAKEN, now)?;
            taken.push(Overtaken {
                id,
                kind: kind.parse()?,
            });
        }
        Ok(taken)
    }

    /// Keeps the text of an overtaken mail for a person.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn draft_overtaken(&self, mail: Overtaken, now: UtcMs) -> Result<(), StoreError> {
        self.draft_of(mail.id, "the lead wrote again before it left", now)
    }

    /// The server refused an automatic mail to a lead: the conversation does not show it as said, a
    /// person finds its text as a draft, and sales hear of it in the next digest.
    pub(super) fn not_delivered(
        &self,
        id: OutboxId,
        text: &str,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        let answers: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT j.message_id FROM outbox o JOIN reply_jobs j ON j.id = o.job_id
                 WHERE o.id = ?1 AND o.automatic = 1 AND o.kind IN ('acknowledgment', 'answer')",
            )?
            .query_row([id.0], |row| row.get(0))
            .optional()?;
        let Some(message) = answers else {
            return Ok(());
        };
        self.conn
            .prepare_cached("DELETE FROM conversations WHERE outbox_ref = ?1")?
            .execute([id.0])?;
        self.draft_of(id, &format!("the server refused it: {text}"), now)?;
        self.add_digest_item(MessageRowId(message), "refused", now)
    }

    /// A person takes back a mail that waits. With `as_draft` its text stays as a draft, where it
    /// answers a reply.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a mail that is not there, [`StoreError::Invalid`] for one that
    /// does not wait any more.
    pub fn cancel_mail(
        &self,
        id: OutboxId,
        by: &str,
        as_draft: bool,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        let state: Option<String> = self
            .conn
            .prepare_cached("SELECT state FROM outbox WHERE id = ?1")?
            .query_row([id.0], |row| row.get(0))
            .optional()?;
        let state: OutboxState = state
            .ok_or_else(|| StoreError::NotFound(format!("Mail {id}")))?
            .parse()?;
        if !matches!(state, OutboxState::Queued | OutboxState::Deferred) {
            return Err(StoreError::Invalid(format!(
                "Mail {id} is {state}: only a mail that waits can be cancelled"
            )));
        }
        let who = if by.is_empty() { "a person" } else { by };
        self.end(id, "cancelled", &format!("Cancelled by {who}"), now)?;
        if as_draft {
            self.draft_of(id, "it was cancelled before it left", now)?;
        }
        Ok(())
    }
}
