//! `[web]` and `[alerts]`: where requests are answered, and how the operator is told.

use std::time::Duration;

use secrecy::ExposeSecret;

use crate::{ACCOUNT, World, assert_has};

fn with(more: &str) -> World {
    World::with_toml(&format!("{ACCOUNT}\n{more}\n"))
}

#[test]
fn health_is_answered_on_loopback_unless_told_otherwise_or_off() {
    let listen = |world: &World| world.settings().web.listen.map(|a| a.to_string());
    assert_eq!(listen(&with("")), Some("127.0.0.1:8025".to_owned()));
    for (written, want) in [
        ("0.0.0.0:80", Some("0.0.0.0:80")),
        ("[::1]:9000", Some("[::1]:9000")),
        ("localhost:9000", Some("127.0.0.1:9000")),
        ("off", None),
        ("OFF", None),
    ] {
        let world = with(&format!("[web]\nlisten = \"{written}\""));
        assert_eq!(listen(&world), want.map(str::to_owned), "{written}");
    }
    let mut world = with("[web]\nlisten = \"127.0.0.1:1\"").var("REPLYD_WEB_LISTEN", "127.0.0.1:2");
    assert_eq!(listen(&world), Some("127.0.0.1:2".to_owned()));
    world.flags.listen = Some("off".to_owned());
    assert_eq!(listen(&world), None);
    for bad in ["8025", "localhost", "example.com:80", ""] {
        let error = with(&format!("[web]\nlisten = \"{bad}\"")).error();
        assert_has(&error, &["web.listen", "127.0.0.1:8025, or off"]);
    }
}

#[test]
fn a_webhook_is_https_and_is_never_shown() {
    let secret = "https://hooks.example.com/T0/secret-path-1";
    let loaded = with(&format!("[alerts]\nwebhook = \"{secret}\"")).loaded();
    let webhook = loaded.settings.alerts.webhook.as_ref().unwrap();
    assert_eq!(webhook.expose_secret(), secret);
    let shown = format!("{:?} {:?}", loaded.settings, loaded.effective);
    assert!(!shown.contains("secret-path-1"), "{shown}");
    let error = with("[alerts]\nwebhook = \"http://hooks.example.com/secret-path-1\"").error();
    assert_has(&error, &["alerts.webhook", "https://"]);
    assert!(!error.contains("secret-path-1"), "{error}");
    assert!(with("").settings().alerts.webhook.is_none());
}

#[test]
fn a_command_is_a_list_or_words_and_names_its_program_by_an_absolute_path() {
    let command = |world: World| world.settings().alerts.command;
    assert!(command(with("")).is_empty());
    let list = with("[alerts]\ncommand = [\"/usr/bin/tell\", \"a b\", \"$HOME\"]");
    assert_eq!(command(list), ["/usr/bin/tell", "a b", "$HOME"]);
    let words = with("").var("REPLYD_ALERTS_COMMAND", "/usr/bin/tell  --urgent");
    assert_eq!(command(words), ["/usr/bin/tell", "--urgent"]);
    let error = with("[alerts]\ncommand = [\"tell\"]").error();
    assert_has(&error, &["alerts.command", "absolute path"]);
}

#[test]
fn the_outbox_is_late_after_ten_minutes_and_a_session_is_replaced_within_a_day() {
    let settings = with("").settings();
    assert_eq!(settings.alerts.outbox_late, Duration::from_secs(600));
    assert_eq!(settings.listen.session_max, Duration::from_secs(23 * 3600));
    let settings =
        with("[alerts]\noutbox_late = \"1h\"\n[listen]\nsession_max = \"2h\"").settings();
    assert_eq!(settings.alerts.outbox_late, Duration::from_secs(3600));
    assert_eq!(settings.listen.session_max, Duration::from_secs(7200));
}

#[test]
fn a_lost_connection_is_told_within_a_minute() {
    let settings = with("").settings();
    assert_eq!(settings.alerts.lost_after, Duration::from_secs(45));
    let settings = with("[alerts]\nlost_after = \"5m\"").settings();
    assert_eq!(settings.alerts.lost_after, Duration::from_secs(300));
}

#[test]
fn an_account_is_stale_after_three_periods_of_looking() {
    let fresh = |listen: &str| {
        let settings = with(&format!("[listen]\n{listen}")).settings();
        settings.listen.fresh().as_secs()
    };
    assert_eq!(fresh(""), 180);
    assert_eq!(fresh("interval = 300"), 900);
    // A running replyd looks at least as often as IDLE is renewed.
    assert_eq!(fresh("interval = \"24h\""), 3 * 540);
}
