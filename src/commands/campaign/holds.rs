//! What keeps a campaign's queued mails from leaving now, in words; empty: nothing does.

use crate::app::App;
use crate::store::{AutomationScope, Campaign, StoreError};
use crate::time;

const NOBODY_SENDS: &str =
    "no service runs: start it, or let `replyd process` send what the pace allows";

pub(super) async fn of(app: &App, campaign: &Campaign) -> anyhow::Result<Vec<String>> {
    let mut held = Vec::new();
    if !campaign.active {
        held.push("the campaign is not active".to_owned());
    }
    let Some(mailing) = &campaign.mailing else {
        return Ok(held);
    };
    if let Some(paused) = &mailing.paused {
        let mut line = format!("paused since {}", paused.at.rfc3339());
        for (before, text) in [(" by ", &paused.by), (": ", &paused.reason)] {
            if !text.is_empty() {
                line.push_str(before);
                line.push_str(text);
            }
        }
        line.push_str(" (replyd campaign resume)");
        held.push(line);
    }
    let (id, account, now) = (campaign.id, mailing.account.clone(), time::now());
    let in_settings = app.settings().account_names.contains(&account);
    let more = app
        .store()
        .read(move |r| -> Result<Vec<String>, StoreError> {
            let mut held = Vec::new();
            for off in r.automation_off()? {
                if matches!(off.scope, AutomationScope::All)
                    || off.scope == AutomationScope::Campaign(id)
                {
                    held.push(format!("automation is off {off} (replyd automation on)"));
                }
            }
            let accounts = r.accounts()?;
            // An account without a row was never started; it is made with the first mail.
            let Some(row) = accounts.into_iter().find(|a| a.name == account) else {
                held.extend(in_settings.then(|| NOBODY_SENDS.to_owned()));
                return Ok(held);
            };
            if let Some(pause) = r
                .smtp_pauses()?
                .into_iter()
                .find(|p| p.account_id == row.id)
            {
                held.push(format!(
                    "the SMTP server of account {account} cannot be used: {}; next try at {}",
                    pause.reason,
                    pause.retry_at.rfc3339()
                ));
            }
            if let Some(pace) = r.pace_status(row.id, now)? {
                if let Some(said) = &pace.stopped {
                    held.push(format!(
                        "the server limits account {account}: {said}; next try at {} \
                         (replyd campaign resume tries at once)",
                        pace.opens_at.rfc3339()
                    ));
                } else if pace.sent_in_day >= pace.per_day {
                    held.push(format!(
                        "account {account} has sent {} mails in 24 hours, of {}: next one at {}",
                        pace.sent_in_day,
                        pace.per_day,
                        pace.opens_at.rfc3339()
                    ));
                }
            }
            if row.lease_until <= now {
                held.push(NOBODY_SENDS.to_owned());
            }
            Ok(held)
        })
        .await?;
    held.extend(more);
    if !in_settings {
        held.push(format!(
            "account {} is not in the settings: add it again, or give the campaign another with \
             campaign create --replace --account",
            mailing.account
        ));
    }
    Ok(held)
}
