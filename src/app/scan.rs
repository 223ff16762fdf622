//! `sent scan`: one pass over the Sent folder of each account, with the parts of `run`.

use std::time::Duration;

use super::App;
use crate::capture::ScanReport;
use crate::listener::ScanError;

impl App {
    /// Scans the Sent folders of the accounts named (none: of all), one after another. `waiting`
    /// is told by whom and for how long a sign-in is waited for.
    ///
    /// # Errors
    /// When the accounts cannot be prepared, or none has the name; what an account met is in its
    /// result.
    pub async fn scan_sent(
        &self,
        days: u32,
        account: Option<&str>,
        campaign: Option<&str>,
        waiting: impl Fn(&str, Duration),
    ) -> anyhow::Result<Vec<(String, Result<ScanReport, ScanError>)>> {
        let listeners = self.bare_listeners().await?;
        let mut done = Vec::new();
        for listener in listeners
            .iter()
            .filter(|l| account.is_none_or(|name| l.name() == name))
        {
            let name = listener.name().to_owned();
            let campaign = campaign.map(str::to_owned);
            let report = listener
                .scan_sent(days, campaign, |wait| waiting(&name, wait))
                .await;
            done.push((name.clone(), report));
        }
        if done.is_empty() {
            let known: Vec<&str> = listeners.iter().map(|l| l.name()).collect();
            anyhow::bail!(
                "No account has this name; the settings have: {}",
                known.join(", ")
            );
        }
        Ok(done)
    }
}
