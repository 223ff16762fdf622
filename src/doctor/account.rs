//! One account: reading and sending at the same time, then what replyd itself has recorded, the
//! clock, and the test mail.

use std::sync::Arc;

use super::Options;
use super::clock;
use super::report::{Check, Group};
use crate::config::{AccountSettings, ReplyAddress, Settings};
use crate::credential::Vault;
use crate::fault::{self, Fault};
use crate::imap::ByteBudget;
use crate::keys::Keys;
use crate::model::AccountState;
use crate::store::{AccountRow, Store, StoreError};
use crate::time;

/// An account under examination.
#[derive(Clone, Debug)]
pub(super) struct Patient {
    pub(super) account: AccountSettings,
    pub(super) settings: Arc<Settings>,
    /// None: there is no usable database, so nothing is booked.
    pub(super) store: Option<Store>,
    /// None: replyd does not know the account yet.
    pub(super) row: Option<AccountRow>,
    pub(super) keys: Option<Arc<Keys>>,
    pub(super) vault: Vault,
    pub(super) budget: ByteBudget,
    pub(super) options: Options,
    /// Whether a replyd runs on the database.
    pub(super) running: bool,
}

impl Patient {
    pub(super) async fn examine(self) -> Group {
        let name = self.account.name.as_str();
        let (mut reading, mut sending) = (Group::new(Some(name)), Group::new(Some(name)));
        let mut clocks = Vec::new();
        let (session, explorer) = tokio::join!(
            self.read(&mut reading),
            self.send(&mut sending, &mut clocks)
        );
        let mut group = reading;
        let read = session.is_some();
        group.checks.extend(sending.checks);
        self.recorded(read, &mut group);
        self.reply_address(&mut group).await;
        clocks.extend(self.arrivals().await);
        match (session, explorer) {
            (Some(session), Some(explorer)) if self.options.send_test => {
                self.send_test(session, explorer, &mut group, &mut clocks)
                    .await;
            }
            (session, explorer) => {
                if self.options.send_test {
                    let why = "not sent: reading or sending does not work yet";
                    group.add(Check::skipped("test.delivery", why));
                }
                if let Some(mut session) = session {
                    session.logout().await;
                }
                if let Some(explorer) = explorer {
                    explorer.quit().await;
                }
            }
        }
        clock::judge(&clocks, &mut group);
        group
    }

    /// What the running replyd, or the last pass, recorded.
    fn recorded(&self, read: bool, group: &mut Group) {
        let check = "service.account";
        let Some(row) = &self.row else {
            if self.store.is_some() {
                group.add(Check::skipped(check, "replyd has not looked at it yet"));
            }
            return;
        };
        let (state, since) = (row.state, row.state_since.rfc3339());
        let text = format!("{state} since {since}: {}", row.state_reason);
        let age = row.verified_at.map(|at| time::now().since(at));
        let fresh = self.settings.listen.interval.saturating_mul(3);
        let late = age.is_none_or(|age| age > fresh);
        group.add(match state {
            AccountState::Live if self.running && late => {
                let remedy = "Look at the log of the running replyd; `systemctl restart replyd` \
                              if it says nothing.";
                let text = format!("{text}, but not verified for three intervals");
                Check::warning(check, text, remedy)
            }
            AccountState::Live => Check::ok(check, text),
            _ if read => {
                let remedy = "`replyd doctor` could read it now: replyd tries again by itself.";
                Check::warning(check, text, remedy)
            }
            _ => Check::warning(check, text, ""),
        });
    }

    /// Whether answers are asked for at an address with a token.
    async fn reply_address(&self, group: &mut Group) {
        let check = "reply_address";
        let address = &self.account.address;
        if self.account.reply_address == ReplyAddress::Never {
            let text = "answers are asked for at the plain address (`reply_address` is never)";
            group.add(Check::ok(check, text).with("used", false));
            return;
        }
        let (Some(store), Some(row)) = (&self.store, &self.row) else {
            return;
        };
        if self.options.send_test {
            return; // It is tried now.
        }
        let id = row.id;
        let trial: Result<_, StoreError> = store.read(move |r| r.reply_address_trial(id)).await;
        let trial = match trial {
            Ok(trial) => trial.filter(|t| t.is_of(address)),
            Err(e) => {
                group.add(Check::fault(check, fault::of_store(&e), e));
                return;
            }
        };
        let used = trial.as_ref().is_some_and(|t| t.arrived);
        let text = match trial {
            Some(t) if t.arrived => format!(
                "answers are asked for at addresses with a token: such mail to {address} came in at {}",
                t.at.rfc3339()
            ),
            Some(t) => format!(
                "answers are asked for at the plain address: mail with a token did not come in at {}",
                t.at.rfc3339()
            ),
            None => {
                "answers are asked for at the plain address: `replyd doctor --send-test` tries \
                     whether an address with a token arrives"
                    .to_owned()
            }
        };
        group.add(Check::ok(check, text).with("used", used));
    }

    /// The fault that replyd has recorded for the account.
    pub(super) fn recorded_fault(&self) -> Fault {
        let recorded = self.row.as_ref().map(|row| row.state_fault.parse());
        recorded.and_then(Result::ok).unwrap_or(Fault::AccountFault)
    }

    async fn arrivals(&self) -> Option<clock::Seen> {
        let (store, id) = (self.store.as_ref()?, self.row.as_ref()?.id);
        let lags: Result<Vec<i64>, StoreError> = store.read(move |r| r.arrival_lags(id)).await;
        clock::of_arrivals(lags.ok()?)
    }
}
