//! What people read of a thread, and the addresses that get no mail.

use rusqlite::{OptionalExtension, params};

use super::{Reader, StoreError, Superseded, Tx};
use crate::model::{
    CampaignLeadId, ConversationId, Inserted, LeadRowId, MessageRowId, OutboxId, SentId,
};
use crate::time::UtcMs;

/// Who wrote a line of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The lead.
    Customer,
    /// replyd, or a campaign mail.
    Agent,
    /// A person of ours.
    Human,
}

impl Speaker {
    fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Agent => "agent",
            Self::Human => "human",
        }
    }
}

/// A line of a conversation.
#[derive(Clone, Debug)]
pub struct NewConversation<'a> {
    /// Whose conversation.
    pub campaign_lead_id: CampaignLeadId,
    /// Who wrote it.
    pub sender: Speaker,
    /// The text.
    pub message: &'a str,
    /// The predecessor's word for how the agent made it (A11); empty for people.
    pub agent_tool_used: &'a str,
    /// Canonical Message-ID; may be empty.
    pub email_message_id: &'a str,
    /// Canonical id of its parent; may be empty.
    pub email_in_reply_to: &'a str,
    /// When it came or was queued.
    pub created_at: UtcMs,
    /// The captured mail.
    pub message_ref: Option<MessageRowId>,
    /// Our mail.
    pub outbox_ref: Option<OutboxId>,
}

/// Mails of a conversation whose texts are asked for at once, and bytes of each.
const MAX_TEXTS: i64 = 8;
const MAX_TEXT_BYTES: i64 = 64 * 1024;

impl Reader<'_> {
    /// The texts that we sent to a lead in a campaign, at most eight and 64 KiB of each: of
    /// `answered` first, then the newest ones.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn sent_texts(
        &self,
        lead: CampaignLeadId,
        answered: SentId,
    ) -> Result<Vec<String>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT substr(body, 1, ?3) FROM sent_messages WHERE campaign_lead_id = ?1 \
             AND body <> '' ORDER BY id = ?2 DESC, sent_at DESC LIMIT ?4",
        )?;
        let values = params![lead.0, answered.0, MAX_TEXT_BYTES, MAX_TEXTS];
        let texts = statement.query_map(values, |row| row.get(0))?;
        Ok(texts.collect::<Result<_, _>>()?)
    }

    /// Whether an address (its key) gets no mail from any campaign.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn is_suppressed(&self, email_key: &str) -> Result<bool, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT 1 FROM suppressions WHERE email_key = ?1")?
            .exists([email_key])?)
    }
}

impl Tx<'_> {
    /// Adds a line. One captured mail and one outbox row have one line each: the same again is
    /// a duplicate and changes nothing.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn insert_conversation(
        &self,
        line: &NewConversation<'_>,
    ) -> Result<Inserted<ConversationId>, StoreError> {
        let message = line.message_ref.map(|m| m.0);
        let outbox = line.outbox_ref.map(|o| o.0);
        // The predecessor had captured the same mail: its line is this mail's from now on.
        if let Some(imported) = self.line_without_mail(line)? {
            self.conn
                .prepare_cached("UPDATE conversations SET message_ref = ?2 WHERE id = ?1")?
                .execute(params![imported.0, message])?;
            return Ok(Inserted::Duplicate(imported));
        }
        let added = self
            .conn
            .prepare_cached(
                "INSERT INTO conversations (campaign_lead_id, sender, message, agent_tool_used,
                     email_message_id, email_in_reply_to, created_at, message_ref, outbox_ref)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                line.campaign_lead_id.0,
                line.sender.as_str(),
                line.message,
                line.agent_tool_used,
                line.email_message_id,
                line.email_in_reply_to,
                line.created_at.0,
                message,
                outbox,
            ])?;
        if added == 1 {
            return Ok(Inserted::New(ConversationId(self.conn.last_insert_rowid())));
        }
        self.conn
            .prepare_cached(
                "SELECT id FROM conversations WHERE message_ref = ?1 OR outbox_ref = ?2",
            )?
            .query_row(params![message, outbox], |row| row.get(0))
            .optional()?
            .map(|id| Inserted::Duplicate(ConversationId(id)))
            .ok_or_else(|| StoreError::NotFound("Conversation row".into()))
    }

    fn line_without_mail(
        &self,
        line: &NewConversation<'_>,
    ) -> Result<Option<ConversationId>, StoreError> {
        if line.message_ref.is_none()
            || line.sender != Speaker::Customer
            || line.email_message_id.is_empty()
        {
            return Ok(None);
        }
        Ok(self
            .conn
            .prepare_cached(
                "SELECT v.id FROM conversations v
                 JOIN django_rows d ON d.model = 'conversation' AND d.id = v.id
                 WHERE v.campaign_lead_id = ?1 AND v.email_message_id = ?2 AND v.sender = 'customer'
                   AND v.message_ref IS NULL",
            )?
            .query_row(
                params![line.campaign_lead_id.0, line.email_message_id],
                |row| row.get(0).map(ConversationId),
            )
            .optional()?)
    }

    /// From now on the address gets no mail, and drafts to it are closed. An older entry keeps its
    /// reason.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn suppress(
        &self,
        email_key: &str,
        reason: &str,
        message: Option<MessageRowId>,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        if email_key.is_empty() {
            return Ok(());
        }
        self.conn
            .prepare_cached(
                "INSERT INTO suppressions (email_key, reason, message_ref, created_at)
                 VALUES (?1, ?2, ?3, ?4) ON CONFLICT (email_key) DO NOTHING",
            )?
            .execute(params![email_key, reason, message.map(|m| m.0), now.0])?;
        let why = format!("the lead wants no more mail ({reason})");
        self.supersede_drafts(Superseded::Address(email_key), &why, now)?;
        Ok(())
    }

    /// As [`Tx::suppress`], for the lead of a conversation.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn suppress_lead_of(
        &self,
        thread: CampaignLeadId,
        reason: &str,
        message: MessageRowId,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        let key: Option<String> = self
            .conn
            .prepare_cached(
                "SELECT l.email_key FROM campaign_leads cl JOIN leads l ON l.id = cl.lead_id
                 WHERE cl.id = ?1",
            )?
            .query_row([thread.0], |row| row.get(0))
            .optional()?;
        self.suppress(&key.unwrap_or_default(), reason, Some(message), now)
    }

    /// A reply whose text opts out is `opt_out`, whatever its headers said.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn mark_opt_out(&self, message: MessageRowId) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE messages SET disposition = 'opt_out'
                 WHERE id = ?1 AND disposition IN ('reply', 'reply_unverified', 'human_uncertain')",
            )?
            .execute([message.0])?;
        Ok(())
    }

    /// A delivery report came back for this lead.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn mark_bounced(&self, lead: LeadRowId, at: UtcMs) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE leads SET bounced_at = max(coalesce(bounced_at, 0), ?2) WHERE id = ?1",
            )?
            .execute(params![lead.0, at.0])?;
        Ok(())
    }

    /// The same, for the lead of a conversation.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn mark_bounced_lead_of(
        &self,
        thread: CampaignLeadId,
        at: UtcMs,
    ) -> Result<(), StoreError> {
        let lead: Option<i64> = self
            .conn
            .prepare_cached("SELECT lead_id FROM campaign_leads WHERE id = ?1")?
            .query_row([thread.0], |row| row.get(0))
            .optional()?;
        lead.map_or(Ok(()), |lead| self.mark_bounced(LeadRowId(lead), at))
    }

    /// A delivery report of a passing kind came back for this lead (a full mailbox, a delay): it
    /// counts, and says nothing about the address.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn count_soft_bounce(&self, lead: CampaignLeadId, at: UtcMs) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE leads SET soft_bounces = soft_bounces + 1, soft_bounced_at = ?2
                 WHERE id = (SELECT lead_id FROM campaign_leads WHERE id = ?1)",
            )?
            .execute(params![lead.0, at.0])?;
        Ok(())
    }
}
