//! What is remembered of a model endpoint between requests and between processes.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::UnknownWord;
use crate::time::UtcMs;

/// A refused `temperature` is given again after so long.
const TEMPERATURE_AGAIN: Duration = Duration::from_secs(24 * 3600);

words! {
    /// How an endpoint is made to answer with a JSON object; each server understands some.
    Dialect, "dialect" {
        /// `response_format` of type `json_schema`.
        JsonSchema => "json_schema",
        /// `response_format` of type `json_object`, the schema in the prompt.
        JsonObject => "json_object",
        /// No `response_format`: the first object in the text.
        Text => "text",
    }
}

/// The state of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointState {
    /// Address and model; another one is begun anew.
    pub endpoint: String,
    /// What it understood last.
    pub dialect: Dialect,
    /// When that was found out.
    pub dialect_at: Option<UtcMs>,
    /// It wants `max_completion_tokens` instead of `max_tokens`.
    pub completion_tokens: bool,
    /// It refuses a `temperature`.
    pub no_temperature: bool,
    /// When it refused that.
    #[serde(default)]
    pub no_temperature_at: Option<UtcMs>,
    /// Failures in a row.
    pub failures: u32,
    /// It is not asked before this.
    pub open_until: Option<UtcMs>,
    /// The last answer that could be used.
    pub last_ok_at: Option<UtcMs>,
    /// The last failure.
    pub last_error_at: Option<UtcMs>,
    /// Why; empty: there was none.
    pub last_error: String,
}

impl EndpointState {
    /// Of an endpoint that was never asked.
    #[must_use]
    pub fn new(endpoint: String) -> Self {
        Self {
            endpoint,
            dialect: Dialect::JsonSchema,
            dialect_at: None,
            completion_tokens: false,
            no_temperature: false,
            no_temperature_at: None,
            failures: 0,
            open_until: None,
            last_ok_at: None,
            last_error_at: None,
            last_error: String::new(),
        }
    }

    /// Notes that a `temperature` was refused.
    pub fn refused_temperature(&mut self, now: UtcMs) {
        self.no_temperature = true;
        self.no_temperature_at = Some(now);
    }

    /// Whether a request says `temperature: 0`, without which labels differ from one time to the
    /// next. A refusal counts for a day: servers are updated, and many repeat the whole request in a
    /// complaint about something else.
    #[must_use]
    pub fn gives_temperature(&self, now: UtcMs) -> bool {
        !self.no_temperature
            || !self
                .no_temperature_at
                // A time ahead met a clock that was set back.
                .is_some_and(|at| at <= now && now.since(at) < TEMPERATURE_AGAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_temperature_is_tried_again_after_a_day() {
        let at = UtcMs(1_700_000_000_000);
        let mut state = EndpointState::new("e".into());
        assert!(state.gives_temperature(at));
        state.refused_temperature(at);
        assert!(!state.gives_temperature(at.plus(TEMPERATURE_AGAIN - Duration::from_secs(1))));
        assert!(state.gives_temperature(at.plus(TEMPERATURE_AGAIN)));
        // As an older version kept it.
        state.no_temperature_at = None;
        assert!(state.gives_temperature(at));
    }
}
