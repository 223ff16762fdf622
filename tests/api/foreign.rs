//! A second user can neither read nor change anything of the first: every route of the sources is
//! asked with their token, with the numbers of the first one's rows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::Value as Cell;
use serde_json::json;

use crate::client::{run, token};
use crate::common::desk::{Desk, settled};

/// What belongs to people; the rest is the program's own.
const TABLES: &[&str] = &[
    "campaigns",
    "campaign_leads",
    "leads",
    "conversations",
    "drafts",
    "outbox",
    "messages",
    "reply_jobs",
    "suppressions",
    "corrections",
    "automation_off",
    "sent_messages",
    "sent_ids",
    "campaign_mailings",
    "lead_addresses",
    "digest_items",
];

/// Every path that the sources of the web server register.
fn routes() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let quoted = text.split('"').skip(1).step_by(2);
                let is_path = |q: &&str| {
                    q.starts_with('/')
                        && q.len() > 1
                        && q.bytes()
                            .all(|b| b.is_ascii_alphanumeric() || b"/{}_-.*".contains(&b))
                };
                found.extend(quoted.filter(is_path).map(str::to_owned));
            }
        }
    }
    found
}

/// A path with its parameters filled by `n`.
fn filled(path: &str, n: i64) -> String {
    let mut out = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        out.push_str(&n.to_string());
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    out + rest
}

fn dump(path: &Path) -> BTreeMap<&'static str, Vec<String>> {
    let conn = Connection::open(path).unwrap();
    let rows = |table: &str| {
        let mut statement = conn
            .prepare(&format!("SELECT * FROM {table} ORDER BY 1"))
            .unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let cells: Result<Vec<Cell>, _> = (0..columns).map(|i| row.get(i)).collect();
            cells.map(|cells| format!("{cells:?}"))
        });
        rows.unwrap().map(Result::unwrap).collect()
    };
    TABLES.iter().map(|table| (*table, rows(table))).collect()
}

#[test]
fn a_second_user_can_neither_read_nor_change_anything_of_the_first() {
    let desk = Desk::known(2);
    let others = desk.replyd.file(
        "others.csv",
        "lead_id,name,email\nO-1,Other Person,other@people.example\n",
    );
    desk.replyd
        .ok(&["leads", "import", &others, "--campaign", "Other"]);
    let limited = [
        "--name",
        "second",
        "--scope",
        "admin",
        "--campaign",
        "Other",
    ];
    let second = token(&desk.replyd, &limited);
    let (mut running, web) = run(&desk.replyd, &[]);
    desk.listen(&mut running);
    desk.deliver_all(0..2);
    running.wait_for_rows("the replies", |rows| settled(rows, 2));
    let web = web.with(&second);
    let before = dump(&desk.replyd.database());
    // Of the first: names, addresses, campaign, texts.
    let marks = [
        "Ann Lee",
        "lead0@",
        "lead1@",
        "Spring",
        "book a viewing",
        "service charges",
    ];
    let body = json!({
        "campaign_lead_id": 1, "query": "Is it free?", "text": "Is it free?", "body": "Is it free?",
        "subject": "x", "name": "Spring", "lead_id": "L-0", "lead_ids": ["L-0"], "label": "question",
        "intent": "question", "until": "2030-01-01T00:00:00Z", "version": 1, "reason": "x",
        "message_id": "<x@y.example>", "date": "2026-01-01T00:00:00Z", "campaign": "Spring",
        "campaign_id": 1, "address": "lead0@people.example", "email": "lead0@people.example",
        "mode": "off", "off": true, "on": false, "to": "lead", "anyway": true,
    });
    let paths = routes();
    assert!(paths.len() >= 12, "the routes were not found: {paths:?}");
    let mut asked = 0;
    for path in &paths {
        // The sign-out is one's own; events do not end.
        if path == "/sign-out" || path.ends_with("/events") {
            continue;
        }
        for n in 1..=4 {
            if n > 1 && !path.contains('{') {
                continue;
            }
            let at = filled(path, n);
            let queries = ["", "?campaign_lead_id=1", "?q=Ann&campaign_id=1&limit=200"];
            let mut answers = Vec::new();
            for query in queries {
                answers.push(web.get(&format!("{at}{query}")));
            }
            for method in ["POST", "PUT", "PATCH", "DELETE"] {
                let json = [("content-type", "application/json")];
                answers.push(web.ask(method, &at, &json, &body.to_string()));
            }
            let form = "csrf=x&text=Is+it+free&version=1&campaign_lead_id=1&label=question";
            answers.push(web.form(&at, &[], form));
            for answer in answers {
                asked += 1;
                assert!(
                    answer.status < 500 || answer.status == 501,
                    "{at}: {answer:?}"
                );
                let told = marks.iter().find(|mark| answer.body.contains(**mark));
                assert_eq!(told, None, "{at}: {answer:?}");
            }
        }
    }
    let after = dump(&desk.replyd.database());
    for (table, rows) in &before {
        let rows_after = after.get(table).unwrap();
        for row in rows {
            assert!(rows_after.contains(row), "{table} was changed: {row}");
        }
        let news = rows_after.iter().filter(|row| !rows.contains(row));
        let foreign: Vec<&String> = news
            .filter(|r| marks.iter().any(|m| r.contains(m)))
            .collect();
        assert_eq!(foreign, Vec::<&String>::new(), "{table}");
    }
    println!("{} routes, {asked} requests", paths.len());
    // The same routes show the first one's rows to who may see them.
    let all = token(&desk.replyd, &["--name", "first"]);
    let seen = web.with(&all).get("/api/agent/queries");
    assert!(seen.assert(200).body.contains("Ann Lee"), "{seen:?}");
}
