//! Lists for programs, a page at a time: newest first, beyond the row where the last page ended.

use rusqlite::params;
use serde::Serialize;

use super::super::{Reader, StoreError, Suppression, Unmatched};
use crate::model::{
    Access, CampaignId, CampaignLeadId, Disposition, LeadRowId, MailKind, MessageRowId, OutboxId,
    OutboxState, address_key,
};
use crate::time::UtcMs;

/// Bytes of a message's text in a list.
const EXCERPT: i64 = 240;
/// Unmatched messages that a page of a limited viewer looks through.
const LOOKED_THROUGH: u32 = 500;

/// A captured message, in a list.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct MessageItem {
    /// The row.
    pub id: MessageRowId,
    /// The account's name.
    pub account: String,
    /// When the server received it.
    pub received_at: UtcMs,
    /// When it was stored.
    pub stored_at: UtcMs,
    /// How it was captured.
    pub source: String,
    /// What kind of mail it is.
    pub nature: String,
    /// What became of it.
    pub disposition: String,
    /// Its conversation.
    pub campaign_lead_id: Option<CampaignLeadId>,
    /// By which rung of the ladder; empty: none.
    pub match_method: String,
    /// How sure that is, 0 to 1.
    pub match_confidence: f64,
    /// Sender's address; empty for what concerns nobody.
    pub from_address: String,
    /// Sender's name.
    pub from_name: String,
    /// Subject.
    pub subject: String,
    /// The beginning of what was newly written.
    pub excerpt: String,
    /// What the lead wants; empty: it was not read.
    pub intent: String,
    /// How sure that is, 0 to 1.
    pub confidence: f64,
}

/// Which messages are asked for.
#[derive(Clone, Debug, Default)]
pub struct MessageAsk {
    /// What became of them.
    pub disposition: Option<Disposition>,
    /// Of this conversation.
    pub thread: Option<CampaignLeadId>,
    /// Older than this row.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// A lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LeadItem {
    /// The row.
    pub id: LeadRowId,
    /// The operator's own key.
    pub lead_id: String,
    /// Full name.
    pub name: String,
    /// Address as imported.
    pub email: String,
    /// Telephone country code.
    pub country_code: String,
    /// Telephone number.
    pub phone: String,
    /// What the lead is interested in.
    pub project_name: String,
    /// Which kind of unit.
    pub unit_type: String,
    /// Lower end of the budget, decimal text.
    pub budget_min: Option<String>,
    /// Upper end of the budget, decimal text.
    pub budget_max: Option<String>,
    /// The operator's own status word.
    pub status: String,
    /// `YYYY-MM-DD`.
    pub last_conversation_date: Option<String>,
    /// Free text.
    pub last_conversation_summary: String,
    /// A mail to the address came back for good.
    pub bounced_at: Option<UtcMs>,
    /// No campaign mail before.
    pub paused_until: Option<UtcMs>,
    /// Why: `away`, `asked for later`, `said no`.
    pub pause_reason: String,
    /// Why the address gets no mail; null: it does.
    pub suppressed: Option<String>,
    /// When it was imported.
    pub created_at: UtcMs,
    /// When an import changed it last.
    pub updated_at: UtcMs,
    /// Its conversations that the viewer may see.
    pub conversations: Vec<LeadThread>,
}

/// A lead in a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LeadThread {
    /// The conversation.
    pub campaign_lead_id: CampaignLeadId,
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Its name.
    pub campaign: String,
    /// Whether the campaign's mail was sent.
    pub message_sent: bool,
}

/// Which leads are asked for.
#[derive(Clone, Debug, Default)]
pub struct LeadAsk {
    /// With this key of the operator's.
    pub lead_id: Option<String>,
    /// With this address.
    pub email: Option<String>,
    /// In this campaign.
    pub campaign: Option<CampaignId>,
    /// Older than this row.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// A mail of ours, in a list.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct MailItem {
    /// The row.
    pub id: OutboxId,
    /// What it is.
    #[schema(value_type = MailKind)]
    pub kind: String,
    /// Where it stands.
    #[schema(value_type = OutboxState)]
    pub state: String,
    /// It waits because automation is off.
    pub held: bool,
    /// Nobody wrote or approved it.
    pub automatic: bool,
    /// Its conversation.
    pub campaign_lead_id: Option<CampaignLeadId>,
    /// The account through which it leaves.
    pub account: String,
    /// Its recipient.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub body: String,
    /// Its Message-ID without brackets.
    pub message_id: String,
    /// Attempts to send it.
    pub attempts: u32,
    /// The next one; null: none.
    pub next_try_at: Option<UtcMs>,
    /// What the server said last.
    pub smtp_text: String,
    /// When it was queued.
    pub created_at: UtcMs,
    /// When it was settled.
    pub finished_at: Option<UtcMs>,
}

const MAIL: &str = "\
SELECT o.id, o.kind, o.state, o.held, o.automatic, o.campaign_lead_id, a.name, o.envelope_to,
       o.subject, o.body, o.rfc_message_id, o.attempts,
       iif(o.state IN ('queued', 'deferred'), o.next_attempt_at, NULL), o.smtp_text, o.created_at,
       o.finished_at
FROM outbox o CROSS JOIN accounts a ON a.id = o.account_id
LEFT JOIN campaign_leads x ON x.id = o.campaign_lead_id";

fn mail(row: &rusqlite::Row<'_>) -> rusqlite::Result<MailItem> {
    Ok(MailItem {
        id: OutboxId(row.get(0)?),
        kind: row.get(1)?,
        state: row.get(2)?,
        held: row.get(3)?,
        automatic: row.get(4)?,
        campaign_lead_id: row.get::<_, Option<i64>>(5)?.map(CampaignLeadId),
        account: row.get(6)?,
        to: row.get(7)?,
        subject: row.get(8)?,
        body: row.get(9)?,
        message_id: row.get(10)?,
        attempts: row.get(11)?,
        next_try_at: row.get::<_, Option<i64>>(12)?.map(UtcMs),
        smtp_text: row.get(13)?,
        created_at: UtcMs(row.get(14)?),
        finished_at: row.get::<_, Option<i64>>(15)?.map(UtcMs),
    })
}

const LEAD: &str = "\
SELECT l.id, l.lead_id, l.name, l.email, l.country_code, l.phone, l.project_name, l.unit_type,
       l.budget_min, l.budget_max, l.status, l.last_conversation_date,
       l.last_conversation_summary, l.bounced_at, l.paused_until, l.pause_reason,
       (SELECT reason FROM suppressions WHERE email_key = l.email_key), l.created_at, l.updated_at
FROM leads l";

fn lead(row: &rusqlite::Row<'_>) -> rusqlite::Result<LeadItem> {
    Ok(LeadItem {
        id: LeadRowId(row.get(0)?),
        lead_id: row.get(1)?,
        name: row.get(2)?,
        email: row.get(3)?,
        country_code: row.get(4)?,
        phone: row.get(5)?,
        project_name: row.get(6)?,
        unit_type: row.get(7)?,
        budget_min: row.get(8)?,
        budget_max: row.get(9)?,
        status: row.get(10)?,
        last_conversation_date: row.get(11)?,
        last_conversation_summary: row.get(12)?,
        bounced_at: row.get::<_, Option<i64>>(13)?.map(UtcMs),
        paused_until: row.get::<_, Option<i64>>(14)?.map(UtcMs),
        pause_reason: row.get(15)?,
        suppressed: row.get(16)?,
        created_at: UtcMs(row.get(17)?),
        updated_at: UtcMs(row.get(18)?),
        conversations: Vec::new(),
    })
}

impl Reader<'_> {
    /// A page of captured messages, newest first: at most `limit + 1`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn message_page(
        &self,
        ask: &MessageAsk,
        access: &Access,
    ) -> Result<Vec<MessageItem>, StoreError> {
        // Each way has an index that gives the rows in their order.
        let which = match (ask.thread, access, ask.disposition) {
            (Some(_), _, _) => {
                "?7 IS NULL AND m.campaign_lead_id = ?2 AND (?3 IS NULL OR +m.disposition = ?3)"
            }
            (None, Access::Campaigns(_), _) => {
                "m.id IN (SELECT value FROM json_each(?7)) AND ?2 IS NULL
                 AND (?3 IS NULL OR +m.disposition = ?3)"
            }
            (None, Access::All, Some(_)) => "?7 IS NULL AND ?2 IS NULL AND m.disposition = ?3",
            (None, Access::All, None) => "?7 IS NULL AND ?2 IS NULL AND ?3 IS NULL",
        };
        let ids = match (ask.thread, access) {
            (None, Access::Campaigns(campaigns)) => Some(self.messages_of(campaigns, ask)?),
            _ => None,
        };
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT m.id, a.name, m.internal_date, m.stored_at, m.source, m.nature, m.disposition,
                    m.campaign_lead_id, m.match_method, m.match_confidence, m.from_address,
                    m.from_name, m.subject, substr(m.visible_text, 1, ?6),
                    coalesce(j.intent, ''), coalesce(j.confidence, 0.0)
             FROM messages m CROSS JOIN accounts a ON a.id = m.account_id
             LEFT JOIN campaign_leads x ON x.id = m.campaign_lead_id
             LEFT JOIN reply_jobs j ON j.message_id = m.id
             WHERE m.id < ?1 AND {which}
               AND (?4 IS NULL OR x.campaign_id IN (SELECT value FROM json_each(?4)))
             ORDER BY m.id DESC LIMIT ?5"
        ))?;
        let rows = statement.query_map(
            params![
                ask.before.unwrap_or(i64::MAX),
                ask.thread.map(|t| t.0),
                ask.disposition.map(Disposition::as_str),
                access.list(),
                ask.limit.saturating_add(1),
                EXCERPT,
                ids,
            ],
            |row| {
                Ok(MessageItem {
                    id: MessageRowId(row.get(0)?),
                    account: row.get(1)?,
                    received_at: UtcMs(row.get(2)?),
                    stored_at: UtcMs(row.get(3)?),
                    source: row.get(4)?,
                    nature: row.get(5)?,
                    disposition: row.get(6)?,
                    campaign_lead_id: row.get::<_, Option<i64>>(7)?.map(CampaignLeadId),
                    match_method: row.get(8)?,
                    match_confidence: row.get(9)?,
                    from_address: row.get(10)?,
                    from_name: row.get(11)?,
                    subject: row.get(12)?,
                    excerpt: row.get(13)?,
                    intent: row.get(14)?,
                    confidence: row.get(15)?,
                })
            },
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The newest messages of these campaigns that are asked for, as a JSON list of their ids.
    fn messages_of(
        &self,
        campaigns: &[CampaignId],
        ask: &MessageAsk,
    ) -> Result<String, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT message_id FROM campaign_messages
             WHERE campaign_id = ?1 AND message_id < ?2 AND (?3 IS NULL OR disposition = ?3)
             ORDER BY message_id DESC LIMIT ?4",
        )?;
        let mut ids: Vec<i64> = Vec::new();
        for campaign in campaigns {
            let values = params![
                campaign.0,
                ask.before.unwrap_or(i64::MAX),
                ask.disposition.map(Disposition::as_str),
                ask.limit.saturating_add(1),
            ];
            for id in statement.query_map(values, |row| row.get(0))? {
                ids.push(id?);
            }
        }
        ids.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
        ids.truncate(
            usize::try_from(ask.limit)
                .unwrap_or(usize::MAX)
                .saturating_add(1),
        );
        let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
        Ok(format!("[{}]", ids.join(",")))
    }

    /// A page of leads, the newest first: at most `limit + 1`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn lead_page(&self, ask: &LeadAsk, access: &Access) -> Result<Vec<LeadItem>, StoreError> {
        let which = match (&ask.lead_id, &ask.email) {
            (Some(_), _) => "l.lead_id = ?2 AND (?3 IS NULL OR +l.email_key = ?3)",
            (None, Some(_)) => "?2 IS NULL AND l.email_key = ?3 AND l.email_key <> ''",
            (None, None) => "?2 IS NULL AND ?3 IS NULL",
        };
        let mut statement = self.conn.prepare_cached(&format!(
            "{LEAD} WHERE l.id < ?1 AND {which}
               AND ((?4 IS NULL AND ?5 IS NULL)
                    OR EXISTS (SELECT 1 FROM campaign_leads x WHERE x.lead_id = l.id
                        AND (?4 IS NULL OR x.campaign_id IN (SELECT value FROM json_each(?4)))
                        AND (?5 IS NULL OR x.campaign_id = ?5)))
             ORDER BY l.id DESC LIMIT ?6"
        ))?;
        let rows = statement.query_map(
            params![
                ask.before.unwrap_or(i64::MAX),
                ask.lead_id,
                ask.email.as_deref().map(address_key),
                access.list(),
                ask.campaign.map(|c| c.0),
                ask.limit.saturating_add(1),
            ],
            lead,
        )?;
        let mut found: Vec<LeadItem> = rows.collect::<Result<_, _>>()?;
        for lead in &mut found {
            lead.conversations = self.lead_threads(lead.id, access)?;
        }
        Ok(found)
    }

    /// One lead; none: not there, or in no campaign of the viewer's.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn lead_item(
        &self,
        id: LeadRowId,
        access: &Access,
    ) -> Result<Option<LeadItem>, StoreError> {
        if !self.may_see_lead(id, access)? {
            return Ok(None);
        }
        let found = self
            .conn
            .prepare_cached(&format!("{LEAD} WHERE l.id = ?1"))?
            .query_map([id.0], lead)?
            .next()
            .transpose()?;
        let Some(mut lead) = found else {
            return Ok(None);
        };
        lead.conversations = self.lead_threads(id, access)?;
        Ok(Some(lead))
    }

    fn lead_threads(&self, id: LeadRowId, access: &Access) -> Result<Vec<LeadThread>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT x.id, c.id, c.name, x.message_sent FROM campaign_leads x
             CROSS JOIN campaigns c ON c.id = x.campaign_id
             WHERE x.lead_id = ?1
               AND (?2 IS NULL OR x.campaign_id IN (SELECT value FROM json_each(?2)))
             ORDER BY x.id LIMIT 100",
        )?;
        let rows = statement.query_map(params![id.0, access.list()], |row| {
            Ok(LeadThread {
                campaign_lead_id: CampaignLeadId(row.get(0)?),
                campaign_id: CampaignId(row.get(1)?),
                campaign: row.get(2)?,
                message_sent: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// A page of mails of ours, newest first: at most `limit + 1`. Without a limit of campaigns,
    /// notices and alerts are among them.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn mail_page(
        &self,
        state: Option<OutboxState>,
        before: Option<i64>,
        limit: u32,
        access: &Access,
    ) -> Result<Vec<MailItem>, StoreError> {
        let mut statement = self.conn.prepare_cached(&format!(
            "{MAIL} WHERE o.id < ?1 AND (?2 IS NULL OR +o.state = ?2)
               AND (?3 IS NULL OR x.campaign_id IN (SELECT value FROM json_each(?3)))
             ORDER BY o.id DESC LIMIT ?4"
        ))?;
        let rows = statement.query_map(
            params![
                before.unwrap_or(i64::MAX),
                state.map(OutboxState::as_str),
                access.list(),
                limit.saturating_add(1),
            ],
            mail,
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One mail of ours.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn mail_item(&self, id: OutboxId, access: &Access) -> Result<Option<MailItem>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(&format!(
                "{MAIL} WHERE o.id = ?1
                   AND (?2 IS NULL OR x.campaign_id IN (SELECT value FROM json_each(?2)))"
            ))?
            .query_map(params![id.0, access.list()], mail)?
            .next()
            .transpose()?)
    }

    /// A page of suppressed addresses, newest first: at most `limit + 1`, beyond the place (time
    /// and address) where the last page ended.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn suppression_page(
        &self,
        only: Option<&str>,
        after: Option<(i64, String)>,
        limit: u32,
        access: &Access,
    ) -> Result<Vec<Suppression>, StoreError> {
        let (at, address) = after.unwrap_or((i64::MAX, String::new()));
        let which = match only {
            Some(_) => "s.email_key = ?5",
            None => "?5 IS NULL AND s.created_at <= ?1 AND (s.created_at < ?1 OR s.email_key > ?2)",
        };
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT s.email_key, s.reason, s.created_at FROM suppressions s
             WHERE {which}
               AND (?3 IS NULL OR EXISTS (
                   SELECT 1 FROM campaign_leads x
                   WHERE x.lead_id IN (SELECT id FROM leads
                                       WHERE email_key = s.email_key AND email_key <> ''
                                       UNION SELECT lead_id FROM lead_addresses
                                       WHERE address_key = s.email_key)
                     AND x.campaign_id IN (SELECT value FROM json_each(?3))))
             ORDER BY s.created_at DESC, s.email_key LIMIT ?4"
        ))?;
        let values = params![at, address, access.list(), limit.saturating_add(1), only];
        let rows = statement.query_map(values, |row| {
            Ok(Suppression {
                address: row.get(0)?,
                reason: row.get(1)?,
                since: UtcMs(row.get(2)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Unmatched messages whose sender is a lead of the viewer's, newest first, with the threads of
    /// the viewer's that they may belong to: at most `limit`, and the row beyond which the next page
    /// begins. A page looks through a bounded number of messages: it may hold fewer than `limit`, and
    /// none, and yet have a next one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn unmatched_page(
        &self,
        before: Option<i64>,
        limit: u32,
        access: &Access,
    ) -> Result<(Vec<Unmatched>, Option<i64>), StoreError> {
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let through = match access {
            Access::All => limit,
            Access::Campaigns(_) => LOOKED_THROUGH,
        };
        let rows = self.unmatched_before(before, through.saturating_add(1))?;
        let there_are_more = rows.len() > usize::try_from(through).unwrap_or(usize::MAX);
        let last = rows.len().saturating_sub(usize::from(there_are_more));
        let (mut found, mut at) = (Vec::new(), None);
        for (n, mut message) in rows.into_iter().take(last).enumerate() {
            at = Some(message.id.0);
            let key = address_key(&message.from_address);
            if self.may_see_address(&key, access)? {
                self.propose(&mut message, access)?;
                found.push(message);
            }
            if found.len() == most {
                let is_last = n.saturating_add(1) == last && !there_are_more;
                return Ok((found, at.filter(|_| !is_last)));
            }
        }
        Ok((found, at.filter(|_| there_are_more)))
    }
}

#[cfg(test)]
#[path = "lists_tests.rs"]
mod tests;
