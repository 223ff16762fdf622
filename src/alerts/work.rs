//! What follows from one moment, in one transaction: incidents begin, grow worse and end, their
//! mails are queued, and mails that cannot leave go through another account.

use std::time::Duration;

use super::judge::{self, Health, Step, Watch};
use super::{Facts, Inner, STRANDED};
use crate::config::AccountSettings;
use crate::model::{
    AccountId, AccountState, Address, AlertEvent, AlertTopic, AlertWay, MailKind, NewMail,
};
use crate::reply::compose::{self, ComposeError, Draftable};
use crate::store::{AccountRow, Incident, NewIncident, StoreError, StrandedAlert, Tx, WatchView};
use crate::time::UtcMs;

/// Why an alert's mail cannot be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum AlertError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("An alert cannot be put into JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("No random numbers: {0}")]
    Random(String),
}

/// What a look did, for the log.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) told: Vec<Facts>,
    pub(super) rerouted: Vec<(AccountId, AccountId)>,
    pub(super) unmailed: Vec<ComposeError>,
    /// Accounts that claimed to hear.
    pub(super) unverified: Vec<(String, String)>,
}

impl Inner {
    /// The accounts of the settings among those of the store.
    fn ours<'v>(
        &'v self,
        view: &'v WatchView,
    ) -> impl Iterator<Item = (&'v AccountSettings, &'v AccountRow)> {
        let of = |a: &'v AccountSettings| view.accounts.iter().find(|row| row.name == a.name);
        self.settings
            .accounts
            .iter()
            .filter_map(move |a| of(a).map(|row| (a, row)))
    }

    fn healths(
        &self,
        row: &AccountRow,
        view: &WatchView,
        watch: Watch,
        now: UtcMs,
    ) -> [(AlertTopic, Health); 2] {
        let late = self.settings.alerts.outbox_late;
        [
            (AlertTopic::Hearing, judge::hearing(row, watch, now)),
            (AlertTopic::Sending, judge::sending(row.id, view, late, now)),
        ]
    }

    pub(super) fn has_work(
        &self,
        view: &WatchView,
        stranded: &[StrandedAlert],
        watch: Watch,
        now: UtcMs,
    ) -> bool {
        let gone = |i: &Incident| !self.ours(view).any(|(_, row)| row.id == i.account_id);
        !stranded.is_empty()
            || view.open.iter().any(gone)
            || self.ours(view).any(|(_, row)| {
                self.healths(row, view, watch, now)
                    .into_iter()
                    .any(|(topic, health)| {
                        let open = judge::incident(&view.open, row.id, topic);
                        let interval = self.settings.listen.interval;
                        judge::decide(open, &health, 1, interval, now).is_some()
                            || lies(row, topic, &health)
                    })
            })
    }

    /// All that follows from one moment, in one transaction: what was read before may have
    /// changed since, by another process as well.
    pub(super) fn work(&self, tx: &Tx<'_>, watch: Watch, now: UtcMs) -> Result<Done, AlertError> {
        let view = tx.watch_view(now.minus(self.settings.alerts.outbox_late))?;
        let mut done = Done::default();
        for (account, row) in self.ours(&view) {
            for (topic, health) in self.healths(row, &view, watch, now) {
                if lies(row, topic, &health)
                    && let Health::Bad { reason, since, .. } = &health
                    && tx.set_unverified(
                        row.id,
                        since.plus(Duration::from_millis(1)),
                        reason,
                        now,
                    )?
                {
                    done.unverified.push((row.name.clone(), reason.clone()));
                }
                let open = judge::incident(&view.open, row.id, topic);
                let recent = tx.alerts_since(row.id, now.minus(judge::DAMPED_FOR))?;
                let interval = self.settings.listen.interval;
                if let Some(step) = judge::decide(open, &health, recent, interval, now) {
                    self.carry_out(
                        tx,
                        &view,
                        (account, row),
                        (topic, open),
                        step,
                        now,
                        &mut done,
                    )?;
                }
            }
        }
        // An account that left the settings needs nobody.
        for incident in &view.open {
            if !self
                .ours(&view)
                .any(|(_, row)| row.id == incident.account_id)
            {
                tx.end_alert(incident.id, now)?;
            }
        }
        self.reroute(tx, &view, now, &mut done)?;
        Ok(done)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one step with all that it stands on"
    )]
    fn carry_out(
        &self,
        tx: &Tx<'_>,
        view: &WatchView,
        (account, row): (&AccountSettings, &AccountRow),
        (topic, open): (AlertTopic, Option<&Incident>),
        step: Step,
        now: UtcMs,
        done: &mut Done,
    ) -> Result<(), AlertError> {
        let pause = || view.pauses.iter().find(|p| p.account_id == row.id);
        let fault = match topic {
            AlertTopic::Hearing => row.state_fault.as_str(),
            AlertTopic::Sending => pause().map_or("", |p| p.fault.as_str()),
        };
        let facts = |alert, event, state, reason: &str, since| Facts {
            alert,
            event,
            topic,
            account: account.name.clone(),
            state,
            reason: reason.to_owned(),
            remedy: Facts::remedy_of(topic, state, fault).to_owned(),
            since,
            at: now,
            lasted_s: None,
            caught_up: None,
            host: self.host.clone(),
        };
        let facts = match (step, open) {
            (
                Step::Raise {
                    state,
                    reason,
                    since,
                },
                _,
            ) => {
                let new = NewIncident {
                    account_id: row.id,
                    topic,
                    state,
                    reason: reason.clone(),
                    began_at: since,
                };
                let Some(alert) = tx.raise_alert(&new, now)? else {
                    return Ok(());
                };
                facts(alert, AlertEvent::Raised, state, &reason, since)
            }
            (Step::Worsen { reason }, Some(open)) => {
                if !tx.worsen_alert(open.id, &reason)? {
                    return Ok(());
                }
                let state = AccountState::NeedsSignIn;
                facts(open.id, AlertEvent::Worse, state, &reason, open.began_at)
            }
            (Step::Calm, Some(open)) => return Ok(tx.set_alert_well(open.id, Some(now))?),
            (Step::Relapse, Some(open)) => return Ok(tx.set_alert_well(open.id, None)?),
            (Step::End, Some(open)) => {
                if !tx.end_alert(open.id, now)? {
                    return Ok(());
                }
                let well = open.well_since.unwrap_or(now);
                let caught_up = match topic {
                    AlertTopic::Hearing => Some(tx.caught_up(row.id, open.after_message)?),
                    AlertTopic::Sending => None,
                };
                Facts {
                    remedy: String::new(),
                    lasted_s: Some(well.since(open.began_at).as_secs()),
                    caught_up,
                    ..facts(
                        open.id,
                        AlertEvent::Ended,
                        AccountState::Live,
                        &open.reason,
                        open.began_at,
                    )
                }
            }
            (_, None) => return Ok(()),
        };
        let told = serde_json::to_string(&facts)?;
        for (way, set) in [
            (AlertWay::Webhook, self.settings.alerts.webhook.is_some()),
            (AlertWay::Command, !self.settings.alerts.command.is_empty()),
        ] {
            if set {
                tx.add_alert_note(facts.alert, facts.event, way, &told, now)?;
            }
        }
        let through = self.through(view, row.id, facts.state, &[]);
        if let Some((account, id)) = through {
            for recipient in self.recipients() {
                match self.mail(&facts, account, id, recipient, now)? {
                    Ok(mail) => tx.mail_alert(facts.alert, facts.event, &told, &mail, now)?,
                    Err(e) => done.unmailed.push(e),
                }
            }
        }
        done.told.push(facts);
        Ok(())
    }

    /// Sends alerts through another account that cannot leave through theirs.
    fn reroute(
        &self,
        tx: &Tx<'_>,
        view: &WatchView,
        now: UtcMs,
        done: &mut Done,
    ) -> Result<(), AlertError> {
        for stranded in tx.stranded_alerts(now.minus(STRANDED))? {
            // Each account once, in turn.
            if usize::try_from(stranded.note.tries).unwrap_or(usize::MAX)
                >= self.settings.accounts.len().saturating_sub(1)
            {
                continue;
            }
            let used = [stranded.account_id];
            let state = AccountState::NeedsSignIn;
            let Some((account, id)) = self.through(view, stranded.account_id, state, &used) else {
                continue;
            };
            let facts: Facts = serde_json::from_str(&stranded.note.told)?;
            match self.mail(&facts, account, id, &stranded.note.recipient, now)? {
                Ok(mail) => {
                    if tx.reroute_alert(&stranded, &mail, now)? {
                        done.rerouted.push((stranded.account_id, id));
                    }
                }
                Err(e) => done.unmailed.push(e),
            }
        }
        Ok(())
    }

    /// The account through which an alert about `about` leaves: its own unless its server is known
    /// to refuse us; else one that hears and sends, else one that sends.
    fn through<'v>(
        &'v self,
        view: &'v WatchView,
        about: AccountId,
        state: AccountState,
        used: &[AccountId],
    ) -> Option<(&'v AccountSettings, AccountId)> {
        let sends = |id: AccountId| !view.pauses.iter().any(|p| p.account_id == id);
        let mut best: Option<(u8, &AccountSettings, AccountId)> = None;
        for (account, row) in self.ours(view) {
            if used.contains(&row.id) {
                continue;
            }
            let own = row.id == about;
            let hears = row.state == AccountState::Live;
            let rank = match (own, sends(row.id), hears) {
                (true, true, _) if state == AccountState::NeedsSignIn => 2,
                (true, true, _) => 4,
                (false, true, true) => 3,
                (false, true, false) => 1,
                (_, false, _) => 0,
            };
            if best.is_none_or(|(most, ..)| rank > most) {
                best = Some((rank, account, row.id));
            }
        }
        // Another account that cannot send either is no way out.
        best.filter(|(rank, ..)| *rank > 0 || used.is_empty())
            .map(|(_, account, id)| (account, id))
    }

    fn recipients(&self) -> Vec<&str> {
        let reply = &self.settings.reply;
        if reply.operator_addresses.is_empty() {
            vec![reply.sales_email.as_str()]
        } else {
            reply
                .operator_addresses
                .iter()
                .map(String::as_str)
                .collect()
        }
    }

    fn mail(
        &self,
        facts: &Facts,
        account: &AccountSettings,
        id: AccountId,
        recipient: &str,
        now: UtcMs,
    ) -> Result<Result<NewMail, ComposeError>, AlertError> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(|e| AlertError::Random(e.to_string()))?;
        Ok(compose::compose(
            &Draftable {
                kind: MailKind::Alert,
                job_id: None,
                round: 0,
                account_id: id,
                campaign_lead_id: None,
                by_person: false,
                from: Address {
                    name: account.from_name.clone(),
                    addr: account.address.clone(),
                },
                to: Address {
                    name: String::new(),
                    addr: recipient.to_owned(),
                },
                reply_to: None,
                subject: &facts.headline(),
                body: &facts.text(),
                in_reply_to: None,
                references: &[],
                envelope_from: &account.smtp.envelope_from,
                redirect_to: self.settings.redirect_to.as_deref(),
            },
            &self.keys,
            random,
            now,
        ))
    }
}

/// An account whose row says that it hears although it does not.
fn lies(row: &AccountRow, topic: AlertTopic, health: &Health) -> bool {
    let claims = matches!(row.state, AccountState::Live | AccountState::Degraded);
    topic == AlertTopic::Hearing
        && claims
        && matches!(health, Health::Bad { state, .. } if *state == AccountState::Down)
}
