//! schema.sql and the database that it makes: the same, strict, in the words of the model, and
//! with an index for every question that is asked often.

#![expect(clippy::unwrap_used, reason = "a failing set-up fails the test")]

mod source;

use std::collections::{BTreeMap, BTreeSet};

use replyd::model::{
    AccountState, AlertEvent, AlertTopic, AlertWay, CampaignMode, CaptureSource, ChunkKind,
    Disposition, DraftState, EventKind, Filed, FilesSent, FolderRole, IdSource, MailKind,
    OAuthState, OutboxState, Pipelining, Scope, SenderAuth, SentKind,
};
use replyd::store::Store;
use rusqlite::Connection;

const SCHEMA: &str = include_str!("../schema.sql");

/// Tables with a handful of rows, which a statement may read whole.
const SMALL: &[&str] = &[
    "accounts",
    "mailboxes",
    "mailbox_epochs",
    "account_folders",
    "campaigns",
    "campaign_mailings",
    "campaign_documents",
    "automation_off",
    "meta",
    "oauth_tokens",
    "api_tokens",
];

/// Statements that read a whole table or index on purpose, by a part of their text, and why.
const SCANS: &[(&str, &str)] = &[
    (
        "(SELECT count(*) FROM leads)",
        "counts for people, asked by hand",
    ),
    ("FROM sqlite_schema", "the schema itself, once at the start"),
    (
        "SELECT campaign_id, count(*) FROM inbox WHERE replies > 0",
        "counted over a partial index, once for all campaigns",
    ),
    (
        "WHERE m.message_key = ?1 AND m.duplicate_of IS NULL",
        "the way of one message, asked by hand, over all accounts",
    ),
    (
        "ORDER BY state = 'done', CASE WHEN state = 'done'",
        "process --limit, by hand",
    ),
    (
        "FROM suppressions ORDER BY created_at DESC",
        "suppress list, by hand: the newest by their index",
    ),
    (
        "FROM corrections k JOIN messages m ON m.id = k.message_id",
        "corrections list and export, by hand",
    ),
    ("UPDATE sqlite_sequence", "a row a table"),
    ("SELECT keys FROM backup_keys", "one row"),
    (
        "FROM outbox WHERE campaign_lead_id IN (SELECT value FROM json_each(?1)) UNION",
        "all of one lead that is to be erased, by hand",
    ),
    (
        "WHERE outbox_id IN (SELECT value FROM json_each(?1))",
        "the same",
    ),
    (
        "DELETE FROM messages WHERE id = ?1 AND disposition IN ('vanished', 'quarantined')",
        "the few that could not be had, once each; the foreign keys are looked at",
    ),
    (
        "UPDATE outbox SET state = 'unknown', held = 0, handed_over_at = coalesce(",
        "a restore, by hand",
    ),
    (
        "d.subject, d.body, m.visible_text, m.from_spam, d.state",
        "a piece: its users add WHERE d.id or WHERE d.state",
    ),
    (
        "SELECT o.id, o.kind, o.state, o.held, o.automatic, o.campaign_lead_id, a.name",
        "a piece: its users add WHERE o.id",
    ),
    (
        "SELECT l.id, l.lead_id, l.name, l.email, l.country_code, l.phone, l.project_name",
        "a piece: its users add WHERE l.id",
    ),
    (
        "INSERT INTO messages (",
        "beside a trigger SQLite foresees a look at the tables that refer to messages; it is made only while a \
         reference is broken (FkIfZero)",
    ),
    (
        "SELECT i.campaign_lead_id, i.campaign_id, c.name, c.project_name",
        "a piece: its users add WHERE; a unit test looks at their plans",
    ),
];

fn database() -> (tempfile::TempDir, Connection) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replyd.db");
    drop(Store::open_blocking(&path).unwrap());
    let conn = Connection::open(&path).unwrap();
    (dir, conn)
}

fn column(conn: &Connection, query: &str) -> Vec<String> {
    let mut statement = conn.prepare(query).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// A statement without comments, with single blanks.
fn plain(sql: &str) -> String {
    let code: Vec<&str> = sql
        .lines()
        .map(|line| line.split_once("--").map_or(line, |(code, _)| code))
        .collect();
    code.join(" ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn the_live_database_is_what_schema_sql_says() {
    let (_dir, conn) = database();
    let live: BTreeSet<String> = column(
        &conn,
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'
         AND NOT (type = 'table' AND name GLOB '*_fts_*')",
    )
    .iter()
    .map(|sql| plain(sql))
    .collect();
    let mut written = BTreeSet::new();
    let mut statement = String::new();
    for part in plain(SCHEMA).split_inclusive(';') {
        statement.push_str(part);
        // A trigger holds statements of its own, and ends with its END.
        let whole = statement.trim().trim_end_matches(';');
        if !whole.starts_with("CREATE TRIGGER") || whole.ends_with(" END") {
            if whole.starts_with("CREATE ") {
                written.insert(whole.to_owned());
            }
            statement.clear();
        }
    }
    assert_eq!(live, written);
}

#[test]
fn every_table_is_strict_and_every_reference_leads_to_one() {
    let (_dir, conn) = database();
    let lax = column(
        &conn,
        "SELECT name FROM pragma_table_list
         WHERE type = 'table' AND schema = 'main' AND strict = 0 AND name NOT LIKE 'sqlite_%'",
    );
    assert_eq!(lax, [""; 0]);
    let astray = column(
        &conn,
        "SELECT t.name || '.' || f.\"from\" FROM pragma_table_list t, pragma_foreign_key_list(t.name) f
         WHERE f.\"table\" NOT IN (SELECT name FROM pragma_table_list)",
    );
    assert_eq!(astray, [""; 0]);
}

#[test]
fn the_database_is_wal_with_large_pages_and_can_be_vacuumed_bit_by_bit() {
    let (_dir, conn) = database();
    for (pragma, want) in [
        ("journal_mode", "wal"),
        ("page_size", "4096"),
        ("auto_vacuum", "2"),
    ] {
        let query = format!("SELECT CAST({pragma} AS TEXT) FROM pragma_{pragma}");
        assert_eq!(column(&conn, &query), [want], "{pragma}");
    }
}

#[test]
fn the_checks_of_the_schema_list_the_words_of_the_model() {
    fn words<T: ToString>(all: &[T]) -> BTreeSet<String> {
        all.iter().map(ToString::to_string).collect()
    }
    let want = [
        ("campaigns", "mode", words(CampaignMode::ALL)),
        ("sent_messages", "kind", words(SentKind::ALL)),
        ("sent_ids", "source", words(IdSource::ALL)),
        ("accounts", "state", words(AccountState::ALL)),
        ("accounts", "pipelines", words(Pipelining::ALL)),
        ("messages", "source", words(CaptureSource::ALL)),
        ("messages", "disposition", words(Disposition::ALL)),
        ("outbox", "kind", words(MailKind::ALL)),
        ("outbox", "state", words(OutboxState::ALL)),
        ("outbox", "filed", words(Filed::ALL)),
        ("mailboxes", "role", words(FolderRole::ALL)),
        ("messages", "sender_auth", words(SenderAuth::ALL)),
        ("account_folders", "files_sent", words(FilesSent::ALL)),
        ("oauth_tokens", "state", words(OAuthState::ALL)),
        ("alerts", "topic", words(AlertTopic::ALL)),
        ("alert_notes", "event", words(AlertEvent::ALL)),
        ("alert_notes", "way", words(AlertWay::ALL)),
        ("doc_chunks", "kind", words(ChunkKind::ALL)),
        ("drafts", "state", words(DraftState::ALL)),
        ("api_tokens", "scope", words(Scope::ALL)),
        ("events", "kind", words(EventKind::ALL)),
    ];
    let (_dir, conn) = database();
    for (table, name, model) in want {
        let sql = &column(
            &conn,
            &format!("SELECT sql FROM sqlite_schema WHERE name = '{table}'"),
        )[0];
        let list = sql
            .split_once(&format!("CHECK ({name} IN ("))
            .and_then(|(_, rest)| rest.split_once(')'))
            .unwrap()
            .0;
        let schema: BTreeSet<String> = list
            .split(',')
            .map(|w| w.trim().trim_matches('\'').to_owned())
            .collect();
        assert_eq!(schema, model, "{table}.{name}");
    }
}

/// The statements that stand whole in the store's sources, by file.
fn statements() -> BTreeMap<String, Vec<String>> {
    let verbs = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];
    let mut found = BTreeMap::new();
    for source in source::read_all("src/store") {
        if source.is_test() {
            continue;
        }
        let sql: Vec<String> = source
            .strings
            .iter()
            .map(|s| s.trim().to_owned())
            .filter(|s| verbs.iter().any(|v| s.starts_with(v)) && !s.contains(['{', ';']))
            .collect();
        found.insert(source.path, sql);
    }
    found
}

/// What SQLite would do for a statement.
fn plan(conn: &Connection, sql: &str) -> Result<Vec<String>, rusqlite::Error> {
    let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    // A parameter without a value is NULL, which a plan does not depend on.
    let rows = statement.raw_query().mapped(|row| row.get(3));
    rows.collect()
}

#[test]
fn every_statement_of_the_store_fits_the_schema_and_reads_no_long_table_whole() {
    let (_dir, conn) = database();
    // What a backup has besides.
    conn.execute_batch("CREATE TABLE backup_keys (keys BLOB NOT NULL) STRICT")
        .unwrap();
    let mut found = Vec::new();
    let mut seen = 0;
    for (path, list) in statements() {
        for sql in list {
            seen += 1;
            let short: String = plain(&sql).chars().take(160).collect();
            let steps = match plan(&conn, &sql) {
                Ok(steps) => steps,
                Err(e) => {
                    found.push(format!("{path}: {e}: {short}"));
                    continue;
                }
            };
            if SCANS.iter().any(|(part, _)| plain(&sql).contains(part)) {
                continue;
            }
            for step in steps {
                if scans_long_table(&sql, &step) {
                    found.push(format!("{path}: {step}: {short}"));
                }
            }
        }
    }
    assert!(seen > 20, "the statements were not found");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Beginnings of indexes under which half a table may stand: an account, a mailbox, a word of a few.
const WIDE: &[&str] = &[
    "USING INDEX messages_by_disposition (",
    "USING INDEX messages_by_identity (account_id=?)",
    "USING INDEX messages_by_key (account_id=?)",
    "USING INDEX sqlite_autoindex_messages_1 (mailbox_id=?)",
    "USING INDEX sqlite_autoindex_messages_1 (mailbox_id=? AND uid_validity=?)",
    "USING INDEX conversations_pending (",
    "USING INDEX outbox_by_account (account_id=?)",
    "USING INDEX outbox_handed_over (account_id=?)",
    "USING INDEX inbox_of_campaign (campaign_id=?)",
];

/// Statements that go through one of them on purpose, by a part of their text, and why.
const WIDE_ON_PURPOSE: &[(&str, &str)] = &[
    ("m.disposition = 'quarantined'", "few are set aside"),
    (
        "disposition = 'unmatched' AND id < ?2",
        "a page, in the order of the index",
    ),
    (
        "v.sender = 'customer' AND v.auto_reply_processed = 0",
        "what waits is few",
    ),
    (
        "SELECT max(internal_date) FROM (SELECT internal_date",
        "after a new UIDVALIDITY, once",
    ),
];

#[test]
fn no_statement_searches_where_half_a_table_stands() {
    let (_dir, conn) = database();
    let mut found = Vec::new();
    for (path, list) in statements() {
        for sql in list {
            let text = plain(&sql);
            if WIDE_ON_PURPOSE.iter().any(|(part, _)| text.contains(part)) {
                continue;
            }
            let steps = plan(&conn, &sql).unwrap_or_default();
            for step in steps {
                if WIDE.iter().any(|wide| step.contains(wide)) {
                    let short: String = text.chars().take(1600).collect();
                    found.push(format!("{path}: {step}: {short}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Whether a step of a plan reads all of a table that grows. A partial index holds only what
/// is due or open: reading it whole is the point of it. Counting goes over a covering index,
/// which is small beside its table.
fn scans_long_table(sql: &str, step: &str) -> bool {
    let Some(rest) = step.strip_prefix("SCAN ") else {
        return false;
    };
    let alias = rest.split(' ').next().unwrap_or_default();
    let table = table_of(sql, alias);
    let partial = [
        "reply_jobs_failed",
        "outbox_open",
        "reply_jobs_due",
        "outbox_due",
        "outbox_campaign_due",
        "outbox_held",
        "outbox_sending",
        "drafts_one_open",
        "digest_items_open",
        "messages_raw_expiry",
        "alerts_one_open",
        "alert_notes_due",
        "inbox_person",
        "inbox_drafts",
    ];
    !(rest.starts_with("CONSTANT ROW")
        || SMALL.contains(&table.as_str())
        || rest.contains("json_each")
        // FTS5: the index of a MATCH or of a rowid, not the table.
        || (rest.contains("VIRTUAL TABLE INDEX ") && rest.contains(":M"))
        // What is read inside it has a step of its own.
        || rest.starts_with("(subquery")
        || rest.contains("VIRTUAL TABLE INDEX 0:=")
        || (rest.contains("USING COVERING INDEX") && sql.contains("count("))
        || partial.iter().any(|index| rest.contains(index)))
}

/// The table that `alias` stands for in `FROM table alias` or `JOIN table AS alias`.
fn table_of(sql: &str, alias: &str) -> String {
    let words: Vec<&str> = sql
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|w| !w.is_empty())
        .collect();
    for w in words.windows(4) {
        let from = ["FROM", "JOIN", "UPDATE", "INTO"].contains(&w[0]);
        if from && (w[2] == alias || (w[2] == "AS" && w[3] == alias)) {
            return w[1].to_owned();
        }
    }
    alias.to_owned()
}

/// The plan of the one statement of the store that contains `part` must contain `step`.
fn uses(conn: &Connection, part: &str, step: &str) {
    let all = statements();
    let hits: Vec<&String> = all
        .values()
        .flatten()
        .filter(|sql| plain(sql).contains(part))
        .collect();
    assert!(!hits.is_empty(), "no statement with: {part}");
    for sql in hits {
        let steps = plan(conn, sql).unwrap();
        assert!(
            steps.iter().any(|s| s.contains(step)),
            "{part}: wanted {step}, got {steps:?}"
        );
    }
}

#[test]
fn the_hot_questions_are_answered_by_an_index() {
    let (_dir, conn) = database();
    uses(
        &conn,
        "WHERE i.id_key = ?1",
        "SEARCH i USING PRIMARY KEY (id_key=?)",
    );
    uses(
        &conn,
        "WHERE r.ref_hash = ?1",
        "SEARCH r USING PRIMARY KEY (ref_hash=?)",
    );
    uses(
        &conn,
        "WHERE m.sender_hash = ?1",
        "USING INDEX messages_by_sender",
    );
    uses(
        &conn,
        "FROM leads WHERE email_key = ?1",
        "INDEX leads_by_email (email_key=?)",
    );
    uses(
        &conn,
        "SELECT min(next_attempt_at) FROM reply_jobs",
        "INDEX reply_jobs_due",
    );
    uses(
        &conn,
        "FROM reply_jobs WHERE state = 'pending' AND (next_attempt_at <= ?1",
        "INDEX reply_jobs_due",
    );
    uses(
        &conn,
        "AND o.next_attempt_at <= ?1",
        "SEARCH o USING INDEX outbox_due (next_attempt_at<?)",
    );
    uses(
        &conn,
        "FROM outbox o LEFT JOIN meta m ON m.key = 'smtp:'",
        "INDEX outbox_due",
    );
    uses(
        &conn,
        "m.disposition IN ('internal', 'own_mail')",
        "INDEX messages_by_campaign_lead (campaign_lead_id=?",
    );
    uses(
        &conn,
        "WHERE rfc_message_id = ?1",
        "INDEX sqlite_autoindex_outbox_",
    );
}
