//! What people switched off: for all, a campaign or a lead. Automatic mails of the scope wait as
//! held; the gate (`outbox::gate`) reads this table in the transaction that claims a mail.

use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use super::outbox::Passage;
use super::{Reader, StoreError, Tx};
use crate::model::{CampaignId, CampaignLeadId, LeadRowId, OutboxId};
use crate::time::UtcMs;

/// For what automation can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutomationScope {
    /// Every automatic mail.
    All,
    /// Those of a campaign, its own mails included.
    Campaign(CampaignId),
    /// Those to a lead, in every campaign.
    Lead(LeadRowId),
}

impl AutomationScope {
    /// The word that stands for it in the store and in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Campaign(_) => "campaign",
            Self::Lead(_) => "lead",
        }
    }
}

/// Something that is switched off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AutomationOff {
    /// For what.
    #[serde(skip)]
    pub scope: AutomationScope,
    /// `all`, `campaign` or `lead`.
    #[serde(rename = "scope")]
    pub scope_word: String,
    /// The campaign's name or the operator's key of the lead; empty for all.
    pub name: String,
    /// Since when.
    pub off_at: UtcMs,
    /// Who did it; may be empty.
    pub off_by: String,
    /// Why; may be empty.
    pub reason: String,
}

impl std::fmt::Display for AutomationOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.scope {
            AutomationScope::All => write!(f, "for everything")?,
            AutomationScope::Campaign(_) => write!(f, "for campaign {}", self.name)?,
            AutomationScope::Lead(_) => write!(f, "for lead {}", self.name)?,
        }
        write!(f, " since {}", self.off_at.rfc3339())?;
        if !self.off_by.is_empty() {
            write!(f, " by {}", self.off_by)?;
        }
        if !self.reason.is_empty() {
            write!(f, ": {}", self.reason)?;
        }
        Ok(())
    }
}

/// What became of the mails that were held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Released {
    /// Whether it had been off at all.
    pub was_off: bool,
    /// They leave now, in their turn.
    pub released: u32,
    /// They answer replies that are too old by now: each is a draft.
    pub drafted: u32,
    /// Withdrawn: the lead opted out meanwhile, or the campaign's mode says so.
    pub withdrawn: u32,
    /// Still held: something else is off for them too.
    pub held: u32,
}

impl AutomationScope {
    fn target(self) -> i64 {
        match self {
            Self::All => 0,
            Self::Campaign(id) => id.0,
            Self::Lead(id) => id.0,
        }
    }

    fn from_row(word: &str, target: i64) -> Result<Self, StoreError> {
        match word {
            "all" => Ok(Self::All),
            "campaign" => Ok(Self::Campaign(CampaignId(target))),
            "lead" => Ok(Self::Lead(LeadRowId(target))),
            other => Err(StoreError::Invalid(format!("Automation scope {other}"))),
        }
    }
}

const OFF_SQL: &str = "\
SELECT f.scope, f.target_id, coalesce(c.name, l.lead_id, ''), f.off_at, f.off_by, f.reason
FROM automation_off f
LEFT JOIN campaigns c ON f.scope = 'campaign' AND c.id = f.target_id
LEFT JOIN leads l ON f.scope = 'lead' AND l.id = f.target_id";

impl Reader<'_> {
    /// Everything that is switched off, the widest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn automation_off(&self) -> Result<Vec<AutomationOff>, StoreError> {
        let mut statement = self
            .conn
            .prepare_cached(&format!("{OFF_SQL} ORDER BY f.scope, f.off_at"))?;
        let rows = statement.query_map([], |row| Ok(off(row)))?;
        rows.map(|row| row?).collect()
    }

    /// What is switched off for this conversation, the widest scope of it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn automation_off_for(
        &self,
        thread: CampaignLeadId,
    ) -> Result<Option<AutomationOff>, StoreError> {
        self.conn
            .prepare_cached(&format!(
                "{OFF_SQL}
                 WHERE f.scope = 'all'
                    OR (f.scope = 'campaign' AND f.target_id =
                        (SELECT campaign_id FROM campaign_leads WHERE id = ?1))
                    OR (f.scope = 'lead' AND f.target_id IN
                        (SELECT x.id FROM campaign_leads cl JOIN leads me ON me.id = cl.lead_id
                         JOIN leads x ON x.id = me.id
                              OR (x.email_key = me.email_key AND x.email_key <> '')
                         WHERE cl.id = ?1))
                 ORDER BY f.scope LIMIT 1"
            ))?
            .query_row([thread.0], |row| Ok(off(row)))
            .optional()?
            .transpose()
    }

    /// How many queued mails wait because automation is off for them, campaign mails included.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn held_mails(&self) -> Result<u32, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT (SELECT count(*) FROM outbox WHERE held = 1)
                      + (SELECT count(*) FROM campaigns c CROSS JOIN outbox o
                         WHERE o.state IN ('queued', 'deferred') AND o.kind = 'campaign'
                           AND o.held = 0 AND o.campaign_id = c.id
                           AND EXISTS (SELECT 1 FROM automation_off f
                                WHERE f.scope = 'all'
                                   OR (f.scope = 'campaign' AND f.target_id = c.id)))",
            )?
            .query_row([], |row| row.get(0))?)
    }
}

fn off(row: &rusqlite::Row<'_>) -> Result<AutomationOff, StoreError> {
    let word: String = row.get(0)?;
    Ok(AutomationOff {
        scope: AutomationScope::from_row(&word, row.get(1)?)?,
        scope_word: word,
        name: row.get(2)?,
        off_at: UtcMs(row.get(3)?),
        off_by: row.get(4)?,
        reason: row.get(5)?,
    })
}

impl Tx<'_> {
    /// Switches automation off for the scope; again keeps the first moment, and takes the newer
    /// reason. Automatic mails that wait are held from the commit on: how many of them now.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn switch_automation_off(
        &self,
        scope: AutomationScope,
        by: &str,
        reason: &str,
        now: UtcMs,
    ) -> Result<u32, StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO automation_off (scope, target_id, off_at, off_by, reason)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (scope, target_id) DO UPDATE
                     SET reason = excluded.reason, off_by = excluded.off_by
                     WHERE excluded.reason <> ''",
            )?
            .execute(params![scope.as_str(), scope.target(), now.0, by, reason])?;
        // Marked here so that it is shown at once; the gate decides in any case.
        let mut waiting = self.waiting_automatic()?;
        if let AutomationScope::Lead(lead) = scope {
            waiting.extend(self.waiting_campaign_mails(lead)?);
        }
        for id in waiting {
            if self.passage_of(id, now)? == Some(Passage::Hold) {
                self.stop(id, &Passage::Hold, now)?;
            }
        }
        self.held_mails()
    }

    /// Switches it on again. What was held leaves in its turn, except answers to replies older
    /// than `reply.answer_max_age`, which become drafts.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn switch_automation_on(
        &self,
        scope: AutomationScope,
        now: UtcMs,
    ) -> Result<Released, StoreError> {
        let removed = self
            .conn
            .prepare_cached("DELETE FROM automation_off WHERE scope = ?1 AND target_id = ?2")?
            .execute(params![scope.as_str(), scope.target()])?;
        let mut done = Released {
            was_off: removed > 0,
            ..Released::default()
        };
        for (id, campaign) in self.held_ids()? {
            let passage = match self.passage_of(id, now)? {
                Some(passage) => passage,
                None => continue,
            };
            let count = match passage {
                Passage::Hold => &mut done.held,
                Passage::Leave
                | Passage::Later(_)
                | Passage::Closed(_)
                | Passage::SentUnread(_) => &mut done.released,
                Passage::Draft(_) => &mut done.drafted,
                Passage::Withdraw(_) | Passage::Refuse(_) => &mut done.withdrawn,
            };
            *count = count.saturating_add(1);
            // A campaign is held as a whole: a mail of it that stays marked would be forgotten
            // when the campaign goes on. Its claim marks it again if its lead is still off.
            if campaign || passage != Passage::Hold {
                self.unhold(id)?;
            }
            if passage != Passage::Hold {
                self.stop(id, &passage, now)?;
            }
        }
        Ok(done)
    }

    /// Automatic mails that wait, campaign mails aside: few, the brakes see to that.
    fn waiting_automatic(&self) -> Result<Vec<OutboxId>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id FROM outbox
             WHERE state IN ('queued', 'deferred') AND kind <> 'campaign' AND held = 0
               AND automatic = 1 ORDER BY next_attempt_at",
        )?;
        let rows = statement.query_map([], |row| row.get(0).map(OutboxId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The campaign mails of a lead (its address) that wait.
    fn waiting_campaign_mails(&self, lead: LeadRowId) -> Result<Vec<OutboxId>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT o.id FROM leads me
             JOIN leads x ON x.id = me.id OR (x.email_key = me.email_key AND x.email_key <> '')
             JOIN campaign_leads cl ON cl.lead_id = x.id
             JOIN outbox o ON o.campaign_lead_id = cl.id AND o.kind = 'campaign'
                  AND o.state NOT IN ('rejected', 'cancelled')
             WHERE me.id = ?1 AND o.state IN ('queued', 'deferred') AND o.held = 0",
        )?;
        let rows = statement.query_map([lead.0], |row| row.get(0).map(OutboxId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Held mails, and whether each is a campaign mail.
    fn held_ids(&self) -> Result<Vec<(OutboxId, bool)>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, kind = 'campaign' FROM outbox WHERE held = 1 ORDER BY next_attempt_at",
        )?;
        let rows = statement.query_map([], |row| Ok((OutboxId(row.get(0)?), row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether the mail answers a reply that came before `before`.
    fn unhold(&self, id: OutboxId) -> Result<(), StoreError> {
        self.conn
            .prepare_cached("UPDATE outbox SET held = 0 WHERE id = ?1 AND held = 1")?
            .execute([id.0])?;
        Ok(())
    }
}
