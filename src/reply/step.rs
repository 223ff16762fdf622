//! One reply, inside one write transaction: facts, decision, and everything that follows from
//! it. Either all of it is committed or nothing.

use super::classify::{Classifier, ReplyInput, Verdict};
use super::compose::{self, Draftable, FurtherParts};
use super::contact::{self, Contact};
use super::facts_of::overtakes;
pub(super) use super::facts_of::until;
use super::fold::Language;
pub(super) use super::grounds::{StepError, asked, grounds};
use super::policy::{Decision, NoticeKind, ToLead, ToSales};
use super::templates::{LeadText, Rendered, TemplateKind};
use super::texts::{self, Ours};
use super::{ActionTaken, JobReport, Parts, own_words};
use crate::answers::Found;
use crate::config::{AccountSettings, ReplyAddress};
use crate::model::{
    Address, ConversationId, GoalType, HOLE, IdSource, Inserted, Intent, MailKind, SentKind,
};
use crate::msgid;
use crate::store::{
    ClaimedJob, JobContext, JobOutcome, NewConversation, NewDraft, NewSent, Reading, Speaker,
    StoreError, Superseded, ThreadContext, Tx,
};
use crate::time::UtcMs;
use crate::visible;

/// The text of the answered mail, else of the newest one; none: we do not know what we said.
pub(super) fn last_outbound(c: &JobContext) -> Option<&str> {
    [
        c.matched.as_ref().map(|m| m.body.as_str()),
        c.thread.as_ref().map(|t| t.last_sent_body.as_str()),
    ]
    .into_iter()
    .flatten()
    .find(|body| !body.is_empty())
}

/// Reads the intent of a reply.
pub(super) fn read(
    classifier: &Classifier,
    own_person_words: &[String],
    c: &JobContext,
) -> Result<Verdict, StepError> {
    // Quoted lines that stand with answers are for people to read, and where nothing is new,
    // our own text is not taken for the lead's word.
    let new_text = visible::own_words(&c.visible_text, c.visible_quoted);
    let mut verdict = classifier.classify(&ReplyInput {
        new_text: &new_text,
        sure: c.visible_sure,
        subject: &c.subject,
        nature: c.nature,
        last_outbound: last_outbound(c),
    })?;
    verdict
        .person_words
        .extend(own_words::found(&new_text, own_person_words));
    if let Some((intent, goal_type)) = c.by_person.label {
        labelled(&mut verdict, intent, goal_type);
    }
    Ok(verdict)
}

/// A person's word takes the place of what was read. Words for a person stay what they are.
fn labelled(v: &mut Verdict, intent: Intent, goal_type: Option<GoalType>) {
    v.intent = intent;
    v.confidence = 1.0;
    v.runner_up = None;
    v.goal_type = goal_type.filter(|_| intent == Intent::GoalReached);
    v.goal_rule = intent == Intent::GoalReached;
    v.opt_out = intent == Intent::Unsubscribe;
    v.opt_out_unsure = false;
    v.disagreement = None;
}

/// One attempt of one job.
pub(super) struct Step<'a> {
    pub(super) parts: &'a Parts,
    pub(super) job: ClaimedJob,
    pub(super) verdict: &'a Verdict,
    /// What the campaign's documents say to it.
    pub(super) found: Option<&'a Found>,
    /// The words of a model for the answer, checked.
    pub(super) worded: Option<&'a str>,
    /// Who read it.
    pub(super) reading: &'a Reading,
    pub(super) resend: bool,
    pub(super) random: [[u8; 16]; 2],
    pub(super) now: UtcMs,
}

/// What a mail of this step is built from.
#[derive(Clone, Copy)]
struct Letter<'a> {
    c: &'a JobContext,
    t: &'a ThreadContext,
    account: &'a AccountSettings,
    round: i64,
    /// Not before; none: at once. Of the mail to the lead alone.
    leave_at: Option<UtcMs>,
}

/// What was queued.
#[derive(Default)]
struct Queued {
    to_lead: bool,
    to_sales: bool,
}

impl Step<'_> {
    /// Decides with the facts of this moment and writes what follows.
    pub(super) fn settle(&self, tx: &Tx<'_>) -> Result<JobReport, StepError> {
        let c = tx.job_context(self.job.id)?;
        // Before the brakes count: what the lead overtook by writing again never leaves.
        let overtaken = match c.thread.as_ref().filter(|_| overtakes(&c)) {
            Some(t) => tx.take_back_overtaken(t.campaign_lead_id, c.message_id, self.now)?,
            None => Vec::new(),
        };
        let mut decision = self.decide(tx, &c)?;
        for mail in overtaken {
            // A second acknowledgement stands for the first.
            let replaced = mail.kind == MailKind::Acknowledgment
                && matches!(
                    decision.lead,
                    ToLead::Acknowledge | ToLead::DraftAcknowledgement
                );
            if !replaced && decision.suppress.is_none() {
                tx.draft_overtaken(mail, self.now)?;
            }
        }
        let conversation_id = self.customer_line(tx, &c)?;
        self.mark_lead(tx, &c, &mut decision)?;
        let contact = self.contact(&c, &decision);
        let before = tx.decided_before(self.job.id)?;
        let queued = match &c.thread {
            Some(t) => {
                let told = before.is_some() && !self.resend;
                self.mails(tx, &c, t, &mut decision, contact.as_ref(), told)?
            }
            None => Queued::default(),
        };
        if before == Some(true) && !queued.to_lead {
            // What was sent keeps the decision and the reasons that sent it.
            let found = format!(
                "{} ({})",
                decision.gate().as_str(),
                decision.reasons.join("; ")
            );
            tx.keep_decision(&self.job, &found)?;
            return Ok(self.report(&c, conversation_id, &queued, decision));
        }
        if let Some(found) = self.found {
            tx.put_citations(self.job.id, &found.answered.citations())?;
        }
        tx.put_reading(self.job.id, self.reading)?;
        if before.is_some() && !self.resend {
            // Who had to be told was told when it was decided first.
        } else if let ToSales::Digest(reason) = decision.sales {
            tx.add_digest_item(c.message_id, reason.as_str(), self.now)?;
        }
        let gate = decision.gate().as_str();
        let mut reasons = decision.reasons.clone();
        reasons.extend(self.said());
        reasons.extend(self.verdict.evidence.iter().map(|e| format!("rule {e}")));
        let goal_type = self.goal_type(&decision);
        tx.finish_job(
            &self.job,
            &JobOutcome {
                intent: decision.intent,
                confidence: self.verdict.confidence,
                goal_type,
                action: gate,
                reasons,
                flagged: decision.flagged,
                contact: match &contact {
                    Some(contact) => serde_json::to_string(contact)
                        .map_err(|e| StoreError::Invalid(format!("Contact: {e}")))?,
                    None => String::new(),
                },
            },
            self.now,
        )?;
        Ok(self.report(&c, conversation_id, &queued, decision))
    }

    fn report(
        &self,
        c: &JobContext,
        conversation_id: Option<ConversationId>,
        queued: &Queued,
        decision: Decision,
    ) -> JobReport {
        let goal_type = self.goal_type(&decision);
        JobReport {
            job_id: self.job.id,
            message_id: c.message_id,
            conversation_id,
            action: if queued.to_sales {
                ActionTaken::NotifiedSales
            } else if queued.to_lead {
                ActionTaken::SentReply
            } else {
                ActionTaken::Skipped
            },
            gate: decision.gate().as_str(),
            intent: Some(decision.intent),
            confidence: self.verdict.confidence,
            goal_type,
            reasons: decision.reasons,
            error: None,
            next_try: None,
            queued: queued.to_lead || queued.to_sales,
        }
    }

    fn goal_type(&self, d: &Decision) -> Option<GoalType> {
        self.verdict
            .goal_type
            .filter(|_| d.intent == Intent::GoalReached)
    }

    /// What the endpoint said, for the reasons.
    fn said(&self) -> Option<String> {
        let said = &self.reading.opinion;
        (!said.is_empty()).then(|| format!("endpoint: {said}"))
    }

    /// The reply's own line of the conversation; the capture wrote it, or it comes late.
    fn customer_line(
        &self,
        tx: &Tx<'_>,
        c: &JobContext,
    ) -> Result<Option<ConversationId>, StepError> {
        let Some(t) = &c.thread else {
            return Ok(None);
        };
        if t.conversation_id.is_some() || !c.disposition.counts_as_reply() {
            return Ok(t.conversation_id);
        }
        let (own_id, _) = texts::threading(c);
        let line = tx.insert_conversation(&NewConversation {
            campaign_lead_id: t.campaign_lead_id,
            sender: Speaker::Customer,
            message: &c.visible_text,
            agent_tool_used: "",
            email_message_id: own_id.unwrap_or_default(),
            email_in_reply_to: c.in_reply_to.split_whitespace().next().unwrap_or_default(),
            created_at: c.internal_date,
            message_ref: Some(c.message_id),
            outbox_ref: None,
        })?;
        let (Inserted::New(id) | Inserted::Duplicate(id)) = line;
        Ok(Some(id))
    }

    /// Whom a referral proposes.
    fn contact(&self, c: &JobContext, d: &Decision) -> Option<Contact> {
        let t = c.thread.as_ref()?;
        let account = self.account(c).map_or("", |a| a.address.as_str());
        let text = visible::own_words(&c.visible_text, c.visible_quoted);
        (d.intent == Intent::Referral)
            .then(|| contact::named(&text, &[&t.lead_email, &c.from_address, account]))
            .flatten()
    }

    fn mails(
        &self,
        tx: &Tx<'_>,
        c: &JobContext,
        t: &ThreadContext,
        d: &mut Decision,
        contact: Option<&Contact>,
        told: bool,
    ) -> Result<Queued, StepError> {
        let round = tx.next_round(self.job.id)?;
        let mut text = self.text(c, t);
        text.reasons = d.reasons.join("; ");
        text.contact = contact.map_or_else(String::new, ToString::to_string);
        let mut queued = Queued::default();
        let leave_at = d.leave_at;
        let letter = || -> Result<Letter<'_>, StepError> {
            Ok(Letter {
                c,
                t,
                account: self.account(c)?,
                // With `--resend` the next number: UNIQUE(job, kind, round) lets one more through.
                round: if self.resend { round } else { 0 },
                leave_at,
            })
        };
        match d.lead {
            ToLead::Nothing => {}
            ToLead::Acknowledge => {
                queued.to_lead =
                    self.to_lead(tx, &letter()?, &text, TemplateKind::Acknowledgment)?;
                text.acknowledged = queued.to_lead;
            }
            ToLead::Answer => {
                // The offer of a viewing is made once in a thread.
                if !t.answered {
                    text.nudge = self.nudge(&text)?;
                }
                queued.to_lead = self.to_lead(tx, &letter()?, &text, TemplateKind::Answer)?;
                text.answered = queued.to_lead;
            }
            ToLead::ConfirmOptOut => {
                queued.to_lead =
                    self.to_lead(tx, &letter()?, &text, TemplateKind::OptoutConfirmation)?;
            }
            ToLead::DraftAcknowledgement | ToLead::DraftAnswer => {}
        }
        if !queued.to_lead {
            d.left_to_a_person();
        }
        if matches!(d.lead, ToLead::DraftAcknowledgement | ToLead::DraftAnswer) {
            text.draft = true;
            self.draft(tx, c, t, &mut text, d)?;
        }
        if let Some(found) = self.found {
            text.sources = texts::source_lines(&found.answered.citations(), text.answered);
        }
        // Decided before, it is no news, unless something leaves to the lead only now.
        if let ToSales::Notice(kind) = d.sales
            && (!told || queued.to_lead)
        {
            queued.to_sales = self.to_sales(tx, &letter()?, &text, kind)?;
        }
        Ok(queued)
    }

    /// Queues a mail to the lead with its rows: outbox, sent mail with its id, conversation.
    fn to_lead(
        &self,
        tx: &Tx<'_>,
        letter: &Letter<'_>,
        text: &LeadText,
        template: TemplateKind,
    ) -> Result<bool, StepError> {
        let Letter {
            c,
            t,
            account,
            round,
            leave_at,
        } = *letter;
        let (kind, sent_kind, tool) = match template {
            TemplateKind::OptoutConfirmation => (
                MailKind::OptoutConfirmation,
                SentKind::OptoutConfirmation,
                "unknown",
            ),
            TemplateKind::Answer => (MailKind::Answer, SentKind::Answer, "document_rag"),
            _ => (
                MailKind::Acknowledgment,
                SentKind::Acknowledgment,
                "acknowledgment",
            ),
        };
        let (filled, digest) = self.worded(template, text)?;
        let (parent, chain) = texts::threading(c);
        let from = texts::from_address(c, t, Ours::of(account));
        let parts = FurtherParts {
            html: filled.html.as_deref(),
            reply_token: account.reply_address == ReplyAddress::Auto
                && tx.reply_address_proven(c.account_id, &from.addr)?,
            ..FurtherParts::default()
        };
        let mut mail = compose::compose_with(
            &Draftable {
                kind,
                job_id: Some(self.job.id),
                round,
                account_id: c.account_id,
                campaign_lead_id: Some(t.campaign_lead_id),
                by_person: false,
                from,
                to: Address {
                    name: t.lead_name.clone(),
                    addr: t.lead_email.clone(),
                },
                reply_to: None,
                subject: &filled.subject,
                body: &filled.body,
                in_reply_to: parent,
                references: &chain,
                envelope_from: &account.smtp.envelope_from,
                redirect_to: self.parts.settings.redirect_to.as_deref(),
            },
            parts,
            &self.parts.keys,
            self.random[0],
            self.now,
        )?;
        if let Some(digest) = digest {
            mail.body_digest = digest;
        }
        if let Some(at) = leave_at {
            mail.next_attempt_at = at;
        }
        let Inserted::New(outbox) = tx.enqueue(&mail, self.now)? else {
            return Ok(false);
        };
        // An earlier decision left it to a person, who need not look any more.
        tx.supersede_drafts(Superseded::Job(self.job.id), "answered by itself", self.now)?;
        let own_id = mail.rfc_message_id.clone();
        tx.insert_sent(
            &NewSent {
                campaign_lead_id: t.campaign_lead_id,
                kind: sent_kind,
                subject: mail.subject,
                body: mail.body.clone(),
                sent_at: self.now,
                outbox_ref: Some(outbox),
                ids: vec![(own_id.clone(), IdSource::Own)],
            },
            &msgid::ref_hashes(&self.parts.keys, &own_id),
            self.now,
        )?;
        tx.insert_conversation(&NewConversation {
            campaign_lead_id: t.campaign_lead_id,
            sender: Speaker::Agent,
            message: &mail.body,
            agent_tool_used: tool,
            email_message_id: &own_id,
            email_in_reply_to: parent.unwrap_or_default(),
            created_at: self.now,
            message_ref: None,
            outbox_ref: Some(outbox),
        })?;
        Ok(true)
    }

    fn to_sales(
        &self,
        tx: &Tx<'_>,
        letter: &Letter<'_>,
        text: &LeadText,
        kind: NoticeKind,
    ) -> Result<bool, StepError> {
        let Letter {
            c,
            t,
            account,
            round,
            ..
        } = *letter;
        let template = match kind {
            NoticeKind::Goal => TemplateKind::SalesGoal,
            NoticeKind::Question => TemplateKind::SalesQuestion,
            NoticeKind::OptOut => TemplateKind::SalesOptout,
            NoticeKind::Person => TemplateKind::SalesPerson,
        };
        let filled = self.fill(template, text)?;
        let lead = Address {
            name: t.lead_name.clone(),
            addr: t.lead_email.clone(),
        };
        let mail = compose::compose(
            &Draftable {
                kind: MailKind::SalesNotice,
                job_id: Some(self.job.id),
                round,
                account_id: c.account_id,
                campaign_lead_id: Some(t.campaign_lead_id),
                by_person: false,
                from: texts::from_address(c, t, Ours::of(account)),
                to: Address {
                    name: String::new(),
                    addr: self.parts.settings.reply.sales_email.clone(),
                },
                // An address that cannot stand in a header must not keep the notice back.
                reply_to: compose::usable(&lead).then_some(lead),
                subject: &filled.subject,
                body: &filled.body,
                in_reply_to: None,
                references: &[],
                envelope_from: &account.smtp.envelope_from,
                redirect_to: self.parts.settings.redirect_to.as_deref(),
            },
            &self.parts.keys,
            self.random[1],
            self.now,
        )?;
        Ok(matches!(tx.enqueue(&mail, self.now)?, Inserted::New(_)))
    }

    fn draft(
        &self,
        tx: &Tx<'_>,
        c: &JobContext,
        t: &ThreadContext,
        text: &mut LeadText,
        d: &Decision,
    ) -> Result<(), StepError> {
        let template = if d.lead == ToLead::DraftAcknowledgement {
            TemplateKind::Acknowledgment
        } else {
            TemplateKind::AnswerDraft
        };
        // The offer of a viewing is made once in a thread, and not to who may not want one.
        if d.intent == Intent::Question && !t.answered {
            text.nudge = self.nudge(text)?;
        }
        let is_answer = template == TemplateKind::AnswerDraft;
        let answered = self.found.is_some_and(|f| f.answered.passes());
        let mut answer = self
            .worded
            .map_or_else(|| text.answer.clone(), str::to_owned);
        if is_answer && !answered {
            // What no document says a person writes, after what they do say.
            let blank = if answer.is_empty() { "" } else { "\n\n" };
            answer = format!("{answer}{blank}{HOLE}");
        }
        let drafted = LeadText {
            answer,
            ..text.clone()
        };
        let filled = self.fill(template, &drafted)?;
        if tx.draft_rejected_before(self.job.id, &filled.subject, &filled.body)? {
            return Ok(());
        }
        tx.insert_draft(
            &NewDraft {
                job_id: self.job.id,
                campaign_lead_id: t.campaign_lead_id,
                message_id: c.message_id,
                subject: &filled.subject,
                body: &filled.body,
                reason: &d.reasons.join("; "),
                tool: match (is_answer, answered) {
                    (false, _) => "acknowledgment",
                    (true, true) => "document_rag",
                    (true, false) => "unknown",
                },
                wants_text: is_answer && !answered,
            },
            self.now,
        )?;
        Ok(())
    }

    pub(super) fn fill(&self, kind: TemplateKind, text: &LeadText) -> Result<Rendered, StepError> {
        let language = self.language();
        Ok(self.parts.templates.lead(kind, language, text)?)
    }

    /// An answer in the words of a model, and by what it is known for the brake "the same text
    /// twice": the documents' words, whatever words they are put into.
    fn worded(
        &self,
        kind: TemplateKind,
        text: &LeadText,
    ) -> Result<(Rendered, Option<String>), StepError> {
        let plain = self.fill(kind, text)?;
        let Some(words) = self.worded.filter(|_| kind == TemplateKind::Answer) else {
            return Ok((plain, None));
        };
        let worded = LeadText {
            answer: words.to_owned(),
            ..text.clone()
        };
        let digest = compose::body_digest(&plain.body);
        Ok((self.fill(kind, &worded)?, Some(digest)))
    }

    pub(super) fn nudge(&self, text: &LeadText) -> Result<String, StepError> {
        Ok(self.fill(TemplateKind::Nudge, text)?.body.trim().to_owned())
    }

    /// That of the documents which answer, else the mail's.
    fn language(&self) -> Language {
        self.found.map_or(self.verdict.language, |f| f.language)
    }

    /// What the templates are filled with.
    pub(super) fn text(&self, c: &JobContext, t: &ThreadContext) -> LeadText {
        let mut text = texts::lead_text(c, t, self.verdict);
        if let Some(found) = self.found {
            text.answer.clone_from(&found.answered.text);
        }
        let public = self.parts.settings.web.public_url.as_deref();
        text.conversation_url = texts::conversation_url(public, t.campaign_lead_id);
        text
    }

    fn account(&self, c: &JobContext) -> Result<&AccountSettings, StepError> {
        self.parts
            .settings
            .accounts
            .iter()
            .find(|a| a.name == c.account_name)
            .ok_or_else(|| StepError::NoAccount(c.account_name.clone()))
    }
}
