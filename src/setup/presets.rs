//! Mail providers whose servers and ways of signing in are known. docs/PROVIDERS.md has a screen
//! for each, under the same names.

use crate::config::Security;

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Host name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Protection of the connection.
    pub security: Security,
}

impl Server {
    /// A server with TLS or STARTTLS.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16, security: Security) -> Self {
        Self {
            host: host.into(),
            port,
            security,
        }
    }
}

/// What is known of a provider.
#[derive(Debug, PartialEq, Eq)]
pub struct Preset {
    /// The value of `--provider`.
    pub id: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Domains of addresses that are always its own.
    domains: &'static [&'static str],
    /// Ends of the names of its mail exchangers: domains that point there are its customers'.
    exchangers: &'static [&'static str],
    imap: (&'static str, u16, Security),
    smtp: (&'static str, u16, Security),
    /// Passwords are refused: only OAuth2 or a token signs in.
    pub only_tokens: bool,
    /// The value of `accounts.oauth.provider`, where replyd knows the token server.
    pub oauth: Option<&'static str>,
    /// What to know about the secret, one sentence.
    pub advice: &'static str,
}

impl Preset {
    /// Where mail is read.
    #[must_use]
    pub fn imap(&self) -> Server {
        Server::new(self.imap.0, self.imap.1, self.imap.2)
    }

    /// Where mail is handed in.
    #[must_use]
    pub fn smtp(&self) -> Server {
        Server::new(self.smtp.0, self.smtp.1, self.smtp.2)
    }

    /// The page that explains it.
    #[must_use]
    pub fn page(&self) -> String {
        let installed = "/usr/share/doc/replyd/PROVIDERS.md";
        let page = if std::path::Path::new(installed).exists() {
            installed
        } else {
            "docs/PROVIDERS.md"
        };
        format!("{page}#{}", self.id)
    }
}

/// All of them.
pub static PRESETS: [Preset; 6] = [
    Preset {
        id: "gmail",
        title: "Gmail and Google Workspace",
        domains: &["gmail.com", "googlemail.com"],
        exchangers: &["google.com", "googlemail.com"],
        imap: ("imap.gmail.com", 993, Security::Tls),
        smtp: ("smtp.gmail.com", 465, Security::Tls),
        only_tokens: false,
        oauth: Some("google"),
        advice: "Google takes an app password (16 letters, with 2-Step Verification on), not the \
                 account's own, or OAuth2",
    },
    Preset {
        id: "microsoft365",
        title: "Microsoft 365",
        domains: &[],
        exchangers: &["mail.protection.outlook.com", "mx.microsoft"],
        imap: ("outlook.office365.com", 993, Security::Tls),
        smtp: ("smtp.office365.com", 587, Security::StartTls),
        only_tokens: true,
        oauth: Some("microsoft"),
        advice: "Microsoft 365 takes no passwords: register an app for OAuth2, and let SMTP AUTH \
                 be enabled for the mailbox",
    },
    Preset {
        id: "outlook",
        title: "Outlook.com and Hotmail (personal)",
        domains: &[
            "outlook.com",
            "hotmail.com",
            "live.com",
            "msn.com",
            "outlook.de",
            "outlook.fr",
            "outlook.es",
            "outlook.it",
            "hotmail.co.uk",
            "hotmail.de",
            "hotmail.fr",
            "hotmail.it",
            "hotmail.es",
        ],
        exchangers: &["olc.protection.outlook.com"],
        imap: ("outlook.office365.com", 993, Security::Tls),
        smtp: ("smtp-mail.outlook.com", 587, Security::StartTls),
        only_tokens: true,
        oauth: Some("microsoft"),
        advice: "Outlook.com takes no passwords: register an app for OAuth2, and switch IMAP on in \
                 its settings",
    },
    Preset {
        id: "yahoo",
        title: "Yahoo Mail",
        domains: &[
            "yahoo.com",
            "ymail.com",
            "rocketmail.com",
            "yahoo.co.uk",
            "yahoo.de",
            "yahoo.fr",
            "yahoo.it",
            "yahoo.es",
            "yahoo.ca",
            "yahoo.co.in",
            "yahoo.in",
            "yahoo.com.br",
            "yahoo.com.au",
        ],
        exchangers: &["yahoodns.net"],
        imap: ("imap.mail.yahoo.com", 993, Security::Tls),
        smtp: ("smtp.mail.yahoo.com", 465, Security::Tls),
        only_tokens: false,
        oauth: None,
        advice: "Yahoo takes an app password, not the account's own",
    },
    Preset {
        id: "icloud",
        title: "iCloud Mail",
        domains: &["icloud.com", "me.com", "mac.com"],
        exchangers: &["mail.icloud.com"],
        imap: ("imap.mail.me.com", 993, Security::Tls),
        smtp: ("smtp.mail.me.com", 587, Security::StartTls),
        only_tokens: false,
        oauth: None,
        advice: "iCloud takes an app-specific password; the user is the address at icloud.com, \
                 also where mail is sent from a domain of your own",
    },
    Preset {
        id: "fastmail",
        title: "Fastmail",
        domains: &["fastmail.com", "fastmail.fm", "messagingengine.com"],
        exchangers: &["messagingengine.com"],
        imap: ("imap.fastmail.com", 993, Security::Tls),
        smtp: ("smtp.fastmail.com", 465, Security::Tls),
        only_tokens: false,
        oauth: None,
        advice: "Fastmail takes an app password with access to IMAP and SMTP; the user is the \
                 account's main address",
    },
];

/// The provider that `--provider` names.
#[must_use]
pub(super) fn named(id: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|p| p.id == id)
}

/// The provider whose own addresses are in this domain.
#[must_use]
pub(super) fn of_domain(domain: &str) -> Option<&'static Preset> {
    let has = |p: &&Preset| p.domains.iter().any(|d| d.eq_ignore_ascii_case(domain));
    PRESETS.iter().find(has)
}

/// The provider that takes the mail of a domain with these mail exchangers, the best first.
#[must_use]
pub(super) fn of_exchangers<S: AsRef<str>>(names: &[S]) -> Option<&'static Preset> {
    let first = names.first()?.as_ref().trim_end_matches('.');
    // The longest end wins: Outlook.com's is below that of Microsoft 365.
    PRESETS
        .iter()
        .flat_map(|p| p.exchangers.iter().map(move |end| (p, end)))
        .filter(|(_, end)| is_below(first, end))
        .max_by_key(|(_, end)| end.len())
        .map(|(p, _)| p)
}

/// Whether `name` is `domain`, or a name below it.
pub(super) fn is_below(name: &str, domain: &str) -> bool {
    let (name, domain) = (name.to_ascii_lowercase(), domain.to_ascii_lowercase());
    name == domain || name.strip_suffix(&domain).is_some_and(|n| n.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_are_known_by_domain_and_by_mail_exchanger() {
        let id = |p: Option<&'static Preset>| p.map(|p| p.id);
        assert_eq!(id(of_domain("GMAIL.com")), Some("gmail"));
        assert_eq!(id(of_domain("hotmail.com")), Some("outlook"));
        assert_eq!(id(of_domain("example.com")), None);
        for (exchanger, want) in [
            ("aspmx.l.google.com.", Some("gmail")),
            ("smtp.google.com", Some("gmail")),
            (
                "contoso-com.mail.protection.outlook.com.",
                Some("microsoft365"),
            ),
            ("contoso-com.o-v1.mx.microsoft", Some("microsoft365")),
            ("outlook-com.olc.protection.outlook.com", Some("outlook")),
            ("mta7.am0.yahoodns.net.", Some("yahoo")),
            ("mx01.mail.icloud.com.", Some("icloud")),
            ("in1-smtp.messagingengine.com.", Some("fastmail")),
            ("mx.example.com.", None),
            ("notgoogle.com", None),
        ] {
            assert_eq!(id(of_exchangers(&[exchanger])), want, "{exchanger}");
        }
        // A backup exchanger elsewhere says nothing.
        assert_eq!(
            id(of_exchangers(&["mx.example.com", "aspmx.l.google.com"])),
            None
        );
    }

    #[test]
    fn every_provider_is_protected_and_has_its_page() {
        let page = include_str!("../../docs/PROVIDERS.md");
        for preset in &PRESETS {
            assert_eq!(named(preset.id), Some(preset));
            for server in [preset.imap(), preset.smtp()] {
                assert_ne!(server.security, Security::Plain, "{}", preset.id);
                assert!(page.contains(&server.host), "{}", server.host);
                assert!(page.contains(&server.port.to_string()), "{}", server.port);
            }
            let anchor = format!("<a id=\"{}\"></a>", preset.id);
            assert!(page.contains(&anchor), "{anchor}");
        }
    }
}
