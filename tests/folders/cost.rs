//! What the other folders cost: round trips of one poll, counted on the wire.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crate::common::ports::Port;
use crate::common::scenario::{DESK, Scenario};
use crate::{after_looks, bare_desk, stop, watch};

/// Hands bytes on in both directions and counts the turns: each time the client speaks after the
/// server has spoken is one round trip.
struct Turns {
    port: Port,
    turns: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
}

impl Turns {
    fn before(to: u16) -> Self {
        let port = Port::reserve();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.number())).expect("Listen");
        let turns = Arc::new(AtomicU64::new(0));
        let bytes = Arc::new(AtomicU64::new(0));
        let counted = (Arc::clone(&turns), Arc::clone(&bytes));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).expect("Connect");
                let spoke = Arc::new(AtomicBool::new(true));
                let (turns, bytes) = counted.clone();
                pump(&client, &server, {
                    let (spoke, bytes) = (Arc::clone(&spoke), Arc::clone(&bytes));
                    move |n| {
                        bytes.fetch_add(n, Ordering::Relaxed);
                        if spoke.swap(false, Ordering::SeqCst) {
                            turns.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                });
                pump(&server, &client, move |n| {
                    bytes.fetch_add(n, Ordering::Relaxed);
                    spoke.store(true, Ordering::SeqCst);
                });
            }
        });
        Self { port, turns, bytes }
    }
}

fn pump(from: &TcpStream, to: &TcpStream, seen: impl Fn(u64) + Send + 'static) {
    let mut from = from.try_clone().expect("A second handle");
    let mut to = to.try_clone().expect("A second handle");
    std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            seen(u64::try_from(n).unwrap_or(0));
            let Some(part) = buffer.get(..n) else { break };
            if to.write_all(part).is_err() {
                break;
            }
        }
        // The other side may be gone already.
        to.shutdown(Shutdown::Write).unwrap_or_default();
    });
}

/// Round trips and bytes of one poll of a desk with these folders, over several polls.
#[track_caller]
fn poll_of(account: &'static str, folders: &[&str]) -> (f64, f64) {
    let scenario: Scenario = bare_desk(account, 1);
    for folder in folders {
        scenario.host.dovecot.create(DESK, folder);
    }
    let imap = scenario.host.dovecot.imaps_port();
    let proxy = Turns::before(imap);
    let path = scenario.replyd.dir().join("replyd.toml");
    let settings = std::fs::read_to_string(&path).expect("The settings");
    let through = settings.replace(
        &format!("port = {imap}"),
        &format!("port = {}", proxy.port.number()),
    );
    scenario.replyd.file("replyd.toml", &through);
    let mut running = watch(&scenario);
    // The first looks find folders and begin their epochs.
    after_looks(&mut running, 2);
    let polls = 6;
    let before = (
        proxy.turns.load(Ordering::SeqCst),
        proxy.bytes.load(Ordering::SeqCst),
    );
    let began = Instant::now();
    after_looks(&mut running, polls);
    let took = began.elapsed();
    let after = (
        proxy.turns.load(Ordering::SeqCst),
        proxy.bytes.load(Ordering::SeqCst),
    );
    stop(running);
    println!("{polls} polls in {took:?}");
    #[expect(
        clippy::cast_precision_loss,
        reason = "a handful of round trips and some kilobytes"
    )]
    let each = |before: u64, after: u64| (after - before) as f64 / polls as f64;
    (each(before.0, after.0), each(before.1, after.1))
}

#[test]
fn other_folders_cost_no_round_trip_of_a_poll() {
    let off = "junk = \"off\"\nsent_folder = \"off\"";
    let (alone, bytes) = poll_of(off, &[]);
    println!("INBOX alone: {alone:.1} round trips a poll, {bytes:.0} bytes");
    let (two, bytes) = poll_of("", &["Sent", "Junk"]);
    println!("with Sent and Junk: {two:.1} round trips a poll, {bytes:.0} bytes");
    let many = "mailboxes = [\"INBOX\", \"a\", \"b\", \"c\", \"d\", \"e\"]";
    let (seven, bytes) = poll_of(many, &["Sent", "Junk", "a", "b", "c", "d", "e"]);
    println!("with seven folders: {seven:.1} round trips a poll, {bytes:.0} bytes");
    // DONE, one write for EXAMINE and all STATUS, IDLE; a bell or an announcement of Dovecot may
    // add a turn now and then.
    for (what, turns) in [("two", two), ("seven", seven)] {
        assert!(
            turns < alone + 0.9,
            "{what} folders: {turns} against {alone}"
        );
    }
}
