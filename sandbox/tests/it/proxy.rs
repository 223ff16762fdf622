//! The delay proxy.

use std::time::{Duration, Instant};

use replyd_sandbox::{DelayProxy, Options, Tls};

use crate::client::{ANN, Client, MAIL, SOON, sandbox};

fn plain() -> Options {
    Options {
        tls: Tls::None,
        ..Options::default()
    }
}

#[tokio::test]
async fn a_round_trip_takes_twice_the_delay_and_turns_are_counted() {
    let sandbox = sandbox(plain()).await;
    let delay = Duration::from_millis(40);
    let proxy = DelayProxy::start(sandbox.imap_addr(), delay).await.unwrap();
    let mut client = Client::plain(proxy.addr()).await;
    client.line().await;
    assert_eq!(proxy.stats().turns, 0);
    let start = Instant::now();
    client.run("a NOOP").await;
    assert!(start.elapsed() >= delay * 2, "{:?}", start.elapsed());
    assert_eq!(proxy.stats().turns, 1);
    client
        .send("b LOGIN ann@example.com secret\r\nc EXAMINE INBOX\r\nd NOOP\r\n")
        .await;
    client.until("d").await;
    assert_eq!(proxy.stats().turns, 2, "one write, one turn");
    client.send("e NOOP\r\n").await;
    client.until("e").await;
    assert_eq!(proxy.stats().turns, 3);
    assert!(proxy.stats().to_server > 50 && proxy.stats().to_client > 200);
}

#[tokio::test]
async fn much_data_comes_whole_in_order_and_not_slower_than_the_delay() {
    let sandbox = sandbox(plain()).await;
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| b'a' + (n % 23) as u8).collect();
    sandbox.deliver(ANN, "INBOX", &body, None).unwrap();
    let delay = Duration::from_millis(20);
    let proxy = DelayProxy::start(sandbox.imap_addr(), delay).await.unwrap();
    let mut client = Client::plain(proxy.addr()).await;
    client.line().await;
    client.run("a LOGIN ann@example.com secret").await;
    client.run("b EXAMINE INBOX").await;
    let answer = client.run("c UID FETCH 1 (BODY.PEEK[])").await;
    assert!(
        answer[0]
            .as_bytes()
            .windows(1_000)
            .any(|w| w == &body[..1_000])
    );
    let text = String::from_utf8(body).unwrap();
    assert!(answer[0].contains(&text));
}

#[tokio::test]
async fn tls_goes_through() {
    let sandbox = sandbox(Options::default()).await;
    let delay = Duration::from_millis(5);
    let proxy = DelayProxy::start(sandbox.imap_addr(), delay).await.unwrap();
    let mut client = Client::tls(&sandbox, proxy.addr()).await;
    client.line().await;
    assert!(client.run("a LOGIN ann@example.com secret").await[0].starts_with("a OK"));
    // TLS 1.3: hello, then finished and LOGIN after the greeting.
    assert!(
        (2..=3).contains(&proxy.stats().turns),
        "{:?}",
        proxy.stats()
    );
}

#[tokio::test]
async fn a_black_hole_holds_everything_back_and_gives_it_later() {
    let sandbox = sandbox(plain()).await;
    let proxy = DelayProxy::start(sandbox.imap_addr(), Duration::ZERO)
        .await
        .unwrap();
    let mut client = Client::plain(proxy.addr()).await;
    client.line().await;
    client.run("a LOGIN ann@example.com secret").await;
    client.run("b EXAMINE INBOX").await;
    client.send("i IDLE\r\n").await;
    client.line().await;
    sandbox.wait_for_idle(ANN, 1, SOON).await.unwrap();
    proxy.set_black_hole(true);
    let before = proxy.stats().to_client;
    sandbox.deliver(ANN, "INBOX", MAIL, None).unwrap();
    sandbox
        .wait_until(SOON, |s| s.announcements == 1)
        .await
        .unwrap();
    assert_eq!(sandbox.stats().open, 1, "nothing was closed");
    client.send("DONE\r\n").await;
    assert_eq!(sandbox.idling(ANN), 1, "DONE has not come");
    proxy.set_black_hole(false);
    assert_eq!(client.line().await, "* 1 EXISTS");
    client.until("i").await;
    assert!(proxy.stats().to_client > before);
}

#[tokio::test]
async fn a_cut_closes_both_sides_and_new_connections_are_possible() {
    let sandbox = sandbox(plain()).await;
    let proxy = DelayProxy::start(sandbox.imap_addr(), Duration::ZERO)
        .await
        .unwrap();
    let mut client = Client::plain(proxy.addr()).await;
    client.line().await;
    proxy.cut();
    assert_eq!(client.rest().await, "");
    sandbox.wait_until(SOON, |s| s.open == 0).await.unwrap();
    let mut client = Client::plain(proxy.addr()).await;
    client.line().await;
    proxy.set_refuse(true);
    let mut refused = Client::plain(proxy.addr()).await;
    assert_eq!(refused.rest().await, "");
    assert_eq!(
        client.run("a NOOP").await,
        ["a OK NOOP completed"],
        "open ones stay"
    );
    assert_eq!(proxy.stats().connections, 3);
}

#[tokio::test]
async fn a_dead_upstream_closes_the_client() {
    let sandbox = sandbox(plain()).await;
    let proxy = DelayProxy::start(sandbox.imap_addr(), Duration::ZERO)
        .await
        .unwrap();
    sandbox.stop().await;
    let mut client = Client::plain(proxy.addr()).await;
    assert_eq!(client.rest().await, "");
    assert_eq!(proxy.stats().to_client, 0);
}

#[tokio::test]
async fn the_end_of_a_stream_is_passed_on_after_what_was_on_the_way() {
    let sandbox = sandbox(plain()).await;
    let delay = Duration::from_millis(10);
    let proxy = DelayProxy::start(sandbox.imap_addr(), delay).await.unwrap();
    let mut client = Client::plain(proxy.addr()).await;
    client.send("a LOGOUT\r\n").await;
    let all = client.rest().await;
    assert!(all.ends_with("a OK LOGOUT completed\r\n"), "{all}");
    drop(client);
    sandbox.wait_until(SOON, |s| s.open == 0).await.unwrap();
    tokio::time::timeout(SOON, proxy.stop()).await.unwrap();
}
