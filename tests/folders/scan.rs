//! `sent scan`: starting with a mailbox and a list of leads, without any export of what was sent.

use replyd::time::{UtcMs, now};
use serde_json::Value;

use crate::common::scenario::{DESK, Lead, Scenario, WISH};
use crate::{DAY, bare_desk, persons_mail, stop, to_leads, wait_for, watch};

/// Imports the leads only, into no campaign.
#[track_caller]
fn import_leads(scenario: &Scenario, campaign: Option<&str>) {
    let mut csv = "lead_id,name,email,project_name\n".to_owned();
    for lead in &scenario.leads {
        csv.push_str(&format!(
            "{},Ann Lee,{},Lake Homes\n",
            lead.lead_id, lead.address
        ));
    }
    let file = scenario.replyd.file("leads.csv", &csv);
    let mut args = vec!["leads", "import", file.as_str()];
    if let Some(name) = campaign {
        args.extend(["--campaign", name]);
    }
    scenario.replyd.ok(&args);
}

/// A mail of a campaign as it lies in the Sent folder.
#[track_caller]
fn campaign_mail(scenario: &Scenario, lead: &Lead, at: UtcMs) {
    let raw = persons_mail(
        &lead.address,
        &lead.campaign_id,
        "",
        "The new homes are ready to be seen. Would you like to book a viewing?",
    );
    scenario.host.dovecot.file(DESK, "Sent", raw, at);
}

#[track_caller]
fn scan(scenario: &Scenario, args: &[&str]) -> Value {
    let args: Vec<&str> = ["sent", "scan", "--json"]
        .iter()
        .chain(args)
        .copied()
        .collect();
    let told = scenario.replyd.ok(&args).stdout();
    let json: Value = serde_json::from_str(&told).unwrap_or_else(|e| panic!("{e}: {told}"));
    json["desk"].clone()
}

#[test]
fn leads_and_a_scan_are_all_that_onboarding_needs() {
    let scenario = bare_desk("", 3);
    let dovecot = &scenario.host.dovecot;
    dovecot.create(DESK, "Sent");
    let ago = |days: u32| now().minus(DAY * days);
    let [first, second, third] = scenario.leads.as_slice() else {
        panic!("Three leads");
    };
    campaign_mail(&scenario, first, ago(40));
    campaign_mail(&scenario, second, ago(30));
    campaign_mail(&scenario, third, ago(120));
    // One to a stranger, one that a person answered by hand, one without an id.
    let other = persons_mail("else@where.example", "other@homes.example", "", "Lunch?");
    dovecot.file(DESK, "Sent", other, ago(20));
    let by_hand = persons_mail(
        &second.address,
        "by-hand@homes.example",
        "question-before@people.example",
        "The garage is included.",
    );
    dovecot.file(DESK, "Sent", by_hand, ago(10));
    let nameless = String::from_utf8(persons_mail(&first.address, "x@y", "", "Hello"))
        .expect("UTF-8")
        .replace("Message-ID: <x@y>\r\n", "");
    dovecot.file(DESK, "Sent", nameless, ago(5));
    // A reply that came in before anything was known.
    scenario.replyd.ok(&["run", "--once"]);
    scenario.arrived(first, WISH, now());
    scenario.replyd.ok(&["run", "--once"]);
    assert_eq!(
        scenario
            .replyd
            .rows()
            .count("messages WHERE disposition = 'ignored'"),
        1
    );

    import_leads(&scenario, None);
    let told = scan(&scenario, &["--days", "90"]);
    println!("{told:#}");
    for (what, n) in [
        ("looked_at", 5),
        ("recorded", 3),
        ("answers", 1),
        ("known", 0),
        ("nobody", 1),
        ("without_id", 1),
        ("campaigns_made", 1),
    ] {
        assert_eq!(told[what], n, "{what}");
    }
    assert_eq!(told["folder"], "Sent");
    let rows = scenario.replyd.rows();
    let campaign: String = rows.value("SELECT name FROM campaigns", []);
    assert_eq!(campaign, "Sent folder");
    assert_eq!(rows.count("sent_messages WHERE kind = 'campaign'"), 2);
    assert_eq!(rows.count("sent_messages WHERE kind = 'manual'"), 1);
    assert_eq!(
        rows.count("sent_messages WHERE body LIKE 'The new homes are ready%'"),
        2,
        "the classifier reads what was asked"
    );

    // Again: nothing new.
    let again = scan(&scenario, &["--days", "90"]);
    assert_eq!(
        (&again["recorded"], &again["known"]),
        (&0.into(), &3.into())
    );
    let text = scenario.replyd.ok(&["sent", "scan"]).stdout();
    assert!(
        text.contains("0 recorded (0 answers by people), 3 known already"),
        "{text}"
    );

    // The reply of before is a reply now; a new one is answered; the thread that a person has is
    // left to the person.
    let mut running = watch(&scenario);
    wait_for(
        &mut running,
        "messages WHERE disposition = 'reply' AND source = 'late_match'",
    );
    second.reply(WISH).send(&scenario.host.postfix);
    wait_for(
        &mut running,
        "drafts WHERE state = 'open' AND reason LIKE '%a person wrote%'",
    );
    assert_eq!(to_leads(&scenario.replyd.rows()), []);
    stop(running);
    let wide = scan(&scenario, &["--days", "365"]);
    assert_eq!(wide["recorded"], 1);
    let mut running = watch(&scenario);
    third.reply(WISH).send(&scenario.host.postfix);
    wait_for(
        &mut running,
        "outbox WHERE kind = 'acknowledgment' AND state = 'sent'",
    );
    scenario.assert_acknowledged(third);
    stop(running);
}

#[test]
fn a_scan_beside_a_running_replyd_uses_the_leads_campaign_or_the_named_one() {
    let scenario = bare_desk("", 2);
    let dovecot = &scenario.host.dovecot;
    dovecot.create(DESK, "Sent");
    import_leads(&scenario, Some("Spring"));
    let [first, second] = scenario.leads.as_slice() else {
        panic!("Two leads");
    };
    campaign_mail(&scenario, first, now().minus(DAY * 3));
    campaign_mail(&scenario, second, now().minus(DAY * 20));
    let running = watch(&scenario);
    let told = scan(&scenario, &["--days", "7"]);
    assert_eq!(
        (&told["recorded"], &told["campaigns_made"]),
        (&1.into(), &0.into())
    );
    let told = scan(&scenario, &["--days", "30", "--campaign", "Autumn"]);
    assert_eq!((&told["recorded"], &told["known"]), (&1.into(), &1.into()));
    let rows = scenario.replyd.rows();
    let campaigns: String = rows.value(
        "SELECT group_concat(c.name) FROM sent_messages s JOIN campaign_leads cl ON cl.id = s.campaign_lead_id
         JOIN campaigns c ON c.id = cl.campaign_id ORDER BY s.id",
        [],
    );
    assert_eq!(campaigns, "Spring,Autumn");
    stop(running);
}

#[test]
fn a_scan_says_what_is_missing_and_its_exit_code_too() {
    let scenario = bare_desk("", 1);
    import_leads(&scenario, None);
    let none = scenario.replyd.run(&["sent", "scan"]);
    none.assert_code(1);
    assert!(
        none.stderr().contains("No Sent folder was found"),
        "{}",
        none.stderr()
    );
    assert!(none.stderr().contains("INBOX"), "{}", none.stderr());
    let other = scenario
        .replyd
        .run(&["sent", "scan", "--account", "nobody"]);
    other.assert_code(1);
    assert!(
        other.stderr().contains("the settings have: desk"),
        "{}",
        other.stderr()
    );
    scenario
        .replyd
        .run(&["sent", "scan", "--days", "0"])
        .assert_code(64);
}
