//! What a decision comes to, in a word; and what it would be for a reply of which nothing but the
//! text is known.

use std::time::Duration;

use super::classify::Verdict;
use super::policy::{
    BrakeCounts, DAY, Decision, Grounds, HOUR, Situation, Thresholds, ToLead, ToSales, decide,
};
use super::templates::Templates;
use crate::config::ReplySettings;
use crate::model::Newer;
use crate::model::{CampaignMode, CaptureSource, Disposition, Intent, SenderAuth};
use crate::time::UtcMs;
use crate::zone::{Zone, ZoneChoice};

/// What a decision comes to, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    /// The acknowledgement is sent.
    Acknowledge,
    /// An answer from the documents is sent.
    Answer,
    /// The address gets no more mail.
    Suppress,
    /// A person has to look, or has something to do.
    Person,
    /// Nothing leaves, and nobody is told.
    Nothing,
}

impl Gate {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Answer => "answer",
            Self::Suppress => "suppress",
            Self::Person => "person",
            Self::Nothing => "nothing",
        }
    }
}

impl Decision {
    /// What it comes to. Suppression wins over a person.
    #[must_use]
    pub fn gate(&self) -> Gate {
        match (self.suppress, self.lead, self.sales) {
            (Some(_), _, _) => Gate::Suppress,
            (None, ToLead::Acknowledge, _) => Gate::Acknowledge,
            (None, ToLead::Answer, _) => Gate::Answer,
            (None, ToLead::Nothing, ToSales::Nothing) => Gate::Nothing,
            (None, _, _) => Gate::Person,
        }
    }
}

impl Situation {
    /// A verified sender's first reply to a mail that is a minute old, in a campaign of `mode`.
    #[must_use]
    pub fn fresh(mode: CampaignMode, language_known: bool) -> Self {
        let now = UtcMs(1_700_000_000_000);
        Self {
            disposition: Disposition::Reply,
            matched: true,
            sender_verified: true,
            match_confidence: 1.0,
            visible_sure: true,
            has_text: true,
            duplicate_id: false,
            source: CaptureSource::Live,
            old_mail: false,
            internal_date: now,
            parent_known_at: Some(now.minus(Duration::from_secs(60))),
            first_started_at: now.minus(HOUR),
            now,
            mode,
            thresholds: Thresholds::of(&default_settings()),
            campaign_active: true,
            suppressed: false,
            suppressed_before: false,
            dead_address: false,
            automation_off: None,
            counts: BrakeCounts::default(),
            equal_text_before: false,
            equal_reply_before: false,
            person_wrote: false,
            person_answered_it: false,
            sales_told: false,
            from_spam: false,
            sender_auth: SenderAuth::Unknown,
            language_known,
            grounds: Grounds::None,
            until: None,
            hours: None,
            zone: Zone::default(),
            decided_by_person: None,
            newer: Newer::default(),
            copy_of: None,
            resend: false,
        }
    }
}

/// The settings of a settings file that says nothing of replies; a test compares them.
#[must_use]
pub fn default_settings() -> ReplySettings {
    ReplySettings {
        mode: CampaignMode::Auto,
        sales_email: String::new(),
        sales_addresses: Vec::new(),
        operator_addresses: Vec::new(),
        goal_threshold: 0.7,
        question_threshold: 0.7,
        margin: 0.15,
        answer_max_age: DAY,
        optout_confirmation: false,
        sales_notices_per_hour: 60,
        automatic_per_day: 200,
        automatic_per_domain: 50,
        person_words: Vec::new(),
        not_now_pause: DAY * 90,
        send_delay: Duration::ZERO,
        working_hours: None,
        zone: ZoneChoice::Lead,
        templates_dir: None,
        weights_file: None,
    }
}

/// What would become of a reply with default settings: a verified sender, a fresh thread, a
/// campaign in mode `auto` that has documents in the languages in which `texts` answers.
#[must_use]
pub fn gate_of_fresh(v: &Verdict, texts: &Templates) -> Gate {
    let settings = default_settings();
    let language_known = if v.intent == Intent::Question {
        texts.answers_in("", v.language)
    } else {
        texts.speaks("", v.language)
    };
    let d = decide(
        v,
        &Situation::fresh(CampaignMode::Auto, language_known),
        &settings,
    );
    match d.gate() {
        Gate::Person if d.answerable => Gate::Answer,
        gate => gate,
    }
}
