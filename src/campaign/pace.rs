//! How fast campaign mails leave: by the settings, else by what the account's provider takes.
//! Pure.
//!
//! A provider's number a day holds for every mail of the account, so a campaign takes 80 % of it:
//! the answers to those who reply, and the mails of the people who use the mailbox, need the rest.

use std::time::Duration;

use crate::config::SenderSettings;

/// What a provider publishes about one mailbox. Checked against nothing but its pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its name, for people.
    pub name: &'static str,
    /// SMTP hosts: these, and names below them when they begin with a dot.
    hosts: &'static [&'static str],
    /// Only for addresses of these domains; empty: for all.
    domains: &'static [&'static str],
    /// Mails a minute, as published; none: only what is careful.
    per_minute: Option<u32>,
    /// Recipients in 24 hours.
    per_day: u32,
}

/// Campaign mails a minute where nothing is published.
const CAREFUL_PER_MINUTE: u32 = 20;
/// Mails a day where nothing is known of the provider.
const CAREFUL_PER_DAY: u32 = 500;
/// The campaign's part of a published number, in per cent.
const SHARE: u32 = 80;

/// The first that fits holds.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        name: "Gmail",
        hosts: &["smtp.gmail.com", "smtp.googlemail.com"],
        domains: &["gmail.com", "googlemail.com"],
        per_minute: None,
        per_day: 500,
    },
    Provider {
        name: "Google Workspace",
        hosts: &["smtp.gmail.com", "smtp.googlemail.com"],
        domains: &[],
        per_minute: None,
        per_day: 2000,
    },
    Provider {
        name: "Google Workspace relay",
        hosts: &["smtp-relay.gmail.com"],
        domains: &[],
        per_minute: None,
        per_day: 10_000,
    },
    Provider {
        name: "Microsoft 365",
        hosts: &["smtp.office365.com", ".outlook.office365.com"],
        domains: &[],
        per_minute: Some(30),
        per_day: 10_000,
    },
    Provider {
        name: "Outlook.com",
        hosts: &["smtp-mail.outlook.com", "smtp.live.com"],
        domains: &[],
        per_minute: None,
        per_day: 300,
    },
    Provider {
        name: "Yahoo",
        hosts: &[
            "smtp.mail.yahoo.com",
            "smtp.bizmail.yahoo.com",
            "smtp.aol.com",
        ],
        domains: &[],
        per_minute: None,
        per_day: 500,
    },
    Provider {
        name: "iCloud",
        hosts: &["smtp.mail.me.com"],
        domains: &[],
        per_minute: None,
        per_day: 1000,
    },
    Provider {
        name: "Fastmail",
        hosts: &["smtp.fastmail.com"],
        domains: &[],
        per_minute: None,
        per_day: 4000,
    },
];

/// The pace of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Campaign mails a minute.
    pub per_minute: u32,
    /// Mails of all kinds in 24 hours beyond which no campaign mail leaves.
    pub per_day: u32,
    /// The provider whose published numbers these follow.
    pub provider: Option<&'static str>,
}

impl Pace {
    /// By the settings, else by the provider, else careful.
    #[must_use]
    pub fn of(sender: &SenderSettings) -> Self {
        let provider = provider_of(&sender.smtp_host, &sender.address);
        let share = |n: u32| (n.saturating_mul(SHARE) / 100).max(1);
        let by_provider = provider.map(|p| {
            (
                p.per_minute.map_or(CAREFUL_PER_MINUTE, share),
                share(p.per_day),
            )
        });
        let (per_minute, per_day) = by_provider.unwrap_or((CAREFUL_PER_MINUTE, CAREFUL_PER_DAY));
        Self {
            per_minute: sender.per_minute.unwrap_or(per_minute),
            per_day: sender.per_day.unwrap_or(per_day),
            provider: provider.map(|p| p.name),
        }
    }

    /// The least time between two campaign mails.
    #[must_use]
    pub fn gap(&self) -> Duration {
        Duration::from_secs(60) / self.per_minute.max(1)
    }

    /// How long `mails` take: no burst, no more than the number a day.
    #[must_use]
    pub fn duration(&self, mails: u64) -> Duration {
        let mails = u32::try_from(mails).unwrap_or(u32::MAX);
        let days = mails.saturating_sub(1) / self.per_day.max(1);
        let last_day = mails.saturating_sub(days.saturating_mul(self.per_day));
        Duration::from_secs(24 * 3600)
            .saturating_mul(days)
            .saturating_add(self.gap().saturating_mul(last_day.saturating_sub(1)))
    }
}

fn provider_of(host: &str, address: &str) -> Option<&'static Provider> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let domain = address
        .rsplit_once('@')
        .map(|(_, d)| d.to_ascii_lowercase())
        .unwrap_or_default();
    PROVIDERS.iter().find(|p| {
        let here = p
            .hosts
            .iter()
            .any(|h| host == *h || (h.starts_with('.') && host.ends_with(h)));
        here && (p.domains.is_empty() || p.domains.contains(&domain.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(host: &str, address: &str) -> SenderSettings {
        SenderSettings {
            account: "sales".into(),
            address: address.into(),
            from_name: String::new(),
            aliases: Vec::new(),
            reply_address: crate::config::ReplyAddress::Auto,
            envelope_from: address.into(),
            smtp_host: host.into(),
            per_minute: None,
            per_day: None,
        }
    }

    #[test]
    fn each_provider_has_its_pace_and_answers_have_room() {
        for (host, address, want) in [
            ("smtp.gmail.com", "ann@gmail.com", (20, 400, Some("Gmail"))),
            (
                "SMTP.gmail.com.",
                "ann@example.com",
                (20, 1600, Some("Google Workspace")),
            ),
            (
                "smtp-relay.gmail.com",
                "a@example.com",
                (20, 8000, Some("Google Workspace relay")),
            ),
            (
                "smtp.office365.com",
                "a@example.com",
                (24, 8000, Some("Microsoft 365")),
            ),
            (
                "smtp-mail.outlook.com",
                "a@outlook.com",
                (20, 240, Some("Outlook.com")),
            ),
            (
                "smtp.mail.yahoo.com",
                "a@yahoo.com",
                (20, 400, Some("Yahoo")),
            ),
            (
                "smtp.mail.me.com",
                "a@icloud.com",
                (20, 800, Some("iCloud")),
            ),
            (
                "smtp.fastmail.com",
                "a@fastmail.com",
                (20, 3200, Some("Fastmail")),
            ),
            ("mail.example.com", "a@example.com", (20, 500, None)),
            ("evilsmtp.gmail.com", "a@gmail.com", (20, 500, None)),
            ("", "a@example.com", (20, 500, None)),
        ] {
            let pace = Pace::of(&sender(host, address));
            assert_eq!(
                (pace.per_minute, pace.per_day, pace.provider),
                want,
                "{host} {address}"
            );
        }
        let mut own = sender("smtp.gmail.com", "ann@gmail.com");
        (own.per_minute, own.per_day) = (Some(5), Some(50));
        let pace = Pace::of(&own);
        assert_eq!((pace.per_minute, pace.per_day), (5, 50), "the settings win");
        assert_eq!(pace.gap(), Duration::from_secs(12));
    }

    #[test]
    fn how_long_it_takes_counts_minutes_and_days() {
        let pace = Pace {
            per_minute: 20,
            per_day: 400,
            provider: None,
        };
        let minutes = |n| pace.duration(n).as_secs() / 60;
        assert_eq!(pace.duration(0), Duration::ZERO);
        assert_eq!(pace.duration(1), Duration::ZERO);
        assert_eq!(minutes(21), 1);
        assert_eq!(minutes(400), 19);
        assert_eq!(minutes(401), 24 * 60);
        assert_eq!(minutes(1000), 2 * 24 * 60 + 9);
    }
}
