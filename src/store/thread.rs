//! What the reply actor needs to know of a reply and its thread, read in one go.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::{ByPerson, Reader, StoreError};
use crate::model::Newer;
use crate::model::{
    AccountId, CampaignId, CampaignLeadId, CampaignMode, CaptureSource, ConversationId,
    Disposition, JobId, LeadRowId, MessageRowId, Nature, SenderAuth, SentId,
};
use crate::time::UtcMs;

/// A reply, as it was captured.
#[derive(Clone, Debug)]
pub struct JobContext {
    /// The message.
    pub message_id: MessageRowId,
    /// Whether the job was marked as old mail.
    pub old_mail: bool,
    /// The account that captured it.
    pub account_id: AccountId,
    /// That account's name in the settings.
    pub account_name: String,
    /// Its first start.
    pub first_started_at: UtcMs,
    /// What it is.
    pub disposition: Disposition,
    /// Its nature; none for a message that was never read.
    pub nature: Option<Nature>,
    /// How it was captured.
    pub source: CaptureSource,
    /// INTERNALDATE.
    pub internal_date: UtcMs,
    /// Whether another mail has its Message-ID.
    pub duplicate_id: bool,
    /// Whether the sender is the lead.
    pub sender_verified: bool,
    /// How sure the match is, 0 to 1.
    pub match_confidence: f64,
    /// Whether the mail carries a signed token of a mail to the lead.
    pub carries_token: bool,
    /// Whether it lay in the spam folder.
    pub from_spam: bool,
    /// What our own server says of its sender.
    pub sender_auth: SenderAuth,
    /// From.
    pub from_address: String,
    /// From's display name.
    pub from_name: String,
    /// To and Cc.
    pub to_addresses: String,
    /// Subject.
    pub subject: String,
    /// Canonical Message-ID, or `digest:…`.
    pub message_key: String,
    /// Canonical ids.
    pub in_reply_to: String,
    /// Canonical ids, blank between.
    pub reference_ids: String,
    /// The newly written text.
    pub visible_text: String,
    /// Whether quotes were surely cut off.
    pub visible_sure: bool,
    /// Nothing in it is new: all of it is quoted.
    pub visible_quoted: bool,
    /// The mail that it answers.
    pub matched: Option<MatchedSent>,
    /// What a person has decided of it.
    pub by_person: ByPerson,
    /// What was decided of newer replies.
    pub newer: Newer,
    /// The same mail in another mailbox, which was read first.
    pub copy_of: Option<MessageRowId>,
    /// The conversation; none for unmatched mail.
    pub thread: Option<ThreadContext>,
}

/// The mail that a reply answers.
#[derive(Clone, Debug)]
pub struct MatchedSent {
    /// The row.
    pub id: SentId,
    /// When it was known here.
    pub known_at: UtcMs,
    /// Its text; may be unknown (empty).
    pub body: String,
    /// Its own Message-ID.
    pub id_key: String,
}

/// A conversation: one lead in one campaign.
#[derive(Clone, Debug)]
pub struct ThreadContext {
    /// The conversation.
    pub campaign_lead_id: CampaignLeadId,
    /// The campaign.
    pub campaign_id: CampaignId,
    /// The lead.
    pub lead_id: LeadRowId,
    /// Display name; may be empty.
    pub lead_name: String,
    /// Address as imported.
    pub lead_email: String,
    /// Its key.
    pub lead_email_key: String,
    /// Phone with the country code; may be empty.
    pub lead_phone: String,
    /// Country or calling code as imported; may be empty.
    pub lead_country: String,
    /// The campaign's project, else the lead's.
    pub project: String,
    /// The campaign's name.
    pub campaign: String,
    /// Who signs: the campaign's sender, else its name.
    pub sender_name: String,
    /// `email`.
    pub channel: String,
    /// The campaign's mode.
    pub mode: CampaignMode,
    /// Whether the campaign runs.
    pub active: bool,
    /// The customer's row of this reply, when the capture wrote it.
    pub conversation_id: Option<ConversationId>,
    /// The text of the newest mail that we sent in the thread; empty when unknown.
    pub last_sent_body: String,
    /// Whether a person wrote in the thread.
    pub person_wrote: bool,
    /// Whether a person has answered this very reply by mail, or by a draft.
    pub person_answered_it: bool,
    /// Whether an answer (not only an acknowledgement) went out in the thread.
    pub answered: bool,
    /// Whether the lead sent the same text in the thread before.
    pub equal_reply_before: bool,
    /// Whether the lead's or the sender's address is suppressed.
    pub suppressed: bool,
    /// Whether a delivery report or a server said for good that the lead's address takes no mail.
    pub dead_address: bool,
}

/// Automatic mails that were queued, sent or are unknown (not those withdrawn).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AutomaticMails {
    /// For this job.
    pub for_job: u32,
    /// To this lead's address, within `gap`.
    pub lead_in_gap: u32,
    /// To this lead's address, within `day`.
    pub lead_in_day: u32,
    /// In this conversation, ever.
    pub in_thread: u32,
    /// Through this account, within `day`.
    pub account_in_day: u32,
    /// Sales notices of all accounts, within `hour`.
    pub notices_in_hour: u32,
}

/// The windows of [`Reader::automatic_mails`].
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    /// Gap between two automatic mails to a lead.
    pub gap: Duration,
    /// Day.
    pub day: Duration,
    /// Hour of the cap of notices.
    pub hour: Duration,
}

impl Reader<'_> {
    /// Everything about a job's reply.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the job is not there.
    pub fn job_context(&self, job: JobId) -> Result<JobContext, StoreError> {
        let found = self
            .conn
            .prepare_cached(
                "SELECT m.id, j.old_mail, m.account_id, a.name, a.first_started_at, m.disposition,
                        m.nature, m.source, m.internal_date, m.duplicate_id, m.sender_verified,
                        m.from_address, m.from_name, m.to_addresses, m.subject, m.message_key,
                        m.in_reply_to, m.reference_ids, m.visible_text, m.visible_sure,
                        m.matched_sent_id, m.campaign_lead_id, m.match_confidence, m.carries_token,
                        m.from_spam, m.sender_auth, m.visible_quoted
                 FROM reply_jobs j
                 JOIN messages m ON m.id = j.message_id
                 JOIN accounts a ON a.id = m.account_id
                 WHERE j.id = ?1",
            )?
            .query_row([job.0], |row| {
                let words: [String; 4] = [row.get(5)?, row.get(6)?, row.get(7)?, row.get(25)?];
                let refs: (Option<i64>, Option<i64>) = (row.get(20)?, row.get(21)?);
                let context = JobContext {
                    message_id: MessageRowId(row.get(0)?),
                    old_mail: row.get(1)?,
                    account_id: AccountId(row.get(2)?),
                    account_name: row.get(3)?,
                    first_started_at: UtcMs(row.get(4)?),
                    disposition: Disposition::Ignored,
                    nature: None,
                    source: CaptureSource::Check,
                    internal_date: UtcMs(row.get(8)?),
                    duplicate_id: row.get(9)?,
                    sender_verified: row.get(10)?,
                    match_confidence: row.get(22)?,
                    carries_token: row.get(23)?,
                    from_spam: row.get(24)?,
                    sender_auth: SenderAuth::Unknown,
                    from_address: row.get(11)?,
                    from_name: row.get(12)?,
                    to_addresses: row.get(13)?,
                    subject: row.get(14)?,
                    message_key: row.get(15)?,
                    in_reply_to: row.get(16)?,
                    reference_ids: row.get(17)?,
                    visible_text: row.get(18)?,
                    visible_sure: row.get(19)?,
                    visible_quoted: row.get(26)?,
                    matched: None,
                    by_person: ByPerson::default(),
                    newer: Newer::default(),
                    copy_of: None,
                    thread: None,
                };
                Ok((context, words, refs))
            })
            .optional()?;
        let (mut context, words, refs) =
            found.ok_or_else(|| StoreError::NotFound(format!("Reply job {job}")))?;
        let [disposition, nature, source, sender_auth] = words;
        context.disposition = disposition.parse()?;
        // A word of a newer version is not "no nature": its mail must not be answered as a person's.
        if !nature.is_empty() {
            context.nature = Some(nature.parse()?);
        }
        context.source = source.parse()?;
        context.sender_auth = sender_auth.parse()?;
        if let Some(sent) = refs.0 {
            context.matched = self.matched_sent(SentId(sent))?;
        }
        if let Some(id) = refs.1 {
            context.thread = self.thread_context(CampaignLeadId(id), &context)?;
        }
        context.by_person = self.decided_by_person(job, context.message_id)?;
        context.newer = self.newer_decided(&context)?;
        context.copy_of = self.first_copy(&context)?;
        Ok(context)
    }

    fn matched_sent(&self, id: SentId) -> Result<Option<MatchedSent>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT s.known_at, s.body, coalesce((SELECT i.id_key FROM sent_ids i
                            WHERE i.sent_id = s.id ORDER BY i.source <> 'own', i.id_key LIMIT 1), '')
                 FROM sent_messages s WHERE s.id = ?1",
            )?
            .query_row([id.0], |row| {
                Ok(MatchedSent {
                    id,
                    known_at: UtcMs(row.get(0)?),
                    body: row.get(1)?,
                    id_key: row.get(2)?,
                })
            })
            .optional()?)
    }

    fn thread_context(
        &self,
        id: CampaignLeadId,
        context: &JobContext,
    ) -> Result<Option<ThreadContext>, StoreError> {
        let found = self
            .conn
            .prepare_cached(
                "SELECT cl.lead_id, l.name, l.email, l.email_key, l.country_code, l.phone,
                        l.project_name, c.project_name, c.name, c.sender_name, c.channel, c.mode,
                        c.is_active, cl.personalized_message, cl.campaign_id,
                        EXISTS (SELECT 1 FROM leads l2
                                WHERE l2.email_key = l.email_key AND l2.email_key <> ''
                                  AND l2.bounced_at IS NOT NULL)
                 FROM campaign_leads cl
                 JOIN leads l ON l.id = cl.lead_id
                 JOIN campaigns c ON c.id = cl.campaign_id
                 WHERE cl.id = ?1",
            )?
            .query_row([id.0], |row| {
                let campaign: String = row.get(8)?;
                let phone = [row.get::<_, String>(4)?, row.get::<_, String>(5)?];
                let first_of = |a: String, b: String| if a.is_empty() { b } else { a };
                let mode: String = row.get(11)?;
                Ok((
                    ThreadContext {
                        campaign_lead_id: id,
                        campaign_id: CampaignId(row.get(14)?),
                        lead_id: LeadRowId(row.get(0)?),
                        lead_name: row.get(1)?,
                        lead_email: row.get(2)?,
                        lead_email_key: row.get(3)?,
                        lead_phone: full_phone(&phone[0], &phone[1]),
                        lead_country: row.get(4)?,
                        project: first_of(row.get(7)?, row.get(6)?),
                        sender_name: first_of(row.get(9)?, campaign.clone()),
                        campaign,
                        channel: row.get(10)?,
                        mode: CampaignMode::Off,
                        active: row.get(12)?,
                        conversation_id: None,
                        last_sent_body: row.get(13)?,
                        person_wrote: false,
                        person_answered_it: false,
                        answered: false,
                        equal_reply_before: false,
                        suppressed: false,
                        dead_address: row.get(15)?,
                    },
                    mode,
                ))
            })
            .optional()?;
        let Some((mut thread, mode)) = found else {
            return Ok(None);
        };
        thread.mode = mode.parse()?;
        if let Some(body) = self.last_sent_body(id)?
            && !body.is_empty()
        {
            thread.last_sent_body = body;
        }
        self.add_history(&mut thread, context)?;
        Ok(Some(thread))
    }

    fn last_sent_body(&self, id: CampaignLeadId) -> Result<Option<String>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT s.body FROM sent_messages s LEFT JOIN outbox o ON o.id = s.outbox_ref
                 WHERE s.campaign_lead_id = ?1 AND coalesce(o.state, '') NOT IN ('cancelled', 'rejected')
                 ORDER BY s.sent_at DESC, s.id DESC LIMIT 1",
            )?
            .query_row([id.0], |row| row.get(0))
            .optional()?)
    }

    fn add_history(&self, t: &mut ThreadContext, c: &JobContext) -> Result<(), StoreError> {
        let id = t.campaign_lead_id.0;
        t.person_wrote = self.person_wrote(t.campaign_lead_id)?;
        self.conn
            .prepare_cached(
                "SELECT (SELECT id FROM conversations WHERE message_ref = ?2),
                        EXISTS (SELECT 1 FROM sent_messages
                                WHERE campaign_lead_id = ?1 AND kind IN ('answer', 'manual')),
                        EXISTS (SELECT 1 FROM messages
                                WHERE campaign_lead_id = ?1 AND id < ?2 AND visible_text = ?3
                                  AND ?3 <> '' AND disposition <> 'duplicate'),
                        EXISTS (SELECT 1 FROM suppressions WHERE email_key IN (?4, ?5)),
                        EXISTS (SELECT 1 FROM conversations
                                WHERE campaign_lead_id = ?1 AND sender = 'human'
                                  AND email_in_reply_to = ?6 AND ?6 <> '')
                        OR EXISTS (SELECT 1 FROM reply_jobs j
                                   JOIN drafts d ON d.job_id = j.id AND d.state = 'approved'
                                   JOIN outbox o ON o.id = d.outbox_ref
                                   WHERE j.message_id = ?2
                                     AND o.state NOT IN ('rejected', 'cancelled'))",
            )?
            .query_row(
                params![
                    id,
                    c.message_id.0,
                    c.visible_text,
                    t.lead_email_key,
                    crate::model::address_key(&c.from_address),
                    c.message_key,
                ],
                |row| {
                    t.conversation_id = row.get::<_, Option<i64>>(0)?.map(ConversationId);
                    t.answered = row.get(1)?;
                    t.equal_reply_before = row.get(2)?;
                    t.suppressed = row.get(3)?;
                    t.person_answered_it = row.get(4)?;
                    Ok(())
                },
            )?;
        Ok(())
    }

    /// Counts automatic mails for the brakes. A lead is an address: the same person in two
    /// campaigns, or imported twice, is one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn automatic_mails(
        &self,
        job: JobId,
        thread: &ThreadContext,
        account: AccountId,
        now: UtcMs,
        windows: Windows,
    ) -> Result<AutomaticMails, StoreError> {
        let mut found = AutomaticMails {
            notices_in_hour: self.sales_notices_since(now.minus(windows.hour))?,
            ..AutomaticMails::default()
        };
        self.conn
            .prepare_cached(
                "SELECT
                   (SELECT count(*) FROM outbox
                    WHERE job_id = ?1 AND automatic = 1 AND state <> 'cancelled'),
                   (SELECT count(*) FROM outbox
                    WHERE campaign_lead_id = ?2 AND automatic = 1 AND state <> 'cancelled'),
                   (SELECT count(*) FROM outbox
                    WHERE account_id = ?3 AND automatic = 1 AND state <> 'cancelled'
                      AND created_at > ?4)",
            )?
            .query_row(
                params![
                    job.0,
                    thread.campaign_lead_id.0,
                    account.0,
                    now.minus(windows.day).0
                ],
                |row| {
                    found.for_job = row.get(0)?;
                    found.in_thread = row.get(1)?;
                    found.account_in_day = row.get(2)?;
                    Ok(())
                },
            )?;
        let mut to_lead = self.conn.prepare_cached(
            "SELECT count(*) FROM outbox o
             WHERE o.automatic = 1 AND o.state <> 'cancelled' AND o.created_at > ?3
               AND o.campaign_lead_id IN (
                   SELECT ?1
                   UNION SELECT cl.id FROM leads l JOIN campaign_leads cl ON cl.lead_id = l.id
                   WHERE l.email_key = ?2 AND l.email_key <> '')",
        )?;
        for (window, count) in [
            (windows.gap, &mut found.lead_in_gap),
            (windows.day, &mut found.lead_in_day),
        ] {
            *count = to_lead.query_row(
                params![
                    thread.campaign_lead_id.0,
                    thread.lead_email_key,
                    now.minus(window).0
                ],
                |row| row.get(0),
            )?;
        }
        Ok(found)
    }

    /// Sales notices (not digests) made after `since`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn sales_notices_since(&self, since: UtcMs) -> Result<u32, StoreError> {
        // The first condition names the partial index, the second what is counted.
        Ok(self
            .conn
            .prepare_cached(
                "SELECT count(*) FROM outbox
                 WHERE kind IN ('sales_notice', 'sales_digest') AND kind = 'sales_notice'
                   AND created_at > ?1",
            )?
            .query_row([since.0], |row| row.get(0))?)
    }

    /// Whether another job sent the same text to the lead of this conversation automatically.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn same_text_sent(
        &self,
        thread: CampaignLeadId,
        body_digest: &str,
        job: JobId,
    ) -> Result<bool, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT 1 FROM outbox
                 WHERE campaign_lead_id = ?1 AND automatic = 1 AND body_digest = ?2
                   AND job_id IS NOT ?3 AND state <> 'cancelled'",
            )?
            .exists(params![thread.0, body_digest, job.0])?)
    }

    /// The number for the next mail that a person asks for again (`--resend`).
    ///
    /// # Errors
    /// What SQLite says.
    pub fn next_round(&self, job: JobId) -> Result<i64, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT coalesce(max(round) + 1, 0) FROM outbox WHERE job_id = ?1")?
            .query_row([job.0], |row| row.get(0))?)
    }
}

/// A telephone number with its country code, as people dial it.
#[must_use]
pub fn full_phone(country: &str, phone: &str) -> String {
    let (country, phone) = (country.trim(), phone.trim());
    if country.is_empty() || phone.is_empty() || phone.starts_with('+') {
        return phone.to_owned();
    }
    format!("+{} {phone}", country.trim_start_matches('+'))
}
