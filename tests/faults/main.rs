//! Each fault names itself, the account and the remedy, with the right exit code: provoked on real
//! Dovecot and Postfix, seen in `doctor`, in `run --once`, in `status` and in the log.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failing set-up fails the test"
)]

#[path = "../common/mod.rs"]
mod common;

mod doctor;
mod place;
mod reach;
mod sending;
mod sign_in;
mod state;
mod table;
mod test_mail;
