//! Renews tokens in the background of `run`, so that a reconnect never waits for a token server
//! and a refused grant is known at once; and notices what another process has changed: after
//! `replyd auth login` the account goes on within a second.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::renew::Renewer;
use crate::config::OAuthSettings;
use crate::credential::CredentialError;
use crate::fault::Fault;
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
    /// Logins whose tokens cannot be read: told once, and not tried again.
    lost: HashMap<String, UtcMs>,
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
            lost: HashMap::new(),
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
                Some(row) if row.state != OAuthState::NeedsSignIn => {
                    self.renew(&kept, row, now).await
                }
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
    async fn renew(&mut self, kept: &Kept, row: &OAuthRow, now: UtcMs) -> Duration {
        let running = self.running.get(&kept.account);
        if running.is_some_and(|task| !task.is_finished()) {
            return EAGER;
        }
        if let Some(task) = self.running.remove(&kept.account)
            && let Ok(Err(CredentialError::NotSignedIn(why))) = task.await
        {
            let (account, fault) = (kept.account.as_str(), Fault::OauthLoginNeeded.code());
            error!(account, fault, "{why}: run `replyd auth login {account}`");
            self.lost.insert(account.to_owned(), row.obtained_at);
        }
        // Another login has other tokens.
        if self.lost.get(&kept.account) == Some(&row.obtained_at) {
            return EAGER;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Credential, Environment, Flags, Need, Settings, Sources};
    use crate::keys::Keys;
    use crate::oauth::client::Tokens;
    use crate::store::Store;
    use crate::tls::TlsRoots;

    fn settings(dir: &std::path::Path) -> Arc<OAuthSettings> {
        let file = dir.join("replyd.toml");
        let text = "[[accounts]]\nname = \"sales\"\naddress = \"sales@example.com\"\n\
                    [accounts.oauth]\nprovider = \"google\"\nclient_id = \"x\"\n\
                    [accounts.imap]\nhost = \"i.example.com\"\n\
                    [accounts.smtp]\nhost = \"s.example.com\"\n";
        std::fs::write(&file, text).unwrap();
        let env = Environment {
            home: Some(dir.to_owned()),
            ..Environment::default()
        };
        let flags = Flags {
            config: Some(file),
            ..Flags::default()
        };
        let loaded = Settings::load(&Sources { env, flags }, Need::Mail).unwrap();
        match &loaded.settings.accounts[0].imap.credential {
            Credential::OAuth(settings) => Arc::clone(settings),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn tokens_of_lost_keys_are_told_of_once_and_neither_booked_nor_tried_again() {
        let (dir, lost) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let settings = settings(dir.path());
        let store = Store::open(dir.path().join("r.db")).await.unwrap();
        let renewer = |dir: &std::path::Path| {
            let keys = Arc::new(Keys::load_or_create(dir, None).unwrap());
            Renewer::new(store.clone(), keys, TlsRoots::default())
        };
        let account = store
            .write(|tx| tx.ensure_account("sales", UtcMs(1)).map(|_| ()))
            .await;
        account.map_err(|e: crate::store::StoreError| e).unwrap();
        let tokens = Tokens {
            access: "a".to_owned().into(),
            refresh: Some("r".to_owned().into()),
            life: Duration::from_secs(3600),
            scope: None,
            address: None,
        };
        let before = renewer(lost.path());
        before
            .keep_login("sales", &settings, &tokens)
            .await
            .unwrap();
        let kept = Kept {
            account: "sales".to_owned(),
            settings,
            bell: Doorbell::default(),
        };
        let mut keeper = Keeper::new(renewer(dir.path()), vec![kept], Doorbell::default()).await;
        let due = time::now().plus(Duration::from_secs(3500));
        keeper.look(due).await;
        while let Some(task) = keeper.running.get("sales") {
            while !task.is_finished() {
                tokio::task::yield_now().await;
            }
            assert_eq!(keeper.look(due).await, EAGER);
        }
        assert!(keeper.lost.contains_key("sales"));
        let rows = keeper.renewer.rows().await.unwrap();
        assert_eq!(rows[0].booked_at, None);
        // A login is waited for.
        keeper.look(due).await;
        assert!(keeper.running.is_empty());
        before
            .keep_login("sales", &kept_settings(&keeper), &tokens)
            .await
            .unwrap();
        let rows = keeper.renewer.rows().await.unwrap();
        assert_ne!(keeper.lost.get("sales"), Some(&rows[0].obtained_at));
    }

    fn kept_settings(keeper: &Keeper) -> Arc<OAuthSettings> {
        Arc::clone(&keeper.accounts[0].settings)
    }
}
