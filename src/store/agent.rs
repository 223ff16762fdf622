//! What the predecessor's endpoints show: conversations, followups, campaigns. Each question takes
//! how far the viewer may look; what lies beyond is not there.

use rusqlite::{OptionalExtension, Row, params};

use super::{Reader, StoreError, Tx};
use crate::model::{
    Access, CampaignId, CampaignLeadId, ConversationId, LeadRowId, MailboxId, MessageRowId,
};
use crate::time::UtcMs;

/// Leads of a campaign that are listed at once.
const MAX_FOLLOWUPS: u32 = 10_000;

/// A line of a conversation.
#[derive(Clone, Debug)]
pub struct Line {
    /// The row.
    pub id: ConversationId,
    /// Whose conversation.
    pub campaign_lead_id: CampaignLeadId,
    /// `customer`, `agent` or `human`.
    pub sender: String,
    /// The text.
    pub message: String,
    /// How the agent made it; empty: it did not.
    pub agent_tool_used: String,
    /// Sales were told of it.
    pub sales_team_notified: bool,
    /// When it came, or was queued.
    pub created_at: UtcMs,
}

/// Whose conversation a line belongs to.
#[derive(Clone, Debug)]
pub struct Thread {
    /// One lead in one campaign.
    pub campaign_lead_id: CampaignLeadId,
    /// The campaign.
    pub campaign_id: CampaignId,
    /// Its name.
    pub campaign_name: String,
    /// Its project, else the lead's.
    pub project_name: String,
    /// The lead's row.
    pub lead: LeadRowId,
    /// The operator's key of the lead.
    pub lead_id: String,
    /// The lead's name.
    pub lead_name: String,
    /// The lead's address.
    pub lead_email: String,
    /// The lead's phone number, with its country's code; empty: none is known.
    pub lead_phone: String,
    /// When the campaign mail left; none: it has not.
    pub sent_at: Option<UtcMs>,
}

/// A lead that has replied.
#[derive(Clone, Debug)]
pub struct Followup {
    /// One lead in one campaign.
    pub campaign_lead_id: CampaignLeadId,
    /// The operator's key of the lead.
    pub lead_id: String,
    /// The lead's name.
    pub lead_name: String,
    /// The lead's address.
    pub lead_email: String,
    /// How often.
    pub reply_count: u64,
    /// When last.
    pub last_reply_at: UtcMs,
    /// Sales were told of one of them.
    pub sales_team_notified: bool,
}

/// The columns of a [`Line`], with those of its [`Thread`] before them.
macro_rules! thread_columns {
    () => {
        "cl.id, c.id, c.name, CASE WHEN c.project_name <> '' THEN c.project_name
             ELSE l.project_name END, l.id, l.lead_id, l.name, l.email,
         trim(l.country_code || ' ' || l.phone), cl.message_sent_at"
    };
}

impl Reader<'_> {
    /// A conversation by the number of its lead in its campaign.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn thread(
        &self,
        id: CampaignLeadId,
        access: &Access,
    ) -> Result<Option<Thread>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(concat!(
                "SELECT ",
                thread_columns!(),
                " FROM campaign_leads cl JOIN campaigns c ON c.id = cl.campaign_id
                 JOIN leads l ON l.id = cl.lead_id WHERE cl.id = ?1
                 AND (?2 IS NULL OR c.id IN (SELECT value FROM json_each(?2)))"
            ))?
            .query_row(params![id.0, access.list()], thread)
            .optional()?)
    }

    /// The newest `limit` lines of a conversation, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn lines(&self, id: CampaignLeadId, limit: u32) -> Result<Vec<Line>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT v.id, v.campaign_lead_id, v.sender, v.message, v.agent_tool_used,
                    v.sales_team_notified, v.created_at
             FROM conversations v WHERE v.campaign_lead_id = ?1
             ORDER BY v.created_at DESC, v.id DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![id.0, limit], |row| line(row, 0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One line.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn line(&self, id: ConversationId, access: &Access) -> Result<Option<Line>, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT v.id, v.campaign_lead_id, v.sender, v.message, v.agent_tool_used,
                        v.sales_team_notified, v.created_at
                 FROM conversations v JOIN campaign_leads cl ON cl.id = v.campaign_lead_id
                 WHERE v.id = ?1
                   AND (?2 IS NULL OR cl.campaign_id IN (SELECT value FROM json_each(?2)))",
            )?
            .query_row(params![id.0, access.list()], |row| line(row, 0))
            .optional()?)
    }

    /// The newest lines of all conversations, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest_lines(
        &self,
        access: &Access,
        limit: u32,
    ) -> Result<Vec<(Thread, Line)>, StoreError> {
        // Without a limit by their time; with one from the campaigns down, which are few.
        let (sql, list) = match access.list() {
            None => (
                concat!(
                    "SELECT ",
                    thread_columns!(),
                    ", v.id, v.campaign_lead_id, v.sender, v.message, v.agent_tool_used,
                       v.sales_team_notified, v.created_at
                     FROM conversations v CROSS JOIN campaign_leads cl ON cl.id = v.campaign_lead_id
                     CROSS JOIN campaigns c ON c.id = cl.campaign_id
                     CROSS JOIN leads l ON l.id = cl.lead_id
                     WHERE v.created_at <= ?1 ORDER BY v.created_at DESC, v.id DESC LIMIT ?2"
                ),
                None,
            ),
            Some(list) => (
                concat!(
                    "SELECT ",
                    thread_columns!(),
                    ", v.id, v.campaign_lead_id, v.sender, v.message, v.agent_tool_used,
                       v.sales_team_notified, v.created_at
                     FROM json_each(?1) j CROSS JOIN campaigns c ON c.id = j.value
                     CROSS JOIN campaign_leads cl ON cl.campaign_id = c.id
                     CROSS JOIN conversations v ON v.campaign_lead_id = cl.id
                     CROSS JOIN leads l ON l.id = cl.lead_id
                     ORDER BY v.created_at DESC, v.id DESC LIMIT ?2"
                ),
                Some(list),
            ),
        };
        let mut statement = self.conn.prepare_cached(sql)?;
        let both = |row: &Row<'_>| Ok((thread(row)?, line(row, 10)?));
        let rows = match list {
            None => statement.query_map(params![i64::MAX, limit], both)?,
            Some(list) => statement.query_map(params![list, limit], both)?,
        };
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The leads of a campaign that have replied, the last reply first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn followups(&self, campaign: CampaignId) -> Result<Vec<Followup>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT i.campaign_lead_id, l.lead_id, l.name, l.email, i.replies, i.last_reply_at,
                    EXISTS (SELECT 1 FROM conversations v
                            WHERE v.campaign_lead_id = i.campaign_lead_id AND v.sender = 'customer'
                              AND v.sales_team_notified = 1)
             FROM inbox i CROSS JOIN campaign_leads cl ON cl.id = i.campaign_lead_id
             CROSS JOIN leads l ON l.id = cl.lead_id
             WHERE i.campaign_id = ?1 AND i.replies > 0
             ORDER BY i.last_reply_at DESC, i.campaign_lead_id DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![campaign.0, MAX_FOLLOWUPS], |row| {
            Ok(Followup {
                campaign_lead_id: CampaignLeadId(row.get(0)?),
                lead_id: row.get(1)?,
                lead_name: row.get(2)?,
                lead_email: row.get(3)?,
                reply_count: row.get::<_, i64>(4)?.unsigned_abs(),
                last_reply_at: UtcMs(row.get(5)?),
                sales_team_notified: row.get(6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The newest rows of messages and of conversations: see [`Reader::came_after`].
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest_rows(&self) -> Result<(MessageRowId, ConversationId), StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT coalesce((SELECT max(id) FROM messages), 0),
                        coalesce((SELECT max(id) FROM conversations), 0)",
            )?
            .query_row([], |row| {
                Ok((MessageRowId(row.get(0)?), ConversationId(row.get(1)?)))
            })?)
    }

    /// How many messages were stored since, and how many of them are replies. With a limited view
    /// only the replies of one's own campaigns count, as messages too.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn came_after(
        &self,
        (message, conversation): (MessageRowId, ConversationId),
        access: &Access,
    ) -> Result<(u64, u64), StoreError> {
        let count = |n: i64| n.unsigned_abs();
        let replies: i64 = self
            .conn
            .prepare_cached(
                "SELECT count(*) FROM conversations v
                 JOIN campaign_leads cl ON cl.id = v.campaign_lead_id
                 WHERE v.id > ?1 AND v.sender = 'customer'
                   AND (?2 IS NULL OR cl.campaign_id IN (SELECT value FROM json_each(?2)))",
            )?
            .query_row(params![conversation.0, access.list()], |row| row.get(0))?;
        if *access != Access::All {
            return Ok((count(replies), count(replies)));
        }
        let messages: i64 = self
            .conn
            .prepare_cached("SELECT count(*) FROM messages WHERE id > ?1")?
            .query_row([message.0], |row| row.get(0))?;
        Ok((count(messages), count(replies)))
    }

    /// Whether the watched mailboxes of every account were looked through from `from` on.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn is_covered_from(&self, from: UtcMs) -> Result<bool, StoreError> {
        Ok(!self
            .conn
            .prepare_cached(
                "SELECT 1 FROM mailbox_epochs e JOIN mailboxes b ON b.id = e.mailbox_id
                 WHERE b.role = 'watched' AND e.window_from > ?1
                   AND e.id = (SELECT max(n.id) FROM mailbox_epochs n
                               WHERE n.mailbox_id = e.mailbox_id)",
            )?
            .exists([from.0])?)
    }

    /// The campaign with this number.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn campaign_facts(
        &self,
        id: CampaignId,
        access: &Access,
    ) -> Result<Option<CampaignFacts>, StoreError> {
        if !access.allows(id) {
            return Ok(None);
        }
        Ok(self
            .conn
            .prepare_cached(
                "SELECT id, name, project_name, channel, offer_details, mode, is_active,
                        created_by, created_at, owner_id FROM campaigns WHERE id = ?1",
            )?
            .query_row([id.0], campaign_facts)
            .optional()?)
    }

    /// The campaigns that somebody may see, the newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn campaign_list(&self, access: &Access) -> Result<Vec<CampaignFacts>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, name, project_name, channel, offer_details, mode, is_active,
                    created_by, created_at, owner_id FROM campaigns
             WHERE ?1 IS NULL OR id IN (SELECT value FROM json_each(?1)) ORDER BY id DESC",
        )?;
        let rows = statement.query_map([access.list()], campaign_facts)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// A campaign as the predecessor's endpoints show it.
#[derive(Clone, Debug)]
pub struct CampaignFacts {
    /// The row.
    pub id: CampaignId,
    /// Its unique name.
    pub name: String,
    /// Its project; may be empty.
    pub project_name: String,
    /// `email`.
    pub channel: String,
    /// Its offer; may be empty.
    pub offer_details: String,
    /// How far automatic answers go.
    pub mode: String,
    /// Whether it runs.
    pub is_active: bool,
    /// Who made it; may be empty.
    pub created_by: String,
    /// When.
    pub created_at: UtcMs,
    /// The predecessor's user whose it is.
    pub owner_id: Option<i64>,
}

impl Tx<'_> {
    /// The next UID of a mailbox that is on no server.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn next_local_uid(&self, mailbox: MailboxId, validity: u32) -> Result<u32, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT coalesce(max(uid), 0) + 1 FROM messages
                 WHERE mailbox_id = ?1 AND uid_validity = ?2",
            )?
            .query_row(params![mailbox.0, validity], |row| row.get(0))?)
    }
}

fn campaign_facts(row: &Row<'_>) -> rusqlite::Result<CampaignFacts> {
    Ok(CampaignFacts {
        id: CampaignId(row.get(0)?),
        name: row.get(1)?,
        project_name: row.get(2)?,
        channel: row.get(3)?,
        offer_details: row.get(4)?,
        mode: row.get(5)?,
        is_active: row.get(6)?,
        created_by: row.get(7)?,
        created_at: UtcMs(row.get(8)?),
        owner_id: row.get(9)?,
    })
}

/// Reads the first ten columns.
fn thread(row: &Row<'_>) -> rusqlite::Result<Thread> {
    Ok(Thread {
        campaign_lead_id: CampaignLeadId(row.get(0)?),
        campaign_id: CampaignId(row.get(1)?),
        campaign_name: row.get(2)?,
        project_name: row.get(3)?,
        lead: LeadRowId(row.get(4)?),
        lead_id: row.get(5)?,
        lead_name: row.get(6)?,
        lead_email: row.get(7)?,
        lead_phone: row.get(8)?,
        sent_at: row.get::<_, Option<i64>>(9)?.map(UtcMs),
    })
}

/// Reads seven columns from `from` on.
fn line(row: &Row<'_>, from: usize) -> rusqlite::Result<Line> {
    let at = |n: usize| from.saturating_add(n);
    Ok(Line {
        id: ConversationId(row.get(at(0))?),
        campaign_lead_id: CampaignLeadId(row.get(at(1))?),
        sender: row.get(at(2))?,
        message: row.get(at(3))?,
        agent_tool_used: row.get(at(4))?,
        sales_team_notified: row.get(at(5))?,
        created_at: UtcMs(row.get(at(6))?),
    })
}
