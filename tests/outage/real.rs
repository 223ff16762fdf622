//! Dovecot stopped, a password changed, a network that swallows everything: short versions of
//! benches/outage.rs, with an interval of a second. Nothing depends on how fast it goes.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use replyd_sandbox::DelayProxy;

use crate::common::dovecot::{Options, PASSWORD};
use crate::common::host::MailHost;
use crate::common::wait_for;
use crate::world::{BACKUP, DESK, OPS, Settings, World, short};

/// A server that is away: told once, by every way, through the other account's server, also over
/// a restart; then told as over, with what was caught up.
#[test]
fn a_stopped_server_is_told_once_and_its_end_with_the_catch_up() {
    let mut world = World::new(Settings::default());
    let mut running = world.run();
    world.keep_backoff_short();
    assert_eq!(world.wait_for_health(200)["status"], "ok");

    world.host.dovecot.stop();
    // Its last session may outlive it by a moment.
    running.wait_for_rows("the desk to be down", |rows| {
        (rows.count("accounts WHERE name = 'desk' AND state = 'down'") == 1).then_some(())
    });
    for n in 0..5 {
        world.stranger_wrote(n);
    }
    let body = world.wait_for_health(503);
    assert_eq!(body["failing"], serde_json::json!(["desk"]), "{body}");
    let told = world.hook.wait_for(1);
    assert_eq!(short(&told), ["desk raised down"]);
    for fact in ["reason", "remedy", "since", "host"] {
        assert!(!told[0][fact].as_str().unwrap().is_empty(), "{fact}");
    }
    // Its own SMTP server cannot sign anybody in while Dovecot is away.
    let got = world.wait_for_ops(1);
    assert_eq!(got, ["replyd: account desk does not hear"]);
    let through = format!("sasl_username={BACKUP}");
    assert!(world.beside.postfix.log().contains(&through));

    // A restart in the middle: nothing is told again, and nothing is forgotten.
    running.kill();
    let mut running = world.start();
    for _ in 0..2 {
        running.wait_for_event("further tries", |event| {
            event["message"]
                .as_str()
                .is_some_and(|m| m.starts_with("connection ended"))
        });
    }
    assert_eq!(short(&world.hook.told()), ["desk raised down"]);

    world.host.dovecot.start_again();
    let told = world.hook.wait_for(2);
    assert_eq!(short(&told), ["desk raised down", "desk ended live"]);
    assert_eq!(told[1]["caught_up"], 5, "{}", told[1]);
    assert_eq!(told[1]["alert"], told[0]["alert"]);
    assert_eq!(world.wait_for_health(200)["status"], "ok");
    let rows = world.rows();
    assert_eq!(
        rows.count("messages WHERE account_id = (SELECT id FROM accounts WHERE name = 'desk')"),
        5
    );
    let got = world.wait_for_ops(2);
    assert_eq!(
        got,
        [
            "replyd: account desk does not hear",
            "replyd: account desk hears again"
        ]
    );
    assert_eq!(short(&world.command_told()), short(&told));
    // The operator's mails are nobody's replies: not of the desk, nor of the account beside it.
    let finished = running.terminate();
    finished.assert_code(0);
    for secret in ["hook-secret-1", PASSWORD] {
        assert!(!finished.output().contains(secret), "{}", finished.output());
    }
    let alarms: Vec<_> = finished
        .events()
        .into_iter()
        .filter(|e| e["level"] == "ERROR")
        .collect();
    assert!(alarms.is_empty(), "told before the restart: {alarms:?}");
}

/// A password that was changed: told at once, tried seldom, and over when it is mended.
#[test]
fn a_changed_password_is_told_at_once_and_not_tried_in_a_storm() {
    // Dovecot answers a wrong password after two seconds and more: three intervals of one second
    // without a look would be told before it.
    let mut world = World::new(Settings {
        interval: "6s",
        ..Settings::default()
    });
    let mut running = world.run();
    world.host.dovecot.set_password(DESK, "another one");
    world.host.dovecot.kick(DESK);
    let told = world.hook.wait_for(1);
    assert_eq!(short(&told), ["desk raised needs_sign_in"]);
    let got = world.wait_for_ops(1);
    assert_eq!(got, ["replyd: account desk needs sign-in"]);
    let alarm = running.wait_for_event("the alert in the log", |event| {
        event["level"] == "ERROR" && event["topic"] == "hearing"
    });
    assert!(
        alarm["message"].as_str().unwrap().contains("ALERT"),
        "{alarm}"
    );

    let status = world.replyd.run(&["status"]);
    status.assert_code(2);
    let text = status.stdout();
    for part in [
        "needs_sign_in",
        "do: Mend user and password",
        "next try at",
        "was told at",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(
        world.wait_for_health(503)["accounts"][0]["state"],
        "needs_sign_in"
    );
    let refused = world.host.dovecot.log().matches("auth failed").count();
    assert!(
        refused <= 2,
        "{refused} refused sign-ins: {}",
        world.host.dovecot.log()
    );
    running.terminate().assert_code(0);

    world.stranger_wrote(1);
    world.mend_password("another one");
    let running = world.start();
    let told = world.hook.wait_for(2);
    assert_eq!(short(&told)[1], "desk ended live");
    world.wait_for_health(200);
    assert_eq!(world.wait_for_ops(2).len(), 2);
    running.terminate().assert_code(0);
}

/// A network that takes everything and gives nothing: the listener waits for an answer that does
/// not come, and it is the sentinel that says so.
#[test]
fn a_silent_network_is_noticed_from_outside_while_the_listener_waits() {
    let start = |users: &[&str]| {
        MailHost::with(&Options {
            users,
            idle: true,
            plain_port: false,
        })
    };
    let (host, beside) = (start(&[DESK, OPS]), start(&[BACKUP, OPS]));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, host.dovecot.imaps_port()));
    let proxy = runtime
        .block_on(DelayProxy::start(server, Duration::ZERO))
        .unwrap();
    let settings = Settings {
        imap_port: Some(proxy.addr().port()),
        ..Settings::default()
    };
    let world = World::on(host, beside, settings);
    let mut running = world.run();
    world.keep_backoff_short();
    proxy.set_black_hole(true);
    world.stranger_wrote(1);
    let told = world.hook.wait_for(1);
    assert_eq!(short(&told), ["desk raised down"]);
    let body = world.wait_for_health(503);
    assert_eq!(body["failing"], serde_json::json!(["desk"]));
    running.wait_for_rows("the store to say it, too", |rows| {
        (rows.count("accounts WHERE name = 'desk' AND state = 'down'") == 1).then_some(())
    });
    // Its mails leave: only IMAP goes through the proxy.
    assert_eq!(
        world.wait_for_ops(1),
        ["replyd: account desk does not hear"]
    );
    let through = format!("sasl_username={DESK}");
    assert!(world.host.postfix.log().contains(&through));

    proxy.set_black_hole(false);
    let told = world.hook.wait_for(2);
    assert_eq!(short(&told)[1], "desk ended live");
    world.wait_for_health(200);
    wait_for("the mail to be captured", || {
        (world.rows().count("messages WHERE account_id = 1") == 1).then_some(())
    });
    let logins = world.host.dovecot.logins(DESK);
    assert!(logins <= 6, "{logins} sign-ins");
    running.terminate().assert_code(0);
}
