//! Imports of leads and sent mails: real files, bad rows, again, and messages that a later
//! import makes matchable.

#![expect(clippy::unwrap_used, reason = "a failing set-up fails the test")]

use std::fmt::Write as _;
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

#[tokio::test]
async fn the_predecessors_columns_are_stored_as_they_came() {
    let b = Bench::new().await;
    let report = b
        .leads(
            "lead_id,name,email,country_code,phone,project_name,unit_type,budget_min,budget_max,\
             status,last_conversation_date,last_conversation_summary\n\
             L1,\"Lee, Ann\",Ann.Lee@BÜCHER.example,+971,501234567,Sea View,\"2 \"\"sea\"\" bed\",\
             \"13,00,000\",1500000.50,hot,2024-12-31,\"Wants a view.\nCall after 5, please\"\n",
        )
        .await;
    assert_eq!(report.errors, []);
    assert_eq!(counts(&report), [1, 0, 0, 0]);
    for (column, want) in [
        ("name", "Lee, Ann"),
        ("email", "Ann.Lee@BÜCHER.example"),
        ("email_key", "ann.lee@xn--bcher-kva.example"),
        ("country_code", "+971"),
        ("phone", "501234567"),
        ("project_name", "Sea View"),
        ("unit_type", "2 \"sea\" bed"),
        ("budget_min", "1300000"),
        ("budget_max", "1500000.50"),
        ("status", "hot"),
        ("last_conversation_date", "2024-12-31"),
        (
            "last_conversation_summary",
            "Wants a view.\nCall after 5, please",
        ),
    ] {
        let stored = b.text(&format!("SELECT {column} FROM leads WHERE lead_id = 'L1'"));
        assert_eq!(stored, want, "{column}");
    }
}

#[tokio::test]
async fn the_predecessors_export_spelling_with_bom_and_semicolons_goes_in() {
    let b = Bench::new().await;
    let report = b
        .leads(
            "\u{feff}Lead ID;Lead name;Email;Country code;Phone;Project name;Unit type;\
             Min. Budget;Max Budget;Lead status;Last conversation date;Last conversation summary\r\n\
             7;Zoë;zoe@x.example;+91;98;Park;3 BHK;13,00,000;;Cold;31-12-2024;spoke\r\n",
        )
        .await;
    assert_eq!(counts(&report), [1, 0, 0, 0], "{report:?}");
    assert_eq!(report.unknown_columns, [""; 0]);
    assert_eq!(
        b.text(
            "SELECT lead_id || name || status || budget_min || last_conversation_date
                 || coalesce(budget_max, ' none') FROM leads"
        ),
        "7ZoëCold13000002024-12-31 none"
    );
}

#[tokio::test]
async fn a_bad_row_is_told_by_line_and_reason_and_the_others_go_in() {
    let b = Bench::new().await;
    let report = b
        .leads(
            "lead_id,name,email,budget_min,last_conversation_date\n\
             L1,Ann,ann@x.example,,\n\
             ,Bo,bo@x.example,,\n\
             L3,Cy,not-an-address,,\n\
             L4,\"Di\nDi\",di@x.example,,\n\
             L5,Ed,ed@x.example,cheap,\n\
             L6,Flo,flo@x.example,,2024-02-30\n\
             L7,Gil\n\
             L8,Hal,hal@x.example,5,\n",
        )
        .await;
    assert_eq!(counts(&report), [2, 0, 0, 6]);
    let want = [
        (3, "lead_id is empty"),
        (4, "email is not one e-mail address"),
        (5, "name holds a line break"),
        (7, "budget_min is not a number"),
        (8, "last_conversation_date is not a date"),
        (9, "The row has 2 cells, the header 5"),
    ];
    let found = lines(&report);
    assert_eq!(found.len(), want.len());
    for ((line, reason), (at, start)) in found.into_iter().zip(want) {
        assert_eq!(line, at, "{reason}");
        assert!(reason.starts_with(start), "{reason}");
    }
    assert_eq!(
        b.text("SELECT group_concat(lead_id, ' ' ORDER BY lead_id) FROM leads"),
        "L1 L8"
    );
}

#[tokio::test]
async fn reasons_never_repeat_what_a_row_holds() {
    let b = Bench::new().await;
    let report = b
        .leads("lead_id,email,budget_min\nL1,secret@@x.example,1\nL2,ok@x.example,secret\n")
        .await;
    assert_eq!(report.failed, 2);
    assert!(!format!("{report:?}").contains("secret"));
}

#[tokio::test]
async fn the_same_file_again_changes_nothing_and_a_changed_one_updates() {
    let b = Bench::new().await;
    assert_eq!(counts(&b.leads(TWO_LEADS).await), [2, 0, 0, 0]);
    let before = b.text("SELECT max(updated_at) FROM leads");
    assert_eq!(counts(&b.leads(TWO_LEADS).await), [0, 0, 2, 0]);
    assert_eq!(b.text("SELECT max(updated_at) FROM leads"), before);
    let changed = TWO_LEADS.replace("Bo Chen", "Bo Tan");
    assert_eq!(counts(&b.leads(&changed).await), [0, 1, 1, 0]);
    let name = "SELECT name FROM leads WHERE lead_id = 'L2'";
    assert_eq!(b.text(name), "Bo Tan");
    assert_eq!(b.text("SELECT count(*) FROM campaign_leads"), "2");
    assert_eq!(b.text("SELECT count(*) FROM campaigns"), "1");
}

#[tokio::test]
async fn a_column_that_the_file_does_not_have_keeps_what_is_stored() {
    let b = Bench::new().await;
    b.leads("lead_id,email,name,budget_min\nL1,ann@x.example,Ann,5\n")
        .await;
    b.leads("lead_id,email\nL1,ann@new.example\n").await;
    let stored = "SELECT name || coalesce(budget_min, 'none') || email_key FROM leads";
    assert_eq!(b.text(stored), "Ann5ann@new.example");
    b.leads("lead_id,email,name,budget_min\nL1,ann@new.example,,\n")
        .await;
    assert_eq!(b.text(stored), "noneann@new.example");
}

#[tokio::test]
async fn unknown_columns_are_told_once_and_missing_ones_stop_the_import() {
    let b = Bench::new().await;
    let report = b
        .leads("lead_id,email,Shoe size\nL1,a@x.example,44\nL2,b@x.example,45\n")
        .await;
    assert_eq!(report.unknown_columns, ["Shoe size"]);
    assert_eq!(report.new, 2);
    let error = import_leads(&b.store, &b.keys, file("name,phone\nA,1\n"), into(None))
        .await
        .unwrap_err();
    let told = format!("{error:#}");
    assert!(told.contains("lead_id") && told.contains("email"), "{told}");
    assert_eq!(b.text("SELECT count(*) FROM leads"), "2");
}

#[tokio::test]
async fn leads_join_the_campaign_of_their_row_or_else_of_the_command() {
    let b = Bench::new().await;
    let csv = "lead_id,email,campaign\nL1,a@x.example,Spring\nL2,b@x.example,\n";
    let report = b.leads_into(csv, Some("Autumn")).await;
    assert_eq!(report.new_campaigns, ["Spring", "Autumn"]);
    let pairs = "SELECT group_concat(l.lead_id || '=' || c.name, ' ' ORDER BY l.lead_id, c.name)
         FROM campaign_leads cl JOIN leads l ON l.id = cl.lead_id
         JOIN campaigns c ON c.id = cl.campaign_id";
    assert_eq!(b.text(pairs), "L1=Spring L2=Autumn");
    let one = "lead_id,email\nL1,a@x.example\n";
    let report = b.leads_into(one, Some("Autumn")).await;
    assert_eq!(counts(&report), [0, 1, 0, 0]);
    assert_eq!(b.text(pairs), "L1=Autumn L1=Spring L2=Autumn");
}

#[tokio::test]
async fn ten_thousand_rows_go_in_by_transactions_with_progress() {
    let b = Bench::new().await;
    let mut csv = String::from("lead_id,email,campaign\n");
    for i in 0..10_000 {
        writeln!(csv, "L{i},lead{i}@x.example,Big").unwrap();
    }
    let calls = Arc::new(AtomicU64::new(0));
    let bytes = Arc::new(AtomicU64::new(0));
    let (c, l) = (Arc::clone(&calls), Arc::clone(&bytes));
    let options = ImportOptions {
        campaign: None,
        progress: Some(Arc::new(move |p| {
            c.fetch_add(1, Ordering::SeqCst);
            l.store(p.bytes, Ordering::SeqCst);
        })),
    };
    let report = import_leads(&b.store, &b.keys, file(&csv), options)
        .await
        .unwrap();
    assert_eq!(counts(&report), [10_000, 0, 0, 0]);
    assert!(calls.load(Ordering::SeqCst) >= 20, "500 rows a transaction");
    let length = u64::try_from(csv.len()).unwrap();
    assert_eq!(bytes.load(Ordering::SeqCst), length);
    let mut sent = String::from("message_id,email,campaign,date\n");
    for i in 0..10_000 {
        writeln!(sent, "<m{i}@x.example>,lead{i}@x.example,Big,2025-01-02").unwrap();
    }
    assert_eq!(counts(&b.sent(&sent).await), [10_000, 0, 0, 0]);
    assert_eq!(counts(&b.sent(&sent).await), [0, 0, 10_000, 0]);
}

#[tokio::test]
async fn other_writers_get_their_turn_between_the_transactions_of_an_import() {
    let b = Bench::new().await;
    let mut csv = String::from("lead_id,email\n");
    for i in 0..1500 {
        writeln!(csv, "L{i},lead{i}@x.example").unwrap();
    }
    let path = b.path.clone();
    let options = ImportOptions {
        campaign: None,
        progress: Some(Arc::new(move |p| {
            // Another process, which does not wait: the import holds no lock here.
            let other = Connection::open(&path).unwrap();
            other.busy_timeout(std::time::Duration::ZERO).unwrap();
            let key = format!("written at {}", p.rows);
            other
                .execute("INSERT OR REPLACE INTO meta VALUES (?1, '')", [key])
                .unwrap();
        })),
    };
    import_leads(&b.store, &b.keys, file(&csv), options)
        .await
        .unwrap();
    assert_eq!(
        b.text("SELECT count(*) FROM meta WHERE key LIKE 'written at%'"),
        "3"
    );
}

#[tokio::test]
async fn sent_mails_find_their_lead_by_key_or_by_address() {
    let b = Bench::new().await;
    b.leads(TWO_LEADS).await;
    let report = b
        .sent(
            "Message-ID,lead,campaign,date,subject,body\n\
             <One@X.Example>,L1,Spring,2025-01-02T03:04:05+04:00,Hello,\"Dear Ann,\nbye\"\n\
             two@x.example,BO@y.example,Spring,\"Thu, 02 Jan 2025 10:00:00 +0000\",,\n\
             <three@x.example>,L1,,2025-01-03 09:30,,\n\
             <four@x.example>,nobody@x.example,Spring,2025-01-03,,\n\
             <five@x.example>,L1,Spring,last week,,\n\
             not an id,L1,Spring,2025-01-03,,\n",
        )
        .await;
    assert_eq!(counts(&report), [3, 0, 0, 3], "{report:?}");
    let told: Vec<u64> = report.errors.iter().map(|e| e.line).collect();
    assert_eq!(told, [6, 7, 8], "the first row takes two lines");
    assert_eq!(
        b.text(
            "SELECT group_concat(i.id_key || '=' || l.lead_id || '@' || s.sent_at, ' '
                 ORDER BY s.id)
             FROM sent_ids i JOIN sent_messages s ON s.id = i.sent_id
             JOIN campaign_leads cl ON cl.id = s.campaign_lead_id JOIN leads l ON l.id = cl.lead_id"
        ),
        "One@x.example=L1@1735772645000 two@x.example=L2@1735812000000 \
         three@x.example=L1@1735896600000"
    );
    assert_eq!(
        b.text(
            "SELECT email_message_id || ' ' || message_sent || ' ' || message_sent_at
             FROM campaign_leads cl JOIN leads l ON l.id = cl.lead_id WHERE l.lead_id = 'L1'"
        ),
        "three@x.example 1 1735896600000"
    );
    assert_eq!(
        b.text("SELECT sender || agent_tool_used || message FROM conversations"),
        "agentmessage_generationDear Ann,\nbye"
    );
}

#[tokio::test]
async fn a_sent_mail_again_is_an_update_and_never_anothers() {
    let b = Bench::new().await;
    b.leads(TWO_LEADS).await;
    let first = "message_id,lead,campaign,date,subject,body\n\
                 <m@x.example>,L1,Spring,2025-01-02,Hi,text\n";
    assert_eq!(counts(&b.sent(first).await), [1, 0, 0, 0]);
    assert_eq!(counts(&b.sent(first).await), [0, 0, 1, 0]);
    let corrected = first.replace(",Hi,text", ",Hello,other text");
    assert_eq!(counts(&b.sent(&corrected).await), [0, 1, 0, 0]);
    let stored = b.text("SELECT subject || body FROM sent_messages");
    assert_eq!(stored, "Helloother text");
    assert_eq!(b.text("SELECT message FROM conversations"), "other text");

    let report = b.sent(&first.replace("L1", "L2")).await;
    let anothers = "The Message-ID is known already, as a mail to another lead";
    assert_eq!(lines(&report), [(2, anothers)]);
    let report = b.sent(&first.replace("Spring", "Autumn")).await;
    let elsewhere = "The Message-ID is known already, as a mail to this lead in another campaign";
    assert_eq!(lines(&report), [(2, elsewhere)]);
    assert_eq!(
        b.text("SELECT count(*) FROM campaigns"),
        "1",
        "a row that does not go in leaves nothing behind"
    );
    assert_eq!(b.text("SELECT count(*) FROM sent_messages"), "1");
}

#[tokio::test]
async fn one_address_of_two_leads_is_told_apart_by_the_campaign_or_refused() {
    let b = Bench::new().await;
    b.leads(
        "lead_id,email,campaign\nL1,same@x.example,Spring\nL2,Same@X.example,Autumn\n\
         L3,same@x.example,Autumn\n",
    )
    .await;
    assert_eq!(b.text("SELECT count(DISTINCT email_key) FROM leads"), "1");
    let report = b
        .sent(
            "message_id,email,campaign,date\n\
             <a@x.example>,same@x.example,Spring,2025-01-02\n\
             <b@x.example>,same@x.example,Autumn,2025-01-02\n\
             <c@x.example>,same@x.example,Winter,2025-01-02\n\
             <d@x.example>,same@x.example,,2025-01-02\n",
        )
        .await;
    assert_eq!(counts(&report), [1, 0, 0, 3], "{report:?}");
    let unclear = "The address belongs to 3 leads: name the lead by its lead_id";
    let many = "campaign is empty, and the lead is in more than one";
    assert_eq!(lines(&report), [(3, unclear), (4, unclear), (5, many)]);
    assert_eq!(b.text("SELECT count(*) FROM campaigns"), "2");
}

#[tokio::test]
async fn header_injection_is_refused_in_files_and_in_single_entries() {
    let b = Bench::new().await;
    b.leads(TWO_LEADS).await;
    let report = b
        .sent(
            "message_id,lead,campaign,date,subject\n\
             \"<a@x.example>\r\nBcc: v@y.example\",L1,Spring,2025-01-02,s\n\
             <b@x.example>,L1,Spring,2025-01-02,\"s\r\nBcc: v@y.example\"\n\
             <c@x.example>,L1,\"Spring\nX: y\",2025-01-02,s\n\
             <d@x.example>,L1,Spring,2025-01-02,s\0s\n",
        )
        .await;
    assert_eq!(counts(&report), [0, 0, 0, 4], "{report:?}");
    let report = b
        .leads("lead_id,name,email\nL9,\"A\r\nBcc: v@y.example\",a@x.example\n")
        .await;
    assert_eq!(counts(&report), [0, 0, 0, 1], "{report:?}");
    for (id, lead, campaign) in [
        ("<a@x.example>\r\nX: y", "L1", "Spring"),
        ("<a@x.example>", "L1", "Spring\r\nX: y"),
        ("<a@x.example>", "L1\nx", "Spring"),
    ] {
        assert!(b.add(id, lead, campaign).await.is_err(), "{id:?}");
    }
    assert_eq!(b.text("SELECT count(*) FROM sent_messages"), "0");
}

#[tokio::test]
async fn a_late_sent_mail_makes_the_messages_that_refer_to_it_come_again() {
    let b = Bench::new().await;
    b.leads(TWO_LEADS).await;
    let refers = ["m@x.example", "q@x.example"];
    let stranger = b.stored(1, "ignored", "other@z.example", &refers);
    let lead = b.stored(2, "unmatched", "ann@x.example", &["m@x.example"]);
    b.stored(3, "ignored", "z@z.example", &["other@x.example"]);
    b.stored(4, "own_mail", "z@z.example", &["m@x.example"]);
    let added = b.add(" <m@X.example> ", "ann@x.example", "").await.unwrap();
    assert_eq!((added.new, added.refetch), (true, 2));
    assert_eq!(b.refetch(), [stranger, lead]);
    let again = b.add("<m@x.example>", "L1", "Spring").await.unwrap();
    assert_eq!((again.new, again.refetch), (false, 0));
    assert_eq!(again.sent_id, added.sent_id);
    assert_eq!(b.refetch(), [stranger, lead]);
}

#[tokio::test]
async fn a_message_that_has_its_lead_is_not_fetched_again() {
    let b = Bench::new().await;
    b.leads(TWO_LEADS).await;
    let matched = b.stored(1, "ignored", "ann@x.example", &["m@x.example"]);
    b.sql()
        .execute(
            "UPDATE messages SET disposition = 'reply', campaign_lead_id = 1 WHERE id = ?1",
            [matched],
        )
        .unwrap();
    b.add("<m@x.example>", "L1", "Spring").await.unwrap();
    assert_eq!(b.refetch(), [0; 0]);
}

#[tokio::test]
async fn a_late_lead_or_a_new_address_makes_its_ignored_messages_come_again() {
    let b = Bench::new().await;
    let early = b.stored(1, "ignored", "ann@x.example", &[]);
    let later = b.stored(2, "ignored", "ann@new.example", &["q@x.example"]);
    b.stored(3, "ignored", "z@z.example", &[]);
    b.stored(4, "internal", "ann@x.example", &[]);
    assert_eq!(b.leads(TWO_LEADS).await.refetch, 1);
    assert_eq!(b.refetch(), [early]);
    assert_eq!(b.leads(TWO_LEADS).await.refetch, 0);
    let moved = TWO_LEADS.replace("ann@x.example", "Ann@New.example");
    assert_eq!(b.leads(&moved).await.refetch, 1);
    assert_eq!(b.refetch(), [early, later]);
}

#[tokio::test]
async fn the_id_of_a_sales_notice_never_becomes_a_key_for_a_lead() {
    let b = Bench::new().await;
    b.leads(TWO_LEADS).await;
    b.notice("notice@x.example");
    let refused = b.add("<notice@x.example>", "L1", "Spring").await;
    let told = format!("{:#}", refused.unwrap_err());
    assert!(told.contains("notice to sales"), "{told}");
    let sent = b.add("<m@x.example>", "L1", "Spring").await.unwrap();
    let hash = b.keys.hash("notice@x.example");
    let alias = b
        .store
        .write(move |tx| {
            tx.add_sent_id(
                sent.sent_id,
                "notice@x.example",
                IdSource::Taught,
                &hash,
                UtcMs(1),
            )
        })
        .await;
    assert!(!alias.unwrap());
    assert_eq!(b.text("SELECT count(*) FROM sent_ids"), "1");
    let known = b
        .store
        .read(|r| -> Result<_, StoreError> {
            Ok((
                r.is_notice_id("notice@x.example")?,
                r.is_notice_id("m@x.example")?,
                r.sent_by_id("notice@x.example")?,
                r.sent_by_id("m@x.example")?.map(|s| s.lead_email_key),
            ))
        })
        .await
        .unwrap();
    assert_eq!(known, (true, false, None, Some("ann@x.example".into())));
}

#[tokio::test]
async fn an_alias_is_added_once_and_makes_messages_come_again() {
    let b = Bench::new().await;
    b.leads(TWO_LEADS).await;
    let stored = b.stored(1, "ignored", "z@z.example", &["alias@p.example"]);
    let one = b.add("<m@x.example>", "L1", "Spring").await.unwrap();
    let two = b.add("<n@x.example>", "L2", "Spring").await.unwrap();
    assert_eq!(b.refetch(), [0; 0]);
    for (sent, new) in [(one, true), (one, false), (two, false)] {
        let hash = b.keys.hash("alias@p.example");
        let id = sent.sent_id;
        let added = b
            .store
            .write(move |tx| {
                tx.add_sent_id(id, "alias@p.example", IdSource::Provider, &hash, UtcMs(1))
            })
            .await;
        assert_eq!(added.unwrap(), new);
    }
    assert_eq!(b.refetch(), [stored]);
    assert_eq!(
        b.text("SELECT sent_id FROM sent_ids WHERE id_key = 'alias@p.example'"),
        one.sent_id.to_string()
    );
}

#[tokio::test]
async fn a_sent_mail_of_an_unknown_conversation_or_without_id_is_refused() {
    let b = Bench::new().await;
    b.leads(TWO_LEADS).await;
    let put = async |lead: i64, ids: &[&str]| {
        let mail = NewSent {
            campaign_lead_id: CampaignLeadId(lead),
            kind: SentKind::Answer,
            subject: "s".into(),
            body: "b".into(),
            sent_at: UtcMs(5),
            outbox_ref: None,
            ids: ids
                .iter()
                .map(|i| ((*i).to_owned(), IdSource::Own))
                .collect(),
        };
        b.store
            .write(move |tx| tx.insert_sent(&mail, &[], UtcMs(9)))
            .await
    };
    let unknown = put(99, &["a@x.example"]).await;
    assert!(matches!(unknown, Err(StoreError::NotFound(_))));
    for ids in [&[][..], &[""]] {
        let refused = put(1, ids).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))));
    }
    let both = put(1, &["a@x.example", "b@x.example"]).await.unwrap();
    assert_eq!(both, SentId(1));
    assert_eq!(put(1, &["b@x.example"]).await.unwrap(), both);
    put(2, &["c@x.example"]).await.unwrap();
    let mixed = put(1, &["a@x.example", "c@x.example"]).await;
    assert!(matches!(mixed, Err(StoreError::Invalid(_))));
    let own = "SELECT email_message_id FROM campaign_leads WHERE id = 1";
    assert_eq!(b.text(own), "a@x.example");
}

#[tokio::test]
async fn an_open_quote_is_told_and_what_stood_before_it_is_in() {
    let b = Bench::new().await;
    let open = "lead_id,email\nL1,a@x.example\nL2,\"b@x.example\nL3,c@x.example\n";
    let report = b.leads(open).await;
    assert_eq!(counts(&report), [1, 0, 0, 1]);
    assert_eq!(report.errors[0].line, 3);
    let long = format!(
        "lead_id,email\nL1,a@x.example\nL2,\"{}",
        "x".repeat(3 << 20)
    );
    let report = b.leads(&long).await;
    assert_eq!(counts(&report), [0, 0, 1, 1]);
    assert!(report.errors[0].reason.contains("1 MiB"));
}

#[tokio::test]
async fn a_file_of_bad_rows_keeps_a_bounded_report() {
    let b = Bench::new().await;
    let csv = format!("lead_id,email\n{}", "L,nothing\n".repeat(3000));
    let report = b.leads(&csv).await;
    assert_eq!((report.failed, report.errors.len()), (3000, 1000));
}
