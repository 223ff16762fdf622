//! The HTTP API and the pages under load: on a database of a year with a million lines of conversations,
//! while mail is captured and 200 clients listen to events.
//!
//! The server is that of `replyd run`, with its listener at the mail server of the sandbox, asked over
//! TCP with a token; check on view is off. Clients, mail server and replyd share the machine. Nothing is
//! asserted about times: it prints tables.
//!
//! `cargo bench --bench api`, or `-- 100000` for a smaller database.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark prints its figures, and ends with a sentence when it cannot go on"
)]

#[path = "api/capture.rs"]
mod capture;
#[path = "api/client.rs"]
mod client;
#[path = "api/database.rs"]
mod database;
#[path = "api/host.rs"]
mod host;
#[path = "api/load.rs"]
mod load;
#[path = "api/targets.rs"]
mod targets;
#[path = "api/words.rs"]
mod words;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use capture::{KEPT, Readers, Round, Straight};
use client::Client;
use database::Made;
use host::Host;
use load::Figures;
use targets::Target;

/// Rows of `conversations`.
const LINES: i64 = 1_000_000;
/// Connections that ask at the same time.
const CONNECTIONS: usize = 16;
/// Each kind of conversation read is asked for so long, everything else for half of it.
const LASTS: Duration = Duration::from_secs(3);
/// Clients that listen to events.
const LISTENERS: u64 = 200;
/// Reads a second beside which mail is captured.
const READS: u32 = 2000;
/// Mails of a round of capture.
const MAILS: i64 = 600;
/// Mails a second of a round that does not hurry, and how many.
const QUIET: (u32, i64) = (20, 120);
/// Rounds of each kind: the middle one counts.
const ROUNDS: i64 = 3;

fn main() {
    // Cargo adds `--bench`.
    let args: Vec<String> = std::env::args().skip(1).collect();
    let lines = args.iter().find_map(|a| a.parse().ok()).unwrap_or(LINES);
    let made = Made::of(lines);
    let size = std::fs::metadata(&made.path).map_or(0, |m| m.len() / 1_000_000);
    println!(
        "{} lines in {} conversations, {size} MB; {} cores; load average {}",
        made.lines,
        made.threads,
        std::thread::available_parallelism().map_or(0, usize::from),
        load_average()
    );
    let copy = made.copy();
    let host = Host::start(&copy);
    let heard = listen(&host);

    title("conversation reads", "as fast as 16 connections ask");
    for target in targets::conversations(&made) {
        row(&host, &target, CONNECTIONS, LASTS);
    }
    let mixed = targets::mixed(&made);
    let figures = load::as_fast_as_it_goes(&host, &mixed, CONNECTIONS, LASTS * 2);
    print("½ lists, ¼ lines, ¼ conversations", &figures);

    capture(&host, &made, &heard);

    title("the rest of the API", "as fast as 4 connections ask");
    for target in targets::api(&made, targets::cursors(&host)) {
        row(&host, &target, 4, LASTS / 2);
    }
    let assets = targets::assets(&host);
    let weight: usize = assets.iter().map(|(_, bytes)| bytes).sum();
    title(
        "pages",
        &format!("one connection; all assets together: {weight} bytes, to be added to each weight"),
    );
    for target in targets::pages(&made) {
        row(&host, &target, 1, LASTS / 2);
    }
    let (settings, keys) = (host.settings.clone(), Arc::clone(&host.keys));
    host.stop();

    println!("\n## One captured reply, by the function that listeners call\n");
    println!("| without the triggers of | ms p50 | p99 | 50 at once: replies/s |");
    println!("|---|--:|--:|--:|");
    let mut straight = Straight::open(&copy, &settings, &keys, made.threads);
    straight.store(50, 1);
    let mut inserts = |name: &str| {
        let (one, many) = (straight.store(400, 1), straight.store(20, 50));
        println!(
            "| {name} | {:.2} | {:.2} | {:.0} |",
            one.within(500),
            one.within(990),
            many.rate() * 50.0
        );
    };
    inserts("nothing");
    let mut gone = String::new();
    for (name, which) in KEPT {
        capture::without(&copy, which);
        gone = if gone.is_empty() {
            name.to_owned()
        } else {
            format!("{gone}, {name}")
        };
        inserts(&gone);
    }
    println!("\nload average at the end: {}", load_average());
    drop(straight);
    for end in ["", "-wal", "-shm"] {
        let file = format!("{}{end}", copy.display());
        // SQLite removes its side files itself.
        if std::path::Path::new(&file).exists() {
            std::fs::remove_file(file).expect("Remove the copy");
        }
    }
}

/// Clients that listen; how many events they were told in all.
fn listen(host: &Host) -> Arc<AtomicU64> {
    let heard = Arc::new(AtomicU64::new(0));
    let ready = Arc::new(AtomicU64::new(0));
    host.outside.block_on(async {
        for _ in 0..LISTENERS {
            let client = Client::connect(host.address, &host.token).await;
            let (heard, ready) = (Arc::clone(&heard), Arc::clone(&ready));
            tokio::spawn(client.listen(move |kind| {
                match kind {
                    "ready" => ready.fetch_add(1, Ordering::Relaxed),
                    "new_reply" => heard.fetch_add(1, Ordering::Relaxed),
                    _ => 0,
                };
            }));
        }
        while ready.load(Ordering::Relaxed) < LISTENERS {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    println!("{LISTENERS} clients listen to events");
    heard
}

/// Capture with and without those who read, in turn.
fn capture(host: &Host, made: &Made, heard: &AtomicU64) {
    let readers = Readers {
        next: targets::mixed(made),
        rate: READS,
        connections: 32,
    };
    let mut number = 0;
    let mut next = |count: i64| {
        number += count;
        number - count..number
    };
    println!("\n## Capture, and {READS} conversation reads a second beside it\n");
    println!("{LISTENERS} clients listen to events all the time.\n");
    for (name, per_second, count) in [
        ("as fast as it goes", None, MAILS),
        ("20 mails a second", Some(QUIET.0), QUIET.1),
    ] {
        let before = heard.load(Ordering::Relaxed);
        capture::round(host, next(count / 4), made.threads, per_second, None);
        let mut rounds: [Vec<Round>; 2] = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (rounds, readers) in rounds.iter_mut().zip([None, Some(&readers)]) {
                let done = capture::round(host, next(count), made.threads, per_second, readers);
                rounds.push(done);
            }
        }
        println!(
            "| {name} | mails/s | EXISTS → row ms p50 | p99 | reads/s | p50 ms | p99 | max | failed |"
        );
        println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
        let mut rates = Vec::new();
        for (rounds, name) in rounds.iter_mut().zip(["alone", "with readers"]) {
            rounds.sort_by(|a, b| a.rate.total_cmp(&b.rate));
            let Some(middle) = rounds.get(rounds.len() / 2) else {
                continue;
            };
            rates.push(middle.rate);
            let reads = middle.reading.as_ref().map_or_else(
                || "– | – | – | – | –".to_owned(),
                |r| {
                    format!(
                        "{:.0} | {:.2} | {:.2} | {:.2} | {}",
                        r.rate(),
                        r.within(500),
                        r.within(990),
                        r.within(1000),
                        r.failed
                    )
                },
            );
            println!(
                "| {name} | {:.0} | {:.0} | {:.0} | {reads} |",
                middle.rate,
                middle.latency.within(500),
                middle.latency.within(990)
            );
        }
        if let [alone, beside] = rates.as_slice() {
            println!("| ratio | {:.2} | | | | | | | |", beside / alone);
        }
        let mails = count / 4 + count * ROUNDS * 2;
        let due = before + mails.unsigned_abs() * LISTENERS;
        let (began, patience) = (Instant::now(), Duration::from_secs(30));
        while heard.load(Ordering::Relaxed) < due && began.elapsed() < patience {
            host.outside
                .block_on(tokio::time::sleep(Duration::from_millis(5)));
        }
        println!(
            "\n{mails} replies, told to {LISTENERS} clients: {} of {} events arrived, the last one {} ms after the end\n",
            heard.load(Ordering::Relaxed) - before,
            due - before,
            began.elapsed().as_millis()
        );
    }
}

fn title(name: &str, how: &str) {
    println!("\n## {name}: {how}\n");
    println!("| GET | per second | p50 ms | p99 | max | bytes | not 200 |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
}

fn row(host: &Host, target: &Target, connections: usize, lasts: Duration) {
    let figures = load::as_fast_as_it_goes(host, &target.next, connections, lasts);
    print(&target.name, &figures);
}

fn print(name: &str, figures: &Figures) {
    println!(
        "| {name} | {:.0} | {:.2} | {:.2} | {:.2} | {} | {} |",
        figures.rate(),
        figures.within(500),
        figures.within(990),
        figures.within(1000),
        figures.bytes,
        figures.failed
    );
}

/// Of one, five and fifteen minutes.
fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
