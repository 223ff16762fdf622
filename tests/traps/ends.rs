//! The connection ends, or the server refuses a command: never taken for an empty mailbox, and
//! nothing is lost.

use std::sync::Arc;

use replyd_sandbox::Verb;
use replyd_sandbox::faults::{Action, IdleEvent, IdleMoment, ImapFault, Status, Times};

use crate::scene::{HEALTHY, POLL, PUSH, Scene, Setup, each};

/// What goes wrong once, and what the state's reason must name.
struct Row {
    fault: ImapFault,
    reason: &'static str,
}

fn at(verb: Verb, action: Action, reason: &'static str) -> Row {
    Row {
        fault: ImapFault::Command { verb, action },
        reason,
    }
}

fn idle(moment: IdleMoment, event: IdleEvent, reason: &'static str) -> Row {
    Row {
        fault: ImapFault::Idle { moment, event },
        reason,
    }
}

fn no(text: &str) -> Action {
    Action::Tagged(Status::No, text.to_owned())
}

fn bad(text: &str) -> Action {
    Action::Tagged(Status::Bad, text.to_owned())
}

fn names(rows: &[(&'static str, Row)]) -> Vec<&'static str> {
    rows.iter().map(|(name, _)| *name).collect()
}

/// While a new mail is fetched, or announced. IDLE alone tells of mail here: what comes in time
/// was fetched because of the announcement, or by the look after the reconnect.
#[tokio::test(flavor = "multi_thread")]
async fn ends_and_refusals_while_a_mail_arrives_are_shown_and_the_mail_is_captured_once() {
    let fetch = Verb::UidFetch;
    let rows = vec![
        (
            "fetch-closed",
            at(fetch, Action::Close, "closed by the server during FETCH"),
        ),
        ("fetch-aborted", at(fetch, Action::Abort, "during FETCH")),
        (
            "fetch-truncated-in-a-line",
            at(
                fetch,
                Action::Truncate(20),
                "closed by the server during FETCH",
            ),
        ),
        (
            "fetch-closed-in-literal",
            at(
                fetch,
                Action::CloseInLiteral(40),
                "closed by the server during FETCH",
            ),
        ),
        (
            "fetch-closed-before-its-tag",
            at(
                fetch,
                Action::CloseAfterResponses(1),
                "closed by the server during FETCH",
            ),
        ),
        (
            "fetch-bye",
            at(
                fetch,
                Action::Bye("Going down".into()),
                "ended the connection during FETCH: Going down",
            ),
        ),
        (
            "fetch-no",
            at(
                fetch,
                no("Mailbox is locked"),
                "answered NO to FETCH: Mailbox is locked",
            ),
        ),
        (
            "fetch-bad",
            at(fetch, bad("What?"), "does not take pipelined commands"),
        ),
        (
            "fetch-unavailable",
            at(
                fetch,
                no("[UNAVAILABLE] Backend down"),
                "not available during FETCH [UNAVAILABLE]",
            ),
        ),
        (
            "idle-wait-closed",
            idle(
                IdleMoment::AtNews,
                IdleEvent::Close,
                "closed by the server during wait",
            ),
        ),
        (
            "idle-wait-aborted",
            idle(IdleMoment::AtNews, IdleEvent::Abort, "during wait"),
        ),
        (
            "idle-wait-bye",
            idle(
                IdleMoment::AtNews,
                IdleEvent::Bye("Shutting down".into()),
                "ended the connection during wait: Shutting down",
            ),
        ),
        (
            "idle-bye-before-plus",
            idle(
                IdleMoment::BeforePlus,
                IdleEvent::Bye("Too busy".into()),
                "ended the connection during",
            ),
        ),
        (
            "idle-closed-before-plus",
            idle(
                IdleMoment::BeforePlus,
                IdleEvent::Close,
                "closed by the server during",
            ),
        ),
    ];
    let scene = Scene::up(Setup::new(PUSH), &names(&rows)).await;
    each(&scene, rows, ends_once).await;
    scene.finish().await;
}

async fn ends_once(scene: Arc<Scene>, account: &'static str, row: Row) {
    scene.fault(account, Times::Once, row.fault);
    let during = [
        scene.reply(account),
        scene.reply(account),
        scene.reply(account),
    ];
    scene.was(account, "down", row.reason).await;
    for id in during {
        scene.captured(account, &id).await;
    }
    scene.was(account, "live", "").await;
    scene.idling(account).await;
    scene.hears(account).await;
    assert!(
        scene.logins(account) >= 2,
        "{account} never signed in again"
    );
}

/// While replyd signs in and looks for the first time.
#[tokio::test(flavor = "multi_thread")]
async fn ends_and_refusals_at_the_start_are_shown_and_overcome() {
    let rows = vec![
        (
            "sign-in-closed",
            at(
                Verb::Authenticate,
                Action::Close,
                "closed by the server during sign-in",
            ),
        ),
        (
            "sign-in-bye",
            at(
                Verb::Authenticate,
                Action::Bye("Not now".into()),
                "ended the connection during sign-in",
            ),
        ),
        (
            "sign-in-unavailable",
            at(
                Verb::Authenticate,
                no("[UNAVAILABLE] Directory down"),
                "not available during sign-in [UNAVAILABLE]",
            ),
        ),
        (
            "examine-closed",
            at(
                Verb::Examine,
                Action::Close,
                "closed by the server during EXAMINE",
            ),
        ),
        (
            "examine-aborted",
            at(Verb::Examine, Action::Abort, "during EXAMINE"),
        ),
        (
            "examine-cut-before-its-tag",
            at(
                Verb::Examine,
                Action::CloseAfterResponses(2),
                "closed by the server during EXAMINE",
            ),
        ),
        (
            "examine-bye",
            at(
                Verb::Examine,
                Action::Bye("Maintenance".into()),
                "ended the connection during EXAMINE: Maintenance",
            ),
        ),
        (
            "examine-no",
            at(
                Verb::Examine,
                no("[INUSE] Locked"),
                "not available during EXAMINE [INUSE]",
            ),
        ),
        (
            "examine-bare-no",
            at(
                Verb::Examine,
                no("Denied"),
                "answered NO to EXAMINE: Denied",
            ),
        ),
        (
            "examine-bad",
            at(Verb::Examine, bad("What?"), "answered BAD to EXAMINE"),
        ),
        (
            "search-closed",
            at(
                Verb::UidSearch,
                Action::Close,
                "closed by the server during SEARCH",
            ),
        ),
        (
            "search-cut",
            at(
                Verb::UidSearch,
                Action::CloseAfterResponses(1),
                "closed by the server during SEARCH",
            ),
        ),
        (
            "search-no",
            at(
                Verb::UidSearch,
                no("Not today"),
                "answered NO to SEARCH: Not today",
            ),
        ),
        (
            "search-bad",
            at(Verb::UidSearch, bad("What?"), "answered BAD to SEARCH"),
        ),
        (
            "first-fetch-closed",
            at(
                Verb::UidFetch,
                Action::Close,
                "closed by the server during FETCH",
            ),
        ),
        (
            "first-fetch-no",
            at(Verb::UidFetch, no("Locked"), "answered NO to FETCH"),
        ),
    ];
    let scene = Scene::new(Setup::new(PUSH), &names(&rows)).await;
    // An answer lies there before replyd ever looked: without it there is nothing to search for.
    let early: Vec<_> = names(&rows)
        .into_iter()
        .map(|account| (account, scene.reply(account)))
        .collect();
    for (account, row) in &rows {
        scene.fault(account, Times::Once, row.fault.clone());
    }
    scene.run().await;
    each(&scene, rows, |scene, account, row| async move {
        scene.was(account, "down", row.reason).await;
        scene.was(account, "live", "").await;
        scene.idling(account).await;
        scene.hears(account).await;
    })
    .await;
    for (account, id) in early {
        scene.captured(account, &id).await;
    }
    scene.finish().await;
}

/// When the poll breaks IDLE and looks again.
#[tokio::test(flavor = "multi_thread")]
async fn ends_and_refusals_at_the_poll_are_shown_and_overcome() {
    let rows = vec![
        (
            "done-closed",
            idle(
                IdleMoment::AtDone,
                IdleEvent::Close,
                "closed by the server during DONE",
            ),
        ),
        (
            "done-bye",
            idle(
                IdleMoment::AtDone,
                IdleEvent::Bye("Enough".into()),
                "ended the connection during DONE: Enough",
            ),
        ),
        (
            "poll-examine-closed",
            at(
                Verb::Examine,
                Action::Close,
                "closed by the server during EXAMINE",
            ),
        ),
        (
            "poll-examine-no",
            at(
                Verb::Examine,
                no("Mailbox does not exist"),
                "answered NO to EXAMINE",
            ),
        ),
        (
            "poll-examine-bye",
            at(
                Verb::Examine,
                Action::Bye("Bye now".into()),
                "ended the connection during EXAMINE",
            ),
        ),
    ];
    let scene = Scene::up(Setup::new(POLL), &names(&rows)).await;
    each(&scene, rows, |scene, account, row| async move {
        scene.fault(account, Times::Once, row.fault);
        scene.was(account, "down", row.reason).await;
        scene.hears(account).await;
        scene.hears(account).await;
    })
    .await;
    scene.finish().await;
}

/// A fault that stays: the state stays down, with its reason, until it heals; then everything
/// that came meanwhile is caught up. A server that kept ending IDLE is polled for a while.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_keeps_failing_is_down_until_it_heals_and_then_caught_up() {
    let rows = vec![
        (
            "always-closed-in-fetch",
            at(
                Verb::UidFetch,
                Action::Close,
                "closed by the server during FETCH",
            ),
        ),
        (
            "always-no-to-examine",
            at(
                Verb::Examine,
                no("Broken"),
                "answered NO to EXAMINE: Broken",
            ),
        ),
        (
            "always-bye-in-idle",
            idle(
                IdleMoment::AfterPlus,
                IdleEvent::Bye("Go away".into()),
                "ended the connection during",
            ),
        ),
    ];
    let scene = Scene::up(Setup::new(PUSH), &names(&rows)).await;
    scene.keep_backoff_short();
    each(&scene, rows, |scene, account, row| async move {
        let fault = scene.fault(account, Times::Always, row.fault);
        let first = scene.reply(account);
        // Ends the IDLE that began before the fault.
        scene
            .sandbox
            .disconnect(&crate::scene::address(account))
            .unwrap();
        scene.acted(account, fault, 2).await;
        scene.was(account, "down", row.reason).await;
        let second = scene.reply(account);
        scene.sandbox.faults().remove(fault);
        scene.captured(account, &first).await;
        scene.captured(account, &second).await;
        scene
            .until("to hear again", |s| {
                let state = s.account::<String>(account, "state");
                let reason = s.account::<String>(account, "state_reason");
                (state == "live" || reason.starts_with("polls every")).then_some(())
            })
            .await;
    })
    .await;
    scene.hears(HEALTHY).await;
    scene.finish().await;
}
