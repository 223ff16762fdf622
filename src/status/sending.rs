//! What of the mails that wait is held, and how far campaigns are, as `replyd status` shows it.

use std::fmt;

use serde::Serialize;

use crate::model::MessageRowId;
use crate::store::{AutomationOff, PaceStatus, Paused, Reader, StoreError};
use crate::time::UtcMs;

/// What is switched off or paused, and what waits for its turn.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sending {
    /// What is switched off, the widest first.
    pub automation_off: Vec<AutomationOff>,
    /// Queued mails that wait because of it.
    pub mails_held: u32,
    /// Campaigns whose mails wait, and those that are paused.
    pub campaigns: Vec<CampaignLine>,
    /// Accounts whose server said "too many".
    pub limited: Vec<Limited>,
    /// Automatic mails that wait on purpose: for their delay, or the working hours.
    pub mails_delayed: u32,
    /// Leads that are away, asked for later, or said no.
    pub leads_paused: u32,
    /// Replies at which the same text twice stopped an automatic mail, while their draft is open.
    pub same_text_twice: Vec<MessageRowId>,
}

/// Numbers of messages in one line.
const FLAGGED: u32 = 20;

/// A campaign with mails that wait.
#[derive(Clone, Debug, Serialize)]
pub struct CampaignLine {
    /// Its name.
    pub name: String,
    /// Mails that wait.
    pub queued: u64,
    /// Set while a person has paused it.
    pub paused: Option<Paused>,
}

/// An account that may not send campaign mails for a while.
#[derive(Clone, Debug, Serialize)]
pub struct Limited {
    /// Its name.
    pub account: String,
    /// Its pace, with what the server said.
    #[serde(flatten)]
    pub pace: PaceStatus,
}

impl Sending {
    pub(super) fn read(r: &Reader<'_>, now: UtcMs) -> Result<Self, StoreError> {
        let mut sending = Self {
            automation_off: r.automation_off()?,
            mails_held: r.held_mails()?,
            mails_delayed: r.mails_delayed(now)?,
            leads_paused: r.count_paused_leads(now)?,
            same_text_twice: r.flagged_replies(FLAGGED)?,
            ..Self::default()
        };
        for campaign in r.campaigns()? {
            let Some(mailing) = campaign.mailing else {
                continue;
            };
            let queued = r.campaign_queued(campaign.id)?;
            if queued > 0 || mailing.paused.is_some() {
                sending.campaigns.push(CampaignLine {
                    name: campaign.name,
                    queued,
                    paused: mailing.paused,
                });
            }
        }
        for account in r.accounts()? {
            let pace = r.pace_status(account.id, now)?;
            if let Some(pace) = pace.filter(|p| p.stopped.is_some()) {
                sending.limited.push(Limited {
                    account: account.name,
                    pace,
                });
            }
        }
        Ok(sending)
    }
}

impl fmt::Display for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for off in &self.automation_off {
            writeln!(f, "AUTOMATION OFF {off}")?;
        }
        if self.mails_held > 0 {
            writeln!(f, "mails held: {}: replyd automation on", self.mails_held)?;
        }
        if self.mails_delayed > 0 {
            writeln!(
                f,
                "mails that leave later on purpose: {}: replyd outbox list",
                self.mails_delayed
            )?;
        }
        if self.leads_paused > 0 {
            writeln!(
                f,
                "leads left alone for a while: {}: replyd automation status",
                self.leads_paused
            )?;
        }
        for message in &self.same_text_twice {
            writeln!(
                f,
                "SAME TEXT TWICE: two machines may be writing to each other: replyd explain {message}"
            )?;
        }
        for c in &self.campaigns {
            write!(f, "campaign {}: {} mails wait", c.name, c.queued)?;
            if let Some(paused) = &c.paused {
                write!(f, ", paused since {}", paused.at.rfc3339())?;
                if !paused.by.is_empty() {
                    write!(f, " by {}", paused.by)?;
                }
                if !paused.reason.is_empty() {
                    write!(f, ": {}", paused.reason)?;
                }
            }
            writeln!(f)?;
        }
        for l in &self.limited {
            writeln!(
                f,
                "campaign mails of account {} wait until {}: the server said: {}",
                l.account,
                l.pace.opens_at.rfc3339(),
                l.pace.stopped.as_deref().unwrap_or_default()
            )?;
        }
        Ok(())
    }
}
