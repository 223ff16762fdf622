//! What a campaign says for itself of automatic mails: thresholds and working hours.

use rusqlite::params;

use super::{Reader, StoreError, Tx};
use crate::model::CampaignId;
use crate::time::UtcMs;

/// A campaign's own rules; `None`: as the settings say.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct CampaignRules {
    /// Confidence below which nothing is acknowledged.
    pub goal_threshold: Option<f64>,
    /// Confidence below which no question is answered.
    pub question_threshold: Option<f64>,
    /// A refusal as close as this: a person decides.
    pub margin: Option<f64>,
    /// When automatic mails leave; `none`: at any time.
    pub working_hours: Option<String>,
    /// Where those hours are counted.
    pub zone: Option<String>,
}

impl Reader<'_> {
    /// A campaign's own rules.
    ///
    /// # Errors
    /// What SQLite says; a campaign that is not there is an error.
    pub fn campaign_rules(&self, id: CampaignId) -> Result<CampaignRules, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT goal_threshold, question_threshold, margin, working_hours, zone
                 FROM campaigns WHERE id = ?1",
            )?
            .query_row([id.0], |row| {
                Ok(CampaignRules {
                    goal_threshold: row.get(0)?,
                    question_threshold: row.get(1)?,
                    margin: row.get(2)?,
                    working_hours: row.get(3)?,
                    zone: row.get(4)?,
                })
            })?)
    }
}

impl Tx<'_> {
    /// Replaces a campaign's own rules. They hold for what is decided from the commit on.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_campaign_rules(
        &self,
        id: CampaignId,
        rules: &CampaignRules,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE campaigns SET goal_threshold = ?2, question_threshold = ?3, margin = ?4,
                     working_hours = ?5, zone = ?6, updated_at = ?7
                 WHERE id = ?1",
            )?
            .execute(params![
                id.0,
                rules.goal_threshold,
                rules.question_threshold,
                rules.margin,
                rules.working_hours,
                rules.zone,
                now.0
            ])?;
        Ok(())
    }
}
