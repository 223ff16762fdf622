//! Which servers: those of the flags, else those that the settings name, else those that were
//! found, else those that a person names.

use super::desk::{Desk, Missing, Question};
use super::find::{self, Found, Means};
use super::presets::{self, Server};
use super::questions::Stop;
use super::settings_file::Known;
use crate::cli::{ProviderArg, SecurityArg, SetupArgs};
use crate::config::Security;

/// Servers that nobody named: of the provider that is named, else looked for.
pub(super) async fn servers_of(
    args: &SetupArgs,
    desk: &mut Desk,
    known: Option<&Known>,
    address: &str,
    means: &Means,
) -> Result<Option<Found>, Stop> {
    if let Some(provider) = args.provider
        && provider != ProviderArg::Other
    {
        let preset = presets::named(id_of(provider));
        return Ok(preset.map(|p| Found::preset(p, "--provider")));
    }
    let written = known.is_some_and(|k| k.imap.0.is_some() && k.smtp.0.is_some());
    let named = args.imap_host.is_some() && args.smtp_host.is_some();
    let Some((_, domain)) = address.rsplit_once('@') else {
        return Ok(None);
    };
    if written || named {
        let preset = presets::of_domain(domain).filter(|_| args.provider.is_none());
        let host = args
            .imap_host
            .as_ref()
            .or(known.and_then(|k| k.imap.0.as_ref()));
        let preset = preset
            .or_else(|| {
                presets::PRESETS
                    .iter()
                    .find(|p| Some(&p.imap().host) == host)
            })
            .filter(|p| Some(&p.imap().host) == host);
        return Ok(preset.map(|p| Found::preset(p, "its servers")));
    }
    desk.tell(&format!("Looking for the servers of {domain} …\n"))?;
    let found = find::find(means, address, domain).await;
    let Some(found) = found else {
        desk.tell("None were found: they have to be named.\n")?;
        return Ok(None);
    };
    let line = |kind: &str, server: &Option<Server>| {
        server.as_ref().map_or(String::new(), |s| {
            format!("  {kind} {}:{} ({})\n", s.host, s.port, word(s.security))
        })
    };
    let title = found
        .preset
        .map_or(String::new(), |p| format!("{}, ", p.title));
    desk.tell(&format!(
        "{title}found by {}:\n{}{}",
        found.by,
        line("IMAP", &found.imap),
        line("SMTP", &found.smtp)
    ))?;
    if found.to_confirm
        && desk.answers()
        && !desk.agrees("They lie outside of the address's domain. Are these your servers?")?
    {
        return Ok(None);
    }
    Ok(Some(found))
}

fn id_of(provider: ProviderArg) -> &'static str {
    match provider {
        ProviderArg::Gmail => "gmail",
        ProviderArg::Microsoft365 => "microsoft365",
        ProviderArg::Outlook => "outlook",
        ProviderArg::Yahoo => "yahoo",
        ProviderArg::Icloud => "icloud",
        ProviderArg::Fastmail => "fastmail",
        ProviderArg::Other => "",
    }
}

pub(super) fn word(security: Security) -> &'static str {
    match security {
        Security::Tls => "tls",
        Security::StartTls => "starttls",
        Security::Plain => "plain",
    }
}

/// What is known of one server.
pub(super) struct Wanted {
    host: Option<String>,
    port: Option<u16>,
    security: Option<Security>,
    ports: [u16; 3],
    question: &'static str,
    missing: Missing,
    usual: Security,
    to_confirm: bool,
}

impl Wanted {
    pub(super) fn imap(args: &SetupArgs, known: Option<&Known>, found: Option<&Found>) -> Self {
        Self {
            ports: [993, 143, 143],
            question: "IMAP server",
            missing: Missing::new(
                "--imap-host HOST [--imap-port, --imap-security]",
                "the server where the mail is read",
            ),
            usual: Security::Tls,
            ..Self::of(
                (&args.imap_host, args.imap_port, args.imap_security),
                known.map(|k| &k.imap),
                found.and_then(|f| Some((f.imap.as_ref()?, f.to_confirm))),
            )
        }
    }

    pub(super) fn smtp(args: &SetupArgs, known: Option<&Known>, found: Option<&Found>) -> Self {
        Self {
            ports: [465, 587, 25],
            question: "SMTP server",
            missing: Missing::new(
                "--smtp-host HOST [--smtp-port, --smtp-security]",
                "the server that takes the answers",
            ),
            usual: Security::StartTls,
            ..Self::of(
                (&args.smtp_host, args.smtp_port, args.smtp_security),
                known.map(|k| &k.smtp),
                found.and_then(|f| Some((f.smtp.as_ref()?, f.to_confirm))),
            )
        }
    }

    /// Flags win over what is written, and that over what was found.
    fn of(
        (host, port, security): (&Option<String>, Option<u16>, Option<SecurityArg>),
        known: Option<&(Option<String>, Option<u16>, Option<Security>)>,
        found: Option<(&Server, bool)>,
    ) -> Self {
        let security = security.map(|s| match s {
            SecurityArg::Tls => Security::Tls,
            SecurityArg::Starttls => Security::StartTls,
            SecurityArg::Plain => Security::Plain,
        });
        // Port and protection of another host mean nothing here.
        let same = |other: Option<&String>| host.as_ref().is_none_or(|h| Some(h) == other);
        let known = known.filter(|k| k.0.is_some() && same(k.0.as_ref()));
        let found = found.filter(|(f, _)| known.is_none() && same(Some(&f.host)));
        let to_confirm = host.is_none() && found.is_some_and(|(_, confirm)| confirm);
        let found = found.map(|(server, _)| server);
        Self {
            host: host
                .clone()
                .or_else(|| known.and_then(|k| k.0.clone()))
                .or_else(|| found.map(|f| f.host.clone())),
            port: port
                .or_else(|| known.filter(|_| security.is_none()).and_then(|k| k.1))
                .or_else(|| found.filter(|_| security.is_none()).map(|f| f.port)),
            security: security
                .or_else(|| known.filter(|_| port.is_none()).and_then(|k| k.2))
                .or_else(|| found.filter(|_| port.is_none()).map(|f| f.security)),
            ports: [0; 3],
            question: "",
            missing: Missing::new("", ""),
            usual: Security::Tls,
            to_confirm,
        }
    }
}

pub(super) fn server(
    desk: &mut Desk,
    missing: &mut Vec<Missing>,
    wanted: &Wanted,
) -> Result<Option<Server>, Stop> {
    let host = match &wanted.host {
        // Nobody is there to confirm it: naming it by its flag is the yes.
        Some(host) if wanted.to_confirm && !desk.answers() => {
            missing.push(Missing {
                flag: wanted.missing.flag,
                what: format!(
                    "{}: {host}? (DNS alone says so, and it is outside of the address's domain)",
                    wanted.missing.what
                ),
            });
            return Ok(None);
        }
        Some(host) => host.clone(),
        None => {
            let question = Question {
                text: wanted.question,
                default: None,
            };
            let Some(host) = desk.line(question)? else {
                missing.push(wanted.missing.clone());
                return Ok(None);
            };
            host
        }
    };
    let [tls, starttls, plain] = wanted.ports;
    // RFC 8314 §7: these ports speak TLS from the first byte; the others do not.
    let security = wanted.security.unwrap_or(match wanted.port {
        Some(port) if port == tls => Security::Tls,
        Some(port) if port == starttls => Security::StartTls,
        _ => wanted.usual,
    });
    let port = wanted.port.unwrap_or(match security {
        Security::Tls => tls,
        Security::StartTls => starttls,
        Security::Plain => plain,
    });
    Ok(Some(Server::new(host, port, security)))
}
