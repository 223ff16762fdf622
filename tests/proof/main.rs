//! The proof that nothing is missing, on real Dovecot and Postfix: rows that are lost, mail that
//! was skipped, mailboxes that are made anew, and the copies of the database.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail the test with a sentence"
)]

mod backup;
#[path = "../common/mod.rs"]
mod common;
mod reconcile;

use std::time::Duration;

use common::bin::Running;
use common::scenario::{Scenario, Setting};
use rusqlite::Connection;
use serde_json::Value;

const DAY: Duration = Duration::from_secs(86_400);
/// A poll each second, and no budget of sign-ins for processes that a test starts again.
const QUICK: &str = "1s\"\nlogin_every = \"0s";

#[track_caller]
fn desk(account: &'static str) -> Scenario {
    let scenario = Scenario::new(Setting {
        leads: 2,
        interval: QUICK,
        account,
        ..Setting::default()
    });
    scenario.import(DAY);
    scenario
}

#[track_caller]
fn wait_for_messages(running: &mut Running, n: i64) {
    running.wait_for_rows(&format!("{n} messages"), |rows| {
        (rows.count("messages") == n).then_some(())
    });
}

/// Changes the database while no replyd writes to it.
#[track_caller]
fn change(scenario: &Scenario, sql: &str) {
    Connection::open(scenario.replyd.database())
        .and_then(|database| {
            database.execute_batch("PRAGMA foreign_keys = OFF")?;
            database.execute_batch(sql)
        })
        .unwrap_or_else(|e| panic!("{sql}: {e}"));
}

/// What `replyd reconcile --json` says of a mailbox; it must end with this code.
#[track_caller]
fn proof(scenario: &Scenario, mailbox: &str, code: i32) -> Value {
    let done = scenario.replyd.run(&["reconcile", "--json"]);
    done.assert_code(code);
    let said: Value = serde_json::from_str(&done.stdout()).expect("JSON");
    let accounts = said.as_object().expect("Accounts");
    let account = accounts.values().next().expect("An account");
    let boxes = account["mailboxes"].as_array().expect("Mailboxes");
    boxes
        .iter()
        .find(|m| m["mailbox"] == mailbox)
        .unwrap_or_else(|| panic!("{mailbox} in {said}"))
        .clone()
}
