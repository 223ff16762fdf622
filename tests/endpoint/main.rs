//! The optional model endpoint against a local server that plays the dialects, and slow, wrong and
//! hostile ones: the client by itself, the actor on the sandbox and on real Dovecot and Postfix.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "clippy's allowance for tests does not reach helper functions"
)]

#[path = "../common/mod.rs"]
mod common;

mod client;
mod commands;
mod injected;
mod replies;
mod server;
