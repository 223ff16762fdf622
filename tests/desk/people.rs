//! Drafts on real Dovecot and Postfix.

use crate::common::bin::Running;
use crate::common::desk::{OPT_OUT, stop};
use crate::common::lead::LeadReply;
use crate::common::scenario::{DESK, QUESTION, Scenario, Setting, header};
use replyd::time::now;

/// The first answer of a person.
const ANSWER: &str = "Subject: Re: Service charges\n\nDear Ann,\n\nthey are 3 Euro a month.\n\n\
                      Best regards,\nBob\n";

/// Leads who have their mail, and a replyd that listens.
fn scene(leads: usize) -> (Scenario, Running) {
    let scenario = Scenario::new(Setting {
        leads,
        ..Setting::default()
    });
    scenario.import(std::time::Duration::from_secs(86_400));
    let mut running = scenario.replyd.start(&["run"]);
    running.wait_for_event("the account to be live", |e| e["state"] == "live");
    (scenario, running)
}

fn wait(running: &mut Running, rows: &str) {
    running.wait_for_rows(rows, |r| (r.count(rows) == 1).then_some(()));
}

#[test]
fn a_draft_is_seen_edited_and_approved_and_the_lead_has_one_mail_that_threads() {
    let (scenario, mut running) = scene(1);
    let lead = scenario.lead();
    lead.reply(QUESTION).send(&scenario.host.postfix);
    wait(&mut running, "drafts WHERE state = 'open'");
    let replyd = &scenario.replyd;

    let list = replyd.ok(&["drafts", "list"]).stdout();
    assert!(
        list.contains("[wants text]") && list.contains("L-0"),
        "{list}"
    );
    let shown = replyd.ok(&["drafts", "show", "1"]).stdout();
    for part in [
        &format!("> {QUESTION}"),
        "Read as:  question",
        "Why:",
        "[write the answer here]",
        "It wants text: replyd drafts edit 1, or ",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // A frame is not sent.
    let refused = replyd.run(&["drafts", "approve", "1"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        refused.output().contains("wants text"),
        "{}",
        refused.output()
    );

    let file = replyd.file("answer.txt", ANSWER);
    replyd.ok(&["drafts", "edit", "1", "--file", &file]);
    let json = replyd.ok(&["drafts", "show", "1", "--json"]).stdout();
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["subject"], "Re: Service charges");
    assert_eq!(json["wants_text"], false);
    assert!(
        json["made_body"]
            .as_str()
            .is_some_and(|b| b.contains("[write the answer here]")),
        "{json}"
    );
    let approved = replyd.ok(&["drafts", "approve", "1"]).stdout();
    assert!(approved.contains("lead0@people.example"), "{approved}");

    let mails = scenario.host.wait_for_mails(&lead.address, 1);
    let mail = &mails[0];
    assert!(mail.contains("they are 3 Euro a month."), "{mail}");
    assert_eq!(header(mail, "In-Reply-To"), format!("<{}>", lead.answer_id));
    assert_eq!(
        header(mail, "References"),
        format!("<{}> <{}>", lead.campaign_id, lead.answer_id)
    );
    assert_eq!(header(mail, "Subject"), "Re: Service charges");
    assert!(header(mail, "From").contains(DESK), "{mail}");
    assert!(!mail.contains("Auto-Submitted"), "{mail}");
    assert_eq!(header(mail, "X-Replyd"), "manual");

    // Again: refused with what happened, and no second mail.
    let again = replyd.run(&["drafts", "approve", "1"]);
    assert_eq!(again.status.code(), Some(1));
    let told = again.output();
    assert!(
        told.contains("Draft 1 is approved already") && told.contains("mail "),
        "{told}"
    );
    let rows = replyd.rows();
    assert_eq!(rows.count("outbox WHERE kind = 'manual'"), 1);
    let line: String = rows.value(
        "SELECT sender || ' ' || agent_tool_used || ' ' || email_in_reply_to FROM conversations
         WHERE outbox_ref IS NOT NULL AND sender = 'agent'",
        [],
    );
    assert_eq!(line, format!("agent unknown {}", lead.answer_id));

    // The lead's next reply, to that mail, is known in its thread, which people have now.
    let ours = header(mail, "Message-ID");
    LeadReply {
        in_reply_to: ours.trim_matches(['<', '>']),
        message_id: "answer-next@people.example",
        ..lead.reply("Yes, please book a viewing for me on Saturday.")
    }
    .send(&scenario.host.postfix);
    wait(
        &mut running,
        "drafts WHERE state = 'open' AND reason LIKE '%a person wrote%'",
    );
    assert_eq!(scenario.host.dovecot.mailbox(&lead.address).len(), 1);
    // Decided again, the first reply has its answer: no new draft, no mail.
    stop(running);
    let again = replyd.ok(&["process", "--force"]).stdout();
    assert!(
        again.contains("Completed: 2 processed, 0 errors"),
        "{again}"
    );
    let rows = replyd.rows();
    assert_eq!(rows.count("drafts"), 2);
    assert_eq!(rows.count("outbox WHERE kind <> 'sales_notice'"), 1);
}

#[test]
fn what_was_rejected_is_not_asked_again_and_an_opt_out_closes_what_waits() {
    let (scenario, mut running) = scene(2);
    let replyd = &scenario.replyd;
    scenario.leads[0]
        .reply(QUESTION)
        .send(&scenario.host.postfix);
    wait(&mut running, "drafts WHERE state = 'open'");
    replyd.ok(&["drafts", "reject", "1", "--reason", "called her"]);
    let all = replyd.ok(&["drafts", "list", "--all"]).stdout();
    assert!(
        all.contains("rejected") && all.contains("called her"),
        "{all}"
    );
    assert!(
        replyd
            .ok(&["drafts", "list"])
            .stdout()
            .contains("No draft waits."),
        "it waits"
    );

    scenario.leads[1]
        .reply(QUESTION)
        .send(&scenario.host.postfix);
    wait(&mut running, "drafts WHERE state = 'open'");
    LeadReply {
        message_id: "answer-out@people.example",
        ..scenario.leads[1].reply(OPT_OUT)
    }
    .send(&scenario.host.postfix);
    wait(
        &mut running,
        "drafts WHERE state = 'superseded' AND decision LIKE 'the lead wants no more mail%'",
    );
    let late = replyd.run(&["drafts", "approve", "2", "--text", "Hello", "--anyway"]);
    assert_eq!(late.status.code(), Some(1));
    assert!(
        late.output().contains("superseded already"),
        "{}",
        late.output()
    );
    // Opened again it is refused for the opt-out, whatever --anyway says…
    replyd.ok(&["drafts", "reopen", "2"]);
    let refused = replyd.run(&["drafts", "approve", "2", "--text", "Hello", "--anyway"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        refused.output().contains("--to-suppressed"),
        "{}",
        refused.output()
    );
    assert!(
        scenario
            .host
            .dovecot
            .mailbox(&scenario.leads[1].address)
            .is_empty()
    );
    // …and sent, once, to whom it was meant for.
    replyd.ok(&[
        "drafts",
        "approve",
        "2",
        "--text",
        "Your data is erased.",
        "--anyway",
        "--to-suppressed",
    ]);
    let mails = scenario.host.wait_for_mails(&scenario.leads[1].address, 1);
    assert!(mails[0].contains("Your data is erased."), "{mails:?}");
    assert_eq!(replyd.rows().count("suppressions"), 1);
    stop(running);

    replyd.ok(&["process", "--force"]);
    let rows = replyd.rows();
    assert_eq!(rows.count("drafts WHERE state = 'open'"), 0);
    assert_eq!(rows.count("drafts"), 2);
    assert!(
        scenario
            .host
            .dovecot
            .mailbox(&scenario.leads[0].address)
            .is_empty()
    );
}

#[test]
fn an_editor_changes_the_draft_and_a_failing_one_changes_nothing() {
    let scenario = Scenario::new(Setting::default());
    scenario.import(std::time::Duration::from_secs(86_400));
    scenario.replyd.ok(&["run", "--once"]);
    scenario.arrived(scenario.lead(), QUESTION, now());
    scenario.replyd.ok(&["run", "--once"]);
    let replyd = &scenario.replyd;
    let edit = |editor: &str| {
        replyd
            .start_with(&["drafts", "edit", "1"], &[("EDITOR", editor)])
            .finish()
    };
    let filled = edit("sed -i -e 's/.write the answer here./They are 3 Euro./'");
    filled.assert_code(0);
    assert!(
        filled.stdout().contains("drafts approve 1"),
        "{}",
        filled.output()
    );
    let body: String = replyd.rows().value("SELECT body FROM drafts", []);
    assert!(
        body.contains("They are 3 Euro.") && !body.contains(QUESTION),
        "{body}"
    );
    let same = edit("true");
    assert!(
        same.stdout().contains("Nothing was changed"),
        "{}",
        same.output()
    );
    let failed = edit("false");
    assert_eq!(failed.status.code(), Some(1));
    // Without a terminal and without an editor there is a way all the same.
    let none = replyd.run(&["drafts", "edit", "1"]);
    assert!(none.output().contains("--file"), "{}", none.output());
    let edits: i64 = replyd.rows().value("SELECT version FROM drafts", []);
    assert_eq!(edits, 2);
}
