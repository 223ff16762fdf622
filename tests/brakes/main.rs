//! What holds automatic mail back, and what is done instead, on real Dovecot and Postfix: delays
//! that can be cancelled, working hours, demands, pauses, referrals, confirmations.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail the test with a sentence"
)]

mod actions;
#[path = "../common/mod.rs"]
mod common;
mod delays;

use std::time::Duration;

use common::bin::Running;
use common::scenario::{Lead, SALES, Scenario, Setting};

const DAY: Duration = Duration::from_secs(86_400);
/// A poll each second, and no budget of sign-ins for processes that a test starts again.
const QUICK: &str = "1s\"\nlogin_every = \"0s";

/// A desk with leads who got a campaign mail; `reply` are further lines of the table `[reply]`.
#[track_caller]
fn desk(leads: usize, reply: &str) -> Scenario {
    let scenario = Scenario::new(Setting {
        leads,
        interval: QUICK,
        ..Setting::default()
    });
    let path = scenario.replyd.dir().join("replyd.toml");
    let settings = std::fs::read_to_string(path).expect("The settings");
    let changed = settings.replacen("[reply]\n", &format!("[reply]\n{reply}\n"), 1);
    scenario.replyd.file("replyd.toml", &changed);
    scenario.import(DAY);
    scenario
}

/// Starts `replyd run` and waits until it watches the mailbox.
#[track_caller]
fn watch(scenario: &Scenario) -> Running {
    let mut running = scenario.replyd.start(&["run"]);
    running.wait_for_rows("the account to be live", |rows| {
        (rows.count("accounts WHERE state = 'live' AND verified_at IS NOT NULL") == 1).then_some(())
    });
    running
}

#[track_caller]
fn stop(running: Running) {
    running.terminate().assert_code(0);
}

/// Waits until `FROM …` has so many rows.
#[track_caller]
fn wait_for(running: &mut Running, from: &str, n: i64) {
    running.wait_for_rows(&format!("{n} of {from}"), |rows| {
        (rows.count(from) == n).then_some(())
    });
}

/// Waits until so many replies were decided and nothing that is due waits any more.
#[track_caller]
fn decided(running: &mut Running, replies: i64) {
    running.wait_for_rows(&format!("{replies} replies to be decided"), |rows| {
        let done = rows.count("reply_jobs WHERE state = 'done'") == replies;
        let moving = rows
            .count("outbox WHERE state IN ('queued', 'sending', 'deferred') AND not_before = 0");
        (done && moving == 0).then_some(())
    });
}

/// Changes the database while no replyd runs.
#[track_caller]
fn change(scenario: &Scenario, sql: &str) {
    rusqlite::Connection::open(scenario.replyd.database())
        .and_then(|database| database.execute_batch(sql))
        .unwrap_or_else(|e| panic!("{sql}: {e}"));
}

/// A further answer of the lead to the campaign mail.
fn again(lead: &Lead, id: &str) -> Lead {
    Lead {
        answer_id: id.to_owned(),
        ..lead.clone()
    }
}

/// The notices that sales got, newest last.
#[track_caller]
fn told(scenario: &Scenario, count: usize) -> Vec<String> {
    // Quoted-printable: soft line breaks away, so that sentences can be looked for.
    let mails = scenario.host.wait_for_mails(SALES, count);
    mails
        .iter()
        .map(|m| m.replace("=\r\n", "").replace("=\n", ""))
        .collect()
}
