//! A mended password does not wait out the pause that the wrong one earned.

use super::Inner;
use crate::model::AccountState;
use crate::store::StoreError;
use crate::time;

impl Inner {
    /// Ends the pause of each account whose SMTP sign-in was refused and is another one now. Looked
    /// at when a process starts: settings are read then.
    pub(super) async fn mended_sign_ins(&self) -> Result<(), StoreError> {
        let pauses = self.store.read(|r| r.smtp_pauses()).await?;
        for pause in pauses {
            let id = pause.account_id;
            let mailer = self.mailers.get(&id);
            let (AccountState::NeedsSignIn, Some(mailer)) = (pause.state, mailer) else {
                continue;
            };
            let Some(identity) = mailer.identity().await else {
                continue;
            };
            // A keyed hash: it tells whether user or secret were mended, and nothing else.
            let hash = self.keys.hash(&identity);
            let mended = self
                .store
                .write(move |tx| tx.note_smtp_credentials(id, &hash, time::now()))
                .await?;
            if mended {
                tracing::info!(account = pause.account, "SMTP sign-in is tried again now");
            }
        }
        Ok(())
    }

    /// The same, where it must not hold up anything.
    pub(super) async fn try_mended_sign_ins(&self) {
        if let Err(error) = self.mended_sign_ins().await {
            tracing::warn!(%error, "Changed SMTP sign-ins were not looked for");
        }
    }
}
