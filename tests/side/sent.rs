//! `POST /api/sent` on the real binary: mails that the application sends itself.

use std::net::SocketAddr;
use std::time::Duration;

use replyd::time::now;
use serde_json::json;

use super::common::bin::Running;
use super::common::ports::Port;
use super::common::scenario::{DESK, SALES, Scenario, Setting};
use super::http::ask;

/// A token of this scope.
pub(crate) fn token(s: &Scenario, args: &[&str]) -> String {
    let mut all = vec!["token", "create"];
    all.extend(args);
    let said = s.replyd.ok(&all).stdout();
    let word = said.split_whitespace().find(|w| w.starts_with("replyd_"));
    word.unwrap().to_owned()
}

/// The service with its API.
pub(crate) fn serve(s: &Scenario) -> (Running, SocketAddr, Port) {
    let port = Port::reserve();
    let at: SocketAddr = ([127, 0, 0, 1], port.number()).into();
    let mut running = s.replyd.start(&["run", "--listen", &at.to_string()]);
    running.wait_for_rows("the account to be live", |rows| {
        (rows.count("accounts WHERE state = 'live' AND verified_at IS NOT NULL") == 1).then_some(())
    });
    (running, at, port)
}

#[test]
fn sent_mails_are_told_once_and_answers_that_came_before_are_matched() {
    let s = Scenario::new(Setting {
        leads: 2,
        interval: "3s",
        ..Setting::default()
    });
    s.import(Duration::from_secs(86_400));
    let (write, read) = (
        token(&s, &["--name", "shop", "--scope", "write"]),
        token(&s, &["--name", "look"]),
    );
    let other = s.replyd.file(
        "other.csv",
        "lead_id,email,campaign\nX-1,x@people.example,Other\n",
    );
    s.replyd.ok(&["leads", "import", &other]);
    let limited = token(
        &s,
        &["--name", "other", "--scope", "write", "--campaign", "Other"],
    );
    let (mut running, at, _port) = serve(&s);

    // The answer is here before the mail is told.
    let lead = s.lead();
    let mail = format!(
        "From: {}\r\nTo: {DESK}\r\nMessage-ID: <early@people.example>\r\nIn-Reply-To: <shop-1@shop.example>\r\n\
         Subject: Re: Homes\r\n\r\nIs it still free?\r\n",
        lead.from.replace("lead0", "another")
    );
    s.host.dovecot.deliver_at(DESK, mail, now());
    running.wait_for_rows("the early answer to be stored", |rows| {
        (rows.count(
            "messages WHERE message_key = 'early@people.example' AND campaign_lead_id IS NULL",
        ) == 1)
            .then_some(())
    });
    let one = json!({"message_id": "<shop-1@shop.example>", "campaign_lead_id": 1,
                     "date": now().rfc3339(), "subject": "Homes", "text": "Dear Ann"});
    let told = ask(at, "POST", "/api/sent", &write, &one.to_string());
    assert_eq!(told.0, 200, "{told:?}");
    assert_eq!(told.1["items"][0]["result"], "new");
    assert_eq!(told.1["refetch"], 1);
    running.wait_for_rows("the early answer to be matched", |rows| {
        (rows.count("messages WHERE message_key = 'early@people.example' AND campaign_lead_id = 1")
            == 1)
            .then_some(())
    });
    let again = ask(at, "POST", "/api/sent", &write, &one.to_string());
    assert_eq!(again.1["items"][0]["result"], "unchanged", "{again:?}");

    for (token, body, status) in [
        (&read, one.clone(), 403),
        (&"nonsense".to_owned(), one.clone(), 401),
        (&limited, one.clone(), 400),
        (
            &write,
            json!({"message_id": "a@b.example", "campaign_lead_id": 999, "date": "2025-01-01"}),
            400,
        ),
        (
            &write,
            json!({"message_id": "no id", "campaign_lead_id": 1, "date": "2025-01-01"}),
            422,
        ),
        (
            &write,
            json!({"message_id": "a@b.example", "campaign_lead_id": 1, "date": "soon"}),
            422,
        ),
        (
            &write,
            json!({"message_id": "shop-1@shop.example", "campaign_lead_id": 2, "date": "2025-01-01"}),
            422,
        ),
        (&write, json!({"message_id": "a@b.example"}), 400),
        (&write, json!({"mails": vec![one.clone(); 501]}), 413),
    ] {
        let got = ask(at, "POST", "/api/sent", token, &body.to_string());
        assert_eq!(got.0, status, "{body} {got:?}");
    }
    assert_eq!(ask(at, "POST", "/api/sent", &write, "{nonsense").0, 400);

    // Several: each by itself; a lead that is new here comes in under the ids of the application.
    let several = json!({"mails": [
        {"message_id": "n-1@shop.example", "campaign_lead_id": 700, "date": "2025-01-01T00:00:00Z",
         "lead": {"id": 70, "campaign_id": 1, "lead_id": "N-70", "email": "new@people.example", "name": "New"}},
        {"message_id": "n-2@shop.example", "campaign_lead_id": 701, "date": "2025-01-01T00:00:00Z"},
        {"message_id": "n-3@shop.example", "campaign_lead_id": 2, "date": "2025-01-01T00:00:00Z"}]});
    let told = ask(at, "POST", "/api/sent", &write, &several.to_string());
    let words: Vec<&str> = told.1["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["result"].as_str().unwrap())
        .collect();
    assert_eq!(
        (told.0, words),
        (200, vec!["new", "refused", "new"]),
        "{told:?}"
    );
    let rows = s.replyd.rows();
    assert_eq!(
        rows.count("campaign_leads WHERE id = 700 AND lead_id = 70 AND message_sent = 1"),
        1
    );
    assert_eq!(rows.count("sent_ids WHERE id_key LIKE '%@shop.example'"), 3);
    assert_eq!(
        rows.count("conversations WHERE email_message_id = 'shop-1@shop.example'"),
        1
    );
    // Nothing is sent because of it but notices to sales.
    assert_eq!(
        rows.count(&format!(
            "outbox WHERE envelope_to <> '{SALES}' AND automatic = 1"
        )),
        0
    );
    running.terminate().assert_code(0);
}

/// The key of the Django project signs its front end's tokens: PyJWT's and simplejwt's.
#[test]
fn tokens_of_the_django_project_are_taken() {
    let s = Scenario::new(Setting::default());
    let dump = super::data("data/django/dump.json");
    s.replyd.ok(&["import", "django", dump.to_str().unwrap()]);
    let key = "a-key-of-the-tests-that-is-long-enough-for-hs256";
    let out = std::process::Command::new(super::python())
        .args(["tokens.py", key])
        .current_dir(super::data("django"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let tokens = String::from_utf8(out.stdout).unwrap();
    let tokens: Vec<&str> = tokens.split_whitespace().collect();
    assert_eq!(tokens.len(), 2, "{}", String::from_utf8_lossy(&out.stderr));
    let port = Port::reserve();
    let at: SocketAddr = ([127, 0, 0, 1], port.number()).into();
    let mut running = s.replyd.start_with(
        &["run", "--listen", &at.to_string()],
        &[("REPLYD_WEB_JWT_KEY", key)],
    );
    running.wait_for_rows("the account to be live", |rows| {
        (rows.count("accounts WHERE state = 'live'") == 1).then_some(())
    });
    let mail = |lead: i64| {
        json!({"message_id": "jwt@shop.example", "campaign_lead_id": lead, "date": "2025-01-01"})
            .to_string()
    };
    for token in tokens {
        // Who reads and writes as user 3 has the campaigns of user 3, and no other.
        let own = ask(at, "POST", "/api/sent", token, &mail(21));
        assert_eq!(own.0, 200, "{own:?}");
        let foreign = ask(at, "POST", "/api/sent", token, &mail(30));
        assert_eq!(foreign.0, 400, "{foreign:?}");
        let forged = format!("{}x", &token[..token.len() - 3]);
        assert_eq!(ask(at, "POST", "/api/sent", &forged, &mail(21)).0, 401);
    }
    running.terminate().assert_code(0);
}
