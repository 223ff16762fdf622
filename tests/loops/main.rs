//! Mail loops, on real Dovecot and Postfix with the real binary: two replyds that have each other
//! as a lead, and the machines that answer whatever they get. Nobody gets a second mail, and
//! `explain` says of each mail why it was not answered.
//!
//! Each scene runs until nothing moves any more: no mail in Postfix's queue, every mail of the
//! watched mailboxes stored and decided, every queued mail sent, every machine has answered what
//! it got. A loop that does not stop never comes to rest, and fails its test.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "clippy's allowance for tests does not reach helper functions; counts are printed"
)]

#[path = "../common/mod.rs"]
mod common;

mod letter;
mod machines;
mod pairs;
mod returned;
mod world;
