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

    /// Words are checked where they are written; one that cannot be read counts as none.
    pub(super) fn hours(&self, settings: &ReplySettings) -> Option<WorkingHours> {
        match self.0.working_hours.as_deref() {
            None => settings.working_hours.clone(),
            Some(text) => WorkingHours::parse(text).ok(),
        }
    }

    pub(super) fn zone(&self, settings: &ReplySettings, country: &str) -> Zone {
        let own = self.0.zone.as_deref().map(ZoneChoice::parse);
        own.and_then(Result::ok)
            .unwrap_or(settings.zone)
            .zone_for(country)
    }
}
