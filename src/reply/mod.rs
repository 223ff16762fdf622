//! (being written)

pub mod classify;
pub mod compose;
mod fold;
pub mod policy;
mod rules;
pub mod templates;
