//! `doctor`, `status` and `classify --endpoint`.

use std::process::Command;

use serde_json::Value;

use super::common::desk::Desk;
use super::replies::add_settings;
use super::server::{Act, Request, Server, label};

fn desk(server: &Server, more: &str) -> Desk {
    let desk = Desk::known(1);
    add_settings(&desk.replyd, &server.table(more));
    desk
}

/// The check of `doctor --json`.
fn examined(desk: &Desk) -> Value {
    let told = desk.replyd.run(&["doctor", "--json"]).stdout();
    let report: Value = serde_json::from_str(&told).expect("JSON");
    let groups = report["groups"].as_array().cloned().unwrap_or_default();
    groups
        .iter()
        .flat_map(|g| g["checks"].as_array().cloned().unwrap_or_default())
        .find(|c| c["check"] == "model_endpoint")
        .unwrap_or_else(|| panic!("{told}"))
}

#[test]
fn doctor_tells_the_dialect_and_sends_nobodys_mail() {
    let server = Server::new(|_, request| match request.format() {
        "json_schema" => Act::Status(400, String::new(), "{}".into()),
        _ => label("question", 0.9),
    });
    let check = examined(&desk(&server, ""));
    assert_eq!(check["verdict"], "ok", "{check}");
    assert_eq!(check["details"]["dialect"], "json_object");
    assert_eq!(check["details"]["model"], "tiny-1.0");
    let replies: Vec<Value> = server.asked().iter().map(Request::data).collect();
    assert!(replies.iter().all(|d| d["reply"] == replies[0]["reply"]));
}

#[test]
fn doctor_warns_of_a_refused_key_with_what_to_do_and_without_the_key() {
    let server = Server::new(|_, request| {
        let key = request.authorization.clone().unwrap_or_default();
        let error = format!(r#"{{"error":{{"message":"Incorrect key {key}"}}}}"#);
        Act::Status(401, String::new(), error)
    });
    let check = examined(&desk(&server, "api_key = \"sk-secret-17\""));
    assert_eq!(check["verdict"], "warning", "{check}");
    let text = check.to_string();
    assert!(
        text.contains("status 401") && text.contains("api_key_file"),
        "{text}"
    );
    assert!(!text.contains("sk-secret-17"), "{text}");
}

#[test]
fn doctor_and_status_are_silent_where_there_is_no_endpoint() {
    let desk = Desk::known(1);
    let told = desk.replyd.run(&["doctor", "--json"]).stdout();
    assert!(!told.contains("model_endpoint"), "{told}");
    let status = desk.replyd.run(&["status"]).stdout();
    assert!(!status.contains("endpoint:"), "{status}");
}

#[test]
fn classify_prints_both_verdicts_and_what_they_come_to() {
    let server = Server::new(|_, request| {
        let reply = request.data()["reply"].to_string();
        if reply.contains("viewing") || reply.contains("Thank") {
            label("goal_reached", 1.0)
        } else {
            Act::Say("nonsense".into())
        }
    });
    let desk = desk(&server, "");
    let file = desk.replyd.file(
        "texts.tsv",
        "text\nYes, please book a viewing for me.\nThank you for the information.\n\
         Please unsubscribe me.\nWhat does it cost?\n",
    );
    let told = desk.replyd.ok(&["classify", &file, "--endpoint"]).stdout();
    let lines: Vec<Value> = told
        .lines()
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 4, "{told}");
    let gates: Vec<&Value> = lines.iter().map(|l| &l["gate"]).collect();
    assert_eq!(
        gates,
        ["acknowledge", "person", "suppress", "answer"],
        "{told}"
    );
    assert_eq!(lines[0]["endpoint"]["model"], "tiny-1.0");
    assert_eq!(lines[1]["own"], "neutral");
    assert!(lines[1]["disagreement"].is_string(), "{told}");
    assert!(lines[2]["endpoint"]["not_asked"].is_string(), "{told}");
    assert!(lines[3]["endpoint"]["error"].is_string(), "{told}");
    assert_eq!(lines[3]["own"], lines[3]["intent"]);
    // Without the flag nothing is asked, and no settings are read.
    let before = server.asked().len();
    let plain = Command::new(env!("CARGO_BIN_EXE_replyd"))
        .args(["classify", &file])
        .current_dir(desk.replyd.dir())
        .output()
        .expect("Run");
    assert!(plain.status.success());
    assert_eq!(server.asked().len(), before);
}
