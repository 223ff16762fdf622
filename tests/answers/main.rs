//! Questions of leads and a campaign's documents, with the real binary: what is answered in the
//! thread, what becomes a draft, and how the index follows the folder.
#![expect(
    clippy::expect_used,
    reason = "clippy's allowance for tests does not reach helper functions"
)]

#[path = "../common/mod.rs"]
mod common;
mod floors;
mod real;
mod threads;
