//! `[web]`: the check on view, proxies, and the predecessor's JWTs.

use std::time::Duration;

use replyd::config::Network;
use secrecy::ExposeSecret;

use crate::{ACCOUNT, World, assert_has};

const KEY: &str = "a signing key of some length";

fn with(more: &str) -> World {
    World::with_toml(&format!("{ACCOUNT}\n[web]\n{more}\n"))
}

#[test]
fn a_view_waits_for_its_mailbox_as_long_as_the_setting_says() {
    let wait = |world: World| world.settings().web.view_check;
    assert_eq!(wait(with("")), Duration::from_millis(300));
    assert_eq!(wait(with("view_check_ms = 0")), Duration::ZERO);
    assert_eq!(wait(with("view_check_ms = 1000")), Duration::from_secs(1));
    assert_has(
        &with("view_check_ms = 10001").error(),
        &["web.view_check_ms"],
    );
}

#[test]
fn an_attachment_is_fetched_up_to_the_size_of_the_setting() {
    let most = |world: World| world.settings().web.attachment_max;
    assert_eq!(most(with("")), 25 * 1024 * 1024);
    assert_eq!(most(with("attachment_max = \"1 MiB\"")), 1024 * 1024);
    for bad in ["41 MiB", "1000"] {
        let error = with(&format!("attachment_max = \"{bad}\"")).error();
        assert_has(&error, &["web.attachment_max"]);
    }
}

#[test]
fn only_addresses_and_networks_are_trusted_proxies() {
    let proxies = |world: World| world.settings().web.trusted_proxies;
    let network = |text: &str| text.parse::<Network>().unwrap();
    assert_eq!(proxies(with("")), [network("127.0.0.1"), network("::1")]);
    let two = with("trusted_proxies = [\"10.0.0.0/8\", \"2001:db8::1\"]");
    assert_eq!(
        proxies(two),
        [network("10.0.0.0/8"), network("2001:db8::1")]
    );
    assert!(proxies(with("trusted_proxies = [\"none\"]")).is_empty());
    for bad in ["proxy.example.com", "10.0.0.0/33", "10.0.0"] {
        let error = with(&format!("trusted_proxies = [\"{bad}\"]")).error();
        assert_has(&error, &["web.trusted_proxies", bad]);
    }
}

#[test]
fn the_key_of_the_jwts_comes_from_where_other_secrets_come_from_and_is_never_shown() {
    assert!(with("").settings().web.jwt.is_none());
    let loaded = with(&format!("jwt_key = \"{KEY}\"\njwt_user_claim = \"uid\"")).loaded();
    let jwt = loaded.settings.web.jwt.clone().unwrap();
    assert_eq!(
        (jwt.key.expose_secret(), jwt.user_claim.as_str()),
        (KEY, "uid")
    );
    let shown = format!("{:?} {:?}", loaded.settings, loaded.effective);
    assert!(!shown.contains(KEY), "{shown}");
    let by_env = with("")
        .var("REPLYD_WEB_JWT_KEY", KEY)
        .settings()
        .web
        .jwt
        .unwrap();
    assert_eq!(
        (by_env.key.expose_secret(), by_env.user_claim.as_str()),
        (KEY, "user_id")
    );
    let error = with("jwt_key = \"short\"").error();
    assert_has(&error, &["web.jwt_key", "fewer than 16 bytes"]);
    assert!(!error.contains("short\""), "{error}");
    assert_has(
        &with("jwt_key_file = \"nowhere\"").error(),
        &["web.jwt_key_file", "nowhere"],
    );
}
