//! IDLE: refused, ended, mute, flooded, or announced at the wrong moment; and servers that do
//! not take commands behind DONE.

use std::sync::Arc;
use std::time::Duration;

use replyd_sandbox::Verb;
use replyd_sandbox::faults::{
    Action, AfterDone, Gate, IdleEvent, IdleMoment, ImapFault, Status, Times, raw,
};

use crate::scene::{HEALTHY, PATIENCE, POLL, PUSH, Scene, Setup, address, each, who};

fn tagged(moment: IdleMoment, status: Status) -> ImapFault {
    let text = "as the server pleases".to_owned();
    let event = IdleEvent::Tagged(status, text);
    ImapFault::Idle { moment, event }
}

fn refused(status: Status) -> ImapFault {
    ImapFault::Command {
        verb: Verb::Idle,
        action: Action::Tagged(status, "IDLE is off".to_owned()),
    }
}

/// No push in any of these: the poll finds the mail, on the one connection. A server that offers
/// IDLE and does not let it run is degraded, and its account says so.
#[tokio::test(flavor = "multi_thread")]
async fn servers_without_a_working_idle_are_polled_and_say_so_on_one_sign_in() {
    let hears = ("live", "hears by push");
    let polls = ("live", "this server offers no IDLE");
    let refuses = ("degraded", "the server refuses IDLE");
    let ends = ("degraded", "the server ended IDLE three times");
    let rows = vec![
        ("idle-not-offered", (ImapFault::Hide("IDLE".into()), polls)),
        ("idle-answered-no", (refused(Status::No), refuses)),
        ("idle-answered-bad", (refused(Status::Bad), refuses)),
        (
            "idle-answered-ok-at-once",
            (tagged(IdleMoment::BeforePlus, Status::Ok), ends),
        ),
        (
            "idle-ended-by-ok-again-and-again",
            (tagged(IdleMoment::AfterPlus, Status::Ok), ends),
        ),
        (
            "idle-ended-by-no-after-plus",
            (tagged(IdleMoment::AfterPlus, Status::No), refuses),
        ),
        ("idle-accepted-but-mute", (ImapFault::MuteIdle, hears)),
        ("exists-never-announced", (ImapFault::MuteExists, hears)),
        (
            "idle-keepalives-without-end-and-mute",
            (
                ImapFault::KeepAlive {
                    every: Duration::from_millis(20),
                    line: "* OK Still here".into(),
                },
                hears,
            ),
        ),
    ];
    let accounts: Vec<_> = rows.iter().map(|(name, _)| *name).collect();
    let scene = Scene::new(Setup::new(POLL), &accounts).await;
    for (account, (fault, _)) in &rows {
        scene.fault(account, Times::Always, fault.clone());
    }
    let keepalives = "idle-keepalives-without-end-and-mute";
    scene.fault(keepalives, Times::Always, ImapFault::MuteIdle);
    scene.run().await;
    each(
        &scene,
        rows,
        |scene, account, (_, (state, mode))| async move {
            scene.was(account, state, mode).await;
            scene.hears(account).await;
            scene.hears(account).await;
            let history = scene.history(account);
            let ok = |s: &str| s == "live" || s == state;
            assert!(history.iter().all(|c| ok(&c.state)), "{history:?}");
            assert_eq!(scene.logins(account), 1, "{account}");
        },
    )
    .await;
    scene.finish().await;
}

/// Every announcement leads to a look, wherever it stands: nothing but IDLE tells of mail here.
#[tokio::test(flavor = "multi_thread")]
async fn hints_at_odd_moments_and_floods_lose_no_announcement() {
    let scene = Scene::up(
        Setup::new(PUSH),
        &[
            "exists-before-plus",
            "exists-before-plus-behind-a-fetch",
            "exists-while-the-first-is-fetched",
            "exists-while-the-prefix-of-two-is-committed",
            "idle-ended-once-by-ok",
            "idle-150-unsolicited",
            "idle-150-exists",
            "fetch-150-unsolicited",
            "idle-vanished-and-expunge",
            "foreign-tagged-no",
            "done-answered-no",
        ],
    )
    .await;
    let rows: [(&'static str, Odd); 11] = [
        ("exists-before-plus", Odd::BeforePlus),
        (
            "exists-before-plus-behind-a-fetch",
            Odd::BeforePlusBehindFetch,
        ),
        ("exists-while-the-first-is-fetched", Odd::WhileFetched),
        (
            "exists-while-the-prefix-of-two-is-committed",
            Odd::WhileFetchBegins,
        ),
        (
            "idle-ended-once-by-ok",
            Odd::InIdle(IdleEvent::Tagged(Status::Ok, "Done".into())),
        ),
        ("idle-150-unsolicited", Odd::InIdle(IdleEvent::Burst(150))),
        (
            "idle-150-exists",
            Odd::InIdle(IdleEvent::Raw(raw::exists_burst(1, 150))),
        ),
        (
            "fetch-150-unsolicited",
            Odd::AtFetch(Action::Inject(
                [raw::burst(150), raw::exists_burst(1, 150)].concat(),
            )),
        ),
        (
            "idle-vanished-and-expunge",
            Odd::InIdle(IdleEvent::Raw(
                b"* VANISHED 700:710\r\n* 1 EXPUNGE\r\n* 0 EXISTS\r\n".to_vec(),
            )),
        ),
        (
            "foreign-tagged-no",
            Odd::AtFetch(Action::Inject(
                b"X77 NO not yours\r\nX78 BAD nor this\r\n".to_vec(),
            )),
        ),
        ("done-answered-no", Odd::AtDone),
    ];
    each(&scene, rows, odd).await;
    scene.finish().await;
}

enum Odd {
    BeforePlus,
    BeforePlusBehindFetch,
    WhileFetched,
    WhileFetchBegins,
    InIdle(IdleEvent),
    AtFetch(Action),
    AtDone,
}

async fn odd(scene: Arc<Scene>, account: &'static str, odd: Odd) {
    let faults = scene.sandbox.faults();
    let mut signed_in = 1;
    match odd {
        Odd::BeforePlus => {
            // A new session, whose first IDLE is held until there is news.
            let gate = Gate::new();
            faults.at(
                who(account),
                Times::Once,
                Verb::Idle,
                Action::HoldCommand(gate.clone()),
            );
            let early = scene.fault(account, Times::Once, ImapFault::ExistsBeforePlus);
            scene.sandbox.disconnect(&address(account)).unwrap();
            gate.reached(PATIENCE).await.unwrap();
            let id = scene.reply(account);
            gate.release();
            scene.captured(account, &id).await;
            assert_eq!(faults.fired(early), 1);
            signed_in = 2;
        }
        Odd::BeforePlusBehindFetch => {
            // The IDLE that goes out behind the FETCH is held until there is more news.
            let gate = Gate::new();
            faults.at(
                who(account),
                Times::Once,
                Verb::Idle,
                Action::HoldCommand(gate.clone()),
            );
            let early = scene.fault(account, Times::Once, ImapFault::ExistsBeforePlus);
            let first = scene.reply(account);
            gate.reached(PATIENCE).await.unwrap();
            let second = scene.reply(account);
            gate.release();
            scene.captured(account, &first).await;
            scene.captured(account, &second).await;
            assert_eq!(faults.fired(early), 1);
        }
        Odd::WhileFetched => {
            // The answer is fixed and held: the second mail is not in it.
            let gate = faults.hold(who(account), Verb::UidFetch);
            let first = scene.reply(account);
            gate.reached(PATIENCE).await.unwrap();
            let second = scene.reply(account);
            gate.release();
            scene.captured(account, &first).await;
            scene.captured(account, &second).await;
        }
        Odd::WhileFetchBegins => {
            let gate = Gate::new();
            faults.at(
                who(account),
                Times::Once,
                Verb::UidFetch,
                Action::HoldCommand(gate.clone()),
            );
            let first = scene.reply(account);
            gate.reached(PATIENCE).await.unwrap();
            let second = scene.reply(account);
            gate.release();
            scene.captured(account, &first).await;
            scene.captured(account, &second).await;
        }
        Odd::InIdle(event) => {
            let looks = faults.at(
                who(account),
                Times::Always,
                Verb::Idle,
                Action::Inject(Vec::new()),
            );
            let ends = matches!(event, IdleEvent::Tagged(..) | IdleEvent::Raw(_));
            scene.sandbox.in_idle(&address(account), event).unwrap();
            if ends {
                // Only the next IDLE can tell of the next mail: it must come by itself.
                scene.acted(account, looks, 1).await;
            }
        }
        Odd::AtFetch(action) => {
            faults.at(who(account), Times::Once, Verb::UidFetch, action);
        }
        Odd::AtDone => {
            // A reply to DONE that is no OK ends IDLE like any other.
            scene.fault(account, Times::Once, tagged(IdleMoment::AtDone, Status::No));
            let id = scene.reply(account);
            scene.captured(account, &id).await;
            scene.hears(account).await;
            return;
        }
    }
    scene.hears(account).await;
    scene.hears(account).await;
    assert_eq!(
        scene.logins(account),
        signed_in,
        "{account}: {:?}",
        scene.history(account)
    );
}

/// What follows DONE is answered BAD: learned once, kept in the store, and from then on DONE is
/// confirmed before the next command. (Thrown away without a word: `silent`.)
#[tokio::test(flavor = "multi_thread")]
async fn refused_pipelining_is_learned_remembered_and_loses_nothing() {
    let account = "after-done-bad";
    let scene = Scene::up(Setup::new(PUSH), &[account]).await;
    pipelining_is_learned(&scene, account, AfterDone::Bad).await;
    // The server that takes it is known to: one round trip for each mail.
    assert_eq!(scene.account::<String>(HEALTHY, "pipelines"), "untried");
    scene.finish().await;
    assert_eq!(scene.account::<String>(HEALTHY, "pipelines"), "yes");
}

pub(crate) async fn pipelining_is_learned(scene: &Scene, account: &'static str, manner: AfterDone) {
    let fault = scene.fault(account, Times::Always, ImapFault::AfterDone(manner));
    assert_eq!(scene.account::<String>(account, "pipelines"), "untried");
    let id = scene.reply(account);
    scene
        .was(account, "down", "does not take pipelined commands")
        .await;
    scene.captured(account, &id).await;
    assert_eq!(scene.account::<String>(account, "pipelines"), "no");
    scene.idling(account).await;
    scene.hears(account).await;
    scene.hears(account).await;
    assert_eq!(scene.logins(account), 2, "{account}");
    assert_eq!(
        scene.sandbox.faults().fired(fault),
        1,
        "{account} tried it again"
    );
}
