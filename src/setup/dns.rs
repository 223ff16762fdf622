//! What the domain's own name servers say: mail exchangers, and the service names of RFC 6186
//! and RFC 8314.

use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;
use tokio::time::timeout;

use super::presets::{Server, is_below};
use crate::config::Security;

/// One question, with its repetition.
const QUESTION: Duration = Duration::from_secs(6);
/// One try of it.
const TRY: Duration = Duration::from_millis(2500);
/// More answers than any domain has use for.
const MAX: usize = 16;

/// Asks name servers, each question under a deadline.
#[derive(Clone)]
pub struct Dns(TokioResolver);

impl std::fmt::Debug for Dns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dns")
    }
}

impl Dns {
    /// The name servers of this machine (`/etc/resolv.conf`).
    ///
    /// # Errors
    /// In words: there are none, or the file cannot be read.
    pub fn of_system() -> Result<Self, String> {
        let mut builder = TokioResolver::builder_tokio().map_err(|e| e.to_string())?;
        let options = builder.options_mut();
        options.timeout = TRY;
        options.attempts = 2;
        builder.build().map(Self).map_err(|e| e.to_string())
    }

    /// Names of the domain's mail exchangers (RFC 5321 §5.1), the preferred first; empty when
    /// there are none or nobody answers.
    pub async fn exchangers(&self, domain: &str) -> Vec<String> {
        let asked = timeout(QUESTION, self.0.mx_lookup(absolute(domain))).await;
        let Ok(Ok(found)) = asked else {
            return Vec::new();
        };
        let mut found: Vec<(u16, String)> = found
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::MX(mx) => Some((mx.preference, host(&mx.exchange))),
                _ => None,
            })
            .take(MAX)
            .collect();
        found.sort();
        found.into_iter().map(|(_, name)| name).collect()
    }

    /// Where the domain says that mail is read: TLS from the first byte before STARTTLS.
    pub async fn imap(&self, domain: &str) -> Option<Server> {
        let tls = self.service("_imaps._tcp", domain, Security::Tls);
        let plain = self.service("_imap._tcp", domain, Security::StartTls);
        let (tls, plain) = tokio::join!(tls, plain);
        tls.or(plain)
    }

    /// Where the domain says that mail is handed in.
    pub async fn smtp(&self, domain: &str) -> Option<Server> {
        let tls = self.service("_submissions._tcp", domain, Security::Tls);
        let plain = self.service("_submission._tcp", domain, Security::StartTls);
        let (tls, plain) = tokio::join!(tls, plain);
        tls.or(plain)
    }

    async fn service(&self, name: &str, domain: &str, security: Security) -> Option<Server> {
        let question = self.0.srv_lookup(absolute(&format!("{name}.{domain}")));
        let found = timeout(QUESTION, question).await.ok()?.ok()?;
        let mut found: Vec<(u16, std::cmp::Reverse<u16>, String, u16)> = found
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(srv) => Some((
                    srv.priority,
                    std::cmp::Reverse(srv.weight),
                    host(&srv.target),
                    srv.port,
                )),
                _ => None,
            })
            .take(MAX)
            .collect();
        found.sort();
        let (_, _, host, port) = found.into_iter().next()?;
        // A single dot: the service is decidedly not available (RFC 6186 §3.4).
        (!host.is_empty()).then(|| Server::new(host, port, security))
    }
}

/// Fully qualified: no search list is tried.
fn absolute(name: &str) -> String {
    format!("{}.", crate::tls::ascii_host(name))
}

fn host(name: &hickory_resolver::proto::rr::Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

/// Whether a server that DNS named may be believed without asking: it is in the address's own
/// domain (RFC 6186 §6). DNS is not protected, and the password would go there.
#[must_use]
pub(super) fn is_own(server: &Server, domain: &str) -> bool {
    is_below(&server.host, &crate::tls::ascii_host(domain))
}

#[cfg(test)]
pub(super) mod testing {
    use std::net::{IpAddr, Ipv4Addr};
    use std::str::FromStr;

    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::net::runtime::TokioRuntimeProvider;
    use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
    use hickory_resolver::proto::rr::rdata::{MX, SRV};
    use hickory_resolver::proto::rr::{Name, Record, RecordType};
    use tokio::net::UdpSocket;

    use super::*;

    /// An answer: the name that is asked for, and what it has.
    #[derive(Clone, Copy, Debug)]
    pub(in crate::setup) enum Zone {
        Mx(&'static str, u16, &'static str),
        Srv(&'static str, u16, u16, &'static str),
    }

    /// A name server on this machine that knows this zone and nothing else.
    pub(in crate::setup) async fn serve(zone: &'static [Zone]) -> Dns {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((n, from)) = socket.recv_from(&mut buffer).await {
                let reply = answer(&buffer[..n], zone);
                socket.send_to(&reply, from).await.unwrap();
            }
        });
        resolver(port)
    }

    pub(in crate::setup) fn resolver(port: u16) -> Dns {
        let mut connection = ConnectionConfig::udp();
        connection.port = port;
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let server = NameServerConfig::new(ip, true, vec![connection]);
        let config = ResolverConfig::from_name_servers(vec![server]);
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().timeout = Duration::from_millis(500);
        builder.options_mut().attempts = 1;
        Dns(builder.build().unwrap())
    }

    fn answer(question: &[u8], zone: &[Zone]) -> Vec<u8> {
        let asked = Message::from_vec(question).unwrap();
        let query = asked.queries[0].clone();
        let mut reply = Message::response(asked.metadata.id, asked.metadata.op_code);
        reply.metadata.message_type = MessageType::Response;
        reply.metadata.recursion_desired = true;
        reply.metadata.recursion_available = true;
        let name = |text: &str| Name::from_str(text).unwrap();
        for entry in zone {
            let (of, data) = match *entry {
                Zone::Mx(of, preference, to) => (of, RData::MX(MX::new(preference, name(to)))),
                Zone::Srv(of, priority, port, to) => {
                    (of, RData::SRV(SRV::new(priority, 1, port, name(to))))
                }
            };
            let kind = match data {
                RData::MX(_) => RecordType::MX,
                _ => RecordType::SRV,
            };
            if name(of) == *query.name() && kind == query.query_type() {
                reply.answers.push(Record::from_rdata(name(of), 60, data));
            }
        }
        if reply.answers.is_empty() {
            reply.metadata.response_code = ResponseCode::NXDomain;
        }
        reply.queries.push(query);
        reply.to_vec().unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{Zone, serve};
    use super::*;

    #[tokio::test]
    async fn exchangers_come_in_order_and_service_names_prefer_tls() {
        let dns = serve(&[
            Zone::Mx("example.com.", 20, "b.example.com."),
            Zone::Mx("example.com.", 10, "A.example.com."),
            Zone::Srv("_imaps._tcp.example.com.", 10, 993, "imap.example.com."),
            Zone::Srv("_imap._tcp.example.com.", 0, 143, "imap.example.com."),
            Zone::Srv("_submissions._tcp.example.com.", 0, 0, "."),
            Zone::Srv(
                "_submission._tcp.example.com.",
                20,
                587,
                "late.example.com.",
            ),
            Zone::Srv(
                "_submission._tcp.example.com.",
                10,
                587,
                "mail.hoster.example.",
            ),
        ])
        .await;
        assert_eq!(
            dns.exchangers("example.com").await,
            ["a.example.com", "b.example.com"]
        );
        let imap = dns.imap("example.com").await.unwrap();
        assert_eq!(imap, Server::new("imap.example.com", 993, Security::Tls));
        assert!(is_own(&imap, "Example.com"));
        let smtp = dns.smtp("example.com").await.unwrap();
        let hoster = Server::new("mail.hoster.example", 587, Security::StartTls);
        assert_eq!(smtp, hoster);
        assert!(!is_own(&smtp, "example.com"));
        assert_eq!(dns.imap("other.example").await, None);
        assert_eq!(dns.exchangers("other.example").await, [] as [&str; 0]);
    }

    #[tokio::test]
    async fn a_name_server_that_does_not_answer_costs_a_bounded_time() {
        // Bound, and never read.
        let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let dns = testing::resolver(silent.local_addr().unwrap().port());
        let asked = timeout(QUESTION * 2, dns.imap("example.com")).await;
        assert_eq!(asked, Ok(None));
    }
}
