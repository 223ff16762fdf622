//! A database in a temp folder for tests, with one account, campaign and lead, and rows written
//! the short way. Only in test builds.

use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;

use super::Store;

/// The moment of the tests.
pub(crate) const NOW: i64 = 1_700_000_000_000;
const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;

pub(crate) struct Fixture {
    pub(crate) dir: TempDir,
    pub(crate) store: Store,
    conn: Connection,
}

/// A captured message; its fields are columns of `messages`.
#[derive(Clone, Debug)]
pub(crate) struct Captured {
    pub(crate) text: &'static str,
    pub(crate) disposition: &'static str,
    pub(crate) source: &'static str,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) nature: &'static str,
    pub(crate) campaign_lead: Option<i64>,
    pub(crate) sent: Option<i64>,
    pub(crate) verified: bool,
    /// It carries our token.
    pub(crate) token: bool,
    pub(crate) sure: bool,
    pub(crate) internal_date: i64,
    pub(crate) old_mail: bool,
    /// `None`: a mail without Message-ID.
    pub(crate) with_id: bool,
}

impl Default for Captured {
    fn default() -> Self {
        Self {
            text: "Please book me a viewing for Saturday.",
            disposition: "reply",
            source: "live",
            from: "ann@lead.example",
            to: "sales@example.com",
            subject: "Re: Riverside",
            nature: "human",
            campaign_lead: Some(1),
            sent: Some(1),
            verified: true,
            token: false,
            sure: true,
            internal_date: NOW - MINUTE,
            old_mail: false,
            with_id: true,
        }
    }
}

impl Fixture {
    /// Account 1 `main` (started two days ago), campaign 1, lead 1, campaign_lead 1, sent 1.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path: PathBuf = dir.path().join("replyd.db");
        let store = Store::open_blocking(&path).unwrap();
        let conn = Connection::open(&path).unwrap();
        conn.busy_timeout(std::time::Duration::from_secs(10))
            .unwrap();
        let f = Self { dir, store, conn };
        let (start, sent) = (NOW - 2 * DAY, NOW - DAY - MINUTE);
        f.sql(&format!(
            "INSERT INTO accounts (id, name, first_started_at, state_since) VALUES (1, 'main', {start}, {start});
             INSERT INTO mailboxes (id, account_id, name) VALUES (1, 1, 'INBOX');
             INSERT INTO campaigns (id, name, project_name, sender_name, created_at, updated_at)
                 VALUES (1, 'Spring', 'Riverside', 'Example Homes', {start}, {start});"
        ));
        f.lead(1, "Ann Lee", "ann@lead.example", 1);
        f.sql(&format!(
            "INSERT INTO sent_messages (id, campaign_lead_id, kind, subject, body, sent_at, known_at)
                 VALUES (1, 1, 'campaign', 'Riverside', 'Would you like to book a viewing?', {sent}, {sent});
             INSERT INTO sent_ids (id_key, sent_id, source) VALUES ('first@example.com', 1, 'import');"
        ));
        f
    }

    /// Lead and campaign_lead of this id.
    pub(crate) fn lead(&self, id: i64, name: &str, email: &str, campaign: i64) {
        self.conn
            .execute(
                "INSERT INTO leads (id, lead_id, name, email, email_key, country_code, phone, created_at, updated_at)
                 VALUES (?1, 'L' || ?1, ?2, ?3, ?3, '44', '20 7946 0000', 0, 0)",
                rusqlite::params![id, name, email],
            )
            .unwrap();
        self.conn
            .execute(
                "INSERT INTO campaign_leads (id, campaign_id, lead_id, message_sent, created_at)
                 VALUES (?1, ?2, ?1, 1, 0)",
                [id, campaign],
            )
            .unwrap();
    }

    /// A captured message with its job, due at [`NOW`]; the job has the message's id.
    pub(crate) fn capture(&self, id: i64, m: &Captured) {
        let key = if m.with_id {
            format!("reply{id}@lead.example")
        } else {
            format!("digest:{id}")
        };
        self.conn
            .execute(
                "INSERT INTO messages (id, account_id, mailbox_id, uid_validity, uid, internal_date,
                     stored_at, size_bytes, source, disposition, nature, message_key, content_digest,
                     campaign_lead_id, matched_sent_id, sender_verified, from_address, to_addresses,
                     subject, in_reply_to, reference_ids, visible_text, visible_sure, match_confidence, carries_token)
                 VALUES (?1, 1, 1, 1, ?1, ?2, ?2, 1000, ?3, ?4, ?5, ?6, 'd' || ?1, ?7, ?8, ?9, ?10,
                     ?11, ?12, 'first@example.com', 'first@example.com', ?13, ?14, 1.0, ?15)",
                rusqlite::params![
                    id, m.internal_date, m.source, m.disposition, m.nature, key, m.campaign_lead,
                    m.sent, m.verified, m.from, m.to, m.subject, m.text, m.sure, m.token
                ],
            )
            .unwrap();
        self.conn
            .execute(
                "INSERT INTO reply_jobs (id, message_id, old_mail, next_attempt_at, created_at)
                 VALUES (?1, ?1, ?2, ?3, ?3)",
                rusqlite::params![id, m.old_mail, NOW],
            )
            .unwrap();
    }

    pub(crate) fn sql(&self, sql: &str) {
        self.conn.execute_batch(sql).unwrap();
    }

    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.conn.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    pub(crate) fn text(&self, sql: &str) -> String {
        self.conn.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// The query plan.
    pub(crate) fn plan(&self, sql: &str) -> String {
        let mut statement = self
            .conn
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        // A parameter without a value is NULL, which a plan does not depend on.
        let rows = statement.raw_query().mapped(|row| row.get::<_, String>(3));
        rows.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    }

    /// The rows of one column, joined by `, `.
    pub(crate) fn list(&self, sql: &str) -> String {
        let mut statement = self.conn.prepare(sql).unwrap();
        let rows: Vec<String> = statement
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        rows.join(", ")
    }
}
