//! Signing in to the page: by a token, or by a link that works once. The session is a cookie with
//! 256 random bits, of which the store knows the SHA-256.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::access::{TOKEN_PREFIX, of_token};
use super::error::ApiError;
use super::hosts::{self, Caller};
use super::sign_in_page::{self, Ask};
use super::state::Shared;
use crate::store::SessionRow;
use crate::time::{self, UtcMs};

/// Where one signs in.
pub(super) const SIGN_IN: &str = "/sign-in";
/// A session that is not used ends after this…
const IDLE: Duration = Duration::from_secs(3 * 24 * 3600);
/// …and every one after this.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a link works.
pub const LINK_LIFE: Duration = Duration::from_secs(10 * 60);
/// Characters of a secret, a link or a path that are looked at.
const MAX_TEXT: usize = 512;
/// The names of the cookie. `__Host-`: no other host and no page without TLS can set it.
const COOKIE: &str = "replyd_session";
const TLS_COOKIE: &str = "__Host-replyd_session";

/// What the store knows of a secret. It has 256 random bits, so it takes no salt.
#[must_use]
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// A new secret: 256 random bits behind `prefix`.
///
/// # Errors
/// When the system gives no random bytes.
pub fn new_secret(prefix: &str) -> anyhow::Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|e| anyhow::anyhow!("No random bytes: {e}"))?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// What forms of a session bring along.
pub(super) fn csrf(cookie: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"replyd form v1\0");
    hash.update(cookie.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// Whether two words are the same, in a time that does not tell how much of them is.
pub(super) fn same(a: &str, b: &str) -> bool {
    crate::msgid::equal_in_constant_time(a.as_bytes(), b.as_bytes())
}

/// The session's cookie.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE);
    let pairs = || {
        all.iter()
            .filter_map(|v| v.to_str().ok())
            .flat_map(|v| v.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
    };
    let named = |wanted: &str| pairs().find(|(name, _)| *name == wanted).map(|(_, v)| v);
    named(TLS_COOKIE)
        .or_else(|| named(COOKIE))
        .filter(|v| !v.is_empty() && v.len() <= MAX_TEXT)
}

/// Whether a session lets somebody in at `now`.
pub(super) fn is_good(row: &SessionRow, now: UtcMs) -> bool {
    row.token.is_good(now) && now < row.expires_at && now < row.seen_at.plus(IDLE)
}

/// Where to sign in to go on to `next`.
pub(super) fn sign_in_url(next: &str) -> String {
    if next == "/" || next.len() > MAX_TEXT {
        return SIGN_IN.to_owned();
    }
    let mut query = String::new();
    for byte in next.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            query.push(char::from(byte));
        } else {
            query.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("{SIGN_IN}?next={query}")
}

/// A path of ours; what leads elsewhere becomes `/`.
fn own_path(next: &str) -> &str {
    let fits = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(['\\', '\r', '\n', '\t'])
        && next.len() <= MAX_TEXT;
    if fits { next } else { "/" }
}

/// The routes of signing in and out.
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route(SIGN_IN, get(ask).post(sign_in))
        .route("/sign-in/{link}", get(ask_by_link))
        .route("/sign-out", post(sign_out))
}

#[derive(Debug, Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

/// What the form brings.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Brought {
    token: String,
    link: String,
    next: String,
}

/// From where a request comes.
struct From(Caller, HeaderMap);

impl FromRequestParts<Arc<Shared>> for From {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        if !hosts::is_same_origin(&parts.method, &parts.headers, false) {
            return Err(ApiError::forbidden("The request comes from another site"));
        }
        let caller = Caller::of(parts, &shared.settings.web);
        Ok(Self(caller, parts.headers.clone()))
    }
}

async fn ask(State(shared): State<Arc<Shared>>, Query(query): Query<Next>) -> Response {
    if shared.open {
        return Redirect::to("/").into_response();
    }
    let ask = Ask {
        next: own_path(&query.next),
        ..Ask::default()
    };
    sign_in_page::page(&ask).into_response()
}

/// Shows a button; a scanner of mails that opens the link does not use it up.
async fn ask_by_link(
    State(shared): State<Arc<Shared>>,
    Path(link): Path<String>,
) -> Result<Response, ApiError> {
    let (hash, now) = (hash(&link), time::now());
    let good = shared.read(move |r| r.is_link_good(&hash, now)).await?;
    let (status, ask) = if good {
        let ask = Ask {
            link: &link,
            next: "/",
            ..Ask::default()
        };
        (StatusCode::OK, ask)
    } else {
        let ask = Ask {
            trouble: "This link was used already, or is too old: ask for another one.",
            next: "/",
            ..Ask::default()
        };
        (StatusCode::NOT_FOUND, ask)
    };
    let headers = [(header::REFERRER_POLICY, "no-referrer")];
    Ok((status, headers, sign_in_page::page(&ask)).into_response())
}

async fn sign_in(
    State(shared): State<Arc<Shared>>,
    From(caller, _): From,
    axum::Form(brought): axum::Form<Brought>,
) -> Result<Response, ApiError> {
    let next = own_path(&brought.next);
    if let Err(wait) = shared.sign_ins.count(caller.ip) {
        let ask = Ask {
            trouble: "Too many attempts: wait some minutes.",
            next,
            ..Ask::default()
        };
        let headers = [(header::RETRY_AFTER, HeaderValue::from(wait))];
        let page = sign_in_page::page(&ask);
        return Ok((StatusCode::TOO_MANY_REQUESTS, headers, page).into_response());
    }
    let Some(token) = token_of(&shared, &brought).await? else {
        let trouble = if brought.link.is_empty() {
            "This token is not known, or has ended."
        } else {
            "This link was used already, or is too old: ask for another one."
        };
        let ask = Ask {
            trouble,
            next,
            ..Ask::default()
        };
        return Ok((StatusCode::UNAUTHORIZED, sign_in_page::page(&ask)).into_response());
    };
    let secret = new_secret("").map_err(|e| ApiError::internal(&e))?;
    let (hash, now) = (hash(&secret), time::now());
    shared
        .write(move |tx| tx.insert_session(token, &hash, now.plus(LONGEST), now))
        .await?;
    let set = set_cookie(caller.tls, &secret, LONGEST.as_secs());
    Ok(([(header::SET_COOKIE, set)], Redirect::to(next)).into_response())
}

/// The token that somebody shows, or that a link stands for.
async fn token_of(shared: &Shared, brought: &Brought) -> Result<Option<i64>, ApiError> {
    let (token, link) = (brought.token.trim(), brought.link.trim());
    if token.len() > MAX_TEXT || link.len() > MAX_TEXT {
        return Ok(None);
    }
    if link.is_empty() {
        if !token.starts_with(TOKEN_PREFIX) {
            return Ok(None);
        }
        return Ok(of_token(shared, token).await?.map(|row| row.id));
    }
    let (hash, now) = (hash(link), time::now());
    shared.write(move |tx| tx.use_link(&hash, now)).await
}

async fn sign_out(
    State(shared): State<Arc<Shared>>,
    From(caller, headers): From,
) -> Result<Response, ApiError> {
    if let Some(cookie) = cookie(&headers) {
        let hash = hash(cookie);
        shared.write(move |tx| tx.end_session(&hash)).await?;
    }
    let all = [
        (header::SET_COOKIE, set_cookie(caller.tls, "", 0)),
        (
            HeaderName::from_static("clear-site-data"),
            "\"cache\", \"storage\"".to_owned(),
        ),
    ];
    Ok((all, Redirect::to(SIGN_IN)).into_response())
}

fn set_cookie(tls: bool, value: &str, age_s: u64) -> String {
    let (name, secure) = if tls {
        (TLS_COOKIE, "; Secure")
    } else {
        (COOKIE, "")
    };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age_s}{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_ours_are_gone_on_to() {
        for good in ["/", "/conversations/7?x=1"] {
            assert_eq!(own_path(good), good);
        }
        for bad in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil",
            "/a\r\nb",
            "x",
        ] {
            assert_eq!(own_path(bad), "/", "{bad}");
        }
        assert_eq!(sign_in_url("/"), SIGN_IN);
        assert_eq!(sign_in_url("/a?b=c&d"), "/sign-in?next=/a%3Fb%3Dc%26d");
    }

    #[test]
    fn the_cookie_is_out_of_reach_of_scripts_and_other_sites() {
        let plain = set_cookie(false, "x", 60);
        assert!(
            plain.contains("HttpOnly; SameSite=Strict") && !plain.contains("Secure"),
            "{plain}"
        );
        let tls = set_cookie(true, "x", 60);
        assert!(
            tls.starts_with("__Host-") && tls.ends_with("; Secure"),
            "{tls}"
        );
        let mut headers = HeaderMap::new();
        let both = "a=b; replyd_session=old; __Host-replyd_session=new";
        headers.insert(header::COOKIE, HeaderValue::from_static(both));
        assert_eq!(cookie(&headers), Some("new"));
    }

    #[test]
    fn secrets_are_long_and_differ() {
        let (a, b) = (
            new_secret("replyd_").unwrap(),
            new_secret("replyd_").unwrap(),
        );
        assert!(a.len() >= 43 + 7 && a != b);
        assert_ne!(csrf(&a), csrf(&b));
        assert!(same(&csrf(&a), &csrf(&a)) && !same(&csrf(&a), ""));
    }
}
