//! `sent scan`: reads the Sent folder's window once, on a connection of its own, beside a
//! listener that may run.

use std::time::Duration;

use super::first::SINCE_SLACK;
use super::haul::arrived;
use super::{Ended, Listener, Progress};
use crate::capture::ScanReport;
use crate::config::FolderChoice;
use crate::imap::{FetchWhat, ImapError, Session};
use crate::model::FolderRole;
use crate::store::StoreError;
use crate::time;

/// Mails of one transaction.
const CHUNK: usize = 50;
/// The budget of sign-ins is waited for up to this.
const PATIENCE: Duration = Duration::from_secs(150);

/// Why a scan did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The connection, the server or the store.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// Nobody knows which folder it is.
    #[error(
        "No Sent folder was found: set `sent_folder` of the account to its name. Folders there: {}",
        if .0.is_empty() { "none that the server lists".to_owned() } else { .0.join(", ") }
    )]
    NoFolder(Vec<String>),
}

impl From<ImapError> for ScanError {
    fn from(e: ImapError) -> Self {
        Self::Ended(e.into())
    }
}

impl From<StoreError> for ScanError {
    fn from(e: StoreError) -> Self {
        Self::Ended(e.into())
    }
}

impl Listener {
    /// Records the mails to known leads of the last `days` (24 h each). `waiting` is told when the
    /// sign-in has to wait for its minute.
    ///
    /// # Errors
    /// [`ScanError`]; what was recorded stays, and the same again goes on.
    pub async fn scan_sent(
        &self,
        days: u32,
        campaign: Option<String>,
        waiting: impl Fn(Duration),
    ) -> Result<ScanReport, ScanError> {
        let mut session = self.connect_patiently(waiting).await?;
        let scanned = self.scan_in(&mut session, days, campaign).await;
        session.logout().await;
        scanned
    }

    async fn connect_patiently(&self, waiting: impl Fn(Duration)) -> Result<Session, ScanError> {
        match self.connect().await {
            Err(Ended::NotBefore(at)) => {
                let wait = at.since(time::now());
                if wait > PATIENCE {
                    return Err(Ended::NotBefore(at).into());
                }
                waiting(wait);
                tokio::time::sleep(wait).await;
                Ok(self.connect().await?.0)
            }
            other => Ok(other?.0),
        }
    }

    async fn scan_in(
        &self,
        session: &mut Session,
        days: u32,
        campaign: Option<String>,
    ) -> Result<ScanReport, ScanError> {
        let folder = self.sent_folder(session).await?;
        let window = Duration::from_secs(u64::from(days).saturating_mul(24 * 3600));
        let from = time::now().minus(window);
        session.examine(&folder).await?;
        let mut uids = session.search_since(from.minus(SINCE_SLACK)).await?;
        uids.sort_unstable();
        uids.dedup();
        let total = u64::try_from(uids.len()).unwrap_or(u64::MAX);
        let mut done = 0_u64;
        let mut report = ScanReport {
            folder,
            ..ScanReport::default()
        };
        for chunk in uids.chunks(CHUNK) {
            let mut batch = Vec::new();
            let mut fetch = session.fetch_list(chunk, FetchWhat::Start).await?;
            while let Some(fetched) = fetch.next().await? {
                let inside = fetched.internal_date.is_none_or(|at| at >= from);
                if fetched.body.is_some() && inside {
                    batch.push(arrived(fetched, None));
                }
            }
            let part = self
                .shared
                .capture
                .scan_sent(self.id, campaign.clone(), batch)
                .await?;
            report.add(&part);
            done = done.saturating_add(u64::try_from(chunk.len()).unwrap_or(0));
            if let Some(Progress(tell)) = &self.shared.progress {
                tell(done, total);
            }
        }
        Ok(report)
    }

    /// Its name: of the settings, as it was found, or found now.
    async fn sent_folder(&self, session: &mut Session) -> Result<String, ScanError> {
        if let FolderChoice::Named(name) = &self.account.folders.sent {
            return Ok(name.clone());
        }
        let id = self.id;
        let known = self.shared.store.read(move |r| r.folders(id)).await?;
        let known = known
            .folders
            .into_iter()
            .find(|f| f.role == FolderRole::Sent && f.trouble.is_empty());
        if let Some(folder) = known {
            return Ok(folder.name);
        }
        let found = session.find_folders().await?;
        found.sent.ok_or(ScanError::NoFolder(found.names))
    }
}
