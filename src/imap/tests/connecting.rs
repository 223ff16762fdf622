//! From the greeting to a session, and what must not pass for one.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::DuplexStream;
use tokio::time::Instant;

use crate::config::{AuthMechanism, Credential, ImapSettings, Security};
use crate::credential::SignIn;
use crate::imap::connect::{prepared, start_tls_over};
use crate::imap::testing::{Server, budget, pipe};
use crate::imap::{ImapError, Session, Step, connect, connect_over};
use crate::tls::TlsRoots;

fn settings() -> ImapSettings {
    ImapSettings {
        host: "127.0.0.1".into(),
        port: 143,
        security: Security::Plain,
        user: "ann".into(),
        credential: Credential::Password(String::new().into()),
        auth: AuthMechanism::Auto,
        ca_file: None,
    }
}

fn password(text: &str) -> SignIn {
    SignIn::password("ann", text)
}

fn token() -> SignIn {
    SignIn::token("ann", "ya29.token")
}

async fn over(
    sign_in: SignIn,
    script: impl AsyncFnOnce(&mut Server),
) -> Result<Session, ImapError> {
    let (client, mut server) = pipe();
    let (settings, budget) = (settings(), budget());
    let (got, ()) = tokio::join!(connect_over(client, &settings, &sign_in, &budget), async {
        script(&mut server).await;
        drop(server);
    });
    got
}

const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hello\r\n";

#[tokio::test(start_paused = true)]
async fn plain_is_used_where_offered_and_capabilities_come_from_the_codes() {
    let got = over(password("pw"), async |server| {
        server.say(GREETING).await;
        let reply = "{} OK [CAPABILITY IMAP4rev1 IDLE NOTIFY] in\r\n";
        server
            .answer("AUTHENTICATE PLAIN AGFubgBwdw==", reply)
            .await;
    });
    let s = got.await.unwrap();
    assert!(s.capabilities().idle && s.capabilities().notify);
}

#[tokio::test(start_paused = true)]
async fn login_is_used_else_and_capabilities_are_asked_for() {
    let got = over(password("p\"w"), async |server| {
        server.say("* OK hello\r\n").await;
        server
            .answer("CAPABILITY", "* CAPABILITY IMAP4rev1\r\n{} OK\r\n")
            .await;
        server
            .answer("LOGIN \"ann\" \"p\\\"w\"", "{} OK in\r\n")
            .await;
        server
            .answer("CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE\r\n{} OK\r\n")
            .await;
    });
    assert!(got.await.unwrap().capabilities().idle);
}

#[tokio::test(start_paused = true)]
async fn a_password_beyond_ascii_goes_as_a_literal() {
    let got = over(password("pä"), async |server| {
        server.say("* OK [CAPABILITY IMAP4rev1] hello\r\n").await;
        server.answer("LOGIN \"ann\" {3}", "+ go on\r\n").await;
        assert_eq!(server.line().await, "pä");
        server.say("R1 OK [CAPABILITY IMAP4rev1] in\r\n").await;
    });
    got.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_we_are_is_said_where_asked_for_and_a_refusal_of_it_does_not_matter() {
    let got = over(password("pw"), async |server| {
        server.say(GREETING).await;
        server
            .answer("AUTHENTICATE", "{} OK [CAPABILITY IMAP4rev1 ID] in\r\n")
            .await;
        server
            .answer("ID (\"name\" \"replyd\" \"version\" \"", "{} NO\r\n")
            .await;
    });
    assert!(got.await.unwrap().capabilities().id);
}

#[tokio::test(start_paused = true)]
async fn preauth_needs_no_sign_in() {
    let got = over(password("pw"), async |server| {
        server
            .say("* PREAUTH [CAPABILITY IMAP4rev1 IDLE] hello\r\n")
            .await;
    });
    assert!(got.await.unwrap().capabilities().idle);
}

#[tokio::test(start_paused = true)]
async fn bye_no_and_nonsense_are_no_greeting() {
    let greeted = |line: &'static str| async move {
        over(password("pw"), async |server| server.say(line).await).await
    };
    let e = greeted("* BYE too busy\r\n").await.unwrap_err();
    assert!(matches!(&e, ImapError::Bye { step: Step::Greeting, text } if text == "too busy"));
    let e = greeted("* BYE Too many connections\r\n").await.unwrap_err();
    assert!(matches!(e, ImapError::Throttled { .. }));
    let e = greeted("* 3 EXISTS\r\n").await.unwrap_err();
    assert!(matches!(e, ImapError::Protocol { .. }));
    let e = greeted("").await.unwrap_err();
    let step = Step::Greeting;
    assert_eq!(e, ImapError::Closed { step });
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_given_up_after_15_seconds() {
    let began = Instant::now();
    let got = over(password("pw"), async |_| {
        tokio::time::sleep(Duration::from_secs(30)).await;
    });
    let e = got.await.unwrap_err();
    let step = Step::Greeting;
    assert_eq!(e, ImapError::Timeout { step });
    assert!(began.elapsed() <= Duration::from_secs(30));
}

async fn refused_with(reply: &'static str) -> ImapError {
    over(password("hunter2"), async |server| {
        server.say("* OK [CAPABILITY IMAP4rev1] hello\r\n").await;
        server.answer("LOGIN", reply).await;
    })
    .await
    .unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_told_apart_from_everything_else() {
    for reply in [
        "{} NO [AUTHENTICATIONFAILED] Invalid credentials\r\n",
        "{} NO LOGIN failed\r\n",
        "{} BAD [AUTHENTICATIONFAILED] no\r\n",
    ] {
        assert!(refused_with(reply).await.is_auth(), "{reply}");
    }
    for reply in [
        "{} NO [UNAVAILABLE] Temporary authentication failure\r\n",
        "{} NO [LIMIT] Maximum number of connections exceeded\r\n",
        "{} BAD what\r\n",
        "* BYE bye\r\n",
        "",
    ] {
        assert!(!refused_with(reply).await.is_auth(), "{reply}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_repeats_the_password_does_not_get_it_into_the_error() {
    let e = refused_with("{} BAD Error in command: LOGIN \"ann\" \"hunter2\"\r\n").await;
    assert!(!format!("{e} {e:?}").contains("hunter2"), "{e}");
    let e = over(password("hunter2"), async |server| {
        server.say(GREETING).await;
        server
            .answer("AUTHENTICATE", "{} BAD what is AGFubgBodW50ZXIy\r\n")
            .await;
    });
    let e = e.await.unwrap_err();
    assert!(!e.to_string().contains("AGFubgBodW50ZXIy"), "{e}");
}

#[tokio::test(start_paused = true)]
async fn login_is_not_tried_where_it_is_disabled() {
    let got = over(password("pw"), async |server| {
        server
            .say("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hello\r\n")
            .await;
        assert_eq!(server.line().await, "");
    });
    assert!(got.await.unwrap_err().is_auth());
}

#[tokio::test]
async fn xoauth2_sends_the_token_and_answers_the_refusals_challenge() {
    let bearer = STANDARD.encode("user=ann\x01auth=Bearer ya29.token\x01\x01");
    let challenge = STANDARD.encode("{\"status\":\"400\"}");
    for sasl_ir in [true, false] {
        let e = over(token(), async |server| {
            let ir = if sasl_ir { " SASL-IR" } else { "" };
            let greeting = format!("* OK [CAPABILITY IMAP4rev1{ir} AUTH=XOAUTH2] hello\r\n");
            server.say(greeting).await;
            if sasl_ir {
                server
                    .expect(&format!("AUTHENTICATE XOAUTH2 {bearer}"))
                    .await;
            } else {
                server.answer("AUTHENTICATE XOAUTH2", "+ \r\n").await;
                assert_eq!(server.line().await, bearer);
            }
            server.say(format!("+ {challenge}\r\n")).await;
            assert_eq!(server.line().await, "");
            server
                .say("R1 NO [AUTHENTICATIONFAILED] Invalid credentials\r\n")
                .await;
        });
        let e = e.await.unwrap_err();
        assert!(e.is_auth(), "{e}");
    }
}

#[tokio::test(start_paused = true)]
async fn oauthbearer_is_used_where_xoauth2_is_not_offered_and_its_refusal_is_answered() {
    let bearer = STANDARD.encode("n,a=ann,\x01auth=Bearer ya29.token\x01\x01");
    let challenge = STANDARD.encode("{\"status\":\"invalid_token\",\"scope\":\"mail\"}");
    let e = over(token(), async |server| {
        let greeting = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=OAUTHBEARER] hello\r\n";
        server.say(greeting).await;
        server
            .expect(&format!("AUTHENTICATE OAUTHBEARER {bearer}"))
            .await;
        server.say(format!("+ {challenge}\r\n")).await;
        // RFC 7628 §3.2.3: a dummy, of one %x01.
        assert_eq!(server.line().await, "AQ==");
        server.say("R1 NO [AUTHENTICATIONFAILED] no\r\n").await;
    });
    let e = e.await.unwrap_err();
    assert!(
        e.is_auth() && e.to_string().contains("status invalid_token"),
        "{e}"
    );
}

#[tokio::test(start_paused = true)]
async fn xoauth2_goes_before_oauthbearer_unless_the_settings_say_otherwise() {
    let both = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=OAUTHBEARER AUTH=XOAUTH2] hello\r\n";
    for (auth, command) in [
        (AuthMechanism::Auto, "AUTHENTICATE XOAUTH2 "),
        (AuthMechanism::OAuthBearer, "AUTHENTICATE OAUTHBEARER "),
    ] {
        let (client, mut server) = pipe();
        let (mut settings, budget, sign_in) = (settings(), budget(), token());
        settings.auth = auth;
        let (got, ()) = tokio::join!(connect_over(client, &settings, &sign_in, &budget), async {
            server.say(both).await;
            server
                .answer(command, "{} OK [CAPABILITY IMAP4rev1] in\r\n")
                .await;
            drop(server);
        });
        got.unwrap();
    }
}

#[tokio::test]
async fn a_token_is_not_sent_by_other_mechanisms() {
    let got = over(token(), async |server| {
        server.say(GREETING).await;
        assert_eq!(server.line().await, "");
    });
    assert!(got.await.unwrap_err().is_auth());
}

async fn start_tls_with(script: impl AsyncFnOnce(&mut Server)) -> Result<(), ImapError> {
    let (client, mut server): (DuplexStream, Server) = pipe();
    let budget = budget();
    tokio::select! {
        got = start_tls_over(client, &budget) => got.map(|_| ()),
        () = async { script(&mut server).await; std::future::pending().await } => unreachable!(),
    }
}

#[tokio::test(start_paused = true)]
async fn starttls_goes_on_only_with_nothing_in_front_of_the_handshake() {
    let offer = "* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n";
    let with = |reply: &'static str| {
        start_tls_with(async move |server: &mut Server| {
            server.say(offer).await;
            server.answer("STARTTLS", reply).await;
        })
    };
    with("{} OK begin\r\n").await.unwrap();
    for injected in [
        "{} OK begin\r\n* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] injected\r\n",
        "{} OK begin\r\nR2 OK injected\r\n",
        "{} OK begin\r\n*",
        "{} OK begin\r\n\r\n",
        "{} NO not now\r\n",
    ] {
        let e = with(injected).await.unwrap_err();
        assert!(matches!(e, ImapError::Unprotected(_)), "{injected}: {e}");
    }
}

#[tokio::test(start_paused = true)]
async fn starttls_that_is_not_offered_or_passed_over_by_preauth_ends_in_no_connection() {
    for greeting in [
        "* OK [CAPABILITY IMAP4rev1] hello\r\n",
        "* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n",
    ] {
        let e = start_tls_with(async |server| server.say(greeting).await);
        let e = e.await.unwrap_err();
        assert!(matches!(e, ImapError::Unprotected(_)), "{e}");
    }
}

#[tokio::test]
async fn without_tls_only_loopback_is_connected_to() {
    let mut settings = settings();
    settings.host = "192.0.2.1".into();
    let e = connect(&settings, &password("pw"), &TlsRoots::default(), &budget()).await;
    assert!(matches!(e, Err(ImapError::Unprotected(_))));
}

#[tokio::test]
async fn a_refused_connection_is_a_network_error_of_its_step() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = settings();
    settings.port = listener.local_addr().unwrap().port();
    drop(listener);
    let e = connect(&settings, &password("pw"), &TlsRoots::default(), &budget()).await;
    let e = e.unwrap_err();
    let step = Step::Connect;
    assert!(
        matches!(e, ImapError::Network { step: s, kind: std::io::ErrorKind::ConnectionRefused, .. } if s == step),
        "{e}"
    );
}

#[tokio::test]
async fn sockets_are_prepared_against_delay_and_dead_peers() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = tokio::net::TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    prepared(&tcp).unwrap();
    let socket = socket2::SockRef::from(&tcp);
    assert!(tcp.nodelay().unwrap() && socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_retries().unwrap(), 4);
    assert_eq!(
        socket.tcp_user_timeout().unwrap(),
        Some(Duration::from_secs(120))
    );
}
