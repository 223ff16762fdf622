//! Arguments of `reconcile`, `quarantine`, `backup` and `restore`. The comments are the help texts.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Examples of `reconcile`.
pub(super) const RECONCILE_EXAMPLES: &str = "\
Asks each mailbox which mails of the covered window it has, compares them with what is stored, and
takes in what is missing (never answered automatically: a person may have done so). The service
does the same once a day. Works beside it.

Examples:
  replyd reconcile
  replyd reconcile --days 30 --account sales --json

Exit codes: 0 everything is accounted for, 1 something is not, 2 an account needs sign-in,
75 a server could not be reached.";

/// Flags of `reconcile`.
#[derive(Args, Clone, Debug)]
pub struct ReconcileArgs {
    /// Only the last days of 24 hours; a narrower window widens to them [default: the covered window]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: Option<u32>,
    /// Only this account [default: all]
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// `quarantine …`
#[derive(Clone, Debug, Subcommand)]
pub enum QuarantineCommand {
    /// List messages that could not be read as the server sends them, with the reason
    List {
        /// One JSON object a line instead of text
        #[arg(long)]
        json: bool,
    },
    /// Fetch set-aside messages once more; what can be read now is taken in
    Retry {
        /// Number of the message, as `quarantine list` shows it [default: all]
        id: Option<i64>,
    },
    /// Say that a person has seen to a message: it is not asked for any more
    Release {
        /// Number of the message, as `quarantine list` shows it
        id: i64,
        /// What was done about it, kept beside it; no names
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
    },
}

/// Examples of `backup`.
pub(super) const BACKUP_EXAMPLES: &str = "\
The file is for its owner alone (mode 0600), is whole or not there, and never takes the place of
another one. It holds mail, addresses and keys.

Example:
  replyd backup /var/backups/replyd-$(date +%F).db";

/// Examples of `restore`.
pub(super) const RESTORE_EXAMPLES: &str = "\
Stop the service, move the old database away (replyd.db, -wal and -shm), restore, look, start.
What left after the backup was made is not known: automation is off until `replyd automation on`,
mails that were due wait for a person, and older replies are never answered automatically.

Example:
  systemctl stop replyd && replyd restore /var/backups/replyd-2026-03-01.db";

/// The file of `backup` and `restore`.
#[derive(Args, Clone, Debug)]
pub struct BackupArgs {
    /// The file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}
