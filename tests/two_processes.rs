//! Two processes of the real binary on one database (invariant I5): whichever of them does a
//! step, there is one row and one answer for each reply.

#![expect(clippy::print_stdout, reason = "the time of the takeover is printed")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside of test functions"
)]

mod common;

use std::time::{Duration, Instant};

use common::PATIENCE;
use common::bin::{Finished, Running};
use common::desk::{Count, Desk, count, settled, stop};
use replyd_sandbox::faults::{SmtpPoint, Who};
use rustix::process::Signal;

/// The second process must read the mailbox so long after the death of the first.
const TAKEOVER: Duration = Duration::from_secs(60);

#[track_caller]
fn wait_settled(running: &mut Running, replies: usize) {
    running.wait_for_rows("every reply to be settled", |rows| settled(rows, replies));
}

/// Ends well, or with "not now" when the other process had the account.
#[track_caller]
fn assert_done_or_not_now(finished: &Finished) {
    let code = finished.status.code();
    assert!(
        matches!(code, Some(0 | 75)),
        "{}\n{}",
        finished.status,
        finished.output()
    );
    assert!(
        !finished.output().contains("\"level\":\"ERROR\""),
        "{}",
        finished.output()
    );
}

#[test]
fn the_second_run_waits_and_takes_over_when_the_first_is_killed() {
    let desk = Desk::known(24);
    let mut first = desk.replyd.start(&["run"]);
    desk.listen(&mut first);
    let mut second = desk.replyd.start(&["run"]);
    second.wait_for_event("the second to find the account held", |event| {
        event["message"] == "another process reads this account"
    });

    // Both answer what the first one hears.
    desk.deliver_all(0..12);
    wait_settled(&mut second, 12);
    assert_eq!(count(&desk, 12, true), Count::default());
    let logins = desk.sandbox.stats().logins;
    assert_eq!(logins, 1, "the second read the mailbox as well");

    let killed = Instant::now();
    first.kill();
    desk.deliver_all(12..24);
    wait_settled(&mut second, 24);
    let took = killed.elapsed();
    println!("taken over and all answered {took:?} after the kill");
    assert!(took < TAKEOVER, "taken over after {took:?}");
    assert_eq!(count(&desk, 24, true), Count::default());
    stop(second);
}

#[test]
fn when_the_first_run_stops_in_order_the_second_takes_over() {
    let desk = Desk::known(4);
    let mut first = desk.replyd.start(&["run"]);
    desk.listen(&mut first);
    let mut second = desk.replyd.start(&["run"]);
    second.wait_for_event("the second to find the account held", |event| {
        event["message"] == "another process reads this account"
    });
    stop(first);
    desk.deliver_all(0..4);
    wait_settled(&mut second, 4);
    assert_eq!(count(&desk, 4, true), Count::default());
    stop(second);
}

#[test]
fn two_passes_at_once_store_and_answer_each_reply_once() {
    const ROUND: usize = 12;
    // A pass may take longer than the second between those of the settings: no silence to tell.
    const PASS: [&str; 4] = ["run", "--once", "--interval", "60"];
    let desk = Desk::known(3 * ROUND);
    desk.replyd.ok(&PASS);
    for round in 1..=3 {
        desk.deliver_all((round - 1) * ROUND..round * ROUND);
        let both = [desk.replyd.start(&PASS), desk.replyd.start(&PASS)];
        for running in both {
            assert_done_or_not_now(&running.finish());
        }
    }
    // Whatever one of them left to the other.
    desk.replyd.ok(&PASS);
    let rows = desk.replyd.rows();
    assert_eq!(settled(&rows, 3 * ROUND), Some(()));
    assert_eq!(count(&desk, 3 * ROUND, true), Count::default());
}

#[test]
fn two_first_starts_at_once_make_one_database_and_one_digest() {
    let desk = Desk::new(8);
    for n in 0..8 {
        desk.deliver(n, Duration::from_secs(3600));
    }
    let both = [
        desk.replyd.start(&["run", "--once"]),
        desk.replyd.start(&["run", "--once"]),
    ];
    for running in both {
        assert_done_or_not_now(&running.finish());
    }
    desk.import();
    let both = [
        desk.replyd.start(&["run", "--once"]),
        desk.replyd.start(&["run", "--once"]),
    ];
    for running in both {
        assert_done_or_not_now(&running.finish());
    }
    desk.replyd.ok(&["run", "--once"]);
    let rows = desk.replyd.rows();
    assert_eq!(settled(&rows, 8), Some(()));
    assert_eq!(rows.count("messages"), 8);
    assert_eq!(rows.count("accounts"), 1);
    assert_eq!(rows.count("outbox WHERE kind = 'sales_digest'"), 1);
    assert_eq!(count(&desk, 8, false), Count::default());
}

#[test]
fn checks_beside_a_run_take_nothing_in_twice() {
    const ROUND: usize = 6;
    let desk = Desk::known(4 * ROUND);
    let mut running = desk.replyd.start(&["run"]);
    desk.listen(&mut running);
    for round in 0..4 {
        desk.deliver_all(round * ROUND..(round + 1) * ROUND);
        desk.replyd.ok(&["check", "--days", "2"]);
    }
    // The listener kept its connection; each check had one of its own.
    assert_eq!(desk.sandbox.stats().logins, 1 + 4);
    wait_settled(&mut running, 4 * ROUND);
    assert_eq!(count(&desk, 4 * ROUND, true), Count::default());
    let again = desk.replyd.ok(&["check", "--days", "2"]);
    assert!(
        again.stdout().contains("Processed: 0"),
        "{}",
        again.stdout()
    );
    stop(running);
}

#[test]
fn two_times_process_at_once_answer_each_pending_reply_once() {
    const REPLIES: usize = 24;
    let desk = Desk::known(REPLIES);
    desk.replyd.ok(&["run", "--once"]);
    desk.deliver_all(0..REPLIES);
    // Dies with all replies stored and none answered.
    let dead = desk
        .replyd
        .start_with(
            &["run", "--once"],
            &[("REPLYD_CRASH_AT", "capture.committed")],
        )
        .finish();
    assert!(!dead.status.success());
    let rows = desk.replyd.rows();
    let pending = rows.count("reply_jobs WHERE state = 'pending'");
    assert_eq!(usize::try_from(pending), Ok(REPLIES));

    let both = [
        desk.replyd.start(&["process"]),
        desk.replyd.start(&["process"]),
    ];
    for running in both {
        let finished = running.finish();
        finished.assert_code(0);
    }
    desk.replyd.ok(&["process"]);
    assert_eq!(settled(&rows, REPLIES), Some(()));
    assert_eq!(count(&desk, REPLIES, true), Count::default());

    // Deciding again, twice at once, sends nothing more.
    let sent = desk.mails_sent();
    let both = [
        desk.replyd.start(&["process", "--force"]),
        desk.replyd.start(&["process", "--force"]),
    ];
    for running in both {
        running.finish().assert_code(0);
    }
    desk.replyd.ok(&["process"]);
    assert_eq!(settled(&rows, REPLIES), Some(()));
    assert_eq!(count(&desk, REPLIES, true), Count::default());
    assert_eq!(desk.mails_sent(), sent);
}

#[test]
fn process_beside_a_run_answers_each_reply_once() {
    let desk = Desk::known(24);
    let mut running = desk.replyd.start(&["run"]);
    desk.listen(&mut running);
    for round in 0..4 {
        desk.deliver_all(round * 6..(round + 1) * 6);
        desk.replyd.start(&["process"]).finish().assert_code(0);
    }
    wait_settled(&mut running, 24);
    assert_eq!(count(&desk, 24, true), Count::default());
    stop(running);
}

/// Suspends a process, at a moment at which it holds no lock of the database: SQLite's locks are
/// the kernel's, and a process that sleeps with one keeps everybody waiting.
#[track_caller]
fn suspend(desk: &Desk, running: &Running) {
    for _ in 0..100 {
        running.suspend();
        let db = rusqlite::Connection::open(desk.replyd.database()).expect("Open the database");
        if db.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok() {
            return;
        }
        running.signal(Signal::CONT);
    }
    panic!("It always holds the lock");
}

#[test]
fn a_run_that_was_suspended_past_its_lease_commits_nothing_when_it_wakes() {
    let desk = Desk::known(36);
    let mut first = desk.replyd.start(&["run"]);
    desk.listen(&mut first);
    desk.deliver_all(0..12);
    wait_settled(&mut first, 12);
    let mut second = desk.replyd.start(&["run"]);
    second.wait_for_event("the second to find the account held", |event| {
        event["message"] == "another process reads this account"
    });

    suspend(&desk, &first);
    let suspended = Instant::now();
    desk.deliver_all(12..24);
    wait_settled(&mut second, 24);
    let took = suspended.elapsed();
    println!("taken over and all answered {took:?} after the suspension");
    assert!(took < TAKEOVER, "taken over after {took:?}");

    // Its socket holds the news of twelve replies that the other one has taken in.
    first.signal(Signal::CONT);
    desk.deliver_all(24..36);
    first.wait_for_event("the first to see that it lost the account", |event| {
        event["message"] == "another process took this account over"
            || event["message"] == "another process reads this account"
    });
    wait_settled(&mut second, 36);
    assert_eq!(count(&desk, 36, true), Count::default());
    stop(first);
    stop(second);
}

#[test]
fn a_mail_of_a_suspended_process_is_sent_by_the_other_one_and_not_again_when_it_wakes() {
    let desk = Desk::known(1);
    let gate = desk.sandbox.faults().hold_smtp(Who::All, SmtpPoint::Mail);
    let mut first = desk.replyd.start(&["run"]);
    desk.listen(&mut first);
    desk.deliver_all(0..1);
    desk.block_on(gate.reached(PATIENCE))
        .unwrap_or_else(|e| panic!("{e}\n{}", first.drain_output()));
    suspend(&desk, &first);
    let suspended = Instant::now();
    gate.release();
    let mut second = desk.replyd.start(&["run"]);
    wait_settled(&mut second, 1);
    let took = suspended.elapsed();
    println!("claimed anew and sent {took:?} after the suspension");
    assert!(took < TAKEOVER, "sent after {took:?}");

    // The server has taken its MAIL: it goes on towards the body, and must not send it.
    first.signal(Signal::CONT);
    first.wait_for_event("the first to see that it lost the mail", |event| {
        event["message"] == "Mail was taken over or stopped; nothing was sent"
    });
    assert_eq!(count(&desk, 1, true), Count::default());
    stop(first);
    stop(second);
}

#[test]
fn a_run_a_pass_a_check_and_a_status_live_together() {
    const ROUND: usize = 6;
    let desk = Desk::known(3 * ROUND);
    let mut running = desk.replyd.start(&["run"]);
    desk.listen(&mut running);
    for round in 0..3 {
        desk.deliver_all(round * ROUND..(round + 1) * ROUND);
        let pass = desk.replyd.start(&["run", "--once", "--interval", "60"]);
        let check = desk.replyd.start(&["check", "--days", "2"]);
        let status = desk.replyd.start(&["status"]);
        assert_done_or_not_now(&pass.finish());
        check.finish().assert_code(0);
        let finished = status.finish();
        assert!(finished.status.code().is_some(), "{}", finished.status);
    }
    wait_settled(&mut running, 3 * ROUND);
    assert_eq!(count(&desk, 3 * ROUND, true), Count::default());
    stop(running);
}

/// A `run` whose server holds the final answer to an acknowledgement.
#[track_caller]
fn mail_in_flight(desk: &Desk) -> (Running, replyd_sandbox::faults::Gate) {
    let gate = desk.sandbox.faults().hold_smtp(Who::All, SmtpPoint::Stored);
    let mut running = desk.replyd.start(&["run"]);
    desk.listen(&mut running);
    desk.deliver_all(0..1);
    desk.block_on(gate.reached(PATIENCE))
        .unwrap_or_else(|e| panic!("{e}\n{}", running.drain_output()));
    (running, gate)
}

#[track_caller]
fn told_what_it_waits_for(running: &mut Running) {
    let told = running.wait_for_event("what the stop waits for", |event| {
        event["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("stopping, still waiting for: "))
    });
    let text = told["message"].as_str().unwrap_or_default();
    assert!(text.contains("outbox"), "{text}");
    assert!(!text.contains("account desk"), "{text}");
}

#[test]
fn a_stop_names_what_it_waits_for_and_ends_within_its_deadline() {
    let desk = Desk::known(1);
    let (mut running, _gate) = mail_in_flight(&desk);
    running.signal(Signal::TERM);
    let began = Instant::now();
    told_what_it_waits_for(&mut running);
    let finished = running.finish();
    println!("stopped {:?} after the signal", began.elapsed());
    finished.assert_code(0);
    // 9 seconds for the parts, one for what is left behind, the rest for a busy machine.
    assert!(began.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_second_signal_ends_a_stop_at_once_and_the_next_start_settles_what_was_left() {
    let desk = Desk::known(1);
    let (mut running, gate) = mail_in_flight(&desk);
    running.signal(Signal::TERM);
    told_what_it_waits_for(&mut running);
    running.signal(Signal::INT);
    running.finish().assert_code(130);
    gate.release();
    let mut running = desk.replyd.start(&["run"]);
    wait_settled(&mut running, 1);
    // The server has taken it, nobody read that: a person decides, and it is not sent again.
    let found = count(&desk, 1, true);
    assert_eq!((found.lost, found.doubled_rows), (0, 0));
    assert_eq!((found.doubled_answers, found.unknown), (0, 1));
    stop(running);
}
