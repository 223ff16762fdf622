//! What the user typed.
//!
//! Flags are kept as text here and validated together with the other sources in `config`, so
//! that one message names every problem at once. No secret is ever a flag: the process list
//! shows flags to every user of the machine.

mod args;
mod auth_args;
mod campaign_args;
mod classify_args;
mod doctor_args;
mod documents_args;
mod drafts_args;
mod exit;
mod hand_over;
mod owner;
mod parse_args;
mod paths;
mod reconcile_args;
mod replay_args;
mod scan_args;
mod setup_args;
mod side_args;
mod template_args;
mod token_args;
mod unmatched_args;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::config::Flags;

pub use args::*;
pub use auth_args::*;
pub use campaign_args::*;
pub use classify_args::*;
pub use doctor_args::DoctorArgs;
pub use documents_args::*;
pub use drafts_args::*;
pub use exit::Exit;
pub use owner::{Credentials, Owner, RootShell};
pub use parse_args::*;
pub use reconcile_args::{BackupArgs, QuarantineCommand, ReconcileArgs};
pub use replay_args::{ExplainArgs, ReplayArgs};
pub use scan_args::*;
pub use setup_args::*;
pub use side_args::*;
pub use template_args::*;
pub use token_args::{ScopeArg, TokenCommand, TokenCreateArgs};
pub use unmatched_args::UnmatchedCommand;

impl Cli {
    /// Reads a command line (with the program's name first).
    ///
    /// # Errors
    /// The error of clap, to be handed to [`report_usage`]; help and version count as errors
    /// there.
    pub fn parse_args<I, T>(args: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let mut cli = Self::try_parse_from(args)?;
        let before = std::mem::take(&mut cli.run);
        match &mut cli.command {
            None => cli.run = before,
            Some(Command::Run(args)) => cli.run = args.clone().over(before),
            Some(_) if before.is_empty() => {}
            Some(_) => {
                return Err(Self::command().error(
                    ErrorKind::ArgumentConflict,
                    "--interval, --days, --once, --listen and --no-web before a command belong to `run` only; \
                     put the command's own flags after its name",
                ));
            }
        }
        Ok(cli)
    }

    /// What these arguments say about settings. The flags of `run` are empty for every other
    /// command.
    #[must_use]
    pub fn flags(&self) -> Flags {
        // Named one by one, so that a new flag cannot be forgotten.
        let GlobalArgs {
            config,
            env_file,
            database,
            log_format,
            redirect_to,
        } = self.global.clone();
        let RunArgs {
            interval,
            days,
            once: _,
            listen,
            no_web,
        } = self.run.clone();
        Flags {
            config,
            env_file,
            database,
            log_format,
            redirect_to,
            interval,
            days,
            listen: if no_web {
                Some("off".to_owned())
            } else {
                listen
            },
        }
    }
}

/// Prints clap's message (help and version on stdout, errors on stderr) and gives the code:
/// 0 for help and version, else 64.
pub fn report_usage(error: &clap::Error) -> Exit {
    // A closed stdout (`replyd --help | head -1`) is not an error of ours.
    error.print().unwrap_or_default();
    if error.use_stderr() {
        Exit::Usage
    } else {
        Exit::Done
    }
}

/// Writes the completions of a shell.
pub fn completions(shell: clap_complete::Shell, out: &mut dyn std::io::Write) {
    clap_complete::generate(shell, &mut Cli::command(), "replyd", out);
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::parse_args(std::iter::once("replyd").chain(line.split_whitespace()))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_is_the_default_and_takes_its_flags_on_both_sides_of_its_name() {
        for line in [
            "--interval 5 --days 2 --once",
            "run --interval 5 --days 2 --once",
            "--interval 5 run --days 2 --once",
            "--interval 9 --once run --interval 5 --days 2",
        ] {
            let cli = parse(line).unwrap();
            assert!(
                matches!(cli.command, None | Some(Command::Run(_))),
                "{line}"
            );
            assert!(cli.run.once, "{line}");
            let flags = cli.flags();
            assert_eq!(flags.interval.as_deref(), Some("5"), "{line}");
            assert_eq!(flags.days.as_deref(), Some("2"), "{line}");
        }
    }

    #[test]
    fn global_flags_stand_before_or_after_the_command() {
        for line in [
            "--config a.toml status --json",
            "status --json --config a.toml",
        ] {
            let cli = parse(line).unwrap();
            assert_eq!(cli.flags().config, Some(PathBuf::from("a.toml")), "{line}");
            assert!(
                matches!(cli.command, Some(Command::Status(s)) if s.json),
                "{line}"
            );
        }
    }

    #[test]
    fn check_looks_back_seven_days_and_process_takes_fifty() {
        let Some(Command::Check(check)) = parse("check").unwrap().command else {
            panic!("not check");
        };
        assert_eq!(check.days, 7);
        let Some(Command::Process(process)) = parse("process").unwrap().command else {
            panic!("not process");
        };
        assert_eq!(
            (process.limit, process.force, process.resend),
            (50, false, false)
        );
    }

    #[test]
    fn flags_of_run_are_refused_with_other_commands() {
        let err = parse("--days 3 check").unwrap_err();
        assert_eq!(err.kind(), ErrorKind::ArgumentConflict);
        assert!(err.to_string().contains("--days"));
    }

    #[test]
    fn usage_errors_give_64_and_help_and_version_give_0() {
        for line in [
            "--nonsense",
            "nonsense",
            "check --days 0",
            "process --resend",
            "process --force --resend",
            "process 12 --resend",
            "process 12 --conversation 3",
            "process 12 --limit 3",
            "leads",
        ] {
            assert!(parse(line).unwrap_err().use_stderr(), "{line}");
        }
        for line in ["--help", "--version", "status --help"] {
            assert!(!parse(line).unwrap_err().use_stderr(), "{line}");
        }
    }

    #[test]
    fn a_negative_number_reaches_the_validation_of_settings() {
        let flags = parse("--interval -5").unwrap().flags();
        assert_eq!(flags.interval.as_deref(), Some("-5"));
    }

    #[test]
    fn no_flag_takes_a_secret() {
        fn walk(command: &clap::Command) {
            for arg in command.get_arguments() {
                let id = arg.get_id().as_str();
                let secret = ["password", "token", "secret"]
                    .iter()
                    .any(|s| id.contains(s));
                // A file that holds it, a command that prints it, an address that gives it, or where it is kept.
                let place = ["_file", "_command", "_url", "secret_in"]
                    .iter()
                    .any(|e| id.ends_with(e));
                assert!(!secret || place, "{id}");
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&Cli::command());
    }
}
