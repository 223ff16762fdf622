//! Webhooks of the running program: what a receiver is told of a reply, and what survives a kill.

use std::time::Duration;

use replyd::time::now;
use serde_json::Value;

use super::common::bin::Running;
use super::common::scenario::{SALES, Scenario, Setting, WISH};
use super::http::{Does, Got, Hook};

const SECRET: &str = "a secret of these tests";

/// A desk whose replies are told.
fn desk(hook: &Hook, events: &str) -> Scenario {
    let s = Scenario::new(Setting::default());
    add_hook(&s, &format!("http://{}/in", hook.address), events);
    s.import(Duration::from_secs(86_400));
    s
}

pub(crate) fn add_hook(s: &Scenario, url: &str, events: &str) {
    let path = s.replyd.dir().join("replyd.toml");
    let mut settings = std::fs::read_to_string(&path).unwrap();
    settings.push_str(&format!(
        "\n[[webhooks]]\nname = \"crm\"\nurl = \"{url}\"\nsecret = \"{SECRET}\"\nevents = \"{events}\"\n"
    ));
    std::fs::write(path, settings).unwrap();
}

fn live(running: &mut Running) {
    running.wait_for_rows("the account to be live", |rows| {
        (rows.count("accounts WHERE state = 'live' AND verified_at IS NOT NULL") == 1).then_some(())
    });
}

/// The body, if the signature is right.
fn verified(got: &Got) -> Value {
    let (t, v1) = got.header("replyd-signature").split_once(',').unwrap();
    let seconds: i64 = t.strip_prefix("t=").unwrap().parse().unwrap();
    let at = replyd::time::UtcMs(seconds * 1000);
    let wanted = replyd::hooks::signature(SECRET, at, &got.body);
    assert_eq!(wanted, format!("{t},{v1}"));
    assert!(now().since(at) < Duration::from_secs(300));
    got.json()
}

#[test]
fn a_reply_and_a_goal_are_told_with_what_the_application_needs() {
    let hook = Hook::start(Does::Answers(200, ""));
    let s = desk(&hook, "reply, goal_reached, sent");
    let said = s.replyd.ok(&["webhooks", "test", "crm"]).output();
    assert!(said.contains("crm took it: status 200"), "{said}");
    assert_eq!(verified(&hook.next())["test"], true);
    let mut running = s.replyd.start(&["run", "--no-web"]);
    live(&mut running);
    let lead = s.lead();
    lead.reply(WISH).send(&s.host.postfix);
    s.assert_acknowledged(lead);
    let mut told: Vec<(String, Value)> = Vec::new();
    while told.len() < 3 {
        let got = hook.next();
        assert_eq!(got.path, "/in");
        let body = verified(&got);
        assert_eq!(got.header("replyd-event-id"), body["id"].as_str().unwrap());
        told.push((body["type"].as_str().unwrap().to_owned(), body));
    }
    told.sort_by(|a, b| a.0.cmp(&b.0));
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["goal_reached", "reply", "sent"]);
    for (_, body) in &told[..2] {
        assert_eq!(body["intent"], "goal_reached", "{body:#}");
        assert!(body["confidence"].as_f64().unwrap() > 0.7);
        assert_eq!(body["lead"]["email"], lead.address.as_str());
        assert_eq!(body["lead"]["lead_id"], lead.lead_id.as_str());
        assert_eq!(body["campaign"]["name"], "Spring");
        assert_eq!(body["message"]["text"], WISH);
        assert_eq!(
            body["conversation_id"],
            s.replyd
                .rows()
                .value::<i64>("SELECT id FROM conversations WHERE sender = 'customer'", [])
        );
    }
    assert_eq!(told[2].1["mail"]["kind"], "acknowledgment");
    running.terminate().assert_code(0);
    let list = s.replyd.ok(&["webhooks", "list"]).output();
    assert!(
        list.contains("crm: reply, goal_reached, sent of all campaigns; 0 wait"),
        "{list}"
    );
    let all = s.replyd.ok(&["webhooks", "deliveries", "--json"]).stdout();
    let all: Value = serde_json::from_str(&all).unwrap();
    assert_eq!(all.as_array().unwrap().len(), 3);
    // Told again on demand, under the same ids.
    s.replyd
        .ok(&["webhooks", "replay", "crm", "--since", "2020-01-01"]);
    s.replyd.ok(&["run", "--once"]);
    let again: Vec<String> = hook
        .rest()
        .iter()
        .map(|g| g.header("replyd-event-id").to_owned())
        .collect();
    let mut first: Vec<String> = told
        .iter()
        .map(|(_, b)| b["id"].as_str().unwrap().to_owned())
        .collect();
    let mut sorted = again;
    sorted.sort();
    first.sort();
    assert_eq!(sorted, first);
}

#[test]
fn killed_while_a_receiver_hangs_nothing_is_lost_and_the_id_stays() {
    let hook = Hook::start(Does::Hangs);
    let s = desk(&hook, "reply");
    let mut running = s.replyd.start(&["run", "--no-web"]);
    live(&mut running);
    s.lead().reply(WISH).send(&s.host.postfix);
    let first = hook.next();
    running.kill();
    hook.does(Does::Answers(204, ""));
    let mut running = s.replyd.start(&["run", "--no-web"]);
    let second = hook.next();
    let id = first.header("replyd-event-id");
    assert_eq!(second.header("replyd-event-id"), id);
    assert_eq!(verified(&second)["type"], "reply");
    running.wait_for_rows("the delivery to be done", |rows| {
        (rows.count("webhook_deliveries WHERE state = 'done' AND attempts = 2") == 1).then_some(())
    });
    running.terminate().assert_code(0);
    assert_eq!(hook.rest().len(), 0);
}

#[test]
fn run_once_tells_too_and_a_failed_delivery_stands_in_the_status() {
    let hook = Hook::start(Does::Answers(410, ""));
    let s = desk(&hook, "reply");
    let before = now().minus(Duration::from_secs(3600));
    s.arrived(s.lead(), WISH, before);
    s.replyd.ok(&["run", "--once"]);
    assert_eq!(verified(&hook.next())["type"], "reply");
    let status = s.replyd.run(&["status"]).output();
    assert!(
        status.contains("webhook crm: 0 events wait, 1 failed (status 410)"),
        "{status}"
    );
    hook.does(Does::Floods);
    s.replyd.ok(&["webhooks", "replay", "crm"]);
    s.replyd.ok(&["run", "--once"]);
    assert_eq!(
        s.replyd
            .rows()
            .count("webhook_deliveries WHERE state = 'done'"),
        1
    );
    let refused = s.replyd.run(&["webhooks", "replay", "nobody"]);
    refused.assert_code(1);
    assert_eq!(
        s.replyd.rows().count(&format!(
            "outbox WHERE envelope_to = '{SALES}' AND kind = 'alert'"
        )),
        0
    );
}
