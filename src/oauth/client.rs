//! Talking to a token server: one form, one answer, told apart into what can be done about it
//! (RFC 6749 §5).
//!
//! What matters most here: only the server's own, well-formed "invalid_grant" ends a grant. No
//! connection, a time-out, 5xx, 429 and an answer that is not understood are passing troubles.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::ExposeSecret as _;
use secrecy::zeroize::Zeroizing;
use serde::Deserialize;
use serde_json::Value;

use crate::config::{ClientAuth, ClientSecret, OAuthSettings};
use crate::credential::{command, is_token, shown};
use crate::http::{Answer, HttpClient, HttpError};

/// What is assumed of a server that does not say how long its access tokens live.
const USUAL_LIFE: Duration = Duration::from_secs(3600);
/// Longer is not believed: the token is renewed at least so often.
const LONGEST_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// A server's wish to be left alone is believed up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What a token server gave.
pub(crate) struct Tokens {
    pub(crate) access: Zeroizing<String>,
    /// None: the one that was shown stays good.
    pub(crate) refresh: Option<Zeroizing<String>>,
    pub(crate) life: Duration,
    /// What was granted, where it says so.
    pub(crate) scope: Option<String>,
    /// Who consented, where it says so (`id_token`).
    pub(crate) address: Option<String>,
}

/// Why it gave none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its own word and text (RFC 6749 §5.2).
    Told { error: String, text: String },
    /// Nothing that says anything about the grant.
    Passing {
        text: String,
        /// It wants to be left alone for so long.
        wait: Option<Duration>,
        /// It may have given tokens that did not arrive.
        in_doubt: bool,
    },
    /// The request could not be made: an address, a certificate file, the command that prints the
    /// client's secret.
    NotAsked(String),
}

impl Refusal {
    /// For people.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Told { error, text } if text.is_empty() => error.clone(),
            Self::Told { error, text } => format!("{error}: {text}"),
            Self::Passing { text, .. } | Self::NotAsked(text) => text.clone(),
        }
    }
}

/// One field of a form.
pub(crate) type Field<'a> = (&'a str, &'a str);

/// A token server, as one registered client.
#[derive(Debug)]
pub(crate) struct TokenServer<'a> {
    pub(crate) http: &'a HttpClient,
    pub(crate) settings: &'a OAuthSettings,
}

impl TokenServer<'_> {
    /// Trades a code, a device code or a refresh token for tokens. `secrets` are withheld from
    /// what the server says.
    pub(crate) async fn tokens(
        &self,
        form: &[Field<'_>],
        secrets: &[&str],
    ) -> Result<Tokens, Refusal> {
        let answer = self.ask(&self.settings.token_url, form, secrets).await?;
        read_tokens(&answer).ok_or_else(|| not_understood(&self.settings.token_url))
    }

    /// Sends a form as this client, and gives the JSON of a 2xx.
    pub(crate) async fn ask(
        &self,
        url: &str,
        form: &[Field<'_>],
        secrets: &[&str],
    ) -> Result<Value, Refusal> {
        let secret = self.client_secret().await?;
        let id = self.settings.client_id.as_str();
        let mut form = form.to_vec();
        let answer = match (&secret, self.settings.client_auth) {
            (Some(secret), ClientAuth::Basic) => {
                // RFC 6749 §2.3.1: both are form-encoded before Basic encodes them again.
                let (id, secret) = (encoded(id), Zeroizing::new(encoded(secret)));
                self.http.post_form_as(url, &form, (&id, &secret)).await
            }
            (secret, _) => {
                form.push(("client_id", id));
                if let Some(secret) = secret {
                    form.push(("client_secret", secret));
                }
                self.http.post_form(url, &form).await
            }
        };
        let mut withheld = secrets.to_vec();
        withheld.extend(secret.as_ref().map(|s| s.as_str()));
        judge(url, answer, &withheld)
    }

    async fn client_secret(&self) -> Result<Option<Zeroizing<String>>, Refusal> {
        match &self.settings.client_secret {
            None => Ok(None),
            Some(ClientSecret::Text(text)) => {
                Ok(Some(Zeroizing::new(text.expose_secret().to_owned())))
            }
            Some(ClientSecret::Command(line)) => {
                let failed = |why| format!("client_secret_command gave no secret: {why}");
                let line = command::first_line(line).await;
                line.map(Some).map_err(|why| Refusal::NotAsked(failed(why)))
            }
        }
    }
}

/// `application/x-www-form-urlencoded`, of one value.
fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, b| {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(char::from(b));
        } else {
            // Writing to a String does not fail.
            write!(out, "%{b:02X}").unwrap_or_default();
        }
        out
    })
}

/// The host of an address, for people.
pub(crate) fn host(url: &str) -> String {
    let parsed = reqwest::Url::parse(url).ok();
    let host = parsed.and_then(|u| u.host_str().map(str::to_owned));
    host.unwrap_or_else(|| "the token server".to_owned())
}

/// The body of a refusal.
#[derive(Deserialize)]
struct Told {
    error: String,
    #[serde(default)]
    error_description: String,
}

fn judge(
    url: &str,
    answer: Result<Answer, HttpError>,
    withheld: &[&str],
) -> Result<Value, Refusal> {
    let passing = |text: String, wait: Option<Duration>, in_doubt| Refusal::Passing {
        text,
        wait: wait.map(|w| w.min(LONGEST_WAIT)),
        in_doubt,
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(e @ (HttpError::Address(_) | HttpError::Setup(_))) => {
            return Err(Refusal::NotAsked(e.to_string()));
        }
        Err(e @ HttpError::Network { sent, .. }) => {
            return Err(passing(e.to_string(), None, sent));
        }
        Err(e @ HttpError::TooLarge(_)) => return Err(passing(e.to_string(), None, true)),
    };
    let (status, wait) = (answer.status, answer.retry_after);
    let body = Zeroizing::new(answer.body);
    match status {
        200..=299 => serde_json::from_slice(&body).map_err(|_| not_understood(url)),
        408 | 429 | 500.. => {
            let text = format!("{} answers with HTTP status {status}", host(url));
            // A gateway speaks for a server that may have done its work.
            Err(passing(text, wait, matches!(status, 502 | 504)))
        }
        _ => match serde_json::from_slice::<Told>(&body) {
            Ok(told) => Err(Refusal::Told {
                error: word(&told.error),
                text: shown(&told.error_description, withheld),
            }),
            Err(_) => {
                let text = format!(
                    "{} answers with HTTP status {status} and no reason that is understood",
                    host(url)
                );
                Err(passing(text, wait, false))
            }
        },
    }
}

/// The error's word, bounded.
fn word(error: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || "_-. ".contains(*c);
    error.chars().filter(fits).take(60).collect()
}

/// A 2xx that is not what it should be: it may have used the refresh token up.
fn not_understood(url: &str) -> Refusal {
    Refusal::Passing {
        text: format!("the answer of {} is not understood", host(url)),
        wait: None,
        in_doubt: true,
    }
}

/// RFC 6749 §5.1. `None` when it is no such answer.
fn read_tokens(answer: &Value) -> Option<Tokens> {
    let text = |key: &str| answer.get(key).and_then(Value::as_str);
    let access = text("access_token").filter(|t| is_token(t))?;
    let bearer = text("token_type").is_none_or(|t| t.eq_ignore_ascii_case("bearer"));
    let refresh = text("refresh_token").filter(|t| !t.is_empty());
    let life = match answer.get("expires_in") {
        None | Some(Value::Null) => Some(USUAL_LIFE),
        // Some servers write the number as text.
        Some(Value::String(s)) => s.trim().parse().ok().map(Duration::from_secs),
        Some(n) => n.as_f64().and_then(|s| Duration::try_from_secs_f64(s).ok()),
    }?;
    bearer.then(|| Tokens {
        access: Zeroizing::new(access.to_owned()),
        refresh: refresh.map(|t| Zeroizing::new(t.to_owned())),
        life: life.clamp(Duration::from_secs(1), LONGEST_LIFE),
        scope: text("scope").map(str::to_owned),
        address: text("id_token").and_then(address_in),
    })
}

/// The address in an ID token. It came over TLS from the token server itself, so its signature
/// need not be checked (OpenID Connect Core §3.1.3.7); it is shown, and nothing depends on it.
fn address_in(id_token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(id_token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    ["email", "preferred_username", "upn"]
        .iter()
        .filter_map(|key| claims.get(key).and_then(Value::as_str))
        .find(|a| a.contains('@') && a.len() <= 254 && !a.chars().any(char::is_control))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(status: u16, body: &str) -> Result<Value, Refusal> {
        let answer = Answer {
            status,
            body: body.as_bytes().to_vec(),
            retry_after: Some(Duration::from_secs(7)),
        };
        judge("https://id.example/token", Ok(answer), &["s3cret"])
    }

    #[test]
    fn only_a_well_formed_refusal_says_something_of_the_grant() {
        let dead = "{\"error\":\"invalid_grant\",\"error_description\":\"revoked\"}";
        for status in [400, 401, 403] {
            let told = judged(status, dead).unwrap_err();
            assert_eq!(told.text(), "invalid_grant: revoked");
            assert!(matches!(told, Refusal::Told { .. }));
        }
        // The same words from a server in trouble, and everything else.
        for (status, body) in [
            (500, dead),
            (503, dead),
            (429, dead),
            (408, dead),
            (400, "<html>invalid_grant</html>"),
            (400, "{\"message\":\"invalid_grant\"}"),
            (404, ""),
            (302, ""),
        ] {
            let passing = judged(status, body).unwrap_err();
            let wait = Some(Duration::from_secs(7));
            assert!(
                matches!(&passing, Refusal::Passing { wait: w, in_doubt: false, .. } if *w == wait),
                "{status} {body}: {passing:?}"
            );
        }
        for body in ["", "<html>", "{\"error\""] {
            let passing = judged(200, body).unwrap_err();
            assert!(
                matches!(passing, Refusal::Passing { in_doubt: true, .. }),
                "{body}"
            );
        }
    }

    #[test]
    fn what_a_server_says_is_cut_and_holds_no_secret_and_no_address() {
        let told = |text: &str| {
            let body = json!({ "error": "invalid_client\u{1b}[31m", "error_description": text });
            judged(401, &body.to_string()).unwrap_err().text()
        };
        assert_eq!(told("bad\r\nsecret"), "invalid_client31m: bad secret");
        assert!(!told("secret s3cret is wrong").contains("s3cret"));
        assert!(!told("user ann@example.com is gone").contains("ann@"));
        assert!(told(&"x".repeat(9000)).len() < 300);
    }

    #[test]
    fn no_connection_is_never_a_refusal() {
        let network = |sent| {
            let e = HttpError::Network {
                host: "id.example".into(),
                reason: "connection refused".into(),
                sent,
            };
            judge("https://id.example/token", Err(e), &[]).unwrap_err()
        };
        assert!(matches!(
            network(true),
            Refusal::Passing { in_doubt: true, .. }
        ));
        assert!(matches!(
            network(false),
            Refusal::Passing {
                in_doubt: false,
                ..
            }
        ));
    }

    #[test]
    fn tokens_are_read_as_servers_write_them() {
        let read = |v: Value| read_tokens(&v);
        let t = read(
            json!({ "access_token": "a", "token_type": "Bearer", "expires_in": 3599,
            "refresh_token": "r", "scope": "mail" }),
        )
        .unwrap();
        assert_eq!((t.access.as_str(), t.life.as_secs()), ("a", 3599));
        assert_eq!(t.refresh.as_ref().map(|r| r.as_str()), Some("r"));
        assert_eq!(t.scope.as_deref(), Some("mail"));
        let life = |v: Value| {
            read(json!({ "access_token": "a", "expires_in": v })).map(|t| t.life.as_secs())
        };
        assert_eq!(life(json!("3600")), Some(3600));
        assert_eq!(life(json!(null)), Some(3600));
        assert_eq!(life(json!(0)), Some(1));
        assert_eq!(life(json!(1e12)), Some(7 * 24 * 3600));
        for bad in [json!(-5), json!("soon"), json!([])] {
            assert_eq!(life(bad), None);
        }
        for bad in [
            json!({}),
            json!([]),
            json!({ "access_token": "" }),
            json!({ "access_token": "a b" }),
            json!({ "access_token": "a\r\n" }),
            json!({ "access_token": "a", "token_type": "mac" }),
        ] {
            assert!(read(bad.clone()).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_address_of_an_id_token_is_shown_where_there_is_one() {
        let token = |claims: Value| format!("h.{}.s", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let claims = json!({ "preferred_username": "ann@example.com", "sub": "1" });
        assert_eq!(
            address_in(&token(claims)).as_deref(),
            Some("ann@example.com")
        );
        for nothing in [
            "",
            "a.b.c",
            "a.!.c",
            &token(json!({ "email": "no address" })),
        ] {
            assert_eq!(address_in(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn basic_takes_encoded_words() {
        assert_eq!(encoded("a-b.c~d_e"), "a-b.c~d_e");
        assert_eq!(encoded("a b:c%ü"), "a%20b%3Ac%25%C3%BC");
    }
}
