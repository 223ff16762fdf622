//! What the operator is told: incidents, and the ways by which each of their events is told.
//!
//! An incident is a row that is open until its end was told; a unique index allows one for each
//! account and topic, so two processes raise one. Telling is a row, too: a try is booked before it
//! is made, so a restart neither repeats nor loses it.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params};

use super::{Reader, SmtpPause, StoreError, Tx};
use crate::model::{
    AccountId, AccountState, AlertEvent, AlertTopic, AlertWay, Inserted, NewMail, OutboxId,
};
use crate::store::AccountRow;
use crate::time::UtcMs;

/// The row of `meta` that says since when somebody has been watching, and until when.
const WATCHED_KEY: &str = "watched";

/// An incident of which the operator was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// The row.
    pub id: i64,
    /// Whose.
    pub account_id: AccountId,
    /// What it is about.
    pub topic: AlertTopic,
    /// As it was told last: `down` or `needs_sign_in`.
    pub state: AccountState,
    /// Why.
    pub reason: String,
    /// Since when it did not hear or send.
    pub began_at: UtcMs,
    /// When the operator was told.
    pub raised_at: UtcMs,
    /// The newest message that was stored by then.
    pub after_message: i64,
    /// Well again since, not told yet.
    pub well_since: Option<UtcMs>,
}

/// An incident that begins.
#[derive(Clone, Debug)]
pub struct NewIncident {
    /// Whose.
    pub account_id: AccountId,
    /// What it is about.
    pub topic: AlertTopic,
    /// `down` or `needs_sign_in`.
    pub state: AccountState,
    /// Why.
    pub reason: String,
    /// Since when.
    pub began_at: UtcMs,
}

/// One way by which one event is to be told.
#[derive(Clone, Debug)]
pub struct AlertNote {
    /// The row.
    pub id: i64,
    /// Of which incident.
    pub alert_id: i64,
    /// Which event.
    pub event: AlertEvent,
    /// How.
    pub way: AlertWay,
    /// What is told, JSON.
    pub told: String,
    /// Where a mail goes.
    pub recipient: String,
    /// Tries booked so far, this one included.
    pub tries: u32,
}

/// How a try to tell ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It was told.
    Done,
    /// To be tried again.
    Again {
        /// When.
        at: UtcMs,
        /// Why.
        error: String,
    },
    /// Given up.
    Failed {
        /// Why.
        error: String,
    },
}

/// A mail with an alert that has not left although it should have.
#[derive(Clone, Debug)]
pub struct StrandedAlert {
    /// What it tells, to whom; its tries count the accounts that were used.
    pub note: AlertNote,
    /// The mail.
    pub mail: OutboxId,
    /// Through which account it should have left.
    pub account_id: AccountId,
}

/// All that is looked at to judge whether accounts hear and send.
#[derive(Clone, Debug)]
pub struct WatchView {
    /// All accounts.
    pub accounts: Vec<AccountRow>,
    /// Accounts whose mails wait.
    pub pauses: Vec<SmtpPause>,
    /// Among them, those that mails wait for.
    pub waiting: Vec<AccountId>,
    /// Accounts with mails that should have left before the moment asked for, and since when.
    pub overdue: Vec<(AccountId, UtcMs)>,
    /// What the operator was told of and is not over.
    pub open: Vec<Incident>,
}

impl Reader<'_> {
    /// Everything that the judgement needs, at one moment. Mails that should have left before
    /// `late` are overdue; campaign mails are paced and paused by rule, and
    /// mails that automation off holds wait for a person: these never are.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn watch_view(&self, late: UtcMs) -> Result<WatchView, StoreError> {
        let pauses = self.smtp_pauses()?;
        let mut waiting = Vec::new();
        for pause in &pauses {
            if self.mails_wait(pause.account_id)? {
                waiting.push(pause.account_id);
            }
        }
        let mut overdue: Vec<(AccountId, UtcMs)> = self
            .conn
            .prepare_cached(
                "SELECT account_id, min(next_attempt_at) FROM outbox
                 WHERE state IN ('queued', 'deferred') AND kind <> 'campaign' AND held = 0
                   AND next_attempt_at < ?1
                 GROUP BY account_id",
            )?
            .query_map([late.0], |row| {
                Ok((AccountId(row.get(0)?), UtcMs(row.get(1)?)))
            })?
            .collect::<Result<_, _>>()?;
        // A lease that ended long ago and that nobody has settled.
        let leases: Vec<(AccountId, UtcMs)> = self
            .conn
            .prepare_cached(
                "SELECT account_id, min(next_attempt_at) FROM outbox
                 WHERE state = 'sending' AND next_attempt_at < ?1 GROUP BY account_id",
            )?
            .query_map([late.0], |row| {
                Ok((AccountId(row.get(0)?), UtcMs(row.get(1)?)))
            })?
            .collect::<Result<_, _>>()?;
        for (account, due) in leases {
            match overdue.iter_mut().find(|(known, _)| *known == account) {
                Some((_, known)) => *known = (*known).min(due),
                None => overdue.push((account, due)),
            }
        }
        Ok(WatchView {
            accounts: self.accounts()?,
            pauses,
            waiting,
            overdue,
            open: self.open_alerts()?,
        })
    }

    /// Whether mails of the account are queued that nothing holds but its server.
    fn mails_wait(&self, account: AccountId) -> Result<bool, StoreError> {
        let ordinary = self
            .conn
            .prepare_cached(
                "SELECT 1 FROM outbox INDEXED BY outbox_due
                 WHERE state IN ('queued', 'deferred') AND kind <> 'campaign' AND held = 0
                   AND account_id = ?1 LIMIT 1",
            )?
            .exists([account.0])?;
        let campaign = || {
            self.conn
                .prepare_cached(
                    "SELECT 1 FROM outbox INDEXED BY outbox_campaign_due
                     WHERE state IN ('queued', 'deferred') AND kind = 'campaign' AND held = 0
                       AND account_id = ?1 LIMIT 1",
                )?
                .exists([account.0])
        };
        Ok(ordinary || campaign()?)
    }

    /// Incidents that are not over.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open_alerts(&self) -> Result<Vec<Incident>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, account_id, topic, state, reason, began_at, raised_at, after_message, well_since
             FROM alerts WHERE ended_at IS NULL ORDER BY account_id, topic",
        )?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(incident(row)?);
        }
        Ok(found)
    }

    /// How many incidents of the account began to be told since then.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn alerts_since(&self, account: AccountId, since: UtcMs) -> Result<u32, StoreError> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT count(*) FROM alerts WHERE account_id = ?1 AND raised_at >= ?2",
            )?
            .query_row(params![account.0, since.0], |row| row.get(0))?)
    }

    /// Messages that were caught up on after an incident.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn caught_up(&self, account: AccountId, after_message: i64) -> Result<u64, StoreError> {
        let n: i64 = self
            .conn
            .prepare_cached(
                "SELECT count(*) FROM messages
                 WHERE id > ?2 AND +account_id = ?1 AND source = 'catch_up'",
            )?
            .query_row(params![account.0, after_message], |row| row.get(0))?;
        Ok(u64::try_from(n).unwrap_or(0))
    }

    /// Mails with alerts that wait for an account that cannot send now, that were refused, or
    /// that have been waiting since before `late`; not those whose body was handed over.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn stranded_alerts(&self, late: UtcMs) -> Result<Vec<StrandedAlert>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT n.id, n.alert_id, n.event, n.way, n.told, n.recipient, n.tries, o.id, o.account_id
             FROM alert_notes n JOIN outbox o ON o.id = n.outbox_ref
                  LEFT JOIN meta m ON m.key = 'smtp:' || o.account_id
             WHERE n.state = 'due' AND n.way = 'mail'
               AND (o.state = 'rejected'
                    OR (o.state IN ('queued', 'deferred', 'sending') AND o.handed_over_at IS NULL
                        AND (m.key IS NOT NULL OR o.created_at < ?1)))",
        )?;
        let mut rows = statement.query([late.0])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(StrandedAlert {
                note: note(row)?,
                mail: OutboxId(row.get(7)?),
                account_id: AccountId(row.get(8)?),
            });
        }
        Ok(found)
    }

    /// When the next way is due that is not a mail; none: nothing waits.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn next_alert_note(&self) -> Result<Option<UtcMs>, StoreError> {
        let at: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT min(next_try_at) FROM alert_notes WHERE state = 'due' AND way <> 'mail'",
            )?
            .query_row([], |row| row.get(0))?;
        Ok(at.map(UtcMs))
    }

    /// The account's row of the newest message there is.
    fn newest_message(&self) -> Result<i64, StoreError> {
        Ok(self
            .conn
            .prepare_cached("SELECT coalesce(max(id), 0) FROM messages")?
            .query_row([], |row| row.get(0))?)
    }
}

impl Tx<'_> {
    /// Begins an incident; none when one is open already (another process was first).
    ///
    /// # Errors
    /// What SQLite says.
    pub fn raise_alert(&self, new: &NewIncident, now: UtcMs) -> Result<Option<i64>, StoreError> {
        let after = self.newest_message()?;
        let inserted = self
            .conn
            .prepare_cached(
                "INSERT INTO alerts (account_id, topic, state, reason, began_at, raised_at, after_message)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                new.account_id.0,
                new.topic.as_str(),
                new.state.as_str(),
                new.reason,
                new.began_at.0,
                now.0,
                after
            ])?;
        Ok((inserted == 1).then(|| self.conn.last_insert_rowid()))
    }

    /// The incident became graver. Says whether it was open and not that grave before.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn worsen_alert(&self, id: i64, reason: &str) -> Result<bool, StoreError> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE alerts SET state = 'needs_sign_in', reason = ?2, well_since = NULL
                 WHERE id = ?1 AND ended_at IS NULL AND state = 'down'",
            )?
            .execute(params![id, reason])?;
        Ok(changed == 1)
    }

    /// The account is well again since then, or (none) not any more.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_alert_well(&self, id: i64, since: Option<UtcMs>) -> Result<(), StoreError> {
        self.conn
            .prepare_cached("UPDATE alerts SET well_since = ?2 WHERE id = ?1 AND ended_at IS NULL")?
            .execute(params![id, since.map(|at| at.0)])?;
        Ok(())
    }

    /// The incident is over. Says whether it was open.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn end_alert(&self, id: i64, now: UtcMs) -> Result<bool, StoreError> {
        let changed = self
            .conn
            .prepare_cached("UPDATE alerts SET ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL")?
            .execute(params![id, now.0])?;
        Ok(changed == 1)
    }

    /// Notes that an event is to be told by webhook or command.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn add_alert_note(
        &self,
        alert: i64,
        event: AlertEvent,
        way: AlertWay,
        told: &str,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO alert_notes (alert_id, event, way, told, next_try_at, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
            )?
            .execute(params![alert, event.as_str(), way.as_str(), told, now.0])?;
        Ok(())
    }

    /// Queues a mail with an alert, and notes that it tells this event.
    ///
    /// # Errors
    /// As [`Tx::enqueue`].
    pub fn mail_alert(
        &self,
        alert: i64,
        event: AlertEvent,
        told: &str,
        mail: &NewMail,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        let (Inserted::New(id) | Inserted::Duplicate(id)) = self.enqueue(mail, now)?;
        self.conn
            .prepare_cached(
                "INSERT INTO alert_notes (alert_id, event, way, told, recipient, outbox_ref, next_try_at, created_at)
                 VALUES (?1, ?2, 'mail', ?3, ?4, ?5, ?6, ?6)",
            )?
            .execute(params![alert, event.as_str(), told, mail.envelope_to, id.0, now.0])?;
        Ok(())
    }

    /// Sends a stranded alert by another mail: withdraws the old one, whose body was not handed
    /// over, and queues the new one in its place. Says whether it was still stranded.
    ///
    /// # Errors
    /// As [`Tx::enqueue`].
    pub fn reroute_alert(
        &self,
        stranded: &StrandedAlert,
        mail: &NewMail,
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        // Whoever is just sending it may not hand the body over any more: its attempt is not in
        // `sending` then (`mark_handed_over`).
        let withdrawn = self
            .conn
            .prepare_cached(
                "UPDATE outbox SET state = 'cancelled', finished_at = ?2,
                     smtp_text = 'An alert that could not leave: sent through another account'
                 WHERE id = ?1 AND handed_over_at IS NULL
                   AND state IN ('queued', 'deferred', 'sending', 'rejected')",
            )?
            .execute(params![stranded.mail.0, now.0])?;
        if withdrawn != 1 {
            return Ok(false);
        }
        let (Inserted::New(id) | Inserted::Duplicate(id)) = self.enqueue(mail, now)?;
        self.conn
            .prepare_cached(
                "UPDATE alert_notes SET outbox_ref = ?2, tries = tries + 1 WHERE id = ?1",
            )?
            .execute(params![stranded.note.id, id.0])?;
        Ok(true)
    }

    /// The server took a mail with an alert.
    pub(super) fn alert_mail_sent(&self, mail: OutboxId) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "UPDATE alert_notes SET state = 'done' WHERE state = 'due' AND outbox_ref = ?1",
            )?
            .execute([mail.0])?;
        Ok(())
    }

    /// Books a try of the way that is due longest, until `now + lease`. An event waits for the
    /// one before it to be told by the same way.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn claim_alert_note(
        &self,
        now: UtcMs,
        lease: Duration,
    ) -> Result<Option<AlertNote>, StoreError> {
        let due: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT n.id FROM alert_notes n
                 WHERE n.state = 'due' AND n.next_try_at <= ?1 AND n.way <> 'mail'
                   AND NOT EXISTS (SELECT 1 FROM alert_notes e
                       WHERE e.alert_id = n.alert_id AND e.way = n.way AND e.state = 'due'
                         AND e.id < n.id)
                 ORDER BY n.next_try_at, n.id LIMIT 1",
            )?
            .query_row([now.0], |row| row.get(0))
            .optional()?;
        let Some(id) = due else { return Ok(None) };
        let mut statement = self.conn.prepare_cached(
            "UPDATE alert_notes SET tries = tries + 1, next_try_at = ?2 WHERE id = ?1
             RETURNING id, alert_id, event, way, told, recipient, tries",
        )?;
        let mut rows = statement.query(params![id, now.plus(lease).0])?;
        rows.next()?.map(note).transpose()
    }

    /// Records how a booked try ended; nothing when another try was booked since.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn finish_alert_note(
        &self,
        note: &AlertNote,
        told: &Told,
        now: UtcMs,
    ) -> Result<(), StoreError> {
        let (state, at, error) = match told {
            Told::Done => ("done", now, ""),
            Told::Again { at, error } => ("due", *at, error.as_str()),
            Told::Failed { error } => ("failed", now, error.as_str()),
        };
        self.conn
            .prepare_cached(
                "UPDATE alert_notes SET state = ?3, next_try_at = ?4, error = ?5
                 WHERE id = ?1 AND tries = ?2 AND state = 'due'",
            )?
            .execute(params![note.id, note.tries, state, at.0, error])?;
        Ok(())
    }

    /// Somebody watches at `now`. Gives since when somebody has been watching without a gap
    /// longer than `gap`: what happened while nobody did is nobody's alarm.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note_watched(&self, now: UtcMs, gap: Duration) -> Result<UtcMs, StoreError> {
        let kept: Option<(i64, i64)> = self.learned(WATCHED_KEY)?;
        let since = match kept {
            Some((since, last))
                if last <= now.0 && since <= last && now.since(UtcMs(last)) <= gap =>
            {
                since
            }
            _ => now.0,
        };
        self.set_record(WATCHED_KEY, &(since, now.0))?;
        Ok(UtcMs(since))
    }
}

fn incident(row: &Row<'_>) -> Result<Incident, StoreError> {
    Ok(Incident {
        id: row.get(0)?,
        account_id: AccountId(row.get(1)?),
        topic: row.get::<_, String>(2)?.parse()?,
        state: row.get::<_, String>(3)?.parse()?,
        reason: row.get(4)?,
        began_at: UtcMs(row.get(5)?),
        raised_at: UtcMs(row.get(6)?),
        after_message: row.get(7)?,
        well_since: row.get::<_, Option<i64>>(8)?.map(UtcMs),
    })
}

fn note(row: &Row<'_>) -> Result<AlertNote, StoreError> {
    Ok(AlertNote {
        id: row.get(0)?,
        alert_id: row.get(1)?,
        event: row.get::<_, String>(2)?.parse()?,
        way: row.get::<_, String>(3)?.parse()?,
        told: row.get(4)?,
        recipient: row.get(5)?,
        tries: row.get(6)?,
    })
}
