//! TLS, sign-in, and the connection that is kept.

use std::sync::Arc;
use std::time::Duration;

use replyd::config::{AuthMechanism, Credential, SecretCommand, Security};

use crate::server::{Act, PASSWORD, Server, Step, USER, at, at_nth, jump, right};
use crate::{RAW, mail, mailer, send, short, text};

/// The commands that came before TLS.
fn in_the_clear(server: &Server) -> Vec<String> {
    let commands = server.commands();
    commands.into_iter().take_while(|c| c != "[TLS]").collect()
}

#[tokio::test]
async fn starttls_comes_before_the_password() {
    let server = Server::start(Security::StartTls, right()).await;
    let (outcome, _) = send(&mailer(&server.settings()), mail(RAW)).await;
    assert_eq!(short(&outcome), "sent 250", "{}", text(&outcome));
    assert_eq!(in_the_clear(&server), ["EHLO client.example", "STARTTLS"]);
    let commands = server.commands();
    let tls = commands.iter().position(|c| c == "[TLS]").unwrap();
    assert_eq!(commands[tls + 1], "EHLO client.example");
    assert!(commands[tls + 2].starts_with("AUTH PLAIN "));
}

#[tokio::test]
async fn plaintext_injected_after_the_220_is_an_error_and_never_an_ehlo_answer() {
    let injected = b"220 2.0.0 Ready\r\n250-evil.example\r\n250 AUTH LOGIN\r\n".to_vec();
    let server = Server::start(Security::StartTls, at(Step::StartTls, Act::Say(injected))).await;
    let (outcome, handovers) = send(&mailer(&server.settings()), mail(RAW)).await;
    assert_eq!(
        (short(&outcome).as_str(), handovers),
        ("deferred - down", 0)
    );
    assert!(
        text(&outcome).contains("in the clear"),
        "{}",
        text(&outcome)
    );
    assert!(!server.commands().iter().any(|c| c.starts_with("AUTH")));
}

#[tokio::test]
async fn half_a_line_injected_after_the_220_is_an_error_too() {
    let injected = b"220 2.0.0 Ready\r\n250 ".to_vec();
    let server = Server::start(Security::StartTls, at(Step::StartTls, Act::Say(injected))).await;
    let (outcome, _) = send(&mailer(&server.settings()), mail(RAW)).await;
    assert_eq!(short(&outcome), "deferred - down");
    assert!(
        text(&outcome).contains("in the clear"),
        "{}",
        text(&outcome)
    );
}

#[tokio::test]
async fn without_starttls_neither_password_nor_mail_is_sent() {
    let none = Server::with_features(Security::Plain, &["AUTH PLAIN"], right()).await;
    let refused = Server::start(
        Security::StartTls,
        at(Step::StartTls, Act::Refuse("454 4.7.0 No".into())),
    )
    .await;
    for (server, want) in [(none, "deferred - down"), (refused, "deferred 454 down")] {
        let mut settings = server.settings();
        settings.security = Security::StartTls;
        let (outcome, handovers) = send(&mailer(&settings), mail(RAW)).await;
        assert_eq!((short(&outcome).as_str(), handovers), (want, 0));
        assert!(text(&outcome).contains("STARTTLS"), "{}", text(&outcome));
        let leaked = |c: &String| c.starts_with("AUTH") || c.starts_with("MAIL");
        assert!(!server.commands().iter().any(leaked));
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_gets_no_password() {
    for security in [Security::Tls, Security::StartTls] {
        let server = Server::start(security, right()).await;
        let other = Server::start(security, right()).await;
        let mut settings = server.settings();
        settings.ca_file = Some(other.ca_file.clone());
        let (outcome, _) = send(&mailer(&settings), mail(RAW)).await;
        assert_eq!(short(&outcome), "deferred - down");
        assert!(text(&outcome).contains("certificate"), "{}", text(&outcome));
        assert!(!server.commands().iter().any(|c| c.starts_with("AUTH")));
    }
}

#[tokio::test]
async fn tls_on_a_port_for_starttls_says_so() {
    let server = Server::start(Security::Plain, right()).await;
    let mut settings = server.settings();
    settings.security = Security::Tls;
    let (outcome, _) = send(&mailer(&settings), mail(RAW)).await;
    assert_eq!(short(&outcome), "deferred - down");
    assert!(text(&outcome).contains("STARTTLS?"), "{}", text(&outcome));
}

#[tokio::test]
async fn an_unprotected_connection_is_made_to_this_machine_only() {
    let server = Server::start(Security::Plain, right()).await;
    let mut settings = server.settings();
    // RFC 5737: nobody has this address; a try would take 15 s.
    settings.host = "192.0.2.1".into();
    let began = std::time::Instant::now();
    let (outcome, _) = send(&mailer(&settings), mail(RAW)).await;
    assert_eq!(short(&outcome), "deferred - down");
    assert!(
        text(&outcome).contains("this machine only"),
        "{}",
        text(&outcome)
    );
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn every_mechanism_signs_in() {
    let server = Server::start(Security::Tls, right()).await;
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "fresh-token\n").unwrap();
    let password = server.settings().credential.unwrap();
    let table = [
        (AuthMechanism::Auto, password.clone(), "AUTH PLAIN "),
        (AuthMechanism::Plain, password.clone(), "AUTH PLAIN "),
        (AuthMechanism::Login, password, "AUTH LOGIN"),
        (
            AuthMechanism::Auto,
            Credential::TokenFile(token.clone()),
            "AUTH XOAUTH2 ",
        ),
        (
            AuthMechanism::XOAuth2,
            Credential::TokenFile(token.clone()),
            "AUTH XOAUTH2 ",
        ),
        (
            AuthMechanism::OAuthBearer,
            Credential::TokenFile(token),
            "AUTH OAUTHBEARER ",
        ),
    ];
    for (auth, credential, command) in table {
        let mut settings = server.settings();
        settings.auth = auth;
        settings.credential = Some(credential);
        let (outcome, _) = send(&mailer(&settings), mail(RAW)).await;
        assert_eq!(short(&outcome), "sent 250", "{auth:?} {}", text(&outcome));
        let commands = server.commands();
        let used = commands.iter().rfind(|c| c.starts_with("AUTH")).unwrap();
        assert!(used.starts_with(command), "{auth:?}");
    }
}

#[tokio::test]
async fn login_is_used_where_plain_is_not_offered() {
    let server = Server::with_features(Security::Tls, &["AUTH LOGIN"], right()).await;
    let (outcome, _) = send(&mailer(&server.settings()), mail(RAW)).await;
    assert_eq!(short(&outcome), "sent 250");
    let mut settings = server.settings();
    settings.auth = AuthMechanism::Plain;
    let (outcome, _) = send(&mailer(&settings), mail(RAW)).await;
    assert_eq!(short(&outcome), "deferred - needs_sign_in");
}

#[tokio::test]
async fn oauthbearer_is_used_where_xoauth2_is_not_offered_and_its_refusal_is_answered() {
    let server = Server::with_features(Security::Tls, &["AUTH OAUTHBEARER"], right()).await;
    let mut settings = server.settings();
    let print =
        |token: &str| Credential::TokenCommand(SecretCommand::Shell(format!("echo {token}")));
    settings.credential = Some(print("fresh-token"));
    let (outcome, _) = send(&mailer(&settings), mail(RAW)).await;
    assert_eq!(short(&outcome), "sent 250", "{}", text(&outcome));
    settings.credential = Some(print("old-token"));
    let (outcome, _) = send(&mailer(&settings), mail(RAW)).await;
    assert_eq!(short(&outcome), "deferred 535 needs_sign_in");
    assert!(text(&outcome).contains("status 401"), "{}", text(&outcome));
    assert!(!text(&outcome).contains("old-token"));
    // A command that fails is no refusal: it is run again soon.
    settings.credential = Some(Credential::TokenCommand(SecretCommand::Shell(
        "exit 3".into(),
    )));
    let (outcome, _) = send(&mailer(&settings), mail(RAW)).await;
    assert_eq!(short(&outcome), "deferred - down");
    assert!(
        text(&outcome).contains("exit status: 3"),
        "{}",
        text(&outcome)
    );
}

#[tokio::test]
async fn the_token_is_read_anew_at_each_sign_in() {
    let server = Server::start(Security::Tls, right()).await;
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    let mut settings = server.settings();
    settings.credential = Some(Credential::TokenFile(token.clone()));
    let mailer = mailer(&settings);
    let (outcome, _) = send(&mailer, mail(RAW)).await;
    assert_eq!(short(&outcome), "deferred - needs_sign_in", "no file");
    std::fs::write(&token, "old-token").unwrap();
    let (outcome, _) = send(&mailer, mail(RAW)).await;
    assert_eq!(short(&outcome), "deferred 535 needs_sign_in");
    std::fs::write(&token, "fresh-token").unwrap();
    let (outcome, _) = send(&mailer, mail(RAW)).await;
    assert_eq!(short(&outcome), "sent 250");
}

#[tokio::test]
async fn no_text_holds_the_password_even_if_the_server_repeats_it() {
    let echo = Act::Refuse(format!("535 5.7.8 {USER} / {PASSWORD} is wrong"));
    let server = Server::start(Security::Tls, at(Step::Auth, echo)).await;
    let mailer = mailer(&server.settings());
    let (outcome, _) = send(&mailer, mail(RAW)).await;
    assert_eq!(short(&outcome), "deferred 535 needs_sign_in");
    assert!(!format!("{outcome:?} {mailer:?}").contains(PASSWORD));
}

#[tokio::test]
async fn one_connection_carries_several_mails_also_after_a_refusal() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let script = Arc::new(move |_, step| {
        if step == Step::Rcpt && count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1 {
            return Act::Refuse("550 5.1.1 No such user".into());
        }
        Act::Right
    });
    let server = Server::start(Security::Tls, script).await;
    let mailer = mailer(&server.settings());
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(short(&send(&mailer, mail(RAW)).await.0));
    }
    assert_eq!(seen, ["sent 250", "rejected 550", "sent 250", "sent 250"]);
    assert_eq!(server.connections(), 1);
    assert!(server.commands().contains(&"RSET".to_owned()));
    mailer.close().await;
    assert_eq!(server.commands().last().map(String::as_str), Some("QUIT"));
}

#[tokio::test]
async fn a_kept_connection_that_died_is_replaced_without_a_trace() {
    let refuse = |text: &str| Act::Refuse(text.into());
    let deaths = [
        (Step::Mail, Act::Close(String::new())),
        (Step::Mail, refuse("421 4.4.2 Timeout")),
        (
            Step::Mail,
            refuse("452 4.5.3 Too many mails on this connection"),
        ),
    ];
    for (step, death) in deaths {
        let first = std::sync::atomic::AtomicBool::new(true);
        let acted = death.clone();
        let script = Arc::new(move |n, s| {
            // The first mail of the first connection passes.
            let passes =
                n > 1 || s != step || first.swap(false, std::sync::atomic::Ordering::SeqCst);
            if passes { Act::Right } else { acted.clone() }
        });
        let server = Server::start(Security::Tls, script).await;
        let mailer = mailer(&server.settings());
        for _ in 0..2 {
            let (outcome, handovers) = send(&mailer, mail(RAW)).await;
            assert_eq!(
                (short(&outcome).as_str(), handovers),
                ("sent 250", 1),
                "{death:?}"
            );
        }
        assert_eq!(
            (server.mails().len(), server.connections()),
            (2, 2),
            "{death:?}"
        );
    }
}

#[tokio::test]
async fn a_kept_connection_closed_by_the_server_while_idle_is_replaced() {
    let server = Server::start(
        Security::Tls,
        at_nth(1, Step::Final, Act::Close("250 2.0.0 Ok".into())),
    )
    .await;
    let mailer = mailer(&server.settings());
    for _ in 0..2 {
        let (outcome, _) = send(&mailer, mail(RAW)).await;
        assert_eq!(short(&outcome), "sent 250");
    }
    assert_eq!((server.mails().len(), server.connections()), (2, 2));
}

#[tokio::test]
async fn a_kept_connection_that_is_silent_costs_seconds_not_minutes() {
    let first = std::sync::atomic::AtomicBool::new(true);
    let script = Arc::new(move |n, s| {
        let passes =
            n > 1 || s != Step::Mail || first.swap(false, std::sync::atomic::Ordering::SeqCst);
        if passes { Act::Right } else { Act::Silent }
    });
    let server = Server::start(Security::Tls, script).await;
    let mailer = mailer(&server.settings());
    assert_eq!(short(&send(&mailer, mail(RAW)).await.0), "sent 250");
    let sending = tokio::spawn(async move { send(&mailer, mail(RAW)).await });
    server.reached(1, Step::Mail, 2).await;
    jump(15).await;
    assert_eq!(short(&sending.await.unwrap().0), "sent 250");
    assert_eq!((server.mails().len(), server.connections()), (2, 2));
}

#[tokio::test]
async fn a_connection_that_dies_after_mail_was_accepted_is_not_tried_again_at_once() {
    let first = std::sync::atomic::AtomicBool::new(true);
    let script = Arc::new(move |_, s| {
        let passes = s != Step::Rcpt || first.swap(false, std::sync::atomic::Ordering::SeqCst);
        if passes {
            Act::Right
        } else {
            Act::Close(String::new())
        }
    });
    let server = Server::start(Security::Tls, script).await;
    let mailer = mailer(&server.settings());
    assert_eq!(short(&send(&mailer, mail(RAW)).await.0), "sent 250");
    assert_eq!(short(&send(&mailer, mail(RAW)).await.0), "deferred - down");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_idled_a_minute_is_closed_with_quit() {
    let server = Server::start(Security::Plain, right()).await;
    let mailer = mailer(&server.settings());
    assert_eq!(short(&send(&mailer, mail(RAW)).await.0), "sent 250");
    jump(30).await;
    mailer.close_idle().await;
    assert_ne!(server.commands().last().map(String::as_str), Some("QUIT"));
    jump(31).await;
    mailer.close_idle().await;
    assert_eq!(server.commands().last().map(String::as_str), Some("QUIT"));
    assert_eq!(short(&send(&mailer, mail(RAW)).await.0), "sent 250");
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn without_a_user_there_is_no_auth() {
    let server = Server::start(Security::Plain, right()).await;
    let mut settings = server.settings();
    settings.user = None;
    settings.credential = None;
    assert_eq!(
        short(&send(&mailer(&settings), mail(RAW)).await.0),
        "sent 250"
    );
    assert!(!server.commands().iter().any(|c| c.starts_with("AUTH")));
}

#[tokio::test]
async fn the_console_prints_the_mail_and_counts_as_sent() {
    #[derive(Clone, Default)]
    struct Page(Arc<std::sync::Mutex<Vec<u8>>>);
    impl std::io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let server = Server::start(Security::Plain, right()).await;
    let mut settings = server.settings();
    settings.console = true;
    let page = Page::default();
    let console = replyd::smtp::Console::new(Box::new(page.clone()));
    let roots = replyd::tls::TlsRoots::default();
    let vault = replyd::credential::Vault::detached();
    let mailer = replyd::smtp::Mailer::new("main", &settings, &vault, &roots, &console);
    let (outcome, handovers) = send(&mailer, mail(RAW)).await;
    assert_eq!((short(&outcome).as_str(), handovers), ("sent 250", 1));
    let printed = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
    assert!(printed.starts_with("From: ann@example.com\nSubject: Re: offer\n\nThank you.\n"));
    assert!(printed.ends_with(&format!("\n{}\n", "-".repeat(79))));
    assert_eq!(server.connections(), 0);
}
