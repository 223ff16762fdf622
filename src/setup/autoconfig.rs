//! Thunderbird's autoconfiguration: a file that the domain offers over HTTPS
//! (<https://wiki.mozilla.org/Thunderbird:Autoconfiguration:ConfigFileFormat>).

use std::time::Duration;

use roxmltree::{Document, Node, ParsingOptions};
use tokio::time::timeout;

use super::presets::Server;
use crate::config::Security;
use crate::http::HttpClient;

/// Both places together.
const LIMIT: Duration = Duration::from_secs(15);

/// A file has some dozens of elements.
const MAX_NODES: u32 = 10_000;

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Autoconfig {
    /// The provider's name.
    pub name: String,
    /// Where mail is read.
    pub imap: Server,
    /// Where mail is handed in.
    pub smtp: Server,
    /// The user for both.
    pub user: String,
}

/// The places at which the domain of an address may offer its file. The address itself is not
/// sent along: the files of single domains do not depend on it.
#[must_use]
pub(super) fn places(domain: &str) -> [String; 2] {
    let domain = crate::tls::ascii_host(domain);
    [
        format!("https://autoconfig.{domain}/mail/config-v1.1.xml"),
        format!("https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml"),
    ]
}

/// The first file that names both servers; none also when nobody answers in time.
pub(super) async fn fetch(
    http: &HttpClient,
    places: &[String],
    address: &str,
) -> Option<Autoconfig> {
    let mut files = tokio::task::JoinSet::new();
    for (at, url) in places.iter().enumerate() {
        let (http, url) = (http.clone(), url.clone());
        files.spawn(async move { (at, http.get(&url).await) });
    }
    let mut found: Vec<Option<Autoconfig>> = vec![None; places.len()];
    let all = async {
        while let Some(answer) = files.join_next().await {
            if let Ok((at, Ok(answer))) = answer
                && answer.is_ok()
                && let Some(slot) = found.get_mut(at)
            {
                *slot = std::str::from_utf8(&answer.body)
                    .ok()
                    .and_then(|text| parse(text, address));
            }
        }
    };
    if timeout(LIMIT, all).await.is_err() {
        tracing::debug!("No autoconfiguration in time");
    }
    found.into_iter().flatten().next()
}

/// Reads a file: the first protected IMAP server and the first protected submission server.
#[must_use]
pub(super) fn parse(text: &str, address: &str) -> Option<Autoconfig> {
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: MAX_NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options).ok()?;
    let provider = document
        .root_element()
        .children()
        .find(|n| n.has_tag_name("emailProvider"))?;
    let name = ["displayName", "displayShortName"]
        .iter()
        .find_map(|tag| text_of(provider, tag))
        .unwrap_or_default();
    let (imap, user) = best(provider, "incomingServer", "imap", address)?;
    let (smtp, _) = best(provider, "outgoingServer", "smtp", address)?;
    Some(Autoconfig {
        name: name.chars().filter(|c| !c.is_control()).take(80).collect(),
        imap,
        smtp,
        user: user.unwrap_or_else(|| address.to_owned()),
    })
}

/// TLS from the first byte before STARTTLS (RFC 8314 §3), else the order of the file.
fn best(
    provider: Node<'_, '_>,
    tag: &str,
    kind: &str,
    address: &str,
) -> Option<(Server, Option<String>)> {
    let servers: Vec<(Server, Option<String>)> = provider
        .children()
        .filter(|n| n.has_tag_name(tag) && n.attribute("type") == Some(kind))
        .filter_map(|n| server(n, address))
        .collect();
    let implicit = servers.iter().find(|(s, _)| s.security == Security::Tls);
    implicit.or(servers.first()).cloned()
}

fn server(node: Node<'_, '_>, address: &str) -> Option<(Server, Option<String>)> {
    let security = match text_of(node, "socketType")?.as_str() {
        "SSL" => Security::Tls,
        "STARTTLS" => Security::StartTls,
        _ => return None,
    };
    let host = fill(&text_of(node, "hostname")?, address);
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    if host.is_empty() || host.len() > 253 || !host.chars().all(fits) {
        return None;
    }
    let port = text_of(node, "port")?.parse().ok().filter(|p| *p > 0)?;
    let user = text_of(node, "username").map(|u| fill(&u, address));
    let user = user.filter(|u| u.len() <= 320 && !u.contains(char::is_control));
    Some((Server::new(host, port, security), user))
}

fn text_of(node: Node<'_, '_>, tag: &str) -> Option<String> {
    let text = node.children().find(|n| n.has_tag_name(tag))?.text()?;
    Some(text.trim().to_owned()).filter(|t| !t.is_empty())
}

fn fill(text: &str, address: &str) -> String {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    text.replace("%EMAILADDRESS%", address)
        .replace("%EMAILLOCALPART%", local)
        .replace("%EMAILDOMAIN%", domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1">
  <emailProvider id="example.com">
    <domain>example.com</domain>
    <displayName>Example Mail</displayName>
    <incomingServer type="pop3"><hostname>pop.example.com</hostname><port>995</port>
      <socketType>SSL</socketType></incomingServer>
    <incomingServer type="imap"><hostname>plain.example.com</hostname><port>143</port>
      <socketType>plain</socketType></incomingServer>
    <incomingServer type="imap"><hostname>imap.example.com</hostname><port>143</port>
      <socketType>STARTTLS</socketType><username>%EMAILADDRESS%</username></incomingServer>
    <incomingServer type="imap"><hostname>imap.%EMAILDOMAIN%</hostname><port>993</port>
      <socketType>SSL</socketType><username>%EMAILLOCALPART%</username></incomingServer>
    <outgoingServer type="smtp"><hostname>smtp.example.com</hostname><port>587</port>
      <socketType>STARTTLS</socketType><username>%EMAILADDRESS%</username></outgoingServer>
  </emailProvider>
</clientConfig>"#;

    #[test]
    fn protected_servers_are_taken_and_names_filled_in() {
        let found = parse(FILE, "ann@example.com").unwrap();
        assert_eq!(
            found,
            Autoconfig {
                name: "Example Mail".into(),
                imap: Server::new("imap.example.com", 993, Security::Tls),
                smtp: Server::new("smtp.example.com", 587, Security::StartTls),
                user: "ann".into(),
            }
        );
    }

    #[test]
    fn what_is_no_such_file_gives_nothing() {
        let without_smtp = FILE.replace("outgoingServer", "other");
        let strange_host = FILE.replace("smtp.example.com", "smtp example/com");
        let unprotected = FILE.replace("SSL", "plain").replace("STARTTLS", "plain");
        let many = format!("<clientConfig>{}</clientConfig>", "<a/>".repeat(20_000));
        let bomb = "<!DOCTYPE a [<!ENTITY b \"cc\">]><clientConfig>&b;</clientConfig>";
        for text in [
            "",
            "<html><body>Not found</body></html>",
            "<clientConfig><emailProvider/></clientConfig>",
            &without_smtp,
            &strange_host,
            &unprotected,
            &many,
            bomb,
        ] {
            assert_eq!(parse(text, "ann@example.com"), None, "{text:.80}");
        }
    }

    #[test]
    fn both_places_of_the_domain_are_asked() {
        assert_eq!(
            places("Bücher.example"),
            [
                "https://autoconfig.xn--bcher-kva.example/mail/config-v1.1.xml",
                "https://xn--bcher-kva.example/.well-known/autoconfig/mail/config-v1.1.xml",
            ]
        );
    }

    #[tokio::test]
    async fn the_first_place_with_a_usable_file_counts() {
        let empty = serve("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".into()).await;
        let length = FILE.len();
        let file = serve(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{FILE}"
        ))
        .await;
        let tls = crate::tls::TlsRoots::default().client_config(None).unwrap();
        let http = HttpClient::new(&tls).unwrap();
        let found = fetch(&http, &[empty, file], "ann@example.com").await;
        assert_eq!(found.unwrap().imap.host, "imap.example.com");
    }

    async fn serve(answer: String) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1024];
            assert!(socket.read(&mut asked).await.unwrap() > 0);
            socket.write_all(answer.as_bytes()).await.unwrap();
        });
        url
    }
}
