//! How long a lead waits: from the moment when the bytes that hold `EXISTS` go to replyd until
//! the reply's row is committed (synchronous=FULL), and until the SMTP server has taken the answer.
//!
//! Real Dovecot and Postfix, once as they are and once behind a round trip of 50 ms; the listener,
//! actor and outbox are those of `replyd run`, in this process, so that one clock times both ends.
//! Nothing is asserted about times: it prints a table.
//!
//! A third run has both protocols in the clear, so that the proxy sees each command and each reply
//! of SMTP as well: how much of the way is replyd's own, and how much the servers'.
//!
//! `cargo bench --bench latency` for 100 mails each, `cargo bench --bench latency -- 500` for more.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark prints its figures, and ends with a sentence when it cannot go on"
)]

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "latency/host.rs"]
mod host;
#[path = "latency/own.rs"]
mod own;
#[path = "latency/plain.rs"]
mod plain;
#[path = "latency/recorder.rs"]
mod recorder;
#[path = "latency/report.rs"]
mod report;

use std::time::Duration;

use host::Host;
use recorder::{Recorder, Sample};
use report::Figures;

/// Mails for each round trip time.
const MAILS: usize = 100;
/// Round trips of the network.
const ROUND_TRIPS: [Duration; 2] = [Duration::ZERO, Duration::from_millis(50)];
/// A mail that is not answered by then counts as lost.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    // Cargo adds `--bench`.
    let mails = std::env::args().skip(1).find_map(|a| a.parse().ok());
    let mails: usize = mails.unwrap_or(MAILS).max(1);
    let recorder = Recorder::install();
    let mut all = Vec::new();
    for round_trip in ROUND_TRIPS {
        println!("{mails} mails at {} ms …", round_trip.as_millis());
        all.push(measure(&recorder, round_trip, mails));
    }
    println!("{mails} mails in the clear …");
    let own = own(&recorder, mails);
    println!("\n{}\n{}", report::text(&all), own.text());
}

/// The same in the clear, with every command and reply timed.
fn own(recorder: &Recorder, mails: usize) -> own::Own {
    let host = Host::start_in_the_clear(recorder, mails);
    let mut own = own::Own::default();
    for n in 0..mails {
        recorder.begin();
        host.deliver(n);
        recorder.wait(PATIENCE, |sample| sample.mails_sent >= 2);
        own.add(&recorder.trail());
    }
    own.plain = host.plain_round_trips(mails);
    host.stop();
    own
}

/// Delivers one mail after another, each when the one before it was answered.
fn measure(recorder: &Recorder, round_trip: Duration, mails: usize) -> Figures {
    let host = Host::start(recorder, round_trip, mails, host::Way::StartTls);
    let mut figures = Figures::new(round_trip, mails);
    for n in 0..mails {
        let (imap, smtp) = host.turns();
        recorder.begin();
        host.deliver(n);
        // The answer, and the notice to sales: both connections rest then.
        recorder.wait(PATIENCE, |sample| sample.mails_sent >= 2);
        let sample: Sample = recorder.sample();
        let (imap_after, smtp_after) = host.turns();
        figures.add(&sample, imap_after - imap, smtp_after - smtp);
    }
    figures.pushed = host.stop();
    figures
}
