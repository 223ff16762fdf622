//! Check on view, on a real Dovecot.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::client::{run, token};
use crate::common::bin::Running;
use crate::common::scenario::{Scenario, Setting, WISH};

const PATH: &str = "/api/agent/queries?campaign_lead_id=1";

fn listening(running: &mut Running) {
    running.wait_for_event("the mailbox to be looked at", |e| {
        e.to_string().contains("is live") || e.to_string().contains("hears by push")
    });
}

/// Looks for viewers that the log tells.
fn looks(log: &str) -> usize {
    log.matches("looked for viewers").count()
}

#[test]
fn a_mail_delivered_just_before_the_request_is_in_the_answer() {
    let scenario = Scenario::new(Setting {
        leads: 8,
        ..Setting::default()
    });
    scenario.import(Duration::from_secs(3600));
    let secret = token(&scenario.replyd, &["--name", "viewer"]);
    let patient = [("REPLYD_WEB_VIEW_CHECK_MS", "10000")];
    let (mut running, web) = run(&scenario.replyd, &patient);
    let web = web.with(&secret);
    listening(&mut running);
    let mut took = Vec::new();
    for (n, lead) in scenario.leads.iter().enumerate() {
        let path = format!("/api/agent/queries?campaign_lead_id={}", n + 1);
        scenario
            .host
            .dovecot
            .deliver(crate::common::scenario::DESK, lead.reply(WISH).raw());
        let began = Instant::now();
        let answer = web.get(&path);
        took.push(began.elapsed());
        let rows = answer.assert(200).json();
        let customer = rows
            .as_array()
            .unwrap()
            .iter()
            .any(|r| r["sender"] == "customer");
        assert!(customer, "lead {n}: {answer:?}");
        assert_eq!(answer.header("replyd-mailbox-stale"), "false", "{answer:?}");
        assert_eq!(answer.header("replyd-mailbox-source"), "view", "{answer:?}");
    }
    // With nothing new: what the look adds.
    let bare = measure(|| {
        web.get("/api/agent/queries/1").assert(200);
    });
    let viewed = measure(|| {
        web.get(PATH).assert(200);
    });
    println!("requests with a mail just before: {took:?}");
    println!("median without a look {bare:?}, with one {viewed:?}");
}

fn measure(ask: impl Fn()) -> Duration {
    let mut took: Vec<Duration> = (0..21)
        .map(|_| {
            let began = Instant::now();
            ask();
            began.elapsed()
        })
        .collect();
    took.sort();
    took[10]
}

#[test]
fn a_hundred_viewers_at_once_share_a_look_and_all_are_fresh() {
    let scenario = Scenario::new(Setting::default());
    scenario.import(Duration::from_secs(3600));
    let secret = token(&scenario.replyd, &["--name", "viewer"]);
    let patient = [("REPLYD_WEB_VIEW_CHECK_MS", "10000")];
    let (mut running, web) = run(&scenario.replyd, &patient);
    let web = web.with(&secret);
    listening(&mut running);
    let before = looks(&running.drain_output());
    let logins = scenario.host.dovecot.logins(crate::common::scenario::DESK);
    let gate = std::sync::Barrier::new(100);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                gate.wait();
                let answer = web.get(PATH);
                assert_eq!(answer.assert(200).header("replyd-mailbox-stale"), "false");
            });
        }
    });
    let took = began.elapsed();
    // One more, so that the log of the others is there.
    web.get(PATH).assert(200);
    running.wait_for_event("the last look", |e| {
        e.to_string().contains("looked for viewers")
    });
    let after = looks(&running.drain_output());
    println!("100 viewers: {} looks, in {took:?}", after - before - 1);
    assert!(
        after - before <= 100 / 5,
        "{} looks for 100 viewers",
        after - before - 1
    );
    let logins_after = scenario.host.dovecot.logins(crate::common::scenario::DESK);
    assert_eq!(logins, logins_after, "no new sign-in");
}

#[test]
fn a_server_that_is_silent_or_away_is_waited_for_briefly_and_the_answer_says_so() {
    let mut scenario = Scenario::new(Setting::default());
    scenario.import(Duration::from_secs(3600));
    let secret = token(&scenario.replyd, &["--name", "viewer"]);
    let (mut running, web) = run(&scenario.replyd, &[]);
    let web = web.with(&secret);
    listening(&mut running);
    web.get(PATH).assert(200);
    // The process that serves the mailbox stops in its tracks: the connection stays up.
    let log = scenario.host.dovecot.log();
    let pid = log.rsplit_once("mpid=").unwrap().1;
    let pid = pid.split(',').next().unwrap().parse().unwrap();
    let pid = Pid::from_raw(pid).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    let began = Instant::now();
    let answer = web.get(PATH);
    println!("server silent: answered in {:?}", began.elapsed());
    answer.assert(200);
    assert_eq!(answer.header("replyd-mailbox-stale"), "true", "{answer:?}");
    assert!(
        !answer.header("replyd-mailbox-verified-at").is_empty(),
        "{answer:?}"
    );
    kill_process(pid, Signal::CONT).unwrap();

    scenario.host.dovecot.stop();
    running.wait_for_event("the end of the session", |e| {
        e.to_string().contains("connection ended") || e.to_string().contains("\"down\"")
    });
    let began = Instant::now();
    let answer = web.get(PATH);
    println!("server away: answered in {:?}", began.elapsed());
    assert_eq!(
        answer.assert(200).header("replyd-mailbox-stale"),
        "true",
        "{answer:?}"
    );
    // A check that finds no server is a failure, not "nothing new".
    let checked = web.post(
        "/api/campaigns/check-replies?days=7",
        &serde_json::json!({}),
    );
    assert_eq!(checked.assert(500).json()["success"], false, "{checked:?}");
    scenario.host.dovecot.start_again();
}

#[test]
fn a_process_whose_mailbox_another_one_reads_looks_by_itself_within_its_bound() {
    let scenario = Scenario::new(Setting::default());
    scenario.import(Duration::from_secs(3600));
    let secret = token(&scenario.replyd, &["--name", "viewer"]);
    let (mut reader, _) = run(&scenario.replyd, &[]);
    listening(&mut reader);
    let patient = [("REPLYD_WEB_VIEW_CHECK_MS", "10000")];
    let (mut second, web) = run(&scenario.replyd, &patient);
    let web = web.with(&secret);
    second.wait_for_event("the account to be read by the other", |e| {
        e.to_string().contains("another process reads this account")
    });
    let desk = crate::common::scenario::DESK;
    let logins = scenario.host.dovecot.logins(desk);
    scenario
        .host
        .dovecot
        .deliver(desk, scenario.leads[0].reply(WISH).raw());
    let answer = web.get(PATH);
    let rows = answer.assert(200).json();
    let mut rows = rows.as_array().unwrap().iter();
    assert!(rows.any(|r| r["sender"] == "customer"), "{answer:?}");
    assert_eq!(answer.header("replyd-mailbox-stale"), "false", "{answer:?}");
    assert_eq!(answer.header("replyd-mailbox-source"), "view", "{answer:?}");
    // Such a look costs a sign-in: the next viewers get what there is, and are told how old it is.
    let began = Instant::now();
    for _ in 0..5 {
        let answer = web.get(PATH);
        assert_eq!(answer.assert(200).header("replyd-mailbox-stale"), "true");
        assert!(!answer.header("replyd-mailbox-verified-at").is_empty());
    }
    println!("five more in {:?}", began.elapsed());
    let after = scenario.host.dovecot.logins(desk);
    assert_eq!(after, logins + 1, "one sign-in for all");
}

/// What the reader of a mailbox has not stored is not said to be there.
#[test]
fn a_look_beside_a_reader_that_is_stopped_in_its_tracks_says_that_it_is_stale() {
    let scenario = Scenario::new(Setting::default());
    scenario.import(Duration::from_secs(3600));
    let secret = token(&scenario.replyd, &["--name", "viewer"]);
    let (mut reader, _) = run(&scenario.replyd, &[]);
    listening(&mut reader);
    let (mut second, web) = run(&scenario.replyd, &[("REPLYD_WEB_VIEW_CHECK_MS", "10000")]);
    let web = web.with(&secret);
    second.wait_for_event("the account to be read by the other", |e| {
        e.to_string().contains("another process reads this account")
    });
    let pid = Pid::from_raw(i32::try_from(reader.pid()).unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    scenario.host.dovecot.deliver(
        crate::common::scenario::DESK,
        scenario.leads[0].reply(WISH).raw(),
    );
    let answer = web.get(PATH);
    assert_eq!(answer.assert(200).header("replyd-mailbox-stale"), "true");
    kill_process(pid, Signal::CONT).unwrap();
}
