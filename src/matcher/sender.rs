//! Whether the sender of a matched mail is the lead (docs/DECISIONS.md "Sender check").

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::mime::Mail;
use crate::model::{SenderAuth, SentRef};

/// Domains of which everybody can have an address: one a line.
static PUBLIC: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    include_str!("public_domains.txt")
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
});

/// Why a sender counts as the lead, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The lead's address.
    Lead,
    /// An address that a person attached to the lead.
    Taught,
    /// A colleague: the lead's domain, and the mail carries our token.
    SameDomain,
    /// Somebody else.
    Stranger,
    /// No From, or several.
    Ambiguous,
    /// Our server says that the sender is forged.
    Forged,
}

impl Sender {
    /// Whether the mail may be answered as the lead's.
    #[must_use]
    pub fn is_verified(self) -> bool {
        matches!(self, Self::Lead | Self::Taught | Self::SameDomain)
    }

    /// For the evidence.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lead => "sender: the lead's address",
            Self::Taught => "sender: an address that was attached to the lead",
            Self::SameDomain => "sender: the lead's domain, and the mail carries our token",
            Self::Stranger => "sender: not the lead",
            Self::Ambiguous => "sender: none, or several in From",
            Self::Forged => "sender: authentication failed at our own server",
        }
    }
}

/// Judges the sender. `token`: the mail carries a token of a mail that we sent to this lead;
/// `taught`: the sender's address was attached to the lead.
pub(super) fn check(
    mail: &Mail,
    sent: &SentRef,
    token: bool,
    taught: bool,
    auth: SenderAuth,
) -> Sender {
    let key = mail.from_key();
    if mail.from_count != 1 || key.is_empty() {
        return Sender::Ambiguous;
    }
    let who = if key == sent.lead_email_key {
        Sender::Lead
    } else if taught {
        Sender::Taught
    } else if token && same_company(&key, &sent.lead_email_key) {
        Sender::SameDomain
    } else {
        return Sender::Stranger;
    };
    if auth == SenderAuth::Fail {
        return Sender::Forged;
    }
    who
}

/// Both address keys are of one domain, and not everybody can have an address there.
#[must_use]
pub fn same_company(a: &str, b: &str) -> bool {
    match (a.rsplit_once('@'), b.rsplit_once('@')) {
        (Some((_, a)), Some((_, b))) => a == b && !a.is_empty() && !is_public(a),
        _ => false,
    }
}

/// Whether everybody can have an address of this domain (in lower case).
#[must_use]
pub fn is_public(domain: &str) -> bool {
    // `yahoo.co.uk`, `hotmail.fr` and their kin: these names are nobody else's.
    const EVERYWHERE: &[&str] = &[
        "yahoo",
        "hotmail",
        "outlook",
        "live",
        "gmx",
        "msn",
        "ymail",
        "googlemail",
        "yandex",
    ];
    let brand = domain.split('.').next().unwrap_or_default();
    PUBLIC.contains(domain) || (EVERYWHERE.contains(&brand) && domain.split('.').count() <= 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mime;
    use crate::model::{CampaignLeadId, SentId};
    use crate::time::UtcMs;

    fn judge(from: &str, lead: &str, token: bool, taught: bool, auth: SenderAuth) -> Sender {
        let raw = format!("{from}\r\n\r\nyes");
        let sent = SentRef {
            sent_id: SentId(1),
            campaign_lead_id: CampaignLeadId(1),
            lead_email_key: lead.to_owned(),
            known_at: UtcMs(0),
        };
        check(&mime::parse(raw.as_bytes()), &sent, token, taught, auth)
    }

    #[test]
    fn who_counts_as_the_lead() {
        use Sender::{Ambiguous, Forged, Lead, SameDomain, Stranger, Taught};
        use SenderAuth::{Fail, Pass, Unknown};
        let ann = "ann@firm.example";
        for (from, lead, token, taught, auth, expected) in [
            (
                "From: Ann <ANN@firm.example>",
                ann,
                false,
                false,
                Unknown,
                Lead,
            ),
            ("From: ann@firm.example", ann, false, false, Pass, Lead),
            ("From: ann@firm.example", ann, true, true, Fail, Forged),
            ("From: ann@home.example", ann, false, true, Unknown, Taught),
            ("From: ann@home.example", ann, false, true, Fail, Forged),
            (
                "From: bob@firm.example",
                ann,
                true,
                false,
                Unknown,
                SameDomain,
            ),
            ("From: bob@firm.example", ann, true, false, Fail, Forged),
            ("From: bob@firm.example", ann, false, false, Pass, Stranger),
            (
                "From: bob@sub.firm.example",
                ann,
                true,
                false,
                Pass,
                Stranger,
            ),
            (
                "From: bob@gmail.com",
                "ann@gmail.com",
                true,
                false,
                Pass,
                Stranger,
            ),
            (
                "From: bob@yahoo.co.uk",
                "ann@yahoo.co.uk",
                true,
                false,
                Pass,
                Stranger,
            ),
            ("From: eve@x.example", ann, true, false, Pass, Stranger),
            (
                "From: ann@firm.example, eve@x.example",
                ann,
                true,
                true,
                Pass,
                Ambiguous,
            ),
            (
                "From: ann@firm.example\r\nFrom: eve@x.example",
                ann,
                true,
                true,
                Pass,
                Ambiguous,
            ),
            (
                "From: \"ann@firm.example\" <eve@x.example>",
                ann,
                false,
                false,
                Unknown,
                Stranger,
            ),
            ("To: x@y.example", ann, true, true, Pass, Ambiguous),
            ("From: x@y.example", "", true, false, Pass, Stranger),
        ] {
            let found = judge(from, lead, token, taught, auth);
            assert_eq!(
                found, expected,
                "{from} token {token} taught {taught} {auth:?}"
            );
        }
    }

    #[test]
    fn the_list_of_public_domains_is_in_lower_case_and_has_the_great_ones() {
        assert!(PUBLIC.len() > 150, "{}", PUBLIC.len());
        assert!(
            PUBLIC
                .iter()
                .all(|d| d.contains('.') && **d == d.to_lowercase())
        );
        for domain in [
            "gmail.com",
            "outlook.com",
            "icloud.com",
            "web.de",
            "orange.fr",
            "libero.it",
            "qq.com",
            "hotmail.co.jp",
        ] {
            assert!(is_public(domain), "{domain}");
        }
        for domain in [
            "firm.example",
            "live.firm.example.com",
            "outlook-experts.com",
            "me",
        ] {
            assert!(!is_public(domain), "{domain}");
        }
    }
}
