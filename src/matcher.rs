//! Which sent mail a message answers: the first rungs of the ladder. Pure over a [`Lookup`].
//!
//! In-Reply-To in its order, then References from the right (the parent stands last), then, for
//! reports, the ids of the mail that the report is about. Each id that was looked at is recorded
//! with where it stood and whether it hit.

use std::collections::HashSet;

use crate::mime::Mail;
use crate::model::{MatchMethod, Nature, SentRef};
use crate::msgid::MsgId;
use crate::nature::Judged;

/// Ids of one mail that are looked up.
const MAX_IDS: usize = 200;
/// Looked-at ids that are recorded; more add nothing that a person would read.
const MAX_RECORDED: usize = 60;

/// What the store knows, gathered before (the matcher itself does no I/O).
pub trait Lookup {
    /// The mail to a lead that has this id.
    fn sent(&self, id: &MsgId) -> Option<SentRef>;
    /// Whether it is the id of a sales notice or an alert: never a key for a lead.
    fn is_notice(&self, id: &MsgId) -> bool;
    /// Whether a lead has this address key.
    fn leads_with(&self, address_key: &str) -> bool;
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
    /// The only sender is the lead.
    pub sender_verified: bool,
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
}

/// All ids that [`search`] may ask for, each once, at most 200.
#[must_use]
pub fn ids_to_look_up(mail: &Mail) -> Vec<MsgId> {
    let mut seen = HashSet::new();
    candidates(mail, true)
        .map(|c| c.id)
        .filter(|id| seen.insert(*id))
        .take(MAX_IDS)
        .cloned()
        .collect()
}

struct Candidate<'m> {
    id: &'m MsgId,
    method: MatchMethod,
    /// Position in its header, from 1: of References counted from the right.
    place: usize,
}

/// The ids in the order in which they count.
fn candidates(mail: &Mail, reports: bool) -> impl Iterator<Item = Candidate<'_>> {
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
    let embedded: &[MsgId] = if reports { &mail.embedded_ids } else { &[] };
    numbered(mail.in_reply_to.iter(), MatchMethod::InReplyTo)
        .chain(numbered(
            mail.references.iter().rev(),
            MatchMethod::References,
        ))
        .chain(numbered(embedded.iter(), MatchMethod::Report))
}

/// Searches the sent mail that `mail` answers, or that a report is about.
#[must_use]
pub fn search(mail: &Mail, judged: &Judged, lookup: &dyn Lookup) -> Search {
    let is_report = matches!(
        judged.nature,
        Nature::Bounce | Nature::Complaint | Nature::Receipt
    );
    let mut search = Search {
        answers_notice: answers_notice(mail, is_report, lookup),
        ..Search::default()
    };
    let mut seen = HashSet::new();
    for candidate in candidates(mail, is_report) {
        if seen.len() >= MAX_IDS {
            break;
        }
        // In-Reply-To mostly stands in References again.
        if !seen.insert(candidate.id) {
            continue;
        }
        // A notice is never a key for a lead, even if the id were recorded for both.
        let notice = lookup.is_notice(candidate.id);
        let sent = if notice {
            None
        } else {
            lookup.sent(candidate.id)
        };
        let outcome = match (&sent, notice) {
            (Some(_), _) => "hit",
            (None, true) => "notice",
            (None, false) => "unknown",
        };
        search.record(&candidate, outcome);
        if let Some(sent) = sent {
            search.found = Some(Match {
                sender_verified: is_lead(mail, &sent),
                confidence: confidence(&candidate),
                method: candidate.method,
                sent,
            });
            break;
        }
    }
    search
}

impl Search {
    fn record(&mut self, candidate: &Candidate<'_>, outcome: &str) {
        if self.looked_at.len() >= MAX_RECORDED {
            return;
        }
        let place = candidate.place;
        let header = match candidate.method {
            MatchMethod::InReplyTo => format!("In-Reply-To {place}"),
            MatchMethod::References => format!("References {place} from the right"),
            MatchMethod::Report => format!("reported mail {place}"),
        };
        self.looked_at
            .push(format!("{header}: <{}> {outcome}", candidate.id));
    }
}

/// The id that names the parent: In-Reply-To, or the last of References, or the mail that a
/// report is about.
fn answers_notice(mail: &Mail, is_report: bool, lookup: &dyn Lookup) -> bool {
    let by_reply = mail.in_reply_to.iter().any(|id| lookup.is_notice(id));
    let by_references = mail
        .references
        .last()
        .is_some_and(|id| lookup.is_notice(id));
    let by_report = is_report && mail.embedded_ids.iter().any(|id| lookup.is_notice(id));
    by_reply || by_references || by_report
}

fn confidence(candidate: &Candidate<'_>) -> f64 {
    match (candidate.method, candidate.place) {
        // The parent's id, as the standard puts it.
        (MatchMethod::InReplyTo, 1) => 1.0,
        (MatchMethod::InReplyTo, _) => 0.95,
        (MatchMethod::References, 1) => 0.95,
        // An earlier mail of the thread.
        (MatchMethod::References, _) => 0.9,
        (MatchMethod::Report, 1) => 0.95,
        // Of several ids in a report, the first is the returned mail's.
        (MatchMethod::Report, _) => 0.8,
    }
}

/// The one sender is the lead of the sent mail.
fn is_lead(mail: &Mail, sent: &SentRef) -> bool {
    let key = mail.from_key();
    mail.from_count == 1 && !key.is_empty() && key == sent.lead_email_key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Keys;
    use crate::mime;
    use crate::model::{CampaignLeadId, SentId};
    use crate::nature::{self, Ours};
    use crate::time::UtcMs;

    struct Known;
    impl Lookup for Known {
        fn sent(&self, id: &MsgId) -> Option<SentRef> {
            let n = id.as_str().strip_prefix("sent")?.split('@').next()?;
            Some(SentRef {
                sent_id: SentId(n.parse().ok()?),
                campaign_lead_id: CampaignLeadId(1),
                lead_email_key: "ann@lead.example".to_owned(),
                known_at: UtcMs(0),
            })
        }
        fn is_notice(&self, id: &MsgId) -> bool {
            id.as_str().starts_with("notice")
        }
        fn leads_with(&self, address_key: &str) -> bool {
            address_key == "ann@lead.example"
        }
    }

    fn look(raw: &str) -> Search {
        let mail = mime::parse(raw.as_bytes());
        let judged = nature::judge(&mail, &Ours::default(), &Keys::for_test(1));
        search(&mail, &judged, &Known)
    }

    fn found(raw: &str) -> (i64, MatchMethod, bool) {
        let m = look(raw).found.unwrap();
        (m.sent.sent_id.0, m.method, m.sender_verified)
    }

    #[test]
    fn in_reply_to_goes_before_references() {
        let raw =
            "From: Ann@LEAD.example\nIn-Reply-To: <x@y> <sent2@me>\nReferences: <sent3@me>\n\nyes";
        assert_eq!(found(raw), (2, MatchMethod::InReplyTo, true));
        let s = look(raw);
        assert_eq!(
            s.looked_at,
            [
                "In-Reply-To 1: <x@y> unknown",
                "In-Reply-To 2: <sent2@me> hit"
            ]
        );
        assert!(s.found.unwrap().confidence < 1.0);
    }

    #[test]
    fn references_are_read_from_the_right() {
        let raw = "From: ann@lead.example\nIn-Reply-To: <o@y>\n\
                   References: <sent1@me> <sent2@me> <o@y>\n\nyes";
        assert_eq!(found(raw), (2, MatchMethod::References, true));
        assert_eq!(
            look(raw).looked_at.last().unwrap(),
            "References 2 from the right: <sent2@me> hit"
        );
    }

    #[test]
    fn a_report_is_matched_by_the_mail_that_it_is_about() {
        let raw = "From: MAILER-DAEMON@mx.example\nReturn-Path: <>\nSubject: failure notice\n\n\
                   550 no such user here: could not be delivered\n\n--- Below is a copy\n\n\
                   Received: from x\nMessage-ID: <sent4@me>\nSubject: Offer\n";
        assert_eq!(found(raw), (4, MatchMethod::Report, false));
        // In a person's mail a quoted header is no evidence.
        let human = "From: ann@lead.example\n\nMessage-ID: <sent4@me>\n";
        assert_eq!(look(human).found, None);
    }

    #[test]
    fn another_or_a_second_sender_is_not_verified() {
        let reply = |from: &str| found(&format!("{from}\nIn-Reply-To: <sent1@me>\n\nyes")).2;
        assert!(reply("From: Ann <ANN@lead.example>"));
        assert!(!reply("From: Eve <eve@x.example>"));
        assert!(!reply("From: ann@lead.example\nFrom: eve@x.example"));
        assert!(!reply("From: ann@lead.example, eve@x.example"));
        assert!(!reply("From: \"ann@lead.example\" <eve@x.example>"));
        assert!(!reply("To: x@y.example"));
    }

    #[test]
    fn a_notice_is_never_a_key_for_a_lead() {
        let s = look("From: a@b.example\nIn-Reply-To: <notice1@me>\n\nok");
        assert!(s.answers_notice && s.found.is_none());
        assert_eq!(s.looked_at, ["In-Reply-To 1: <notice1@me> notice"]);
        assert!(
            look("From: a@b.example\nReferences: <sent1@me> <notice1@me>\n\nok").answers_notice
        );
        assert!(
            !look("From: a@b.example\nReferences: <notice1@me> <sent1@me>\n\nok").answers_notice
        );
    }

    #[test]
    fn the_ids_to_look_up_are_bounded_and_each_once() {
        let many: String = (0..500).map(|i| format!("<{i}@x> ")).collect();
        let raw = format!("In-Reply-To: {many}\nReferences: {many}<last@x>\n\n");
        let ids = ids_to_look_up(&mime::parse(raw.as_bytes()));
        assert!(ids.len() <= MAX_IDS);
        let unique: HashSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len());
        assert!(ids.iter().any(|i| i.as_str() == "last@x"));
    }
}
