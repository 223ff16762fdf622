//! The gate: whether a queued mail may leave now. Asked in the transaction that claims the mail,
//! so what a person switches off, or a lead opts out of, holds from its commit on; and again
//! where a mail is queued (docs/DECISIONS.md "Who may be written to").
//!
//! The store reads the facts, [`decide`] is a table over them.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params};

use super::StoreError;
use crate::model::{CampaignLeadId, CampaignMode, JobId, MailKind, NewMail, OutboxId, address_key};
use crate::store::{Reader, Tx};
use crate::time::{UtcMs, millis};

/// Until a process that sends writes the settings' own.
const ANSWER_MAX_AGE: Duration = Duration::from_secs(24 * 3600);

/// What becomes of a mail that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It may leave.
    Leave,
    /// It waits, and is shown as held, until automation is switched on again.
    Hold,
    /// It waits until then.
    Later(UtcMs),
    /// It waits until then: the working hours begin.
    Closed(UtcMs),
    /// It waits until then, because the Sent folder is to be read first.
    SentUnread(UtcMs),
    /// It is withdrawn; nobody has to look.
    Withdraw(String),
    /// It is withdrawn, and a person finds its text as a draft.
    Draft(String),
    /// A person's mail that must not leave: shown as refused.
    Refuse(String),
}

/// What the gate asks of a mail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// What it is.
    pub(super) kind: MailKind,
    /// Whether no person decided it.
    pub(super) automatic: bool,
    /// Whose conversation it belongs to.
    pub(super) campaign_lead_id: Option<CampaignLeadId>,
    /// The reply that it answers.
    pub(super) job_id: Option<JobId>,
    /// Until when it waits on purpose.
    pub(super) not_before: Option<UtcMs>,
    /// A mail that waits: its row.
    pub(super) waits: Option<OutboxId>,
    /// Where it goes; with `--redirect-to` not the lead's address.
    pub(super) envelope_to: &'a str,
    /// A person sends it although the address wants no mail.
    pub(super) to_suppressed: bool,
}

impl<'a> Asked<'a> {
    pub(super) fn of(mail: &'a NewMail, to_suppressed: bool) -> Self {
        Self {
            kind: mail.kind,
            automatic: mail.automatic,
            campaign_lead_id: mail.campaign_lead_id,
            job_id: mail.job_id,
            not_before: None,
            waits: None,
            envelope_to: &mail.envelope_to,
            to_suppressed,
        }
    }
}

/// What the store knows of the mail's lead and campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Why the recipient, or the lead by its address of today, gets no mail.
    pub(super) suppressed: Option<String>,
    /// Automation is off for all, its campaign or its lead.
    pub(super) automation_off: bool,
    /// The campaign's mode; none without a conversation.
    pub(super) mode: Option<CampaignMode>,
    /// The campaign does not run any more.
    pub(super) inactive: bool,
    /// A person paused the campaign's own mails.
    pub(super) paused: bool,
    /// A delivery report said for good that the lead's address takes no mail.
    pub(super) dead_address: bool,
    /// A person of ours wrote in the conversation.
    pub(super) person_wrote: bool,
    /// The reply that it answers is older than `reply.answer_max_age`.
    pub(super) too_old: bool,
    /// The lead wrote again while it waited on purpose.
    pub(super) newer_reply: bool,
    /// The lead is away, asked for later or said no, until then.
    pub(super) away_until: Option<UtcMs>,
}

impl Facts {
    /// From a row of [`FACTS_SQL`].
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let mode: Option<String> = row.get(2)?;
        Ok(Self {
            suppressed: row.get(0)?,
            automation_off: row.get(1)?,
            mode: mode.map(|m| m.parse()).transpose()?,
            inactive: row.get(3)?,
            paused: row.get(4)?,
            dead_address: row.get(5)?,
            // Asked for automatic mails only.
            person_wrote: false,
            too_old: false,
            newer_reply: false,
            away_until: row.get::<_, Option<i64>>(6)?.map(UtcMs),
        })
    }
}

/// A lead is an address: who is the same person in two imports is suppressed, off and dead as
/// one.
const FACTS_SQL: &str = "\
SELECT (SELECT s.reason FROM suppressions s
        WHERE s.email_key IN (?2, l.email_key) AND s.email_key <> '' LIMIT 1),
       EXISTS (SELECT 1 FROM automation_off f WHERE f.scope = 'all')
       OR EXISTS (SELECT 1 FROM automation_off f
                  WHERE f.scope = 'campaign' AND f.target_id = c.id)
       OR EXISTS (SELECT 1 FROM automation_off f WHERE f.scope = 'lead' AND f.target_id = l.id)
       OR EXISTS (SELECT 1 FROM leads l2 JOIN automation_off f
                  ON f.scope = 'lead' AND f.target_id = l2.id
                  WHERE l2.email_key = l.email_key AND l2.email_key <> ''),
       c.mode,
       c.is_active = 0,
       m.paused_at IS NOT NULL,
       EXISTS (SELECT 1 FROM leads l2
               WHERE l2.email_key = l.email_key AND l2.email_key <> '' AND l2.bounced_at IS NOT NULL),
       l.paused_until
FROM campaign_leads cl
JOIN leads l ON l.id = cl.lead_id
JOIN campaigns c ON c.id = cl.campaign_id
LEFT JOIN campaign_mailings m ON m.campaign_id = c.id
WHERE cl.id = ?1";

/// The same of a mail without a conversation.
const BARE_FACTS_SQL: &str = "\
SELECT (SELECT s.reason FROM suppressions s WHERE s.email_key = ?1 AND s.email_key <> ''),
       EXISTS (SELECT 1 FROM automation_off f WHERE f.scope = 'all')";

/// Whether mails of this kind go to a lead.
pub(super) fn goes_to_lead(kind: MailKind) -> bool {
    match kind {
        MailKind::Acknowledgment
        | MailKind::Answer
        | MailKind::OptoutConfirmation
        | MailKind::Campaign
        | MailKind::Manual => true,
        MailKind::SalesNotice | MailKind::SalesDigest | MailKind::Alert => false,
    }
}

/// The table; the first hit wins. Mails to our own people pass.
fn decide(asked: &Asked<'_>, f: &Facts, now: UtcMs) -> Passage {
    if !goes_to_lead(asked.kind) {
        return Passage::Leave;
    }
    let campaign = asked.kind == MailKind::Campaign;
    // The confirmation of an opt-out is the one mail that a suppressed address may get.
    if let Some(reason) = &f.suppressed
        && asked.kind != MailKind::OptoutConfirmation
        // Whoever asked for his data to be erased may be told that it was.
        && (asked.automatic || campaign || !asked.to_suppressed)
    {
        let why = format!("The recipient wants no more mail ({reason})");
        return if asked.automatic || campaign {
            Passage::Withdraw(why)
        } else {
            Passage::Refuse(format!("{why}: see `replyd suppress list`"))
        };
    }
    if campaign {
        if f.dead_address {
            return Passage::Withdraw("The lead's address takes no mail: it bounced".into());
        }
        if let Some(until) = f.away_until.filter(|until| *until > now) {
            return Passage::Later(until);
        }
        // A paused or ended campaign is passed over as a whole before its mails are asked for.
        if f.paused || f.inactive || f.automation_off {
            return Passage::Hold;
        }
        return Passage::Leave;
    }
    // What a person wrote or approved leaves, whatever is switched off.
    if !asked.automatic {
        return Passage::Leave;
    }
    let answers = matches!(asked.kind, MailKind::Acknowledgment | MailKind::Answer);
    // Between queueing and now: the person has the thread, and finds what was to be said.
    if f.person_wrote {
        return if answers {
            Passage::Draft("a person has written in the thread".into())
        } else {
            Passage::Withdraw("A person has written in the thread".into())
        };
    }
    if f.newer_reply && answers {
        return Passage::Draft("the lead wrote again before it left".into());
    }
    // The confirmation of an opt-out says nothing that a person could say in another way.
    if f.dead_address {
        let why = "the lead's address takes no mail: it bounced";
        return if answers {
            Passage::Draft(why.into())
        } else {
            Passage::Withdraw(why.into())
        };
    }
    if f.automation_off {
        return Passage::Hold;
    }
    if f.too_old && answers {
        return Passage::Draft("the reply is older than answer_max_age by now".into());
    }
    match f.mode {
        Some(CampaignMode::Off) => Passage::Withdraw("The campaign's mode is off by now".into()),
        Some(CampaignMode::Draft) if answers => {
            Passage::Draft("the campaign's mode is draft by now".into())
        }
        Some(CampaignMode::AutoAck) if asked.kind == MailKind::Answer => {
            Passage::Draft("the campaign's mode is auto-ack by now".into())
        }
        _ if f.inactive && answers => Passage::Draft("the campaign is not active any more".into()),
        _ => Passage::Leave,
    }
}

impl Reader<'_> {
    /// Whether the mail may leave at `now`, with the facts of this transaction.
    pub(super) fn passage(&self, asked: &Asked<'_>, now: UtcMs) -> Result<Passage, StoreError> {
        if !goes_to_lead(asked.kind) {
            return Ok(Passage::Leave);
        }
        let mut facts = self.gate_facts(asked)?;
        if let Some(thread) = asked.campaign_lead_id.filter(|_| asked.automatic) {
            facts.person_wrote = self.person_wrote(thread)?;
        }
        if let Some(job) = asked.job_id.filter(|_| asked.automatic) {
            facts.too_old = self.answers_too_old(job, asked.not_before, now)?;
        }
        if let Some(id) = asked.waits.filter(|_| asked.automatic) {
            facts.newer_reply = self.newer_reply(id)?;
        }
        let passage = decide(asked, &facts, now);
        let answers = matches!(asked.kind, MailKind::Acknowledgment | MailKind::Answer);
        if passage == Passage::Leave
            && answers
            && asked.automatic
            && asked.waits.is_some()
            && let Some(thread) = asked.campaign_lead_id
        {
            let opens = self.hours_open_at(thread, now)?;
            if opens > now {
                return Ok(Passage::Closed(opens));
            }
        }
        Ok(passage)
    }

    /// Whether the reply came longer ago than the settings' `reply.answer_max_age`, which every
    /// process that sends writes down; without it, than a day.
    /// What waited on purpose is no older than when it was to leave.
    fn answers_too_old(
        &self,
        job: JobId,
        not_before: Option<UtcMs>,
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT 1 FROM reply_jobs j JOIN messages m ON m.id = j.message_id
                 WHERE j.id = ?1 AND max(m.internal_date, ?4) < ?2 - coalesce(
                     (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'answer_max_age_ms'), ?3)",
            )?
            .exists(params![
                job.0,
                now.0,
                millis(ANSWER_MAX_AGE),
                not_before.unwrap_or_default().0
            ])?)
    }

    fn gate_facts(&self, asked: &Asked<'_>) -> Result<Facts, StoreError> {
        let key = address_key(asked.envelope_to);
        let of_thread = match asked.campaign_lead_id {
            Some(id) => self
                .conn
                .prepare_cached(FACTS_SQL)?
                .query_row(params![id.0, key], |row| Ok(Facts::read(row)))
                .optional()?,
            None => None,
        };
        of_thread.unwrap_or_else(|| {
            let (suppressed, automation_off) = self
                .conn
                .prepare_cached(BARE_FACTS_SQL)?
                .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(Facts {
                suppressed,
                automation_off,
                ..Facts::default()
            })
        })
    }
}

impl Tx<'_> {
    /// Takes over the settings' `reply.answer_max_age`: the gate asks it of what has waited.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_answer_max_age(&self, age: Duration) -> Result<(), StoreError> {
        self.set_fact("answer_max_age_ms", &millis(age).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMs = UtcMs(1_700_000_000_000);

    /// What happens to (kind, automatic) under `facts`, in a word.
    fn word(kind: MailKind, automatic: bool, facts: &Facts) -> &'static str {
        let asked = Asked {
            kind,
            automatic,
            campaign_lead_id: Some(CampaignLeadId(1)),
            job_id: None,
            not_before: None,
            waits: None,
            envelope_to: "ann@x.example",
            to_suppressed: false,
        };
        match decide(&asked, facts, NOW) {
            Passage::Leave => "leave",
            Passage::Hold => "hold",
            Passage::Later(_) | Passage::Closed(_) | Passage::SentUnread(_) => "later",
            Passage::Withdraw(_) => "withdraw",
            Passage::Draft(_) => "draft",
            Passage::Refuse(_) => "refuse",
        }
    }

    /// The kinds that the table below asks, in its order.
    const KINDS: [(MailKind, bool); 8] = [
        (MailKind::Acknowledgment, true),
        (MailKind::Answer, true),
        (MailKind::Answer, false),
        (MailKind::OptoutConfirmation, true),
        (MailKind::Campaign, false),
        (MailKind::Manual, false),
        (MailKind::SalesNotice, false),
        (MailKind::SalesDigest, false),
    ];

    #[test]
    fn the_gate_is_a_table() {
        let open = Facts {
            mode: Some(CampaignMode::Auto),
            ..Facts::default()
        };
        let suppressed = Facts {
            suppressed: Some("unsubscribe".into()),
            ..open.clone()
        };
        let off = Facts {
            automation_off: true,
            ..open.clone()
        };
        let mode = |mode| Facts {
            mode: Some(mode),
            ..open.clone()
        };
        #[rustfmt::skip]
        let table: [(&str, Facts, [&str; 8]); 18] = [
            //                                            ack         answer      approved  confirm     campaign    manual    notice   digest
            ("open", open.clone(),                        ["leave",    "leave",    "leave",  "leave",    "leave",    "leave",  "leave", "leave"]),
            ("no conversation", Facts::default(),         ["leave",    "leave",    "leave",  "leave",    "leave",    "leave",  "leave", "leave"]),
            ("suppressed", suppressed.clone(),            ["withdraw", "withdraw", "refuse", "leave",    "withdraw", "refuse", "leave", "leave"]),
            ("a person wrote", Facts { person_wrote: true, ..open.clone() },
                                                          ["draft",    "draft",    "leave",  "withdraw", "leave",    "leave",  "leave", "leave"]),
            ("a person wrote, and off", Facts { person_wrote: true, ..off.clone() },
                                                          ["draft",    "draft",    "leave",  "withdraw", "hold",     "leave",  "leave", "leave"]),
            ("the lead wrote again", Facts { newer_reply: true, ..open.clone() },
                                                          ["draft",    "draft",    "leave",  "leave",    "leave",    "leave",  "leave", "leave"]),
            ("automation off", off.clone(),               ["hold",     "hold",     "leave",  "hold",     "hold",     "leave",  "leave", "leave"]),
            ("suppressed and off", Facts { automation_off: true, ..suppressed.clone() },
                                                          ["withdraw", "withdraw", "refuse", "hold",     "withdraw", "refuse", "leave", "leave"]),
            ("mode off", mode(CampaignMode::Off),         ["withdraw", "withdraw", "leave",  "withdraw", "leave",    "leave",  "leave", "leave"]),
            ("mode draft", mode(CampaignMode::Draft),     ["draft",    "draft",    "leave",  "leave",    "leave",    "leave",  "leave", "leave"]),
            ("mode auto-ack", mode(CampaignMode::AutoAck),["leave",    "draft",    "leave",  "leave",    "leave",    "leave",  "leave", "leave"]),
            ("paused", Facts { paused: true, ..open.clone() },
                                                          ["leave",    "leave",    "leave",  "leave",    "hold",     "leave",  "leave", "leave"]),
            ("inactive", Facts { inactive: true, ..open.clone() },
                                                          ["draft",    "draft",    "leave",  "leave",    "hold",     "leave",  "leave", "leave"]),
            ("dead address", Facts { dead_address: true, ..open.clone() },
                                                          ["draft",    "draft",    "leave",  "withdraw",    "withdraw", "leave",  "leave", "leave"]),
            ("away", Facts { away_until: Some(UtcMs(NOW.0 + 1)), ..open.clone() },
                                                          ["leave",    "leave",    "leave",  "leave",    "later",    "leave",  "leave", "leave"]),
            ("back again", Facts { away_until: Some(NOW), ..open.clone() },
                                                          ["leave",    "leave",    "leave",  "leave",    "leave",    "leave",  "leave", "leave"]),
            ("the reply is old", Facts { too_old: true, ..open.clone() },
                                                          ["draft",    "draft",    "leave",  "leave",    "leave",    "leave",  "leave", "leave"]),
            ("off wins over a changed mode", Facts { automation_off: true, ..mode(CampaignMode::Draft) },
                                                          ["hold",     "hold",     "leave",  "hold",     "hold",     "leave",  "leave", "leave"]),
        ];
        for (what, facts, want) in &table {
            for ((kind, automatic), want) in KINDS.iter().zip(want) {
                let found = word(*kind, *automatic, facts);
                assert_eq!(found, *want, "{what}: {kind}, automatic {automatic}");
            }
            // What the operator must know leaves whatever is switched off.
            assert_eq!(word(MailKind::Alert, false, facts), "leave", "{what}");
        }
        // No kind was forgotten.
        for kind in MailKind::ALL.iter().filter(|k| **k != MailKind::Alert) {
            assert!(KINDS.iter().any(|(k, _)| k == kind), "{kind}");
        }
    }

    #[test]
    fn only_a_persons_own_mail_may_go_to_an_address_that_wants_none() {
        let facts = Facts {
            suppressed: Some("unsubscribe".into()),
            ..Facts::default()
        };
        for (kind, automatic) in KINDS.into_iter().filter(|(k, _)| goes_to_lead(*k)) {
            let asked = Asked {
                kind,
                automatic,
                campaign_lead_id: Some(CampaignLeadId(1)),
                job_id: None,
                envelope_to: "ann@x.example",
                to_suppressed: true,
                not_before: None,
                waits: None,
            };
            let leaves = decide(&asked, &facts, NOW) == Passage::Leave;
            let may =
                (!automatic && kind != MailKind::Campaign) || kind == MailKind::OptoutConfirmation;
            assert_eq!(leaves, may, "{kind}, automatic {automatic}");
        }
    }

    #[test]
    fn reasons_say_why_and_name_no_address() {
        let facts = Facts {
            suppressed: Some("unsubscribe".into()),
            ..Facts::default()
        };
        let asked = |kind, automatic| Asked {
            kind,
            automatic,
            campaign_lead_id: None,
            job_id: None,
            not_before: None,
            waits: None,
            envelope_to: "ann@x.example",
            to_suppressed: false,
        };
        let why = |passage| match passage {
            Passage::Withdraw(why) | Passage::Refuse(why) | Passage::Draft(why) => why,
            other => panic!("{other:?}"),
        };
        let withdrawn = why(decide(&asked(MailKind::Campaign, false), &facts, NOW));
        assert_eq!(withdrawn, "The recipient wants no more mail (unsubscribe)");
        let refused = why(decide(&asked(MailKind::Manual, false), &facts, NOW));
        assert!(refused.starts_with(&withdrawn), "{refused}");
        assert!(refused.contains("replyd suppress"), "{refused}");
        assert!(!refused.contains('@'), "{refused}");
    }
}
