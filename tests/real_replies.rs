//! A reply from a lead to its answer, on real Dovecot and real Postfix, with the real binary:
//! by IDLE, by the poll, by `--once`, after an outage, and when the leads become known late.

#![expect(
    clippy::expect_used,
    reason = "helpers of tests fail the test with a sentence"
)]

mod common;

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use common::bin::Running;
use common::dovecot::PASSWORD;
use common::rows::Rows;
use common::scenario::{DESK, Lead, QUESTION, SALES, Scenario, Setting, WISH, header};
use replyd::time::now;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
/// SIGTERM ends `run` in order within this time.
const ORDERLY: Duration = Duration::from_secs(10);

/// Starts `replyd run` and waits until it watches the mailbox.
#[track_caller]
fn watch(scenario: &Scenario, args: &[&str]) -> Running {
    let mut running = scenario.replyd.start(args);
    running.wait_for_rows("the account to be live", |rows| {
        (rows.count("accounts WHERE state = 'live' AND verified_at IS NOT NULL") == 1).then_some(())
    });
    running
}

/// Waits until every mail of the outbox was sent and there is one to each of `to`.
#[track_caller]
fn wait_until_sent(running: &mut Running, to: &[&str]) {
    running.wait_for_rows(&format!("mails to {to:?} to be sent"), |rows| {
        let outbox = rows.outbox();
        let all_sent = outbox.iter().all(|mail| mail.state == "sent");
        let each = to.iter().all(|to| outbox.iter().any(|mail| mail.to == *to));
        (all_sent && each).then_some(())
    });
}

/// Stops it by SIGTERM; it must end in order and in time.
#[track_caller]
fn stop(running: Running) -> String {
    let finished = running.terminate();
    finished.assert_code(0);
    assert!(finished.took <= ORDERLY, "The end took {:?}", finished.took);
    finished.output()
}

/// The one captured message is the lead's reply, matched by In-Reply-To.
#[track_caller]
fn assert_one_reply(rows: &Rows) {
    let messages = rows.messages();
    assert_eq!(messages.len(), 1, "{messages:#?}");
    let message = messages.first().expect("One message");
    assert_eq!(message.disposition, "reply");
    assert_eq!(message.match_method, "in_reply_to");
    assert!(message.campaign_lead_id.is_some());
}

/// Sales got one mail about the lead, with the exact subject.
#[track_caller]
fn assert_sales_told(scenario: &Scenario) {
    let mails = scenario.host.wait_for_mails(SALES, 1);
    assert_eq!(mails.len(), 1, "{mails:#?}");
    let mail = mails.first().expect("One mail");
    assert_eq!(header(mail, "Auto-Submitted"), "auto-generated");
    assert!(header(mail, "Reply-To").contains(&scenario.lead().address));
}

#[test]
fn idle_announces_a_reply_and_the_answer_lies_in_the_leads_mailbox() {
    let scenario = Scenario::new(Setting::default());
    scenario.import(DAY);
    let mut running = watch(&scenario, &["run"]);
    scenario.lead().reply(WISH).send(&scenario.host.postfix);
    wait_until_sent(&mut running, &[&scenario.lead().address, SALES]);

    assert_one_reply(&scenario.replyd.rows());
    // The poll comes after nine minutes: this one was announced.
    assert_eq!(
        scenario
            .replyd
            .rows()
            .count("messages WHERE source = 'live' AND announced_at IS NOT NULL"),
        1
    );
    scenario.assert_acknowledged(scenario.lead());
    assert_sales_told(&scenario);
    let flags = scenario.host.dovecot.flags(DESK);
    assert!(
        flags.iter().all(|name| name.starts_with("new/")),
        "The owner's mailbox was touched: {flags:?}"
    );
    stop(running);
}

#[test]
fn the_poll_alone_finds_a_reply_where_the_server_has_no_idle() {
    let scenario = Scenario::new(Setting {
        idle: false,
        interval: "1s",
        ..Setting::default()
    });
    scenario.import(DAY);
    let mut running = watch(&scenario, &["run"]);
    scenario.lead().reply(WISH).send(&scenario.host.postfix);
    wait_until_sent(&mut running, &[&scenario.lead().address, SALES]);
    assert_one_reply(&scenario.replyd.rows());
    scenario.assert_acknowledged(scenario.lead());
    assert_sales_told(&scenario);
    stop(running);
}

#[test]
fn once_captures_and_answers_and_ends() {
    let scenario = Scenario::new(Setting::default());
    scenario.import(DAY);
    // The first start: what came before it is never answered automatically.
    scenario.replyd.ok(&["run", "--once"]);
    scenario.lead().reply(WISH).send(&scenario.host.postfix);
    scenario.host.wait_for_mails(DESK, 1);
    scenario.replyd.ok(&["run", "--once"]);
    assert_one_reply(&scenario.replyd.rows());
    scenario.assert_acknowledged(scenario.lead());
    assert_sales_told(&scenario);
}

#[test]
fn an_hour_of_mail_while_replyd_was_down_is_caught_up_whole_and_answered() {
    const LEADS: usize = 6;
    let scenario = Scenario::new(Setting {
        leads: LEADS,
        ..Setting::default()
    });
    scenario.import(DAY);
    stop(watch(&scenario, &["run"]));
    scenario.shift_into_the_past(70 * MINUTE);

    // An hour of mail: a stranger each minute, a lead every ten.
    let down_since = now().minus(60 * MINUTE);
    for minute in 0..60_u32 {
        let at = down_since.plus(MINUTE * minute);
        scenario.stranger_wrote(minute as usize, at);
        if minute % 10 == 5 {
            let lead = &scenario.leads[minute as usize / 10];
            scenario.arrived(lead, WISH, at);
        }
    }
    let mut running = watch(&scenario, &["run"]);
    let leads: Vec<&str> = scenario.leads.iter().map(|l| l.address.as_str()).collect();
    wait_until_sent(&mut running, &leads);
    for lead in &scenario.leads {
        scenario.assert_acknowledged(lead);
    }
    let rows = scenario.replyd.rows();
    let dispositions = rows.dispositions();
    assert_eq!(dispositions.get("reply"), Some(&6), "{dispositions:?}");
    assert_eq!(dispositions.get("ignored"), Some(&60), "{dispositions:?}");
    assert_eq!(rows.count("messages"), 66);
    stop(running);
}

#[test]
fn a_reply_whose_lead_is_imported_later_is_taken_in_then_and_left_to_a_person() {
    let scenario = Scenario::new(Setting {
        interval: "1s",
        ..Setting::default()
    });
    let mut running = watch(&scenario, &["run"]);
    scenario.lead().reply(WISH).send(&scenario.host.postfix);
    running.wait_for_rows("the reply of nobody we know", |rows| {
        (rows.dispositions().get("ignored") == Some(&1)).then_some(())
    });
    let rows = scenario.replyd.rows();
    let kept: String = rows.value(
        "SELECT from_address || subject || full_text || visible_text FROM messages",
        [],
    );
    assert_eq!(kept, "", "Mail that concerns nobody leaves nothing");

    scenario.import(DAY);
    running.wait_for_rows("the late match to be taken in", |rows| {
        (rows.count("drafts WHERE state = 'open'") == 1).then_some(())
    });
    let messages = rows.messages();
    assert_eq!(messages.len(), 1, "{messages:#?}");
    let message = messages.first().expect("One message");
    assert_eq!(message.disposition, "reply");
    assert_eq!(message.source, "late_match");
    assert_eq!(
        rows.value::<i64>("SELECT old_mail FROM reply_jobs", []),
        1,
        "It came before its parent was known"
    );
    scenario.assert_no_lead_got_mail(&rows);
    stop(running);
}

#[test]
fn the_first_start_on_a_week_of_old_replies_writes_to_no_lead_and_once_to_sales() {
    const LEADS: usize = 14;
    let scenario = Scenario::new(Setting {
        leads: LEADS,
        ..Setting::default()
    });
    scenario.import(30 * DAY);
    // Two replies a day, half of them read by their owner; one before the window.
    for (n, lead) in scenario.leads.iter().enumerate() {
        let ago = Duration::from_secs(3600 + n as u64 * 43_200);
        let at = now().minus(ago);
        if n % 2 == 0 {
            scenario.arrived(lead, WISH, at);
        } else {
            let raw = lead.reply(QUESTION).raw();
            scenario.host.dovecot.deliver_flagged(DESK, raw, at, "S");
        }
    }
    let early = Lead {
        answer_id: "too-early@people.example".to_owned(),
        ..scenario.lead().clone()
    };
    scenario.arrived(&early, WISH, now().minus(8 * DAY));
    let before = scenario.host.dovecot.flags(DESK);

    let mut running = watch(&scenario, &["run", "--days", "7"]);
    wait_until_sent(&mut running, &[SALES]);
    let rows = scenario.replyd.rows();
    assert_eq!(rows.count("messages WHERE disposition = 'reply'"), 14);
    assert_eq!(rows.count("drafts WHERE state = 'open'"), 14);
    assert_eq!(
        rows.count("reply_jobs WHERE old_mail = 1 AND state = 'done'"),
        14
    );
    scenario.assert_no_lead_got_mail(&rows);
    let kinds: Vec<String> = rows.outbox().into_iter().map(|mail| mail.kind).collect();
    assert_eq!(kinds, ["sales_digest"]);
    assert_eq!(scenario.host.wait_for_mails(SALES, 1).len(), 1);
    assert_eq!(scenario.host.dovecot.flags(DESK), before);
    stop(running);
    scenario.assert_no_lead_got_mail(&scenario.replyd.rows());
}

#[test]
fn a_question_goes_to_a_person_and_not_back_to_the_lead() {
    let scenario = Scenario::new(Setting::default());
    scenario.import(DAY);
    let mut running = watch(&scenario, &["run"]);
    scenario.lead().reply(QUESTION).send(&scenario.host.postfix);
    wait_until_sent(&mut running, &[SALES]);
    let rows = scenario.replyd.rows();
    assert_one_reply(&rows);
    assert_eq!(rows.count("drafts WHERE state = 'open'"), 1);
    scenario.assert_no_lead_got_mail(&rows);
    assert_sales_told(&scenario);
    stop(running);
}

#[test]
fn an_opt_out_suppresses_the_address_and_is_not_answered() {
    let scenario = Scenario::new(Setting::default());
    scenario.import(DAY);
    let mut running = watch(&scenario, &["run"]);
    let text = "Please unsubscribe me and do not send me any more emails.";
    scenario.lead().reply(text).send(&scenario.host.postfix);
    wait_until_sent(&mut running, &[SALES]);
    let rows = scenario.replyd.rows();
    assert_eq!(rows.dispositions().get("opt_out"), Some(&1));
    let suppressed: String = rows.value("SELECT email_key FROM suppressions", []);
    assert_eq!(suppressed, scenario.lead().address);
    scenario.assert_no_lead_got_mail(&rows);
    stop(running);
}

#[test]
fn the_bounce_of_an_answer_is_heard_and_starts_no_loop() {
    let scenario = Scenario::new(Setting::default());
    // A lead without a mailbox: its address is in the local domain, so Postfix sends a real
    // delivery status notification to the envelope sender.
    let gone = Lead::number(99);
    let scenario = Scenario {
        leads: vec![gone.clone()],
        ..scenario
    };
    scenario.import(DAY);
    let mut running = watch(&scenario, &["run"]);
    gone.reply(WISH).send(&scenario.host.postfix);
    running.wait_for_rows("the bounce and its mark on the lead", |rows| {
        let heard = rows.dispositions().get("bounce") == Some(&1);
        (heard && rows.count("leads WHERE bounced_at IS NOT NULL") == 1).then_some(())
    });
    wait_until_sent(&mut running, &[&gone.address, SALES]);
    let rows = scenario.replyd.rows();
    assert_eq!(rows.count("messages"), 2);
    assert_eq!(rows.outbox().len(), 2, "{:#?}", rows.outbox());
    assert_eq!(rows.count("leads WHERE bounced_at IS NOT NULL"), 1);
    stop(running);
}

#[test]
fn two_processes_on_one_database_answer_once() {
    let scenario = Scenario::new(Setting::default());
    scenario.import(DAY);
    let mut running = watch(&scenario, &["run"]);
    scenario.lead().reply(WISH).send(&scenario.host.postfix);
    // Whatever the second process finds left to do, it ends in order: it looked, or the other
    // has the mailbox.
    let second = scenario.replyd.run(&["run", "--once"]);
    assert!(
        matches!(second.status.code(), Some(0 | 75)),
        "{}\n{}",
        second.status,
        second.output()
    );
    wait_until_sent(&mut running, &[&scenario.lead().address, SALES]);
    assert_one_reply(&scenario.replyd.rows());
    scenario.assert_acknowledged(scenario.lead());
    assert_sales_told(&scenario);
    stop(running);
}

#[test]
fn no_secret_address_or_text_reaches_the_log_at_any_level() {
    let scenario = Scenario::new(Setting {
        log: "trace",
        ..Setting::default()
    });
    scenario.import(DAY);
    let mut running = watch(&scenario, &["run"]);
    scenario.lead().reply(WISH).send(&scenario.host.postfix);
    wait_until_sent(&mut running, &[&scenario.lead().address, SALES]);
    let output = stop(running);
    let lead = scenario.lead();
    for secret in [PASSWORD, lead.address.as_str(), "book a viewing", "Ann Lee"] {
        assert!(
            !output.contains(secret),
            "The log holds {secret:?}:\n{}",
            output
                .lines()
                .filter(|line| line.contains(secret))
                .collect::<Vec<_>>()
                .join("\n")
        );
    }
    // As AUTH LOGIN and AUTH PLAIN send it.
    for sent in [PASSWORD.to_owned(), format!("\0{DESK}\0{PASSWORD}")] {
        assert!(!output.contains(&STANDARD.encode(sent)), "{output}");
    }
}
