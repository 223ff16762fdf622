//! The pace: evenly, by `process` alone too, and a server that says "too many".

use std::time::{Duration, Instant};

use replyd_sandbox::faults::{SmtpAction, SmtpPoint, Times, Who};

use super::common::desk::Desk;
use super::{FAST, campaign, configure, import, shown, taken};

#[test]
fn without_a_service_process_sends_at_the_pace_and_not_in_bursts() {
    // One each 200 ms.
    let desk = campaign(8, "\n[campaign]\nper_minute = 300\nper_day = 5\n");
    desk.replyd.ok(&["campaign", "send", "Spring"]);
    let began = Instant::now();
    desk.replyd.ok(&["process"]);
    let took = began.elapsed();
    assert_eq!(taken(&desk).len(), 5, "five a day");
    let gap: i64 = desk.replyd.rows().value(
        "SELECT min(gap) FROM (SELECT started_at - lag(started_at)
             OVER (ORDER BY started_at) AS gap FROM outbox_attempts) WHERE gap IS NOT NULL",
        [],
    );
    println!("five mails at 300 a minute: {took:?}, least gap {gap} ms");
    assert!(took >= Duration::from_millis(4 * 200), "{took:?}");
    assert!(gap >= 200, "{gap} ms between two");
    // The day is full: the next pass sends nothing, and says when it goes on.
    desk.replyd.ok(&["process"]);
    assert_eq!(taken(&desk).len(), 5);
    let held = shown(&desk.replyd)["held"].to_string();
    assert!(
        held.contains("has sent 5 mails in 24 hours, of 5: next one at"),
        "{held}"
    );
}

#[test]
fn a_server_that_says_too_many_stops_the_campaign_with_its_words_and_fails_no_mail() {
    let desk = campaign(3, FAST);
    let refusal = SmtpAction::Reply {
        code: 550,
        text: "5.4.5 Daily user sending limit exceeded.".into(),
    };
    let faults = desk.sandbox.faults();
    faults.at_smtp(Who::All, Times::Always, SmtpPoint::Rcpt, refusal);
    desk.replyd.ok(&["campaign", "send", "Spring"]);
    desk.replyd.ok(&["process"]);
    assert_eq!(desk.sandbox.submissions().len(), 0);
    let rows = desk.replyd.rows();
    assert_eq!(rows.count("outbox WHERE state = 'rejected'"), 0);
    let status = desk.replyd.run(&["status"]).stdout();
    assert!(
        status.contains("campaign mails of account desk wait until")
            && status.contains("5.4.5 Daily user sending limit exceeded"),
        "{status}"
    );
    let held = shown(&desk.replyd)["held"].to_string();
    assert!(held.contains("the server limits account desk"), "{held}");
    // Nothing is tried before; a person may.
    desk.replyd.ok(&["process"]);
    assert_eq!(desk.replyd.rows().count("outbox_attempts"), 1);
    desk.sandbox.faults().clear();
    desk.replyd.ok(&["campaign", "resume", "Spring"]);
    desk.replyd.ok(&["process"]);
    assert_eq!(taken(&desk).len(), 3, "{}", shown(&desk.replyd));
}

#[test]
fn thousands_of_leads_are_queued_in_transactions_and_held_ones_cost_nothing() {
    many_leads(3_000);
}

#[test]
fn long_twenty_thousand_leads_are_queued_in_transactions_and_held_ones_cost_nothing() {
    many_leads(20_000);
}

#[track_caller]
fn many_leads(count: usize) {
    let desk = Desk::new(0);
    configure(&desk.replyd, FAST);
    let leads = (0..count).map(|n| {
        let address = format!("lead{n}@people.example");
        (format!("L-{n}"), "Ann Lee".to_owned(), address)
    });
    import(&desk.replyd, leads);
    let template = desk.replyd.file("offer.txt", super::TEMPLATE);
    desk.replyd
        .ok(&["campaign", "create", "Spring", "--template", &template]);
    let timed = |args: &[&str]| {
        let began = Instant::now();
        let text = desk.replyd.ok(args).stdout();
        (began.elapsed(), text)
    };
    let (dry, text) = timed(&["campaign", "send", "Spring", "--dry-run"]);
    assert!(
        text.contains(&format!("{count} of {count} leads: would get a mail")),
        "{text}"
    );
    let (queued, text) = timed(&["campaign", "send", "Spring"]);
    assert!(
        text.contains(&format!("{count} of {count} leads: mails queued")),
        "{text}"
    );
    let (again, text) = timed(&["campaign", "send", "Spring"]);
    assert!(
        text.contains(&format!("{count}  are queued already")),
        "{text}"
    );
    let (off, _) = timed(&["automation", "off"]);
    let (pass, _) = timed(&["process"]);
    println!(
        "{count} leads: looked at in {dry:?}, queued in {queued:?}, again in {again:?}, held in \
         {off:?}, a pass over all of them held in {pass:?}"
    );
    assert_eq!(desk.sandbox.submissions().len(), 0);
}
