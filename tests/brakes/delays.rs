//! A delay in which a mail can be taken back, and working hours.

use std::time::Duration;

use replyd::time::{UtcMs, now};

use super::common::scenario::{DESK, WISH, header};
use super::{again, change, decided, desk, stop, told, wait_for, watch};

/// The one acknowledgement that waits: its row and when it leaves.
#[track_caller]
fn waiting(running: &mut super::Running) -> (i64, UtcMs) {
    running.wait_for_rows("the acknowledgement to wait", |rows| {
        let from = "outbox WHERE kind = 'acknowledgment' AND state = 'queued' AND not_before > 0";
        (rows.count(from) == 1).then(|| {
            let id = rows.value(&format!("SELECT id FROM {from}"), []);
            let at = rows.value::<i64>(&format!("SELECT next_attempt_at FROM {from}"), []);
            (id, UtcMs(at))
        })
    })
}

#[test]
fn a_delayed_acknowledgement_is_listed_with_its_time_cancelled_and_never_leaves() {
    let scenario = desk(1, "send_delay = \"1h\"");
    let mut running = watch(&scenario);
    let before = now();
    scenario.arrived(scenario.lead(), WISH, now());
    let (id, at) = waiting(&mut running);
    let delay = at.since(before);
    assert!(delay >= Duration::from_secs(3600), "{delay:?}");
    // Sales hear at once.
    assert!(header(&told(&scenario, 1)[0], "Subject").contains("Lead Ready"));
    let listed = scenario.replyd.ok(&["outbox", "list"]).stdout();
    assert!(
        listed.contains(&format!("leaves {}", at.rfc3339())),
        "{listed}"
    );
    let explained = scenario
        .replyd
        .ok(&["explain", &scenario.lead().answer_id])
        .stdout();
    assert!(
        explained.contains(&format!("replyd outbox cancel {id}"))
            && explained.contains("can be cancelled until then"),
        "{explained}"
    );
    let status = scenario.replyd.run(&["status"]).stdout();
    assert!(
        status.contains("mails that leave later on purpose: 1"),
        "{status}"
    );
    let number = id.to_string();
    let said = scenario
        .replyd
        .ok(&["outbox", "cancel", &number, "--draft"])
        .stdout();
    assert!(said.contains("is cancelled"), "{said}");
    let again = scenario.replyd.run(&["outbox", "cancel", &number]);
    again.assert_code(1);
    assert!(again.output().contains("only a mail that waits"));
    let rows = scenario.replyd.rows();
    assert_eq!(
        rows.count("outbox WHERE kind = 'acknowledgment' AND state = 'cancelled'"),
        1
    );
    assert_eq!(rows.count("conversations WHERE sender = 'agent'"), 0);
    assert_eq!(
        rows.count("drafts WHERE state = 'open' AND reason LIKE '%cancelled before it left%'"),
        1
    );
    // Deciding again brings no second mail to life.
    stop(running);
    scenario.replyd.ok(&["process", "--force"]);
    scenario.assert_no_lead_got_mail_but(&["cancelled"]);
}

#[test]
fn a_delayed_acknowledgement_leaves_once_at_its_time_with_the_date_of_then() {
    let scenario = desk(1, "send_delay = \"3s\"");
    let mut running = watch(&scenario);
    scenario.arrived(scenario.lead(), WISH, now());
    let mails = scenario.host.wait_for_mails(&scenario.lead().address, 1);
    let arrived = now();
    let at = UtcMs(scenario.replyd.rows().value(
        "SELECT not_before FROM outbox WHERE kind = 'acknowledgment'",
        [],
    ));
    let received: i64 = scenario.replyd.rows().value(
        "SELECT created_at FROM outbox WHERE kind = 'acknowledgment'",
        [],
    );
    assert_eq!(at.0, received + 3000);
    assert!(
        arrived >= at,
        "{} before {}",
        arrived.rfc3339(),
        at.rfc3339()
    );
    let date = chrono::DateTime::parse_from_rfc2822(&header(&mails[0], "Date")).expect("A date");
    // Whole seconds in the field.
    assert!(
        date.timestamp() >= at.0 / 1000,
        "{date} before {}",
        at.rfc3339()
    );
    wait_for(
        &mut running,
        "outbox WHERE kind = 'acknowledgment' AND state = 'sent'",
        1,
    );
    stop(running);
    scenario.assert_acknowledged(scenario.lead());
}

#[test]
fn what_waits_is_taken_back_when_the_lead_writes_again_opts_out_or_a_person_answers() {
    let scenario = desk(3, "send_delay = \"1h\"");
    scenario.host.dovecot.create(DESK, "Sent");
    let mut running = watch(&scenario);
    for lead in &scenario.leads {
        scenario.arrived(lead, WISH, now());
    }
    wait_for(
        &mut running,
        "outbox WHERE kind = 'acknowledgment' AND state = 'queued' AND not_before > 0",
        3,
    );
    let [first, second, third] = scenario.leads.as_slice() else {
        panic!("Three leads");
    };
    scenario.arrived(
        &again(first, "ps-1@people.example"),
        "Thank you, that is all I have to say for today.",
        now(),
    );
    scenario.arrived(
        &again(second, "ps-2@people.example"),
        "No, please unsubscribe me and do not write again.",
        now(),
    );
    let by_hand = format!(
        "From: Sam Seller <{DESK}>\r\nTo: {}\r\nSubject: Re: Homes\r\n\
         Message-ID: <by-hand@homes.example>\r\nIn-Reply-To: <{id}>\r\nReferences: <{id}>\r\n\r\n\
         Saturday at ten suits us.\r\n",
        third.address,
        id = third.answer_id,
    );
    scenario
        .host
        .dovecot
        .file(DESK, "Sent", by_hand.into_bytes(), now());
    wait_for(
        &mut running,
        "outbox WHERE kind = 'acknowledgment' AND state = 'cancelled'",
        3,
    );
    decided(&mut running, 5);
    let rows = scenario.replyd.rows();
    let why: String = rows.value(
        "SELECT group_concat(smtp_text, '; ') FROM
             (SELECT smtp_text FROM outbox WHERE state = 'cancelled' ORDER BY campaign_lead_id)",
        [],
    );
    assert_eq!(
        why,
        "The lead wrote again before it left; The lead wrote again before it left; \
         A person has written in the thread"
    );
    // The first lead's is left to a person; who opted out gets none.
    assert_eq!(
        rows.count("drafts WHERE state = 'open' AND reason LIKE '%wrote again%'"),
        1
    );
    assert_eq!(
        rows.count("suppressions WHERE email_key = 'lead1@people.example'"),
        1
    );
    stop(running);
    scenario.assert_no_lead_got_mail_but(&["cancelled"]);
}

#[test]
fn a_switch_and_a_suppression_hold_for_what_waits() {
    let scenario = desk(2, "send_delay = \"1h\"");
    let mut running = watch(&scenario);
    for lead in &scenario.leads {
        scenario.arrived(lead, WISH, now());
    }
    wait_for(
        &mut running,
        "outbox WHERE kind = 'acknowledgment' AND state = 'queued' AND not_before > 0",
        2,
    );
    stop(running);
    scenario
        .replyd
        .ok(&["suppress", "add", &scenario.leads[0].address]);
    scenario.replyd.ok(&["automation", "off", "--lead", "L-1"]);
    // The hour has passed.
    change(
        &scenario,
        "UPDATE outbox SET next_attempt_at = 1, not_before = 1 WHERE kind = 'acknowledgment'",
    );
    scenario.replyd.ok(&["process"]);
    let rows = scenario.replyd.rows();
    assert_eq!(
        rows.count("outbox WHERE kind = 'acknowledgment' AND state = 'cancelled'"),
        1
    );
    assert_eq!(rows.count("outbox WHERE held = 1 AND state = 'queued'"), 1);
    scenario.assert_no_lead_got_mail_but(&["cancelled", "queued"]);
}

#[test]
fn outside_the_campaigns_working_hours_a_mail_waits_and_sales_hear_at_once() {
    let scenario = desk(2, "");
    // Open on one day of the week only, the day after tomorrow.
    let day_ms = 86_400_000;
    let open = now().0 / day_ms * day_ms + 2 * day_ms + 9 * 3_600_000;
    let day = chrono::DateTime::from_timestamp_millis(open)
        .expect("A day")
        .format("%a 09:00-18:00")
        .to_string();
    let set = |args: &[&str]| {
        let all: Vec<&str> = ["campaign", "set", "Spring"]
            .iter()
            .chain(args)
            .copied()
            .collect();
        scenario.replyd.run(&all)
    };
    set(&["--working-hours", &day, "--zone", "UTC"]).assert_code(0);
    let shown = scenario.replyd.ok(&["campaign", "show", "Spring"]).stdout();
    assert!(
        shown.contains(&format!("Rules:     working hours {day}, zone UTC")),
        "{shown}"
    );
    for wrong in [
        ["--working-hours", "9 to 5"],
        ["--zone", "Europe/Berlinn"],
        ["--margin", "2"],
    ] {
        set(&wrong).assert_code(1);
    }
    let mut running = watch(&scenario);
    scenario.arrived(&scenario.leads[0], WISH, now());
    let (_, at) = waiting(&mut running);
    assert_eq!(at, UtcMs(open), "{}", at.rfc3339());
    told(&scenario, 1);
    let reasons: String = scenario
        .replyd
        .rows()
        .value("SELECT reasons FROM reply_jobs", []);
    assert!(reasons.contains("outside the working hours"), "{reasons}");
    // Taken back, the next one leaves at once; and a threshold of the campaign's own.
    set(&["--working-hours", "default"]).assert_code(0);
    scenario.arrived(&scenario.leads[1], WISH, now());
    scenario.host.wait_for_mails(&scenario.leads[1].address, 1);
    decided(&mut running, 2);
    stop(running);
}
