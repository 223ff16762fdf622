//! A draft becomes a mail: draft, outbox row, sent mail with its id and line of the conversation in
//! one transaction. Killed anywhere, the draft is open or its one mail is queued.

use serde::Serialize;

use super::objections::judge;
use super::{Desk, DeskError, Edit, Objection, Remark, open, seen, text};
use crate::config::{ReplyAddress, SenderSettings};
use crate::faultpoint;
use crate::model::{
    Address, Citation, DraftId, DraftState, IdSource, Inserted, MailKind, OutboxId, SentKind,
    address_key, has_hole,
};
use crate::msgid;
use crate::reply::compose::{self, Draftable, FurtherParts};
use crate::reply::texts::{self, Ours};
use crate::store::{
    Decision, DraftItem, DraftRow, JobContext, NewConversation, NewEvent, NewSent, Reader, Speaker,
    Standing, StoreError, ThreadContext, Tx,
};
use crate::time::UtcMs;

/// To whom the answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// The lead's address, as imported.
    Lead,
    /// The address from which the reply came.
    Sender,
}

/// A person's word: this is to be sent.
#[derive(Clone, Debug)]
pub struct Approval {
    /// The draft.
    pub draft: DraftId,
    /// Who says so.
    pub by: String,
    /// A change of the text in the same step.
    pub edit: Edit,
    /// The version of the text that the person saw; none: what stands there, unless somebody else
    /// changed it within the hour.
    pub version: Option<i64>,
    /// To whom; none: to the lead, as long as the reply came from there.
    pub to: Option<Recipient>,
    /// Overrules every objection but a suppressed address.
    pub anyway: bool,
    /// Overrules that one, for this mail alone.
    pub to_suppressed: bool,
}

/// What approving did.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Approved {
    /// The draft.
    pub draft: DraftId,
    /// The mail.
    pub mail: OutboxId,
    /// Its recipient.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its Message-ID without brackets.
    pub message_id: String,
    /// What was overruled.
    pub overruled: Vec<Objection>,
    /// What is worth knowing.
    pub remarks: Vec<Remark>,
}

/// A draft with all that a person needs to decide.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct View {
    /// The draft.
    #[serde(flatten)]
    pub draft: DraftItem,
    /// What its text quotes of the campaign's documents, and what came near.
    pub sources: Vec<Citation>,
    /// What stands against sending it now.
    pub objections: Vec<Objection>,
    /// What is worth knowing.
    pub remarks: Vec<Remark>,
}

/// What an approved mail is built from.
struct Letter<'a> {
    draft: &'a DraftRow,
    c: &'a JobContext,
    t: &'a ThreadContext,
    sender: &'a SenderSettings,
    to: Address,
}

fn recipient(c: &JobContext, t: &ThreadContext, to: Recipient) -> Address {
    match to {
        Recipient::Lead => Address {
            name: t.lead_name.clone(),
            addr: t.lead_email.clone(),
        },
        Recipient::Sender => Address {
            name: c.from_name.clone(),
            addr: c.from_address.clone(),
        },
    }
}

/// What stands for and against a mail to `to` now.
fn facts(
    r: &Reader<'_>,
    draft: &DraftRow,
    c: &JobContext,
    to: &Address,
    now: UtcMs,
) -> Result<(Vec<Objection>, Vec<Remark>), StoreError> {
    let thread = draft.campaign_lead_id;
    let key = address_key(&to.addr);
    let standing: Standing = r.standing(thread, draft.job_id, c.internal_date, &key)?;
    let off = r.automation_off_for(thread)?;
    Ok(judge(c, &standing, off.as_ref(), now))
}

impl Desk {
    /// A draft with what stands for and against it.
    ///
    /// # Errors
    /// [`DeskError`], in words.
    pub async fn view(&self, id: DraftId, now: UtcMs) -> Result<View, DeskError> {
        self.store
            .read(move |r| {
                let draft = r.draft(id)?.ok_or(DeskError::NotFound(id))?;
                let row = r.draft_row(id)?.ok_or(DeskError::NotFound(id))?;
                let sources = r.draft_citations(id)?;
                let (mut objections, mut remarks) = (Vec::new(), Vec::new());
                if draft.state == DraftState::Open {
                    let c = r.job_context(row.job_id)?;
                    if let Some(t) = &c.thread {
                        let to = recipient(&c, t, Recipient::Lead);
                        (objections, remarks) = facts(r, &row, &c, &to, now)?;
                    }
                }
                Ok(View {
                    draft,
                    sources,
                    objections,
                    remarks,
                })
            })
            .await
    }

    /// Queues the mail of a draft, edited in the same step if the approval says so.
    ///
    /// # Errors
    /// [`DeskError`]: what stands against it, in words; nothing was changed then.
    pub async fn approve(&self, ask: Approval, now: UtcMs) -> Result<Approved, DeskError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|e| DeskError::Random(e.to_string()))?;
        let desk = self.clone();
        let approved = self
            .store
            .write(move |tx| {
                let approved = desk.settle(tx, &ask, random, now)?;
                faultpoint::hit("draft.before_commit");
                Ok::<_, DeskError>(approved)
            })
            .await?;
        faultpoint::hit("draft.committed");
        self.outbox.ring();
        Ok(approved)
    }

    pub(super) fn settle(
        &self,
        tx: &Tx<'_>,
        ask: &Approval,
        random: [u8; 16],
        now: UtcMs,
    ) -> Result<Approved, DeskError> {
        let mut draft = open(tx, ask.draft, ask.version)?;
        seen(&draft, ask.version, &ask.by, now)?;
        if !ask.edit.is_empty() && text::apply(tx, &draft, &ask.edit, &ask.by, now)? {
            draft = open(tx, ask.draft, None)?;
        }
        if draft.wants_text || has_hole(&draft.body) || draft.body.trim().is_empty() {
            return Err(DeskError::WantsText(draft.id));
        }
        let c = tx.job_context(draft.job_id)?;
        let t = c
            .thread
            .as_ref()
            .filter(|t| t.campaign_lead_id == draft.campaign_lead_id)
            .ok_or_else(|| {
                StoreError::Invalid(format!(
                    "The reply of draft {} belongs to another thread by now: reject the draft",
                    draft.id
                ))
            })?;
        let who = match ask.to {
            Some(to) => to,
            None if c.sender_verified || c.from_address.is_empty() => Recipient::Lead,
            None => return Err(DeskError::WhichRecipient),
        };
        let to = recipient(&c, t, who);
        let (against, remarks) = facts(tx, &draft, &c, &to, now)?;
        let (overruled, standing): (Vec<_>, Vec<_>) = against.into_iter().partition(|o| {
            if o.is_suppression() {
                ask.to_suppressed
            } else {
                ask.anyway
            }
        });
        if !standing.is_empty() {
            return Err(DeskError::Against(standing));
        }
        let sender = self
            .settings
            .senders
            .iter()
            .find(|s| s.account == c.account_name)
            .ok_or_else(|| DeskError::NoAccount(c.account_name.clone()))?;
        let letter = Letter {
            draft: &draft,
            c: &c,
            t,
            sender,
            to,
        };
        let (mail, message_id, to, subject) =
            self.queue(tx, &letter, ask.to_suppressed, random, now)?;
        let why = match overruled.len() {
            0 => String::new(),
            _ => {
                let words: Vec<&str> = overruled.iter().map(Objection::word).collect();
                format!("although: {}", words.join(", "))
            }
        };
        let decision = Decision {
            state: DraftState::Approved,
            by: &ask.by,
            why: &why,
            mail: Some(mail),
        };
        tx.decide_draft(draft.id, &decision, now)?;
        tx.note_event(&NewEvent::changed(draft.campaign_lead_id, now))?;
        Ok(Approved {
            draft: draft.id,
            mail,
            to,
            subject,
            message_id,
            overruled,
            remarks,
        })
    }

    /// The rows of the mail: outbox, sent mail with its id, conversation.
    fn queue(
        &self,
        tx: &Tx<'_>,
        letter: &Letter<'_>,
        to_suppressed: bool,
        random: [u8; 16],
        now: UtcMs,
    ) -> Result<(OutboxId, String, String, String), DeskError> {
        let Letter {
            draft,
            c,
            t,
            sender,
            to,
        } = letter;
        let (parent, chain) = texts::threading(c);
        let ours = Ours {
            from_name: &sender.from_name,
            address: &sender.address,
            aliases: &sender.aliases,
        };
        let from = texts::from_address(c, t, ours);
        let parts = FurtherParts {
            reply_token: sender.reply_address == ReplyAddress::Auto
                && tx.reply_address_proven(c.account_id, &from.addr)?,
            ..FurtherParts::default()
        };
        let mail = compose::compose_with(
            &Draftable {
                kind: MailKind::Manual,
                job_id: Some(draft.job_id),
                round: tx.next_manual_round(draft.job_id)?,
                account_id: c.account_id,
                campaign_lead_id: Some(t.campaign_lead_id),
                by_person: true,
                from,
                to: to.clone(),
                reply_to: None,
                subject: &draft.subject,
                body: &draft.body,
                in_reply_to: parent,
                references: &chain,
                envelope_from: &sender.envelope_from,
                redirect_to: self.settings.redirect_to.as_deref(),
            },
            parts,
            &self.keys,
            random,
            now,
        )?;
        let outbox = match tx.enqueue_as(&mail, to_suppressed, now)? {
            Inserted::New(outbox) => outbox,
            Inserted::Duplicate(other) => {
                return Err(StoreError::Invalid(format!("Mail {other} answers it already")).into());
            }
        };
        let own_id = mail.rfc_message_id.clone();
        tx.insert_sent(
            &NewSent {
                campaign_lead_id: t.campaign_lead_id,
                kind: SentKind::Manual,
                subject: mail.subject.clone(),
                body: mail.body.clone(),
                sent_at: now,
                outbox_ref: Some(outbox),
                ids: vec![(own_id.clone(), IdSource::Own)],
            },
            &msgid::ref_hashes(&self.keys, &own_id),
            now,
        )?;
        tx.insert_conversation(&NewConversation {
            campaign_lead_id: t.campaign_lead_id,
            sender: Speaker::Agent,
            message: &mail.body,
            agent_tool_used: &draft.tool,
            email_message_id: &own_id,
            email_in_reply_to: parent.unwrap_or_default(),
            created_at: now,
            message_ref: None,
            outbox_ref: Some(outbox),
        })?;
        Ok((outbox, own_id, mail.envelope_to, mail.subject))
    }
}
