//! The pages in headless Chromium, driven over WebDriver, beside real Dovecot and real Postfix with
//! the real binary: what somebody does at them, with the mouse, with the keyboard alone, and with
//! mails that mean harm; and what axe-core finds on each.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "clippy's allowance for tests does not reach helper functions; figures are printed"
)]

mod axe;
mod browser;
#[path = "../common/mod.rs"]
mod common;
mod people;
