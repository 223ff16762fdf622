//! What the web server is given: it knows neither listeners nor the reply actor.

use std::sync::Arc;

use anyhow::Context;

use super::App;
use crate::config::AccountSettings;
use crate::listener::{Listener, Shared};
use crate::wake::Doorbell;
use crate::web::{Boxed, Checked, Engine, Parts};

/// Errors that a check tells.
const MAX_ERRORS: usize = 10;

/// Looks at mailboxes for the web server.
#[derive(Debug)]
struct Hands {
    shared: Shared,
    accounts: Vec<(AccountSettings, Doorbell)>,
}

impl App {
    /// The parts of the web server; `open`: no token is asked for.
    pub(super) async fn web_parts(&self, open: bool) -> anyhow::Result<Parts> {
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
            }),
            board: self.board.clone(),
            bells: bells.collect(),
            open,
        })
    }
}

impl Engine for Hands {
    fn check(&self, days: u32) -> Boxed<'_, anyhow::Result<Checked>> {
        Box::pin(async move {
            let mut done = Checked::default();
            for (account, bell) in &self.accounts {
                let listener = Listener::new(self.shared.clone(), account.clone(), bell.clone())
                    .await
                    .with_context(|| format!("Prepare account {}", account.name))?;
                match listener.once(Some(days)).await {
                    Ok(report) => {
                        done.processed = done.processed.saturating_add(report.processed);
                        done.new_replies = done.new_replies.saturating_add(report.new_replies);
                        done.errors.extend(report.errors);
                    }
                    Err(ended) => {
                        done.failed = true;
                        done.errors.push(format!("{}: {ended}", account.name));
                    }
                }
            }
            done.errors.truncate(MAX_ERRORS);
            Ok(done)
        })
    }
}
