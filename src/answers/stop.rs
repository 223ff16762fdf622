//! Words that say nothing of what is asked for, and words that say little.

use super::grammar;
use super::words::Tongue;

/// Whether a word is left out of a question.
#[must_use]
pub fn is_stop(form: &str, tongue: Tongue) -> bool {
    grammar::of(tongue).is_stop(form)
}

/// Whether a stem counts half.
#[must_use]
pub fn is_light(stem: &str, tongue: Tongue) -> bool {
    grammar::of(tongue).is_light(stem)
}
