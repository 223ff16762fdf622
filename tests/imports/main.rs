//! Imports of leads and sent mails: real files, bad rows, again, and messages that a later
//! import makes matchable.

#![expect(clippy::unwrap_used, reason = "a failing set-up fails the test")]

mod late;
mod leads;
mod sent;

use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use replyd::campaign::{
    AddedSent, ImportOptions, ImportReport, SentEntry, add_sent, import_leads, import_sent,
};
use replyd::keys::Keys;
use replyd::model::{CampaignLeadId, IdSource, SentId, SentKind};
use replyd::store::{NewSent, Store, StoreError};
use replyd::time::UtcMs;
use rusqlite::{Connection, params, types::Value};

/// A store with its keys, in a folder of its own.
struct Bench {
    store: Store,
    keys: Keys,
    path: PathBuf,
    _dir: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("replyd.db");
        Self {
            store: Store::open(path.clone()).await.unwrap(),
            keys: Keys::load_or_create(dir.path(), None).unwrap(),
            path,
            _dir: dir,
        }
    }

    async fn leads(&self, csv: &str) -> ImportReport {
        self.leads_into(csv, None).await
    }

    async fn leads_into(&self, csv: &str, campaign: Option<&str>) -> ImportReport {
        import_leads(&self.store, &self.keys, file(csv), into(campaign))
            .await
            .unwrap()
    }

    async fn sent(&self, csv: &str) -> ImportReport {
        import_sent(&self.store, &self.keys, file(csv), into(None))
            .await
            .unwrap()
    }

    async fn add(&self, id: &str, lead: &str, campaign: &str) -> anyhow::Result<AddedSent> {
        let entry = SentEntry {
            message_id: id.into(),
            lead: lead.into(),
            campaign: campaign.into(),
            date: "2025-01-02 10:00".into(),
            ..SentEntry::default()
        };
        add_sent(&self.store, &self.keys, entry).await
    }

    fn sql(&self) -> Connection {
        Connection::open(&self.path).unwrap()
    }

    /// One value, as text.
    fn text(&self, query: &str) -> String {
        match self.sql().query_row(query, [], |r| r.get(0)).unwrap() {
            Value::Null => "NULL".into(),
            Value::Integer(i) => i.to_string(),
            Value::Text(t) => t,
            other => format!("{other:?}"),
        }
    }

    /// A captured message of `sender` that refers to `ids`, with what an ignored one keeps.
    fn stored(&self, uid: i64, disposition: &str, sender: &str, ids: &[&str]) -> i64 {
        let sql = self.sql();
        sql.execute_batch(
            "INSERT INTO accounts (id, name, first_started_at, state_since) VALUES (1, 'a', 0, 0)
                 ON CONFLICT DO NOTHING;
             INSERT INTO mailboxes (id, account_id, name) VALUES (1, 1, 'INBOX')
                 ON CONFLICT DO NOTHING;",
        )
        .unwrap();
        sql.execute(
            "INSERT INTO messages (account_id, mailbox_id, uid_validity, uid, internal_date,
                 stored_at, size_bytes, source, disposition, message_key, content_digest,
                 sender_hash)
             VALUES (1, 1, 1, ?1, 0, 0, 1, 'live', ?2, 'key' || ?1, 'digest', ?3)",
            params![uid, disposition, self.keys.hash(sender)],
        )
        .unwrap();
        let row = sql.last_insert_rowid();
        for id in ids {
            sql.execute(
                "INSERT INTO message_refs (ref_hash, message_id) VALUES (?1, ?2)",
                params![self.keys.hash(id), row],
            )
            .unwrap();
        }
        row
    }

    /// The messages to be fetched again.
    fn refetch(&self) -> Vec<i64> {
        let sql = self.sql();
        let mut query = sql
            .prepare("SELECT message_id FROM refetch WHERE account_id = 1 ORDER BY message_id")
            .unwrap();
        let rows = query.query_map([], |r| r.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// A notice to sales that went out under `id`.
    fn notice(&self, id: &str) {
        self.stored(9000, "ignored", "x@x.example", &[]);
        self.sql()
            .execute(
                "INSERT INTO outbox (account_id, kind, automatic, rfc_message_id, envelope_from,
                     envelope_to, subject, body, body_digest, raw, next_attempt_at, created_at)
                 VALUES (1, 'sales_notice', 0, ?1, 'f', 't', 's', 'b', 'd', x'00', 0, 0)",
                [id],
            )
            .unwrap();
    }
}

fn file(csv: &str) -> Cursor<Vec<u8>> {
    Cursor::new(csv.as_bytes().to_vec())
}

fn into(campaign: Option<&str>) -> ImportOptions {
    ImportOptions {
        erased_too: false,
        campaign: campaign.map(str::to_owned),
        progress: None,
    }
}

fn lines(report: &ImportReport) -> Vec<(u64, &str)> {
    report
        .errors
        .iter()
        .map(|e| (e.line, e.reason.as_str()))
        .collect()
}

/// New, updated, unchanged, failed.
fn counts(report: &ImportReport) -> [u64; 4] {
    [report.new, report.updated, report.unchanged, report.failed]
}

const TWO_LEADS: &str = "lead_id,name,email,campaign\n\
     L1,Ann Lee,ann@x.example,Spring\n\
     L2,Bo Chen,bo@y.example,Spring\n";
