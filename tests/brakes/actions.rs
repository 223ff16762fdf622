//! What is done about demands, pauses, referrals and opt-outs.

use std::os::unix::process::ExitStatusExt;

use replyd::time::now;

use super::common::scenario::{WISH, header};
use super::{again, decided, desk, stop, told, wait_for, watch};

#[test]
fn a_threat_or_a_demand_to_erase_data_suppresses_and_a_person_is_told() {
    let scenario = desk(3, "");
    let mut running = watch(&scenario);
    for (lead, text) in scenario.leads.iter().zip([
        "Yes, I would love a viewing. But if you call my wife again, I will sue you.",
        "Please delete all my personal data.",
        // The word alone is no threat.
        "Please book a viewing for me. My lawyer will come along to see the apartment.",
    ]) {
        scenario.arrived(lead, text, now());
    }
    decided(&mut running, 3);
    let rows = scenario.replyd.rows();
    for (lead, why) in [(0, "a threat"), (1, "data to be erased")] {
        let from = format!(
            "suppressions WHERE email_key = 'lead{lead}@people.example' AND reason = '{why}'"
        );
        assert_eq!(rows.count(&from), 1, "{from}");
    }
    assert_eq!(rows.count("suppressions"), 2);
    assert_eq!(rows.count("drafts WHERE state = 'open'"), 1);
    let notices = told(&scenario, 3);
    for notice in &notices {
        assert!(
            header(notice, "Subject").contains("Please look at a reply"),
            "{notice}"
        );
    }
    assert!(notices.iter().any(|n| n.contains("a threat")));
    let explained = scenario
        .replyd
        .ok(&["explain", &scenario.leads[0].answer_id])
        .stdout();
    assert!(
        explained.contains("suppressed for all campaigns, and a person looks"),
        "{explained}"
    );
    stop(running);
    scenario.assert_no_lead_got_mail_but(&[]);
}

#[test]
fn not_now_pauses_until_the_named_day_is_shown_and_a_wish_ends_it() {
    let scenario = desk(1, "");
    let mut running = watch(&scenario);
    let lead = scenario.lead();
    scenario.arrived(
        lead,
        "Not now, please get back to me in three weeks.",
        now(),
    );
    decided(&mut running, 1);
    let rows = scenario.replyd.rows();
    let until: i64 = rows.value("SELECT paused_until FROM leads", []);
    let days = (until - now().0) / 86_400_000;
    assert!((20..=21).contains(&days), "{days}");
    let day = replyd::time::UtcMs(until).rfc3339();
    let status = scenario.replyd.ok(&["automation", "status"]).stdout();
    assert!(
        status.contains(&format!(
            "no campaign mail to lead L-0 Ann Lee before {day}: asked for later"
        )),
        "{status}"
    );
    let explained = scenario.replyd.ok(&["explain", &lead.answer_id]).stdout();
    assert!(
        explained.contains(&format!("no campaign mail before {day}")),
        "{explained}"
    );
    let status = scenario.replyd.run(&["status"]).stdout();
    assert!(
        status.contains("leads left alone for a while: 1"),
        "{status}"
    );
    scenario.assert_no_lead_got_mail_but(&[]);

    let second = again(lead, "second@people.example");
    scenario.arrived(&second, WISH, now());
    scenario.host.wait_for_mails(&lead.address, 1);
    decided(&mut running, 2);
    assert_eq!(
        scenario
            .replyd
            .rows()
            .count("leads WHERE paused_until IS NULL"),
        1
    );
    let explained = scenario.replyd.ok(&["explain", &second.answer_id]).stdout();
    assert!(
        explained.contains("the pause of campaign mails ends"),
        "{explained}"
    );
    stop(running);
}

#[test]
fn a_referral_goes_to_a_person_with_the_new_contact_who_gets_no_mail() {
    let scenario = desk(1, "");
    let mut running = watch(&scenario);
    scenario.arrived(
        scenario.lead(),
        "I am not the right person for this. Please contact my colleague Jane Doe \
         (jane.doe@people.example), +49 170 1234567.",
        now(),
    );
    decided(&mut running, 1);
    let rows = scenario.replyd.rows();
    let intent: String = rows.value("SELECT intent FROM reply_jobs", []);
    assert_eq!(intent, "referral");
    let contact: String = rows.value("SELECT contact FROM reply_jobs", []);
    let contact: serde_json::Value = serde_json::from_str(&contact).expect("JSON");
    assert_eq!(contact["name"], "Jane Doe", "{contact}");
    assert_eq!(contact["address"], "jane.doe@people.example");
    assert_eq!(contact["phone"], "+49 170 1234567");
    let notices = told(&scenario, 1);
    assert!(
        notices[0]
            .contains("Proposed contact: Jane Doe <jane.doe@people.example>, +49 170 1234567"),
        "{}",
        notices[0]
    );
    let explained = scenario
        .replyd
        .ok(&["explain", &scenario.lead().answer_id])
        .stdout();
    assert!(explained.contains("jane.doe@people.example"), "{explained}");
    assert_eq!(rows.count("outbox WHERE envelope_to LIKE 'jane%'"), 0);
    // An address of a reply is in no log.
    let finished = running.terminate();
    finished.assert_code(0);
    assert!(!finished.output().contains("jane.doe"));
}

#[test]
fn an_opt_out_is_confirmed_exactly_once_whatever_is_killed_and_however_often_it_is_said() {
    for point in ["reply.before_commit", "reply.committed", "outbox.claimed"] {
        let scenario = desk(1, "optout_confirmation = true");
        let lead = scenario.lead();
        watch_and_let_it_settle(&scenario);
        scenario.arrived(lead, "Please unsubscribe me.", now());
        let killed = scenario
            .replyd
            .start_with(&["run"], &[("REPLYD_CRASH_AT", point)])
            .finish();
        assert_eq!(killed.status.signal(), Some(9), "{}", killed.output());
        let mut running = watch(&scenario);
        wait_for(
            &mut running,
            "outbox WHERE kind = 'optout_confirmation' AND state = 'sent'",
            1,
        );
        decided(&mut running, 1);
        // Said again, and again with other words: no second one.
        for (n, text) in [
            "Please unsubscribe me.",
            "Remove me from your list at once.",
        ]
        .iter()
        .enumerate()
        {
            let id = format!("again-{n}@people.example");
            scenario.arrived(&again(lead, &id), text, now());
        }
        decided(&mut running, 3);
        stop(running);
        let mails = scenario.host.dovecot.mailbox(&lead.address);
        assert_eq!(mails.len(), 1, "{point}");
        let rows = scenario.replyd.rows();
        assert_eq!(rows.count("outbox WHERE kind = 'optout_confirmation'"), 1);
        assert_eq!(rows.count("suppressions"), 1);
    }
}

/// The account's first start lies behind: what comes later is answered.
#[track_caller]
fn watch_and_let_it_settle(scenario: &super::Scenario) {
    stop(watch(scenario));
}

#[test]
fn the_operators_own_words_and_the_domains_brake_leave_it_to_a_person() {
    let scenario = desk(
        3,
        "person_words = [\"escrow*\"]\nautomatic_per_domain = 1\nsales_notices_per_hour = 100",
    );
    let mut running = watch(&scenario);
    scenario.arrived(
        &scenario.leads[0],
        &format!("{WISH} Is there an escrow account?"),
        now(),
    );
    decided(&mut running, 1);
    let reasons: String = scenario
        .replyd
        .rows()
        .value("SELECT reasons FROM reply_jobs", []);
    assert!(reasons.contains("words for a person: escrow*"), "{reasons}");
    scenario.assert_no_lead_got_mail_but(&[]);
    scenario.arrived(&scenario.leads[1], WISH, now());
    scenario.host.wait_for_mails(&scenario.leads[1].address, 1);
    scenario.arrived(&scenario.leads[2], WISH, now());
    decided(&mut running, 3);
    let rows = scenario.replyd.rows();
    assert_eq!(
        rows.count("drafts WHERE reason LIKE '%to the lead''s domain in a day%'"),
        1
    );
    assert_eq!(rows.count("outbox WHERE kind = 'acknowledgment'"), 1);
    stop(running);
}
