//! Signing in by OAuth2.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::UnknownWord;

words! {
    /// Whether the refresh token of an account is still taken.
    OAuthState, "state of OAuth2 tokens" {
        /// As far as is known.
        Good => "good",
        /// The token server refused it for good: a person must sign in again.
        NeedsSignIn => "needs_sign_in",
        /// The token server refused the client of the settings: a person must mend them.
        ClientRefused => "client_refused",
    }
}
