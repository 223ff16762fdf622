//! What needs no token: unsubscribing, the demo, and what nobody may do to the server.

use serde_json::json;

use crate::client::{run, token};
use crate::common::desk::Desk;

#[test]
fn one_click_unsubscribing_changes_nothing_by_get_and_suppresses_by_post() {
    let desk = Desk::known(2);
    let public = [("REPLYD_WEB_PUBLIC_URL", "https://replyd.example.com/")];
    let secret = token(&desk.replyd, &["--name", "crm", "--scope", "admin"]);
    let (mut running, web) = run(&desk.replyd, &public);
    desk.listen(&mut running);
    let new = json!({
        "name": "Autumn", "subject": "Homes", "message": "Dear {{ name }}, no more: {{ unsubscribe_url }}",
        "lead_ids": ["L-0"],
    });
    let admin = web.with(&secret);
    let id = admin.post("/api/campaigns/create", &new).assert(201).json()["id"].clone();
    admin
        .post(&format!("/api/campaigns/{id}/send"), &json!({}))
        .assert(200);
    let raw = running.wait_for_rows("the campaign mail", |rows| {
        let sent = rows.count("outbox WHERE kind = 'campaign' AND state = 'sent'");
        (sent == 1)
            .then(|| rows.value::<Vec<u8>>("SELECT raw FROM outbox WHERE kind = 'campaign'", []))
    });
    let mail = String::from_utf8_lossy(&raw).into_owned();
    assert!(
        mail.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"),
        "{mail}"
    );
    let uri = mail
        .split_once("List-Unsubscribe: <https://replyd.example.com/u/")
        .unwrap()
        .1;
    let word = uri.split_once('>').unwrap().0.to_owned();
    assert!(mail.contains("mailto:"), "both ways: {mail}");

    let path = format!("/u/{word}");
    let page = web.get(&path);
    assert!(
        page.assert(200).body.contains("<form method=\"post\""),
        "{page:?}"
    );
    let rows = desk.replyd.rows();
    assert_eq!(rows.count("suppressions"), 0, "GET changes nothing");
    // As a mail service does it: no cookie, no Origin, this body.
    for _ in 0..2 {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        web.ask("POST", &path, &form, "List-Unsubscribe=One-Click")
            .assert(200);
    }
    let key: String = rows.value("SELECT email_key FROM suppressions", []);
    assert_eq!(key, "lead0@people.example");
    let mut forged = word.clone();
    forged.replace_range(
        6..7,
        if word.get(6..7) == Some("a") {
            "b"
        } else {
            "a"
        },
    );
    for bad in [forged.as_str(), "u", "x", &"u".repeat(5000)] {
        web.get(&format!("/u/{bad}")).assert(404);
        web.post(&format!("/u/{bad}"), &json!({})).assert(404);
    }
    let seen: Vec<u16> = (0..40).map(|_| web.get(&path).status).collect();
    assert_eq!(seen.last(), Some(&429), "limited: {seen:?}");
}

#[test]
fn without_a_public_address_there_is_no_such_page_and_no_such_header() {
    let desk = Desk::known(1);
    let secret = token(&desk.replyd, &["--name", "crm", "--scope", "admin"]);
    let (mut running, web) = run(&desk.replyd, &[]);
    desk.listen(&mut running);
    let new = json!({"name": "Autumn", "subject": "Homes", "message": "Dear {{ name }}", "lead_ids": ["L-0"]});
    let admin = web.with(&secret);
    let id = admin.post("/api/campaigns/create", &new).assert(201).json()["id"].clone();
    admin
        .post(&format!("/api/campaigns/{id}/send"), &json!({}))
        .assert(200);
    let raw = running.wait_for_rows("the campaign mail", |rows| {
        let queued = rows.count("outbox WHERE kind = 'campaign'");
        (queued == 1)
            .then(|| rows.value::<Vec<u8>>("SELECT raw FROM outbox WHERE kind = 'campaign'", []))
    });
    let mail = String::from_utf8_lossy(&raw).into_owned();
    assert!(mail.contains("List-Unsubscribe: <mailto:"), "{mail}");
    assert!(
        !mail.contains("List-Unsubscribe-Post") && !mail.contains("https://"),
        "{mail}"
    );
    web.get("/u/uabcdefgh").assert(404);
}

#[test]
fn every_answer_carries_its_id_and_what_keeps_browsers_safe_and_sizes_are_bounded() {
    let desk = Desk::known(1);
    let secret = token(&desk.replyd, &["--name", "crm", "--scope", "write"]);
    let (mut running, web) = run(&desk.replyd, &[]);
    desk.listen(&mut running);
    for path in ["/health", "/sign-in", "/api/campaigns/list", "/nowhere"] {
        let answer = web.get(path);
        assert!(answer.header("x-request-id").len() == 16, "{answer:?}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        let csp = answer.header("content-security-policy");
        assert!(
            csp.contains("script-src 'self'") && !csp.contains("unsafe"),
            "{path}: {csp}"
        );
        assert!(csp.contains("frame-ancestors 'none'"), "{path}: {csp}");
    }
    let web = web.with(&secret);
    web.get(&format!("/api/agent/queries?x={}", "y".repeat(9_000)))
        .assert(414);
    let long = "z".repeat(20_000);
    web.ask("GET", "/health", &[("x-a", &long), ("x-b", &long)], "")
        .assert(431);
    let large = json!({"campaign_lead_id": 1, "query": "q".repeat(100_000)});
    web.post("/api/agent/queries", &large).assert(413);
    let larger = json!({"campaign_lead_id": 1, "query": "q".repeat(2_200_000)});
    web.post("/api/agent/queries", &larger).assert(413);
    web.get("/health").assert(200);
    let finished = running.terminate();
    finished.assert_code(0);
}

#[test]
fn the_demo_answers_where_it_is_asked_to_or_nowhere_and_gives_way_to_a_running_replyd() {
    let replyd = crate::common::bin::Replyd::new("");
    // Somebody is at the usual address: this test, or whoever was there before it.
    let _taken = std::net::TcpListener::bind("127.0.0.1:8025");
    let page = |args: &[&str]| {
        let mut running = replyd.start(args);
        let line = running.wait_for_line("the end of the samples", |l| {
            l.contains("The page") || l.contains("and look at what became of it")
        });
        let line = if line.contains("The page") || args.contains(&"--no-web") {
            line
        } else {
            running.wait_for_line("the page's address", |l| l.contains("The page"))
        };
        (running, line)
    };
    let (first, line) = page(&["demo"]);
    let address = line.split_once("http://").unwrap().1.trim_end_matches('/');
    assert_ne!(address, "127.0.0.1:8025");
    // An address that was asked for is had, or is an error that says so.
    let refused = replyd.run(&["demo", "--listen", address]);
    assert_ne!(refused.status.code(), Some(0));
    assert!(refused.output().contains(address), "{}", refused.output());
    first.terminate().assert_code(0);
    let (asked, line) = page(&["demo", "--listen", address]);
    assert!(line.contains(address), "{line}");
    asked.terminate().assert_code(0);

    let (silent, _) = page(&["demo", "--no-web"]);
    let finished = silent.terminate();
    finished.assert_code(0);
    assert!(
        !finished.output().contains("http://"),
        "{}",
        finished.output()
    );
    replyd
        .run(&["demo", "--no-web", "--listen", "127.0.0.1:0"])
        .assert_code(64);
}

#[test]
fn the_demo_asks_for_no_token_on_loopback_and_for_its_own_name() {
    let replyd = crate::common::bin::Replyd::new("");
    let mut running = replyd.start(&["demo", "--listen", "127.0.0.1:0"]);
    let line = running.wait_for_line("the page's address", |l| l.contains("The page"));
    let address = line
        .split_once("http://")
        .unwrap()
        .1
        .trim_end_matches('/')
        .to_owned();
    let web = crate::client::Web {
        address,
        token: String::new(),
    };
    let rows = web
        .get("/api/agent/queries?campaign_lead_id=1")
        .assert(200)
        .json();
    assert!(
        !rows.as_array().unwrap().is_empty(),
        "rows for campaign_lead 1"
    );
    let led = web.ask("GET", "/api/agent/queries", &[("host", "evil.example")], "");
    led.assert(421);
    let json = ("content-type", "application/json");
    let cross = [json, ("sec-fetch-site", "cross-site")];
    let body = r#"{"name":"E"}"#;
    web.ask("POST", "/api/campaigns/create", &cross, body)
        .assert(403);
    web.post("/api/campaigns/create", &json!({"name": "E"}))
        .assert(201);
    let finished = running.terminate();
    finished.assert_code(0);
}
