//! Questions on real Dovecot and Postfix: from EXISTS to the answer in the lead's mailbox.

use std::time::Duration;

use super::common::bin::Running;
use super::common::scenario::{SALES, Scenario, Setting, header};
use rusqlite::Connection;

const DAY: Duration = Duration::from_secs(86_400);

const BROCHURE: &str = "# Lake Homes\n\n## Pets\n\nTwo cats or one dog per home are welcome.\n\n\
    ## Parking\n\nAn underground parking space costs €24,000.\n\n\
    ## Heating\n\nThe homes are heated by a heat pump through underfloor pipes.\n";

fn watch(scenario: &Scenario) -> Running {
    let public = [("REPLYD_WEB_PUBLIC_URL", "https://replies.homes.example")];
    let mut running = scenario.replyd.start_with(&["run"], &public);
    running.wait_for_rows("the account to be live", |rows| {
        (rows.count("accounts WHERE state = 'live' AND verified_at IS NOT NULL") == 1).then_some(())
    });
    running
}

fn settled(running: &mut Running, jobs: i64) {
    running.wait_for_rows("the replies to be done and the mails sent", |rows| {
        let done = rows.count("reply_jobs WHERE state = 'done'") == jobs;
        (done && rows.count("outbox WHERE state <> 'sent'") == 0).then_some(())
    });
}

/// Ten minutes and more pass between two mails of a lead; nobody waits for them.
fn eleven_minutes_pass(scenario: &Scenario) {
    let database = Connection::open(scenario.replyd.database()).expect("Open the database");
    for change in [
        "UPDATE outbox SET created_at = created_at - 660000",
        "UPDATE sent_messages SET sent_at = sent_at - 660000, known_at = known_at - 660000",
    ] {
        database.execute(change, []).expect(change);
    }
}

#[test]
fn a_question_is_answered_in_its_thread_a_second_one_without_the_nudge_and_from_the_changed_file() {
    let scenario = Scenario::new(Setting::default());
    scenario.import(DAY);
    let folder = scenario.replyd.dir().join("documents");
    std::fs::create_dir(&folder).expect("Make the folder");
    std::fs::write(folder.join("brochure.md"), BROCHURE).expect("Write the brochure");
    let path = folder.to_str().expect("UTF-8");
    scenario
        .replyd
        .ok(&["campaign", "set", "Spring", "--documents", path]);
    let lead = scenario.lead();

    let mut running = watch(&scenario);
    let first = "Hello,\r\n\r\nwe have a labrador. Are dogs allowed?\r\n\r\nBest,\r\nAnn";
    lead.reply(first).send(&scenario.host.postfix);
    settled(&mut running, 1);
    let mails = scenario.host.wait_for_mails(&lead.address, 1);
    let mail = &mails[0];
    assert!(mail.contains("one dog per home are welcome"), "{mail}");
    assert!(mail.contains("\n---"), "no nudge: {mail}");
    assert!(!mail.contains("brochure.md"), "{mail}");
    assert_eq!(header(mail, "Auto-Submitted"), "auto-replied");
    assert_eq!(header(mail, "In-Reply-To"), format!("<{}>", lead.answer_id));
    assert_eq!(
        header(mail, "References"),
        format!("<{}> <{}>", lead.campaign_id, lead.answer_id)
    );
    let rows = scenario.replyd.rows();
    let source: String = rows.value(
        "SELECT file || ':' || line || ' ' || heading FROM answer_sources WHERE used = 1",
        [],
    );
    assert_eq!(source, "brochure.md:5 Pets");
    running.terminate().assert_code(0);

    // The price changes, and eleven minutes later the lead asks for it, answering our answer.
    eleven_minutes_pass(&scenario);
    std::fs::write(
        folder.join("brochure.md"),
        BROCHURE.replace("€24,000", "€26,500"),
    )
    .expect("Change the brochure");
    let ours = header(mail, "Message-ID");
    let ours = ours.trim_matches(['<', '>']).to_owned();
    let mut running = watch(&scenario);
    let mut second = lead.reply("And how much is a parking space?");
    second.in_reply_to = &ours;
    second.message_id = "answer-second@people.example";
    second.send(&scenario.host.postfix);
    settled(&mut running, 2);
    let mails = scenario.host.wait_for_mails(&lead.address, 2);
    let other = mails
        .iter()
        .find(|m| header(m, "Message-ID") != format!("<{ours}>"))
        .expect("A second answer");
    assert!(other.contains("26,500"), "{other}");
    assert!(!other.contains("\n---"), "a second nudge: {other}");
    assert!(
        scenario.host.dovecot.mailbox(SALES).is_empty(),
        "sales were told of answered questions"
    );
    running.terminate().assert_code(0);
}

#[test]
fn of_two_questions_with_one_answer_sales_get_what_is_known_and_the_lead_nothing() {
    let scenario = Scenario::new(Setting::default());
    scenario.import(DAY);
    let folder = scenario.replyd.dir().join("documents");
    std::fs::create_dir(&folder).expect("Make the folder");
    std::fs::write(folder.join("brochure.md"), BROCHURE).expect("Write the brochure");
    let path = folder.to_str().expect("UTF-8");
    scenario
        .replyd
        .ok(&["campaign", "set", "Spring", "--documents", path]);
    let lead = scenario.lead();
    let mut running = watch(&scenario);
    lead.reply("How are the homes heated? And is there a sauna?")
        .send(&scenario.host.postfix);
    settled(&mut running, 1);
    let notices = scenario.host.wait_for_mails(SALES, 1);
    let notice = &notices[0];
    assert!(header(notice, "Reply-To").contains(&lead.address));
    assert_eq!(header(notice, "Auto-Submitted"), "auto-generated");
    for what in ["brochure.md:13", "https://replies.homes.example/"] {
        assert!(
            notice
                .replace("=\r\n", "")
                .replace("=\n", "")
                .contains(what),
            "{what}: {notice}"
        );
    }
    let rows = scenario.replyd.rows();
    assert_eq!(rows.count("drafts WHERE state = 'open'"), 1);
    let draft: String = rows.value("SELECT body FROM drafts", []);
    assert!(draft.contains("heat pump"), "{draft}");
    let shown = scenario.replyd.ok(&["drafts", "show", "1"]).stdout();
    assert!(shown.contains("brochure.md:13"), "{shown}");
    scenario.assert_no_lead_got_mail(&rows);
    running.terminate().assert_code(0);
}
