//! doctor on a healthy installation: before the first start, beside a running replyd, afterwards.

use serde_json::Value;

use crate::place::{ACCOUNT, Place, Told, host};

/// Every check but those about the state of an installation that was never started.
fn not_ok(told: &Told) -> Vec<String> {
    let mut found = Vec::new();
    for account in [None, Some(ACCOUNT)] {
        for check in told.checks(account) {
            if check["verdict"] != "ok" {
                found.push(format!("{} {}", check["check"], check["verdict"]).replace('"', ""));
            }
        }
    }
    found
}

#[test]
fn all_is_green_before_the_first_start_beside_a_running_replyd_and_afterwards() {
    let host = host();
    host.dovecot.deliver(
        crate::place::DESK,
        "From: a@b.example\r\nSubject: x\r\nMessage-ID: <1@b.example>\r\n\r\nx\r\n",
    );
    let flags_before = host.dovecot.flags(crate::place::DESK);
    let replyd = Place::on(&host).install();
    std::fs::remove_dir(replyd.dir().join("state")).unwrap();

    let told = Told::by(&replyd, &[], 0);
    assert_eq!(
        not_ok(&told),
        [
            // One account alone: what tells of its trouble needs its own sign-in.
            "told warning",
            "state.folder skipped",
            "imap.folders warning",
            "clock skipped"
        ]
    );
    let tls = told.check("imap.tls");
    assert!(tls["text"].as_str().unwrap().contains("TLS 1.3"), "{tls}");
    assert!(
        tls["details"]["days_left"].as_i64().unwrap() > 1000,
        "{tls}"
    );
    assert_eq!(told.check("imap.mailboxes")["details"]["messages"], 1);
    assert!(
        !replyd.dir().join("state").exists(),
        "doctor made the state folder"
    );

    std::fs::create_dir(replyd.dir().join("state")).unwrap();
    let mut running = replyd.start(&["run"]);
    running.wait_for_event("the account is live", |e| e["state"] == "live");
    let told = Told::by(&replyd, &[], 0);
    assert_eq!(
        told.installation("service")["verdict"],
        "ok",
        "{:#}",
        told.json
    );
    assert_eq!(told.installation("state.keys")["verdict"], "ok");
    assert_eq!(told.installation("state.database")["verdict"], "ok");
    assert_eq!(told.check("service.account")["verdict"], "ok");
    let pid = Value::from(running.pid());
    assert_eq!(
        told.installation("service")["details"]["pids"],
        Value::from(vec![pid])
    );
    running.terminate().assert_code(0);

    let told = Told::by(&replyd, &[], 0);
    told.assert_in(None, "service", "not-running", "");
    // The owner's mailbox is as it was.
    assert_eq!(host.dovecot.flags(crate::place::DESK), flags_before);
}

#[test]
fn the_text_says_for_each_account_what_was_found_and_what_to_do() {
    let host = host();
    let mut place = Place::on(&host);
    place.imap.password = "not the password".into();
    let replyd = place.install();
    let finished = replyd.run(&["doctor"]);
    finished.assert_code(2);
    let text = finished.stdout();
    for part in [
        "installation\n",
        &format!("account {ACCOUNT}\n"),
        "  ok       imap connect",
        "  FAILED   imap sign in       The server refuses user or password (localhost:",
        "→ wrong-password: Mend user and password",
        "  ok       smtp envelope",
        " failed, ",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert!(!text.contains("not the password"), "{text}");
}

#[test]
fn one_account_alone_can_be_asked_for_and_an_unknown_one_is_a_usage_error() {
    let host = host();
    let replyd = Place::on(&host).install();
    let told = Told::by(&replyd, &["--account", ACCOUNT], 0);
    assert_eq!(told.json["groups"].as_array().unwrap().len(), 2);
    let finished = replyd.run(&["doctor", "--account", "nobody"]);
    finished.assert_code(64);
    assert!(finished.stderr().contains(ACCOUNT), "{}", finished.output());
}

#[test]
fn bad_settings_are_all_told_and_the_state_folder_is_looked_at_all_the_same() {
    let host = host();
    let place = Place::on(&host);
    let replyd = place.install();
    let toml = place.toml().replace(
        "[reply]\n",
        "[reply]\nmood = \"good\"\nanswer_max_age = \"long\"\n",
    );
    replyd.file("replyd.toml", &toml);
    let told = Told::by(&replyd, &[], 64);
    let checks = told.checks(None);
    let problems: Vec<&Value> = checks
        .iter()
        .filter(|c| c["fault"] == "bad-settings")
        .collect();
    assert!(problems.len() >= 2, "{checks:#?}");
    assert_eq!(told.json["groups"].as_array().unwrap().len(), 1);
}
