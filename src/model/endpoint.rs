//! What is remembered of a model endpoint between requests and between processes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::UnknownWord;
use crate::time::UtcMs;

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
            failures: 0,
            open_until: None,
            last_ok_at: None,
            last_error_at: None,
            last_error: String::new(),
        }
    }
}
