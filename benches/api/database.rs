//! The database of the measurements: a year of twenty campaigns, in the order in which it would have
//! been written. It lies under `target/bench-api/` and is made once for its recipe and schema.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use fastrand::Rng;
use replyd::store::Store;
use rusqlite::{Connection, Statement, ToSql, params};

use crate::words::Words;

/// Grows with each change of what is written here.
const RECIPE: u32 = 3;
/// Lines of a conversation in the mean.
const LINES: i64 = 20;
const CAMPAIGNS: i64 = 20;
/// Very long conversations, and long ones, in lines.
const HUGE: (i64, i64) = (10, 2000);
const LONG: (i64, i64) = (200, 200);
const DAY: i64 = 86_400_000;
/// The year ends here.
const END: i64 = 1_795_000_000_000;
/// Rows of one transaction.
const BATCH: usize = 20_000;

/// What the database holds.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    /// The file; measurements work on a copy.
    pub(crate) path: PathBuf,
    /// Rows of `conversations`.
    pub(crate) lines: i64,
    /// Rows of `campaign_leads`, with the ids 1 to this: 1 to 10 have 2000 lines each, the next
    /// 200 have 200.
    pub(crate) threads: i64,
    /// Rows of `campaigns`.
    pub(crate) campaigns: i64,
}

impl Made {
    /// The database with so many lines, made if it is not there.
    pub(crate) fn of(lines: i64) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-api");
        std::fs::create_dir_all(&folder).expect("Make the folder of the database");
        let made = Self {
            path: folder.join("made.db"),
            lines,
            threads: (lines / LINES).max(500),
            campaigns: CAMPAIGNS,
        };
        let mut recipe = DefaultHasher::new();
        (RECIPE, lines, include_str!("../../schema.sql")).hash(&mut recipe);
        let (recipe, stamp) = (recipe.finish().to_string(), folder.join("recipe"));
        if std::fs::read_to_string(&stamp).is_ok_and(|of| of == recipe) && made.path.exists() {
            return made;
        }
        for end in ["", "-wal", "-shm"] {
            let old = PathBuf::from(format!("{}{end}", made.path.display()));
            if old.exists() {
                std::fs::remove_file(old).expect("Remove the old database");
            }
        }
        let began = Instant::now();
        made.write();
        std::fs::write(&stamp, recipe).expect("Write the recipe");
        println!("database made in {:.0} s", began.elapsed().as_secs_f64());
        made
    }

    /// A copy to work on.
    pub(crate) fn copy(&self) -> PathBuf {
        let copy = self.path.with_file_name("replyd.db");
        for end in ["", "-wal", "-shm"] {
            let old = PathBuf::from(format!("{}{end}", copy.display()));
            if old.exists() {
                std::fs::remove_file(old).expect("Remove the last copy");
            }
        }
        std::fs::copy(&self.path, &copy).expect("Copy the database");
        copy
    }

    fn write(&self) {
        drop(Store::open_blocking(&self.path).expect("Make the schema"));
        let conn = Connection::open(&self.path).expect("Open the database");
        conn.execute_batch(
            "PRAGMA synchronous = OFF; PRAGMA cache_size = -400000; PRAGMA foreign_keys = OFF;",
        )
        .expect("Set it up");
        conn.set_prepared_statement_cache_capacity(64);
        let (words, mut rng) = (Words::new(), Rng::with_seed(7));
        in_one(&conn, || self.people(&conn, &words, &mut rng));
        self.mails(&conn, &words, &mut rng);
        in_one(&conn, || self.rest(&conn, &words, &mut rng));
        let events = END - 30 * DAY;
        conn.execute_batch(&format!(
            "DELETE FROM events WHERE at < {events};
             DELETE FROM inbox; INSERT INTO inbox SELECT * FROM inbox_anew;
             PRAGMA wal_checkpoint(TRUNCATE);"
        ))
        .expect("Finish the database");
    }

    /// Account, campaigns, leads and the campaigns' mails.
    fn people(&self, conn: &Connection, words: &Words, rng: &mut Rng) {
        let start = END - 365 * DAY;
        conn.execute_batch(&format!(
            "INSERT INTO accounts (id, name, first_started_at, state_since) VALUES (1, 'desk', {start}, {start});
             INSERT INTO mailboxes (id, account_id, name) VALUES (1, 1, 'Archive');"
        ))
        .expect("An account");
        let mut campaign = prepared(
            conn,
            "INSERT INTO campaigns (id, name, project_name, sender_name, mode, created_at, updated_at, owner_id)
             VALUES (?1, ?2, ?3, 'Example Homes', 'off', ?4, ?4, ?1)",
        );
        for id in 1..=self.campaigns {
            let name = format!("{} {id}", words.name(rng));
            run(&mut campaign, params![id, name, words.name(rng), start]);
        }
        let mut lead = prepared(
            conn,
            "INSERT INTO leads (id, lead_id, name, email, email_key, country_code, phone, project_name, created_at, updated_at)
             VALUES (?1, 'L' || ?1, ?2, ?3, ?3, '44', ?4, ?5, ?6, ?6)",
        );
        let mut campaign_lead = prepared(
            conn,
            "INSERT INTO campaign_leads (id, campaign_id, lead_id, message_sent, message_sent_at, personalized_message, email_message_id, created_at)
             VALUES (?1, ?2, ?3, 1, ?4, '', ?5, ?4)",
        );
        let mut sent = prepared(
            conn,
            "INSERT INTO sent_messages (id, campaign_lead_id, kind, subject, body, sent_at, known_at)
             VALUES (?1, ?1, 'campaign', ?2, ?3, ?4, ?4)",
        );
        let mut sent_id = prepared(
            conn,
            "INSERT INTO sent_ids (id_key, sent_id, source) VALUES (?1, ?2, 'import')",
        );
        for id in 1..=self.threads {
            let at = self.sent_at(id);
            let name = format!("{} {}", words.name(rng), words.name(rng));
            let phone = format!("20 {:04} {:04}", id % 10_000, rng.u32(0..10_000));
            run(
                &mut lead,
                params![id, name, address(id), phone, words.name(rng), at],
            );
            let campaign = id % self.campaigns + 1;
            run(&mut campaign_lead, params![id, campaign, id, at, mail(id)]);
            let subject = words.text(rng, 5);
            run(&mut sent, params![id, subject, words.text(rng, 40), at]);
            run(&mut sent_id, params![mail(id), id]);
        }
    }

    /// When a thread's campaign mail was sent.
    fn sent_at(&self, id: i64) -> i64 {
        let share = id * 300 / self.threads.max(1);
        END - 360 * DAY + share * DAY
    }

    /// How many lines each thread has.
    fn lengths(&self, rng: &mut Rng) -> Vec<i64> {
        let mut lengths: Vec<i64> = Vec::new();
        let small = self.lines < HUGE.0 * HUGE.1 * 4;
        for id in 1..=self.threads {
            lengths.push(match id {
                _ if small => 1 + rng.i64(0..LINES * 2 - 2),
                _ if id <= HUGE.0 => HUGE.1,
                _ if id <= HUGE.0 + LONG.0 => LONG.1,
                // One lead in five never answers.
                _ if rng.u8(0..5) == 0 => 1,
                _ => 2 + rng.i64(0..LINES * 2 + 4),
            });
        }
        // Exactly as many as were asked for.
        let mut total: i64 = lengths.iter().sum();
        while total != self.lines {
            let at = rng.usize(0..lengths.len());
            if let Some(length) = lengths.get_mut(at).filter(|l| **l < LONG.1) {
                if total < self.lines {
                    *length += 1;
                    total += 1;
                } else if *length > 1 {
                    *length -= 1;
                    total -= 1;
                }
            }
        }
        lengths
    }

    /// The lines, each with the mail that it stands for, by their time.
    fn mails(&self, conn: &Connection, words: &Words, rng: &mut Rng) {
        let lengths = self.lengths(rng);
        let mut order: Vec<(i64, i64, i64)> = Vec::new();
        for (id, length) in (1..).zip(&lengths) {
            let (mut at, last) = (self.sent_at(id), END);
            let step = (last - at) / (*length + 1);
            for n in 0..*length {
                order.push((at, id, n));
                // Ours follows a reply within the minute, the next reply takes days.
                at += if n % 2 == 1 {
                    rng.i64(2_000..60_000)
                } else {
                    rng.i64(1..=step.max(2) * 2)
                };
                at = at.min(last);
            }
        }
        order.sort_unstable();
        let mut writer = Mails::new(conn);
        for batch in order.chunks(BATCH) {
            in_one(conn, || {
                for (at, thread, n) in batch {
                    writer.line(*at, *thread, *n, words, rng);
                }
            });
        }
    }

    /// What lies beside: unmatched and ignored mail, drafts, suppressions, labels by people.
    fn rest(&self, conn: &Connection, words: &Words, rng: &mut Rng) {
        let mut other = prepared(
            conn,
            "INSERT INTO messages (account_id, mailbox_id, uid_validity, uid, internal_date, stored_at,
                size_bytes, source, disposition, nature, message_key, content_digest, sender_hash,
                from_address, from_name, subject, full_text, visible_text, fetched_at)
             VALUES (1, 1, 2, ?1, ?2, ?2, 3000, 'live', ?3, 'human', ?4, ?4, ?4, ?5, ?6, ?7, ?8, ?8, ?2)",
        );
        for uid in 0..self.threads {
            let at = END - rng.i64(0..300 * DAY);
            let unmatched = uid % 20 == 0;
            let disposition = if unmatched { "unmatched" } else { "ignored" };
            let key = format!("other{uid}@example.net");
            let (subject, text) = (words.text(rng, 5), words.text(rng, 30));
            let texts = if unmatched {
                [subject, text]
            } else {
                Default::default()
            };
            let from = if unmatched { key.as_str() } else { "" };
            let name = if unmatched {
                words.name(rng)
            } else {
                String::new()
            };
            let [subject, text] = texts;
            run(
                &mut other,
                params![uid, at, disposition, key, from, name, subject, text],
            );
        }
        let mut suppression = prepared(
            conn,
            "INSERT INTO suppressions (email_key, reason, created_at) VALUES (?1, 'unsubscribe', ?2)",
        );
        for n in 0..self.threads / 25 {
            let key = format!("gone{n}@lead.example");
            run(&mut suppression, params![key, END - rng.i64(0..300 * DAY)]);
        }
        let every = (self.threads / 100).max(1);
        conn.execute(
            "INSERT INTO drafts (job_id, campaign_lead_id, message_id, subject, body, reason, created_at)
             SELECT j.id, m.campaign_lead_id, m.id, m.subject, m.visible_text, 'a question without a source', m.stored_at
             FROM reply_jobs j JOIN messages m ON m.id = j.message_id
             WHERE j.id % ?1 = 0 AND m.campaign_lead_id IS NOT NULL ORDER BY j.id DESC LIMIT 400",
            [every],
        )
        .expect("Drafts");
        conn.execute(
            "INSERT INTO read_marks (viewer, campaign_lead_id, line, read_at)
             SELECT 'bench', 0, max(id) * 99 / 100, ?1 FROM conversations",
            [END],
        )
        .expect("A read mark");
    }
}

/// What writes a line with its mail.
struct Mails<'c> {
    line: Statement<'c>,
    message: Statement<'c>,
    job: Statement<'c>,
    outbox: Statement<'c>,
    uid: i64,
    sent: i64,
}

impl<'c> Mails<'c> {
    fn new(conn: &'c Connection) -> Self {
        Self {
            line: prepared(
                conn,
                "INSERT INTO conversations (campaign_lead_id, sender, message, agent_tool_used, email_message_id,
                    email_in_reply_to, sales_team_notified, auto_reply_processed, created_at, message_ref, outbox_ref)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            ),
            message: prepared(
                conn,
                "INSERT INTO messages (id, account_id, mailbox_id, uid_validity, uid, internal_date, stored_at,
                    size_bytes, source, disposition, nature, evidence, message_key, content_digest, sender_hash,
                    campaign_lead_id, matched_sent_id, match_method, match_confidence, sender_verified, from_address,
                    from_name, to_addresses, subject, sent_date, in_reply_to, reference_ids, full_text, visible_text,
                    visible_sure, announced_at, fetched_at)
                 VALUES (?1, 1, 1, 1, ?1, ?2, ?3, 2400, 'live', 'reply', 'human', '[\"written by a person\"]', ?4, ?5, ?5,
                    ?6, ?6, 'in_reply_to', 1.0, 1, ?7, 'Lead', 'desk@example.com', ?8, ?2, ?9, ?9, ?10, ?11, 1, ?2, ?3)",
            ),
            job: prepared(
                conn,
                "INSERT INTO reply_jobs (id, message_id, state, attempts, next_attempt_at, created_at, done_at,
                    intent, confidence, goal_type, action, reasons)
                 VALUES (?1, ?1, 'done', 1, ?2, ?2, ?2, ?3, 0.93, '', ?4, '[\"rule\"]')",
            ),
            outbox: prepared(
                conn,
                "INSERT INTO outbox (id, job_id, account_id, kind, campaign_lead_id, automatic, rfc_message_id,
                    envelope_from, envelope_to, subject, body, body_digest, raw, state, attempts, next_attempt_at,
                    handed_over_at, smtp_code, created_at, finished_at, filed, to_domain)
                 VALUES (?1, ?2, 1, ?3, ?4, 1, ?5, 'desk@example.com', ?6, ?7, ?8, ?5, x'00', 'sent', 1, ?9, ?9, 250,
                    ?9, ?9, 'seen', 'lead.example')",
            ),
            uid: 0,
            sent: 0,
        }
    }

    /// Line `n` of a thread: its first is the campaign's, then the lead's and ours in turn.
    fn line(&mut self, at: i64, thread: i64, n: i64, words: &Words, rng: &mut Rng) {
        let long = 8 + rng.usize(0..40);
        let text = words.text(rng, long);
        let none: Option<i64> = None;
        let (id, parent) = (format!("{n}.{}", mail(thread)), mail(thread));
        if n == 0 {
            let tool = "message_generation";
            let values = params![
                thread, "agent", text, tool, parent, "", 0, 0, at, none, none
            ];
            run(&mut self.line, values);
            return;
        }
        let subject = words.text(rng, 5);
        if n % 2 == 1 {
            self.uid += 1;
            let full = format!("{text}\n\n> {}", words.text(rng, 25));
            let key = format!("k{:x}", self.uid);
            let stored = at + rng.i64(20..400);
            run(
                &mut self.message,
                params![
                    self.uid,
                    at,
                    stored,
                    id,
                    key,
                    thread,
                    address(thread),
                    subject,
                    parent,
                    full,
                    text
                ],
            );
            let (intent, action) = match rng.u8(0..100) {
                0..4 => ("goal_reached", "answer"),
                4..6 => ("question", "person"),
                _ => ("question", "answer"),
            };
            run(&mut self.job, params![self.uid, stored, intent, action]);
            let values = params![
                thread, "customer", text, "", id, parent, 0, 1, stored, self.uid, none
            ];
            run(&mut self.line, values);
        } else {
            let kind = if rng.bool() {
                "acknowledgment"
            } else {
                "answer"
            };
            let tool = if kind == "answer" {
                "document_rag"
            } else {
                "acknowledgment"
            };
            self.sent += 1;
            let key = format!("{thread}.{n}.out@desk.example");
            run(
                &mut self.outbox,
                params![
                    self.sent,
                    none,
                    kind,
                    thread,
                    key,
                    address(thread),
                    subject,
                    text,
                    at
                ],
            );
            let values = params![
                thread, "agent", text, tool, key, id, 0, 0, at, none, self.sent
            ];
            run(&mut self.line, values);
        }
    }
}

/// Where the lead of a thread writes from.
pub(crate) fn address(thread: i64) -> String {
    format!("lead{thread}@lead.example")
}

/// The Message-ID of the campaign's mail of a thread.
pub(crate) fn mail(thread: i64) -> String {
    format!("campaign{thread}@desk.example")
}

fn prepared<'c>(conn: &'c Connection, sql: &str) -> Statement<'c> {
    conn.prepare(sql).expect("Prepare a statement")
}

fn run(statement: &mut Statement<'_>, values: &[&dyn ToSql]) {
    statement.execute(values).expect("Write a row");
}

/// Runs `f` in one transaction.
fn in_one(conn: &Connection, f: impl FnOnce()) {
    conn.execute_batch("BEGIN IMMEDIATE").expect("Begin");
    f();
    conn.execute_batch("COMMIT").expect("Commit");
}
