//! `automation off|on` and `campaign pause|resume` beside a running service.

use std::time::Instant;

use super::common::PATIENCE;
use super::common::desk::stop;
use super::common::scenario::DESK;
use super::{FAST, campaign, shown, taken};

const SLOWLY: &str = "\n[campaign]\nper_minute = 600\nper_day = 100000\n";

#[test]
fn automation_off_holds_a_running_campaign_within_a_second_and_on_lets_it_go() {
    let desk = campaign(60, SLOWLY);
    let mut running = desk.replyd.start(&["run"]);
    desk.listen(&mut running);
    desk.replyd.ok(&["campaign", "send", "Spring"]);
    desk.block_on(desk.sandbox.wait_for_submissions(3, PATIENCE))
        .expect("It runs");
    let began = Instant::now();
    desk.replyd
        .ok(&["automation", "off", "--reason", "wrong prices"]);
    // From the commit on nothing more is claimed; one mail may have been on its way.
    let at_return = desk.sandbox.submissions().len();
    let took = began.elapsed();
    let status = desk.replyd.run(&["status"]).stdout();
    assert!(
        status.contains("AUTOMATION OFF for everything since"),
        "{status}"
    );
    assert!(status.contains(": wrong prices"), "{status}");
    assert!(status.contains("mails held: "), "{status}");
    let json: serde_json::Value =
        serde_json::from_str(&desk.replyd.run(&["status", "--json"]).stdout()).expect("JSON");
    assert_eq!(json["automation_off"][0]["scope"], "all", "{json}");
    assert_eq!(json["automation_off"][0]["reason"], "wrong prices");
    assert!(json["mails_held"].as_u64() > Some(0), "{json}");
    let after = desk.sandbox.submissions().len();
    println!(
        "automation off: the command took {took:?}; {} mails left after it",
        after - at_return
    );
    assert!(after <= at_return + 1, "{after} after {at_return}");
    let held = shown(&desk.replyd)["held"].to_string();
    assert!(held.contains("automation is off for everything"), "{held}");

    // A reply meanwhile becomes a draft, and sales are told.
    let mut lead = desk.leads[0].clone();
    let submissions = desk.sandbox.submissions();
    let mail = submissions
        .iter()
        .find(|m| m.to[0] == lead.address)
        .expect("The first lead's");
    let raw = String::from_utf8_lossy(&mail.raw).into_owned();
    lead.campaign_id = super::header(&raw, "Message-ID")
        .trim_matches(['<', '>'])
        .to_owned();
    let reply = lead.reply(super::common::scenario::WISH).raw();
    desk.sandbox
        .deliver(DESK, "INBOX", &reply, None)
        .expect("Deliver");
    running.wait_for_rows("a draft and a notice", |rows| {
        let draft =
            rows.count("drafts WHERE reason LIKE '%automation is off for everything%'") == 1;
        let notice = rows.count("outbox WHERE kind = 'sales_notice' AND state = 'sent'") == 1;
        (draft && notice).then_some(())
    });
    assert_eq!(
        desk.replyd
            .rows()
            .count("outbox WHERE kind = 'acknowledgment'"),
        0
    );

    let on = desk.replyd.ok(&["automation", "on"]).stdout();
    assert!(on.contains("Automation is on for everything"), "{on}");
    running.wait_for_rows("every mail to leave", |rows| {
        (rows.count("outbox WHERE kind = 'campaign' AND state = 'sent'") == 60).then_some(())
    });
    let to_leads = desk
        .leads
        .iter()
        .map(|l| taken(&desk).get(&l.address).copied());
    assert!(to_leads.into_iter().all(|n| n == Some(1)));
    let status = desk.replyd.ok(&["automation", "status"]).stdout();
    assert_eq!(status, "Automation is on.\n");
    stop(running);
}

#[test]
fn pause_and_resume_and_a_lead_that_a_person_takes_over() {
    let desk = campaign(3, FAST);
    desk.replyd
        .ok(&["campaign", "pause", "Spring", "--reason", "typing error"]);
    desk.replyd.ok(&[
        "automation",
        "off",
        "--lead",
        "L-1",
        "--reason",
        "Ann takes over",
    ]);
    desk.replyd.ok(&["campaign", "send", "Spring"]);
    desk.replyd.ok(&["process"]);
    assert_eq!(desk.sandbox.submissions().len(), 0);
    let status = desk.replyd.run(&["status"]).stdout();
    assert!(
        status.contains("campaign Spring: 3 mails wait, paused since"),
        "{status}"
    );
    assert!(
        status.contains("AUTOMATION OFF for lead L-1 since"),
        "{status}"
    );
    let list = desk.replyd.ok(&["campaign", "list"]).stdout();
    assert!(list.contains("3 queued") && list.contains("HELD"), "{list}");

    desk.replyd.ok(&["campaign", "resume", "Spring"]);
    desk.replyd.ok(&["process"]);
    let got = taken(&desk);
    assert_eq!(got.len(), 2, "{got:?}");
    assert!(!got.contains_key(&desk.leads[1].address));
    let off = desk.replyd.ok(&["automation", "status", "--json"]).stdout();
    let off: serde_json::Value = serde_json::from_str(&off).expect("JSON");
    assert_eq!(
        (&off["off"][0]["name"], &off["held"]),
        (&"L-1".into(), &1.into()),
        "{off}"
    );
    desk.replyd.ok(&["automation", "on", "--lead", "L-1"]);
    desk.replyd.ok(&["process"]);
    assert_eq!(taken(&desk).get(&desk.leads[1].address), Some(&1));

    for (wrong, wanted) in [
        (
            &["automation", "off", "--lead", "L-77"][..],
            "Lead \"L-77\" not found",
        ),
        (
            &["automation", "off", "--campaign", "Winter"],
            "Campaign \"Winter\" not found",
        ),
        (
            &["campaign", "pause", "Winter"],
            "Campaign \"Winter\" not found",
        ),
        (&["suppress", "add", "nobody"], "is not a mail address"),
    ] {
        let refused = desk.replyd.run(wrong);
        refused.assert_code(1);
        assert!(refused.output().contains(wanted), "{}", refused.output());
    }
}
