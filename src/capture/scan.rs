//! `sent scan`: the mails of the Sent folder that went to known leads become known, so that
//! replies to them match. For who starts without any export.

use super::batch::Arrived;
use super::sent::{Letter, hand_over};
use super::{Capture, Parts};
use crate::model::{AccountId, CampaignLeadId, LeadRowId, SentKind};
use crate::store::{StoreError, ThreadWith, Tx};
use crate::time::{self, UtcMs};

/// The campaign of leads that are in none.
pub const SCAN_CAMPAIGN: &str = "Sent folder";
/// What went wrong that is told.
const MAX_ERRORS: usize = 20;

/// What a scan did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ScanReport {
    /// The folder.
    pub folder: String,
    /// Mails of the window.
    pub looked_at: u64,
    /// Mails to known leads that are known from now on.
    pub recorded: u64,
    /// Of them those in which a person answered a lead: people have these threads.
    pub answers: u64,
    /// Known before: imported, scanned, or sent by replyd.
    pub known: u64,
    /// To no lead.
    pub nobody: u64,
    /// Without a Message-ID: no reply can refer to them.
    pub without_id: u64,
    /// To several leads at once: replies match for the first, those of the others go to people.
    pub to_several: u64,
    /// Mails of replyd of which nobody knew whether they had arrived.
    pub settled: u64,
    /// Campaigns that were made for leads in none.
    pub campaigns_made: u64,
    /// Stored messages that answer one of them: they are looked at again at the next check.
    pub refetch: u64,
    /// What could not be recorded, and why; the first 20.
    pub errors: Vec<String>,
}

impl ScanReport {
    /// Adds what a batch did.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.looked_at, other.looked_at),
            (&mut self.recorded, other.recorded),
            (&mut self.answers, other.answers),
            (&mut self.known, other.known),
            (&mut self.nobody, other.nobody),
            (&mut self.without_id, other.without_id),
            (&mut self.to_several, other.to_several),
            (&mut self.settled, other.settled),
            (&mut self.campaigns_made, other.campaigns_made),
            (&mut self.refetch, other.refetch),
        ] {
            *sum = sum.saturating_add(more);
        }
        for e in &other.errors {
            self.error(e.clone());
        }
    }

    fn error(&mut self, what: String) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(what);
        }
    }
}

impl Capture {
    /// Records a batch of an account's Sent folder, oldest first, in one transaction. `campaign`:
    /// where mails go that continue no known thread; else the lead's only or newest running one.
    ///
    /// # Errors
    /// What the store says; nothing of the batch was written then.
    pub async fn scan_sent(
        &self,
        account: AccountId,
        campaign: Option<String>,
        batch: Vec<Arrived>,
    ) -> Result<ScanReport, StoreError> {
        let understood = self.understand(batch).await?;
        let this = self.clone();
        self.0
            .store
            .write(move |tx| {
                let now = time::now();
                let mut report = ScanReport::default();
                for m in &understood {
                    let letter = this.0.letter(m);
                    report.looked_at = report.looked_at.saturating_add(1);
                    let done = tx.whole(|tx| {
                        let mut one = ScanReport::default();
                        this.0.scan_one(
                            tx,
                            account,
                            campaign.as_deref(),
                            &letter,
                            &mut one,
                            now,
                        )?;
                        Ok(one)
                    });
                    match done {
                        Ok(one) => report.add(&one),
                        // One mail that does not fit is told, the others go in.
                        Err(e @ (StoreError::Invalid(_) | StoreError::NotFound(_))) => {
                            report.error(format!("UID {}: {e}", m.arrived.uid));
                        }
                        Err(e) => return Err(e),
                    }
                }
                Ok(report)
            })
            .await
    }
}

impl Parts {
    fn scan_one(
        &self,
        tx: &Tx<'_>,
        account: AccountId,
        campaign: Option<&str>,
        letter: &Letter<'_>,
        report: &mut ScanReport,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        if letter.own.is_some() {
            report.known = 1;
            // Counted by the listener, which meets it once.
            let told = self.own_copy(tx, account, "", letter, false, now)?;
            report.settled = u64::from(told.settled);
            return Ok(());
        }
        if self.is_foreign(tx, letter)? {
            match letter.id {
                Some(_) => report.known = 1,
                None => report.nobody = 1,
            }
            return Ok(());
        }
        let continues = tx.thread_of_ids(account, letter.ids())?;
        let with = self.leads_of(tx, letter)?;
        let in_thread = match continues {
            Some(c) => tx.is_in_thread(c.campaign_lead_id, &letter.recipients)?,
            None => false,
        };
        // A reply that was passed on to a colleague went to no lead.
        let passed_on = continues.is_some() && !in_thread && self.all_ours(&letter.recipients);
        let lead = self.lead_written_to(tx, letter)?;
        if passed_on || (continues.is_none() && lead.is_none()) {
            report.nobody = 1;
            return Ok(());
        }
        if letter.id.is_none() {
            report.without_id = 1;
            return Ok(());
        }
        let thread = match (continues, lead) {
            (Some(c), _) => c.campaign_lead_id,
            (None, Some(lead)) => self.thread_for(tx, campaign, lead, &with, report, now)?,
            (None, None) => return Ok(()),
        };
        // Only a mail that says that it answers one which is not ours answers the lead: what
        // follows up our own mail is the next step of a campaign.
        let answers = letter.by_person
            && letter.refers()
            && continues.is_none_or(|c| c.answers_lead)
            && (in_thread || continues.is_none());
        let kind = if answers {
            SentKind::Manual
        } else {
            SentKind::Campaign
        };
        let Some(done) = tx.record_found(thread, kind, &letter.as_mail(None), now)? else {
            report.known = 1;
            return Ok(());
        };
        report.recorded = 1;
        report.refetch = u64::try_from(done.refetch).unwrap_or(0);
        if answers {
            report.answers = 1;
            hand_over(tx, letter, &[thread], true, None, now)?;
        }
        let mut leads: Vec<_> = with.iter().map(|t| t.lead).collect();
        leads.sort_unstable();
        leads.dedup();
        report.to_several = u64::from(leads.len() > 1);
        Ok(())
    }

    fn leads_of(&self, tx: &Tx<'_>, letter: &Letter<'_>) -> Result<Vec<ThreadWith>, StoreError> {
        let mut with = Vec::new();
        for key in &letter.recipients {
            with.extend(tx.threads_with(key)?);
        }
        Ok(with)
    }

    /// The first recipient who is a lead; of one that was imported twice the newest row.
    fn lead_written_to(
        &self,
        tx: &Tx<'_>,
        letter: &Letter<'_>,
    ) -> Result<Option<LeadRowId>, StoreError> {
        for key in &letter.recipients {
            if let Some(lead) = tx.leads_by_address(key)?.into_iter().map(|l| l.id).max() {
                return Ok(Some(lead));
            }
        }
        Ok(None)
    }

    /// The conversation of a mail that continues none: in the campaign that was named, else the
    /// lead's only or newest running one, else one made for it.
    fn thread_for(
        &self,
        tx: &Tx<'_>,
        campaign: Option<&str>,
        lead: LeadRowId,
        with: &[ThreadWith],
        report: &mut ScanReport,
        now: UtcMs,
    ) -> Result<CampaignLeadId, StoreError> {
        if let (None, Some(best)) = (campaign, with.first()) {
            return Ok(best.campaign_lead_id);
        }
        let name = campaign.unwrap_or(SCAN_CAMPAIGN);
        report.campaigns_made = u64::from(tx.campaign_by_name(name)?.is_none());
        tx.thread_in(name, lead, now)
    }
}
