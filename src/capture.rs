//! From fetched bytes to rows: parse, judge, match and store, one transaction a batch.
//!
//! The transaction holds everything that follows from a message: its row with one disposition,
//! the match, the conversation, the reply job, and the cursor (invariant I1). It looks the
//! parents up inside itself, so an import that commits before it is seen, and one that commits
//! after it finds the stored references.

mod batch;
mod known;
mod opt_out;
mod rows;
mod scan;
mod sent;

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::{debug, info, warn};

pub use batch::{Arrived, Origin, Report};
pub use scan::{SCAN_CAMPAIGN, ScanReport};

use self::known::Known;
use self::rows::{content, ours};
use crate::auth_results;
use crate::config::{KeepRaw, Settings};
use crate::disposition;
use crate::faultpoint;
use crate::keys::Keys;
use crate::matcher::{self, Questions, Search};
use crate::mime::{self, Mail};
use crate::model::{Disposition, FolderRole, IdSource, MessageRowId, SenderAuth, address_key};
use crate::msgid;
use crate::nature::{self, Bounce, Judged, Ours};
use crate::store::{
    Asked, Content, Lookups, Matched, NewConversation, NewMessage, Reader, Speaker, Store,
    StoreError, Stored, Tx,
};
use crate::time::{self, UtcMs};
use crate::understand::{self, Understanding};
use crate::visible::Visible;

/// Up to this size a batch is parsed where it is; above, off the async threads.
const PARSE_INLINE_BYTES: usize = 32 * 1024;
/// Whether [`warm_up`] has ended; until then all is parsed off the async threads.
static WARM: AtomicBool = AtomicBool::new(false);
/// zstd's own default: measured 3 is half the time of 6 for a few per cent in size.
const ZSTD_LEVEL: i32 = 3;
/// A stored raw mail never unpacks to more (header and text prefix are fetched, not the rest).
const RAW_LIMIT: u64 = 8 * 1024 * 1024;

/// Compiles what reading a mail needs (some 0.2 s), so that the first one does not wait for it.
/// Blocking.
pub fn warm_up() {
    nature::warm_up();
    matcher::warm_up();
    WARM.store(true, Ordering::Release);
}

/// Parses, matches and stores; shared by every listener.
#[derive(Clone, Debug)]
pub struct Capture(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    store: Store,
    keys: Arc<Keys>,
    ours: Ours,
    keep_raw: KeepRaw,
}

/// A message understood, before anything is known of its parent.
struct Understood {
    arrived: Arrived,
    /// Our own code failed on it: it is set aside with its bytes.
    failed: bool,
    mail: Mail,
    judged: Judged,
    visible: Visible,
    questions: Questions,
    sender_key: String,
    message_key: String,
    content_digest: String,
    raw: Option<Vec<u8>>,
}

impl Capture {
    /// Builds it from the settings.
    #[must_use]
    pub fn new(store: Store, keys: Arc<Keys>, settings: &Settings) -> Self {
        Self(Arc::new(Parts {
            store,
            keys,
            ours: ours(settings),
            keep_raw: settings.store.keep_raw,
        }))
    }

    /// Stores a batch in one transaction; the returned report is what was committed.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another process reads the account now; otherwise what
    /// the store says. Nothing was written then.
    pub async fn commit(&self, origin: Origin, batch: Vec<Arrived>) -> Result<Report, StoreError> {
        if origin.role == FolderRole::Sent {
            return self.commit_sent(origin, batch).await;
        }
        let understood = self.understand(batch).await?;
        faultpoint::hit("capture.fetched");
        let this = self.clone();
        let report = self
            .0
            .store
            .write(move |tx| {
                if let Some(lease) = &origin.lease {
                    tx.check_lease(lease)?;
                }
                let lookups = this.look_up(tx, &understood)?;
                let now = time::now();
                let mut report = Report::default();
                for message in understood {
                    this.take_in(tx, &origin, message, &lookups, &mut report, now)?;
                }
                if let Some(cursor) = origin.cursor_uid {
                    tx.advance_cursor(origin.epoch.id, cursor)?;
                }
                faultpoint::hit("capture.before_commit");
                Ok::<_, StoreError>(report)
            })
            .await?;
        debug!(stored = report.processed, "committed");
        faultpoint::hit("capture.committed");
        Ok(report)
    }

    /// Matches a stored message anew after an import; `bytes` are the mail. Says whether it
    /// became a reply.
    ///
    /// # Errors
    /// What the store says.
    pub async fn adopt(
        &self,
        id: MessageRowId,
        origin: Origin,
        arrived: Arrived,
    ) -> Result<bool, StoreError> {
        let mut understood = self.understand(vec![arrived]).await?;
        let this = self.clone();
        let became = self
            .0
            .store
            .write(move |tx| {
                let now = time::now();
                if let Some(lease) = &origin.lease {
                    tx.check_lease(lease)?;
                }
                let lookups = this.look_up(tx, &understood)?;
                tx.end_refetch(id, false)?;
                let Some(message) = understood.pop() else {
                    return Ok(false);
                };
                let row = this.judge(tx, &origin, message, &lookups)?;
                if row.matched.is_none() && row.disposition != Disposition::Unmatched {
                    return Ok(false);
                }
                if !tx.adopt_message(id, &row)? {
                    return Ok(false);
                }
                tx.reopen_reply_job(id, now)?;
                Self::follow_up(tx, &row, id, now)?;
                faultpoint::hit("adopt.before_commit");
                Ok::<_, StoreError>(row.disposition.counts_as_reply())
            })
            .await?;
        faultpoint::hit("adopt.committed");
        Ok(became)
    }

    /// What today's rules say of a message that is stored already. Blocking: parses.
    ///
    /// # Errors
    /// What the store says.
    pub fn judge_again(
        &self,
        r: &Reader<'_>,
        origin: &Origin,
        arrived: Arrived,
    ) -> Result<NewMessage, StoreError> {
        let batch = [self.0.understand(arrived)];
        let lookups = self.look_up(r, &batch)?;
        let [message] = batch;
        self.judge(r, origin, message, &lookups)
    }

    /// The raw mail of a row that kept it.
    #[must_use]
    pub fn unpack(raw: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let decoder = zstd::stream::read::Decoder::new(raw).ok()?;
        decoder.take(RAW_LIMIT).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    async fn understand(&self, batch: Vec<Arrived>) -> Result<Vec<Understood>, StoreError> {
        let bytes: usize = batch.iter().map(|a| a.bytes.len()).sum();
        if bytes <= PARSE_INLINE_BYTES && WARM.load(Ordering::Acquire) {
            return Ok(batch.into_iter().map(|a| self.0.understand(a)).collect());
        }
        let parts = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || {
            batch.into_iter().map(|a| parts.understand(a)).collect()
        })
        .await
        .map_err(|e| StoreError::Panicked(e.to_string()))
    }

    /// What the matcher and the table may ask, for the whole batch.
    fn look_up(&self, tx: &Reader<'_>, batch: &[Understood]) -> Result<Lookups, StoreError> {
        let mut asked = Asked {
            since: matcher::subject_window(time::now()),
            ..Asked::default()
        };
        for Questions {
            ids,
            local_keys,
            payloads,
            addresses,
        } in batch.iter().map(|u| &u.questions)
        {
            asked
                .ids
                .extend(ids.iter().map(|id| id.as_str().to_owned()));
            asked.local_keys.extend(local_keys.iter().cloned());
            asked.payloads.extend(payloads.iter().cloned());
            asked.addresses.extend(addresses.iter().cloned());
        }
        let mut lookups = tx.lookups(&asked)?;
        opt_out::look_up(tx, batch, &mut lookups)?;
        Ok(lookups)
    }

    fn take_in(
        &self,
        tx: &Tx<'_>,
        origin: &Origin,
        message: Understood,
        lookups: &Lookups,
        report: &mut Report,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        let refers = !message.mail.in_reply_to.is_empty() || !message.mail.references.is_empty();
        let row = self.judge(tx, origin, message, lookups)?;
        match tx.insert_message(&row, now)? {
            Stored::KnownUid(_) => return Ok(()),
            Stored::SameMail(_) => {
                report.duplicates = report.duplicates.saturating_add(1);
            }
            Stored::New { id, duplicate_id } => {
                if duplicate_id {
                    warn!(
                        message_id = id.0,
                        "a Message-ID came again with other content: stored, never answered"
                    );
                }
                Self::follow_up(tx, &row, id, now)?;
                if row.disposition.counts_as_reply() {
                    report.new_replies = report.new_replies.saturating_add(1);
                } else if row.matched.is_none() {
                    let counter = if refers {
                        &mut report.skipped_no_match
                    } else {
                        &mut report.skipped_no_reply_header
                    };
                    *counter = counter.saturating_add(1);
                }
                info!(
                    message_id = id.0,
                    uid = row.uid,
                    disposition = row.disposition.as_str(),
                    nature = row.nature.as_str(),
                    campaign_lead = row.matched.as_ref().map(|m| m.campaign_lead_id.0),
                    source = row.source.as_str(),
                    "captured"
                );
            }
        }
        report.processed = report.processed.saturating_add(1);
        Ok(())
    }

    /// Decides what becomes of a message: the decision table over what the store knows.
    ///
    /// # Errors
    /// What the store says.
    fn judge(
        &self,
        r: &Reader<'_>,
        origin: &Origin,
        m: Understood,
        lookups: &Lookups,
    ) -> Result<NewMessage, StoreError> {
        let sender_is_lead = lookups.lead_addresses.contains(&m.sender_key);
        let decided = catch_unwind(AssertUnwindSafe(|| {
            let arrived = m.arrived.internal_date.unwrap_or(m.arrived.fetched_at);
            let known = Known::new(lookups, arrived);
            let (keys, ours) = (&self.0.keys, &self.0.ours);
            let auth = auth_results::read(&m.mail, &origin.authserv_ids).sender();
            let mut search: Search = matcher::search(&m.mail, &m.judged, keys, auth, &known);
            if let Some(found) = opt_out::found(&m, keys, lookups) {
                search.found = Some(found);
            }
            let (disposition, reasons) =
                disposition::decide(&m.mail, &m.judged, &search, sender_is_lead, ours);
            (search, disposition, reasons, auth)
        }));
        let (search, disposition, reasons, sender_auth) = match decided {
            Ok(decided) if !m.failed => decided,
            _ => (
                Search::default(),
                Disposition::Quarantined,
                vec!["reading it failed in replyd itself: please report it".to_owned()],
                SenderAuth::Unknown,
            ),
        };
        // What concerns nobody keeps hashes only (docs/DECISIONS.md "Identity").
        let concerns = !matches!(
            disposition,
            Disposition::Ignored | Disposition::OwnMail | Disposition::Internal
        );
        let keep_raw = match self.0.keep_raw {
            KeepRaw::All => true,
            KeepRaw::Leads => concerns && (search.found.is_some() || sender_is_lead),
            KeepRaw::None => false,
        } || disposition == Disposition::Quarantined;
        let visible = match &search.found {
            Some(found) if concerns => {
                let lead = found.sent.campaign_lead_id;
                without(m.visible, &r.sent_texts(lead, found.sent.sent_id)?)
            }
            _ => m.visible,
        };
        let mut evidence = m.judged.evidence.clone();
        evidence.extend(reasons);
        evidence.extend(search.looked_at.iter().filter(|_| concerns).cloned());
        let from_spam = origin.role == FolderRole::Junk;
        if from_spam && concerns {
            evidence.push(format!("from the spam folder; its sender: {sender_auth}"));
        }
        let fetched = u32::try_from(m.arrived.bytes.len()).unwrap_or(u32::MAX);
        Ok(NewMessage {
            account_id: origin.account_id,
            mailbox_id: origin.epoch.mailbox_id,
            uid_validity: origin.epoch.uid_validity,
            uid: m.arrived.uid,
            internal_date: m.arrived.internal_date.unwrap_or(m.arrived.fetched_at),
            size_bytes: m.arrived.size,
            skipped_bytes: m.arrived.size.saturating_sub(fetched),
            source: origin.source,
            old_mail: origin.is_old(&m.arrived),
            disposition,
            nature: m.judged.nature,
            marks_dead: m.judged.bounce.as_ref().and_then(Bounce::marks_dead),
            complained_of: nature::complained_of(&m.mail, &m.judged),
            accuses: nature::accuses(&m.mail),
            notice_bounced: disposition::notice_bounced(disposition, &m.judged, &search),
            evidence,
            message_key: m.message_key,
            content_digest: m.content_digest,
            sender_hash: if m.sender_key.is_empty() {
                String::new()
            } else {
                self.0.keys.hash(&m.sender_key)
            },
            ref_hashes: ref_hashes(&m.questions, &self.0.keys),
            matched: search.found.map(|found| Matched {
                campaign_lead_id: found.sent.campaign_lead_id,
                sent_id: found.sent.sent_id,
                method: found.method,
                confidence: found.confidence,
                sender_verified: found.sender_verified(),
                carries_token: found.carries_token,
                alias: search.alias.map(|id| {
                    let hash = self.0.keys.hash(id.as_str());
                    (id.to_string(), hash)
                }),
            }),
            from_spam,
            sender_auth,
            content: concerns.then(|| content(&m.mail, visible)),
            raw: if keep_raw { m.raw } else { None },
            announced_at: m.arrived.announced_at,
            fetched_at: m.arrived.fetched_at,
        })
    }

    /// What follows from a new message, in the same transaction.
    fn follow_up(
        tx: &Tx<'_>,
        row: &NewMessage,
        id: MessageRowId,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        Self::conversation_line(tx, id, row, now)?;
        if row.disposition == Disposition::OptOut
            && let Some(matched) = &row.matched
        {
            // At once: a mail that waits must not leave while the reply actor gets there.
            tx.suppress_lead_of(matched.campaign_lead_id, "unsubscribe", id, now)?;
        }
        if let Some(matched) = &row.matched
            && let Some((alias, hash)) = &matched.alias
        {
            tx.add_sent_id(matched.sent_id, alias, IdSource::Provider, hash, now)?;
        }
        tx.keep_complained_of(id, &row.complained_of)?;
        if row.notice_bounced {
            warn!(
                message_id = id.0,
                "a notice to sales came back: check reply.sales_email"
            );
            tx.note_notice_bounced(row.account_id, id, now)?;
        }
        if let Some(matched) = &row.matched
            && row.disposition == Disposition::Bounce
            && row.marks_dead == Some(false)
        {
            tx.count_soft_bounce(matched.campaign_lead_id, now)?;
        }
        // Bounces, vacation notices and complaints have consequences too, but no conversation;
        // a delay, a full mailbox or a receipt of delivery says nothing against the address.
        let has_consequences = match row.disposition {
            Disposition::Bounce => row.matched.is_some() && row.marks_dead == Some(true),
            Disposition::AutoReply => row.matched.is_some(),
            Disposition::Complaint => row.accuses,
            Disposition::Unmatched => true,
            other => row.matched.is_some() && other.counts_as_reply(),
        };
        // What the predecessor captured is never answered here; what it answered is done.
        let imported = tx.imported_line(id)?;
        if has_consequences && imported != Some(true) {
            tx.insert_reply_job(id, row.old_mail || imported.is_some(), now)?;
        }
        Ok(())
    }

    /// The line of the conversation that a reply is; none for other mail.
    ///
    /// # Errors
    /// What the store says.
    pub fn conversation_line(
        tx: &Tx<'_>,
        id: MessageRowId,
        row: &NewMessage,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        if let Some(matched) = &row.matched
            && row.disposition.counts_as_reply()
        {
            let empty = Content::default();
            let content = row.content.as_ref().unwrap_or(&empty);
            // A List-Unsubscribe mail has no text: its subject is what people read.
            let text = [&content.visible_text, &content.full_text, &content.subject]
                .into_iter()
                .find(|text| !text.is_empty())
                .unwrap_or(&content.subject);
            tx.insert_conversation(&NewConversation {
                campaign_lead_id: matched.campaign_lead_id,
                sender: Speaker::Customer,
                message: text,
                agent_tool_used: "",
                email_message_id: &row.message_key,
                email_in_reply_to: &content.in_reply_to,
                created_at: now,
                message_ref: Some(id),
                outbox_ref: None,
            })?;
        }
        Ok(())
    }
}

impl Parts {
    /// Reads a message. A panic of ours on it must not stop the mailbox (invariant I8): it is
    /// set aside with its bytes.
    fn understand(&self, arrived: Arrived) -> Understood {
        let Understanding {
            mail,
            judged,
            visible,
            failed,
        } = understand::message(&arrived.bytes, &self.ours, &self.keys);
        let questions = matcher::questions(&mail, &judged);
        let sender_key = mail
            .from
            .as_ref()
            .map(|a| address_key(&a.addr))
            .unwrap_or_default();
        // Without a Message-ID the header without its trace fields names the mail, so that the
        // same mail at the next poll or in another folder is the same.
        let message_key = mail.message_id.as_ref().map_or_else(
            || {
                let header = String::from_utf8_lossy(&mail.header_digest_input);
                format!("digest:{}", self.keys.hash(&header))
            },
            |id| id.as_str().to_owned(),
        );
        let content_digest = self.keys.hash(&mime::content_digest_input(&mail));
        let raw = if self.keep_raw == KeepRaw::None && !failed {
            None
        } else {
            match zstd::bulk::compress(&arrived.bytes, ZSTD_LEVEL) {
                Ok(raw) => Some(raw),
                Err(e) => {
                    warn!(
                        uid = arrived.uid,
                        "a raw mail could not be packed and is not kept: {e}"
                    );
                    None
                }
            }
        };
        Understood {
            arrived,
            failed,
            mail,
            judged,
            visible,
            questions,
            sender_key,
            message_key,
            content_digest,
            raw,
        }
    }
}

/// Takes out what we wrote ourselves. A failure of ours in it must not stop the transaction
/// (invariant I8): then the text stays as it was, and is not sure.
fn without(visible: Visible, sent: &[String]) -> Visible {
    let ours: Vec<&str> = sent.iter().map(String::as_str).collect();
    let cut = catch_unwind(AssertUnwindSafe(|| visible.clone().without(&ours)));
    cut.unwrap_or_else(|_| {
        let mut visible = visible;
        visible.sure = false;
        visible
    })
}

/// Keyed hashes by which a later import finds the mail: of its ids, and of what is left of them
/// where their domain was changed.
fn ref_hashes(questions: &Questions, keys: &Keys) -> Vec<String> {
    let mut hashes: Vec<String> = Vec::new();
    for id in &questions.ids {
        hashes.extend(msgid::ref_hashes(keys, id.as_str()));
    }
    hashes.dedup();
    hashes
}
