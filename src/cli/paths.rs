//! The paths on a command line: a command that starts anew as another user, in another folder,
//! must still mean the same files.

use std::any::TypeId;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgMatches, Command};

/// A path that was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathArg {
    /// As it was typed.
    pub(super) typed: OsString,
    /// It says where settings or the database lie, which is not copied.
    pub(super) place: bool,
    /// It names a file that must be there.
    pub(super) must_exist: bool,
}

/// Flags of [`super::GlobalArgs`] that are places.
const PLACES: [&str; 3] = ["config", "env_file", "database"];

/// Every path of this command line (with the program's name first), each once.
pub(super) fn path_args(mut command: Command, argv: &[OsString]) -> Vec<PathArg> {
    // Brings the global flags into the subcommands.
    command.build();
    let mut found = Vec::new();
    // A command line that cannot be parsed was refused before.
    if let Ok(matches) = command.clone().try_get_matches_from(argv) {
        collect(&command, &matches, &mut found);
    }
    found
}

fn collect(command: &Command, matches: &ArgMatches, found: &mut Vec<PathArg>) {
    for arg in command.get_arguments() {
        let id = arg.get_id().as_str();
        if arg.get_value_parser().type_id() != TypeId::of::<PathBuf>() {
            continue;
        }
        let Ok(Some(values)) = matches.try_get_raw(id) else {
            continue;
        };
        let place = PLACES.contains(&id);
        let is_file = arg
            .get_value_names()
            .is_some_and(|names| names.iter().any(|n| n.as_str() == "FILE"));
        for typed in values {
            // By convention the standard input.
            if typed == "-" || found.iter().any(|f| f.typed == typed) {
                continue;
            }
            found.push(PathArg {
                typed: typed.to_owned(),
                place,
                must_exist: is_file && !place,
            });
        }
    }
    if let Some((name, matches)) = matches.subcommand()
        && let Some(command) = command.find_subcommand(name)
    {
        collect(command, matches, found);
    }
}

/// The command line with `typed` replaced by `by`, alone or after `--flag=`.
pub(super) fn replace(argv: &mut [OsString], typed: &OsString, by: &std::path::Path) {
    for arg in argv {
        if arg == typed {
            by.as_os_str().clone_into(arg);
        } else if let (Some(text), Some(typed)) = (arg.to_str(), typed.to_str())
            && let Some((flag, value)) = text.split_once('=')
            && flag.starts_with("--")
            && value == typed
        {
            let mut new = OsString::from(format!("{flag}="));
            new.push(by);
            *arg = new;
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use std::path::Path;

    use super::*;

    fn argv(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn paths_are_found_at_every_level_of_the_command_line() {
        let line = argv("replyd --config=a.toml leads import leads.csv --campaign x --database d");
        let found = path_args(crate::cli::Cli::command(), &line);
        let one = |typed: &str| {
            found
                .iter()
                .find(|f| f.typed == typed)
                .map(|f| (f.place, f.must_exist))
        };
        assert_eq!(one("a.toml"), Some((true, false)), "{found:?}");
        assert_eq!(one("d"), Some((true, false)), "{found:?}");
        assert_eq!(one("leads.csv"), Some((false, true)), "{found:?}");
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn a_path_is_replaced_alone_and_after_its_flag() {
        let mut line = argv("replyd --config=a.toml leads import a.toml --campaign a.tom");
        replace(&mut line, &OsString::from("a.toml"), Path::new("/x/a.toml"));
        assert_eq!(
            line,
            argv("replyd --config=/x/a.toml leads import /x/a.toml --campaign a.tom")
        );
    }
}
