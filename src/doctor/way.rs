//! The way to a server, for IMAP and SMTP alike: what passed, then what failed, then nothing.

use std::time::Duration;

use super::report::{Check, Group};
use crate::certificate::Shown;
use crate::config::Security;
use crate::fault::Fault;
use crate::reach::Reach;
use crate::time::UtcMs;

/// A certificate that ends within this many days is worth a word.
const ENDING_DAYS: i64 = 14;

/// The words of one protocol's checks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    pub(super) name: &'static str,
    pub(super) connect: &'static str,
    pub(super) tls: &'static str,
    pub(super) greeting: &'static str,
}

pub(super) const IMAP: Words = Words {
    name: "imap.name",
    connect: "imap.connect",
    tls: "imap.tls",
    greeting: "imap.greeting",
};

pub(super) const SMTP: Words = Words {
    name: "smtp.name",
    connect: "smtp.connect",
    tls: "smtp.tls",
    greeting: "smtp.greeting",
};

/// Where a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Name,
    Connect,
    Tls,
    Greeting,
}

/// What is looked for, and what was met.
#[derive(Debug)]
pub(super) struct Way<'a> {
    pub(super) words: Words,
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) reach: &'a Reach,
    pub(super) chain: &'a [Shown],
    /// Where it ended, why, and in which words; none: it did not.
    pub(super) failed: Option<(Stage, Fault, String)>,
    pub(super) now: UtcMs,
}

impl Way<'_> {
    /// A line for each step that was reached.
    pub(super) fn tell(&self, group: &mut Group) {
        let failed = self.failed.as_ref();
        for stage in [Stage::Name, Stage::Connect, Stage::Greeting, Stage::Tls] {
            match failed {
                Some((at, fault, why)) if *at == stage => {
                    group.add(self.failure(stage, *fault, why));
                    return;
                }
                // A greeting in the clear comes before STARTTLS, else after TLS: it is told only
                // when it fails.
                _ if stage == Stage::Greeting => {}
                _ => group.checks.extend(self.passed(stage)),
            }
        }
    }

    fn word(&self, stage: Stage) -> &'static str {
        match stage {
            Stage::Name => self.words.name,
            Stage::Connect => self.words.connect,
            Stage::Tls => self.words.tls,
            Stage::Greeting => self.words.greeting,
        }
    }

    fn failure(&self, stage: Stage, fault: Fault, why: &str) -> Check {
        let place = match stage {
            Stage::Name => self.host.to_owned(),
            _ => format!("{}:{}", self.host, self.port),
        };
        let mut detail = format!("{place}: {why}");
        let certificate = self.chain.first().filter(|_| stage == Stage::Tls);
        if let Some(shown) = certificate {
            detail.push_str("; ");
            detail.push_str(&shown.to_string());
        }
        let check = Check::fault(self.word(stage), fault, detail)
            .with("host", self.host)
            .with("port", self.port);
        match certificate {
            Some(shown) => self.with_certificate(check, shown),
            None => check,
        }
    }

    fn passed(&self, stage: Stage) -> Option<Check> {
        let (reach, word) = (self.reach, self.word(stage));
        match stage {
            Stage::Name => {
                let addresses: Vec<String> =
                    reach.addresses.iter().map(|a| a.ip().to_string()).collect();
                let text = format!("{} is {}", self.host, addresses.join(", "));
                reach.resolved_in?;
                Some(
                    Check::ok(word, text)
                        .with("addresses", addresses)
                        .took(reach.resolved_in),
                )
            }
            Stage::Connect => {
                let peer = reach.peer?;
                Some(Check::ok(word, peer.to_string()).took(reach.connected_in))
            }
            Stage::Tls => self.protection(reach.protected_in),
            Stage::Greeting => None,
        }
    }

    fn protection(&self, took: Option<Duration>) -> Option<Check> {
        let word = self.words.tls;
        if self.security == Security::Plain {
            let text = "none: the server is this machine itself";
            return Some(Check::ok(word, text));
        }
        took?;
        let way = match self.security {
            Security::StartTls => " by STARTTLS",
            _ => "",
        };
        let version = self.reach.tls_version.unwrap_or("TLS");
        let Some(shown) = self.chain.first() else {
            return Some(Check::ok(word, format!("{version}{way}")).took(took));
        };
        let days = self.chain.iter().map(|c| c.days_left(self.now)).min();
        let days = days.unwrap_or_default();
        let text = format!("{version}{way}, {shown} ({days} days)");
        let check = if days < ENDING_DAYS {
            Check::fault(word, Fault::CertificateEnding, text)
        } else {
            Check::ok(word, text)
        };
        let check = check
            .with("version", version)
            .with("chain", self.chain.len());
        Some(self.with_certificate(check, shown).took(took))
    }

    fn with_certificate(&self, check: Check, shown: &Shown) -> Check {
        check
            .with("names", shown.names.clone())
            .with("issuer", shown.issuer.clone())
            .with("not_after", shown.not_after.rfc3339())
            .with("days_left", shown.days_left(self.now))
            .with("self_signed", shown.self_signed)
    }
}
