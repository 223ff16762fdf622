//! What happens while something is broken, and who is told: states, alerts, /health, and that an
//! account's fault is no other account's delay. Real Dovecot and Postfix where the fault is one of
//! a server as it is, the scripted server where it must misbehave. The program in
//! benches/outage.rs does the same for ten minutes each, and prints the times.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy's allowance for tests does not reach helper functions"
)]

mod apart;
#[path = "../common/mod.rs"]
mod common;
mod edges;
mod pushes;
mod real;
#[path = "../traps/scene.rs"]
#[expect(dead_code, reason = "the traps use the rest of it")]
mod scene;
mod world;
