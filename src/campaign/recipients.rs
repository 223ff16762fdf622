//! Who gets a mail of a campaign, and who does not and why. Pure.

use std::collections::HashMap;

use serde::Serialize;

use crate::model::{Address, OutboxState};
use crate::reply::compose;
use crate::store::{RECIPIENT_FIELDS, Recipient};

/// Whether a lead gets a mail now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Ready,
    /// It has one.
    Sent,
    /// Its mail waits or is on its way.
    Queued,
    /// Nobody knows whether it has one: a person decides.
    Unknown,
    /// No address, or nothing that is one.
    NoAddress,
    /// It wants no mail.
    Suppressed,
    /// Its address takes no mail.
    DeadAddress,
    /// Its mail was refused, or withdrawn; only on demand again.
    Refused,
    /// Another lead with the same address gets or has it.
    Duplicate,
}

/// How many leads stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Leads that were looked at.
    pub leads: u64,
    /// Mails that were queued; in a dry run: that would be.
    pub ready: u64,
    /// See [`Standing`].
    pub sent: u64,
    /// See [`Standing`].
    pub queued: u64,
    /// See [`Standing`].
    pub unknown: u64,
    /// See [`Standing`].
    pub without_address: u64,
    /// See [`Standing`].
    pub suppressed: u64,
    /// See [`Standing`].
    pub dead_address: u64,
    /// See [`Standing`].
    pub refused: u64,
    /// See [`Standing`].
    pub duplicates: u64,
}

impl Tally {
    pub(super) fn add(&mut self, standing: Standing) {
        self.leads = self.leads.saturating_add(1);
        let field = match standing {
            Standing::Ready => &mut self.ready,
            Standing::Sent => &mut self.sent,
            Standing::Queued => &mut self.queued,
            Standing::Unknown => &mut self.unknown,
            Standing::NoAddress => &mut self.without_address,
            Standing::Suppressed => &mut self.suppressed,
            Standing::DeadAddress => &mut self.dead_address,
            Standing::Refused => &mut self.refused,
            Standing::Duplicate => &mut self.duplicates,
        };
        *field = field.saturating_add(1);
    }
}

/// Decides lead by lead, in the order in which they joined the campaign.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// Also those whose mail was refused or withdrawn before.
    pub(super) retry: bool,
    /// Who gets a mail at this address: address key to the operator's key.
    taken: HashMap<String, String>,
}

impl Choice {
    pub(super) fn new(retry: bool) -> Self {
        Self {
            retry,
            taken: HashMap::new(),
        }
    }

    /// Where the lead stands; `Ready` takes its address.
    pub(super) fn look_at(&mut self, r: &Recipient) -> Standing {
        let standing = self.standing(r);
        if standing == Standing::Ready {
            self.taken.insert(r.email_key.clone(), r.lead_id.clone());
        }
        standing
    }

    fn standing(&self, r: &Recipient) -> Standing {
        match r.mail {
            _ if r.message_sent => return Standing::Sent,
            Some(OutboxState::Sent) => return Standing::Sent,
            Some(OutboxState::Queued | OutboxState::Deferred | OutboxState::Sending) => {
                return Standing::Queued;
            }
            Some(OutboxState::Unknown) => return Standing::Unknown,
            Some(OutboxState::Rejected | OutboxState::Cancelled) | None => {}
        }
        let address = Address {
            name: String::new(),
            addr: field(r, "email").to_owned(),
        };
        if r.email_key.is_empty() || !compose::usable(&address) {
            return Standing::NoAddress;
        }
        if r.suppressed {
            return Standing::Suppressed;
        }
        if r.dead_address {
            return Standing::DeadAddress;
        }
        if r.mail.is_some() && !self.retry {
            return Standing::Refused;
        }
        if r.twin.is_some() || self.taken.contains_key(&r.email_key) {
            return Standing::Duplicate;
        }
        Standing::Ready
    }
}

/// A field of the lead by its column; empty when it is not known.
pub(super) fn field<'r>(r: &'r Recipient, column: &str) -> &'r str {
    RECIPIENT_FIELDS
        .iter()
        .position(|name| *name == column)
        .and_then(|n| r.fields.get(n))
        .map_or("", |value| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CampaignLeadId, LeadRowId};

    fn lead(n: i64) -> Recipient {
        let address = format!("lead{n}@x.example");
        let mut fields = vec![String::new(); RECIPIENT_FIELDS.len()];
        fields[0] = " Ann Lee ".into();
        fields[1].clone_from(&address);
        Recipient {
            campaign_lead_id: CampaignLeadId(n),
            lead: LeadRowId(n),
            lead_id: format!("L{n}"),
            fields,
            email_key: address,
            message_sent: false,
            suppressed: false,
            dead_address: false,
            mail: None,
            twin: None,
        }
    }

    #[test]
    fn every_lead_stands_somewhere() {
        type Change = fn(&mut Recipient);
        let table: [(&str, Change, Standing, Standing); 13] = [
            ("new", |_| {}, Standing::Ready, Standing::Ready),
            (
                "sent",
                |r| r.message_sent = true,
                Standing::Sent,
                Standing::Sent,
            ),
            (
                "sent by us",
                |r| r.mail = Some(OutboxState::Sent),
                Standing::Sent,
                Standing::Sent,
            ),
            (
                "queued",
                |r| r.mail = Some(OutboxState::Queued),
                Standing::Queued,
                Standing::Queued,
            ),
            (
                "deferred",
                |r| r.mail = Some(OutboxState::Deferred),
                Standing::Queued,
                Standing::Queued,
            ),
            (
                "on its way",
                |r| r.mail = Some(OutboxState::Sending),
                Standing::Queued,
                Standing::Queued,
            ),
            (
                "unknown",
                |r| r.mail = Some(OutboxState::Unknown),
                Standing::Unknown,
                Standing::Unknown,
            ),
            (
                "refused",
                |r| r.mail = Some(OutboxState::Rejected),
                Standing::Refused,
                Standing::Ready,
            ),
            (
                "withdrawn",
                |r| r.mail = Some(OutboxState::Cancelled),
                Standing::Refused,
                Standing::Ready,
            ),
            (
                "no address",
                |r| r.email_key.clear(),
                Standing::NoAddress,
                Standing::NoAddress,
            ),
            (
                "nonsense",
                |r| r.fields[1] = "a b@x".into(),
                Standing::NoAddress,
                Standing::NoAddress,
            ),
            (
                "opted out",
                |r| r.suppressed = true,
                Standing::Suppressed,
                Standing::Suppressed,
            ),
            (
                "bounced",
                |r| r.dead_address = true,
                Standing::DeadAddress,
                Standing::DeadAddress,
            ),
        ];
        for (what, change, once, again) in table {
            let mut r = lead(1);
            change(&mut r);
            assert_eq!(Choice::new(false).look_at(&r), once, "{what}");
            assert_eq!(Choice::new(true).look_at(&r), again, "{what}, --retry");
        }
        // An unknown mail is never made again, whatever else is said.
        let mut r = lead(1);
        r.mail = Some(OutboxState::Unknown);
        r.suppressed = true;
        assert_eq!(Choice::new(true).look_at(&r), Standing::Unknown);
    }

    #[test]
    fn the_same_address_gets_one_mail() {
        let mut choice = Choice::new(false);
        let mut twin = lead(2);
        twin.email_key = lead(1).email_key;
        let mut of_sent = lead(3);
        of_sent.twin = Some("L9".into());
        let found: Vec<Standing> = [lead(1), twin, of_sent, lead(4)]
            .iter()
            .map(|r| choice.look_at(r))
            .collect();
        assert_eq!(
            found,
            [
                Standing::Ready,
                Standing::Duplicate,
                Standing::Duplicate,
                Standing::Ready
            ]
        );
    }

    #[test]
    fn fields_are_found_by_their_column() {
        assert_eq!(field(&lead(1), "name"), "Ann Lee");
        assert_eq!(field(&lead(1), "phone"), "");
        assert_eq!(field(&lead(1), "nothing"), "");
    }
}
