//! The HTTP API from outside: the real binary, a real store, real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a failing set-up fails the test; measures are printed"
)]

#[path = "../common/mod.rs"]
mod common;

mod access;
mod attachments;
mod client;
mod contract;
mod foreign;
mod freshness;
mod public;
mod unmatched_page;
