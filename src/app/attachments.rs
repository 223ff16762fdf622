//! Files of mails for the web server: from the mailbox, by a reader of each account.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::App;
use crate::listener::{Ended, Enough, MailError, MailPlace, MailReader};
use crate::mime::{self, Content};
use crate::model::{AccountId, AccountState};
use crate::msgid::MsgId;
use crate::store::{AttachmentItem, Store, StoreError, StoredMail};
use crate::time;
use crate::web::NotFetched;

/// A sign-in that must wait for its minute is waited for up to this, where the mailbox is well.
const PATIENCE: Duration = Duration::from_secs(45);

/// Reads mails of all accounts for people.
#[derive(Debug)]
pub(super) struct Files {
    store: Store,
    readers: Vec<(AccountId, MailReader)>,
    /// The largest file, in bytes.
    most: usize,
}

impl App {
    /// One reader for each account.
    pub(super) async fn files(&self) -> anyhow::Result<Files> {
        let readers = self.bare_listeners().await?.into_iter();
        Ok(Files {
            store: self.store.clone(),
            readers: readers.map(|l| (l.id(), MailReader::new(l))).collect(),
            most: self.settings.web.attachment_max,
        })
    }
}

impl Files {
    /// One file of a mail, decoded.
    pub(super) async fn one(
        &self,
        mail: StoredMail,
        file: AttachmentItem,
    ) -> Result<Vec<u8>, NotFetched> {
        let content: Enough<Content> = Arc::new(move |bytes, is_all| {
            match mime::file(bytes, file.n, &file.name, &file.content_type, is_all) {
                Content::Cut => None,
                content => Some(content),
            }
        });
        match self.read(mail, content).await? {
            Some(Content::Whole(file)) if file.bytes.len() > self.most => Err(
                NotFetched::TooLarge(u64::try_from(file.bytes.len()).unwrap_or(u64::MAX)),
            ),
            Some(Content::Whole(file)) => Ok(file.bytes),
            _ => Err(NotFetched::Missing),
        }
    }

    /// All files of a mail, by name, type and size.
    pub(super) async fn all(&self, mail: StoredMail) -> Result<Vec<AttachmentItem>, NotFetched> {
        let content: Enough<Vec<AttachmentItem>> = Arc::new(|bytes, is_all| {
            is_all.then(|| {
                let listed = mime::parse(bytes).attachments.into_iter().enumerate();
                let item = |(n, a): (usize, mime::Attachment)| AttachmentItem {
                    n,
                    name: a.name,
                    content_type: a.content_type,
                    size: u64::try_from(a.size).unwrap_or(u64::MAX),
                    exact: true,
                };
                listed.map(item).collect()
            })
        });
        Ok(self.read(mail, content).await?.unwrap_or_default())
    }

    async fn read<T: Send + 'static>(
        &self,
        mail: StoredMail,
        enough: Enough<T>,
    ) -> Result<Option<T>, NotFetched> {
        let reader = self.readers.iter().find(|(id, _)| *id == mail.account);
        let (id, reader) = reader.ok_or(NotFetched::NotListed)?;
        let id = *id;
        let rows = self.store.read(|r| r.accounts()).await;
        let rows = rows.map_err(|e: StoreError| NotFetched::Failed(e.to_string()))?;
        let is_well = rows
            .iter()
            .any(|r| r.id == id && matches!(r.state, AccountState::Live | AccountState::Degraded));
        let patience = if is_well { PATIENCE } else { Duration::ZERO };
        let place = MailPlace {
            mailbox: mail.mailbox,
            uid_validity: mail.uid_validity,
            uid: mail.uid,
            message_id: mail.message_id.as_deref().and_then(MsgId::parse),
            others: mail.others,
        };
        // Base64 in lines takes 78 bytes for 57, and the mail has more than its file.
        let limit = self.most.saturating_mul(11) / 8 + 1024 * 1024;
        let message = mail.message.0;
        match reader.read(&place, limit, patience, enough).await {
            Ok(found) => {
                info!(
                    account = reader.name(),
                    message_id = message,
                    "a mail was read for its files"
                );
                Ok(found)
            }
            Err(MailError::Gone) => Err(NotFetched::Gone),
            Err(MailError::TooLarge(bytes)) => Err(NotFetched::TooLarge(bytes)),
            Err(MailError::Ended(Ended::NotBefore(at))) => {
                if is_well {
                    Err(NotFetched::Later(at.since(time::now())))
                } else {
                    Err(NotFetched::Away)
                }
            }
            Err(MailError::Ended(Ended::Store(e))) => Err(NotFetched::Failed(e.to_string())),
            Err(MailError::Ended(e)) => {
                warn!(
                    account = reader.name(),
                    message_id = message,
                    "a mail could not be read for its files: {e}"
                );
                Err(NotFetched::Away)
            }
        }
    }
}
