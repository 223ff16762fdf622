//! A question in a thread, from EXISTS to the answer or the draft.

use super::common::bin::Running;
use super::common::desk::{Desk, stop};
use super::common::scenario::{DESK, SALES, header};
use replyd::time::now;

const FAQ: &str = "# Lake Homes\n\n\
    Q: Are pets allowed?\nalso asked: Can I bring my dog?\n\
    A: Two cats or one dog per home are welcome.\n\n\
    Q: How much is a parking space?\nA: An underground parking space costs €24,000.\n\n\
    ## Heating\n\nThe homes are heated by a heat pump through underfloor pipes.\n\n\
    ## Completion\n\nBuilding A is completed in June 2027.\n";

/// A desk whose campaign has [`FAQ`], and a replyd that listens.
fn desk(leads: usize) -> (Desk, Running, std::path::PathBuf) {
    let desk = Desk::known(leads);
    let folder = desk.replyd.dir().join("documents");
    std::fs::create_dir(&folder).expect("Make the folder");
    std::fs::write(folder.join("faq.md"), FAQ).expect("Write the FAQ");
    let path = folder.to_str().expect("UTF-8");
    desk.replyd
        .ok(&["campaign", "set", "Spring", "--documents", path]);
    let mut running = desk.replyd.start(&["run"]);
    desk.listen(&mut running);
    (desk, running, folder)
}

fn write(desk: &Desk, lead: usize, text: &str) {
    let raw = desk.leads[lead].reply(text).raw();
    desk.sandbox
        .deliver(DESK, "INBOX", &raw, Some(now().0))
        .expect("Deliver");
}

/// Waits until `n` jobs are done and everything queued was sent.
fn settle(running: &mut Running, n: i64) {
    running.wait_for_rows("jobs to be done and their mails to be sent", |rows| {
        let done = rows.count("reply_jobs WHERE state = 'done'") == n;
        (done && rows.count("outbox WHERE state <> 'sent'") == 0).then_some(())
    });
}

fn mails_to(desk: &Desk, to: &str) -> Vec<String> {
    desk.sandbox
        .submissions()
        .into_iter()
        .filter(|m| m.to.iter().any(|t| t == to))
        .map(|m| String::from_utf8_lossy(&m.raw).replace("=\r\n", ""))
        .collect()
}

#[test]
fn a_question_is_answered_in_the_thread_with_the_words_of_the_faq() {
    let (desk, mut running, _) = desk(1);
    write(
        &desk,
        0,
        "Hello,\r\n\r\nCan I bring my dog?\r\n\r\nBest,\r\nAnn",
    );
    settle(&mut running, 1);
    let mails = mails_to(&desk, &desk.leads[0].address);
    assert_eq!(mails.len(), 1, "{mails:#?}");
    let mail = &mails[0];
    assert!(
        mail.contains("Two cats or one dog per home are welcome."),
        "{mail}"
    );
    assert!(
        mail.contains("---") && mail.contains("viewing"),
        "no nudge: {mail}"
    );
    assert!(!mail.contains("faq.md"), "the source is for people: {mail}");
    assert_eq!(
        header(mail, "In-Reply-To"),
        format!("<{}>", desk.leads[0].answer_id)
    );
    assert_eq!(header(mail, "Auto-Submitted"), "auto-replied");
    let rows = desk.replyd.rows();
    assert_eq!(rows.count("drafts"), 0);
    let line: String = rows.value(
        "SELECT agent_tool_used FROM conversations WHERE sender = 'agent'",
        [],
    );
    assert_eq!(line, "document_rag");
    let source: String = rows.value(
        "SELECT file || ':' || line || ' ' || quote FROM answer_sources WHERE used = 1",
        [],
    );
    assert_eq!(source, "faq.md:5 Two cats or one dog per home are welcome.");
    let told = desk.replyd.ok(&["explain", "1"]).stdout();
    assert!(told.contains("faq.md:5 (Are pets allowed?)"), "{told}");
    assert!(mails_to(&desk, SALES).is_empty());
    stop(running);
}

#[test]
fn what_the_documents_do_not_say_becomes_a_draft_and_sales_are_told() {
    let (desk, mut running, _) = desk(2);
    write(&desk, 0, "Is there a helicopter landing pad?");
    write(&desk, 1, "Are pets allowed? And is there a sauna?");
    settle(&mut running, 2);
    for lead in &desk.leads {
        assert!(mails_to(&desk, &lead.address).is_empty());
    }
    let notices = mails_to(&desk, SALES);
    assert_eq!(notices.len(), 2, "{notices:#?}");
    let about = |address: &str| {
        notices
            .iter()
            .find(|n| header(n, "Reply-To").contains(address))
            .unwrap_or_else(|| panic!("{notices:#?}"))
    };
    assert!(about(&desk.leads[0].address).contains("It has not been answered."));
    let both = about(&desk.leads[1].address);
    assert!(both.contains("faq.md:5"), "{both}");
    let rows = desk.replyd.rows();
    assert_eq!(rows.count("drafts WHERE state = 'open'"), 2);
    // What passed stands in the draft; what did not is left to a person.
    let draft = desk
        .replyd
        .ok(&[
            "drafts",
            "show",
            &rows
                .value::<i64>(
                    "SELECT d.id FROM drafts d JOIN messages m ON m.id = d.message_id
         WHERE m.visible_text LIKE '%sauna%'",
                    [],
                )
                .to_string(),
        ])
        .stdout();
    assert!(draft.contains("question 2"), "{draft}");
    assert!(
        draft.contains("Two cats or one dog") && draft.contains("quoted"),
        "{draft}"
    );
    stop(running);
}

#[test]
fn a_changed_file_is_picked_up_without_a_restart_and_a_broken_one_makes_drafts_only() {
    let (desk, mut running, folder) = desk(3);
    std::fs::write(folder.join("faq.md"), FAQ.replace("€24,000", "€26,500"))
        .expect("Write the FAQ");
    write(&desk, 0, "How much is a parking space?");
    settle(&mut running, 1);
    let mails = mails_to(&desk, &desk.leads[0].address);
    assert!(mails.iter().any(|m| m.contains("26,500")), "{mails:#?}");

    std::fs::write(folder.join("faq.md"), b"Q: broken \xff\xfe").expect("Break the FAQ");
    write(&desk, 1, "Are pets allowed?");
    settle(&mut running, 2);
    let mails = mails_to(&desk, &desk.leads[1].address);
    assert!(mails.is_empty(), "{mails:#?}");
    let rows = desk.replyd.rows();
    let draft: String = rows.value("SELECT body FROM drafts ORDER BY id DESC LIMIT 1", []);
    assert!(draft.contains("Two cats"), "{draft}");
    let check = desk.replyd.run(&["documents", "check"]);
    assert_eq!(check.status.code(), Some(1));
    assert!(check.stdout().contains("not UTF-8"), "{}", check.stdout());

    std::fs::remove_file(folder.join("faq.md")).expect("Remove the FAQ");
    write(&desk, 2, "Are pets allowed?");
    running.wait_for_rows("the third to be done", |rows| {
        (rows.count("reply_jobs WHERE state = 'done'") == 3).then_some(())
    });
    assert!(mails_to(&desk, &desk.leads[2].address).is_empty());
    stop(running);
}

#[test]
fn a_question_is_tried_on_documents_before_any_campaign_has_them() {
    let desk = Desk::known(1);
    let folder = desk.replyd.dir().join("documents");
    std::fs::create_dir(&folder).expect("Make the folder");
    std::fs::write(folder.join("faq.md"), FAQ).expect("Write the FAQ");
    let path = folder.to_str().expect("UTF-8");
    let asked = desk
        .replyd
        .ok(&[
            "documents",
            "ask",
            "How are the homes heated?",
            "--folder",
            path,
        ])
        .stdout();
    assert!(
        asked.contains("Would be sent") && asked.contains("heat pump"),
        "{asked}"
    );
    let set = desk
        .replyd
        .ok(&["campaign", "set", "Spring", "--documents", path])
        .stdout();
    assert!(set.contains("1 files, 4 passages"), "{set}");
    let list = desk
        .replyd
        .ok(&["documents", "list", "--passages"])
        .stdout();
    assert!(list.contains("Are pets allowed?"), "{list}");
    let asked = desk
        .replyd
        .ok(&[
            "documents",
            "ask",
            "Is there a sauna?",
            "--campaign",
            "Spring",
            "--json",
        ])
        .stdout();
    let json: serde_json::Value = serde_json::from_str(&asked).expect("JSON");
    assert_eq!(json["sent"], false);
    desk.replyd
        .ok(&["campaign", "set", "Spring", "--no-documents"]);
    assert!(
        desk.replyd
            .ok(&["documents", "list"])
            .stdout()
            .contains("No campaign")
    );
}

#[test]
fn a_process_that_dies_while_it_indexes_leaves_the_old_index_or_the_new() {
    for (point, found) in [
        ("documents.before_commit", "24,000"),
        ("documents.committed", "26,500"),
    ] {
        let (desk, running, folder) = desk(1);
        stop(running);
        let mut running = desk
            .replyd
            .start_with(&["run"], &[("REPLYD_CRASH_AT", point)]);
        desk.listen(&mut running);
        std::fs::write(folder.join("faq.md"), FAQ.replace("24,000", "26,500")).expect("Write");
        write(&desk, 0, "How much is a parking space?");
        running.finish();
        let rows = desk.replyd.rows();
        let price: String = rows.value(
            "SELECT body FROM doc_chunks WHERE heading LIKE '%parking%'",
            [],
        );
        assert!(price.contains(found), "{point}: {price}");
        assert_eq!(rows.count("outbox"), 0, "{point}");
        let mut running = desk.replyd.start(&["run"]);
        settle(&mut running, 1);
        let mails = mails_to(&desk, &desk.leads[0].address);
        assert_eq!(mails.len(), 1, "{point}");
        assert!(mails[0].contains("26,500"), "{point}: {mails:#?}");
        stop(running);
    }
}
