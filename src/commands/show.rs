//! `replyd status`.

use super::say;
use crate::app::App;
use crate::cli::Exit;
use crate::status::Snapshot;

pub(super) async fn status(app: &App, json: bool) -> anyhow::Result<Exit> {
    let snapshot = Snapshot::take(app.store(), app.settings()).await?;
    if json {
        say(&format!("{}\n", serde_json::to_string_pretty(&snapshot)?))?;
    } else {
        say(&snapshot.to_string())?;
    }
    Ok(if snapshot.needs_person() {
        Exit::NeedsPerson
    } else {
        Exit::Done
    })
}
