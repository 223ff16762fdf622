//! What the store knows, as the matcher asks for it about one mail.

use std::collections::HashMap;
use std::time::Duration;

use crate::matcher::{self, Lookup, MailTo};
use crate::model::SentRef;
use crate::msgid::MsgId;
use crate::store::Lookups;
use crate::time::UtcMs;

/// A sender's clock, our own and the server's are not the same.
const CLOCKS_DIFFER: Duration = Duration::from_secs(600);

/// The answers for a batch, as the matcher asks for them about one mail.
pub(super) struct Known<'a> {
    lookups: &'a Lookups,
    mails_to: HashMap<&'a str, Vec<MailTo>>,
}

impl<'a> Known<'a> {
    /// Mails that were sent after `arrived` cannot be answered by it.
    pub(super) fn new(lookups: &'a Lookups, arrived: UtcMs) -> Self {
        let latest = arrived.plus(CLOCKS_DIFFER);
        let mails_to = lookups.mails_to.iter().map(|(key, mails)| {
            let mails = mails.iter().filter(|(_, _, sent_at)| *sent_at <= latest);
            let mails = mails.map(|(sent, subject, _)| MailTo {
                sent: sent.clone(),
                folded_subject: matcher::folded_subject(subject),
            });
            (key.as_str(), mails.collect())
        });
        Self {
            lookups,
            mails_to: mails_to.collect(),
        }
    }
}

impl Lookup for Known<'_> {
    fn sent(&self, id: &MsgId) -> Option<SentRef> {
        self.lookups.sent.get(id.as_str()).cloned()
    }
    fn is_taught_id(&self, id: &MsgId) -> bool {
        self.lookups.taught_ids.contains(id.as_str())
    }
    fn by_local_key(&self, key: &str) -> Option<SentRef> {
        self.lookups.by_local_key.get(key).cloned()
    }
    fn by_payload(&self, payload: &str) -> Option<SentRef> {
        self.lookups.by_payload.get(payload).cloned()
    }
    fn is_notice(&self, id: &MsgId) -> bool {
        self.lookups.notices.contains(id.as_str())
    }
    fn is_taught(&self, address_key: &str, sent: &SentRef) -> bool {
        let threads = self.lookups.taught.get(address_key);
        threads.is_some_and(|t| t.contains(&sent.campaign_lead_id))
    }
    fn mails_to(&self, address_key: &str) -> &[MailTo] {
        self.mails_to.get(address_key).map_or(&[], Vec::as_slice)
    }
}
