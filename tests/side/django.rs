//! The predecessor's rows come in under their ids, once, and its conversations go on.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use replyd::campaign::{DjangoReport, import_django};
use replyd::keys::Keys;
use replyd::store::Store;
use replyd::time::now;
use rusqlite::Connection;
use serde_json::Value;

use super::common::lead::LeadReply;
use super::common::scenario::{DESK, SALES, Scenario, Setting};
use super::{data, database, python};

/// The Message-ID of the first mail to Zoë, which Django wrote over with the second one's.
const OLD: &str = "0b7f3c2a-11de-4a5b-9c3d-bbbbbbbbbbbb@nurturingai.local";

struct Bench {
    dir: tempfile::TempDir,
    store: Store,
    sql: Connection,
    keys: Arc<Keys>,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (store, sql) = database(dir.path());
        let keys = Arc::new(Keys::load_or_create(dir.path(), None).unwrap());
        Self {
            dir,
            store,
            sql,
            keys,
        }
    }

    async fn import(&self, dump: &str) -> anyhow::Result<DjangoReport> {
        let file = self.dir.path().join("dump.json");
        std::fs::write(&file, dump).unwrap();
        import_django(&self.store, &self.keys, &file).await
    }

    fn list(&self, query: &str) -> Vec<String> {
        let mut statement = self.sql.prepare(query).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Every row that an import writes.
    fn all(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (table, columns) in [
            ("leads", "id || lead_id || name || email_key || updated_at"),
            (
                "campaigns",
                "id || name || is_active || coalesce(owner_id, '-') || updated_at",
            ),
            (
                "campaign_leads",
                "id || lead_id || email_message_id || coalesce(message_sent_at, '-')",
            ),
            (
                "conversations",
                "id || sender || message || auto_reply_processed",
            ),
            ("sent_messages", "id || kind || sent_at || known_at"),
            ("sent_ids", "id_key || sent_id"),
            ("sqlite_sequence", "name || seq"),
        ] {
            all.extend(self.list(&format!(
                "SELECT '{table} ' || {columns} FROM {table} ORDER BY 1"
            )));
        }
        all
    }
}

fn committed() -> String {
    std::fs::read_to_string(data("data/django/dump.json")).unwrap()
}

fn numbers(report: &DjangoReport, model: &str) -> [u64; 4] {
    let n = report.models[model];
    [n.new, n.updated, n.unchanged, n.failed]
}

#[tokio::test]
async fn a_dump_comes_in_with_its_ids_owners_threads_and_old_message_ids() {
    let b = Bench::new();
    let report = b.import(&committed()).await.unwrap();
    assert_eq!(report.errors, []);
    assert_eq!(numbers(&report, "lead"), [3, 0, 0, 0]);
    assert_eq!(numbers(&report, "campaign"), [3, 0, 0, 0]);
    assert_eq!(numbers(&report, "campaignlead"), [3, 0, 0, 0]);
    assert_eq!(numbers(&report, "conversation"), [6, 0, 0, 0]);
    assert_eq!(
        b.list(
            "SELECT id || '|' || lead_id || '|' || name || '|' || email || '|' || email_key || '|' || budget_min
                    || '|' || last_conversation_date || '|' || last_conversation_summary || '|' || created_at
             FROM leads WHERE id = 11"
        ),
        [
            "11|L-11|Zoë Lee|Zoe.Lee@example.net|zoe.lee@example.net|1300000.00|2024-04-30|\
             Wants a view.\nCall after 5, \"please\"|1714555815250"
        ]
    );
    assert_eq!(
        b.list("SELECT id || '|' || name || '|' || project_name || '|' || channel || '|' || is_active || '|' || coalesce(owner_id, '-') FROM campaigns ORDER BY id"),
        [
            "5|Spring|Lakeside|email|1|3",
            "6|Spring (6)|Hills|email|0|8",
            "9|By phone||whatsapp|1|-"
        ]
    );
    assert_eq!(
        b.list("SELECT id || '|' || sender || '|' || agent_tool_used || '|' || auto_reply_processed || '|' || sales_team_notified FROM conversations WHERE campaign_lead_id IN (21, 22) ORDER BY id"),
        [
            "101|agent|message_generation|0|0",
            "102|agent|message_generation|0|0",
            "103|customer||1|0",
            "104|agent|document_rag|0|0",
            "105|agent|message_generation|0|0",
            "110|customer||0|1"
        ]
    );
    // Every id is a key, the overwritten one too.
    assert_eq!(
        b.list("SELECT i.id_key || ' ' || s.campaign_lead_id || ' ' || s.kind FROM sent_ids i JOIN sent_messages s ON s.id = i.sent_id ORDER BY 1"),
        [
            "0b7f3c2a-11de-4a5b-9c3d-aaaaaaaaaaaa@nurturingai.local 21 campaign",
            "0b7f3c2a-11de-4a5b-9c3d-bbbbbbbbbbbb@nurturingai.local 21 campaign",
            "ai-1@nurturingai.local 21 answer",
            "omar-1@nurturingai.local 22 campaign",
        ]
    );
    assert_eq!(
        b.list("SELECT CAST(count(*) AS TEXT) FROM reply_jobs"),
        ["0"]
    );
    assert_eq!(b.list("SELECT CAST(count(*) AS TEXT) FROM outbox"), ["0"]);
    // Ids made here begin where Django's will not come soon.
    assert_eq!(
        b.list("SELECT CAST(seq AS TEXT) FROM sqlite_sequence WHERE name = 'conversations'"),
        ["1000110"]
    );
}

#[tokio::test]
async fn the_same_dump_again_changes_nothing_and_a_later_one_updates() {
    let b = Bench::new();
    b.import(&committed()).await.unwrap();
    let first = b.all();
    let again = b.import(&committed()).await.unwrap();
    assert_eq!(numbers(&again, "conversation"), [0, 0, 6, 0]);
    assert_eq!(numbers(&again, "lead"), [0, 0, 3, 0]);
    assert_eq!(b.all(), first);

    let mut later: Value = serde_json::from_str(&committed()).unwrap();
    for record in later.as_array_mut().unwrap() {
        let (model, pk) = (record["model"].to_string(), record["pk"].as_i64().unwrap());
        let fields = &mut record["fields"];
        match (model.trim_matches('"'), pk) {
            ("leads.lead", 12) => fields["email"] = "omar.new@example.org".into(),
            ("campaigns.campaign", 5) => fields["name"] = "Spring again".into(),
            ("campaigns.conversation", 110) => fields["auto_reply_processed"] = true.into(),
            ("campaigns.campaignlead", 22) => {
                fields["email_message_id"] = "omar-2@nurturingai.local".into();
                fields["message_sent_at"] = "2024-05-03T00:00:00Z".into();
            }
            _ => {}
        }
    }
    let report = b.import(&later.to_string()).await.unwrap();
    assert_eq!(report.errors, []);
    for model in ["lead", "campaign", "campaignlead", "conversation"] {
        assert_eq!(numbers(&report, model)[..2], [0, 1], "{model}");
    }
    assert_eq!(
        b.list("SELECT email_key FROM leads WHERE id = 12"),
        ["omar.new@example.org"]
    );
    assert_eq!(
        b.list("SELECT name FROM campaigns WHERE id = 5"),
        ["Spring again"]
    );
    assert_eq!(
        b.list("SELECT i.id_key FROM sent_ids i JOIN sent_messages s ON s.id = i.sent_id WHERE s.campaign_lead_id = 22 ORDER BY 1"),
        ["omar-1@nurturingai.local", "omar-2@nurturingai.local"]
    );
    assert_eq!(
        b.list("SELECT CAST(auto_reply_processed AS TEXT) FROM conversations WHERE id = 110"),
        ["1"]
    );
}

#[tokio::test]
async fn records_that_cannot_go_in_are_told_with_their_place_and_leave_nothing_behind() {
    let b = Bench::new();
    b.sql
        .execute_batch(
            "INSERT INTO leads (id, lead_id, created_at, updated_at) VALUES (2, 'own', 0, 0), (3, 'L-9', 0, 0);
             INSERT INTO campaigns (id, name, created_at, updated_at) VALUES (2, 'Own', 0, 0);",
        )
        .unwrap();
    let dump = r#"[
        {"model": "x.lead", "pk": 1, "fields": {"lead_id": "A", "name": "Ann", "email": "ann@a.example"}},
        {"model": "x.lead", "pk": 2, "fields": {"lead_id": "B", "email": "b@a.example"}},
        {"model": "x.lead", "pk": 9, "fields": {"lead_id": "L-9", "email": "c@a.example"}},
        {"model": "x.lead", "pk": 4, "fields": {"lead_id": "D", "email": "Bad\r\nBcc: secret@x.example"}},
        {"model": "x.campaign", "pk": 1, "fields": {"name": "C", "created_by": ["ann"]}},
        {"model": "x.campaign", "pk": 2, "fields": {"name": "C"}},
        {"model": "x.campaign", "pk": 3, "fields": {"name": "C"}},
        {"model": "x.campaignlead", "pk": 1, "fields": {"campaign": 3, "lead": 1}},
        {"model": "x.campaignlead", "pk": 2, "fields": {"campaign": 3, "lead": 2, "email_message_id": "a@b.example"}},
        {"model": "x.campaignlead", "pk": 3, "fields": {"campaign": 3, "lead": 4}},
        {"model": "x.conversation", "pk": 1, "fields": {"campaign_lead": 3, "sender": "agent", "message": "m"}},
        {"model": "x.conversation", "pk": 2, "fields": {"campaign_lead": 1, "sender": "robot", "message": "m"}},
        {"model": "x.conversation", "pk": 3, "fields": {"campaign_lead": 1, "sender": "agent", "message": "m", "email_message_id": "a@b.example"}},
        {"model": "x.other", "pk": 3, "fields": {}}
    ]"#;
    let report = b.import(dump).await.unwrap();
    let told: Vec<String> = report
        .errors
        .iter()
        .map(|e| format!("{} {}: {}", e.record, e.what, e.reason))
        .collect();
    let part = |n: usize, text: &str| assert!(told[n].contains(text), "{told:#?}");
    part(0, "2 x.lead 2: another lead has its id here");
    part(1, "3 x.lead 9: its lead_id is here with id 3");
    part(2, "4 x.lead 4: email holds a line break");
    part(3, "5 x.campaign 1: created_by is a natural key");
    part(4, "6 x.campaign 2: another campaign has its id here");
    part(5, "10 x.campaignlead 3: its lead 4 is not here");
    part(6, "11 x.conversation 1: its campaign_lead 3 is not here");
    part(7, "12 x.conversation 2: sender is neither");
    // The id belongs to another lead's mail: the line is not left behind without it.
    part(8, "13 x.conversation 3: ");
    assert_eq!((told.len(), report.others), (9, 1));
    assert!(!format!("{told:?}").contains("secret"));
    assert_eq!(
        b.list("SELECT lead_id FROM leads ORDER BY id"),
        ["A", "own", "L-9"]
    );
    assert_eq!(
        b.list("SELECT CAST(count(*) AS TEXT) FROM conversations"),
        ["0"]
    );
}

#[tokio::test]
async fn what_is_no_dump_is_refused_with_the_record() {
    let b = Bench::new();
    for (bad, part) in [
        ("{\"a\": 1}", "record 1: it is no record"),
        ("[1]", "record 1: it is no record"),
        ("id;name\n1;Ann", "record 1: it is no JSON"),
    ] {
        let e = format!("{:#}", b.import(bad).await.unwrap_err());
        assert!(e.contains(part), "{e}");
    }
}

/// Django's mail goes on here: a reply to the overwritten id is matched, and what Django had captured and
/// answered is neither shown twice nor answered again.
#[test]
fn replies_of_imported_conversations_are_matched_and_old_ones_are_not_answered_again() {
    let s = Scenario::new(Setting::default());
    let dump = data("data/django/dump.json");
    let said = s
        .replyd
        .ok(&["import", "django", dump.to_str().unwrap()])
        .output();
    assert!(
        said.contains("conversation: 6 new, 0 updated, 0 unchanged, 0 errors"),
        "{said}"
    );
    let reply = |id, text| LeadReply {
        from: "Zoe Lee <zoe.lee@example.net>",
        to: DESK,
        subject: "Lakeside",
        in_reply_to: OLD,
        references: &[],
        text,
        message_id: id,
    };
    let hour = Duration::from_secs(3600);
    s.host.dovecot.deliver_at(
        DESK,
        reply("zoe-1@example.net", "Is there a pool?").raw(),
        now().minus(hour * 3),
    );
    s.host.dovecot.deliver_at(
        DESK,
        reply("zoe-2@example.net", "And a gym?").raw(),
        now().minus(hour),
    );
    s.replyd.ok(&["run", "--once"]);
    let rows = s.replyd.rows();
    assert_eq!(
        rows.count("messages WHERE campaign_lead_id = 21 AND disposition = 'reply'"),
        2
    );
    assert_eq!(
        rows.count("conversations WHERE email_message_id = 'zoe-1@example.net'"),
        1
    );
    assert_eq!(
        rows.count(
            "conversations WHERE id = 103 AND message_ref IS NOT NULL AND auto_reply_processed = 1"
        ),
        1
    );
    assert_eq!(
        rows.count("conversations WHERE email_message_id = 'zoe-2@example.net' AND id > 1000000"),
        1
    );
    assert_eq!(
        rows.count("reply_jobs j JOIN messages m ON m.id = j.message_id WHERE m.message_key = 'zoe-1@example.net'"),
        0
    );
    // Nothing leaves to the lead for old mail; sales may get their digest.
    assert_eq!(
        rows.count(&format!("outbox WHERE envelope_to <> '{SALES}'")),
        0
    );
}

/// What Django of today writes is what the committed dump says.
#[test]
fn django_itself_writes_the_dump_that_is_read() {
    let python = python();
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let out = Command::new(&python)
            .args(args)
            .current_dir(data("django"))
            .env("SHOP_DB", dir.path().join("shop.sqlite3"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8(out.stdout).unwrap()
    };
    run(&["fill.py"]);
    let written = run(&["manage.py", "dumpdata", "leads", "campaigns"]);
    let strip = |text: &str| {
        let mut dump: Value = serde_json::from_str(text).unwrap();
        for record in dump.as_array_mut().unwrap() {
            record["fields"]
                .as_object_mut()
                .unwrap()
                .remove("updated_at");
        }
        dump
    };
    assert_eq!(strip(&written), strip(&committed()));
    // One record a line, as the other format of Django has it.
    let lines = run(&[
        "manage.py",
        "dumpdata",
        "leads",
        "campaigns",
        "--format",
        "jsonl",
    ]);
    let b = Bench::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let report = runtime.block_on(b.import(&lines)).unwrap();
    assert_eq!(report.errors, []);
    assert_eq!(numbers(&report, "conversation"), [6, 0, 0, 0]);
    assert_eq!(report.others, 0);
}
