//! What people do with a conversation: answer in words of their own, hand it over, settle it, put it
//! off, move a reply that was matched to the wrong lead, and type in what came by another way. Each
//! is within the campaigns that the person may see; what is not is not found.

use serde::Serialize;

use super::{Approval, Approved, Desk, DeskError, Edit, Recipient, text};
use crate::model::{Access, CampaignLeadId, Inserted, MessageRowId};
use crate::msgid;
use crate::reply::compose;
use crate::store::{AutomationScope, Detached, NewDraft, NewEvent, Reader, StoreError, Tx};
use crate::time::UtcMs;

/// How a person's own answer was made, for the conversation (A11).
const OWN_WORDS: &str = "manual";
/// Nobody needs a reminder beyond that.
const LONGEST_SNOOZE_DAYS: u64 = 366;

/// An answer in a person's own words.
#[derive(Clone, Debug)]
pub struct OwnAnswer {
    /// In which conversation.
    pub thread: CampaignLeadId,
    /// Its subject; none: that of the reply, with `Re:`.
    pub subject: Option<String>,
    /// The whole text.
    pub body: String,
    /// Who writes.
    pub by: String,
    /// To whom; none: to the lead, as long as the reply came from there.
    pub to: Option<Recipient>,
    /// Overrules every objection but a suppressed address.
    pub anyway: bool,
    /// Overrules that one, for this mail alone.
    pub to_suppressed: bool,
}

/// A reply that was moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Moved {
    /// The reply.
    pub message: MessageRowId,
    /// Where it stands now; none: with the unmatched mail.
    pub to: Option<CampaignLeadId>,
    /// What its old place lost, and what a person should look at there.
    #[serde(flatten)]
    pub left: Detached,
}

/// The conversation, if it is within what the person may see.
fn within(r: &Reader<'_>, thread: CampaignLeadId, access: &Access) -> Result<(), DeskError> {
    match r.campaign_of(thread)? {
        Some(campaign) if access.allows(campaign) => Ok(()),
        _ => Err(StoreError::NotFound(format!("Conversation {thread}")).into()),
    }
}

fn changed(tx: &Tx<'_>, thread: CampaignLeadId, now: UtcMs) -> Result<(), DeskError> {
    tx.note_event(&NewEvent::changed(thread, now))?;
    Ok(())
}

impl Desk {
    /// Sends a person's own answer to the newest reply of a conversation. A draft that waits for
    /// that reply is used up by it.
    ///
    /// # Errors
    /// [`DeskError`]: what stands against it, in words; nothing was changed then.
    pub async fn answer(
        &self,
        own: OwnAnswer,
        access: Access,
        now: UtcMs,
    ) -> Result<Approved, DeskError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|e| DeskError::Random(e.to_string()))?;
        let desk = self.clone();
        let sent = self
            .store
            .write(move |tx| {
                within(tx, own.thread, &access)?;
                desk.answer_in(tx, &own, random, now)
            })
            .await?;
        self.outbox.ring();
        Ok(sent)
    }

    fn answer_in(
        &self,
        tx: &Tx<'_>,
        own: &OwnAnswer,
        random: [u8; 16],
        now: UtcMs,
    ) -> Result<Approved, DeskError> {
        let (job, message) = tx.newest_reply_job(own.thread)?.ok_or(DeskError::Text(
            "Nobody has written in this conversation yet: there is nothing to answer",
        ))?;
        let c = tx.job_context(job)?;
        let subject = match &own.subject {
            Some(subject) => text::one_line(subject),
            None => compose::reply_subject(&c.subject),
        };
        let edit = Edit {
            subject: Some(subject.clone()),
            body: Some(own.body.clone()),
            answer: None,
        };
        let made = tx.insert_draft(
            &NewDraft {
                job_id: job,
                campaign_lead_id: own.thread,
                message_id: message,
                subject: &subject,
                body: "",
                reason: "a person writes",
                tool: OWN_WORDS,
                wants_text: true,
            },
            now,
        )?;
        let (Inserted::New(draft) | Inserted::Duplicate(draft)) = made;
        // Whatever stood there is not what is sent.
        let version = tx.draft_row(draft)?.map(|d| d.version);
        let ask = Approval {
            draft,
            by: own.by.clone(),
            edit,
            version,
            to: own.to,
            anyway: own.anyway,
            to_suppressed: own.to_suppressed,
        };
        self.settle(tx, &ask, random, now)
    }

    /// Nothing automatic is sent to the lead of this conversation any more: people have it.
    ///
    /// # Errors
    /// [`DeskError`], in words.
    pub async fn hand_over(
        &self,
        thread: CampaignLeadId,
        access: Access,
        by: &str,
        now: UtcMs,
    ) -> Result<(), DeskError> {
        let by = by.to_owned();
        self.store
            .write(move |tx| {
                within(tx, thread, &access)?;
                let scope = AutomationScope::Lead(tx.lead_of(thread)?);
                tx.switch_automation_off(scope, &by, "handed over to people", now)?;
                changed(tx, thread, now)
            })
            .await
    }

    /// Automation for the lead of this conversation is on again.
    ///
    /// # Errors
    /// [`DeskError`], in words.
    pub async fn take_back(
        &self,
        thread: CampaignLeadId,
        access: Access,
        now: UtcMs,
    ) -> Result<(), DeskError> {
        self.store
            .write(move |tx| {
                within(tx, thread, &access)?;
                let scope = AutomationScope::Lead(tx.lead_of(thread)?);
                tx.switch_automation_on(scope, now)?;
                changed(tx, thread, now)
            })
            .await?;
        self.outbox.ring();
        Ok(())
    }

    /// A person has dealt with what has come in so far; a new reply brings the conversation back.
    ///
    /// # Errors
    /// [`DeskError`], in words.
    pub async fn handled(
        &self,
        thread: CampaignLeadId,
        access: Access,
        by: &str,
        now: UtcMs,
    ) -> Result<(), DeskError> {
        let by = by.to_owned();
        self.store
            .write(move |tx| {
                within(tx, thread, &access)?;
                tx.mark_handled(thread, &by, now)?;
                changed(tx, thread, now)
            })
            .await
    }

    /// As [`Desk::handled`], until a moment at which the conversation waits for a person again.
    ///
    /// # Errors
    /// [`DeskError`], in words: also for a moment that has passed, or beyond a year.
    pub async fn snooze(
        &self,
        thread: CampaignLeadId,
        until: UtcMs,
        access: Access,
        by: &str,
        now: UtcMs,
    ) -> Result<(), DeskError> {
        let longest = std::time::Duration::from_secs(LONGEST_SNOOZE_DAYS * 24 * 3600);
        if until <= now || until > now.plus(longest) {
            return Err(DeskError::Text(
                "Name a day from tomorrow on, within a year",
            ));
        }
        let by = by.to_owned();
        self.store
            .write(move |tx| {
                within(tx, thread, &access)?;
                tx.snooze(thread, until, &by, now)?;
                changed(tx, thread, now)
            })
            .await
    }

    /// Moves a reply to the conversation that it belongs to, or, without one, back to the unmatched
    /// mail. Never answered automatically afterwards. With `teach`, the ids that it refers to and
    /// its sender are learned for the new lead.
    ///
    /// # Errors
    /// [`DeskError`], in words; nothing was changed then.
    pub async fn reattach(
        &self,
        message: MessageRowId,
        to: Option<CampaignLeadId>,
        teach: bool,
        access: Access,
        by: &str,
        now: UtcMs,
    ) -> Result<Moved, DeskError> {
        let (by, keys) = (by.to_owned(), std::sync::Arc::clone(&self.keys));
        self.store
            .write(move |tx| {
                // Unknown, foreign and in no conversation read alike.
                let unknown =
                    || StoreError::NotFound(format!("Message {message} in a conversation"));
                let from = match tx.message_facts(message) {
                    Ok(facts) => facts.thread.ok_or_else(unknown)?,
                    Err(StoreError::NotFound(_)) => return Err(unknown().into()),
                    Err(e) => return Err(e.into()),
                };
                within(tx, from, &access).map_err(|e| match e {
                    DeskError::Store(StoreError::NotFound(_)) => unknown().into(),
                    e => e,
                })?;
                if let Some(to) = to {
                    within(tx, to, &access)?;
                }
                if to == Some(from) {
                    return Err(DeskError::Text("It stands in that conversation already"));
                }
                let left = tx.detach(message, &by, now)?;
                changed(tx, from, now)?;
                if let Some(to) = to {
                    let hashes = |id: &str| msgid::ref_hashes(&keys, id);
                    tx.attach(message, to, teach, hashes, now)?;
                    changed(tx, to, now)?;
                }
                Ok(Moved { message, to, left })
            })
            .await
    }
}
