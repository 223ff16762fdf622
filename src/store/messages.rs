//! Captured messages: one row a UID, with exactly one disposition (invariant I1), and what an
//! import later needs to find those that answer a mail that was not known yet.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, params};

use super::{Reader, StoreError, Tx};
use crate::model::{
    AccountId, CampaignLeadId, CaptureSource, Disposition, MailboxId, MatchMethod, MessageRowId,
    Nature, SenderAuth, SentId,
};
use crate::time::UtcMs;

/// A message to be stored.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Whose mailbox.
    pub account_id: AccountId,
    /// Which mailbox.
    pub mailbox_id: MailboxId,
    /// Its UIDVALIDITY.
    pub uid_validity: u32,
    /// The UID.
    pub uid: u32,
    /// The server's INTERNALDATE.
    pub internal_date: UtcMs,
    /// RFC822.SIZE in bytes.
    pub size_bytes: u32,
    /// Bytes that were not fetched.
    pub skipped_bytes: u32,
    /// How it came to be captured.
    pub source: CaptureSource,
    /// Never answered automatically.
    pub old_mail: bool,
    /// What becomes of it.
    pub disposition: Disposition,
    /// What kind of mail it is.
    pub nature: Nature,
    /// For a bounce: whether it marks the address dead, or counts as a soft one.
    pub marks_dead: Option<bool>,
    /// For an abuse report: the address keys that it names.
    pub complained_of: Vec<String>,
    /// Of an abuse report: whether it accuses; one that does not has no consequences.
    pub accuses: bool,
    /// A delivery report that says that a notice to sales did not arrive.
    pub notice_bounced: bool,
    /// What decided both.
    pub evidence: Vec<String>,
    /// Canonical Message-ID, or `digest:` and a digest of the header.
    pub message_key: String,
    /// Keyed digest of From, Date, Subject and text.
    pub content_digest: String,
    /// Keyed hash of the sender's address key; empty when there is none.
    pub sender_hash: String,
    /// Keyed hashes of the ids that it refers to; kept only while it is not matched.
    pub ref_hashes: Vec<String>,
    /// The match.
    pub matched: Option<Matched>,
    /// It was captured in the spam folder.
    pub from_spam: bool,
    /// What our own server says of its sender.
    pub sender_auth: SenderAuth,
    /// Text and addresses; none for what concerns nobody.
    pub content: Option<Content>,
    /// The raw mail, zstd; none when not kept.
    pub raw: Option<Vec<u8>>,
    /// When EXISTS was seen.
    pub announced_at: Option<UtcMs>,
    /// When its bytes were here.
    pub fetched_at: UtcMs,
}

/// The match of a message.
#[derive(Clone, Debug)]
pub struct Matched {
    /// The conversation.
    pub campaign_lead_id: CampaignLeadId,
    /// The mail that it answers.
    pub sent_id: SentId,
    /// By which rung of the ladder.
    pub method: MatchMethod,
    /// 0..1.
    pub confidence: f64,
    /// Whether the sender is the lead.
    pub sender_verified: bool,
    /// Whether the mail carries a signed token of a mail to this lead.
    pub carries_token: bool,
    /// Another Message-ID of the sent mail, and its keyed hash: to be known from now on.
    pub alias: Option<(String, String)>,
}

/// What people read of a message.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// Sender's address as written.
    pub from_address: String,
    /// Sender's display name.
    pub from_name: String,
    /// Recipients, comma between them.
    pub to_addresses: String,
    /// Subject, decoded.
    pub subject: String,
    /// The Date header.
    pub sent_date: Option<UtcMs>,
    /// In-Reply-To, canonical, blank between ids.
    pub in_reply_to: String,
    /// References, canonical, blank between ids.
    pub reference_ids: String,
    /// The whole text.
    pub full_text: String,
    /// What the sender newly wrote.
    pub visible_text: String,
    /// Whether the cut between new and quoted is certain.
    pub visible_sure: bool,
    /// Nothing in it is new: all of it is quoted.
    pub visible_quoted: bool,
    /// Attachments as JSON.
    pub attachments: String,
    /// Oddities as JSON.
    pub malformed: String,
}

/// What became of an insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// A new row; `duplicate_id` when its Message-ID was seen before with other content.
    New {
        /// The row.
        id: MessageRowId,
        /// Same Message-ID, other content: never answered automatically.
        duplicate_id: bool,
    },
    /// The same mail is stored from another folder or epoch: this UID is a `duplicate` row.
    SameMail(MessageRowId),
    /// This UID has its row already.
    KnownUid(MessageRowId),
}

/// Where a message lies on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The mailbox.
    pub mailbox: String,
    /// The epoch of its UID.
    pub uid_validity: u32,
    /// The UID.
    pub uid: u32,
}

/// A message that a later import made matchable.
#[derive(Clone, Debug)]
pub struct Refetch {
    /// Its row.
    pub message_id: MessageRowId,
    /// Where it was seen first.
    pub place: Place,
    /// Tries so far.
    pub tries: u32,
    /// INTERNALDATE as stored.
    pub internal_date: UtcMs,
    /// Size as stored.
    pub size_bytes: u32,
    /// The raw mail where it was kept (zstd): no need to ask the server.
    pub raw: Option<Vec<u8>>,
}

impl Reader<'_> {
    /// The UIDs of `from..=to` that have a row.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn known_uids(
        &self,
        mailbox: MailboxId,
        uid_validity: u32,
        from: u32,
        to: u32,
    ) -> Result<HashSet<u32>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT uid FROM messages WHERE mailbox_id = ?1 AND uid_validity = ?2 AND uid BETWEEN ?3 AND ?4",
        )?;
        let uids =
            statement.query_map(params![mailbox.0, uid_validity, from, to], |row| row.get(0))?;
        Ok(uids.collect::<Result<_, _>>()?)
    }

    /// How many messages have each disposition.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn disposition_counts(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT disposition, count(*) FROM messages GROUP BY disposition ORDER BY disposition",
        )?;
        let rows = statement.query_map([], |row| {
            let n: i64 = row.get(1)?;
            Ok((row.get(0)?, u64::try_from(n).unwrap_or(0)))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Messages of an account that an import made matchable, oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn refetches(&self, account: AccountId, limit: u32) -> Result<Vec<Refetch>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT m.id, b.name, m.uid_validity, m.uid, m.internal_date, m.size_bytes, m.raw, r.tries \
             FROM refetch r JOIN messages m ON m.id = r.message_id \
             JOIN mailboxes b ON b.id = m.mailbox_id \
             WHERE r.account_id = ?1 ORDER BY r.message_id LIMIT ?2",
        )?;
        let rows = statement.query_map(params![account.0, limit], |row| {
            Ok(Refetch {
                message_id: MessageRowId(row.get(0)?),
                place: Place {
                    mailbox: row.get(1)?,
                    uid_validity: row.get(2)?,
                    uid: row.get(3)?,
                },
                tries: row.get(7)?,
                internal_date: UtcMs(row.get(4)?),
                size_bytes: row.get(5)?,
                raw: row.get(6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Reader<'_> {
    /// Where the same mail was seen again: another folder, or after a new UIDVALIDITY.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn places_of_duplicates(&self, of: MessageRowId) -> Result<Vec<Place>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT b.name, d.uid_validity, d.uid FROM messages m \
             JOIN messages d ON d.account_id = m.account_id AND d.message_key = m.message_key \
             JOIN mailboxes b ON b.id = d.mailbox_id \
             WHERE m.id = ?1 AND d.duplicate_of = ?1 ORDER BY d.id DESC LIMIT 10",
        )?;
        let rows = statement.query_map([of.0], |row| {
            Ok(Place {
                mailbox: row.get(0)?,
                uid_validity: row.get(1)?,
                uid: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Tx<'_> {
    /// Books a try of a refetch before it is made.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn book_refetch(&self, id: MessageRowId) -> Result<(), StoreError> {
        self.conn
            .prepare_cached("UPDATE refetch SET tries = tries + 1 WHERE message_id = ?1")?
            .execute([id.0])?;
        Ok(())
    }

    /// Stores a message, or says that it is there already. Never makes a second row for a UID,
    /// nor a second row that counts for one mail (docs/DECISIONS.md "Identity").
    ///
    /// # Errors
    /// What SQLite says.
    pub fn insert_message(&self, m: &NewMessage, now: UtcMs) -> Result<Stored, StoreError> {
        let known = self
            .conn
            .prepare_cached(
                "SELECT id FROM messages WHERE mailbox_id = ?1 AND uid_validity = ?2 AND uid = ?3",
            )?
            .query_row(params![m.mailbox_id.0, m.uid_validity, m.uid], |row| {
                row.get(0)
            })
            .optional()?;
        if let Some(id) = known.map(MessageRowId) {
            // A row that only says that the message could not be had gives way to the message.
            if !self.give_way(id)? {
                return Ok(Stored::KnownUid(id));
            }
        }
        let (same, other) = self.same_mail(m)?;
        if let Some(of) = same {
            self.insert_row(
                &NewMessage {
                    disposition: Disposition::Duplicate,
                    ..bare(m)
                },
                Some(of),
                false,
                now,
            )?;
            return Ok(Stored::SameMail(of));
        }
        let id = self.insert_row(m, None, other, now)?;
        self.keep_refs(id, m)?;
        self.note_bounce(id, m, now)?;
        Ok(Stored::New {
            id,
            duplicate_id: other,
        })
    }

    /// The row of the same mail, and whether the same Message-ID came with other content.
    fn same_mail(&self, m: &NewMessage) -> Result<(Option<MessageRowId>, bool), StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, content_digest FROM messages WHERE account_id = ?1 AND message_key = ?2 \
             AND duplicate_of IS NULL AND disposition NOT IN ('vanished', 'quarantined') ORDER BY id",
        )?;
        let mut rows = statement.query(params![m.account_id.0, m.message_key])?;
        let mut other = false;
        while let Some(row) = rows.next()? {
            if row.get::<_, String>(1)? == m.content_digest {
                return Ok((Some(MessageRowId(row.get(0)?)), false));
            }
            other = true;
        }
        Ok((None, other))
    }

    fn insert_row(
        &self,
        m: &NewMessage,
        duplicate_of: Option<MessageRowId>,
        duplicate_id: bool,
        now: UtcMs,
    ) -> Result<MessageRowId, StoreError> {
        let content = m.content.clone().unwrap_or_default();
        self.conn
            .prepare_cached(
                "INSERT INTO messages (account_id, mailbox_id, uid_validity, uid, internal_date, stored_at, \
                    size_bytes, skipped_bytes, source, disposition, nature, evidence, message_key, \
                    content_digest, duplicate_of, duplicate_id, sender_hash, campaign_lead_id, \
                    matched_sent_id, match_method, match_confidence, sender_verified, from_address, \
                    from_name, to_addresses, subject, sent_date, in_reply_to, reference_ids, full_text, \
                    visible_text, visible_sure, attachments, malformed, raw, announced_at, fetched_at, carries_token, \
                    from_spam, sender_auth, visible_quoted) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, \
                    ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, ?40, ?41)",
            )?
            .execute(params![
                m.account_id.0,
                m.mailbox_id.0,
                m.uid_validity,
                m.uid,
                m.internal_date.0,
                now.0,
                m.size_bytes,
                m.skipped_bytes,
                m.source.as_str(),
                m.disposition.as_str(),
                m.nature.as_str(),
                json(&m.evidence),
                m.message_key,
                m.content_digest,
                duplicate_of.map(|d| d.0),
                duplicate_id,
                m.sender_hash,
                m.matched.as_ref().map(|x| x.campaign_lead_id.0),
                m.matched.as_ref().map(|x| x.sent_id.0),
                m.matched.as_ref().map_or("", |x| x.method.as_str()),
                m.matched.as_ref().map_or(0.0, |x| x.confidence),
                m.matched.as_ref().is_some_and(|x| x.sender_verified),
                content.from_address,
                content.from_name,
                content.to_addresses,
                content.subject,
                content.sent_date.map(|d| d.0),
                content.in_reply_to,
                content.reference_ids,
                content.full_text,
                content.visible_text,
                content.visible_sure,
                or_list(content.attachments),
                or_list(content.malformed),
                m.raw,
                m.announced_at.map(|t| t.0),
                m.fetched_at.0,
                m.matched.as_ref().is_some_and(|x| x.carries_token),
                m.from_spam,
                m.sender_auth.as_str(),
                content.visible_quoted,
            ])?;
        Ok(MessageRowId(self.conn.last_insert_rowid()))
    }

    fn keep_refs(&self, id: MessageRowId, m: &NewMessage) -> Result<(), StoreError> {
        if m.matched.is_some() {
            return Ok(());
        }
        let mut statement = self.conn.prepare_cached(
            "INSERT OR IGNORE INTO message_refs (ref_hash, message_id) VALUES (?1, ?2)",
        )?;
        for hash in &m.ref_hashes {
            statement.execute(params![hash, id.0])?;
        }
        Ok(())
    }

    /// Takes a message in that was stored before its parent was known: the row gets its match
    /// and contents. Says whether it did; false when it was matched meanwhile.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn adopt_message(&self, id: MessageRowId, m: &NewMessage) -> Result<bool, StoreError> {
        let content = m.content.clone().unwrap_or_default();
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE messages SET disposition = ?2, nature = ?3, evidence = ?4, source = ?5, \
                    campaign_lead_id = ?6, matched_sent_id = ?7, match_method = ?8, match_confidence = ?9, \
                    sender_verified = ?10, from_address = ?11, from_name = ?12, to_addresses = ?13, \
                    subject = ?14, sent_date = ?15, in_reply_to = ?16, reference_ids = ?17, full_text = ?18, \
                    visible_text = ?19, visible_sure = ?20, attachments = ?21, malformed = ?22, \
                    raw = coalesce(?23, raw), carries_token = ?24, sender_auth = ?25, visible_quoted = ?26 \
                 WHERE id = ?1 AND campaign_lead_id IS NULL \
                 AND disposition IN ('ignored', 'unmatched', 'bounce', 'auto_reply', 'receipt', 'complaint')",
            )?
            .execute(params![
                id.0,
                m.disposition.as_str(),
                m.nature.as_str(),
                json(&m.evidence),
                m.source.as_str(),
                m.matched.as_ref().map(|x| x.campaign_lead_id.0),
                m.matched.as_ref().map(|x| x.sent_id.0),
                m.matched.as_ref().map_or("", |x| x.method.as_str()),
                m.matched.as_ref().map_or(0.0, |x| x.confidence),
                m.matched.as_ref().is_some_and(|x| x.sender_verified),
                content.from_address,
                content.from_name,
                content.to_addresses,
                content.subject,
                content.sent_date.map(|d| d.0),
                content.in_reply_to,
                content.reference_ids,
                content.full_text,
                content.visible_text,
                content.visible_sure,
                or_list(content.attachments),
                or_list(content.malformed),
                m.raw,
                m.matched.as_ref().is_some_and(|x| x.carries_token),
                m.sender_auth.as_str(),
                content.visible_quoted,
            ])?;
        if changed == 1 && m.matched.is_some() {
            self.conn
                .prepare_cached("DELETE FROM message_refs WHERE message_id = ?1")?
                .execute([id.0])?;
            self.note_bounce(id, m, m.fetched_at)?;
        }
        Ok(changed == 1)
    }

    /// Ends a refetch: done, or `gone` when the server no longer has the message, which the
    /// row then says.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn end_refetch(&self, id: MessageRowId, gone: bool) -> Result<(), StoreError> {
        if gone {
            self.conn
                .prepare_cached(
                    "UPDATE messages SET evidence = json_insert(evidence, '$[#]', \
                     'matches a later import, but the server no longer has it') WHERE id = ?1",
                )?
                .execute([id.0])?;
        }
        self.conn
            .prepare_cached("DELETE FROM refetch WHERE message_id = ?1")?
            .execute([id.0])?;
        Ok(())
    }

    /// Records UIDs that the server announced but never delivered.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn insert_vanished(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uid_validity: u32,
        uid: u32,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO messages (account_id, mailbox_id, uid_validity, uid, internal_date, stored_at, \
                    size_bytes, source, disposition, message_key, content_digest, fetch_tries) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?5, 0, 'live', 'vanished', '', '', 5) \
                 ON CONFLICT (mailbox_id, uid_validity, uid) DO NOTHING",
            )?
            .execute(params![account.0, mailbox.0, uid_validity, uid, now.0])?;
        Ok(())
    }

    /// Drops raw mails stored before `before`, at most `limit` a call; says how many.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn expire_raw(&self, before: UtcMs, limit: u32) -> Result<usize, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "UPDATE messages SET raw = NULL WHERE id IN \
                 (SELECT id FROM messages WHERE raw IS NOT NULL AND stored_at < ?1 LIMIT ?2)",
            )?
            .execute(params![before.0, limit])?)
    }
}

/// The message without what only its first row keeps.
fn bare(m: &NewMessage) -> NewMessage {
    NewMessage {
        content: None,
        raw: None,
        matched: None,
        ref_hashes: Vec::new(),
        ..m.clone()
    }
}

fn json(list: &[String]) -> String {
    serde_json::to_string(list).unwrap_or_else(|_| "[]".to_owned())
}

fn or_list(text: String) -> String {
    if text.is_empty() {
        "[]".to_owned()
    } else {
        text
    }
}
