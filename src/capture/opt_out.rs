//! The mail program of a lead who wants no more mail has sent our List-Unsubscribe address:
//! whatever else the mail looks like, the signed word in its subject says who it is.

use super::Understood;
use crate::keys::Keys;
use crate::matcher::{Match, Sender};
use crate::model::{CampaignLeadId, MatchMethod};
use crate::store::{Lookups, Reader, StoreError};
use crate::unsubscribe;

/// Asks for whom the words of a batch are; few mails have one.
pub(super) fn look_up(
    tx: &Reader<'_>,
    batch: &[Understood],
    lookups: &mut Lookups,
) -> Result<(), StoreError> {
    let named: Vec<CampaignLeadId> = batch
        .iter()
        .filter_map(|u| unsubscribe::find(&u.mail.subject))
        .map(|word| word.campaign_lead_id)
        .collect();
    if !named.is_empty() {
        lookups.unsubscribes = tx.unsubscribe_targets(&named)?;
    }
    Ok(())
}

/// The mail to the lead that its word names, if the word is genuine.
pub(super) fn found(m: &Understood, keys: &Keys, lookups: &Lookups) -> Option<Match> {
    let word = unsubscribe::find(&m.mail.subject)?;
    let target = lookups
        .unsubscribes
        .iter()
        .find(|t| t.sent.campaign_lead_id == word.campaign_lead_id)?;
    word.is_ours_for(keys, &target.lead_id).then(|| Match {
        sent: target.sent.clone(),
        method: MatchMethod::Unsubscribe,
        confidence: 1.0,
        sender: if m.sender_key == target.sent.lead_email_key {
            Sender::Lead
        } else {
            Sender::Stranger
        },
        carries_token: true,
    })
}
