//! The predecessor's endpoints: fields, order, errors and status codes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::{Web, run, token};
use crate::common::bin::Running;
use crate::common::desk::{Desk, settled};
use crate::common::scenario::{SALES, WISH};

/// Three leads in the campaign Spring; the first two have replied, and all is handled.
struct World {
    desk: Desk,
    running: Running,
    web: Web,
}

fn world() -> World {
    let desk = Desk::known(3);
    let token = token(&desk.replyd, &["--name", "crm", "--scope", "admin"]);
    let (mut running, web) = run(&desk.replyd, &[]);
    desk.listen(&mut running);
    desk.deliver_all(0..2);
    running.wait_for_rows("the replies", |rows| settled(rows, 2));
    World {
        web: web.with(&token),
        desk,
        running,
    }
}

#[track_caller]
fn fields(value: &Value, wanted: &[&str]) {
    let found: BTreeSet<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let wanted: BTreeSet<&str> = wanted.iter().copied().collect();
    assert_eq!(found, wanted, "{value}");
}

#[track_caller]
fn refused(answer: &crate::client::Answer, status: u16, error: &str, message: &str) {
    answer.assert(status);
    let body = answer.json();
    assert_eq!(body["error"], error, "{body}");
    assert_eq!(body["message"].as_str().unwrap_or(""), message, "{body}");
}

#[test]
fn the_endpoints_of_conversations_answer_as_the_predecessors_did() {
    let w = world();
    let list = w.web.get("/api/agent/queries?campaign_lead_id=1");
    let rows = list.assert(200).json();
    let rows = rows.as_array().unwrap();
    assert!(
        rows.len() >= 2,
        "the reply and the acknowledgement: {rows:?}"
    );
    for row in rows {
        fields(
            row,
            &[
                "id",
                "campaign_lead_id",
                "sender",
                "message",
                "agent_tool_used",
                "created_at",
                "campaign_id",
                "campaign_name",
                "lead_id",
                "lead_name",
                "lead_email",
                "project_name",
            ],
        );
        assert_eq!(row["campaign_lead_id"], 1);
        assert_eq!(row["campaign_name"], "Spring");
        assert_eq!(row["lead_id"], "L-0");
        assert_eq!(row["project_name"], "Lake Homes");
    }
    let times: Vec<&str> = rows
        .iter()
        .map(|r| r["created_at"].as_str().unwrap())
        .collect();
    assert!(
        times.windows(2).all(|w| w[0] >= w[1]),
        "newest first: {times:?}"
    );
    assert!(times[0].ends_with('Z'), "{times:?}");
    let customer = rows.iter().find(|r| r["sender"] == "customer").unwrap();
    assert!(customer["message"].as_str().unwrap().contains(WISH));
    assert_eq!(customer["agent_tool_used"], Value::Null);
    let agent = rows
        .iter()
        .find(|r| r["agent_tool_used"] == "acknowledgment");
    assert_eq!(agent.unwrap()["sender"], "agent");
    for name in ["verified-at", "source", "stale"] {
        let name = format!("replyd-mailbox-{name}");
        assert!(!list.header(&name).is_empty(), "{name}: {list:?}");
    }

    let all = w.web.get("/api/agent/queries").assert(200).json();
    let leads: BTreeSet<i64> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["campaign_lead_id"].as_i64().unwrap())
        .collect();
    assert!(leads.contains(&1) && leads.contains(&2), "{leads:?}");
    let none = w
        .web
        .get("/api/agent/queries?campaign_lead_id=3")
        .assert(200)
        .json();
    assert_eq!(
        none.as_array().unwrap().len(),
        0,
        "a lead without a line: {none}"
    );

    for bad in ["-1", "0", "x", "1.5", "99999999999999999999"] {
        let answer = w
            .web
            .get(&format!("/api/agent/queries?campaign_lead_id={bad}"));
        refused(&answer, 400, "Bad Request", "Invalid campaign_lead_id");
    }
    let unknown = w.web.get("/api/agent/queries?campaign_lead_id=99");
    refused(&unknown, 400, "Bad Request", "Campaign lead not found");
    let nobody = w.web.with("").get("/api/agent/queries");
    refused(&nobody, 401, "Unauthorized", "JWT token is required");
    assert!(nobody.header("www-authenticate").starts_with("Bearer"));

    let id = customer["id"].as_i64().unwrap();
    let one = w
        .web
        .get(&format!("/api/agent/queries/{id}"))
        .assert(200)
        .json();
    let six = [
        "id",
        "campaign_lead_id",
        "sender",
        "message",
        "agent_tool_used",
        "created_at",
    ];
    fields(&one, &six);
    assert_eq!(one["message"], customer["message"]);
    for none in ["0", "99999", "x", "-3"] {
        let answer = w.web.get(&format!("/api/agent/queries/{none}"));
        refused(&answer, 404, "Not Found", "Conversation not found");
    }

    let query = json!({"campaign_lead_id": 3, "query": "Is there a garage with the flat?"});
    let pasted = w.web.post("/api/agent/queries", &query).assert(200).json();
    fields(
        &pasted,
        &["response", "tool_used", "conversation_id", "timestamp"],
    );
    let again = w.web.post("/api/agent/queries", &query).assert(200).json();
    assert_eq!(
        again["conversation_id"], pasted["conversation_id"],
        "the same is the same"
    );
    let lines = w.web.get("/api/agent/queries?campaign_lead_id=3").json();
    assert_eq!(lines.as_array().unwrap().len(), 1, "{lines}");
    assert_eq!(lines[0]["message"], "Is there a garage with the flat?");
    for (body, status, message) in [
        (
            json!({"campaign_lead_id": 3, "query": "  "}),
            400,
            "Query cannot be empty",
        ),
        (
            json!({"campaign_lead_id": 0, "query": "x"}),
            400,
            "Invalid campaign_lead_id",
        ),
        (
            json!({"campaign_lead_id": 99, "query": "x"}),
            404,
            "Campaign lead not found",
        ),
    ] {
        let answer = w.web.post("/api/agent/queries", &body);
        answer.assert(status);
        assert_eq!(answer.json()["message"], message);
    }
    w.web
        .ask(
            "POST",
            "/api/agent/queries",
            &[("content-type", "application/json")],
            "{",
        )
        .assert(400);
    let before = w.desk.mails_sent();
    let to_sales = w.desk.sandbox.submissions();
    assert!(to_sales.iter().any(|m| m.to.iter().any(|to| to == SALES)));
    assert_eq!(
        w.desk.mails_sent(),
        before,
        "what was pasted is answered by nobody"
    );
}

#[test]
fn the_endpoints_of_campaigns_answer_as_the_predecessors_did() {
    let mut w = world();
    let checked = w
        .web
        .post("/api/campaigns/check-replies?days=7", &json!({}));
    let body = checked.assert(200).json();
    fields(&body, &["success", "processed", "new_replies", "errors"]);
    assert_eq!(
        (&body["success"], &body["errors"]),
        (&json!(true), &json!([])),
        "{body}"
    );
    w.desk.deliver(2, std::time::Duration::ZERO);
    for days in ["?days=7", "?days=x", "", "?days=-4", "?days=0"] {
        let path = format!("/api/campaigns/check-replies{days}");
        w.web.post(&path, &json!({})).assert(200);
    }
    let lines = w.web.get("/api/agent/queries?campaign_lead_id=3").json();
    assert_eq!(
        lines
            .as_array()
            .unwrap()
            .iter()
            .filter(|l| l["sender"] == "customer")
            .count(),
        1
    );
    // What is counted below stands still.
    w.running
        .wait_for_rows("the third reply", |rows| settled(rows, 3));
    let nobody = w
        .web
        .with("")
        .post("/api/campaigns/check-replies", &json!({}));
    refused(&nobody, 401, "Authentication required", "");

    let followups = w.web.get("/api/campaigns/1/followups").assert(200).json();
    fields(
        &followups,
        &[
            "campaign_id",
            "campaign_name",
            "followups",
            "total_followups",
        ],
    );
    assert_eq!(followups["campaign_name"], "Spring");
    assert_eq!(followups["total_followups"], 3);
    let rows = followups["followups"].as_array().unwrap();
    for row in rows {
        fields(
            row,
            &[
                "campaign_lead_id",
                "lead_id",
                "lead_name",
                "lead_email",
                "reply_count",
                "last_reply_at",
                "sales_team_notified",
            ],
        );
        assert_eq!(row["reply_count"], 1);
    }
    let times: Vec<&str> = rows
        .iter()
        .map(|r| r["last_reply_at"].as_str().unwrap())
        .collect();
    assert!(
        times.windows(2).all(|w| w[0] >= w[1]),
        "most recent first: {times:?}"
    );
    for none in ["9", "0", "x"] {
        let answer = w.web.get(&format!("/api/campaigns/{none}/followups"));
        refused(&answer, 404, "Campaign not found", "");
    }

    let thread = w
        .web
        .get("/api/campaigns/1/followups/1/conversation")
        .assert(200)
        .json();
    fields(
        &thread,
        &[
            "campaign_lead_id",
            "lead",
            "campaign",
            "conversation_thread",
            "total_messages",
        ],
    );
    fields(&thread["lead"], &["lead_id", "name", "email", "phone"]);
    fields(&thread["campaign"], &["id", "name", "project_name"]);
    let lines = thread["conversation_thread"].as_array().unwrap();
    assert_eq!(thread["total_messages"], lines.len());
    for line in lines {
        fields(
            line,
            &[
                "id",
                "sender",
                "sender_display",
                "message",
                "agent_tool_used",
                "created_at",
                "sales_team_notified",
            ],
        );
    }
    let said: Vec<&str> = lines
        .iter()
        .map(|l| l["sender_display"].as_str().unwrap())
        .collect();
    let first_customer = said.iter().position(|s| *s == "Customer").unwrap();
    assert_eq!(said.last(), Some(&"AI Agent"), "{said:?}");
    assert!(first_customer < said.len() - 1, "oldest first: {said:?}");
    let told = lines.iter().any(|l| l["sales_team_notified"] == true);
    assert!(told, "sales were told of the wish: {thread}");
    for none in [
        "1/followups/99",
        "2/followups/1",
        "x/followups/y",
        "1/followups/0",
    ] {
        let answer = w.web.get(&format!("/api/campaigns/{none}/conversation"));
        refused(&answer, 404, "Campaign lead not found", "");
    }

    let list = w.web.get("/api/campaigns/list").assert(200).json();
    assert_eq!(list["total_campaigns"], 1);
    assert_eq!(list["campaigns"][0]["name"], "Spring");
    let one = w.web.get("/api/campaigns/1").assert(200).json();
    assert_eq!(one, list["campaigns"][0]);
    assert_eq!(
        (&one["total_leads"], &one["replies"]),
        (&json!(3), &json!(3))
    );
    refused(
        &w.web.get("/api/campaigns/7"),
        404,
        "Campaign not found",
        "",
    );

    let new = json!({
        "name": "Autumn", "project_name": "Hill Homes", "offer_details": "Two rooms",
        "subject": "Homes on the hill", "message": "Dear {{ name }},\nwould you like to see one?\n",
        "lead_ids": ["L-0", "L-1"],
    });
    let made = w.web.post("/api/campaigns/create", &new).assert(201).json();
    assert_eq!(
        (&made["name"], &made["total_leads"]),
        (&json!("Autumn"), &json!(2))
    );
    w.web.post("/api/campaigns/create", &new).assert(409);
    for (bad, status) in [
        (json!({"name": " "}), 400),
        (json!({"project_name": "x"}), 400),
        (json!({"name": "W", "channel": "whatsapp"}), 422),
        (
            json!({"name": "W", "subject": "s", "message": "{{ name"}),
            422,
        ),
        (json!({"name": "W", "lead_ids": ["nobody"]}), 400),
    ] {
        w.web.post("/api/campaigns/create", &bad).assert(status);
    }
    assert_eq!(
        w.web.get("/api/campaigns/list").json()["total_campaigns"],
        2,
        "all or nothing"
    );
    let id = made["id"].as_i64().unwrap();
    let sent = w.web.post(&format!("/api/campaigns/{id}/send"), &json!({}));
    let sent = sent.assert(200).json();
    fields(&sent, &["success", "sent", "failed", "errors", "message"]);
    assert_eq!(
        (&sent["success"], &sent["failed"]),
        (&json!(true), &json!(0)),
        "{sent}"
    );
    assert!(sent["sent"].as_u64().unwrap() >= 1, "{sent}");
    for path in ["generate-messages", "regenerate-and-send"] {
        let answer = w.web.post(&format!("/api/campaigns/1/{path}"), &json!({}));
        assert!(
            answer.assert(501).json()["message"]
                .as_str()
                .unwrap()
                .contains("template")
        );
    }
    w.web.post("/api/campaigns/1/send", &json!({})).assert(422);
}
