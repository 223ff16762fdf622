//! `backup` and `restore`, and the look at the database after a stop that was not in order.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tracing::{info, warn};

use super::say;
use crate::app::App;
use crate::cli::Exit;
use crate::config::Settings;
use crate::keys;
use crate::store::{
    Integrity, StoreError, backup_blocking, check_after_unclean_stop_blocking, restore_blocking,
};
use crate::time;

/// A start waits for the check of the database no longer than this.
const CHECK: Duration = Duration::from_secs(20);

pub(super) async fn backup(app: &App, file: &Path) -> anyhow::Result<Exit> {
    let settings = app.settings();
    let (dir, credential) = (settings.state_dir.clone(), settings.keys_credential.clone());
    let (from, to) = (app.store().path().to_owned(), file.to_owned());
    let bytes = tokio::task::spawn_blocking(move || {
        let keys = keys::file_bytes(&dir, credential.as_deref()).context("Read the keys")?;
        backup_blocking(&from, &to, &keys).context("Back up the database")
    })
    .await
    .context("Back up")??;
    say(&format!(
        "{} holds the database and the keys of Message-IDs ({bytes} bytes): keep it as safe as the \
         mails themselves.\n",
        file.display()
    ))?;
    Ok(Exit::Done)
}

/// Works without an open database: there must be none.
pub(super) fn restore(settings: &Settings, file: &Path) -> anyhow::Result<Exit> {
    let (dir, credential) = (&settings.state_dir, settings.keys_credential.as_deref());
    let restored = restore_blocking(file, &settings.database, time::now(), |bytes| {
        keys::keep(dir, credential, bytes).context("Put the keys back")
    })
    .with_context(|| format!("Restore {}", file.display()))?;
    say(&format!(
        "{} is restored: {} messages. What left after the backup was made is not known, so\n\
         - automation is off: look, then `replyd automation on`\n\
         - {} mails that were due wait for a person: `replyd outbox list`\n\
         - replies from before now are never answered automatically; the service takes in what came since.\n",
        settings.database.display(),
        restored.messages,
        restored.unknown
    ))?;
    Ok(Exit::Done)
}

/// Before the service opens its database: looks at it if the last stop was not in order.
pub(super) fn check_after_unclean_stop(settings: &Settings) -> anyhow::Result<()> {
    let began = Instant::now();
    let found = check_after_unclean_stop_blocking(&settings.database, CHECK)
        .with_context(|| format!("Check database {}", settings.database.display()))?;
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match found {
        None => {}
        Some(Integrity::Sound) => info!(
            took_ms,
            "the last stop was not in order: the database was checked and is sound"
        ),
        Some(Integrity::Unfinished) => warn!(
            took_ms,
            "the last stop was not in order; the database is too large to be checked to its end at a \
             start: `replyd doctor` looks again"
        ),
        Some(Integrity::Damaged(what)) => bail!(
            anyhow::Error::from(StoreError::Corrupt(what))
                .context(format!("Check database {}", settings.database.display()))
        ),
    }
    Ok(())
}
