//! Lead files: what goes in, what is told, again, and long ones.

use std::fmt::Write as _;

use super::*;

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
        erased_too: false,
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
        erased_too: false,
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
