//! What an operator sees of an outage: how soon the state, /health and the one alert say so, how
//! soon the account hears again, whether every mail that came meanwhile is captured, and how often
//! replyd tried to sign in. Real Dovecot and Postfix, the real binary.
//!
//! Four outages at once, each on mail hosts of its own: Dovecot stopped, the password changed, the
//! OAuth2 grant revoked, the network swallowing everything. The interval is the default of 60 s,
//! the login budget that of one a minute, two in a row. Nothing is asserted about times.
//!
//! `cargo bench --bench outage` takes a quarter of an hour; `-- --minutes 3` is shorter.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program that prints its figures, and ends with a sentence when it cannot go on"
)]
#![allow(
    dead_code,
    reason = "the tests use the rest of what they share with it"
)]

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "outage/course.rs"]
mod course;
#[path = "outage/kinds.rs"]
mod kinds;
#[path = "../tests/outage/world.rs"]
mod world;

use std::time::Duration;

use course::Course;
use kinds::Kind;

/// How long each outage lasts.
const MINUTES: u64 = 10;

fn main() {
    // Cargo adds `--bench`.
    let args: Vec<String> = std::env::args().collect();
    let after = |flag: &str| {
        let at = args.iter().position(|a| a == flag)?;
        args.get(at + 1)?.parse::<u64>().ok()
    };
    let minutes = after("--minutes").unwrap_or(MINUTES).max(1);
    let outage = Duration::from_secs(minutes * 60);
    println!(
        "{} outages of {minutes} min each, at once; interval 60 s, one sign-in a minute …",
        Kind::ALL.len()
    );
    let threads: Vec<_> = Kind::ALL
        .iter()
        .map(|kind| (*kind, std::thread::spawn(move || kinds::run(*kind, outage))))
        .collect();
    let mut courses: Vec<Course> = Vec::new();
    for (kind, thread) in threads {
        match thread.join() {
            Ok(course) => courses.push(course),
            Err(_) => println!("{}: ended early, see above", kind.title()),
        }
    }
    println!("\n{}", course::table(&courses));
}
