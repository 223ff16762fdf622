//! Attachments of captured mails: what is listed, and where the mail lies that has them.

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::super::{Reader, StoreError, Tx};
use crate::model::{Access, AccountId, MessageRowId};

/// A file of a mail; its bytes lie in the mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AttachmentItem {
    /// Its number, from 0.
    #[serde(default)]
    pub n: usize,
    /// File name, decoded; empty when it has none.
    #[serde(default)]
    pub name: String,
    /// `type/subtype` in lower case, as the mail says.
    #[serde(rename = "type", default)]
    pub content_type: String,
    /// Decoded size in bytes, estimated from the encoded one.
    #[serde(default)]
    pub size: u64,
    /// The mail was read to its end for it: of a long mail only the beginning was read when it
    /// came, where the last file may be larger, and further ones may follow.
    #[serde(default)]
    pub exact: bool,
}

/// A captured mail's files, and where it lay when it was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMail {
    /// The row.
    pub message: MessageRowId,
    /// The account.
    pub account: AccountId,
    /// The folder, UTF-8.
    pub mailbox: String,
    /// Its UIDVALIDITY then.
    pub uid_validity: u32,
    /// The mail's UID.
    pub uid: u32,
    /// Canonical Message-ID; none: it has none.
    pub message_id: Option<String>,
    /// Further folders of the account that were ever read.
    pub others: Vec<String>,
    /// Its files, as far as they are known.
    pub attachments: Vec<AttachmentItem>,
    /// All of them are known.
    pub is_complete: bool,
}

/// The stored list; `skipped`: bytes of the mail that were not read when it came.
pub(super) fn listed(json: &str, skipped: i64) -> (Vec<AttachmentItem>, bool) {
    let mut items: Vec<AttachmentItem> = serde_json::from_str(json).unwrap_or_default();
    for (n, item) in items.iter_mut().enumerate() {
        item.n = n;
        item.exact |= skipped == 0;
    }
    let complete = skipped == 0 || !items.is_empty() && items.iter().all(|i| i.exact);
    (items, complete)
}

impl Reader<'_> {
    /// A captured mail's files and its place; none: there is no such mail, or it is somebody
    /// else's.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn stored_mail(
        &self,
        id: MessageRowId,
        access: &Access,
    ) -> Result<Option<StoredMail>, StoreError> {
        let found = self
            .conn
            .prepare_cached(
                "SELECT m.account_id, b.name, m.uid_validity, m.uid, m.message_key, m.attachments,
                        m.skipped_bytes
                 FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id
                 LEFT JOIN campaign_leads x ON x.id = m.campaign_lead_id
                 WHERE m.id = ?1
                   AND (?2 IS NULL OR x.campaign_id IN (SELECT value FROM json_each(?2)))",
            )?
            .query_row(params![id.0, access.list()], |row| {
                let key: String = row.get(4)?;
                let (attachments, is_complete) = listed(&row.get::<_, String>(5)?, row.get(6)?);
                Ok(StoredMail {
                    message: id,
                    account: AccountId(row.get(0)?),
                    mailbox: row.get(1)?,
                    uid_validity: row.get(2)?,
                    uid: row.get(3)?,
                    message_id: (!key.starts_with("digest:")).then_some(key),
                    others: Vec::new(),
                    attachments,
                    is_complete,
                })
            })
            .optional()?;
        let Some(mut mail) = found else {
            return Ok(None);
        };
        let mut statement = self.conn.prepare_cached(
            "SELECT name FROM mailboxes WHERE account_id = ?1 AND role <> 'none' AND name <> ?2
             ORDER BY role = 'watched' DESC, id",
        )?;
        let names = statement.query_map(params![mail.account.0, mail.mailbox], |row| row.get(0))?;
        mail.others = names.collect::<Result<_, _>>()?;
        Ok(Some(mail))
    }
}

impl Tx<'_> {
    /// Writes down the files of a mail that was read to its end; what they hold is not stored.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note_attachments(
        &self,
        id: MessageRowId,
        files: &[AttachmentItem],
    ) -> Result<(), StoreError> {
        let json = serde_json::to_string(files).unwrap_or_else(|_| "[]".to_owned());
        self.conn
            .prepare_cached(
                // Not of what was erased meanwhile.
                "UPDATE messages SET attachments = ?2 WHERE id = ?1 AND from_address <> ''",
            )?
            .execute(params![id.0, json])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_a_mail_whose_end_was_not_read_is_not_complete_until_it_was() {
        let json = r#"[{"name":"a.pdf","type":"application/pdf","size":7},{"name":"b"}]"#;
        let (items, complete) = listed(json, 0);
        assert!(complete && items.iter().all(|i| i.exact));
        assert_eq!((items[1].n, items[0].size), (1, 7));
        let (items, complete) = listed(json, 1);
        assert!(!complete && !items[0].exact);
        let read: Vec<AttachmentItem> = items
            .into_iter()
            .map(|i| AttachmentItem { exact: true, ..i })
            .collect();
        let json = serde_json::to_string(&read).unwrap();
        assert_eq!(listed(&json, 1), (read, true));
        assert_eq!(listed("[]", 1), (Vec::new(), false));
        assert_eq!(listed("no json", 0), (Vec::new(), true));
    }
}
