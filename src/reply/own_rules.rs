//! A campaign's own thresholds and working hours, over those of the settings.

use super::policy::Thresholds;
use crate::config::ReplySettings;
use crate::hours::WorkingHours;
use crate::store::{CampaignRules, Reader, StoreError, ThreadContext};
use crate::zone::{Zone, ZoneChoice};

/// What the campaign says; nothing: as the settings.
#[derive(Debug, Default)]
pub(super) struct OwnRules(CampaignRules);

impl OwnRules {
    /// Those of the conversation's campaign.
    pub(super) fn of(r: &Reader<'_>, t: Option<&ThreadContext>) -> Result<Self, StoreError> {
        Ok(Self(match t {
            Some(t) => r.campaign_rules(t.campaign_id)?,
            None => CampaignRules::default(),
        }))
    }

    pub(super) fn thresholds(&self, settings: &ReplySettings) -> Thresholds {
        let of_settings = Thresholds::of(settings);
        Thresholds {
            goal: self.0.goal_threshold.unwrap_or(of_settings.goal),
            question: self.0.question_threshold.unwrap_or(of_settings.question),
            margin: self.0.margin.unwrap_or(of_settings.margin),
        }
    }

    pub(super) fn hours(&self, settings: &ReplySettings) -> Option<WorkingHours> {
        let own = self.0.working_hours.as_deref();
        WorkingHours::of(own, settings.working_hours.as_ref())
    }

    pub(super) fn zone(&self, settings: &ReplySettings, country: &str) -> Zone {
        ZoneChoice::of(self.0.zone.as_deref(), settings.zone).zone_for(country)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_of_a_campaign_that_cannot_be_read_are_those_of_the_settings() {
        let settings = ReplySettings {
            working_hours: WorkingHours::parse("Mon-Fri 09:00-18:00").ok(),
            ..crate::reply::gate::default_settings()
        };
        for (own, hours) in [
            (None, "Mon-Fri 09:00-18:00"),
            (Some("by day"), "Mon-Fri 09:00-18:00"),
            (Some("22:00-06:00"), "Mon-Fri 09:00-18:00"),
            (Some("Sat 10:00-13:00"), "Sat 10:00-13:00"),
        ] {
            let rules = OwnRules(CampaignRules {
                working_hours: own.map(str::to_owned),
                ..CampaignRules::default()
            });
            let found = rules.hours(&settings);
            assert_eq!(
                found.as_ref().map(WorkingHours::as_str),
                Some(hours),
                "{own:?}"
            );
        }
    }
}
