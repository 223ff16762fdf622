//! `replyd status`.

use std::fmt::Write as _;

use serde::Serialize;

use super::say;
use crate::app::App;
use crate::cli::Exit;
use crate::doctor::{self, Check, Verdict};
use crate::status::Snapshot;

/// What `status --json` prints.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    snapshot: &'a Snapshot,
    /// What is wrong with the state folder right now.
    installation: &'a [Check],
}

pub(super) async fn status(app: &App, json: bool) -> anyhow::Result<Exit> {
    let snapshot = Snapshot::take(app.store(), app.settings()).await?;
    let installation = doctor::glance(app.settings());
    if json {
        let shown = Shown {
            snapshot: &snapshot,
            installation: &installation,
        };
        say(&format!("{}\n", serde_json::to_string_pretty(&shown)?))?;
    } else {
        let mut text = snapshot.to_string();
        for check in &installation {
            // Writing to a String does not fail.
            write!(text, "installation\n{check}").unwrap_or_default();
        }
        say(&text)?;
    }
    let broken = installation.iter().any(|c| c.verdict == Verdict::Failed);
    Ok(if broken || snapshot.needs_person() {
        Exit::NeedsPerson
    } else {
        Exit::Done
    })
}
