//! A reply that came by another way than mail: a person pastes its text into the conversation.

use rusqlite::{OptionalExtension, params};

use super::{Content, NewMessage, StoreError, Stored, Tx};
use crate::model::{
    AccountId, CampaignLeadId, CaptureSource, ConversationId, Disposition, JobId, MessageRowId,
    Nature, SenderAuth,
};
use crate::time::UtcMs;

/// The mailbox of what was pasted; it is on no server.
const MAILBOX: &str = "(pasted)";
/// Its UIDVALIDITY, which no server gives.
const VALIDITY: u32 = 0;

/// A text to be taken in as a reply.
#[derive(Clone, Debug)]
pub struct NewPaste {
    /// Whose conversation.
    pub thread: CampaignLeadId,
    /// The whole text.
    pub text: String,
    /// What of it is newly written.
    pub visible: String,
    /// Whether that cut is certain.
    pub sure: bool,
    /// A digest of the text: the same again is the same reply.
    pub digest: String,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pasted {
    /// The stored reply.
    pub message: MessageRowId,
    /// Its line of the conversation.
    pub line: ConversationId,
    /// Its job.
    pub job: JobId,
    /// It was not there before.
    pub new: bool,
}

impl Tx<'_> {
    /// Takes in a pasted reply, which is never answered automatically.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such conversation, or no account.
    pub fn paste_reply(&self, new: &NewPaste, now: UtcMs) -> Result<Pasted, StoreError> {
        let (name, email): (String, String) = self
            .conn
            .prepare_cached(
                "SELECT l.name, l.email FROM campaign_leads cl JOIN leads l ON l.id = cl.lead_id
                 WHERE cl.id = ?1",
            )?
            .query_row([new.thread.0], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?
            .ok_or_else(|| StoreError::NotFound("Campaign lead".into()))?;
        let account = self.account_of_thread(new.thread)?;
        let mailbox = self.ensure_mailbox(account, MAILBOX)?;
        self.conn
            .prepare_cached("UPDATE mailboxes SET role = 'none' WHERE id = ?1 AND role <> 'none'")?
            .execute([mailbox.0])?;
        let row = NewMessage {
            account_id: account,
            mailbox_id: mailbox,
            uid_validity: VALIDITY,
            uid: self.next_local_uid(mailbox, VALIDITY)?,
            internal_date: now,
            size_bytes: u32::try_from(new.text.len()).unwrap_or(u32::MAX),
            skipped_bytes: 0,
            source: CaptureSource::LateMatch,
            old_mail: true,
            disposition: Disposition::Unmatched,
            nature: Nature::Human,
            marks_dead: None,
            complained_of: Vec::new(),
            accuses: false,
            notice_bounced: false,
            evidence: vec!["pasted by a person".to_owned()],
            message_key: format!("digest:pasted-{}-{}", new.thread, new.digest),
            content_digest: new.digest.clone(),
            sender_hash: String::new(),
            ref_hashes: Vec::new(),
            matched: None,
            from_spam: false,
            sender_auth: SenderAuth::Unknown,
            content: Some(Content {
                from_address: email,
                from_name: name,
                full_text: new.text.clone(),
                visible_text: new.visible.clone(),
                visible_sure: new.sure,
                attachments: "[]".to_owned(),
                malformed: "[]".to_owned(),
                ..Content::default()
            }),
            raw: None,
            announced_at: None,
            fetched_at: now,
        };
        let (message, is_new) = match self.insert_message(&row, now)? {
            Stored::New { id, .. } => (id, true),
            Stored::SameMail(id) | Stored::KnownUid(id) => (id, false),
        };
        if is_new {
            self.attach(message, new.thread, false, |_| Vec::new(), now)?;
        }
        let line = self
            .line_of_message(message)?
            .ok_or_else(|| StoreError::NotFound("Conversation row".into()))?;
        let job = self.insert_reply_job(message, true, now)?;
        Ok(Pasted {
            message,
            line,
            job,
            new: is_new,
        })
    }

    /// Where the thread's mail comes and goes; else the first account.
    fn account_of_thread(&self, thread: CampaignLeadId) -> Result<AccountId, StoreError> {
        self.conn
            .prepare_cached(
                "SELECT coalesce(
                     (SELECT account_id FROM messages WHERE campaign_lead_id = ?1
                      ORDER BY id DESC LIMIT 1),
                     (SELECT a.id FROM campaign_leads cl
                      JOIN campaign_mailings k ON k.campaign_id = cl.campaign_id
                      JOIN accounts a ON a.name = k.account WHERE cl.id = ?1),
                     (SELECT min(id) FROM accounts))",
            )?
            .query_row(params![thread.0], |row| row.get::<_, Option<i64>>(0))?
            .map(AccountId)
            .ok_or_else(|| StoreError::NotFound("An account".into()))
    }
}

impl super::Reader<'_> {
    /// The newest draft of a job: its text, how it was made, and why it waits.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn draft_of_job(&self, job: JobId) -> Result<Option<(String, String, String)>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT body, tool, reason FROM drafts WHERE job_id = ?1 ORDER BY id DESC LIMIT 1",
            )?
            .query_row([job.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?)
    }
}
