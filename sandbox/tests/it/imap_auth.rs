//! Greeting, TLS, LOGIN, AUTHENTICATE.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use replyd_sandbox::{Options, Tls, Verb};

use crate::client::{ANN, Client, SOON, sandbox};

#[tokio::test]
async fn the_greeting_names_the_capabilities_and_login_names_them_anew() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::tls(&sandbox, sandbox.imap_addr()).await;
    let greeting = client.line().await;
    assert!(greeting.contains("IMAP4rev1") && greeting.contains("AUTH=PLAIN"));
    assert!(greeting.contains(" IDLE") && !greeting.contains("STARTTLS"));
    let answer = client.run("a LOGIN ann@example.com secret").await;
    assert!(
        answer[0].starts_with("a OK [CAPABILITY IMAP4rev1"),
        "{answer:?}"
    );
    assert!(answer[0].contains("UIDPLUS") && !answer[0].contains("AUTH="));
    assert_eq!(sandbox.stats().logins, 1);
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_ca_cannot_connect() {
    let sandbox = sandbox(Options::default()).await;
    let other = replyd_sandbox::Sandbox::start(Options::default())
        .await
        .unwrap();
    let config = crate::client::tls_config(other.ca_pem());
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let tcp = tokio::net::TcpStream::connect(sandbox.imap_addr())
        .await
        .unwrap();
    let name = "localhost".try_into().unwrap();
    connector.connect(name, tcp).await.unwrap_err();
    sandbox
        .wait_until(SOON, |s| s.tls_failures == 1)
        .await
        .unwrap();
}

#[tokio::test]
async fn login_takes_atoms_quoted_strings_and_both_kinds_of_literals() {
    let sandbox = sandbox(Options::default()).await;
    sandbox.add_user("quo@example.com", "a \"b\\ é");
    for login in [
        "a LOGIN quo@example.com \"a \\\"b\\\\ é\"\r\n",
        "a LOGIN {15+}\r\nquo@example.com {8+}\r\na \"b\\ é\r\n",
    ] {
        let mut client = Client::imap(&sandbox).await;
        client.send(login).await;
        assert!(client.line().await.starts_with("a OK"));
    }
    let mut client = Client::imap(&sandbox).await;
    client.send("a LOGIN {15}\r\n").await;
    assert_eq!(client.line().await, "+ OK");
    client.send("QUO@example.com {8}\r\n").await;
    assert_eq!(client.line().await, "+ OK");
    client.send("a \"b\\ é\r\n").await;
    assert!(client.line().await.starts_with("a OK"));
}

#[tokio::test]
async fn a_wrong_password_is_no_authenticationfailed() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::imap(&sandbox).await;
    for login in [
        "a LOGIN ann@example.com nope",
        "a LOGIN nobody@example.com x",
    ] {
        let answer = client.run(login).await;
        assert!(
            answer[0].starts_with("a NO [AUTHENTICATIONFAILED]"),
            "{answer:?}"
        );
    }
    assert!(client.run("b EXAMINE INBOX").await[0].starts_with("b BAD"));
    assert_eq!(
        (sandbox.stats().failed_logins, sandbox.stats().logins),
        (2, 0)
    );
}

#[tokio::test]
async fn authenticate_plain_works_in_one_step_and_in_two() {
    let sandbox = sandbox(Options::default()).await;
    let response = BASE64.encode("\0ann@example.com\0secret");
    let mut client = Client::imap(&sandbox).await;
    let answer = client
        .run(&format!("a AUTHENTICATE PLAIN {response}"))
        .await;
    assert!(answer[0].starts_with("a OK"), "{answer:?}");

    let mut client = Client::imap(&sandbox).await;
    client.send("a AUTHENTICATE PLAIN\r\n").await;
    assert_eq!(client.line().await, "+ ");
    client.send(format!("{response}\r\n")).await;
    assert!(client.line().await.starts_with("a OK"));
}

#[tokio::test]
async fn authenticate_can_be_cancelled_and_junk_is_bad() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::imap(&sandbox).await;
    client.send("a AUTHENTICATE PLAIN\r\n").await;
    client.line().await;
    client.send("*\r\n").await;
    assert!(client.line().await.starts_with("a BAD"));
    assert!(client.run("b AUTHENTICATE PLAIN !!!").await[0].starts_with("b BAD"));
    assert!(client.run("c AUTHENTICATE CRAM-MD5").await[0].starts_with("c NO"));
}

#[tokio::test]
async fn xoauth2_takes_the_token_and_explains_a_refusal_by_a_challenge() {
    let sandbox = sandbox(Options::default()).await;
    let token = |t: &str| BASE64.encode(format!("user={ANN}\u{1}auth=Bearer {t}\u{1}\u{1}"));
    let mut client = Client::imap(&sandbox).await;
    client
        .send(format!("a AUTHENTICATE XOAUTH2 {}\r\n", token("t1")))
        .await;
    let challenge = client.line().await;
    let error = BASE64
        .decode(challenge.strip_prefix("+ ").unwrap())
        .unwrap();
    assert!(
        String::from_utf8(error)
            .unwrap()
            .contains("\"status\":\"400\"")
    );
    client.send("\r\n").await;
    assert!(
        client
            .line()
            .await
            .starts_with("a NO [AUTHENTICATIONFAILED]")
    );

    sandbox.set_token(ANN, Some("t1")).unwrap();
    let answer = client
        .run(&format!("b AUTHENTICATE XOAUTH2 {}", token("t1")))
        .await;
    assert!(answer[0].starts_with("b OK"), "{answer:?}");
}

#[tokio::test]
async fn starttls_is_needed_before_login_and_forgets_what_was_sent_ahead() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::plain(sandbox.imap_starttls_addr()).await;
    let greeting = client.line().await;
    assert!(greeting.contains("STARTTLS") && greeting.contains("LOGINDISABLED"));
    let answer = client.run("a LOGIN ann@example.com secret").await;
    assert!(
        answer[0].starts_with("a NO [PRIVACYREQUIRED]"),
        "{answer:?}"
    );
    client.send("b STARTTLS\r\nx NOOP\r\n").await;
    assert!(client.line().await.starts_with("b OK"));
    client.upgrade(&sandbox).await;
    let answer = client.run("c CAPABILITY").await;
    assert!(answer[0].starts_with("* CAPABILITY") && !answer[0].contains("STARTTLS"));
    assert_eq!(
        sandbox.stats().imap(Verb::Noop),
        0,
        "it was injected before TLS"
    );
    assert!(client.run("d LOGIN ann@example.com secret").await[0].starts_with("d OK"));
}

#[tokio::test]
async fn a_plain_server_takes_logins_as_it_is() {
    let options = Options {
        tls: Tls::None,
        ..Options::default()
    };
    let sandbox = sandbox(options).await;
    let mut client = Client::plain(sandbox.imap_addr()).await;
    client.line().await;
    assert!(client.run("a STARTTLS").await[0].starts_with("a BAD"));
    assert!(client.run("b LOGIN ann@example.com secret").await[0].starts_with("b OK"));
    assert!(client.run("c LOGIN ann@example.com secret").await[0].starts_with("c BAD"));
}

#[tokio::test]
async fn login_examine_and_logout_in_one_write_are_answered_in_order() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::imap(&sandbox).await;
    client
        .send("a LOGIN ann@example.com secret\r\nb EXAMINE INBOX\r\nc LOGOUT\r\n")
        .await;
    let all = client.rest().await;
    let places: Vec<_> = ["a OK", "b OK [READ-ONLY]", "* BYE", "c OK"]
        .iter()
        .map(|text| all.find(text).unwrap())
        .collect();
    assert!(places.is_sorted(), "{all}");
}
