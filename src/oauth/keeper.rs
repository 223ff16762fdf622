//! Renews tokens in the background of `run`, so that a reconnect never waits for a token server
//! and a refused grant is known at once; and notices what another process has changed: after
//! `replyd auth login` the account goes on within a second.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::renew::Renewer;
use crate::config::OAuthSettings;
use crate::credential::CredentialError;
use crate::model::OAuthState;
use crate::store::OAuthRow;
use crate::time::{self, UtcMs};
use crate::wake::Doorbell;

/// While somebody has to sign in: how often it is looked whether he did.
const EAGER: Duration = Duration::from_secs(1);
/// Otherwise; a login that replaces good tokens is in no hurry.
const CALM: Duration = Duration::from_secs(30);
/// Never more often, whatever is due.
const LEAST: Duration = Duration::from_millis(250);
/// At the end of the process: for refreshes that are under way.
const CLOSE: Duration = Duration::from_secs(8);

/// An account whose tokens are kept fresh.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) account: String,
    pub(crate) settings: Arc<OAuthSettings>,
    /// Makes its listener look, or try again, at once.
    pub(crate) bell: Doorbell,
}

/// What was last seen of an account's tokens: the login they stem from, their state, and whether
/// the last refresh failed.
type Seen = Option<(UtcMs, OAuthState, bool)>;

fn seen(row: &OAuthRow) -> (UtcMs, OAuthState, bool) {
    (row.obtained_at, row.state, row.failures > 0)
}

/// Keeps the tokens of all accounts.
#[derive(Debug)]
pub(crate) struct Keeper {
    renewer: Renewer,
    accounts: Vec<Kept>,
    seen: HashMap<String, Seen>,
    running: HashMap<String, JoinHandle<Result<(), CredentialError>>>,
    /// Mails that waited for the sign-in go on.
    outbox: Doorbell,
}

impl Keeper {
    /// Looks at what is there; changes from here on ring.
    pub(crate) async fn new(renewer: Renewer, accounts: Vec<Kept>, outbox: Doorbell) -> Self {
        let mut keeper = Self {
            renewer,
            accounts,
            seen: HashMap::new(),
            running: HashMap::new(),
            outbox,
        };
        match keeper.renewer.rows().await {
            Ok(rows) => keeper.remember(&rows),
            Err(e) => warn!("the stored tokens cannot be read yet: {e:#}"),
        }
        keeper
    }

    /// Until `stop` fires; then refreshes that are under way are waited for.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let wait = self.look(time::now()).await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(wait.max(LEAST)) => {}
            }
        }
        self.renewer.close(CLOSE).await;
    }

    fn remember(&mut self, rows: &[OAuthRow]) {
        for kept in &self.accounts {
            let row = rows.iter().find(|r| r.account == kept.account);
            self.seen.insert(kept.account.clone(), row.map(seen));
        }
    }

    /// One look at all accounts; says how long to wait for the next.
    async fn look(&mut self, now: UtcMs) -> Duration {
        let rows = match self.renewer.rows().await {
            Ok(rows) => rows,
            Err(e) => {
                warn!("the stored tokens cannot be read: {e:#}");
                return CALM;
            }
        };
        let mut wait = CALM;
        for kept in self.accounts.clone() {
            let row = rows.iter().find(|r| r.account == kept.account);
            self.ring(&kept, row);
            wait = wait.min(match row {
                Some(row) if row.state != OAuthState::NeedsSignIn => self.renew(&kept, row, now),
                _ => EAGER,
            });
        }
        self.remember(&rows);
        wait
    }

    /// Rings where something changed since the last look.
    fn ring(&self, kept: &Kept, row: Option<&OAuthRow>) {
        let before = self.seen.get(&kept.account).copied().flatten();
        let after = row.map(seen);
        if before == after {
            return;
        }
        let account = kept.account.as_str();
        let login = |of: Seen| of.map(|(at, _, _)| at);
        if after.is_some() && login(after) != login(before) {
            info!(account, "a new sign-in is stored: it is used at once");
        }
        if after.is_some_and(|(_, state, failing)| state == OAuthState::Good && !failing) {
            self.outbox.ring();
        }
        kept.bell.ring();
    }

    /// Starts a refresh that is due, one at a time; says when to look again.
    fn renew(&mut self, kept: &Kept, row: &OAuthRow, now: UtcMs) -> Duration {
        if let Some(task) = self.running.get(&kept.account) {
            if !task.is_finished() {
                return EAGER;
            }
            self.running.remove(&kept.account);
        }
        match self.renewer.renew_if_due(row, &kept.settings, now) {
            Ok(task) => {
                self.running.insert(kept.account.clone(), task);
                EAGER
            }
            Err(later) => later.since(now),
        }
    }
}
