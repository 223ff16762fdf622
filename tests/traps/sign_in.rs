//! Refused sign-ins, throttling, and the login budget: no storm, and `--once` obeys what is stored.

use std::sync::Arc;

use replyd_sandbox::faults::{Action, IdleEvent, IdleMoment, ImapFault, Status, Times};
use replyd_sandbox::{Sandbox, Verb};
use rusqlite::Connection;

use crate::common::bin::{Finished, Replyd};
use crate::scene::{
    HEALTHY, PATIENCE, PUSH, Scene, Setup, address, config, each, lists, now, who, wish,
};

const MINUTE: i64 = 60_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_sign_in_is_shown_at_once_and_not_tried_again_for_a_minute() {
    let rows = [
        (
            "authentication-failed",
            "[AUTHENTICATIONFAILED] Invalid credentials",
        ),
        ("bare-no", "LOGIN failed."),
        (
            "repeats-the-password",
            "No such user or password pass-7f3a9c",
        ),
    ];
    let scene = Scene::new(Setup::new(PUSH), &rows.map(|(name, _)| name)).await;
    for (account, text) in rows {
        scene.fault(account, Times::Always, ImapFault::RefuseLogin(text.into()));
    }
    scene.run().await;
    each(&scene, rows, |scene, account, _| async move {
        let change = scene
            .was(account, "needs_sign_in", "refuses the sign-in")
            .await;
        assert!(
            change.next_attempt_at - change.at > MINUTE - 5000,
            "{account}: {change:?}"
        );
        assert_eq!(scene.account::<i64>(account, "auth_refusals"), 1);
        assert_eq!(scene.logins(account), 1, "{account}");
        assert_eq!(scene.history(account).len(), 1, "{account}");
    })
    .await;
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttling_server_is_left_alone_for_as_long_as_it_asks_and_then_caught_up() {
    let asks = "Request is throttled. Suggested Backoff Time: 3000 milliseconds";
    let no = |verb, text: &str| ImapFault::Command {
        verb,
        action: Action::Tagged(Status::No, text.into()),
    };
    let bye = IdleEvent::Bye(asks.into());
    let rows = vec![
        (
            "throttled-in-idle-by-bye",
            (
                ImapFault::Idle {
                    moment: IdleMoment::AtNews,
                    event: bye,
                },
                3000,
            ),
        ),
        ("throttled-in-fetch-by-no", (no(Verb::UidFetch, asks), 3000)),
        (
            "authenticated-but-not-connected",
            (
                no(
                    Verb::Authenticate,
                    "User is authenticated but not connected.",
                ),
                0,
            ),
        ),
        ("throttled-at-sign-in", (no(Verb::Authenticate, asks), 3000)),
        (
            "throttled-at-examine-by-bad",
            (
                ImapFault::Command {
                    verb: Verb::Examine,
                    action: Action::Tagged(Status::Bad, asks.into()),
                },
                3000,
            ),
        ),
    ];
    let accounts: Vec<_> = rows.iter().map(|(name, _)| *name).collect();
    let scene = Scene::up(Setup::new(PUSH), &accounts).await;
    each(&scene, rows, |scene, account, (fault, wait)| async move {
        scene.fault(account, Times::Once, fault);
        if !account.starts_with("throttled-in-") {
            // It acts at the next connection.
            scene.sandbox.disconnect(&address(account)).unwrap();
        }
        let id = scene.reply(account);
        let asked = scene
            .was(account, "degraded", "the server asks us to wait")
            .await;
        scene.captured(account, &id).await;
        // A look is committed before the account is called live.
        scene.idling(account).await;
        let history = scene.history(account);
        let back = history
            .iter()
            .find(|c| c.at > asked.at)
            .expect("It came back");
        assert_eq!(back.state, "live", "{account}: {history:?}");
        // A little for the moment between the booking and the state.
        assert!(back.at - asked.at > wait - 100, "{account}: {history:?}");
        assert!(
            !history.iter().any(|c| c.state == "needs_sign_in"),
            "{account}: {history:?}"
        );
        scene.hears(account).await;
    })
    .await;
    scene.finish().await;
}

/// The real binary, its settings and its database, on a server in this process.
struct Once {
    sandbox: Sandbox,
    replyd: Replyd,
}

impl Once {
    async fn new(listen: &'static str) -> Arc<Self> {
        let setup = Setup {
            listen,
            ..Setup::new(PUSH)
        };
        let sandbox = Sandbox::start(setup.options.clone()).await.unwrap();
        for account in ["faulty", HEALTHY] {
            sandbox.add_user(&address(account), crate::scene::PASSWORD);
        }
        let replyd = Replyd::new("");
        let ca = replyd.file("ca.pem", sandbox.ca_pem());
        let database = replyd.database().display().to_string();
        replyd.file(
            "replyd.toml",
            &config(&sandbox, &setup, &["faulty", HEALTHY], &database, &ca),
        );
        let (people, sent) = lists(10);
        let (people, sent) = (
            replyd.file("leads.csv", &people),
            replyd.file("sent.csv", &sent),
        );
        let once = Arc::new(Self { sandbox, replyd });
        once.command(&["leads", "import", &people, "--campaign", "Lake"])
            .await
            .assert_code(0);
        once.command(&["sent", "import", &sent])
            .await
            .assert_code(0);
        once
    }

    /// Runs a command; the server in this process goes on meanwhile.
    async fn command(self: &Arc<Self>, args: &[&str]) -> Finished {
        let this = Arc::clone(self);
        let args: Vec<String> = args.iter().map(|&a| a.to_owned()).collect();
        tokio::task::spawn_blocking(move || {
            this.replyd
                .run(&args.iter().map(String::as_str).collect::<Vec<_>>())
        })
        .await
        .unwrap()
    }

    fn store(&self) -> Connection {
        let store = Connection::open(self.replyd.database()).unwrap();
        store.busy_timeout(PATIENCE).unwrap();
        store
    }

    fn faulty(&self, column: &str) -> i64 {
        let sql = format!("SELECT {column} FROM accounts WHERE name = 'faulty'");
        self.store().query_row(&sql, [], |row| row.get(0)).unwrap()
    }

    /// As if the wait were over.
    fn time_passes(&self) {
        let sql =
            "UPDATE accounts SET next_attempt_at = 1 WHERE name = 'faulty' AND next_attempt_at > 0";
        self.store().execute(sql, []).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn once_obeys_the_stored_backoff_and_after_three_refusals_tries_hourly() {
    let once = Once::new("login_every = \"0s\"\n").await;
    let refusal = ImapFault::RefuseLogin("[AUTHENTICATIONFAILED] Invalid credentials".into());
    let fault = once
        .sandbox
        .faults()
        .add(who("faulty"), Times::Always, refusal);
    for refused in 1..=4_i64 {
        let result = once.command(&["run", "--once"]).await;
        result.assert_code(2);
        assert!(result.stdout().contains("faulty"), "{}", result.output());
        assert!(
            !result.output().contains(crate::scene::PASSWORD),
            "{}",
            result.output()
        );
        assert_eq!(once.faulty("auth_refusals"), refused);
        let wait = once.faulty("next_attempt_at") - now();
        let due = if refused >= 3 { 60 * MINUTE } else { MINUTE };
        assert!(
            (due - 20_000..=due + 20_000).contains(&wait),
            "after {refused}: {wait} ms"
        );

        let tried = once.sandbox.stats().failed_logins;
        let result = once.command(&["run", "--once"]).await;
        result.assert_code(75);
        assert!(
            result.stdout().contains("next try at"),
            "{}",
            result.output()
        );
        assert_eq!(
            once.sandbox.stats().failed_logins,
            tried,
            "the server was asked before its time"
        );
        once.time_passes();
    }
    // A person has mended it: everything that came is caught up, and the count begins anew.
    once.sandbox.faults().remove(fault);
    for (n, account) in ["faulty", HEALTHY].into_iter().enumerate() {
        let raw = format!(
            "From: lead-{n}@people.example\r\nTo: {}\r\nSubject: Re: Homes\r\nMessage-ID: <caught-up-{n}@people.example>\r\n\
             In-Reply-To: <campaign-{n}@desk.example>\r\n\r\n{}\r\n",
            address(account),
            wish()
        );
        once.sandbox
            .deliver(&address(account), "INBOX", raw.as_bytes(), None)
            .unwrap();
    }
    once.command(&["run", "--once"]).await.assert_code(0);
    assert_eq!(once.faulty("auth_refusals"), 0);
    let sql = "SELECT count(*) FROM messages WHERE disposition = 'reply'";
    let captured: i64 = once.store().query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(captured, 2);
}

/// A server that takes the sign-in and then drops: two sign-ins, then one a minute.
#[tokio::test(flavor = "multi_thread")]
async fn the_login_budget_of_one_a_minute_holds_over_processes() {
    let once = Once::new("").await;
    let drop = Action::Close;
    once.sandbox
        .faults()
        .at(who("faulty"), Times::Always, Verb::Examine, drop);
    let count = Action::Inject(Vec::new());
    let logins = once
        .sandbox
        .faults()
        .at(who("faulty"), Times::Always, Verb::Authenticate, count);
    for tried in [1, 2, 2, 2] {
        once.command(&["run", "--once"]).await.assert_code(75);
        assert_eq!(once.sandbox.faults().fired(logins), tried);
        once.time_passes();
    }
    let result = once.command(&["run", "--once"]).await;
    result.assert_code(75);
    assert!(
        result.stdout().contains("next try at"),
        "{}",
        result.output()
    );
    assert_eq!(once.sandbox.faults().fired(logins), 2);
}
