//! Who is let in: tokens, JWTs, sessions and links.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use rusqlite::Connection;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::client::{Answer, run, token};
use crate::common::desk::Desk;

const KEY: &str = "the signing key of the other program";

/// A JWT as djangorestframework-simplejwt writes it.
fn jwt(claims: &Value) -> String {
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let body = URL_SAFE_NO_PAD.encode(claims.to_string());
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(format!("{head}.{body}").as_bytes());
    let mac = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    format!("{head}.{body}.{mac}")
}

fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie");
    set.split(';').next().unwrap_or_default().to_owned()
}

#[test]
fn a_token_opens_what_it_says_until_it_is_revoked_and_is_stored_as_a_hash() {
    let desk = Desk::known(1);
    let read = token(&desk.replyd, &["--name", "reader"]);
    let past = token(&desk.replyd, &["--name", "short", "--expires", "1d"]);
    let (mut running, web) = run(&desk.replyd, &[]);
    desk.listen(&mut running);
    web.with(&read).get("/api/campaigns/list").assert(200);
    let body = json!({"name": "X"});
    web.with(&read)
        .post("/api/campaigns/create", &body)
        .assert(403);
    for bad in ["replyd_x", "x", "a.b.c", &format!("{read}x")] {
        web.with(bad).get("/api/campaigns/list").assert(401);
    }
    let basic = web.ask(
        "GET",
        "/api/campaigns/list",
        &[("authorization", "Basic eDp5")],
        "",
    );
    basic.assert(401);
    let listed = desk.replyd.ok(&["token", "list"]).stdout();
    assert!(
        listed.contains("reader") && listed.contains("used 20"),
        "{listed}"
    );
    assert!(!listed.contains(&read), "never the secret");
    let dump = std::fs::read(desk.replyd.database()).unwrap();
    let there = dump.windows(read.len()).any(|w| w == read.as_bytes());
    assert!(!there, "the secret is in the database");
    let conn = Connection::open(desk.replyd.database()).unwrap();
    conn.execute(
        "UPDATE api_tokens SET expires_at = 1 WHERE name = 'short'",
        [],
    )
    .unwrap();
    web.with(&past).get("/api/campaigns/list").assert(401);
    desk.replyd.ok(&["token", "revoke", "reader"]);
    web.with(&read).get("/api/campaigns/list").assert(401);
    // The name is free again, and twice is refused.
    token(&desk.replyd, &["--name", "reader"]);
    desk.replyd
        .run(&["token", "create", "--name", "reader"])
        .assert_code(1);
    desk.replyd
        .run(&["token", "create", "--name", "y", "--campaign", "None"])
        .assert_code(1);
}

#[test]
fn the_predecessors_jwt_sees_the_campaigns_of_its_user() {
    let desk = Desk::known(1);
    let (mut running, web) = run(&desk.replyd, &[("REPLYD_WEB_JWT_KEY", KEY)]);
    desk.listen(&mut running);
    let conn = Connection::open(desk.replyd.database()).unwrap();
    conn.execute("UPDATE campaigns SET owner_id = 5", [])
        .unwrap();
    let end = replyd::time::now().0 / 1000 + 300;
    let of = |user: i64| jwt(&json!({"token_type": "access", "exp": end, "user_id": user}));
    let total = |token: &str| {
        let list = web.with(token).get("/api/campaigns/list");
        list.assert(200).json()["total_campaigns"].clone()
    };
    assert_eq!(total(&of(5)), 1);
    assert_eq!(
        total(&of(6)),
        0,
        "a user without campaigns sees empty lists"
    );
    web.with(&of(5))
        .get("/api/agent/queries?campaign_lead_id=1")
        .assert(200);
    let foreign = web
        .with(&of(6))
        .get("/api/agent/queries?campaign_lead_id=1");
    assert_eq!(
        foreign.assert(400).json()["message"],
        "Campaign lead not found"
    );
    let made = web
        .with(&of(6))
        .post("/api/campaigns/create", &json!({"name": "Six"}));
    made.assert(201);
    assert_eq!(total(&of(6)), 1, "what a user makes is theirs");
    assert_eq!(total(&of(5)), 1);
    let refresh = jwt(&json!({"token_type": "refresh", "exp": end, "user_id": 5}));
    let over = jwt(&json!({"token_type": "access", "exp": end - 3600, "user_id": 5}));
    for bad in [refresh, over, format!("{}x", of(5))] {
        web.with(&bad).get("/api/campaigns/list").assert(401);
    }
}

#[test]
fn a_link_signs_in_once_and_by_a_button_only() {
    let desk = Desk::known(1);
    let args = [
        "token", "create", "--name", "anna", "--scope", "write", "--link",
    ];
    let (mut running, web) = run(&desk.replyd, &[]);
    desk.listen(&mut running);
    let link = desk.replyd.run(&args);
    // No address is in the settings of this process: the secret is what counts.
    let link = if link.status.success() {
        link.stdout()
    } else {
        let vars = [("REPLYD_WEB_LISTEN", web.address.as_str())];
        let again = ["token", "link", "anna"];
        desk.replyd.start_with(&again, &vars).finish().stdout()
    };
    let link = link.trim().rsplit('/').next().unwrap().to_owned();
    assert!(link.len() > 40, "{link}");
    // A scanner of mails looks at it, twice.
    for _ in 0..2 {
        let page = web.get(&format!("/sign-in/{link}"));
        assert!(page.assert(200).body.contains("<button"), "{page:?}");
    }
    let body = format!("link={link}");
    let elsewhere = web.ask(
        "POST",
        "/sign-in",
        &[
            ("content-type", "application/x-www-form-urlencoded"),
            ("sec-fetch-site", "cross-site"),
        ],
        &body,
    );
    elsewhere.assert(403);
    let signed_in = web.form("/sign-in", &[], &body);
    signed_in.assert(303);
    let set = signed_in.header("set-cookie");
    for part in ["HttpOnly", "SameSite=Strict", "Max-Age="] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("Secure"), "plain HTTP on loopback: {set}");
    web.form("/sign-in", &[], &body).assert(401);
    let cookie = cookie(&signed_in);
    let session = [("cookie", cookie.as_str())];
    web.ask("GET", "/api/campaigns/list", &session, "")
        .assert(200);
    // What changes something must come from a page of ours.
    let json = ("content-type", "application/json");
    let cross = [session[0], json, ("origin", "https://evil.example")];
    web.ask("POST", "/api/campaigns/create", &cross, r#"{"name":"E"}"#)
        .assert(403);
    let bare = [session[0], json];
    web.ask("POST", "/api/campaigns/create", &bare, r#"{"name":"E"}"#)
        .assert(403);
    let ours = [session[0], json, ("sec-fetch-site", "same-origin")];
    web.ask("POST", "/api/campaigns/create", &ours, r#"{"name":"E"}"#)
        .assert(201);
    web.form("/sign-out", &session, "").assert(303);
    web.ask("GET", "/api/campaigns/list", &session, "")
        .assert(401);
}

#[test]
fn sessions_end_with_their_token_behind_tls_are_secure_and_attempts_are_counted() {
    let desk = Desk::known(1);
    let secret = token(&desk.replyd, &["--name", "ben", "--scope", "read"]);
    let (mut running, web) = run(&desk.replyd, &[]);
    desk.listen(&mut running);
    let tls = [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-for", "203.0.113.5"),
    ];
    let body = format!("token={secret}&next=%2F%2Fevil.example");
    let signed_in = web.form("/sign-in", &tls, &body);
    signed_in.assert(303);
    assert_eq!(signed_in.header("location"), "/", "nowhere else");
    let set = signed_in.header("set-cookie");
    assert!(
        set.starts_with("__Host-") && set.contains("Secure"),
        "{set}"
    );
    let cookie = cookie(&signed_in);
    let session = [("cookie", cookie.as_str())];
    web.ask("GET", "/api/campaigns/list", &session, "")
        .assert(200);
    let conn = Connection::open(desk.replyd.database()).unwrap();
    let four_days = 4 * 86_400_000_i64;
    conn.execute(
        "UPDATE web_sessions SET seen_at = seen_at - ?1",
        [four_days],
    )
    .unwrap();
    web.ask("GET", "/api/campaigns/list", &session, "")
        .assert(401);
    conn.execute(
        "UPDATE web_sessions SET seen_at = seen_at + ?1",
        [four_days],
    )
    .unwrap();
    web.ask("GET", "/api/campaigns/list", &session, "")
        .assert(200);
    conn.execute("UPDATE web_sessions SET expires_at = 1", [])
        .unwrap();
    web.ask("GET", "/api/campaigns/list", &session, "")
        .assert(401);
    conn.execute("UPDATE web_sessions SET expires_at = 9999999999999", [])
        .unwrap();
    desk.replyd.ok(&["token", "revoke", "ben"]);
    web.ask("GET", "/api/campaigns/list", &session, "")
        .assert(401);

    let from = |n: u8| [("x-forwarded-for", format!("198.51.100.{n}"))];
    let attempt = |n: u8| {
        let from = from(n);
        let headers: Vec<(&str, &str)> = from.iter().map(|(k, v)| (*k, v.as_str())).collect();
        web.form("/sign-in", &headers, "token=replyd_wrong").status
    };
    let seen: Vec<u16> = (0..12).map(|_| attempt(1)).collect();
    assert_eq!(seen.iter().filter(|s| **s == 401).count(), 10, "{seen:?}");
    assert_eq!(seen.last(), Some(&429));
    assert_eq!(attempt(2), 401, "another address may try");
}
