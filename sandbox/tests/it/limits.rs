//! Bounds, ends, and many connections at once.

use std::time::Duration;

use replyd_sandbox::faults::{Action, Gate, ImapFault, Times, Who};
use replyd_sandbox::{DeliverError, Options, Verb};

use crate::client::{ANN, Client, MAIL, SOON, sandbox};

#[tokio::test]
async fn connections_over_the_limit_are_closed_and_a_free_slot_is_used_again() {
    let options = Options {
        max_connections: 2,
        ..Options::default()
    };
    let sandbox = sandbox(options).await;
    let one = Client::ann(&sandbox).await;
    let _two = Client::smtp(&sandbox).await;
    let mut refused = Client::plain(sandbox.imap_addr()).await;
    assert_eq!(refused.rest().await, "");
    assert_eq!(sandbox.stats().refused_connections, 1);
    drop(one);
    sandbox.wait_until(SOON, |s| s.open == 1).await.unwrap();
    Client::ann(&sandbox).await;
}

#[tokio::test]
async fn endless_lines_and_huge_literals_are_refused() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::imap(&sandbox).await;
    client.send("x".repeat(70_000)).await;
    assert_eq!(client.rest().await, "* BYE Command too long\r\n");
    let mut client = Client::imap(&sandbox).await;
    assert_eq!(
        client.run("a LOGIN {999999}").await,
        ["a BAD Literal too large"]
    );
    assert_eq!(
        client.run("b APPEND INBOX {100000}").await,
        ["b BAD Literal too large"],
        "nobody is logged in"
    );
    client.send("c LOGIN {999999+}\r\n").await;
    assert_eq!(client.rest().await, "* BYE Command too long\r\n");
    let mut client = Client::smtp(&sandbox).await;
    client.send("x".repeat(70_000)).await;
    assert!(client.reply().await.starts_with("421"));
}

#[tokio::test]
async fn a_full_mailbox_refuses_all_ways_in() {
    let options = Options {
        max_mailbox_messages: 1,
        max_message_bytes: 1_000,
        ..Options::default()
    };
    let sandbox = sandbox(options).await;
    let large = vec![b'x'; 1_001];
    let deliver = |raw: &[u8]| sandbox.deliver(ANN, "INBOX", raw, None);
    assert_eq!(deliver(&large), Err(DeliverError::TooLarge));
    assert_eq!(deliver(MAIL), Ok(1));
    assert_eq!(
        deliver(MAIL),
        Err(DeliverError::MailboxFull("INBOX".into()))
    );
    let unknown = sandbox.deliver("x@y.z", "INBOX", MAIL, None);
    assert_eq!(unknown, Err(DeliverError::UnknownUser));
    let mut client = Client::smtp_ann(&sandbox).await;
    client.say("MAIL FROM:<a@b.c>").await;
    assert!(
        client
            .say("RCPT TO:<ann@example.com>")
            .await
            .starts_with("452")
    );
    let mut client = Client::ann(&sandbox).await;
    client.send("a APPEND INBOX {1+}\r\nx\r\n").await;
    assert!(client.line().await.starts_with("a NO [OVERQUOTA]"));
}

#[tokio::test]
async fn a_silent_client_is_logged_out() {
    let options = Options {
        autologout: Some(Duration::from_millis(50)),
        ..Options::default()
    };
    let sandbox = sandbox(options).await;
    let mut client = Client::imap(&sandbox).await;
    assert!(client.rest().await.starts_with("* BYE Autologout"));
    let mut client = Client::examined(&sandbox).await;
    client.send("i IDLE\r\n").await;
    let seen = client.rest().await;
    assert!(seen.starts_with("+ idling\r\n* BYE Autologout"), "{seen}");
}

#[tokio::test]
async fn the_servers_own_latency_delays_answers() {
    let options = Options {
        latency: Duration::from_millis(30),
        ..Options::default()
    };
    let sandbox = sandbox(options).await;
    let mut client = Client::ann(&sandbox).await;
    let start = std::time::Instant::now();
    client.run("a NOOP").await;
    assert!(start.elapsed() >= Duration::from_millis(30));
}

#[tokio::test]
async fn stop_ends_every_session_even_one_at_a_gate() {
    let sandbox = sandbox(Options::default()).await;
    let mut idling = Client::idling(&sandbox).await;
    let mut held = Client::ann(&sandbox).await;
    let gate = Gate::new();
    let hold = Action::Hold(gate.clone());
    sandbox.faults().at(Who::All, Times::Once, Verb::Noop, hold);
    held.send("a NOOP\r\n").await;
    gate.reached(SOON).await.unwrap();
    tokio::time::timeout(SOON, sandbox.stop()).await.unwrap();
    assert_eq!(idling.rest().await, "");
    assert_eq!(held.rest().await, "");
}

#[tokio::test]
async fn a_dropped_sandbox_ends_its_sessions() {
    let sandbox = sandbox(Options::default()).await;
    let address = sandbox.imap_addr();
    let mut client = Client::idling(&sandbox).await;
    drop(sandbox);
    assert_eq!(client.rest().await, "");
    let again = async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, again).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn half_an_hour_of_keepalives_takes_no_time_with_a_paused_clock() {
    let options = Options {
        autologout: None,
        smtp_silence: None,
        ..Options::default()
    };
    let sandbox = sandbox(options).await;
    let keep_alive = ImapFault::KeepAlive {
        every: Duration::from_secs(10),
        line: "* OK Still here".to_owned(),
    };
    sandbox.faults().add(Who::All, Times::Always, keep_alive);
    let mut client = Client::idling(&sandbox).await;
    let start = tokio::time::Instant::now();
    for _ in 0..180 {
        assert_eq!(client.line().await, "* OK Still here");
    }
    assert!(start.elapsed() >= Duration::from_secs(1_790));
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    while client.line().await != "* 1 EXISTS" {}
}

#[tokio::test]
async fn waiting_in_vain_is_a_timeout_that_says_for_what() {
    let sandbox = sandbox(Options::default()).await;
    let short = Duration::from_millis(5);
    let error = sandbox
        .wait_for_messages(ANN, "INBOX", 1, short)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "Waited 5ms in vain for 1 messages in a mailbox"
    );
    sandbox.wait_for_idle(ANN, 1, short).await.unwrap_err();
    sandbox
        .wait_until(short, |s| s.logins > 0)
        .await
        .unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_idling_sessions_hear_of_their_own_mail() {
    const COUNT: u32 = 300;
    let sandbox = sandbox(Options::default()).await;
    let mut clients = Vec::new();
    for n in 0..COUNT {
        let address = format!("user{n}@example.com");
        sandbox.add_user(&address, "pw");
        let mut client = Client::imap(&sandbox).await;
        client
            .send(format!(
                "a LOGIN {address} pw\r\nb EXAMINE INBOX\r\ni IDLE\r\n"
            ))
            .await;
        clients.push(client);
    }
    sandbox
        .wait_until(SOON, |s| s.idling == u64::from(COUNT))
        .await
        .unwrap();
    for n in 0..COUNT {
        let address = format!("user{n}@example.com");
        sandbox.deliver(&address, "INBOX", MAIL, None).unwrap();
    }
    for client in &mut clients {
        while client.line().await != "* 1 EXISTS" {}
    }
    assert_eq!(sandbox.stats().announcements, u64::from(COUNT));
}
