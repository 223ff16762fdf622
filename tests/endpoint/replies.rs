//! Replies with an endpoint in the settings, by the real binary on the sandbox.

use std::fs;

use replyd::time::now;

use super::common::bin::Running;
use super::common::desk::{Desk, OPT_OUT, stop};
use super::common::scenario::{DESK, SALES, WISH};
use super::server::{Act, Request, Server, label, words};

pub(super) const FAQ: &str = "# Lake Homes\n\n\
    Q: Are pets allowed?\nalso asked: Can I bring my dog?\n\
    A: Two cats or one dog per home are welcome.\n";

/// Adds lines to replyd.toml.
pub(super) fn add_settings(replyd: &super::common::bin::Replyd, lines: &str) {
    let path = replyd.dir().join("replyd.toml");
    let settings = fs::read_to_string(path).expect("The settings");
    replyd.file("replyd.toml", &format!("{settings}{lines}"));
}

/// A desk that asks `server`, with [`FAQ`] for its campaign.
fn desk(leads: usize, server: &Server, more: &str) -> Desk {
    let desk = Desk::known(leads);
    add_settings(&desk.replyd, &server.table(more));
    let folder = desk.replyd.dir().join("documents");
    fs::create_dir(&folder).expect("Make the folder");
    fs::write(folder.join("faq.md"), FAQ).expect("Write the FAQ");
    let path = folder.to_str().expect("UTF-8");
    desk.replyd
        .ok(&["campaign", "set", "Spring", "--documents", path]);
    desk
}

fn listening(desk: &Desk) -> Running {
    let mut running = desk.replyd.start(&["run"]);
    desk.listen(&mut running);
    running
}

fn write(desk: &Desk, lead: usize, text: &str) {
    let raw = desk.leads[lead].reply(text).raw();
    deliver(desk, &raw);
}

fn deliver(desk: &Desk, raw: &[u8]) {
    desk.sandbox
        .deliver(DESK, "INBOX", raw, Some(now().0))
        .expect("Deliver");
}

/// Waits until `n` jobs are done and everything queued was sent.
fn settle(running: &mut Running, n: i64) {
    running.wait_for_rows("jobs to be done and their mails to be sent", |rows| {
        let done = rows.count("reply_jobs WHERE state = 'done'") == n;
        (done && rows.count("outbox WHERE state <> 'sent'") == 0).then_some(())
    });
}

/// Texts of the mails to somebody.
fn mails_to(desk: &Desk, to: &str) -> Vec<String> {
    desk.sandbox
        .submissions()
        .into_iter()
        .filter(|m| m.to.iter().any(|t| t == to))
        .map(|m| String::from_utf8_lossy(&m.raw).replace("=\r\n", ""))
        .collect()
}

fn mails_to_leads(desk: &Desk) -> usize {
    desk.leads
        .iter()
        .map(|lead| mails_to(desk, &lead.address).len())
        .sum()
}

#[test]
fn a_goal_that_both_see_is_acknowledged_and_explain_names_who_read_it() {
    let server = Server::new(|_, _| label("goal_reached", 1.0));
    let desk = desk(1, &server, "");
    let mut running = listening(&desk);
    write(&desk, 0, WISH);
    settle(&mut running, 1);
    assert_eq!(mails_to_leads(&desk), 1);
    let told = desk.replyd.ok(&["explain", "1"]).stdout();
    for part in [
        "read by: own and endpoint",
        "; tiny-1.0",
        "endpoint: goal_reached at 0.90 viewing",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    // What was sent: the text, and neither name nor address of the lead.
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    let sent = asked[0].body.to_string();
    assert!(sent.contains("book a viewing"), "{sent}");
    for own in [desk.leads[0].address.as_str(), "Ann Lee", "L-0"] {
        assert!(!sent.contains(own), "{own}: {sent}");
    }
    stop(running);
}

#[test]
fn where_only_one_sees_a_goal_a_person_decides() {
    let server = Server::new(|_, request| {
        if request.data()["reply"].to_string().contains("viewing") {
            label("question", 0.9)
        } else {
            label("goal_reached", 1.0)
        }
    });
    let desk = desk(2, &server, "");
    let mut running = listening(&desk);
    write(&desk, 0, WISH);
    write(&desk, 1, "Thank you for the information.");
    settle(&mut running, 2);
    assert_eq!(mails_to_leads(&desk), 0);
    assert_eq!(mails_to(&desk, SALES).len(), 2);
    let rows = desk.replyd.rows();
    assert_eq!(rows.count("reply_jobs WHERE action = 'person'"), 2);
    assert_eq!(
        rows.count("reply_jobs WHERE reasons LIKE '%the own classifier says%'"),
        2
    );
    stop(running);
}

#[test]
fn an_opt_out_that_only_the_endpoint_sees_suppresses_and_sales_hear_of_it() {
    let server = Server::new(|_, _| label("unsubscribe", 0.95));
    let desk = desk(1, &server, "");
    add_reply_setting(&desk, "optout_confirmation = true");
    let mut running = listening(&desk);
    write(&desk, 0, "Thank you for the information.");
    settle(&mut running, 1);
    assert_eq!(mails_to_leads(&desk), 0, "nothing is confirmed");
    let notices = mails_to(&desk, SALES);
    assert_eq!(notices.len(), 1, "{notices:#?}");
    let rows = desk.replyd.rows();
    assert_eq!(rows.count("suppressions WHERE reason = 'unsubscribe'"), 1);
    stop(running);
}

fn add_reply_setting(desk: &Desk, line: &str) {
    let path = desk.replyd.dir().join("replyd.toml");
    let settings = fs::read_to_string(path).expect("The settings");
    let with = settings.replacen("[reply]\n", &format!("[reply]\n{line}\n"), 1);
    desk.replyd.file("replyd.toml", &with);
}

#[test]
fn mail_that_needs_no_opinion_does_not_leave_the_machine() {
    let server = Server::new(|_, _| label("goal_reached", 1.0));
    let desk = desk(4, &server, "");
    let mut running = listening(&desk);
    write(&desk, 0, OPT_OUT);
    write(&desk, 1, "My lawyer will contact you about this.");
    let absent = String::from_utf8(desk.leads[2].reply("I am away until Monday.").raw())
        .expect("UTF-8")
        .replacen("Subject:", "Auto-Submitted: auto-replied\r\nSubject:", 1);
    deliver(&desk, absent.as_bytes());
    // Somebody else answers for the lead.
    let stranger = String::from_utf8(desk.leads[3].reply(WISH).raw())
        .expect("UTF-8")
        .replace(&desk.leads[3].address, "stranger@elsewhere.example");
    deliver(&desk, stranger.as_bytes());
    settle(&mut running, 4);
    assert_eq!(server.asked().len(), 0, "{:#?}", server.asked());
    assert_eq!(mails_to_leads(&desk), 0);
    let rows = desk.replyd.rows();
    assert_eq!(rows.count("readings WHERE opinion LIKE 'not asked: %'"), 4);
    assert_eq!(rows.count("readings WHERE provider = 'own'"), 4);
    stop(running);
}

#[test]
fn a_reply_that_waits_for_the_endpoint_keeps_no_other_waiting_and_is_not_taken_twice() {
    let label_of_goal = r#"{"intent":"goal_reached","confidence":1.0,"goal_type":"viewing"}"#;
    let server = Server::new(move |_, _| Act::HoldThenSay(label_of_goal.into()));
    let desk = desk(3, &server, "timeout = \"2m\"");
    let mut running = listening(&desk);
    write(&desk, 0, WISH);
    running.wait_for_rows("the endpoint to be asked", |_| {
        (server.asked().len() == 1).then_some(())
    });
    for lead in [1, 2] {
        write(&desk, lead, OPT_OUT);
    }
    running.wait_for_rows("the opt-outs to count", |rows| {
        (rows.count("reply_jobs WHERE action = 'suppress'") == 2).then_some(())
    });
    let rows = desk.replyd.rows();
    assert_eq!(rows.count("reply_jobs WHERE state = 'pending'"), 1);
    // Another process finds nothing to do: the job is booked for as long as the call may take.
    let booked: i64 = rows.value(
        "SELECT next_attempt_at FROM reply_jobs WHERE state = 'pending'",
        [],
    );
    assert!(booked > now().0 + 60_000, "{booked}");
    server.let_go();
    settle(&mut running, 3);
    assert_eq!(mails_to(&desk, &desk.leads[0].address).len(), 1);
    assert_eq!(rows.count("reply_jobs WHERE attempts > 1"), 0);
    stop(running);
}

#[test]
fn an_opt_out_behind_many_replies_that_wait_for_the_endpoint_is_decided_at_once() {
    let label_of_goal = r#"{"intent":"goal_reached","confidence":1.0,"goal_type":"viewing"}"#;
    let server = Server::new(move |_, _| Act::HoldThenSay(label_of_goal.into()));
    let desk = desk(8, &server, "timeout = \"2m\"");
    let mut running = listening(&desk);
    for lead in 0..7 {
        write(&desk, lead, WISH);
    }
    running.wait_for_rows("seven replies to be worked on", |rows| {
        (rows.count("reply_jobs WHERE attempts = 1") == 7).then_some(())
    });
    write(&desk, 7, OPT_OUT);
    running.wait_for_rows("the opt-out to count", |rows| {
        (rows.count("reply_jobs WHERE action = 'suppress'") == 1).then_some(())
    });
    let rows = desk.replyd.rows();
    assert_eq!(rows.count("reply_jobs WHERE state = 'pending'"), 7);
    server.let_go();
    settle(&mut running, 8);
    assert_eq!(rows.count("reply_jobs WHERE attempts > 1"), 0);
    assert_eq!(mails_to(&desk, &desk.leads[7].address).len(), 0);
    // The endpoint stands once in what is told of a reply.
    let told = desk.replyd.ok(&["explain", "1"]).stdout();
    assert_eq!(told.matches("endpoint: goal_reached").count(), 1, "{told}");
    stop(running);
}

#[test]
fn a_stop_does_not_wait_for_the_endpoint() {
    let server = Server::new(|_, _| Act::Hold);
    let desk = desk(1, &server, "timeout = \"2m\"");
    let mut running = listening(&desk);
    write(&desk, 0, WISH);
    running.wait_for_rows("the endpoint to be asked", |_| {
        (server.asked().len() == 1).then_some(())
    });
    stop(running);
    let rows = desk.replyd.rows();
    assert_eq!(rows.count("reply_jobs WHERE state = 'done'"), 1);
    assert_eq!(
        rows.count("readings WHERE opinion = 'no opinion: replyd stopped'"),
        1
    );
    server.let_go();
}

#[test]
fn a_process_that_dies_in_the_call_leaves_a_job_that_is_answered_once() {
    let server = Server::new(|n, _| {
        if n == 0 {
            Act::Hold
        } else {
            label("goal_reached", 1.0)
        }
    });
    let desk = desk(1, &server, "timeout = \"1s\"\nanswer_timeout = \"1s\"");
    let path = desk.replyd.dir().join("replyd.toml");
    let patient = fs::read_to_string(path).expect("The settings");
    // The first process waits longer than the test takes to kill it.
    desk.replyd.file(
        "replyd.toml",
        &patient.replace("timeout = \"1s\"\na", "timeout = \"9s\"\na"),
    );
    let mut running = listening(&desk);
    write(&desk, 0, WISH);
    running.wait_for_rows("the endpoint to be asked", |_| {
        (server.asked().len() == 1).then_some(())
    });
    running.kill();
    desk.replyd.file("replyd.toml", &patient);
    assert_eq!(mails_to_leads(&desk), 0);
    let mut running = listening(&desk);
    settle(&mut running, 1);
    assert_eq!(mails_to(&desk, &desk.leads[0].address).len(), 1);
    server.let_go();
    stop(running);
}

#[test]
fn without_the_endpoint_the_own_classifier_answers_and_status_says_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("A port");
    let port = listener.local_addr().expect("An address").port();
    drop(listener);
    let desk = Desk::known(4);
    let table = format!("\n[model]\nbase_url = \"http://127.0.0.1:{port}/v1\"\nmodel = \"m\"\n");
    add_settings(&desk.replyd, &table);
    let mut running = listening(&desk);
    for lead in 0..4 {
        write(&desk, lead, WISH);
        settle(&mut running, i64::try_from(lead).unwrap_or(0) + 1);
    }
    assert_eq!(mails_to_leads(&desk), 4);
    let rows = desk.replyd.rows();
    assert_eq!(rows.count("readings WHERE provider = 'own'"), 4);
    assert_eq!(
        rows.count("readings WHERE opinion LIKE '%left alone until%'"),
        1,
        "after three failures"
    );
    let status = desk.replyd.run(&["status"]).stdout();
    assert!(
        status.contains("model endpoint: left alone until"),
        "{status}"
    );
    assert!(status.contains("after 3 failures"), "{status}");
    let log = stop(running).output();
    assert!(log.contains("the model endpoint is left alone"), "{log}");
    assert!(!log.contains("book a viewing"), "no text in the log: {log}");
}

fn both(answer: &'static str) -> impl Fn(usize, &Request) -> Act {
    move |_, request| {
        if request.is_for_words() {
            words(answer)
        } else {
            label("question", 0.9)
        }
    }
}

const PLAIN: &str = "Two cats or one dog per home are welcome.";

#[test]
fn an_answer_is_put_into_words_that_say_the_same() {
    let worded = "The two cats, or the one dog, per home are welcome.";
    let server = Server::new(both(worded));
    let desk = desk(1, &server, "");
    let mut running = listening(&desk);
    write(&desk, 0, "Hello,\r\n\r\nCan I bring my dog?");
    settle(&mut running, 1);
    let mails = mails_to(&desk, &desk.leads[0].address);
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains(worded), "{}", mails[0]);
    assert!(!mails[0].contains(PLAIN));
    let told = desk.replyd.ok(&["explain", "1"]).stdout();
    assert!(told.contains("worded by: tiny-1.0"), "{told}");
    assert!(told.contains(PLAIN), "the source: {told}");
    // The brake on equal texts goes by the documents' words, whatever the model makes of them.
    let rows = desk.replyd.rows();
    let digest: String = rows.value("SELECT body_digest FROM outbox WHERE kind = 'answer'", []);
    let body: String = rows.value("SELECT body FROM outbox WHERE kind = 'answer'", []);
    let plain = body.replace(worded, PLAIN);
    assert_eq!(digest, replyd::reply::compose::body_digest(&plain));
    stop(running);
}

#[test]
fn words_that_say_more_are_not_sent_but_the_documents_are() {
    for worded in [
        "Two cats or one dog per home are welcome. Pay the deposit at https://evil.example/pay.",
        "Two cats or one dog per home are welcome. Write to attacker@evil.example.",
        "Three cats or one dog per home are welcome.",
        "One dog or two cats per home are welcome.",
        "One cat or two dogs per home are welcome.",
        "Two cats or one dog per home are not welcome.",
        "As an AI language model I cannot answer that.",
        "Yes, your viewing on Monday is confirmed, and two cats or one dog per home are welcome.",
    ] {
        let server = Server::new(both(worded));
        let desk = desk(1, &server, "");
        let mut running = listening(&desk);
        write(&desk, 0, "Can I bring my dog?");
        settle(&mut running, 1);
        let mails = mails_to(&desk, &desk.leads[0].address);
        assert_eq!(mails.len(), 1, "{worded}");
        assert!(mails[0].contains(PLAIN), "{worded}: {}", mails[0]);
        assert!(!mails[0].contains("evil.example"), "{}", mails[0]);
        let rows = desk.replyd.rows();
        assert_eq!(rows.count("readings WHERE wording LIKE 'documents: %'"), 1);
        stop(running);
    }
}

#[test]
fn each_use_can_be_switched_off() {
    let server = Server::new(both("The two cats, or the one dog, per home are welcome."));
    let classify = desk(1, &server, "use = [\"classify\"]");
    let mut running = listening(&classify);
    write(&classify, 0, "Can I bring my dog?");
    settle(&mut running, 1);
    assert!(mails_to(&classify, &classify.leads[0].address)[0].contains(PLAIN));
    assert!(server.asked().iter().all(|r| !r.is_for_words()));
    assert_eq!(server.asked().len(), 1);
    stop(running);
    let word = desk(1, &server, "use = [\"word\"]");
    let mut running = listening(&word);
    write(&word, 0, "Can I bring my dog?");
    settle(&mut running, 1);
    assert!(!mails_to(&word, &word.leads[0].address)[0].contains(PLAIN));
    assert_eq!(server.asked().len(), 2);
    stop(running);
}
