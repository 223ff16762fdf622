//! From where a request comes, and to which name it was sent, also behind a proxy.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::extract::connect_info::Connected;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::serve::IncomingStream;

use super::bounded::BoundedListener;
use crate::config::WebSettings;

/// Who is connected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

impl Connected<IncomingStream<'_, BoundedListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, BoundedListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// From where a request comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The address: the peer's, or what a trusted proxy says of it.
    pub(crate) ip: IpAddr,
    /// The browser speaks TLS with whoever is in front.
    pub(crate) tls: bool,
}

impl Caller {
    /// Of the head of a request.
    pub(crate) fn of(parts: &Parts, web: &WebSettings) -> Self {
        let peer = parts
            .extensions
            .get::<ConnectInfo<Peer>>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.0.ip());
        Self::with(peer.to_canonical(), &parts.headers, web)
    }

    fn with(peer: IpAddr, headers: &HeaderMap, web: &WebSettings) -> Self {
        let trusted = |ip: IpAddr| web.trusted_proxies.iter().any(|n| n.contains(ip));
        let of_public = match (&web.public_url, host(headers)) {
            (Some(url), Some(host)) => {
                url.starts_with("https://") && host_of_url(url).is_some_and(|h| h == host)
            }
            _ => false,
        };
        if !trusted(peer) {
            return Self {
                ip: peer,
                tls: of_public,
            };
        }
        // The rightmost that is no proxy of ours: what stands before it anybody may have written.
        let said: Vec<IpAddr> = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|v| v.to_str().ok())
            .flat_map(|v| v.split(','))
            .map_while(|ip| ip.trim().parse::<IpAddr>().ok())
            .map(|ip| ip.to_canonical())
            .collect();
        let ip = said.iter().rev().find(|ip| !trusted(**ip)).copied();
        let proto = headers
            .get("x-forwarded-proto")
            .and_then(|v| v.to_str().ok());
        Self {
            ip: ip.unwrap_or(peer),
            tls: of_public || proto.is_some_and(|p| p.trim().eq_ignore_ascii_case("https")),
        }
    }
}

/// The name that the request was sent to, without its port, in lower case.
pub(super) fn host(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    Some(without_port(host).to_ascii_lowercase())
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        // `[::1]` has colons, and no port.
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.ends_with(':') => {
            host
        }
        _ => authority,
    }
}

fn host_of_url(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    Some(without_port(authority).to_ascii_lowercase())
}

/// Whether a server without a token was meant: a page elsewhere can make its own name lead to
/// this machine (DNS rebinding), but the Host header tells.
pub(super) fn is_meant(headers: &HeaderMap, web: &WebSettings) -> bool {
    let Some(host) = host(headers) else {
        return false;
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = bare == "localhost"
        || bare.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        || bare.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback());
    loopback || web.public_url.as_deref().and_then(host_of_url) == Some(host)
}

/// Whether a request that changes something comes from a page of ours. Browsers say so by
/// Sec-Fetch-Site or by Origin; `bare`: what holds where neither is there.
pub(super) fn is_same_origin(method: &Method, headers: &HeaderMap, bare: bool) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return true;
    }
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text("origin") else {
        return bare;
    };
    let authority = origin
        .split_once("://")
        .map(|(_, a)| a.to_ascii_lowercase());
    let host = text("host").map(str::to_ascii_lowercase);
    authority.is_some() && authority == host
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web() -> WebSettings {
        WebSettings {
            public_url: Some("https://replyd.example.com/x".into()),
            trusted_proxies: vec!["127.0.0.1".parse().unwrap(), "10.0.0.0/8".parse().unwrap()],
            ..WebSettings::default()
        }
    }

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_its_last_word() {
        let proxy = "127.0.0.1".parse().unwrap();
        let stranger: IpAddr = "198.51.100.7".parse().unwrap();
        let forwarded = headers(&[
            ("x-forwarded-for", "1.1.1.1, 203.0.113.9"),
            ("x-forwarded-for", "10.0.0.3"),
            ("x-forwarded-proto", "https"),
        ]);
        let caller = Caller::with(proxy, &forwarded, &web());
        assert_eq!(
            (caller.ip.to_string(), caller.tls),
            ("203.0.113.9".into(), true)
        );
        let caller = Caller::with(stranger, &forwarded, &web());
        assert_eq!((caller.ip, caller.tls), (stranger, false));
        let caller = Caller::with(proxy, &headers(&[]), &web());
        assert_eq!((caller.ip, caller.tls), (proxy, false));
        let public = headers(&[("host", "REPLYD.example.com:443")]);
        assert!(Caller::with(stranger, &public, &web()).tls);
    }

    #[test]
    fn a_name_that_was_led_here_is_not_meant() {
        for (host, good) in [
            ("localhost", true),
            ("LOCALHOST:8025", true),
            ("127.0.0.1:8025", true),
            ("127.8.8.8", true),
            ("[::1]:8025", true),
            ("[::1]", true),
            ("replyd.example.com", true),
            ("evil.example", false),
            ("localhost.evil.example:8025", false),
            ("192.0.2.1", false),
            ("", false),
        ] {
            assert_eq!(
                is_meant(&headers(&[("host", host)]), &web()),
                good,
                "{host}"
            );
        }
        assert!(!is_meant(&headers(&[]), &web()));
    }

    #[test]
    fn what_changes_something_comes_from_our_own_page() {
        let post =
            |all: &[(&'static str, &str)]| is_same_origin(&Method::POST, &headers(all), false);
        assert!(post(&[("sec-fetch-site", "same-origin")]));
        assert!(!post(&[("sec-fetch-site", "cross-site")]));
        assert!(!post(&[("sec-fetch-site", "same-site")]));
        assert!(post(&[
            ("origin", "https://a.example:8025"),
            ("host", "a.example:8025")
        ]));
        assert!(!post(&[
            ("origin", "https://b.example"),
            ("host", "a.example")
        ]));
        assert!(!post(&[("origin", "null"), ("host", "a.example")]));
        assert!(!post(&[("host", "a.example")]));
        assert!(is_same_origin(&Method::GET, &headers(&[]), false));
    }
}
