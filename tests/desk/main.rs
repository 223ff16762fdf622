//! What people do with what replyd left to them, with the real binary: drafts are edited, approved,
//! rejected and closed by events; labels become rows for training; `process` tells what it did.
#![expect(
    clippy::expect_used,
    reason = "clippy's allowance for tests does not reach helper functions"
)]

#[path = "../common/mod.rs"]
mod common;
mod killed;
mod labels;
mod people;
mod process;
