//! The Sent folder: what people and other programs sent from the account, and copies of our own
//! mails. Nothing here is a reply. A person's mail in a thread hands that thread to people.
//!
//! | a mail in the Sent folder | what is done |
//! | --- | --- |
//! | bears our signed id | settles `unknown`, teaches a changed Message-ID, shows who files |
//! | its Message-ID is known (imported, scanned) | nothing |
//! | from a lead (moved there), or to nobody that we know | nothing |
//! | a person's, in a known thread or to a lead with an open conversation | line of the conversation, known for matching, automation ends there |
//! | a person's, to a lead with whom nothing was said yet | known for matching |
//! | a program's, to a lead | known for matching |

use std::collections::HashSet;

use tracing::info;

use super::batch::{Arrived, Origin, Report};
use super::{Capture, Parts, Understood};
use crate::faultpoint;
use crate::model::{
    AccountId, Address, CampaignLeadId, CaptureSource, Disposition, MessageRowId, Nature, SentKind,
};
use crate::msgid::{self, MsgId, OWN_ID_FIELD};
use crate::nature::{self, Ours};
use crate::store::{CopyTold, NewMessage, OwnCopy, PersonMail, StoreError, Stored, TakenOver, Tx};
use crate::time::{self, UtcMs};

/// Bytes of a text that are kept of a mail in the Sent folder.
const MAX_TEXT_BYTES: usize = 64 * 1024;
/// Exchange keeps the Message-ID that it replaced here.
const EXCHANGE_ID_FIELD: &str = "x-microsoft-original-message-id";

/// A mail of the Sent folder, understood.
pub(super) struct Letter<'m> {
    pub(super) mail: &'m Understood,
    /// Its Message-ID with its keyed hash.
    pub(super) id: Option<(String, String)>,
    /// What was newly written.
    pub(super) text: &'m str,
    /// When the server filed it.
    pub(super) sent_at: UtcMs,
    /// Keys of all recipients.
    pub(super) recipients: Vec<String>,
    /// The signed part of our own id, when it bears one.
    pub(super) own: Option<String>,
    /// No sign of a machine.
    pub(super) by_person: bool,
}

/// What a person's or a program's mail is to us.
#[derive(Debug, PartialEq, Eq)]
enum What {
    /// A person's, in these threads; the first has it as its mail if `record`.
    Person {
        threads: Vec<CampaignLeadId>,
        record: bool,
    },
    /// To be known for matching.
    Known(CampaignLeadId),
    /// Concerns nobody.
    Nothing,
}

impl Capture {
    /// Stores a batch of the Sent folder in one transaction.
    pub(super) async fn commit_sent(
        &self,
        origin: Origin,
        batch: Vec<Arrived>,
    ) -> Result<Report, StoreError> {
        let understood = self.understand(batch).await?;
        let this = self.clone();
        let report = self
            .0
            .store
            .write(move |tx| {
                if let Some(lease) = &origin.lease {
                    tx.check_lease(lease)?;
                }
                let now = time::now();
                let mut report = Report::default();
                for message in &understood {
                    this.0
                        .take_in_sent(tx, &origin, message, &mut report, now)?;
                }
                if let Some(cursor) = origin.cursor_uid {
                    tx.advance_cursor(origin.epoch.id, cursor)?;
                }
                faultpoint::hit("sent.before_commit");
                Ok::<_, StoreError>(report)
            })
            .await?;
        faultpoint::hit("sent.committed");
        Ok(report)
    }
}

impl Parts {
    pub(super) fn letter<'m>(&self, m: &'m Understood) -> Letter<'m> {
        let mail = &m.mail;
        let id = mail.message_id.as_ref().map(|id| {
            let hash = self.keys.hash(id.as_str());
            (id.as_str().to_owned(), hash)
        });
        let named = [
            OWN_ID_FIELD.to_ascii_lowercase().as_str(),
            EXCHANGE_ID_FIELD,
        ]
        .iter()
        .filter_map(|field| mail.header(field).and_then(MsgId::parse))
        .chain(mail.message_id.clone())
        .find_map(|id| msgid::own_token(&self.keys, &id));
        let mut recipients: Vec<String> = [&mail.to, &mail.cc, &mail.bcc]
            .into_iter()
            .flatten()
            .map(Address::key)
            .filter(|key| !key.is_empty())
            .collect();
        let mut seen = HashSet::new();
        recipients.retain(|key| seen.insert(key.clone()));
        // Of a mail in the Sent folder it says nothing that From is ours.
        let judged = nature::judge(mail, &Ours::default(), &self.keys);
        let by_person = !judged.weak_signs
            && matches!(
                judged.nature,
                Nature::Human | Nature::Calendar | Nature::Unreadable
            );
        let text = if m.visible.new_text.trim().is_empty() {
            &mail.text
        } else {
            &m.visible.new_text
        };
        Letter {
            mail: m,
            id,
            text: prefix(text, MAX_TEXT_BYTES),
            sent_at: m.arrived.internal_date.unwrap_or(m.arrived.fetched_at),
            recipients,
            own: named,
            by_person,
        }
    }

    fn take_in_sent(
        &self,
        tx: &Tx<'_>,
        origin: &Origin,
        m: &Understood,
        report: &mut Report,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        let letter = self.letter(m);
        let (row, fresh) = match tx.insert_message(&sent_row(origin, &letter), now)? {
            Stored::KnownUid(_) => return Ok(()),
            Stored::SameMail(row) => (row, false),
            Stored::New { id, .. } => (id, true),
        };
        report.sent_seen = report.sent_seen.saturating_add(1);
        if letter.own.is_some() {
            let counted = origin.source != CaptureSource::NewEpoch;
            self.own_copy(
                tx,
                origin.account_id,
                &origin.smtp_host,
                &letter,
                counted,
                now,
            )?;
            return Ok(());
        }
        // Without an id only the row tells that it was dealt with.
        if !fresh && letter.id.is_none() {
            return Ok(());
        }
        match self.what(tx, origin.account_id, &letter)? {
            What::Nothing => {}
            What::Known(thread) => {
                let found =
                    tx.record_found(thread, SentKind::Campaign, &letter.as_mail(None), now)?;
                if let Some(sent) = found {
                    tx.link_sent_row(row, thread, Some(sent.id))?;
                }
            }
            What::Person { threads, record } => {
                report.persons_mails = report.persons_mails.saturating_add(1);
                let done = hand_over(tx, &letter, &threads, record, Some(row), now)?;
                info!(
                    message_id = row.0,
                    campaign_lead = threads.first().map(|t| t.0),
                    withdrawn = done.withdrawn.len(),
                    drafts_closed = done.drafts,
                    "a person wrote in a thread: people have it from now on"
                );
            }
        }
        Ok(())
    }

    /// What the folder's copy of a mail of ours tells.
    pub(super) fn own_copy(
        &self,
        tx: &Tx<'_>,
        account: AccountId,
        host: &str,
        letter: &Letter<'_>,
        counted: bool,
        now: UtcMs,
    ) -> Result<CopyTold, StoreError> {
        let Some(token) = &letter.own else {
            return Ok(CopyTold::default());
        };
        let bears = letter.id.as_ref();
        let told = tx.note_own_copy(
            &OwnCopy {
                token,
                bears: bears.map(|(id, hash)| (id.as_str(), hash.as_str())),
                account,
                host,
                counted,
            },
            now,
        )?;
        if let Some(mail) = told.mail.filter(|_| told.settled) {
            info!(%mail, "its copy lies in the Sent folder: it was sent");
        }
        if let Some(mail) = told.mail.filter(|_| told.taught) {
            info!(%mail, "its Message-ID was changed on the way: the new one is known");
        }
        Ok(told)
    }

    /// What a mail that is not ours is to us while the folder is watched.
    fn what(
        &self,
        tx: &Tx<'_>,
        account: AccountId,
        letter: &Letter<'_>,
    ) -> Result<What, StoreError> {
        if self.is_foreign(tx, letter)? {
            return Ok(What::Nothing);
        }
        let continues = tx.thread_of_ids(account, letter.ids())?;
        let mut with = Vec::new();
        for key in &letter.recipients {
            with.extend(tx.threads_with(key)?);
        }
        let first = with.first().map(|t| t.campaign_lead_id);
        let thread = continues.map(|c| c.campaign_lead_id);
        if !letter.by_person {
            return Ok(thread.or(first).map_or(What::Nothing, What::Known));
        }
        let open = with.iter().filter(|t| t.open).map(|t| t.campaign_lead_id);
        let mut threads: Vec<CampaignLeadId> = thread.into_iter().collect();
        for id in open {
            if !threads.contains(&id) {
                threads.push(id);
            }
        }
        if threads.is_empty() {
            return Ok(first.map_or(What::Nothing, What::Known));
        }
        // Who forwards a reply to a colleague deals with it, but says nothing to the lead.
        let record = match thread {
            Some(thread) => {
                tx.is_in_thread(thread, &letter.recipients)? || !self.all_ours(&letter.recipients)
            }
            None => true,
        };
        Ok(What::Person { threads, record })
    }

    /// Known already, or a lead's own mail that somebody moved here.
    pub(super) fn is_foreign(&self, tx: &Tx<'_>, letter: &Letter<'_>) -> Result<bool, StoreError> {
        if let Some((id, _)) = &letter.id
            && (tx.sent_by_id(id)?.is_some() || tx.is_notice_id(id)?)
        {
            return Ok(true);
        }
        let from = letter.mail.mail.from_key();
        Ok(!from.is_empty()
            && !self.ours.addresses.contains(&from)
            && !self.ours.sales.contains(&from)
            && tx.is_lead_address(&from)?)
    }

    pub(super) fn all_ours(&self, keys: &[String]) -> bool {
        keys.iter().all(|key| {
            self.ours.addresses.contains(key)
                || self.ours.sales.contains(key)
                || self.ours.operators.contains(key)
        })
    }
}

impl Letter<'_> {
    /// The ids that it refers to, in the order in which they count: In-Reply-To, then References
    /// from the right.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        let mail = &self.mail.mail;
        mail.in_reply_to
            .iter()
            .chain(mail.references.iter().rev())
            .map(MsgId::as_str)
    }

    /// Whether it says that it answers something.
    pub(super) fn refers(&self) -> bool {
        self.ids().next().is_some()
    }

    pub(super) fn as_mail(&self, message: Option<MessageRowId>) -> PersonMail<'_> {
        PersonMail {
            id: self
                .id
                .as_ref()
                .map(|(id, hash)| (id.as_str(), hash.as_str())),
            subject: &self.mail.mail.subject,
            text: self.text,
            in_reply_to: self.ids().next().unwrap_or_default(),
            sent_at: self.sent_at,
            message,
        }
    }
}

/// A person has these threads from now on; the mail belongs to the first.
pub(super) fn hand_over(
    tx: &Tx<'_>,
    letter: &Letter<'_>,
    threads: &[CampaignLeadId],
    record: bool,
    row: Option<MessageRowId>,
    now: UtcMs,
) -> Result<TakenOver, StoreError> {
    let mut all = TakenOver::default();
    for (n, thread) in threads.iter().enumerate() {
        // One row and one id have one conversation; the others get their line without them.
        let first = n == 0;
        if first {
            let sent = if record {
                tx.record_found(*thread, SentKind::Manual, &letter.as_mail(row), now)?
            } else {
                None
            };
            if let Some(row) = row {
                tx.link_sent_row(row, *thread, sent.map(|s| s.id))?;
            }
        }
        if record || !first {
            tx.add_persons_line(*thread, &letter.as_mail(row.filter(|_| first)))?;
        }
        let done = tx.take_over(*thread, letter.sent_at, now)?;
        all.withdrawn.extend(done.withdrawn);
        all.drafts = all.drafts.saturating_add(done.drafts);
        all.reopened = all.reopened.saturating_add(done.reopened);
    }
    Ok(all)
}

/// Its row: key, dates and digest only. It is found by nothing else, and an import of a lead
/// must not bring it back as that lead's mail.
fn sent_row(origin: &Origin, letter: &Letter<'_>) -> NewMessage {
    let m = letter.mail;
    let nature = if letter.by_person {
        Nature::Human
    } else if letter.own.is_some() {
        Nature::Own
    } else {
        Nature::Automatic
    };
    let fetched = u32::try_from(m.arrived.bytes.len()).unwrap_or(u32::MAX);
    NewMessage {
        account_id: origin.account_id,
        mailbox_id: origin.epoch.mailbox_id,
        uid_validity: origin.epoch.uid_validity,
        uid: m.arrived.uid,
        internal_date: letter.sent_at,
        size_bytes: m.arrived.size,
        skipped_bytes: m.arrived.size.saturating_sub(fetched),
        source: origin.source,
        old_mail: true,
        disposition: Disposition::OwnMail,
        nature,
        marks_dead: None,
        complained_of: Vec::new(),
        accuses: false,
        notice_bounced: false,
        evidence: vec!["in the Sent folder".to_owned()],
        message_key: m.message_key.clone(),
        content_digest: m.content_digest.clone(),
        sender_hash: String::new(),
        ref_hashes: Vec::new(),
        matched: None,
        from_spam: false,
        sender_auth: crate::model::SenderAuth::Unknown,
        content: None,
        raw: None,
        announced_at: m.arrived.announced_at,
        fetched_at: m.arrived.fetched_at,
    }
}

/// At most `bytes` bytes of a text.
fn prefix(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}
