//! The address on this machine to which the browser comes back (RFC 8252 §7.3).
//!
//! It takes whatever arrives, hands on the query of each request, and shows a page that says what
//! to do next. It lives as long as one `replyd auth login`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Html;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Answers that wait to be read; a browser sends one, and asks for its icon.
const WAITING: usize = 4;

/// An answer of the browser, and where to say how it was taken.
pub(crate) struct Arrived {
    pub(crate) query: String,
    told: oneshot::Sender<String>,
}

impl Arrived {
    /// Shows `text` in the browser.
    pub(crate) fn tell(self, text: &str) {
        // A browser that has gone needs no page.
        self.told.send(text.to_owned()).unwrap_or_default();
    }
}

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Loopback {
    port: u16,
    arrived: mpsc::Receiver<Arrived>,
    _stop: DropGuard,
}

impl Loopback {
    /// Listens on 127.0.0.1, and on ::1 where that can be had: `localhost` may mean either.
    pub(crate) async fn bind(port: Option<u16>) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0))).await?;
        let port = listener.local_addr()?.port();
        let (sender, arrived) = mpsc::channel(WAITING);
        let stop = CancellationToken::new();
        let second = TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await;
        for listener in [Some(listener), second.ok()].into_iter().flatten() {
            let router = Router::new().fallback(take).with_state(sender.clone());
            let ended = stop.clone().cancelled_owned();
            tokio::spawn(async move {
                let serving = axum::serve(listener, router).with_graceful_shutdown(ended);
                if let Err(e) = serving.await {
                    tracing::debug!("the redirect address ended: {e}");
                }
            });
        }
        Ok(Self {
            port,
            arrived,
            _stop: stop.drop_guard(),
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The next answer. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Option<Arrived> {
        self.arrived.recv().await
    }
}

async fn take(State(sender): State<mpsc::Sender<Arrived>>, query: RawQuery) -> Html<String> {
    let (told, telling) = oneshot::channel();
    let query = query.0.unwrap_or_default();
    let text = match sender.try_send(Arrived { query, told }) {
        Ok(()) => telling.await.unwrap_or_default(),
        Err(_) => String::new(),
    };
    let text = if text.is_empty() {
        "This sign-in is over. See the terminal."
    } else {
        &text
    };
    // Our own sentences only: nothing of the query is shown.
    Html(format!(
        "<!doctype html><meta charset=utf-8><title>replyd</title>\
         <body style=\"font:16px sans-serif;margin:3em\"><p>{text}</p>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn the_query_arrives_and_the_browser_is_told() {
        let mut loopback = Loopback::bind(None).await.unwrap();
        let port = loopback.port();
        let browser = tokio::spawn(async move {
            let mut tcp = tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .unwrap();
            let request = "GET /cb?code=a&state=b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            tcp.write_all(request.as_bytes()).await.unwrap();
            let mut page = String::new();
            tcp.read_to_string(&mut page).await.unwrap();
            page
        });
        let arrived = loopback.next().await.unwrap();
        assert_eq!(arrived.query, "code=a&state=b");
        arrived.tell("Done.");
        let page = browser.await.unwrap();
        assert!(
            page.starts_with("HTTP/1.1 200") && page.contains("<p>Done."),
            "{page}"
        );
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_an_error_and_a_dropped_one_is_free_again() {
        let loopback = Loopback::bind(None).await.unwrap();
        let port = loopback.port();
        assert!(Loopback::bind(Some(port)).await.is_err());
        drop(loopback);
        while Loopback::bind(Some(port)).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
}
