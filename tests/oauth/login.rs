//! `auth login`, in each way.

use std::io::Write as _;

use crate::common::ports::Port;
use crate::common::scenario::{DESK, SALES};
use crate::common::token_server::{Decision, browse};
use crate::scene::{Scene, Share, Wish, consent, shown_address};

#[test]
fn a_browser_on_this_machine_signs_in_and_the_mail_server_takes_the_token() {
    let scene = Scene::new();
    assert_eq!(scene.standing()["state"], "never");
    scene.replyd().run(&["auth", "status"]).assert_code(2);
    let once = scene.replyd().run(&["run", "--once"]);
    once.assert_code(2);
    assert!(
        once.output().contains("replyd auth login"),
        "{}",
        once.output()
    );

    let mut running = scene.replyd().start(&["auth", "login", "desk"]);
    let page = consent(&mut running);
    assert!(
        page.contains("Signed in. This page can be closed."),
        "{page}"
    );
    let done = running.finish();
    done.assert_code(0);
    let port = scene.desk.host.dovecot.imaps_port();
    let taken = format!("localhost:{port} takes the token for {DESK}.");
    assert!(done.stdout().contains(&taken), "{}", done.stdout());
    let port = scene.desk.host.postfix.submission_port();
    let sends = format!("localhost:{port} takes the token for {DESK}, and mail from {DESK}.");
    assert!(done.stdout().contains(&sends), "{}", done.stdout());
    assert!(
        done.stdout()
            .contains(&format!("Consent was given by {DESK}."))
    );

    assert_eq!(scene.standing()["state"], "good");
    scene.replyd().ok(&["auth", "status"]);
    scene.replyd().ok(&["run", "--once"]);
    assert!(scene.desk.host.dovecot.log().contains("method=XOAUTH2"));
}

#[test]
fn a_token_that_smtp_refuses_is_told_with_its_remedy_and_kept_for_reading() {
    let scene = Scene::with(&Wish {
        smtp: "user = \"other@homes.example\"",
        ..Wish::default()
    });
    let done = scene.login();
    done.assert_code(2);
    for part in ["Mails cannot be sent by localhost", "SMTP AUTH is off"] {
        assert!(done.stderr().contains(part), "{}", done.stderr());
    }
    assert_eq!(scene.standing()["state"], "good");
}

#[test]
fn the_address_at_which_a_browser_ends_elsewhere_is_pasted() {
    let scene = Scene::new();
    for flag in [None, Some("--paste")] {
        let args: Vec<&str> = ["auth", "login", "desk"].into_iter().chain(flag).collect();
        let (mut running, mut typed) = scene.replyd().start_typing(&args);
        let (_, location, _) = browse(&shown_address(&mut running));
        let location = location.expect("The page sends the browser back");
        if flag.is_some() {
            assert!(location.starts_with("http://127.0.0.1:8399?"), "{location}");
        }
        let foreign = location.replace("state=", "state=x");
        writeln!(typed, "nonsense\n\n{foreign}").expect("Type");
        for why in ["There is no code in it", "does not belong to this sign-in"] {
            running.wait_for_line(why, |line| line.contains(why));
        }
        writeln!(typed, "{location}").expect("Type");
        running.finish().assert_code(0);
    }
}

#[test]
fn a_port_can_be_chosen_for_a_tunnel_and_a_taken_one_is_named() {
    let scene = Scene::new();
    let port = Port::reserve();
    let number = port.number().to_string();
    let mut running = scene
        .replyd()
        .start(&["auth", "login", "desk", "--port", &number]);
    let address = shown_address(&mut running);
    assert!(
        address.contains(&format!("127.0.0.1%3A{number}")),
        "{address}"
    );
    let taken = scene
        .replyd()
        .run(&["auth", "login", "desk", "--port", &number]);
    taken.assert_code(1);
    assert!(
        taken.stderr().contains(&format!("port {number}")),
        "{}",
        taken.stderr()
    );
    let (_, location, _) = browse(&address);
    browse(&location.expect("The page sends the browser back"));
    running.finish().assert_code(0);
}

#[test]
fn nothing_pasted_and_a_wrong_answer_of_the_browser_store_nothing() {
    let scene = Scene::new();
    let nothing = scene.replyd().run(&["auth", "login", "desk", "--paste"]);
    nothing.assert_code(64);
    let mut running = scene.replyd().start(&["auth", "login", "desk"]);
    let (_, location, _) = browse(&shown_address(&mut running));
    let location = location.expect("The page sends the browser back");
    // Somebody else's request, an icon: passed over. The provider's no: the end.
    let (base, _) = location.split_once('?').expect("A query");
    for other in [
        format!("{base}?code=x&state=y"),
        format!("{base}/favicon.ico"),
    ] {
        let (status, _, page) = browse(&other);
        assert!(
            status.contains(" 200 ") && !page.contains("Signed in"),
            "{page}"
        );
    }
    let state = location.split_once("state=").expect("A state").1;
    browse(&format!("{base}?error=access_denied&state={state}"));
    let refused = running.finish();
    refused.assert_code(2);
    assert!(
        refused.stderr().contains("access_denied"),
        "{}",
        refused.stderr()
    );
    assert_eq!(scene.standing()["state"], "never");
}

fn with_device() -> Scene {
    // The address is known only once the server runs.
    Scene::with_settings(|tokens| Wish {
        oauth: format!("device_url = \"{}\"\n", tokens.url("device")),
        ..Wish::default()
    })
}

#[test]
fn a_device_code_waits_for_the_person_at_the_servers_pace() {
    let scene = with_device();
    scene.tokens.desk().slow_downs = 1;
    let mut running = scene.replyd().start(&["auth", "login", "desk"]);
    running.wait_for_line("the code", |line| line.contains("WDJB-MJHT"));
    scene
        .tokens
        .wait_until("two polls", |desk| desk.polls.len() >= 2);
    scene.tokens.desk().decision = Decision::Approved;
    running.finish().assert_code(0);
    let polls = scene.tokens.desk().polls.clone();
    let seconds: Vec<u64> = polls.iter().map(std::time::Duration::as_secs).collect();
    println!("polls after {seconds:?} s");
    // An interval of 1 s, and 5 s more after slow_down (RFC 8628 §3.5).
    assert!(
        seconds[0] >= 1 && seconds[1..].iter().all(|s| *s >= 6),
        "{seconds:?}"
    );
    assert_eq!(scene.standing()["state"], "good");
}

#[test]
fn a_device_code_that_is_declined_or_expires_stores_nothing() {
    let scene = with_device();
    for (decision, why) in [
        (Decision::Denied, "declined"),
        (Decision::Expired, "has expired"),
    ] {
        scene.tokens.desk().decision = decision;
        let ended = scene.replyd().run(&["auth", "login", "desk", "--device"]);
        ended.assert_code(2);
        assert!(ended.stderr().contains(why), "{}", ended.stderr());
    }
    scene.tokens.desk().decision = Decision::Pending;
    scene.tokens.desk().device_life_s = 2;
    let ended = scene.replyd().run(&["auth", "login", "desk"]);
    ended.assert_code(2);
    assert_eq!(scene.standing()["state"], "never");
}

#[test]
fn google_has_no_device_code_and_says_what_to_do() {
    let scene = Scene::with_settings(|_| Wish::default());
    let toml = std::fs::read_to_string(scene.replyd().dir().join("replyd.toml")).expect("Settings");
    let google = toml.replace("\"custom\"", "\"google\"");
    std::fs::write(scene.replyd().dir().join("replyd.toml"), google).expect("Write");
    let refused = scene.replyd().run(&["auth", "login", "desk", "--device"]);
    refused.assert_code(64);
    assert!(
        refused.stderr().contains("Use --paste"),
        "{}",
        refused.stderr()
    );
}

#[test]
fn a_token_of_another_user_is_refused_by_the_mail_server_and_not_stored() {
    let scene = Scene::new();
    scene.tokens.desk().user = SALES.to_owned();
    let refused = scene.login();
    refused.assert_code(2);
    for part in [
        "does not take the token",
        "another user",
        "Nothing was stored",
        "status 401",
    ] {
        assert!(
            refused.stderr().contains(part),
            "{part}: {}",
            refused.stderr()
        );
    }
    assert!(
        refused
            .stdout()
            .contains("another address than the account's")
    );
    assert_eq!(scene.standing()["state"], "never");
    scene.login_with(&["--no-test"]).assert_code(0);
    assert_eq!(scene.standing()["state"], "good");
}

#[test]
fn a_login_without_a_refresh_token_says_how_to_get_one() {
    let scene = Scene::new();
    scene.tokens.desk().gives_refresh = false;
    let refused = scene.login();
    refused.assert_code(2);
    assert!(
        refused.stderr().contains("offline_access"),
        "{}",
        refused.stderr()
    );
    assert_eq!(scene.standing()["state"], "never");
}

#[test]
fn the_client_shows_its_secret_as_the_settings_say() {
    let scene = Scene::with_settings(|_| Wish {
        oauth: "client_auth = \"basic\"\n".to_owned(),
        ..Wish::default()
    });
    scene.tokens.desk().basic = true;
    scene.login().assert_code(0);
    // A wrong secret is the settings' fault, and says so.
    scene.tokens.desk().basic = false;
    let refused = scene.login();
    refused.assert_code(2);
    assert!(
        refused.stderr().contains("client id or secret"),
        "{}",
        refused.stderr()
    );
}

#[test]
fn logout_forgets_the_tokens_and_unknown_accounts_are_usage_errors() {
    let scene = Scene::new();
    for args in [["auth", "login", "nobody"], ["auth", "login", "desk "]] {
        scene.replyd().run(&args).assert_code(64);
    }
    scene.login().assert_code(0);
    scene.replyd().ok(&["auth", "logout", "desk"]);
    assert_eq!(scene.standing()["state"], "never");
    scene
        .replyd()
        .run(&["auth", "logout", "desk"])
        .assert_code(1);
    scene.replyd().run(&["run", "--once"]).assert_code(2);
}

#[test]
fn no_token_code_or_secret_is_shown_logged_or_stored_in_the_clear() {
    let scene = Scene::with_settings(|_| Wish {
        log: "trace",
        ..Wish::default()
    });
    let mut output = scene.login().output();
    // The first token of a refresh is refused, so that another one is asked for.
    scene.age(Share::Due);
    scene.tokens.desk().bad_tokens = 1;
    for args in [
        &["run", "--once"][..],
        &["auth", "status"],
        &["auth", "status", "--json"],
        &["status"],
        &["config", "check"],
        &["auth", "login", "desk", "--paste"],
    ] {
        output.push_str(&scene.replyd().run(args).output());
    }
    assert_eq!(scene.tokens.desk().refreshes, 2);
    let secrets = scene.tokens.desk().secrets.clone();
    assert!(secrets.len() > 7, "{secrets:?}");
    let mut stored = Vec::new();
    for file in std::fs::read_dir(scene.replyd().dir().join("state")).expect("Its files") {
        stored.extend(std::fs::read(file.expect("A file").path()).expect("Its bytes"));
    }
    let stored = String::from_utf8_lossy(&stored);
    assert!(stored.contains("oauth_tokens"));
    for secret in &secrets {
        assert!(!output.contains(secret.as_str()), "{secret} is shown");
        assert!(
            !stored.contains(secret.as_str()),
            "{secret} is stored in the clear"
        );
    }
}
