//! The linear model beside the rules: nine-class logistic regression over hashed n-grams and
//! named signs, 8-bit weights, trained by `replyd train` (docs/DECISIONS.md, "Intents").

mod features;
mod numeric;
mod train;
mod weights;

pub use features::{BUCKETS, Features};
pub use train::{Example, Recipe, train};
pub use weights::{CLASSES, FORMAT, Row, Weights, WeightsError, place};

/// The n-grams of a folded text, and its number of words.
pub(super) fn of_text(folded: &str) -> (Features, usize) {
    features::of_text(folded)
}
