//! Asks the running replyd how it is, as a monitor would.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::report::{Check, Group};
use crate::config::Settings;

/// It is this machine, and the answer is a look at the database.
const ANSWER: Duration = Duration::from_secs(8);
/// An answer has a line an account.
const MAX_BYTES: u64 = 256 * 1024;

/// What `/health` says, where it is served on this machine.
pub(super) async fn ask(settings: &Settings, group: &mut Group) {
    let check = "service.health";
    let Some(address) = settings.web.listen else {
        return;
    };
    let Some(here) = on_this_machine(address) else {
        let text = format!("not asked: it is served at {address}, which is not this machine's own");
        group.add(Check::skipped(check, text));
        return;
    };
    let found = match timeout(ANSWER, get(here)).await {
        Ok(Ok(answer)) => judge(check, here, &answer),
        Ok(Err(e)) => unanswered(check, here, &e.to_string()),
        Err(_) => unanswered(check, here, "no answer in time"),
    };
    group.add(found);
}

fn on_this_machine(address: SocketAddr) -> Option<SocketAddr> {
    let ip = match address.ip() {
        ip if ip.is_loopback() => ip,
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        _ => return None,
    };
    // Port 0 is any: nobody can know which.
    (address.port() != 0).then(|| SocketAddr::new(ip, address.port()))
}

async fn get(address: SocketAddr) -> std::io::Result<String> {
    let mut tcp = TcpStream::connect(address).await?;
    tcp.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = Vec::new();
    tcp.take(MAX_BYTES).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn unanswered(check: &'static str, address: SocketAddr, why: &str) -> Check {
    let text = format!("http://{address}/health is not answered: {why}");
    let remedy = "Another program may hold the port, or replyd was started with --no-web: see \
                  its log.";
    Check::warning(check, text, remedy)
}

fn judge(check: &'static str, address: SocketAddr, answer: &str) -> Check {
    let status = answer.split(' ').nth(1).unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let told: Value = serde_json::from_str(body).unwrap_or_default();
    if status == "200" && told["status"] == "ok" {
        return Check::ok(check, format!("http://{address}/health says ok"));
    }
    // MailHog and Mailpit have the same port by default.
    if told.get("status").is_none() {
        let text = format!("http://{address}/health is answered by another program ({status})");
        let remedy = "Set `web.listen` to another port, or end that program (`ss -ltnp` shows it): \
                      mailboxes are read all the same, but a monitor asks the wrong one.";
        return Check::warning(check, text, remedy);
    }
    let failing: Vec<&str> = told["failing"]
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let text = match failing.as_slice() {
        [] => format!("http://{address}/health answers {status}"),
        names => format!("http://{address}/health names {}", names.join(", ")),
    };
    Check::warning(check, text, "`replyd status` says why, and what to do.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn only_this_machine_is_asked() {
        let of = |text: &str| on_this_machine(text.parse().unwrap());
        assert_eq!(of("0.0.0.0:8025"), Some("127.0.0.1:8025".parse().unwrap()));
        assert_eq!(of("[::]:8025"), Some("[::1]:8025".parse().unwrap()));
        assert_eq!(
            of("127.0.0.1:8025"),
            Some("127.0.0.1:8025".parse().unwrap())
        );
        assert_eq!(of("192.0.2.1:8025"), None);
        assert_eq!(of("127.0.0.1:0"), None);
    }

    #[test]
    fn the_guilty_are_named() {
        let address = "127.0.0.1:1".parse().unwrap();
        let of = |answer: &str| judge("service.health", address, answer);
        assert_eq!(
            of("HTTP/1.1 200 OK\r\n\r\n{\"status\":\"ok\"}").verdict,
            Verdict::Ok
        );
        let bad = of(
            "HTTP/1.1 503 x\r\nA: b\r\n\r\n{\"status\":\"failing\",\"failing\":[\"sales\",\"outbox\"]}",
        );
        assert_eq!(bad.verdict, Verdict::Warning);
        assert!(bad.text.ends_with("names sales, outbox"), "{}", bad.text);
        assert_eq!(of("nonsense").verdict, Verdict::Warning);
    }

    #[test]
    fn another_program_on_the_port_is_told_from_replyd() {
        let address = "127.0.0.1:1".parse().unwrap();
        for answer in ["HTTP/1.1 200 OK\r\n\r\n<html>", "HTTP/1.1 404 x\r\n\r\n{}"] {
            let found = judge("service.health", address, answer);
            assert_eq!(found.verdict, Verdict::Warning);
            assert!(found.text.contains("another program"), "{}", found.text);
            assert!(found.remedy.contains("web.listen"), "{}", found.remedy);
        }
    }
}
