//! The marks that stay with a lead: suppressed, bounced, away, asked for later, said no.

use super::Parts;
use super::classify::Verdict;
use super::policy::{self, Decision};
use super::step::{self, Step, StepError};
use crate::model::{Disposition, JobId};
use crate::nature;
use crate::store::{JobContext, StoreError, Tx};
use crate::time::UtcMs;

impl Step<'_> {
    /// Suppression, bounce and vacation.
    pub(super) fn mark_lead(
        &self,
        tx: &Tx<'_>,
        c: &JobContext,
        d: &mut Decision,
    ) -> Result<(), StepError> {
        if let Some(reason) = d.suppress {
            suppress(tx, c, reason, self.now)?;
        }
        let Some(t) = &c.thread else {
            return Ok(());
        };
        match c.disposition {
            Disposition::Bounce => tx.mark_bounced(t.lead_id, c.internal_date)?,
            // A colleague in Cc, a ticket system: their absence is not the lead's.
            Disposition::AutoReply if (c.sender_verified || c.carries_token) && !c.newer.wants => {
                // Until the day that the notice names, else for seven days.
                let received = c.internal_date;
                let absence =
                    nature::absence(&c.subject, &c.visible_text, received, &t.lead_country);
                tx.pause_lead(t.lead_id, absence.until, "away")?;
                let until = absence.until.rfc3339();
                d.reasons
                    .push(format!("away: no campaign mail before {until}"));
            }
            _ => {}
        }
        if let Some(pause) = d.pause {
            tx.pause_lead(t.lead_id, pause.until, pause.why)?;
        } else if d.resumes
            && policy::is_of_now(c.internal_date, self.now)
            && tx.end_pause(t.lead_id, self.now)?
        {
            d.reasons.push("the pause of campaign mails ends".into());
        }
        Ok(())
    }
}

/// No more mail to whom the reply speaks for.
fn suppress(tx: &Tx<'_>, c: &JobContext, reason: &str, now: UtcMs) -> Result<(), StoreError> {
    let message = Some(c.message_id);
    if c.disposition == Disposition::Complaint {
        // Sent by a provider: its own address is nobody's. Whom it names may be a lead,
        // also when the mail that it is about is not known.
        for key in tx.complaining_leads(c.message_id)? {
            tx.suppress(&key, reason, message, now)?;
        }
    } else {
        let sender = crate::model::address_key(&c.from_address);
        tx.suppress(&sender, reason, message, now)?;
        tx.mark_opt_out(c.message_id)?;
    }
    // A stranger speaks for himself; for the lead only if he had our mail.
    let for_lead = c.sender_verified || c.carries_token || c.disposition == Disposition::Complaint;
    if let Some(t) = c.thread.as_ref().filter(|_| for_lead) {
        tx.suppress(&t.lead_email_key, reason, message, now)?;
    }
    Ok(())
}

/// Suppresses although the job has failed: that no notice can be built (an account that is gone,
/// a template) must not let further mails out. `read`: what was read of the reply, if it came so
/// far; else its text is read here.
pub(super) fn suppress_all_the_same(
    tx: &Tx<'_>,
    parts: &Parts,
    job: JobId,
    read: Option<Verdict>,
    now: UtcMs,
) -> Result<(), StoreError> {
    let c = tx.job_context(job)?;
    let words = &parts.settings.reply.person_words;
    let verdict = match read {
        Some(verdict) => Some(verdict),
        // A text that cannot be read says nothing: that is why the job failed.
        None => step::read(&parts.classifier, words, &c).ok(),
    };
    match verdict.and_then(|v| policy::suppresses(&v, c.disposition)) {
        Some(reason) => suppress(tx, &c, reason, now),
        None => Ok(()),
    }
}
