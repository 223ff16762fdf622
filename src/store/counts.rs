//! How far all campaigns are, in one look: each number is counted over an index, once for all of them.

use std::collections::BTreeMap;

use super::{CampaignCounts, Reader, StoreError};
use crate::model::{CampaignId, OutboxState};

/// Numbers of leads, by campaign: what they go into, and the question.
type Question = (fn(&mut CampaignCounts) -> &mut u64, &'static str);

const QUESTIONS: [Question; 5] = [
    (
        |c| &mut c.leads,
        "SELECT campaign_id, count(*) FROM campaign_leads GROUP BY campaign_id",
    ),
    (
        |c| &mut c.sent,
        "SELECT campaign_id, count(*) FROM campaign_leads WHERE message_sent = 1 GROUP BY campaign_id",
    ),
    (
        |c| &mut c.replied,
        "SELECT campaign_id, count(*) FROM inbox WHERE replies > 0 GROUP BY campaign_id",
    ),
    (
        |c| &mut c.opted_out,
        "SELECT cl.campaign_id, count(*) FROM suppressions s
         CROSS JOIN leads l ON l.email_key = s.email_key AND l.email_key <> ''
         CROSS JOIN campaign_leads cl ON cl.lead_id = l.id GROUP BY cl.campaign_id",
    ),
    (
        |c| &mut c.bounced,
        "SELECT cl.campaign_id, count(*) FROM leads l
         CROSS JOIN campaign_leads cl ON cl.lead_id = l.id
         WHERE l.bounced_at IS NOT NULL GROUP BY cl.campaign_id",
    ),
];

impl CampaignCounts {
    /// Adds mails of the outbox in this state.
    pub(super) fn add_mails(&mut self, state: OutboxState, mails: u64) {
        let of_state = match state {
            OutboxState::Queued | OutboxState::Deferred => &mut self.queued,
            OutboxState::Sending => &mut self.sending,
            OutboxState::Unknown => &mut self.unknown,
            OutboxState::Rejected => &mut self.failed,
            OutboxState::Cancelled => &mut self.withdrawn,
            // Counted by lead, with those that other programs sent.
            OutboxState::Sent => return,
        };
        *of_state = of_state.saturating_add(mails);
    }
}

impl Reader<'_> {
    /// The numbers of every campaign that has any.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn all_campaign_counts(&self) -> Result<BTreeMap<CampaignId, CampaignCounts>, StoreError> {
        let mut all: BTreeMap<CampaignId, CampaignCounts> = BTreeMap::new();
        for (number, sql) in QUESTIONS {
            let mut statement = self.conn.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| {
                Ok((CampaignId(row.get(0)?), row.get::<_, i64>(1)?))
            })?;
            for row in rows {
                let (campaign, count) = row?;
                *number(all.entry(campaign).or_default()) = count.unsigned_abs();
            }
        }
        let mut mails = self.conn.prepare_cached(
            "SELECT campaign_id, state, count(*) FROM outbox
             WHERE kind = 'campaign' AND campaign_id IS NOT NULL GROUP BY campaign_id, state",
        )?;
        let mut rows = mails.query([])?;
        while let Some(row) = rows.next()? {
            let (campaign, state) = (CampaignId(row.get(0)?), row.get::<_, String>(1)?);
            let count = row.get::<_, i64>(2)?.unsigned_abs();
            all.entry(campaign)
                .or_default()
                .add_mails(state.parse()?, count);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Captured, Fixture};
    use super::*;

    #[tokio::test]
    async fn all_campaigns_are_counted_as_each_is() {
        let f = Fixture::new();
        f.sql(
            "INSERT INTO campaigns (id, name, created_at, updated_at) VALUES (2, 'Autumn', 0, 0)",
        );
        for (id, campaign) in [(2, 1), (3, 2), (4, 2)] {
            f.lead(id, "Bo", &format!("bo{id}@lead.example"), campaign);
        }
        f.sql(
            "INSERT INTO suppressions (email_key, reason, created_at) VALUES ('bo3@lead.example', 'unsubscribe', 1);
             UPDATE leads SET bounced_at = 5 WHERE id = 4;
             UPDATE campaign_leads SET message_sent = 0 WHERE id = 2;
             INSERT INTO conversations (campaign_lead_id, sender, message, created_at) VALUES
                (1, 'customer', 'Yes', 1), (1, 'customer', 'Please', 2), (1, 'agent', 'Thanks', 3), (3, 'agent', 'Hello', 3);",
        );
        f.capture(1, &Captured::default());
        f.sql(
            "INSERT INTO outbox (account_id, kind, campaign_lead_id, campaign_id, automatic, rfc_message_id, envelope_from,
                envelope_to, subject, body, body_digest, raw, state, next_attempt_at, created_at)
             VALUES (1, 'campaign', 2, 1, 0, 'a', '', '', '', '', '', x'', 'queued', 0, 0),
                    (1, 'campaign', 3, 2, 0, 'b', '', '', '', '', '', x'', 'rejected', 0, 0);",
        );
        let (all, each) = f
            .store
            .read(|r| {
                let each: BTreeMap<_, _> = [CampaignId(1), CampaignId(2)]
                    .into_iter()
                    .map(|id| Ok((id, r.campaign_counts(id)?)))
                    .collect::<Result<_, StoreError>>()?;
                Ok::<_, StoreError>((r.all_campaign_counts()?, each))
            })
            .await
            .unwrap();
        assert_eq!(all, each);
        let first = all[&CampaignId(1)];
        assert_eq!((first.leads, first.sent, first.replied), (2, 1, 1));
        let second = all[&CampaignId(2)];
        assert_eq!((second.opted_out, second.bounced, second.failed), (1, 1, 1));
    }
}
