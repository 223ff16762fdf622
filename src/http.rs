//! Requests to HTTP servers that the operator named: token servers, webhooks, autoconfig, the model
//! endpoint.
//!
//! TLS is ours (rustls with ring, the system's store and an own CA file). Every request has a
//! deadline, every answer a bound, redirects are not followed (a token must not travel on), and
//! without TLS only loopback is spoken to. No error repeats a URL's query, a body or a header.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Method, Url, redirect};
use tokio_rustls::rustls::ClientConfig;

/// Name lookup, TCP and TLS.
const CONNECT: Duration = Duration::from_secs(10);
/// The whole request.
const TOTAL: Duration = Duration::from_secs(30);
/// Tokens, autoconfig files and webhook answers are a few KiB.
const MAX_ANSWER: usize = 256 * 1024;

/// Why a request has no answer.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum HttpError {
    /// The address cannot be used.
    #[error("{0}")]
    Address(String),
    /// Nobody could be reached: name, connection, TLS or a time-out. Tells nothing about the
    /// request itself.
    #[error("{host} cannot be reached: {reason}")]
    Network {
        /// The server's host.
        host: String,
        /// What failed.
        reason: String,
        /// Whether the request may have reached the server all the same.
        sent: bool,
    },
    /// The answer is larger than 256 KiB.
    #[error("The answer of {0} is too large")]
    TooLarge(String),
    /// The TLS library refused the configuration.
    #[error("HTTP cannot be set up: {0}")]
    Setup(String),
}

/// An answer, whatever its status.
#[derive(Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// Retry-After in seconds (RFC 9110 §10.2.3), where the answer gives it so.
    pub retry_after: Option<Duration>,
}

/// What is kept of an answer whose body nobody needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The status code.
    pub status: u16,
    /// Retry-After in seconds (RFC 9110 §10.2.3), where the answer gives it so.
    pub retry_after: Option<Duration>,
}

/// Without the body, which may hold tokens.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A client for one set of trusted certificates; clones share its connections.
#[derive(Clone, Debug)]
pub struct HttpClient(Client);

impl HttpClient {
    /// Makes a client that trusts what `tls` trusts ([`crate::tls::TlsRoots::client_config`]).
    ///
    /// # Errors
    /// [`HttpError::Setup`].
    pub fn new(tls: &Arc<ClientConfig>) -> Result<Self, HttpError> {
        Self::with_connect_limit(tls, CONNECT)
    }

    /// As [`HttpClient::new`], with another limit for name lookup, TCP and TLS.
    ///
    /// # Errors
    /// [`HttpError::Setup`].
    pub fn with_connect_limit(
        tls: &Arc<ClientConfig>,
        connect: Duration,
    ) -> Result<Self, HttpError> {
        let client = Client::builder()
            .tls_backend_preconfigured(ClientConfig::clone(tls))
            .connect_timeout(connect)
            .timeout(TOTAL)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("replyd/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| HttpError::Setup(e.without_url().to_string()))?;
        Ok(Self(client))
    }

    /// GET.
    ///
    /// # Errors
    /// As [`HttpError`] says.
    pub async fn get(&self, url: &str) -> Result<Answer, HttpError> {
        let url = checked(url)?;
        self.send(&url, self.0.request(Method::GET, url.clone()))
            .await
    }

    /// POST of a form (`application/x-www-form-urlencoded`).
    ///
    /// # Errors
    /// As [`HttpError`] says.
    pub async fn post_form(&self, url: &str, form: &[(&str, &str)]) -> Result<Answer, HttpError> {
        let url = checked(url)?;
        let request = self.0.request(Method::POST, url.clone()).form(form);
        self.send(&url, request).await
    }

    /// POST of a form with HTTP Basic (RFC 7617).
    ///
    /// # Errors
    /// As [`HttpError`] says.
    pub async fn post_form_as(
        &self,
        url: &str,
        form: &[(&str, &str)],
        (user, password): (&str, &str),
    ) -> Result<Answer, HttpError> {
        let url = checked(url)?;
        let request = self.0.request(Method::POST, url.clone()).form(form);
        self.send(&url, request.basic_auth(user, Some(password)))
            .await
    }

    /// POST of a JSON value.
    ///
    /// # Errors
    /// As [`HttpError`] says.
    pub async fn post_json(
        &self,
        url: &str,
        value: &serde_json::Value,
    ) -> Result<Answer, HttpError> {
        let url = checked(url)?;
        let request = self.0.request(Method::POST, url.clone()).json(value);
        self.send(&url, request).await
    }

    /// POST of a JSON value with a bearer token (RFC 6750 §2.1), if there is one; `limit` is for
    /// the whole request.
    ///
    /// # Errors
    /// As [`HttpError`] says.
    pub async fn post_json_as(
        &self,
        url: &str,
        value: &serde_json::Value,
        bearer: Option<&str>,
        limit: Duration,
    ) -> Result<Answer, HttpError> {
        let url = checked(url)?;
        let mut request = self.0.request(Method::POST, url.clone()).json(value);
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        self.send(&url, request.timeout(limit)).await
    }

    /// POST of a JSON text with further headers; `limit` is for the whole request. The body of the answer is
    /// not read, however long it is.
    ///
    /// # Errors
    /// As [`HttpError`] says.
    pub async fn tell(
        &self,
        url: &str,
        body: String,
        headers: &[(&'static str, String)],
        limit: Duration,
    ) -> Result<Told, HttpError> {
        let url = checked(url)?;
        let mut request = self.0.request(Method::POST, url.clone()).timeout(limit);
        request = request.header(reqwest::header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request
            .body(body)
            .send()
            .await
            .map_err(|e| HttpError::Network {
                host: url.host_str().unwrap_or_default().to_owned(),
                sent: !e.is_connect(),
                reason: reason(e),
            })?;
        Ok(Told {
            status: answer.status().as_u16(),
            retry_after: retry_after(&answer),
        })
    }

    async fn send(&self, url: &Url, request: reqwest::RequestBuilder) -> Result<Answer, HttpError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let network = |e: reqwest::Error| HttpError::Network {
            host: host.clone(),
            sent: !e.is_connect(),
            reason: reason(e),
        };
        let mut answer = request.send().await.map_err(network)?;
        let status = answer.status().as_u16();
        let retry_after = retry_after(&answer);
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(network)? {
            if body.len().saturating_add(chunk.len()) > MAX_ANSWER {
                return Err(HttpError::TooLarge(host));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status,
            body,
            retry_after,
        })
    }
}

fn retry_after(answer: &reqwest::Response) -> Option<Duration> {
    let value = answer.headers().get(reqwest::header::RETRY_AFTER)?;
    let seconds = value.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The innermost reason says most; the URL may hold a secret.
fn reason(e: reqwest::Error) -> String {
    if e.is_timeout() {
        return "no answer in time".to_owned();
    }
    let e = e.without_url();
    let mut innermost: &dyn std::error::Error = &e;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Whether `url` may be asked: https, or http to this machine.
///
/// # Errors
/// [`HttpError::Address`], with what to write instead.
pub fn check_url(url: &str) -> Result<(), HttpError> {
    checked(url).map(|_| ())
}

/// Whether `url` leads to this machine.
#[must_use]
pub fn leads_here(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| is_here(url.host_str().unwrap_or_default()))
}

fn is_here(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|a| a.is_loopback())
}

fn checked(url: &str) -> Result<Url, HttpError> {
    let bad = |why: &str| Err(HttpError::Address(why.to_owned()));
    let Ok(parsed) = Url::parse(url) else {
        return bad("the address is no URL: write https://host/path");
    };
    let Some(host) = parsed.host_str() else {
        return bad("the address names no host: write https://host/path");
    };
    match parsed.scheme() {
        "https" => Ok(parsed),
        "http" if is_here(host) => Ok(parsed),
        "http" => bad("without TLS only this machine is spoken to: write https://"),
        _ => bad("the address must begin with https://"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::rustls::{RootCertStore, crypto};

    fn client() -> HttpClient {
        let provider = Arc::new(crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        HttpClient::new(&Arc::new(config)).unwrap()
    }

    /// Answers one request with `answer`, and gives back what was asked.
    async fn serve(answer: Vec<u8>) -> (String, tokio::task::JoinHandle<String>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token?secret=1", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            let n = socket.read(&mut asked).await.unwrap();
            // The client may hang up on an answer that is too large.
            socket.write_all(&answer).await.unwrap_or_default();
            asked.truncate(n);
            String::from_utf8(asked).unwrap()
        });
        (url, task)
    }

    #[tokio::test]
    async fn a_form_is_posted_and_any_status_is_an_answer() {
        let answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}".to_vec();
        let (url, asked) = serve(answer).await;
        let form = [("grant_type", "refresh_token"), ("x", "a b&c")];
        let got = client().post_form(&url, &form).await.unwrap();
        assert_eq!((got.status, got.body.as_slice()), (400, b"{}".as_slice()));
        assert!(!got.is_ok());
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("POST /token?secret=1"), "{asked}");
        assert!(
            asked.ends_with("grant_type=refresh_token&x=a+b%26c"),
            "{asked}"
        );
    }

    #[tokio::test]
    async fn redirects_are_not_followed() {
        let answer =
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        let (url, _asked) = serve(answer.to_vec()).await;
        assert_eq!(client().get(&url).await.unwrap().status, 302);
    }

    #[tokio::test]
    async fn an_endless_answer_is_refused() {
        let mut answer = b"HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n".to_vec();
        answer.resize(answer.len() + MAX_ANSWER + 2, b'x');
        let (url, _asked) = serve(answer).await;
        let e = client().get(&url).await.unwrap_err();
        assert_eq!(e, HttpError::TooLarge("127.0.0.1".into()));
    }

    #[tokio::test]
    async fn a_closed_port_is_a_network_error_without_the_query() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/?secret=1", listener.local_addr().unwrap());
        drop(listener);
        let e = client().get(&url).await.unwrap_err();
        assert!(matches!(e, HttpError::Network { .. }), "{e}");
        assert!(!format!("{e} {e:?}").contains("secret"), "{e:?}");
    }

    #[test]
    fn only_loopback_is_spoken_to_without_tls() {
        for good in [
            "https://login.example/token",
            "http://127.0.0.1:8/x",
            "http://[::1]:8/",
            "http://localhost/",
        ] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        for bad in [
            "http://example.com/",
            "ftp://127.0.0.1/",
            "nonsense",
            "data:x",
        ] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }
}
