//! What people work on, as JSON.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::Answer;
use crate::{World, world};

#[track_caller]
fn items(answer: &Answer) -> Vec<Value> {
    let body = answer.assert(200).json();
    let fields: BTreeSet<&str> = body
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(fields, BTreeSet::from(["items", "mailbox", "next"]));
    body["items"].as_array().unwrap().clone()
}

#[track_caller]
fn put(w: &World, path: &str, body: &Value) -> Answer {
    let json = [("content-type", "application/json")];
    w.web.ask("PUT", path, &json, &body.to_string())
}

#[test]
fn lists_go_on_by_cursor_to_their_end_and_what_is_asked_again_is_not_sent_again() {
    let w = world(&[]);
    for path in [
        "/api/leads",
        "/api/messages",
        "/api/outbox",
        "/api/conversations",
    ] {
        let all: Vec<Value> = items(&w.web.get(path));
        assert!(all.len() >= 2, "{path}: {all:?}");
        let (mut found, mut next) = (Vec::new(), String::new());
        loop {
            let page = w.web.get(&format!("{path}?limit=1&cursor={next}"));
            let rows = items(&page);
            assert!(rows.len() <= 1, "{path}");
            found.extend(rows);
            match page.json()["next"].as_str() {
                Some(cursor) => next = cursor.to_owned(),
                None => break,
            }
        }
        assert_eq!(found, all, "{path}");
        w.web.get(&format!("{path}?limit=0")).assert(400);
        w.web.get(&format!("{path}?cursor=nonsense")).assert(400);
    }
    assert_eq!(items(&w.web.get("/api/leads?lead_id=L-0")).len(), 1);
    assert_eq!(items(&w.web.get("/api/leads?campaign_id=2")).len(), 1);
    let replies = items(
        &w.web
            .get("/api/messages?disposition=reply&campaign_lead_id=1"),
    );
    assert_eq!(replies.len(), 1, "{replies:?}");
    w.web.get("/api/messages?disposition=nonsense").assert(400);
    for path in [
        "/api/leads/1",
        "/api/messages/1",
        "/api/outbox/1",
        "/api/drafts/1",
        "/api/conversations/1",
    ] {
        let first = w.web.get(path);
        let tag = first.assert(200).header("etag");
        let again = w.web.ask("GET", path, &[("if-none-match", &tag)], "");
        assert_eq!(again.assert(304).body, "", "{path}");
        let other = w
            .web
            .ask("GET", path, &[("if-none-match", "\"other\"")], "");
        assert_eq!(other.assert(200).header("etag"), tag, "{path}");
    }
    // How fresh a conversation is does not make it another one, and is told all the same.
    let shown = w.web.get("/api/conversations/1");
    let tag = shown.header("etag");
    let again = w.web.ask(
        "GET",
        "/api/conversations/1",
        &[("if-none-match", &tag)],
        "",
    );
    assert_eq!(again.assert(304).header("replyd-mailbox-stale"), "false");
    assert_ne!(
        again.header("replyd-mailbox-verified-at"),
        shown.json()["mailbox"]["verified_at"].as_str().unwrap()
    );
    let handled = w.web.post("/api/conversations/1/handled", &json!({}));
    handled.assert(204);
    let changed = w.web.ask(
        "GET",
        "/api/conversations/1",
        &[("if-none-match", &tag)],
        "",
    );
    assert_ne!(
        changed.assert(200).header("etag"),
        tag,
        "somebody marked it"
    );
    // An account that was looked at in between is another answer: asked until it was not.
    for path in ["/api/accounts", "/api/accounts/1"] {
        let is_told = || {
            let tag = w.web.get(path).assert(200).header("etag");
            w.web
                .ask("GET", path, &[("if-none-match", &tag)], "")
                .status
                == 304
        };
        assert!((0..50).any(|_| is_told()), "{path}");
    }
    let shown = w.web.get("/api/conversations/1").assert(200).json();
    assert_eq!(shown["head"]["lead_id"], "L-0");
    assert_eq!(shown["lines"][0]["sender"], "customer");
    assert_eq!(shown["mailbox"]["stale"], false, "{shown}");
    let asked = items(&w.web.get("/api/conversations?state=drafts"));
    assert_eq!(asked.len(), 1, "{asked:?}");
    // Two days: the replies may stand on both sides of midnight.
    let statistics = w.web.get("/api/statistics?days=2").assert(200).json();
    assert_eq!(statistics["replies"], 3, "{statistics}");
    assert_eq!(statistics["measured"], 3, "{statistics}");
    let days = statistics["days"].as_array().unwrap();
    assert_eq!(days.len(), 2, "{statistics}");
    assert_eq!(days[1]["day"], statistics["to"], "{statistics}");
    let by_day: i64 = days.iter().map(|d| d["replies"].as_i64().unwrap()).sum();
    assert_eq!(by_day, 3, "{statistics}");
    assert_eq!(statistics["answer_ms"]["count"], 1, "{statistics}");
    assert!(
        statistics["answer_ms"]["p95"].as_i64().unwrap() > 0,
        "{statistics}"
    );
    let spring = "/api/statistics?days=2&campaign_id=";
    let of = |id: i64| w.web.get(&format!("{spring}{id}")).assert(200).json()["replies"].clone();
    assert_eq!((of(1), of(2)), (json!(3), json!(0)));
    w.web.get(&format!("{spring}99")).assert(404);
    for bad in [
        "from=2027-01-01&to=2026-01-01",
        "from=2024-01-01",
        "to=soon",
        "days=367",
    ] {
        w.web.get(&format!("/api/statistics?{bad}")).assert(400);
    }
    assert_eq!(statistics["intents"]["goal_reached"], 1, "{statistics}");
    assert_eq!(statistics["answers"], 1, "{statistics}");
    assert_eq!(items(&w.web.get("/api/accounts"))[0]["state"], "live");
}

#[test]
fn a_search_goes_on_by_cursor_and_keeps_to_state_and_campaign() {
    let w = world(&[]);
    let path = "/api/conversations?q=lead.example";
    let all = items(&w.web.get(path));
    let ids = |rows: &[Value]| -> Vec<i64> {
        let rows = rows.iter();
        rows.map(|row| row["campaign_lead_id"].as_i64().unwrap())
            .collect()
    };
    assert_eq!(all.len(), 3, "{all:?}");
    let (mut found, mut next) = (Vec::new(), String::new());
    loop {
        let page = w.web.get(&format!("{path}&limit=1&cursor={next}"));
        found.extend(items(&page));
        match page.json()["next"].as_str() {
            Some(cursor) => next = cursor.to_owned(),
            None => break,
        }
    }
    assert_eq!(ids(&found), ids(&all));
    let drafts = items(&w.web.get(&format!("{path}&state=drafts")));
    assert_eq!(drafts.len(), 1, "{drafts:?}");
    assert_eq!(items(&w.web.get(&format!("{path}&campaign_id=2"))).len(), 0);
    assert_eq!(items(&w.other.get(path)), Vec::<Value>::new());
    w.web.get(&format!("{path}&cursor=nonsense")).assert(400);
}

#[test]
fn a_reply_that_came_by_another_way_is_pasted_read_and_answered_by_a_draft_alone() {
    let w = world(&[]);
    let mails = w.desk.mails_sent();
    let path = "/api/conversations/1/paste";
    let body = json!({"text": "  Is there a garage with the flat?\n"});
    let pasted = w.web.post(path, &body).assert(200).json();
    let line = pasted["conversation_id"].as_i64().unwrap();
    assert!(
        pasted["response"].is_string() && pasted["tool_used"].is_string(),
        "{pasted}"
    );
    let again = w.web.post(path, &body).assert(200).json();
    assert_eq!(again["conversation_id"], line, "the same is the same");
    let shown = w.web.get("/api/conversations/1").assert(200).json();
    let lines = shown["lines"].as_array().unwrap();
    let said: Vec<&Value> = lines
        .iter()
        .filter(|l| l["text"] == "Is there a garage with the flat?")
        .collect();
    assert_eq!(said.len(), 1, "{shown}");
    assert_eq!(said[0]["sender"], "customer", "{shown}");
    let draft = items(&w.web.get("/api/drafts?campaign_lead_id=1"));
    assert_eq!(draft.len(), 1, "{draft:?}");
    assert_eq!(w.desk.mails_sent(), mails, "nothing is sent");
    for (body, status) in [
        (json!({"text": " \n"}), 422),
        (json!({}), 400),
        (json!({"text": "x", "typo": 1}), 400),
        (json!({"text": "x".repeat(64 * 1024 + 1)}), 413),
    ] {
        w.web.post(path, &body).assert(status);
    }
    w.reader.post(path, &body).assert(403);
    w.web.with("").post(path, &body).assert(401);
    let foreign = w.other.post(path, &body);
    let unknown = w.other.post("/api/conversations/99/paste", &body);
    assert_eq!(foreign.assert(404).body, unknown.assert(404).body);
}

#[test]
fn a_draft_is_edited_and_approved_once_and_who_comes_late_is_shown_what_is_there() {
    let w = world(&[]);
    let draft = items(&w.web.get("/api/drafts")).remove(0);
    let id = draft["id"].as_i64().unwrap();
    let path = format!("/api/drafts/{id}");
    let edit = json!({"version": draft["version"], "body": "They are 3 Euro a month."});
    let edited = put(&w, &path, &edit);
    let edited = edited.assert(200).json();
    assert_eq!(edited["edited_by"], "all", "{edited}");
    let late = put(&w, &path, &edit);
    let late = late.assert(409).json();
    assert_eq!(late["error"], "Conflict");
    assert_eq!(late["current"]["version"], edited["version"], "{late}");
    put(&w, &path, &json!({"body": "x"})).assert(400);
    put(&w, &path, &json!({"version": 1, "typo": "x"})).assert(400);
    let reader = w
        .reader
        .post(&format!("{path}/approve"), &json!({"version": 1}));
    assert_eq!(reader.assert(403).json()["error"], "Forbidden");
    let stale = w.web.post(
        &format!("{path}/approve"),
        &json!({"version": draft["version"]}),
    );
    stale.assert(409);
    let go = json!({"version": edited["version"]});
    let sent = w.web.post(&format!("{path}/approve"), &go);
    let mail = sent.assert(200).json()["mail"].as_i64().unwrap();
    w.web.post(&format!("{path}/approve"), &go).assert(409);
    w.web
        .post(&format!("{path}/reject"), &json!({}))
        .assert(409);
    let mut running = w.running;
    running.wait_for_rows("the mail", |rows| {
        (rows.count(&format!("outbox WHERE id = {mail} AND state = 'sent'")) == 1).then_some(())
    });
    let shown = w.web.get(&format!("/api/outbox/{mail}")).assert(200).json();
    assert_eq!(shown["state"], "sent", "{shown}");
    assert_eq!(shown["automatic"], false, "{shown}");
    // It left: nobody takes it back.
    let cancelled = w
        .web
        .post(&format!("/api/outbox/{mail}/cancel"), &json!({}));
    cancelled.assert(409);
}

#[test]
fn the_switch_and_the_list_of_addresses_obey_scope_and_campaign() {
    let w = world(&[]);
    let off = |web: &crate::client::Web, body: Value| web.post("/api/automation/off", &body);
    off(&w.reader, json!({})).assert(403);
    off(&w.reader, json!({"lead_id": 1})).assert(403);
    off(&w.other, json!({})).assert(403);
    off(&w.other, json!({"campaign_id": 1})).assert(404);
    off(&w.other, json!({"lead_id": 1})).assert(404);
    off(&w.web, json!({"lead_id": 1, "campaign_id": 1})).assert(400);
    let now = off(&w.web, json!({"campaign_id": 1, "reason": "holidays"}));
    let now = now.assert(200).json();
    assert_eq!(
        (&now["on"], &now["off"][0]["name"]),
        (&json!(false), &json!("Spring"))
    );
    // Of another campaign nobody else is told.
    let seen = w.other.get("/api/automation").assert(200).json();
    assert_eq!((&seen["on"], &seen["off"]), (&json!(true), &json!([])));
    let on = w.web.post("/api/automation/on", &json!({"campaign_id": 1}));
    let on = on.assert(200).json();
    assert_eq!(
        (&on["on"], &on["done"]["was_off"]),
        (&json!(true), &json!(true))
    );

    // The third lead opted out.
    let listed = items(&w.web.get("/api/suppressions"));
    assert_eq!(listed.len(), 1, "{listed:?}");
    let address = listed[0]["address"].as_str().unwrap().to_owned();
    assert_eq!(
        items(&w.other.get("/api/suppressions")),
        Vec::<Value>::new()
    );
    let add = |web: &crate::client::Web, address: &str| {
        web.post("/api/suppressions", &json!({"address": address}))
    };
    add(&w.other, "somebody@else.example").assert(404);
    add(&w.reader, "other@people.example").assert(403);
    add(&w.web, "no address").assert(400);
    let added = add(&w.other, "Other@People.example").assert(200).json();
    assert_eq!(added["address"], "other@people.example", "{added}");
    let remove = |web: &crate::client::Web, address: &str| {
        web.ask(
            "DELETE",
            &format!("/api/suppressions?address={address}"),
            &[],
            "",
        )
    };
    remove(&w.other, &address).assert(404);
    remove(&w.reader, &address).assert(403);
    remove(&w.web, &address).assert(204);
    remove(&w.web, &address).assert(404);
}

#[test]
fn a_second_user_sees_an_empty_desk_and_unknown_rows() {
    let w = world(&[]);
    for list in [
        "drafts",
        "messages",
        "outbox",
        "unmatched",
        "conversations",
        "suppressions",
    ] {
        let rows = items(&w.other.get(&format!("/api/{list}")));
        assert_eq!(rows, Vec::<Value>::new(), "{list}");
    }
    assert_eq!(items(&w.other.get("/api/leads")).len(), 1);
    let none = w.other.get("/api/statistics").assert(200).json();
    assert_eq!(none["replies"], 0, "{none}");
    for path in [
        "drafts/1",
        "messages/1",
        "outbox/1",
        "leads/1",
        "conversations/1",
    ] {
        let foreign = w.other.get(&format!("/api/{path}"));
        let unknown = w
            .other
            .get(&format!("/api/{}", path.replace('1', "999999")));
        assert_eq!(foreign.assert(404).body, unknown.assert(404).body, "{path}");
        w.web.get(&format!("/api/{path}")).assert(200);
        w.web.with("").get(&format!("/api/{path}")).assert(401);
    }
}
