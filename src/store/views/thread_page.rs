//! A conversation as its page shows it: each line with what is known of its mail.

use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use super::super::{AutomationOff, DraftItem, Explained, Reader, StoreError};
use super::attachments::{AttachmentItem, listed};
use super::desk_mark::DeskMark;
use crate::model::{
    Access, CampaignId, CampaignLeadId, ConversationId, DraftId, LeadRowId, MessageRowId, OutboxId,
};
use crate::time::UtcMs;

/// Lines of a conversation that are shown, unless somebody wants fewer: the newest.
const MOST_LINES: u32 = 200;
/// Bytes of a text that are shown.
const MAX_TEXT: i64 = 64 * 1024;

/// A conversation.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ThreadPage {
    /// Whose and what it is about.
    pub head: ThreadHead,
    /// Its mails, oldest first.
    pub lines: Vec<ThreadLine>,
    /// There are older ones that are not shown.
    pub cut: bool,
    /// Drafts that wait.
    pub drafts: Vec<DraftItem>,
}

/// Who is talked to, and about what.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ThreadHead {
    /// The conversation.
    pub campaign_lead_id: CampaignLeadId,
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Its name.
    pub campaign: String,
    /// Its project.
    pub project: String,
    /// The row of the lead.
    pub lead_row: LeadRowId,
    /// The operator's key of the lead.
    pub lead_id: String,
    /// The lead's name.
    pub lead_name: String,
    /// The lead's address.
    pub lead_email: String,
    /// The lead's telephone number, with its country code.
    pub lead_phone: String,
    /// When the campaign's mail was sent.
    pub sent_at: Option<UtcMs>,
    /// Why the address gets no mail; none: it does.
    pub suppressed: Option<String>,
    /// No campaign mail to the lead before.
    pub paused_until: Option<UtcMs>,
    /// Why.
    pub pause_reason: String,
    /// A mail to the address came back for good.
    pub bounced_at: Option<UtcMs>,
    /// What keeps automatic mails back; none: nothing does.
    pub automation_off: Option<AutomationOff>,
    /// Whether a person has put it off, or dealt with it.
    #[serde(flatten)]
    pub mark: DeskMark,
}

/// A mail of either side.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ConversationLine)]
pub struct ThreadLine {
    /// The line.
    pub id: ConversationId,
    /// `customer`, `agent` or `human`.
    pub sender: String,
    /// What was newly written.
    pub text: String,
    /// How the agent made it.
    pub tool: String,
    /// When it came, or was queued.
    pub at: UtcMs,
    /// Sales were told of it.
    pub sales_notified: bool,
    /// The captured mail.
    pub mail: Option<ThreadMail>,
    /// Our mail.
    pub ours: Option<ThreadOurs>,
}

/// A captured mail.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ThreadMail {
    /// All that is known of it.
    pub about: Explained,
    /// All of its text, with what it quotes.
    pub full_text: String,
    /// Its files, which lie in the mailbox.
    pub attachments: Vec<AttachmentItem>,
    /// All of them are known: the mail was read to its end.
    pub attachments_complete: bool,
    /// The server announced it.
    pub announced_at: Option<UtcMs>,
    /// The mail itself is kept.
    pub has_raw: bool,
    /// It lay in the spam folder.
    pub from_spam: bool,
}

/// A mail of ours.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ThreadOurs {
    /// Its row.
    pub id: OutboxId,
    /// What it is.
    pub kind: String,
    /// Its state.
    pub state: String,
    /// Its subject.
    pub subject: String,
    /// What the server said of it.
    pub smtp_text: String,
    /// When it left.
    pub finished_at: Option<UtcMs>,
    /// It was not written or approved by a person.
    pub automatic: bool,
}

/// Which lines of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadPart {
    /// The newest before this line; none: the newest of all.
    pub before: Option<ConversationId>,
    /// At most so many.
    pub lines: u32,
}

impl Default for ThreadPart {
    fn default() -> Self {
        Self {
            before: None,
            lines: MOST_LINES,
        }
    }
}

impl Reader<'_> {
    /// A part of a conversation, by default its newest 200 lines, with all that is known of them;
    /// none: there is no such conversation, or it is somebody else's.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn thread_page(
        &self,
        id: CampaignLeadId,
        access: &Access,
        part: ThreadPart,
    ) -> Result<Option<ThreadPage>, StoreError> {
        let Some(head) = self.thread_head(id, access)? else {
            return Ok(None);
        };
        let mut lines = self.thread_lines(id, part)?;
        let most = usize::try_from(part.lines).unwrap_or(usize::MAX);
        let cut = lines.len() > most;
        lines.truncate(most);
        lines.reverse();
        let mut drafts = Vec::new();
        let mut open = self.conn.prepare_cached(
            "SELECT id FROM drafts WHERE campaign_lead_id = ?1 AND state = 'open' ORDER BY id",
        )?;
        let ids = open.query_map([id.0], |row| Ok(DraftId(row.get(0)?)))?;
        for id in ids {
            drafts.extend(self.draft(id?)?);
        }
        Ok(Some(ThreadPage {
            head,
            lines,
            cut,
            drafts,
        }))
    }

    /// The head of a conversation alone.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn thread_head(
        &self,
        id: CampaignLeadId,
        access: &Access,
    ) -> Result<Option<ThreadHead>, StoreError> {
        let found = self
            .conn
            .prepare_cached(
                "SELECT c.id, c.name, c.project_name, l.id, l.lead_id, l.name, l.email,
                        l.country_code, l.phone, cl.message_sent_at, s.reason, l.paused_until,
                        l.pause_reason, l.bounced_at, k.snoozed_until, k.is_due, k.marked_by,
                        k.marked_at, (SELECT max(m.id) FROM messages m
                                      WHERE m.campaign_lead_id = cl.id) > k.message_id
                 FROM campaign_leads cl JOIN leads l ON l.id = cl.lead_id
                 JOIN campaigns c ON c.id = cl.campaign_id
                 LEFT JOIN suppressions s ON s.email_key = l.email_key AND l.email_key <> ''
                 LEFT JOIN desk_marks k ON k.campaign_lead_id = cl.id
                 WHERE cl.id = ?1
                   AND (?2 IS NULL OR cl.campaign_id IN (SELECT value FROM json_each(?2)))",
            )?
            .query_row(params![id.0, access.list()], |row| {
                let (country, phone): (String, String) = (row.get(7)?, row.get(8)?);
                let time = |n| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(n)?.map(UtcMs));
                Ok(ThreadHead {
                    campaign_lead_id: id,
                    campaign_id: CampaignId(row.get(0)?),
                    campaign: row.get(1)?,
                    project: row.get(2)?,
                    lead_row: LeadRowId(row.get(3)?),
                    lead_id: row.get(4)?,
                    lead_name: row.get(5)?,
                    lead_email: row.get(6)?,
                    lead_phone: super::super::full_phone(&country, &phone),
                    sent_at: time(9)?,
                    suppressed: row.get(10)?,
                    paused_until: time(11)?,
                    pause_reason: row.get(12)?,
                    bounced_at: time(13)?,
                    automation_off: None,
                    mark: DeskMark::read(row, 14)?,
                })
            })
            .optional()?;
        let Some(mut head) = found else {
            return Ok(None);
        };
        head.automation_off = self.automation_off_for(id)?;
        Ok(Some(head))
    }

    /// When the line was that a part ends before; a line of another conversation bounds nothing.
    fn ends_before(&self, id: CampaignLeadId, part: ThreadPart) -> Result<(i64, i64), StoreError> {
        let at: Option<i64> = match part.before {
            None => None,
            Some(line) => self
                .conn
                .prepare_cached(
                    "SELECT created_at FROM conversations WHERE id = ?1 AND campaign_lead_id = ?2",
                )?
                .query_row(params![line.0, id.0], |row| row.get(0))
                .optional()?,
        };
        let end = at.zip(part.before).map(|(at, line)| (at, line.0));
        Ok(end.unwrap_or((i64::MAX, i64::MAX)))
    }

    fn thread_lines(
        &self,
        id: CampaignLeadId,
        part: ThreadPart,
    ) -> Result<Vec<ThreadLine>, StoreError> {
        let (at, line) = self.ends_before(id, part)?;
        let mut statement = self.conn.prepare_cached(
            "SELECT v.id, v.sender, substr(v.message, 1, ?2), v.agent_tool_used, v.created_at,
                    v.sales_team_notified, v.message_ref, o.id, o.kind, o.state, o.subject,
                    o.smtp_text, o.finished_at, o.automatic
             FROM conversations v LEFT JOIN outbox o ON o.id = v.outbox_ref
             WHERE v.campaign_lead_id = ?1 AND (v.created_at, v.id) < (?4, ?5)
             ORDER BY v.created_at DESC, v.id DESC LIMIT ?3",
        )?;
        let most = part.lines.saturating_add(1);
        let rows = statement.query_map(params![id.0, MAX_TEXT, most, at, line], |row| {
            let ours = match row.get::<_, Option<i64>>(7)? {
                None => None,
                Some(id) => Some(ThreadOurs {
                    id: OutboxId(id),
                    kind: row.get(8)?,
                    state: row.get(9)?,
                    subject: row.get(10)?,
                    smtp_text: row.get(11)?,
                    finished_at: row.get::<_, Option<i64>>(12)?.map(UtcMs),
                    automatic: row.get(13)?,
                }),
            };
            let line = ThreadLine {
                id: ConversationId(row.get(0)?),
                sender: row.get(1)?,
                text: row.get(2)?,
                tool: row.get(3)?,
                at: UtcMs(row.get(4)?),
                sales_notified: row.get(5)?,
                mail: None,
                ours,
            };
            Ok((line, row.get::<_, Option<i64>>(6)?.map(MessageRowId)))
        })?;
        let mut lines = Vec::new();
        for row in rows {
            let (mut line, message) = row?;
            if let Some(message) = message {
                line.mail = Some(self.thread_mail(message)?);
            }
            lines.push(line);
        }
        Ok(lines)
    }

    fn thread_mail(&self, id: MessageRowId) -> Result<ThreadMail, StoreError> {
        let about = self.explain(id)?;
        Ok(self
            .conn
            .prepare_cached(
                "SELECT substr(full_text, 1, ?2), attachments, announced_at, raw IS NOT NULL,
                        from_spam, skipped_bytes
                 FROM messages WHERE id = ?1",
            )?
            .query_row(params![id.0, MAX_TEXT], |row| {
                let (attachments, attachments_complete) =
                    listed(&row.get::<_, String>(1)?, row.get(5)?);
                Ok(ThreadMail {
                    about,
                    full_text: row.get(0)?,
                    attachments,
                    attachments_complete,
                    announced_at: row.get::<_, Option<i64>>(2)?.map(UtcMs),
                    has_raw: row.get(3)?,
                    from_spam: row.get(4)?,
                })
            })?)
    }

    /// The kept raw of a mail of a conversation, as it is stored (zstd); none: it is not kept, or
    /// the mail is somebody else's.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn raw_of(
        &self,
        message: MessageRowId,
        access: &Access,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT m.raw FROM messages m
                 LEFT JOIN campaign_leads cl ON cl.id = m.campaign_lead_id
                 WHERE m.id = ?1 AND m.raw IS NOT NULL
                   AND (?2 IS NULL OR cl.campaign_id IN (SELECT value FROM json_each(?2)))",
            )?
            .query_row(params![message.0, access.list()], |row| row.get(0))
            .optional()?)
    }
}
