//! What to do about an account's state, in one sentence.

use crate::fault::Fault;
use crate::model::AccountState;

/// What to do; empty: nothing. `fault` is the code of what is behind the state, empty: unknown.
#[must_use]
pub fn of(state: AccountState, fault: &str) -> &'static str {
    if let Ok(known) = fault.parse::<Fault>() {
        return known.remedy();
    }
    match state {
        AccountState::Live => "",
        AccountState::Degraded => "Nothing at once: it hears, and goes on by itself.",
        AccountState::Down => {
            "Follow the reason: server name, port, network, certificate. It is tried again by itself."
        }
        AccountState::NeedsSignIn => {
            "Mend user and password in the settings, then restart replyd: other credentials are tried at once."
        }
    }
}
