//! `erase lead`: nothing of the lead is left in the database's files, and it does not come back by itself.

use std::time::Duration;

use replyd::time::now;

use super::common::scenario::{QUESTION, Scenario, Setting, WISH};

/// The files of the database as they lie on the disk.
fn bytes(s: &Scenario) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(s.replyd.database().parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("replyd.db") {
            all.extend(std::fs::read(path).unwrap());
        }
    }
    all
}

fn holds(all: &[u8], text: &str) -> bool {
    all.windows(text.len())
        .any(|w| w.eq_ignore_ascii_case(text.as_bytes()))
}

/// Sign-ins are rationed: two, then one a minute.
fn sign_in_at_once(s: &Scenario) {
    let sql = rusqlite::Connection::open(s.replyd.database()).unwrap();
    sql.execute(
        "UPDATE accounts SET login_tokens_ms = 120000, next_attempt_at = 0",
        [],
    )
    .unwrap();
}

#[test]
fn an_erased_lead_is_in_no_file_and_does_not_come_back_by_itself() {
    let s = Scenario::new(Setting {
        leads: 2,
        ..Setting::default()
    });
    s.import(Duration::from_secs(86_400));
    let lead = s.lead().clone();
    let other = s.leads[1].clone();
    let hour = Duration::from_secs(3600);
    // Two days ago the account was started: what comes now is answered.
    s.replyd.ok(&["run", "--once"]);
    s.shift_into_the_past(Duration::from_secs(3600));
    s.arrived(&lead, WISH, now());
    s.arrived(&other, QUESTION, now());
    let mail = format!(
        "From: {}\r\nTo: desk@homes.example\r\nMessage-ID: <second-0@people.example>\r\n\
         In-Reply-To: <{}>\r\nSubject: my cat Mirabelle\r\n\r\nMirabelle the cat asks about chargesxyz.\r\n",
        lead.from, lead.campaign_id
    );
    s.host
        .dovecot
        .deliver_at("desk@homes.example", mail, now().minus(hour / 2));
    s.replyd.ok(&["run", "--once"]);
    assert!(
        s.replyd
            .rows()
            .count("outbox WHERE kind = 'acknowledgment'")
            >= 1
    );
    let marks = [
        lead.address.as_str(),
        "Yes, I am interested",
        "Mirabelle",
        "second-0@people.example",
        lead.answer_id.as_str(),
    ];
    let before = bytes(&s);
    for mark in marks {
        assert!(holds(&before, mark), "{mark} is not there before");
    }
    let messages = s.replyd.rows().count("messages");

    let dry = s.replyd.ok(&["erase", "lead", &lead.lead_id]).output();
    assert!(
        dry.contains("Nothing was changed") && dry.contains("conversations:"),
        "{dry}"
    );
    assert!(holds(&bytes(&s), "Mirabelle"));
    s.replyd.run(&["erase", "lead", "nobody"]).assert_code(1);

    let said = s
        .replyd
        .ok(&["erase", "lead", &lead.address, "--yes", "--reason", "asked"])
        .output();
    assert!(said.contains("was erased"), "{said}");
    assert!(!said.contains("write-ahead log still"), "{said}");
    let after = bytes(&s);
    for mark in marks {
        assert!(!holds(&after, mark), "{mark} is still there");
    }
    let rows = s.replyd.rows();
    // Nothing that was counted is lost, and nobody else lost anything.
    assert_eq!(rows.count("messages"), messages);
    assert_eq!(
        rows.count("messages WHERE raw IS NOT NULL AND campaign_lead_id = 1"),
        0
    );
    assert_eq!(
        rows.count("messages WHERE disposition = 'reply' AND message_key LIKE 'erased:%'"),
        2
    );
    assert_eq!(
        rows.count("leads WHERE id = 1 AND name || email || phone = '' AND lead_id = 'erased-1'"),
        1
    );
    assert_eq!(
        rows.count(&format!(
            "leads WHERE id = 2 AND email = '{}'",
            other.address
        )),
        1
    );
    assert_eq!(
        rows.count("messages WHERE campaign_lead_id = 2 AND full_text <> '' AND raw IS NOT NULL"),
        1
    );
    assert_eq!(
        rows.count("outbox WHERE state IN ('queued', 'deferred') AND campaign_lead_id = 1"),
        0
    );
    assert_eq!(rows.count("pragma_foreign_key_check"), 0);
    let list = s.replyd.ok(&["erase", "list"]).output();
    assert!(
        list.contains("lead 1  erased") && list.contains("asked"),
        "{list}"
    );

    // A later mail of hers is a stranger's.
    let again = format!(
        "From: {}\r\nTo: desk@homes.example\r\nMessage-ID: <third-0@people.example>\r\n\
         In-Reply-To: <{}>\r\nSubject: Mirabelle\r\n\r\nMirabelle again\r\n",
        lead.from, lead.campaign_id
    );
    s.host
        .dovecot
        .deliver_at("desk@homes.example", again, now());
    sign_in_at_once(&s);
    s.replyd.ok(&["run", "--once"]);
    let rows = s.replyd.rows();
    assert_eq!(
        rows.count(
            "messages WHERE message_key = 'third-0@people.example' AND disposition = 'ignored'"
        ),
        1
    );
    assert!(!holds(&bytes(&s), "Mirabelle"));

    // An import does not bring her back, unless it is said; then she gets no mail all the same.
    let file = s.replyd.file(
        "again.csv",
        &format!(
            "lead_id,name,email\n{},Ann Lee,{}\n",
            lead.lead_id, lead.address
        ),
    );
    let refused = s.replyd.run(&["leads", "import", &file]);
    refused.assert_code(1);
    assert!(
        refused.output().contains("was erased on"),
        "{}",
        refused.output()
    );
    s.replyd.ok(&["leads", "import", &file, "--erased-too"]);
    let rows = s.replyd.rows();
    assert_eq!(
        rows.count(&format!("leads WHERE email = '{}'", lead.address)),
        1
    );
    assert_eq!(
        rows.count(&format!(
            "suppressions WHERE email_key = '{}' AND reason = 'erased before'",
            lead.address
        )),
        1
    );
}
