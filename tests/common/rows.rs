//! Read-only looks into replyd's database.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, Params, types::FromSql};

use super::PATIENCE;

/// An open database that cannot be changed through this connection.
#[derive(Debug)]
pub(crate) struct Rows {
    connection: Connection,
}

/// A mail of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutboxRow {
    /// Row id.
    pub(crate) id: i64,
    /// acknowledgment, answer, sales_notice, …
    pub(crate) kind: String,
    /// queued, sent, …
    pub(crate) state: String,
    /// Message-ID without brackets.
    pub(crate) message_id: String,
    /// Recipient.
    pub(crate) to: String,
    /// Subject.
    pub(crate) subject: String,
}

/// A captured message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageRow {
    /// Row id.
    pub(crate) id: i64,
    /// IMAP UID.
    pub(crate) uid: i64,
    /// What became of it.
    pub(crate) disposition: String,
    /// live, catch_up, first_run, …
    pub(crate) source: String,
    /// How it was matched; empty when not.
    pub(crate) match_method: String,
    /// Its campaign lead.
    pub(crate) campaign_lead_id: Option<i64>,
}

impl Rows {
    /// Opens the database; `None` while it is not there or has no tables yet.
    pub(crate) fn open(path: &Path) -> Option<Self> {
        if !path.exists() {
            return None;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).ok()?;
        connection.busy_timeout(PATIENCE).ok()?;
        let rows = Self { connection };
        let version: i64 = rows
            .connection
            .query_row("SELECT user_version FROM pragma_user_version", [], |row| {
                row.get(0)
            })
            .ok()?;
        (version > 0).then_some(rows)
    }

    /// One value.
    #[track_caller]
    pub(crate) fn value<T: FromSql>(&self, sql: &str, params: impl Params) -> T {
        self.connection
            .query_row(sql, params, |row| row.get(0))
            .unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// How many rows `FROM …` has.
    #[track_caller]
    pub(crate) fn count(&self, from: &str) -> i64 {
        self.value(&format!("SELECT count(*) FROM {from}"), [])
    }

    /// How many messages there are of each disposition.
    #[track_caller]
    pub(crate) fn dispositions(&self) -> BTreeMap<String, i64> {
        let sql = "SELECT disposition, count(*) FROM messages GROUP BY disposition";
        self.connection
            .prepare(sql)
            .and_then(|mut statement| {
                statement
                    .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect()
            })
            .unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// Every captured message in the order of capture.
    #[track_caller]
    pub(crate) fn messages(&self) -> Vec<MessageRow> {
        let sql = "SELECT id, uid, disposition, source, match_method, campaign_lead_id
                   FROM messages ORDER BY id";
        self.connection
            .prepare(sql)
            .and_then(|mut statement| {
                statement
                    .query_map([], |row| {
                        Ok(MessageRow {
                            id: row.get(0)?,
                            uid: row.get(1)?,
                            disposition: row.get(2)?,
                            source: row.get(3)?,
                            match_method: row.get(4)?,
                            campaign_lead_id: row.get(5)?,
                        })
                    })?
                    .collect()
            })
            .unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// Every mail of the outbox in the order of queueing.
    #[track_caller]
    pub(crate) fn outbox(&self) -> Vec<OutboxRow> {
        let sql = "SELECT id, kind, state, rfc_message_id, envelope_to, subject
                   FROM outbox ORDER BY id";
        self.connection
            .prepare(sql)
            .and_then(|mut statement| {
                statement
                    .query_map([], |row| {
                        Ok(OutboxRow {
                            id: row.get(0)?,
                            kind: row.get(1)?,
                            state: row.get(2)?,
                            message_id: row.get(3)?,
                            to: row.get(4)?,
                            subject: row.get(5)?,
                        })
                    })?
                    .collect()
            })
            .unwrap_or_else(|e| panic!("{sql}: {e}"))
    }
}
