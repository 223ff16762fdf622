//! An older database is brought to today's schema (docs/ARCHITECTURE.md "The store"): the steps
//! make what schema.sql says, no row is lost, and a process that dies in between changes nothing.
//!
//! Whoever changes schema.sql meets `the_steps_make_what_schema_sql_makes` and adds the change to
//! the step of the next version.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failing set-up fails the test; counts are printed"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, Instant};

use common::desk::{Count, Desk, count, settled, stop};
use replyd::store::{Store, StoreError};
use rusqlite::Connection;
use rusqlite::types::Value;

/// What users of version 1 have.
const SCHEMA_1: &str = include_str!("data/schema-1.sql");
const ROWS_1: &str = include_str!("data/schema-1-rows.sql");

/// A database as replyd of version 1 made it.
fn version_1(path: &Path) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(
        "PRAGMA page_size = 16384; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;
         PRAGMA foreign_keys = ON;",
    )
    .unwrap();
    conn.execute_batch(SCHEMA_1).unwrap();
    conn.pragma_update(None, "user_version", 1).unwrap();
    conn
}

fn texts(conn: &Connection, sql: &str) -> Vec<String> {
    let mut statement = conn.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

fn number(conn: &Connection, sql: &str) -> i64 {
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn tables(conn: &Connection) -> Vec<String> {
    texts(
        conn,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )
}

/// All that `sqlite_schema` says, in a form in which the order of columns, quotes and comments do
/// not count: by kind and name the parts of the statement.
fn schema(conn: &Connection) -> BTreeMap<String, BTreeSet<String>> {
    let mut statement = conn
        .prepare(
            "SELECT type || ' ' || name, sql FROM sqlite_schema
             WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'",
        )
        .unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))
        .unwrap();
    rows.map(Result::unwrap)
        .map(|(name, sql)| (name, parts(&sql)))
        .collect()
}

/// `CREATE TABLE t (a, b) STRICT` as its head, its columns and constraints, and its tail.
fn parts(sql: &str) -> BTreeSet<String> {
    let code: Vec<&str> = sql
        .lines()
        .map(|line| line.split_once("--").map_or(line, |(code, _)| code))
        .collect();
    let code = code.join(" ").replace('"', "");
    let (mut found, mut part, mut depth) = (BTreeSet::new(), String::new(), 0);
    let is_table = code.trim_start().starts_with("CREATE TABLE");
    for c in code.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        let ends = is_table && ((depth == 1 && matches!(c, '(' | ',')) || (depth == 0 && c == ')'));
        if ends {
            found.insert(part.split_whitespace().collect::<Vec<_>>().join(" "));
            part.clear();
        } else {
            part.push(c);
        }
    }
    found.insert(part.split_whitespace().collect::<Vec<_>>().join(" "));
    found
}

/// Every row of a table in the columns named.
fn rows(conn: &Connection, table: &str, columns: &[String]) -> Vec<Vec<Value>> {
    let columns = columns.join(", ");
    let mut statement = conn
        .prepare(&format!("SELECT {columns} FROM {table} ORDER BY 1, 2"))
        .unwrap();
    let n = statement.column_count();
    let rows = statement
        .query_map([], |row| (0..n).map(|i| row.get(i)).collect())
        .unwrap();
    rows.map(Result::unwrap).collect()
}

fn columns(conn: &Connection, table: &str) -> Vec<String> {
    texts(
        conn,
        &format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid"),
    )
}

#[test]
fn the_steps_make_what_schema_sql_makes() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("old.db"), dir.path().join("new.db"));
    drop(version_1(&old));
    for path in [&old, &new] {
        drop(Store::open_blocking(path).unwrap());
    }
    let (old, new) = (
        Connection::open(old).unwrap(),
        Connection::open(new).unwrap(),
    );
    let (steps, fresh) = (schema(&old), schema(&new));
    assert_eq!(
        steps.keys().collect::<Vec<_>>(),
        fresh.keys().collect::<Vec<_>>(),
        "tables, indexes and triggers: add what schema.sql has to the step"
    );
    for (name, fresh) in &fresh {
        assert_eq!(&steps[name], fresh, "{name}: add the change to the step");
    }
    // The same as SQLite understands it.
    for table in tables(&new) {
        let facts = |conn: &Connection| -> BTreeSet<String> {
            let sql = format!(
                "SELECT name || ' ' || type || ' ' || \"notnull\" || ' ' || coalesce(dflt_value, '') || ' ' || pk
                 FROM pragma_table_info('{table}')"
            );
            texts(conn, &sql).into_iter().collect()
        };
        assert_eq!(facts(&old), facts(&new), "{table}");
    }
    let versions = [&old, &new].map(|c| number(c, "PRAGMA user_version"));
    assert_eq!(versions[0], versions[1]);
}

#[test]
fn every_row_is_there_afterwards_and_derived_columns_are_filled() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replyd.db");
    let conn = version_1(&path);
    conn.execute_batch(ROWS_1).unwrap();
    let before: Vec<_> = tables(&conn)
        .into_iter()
        .map(|table| {
            let columns = columns(&conn, &table);
            let rows = rows(&conn, &table, &columns);
            assert!(!rows.is_empty(), "no row of {table} in schema-1-rows.sql");
            (table, columns, rows)
        })
        .collect();
    drop(conn);
    drop(Store::open_blocking(&path).unwrap());

    let conn = Connection::open(&path).unwrap();
    let mut n = 0;
    for (table, columns, before) in &before {
        n += before.len();
        assert!(rows(&conn, table, columns) == *before, "{table} differs");
    }
    println!("{} tables, {n} rows, all there", before.len());
    assert_eq!(texts(&conn, "PRAGMA integrity_check"), ["ok"]);
    assert_eq!(
        number(&conn, "SELECT count(*) FROM pragma_foreign_key_check"),
        0
    );
    for (what, sql, wanted) in [
        (
            "an id of ours",
            "SELECT count(*) FROM sent_ids WHERE local_key = 'r.aaaaaaaaaaaaaaaaaaaaaaaaaa.k1.mmmm'",
            1,
        ),
        (
            "a UUID, in small letters",
            "SELECT count(*) FROM sent_ids WHERE local_key = '0b7f3c2a-11de-4a5b-9c3d-1234567890ab'",
            1,
        ),
        (
            "no other has a local key",
            "SELECT count(*) FROM sent_ids WHERE local_key <> ''",
            2,
        ),
        (
            "messages with our token",
            "SELECT sum(id) FROM messages WHERE carries_token = 1",
            21 + 22,
        ),
        (
            "how many",
            "SELECT count(*) FROM messages WHERE carries_token = 1",
            2,
        ),
        (
            "soft bounces",
            "SELECT soft_bounces FROM leads WHERE id = 3",
            2,
        ),
        (
            "the last of them",
            "SELECT soft_bounced_at FROM leads WHERE id = 3",
            1_700_000_300_000,
        ),
        (
            "a hard one is none",
            "SELECT soft_bounces FROM leads WHERE id = 2",
            0,
        ),
        (
            "nor has it a time",
            "SELECT count(*) FROM leads WHERE soft_bounced_at IS NOT NULL",
            1,
        ),
        (
            "campaign of campaign mails",
            "SELECT count(*) FROM outbox WHERE (kind = 'campaign') <> (campaign_id IS NOT NULL)",
            0,
        ),
        (
            "nothing is held",
            "SELECT count(*) FROM outbox WHERE held <> 0 OR filed <> ''",
            0,
        ),
        (
            "numbers are not given again",
            "SELECT seq FROM sqlite_sequence WHERE name = 'outbox'",
            500,
        ),
        (
            "no table in between is left",
            "SELECT count(*) FROM sqlite_sequence WHERE name LIKE '%\\_2' ESCAPE '\\'",
            0,
        ),
        (
            "INBOX is watched",
            "SELECT count(*) FROM mailboxes WHERE role <> 'watched'",
            0,
        ),
    ] {
        assert_eq!(number(&conn, sql), wanted, "{what}");
    }

    // The CHECKs hold, and the new words are taken.
    for (sql, good) in [
        ("UPDATE outbox SET kind = 'alert' WHERE id = 72", true),
        ("UPDATE outbox SET kind = 'pigeon' WHERE id = 72", false),
        ("UPDATE outbox SET state = 'lost' WHERE id = 72", false),
        ("UPDATE outbox SET held = 2 WHERE id = 72", false),
        ("UPDATE outbox SET filed = 'here' WHERE id = 72", false),
        ("UPDATE outbox SET account_id = 99 WHERE id = 72", false),
        (
            "UPDATE sent_ids SET source = 'sent_folder' WHERE id_key = 'first@homes.example'",
            true,
        ),
        (
            "UPDATE sent_ids SET source = 'guessed' WHERE id_key = 'first@homes.example'",
            false,
        ),
        (
            "UPDATE sent_ids SET sent_id = 99 WHERE id_key = 'first@homes.example'",
            false,
        ),
        (
            "UPDATE messages SET sender_auth = 'perhaps' WHERE id = 1",
            false,
        ),
        ("UPDATE messages SET carries_token = 2 WHERE id = 1", false),
        ("UPDATE messages SET from_spam = 'x' WHERE id = 1", false),
        ("UPDATE mailboxes SET role = 'attic' WHERE id = 1", false),
        ("DELETE FROM outbox WHERE id = 12", false),
    ] {
        conn.execute_batch("PRAGMA foreign_keys = ON; SAVEPOINT s")
            .unwrap();
        assert_eq!(conn.execute(sql, []).is_ok(), good, "{sql}");
        conn.execute_batch("ROLLBACK TO s; RELEASE s").unwrap();
    }

    // The way back: a copy of the older version, for its owner only.
    let copy = dir.path().join("replyd.db-version-1");
    let mode = std::os::unix::fs::PermissionsExt::mode(&copy.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let copy = Connection::open(copy).unwrap();
    assert_eq!(number(&copy, "PRAGMA user_version"), 1);
    for (table, columns, before) in &before {
        assert!(
            rows(&copy, table, columns) == *before,
            "{table} in the copy"
        );
    }
}

#[test]
fn a_row_that_refers_to_nothing_stops_the_upgrade_and_nothing_changes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replyd.db");
    let conn = version_1(&path);
    conn.execute_batch(
        "PRAGMA foreign_keys = OFF; INSERT INTO mailboxes (account_id, name) VALUES (9, 'INBOX')",
    )
    .unwrap();
    let error = Store::open_blocking(&path).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
    assert!(error.to_string().contains("mailboxes"), "{error}");
    assert_eq!(number(&conn, "PRAGMA user_version"), 1);
}

#[test]
fn many_rows_are_filled_in_bounded_steps() {
    const MAILS: i64 = 30_000;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replyd.db");
    let conn = version_1(&path);
    conn.execute_batch(ROWS_1).unwrap();
    conn.execute_batch(&format!(
        "PRAGMA synchronous = OFF;
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {MAILS})
         INSERT INTO sent_ids (id_key, sent_id, source)
             SELECT printf('0b7f3c2a-11de-4a5b-9c3d-%012x@bulk.example', n), 1, 'import' FROM n;
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {MAILS})
         INSERT INTO messages (account_id, mailbox_id, uid_validity, uid, internal_date, stored_at, size_bytes,
                 source, disposition, message_key, content_digest, campaign_lead_id, in_reply_to, raw)
             SELECT 1, 1, 99, n, n, n, 1, 'live', 'reply', 'm' || n, 'm', 1,
                 'r.aaaaaaaaaaaaaaaaaaaaaaaaaa.k1.mmmm@homes.example', zeroblob(2000) FROM n;"
    ))
    .unwrap();
    drop(conn);
    let began = Instant::now();
    drop(Store::open_blocking(&path).unwrap());
    println!("{MAILS} messages and ids: {:?}", began.elapsed());
    let conn = Connection::open(&path).unwrap();
    let ids = number(&conn, "SELECT count(*) FROM sent_ids WHERE local_key <> ''");
    assert_eq!(ids, MAILS + 2);
    let tokens = number(
        &conn,
        "SELECT count(*) FROM messages WHERE carries_token = 1",
    );
    assert_eq!(tokens, MAILS + 2);
}

/// Makes the database of an installation what it would be if version 1 had written it.
fn set_back(desk: &Desk) {
    let path = desk.replyd.database();
    let newer = path.with_extension("newer");
    for ending in ["", "-wal", "-shm"] {
        let (from, to) = [&path, &newer]
            .map(|p| format!("{}{ending}", p.display()))
            .into();
        if Path::new(&from).exists() {
            std::fs::rename(from, to).unwrap();
        }
    }
    let conn = version_1(&path);
    conn.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    conn.execute("ATTACH ?1 AS newer", [newer.display().to_string()])
        .unwrap();
    for table in tables(&conn) {
        let columns = columns(&conn, &table).join(", ");
        conn.execute_batch(&format!(
            "INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}"
        ))
        .unwrap();
    }
}

#[test]
fn a_service_started_on_an_older_database_answers_replies() {
    let desk = Desk::known(4);
    desk.replyd.ok(&["run", "--once"]);
    set_back(&desk);
    desk.deliver_all(0..4);
    let mut running = desk.replyd.start(&["run"]);
    running.wait_for_event("the upgrade", |event| {
        event["message"] == "the database was brought to the schema of this version"
    });
    running.wait_for_rows("every reply to be settled", |rows| settled(rows, 4));
    stop(running);
    assert_eq!(count(&desk, 4, true), Count::default());
    // The draft of the question waits for a person.
    desk.replyd.run(&["status", "--json"]).assert_code(2);
}

#[test]
fn killed_before_the_commit_the_database_is_as_it_was() {
    let desk = Desk::known(2);
    desk.replyd.ok(&["run", "--once"]);
    set_back(&desk);
    let crash = [("REPLYD_CRASH_AT", "migrate.before_commit")];
    let dead = desk.replyd.start_with(&["run"], &crash).finish();
    assert_eq!(dead.status.signal(), Some(9), "{}", dead.output());
    let conn = Connection::open(desk.replyd.database()).unwrap();
    assert_eq!(number(&conn, "PRAGMA user_version"), 1);
    assert_eq!(texts(&conn, "PRAGMA integrity_check"), ["ok"]);
    assert_eq!(
        number(
            &conn,
            "SELECT count(*) FROM pragma_table_info('outbox') WHERE name = 'held'"
        ),
        0
    );
    drop(conn);
    desk.deliver_all(0..2);
    let mut running = desk.replyd.start(&["run"]);
    running.wait_for_rows("every reply to be settled", |rows| settled(rows, 2));
    stop(running);
    assert_eq!(count(&desk, 2, true), Count::default());
}

#[test]
fn beside_a_running_older_replyd_nothing_is_changed_and_the_operator_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replyd.db");
    drop(version_1(&path));
    for ending in ["-readers.lock", "-outbox.lock"] {
        let held = std::fs::File::create(format!("{}{ending}", path.display())).unwrap();
        held.lock_shared().unwrap();
        let error = Store::open_blocking(&path).unwrap_err();
        assert!(matches!(error, StoreError::OlderRunning), "{error}");
        assert!(error.to_string().contains("stop it"), "{error}");
        let conn = Connection::open(&path).unwrap();
        assert_eq!(number(&conn, "PRAGMA user_version"), 1);
    }
    drop(Store::open_blocking(&path).unwrap());
}

#[test]
fn two_that_start_at_once_upgrade_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replyd.db");
    version_1(&path).execute_batch(ROWS_1).unwrap();
    let began = Instant::now();
    std::thread::scope(|scope| {
        let both = [0; 2].map(|_| scope.spawn(|| Store::open_blocking(&path).map(drop)));
        for one in both {
            one.join().unwrap().unwrap();
        }
    });
    assert!(began.elapsed() < Duration::from_secs(60));
    let conn = Connection::open(&path).unwrap();
    assert_eq!(
        number(&conn, "SELECT soft_bounces FROM leads WHERE id = 3"),
        2
    );
}
