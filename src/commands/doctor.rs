//! `replyd doctor`.

use std::io::{self, IsTerminal};
use std::time::Duration;

use super::{complain, say};
use crate::cli::{Cli, DoctorArgs, Exit};
use crate::config::{Environment, Need, Settings, Sources};
use crate::doctor::{self, Intake, Options};
use crate::fault;

/// Loads the settings as far as they can be loaded.
pub(super) fn load(cli: &Cli) -> Intake {
    let partial = || {
        let sources = Sources {
            env: Environment::of_process(),
            flags: cli.flags(),
        };
        let loaded = Settings::load(&sources, Need::Store).ok();
        loaded.map(|loaded| Box::new(loaded.settings))
    };
    match super::load(cli, Need::Mail) {
        Ok(Ok(loaded)) => Intake::Complete(Box::new(loaded)),
        Ok(Err(problems)) => Intake::Wrong(problems, partial()),
        Err(e) => Intake::NotAsService(format!("{e:#}"), partial()),
    }
}

/// Prints the table of faults.
pub(super) fn faults() -> anyhow::Result<Exit> {
    say(&fault::reference()).map(|()| Exit::Done)
}

pub(super) async fn run(intake: Intake, args: &DoctorArgs) -> anyhow::Result<Exit> {
    if let (Some(only), Some(settings)) = (&args.account, intake.settings()) {
        let names = &settings.account_names;
        if !names.contains(only) {
            let there = names.join(", ");
            complain(&format!(
                "replyd: no account is called {only:?}; there are: {there}"
            ));
            return Ok(Exit::Usage);
        }
    }
    let options = Options {
        account: args.account.clone(),
        send_test: args.send_test,
        deadline: Duration::from_secs(args.wait),
        progress: progress(),
    };
    let mut printed = Ok(());
    let report = doctor::examine(intake, options, |group| {
        if !args.json && printed.is_ok() {
            printed = say(&group.to_string());
        }
    })
    .await;
    printed?;
    if args.json {
        say(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    } else {
        say(&format!("{}\n", report.summary()))?;
    }
    Ok(report.exit())
}

/// People are told what is waited for.
fn progress() -> fn(&str) {
    if io::stderr().is_terminal() {
        complain
    } else {
        |_| {}
    }
}
