//! (being written)

pub mod classify;
pub mod compose;
pub mod policy;
pub mod templates;
