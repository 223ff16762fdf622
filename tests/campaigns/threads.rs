//! What leads an answer back where its thread headers are lost: Thread-Index, our own id in
//! References, and the address with a token, once doctor has seen such mail come in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::address::Envelope;

use super::common::bin::{Replyd, Running};
use super::common::desk::stop;
use super::common::lead::hand_over_raw;
use super::common::scenario::{DESK, Lead, SALES, Scenario, Setting, WISH, header};
use super::{FAST, TEMPLATE, configure, import};

/// One lead in campaign Spring, and a service that reads the account.
fn scene(account: &'static str) -> (Scenario, Running) {
    let scenario = Scenario::new(Setting {
        account,
        ..Setting::default()
    });
    let (replyd, lead) = (&scenario.replyd, scenario.lead());
    configure(replyd, FAST);
    let person = (
        lead.lead_id.clone(),
        "Ann Lee".to_owned(),
        lead.address.clone(),
    );
    import(replyd, [person]);
    let template = replyd.file("offer.txt", TEMPLATE);
    replyd.ok(&["campaign", "create", "Spring", "--template", &template]);
    let mut running = replyd.start(&["run"]);
    running.wait_for_rows("the account to be live", |rows| {
        (rows.count("accounts WHERE state = 'live' AND verified_at IS NOT NULL") == 1).then_some(())
    });
    (scenario, running)
}

/// Whether doctor says that mail to an address with a token comes in.
#[track_caller]
fn tried(replyd: &Replyd) -> bool {
    let said = replyd.run(&["doctor", "--json", "--send-test", "--wait", "60"]);
    let json: serde_json::Value = serde_json::from_str(&said.stdout()).expect("JSON");
    let groups = json["groups"].as_array().expect("Groups");
    let mut checks = groups
        .iter()
        .flat_map(|g| g["checks"].as_array().expect("Checks"));
    let plus = checks
        .find(|c| c["check"] == "test.plus_address")
        .unwrap_or_else(|| panic!("{json:#}"));
    plus["details"]["arrives"].as_bool().expect("A boolean")
}

/// Sends the campaign; the mail as it lies in the lead's mailbox.
#[track_caller]
fn sent(scenario: &Scenario) -> String {
    let replyd = &scenario.replyd;
    replyd.ok(&["campaign", "send", "Spring", "--wait"]);
    let mails = scenario.host.wait_for_mails(&scenario.lead().address, 1);
    mails.first().expect("The campaign mail").clone()
}

/// Hands over a mail of the lead without any header that refers to ours.
#[track_caller]
fn answers(scenario: &Scenario, lead: &Lead, to: &str, head: &str) {
    let raw = format!(
        "From: Ann Lee <{}>\r\nTo: <{to}>\r\nMessage-ID: <bare@people.example>\r\n\
         Date: Mon, 3 Aug 2026 10:00:00 +0000\r\nSubject: something else\r\n{head}\r\n{WISH}\r\n",
        lead.address
    );
    let envelope = Envelope::new(
        Some(lead.address.parse().expect("An address")),
        vec![to.parse().expect("An address")],
    )
    .expect("An envelope");
    hand_over_raw(&scenario.host.postfix, &envelope, raw.as_bytes());
}

/// Waits until the answer is decided; by what it was matched, and its disposition.
fn matched(running: &mut Running, scenario: &Scenario) -> (String, String) {
    running.wait_for_rows("the answer to be decided", |rows| {
        let stored = rows.count("messages WHERE message_key = 'bare@people.example'");
        let open = rows.count("reply_jobs WHERE state = 'pending'")
            + rows.count("outbox WHERE state IN ('queued', 'sending', 'deferred')");
        (stored == 1 && open == 0).then_some(())
    });
    let rows = scenario.replyd.rows();
    let of = |column: &str| -> String {
        let sql =
            format!("SELECT {column} FROM messages WHERE message_key = 'bare@people.example'");
        rows.value(&sql, [])
    };
    (of("match_method"), of("disposition"))
}

#[test]
fn an_address_with_a_token_is_used_once_it_is_proven_and_leads_a_bare_answer_back() {
    let (scenario, mut running) = scene("");
    scenario.host.postfix.set("recipient_delimiter", "+");
    assert!(tried(&scenario.replyd));
    let status = scenario.replyd.run(&["status"]).stdout();
    assert!(
        status.contains("asks for answers at an address with a token"),
        "{status}"
    );
    let mail = sent(&scenario);
    let reply_to = header(&mail, "Reply-To");
    let address = reply_to
        .split_once('<')
        .and_then(|(_, rest)| rest.strip_suffix('>'))
        .unwrap_or(&reply_to);
    let (user, domain) = DESK.split_once('@').expect("An address");
    assert!(
        address.starts_with(&format!("{user}+r")) && address.ends_with(domain),
        "{reply_to}"
    );
    assert!(header(&mail, "From").contains(DESK), "{mail}");

    answers(&scenario, scenario.lead(), address, "");
    let found = matched(&mut running, &scenario);
    assert_eq!(found, ("reply_address".to_owned(), "reply".to_owned()));
    // It is sure enough for an answer, which asks the same way.
    let mails = scenario.host.wait_for_mails(&scenario.lead().address, 2);
    let acknowledgement = mails.last().expect("The acknowledgement");
    let asks = header(acknowledgement, "Reply-To");
    assert!(
        asks.contains(&format!("{user}+r")) && asks != reply_to,
        "{asks}"
    );
    assert_eq!(
        guid(acknowledgement),
        guid(&mail),
        "one conversation for Outlook"
    );
    assert_eq!(
        header(acknowledgement, "Thread-Topic"),
        header(acknowledgement, "Subject")
    );
    let notices = scenario.host.wait_for_mails(SALES, 1);
    let notice = notices.first().expect("The notice");
    assert!(header(notice, "Reply-To").contains(&scenario.lead().address));
    assert!(!notice.contains("Thread-Index"), "{notice}");
    stop(running);
}

/// The characters of Thread-Index that hold the GUID alone.
#[track_caller]
fn guid(mail: &str) -> String {
    let index = header(mail, "Thread-Index");
    index.get(8..30).expect("A Thread-Index").to_owned()
}

#[test]
fn where_it_does_not_come_in_the_plain_address_stays_and_thread_index_leads_back() {
    let (scenario, mut running) = scene("");
    assert!(!tried(&scenario.replyd));
    let mail = sent(&scenario);
    assert!(!mail.contains("Reply-To:"), "{mail}");
    // Where a provider replaces the Message-ID, answers refer to this one too.
    assert_eq!(header(&mail, "References"), header(&mail, "Message-ID"));
    assert!(!mail.contains("In-Reply-To:"), "{mail}");
    assert_eq!(header(&mail, "Thread-Topic"), header(&mail, "Subject"));
    let index = header(&mail, "Thread-Index");
    assert_eq!(index.len(), 32, "{index}");

    // As Outlook answers: our index with a block of five bytes more, and no other header.
    let mut bytes = STANDARD.decode(&index).expect("Base64");
    bytes.extend_from_slice(&[0, 0, 1, 2, 0x10]);
    let head = format!("Thread-Index: {}\r\n", STANDARD.encode(bytes));
    answers(&scenario, scenario.lead(), DESK, &head);
    let found = matched(&mut running, &scenario);
    assert_eq!(found, ("thread_index".to_owned(), "reply".to_owned()));
    stop(running);
}

#[test]
fn never_means_never_whatever_was_proven() {
    let (scenario, running) = scene("reply_address = \"never\"");
    scenario.host.postfix.set("recipient_delimiter", "+");
    assert!(tried(&scenario.replyd));
    let mail = sent(&scenario);
    assert!(!mail.contains("Reply-To:"), "{mail}");
    let status = scenario.replyd.run(&["status"]).stdout();
    assert!(!status.contains("asks for answers"), "{status}");
    stop(running);
}
