//! Faults of IDLE.

use std::time::Duration;

use replyd_sandbox::faults::{
    Action, AfterDone, IdleEvent, IdleMoment, ImapFault, Status, Times, Who, raw,
};
use replyd_sandbox::{Options, Sandbox, Verb};

use crate::client::{ANN, Client, MAIL, SOON, sandbox};

fn once(sandbox: &Sandbox, fault: ImapFault) {
    sandbox.faults().add(Who::user(ANN), Times::Once, fault);
}

fn idle(moment: IdleMoment, event: IdleEvent) -> ImapFault {
    ImapFault::Idle { moment, event }
}

#[tokio::test]
async fn idle_is_refused() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::examined(&sandbox).await;
    let no = Action::Tagged(Status::No, "Not now".to_owned());
    sandbox
        .faults()
        .at(Who::user(ANN), Times::Once, Verb::Idle, no);
    assert_eq!(client.run("a IDLE").await, ["a NO Not now"]);
    client.send("b IDLE\r\n").await;
    assert_eq!(client.line().await, "+ idling");
}

#[tokio::test]
async fn the_connection_closes_before_the_plus_after_it_and_at_news() {
    let sandbox = sandbox(Options::default()).await;
    for (moment, event, wanted) in [
        (IdleMoment::BeforePlus, IdleEvent::Close, ""),
        (IdleMoment::AfterPlus, IdleEvent::Close, "+ idling\r\n"),
        (IdleMoment::AfterPlus, IdleEvent::Abort, "+ idling\r\n"),
    ] {
        let mut client = Client::examined(&sandbox).await;
        once(&sandbox, idle(moment, event));
        client.send("i IDLE\r\n").await;
        assert_eq!(client.rest().await, wanted);
    }
    let mut client = Client::idling(&sandbox).await;
    once(&sandbox, idle(IdleMoment::AtNews, IdleEvent::Close));
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    assert_eq!(client.rest().await, "", "the news was not announced");
    sandbox.wait_until(SOON, |s| s.idling == 0).await.unwrap();
}

#[tokio::test]
async fn bye_and_a_tagged_ok_that_nobody_asked_for() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::idling(&sandbox).await;
    sandbox
        .in_idle(ANN, IdleEvent::Bye("Throttled".to_owned()))
        .unwrap();
    assert_eq!(client.rest().await, "* BYE Throttled\r\n");

    sandbox.wait_until(SOON, |s| s.idling == 0).await.unwrap();
    let mut client = Client::idling(&sandbox).await;
    let ended = IdleEvent::Tagged(Status::Ok, "Idle for too long".to_owned());
    sandbox.in_idle(ANN, ended).unwrap();
    assert_eq!(client.line().await, "i OK Idle for too long");
    sandbox.wait_until(SOON, |s| s.idling == 0).await.unwrap();
    client.send("DONE\r\na NOOP\r\n").await;
    assert!(
        client.line().await.starts_with("DONE BAD"),
        "a late DONE is no command"
    );
    assert_eq!(client.line().await, "a OK NOOP completed");
}

#[tokio::test]
async fn news_is_announced_before_the_plus_and_only_then_the_fault_counts() {
    let sandbox = sandbox(Options::default()).await;
    let faults = sandbox.faults();
    let id = faults.add(Who::user(ANN), Times::Once, ImapFault::ExistsBeforePlus);
    let mut client = Client::idling(&sandbox).await;
    assert_eq!(faults.fired(id), 0);
    client.send("DONE\r\n").await;
    client.line().await;
    // The IDLE waits at the gate, the mail arrives, the IDLE goes on.
    let gate = faults.hold(Who::user(ANN), Verb::Idle);
    client.send("j IDLE\r\n").await;
    gate.reached(SOON).await.unwrap();
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    gate.release();
    assert_eq!(client.line().await, "* 1 EXISTS");
    assert_eq!(client.line().await, "* 1 RECENT");
    assert_eq!(client.line().await, "+ idling");
    assert_eq!(faults.fired(id), 1);
}

#[tokio::test]
async fn keepalives_without_end() {
    let sandbox = sandbox(Options::default()).await;
    once(
        &sandbox,
        ImapFault::KeepAlive {
            every: Duration::from_millis(5),
            line: "* OK Still here".to_owned(),
        },
    );
    let mut client = Client::idling(&sandbox).await;
    for _ in 0..20 {
        assert_eq!(client.line().await, "* OK Still here");
    }
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    while client.line().await != "* 1 EXISTS" {}
}

#[tokio::test]
async fn a_mute_idle_pushes_nothing_and_the_next_command_tells() {
    let sandbox = sandbox(Options::default()).await;
    once(&sandbox, ImapFault::MuteIdle);
    once(
        &sandbox,
        ImapFault::KeepAlive {
            every: Duration::from_millis(5),
            line: "* OK Still here".to_owned(),
        },
    );
    let mut client = Client::idling(&sandbox).await;
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    for _ in 0..10 {
        assert_eq!(client.line().await, "* OK Still here");
    }
    client.send("DONE\r\n").await;
    let answer = client.until("i").await.join("\n");
    assert!(
        answer.ends_with("* 1 EXISTS\n* 1 RECENT\ni OK IDLE completed"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_server_that_never_says_exists_still_answers_fetch() {
    let sandbox = sandbox(Options::default()).await;
    sandbox
        .faults()
        .add(Who::user(ANN), Times::Always, ImapFault::MuteExists);
    let mut client = Client::idling(&sandbox).await;
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    client.send("DONE\r\nf UID FETCH 1:* (UID)\r\n").await;
    let answer = client.until("f").await;
    let wanted = [
        "i OK IDLE completed",
        "* 1 FETCH (UID 1)",
        "f OK UID FETCH completed",
    ];
    assert_eq!(answer, wanted);
    assert_eq!(sandbox.stats().announcements, 0);
}

#[tokio::test]
async fn bytes_after_done_are_dropped_or_bad() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::idling(&sandbox).await;
    once(&sandbox, ImapFault::AfterDone(AfterDone::Drop));
    client.send("DONE\r\na NOOP\r\nj IDLE\r\n").await;
    assert_eq!(client.line().await, "i OK IDLE completed");
    assert_eq!(client.run("b NOOP").await, ["b OK NOOP completed"]);

    client.send("i IDLE\r\n").await;
    client.line().await;
    once(&sandbox, ImapFault::AfterDone(AfterDone::Bad));
    client.send("DONE\r\na NOOP\r\n").await;
    assert_eq!(client.line().await, "i BAD Expected DONE and nothing else");
    assert_eq!(client.run("c NOOP").await, ["c OK NOOP completed"]);
}

#[tokio::test]
async fn a_done_alone_does_not_use_up_the_fault() {
    let sandbox = sandbox(Options::default()).await;
    let faults = sandbox.faults();
    let drop = ImapFault::AfterDone(AfterDone::Drop);
    let id = faults.add(Who::user(ANN), Times::Once, drop);
    let mut client = Client::idling(&sandbox).await;
    client.send("DONE\r\n").await;
    assert_eq!(client.line().await, "i OK IDLE completed");
    assert_eq!(faults.fired(id), 0);
}

#[tokio::test]
async fn bursts_and_hostile_bytes_in_idle() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::idling(&sandbox).await;
    once(&sandbox, idle(IdleMoment::AtNews, IdleEvent::Burst(150)));
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    for n in 1..=150 {
        assert_eq!(client.line().await, format!("* OK Notice {n}"));
    }
    assert_eq!(client.line().await, "* 1 EXISTS");
    client.line().await;
    sandbox
        .in_idle(ANN, IdleEvent::Raw(raw::huge_literal(500_000_000)))
        .unwrap();
    assert_eq!(client.line().await, "* 1 FETCH (UID 1 BODY[] {500000000}");
}

#[tokio::test]
async fn an_event_at_done_replaces_its_answer() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::idling(&sandbox).await;
    once(&sandbox, idle(IdleMoment::AtDone, IdleEvent::BlackHole));
    client.send("DONE\r\na NOOP\r\n").await;
    let mut other = Client::ann(&sandbox).await;
    other.run("b NOOP").await;
    assert_eq!(
        sandbox.stats().imap(Verb::Noop),
        1,
        "the first client's was swallowed"
    );
}

#[tokio::test]
async fn all_sessions_of_a_user_are_cut_at_once() {
    let sandbox = sandbox(Options::default()).await;
    let mut idling = Client::idling(&sandbox).await;
    let mut waiting = Client::examined(&sandbox).await;
    let mut bob = Client::imap(&sandbox).await;
    bob.run("a LOGIN bob@example.com hidden").await;
    sandbox.disconnect(ANN).unwrap();
    assert_eq!(idling.rest().await, "");
    assert_eq!(waiting.rest().await, "");
    assert_eq!(bob.run("b NOOP").await, ["b OK NOOP completed"]);
    Client::examined(&sandbox).await;
}

#[tokio::test]
async fn a_new_uidvalidity_ends_an_idle() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::idling(&sandbox).await;
    sandbox.reset_uid_validity(ANN, "INBOX").unwrap();
    assert_eq!(client.rest().await, "* BYE The mailbox was reset\r\n");
}
