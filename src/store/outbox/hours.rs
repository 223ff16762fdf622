//! The working hours, asked once more when a mail is about to leave: what was held, put off by a server
//! or found by a process that was down leaves in them as well.

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::hours::WorkingHours;
use crate::model::{CampaignLeadId, OutboxId};
use crate::store::{Reader, StoreError, Tx};
use crate::time::UtcMs;
use crate::zone::ZoneChoice;

const KEY: &str = "working_hours";

/// The settings' own, as every process that sends writes them down.
#[derive(Debug, Serialize, Deserialize)]
struct General {
    hours: Option<String>,
    zone: ZoneChoice,
}

impl Reader<'_> {
    /// When an acknowledgement or an answer of this conversation may leave: `now`, or when the
    /// hours of its campaign, else of the settings, begin next.
    pub(super) fn hours_open_at(
        &self,
        thread: CampaignLeadId,
        now: UtcMs,
    ) -> Result<UtcMs, StoreError> {
        let general: Option<General> = self.learned(KEY)?;
        let row: Option<(Option<String>, Option<String>, String)> = self
            .conn
            .prepare_cached(
                "SELECT c.working_hours, c.zone, l.country_code
                 FROM campaign_leads cl JOIN campaigns c ON c.id = cl.campaign_id
                 JOIN leads l ON l.id = cl.lead_id WHERE cl.id = ?1",
            )?
            .query_row([thread.0], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
            .optional()?;
        let Some((hours, zone, country)) = row else {
            return Ok(now);
        };
        let of_settings = general
            .as_ref()
            .and_then(|g| WorkingHours::parse(g.hours.as_deref()?).ok());
        let Some(hours) = WorkingHours::of(hours.as_deref(), of_settings.as_ref()) else {
            return Ok(now);
        };
        let general = general.map_or(ZoneChoice::Lead, |g| g.zone);
        let zone = ZoneChoice::of(zone.as_deref(), general).zone_for(&country);
        Ok(hours.next_open(now, &zone))
    }
}

impl Tx<'_> {
    /// Takes over the settings' `reply.working_hours` and `reply.zone`: the gate asks them of each
    /// automatic mail to a lead.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_working_hours(
        &self,
        hours: Option<&WorkingHours>,
        zone: ZoneChoice,
    ) -> Result<(), StoreError> {
        let hours = hours.map(|h| h.as_str().to_owned());
        self.set_record(KEY, &General { hours, zone })
    }

    /// The mail waits until then on purpose, and is as old as then when it leaves.
    pub(in crate::store) fn wait_for_hours(
        &self,
        id: OutboxId,
        until: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE outbox SET next_attempt_at = ?2, not_before = max(not_before, ?2)
                 WHERE id = ?1 AND state IN ('queued', 'deferred')",
            )?
            .execute(params![id.0, until.0])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{MINUTE, World, deferred, mail};
    use super::*;
    use crate::model::{JobId, MailKind};

    /// Monday, 13 November 2023, 17:59 UTC.
    const EVENING: UtcMs = UtcMs(1_699_898_340_000);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn closing_at_six(w: &World, own: Option<&str>) {
        let general = WorkingHours::parse("Mon-Fri 09:00-18:00").unwrap();
        let utc = ZoneChoice::parse("UTC").unwrap();
        w.tx(|tx| tx.set_working_hours(Some(&general), utc));
        if let Some(own) = own {
            w.sql(&format!("UPDATE campaigns SET working_hours = '{own}'"));
        }
        w.sql(&format!(
            "UPDATE messages SET internal_date = {}",
            EVENING.0
        ));
    }

    fn next_try(w: &World) -> String {
        w.text("SELECT next_attempt_at FROM outbox")
    }

    #[test]
    fn a_mail_that_a_server_put_off_over_the_end_of_the_hours_waits_for_the_morning() {
        let w = World::new();
        closing_at_six(&w, None);
        let id = w.queue(&crate::store::outbox::NewMail {
            job_id: Some(JobId(1)),
            ..mail(MailKind::Acknowledgment, "a@y.example")
        });
        w.sql(&format!(
            "UPDATE outbox SET next_attempt_at = {}",
            EVENING.0
        ));
        let tried = w.claim(EVENING).unwrap();
        w.record(&tried, &deferred(None), EVENING);
        let retry = EVENING.plus(MINUTE * 20);
        assert!(w.claim(retry).is_none());
        let morning = EVENING
            .plus(DAY)
            .minus(Duration::from_secs(8 * 3600 + 59 * 60));
        assert_eq!(next_try(&w), morning.0.to_string(), "Tuesday, 09:00");
        assert_eq!(w.state(id), "deferred");
        assert!(w.claim(morning).is_some());
    }

    #[test]
    fn a_campaigns_own_hours_count_before_the_settings() {
        for (own, leaves) in [
            (Some("Mon 17:00-20:00"), true),
            (Some("Sat 10:00-12:00"), false),
        ] {
            let w = World::new();
            closing_at_six(&w, own);
            w.queue(&crate::store::outbox::NewMail {
                job_id: Some(JobId(1)),
                ..mail(MailKind::Acknowledgment, "a@y.example")
            });
            w.sql(&format!(
                "UPDATE outbox SET next_attempt_at = {}",
                EVENING.0
            ));
            let at = EVENING.plus(MINUTE * 20);
            assert_eq!(w.claim(at).is_some(), leaves, "{own:?}");
        }
    }

    #[test]
    fn what_a_person_wrote_and_notices_know_no_hours() {
        for kind in [
            MailKind::Manual,
            MailKind::SalesNotice,
            MailKind::OptoutConfirmation,
        ] {
            let w = World::new();
            closing_at_six(&w, None);
            w.queue(&mail(kind, "a@y.example"));
            w.sql(&format!(
                "UPDATE outbox SET next_attempt_at = {}",
                EVENING.0
            ));
            assert!(w.claim(EVENING.plus(MINUTE * 20)).is_some(), "{kind}");
        }
    }
}
