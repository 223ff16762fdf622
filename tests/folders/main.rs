//! The folders beside the idling mailbox, on real Dovecot and Postfix: the spam folder, other
//! watched ones, and the Sent folder, which other programs fill and move mail about in.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail the test with a sentence; figures are printed"
)]

#[path = "../common/mod.rs"]
mod common;
mod copies;
mod cost;
mod junk;
mod others;
mod person;
mod scan;

use std::time::Duration;

use common::bin::Running;
use common::rows::Rows;
use common::scenario::{DESK, Lead, SALES, SUBJECT, Scenario, Setting};
use rusqlite::Connection;

const DAY: Duration = Duration::from_secs(86_400);
/// A poll each second, and no budget of sign-ins for processes that a test starts again.
const QUICK: &str = "1s\"\nlogin_every = \"0s";

/// A desk with a Sent and a spam folder and one lead who got a campaign mail.
#[track_caller]
fn desk(account: &'static str) -> Scenario {
    let scenario = bare_desk(account, 1);
    for folder in ["Sent", "Junk"] {
        scenario.host.dovecot.create(DESK, folder);
    }
    scenario.import(DAY);
    scenario
}

/// The same without folders and imports.
#[track_caller]
fn bare_desk(account: &'static str, leads: usize) -> Scenario {
    Scenario::new(Setting {
        leads,
        interval: QUICK,
        account,
        ..Setting::default()
    })
}

/// Starts `replyd run` and waits until it watches the mailbox.
#[track_caller]
fn watch(scenario: &Scenario) -> Running {
    let mut running = scenario.replyd.start(&["run"]);
    is_live(&mut running);
    running
}

#[track_caller]
fn is_live(running: &mut Running) {
    running.wait_for_rows("the account to be live", |rows| {
        (rows.count("accounts WHERE state = 'live' AND verified_at IS NOT NULL") == 1).then_some(())
    });
}

#[track_caller]
fn stop(running: Running) {
    running.terminate().assert_code(0);
}

/// Waits until `FROM …` has rows.
#[track_caller]
fn wait_for(running: &mut Running, from: &str) {
    wait_for_count(running, from, 1);
}

#[track_caller]
fn wait_for_count(running: &mut Running, from: &str, n: i64) {
    running.wait_for_rows(&format!("{n} of {from}"), |rows| {
        (rows.count(from) == n).then_some(())
    });
}

/// Waits until the account has been looked at whole so many times more: what lay in a folder by
/// then was seen.
#[track_caller]
fn after_looks(running: &mut Running, looks: usize) {
    let verified = |rows: &Rows| -> i64 { rows.value("SELECT verified_at FROM accounts", []) };
    for _ in 0..looks {
        let before = running.wait_for_rows("the account", |rows| Some(verified(rows)));
        running.wait_for_rows("another look", |rows| {
            (verified(rows) > before).then_some(())
        });
    }
}

/// Waits until sales were told, and nothing is under way any more.
#[track_caller]
fn wait_until_sales_are_told(running: &mut Running) {
    running.wait_for_rows("the notice to sales", |rows| {
        let told = rows.count("outbox WHERE kind = 'sales_notice' AND state = 'sent'") > 0;
        let moving = rows.count("outbox WHERE state IN ('queued', 'sending', 'deferred')");
        (told && moving == 0).then_some(())
    });
}

/// Changes the database while no replyd runs.
#[track_caller]
fn change(scenario: &Scenario, sql: &str) {
    Connection::open(scenario.replyd.database())
        .and_then(|database| database.execute_batch(sql))
        .unwrap_or_else(|e| panic!("{sql}: {e}"));
}

/// A mail that somebody at the desk wrote to a lead with a mail program.
fn persons_mail(to: &str, id: &str, answers: &str, text: &str) -> Vec<u8> {
    let threading = if answers.is_empty() {
        String::new()
    } else {
        format!("In-Reply-To: <{answers}>\r\nReferences: <{answers}>\r\n")
    };
    format!(
        "From: Sam Seller <{DESK}>\r\nTo: {to}\r\nSubject: Re: {SUBJECT}\r\n\
         Date: Mon, 3 Aug 2026 10:00:00 +0000\r\nMessage-ID: <{id}>\r\n{threading}\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    )
    .into_bytes()
}

/// A second answer of the lead, to another mail of the thread.
fn next_answer(lead: &Lead, id: &str, answers: &str) -> Lead {
    Lead {
        campaign_id: answers.to_owned(),
        answer_id: id.to_owned(),
        ..lead.clone()
    }
}

/// The rows of the outbox that go to a lead: kind and state.
#[track_caller]
fn to_leads(rows: &Rows) -> Vec<(String, String)> {
    rows.outbox()
        .into_iter()
        .filter(|mail| mail.to != SALES)
        .map(|mail| (mail.kind, mail.state))
        .collect()
}
