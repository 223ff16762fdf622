//! Every trap that is known of IMAP servers and of async-imap, sprung on the whole process: the
//! listener, the store, the reply actor and the outbox, against the scripted server.
//!
//! Each scene has one account for each trap and a healthy one beside them. Whatever happens to
//! the others, the healthy one signs in once, stays live and captures its mail; and for every
//! account each mail has one row and at most one answer, and no state's reason holds a secret, an
//! address or a word of a mail ([`scene::Scene::finish`] looks at all of it).
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy's allowance for tests does not reach helper functions"
)]

mod big;
#[path = "../common/mod.rs"]
mod common;
mod ends;
mod greeting;
mod identity;
mod idle;
mod memory;
mod parse;
mod poison;
mod scene;
mod sign_in;
mod silent;
