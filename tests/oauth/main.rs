//! Signing in by OAuth2: the real binary against a real Dovecot and Postfix that check its
//! tokens, and a token server of our own that rotates, fails, loses answers and revokes.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail the test with a sentence; counts are printed"
)]

#[path = "../common/mod.rs"]
mod common;

mod expiry;
mod kill;
mod login;
mod renewal;
mod scene;
mod troubles;
