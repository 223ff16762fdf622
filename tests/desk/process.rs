//! `replyd process`: what it tells of each reply, and of those that cannot be handled.

use serde_json::Value;

use crate::common::desk::Desk;
use crate::common::scenario::WISH;
use replyd::time::now;
use replyd_sandbox::faults::{SmtpAction, SmtpPoint, Times, Who};

/// Leads whose replies were captured, and wait.
fn desk(texts: &[&str]) -> Desk {
    let desk = Desk::known(texts.len());
    desk.replyd.ok(&["run", "--once"]);
    for (lead, text) in desk.leads.iter().zip(texts) {
        let raw = lead.reply(text).raw();
        desk.sandbox
            .deliver("desk@homes.example", "INBOX", &raw, Some(now().0))
            .expect("Deliver");
    }
    // Dies before it takes the first job: all wait.
    desk.replyd
        .start_with(&["run"], &[("REPLYD_CRASH_AT", "capture.committed")])
        .finish();
    desk
}

#[test]
fn each_reply_is_told_in_the_predecessors_words() {
    let desk = desk(&[WISH]);
    let told = desk.replyd.ok(&["process", "--json"]).stdout();
    let line = told.lines().find(|l| l.starts_with('{')).expect("A line");
    let json: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(json["success"], true, "{json}");
    assert_eq!(json["action_taken"], "notified_sales");
    assert_eq!(json["intent"], "goal_reached");
    assert_eq!(json["goal_type"], "viewing");
    assert_eq!(json["tool_used"], "acknowledgment");
    assert_eq!(json["notification_sent"], true);
    assert!(
        json["agent_response"]
            .as_str()
            .is_some_and(|t| t.contains("thank you")),
        "{json}"
    );
    let nothing = desk.replyd.ok(&["process"]).stdout();
    assert!(
        nothing.contains("No pending conversations to process."),
        "{nothing}"
    );
    // Pending and processed alike, nothing is sent twice; with --resend once more.
    let again = desk.replyd.ok(&["process", "--force"]).stdout();
    assert!(again.contains("skipped (intent: goal_reached)"), "{again}");
    assert!(
        again.contains("Completed: 1 processed, 0 errors"),
        "{again}"
    );
    let mails = |desk: &Desk| {
        let to = &desk.leads[0].address;
        let all = desk.sandbox.submissions();
        all.iter().filter(|m| m.to.contains(to)).count()
    };
    assert_eq!(mails(&desk), 1);
    // Not for whoever comes along: the reply has a name.
    let unnamed = desk.replyd.run(&["process", "--force", "--resend"]);
    assert_eq!(unnamed.status.code(), Some(64), "{}", unnamed.output());
    let done = desk.replyd.run(&["process", "1"]);
    assert!(done.output().contains("--force"), "{}", done.output());
    let nobody = desk.replyd.run(&["process", "77", "--force"]);
    assert_eq!(nobody.status.code(), Some(1), "{}", nobody.output());
    assert_eq!(mails(&desk), 1);
    desk.replyd
        .ok(&["process", "--conversation", "1", "--force", "--resend"]);
    assert_eq!(mails(&desk), 2);
}

#[test]
fn a_mail_that_the_server_refuses_or_puts_off_is_told_as_such() {
    for (code, action, exit) in [(550, "email_failed", 1), (451, "email_error", 75)] {
        let desk = desk(&[WISH]);
        let refusal = SmtpAction::Reply {
            code,
            text: "not this one".to_owned(),
        };
        let lead = Who::User(desk.leads[0].address.clone());
        let faults = desk.sandbox.faults();
        faults.at_smtp(lead, Times::Always, SmtpPoint::Rcpt, refusal);
        let told = desk.replyd.run(&["process", "--json"]);
        assert_eq!(told.status.code(), Some(exit), "{}", told.output());
        let json: Value = told
            .stdout()
            .lines()
            .find_map(|l| serde_json::from_str(l).ok())
            .expect("A line");
        assert_eq!(json["success"], false, "{json}");
        assert_eq!(json["action_taken"], action, "{json}");
        assert!(
            json["error"]
                .as_str()
                .is_some_and(|e| e.contains("not this one")),
            "{json}"
        );
        // Sales were told all the same.
        assert_eq!(json["notification_sent"], true, "{json}");
        // What was refused does not stand in the conversation: a person has its text, sales its line.
        let (rows, refused) = (desk.replyd.rows(), i64::from(code == 550));
        assert_eq!(
            rows.count("conversations WHERE sender = 'agent'"),
            1 - refused
        );
        assert_eq!(
            rows.count("drafts WHERE state = 'open' AND reason LIKE '%not this one%'"),
            refused
        );
        assert_eq!(rows.count("digest_items WHERE reason = 'refused'"), refused);
    }
}

#[test]
fn what_cannot_be_handled_is_told_and_shown_and_never_marked_as_processed() {
    let desk = desk(&[WISH]);
    let connection = rusqlite::Connection::open(desk.replyd.database()).expect("Open");
    let sql = |sql: &str| connection.execute_batch(sql).expect(sql);
    sql("CREATE TRIGGER broken BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'broken'); END");
    let failed = desk.replyd.run(&["process"]);
    assert_eq!(failed.status.code(), Some(1));
    let told = failed.stdout();
    assert!(
        told.contains("✗ Conversation 1: error (") && told.contains("tried again at "),
        "{told}"
    );
    assert!(told.contains("Completed: 0 processed, 1 errors"), "{told}");
    let rows = desk.replyd.rows();
    assert_eq!(
        rows.count("conversations WHERE auto_reply_processed = 1"),
        0
    );
    assert_eq!(
        rows.count("reply_jobs WHERE state = 'pending' AND error <> ''"),
        1
    );
    let status = desk.replyd.run(&["status"]).stdout();
    assert!(
        status.contains("of L-0, tried ")
            && status.contains("broken")
            && status.contains("again at "),
        "{status}"
    );
    sql("DROP TRIGGER broken");
    let mended = desk.replyd.ok(&["process"]).stdout();
    assert!(
        mended.contains("✓ Conversation 1: notified_sales"),
        "{mended}"
    );
}

/// A fixed bug: a failed reply of an account that had left the settings stood in the status for ever.
#[test]
fn a_reply_that_failed_for_good_is_closed_by_a_person() {
    let desk = desk(&[WISH]);
    let connection = rusqlite::Connection::open(desk.replyd.database()).expect("Open");
    let refused = desk.replyd.run(&["process", "1", "--close"]);
    refused.assert_code(1);
    assert!(
        refused.output().contains("has not failed"),
        "{}",
        refused.output()
    );
    connection
        .execute_batch(
            "UPDATE reply_jobs SET state = 'failed', error = 'Account 9 is no longer configured'",
        )
        .expect("Fail it");
    let status = desk.replyd.run(&["status"]).stdout();
    assert!(status.contains("no longer configured"), "{status}");
    desk.replyd.ok(&["process", "1", "--close"]);
    let status = desk.replyd.run(&["status"]).stdout();
    assert!(!status.contains("no longer configured"), "{status}");
    let rows = desk.replyd.rows();
    assert_eq!(rows.count("outbox"), 0);
    assert_eq!(rows.count("inbox WHERE person = 1"), 1);
    assert!(
        desk.replyd
            .ok(&["explain", "1"])
            .stdout()
            .contains("closed by "),
        "explain names who"
    );
}
