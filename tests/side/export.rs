//! `export`: what table programs and others get, and how it gets into a file.

use std::os::unix::fs::PermissionsExt as _;

use super::common::scenario::{Scenario, Setting};
use super::data;

#[test]
fn conversations_and_leads_leave_whole_with_formulas_neutralised() {
    let s = Scenario::new(Setting::default());
    let dump = data("data/django/dump.json");
    s.replyd.ok(&["import", "django", dump.to_str().unwrap()]);
    let evil = "=cmd|'/c calc'!A1, \"quoted\"\nsecond line";
    let sql = rusqlite::Connection::open(s.replyd.database()).unwrap();
    sql.execute(
        "UPDATE conversations SET message = ?1 WHERE id = 103",
        [evil],
    )
    .unwrap();
    sql.execute("UPDATE leads SET name = '@Zoë' WHERE id = 11", [])
        .unwrap();

    let csv = s
        .replyd
        .ok(&["export", "conversations", "--campaign", "Spring"])
        .stdout();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let head = reader.headers().unwrap().clone();
    let column = |name: &str| head.iter().position(|h| h == name).unwrap();
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), 6);
    let row = records.iter().find(|r| &r[column("id")] == "103").unwrap();
    assert_eq!(&row[column("message")], format!("'{evil}"));
    assert_eq!(&row[column("lead_name")], "'@Zoë");
    assert_eq!(&row[column("campaign_lead_id")], "21");
    assert_eq!(&row[column("sender")], "customer");
    assert_eq!(&row[column("auto_reply_processed")], "true");
    assert_eq!(&row[column("created_at")], "2024-05-01T15:30:15.250Z");

    let lines = s
        .replyd
        .ok(&[
            "export",
            "conversations",
            "--format",
            "jsonl",
            "--since",
            "2024-05-01T15:00:00Z",
        ])
        .stdout();
    let objects: Vec<serde_json::Value> = lines
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(objects.len(), 3);
    assert_eq!(objects[0]["message"], evil);
    assert_eq!(objects[0]["intent"], serde_json::Value::Null);

    let file = s.replyd.dir().join("leads.csv");
    let said = s
        .replyd
        .ok(&["export", "leads", "--file", file.to_str().unwrap()])
        .output();
    assert!(said.contains("3 rows in"), "{said}");
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(
        written.contains("Zoe.Lee@example.net") && written.contains("'+971"),
        "{written}"
    );
    // Nothing half is left where it cannot be written.
    let nowhere = s.replyd.dir().join("no/such/leads.csv");
    s.replyd
        .run(&["export", "leads", "--file", nowhere.to_str().unwrap()])
        .assert_code(1);
    let left = std::fs::read_dir(s.replyd.dir()).unwrap();
    assert!(
        left.flatten()
            .all(|e| !e.file_name().to_str().unwrap().contains(".half"))
    );
    let sent = s
        .replyd
        .ok(&["export", "sent", "--format", "jsonl"])
        .stdout();
    assert_eq!(sent.lines().count(), 4);
    s.replyd
        .run(&["export", "leads", "--campaign", "None"])
        .assert_code(1);
}
