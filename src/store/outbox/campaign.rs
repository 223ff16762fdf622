//! What is special about a campaign mail on its way out: its Date is that of the day on which it
//! leaves, and it is known as sent from the moment at which its body may be out.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, params};

use super::StoreError;
use crate::model::{CampaignLeadId, IdSource, LeadRowId, OutboxId, SentKind};
use crate::store::{NewSent, Tx};
use crate::time::UtcMs;

impl Tx<'_> {
    /// The mail's bytes with the Date of now; it may have been queued days ago, and a mail that
    /// arrives with an old Date is taken for spam. Written back, so that what is stored is what
    /// was sent.
    pub(super) fn redate(
        &self,
        id: OutboxId,
        raw: Vec<u8>,
        now: UtcMs,
    ) -> Result<Vec<u8>, StoreError> {
        let Some(raw) = with_date(&raw, now) else {
            return Ok(raw);
        };
        self.conn
            .prepare_cached("UPDATE outbox SET raw = ?2 WHERE id = ?1")?
            .execute(params![id.0, raw])?;
        Ok(raw)
    }

    /// From here on a reply to a campaign mail may come: it has its row and its Message-ID among
    /// the sent mails. Again is the same row.
    pub(super) fn know_campaign_mail(&self, id: OutboxId, now: UtcMs) -> Result<(), StoreError> {
        let found: Option<(i64, String, String, String)> = self
            .conn
            .prepare_cached(
                "SELECT o.campaign_lead_id, o.subject, o.body, o.rfc_message_id FROM outbox o
                 WHERE o.id = ?1 AND o.kind = 'campaign' AND o.campaign_lead_id IS NOT NULL
                   AND NOT EXISTS (SELECT 1 FROM sent_messages s WHERE s.outbox_ref = o.id)",
            )?
            .query_row([id.0], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))
            .optional()?;
        let Some((campaign_lead, subject, body, own_id)) = found else {
            return Ok(());
        };
        let sent = self.add_sent(
            &NewSent {
                campaign_lead_id: CampaignLeadId(campaign_lead),
                kind: SentKind::Campaign,
                subject,
                body,
                sent_at: now,
                outbox_ref: Some(id),
                ids: Vec::new(),
            },
            now,
        )?;
        // Nothing refers to it yet: it never left before.
        self.add_sent_id(sent, &own_id, IdSource::Own, "", now)?;
        Ok(())
    }

    /// The server says that the lead's mailbox is not there: as a delivery report would.
    pub(super) fn note_dead_address(&self, id: OutboxId, now: UtcMs) -> Result<(), StoreError> {
        let lead: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT cl.lead_id FROM outbox o JOIN campaign_leads cl ON cl.id = o.campaign_lead_id
                 WHERE o.id = ?1
                   AND o.kind IN ('campaign', 'acknowledgment', 'answer', 'optout_confirmation', 'manual')",
            )?
            .query_row([id.0], |row| row.get(0))
            .optional()?;
        match lead {
            Some(lead) => self.mark_bounced(LeadRowId(lead), now),
            None => Ok(()),
        }
    }

    /// The server took a campaign mail: the predecessor's columns, and the line that people read.
    pub(super) fn campaign_mail_accepted(
        &self,
        id: OutboxId,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.know_campaign_mail(id, now)?;
        self.conn
            .prepare_cached(
                "UPDATE sent_messages SET sent_at = ?2 WHERE outbox_ref = ?1 AND kind = 'campaign'",
            )?
            .execute(params![id.0, now.0])?;
        self.conn
            .prepare_cached(
                "UPDATE campaign_leads
                 SET message_sent = 1, message_sent_at = ?2,
                     email_message_id = (SELECT rfc_message_id FROM outbox WHERE id = ?1),
                     personalized_message = (SELECT body FROM outbox WHERE id = ?1)
                 WHERE id = (SELECT campaign_lead_id FROM outbox WHERE id = ?1)",
            )?
            .execute(params![id.0, now.0])?;
        self.conn
            .prepare_cached(
                "INSERT INTO conversations (campaign_lead_id, sender, message, agent_tool_used,
                     email_message_id, created_at, outbox_ref)
                 SELECT campaign_lead_id, 'agent', body, 'message_generation', rfc_message_id, ?2, id
                 FROM outbox WHERE id = ?1 AND campaign_lead_id IS NOT NULL
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![id.0, now.0])?;
        Ok(())
    }
}

/// The message with its Date header set to `now`; `None` when it has none on one line.
fn with_date(raw: &[u8], now: UtcMs) -> Option<Vec<u8>> {
    const NAME: &[u8] = b"date:";
    let mut start = 0;
    while let Some(line) = raw
        .get(start..)
        .and_then(|rest| rest.split_inclusive(|b| *b == b'\n').next())
    {
        let text = line.trim_ascii_end();
        if text.is_empty() {
            return None; // The end of the header.
        }
        let end = start.saturating_add(line.len());
        let is_date = line
            .get(..NAME.len())
            .is_some_and(|name| name.eq_ignore_ascii_case(NAME));
        if is_date {
            let date = DateTime::<Utc>::from_timestamp_millis(now.0)?.to_rfc2822();
            let mut dated = Vec::with_capacity(raw.len().saturating_add(4));
            dated.extend_from_slice(raw.get(..start)?);
            dated.extend_from_slice(b"Date: ");
            dated.extend_from_slice(date.as_bytes());
            dated.extend_from_slice(b"\r\n");
            dated.extend_from_slice(raw.get(end..)?);
            return Some(dated);
        }
        start = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_date_changes() {
        let now = UtcMs(1_700_000_000_000);
        let raw =
            b"From: a@x\r\nDate: Mon, 1 Jan 2001 00:00:00 +0000\r\nSubject: s\r\n\r\nDate: no\r\n";
        let dated = String::from_utf8(with_date(raw, now).unwrap()).unwrap();
        assert_eq!(
            dated,
            "From: a@x\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\nSubject: s\r\n\r\nDate: no\r\n"
        );
        for without in [
            "",
            "From: a@x\r\n\r\nDate: no\r\n",
            "From: a@x\r\nX-Date: no\r\n",
        ] {
            assert_eq!(with_date(without.as_bytes(), now), None, "{without:?}");
        }
    }
}
