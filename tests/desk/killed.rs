//! Two at once, and `kill -9` around the commit of an approval.

use std::os::unix::process::ExitStatusExt;

use crate::common::desk::{Desk, stop};
use replyd::time::now;

/// A desk with a whole draft for the question of lead 0, as draft 1; no replyd runs.
fn desk() -> Desk {
    let desk = Desk::known(2);
    desk.replyd.ok(&["run", "--once"]);
    let lead = &desk.leads[0];
    let raw = lead.reply("How high are the service charges?").raw();
    desk.sandbox
        .deliver("desk@homes.example", "INBOX", &raw, Some(now().0))
        .expect("Deliver");
    desk.replyd.ok(&["run", "--once"]);
    desk.replyd
        .ok(&["drafts", "edit", "1", "--text", "They are 3 Euro a month."]);
    desk
}

/// Mails that the lead got.
fn got(desk: &Desk) -> usize {
    let to = &desk.leads[0].address;
    desk.sandbox
        .submissions()
        .iter()
        .filter(|m| m.to.contains(to))
        .count()
}

#[test]
fn an_approval_that_dies_before_or_after_its_commit_leaves_one_mail_or_an_open_draft() {
    for (point, state, mails) in [
        ("draft.before_commit", "open", 0),
        ("draft.committed", "approved", 1),
    ] {
        let desk = desk();
        let dead = desk
            .replyd
            .start_with(&["drafts", "approve", "1"], &[("REPLYD_CRASH_AT", point)])
            .finish();
        assert_eq!(dead.status.signal(), Some(9), "{point}: {}", dead.output());
        let rows = desk.replyd.rows();
        let found: String = rows.value("SELECT state FROM drafts", []);
        assert_eq!(found, state, "{point}");
        for of in [
            "outbox WHERE kind = 'manual'",
            "conversations WHERE sender = 'agent' AND outbox_ref IS NOT NULL",
            "sent_messages WHERE kind = 'manual'",
        ] {
            assert_eq!(rows.count(of), mails, "{point}: {of}");
        }
        // Whoever says it again gets it sent, or is told that it is.
        let again = desk.replyd.run(&["drafts", "approve", "1"]);
        let code = i32::from(mails == 1);
        assert_eq!(
            again.status.code(),
            Some(code),
            "{point}: {}",
            again.output()
        );
        desk.replyd.ok(&["process"]);
        assert_eq!(got(&desk), 1, "{point}");
        desk.replyd.ok(&["process", "--force"]);
        assert_eq!(got(&desk), 1, "{point}");
    }
}

#[test]
fn two_who_approve_at_once_send_one_mail_and_one_is_told() {
    let desk = desk();
    let mut running = desk.replyd.start(&["run"]);
    desk.listen(&mut running);
    let both = [0, 1].map(|_| desk.replyd.start(&["drafts", "approve", "1"]));
    let ended = both.map(|process| process.finish());
    let won = ended.iter().filter(|e| e.status.code() == Some(0)).count();
    assert_eq!(won, 1, "{ended:?}");
    let lost = ended
        .iter()
        .find(|e| e.status.code() == Some(1))
        .expect("One is second");
    assert!(
        lost.output().contains("approved already"),
        "{}",
        lost.output()
    );
    running.wait_for_rows("the mail to be sent", |rows| {
        (rows.count("outbox WHERE kind = 'manual' AND state = 'sent'") == 1).then_some(())
    });
    assert_eq!(got(&desk), 1);
    stop(running);
}
