//! From an address to its servers: a known provider by domain or mail exchanger, else what the
//! domain offers by autoconfiguration or by service names.

use super::autoconfig;
use super::dns::{self, Dns};
use super::presets::{self, Preset, Server};
use crate::http::HttpClient;

/// Servers that were found for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where mail is read.
    pub imap: Option<Server>,
    /// Where mail is handed in.
    pub smtp: Option<Server>,
    /// The user for both; none: the address.
    pub user: Option<String>,
    /// The provider, if it is a known one.
    pub preset: Option<&'static Preset>,
    /// By what they were found, for people.
    pub by: String,
    /// A person has to say yes before a password goes there: the names came by DNS, which is not
    /// protected, and lie outside of the address's domain (RFC 6186 §6).
    pub to_confirm: bool,
}

impl Found {
    /// Servers of a known provider.
    #[must_use]
    pub fn preset(preset: &'static Preset, by: impl Into<String>) -> Self {
        Self {
            imap: Some(preset.imap()),
            smtp: Some(preset.smtp()),
            user: None,
            preset: Some(preset),
            by: by.into(),
            to_confirm: false,
        }
    }
}

/// What is asked; each may be missing on a machine.
#[derive(Debug)]
pub struct Means {
    /// Name servers.
    pub dns: Option<Dns>,
    /// HTTPS.
    pub http: Option<HttpClient>,
}

/// Looks for the servers of an address in `domain`; none: nothing is known of it. Takes at most
/// 21 seconds.
pub(super) async fn find(means: &Means, address: &str, domain: &str) -> Option<Found> {
    find_at(means, address, domain, &autoconfig::places(domain)).await
}

async fn find_at(means: &Means, address: &str, domain: &str, places: &[String]) -> Option<Found> {
    if let Some(preset) = presets::of_domain(domain) {
        return Some(Found::preset(preset, format!("the domain {domain}")));
    }
    let exchangers = match &means.dns {
        Some(dns) => dns.exchangers(domain).await,
        None => Vec::new(),
    };
    if let Some(preset) = presets::of_exchangers(&exchangers) {
        let first = exchangers.first().map_or("", String::as_str);
        return Some(Found::preset(
            preset,
            format!("the mail exchanger {first} of {domain}"),
        ));
    }
    let file = async {
        match &means.http {
            Some(http) => autoconfig::fetch(http, places, address).await,
            None => None,
        }
    };
    let names = async {
        match &means.dns {
            Some(dns) => tokio::join!(dns.imap(domain), dns.smtp(domain)),
            None => (None, None),
        }
    };
    let (file, (imap, smtp)) = tokio::join!(file, names);
    if let Some(file) = file {
        let name = Some(file.name).filter(|n| !n.is_empty());
        return Some(Found {
            imap: Some(file.imap),
            smtp: Some(file.smtp),
            user: Some(file.user).filter(|u| u != address),
            preset: None,
            by: format!(
                "the autoconfiguration of {domain}{}",
                name.map_or(String::new(), |n| format!(" ({n})"))
            ),
            to_confirm: false,
        });
    }
    if imap.is_none() && smtp.is_none() {
        return None;
    }
    let foreign = |server: &Option<Server>| {
        server
            .as_ref()
            .is_some_and(|server| !dns::is_own(server, domain))
    };
    Some(Found {
        to_confirm: foreign(&imap) || foreign(&smtp),
        imap,
        smtp,
        user: None,
        preset: None,
        by: format!("the service names (SRV) of {domain}"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::dns::testing::{Zone, serve};
    use super::*;
    use crate::config::Security;

    async fn means(zone: &'static [Zone]) -> Means {
        Means {
            dns: Some(serve(zone).await),
            http: None,
        }
    }

    #[tokio::test]
    async fn a_customers_domain_is_known_by_its_mail_exchanger() {
        let means = means(&[
            Zone::Mx("example.com.", 1, "aspmx.l.google.com."),
            Zone::Srv("_imaps._tcp.example.com.", 1, 993, "imap.example.com."),
        ])
        .await;
        let found = find_at(&means, "ann@example.com", "example.com", &[]).await;
        let found = found.unwrap();
        assert_eq!(found.preset.map(|p| p.id), Some("gmail"));
        assert!(found.by.contains("aspmx.l.google.com"), "{}", found.by);
        assert!(!found.to_confirm);
    }

    #[tokio::test]
    async fn service_names_outside_of_the_domain_have_to_be_confirmed() {
        let means = means(&[
            Zone::Srv("_imaps._tcp.example.com.", 1, 993, "imap.example.com."),
            Zone::Srv("_submission._tcp.example.com.", 1, 587, "smtp.example.com."),
            Zone::Srv("_imaps._tcp.other.example.", 1, 993, "imap.hoster.example."),
        ])
        .await;
        let own = find_at(&means, "ann@example.com", "example.com", &[]).await;
        let own = own.unwrap();
        let smtp = Server::new("smtp.example.com", 587, Security::StartTls);
        assert_eq!((own.smtp, own.to_confirm), (Some(smtp), false));
        let foreign = find_at(&means, "ann@other.example", "other.example", &[]).await;
        let foreign = foreign.unwrap();
        assert!(foreign.to_confirm);
        assert_eq!(foreign.smtp, None);
    }

    #[tokio::test]
    async fn nothing_is_made_up_for_an_unknown_domain() {
        let nobody = means(&[]).await;
        let found = find_at(&nobody, "ann@example.com", "example.com", &[]).await;
        assert_eq!(found, None);
        let cut_off = Means {
            dns: None,
            http: None,
        };
        let known = find_at(&cut_off, "ann@gmail.com", "gmail.com", &[]).await;
        assert_eq!(known.and_then(|f| f.preset).map(|p| p.id), Some("gmail"));
    }
}
