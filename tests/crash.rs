//! `kill -9` between any two steps of a message's way (docs/ARCHITECTURE.md), at moments when
//! the server holds its answer, and at random ones under load. The real binary dies, starts
//! again, and then: one row and one answer for each reply, and what nobody can know is shown to
//! a person and never sent again by itself.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "helpers of tests fail the test with a sentence; counts are printed"
)]

mod common;
mod source;

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use common::PATIENCE;
use common::bin::{Finished, Running};
use common::desk::{Answer, Count, Desk, count, settled, stop};
use replyd::faultpoint;
use replyd_sandbox::faults::{SmtpPoint, Who};

/// SIGKILL on every Unix.
const SIGKILL: i32 = 9;
/// Answers of one case: a goal, a question, an opt-out, another lead's goal.
const REPLIES: usize = 4;
/// Older than an hour: mail of a first run.
const AN_HOUR: Duration = Duration::from_secs(3600);

/// When the replies arrive, and which process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// While `run` listens, which dies.
    Live,
    /// Between two runs; the second dies as it catches up.
    CatchUp,
    /// Before the first start ever, which dies; this is old mail and not answered.
    FirstRun,
    /// Before the leads are imported; `run` dies as it takes the late match in. Old mail.
    Late,
    /// As the first run, by `run --once`, which sends a digest at its end.
    Digest,
    /// While `run` reads the Sent folder, in which a person wrote to nobody that we know.
    Sent,
    /// While `run` puts the copy of an answer into the Sent folder, as it catches up.
    File,
}

/// All that is killed, each a test of its own below.
macro_rules! cases {
    ($($name:ident: $phase:ident, $point:literal;)*) => {
        const CASES: &[(Phase, &str)] = &[$((Phase::$phase, $point)),*];
        $(
            #[test]
            fn $name() {
                killed_at(Phase::$phase, $point);
            }
        )*
    };
}

cases! {
    live_fetched: Live, "capture.fetched";
    live_before_commit: Live, "capture.before_commit";
    live_committed: Live, "capture.committed";
    live_reply_claimed: Live, "reply.claimed";
    live_reply_before_commit: Live, "reply.before_commit";
    live_reply_committed: Live, "reply.committed";
    live_outbox_claimed: Live, "outbox.claimed";
    live_outbox_handed_over: Live, "outbox.handed_over";
    live_outbox_body_sent: Live, "outbox.body_sent";
    live_outbox_before_commit: Live, "outbox.before_commit";
    live_outbox_recorded: Live, "outbox.recorded";
    catch_up_leased: CatchUp, "listener.leased";
    catch_up_fetched: CatchUp, "capture.fetched";
    catch_up_before_commit: CatchUp, "capture.before_commit";
    catch_up_committed: CatchUp, "capture.committed";
    first_run_epoch_started: FirstRun, "capture.epoch_started";
    first_run_fetched: FirstRun, "capture.fetched";
    first_run_before_commit: FirstRun, "capture.before_commit";
    first_run_committed: FirstRun, "capture.committed";
    first_run_window_taken: FirstRun, "capture.window_taken";
    late_match_before_commit: Late, "adopt.before_commit";
    late_match_committed: Late, "adopt.committed";
    sent_before_commit: Sent, "sent.before_commit";
    sent_committed: Sent, "sent.committed";
    file_booked: File, "file.booked";
    file_appended: File, "file.appended";
    file_recorded: File, "file.recorded";
    digest_before_commit: Digest, "digest.before_commit";
    digest_committed: Digest, "digest.committed";
}

/// Points after which nobody knows whether the mail arrived.
const AFTER_HANDOVER: &[&str] = &[
    "outbox.handed_over",
    "outbox.body_sent",
    "outbox.before_commit",
];

/// Points on another way than a message's, each killed at in the test that is named.
const ELSEWHERE: &[&str] = &[
    // tests/outage/edges.rs, a_process_that_dies_while_it_tells_tells_it_once_in_the_end
    "alerts.before_commit",
    "alerts.claimed",
    // tests/migration.rs, killed_before_the_commit_the_database_is_as_it_was
    "migrate.before_commit",
    // tests/desk/main.rs, an_approval_that_dies_before_or_after_its_commit_leaves_one_mail_or_an_open_draft
    "draft.before_commit",
    "draft.committed",
    // tests/answers/threads.rs, a_process_that_dies_while_it_indexes_leaves_the_old_index_or_the_new
    "documents.before_commit",
    "documents.committed",
];

#[test]
fn every_named_point_is_listed_passed_by_the_sources_and_killed_at() {
    let listed: BTreeSet<&str> = faultpoint::ALL.iter().copied().collect();
    assert_eq!(listed.len(), faultpoint::ALL.len(), "a name stands twice");
    let sources = source::read_all("src");
    let passed: BTreeSet<&str> = sources
        .iter()
        .filter(|file| {
            !file.is_test() && !file.is_in("faultpoint") && file.has(&["faultpoint", "::", "hit"])
        })
        .flat_map(|file| file.strings.iter().map(String::as_str))
        .filter(|text| listed.contains(text))
        .collect();
    assert_eq!(passed, listed, "points that no source passes");
    let hits: usize = sources
        .iter()
        .filter(|file| !file.is_test() && !file.is_in("faultpoint"))
        .map(|file| {
            let wanted = ["faultpoint", "::", "hit"];
            file.tokens.windows(3).filter(|w| *w == wanted).count()
        })
        .sum();
    assert_eq!(
        hits,
        listed.len(),
        "a point is not in the list, or passed twice"
    );
    // Those of a token refresh need a token server, those of a campaign die in a command: they
    // are killed at there.
    let mut others = source::read_all("tests/oauth");
    others.extend(source::read_all("tests/campaigns"));
    let others = others
        .iter()
        .filter(|file| ["tests/oauth/kill.rs", "tests/campaigns/killed.rs"].contains(&&*file.path))
        .flat_map(|file| file.strings.iter().map(String::as_str))
        .filter(|text| text.starts_with("oauth.") || text.starts_with("campaign."))
        .filter(|text| listed.contains(text));
    let killed: BTreeSet<&str> = CASES
        .iter()
        .map(|(_, point)| *point)
        .chain(others)
        .chain(ELSEWHERE.iter().copied())
        .collect();
    assert_eq!(killed, listed, "points at which nothing is killed");
}

/// One case: dies at the point, starts again, and everything is there once.
#[track_caller]
fn killed_at(phase: Phase, point: &str) {
    let desk = Desk::known_unless(phase == Phase::Late, REPLIES + 1);
    if matches!(phase, Phase::Sent | Phase::File) {
        desk.with_a_sent_folder();
    }
    let dead = die(&desk, phase, point);
    assert_killed(&dead);
    died(&desk);

    let restarted = Instant::now();
    if phase == Phase::Digest {
        desk.replyd.ok(&["run", "--once"]);
        assert_eq!(settled(&desk.replyd.rows(), REPLIES), Some(()));
    } else {
        let mut running = desk.replyd.start(&["run"]);
        // It does not wait for the lease of the dead process, which has most of a minute to go.
        running.wait_for_event("the account to be taken over", |event| {
            event["message"] == "an ended process left accounts behind: taken over at once"
        });
        wait_settled(&desk, &mut running, REPLIES);
        stop(running);
    }
    let took = restarted.elapsed();
    let answered = matches!(
        phase,
        Phase::Live | Phase::CatchUp | Phase::Sent | Phase::File
    );
    let found = count(&desk, REPLIES, answered);
    println!("{phase:?} {point}: {found:?}, settled after {took:?}");
    let unknown = usize::from(AFTER_HANDOVER.contains(&point));
    let once = Count {
        unknown,
        ..Count::default()
    };
    assert_eq!(found, once);
    assert_dispositions(&desk);
    assert_mails_of_the_rows(&desk, answered);
    assert_shown(&desk, unknown);
    if phase == Phase::File {
        // What was under way at the end is filed by the next look.
        desk.replyd.ok(&["run", "--once"]);
        desk.assert_filed_once();
    }

    // Nothing more goes out by itself: a later reply is answered, and that is all.
    let before = desk.mails_sent();
    let mut running = desk.replyd.start(&["run"]);
    desk.deliver(REPLIES, Duration::ZERO);
    wait_settled(&desk, &mut running, REPLIES + 1);
    stop(running);
    assert_eq!(desk.mails_sent(), before + 2);
    if phase != Phase::Late {
        let last = Desk::answer(REPLIES);
        assert_eq!(last, Answer::Goal);
    }
    assert_eq!(count(&desk, REPLIES, answered), once);

    // The digest of old mail: one, whoever died.
    if !answered {
        desk.replyd.ok(&["run", "--once"]);
        let digests = desk
            .replyd
            .rows()
            .count("outbox WHERE kind = 'sales_digest'");
        assert_eq!(digests, 1);
        assert_eq!(
            desk.replyd
                .rows()
                .count("digest_items WHERE outbox_ref IS NULL"),
            0
        );
        assert_eq!(count(&desk, REPLIES, answered), once);
    }
}

/// Brings the process to the point and gives how it ended.
#[track_caller]
fn die(desk: &Desk, phase: Phase, point: &str) -> Finished {
    let crash = [("REPLYD_CRASH_AT", point)];
    match phase {
        Phase::Live => {
            let mut running = desk.replyd.start_with(&["run"], &crash);
            desk.listen(&mut running);
            desk.deliver_all(0..REPLIES);
            running.finish()
        }
        Phase::Sent => {
            desk.replyd.ok(&["run", "--once"]);
            desk.file_a_lunch(2);
            let running = desk.replyd.start_with(&["run"], &crash);
            desk.deliver_all(0..REPLIES);
            running.finish()
        }
        Phase::File => {
            // Every mail has its outcome first: one that is being handed over when the process dies
            // beside it would be of unknown fate.
            desk.saves_sent_now(false);
            let mut running = desk.replyd.start(&["run"]);
            desk.listen(&mut running);
            desk.deliver_all(0..REPLIES);
            wait_settled(desk, &mut running, REPLIES);
            stop(running);
            desk.saves_sent_now(true);
            desk.replyd.start_with(&["run"], &crash).finish()
        }
        Phase::CatchUp => {
            desk.replyd.ok(&["run", "--once"]);
            desk.deliver_all(0..REPLIES);
            desk.replyd.start_with(&["run"], &crash).finish()
        }
        Phase::FirstRun | Phase::Digest => {
            for n in 0..REPLIES {
                desk.deliver(n, AN_HOUR);
            }
            let command: &[&str] = if phase == Phase::Digest {
                &["run", "--once"]
            } else {
                &["run"]
            };
            desk.replyd.start_with(command, &crash).finish()
        }
        Phase::Late => {
            let mut running = desk.replyd.start_with(&["run"], &crash);
            desk.listen(&mut running);
            desk.deliver_all(0..REPLIES);
            running.wait_for_rows("replies of people we do not know", |rows| {
                (rows.count("messages WHERE disposition = 'ignored'") == 4).then_some(())
            });
            desk.import();
            running.finish()
        }
    }
}

#[track_caller]
fn assert_killed(finished: &Finished) {
    assert_eq!(
        finished.status.signal(),
        Some(SIGKILL),
        "not killed, but {}\n{}",
        finished.status,
        finished.output()
    );
}

/// Waits until the server has noticed that the process is dead.
#[track_caller]
fn died(desk: &Desk) {
    desk.block_on(desk.sandbox.wait_until(PATIENCE, |stats| stats.open == 0))
        .expect("The server notices the end of its clients");
}

#[track_caller]
fn wait_settled(desk: &Desk, running: &mut Running, replies: usize) {
    running.wait_for_rows("every reply to be settled", |rows| settled(rows, replies));
    assert_eq!(settled(&desk.replyd.rows(), replies), Some(()));
}

/// Every reply has the disposition that its text asks for.
#[track_caller]
fn assert_dispositions(desk: &Desk) {
    let rows = desk.replyd.rows();
    for (n, lead) in desk.leads.iter().enumerate().take(REPLIES) {
        let disposition: String = rows.value(
            "SELECT disposition FROM messages WHERE message_key = ?1",
            [&lead.answer_id],
        );
        let due = match Desk::answer(n) {
            Answer::OptOut => "opt_out",
            Answer::Goal | Answer::Question => "reply",
        };
        assert_eq!(disposition, due, "answer {n}");
    }
    let suppressed = rows.count("suppressions WHERE reason = 'unsubscribe'");
    assert_eq!(suppressed, 1, "one lead opted out");
}

/// What the server took is what the outbox says: each `sent` mail once, `unknown` ones at most
/// once, others never; and to a lead that opted out nothing.
#[track_caller]
fn assert_mails_of_the_rows(desk: &Desk, answered: bool) {
    let taken = desk.taken();
    let outbox = desk.replyd.rows().outbox();
    for mail in &outbox {
        let times = taken.get(&mail.message_id).copied().unwrap_or(0);
        match mail.state.as_str() {
            "sent" => assert_eq!(times, 1, "{mail:?}"),
            "unknown" => assert!(times <= 1, "{mail:?} was taken {times} times"),
            _ => panic!("{mail:?} is neither sent nor unknown"),
        }
    }
    assert_eq!(
        taken
            .keys()
            .filter(|id| outbox.iter().all(|m| m.message_id != **id))
            .count(),
        0,
        "a mail left without its row"
    );
    for (n, lead) in desk.leads.iter().enumerate().take(REPLIES) {
        let mails = outbox.iter().filter(|mail| mail.to == lead.address).count();
        let due = usize::from(answered && Desk::answer(n) == Answer::Goal);
        assert_eq!(mails, due, "mails to lead {n}");
    }
    let notices = outbox.iter().filter(|m| m.kind == "sales_notice").count();
    assert_eq!(notices, if answered { REPLIES } else { 0 });
}

/// `status` and `outbox list` name and count the mails of unknown fate.
#[track_caller]
fn assert_shown(desk: &Desk, unknown: usize) {
    let status = desk.replyd.run(&["status"]);
    // The question's draft waits for a person as well.
    status.assert_code(2);
    let text = status.stdout();
    let json = desk.replyd.run(&["status", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout()).expect("JSON");
    let listed = desk.replyd.ok(&["outbox", "list"]).stdout();
    let ids = unknown_ids(desk);
    assert_eq!(ids.len(), unknown);
    assert_eq!(
        json["outbox"]["unknown"].as_array().map(Vec::len),
        Some(unknown)
    );
    assert_eq!(text.contains(&format!("unknown {unknown}")), unknown > 0);
    for id in ids {
        let command = format!("replyd outbox settle {id} --as sent|resend|cancel");
        assert!(text.contains(&command), "{text}");
        let line = listed
            .lines()
            .find(|line| line.trim_start().starts_with(&format!("{id} ")));
        assert!(line.is_some_and(|l| l.contains("unknown")), "{listed}");
    }
}

fn unknown_ids(desk: &Desk) -> Vec<i64> {
    let outbox = desk.replyd.rows().outbox();
    outbox
        .iter()
        .filter(|mail| mail.state == "unknown")
        .map(|mail| mail.id)
        .collect()
}

/// Kills `run` while the server has come to `point` with the acknowledgement of lead 0.
#[track_caller]
fn killed_while_the_server_is_at(point: SmtpPoint) -> Desk {
    let desk = Desk::known(1);
    let gate = desk.sandbox.faults().hold_smtp(Who::All, point);
    let mut running = desk.replyd.start(&["run"]);
    desk.listen(&mut running);
    desk.deliver(0, Duration::ZERO);
    desk.block_on(gate.reached(PATIENCE))
        .unwrap_or_else(|e| panic!("{e}\n{}", running.drain_output()));
    let dead = running.kill();
    assert_killed(&dead);
    gate.release();
    died(&desk);
    let mut running = desk.replyd.start(&["run"]);
    wait_settled(&desk, &mut running, 1);
    stop(running);
    desk
}

/// The acknowledgement is unknown, shown, and `status` asks for a person because of it alone.
#[track_caller]
fn the_unknown_mail(desk: &Desk) -> String {
    let status = desk.replyd.run(&["status"]);
    status.assert_code(2);
    assert!(status.stdout().contains("unknown 1"), "{}", status.stdout());
    assert!(
        status.stdout().contains("acknowledgment"),
        "{}",
        status.stdout()
    );
    let ids = unknown_ids(desk);
    assert_eq!(ids.len(), 1, "{:?}", desk.replyd.rows().outbox());
    ids.first().expect("One id").to_string()
}

/// Lets a whole `run` pass; gives how many acknowledgements the server took in all.
#[track_caller]
fn after_another_run(desk: &Desk) -> usize {
    desk.replyd.ok(&["run", "--once"]);
    desk.acknowledgements().values().sum()
}

#[test]
fn killed_before_the_body_the_mail_is_due_again_and_sent_once() {
    for point in [SmtpPoint::Mail, SmtpPoint::Rcpt, SmtpPoint::Data] {
        let desk = killed_while_the_server_is_at(point);
        assert_eq!(count(&desk, 1, true), Count::default(), "{point:?}");
        desk.replyd.ok(&["status"]);
        assert_eq!(after_another_run(&desk), 1, "{point:?}");
    }
}

#[test]
fn killed_after_the_body_a_person_says_sent_and_nothing_more_goes_out() {
    // The mail lies in the lead's mailbox; the answer never came.
    let desk = killed_while_the_server_is_at(SmtpPoint::Stored);
    let id = the_unknown_mail(&desk);
    assert_eq!(after_another_run(&desk), 1, "sent again by itself");
    desk.replyd.ok(&["outbox", "settle", &id, "--as", "sent"]);
    assert_eq!(state_of(&desk, &id), "sent");
    desk.replyd.ok(&["status"]);
    assert_eq!(after_another_run(&desk), 1, "sent again after all");
    let again = desk
        .replyd
        .run(&["outbox", "settle", &id, "--as", "resend"]);
    again.assert_code(1);
    assert_eq!(state_of(&desk, &id), "sent", "settled twice");
}

#[test]
fn killed_after_the_body_a_person_lets_it_be_sent_again_once() {
    // Dropped by the server: the connection ended before it took the mail.
    let desk = Desk::known(1);
    let mut running = desk
        .replyd
        .start_with(&["run"], &[("REPLYD_CRASH_AT", "outbox.handed_over")]);
    desk.listen(&mut running);
    desk.deliver(0, Duration::ZERO);
    assert_killed(&running.finish());
    died(&desk);
    let mut running = desk.replyd.start(&["run"]);
    wait_settled(&desk, &mut running, 1);
    stop(running);
    let id = the_unknown_mail(&desk);
    assert_eq!(after_another_run(&desk), 0, "sent again by itself");
    desk.replyd.ok(&["outbox", "settle", &id, "--as", "resend"]);
    assert_eq!(after_another_run(&desk), 1);
    assert_eq!(state_of(&desk, &id), "sent");
    assert_eq!(count(&desk, 1, true), Count::default());
    desk.replyd.ok(&["status"]);
    assert_eq!(after_another_run(&desk), 1);
}

#[test]
fn killed_after_the_body_a_person_gives_it_up() {
    let desk = killed_while_the_server_is_at(SmtpPoint::Stored);
    let id = the_unknown_mail(&desk);
    desk.replyd.ok(&["outbox", "settle", &id, "--as", "cancel"]);
    assert_eq!(state_of(&desk, &id), "cancelled");
    desk.replyd.ok(&["status"]);
    assert_eq!(after_another_run(&desk), 1, "sent again after all");
}

#[track_caller]
fn state_of(desk: &Desk, id: &str) -> String {
    desk.replyd
        .rows()
        .value("SELECT state FROM outbox WHERE id = ?1", [id])
}

/// Kills `run` `kills` times at random moments while `mails` replies arrive, lets it finish,
/// and prints the counts.
#[track_caller]
fn killed_at_random(kills: u32, mails: usize) {
    // Long enough for a start and some mails, whatever the machine: the moment is random.
    const LONGEST_LIFE_MS: u64 = 2_500;
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let desk = Desk::known(mails);
    desk.replyd.ok(&["run", "--once"]);
    let began = Instant::now();
    let mut delivered = 0;
    for kill in 1..=kills {
        let running = desk.replyd.start(&["run"]);
        let life = Duration::from_millis(random.u64(50..LONGEST_LIFE_MS));
        let until = Instant::now() + life;
        // This life's share of the mails, over its end: some are just on their way at the kill.
        let share = mails * kill as usize / kills as usize - delivered;
        let over = life.mul_f64(random.f64().powi(2));
        for n in 0..share {
            let pause = over / u32::try_from(share).unwrap_or(u32::MAX);
            wait_until(until - pause * u32::try_from(share - n).unwrap_or(0));
            desk.deliver(delivered, Duration::ZERO);
            delivered += 1;
        }
        wait_until(until);
        assert_killed(&running.kill());
    }
    died(&desk);
    let mut running = desk.replyd.start(&["run"]);
    // All may be settled before it has come up far enough to be stopped in order.
    desk.listen(&mut running);
    wait_settled(&desk, &mut running, mails);
    stop(running);
    let found = count(&desk, mails, true);
    println!(
        "{kills} kills over {mails} mails (seed {seed}, {:?}): lost {}, doubled rows {}, \
         doubled answers {}, unanswered {}, unknown {}",
        began.elapsed(),
        found.lost,
        found.doubled_rows,
        found.doubled_answers,
        found.unanswered,
        found.unknown
    );
    let allowed = Count {
        unknown: found.unknown,
        ..Count::default()
    };
    assert_eq!(found, allowed, "seed {seed}");
    assert!(found.unknown <= kills as usize, "seed {seed}: {found:?}");
    let notices = desk
        .replyd
        .rows()
        .count("outbox WHERE kind = 'sales_notice'");
    assert_eq!(usize::try_from(notices), Ok(mails), "seed {seed}");
    // What is unknown stays so.
    let taken = desk.mails_sent();
    desk.replyd.ok(&["run", "--once"]);
    assert_eq!(desk.mails_sent(), taken, "seed {seed}");
}

/// Lets time pass up to a random moment: not a wait for anything.
fn wait_until(at: Instant) {
    while let Some(left) = at.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
}

#[test]
fn killed_at_random_under_load_nothing_is_lost_or_doubled() {
    killed_at_random(10, 60);
}

#[test]
fn long_killed_a_hundred_times_under_load_nothing_is_lost_or_doubled() {
    killed_at_random(100, 500);
}
