//! Which sent mail a message answers: a ladder, the surest rung first. Pure over a [`Lookup`].
//!
//! | rung | by | confidence |
//! | --- | --- | --- |
//! | 1 | In-Reply-To in its order, References from the right (the parent stands last), for reports the ids of the mail they are about; every id that a sent mail is known by counts | 1.0 to 0.8 |
//! | 2 | what is left of such an id where its domain or case was changed: our signed token, a UUID | 0.85, 0.75 |
//! | 3 | our token in the address at which the mail arrived | 0.9 |
//! | 4 | our token in Thread-Index, and the sender is the lead or a colleague | 0.8 |
//! | 5 | Thread-Topic or the subject, and the sender is a lead with one such thread in the window | 0.65, 0.6 |
//! | 6 | for reports: the failed recipient is a lead with one thread in the window | 0.6 |
//!
//! Below [`SURE`] nothing is answered automatically. A lead with one thread and another subject is
//! not matched: the thread is proposed in the list of unmatched mail. Each id that was looked at
//! is recorded with where it stood and whether it hit.

mod sender;
mod subject;
mod tokens;

use std::collections::HashSet;

use crate::keys::Keys;
use crate::mime::Mail;
use crate::model::{CampaignLeadId, MatchMethod, Nature, SenderAuth, SentRef, address_key};
use crate::msgid::{self, MsgId};
use crate::nature::Judged;
use crate::time::UtcMs;

pub use sender::{Sender, is_public, same_company};
pub use subject::folded as folded_subject;
pub use tokens::{of_addresses as reply_tokens, reply_address, reply_address_with, thread_index};

/// Below this confidence a match is shown and never answered automatically.
pub const SURE: f64 = 0.7;
/// Ids of one mail that are looked up.
const MAX_IDS: usize = 200;
/// Looked-at ids that are recorded; more add nothing that a person would read.
const MAX_RECORDED: usize = 60;

/// What the store knows, gathered before (the matcher itself does no I/O).
pub trait Lookup {
    /// The mail to a lead that has this id.
    fn sent(&self, id: &MsgId) -> Option<SentRef>;
    /// Whether a person attached this id to a thread. It may be on the mails of many leads.
    fn is_taught_id(&self, id: &MsgId) -> bool;
    /// The one mail whose id has this [`msgid::local_key`].
    fn by_local_key(&self, key: &str) -> Option<SentRef>;
    /// The one mail whose id has this [`msgid::payload`].
    fn by_payload(&self, payload: &str) -> Option<SentRef>;
    /// Whether it is the id of a sales notice or an alert: never a key for a lead.
    fn is_notice(&self, id: &MsgId) -> bool;
    /// Whether this address key was attached to the lead of `sent`.
    fn is_taught(&self, address_key: &str, sent: &SentRef) -> bool;
    /// The newest mail of each subject and thread to leads with this address key, inside the
    /// window, newest first.
    fn mails_to(&self, address_key: &str) -> &[MailTo];
}

/// A mail that was sent to a lead.
#[derive(Clone, Debug, PartialEq)]
pub struct MailTo {
    /// The mail.
    pub sent: SentRef,
    /// Its subject as [`folded_subject`] gives it.
    pub folded_subject: String,
}

/// A match.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// The sent mail.
    pub sent: SentRef,
    /// By what it was found.
    pub method: MatchMethod,
    /// How sure that is, 0 to 1.
    pub confidence: f64,
    /// Who the sender is to the lead.
    pub sender: Sender,
    /// The mail carries a signed token of a mail that we sent to this lead: whoever wrote it had
    /// that mail.
    pub carries_token: bool,
}

impl Match {
    /// The only sender is the lead, or counts as the lead.
    #[must_use]
    pub fn sender_verified(&self) -> bool {
        self.sender.is_verified()
    }
}

/// What the search found, and where it looked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Search {
    /// The match.
    pub found: Option<Match>,
    /// `In-Reply-To 1: <id> hit`, in the order in which they were looked at.
    pub looked_at: Vec<String>,
    /// It answers one of our notices to sales.
    pub answers_notice: bool,
    /// Another Message-ID of the found mail, which a report shows: replies may refer to it.
    pub alias: Option<MsgId>,
}

/// What [`search`] may ask the store about one mail; each list bounded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Questions {
    /// Ids that it refers to, at most 200.
    pub ids: Vec<MsgId>,
    /// Local keys of these ids.
    pub local_keys: Vec<String>,
    /// Payloads of Thread-Index and of addresses.
    pub payloads: Vec<String>,
    /// Address keys of the sender, and of the recipients that a report says failed.
    pub addresses: Vec<String>,
}

/// Compiles what the first search needs.
pub fn warm_up() {
    subject::warm_up();
}

/// Everything that [`search`] may ask about `mail`.
#[must_use]
pub fn questions(mail: &Mail, judged: &Judged) -> Questions {
    let mut seen = HashSet::new();
    let ids: Vec<MsgId> = candidates(mail, judged, true)
        .map(|c| c.id)
        .filter(|id| seen.insert(*id))
        .take(MAX_IDS)
        .cloned()
        .collect();
    let returned = tokens::of_returned_header(mail);
    let ids: Vec<MsgId> = ids.into_iter().chain(returned).collect();
    let mut local_keys: Vec<String> = Vec::new();
    for id in &ids {
        let key = msgid::local_key(id.as_str());
        if !key.is_empty() && !local_keys.contains(&key) {
            local_keys.push(key);
        }
    }
    let mut payloads = tokens::of_addresses(mail);
    payloads.extend(tokens::of_thread_index(mail));
    let mut addresses = failed_recipients(judged);
    addresses.push(mail.from_key());
    addresses.retain(|a| !a.is_empty());
    Questions {
        ids,
        local_keys,
        payloads,
        addresses,
    }
}

/// Address keys that a delivery report says failed, at most 10.
fn failed_recipients(judged: &Judged) -> Vec<String> {
    let bounce = judged.bounce.as_ref();
    bounce
        .into_iter()
        .flat_map(|b| &b.recipients)
        .take(10)
        .map(|a| address_key(a))
        .collect()
}

struct Candidate<'m> {
    id: &'m MsgId,
    method: MatchMethod,
    /// Position in its header, from 1: of References counted from the right.
    place: usize,
}

impl Candidate<'_> {
    fn place(&self) -> String {
        let place = self.place;
        match self.method {
            MatchMethod::InReplyTo => format!("In-Reply-To {place}"),
            MatchMethod::References => format!("References {place} from the right"),
            _ => format!("reported mail {place}"),
        }
    }
}

/// The ids in the order in which they count.
fn candidates<'a>(
    mail: &'a Mail,
    judged: &'a Judged,
    reports: bool,
) -> impl Iterator<Item = Candidate<'a>> {
    fn numbered<'m>(
        ids: impl Iterator<Item = &'m MsgId>,
        method: MatchMethod,
    ) -> impl Iterator<Item = Candidate<'m>> {
        ids.enumerate().map(move |(i, id)| Candidate {
            id,
            method,
            place: i + 1,
        })
    }
    // The id that a report names, which may stand in no part of it, then all that were seen.
    let original = judged.original_message_id.iter().filter(move |_| reports);
    let embedded: &[MsgId] = if reports { &mail.embedded_ids } else { &[] };
    let others = embedded
        .iter()
        .filter(|id| judged.original_message_id.as_ref() != Some(*id));
    numbered(mail.in_reply_to.iter(), MatchMethod::InReplyTo)
        .chain(numbered(
            mail.references.iter().rev(),
            MatchMethod::References,
        ))
        .chain(numbered(original.chain(others), MatchMethod::Report))
}

/// Searches the sent mail that `mail` answers, or that a report is about.
#[must_use]
pub fn search(
    mail: &Mail,
    judged: &Judged,
    keys: &Keys,
    auth: SenderAuth,
    lookup: &dyn Lookup,
) -> Search {
    let is_report = matches!(
        judged.nature,
        Nature::Bounce | Nature::Complaint | Nature::Receipt
    );
    let mut climb = Climb {
        mail,
        judged,
        lookup,
        is_report,
        sender_key: mail.from_key(),
        looked_at: Vec::new(),
    };
    let hit = climb
        .by_id()
        .or_else(|| climb.by_returned_header())
        .or_else(|| climb.by_local_key())
        .or_else(|| climb.by_address())
        .or_else(|| climb.by_thread_index())
        .or_else(|| climb.by_subject())
        .or_else(|| climb.by_recipient());
    let alias = hit.as_ref().and_then(|hit| climb.alias(hit, keys));
    let found = hit.map(|hit| {
        let carries_token = climb.carries_token(&hit, keys);
        let taught = lookup.is_taught(&climb.sender_key, &hit.sent);
        let sender = sender::check(mail, &hit.sent, carries_token, taught, auth);
        if !is_report {
            climb.note(sender.as_str());
        }
        Match {
            sent: hit.sent,
            method: hit.method,
            confidence: hit.confidence,
            sender,
            carries_token,
        }
    });
    Search {
        found,
        answers_notice: climb.answers_notice(),
        alias,
        looked_at: climb.looked_at,
    }
}

struct Hit {
    sent: SentRef,
    method: MatchMethod,
    confidence: f64,
}

/// One search: the rungs, and what was looked at on each.
struct Climb<'a> {
    mail: &'a Mail,
    judged: &'a Judged,
    lookup: &'a dyn Lookup,
    is_report: bool,
    sender_key: String,
    looked_at: Vec<String>,
}

impl<'a> Climb<'a> {
    fn note(&mut self, what: impl Into<String>) {
        if self.looked_at.len() < MAX_RECORDED {
            self.looked_at.push(what.into());
        }
    }

    /// Each id once: In-Reply-To mostly stands in References again.
    fn ids(&self) -> Vec<Candidate<'a>> {
        let mut seen = HashSet::new();
        let (mail, judged): (&'a Mail, &'a Judged) = (self.mail, self.judged);
        candidates(mail, judged, self.is_report)
            .filter(|c| seen.insert(c.id))
            .take(MAX_IDS)
            .collect()
    }

    fn by_id(&mut self) -> Option<Hit> {
        for candidate in self.ids() {
            // A notice is never a key for a lead, even if the id were recorded for both.
            let notice = self.lookup.is_notice(candidate.id);
            // One mail of another system to many leads has one id for all of them.
            let shared = self.lookup.is_taught_id(candidate.id);
            let known = self.lookup.sent(candidate.id).filter(|_| !notice);
            let sent = known.filter(|sent| !shared || self.is_of(sent));
            let outcome = match (&sent, notice) {
                (Some(_), _) => "hit",
                (None, true) => "notice",
                (None, false) if shared => "attached for another lead",
                (None, false) => "unknown",
            };
            let place = candidate.place();
            self.note(format!("{place}: <{}> {outcome}", candidate.id));
            if let Some(sent) = sent {
                return Some(Hit {
                    sent,
                    confidence: confidence(&candidate),
                    method: candidate.method,
                });
            }
        }
        None
    }

    /// Whether the sender is the lead of this mail, an address attached to it, or a colleague.
    fn is_of(&self, sent: &SentRef) -> bool {
        self.sender_key == sent.lead_email_key
            || self.lookup.is_taught(&self.sender_key, sent)
            || same_company(&self.sender_key, &sent.lead_email_key)
    }

    /// The mail was sent with this id of ours, and has another Message-ID since (Exchange Online).
    fn by_returned_header(&mut self) -> Option<Hit> {
        if !self.is_report {
            return None;
        }
        for id in tokens::of_returned_header(self.mail) {
            let sent = self
                .lookup
                .sent(&id)
                .filter(|_| !self.lookup.is_notice(&id));
            self.note(format!(
                "returned header: <{id}> {}",
                outcome(sent.is_some())
            ));
            if let Some(sent) = sent {
                return Some(Hit {
                    sent,
                    method: MatchMethod::Report,
                    confidence: 0.95,
                });
            }
        }
        None
    }

    /// The Message-ID under which the mail left, when a report returns it with our signed id beside.
    fn alias(&self, hit: &Hit, keys: &Keys) -> Option<MsgId> {
        let id = tokens::returned_id(self.mail).filter(|_| self.is_report)?;
        let ours = tokens::of_returned_header(self.mail);
        let bears = |own: &MsgId| {
            *own != id
                && msgid::is_ours(keys, own)
                && self
                    .lookup
                    .sent(own)
                    .is_some_and(|s| s.sent_id == hit.sent.sent_id)
        };
        let new = self.lookup.sent(&id).is_none() && !self.lookup.is_notice(&id);
        (new && ours.iter().any(bears)).then_some(id)
    }

    fn by_local_key(&mut self) -> Option<Hit> {
        for candidate in self.ids() {
            let key = msgid::local_key(candidate.id.as_str());
            let sent = Some(key.as_str())
                .filter(|k| !k.is_empty() && !self.lookup.is_notice(candidate.id))
                .and_then(|k| self.lookup.by_local_key(k));
            if let Some(sent) = sent {
                let place = candidate.place();
                self.note(format!(
                    "{place}: hit by its local part, the domain was changed"
                ));
                let token = msgid::payload(candidate.id).is_some();
                return Some(Hit {
                    sent,
                    method: MatchMethod::Token,
                    confidence: if token { 0.85 } else { 0.75 },
                });
            }
        }
        None
    }

    fn by_address(&mut self) -> Option<Hit> {
        for payload in tokens::of_addresses(self.mail) {
            let sent = self.lookup.by_payload(&payload);
            self.note(format!("reply address: {}", outcome(sent.is_some())));
            if let Some(sent) = sent {
                return Some(Hit {
                    sent,
                    method: MatchMethod::ReplyAddress,
                    confidence: 0.9,
                });
            }
        }
        None
    }

    /// The GUID is no signature, and it travels with forwards: only a lead or a colleague is
    /// believed.
    fn by_thread_index(&mut self) -> Option<Hit> {
        let payload = tokens::of_thread_index(self.mail)?;
        let sent = self
            .lookup
            .by_payload(&payload)
            .filter(|sent| self.is_of(sent));
        self.note(format!("Thread-Index: {}", outcome(sent.is_some())));
        Some(Hit {
            sent: sent?,
            method: MatchMethod::ThreadIndex,
            confidence: 0.8,
        })
    }

    fn by_subject(&mut self) -> Option<Hit> {
        if self.is_report || self.mail.from_count != 1 {
            return None;
        }
        let topic = self.mail.header("thread-topic").map(subject::folded);
        let subject = subject::folded(&self.mail.subject);
        for (what, text, confidence) in [
            ("Thread-Topic", topic.unwrap_or_default(), 0.65),
            ("subject", subject, 0.6),
        ] {
            if text.is_empty() {
                continue;
            }
            let mails = self.lookup.mails_to(&self.sender_key);
            if mails.is_empty() {
                return None;
            }
            let equal = mails.iter().filter(|m| m.folded_subject == text);
            let sent = one_thread(equal);
            self.note(format!("{what} and sender: {}", outcome(sent.is_some())));
            if let Some(sent) = sent {
                return Some(Hit {
                    sent,
                    method: MatchMethod::Subject,
                    confidence,
                });
            }
        }
        None
    }

    fn by_recipient(&mut self) -> Option<Hit> {
        if self.judged.nature != Nature::Bounce {
            return None;
        }
        for key in failed_recipients(self.judged) {
            let sent = one_thread(self.lookup.mails_to(&key).iter());
            self.note(format!("failed recipient: {}", outcome(sent.is_some())));
            if let Some(sent) = sent {
                return Some(Hit {
                    sent,
                    method: MatchMethod::Recipient,
                    confidence: 0.6,
                });
            }
        }
        None
    }

    /// A signed id of ours, or the random part of one, that stands for a mail of the same thread.
    fn carries_token(&self, hit: &Hit, keys: &Keys) -> bool {
        let same = |sent: Option<SentRef>| {
            sent.is_some_and(|s| s.campaign_lead_id == hit.sent.campaign_lead_id)
        };
        let by_id = |c: Candidate<'_>| {
            msgid::own_token(keys, c.id).is_some_and(|token| {
                same(self.lookup.sent(c.id)) || same(self.lookup.by_local_key(&token))
            })
        };
        let payloads = tokens::of_addresses(self.mail)
            .into_iter()
            .chain(tokens::of_thread_index(self.mail));
        self.ids().into_iter().any(by_id)
            || payloads
                .into_iter()
                .any(|p| same(self.lookup.by_payload(&p)))
    }

    /// The id that names the parent: In-Reply-To, or the last of References, or the mail that a
    /// report is about.
    fn answers_notice(&self) -> bool {
        let (mail, is_notice) = (self.mail, |id: &MsgId| self.lookup.is_notice(id));
        mail.in_reply_to.iter().any(is_notice)
            || mail.references.last().is_some_and(is_notice)
            || (self.is_report && mail.embedded_ids.iter().any(is_notice))
    }
}

fn outcome(hit: bool) -> &'static str {
    if hit { "hit" } else { "unknown" }
}

/// The newest of these mails, if all are of one thread.
fn one_thread<'m>(mut mails: impl Iterator<Item = &'m MailTo>) -> Option<SentRef> {
    let newest = mails.next()?;
    let thread: CampaignLeadId = newest.sent.campaign_lead_id;
    mails
        .all(|m| m.sent.campaign_lead_id == thread)
        .then(|| newest.sent.clone())
}

fn confidence(candidate: &Candidate<'_>) -> f64 {
    match (candidate.method, candidate.place) {
        // The parent's id, as the standard puts it.
        (MatchMethod::InReplyTo, 1) => 1.0,
        (MatchMethod::InReplyTo, _) => 0.95,
        (MatchMethod::References, 1) => 0.95,
        // An earlier mail of the thread.
        (MatchMethod::References, _) => 0.9,
        (_, 1) => 0.95,
        // Of several ids in a report, the first is the returned mail's.
        (_, _) => 0.8,
    }
}

/// How far back a thread may lie whose subject alone is compared.
pub const SUBJECT_WINDOW_DAYS: u32 = 90;

/// The beginning of that window for a mail that came at `at`.
#[must_use]
pub fn subject_window(at: UtcMs) -> UtcMs {
    at.minus(std::time::Duration::from_secs(
        u64::from(SUBJECT_WINDOW_DAYS) * 86_400,
    ))
}

#[cfg(test)]
mod tests;
