//! What the web server is given: it knows neither listeners nor the reply actor.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use sha2::{Digest, Sha256};

use super::App;
use super::attachments::Files;
use crate::config::AccountSettings;
use crate::listener::{Listener, Shared};
use crate::model::CampaignLeadId;
use crate::reply::ReplyActor;
use crate::store::{AttachmentItem, NewPaste, StoreError, StoredMail};
use crate::time;
use crate::visible;
use crate::wake::Doorbell;
use crate::web::{Boxed, Checked, Engine, NotFetched, Parts, PastedReply};

/// Errors that a check tells.
const MAX_ERRORS: usize = 10;

/// Looks at mailboxes for the web server.
#[derive(Debug)]
struct Hands {
    shared: Shared,
    accounts: Vec<(AccountSettings, Doorbell)>,
    actor: ReplyActor,
    files: Files,
}

impl App {
    /// The parts of the web server that listens there.
    pub(super) async fn web_parts(&self, address: SocketAddr) -> anyhow::Result<Parts> {
        let accounts = self.settings.accounts.iter().cloned();
        let mut shared = self.shared();
        // The leases of the listeners of this process are not its own to take and give back.
        shared.owner.push_str(" web");
        let ids = self.accounts().await?;
        let bells = ids
            .iter()
            .map(|(id, _)| *id)
            .zip(self.look_bells.iter().cloned());
        Ok(Parts {
            store: self.store.clone(),
            settings: Arc::clone(&self.settings),
            keys: Arc::clone(&self.keys),
            desk: self.desk(),
            engine: Arc::new(Hands {
                shared,
                accounts: accounts.zip(self.look_bells.iter().cloned()).collect(),
                actor: self.actor.clone(),
                files: self.files().await?,
            }),
            board: self.board.clone(),
            bells: bells.collect(),
            outbox: self.outbox_bell.clone(),
            open: self.open && address.ip().is_loopback(),
        })
    }
}

impl Engine for Hands {
    fn check(&self, days: u32) -> Boxed<'_, anyhow::Result<Checked>> {
        Box::pin(async move {
            let mut done = Checked {
                failed: !self.accounts.is_empty(),
                ..Checked::default()
            };
            for (account, bell) in &self.accounts {
                let listener = Listener::new(self.shared.clone(), account.clone(), bell.clone())
                    .await
                    .with_context(|| format!("Prepare account {}", account.name))?;
                match listener.once(Some(days)).await {
                    Ok(report) => {
                        done.failed = false;
                        done.processed = done.processed.saturating_add(report.processed);
                        done.new_replies = done.new_replies.saturating_add(report.new_replies);
                        done.ahead = done.ahead.saturating_add(report.ahead);
                        done.errors.extend(report.errors);
                    }
                    Err(ended) => {
                        done.errors.push(format!("{}: {ended}", account.name));
                    }
                }
            }
            done.errors.truncate(MAX_ERRORS);
            Ok(done)
        })
    }

    fn attachment(
        &self,
        mail: StoredMail,
        file: AttachmentItem,
    ) -> Boxed<'_, Result<Vec<u8>, NotFetched>> {
        Box::pin(self.files.one(mail, file))
    }

    fn attachments(&self, mail: StoredMail) -> Boxed<'_, Result<Vec<AttachmentItem>, NotFetched>> {
        Box::pin(self.files.all(mail))
    }

    fn paste(
        &self,
        thread: CampaignLeadId,
        text: String,
    ) -> Boxed<'_, anyhow::Result<PastedReply>> {
        Box::pin(async move {
            let (store, now) = (&self.shared.store, time::now());
            let visible = visible::split(&text);
            let new = NewPaste {
                thread,
                visible: visible.new_text,
                sure: visible.sure,
                digest: digest(&text),
                text,
            };
            let pasted = store
                .write(move |tx| tx.paste_reply(&new, now))
                .await
                .map_err(|e: StoreError| e)
                .context("Take in a pasted reply")?;
            if pasted.new {
                // What goes wrong stands in the job, which the actor tries again.
                self.actor.process(pasted.job, false, now).await?;
            }
            let draft = store
                .read(move |r| r.draft_of_job(pasted.job))
                .await
                .map_err(|e: StoreError| e)
                .context("Read the draft")?;
            let (response, tool_used, _) =
                draft.unwrap_or_else(|| (String::new(), "unknown".to_owned(), String::new()));
            Ok(PastedReply {
                response,
                tool_used,
                conversation_id: pasted.line,
                at: now,
            })
        })
    }
}

/// The same text is the same reply.
fn digest(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(16).map(|b| format!("{b:02x}")).collect()
}
